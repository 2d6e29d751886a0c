/* A Locate, and the criteria that tests give it. */
#ifndef TESTS_UNIT_KMIP_LOCATE_H
#define TESTS_UNIT_KMIP_LOCATE_H

#include "tests/unit/kmip/world.h"

/* What a Locate found, in order. */
struct found {
	char uid[40][KMS_TAG_TEXT];
	size_t n;
	int32_t located; /* -1: not told */
};

typedef void criteria(struct kms_wr *, const char *);
criteria by_nothing, by_name, by_group, by_keygroup_active, by_template, by_kad,
    by_bytes, by_uri, by_name_value, by_secret_kad, by_barcode, by_alternative,
    by_uid, by_mask, by_length, by_namespace;

/* One Locate whose payload fn writes. What the index answers alone, the
 * records must answer too. */
void locate(struct world *, unsigned minor, criteria *fn, const char *arg,
    struct found *);
void locate_take(const struct talk *, struct found *);

#endif
