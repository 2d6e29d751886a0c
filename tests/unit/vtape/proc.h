/*
 * A drive as its users meet it: vtaped as a process of its own, commands
 * over its socket, and other people's programs through the preload library.
 */
#ifndef TESTS_VTAPE_PROC_H
#define TESTS_VTAPE_PROC_H

#include <limits.h>

#include "tape/wire.h"
#include "tests/lib/fixture.h"
#include "tests/unit/vtape/rig.h"

struct proc {
	struct fx *fx;
	const char *socket, *cartridge;
	pid_t pid;
	int fd; /* one initiator's connection */
	/* The last command's reply. */
	uint8_t status, sense[WIRE_SENSE_MAX], in[256 * 1024];
	size_t sense_len, got;
	const char *err; /* standard error of the last proc_sh */
};

/* Cartridge of size bytes (NULL: the generation's), drive running, connected. */
struct proc *proc_new(const char *size);
void proc_free(struct proc *);
/* vtaped with these words (NULL at the end), to its end. */
struct fx_result proc_vtaped(struct fx *, const char *const *words);
void proc_start(struct proc *);
/* Ends it by the signal, and the connection with it. Returns its status. */
int proc_stop(struct proc *, int sig);
int proc_connect(struct proc *);

/* A command; false when the connection broke. */
bool proc_try(struct proc *, int fd, struct cdb, const void *out, size_t n,
    size_t in_cap);
/* As above on p->fd; it must work and end GOOD. */
void proc_good(struct proc *, struct cdb, const void *out, size_t n,
    size_t in_cap);
void proc_load(struct proc *, const struct sde *);
uint64_t proc_position(struct proc *);

/* sh -c script in the fixture's directory, under the preload library, T
 * being /dev/nst9; its status must be this. Returns standard output. */
const char *proc_sh(struct proc *, int want_status, const char *script);
/* bin/NAME or lib/NAME of this build. */
void proc_built(char out[PATH_MAX], const char *name);

#endif
