/*
 * The layout of a cartridge file, version 1. All integers big-endian.
 *
 *    0  header, 256 bytes
 *         0  "p11kms vtape\n\0\0\0"   16
 *        16  version                 4
 *        20  generation              1   4..9
 *        21  reserved                3   zero
 *        24  capacity in bytes       8
 *        32  barcode                32   ASCII, NULs behind
 *        64  serial                 32   ASCII, NULs behind
 *        96  medium key             32   random; guards plain blocks
 *       128  reserved              124   zero
 *       252  CRC-32 of the above     4
 *  512  two end marks of 32 bytes, at 512 and 1024, written in turn
 *         0  sequence                8   the higher one counts
 *         8  objects                 8   how many are surely on disk
 *        16  offset                  8   where they end
 *        24  reserved                4   zero
 *        28  CRC-32 of the above     4
 * 4096  records, back to back
 *         0  "VR"                    2
 *         2  kind                    1   1 plain, 2 encrypted, 3 filemark
 *         3  flags                   1   bit 0: may be read raw
 *         4  CRC of the record before 4  the header's for the first one
 *         8  object number           8   from 0
 *        16  data length             4
 *        20  U-KAD length            1
 *        21  A-KAD length            1
 *        22  reserved                2   zero
 *        24  IV                     12
 *        36  key check value         8   of the key, zero when plain
 *        44  GCM tag                16
 *        60  CRC-32                  4   of bytes 0..59 and the KADs
 *        64  U-KAD, A-KAD, data
 *
 * An encrypted block is AES-256-GCM under the drive's key; authenticated
 * with it are bytes 0..43 and both KADs. The tag of a plain block is the
 * GMAC of its data under the medium key (IV: CRC before, object number),
 * which stands in the file: it finds damage, not forgery.
 *
 * The CRC chain finds the end: what a killed writer left torn, or what lay
 * behind a block written over, does not continue it. A chain that ends
 * before the end mark is damage, not a torn tail. Pure, any thread.
 */
#ifndef TAPE_VIRTUAL_RECORD_H
#define TAPE_VIRTUAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kms/base/err.h"
#include "tape/page.h"

#define VT_VERSION 1u
#define VT_TEXT 32u
#define VT_HEADER_LEN 256u
#define VT_END_LEN 32u
#define VT_END_AT(sequence) ((sequence) % 2 ? 1024 : 512)
#define VT_RECORDS_AT 4096u
#define VT_RECORD_LEN 64u
#define VT_RECORD_AAD 44u
#define VT_RECORD_MAX (VT_RECORD_LEN + TAPE_UKAD_MAX + TAPE_AKAD_MAX)
#define VT_BLOCK_MAX (8u * 1024 * 1024)

struct vt_header {
	uint8_t generation;
	uint64_t capacity;
	char barcode[VT_TEXT + 1], serial[VT_TEXT + 1];
	uint8_t medium_key[32];
	uint32_t crc;
};

struct vt_end {
	uint64_t sequence, objects, offset;
};

enum vt_kind { VT_PLAIN = 1, VT_ENCRYPTED = 2, VT_FILEMARK = 3 };

struct vt_record {
	enum vt_kind kind;
	bool raw;
	uint32_t before, crc;
	uint64_t object;
	uint32_t len;
	uint8_t iv[12], kcv[8], tag[16];
	struct tape_kad kad;
};

uint32_t vt_crc(uint32_t crc, const void *, size_t);

/* Sets h->crc. */
void vt_header_encode(struct vt_header *, uint8_t[VT_HEADER_LEN]);
/* KMS_ERR_DAMAGED; KMS_ERR_VERSION for a newer format. */
int vt_header_decode(const uint8_t[VT_HEADER_LEN], struct vt_header *) KMS_MUST;

void vt_end_encode(const struct vt_end *, uint8_t[VT_END_LEN]);
bool vt_end_decode(const uint8_t[VT_END_LEN], struct vt_end *);

/*
 * Header of a record with its KADs. encode sets r->crc and returns the
 * length, VT_RECORD_LEN and the KADs; its first VT_RECORD_AAD bytes and what
 * lies behind VT_RECORD_LEN are final before the tag is known. decode: the
 * length of head and KADs, or 0 when these bytes are not the next record.
 */
size_t vt_record_encode(struct vt_record *, uint8_t[VT_RECORD_MAX]);
size_t vt_record_decode(const uint8_t *, size_t len, struct vt_record *);
size_t vt_record_head_len(const struct vt_record *);

#endif
