#include "tests/unit/tape/mock.h"

#include <stdlib.h>
#include <string.h>

static struct mock *
self(struct tape_transport *t)
{
	return (struct mock *)(void *)t;
}

void
mock_sense(struct tape_reply *r, const struct tape_sense *s, bool descriptor)
{
	r->status = TAPE_CHECK;
	r->got = 0;
	r->sense_len = tape_sense_encode(s, descriptor, r->sense);
}

void
mock_check(struct tape_reply *r, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct tape_sense s = {.key = key, .asc = asc, .ascq = ascq};

	mock_sense(r, &s, false);
}

static void
refuse_field(struct tape_reply *r, size_t field, int bit)
{
	struct tape_sense s = {.key = TAPE_KEY_ILLEGAL, .asc = 0x26};

	s.has_field = true;
	s.field = (uint16_t)field;
	s.has_bit = bit >= 0;
	s.bit = bit >= 0 ? (uint8_t)bit : 0;
	mock_sense(r, &s, false);
}

bool
mock_is_spout(const struct tape_cmd *c)
{
	return c->cdb[0] == 0xB5;
}

bool
mock_is_page(const struct tape_cmd *c, uint16_t page)
{
	return c->cdb[0] == 0xA2 && c->cdb[1] == TAPE_SP_TDE &&
	    kms_get16(c->cdb + 2) == page;
}

bool
mock_off(const struct mock *m)
{
	return !m->has_key && m->st.enc == TAPE_ENC_DISABLE &&
	    m->st.dec == TAPE_DEC_DISABLE;
}

static void
drop_key(struct mock *m)
{
	m->has_key = false;
	m->ckod = false;
	memset(m->key, 0, sizeof(m->key));
	m->st.enc = TAPE_ENC_DISABLE;
	m->st.dec = TAPE_DEC_DISABLE;
	memset(&m->st.kad, 0, sizeof(m->st.kad));
}

void
mock_reset(struct mock *m)
{
	drop_key(m);
	m->st.kic = 0;
	m->attention = 0x2900;
}

void
mock_change_tape(struct mock *m)
{
	if (m->ckod)
		drop_key(m);
	m->attention = 0x2800;
}

static void
reply_bytes(const struct tape_cmd *c, struct tape_reply *r, const void *p,
    size_t len)
{
	r->got = len < c->len ? len : c->len;
	memcpy(c->in, p, r->got);
}

static void
inquiry(struct mock *m, const struct tape_cmd *c, struct tape_reply *r)
{
	uint8_t b[96];

	memset(b, 0, sizeof(b));
	b[0] = m->type;
	if (c->cdb[1] & 1) {
		size_t n = strlen(m->serial);
		b[1] = 0x80;
		kms_put16(b + 2, (uint16_t)n);
		memcpy(b + 4, m->serial, n);
		reply_bytes(c, r, b, 4 + n);
		return;
	}
	memset(b + 8, ' ', 28);
	memcpy(b + 8, "P11KMS", 6);
	memcpy(b + 16, m->product, strlen(m->product));
	memcpy(b + 32, "0001", 4);
	b[4] = 91;
	reply_bytes(c, r, b, sizeof(b));
}

static void
next_block(const struct mock *m, struct kms_wr *w)
{
	struct tape_next_block b = {.object = m->object, .encryption = m->nbes};

	if (m->nbes == 6) {
		bool fits = m->has_key && m->st.dec != TAPE_DEC_DISABLE &&
		    memcmp(m->key, m->block_key, KMS_KEY_LEN) == 0;
		b.encryption = fits ? 5 : 6;
		b.algorithm = 1;
		b.kad = m->block_kad;
	}
	tape_next_block_encode(w, &b);
}

