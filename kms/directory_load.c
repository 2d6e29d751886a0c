/* Making a directory and filling it at open: one pass, no allocation by row. */
#include "kms/directory_impl.h"

#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "kms/bulk.h"

#define ROWS_MAX (UINT64_C(1) << 30)

/* --- memory ------------------------------------------------------------ */

/* How large an array becomes that must hold need. */
static int
next_cap(uint32_t cap, size_t need, size_t *to)
{
	if (need > ROWS_MAX)
		return kms_fail(KMS_ERR_LIMIT, "directory of %zu rows", need);
	*to = (size_t)cap + cap / 2;
	if (*to > ROWS_MAX)
		*to = ROWS_MAX;
	if (*to < need)
		*to = need;
	return 0;
}

/* Its tables have room already: only then may the array say so. */
static int
grow(void **array, uint32_t *cap, size_t to, size_t size)
{
	void *p = kms_bulk_grow(*array, *cap, to, size);

	if (p == NULL)
		return kms_fail(KMS_ERR_MEMORY, "directory: out of memory");
	*array = p;
	*cap = (uint32_t)to;
	return 0;
}

/* void ** may not alias a typed pointer, hence the round trip. */
static int
reserve_rows(struct kms_directory *d, size_t need)
{
	void *p = d->row;
	size_t to;
	int r;

	if (need <= d->rows_cap)
		return 0;
	r = next_cap(d->rows_cap, need, &to);
	if (r == 0)
		r = grow(&p, &d->rows_cap, to, sizeof(*d->row));
	d->row = p;
	return r;
}

static int
reserve_keys(struct kms_directory *d, size_t need)
{
	void *p = d->key;
	size_t to;
	int r;

	if (need <= d->keys_cap)
		return 0;
	r = next_cap(d->keys_cap, need, &to);
	if (r == 0)
		r = kms_table_reserve(&d->by_tag, to);
	if (r == 0)
		r = kms_table_reserve(&d->by_name, to);
	if (r == 0)
		r = grow(&p, &d->keys_cap, to, sizeof(*d->key));
	d->key = p;
	return r;
}

static int
reserve_groups(struct kms_directory *d, size_t need)
{
	void *p = d->group;
	size_t to;
	int r;

	if (need <= d->groups_cap)
		return 0;
	r = next_cap(d->groups_cap, need, &to);
	if (r == 0)
		r = kms_table_reserve(&d->by_group, to);
	if (r == 0)
		r = grow(&p, &d->groups_cap, to, sizeof(*d->group));
	d->group = p;
	return r;
}

int
kms_directory_reserve(struct kms_directory *d, size_t n)
{
	int r;

	if (n > ROWS_MAX)
		return kms_fail(KMS_ERR_LIMIT, "directory of %zu rows", n);
	r = reserve_rows(d, d->rows + n);
	if (r == 0)
		r = reserve_keys(d, d->keys + n);
	if (r == 0)
		r = reserve_groups(d, d->groups + n);
	return r;
}

int
kms_directory_new(const uint64_t count[KMS_KINDS + 1],
    struct kms_directory **out)
{
	struct kms_directory *d = NULL;
	uint64_t all = 0;
	size_t i;
	int r;

	*out = NULL;
	d = calloc(1, sizeof(*d));
	if (d == NULL) {
		r = kms_fail(KMS_ERR_MEMORY, "directory: out of memory");
		goto out;
	}
	d->free_key = d->free_group = NONE;
	d->gap_group = d->gap_prev = NONE;
	for (i = KMS_KIND_GROUP; i <= KMS_KINDS; i++) {
		if (count[i] > ROWS_MAX) {
			r = kms_fail(KMS_ERR_LIMIT, "directory of %llu rows",
			    (unsigned long long)count[i]);
			goto out;
		}
		all += count[i];
	}
	r = kms_random(&d->secret, sizeof(d->secret));
	if (r == 0)
		r = kms_random(&d->epoch, sizeof(d->epoch));
	if (r == 0)
		r = reserve_rows(d, all);
	if (r == 0)
		r = reserve_keys(d, count[KMS_KIND_KEY]);
	if (r == 0)
		r = reserve_groups(d, count[KMS_KIND_GROUP]);
	if (r != 0)
		goto out;
	*out = d;
	d = NULL; /* transferred */
out:
	kms_directory_free(&d);
	return r;
}

void
kms_directory_free(struct kms_directory **dp)
{
	struct kms_directory *d;

	if (dp == NULL || *dp == NULL)
		return;
	d = *dp;
	kms_table_free(&d->by_tag);
	kms_table_free(&d->by_name);
	kms_table_free(&d->by_group);
	free(d->row);
	free(d->key);
	free(d->group);
	free(d);
	*dp = NULL;
}

