#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "kms/derive.h"
#include "tools/kit.h"

#define FORMAT 1
#define FILE_MAX (1 << 30) /* over a million keys */

static const char *const needs_name[] = {
    [KIT_NEEDS_PHRASE] = "phrase",
    [KIT_NEEDS_GROUP] = "group",
    [KIT_NEEDS_BACKUP] = "backup",
};

/* --- write ------------------------------------------------------------ */

static json_t *
time_json(int64_t us)
{
	char text[KMS_TIME_TEXT];

	kms_time_text(us, text);
	return json_string(text);
}

static json_t *
master_json(const struct kms_slot *s)
{
	return json_pack("{ss ss ss si si ss}", "role", kms_role_name(s->role),
	    "id", s->id, "origin", kms_slot_origin_name(s->origin),
	    "components", s->components, "kdf_cost", s->cost, "mechanism",
	    kms_mech_name(s->mech));
}

static json_t *
masters_json(const struct kit *kit)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < kit->header->n; i++)
		(void)json_array_append_new(list,
		    master_json(&kit->header->slot[i].slot));
	return list;
}

static json_t *
groups_json(const struct kit *kit)
{
	json_t *list = json_array();
	const struct kit_group *g;
	size_t i;

	for (i = 0; i < kit->groups; i++) {
		g = &kit->group[i];
		(void)json_array_append_new(list,
		    json_pack("{ss ss sI sI}", "name", g->name, "description",
			g->description, "keys", (json_int_t)g->keys, "phrases",
			(json_int_t)g->phrases));
	}
	return list;
}

static json_t *
phrases_json(const struct kit *kit)
{
	json_t *list = json_array();
	const struct kit_phrase *p;
	char id[33];
	size_t i;

	for (i = 0; i < kit->phrases; i++) {
		p = &kit->phrase[i];
		kms_hex(p->is.salt, sizeof(p->is.salt), id);
		(void)json_array_append_new(list,
		    json_pack("{ss sI ss si sI}", "group", p->group, "number",
			(json_int_t)p->number, "id", id, "cost", p->is.cost,
			"keys", (json_int_t)p->keys));
	}
	return list;
}

static json_t *
key_json(const struct kit *kit, const struct kit_key *k)
{
	char tag[KMS_TAG_TEXT], id[33] = "";

	kms_tag_text(&k->tag, tag);
	if (k->needs == KIT_NEEDS_GROUP)
		kms_hex(kit->phrase[k->phrase].is.salt, 16, id);
	return json_pack("{ss ss ss ss ss ss* ss sb ss}", "group", k->group,
	    "name", k->name, "tag", tag, "state", kms_state_name(k->state),
	    "needs", needs_name[k->needs], "phrase", id[0] != '\0' ? id : NULL,
	    "recoverable", kms_recoverable_name(k->recoverable), "needs_token",
	    k->needs_token, "description", k->description);
}

static json_t *
keys_json(const struct kit *kit)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < kit->keys; i++)
		(void)json_array_append_new(list, key_json(kit, &kit->key[i]));
	return list;
}

/* The header as the store's file has it, in hex; NULL: out of memory. */
static char *
header_hex(const struct kms_header *header)
{
	char *text = NULL;
	struct kms_wr wr;

	kms_wr_grow(&wr, KMS_HEADER_MAX);
	if (kms_header_encode(header, &wr) == 0)
		text = malloc(2 * wr.len + 1);
	if (text != NULL)
		kms_hex(wr.p, wr.len, text);
	kms_wr_free(&wr);
	return text;
}

int
kit_json_write(const struct kit *kit, FILE *out)
{
	char *header = header_hex(kit->header);
	json_t *root;
	int r = 0;

	/* One value missing for want of memory: no object at all. */
	root = json_pack("{si ss so sI ss so so so so}", "kit", FORMAT, "uuid",
	    kit->uuid, "made", time_json(kit->made), "generation",
	    (json_int_t)kit->generation, "header", header != NULL ? header : "",
	    "masters", masters_json(kit), "groups", groups_json(kit), "phrases",
	    phrases_json(kit), "keys", keys_json(kit));
	if (header == NULL || root == NULL ||
	    json_array_size(json_object_get(root, "keys")) != kit->keys ||
	    json_array_size(json_object_get(root, "phrases")) != kit->phrases)
		r = kms_fail(KMS_ERR_MEMORY, "recovery kit: out of memory");
	if (r == 0) {
		(void)json_dumpf(root, out, JSON_INDENT(1));
		fputc('\n', out);
	}
	json_decref(root);
	free(header);
	return r;
}

/* --- read ------------------------------------------------------------- */

static int
read_phrase(json_t *j, struct kit_phrase *p)
{
	const char *group = NULL, *id = NULL;
	json_int_t number = 0;
	size_t len = 0;
	int cost = 0;

	if (json_unpack(j, "{ss sI ss si}", "group", &group, "number", &number,
		"id", &id, "cost", &cost) != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "it needs group, number, id and cost");
	if (kms_unhex(id, p->is.salt, sizeof(p->is.salt), &len) != 0 ||
	    len != sizeof(p->is.salt))
		return kms_fail(KMS_ERR_USAGE, "its id is not 16 bytes of hex");
	if (cost < (int)KMS_KDF_COST_MIN || cost > (int)KMS_KDF_COST_MAX)
		return kms_fail(KMS_ERR_USAGE, "its cost %d: %u to %u", cost,
		    KMS_KDF_COST_MIN, KMS_KDF_COST_MAX);
	if (number < 1)
		return kms_fail(KMS_ERR_USAGE, "its number is below 1");
	p->is.cost = (uint8_t)cost;
	p->number = (size_t)number;
	return kit_copy(group, &p->group);
}

