#include "kms/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAYOUT 1u /* first byte of every record */
#define KEY_FLAGS \
	((uint32_t)(KMS_KEY_WAIVED | KMS_KEY_EVER_ACTIVE | KMS_KEY_ROTATING | \
	    KMS_KEY_ELSEWHERE))

const char *
kms_event_name(unsigned event)
{
	switch (event) {
#define X(value, name, text) \
	case value:          \
		return text;
		KMS_EVENT_LIST(X)
#undef X
	default:
		return "?";
	}
}

int
kms_text_check(const char *what, const char *text)
{
	size_t len = strlen(text);

	if (len > KMS_TEXT_MAX)
		return kms_fail(KMS_ERR_USAGE, "%s: %zu bytes, at most %u",
		    what, len, KMS_TEXT_MAX);
	if (!kms_utf8(text, len))
		return kms_fail(KMS_ERR_USAGE,
		    "%s: not UTF-8, or holds a control character", what);
	return 0;
}

int
kms_name_check(const char *what, const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return kms_fail(KMS_ERR_USAGE, "%s is empty", what);
	if (len > KMS_NAME_MAX)
		return kms_fail(KMS_ERR_USAGE, "%s: %zu bytes, at most %u",
		    what, len, KMS_NAME_MAX);
	if (name[0] == ' ' || name[len - 1] == ' ')
		return kms_fail(KMS_ERR_USAGE,
		    "%s '%s': blank at the beginning or end", what, name);
	return kms_text_check(what, name);
}

void
kms_time_text(int64_t us, char out[KMS_TIME_TEXT])
{
	time_t t = (time_t)(us / 1000000 - (us % 1000000 < 0));
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, KMS_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, KMS_TIME_TEXT, "?");
}

void
kms_record_clear(struct kms_record *rec)
{
	switch (rec->kind) {
	case KMS_KIND_GROUP:
		free(rec->u.group.seed);
		free(rec->u.group.attrs);
		break;
	case KMS_KIND_KEY:
		free(rec->u.key.attrs);
		break;
	case KMS_KIND_TOMBSTONE:
		free(rec->u.tombstone.attrs);
		break;
	case KMS_KIND_FACT:
		free(rec->u.fact.bytes);
		break;
	case KMS_KIND_ROOT:
	case KMS_KIND_AUDIT:
		break;
	}
	rec->kind = (enum kms_kind)0; /* owns nothing */
}

/* --- parts ------------------------------------------------------------- */

void
kms_who_encode(const struct kms_who *who, struct kms_wr *wr)
{
	kms_wr_str(wr, who->name);
	kms_wr_u32(wr, who->uid);
	kms_wr_u32(wr, who->login_uid);
	kms_wr_str(wr, who->sudo_user);
	kms_wr_str(wr, who->host);
}

void
kms_who_decode(struct kms_who *who, struct kms_rd *rd)
{
	kms_rd_str(rd, who->name, sizeof(who->name));
	who->uid = kms_rd_u32(rd);
	who->login_uid = kms_rd_u32(rd);
	kms_rd_str(rd, who->sudo_user, sizeof(who->sudo_user));
	kms_rd_str(rd, who->host, sizeof(who->host));
}

static bool
text_fits(const char *s)
{
	return kms_utf8(s, strlen(s));
}

static bool
name_fits(const char *s)
{
	return s[0] != '\0' && text_fits(s);
}

bool
kms_who_fits(const struct kms_who *who)
{
	return text_fits(who->name) && text_fits(who->sudo_user) &&
	    text_fits(who->host);
}

static bool
wrapped_fits(const struct kms_wrapped *w)
{
	return w->len > 0 && w->len <= KMS_WRAPPED_MAX;
}

static void
put_attrs(struct kms_wr *wr, const uint8_t *attrs, size_t len)
{
	kms_wr_u16(wr, (uint16_t)len);
	kms_wr_bytes(wr, attrs, len);
}

/* Copies what is there into memory of its own; *out stays NULL for nothing. */
static int
get_owned(struct kms_rd *rd, size_t len, uint8_t **out, size_t *out_len)
{
	const uint8_t *p = kms_rd_bytes(rd, len);

	if (p == NULL || len == 0)
		return 0;
	*out = malloc(len);
	if (*out == NULL)
		return kms_fail(KMS_ERR_MEMORY, "record: out of memory");
	memcpy(*out, p, len);
	*out_len = len;
	return 0;
}

/* --- group ------------------------------------------------------------- */

