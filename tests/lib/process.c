#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fixture_impl.h"

#define RUN_MS 60000u
#define STOP_MS 30000u
#define ACCEPTING 0x10000u /* in /proc/net/unix: listen(2) was called */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Milliseconds left, as poll(2) takes them. */
static int
left_ms(int64_t deadline)
{
	int64_t left = deadline - now_ms();

	return left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}

/* Are both "NAME=…" of one name? */
static bool
same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* Ours, with the command's on top. Freed by the fixture. */
static char **
environment(struct fx *fx, const char *const *more)
{
	size_t i, j, n = 0, m = 0, at = 0;
	const char **env;

	while (environ[n] != NULL)
		n++;
	while (more != NULL && more[m] != NULL)
		m++;
	env = fx_alloc(fx, (n + m + 1) * sizeof(*env));
	for (i = 0; i < n; i++) {
		for (j = 0; j < m && !same_name(more[j], environ[i]); j++)
			continue;
		if (j == m)
			env[at++] = environ[i];
	}
	for (j = 0; j < m; j++)
		env[at++] = more[j];
	return (char **)(uintptr_t)env;
}

/* fds: the child's standard input, output and error; -1: ours. */
static pid_t
spawn(struct fx *fx, const struct fx_cmd *cmd, const int fds[3])
{
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;
	int i, r;

	posix_spawn_file_actions_init(&act);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	for (i = 0; i < 3; i++)
		if (fds[i] >= 0)
			posix_spawn_file_actions_adddup2(&act, fds[i], i);
	r = posix_spawnp(&pid, cmd->argv[0], &act, &attr,
	    (char *const *)(uintptr_t)cmd->argv, environment(fx, cmd->env));
	posix_spawn_file_actions_destroy(&act);
	posix_spawnattr_destroy(&attr);
	errno = r;
	if (r != 0)
		fx_die("cannot start %s", cmd->argv[0]);
	return pid;
}

static int
reap(pid_t pid)
{
	int st;

	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			fx_die("waitpid %d", (int)pid);
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

/* Has it ended? It is not reaped. */
static bool
is_over(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0)
		fx_die("waitid %d", (int)pid);
	return info.si_pid == pid;
}

/* Waits for it, by SIGCHLD: valgrind knows no pidfd. It is not reaped. */
static bool
ended(pid_t pid, unsigned timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct timespec left;
	sigset_t child, was;
	int ms;
	bool over;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &was);
	while (!(over = is_over(pid)) && (ms = left_ms(deadline)) > 0) {
		left.tv_sec = ms / 1000;
		left.tv_nsec = ms % 1000 * 1000000L;
		(void)sigtimedwait(&child, NULL, &left);
	}
	sigprocmask(SIG_SETMASK, &was, NULL);
	return over;
}

/* A stream being read into memory of its own. */
struct stream {
	int fd; /* -1: ended */
	char *p;
	size_t len, cap;
};

