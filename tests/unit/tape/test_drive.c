#include "tests/unit/tape/suite.h"

#include <string.h>

#include "tape/medium.h"
#include "tests/unit/tape/mock.h"

static struct mock m;

static void
fresh(void)
{
	mock_init(&m);
}

START_TEST(a_drive_says_who_it_is)
{
	struct tape_drive *d = mock_drive(&m);
	const struct tape_identity *id = tape_drive_identity(d);

	ck_assert_str_eq(id->vendor, "P11KMS");
	ck_assert_str_eq(id->product, "ULT3580-TD5");
	ck_assert_str_eq(id->revision, "0001");
	ck_assert_str_eq(id->serial, "0123456789");
	tape_drive_close(&d);
	ck_assert_ptr_null(d);
	ck_assert_uint_eq(m.closed, 1);
}
END_TEST

START_TEST(a_changer_is_no_drive)
{
	struct tape_transport *t = &m.t;
	struct tape_drive *d = (void *)1;

	m.type = 8;
	ck_assert_int_eq(tape_drive_open(&t, &d), KMS_ERR_DRIVE);
	ck_assert_ptr_null(d);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(m.closed, 1);
}
END_TEST

static int
short_inquiry(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	(void)k;
	if (c->cdb[0] == 0x12)
		r->got = 35;
	return 0;
}

START_TEST(a_short_inquiry_is_refused)
{
	struct tape_transport *t = &m.t;
	struct tape_drive *d;

	m.after = short_inquiry;
	ck_assert_int_eq(tape_drive_open(&t, &d), KMS_ERR_DRIVE);
}
END_TEST

static bool
no_serial(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	(void)k;
	*err = 0;
	if (c->cdb[0] != 0x12 || c->cdb[1] != 1)
		return false;
	mock_check(r, 5, 0x24, 0);
	return true;
}

START_TEST(a_drive_without_serial_still_opens)
{
	m.before = no_serial;
	struct tape_drive *d = mock_drive(&m);

	ck_assert_str_eq(tape_drive_identity(d)->serial, "");
	tape_drive_close(&d);
}
END_TEST

START_TEST(generations_are_told_by_the_products_name)
{
	static const struct {
		const char *product;
		unsigned generation;
	} names[] = {{"ULT3580-TD8", 8}, {"ULTRIUM-HH6", 6},
	    {"Ultrium 5-SCSI", 5}, {"ULTRIUM 4", 4}, {"ULT3580-HH9", 9},
	    {"T10000B", 0}, {"", 0}, {"LTO-7 HH", 7}};
	struct tape_identity id = {0};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		strcpy(id.product, names[i].product);
		ck_assert_uint_eq(tape_drive_generation(&id),
		    names[i].generation);
	}
}
END_TEST

/* Unit attention after unit attention, count of them in m.count. */
static bool
attentions(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	*err = 0;
	if (c->cdb[0] == 0x12 || k->count == 0)
		return false;
	k->count--;
	mock_check(r, 6, 0x29, 0);
	return true;
}

START_TEST(unit_attentions_are_taken_twice_and_noted)
{
	struct tape_drive *d = mock_drive(&m);
	struct tape_status s;

	m.before = attentions;
	m.count = 2;
	ck_assert_int_eq(tape_drive_status(d, &s), 0);
	ck_assert(tape_drive_noted(d).reset);
	ck_assert(!tape_drive_noted(d).medium);
	m.count = 3;
	ck_assert_int_eq(tape_drive_status(d, &s), KMS_ERR_BUSY);
	ck_assert_uint_eq(m.count, 0);
	tape_drive_close(&d);
}
END_TEST

START_TEST(each_kind_of_attention_is_noted_as_such)
{
	struct tape_drive *d = mock_drive(&m);
	struct tape_status s;

	m.attention = 0x2800;
	ck_assert_int_eq(tape_drive_status(d, &s), 0);
	ck_assert(tape_drive_noted(d).medium);
	m.attention = 0x2A11;
	ck_assert_int_eq(tape_drive_status(d, &s), 0);
	ck_assert(tape_drive_noted(d).key);
	ck_assert(!tape_drive_noted(d).reset);
	m.attention = 0x2A14;
	ck_assert_int_eq(tape_drive_status(d, &s), 0);
	ck_assert(!tape_drive_noted(d).reset);
	tape_drive_close(&d);
}
END_TEST

