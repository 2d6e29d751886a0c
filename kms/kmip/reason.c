#include "kms/kmip/reason.h"

#include <stddef.h>

#define TRY_AGAIN "the key service cannot do this now; try again"
#define INSIDE "the key service failed; its own log says why"

/* text NULL: the recorded cause is the client's to know. */
static const struct {
	int code;
	enum kmip_reason reason;
	const char *text;
	bool passing;
} table[] = {
    {KMS_ERR_INTERNAL, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_IO, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_MEMORY, KMIP_REASON_GENERAL_FAILURE, TRY_AGAIN, true},
    {KMS_ERR_LIMIT, KMIP_REASON_GENERAL_FAILURE, NULL, false},
    {KMS_ERR_TIMEOUT, KMIP_REASON_GENERAL_FAILURE, TRY_AGAIN, true},
    {KMS_ERR_USAGE, KMIP_REASON_INVALID_FIELD, NULL, false},
    {KMS_ERR_CONFIG, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_PHRASE, KMIP_REASON_INVALID_FIELD, NULL, false},
    {KMS_ERR_NOTFOUND, KMIP_REASON_ITEM_NOT_FOUND, "no such object", false},
    {KMS_ERR_AUTH, KMIP_REASON_CRYPTOGRAPHIC_FAILURE, INSIDE, false},
    {KMS_ERR_PIN, KMIP_REASON_GENERAL_FAILURE,
	"the token that holds the master keys does not let the service in; "
	"ask its administrator",
	false},
    {KMS_ERR_TOKEN, KMIP_REASON_GENERAL_FAILURE,
	"the token that holds the master keys does not answer; try again",
	true},
    {KMS_ERR_MASTER, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_DAMAGED, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_ROLLBACK, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_VERSION, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_DRIVE, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_UNPROVEN, KMIP_REASON_GENERAL_FAILURE, INSIDE, false},
    {KMS_ERR_GATE, KMIP_REASON_PERMISSION_DENIED, NULL, false},
    {KMS_ERR_STATE, KMIP_REASON_PERMISSION_DENIED, NULL, false},
    {KMS_ERR_EXISTS, KMIP_REASON_INVALID_FIELD, NULL, false},
    {KMS_ERR_QUIESCED, KMIP_REASON_GENERAL_FAILURE,
	"the store is quiesced for a copy: keys are served, changes are not; "
	"try again",
	true},
    {KMS_ERR_DENIED, KMIP_REASON_PERMISSION_DENIED, NULL, false},
    {KMS_ERR_BUSY, KMIP_REASON_GENERAL_FAILURE, TRY_AGAIN, true},
};
#define CODES (sizeof(table) / sizeof(table[0]))

/* Every kms_err has its line: the list grows in one place only. */
#define X(name, text, status) +1
_Static_assert(CODES == 0 KMS_ERR_LIST(X), "an error without KMIP reason");
#undef X

static size_t
find(int code)
{
	size_t i;

	for (i = 0; i < CODES; i++)
		if (table[i].code == code)
			break;
	return i;
}

bool
kmip_reason_is_given(int code)
{
	return code <= -0x10000;
}

enum kmip_reason
kmip_reason_of(int code)
{
	size_t i;

	if (code == 0)
		return KMIP_REASON_NONE;
	if (kmip_reason_is_given(code))
		return (enum kmip_reason)(-code - 0x10000);
	i = find(code);
	return i < CODES ? table[i].reason : KMIP_REASON_GENERAL_FAILURE;
}

const char *
kmip_reason_text(int code)
{
	size_t i = find(code);

	if (i < CODES && table[i].text != NULL)
		return table[i].text;
	return kms_err_cause(code);
}

bool
kmip_reason_is_passing(int code)
{
	size_t i = find(code);

	return i < CODES && table[i].passing;
}
