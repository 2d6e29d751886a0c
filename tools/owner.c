#include "tools/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/harden.h"

static int
stat_directory(const char *path, struct stat *st)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	if (len >= sizeof(dir))
		return kms_fail(KMS_ERR_CONFIG, "%s: the path is too long",
		    path);
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (stat(len > 0 ? dir : "/", st) == 0)
		return 0;
	return kms_fail(errno == ENOENT ? KMS_ERR_NOTFOUND : KMS_ERR_CONFIG,
	    "directory of the store: %s: %s", dir, strerror(errno));
}

/* A store in a directory that the caller may not search (EACCES) is its
 * directory's owner's. */
static int
find_owner(const char *path, struct stat *st)
{
	if (lstat(path, st) == 0)
		return 0;
	return stat_directory(path, st);
}

static int
take_groups(struct owner *o, const struct passwd *pw, gid_t gid)
{
	o->gid = getegid();
	o->ngroups = getgroups(0, NULL);
	o->groups = calloc((size_t)o->ngroups + 1, sizeof(*o->groups));
	if (o->groups == NULL)
		return -1;
	o->ngroups = getgroups(o->ngroups, o->groups);
	if (o->ngroups < 0)
		return -1;
	return pw != NULL ? initgroups(pw->pw_name, gid) : setgroups(1, &gid);
}

int
owner_may_read(const char *path, int code)
{
	const struct passwd *pw;
	const struct group *gr;
	struct stat st;

	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 || errno != EACCES)
		return 0;
	if (stat(path, &st) != 0)
		return kms_fail(code,
		    "%s: permission denied: a directory above it may not be "
		    "searched by uid %u",
		    path, geteuid());
	pw = getpwuid(st.st_uid);
	gr = getgrgid(st.st_gid);
	return kms_fail(code,
	    "%s: permission denied: it belongs to user %s, group %s (mode "
	    "%04o), and this is uid %u; run it as that user, or see that the "
	    "caller may read it",
	    path, pw != NULL ? pw->pw_name : "unknown",
	    gr != NULL ? gr->gr_name : "unknown", st.st_mode & 07777u,
	    geteuid());
}

int
owner_become(struct owner *o, const char *path)
{
	const struct passwd *pw;
	struct stat st;
	char name[64];
	gid_t gid;
	int r;

	memset(o, 0, sizeof(*o));
	r = find_owner(path, &st);
	if (r != 0)
		return r;
	if (st.st_uid == geteuid())
		return 0;
	pw = getpwuid(st.st_uid);
	if (pw != NULL)
		snprintf(name, sizeof(name), "%s", pw->pw_name);
	else
		snprintf(name, sizeof(name), "uid %u", st.st_uid);
	if (geteuid() != 0)
		return kms_fail(KMS_ERR_DENIED,
		    "%s belongs to %s; run this as %s%s", path, name, name,
		    st.st_uid != 0 ? " or as root" : "");
	gid = pw != NULL ? pw->pw_gid : st.st_gid;
	if (take_groups(o, pw, gid) != 0 || setegid(gid) != 0 ||
	    seteuid(st.st_uid) != 0)
		return kms_fail(KMS_ERR_IO, "cannot act as %s: %s", name,
		    strerror(errno));
	o->became = true;
	harden_again();
	return 0;
}

int
owner_return(struct owner *o)
{
	int r = 0;

	if (o->became &&
	    (seteuid(0) != 0 || setegid(o->gid) != 0 ||
		setgroups((size_t)o->ngroups, o->groups) != 0))
		r = kms_fail(KMS_ERR_IO, "cannot go back to root: %s",
		    strerror(errno));
	if (o->became)
		harden_again();
	owner_forget(o);
	return r;
}

void
owner_forget(struct owner *o)
{
	o->became = false;
	free(o->groups);
	o->groups = NULL;
}
