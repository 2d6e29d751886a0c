#include "hsm/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsm/ckr.h"
#include "hsm/module.h"
#include "hsm/pin_guard.h"
#include "hsm/wait.h"
#include "kms/base/log.h"

#define DEFAULT_LOCK_DIR "/run/lock"
#define DEFAULT_WAIT_MS 10000u
#define DEFAULT_SESSIONS 4u
/* Naps of 4, 8, 16, 32, 64 ms between them. */
#define FIND_TRIES 6u

/* module, slot and login change only while the pool is drained. */
struct hsm_token {
	struct hsm_uri *uri;
	char *guard_path;
	hsm_pin_ask *ask;
	void *ask_arg;
	bool retry_pin;
	bool unsettled; /* the last login failed as a half-read token does */
	pid_t pid;
	struct hsm_lock *lock;
	struct hsm_pool *pool;
	struct hsm_module *module;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE login; /* held open: the last one closed logs out */
	char label[33], serial[17];
};

/* Blank-padded by the token; some pad with NULs. */
static void
unpad(char *to, const CK_UTF8CHAR *from, size_t size)
{
	memcpy(to, from, size);
	while (size > 0 && (to[size - 1] == ' ' || to[size - 1] == '\0'))
		size--;
	to[size] = '\0';
}

static void
fill_info(const CK_TOKEN_INFO *t, struct hsm_info *out)
{
	memset(out, 0, sizeof(*out));
	unpad(out->label, t->label, sizeof(t->label));
	unpad(out->serial, t->serialNumber, sizeof(t->serialNumber));
	unpad(out->model, t->model, sizeof(t->model));
	unpad(out->manufacturer, t->manufacturerID, sizeof(t->manufacturerID));
	(void)snprintf(out->firmware, sizeof(out->firmware), "%u.%u",
	    t->firmwareVersion.major, t->firmwareVersion.minor);
	out->login_required = (t->flags & CKF_LOGIN_REQUIRED) != 0;
	out->pin_pad = (t->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
	out->pin_set = (t->flags & CKF_USER_PIN_INITIALIZED) != 0;
	out->pin_count_low = (t->flags & CKF_USER_PIN_COUNT_LOW) != 0;
	out->pin_final_try = (t->flags & CKF_USER_PIN_FINAL_TRY) != 0;
	out->pin_locked = (t->flags & CKF_USER_PIN_LOCKED) != 0;
	out->pin_to_be_changed = (t->flags & CKF_USER_PIN_TO_BE_CHANGED) != 0;
	out->write_protected = (t->flags & CKF_WRITE_PROTECTED) != 0;
}

/* Loads, finds, and asks the token for its info, once. */
static int
find_once(const struct hsm_uri *uri, struct hsm_module **out, CK_SLOT_ID *slot,
    CK_TOKEN_INFO *info)
{
	struct hsm_module *m = NULL;
	CK_RV rv;
	int r;

	r = hsm_module_load(hsm_uri_module(uri), &m);
	if (r != 0)
		return r;
	r = hsm_module_find(m, uri, slot);
	if (r == 0) {
		rv = hsm_module_functions(m)->C_GetTokenInfo(*slot, info);
		if (rv != CKR_OK)
			r = kms_fail(KMS_ERR_NOTFOUND,
			    "token %s: C_GetTokenInfo: %s", hsm_uri_name(uri),
			    hsm_ckr_name(rv));
	}
	if (r == 0) {
		*out = m;
		m = NULL; /* transferred */
	}
	hsm_module_unload(&m);
	return r;
}

static int
find(const struct hsm_uri *uri, struct hsm_module **out, CK_SLOT_ID *slot,
    CK_TOKEN_INFO *info)
{
	int r = KMS_ERR_NOTFOUND;

	*out = NULL;
	for (unsigned i = 0; i < FIND_TRIES && r == KMS_ERR_NOTFOUND; i++) {
		if (i > 0)
			hsm_wait_nap(2u << i);
		r = find_once(uri, out, slot, info);
	}
	if (r == KMS_ERR_NOTFOUND)
		r = kms_fail(KMS_ERR_TOKEN, "%s", kms_err_cause(r));
	return r;
}

static int
check_flags(struct hsm_token *t, CK_FLAGS flags)
{
	const char *name = hsm_uri_name(t->uri);

	if ((flags & CKF_USER_PIN_LOCKED) != 0)
		return kms_fail(KMS_ERR_PIN,
		    "token %s: its user PIN is locked; only the token's "
		    "security officer can unlock it",
		    name);
	if ((flags & CKF_USER_PIN_FINAL_TRY) != 0)
		return kms_fail(KMS_ERR_PIN,
		    "token %s: one last PIN try is left, and is not spent; "
		    "log in once with the token's own tool, which resets the "
		    "count",
		    name);
	t->unsettled = (flags & CKF_USER_PIN_INITIALIZED) == 0;
	if (t->unsettled)
		return kms_fail(KMS_ERR_PIN,
		    "token %s: no user PIN is set; set one with the token's "
		    "own tool",
		    name);
	return 0;
}

/* The one place that calls C_Login. Wipes the PIN before it looks at the
 * answer. */
static CK_RV
login_call(struct hsm_token *t, struct kms_secret **pin)
{
	CK_FUNCTION_LIST *f = hsm_module_functions(t->module);
	CK_ULONG len = 0;
	CK_BYTE *p = NULL;
	CK_RV rv;

	if (*pin != NULL) {
		p = kms_secret_fill(*pin);
		len = kms_secret_len(*pin);
	}
	rv = f->C_Login(t->login, CKU_USER, p, len);
	kms_secret_free(pin);
	t->unsettled = rv == CKR_USER_PIN_NOT_INITIALIZED;
	return rv;
}

static int
login_result(const struct hsm_token *t, CK_RV rv)
{
	if (rv == CKR_OK) {
		kms_log(KMS_LOG_DEBUG, "token.login", "serial=%s", t->serial);
		return 0;
	}
	/* by somebody else in this process: the session is a user's all the
	 * same, but nothing was proven about our PIN */
	if (rv == CKR_USER_ALREADY_LOGGED_IN)
		return 0;
	kms_log(KMS_LOG_INFO, "token.login_failed", "serial=%s answer=%s",
	    t->serial, hsm_ckr_name(rv));
	if (rv == CKR_PIN_INCORRECT)
		return kms_fail(KMS_ERR_PIN,
		    "token %s: the PIN is wrong; it is not tried again until "
		    "its source changes (or p11kms -retrypin)",
		    hsm_uri_name(t->uri));
	return kms_fail_add(hsm_ckr_fail(rv, "C_Login"), "token %s",
	    hsm_uri_name(t->uri));
}

/* A PIN that was read: guard, login, guard. */
static int
login_guarded(struct hsm_token *t, struct kms_secret **pin, bool typed)
{
	struct hsm_pin_guard g = {
	    .path = t->guard_path,
	    .serial = t->serial,
	    .typed = typed,
	    .retry = t->retry_pin,
	};
	CK_RV rv;
	int r, guard;

	t->retry_pin = false;
	r = hsm_pin_guard_before(&g, *pin);
	if (r != 0)
		return r;
	rv = login_call(t, pin);
	guard = hsm_pin_guard_after(&g, rv);
	if (rv != CKR_OK || guard == 0)
		return login_result(t, rv);
	return guard;
}

/* Lock held, signals blocked. The flags are asked for anew: another process
 * may have used up tries since the module was loaded. */
static int
login_locked(struct hsm_token *t, struct kms_secret **pin, bool typed)
{
	CK_FUNCTION_LIST *f = hsm_module_functions(t->module);
	CK_TOKEN_INFO info;
	CK_RV rv;
	int r;

	rv = f->C_GetTokenInfo(t->slot, &info);
	t->unsettled = rv != CKR_OK;
	if (rv != CKR_OK)
		return hsm_ckr_fail(rv, "C_GetTokenInfo");
	rv = f->C_OpenSession(t->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
	    NULL, NULL, &t->login);
	if (rv != CKR_OK)
		return hsm_ckr_fail(rv, "C_OpenSession");
	if ((info.flags & CKF_LOGIN_REQUIRED) == 0)
		return 0;
	r = check_flags(t, info.flags);
	if (r != 0)
		return r;
	if (*pin == NULL)
		return login_result(t, login_call(t, pin));
	r = hsm_pin_check(*pin, &info);
	return r != 0 ? r : login_guarded(t, pin, typed);
}

static int
login(struct hsm_token *t, const CK_TOKEN_INFO *info)
{
	const CK_FLAGS pinless = CKF_PROTECTED_AUTHENTICATION_PATH;
	struct kms_secret *pin = NULL;
	bool typed = false;
	sigset_t old;
	int r = 0;

	if ((info->flags & CKF_LOGIN_REQUIRED) != 0) {
		r = check_flags(t, info->flags);
		if (r == 0 && (info->flags & pinless) == 0)
			r = hsm_pin_read(t->uri, t->ask, t->ask_arg, &pin,
			    &typed);
	}
	if (r == 0)
		r = hsm_lock_enter(t->lock);
	if (r == 0) {
		hsm_signals_block(&old);
		r = login_locked(t, &pin, typed);
		hsm_signals_restore(&old);
		hsm_lock_leave(t->lock);
	}
	kms_secret_free(&pin);
	return r;
}

/* Binds to the token on first use; afterwards insists on the same serial. */
static int
bind_token(struct hsm_token *t, const CK_TOKEN_INFO *info)
{
	struct hsm_info now;

	fill_info(info, &now);
	if (t->serial[0] != '\0' && strcmp(t->serial, now.serial) != 0)
		return kms_fail(KMS_ERR_TOKEN,
		    "token %s: came back with serial %s instead of %s; if it "
		    "was replaced, restart and see p11kms -rebind",
		    hsm_uri_name(t->uri), now.serial, t->serial);
	memcpy(t->label, now.label, sizeof(t->label));
	memcpy(t->serial, now.serial, sizeof(t->serial));
	return hsm_lock_bind(t->lock, t->serial);
}

static void
tear_down(struct hsm_token *t)
{
	if (t->module != NULL && t->login != CK_INVALID_HANDLE &&
	    t->pid == getpid())
		(void)hsm_module_functions(t->module)->C_CloseSession(t->login);
	t->login = CK_INVALID_HANDLE;
	hsm_module_unload(&t->module);
}

static int
bring_up_once(struct hsm_token *t)
{
	CK_TOKEN_INFO info;
	int r;

	t->unsettled = false;
	r = find(t->uri, &t->module, &t->slot, &info);
	if (r == 0)
		r = bind_token(t, &info);
	if (r == 0)
		r = login(t, &info);
	if (r != 0)
		tear_down(t);
	return r;
}

/*
 * Loaded first without the lock, whose name is the serial. If another process
 * was logging in just then, SoftHSM has read half of the token's file and says
 * that there is no PIN: so once more, loading under the lock. Not a PIN try.
 * The pool is drained; on success it runs, on failure it is away.
 */
static int
bring_up(struct hsm_token *t)
{
	int r;

	r = bring_up_once(t);
	if (r != 0 && t->unsettled && hsm_lock_enter(t->lock) == 0) {
		r = bring_up_once(t);
		hsm_lock_leave(t->lock);
	}
	hsm_pool_resume(t->pool,
	    r == 0 ? hsm_module_functions(t->module) : NULL, t->slot);
	return r;
}

static int
set_options(struct hsm_token *t, const struct hsm_options *o)
{
	unsigned wait = o->wait_ms != 0 ? o->wait_ms : DEFAULT_WAIT_MS;
	unsigned sessions = o->sessions != 0 ? o->sessions : DEFAULT_SESSIONS;
	int r;

	t->ask = o->ask;
	t->ask_arg = o->ask_arg;
	t->retry_pin = o->retry_pin;
	t->pid = getpid();
	t->login = CK_INVALID_HANDLE;
	if (o->uri == NULL || o->guard_path == NULL)
		return kms_fail(KMS_ERR_INTERNAL,
		    "token: opened without URI or guard");
	t->guard_path = strdup(o->guard_path);
	if (t->guard_path == NULL)
		return kms_fail(KMS_ERR_MEMORY, "token: out of memory");
	r = hsm_uri_parse(o->uri, &t->uri);
	if (r == 0)
		r = hsm_lock_new(o->lock_dir != NULL ? o->lock_dir
						     : DEFAULT_LOCK_DIR,
		    wait, &t->lock);
	if (r == 0)
		r = hsm_pool_new(sessions, wait, &t->pool);
	return r;
}

static void
free_token(struct hsm_token **token)
{
	struct hsm_token *t = *token;

	tear_down(t);
	hsm_pool_free(&t->pool);
	hsm_lock_free(&t->lock);
	hsm_uri_free(&t->uri);
	free(t->guard_path);
	free(t);
	*token = NULL;
}

int
hsm_token_open(const struct hsm_options *o, struct hsm_token **out)
{
	struct hsm_token *t;
	int r;

	*out = NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return kms_fail(KMS_ERR_MEMORY, "token: out of memory");
	r = set_options(t, o);
	if (r == 0)
		r = bring_up(t);
	if (r != 0)
		free_token(&t);
	*out = t;
	return r;
}

int
hsm_token_peek(const struct hsm_options *o, struct hsm_info *out)
{
	struct hsm_module *m = NULL;
	struct hsm_uri *uri = NULL;
	CK_TOKEN_INFO info;
	CK_SLOT_ID slot;
	int r;

	r = hsm_uri_parse(o->uri, &uri);
	if (r == 0)
		r = find(uri, &m, &slot, &info);
	if (r == 0)
		fill_info(&info, out);
	hsm_module_unload(&m);
	hsm_uri_free(&uri);
	return r;
}

/* With calls still at work nothing may be closed under them: then the module
 * stays loaded for the rest of the process's life. */
void
hsm_token_close(struct hsm_token **token)
{
	if (token == NULL || *token == NULL)
		return;
	if ((*token)->pid == getpid() && hsm_pool_drain((*token)->pool) != 0) {
		kms_log(KMS_LOG_ERROR, "token.close_busy", "serial=%s",
		    (*token)->serial);
		*token = NULL;
		return;
	}
	free_token(token);
}

int
hsm_token_reload(struct hsm_token *t, unsigned generation)
{
	int r;

	if (t->pid != getpid())
		return kms_fail(KMS_ERR_TOKEN,
		    "token: used in a forked child; a child must open its own");
	r = hsm_lock_enter(t->lock);
	if (r != 0)
		return r;
	/* only the holder of the lock changes it */
	if (hsm_pool_generation(t->pool) != generation)
		goto out;
	r = hsm_pool_drain(t->pool);
	if (r != 0)
		goto out;
	tear_down(t);
	r = bring_up(t);
	kms_log(r == 0 ? KMS_LOG_INFO : KMS_LOG_WARN, "token.reload",
	    "serial=%s result=%s", t->serial, kms_err_name(r));
out:
	hsm_lock_leave(t->lock);
	return r;
}

struct hsm_pool *
hsm_token_pool(struct hsm_token *t)
{
	return t->pool;
}

struct hsm_lock *
hsm_token_lock(struct hsm_token *t)
{
	return t->lock;
}

const char *
hsm_token_label(const struct hsm_token *t)
{
	return t->label;
}

const char *
hsm_token_serial(const struct hsm_token *t)
{
	return t->serial;
}

int
hsm_token_info(const struct hsm_token *t, struct hsm_session *s,
    struct hsm_info *out)
{
	CK_TOKEN_INFO info;
	CK_RV rv;

	rv = s->f->C_GetTokenInfo(t->slot, &info);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_GetTokenInfo");
	fill_info(&info, out);
	return 0;
}
