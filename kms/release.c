#include "kms/release.h"

#include <string.h>

#include "kms/base/log.h"
#include "kms/directory.h"
#include "kms/gate.h"
#include "kms/logbook.h"
#include "kms/sync.h"
#include "kms/tx_impl.h"

/* How often it is tried again when changes of the group overtake it. */
#define TRIES 8u

/* A release under way: what is asked for, and what was found. */
struct release {
	struct kms_store *s;
	const struct kms_actor *actor;
	const struct kms_purpose *purpose;
	const struct kms_directory_row *row; /* borrowed, inside the store */
	const struct kms_directory_key *key;
	struct kms_crypt *crypt; /* the key's work; NULL: it leaves itself */
	char group[KMS_NAME_MAX + 1]; /* for an actor who is limited by it */
	bool log_lost;
	bool overtaken; /* by a change that ended before the key was out */
};

/* What is asked for: a tag, or the active key of a group. */
struct wanted {
	const struct kms_tag *tag; /* NULL: by group */
	const char *group;
};

/* --- is it there ------------------------------------------------------ */

static int
explain_missing(const struct kms_tag *tag)
{
	char text[KMS_TAG_TEXT];

	kms_tag_text(tag, text);
	return kms_fail(KMS_ERR_NOTFOUND,
	    "tag %s is not in this store; it looks like %s", text,
	    kms_tag_explain(tag));
}

static int
find_tag(struct release *rel, const struct kms_tag *tag)
{
	rel->row = kms_directory_by_tag(rel->s->dir, tag);
	if (rel->row == NULL)
		return explain_missing(tag);
	rel->key = kms_directory_key(rel->s->dir, rel->row);
	return 0;
}

static int
find_active(struct release *rel, const char *group)
{
	const struct kms_directory_row *row;

	row = kms_directory_group_by_name(rel->s->dir, group);
	if (row == NULL)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "key group '%s' does not exist; create it with "
		    "p11kmsutil -createkg",
		    group);
	rel->row = kms_directory_active(rel->s->dir, row->id);
	if (rel->row == NULL)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no active key; create one with p11kmsutil -createkey "
		    "-kgname %s -activate",
		    group, group);
	rel->key = kms_directory_key(rel->s->dir, rel->row);
	return 0;
}

/* --- may it go -------------------------------------------------------- */

static bool
is_writing(enum kms_use use)
{
	return use == KMS_USE_WRITE || use == KMS_USE_ENCRYPT;
}

static int
check_state(const struct release *rel)
{
	enum kms_state state = rel->key->state;
	char text[KMS_TAG_TEXT];
	bool fits = false;

	switch (rel->purpose->use) {
	case KMS_USE_WRITE:
	case KMS_USE_ENCRYPT:
		fits = kms_state_encrypts(state);
		break;
	case KMS_USE_READ:
	case KMS_USE_DECRYPT:
		fits = kms_state_decrypts(state);
		break;
	case KMS_USE_CLIENT:
		fits = kms_state_decrypts(state) || state == KMS_PRELIVE;
		break;
	case KMS_USE_EXPORT:
	case KMS_USE_NOTE:
		fits = true;
		break;
	}
	if (fits)
		return 0;
	kms_tag_text(&rel->key->tag, text);
	return kms_fail(KMS_ERR_STATE,
	    "key of tag %s is %s, which does not %s; change it with p11kmsutil "
	    "-modifykey -state",
	    text, kms_state_name(state),
	    is_writing(rel->purpose->use) ? "encrypt" : "decrypt");
}

/* Reading is not gated: what was written must be readable. */
static int
check_gate(const struct release *rel)
{
	const struct kms_gate_key facts = {.origin = rel->key->origin,
	    .flags = rel->key->flags,
	    .slot = rel->key->slot,
	    .id = rel->row->id};
	enum kms_state state = rel->key->state;
	bool gated;
	char text[KMS_TAG_TEXT];

	gated = is_writing(rel->purpose->use) ||
	    (rel->purpose->use == KMS_USE_CLIENT &&
		(state == KMS_ACTIVE || state == KMS_PRELIVE));
	if (!gated || kms_gate_servable(rel->s, &facts))
		return 0;
	kms_tag_text(&rel->key->tag, text);
	return kms_gate_refuse(text);
}

