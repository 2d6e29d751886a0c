/* tape_keys over KMIP servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/base/log.h"
#include "kms/kmip/client.h"
#include "tools/open.h"

#define SERVER_MAX 300u
#define WHY_MAX 400u

struct kmip_keys {
	struct tape_keys keys; /* first: the functions get this address */
	const struct open *at;
	bool deaf; /* the server that gave the key takes no notes of tapes */
};

static struct kmip_keys *
self(struct tape_keys *keys)
{
	return (struct kmip_keys *)(void *)keys;
}

/* --- one server ----------------------------------------------------------- */

/*
 * The key among a KAD's names that the server has. Two keys are no answer: a
 * key is never guessed.
 */
static int
find_by_names(struct kmip_client *c, const struct tape_kad *kad,
    struct kmip_client_key *key)
{
	struct tape_name name[TAPE_NAMES_MAX];
	size_t n = tape_kad_names(kad, name), i;
	struct kmip_client_key one;
	struct kms_tag tag;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		r = kms_tag_from(&tag, name[i].bytes, name[i].len);
		if (r == 0)
			r = kmip_client_by_tag(c, &tag, &one);
		if (r == 0 && key->key == NULL) {
			*key = one;
		} else if (r == 0) {
			kmip_client_key_clear(&one);
			r = kms_fail(KMS_ERR_STATE,
			    "%s: the tape's key-associated data names two of "
			    "its keys; load the right one with -tag",
			    kmip_client_server(c));
		}
		if (r == KMS_ERR_NOTFOUND)
			r = 0;
	}
	if (r == 0 && key->key == NULL)
		r = kms_fail(KMS_ERR_NOTFOUND, "%s: has no such key",
		    kmip_client_server(c));
	return r;
}

static struct kmip_client_note
note_of(const struct tape_want *want)
{
	return (struct kmip_client_note){.volume = want->volume,
	    .medium = want->medium,
	    .drive = want->drive};
}

static bool
names_tape(const struct tape_want *want)
{
	return (want->volume != NULL && want->volume[0] != '\0') ||
	    (want->medium != NULL && want->medium[0] != '\0');
}

static void
warn_not_noted(const struct tape_want *want, int r)
{
	kms_log(KMS_LOG_WARN, "drive.volume_not_noted",
	    "volume=\"%s\" reason=\"%s\"",
	    want->volume != NULL ? want->volume : "", kms_err_cause(r));
}

/* A server that does not take the note has handed out the key all the same,
 * and knows to whom. */
static void
note_volume(struct kmip_keys *k, struct kmip_client *c,
    const struct kmip_client_key *key, const struct tape_want *want)
{
	const struct kmip_client_note note = note_of(want);
	int r;

	if (!names_tape(want))
		return;
	r = kmip_client_tell(c, key->uid, &note);
	k->deaf = r == KMS_ERR_DENIED;
	k->keys.unnoted = r != 0 && !k->deaf;
	if (r != 0)
		warn_not_noted(want, r);
}

static int
connect_to(const struct open *at, const char *server, struct kmip_client **c)
{
	const struct config_tls *t = &at->config->drive.tls;
	const struct kmip_client_options o = {.servers = server,
	    .tls = {.cert = t->cert, .key = t->key, .ca = t->ca},
	    .wait_ms = at->cli->wait_ms};

	return kmip_client_open(&o, c);
}

static int
ask_server(struct kmip_keys *k, const char *server,
    const struct tape_want *want, struct kmip_client_key *key)
{
	struct kmip_client *c = NULL;
	int r;

	r = connect_to(k->at, server, &c);
	if (r != 0)
		return r;
	if (want->pool != NULL)
		r = kmip_client_active(c, want->pool, key);
	else
		r = find_by_names(c, want->kad, key);
	/* what is read is in the catalog already */
	if (r == 0 && want->pool != NULL)
		note_volume(k, c, key, want);
	kmip_client_close(&c);
	return r;
}

/* By the key's tag, under whichever of its names the server knows it. */
static int
tell_server(struct kmip_keys *k, const char *server,
    const struct tape_want *want, struct kmip_client_key *unused)
{
	const struct kmip_client_note note = note_of(want);
	struct kmip_client *c = NULL;
	char uid[KMIP_UID_MAX + 1];
	struct kms_tag tag;
	unsigned n;
	int r;

	(void)unused;
	r = kms_tag_from(&tag, want->kad->u, want->kad->u_len);
	if (r == 0)
		r = connect_to(k->at, server, &c);
	if (r != 0)
		return r;
	r = KMS_ERR_NOTFOUND;
	for (n = 0; r == KMS_ERR_NOTFOUND && kmip_client_uid_of(&tag, n, uid);
	     n++)
		r = kmip_client_tell(c, uid, &note);
	kmip_client_close(&c);
	return r;
}

