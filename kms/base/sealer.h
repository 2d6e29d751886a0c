/*
 * What kms/ needs of a token, and the description of a master key. hsm/
 * implements it over PKCS#11; tests/lib has one in memory. kms/ never learns
 * which.
 */
#ifndef KMS_BASE_SEALER_H
#define KMS_BASE_SEALER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kms/base/cipher.h"

#define KMS_ID_MAX 255u /* bytes of a name or ID, without the NUL */
#define KMS_CKAID_MAX 64u
#define KMS_WRAPPED_MAX 64u
#define KMS_REWRAP_MOST 32u
#define KMS_ANCHOR_MAX 160u
#define KMS_ANCHORS_MAX 8u

enum kms_role { KMS_ROLE_HMK = 1, KMS_ROLE_KPK = 2 };

enum kms_slot_place {
	KMS_SLOT_CURRENT = 1,
	KMS_SLOT_NEXT = 2,       /* being made or rotated to */
	KMS_SLOT_SUPERSEDED = 3, /* still in the token until retired */
};

enum kms_slot_origin {
	KMS_SLOT_PASSPHRASE = 1, /* comes back from its phrase */
	KMS_SLOT_TOKEN = 2,      /* born inside; only the HSM's backup */
	KMS_SLOT_ADOPTED = 3,    /* made by the token's owner */
};

/* How the master key protects a 32-byte key; values are on disk for ever. */
enum kms_mech {
	KMS_MECH_NONE = 0,    /* not chosen yet: make() probes */
	KMS_MECH_AES_KW = 1,  /* CKM_AES_KEY_WRAP, RFC 3394: 40 bytes */
	KMS_MECH_AES_KWP = 2, /* CKM_AES_KEY_WRAP_PAD or _KWP, RFC 5649: 40 */
	KMS_MECH_AES_GCM = 3, /* C_Encrypt: iv 12 | 32 | tag 16 = 60 */
	KMS_MECH_AES_CBC = 4, /* C_Encrypt: iv 16 | 32 = 48; row seal binds */
};

#define KMS_KDF_NONE 0u
#define KMS_KDF_PBKDF2_SHA512 1u

/*
 * One master key as the header describes it. no is unique in the store for
 * ever; records name their KPK by it. Token label and serial are hints.
 */
struct kms_slot {
	uint16_t no;
	enum kms_role role;
	enum kms_slot_place place;
	enum kms_slot_origin origin;
	enum kms_mech mech;
	uint8_t kdf, cost;  /* origin passphrase; else 0 */
	uint8_t components; /* 0: one phrase; n: entered in n parts */
	uint8_t salt[16];
	uint8_t cka_id[KMS_CKAID_MAX];
	size_t cka_id_len;
	char id[KMS_ID_MAX + 1]; /* the administrator's HMK ID or KPK ID */
	char token_label[33], token_serial[17];
};

struct kms_wrapped {
	uint8_t bytes[KMS_WRAPPED_MAX], kcv[8];
	size_t len;
};

/* A master key to be adopted: by label or by CKA_ID, whichever is set. */
struct kms_wanted {
	enum kms_role role;
	const char *label;
	const uint8_t *cka_id;
	size_t cka_id_len;
};

/* One line of an adoption preview or of -tokeninfo. */
struct kms_attr_line {
	char name[40], required[24], found[64];
	bool ok;
};
#define KMS_ATTR_LINES 40u
struct kms_attr_report {
	struct kms_attr_line line[KMS_ATTR_LINES];
	size_t n;
	enum kms_mech mech;
};

struct kms_anchor {
	uint8_t bytes[KMS_ANCHOR_MAX];
	size_t len;
};

/*
 * Every function may be called from any thread and returns 0 or a kms_err.
 * Keys are KMS_KEY_LEN bytes. KMS_ERR_TOKEN: the token is away or refused
 * (it was already re-opened once); nothing was changed unless said.
 */
