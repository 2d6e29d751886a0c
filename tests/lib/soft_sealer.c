#include "tests/lib/soft_sealer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kms/base/crypt.h"
#include "kms/base/file.h"
#include "tests/lib/soft_token.h"

#define WAIT_S 10u

struct soft {
	struct kms_sealer api; /* first: the interface is the object */
	struct soft_control control;
	struct soft_token token;
	char *path, *lock_path, *busy_path; /* NULL in memory */
	pthread_mutex_t state; /* token and control, one call at a time */
	pthread_mutex_t held;  /* lock() among our own threads */
	int lock_fd, busy_fd;
};

static struct soft *
of(struct kms_sealer *s)
{
	return (struct soft *)s;
}

/* Begins a call: our threads, other processes, then the file's content. */
static int
enter(struct soft *s)
{
	int r = 0;

	pthread_mutex_lock(&s->state);
	if (s->control.away)
		r = kms_fail(KMS_ERR_TOKEN, "soft token is away");
	else if (s->path != NULL)
		r = kms_file_lock(s->busy_path, WAIT_S * 1000, &s->busy_fd);
	if (r == 0)
		r = soft_token_load(&s->token);
	if (r != 0) {
		kms_file_unlock(&s->busy_fd);
		pthread_mutex_unlock(&s->state);
	}
	return r;
}

static void
leave(struct soft *s)
{
	kms_file_unlock(&s->busy_fd);
	pthread_mutex_unlock(&s->state);
}

/* Ends a call that changed the token; r is what it came to so far. */
static int
leave_changed(struct soft *s, int r)
{
	if (r == 0)
		r = soft_token_save(&s->token);
	else if (soft_token_load(&s->token) != 0)
		r = kms_fail_add(r, "soft token");
	leave(s);
	return r;
}

/* The slot's key: alone, not extractable, of the mechanism we have. */
static int
find(struct soft *s, const struct kms_slot *slot, struct soft_key **key)
{
	size_t n;

	n = soft_token_find(&s->token, slot->cka_id, slot->cka_id_len, key);
	if (n == 0)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "soft token: no master key %s", slot->id);
	if (n > 1)
		return kms_fail(KMS_ERR_MASTER,
		    "soft token: %zu keys of one CKA_ID", n);
	if ((*key)->extractable)
		return kms_fail(KMS_ERR_MASTER,
		    "soft token: CKA_EXTRACTABLE of %s is true", slot->id);
	if (slot->mech != KMS_MECH_AES_KW && slot->mech != KMS_MECH_NONE)
		return kms_fail(KMS_ERR_TOKEN, "soft token: no mechanism %d",
		    (int)slot->mech);
	return 0;
}

static int
find_for_use(struct soft *s, const struct kms_slot *slot, struct soft_key **key)
{
	int r = find(s, slot, key);

	/* A master key that is gone is no missing data key. */
	return r == KMS_ERR_NOTFOUND ? kms_fail_add(KMS_ERR_MASTER, "use") : r;
}

static void
describe_slot(const struct soft *s, struct kms_slot *slot)
{
	slot->mech = KMS_MECH_AES_KW;
	snprintf(slot->token_label, sizeof(slot->token_label), "soft");
	snprintf(slot->token_serial, sizeof(slot->token_serial), "%s",
	    s->token.serial);
}

static int
soft_make(struct kms_sealer *api, const struct kms_secret *secret,
    struct kms_slot *slot)
{
	struct soft *s = of(api);
	struct soft_key k, *there;
	int r;

	r = soft_token_new_key(secret, slot, &k);
	if (r != 0)
		return r;
	r = enter(s);
	if (r != 0)
		goto out;
	if (secret == NULL && find(s, slot, &there) == 0) {
		r = 0; /* planned and made before: adopted */
	} else {
		soft_token_drop(&s->token, slot->cka_id, slot->cka_id_len);
		r = soft_token_add(&s->token, &k);
	}
	describe_slot(s, slot);
	r = leave_changed(s, r);
out:
	kms_wipe(&k, sizeof(k));
	return r;
}

