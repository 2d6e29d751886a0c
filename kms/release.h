/*
 * The only door for key use: state, gate, may, record, unwrap. The key, or
 * what was done with it, comes back only when the record is durable.
 */
#ifndef KMS_RELEASE_H
#define KMS_RELEASE_H

#include "kms/release_log.h"
#include "kms/tx.h"

struct kms_purpose {
	enum kms_use use;
	/* Serial; label, else barcode; the tape's own serial. May be NULL. */
	const char *drive, *volume, *medium;
};

/*
 * By tag, from the directory. NOTFOUND explains the tag (random, own phrase,
 * group phrase, foreign). STATE, GATE, DENIED. Not recorded, not released.
 * The caller owns the key and frees it as soon as the drive has it.
 */
int kms_release(struct kms_store *, const struct kms_actor *,
    const struct kms_tag *, const struct kms_purpose *, struct kms_secret **)
    KMS_MUST;
/* The group's active key, for writing; fills its tag. */
int kms_release_active(struct kms_store *, const struct kms_actor *,
    const char *group, const struct kms_purpose *, struct kms_tag *,
    struct kms_secret **) KMS_MUST;
/*
 * Client data encrypted or decrypted here; the key stays where the sealer
 * keeps it. To encrypt the key must be active and pass the gate, for what is
 * encrypted needs it as a tape does; to decrypt, active or inactive. Not a
 * release in the sense that a key leaves, and recorded like one all the same,
 * before the result comes back: what was encrypted must hold the delete gate,
 * and who decrypted what is asked for years later. c->out is the caller's,
 * NULL on failure. As kms_release, and USAGE: the data does not fit or does
 * not decrypt.
 */
int kms_release_crypt(struct kms_store *, const struct kms_actor *,
    const struct kms_tag *, struct kms_crypt *) KMS_MUST;
/*
 * No release: a tape that was written, or may have been, with a key which
 * left before. Recorded for the catalog and for the delete gate, whatever the
 * key's state; durable when it returns 0. Outside of any transaction. USAGE:
 * neither volume nor medium. written->use does not matter.
 */
int kms_release_tape(struct kms_store *, const struct kms_actor *,
    const struct kms_tag *, const struct kms_purpose *written) KMS_MUST;
/* Which modes that has under the current KPK: a set of 1 << kms_cipher. */
int kms_release_ciphers(struct kms_store *, unsigned *) KMS_MUST;
/* The same inside a transaction, for one whose client tells it. NOTFOUND,
 * DENIED. */
int kms_release_note(struct kms_tx *, const struct kms_tag *,
    const struct kms_purpose *) KMS_MUST;
/* Below the log: look-up, row check, unwrap. For kms_release and for the
 * bench that measures it; the product calls only the two above. */
int kms_release_fetch(struct kms_store *, const struct kms_tag *,
    struct kms_secret **) KMS_MUST;

#endif
