/*
 * How long until keys are served again. From a backup, on a new token: what
 * the restore, both resets, the open and the first release take beyond the
 * two KDFs of the master keys. From paper: what a key of its own phrase takes
 * beyond its KDF. The KDFs are timed alone in the same run, and all
 * by the processor's time: a KDF is nothing else, and other work on the
 * machine does not count.
 *
 *   bench_recovery make DIR [RECORDS]     a store and its backup
 *   bench_recovery from DIR NEW           on the empty token in NEW
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/common.h"
#include "kms/backup.h"
#include "kms/derive.h"
#include "kms/directory.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/release.h"
#include "kms/setup.h"

#define PAPER 41u
#define PAPER_COST 17u /* what is beyond the KDF does not depend on it */
#define BOUND 10.0

static struct kms_secret *
phrase_of(const char *text)
{
	struct kms_secret *s;
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	bench_must("phrase", kms_secret_from(copy, strlen(copy), &s));
	return s;
}

static void
backup_path(char out[1024], const char *dir)
{
	snprintf(out, 1024, "%s/backup.db", dir);
}

static void
make(const char *dir, size_t n)
{
	struct kms_secret *a = phrase_of("bench phrase of the HMK");
	struct kms_secret *b = phrase_of("bench phrase of the KPK");
	const struct kms_setup_master hmk = {.id = "HMK", .phrase = a};
	const struct kms_setup_master kpk = {.id = "KPK", .phrase = b};
	struct kms_backup_options options = {0};
	struct kms_verify_report report;
	static struct kms_backup made;
	static struct bench bench;
	char path[1024];

	backup_path(path, dir);
	options.path = path;
	(void)unlink(path);
	bench_token(&bench, dir, "recovery");
	bench_create(&bench, &hmk, &kpk);
	free(bench_fill(&bench, n));
	bench_must("backup",
	    kms_backup_make(bench.store, &bench.actor, &options, &made,
		&report));
	bench_end(&bench);
	kms_secret_free(&a);
	kms_secret_free(&b);
}

/* --- from a backup ------------------------------------------------------ */

static double
time_kdf(const char *path, enum kms_role role, const struct kms_secret *phrase)
{
	static struct kms_header header;
	struct kms_secret *key = NULL;
	double start;

	bench_must("header", kms_store_read_header(path, &header));
	start = bench_cpu();
	bench_must("KDF",
	    kms_derive_master(phrase,
		&kms_header_find(&header, role, KMS_SLOT_CURRENT)->slot, &key));
	kms_secret_free(&key);
	return bench_cpu() - start;
}

static void
reset(struct bench *b, enum kms_role role, const struct kms_secret *phrase)
{
	struct kms_setup_bound bound;

	bench_must("reset",
	    kms_setup_reset(&b->options, &b->actor, role, phrase, &bound));
}

/* Any key will do: the last one. */
static void
release_one(struct bench *b)
{
	const struct kms_purpose read = {.use = KMS_USE_READ};
	const struct kms_directory_row *row, *last = NULL;
	struct kms_secret *key = NULL;
	struct kms_tx *tx = NULL;
	struct kms_tag tag;
	size_t at = 0;

	bench_must("begin", kms_tx_begin(b->store, &b->actor, KMS_READ, &tx));
	while ((row = kms_directory_next(kms_tx_directory(tx), KMS_KIND_KEY,
		    &at)) != NULL)
		last = row;
	if (last == NULL)
		bench_die("no key", KMS_ERR_NOTFOUND);
	tag = kms_directory_key(kms_tx_directory(tx), last)->tag;
	kms_tx_abort(&tx);
	bench_must("release",
	    kms_release(b->store, &b->actor, &tag, &read, &key));
	kms_secret_free(&key);
}