struct kms_sealer {
	/*
	 * Makes the master key slot->cka_id in the token from the secret, or
	 * inside it when NULL; label "p11kms HMK <id>". slot->mech NONE is
	 * probed and set, else that mechanism is used (a reset). Self-tests
	 * the key before it returns; sets token label and serial. When the
	 * planned CKA_ID is there already it is adopted after its self-test
	 * (secret NULL only), else destroyed and made again.
	 */
	int (*make)(struct kms_sealer *, const struct kms_secret *,
	    struct kms_slot *);
	/* Finds exactly one key as wanted, proves its attributes, probes and
	 * self-tests the mechanism, fills the slot. slot NULL: preview only,
	 * which changes nothing. report may be NULL. */
	int (*adopt)(struct kms_sealer *, const struct kms_wanted *,
	    struct kms_slot *, struct kms_attr_report *);
	/* What the token says of a slot's key. */
	int (*describe)(struct kms_sealer *, const struct kms_slot *,
	    struct kms_attr_report *);
	/* Is there a key of this CKA_ID, alone and with the right attributes?
	 * NOTFOUND, or MASTER naming the attribute or the duplicate. */
	int (*check)(struct kms_sealer *, const struct kms_slot *);
	/* Destroys every key of this CKA_ID; none is 0. */
	int (*drop)(struct kms_sealer *, const struct kms_slot *);
	/*
	 * Half-made objects of ours: those without label, CKA_ID, value or
	 * class. debris_list gives an opaque fingerprint list of what is
	 * there now (32 bytes each); debris_sweep destroys what is not in it.
	 */
	int (*debris_list)(struct kms_sealer *, uint8_t (*)[32], size_t cap,
	    size_t *n);
	int (*debris_sweep)(struct kms_sealer *, const uint8_t (*)[32],
	    size_t n, size_t *swept);

	/* Wraps the key, or one born in the token when NULL; fills the check
	 * value. */
	int (*wrap)(struct kms_sealer *, const struct kms_slot *,
	    const struct kms_secret *, struct kms_wrapped *);
	/* The caller owns *key. KMS_ERR_AUTH when it does not unwrap or its
	 * check value differs. */
	int (*unwrap)(struct kms_sealer *, const struct kms_slot *,
	    const struct kms_wrapped *, struct kms_secret **);
	/* As unwrap, but nobody gets the key: it stays in the token where the
	 * mechanism wraps. */
	int (*prove)(struct kms_sealer *, const struct kms_slot *,
	    const struct kms_wrapped *);
	/* n keys, at most KMS_REWRAP_MOST, from one master key to another; the
	 * host never sees a data key where both mechanisms wrap. All or none:
	 * w is changed only when each check value was right, each came back
	 * from under the new key, and that key was proven before the first
	 * and after the last. */
	int (*rewrap)(struct kms_sealer *, const struct kms_slot *from,
	    const struct kms_slot *to, struct kms_wrapped *w, size_t n);

	/*
	 * Client data under the wrapped key, which is unwrapped inside the
	 * token for this one operation, with this one usage, where the
	 * mechanism wraps; else it passes through locked memory of the host,
	 * which does the work. AUTH as unwrap; USAGE: the data does not
	 * decrypt, has no size that fits, or the token lacks the mode.
	 */
	int (*crypt)(struct kms_sealer *, const struct kms_slot *,
	    const struct kms_wrapped *, struct kms_crypt *);
	/* Which modes crypt has, a set of 1 << kms_cipher: tried in the token,
	 * once, rather than believed. */
	int (*ciphers)(struct kms_sealer *, const struct kms_slot *,
	    unsigned *);

	/* C_GenerateRandom. The caller mixes with the host's own. */
	int (*random)(struct kms_sealer *, uint8_t *, size_t);

	/*
	 * The anchor: opaque bytes in a private data object labelled with the
	 * store UUID. get returns all there are (at most cap; a kill can leave
	 * two); none is n = 0. put makes the new one, then destroys the old
	 * ones. NOTFOUND from either: the token takes no data objects.
	 */
	int (*anchor_get)(struct kms_sealer *, const uint8_t uuid[16],
	    struct kms_anchor *, size_t cap, size_t *n);
	int (*anchor_put)(struct kms_sealer *, const uint8_t uuid[16],
	    const struct kms_anchor *);

	/* The token's lock file, held over read anchor → commit → put. Not
	 * recursive; a thread holding it may call all of the above. */
	int (*lock)(struct kms_sealer *);
	void (*unlock)(struct kms_sealer *);

	/* Label (33) and serial (17) of the token now bound. */
	void (*name)(struct kms_sealer *, char label[33], char serial[17]);
	void (*close)(struct kms_sealer **);
};

#endif
