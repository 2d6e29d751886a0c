/*
 * The master keys in use: their handles, found once per opening of the token
 * and kept, and for each a wrapped key that it is known to open.
 *
 * A handle is only a number: after a re-open, or behind an HSM that failed
 * over, it can silently mean another key. So handles die with the generation
 * they were found in, and a key that was found again must open what it opened
 * before in this process. The first such blob comes from the self-test or
 * from the first unwrap whose check value was right: the store opens by
 * unwrapping its file key and the KPK's proof. Until a key has one, nothing
 * is wrapped under it: a key wrapped by the wrong master key would be lost.
 */
#ifndef HSM_KEYRING_H
#define HSM_KEYRING_H

#include "hsm/mech.h"

struct hsm_keyring;

int hsm_keyring_new(struct hsm_keyring **) KMS_MUST;
void hsm_keyring_free(struct hsm_keyring **);
struct hsm_quirks *hsm_keyring_quirks(struct hsm_keyring *);

/*
 * The slot's key, from memory or found and checked anew; when found anew and a
 * known blob is there, proven by it. KMS_ERR_NOTFOUND, KMS_ERR_MASTER.
 */
int hsm_keyring_get(struct hsm_keyring *, struct hsm_session *,
    const struct kms_slot *, struct hsm_master *) KMS_MUST;
/* Forgets the handle, not what it is known to open. */
void hsm_keyring_forget(struct hsm_keyring *, const struct kms_slot *);
/* Forgets the key altogether: it was dropped or is made anew. */
void hsm_keyring_remove(struct hsm_keyring *, const struct kms_slot *);

/* Remembers a blob whose check value was right; keeps the first. */
int hsm_keyring_learn(struct hsm_keyring *, const struct kms_slot *,
    const struct kms_wrapped *) KMS_MUST;
bool hsm_keyring_is_known(struct hsm_keyring *, const struct kms_slot *);
/* KMS_ERR_MASTER: does not open what the right key opened, or nothing is known
 * yet by which to tell. */
int hsm_keyring_prove(struct hsm_keyring *, struct hsm_session *,
    const struct kms_slot *, const struct hsm_master *) KMS_MUST;

#endif
