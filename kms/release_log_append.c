/* Appending: turns between threads, the lock between processes, one write
 * and one sync for all who wait. */
#include "kms/release_log_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The file grows by zeroed blocks, so that an append into them changes no
 * metadata, and so that a full disk is met before a record is written. */
#define CHUNK (64u << 10)
#define BATCH 64u /* records in one write */
#define LOCK_NAP_MS 2
/* A sync is held back by at most this part of what one takes, and so long. */
#define GATHER_PART 4
#define GATHER_NS 5000000

static int
io_fail(const struct kms_release_log *log, const char *what)
{
	return kms_fail(KMS_ERR_IO, "%s: %s: %s", log->path, what,
	    strerror(errno));
}

/* --- turns ------------------------------------------------------------- */

static struct timespec
deadline_in(unsigned ms)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static int
busy_fail(const struct kms_release_log *log)
{
	return kms_fail(KMS_ERR_BUSY, "%s: busy for over %u ms; try again",
	    log->path, log->wait_ms);
}

int
kms_log_take_turn(struct kms_release_log *log)
{
	struct timespec until = deadline_in(log->wait_ms);
	int r = 0;

	pthread_mutex_lock(&log->lock);
	while (log->busy && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&log->turn, &log->lock, &until);
	r = log->busy ? busy_fail(log) : 0;
	if (r == 0)
		log->busy = true;
	pthread_mutex_unlock(&log->lock);
	return r;
}

void
kms_log_end_turn(struct kms_release_log *log)
{
	pthread_mutex_lock(&log->lock);
	log->busy = false;
	pthread_cond_broadcast(&log->turn);
	pthread_mutex_unlock(&log->lock);
}

/* --- the file, with the turn ------------------------------------------- */

