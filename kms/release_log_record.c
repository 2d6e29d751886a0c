/* One record of the release log: laid out, sealed, read, verified. */
#include "kms/release_log_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "p11klog"
#define MAGIC_LEN 7u
#define VERSION 1u
#define LAYOUT 2u /* of a record's content; 1 had no medium */
#define INFO_RECORDS "p11kms/1/log"
#define INFO_HEADER "p11kms/1/loghead"

/* Offsets in the header; 8 bytes after the id are zero. */
#define AT_UUID 8u
#define AT_ID 24u
#define AT_CMAC 48u

#define AAD_LEN (16u + 16 + 8 + 16)
/* How far beyond the end one looks for what proves damage. */
#define LOOK_MAX (1u << 20)
#define LOOK_TRIES (1u << 16)
#define LEAST_LEN (KMS_LOG_OVERHEAD + 1)

struct opened {
	bool good;
	unsigned nth;
	struct kms_release_entry entry;
};

struct search {
	uint64_t missing; /* number of the record that is not there */
	unsigned tries;   /* left: the bytes may be anything */
	bool found;
};

const char *
kms_use_name(unsigned use)
{
	static const char *const name[] = {"?", "write", "read", "client",
	    "export", "note", "encrypt", "decrypt"};

	return use < sizeof(name) / sizeof(name[0]) ? name[use] : name[0];
}

static int
io_fail(const struct kms_log_file *f, const char *what)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		return kms_fail(KMS_ERR_IO, "%s: disk full", f->path);
	return kms_fail(KMS_ERR_IO, "%s: %s: %s", f->path, what,
	    strerror(errno));
}

