#include "kms/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/base/crypt.h"
#include "kms/base/file.h"

/*
 * Head:  magic(8) | version(2) | kdf(1) | cost(1) | salt(16) | UUID(16) |
 *        check value of the container key(8)
 * Piece: length(4) | nonce(12) | ciphertext | tag(16), AAD SHA-256(head) |
 *        number(8) | last(1)
 */
#define MAGIC "p11kexp\1"
#define VERSION 1u
#define HEAD_LEN 52u
#define USE_EXPORT "p11kms/1/export"
#define PLAIN_MAX (4096u + KMS_ATTRS_MAX)
#define PIECE_OVER (KMS_GCM_IV + KMS_GCM_TAG)
#define AAD_LEN (KMS_SHA256_LEN + 8 + 1)
#define LAYOUT 1u

struct piece { /* what both directions share */
	struct kms_gcm *gcm;
	uint8_t head_hash[KMS_SHA256_LEN];
	uint64_t number;
};

struct kms_container_writer {
	FILE *file;
	char *path, *part;
	struct piece at;
};

struct kms_container_reader {
	FILE *file;
	char *path;
	uint8_t uuid[16];
	struct piece at;
	bool ended;
};

void
kms_container_entry_clear(struct kms_container_entry *e)
{
	kms_secret_free(&e->key);
	free(e->attrs);
	memset(e, 0, sizeof(*e));
}

static void
aad_of(const struct piece *at, bool last, uint8_t aad[AAD_LEN])
{
	memcpy(aad, at->head_hash, KMS_SHA256_LEN);
	kms_put64(aad + KMS_SHA256_LEN, at->number);
	aad[AAD_LEN - 1] = last;
}

static int
container_key(const struct kms_secret *phrase, const uint8_t salt[16],
    unsigned cost, struct kms_secret **key)
{
	uint8_t s[sizeof(USE_EXPORT) + 16]; /* the NUL separates */

	memcpy(s, USE_EXPORT, sizeof(USE_EXPORT));
	memcpy(s + sizeof(USE_EXPORT), salt, 16);
	return kms_pbkdf2(phrase, (struct kms_bytes){s, sizeof(s)}, cost, key);
}

/* The entry holds the key: its encoding lies in locked memory. */
static int
encode(const struct kms_container_entry *e, struct kms_secret **out)
{
	struct kms_secret *s = NULL;
	struct kms_wr wr;
	int r;

	*out = NULL;
	r = kms_secret_new(4096 + e->attrs_len, &s);
	if (r != 0)
		return r;
	kms_wr_fixed(&wr, kms_secret_fill(s), kms_secret_len(s));
	kms_wr_u8(&wr, LAYOUT);
	kms_wr_str(&wr, e->group);
	kms_wr_str(&wr, e->group_description);
	kms_wr_str(&wr, e->name);
	kms_wr_str(&wr, e->description);
	kms_wr_u8(&wr, e->tag.len);
	kms_wr_bytes(&wr, e->tag.b, e->tag.len);
	kms_wr_u8(&wr, (uint8_t)e->origin);
	kms_wr_u8(&wr, (uint8_t)e->state);
	kms_wr_u64(&wr, (uint64_t)e->created);
	kms_wr_u64(&wr, (uint64_t)e->activated);
	kms_wr_u64(&wr, (uint64_t)e->deactivated);
	kms_wr_bytes(&wr, kms_secret_bytes(e->key), KMS_KEY_LEN);
	kms_wr_u32(&wr, (uint32_t)e->attrs_len);
	kms_wr_bytes(&wr, e->attrs, e->attrs_len);
	r = kms_wr_check(&wr, "export entry");
	if (r == 0)
		r = kms_secret_truncate(s, wr.len);
	if (r == 0)
		*out = kms_secret_take(&s);
	kms_secret_free(&s);
	return r;
}

static int
decode_attrs(struct kms_rd *rd, struct kms_container_entry *e)
{
	const uint8_t *p;
	size_t n = kms_rd_u32(rd);

	if (n > KMS_ATTRS_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "export entry: attributes");
	p = kms_rd_bytes(rd, n);
	if (p == NULL || n == 0)
		return 0;
	e->attrs = malloc(n);
	if (e->attrs == NULL)
		return kms_fail(KMS_ERR_MEMORY, "export entry");
	memcpy(e->attrs, p, n);
	e->attrs_len = n;
	return 0;
}

static int
check_entry(const struct kms_container_entry *e)
{
	if (e->tag.len == 0 || e->state < KMS_PRELIVE ||
	    e->state > KMS_TERMINATED || e->origin < KMS_ORIGIN_RANDOM ||
	    e->origin > KMS_ORIGIN_IMPORT)
		return kms_fail(KMS_ERR_DAMAGED,
		    "export entry: value out of range");
	return 0;
}

