#include "kms/naming.h"

#include <stdlib.h>
#include <string.h>

#include "kms/directory.h"

struct grave {
	struct kms_tag tag;
	uint64_t id;
};

/* Releases of one key follow each other: the last answer is kept. */
struct kms_naming {
	struct kms_store *store;
	const struct kms_actor *actor;
	struct kms_tag tag; /* len 0: none yet */
	struct kms_name_of name;
	bool dug;
	struct grave *grave; /* deleted keys, in order of their tags; owned */
	size_t n;
};

int
kms_naming_new(struct kms_store *s, const struct kms_actor *actor,
    struct kms_naming **out)
{
	struct kms_naming *names = calloc(1, sizeof(*names));

	*out = names;
	if (names == NULL)
		return kms_fail(KMS_ERR_MEMORY, "names: out of memory");
	names->store = s;
	names->actor = actor;
	return 0;
}

void
kms_naming_free(struct kms_naming **np)
{
	if (np == NULL || *np == NULL)
		return;
	free((*np)->grave);
	free(*np);
	*np = NULL;
}

/* --- deleted keys ------------------------------------------------------ */

static int
compare(const void *a, const void *b)
{
	const struct kms_tag *x = &((const struct grave *)a)->tag;
	const struct kms_tag *y = &((const struct grave *)b)->tag;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->b, y->b, x->len);
}

static int
note_grave(struct kms_naming *names, struct kms_tx *tx, uint64_t id)
{
	struct kms_record record;
	int r;

	r = kms_tx_get(tx, id, &record);
	if (r == 0 && record.u.tombstone.tag.len > 0)
		names->grave[names->n++] = (struct grave){.tag = record.u
								     .tombstone
								     .tag,
		    .id = id};
	kms_record_clear(&record);
	return r;
}

/* Once, when the first tag is met that no key of the store has. */
static int
dig(struct kms_naming *names, struct kms_tx *tx)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	const struct kms_directory_row *row;
	size_t at = 0;
	uint64_t most;
	int r = 0;

	if (names->dug)
		return 0;
	most = kms_directory_count(dir, KMS_KIND_TOMBSTONE);
	if (most == 0)
		return 0;
	names->grave = calloc(most, sizeof(names->grave[0]));
	if (names->grave == NULL)
		return kms_fail(KMS_ERR_MEMORY, "names: out of memory");
	names->dug = true;
	while (r == 0 &&
	    (row = kms_directory_next(dir, KMS_KIND_TOMBSTONE, &at)) != NULL)
		r = note_grave(names, tx, row->id);
	if (names->n > 0)
		qsort(names->grave, names->n, sizeof(names->grave[0]), compare);
	return r;
}

static int
find_deleted(struct kms_naming *names, struct kms_tx *tx,
    const struct kms_tag *tag, struct kms_name_of *out)
{
	const struct grave wanted = {.tag = *tag}, *found = NULL;
	struct kms_record record;
	int r;

	r = dig(names, tx);
	if (r == 0 && names->n > 0)
		found = bsearch(&wanted, names->grave, names->n, sizeof(wanted),
		    compare);
	if (r != 0 || found == NULL)
		return r;
	r = kms_tx_get(tx, found->id, &record);
	if (r == 0) {
		memcpy(out->group, record.u.tombstone.group,
		    sizeof(out->group));
		memcpy(out->key, record.u.tombstone.name, sizeof(out->key));
	}
	kms_record_clear(&record);
	return r;
}

/* --- keys -------------------------------------------------------------- */

static int
find_held(struct kms_tx *tx, const struct kms_directory_row *row,
    struct kms_name_of *out)
{
	struct kms_record key;
	int r;

	r = kms_tx_get(tx, row->id, &key);
	if (r == 0)
		r = kms_tx_group_name(tx, key.u.key.group, out->group);
	if (r == 0) {
		memcpy(out->key, key.u.key.name, sizeof(out->key));
		out->held = true;
	}
	kms_record_clear(&key);
	return r;
}

static int
find(struct kms_naming *names, const struct kms_tag *tag)
{
	struct kms_name_of *out = &names->name;
	const struct kms_directory_row *row;
	struct kms_tx *tx = NULL;
	int r;

	memset(out, 0, sizeof(*out));
	names->tag.len = 0;
	r = kms_tx_begin(names->store, names->actor, KMS_READ, &tx);
	if (r != 0)
		return r;
	row = kms_directory_by_tag(kms_tx_directory(tx), tag);
	r = row != NULL ? find_held(tx, row, out)
			: find_deleted(names, tx, tag, out);
	kms_tx_abort(&tx);
	if (r == 0)
		names->tag = *tag;
	return r;
}

int
kms_naming_find(struct kms_naming *names, const struct kms_tag *tag,
    struct kms_name_of *out)
{
	int r = 0;

	if (names->tag.len == 0 || !kms_tag_equal(&names->tag, tag))
		r = find(names, tag);
	if (r == 0)
		*out = names->name;
	return r;
}
