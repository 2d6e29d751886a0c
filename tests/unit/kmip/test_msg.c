#include "kms/kmip/msg.h"
#include "kms/kmip/reason.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kmip/kmip_tests.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
/* Query of three functions in KMIP 1.1, as it goes over the wire. */
static const char query[] =
    "42007801 00000090"
    "  42007701 00000038"
    "    42006901 00000020"
    "      42006A02 00000004 0000000100000000"
    "      42006B02 00000004 0000000100000000"
    "    42000D02 00000004 0000000100000000"
    "  42000F01 00000048"
    "    42005C05 00000004 0000001800000000"
    "    42007901 00000030"
    "      42007405 00000004 0000000100000000"
    "      42007405 00000004 0000000200000000"
    "      42007405 00000004 0000000300000000";

/* Locate and Get in one ordered message, KMIP 1.0, an answer of at most
 * 8192 bytes, undone on error. */
static const char batch[] =
    "42007801 000000E0"
    "  42007701 00000068"
    "    42006901 00000020"
    "      42006A02 00000004 0000000100000000"
    "      42006B02 00000004 0000000000000000"
    "    42005002 00000004 0000200000000000"
    "    42000E05 00000004 0000000300000000"
    "    42001006 00000008 0000000000000001"
    "    42000D02 00000004 0000000200000000"
    "  42000F01 00000038"
    "    42005C05 00000004 0000000800000000"
    "    42009308 00000002 4131000000000000"
    "    42007901 00000010"
    "      42004F02 00000004 0000000100000000"
    "  42000F01 00000028"
    "    42005C05 00000004 0000000A00000000"
    "    42009308 00000002 4132000000000000"
    "    42007901 00000000";

/* Its answer: one key found, and gone before it could be read. */
static const char answer[] =
    "42007B01 00000100"
    "  42007A01 00000048"
    "    42006901 00000020"
    "      42006A02 00000004 0000000100000000"
    "      42006B02 00000004 0000000000000000"
    "    42009209 00000008 0000000047DA67F8"
    "    42000D02 00000004 0000000200000000"
    "  42000F01 00000048"
    "    42005C05 00000004 0000000800000000"
    "    42009308 00000002 4131000000000000"
    "    42007F05 00000004 0000000000000000"
    "    42007C01 00000010"
    "      42009407 00000004 6230666600000000"
    "  42000F01 00000058"
    "    42005C05 00000004 0000000A00000000"
    "    42009308 00000002 4132000000000000"
    "    42007F05 00000004 0000000100000000"
    "    42007E05 00000004 0000000100000000"
    "    42007D07 0000000E 6E6F2073756368206F626A6563740000";
/* clang-format on */

static size_t
read_hex(const char *text, struct kmip_request *req, int want)
{
	static uint8_t b[512];
	size_t n = hex(text, b, sizeof(b));

	ck_assert_int_eq(kmip_msg_read_request(req, b, n), want);
	return n;
}

/* The vector with some of its hex digits replaced. */
static const char *
with(const char *text, const char *from, const char *to)
{
	static char out[2048];
	const char *at = strstr(text, from);

	ck_assert_ptr_nonnull(at);
	ck_assert_uint_eq(strlen(from), strlen(to));
	ck_assert_uint_lt(strlen(text), sizeof(out));
	strcpy(out, text);
	memcpy(out + (at - text), to, strlen(to));
	return out;
}

START_TEST(a_request_is_read)
{
	static struct kmip_request req;

	(void)read_hex(query, &req, 0);
	ck_assert_uint_eq(req.minor, 1);
	ck_assert(!req.lenient);
	ck_assert_uint_eq(req.max_response, 0);
	ck_assert_uint_eq(req.on_error, KMIP_BATCH_STOP);
	ck_assert_uint_eq(req.n, 1);
	ck_assert_uint_eq(req.call[0].op, KMIP_OP_QUERY);
	ck_assert_uint_eq(req.call[0].id_len, 0);
	ck_assert_uint_eq(req.call[0].payload.len, 48);
}
END_TEST

START_TEST(a_batch_keeps_its_order_and_ids)
{
	static struct kmip_request req;

	(void)read_hex(batch, &req, 0);
	ck_assert_uint_eq(req.minor, 0);
	ck_assert_uint_eq(req.max_response, 8192);
	ck_assert_uint_eq(req.on_error, KMIP_BATCH_UNDO);
	ck_assert_uint_eq(req.n, 2);
	ck_assert_uint_eq(req.call[0].op, KMIP_OP_LOCATE);
	ck_assert_mem_eq(req.call[0].id, "A1", 2);
	ck_assert_uint_eq(req.call[1].op, KMIP_OP_GET);
	ck_assert_mem_eq(req.call[1].id, "A2", 2);
	ck_assert_uint_eq(req.call[1].payload.type, KMIP_STRUCTURE);
	ck_assert_uint_eq(req.call[1].payload.len, 0);
}
END_TEST