static int
decode(const struct kms_secret *s, struct kms_container_entry *e)
{
	struct kms_rd rd;
	uint8_t layout, origin, state;
	int r;

	kms_rd_init(&rd, kms_secret_bytes(s), kms_secret_len(s));
	layout = kms_rd_u8(&rd);
	if (layout > LAYOUT)
		return kms_fail(KMS_ERR_VERSION,
		    "export entry: layout %u is newer than this program",
		    layout);
	kms_rd_str(&rd, e->group, sizeof(e->group));
	kms_rd_str(&rd, e->group_description, sizeof(e->group_description));
	kms_rd_str(&rd, e->name, sizeof(e->name));
	kms_rd_str(&rd, e->description, sizeof(e->description));
	e->tag.len = kms_rd_u8(&rd);
	if (e->tag.len > KMS_TAG_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "export entry: tag length");
	kms_rd_copy(&rd, e->tag.b, e->tag.len);
	origin = kms_rd_u8(&rd);
	state = kms_rd_u8(&rd);
	e->origin = (enum kms_origin)origin;
	e->state = (enum kms_state)state;
	e->created = (int64_t)kms_rd_u64(&rd);
	e->activated = (int64_t)kms_rd_u64(&rd);
	e->deactivated = (int64_t)kms_rd_u64(&rd);
	r = kms_secret_new(KMS_KEY_LEN, &e->key);
	if (r != 0)
		return r;
	kms_rd_copy(&rd, kms_secret_fill(e->key), KMS_KEY_LEN);
	r = decode_attrs(&rd, e);
	if (r == 0)
		r = kms_rd_end(&rd, "export entry");
	return r == 0 ? check_entry(e) : r;
}

/* --- writing ------------------------------------------------------------ */

static int
write_all(struct kms_container_writer *w, const void *p, size_t n)
{
	if (n == 0 || fwrite(p, 1, n, w->file) == n)
		return 0;
	return kms_fail(KMS_ERR_IO, "%s: %s", w->part, strerror(errno));
}

static int
write_piece(struct kms_container_writer *w, const void *plain, size_t len,
    bool last)
{
	uint8_t aad[AAD_LEN], head[4 + KMS_GCM_IV], tag[KMS_GCM_TAG];
	uint8_t *ct;
	int r;

	if (len > PLAIN_MAX)
		return kms_fail(KMS_ERR_LIMIT, "export entry is too long");
	ct = malloc(len + 1);
	if (ct == NULL)
		return kms_fail(KMS_ERR_MEMORY, "export entry");
	aad_of(&w->at, last, aad);
	kms_put32(head, (uint32_t)(len + PIECE_OVER));
	r = kms_random(head + 4, KMS_GCM_IV);
	if (r == 0)
		r = kms_gcm_seal(w->at.gcm, head + 4,
		    (struct kms_bytes){aad, sizeof(aad)}, plain, len, ct, tag);
	if (r == 0)
		r = write_all(w, head, sizeof(head));
	if (r == 0)
		r = write_all(w, ct, len);
	if (r == 0)
		r = write_all(w, tag, sizeof(tag));
	w->at.number++;
	free(ct);
	return r;
}

static int
open_part(struct kms_container_writer *w, const char *path)
{
	int fd;

	w->path = strdup(path);
	if (w->path == NULL || asprintf(&w->part, "%s.part", path) < 0) {
		w->part = NULL;
		return kms_fail(KMS_ERR_MEMORY, "export");
	}
	if (access(path, F_OK) == 0)
		return kms_fail(KMS_ERR_EXISTS,
		    "%s exists already; name a new file", path);
	/* Left by a killed export: never a finished one. */
	if (unlink(w->part) != 0 && errno != ENOENT)
		return kms_fail(KMS_ERR_IO, "%s: %s", w->part, strerror(errno));
	fd = open(w->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd < 0)
		return kms_fail(KMS_ERR_IO, "%s: %s", w->part, strerror(errno));
	w->file = fdopen(fd, "w");
	if (w->file == NULL) {
		close(fd);
		return kms_fail(KMS_ERR_MEMORY, "export");
	}
	return 0;
}

