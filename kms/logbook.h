/*
 * The store's release log, opened when it is first needed. A log that is
 * missing, cut or damaged is set aside and a new one begun; the root then
 * names the new one, and every key made before counts as released.
 */
#ifndef KMS_LOGBOOK_H
#define KMS_LOGBOOK_H

#include "kms/store_impl.h"

/*
 * Borrowed until the root names another log; inside the store (shared or
 * alone). NOTFOUND or DAMAGED: lost, and how; begin a new one. IO, CONFIG,
 * VERSION: it cannot be read now, which is no reason to begin another.
 */
int kms_logbook_get(struct kms_store *, struct kms_release_log **) KMS_MUST;

/* A reader of the caller's own, for long walks: nothing stays locked. Inside
 * the store, which a READ transaction is. Returns and reports as
 * kms_release_log_open. */
int kms_logbook_reader(struct kms_store *, struct kms_release_log **,
    struct kms_release_log_report *) KMS_MUST;

/* It was found damaged or gone while in use. Others may be using it still,
 * so it is only marked. */
void kms_logbook_doubt(struct kms_store *);
/* Where it stands, for the root; NOTFOUND or DAMAGED as above: the head is
 * then the furthest that is known of it. In is what the root says. Alone in
 * the store: one that is in doubt is opened anew first. */
int kms_logbook_head(struct kms_store *, struct kms_log_head *) KMS_MUST;

/* Sets aside what lies there (renamed, never removed), creates a new log and
 * gives its head for the root. Alone in the store. */
int kms_logbook_restart(struct kms_store *, struct kms_log_head *) KMS_MUST;

#endif
