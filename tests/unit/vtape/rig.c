#include "tests/unit/vtape/rig.h"

#include <stdlib.h>
#include <string.h>

const char *
rig_cartridge(struct rig *r, const char *name, unsigned generation,
    uint64_t capacity)
{
	const char *path = fx_path(r->fx, "%s", name);
	const struct vt_label l = {generation, capacity, "TEST01L8"};

	ck_assert_int_eq(vt_cartridge_create(path, &l), 0);
	return path;
}

void
rig_insert(struct rig *r, const char *path)
{
	struct vt_cartridge *c = NULL;

	ck_assert_int_eq(vt_cartridge_open(path, &c), 0);
	ck_assert_int_eq(vt_drive_insert(r->d, &c), 0);
}

struct rig *
rig_new_with(const struct vt_options *given)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct vt_options opt = *given;

	ck_assert_ptr_nonnull(r);
	opt.serial = "VTTEST01";
	r->fx = fx_new();
	ck_assert_int_eq(vt_drive_new(&opt, &r->d), 0);
	r->path = rig_cartridge(r, "cart", opt.generation, 64000000);
	rig_insert(r, r->path);
	ck_assert_int_eq(vt_drive_join(r->d, &r->a), 0);
	ck_assert_int_eq(vt_drive_join(r->d, &r->b), 0);
	return r;
}

struct rig *
rig_new(unsigned generation)
{
	const struct vt_options opt = {.generation = generation};

	return rig_new_with(&opt);
}

void
rig_free(struct rig *r)
{
	vt_drive_free(&r->d);
	fx_free(&r->fx);
	free(r);
}

static size_t
cdb_len(uint8_t op)
{
	static const size_t group[8] = {6, 10, 10, 6, 16, 12, 6, 6};

	return group[op >> 5];
}

void
rig_run(struct rig *r, struct vt_nexus *n, struct cdb cdb, const void *out,
    size_t out_len, size_t in_cap)
{
	uint8_t *copy = malloc(out_len ? out_len : 1);
	struct vt_command c = {
	    .cdb = cdb.b,
	    .cdb_len = cdb_len(cdb.b[0]),
	    .out = out ? copy : NULL,
	    .out_len = out_len,
	    .in = in_cap ? malloc(in_cap) : NULL,
	    .in_cap = in_cap,
	};

	ck_assert_uint_le(in_cap, RIG_IN);
	if (out_len)
		memcpy(copy, out, out_len);
	vt_opcode_run(r->d, n, &c);
	ck_assert_uint_le(c.in_len, in_cap);
	r->status = c.status;
	r->sense = c.sense;
	r->in_len = c.in_len;
	memset(r->in, 0xEE, sizeof(r->in));
	if (c.in_len)
		memcpy(r->in, c.in, c.in_len);
	free(c.in);
	free(copy);
}

static void
is_good(const struct rig *r)
{
	ck_assert_msg(r->status == TAPE_GOOD, "status %02x sense %x/%02x/%02x",
	    r->status, r->sense.key, r->sense.asc, r->sense.ascq);
}

void
rig_good(struct rig *r, struct vt_nexus *n, struct cdb cdb)
{
	rig_run(r, n, cdb, NULL, 0, 0);
	is_good(r);
}

void
rig_in(struct rig *r, struct vt_nexus *n, struct cdb cdb, size_t in_cap)
{
	rig_run(r, n, cdb, NULL, 0, in_cap);
	is_good(r);
}

void
rig_refused(struct rig *r, uint8_t key, uint16_t asc)
{
	ck_assert_uint_eq(r->status, TAPE_CHECK);
	ck_assert_msg(r->sense.key == key && r->sense.asc == asc >> 8 &&
		r->sense.ascq == (asc & 0xFF),
	    "%x/%02x/%02x, not %x/%04x", r->sense.key, r->sense.asc,
	    r->sense.ascq, key, asc);
}

void
rig_write(struct rig *r, const void *p, size_t len)
{
	struct cdb c = {
	    {0x0A, 0, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len}};

	rig_run(r, r->a, c, p, len, 0);
	is_good(r);
}