static void
report_key(const struct soft_key *k, struct kms_attr_report *report)
{
	struct kms_attr_line *line;

	if (report == NULL)
		return;
	memset(report, 0, sizeof(*report));
	line = &report->line[report->n++];
	snprintf(line->name, sizeof(line->name), "CKA_EXTRACTABLE");
	snprintf(line->required, sizeof(line->required), "false");
	snprintf(line->found, sizeof(line->found), "%s",
	    k->extractable ? "true" : "false");
	line->ok = !k->extractable;
	report->mech = KMS_MECH_AES_KW;
}

static int
soft_adopt(struct kms_sealer *api, const struct kms_wanted *wanted,
    struct kms_slot *slot, struct kms_attr_report *report)
{
	struct soft *s = of(api);
	struct soft_key *k = NULL;
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	r = soft_token_find_wanted(&s->token, wanted, &k);
	if (r != 0)
		goto out;
	report_key(k, report);
	if (k->extractable) {
		r = kms_fail(KMS_ERR_MASTER,
		    "soft token: CKA_EXTRACTABLE of %s is true", k->label);
		goto out;
	}
	if (slot == NULL)
		goto out;
	slot->role = wanted->role;
	slot->origin = KMS_SLOT_ADOPTED;
	memcpy(slot->cka_id, k->cka_id, k->cka_id_len);
	slot->cka_id_len = k->cka_id_len;
	describe_slot(s, slot);
out:
	leave(s);
	return r;
}

static int
soft_describe(struct kms_sealer *api, const struct kms_slot *slot,
    struct kms_attr_report *report)
{
	struct soft *s = of(api);
	struct soft_key *k = NULL;
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	if (soft_token_find(&s->token, slot->cka_id, slot->cka_id_len, &k) == 0)
		r = kms_fail(KMS_ERR_NOTFOUND, "soft token: no master key %s",
		    slot->id);
	else
		report_key(k, report);
	leave(s);
	return r;
}

static int
soft_check(struct kms_sealer *api, const struct kms_slot *slot)
{
	struct soft *s = of(api);
	struct soft_key *k;
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	r = find(s, slot, &k);
	leave(s);
	return r;
}

static int
soft_drop(struct kms_sealer *api, const struct kms_slot *slot)
{
	struct soft *s = of(api);
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	soft_token_drop(&s->token, slot->cka_id, slot->cka_id_len);
	return leave_changed(s, 0);
}

/* A key is here whole or not at all: there is never debris. */
static int
soft_debris_list(struct kms_sealer *api, uint8_t (*list)[32], size_t cap,
    size_t *n)
{
	(void)list;
	(void)cap;
	*n = 0;
	if (of(api)->control.away)
		return kms_fail(KMS_ERR_TOKEN, "soft token is away");
	return 0;
}

static int
soft_debris_sweep(struct kms_sealer *api, const uint8_t (*list)[32], size_t n,
    size_t *swept)
{
	(void)list;
	(void)n;
	*swept = 0;
	if (of(api)->control.away)
		return kms_fail(KMS_ERR_TOKEN, "soft token is away");
	return 0;
}

static int
soft_wrap(struct kms_sealer *api, const struct kms_slot *slot,
    const struct kms_secret *data, struct kms_wrapped *w)
{
	struct soft *s = of(api);
	struct soft_key *master;
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	s->control.wraps++;
	r = find_for_use(s, slot, &master);
	if (r == 0)
		r = soft_token_wrap(master, data, w);
	leave(s);
	return r;
}

static int
soft_unwrap(struct kms_sealer *api, const struct kms_slot *slot,
    const struct kms_wrapped *w, struct kms_secret **out)
{
	struct soft *s = of(api);
	struct soft_key *master;
	int r;

	*out = NULL;
	r = enter(s);
	if (r != 0)
		return r;
	s->control.unwraps++;
	r = find_for_use(s, slot, &master);
	if (r == 0)
		r = soft_token_unwrap(master, w, out);
	leave(s);
	return r;
}

