/*
 * The SECURITY PROTOCOL IN/OUT pages of tape data encryption (SSC-4 §8.5,
 * protocol 20h) and of protocol 00h: pure codecs, both directions. Decoders
 * never believe a length over what was received. Any thread.
 */
#ifndef TAPE_PAGE_H
#define TAPE_PAGE_H

#include <stdbool.h>

#include "kms/base/buf.h"
#include "kms/base/secret.h"

#define TAPE_UKAD_MAX 32u
#define TAPE_AKAD_MAX 60u
#define TAPE_SP_INFO 0x00u
#define TAPE_SP_TDE 0x20u

enum tape_page {
	TAPE_PAGE_IN_SUPPORT = 0x0000,
	TAPE_PAGE_OUT_SUPPORT = 0x0001,
	TAPE_PAGE_CAPABILITIES = 0x0010,   /* SPIN */
	TAPE_PAGE_SET_ENCRYPTION = 0x0010, /* SPOUT */
	TAPE_PAGE_KEY_FORMATS = 0x0011,
	TAPE_PAGE_MANAGEMENT = 0x0012,
	TAPE_PAGE_STATUS = 0x0020,
	TAPE_PAGE_NEXT_BLOCK = 0x0021,
	TAPE_PAGE_RANDOM = 0x0030,
};

enum tape_enc_mode { TAPE_ENC_DISABLE, TAPE_ENC_EXTERNAL, TAPE_ENC_ENCRYPT };
enum tape_dec_mode {
	TAPE_DEC_DISABLE,
	TAPE_DEC_RAW,
	TAPE_DEC_DECRYPT,
	TAPE_DEC_MIXED
};
enum tape_scope { TAPE_SCOPE_PUBLIC, TAPE_SCOPE_LOCAL, TAPE_SCOPE_ALL };

/* Key-associated data: the tag (U-KAD) and the authenticated part. */
struct tape_kad {
	uint8_t u[TAPE_UKAD_MAX], a[TAPE_AKAD_MAX];
	size_t u_len, a_len;
	uint8_t u_auth, a_auth; /* the AUTHENTICATED field, as received */
};

struct tape_algorithm {
	uint8_t index;
	bool avfmv, sdk_c, mac_c, ded_c, kadf_c, vcelb_c, earem;
	bool u_fixed, a_fixed; /* KAD must have exactly the maximum length */
	uint8_t decrypt_c, encrypt_c; /* 2: in hardware */
	uint8_t dkad_c, rdmc_c, eemc_c, avfclp, nonce, eedk_max;
	uint16_t u_max, a_max, key_len, msdk, eedk_size;
	uint32_t code; /* 00010014h AES-256-GCM-128 */
};
#define TAPE_ALGORITHMS_MAX 16u
struct tape_capabilities {
	uint8_t extdecc, cfg_p;
	struct tape_algorithm alg[TAPE_ALGORITHMS_MAX];
	size_t n;
};

struct tape_management {
	bool lock_c, ckod_c, ckorp_c, ckorl_c, aitn_c, local_c, public_c;
};

struct tape_status {
	uint8_t nexus_scope, key_scope;
	enum tape_enc_mode enc;
	enum tape_dec_mode dec;
	uint8_t algorithm;
	uint32_t kic;    /* key instance counter */
	uint8_t control; /* who sets the parameters: 0..4 */
	bool vcelb, rdmd;
	uint8_t ceems, kad_format;
	uint16_t asdk;
	struct tape_kad kad;
};

struct tape_next_block {
	uint64_t object;
	uint8_t compression, encryption; /* NBES 0..6 */
	uint8_t algorithm;
	bool emes, rdmds;
	uint8_t kad_format;
	struct tape_kad kad;
};

/* SPOUT 0010h. key NULL: length 0 (clear). */
struct tape_sde {
	enum tape_scope scope;
	bool lock, sdk, ckod, ckorp, ckorl;
	uint8_t ceem, rdmc;
	enum tape_enc_mode enc;
	enum tape_dec_mode dec;
	uint8_t algorithm, key_format, kad_format;
	const struct kms_secret *key;
	struct tape_kad kad;
};

/* CDBs of 12 bytes. */
void tape_cdb_spin(uint8_t cdb[12], uint8_t protocol, uint16_t page,
    uint32_t alloc);
void tape_cdb_spout(uint8_t cdb[12], uint8_t protocol, uint16_t page,
    uint32_t len);

/* Data-in pages. decode: 0 or KMS_ERR_DRIVE naming page and field. len is
 * what was received. encode: into a writer, whose error is sticky. */
int tape_page_list_decode(const uint8_t *, size_t, uint16_t want_page,
    uint16_t *list, size_t cap, size_t *n) KMS_MUST;
void tape_page_list_encode(struct kms_wr *, uint16_t page, const uint16_t *list,
    size_t n);
/* Protocol 00h page 0000h: the supported protocols. */
int tape_protocols_decode(const uint8_t *, size_t, uint8_t *list, size_t cap,
    size_t *n) KMS_MUST;
void tape_protocols_encode(struct kms_wr *, const uint8_t *list, size_t n);
int tape_capabilities_decode(const uint8_t *, size_t,
    struct tape_capabilities *) KMS_MUST;
void tape_capabilities_encode(struct kms_wr *,
    const struct tape_capabilities *);
int tape_management_decode(const uint8_t *, size_t, struct tape_management *)
    KMS_MUST;
void tape_management_encode(struct kms_wr *, const struct tape_management *);
int tape_status_decode(const uint8_t *, size_t, struct tape_status *) KMS_MUST;
void tape_status_encode(struct kms_wr *, const struct tape_status *);
int tape_next_block_decode(const uint8_t *, size_t, struct tape_next_block *)
    KMS_MUST;
void tape_next_block_encode(struct kms_wr *, const struct tape_next_block *);

/* Data-out page. encode writes into a secret, for it carries the key.
 * decode: *key is set when the page has one (the caller owns it), and *field
 * is the byte offset to report as field pointer (SPC-4 4.5.2.4.2) when it
 * returns KMS_ERR_DRIVE. out->key is not set. */
int tape_sde_encode(const struct tape_sde *, struct kms_secret **) KMS_MUST;
int tape_sde_decode(const uint8_t *, size_t, struct tape_sde *out,
    struct kms_secret **key, size_t *field) KMS_MUST;

/* KADs as they lie behind a fixed part. */
int tape_kads_decode(struct kms_rd *, struct tape_kad *) KMS_MUST;
void tape_kads_encode(struct kms_wr *, const struct tape_kad *);
/* Length without the trailing NULs or blanks a drive pads with. */
size_t tape_kad_trim(const uint8_t *, size_t);

/* The ASCII fields of INQUIRY, VPD pages and attributes: up to the first
 * byte that is not printable, without blanks at either end, terminated. */
void tape_text_take(const uint8_t *, size_t, char *out, size_t cap);

#endif