static int
overfull(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	(void)k;
	if (c->cdb[0] == 0xA2)
		r->got = c->len + 1;
	return 0;
}

START_TEST(more_bytes_than_room_are_an_error)
{
	struct tape_drive *d = mock_drive(&m);
	struct tape_status s;

	m.after = overfull;
	ck_assert_int_eq(tape_drive_status(d, &s), KMS_ERR_IO);
	tape_drive_close(&d);
}
END_TEST

START_TEST(the_state_shows_what_is_loaded_and_what_comes)
{
	struct tape_drive *d = mock_drive(&m);
	struct kms_secret *key = mock_key(7);
	struct tape_load l = mock_write(key);
	struct tape_loaded loaded;
	struct tape_drive_state st;

	ck_assert_int_eq(tape_drive_state(d, &st), 0);
	ck_assert(st.medium && !st.loaded);
	ck_assert_int_eq(st.next, TAPE_NEXT_UNKNOWN);
	m.nbes = 6;
	m.block_kad = l.kad;
	memset(m.block_key, 9, sizeof(m.block_key));
	ck_assert_int_eq(tape_drive_load(d, &l, &loaded), 0);
	ck_assert_int_eq(tape_drive_state(d, &st), 0);
	ck_assert(st.loaded);
	ck_assert_uint_eq(st.algorithm, 0x00010014);
	ck_assert_str_eq(tape_algorithm_name(st.algorithm), "AES-256-GCM");
	ck_assert_int_eq(st.next, TAPE_NEXT_LOCKED);
	ck_assert_mem_eq(st.block.kad.u, l.kad.u, 32);
	kms_secret_free(&key);
	tape_drive_close(&d);
}
END_TEST

/* MODE SENSE's answer: its bytes, or a descriptor that is missing. */
static const uint8_t *mode;

static bool
mode_sense(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	if (c->cdb[0] != 0x1A)
		return false;
	ck_assert_uint_eq(c->len, 12);
	k->count++;
	r->got = 4u + mode[3];
	memcpy(c->in, mode, r->got);
	*err = 0;
	return true;
}

START_TEST(the_block_length_is_the_drives)
{
	static const uint8_t variable[12] = {11, 0, 0x10, 8, 0x5E};
	static const uint8_t fixed[12] = {11, 0, 0x10, 8, 0x5E, 0, 0, 0, 0, 1,
	    2, 3};
	static const uint8_t bare[12] = {3, 0, 0x10};
	struct tape_drive *d = mock_drive(&m);
	uint32_t len = 7;

	m.before = mode_sense;
	mode = variable;
	ck_assert_int_eq(tape_drive_block_len(d, &len), 0);
	ck_assert_uint_eq(len, 0);
	mode = fixed;
	ck_assert_int_eq(tape_drive_block_len(d, &len), 0);
	ck_assert_uint_eq(len, 0x010203);
	mode = bare;
	ck_assert_int_eq(tape_drive_block_len(d, &len), KMS_ERR_DRIVE);
	ck_assert_uint_eq(m.count, 3);
	tape_drive_close(&d);
}
END_TEST

START_TEST(an_empty_drive_has_a_state_too)
{
	struct tape_drive *d = mock_drive(&m);
	struct tape_drive_state st;

	m.medium = false;
	ck_assert_int_eq(tape_drive_state(d, &st), 0);
	ck_assert(!st.medium && !st.loaded);
	tape_drive_close(&d);
}
END_TEST

START_TEST(next_block_states_are_told_apart)
{
	static const enum tape_next want[] = {TAPE_NEXT_UNKNOWN,
	    TAPE_NEXT_UNKNOWN, TAPE_NEXT_MARK, TAPE_NEXT_CLEAR,
	    TAPE_NEXT_UNSUPPORTED, TAPE_NEXT_READABLE, TAPE_NEXT_LOCKED};
	struct tape_drive *d = mock_drive(&m);
	struct tape_next_block b;
	enum tape_next next;

	for (uint8_t i = 0; i < 7; i++) {
		m.nbes = i;
		ck_assert_int_eq(tape_drive_next(d, &next, &b), 0);
		ck_assert_int_eq(next, want[i]);
	}
	m.nbes = 7;
	ck_assert_int_eq(tape_drive_next(d, &next, &b), KMS_ERR_DRIVE);
	tape_drive_close(&d);
}
END_TEST

