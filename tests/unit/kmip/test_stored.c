/* What a record keeps of a KMIP object: its bytes are for ever. */
#include "kms/kmip/reason.h"
#include "kms/kmip/stored.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kmip/world.h"

#include <string.h>

#define TAG(id) KMIP_TAG_##id

/* clang-format off */
/* Layout 1: flags NAMED, Symmetric Key, Raw, AES, 128 bits, Encrypt|Decrypt,
 * no subtype, 4 bytes of payload, then x-m = "v" and its instance 2 = 5. */
static const char layout[] =
    "01 01 02 01 00000003 00000080 0000000C 00000000"
    "0004 DEADBEEF"
    "42000801 00000020"
    "  42000A07 00000003 782D6D0000000000"
    "  42000B07 00000001 7600000000000000"
    "42000801 00000030"
    "  42000A07 00000003 782D6D0000000000"
    "  42000902 00000004 0000000200000000"
    "  42000B02 00000004 0000000500000000";
/* clang-format on */

START_TEST(layout_1_is_read_and_written_to_the_byte)
{
	uint8_t b[256];
	size_t n = hex(layout, b, sizeof(b));
	struct kmip_stored s;
	struct kms_wr wr;

	ok(kmip_stored_decode(&s, b, n));
	ck_assert_uint_eq(s.flags, KMIP_STORED_NAMED);
	ck_assert_uint_eq(s.type, KMIP_OBJECT_SYMMETRIC_KEY);
	ck_assert_uint_eq(s.format, KMIP_FORMAT_RAW);
	ck_assert_uint_eq(s.algorithm, KMIP_ALG_AES);
	ck_assert_uint_eq(s.bits, 128);
	ck_assert_uint_eq(s.mask, 12);
	ck_assert_uint_eq(s.payload_len, 4);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_int_eq(s.attr[0].index, 0);
	ck_assert_int_eq(s.attr[1].index, 2);
	kms_wr_grow(&wr, 4096);
	ok(kmip_stored_encode(&s, &wr));
	ck_assert_uint_eq(wr.len, n);
	ck_assert_mem_eq(wr.p, b, n);
	kms_wr_free(&wr);
	kmip_stored_clear(&s);
}
END_TEST

START_TEST(nothing_stored_is_a_tape_key)
{
	struct kmip_stored s;

	ok(kmip_stored_decode(&s, NULL, 0));
	ck_assert_uint_eq(s.type, KMIP_OBJECT_SYMMETRIC_KEY);
	ck_assert_uint_eq(s.bits, 256);
	ck_assert_uint_eq(s.flags, KMIP_STORED_NAMED);
	ck_assert_uint_eq(s.n, 0);
	kmip_stored_clear(&s);
}
END_TEST

START_TEST(a_newer_layout_is_refused_by_name)
{
	uint8_t b[256];
	size_t n = hex(layout, b, sizeof(b));
	struct kmip_stored s;

	b[0] = 2;
	ck_assert_int_eq(kmip_stored_decode(&s, b, n), KMS_ERR_VERSION);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_VERSION),
	    "layout 2"));
}
END_TEST

static void
decode_mutant(void *ctx, const struct mutant *m)
{
	struct kmip_stored s;
	struct kms_wr wr;
	int r = kmip_stored_decode(&s, m->p, m->len);

	(void)ctx;
	if (r != 0) {
		ck_assert_msg(r == KMS_ERR_DAMAGED || r == KMS_ERR_VERSION,
		    "%s: %d", m->what, r);
		return;
	}
	kms_wr_grow(&wr, 4096);
	ck_assert_msg(kmip_stored_encode(&s, &wr) == 0, "%s", m->what);
	kms_wr_free(&wr);
	kmip_stored_clear(&s);
}

START_TEST(no_change_of_it_breaks_its_reader)
{
	uint8_t b[256];
	size_t n = hex(layout, b, sizeof(b));

	(void)mutate(b, n, decode_mutant, NULL);
}
END_TEST

START_TEST(sealed_bytes_open_under_their_key_and_tag_alone)
{
	uint8_t a[32], b[32];
	struct kms_tag tag, other;
	struct kms_secret *key, *wrong, *plain = NULL;
	struct kmip_stored s;
	struct kms_wr copy;

	memset(a, 1, sizeof(a));
	memset(b, 2, sizeof(b));
	ok(kms_tag_from(&tag, "0123456789abcdef", 16));
	ok(kms_tag_from(&other, "0123456789abcdeg", 16));
	ok(kms_secret_from(a, 32, &key));
	ok(kms_secret_from(b, 32, &wrong));
	kmip_stored_init(&s);
	ok(kmip_stored_seal(&s, key, &tag, "what is kept", 12));
	ok(kmip_stored_open(&s, key, &tag, &plain));
	ck_assert_uint_eq(kms_secret_len(plain), 12);
	ck_assert_mem_eq(kms_secret_bytes(plain), "what is kept", 12);
	kms_secret_free(&plain);
	ck_assert_int_eq(kmip_stored_open(&s, wrong, &tag, &plain),
	    KMS_ERR_DAMAGED);
	ck_assert_int_eq(kmip_stored_open(&s, key, &other, &plain),
	    KMS_ERR_DAMAGED);
	kms_wr_grow(&copy, 256);
	kms_wr_bytes(&copy, s.payload, s.payload_len);
	copy.p[copy.len - 20] ^= 1;
	s.payload = copy.p;
	ck_assert_int_eq(kmip_stored_open(&s, key, &tag, &plain),
	    KMS_ERR_DAMAGED);
	s.payload_len = 27;
	ck_assert_int_eq(kmip_stored_open(&s, key, &tag, &plain),
	    KMS_ERR_DAMAGED);
	ck_assert_ptr_null(plain);
	kms_wr_free(&copy);
	kmip_stored_clear(&s);
	kms_secret_free(&key);
	kms_secret_free(&wrong);
}
END_TEST

/* A payload sealed by another implementation, from the description alone:
 * key 01 × 32, tag "0123456789abcdef", nonce 07 × 12, "what is kept". */
START_TEST(a_payload_made_elsewhere_opens)
{
	static const char
	    sealed[] = "0707070707070707070707070148cf4fe6525bfa9b7a0bf6"
		       "935ff79af2dbdb6aa3576e9c730d561e";
	uint8_t b[64], a[32];
	struct kms_secret *key, *plain = NULL;
	struct kms_tag tag;
	struct kmip_stored s;

	memset(a, 1, sizeof(a));
	ok(kms_tag_from(&tag, "0123456789abcdef", 16));
	ok(kms_secret_from(a, 32, &key));
	kmip_stored_init(&s);
	s.payload_len = hex(sealed, b, sizeof(b));
	s.payload = b;
	ok(kmip_stored_open(&s, key, &tag, &plain));
	ck_assert_mem_eq(kms_secret_bytes(plain), "what is kept", 12);
	kms_secret_free(&plain);
	kms_secret_free(&key);
	kmip_stored_clear(&s);
}
END_TEST

TCase *
test_stored(void)
{
	TCase *t = tcase_create("stored");

	tcase_add_test(t, layout_1_is_read_and_written_to_the_byte);
	tcase_add_test(t, nothing_stored_is_a_tape_key);
	tcase_add_test(t, a_newer_layout_is_refused_by_name);
	tcase_add_test(t, no_change_of_it_breaks_its_reader);
	tcase_add_test(t, sealed_bytes_open_under_their_key_and_tag_alone);
	tcase_add_test(t, a_payload_made_elsewhere_opens);
	return t;
}
