/* Files that name keys: stenc's, with the key itself, and lists of names. */
#ifndef TOOLS_KEYFILE_H
#define TOOLS_KEYFILE_H

#include "kms/tag.h"
#include "kms/base/secret.h"

/*
 * A key file of stenc: the first line is the key in hex, the second, if there
 * is one, its descriptor, which the drive wrote to tape as U-KAD: the tag.
 * Without one the tag's length is 0. The file is refused when others than its
 * owner may read it (CONFIG); USAGE says what of it is not as it should be.
 * Never is a byte of it outside of locked memory.
 */
int keyfile_read(const char *path, struct kms_secret **key, struct kms_tag *)
    KMS_MUST;

/* The lines of a text file, blank ones left out; keyfile_list_free it. */
struct keyfile_list {
	char *text; /* owned; cut into lines */
	const char **line;
	size_t n;
};
int keyfile_list_read(struct keyfile_list *, const char *path) KMS_MUST;
void keyfile_list_free(struct keyfile_list *);

#endif
