/* What only the open store tells: keys, groups, backups, drills, log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/backup.h"
#include "kms/drill.h"
#include "kms/stats.h"
#include "kms/trail.h"
#include "tools/doctor.h"

struct look {
	struct doctor *d;
	struct kms_tx *tx;
	struct kms_slot hmk, kpk;
	struct doctor_names
	    lost; /* written with, or about to be: no way back */
	struct doctor_names unsaved, waived, inactive, undrilled;
	struct kms_backup backup; /* the newest; time 0: none */
	int64_t oldest_drill;
	struct kms_drilled *drilled; /* owned: all of them */
	size_t drills, cap;
};

/* --- keys and groups -------------------------------------------------- */

static int
look_at_key(void *arg, const struct kms_key_view *view)
{
	struct look *l = arg;
	char name[2 * KMS_NAME_MAX + 2];

	snprintf(name, sizeof(name), "%s/%s", view->group, view->key.name);
	if (view->gate.waived)
		doctor_name(&l->waived, name);
	if (view->gate.recoverable != KMS_RECOVERABLE_NONE)
		return 0;
	if ((view->key.flags & KMS_KEY_EVER_ACTIVE) != 0 && !view->gate.waived)
		doctor_name(&l->lost, name);
	else
		doctor_name(&l->unsaved, name);
	return 0;
}

static void
say_keys(struct look *l)
{
	static const char next[] = "make a backup: p11kmsutil -backup (with "
				   "master keys of no phrase also p11kms "
				   "-attesthsmbackup)";

	if (l->lost.n > 0)
		doctor_say(l->d, DOCTOR_PROBLEM, "keys", next,
		    "were active, and would be lost with host and token: %s",
		    doctor_names_text(&l->lost));
	else if (l->unsaved.n > 0)
		doctor_say(l->d, DOCTOR_WARNING, "keys", next,
		    "would be lost with host and token: %s",
		    doctor_names_text(&l->unsaved));
	else
		doctor_say(l->d, DOCTOR_OK, "keys", NULL,
		    "every key survives the loss of host and token");
	if (l->waived.n > 0)
		doctor_say(l->d, DOCTOR_WARNING, "waived",
		    "rotate their groups: p11kmsutil -rotatekg",
		    "the serve gate is waived for %s",
		    doctor_names_text(&l->waived));
}

static void
say_groups(struct look *l)
{
	if (l->inactive.n > 0)
		doctor_say(l->d, DOCTOR_WARNING, "groups",
		    "make one: p11kmsutil -createkey -activate; or delete "
		    "the group",
		    "groups without an active key: %s",
		    doctor_names_text(&l->inactive));
	else
		doctor_say(l->d, DOCTOR_OK, "groups", NULL,
		    "every group has an active key");
}

/* --- backup ----------------------------------------------------------- */

static int
look_at_backup(void *arg, const struct kms_backup *b)
{
	struct look *l = arg;

	if (b->time >= l->backup.time)
		l->backup = *b;
	return 0;
}

static void
say_backup(struct look *l)
{
	const struct config *c = l->d->at->config;
	const struct kms_backup *b = &l->backup;
	unsigned long long days = doctor_days_since(b->time);
	static const char next[] = "make one: p11kmsutil -backup";

	if (b->time == 0)
		doctor_say(l->d, DOCTOR_WARNING, "backup", next,
		    "no backup was ever made");
	else if (b->hmk != l->hmk.no || b->kpk != l->kpk.no)
		doctor_say(l->d, DOCTOR_WARNING, "backup", next,
		    "no backup was made since the master keys were rotated");
	else if (!b->other_device && !c->policy.backup_same_device)
		doctor_say(l->d, DOCTOR_WARNING, "backup",
		    "set path in [backup] to another device",
		    "the last backup lies on the store's own device and does "
		    "not count");
	else if (kms_tx_now() - b->time > (int64_t)c->backup.max_age * 1000000)
		doctor_say(l->d, DOCTOR_WARNING, "backup", next,
		    "the last backup is %llu days old", days);
	else
		doctor_say(l->d, DOCTOR_OK, "backup", NULL,
		    "the last backup is %llu days old", days);
}

/* --- drills ----------------------------------------------------------- */

static int
look_at_drill(void *arg, const struct kms_drilled *drilled)
{
	struct look *l = arg;
	struct kms_drilled *more;

	if (l->drills == l->cap) {
		more = reallocarray(l->drilled, l->cap + 64, sizeof(*more));
		if (more == NULL)
			return kms_fail(KMS_ERR_MEMORY, "drills: no memory");
		l->drilled = more;
		l->cap += 64;
	}
	l->drilled[l->drills++] = *drilled;
	return 0;
}

/* The newest drill of that phrase; 0: never. salt: of the group's newest. */
static int64_t
last_drill(const struct look *l, const struct kms_drilled *of)
{
	const struct kms_drilled *e;
	size_t i;

	for (i = l->drills; i > 0; i--) {
		e = &l->drilled[i - 1];
		if (e->what == of->what && e->slot == of->slot &&
		    e->row == of->row &&
		    memcmp(e->salt, of->salt, sizeof(e->salt)) == 0)
			return e->time;
	}
	return 0;
}

