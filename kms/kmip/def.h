/*
 * What KMIP calls things: tags, types and enumerations, each from one list,
 * names both ways. Versions are minor versions of KMIP 1.
 */
#ifndef KMS_KMIP_DEF_H
#define KMS_KMIP_DEF_H

#include <stdbool.h>
#include <stdint.h>

#include "kms/base/err.h"
#include "kms/kmip/def_enum.h"
#include "kms/kmip/def_tag.h"

#define KMIP_MAJOR 1u
#define KMIP_MINOR_MAX 4u /* 1.0 to 1.4 are spoken */
#define KMIP_PORT "5696"

/* KMIP 1.4 section 9.1.1.2 */
enum kmip_type {
	KMIP_STRUCTURE = 1,
	KMIP_INTEGER = 2,
	KMIP_LONG = 3,
	KMIP_BIG = 4,
	KMIP_ENUM = 5,
	KMIP_BOOL = 6,
	KMIP_TEXT = 7,
	KMIP_BYTES = 8,
	KMIP_DATE = 9,
	KMIP_INTERVAL = 10,
};

/* One table for each list: its identifier, the prefix of its constants, and
 * the tag of the items that hold its values. */
/* clang-format off */
#define KMIP_TABLE_LIST(X) \
	X(OPERATION, OP, OPERATION) \
	X(OBJECT, OBJECT, OBJECT_TYPE) \
	X(STATE, STATE, STATE) \
	X(STATUS, STATUS, RESULT_STATUS) \
	X(REASON, REASON, RESULT_REASON) \
	X(BATCH_ERROR, BATCH, BATCH_ERROR_CONTINUATION_OPTION) \
	X(QUERY, QUERY, QUERY_FUNCTION) \
	X(CREDENTIAL, CREDENTIAL, CREDENTIAL_TYPE) \
	X(KEY_FORMAT, FORMAT, KEY_FORMAT_TYPE) \
	X(WRAPPING, WRAPPING, WRAPPING_METHOD) \
	X(ENCODING, ENCODING, ENCODING_OPTION) \
	X(NAME_TYPE, NAME, NAME_TYPE) \
	X(ALTERNATIVE, ALTERNATIVE, ALTERNATIVE_NAME_TYPE) \
	X(SECRET_DATA, SECRET, SECRET_DATA_TYPE) \
	X(ALGORITHM, ALG, CRYPTOGRAPHIC_ALGORITHM) \
	X(MODE, MODE, BLOCK_CIPHER_MODE) \
	X(PADDING, PADDING, PADDING_METHOD) \
	X(HASH, HASH, HASHING_ALGORITHM) \
	X(REVOCATION, REVOCATION, REVOCATION_REASON_CODE) \
	X(LINK, LINK, LINK_TYPE) \
	X(GROUP_MEMBER, MEMBER, OBJECT_GROUP_MEMBER)
/* clang-format on */

enum kmip_table {
	KMIP_TABLE_TAG,
#define X(list, prefix, tag) KMIP_TABLE_##list,
	KMIP_TABLE_LIST(X)
#undef X
	    KMIP_TABLES
};

#define KMIP_TAG_ENUM(id, value, since, text) KMIP_TAG_##id = value,
enum kmip_tag { KMIP_TAG_LIST(KMIP_TAG_ENUM) };
#undef KMIP_TAG_ENUM

#define E(id, value, since, text) KMIP_OP_##id = value,
enum kmip_operation { KMIP_OPERATION_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_OBJECT_##id = value,
enum kmip_object { KMIP_OBJECT_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_STATE_##id = value,
enum kmip_state { KMIP_STATE_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_STATUS_##id = value,
enum kmip_status { KMIP_STATUS_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_REASON_##id = value,
enum kmip_reason { KMIP_REASON_NONE = 0, KMIP_REASON_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_BATCH_##id = value,
enum kmip_batch_error { KMIP_BATCH_ERROR_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_QUERY_##id = value,
enum kmip_query { KMIP_QUERY_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_CREDENTIAL_##id = value,
enum kmip_credential { KMIP_CREDENTIAL_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_FORMAT_##id = value,
enum kmip_format { KMIP_KEY_FORMAT_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_WRAPPING_##id = value,
enum kmip_wrapping { KMIP_WRAPPING_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_ENCODING_##id = value,
enum kmip_encoding { KMIP_ENCODING_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_NAME_##id = value,
enum kmip_name_type { KMIP_NAME_TYPE_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_ALTERNATIVE_##id = value,
enum kmip_alternative { KMIP_ALTERNATIVE_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_SECRET_##id = value,
enum kmip_secret { KMIP_SECRET_DATA_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_ALG_##id = value,
enum kmip_algorithm { KMIP_ALGORITHM_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_MODE_##id = value,
enum kmip_mode { KMIP_MODE_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_PADDING_##id = value,
enum kmip_padding { KMIP_PADDING_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_HASH_##id = value,
enum kmip_hash { KMIP_HASH_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_REVOCATION_##id = value,
enum kmip_revocation { KMIP_REVOCATION_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_LINK_##id = value,
enum kmip_link_type { KMIP_LINK_LIST(E) };
#undef E
#define E(id, value, since, text) KMIP_MEMBER_##id = value,
enum kmip_group_member { KMIP_GROUP_MEMBER_LIST(E) };
#undef E

/* Cryptographic Usage Mask (section 9.1.3.3.1): the bits this server acts on. */
#define KMIP_MASK_ENCRYPT 0x4u
#define KMIP_MASK_DECRYPT 0x8u
#define KMIP_MASK_WRAP 0x10u
#define KMIP_MASK_ALL 0xfffffu
/* Storage Status Mask (section 9.1.3.3.2) */
#define KMIP_STORAGE_ONLINE 0x1u
#define KMIP_STORAGE_ARCHIVAL 0x2u

/* The standard's spelling; NULL for a value that the table does not have. */
const char *kmip_def_name(enum kmip_table, uint32_t value);
/*
 * The value of a name. Case, blanks, dashes and underscores do not count
 * ("GetAttributes", "get-attributes"). False when there is none.
 */
bool kmip_def_value(enum kmip_table, const char *name, uint32_t *value);
/* The minor version that first defines it; KMIP_MINOR_MAX + 1 for none. */
unsigned kmip_def_since(enum kmip_table, uint32_t value);
/* The table of an enumeration's tag; false for a tag without one here. */
bool kmip_def_table(uint32_t tag, enum kmip_table *);
/* Values with bit 31 set are vendors' own (section 9.1.1.4). */
bool kmip_def_is_vendor(uint32_t value);
/* "Text String" … "?" */
const char *kmip_def_type_name(unsigned type);

#endif
