#include "kms/logbook.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kms/base/file.h"
#include "kms/base/log.h"

static struct kms_release_log_options
options_of(const struct kms_store *s)
{
	return (struct kms_release_log_options){
	    .path = s->log_path,
	    .uuid = s->header->uuid,
	    .key = s->root.log_key,
	    .readonly = s->readonly,
	    .wait_ms = s->wait_ms,
	};
}

static int
judge(const struct kms_store *s, const struct kms_release_log_report *report)
{
	switch (report->state) {
	case KMS_RELEASE_LOG_COMPLETE:
	case KMS_RELEASE_LOG_TORN:
		return 0;
	case KMS_RELEASE_LOG_SHORT:
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: release log ends at record %llu, before what the "
		    "store knows of it: it was cut; see p11kmsutil -audit "
		    "-verify",
		    s->log_path, (unsigned long long)report->seq);
	case KMS_RELEASE_LOG_DAMAGED:
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: release log: record %llu does not verify; see "
		    "p11kmsutil -audit -verify",
		    s->log_path, (unsigned long long)report->bad_seq);
	case KMS_RELEASE_LOG_OTHER:
		break;
	}
	return kms_fail(KMS_ERR_DAMAGED,
	    "%s: not the release log that the store names; put the right one "
	    "back, or see p11kmsutil -audit -verify",
	    s->log_path);
}

/* known: how far it had come. */
static int
open_log(struct kms_store *s, const struct kms_log_head *known)
{
	const struct kms_release_log_options options = options_of(s);
	struct kms_release_log_report report = {0};
	int r;

	r = kms_release_log_open(&options, known, &s->log, &report);
	if (r == 0)
		r = judge(s, &report);
	if (r != 0)
		kms_release_log_close(&s->log);
	return r;
}

int
kms_logbook_get(struct kms_store *s, struct kms_release_log **log)
{
	int r = 0;

	pthread_mutex_lock(&s->log_lock);
	if (s->log == NULL)
		r = open_log(s, &s->root.log);
	*log = s->log;
	pthread_mutex_unlock(&s->log_lock);
	return r;
}

int
kms_logbook_reader(struct kms_store *s, struct kms_release_log **log,
    struct kms_release_log_report *report)
{
	struct kms_release_log_options options = options_of(s);

	options.readonly = true;
	return kms_release_log_open(&options, &s->root.log, log, report);
}

void
kms_logbook_doubt(struct kms_store *s)
{
	pthread_mutex_lock(&s->log_lock);
	s->log_doubted = true;
	pthread_mutex_unlock(&s->log_lock);
}

/* The store is the caller's alone. A log that was doubted has to hold what
 * this process saw in it, which may be more than the root knows of. */
int
kms_logbook_head(struct kms_store *s, struct kms_log_head *head)
{
	struct kms_release_log *log;
	int r = 0;

	if (s->log_doubted && s->log != NULL) {
		kms_release_log_last(s->log, head);
		kms_release_log_close(&s->log);
		r = open_log(s, head);
	}
	s->log_doubted = false;
	if (r == 0)
		r = kms_logbook_get(s, &log);
	if (r != 0)
		return r;
	r = kms_release_log_head(log, head);
	if (r == KMS_ERR_DAMAGED)
		kms_release_log_last(log, head);
	return r;
}

/* PATH.log.lost-GENERATION, or with a number where that is taken. */
static int
set_aside(const struct kms_store *s)
{
	char aside[PATH_MAX];
	unsigned i;
	int n;

	for (i = 0; i < 1000; i++) {
		n = snprintf(aside, sizeof(aside), "%s.lost-%llu.%u",
		    s->log_path, (unsigned long long)s->root.generation, i);
		if (n < 0 || (size_t)n >= sizeof(aside))
			return kms_fail(KMS_ERR_LIMIT, "path too long");
		if (link(s->log_path, aside) == 0 || errno == ENOENT)
			return kms_file_remove(s->log_path);
		if (errno != EEXIST)
			break;
	}
	return kms_fail(KMS_ERR_IO, "%s: cannot be set aside: %s", s->log_path,
	    strerror(errno));
}

int
kms_logbook_restart(struct kms_store *s, struct kms_log_head *head)
{
	const struct kms_release_log_options options = options_of(s);
	int r;

	kms_release_log_close(&s->log);
	r = set_aside(s);
	if (r == 0)
		r = kms_release_log_create(&options, &s->log);
	if (r == 0)
		r = kms_release_log_head(s->log, head);
	if (r == 0)
		kms_log(KMS_LOG_WARN, "log.restart", "path=%s generation=%llu",
		    s->log_path, (unsigned long long)s->root.generation);
	else
		kms_release_log_close(&s->log);
	return r;
}
