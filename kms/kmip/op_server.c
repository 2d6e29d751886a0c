/* What the service says of itself: Query and Discover Versions (KMIP 1.4
 * sections 4.25 and 4.26). */
#include <string.h>

#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id
#define RNG_UNSPECIFIED 1u
#define QUERIES_MAX 16u

/* The tape library profile searches by these; any other is taken too. */
static const char *const namespaces[] = {"LIBRARY-LTO", "LIBRARY-LTO4",
    "LIBRARY-LTO5", "LIBRARY-LTO6", "LIBRARY-LTO7", "LIBRARY-LTO8",
    "LIBRARY-LTO9"};

static void
put_operations(const struct kmip_batch *b, struct kms_wr *wr)
{
	bool crypt = b->minor >= 2 && kmip_op_can_crypt(b->service);
	const struct kmip_op *op;
	size_t i;

	for (i = 0; (op = kmip_op_at(i)) != NULL; i++) {
		if (kmip_op_find(op->op, b->minor) == NULL)
			continue;
		if (!crypt &&
		    (op->op == KMIP_OP_ENCRYPT || op->op == KMIP_OP_DECRYPT))
			continue;
		kmip_ttlv_put_enum(wr, TAG(OPERATION), op->op);
	}
}

static void
put_objects(struct kms_wr *wr)
{
	kmip_ttlv_put_enum(wr, TAG(OBJECT_TYPE), KMIP_OBJECT_SYMMETRIC_KEY);
	kmip_ttlv_put_enum(wr, TAG(OBJECT_TYPE), KMIP_OBJECT_SECRET_DATA);
	kmip_ttlv_put_enum(wr, TAG(OBJECT_TYPE), KMIP_OBJECT_OPAQUE_OBJECT);
}

static void
put_vendor(struct kms_wr *wr)
{
	size_t at;

	kmip_ttlv_put_text(wr, TAG(VENDOR_IDENTIFICATION), KMIP_VENDOR);
	at = kmip_ttlv_begin(wr, TAG(SERVER_INFORMATION));
	kmip_ttlv_end(wr, at);
}

static void
put_rng(struct kms_wr *wr)
{
	size_t at = kmip_ttlv_begin(wr, TAG(RNG_PARAMETERS));

	kmip_ttlv_put_enum(wr, TAG(RNG_ALGORITHM), RNG_UNSPECIFIED);
	kmip_ttlv_end(wr, at);
}

static void
put_capabilities(const struct kmip_batch *b, struct kms_wr *wr)
{
	size_t at = kmip_ttlv_begin(wr, TAG(CAPABILITY_INFORMATION));

	kmip_ttlv_put_bool(wr, TAG(STREAMING_CAPABILITY), false);
	kmip_ttlv_put_bool(wr, TAG(ASYNCHRONOUS_CAPABILITY), false);
	kmip_ttlv_put_bool(wr, TAG(ATTESTATION_CAPABILITY), false);
	if (b->minor >= 4) {
		kmip_ttlv_put_bool(wr, TAG(BATCH_UNDO_CAPABILITY), true);
		kmip_ttlv_put_bool(wr, TAG(BATCH_CONTINUE_CAPABILITY), true);
	}
	kmip_ttlv_end(wr, at);
}

/* The answer's order is the standard's, whatever the order of the questions. */
static void
put_query(const struct kmip_batch *b, struct kms_wr *wr, const bool *asked)
{
	size_t i;

	if (asked[KMIP_QUERY_QUERY_OPERATIONS])
		put_operations(b, wr);
	if (asked[KMIP_QUERY_QUERY_OBJECTS])
		put_objects(wr);
	if (asked[KMIP_QUERY_QUERY_SERVER_INFORMATION])
		put_vendor(wr);
	if (asked[KMIP_QUERY_QUERY_APPLICATION_NAMESPACES])
		for (i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
			kmip_ttlv_put_text(wr, TAG(APPLICATION_NAMESPACE),
			    namespaces[i]);
	if (asked[KMIP_QUERY_QUERY_RNGS])
		put_rng(wr);
	if (asked[KMIP_QUERY_QUERY_CAPABILITIES])
		put_capabilities(b, wr);
}

int
kmip_op_query(struct kmip_batch *b, struct kmip_work *w)
{
	bool asked[QUERIES_MAX] = {false};
	struct kmip_item first, item;
	struct kms_rd rd;
	uint32_t v;
	int r;
	const struct kmip_field f[] = {
	    {TAG(QUERY_FUNCTION), KMIP_ENUM, KMIP_MANY, &first}};

	r = kmip_ttlv_fields(&w->call->payload, f, 1, b->lenient);
	if (r != 0)
		return r;
	if (first.type == 0)
		return kmip_fail(MISSING_DATA, "Query Function is missing");
	kmip_ttlv_walk(&rd, &w->call->payload);
	while (kmip_ttlv_next(&rd, &item)) {
		if (item.tag != TAG(QUERY_FUNCTION))
			continue;
		r = kmip_ttlv_enum(&item, &v);
		if (r != 0)
			return r;
		if (v < QUERIES_MAX &&
		    kmip_def_since(KMIP_TABLE_QUERY, v) <= b->minor)
			asked[v] = true;
	}
	put_query(b, &w->out, asked);
	return 0;
}

static void
put_version(struct kms_wr *wr, unsigned minor)
{
	size_t at = kmip_ttlv_begin(wr, TAG(PROTOCOL_VERSION));

	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MAJOR), (int)KMIP_MAJOR);
	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MINOR), (int)minor);
	kmip_ttlv_end(wr, at);
}

static int
read_version(const struct kmip_item *item, int32_t *major, int32_t *minor)
{
	struct kmip_item a, b;
	int r;
	const struct kmip_field f[] = {{TAG(PROTOCOL_VERSION_MAJOR),
					   KMIP_INTEGER, KMIP_REQUIRED, &a},
	    {TAG(PROTOCOL_VERSION_MINOR), KMIP_INTEGER, KMIP_REQUIRED, &b}};

	r = kmip_ttlv_fields(item, f, 2, true);
	if (r == 0)
		r = kmip_ttlv_int(&a, major);
	if (r == 0)
		r = kmip_ttlv_int(&b, minor);
	return r;
}

/* Ours that the client named, or all when it named none; newest first. */
int
kmip_op_discover(struct kmip_batch *b, struct kmip_work *w)
{
	bool named[KMIP_MINOR_MAX + 1] = {false}, any = false;
	struct kmip_item first, item;
	struct kms_rd rd;
	int32_t major, minor;
	unsigned v;
	int r;
	const struct kmip_field f[] = {
	    {TAG(PROTOCOL_VERSION), KMIP_STRUCTURE, KMIP_MANY, &first}};

	r = kmip_ttlv_fields(&w->call->payload, f, 1, b->lenient);
	if (r != 0)
		return r;
	kmip_ttlv_walk(&rd, &w->call->payload);
	while (kmip_ttlv_next(&rd, &item)) {
		if (item.tag != TAG(PROTOCOL_VERSION))
			continue;
		any = true;
		r = read_version(&item, &major, &minor);
		if (r != 0)
			return r;
		if (major == (int32_t)KMIP_MAJOR && minor >= 0 &&
		    minor <= (int32_t)KMIP_MINOR_MAX)
			named[minor] = true;
	}
	for (v = KMIP_MINOR_MAX + 1; v-- > 0;)
		if (!any || named[v])
			put_version(&w->out, v);
	return 0;
}