static bool
next_refused(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	*err = 0;
	if (!mock_is_page(c, TAPE_PAGE_NEXT_BLOCK))
		return false;
	mock_check(r, (uint8_t)(k->count >> 16), (uint8_t)(k->count >> 8),
	    (uint8_t)k->count);
	return true;
}

START_TEST(not_being_able_to_tell_is_no_error)
{
	static const unsigned codes[] = {0x81403, 0x80005, 0x23A00, 0x20402,
	    0x52400, 0x31100};
	struct tape_drive *d = mock_drive(&m);
	struct tape_next_block b;
	enum tape_next next;

	m.before = next_refused;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		m.count = codes[i];
		ck_assert_int_eq(tape_drive_next(d, &next, &b), 0);
		ck_assert_int_eq(next, TAPE_NEXT_UNKNOWN);
	}
	m.count = 0x44400;
	ck_assert_int_eq(tape_drive_next(d, &next, &b), KMS_ERR_DRIVE);
	tape_drive_close(&d);
}
END_TEST

static bool
not_a_tde_drive(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	(void)k;
	*err = 0;
	if (c->cdb[0] != 0xA2)
		return false;
	mock_check(r, 5, 0x20, 0);
	return true;
}

static bool
library(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	(void)k;
	*err = 0;
	if (!mock_is_page(c, TAPE_PAGE_CAPABILITIES))
		return false;
	mock_check(r, 5, 0x74, 0x21);
	return true;
}

START_TEST(what_a_drive_can_is_told_without_error)
{
	struct tape_drive *d = mock_drive(&m);
	enum tape_ability a;

	ck_assert_int_eq(tape_drive_ability(d, &a), 0);
	ck_assert_int_eq(a, TAPE_ABLE);
	m.n_protocols = 1;
	ck_assert_int_eq(tape_drive_ability(d, &a), 0);
	ck_assert_int_eq(a, TAPE_SWITCHED_OFF);
	m.n_protocols = 2;
	m.caps.cfg_p = 2;
	ck_assert_int_eq(tape_drive_ability(d, &a), 0);
	ck_assert_int_eq(a, TAPE_LIBRARY);
	m.before = library;
	ck_assert_int_eq(tape_drive_ability(d, &a), 0);
	ck_assert_int_eq(a, TAPE_LIBRARY);
	m.before = not_a_tde_drive;
	ck_assert_int_eq(tape_drive_ability(d, &a), 0);
	ck_assert_int_eq(a, TAPE_ABLE_NOT);
	tape_drive_close(&d);
}
END_TEST

START_TEST(every_state_has_a_name_of_its_own)
{
	const char *names[40];
	size_t n = 0;

	for (int i = TAPE_ABLE; i <= TAPE_LIBRARY; i++)
		names[n++] = tape_ability_name((enum tape_ability)i);
	names[n++] = "";
	for (int i = TAPE_NEXT_UNKNOWN; i <= TAPE_NEXT_LOCKED; i++)
		names[n++] = tape_next_name((enum tape_next)i);
	names[n++] = "";
	for (int i = TAPE_ENC_DISABLE; i <= TAPE_ENC_ENCRYPT; i++)
		names[n++] = tape_enc_name((enum tape_enc_mode)i);
	names[n++] = "";
	for (int i = TAPE_DEC_DISABLE; i <= TAPE_DEC_MIXED; i++)
		names[n++] = tape_dec_name((enum tape_dec_mode)i);
	names[n++] = "";
	for (uint8_t i = 0; i <= 5; i++)
		names[n++] = tape_control_name(i);
	for (size_t i = 1; i < n; i++)
		ck_assert_str_ne(names[i - 1], names[i]);
	ck_assert_str_eq(tape_control_name(3), "library");
	ck_assert_str_eq(tape_control_name(200), "reserved");
	ck_assert_str_eq(tape_algorithm_name(0x00010010), "AES-256-CCM");
	ck_assert_ptr_null(tape_algorithm_name(0));
}
END_TEST

