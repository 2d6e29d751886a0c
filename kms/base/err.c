#include "kms/base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CAUSE_MAX 512u /* with the NUL */

struct cause {
	int code;
	const char *file;
	int line;
	bool bare; /* context without a cause: the code's text goes behind it */
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
set_text(const char *text)
{
	size_t i, n = strnlen(text, CAUSE_MAX - 1);
	unsigned char c;

	if (text[n] != '\0')
		n = whole_characters(text, n);
	for (i = 0; i < n; i++) {
		c = (unsigned char)text[i];
		cause.text[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	cause.text[n] = '\0';
}

void
kms_err_record(const char *file, int line, const char *fmt, ...)
{
	char text[CAUSE_MAX + 4]; /* more than is kept, so that a cut shows */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	set_text(text);
	cause.file = file;
	cause.line = line;
	cause.bare = false;
}

void
kms_err_context(const char *fmt, ...)
{
	char context[CAUSE_MAX], text[2 * CAUSE_MAX + 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	cause.bare = cause.code == KMS_OK;
	snprintf(text, sizeof(text), "%s: %s", context,
	    cause.bare ? "" : cause.text);
	set_text(text);
}

void
kms_err_set(int code)
{
	char text[2 * CAUSE_MAX];

	if (cause.bare) {
		snprintf(text, sizeof(text), "%s%s", cause.text,
		    kms_err_text(code));
		set_text(text);
		cause.bare = false;
	}
	cause.code = code;
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