int
kms_log_pread(struct kms_log_file *f, void *out, size_t len, uint64_t at,
    size_t *got)
{
	uint8_t *p = out;
	ssize_t n = 1;

	*got = 0;
	while (*got < len && n != 0) {
		n = pread(f->fd, p + *got, len - *got, (off_t)(at + *got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_fail(f, "read");
		*got += (size_t)n;
	}
	return 0;
}

int
kms_log_pwrite(struct kms_log_file *f, const void *in, size_t len, uint64_t at)
{
	const uint8_t *p = in;
	ssize_t n;

	while (len > 0) {
		n = pwrite(f->fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_fail(f, "write");
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* --- header ------------------------------------------------------------ */

/* Each log has keys of its own: HKDF(log key, purpose | 00 | log id). */
static int
derive(const struct kms_secret *log_key, const char *purpose,
    const uint8_t id[16], struct kms_secret **out)
{
	uint8_t info[48];
	size_t n = strlen(purpose) + 1;

	memcpy(info, purpose, n);
	memcpy(info + n, id, 16);
	return kms_hkdf(log_key, (struct kms_bytes){info, n + 16}, KMS_KEY_LEN,
	    out);
}

static int
header_cmac(const struct kms_release_log_options *opt,
    const uint8_t header[KMS_LOG_HEADER], uint8_t out[16])
{
	struct kms_secret *key = NULL;
	int r;

	r = derive(opt->key, INFO_HEADER, header + AT_ID, &key);
	if (r == 0)
		r = kms_cmac(key, header, AT_CMAC, out);
	kms_secret_free(&key);
	return r;
}

static int
take_identity(const struct kms_release_log_options *opt, struct kms_log_file *f,
    const uint8_t header[KMS_LOG_HEADER], struct kms_log_head *head)
{
	int r;

	memcpy(f->uuid, header + AT_UUID, sizeof(f->uuid));
	memcpy(f->id, header + AT_ID, sizeof(f->id));
	r = derive(opt->key, INFO_RECORDS, f->id, &f->key);
	if (r == 0)
		r = kms_gcm_new(f->key, &f->gcm);
	if (r != 0)
		return r;
	/* The chain hangs on the header: its check is the tag before record 1. */
	*head = (struct kms_log_head){.size = KMS_LOG_HEADER};
	memcpy(head->id, f->id, sizeof(head->id));
	memcpy(head->tag, header + AT_CMAC, sizeof(head->tag));
	return 0;
}

int
kms_log_header_make(const struct kms_release_log_options *opt,
    struct kms_log_file *f, uint8_t out[KMS_LOG_HEADER],
    struct kms_log_head *head)
{
	int r;

	memset(out, 0, KMS_LOG_HEADER);
	memcpy(out, MAGIC, MAGIC_LEN);
	out[MAGIC_LEN] = VERSION;
	memcpy(out + AT_UUID, opt->uuid, 16);
	r = kms_random(out + AT_ID, 16);
	if (r == 0)
		r = header_cmac(opt, out, out + AT_CMAC);
	return r != 0 ? r : take_identity(opt, f, out, head);
}

int
kms_log_header_check(const struct kms_release_log_options *opt,
    struct kms_log_file *f, const uint8_t in[KMS_LOG_HEADER],
    struct kms_log_head *head)
{
	uint8_t cmac[16];
	int r;

	if (memcmp(in, MAGIC, MAGIC_LEN) != 0)
		return kms_fail(KMS_ERR_DAMAGED, "%s: not a p11kms release log",
		    f->path);
	if (in[MAGIC_LEN] > VERSION)
		return kms_fail(KMS_ERR_VERSION,
		    "%s: log format %u is newer than this program's %u; use "
		    "the newer p11kms",
		    f->path, in[MAGIC_LEN], VERSION);
	if (memcmp(in + AT_UUID, opt->uuid, 16) != 0)
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: the release log of another store", f->path);
	r = header_cmac(opt, in, cmac);
	if (r != 0)
		return r;
	if (!kms_equal(cmac, in + AT_CMAC, sizeof(cmac)))
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: its header does not verify", f->path);
	return take_identity(opt, f, in, head);
}

void
kms_log_file_clear(struct kms_log_file *f)
{
	kms_gcm_free(&f->gcm);
	kms_secret_free(&f->key);
}

/* --- content ----------------------------------------------------------- */

static bool
text_fits(const char *s)
{
	return kms_utf8(s, strlen(s));
}

static bool
entry_fits(const struct kms_release_entry *e)
{
	return e->tag.len > 0 && e->tag.len <= KMS_TAG_MAX &&
	    text_fits(e->group) && text_fits(e->key) && text_fits(e->drive) &&
	    text_fits(e->volume) && text_fits(e->medium) &&
	    kms_who_fits(&e->who);
}

int
kms_release_entry_check(const struct kms_release_entry *e)
{
	if (!entry_fits(e))
		return kms_fail(KMS_ERR_LIMIT,
		    "release record: a field is out of bounds");
	return 0;
}

int
kms_release_entry_encode(const struct kms_release_entry *e, unsigned nth,
    struct kms_wr *wr)
{
	int r;

	r = kms_release_entry_check(e);
	if (r != 0)
		return r;
	kms_wr_u8(wr, LAYOUT);
	kms_wr_u16(wr, (uint16_t)nth);
	kms_wr_u64(wr, (uint64_t)e->time);
	kms_wr_u64(wr, e->generation);
	kms_wr_u8(wr, e->use);
	kms_wr_u8(wr, e->state);
	kms_tag_encode(&e->tag, wr);
	kms_wr_str(wr, e->group);
	kms_wr_str(wr, e->key);
	kms_wr_str(wr, e->drive);
	kms_wr_str(wr, e->volume);
	kms_wr_str(wr, e->medium);
	kms_who_encode(&e->who, wr);
	return kms_wr_check(wr, "release record");
}

static int
check_layout(unsigned layout)
{
	if (layout > LAYOUT)
		return kms_fail(KMS_ERR_VERSION,
		    "release record: layout %u is newer than this program's "
		    "%u; use the newer p11kms",
		    layout, LAYOUT);
	if (layout == 0)
		return kms_fail(KMS_ERR_DAMAGED,
		    "release record: layout %u never was", layout);
	return 0;
}

int
kms_release_entry_decode(struct kms_release_entry *e, unsigned *nth,
    const void *p, size_t len)
{
	struct kms_rd rd;
	unsigned layout;
	int r;

	memset(e, 0, sizeof(*e));
	kms_rd_init(&rd, p, len);
	layout = kms_rd_u8(&rd);
	r = check_layout(layout);
	if (r != 0)
		return r;
	*nth = kms_rd_u16(&rd);
	e->time = (int64_t)kms_rd_u64(&rd);
	e->generation = kms_rd_u64(&rd);
	e->use = kms_rd_u8(&rd);
	e->state = kms_rd_u8(&rd);
	kms_tag_decode(&e->tag, &rd);
	kms_rd_str(&rd, e->group, sizeof(e->group));
	kms_rd_str(&rd, e->key, sizeof(e->key));
	kms_rd_str(&rd, e->drive, sizeof(e->drive));
	kms_rd_str(&rd, e->volume, sizeof(e->volume));
	if (layout > 1)
		kms_rd_str(&rd, e->medium, sizeof(e->medium));
	kms_who_decode(&e->who, &rd);
	r = kms_rd_end(&rd, "release record");
	if (r == 0 && !entry_fits(e))
		r = kms_fail(KMS_ERR_DAMAGED,
		    "release record: a field is out of bounds");
	return r;
}

/* --- sealed ------------------------------------------------------------ */

static struct kms_bytes
record_aad(const struct kms_log_file *f, uint64_t seq, const uint8_t tag[16],
    uint8_t out[AAD_LEN])
{
	memcpy(out, f->uuid, 16);
	memcpy(out + 16, f->id, 16);
	kms_put64(out + 32, seq);
	memcpy(out + 40, tag, 16);
	return (struct kms_bytes){out, AAD_LEN};
}

/* The head moves over a record that lies where it ends. */
static void
advance(struct kms_log_head *head, const uint8_t tag[16], size_t len)
{
	head->seq++;
	head->size += KMS_LOG_LENGTH + len;
	memcpy(head->tag, tag, sizeof(head->tag));
}

int
kms_log_seal(struct kms_log_file *f, struct kms_log_head *head,
    struct kms_release_entry *e, unsigned nth, struct kms_wr *wr)
{
	uint8_t plain[KMS_LOG_CONTENT_MAX], text[KMS_LOG_CONTENT_MAX];
	uint8_t aad[AAD_LEN], iv[KMS_GCM_IV], tag[KMS_GCM_TAG];
	struct kms_wr content;
	size_t len;
	int r;

	if (head->seq >= KMS_SEALS_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "%s: full; a new log must be begun", f->path);
	kms_wr_fixed(&content, plain, sizeof(plain));
	r = kms_release_entry_encode(e, nth, &content);
	if (r == 0)
		r = kms_random(iv, sizeof(iv));
	if (r == 0)
		r = kms_gcm_seal(f->gcm, iv,
		    record_aad(f, head->seq + 1, head->tag, aad), plain,
		    content.len, text, tag);
	if (r != 0)
		goto out;
	len = KMS_LOG_OVERHEAD + content.len;
	kms_wr_u32(wr, (uint32_t)len);
	kms_wr_bytes(wr, iv, sizeof(iv));
	kms_wr_bytes(wr, text, content.len);
	kms_wr_bytes(wr, tag, sizeof(tag));
	r = kms_wr_check(wr, "release log");
	if (r != 0)
		goto out;
	advance(head, tag, len);
	e->seq = head->seq;
out:
	kms_wipe(plain, sizeof(plain));
	return r;
}

/* Length of the record at p, 0 when there can be none. */
static size_t
length_at(const uint8_t *p, size_t left)
{
	size_t len;

	if (left < KMS_LOG_LENGTH)
		return 0;
	len = kms_get32(p);
	if (len < LEAST_LEN || len > KMS_LOG_RECORD_MAX - KMS_LOG_LENGTH ||
	    len > left - KMS_LOG_LENGTH)
		return 0;
	return len;
}

/*
 * Opens the record of len bytes at p (its length before it) as number seq
 * after the record with that tag. Not that record: 0 and *good false. Sealed
 * by us and yet not readable: an error.
 */
static int
open_record(struct kms_log_file *f, const uint8_t *p, size_t len, uint64_t seq,
    const uint8_t before[16], struct opened *out)
{
	uint8_t plain[KMS_LOG_CONTENT_MAX], aad[AAD_LEN];
	size_t n = len - KMS_LOG_OVERHEAD;
	int r;

	p += KMS_LOG_LENGTH;
	r = kms_gcm_open(f->gcm, p, record_aad(f, seq, before, aad),
	    p + KMS_GCM_IV, n, plain, p + KMS_GCM_IV + n);
	out->good = r == 0;
	if (r == KMS_ERR_DAMAGED) {
		kms_err_clear();
		return 0;
	}
	if (r == 0)
		r = kms_release_entry_decode(&out->entry, &out->nth, plain, n);
	kms_wipe(plain, sizeof(plain));
	out->entry.seq = seq;
	return r;
}

/* Read together with the tag before it: a file that was cut or written over
 * since the head was taken is no place to go on. */
int
kms_log_read(struct kms_log_file *f, struct kms_log_head *head,
    struct kms_release_entry *e, enum kms_log_step *step)
{
	uint8_t buf[KMS_GCM_TAG + KMS_LOG_RECORD_MAX];
	const uint8_t *p = buf + KMS_GCM_TAG;
	struct opened opened;
	size_t got, len;
	int r;

	r = kms_log_pread(f, buf, sizeof(buf), head->size - KMS_GCM_TAG, &got);
	if (r != 0)
		return r;
	*step = KMS_LOG_GONE;
	if (got < KMS_GCM_TAG || !kms_equal(buf, head->tag, KMS_GCM_TAG))
		return 0;
	got -= KMS_GCM_TAG;
	*step = KMS_LOG_END;
	if (got < KMS_LOG_LENGTH || kms_get32(p) == 0)
		return 0;
	*step = KMS_LOG_BAD;
	len = length_at(p, got);
	if (len == 0)
		return 0;
	r = open_record(f, p, len, head->seq + 1, head->tag, &opened);
	if (r != 0 || !opened.good)
		return r;
	*e = opened.entry;
	advance(head, p + KMS_LOG_LENGTH + len - KMS_GCM_TAG, len);
	*step = KMS_LOG_RECORD;
	return 0;
}

/*
 * Is there a record at p, of some number above the missing one, whose write
 * began after the missing one's? The tag it is chained to lies before it.
 */
static int
is_later(struct kms_log_file *f, const uint8_t *p, size_t len, struct search *s,
    size_t distance)
{
	uint64_t most = s->missing + distance / (KMS_LOG_LENGTH + LEAST_LEN);
	struct opened opened;
	uint64_t seq;
	int r;

	for (seq = s->missing + 1; seq <= most && s->tries > 0; seq++) {
		s->tries--;
		r = open_record(f, p, len, seq, p - KMS_GCM_TAG, &opened);
		if (r != 0)
			return r;
		if (!opened.good)
			continue;
		s->found = seq - opened.nth > s->missing;
		return 0;
	}
	return 0;
}

int
kms_log_proves_damage(struct kms_log_file *f, const struct kms_log_head *end,
    bool *damage)
{
	struct search s = {.missing = end->seq + 1, .tries = LOOK_TRIES};
	size_t at, len, got = 0;
	uint8_t *buf;
	int r;

	*damage = false;
	buf = malloc(LOOK_MAX);
	if (buf == NULL)
		return kms_fail(KMS_ERR_MEMORY, "%s: out of memory", f->path);
	r = kms_log_pread(f, buf, LOOK_MAX, end->size, &got);
	for (at = KMS_LOG_LENGTH + LEAST_LEN; at < got; at++) {
		len = length_at(buf + at, got - at);
		if (r == 0 && len != 0 && !s.found)
			r = is_later(f, buf + at, len, &s, at);
	}
	*damage = s.found;
	free(buf);
	return r;
}
