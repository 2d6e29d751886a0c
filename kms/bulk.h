/*
 * Large arrays in large pages: the directory is made at every start of every
 * tool, and is then looked up in at random. With small pages a million keys
 * spend more time in page faults and in misses of the processor's page table
 * cache than in everything else that is done for them (bench_open).
 */
#ifndef KMS_BULK_H
#define KMS_BULK_H

#include <stddef.h>

/*
 * n elements, of which the first used are the old array's; the old array is
 * freed. NULL when there is no memory, and then the old one
 * is as it was. Freed by free(3).
 */
void *kms_bulk_grow(void *old, size_t used, size_t n, size_t size);

#endif
