/*
 * All rows on their way from the file into memory: read and unsealed here,
 * taken in by the caller's function, in rising order of id. A large store is
 * opened by two: this thread reads and unseals, a second one takes in what
 * the first has done, batch by batch; that is nearly half of the time that
 * an open of a million keys takes (bench_open).
 */
#ifndef KMS_INTAKE_H
#define KMS_INTAKE_H

#include <stdbool.h>

#include "kms/rows.h"
#include "kms/seal.h"

/*
 * One row's plaintext. Of row->sealed nothing but the seal's tag is there
 * still (kms_seal_tag). Called by one thread at a time; not to touch rows or
 * seal. An error ends it all.
 */
typedef int kms_intake_take(void *arg, const struct kms_row *row,
    const uint8_t *plain, size_t len);

/*
 * Every row but the root, in the view or transaction that is open. apart:
 * take is called by another thread, whose work is over and visible when this
 * returns; where no thread can be had, by this one. The first error in the
 * order of the rows, DAMAGED for a row that does not unseal. All plaintext
 * is wiped.
 */
int kms_intake_rows(struct kms_rows *, struct kms_seal *, bool apart,
    kms_intake_take *take, void *arg) KMS_MUST;

#endif
