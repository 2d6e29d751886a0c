/* The files around a backup: its place, its log, its predecessors. */
#ifndef KMS_BACKUP_FILES_H
#define KMS_BACKUP_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "kms/base/err.h"

/*
 * The place asked for as it is found from any directory, without links: that
 * is recorded. EXISTS: something lies there, or where its log will (path is
 * filled). USAGE: a device node, or below /dev. NOTFOUND: no such directory.
 */
int kms_backup_place(const char *asked, char *path, size_t cap) KMS_MUST;
/* Copies the release log beside the backup, as far as it had come (it only
 * grows); a store without one has none to copy. */
int kms_backup_copy_log(const char *log, const char *backup) KMS_MUST;
/* Removes this store's backups in dir but the newest keep, counted back from
 * this generation; 0: keeps all. Higher ones are of a history that was given
 * up by restoring an older store: they stay, and stand in for none of these.
 * What cannot be removed stays and is logged. */
void kms_backup_prune(const char *dir, const uint8_t uuid[16], unsigned keep,
    uint64_t generation);

#endif
