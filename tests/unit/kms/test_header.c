#include <string.h>

#include "kms/header.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kms/tests.h"

static struct kms_header h;

static size_t
encode(const struct kms_header *from, uint8_t out[KMS_HEADER_MAX])
{
	struct kms_wr wr;

	kms_wr_fixed(&wr, out, KMS_HEADER_MAX);
	ck_assert_int_eq(kms_header_encode(from, &wr), 0);
	return wr.len;
}

START_TEST(a_header_comes_back_as_it_was)
{
	static uint8_t b[KMS_HEADER_MAX];
	static struct kms_header back;

	sample_header(&h);
	ck_assert_int_eq(kms_header_decode(&back, b, encode(&h, b)), 0);
	ck_assert(memcmp(&back, &h, sizeof(h)) == 0);
}
END_TEST

START_TEST(the_layout_is_the_documented_one)
{
	static uint8_t b[KMS_HEADER_MAX];
	size_t n;

	sample_header(&h);
	h.n = 1;
	n = encode(&h, b);
	assert_hex(b, 34,
	    "703131"
	    "6b686472"
	    "01"
	    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
	    "00066116b428a000"
	    "01"
	    "01");
	assert_hex(b + 34, n - 34,
	    "0001"
	    "01"
	    "01"
	    "01"
	    "01"
	    "01"
	    "15"
	    "02"
	    "101112131415161718191a1b1c1d1e1f"
	    "10"
	    "303132333435363738393a3b3c3d3e3f"
	    "0008"
	    "686d6b2032303236"
	    "0006"
	    "7031316b6d73"
	    "0010"
	    "30313233343536373839616263646566"
	    "28"
	    "505152535455565758595a5b5c5d5e5f6061626364656667"
	    "68696a6b6c6d6e6f7071727374757677"
	    "b4b5b6b7b8b9babb");
}
END_TEST

static void
decode_mutant(void *ctx, const struct mutant *m)
{
	static uint8_t again[KMS_HEADER_MAX];
	static struct kms_header got;
	size_t *accepted = ctx;
	int r;

	r = kms_header_decode(&got, m->p, m->len);
	if (r != 0) {
		ck_assert_msg(r == KMS_ERR_DAMAGED || r == KMS_ERR_VERSION,
		    "%s: %d", m->what, r);
		return;
	}
	++*accepted;
	ck_assert_msg(encode(&got, again) == m->len &&
		memcmp(again, m->p, m->len) == 0,
	    "%s", m->what);
}

START_TEST(a_changed_header_is_refused_or_encodes_the_same_again)
{
	static uint8_t b[KMS_HEADER_MAX];
	size_t n, accepted = 0;

	sample_header(&h);
	n = encode(&h, b);
	ck_assert_uint_gt(mutate(b, n, decode_mutant, &accepted), 8 * n);
	ck_assert_uint_gt(accepted, 0);
}
END_TEST

START_TEST(a_newer_header_is_refused_by_its_number)
{
	static uint8_t b[KMS_HEADER_MAX];
	static struct kms_header got;
	size_t n;

	sample_header(&h);
	n = encode(&h, b);
	b[7] = 2;
	ck_assert_int_eq(kms_header_decode(&got, b, n), KMS_ERR_VERSION);
	assert_cause(KMS_ERR_VERSION, "format 2 is newer than this program");
	b[7] = 0;
	ck_assert_int_eq(kms_header_decode(&got, b, n), KMS_ERR_DAMAGED);
}
END_TEST

static void
refuse(void)
{
	static uint8_t b[KMS_HEADER_MAX];
	struct kms_wr wr;

	kms_wr_fixed(&wr, b, sizeof(b));
	ck_assert_int_eq(kms_header_encode(&h, &wr), KMS_ERR_DAMAGED);
	sample_header(&h);
}

