/*
 * The token through hsm/ against the bare PKCS#11 calls:
 *
 *   open    load, log in, find and check two keys, close, against the same
 *           calls without any of our checks; each in a fresh process
 *   unwrap  one data key to the host, against C_UnwrapKey, the value read,
 *           C_DestroyObject
 *
 * DIR holds a token made by softhsm-conf/make-token.sh.
 */
#include "bench/common.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsm/datakey.h"
#include "hsm/sealer.h"
#include "kms/base/file.h"

#define ROUNDS 21u
#define UNWRAPS 500u

static char uri[2048], guard[1024], pin[300];
static struct hsm_options options = {.uri = uri, .guard_path = guard};
static struct kms_slot slots[2] = {
    {.role = KMS_ROLE_HMK, .cka_id = {1}, .cka_id_len = 16, .id = "bench"},
    {.role = KMS_ROLE_KPK, .cka_id = {2}, .cka_id_len = 16, .id = "bench"},
};

struct raw {
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE h;
	CK_OBJECT_HANDLE key[2];
};

static void
must(const char *what, CK_RV rv)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "bench: %s: 0x%lx\n", what, rv);
	exit(1);
}

static CK_FUNCTION_LIST *
raw_module(int flags)
{
	CK_C_GetFunctionList get;
	CK_FUNCTION_LIST *f;
	struct hsm_uri *u;
	void *dl, *symbol;

	bench_must("uri", hsm_uri_parse(uri, &u));
	dl = dlopen(hsm_uri_module(u), RTLD_NOW | flags);
	symbol = dl != NULL ? dlsym(dl, "C_GetFunctionList") : NULL;
	if (symbol == NULL)
		bench_die(dlerror(), KMS_ERR_TOKEN);
	hsm_uri_free(&u);
	memcpy(&get, &symbol, sizeof(get));
	must("C_GetFunctionList", get(&f));
	return f;
}

static void
raw_session(struct raw *r)
{
	CK_SLOT_ID slot[8];
	CK_ULONG n = 8;

	must("C_GetSlotList", r->f->C_GetSlotList(CK_TRUE, slot, &n));
	must("C_OpenSession",
	    r->f->C_OpenSession(slot[0], CKF_SERIAL_SESSION | CKF_RW_SESSION,
		NULL, NULL, &r->h));
}

static void
raw_find(struct raw *r)
{
	struct hsm_template t;
	CK_ULONG n;

	for (int i = 0; i < 2; i++) {
		hsm_template_init(&t);
		hsm_template_number(&t, CKA_CLASS, CKO_SECRET_KEY);
		hsm_template_bytes(&t, CKA_ID, slots[i].cka_id, 16);
		must("C_FindObjectsInit",
		    r->f->C_FindObjectsInit(r->h, t.a, t.n));
		must("C_FindObjects",
		    r->f->C_FindObjects(r->h, &r->key[i], 1, &n));
		must("C_FindObjectsFinal", r->f->C_FindObjectsFinal(r->h));
		if (n != 1)
			bench_die("find", KMS_ERR_NOTFOUND);
	}
}

static void
open_raw(void)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	struct raw r = {.f = raw_module(0)};

	must("C_Initialize", r.f->C_Initialize(&args));
	raw_session(&r);
	must("C_Login",
	    r.f->C_Login(r.h, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin)));
	raw_find(&r);
	must("C_Finalize", r.f->C_Finalize(NULL));
}

static void
open_ours(void)
{
	struct kms_sealer *s;

	bench_must("token", hsm_sealer_open(&options, &s));
	bench_must("check", s->check(s, &slots[0]));
	bench_must("check", s->check(s, &slots[1]));
	s->close(&s);
}

/* In a process of its own, from the fork to its end. */
static double
time_process(void (*work)(void))
{
	double start = bench_now();
	int status = 0;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		work();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		bench_die("process", KMS_ERR_INTERNAL);
	return bench_now() - start;
}

