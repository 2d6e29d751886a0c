/* Objects made, registered, fetched: the same bytes come back, and only to
 * whom they may. */
#include "tests/unit/kmip/world.h"

#include <string.h>

#define TAG(id) KMIP_TAG_##id

START_TEST(a_key_is_created_and_fetched)
{
	struct world w;
	uint8_t a[32], b[32], zero[32] = {0};
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k1", NULL, 256, uid);
	ck_assert_uint_eq(strlen(uid), 64);
	get_bytes(&w, uid, a, 32);
	get_bytes(&w, uid, b, 32);
	ck_assert_mem_eq(a, b, 32);
	ck_assert_mem_ne(a, zero, 32);
	world_end(&w);
}
END_TEST

START_TEST(shorter_aes_keys_are_kept_sealed)
{
	static const int32_t bits[] = {128, 192};
	struct world w;
	uint8_t a[32], b[32];
	char uid[KMS_TAG_TEXT];
	size_t i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 2; i++) {
		size_t len = (size_t)bits[i] / 8;

		create_key(&w, NULL, NULL, bits[i], uid);
		ck_assert_uint_eq(strlen(uid), 32);
		get_bytes(&w, uid, a, len);
		get_bytes(&w, uid, b, len);
		ck_assert_mem_eq(a, b, len);
	}
	world_end(&w);
}
END_TEST

TCase *
test_object(void)
{
	TCase *t = tcase_create("object");

	tcase_add_test(t, a_key_is_created_and_fetched);
	tcase_add_test(t, shorter_aes_keys_are_kept_sealed);
	return t;
}
