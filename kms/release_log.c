#include "kms/release_log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/base/file.h"

#define OUT_MAX (128u * KMS_LOG_RECORD_MAX)

static int
io_fail(const char *path, const char *what)
{
	return kms_fail(KMS_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

static int
init_sync(struct kms_release_log *log)
{
	pthread_condattr_t attr;

	if (pthread_mutex_init(&log->lock, NULL) != 0 ||
	    pthread_condattr_init(&attr) != 0)
		return kms_fail(KMS_ERR_MEMORY, "release log: no lock");
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (pthread_cond_init(&log->turn, &attr) != 0 ||
	    pthread_cond_init(&log->arrival, &attr) != 0)
		return kms_fail(KMS_ERR_MEMORY, "release log: no condition");
	(void)pthread_condattr_destroy(&attr);
	return 0;
}

/* Everything but the file itself. */
static int
make(const struct kms_release_log_options *opt, struct kms_release_log **out)
{
	struct kms_release_log *log;
	int r;

	*out = NULL;
	log = calloc(1, sizeof(*log));
	if (log == NULL)
		return kms_fail(KMS_ERR_MEMORY, "release log: out of memory");
	r = init_sync(log);
	if (r != 0) {
		free(log);
		return r;
	}
	log->last = &log->first;
	log->readonly = opt->readonly;
	log->wait_ms = opt->wait_ms;
	log->file.fd = -1;
	kms_wr_grow(&log->out, OUT_MAX);
	log->path = strdup(opt->path);
	if (log->path == NULL) {
		kms_release_log_close(&log);
		return kms_fail(KMS_ERR_MEMORY, "release log: out of memory");
	}
	log->file.path = log->path;
	*out = log;
	return 0;
}

void
kms_release_log_close(struct kms_release_log **lp)
{
	struct kms_release_log *log;

	if (lp == NULL || *lp == NULL)
		return;
	log = *lp;
	if (log->file.fd >= 0)
		close(log->file.fd);
	kms_log_file_clear(&log->file);
	kms_wr_free(&log->out);
	pthread_cond_destroy(&log->turn);
	pthread_cond_destroy(&log->arrival);
	pthread_mutex_destroy(&log->lock);
	free(log->path);
	free(log);
	*lp = NULL;
}

/* --- create ------------------------------------------------------------ */

static int
make_file(struct kms_release_log *log)
{
	log->file.fd = open(log->path,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (log->file.fd >= 0)
		return 0;
	if (errno == EEXIST)
		return kms_fail(KMS_ERR_EXISTS, "%s: exists already",
		    log->path);
	return io_fail(log->path, "create");
}

static int
write_header(struct kms_release_log *log,
    const struct kms_release_log_options *opt)
{
	uint8_t header[KMS_LOG_HEADER];
	int r;

	r = kms_log_header_make(opt, &log->file, header, &log->end);
	if (r == 0)
		r = kms_log_make_room(log, KMS_LOG_LENGTH);
	if (r == 0)
		r = kms_log_pwrite(&log->file, header, sizeof(header), 0);
	if (r == 0 && fsync(log->file.fd) != 0)
		r = io_fail(log->path, "sync");
	if (r == 0)
		r = kms_file_sync_dir(log->path);
	return r;
}

int
kms_release_log_create(const struct kms_release_log_options *opt,
    struct kms_release_log **out)
{
	struct kms_release_log *log = NULL;
	int r;

	*out = NULL;
	r = kms_file_check_dir(opt->path, true);
	if (r == 0)
		r = make(opt, &log);
	if (r == 0)
		r = make_file(log);
	if (r != 0)
		goto out;
	r = write_header(log, opt);
	if (r != 0) {
		(void)unlink(log->path);
		goto out;
	}
	log->found.state = KMS_RELEASE_LOG_COMPLETE;
	*out = log;
	log = NULL; /* transferred */
out:
	kms_release_log_close(&log);
	return r;
}

/* --- open -------------------------------------------------------------- */

static int
read_header(struct kms_release_log *log,
    const struct kms_release_log_options *opt)
{
	uint8_t header[KMS_LOG_HEADER];
	size_t got;
	int r;

	r = kms_log_pread(&log->file, header, sizeof(header), 0, &got);
	if (r == 0 && got != sizeof(header))
		r = kms_fail(KMS_ERR_DAMAGED, "%s: too short for its header",
		    log->path);
	if (r == 0)
		r = kms_log_header_check(opt, &log->file, header, &log->end);
	return r;
}

/* Does the record that the root calls the last end where it says? */
static int
reaches(struct kms_release_log *log, const struct kms_log_head *head, bool *yes)
{
	uint8_t tag[KMS_GCM_TAG];
	size_t got;
	int r;

	*yes = false;
	if (head->size < KMS_LOG_HEADER || head->size > INT64_MAX)
		return 0;
	r = kms_log_pread(&log->file, tag, sizeof(tag),
	    head->size - sizeof(tag), &got);
	if (r == 0)
		*yes = got == sizeof(tag) &&
		    kms_equal(tag, head->tag, sizeof(tag));
	return r;
}

/* What lies at the end: nothing, a torn tail, or damage. */
static int
judge_end(struct kms_release_log *log, const struct kms_log_head *head)
{
	struct kms_release_log_report *found = &log->found;
	enum kms_log_step step;
	bool damage = false;
	int r;

	r = kms_log_catch_up(log, &step);
	if (r == 0)
		r = kms_log_proves_damage(&log->file, &log->end, &damage);
	if (r != 0)
		return r;
	damage = damage || step == KMS_LOG_GONE;
	found->seq = log->end.seq;
	found->state = step == KMS_LOG_END ? KMS_RELEASE_LOG_COMPLETE
					   : KMS_RELEASE_LOG_TORN;
	if (log->end.seq < head->seq)
		found->state = KMS_RELEASE_LOG_SHORT;
	if (damage || (step == KMS_LOG_BAD && log->end.seq < head->seq)) {
		found->state = KMS_RELEASE_LOG_DAMAGED;
		found->bad_seq = log->end.seq + 1;
	}
	return 0;
}

/* From the root's head on, or from the beginning when that is not there. */
static int
find_end(struct kms_release_log *log, const struct kms_log_head *head)
{
	bool same = memcmp(head->id, log->file.id, sizeof(head->id)) == 0;
	bool reached = false;
	int r = 0;

	if (same)
		r = reaches(log, head, &reached);
	if (r == 0 && reached)
		log->end = *head;
	if (r == 0)
		r = judge_end(log, head);
	if (r != 0)
		return r;
	if (!same)
		log->found.state = KMS_RELEASE_LOG_OTHER;
	else if (!reached && log->end.seq >= head->seq) {
		/* whole, and yet another record ends there */
		log->found.state = KMS_RELEASE_LOG_DAMAGED;
		log->found.bad_seq = head->seq;
	}
	if (log->found.state != KMS_RELEASE_LOG_COMPLETE &&
	    log->found.state != KMS_RELEASE_LOG_TORN)
		log->refuses = KMS_ERR_DAMAGED;
	return 0;
}

int
kms_release_log_open(const struct kms_release_log_options *opt,
    const struct kms_log_head *head, struct kms_release_log **out,
    struct kms_release_log_report *report)
{
	struct kms_release_log *log = NULL;
	int r;

	*out = NULL;
	r = make(opt, &log);
	if (r == 0)
		r = kms_file_open(opt->path, opt->readonly ? O_RDONLY : O_RDWR,
		    !opt->readonly, &log->file.fd);
	if (r == 0)
		r = read_header(log, opt);
	if (r == 0)
		r = kms_log_lock_file(log);
	if (r != 0)
		goto out;
	r = find_end(log, head);
	kms_log_unlock_file(log);
	if (r != 0)
		goto out;
	if (report != NULL)
		*report = log->found;
	*out = log;
	log = NULL; /* transferred */
out:
	kms_release_log_close(&log);
	return r;
}

/* --- scan -------------------------------------------------------------- */

/* A reader of its own, so that appends go on meanwhile. */
static int
make_reader(struct kms_release_log *log, struct kms_log_file *reader,
    struct kms_log_head *start)
{
	*reader = log->file;
	reader->gcm = NULL;
	reader->key = NULL; /* stays the log's */
	*start = (struct kms_log_head){.size = KMS_LOG_HEADER};
	memcpy(start->id, log->file.id, sizeof(start->id));
	return kms_gcm_new(log->file.key, &reader->gcm);
}

static int
read_start_tag(struct kms_log_file *reader, struct kms_log_head *start)
{
	size_t got;
	int r;

	r = kms_log_pread(reader, start->tag, sizeof(start->tag),
	    KMS_LOG_HEADER - sizeof(start->tag), &got);
	if (r == 0 && got != sizeof(start->tag))
		r = kms_fail(KMS_ERR_DAMAGED, "%s: its header is gone",
		    reader->path);
	return r;
}

static int
scan_to(struct kms_log_file *reader, struct kms_log_head *at, uint64_t last,
    int (*each)(void *, const struct kms_release_entry *), void *ctx,
    struct kms_release_log_report *found)
{
	enum kms_log_step step = KMS_LOG_RECORD;
	struct kms_release_entry e;
	int r = 0;

	while (r == 0 && at->seq < last) {
		r = kms_log_read(reader, at, &e, &step);
		if (r == 0 && step != KMS_LOG_RECORD) {
			found->state = KMS_RELEASE_LOG_DAMAGED;
			found->bad_seq = at->seq + 1;
			return 0;
		}
		if (r == 0 && each != NULL)
			r = each(ctx, &e);
	}
	return r;
}

static int
found_wrong(const struct kms_release_log *log,
    const struct kms_release_log_report *found)
{
	switch (found->state) {
	case KMS_RELEASE_LOG_COMPLETE:
	case KMS_RELEASE_LOG_TORN:
		return 0;
	case KMS_RELEASE_LOG_SHORT:
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: cut off after record %llu", log->path,
		    (unsigned long long)found->seq);
	case KMS_RELEASE_LOG_DAMAGED:
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: record %llu does not verify", log->path,
		    (unsigned long long)found->bad_seq);
	case KMS_RELEASE_LOG_OTHER:
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: not the release log that the store names", log->path);
	}
	return kms_fail(KMS_ERR_INTERNAL, "release log: state");
}

int
kms_release_log_scan(struct kms_release_log *log,
    int (*each)(void *, const struct kms_release_entry *), void *ctx,
    struct kms_release_log_report *report)
{
	struct kms_release_log_report found;
	struct kms_log_head end = {0}, at;
	struct kms_log_file reader;
	int r;

	r = kms_log_end(log, &end);
	if (r == KMS_ERR_BUSY)
		return r;
	found = log->found;
	r = make_reader(log, &reader, &at);
	if (r != 0)
		return r;
	r = read_start_tag(&reader, &at);
	if (r == 0)
		r = scan_to(&reader, &at, end.seq, each, ctx, &found);
	kms_gcm_free(&reader.gcm);
	found.seq = at.seq;
	if (r == 0)
		r = found_wrong(log, &found);
	if (report != NULL)
		*report = found;
	return r;
}
