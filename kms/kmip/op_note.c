/* x-p11kms-volume: a client that loaded a key into a drive of its own tells
 * which tape was in it. Not an attribute of the key, which would have
 * thousands in time: a line of the release log, where the catalog is. */
#include <string.h>

#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"
#include "kms/release.h"

#define FIELDS 3u

/* The next field of "VOLUME;MEDIUM;DRIVE;TIME"; "-" is empty. */
static int
take_field(const char **text, char out[KMS_DRIVE_TEXT + 1])
{
	size_t n = strcspn(*text, ";");

	if (n > KMS_DRIVE_TEXT)
		return kmip_fail(INVALID_FIELD,
		    KMIP_NOTE ": a field of over %u bytes", KMS_DRIVE_TEXT);
	memcpy(out, *text, n);
	out[n] = '\0';
	if (strcmp(out, "-") == 0)
		out[0] = '\0';
	*text += n + ((*text)[n] == ';' ? 1 : 0);
	return 0;
}

bool
kmip_op_is_note(const struct kmip_call *call)
{
	struct kmip_item attribute, name;

	return call->op == KMIP_OP_ADD_ATTRIBUTE &&
	    kmip_ttlv_find(&call->payload, KMIP_TAG_ATTRIBUTE, &attribute) &&
	    kmip_ttlv_find(&attribute, KMIP_TAG_ATTRIBUTE_NAME, &name) &&
	    name.type == KMIP_TEXT && name.len == strlen(KMIP_NOTE) &&
	    memcmp(name.value, KMIP_NOTE, name.len) == 0;
}

/* The time is the service's own; the client's is for servers that only keep
 * the text. */
int
kmip_op_note(struct kmip_batch *b, struct kmip_view *v,
    const struct kmip_item *value)
{
	char text[FIELDS * (KMS_DRIVE_TEXT + 1) + KMS_TIME_TEXT];
	char field[FIELDS][KMS_DRIVE_TEXT + 1];
	const char *at = text;
	const struct kms_purpose purpose = {.use = KMS_USE_NOTE,
	    .volume = field[0],
	    .medium = field[1],
	    .drive = field[2]};
	size_t i;
	int r;

	r = kmip_ttlv_text(value, text, sizeof(text));
	for (i = 0; r == 0 && i < FIELDS; i++)
		r = take_field(&at, field[i]);
	if (r == 0 && field[0][0] == '\0' && field[1][0] == '\0')
		r = kmip_fail(INVALID_FIELD, KMIP_NOTE ": names no tape");
	if (r == 0)
		r = kms_release_note(b->tx, kmip_view_tag(v), &purpose);
	return r;
}
