#include "kms/group_name.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Groups whose ids are equal modulo this take turns. */
#define SLOTS 64u

struct slot {
	uint64_t id, generation;
	uint8_t gcm[16];
	char name[KMS_NAME_MAX + 1];
};

struct kms_group_names {
	pthread_mutex_t lock; /* all of slot */
	struct slot slot[SLOTS];
};

int
kms_group_names_new(struct kms_group_names **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return kms_fail(KMS_ERR_MEMORY, "group names: out of memory");
	if (pthread_mutex_init(&(*out)->lock, NULL) == 0)
		return 0;
	free(*out);
	*out = NULL;
	return kms_fail(KMS_ERR_MEMORY, "group names: no lock");
}

void
kms_group_names_free(struct kms_group_names **n)
{
	if (n == NULL || *n == NULL)
		return;
	(void)pthread_mutex_destroy(&(*n)->lock);
	free(*n);
	*n = NULL;
}

bool
kms_group_name_get(struct kms_group_names *n,
    const struct kms_directory_row *row, char out[KMS_NAME_MAX + 1])
{
	const struct slot *s = &n->slot[row->id % SLOTS];
	bool known;

	(void)pthread_mutex_lock(&n->lock);
	known = s->id == row->id && s->generation == row->generation &&
	    memcmp(s->gcm, row->gcm, sizeof(s->gcm)) == 0;
	if (known)
		memcpy(out, s->name, sizeof(s->name));
	(void)pthread_mutex_unlock(&n->lock);
	return known;
}

void
kms_group_name_put(struct kms_group_names *n,
    const struct kms_directory_row *row, const char *name)
{
	struct slot *s = &n->slot[row->id % SLOTS];

	(void)pthread_mutex_lock(&n->lock);
	s->id = row->id;
	s->generation = row->generation;
	memcpy(s->gcm, row->gcm, sizeof(s->gcm));
	memset(s->name, 0, sizeof(s->name));
	memcpy(s->name, name, strnlen(name, KMS_NAME_MAX));
	(void)pthread_mutex_unlock(&n->lock);
}
