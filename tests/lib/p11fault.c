/*
 * A PKCS#11 module for tests: forwards to SoftHSM and misbehaves on demand.
 *
 *   P11FAULT_MODULE  the real module; default libsofthsm2.so of Debian
 *   P11FAULT_LOG     a file: one line for each call, "C_Login 0xa0", and
 *                    "key shown 0x0" where one gave the bytes of a secret key
 *   P11FAULT         rules, separated by blanks:
 *     C_Name:N=RV    the N-th call is not made and returns RV (hex)
 *     C_Name:N+=RV   so from the N-th on
 *     C_Name:N!=RV   the N-th call is made, and returns RV all the same
 *     C_Name:N=kill  the process is killed in it
 *     flags=HEX      more CK_TOKEN_INFO flags
 *     nomech=HEX     a mechanism the token does not have
 *     nosecret       C_CreateObject refuses secret keys
 *     nodata         C_CreateObject refuses data objects
 *     nocopyable     the token does not know CKA_COPYABLE
 *     bare           C_UnwrapKey refuses CKA_SENSITIVE and CKA_EXTRACTABLE and
 *                    makes readable keys (as opencryptoki does)
 *     copies         C_CopyObject makes an object, whatever it is asked
 *     renumber       after each C_Initialize but the first, object handles are
 *                    numbered otherwise: the first means the second
 *     renumberat=C_Name:N   so from the N-th call of C_Name on
 *     serial         the token says that it has another serial
 *
 * A test sets rules anew, and their counts to zero, by p11fault_set, which it
 * finds with dlsym. Only the functions below are counted.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define DEFAULT_MODULE "/usr/lib/softhsm/libsofthsm2.so"

#define CALLS(X)               \
	X(C_Initialize)        \
	X(C_Finalize)          \
	X(C_GetTokenInfo)      \
	X(C_OpenSession)       \
	X(C_CloseSession)      \
	X(C_Login)             \
	X(C_CreateObject)      \
	X(C_CopyObject)        \
	X(C_DestroyObject)     \
	X(C_GetAttributeValue) \
	X(C_SetAttributeValue) \
	X(C_FindObjectsInit)   \
	X(C_FindObjects)       \
	X(C_EncryptInit)       \
	X(C_Encrypt)           \
	X(C_DecryptInit)       \
	X(C_Decrypt)           \
	X(C_SignInit)          \
	X(C_Sign)              \
	X(C_GenerateKey)       \
	X(C_GenerateKeyPair)   \
	X(C_WrapKey)           \
	X(C_UnwrapKey)         \
	X(C_GenerateRandom)

enum call {
#define X(name) CALL_##name,
	CALLS(X)
#undef X
	    CALL_COUNT
};

static const char *const call_name[] = {
#define X(name) #name,
    CALLS(X)
#undef X
};

enum when { AT, FROM, AFTER };

struct rule {
	enum call call;
	unsigned nth;
	enum when when;
	bool kill;
	CK_RV rv;
};

#define RULES_MAX 32
#define ATTRIBUTES_MAX 24
#define SEEN_MAX 65536u
#define FIRST_HANDLE 1000u

/* mutex guards what follows it. */
static struct {
	CK_FUNCTION_LIST *f;
	CK_FUNCTION_LIST ours;
	pthread_mutex_t mutex;
	struct rule rule[RULES_MAX];
	unsigned n_rules, calls[CALL_COUNT], initialised;
	CK_FLAGS flags;
	CK_MECHANISM_TYPE nomech[4];
	unsigned n_nomech;
	bool nosecret, nodata, nocopyable, bare, copies, renumber, serial;
	enum call renumber_call;
	unsigned renumber_nth;
	bool renumbered;
	CK_OBJECT_HANDLE seen[SEEN_MAX];
	size_t n_seen;
} g = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void p11fault_set(const char *rules);

/*
 * Object handles as the program sees them are places in a list, in order of
 * appearance since C_Initialize. Renumbered, neighbours are exchanged: the
 * number of the first key then means the second, as a stale handle can.
 */
