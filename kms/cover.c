#include "kms/cover.h"

#include <string.h>

#define LAYOUT 1u

/* The first byte of a fact: which layout it has. */
static int
begin(struct kms_rd *rd, const struct kms_fact *fact, const char *what)
{
	uint8_t layout;

	kms_rd_init(rd, fact->bytes, fact->len);
	layout = kms_rd_u8(rd);
	if (layout <= LAYOUT)
		return 0;
	return kms_fail(KMS_ERR_VERSION,
	    "%s: layout %u is newer than this program", what, layout);
}

int
kms_backup_encode(const struct kms_backup *b, struct kms_wr *wr)
{
	kms_wr_u8(wr, LAYOUT);
	kms_wr_u8(wr, b->other_device);
	kms_wr_u16(wr, b->hmk);
	kms_wr_u16(wr, b->kpk);
	kms_wr_u64(wr, b->generation);
	kms_wr_u64(wr, b->next_id);
	kms_wr_u64(wr, (uint64_t)b->time);
	kms_wr_str(wr, b->path);
	return kms_wr_check(wr, "backup fact");
}

int
kms_backup_decode(struct kms_backup *b, const struct kms_fact *fact)
{
	struct kms_rd rd;
	int r;

	memset(b, 0, sizeof(*b));
	r = begin(&rd, fact, "backup fact");
	if (r != 0)
		return r;
	b->other_device = kms_rd_u8(&rd) != 0;
	b->hmk = kms_rd_u16(&rd);
	b->kpk = kms_rd_u16(&rd);
	b->generation = kms_rd_u64(&rd);
	b->next_id = kms_rd_u64(&rd);
	b->time = (int64_t)kms_rd_u64(&rd);
	kms_rd_str(&rd, b->path, sizeof(b->path));
	return kms_rd_end(&rd, "backup fact");
}

int
kms_attestation_encode(const struct kms_attestation *a, struct kms_wr *wr)
{
	size_t i;

	kms_wr_u8(wr, LAYOUT);
	kms_wr_u16(wr, a->hmk);
	kms_wr_u16(wr, a->kpk);
	kms_wr_u64(wr, (uint64_t)a->time);
	for (i = 0; i < 2; i++) {
		kms_wr_u8(wr, a->cka_id_len[i]);
		kms_wr_bytes(wr, a->cka_id[i], a->cka_id_len[i]);
	}
	return kms_wr_check(wr, "attestation");
}

int
kms_attestation_decode(struct kms_attestation *a, const struct kms_fact *fact)
{
	struct kms_rd rd;
	size_t i;
	int r;

	memset(a, 0, sizeof(*a));
	r = begin(&rd, fact, "attestation");
	if (r != 0)
		return r;
	a->hmk = kms_rd_u16(&rd);
	a->kpk = kms_rd_u16(&rd);
	a->time = (int64_t)kms_rd_u64(&rd);
	for (i = 0; i < 2; i++) {
		a->cka_id_len[i] = kms_rd_u8(&rd);
		if (a->cka_id_len[i] > KMS_CKAID_MAX)
			return kms_fail(KMS_ERR_DAMAGED,
			    "attestation: CKA_ID of %u bytes",
			    a->cka_id_len[i]);
		kms_rd_copy(&rd, a->cka_id[i], a->cka_id_len[i]);
	}
	return kms_rd_end(&rd, "attestation");
}

static int
note_backup(struct kms_cover *cover, const struct kms_fact *fact)
{
	struct kms_cover_copy *known;
	struct kms_backup b;
	int r;

	r = kms_backup_decode(&b, fact);
	if (r != 0)
		return r;
	known = b.other_device ? &cover->elsewhere : &cover->here;
	if (b.generation >= known->generation)
		*known = (struct kms_cover_copy){.generation = b.generation,
		    .next_id = b.next_id,
		    .hmk = b.hmk,
		    .kpk = b.kpk,
		    .time = b.time};
	return 0;
}

int
kms_cover_note(struct kms_cover *cover, const struct kms_fact *fact)
{
	struct kms_attestation a;
	int r;

	if (fact->type == KMS_FACT_BACKUP)
		return note_backup(cover, fact);
	if (fact->type != KMS_FACT_ATTESTATION)
		return 0;
	r = kms_attestation_decode(&a, fact);
	if (r != 0)
		return r;
	cover->attested_hmk = a.hmk;
	cover->attested_kpk = a.kpk;
	return 0;
}

static bool
counts(const struct kms_cover_copy *c, uint64_t key_id, uint16_t hmk,
    uint16_t kpk)
{
	return c->generation != 0 && key_id < c->next_id && c->hmk == hmk &&
	    c->kpk == kpk;
}

bool
kms_cover_holds(const struct kms_cover *cover, uint64_t key_id, uint16_t hmk,
    uint16_t kpk, bool same_device)
{
	return counts(&cover->elsewhere, key_id, hmk, kpk) ||
	    (same_device && counts(&cover->here, key_id, hmk, kpk));
}
