#include "kms/hold.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 1u

void
kms_holds_clear(struct kms_holds *holds)
{
	free(holds->hold);
	*holds = (struct kms_holds){0};
}

static void
decode_hold(struct kms_hold *h, struct kms_rd *rd)
{
	h->since = (int64_t)kms_rd_u64(rd);
	h->expires = (int64_t)kms_rd_u64(rd);
	kms_rd_str(rd, h->owner, sizeof(h->owner));
	kms_rd_str(rd, h->who, sizeof(h->who));
}

int
kms_holds_decode(struct kms_holds *holds, const struct kms_fact *fact)
{
	struct kms_rd rd;
	size_t i, n;
	int r;

	*holds = (struct kms_holds){0};
	kms_rd_init(&rd, fact->bytes, fact->len);
	if (kms_rd_u8(&rd) > VERSION)
		return kms_fail(KMS_ERR_VERSION,
		    "quiesce record: newer than this program");
	n = kms_rd_u16(&rd);
	if (n > KMS_HOLDS_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "quiesce record: %zu holds",
		    n);
	holds->hold = calloc(KMS_HOLDS_MAX, sizeof(*holds->hold));
	if (holds->hold == NULL)
		return kms_fail(KMS_ERR_MEMORY, "quiesce: out of memory");
	for (i = 0; i < n; i++)
		decode_hold(&holds->hold[i], &rd);
	holds->n = n;
	r = kms_rd_end(&rd, "quiesce record");
	if (r != 0)
		kms_holds_clear(holds);
	return r;
}

int
kms_holds_encode(const struct kms_holds *holds, struct kms_wr *wr)
{
	const struct kms_hold *h;

	kms_wr_u8(wr, VERSION);
	kms_wr_u16(wr, (uint16_t)holds->n);
	for (h = holds->hold; h < holds->hold + holds->n; h++) {
		kms_wr_u64(wr, (uint64_t)h->since);
		kms_wr_u64(wr, (uint64_t)h->expires);
		kms_wr_str(wr, h->owner);
		kms_wr_str(wr, h->who);
	}
	return kms_wr_check(wr, "quiesce record");
}

bool
kms_hold_expired(const struct kms_hold *h, int64_t now)
{
	return h->expires != 0 && h->expires <= now;
}

size_t
kms_holds_outstanding(const struct kms_holds *holds, int64_t now,
    const struct kms_hold **first)
{
	size_t i, n = 0;

	for (i = 0; i < holds->n; i++) {
		if (kms_hold_expired(&holds->hold[i], now))
			continue;
		if (n++ == 0 && first != NULL)
			*first = &holds->hold[i];
	}
	return n;
}
