#include "tape/job.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tape/bell.h"
#include "tape/wire.h"

#define CAUSE_ROOM TAPE_EXCHANGE_CAUSE

/* Signals held back while a key may be in the drive. */
struct guard {
	sigset_t held, before;
	struct sigaction child;
	int fd; /* they are read here */
};

static int
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
	g->fd = signalfd(-1, &g->held, SFD_NONBLOCK | SFD_CLOEXEC);
	return g->fd >= 0
	    ? 0
	    : kms_fail(KMS_ERR_IO, "signals: %s", strerror(errno));
}

/* What came too late to matter is dropped: the caller is to report. */
static void
guard_end(struct guard *g)
{
	const struct timespec now = {0};

	while (sigtimedwait(&g->held, NULL, &now) > 0)
		;
	if (g->fd >= 0)
		close(g->fd);
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

/* environ with the additions; the array alone is allocated. A bell of another
 * job, this one's caller, does not pass on. */
static const char **
environment(const char *const *set, const struct tape_bell *bell)
{
	static const char *const bells[] = {WIRE_ASK_ENV "=", WIRE_TELL_ENV "=",
	    NULL};
	size_t n = 0, more = 0, at = 0;

	while (environ[n])
		n++;
	while (set && set[more])
		more++;
	const char **out = calloc(n + more + 2, sizeof(*out));
	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!replaced(set, environ[i]) && !replaced(bells, environ[i]))
			out[at++] = environ[i];
	for (size_t i = 0; i < more; i++)
		out[at++] = set[i];
	out[at] = bell ? tape_bell_env(bell) : NULL;
	return out;
}

/* What a job has under way. */
struct running {
	struct guard guard;
	struct tape_bell *bell; /* NULL: the program cannot ask */
	struct tape_exchange exchange;
	struct tape_volumes *volumes; /* NULL: it reads */
};

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
job_spawn(const struct tape_job *job, const struct running *run, pid_t *pid)
{
	posix_spawnattr_t attr;
	sigset_t defaults;
	const char **env = environment(job->env, run->bell);

	if (!env)
		return kms_fail(KMS_ERR_MEMORY, "%s: out of memory",
		    job->argv[0]);
	int e = posix_spawnattr_init(&attr);
	if (e == 0) {
		sigemptyset(&defaults);
		sigaddset(&defaults, SIGPIPE);
		posix_spawnattr_setsigdefault(&attr, &defaults);
		posix_spawnattr_setsigmask(&attr, &run->guard.before);
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
pass_on(pid_t pid, const struct signalfd_siginfo *info)
{
	if (info->ssi_code == SI_KERNEL && getpgid(pid) == getpgrp())
		return;
	kill(pid, (int)info->ssi_signo);
}

static void
signals_pass(const struct guard *g, pid_t pid)
{
	struct signalfd_siginfo info;

	while (read(g->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGPIPE)
			pass_on(pid, &info);
}

/* The program stands before a block of another key, or is about to write on a
 * tape that may be another one; and waits. */
static void
ring_answer(struct running *run, struct tape_job_result *r)
{
	if (!tape_bell_take(run->bell))
		return;
	int err = run->volumes ? tape_volumes_look(run->volumes)
			       : tape_exchange_key(&run->exchange, &r->loaded);
	tape_bell_answer(run->bell, err == 0);
}

/* No deadline: a backup takes as long as it takes. */
static int
job_wait(struct running *run, pid_t pid, struct tape_job_result *r)
{
	struct pollfd p[2] = {
	    {.fd = run->guard.fd, .events = POLLIN},
	    {.fd = run->bell ? tape_bell_fd(run->bell) : -1, .events = POLLIN},
	};

	for (;;) {
		pid_t got = waitpid(pid, &r->wait_status, WNOHANG);
		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return kms_fail(KMS_ERR_IO,
			    "waiting for the program: %s", strerror(errno));
		if (poll(p, 2, -1) <= 0)
			continue;
		if (p[0].revents)
			signals_pass(&run->guard, pid);
		if (p[1].revents)
			ring_answer(run, r);
	}
}

/* Runs the program once, and looks how the drive is left. */
static int
job_once(const struct tape_job *job, struct running *run,
    struct tape_job_result *r)
{
	pid_t pid = -1;

	int err = job_spawn(job, run, &pid);
	if (err)
		return err;
	r->started = true;
	err = job_wait(run, pid, r);
	if (err)
		return err;
	if (run->exchange.err)
		return kms_fail(run->exchange.err, "%s", run->exchange.cause);
	err = tape_drive_prove(job->drive, &r->loaded);
	if (err || r->loaded.enc != TAPE_ENC_DISABLE || r->wait_status == 0)
		return err;
	return tape_exchange_due(job->drive, &r->due, &r->block);
}

/* The drive holds the key from here on; the caller clears it. */
static int
job_inside(const struct tape_job *job, struct running *run,
    struct tape_job_result *r)
{
	int err = job->volumes ? tape_volumes_begin(job->volumes) : 0;

	if (!err && job->before_spawn)
		err = job->before_spawn(job->arg);
	if (!err && job->bell && (job->next_key || job->volumes))
		err = tape_bell_open(job->volumes ? WIRE_TELL_ENV
						  : WIRE_ASK_ENV,
		    &run->bell);
	if (err)
		return err;
	for (;;) {
		r->wait_status = guard_pending(&run->guard);
		if (r->wait_status != 0)
			return 0;
		err = job_once(job, run, r);
		if (err || !r->due || !job->again || !job->next_key ||
		    !WIFEXITED(r->wait_status))
			return err;
		err = tape_exchange_key(&run->exchange, &r->loaded);
		if (err)
			return err;
		r->due = false;
	}
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

/* With the key gone from the drive, whatever happened before. */
static int
job_volumes(struct tape_volumes *v, int err)
{
	char cause[CAUSE_ROOM];

	if (!err)
		return tape_volumes_end(v);
	snprintf(cause, sizeof(cause), "%s", kms_err_cause(err));
	int also = tape_volumes_end(v);
	return also ? kms_fail(err, "%s; and %s", cause, kms_err_cause(also))
		    : kms_fail(err, "%s", cause);
}

int
tape_job_run(const struct tape_job *job, struct tape_job_result *r)
{
	struct running run = {
	    .volumes = job->volumes,
	    .exchange = {.drive = job->drive,
		.next_key = job->next_key,
		.arg = job->arg},
	};

	memset(r, 0, sizeof(*r));
	int err = guard_begin(&run.guard);
	if (!err)
		err = job->load
		    ? tape_drive_load(job->drive, job->load, &r->loaded)
		    : tape_drive_bare(job->drive, &r->loaded);
	if (!err) {
		err = job_inside(job, &run, r);
		err = job_clear(job->drive, err);
		if (job->volumes && r->started)
			err = job_volumes(job->volumes, err);
	}
	tape_bell_close(&run.bell);
	guard_end(&run.guard);
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
