#include "hsm/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hsm/ckr.h"
#include "hsm/wait.h"

/* The kernel rounds it up to a page. */
#define HERE_LEN 1u

/* mutex guards all below it. open counts idle sessions and those out. */
struct hsm_pool {
	unsigned max, wait_ms;
	uint8_t *here; /* 1, in a page that fork(2) wipes in the child */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	CK_FUNCTION_LIST *f;
	CK_SLOT_ID slot;
	unsigned generation;
	unsigned open, idle;
	bool drained;
	CK_SESSION_HANDLE handle[]; /* the idle ones, max entries */
};

int
hsm_session_fail(struct hsm_session *s, CK_RV rv, const char *call)
{
	s->rv = rv;
	return hsm_ckr_fail(rv, call);
}

static CK_RV
open_session(struct hsm_session *s)
{
	return s->f->C_OpenSession(s->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
	    NULL, NULL, &s->h);
}

int
hsm_session_beside(struct hsm_session *s, struct hsm_session *out)
{
	CK_RV rv;

	*out = *s;
	out->rv = CKR_OK;
	rv = open_session(out);
	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_OpenSession");
}

void
hsm_session_close(struct hsm_session *s)
{
	(void)s->f->C_CloseSession(s->h);
	s->h = CK_INVALID_HANDLE;
}

static int
map_here(struct hsm_pool *p)
{
	void *page = mmap(NULL, HERE_LEN, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return kms_fail(KMS_ERR_MEMORY, "session pool: out of memory");
	p->here = page;
	if (madvise(page, HERE_LEN, MADV_WIPEONFORK) != 0)
		return kms_fail(KMS_ERR_INTERNAL,
		    "session pool: the kernel cannot wipe a page on fork");
	*p->here = 1;
	return 0;
}

int
hsm_pool_new(unsigned max, unsigned wait_ms, struct hsm_pool **out)
{
	struct hsm_pool *p;
	int r;

	*out = NULL;
	p = calloc(1, sizeof(*p) + max * sizeof(p->handle[0]));
	if (p == NULL)
		return kms_fail(KMS_ERR_MEMORY, "session pool: out of memory");
	hsm_wait_init(&p->mutex, &p->changed);
	p->max = max;
	p->wait_ms = wait_ms;
	p->drained = true;
	r = map_here(p);
	if (r != 0)
		hsm_pool_free(&p);
	*out = p;
	return r;
}

void
hsm_pool_free(struct hsm_pool **pool)
{
	struct hsm_pool *p;

	if (pool == NULL || *pool == NULL)
		return;
	p = *pool;
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->mutex);
	if (p->here != NULL)
		(void)munmap(p->here, HERE_LEN);
	free(p);
	*pool = NULL;
}

static bool
none_free(const struct hsm_pool *p)
{
	return p->drained || (p->idle == 0 && p->open >= p->max);
}

/* Off the straight path: the clock is not cheap everywhere. */
static int
wait_locked(struct hsm_pool *p)
{
	struct timespec end = hsm_wait_deadline(p->wait_ms);
	int timeout = 0;

	while (none_free(p) && timeout == 0)
		timeout = pthread_cond_timedwait(&p->changed, &p->mutex, &end);
	if (!none_free(p))
		return 0;
	return kms_fail(KMS_ERR_BUSY,
	    "token: no session came free in %u ms (%u are at work); try again",
	    p->wait_ms, p->open);
}

/* Waits for room, then counts the caller's session as out: an idle one, or
 * (*fresh) one that the caller opens without the mutex. */
static int
reserve_locked(struct hsm_pool *p, struct hsm_session *s, bool *fresh)
{
	int r;

	if (none_free(p)) {
		r = wait_locked(p);
		if (r != 0)
			return r;
	}
	s->f = p->f;
	s->slot = p->slot;
	s->generation = p->generation;
	if (p->f == NULL) {
		s->rv = CKR_TOKEN_NOT_PRESENT;
		return kms_fail(KMS_ERR_TOKEN,
		    "token: is away; see that it is connected, then try again");
	}
	*fresh = p->idle == 0;
	if (*fresh)
		p->open++;
	else
		s->h = p->handle[--p->idle];
	return 0;
}

