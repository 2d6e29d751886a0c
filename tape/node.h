/*
 * From what a user types to a drive: /dev/sgN, /dev/nstN or vtape:SOCKET.
 * The kernel's view is read below a sysfs root given as a parameter, so
 * that a made tree can stand in for it.
 */
#ifndef TAPE_NODE_H
#define TAPE_NODE_H

#include "tape/transport.h"

#define TAPE_SYSFS "/sys"
#define TAPE_NODE_MAX 32u

/* Fields are "" where the kernel does not say. sgN numbers move over
 * reboots: the serial is what identifies a drive. */
struct tape_node {
	char sg[TAPE_NODE_MAX];  /* "/dev/sg3" */
	char nst[TAPE_NODE_MAX]; /* "/dev/nst0": non-rewinding */
	char vendor[9], product[17], revision[5], serial[65];
};

/*
 * spec may also be /dev/stN, a mode node (nst0a) or a link to one of these.
 * KMS_ERR_NOTFOUND when the kernel has no such drive; KMS_ERR_USAGE for
 * nodes that cannot work, with the reason (lin_tape's refuse SG_IO).
 */
int tape_node_find(const char *sysfs, const char *spec, struct tape_node *)
    KMS_MUST;

/* All tape drives, by number; *list is malloc'ed, the caller frees it. None
 * is 0 and n = 0. */
int tape_node_list(const char *sysfs, struct tape_node **list, size_t *n)
    KMS_MUST;

/* Finds and opens. node may be NULL; for vtape: its sg is the spec (cut to
 * what fits) and the rest is "". */
int tape_node_open(const char *sysfs, const char *spec,
    struct tape_transport **, struct tape_node *node) KMS_MUST;

#endif
