/*
 * How long a store takes to open, everything verified and in memory, against
 * the least that verifying must do: a loop that reads the same rows with
 * SQLite and opens them with AES-256-GCM. Alternating in the same run, file
 * in the cache; the median of each, their ratio, and the memory that an open
 * store holds. The stores are made by the product itself: key records in
 * groups of a thousand, each with its audit row, a soft token.
 *
 *   bench_open DIR [RECORDS...]
 */
#include <malloc.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/common.h"
#include "kms/base/crypt.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/setup.h"
#include "tests/lib/soft_sealer.h"

#define PER_GROUP 1000u /* and per transaction */
#define ROUNDS_MAX 9u
#define TARGET 1.5

static void
ok(int r)
{
	bench_must("bench_open", r);
}

struct place {
	char path[4096];
	struct kms_sealer *sealer;
	struct kms_store_options options;
	struct kms_actor actor;
};

static double
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Time by the wall and of the processor, for each round. */
struct watch {
	double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];
	size_t n;
};

static void
start(struct watch *w)
{
	w->wall[w->n] = now(CLOCK_MONOTONIC);
	w->cpu[w->n] = now(CLOCK_PROCESS_CPUTIME_ID);
}

static void
stop(struct watch *w)
{
	w->cpu[w->n] = now(CLOCK_PROCESS_CPUTIME_ID) - w->cpu[w->n];
	w->wall[w->n] = now(CLOCK_MONOTONIC) - w->wall[w->n];
	w->n++;
}

/* --- the store --------------------------------------------------------- */

static void
add_keys(struct kms_store *store, const struct kms_actor *actor, unsigned group,
    unsigned n)
{
	struct kms_material material;
	struct kms_key_new new = {.event = KMS_EVENT_KEY_CREATE,
	    .state = KMS_PRELIVE,
	    .description = "made by bench_open",
	    .material = &material};
	static struct kms_key_view view;
	char group_name[32], name[32];
	struct kms_tx *tx;
	unsigned i;
	bool held;

	snprintf(group_name, sizeof(group_name), "ENCR_pool_%u", group);
	ok(kms_tx_begin(store, actor, KMS_WRITE, &tx));
	ok(kms_group_add(tx, group_name, "a pool", NULL));
	new.group = group_name;
	new.name = name;
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "ENCR_pool_%u-%u", group, i);
		ok(kms_material_random(store, &material));
		ok(kms_key_add(tx, &new, &view, &held));
	}
	ok(kms_tx_commit(&tx));
}

static void
make(struct place *p, const char *dir, unsigned records)
{
	const struct kms_setup_master hmk = {.id = "HMK"}, kpk = {.id = "KPK"};
	struct kms_store *store;
	unsigned i;

	snprintf(p->path, sizeof(p->path), "%s/open-%u", dir, records);
	if (mkdir(p->path, 0700) != 0)
		bench_die(p->path, KMS_ERR_IO);
	snprintf(p->path, sizeof(p->path), "%s/open-%u/kms.db", dir, records);
	ok(soft_sealer_new(NULL, &p->sealer));
	kms_actor_local(&p->actor);
	p->options = (struct kms_store_options){.path = p->path,
	    .sealer = p->sealer,
	    .policy = KMS_POLICY_DEFAULT,
	    .wait_ms = 10000};
	ok(kms_setup_create(&p->options, &p->actor, &hmk, &kpk));
	ok(kms_store_open(&p->options, &store));
	for (i = 0; i < records; i += PER_GROUP)
		add_keys(store, &p->actor, i / PER_GROUP,
		    records - i < PER_GROUP ? records - i : PER_GROUP);
	kms_store_close(&store);
}

static void
drop(struct place *p)
{
	char *end = strrchr(p->path, '/');
	size_t len = strlen(p->path);

	p->sealer->close(&p->sealer);
	unlink(p->path);
	strcpy(p->path + len, "-journal");
	unlink(p->path);
	strcpy(end, "/kms.log");
	unlink(p->path);
	*end = '\0';
	if (rmdir(p->path) != 0)
		fprintf(stderr, "bench_open: %s is left over\n", p->path);
}

/* --- the two that are compared ----------------------------------------- */