static CK_OBJECT_HANDLE
show(CK_OBJECT_HANDLE real)
{
	size_t i = 0;

	if (real == CK_INVALID_HANDLE)
		return real;
	(void)pthread_mutex_lock(&g.mutex);
	while (i < g.n_seen && g.seen[i] != real)
		i++;
	if (i == SEEN_MAX)
		abort();
	if (i == g.n_seen)
		g.seen[g.n_seen++] = real;
	if (g.renumbered)
		i ^= 1;
	(void)pthread_mutex_unlock(&g.mutex);
	return FIRST_HANDLE + i;
}

static CK_OBJECT_HANDLE
real(CK_OBJECT_HANDLE shown)
{
	size_t i = shown - FIRST_HANDLE;
	CK_OBJECT_HANDLE h = 0xdead;

	(void)pthread_mutex_lock(&g.mutex);
	if (g.renumbered)
		i ^= 1;
	if (shown >= FIRST_HANDLE && i < g.n_seen)
		h = g.seen[i];
	(void)pthread_mutex_unlock(&g.mutex);
	return h;
}

static enum call
call_of(const char *name, size_t len)
{
	for (int i = 0; i < CALL_COUNT; i++) {
		if (strlen(call_name[i]) == len &&
		    memcmp(call_name[i], name, len) == 0)
			return (enum call)i;
	}
	fprintf(stderr, "p11fault: %.*s: no such call\n", (int)len, name);
	abort();
}

/* C_Name:N=RV, N+=RV, N!=RV */
static void
parse_call(const char *word, const char *colon)
{
	struct rule *r = &g.rule[g.n_rules];
	char *end;

	if (g.n_rules == RULES_MAX)
		abort();
	r->call = call_of(word, (size_t)(colon - word));
	r->nth = (unsigned)strtoul(colon + 1, &end, 10);
	r->when = *end == '+' ? FROM : *end == '!' ? AFTER : AT;
	if (*end != '=')
		end++;
	r->kill = strcmp(end + 1, "kill") == 0;
	r->rv = strtoul(end + 1, NULL, 16);
	g.n_rules++;
}

static bool
parse_value(const char *word)
{
	const char *value = strchr(word, '=');
	const char *colon = strchr(word, ':');

	if (value == NULL)
		return false;
	value++;
	if (strncmp(word, "flags=", 6) == 0) {
		g.flags = strtoul(value, NULL, 16);
	} else if (strncmp(word, "nomech=", 7) == 0 && g.n_nomech < 4) {
		g.nomech[g.n_nomech++] = strtoul(value, NULL, 16);
	} else if (strncmp(word, "renumberat=", 11) == 0 && colon != NULL) {
		g.renumber_call = call_of(value, (size_t)(colon - value));
		g.renumber_nth = (unsigned)strtoul(colon + 1, NULL, 10);
	} else {
		return false;
	}
	return true;
}

static void
parse_word(const char *word)
{
	static const struct {
		const char *name;
		bool *flag;
	} flags[] = {
	    {"nosecret", &g.nosecret},
	    {"nodata", &g.nodata},
	    {"nocopyable", &g.nocopyable},
	    {"bare", &g.bare},
	    {"copies", &g.copies},
	    {"renumber", &g.renumber},
	    {"serial", &g.serial},
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(word, flags[i].name) == 0) {
			*flags[i].flag = true;
			return;
		}
	}
	if (parse_value(word))
		return;
	if (strchr(word, ':') == NULL) {
		fprintf(stderr, "p11fault: %s: no such rule\n", word);
		abort();
	}
	parse_call(word, strchr(word, ':'));
}

