/* Out of this store into a container. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/group.h"
#include "kms/transfer_impl.h"

struct exporting {
	struct kms_store *s;
	const struct kms_actor *actor;
	const struct kms_transfer_export *options;
	struct kms_container_writer *out;
	struct kms_transfer_chosen
	    *chosen; /* group by group, in order of creation */
	size_t n, cap;
};

/* --- what is to go ---------------------------------------------------- */

static int
choose(struct exporting *x, const struct kms_directory *dir,
    const struct kms_directory_row *row)
{
	const struct kms_directory_key *key = kms_directory_key(dir, row);
	size_t cap = x->cap == 0 ? 64 : x->cap * 2;
	struct kms_transfer_chosen *more;

	if (x->n == x->cap) {
		more = reallocarray(x->chosen, cap, sizeof(*more));
		if (more == NULL)
			return kms_fail(KMS_ERR_MEMORY,
			    "export: out of memory");
		x->chosen = more;
		x->cap = cap;
	}
	x->chosen[x->n++] = (struct kms_transfer_chosen){.group = key->group,
	    .id = row->id,
	    .tag = key->tag};
	return 0;
}

static int
choose_group(struct exporting *x, struct kms_tx *tx, const char *name)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	const struct kms_directory_row *row = NULL;
	uint64_t group = 0;
	int r;

	r = kms_group_id(tx, name, &group);
	while (r == 0 &&
	    (row = kms_directory_next_in_group(dir, group, row)) != NULL)
		r = choose(x, dir, row);
	return r;
}

/* The key of "GROUP/KEY" when it is cut at this slash; NULL: none. */
static const struct kms_directory_row *
cut_at(const struct kms_directory *dir, const char *text, const char *slash)
{
	const struct kms_directory_row *group;
	size_t len = (size_t)(slash - text);
	char name[KMS_NAME_MAX + 1];

	if (len > KMS_NAME_MAX)
		return NULL;
	memcpy(name, text, len);
	name[len] = '\0';
	group = kms_directory_group_by_name(dir, name);
	if (group == NULL)
		return NULL;
	return kms_directory_by_name(dir, group->id, slash + 1);
}

/* Names may hold slashes, so that a text can be cut in several ways. */
static int
choose_key(struct exporting *x, struct kms_tx *tx, const char *text)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	const struct kms_directory_row *row = NULL, *found;
	const char *slash;

	for (slash = strchr(text, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		found = cut_at(dir, text, slash);
		if (found != NULL && row != NULL)
			return kms_fail(KMS_ERR_USAGE,
			    "'%s' names two keys, by another slash each; "
			    "export their groups",
			    text);
		if (found != NULL)
			row = found;
	}
	if (row == NULL)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "'%s' names no key; give GROUP/KEY as p11kmsutil "
		    "-listkeys shows them",
		    text);
	return choose(x, dir, row);
}

static int
choose_all(struct exporting *x, struct kms_tx *tx)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	const struct kms_directory_row *row;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(dir, KMS_KIND_KEY, &at)) != NULL)
		r = choose(x, dir, row);
	return r;
}

static int
by_group(const void *a, const void *b)
{
	const struct kms_transfer_chosen *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* In order, and each once though it was named twice. */
static void
put_in_order(struct exporting *x)
{
	size_t i, n = 0;

	if (x->n > 0)
		qsort(x->chosen, x->n, sizeof(*x->chosen), by_group);
	for (i = 0; i < x->n; i++) {
		if (n == 0 || x->chosen[n - 1].id != x->chosen[i].id)
			x->chosen[n++] = x->chosen[i];
	}
	x->n = n;
}

static int
choose_keys(struct exporting *x)
{
	const struct kms_transfer_export *o = x->options;
	struct kms_tx *tx = NULL;
	size_t i;
	int r;

	r = kms_tx_begin(x->s, x->actor, KMS_READ, &tx);
	for (i = 0; i < o->ngroups && r == 0; i++)
		r = choose_group(x, tx, o->group[i]);
	for (i = 0; i < o->nkeys && r == 0; i++)
		r = choose_key(x, tx, o->key[i]);
	if (r == 0 && o->ngroups == 0 && o->nkeys == 0)
		r = choose_all(x, tx);
	kms_tx_abort(&tx);
	put_in_order(x);
	if (r == 0 && x->n == 0)
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "no key to export; list them with p11kmsutil -listkeys");
	return r;
}

