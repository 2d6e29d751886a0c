/*
 * The content of every row before it is sealed: encode and decode side by
 * side, versioned (doc/FORMATS.md §3). Times are microseconds since 1970,
 * UTC, strictly increasing from change to change.
 */
#ifndef KMS_RECORD_H
#define KMS_RECORD_H

#include <stdbool.h>

#include "kms/header.h"
#include "kms/state.h"
#include "kms/tag.h"

#define KMS_NAME_MAX 255u
#define KMS_TEXT_MAX 1023u /* description, reason */
#define KMS_ATTRS_MAX 65535u
#define KMS_FACT_MAX (1u << 19)

/* On disk for ever. */
enum kms_kind {
	KMS_KIND_ROOT = 1,
	KMS_KIND_GROUP = 2,
	KMS_KIND_KEY = 3,
	KMS_KIND_AUDIT = 4,
	KMS_KIND_TOMBSTONE = 5, /* a deleted key or group, same row id */
	KMS_KIND_FACT = 6,      /* quiesce, backups, attestation, drills */
};
#define KMS_KINDS 6u

/* Where a key's bytes came from: a field, never inferred from its tag. */
enum kms_origin {
	KMS_ORIGIN_RANDOM = 1,
	KMS_ORIGIN_PHRASE = 2,
	KMS_ORIGIN_GROUP = 3,
	KMS_ORIGIN_IMPORT = 4,
};

struct kms_seed { /* one generation of a group's phrase */
	uint8_t salt[16], cost;
	uint16_t slot; /* KPK that wraps it */
	struct kms_wrapped wrapped;
};
#define KMS_SEEDS_MAX 64u

struct kms_group {
	char name[KMS_NAME_MAX + 1], description[KMS_TEXT_MAX + 1];
	uint8_t cipher; /* 1: AES_256 */
	int64_t created, modified;
	struct kms_seed *seed; /* newest last; owned */
	size_t nseeds;
	uint8_t *attrs; /* opaque to kms/ (KMIP); owned */
	size_t attrs_len;
};
#define KMS_CIPHER_AES_256 1u

enum kms_key_flags {
	KMS_KEY_WAIVED = 1 << 0, /* -allowserve: for ever */
	KMS_KEY_EVER_ACTIVE = 1 << 1,
	/* Prelive, made by a rotation of its group that will activate it. */
	KMS_KEY_ROTATING = 1 << 2,
	/* Recovered or imported: used before this store held it. */
	KMS_KEY_ELSEWHERE = 1 << 3,
};

struct kms_key {
	uint64_t group; /* row id of its group */
	struct kms_tag tag;
	char name[KMS_NAME_MAX + 1], description[KMS_TEXT_MAX + 1];
	enum kms_state state;
	enum kms_origin origin;
	uint32_t flags;
	int64_t created, modified, activated, deactivated; /* 0: never */
	uint16_t slot; /* KPK that wraps it */
	struct kms_wrapped wrapped;
	uint8_t *attrs; /* opaque to kms/ (KMIP); owned */
	size_t attrs_len;
};

/* Who did it: name ("uid:0" or a certificate's), and for the command line
 * the process's facts. */
struct kms_who {
	char name[KMS_NAME_MAX + 1];
	uint32_t uid, login_uid; /* UINT32_MAX: unknown */
	char sudo_user[64], host[64];
};

/* As it lies in records and in the release log. */
void kms_who_encode(const struct kms_who *, struct kms_wr *);
void kms_who_decode(struct kms_who *, struct kms_rd *);
/* Well-formed text in every field. */
bool kms_who_fits(const struct kms_who *);