static bool
group_fits(const struct kms_group *g)
{
	size_t i;

	if (!name_fits(g->name) || !text_fits(g->description) ||
	    g->cipher != KMS_CIPHER_AES_256 || g->nseeds > KMS_SEEDS_MAX ||
	    g->attrs_len > KMS_ATTRS_MAX)
		return false;
	for (i = 0; i < g->nseeds; i++)
		if (!wrapped_fits(&g->seed[i].wrapped))
			return false;
	return true;
}

static void
group_encode(const struct kms_group *g, struct kms_wr *wr)
{
	size_t i;

	kms_wr_str(wr, g->name);
	kms_wr_str(wr, g->description);
	kms_wr_u8(wr, g->cipher);
	kms_wr_u64(wr, (uint64_t)g->created);
	kms_wr_u64(wr, (uint64_t)g->modified);
	kms_wr_u8(wr, (uint8_t)g->nseeds);
	for (i = 0; i < g->nseeds; i++) {
		kms_wr_bytes(wr, g->seed[i].salt, sizeof(g->seed[i].salt));
		kms_wr_u8(wr, g->seed[i].cost);
		kms_wr_u16(wr, g->seed[i].slot);
		kms_wrapped_encode(&g->seed[i].wrapped, wr);
	}
	put_attrs(wr, g->attrs, g->attrs_len);
}

static int
seeds_decode(struct kms_group *g, struct kms_rd *rd)
{
	size_t i, n = kms_rd_u8(rd);

	if (n > KMS_SEEDS_MAX) {
		rd->bad = true;
		return 0;
	}
	if (n == 0)
		return 0;
	g->seed = calloc(n, sizeof(*g->seed));
	if (g->seed == NULL)
		return kms_fail(KMS_ERR_MEMORY, "record: out of memory");
	g->nseeds = n;
	for (i = 0; i < n; i++) {
		kms_rd_copy(rd, g->seed[i].salt, sizeof(g->seed[i].salt));
		g->seed[i].cost = kms_rd_u8(rd);
		g->seed[i].slot = kms_rd_u16(rd);
		kms_wrapped_decode(&g->seed[i].wrapped, rd);
	}
	return 0;
}

static int
group_decode(struct kms_group *g, struct kms_rd *rd)
{
	int r;

	kms_rd_str(rd, g->name, sizeof(g->name));
	kms_rd_str(rd, g->description, sizeof(g->description));
	g->cipher = kms_rd_u8(rd);
	g->created = (int64_t)kms_rd_u64(rd);
	g->modified = (int64_t)kms_rd_u64(rd);
	r = seeds_decode(g, rd);
	if (r != 0)
		return r;
	return get_owned(rd, kms_rd_u16(rd), &g->attrs, &g->attrs_len);
}

/* --- key --------------------------------------------------------------- */

static bool
key_fits(const struct kms_key *k)
{
	return name_fits(k->name) && text_fits(k->description) &&
	    k->tag.len > 0 && k->tag.len <= KMS_TAG_MAX &&
	    k->state >= KMS_PRELIVE && k->state <= KMS_TERMINATED &&
	    k->origin >= KMS_ORIGIN_RANDOM && k->origin <= KMS_ORIGIN_IMPORT &&
	    (k->flags & ~KEY_FLAGS) == 0 && wrapped_fits(&k->wrapped) &&
	    k->attrs_len <= KMS_ATTRS_MAX;
}

static void
key_encode(const struct kms_key *k, struct kms_wr *wr)
{
	kms_wr_u64(wr, k->group);
	kms_tag_encode(&k->tag, wr);
	kms_wr_str(wr, k->name);
	kms_wr_str(wr, k->description);
	kms_wr_u8(wr, (uint8_t)k->state);
	kms_wr_u8(wr, (uint8_t)k->origin);
	kms_wr_u32(wr, k->flags);
	kms_wr_u64(wr, (uint64_t)k->created);
	kms_wr_u64(wr, (uint64_t)k->modified);
	kms_wr_u64(wr, (uint64_t)k->activated);
	kms_wr_u64(wr, (uint64_t)k->deactivated);
	kms_wr_u16(wr, k->slot);
	kms_wrapped_encode(&k->wrapped, wr);
	put_attrs(wr, k->attrs, k->attrs_len);
}

static int
key_decode(struct kms_key *k, struct kms_rd *rd)
{
	k->group = kms_rd_u64(rd);
	kms_tag_decode(&k->tag, rd);
	kms_rd_str(rd, k->name, sizeof(k->name));
	kms_rd_str(rd, k->description, sizeof(k->description));
	k->state = kms_rd_u8(rd);
	k->origin = kms_rd_u8(rd);
	k->flags = kms_rd_u32(rd);
	k->created = (int64_t)kms_rd_u64(rd);
	k->modified = (int64_t)kms_rd_u64(rd);
	k->activated = (int64_t)kms_rd_u64(rd);
	k->deactivated = (int64_t)kms_rd_u64(rd);
	k->slot = kms_rd_u16(rd);
	kms_wrapped_decode(&k->wrapped, rd);
	return get_owned(rd, kms_rd_u16(rd), &k->attrs, &k->attrs_len);
}

