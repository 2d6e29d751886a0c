#include "tools/run_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIRTUAL "vtape:"
#define VIRTUAL_NODE "/dev/nst9"
#define PRELOAD "libvtape-preload.so"

static int
add(struct run_env *e, const char *name, const char *front, const char *value)
{
	size_t i = 0;

	while (e->set[i] != NULL)
		i++;
	if (asprintf(&e->text[i], "%s=%s%s", name, front, value) < 0) {
		e->text[i] = NULL;
		return kms_fail(KMS_ERR_MEMORY, "environment: %s",
		    strerror(errno));
	}
	e->set[i] = e->text[i];
	return 0;
}

/* From build/bin to build/lib; from bin to lib/p11kms once installed. *path
 * is malloc'ed, NULL when there is none. */
static int
find_preload(char **path)
{
	static const char *const below[] = {"lib", "lib/p11kms"};
	char *exe = realpath("/proc/self/exe", NULL), *name = NULL;
	char *slash = exe != NULL ? strrchr(exe, '/') : NULL;

	*path = NULL;
	for (size_t i = 0; slash != NULL && *path == NULL && i < 2; i++) {
		if (asprintf(&name, "%.*s/../%s/" PRELOAD, (int)(slash - exe),
			exe, below[i]) < 0)
			break;
		*path = realpath(name, NULL);
		free(name);
	}
	free(exe);
	if (*path != NULL)
		return 0;
	return kms_fail(KMS_ERR_NOTFOUND,
	    "%s: not beside this program; name it in LD_PRELOAD", PRELOAD);
}

static int
add_preload(struct run_env *e)
{
	char *path;
	int r = find_preload(&path);

	if (r == 0)
		r = add(e, "LD_PRELOAD", "", path);
	free(path);
	return r;
}

/* VTAPE is NODE=SOCKET; the program may change its directory, so the socket
 * is named from the root. */
static int
add_virtual(struct run_env *e, const char *socket)
{
	char *vtape = getenv("VTAPE"), *path, *node;
	int r;

	if (vtape != NULL && vtape[0] != '\0') {
		node = strndup(vtape, strcspn(vtape, "="));
		r = add(e, "TAPE", "", node != NULL ? node : "");
		free(node);
		return r;
	}
	path = realpath(socket, NULL);
	if (path == NULL)
		return kms_fail(KMS_ERR_NOTFOUND, "%s: %s", socket,
		    strerror(errno));
	r = add(e, "TAPE", "", VIRTUAL_NODE);
	if (r == 0)
		r = add(e, "VTAPE", VIRTUAL_NODE "=", path);
	free(path);
	return r;
}

int
run_env_make(struct run_env *e, const char *drive, const struct tape_node *node)
{
	const char *preload = getenv("LD_PRELOAD");
	int r = 0;

	memset(e, 0, sizeof(*e));
	if (strncmp(drive, VIRTUAL, strlen(VIRTUAL)) != 0) {
		if (node->nst[0] != '\0')
			r = add(e, "TAPE", "", node->nst);
	} else {
		e->is_virtual = true;
		r = add_virtual(e, drive + strlen(VIRTUAL));
		if (r == 0 && (preload == NULL || preload[0] == '\0'))
			r = add_preload(e);
	}
	if (r != 0)
		run_env_free(e);
	return r;
}

void
run_env_free(struct run_env *e)
{
	for (size_t i = 0; i < sizeof(e->text) / sizeof(e->text[0]); i++)
		free(e->text[i]);
	memset(e, 0, sizeof(*e));
}
