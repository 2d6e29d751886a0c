/*
 * Transactions on opaque sealed rows. rows_sqlite.c is the only file that
 * knows a database; nothing above trusts its indexes for an answer. One
 * thread at a time (the store's lock).
 */
#ifndef KMS_ROWS_H
#define KMS_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "kms/base/buf.h"

struct kms_rows;

struct kms_row {
	uint64_t id, generation;
	uint16_t kind;
	const uint8_t *sealed; /* borrowed until the next call */
	size_t len;
};
#define KMS_SEALED_MAX (1u << 20)
#define KMS_ROOT_ID 1u /* the root's row id, never another row's */

struct kms_rows_options {
	const char *path;
	bool readonly, create; /* create: must not exist */
	unsigned wait_ms;
};

/*
 * File 0600 in a 0700 directory, else KMS_ERR_CONFIG; missing NOTFOUND; not
 * ours or unreadable DAMAGED; newer schema VERSION; BUSY after wait_ms. What
 * a killed writer left is rolled back first. readonly: mode and owner are not
 * looked at, and nothing is written, so that a copy on a read-only medium
 * opens; one with an unfinished transaction does not (IO). create: EXISTS.
 */
int kms_rows_open(const struct kms_rows_options *, struct kms_rows **) KMS_MUST;
void kms_rows_close(struct kms_rows **);

/*
 * Gives a store that no process has open its final name, durably and never
 * over a file (EXISTS). A new store is made under another name and installed
 * when it is whole. What an earlier store of the final name left unfinished
 * would be rolled into this one: EXISTS too.
 */
int kms_rows_install(const char *from, const char *to) KMS_MUST;
/* Removes a store that no process has open, durably; missing is 0. */
int kms_rows_remove(const char *path) KMS_MUST;

/* Copy 1 or 2 of the header and its stored hash. Inside a transaction or not. */
int kms_rows_header(struct kms_rows *, unsigned copy, struct kms_wr *body,
    uint8_t sha256[32]) KMS_MUST;

/*
 * Has another connection committed since the view that kms_rows_seen was last
 * called in, or since open? Stays true until seen is called, so that a
 * catching-up that failed is not forgotten. Between begin and end the answer
 * is about that view, and seen is called there only; outside of one it is
 * about a moment during the call, and costs one read when nothing changed.
 */
int kms_rows_changed(struct kms_rows *, bool *) KMS_MUST;
int kms_rows_seen(struct kms_rows *) KMS_MUST;

/* As it was opened; for error texts. */
const char *kms_rows_path(const struct kms_rows *);
/* A consistent view for what follows, until kms_rows_end. */
int kms_rows_begin_read(struct kms_rows *) KMS_MUST;
/* BEGIN IMMEDIATE; BUSY after wait_ms. */
int kms_rows_begin_write(struct kms_rows *) KMS_MUST;
int kms_rows_put(struct kms_rows *, const struct kms_row *) KMS_MUST;
int kms_rows_put_header(struct kms_rows *, const void *, size_t,
    const uint8_t sha256[32]) KMS_MUST;
/*
 * KMS_ERR_BUSY: a reader holds on; still open, may be tried again.
 * KMS_ERR_IO: unclear whether it became durable; the connection is dead and
 * the caller must open the file again and look.
 */
int kms_rows_commit(struct kms_rows *) KMS_MUST;
/* The disk refused a sync: what this process reads back proves nothing about
 * what is durable, also through another connection. Final. */
bool kms_rows_sync_failed(const struct kms_rows *);
/* Ends a read view, rolls a write back. NULL, after the file could not be
 * opened again, has nothing to end. */
void kms_rows_end(struct kms_rows *);

/* Calls back for each row with generation > above (the root's too), in rising
 * order of id; stops at the first error, which it returns. The callback may
 * get other rows, and put none. */
int kms_rows_scan(struct kms_rows *, uint64_t above,
    int (*each)(void *, const struct kms_row *), void *) KMS_MUST;
/* NOTFOUND when there is none. */
int kms_rows_get(struct kms_rows *, uint64_t id, struct kms_row *) KMS_MUST;

/* A consistent copy into a new file (mode 0600, synced). EXISTS. */
int kms_rows_copy(struct kms_rows *, const char *path) KMS_MUST;

#endif
