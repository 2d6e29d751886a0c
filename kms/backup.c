#include "kms/backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/backup_files.h"
#include "kms/base/file.h"
#include "kms/directory.h"
#include "kms/store_impl.h"
#include "kms/sync.h"

#define PATH_TEXT 1200u       /* KMS_TEXT_MAX, and a suffix */
#define PASSED_OVER_MAX 1000u /* names that are taken */

struct backing {
	struct kms_store *s;
	const struct kms_backup_options *options;
	struct kms_backup *b;
	char part[PATH_TEXT], lock[PATH_TEXT];
	int lock_fd;
};

/* Puts a FACT row; the encoding is borrowed. */
static int
put_fact(struct kms_tx *tx, enum kms_fact_type type, const struct kms_wr *wr)
{
	struct kms_record record = {.kind = KMS_KIND_FACT,
	    .u.fact = {.type = (uint16_t)type, .bytes = wr->p, .len = wr->len}};

	return kms_tx_put(tx, &record);
}

/* A change that is refused must be refused before the copying. */
static int
check_changes(struct kms_store *s, const struct kms_actor *actor)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_tx_may(tx, KMS_EVENT_BACKUP, NULL);
	kms_tx_abort(&tx);
	return r;
}

static int
choose_path(struct backing *k)
{
	const char *dir = k->s->policy.backup_path, *path = k->options->path;
	char uuid[37], own[PATH_TEXT];
	int n, r;

	if (path == NULL && dir == NULL)
		return kms_fail(KMS_ERR_USAGE,
		    "no place for the backup: give -path F, or set path in "
		    "[backup]");
	kms_uuid_text(k->s->header->uuid, uuid);
	n = snprintf(own, sizeof(own), "%s/%s-%llu.db", dir != NULL ? dir : "",
	    uuid, (unsigned long long)k->b->generation);
	if (path == NULL && (n < 0 || (size_t)n >= sizeof(own)))
		return kms_fail(KMS_ERR_LIMIT,
		    "[backup] path is too long; name a shorter one");
	r = kms_backup_place(path != NULL ? path : own, k->b->path,
	    sizeof(k->b->path));
	if (r == 0)
		snprintf(k->part, sizeof(k->part), "%s.part", k->b->path);
	return r;
}

static int
copy_in_view(struct backing *k)
{
	const struct kms_header_slot *hmk, *kpk;
	struct kms_store *s = k->s;
	int r;

	hmk = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	kpk = kms_header_find(s->header, KMS_ROLE_KPK, KMS_SLOT_CURRENT);
	if (hmk == NULL || kpk == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "backup: no current slots");
	k->b->hmk = hmk->slot.no;
	k->b->kpk = kpk->slot.no;
	k->b->generation = s->root.generation;
	k->b->next_id = s->root.next_id;
	r = choose_path(k);
	if (r != 0)
		return r;
	/* Left by a killed backup: never a finished one. */
	if (unlink(k->part) != 0 && errno != ENOENT)
		return kms_fail(KMS_ERR_IO, "%s: %s", k->part, strerror(errno));
	pthread_mutex_lock(&s->io);
	r = kms_rows_copy(s->rows, k->part);
	pthread_mutex_unlock(&s->io);
	return r;
}

static int
copy_once(struct backing *k)
{
	int r;

	r = kms_sync_enter(k->s, true);
	if (r != 0)
		return r;
	r = copy_in_view(k);
	kms_sync_leave(k->s, true);
	return r;
}