static void
set_locked(const char *rules)
{
	char *copy = strdup(rules), *save = NULL;

	g.n_rules = g.n_nomech = g.renumber_nth = 0;
	g.flags = 0;
	g.nosecret = g.nodata = g.nocopyable = g.bare = g.copies = false;
	g.renumber = g.serial = false;
	memset(g.calls, 0, sizeof(g.calls));
	for (char *w = strtok_r(copy, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		parse_word(w);
	free(copy);
}

void
p11fault_set(const char *rules)
{
	(void)pthread_mutex_lock(&g.mutex);
	set_locked(rules);
	(void)pthread_mutex_unlock(&g.mutex);
}

static void
log_line(const char *name, CK_RV rv)
{
	const char *path = getenv("P11FAULT_LOG");
	char line[64];
	int fd, n;

	if (path == NULL)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	n = snprintf(line, sizeof(line), "%s 0x%lx\n", name, rv);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

static void
log_call(enum call c, CK_RV rv)
{
	log_line(call_name[c], rv);
}

/* Counts the call. True: it is not made, *rv is the answer. after: made, and
 * *rv the answer all the same. */
static bool
before(enum call c, CK_RV *rv, bool *after)
{
	bool skip = false;
	unsigned n;

	*after = false;
	(void)pthread_mutex_lock(&g.mutex);
	n = ++g.calls[c];
	if (g.renumber_nth != 0 && c == g.renumber_call && n == g.renumber_nth)
		g.renumbered = !g.renumbered;
	for (unsigned i = 0; i < g.n_rules; i++) {
		const struct rule *r = &g.rule[i];

		if (r->call != c ||
		    (n != r->nth && !(r->when == FROM && n > r->nth)))
			continue;
		if (r->kill) {
			log_call(c, CKR_GENERAL_ERROR);
			(void)raise(SIGKILL);
		}
		*rv = r->rv;
		*after = r->when == AFTER;
		skip = r->when != AFTER;
	}
	if (c == CALL_C_Initialize) {
		g.n_seen = 0;
		if (g.initialised++ > 0 && g.renumber)
			g.renumbered = !g.renumbered;
	}
	(void)pthread_mutex_unlock(&g.mutex);
	return skip;
}

static const CK_ATTRIBUTE *
attribute(const CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < n; i++) {
		if (t[i].type == type)
			return &t[i];
	}
	return NULL;
}

static bool
has_class(const CK_ATTRIBUTE *t, CK_ULONG n, CK_ULONG class)
{
	const CK_ATTRIBUTE *a = attribute(t, n, CKA_CLASS);

	return a != NULL && a->ulValueLen == sizeof(class) &&
	    memcmp(a->pValue, &class, sizeof(class)) == 0;
}

static bool
is_refused(const CK_ATTRIBUTE *t, CK_ULONG n)
{
	return (g.nosecret && has_class(t, n, CKO_SECRET_KEY)) ||
	    (g.nodata && has_class(t, n, CKO_DATA)) ||
	    (g.nocopyable && attribute(t, n, CKA_COPYABLE) != NULL);
}

static bool
is_missing(const CK_MECHANISM *m)
{
	for (unsigned i = 0; i < g.n_nomech; i++) {
		if (g.nomech[i] == m->mechanism)
			return true;
	}
	return false;
}

/* What comes before or after the real call, for those that need it. */
static CK_RV
get_token_info(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
	CK_RV rv = g.f->C_GetTokenInfo(id, info);

	info->flags |= g.flags;
	if (g.serial)
		info->serialNumber[0] = 'X';
	return rv;
}

static CK_RV
create_object(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE *out)
{
	CK_RV rv;

	if (is_refused(t, n))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = g.f->C_CreateObject(s, t, n, out);
	*out = show(*out);
	return rv;
}

/* With copies: the same key once more, as a copy with more usages would be. */
static CK_RV
copy_object(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *t,
    CK_ULONG n, CK_OBJECT_HANDLE *out)
{
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ULONG len = 32;
	CK_ATTRIBUTE a = {CKA_VALUE_LEN, &len, sizeof(len)};
	CK_RV rv;

	if (g.copies)
		rv = g.f->C_GenerateKey(s, &m, &a, 1, out);
	else
		rv = g.f->C_CopyObject(s, real(h), t, n, out);
	*out = show(*out);
	return rv;
}

static CK_RV
find_objects(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *out, CK_ULONG max,
    CK_ULONG *n)
{
	CK_RV rv = g.f->C_FindObjects(s, out, max, n);

	for (CK_ULONG i = 0; rv == CKR_OK && i < *n; i++)
		out[i] = show(out[i]);
	return rv;
}

static CK_RV
generate_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE *out)
{
	CK_RV rv;

	if (g.nocopyable && attribute(t, n, CKA_COPYABLE) != NULL)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	rv = g.f->C_GenerateKey(s, m, t, n, out);
	*out = show(*out);
	return rv;
}

static CK_RV
generate_pair(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *pub,
    CK_ULONG n_pub, CK_ATTRIBUTE *priv, CK_ULONG n_priv, CK_OBJECT_HANDLE *a,
    CK_OBJECT_HANDLE *b)
{
	CK_RV rv;

	rv = g.f->C_GenerateKeyPair(s, m, pub, n_pub, priv, n_priv, a, b);
	*a = show(*a);
	*b = show(*b);
	return rv;
}

static CK_RV
wrap_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE by,
    CK_OBJECT_HANDLE k, unsigned char *out, CK_ULONG *len)
{
	if (is_missing(m))
		return CKR_MECHANISM_INVALID;
	return g.f->C_WrapKey(s, m, real(by), real(k), out, len);
}

