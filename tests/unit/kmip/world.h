/* A store, a service over it, and clients that talk to it in messages: what
 * most tests begin with. A failure aborts the test. */
#ifndef TESTS_UNIT_KMIP_WORLD_H
#define TESTS_UNIT_KMIP_WORLD_H

#include "kms/key.h"
#include "kms/kmip/batch.h"
#include "kms/store.h"
#include "tests/lib/fixture.h"
#include "tests/lib/soft_sealer.h"
#include "tests/unit/kmip/kmip_tests.h"

struct world {
	struct fx *fx;
	struct kms_sealer *sealer;
	struct kms_store_options options;
	struct kms_store *store;
	struct kmip_service *service;
	struct kmip_rules *rules;
	struct kmip_actor actor; /* of the first rule */
	struct kms_actor local;  /* the command line's */
};

/* Gates off, so that a test says which one it is about: policy may be changed
 * before world_open. One client, "media01", who may do all everywhere; its
 * home is the group "home". */
void world_begin(struct world *);
void world_open(struct world *);
void world_end(struct world *);
/* The service ends and starts again. */
void world_reopen(struct world *);
/* The client's rule is another one from now on. */
void world_rule(struct world *, const char *groups, const char *operations);

/* As the command line does it. */
void world_group(struct world *, const char *group, const char *phrase);
void world_key(struct world *, const char *group, const char *name,
    enum kms_state, struct kms_tag *);
/* The same, with bytes for its KMIP attributes as an import may bring them. */
void world_key_with(struct world *, const char *group, const char *name,
    const char *attrs, struct kms_tag *);
void world_state(struct world *, const char *group, const char *name,
    enum kms_state);
void world_rename(struct world *, const char *group, const char *name,
    const char *to);
void world_quiesce(struct world *);
/* The record's state, by its identifier as clients have it. */
enum kms_state world_state_of(struct world *, const char *uid);
void world_view(struct world *, const char *uid, struct kms_key_view *);

/* One message and its answer. */
struct talk {
	struct kmip_request *req;
	struct kms_wr *payload; /* one an item */
	struct kmip_reply reply;
	struct kmip_response *res;
};

void talk_begin(struct talk *, unsigned minor);
/* The next item; its payload is written there. */
struct kms_wr *talk_item(struct talk *, uint32_t op);
void talk_send(struct world *, struct talk *);
void talk_end(struct talk *);

/* Item i succeeded, failed for that reason, was undone. */
void talk_ok(const struct talk *, size_t i);
void talk_fails(const struct talk *, size_t i, enum kmip_reason);
/* A field of item i's answer; false when it is not there. */
bool talk_field(const struct talk *, size_t i, uint32_t tag,
    struct kmip_item *);
/* Fields of that tag. */
size_t talk_count(const struct talk *, size_t i, uint32_t tag);
/* The Unique Identifier; the n-th, where there are many. */
void talk_uid(const struct talk *, size_t i, size_t n, char uid[KMS_TAG_TEXT]);
/* The bytes of the object that item i got. */
size_t talk_material(const struct talk *, size_t i, uint8_t *, size_t cap);
/* The attribute of that name and index in item i's answer. */
bool talk_attr(const struct talk *, size_t i, const char *name, int32_t index,
    struct kmip_attr *);
/* Is the first one of that name there? */
bool talk_has(const struct talk *, size_t i, const char *name);
/* Its value as text, number, date. Abort when it is not there. */
void talk_attr_text(const struct talk *, size_t i, const char *name,
    const char *want);
int64_t talk_attr_number(const struct talk *, size_t i, const char *name);

/* Payloads that many tests send. */
void put_uid(struct kms_wr *, const char *uid);      /* NULL: by placeholder */
size_t put_template(struct kms_wr *, uint32_t type); /* Object Type, begun */
void put_aes(struct kms_wr *, int32_t bits); /* algorithm, length, mask */
void put_text_name(struct kms_wr *, const char *name);
void put_application(struct kms_wr *, const char *name_space, const char *data);
void put_alternative(struct kms_wr *, const char *value);
void put_custom_int(struct kms_wr *, const char *name, int32_t);
void put_custom_date(struct kms_wr *, const char *name, int64_t);
void put_revocation(struct kms_wr *, const char *uid, uint32_t code);

/* One item, one message, KMIP 1.4, expected to succeed. */
void create_key(struct world *, const char *name, const char *group,
    int32_t bits, char uid[KMS_TAG_TEXT]);
void simple(struct world *, uint32_t op, const char *uid);
void simple_fails(struct world *, uint32_t op, const char *uid,
    enum kmip_reason);
void get_bytes(struct world *, const char *uid, uint8_t *, size_t len);
/* The State attribute, as a client asks for it. */
enum kmip_state state_of(struct world *, const char *uid);

/* ck_assert of 0, with the cause in the message. */
void ok(int r);

#endif