static void
take(struct stream *s)
{
	ssize_t n;

	if (s->cap - s->len < 2) {
		s->cap = s->cap == 0 ? 4096 : s->cap * 2;
		s->p = realloc(s->p, s->cap);
		if (s->p == NULL)
			fx_die("out of memory");
	}
	n = read(s->fd, s->p + s->len, s->cap - s->len - 1);
	if (n > 0) {
		s->len += (size_t)n;
		return;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	close(s->fd);
	s->fd = -1;
}

static char *
keep(struct fx *fx, struct stream *s)
{
	char *p = fx_alloc(fx, s->len + 1);

	if (s->len > 0)
		memcpy(p, s->p, s->len);
	free(s->p);
	return p;
}

/* Gives some of the input; closes it when all is given or nobody reads. */
static void
give(int *fd, const char **in)
{
	size_t n = strlen(*in);
	ssize_t w = n > 0 ? write(*fd, *in, n) : 0;

	if (w < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (w > 0)
		*in += w;
	if (w >= 0 && **in != '\0')
		return;
	close(*fd);
	*fd = -1;
}

static void
make_pipe(int p[2], int ours)
{
	if (pipe2(p, O_CLOEXEC) != 0 ||
	    fcntl(p[ours], F_SETFL, O_NONBLOCK) != 0)
		fx_die("pipe");
}

/* Until both outputs have ended. False when the deadline came first. */
static bool
talk(int in_fd, const char *in, struct stream out[2], int64_t deadline)
{
	struct pollfd p[3];
	int left;

	while (out[0].fd >= 0 || out[1].fd >= 0) {
		p[0] = (struct pollfd){.fd = in_fd, .events = POLLOUT};
		p[1] = (struct pollfd){.fd = out[0].fd, .events = POLLIN};
		p[2] = (struct pollfd){.fd = out[1].fd, .events = POLLIN};
		left = left_ms(deadline);
		if (left == 0)
			break;
		if (poll(p, 3, left) <= 0)
			continue;
		if (in_fd >= 0 && p[0].revents != 0)
			give(&in_fd, &in);
		if (out[0].fd >= 0 && p[1].revents != 0)
			take(&out[0]);
		if (out[1].fd >= 0 && p[2].revents != 0)
			take(&out[1]);
	}
	if (in_fd >= 0)
		close(in_fd);
	return out[0].fd < 0 && out[1].fd < 0;
}

void
fx_run(struct fx *fx, const struct fx_cmd *cmd, struct fx_result *res)
{
	unsigned ms = cmd->timeout_ms != 0 ? cmd->timeout_ms : RUN_MS;
	int64_t deadline = now_ms() + ms;
	struct stream s[2] = {{.fd = -1}, {.fd = -1}};
	int in[2], out[2], err[2];
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	make_pipe(in, 1);
	make_pipe(out, 0);
	make_pipe(err, 0);
	pid = spawn(fx, cmd, (const int[]){in[0], out[1], err[1]});
	close(in[0]);
	close(out[1]);
	close(err[1]);
	s[0].fd = out[0];
	s[1].fd = err[0];
	if (!talk(in[1], cmd->in != NULL ? cmd->in : "", s, deadline) ||
	    !ended(pid, (unsigned)left_ms(deadline))) {
		kill(pid, SIGKILL);
		reap(pid);
		errno = ETIMEDOUT;
		fx_die("%s: still running after %u ms", cmd->argv[0], ms);
	}
	res->status = reap(pid);
	res->out_len = s[0].len;
	res->err_len = s[1].len;
	res->out = keep(fx, &s[0]);
	res->err = keep(fx, &s[1]);
}

pid_t
fx_start(struct fx *fx, const struct fx_cmd *cmd, const char *log)
{
	int in, out = -1;
	size_t i;
	pid_t pid;

	for (i = 0; i < FX_CHILDREN && fx->child[i] != 0; i++)
		continue;
	if (i == FX_CHILDREN)
		fx_die("over %u programs at once", FX_CHILDREN);
	in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (log != NULL) {
		out = open(fx_path(fx, "%s", log),
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (out < 0)
			fx_die("open %s", log);
	}
	pid = spawn(fx, cmd, (const int[]){in, out, out});
	close(in);
	if (out >= 0)
		close(out);
	fx->child[i] = pid;
	return pid;
}

int
fx_wait(struct fx *fx, pid_t pid, unsigned timeout_ms)
{
	size_t i;

	if (!ended(pid, timeout_ms))
		return -1;
	for (i = 0; i < FX_CHILDREN; i++)
		if (fx->child[i] == pid)
			fx->child[i] = 0;
	return reap(pid);
}

int
fx_stop(struct fx *fx, pid_t pid, int sig)
{
	int status;

	kill(pid, sig);
	status = fx_wait(fx, pid, STOP_MS);
	if (status < 0)
		fx_die("process %d does not end by signal %d", (int)pid, sig);
	return status;
}

void
fx_kill_all(struct fx *fx)
{
	size_t i;

	for (i = 0; i < FX_CHILDREN; i++) {
		if (fx->child[i] == 0)
			continue;
		kill(fx->child[i], SIGKILL);
		reap(fx->child[i]);
		fx->child[i] = 0;
	}
}

bool
fx_wait_file(const char *path, unsigned timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct pollfd p = {.events = POLLIN};
	char copy[PATH_MAX], events[1024];
	bool found;

	snprintf(copy, sizeof(copy), "%s", path);
	p.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (p.fd < 0 ||
	    inotify_add_watch(p.fd, dirname(copy), IN_CREATE | IN_MOVED_TO) < 0)
		fx_die("inotify %s", path);
	while (!(found = fx_exists(path)) && left_ms(deadline) > 0) {
		(void)poll(&p, 1, left_ms(deadline));
		(void)!read(p.fd, events, sizeof(events));
	}
	close(p.fd);
	return found;
}

/* Asks the kernel, not the program: a connection would be an event for it.
 * A line is "address: refs protocol flags type state inode path". */
static bool
listens(const char *path)
{
	char line[PATH_MAX + 128], *word, *rest, *flags;
	FILE *f = fopen("/proc/net/unix", "r");
	bool yes = false;
	int i;

	if (f == NULL)
		fx_die("/proc/net/unix");
	while (!yes && fgets(line, sizeof(line), f) != NULL) {
		flags = NULL;
		word = strtok_r(line, " \n", &rest);
		for (i = 0; word != NULL && i < 7; i++) {
			if (i == 3)
				flags = word;
			word = strtok_r(NULL, " \n", &rest);
		}
		yes = flags != NULL && word != NULL &&
		    (strtoul(flags, NULL, 16) & ACCEPTING) != 0 &&
		    strcmp(word, path) == 0;
	}
	fclose(f);
	return yes;
}

/* Between bind(2) and listen(2) there is nothing to wait on: look again. */
bool
fx_wait_socket(const char *path, unsigned timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;

	if (!fx_wait_file(path, timeout_ms))
		return false;
	while (!listens(path)) {
		if (left_ms(deadline) == 0)
			return false;
		(void)poll(NULL, 0, 1);
	}
	return true;
}
