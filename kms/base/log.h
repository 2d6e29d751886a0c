/*
 * Events, one line each, with a stable name: "event=token.login serial=…".
 * Not for errors that are returned. Any thread.
 */
#ifndef KMS_BASE_LOG_H
#define KMS_BASE_LOG_H

#include <stdbool.h>

#include "kms/base/err.h"

enum kms_log_level { KMS_LOG_ERROR, KMS_LOG_WARN, KMS_LOG_INFO, KMS_LOG_DEBUG };

/* Where lines go: standard error, syslog(3), or both. Once, at start. */
void kms_log_open(const char *program, bool to_stderr, bool to_syslog,
    enum kms_log_level most);

/*
 * event is a constant of the documented list; fmt gives key=value pairs.
 * Control characters in the text are replaced, so that no name can forge a
 * line. Never a secret.
 */
void kms_log(enum kms_log_level, const char *event, const char *fmt, ...)
    KMS_PRINTF(3, 4);

#endif
