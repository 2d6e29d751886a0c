#include "kms/header.h"

#include <stdio.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "kms/policy.h"

#define MAGIC "p11khdr"
#define MAGIC_LEN 7u
#define FLAG_ANCHOR 1u

void
kms_wrapped_encode(const struct kms_wrapped *w, struct kms_wr *wr)
{
	kms_wr_u8(wr, (uint8_t)w->len);
	if (w->len == 0)
		return;
	kms_wr_bytes(wr, w->bytes, w->len);
	kms_wr_bytes(wr, w->kcv, sizeof(w->kcv));
}

void
kms_wrapped_decode(struct kms_wrapped *w, struct kms_rd *rd)
{
	memset(w, 0, sizeof(*w));
	w->len = kms_rd_u8(rd);
	if (w->len > KMS_WRAPPED_MAX) {
		w->len = 0;
		rd->bad = true;
	}
	if (w->len == 0)
		return;
	kms_rd_copy(rd, w->bytes, w->len);
	kms_rd_copy(rd, w->kcv, sizeof(w->kcv));
}

/* What no master key can be; the same rules for what is written and read. */
static int
check_slot(const struct kms_header_slot *hs)
{
	const struct kms_slot *s = &hs->slot;
	bool phrase = s->origin == KMS_SLOT_PASSPHRASE;

	if (s->no == 0 || s->role < KMS_ROLE_HMK || s->role > KMS_ROLE_KPK ||
	    s->place < KMS_SLOT_CURRENT || s->place > KMS_SLOT_SUPERSEDED ||
	    s->origin < KMS_SLOT_PASSPHRASE || s->origin > KMS_SLOT_ADOPTED ||
	    s->mech > KMS_MECH_AES_CBC)
		return kms_fail(KMS_ERR_DAMAGED,
		    "header: slot %u has an unknown role, place, origin or "
		    "mechanism",
		    s->no);
	if (s->kdf != (phrase ? KMS_KDF_PBKDF2_SHA512 : KMS_KDF_NONE) ||
	    (phrase &&
		(s->cost < KMS_KDF_COST_MIN || s->cost > KMS_KDF_COST_MAX)) ||
	    (!phrase && (s->cost != 0 || s->components != 0)))
		return kms_fail(KMS_ERR_DAMAGED,
		    "header: slot %u: derivation does not fit its origin",
		    s->no);
	if (s->cka_id_len == 0 || s->cka_id_len > KMS_CKAID_MAX ||
	    s->id[0] == '\0' || !kms_utf8(s->id, strlen(s->id)))
		return kms_fail(KMS_ERR_DAMAGED,
		    "header: slot %u has no good ID or no CKA_ID", s->no);
	if (hs->file_key.len > KMS_WRAPPED_MAX ||
	    (s->role == KMS_ROLE_KPK && hs->file_key.len != 0))
		return kms_fail(KMS_ERR_DAMAGED,
		    "header: slot %u: a file key that cannot be", s->no);
	return 0;
}

/* Numbers are unique; each role has one current and one next at most. */
static int
check_slots(const struct kms_header *h)
{
	const struct kms_slot *a, *b;
	size_t i, j;
	int r;

	if (h->n > KMS_SLOTS_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "header: %zu slots", h->n);
	for (i = 0; i < h->n; i++) {
		a = &h->slot[i].slot;
		r = check_slot(&h->slot[i]);
		if (r != 0)
			return r;
		for (j = 0; j < i; j++) {
			b = &h->slot[j].slot;
			if (a->no == b->no ||
			    (a->place != KMS_SLOT_SUPERSEDED &&
				a->place == b->place && a->role == b->role))
				return kms_fail(KMS_ERR_DAMAGED,
				    "header: slots %u and %u exclude each "
				    "other",
				    b->no, a->no);
		}
	}
	return 0;
}

static void
encode_slot(const struct kms_header_slot *hs, struct kms_wr *wr)
{
	const struct kms_slot *s = &hs->slot;

	kms_wr_u16(wr, s->no);
	kms_wr_u8(wr, (uint8_t)s->role);
	kms_wr_u8(wr, (uint8_t)s->place);
	kms_wr_u8(wr, (uint8_t)s->origin);
	kms_wr_u8(wr, (uint8_t)s->mech);
	kms_wr_u8(wr, s->kdf);
	kms_wr_u8(wr, s->cost);
	kms_wr_u8(wr, s->components);
	kms_wr_bytes(wr, s->salt, sizeof(s->salt));
	kms_wr_u8(wr, (uint8_t)s->cka_id_len);
	kms_wr_bytes(wr, s->cka_id, s->cka_id_len);
	kms_wr_str(wr, s->id);
	kms_wr_str(wr, s->token_label);
	kms_wr_str(wr, s->token_serial);
	kms_wrapped_encode(&hs->file_key, wr);
}

static void
decode_slot(struct kms_header_slot *hs, struct kms_rd *rd)
{
	struct kms_slot *s = &hs->slot;

	s->no = kms_rd_u16(rd);
	s->role = kms_rd_u8(rd);
	s->place = kms_rd_u8(rd);
	s->origin = kms_rd_u8(rd);
	s->mech = kms_rd_u8(rd);
	s->kdf = kms_rd_u8(rd);
	s->cost = kms_rd_u8(rd);
	s->components = kms_rd_u8(rd);
	kms_rd_copy(rd, s->salt, sizeof(s->salt));
	s->cka_id_len = kms_rd_u8(rd);
	if (s->cka_id_len > KMS_CKAID_MAX)
		rd->bad = true;
	else
		kms_rd_copy(rd, s->cka_id, s->cka_id_len);
	kms_rd_str(rd, s->id, sizeof(s->id));
	kms_rd_str(rd, s->token_label, sizeof(s->token_label));
	kms_rd_str(rd, s->token_serial, sizeof(s->token_serial));
	kms_wrapped_decode(&hs->file_key, rd);
}

