#include "tests/unit/tape/suite.h"

#include <string.h>

#include "tape/page.h"

#define ROOM 2048

/* Captured from a drive with two algorithms, GCM and CCM; its page length
 * is four too small. */
static const uint8_t captured_caps[] = {0x00, 0x10, 0x00, 0x3c, 0x09, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* algorithm 1 */
    0x01, 0x00, 0x00, 0x14, 0x8a, 0x8c, 0x00, 0x20, 0x00, 0x3c, 0x00, 0x20,
    0xed, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x14,
    /* algorithm 2 */
    0x02, 0x00, 0x00, 0x14, 0x8a, 0x8f, 0x00, 0x20, 0x00, 0x3c, 0x00, 0x20,
    0xd9, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x10};

/* As mhvtl answers for an LTO drive with a tape in. */
static const uint8_t mhvtl_caps[] = {0x00, 0x10, 0x00, 0x28, 0x01, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* its one algorithm */
    0x01, 0x00, 0x00, 0x14, 0xba, 0x10, 0x00, 0x20, 0x00, 0x0c, 0x00, 0x20,
    0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x14};

/* Captured: encrypting, key named "Hello world!". */
static const uint8_t captured_status[] = {0x00, 0x20, 0x00, 0x24, 0x42, 0x02,
    0x02, 0x01, 0x00, 0x00, 0x00, 0x01, 0x18, 0x00, 0x00, 0x00, 0, 0, 0, 0, 0,
    0, 0, 0, 0x00, 0x01, 0x00, 0x0c, 'H', 'e', 'l', 'l', 'o', ' ', 'w', 'o',
    'r', 'l', 'd', '!'};

/* mhvtl says 2Ch (its fixed part counted twelve too long), and sends less. */
static const uint8_t mhvtl_status[] = {0x00, 0x20, 0x00, 0x2c, 0x21, 0x02, 0x03,
    0x01, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0, 0, 0, 0, 0, 0, 0,
    0, 0x00, 0x00, 0x00, 0x08, 't', 'a', 'g', '-', '0', '0', '0', '1'};

static const uint8_t captured_next[] = {0x00, 0x21, 0x00, 0x1c, 0, 0, 0, 0, 0,
    0, 0, 1, 0x05, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x0c, 'H', 'e', 'l', 'l',
    'o', ' ', 'w', 'o', 'r', 'l', 'd', '!'};

static const uint8_t management[] = {0x00, 0x12, 0x00, 0x0c, 0x01, 0x07, 0x00,
    0x05, 0, 0, 0, 0, 0, 0, 0, 0};

static const uint8_t protocols[] = {0, 0, 0, 0, 0, 0, 0x00, 0x02, 0x00, 0x20};

static const uint8_t out_pages[] = {0x00, 0x01, 0x00, 0x02, 0x00, 0x10};

START_TEST(cdbs_are_as_written)
{
	static const uint8_t in[12] = {0xA2, 0x20, 0x00, 0x21, 0, 0, 0, 0, 0x10,
	    0x00, 0, 0};
	static const uint8_t out[12] = {0xB5, 0x20, 0x00, 0x10, 0, 0, 0, 0, 0,
	    0x58, 0, 0};
	uint8_t cdb[12];

	memset(cdb, 0xAA, sizeof(cdb));
	tape_cdb_spin(cdb, TAPE_SP_TDE, TAPE_PAGE_NEXT_BLOCK, 4096);
	ck_assert_mem_eq(cdb, in, 12);
	memset(cdb, 0xAA, sizeof(cdb));
	tape_cdb_spout(cdb, TAPE_SP_TDE, TAPE_PAGE_SET_ENCRYPTION, 0x58);
	ck_assert_mem_eq(cdb, out, 12);
}
END_TEST

