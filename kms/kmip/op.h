/*
 * Operations: one function each, in one table, and what they work with. An
 * operation reads its request payload, works inside the batch's transaction,
 * and writes the content of its response payload.
 */
#ifndef KMS_KMIP_OP_H
#define KMS_KMIP_OP_H

#include "kms/kmip/authz.h"
#include "kms/kmip/index.h"
#include "kms/kmip/metrics.h"
#include "kms/kmip/msg.h"
#include "kms/kmip/view.h"

#define KMIP_VENDOR "p11kms"
#define KMIP_LOCATE_MAX 4096u /* identifiers in one answer */

/* What all requests share. Filled once; then only the parts that guard
 * themselves change. */
struct kmip_service {
	struct kms_store *store; /* borrowed */
	struct kmip_index *index;
	struct kmip_metrics metrics;
	/* A Create where no passphrase would bring the key back is refused,
	 * rather than the Get of it until a backup. */
	bool groups_need_phrase;
};

int kmip_service_open(struct kms_store *, bool groups_need_phrase,
    struct kmip_service **) KMS_MUST;
void kmip_service_close(struct kmip_service **);

struct kmip_op;

/* One batch item at work. */
struct kmip_work {
	const struct kmip_call *call;
	const struct kmip_op *op;  /* NULL: not supported, or not allowed */
	struct kms_wr out;         /* content of the response payload … */
	struct kms_secret *secret; /* … or here, when a key is in it */
	size_t secret_len;
	void *prepared; /* the operation's own, from prepare to drop */
	int code;       /* 0, or why it failed */
	bool changed;   /* something that is not committed yet */
	uint64_t micros;
};

/* One message at work. */
struct kmip_batch {
	struct kmip_service *service;
	const struct kmip_actor *actor;
	bool locked; /* the request lies in locked memory */
	unsigned minor;
	bool lenient;
	size_t room; /* bytes that this item's payload may have */
	/* ID Placeholder (section 2.1.9): of this batch alone. "": none. */
	char placeholder[KMS_TAG_TEXT];
	struct kms_tx *tx;     /* the operation's; NULL where it has none */
	bool writing, changed; /* tx is for WRITE; has puts of earlier items */
	bool made;             /* an object was made in this batch */
};

enum kmip_op_kind {
	KMIP_OP_ALONE, /* no transaction */
	KMIP_OP_LOOKS, /* one open already, or what it begins itself */
	KMIP_OP_READS,
	KMIP_OP_WRITES,
	KMIP_OP_RELEASES, /* none open: earlier changes are committed first */
};

struct kmip_op {
	enum kmip_operation op;
	enum kmip_op_kind kind;
	/* Slow work, before any transaction; NULL: none. */
	int (*prepare)(struct kmip_batch *, struct kmip_work *);
	int (*run)(struct kmip_batch *, struct kmip_work *);
	/* Frees what prepare made, in every case. */
	void (*drop)(void *prepared);
};

/* NULL when this service does not have it in that version. */
const struct kmip_op *kmip_op_find(uint32_t op, unsigned minor);
/* The n-th of all; NULL at the end. */
const struct kmip_op *kmip_op_at(size_t n);

/* --- for operations ------------------------------------------------------ */

/* The tag meant by a Unique Identifier, or by the placeholder when the item is
 * absent. ITEM_NOT_FOUND when it is none of ours, or the placeholder empty. */
int kmip_op_tag(const struct kmip_batch *, const struct kmip_item *uid,
    struct kms_tag *) KMS_MUST;
/* The object itself, destroyed ones too; the caller clears the view. Out of
 * the client's groups is ITEM_NOT_FOUND like not there at all. */
int kmip_op_load(struct kmip_batch *, const struct kmip_item *uid,
    struct kmip_view *) KMS_MUST;
/* The same, of a row. */
int kmip_op_load_row(struct kmip_batch *, uint64_t id, struct kmip_view *)
    KMS_MUST;
/* load, and PERMISSION_DENIED-like refusals of destroyed and archived ones. */
int kmip_op_load_live(struct kmip_batch *, const struct kmip_item *uid,
    struct kmip_view *) KMS_MUST;

/* Writes the view's stored attributes back into its record, as a step of the
 * transaction. The view is then of the new version. */
int kmip_op_save(struct kmip_batch *, struct kmip_view *) KMS_MUST;
/* Moves the record to a state; the view is then of the new version. */
int kmip_op_set_state(struct kmip_batch *, struct kmip_view *, enum kms_state)
    KMS_MUST;

/* Unique Identifier into the response, and into the placeholder. */
void kmip_op_answer_tag(struct kmip_batch *, struct kmip_work *,
    const struct kms_tag *);

/* Rows that may have a term, newest first; what this batch put is among
 * them. The caller compares. */
int kmip_op_find_term(struct kmip_batch *, const struct kmip_sought *,
    struct kmip_ids *) KMS_MUST;

/* Names are unique in a group, Application Specific Information among all that
 * the client may use: INVALID_FIELD when another object than this has it. self 0:
 * a new one, to be in that group. Other attributes: 0. */
int kmip_op_check_unique(struct kmip_batch *, const struct kmip_view *self,
    const struct kmip_attr *) KMS_MUST;
/* A client tells of a tape (op_note.c): goes into the log, which needs no
 * change of the store. */
bool kmip_op_is_note(const struct kmip_call *);
int kmip_op_note(struct kmip_batch *, struct kmip_view *,
    const struct kmip_item *value) KMS_MUST;
int kmip_op_check_unique_in(struct kmip_batch *, const char *group,
    uint64_t self, const struct kmip_attr *) KMS_MUST;

/* The operations, by file. */
int kmip_op_query(struct kmip_batch *, struct kmip_work *);
int kmip_op_discover(struct kmip_batch *, struct kmip_work *);
int kmip_op_create_prepare(struct kmip_batch *, struct kmip_work *);
int kmip_op_register_prepare(struct kmip_batch *, struct kmip_work *);
int kmip_op_rekey_prepare(struct kmip_batch *, struct kmip_work *);
int kmip_op_make(struct kmip_batch *, struct kmip_work *);
int kmip_op_rekey(struct kmip_batch *, struct kmip_work *);
void kmip_op_make_drop(void *);
int kmip_op_get(struct kmip_batch *, struct kmip_work *);
int kmip_op_encrypt(struct kmip_batch *, struct kmip_work *);
int kmip_op_decrypt(struct kmip_batch *, struct kmip_work *);
/* Does the token let keys work inside it? For Query, which must not promise
 * more. */
bool kmip_op_can_crypt(struct kmip_service *);
int kmip_op_get_attributes(struct kmip_batch *, struct kmip_work *);
int kmip_op_get_attribute_list(struct kmip_batch *, struct kmip_work *);
int kmip_op_add_attribute(struct kmip_batch *, struct kmip_work *);
int kmip_op_modify_attribute(struct kmip_batch *, struct kmip_work *);
int kmip_op_delete_attribute(struct kmip_batch *, struct kmip_work *);
int kmip_op_locate(struct kmip_batch *, struct kmip_work *);
int kmip_op_check(struct kmip_batch *, struct kmip_work *);
int kmip_op_activate(struct kmip_batch *, struct kmip_work *);
int kmip_op_revoke(struct kmip_batch *, struct kmip_work *);
int kmip_op_destroy(struct kmip_batch *, struct kmip_work *);
int kmip_op_archive(struct kmip_batch *, struct kmip_work *);
int kmip_op_recover(struct kmip_batch *, struct kmip_work *);

#endif