static bool
from_backup(struct bench *b, const char *dir)
{
	struct kms_secret *hmk = phrase_of("bench phrase of the HMK");
	struct kms_secret *kpk = phrase_of("bench phrase of the KPK");
	struct kms_setup_bound bound;
	double start, cpu, wall, kdf;
	char path[1024];

	backup_path(path, dir);
	start = bench_now();
	cpu = bench_cpu();
	bench_must("restore",
	    kms_setup_restore(&b->options, &b->actor, path, "bench", &bound));
	reset(b, KMS_ROLE_HMK, hmk);
	reset(b, KMS_ROLE_KPK, kpk);
	bench_must("open", kms_store_open(&b->options, &b->store));
	release_one(b);
	wall = bench_now() - start;
	cpu = bench_cpu() - cpu;
	kdf = time_kdf(path, KMS_ROLE_HMK, hmk) +
	    time_kdf(path, KMS_ROLE_KPK, kpk);
	printf("recovery from backup to the first served key: %.2f s by the "
	       "wall; processor %.2f s, of which KDF %.2f s, beyond it %.2f s "
	       "(at most %.0f)%s\n",
	    wall, cpu, kdf, cpu - kdf, BOUND,
	    wall - kdf <= BOUND ? "" : " MISSED");
	kms_secret_free(&hmk);
	kms_secret_free(&kpk);
	return wall - kdf <= BOUND;
}

/* --- from paper --------------------------------------------------------- */

static void
recover(struct bench *b, const struct kms_secret *phrase,
    const struct kms_tag *tag)
{
	struct kms_material m;
	char name[KMS_TAG_TEXT];
	const struct kms_key_new new = {.group = "paper",
	    .name = name,
	    .state = KMS_INACTIVE,
	    .event = KMS_EVENT_KEY_RECOVER,
	    .material = &m};
	static struct kms_key_view view;
	struct kms_tx *tx = NULL;
	bool held;

	kms_tag_text(tag, name);
	bench_must("recover", kms_material_recover(b->store, phrase, tag, &m));
	bench_must("begin", kms_tx_begin(b->store, &b->actor, KMS_WRITE, &tx));
	bench_must("add", kms_key_add(tx, &new, &view, &held));
	bench_must("commit", kms_tx_commit(&tx));
}

static void
from_paper(struct bench *b)
{
	struct kms_secret *phrase = phrase_of("bench phrase of a data key");
	double whole[PAPER], alone[PAPER], start, cpu, kdf;
	struct kms_secret *key = NULL;
	struct kms_tx *tx = NULL;
	uint8_t salt[24] = {0};
	struct kms_tag tag;

	bench_must("begin", kms_tx_begin(b->store, &b->actor, KMS_WRITE, &tx));
	bench_must("group", kms_group_add(tx, "paper", NULL, NULL));
	bench_must("commit", kms_tx_commit(&tx));
	for (size_t i = 0; i < PAPER; i++) {
		salt[0] = (uint8_t)i;
		start = bench_cpu();
		bench_must("KDF",
		    kms_derive_data_new(phrase, PAPER_COST, salt, &tag, &key));
		alone[i] = bench_cpu() - start;
		kms_secret_free(&key);
		start = bench_cpu();
		recover(b, phrase, &tag);
		whole[i] = bench_cpu() - start;
	}
	cpu = bench_median(whole, PAPER);
	kdf = bench_median(alone, PAPER);
	printf("recovery from paper, a key: n %u, processor %.3f s, KDF alone "
	       "%.3f s, beyond it %.1f ms\n",
	    PAPER, cpu, kdf, (cpu - kdf) * 1e3);
	kms_secret_free(&phrase);
}

static bool
from(const char *dir, const char *token)
{
	static struct bench b;
	bool holds;

	bench_token(&b, token, "recovery");
	(void)unlink(b.path);
	holds = from_backup(&b, dir);
	from_paper(&b);
	bench_end(&b);
	return holds;
}

int
main(int argc, char **argv)
{
	bench_must("memory", kms_secret_init(1u << 20, KMS_SECRET_OPTIONAL));
	if (argc >= 3 && strcmp(argv[1], "make") == 0) {
		make(argv[2], argc > 3 ? strtoul(argv[3], NULL, 10) : 10000);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "from") == 0)
		return from(argv[2], argv[3]) ? 0 : 1;
	fprintf(stderr,
	    "usage: bench_recovery make DIR [RECORDS]\n"
	    "       bench_recovery from DIR NEW\n");
	return 2;
}
