/*
 * A new KPK and a new HMK for a full store: records a second, everything
 * verified; and in processor time, against the least that moving a data key
 * costs in the token: C_UnwrapKey and C_WrapKey (and C_DestroyObject) in the
 * same run.
 *
 *   bench_rotate DIR [RECORDS]
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common.h"
#include "hsm/datakey.h"
#include "kms/rewrap.h"

#define PAIRS 20000u
#define MODULE "/usr/lib/softhsm/libsofthsm2.so"

struct raw {
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE h;
	CK_OBJECT_HANDLE key;
};

static void
must(const char *what, CK_RV rv)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "bench: %s: 0x%lx\n", what, rv);
	exit(1);
}

/* A session beside those of the sealer, which has loaded the module and is
 * logged in. */
static void
raw_begin(struct raw *r, const struct kms_slot *kpk)
{
	void *dl = dlopen(MODULE, RTLD_NOW | RTLD_NOLOAD), *symbol;
	uint8_t id[KMS_CKAID_MAX];
	CK_C_GetFunctionList get;
	struct hsm_template t;
	CK_SLOT_ID slot[8];
	CK_ULONG n = 8;

	symbol = dl != NULL ? dlsym(dl, "C_GetFunctionList") : NULL;
	if (symbol == NULL)
		bench_die(MODULE, KMS_ERR_TOKEN);
	memcpy(&get, &symbol, sizeof(get));
	must("C_GetFunctionList", get(&r->f));
	must("C_GetSlotList", r->f->C_GetSlotList(CK_TRUE, slot, &n));
	must("C_OpenSession",
	    r->f->C_OpenSession(slot[0], CKF_SERIAL_SESSION | CKF_RW_SESSION,
		NULL, NULL, &r->h));
	memcpy(id, kpk->cka_id, kpk->cka_id_len);
	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_SECRET_KEY);
	hsm_template_bytes(&t, CKA_ID, id, kpk->cka_id_len);
	must("C_FindObjectsInit", r->f->C_FindObjectsInit(r->h, t.a, t.n));
	must("C_FindObjects", r->f->C_FindObjects(r->h, &r->key, 1, &n));
	must("C_FindObjectsFinal", r->f->C_FindObjectsFinal(r->h));
	if (n != 1)
		bench_die("KPK", KMS_ERR_NOTFOUND);
}

/* Seconds of the processor for one pair. */
static double
time_pair(const struct raw *r, const struct kms_wrapped *w)
{
	CK_MECHANISM m = {CKM_AES_KEY_WRAP, NULL, 0};
	uint8_t in[KMS_WRAPPED_MAX], out[KMS_WRAPPED_MAX];
	struct hsm_template t;
	CK_OBJECT_HANDLE h;
	double start = bench_cpu();
	CK_ULONG len;

	memcpy(in, w->bytes, w->len);
	for (size_t i = 0; i < PAIRS; i++) {
		hsm_datakey_hidden(&t);
		must("C_UnwrapKey",
		    r->f->C_UnwrapKey(r->h, &m, r->key, in, w->len, t.a, t.n,
			&h));
		len = sizeof(out);
		must("C_WrapKey",
		    r->f->C_WrapKey(r->h, &m, r->key, h, out, &len));
		must("C_DestroyObject", r->f->C_DestroyObject(r->h, h));
	}
	return (bench_cpu() - start) / PAIRS;
}

struct stages {
	double moved; /* when the last row was */
};

static void
note(void *arg, enum kms_rewrap_stage stage, uint64_t done, uint64_t all)
{
	struct stages *s = arg;

	if (stage == KMS_REWRAP_MOVE && done == all)
		s->moved = bench_now();
}

static void
rotate(struct bench *b, enum kms_role role, double pair)
{
	const struct kms_setup_master want = {.id = "rotated"};
	struct stages stages = {0};
	struct kms_rewrap job = {
	    .role = role,
	    .want = &want,
	    .progress = note,
	    .arg = &stages,
	};
	double start = bench_now(), cpu = bench_cpu(), end, each;

	bench_must("rotation", kms_rewrap(b->store, &b->actor, &job));
	end = bench_now();
	cpu = (bench_cpu() - cpu) / (double)job.moved;
	each = (end - start) / (double)job.moved;
	printf("rotate %s: %llu rows in %.1f s (moved in %.1f, verified in "
	       "%.1f): %.0f rows/s; of the processor %.1f us each, bare pair "
	       "%.1f us, so at %.2f of its rate\n",
	    kms_role_name(role), (unsigned long long)job.moved, end - start,
	    stages.moved - start, end - stages.moved, 1 / each, cpu * 1e6,
	    pair * 1e6, pair / cpu);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static struct bench b;
	struct raw raw;
	double pair;
	size_t n;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_rotate DIR [RECORDS]\n");
		return 2;
	}
	n = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	bench_must("memory", kms_secret_init(1u << 20, KMS_SECRET_OPTIONAL));
	bench_begin(&b, argv[1], "rotate");
	free(bench_fill(&b, n));
	raw_begin(&raw, &b.kpk);
	pair = time_pair(&raw, &b.material.wrapped);
	rotate(&b, KMS_ROLE_KPK, pair);
	rotate(&b, KMS_ROLE_HMK, pair);
	must("C_CloseSession", raw.f->C_CloseSession(raw.h));
	bench_end(&b);
	return 0;
}
