/* What key.c and key_change.c share; nobody else includes it. */
#ifndef KMS_KEY_IMPL_H
#define KMS_KEY_IMPL_H

#include "kms/directory.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/store_impl.h"

/* The record of a key by group and name; the caller clears it. NOTFOUND
 * names which of the two there is none of. */
int kms_key_get(struct kms_tx *, const char *group, const char *name,
    struct kms_record *) KMS_MUST;
/* What is shown of a record. group: its group's name. */
void kms_key_show(struct kms_tx *, const struct kms_record *, const char *group,
    struct kms_key_view *);

/* A name that is free in the group. */
int kms_key_check_name(struct kms_tx *, uint64_t group, const char *group_name,
    const char *name) KMS_MUST;
/* Room for one more key in the group. */
int kms_key_check_room(struct kms_tx *, uint64_t group, const char *group_name)
    KMS_MUST;

/*
 * The group's active key makes room for this one, in the caller's step: the
 * other becomes inactive, with an audit row of its own. check first: GATE
 * when the new one could not be served and the old one could.
 */
int kms_key_check_activation(struct kms_tx *, const struct kms_key *new,
    uint64_t new_id) KMS_MUST;
int kms_key_demote_active(struct kms_tx *, uint64_t group,
    const char *group_name, uint64_t new_id) KMS_MUST;
/* Does an active key of this group take the place of another? */
bool kms_key_displaces(const char *group, bool keep_others);
/* Writes state, its times and flags into the record's key. */
void kms_key_enter_state(struct kms_tx *, struct kms_key *, enum kms_state);

#endif
