/*
 * One master key as the administrator asks for it: with a phrase, born in the
 * token, or adopted; and under which ID. What -createemptydb does for two
 * keys at once and -modifyhmk, -modifykpk for one.
 */
#ifndef TOOLS_ASKED_H
#define TOOLS_ASKED_H

#include "kms/policy.h"
#include "kms/setup.h"
#include "tools/cli.h"
#include "tools/prompt.h"

struct asked {
	enum kms_role role;
	bool born; /* no phrase is asked for */
	unsigned components;
	struct kms_secret *phrase;
	char id[KMS_ID_MAX + 1];
	uint8_t cka_id[KMS_CKAID_MAX];
	struct kms_wanted wanted; /* role 0: not adopted; borrows from argv */
};

/* -components N and, with -adopt, the key by -hmklabel or -hmkid (-kpklabel or
 * -kpkid): exactly one of them. role is set by the caller. */
int asked_parse(const struct cli *, struct asked *) KMS_MUST;
/* Phrase, its repeat, ID; the ID alone where there is no phrase to ask for.
 * The phrase is the asked key's until asked_forget. */
int asked_prompt(struct asked *, struct prompt *, const struct kms_policy *)
    KMS_MUST;
/* How the library is told; borrows from *asked. */
struct kms_setup_master asked_master(const struct asked *);
/* A key born in the token is said to be lost with it. */
void asked_warn(const struct asked *, const struct cli *);
void asked_forget(struct asked *);

#endif
