#include "kms/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CAUSE_MAX 512u /* with the NUL */

struct cause {
	int code;
	const char *file;
	int line;
	char text[CAUSE_MAX];
};

static _Thread_local struct cause cause;

static const struct {
	const char *name, *text;
	int status;
} table[] = {{"OK", "no error", 0},
#define X(name, text, status) {#name, text, status},
    KMS_ERR_LIST(X)
#undef X
};

/* A code that is not ours is answered like INTERNAL. */
static size_t
index_of(int code)
{
	const int n = (int)(sizeof(table) / sizeof(table[0]));

	if (code > 0 || code <= -n)
		return KMS_ERR_INDEX_INTERNAL;
	return (size_t)-code;
}

/* A character that truncation cut in two is dropped. */
static size_t
whole_characters(const char *s, size_t n)
{
	size_t start = n, need;
	unsigned char c;

	while (start > 0 && ((unsigned char)s[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return n;
	c = (unsigned char)s[start - 1];
	need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	return need > n - (start - 1) ? start - 1 : n;
}

/*
 * text was formed aside, for its arguments may have pointed into the old
 * cause. Whoever prints a cause prints one line of it: no control character
 * may pass.
 */
static void
set(int code, const char *text)
{
	size_t i, n = strnlen(text, CAUSE_MAX - 1);
	unsigned char c;

	if (text[n] != '\0')
		n = whole_characters(text, n);
	for (i = 0; i < n; i++) {
		c = (unsigned char)text[i];
		cause.text[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
	}
	cause.text[n] = '\0';
	cause.code = code;
}

int
kms_fail_at(int code, const char *file, int line, const char *fmt, ...)
{
	char text[CAUSE_MAX + 4]; /* more than is kept, so that a cut shows */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	set(code, text);
	cause.file = file;
	cause.line = line;
	return code;
}

int
kms_fail_add(int code, const char *fmt, ...)
{
	char context[CAUSE_MAX], text[2 * CAUSE_MAX + 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s: %s", context,
	    cause.code != KMS_OK ? cause.text : kms_err_text(code));
	set(code, text);
	return code;
}

const char *
kms_err_cause(int code)
{
	if (code != KMS_OK && cause.code == code)
		return cause.text;
	return kms_err_text(code);
}

const char *
kms_err_where(void)
{
	static _Thread_local char where[160];

	if (cause.code == KMS_OK || cause.file == NULL)
		return "";
	snprintf(where, sizeof(where), "%s:%d", cause.file, cause.line);
	return where;
}

void
kms_err_clear(void)
{
	memset(&cause, 0, sizeof(cause));
}

const char *
kms_err_name(int code)
{
	return table[index_of(code)].name;
}

const char *
kms_err_text(int code)
{
	return table[index_of(code)].text;
}

int
kms_err_status(int code)
{
	return table[index_of(code)].status;
}
