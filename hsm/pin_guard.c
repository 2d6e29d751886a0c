#include "hsm/pin_guard.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kms/base/buf.h"
#include "kms/base/crypt.h"
#include "kms/base/file.h"

#define MAGIC "p11kms guard"
#define MAGIC_LEN 12u
#define VERSION 2u
#define INFO "p11kms/1/guard"
#define INFO_LEN (sizeof(INFO) - 1)
#define TRIES 2u

_Static_assert(MAGIC_LEN + 3 + 16 + 16 + 2 == HSM_PIN_GUARD_LEN, "layout");

enum state { NONE = 0, TRYING = 1, FAILED = 2 };

struct guard {
	enum state state;
	uint8_t tries;
	uint8_t serial[16], salt[16];
	uint16_t check;
};

static int
decode(const struct hsm_pin_guard *g, const uint8_t *p, size_t len,
    struct guard *out)
{
	const uint8_t *magic;
	struct kms_rd rd;
	uint8_t version, state;

	kms_rd_init(&rd, p, len);
	magic = kms_rd_bytes(&rd, MAGIC_LEN);
	version = kms_rd_u8(&rd);
	state = kms_rd_u8(&rd);
	out->tries = kms_rd_u8(&rd);
	kms_rd_copy(&rd, out->serial, sizeof(out->serial));
	kms_rd_copy(&rd, out->salt, sizeof(out->salt));
	out->check = kms_rd_u16(&rd);
	if (kms_rd_end(&rd, "PIN guard") != 0 || magic == NULL ||
	    memcmp(magic, MAGIC, MAGIC_LEN) != 0 || version != VERSION ||
	    (state != TRYING && state != FAILED))
		return kms_fail(KMS_ERR_PIN,
		    "%s: not a PIN guard of ours, so no PIN was tried; see "
		    "that the PIN is right, then use p11kms -retrypin",
		    g->path);
	out->state = (enum state)state;
	return 0;
}

static void
serial_of(const struct hsm_pin_guard *g, uint8_t out[16])
{
	memset(out, 0, 16);
	memcpy(out, g->serial, strnlen(g->serial, 16));
}

/* NONE when there is no file, or one about another token. */
static int
load(struct hsm_pin_guard *g, struct guard *out)
{
	uint8_t serial[16];
	int r;

	memset(out, 0, sizeof(*out));
	r = kms_file_read(g->path, sizeof(g->was), g->was, &g->was_len);
	if (r == KMS_ERR_NOTFOUND)
		return 0;
	if (r == KMS_ERR_LIMIT)
		g->was_len = 0; /* decode says what it is not */
	else if (r != 0)
		return r;
	r = decode(g, g->was, g->was_len, out);
	serial_of(g, serial);
	if (r == 0 && memcmp(serial, out->serial, sizeof(serial)) != 0)
		memset(out, 0, sizeof(*out));
	return r;
}

static int
save(const struct hsm_pin_guard *g, const struct guard *in)
{
	uint8_t serial[16], buf[HSM_PIN_GUARD_LEN];
	struct kms_wr wr;
	int r;

	serial_of(g, serial);
	kms_wr_fixed(&wr, buf, sizeof(buf));
	kms_wr_bytes(&wr, MAGIC, MAGIC_LEN);
	kms_wr_u8(&wr, VERSION);
	kms_wr_u8(&wr, (uint8_t)in->state);
	kms_wr_u8(&wr, in->tries);
	kms_wr_bytes(&wr, serial, sizeof(serial));
	kms_wr_bytes(&wr, in->salt, sizeof(in->salt));
	kms_wr_u16(&wr, in->check);
	r = kms_wr_check(&wr, "PIN guard");
	if (r == 0)
		r = kms_file_replace(g->path, buf, wr.len);
	if (r != 0)
		r = kms_fail_add(r,
		    "PIN guard: cannot be written, so no PIN was tried");
	return r;
}

/* Fast, for every tool that starts waits for it. A slow one would protect
 * nothing: 16 bits leave a searcher with one PIN in 65,536 of those he thinks
 * of, whatever each costs him, and no way to tell which is right. */
static int
check_of(const struct kms_secret *pin, const uint8_t salt[16], uint16_t *out)
{
	uint8_t info[INFO_LEN + 16];
	struct kms_secret *k = NULL;
	int r;

	memcpy(info, INFO, INFO_LEN);
	memcpy(info + INFO_LEN, salt, 16);
	r = kms_hkdf(pin, (struct kms_bytes){info, sizeof(info)}, KMS_KEY_LEN,
	    &k);
	if (r == 0)
		*out = kms_get16(kms_secret_bytes(k));
	kms_secret_free(&k);
	return r;
}

static bool
used_up(const struct guard *was)
{
	return was->state == FAILED || was->tries >= TRIES;
}

int
hsm_pin_guard_before(struct hsm_pin_guard *g, const struct kms_secret *pin)
{
	struct guard was, now = {.state = TRYING, .tries = 1};
	bool known;
	int r;

	r = load(g, &was);
	if (r != 0 && !g->retry)
		return r;
	known = r == 0 && was.state != NONE;
	if (known)
		memcpy(now.salt, was.salt, sizeof(now.salt));
	r = known ? 0 : kms_random(now.salt, sizeof(now.salt));
	if (r == 0)
		r = check_of(pin, now.salt, &now.check);
	if (r != 0)
		return r;
	if (known && now.check == was.check && !g->typed && !g->retry) {
		if (used_up(&was))
			return kms_fail(KMS_ERR_PIN,
			    "this PIN failed before and is not tried again; "
			    "put the right one into its pin-source, or use "
			    "p11kms -retrypin to try it once more");
		now.tries = (uint8_t)(was.tries + 1);
	}
	return save(g, &now);
}

/* The token never came to look at the PIN. */
static bool
never_judged(CK_RV rv)
{
	switch (rv) {
	case CKR_ARGUMENTS_BAD:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_DEVICE_REMOVED:
	case CKR_HOST_MEMORY:
	case CKR_SESSION_CLOSED:
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_READ_ONLY_EXISTS:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_TOKEN_NOT_RECOGNIZED:
	case CKR_USER_ALREADY_LOGGED_IN:
	case CKR_USER_ANOTHER_ALREADY_LOGGED_IN:
	case CKR_USER_PIN_NOT_INITIALIZED:
		return true;
	default:
		return false;
	}
}

/* Not synced: a guard that comes back after a power cut says "trying", which
 * allows a login. */
static int
forget(const struct hsm_pin_guard *g)
{
	if (unlink(g->path) == 0 || errno == ENOENT)
		return 0;
	return kms_fail(KMS_ERR_IO, "%s: cannot be removed: %s; remove it",
	    g->path, strerror(errno));
}

static int
mark_failed(const struct hsm_pin_guard *g)
{
	struct hsm_pin_guard fresh = {.path = g->path, .serial = g->serial};
	struct guard now;
	int r;

	r = load(&fresh, &now);
	if (r != 0)
		return r;
	now.state = FAILED;
	return save(g, &now);
}

int
hsm_pin_guard_after(const struct hsm_pin_guard *g, CK_RV rv)
{
	if (rv == CKR_OK)
		return forget(g);
	if (never_judged(rv))
		return g->was_len == 0
		    ? forget(g)
		    : kms_file_replace(g->path, g->was, g->was_len);
	return hsm_ckr_class(rv) == HSM_CKR_PIN ? mark_failed(g) : 0;
}
