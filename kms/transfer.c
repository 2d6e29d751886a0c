/* Out of a container into this store. */
#include "kms/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kms/base/crypt.h"
#include "kms/container.h"
#include "kms/directory.h"
#include "kms/group.h"

#define STAMP_LEN 14u /* 20261124131506 */
#define TRIES_MAX 1000u

/* One key as it came; its bytes lie under this store's KPK already. */
struct arrival {
	struct kms_material material;
	struct kms_key_past past;
	enum kms_state state;
	char *group, *group_description, *name, *description; /* owned */
	uint8_t *attrs;                                       /* owned */
	size_t attrs_len;
};

/* Where the keys of one exported group go. */
struct target {
	char from[KMS_NAME_MAX + 1], to[KMS_NAME_MAX + 1];
	uint64_t id;
	bool
	    has_active; /* a key of this store's own: it stays the active one */
	bool no_phrase;
};

/* What becomes of one key that is new here. */
struct placed {
	const char *group;
	char name[KMS_NAME_MAX + 1];
	enum kms_state state;
	struct kms_key_past past;
};

struct importing {
	struct kms_store *s;
	const struct kms_actor *actor;
	const struct kms_transfer_import *options;
	int (*each)(void *, const struct kms_transfer_line *);
	void *arg;
	char uuid[37]; /* of the store it came from */
	struct arrival *arrival;
	size_t n, cap;
	struct target *target;
	size_t ntargets;
	size_t added;
	char stamp[STAMP_LEN + 1];
};

/* --- reading ---------------------------------------------------------- */

static void
arrival_clear(struct arrival *a)
{
	free(a->group);
	free(a->group_description);
	free(a->name);
	free(a->description);
	free(a->attrs);
	memset(a, 0, sizeof(*a));
}

/* What the container says of a key must be so: the origin decides whether it
 * counts as recoverable, and verification holds it against the tag. */
static int
check_claim(const struct kms_container_entry *e)
{
	static const enum kms_tag_kind kind[] = {
	    [KMS_ORIGIN_RANDOM] = KMS_TAG_RANDOM,
	    [KMS_ORIGIN_PHRASE] = KMS_TAG_PHRASE,
	    [KMS_ORIGIN_GROUP] = KMS_TAG_GROUP,
	};
	uint8_t kcv[KMS_KCV_LEN];
	int r;

	if (e->origin == KMS_ORIGIN_IMPORT)
		return 0;
	r = kms_kcv(e->key, kcv);
	if (r != 0)
		return r;
	if (kms_tag_kind(&e->tag) == kind[e->origin] &&
	    kms_tag_checks(&e->tag, kcv))
		return 0;
	return kms_fail(KMS_ERR_DAMAGED,
	    "container: key '%s' of group '%s' is not the one its tag says; "
	    "nothing was imported",
	    e->name, e->group);
}

static int
check_attrs(const struct importing *m, const struct kms_container_entry *e)
{
	int r;

	if (m->options->check_attrs == NULL)
		return 0;
	r = m->options->check_attrs(e->attrs, e->attrs_len);
	return r == 0 ? 0
		      : kms_fail_add(r,
			    "container: key '%s' of group '%s'; nothing was "
			    "imported",
			    e->name, e->group);
}

static int
fill_arrival(struct importing *m, struct kms_container_entry *e,
    struct arrival *a)
{
	int r;

	r = check_claim(e);
	if (r == 0)
		r = check_attrs(m, e);
	if (r == 0)
		r = kms_material_import(m->s, e->key, &e->tag, &a->material);
	if (r != 0)
		return r;
	a->material.origin = e->origin;
	a->past = (struct kms_key_past){.created = e->created,
	    .activated = e->activated,
	    .deactivated = e->deactivated};
	a->state = e->state;
	a->group = strdup(e->group);
	a->group_description = strdup(e->group_description);
	a->name = strdup(e->name);
	a->description = strdup(e->description);
	a->attrs = e->attrs; /* moved */
	a->attrs_len = e->attrs_len;
	e->attrs = NULL;
	if (a->group == NULL || a->group_description == NULL ||
	    a->name == NULL || a->description == NULL)
		return kms_fail(KMS_ERR_MEMORY, "import: out of memory");
	return 0;
}