size_t
kms_directory_memory(const struct kms_directory *d)
{
	return sizeof(*d) + d->rows_cap * sizeof(*d->row) +
	    d->keys_cap * sizeof(*d->key) + d->groups_cap * sizeof(*d->group) +
	    kms_table_memory(&d->by_tag) + kms_table_memory(&d->by_name) +
	    kms_table_memory(&d->by_group);
}

/* --- loading ----------------------------------------------------------- */

/* Key k goes into the tables; its group may not have been seen yet. */
static int
enter_loaded(struct kms_directory *d, uint32_t k)
{
	const struct kms_directory_key *key = &d->key[k];
	uint32_t g, hash = d->tag_hash[k % DELAY];

	if (kms_directory_find_tag(d, hash, &key->tag) != NONE)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: another key has its tag",
		    (unsigned long long)kms_directory_key_id(d, k));
	if (kms_directory_find_name(d, key->name) != NONE)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: another key of its group has its name",
		    (unsigned long long)kms_directory_key_id(d, k));
	kms_table_insert(&d->by_tag, hash, k);
	kms_table_insert(&d->by_name, (uint32_t)key->name[0], k);
	g = kms_directory_group_of(d, key->group);
	if (g == NONE)
		d->orphans = true;
	else
		kms_directory_list_insert(d, g, k);
	return 0;
}

static int
load_key(struct kms_directory *d, const struct kms_key *from)
{
	uint32_t k = d->keys;
	int r;

	r = reserve_keys(d, d->keys + (size_t)1);
	if (r == 0 && d->keys - d->entered == DELAY)
		r = enter_loaded(d, d->entered++);
	if (r != 0)
		return r;
	kms_directory_fill_key(d, from, &d->key[k]);
	d->key[k].row = d->rows;
	d->row[d->rows].extra = k;
	d->keys++;
	d->tag_hash[k % DELAY] = kms_directory_hash_tag(d, &from->tag);
	kms_table_prefetch(&d->by_tag, d->tag_hash[k % DELAY]);
	kms_table_prefetch(&d->by_name, (uint32_t)d->key[k].name[0]);
	return 0;
}

static int
load_group(struct kms_directory *d, const struct kms_group *from)
{
	uint64_t name[2];
	int r;

	r = reserve_groups(d, d->groups + (size_t)1);
	if (r != 0)
		return r;
	kms_directory_hash_name(d, 0, from->name, name);
	if (kms_directory_find_group(d, name) != NONE)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: another group has its name",
		    (unsigned long long)d->row[d->rows].id);
	kms_directory_enter_group(d, d->rows, name);
	return 0;
}

int
kms_directory_load(struct kms_directory *d, const struct kms_row *row,
    const struct kms_record *rec)
{
	int r;

	r = kms_directory_check_row(row, rec);
	if (r == 0)
		r = reserve_rows(d, d->rows + (size_t)1);
	if (r != 0)
		return r;
	if (d->rows > 0 && row->id <= d->row[d->rows - 1].id)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: twice, or out of order",
		    (unsigned long long)row->id);
	kms_directory_fill_row(&d->row[d->rows], row);
	if (row->kind == KMS_KIND_KEY)
		r = load_key(d, &rec->u.key);
	else if (row->kind == KMS_KIND_GROUP)
		r = load_group(d, &rec->u.group);
	if (r != 0)
		return r;
	d->count[row->kind]++;
	d->rows++;
	return 0;
}

/* Every list anew, in order of id. */
static int
adopt_orphans(struct kms_directory *d)
{
	struct kms_directory_group *group;
	uint32_t i, g;

	for (g = 0; g < d->groups; g++) {
		group = &d->group[g];
		group->first = group->last = group->active = NONE;
		group->keys = 0;
		memset(group->by_state, 0, sizeof(group->by_state));
	}
	for (i = 0; i < d->rows; i++) {
		if (d->row[i].kind != KMS_KIND_KEY)
			continue;
		g = kms_directory_group_of(d, d->key[d->row[i].extra].group);
		if (g == NONE)
			return kms_fail(KMS_ERR_DAMAGED,
			    "row %llu: a key whose group is missing",
			    (unsigned long long)d->row[i].id);
		kms_directory_list_insert(d, g, d->row[i].extra);
	}
	d->orphans = false;
	return 0;
}

int
kms_directory_ready(struct kms_directory *d)
{
	int r = 0;

	while (r == 0 && d->entered < d->keys)
		r = enter_loaded(d, d->entered++);
	if (r == 0 && d->orphans)
		r = adopt_orphans(d);
	return r;
}
