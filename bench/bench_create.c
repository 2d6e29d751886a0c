/*
 * What a durable new key costs against its bare parts in one run: one SQLite
 * commit of rows as long as ours in the same mode, and the token's own
 * operations, the anchor included.
 *
 *   bench_create DIR [RECORDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "bench/common.h"
#include "kms/base/buf.h"
#include "kms/base/crypt.h"
#include "kms/key.h"

#define ROUNDS 101u

/* Sealed lengths of the rows that such a change writes. */
#define KEY_ROW 183
#define AUDIT_ROW 123
#define ROOT_ROW 371

struct bare {
	sqlite3 *db;
	sqlite3_stmt *begin, *put, *commit;
	sqlite3_int64 next;
	uint8_t bytes[1024];
};

static sqlite3_stmt *
prepare(struct bare *p, const char *sql)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(p->db, sql, -1, &st, NULL) != SQLITE_OK)
		bench_die(sqlite3_errmsg(p->db), KMS_ERR_IO);
	return st;
}

static void
run(struct bare *p, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		bench_die(sqlite3_errmsg(p->db), KMS_ERR_IO);
	sqlite3_reset(st);
}

static void
put(struct bare *p, sqlite3_int64 id, sqlite3_int64 generation, int len)
{
	sqlite3_bind_int64(p->put, 1, id);
	sqlite3_bind_int64(p->put, 2, generation);
	sqlite3_bind_blob(p->put, 3, p->bytes, len, SQLITE_STATIC);
	run(p, p->put);
}

static void
bare_begin(struct bare *p, const char *dir, size_t n)
{
	static const char
	    setup[] = "PRAGMA page_size = 4096; PRAGMA journal_mode = TRUNCATE;"
		      "PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;"
		      "CREATE TABLE rows(id INTEGER PRIMARY KEY, kind INTEGER, "
		      "generation INTEGER, sealed BLOB);"
		      "CREATE INDEX g ON rows(generation)";
	char path[1024];
	size_t i;

	memset(p, 0, sizeof(*p));
	snprintf(path, sizeof(path), "%s/bare.db", dir);
	(void)unlink(path);
	if (sqlite3_open(path, &p->db) != SQLITE_OK ||
	    sqlite3_exec(p->db, setup, NULL, NULL, NULL) != SQLITE_OK)
		bench_die(path, KMS_ERR_IO);
	p->begin = prepare(p, "BEGIN IMMEDIATE");
	p->put = prepare(p, "REPLACE INTO rows VALUES(?1, 3, ?2, ?3)");
	p->commit = prepare(p, "COMMIT");
	bench_must("random", kms_random(p->bytes, sizeof(p->bytes)));
	run(p, p->begin);
	for (i = 0; i < 2 * n; i++)
		put(p, (sqlite3_int64)i + 2, 1, KEY_ROW);
	run(p, p->commit);
	p->next = (sqlite3_int64)(2 * n) + 2;
}

static void
bare_end(struct bare *p)
{
	sqlite3_finalize(p->begin);
	sqlite3_finalize(p->put);
	sqlite3_finalize(p->commit);
	sqlite3_close(p->db);
}

/* What the token has to do for a key that is born in it, and for an anchor. */
static double
time_parts(struct bench *b, struct bare *p)
{
	static const uint8_t uuid[16] = "bench of anchors";
	struct kms_anchor anchor = {.len = 145}, held[KMS_ANCHORS_MAX];
	struct kms_wrapped w;
	double start = bench_now();
	uint8_t salt[24];
	size_t n;

	/* Never the same twice, or there would be nothing to put. */
	kms_put64(anchor.bytes, (uint64_t)p->next);
	bench_must("random", b->sealer->random(b->sealer, salt, sizeof(salt)));
	bench_must("wrap", b->sealer->wrap(b->sealer, &b->kpk, NULL, &w));
	run(p, p->begin);
	put(p, p->next, p->next, KEY_ROW);
	put(p, p->next + 1, p->next, AUDIT_ROW);
	put(p, 1, p->next, ROOT_ROW);
	p->next += 2;
	bench_must("lock", b->sealer->lock(b->sealer));
	bench_must("get",
	    b->sealer->anchor_get(b->sealer, uuid, held, KMS_ANCHORS_MAX, &n));
	run(p, p->commit);
	bench_must("put", b->sealer->anchor_put(b->sealer, uuid, &anchor));
	b->sealer->unlock(b->sealer);
	return bench_now() - start;
}

static double
time_create(struct bench *b)
{
	struct kms_material m;
	const struct kms_key_new new = {.group = "bench",
	    .state = KMS_PRELIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &m};
	struct kms_key_view view;
	struct kms_tx *tx = NULL;
	double start = bench_now();
	bool held;

	bench_must("key", kms_material_random(b->store, &m));
	bench_must("begin", kms_tx_begin(b->store, &b->actor, KMS_WRITE, &tx));
	bench_must("add", kms_key_add(tx, &new, &view, &held));
	bench_must("commit", kms_tx_commit(&tx));
	return bench_now() - start;
}

int
main(int argc, char **argv)
{
	static double create[ROUNDS], parts[ROUNDS];
	static struct bench b;
	static struct bare p;
	struct bench_result result = {.what = "create",
	    .a_name = "create",
	    .b_name = "parts",
	    .a = create,
	    .b = parts,
	    .rounds = ROUNDS,
	    .bound = 1.3};
	size_t i;
	bool good;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_create DIR [RECORDS]\n");
		return 2;
	}
	result.n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	bench_must("memory", kms_secret_init(1u << 18, KMS_SECRET_OPTIONAL));
	bench_begin(&b, argv[1], "create");
	free(bench_fill(&b, result.n));
	bare_begin(&p, argv[1], result.n);
	for (i = 0; i < ROUNDS; i++) {
		create[i] = time_create(&b);
		parts[i] = time_parts(&b, &p);
	}
	good = bench_report(&result);
	bare_end(&p);
	bench_end(&b);
	return good ? 0 : 1;
}
