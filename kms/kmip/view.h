/*
 * A key record as a KMIP client sees it: state, and every attribute, those
 * that are stored and those that follow from the record. One truth: what the
 * command line changes shows here at once.
 */
#ifndef KMS_KMIP_VIEW_H
#define KMS_KMIP_VIEW_H

#include "kms/kmip/reason.h"
#include "kms/kmip/stored.h"

#define KMIP_LEASE_SECONDS 3600u

struct kmip_view {
	struct kms_record rec;     /* owned: a key, or the tombstone of one */
	struct kmip_stored stored; /* borrows from rec */
	char group[KMS_NAME_MAX + 1];
};

/* Takes the record over (and empties it), also on failure. DAMAGED: neither
 * key nor tombstone of a key. KMIP_VIEW_UNREADABLE names the object whose
 * attributes are not to be read; nothing is wrong with others, nor with its
 * key: a search passes it over. */
#define KMIP_VIEW_UNREADABLE KMIP_ERR(GENERAL_FAILURE)
int kmip_view_take(struct kmip_view *, struct kms_record *, const char *group)
    KMS_MUST;
void kmip_view_clear(struct kmip_view *);

bool kmip_view_is_destroyed(const struct kmip_view *);
const struct kms_tag *kmip_view_tag(const struct kmip_view *);
/* The record's own name. */
const char *kmip_view_name(const struct kmip_view *);
/* prelive = Pre-Active, active = Active, else Deactivated; Compromised once
 * said so, whatever the record's state; Destroyed when it is gone. */
enum kmip_state kmip_view_state(const struct kmip_view *);
/* deprecated and terminated: not handed out until it is recovered. */
bool kmip_view_is_archived(const struct kmip_view *);
/* Never handed out, as far as the record knows. */
bool kmip_view_is_fresh(const struct kmip_view *);

/* Every attribute of that version, each an Attribute structure. */
void kmip_view_put(const struct kmip_view *, unsigned minor, struct kms_wr *);
/* The same, checked and as one structure to walk; the writer is the caller's
 * and holds it. */
int kmip_view_attributes(const struct kmip_view *, unsigned minor,
    struct kms_wr *, struct kmip_item *list) KMS_MUST;

/* The attributes that follow from a group's name. */
#define KMIP_KEYGROUP "x-keygroup"
#define KMIP_KEYGROUP_OTHER "x-keyGroup"
#define KMIP_APPLICATION "x-application"
#define KMIP_APPLICATION_VALUE "NetBackup"

#endif
