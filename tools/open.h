/*
 * What an operation works on, opened as far as it needs and in this order:
 * configuration (and secret memory), the owner's user, token, store; closed
 * backwards. One at a time in a process.
 */
#ifndef TOOLS_OPEN_H
#define TOOLS_OPEN_H

#include "hsm/sealer.h"
#include "kms/store.h"
#include "kms/tx.h"
#include "tape/keys.h"
#include "tools/cli.h"
#include "tools/config.h"
#include "tools/owner.h"
#include "tools/prompt.h"

struct open {
	const struct cli *cli;
	struct config *config;
	struct owner owner;
	char *guard; /* path of pin.guard, beside the store */
	unsigned sessions; /* with the token at once; 0: as hsm/ likes */
	bool unattended; /* the terminal is another program's: no PIN is asked */
	struct kms_sealer *sealer;
	struct kms_store *store;
	struct kms_actor actor;
};

/* Reads the configuration and makes the heap for secrets as it says. */
int open_config(struct open *, const struct cli *) KMS_MUST;
/* As open_config, for a drive whose key may come from KMIP servers: token and
 * store are then not asked for. */
int open_drive_host(struct open *, const struct cli *) KMS_MUST;
/* The servers in force: -server, else [drive] servers; NULL: the local store. */
const char *open_servers(const struct open *);
/* As open_config, with a heap for the service's workers: so large as heap says
 * for their number (asked through a pointer, so that the other programs need
 * not load what serves connections). */
int open_service(struct open *, const struct cli *,
    size_t (*heap)(unsigned workers)) KMS_MUST;
/* As open_config; where no configuration was named and the default one is not
 * there, its defaults count and open->config stays NULL. */
int open_memory(struct open *, const struct cli *) KMS_MUST;
/* What hsm/ needs; strings are borrowed from open. */
void open_token_options(const struct open *, struct hsm_options *);
void open_store_options(const struct open *, struct kms_store_options *);
/* These go on from open_config: the store's owner; the token, logged in; the
 * store of the configuration, verified. */
int open_owner(struct open *) KMS_MUST;
int open_sealer(struct open *) KMS_MUST;
int open_store(struct open *) KMS_MUST;
/* Owner, token and store, behind open_config. */
int open_rest(struct open *) KMS_MUST;
/* All of it, from nothing: what most operations begin with. */
int open_all(struct open *, const struct cli *) KMS_MUST;

/* Root acts as the owner, who may not reach a file that root may: says so in
 * front of the cause. The code as it was. */
int open_say_owner(const struct open *, int r);

/* Closes store and token and goes back to the caller's user, for another's
 * program; the configuration stays. */
int open_leave(struct open *) KMS_MUST;
void open_close(struct open *);

/* A store's header as its file says: no token, no owner. free(3) it. */
int open_header(const char *path, struct kms_header **) KMS_MUST;

/*
 * Keys for a drive out of the local store, each release recorded. Opens the
 * store when it is first asked; open is borrowed.
 */
int open_keys(struct open *, struct tape_keys **) KMS_MUST;
/*
 * Keys from the servers in force, over KMIP, one server after the other: the
 * next is asked where one does not answer, to read also where it has no such
 * key. A refusal is final: another server may only not know of it yet.
 */
int open_keys_kmip(struct open *, struct tape_keys **) KMS_MUST;

#endif
