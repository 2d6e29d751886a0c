/* Looking things up: nothing here writes. */
#include "kms/directory_impl.h"

#include <string.h>

/* --- hashes and finding ------------------------------------------------- */

uint32_t
kms_directory_hash_tag(const struct kms_directory *d, const struct kms_tag *tag)
{
	uint64_t h[2];

	kms_siphash(&d->secret, tag->b, tag->len, h);
	return (uint32_t)h[0];
}

/* A group's own name is hashed as if in group 0, which no row is. A name
 * over its bound is nobody's: its end is cut, and the bounds are checked
 * before anything is stored. */
void
kms_directory_hash_name(const struct kms_directory *d, uint64_t group,
    const char *name, uint64_t out[2])
{
	size_t len = strnlen(name, KMS_NAME_MAX + 1);
	uint8_t text[8 + KMS_NAME_MAX + 1];

	kms_put64(text, group);
	memcpy(text + 8, name, len);
	kms_siphash(&d->secret, text, 8 + len, out);
}

/*
 * Rows lie in order of id, and ids are drawn one after the other: where none
 * is missing, a row lies just where its id says. Each that is missing moves
 * those after it down, never up.
 */
uint32_t
kms_directory_find_id(const struct kms_directory *d, uint64_t id)
{
	uint32_t low = 0, high = d->rows, middle;

	if (d->rows == 0 || id < d->row[0].id)
		return NONE;
	if (id - d->row[0].id < d->rows) {
		high = (uint32_t)(id - d->row[0].id) + 1;
		if (d->row[high - 1].id == id)
			return high - 1;
	}
	while (low < high) {
		middle = low + (high - low) / 2;
		if (d->row[middle].id == id)
			return middle;
		if (d->row[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NONE;
}

uint32_t
kms_directory_find_tag(const struct kms_directory *d, uint32_t hash,
    const struct kms_tag *tag)
{
	struct kms_table_walk w;
	uint32_t k;

	for (k = kms_table_first(&d->by_tag, hash, &w); k != NONE;
	     k = kms_table_next(&d->by_tag, &w))
		if (kms_tag_equal(&d->key[k].tag, tag))
			return k;
	return NONE;
}

uint32_t
kms_directory_find_name(const struct kms_directory *d, const uint64_t name[2])
{
	struct kms_table_walk w;
	uint32_t k;

	for (k = kms_table_first(&d->by_name, (uint32_t)name[0], &w); k != NONE;
	     k = kms_table_next(&d->by_name, &w))
		if (d->key[k].name[0] == name[0] &&
		    d->key[k].name[1] == name[1])
			return k;
	return NONE;
}

uint32_t
kms_directory_find_group(const struct kms_directory *d, const uint64_t name[2])
{
	struct kms_table_walk w;
	uint32_t g;

	for (g = kms_table_first(&d->by_group, (uint32_t)name[0], &w);
	     g != NONE; g = kms_table_next(&d->by_group, &w))
		if (d->group[g].name[0] == name[0] &&
		    d->group[g].name[1] == name[1])
			return g;
	return NONE;
}

uint32_t
kms_directory_group_of(const struct kms_directory *d, uint64_t id)
{
	uint32_t i = kms_directory_find_id(d, id);

	if (i == NONE || d->row[i].kind != KMS_KIND_GROUP)
		return NONE;
	return d->row[i].extra;
}

/* --- answers ----------------------------------------------------------- */

static const struct kms_directory_row *
row_at(const struct kms_directory *d, uint32_t i)
{
	return i == NONE ? NULL : &d->row[i];
}

static const struct kms_directory_row *
row_of_key(const struct kms_directory *d, uint32_t k)
{
	return k == NONE ? NULL : &d->row[d->key[k].row];
}

const struct kms_directory_row *
kms_directory_by_id(const struct kms_directory *d, uint64_t id)
{
	return row_at(d, kms_directory_find_id(d, id));
}

const struct kms_directory_row *
kms_directory_by_tag(const struct kms_directory *d, const struct kms_tag *tag)
{
	return row_of_key(d,
	    kms_directory_find_tag(d, kms_directory_hash_tag(d, tag), tag));
}

const struct kms_directory_row *
kms_directory_by_name(const struct kms_directory *d, uint64_t group,
    const char *name)
{
	uint64_t h[2];

	kms_directory_hash_name(d, group, name, h);
	return row_of_key(d, kms_directory_find_name(d, h));
}

const struct kms_directory_row *
kms_directory_group_by_name(const struct kms_directory *d, const char *name)
{
	uint64_t h[2];
	uint32_t g;

	kms_directory_hash_name(d, 0, name, h);
	g = kms_directory_find_group(d, h);
	return g == NONE ? NULL : &d->row[d->group[g].row];
}

const struct kms_directory_row *
kms_directory_active(const struct kms_directory *d, uint64_t group)
{
	uint32_t g = kms_directory_group_of(d, group);

	return g == NONE ? NULL : row_of_key(d, d->group[g].active);
}

const struct kms_directory_key *
kms_directory_key(const struct kms_directory *d,
    const struct kms_directory_row *row)
{
	return row->kind == KMS_KIND_KEY ? &d->key[row->extra] : NULL;
}

const struct kms_directory_group *
kms_directory_group(const struct kms_directory *d,
    const struct kms_directory_row *row)
{
	return row->kind == KMS_KIND_GROUP ? &d->group[row->extra] : NULL;
}

void
kms_directory_wrapped(const struct kms_directory_key *key,
    struct kms_wrapped *out)
{
	memcpy(out->bytes, key->wrapped, sizeof(out->bytes));
	memcpy(out->kcv, key->kcv, sizeof(out->kcv));
	out->len = key->wrapped_len;
}

const struct kms_directory_row *
kms_directory_next(const struct kms_directory *d, unsigned kind, size_t *at)
{
	while (*at < d->rows) {
		const struct kms_directory_row *row = &d->row[(*at)++];

		if (kind == 0 || row->kind == kind)
			return row;
	}
	return NULL;
}

const struct kms_directory_row *
kms_directory_next_in_group(const struct kms_directory *d, uint64_t group,
    const struct kms_directory_row *after)
{
	uint32_t g;

	if (after != NULL)
		return row_of_key(d, d->key[after->extra].next);
	g = kms_directory_group_of(d, group);
	return g == NONE ? NULL : row_of_key(d, d->group[g].first);
}

uint64_t
kms_directory_count(const struct kms_directory *d, unsigned kind)
{
	if (kind == 0)
		return d->rows;
	return kind <= KMS_KINDS ? d->count[kind] : 0;
}

uint64_t
kms_directory_epoch(const struct kms_directory *d)
{
	return d->epoch;
}

uint64_t
kms_directory_changes(const struct kms_directory *d)
{
	return d->changes;
}

bool
kms_directory_change(const struct kms_directory *d, uint64_t number,
    uint64_t *id)
{
	if (number >= d->changes || d->changes - number > KMS_DIRECTORY_CHANGES)
		return false;
	*id = d->changed[number % KMS_DIRECTORY_CHANGES];
	return true;
}
