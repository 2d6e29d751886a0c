#include "tape/job.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAUSE_ROOM 256u

/* Signals held back while a key may be in the drive. */
struct guard {
	sigset_t held, before;
	struct sigaction child;
};

static void
guard_begin(struct guard *g)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
	    SIGUSR2};
	struct sigaction a;

	sigemptyset(&g->held);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &a) == 0 &&
		    a.sa_handler != SIG_IGN)
			sigaddset(&g->held, ends[i]);
	sigaddset(&g->held, SIGCHLD);
	sigaddset(&g->held, SIGPIPE); /* a closed stderr must not end us */
	/* Where SIGCHLD was ignored, the exit status would be lost. */
	memset(&a, 0, sizeof(a));
	a.sa_handler = SIG_DFL;
	sigemptyset(&a.sa_mask);
	sigaction(SIGCHLD, &a, &g->child);
	pthread_sigmask(SIG_BLOCK, &g->held, &g->before);
}

/* What came too late to matter is dropped: the caller is to report. */
static void
guard_end(struct guard *g)
{
	const struct timespec now = {0};

	while (sigtimedwait(&g->held, NULL, &now) > 0)
		;
	sigaction(SIGCHLD, &g->child, NULL);
	pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}

/* A signal that came before there was a program to give it to; 0: none. */
static int
guard_pending(const struct guard *g)
{
	const struct timespec now = {0};
	int sig;

	while ((sig = sigtimedwait(&g->held, NULL, &now)) > 0)
		if (sig != SIGCHLD && sig != SIGPIPE)
			return sig;
	return 0;
}

static bool
same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

static bool
replaced(const char *const *set, const char *entry)
{
	for (; set && *set; set++)
		if (same_name(*set, entry))
			return true;
	return false;
}

/* environ with the additions; the array alone is allocated. */
static const char **
environment(const char *const *set)
{
	size_t n = 0, more = 0, at = 0;

	while (environ[n])
		n++;
	while (set && set[more])
		more++;
	const char **out = calloc(n + more + 1, sizeof(*out));
	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!replaced(set, environ[i]))
			out[at++] = environ[i];
	for (size_t i = 0; i < more; i++)
		out[at++] = set[i];
	return out;
}

static int
spawn_error(const char *program, int e)
{
	if (e == ENOENT)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no such program; nothing was run", program);
	if (e == EACCES)
		return kms_fail(KMS_ERR_DENIED,
		    "%s: not executable; nothing was run", program);
	return kms_fail(KMS_ERR_IO, "%s: %s; nothing was run", program,
	    strerror(e));
}

/*
 * posix_spawn and never fork: the PKCS#11 module may be loaded, and its
 * fork handlers run in the child. RESETIDS makes the program the caller's
 * even where the tool acts as the store's owner.
 */
static int
job_spawn(const struct tape_job *job, const struct guard *g, pid_t *pid)
{
	posix_spawnattr_t attr;
	sigset_t defaults;
	const char **env = environment(job->env);

	if (!env)
		return kms_fail(KMS_ERR_MEMORY, "%s: out of memory",
		    job->argv[0]);
	int e = posix_spawnattr_init(&attr);
	if (e == 0) {
		sigemptyset(&defaults);
		sigaddset(&defaults, SIGPIPE);
		posix_spawnattr_setsigdefault(&attr, &defaults);
		posix_spawnattr_setsigmask(&attr, &g->before);
		posix_spawnattr_setflags(&attr,
		    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
			POSIX_SPAWN_RESETIDS);
		e = posix_spawnp(pid, job->argv[0], NULL, &attr, job->argv,
		    (char *const *)(const void *)env);
		posix_spawnattr_destroy(&attr);
	}
	free(env);
	return e ? spawn_error(job->argv[0], e) : 0;
}

/* What the terminal sent went to the whole process group already. */
static void
pass_on(pid_t pid, const siginfo_t *info)
{
	if (info->si_code == SI_KERNEL && getpgid(pid) == getpgrp())
		return;
	kill(pid, info->si_signo);
}

/* No deadline: a backup takes as long as it takes. */
static int
job_wait(const struct guard *g, pid_t pid, int *status)
{
	siginfo_t info;

	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);
		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return kms_fail(KMS_ERR_IO,
			    "waiting for the program: %s", strerror(errno));
		int sig = sigwaitinfo(&g->held, &info);
		if (sig > 0 && sig != SIGCHLD && sig != SIGPIPE)
			pass_on(pid, &info);
	}
}

/* The drive holds the key from here on; the caller clears it. */
static int
job_inside(const struct tape_job *job, const struct guard *g,
    struct tape_job_result *r)
{
	pid_t pid = -1;

	if (job->before_spawn) {
		int err = job->before_spawn(job->arg);
		if (err)
			return err;
	}
	r->wait_status = guard_pending(g);
	if (r->wait_status != 0)
		return 0;
	int err = job_spawn(job, g, &pid);
	if (err)
		return err;
	r->started = true;
	err = job_wait(g, pid, &r->wait_status);
	if (err)
		return err;
	return tape_drive_prove(job->drive, &r->loaded);
}

/* The first error counts; a key left behind is said besides. */
static int
job_clear(struct tape_drive *d, int err)
{
	char cause[CAUSE_ROOM];

	if (!err)
		return tape_drive_clear(d);
	snprintf(cause, sizeof(cause), "%s", kms_err_cause(err));
	if (!tape_drive_clear(d))
		return kms_fail(err, "%s", cause);
	return kms_fail(err,
	    "%s; and the key may still be in the drive: "
	    "unload the tape and switch the drive off and on",
	    cause);
}

int
tape_job_run(const struct tape_job *job, struct tape_job_result *r)
{
	struct guard g;

	memset(r, 0, sizeof(*r));
	guard_begin(&g);
	int err = tape_drive_load(job->drive, job->load, &r->loaded);
	if (!err) {
		err = job_inside(job, &g, r);
		err = job_clear(job->drive, err);
	}
	guard_end(&g);
	return err;
}

int
tape_job_exit(int err, const struct tape_job_result *r)
{
	if (err)
		return 100 + kms_err_status(err);
	if (WIFSIGNALED(r->wait_status))
		return 128 + WTERMSIG(r->wait_status);
	return WEXITSTATUS(r->wait_status);
}
