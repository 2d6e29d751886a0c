/*
 * Errors as a KMIP client hears them. Functions of kms/kmip return 0, a
 * kms_err, or KMIP_ERR(reason) where the standard asks for one reason and no
 * other; one table turns the first two into the third.
 */
#ifndef KMS_KMIP_REASON_H
#define KMS_KMIP_REASON_H

#include "kms/kmip/def.h"

/* Below every kms_err; goes through kms_fail like any other code. */
#define KMIP_ERR(reason) (-(0x10000 + (int)(KMIP_REASON_##reason)))

/* Records the cause and returns KMIP_ERR(reason). */
#define kmip_fail(reason, ...) kms_fail(KMIP_ERR(reason), __VA_ARGS__)

/* True for a KMIP_ERR code: no kms_err. */
bool kmip_reason_is_given(int code);
/* The result reason of an error; for 0 KMIP_REASON_NONE. */
enum kmip_reason kmip_reason_of(int code);
/*
 * The text that goes with it: the recorded cause where it concerns the
 * client, a fixed sentence where it would tell of the server's inside
 * (paths, the token, other clients' objects). Valid until the next kms_fail.
 */
const char *kmip_reason_text(int code);
/* The client may ask again without changing anything. */
bool kmip_reason_is_passing(int code);

#endif
