/*
 * Events, one line each, with a stable name: "event=token.login serial=…".
 * Not for errors that are returned. Any thread.
 */
#ifndef KMS_BASE_LOG_H
#define KMS_BASE_LOG_H

#include <stdbool.h>

#include "kms/base/err.h"

enum kms_log_level { KMS_LOG_ERROR, KMS_LOG_WARN, KMS_LOG_INFO, KMS_LOG_DEBUG };

/*
 * Where lines go: standard error up to the level most; syslog(3) up to INFO,
 * or most when that is more. Once, at start.
 */
void kms_log_open(const char *program, bool to_stderr, bool to_syslog,
    enum kms_log_level most);
/* Would a line of this level go anywhere? */
bool kms_log_wants(enum kms_log_level);

/*
 * event is a constant of the documented list; fmt gives key=value pairs.
 * Control characters in the text are replaced, so that no name can forge a
 * line. Never a secret.
 */
void kms_log(enum kms_log_level, const char *event, const char *fmt, ...)
    KMS_PRINTF(3, 4);

/* Text as a value that may hold anything: in quotes, its own quotes and
 * backslashes behind a backslash, cut to fit. Is out. */
#define KMS_LOG_QUOTED 280u /* room for a name */
const char *kms_log_quote(char *out, size_t cap, const char *text);

#endif