static CK_RV
unwrap_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE by,
    unsigned char *in, CK_ULONG len, CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE *out)
{
	const CK_ATTRIBUTE *hide = attribute(t, n, CKA_SENSITIVE);
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE a[ATTRIBUTES_MAX];
	CK_RV rv;

	if (is_missing(m))
		return CKR_MECHANISM_INVALID;
	if (n > ATTRIBUTES_MAX - 2)
		abort();
	memcpy(a, t, n * sizeof(*t));
	if (g.bare && hide != NULL && *(CK_BBOOL *)hide->pValue == CK_FALSE)
		return CKR_ATTRIBUTE_READ_ONLY;
	if (g.bare && hide == NULL) {
		a[n++] = (CK_ATTRIBUTE){CKA_SENSITIVE, &no, 1};
		a[n++] = (CK_ATTRIBUTE){CKA_EXTRACTABLE, &yes, 1};
	}
	rv = g.f->C_UnwrapKey(s, m, real(by), in, len, a, n, out);
	*out = show(*out);
	return rv;
}

static CK_RV
get_attributes(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *t,
    CK_ULONG n)
{
	const CK_ATTRIBUTE *value = attribute(t, n, CKA_VALUE);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE ask = {CKA_CLASS, &class, sizeof(class)};
	CK_RV rv;

	rv = g.f->C_GetAttributeValue(s, h, t, n);
	if (rv == CKR_OK && value != NULL && value->pValue != NULL &&
	    g.f->C_GetAttributeValue(s, h, &ask, 1) == CKR_OK &&
	    class == CKO_SECRET_KEY)
		log_line("key shown", CKR_OK);
	return rv;
}

