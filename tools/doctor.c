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

void
doctor_name(struct doctor_names *names, const char *name)
{
	size_t len = strlen(names->text);
	size_t room = sizeof(names->text) - len - sizeof(" and 1000000 more");

	if (strlen(name) + 2 < room && names->n < 5)
		snprintf(names->text + len, sizeof(names->text) - len, "%s%s",
		    len > 0 ? ", " : "", name);
	else if (names->n == 0)
		snprintf(names->text, sizeof(names->text), "%.100s...", name);
	names->n++;
}

/* How many of them the text names: one more than it has commas between. */
const char *
doctor_names_text(struct doctor_names *names)
{
	size_t len = strlen(names->text), named = names->n < 5 ? names->n : 5;

	if (names->n > named)
		snprintf(names->text + len, sizeof(names->text) - len,
		    " and %zu more", names->n - named);
	return names->text;
}
