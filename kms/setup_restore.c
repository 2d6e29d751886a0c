/* A copy of a store put in the place of one that is gone. */
#include <errno.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kms/backup_files.h"
#include "kms/base/file.h"
#include "kms/base/log.h"
#include "kms/setup_impl.h"
#include "kms/verify.h"

#define PATH_TEXT 1024u /* rows take half of that */

struct restore {
	const struct kms_store_options *options;
	const char *from;
	char part[PATH_TEXT], log[PATH_TEXT], from_log[PATH_TEXT];
	char lock[PATH_TEXT];
	int lock_fd;
	struct kms_setup_bound *bound;
};

static int
check_request(struct restore *z, const char *reason)
{
	int r;

	if (reason == NULL || reason[0] == '\0')
		return kms_fail(KMS_ERR_USAGE, "a reason is needed: -reason T");
	if (access(z->options->path, F_OK) == 0)
		return kms_fail(KMS_ERR_EXISTS,
		    "%s: a store is there, and is not touched; move it away "
		    "first",
		    z->options->path);
	if (snprintf(z->part, sizeof(z->part), "%s.restore",
		z->options->path) >= (int)sizeof(z->part))
		return kms_fail(KMS_ERR_LIMIT, "path is too long");
	r = kms_file_check_dir(z->options->path, true);
	if (r == 0)
		r = kms_store_log_path(z->options->path, z->log,
		    sizeof(z->log));
	if (r == 0)
		r = kms_store_log_path(z->from, z->from_log,
		    sizeof(z->from_log));
	return r;
}

/* The token's word on every key of the copy, if it has the master keys. */
static int
verify(struct restore *z, bool *keys)
{
	struct kms_store_options copy = *z->options;
	struct kms_verify_report report;
	struct kms_store *s = NULL;
	int r;

	*keys = false;
	copy.path = z->from;
	copy.readonly = true;
	r = kms_store_open(&copy, &s);
	if (r == 0)
		r = kms_verify(s, &report, NULL, NULL);
	kms_store_close(&s);
	if (r == 0)
		*keys = true;
	if (r != KMS_ERR_TOKEN && r != KMS_ERR_MASTER)
		return r;
	snprintf(z->bound->missing, sizeof(z->bound->missing), "%s",
	    kms_err_cause(r));
	kms_err_clear();
	return 0;
}

static int
copy_store(struct restore *z)
{
	const struct kms_rows_options options = {.path = z->from,
	    .readonly = true,
	    .wait_ms = z->options->wait_ms};
	struct kms_rows *rows = NULL;
	int r;

	/* Left by a killed restore: never a finished one. */
	r = kms_rows_remove(z->part);
	if (r == 0)
		r = kms_rows_open(&options, &rows);
	if (r == 0)
		r = kms_rows_copy(rows, z->part);
	kms_rows_close(&rows);
	return r;
}

/* The log of the copy, if it has one; under a name of its own first, for a
 * torn one must never be taken for the store's. */
static int
install_log(struct restore *z)
{
	char part[PATH_TEXT];
	int r;

	r = kms_store_log_path(z->part, part, sizeof(part));
	if (r == 0)
		r = kms_file_remove(part); /* left by a killed restore */
	if (r == 0)
		r = kms_backup_copy_log(z->from_log, z->part);
	if (r == 0 && rename(part, z->log) != 0 && errno != ENOENT)
		r = kms_fail(KMS_ERR_IO, "%s: %s", z->log, strerror(errno));
	return r;
}

/* A log that is still here knows more than the copy's: it stays. */
static int
install(struct restore *z)
{
	int r = 0;

	if (access(z->log, F_OK) != 0)
		r = install_log(z);
	return r == 0 ? kms_rows_install(z->part, z->options->path) : r;
}

/* Binds the store as it lies; false in *bound when its history has to be
 * accepted first. */
static int
bind(struct restore *z, const struct kms_actor *actor,
    const struct kms_step *step, bool *bound)
{
	struct kms_store *s = NULL;
	int r;

	r = kms_store_open_any(z->options, &s);
	*bound = r == 0 &&
	    (s->verdict == KMS_ANCHOR_EQUAL || s->verdict == KMS_ANCHOR_HEALS ||
		s->verdict == KMS_ANCHOR_ABSENT);
	if (*bound &&
	    (step->event != KMS_EVENT_STORE_REBIND || !kms_setup_is_bound(s)))
		r = kms_setup_bind(s, actor, step);
	kms_store_close(&s);
	return r;
}

static int
begin_lineage(struct restore *z, const struct kms_actor *actor,
    const char *reason)
{
	struct kms_store *s = NULL;
	struct kms_tx *tx = NULL;
	int r;

	r = kms_store_open_any(z->options, &s);
	if (r == 0)
		r = kms_tx_begin_quiesced(s, actor, &tx);
	if (r == 0)
		r = kms_setup_new_lineage(tx, KMS_EVENT_STORE_RESTORE, reason);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	kms_store_close(&s);
	return r;
}

/* A copy older than the move to this token has the one before in its
 * header. */
static int
accept(struct restore *z, const struct kms_actor *actor, const char *reason)
{
	struct kms_step step = {.event = KMS_EVENT_STORE_RESTORE,
	    .reason = reason};
	bool bound;
	int r;

	r = bind(z, actor, &step, &bound);
	if (r != 0 || bound)
		return r;
	r = begin_lineage(z, actor, reason);
	step.event = KMS_EVENT_STORE_REBIND;
	return r == 0 ? bind(z, actor, &step, &bound) : r;
}

/* Two at once would put one file together under one name. */
static int
lock(struct restore *z)
{
	int r;

	if (snprintf(z->lock, sizeof(z->lock), "%s.lock", z->part) >=
	    (int)sizeof(z->lock))
		return kms_fail(KMS_ERR_LIMIT, "path is too long");
	r = kms_file_lock(z->lock, 0, &z->lock_fd);
	if (r != KMS_ERR_BUSY)
		return r;
	return kms_fail(KMS_ERR_BUSY,
	    "%s: another process restores it; wait for its end",
	    z->options->path);
}

static void
unlock(struct restore *z)
{
	if (z->lock_fd >= 0)
		(void)unlink(z->lock);
	kms_file_unlock(&z->lock_fd);
}

/* Verified, and in its place. */
static int
put_in_place(struct restore *z, const char *reason, bool *keys)
{
	int r;

	r = check_request(z, reason);
	if (r == 0)
		r = lock(z);
	if (r == 0)
		r = check_request(z, reason); /* another may have been done */
	if (r == 0)
		r = verify(z, keys);
	if (r == 0)
		r = copy_store(z);
	if (r == 0)
		r = install(z);
	unlock(z);
	return r;
}

int
kms_setup_restore(const struct kms_store_options *options,
    const struct kms_actor *actor, const char *from, const char *reason,
    struct kms_setup_bound *bound)
{
	struct restore z = {.options = options,
	    .from = from,
	    .lock_fd = -1,
	    .bound = bound};
	bool keys;
	int r;

	memset(bound, 0, sizeof(*bound));
	r = put_in_place(&z, reason, &keys);
	if (r != 0)
		return r;
	kms_log(KMS_LOG_INFO, "store.installed", "path=%s from=%s keys=%u",
	    options->path, from, keys);
	if (!keys)
		return 0;
	r = accept(&z, actor, reason);
	bound->complete = r == 0;
	return r == 0 ? 0
		      : kms_fail_add(r,
			    "%s is in its place, but not accepted; mend this, "
			    "then p11kms -acceptrestore -reason T",
			    options->path);
}
