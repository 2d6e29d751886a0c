#include "kms/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024u

/* Written once by kms_log_open before there are threads, then only read. */
static struct {
	char program[64];
	bool to_stderr, to_syslog;
	enum kms_log_level most, syslog_most;
} sink = {.to_stderr = true, .most = KMS_LOG_WARN};

static const struct {
	const char *name;
	int priority;
} levels[] = {
    [KMS_LOG_ERROR] = {"error", LOG_ERR},
    [KMS_LOG_WARN] = {"warning", LOG_WARNING},
    [KMS_LOG_INFO] = {"info", LOG_INFO},
    [KMS_LOG_DEBUG] = {"debug", LOG_DEBUG},
};

void
kms_log_open(const char *program, bool to_stderr, bool to_syslog,
    enum kms_log_level most)
{
	snprintf(sink.program, sizeof(sink.program), "%s", program);
	sink.to_stderr = to_stderr;
	sink.to_syslog = to_syslog;
	sink.most = most;
	sink.syslog_most = most > KMS_LOG_INFO ? most : KMS_LOG_INFO;
	if (to_syslog)
		openlog(sink.program, LOG_PID, LOG_DAEMON);
}

static void
clean(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* One write(2), so that lines of several threads are not mixed. A log that
 * cannot be written has nobody to be told. */
static void
put_stderr(enum kms_log_level level, const char *text)
{
	char line[LINE_MAX_LEN + 128];
	ssize_t w;
	int n;

	n = snprintf(line, sizeof(line), "%s%s%s: %s\n", sink.program,
	    sink.program[0] != '\0' ? ": " : "", levels[level].name, text);
	if (n < 0)
		return;
	do
		w = write(STDERR_FILENO, line, strlen(line));
	while (w < 0 && errno == EINTR);
}

static bool
wants_stderr(enum kms_log_level level)
{
	return sink.to_stderr && level <= sink.most;
}

static bool
wants_syslog(enum kms_log_level level)
{
	return sink.to_syslog && level <= sink.syslog_most;
}

bool
kms_log_wants(enum kms_log_level level)
{
	return wants_stderr(level) || wants_syslog(level);
}

const char *
kms_log_quote(char *out, size_t cap, const char *text)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *text != '\0' && n + 3 < cap; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}

void
kms_log(enum kms_log_level level, const char *event, const char *fmt, ...)
{
	int saved = errno, n;
	char text[LINE_MAX_LEN];
	va_list ap;

	if (!kms_log_wants(level))
		return;
	n = snprintf(text, sizeof(text), "event=%s ", event);
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	clean(text);
	if (wants_stderr(level))
		put_stderr(level, text);
	if (wants_syslog(level))
		syslog(levels[level].priority, "%s", text);
	errno = saved;
}
