#include "tape/virtual/cartridge_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kms/base/buf.h"

#define DISK_MARGIN (64ull * 1024 * 1024)

int
vt_cartridge_error(const char *what)
{
	int full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

	return kms_fail(full ? KMS_ERR_LIMIT : KMS_ERR_IO, "cartridge: %s: %s",
	    what, strerror(errno));
}

int
vt_cartridge_write_at(int fd, const void *buf, size_t len, off_t at)
{
	ssize_t n = pwrite(fd, buf, len, at);

	if (n == (ssize_t)len)
		return 0;
	if (n >= 0)
		errno = ENOSPC;
	return vt_cartridge_error("write");
}

/* Room for one more, before anything is written. */
int
vt_cartridge_index_reserve(struct vt_cartridge *c)
{
	if (c->count < c->room)
		return 0;
	size_t room = c->room ? c->room * 2 : 1024;
	struct object *p = reallocarray(c->index, room, sizeof(*c->index));
	if (!p)
		return kms_fail(KMS_ERR_MEMORY,
		    "cartridge: index of %zu objects", room);
	c->index = p;
	c->room = room;
	return 0;
}

void
vt_cartridge_index_add(struct vt_cartridge *c, const struct vt_record *r)
{
	size_t head = vt_record_head_len(r);

	c->index[c->count++] = (struct object){
	    .offset = c->end_offset,
	    .marks = c->marks,
	    .len = r->len,
	    .kind = (uint8_t)r->kind,
	    .head_len = (uint8_t)head,
	};
	c->marks += r->kind == VT_FILEMARK;
	c->encrypted += r->kind == VT_ENCRYPTED;
	c->end_offset += head + r->len;
	c->last_crc = r->crc;
}

static int
end_write(struct vt_cartridge *c, uint64_t objects, uint64_t offset)
{
	uint8_t buf[VT_END_LEN];
	struct vt_end e = {c->mark.sequence + 1, objects, offset};

	vt_end_encode(&e, buf);
	int err = vt_cartridge_write_at(c->fd, buf, sizeof(buf),
	    VT_END_AT(e.sequence));
	if (!err)
		c->mark = e;
	return err;
}

void
vt_cartridge_close(struct vt_cartridge **pc)
{
	struct vt_cartridge *c = pc ? *pc : NULL;

	if (!c)
		return;
	/* Best effort: without the mark a later torn tail is only harder to
	 * tell from damage. */
	if (!c->protected && !c->damaged && vt_cartridge_sync(c) == 0 &&
	    c->synced.objects != c->mark.objects &&
	    end_write(c, c->synced.objects, c->synced.offset) == 0)
		(void)fdatasync(c->fd);
	if (c->fd >= 0)
		close(c->fd);
	kms_gcm_free(&c->medium);
	free(c->index);
	free(c);
	*pc = NULL;
}

const struct vt_header *
vt_cartridge_header(const struct vt_cartridge *c)
{
	return &c->header;
}

bool
vt_cartridge_protected(const struct vt_cartridge *c)
{
	return c->protected;
}

bool
vt_cartridge_damaged(const struct vt_cartridge *c)
{
	return c->damaged;
}

uint64_t
vt_cartridge_torn(const struct vt_cartridge *c)
{
	return c->damaged ? 0 : c->file_len - c->end_offset;
}

bool
vt_cartridge_has_encrypted(const struct vt_cartridge *c)
{
	return c->encrypted > 0;
}

uint64_t
vt_cartridge_end(const struct vt_cartridge *c)
{
	return c->count;
}

uint64_t
vt_cartridge_used(const struct vt_cartridge *c)
{
	return c->end_offset;
}

bool
vt_cartridge_has_disk(const struct vt_cartridge *c, uint64_t bytes)
{
	struct statvfs st;

	if (fstatvfs(c->fd, &st) < 0 || st.f_frsize == 0)
		return false;
	return st.f_bavail >= (bytes + DISK_MARGIN) / st.f_frsize;
}

bool
vt_cartridge_is_mark(const struct vt_cartridge *c, uint64_t object)
{
	return c->index[object].kind == VT_FILEMARK;
}

bool
vt_cartridge_is_encrypted(const struct vt_cartridge *c, uint64_t object)
{
	return c->index[object].kind == VT_ENCRYPTED;
}

uint32_t
vt_cartridge_len(const struct vt_cartridge *c, uint64_t object)
{
	return c->index[object].len;
}

uint64_t
vt_cartridge_marks(const struct vt_cartridge *c, uint64_t object)
{
	return object < c->count ? c->index[object].marks : c->marks;
}