static int
read_needs(const char *text, enum kit_needs *needs)
{
	unsigned i;

	for (i = KIT_NEEDS_PHRASE; i <= KIT_NEEDS_BACKUP; i++)
		if (strcmp(text, needs_name[i]) == 0) {
			*needs = (enum kit_needs)i;
			return 0;
		}
	return kms_fail(KMS_ERR_USAGE,
	    "needs '%s' is not phrase, group or backup", text);
}

/* A phrase is asked only for a tag that has one. */
static int
check_kind(const struct kit_key *k)
{
	bool group = k->needs == KIT_NEEDS_GROUP;
	int r;

	if (k->needs == KIT_NEEDS_BACKUP)
		return 0;
	r = kms_derive_has_phrase(&k->tag);
	if (r != 0 || group == (kms_tag_kind(&k->tag) == KMS_TAG_GROUP))
		return r;
	return kms_fail(KMS_ERR_USAGE, "its tag is that of a key of %s phrase",
	    group ? "its own" : "its group's");
}

static int
read_key(struct kit *kit, json_t *j, struct kit_key *k)
{
	const char *group = NULL, *name = NULL, *tag = NULL, *needs = NULL;
	const char *description = NULL;
	int r;

	if (json_unpack(j, "{ss ss ss ss s?s}", "group", &group, "name", &name,
		"tag", &tag, "needs", &needs, "description", &description) != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "it needs group, name, tag and needs");
	r = kit_copy(group, &k->group);
	if (r == 0)
		r = kit_copy(name, &k->name);
	if (r == 0)
		r = kit_copy(description != NULL ? description : "",
		    &k->description);
	if (r == 0)
		r = kms_name_check("group name", group);
	if (r == 0)
		r = kms_name_check("key name", name);
	if (r == 0)
		r = kms_tag_parse(&k->tag, tag);
	if (r == 0)
		r = read_needs(needs, &k->needs);
	if (r == 0)
		r = check_kind(k);
	if (r != 0 || k->needs != KIT_NEEDS_GROUP)
		return r;
	if (!kit_find_phrase(kit, &k->tag, &k->phrase))
		return kms_fail(KMS_ERR_USAGE,
		    "the group phrase of its tag is not in the file");
	kit->phrase[k->phrase].keys++;
	return 0;
}

static int
read_phrases(struct kit *kit, const json_t *list)
{
	struct kit_phrase *p;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(list); i++) {
		r = kit_add_phrase(kit, &p);
		if (r == 0)
			r = read_phrase(json_array_get(list, i), p);
		if (r != 0)
			r = kms_fail_add(r, "phrase %zu", i + 1);
	}
	return r;
}

static int
read_keys(struct kit *kit, const json_t *list)
{
	struct kit_key *k = NULL;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(list); i++) {
		r = kit_add_key(kit, &k);
		if (r == 0)
			r = read_key(kit, json_array_get(list, i), k);
		if (r != 0 && k != NULL && k->name != NULL)
			r = kms_fail_add(r, "key %s/%s", k->group, k->name);
		else if (r != 0)
			r = kms_fail_add(r, "key %zu", i + 1);
	}
	return r;
}

static int
read_root(const json_t *root, struct kit *kit)
{
	const json_t *format = json_object_get(root, "kit");
	const json_t *phrases = json_object_get(root, "phrases");
	const json_t *keys = json_object_get(root, "keys");
	int r;

	if (!json_is_integer(format) || !json_is_array(keys) ||
	    !json_is_array(phrases))
		return kms_fail(KMS_ERR_USAGE,
		    "not a recovery kit; make one with p11kmsutil "
		    "-recoverykit -json");
	if (json_integer_value(format) > FORMAT)
		return kms_fail(KMS_ERR_VERSION,
		    "format %lld is newer than this program; use the program "
		    "that made it",
		    (long long)json_integer_value(format));
	r = read_phrases(kit, phrases);
	return r == 0 ? read_keys(kit, keys) : r;
}

static int
load(const char *file, json_t **root)
{
	FILE *f = fopen(file, "re");
	json_error_t why = {0};
	struct stat st;
	int r = 0;

	*root = NULL;
	if (f == NULL)
		return kms_fail(errno == ENOENT ? KMS_ERR_NOTFOUND : KMS_ERR_IO,
		    "%s: %s", file, strerror(errno));
	if (fstat(fileno(f), &st) != 0 || st.st_size > FILE_MAX)
		r = kms_fail(KMS_ERR_LIMIT, "%s: over %d bytes", file,
		    FILE_MAX);
	if (r == 0)
		*root = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
	if (r == 0 && *root == NULL)
		r = kms_fail(KMS_ERR_USAGE, "%s: line %d: not JSON: %s", file,
		    why.line, why.text);
	fclose(f);
	return r;
}

int
kit_json_read(const char *file, struct kit **out)
{
	struct kit *kit = calloc(1, sizeof(*kit));
	json_t *root = NULL;
	int r;

	*out = NULL;
	if (kit == NULL)
		return kms_fail(KMS_ERR_MEMORY, "recovery kit: %s",
		    strerror(errno));
	r = load(file, &root);
	if (r == 0) {
		r = read_root(root, kit);
		if (r != 0)
			r = kms_fail_add(r, "%s", file);
	}
	if (r == 0) {
		*out = kit;
		kit = NULL;
	}
	json_decref(root);
	kit_free(&kit);
	return r;
}
