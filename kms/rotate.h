/*
 * A group's next key takes the place of its active one. Fit for a timer: run
 * again it does nothing that is done, and goes on with what an earlier run
 * had to leave.
 *
 * A key that the serve gate would not serve is made prelive, backed up to the
 * policy's place, and activated only when that backup counts; until then the
 * old key stays active.
 */
#ifndef KMS_ROTATE_H
#define KMS_ROTATE_H

#include "kms/backup.h"
#include "kms/key.h"

struct kms_rotate {
	const char *group;
	int64_t older_than; /* microseconds; 0: whatever the age */
	unsigned keep;      /* backups, as in kms_backup_options */
};

enum kms_rotate_step {
	KMS_ROTATE_NOTHING = 1, /* the active key is younger than that */
	KMS_ROTATE_MAKE = 2,    /* a key must be made */
	KMS_ROTATE_FINISH = 3,  /* an earlier run left one that is prelive */
};

struct kms_rotate_view {
	enum kms_rotate_step step;
	bool has_phrase;             /* the group */
	struct kms_key_view active;  /* generation 0: there is none */
	struct kms_key_view waiting; /* with FINISH */
};

/* What is to be done; asked before the slow work and before any phrase. */
int kms_rotate_look(struct kms_store *, const struct kms_actor *,
    const struct kms_rotate *, struct kms_rotate_view *) KMS_MUST;

/*
 * Does it. material: with MAKE, the new key's; else NULL. What another process
 * did meanwhile is looked at again: then the step may be NOTHING, and view
 * shows the active key. b: the backup that was made, generation 0 for none.
 * An error names the key that stays active; GATE: the backup was made and does
 * not count, and why.
 */
int kms_rotate(struct kms_store *, const struct kms_actor *,
    const struct kms_rotate *, const struct kms_material *,
    struct kms_rotate_view *, struct kms_backup *) KMS_MUST;

#endif
