#include "tools/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "kms/derive.h"
#include "kms/policy.h"

/* Room for the longest phrase, CRLF, and one byte that shows it is longer. */
#define LINE_MAX_BYTES (KMS_PHRASE_MAX + 3u)

struct prompt {
	int in, out; /* out: -1 where nobody looks */
	bool owned;  /* in is ours to close */
};

int
prompt_open(struct prompt **out)
{
	struct prompt *p = calloc(1, sizeof(*p));

	*out = NULL;
	if (p == NULL)
		return kms_fail(KMS_ERR_MEMORY, "prompt: %s", strerror(errno));
	p->in = STDIN_FILENO;
	p->out = -1;
	if (isatty(STDIN_FILENO)) {
		p->in = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
		p->owned = p->in >= 0;
		if (!p->owned)
			p->in = STDIN_FILENO;
		p->out = p->owned ? p->in : STDERR_FILENO;
	}
	*out = p;
	return 0;
}

void
prompt_close(struct prompt **pp)
{
	if (pp == NULL || *pp == NULL)
		return;
	if ((*pp)->owned)
		close((*pp)->in);
	free(*pp);
	*pp = NULL;
}

static void
say(const struct prompt *p, const char *what, const char *tail)
{
	if (p->out >= 0)
		dprintf(p->out, "%s%s", what, tail);
}

/*
 * The terminal with echo off. Signals that would leave it so are held back
 * while it is: they show on sigfd, unread, and are let through once the
 * terminal is as it was.
 */
struct quiet {
	bool on;
	struct termios before;
	sigset_t mask;
	int sigfd;
};

