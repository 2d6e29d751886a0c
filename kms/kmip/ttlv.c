#include "kms/kmip/ttlv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "kms/kmip/reason.h"

/* Section 9.1.1.1: standard tags and vendors' extensions. */
#define TAG_STANDARD 0x42u
#define TAG_EXTENSION 0x54u

size_t
kmip_ttlv_space(size_t len)
{
	return KMIP_HEAD + (len + 7) / 8 * 8;
}

const char *
kmip_ttlv_name(const struct kmip_item *item, char buf[16])
{
	const char *name = kmip_def_name(KMIP_TABLE_TAG, item->tag);

	if (name != NULL)
		return name;
	(void)snprintf(buf, 16, "tag %06x", item->tag & 0xffffffu);
	return buf;
}

int
kmip_ttlv_size(const uint8_t head[KMIP_HEAD], uint32_t tag, size_t max,
    size_t *size)
{
	size_t len = kms_get32(head + 4);

	*size = 0;
	if (kms_get32(head) != (tag << 8 | KMIP_STRUCTURE))
		return kmip_fail(INVALID_MESSAGE, "not a KMIP message");
	if (len % 8 != 0)
		return kmip_fail(INVALID_MESSAGE,
		    "message: length %zu is no multiple of 8", len);
	if (len > max - KMIP_HEAD)
		return kmip_fail(INVALID_MESSAGE,
		    "message of %zu bytes; at most %zu are taken", len, max);
	*size = KMIP_HEAD + len;
	return 0;
}

/* Does the length fit the type (section 9.1.1.3)? */
static bool
length_fits(unsigned type, size_t len)
{
	switch (type) {
	case KMIP_INTEGER:
	case KMIP_ENUM:
	case KMIP_INTERVAL:
		return len == 4;
	case KMIP_LONG:
	case KMIP_BOOL:
	case KMIP_DATE:
		return len == 8;
	case KMIP_BIG:
		return len > 0 && len % 8 == 0;
	case KMIP_STRUCTURE:
		return len % 8 == 0;
	case KMIP_TEXT:
	case KMIP_BYTES:
		return true;
	}
	return false;
}

/* The next item of the reader, its padding skipped. */
static bool
take(struct kms_rd *rd, struct kmip_item *item)
{
	unsigned tag_class;

	memset(item, 0, sizeof(*item));
	item->tag = kms_rd_u24(rd);
	item->type = kms_rd_u8(rd);
	item->len = kms_rd_u32(rd);
	tag_class = item->tag >> 16;
	if (rd->bad || !length_fits(item->type, item->len) ||
	    (tag_class != TAG_STANDARD && tag_class != TAG_EXTENSION)) {
		rd->bad = true;
		item->type = 0;
		return false;
	}
	item->value = kms_rd_bytes(rd, item->len);
	kms_rd_skip(rd, (8 - item->len % 8) % 8);
	if (rd->bad)
		item->type = 0;
	return !rd->bad;
}

/*
 * Without recursion: a structure's children follow its head, so going in is
 * stepping back to its first child, and ends[] says where each one stops.
 */
static int
check_inside(const uint8_t *p, size_t len)
{
	size_t ends[KMIP_DEPTH_MAX], depth = 0, items = 0;
	struct kms_rd rd;
	struct kmip_item item;

	kms_rd_init(&rd, p, len);
	for (;;) {
		while (depth > 0 && rd.at == ends[depth - 1])
			depth--;
		rd.len = depth > 0 ? ends[depth - 1] : len;
		if (rd.at == rd.len)
			return 0;
		if (!take(&rd, &item))
			return kmip_fail(INVALID_MESSAGE,
			    "message: no item at byte %zu", rd.at);
		if (++items > KMIP_ITEMS_MAX)
			return kmip_fail(INVALID_MESSAGE,
			    "message: more than %u items", KMIP_ITEMS_MAX);
		if (item.type == KMIP_BOOL && kms_get64(item.value) > 1)
			return kmip_fail(INVALID_MESSAGE,
			    "message: a Boolean that is neither 0 nor 1");
		if (item.type != KMIP_STRUCTURE)
			continue;
		if (depth == KMIP_DEPTH_MAX)
			return kmip_fail(INVALID_MESSAGE,
			    "message: nested deeper than %u", KMIP_DEPTH_MAX);
		ends[depth++] = rd.at;
		rd.at -= item.len;
	}
}