/* READ ATTRIBUTE as an LTO cartridge answers; count 1: no barcode in it. */
static bool
attributes(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	static const uint8_t serial[] = {0, 0, 0, 37, 0x04, 0x01, 0x80, 0, 32,
	    'H', 'A', '1', '7', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	    ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	    ' ', ' ', ' ', ' ', ' ', ' '};
	static const uint8_t barcode[] = {0, 0, 0, 18, 0x08, 0x06, 0x01, 0, 8,
	    'A', '0', '0', '0', '0', '1', 'L', '5', 0x08, 0x07, 0x01, 0, 0};
	uint16_t id = kms_get16(c->cdb + 8);

	*err = 0;
	if (c->cdb[0] != 0x8C)
		return false;
	if (id == 0x0401) {
		memcpy(c->in, serial, sizeof(serial));
		r->got = sizeof(serial);
	} else if (k->count == 0) {
		memcpy(c->in, barcode, sizeof(barcode));
		r->got = sizeof(barcode);
	} else {
		mock_check(r, 5, 0x24, 0);
	}
	return true;
}

START_TEST(a_cartridge_tells_barcode_and_serial)
{
	struct tape_drive *d = mock_drive(&m);
	struct tape_medium tape;

	m.before = attributes;
	ck_assert_int_eq(tape_medium_read(d, &tape), 0);
	ck_assert_str_eq(tape.barcode, "A00001L5");
	ck_assert_str_eq(tape.serial, "HA17");
	m.count = 1;
	ck_assert_int_eq(tape_medium_read(d, &tape), 0);
	ck_assert_str_eq(tape.barcode, "");
	ck_assert_str_eq(tape.serial, "HA17");
	tape_drive_close(&d);
}
END_TEST

START_TEST(a_drive_without_read_attribute_names_no_tape)
{
	struct tape_drive *d = mock_drive(&m);
	struct tape_medium tape;

	ck_assert_int_eq(tape_medium_read(d, &tape), 0);
	ck_assert_str_eq(tape.barcode, "");
	ck_assert_str_eq(tape.serial, "");
	tape_drive_close(&d);
}
END_TEST

/* Lists that lie about their lengths: k->count bytes of ones follow. */
static bool
lying_attributes(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	*err = 0;
	if (c->cdb[0] != 0x8C)
		return false;
	memset(c->in, 0xFF, c->len);
	r->got = k->count;
	return true;
}

START_TEST(an_attribute_list_that_lies_names_no_tape)
{
	struct tape_drive *d = mock_drive(&m);
	struct tape_medium tape;

	m.before = lying_attributes;
	for (m.count = 0; m.count <= 512; m.count += 7) {
		ck_assert_int_eq(tape_medium_read(d, &tape), 0);
		ck_assert_str_eq(tape.barcode, "");
	}
	tape_drive_close(&d);
}
END_TEST

TCase *
drive_tests(void)
{
	TCase *t = tcase_create("drive");

	tcase_add_checked_fixture(t, fresh, NULL);
	tcase_add_test(t, a_drive_says_who_it_is);
	tcase_add_test(t, a_changer_is_no_drive);
	tcase_add_test(t, a_short_inquiry_is_refused);
	tcase_add_test(t, a_drive_without_serial_still_opens);
	tcase_add_test(t, generations_are_told_by_the_products_name);
	tcase_add_test(t, unit_attentions_are_taken_twice_and_noted);
	tcase_add_test(t, each_kind_of_attention_is_noted_as_such);
	tcase_add_test(t, more_bytes_than_room_are_an_error);
	tcase_add_test(t, the_state_shows_what_is_loaded_and_what_comes);
	tcase_add_test(t, the_block_length_is_the_drives);
	tcase_add_test(t, an_empty_drive_has_a_state_too);
	tcase_add_test(t, next_block_states_are_told_apart);
	tcase_add_test(t, not_being_able_to_tell_is_no_error);
	tcase_add_test(t, what_a_drive_can_is_told_without_error);
	tcase_add_test(t, every_state_has_a_name_of_its_own);
	return t;
}

TCase *
medium_tests(void)
{
	TCase *t = tcase_create("medium");

	tcase_add_checked_fixture(t, fresh, NULL);
	tcase_add_test(t, a_cartridge_tells_barcode_and_serial);
	tcase_add_test(t, a_drive_without_read_attribute_names_no_tape);
	tcase_add_test(t, an_attribute_list_that_lies_names_no_tape);
	return t;
}
