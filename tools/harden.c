#include "tools/harden.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void
fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/*
 * MCL_FUTURE under a finite limit would turn a later malloc into a failure,
 * so it is asked for only where the limit is off; root may take it off, and
 * keeps that when it becomes the store's owner. MCL_ONFAULT: a sanitizer's
 * reserved terabytes are not touched.
 */
static bool
lock_all(const struct rlimit *now)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	if (now->rlim_cur != RLIM_INFINITY &&
	    setrlimit(RLIMIT_MEMLOCK, &all) != 0)
		return false;
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

void
harden_start(struct harden *h)
{
	struct rlimit none;

	fill_standard_descriptors();
	h->umask = umask(077);
	harden_again();
	if (getrlimit(RLIMIT_CORE, &h->core) == 0) {
		none.rlim_cur = 0;
		none.rlim_max = h->core.rlim_max;
		(void)setrlimit(RLIMIT_CORE, &none);
	}
	h->locked = getrlimit(RLIMIT_MEMLOCK, &h->memlock) == 0 &&
	    lock_all(&h->memlock);
}

void
harden_again(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
harden_undo(const struct harden *h)
{
	umask(h->umask);
	(void)setrlimit(RLIMIT_CORE, &h->core);
	(void)setrlimit(RLIMIT_MEMLOCK, &h->memlock);
}
