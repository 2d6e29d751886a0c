/*
 * This program again, under the preload library: what a program with threads
 * or children does to a tape node.
 */
#ifndef TESTS_VTAPE_CHILD_H
#define TESTS_VTAPE_CHILD_H

#define CHILD_WRITERS 4
#define CHILD_BLOCKS 40
#define CHILD_BLOCK 3000

/* "threads" or "forks": CHILD_WRITERS write CHILD_BLOCKS blocks each to
 * /dev/nst9, of CHILD_BLOCK bytes that all say who wrote. Exit status. */
int child_main(const char *what);

#endif
