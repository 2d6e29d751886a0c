#include "tools/open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kms/key.h"
#include "kms/release.h"

#define SECRET_HEAP (256u * 1024)

static int
name_guard(struct open *at)
{
	const char *path = at->config->store.path;
	int dir;

	if (path == NULL)
		return 0;
	dir = (int)(strrchr(path, '/') - path);
	if (asprintf(&at->guard, "%.*s/pin.guard", dir, path) >= 0)
		return 0;
	at->guard = NULL;
	return kms_fail(KMS_ERR_MEMORY, "configuration: %s", strerror(errno));
}

static int
load_config(struct open *at, const struct cli *cli)
{
	int r;

	memset(at, 0, sizeof(*at));
	at->cli = cli;
	kms_actor_local(&at->actor);
	r = owner_may_read(cli->config, KMS_ERR_CONFIG);
	if (r == 0)
		r = config_load(cli->config, &at->config);
	if (r == 0)
		r = name_guard(at);
	return r;
}

int
open_config(struct open *at, const struct cli *cli)
{
	int r = load_config(at, cli);

	if (r == 0)
		r = config_check_store(at->config);
	return r != 0 ? r
		      : kms_secret_init(SECRET_HEAP, at->config->memory_lock);
}

int
open_drive_host(struct open *at, const struct cli *cli)
{
	int r = load_config(at, cli);

	if (r == 0 && open_servers(at) == NULL)
		r = config_check_store(at->config);
	return r != 0 ? r
		      : kms_secret_init(SECRET_HEAP, at->config->memory_lock);
}

const char *
open_servers(const struct open *at)
{
	const char *given = cli_value(at->cli, "server");

	return given != NULL ? given : at->config->drive.servers;
}

int
open_service(struct open *at, const struct cli *cli,
    size_t (*heap)(unsigned workers))
{
	int r = load_config(at, cli);

	if (r == 0)
		r = config_check_store(at->config);
	if (r == 0)
		at->sessions = at->config->server.workers;
	return r != 0 ? r
		      : kms_secret_init(heap(at->config->server.workers),
			    at->config->memory_lock);
}

int
open_memory(struct open *at, const struct cli *cli)
{
	if (cli->config_given || access(cli->config, F_OK) == 0)
		return open_config(at, cli);
	memset(at, 0, sizeof(*at));
	at->cli = cli;
	return kms_secret_init(SECRET_HEAP, KMS_SECRET_LOCKED);
}

/* Only a person at a terminal is asked for a PIN; lines of standard input
 * are phrases. */
static int
ask_pin(void *arg, const char *token, struct kms_secret **pin)
{
	const struct open *at = arg;
	struct prompt *p = NULL;
	char what[128];
	int r;

	*pin = NULL;
	if (at->unattended)
		return kms_fail(KMS_ERR_CONFIG,
		    "no PIN can be asked for while the program runs; give "
		    "[token] uri a pin-source");
	r = prompt_open(&p);
	if (r != 0)
		return r;
	snprintf(what, sizeof(what), "PIN of token %s", token);
	if (prompt_is_terminal(p))
		r = prompt_secret(p, what, pin);
	else
		r = kms_fail(KMS_ERR_CONFIG,
		    "[token] uri has no pin-source, and standard input is no "
		    "terminal to ask for the PIN");
	prompt_close(&p);
	return r;
}

void
open_token_options(const struct open *at, struct hsm_options *o)
{
	*o = (struct hsm_options){
	    .uri = at->config->token.uri,
	    .lock_dir = at->config->token.lock_dir,
	    .guard_path = at->guard,
	    .ask = ask_pin,
	    .ask_arg = (void *)(uintptr_t)at,
	    .wait_ms = at->cli->wait_ms,
	    .sessions = at->sessions,
	};
}

void
open_store_options(const struct open *at, struct kms_store_options *o)
{
	*o = (struct kms_store_options){
	    .path = at->config->store.path,
	    .sealer = at->sealer,
	    .policy = at->config->policy,
	    .wait_ms = at->cli->wait_ms,
	};
}

int
open_owner(struct open *at)
{
	return owner_become(&at->owner, at->config->store.path);
}

int
open_sealer(struct open *at)
{
	struct hsm_options options;

	open_token_options(at, &options);
	return hsm_sealer_open(&options, &at->sealer);
}

int
open_store(struct open *at)
{
	struct kms_store_options options;

	open_store_options(at, &options);
	return kms_store_open(&options, &at->store);
}

/* A store that is not there is said before anybody logs in for it. */
static int
check_there(const struct open *at)
{
	const char *path = at->config->store.path;

	if (access(path, F_OK) == 0 || errno != ENOENT)
		return 0;
	return kms_fail(KMS_ERR_NOTFOUND,
	    "%s: no such store; make one with p11kms -createemptydb", path);
}

int
open_rest(struct open *at)
{
	int r = open_owner(at);

	if (r == 0)
		r = check_there(at);
	if (r == 0)
		r = open_sealer(at);
	if (r == 0)
		r = open_store(at);
	return r;
}