static int
write_head(struct kms_container_writer *w, const struct kms_secret *phrase,
    unsigned cost, const uint8_t uuid[16])
{
	uint8_t head[HEAD_LEN], salt[16], kcv[KMS_KCV_LEN];
	struct kms_secret *key = NULL;
	struct kms_wr wr;
	int r;

	r = kms_random(salt, sizeof(salt));
	if (r == 0)
		r = container_key(phrase, salt, cost, &key);
	if (r == 0)
		r = kms_kcv(key, kcv);
	if (r == 0)
		r = kms_gcm_new(key, &w->at.gcm);
	kms_secret_free(&key);
	if (r != 0)
		return r;
	kms_wr_fixed(&wr, head, sizeof(head));
	kms_wr_bytes(&wr, MAGIC, 8);
	kms_wr_u16(&wr, VERSION);
	kms_wr_u8(&wr, KMS_KDF_PBKDF2_SHA512);
	kms_wr_u8(&wr, (uint8_t)cost);
	kms_wr_bytes(&wr, salt, sizeof(salt));
	kms_wr_bytes(&wr, uuid, 16);
	kms_wr_bytes(&wr, kcv, sizeof(kcv));
	r = kms_sha256(head, sizeof(head), w->at.head_hash);
	return r != 0 ? r : write_all(w, head, sizeof(head));
}

int
kms_container_create(const char *path, const struct kms_secret *phrase,
    unsigned cost, const uint8_t uuid[16], struct kms_container_writer **out)
{
	struct kms_container_writer *w;
	int r;

	*out = NULL;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return kms_fail(KMS_ERR_MEMORY, "export");
	r = open_part(w, path);
	if (r == 0)
		r = write_head(w, phrase, cost, uuid);
	if (r == 0)
		*out = w;
	else
		kms_container_discard(&w);
	return r;
}

int
kms_container_add(struct kms_container_writer *w,
    const struct kms_container_entry *e)
{
	struct kms_secret *plain = NULL;
	int r;

	r = encode(e, &plain);
	if (r == 0)
		r = write_piece(w, kms_secret_bytes(plain),
		    kms_secret_len(plain), false);
	kms_secret_free(&plain);
	return r;
}

