#include "kms/age.h"

#include <string.h>

#include "kms/base/log.h"

/* An anchor under the file key before this one counts for one thing only:
 * that the change after it is the one that replaced the key. */
static int
compare_old(struct kms_store *s, const struct kms_anchor *held, size_t n,
    const struct kms_root *root)
{
	int r;

	r = kms_anchor_compare(held, n, s->old_anchor_key, root, &s->anchor,
	    &s->verdict);
	if (r == 0 && s->verdict != KMS_ANCHOR_HEALS)
		s->verdict = KMS_ANCHOR_INVALID;
	return r;
}

int
kms_age_compare(struct kms_store *s, const struct kms_root *root)
{
	struct kms_anchor held[KMS_ANCHORS_MAX];
	size_t n = 0;
	int r;

	if (!s->header->anchor) {
		memset(&s->anchor, 0, sizeof(s->anchor));
		s->verdict = KMS_ANCHOR_EQUAL;
		return 0;
	}
	r = s->sealer->anchor_get(s->sealer, s->header->uuid, held,
	    KMS_ANCHORS_MAX, &n);
	if (r == KMS_ERR_NOTFOUND)
		n = 0; /* another token, which takes none: no anchor either */
	else if (r != 0)
		return r;
	r = kms_anchor_compare(held, n, s->anchor_key, root, &s->anchor,
	    &s->verdict);
	if (r == 0 && s->verdict == KMS_ANCHOR_INVALID &&
	    s->old_anchor_key != NULL)
		r = compare_old(s, held, n, root);
	return r;
}

int
kms_age_check(struct kms_store *s, const struct kms_root *root)
{
	int r;

	r = kms_age_compare(s, root);
	if (r == 0)
		r = kms_anchor_check(s->verdict, &s->anchor, root);
	return r;
}

int
kms_age_put(struct kms_store *s, const struct kms_root *root)
{
	struct kms_anchor_view view;
	struct kms_anchor anchor;
	int r;

	if (!s->header->anchor)
		return 0;
	r = kms_anchor_of_root(root, &view);
	if (r == 0)
		r = kms_anchor_encode(&view, s->anchor_key, &anchor);
	if (r == 0)
		r = s->sealer->anchor_put(s->sealer, s->header->uuid, &anchor);
	return r;
}

static int
heal_locked(struct kms_store *s)
{
	int r;

	r = kms_age_compare(s, &s->root);
	if (r != 0 || s->verdict != KMS_ANCHOR_HEALS)
		return r;
	r = kms_age_put(s, &s->root);
	if (r == 0)
		s->verdict = KMS_ANCHOR_EQUAL;
	return r;
}

/* Whoever moves the anchor holds the lock from before COMMIT, so under it
 * the anchor is either still behind by our one change, or others have gone
 * on and written it since. It is never set back. */
void
kms_age_heal(struct kms_store *s)
{
	int r;

	r = s->sealer->lock(s->sealer);
	if (r == 0) {
		r = heal_locked(s);
		s->sealer->unlock(s->sealer);
	}
	if (r != 0)
		kms_log(KMS_LOG_WARN, "store.anchor",
		    "generation=%llu behind=1 cause=\"%s\"",
		    (unsigned long long)s->root.generation, kms_err_cause(r));
	/* Newer than us by now: by others' changes, seen at the next entry. */
	if (s->verdict == KMS_ANCHOR_IS_NEWER)
		s->verdict = KMS_ANCHOR_EQUAL;
	kms_err_clear();
}