static int
check_actor(const struct release *rel)
{
	const struct kms_actor *actor = rel->actor;

	if (actor->may == NULL ||
	    actor->may(actor, KMS_EVENT_RELEASE, rel->group))
		return 0;
	return kms_fail(KMS_ERR_DENIED, "%s may not %s in %s", actor->who.name,
	    kms_event_name(KMS_EVENT_RELEASE), rel->group);
}

static int
check_all(const struct release *rel)
{
	int r;

	r = check_state(rel);
	if (r == 0)
		r = check_gate(rel);
	if (r == 0)
		r = check_actor(rel);
	return r;
}

/* --- in the store ----------------------------------------------------- */

/* Only for an actor who is limited by it is the group's name needed. False:
 * it must be read, and was not. */
static int
learn_group(struct release *rel, bool readable, bool *known)
{
	const struct kms_directory_row *row;
	struct kms_record group;
	int r;

	*known = rel->actor == NULL || rel->actor->may == NULL;
	if (*known)
		return 0;
	row = kms_directory_by_id(rel->s->dir, rel->key->group);
	if (row == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "key without a group");
	*known = kms_group_name_get(rel->s->names, row, rel->group);
	if (*known || !readable)
		return 0;
	r = kms_sync_read(rel->s, row, &group);
	if (r == 0) {
		memcpy(rel->group, group.u.group.name, sizeof(rel->group));
		kms_group_name_put(rel->s->names, row, rel->group);
		*known = true;
	}
	kms_record_clear(&group);
	return r;
}

/* Key and group are then found, and stay as they are until leave; the file
 * stays as it is only with a view, which costs ten system calls and is taken
 * when there is something to read. */
static int
enter(struct release *rel, const struct wanted *w, bool *view)
{
	bool known = false;
	int r;

	for (*view = false;; *view = true) {
		r = kms_sync_enter(rel->s, *view);
		if (r != 0)
			return r;
		r = w->tag != NULL ? find_tag(rel, w->tag)
				   : find_active(rel, w->group);
		if (r == 0)
			r = learn_group(rel, *view, &known);
		if (r == 0 && known)
			return 0;
		kms_sync_leave(rel->s, *view);
		if (r != 0)
			return r;
	}
}

/* --- out it goes ------------------------------------------------------ */

static int
copy_text(char *out, const char *text, const char *what)
{
	size_t n = text == NULL ? 0 : strlen(text);

	if (n > KMS_DRIVE_TEXT)
		return kms_fail(KMS_ERR_USAGE, "%s: %zu bytes, at most %u",
		    what, n, KMS_DRIVE_TEXT);
	if (n > 0)
		memcpy(out, text, n + 1);
	return 0;
}

static void
tell(const struct kms_release_entry *e)
{
	char tag[KMS_TAG_TEXT], who[KMS_LOG_QUOTED], drive[KMS_LOG_QUOTED];
	char volume[KMS_LOG_QUOTED], medium[KMS_LOG_QUOTED];

	if (!kms_log_wants(KMS_LOG_INFO))
		return;
	kms_tag_text(&e->tag, tag);
	kms_log(KMS_LOG_INFO, kms_event_name(KMS_EVENT_RELEASE),
	    "record=%llu generation=%llu use=%s state=%s tag=%s actor=%s "
	    "drive=%s volume=%s medium=%s",
	    (unsigned long long)e->seq, (unsigned long long)e->generation,
	    kms_use_name(e->use), kms_state_name((enum kms_state)e->state), tag,
	    kms_log_quote(who, sizeof(who), e->who.name),
	    kms_log_quote(drive, sizeof(drive), e->drive),
	    kms_log_quote(volume, sizeof(volume), e->volume),
	    kms_log_quote(medium, sizeof(medium), e->medium));
}

/* The tag names the key; what it was called lies in the store's rows, which
 * keep it beyond its deletion. */
