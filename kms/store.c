#include "kms/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/age.h"
#include "kms/load.h"
#include "kms/sync.h"
#include "kms/unlock.h"

int
kms_store_log_path(const char *path, char *out, size_t cap)
{
	size_t n = strlen(path);
	int len;

	if (n > 3 && strcmp(path + n - 3, ".db") == 0)
		n -= 3;
	len = snprintf(out, cap, "%.*s.log", (int)n, path);
	if (len < 0 || (size_t)len >= cap)
		return kms_fail(KMS_ERR_LIMIT, "path of over %zu bytes", cap);
	return 0;
}

static void
store_free(struct kms_store *s)
{
	kms_release_log_close(&s->log);
	kms_rows_close(&s->rows);
	kms_seal_free(&s->seal);
	kms_directory_free(&s->dir);
	kms_group_names_free(&s->names);
	kms_sum_free(&s->sum);
	kms_root_clear(&s->root);
	kms_secret_free(&s->anchor_key);
	kms_secret_free(&s->next_anchor_key);
	kms_secret_free(&s->old_anchor_key);
	pthread_mutex_destroy(&s->log_lock);
	pthread_cond_destroy(&s->view_over);
	pthread_mutex_destroy(&s->io);
	kms_latch_destroy(&s->lock);
	free(s->header);
	free(s->log_path);
	free(s->path);
	free(s);
}

static int
make_locks(struct kms_store *s)
{
	int r;

	r = kms_latch_init(&s->lock);
	if (r == 0)
		r = kms_latch_cond(&s->view_over);
	if (r == 0 &&
	    (pthread_mutex_init(&s->io, NULL) != 0 ||
		pthread_mutex_init(&s->log_lock, NULL) != 0))
		r = kms_fail(KMS_ERR_MEMORY, "store: no locks");
	return r;
}

int
kms_store_new(const struct kms_store_options *options, struct kms_store **out)
{
	char log_path[4096];
	struct kms_store *s;
	int r;

	*out = NULL;
	r = kms_store_log_path(options->path, log_path, sizeof(log_path));
	if (r != 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "store: out of memory");
	s->sealer = options->sealer;
	s->policy = options->policy;
	s->wait_ms = options->wait_ms;
	s->readonly = options->readonly;
	s->trust = KMS_STORE_UNKNOWN;
	s->path = strdup(options->path);
	s->log_path = strdup(log_path);
	s->header = calloc(1, sizeof(*s->header));
	r = make_locks(s);
	if (r == 0 &&
	    (s->path == NULL || s->log_path == NULL || s->header == NULL))
		r = kms_fail(KMS_ERR_MEMORY, "store: out of memory");
	if (r == 0)
		r = kms_group_names_new(&s->names);
	if (r == 0)
		*out = s;
	else
		store_free(s);
	return r;
}

static int
store_open(const struct kms_store_options *options, bool any_age,
    struct kms_store **out)
{
	int64_t deadline = kms_latch_now() + options->wait_ms;
	struct kms_store *s = NULL;
	int r;

	*out = NULL;
	r = kms_store_new(options, &s);
	if (r != 0)
		return r;
	s->any_age = any_age;
	do
		r = kms_sync_reload(s);
	while (r == KMS_ERR_BUSY && kms_latch_now() < deadline);
	if (r != 0) {
		store_free(s);
		return r;
	}
	if (!s->readonly && s->verdict == KMS_ANCHOR_HEALS)
		kms_age_heal(s);
	*out = s;
	return 0;
}

int
kms_store_open(const struct kms_store_options *options, struct kms_store **out)
{
	return store_open(options, false, out);
}

int
kms_store_open_any(const struct kms_store_options *options,
    struct kms_store **out)
{
	return store_open(options, true, out);
}

void
kms_store_close(struct kms_store **sp)
{
	if (sp == NULL || *sp == NULL)
		return;
	store_free(*sp);
	*sp = NULL;
}