static int
take(struct importing *m, struct kms_container_entry *e)
{
	size_t cap = m->cap == 0 ? 64 : m->cap * 2;
	struct arrival *more;

	if (m->n == m->cap) {
		more = reallocarray(m->arrival, cap, sizeof(*more));
		if (more == NULL)
			return kms_fail(KMS_ERR_MEMORY,
			    "import: out of memory");
		m->arrival = more;
		m->cap = cap;
	}
	m->arrival[m->n] = (struct arrival){.state = e->state};
	return fill_arrival(m, e, &m->arrival[m->n++]);
}

/* To its end, which proves that nothing is missing. */
static int
read_container(struct importing *m)
{
	struct kms_container_reader *in = NULL;
	struct kms_container_entry e;
	int r;

	r = kms_container_open(m->options->path, m->options->phrase, &in);
	if (r != 0)
		return r;
	kms_uuid_text(kms_container_uuid(in), m->uuid);
	while ((r = kms_container_next(in, &e)) == 0) {
		r = take(m, &e);
		kms_container_entry_clear(&e);
		if (r != 0)
			break;
	}
	kms_container_close(&in);
	if (r != KMS_ERR_NOTFOUND)
		return r;
	kms_err_clear();
	return 0;
}

/* --- names ------------------------------------------------------------ */

static void
set_stamp(struct importing *m, const struct kms_tx *tx)
{
	time_t t = (time_t)(kms_tx_time(tx) / 1000000);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(m->stamp, sizeof(m->stamp), "%Y%m%d%H%M%S", &tm) == 0)
		m->stamp[0] = '\0';
}

/* NAME_STAMP, or NAME_STAMP-2 … where that is taken. group 0: a group's. */
static int
free_name(const struct importing *m, const struct kms_directory *dir,
    uint64_t group, const char *name, char out[KMS_NAME_MAX + 1])
{
	const struct kms_directory_row *there;
	unsigned i;
	int n;

	for (i = 1; i <= TRIES_MAX; i++) {
		n = i == 1
		    ? snprintf(out, KMS_NAME_MAX + 1, "%s_%s", name, m->stamp)
		    : snprintf(out, KMS_NAME_MAX + 1, "%s_%s-%u", name,
			  m->stamp, i);
		if (n < 0 || n > (int)KMS_NAME_MAX)
			break;
		there = group == 0 ? kms_directory_group_by_name(dir, out)
				   : kms_directory_by_name(dir, group, out);
		if (there == NULL)
			return 0;
	}
	return kms_fail(KMS_ERR_LIMIT,
	    "'%s' is taken or too long to be given a timestamp; rename it "
	    "where it was exported",
	    name);
}

/* --- groups ----------------------------------------------------------- */

static int
make_group(const struct importing *m, struct kms_tx *tx,
    const struct arrival *a, struct target *t)
{
	const char *description = m->options->description != NULL
	    ? m->options->description
	    : a->group_description;
	int r;

	t->no_phrase = true;
	r = kms_group_add(tx, t->to, description, NULL);
	return r == 0 ? kms_group_id(tx, t->to, &t->id) : r;
}

/* Into a group that is there only when asked to merge. */
static int
join_group(const struct importing *m, struct kms_tx *tx, struct target *t)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	struct kms_group_view view;
	int r;

	if (!m->options->merge)
		return kms_fail(KMS_ERR_EXISTS,
		    "key group '%s' exists already; import it under a new name "
		    "(without -preserve_kgname), or into it with -merge",
		    t->to);
	r = kms_group_view(tx, t->to, &view);
	if (r != 0)
		return r;
	t->id = view.id;
	t->no_phrase = !view.has_phrase;
	t->has_active = kms_directory_active(dir, view.id) != NULL;
	return 0;
}

static int
aim(struct importing *m, struct kms_tx *tx, const struct arrival *a,
    struct target *t)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	int r;

	snprintf(t->from, sizeof(t->from), "%s", a->group);
	if (!m->options->preserve_name && !m->options->merge) {
		r = free_name(m, dir, 0, a->group, t->to);
		return r == 0 ? make_group(m, tx, a, t) : r;
	}
	snprintf(t->to, sizeof(t->to), "%s", a->group);
	if (kms_directory_group_by_name(dir, t->to) == NULL)
		return make_group(m, tx, a, t);
	return join_group(m, tx, t);
}

static int
find_target(struct importing *m, struct kms_tx *tx, const struct arrival *a,
    struct target **out)
{
	struct target *more;
	size_t i;

