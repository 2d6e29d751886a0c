/*
 * The message sequences of the OASIS profiles (Tape Library, Symmetric Key
 * Lifecycle, Symmetric Key Foundry), as they go over the wire.
 */
#include <time.h>

#include "tests/unit/kmip/world.h"

#define TAG(id) KMIP_TAG_##id

/* --- tape library -------------------------------------------------------- */

#define KAD "31323334353637383930414243444546"

static void
put_tape_create(struct kms_wr *wr, unsigned minor)
{
	size_t at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);

	put_aes(wr, 256);
	put_text_name(wr, "TL-M-2 key");
	if (minor >= 2)
		put_alternative(wr, "ABC123L5");
	put_application(wr, "LIBRARY-LTO", KAD);
	kmip_attr_put_custom(wr, "x-ID", "TL-M-2");
	kmip_attr_put_custom(wr, "x-Barcode", "ABC123L5");
	kmip_attr_put_custom(wr, "x-VendorAttribute1", "a text of the vendor");
	put_custom_int(wr, "x-VendorAttribute2", 0);
	put_custom_date(wr, "x-VendorAttribute3", 1000000000);
	kmip_ttlv_end(wr, at);
}

static void
put_kad(struct kms_wr *wr)
{
	kmip_attr_put_enum(wr, TAG(OBJECT_TYPE), KMIP_OBJECT_SYMMETRIC_KEY);
	put_application(wr, "LIBRARY-LTO", KAD);
}

static void
tape_writes(struct world *w, unsigned minor, uint8_t key[32])
{
	struct talk t;
	struct kmip_item type;

	talk_begin(&t, minor);
	put_tape_create(talk_item(&t, KMIP_OP_CREATE), minor);
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(w, &t);
	talk_ok(&t, 0);
	ck_assert(talk_field(&t, 0, TAG(OBJECT_TYPE), &type));
	talk_ok(&t, 1);
	ck_assert_uint_eq(talk_material(&t, 1, key, 32), 32);
	talk_end(&t);
}

static void
tape_reads(struct world *w, unsigned minor, const uint8_t key[32])
{
	struct talk t;
	uint8_t again[32];

	talk_begin(&t, minor);
	put_kad(talk_item(&t, KMIP_OP_LOCATE));
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(w, &t);
	talk_ok(&t, 0);
	talk_ok(&t, 1);
	ck_assert_uint_eq(talk_material(&t, 1, again, 32), 32);
	ck_assert_mem_eq(again, key, 32);
	talk_end(&t);
}

/* What TL-M-3 expects of a key that was created and fetched. */
static void
tape_lists(struct world *w, unsigned minor)
{
	static const struct {
		const char *name;
		unsigned since;
	} want[] = {{"x-ID", 0}, {"x-Barcode", 0}, {"x-VendorAttribute1", 0},
	    {"x-VendorAttribute2", 0}, {"x-VendorAttribute3", 0},
	    {"Unique Identifier", 0}, {"Object Type", 0},
	    {"Cryptographic Algorithm", 0}, {"Cryptographic Length", 0},
	    {"Application Specific Information", 0},
	    {"Cryptographic Usage Mask", 0}, {"Digest", 0}, {"Initial Date", 0},
	    {"Last Change Date", 0}, {"Lease Time", 0}, {"Name", 0},
	    {"State", 0}, {"Fresh", 1}, {"Alternative Name", 2},
	    {"Original Creation Date", 2}, {"Random Number Generator", 3},
	    {"Always Sensitive", 4}, {"Extractable", 4},
	    {"Never Extractable", 4}, {"Sensitive", 4}};
	struct talk t;
	size_t i;

	talk_begin(&t, minor);
	put_kad(talk_item(&t, KMIP_OP_LOCATE));
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTE_LIST);
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	talk_send(w, &t);
	talk_ok(&t, 1);
	talk_ok(&t, 2);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_msg(talk_has(&t, 2, want[i].name) ==
			(minor >= want[i].since),
		    "%s in 1.%u", want[i].name, minor);
	ck_assert_int_eq(talk_attr_number(&t, 2, "Lease Time"), 3600);
	ck_assert_int_eq(talk_attr_number(&t, 2, "State"),
	    KMIP_STATE_PRE_ACTIVE);
	if (minor >= 1)
		ck_assert_int_eq(talk_attr_number(&t, 2, "Fresh"), 0);
	talk_end(&t);
}

static void
tape_notes(struct world *w, unsigned minor)
{
	struct talk t;
	int64_t now = (int64_t)time(NULL);

	talk_begin(&t, minor);
	put_kad(talk_item(&t, KMIP_OP_LOCATE));
	put_custom_date(talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE),
	    "x-VendorAttribute3", now);
	put_custom_int(talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE),
	    "x-VendorAttribute2", 1);
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	talk_send(w, &t);
	talk_ok(&t, 1);
	talk_ok(&t, 2);
	talk_ok(&t, 3);
	ck_assert_int_eq(talk_attr_number(&t, 3, "x-VendorAttribute3"), now);
	ck_assert_int_eq(talk_attr_number(&t, 3, "x-VendorAttribute2"), 1);
	talk_end(&t);
}