void
rig_write_text(struct rig *r, const char *s)
{
	rig_write(r, s, strlen(s));
}

void
rig_marks(struct rig *r, uint8_t count)
{
	rig_good(r, r->a, (struct cdb){{0x10, 0, 0, 0, count}});
}

void
rig_locate(struct rig *r, uint32_t object)
{
	struct cdb c = {{0x2B, 0, 0, (uint8_t)(object >> 24),
	    (uint8_t)(object >> 16), (uint8_t)(object >> 8), (uint8_t)object}};

	rig_good(r, r->a, c);
}

void
rig_read(struct rig *r, struct vt_nexus *n, size_t in_cap)
{
	struct cdb c = {{0x08, 0, (uint8_t)(in_cap >> 16),
	    (uint8_t)(in_cap >> 8), (uint8_t)in_cap}};

	rig_run(r, n, c, NULL, 0, in_cap);
}

void
rig_read_text(struct rig *r, const char *want)
{
	rig_read(r, r->a, strlen(want));
	is_good(r);
	ck_assert_uint_eq(r->in_len, strlen(want));
	ck_assert_mem_eq(r->in, want, r->in_len);
}

uint64_t
rig_position(struct rig *r)
{
	rig_in(r, r->a, (struct cdb){{0x34, 6}}, 32);
	ck_assert_uint_eq(r->in_len, 32);
	return kms_get64(r->in + 8);
}

struct sde
sde_load(uint8_t key_byte, const char *u)
{
	return (struct sde){.scope_lock = 2 << 5,
	    .enc = 2,
	    .dec = 3,
	    .algorithm = 1,
	    .key_len = 32,
	    .key_byte = key_byte,
	    .u = u};
}

struct sde
sde_off(void)
{
	return (struct sde){.scope_lock = 2 << 5};
}

static size_t
kad_put(uint8_t *p, uint8_t type, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return 0;
	p[0] = type;
	p[1] = 0;
	p[2] = 0;
	p[3] = (uint8_t)len;
	memcpy(p + 4, text, len);
	return 4 + len;
}

size_t
sde_encode(const struct sde *s, uint8_t *p)
{
	size_t n = 20;

	memset(p, 0, 20);
	p[1] = 0x10;
	p[4] = s->scope_lock;
	p[5] = s->flags;
	p[6] = s->enc;
	p[7] = s->dec;
	p[8] = s->algorithm;
	p[9] = s->key_format;
	p[10] = s->kad_format;
	p[18] = (uint8_t)(s->key_len >> 8);
	p[19] = (uint8_t)s->key_len;
	memset(p + n, s->key_byte, s->key_len);
	n += s->key_len;
	if (s->a_first)
		n += kad_put(p + n, 1, s->a);
	n += kad_put(p + n, 0, s->u);
	if (!s->a_first)
		n += kad_put(p + n, 1, s->a);
	p[2] = (uint8_t)((n - 4) >> 8);
	p[3] = (uint8_t)(n - 4);
	return n;
}

void
rig_sde_bytes(struct rig *r, struct vt_nexus *n, const uint8_t *p, size_t len)
{
	struct cdb c = {{0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, (uint8_t)(len >> 8),
	    (uint8_t)len}};

	rig_run(r, n, c, p, len, 0);
}

void
rig_sde(struct rig *r, struct vt_nexus *n, const struct sde *s)
{
	uint8_t page[1024];
	size_t len = sde_encode(s, page);

	rig_sde_bytes(r, n, page, len);
}

void
rig_sde_good(struct rig *r, struct vt_nexus *n, const struct sde *s)
{
	rig_sde(r, n, s);
	is_good(r);
}

void
rig_spin(struct rig *r, struct vt_nexus *n, uint16_t page)
{
	struct cdb c = {{0xA2, 0x20, (uint8_t)(page >> 8), (uint8_t)page, 0, 0,
	    0, 0, 4, 0}};

	rig_run(r, n, c, NULL, 0, 1024);
}

uint32_t
rig_kic(struct rig *r, struct vt_nexus *n)
{
	rig_spin(r, n, 0x20);
	is_good(r);
	return kms_get32(r->in + 8);
}
