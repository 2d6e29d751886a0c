/*
 * Trials: which mechanism a token really has (its lists are no proof: SoftHSM
 * wraps with CBC and cannot unwrap, TPMs list key generation that fails), and
 * whether a master key really works.
 */
#ifndef HSM_TRIAL_H
#define HSM_TRIAL_H

#include "hsm/wrap.h"

/*
 * The first of AES-KW, AES-KWP, AES-GCM, AES-CBC that goes through the whole
 * chain under a throw-away session key. KMS_ERR_TOKEN when none does, with
 * what became of the last.
 */
int hsm_trial_probe(struct hsm_session *, struct hsm_quirks *, enum kms_mech *)
    KMS_MUST;

/*
 * The whole chain with this key: a data key born, wrapped, unwrapped in a
 * second session, re-wrapped, and an altered copy refused. value: what the
 * key is meant to be, when the host knows it; then the host must open what it
 * wrapped. known: a wrapped key that this master key opens, to prove it by
 * later. KMS_ERR_MASTER when the key does not do it.
 */
int hsm_trial_master(struct hsm_session *, const struct hsm_master *,
    const struct kms_secret *value, struct kms_wrapped *known) KMS_MUST;

/*
 * The token neither copies the key with the opposite usages nor (asked only of
 * a key just made: a kill during C_SetAttributeValue can lose one) lets them be
 * changed. KMS_ERR_MASTER when it does.
 */
int hsm_trial_locked(struct hsm_session *, const struct hsm_master *,
    bool just_made) KMS_MUST;

#endif