/* A function of the module: counted, perhaps refused, else forwarded. */
#define CALL(name, params, forward)                      \
	static CK_RV fault_##name params                 \
	{                                                \
		bool after;                              \
		CK_RV made, rv = CKR_OK;                 \
                                                         \
		if (!before(CALL_##name, &rv, &after)) { \
			made = forward;                  \
			rv = after ? rv : made;          \
		}                                        \
		log_call(CALL_##name, rv);               \
		return rv;                               \
	}

typedef CK_SESSION_HANDLE session;
typedef CK_OBJECT_HANDLE object;
typedef CK_MECHANISM mechanism;
typedef CK_ATTRIBUTE attr;
typedef CK_ULONG number;
typedef unsigned char byte;

CALL(C_Initialize, (void *args), g.f->C_Initialize(args))
CALL(C_Finalize, (void *reserved), g.f->C_Finalize(reserved))
CALL(C_GetTokenInfo, (CK_SLOT_ID id, CK_TOKEN_INFO *info),
    get_token_info(id, info))
CALL(C_OpenSession,
    (CK_SLOT_ID id, CK_FLAGS flags, void *app, CK_NOTIFY notify, session *out),
    g.f->C_OpenSession(id, flags, app, notify, out))
CALL(C_CloseSession, (session s), g.f->C_CloseSession(s))
CALL(C_Login, (session s, CK_USER_TYPE user, byte *pin, number len),
    g.f->C_Login(s, user, pin, len))
CALL(C_CreateObject, (session s, attr *t, number n, object *out),
    create_object(s, t, n, out))
CALL(C_CopyObject, (session s, object h, attr *t, number n, object *out),
    copy_object(s, h, t, n, out))
CALL(C_DestroyObject, (session s, object h), g.f->C_DestroyObject(s, real(h)))
CALL(C_GetAttributeValue, (session s, object h, attr *t, number n),
    get_attributes(s, real(h), t, n))
CALL(C_SetAttributeValue, (session s, object h, attr *t, number n),
    g.f->C_SetAttributeValue(s, real(h), t, n))
CALL(C_FindObjectsInit, (session s, attr *t, number n),
    g.f->C_FindObjectsInit(s, t, n))
CALL(C_FindObjects, (session s, object *out, number max, number *n),
    find_objects(s, out, max, n))
CALL(C_EncryptInit, (session s, mechanism *m, object k),
    is_missing(m) ? CKR_MECHANISM_INVALID : g.f->C_EncryptInit(s, m, real(k)))
CALL(C_Encrypt, (session s, byte *in, number n, byte *out, number *len),
    g.f->C_Encrypt(s, in, n, out, len))
CALL(C_DecryptInit, (session s, mechanism *m, object k),
    is_missing(m) ? CKR_MECHANISM_INVALID : g.f->C_DecryptInit(s, m, real(k)))
CALL(C_Decrypt, (session s, byte *in, number n, byte *out, number *len),
    g.f->C_Decrypt(s, in, n, out, len))
CALL(C_SignInit, (session s, mechanism *m, object k),
    is_missing(m) ? CKR_MECHANISM_INVALID : g.f->C_SignInit(s, m, real(k)))
CALL(C_Sign, (session s, byte *in, number n, byte *out, number *len),
    g.f->C_Sign(s, in, n, out, len))
CALL(C_GenerateKey, (session s, mechanism *m, attr *t, number n, object *out),
    generate_key(s, m, t, n, out))
CALL(C_GenerateKeyPair,
    (session s, mechanism *m, attr *pub, number n_pub, attr *priv,
	number n_priv, object *a, object *b),
    generate_pair(s, m, pub, n_pub, priv, n_priv, a, b))
CALL(C_WrapKey,
    (session s, mechanism *m, object by, object k, byte *out, number *len),
    wrap_key(s, m, by, k, out, len))
CALL(C_UnwrapKey,
    (session s, mechanism *m, object by, byte *in, number len, attr *t,
	number n, object *out),
    unwrap_key(s, m, by, in, len, t, n, out))
CALL(C_GenerateRandom, (session s, byte *out, number n),
    g.f->C_GenerateRandom(s, out, n))

static void
load(void)
{
	const char *path = getenv("P11FAULT_MODULE");
	const char *rules = getenv("P11FAULT");
	CK_C_GetFunctionList get;
	void *dl, *symbol;

	dl = dlopen(path != NULL ? path : DEFAULT_MODULE,
	    RTLD_NOW | RTLD_LOCAL);
	symbol = dl != NULL ? dlsym(dl, "C_GetFunctionList") : NULL;
	if (symbol == NULL) {
		fprintf(stderr, "p11fault: %s\n", dlerror());
		abort();
	}
	memcpy(&get, &symbol, sizeof(get));
	if (get(&g.f) != CKR_OK)
		abort();
	g.ours = *g.f;
#define X(name) g.ours.name = fault_##name;
	CALLS(X)
#undef X
	if (rules != NULL)
		set_locked(rules);
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (pthread_once(&once, load) != 0)
		abort();
	*out = &g.ours;
	return CKR_OK;
}