START_TEST(captured_capabilities_both_ways)
{
	struct tape_capabilities c;
	uint8_t back[ROOM];
	struct kms_wr w;

	ck_assert_int_eq(tape_capabilities_decode(captured_caps,
			     sizeof(captured_caps), &c),
	    0);
	ck_assert_uint_eq(c.extdecc, 2);
	ck_assert_uint_eq(c.cfg_p, 1);
	ck_assert_uint_eq(c.n, 2);
	const struct tape_algorithm *a = &c.alg[0];
	ck_assert_uint_eq(a->index, 1);
	ck_assert(a->avfmv && !a->sdk_c && !a->mac_c && !a->ded_c);
	ck_assert_uint_eq(a->decrypt_c, 2);
	ck_assert_uint_eq(a->encrypt_c, 2);
	ck_assert_uint_eq(a->avfclp, 2);
	ck_assert(a->kadf_c && a->vcelb_c && !a->u_fixed && !a->a_fixed);
	ck_assert_uint_eq(a->u_max, 32);
	ck_assert_uint_eq(a->a_max, 60);
	ck_assert_uint_eq(a->key_len, 32);
	ck_assert_uint_eq(a->dkad_c, 3);
	ck_assert_uint_eq(a->eemc_c, 2);
	ck_assert_uint_eq(a->rdmc_c, 6);
	ck_assert(a->earem);
	ck_assert_uint_eq(a->code, 0x00010014);
	ck_assert(c.alg[1].u_fixed && c.alg[1].a_fixed);
	ck_assert_uint_eq(c.alg[1].code, 0x00010010);
	kms_wr_fixed(&w, back, sizeof(back));
	tape_capabilities_encode(&w, &c);
	ck_assert_uint_eq(w.len, sizeof(captured_caps));
	ck_assert_uint_eq(back[3], captured_caps[3] + 4);
	back[3] = captured_caps[3];
	ck_assert_mem_eq(back, captured_caps, sizeof(captured_caps));
}
END_TEST

START_TEST(mhvtl_capabilities_both_ways)
{
	struct tape_capabilities c;
	uint8_t back[ROOM];
	struct kms_wr w;

	ck_assert_int_eq(tape_capabilities_decode(mhvtl_caps,
			     sizeof(mhvtl_caps), &c),
	    0);
	ck_assert(c.alg[0].mac_c && c.alg[0].ded_c && c.alg[0].avfmv);
	ck_assert_uint_eq(c.alg[0].nonce, 1);
	ck_assert_uint_eq(c.alg[0].a_max, 12);
	ck_assert_uint_eq(c.alg[0].dkad_c, 0);
	ck_assert_uint_eq(c.alg[0].rdmc_c, 4);
	kms_wr_fixed(&w, back, sizeof(back));
	tape_capabilities_encode(&w, &c);
	ck_assert_uint_eq(w.len, sizeof(mhvtl_caps));
	ck_assert_mem_eq(back, mhvtl_caps, sizeof(mhvtl_caps));
}
END_TEST

START_TEST(a_longer_descriptor_is_stepped_over)
{
	uint8_t page[sizeof(captured_caps) + 4];
	struct tape_capabilities c;

	memcpy(page, captured_caps, 44);
	memset(page + 44, 0xEE, 4);
	memcpy(page + 48, captured_caps + 44, 24);
	page[3] += 4;
	page[23] += 4;
	ck_assert_int_eq(tape_capabilities_decode(page, sizeof(page), &c), 0);
	ck_assert_uint_eq(c.n, 2);
	ck_assert_uint_eq(c.alg[1].index, 2);
	ck_assert_uint_eq(c.alg[1].code, 0x00010010);
}
END_TEST

START_TEST(more_algorithms_than_known_are_refused)
{
	uint8_t page[20 + 17 * 24];
	struct tape_capabilities c;

	memcpy(page, captured_caps, 20);
	for (size_t i = 0; i < 17; i++)
		memcpy(page + 20 + i * 24, captured_caps + 20, 24);
	kms_put16(page + 2, (uint16_t)(sizeof(page) - 4));
	ck_assert_int_eq(tape_capabilities_decode(page, sizeof(page), &c),
	    KMS_ERR_DRIVE);
}
END_TEST

START_TEST(captured_status_both_ways)
{
	struct tape_status s;
	uint8_t back[ROOM];
	struct kms_wr w;

	ck_assert_int_eq(tape_status_decode(captured_status,
			     sizeof(captured_status), &s),
	    0);
	ck_assert_uint_eq(s.nexus_scope, 2);
	ck_assert_uint_eq(s.key_scope, 2);
	ck_assert_int_eq(s.enc, TAPE_ENC_ENCRYPT);
	ck_assert_int_eq(s.dec, TAPE_DEC_DECRYPT);
	ck_assert_uint_eq(s.algorithm, 1);
	ck_assert_uint_eq(s.kic, 1);
	ck_assert_uint_eq(s.control, 1);
	ck_assert(s.vcelb && !s.rdmd);
	ck_assert_uint_eq(s.kad.u_len, 12);
	ck_assert_mem_eq(s.kad.u, "Hello world!", 12);
	ck_assert_uint_eq(s.kad.u_auth, 1);
	ck_assert_uint_eq(s.kad.a_len, 0);
	kms_wr_fixed(&w, back, sizeof(back));
	tape_status_encode(&w, &s);
	ck_assert_uint_eq(w.len, sizeof(captured_status));
	ck_assert_mem_eq(back, captured_status, sizeof(captured_status));
}
END_TEST

