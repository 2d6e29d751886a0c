/*
 * An object that is to be made: what the request says of it, read and
 * checked before anything is done.
 */
#ifndef KMS_KMIP_MAKE_H
#define KMS_KMIP_MAKE_H

#include "kms/kmip/op.h"
#include "kms/material.h"

enum kmip_making_by {
	KMIP_MAKING_CREATE,
	KMIP_MAKING_REGISTER,
	KMIP_MAKING_REKEY,
};

struct kmip_making {
	enum kmip_making_by by;
	unsigned minor;
	char group[KMS_NAME_MAX + 1];
	char name[KMS_NAME_MAX + 1]; /* stored.flags NAMED: the record's */
	char description[KMS_TEXT_MAX + 1];
	bool activate;
	struct kmip_attr first_name; /* as it came; def NULL: none */
	struct kmip_stored stored;   /* borrows from the request */
	struct kms_material material;
	/* Register: the object's bytes, in the request; and what it says of
	 * their length itself, 0: nothing. */
	struct kmip_item bytes;
	uint32_t object_bits;
};

/* Empty, and the work's own (kmip_op_make_drop frees it). */
int kmip_making_new(struct kmip_batch *, struct kmip_work *,
    enum kmip_making_by, struct kmip_making **) KMS_MUST;
/* Draws an AES key of the length that was asked for; sets its material. */
int kmip_making_new_key(struct kmip_service *, struct kmip_making *) KMS_MUST;

/* A Template-Attribute: into group, name, stored and so on. Without a group
 * of its own an object goes where the rule is at home. */
int kmip_making_template(struct kmip_making *, const struct kmip_rule *,
    const struct kmip_item *template) KMS_MUST;
/* A whole Register payload. */
int kmip_making_register(struct kmip_making *, struct kmip_batch *,
    struct kmip_work *) KMS_MUST;

#endif