/* --- what is kept of it ----------------------------------------------- */

/* Keys of one group follow one another: the first of the next. */
static size_t
end_of_group(const struct exporting *x, size_t from)
{
	size_t i = from;

	while (i < x->n && x->chosen[i].group == x->chosen[from].group)
		i++;
	return i;
}

static int
announce_group(struct exporting *x, struct kms_tx *tx, uint64_t group, size_t n)
{
	char reason[KMS_TEXT_MAX + 1];
	struct kms_record record;
	struct kms_step step = {.event = KMS_EVENT_EXPORT,
	    .alone = true,
	    .reason = reason};
	int r;

	if (snprintf(reason, sizeof(reason), "%zu key%s to %s", n,
		n == 1 ? "" : "s", x->options->path) >= (int)sizeof(reason))
		return kms_fail(KMS_ERR_LIMIT, "export: path is too long");
	r = kms_tx_get(tx, group, &record);
	if (r == 0) {
		step.group = record.u.group.name;
		r = kms_tx_step(tx, &step);
	}
	kms_record_clear(&record);
	return r;
}

/* One change, before the first key leaves: who takes what where. */
static int
announce(struct exporting *x, struct kms_transfer_exported *done)
{
	struct kms_tx *tx = NULL;
	size_t i, next;
	int r;

	r = kms_tx_begin(x->s, x->actor, KMS_WRITE, &tx);
	for (i = 0; i < x->n && r == 0; i = next) {
		next = end_of_group(x, i);
		r = announce_group(x, tx, x->chosen[i].group, next - i);
		done->groups++;
	}
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

/* --- and goes --------------------------------------------------------- */

static void
clear_all(struct kms_container_entry *e, size_t n)
{
	while (n > 0)
		kms_container_entry_clear(&e[--n]);
}

static int
write_some(struct exporting *x, const struct kms_transfer_chosen *c,
    struct kms_container_entry *e, size_t n)
{
	size_t i;
	int r;

	memset(e, 0, n * sizeof(*e));
	r = kms_transfer_take(x->s, x->actor, c, e, n);
	for (i = 0; i < n && r == 0; i++)
		r = kms_container_add(x->out, &e[i]);
	clear_all(e, n);
	return r;
}

static int
write_out(struct exporting *x, struct kms_transfer_exported *done)
{
	struct kms_container_entry *e;
	size_t i, n;
	int r = 0;

	e = calloc(KMS_TRANSFER_AT_ONCE, sizeof(*e));
	if (e == NULL)
		return kms_fail(KMS_ERR_MEMORY, "export: out of memory");
	for (i = 0; i < x->n && r == 0; i += n) {
		n = x->n - i < KMS_TRANSFER_AT_ONCE ? x->n - i
						    : KMS_TRANSFER_AT_ONCE;
		r = write_some(x, &x->chosen[i], e, n);
	}
	free(e);
	if (r == 0)
		r = kms_container_finish(&x->out);
	if (r == 0)
		done->keys = x->n;
	return r;
}

int
kms_transfer_check_export(const struct kms_policy *policy)
{
	if (policy->export_allowed)
		return 0;
	return kms_fail(KMS_ERR_GATE,
	    "export is off; to let keys leave in a container, set export = on "
	    "in [policy] for as long as it takes");
}

int
kms_transfer_export(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_transfer_export *options,
    struct kms_transfer_exported *done)
{
	struct exporting x = {.s = s, .actor = actor, .options = options};
	struct kms_header *header = NULL;
	int r;

	*done = (struct kms_transfer_exported){0};
	r = kms_transfer_check_export(kms_store_policy(s));
	if (r != 0)
		return r;
	header = malloc(sizeof(*header));
	if (header == NULL)
		return kms_fail(KMS_ERR_MEMORY, "export: out of memory");
	kms_store_header(s, header);
	r = choose_keys(&x);
	if (r == 0)
		r = kms_container_create(options->path, options->phrase,
		    kms_store_policy(s)->kdf_cost, header->uuid, &x.out);
	if (r == 0)
		r = announce(&x, done);
	if (r == 0)
		r = write_out(&x, done);
	kms_container_discard(&x.out);
	free(x.chosen);
	free(header);
	return r;
}