START_TEST(a_page_length_over_what_came_is_cut_to_it)
{
	struct tape_status s;

	ck_assert_int_eq(tape_status_decode(mhvtl_status, sizeof(mhvtl_status),
			     &s),
	    0);
	ck_assert_uint_eq(s.kad.u_len, 8);
	ck_assert_mem_eq(s.kad.u, "tag-0001", 8);
}
END_TEST

START_TEST(bytes_behind_the_page_are_no_kad)
{
	uint8_t page[sizeof(captured_status) + 6] = {0};
	struct tape_status s;

	memcpy(page, captured_status, sizeof(captured_status));
	memcpy(page + sizeof(captured_status), "\x01\x00\x00\x02zz", 6);
	ck_assert_int_eq(tape_status_decode(page, sizeof(page), &s), 0);
	ck_assert_uint_eq(s.kad.a_len, 0);
}
END_TEST

START_TEST(modes_without_meaning_are_refused)
{
	uint8_t page[sizeof(captured_status)];
	struct tape_status s;

	memcpy(page, captured_status, sizeof(page));
	page[5] = 3;
	ck_assert_int_eq(tape_status_decode(page, sizeof(page), &s),
	    KMS_ERR_DRIVE);
	page[5] = 2;
	page[6] = 4;
	ck_assert_int_eq(tape_status_decode(page, sizeof(page), &s),
	    KMS_ERR_DRIVE);
}
END_TEST

START_TEST(captured_next_block_both_ways)
{
	struct tape_next_block b;
	uint8_t back[ROOM];
	struct kms_wr w;

	ck_assert_int_eq(tape_next_block_decode(captured_next,
			     sizeof(captured_next), &b),
	    0);
	ck_assert_uint_eq(b.object, 1);
	ck_assert_uint_eq(b.encryption, 5);
	ck_assert_uint_eq(b.compression, 0);
	ck_assert_uint_eq(b.algorithm, 1);
	ck_assert_mem_eq(b.kad.u, "Hello world!", 12);
	kms_wr_fixed(&w, back, sizeof(back));
	tape_next_block_encode(&w, &b);
	ck_assert_uint_eq(w.len, sizeof(captured_next));
	ck_assert_mem_eq(back, captured_next, sizeof(captured_next));
}
END_TEST

START_TEST(management_both_ways)
{
	struct tape_management m;
	uint8_t back[ROOM];
	struct kms_wr w;

	ck_assert_int_eq(tape_management_decode(management, sizeof(management),
			     &m),
	    0);
	ck_assert(m.lock_c && m.ckod_c && m.ckorp_c && m.ckorl_c);
	ck_assert(m.aitn_c && !m.local_c && m.public_c);
	kms_wr_fixed(&w, back, sizeof(back));
	tape_management_encode(&w, &m);
	ck_assert_uint_eq(w.len, sizeof(management));
	ck_assert_mem_eq(back, management, sizeof(management));
}
END_TEST