/* --- audit ------------------------------------------------------------- */

bool
kms_record_peek_audit(const void *p, size_t len, unsigned *event, bool *forced)
{
	struct kms_rd rd;
	bool known;

	kms_rd_init(&rd, p, len);
	known = kms_rd_u8(&rd) == LAYOUT;
	*event = kms_rd_u16(&rd);
	*forced = kms_rd_u8(&rd) == 1;
	return known;
}

static bool
audit_fits(const struct kms_audit *a)
{
	return kms_who_fits(&a->who) && text_fits(a->group) &&
	    text_fits(a->subject) && text_fits(a->reason) &&
	    a->tag.len <= KMS_TAG_MAX;
}

static void
audit_encode(const struct kms_audit *a, struct kms_wr *wr)
{
	kms_wr_u16(wr, a->event);
	kms_wr_u8(wr, a->forced);
	kms_wr_u64(wr, (uint64_t)a->time);
	kms_who_encode(&a->who, wr);
	kms_wr_str(wr, a->group);
	kms_wr_str(wr, a->subject);
	kms_tag_encode(&a->tag, wr);
	kms_wr_str(wr, a->reason);
}

static int
audit_decode(struct kms_audit *a, struct kms_rd *rd)
{
	uint8_t forced;

	a->event = kms_rd_u16(rd);
	forced = kms_rd_u8(rd);
	if (forced > 1)
		rd->bad = true;
	a->forced = forced == 1;
	a->time = (int64_t)kms_rd_u64(rd);
	kms_who_decode(&a->who, rd);
	kms_rd_str(rd, a->group, sizeof(a->group));
	kms_rd_str(rd, a->subject, sizeof(a->subject));
	kms_tag_decode(&a->tag, rd);
	kms_rd_str(rd, a->reason, sizeof(a->reason));
	return 0;
}

/* --- tombstone --------------------------------------------------------- */

static bool
tombstone_fits(const struct kms_tombstone *t)
{
	return (t->kind == KMS_KIND_GROUP || t->kind == KMS_KIND_KEY) &&
	    t->tag.len <= KMS_TAG_MAX && text_fits(t->group) &&
	    text_fits(t->name) && kms_who_fits(&t->who) &&
	    t->attrs_len <= KMS_ATTRS_MAX;
}

static void
tombstone_encode(const struct kms_tombstone *t, struct kms_wr *wr)
{
	kms_wr_u8(wr, t->kind);
	kms_tag_encode(&t->tag, wr);
	kms_wr_str(wr, t->group);
	kms_wr_str(wr, t->name);
	kms_wr_u64(wr, t->group_id);
	kms_wr_u64(wr, (uint64_t)t->created);
	kms_wr_u64(wr, (uint64_t)t->deleted);
	kms_who_encode(&t->who, wr);
	kms_wr_u8(wr, t->origin);
	put_attrs(wr, t->attrs, t->attrs_len);
}

static int
tombstone_decode(struct kms_tombstone *t, struct kms_rd *rd)
{
	t->kind = kms_rd_u8(rd);
	kms_tag_decode(&t->tag, rd);
	kms_rd_str(rd, t->group, sizeof(t->group));
	kms_rd_str(rd, t->name, sizeof(t->name));
	t->group_id = kms_rd_u64(rd);
	t->created = (int64_t)kms_rd_u64(rd);
	t->deleted = (int64_t)kms_rd_u64(rd);
	kms_who_decode(&t->who, rd);
	t->origin = kms_rd_u8(rd);
	return get_owned(rd, kms_rd_u16(rd), &t->attrs, &t->attrs_len);
}

/* --- fact -------------------------------------------------------------- */

static void
fact_encode(const struct kms_fact *f, struct kms_wr *wr)
{
	kms_wr_u16(wr, f->type);
	kms_wr_u32(wr, (uint32_t)f->len);
	kms_wr_bytes(wr, f->bytes, f->len);
}

static int
fact_decode(struct kms_fact *f, struct kms_rd *rd)
{
	size_t len;

	f->type = kms_rd_u16(rd);
	len = kms_rd_u32(rd);
	if (len > KMS_FACT_MAX) {
		rd->bad = true;
		return 0;
	}
	return get_owned(rd, len, &f->bytes, &f->len);
}

