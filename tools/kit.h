/*
 * What of a store goes onto paper and into the safe: all that brings its keys
 * back together with the phrases, and nothing that is secret. As a page to
 * print, and as KIT.json for -recoverkey -list.
 */
#ifndef TOOLS_KIT_H
#define TOOLS_KIT_H

#include <stdio.h>

#include "kms/group.h"
#include "kms/header.h"
#include "kms/key.h"

/* What a key needs to come back. */
enum kit_needs {
	KIT_NEEDS_PHRASE = 1, /* its own phrase */
	KIT_NEEDS_GROUP = 2,  /* one of the phrases listed */
	KIT_NEEDS_BACKUP = 3, /* a backup of the store: it has no phrase */
};

/* A group's phrase; groups have had several where one was replaced. */
struct kit_phrase {
	char *group;   /* owned; "" when that group is deleted */
	size_t number; /* of the group's, from 1 */
	struct kms_group_phrase is;
	size_t keys; /* how many in the kit need it */
};

struct kit_group {
	char *name, *description; /* owned */
	size_t keys, phrases;
};

struct kit_key {
	char *group, *name, *description; /* owned */
	struct kms_tag tag;
	enum kms_state state;
	enum kit_needs needs;
	enum kms_recoverable recoverable;
	bool needs_token;
	size_t phrase; /* with GROUP: index into the kit's phrases */
};

struct kit {
	struct kms_header *header; /* owned; NULL in a kit that was read */
	char uuid[37];
	int64_t made;
	uint64_t generation;
	struct kit_group *group; /* owned, as the next two */
	struct kit_phrase *phrase;
	struct kit_key *key;
	size_t groups, phrases, keys;
	size_t groups_cap, phrases_cap, keys_cap; /* private */
};

/* From the store, in its order of creation. */
int kit_collect(struct kms_tx *, struct kit **) KMS_MUST;
void kit_free(struct kit **);

/* Room for one more, zeroed; private to kit's files. */
int kit_add_group(struct kit *, struct kit_group **) KMS_MUST;
int kit_add_phrase(struct kit *, struct kit_phrase **) KMS_MUST;
int kit_add_key(struct kit *, struct kit_key **) KMS_MUST;
/* The phrase of a B3 tag; false when it is not among them. */
bool kit_find_phrase(const struct kit *, const struct kms_tag *, size_t *);
int kit_copy(const char *, char **out) KMS_MUST;

/* KIT.json. Write: one object and a line end. Read: phrases and keys alone;
 * USAGE names the file and the entry that is not as it must be, VERSION a
 * newer format. */
int kit_json_write(const struct kit *, FILE *) KMS_MUST;
int kit_json_read(const char *file, struct kit **) KMS_MUST;

/* The page: self-contained, well-formed XML too. */
int kit_html_write(const struct kit *, FILE *) KMS_MUST;

/* Text as a QR code: an SVG element of that size in millimetres, one path
 * of unit squares. */
int kit_qr_write(const char *text, unsigned mm, FILE *) KMS_MUST;

#endif