START_TEST(lists_both_ways)
{
	uint8_t codes[8], back[ROOM];
	uint16_t pages[8];
	struct kms_wr w;
	size_t n;

	ck_assert_int_eq(tape_protocols_decode(protocols, sizeof(protocols),
			     codes, 8, &n),
	    0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(codes[1], 0x20);
	kms_wr_fixed(&w, back, sizeof(back));
	tape_protocols_encode(&w, codes, n);
	ck_assert_mem_eq(back, protocols, sizeof(protocols));
	ck_assert_int_eq(tape_page_list_decode(out_pages, sizeof(out_pages),
			     TAPE_PAGE_OUT_SUPPORT, pages, 8, &n),
	    0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(pages[0], 0x10);
	kms_wr_fixed(&w, back, sizeof(back));
	tape_page_list_encode(&w, TAPE_PAGE_OUT_SUPPORT, pages, n);
	ck_assert_mem_eq(back, out_pages, sizeof(out_pages));
}
END_TEST

START_TEST(a_list_over_the_room_is_refused)
{
	uint8_t codes[1];
	uint16_t pages[1];
	size_t n;

	ck_assert_int_eq(tape_protocols_decode(protocols, sizeof(protocols),
			     codes, 1, &n),
	    KMS_ERR_DRIVE);
	ck_assert_int_eq(tape_page_list_decode((const uint8_t
						       *)"\0\1\0\4\0\1\0\2",
			     8, 1, pages, 1, &n),
	    KMS_ERR_DRIVE);
	ck_assert_int_eq(tape_page_list_decode((const uint8_t *)"\0\1\0\1\0", 5,
			     1, pages, 1, &n),
	    KMS_ERR_DRIVE);
}
END_TEST

START_TEST(another_page_than_asked_for_is_refused)
{
	struct tape_next_block b;
	struct tape_status s;

	ck_assert_int_eq(tape_next_block_decode(captured_status,
			     sizeof(captured_status), &b),
	    KMS_ERR_DRIVE);
	ck_assert_int_eq(tape_status_decode(captured_next,
			     sizeof(captured_next), &s),
	    KMS_ERR_DRIVE);
}
END_TEST

static int
kads(const char *bytes, size_t len, struct tape_kad *k)
{
	struct kms_rd r;

	kms_rd_init(&r, bytes, len);
	return tape_kads_decode(&r, k);
}

START_TEST(one_kad_twice_is_refused)
{
	struct tape_kad k;

	ck_assert_int_eq(kads("\0\0\0\1a\0\0\0\1b", 10, &k), KMS_ERR_DRIVE);
	ck_assert_int_eq(kads("\1\0\0\1a\1\0\0\1b", 10, &k), KMS_ERR_DRIVE);
}
END_TEST

START_TEST(a_kad_over_the_limit_is_refused)
{
	char d[4 + 61] = {0};
	struct tape_kad k;

	d[3] = 33;
	ck_assert_int_eq(kads(d, 4 + 33, &k), KMS_ERR_DRIVE);
	d[3] = 32;
	ck_assert_int_eq(kads(d, 4 + 32, &k), 0);
	ck_assert_uint_eq(k.u_len, 32);
	d[0] = 1;
	d[3] = 61;
	ck_assert_int_eq(kads(d, 4 + 61, &k), KMS_ERR_DRIVE);
	d[3] = 60;
	ck_assert_int_eq(kads(d, 4 + 60, &k), 0);
	ck_assert_uint_eq(k.a_len, 60);
}
END_TEST

START_TEST(other_kads_are_passed_over)
{
	struct tape_kad k;

	ck_assert_int_eq(kads("\2\0\0\2nn\0\1\0\3tag\3\0\0\1m", 18, &k), 0);
	ck_assert_uint_eq(k.u_len, 3);
	ck_assert_mem_eq(k.u, "tag", 3);
	ck_assert_uint_eq(k.a_len, 0);
}
END_TEST

START_TEST(kads_are_trimmed_of_padding_only)
{
	ck_assert_uint_eq(tape_kad_trim((const uint8_t *)"ab\0 \0", 5), 2);
	ck_assert_uint_eq(tape_kad_trim((const uint8_t *)"a b", 3), 3);
	ck_assert_uint_eq(tape_kad_trim((const uint8_t *)"\0\0 ", 3), 0);
	ck_assert_uint_eq(tape_kad_trim((const uint8_t *)"", 0), 0);
}
END_TEST

START_TEST(text_fields_lose_blanks_and_stop_at_rubbish)
{
	char out[6];

	tape_text_take((const uint8_t *)"  HP  ", 6, out, sizeof(out));
	ck_assert_str_eq(out, "HP");
	tape_text_take((const uint8_t *)"ab\ncd", 5, out, sizeof(out));
	ck_assert_str_eq(out, "ab");
	tape_text_take((const uint8_t *)"abcdefgh", 8, out, sizeof(out));
	ck_assert_str_eq(out, "abcde");
	tape_text_take((const uint8_t *)"", 0, out, sizeof(out));
	ck_assert_str_eq(out, "");
}
END_TEST

TCase *
page_tests(void)
{
	TCase *t = tcase_create("page");

	tcase_add_test(t, cdbs_are_as_written);
	tcase_add_test(t, captured_capabilities_both_ways);
	tcase_add_test(t, mhvtl_capabilities_both_ways);
	tcase_add_test(t, a_longer_descriptor_is_stepped_over);
	tcase_add_test(t, more_algorithms_than_known_are_refused);
	tcase_add_test(t, captured_status_both_ways);
	tcase_add_test(t, a_page_length_over_what_came_is_cut_to_it);
	tcase_add_test(t, bytes_behind_the_page_are_no_kad);
	tcase_add_test(t, modes_without_meaning_are_refused);
	tcase_add_test(t, captured_next_block_both_ways);
	tcase_add_test(t, management_both_ways);
	tcase_add_test(t, lists_both_ways);
	tcase_add_test(t, a_list_over_the_room_is_refused);
	tcase_add_test(t, another_page_than_asked_for_is_refused);
	tcase_add_test(t, one_kad_twice_is_refused);
	tcase_add_test(t, a_kad_over_the_limit_is_refused);
	tcase_add_test(t, other_kads_are_passed_over);
	tcase_add_test(t, kads_are_trimmed_of_padding_only);
	tcase_add_test(t, text_fields_lose_blanks_and_stop_at_rubbish);
	return t;
}
