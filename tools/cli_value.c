#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli.h"

int
cli_number(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	*out = 0;
	errno = 0;
	if (s[0] >= '0' && s[0] <= '9')
		*out = strtoull(s, &end, 10);
	else
		end = NULL;
	if (end == NULL || *end != '\0' || errno != 0 || *out < min ||
	    *out > max)
		return kms_fail(KMS_ERR_USAGE,
		    "'%s' is not a number from %llu to %llu", s,
		    (unsigned long long)min, (unsigned long long)max);
	return 0;
}

/* Seconds in the unit that ends the text; 0 when it has none. */
static uint64_t
unit_of(const char *s, size_t len)
{
	switch (len > 1 ? s[len - 1] : '\0') {
	case 'd':
		return 86400;
	case 'h':
		return 3600;
	case 'm':
		return 60;
	case 's':
		return 1;
	default:
		return 0;
	}
}

int
cli_duration(const char *s, uint64_t *seconds)
{
	char digits[10] = "";
	size_t len = strlen(s);
	uint64_t unit = unit_of(s, len), n = 0;

	*seconds = 0;
	if (unit != 0 && len <= sizeof(digits))
		memcpy(digits, s, len - 1);
	if (digits[0] == '\0' || cli_number(digits, 0, UINT32_MAX, &n) != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "'%s' is not a time such as 90d, 12h, 30m or 30s", s);
	*seconds = n * unit;
	return 0;
}

/* The whole text by that format, in UTC. */
static bool
by_format(const char *s, const char *format, int64_t *us)
{
	struct tm tm = {0};
	const char *end = strptime(s, format, &tm);

	if (end == NULL || *end != '\0')
		return false;
	*us = (int64_t)timegm(&tm) * 1000000;
	return true;
}

int
cli_time(const char *s, int64_t *us)
{
	uint64_t ago;

	if (by_format(s, "%Y-%m-%dT%H:%M:%SZ", us) ||
	    by_format(s, "%Y-%m-%d", us))
		return 0;
	if (cli_duration(s, &ago) != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "'%s' is not a time such as 2026-11-24T10:00:00Z, "
		    "2026-11-24, or 12h (ago)",
		    s);
	*us = ((int64_t)time(NULL) - (int64_t)ago) * 1000000;
	return 0;
}