int
kmip_ttlv_check(const void *p, size_t len, struct kmip_item *top)
{
	struct kms_rd rd;
	int r;

	kms_rd_init(&rd, p, len);
	if (!take(&rd, top) || rd.at != len) {
		memset(top, 0, sizeof(*top));
		return kmip_fail(INVALID_MESSAGE,
		    "message: %zu bytes are not one item", len);
	}
	r = check_inside(p, len);
	if (r != 0)
		memset(top, 0, sizeof(*top));
	return r;
}

void
kmip_ttlv_walk(struct kms_rd *rd, const struct kmip_item *structure)
{
	bool has = structure->type == KMIP_STRUCTURE;

	kms_rd_init(rd, structure->value, has ? structure->len : 0);
}

bool
kmip_ttlv_next(struct kms_rd *rd, struct kmip_item *item)
{
	if (kms_rd_left(rd) == 0) {
		memset(item, 0, sizeof(*item));
		return false;
	}
	return take(rd, item);
}

bool
kmip_ttlv_find(const struct kmip_item *structure, uint32_t tag,
    struct kmip_item *item)
{
	struct kms_rd rd;

	kmip_ttlv_walk(&rd, structure);
	while (kmip_ttlv_next(&rd, item))
		if (item->tag == tag)
			return true;
	return false;
}

static int
sort(const struct kmip_item *child, const struct kmip_field *f)
{
	char name[16];

	if (f->type != 0 && child->type != f->type)
		return kmip_fail(INVALID_FIELD, "%s: not of type %s",
		    kmip_ttlv_name(child, name), kmip_def_type_name(f->type));
	if (f->to == NULL)
		return 0;
	if (f->to->type != 0 && f->times != KMIP_MANY)
		return kmip_fail(INVALID_FIELD, "%s: given twice",
		    kmip_ttlv_name(child, name));
	if (f->to->type == 0)
		*f->to = *child;
	return 0;
}

int
kmip_ttlv_fields(const struct kmip_item *structure, const struct kmip_field *f,
    size_t n, bool lenient)
{
	struct kms_rd rd;
	struct kmip_item child;
	char name[16];
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		if (f[i].to != NULL)
			memset(f[i].to, 0, sizeof(*f[i].to));
	kmip_ttlv_walk(&rd, structure);
	while (kmip_ttlv_next(&rd, &child)) {
		for (i = 0; i < n && f[i].tag != child.tag; i++)
			continue;
		if (i == n && lenient)
			continue;
		r = i < n ? sort(&child, &f[i])
			  : kmip_fail(INVALID_FIELD, "%s: not expected here",
				kmip_ttlv_name(&child, name));
		if (r != 0)
			return r;
	}
	for (i = 0; i < n; i++) {
		if (f[i].times != KMIP_REQUIRED || f[i].to == NULL ||
		    f[i].to->type != 0)
			continue;
		child.tag = f[i].tag;
		return kmip_fail(MISSING_DATA, "%s is missing",
		    kmip_ttlv_name(&child, name));
	}
	return 0;
}

static int
wrong_type(const struct kmip_item *item, unsigned type)
{
	char name[16];

	if (item->type == type)
		return 0;
	return kmip_fail(INVALID_FIELD, "%s: not of type %s",
	    kmip_ttlv_name(item, name), kmip_def_type_name(type));
}

int
kmip_ttlv_int(const struct kmip_item *item, int32_t *v)
{
	int r = wrong_type(item, KMIP_INTEGER);

	*v = r == 0 ? (int32_t)kms_get32(item->value) : 0;
	return r;
}

int
kmip_ttlv_enum(const struct kmip_item *item, uint32_t *v)
{
	int r = wrong_type(item, KMIP_ENUM);

	*v = r == 0 ? kms_get32(item->value) : 0;
	return r;
}

int
kmip_ttlv_bool(const struct kmip_item *item, bool *v)
{
	int r = wrong_type(item, KMIP_BOOL);

	*v = r == 0 && kms_get64(item->value) == 1;
	return r;
}

int
kmip_ttlv_date(const struct kmip_item *item, int64_t *v)
{
	int r = wrong_type(item, KMIP_DATE);

	*v = r == 0 ? (int64_t)kms_get64(item->value) : 0;
	return r;
}