/* --- one after the other -------------------------------------------------- */

/* Would another server answer otherwise, and may it? A group without active
 * key may be meant so; the store of another server may lag behind. */
static bool
is_worth_another(const struct tape_want *want, int r)
{
	return r == KMS_ERR_IO || r == KMS_ERR_TIMEOUT ||
	    (r == KMS_ERR_NOTFOUND && want->pool == NULL);
}

static int
none_has_it(const struct tape_want *want, int r, const char *why)
{
	struct tape_name name[TAPE_NAMES_MAX];
	char text[KMS_TAG_TEXT];
	struct kms_tag tag;

	if (r != KMS_ERR_NOTFOUND || want->pool != NULL ||
	    tape_kad_names(want->kad, name) == 0 ||
	    kms_tag_from(&tag, name[0].bytes, name[0].len) != 0)
		return kms_fail(r, "%s", why);
	kms_tag_text(&tag, text);
	return kms_fail(r, "tag %s: %s; it looks like %s", text, why,
	    kms_tag_explain(&tag));
}

/* Not found only when all of them said so. */
static int
ask_all(struct kmip_keys *k,
    int (*ask)(struct kmip_keys *, const char *server, const struct tape_want *,
	struct kmip_client_key *),
    const struct tape_want *want, struct kmip_client_key *key)
{
	const char *word = open_servers(k->at);
	char server[SERVER_MAX], why[WHY_MAX] = "";
	size_t n, used = 0;
	int r, worst = 0;

	for (;; word += n) {
		word += strspn(word, " \t,");
		n = strcspn(word, " \t,");
		if (n == 0)
			break;
		if (n >= sizeof(server))
			return kms_fail(KMS_ERR_CONFIG,
			    "servers: a name too long");
		memcpy(server, word, n);
		server[n] = '\0';
		r = ask(k, server, want, key);
		if (r == 0 || !is_worth_another(want, r)) {
			if (r != 0)
				kmip_client_key_clear(key);
			return r;
		}
		kmip_client_key_clear(key);
		if (worst == 0 || worst == KMS_ERR_NOTFOUND)
			worst = r;
		if (used < sizeof(why))
			used += (size_t)snprintf(why + used, sizeof(why) - used,
			    "%s%s", used > 0 ? "; " : "", kms_err_cause(r));
	}
	if (worst == 0)
		return kms_fail(KMS_ERR_CONFIG, "-server: names no server");
	return none_has_it(want, worst, why);
}

static int
kmip_get(struct tape_keys *keys, const struct tape_want *want,
    struct tape_kad *kad, struct kms_secret **secret)
{
	struct kmip_client_key key = {.key = NULL};
	int r;

	*secret = NULL;
	memset(kad, 0, sizeof(*kad));
	r = ask_all(self(keys), ask_server, want, &key);
	if (r == 0) {
		memcpy(kad->u, key.tag.b, key.tag.len);
		kad->u_len = key.tag.len;
		*secret = kms_secret_take(&key.key);
	}
	kmip_client_key_clear(&key);
	return r;
}

/* A server that refused the note of the first tape keeps no catalog: that was
 * said then, and is no error now. */
static int
kmip_note(struct tape_keys *keys, const struct tape_want *want)
{
	struct kmip_client_key none = {.key = NULL};
	int r;

	if (!names_tape(want))
		return kms_fail(KMS_ERR_USAGE,
		    "the tape has neither label nor barcode nor serial; name "
		    "it with -volume");
	r = ask_all(self(keys), tell_server, want, &none);
	if (r != KMS_ERR_DENIED || !self(keys)->deaf)
		return r;
	warn_not_noted(want, r);
	return 0;
}

static void
kmip_close(struct tape_keys **keys)
{
	free(*keys);
	*keys = NULL;
}

/* OpenSSL would only say that the system had an error. */
static int
check_readable(const struct config_tls *t)
{
	const char *const path[] = {t->cert, t->key, t->ca};
	int r = 0;

	for (size_t i = 0; r == 0 && i < 3; i++)
		r = owner_may_read(path[i], KMS_ERR_DENIED);
	return r;
}

int
open_keys_kmip(struct open *at, struct tape_keys **out)
{
	const struct config_tls *t = &at->config->drive.tls;
	struct kmip_keys *k;
	int r;

	*out = NULL;
	if (t->cert == NULL || t->key == NULL || t->ca == NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: [drive] cert, key and ca are needed for a key from a "
		    "KMIP server; p11kms -newclient makes them on the server",
		    at->config->file);
	r = check_readable(t);
	if (r != 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return kms_fail(KMS_ERR_MEMORY, "keys: out of memory");
	k->keys = (struct tape_keys){.get = kmip_get,
	    .note = kmip_note,
	    .close = kmip_close};
	k->at = at;
	*out = &k->keys;
	return 0;
}
