#include "tape/bell.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tape/wire.h"

#define ENV_MAX 24 /* the name and its = */
#define DIRECTORY "p11kmsdrive-XXXXXX"
#define SOCKET "/bell"
#define WAITING 16 /* several processes may read one tape */
#define DIR_MAX 80 /* a socket's name has 107 characters at most */

struct tape_bell {
	char dir[DIR_MAX], env[ENV_MAX + DIR_MAX + sizeof(SOCKET)];
	int fd;     /* -1: not listening */
	int caller; /* who waits for an answer; -1: nobody */
};

static int
bell_error(const char *dir)
{
	return kms_fail(KMS_ERR_IO,
	    "%s: %s; a directory for the program's requests is made in TMPDIR, "
	    "else in /tmp",
	    dir, strerror(errno));
}

/* A name that leaves no room for the socket's is passed over. */
static int
make_directory(struct tape_bell *b)
{
	const char *tmp = getenv("TMPDIR");
	size_t room = sizeof(b->dir) - sizeof("/" DIRECTORY);

	if (!tmp || tmp[0] != '/' || strlen(tmp) > room)
		tmp = "/tmp";
	snprintf(b->dir, sizeof(b->dir), "%s/" DIRECTORY, tmp);
	if (mkdtemp(b->dir))
		return 0;
	int err = bell_error(b->dir);
	b->dir[0] = '\0';
	return err;
}

static int
listen_there(struct tape_bell *b, const char *env)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(b->env, sizeof(b->env), "%s=%s" SOCKET, env, b->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s" SOCKET, b->dir);
	b->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (b->fd < 0 ||
	    bind(b->fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(b->fd, WAITING) < 0)
		return bell_error(b->dir);
	return 0;
}

int
tape_bell_open(const char *env, struct tape_bell **out)
{
	*out = NULL;
	struct tape_bell *b = calloc(1, sizeof(*b));
	if (!b)
		return kms_fail(KMS_ERR_MEMORY, "bell: out of memory");
	b->fd = b->caller = -1;
	int err = make_directory(b);
	if (!err)
		err = listen_there(b, env);
	if (err)
		tape_bell_close(&b);
	*out = b;
	return err;
}

void
tape_bell_close(struct tape_bell **pb)
{
	struct tape_bell *b = pb ? *pb : NULL;

	if (!b)
		return;
	if (b->caller >= 0)
		close(b->caller);
	if (b->fd >= 0)
		close(b->fd);
	if (b->env[0])
		unlink(strchr(b->env, '=') + 1);
	if (b->dir[0])
		rmdir(b->dir);
	free(b);
	*pb = NULL;
}

const char *
tape_bell_env(const struct tape_bell *b)
{
	return b->env;
}

int
tape_bell_fd(const struct tape_bell *b)
{
	return b->fd;
}

bool
tape_bell_take(struct tape_bell *b)
{
	if (b->caller >= 0)
		return true;
	b->caller = accept4(b->fd, NULL, NULL, SOCK_CLOEXEC);
	return b->caller >= 0;
}

/* He may be gone meanwhile; that is his affair. */
void
tape_bell_answer(struct tape_bell *b, bool yes)
{
	uint8_t byte = yes ? WIRE_ASK_LOADED : WIRE_ASK_REFUSED;

	if (b->caller < 0)
		return;
	(void)wire_send(b->caller, &byte, 1, 0);
	close(b->caller);
	b->caller = -1;
}
