/*
 * Files that matter: owner and mode checked on the open descriptor, never
 * through a symbolic link, replaced durably.
 */
#ifndef KMS_BASE_FILE_H
#define KMS_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "kms/base/secret.h"

/*
 * The directory that holds path must be a directory of the effective user
 * (or root), not writable by group or others, and mode 0700 when strict.
 * KMS_ERR_CONFIG names the path and the chmod that mends it.
 */
int kms_file_check_dir(const char *path, bool strict) KMS_MUST;

/*
 * Opens an existing regular file with flags (O_CLOEXEC | O_NOFOLLOW added).
 * private: mode must have no group or other bits and the owner must be the
 * effective user or root, else KMS_ERR_CONFIG. Missing: KMS_ERR_NOTFOUND.
 */
int kms_file_open(const char *path, int flags, bool private, int *fd) KMS_MUST;

/* Reads at most max bytes; more is KMS_ERR_LIMIT. private as above. */
int kms_file_read_secret(const char *path, size_t max, struct kms_secret **)
    KMS_MUST;
int kms_file_read(const char *path, size_t max, void *buf, size_t *len)
    KMS_MUST;

/* New file, mode 0600, written, synced, renamed over path, directory synced. */
int kms_file_replace(const char *path, const void *, size_t) KMS_MUST;
/* fsync of the directory that holds path. */
int kms_file_sync_dir(const char *path) KMS_MUST;
/* Removes and syncs the directory; missing is 0. */
int kms_file_remove(const char *path) KMS_MUST;

/*
 * flock(2) on a file made 0600 when missing. Waits at most wait_ms; then
 * KMS_ERR_BUSY. The lock lives as long as *fd; kms_file_unlock closes it.
 */
int kms_file_lock(const char *path, unsigned wait_ms, int *fd) KMS_MUST;
void kms_file_unlock(int *fd);

#endif