static bool
is_ours(const struct kms_container_writer *w)
{
	struct stat a, b;

	return fstat(fileno(w->file), &a) == 0 && lstat(w->path, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* link(2) refuses to replace, which rename(2) does not. Another export to the
 * same place may have put its own unfinished file under that name. */
static int
give_name(struct kms_container_writer *w)
{
	if (fflush(w->file) != 0 || fsync(fileno(w->file)) != 0)
		return kms_fail(KMS_ERR_IO, "%s: %s", w->part, strerror(errno));
	if (link(w->part, w->path) != 0)
		return kms_fail(errno == EEXIST ? KMS_ERR_EXISTS : KMS_ERR_IO,
		    "%s: %s", w->path, strerror(errno));
	if (!is_ours(w)) {
		(void)unlink(w->path);
		return kms_fail(KMS_ERR_BUSY,
		    "%s: another export writes it; name a new file", w->path);
	}
	return kms_file_sync_dir(w->path);
}

int
kms_container_finish(struct kms_container_writer **wp)
{
	int r;

	r = write_piece(*wp, "", 0, true);
	if (r == 0)
		r = give_name(*wp);
	kms_container_discard(wp);
	return r;
}

void
kms_container_discard(struct kms_container_writer **wp)
{
	struct kms_container_writer *w = *wp;

	if (w == NULL)
		return;
	if (w->file != NULL)
		fclose(w->file);
	if (w->file != NULL && w->part != NULL)
		(void)unlink(w->part);
	kms_gcm_free(&w->at.gcm);
	free(w->path);
	free(w->part);
	free(w);
	*wp = NULL;
}

/* --- reading ------------------------------------------------------------ */

static int
damaged(const struct kms_container_reader *c)
{
	return kms_fail(KMS_ERR_DAMAGED,
	    "%s: entry %llu is changed or cut; take another copy of the file",
	    c->path, (unsigned long long)c->at.number + 1);
}

static int
read_exactly(struct kms_container_reader *c, void *p, size_t n)
{
	if (fread(p, 1, n, c->file) == n)
		return 0;
	if (ferror(c->file))
		return kms_fail(KMS_ERR_IO, "%s: %s", c->path, strerror(errno));
	return damaged(c);
}

static int
check_phrase(struct kms_container_reader *c, const struct kms_secret *phrase,
    const uint8_t salt[16], unsigned cost, const uint8_t kcv[KMS_KCV_LEN])
{
	struct kms_secret *key = NULL;
	uint8_t mine[KMS_KCV_LEN];
	int r;

	r = container_key(phrase, salt, cost, &key);
	if (r == 0)
		r = kms_kcv(key, mine);
	if (r == 0 && !kms_equal(mine, kcv, sizeof(mine)))
		r = kms_fail(KMS_ERR_AUTH,
		    "%s: passphrase is not the one it was exported with",
		    c->path);
	if (r == 0)
		r = kms_gcm_new(key, &c->at.gcm);
	kms_secret_free(&key);
	return r;
}

static int
read_head(struct kms_container_reader *c, const struct kms_secret *phrase)
{
	uint8_t head[HEAD_LEN], magic[8], salt[16], kcv[KMS_KCV_LEN];
	uint8_t kdf, cost;
	uint16_t version;
	struct kms_rd rd;
	int r;

	if (fread(head, 1, sizeof(head), c->file) != sizeof(head))
		memset(head, 0, sizeof(head));
	kms_rd_init(&rd, head, sizeof(head));
	kms_rd_copy(&rd, magic, sizeof(magic));
	version = kms_rd_u16(&rd);
	kdf = kms_rd_u8(&rd);
	cost = kms_rd_u8(&rd);
	kms_rd_copy(&rd, salt, sizeof(salt));
	kms_rd_copy(&rd, c->uuid, sizeof(c->uuid));
	kms_rd_copy(&rd, kcv, sizeof(kcv));
	if (memcmp(magic, MAGIC, sizeof(magic)) != 0)
		return kms_fail(KMS_ERR_DAMAGED, "%s: not an export container",
		    c->path);
	if (version > VERSION || kdf > KMS_KDF_PBKDF2_SHA512)
		return kms_fail(KMS_ERR_VERSION,
		    "%s: format %u is newer than this program", c->path,
		    version);
	if (version == 0 || kdf != KMS_KDF_PBKDF2_SHA512 ||
	    cost < KMS_KDF_COST_MIN || cost > KMS_KDF_COST_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "%s: head is changed",
		    c->path);
	r = kms_sha256(head, sizeof(head), c->at.head_hash);
	return r != 0 ? r : check_phrase(c, phrase, salt, cost, kcv);
}

int
kms_container_open(const char *path, const struct kms_secret *phrase,
    struct kms_container_reader **out)
{
	struct kms_container_reader *c;
	int fd = -1, r;

	*out = NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return kms_fail(KMS_ERR_MEMORY, "import");
	c->path = strdup(path);
	r = c->path == NULL ? kms_fail(KMS_ERR_MEMORY, "import")
			    : kms_file_open(path, O_RDONLY, false, &fd);
	if (r == 0) {
		c->file = fdopen(fd, "r");
		if (c->file == NULL) {
			close(fd);
			r = kms_fail(KMS_ERR_MEMORY, "import");
		}
	}
	if (r == 0)
		r = read_head(c, phrase);
	if (r == 0)
		*out = c;
	else
		kms_container_close(&c);
	return r;
}

const uint8_t *
kms_container_uuid(const struct kms_container_reader *c)
{
	return c->uuid;
}

/* One piece, opened where it was read into, in locked memory. The end is the
 * empty piece, and its AAD says so too. */
static int
read_piece(struct kms_container_reader *c, struct kms_secret **plain,
    bool *last)
{
	uint8_t head[4 + KMS_GCM_IV], tag[KMS_GCM_TAG], aad[AAD_LEN];
	uint8_t *p;
	size_t len;
	int r;

	r = read_exactly(c, head, sizeof(head));
	if (r != 0)
		return r;
	len = kms_get32(head);
	if (len < PIECE_OVER || len - PIECE_OVER > PLAIN_MAX)
		return damaged(c);
	len -= PIECE_OVER;
	*last = len == 0;
	r = kms_secret_new(len, plain);
	if (r != 0)
		return r;
	p = kms_secret_fill(*plain);
	r = read_exactly(c, p, len);
	if (r == 0)
		r = read_exactly(c, tag, sizeof(tag));
	if (r != 0)
		return r;
	aad_of(&c->at, *last, aad);
	r = kms_gcm_open(c->at.gcm, head + 4,
	    (struct kms_bytes){aad, sizeof(aad)}, p, len, p, tag);
	return r == 0 ? 0 : damaged(c);
}

int
kms_container_next(struct kms_container_reader *c,
    struct kms_container_entry *e)
{
	struct kms_secret *plain = NULL;
	bool last = false;
	int r;

	memset(e, 0, sizeof(*e));
	if (c->ended)
		return KMS_ERR_NOTFOUND;
	r = read_piece(c, &plain, &last);
	if (r == 0 && last) {
		c->ended = true;
		r = fgetc(c->file) == EOF ? KMS_ERR_NOTFOUND : damaged(c);
	} else if (r == 0) {
		r = decode(plain, e);
		c->at.number++;
	}
	if (r != 0)
		kms_container_entry_clear(e);
	kms_secret_free(&plain);
	return r;
}

void
kms_container_close(struct kms_container_reader **cp)
{
	struct kms_container_reader *c = *cp;

	if (c == NULL)
		return;
	if (c->file != NULL)
		fclose(c->file);
	kms_gcm_free(&c->at.gcm);
	free(c->path);
	free(c);
	*cp = NULL;
}
