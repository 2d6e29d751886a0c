#include "hsm/debris.h"

#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"

#define LABEL_PREFIX "p11kms "
#define APPLICATION "p11kms"
#define OBJECTS_MAX 1000000u

/* What is read of an object to judge it. */
struct object {
	CK_ULONG class, key_len;
	bool has_class;
	size_t label_len, id_len, value_len, application_len;
	uint8_t label[64], id[64], application[64];
};

/* An attribute too long to be ours is as good as present. */
static int
read_part(struct hsm_session *s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type,
    uint8_t out[64], size_t *len)
{
	int r = hsm_object_read(s, h, type, out, 64, len);

	if (r != KMS_ERR_LIMIT)
		return r;
	memset(out, 0xff, 64);
	*len = 64;
	return 0;
}

static int
read_key(struct hsm_session *s, CK_OBJECT_HANDLE h, struct object *o)
{
	size_t len;
	int r;

	r = read_part(s, h, CKA_ID, o->id, &o->id_len);
	if (r == 0)
		r = hsm_object_read(s, h, CKA_VALUE_LEN, &o->key_len,
		    sizeof(o->key_len), &len);
	return r;
}

static int
read_data(struct hsm_session *s, CK_OBJECT_HANDLE h, struct object *o)
{
	uint8_t value[64];
	int r;

	r = read_part(s, h, CKA_APPLICATION, o->application,
	    &o->application_len);
	return r != 0 ? r : read_part(s, h, CKA_VALUE, value, &o->value_len);
}

/* A secret key's value is never asked for. */
static int
read_object(struct hsm_session *s, CK_OBJECT_HANDLE h, struct object *o)
{
	size_t len;
	int r;

	memset(o, 0, sizeof(*o));
	r = hsm_object_read(s, h, CKA_CLASS, &o->class, sizeof(o->class), &len);
	if (r != 0)
		return r;
	o->has_class = len == sizeof(o->class);
	r = read_part(s, h, CKA_LABEL, o->label, &o->label_len);
	if (r == 0 && o->has_class && o->class == CKO_SECRET_KEY)
		r = read_key(s, h, o);
	if (r == 0 && o->has_class && o->class == CKO_DATA)
		r = read_data(s, h, o);
	return r;
}

static bool
begins(const uint8_t *p, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(p, with, strlen(with)) == 0;
}

/* Only as a broken create of ours leaves them: other people's objects may
 * rightly have no label. */
static bool
is_half_made(const struct object *o)
{
	bool ours;

	if (!o->has_class)
		return true;
	if (o->class == CKO_SECRET_KEY) {
		ours = o->label_len == 0 ||
		    begins(o->label, o->label_len, LABEL_PREFIX);
		return ours && o->id_len == 0 && o->key_len == 0;
	}
	if (o->class != CKO_DATA)
		return false;
	if (begins(o->application, o->application_len, APPLICATION))
		return o->label_len == 0 || o->value_len == 0;
	return o->application_len == 0 && o->label_len == 0 &&
	    o->value_len == 0;
}

static int
fingerprint(const struct object *o, uint8_t out[32])
{
	return kms_sha256(o, sizeof(*o), out);
}

/* All handles of the token, in memory of its own. */
static int
find_all(struct hsm_session *s, CK_OBJECT_HANDLE **out, size_t *n)
{
	CK_OBJECT_HANDLE *h;
	struct hsm_template all;
	size_t cap = 256;
	int r;

	hsm_template_init(&all);
	for (;;) {
		h = calloc(cap, sizeof(*h));
		if (h == NULL)
			return kms_fail(KMS_ERR_MEMORY,
			    "token objects: out of memory");
		r = hsm_object_find(s, &all, h, cap, n);
		if (r == 0 && *n < cap) {
			*out = h;
			return 0;
		}
		free(h);
		if (r != 0)
			return r;
		if (cap >= OBJECTS_MAX)
			return kms_fail(KMS_ERR_LIMIT,
			    "token: over %zu objects", cap);
		cap *= 8;
	}
}

/* The fingerprint of h when it is half-made; else, or when it is gone by now,
 * *yes is false. */
static int
judge(struct hsm_session *s, CK_OBJECT_HANDLE h, uint8_t fp[32], bool *yes)
{
	struct object o;
	int r;

	*yes = false;
	r = read_object(s, h, &o);
	if (r == KMS_ERR_NOTFOUND)
		return 0;
	if (r != 0 || !is_half_made(&o))
		return r;
	*yes = true;
	return fingerprint(&o, fp);
}

int
hsm_debris_list(struct hsm_session *s, uint8_t (*list)[32], size_t cap,
    size_t *n)
{
	CK_OBJECT_HANDLE *h = NULL;
	uint8_t fp[32];
	size_t count = 0;
	bool yes;
	int r;

	*n = 0;
	r = find_all(s, &h, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = judge(s, h[i], fp, &yes);
		if (r != 0 || !yes)
			continue;
		if (*n == cap)
			r = kms_fail(KMS_ERR_LIMIT,
			    "token: over %zu half-made objects; remove them "
			    "with the token's own tool",
			    cap);
		else
			memcpy(list[(*n)++], fp, sizeof(fp));
	}
	free(h);
	return r;
}

/* Takes one of its kind off the list. */
static bool
was_there(bool *used, const uint8_t (*list)[32], size_t n, const uint8_t *fp)
{
	for (size_t i = 0; i < n; i++) {
		if (!used[i] && memcmp(list[i], fp, 32) == 0) {
			used[i] = true;
			return true;
		}
	}
	return false;
}

int
hsm_debris_sweep(struct hsm_session *s, const uint8_t (*list)[32], size_t n,
    size_t *swept)
{
	CK_OBJECT_HANDLE *h = NULL;
	bool *used = NULL, yes;
	uint8_t fp[32];
	size_t count = 0;
	int r;

	*swept = 0;
	used = calloc(n + 1, sizeof(*used));
	if (used == NULL)
		return kms_fail(KMS_ERR_MEMORY, "debris: out of memory");
	r = find_all(s, &h, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = judge(s, h[i], fp, &yes);
		if (r != 0 || !yes || was_there(used, list, n, fp))
			continue;
		r = hsm_object_destroy(s, h[i]);
		*swept += r == 0;
	}
	free(h);
	free(used);
	return r;
}
