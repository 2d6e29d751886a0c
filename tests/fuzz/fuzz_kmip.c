/*
 * Any bytes as a KMIP message, as attributes, and as what a record stores:
 * refused, or read and written again without loss.
 */
#include <stdlib.h>
#include <string.h>

#include "kms/kmip/match.h"
#include "kms/kmip/msg.h"
#include "kms/kmip/reason.h"
#include "tests/fuzz/fuzz.h"

static void
check_ttlv(const uint8_t *p, size_t len)
{
	struct kmip_item top;
	struct kms_wr wr;

	if (kmip_ttlv_check(p, len, &top) != 0)
		return;
	kms_wr_grow(&wr, len + 8);
	kmip_ttlv_put_item(&wr, top.tag, &top);
	fuzz_must(wr.err == 0 && wr.len == len, "an item changed its size");
	kms_wr_free(&wr);
}

static void
check_request(const uint8_t *p, size_t len)
{
	static struct kmip_request req, back;
	struct kms_wr wr;
	int r = kmip_msg_read_request(&req, p, len);

	fuzz_must(req.minor <= KMIP_MINOR_MAX, "a version we do not speak");
	if (r != 0) {
		fuzz_must(kmip_reason_of(r) != KMIP_REASON_NONE, "no reason");
		return;
	}
	fuzz_must(req.n > 0 && req.n <= KMIP_BATCH_MAX, "no items");
	kms_wr_grow(&wr, 2 * KMIP_MESSAGE_MAX);
	kmip_msg_put_request(&wr, &req);
	fuzz_must(wr.err == 0, "a request that cannot be written");
	fuzz_must(kmip_msg_read_request(&back, wr.p, wr.len) == 0 &&
		back.n == req.n && back.on_error == req.on_error &&
		back.max_response == req.max_response,
	    "a request changed");
	kms_wr_free(&wr);
}

static void
check_response(const uint8_t *p, size_t len)
{
	static struct kmip_response res;
	struct kmip_item payload, uid;
	size_t i;

	if (kmip_msg_read_response(&res, p, len) != 0)
		return;
	for (i = 0; i < res.n; i++) {
		kmip_msg_payload(&res.answer[i], &payload);
		(void)kmip_ttlv_find(&payload, KMIP_TAG_UNIQUE_IDENTIFIER,
		    &uid);
		fuzz_must(memchr(res.answer[i].message, '\0',
			      sizeof(res.answer[i].message)) != NULL,
		    "a message without end");
	}
}

static void
check_stored(const uint8_t *p, size_t len)
{
	struct kmip_stored s, back;
	struct kms_wr wr;

	if (kmip_stored_decode(&s, p, len) != 0)
		return;
	kms_wr_grow(&wr, KMIP_MESSAGE_MAX);
	if (kmip_stored_encode(&s, &wr) == 0) {
		fuzz_must(kmip_stored_decode(&back, wr.p, wr.len) == 0,
		    "what was stored is not readable");
		fuzz_must(back.n == s.n && back.type == s.type &&
			back.payload_len == s.payload_len,
		    "what was stored changed");
		kmip_stored_clear(&back);
	}
	kms_wr_free(&wr);
	kmip_stored_clear(&s);
}

/* The message's inside as Locate criteria, one after the other. */
static void
check_criteria(const uint8_t *p, size_t len)
{
	struct kmip_match *m;
	struct kmip_item top, item;
	struct kms_rd rd;

	if (kmip_ttlv_check(p, len, &top) != 0)
		return;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return;
	m->minor = KMIP_MINOR_MAX;
	kmip_ttlv_walk(&rd, &top);
	while (kmip_ttlv_next(&rd, &item))
		if (item.type == KMIP_STRUCTURE &&
		    kmip_match_add(m, &item) != 0)
			continue;
	fuzz_must(m->n <= KMIP_CRITERIA_MAX, "too many criteria");
	free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	check_ttlv(p, len);
	check_request(p, len);
	check_response(p, len);
	check_stored(p, len);
	check_criteria(p, len);
	return 0;
}