static int
soft_prove(struct kms_sealer *api, const struct kms_slot *slot,
    const struct kms_wrapped *w)
{
	struct soft *s = of(api);
	struct kms_secret *data = NULL;
	struct soft_key *master;
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	r = find_for_use(s, slot, &master);
	if (r == 0)
		r = soft_token_unwrap(master, w, &data);
	kms_secret_free(&data);
	leave(s);
	return r;
}

static int
soft_rewrap(struct kms_sealer *api, const struct kms_slot *from,
    const struct kms_slot *to, struct kms_wrapped *w, size_t n)
{
	struct kms_wrapped moved[KMS_REWRAP_MOST];
	struct soft *s = of(api);
	struct kms_secret *data = NULL;
	struct soft_key *old, *new;
	size_t i;
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	r = find_for_use(s, from, &old);
	if (r == 0)
		r = find_for_use(s, to, &new);
	for (i = 0; r == 0 && i < n; i++) {
		r = soft_token_unwrap(old, &w[i], &data);
		if (r == 0)
			r = soft_token_wrap(new, data, &moved[i]);
		kms_secret_free(&data);
	}
	if (r == 0)
		memcpy(w, moved, n * sizeof(moved[0]));
	leave(s);
	return r;
}

static int
soft_crypt(struct kms_sealer *api, const struct kms_slot *slot,
    const struct kms_wrapped *w, struct kms_crypt *c)
{
	struct soft *s = of(api);
	struct kms_secret *data = NULL;
	struct soft_key *master;
	int r;

	c->out = NULL;
	r = enter(s);
	if (r != 0)
		return r;
	s->control.crypts++;
	r = find_for_use(s, slot, &master);
	if (r == 0)
		r = soft_token_unwrap(master, w, &data);
	if (r == 0)
		r = kms_cipher_run(data, c);
	kms_secret_free(&data);
	leave(s);
	return r;
}

static int
soft_ciphers(struct kms_sealer *api, const struct kms_slot *slot, unsigned *out)
{
	(void)slot;
	*out = 0;
	if (of(api)->control.away)
		return kms_fail(KMS_ERR_TOKEN, "soft token is away");
	*out = KMS_CIPHERS_ALL & ~of(api)->control.no_ciphers;
	return 0;
}

static int
soft_random(struct kms_sealer *api, uint8_t *out, size_t len)
{
	if (of(api)->control.away)
		return kms_fail(KMS_ERR_TOKEN, "soft token is away");
	return kms_random(out, len);
}

static int
soft_anchor_get(struct kms_sealer *api, const uint8_t uuid[16],
    struct kms_anchor *list, size_t cap, size_t *n)
{
	struct soft *s = of(api);
	const struct soft_anchor *a;
	int r;

	*n = 0;
	r = enter(s);
	if (r != 0)
		return r;
	if (s->control.no_anchor)
		r = kms_fail(KMS_ERR_NOTFOUND, "soft token: no data objects");
	for (a = s->token.anchor;
	     r == 0 && a < s->token.anchor + s->token.nanchors; a++)
		if (memcmp(a->uuid, uuid, 16) == 0 && *n < cap)
			list[(*n)++] = a->anchor;
	leave(s);
	return r;
}

static int
soft_anchor_put(struct kms_sealer *api, const uint8_t uuid[16],
    const struct kms_anchor *anchor)
{
	struct soft *s = of(api);
	int r;

	r = enter(s);
	if (r != 0)
		return r;
	s->control.puts++;
	if (s->control.no_anchor)
		r = kms_fail(KMS_ERR_NOTFOUND, "soft token: no data objects");
	else if (s->control.put_fails)
		r = kms_fail(KMS_ERR_TOKEN, "soft token: anchor not written");
	else
		r = soft_token_set_anchor(&s->token, uuid, anchor);
	return leave_changed(s, r);
}

static int
soft_lock(struct kms_sealer *api)
{
	struct soft *s = of(api);
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	if (pthread_mutex_timedlock(&s->held, &until) != 0)
		return kms_fail(KMS_ERR_BUSY, "soft token: locked by a thread");
	if (s->path != NULL)
		r = kms_file_lock(s->lock_path, WAIT_S * 1000, &s->lock_fd);
	if (r != 0)
		pthread_mutex_unlock(&s->held);
	return r;
}