/* flock(2) has no deadline of its own. */
int
kms_log_lock_file(struct kms_release_log *log)
{
	const struct timespec nap = {.tv_nsec = LOCK_NAP_MS * 1000000L};
	int how = log->readonly ? LOCK_SH : LOCK_EX;
	unsigned waited;

	for (waited = 0;; waited += LOCK_NAP_MS) {
		if (flock(log->file.fd, how | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return io_fail(log, "flock");
		if (waited >= log->wait_ms)
			return busy_fail(log);
		(void)nanosleep(&nap, NULL);
	}
}

void
kms_log_unlock_file(struct kms_release_log *log)
{
	(void)flock(log->file.fd, LOCK_UN);
}

/* Which file it is and how long, and no more: stat(2) asks for its times too,
 * and on Linux since 6.13 the next write must then change the inode, which
 * makes each sync a third dearer. */
static int
look(int fd, const char *path, int flags, struct kms_log_place *out)
{
	struct statx st;

	if (statx(fd, path, flags, STATX_INO | STATX_SIZE, &st) != 0)
		return -1;
	*out = (struct kms_log_place){st.stx_dev_major, st.stx_dev_minor,
	    st.stx_ino, st.stx_size};
	return 0;
}

/* A log that another process put aside must not get more records. Its own
 * number cannot change while it is open, so only the name is asked. */
static int
check_named(struct kms_release_log *log)
{
	struct kms_log_place *own = &log->place, now;

	if (own->ino == 0 && look(log->file.fd, "", AT_EMPTY_PATH, own) != 0)
		return io_fail(log, "statx");
	if (look(AT_FDCWD, log->path, AT_SYMLINK_NOFOLLOW, &now) == 0 &&
	    own->major == now.major && own->minor == now.minor &&
	    own->ino == now.ino) {
		own->size = now.size;
		return 0;
	}
	return kms_fail(KMS_ERR_DAMAGED,
	    "%s: the release log was removed or replaced; open the store "
	    "again",
	    log->path);
}

/* Verifies what follows the end, up to the last good record. */
int
kms_log_catch_up(struct kms_release_log *log, enum kms_log_step *step)
{
	struct kms_release_entry e;
	int r;

	do {
		r = kms_log_read(&log->file, &log->end, &e, step);
	} while (r == 0 && *step == KMS_LOG_RECORD);
	return r;
}

static int
refuse_damaged(struct kms_release_log *log, uint64_t bad)
{
	log->refuses = KMS_ERR_DAMAGED;
	log->found.state = KMS_RELEASE_LOG_DAMAGED;
	log->found.bad_seq = bad;
	return kms_fail(KMS_ERR_DAMAGED, "%s: record %llu does not verify",
	    log->path, (unsigned long long)log->found.bad_seq);
}

static int
refused(const struct kms_release_log *log)
{
	if (log->refuses == 0)
		return 0;
	return kms_fail(log->refuses,
	    "%s: takes no records since it failed or was found damaged; "
	    "mend the disk, then start this program again",
	    log->path);
}

/* With the lock: others' records, which may be in the cache only when their
 * writer was killed before its sync. */
static int
catch_up_durably(struct kms_release_log *log)
{
	uint64_t before = log->end.seq;
	enum kms_log_step step = KMS_LOG_END;
	bool damage = false;
	int r;

	r = check_named(log);
	if (r == 0)
		r = kms_log_catch_up(log, &step);
	if (r == 0 && step == KMS_LOG_BAD)
		r = kms_log_proves_damage(&log->file, &log->end, &damage);
	if (r == 0 && damage)
		r = refuse_damaged(log, log->end.seq + 1);
	if (r == 0 && step == KMS_LOG_GONE)
		r = refuse_damaged(log, log->end.seq);
	if (r == 0 && log->end.seq != before && !log->readonly &&
	    fdatasync(log->file.fd) != 0)
		r = log->refuses = io_fail(log, "sync");
	return r;
}

int
kms_log_make_room(struct kms_release_log *log, size_t need)
{
	static const uint8_t zeros[CHUNK];
	uint64_t want = log->end.size + need;
	struct kms_log_place now;
	int r = 0;

	if (want <= log->place.size)
		return 0;
	if (look(log->file.fd, "", AT_EMPTY_PATH, &now) != 0)
		return io_fail(log, "statx");
	for (; r == 0 && now.size < want; now.size += CHUNK)
		r = kms_log_pwrite(&log->file, zeros, CHUNK, now.size);
	log->place.size = r == 0 ? now.size : 0;
	return r;
}

/*
 * After a failed write or sync nobody knows what is on the disk: final. The
 * length of zero ends the log also where a torn tail lay.
 */
static int
write_out(struct kms_release_log *log, const struct kms_log_head *end)
{
	int r;

	kms_wr_u32(&log->out, 0);
	r = kms_wr_check(&log->out, "release log");
	if (r == 0)
		r = kms_log_make_room(log, log->out.len);
	if (r != 0)
		return r;
	r = kms_log_pwrite(&log->file, log->out.p, log->out.len, log->end.size);
	if (r == 0 && fdatasync(log->file.fd) != 0)
		r = io_fail(log, "sync");
	if (r != 0)
		return log->refuses = r;
	log->end = *end;
	if (log->found.state == KMS_RELEASE_LOG_TORN)
		log->found.state = KMS_RELEASE_LOG_COMPLETE;
	return 0;
}

static int
seal_batch(struct kms_release_log *log, struct waiter *batch)
{
	struct kms_log_head end = log->end;
	unsigned nth = 0;
	struct waiter *w;
	int r = 0;

	log->out.len = 0;
	log->out.err = 0;
	for (w = batch; r == 0 && w != NULL; w = w->next)
		r = kms_log_seal(&log->file, &end, w->entry, nth++, &log->out);
	return r != 0 ? r : write_out(log, &end);
}

static int
append_batch(struct kms_release_log *log, struct waiter *batch)
{
	int r;

	r = refused(log);
	if (r == 0)
		r = kms_log_lock_file(log);
	if (r != 0)
		return r;
	r = catch_up_durably(log);
	if (r == 0)
		r = seal_batch(log, batch);
	kms_log_unlock_file(log);
	return r;
}

/* --- append ------------------------------------------------------------ */

/* The first of the queue, as a list of their own. */
static struct waiter *
take_batch_locked(struct kms_release_log *log)
{
	struct waiter *batch = log->first, **end = &log->first;
	size_t n;

	for (n = 0; n < BATCH && *end != NULL; n++) {
		(*end)->taken = true;
		log->waiting--;
		end = &(*end)->next;
	}
	log->first = *end;
	if (log->first == NULL)
		log->last = &log->first;
	*end = NULL;
	return batch;
}

static int64_t
now_ns(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*
 * Many callers would fall into two halves, one written while the other comes
 * back, and every sync would carry half of them. So it is held for a fraction
 * of what it takes until as many wait as were here of late; a single caller
 * never waits.
 */
static void
gather_locked(struct kms_release_log *log)
{
	int64_t most = log->write_ns / GATHER_PART, until;
	struct timespec t;
	int r = 0;

	if (most > GATHER_NS)
		most = GATHER_NS;
	until = now_ns() + most;
	t.tv_sec = (time_t)(until / 1000000000);
	t.tv_nsec = (long)(until % 1000000000);
	while (log->waiting < log->crowd && log->waiting < BATCH && r == 0)
		r = pthread_cond_timedwait(&log->arrival, &log->lock, &t);
	/* who does not come back is soon not waited for */
	log->crowd -= (log->crowd + 7) / 8;
	if (log->crowd < log->inside)
		log->crowd = log->inside;
}

/* One caller writes for all who wait; the rest sleep. */
static void
flush_locked(struct kms_release_log *log)
{
	struct waiter *w, *next, *batch;
	int64_t began;
	int r;

	log->busy = true;
	gather_locked(log);
	batch = take_batch_locked(log);
	pthread_mutex_unlock(&log->lock);
	began = now_ns();
	r = append_batch(log, batch);
	began = now_ns() - began;
	pthread_mutex_lock(&log->lock);
	log->write_ns += (began - log->write_ns) / 8;
	log->busy = false;
	if (r != 0)
		snprintf(log->cause, sizeof(log->cause), "%s",
		    kms_err_cause(r));
	for (w = batch; w != NULL; w = next) {
		next = w->next; /* its stack is gone once it is done */
		w->result = r;
		w->done = true;
	}
	/* not under the lock, or all who wake would sleep again for it */
	pthread_mutex_unlock(&log->lock);
	pthread_cond_broadcast(&log->turn);
	pthread_mutex_lock(&log->lock);
}

static void
give_up_locked(struct kms_release_log *log, struct waiter *me)
{
	struct waiter **at = &log->first;

	while (*at != me)
		at = &(*at)->next;
	*at = me->next;
	if (me->next == NULL)
		log->last = at;
	log->waiting--;
	me->result = busy_fail(log);
	me->done = true;
}

/* Once taken, a record may be on the disk: its caller waits for the outcome
 * without a deadline. The writer's own waits are bounded. */
static void
wait_locked(struct kms_release_log *log, struct waiter *me)
{
	struct timespec until = deadline_in(log->wait_ms);
	int r = 0;

	while (!me->done) {
		if (!log->busy && !me->taken)
			flush_locked(log);
		else if (me->taken)
			pthread_cond_wait(&log->turn, &log->lock);
		else if (r == ETIMEDOUT)
			give_up_locked(log, me);
		else
			r = pthread_cond_timedwait(&log->turn, &log->lock,
			    &until);
	}
}

int
kms_release_log_append(struct kms_release_log *log,
    struct kms_release_entry *entry)
{
	struct waiter me = {.entry = entry};
	int r;

	if (log->readonly)
		return kms_fail(KMS_ERR_INTERNAL, "%s: opened for reading",
		    log->path);
	r = kms_release_entry_check(entry); /* one must not fail the others */
	if (r != 0)
		return r;
	pthread_mutex_lock(&log->lock);
	*log->last = &me;
	log->last = &me.next;
	log->waiting++;
	log->inside++;
	if (log->crowd < log->inside)
		log->crowd = log->inside;
	pthread_cond_signal(&log->arrival);
	wait_locked(log, &me);
	log->inside--;
	r = me.result;
	if (r != 0 && me.taken)
		r = kms_fail(r, "%s", log->cause);
	pthread_mutex_unlock(&log->lock);
	return r;
}

int
kms_log_end(struct kms_release_log *log, struct kms_log_head *end)
{
	int r;

	r = kms_log_take_turn(log);
	if (r != 0)
		return r;
	r = refused(log);
	if (r == 0)
		r = kms_log_lock_file(log);
	if (r == 0) {
		r = catch_up_durably(log);
		kms_log_unlock_file(log);
	}
	*end = log->end;
	kms_log_end_turn(log);
	return r;
}

void
kms_release_log_last(struct kms_release_log *log, struct kms_log_head *head)
{
	*head = log->end;
}

int
kms_release_log_head(struct kms_release_log *log, struct kms_log_head *head)
{
	struct kms_log_head end;
	int r;

	r = kms_log_end(log, &end);
	if (r == 0)
		*head = end;
	return r;
}
