#include "tests/unit/kms/faults.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_uint syncs, fails_at, takes;

void
fault_sync(unsigned nth)
{
	atomic_store(&fails_at, nth == 0 ? 0 : atomic_load(&syncs) + nth);
}

unsigned
fault_syncs(void)
{
	return atomic_load(&syncs);
}

void
fault_sync_takes(unsigned microseconds)
{
	atomic_store(&takes, microseconds);
}

static int
sync_fd(long call, int fd)
{
	unsigned n = atomic_fetch_add(&syncs, 1) + 1;
	unsigned at = atomic_load(&fails_at);

	if (at != 0 && n >= at) {
		errno = EIO;
		return -1;
	}
	usleep(atomic_load(&takes));
	return (int)syscall(call, fd);
}

int
fdatasync(int fd)
{
	return sync_fd(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return sync_fd(SYS_fsync, fd);
}
