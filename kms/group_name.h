/*
 * What a group is called, told without reading its row again: the directory
 * keeps hashes of names only, and who may have a key is asked by name for
 * each release. A name is kept beside the seal's tag of the row that it was
 * read from, and told only while that is the row that counts, so nothing has
 * to be thrown away when the store changes.
 *
 * Any thread; a lock of its own, taken last.
 */
#ifndef KMS_GROUP_NAME_H
#define KMS_GROUP_NAME_H

#include "kms/directory.h"

struct kms_group_names;

int kms_group_names_new(struct kms_group_names **) KMS_MUST;
void kms_group_names_free(struct kms_group_names **);

/* False: not known, read the row and put its name here. */
bool kms_group_name_get(struct kms_group_names *,
    const struct kms_directory_row *, char out[KMS_NAME_MAX + 1]);
void kms_group_name_put(struct kms_group_names *,
    const struct kms_directory_row *, const char *name);

#endif
