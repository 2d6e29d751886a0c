/* A store in a directory of its own, on a token in memory or in a file, and
 * the few steps that most tests begin with. A failure aborts the test. */
#ifndef TESTS_UNIT_KMS_STORES_H
#define TESTS_UNIT_KMS_STORES_H

#include <check.h>

#include "kms/group.h"
#include "kms/key.h"
#include "kms/material.h"
#include "kms/release.h"
#include "kms/setup.h"
#include "kms/store.h"
#include "tests/lib/fixture.h"
#include "tests/lib/soft_sealer.h"

TCase *test_store(void);
TCase *test_tamper(void);
TCase *test_age(void);
TCase *test_tx(void);
TCase *test_setup(void);
TCase *test_group(void);
TCase *test_key(void);
TCase *test_gate(void);
TCase *test_release(void);
TCase *test_crypt(void);
TCase *test_verify(void);
TCase *test_backup(void);
TCase *test_bind(void);
TCase *test_rewrap(void);
TCase *test_rewrap_killed(void);
TCase *test_container(void);
TCase *test_transfer(void);
TCase *test_drill(void);
TCase *test_rotate(void);

struct stores {
	struct fx *fx;
	struct kms_sealer *sealer;
	struct kms_store_options options;
	struct kms_actor actor;
	struct kms_store *store;
	const char *path, *log_path, *token_path;
};

/* Token and options, nothing made yet. shared: the token lies in a file, for
 * tests with other processes. */
void stores_begin(struct stores *, bool shared);
/* The same and a store, open, both master keys born in the token. */
void stores_new(struct stores *, bool shared);
void stores_end(struct stores *);

/* Both born in the token, "HMK 1" and "KPK 1". */
int stores_create(struct stores *);
/* The same of these two phrases. */
#define HMK_PHRASE "a phrase for the first"
#define KPK_PHRASE "a phrase for the second"
void stores_create_of_phrases(struct stores *);
void stores_open(struct stores *);
/* Opens and expects this error. */
void stores_refused(struct stores *, int code);
void stores_close(struct stores *);

/* ck_assert of 0, with the cause in the message. */
void ok(int r);
/* ck_assert of that code, and of a word in its cause. */
void fails(int r, int code, const char *word);

void stores_write(struct stores *, struct kms_tx **);
void stores_read(struct stores *, struct kms_tx **);

/* One change each. */
void add_group(struct stores *, const char *name);
/* A random key; waived, so that the serve gate lets it go. */
void add_key(struct stores *, const char *group, const char *name,
    enum kms_state, struct kms_tag *);
struct kms_secret *secret_of(const char *text);

/* As an attacker or a repair tool would, past all of ours. */
void run_sql(const char *path, const char *statements);
/* The file as it is now, kept; and put back over what is there then, in
 * place (the same inode) or as another file. */
struct saved {
	uint8_t *p;
	size_t len;
};
void save_file(struct fx *, const char *path, struct saved *);
void put_back(const char *path, const struct saved *, bool in_place);

/* The released key's bytes, for comparison. */
void release_bytes(struct stores *, const struct kms_tag *, enum kms_use,
    uint8_t out[32]);

/* How many releases the log holds, and the last of them. */
struct released {
	size_t n;
	struct kms_release_entry last;
};
void released(struct stores *, struct released *);

#endif
