#include <stdlib.h>
#include <string.h>

#include "tests/unit/kms/tests.h"

struct kms_secret *
secret_from(const void *p, size_t len)
{
	struct kms_secret *s;

	ck_assert_int_eq(kms_secret_new(len, &s), 0);
	if (len > 0)
		memcpy(kms_secret_fill(s), p, len);
	return s;
}

struct kms_secret *
key_of(uint8_t value)
{
	uint8_t b[KMS_KEY_LEN];

	memset(b, value, sizeof(b));
	return secret_from(b, sizeof(b));
}

void
assert_hex(const void *p, size_t len, const char *want)
{
	char got[257];

	ck_assert_uint_le(len, 128);
	kms_hex(p, len, got);
	ck_assert_str_eq(got, want);
}

void
assert_cause(int code, const char *part)
{
	const char *cause = kms_err_cause(code);

	ck_assert_msg(strstr(cause, part) != NULL, "'%s' does not say '%s'",
	    cause, part);
}

static void
fill(void *p, size_t len, uint8_t from)
{
	uint8_t *b = p;
	size_t i;

	for (i = 0; i < len; i++)
		b[i] = (uint8_t)(from + i);
}

static void
sample_wrapped(struct kms_wrapped *w, size_t len, uint8_t from)
{
	memset(w, 0, sizeof(*w));
	w->len = len;
	fill(w->bytes, len, from);
	fill(w->kcv, sizeof(w->kcv), (uint8_t)(from + 100));
}

static void
sample_slot(struct kms_header_slot *hs, uint16_t no, enum kms_role role)
{
	struct kms_slot *s = &hs->slot;

	s->no = no;
	s->role = role;
	s->place = KMS_SLOT_CURRENT;
	s->origin = KMS_SLOT_PASSPHRASE;
	s->mech = KMS_MECH_AES_KW;
	s->kdf = KMS_KDF_PBKDF2_SHA512;
	s->cost = 21;
	s->components = 2;
	fill(s->salt, sizeof(s->salt), 0x10);
	s->cka_id_len = 16;
	fill(s->cka_id, s->cka_id_len, 0x30);
	strcpy(s->id, role == KMS_ROLE_HMK ? "hmk 2026" : "kpk 2026");
	strcpy(s->token_label, "p11kms");
	strcpy(s->token_serial, "0123456789abcdef");
	if (role == KMS_ROLE_HMK)
		sample_wrapped(&hs->file_key, 40, 0x50);
}

void
sample_header(struct kms_header *h)
{
	struct kms_slot *s;

	memset(h, 0, sizeof(*h));
	fill(h->uuid, sizeof(h->uuid), 0xa0);
	h->created = 1795600000000000;
	h->anchor = true;
	h->n = 3;
	sample_slot(&h->slot[0], 1, KMS_ROLE_HMK);
	sample_slot(&h->slot[1], 2, KMS_ROLE_KPK);
	sample_slot(&h->slot[2], 3, KMS_ROLE_KPK);
	s = &h->slot[2].slot;
	s->place = KMS_SLOT_NEXT;
	s->origin = KMS_SLOT_TOKEN;
	s->mech = KMS_MECH_AES_GCM;
	s->kdf = KMS_KDF_NONE;
	s->cost = s->components = 0;
}

void
sample_who(struct kms_who *who)
{
	memset(who, 0, sizeof(*who));
	strcpy(who->name, "uid:0");
	who->uid = 0;
	who->login_uid = 1000;
	strcpy(who->sudo_user, "anna");
	strcpy(who->host, "kms1.example.com");
}

static void
sample_attrs(uint8_t **attrs, size_t *len)
{
	*len = 37;
	*attrs = malloc(*len);
	ck_assert_ptr_nonnull(*attrs);
	fill(*attrs, *len, 1);
}

