/* A service with a store behind it, for targets that send it requests: a key
 * "k" in the client's group ENCR_pool, and one in a group that is not his. */
#ifndef TESTS_FUZZ_KMIP_WORLD_H
#define TESTS_FUZZ_KMIP_WORLD_H

#include "kms/kmip/batch.h"

struct fuzz_world {
	struct fx *fx;
	struct kms_sealer *sealer;
	struct kms_store *store;
	struct kmip_service *service;
	struct kmip_rules *rules;
	struct kmip_actor actor;
	uint8_t shown[32], hidden[32]; /* the two keys' bytes */
	unsigned rounds;
};

/* Asks, and looks that there is an answer, that it can be read, and that the
 * hidden key is not in it. The caller clears the reply. */
const struct fuzz_world *fuzz_world_ask(const struct kmip_message *,
    struct kmip_reply *);

#endif