static void
want_drill(struct look *l, const struct kms_drilled *of, const char *name)
{
	int64_t time = last_drill(l, of);

	if (time == 0)
		doctor_name(&l->undrilled, name);
	else if (l->oldest_drill == 0 || time < l->oldest_drill)
		l->oldest_drill = time;
}

static void
want_master(struct look *l, const struct kms_slot *slot)
{
	const struct kms_drilled of = {.slot = slot->no,
	    .what = slot->role == KMS_ROLE_HMK ? KMS_DRILL_HMK : KMS_DRILL_KPK};

	if (slot->origin == KMS_SLOT_PASSPHRASE)
		want_drill(l, &of, kms_role_name(slot->role));
}

static int
look_at_group(void *arg, const struct kms_group_view *view)
{
	struct kms_group_phrase is[KMS_SEEDS_MAX];
	struct kms_drilled of = {.what = KMS_DRILL_GROUP, .row = view->id};
	struct look *l = arg;
	size_t n = 0;
	int r;

	if (view->active_key[0] == '\0')
		doctor_name(&l->inactive, view->name);
	if (!view->has_phrase)
		return 0;
	r = kms_group_phrases(l->tx, view->name, is, &n);
	if (r != 0 || n == 0)
		return r;
	memcpy(of.salt, is[n - 1].salt, sizeof(of.salt));
	want_drill(l, &of, view->name);
	return 0;
}

static void
say_drills(struct look *l)
{
	int64_t max = (int64_t)l->d->at->config->drill_max_age * 1000000;
	unsigned long long days = doctor_days_since(l->oldest_drill);
	static const char next[] = "prove them: p11kmsutil -recoverydrill";

	if (l->undrilled.n > 0)
		doctor_say(l->d, DOCTOR_WARNING, "drill", next,
		    "passphrases never proven: %s",
		    doctor_names_text(&l->undrilled));
	else if (l->oldest_drill == 0)
		doctor_say(l->d, DOCTOR_OK, "drill", NULL,
		    "no master key or group has a passphrase to prove");
	else if (kms_tx_now() - l->oldest_drill > max)
		doctor_say(l->d, DOCTOR_WARNING, "drill", next,
		    "a passphrase was last proven %llu days ago", days);
	else
		doctor_say(l->d, DOCTOR_OK, "drill", NULL,
		    "every passphrase was proven, the oldest %llu days ago",
		    days);
}

/* --- counts, log ------------------------------------------------------ */

static void
say_quiesce(struct look *l, const struct kms_stats *stats)
{
	if (stats->quiesced > 0)
		doctor_say(l->d, DOCTOR_WARNING, "quiesce",
		    "p11kmsutil -unquiescedb once the copy is made",
		    "the store is quiesced %llu times: no change is possible",
		    (unsigned long long)stats->quiesced);
}

static void
say_log(struct doctor *d)
{
	struct kms_trail_report report = {0};
	static const struct kms_trail_filter all = {0};
	int r = kms_trail_walk(d->at->store, &d->at->actor, &all, NULL, NULL,
	    &report);

	if (r != 0)
		doctor_say_error(d, DOCTOR_PROBLEM, "release-log", r);
	else if (report.lost_logs > 0)
		doctor_say(d, DOCTOR_WARNING, "release-log",
		    "see p11kmsutil -audit -verify; older keys count as "
		    "released",
		    "%llu release logs were lost, with %llu records",
		    (unsigned long long)report.lost_logs,
		    (unsigned long long)report.lost_records);
	else
		doctor_say(d, DOCTOR_OK, "release-log", NULL,
		    "%llu releases, whole",
		    (unsigned long long)report.releases);
	if (r == 0 && report.proven_time > kms_tx_now())
		doctor_say(d, DOCTOR_WARNING, "clock", "set the clock right",
		    "the last change lies in the future of this host");
}

static int
look_at_all(struct look *l)
{
	struct open *at = l->d->at;
	struct kms_stats stats;
	int r;

	r = kms_store_slot(at->store, KMS_ROLE_HMK, &l->hmk);
	if (r == 0)
		r = kms_store_slot(at->store, KMS_ROLE_KPK, &l->kpk);
	if (r == 0)
		r = kms_tx_begin(at->store, &at->actor, KMS_READ, &l->tx);
	if (r == 0)
		r = kms_stats(l->tx, &stats);
	if (r == 0)
		r = kms_key_list(l->tx, NULL, look_at_key, l);
	if (r == 0)
		r = kms_backup_list(l->tx, look_at_backup, l);
	if (r == 0)
		r = kms_drill_list(l->tx, look_at_drill, l);
	if (r == 0) {
		want_master(l, &l->hmk);
		want_master(l, &l->kpk);
		r = kms_group_list(l->tx, look_at_group, l);
	}
	kms_tx_abort(&l->tx);
	if (r == 0)
		say_quiesce(l, &stats);
	return r;
}

int
doctor_store(struct doctor *d)
{
	struct look *l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return kms_fail(KMS_ERR_MEMORY, "doctor: out of memory");
	l->d = d;
	r = look_at_all(l);
	if (r == 0) {
		say_keys(l);
		say_groups(l);
		say_backup(l);
		say_drills(l);
		say_log(d);
	}
	free(l->drilled);
	free(l);
	return r;
}
