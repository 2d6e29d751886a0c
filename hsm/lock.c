#include "hsm/lock.h"

#include <ctype.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hsm/wait.h"
#include "kms/base/file.h"

/* mutex guards the rest; fd and path are the owner's. */
struct hsm_lock {
	pthread_mutex_t mutex;
	pthread_cond_t freed;
	pthread_t owner;
	unsigned depth; /* 0: nobody's */
	unsigned wait_ms;
	int fd;
	char dir[PATH_MAX - 64], path[PATH_MAX];
};

int
hsm_lock_new(const char *dir, unsigned wait_ms, struct hsm_lock **out)
{
	struct hsm_lock *k;

	*out = NULL;
	if (strlen(dir) >= sizeof(k->dir))
		return kms_fail(KMS_ERR_CONFIG,
		    "[token] lock_dir: path is too long");
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return kms_fail(KMS_ERR_MEMORY, "token lock: out of memory");
	hsm_wait_init(&k->mutex, &k->freed);
	k->wait_ms = wait_ms;
	k->fd = -1;
	memcpy(k->dir, dir, strlen(dir) + 1);
	*out = k;
	return 0;
}

void
hsm_lock_free(struct hsm_lock **lock)
{
	if (lock == NULL || *lock == NULL)
		return;
	kms_file_unlock(&(*lock)->fd);
	(void)pthread_cond_destroy(&(*lock)->freed);
	(void)pthread_mutex_destroy(&(*lock)->mutex);
	free(*lock);
	*lock = NULL;
}

/* Serials come from the token: anything but letters and digits becomes '_'. */
int
hsm_lock_bind(struct hsm_lock *k, const char *serial)
{
	char name[17];
	size_t n = 0;
	int len;

	for (; n < sizeof(name) - 1 && serial[n] != '\0'; n++) {
		bool plain = isalnum((unsigned char)serial[n]) != 0;

		name[n] = plain ? serial[n] : '_';
	}
	name[n] = '\0';
	len = snprintf(k->path, sizeof(k->path), "%s/p11kms-%s.lock", k->dir,
	    name);
	if (len < 0 || (size_t)len >= sizeof(k->path))
		return kms_fail(KMS_ERR_CONFIG,
		    "[token] lock_dir: path is too long");
	return 0;
}

/* The cause again, with whose file it is and which setting helps. */
static int
explain(const struct hsm_lock *k, int r)
{
	struct passwd pw, *found = NULL;
	char buf[1024];
	struct stat st;

	if (r == KMS_ERR_BUSY)
		return kms_fail_add(r, "token lock");
	if (lstat(k->path, &st) != 0 || st.st_uid == geteuid())
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: cannot be made or locked; set [token] lock_dir to a "
		    "directory that all users of this token may write",
		    k->path);
	(void)getpwuid_r(st.st_uid, &pw, buf, sizeof(buf), &found);
	return kms_fail(KMS_ERR_CONFIG,
	    "%s: belongs to %s (uid %u); all users of a token must lock the "
	    "same file: run as that user, or set [token] lock_dir",
	    k->path, found == NULL ? "somebody" : found->pw_name,
	    (unsigned)st.st_uid);
}

static int
take_locked(struct hsm_lock *k)
{
	struct timespec end;
	int timeout = 0;

	if (k->depth > 0 && pthread_equal(k->owner, pthread_self())) {
		k->depth++;
		return 0;
	}
	if (k->depth > 0)
		end = hsm_wait_deadline(k->wait_ms);
	while (k->depth > 0 && timeout == 0)
		timeout = pthread_cond_timedwait(&k->freed, &k->mutex, &end);
	if (k->depth > 0)
		return kms_fail(KMS_ERR_BUSY,
		    "token lock: held by another thread for over %u ms; try "
		    "again",
		    k->wait_ms);
	k->owner = pthread_self();
	k->depth = 1;
	return 0;
}

static void
give_locked(struct hsm_lock *k)
{
	if (--k->depth == 0)
		(void)pthread_cond_signal(&k->freed);
}

int
hsm_lock_enter(struct hsm_lock *k)
{
	bool first;
	int r;

	(void)pthread_mutex_lock(&k->mutex);
	r = take_locked(k);
	first = k->depth == 1;
	(void)pthread_mutex_unlock(&k->mutex);
	if (r != 0 || !first)
		return r;
	r = kms_file_lock(k->path, k->wait_ms, &k->fd);
	if (r == 0)
		return 0;
	r = explain(k, r);
	(void)pthread_mutex_lock(&k->mutex);
	give_locked(k);
	(void)pthread_mutex_unlock(&k->mutex);
	return r;
}

void
hsm_lock_leave(struct hsm_lock *k)
{
	(void)pthread_mutex_lock(&k->mutex);
	if (k->depth == 1)
		kms_file_unlock(&k->fd);
	give_locked(k);
	(void)pthread_mutex_unlock(&k->mutex);
}

void
hsm_signals_block(sigset_t *old)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGSEGV);
	(void)sigdelset(&all, SIGBUS);
	(void)sigdelset(&all, SIGFPE);
	(void)sigdelset(&all, SIGILL);
	(void)sigdelset(&all, SIGABRT);
	(void)pthread_sigmask(SIG_SETMASK, &all, old);
}

void
hsm_signals_restore(const sigset_t *old)
{
	(void)pthread_sigmask(SIG_SETMASK, old, NULL);
}
