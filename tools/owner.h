/*
 * Store and token are touched as the store's owner, whoever calls: run as
 * root, a tool takes on the owner's effective user and groups, so that no
 * journal or token file becomes root's. Anybody else is refused.
 */
#ifndef TOOLS_OWNER_H
#define TOOLS_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

#include "kms/base/err.h"

struct owner {
	bool became; /* root acts as the owner now */
	gid_t gid;   /* root's own, to go back to */
	gid_t *groups;
	int ngroups;
};

/*
 * path: the store. Where it does not exist, the owner of its directory
 * counts. KMS_ERR_DENIED names the owner; KMS_ERR_NOTFOUND when there is no
 * such directory. The real user stays: audit rows name it.
 */
int owner_become(struct owner *, const char *path) KMS_MUST;
/* Back to the caller, for a drive's device or another's program. Nothing is
 * done when nothing was changed. */
int owner_return(struct owner *) KMS_MUST;
/*
 * May this process read the file? code, naming whose it is, where it may not;
 * 0 otherwise, also where it is not there: whoever opens it says so.
 */
int owner_may_read(const char *path, int code) KMS_MUST;
/* At the end of a process that stays the owner: frees only. */
void owner_forget(struct owner *);

#endif