static int
record_release(struct release *rel)
{
	struct kms_release_entry e = {.time = kms_tx_now(),
	    .generation = rel->s->root.generation,
	    .use = (uint8_t)rel->purpose->use,
	    .state = rel->key->state,
	    .tag = rel->key->tag,
	    .who = rel->actor->who};
	struct kms_release_log *log;
	int r;

	r = copy_text(e.drive, rel->purpose->drive, "drive");
	if (r == 0)
		r = copy_text(e.volume, rel->purpose->volume, "volume");
	if (r == 0)
		r = copy_text(e.medium, rel->purpose->medium, "medium");
	if (r != 0)
		return r;
	r = kms_logbook_get(rel->s, &log);
	if (r == 0)
		r = kms_release_log_append(log, &e);
	if (r == 0) {
		tell(&e);
		return 0;
	}
	rel->log_lost = r == KMS_ERR_NOTFOUND || r == KMS_ERR_DAMAGED;
	if (rel->log_lost)
		kms_logbook_doubt(rel->s);
	return kms_fail_add(r, "the release could not be recorded");
}

/* The key itself, or the work that is asked of it. */
static int
use_key(const struct release *rel, struct kms_secret **key)
{
	const struct kms_header_slot *kpk;
	struct kms_sealer *sealer = rel->s->sealer;
	char text[KMS_TAG_TEXT];
	struct kms_wrapped w;
	int r;

	kpk = kms_header_by_no(rel->s->header, rel->key->slot);
	if (kpk == NULL)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: wrapped by KPK slot %u, which the header does "
		    "not know",
		    (unsigned long long)rel->row->id, rel->key->slot);
	kms_directory_wrapped(rel->key, &w);
	r = rel->crypt != NULL
	    ? sealer->crypt(sealer, &kpk->slot, &w, rel->crypt)
	    : sealer->unwrap(sealer, &kpk->slot, &w, key);
	if (r != KMS_ERR_AUTH)
		return kms_store_token_error(r);
	kms_tag_text(&rel->key->tag, text);
	return kms_fail(KMS_ERR_DAMAGED,
	    "key of tag %s (row %llu): KPK '%s' does not open it; look with "
	    "p11kms -verifydb",
	    text, (unsigned long long)rel->row->id, kpk->slot.id);
}

/* Used first, so that a token which is away leaves no record of a release
 * that was none; key or result stay here until the record is durable. */
static int
let_out(struct release *rel, struct kms_secret **out)
{
	struct kms_secret *key = NULL;
	int r;

	r = check_all(rel);
	if (r == 0 && rel->purpose->use != KMS_USE_NOTE)
		r = use_key(rel, &key);
	if (r == 0)
		r = record_release(rel);
	if (r == 0)
		*out = kms_secret_take(&key);
	else if (rel->crypt != NULL)
		kms_secret_free(&rel->crypt->out);
	kms_secret_free(&key);
	return r;
}

/* A view holds off the commits of other processes until the key is out, and
 * our own threads' changes wait for us to leave. Without a view, a change of
 * another process that ended while the token worked or the disk synced has the
 * last word: a key once revoked is not served any more. */
static int
confirm(struct release *rel, const struct kms_tag *released)
{
	const struct wanted w = {.tag = released};
	bool view;
	int r;

	r = enter(rel, &w, &view);
	if (r == 0) {
		r = check_all(rel);
		kms_sync_leave(rel->s, view);
	}
	rel->overtaken = r != 0;
	return r;
}

static int
release_once(struct release *rel, const struct wanted *w,
    struct kms_tag *released, struct kms_secret **key)
{
	bool view, current;
	int r;

	rel->log_lost = rel->overtaken = false;
	r = enter(rel, w, &view);
	if (r != 0)
		return r;
	r = let_out(rel, key);
	if (r == 0)
		*released = rel->key->tag;
	current = r != 0 || view || kms_sync_is_current(rel->s);
	kms_sync_leave(rel->s, view);
	if (current)
		return r;
	r = confirm(rel, released);
	if (r != 0)
		kms_secret_free(rel->crypt != NULL ? &rel->crypt->out : key);
	return r;
}

static void
tell_refused(const struct release *rel, const struct wanted *w, int r)
{
	char text[KMS_TAG_TEXT] = "", who[KMS_LOG_QUOTED];
	char cause[KMS_LOG_QUOTED], pool[KMS_LOG_QUOTED];

	if (!kms_log_wants(KMS_LOG_INFO))
		return;
	if (w->tag != NULL)
		kms_tag_text(w->tag, text);
	kms_log(KMS_LOG_INFO, "key.refused",
	    "error=%s use=%s tag=%s group=%s actor=%s cause=%s",
	    kms_err_name(r), kms_use_name(rel->purpose->use), text,
	    kms_log_quote(pool, sizeof(pool), w->group != NULL ? w->group : ""),
	    kms_log_quote(who, sizeof(who), rel->actor->who.name),
	    kms_log_quote(cause, sizeof(cause), kms_err_cause(r)));
}