START_TEST(slots_that_cannot_be_are_not_written)
{
	sample_header(&h);
	h.slot[1].slot.no = 1;
	refuse();
	h.slot[0].slot.no = 0;
	refuse();
	h.slot[2].slot.place = KMS_SLOT_CURRENT; /* two current KPKs */
	refuse();
	h.slot[0].slot.role = (enum kms_role)3;
	refuse();
	h.slot[0].slot.mech = (enum kms_mech)5;
	refuse();
	h.slot[0].slot.cost = 9;
	refuse();
	h.slot[0].slot.cost = 27;
	refuse();
	h.slot[0].slot.kdf = KMS_KDF_NONE;
	refuse();
	h.slot[2].slot.cost = 21; /* born in the token: no cost */
	refuse();
	h.slot[0].slot.cka_id_len = 0;
	refuse();
	h.slot[0].slot.cka_id_len = KMS_CKAID_MAX + 1;
	refuse();
	h.slot[0].slot.id[0] = '\0';
	refuse();
	strcpy(h.slot[0].slot.id, "\xff");
	refuse();
	h.slot[0].file_key.len = KMS_WRAPPED_MAX + 1;
	refuse();
	h.slot[1].file_key.len = 40; /* a KPK wraps none */
	refuse();
	h.n = KMS_SLOTS_MAX + 1;
	refuse();
}
END_TEST

START_TEST(any_number_of_superseded_slots_is_held)
{
	static uint8_t b[KMS_HEADER_MAX];
	static struct kms_header back;
	size_t i;

	sample_header(&h);
	for (h.n = 3; h.n < KMS_SLOTS_MAX; h.n++) {
		h.slot[h.n] = h.slot[0];
		h.slot[h.n].slot.no = (uint16_t)(h.n + 1);
		h.slot[h.n].slot.place = KMS_SLOT_SUPERSEDED;
		for (i = 0; i < KMS_ID_MAX; i++)
			h.slot[h.n].slot.id[i] = 'x';
	}
	ck_assert_int_eq(kms_header_decode(&back, b, encode(&h, b)), 0);
	ck_assert(memcmp(&back, &h, sizeof(h)) == 0);
	ck_assert_uint_eq(kms_header_next_no(&h), KMS_SLOTS_MAX + 1);
}
END_TEST

START_TEST(slots_are_found_by_place_and_number)
{
	sample_header(&h);
	ck_assert_ptr_eq(kms_header_find(&h, KMS_ROLE_KPK, KMS_SLOT_NEXT),
	    &h.slot[2]);
	ck_assert_ptr_null(kms_header_find(&h, KMS_ROLE_HMK, KMS_SLOT_NEXT));
	ck_assert_ptr_eq(kms_header_by_no(&h, 2), &h.slot[1]);
	ck_assert_ptr_null(kms_header_by_no(&h, 9));
	ck_assert_uint_eq(kms_header_next_no(&h), 4);
}
END_TEST

START_TEST(names_are_those_of_the_manual)
{
	char text[37];

	sample_header(&h);
	kms_uuid_text(h.uuid, text);
	ck_assert_str_eq(text, "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf");
	ck_assert_str_eq(kms_slot_origin_name(KMS_SLOT_ADOPTED), "adopted");
	ck_assert_str_eq(kms_mech_name(KMS_MECH_AES_KW), "aes-key-wrap");
	ck_assert_str_eq(kms_role_name(KMS_ROLE_KPK), "KPK");
	ck_assert_str_eq(kms_role_name((enum kms_role)9), "?");
}
END_TEST

Suite *
header_suite(void)
{
	Suite *s = suite_create("header");
	TCase *t = tcase_create("header");

	tcase_add_test(t, a_header_comes_back_as_it_was);
	tcase_add_test(t, the_layout_is_the_documented_one);
	tcase_add_test(t,
	    a_changed_header_is_refused_or_encodes_the_same_again);
	tcase_add_test(t, a_newer_header_is_refused_by_its_number);
	tcase_add_test(t, slots_that_cannot_be_are_not_written);
	tcase_add_test(t, any_number_of_superseded_slots_is_held);
	tcase_add_test(t, slots_are_found_by_place_and_number);
	tcase_add_test(t, names_are_those_of_the_manual);
	suite_add_tcase(s, t);
	return s;
}