/* Gives the place back. True when the token has no more sessions than are out
 * now: then the caller waits for one of those. */
static bool
give_back(struct hsm_pool *p, CK_RV rv)
{
	bool full;

	(void)pthread_mutex_lock(&p->mutex);
	p->open--;
	full = rv == CKR_SESSION_COUNT && p->open > 0;
	if (full)
		p->max = p->open;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->mutex);
	return full;
}

static int
acquire(struct hsm_pool *p, struct hsm_session *s)
{
	bool fresh = false;
	CK_RV rv;
	int r;

	do {
		(void)pthread_mutex_lock(&p->mutex);
		r = reserve_locked(p, s, &fresh);
		(void)pthread_mutex_unlock(&p->mutex);
		if (r != 0 || !fresh)
			return r;
		rv = open_session(s);
		if (rv == CKR_OK)
			return 0;
	} while (give_back(p, rv));
	return hsm_session_fail(s, rv, "C_OpenSession");
}

/* Lets no more out, and waits until no more than mine are. */
static int
drain_locked(struct hsm_pool *p, unsigned mine)
{
	struct timespec end = hsm_wait_deadline(p->wait_ms);
	int timeout = 0;

	p->drained = true;
	while (p->open > p->idle + mine && timeout == 0)
		timeout = pthread_cond_timedwait(&p->changed, &p->mutex, &end);
	if (p->open <= p->idle + mine)
		return 0;
	p->drained = false;
	(void)pthread_cond_broadcast(&p->changed);
	return kms_fail(KMS_ERR_BUSY,
	    "token: %u calls still at work after %u ms; try again",
	    p->open - p->idle - mine, p->wait_ms);
}

int
hsm_pool_acquire(struct hsm_pool *p, bool alone, struct hsm_session *s)
{
	int r;

	*s = (struct hsm_session){.rv = CKR_OK};
	if (*p->here == 0)
		return kms_fail(KMS_ERR_TOKEN,
		    "token: used in a forked child; a child must open its own");
	r = acquire(p, s);
	if (r != 0 || !alone)
		return r;
	(void)pthread_mutex_lock(&p->mutex);
	r = drain_locked(p, 1);
	(void)pthread_mutex_unlock(&p->mutex);
	s->alone = r == 0;
	if (r != 0)
		hsm_pool_release(p, s);
	return r;
}

void
hsm_pool_release(struct hsm_pool *p, struct hsm_session *s)
{
	bool dead = s->rv != CKR_OK;

	if (dead)
		hsm_session_close(s);
	(void)pthread_mutex_lock(&p->mutex);
	if (dead)
		p->open--;
	else
		p->handle[p->idle++] = s->h;
	if (s->alone)
		p->drained = false;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->mutex);
}

static void
close_idle_locked(struct hsm_pool *p)
{
	while (p->idle > 0)
		(void)p->f->C_CloseSession(p->handle[--p->idle]);
	p->open = 0;
}

int
hsm_pool_drain(struct hsm_pool *p)
{
	struct timespec end = hsm_wait_deadline(p->wait_ms);
	int r = 0, timeout = 0;

	(void)pthread_mutex_lock(&p->mutex);
	while (p->drained && timeout == 0)
		timeout = pthread_cond_timedwait(&p->changed, &p->mutex, &end);
	if (p->drained)
		r = kms_fail(KMS_ERR_BUSY, "token: being opened; try again");
	if (r == 0)
		r = drain_locked(p, 0);
	if (r == 0)
		close_idle_locked(p);
	(void)pthread_mutex_unlock(&p->mutex);
	return r;
}

void
hsm_pool_resume(struct hsm_pool *p, CK_FUNCTION_LIST *f, CK_SLOT_ID slot)
{
	(void)pthread_mutex_lock(&p->mutex);
	p->f = f;
	p->slot = slot;
	p->generation++;
	p->drained = false;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->mutex);
}

unsigned
hsm_pool_generation(struct hsm_pool *p)
{
	unsigned g;

	(void)pthread_mutex_lock(&p->mutex);
	g = p->generation;
	(void)pthread_mutex_unlock(&p->mutex);
	return g;
}