static void
soft_unlock(struct kms_sealer *api)
{
	struct soft *s = of(api);

	kms_file_unlock(&s->lock_fd);
	pthread_mutex_unlock(&s->held);
}

static void
soft_name(struct kms_sealer *api, char label[33], char serial[17])
{
	snprintf(label, 33, "soft");
	snprintf(serial, 17, "%s", of(api)->token.serial);
}

static void
soft_close(struct kms_sealer **apip)
{
	struct soft *s;

	if (apip == NULL || *apip == NULL)
		return;
	s = of(*apip);
	*apip = NULL;
	kms_file_unlock(&s->lock_fd);
	pthread_mutex_destroy(&s->held);
	pthread_mutex_destroy(&s->state);
	free(s->path);
	free(s->lock_path);
	free(s->busy_path);
	kms_wipe(s, sizeof(*s));
	free(s);
}

static const struct kms_sealer functions = {
    .make = soft_make,
    .adopt = soft_adopt,
    .describe = soft_describe,
    .check = soft_check,
    .drop = soft_drop,
    .debris_list = soft_debris_list,
    .debris_sweep = soft_debris_sweep,
    .wrap = soft_wrap,
    .unwrap = soft_unwrap,
    .prove = soft_prove,
    .rewrap = soft_rewrap,
    .crypt = soft_crypt,
    .ciphers = soft_ciphers,
    .random = soft_random,
    .anchor_get = soft_anchor_get,
    .anchor_put = soft_anchor_put,
    .lock = soft_lock,
    .unlock = soft_unlock,
    .name = soft_name,
    .close = soft_close,
};

static int
set_paths(struct soft *s, const char *path)
{
	if (path == NULL)
		return 0;
	s->path = strdup(path);
	if (s->path == NULL || asprintf(&s->lock_path, "%s.lock", path) < 0 ||
	    asprintf(&s->busy_path, "%s.busy", path) < 0)
		return kms_fail(KMS_ERR_MEMORY, "soft token: out of memory");
	return kms_file_lock(s->busy_path, WAIT_S * 1000, &s->busy_fd);
}

int
soft_sealer_new(const char *path, struct kms_sealer **out)
{
	struct soft *s = calloc(1, sizeof(*s));
	struct kms_sealer *api;
	int r;

	*out = NULL;
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "soft token: out of memory");
	s->api = functions;
	s->lock_fd = s->busy_fd = -1;
	pthread_mutex_init(&s->state, NULL);
	pthread_mutex_init(&s->held, NULL);
	api = &s->api;
	r = set_paths(s, path);
	if (r == 0)
		r = soft_token_open(&s->token, s->path);
	kms_file_unlock(&s->busy_fd);
	if (r != 0)
		soft_close(&api);
	*out = api;
	return r;
}

struct soft_control *
soft_sealer_control(struct kms_sealer *api)
{
	return &of(api)->control;
}

int
soft_sealer_plant(struct kms_sealer *api, const struct soft_planted *p)
{
	struct soft *s = of(api);
	struct soft_key k = {.role = p->role, .extractable = p->extractable};
	int r = 0;

	if (p->cka_id_len > sizeof(k.cka_id))
		return kms_fail(KMS_ERR_INTERNAL, "soft token: CKA_ID length");
	memcpy(k.cka_id, p->cka_id, p->cka_id_len);
	k.cka_id_len = p->cka_id_len;
	snprintf(k.label, sizeof(k.label), "%s", p->label);
	if (p->key != NULL)
		memcpy(k.key, p->key, sizeof(k.key));
	else
		r = kms_random(k.key, sizeof(k.key));
	if (r == 0)
		r = enter(s);
	if (r != 0)
		return r;
	return leave_changed(s, soft_token_add(&s->token, &k));
}

size_t
soft_sealer_count(struct kms_sealer *api)
{
	struct soft *s = of(api);
	size_t n;

	if (enter(s) != 0)
		return 0;
	n = s->token.nkeys;
	leave(s);
	return n;
}
