/* What the site decides, as plain values. Filled by tools/config. */
#ifndef KMS_POLICY_H
#define KMS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct kms_policy {
	bool serve_gate, delete_gate, export_allowed;
	unsigned kdf_cost;   /* 2^cost iterations, 17..26 when creating */
	unsigned phrase_min; /* bytes, when creating */
	unsigned max_groups, max_keys_per_group; /* 0: none */
	const char *backup_path;                 /* NULL: none */
	bool backup_same_device;
};

#define KMS_KDF_COST_DEFAULT 21u
#define KMS_KDF_COST_CREATE_MIN 17u
#define KMS_KDF_COST_MIN 10u
#define KMS_KDF_COST_MAX 26u
#define KMS_PHRASE_MIN_DEFAULT 15u
#define KMS_PHRASE_MAX 1024u
#define KMS_COMPONENTS_MAX 16u

/* The values COMMANDS shows. */
#define KMS_POLICY_DEFAULT                               \
	{                                                \
		.serve_gate = true, .delete_gate = true, \
		.kdf_cost = KMS_KDF_COST_DEFAULT,        \
		.phrase_min = KMS_PHRASE_MIN_DEFAULT,    \
	}

#endif