static double
time_raw_unwrap(const struct raw *r, const struct kms_wrapped *w)
{
	CK_MECHANISM m = {CKM_AES_KEY_WRAP, NULL, 0};
	uint8_t in[KMS_WRAPPED_MAX], key[KMS_KEY_LEN];
	CK_ATTRIBUTE a = {CKA_VALUE, key, sizeof(key)};
	struct hsm_template t;
	CK_OBJECT_HANDLE h;
	double start = bench_now();

	memcpy(in, w->bytes, w->len);
	for (size_t i = 0; i < UNWRAPS; i++) {
		hsm_datakey_readable(&t, false);
		must("C_UnwrapKey",
		    r->f->C_UnwrapKey(r->h, &m, r->key[1], in, w->len, t.a, t.n,
			&h));
		must("value", r->f->C_GetAttributeValue(r->h, h, &a, 1));
		must("C_DestroyObject", r->f->C_DestroyObject(r->h, h));
	}
	return (bench_now() - start) / UNWRAPS;
}

static double
time_our_unwrap(struct kms_sealer *s, const struct kms_wrapped *w)
{
	struct kms_secret *key;
	double start = bench_now();

	for (size_t i = 0; i < UNWRAPS; i++) {
		bench_must("unwrap", s->unwrap(s, &slots[1], w, &key));
		kms_secret_free(&key);
	}
	return (bench_now() - start) / UNWRAPS;
}

static void
make_keys(void)
{
	struct kms_sealer *s;

	bench_must("token", hsm_sealer_open(&options, &s));
	bench_must("make", s->make(s, NULL, &slots[0]));
	bench_must("make", s->make(s, NULL, &slots[1]));
	s->close(&s);
}

/* The slots' mechanism is not known here: make_keys ran in a child, so that
 * the module is in nobody's memory yet. */
static bool
cold_open(void)
{
	static double ours[ROUNDS], raw[ROUNDS];
	struct bench_result result = {.what = "open",
	    .a_name = "hsm",
	    .b_name = "bare",
	    .a = ours,
	    .b = raw,
	    .rounds = ROUNDS,
	    .bound = 1.3};

	(void)time_process(make_keys);
	slots[0].mech = slots[1].mech = KMS_MECH_AES_KW;
	for (size_t i = 0; i < ROUNDS; i++) {
		raw[i] = time_process(open_raw);
		ours[i] = time_process(open_ours);
	}
	return bench_report(&result);
}

static bool
bench_unwrap(void)
{
	static double ours[ROUNDS], raw[ROUNDS];
	struct bench_result result = {.what = "unwrap",
	    .a_name = "bare",
	    .b_name = "hsm",
	    .a = raw,
	    .b = ours,
	    .rounds = ROUNDS,
	    .bound = 0.95,
	    .at_least = true};
	struct kms_sealer *s;
	struct kms_wrapped w;
	struct raw r;

	bench_must("token", hsm_sealer_open(&options, &s));
	bench_must("make", s->make(s, NULL, &slots[1]));
	bench_must("wrap", s->wrap(s, &slots[1], NULL, &w));
	r.f = raw_module(RTLD_NOLOAD);
	raw_session(&r);
	raw_find(&r);
	for (size_t i = 0; i < ROUNDS; i++) {
		raw[i] = time_raw_unwrap(&r, &w);
		ours[i] = time_our_unwrap(s, &w);
	}
	s->close(&s);
	return bench_report(&result);
}

static void
read_line(const char *dir, const char *name, char *to, size_t size)
{
	char path[1024];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	bench_must(path, kms_file_read(path, size - 1, to, &len));
	to[len] = '\0';
	to[strcspn(to, "\n")] = '\0';
}

int
main(int argc, char **argv)
{
	bool good;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_hsm DIR\n");
		return 2;
	}
	bench_must("memory", kms_secret_init(1u << 18, KMS_SECRET_OPTIONAL));
	read_line(argv[1], "uri", uri, sizeof(uri));
	read_line(argv[1], "pin", pin, sizeof(pin));
	snprintf(guard, sizeof(guard), "%s/pin.guard", argv[1]);
	options.lock_dir = argv[1];
	good = cold_open();
	good = bench_unwrap() && good;
	return good ? 0 : 1;
}