/* For reading, so that -info works on any copy; for writing where a killed
 * writer's journal has to be rolled back first. */
static int
open_for_header(const char *path, struct kms_rows **rows)
{
	struct kms_rows_options options = {.path = path,
	    .readonly = true,
	    .wait_ms = 1000};
	int r;

	r = kms_rows_open(&options, rows);
	if (r != KMS_ERR_IO)
		return r;
	options.readonly = false;
	return kms_rows_open(&options, rows);
}

int
kms_store_read_header(const char *path, struct kms_header *header)
{
	struct kms_rows *rows = NULL;
	struct kms_wr body;
	uint8_t hash[32];
	int r;

	memset(header, 0, sizeof(*header));
	kms_wr_grow(&body, KMS_HEADER_MAX);
	r = open_for_header(path, &rows);
	if (r != 0)
		goto out;
	r = kms_load_copy(rows, 1, &body, hash);
	if (r != 0) {
		kms_wr_free(&body);
		kms_wr_grow(&body, KMS_HEADER_MAX);
		r = kms_load_copy(rows, 2, &body, hash);
	}
	if (r == 0)
		r = kms_header_decode(header, body.p, body.len);
	if (r != 0)
		r = kms_fail_add(r, "%s", path);
out:
	kms_wr_free(&body);
	kms_rows_close(&rows);
	return r;
}

const struct kms_policy *
kms_store_policy(const struct kms_store *s)
{
	return &s->policy;
}

struct kms_sealer *
kms_store_sealer(const struct kms_store *s)
{
	return s->sealer;
}

void
kms_store_header(struct kms_store *s, struct kms_header *header)
{
	pthread_mutex_lock(&s->io);
	*header = *s->header;
	pthread_mutex_unlock(&s->io);
}

int
kms_store_slot(struct kms_store *s, enum kms_role role, struct kms_slot *slot)
{
	const struct kms_header_slot *found;
	int r = 0;

	pthread_mutex_lock(&s->io);
	found = kms_header_find(s->header, role, KMS_SLOT_CURRENT);
	if (found != NULL)
		*slot = found->slot;
	else
		r = kms_fail(KMS_ERR_DAMAGED, "header: no current %s",
		    kms_role_name(role));
	pthread_mutex_unlock(&s->io);
	return r;
}

int
kms_store_token_error(int r)
{
	return r == KMS_ERR_NOTFOUND ? kms_fail_add(KMS_ERR_TOKEN, "token") : r;
}

int
kms_store_probe(struct kms_store *s)
{
	int r = kms_sync_enter(s, false);

	if (r != 0)
		return r;
	r = kms_unlock_prove_kpk(s, &s->root);
	kms_sync_leave(s, false);
	return kms_store_token_error(r);
}

uint64_t
kms_store_generation(struct kms_store *s)
{
	uint64_t generation;

	pthread_mutex_lock(&s->io);
	generation = s->root.generation;
	pthread_mutex_unlock(&s->io);
	return generation;
}

enum kms_anchor_state
kms_store_anchor(const struct kms_store *s)
{
	if (!s->header->anchor)
		return KMS_ANCHOR_NONE;
	switch (s->verdict) {
	case KMS_ANCHOR_EQUAL:
	case KMS_ANCHOR_HEALS:
		return KMS_ANCHOR_KEPT;
	case KMS_ANCHOR_IS_NEWER:
		return KMS_ANCHOR_OLDER;
	case KMS_ANCHOR_FORKED:
	case KMS_ANCHOR_IS_OLDER:
	case KMS_ANCHOR_OTHER_LINEAGE:
	case KMS_ANCHOR_ABSENT:
	case KMS_ANCHOR_INVALID:
		break;
	}
	return KMS_ANCHOR_FOREIGN;
}

uint64_t
kms_store_behind(const struct kms_store *s)
{
	if (s->verdict != KMS_ANCHOR_IS_NEWER)
		return 0;
	return s->anchor.generation - s->root.generation;
}
