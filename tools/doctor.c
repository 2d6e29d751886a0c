#include "tools/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
doctor_say(struct doctor *d, enum doctor_level level, const char *check,
    const char *next, const char *fmt, ...)
{
	static const char *const name[] = {
	    [DOCTOR_OK] = "ok",
	    [DOCTOR_WARNING] = "warning",
	    [DOCTOR_PROBLEM] = "problem",
	};
	char text[700], line[1400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "%s%s%s", text, next != NULL ? "; " : "",
	    next != NULL ? next : "");
	d->warnings += level == DOCTOR_WARNING;
	d->problems += level == DOCTOR_PROBLEM;
	print_record(d->print);
	print_text(d->print, "status", "Status", name[level]);
	print_text(d->print, "check", "Check", check);
	print_text(d->print, "finding", NULL, text);
	print_text(d->print, "next", NULL, next);
	print_text(d->print, NULL, "Finding", line);
}

void
doctor_say_error(struct doctor *d, enum doctor_level level, const char *check,
    int r)
{
	char text[512];
	char *next;

	snprintf(text, sizeof(text), "%s", kms_err_cause(r));
	next = strstr(text, "; ");
	if (next != NULL) {
		*next = '\0';
		next += 2;
	}
	doctor_say(d, level, check, next, "%s", text);
	kms_err_clear();
}

uint64_t
doctor_days_since(int64_t us)
{
	int64_t age = kms_tx_now() - us;

	return age < 0 ? 0 : (uint64_t)age / 1000000 / 86400;
}

#define NAMED_MAX 5u

void
doctor_name(struct doctor_names *names, const char *name)
{
	size_t len = strlen(names->text), cap = sizeof(names->text);
	size_t tail = sizeof(", ... and 1000000 more");

	names->n++;
	if (names->named == NAMED_MAX)
		return;
	if (len + strlen(name) + tail < cap)
		snprintf(names->text + len, cap - len, "%s%s",
		    len > 0 ? ", " : "", name);
	else if (names->named == 0)
		snprintf(names->text, cap, "%.100s...", name);
	else
		return;
	names->named++;
}

const char *
doctor_names_text(struct doctor_names *names)
{
	size_t len = strlen(names->text);

	if (names->n > names->named)
		snprintf(names->text + len, sizeof(names->text) - len,
		    " and %zu more", names->n - names->named);
	return names->text;
}
