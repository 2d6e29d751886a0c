/*
 * Where a program that runs with a key rings: one that reads, for the next
 * key; one that writes, because another tape may be in. A socket in a directory
 * of its own that nobody but the caller can enter. To connect is to ring; the
 * answer is one byte (wire.h), and no key passes here.
 */
#ifndef TAPE_BELL_H
#define TAPE_BELL_H

#include <stdbool.h>

#include "kms/base/err.h"

struct tape_bell;

/* env: WIRE_ASK_ENV or WIRE_TELL_ENV, by which the program finds it. Below
 * TMPDIR, else /tmp. Open and close it as the same user. */
int tape_bell_open(const char *env, struct tape_bell **) KMS_MUST;
/* Whoever waits is refused; socket and directory go. */
void tape_bell_close(struct tape_bell **);

/* "P11KMS_…=…" for the program's environment. */
const char *tape_bell_env(const struct tape_bell *);
/* For poll(2): readable when somebody rang. */
int tape_bell_fd(const struct tape_bell *);

/* Takes in who rang first; false when it was nobody. He waits until he is
 * answered. */
bool tape_bell_take(struct tape_bell *);
void tape_bell_answer(struct tape_bell *, bool yes);

#endif
