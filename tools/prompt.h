/*
 * Phrases and IDs from a person or from standard input. A terminal is asked,
 * without echo for phrases; anything else is read as lines in the order
 * asked, the repeat included. What is typed never lies in a stdio buffer.
 */
#ifndef TOOLS_PROMPT_H
#define TOOLS_PROMPT_H

#include "kms/base/secret.h"

#define PROMPT_PARTS_MAX 16u

struct prompt;

/* A terminal when standard input is one (then /dev/tty), else lines. */
int prompt_open(struct prompt **) KMS_MUST;
void prompt_close(struct prompt **);

/* One line with echo, such as an ID; without its LF or CRLF. End of input is
 * KMS_ERR_USAGE, never an empty line. */
int prompt_line(struct prompt *, const char *what, char *out, size_t cap)
    KMS_MUST;

/* One line without echo and without the rules of phrases, such as a PIN. */
int prompt_secret(struct prompt *, const char *what, struct kms_secret **)
    KMS_MUST;
/* Is there a person to ask? */
bool prompt_is_terminal(const struct prompt *);

struct prompt_ask {
	const char *what;    /* "HMK passphrase" */
	unsigned components; /* 0: one phrase; n: entered in n parts */
	unsigned min;        /* least length when creating; 0: recovering */
	bool twice;
	bool may_be_empty; /* empty and empty again: *out stays NULL */
};

/*
 * One phrase by the rules of kms_phrase_check, each part of its own when it
 * has parts (part, repeat, next part), joined. KMS_ERR_PHRASE says which rule
 * it breaks or that the repeat differs; the phrase is in no text.
 */
int prompt_phrase(struct prompt *, const struct prompt_ask *,
    struct kms_secret **) KMS_MUST;
/* The same where it is all that is asked. */
int prompt_phrase_alone(const struct prompt_ask *, struct kms_secret **)
    KMS_MUST;

#endif
