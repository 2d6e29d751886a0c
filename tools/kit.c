#include "tools/kit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kms/store.h"

/* --- arrays ----------------------------------------------------------- */

/* Room for one more of size bytes, zeroed. */
static int
grow(void **array, size_t size, size_t *n, size_t *cap, void **one)
{
	size_t more = *cap == 0 ? 16 : *cap * 2;
	void *p;

	if (*n == *cap) {
		p = reallocarray(*array, more, size);
		if (p == NULL)
			return kms_fail(KMS_ERR_MEMORY, "recovery kit: %s",
			    strerror(errno));
		*array = p;
		*cap = more;
	}
	*one = (char *)*array + *n * size;
	memset(*one, 0, size);
	++*n;
	return 0;
}

int
kit_add_group(struct kit *kit, struct kit_group **out)
{
	void *array = kit->group, *one = NULL;
	int r = grow(&array, sizeof(**out), &kit->groups, &kit->groups_cap,
	    &one);

	kit->group = array;
	*out = one;
	return r;
}

int
kit_add_phrase(struct kit *kit, struct kit_phrase **out)
{
	void *array = kit->phrase, *one = NULL;
	int r = grow(&array, sizeof(**out), &kit->phrases, &kit->phrases_cap,
	    &one);

	kit->phrase = array;
	*out = one;
	return r;
}

int
kit_add_key(struct kit *kit, struct kit_key **out)
{
	void *array = kit->key, *one = NULL;
	int r = grow(&array, sizeof(**out), &kit->keys, &kit->keys_cap, &one);

	kit->key = array;
	*out = one;
	return r;
}

int
kit_copy(const char *text, char **out)
{
	*out = strdup(text);
	if (*out != NULL)
		return 0;
	return kms_fail(KMS_ERR_MEMORY, "recovery kit: %s", strerror(errno));
}

void
kit_free(struct kit **kp)
{
	struct kit *kit = kp != NULL ? *kp : NULL;
	size_t i;

	if (kit == NULL)
		return;
	for (i = 0; i < kit->groups; i++) {
		free(kit->group[i].name);
		free(kit->group[i].description);
	}
	for (i = 0; i < kit->phrases; i++)
		free(kit->phrase[i].group);
	for (i = 0; i < kit->keys; i++) {
		free(kit->key[i].group);
		free(kit->key[i].name);
		free(kit->key[i].description);
	}
	free(kit->group);
	free(kit->phrase);
	free(kit->key);
	free(kit->header);
	free(kit);
	*kp = NULL;
}

/* --- phrases ---------------------------------------------------------- */

/* A B3 tag is kind | cost | check(6) | group salt(16) | nonce(8). */
static void
phrase_of_tag(const struct kms_tag *tag, struct kms_group_phrase *is)
{
	is->cost = (uint8_t)kms_tag_cost(tag);
	memcpy(is->salt, tag->b + 8, sizeof(is->salt));
}

static bool
same_phrase(const struct kms_group_phrase *a, const struct kms_group_phrase *b)
{
	return a->cost == b->cost &&
	    memcmp(a->salt, b->salt, sizeof(a->salt)) == 0;
}

bool
kit_find_phrase(const struct kit *kit, const struct kms_tag *tag, size_t *at)
{
	struct kms_group_phrase is;
	size_t i;

	phrase_of_tag(tag, &is);
	for (i = 0; i < kit->phrases; i++) {
		if (!same_phrase(&kit->phrase[i].is, &is))
			continue;
		*at = i;
		return true;
	}
	return false;
}

/* The group that had it is deleted; its keys were moved before. */
static int
add_orphan(struct kit *kit, const struct kms_tag *tag, size_t *at)
{
	struct kit_phrase *p;
	int r = kit_add_phrase(kit, &p);

	if (r != 0)
		return r;
	*at = kit->phrases - 1;
	p->number = 1;
	phrase_of_tag(tag, &p->is);
	return kit_copy("", &p->group);
}

/* --- collect ---------------------------------------------------------- */

struct collect {
	struct kms_tx *tx;
	struct kit *kit;
};

static int
collect_group(void *arg, const struct kms_group_view *view)
{
	struct kms_group_phrase is[KMS_SEEDS_MAX];
	struct collect *c = arg;
	struct kit_phrase *p;
	struct kit_group *g;
	size_t i;
	int r;

	r = kit_add_group(c->kit, &g);
	if (r != 0)
		return r;
	g->keys = view->keys;
	r = kit_copy(view->name, &g->name);
	if (r == 0)
		r = kit_copy(view->description, &g->description);
	if (r == 0)
		r = kms_group_phrases(c->tx, view->name, is, &g->phrases);
	for (i = 0; r == 0 && i < g->phrases; i++) {
		r = kit_add_phrase(c->kit, &p);
		if (r != 0)
			break;
		p->number = i + 1;
		p->is = is[i];
		r = kit_copy(view->name, &p->group);
	}
	return r;
}

static enum kit_needs
needs_of(const struct kms_key *key)
{
	switch (key->origin) {
	case KMS_ORIGIN_PHRASE:
		return KIT_NEEDS_PHRASE;
	case KMS_ORIGIN_GROUP:
		return KIT_NEEDS_GROUP;
	case KMS_ORIGIN_RANDOM:
	case KMS_ORIGIN_IMPORT:
		break;
	}
	return KIT_NEEDS_BACKUP;
}

static int
collect_key(void *arg, const struct kms_key_view *view)
{
	struct kit *kit = ((struct collect *)arg)->kit;
	struct kit_key *k;
	int r;

	r = kit_add_key(kit, &k);
	if (r != 0)
		return r;
	k->tag = view->key.tag;
	k->state = view->key.state;
	k->needs = needs_of(&view->key);
	k->recoverable = view->gate.recoverable;
	k->needs_token = view->gate.needs_token;
	r = kit_copy(view->group, &k->group);
	if (r == 0)
		r = kit_copy(view->key.name, &k->name);
	if (r == 0)
		r = kit_copy(view->key.description, &k->description);
	if (r != 0 || k->needs != KIT_NEEDS_GROUP)
		return r;
	if (!kit_find_phrase(kit, &k->tag, &k->phrase))
		r = add_orphan(kit, &k->tag, &k->phrase);
	if (r == 0)
		kit->phrase[k->phrase].keys++;
	return r;
}

int
kit_collect(struct kms_tx *tx, struct kit **out)
{
	struct collect c = {.tx = tx, .kit = calloc(1, sizeof(*c.kit))};
	int r;

	*out = NULL;
	if (c.kit == NULL)
		return kms_fail(KMS_ERR_MEMORY, "recovery kit: %s",
		    strerror(errno));
	c.kit->header = calloc(1, sizeof(*c.kit->header));
	if (c.kit->header == NULL) {
		r = kms_fail(KMS_ERR_MEMORY, "recovery kit: %s",
		    strerror(errno));
		goto out;
	}
	kms_store_header(kms_tx_store(tx), c.kit->header);
	kms_uuid_text(c.kit->header->uuid, c.kit->uuid);
	c.kit->made = kms_tx_now();
	c.kit->generation = kms_tx_generation(tx);
	r = kms_group_list(tx, collect_group, &c);
	if (r == 0)
		r = kms_key_list(tx, NULL, collect_key, &c);
	if (r == 0) {
		*out = c.kit;
		c.kit = NULL;
	}
out:
	kit_free(&c.kit);
	return r;
}