static void
spin(struct mock *m, const struct tape_cmd *c, struct tape_reply *r)
{
	uint8_t b[MOCK_PAGE_MAX];
	uint16_t page = kms_get16(c->cdb + 2);
	struct kms_wr w;

	kms_wr_fixed(&w, b, sizeof(b));
	if (c->cdb[1] == TAPE_SP_INFO)
		tape_protocols_encode(&w, m->protocols, m->n_protocols);
	else if (m->needs_medium && !m->medium)
		mock_check(r, 2, 0x3A, 0);
	else if (page == TAPE_PAGE_CAPABILITIES)
		tape_capabilities_encode(&w, &m->caps);
	else if (page == TAPE_PAGE_MANAGEMENT && !m->no_management)
		tape_management_encode(&w, &m->management);
	else if (page == TAPE_PAGE_STATUS)
		tape_status_encode(&w, &m->st);
	else if (page == TAPE_PAGE_NEXT_BLOCK && m->blank)
		mock_check(r, 8, 0x14, 0x03);
	else if (page == TAPE_PAGE_NEXT_BLOCK)
		next_block(m, &w);
	else
		mock_check(r, 5, 0x24, 0);
	if (r->status == TAPE_GOOD)
		reply_bytes(c, r, b, w.len);
}

/* The rules a drive checks; true when the page was refused. */
static bool
sde_refused(const struct mock *m, const struct tape_sde *s, bool key,
    struct tape_reply *r)
{
	const struct tape_algorithm *a = &m->caps.alg[0];
	bool on = s->enc == TAPE_ENC_ENCRYPT || s->dec >= TAPE_DEC_DECRYPT;

	if (m->ceem_zero_only && s->ceem != 0)
		refuse_field(r, 5, 7);
	else if (s->ckod && !m->medium)
		refuse_field(r, 5, 2);
	else if (s->algorithm != a->index)
		refuse_field(r, 8, -1);
	else if (on != key)
		refuse_field(r, 18, -1);
	else if (s->enc != TAPE_ENC_ENCRYPT && s->kad.u_len + s->kad.a_len > 0)
		refuse_field(r, 20, -1);
	else if (s->kad.u_len > a->u_max || s->kad.a_len > a->a_max)
		refuse_field(r, 54, -1);
	else if (a->u_fixed && s->kad.u_len && s->kad.u_len != a->u_max)
		mock_check(r, 5, 0x26, 0x11);
	else
		return false;
	return true;
}

static void
spout(struct mock *m, const struct tape_cmd *c, struct tape_reply *r)
{
	struct kms_secret *key = NULL;
	struct tape_sde s;
	size_t field;

	m->spouts++;
	m->last_page_len = c->len < sizeof(m->last_page) ? c->len : 0;
	memcpy(m->last_page, c->out, m->last_page_len);
	if (tape_sde_decode(c->out, c->len, &s, &key, &field)) {
		refuse_field(r, field, -1);
		return;
	}
	m->last = s;
	if (!sde_refused(m, &s, key != NULL, r)) {
		drop_key(m);
		m->st.kic++;
		m->st.enc = s.enc;
		m->st.dec = s.dec;
		m->st.kad = s.kad;
		m->st.algorithm = s.algorithm;
		m->st.nexus_scope = TAPE_SCOPE_ALL;
		m->st.key_scope = TAPE_SCOPE_ALL;
		m->ckod = s.ckod;
		m->has_key = key != NULL;
		if (key)
			memcpy(m->key, kms_secret_bytes(key), KMS_KEY_LEN);
	}
	kms_secret_free(&key);
}

/* READ ATTRIBUTE: the barcode is the only one. */
static void
attribute(const struct mock *m, const struct tape_cmd *c, struct tape_reply *r)
{
	uint8_t b[64];
	struct kms_wr w;

	if (kms_get16(c->cdb + 8) != 0x0806 || m->barcode[0] == '\0') {
		mock_check(r, 5, 0x24, 0);
		return;
	}
	kms_wr_fixed(&w, b, sizeof(b));
	size_t at = kms_wr_reserve(&w, 4);
	kms_wr_u16(&w, 0x0806);
	kms_wr_u8(&w, 0x81);
	kms_wr_u16(&w, (uint16_t)strlen(m->barcode));
	kms_wr_bytes(&w, m->barcode, strlen(m->barcode));
	kms_wr_fill(&w, at, 4);
	reply_bytes(c, r, b, w.len);
}