/* --- any kind ---------------------------------------------------------- */

static bool
record_fits(const struct kms_record *rec)
{
	switch (rec->kind) {
	case KMS_KIND_GROUP:
		return group_fits(&rec->u.group);
	case KMS_KIND_KEY:
		return key_fits(&rec->u.key);
	case KMS_KIND_AUDIT:
		return audit_fits(&rec->u.audit);
	case KMS_KIND_TOMBSTONE:
		return tombstone_fits(&rec->u.tombstone);
	case KMS_KIND_FACT:
		return rec->u.fact.len <= KMS_FACT_MAX;
	case KMS_KIND_ROOT:
		break;
	}
	return false;
}

int
kms_record_encode(const struct kms_record *rec, struct kms_wr *wr)
{
	if (!record_fits(rec))
		return kms_fail(KMS_ERR_LIMIT,
		    "record of kind %d: a field is out of bounds",
		    (int)rec->kind);
	kms_wr_u8(wr, LAYOUT);
	switch (rec->kind) {
	case KMS_KIND_GROUP:
		group_encode(&rec->u.group, wr);
		break;
	case KMS_KIND_KEY:
		key_encode(&rec->u.key, wr);
		break;
	case KMS_KIND_AUDIT:
		audit_encode(&rec->u.audit, wr);
		break;
	case KMS_KIND_TOMBSTONE:
		tombstone_encode(&rec->u.tombstone, wr);
		break;
	case KMS_KIND_FACT:
		fact_encode(&rec->u.fact, wr);
		break;
	case KMS_KIND_ROOT:
		break;
	}
	return kms_wr_check(wr, "record");
}

static int
content_decode(struct kms_record *rec, struct kms_rd *rd)
{
	switch (rec->kind) {
	case KMS_KIND_GROUP:
		return group_decode(&rec->u.group, rd);
	case KMS_KIND_KEY:
		return key_decode(&rec->u.key, rd);
	case KMS_KIND_AUDIT:
		return audit_decode(&rec->u.audit, rd);
	case KMS_KIND_TOMBSTONE:
		return tombstone_decode(&rec->u.tombstone, rd);
	case KMS_KIND_FACT:
		return fact_decode(&rec->u.fact, rd);
	case KMS_KIND_ROOT:
		break;
	}
	return kms_fail(KMS_ERR_DAMAGED, "record of unknown kind %d",
	    (int)rec->kind);
}

static int
layout_check(unsigned layout)
{
	if (layout > LAYOUT)
		return kms_fail(KMS_ERR_VERSION,
		    "record: layout %u is newer than this program's %u; use "
		    "the newer p11kms",
		    layout, LAYOUT);
	if (layout != LAYOUT)
		return kms_fail(KMS_ERR_DAMAGED, "record: layout %u never was",
		    layout);
	return 0;
}

/* Only what is owned must be set before it is decoded; every other field is
 * decoded always. (Zeroing it all costs as much as opening its seal.) */
static void
begin(struct kms_record *rec, enum kms_kind kind)
{
	rec->kind = kind;
	rec->id = rec->generation = 0;
	switch (kind) {
	case KMS_KIND_GROUP:
		rec->u.group.seed = NULL;
		rec->u.group.nseeds = 0;
		rec->u.group.attrs = NULL;
		rec->u.group.attrs_len = 0;
		break;
	case KMS_KIND_KEY:
		rec->u.key.attrs = NULL;
		rec->u.key.attrs_len = 0;
		break;
	case KMS_KIND_TOMBSTONE:
		rec->u.tombstone.attrs = NULL;
		rec->u.tombstone.attrs_len = 0;
		break;
	case KMS_KIND_FACT:
		rec->u.fact.bytes = NULL;
		rec->u.fact.len = 0;
		break;
	case KMS_KIND_ROOT:
	case KMS_KIND_AUDIT:
		break;
	}
}

int
kms_record_decode(struct kms_record *rec, enum kms_kind kind, const void *p,
    size_t len)
{
	struct kms_rd rd;
	int r;

	begin(rec, kind);
	kms_rd_init(&rd, p, len);
	r = layout_check(kms_rd_u8(&rd));
	if (r == 0)
		r = content_decode(rec, &rd);
	if (r == 0)
		r = kms_rd_end(&rd, "record");
	if (r == 0 && !record_fits(rec))
		r = kms_fail(KMS_ERR_DAMAGED,
		    "record of kind %d: a field is out of bounds", (int)kind);
	if (r != 0)
		kms_record_clear(rec);
	return r;
}