static void
sample_group(struct kms_group *g)
{
	strcpy(g->name, "ENCR_demo");
	strcpy(g->description, "Größe: alles");
	g->cipher = KMS_CIPHER_AES_256;
	g->created = 1795600000000001;
	g->modified = 1795600000000002;
	g->nseeds = 2;
	g->seed = calloc(g->nseeds, sizeof(*g->seed));
	ck_assert_ptr_nonnull(g->seed);
	g->seed[0].cost = 21;
	g->seed[0].slot = 2;
	sample_wrapped(&g->seed[0].wrapped, 40, 7);
	g->seed[1] = g->seed[0];
	fill(g->seed[1].salt, 16, 0x77);
	sample_attrs(&g->attrs, &g->attrs_len);
}

static void
sample_key(struct kms_key *k)
{
	k->group = 2;
	k->tag.len = 32;
	fill(k->tag.b, 32, 0xb1);
	strcpy(k->name, "ENCR_demo-17");
	strcpy(k->description, "first");
	k->state = KMS_INACTIVE;
	k->origin = KMS_ORIGIN_PHRASE;
	k->flags = KMS_KEY_WAIVED | KMS_KEY_EVER_ACTIVE;
	k->created = 1795600000000003;
	k->modified = 1795600000000004;
	k->activated = 1795600000000005;
	k->deactivated = 1795600000000006;
	k->slot = 2;
	sample_wrapped(&k->wrapped, 40, 9);
	sample_attrs(&k->attrs, &k->attrs_len);
}

static void
sample_audit(struct kms_audit *a)
{
	a->event = KMS_EVENT_KEY_DELETE;
	a->forced = true;
	a->time = 1795600000000007;
	sample_who(&a->who);
	strcpy(a->group, "ENCR_demo");
	strcpy(a->subject, "ENCR_demo-17");
	a->tag.len = 3;
	fill(a->tag.b, 3, 1);
	strcpy(a->reason, "tape shredded");
}

static void
sample_tombstone(struct kms_tombstone *t)
{
	t->kind = KMS_KIND_KEY;
	t->tag.len = 32;
	fill(t->tag.b, 32, 0xb1);
	strcpy(t->group, "ENCR_demo");
	strcpy(t->name, "ENCR_demo-17");
	t->group_id = 2;
	t->created = 1795600000000003;
	t->deleted = 1795600000000008;
	sample_who(&t->who);
	t->origin = KMS_ORIGIN_PHRASE;
	sample_attrs(&t->attrs, &t->attrs_len);
}

void
sample_record(enum kms_kind kind, struct kms_record *rec)
{
	memset(rec, 0, sizeof(*rec));
	rec->kind = kind;
	rec->id = 5;
	rec->generation = 9;
	switch (kind) {
	case KMS_KIND_GROUP:
		sample_group(&rec->u.group);
		break;
	case KMS_KIND_KEY:
		sample_key(&rec->u.key);
		break;
	case KMS_KIND_AUDIT:
		sample_audit(&rec->u.audit);
		break;
	case KMS_KIND_TOMBSTONE:
		sample_tombstone(&rec->u.tombstone);
		break;
	case KMS_KIND_FACT:
		rec->u.fact.type = 3;
		sample_attrs(&rec->u.fact.bytes, &rec->u.fact.len);
		break;
	case KMS_KIND_ROOT:
		ck_abort_msg("a root is no record");
	}
}

void
sample_root(struct kms_root *root)
{
	size_t i;

	memset(root, 0, sizeof(*root));
	fill(root->lineage, 16, 0x20);
	root->generation = 1234;
	root->next_id = 99;
	root->time = 1795600000000009;
	root->seals = 5000;
	root->seals_next = 78;
	fill(root->header_sha256, 32, 0x40);
	fill(root->previous, 32, 0x80);
	for (i = 1; i <= KMS_KINDS; i++)
		root->count[i] = i * 3;
	fill(root->sum, 16, 0xc0);
	fill(root->log.id, 16, 0xd0);
	root->log.seq = 77;
	fill(root->log.tag, 16, 0xe0);
	root->log.size = 70000;
	root->nproofs = 2;
	root->proof[0].slot = 2;
	sample_wrapped(&root->proof[0].wrapped, 40, 3);
	root->proof[1].slot = 3;
	sample_wrapped(&root->proof[1].wrapped, 60, 4);
	root->set_key = key_of(0x11);
	root->log_key = key_of(0x22);
}