static void
statistics(const struct mock *m, const struct tape_cmd *c, struct tape_reply *r)
{
	const uint8_t b[] = {0x14, 0, 0, 12, 0, 1, 3, 1, 9, 0, 0, 3, 3, 0, 0,
	    (uint8_t)m->loads};

	if (m->counts)
		reply_bytes(c, r, b, sizeof(b));
	else
		mock_check(r, 5, 0x20, 0);
}

static void
dispatch(struct mock *m, const struct tape_cmd *c, struct tape_reply *r)
{
	if (c->cdb[0] == 0x12) {
		inquiry(m, c, r);
		return;
	}
	if (m->attention != 0) {
		mock_check(r, 6, (uint8_t)(m->attention >> 8),
		    (uint8_t)m->attention);
		m->attention = 0;
		return;
	}
	if (c->cdb[0] == 0x00 && !m->medium)
		mock_check(r, 2, 0x3A, 0);
	else if (c->cdb[0] == 0x4D)
		statistics(m, c, r);
	else if (c->cdb[0] == 0x8C && m->barcode)
		attribute(m, c, r);
	else if (c->cdb[0] == 0xA2)
		spin(m, c, r);
	else if (c->cdb[0] == 0xB5)
		spout(m, c, r);
	else if (c->cdb[0] != 0x00)
		mock_check(r, 5, 0x20, 0);
}

static int
mock_exec(struct tape_transport *t, const struct tape_cmd *c,
    struct tape_reply *r)
{
	struct mock *m = self(t);
	int err = 0;

	memset(r, 0, sizeof(*r));
	if (c->dir == TAPE_IN)
		memset(c->in, 0, c->len);
	m->commands++;
	if (m->before && m->before(m, c, r, &err))
		return err;
	dispatch(m, c, r);
	return m->after ? m->after(m, c, r) : 0;
}

static void
mock_close(struct tape_transport **t)
{
	self(*t)->closed++;
	*t = NULL;
}

void
mock_init(struct mock *m)
{
	memset(m, 0, sizeof(*m));
	m->t.exec = mock_exec;
	m->t.close = mock_close;
	m->product = "ULT3580-TD5";
	m->serial = "0123456789";
	m->type = 1;
	m->protocols[1] = TAPE_SP_TDE;
	m->n_protocols = 2;
	m->caps.extdecc = 2;
	m->caps.cfg_p = 1;
	m->caps.n = 1;
	m->caps.alg[0] = (struct tape_algorithm){
	    .index = 1,
	    .avfmv = true,
	    .mac_c = true,
	    .ded_c = true,
	    .decrypt_c = 2,
	    .encrypt_c = 2,
	    .dkad_c = 3,
	    .rdmc_c = 4,
	    .u_max = 32,
	    .a_max = 60,
	    .key_len = 32,
	    .code = 0x00010014,
	};
	m->management.ckod_c = true;
	m->management.lock_c = true;
	m->medium = true;
	m->st.nexus_scope = TAPE_SCOPE_PUBLIC;
	m->st.control = 1;
}

struct tape_drive *
mock_drive(struct mock *m)
{
	struct tape_transport *t = &m->t;
	struct tape_drive *d = NULL;

	if (tape_drive_open(&t, &d))
		abort();
	return d;
}

struct kms_secret *
mock_key(uint8_t b)
{
	struct kms_secret *k = NULL;

	if (kms_secret_new(KMS_KEY_LEN, &k))
		abort();
	memset(kms_secret_fill(k), b, KMS_KEY_LEN);
	return k;
}

struct tape_load
mock_write(const struct kms_secret *key)
{
	struct tape_load l = {.write = true, .key = key};

	l.kad.u_len = 32;
	for (size_t i = 0; i < 32; i++)
		l.kad.u[i] = (uint8_t)(0xB1 + i);
	return l;
}
