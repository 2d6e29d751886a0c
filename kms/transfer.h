/*
 * Keys from store to store: export into a container that opens with its
 * phrase alone, import, and one key out of a backup (COMMANDS -export,
 * -import, -recoverkey -from). Slow work is done with no transaction open.
 */
#ifndef KMS_TRANSFER_H
#define KMS_TRANSFER_H

#include "kms/key.h"

struct kms_transfer_export {
	const char *path;
	const struct kms_secret *phrase; /* checked by the caller */
	/* Whole groups, and keys as "GROUP/KEY"; none of either: all. */
	const char *const *group, *const *key;
	size_t ngroups, nkeys;
};
struct kms_transfer_exported {
	size_t keys, groups;
};

/* GATE while the policy says export = off: asked before anybody types a
 * phrase, and again by the export. */
int kms_transfer_check_export(const struct kms_policy *) KMS_MUST;

/*
 * Each group is audited first, and each key is a recorded release before it
 * is written; any state, no serve gate. GATE while the policy says export =
 * off. EXISTS: never over a file. NOTFOUND: a name, or nothing to export. The
 * file appears when it is whole, or never.
 *
 * A group's seed stays: it would give away the group's other keys too. The
 * keys made from it come back by tag and the group's phrase, wherever they
 * lie; new keys of the imported group do not, until it is given a phrase.
 */
int kms_transfer_export(struct kms_store *, const struct kms_actor *,
    const struct kms_transfer_export *, struct kms_transfer_exported *)
    KMS_MUST;

struct kms_transfer_import {
	const char *path;
	const struct kms_secret *phrase;
	const char *description; /* of groups made; NULL: as exported */
	/* Neither: every group is a new one, GROUP_TIMESTAMP. */
	bool preserve_name; /* EXISTS where the group is there already */
	bool merge;         /* into the group of that name, if it is there */
	bool preview;       /* all of it, but the commit */
	/* Is what KMIP keeps with a key to be read? NULL: not asked. */
	int (*check_attrs)(const void *, size_t);
};
/* What became, or would become, of one key; borrowed for the call. */
struct kms_transfer_line {
	const struct kms_key_view *view; /* as it lies in this store */
	const char *from_group, *from_name;
	bool duplicate; /* held already by its tag: nothing was changed */
	bool renamed;   /* the name was taken in the group */
	bool demoted;   /* was active; the group has another active key */
	bool no_phrase; /* of a group phrase, in a group made without */
};

/*
 * One change, all or nothing; with nothing new in it, no change at all. AUTH:
 * wrong phrase. DAMAGED: the container was changed, or its keys, or what KMIP
 * keeps with them, are not what it says. EXISTS: a tag is held with another
 * key. Tag, origin, states and times stay. Never is an active key of this
 * store displaced.
 */
int kms_transfer_import(struct kms_store *, const struct kms_actor *,
    const struct kms_transfer_import *,
    int (*each)(void *, const struct kms_transfer_line *), void *) KMS_MUST;

struct kms_transfer_recover {
	const char *from;          /* a backup of this store */
	const struct kms_tag *tag; /* NULL: the key named so in the backup */
	const char *group, *name;  /* what it is called here */
	const char *description;   /* NULL: the backup's */
};

/*
 * One key out of a backup, inactive. All rows of the backup are verified and
 * the key is proven in the token, which must still hold the master keys of
 * that time. *held, and equal tags, as in kms_key_add. USAGE: the backup of
 * another store.
 */
int kms_transfer_recover(struct kms_store *, const struct kms_actor *,
    const struct kms_transfer_recover *, struct kms_key_view *, bool *held)
    KMS_MUST;

#endif