int
kms_header_encode(const struct kms_header *h, struct kms_wr *wr)
{
	size_t i;
	int r;

	r = check_slots(h);
	if (r != 0)
		return r;
	kms_wr_bytes(wr, MAGIC, MAGIC_LEN);
	kms_wr_u8(wr, KMS_HEADER_VERSION);
	kms_wr_bytes(wr, h->uuid, sizeof(h->uuid));
	kms_wr_u64(wr, (uint64_t)h->created);
	kms_wr_u8(wr, h->anchor ? FLAG_ANCHOR : 0);
	kms_wr_u8(wr, (uint8_t)h->n);
	for (i = 0; i < h->n; i++)
		encode_slot(&h->slot[i], wr);
	return kms_wr_check(wr, "header");
}

/* Magic and version come first in every format there will be. */
static int
decode_start(struct kms_rd *rd)
{
	const uint8_t *magic = kms_rd_bytes(rd, MAGIC_LEN);
	unsigned version = kms_rd_u8(rd);

	if (magic == NULL || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return kms_fail(KMS_ERR_DAMAGED,
		    "header: not one of a p11kms store");
	if (version > KMS_HEADER_VERSION)
		return kms_fail(KMS_ERR_VERSION,
		    "header: format %u is newer than this program's %u; use "
		    "the newer p11kms",
		    version, KMS_HEADER_VERSION);
	if (version != KMS_HEADER_VERSION)
		return kms_fail(KMS_ERR_DAMAGED, "header: format %u never was",
		    version);
	return kms_rd_check(rd, "header");
}

int
kms_header_decode(struct kms_header *h, const void *p, size_t len)
{
	struct kms_rd rd;
	unsigned flags;
	size_t i;
	int r;

	memset(h, 0, sizeof(*h));
	kms_rd_init(&rd, p, len);
	r = decode_start(&rd);
	if (r != 0)
		return r;
	kms_rd_copy(&rd, h->uuid, sizeof(h->uuid));
	h->created = (int64_t)kms_rd_u64(&rd);
	flags = kms_rd_u8(&rd);
	h->anchor = (flags & FLAG_ANCHOR) != 0;
	h->n = kms_rd_u8(&rd);
	if ((flags & ~FLAG_ANCHOR) != 0 || h->n > KMS_SLOTS_MAX)
		return kms_fail(KMS_ERR_DAMAGED,
		    "header: flags or number of slots");
	for (i = 0; i < h->n && !rd.bad; i++)
		decode_slot(&h->slot[i], &rd);
	r = kms_rd_end(&rd, "header");
	return r != 0 ? r : check_slots(h);
}

int
kms_header_hash(const void *p, size_t len, uint8_t out[32])
{
	return kms_sha256(p, len, out);
}

struct kms_header_slot *
kms_header_find(struct kms_header *h, enum kms_role role,
    enum kms_slot_place place)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		if (h->slot[i].slot.role == role &&
		    h->slot[i].slot.place == place)
			return &h->slot[i];
	return NULL;
}

struct kms_header_slot *
kms_header_by_no(struct kms_header *h, uint16_t no)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		if (h->slot[i].slot.no == no)
			return &h->slot[i];
	return NULL;
}

uint16_t
kms_header_next_no(const struct kms_header *h)
{
	uint16_t most = 0;
	size_t i;

	for (i = 0; i < h->n; i++)
		if (h->slot[i].slot.no > most)
			most = h->slot[i].slot.no;
	return (uint16_t)(most + 1);
}

const char *
kms_slot_origin_name(enum kms_slot_origin origin)
{
	switch (origin) {
	case KMS_SLOT_PASSPHRASE:
		return "passphrase";
	case KMS_SLOT_TOKEN:
		return "token";
	case KMS_SLOT_ADOPTED:
		return "adopted";
	}
	return "?";
}

const char *
kms_mech_name(enum kms_mech mech)
{
	switch (mech) {
	case KMS_MECH_NONE:
		return "none";
	case KMS_MECH_AES_KW:
		return "aes-key-wrap";
	case KMS_MECH_AES_KWP:
		return "aes-key-wrap-pad";
	case KMS_MECH_AES_GCM:
		return "aes-gcm";
	case KMS_MECH_AES_CBC:
		return "aes-cbc";
	}
	return "?";
}

const char *
kms_role_name(enum kms_role role)
{
	switch (role) {
	case KMS_ROLE_HMK:
		return "HMK";
	case KMS_ROLE_KPK:
		return "KPK";
	}
	return "?";
}

void
kms_uuid_text(const uint8_t uuid[16], char out[37])
{
	static const size_t part[] = {4, 2, 2, 2, 6};
	size_t i;

	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		kms_hex(uuid, part[i], out);
		uuid += part[i];
		out += 2 * part[i];
		*out++ = '-';
	}
	out[-1] = '\0';
}
