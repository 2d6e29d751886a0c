#include "tests/unit/vtape/child.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct writer {
	int fd;
	uint8_t id;
	int failed;
};

static void *
write_blocks(void *arg)
{
	struct writer *w = arg;
	uint8_t block[CHILD_BLOCK];

	memset(block, w->id, sizeof(block));
	for (int i = 0; i < CHILD_BLOCKS; i++)
		w->failed |= write(w->fd, block, sizeof(block)) !=
		    (ssize_t)sizeof(block);
	return NULL;
}

static int
threads(struct writer *w)
{
	pthread_t t[CHILD_WRITERS];
	int failed = 0;

	for (int i = 0; i < CHILD_WRITERS; i++)
		failed |= pthread_create(&t[i], NULL, write_blocks, &w[i]);
	for (int i = 0; i < CHILD_WRITERS; i++) {
		pthread_join(t[i], NULL);
		failed |= w[i].failed;
	}
	return failed;
}

static int
forks(struct writer *w)
{
	int failed = 0, status;

	for (int i = 0; i < CHILD_WRITERS; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			write_blocks(&w[i]);
			_exit(w[i].failed);
		}
		failed |= pid < 0;
	}
	for (int i = 0; i < CHILD_WRITERS; i++)
		failed |= wait(&status) < 0 || status != 0;
	return failed;
}

int
child_main(const char *what)
{
	int fd = open("/dev/nst9", O_WRONLY | O_CLOEXEC);
	struct writer w[CHILD_WRITERS];

	if (fd < 0)
		return 2;
	for (int i = 0; i < CHILD_WRITERS; i++)
		w[i] = (struct writer){.fd = fd, .id = (uint8_t)(i + 1)};
	int failed = strcmp(what, "threads") == 0 ? threads(w) : forks(w);
	return close(fd) != 0 || failed;
}