START_TEST(a_request_is_written_as_it_is_read)
{
	static struct kmip_request req;
	struct kms_wr wr;
	uint8_t want[512];
	size_t n = read_hex(batch, &req, 0);

	(void)hex(batch, want, sizeof(want));
	kms_wr_grow(&wr, 4096);
	kmip_msg_put_request(&wr, &req);
	ck_assert_int_eq(kms_wr_check(&wr, "request"), 0);
	ck_assert_uint_eq(wr.len, n);
	ck_assert_mem_eq(wr.p, want, n);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(another_major_version_is_refused_in_ours)
{
	static struct kmip_request req;

	(void)read_hex(with(query, "42006A02 00000004 00000001",
			   "42006A02 00000004 00000002"),
	    &req, KMIP_ERR(INVALID_MESSAGE));
	ck_assert_uint_eq(req.minor, KMIP_MINOR_MAX);
	(void)read_hex(with(query, "42006A02 00000004 00000001",
			   "42006A02 00000004 FFFFFFFF"),
	    &req, KMIP_ERR(INVALID_MESSAGE));
}
END_TEST

START_TEST(a_newer_minor_version_is_read_leniently)
{
	static struct kmip_request req;

	(void)read_hex(with(query, "42006B02 00000004 00000001",
			   "42006B02 00000004 00000009"),
	    &req, 0);
	ck_assert(req.lenient);
	ck_assert_uint_eq(req.minor, KMIP_MINOR_MAX);
}
END_TEST

START_TEST(unknown_header_fields_are_refused_only_in_our_versions)
{
	static struct kmip_request req;
	static char newer[2048];

	(void)read_hex(with(batch, "42001006", "42013006"), &req,
	    KMIP_ERR(INVALID_FIELD));
	strcpy(newer, with(batch, "42001006", "42013006"));
	(void)read_hex(with(newer, "42006B02 00000004 00000000",
			   "42006B02 00000004 00000005"),
	    &req, 0);
}
END_TEST

START_TEST(the_count_must_be_true)
{
	static struct kmip_request req;

	(void)read_hex(with(batch, "42000D02 00000004 00000002",
			   "42000D02 00000004 00000003"),
	    &req, KMIP_ERR(INVALID_MESSAGE));
	(void)read_hex(with(batch, "42000D02 00000004 00000002",
			   "42000D02 00000004 FFFFFFFF"),
	    &req, KMIP_ERR(INVALID_MESSAGE));
}
END_TEST

START_TEST(a_limit_below_one_byte_is_refused)
{
	static struct kmip_request req;

	(void)read_hex(with(batch, "00002000", "00000000"), &req,
	    KMIP_ERR(INVALID_FIELD));
	(void)read_hex(with(batch, "00002000", "80000000"), &req,
	    KMIP_ERR(INVALID_FIELD));
}
END_TEST

static void
put_many(struct kms_wr *wr, struct kmip_request *req, size_t n)
{
	size_t i;

	memset(req, 0, sizeof(*req));
	req->n = n;
	for (i = 0; i < n && i < KMIP_BATCH_MAX; i++) {
		req->call[i].op = KMIP_OP_QUERY;
		req->call[i].payload.type = KMIP_STRUCTURE;
	}
	kms_wr_grow(wr, KMIP_MESSAGE_MAX);
	kmip_msg_put_request(wr, req);
	ck_assert_int_eq(kms_wr_check(wr, "request"), 0);
}

START_TEST(a_batch_is_bounded)
{
	static struct kmip_request req, back;
	struct kms_wr wr;
	size_t i, len;

	put_many(&wr, &req, KMIP_BATCH_MAX);
	ck_assert_int_eq(kmip_msg_read_request(&back, wr.p, wr.len), 0);
	ck_assert_uint_eq(back.n, KMIP_BATCH_MAX);
	/* one item more, and the count with it */
	len = wr.len;
	for (i = 0; wr.p[i] != 0x42 || wr.p[i + 2] != 0x0d; i++)
		continue;
	wr.p[i + 11] = KMIP_BATCH_MAX + 1;
	kms_wr_bytes(&wr, wr.p + len - 32, 32);
	kms_put32(wr.p + 4, (uint32_t)(wr.len - 8));
	ck_assert_int_eq(kmip_msg_read_request(&back, wr.p, wr.len),
	    KMIP_ERR(INVALID_MESSAGE));
	kms_wr_free(&wr);
}
END_TEST

static void
two_answers(struct kmip_response *res)
{
	static const char uid[] = "\x42\x00\x94\x07\0\0\0\x04"
				  "b0ff\0\0\0";

	memset(res, 0, sizeof(*res));
	res->time = 0x47da67f8;
	res->n = 2;
	res->answer[0].op = KMIP_OP_LOCATE;
	memcpy(res->answer[0].id, "A1", 2);
	res->answer[0].id_len = 2;
	res->answer[0].payload = (const uint8_t *)uid;
	res->answer[0].payload_len = 16;
	res->answer[1].op = KMIP_OP_GET;
	memcpy(res->answer[1].id, "A2", 2);
	res->answer[1].id_len = 2;
	res->answer[1].status = KMIP_STATUS_OPERATION_FAILED;
	res->answer[1].reason = KMIP_REASON_ITEM_NOT_FOUND;
	strcpy(res->answer[1].message, "no such object");
}

START_TEST(a_response_is_written_to_the_byte)
{
	static struct kmip_response res;
	struct kms_wr wr;
	uint8_t want[512];
	size_t n = hex(answer, want, sizeof(want));

	two_answers(&res);
	kms_wr_grow(&wr, 4096);
	kmip_msg_put_response(&wr, &res);
	ck_assert_int_eq(kms_wr_check(&wr, "response"), 0);
	ck_assert_uint_eq(wr.len, n);
	ck_assert_mem_eq(wr.p, want, n);
	ck_assert_uint_eq(kmip_msg_response_size(&res), n);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_response_is_read_back)
{
	static struct kmip_response res;
	struct kmip_item payload, uid;
	uint8_t b[512];
	size_t n = hex(answer, b, sizeof(b));

	ck_assert_int_eq(kmip_msg_read_response(&res, b, n), 0);
	ck_assert_uint_eq(res.minor, 0);
	ck_assert_int_eq(res.time, 0x47da67f8);
	ck_assert_uint_eq(res.n, 2);
	ck_assert_uint_eq(res.answer[0].status, KMIP_STATUS_SUCCESS);
	kmip_msg_payload(&res.answer[0], &payload);
	ck_assert(kmip_ttlv_find(&payload, KMIP_TAG_UNIQUE_IDENTIFIER, &uid));
	ck_assert_mem_eq(uid.value, "b0ff", 4);
	ck_assert_uint_eq(res.answer[1].reason, KMIP_REASON_ITEM_NOT_FOUND);
	ck_assert_str_eq(res.answer[1].message, "no such object");
	kmip_msg_payload(&res.answer[1], &payload);
	ck_assert(!kmip_ttlv_find(&payload, KMIP_TAG_UNIQUE_IDENTIFIER, &uid));
}
END_TEST

START_TEST(an_answer_to_nonsense_has_no_operation)
{
	static struct kmip_response res = {.n = 1};
	static struct kmip_response back;
	struct kms_wr wr;

	res.answer[0].status = KMIP_STATUS_OPERATION_FAILED;
	res.answer[0].reason = KMIP_REASON_INVALID_MESSAGE;
	kms_wr_grow(&wr, 4096);
	kmip_msg_put_response(&wr, &res);
	ck_assert_uint_eq(wr.len, kmip_msg_response_size(&res));
	ck_assert_int_eq(kmip_msg_read_response(&back, wr.p, wr.len), 0);
	ck_assert_uint_eq(back.answer[0].op, 0);
	ck_assert_uint_eq(back.answer[0].reason, KMIP_REASON_INVALID_MESSAGE);
	kms_wr_free(&wr);
}
END_TEST

static void
read_mutant(void *ctx, const struct mutant *m)
{
	static struct kmip_request req;
	static struct kmip_response res;
	struct kms_wr wr;
	int r;

	(void)ctx;
	r = kmip_msg_read_request(&req, m->p, m->len);
	if (r == 0) {
		kms_wr_grow(&wr, 4096);
		kmip_msg_put_request(&wr, &req);
		ck_assert_msg(wr.err == 0, "%s", m->what);
		kms_wr_free(&wr);
	} else {
		ck_assert_msg(kmip_reason_of(r) != KMIP_REASON_NONE, "%s",
		    m->what);
	}
	ck_assert_msg(req.n <= KMIP_BATCH_MAX && req.minor <= KMIP_MINOR_MAX,
	    "%s", m->what);
	r = kmip_msg_read_response(&res, m->p, m->len);
	ck_assert_msg(r <= 0 && res.n <= KMIP_BATCH_MAX, "%s", m->what);
}

START_TEST(no_change_of_a_message_breaks_its_reader)
{
	uint8_t b[512];
	size_t n = hex(batch, b, sizeof(b));

	(void)mutate(b, n, read_mutant, NULL);
	n = hex(answer, b, sizeof(b));
	(void)mutate(b, n, read_mutant, NULL);
}
END_TEST

TCase *
test_msg(void)
{
	TCase *t = tcase_create("msg");

	tcase_add_test(t, a_request_is_read);
	tcase_add_test(t, a_batch_keeps_its_order_and_ids);
	tcase_add_test(t, a_request_is_written_as_it_is_read);
	tcase_add_test(t, another_major_version_is_refused_in_ours);
	tcase_add_test(t, a_newer_minor_version_is_read_leniently);
	tcase_add_test(t,
	    unknown_header_fields_are_refused_only_in_our_versions);
	tcase_add_test(t, the_count_must_be_true);
	tcase_add_test(t, a_limit_below_one_byte_is_refused);
	tcase_add_test(t, a_batch_is_bounded);
	tcase_add_test(t, a_response_is_written_to_the_byte);
	tcase_add_test(t, a_response_is_read_back);
	tcase_add_test(t, an_answer_to_nonsense_has_no_operation);
	tcase_add_test(t, no_change_of_a_message_breaks_its_reader);
	return t;
}
