/* Disk faults, made in this program: fdatasync(2) and fsync(2) are defined
 * here and called by SQLite and by libkms alike. */
#ifndef TESTS_UNIT_KMS_FAULTS_H
#define TESTS_UNIT_KMS_FAULTS_H

/* The n-th sync from now (1: the next) and all after it fail with EIO. 0: no
 * more of that. */
void fault_sync(unsigned nth);
/* How many syncs there were since the program began. */
unsigned fault_syncs(void);
/* Each sync from now takes at least this long: in memory they take no time,
 * and nobody would ever wait for one. */
void fault_sync_takes(unsigned microseconds);

#endif