static int
quiet_begin(const struct prompt *p, struct quiet *q)
{
	static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	struct termios t;
	sigset_t set;
	size_t i;

	memset(q, 0, sizeof(*q));
	q->sigfd = -1;
	if (p->out < 0 || tcgetattr(p->in, &q->before) != 0)
		return 0;
	sigemptyset(&set);
	for (i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigaddset(&set, held[i]);
	q->sigfd = signalfd(-1, &set, SFD_CLOEXEC);
	if (q->sigfd < 0)
		return kms_fail(KMS_ERR_IO, "signalfd: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &set, &q->mask);
	t = q->before;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	t.c_lflag |= ECHONL;
	q->on = true;
	(void)tcsetattr(p->in, TCSAFLUSH, &t);
	return 0;
}

static void
quiet_end(const struct prompt *p, struct quiet *q)
{
	if (!q->on)
		return;
	(void)tcsetattr(p->in, TCSAFLUSH, &q->before);
	close(q->sigfd);
	sigprocmask(SIG_SETMASK, &q->mask, NULL);
	q->on = false;
}

/* 1: a byte can be read; 0: a held signal waits; negative: an error. */
static int
wait_input(const struct prompt *p, const struct quiet *q)
{
	struct pollfd fd[2] = {
	    {.fd = p->in, .events = POLLIN},
	    {.fd = q->on ? q->sigfd : -1, .events = POLLIN},
	};

	while (poll(fd, 2, -1) < 0)
		if (errno != EINTR)
			return kms_fail(KMS_ERR_IO, "standard input: %s",
			    strerror(errno));
	return fd[1].revents == 0;
}

/*
 * One line, byte by byte, so that nothing of the next one is taken. Returns
 * 1 when a held signal came instead.
 */
static int
read_bytes(const struct prompt *p, const struct quiet *q, const char *what,
    struct kms_secret *line, size_t *len)
{
	uint8_t *to = kms_secret_fill(line);
	ssize_t n;
	int r;

	*len = 0;
	for (;;) {
		r = wait_input(p, q);
		if (r <= 0)
			return r == 0 ? 1 : r;
		n = read(p->in, to + *len, 1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return kms_fail(KMS_ERR_IO, "standard input: %s",
			    strerror(errno));
		if (n == 0 && *len == 0)
			return kms_fail(KMS_ERR_USAGE,
			    "standard input ended where the %s was expected",
			    what);
		if (n == 0 || to[*len] == '\n')
			return 0;
		if (++*len == LINE_MAX_BYTES)
			return kms_fail(KMS_ERR_PHRASE,
			    "%s: the line is too long", what);
	}
}

/* Asks until a line came: after a stop and a continue it asks again. */
static int
read_line(struct prompt *p, const char *what, bool echo,
    struct kms_secret **out)
{
	struct kms_secret *line = NULL;
	struct quiet q = {.sigfd = -1};
	size_t len = 0;
	int r;

	*out = NULL;
	r = kms_secret_new(LINE_MAX_BYTES, &line);
	if (r != 0)
		return r;
	do {
		r = echo ? 0 : quiet_begin(p, &q);
		if (r == 0) {
			say(p, what, ": ");
			r = read_bytes(p, &q, what, line, &len);
		}
		quiet_end(p, &q);
	} while (r == 1);
	if (r == 0 && len > 0 && kms_secret_bytes(line)[len - 1] == '\r')
		len--;
	if (r == 0)
		r = kms_secret_truncate(line, len);
	if (r == 0)
		*out = kms_secret_take(&line);
	kms_secret_free(&line);
	return r;
}

int
prompt_line(struct prompt *p, const char *what, char *out, size_t cap)
{
	struct kms_secret *line = NULL;
	size_t len;
	int r;

	out[0] = '\0';
	r = read_line(p, what, true, &line);
	if (r != 0)
		return r;
	len = kms_secret_len(line);
	if (len >= cap)
		r = kms_fail(KMS_ERR_USAGE, "%s: longer than %zu bytes", what,
		    cap - 1);
	else if (memchr(kms_secret_bytes(line), '\0', len) != NULL)
		r = kms_fail(KMS_ERR_USAGE, "%s: not text", what);
	if (r == 0) {
		memcpy(out, kms_secret_bytes(line), len);
		out[len] = '\0';
	}
	kms_secret_free(&line);
	return r;
}

int
prompt_secret(struct prompt *p, const char *what, struct kms_secret **out)
{
	return read_line(p, what, false, out);
}

bool
prompt_is_terminal(const struct prompt *p)
{
	return p->out >= 0;
}

/* One phrase, or one part of it; NULL when it may be and is empty. */
static int
ask_one(struct prompt *p, const struct prompt_ask *ask, const char *what,
    struct kms_secret **out)
{
	struct kms_secret *phrase = NULL, *again = NULL;
	char repeat[128];
	int r;

	r = read_line(p, what, false, &phrase);
	if (r != 0)
		goto out;
	if (ask->twice) {
		snprintf(repeat, sizeof(repeat), "%s, again", what);
		r = read_line(p, repeat, false, &again);
		if (r != 0)
			goto out;
		if (!kms_secret_equal(phrase, again)) {
			r = kms_fail(KMS_ERR_PHRASE,
			    "%s: the repeat is not the same; type it again",
			    what);
			goto out;
		}
	}
	if (kms_secret_len(phrase) == 0 && ask->may_be_empty &&
	    ask->components == 0)
		goto out;
	r = kms_phrase_check(phrase, ask->min);
	if (r != 0) {
		kms_fail_add(r, "%s", what);
		goto out;
	}
	*out = kms_secret_take(&phrase);
out:
	kms_secret_free(&again);
	kms_secret_free(&phrase);
	return r;
}

static int
ask_parts(struct prompt *p, const struct prompt_ask *ask,
    struct kms_secret **out)
{
	struct kms_secret *part[PROMPT_PARTS_MAX] = {NULL};
	char what[100];
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < ask->components; i++) {
		snprintf(what, sizeof(what), "%s, part %u of %u", ask->what,
		    i + 1, ask->components);
		r = ask_one(p, ask, what, &part[i]);
	}
	if (r == 0)
		r = kms_phrase_join(part, ask->components, out);
	for (i = 0; i < PROMPT_PARTS_MAX; i++)
		kms_secret_free(&part[i]);
	return r;
}

int
prompt_phrase(struct prompt *p, const struct prompt_ask *ask,
    struct kms_secret **out)
{
	*out = NULL;
	if (ask->components > PROMPT_PARTS_MAX)
		return kms_fail(KMS_ERR_LIMIT, "at most %u parts",
		    PROMPT_PARTS_MAX);
	return ask->components > 0 ? ask_parts(p, ask, out)
				   : ask_one(p, ask, ask->what, out);
}

int
prompt_phrase_alone(const struct prompt_ask *ask, struct kms_secret **out)
{
	struct prompt *p = NULL;
	int r;

	*out = NULL;
	r = prompt_open(&p);
	if (r == 0)
		r = prompt_phrase(p, ask, out);
	prompt_close(&p);
	return r;
}