	/* The newest first: keys of a group follow one another. */
	for (i = m->ntargets; i > 0; i--) {
		*out = &m->target[i - 1];
		if (strcmp((*out)->from, a->group) == 0)
			return 0;
	}
	more = reallocarray(m->target, m->ntargets + 1, sizeof(*more));
	if (more == NULL)
		return kms_fail(KMS_ERR_MEMORY, "import: out of memory");
	m->target = more;
	*out = &more[m->ntargets];
	memset(*out, 0, sizeof(**out));
	m->ntargets++;
	return aim(m, tx, a, *out);
}

/* --- keys ------------------------------------------------------------- */

/* A tape group has one active key; elsewhere an export may bring several, but
 * none takes the place of one that is here. */
static bool
has_to_step_back(const struct kms_directory *dir, const struct target *t,
    enum kms_state state)
{
	if (state != KMS_ACTIVE)
		return false;
	return t->has_active ||
	    (kms_group_is_tape(t->to) &&
		kms_directory_active(dir, t->id) != NULL);
}

/* Group, name and state that a key gets which is new here. */
static int
place(struct importing *m, struct kms_tx *tx, const struct arrival *a,
    struct placed *p, struct kms_transfer_line *line)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	struct target *t = NULL;
	int r;

	r = find_target(m, tx, a, &t);
	if (r != 0)
		return r;
	p->group = t->to;
	line->no_phrase = t->no_phrase &&
	    a->material.origin == KMS_ORIGIN_GROUP;
	line->demoted = has_to_step_back(dir, t, a->state);
	if (line->demoted) {
		p->state = KMS_INACTIVE;
		p->past.deactivated = kms_tx_time(tx);
	}
	line->renamed = kms_directory_by_name(dir, t->id, a->name) != NULL;
	if (line->renamed)
		return free_name(m, dir, t->id, a->name, p->name);
	snprintf(p->name, sizeof(p->name), "%s", a->name);
	return 0;
}

static int
add_key(struct importing *m, struct kms_tx *tx, const struct arrival *a)
{
	struct kms_transfer_line line = {.from_group = a->group,
	    .from_name = a->name};
	struct placed p = {.group = a->group,
	    .state = a->state,
	    .past = a->past};
	struct kms_key_new new = {.name = p.name,
	    .description = a->description,
	    .event = KMS_EVENT_KEY_IMPORT,
	    .material = &a->material,
	    .past = &p.past,
	    .keep_others = true,
	    .attrs = a->attrs,
	    .attrs_len = a->attrs_len};
	struct kms_key_view view;
	int r = 0;

	/* Held already: then it needs no group. */
	if (kms_directory_by_tag(kms_tx_directory(tx), &a->material.tag) ==
	    NULL)
		r = place(m, tx, a, &p, &line);
	new.group = p.group;
	new.state = p.state;
	if (r == 0)
		r = kms_key_add(tx, &new, &view, &line.duplicate);
	if (r != 0)
		return r;
	if (!line.duplicate)
		m->added++;
	line.view = &view;
	return m->each(m->arg, &line);
}

static int
add_all(struct importing *m, struct kms_tx *tx)
{
	char reason[KMS_TEXT_MAX + 1];
	const struct kms_step step = {.event = KMS_EVENT_IMPORT,
	    .alone = true,
	    .reason = reason};
	size_t i;
	int r = 0;

	set_stamp(m, tx);
	for (i = 0; i < m->n && r == 0; i++)
		r = add_key(m, tx, &m->arrival[i]);
	if (r != 0 || m->added == 0)
		return r;
	snprintf(reason, sizeof(reason), "%zu key%s of store %s", m->added,
	    m->added == 1 ? "" : "s", m->uuid);
	return kms_tx_step(tx, &step);
}

static void
importing_clear(struct importing *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		arrival_clear(&m->arrival[i]);
	free(m->arrival);
	free(m->target);
}

int
kms_transfer_import(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_transfer_import *options,
    int (*each)(void *, const struct kms_transfer_line *), void *arg)
{
	struct importing m = {.s = s,
	    .actor = actor,
	    .options = options,
	    .each = each,
	    .arg = arg};
	struct kms_tx *tx = NULL;
	int r;

	r = read_container(&m);
	if (r == 0)
		r = kms_tx_begin(s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = add_all(&m, tx);
	if (r == 0 && m.added > 0 && !options->preview)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	importing_clear(&m);
	return r;
}
