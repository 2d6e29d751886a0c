#include "tests/unit/kms/failing.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

struct failing {
	struct kms_sealer api; /* first */
	struct kms_sealer *inner;
	enum failing_how how;
	unsigned at, *calls;
};

static struct failing *
of(struct kms_sealer *s)
{
	return (struct failing *)s;
}

static _Noreturn void
die_now(void)
{
	kill(getpid(), SIGKILL);
	abort();
}

/* Comes before a call; true when it must not be made. */
static bool
before(struct failing *f)
{
	if (++*f->calls != f->at)
		return false;
	if (f->how == FAILING_KILL_BEFORE)
		die_now();
	return f->how == FAILING_TOKEN;
}

static int
after(struct failing *f, int r)
{
	if (*f->calls == f->at && f->how == FAILING_KILL_AFTER)
		die_now();
	return r;
}

/* name, parameters after the sealer, and what they are called */
#define CALLS(X)                                                               \
	X(make,                                                                \
	    (struct kms_sealer * s, const struct kms_secret *a,                \
		struct kms_slot *b),                                           \
	    (f->inner, a, b))                                                  \
	X(adopt,                                                               \
	    (struct kms_sealer * s, const struct kms_wanted *a,                \
		struct kms_slot *b, struct kms_attr_report *c),                \
	    (f->inner, a, b, c))                                               \
	X(describe,                                                            \
	    (struct kms_sealer * s, const struct kms_slot *a,                  \
		struct kms_attr_report *b),                                    \
	    (f->inner, a, b))                                                  \
	X(check, (struct kms_sealer * s, const struct kms_slot *a),            \
	    (f->inner, a))                                                     \
	X(drop, (struct kms_sealer * s, const struct kms_slot *a),             \
	    (f->inner, a))                                                     \
	X(debris_list,                                                         \
	    (struct kms_sealer * s, uint8_t(*a)[32], size_t b, size_t * c),    \
	    (f->inner, a, b, c))                                               \
	X(debris_sweep,                                                        \
	    (struct kms_sealer * s, const uint8_t(*a)[32], size_t b,           \
		size_t *c),                                                    \
	    (f->inner, a, b, c))                                               \
	X(wrap,                                                                \
	    (struct kms_sealer * s, const struct kms_slot *a,                  \
		const struct kms_secret *b, struct kms_wrapped *c),            \
	    (f->inner, a, b, c))                                               \
	X(unwrap,                                                              \
	    (struct kms_sealer * s, const struct kms_slot *a,                  \
		const struct kms_wrapped *b, struct kms_secret **c),           \
	    (f->inner, a, b, c))                                               \
	X(prove,                                                               \
	    (struct kms_sealer * s, const struct kms_slot *a,                  \
		const struct kms_wrapped *b),                                  \
	    (f->inner, a, b))                                                  \
	X(rewrap,                                                              \
	    (struct kms_sealer * s, const struct kms_slot *a,                  \
		const struct kms_slot *b, struct kms_wrapped *c, size_t d),    \
	    (f->inner, a, b, c, d))                                            \
	X(random, (struct kms_sealer * s, uint8_t * a, size_t b),              \
	    (f->inner, a, b))                                                  \
	X(anchor_get,                                                          \
	    (struct kms_sealer * s, const uint8_t a[16], struct kms_anchor *b, \
		size_t c, size_t *d),                                          \
	    (f->inner, a, b, c, d))                                            \
	X(anchor_put,                                                          \
	    (struct kms_sealer * s, const uint8_t a[16],                       \
		const struct kms_anchor *b),                                   \
	    (f->inner, a, b))                                                  \
	X(lock, (struct kms_sealer * s), (f->inner))

#define X(name, params, args)                                              \
	static int f_##name params                                         \
	{                                                                  \
		struct failing *f = of(s);                                 \
                                                                           \
		if (before(f))                                             \
			return kms_fail(KMS_ERR_TOKEN, "failing: " #name); \
		return after(f, f->inner->name args);                      \
	}
CALLS(X)
#undef X

static void
f_unlock(struct kms_sealer *s)
{
	of(s)->inner->unlock(of(s)->inner);
}

static void
f_name(struct kms_sealer *s, char label[33], char serial[17])
{
	of(s)->inner->name(of(s)->inner, label, serial);
}

static void
f_close(struct kms_sealer **s)
{
	free(*s);
	*s = NULL;
}

struct kms_sealer *
failing_new(struct kms_sealer *inner, enum failing_how how, unsigned at,
    unsigned *calls)
{
	struct failing *f = calloc(1, sizeof(*f));

	if (f == NULL)
		fx_die("failing sealer: out of memory");
	f->inner = inner;
	f->how = how;
	f->at = at;
	f->calls = calls;
#define X(name, params, args) f->api.name = f_##name;
	CALLS(X)
#undef X
	f->api.unlock = f_unlock;
	f->api.name = f_name;
	f->api.close = f_close;
	return &f->api;
}