static struct kms_secret *
row_key(struct place *p, uint8_t uuid[16])
{
	const struct kms_bytes info = {"p11kms/1/row", 12};
	static struct kms_header header;
	struct kms_header_slot *hmk;
	struct kms_secret *file_key, *key;

	ok(kms_store_read_header(p->path, &header));
	hmk = kms_header_find(&header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	ok(p->sealer->unwrap(p->sealer, &hmk->slot, &hmk->file_key, &file_key));
	ok(kms_hkdf(file_key, info, KMS_KEY_LEN, &key));
	memcpy(uuid, header.uuid, 16);
	kms_secret_free(&file_key);
	return key;
}

/* sealed: slot(2) | nonce(12) | text | tag(16) */
static void
open_row(EVP_CIPHER_CTX *ctx, uint8_t aad[38], sqlite3_stmt *st)
{
	static uint8_t plain[1 << 20];
	const uint8_t *sealed = sqlite3_column_blob(st, 3);
	int len = sqlite3_column_bytes(st, 3) - 30, n;
	uint8_t tag[16];

	kms_put16(aad + 18, (uint16_t)sqlite3_column_int(st, 1));
	kms_put64(aad + 20, (uint64_t)sqlite3_column_int64(st, 0));
	kms_put64(aad + 28, (uint64_t)sqlite3_column_int64(st, 2));
	memcpy(aad + 36, sealed, 2);
	memcpy(tag, sealed + 14 + len, 16);
	if (EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, sealed + 2) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &n, aad, 38) != 1 ||
	    EVP_DecryptUpdate(ctx, plain, &n, sealed + 14, len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) != 1 ||
	    EVP_DecryptFinal_ex(ctx, plain + n, &n) != 1)
		bench_die("a row does not open", KMS_ERR_DAMAGED);
}

static unsigned
bare(struct place *p, const struct kms_secret *key, const uint8_t uuid[16])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t aad[38] = {0};
	sqlite3_stmt *st;
	unsigned rows = 0;
	sqlite3 *db;

	memcpy(aad, uuid, 16);
	kms_put16(aad + 16, 1);
	if (sqlite3_open_v2(p->path, &db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
		NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db,
		"SELECT id, kind, generation, sealed FROM rows ORDER BY id", -1,
		&st, NULL) != SQLITE_OK ||
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
		kms_secret_bytes(key), NULL) != 1)
		bench_die("bare loop", KMS_ERR_IO);
	while (sqlite3_step(st) == SQLITE_ROW) {
		open_row(ctx, aad, st);
		rows++;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	EVP_CIPHER_CTX_free(ctx);
	return rows;
}

static size_t
heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void
report(unsigned records, unsigned rows, size_t held, struct watch *loop,
    struct watch *whole)
{
	double a = bench_median(loop->wall, loop->n);
	double b = bench_median(whole->wall, whole->n);
	double cpu = bench_median(whole->cpu, whole->n) /
	    bench_median(loop->cpu, loop->n);

	printf("open n=%u rows=%u: bare %.1f ms, open %.1f ms (%.2f us/row), "
	       "ratio %.2f, of processor time %.2f (at most %.1f); memory "
	       "%.0f B/record, %.0f B/row; medians of %zu\n",
	    records, rows, a * 1e3, b * 1e3, b * 1e6 / rows, b / a, cpu, TARGET,
	    (double)held / records, (double)held / rows, loop->n);
	fflush(stdout);
}

static void
compare(const char *dir, unsigned records)
{
	size_t rounds = records >= 500000 ? 3 : ROUNDS_MAX, i, held = 0;
	struct watch loop = {.n = 0}, whole = {.n = 0};
	struct kms_secret *key;
	struct kms_store *store;
	struct place p;
	unsigned rows;
	uint8_t uuid[16];

	make(&p, dir, records);
	key = row_key(&p, uuid);
	rows = bare(&p, key, uuid); /* into the cache */
	for (i = 0; i < rounds; i++) {
		start(&loop);
		(void)bare(&p, key, uuid);
		stop(&loop);
		held = heap();
		start(&whole);
		ok(kms_store_open(&p.options, &store));
		stop(&whole);
		held = heap() - held;
		kms_store_close(&store);
	}
	report(records, rows, held, &loop, &whole);
	kms_secret_free(&key);
	drop(&p);
}

int
main(int argc, char **argv)
{
	static const unsigned usual[] = {1000, 100000, 1000000};
	int i;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_open DIR [RECORDS...]\n");
		return 2;
	}
	ok(kms_secret_init(1u << 20, KMS_SECRET_OPTIONAL));
	for (i = 0; argc == 2 && i < 3; i++)
		compare(argv[1], usual[i]);
	for (i = 2; i < argc; i++)
		compare(argv[1], (unsigned)strtoul(argv[i], NULL, 10));
	return 0;
}