static int
release(struct release *rel, const struct wanted *w, struct kms_tag *released,
    struct kms_secret **key)
{
	unsigned i;
	int r;

	*key = NULL;
	r = release_once(rel, w, released, key);
	if (r != 0 && rel->log_lost) {
		/* Once: a new log is a change of the store, made outside. */
		r = kms_tx_restart_log(rel->s, rel->actor);
		if (r == 0)
			r = release_once(rel, w, released, key);
	}
	/* The group's next key may be active by now. */
	for (i = 0; r != 0 && rel->overtaken && w->group != NULL && i < TRIES;
	     i++)
		r = release_once(rel, w, released, key);
	if (r != 0)
		tell_refused(rel, w, r);
	return r;
}

int
kms_release(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_tag *tag, const struct kms_purpose *purpose,
    struct kms_secret **key)
{
	struct release rel = {.s = s, .actor = actor, .purpose = purpose};
	const struct wanted w = {.tag = tag};
	struct kms_tag released;

	return release(&rel, &w, &released, key);
}

int
kms_release_active(struct kms_store *s, const struct kms_actor *actor,
    const char *group, const struct kms_purpose *purpose, struct kms_tag *tag,
    struct kms_secret **key)
{
	struct release rel = {.s = s, .actor = actor, .purpose = purpose};
	const struct wanted w = {.group = group};

	return release(&rel, &w, tag, key);
}

int
kms_release_crypt(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_tag *tag, struct kms_crypt *c)
{
	const struct kms_purpose purpose = {
	    .use = c->decrypt ? KMS_USE_DECRYPT : KMS_USE_ENCRYPT};
	struct release rel = {.s = s,
	    .actor = actor,
	    .purpose = &purpose,
	    .crypt = c};
	const struct wanted w = {.tag = tag};
	struct kms_secret *none;
	struct kms_tag used;

	c->out = NULL;
	return release(&rel, &w, &used, &none);
}

int
kms_release_tape(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_tag *tag, const struct kms_purpose *written)
{
	struct kms_purpose purpose = *written;
	struct release rel = {.s = s, .actor = actor, .purpose = &purpose};
	const struct wanted w = {.tag = tag};
	struct kms_secret *none;
	struct kms_tag noted;

	purpose.use = KMS_USE_NOTE;
	if ((purpose.volume == NULL || purpose.volume[0] == '\0') &&
	    (purpose.medium == NULL || purpose.medium[0] == '\0'))
		return kms_fail(KMS_ERR_USAGE,
		    "the tape has neither label nor barcode nor serial; name "
		    "it with -volume");
	return release(&rel, &w, &noted, &none);
}

int
kms_release_ciphers(struct kms_store *s, unsigned *ciphers)
{
	const struct kms_header_slot *kpk;
	int r;

	*ciphers = 0;
	r = kms_sync_enter(s, false);
	if (r != 0)
		return r;
	kpk = kms_header_find(s->header, KMS_ROLE_KPK, KMS_SLOT_CURRENT);
	r = kpk == NULL ? kms_fail(KMS_ERR_INTERNAL, "header: no current KPK")
			: s->sealer->ciphers(s->sealer, &kpk->slot, ciphers);
	kms_sync_leave(s, false);
	return kms_store_token_error(r);
}

int
kms_release_note(struct kms_tx *tx, const struct kms_tag *tag,
    const struct kms_purpose *purpose)
{
	struct release rel = {.s = tx->store,
	    .actor = tx->actor,
	    .purpose = purpose};
	bool known;
	int r;

	r = find_tag(&rel, tag);
	if (r == 0)
		r = learn_group(&rel, true, &known);
	if (r == 0)
		r = check_actor(&rel);
	return r == 0 ? record_release(&rel) : r;
}

int
kms_release_fetch(struct kms_store *s, const struct kms_tag *tag,
    struct kms_secret **key)
{
	struct release rel = {.s = s};
	int r;

	*key = NULL;
	r = kms_sync_enter(s, false);
	if (r != 0)
		return r;
	r = find_tag(&rel, tag);
	if (r == 0)
		r = use_key(&rel, key);
	kms_sync_leave(s, false);
	return r;
}