int
open_all(struct open *at, const struct cli *cli)
{
	int r = open_config(at, cli);

	return r == 0 ? open_rest(at) : r;
}

int
open_say_owner(const struct open *at, int r)
{
	if (r != KMS_ERR_IO || !at->owner.became)
		return r;
	return kms_fail_add(r, "as the store's owner");
}

int
open_leave(struct open *at)
{
	kms_store_close(&at->store);
	if (at->sealer != NULL)
		at->sealer->close(&at->sealer);
	return owner_return(&at->owner);
}

void
open_close(struct open *at)
{
	kms_store_close(&at->store);
	if (at->sealer != NULL)
		at->sealer->close(&at->sealer);
	owner_forget(&at->owner);
	config_free(&at->config);
	free(at->guard);
	at->guard = NULL;
}

int
open_header(const char *path, struct kms_header **out)
{
	struct kms_header *h = calloc(1, sizeof(*h));
	int r;

	*out = NULL;
	if (h == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: %s", strerror(errno));
	r = kms_store_read_header(path, h);
	if (r != 0)
		free(h);
	else
		*out = h;
	return r;
}

/* tape_keys over the store that open names. */
struct local_keys {
	struct tape_keys keys; /* first: the functions get this address */
	struct open *at;
};

/*
 * The tag among a KAD's names that the store holds. Two of them held is no
 * answer: a key is never guessed. None held: the first, so that the release
 * says what is missing.
 */
static int
find_name(struct kms_store *store, const struct kms_actor *actor,
    const struct tape_kad *kad, struct kms_tag *tag)
{
	struct tape_name name[TAPE_NAMES_MAX];
	size_t n = tape_kad_names(kad, name), held = 0, i;
	struct kms_key_view view;
	struct kms_tx *tx = NULL;
	struct kms_tag one;
	int r;

	if (n == 0)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "the tape names no key; load one with -tag or -kgname");
	r = kms_tag_from(tag, name[0].bytes, name[0].len);
	if (r == 0)
		r = kms_tx_begin(store, actor, KMS_READ, &tx);
	for (i = 0; r == 0 && i < n; i++) {
		r = kms_tag_from(&one, name[i].bytes, name[i].len);
		if (r == 0)
			r = kms_key_view_tag(tx, &one, &view);
		if (r == 0 && held++ == 0)
			*tag = one;
		if (r == KMS_ERR_NOTFOUND)
			r = 0;
	}
	if (r == 0 && held > 1)
		r = kms_fail(KMS_ERR_STATE,
		    "the tape's key-associated data names %zu keys of the "
		    "store; load the right one with -tag",
		    held);
	kms_tx_abort(&tx);
	return r;
}

static int
local_get(struct tape_keys *keys, const struct tape_want *want,
    struct tape_kad *kad, struct kms_secret **key)
{
	struct open *at = ((struct local_keys *)(void *)keys)->at;
	struct kms_purpose purpose = {
	    .use = want->pool != NULL ? KMS_USE_WRITE : KMS_USE_READ,
	    .drive = want->drive,
	    .volume = want->volume,
	    .medium = want->medium,
	};
	struct kms_tag tag;
	int r = 0;

	*key = NULL;
	memset(kad, 0, sizeof(*kad));
	if (at->store == NULL)
		r = open_rest(at);
	if (r == 0 && want->pool != NULL)
		r = kms_release_active(at->store, &at->actor, want->pool,
		    &purpose, &tag, key);
	else if (r == 0) {
		r = find_name(at->store, &at->actor, want->kad, &tag);
		if (r == 0)
			r = kms_release(at->store, &at->actor, &tag, &purpose,
			    key);
	}
	if (r != 0)
		return r;
	memcpy(kad->u, tag.b, tag.len);
	kad->u_len = tag.len;
	return 0;
}

static int
local_note(struct tape_keys *keys, const struct tape_want *want)
{
	struct open *at = ((struct local_keys *)(void *)keys)->at;
	const struct kms_purpose written = {
	    .drive = want->drive,
	    .volume = want->volume,
	    .medium = want->medium,
	};
	struct kms_tag tag;
	int r = kms_tag_from(&tag, want->kad->u, want->kad->u_len);

	if (r == 0 && at->store == NULL)
		r = open_rest(at);
	if (r == 0)
		r = kms_release_tape(at->store, &at->actor, &tag, &written);
	return r;
}

static void
local_close(struct tape_keys **keys)
{
	free(*keys);
	*keys = NULL;
}

int
open_keys(struct open *at, struct tape_keys **out)
{
	struct local_keys *k = calloc(1, sizeof(*k));

	*out = NULL;
	if (k == NULL)
		return kms_fail(KMS_ERR_MEMORY, "keys: %s", strerror(errno));
	k->keys = (struct tape_keys){.get = local_get,
	    .note = local_note,
	    .close = local_close};
	k->at = at;
	*out = &k->keys;
	return 0;
}
