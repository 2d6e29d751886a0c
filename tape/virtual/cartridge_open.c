#include "tape/virtual/cartridge_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/base/buf.h"
#include "kms/base/file.h"

#define CAPACITY_MIN (1024ull * 1024)

static int
label_check(const struct vt_label *l)
{
	size_t len = strlen(l->barcode);

	for (size_t i = 0; i < len; i++)
		if (l->barcode[i] <= ' ' || l->barcode[i] > '~')
			len = 0;
	if (len == 0 || len > VT_TEXT)
		return kms_fail(KMS_ERR_USAGE,
		    "barcode: give 1 to %u printable characters", VT_TEXT);
	if (l->generation < 4 || l->generation > 9)
		return kms_fail(KMS_ERR_USAGE, "generation: 4 to 9");
	if (l->capacity < CAPACITY_MIN)
		return kms_fail(KMS_ERR_USAGE, "size: at least %llu bytes",
		    CAPACITY_MIN);
	return 0;
}

static int
header_make(const struct vt_label *l, struct vt_header *h)
{
	uint8_t id[8];

	memset(h, 0, sizeof(*h));
	h->generation = (uint8_t)l->generation;
	h->capacity = l->capacity;
	memcpy(h->barcode, l->barcode, strlen(l->barcode));
	int err = kms_random(id, sizeof(id));
	if (!err)
		err = kms_random(h->medium_key, sizeof(h->medium_key));
	if (!err)
		kms_hex(id, sizeof(id), h->serial);
	return err;
}

static int
create_write(int fd, const struct vt_label *l)
{
	uint8_t head[VT_HEADER_LEN], end[VT_END_LEN];
	const struct vt_end first = {.sequence = 1, .offset = VT_RECORDS_AT};
	struct vt_header h;

	int err = header_make(l, &h);
	if (err)
		return err;
	vt_header_encode(&h, head);
	vt_end_encode(&first, end);
	err = vt_cartridge_write_at(fd, end, sizeof(end),
	    VT_END_AT(first.sequence));
	if (!err && ftruncate(fd, VT_RECORDS_AT) < 0)
		err = vt_cartridge_error("set length");
	if (!err)
		err = vt_cartridge_write_at(fd, head, sizeof(head), 0);
	if (!err && fsync(fd) < 0)
		err = vt_cartridge_error("sync");
	return err;
}

int
vt_cartridge_create(const char *path, const struct vt_label *l)
{
	int err = label_check(l);
	if (err)
		return err;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return kms_fail(errno == EEXIST ? KMS_ERR_EXISTS : KMS_ERR_IO,
		    "%s: %s", path, strerror(errno));
	err = create_write(fd, l);
	if (close(fd) < 0 && !err)
		err = vt_cartridge_error("close");
	if (!err)
		err = kms_file_sync_dir(path);
	if (err)
		unlink(path);
	return err;
}

/* Takes records for as long as they continue the chain. */
static int
index_build(struct vt_cartridge *c)
{
	uint8_t buf[VT_RECORD_MAX];
	struct vt_record r;

	c->end_offset = VT_RECORDS_AT;
	c->last_crc = c->header.crc;
	for (;;) {
		ssize_t n = pread(c->fd, buf, sizeof(buf),
		    (off_t)c->end_offset);
		if (n < 0)
			return vt_cartridge_error("read");
		size_t head = vt_record_decode(buf, (size_t)n, &r);
		if (head == 0 || r.before != c->last_crc ||
		    r.object != c->count ||
		    head + r.len > c->file_len - c->end_offset)
			return 0;
		int err = vt_cartridge_index_reserve(c);
		if (err)
			return err;
		vt_cartridge_index_add(c, &r);
	}
}

static int
end_read(struct vt_cartridge *c)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t buf[VT_END_LEN];
		struct vt_end e;
		if (pread(c->fd, buf, sizeof(buf), VT_END_AT(i)) !=
		    (ssize_t)sizeof(buf))
			return vt_cartridge_error("read the end mark");
		if (vt_end_decode(buf, &e) && e.sequence > c->mark.sequence)
			c->mark = e;
	}
	if (c->mark.sequence == 0)
		return kms_fail(KMS_ERR_DAMAGED,
		    "the cartridge's end marks are damaged");
	return 0;
}

static int
file_open(struct vt_cartridge *c, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return kms_fail(errno == ENOENT ? KMS_ERR_NOTFOUND : KMS_ERR_IO,
		    "%s: %s; make one with vtaped -create", path,
		    strerror(errno));
	c->protected = (st.st_mode & 0222) == 0;
	int err = kms_file_open(path, c->protected ? O_RDONLY : O_RDWR, false,
	    &c->fd);
	if (err)
		return err;
	if (flock(c->fd, LOCK_EX | LOCK_NB) < 0)
		return kms_fail(KMS_ERR_BUSY, "%s: another drive has this tape",
		    path);
	if (fstat(c->fd, &st) < 0)
		return vt_cartridge_error("stat");
	c->file_len = (uint64_t)st.st_size;
	if (c->file_len < VT_RECORDS_AT)
		return kms_fail(KMS_ERR_DAMAGED, "%s: not a cartridge file",
		    path);
	return 0;
}

static int
header_read(struct vt_cartridge *c)
{
	uint8_t buf[VT_HEADER_LEN];
	struct kms_secret *key = NULL;

	if (pread(c->fd, buf, sizeof(buf), 0) != (ssize_t)sizeof(buf))
		return vt_cartridge_error("read the header");
	int err = vt_header_decode(buf, &c->header);
	if (!err)
		err = kms_secret_from(c->header.medium_key,
		    sizeof(c->header.medium_key), &key);
	if (!err)
		err = kms_gcm_new(key, &c->medium);
	kms_secret_free(&key);
	return err;
}

int
vt_cartridge_open(const char *path, struct vt_cartridge **out)
{
	*out = NULL;
	struct vt_cartridge *c = calloc(1, sizeof(*c));
	if (!c)
		return kms_fail(KMS_ERR_MEMORY, "%s: out of memory", path);
	c->fd = -1;
	int err = file_open(c, path);
	if (!err)
		err = header_read(c);
	if (!err)
		err = end_read(c);
	if (!err)
		err = index_build(c);
	if (err) {
		/* Nothing was synced by us: no mark may be written. */
		c->protected = true;
		vt_cartridge_close(&c);
		return err;
	}
	c->damaged = c->count < c->mark.objects;
	c->synced = c->mark;
	*out = c;
	return 0;
}