int
kmip_ttlv_text(const struct kmip_item *item, char *out, size_t cap)
{
	char name[16];
	int r = wrong_type(item, KMIP_TEXT);

	out[0] = '\0';
	if (r != 0)
		return r;
	if (item->len >= cap)
		return kmip_fail(INVALID_FIELD, "%s: over %zu bytes",
		    kmip_ttlv_name(item, name), cap - 1);
	if (!kms_utf8((const char *)item->value, item->len))
		return kmip_fail(INVALID_FIELD,
		    "%s: not UTF-8, or control characters in it",
		    kmip_ttlv_name(item, name));
	memcpy(out, item->value, item->len);
	out[item->len] = '\0';
	return 0;
}

bool
kmip_ttlv_equal(const struct kmip_item *a, const struct kmip_item *b)
{
	return a->tag == b->tag && a->type == b->type && a->len == b->len &&
	    memcmp(a->value, b->value, a->len) == 0;
}

static void
put_head(struct kms_wr *wr, uint32_t tag, unsigned type, size_t len)
{
	if (len > KMIP_MESSAGE_MAX && wr->err == 0)
		wr->err = KMS_ERR_LIMIT;
	kms_wr_u24(wr, tag);
	kms_wr_u8(wr, (uint8_t)type);
	kms_wr_u32(wr, (uint32_t)len);
}

static void
put_value(struct kms_wr *wr, uint32_t tag, unsigned type, const void *p,
    size_t len)
{
	put_head(wr, tag, type, len);
	kms_wr_bytes(wr, p, len);
	kms_wr_zero(wr, (8 - len % 8) % 8);
}

static void
put32(struct kms_wr *wr, uint32_t tag, unsigned type, uint32_t v)
{
	put_head(wr, tag, type, 4);
	kms_wr_u32(wr, v);
	kms_wr_u32(wr, 0);
}

static void
put64(struct kms_wr *wr, uint32_t tag, unsigned type, uint64_t v)
{
	put_head(wr, tag, type, 8);
	kms_wr_u64(wr, v);
}

size_t
kmip_ttlv_begin(struct kms_wr *wr, uint32_t tag)
{
	kms_wr_u24(wr, tag);
	kms_wr_u8(wr, KMIP_STRUCTURE);
	return kms_wr_reserve(wr, 4);
}

void
kmip_ttlv_end(struct kms_wr *wr, size_t begun)
{
	kms_wr_fill(wr, begun, 4);
}

void
kmip_ttlv_put_int(struct kms_wr *wr, uint32_t tag, int32_t v)
{
	put32(wr, tag, KMIP_INTEGER, (uint32_t)v);
}

void
kmip_ttlv_put_long(struct kms_wr *wr, uint32_t tag, int64_t v)
{
	put64(wr, tag, KMIP_LONG, (uint64_t)v);
}

void
kmip_ttlv_put_enum(struct kms_wr *wr, uint32_t tag, uint32_t v)
{
	put32(wr, tag, KMIP_ENUM, v);
}

void
kmip_ttlv_put_bool(struct kms_wr *wr, uint32_t tag, bool v)
{
	put64(wr, tag, KMIP_BOOL, v ? 1 : 0);
}

void
kmip_ttlv_put_text(struct kms_wr *wr, uint32_t tag, const char *s)
{
	put_value(wr, tag, KMIP_TEXT, s, strlen(s));
}

void
kmip_ttlv_put_bytes(struct kms_wr *wr, uint32_t tag, const void *p, size_t len)
{
	put_value(wr, tag, KMIP_BYTES, p, len);
}

void
kmip_ttlv_put_date(struct kms_wr *wr, uint32_t tag, int64_t seconds)
{
	put64(wr, tag, KMIP_DATE, (uint64_t)seconds);
}

void
kmip_ttlv_put_interval(struct kms_wr *wr, uint32_t tag, uint32_t seconds)
{
	put32(wr, tag, KMIP_INTERVAL, seconds);
}

void
kmip_ttlv_put_item(struct kms_wr *wr, uint32_t tag,
    const struct kmip_item *item)
{
	assert(item->type != 0);
	put_value(wr, tag, item->type, item->value, item->len);
}
