/*
 * What is asked of a key: the first byte says which operation, the rest is
 * the content of its payload, whatever it is. The key itself is found by the
 * item before it, so that no sample has to know its tag. Its bytes leave by a
 * Get that asks for them plainly, and by nothing else.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kmip_world.h"

static const uint32_t ops[] = {KMIP_OP_GET, KMIP_OP_ENCRYPT, KMIP_OP_DECRYPT,
    KMIP_OP_CHECK, KMIP_OP_ADD_ATTRIBUTE};
#define OPS (sizeof(ops) / sizeof(ops[0]))

static bool
has(const struct kmip_item *payload, uint32_t tag)
{
	struct kmip_item item;

	return kmip_ttlv_find(payload, tag, &item);
}

/* Locate of the key, then the operation with its identifier left. */
static void
write_request(struct kms_wr *wr, uint32_t op, const struct kmip_item *payload)
{
	static struct kmip_request req;
	struct kms_wr name;

	kms_wr_grow(&name, 256);
	kmip_attr_put_name(&name, "k", KMIP_NAME_UNINTERPRETED_TEXT_STRING);
	memset(&req, 0, sizeof(req));
	req.minor = KMIP_MINOR_MAX;
	req.n = 2;
	req.call[0].op = KMIP_OP_LOCATE;
	req.call[0].payload = (struct kmip_item){.type = KMIP_STRUCTURE,
	    .value = name.p,
	    .len = name.len};
	req.call[1].op = op;
	req.call[1].payload = *payload;
	req.call[0].id_len = req.call[1].id_len = 1;
	req.call[0].id[0] = 'A';
	req.call[1].id[0] = 'B';
	kmip_msg_put_request(wr, &req);
	kms_wr_free(&name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct kmip_item payload = {.type = KMIP_STRUCTURE};
	const struct fuzz_world *w;
	struct kmip_message m = {.locked = true};
	struct kmip_reply reply;
	struct kms_wr wr;
	const uint8_t *out;
	uint32_t op;
	size_t n;

	if (len == 0 || len > KMIP_MESSAGE_MAX / 2)
		return 0;
	op = ops[p[0] % OPS];
	payload.value = p + 1;
	payload.len = len - 1;
	kms_wr_grow(&wr, KMIP_MESSAGE_MAX);
	write_request(&wr, op, &payload);
	m.p = wr.p;
	m.len = wr.len;
	w = fuzz_world_ask(&m, &reply);
	out = kmip_reply_bytes(&reply, &n);
	if (op != KMIP_OP_GET ||
	    has(&payload, KMIP_TAG_KEY_WRAPPING_SPECIFICATION))
		fuzz_must(memmem(out, n, w->shown, 32) == NULL,
		    "a key in clear");
	kmip_reply_clear(&reply);
	kms_wr_free(&wr);
	return 0;
}