/* Filemarks before an object never fall: bisect. */
uint64_t
vt_cartridge_file(const struct vt_cartridge *c, uint64_t n)
{
	uint64_t low = 0, high = c->count;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		if (c->index[mid].marks < n)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int
object_damaged(uint64_t object)
{
	return kms_fail(KMS_ERR_DAMAGED, "cartridge: object %llu is damaged",
	    (unsigned long long)object);
}

/* The index came from these bytes: what no longer agrees was changed. */
static int
head_check(const struct vt_cartridge *c, uint64_t object, const uint8_t *buf,
    struct vt_record *r)
{
	const struct object *o = &c->index[object];

	if (vt_record_decode(buf, o->head_len, r) != o->head_len ||
	    r->object != object || r->len != o->len || r->kind != o->kind)
		return object_damaged(object);
	return 0;
}

int
vt_cartridge_head(struct vt_cartridge *c, uint64_t object, struct vt_record *r)
{
	uint8_t buf[VT_RECORD_MAX];
	const struct object *o = &c->index[object];

	ssize_t n = pread(c->fd, buf, o->head_len, (off_t)o->offset);
	if (n < 0)
		return vt_cartridge_error("read");
	if (n != o->head_len)
		return object_damaged(object);
	return head_check(c, object, buf, r);
}

/* IV of a plain block's GMAC: unique along one chain. */
static void
guard_iv(const struct vt_record *r, uint8_t iv[KMS_GCM_IV])
{
	kms_put32(iv, r->before);
	kms_put64(iv + 4, r->object);
}

int
vt_cartridge_get(struct vt_cartridge *c, uint64_t object, struct vt_record *r,
    uint8_t *data)
{
	uint8_t head[VT_RECORD_MAX], iv[KMS_GCM_IV];
	const struct object *o = &c->index[object];
	struct iovec v[2] = {{head, o->head_len}, {data, o->len}};

	ssize_t n = preadv(c->fd, v, 2, (off_t)o->offset);
	if (n < 0)
		return vt_cartridge_error("read");
	if ((size_t)n != (size_t)o->head_len + o->len)
		return object_damaged(object);
	int err = head_check(c, object, head, r);
	if (err || r->kind != VT_PLAIN)
		return err;
	guard_iv(r, iv);
	return kms_gcm_open(c->medium, iv, (struct kms_bytes){data, o->len},
	    NULL, 0, NULL, r->tag);
}

static int
last_crc_find(struct vt_cartridge *c, uint64_t object, uint32_t *crc)
{
	struct vt_record r;

	*crc = c->header.crc;
	if (object == 0)
		return 0;
	int err = vt_cartridge_head(c, object - 1, &r);
	if (!err)
		*crc = r.crc;
	return err;
}

int
vt_cartridge_cut(struct vt_cartridge *c, uint64_t object)
{
	uint32_t crc;

	if (object == c->count && c->damaged)
		return kms_fail(KMS_ERR_DAMAGED,
		    "cartridge: damaged behind object %llu; write over an "
		    "earlier one to give up what follows",
		    (unsigned long long)object);
	if (object == c->count && c->file_len == c->end_offset)
		return 0;
	int err = last_crc_find(c, object, &crc);
	if (err)
		return err;
	uint64_t offset = object < c->count ? c->index[object].offset
					    : c->end_offset;
	/* The mark goes first, durably: a mark above the records is damage. */
	if (c->mark.objects > object) {
		err = end_write(c, object, offset);
		if (!err && fdatasync(c->fd) < 0)
			err = vt_cartridge_error("sync");
		if (err)
			return err;
		c->synced = c->mark;
	}
	if (ftruncate(c->fd, (off_t)offset) < 0)
		return vt_cartridge_error("cut");
	for (size_t i = object; i < c->count; i++)
		c->encrypted -= c->index[i].kind == VT_ENCRYPTED;
	c->marks = vt_cartridge_marks(c, object);
	c->count = object;
	c->end_offset = c->file_len = offset;
	c->last_crc = crc;
	c->damaged = false;
	c->dirty = true;
	if (c->synced.objects > object)
		c->synced = (struct vt_end){0, object, offset};
	return 0;
}

void
vt_cartridge_next(const struct vt_cartridge *c, enum vt_kind kind,
    struct vt_record *r)
{
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->object = c->count;
	r->before = c->last_crc;
}

/* A file that ends in half a record is put back as it was. */
static int
put_failed(struct vt_cartridge *c)
{
	int err = vt_cartridge_error("write");

	if (ftruncate(c->fd, (off_t)c->end_offset) < 0)
		return vt_cartridge_error("cut after a failed write");
	return err;
}

int
vt_cartridge_put(struct vt_cartridge *c, struct vt_record *r, uint8_t *data)
{
	uint8_t head[VT_RECORD_MAX], iv[KMS_GCM_IV];

	int err = vt_cartridge_index_reserve(c);
	if (err)
		return err;
	if (r->kind == VT_PLAIN) {
		guard_iv(r, iv);
		err = kms_gcm_seal(c->medium, iv,
		    (struct kms_bytes){data, r->len}, NULL, 0, NULL, r->tag);
		if (err)
			return err;
	}
	size_t head_len = vt_record_encode(r, head);
	struct iovec v[2] = {{head, head_len}, {data, r->len}};
	ssize_t n = pwritev(c->fd, v, r->len ? 2 : 1, (off_t)c->end_offset);
	if (n != (ssize_t)(head_len + r->len)) {
		if (n >= 0)
			errno = ENOSPC;
		return put_failed(c);
	}
	vt_cartridge_index_add(c, r);
	c->file_len = c->end_offset;
	c->dirty = true;
	return 0;
}

int
vt_cartridge_sync(struct vt_cartridge *c)
{
	if (!c->dirty)
		return 0;
	/* The mark says what the sync before made durable: one sync a
	 * filemark, and never a mark above what is on disk. */
	int err = 0;
	if (c->mark.objects != c->synced.objects)
		err = end_write(c, c->synced.objects, c->synced.offset);
	if (!err && fdatasync(c->fd) < 0)
		err = vt_cartridge_error("sync");
	if (err)
		return err;
	c->synced = (struct vt_end){0, c->count, c->end_offset};
	c->dirty = false;
	return 0;
}
