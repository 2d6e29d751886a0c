#include "tests/unit/hsm/tests.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "hsm/object.h"

static CK_FUNCTION_LIST *
functions(int flags)
{
	static const char path[] = "/usr/lib/softhsm/libsofthsm2.so";
	CK_C_GetFunctionList get;
	CK_FUNCTION_LIST *f;
	void *dl, *symbol;

	dl = dlopen(path, RTLD_NOW | flags);
	symbol = dl != NULL ? dlsym(dl, "C_GetFunctionList") : NULL;
	ck_assert_ptr_nonnull(symbol);
	memcpy(&get, &symbol, sizeof(get));
	ck_assert_uint_eq(get(&f), CKR_OK);
	return f;
}

static CK_SESSION_HANDLE
session(CK_FUNCTION_LIST *f)
{
	CK_SLOT_ID slot[8];
	CK_ULONG n = 8;
	CK_SESSION_HANDLE h;

	ck_assert_uint_eq(f->C_GetSlotList(CK_TRUE, slot, &n), CKR_OK);
	/* SoftHSM: the uninitialised slot is the last */
	ck_assert_uint_eq(f->C_OpenSession(slot[0],
			      CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
			      &h),
	    CKR_OK);
	return h;
}

/* Below p11fault, if that is in use: the same SoftHSM, its own handles. */
struct raw
raw_open(void)
{
	CK_FUNCTION_LIST *f = functions(RTLD_NOLOAD);

	return (struct raw){f, session(f)};
}

struct raw
raw_login(void)
{
	CK_FUNCTION_LIST *f = functions(0);
	struct raw r = {f, 0};
	size_t len;
	uint8_t *pin;

	ck_assert_uint_eq(f->C_Initialize(NULL), CKR_OK);
	r.h = session(f);
	pin = fx_read(fx, token_path("pin"), &len);
	ck_assert_uint_eq(f->C_Login(r.h, CKU_USER, pin, len - 1), CKR_OK);
	return r;
}

size_t
raw_find(struct raw r, CK_OBJECT_CLASS class, const char *label,
    CK_OBJECT_HANDLE *h, size_t cap)
{
	struct hsm_session s = {.f = r.f, .h = r.h};
	struct hsm_template t;
	size_t n;

	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, class);
	if (label != NULL)
		hsm_template_bytes(&t, CKA_LABEL, label, strlen(label));
	assert_ok(hsm_object_find(&s, &t, h, cap, &n));
	return n;
}

static bool
flag_for(CK_ATTRIBUTE_TYPE type, const CK_ULONG *pairs, bool usual)
{
	for (; *pairs != CK_UNAVAILABLE_INFORMATION; pairs += 2) {
		if (pairs[0] == type)
			return pairs[1] != 0;
	}
	return usual;
}

CK_OBJECT_HANDLE
raw_make(struct raw r, const char *label, const void *id, size_t id_len,
    const CK_ULONG *pairs)
{
	static const struct {
		CK_ATTRIBUTE_TYPE type;
		bool usual;
	} flags[] = {
	    {CKA_TOKEN, true},
	    {CKA_PRIVATE, true},
	    {CKA_SENSITIVE, true},
	    {CKA_EXTRACTABLE, false},
	    {CKA_WRAP, true},
	    {CKA_UNWRAP, true},
	    {CKA_ENCRYPT, false},
	    {CKA_DECRYPT, false},
	    {CKA_SIGN, false},
	    {CKA_VERIFY, false},
	    {CKA_DERIVE, false},
	    {CKA_COPYABLE, false},
	    {CKA_MODIFIABLE, false},
	};
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	CK_OBJECT_HANDLE h;
	struct hsm_template t;

	hsm_template_init(&t);
	hsm_template_number(&t, CKA_VALUE_LEN, 32);
	hsm_template_bytes(&t, CKA_LABEL, label, strlen(label));
	if (id_len > 0)
		hsm_template_bytes(&t, CKA_ID, id, id_len);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		hsm_template_bool(&t, flags[i].type,
		    flag_for(flags[i].type, pairs, flags[i].usual));
	ck_assert_uint_eq(r.f->C_GenerateKey(r.h, &m, t.a, t.n, &h), CKR_OK);
	return h;
}

struct kms_slot
slot_of(enum kms_role role, uint8_t fill)
{
	struct kms_slot slot = {.role = role, .cka_id_len = 16};

	memset(slot.cka_id, fill, 16);
	(void)snprintf(slot.id, sizeof(slot.id), "site-%02x", fill);
	return slot;
}

struct kms_slot
made(enum kms_role role, uint8_t fill)
{
	struct kms_slot slot = slot_of(role, fill);

	assert_ok(sealer->make(sealer, NULL, &slot));
	return slot;
}

struct kms_secret *
secret_of(uint8_t fill)
{
	uint8_t key[KMS_KEY_LEN];
	struct kms_secret *s;

	memset(key, fill, sizeof(key));
	assert_ok(kms_secret_from(key, sizeof(key), &s));
	return s;
}