/* What is audited; values on disk for ever, names in doc/EVENTS.md. */
#define KMS_EVENT_LIST(X)                          \
	X(1, STORE_CREATE, "store.create")         \
	X(2, STORE_ACCEPT, "store.accept-restore") \
	X(3, STORE_RESTORE, "store.restore")       \
	X(4, STORE_REBIND, "store.rebind")         \
	X(5, MASTER_RESET, "master.reset")         \
	X(6, MASTER_ROTATE, "master.rotate")       \
	X(7, MASTER_RETIRE, "master.retire")       \
	X(8, HSM_ATTEST, "hsm.attest-backup")      \
	X(10, GROUP_CREATE, "group.create")        \
	X(11, GROUP_MODIFY, "group.modify")        \
	X(12, GROUP_DELETE, "group.delete")        \
	X(13, GROUP_PHRASE, "group.phrase")        \
	X(20, KEY_CREATE, "key.create")            \
	X(21, KEY_STATE, "key.state")              \
	X(22, KEY_MODIFY, "key.modify")            \
	X(23, KEY_MOVE, "key.move")                \
	X(24, KEY_ALLOWSERVE, "key.allowserve")    \
	X(25, KEY_DELETE, "key.delete")            \
	X(26, KEY_RECOVER, "key.recover")          \
	X(27, KEY_IMPORT, "key.import")            \
	X(28, KEY_ATTRIBUTE, "key.attribute")      \
	X(30, QUIESCE, "store.quiesce")            \
	X(31, UNQUIESCE, "store.unquiesce")        \
	X(32, BACKUP, "store.backup")              \
	X(33, EXPORT, "transfer.export")           \
	X(34, IMPORT, "transfer.import")           \
	X(35, DRILL, "recovery.drill")             \
	X(36, PIN_RETRY, "token.retry-pin")        \
	X(37, LOG_RESTART, "log.restart")          \
	X(40, RELEASE, "key.release")

enum kms_event {
#define X(value, name, text) KMS_EVENT_##name = value,
	KMS_EVENT_LIST(X)
#undef X
};
/* Stable text, "?" for an unknown value. */
const char *kms_event_name(unsigned);

struct kms_audit {
	uint16_t event;
	bool forced;
	int64_t time;
	struct kms_who who;
	char group[KMS_NAME_MAX + 1], subject[KMS_NAME_MAX + 1];
	struct kms_tag tag; /* len 0: none */
	char reason[KMS_TEXT_MAX + 1];
};

struct kms_tombstone {
	uint8_t kind; /* what it was: group or key */
	struct kms_tag tag;
	char group[KMS_NAME_MAX + 1], name[KMS_NAME_MAX + 1];
	uint64_t group_id;
	int64_t created, deleted;
	struct kms_who who;
	uint8_t origin;
	uint8_t *attrs; /* KMIP: attributes and digest stay; owned */
	size_t attrs_len;
};

/* A FACT row: type, then bytes that its owner (quiesce, backup, …) encodes.
 * Types are on disk for ever. */
enum kms_fact_type {
	KMS_FACT_HOLDS = 1, /* who keeps the store quiesced: one row */
	/* The release log was lost, a new one begun. */
	KMS_FACT_LOG_RESTART = 2,
	KMS_FACT_BACKUP = 3,      /* a verified copy; cover.h */
	KMS_FACT_ATTESTATION = 4, /* the HSM itself was backed up; cover.h */
	KMS_FACT_DRILL = 5,       /* a phrase was proven right; drill.h */
};
struct kms_fact {
	uint16_t type;
	uint8_t *bytes; /* owned */
	size_t len;
};

struct kms_record {
	uint64_t id; /* 0: new, set by kms_tx_put */
	uint64_t generation;
	enum kms_kind kind; /* says which member; never ROOT */
	union {
		struct kms_group group;
		struct kms_key key;
		struct kms_audit audit;
		struct kms_tombstone tombstone;
		struct kms_fact fact;
	} u;
};

/* Frees what the record owns; its kind becomes 0, and clearing it again does
 * nothing. The struct is the caller's. */
void kms_record_clear(struct kms_record *);
/* Appends the encoding. KMS_ERR_LIMIT when a field is over its bound. */
int kms_record_encode(const struct kms_record *, struct kms_wr *) KMS_MUST;
/* kind, id and generation are the row's (proven by the seal); id and
 * generation are left 0. Owns what it allocates, nothing after an error.
 * KMS_ERR_DAMAGED, KMS_ERR_VERSION for a newer layout. */
int kms_record_decode(struct kms_record *, enum kms_kind, const void *, size_t)
    KMS_MUST;

/* Of an encoded audit record, without decoding the rest. False: none of this
 * layout. */
bool kms_record_peek_audit(const void *, size_t, unsigned *event, bool *forced);

/* A name: 1–255 bytes of UTF-8, no control characters, no leading or
 * trailing blank. what: "group name" … KMS_ERR_USAGE. */
int kms_name_check(const char *what, const char *name) KMS_MUST;
int kms_text_check(const char *what, const char *text) KMS_MUST;

/* RFC 3339 UTC with seconds: "2026-11-24T10:00:00Z". */
#define KMS_TIME_TEXT 32u
void kms_time_text(int64_t us, char out[KMS_TIME_TEXT]);

#endif
