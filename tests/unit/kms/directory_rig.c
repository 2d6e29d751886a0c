#include "tests/unit/kms/directory_rig.h"

#include <stdio.h>
#include <string.h>

#include "kms/seal.h"

struct kms_directory *directory;
uint64_t directory_generation;

void
directory_setup(void)
{
	const uint64_t count[KMS_KINDS + 1] = {0};

	directory_generation = 1;
	ck_assert_int_eq(kms_directory_new(count, &directory), 0);
}

void
directory_teardown(void)
{
	kms_directory_free(&directory);
}

/* A row as sealed: only the GCM tag at its end is looked at. */
static struct kms_row
row_of(uint64_t id, enum kms_kind kind)
{
	static uint8_t sealed[KMS_SEAL_OVERHEAD];

	kms_put64(sealed + sizeof(sealed) - 16, id);
	kms_put64(sealed + sizeof(sealed) - 8, directory_generation);
	return (struct kms_row){.id = id,
	    .generation = directory_generation,
	    .kind = (uint16_t)kind,
	    .sealed = sealed,
	    .len = sizeof(sealed)};
}

struct kms_record *
group_rec(const char *name)
{
	static struct kms_record rec;

	memset(&rec, 0, sizeof(rec));
	rec.kind = KMS_KIND_GROUP;
	snprintf(rec.u.group.name, sizeof(rec.u.group.name), "%s", name);
	return &rec;
}

struct kms_record *
key_rec(uint64_t group, const char *name, uint32_t n, enum kms_state state)
{
	static struct kms_record rec;

	memset(&rec, 0, sizeof(rec));
	rec.kind = KMS_KIND_KEY;
	rec.u.key.group = group;
	snprintf(rec.u.key.name, sizeof(rec.u.key.name), "%s", name);
	rec.u.key.tag.len = 4;
	kms_put32(rec.u.key.tag.b, n);
	rec.u.key.state = state;
	rec.u.key.origin = KMS_ORIGIN_RANDOM;
	rec.u.key.created = (int64_t)n * 10;
	rec.u.key.slot = 2;
	rec.u.key.wrapped.len = 40;
	rec.u.key.wrapped.bytes[39] = (uint8_t)n;
	rec.u.key.wrapped.kcv[0] = (uint8_t)~n;
	return &rec;
}

int
directory_load(uint64_t id, enum kms_kind kind, const struct kms_record *rec)
{
	struct kms_row row = row_of(id, kind);

	return kms_directory_load(directory, &row, rec);
}

int
directory_put(uint64_t id, enum kms_kind kind, const struct kms_record *rec,
    struct kms_directory_was *was)
{
	struct kms_row row = row_of(id, kind);

	return kms_directory_put(directory, &row, rec, was);
}

uint64_t
directory_id(const struct kms_directory_row *row)
{
	return row == NULL ? 0 : row->id;
}

uint64_t
directory_by_tag(uint32_t n)
{
	struct kms_tag tag = {.len = 4};

	kms_put32(tag.b, n);
	return directory_id(kms_directory_by_tag(directory, &tag));
}

const char *
directory_name(uint32_t n)
{
	static char text[16];

	snprintf(text, sizeof(text), "n%u", n);
	return text;
}