START_TEST(a_tape_library_writes_reads_and_forgets)
{
	unsigned minor = (unsigned)_i;
	struct world w;
	struct talk t;
	uint8_t key[32];

	world_begin(&w);
	world_open(&w);
	world_rule(&w, "library1", "*");
	tape_writes(&w, minor, key);
	tape_reads(&w, minor, key);
	tape_lists(&w, minor);
	tape_notes(&w, minor);
	tape_reads(&w, minor, key);
	talk_begin(&t, minor);
	put_kad(talk_item(&t, KMIP_OP_LOCATE));
	(void)talk_item(&t, KMIP_OP_DESTROY);
	put_kad(talk_item(&t, KMIP_OP_LOCATE));
	talk_send(&w, &t);
	talk_ok(&t, 1);
	talk_ok(&t, 2);
	ck_assert_uint_eq(talk_count(&t, 2, TAG(UNIQUE_IDENTIFIER)), 0);
	talk_end(&t);
	/* the medium is written anew, under the same KAD */
	tape_writes(&w, minor, key);
	world_end(&w);
}
END_TEST

/* --- symmetric key lifecycle and foundry --------------------------------- */

START_TEST(symmetric_key_lifecycle)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];
	static const char *const ten[] = {"State", "Cryptographic Usage Mask",
	    "Unique Identifier", "Object Type", "Cryptographic Algorithm",
	    "Cryptographic Length", "Digest", "Initial Date",
	    "Last Change Date", "Activation Date"};
	size_t i;

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	put_uid(wr, uid);
	for (i = 0; i < 10; i++)
		kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), ten[i]);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	ck_assert(!talk_has(&t, 0, "Activation Date")); /* unset: absent */
	talk_end(&t);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	simple_fails(&w, KMIP_OP_DESTROY, uid, KMIP_REASON_PERMISSION_DENIED);
	talk_begin(&t, 2);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	wr = talk_item(&t, KMIP_OP_REVOKE);
	put_revocation(wr, uid, KMIP_REVOCATION_KEY_COMPROMISE);
	kmip_ttlv_put_date(wr, TAG(COMPROMISE_OCCURRENCE_DATE), 6);
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), uid);
	put_uid(talk_item(&t, KMIP_OP_DESTROY), uid);
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), uid);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	ck_assert_int_eq(talk_attr_number(&t, 1, "State"),
	    KMIP_STATE_COMPROMISED);
	ck_assert_int_eq(talk_attr_number(&t, 1, "Compromise Occurrence Date"),
	    6);
	talk_ok(&t, 2);
	ck_assert_int_eq(talk_attr_number(&t, 3, "State"),
	    KMIP_STATE_DESTROYED_COMPROMISED);
	talk_end(&t);
	world_end(&w);
}
END_TEST

static void
foundry_create(struct world *w, int32_t bits, const char *name,
    char uid[KMS_TAG_TEXT])
{
	struct talk t;
	struct kms_wr *wr;
	size_t at;

	talk_begin(&t, 0);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, bits);
	put_text_name(wr, name);
	kmip_attr_put_text(wr, TAG(CONTACT_INFORMATION), "Joe");
	kmip_ttlv_end(wr, at);
	talk_send(w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
}

START_TEST(symmetric_key_foundry)
{
	static const int32_t bits[] = {128, 192, 256};
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT], found[KMS_TAG_TEXT];
	uint8_t key[32];

	world_begin(&w);
	world_open(&w);
	foundry_create(&w, bits[_i], "SKFF", uid);
	talk_begin(&t, 0);
	put_text_name(talk_item(&t, KMIP_OP_LOCATE), "SKFF");
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(&w, &t);
	talk_uid(&t, 0, 0, found);
	ck_assert_str_eq(uid, found);
	ck_assert_uint_eq(talk_material(&t, 1, key, 32), (size_t)bits[_i] / 8);
	talk_end(&t);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	talk_begin(&t, 0);
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_custom(wr, "x-attribute1", "Value1");
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_custom(wr, "x-attribute2", "Value2");
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_custom(wr, "x-attribute1", "ModifiedValue1");
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_custom(wr, "x-attribute2", "ModifiedValue2");
	wr = talk_item(&t, KMIP_OP_DELETE_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "x-attribute1");
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTE_LIST), uid);
	talk_send(&w, &t);
	ck_assert_uint_eq(t.res->n, 6);
	talk_ok(&t, 5);
	talk_end(&t);
	simple(&w, KMIP_OP_REVOKE, uid);
	simple(&w, KMIP_OP_DESTROY, uid);
	talk_begin(&t, 0);
	put_text_name(talk_item(&t, KMIP_OP_LOCATE), "SKFF");
	talk_send(&w, &t);
	talk_ok(&t, 0);
	ck_assert_uint_eq(talk_count(&t, 0, TAG(UNIQUE_IDENTIFIER)), 0);
	talk_end(&t);
	world_end(&w);
}
END_TEST

TCase *
test_profile(void)
{
	TCase *t = tcase_create("profile");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_tape_library_writes_reads_and_forgets, 0,
	    (int)KMIP_MINOR_MAX + 1);
	tcase_add_test(t, symmetric_key_lifecycle);
	tcase_add_loop_test(t, symmetric_key_foundry, 0, 3);
	return t;
}