/* A change, for the next generation's name. */
static int
pass_over(struct backing *k, const struct kms_actor *actor)
{
	char reason[KMS_TEXT_MAX + 1];
	const struct kms_step step = {.event = KMS_EVENT_BACKUP,
	    .alone = true,
	    .reason = reason};
	struct kms_tx *tx = NULL;
	int r;

	snprintf(reason, sizeof(reason), "none made: a file lies at %.900s",
	    k->b->path);
	r = kms_tx_begin(k->s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

/* Under a name of ours there may lie what a run left that was killed before
 * it was recorded, or a backup of a history that was given up by restoring an
 * older store: never written over, nor a reason to go without a backup. */
static int
copy(struct backing *k, const struct kms_actor *actor)
{
	unsigned i;
	int r;

	r = copy_once(k);
	if (k->options->path != NULL)
		return r;
	for (i = 0; i < PASSED_OVER_MAX && r == KMS_ERR_EXISTS; i++) {
		r = pass_over(k, actor);
		if (r == 0)
			r = copy_once(k);
	}
	return r;
}

/* What counts is what the copy gives back, read through a connection of its
 * own, with the token. */
static int
verify(struct backing *k, struct kms_verify_report *report)
{
	const struct kms_store_options options = {.path = k->part,
	    .sealer = k->s->sealer,
	    .policy = k->s->policy,
	    .wait_ms = k->s->wait_ms,
	    .readonly = true};
	struct kms_store *again = NULL;
	int r;

	r = kms_store_open(&options, &again);
	if (r == 0)
		r = kms_verify(again, report, k->options->progress,
		    k->options->arg);
	if (r == 0 && report->generation != k->b->generation)
		r = kms_fail(KMS_ERR_DAMAGED,
		    "%s: generation %llu where %llu was copied", k->part,
		    (unsigned long long)report->generation,
		    (unsigned long long)k->b->generation);
	kms_store_close(&again);
	return r;
}

static int
finish(struct backing *k)
{
	struct stat st;
	int r;

	r = kms_rows_install(k->part, k->b->path);
	if (r != 0)
		return r;
	r = kms_backup_copy_log(k->s->log_path, k->b->path);
	if (r != 0) {
		/* It counts for nothing, and the disk is full by now. */
		(void)unlink(k->b->path);
		return r;
	}
	if (stat(k->b->path, &st) != 0)
		return kms_fail(KMS_ERR_IO, "%s: %s", k->b->path,
		    strerror(errno));
	k->b->other_device = st.st_dev != k->s->dev;
	return 0;
}

static int
record(struct backing *k, const struct kms_actor *actor)
{
	const struct kms_step step = {.event = KMS_EVENT_BACKUP,
	    .subject = NULL,
	    .reason = k->b->path};
	struct kms_tx *tx = NULL;
	struct kms_wr wr;
	int r;

	kms_wr_grow(&wr, KMS_FACT_MAX);
	r = kms_tx_begin(k->s, actor, KMS_WRITE, &tx);
	if (r == 0) {
		k->b->time = kms_tx_time(tx);
		r = kms_backup_encode(k->b, &wr);
	}
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = put_fact(tx, KMS_FACT_BACKUP, &wr);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	kms_wr_free(&wr);
	if (r == 0)
		return 0;
	return kms_fail_add(r,
	    "%s is whole, but could not be recorded and so does not count",
	    k->b->path);
}

static int
make_locked(struct backing *k, const struct kms_actor *actor,
    struct kms_verify_report *report)
{
	int r;

	r = copy(k, actor);
	if (r != 0)
		return r;
	r = verify(k, report);
	if (r == 0)
		r = finish(k);
	if (r != 0) {
		(void)unlink(k->part);
		return r;
	}
	return record(k, actor);
}

/* Two at once would make one file under one name: what one of them verified
 * would not be what the other had put there. */
static int
lock(struct backing *k)
{
	int r;

	if (snprintf(k->lock, sizeof(k->lock), "%s.backup.lock", k->s->path) >=
	    (int)sizeof(k->lock))
		return kms_fail(KMS_ERR_LIMIT, "backup: path is too long");
	r = kms_file_lock(k->lock, k->s->wait_ms, &k->lock_fd);
	if (r != KMS_ERR_BUSY)
		return r;
	return kms_fail(KMS_ERR_BUSY,
	    "another backup of this store is being made; try again when it "
	    "has ended");
}

/* Whoever waits for it sees that it has lost its name. */
static void
unlock(struct backing *k)
{
	if (k->lock_fd >= 0)
		(void)unlink(k->lock);
	kms_file_unlock(&k->lock_fd);
}

int
kms_backup_make(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_backup_options *options, struct kms_backup *b,
    struct kms_verify_report *report)
{
	struct backing k = {.s = s, .options = options, .b = b, .lock_fd = -1};
	int r;

	memset(b, 0, sizeof(*b));
	r = check_changes(s, actor);
	if (r == 0)
		r = lock(&k);
	if (r == 0)
		r = make_locked(&k, actor, report);
	if (r == 0 && options->path == NULL)
		kms_backup_prune(s->policy.backup_path, s->header->uuid,
		    options->keep, b->generation);
	unlock(&k);
	return r;
}

int
kms_backup_list(struct kms_tx *tx,
    int (*each)(void *, const struct kms_backup *), void *arg)
{
	const struct kms_directory *dir = kms_tx_store(tx)->dir;
	const struct kms_directory_row *row;
	struct kms_record record;
	struct kms_backup b;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(dir, KMS_KIND_FACT, &at)) != NULL) {
		r = kms_tx_get(tx, row->id, &record);
		if (r == 0 && record.u.fact.type == KMS_FACT_BACKUP) {
			r = kms_backup_decode(&b, &record.u.fact);
			if (r == 0)
				r = each(arg, &b);
		}
		kms_record_clear(&record);
	}
	return r;
}

static void
attest_slot(struct kms_attestation *a, size_t i, const struct kms_slot *slot)
{
	a->cka_id_len[i] = (uint8_t)slot->cka_id_len;
	memcpy(a->cka_id[i], slot->cka_id, slot->cka_id_len);
}

static int
attest_in(struct kms_tx *tx, const char *reason)
{
	const struct kms_step step = {.event = KMS_EVENT_HSM_ATTEST,
	    .reason = reason};
	struct kms_attestation a = {.time = kms_tx_time(tx)};
	struct kms_store *s = kms_tx_store(tx);
	const struct kms_header_slot *hmk, *kpk;
	struct kms_wr wr;
	int r;

	hmk = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	kpk = kms_header_find(s->header, KMS_ROLE_KPK, KMS_SLOT_CURRENT);
	if (hmk == NULL || kpk == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "attest: no current slots");
	a.hmk = hmk->slot.no;
	a.kpk = kpk->slot.no;
	attest_slot(&a, 0, &hmk->slot);
	attest_slot(&a, 1, &kpk->slot);
	kms_wr_grow(&wr, KMS_FACT_MAX);
	r = kms_attestation_encode(&a, &wr);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = put_fact(tx, KMS_FACT_ATTESTATION, &wr);
	kms_wr_free(&wr);
	return r;
}

int
kms_backup_attest_hsm(struct kms_store *s, const struct kms_actor *actor,
    const char *reason)
{
	struct kms_tx *tx = NULL;
	int r;

	if (reason == NULL || reason[0] == '\0')
		return kms_fail(KMS_ERR_USAGE, "a reason is needed: -reason T");
	r = kms_tx_begin(s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = attest_in(tx, reason);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}
