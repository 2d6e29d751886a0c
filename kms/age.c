#include "kms/age.h"

#include <string.h>

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

/* Whoever moves the anchor holds the lock from before COMMIT, so under it
 * the anchor is either still behind by our one change, or others have gone
 * on and written it since. It is never set back. */
int
kms_age_heal(struct kms_store *s)
{
	int r;

	r = s->sealer->lock(s->sealer);
	if (r != 0)
		return r;
	r = kms_age_compare(s, &s->root);
	if (r == 0 && s->verdict == KMS_ANCHOR_HEALS)
		r = kms_age_put(s, &s->root);
	s->sealer->unlock(s->sealer);
	return r;
}
