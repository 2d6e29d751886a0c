#include "tape/virtual/record.h"

#include <string.h>

#include "kms/base/buf.h"

static const char magic[16] = "p11kms vtape\n";

/* IEEE 802.3, four bits at a time: heads are short. */
uint32_t
vt_crc(uint32_t crc, const void *buf, size_t len)
{
	static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8,
	    0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
	    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0,
	    0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
	const uint8_t *p = buf;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

void
vt_header_encode(struct vt_header *h, uint8_t out[VT_HEADER_LEN])
{
	memset(out, 0, VT_HEADER_LEN);
	memcpy(out, magic, sizeof(magic));
	kms_put32(out + 16, VT_VERSION);
	out[20] = h->generation;
	kms_put64(out + 24, h->capacity);
	memcpy(out + 32, h->barcode, strnlen(h->barcode, VT_TEXT));
	memcpy(out + 64, h->serial, strnlen(h->serial, VT_TEXT));
	memcpy(out + 96, h->medium_key, sizeof(h->medium_key));
	h->crc = vt_crc(0, out, VT_HEADER_LEN - 4);
	kms_put32(out + VT_HEADER_LEN - 4, h->crc);
}

int
vt_header_decode(const uint8_t in[VT_HEADER_LEN], struct vt_header *h)
{
	memset(h, 0, sizeof(*h));
	if (memcmp(in, magic, sizeof(magic)) != 0)
		return kms_fail(KMS_ERR_DAMAGED, "not a cartridge file");
	uint32_t version = kms_get32(in + 16);
	if (version > VT_VERSION)
		return kms_fail(KMS_ERR_VERSION,
		    "cartridge format %u is newer than this program", version);
	h->crc = kms_get32(in + VT_HEADER_LEN - 4);
	if (version == 0 || h->crc != vt_crc(0, in, VT_HEADER_LEN - 4))
		return kms_fail(KMS_ERR_DAMAGED,
		    "the cartridge's header is damaged");
	h->generation = in[20];
	h->capacity = kms_get64(in + 24);
	memcpy(h->barcode, in + 32, VT_TEXT);
	memcpy(h->serial, in + 64, VT_TEXT);
	memcpy(h->medium_key, in + 96, sizeof(h->medium_key));
	return 0;
}

void
vt_end_encode(const struct vt_end *e, uint8_t out[VT_END_LEN])
{
	memset(out, 0, VT_END_LEN);
	kms_put64(out, e->sequence);
	kms_put64(out + 8, e->objects);
	kms_put64(out + 16, e->offset);
	kms_put32(out + VT_END_LEN - 4, vt_crc(0, out, VT_END_LEN - 4));
}

bool
vt_end_decode(const uint8_t in[VT_END_LEN], struct vt_end *e)
{
	e->sequence = kms_get64(in);
	e->objects = kms_get64(in + 8);
	e->offset = kms_get64(in + 16);
	return e->sequence > 0 &&
	    kms_get32(in + VT_END_LEN - 4) == vt_crc(0, in, VT_END_LEN - 4);
}

size_t
vt_record_head_len(const struct vt_record *r)
{
	return VT_RECORD_LEN + r->kad.u_len + r->kad.a_len;
}

size_t
vt_record_encode(struct vt_record *r, uint8_t out[VT_RECORD_MAX])
{
	size_t len = vt_record_head_len(r);

	memset(out, 0, VT_RECORD_LEN);
	out[0] = 'V';
	out[1] = 'R';
	out[2] = (uint8_t)r->kind;
	out[3] = r->raw ? 1 : 0;
	kms_put32(out + 4, r->before);
	kms_put64(out + 8, r->object);
	kms_put32(out + 16, r->len);
	out[20] = (uint8_t)r->kad.u_len;
	out[21] = (uint8_t)r->kad.a_len;
	memcpy(out + 24, r->iv, sizeof(r->iv));
	memcpy(out + 36, r->kcv, sizeof(r->kcv));
	memcpy(out + 44, r->tag, sizeof(r->tag));
	memcpy(out + VT_RECORD_LEN, r->kad.u, r->kad.u_len);
	memcpy(out + VT_RECORD_LEN + r->kad.u_len, r->kad.a, r->kad.a_len);
	r->crc = vt_crc(0, out, VT_RECORD_LEN - 4);
	r->crc = vt_crc(r->crc, out + VT_RECORD_LEN, len - VT_RECORD_LEN);
	kms_put32(out + VT_RECORD_LEN - 4, r->crc);
	return len;
}

size_t
vt_record_decode(const uint8_t *in, size_t len, struct vt_record *r)
{
	memset(r, 0, sizeof(*r));
	if (len < VT_RECORD_LEN || in[0] != 'V' || in[1] != 'R' ||
	    in[2] < VT_PLAIN || in[2] > VT_FILEMARK || in[20] > TAPE_UKAD_MAX ||
	    in[21] > TAPE_AKAD_MAX)
		return 0;
	r->kind = (enum vt_kind)in[2];
	r->raw = (in[3] & 1) != 0;
	r->before = kms_get32(in + 4);
	r->object = kms_get64(in + 8);
	r->len = kms_get32(in + 16);
	r->kad.u_len = in[20];
	r->kad.a_len = in[21];
	size_t head = vt_record_head_len(r);
	if (head > len || r->len > VT_BLOCK_MAX ||
	    (r->kind == VT_FILEMARK) != (r->len == 0))
		return 0;
	memcpy(r->iv, in + 24, sizeof(r->iv));
	memcpy(r->kcv, in + 36, sizeof(r->kcv));
	memcpy(r->tag, in + 44, sizeof(r->tag));
	memcpy(r->kad.u, in + VT_RECORD_LEN, r->kad.u_len);
	memcpy(r->kad.a, in + VT_RECORD_LEN + r->kad.u_len, r->kad.a_len);
	r->crc = kms_get32(in + VT_RECORD_LEN - 4);
	uint32_t crc = vt_crc(0, in, VT_RECORD_LEN - 4);
	crc = vt_crc(crc, in + VT_RECORD_LEN, head - VT_RECORD_LEN);
	return crc == r->crc ? head : 0;
}
