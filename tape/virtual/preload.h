/*
 * What the parts of libvtape-preload.so share. The library makes programs
 * that know nothing of it take a vtaped socket for a tape drive: it answers
 * for /dev/nstN, /dev/stN and /dev/sgN as named by VTAPE=/dev/nstN=SOCKET.
 *
 * The descriptor a program gets is an unconnected socket, a mere handle, so
 * that a call which slips past the library fails instead of upsetting the
 * drive's protocol (glibc's own stdio does so: fwrite to it is an error).
 * Dup, fork and exec need no help: any descriptor of the same inode is the
 * same node. The connection, and a memfd named after that inode, lie beside
 * it on high numbers; the memfd holds what a kernel driver would remember
 * (block size, filemark state), shared by every process that inherits them.
 * Its lock is held for one command at a time.
 *
 * libc and tape/wire.h only.
 */
#ifndef TAPE_VIRTUAL_PRELOAD_H
#define TAPE_VIRTUAL_PRELOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tape/wire.h"

enum vtp_kind { VTP_SG, VTP_ST, VTP_NST };

/* How reads and writes went so far, as the kernel's st keeps it. */
enum vtp_motion { VTP_IDLE, VTP_READING, VTP_WRITING };
enum vtp_mark {
	VTP_NO_MARK,
	VTP_MARK_HIT, /* data came, then a filemark not told yet */
	VTP_BEHIND_MARK,
	VTP_END_OK, /* early warning: the next write is refused once */
	VTP_END_ERROR,
	VTP_EOD_1, /* writing: one more may pass; reading: zero again */
	VTP_EOD_2,
	VTP_EOD, /* reading on is an error */
};

struct vtp_node {
	pthread_mutex_t lock; /* robust, between processes */
	ino_t inode;          /* of the handle */
	int socket, memory;   /* the library's own descriptors */
	ino_t socket_inode;
	enum vtp_kind kind;
	int flags;   /* of open(2) */
	bool broken; /* the stream is out of step: nothing more goes */
	bool told;   /* p11kmsdrive knows which tape is written on */
	/* st: */
	bool ready, protect, unknown; /* unknown: position, after a reset */
	uint32_t block_size, block_min, block_max;
	uint8_t density, buffered; /* mode 0 or 1 */
	enum vtp_motion motion;
	enum vtp_mark mark;
};

struct vtp_cmd {
	uint8_t cdb[WIRE_CDB_MAX], cdb_len, dir;
	const void *out;
	void *in;
	size_t len;
	int timeout_ms;
};

struct vtp_reply {
	uint8_t status, sense[WIRE_SENSE_MAX];
	size_t sense_len, got;
	/* From the sense data, when there is some. */
	uint8_t key, asc, ascq;
	bool filemark, eom, ili;
	int64_t residue; /* INFORMATION, 0 when not valid */
};

/* The next library's functions. */
struct vtp_real {
	int (*openat)(int, const char *, int, ...);
	int (*close)(int);
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*write)(int, const void *, size_t);
	int (*ioctl)(int, unsigned long, ...);
	int (*fstat)(int, struct stat *);
	int (*fstatat)(int, const char *, struct stat *, int);
	off_t (*lseek)(int, off_t, int);
	int (*access)(const char *, int);
	void (*exit)(int) __attribute__((noreturn));
};
const struct vtp_real *vtp_real(void);

/* node.c: false when the path is none of ours. */
bool vtp_path_kind(const char *path, enum vtp_kind *);
/* As open(2). */
int vtp_open(enum vtp_kind, int flags);
/* The node of a descriptor, or NULL; the caller unlocks. */
struct vtp_node *vtp_lock(int fd);
void vtp_unlock(struct vtp_node *);
/* As close(2); the last one of all processes finishes the tape's file. */
int vtp_close(int fd, bool *ours);
/* At the end of the process: as if every descriptor were closed. */
void vtp_close_all(void);
/* What stat(2) says of it. */
void vtp_stat(enum vtp_kind, struct stat *);

/* One command, by the lock's holder. 0, or -1 with errno. */
int vtp_exec(struct vtp_node *, const struct vtp_cmd *, struct vtp_reply *);

/* bell.c: p11kmsdrive, where it started this program. Is the next block's key
 * loaded now? Asked by one that reads. */
bool vtp_next_key_loaded(void);
/* Around each command: one that writes tells when the tape may be another. */
void vtp_before(struct vtp_node *, const struct vtp_cmd *);
void vtp_after(struct vtp_node *, const struct vtp_cmd *,
    const struct vtp_reply *);

/* st.c: as the system calls; -1 with errno. By the lock's holder. */
int vtp_st_open(struct vtp_node *);
int vtp_st_finish(struct vtp_node *);
ssize_t vtp_st_read(struct vtp_node *, void *, size_t);
ssize_t vtp_st_write(struct vtp_node *, const void *, size_t);
/* MTIOCTOP, MTIOCGET, MTIOCPOS. */
int vtp_st_ioctl(struct vtp_node *, unsigned long, void *);
/* The drive's position, and MTIOCTOP: st_move.c. */
struct mtop;
struct mtget;
int vtp_st_operate(struct vtp_node *, const struct mtop *);
int vtp_st_status(struct vtp_node *, struct mtget *);
int vtp_st_tell(struct vtp_node *, uint32_t *block);
int vtp_st_marks(struct vtp_node *, uint32_t count, bool immediate);
int vtp_st_space(struct vtp_node *, uint8_t code, int32_t count,
    struct vtp_reply *);

/* sg.c: SG_IO and its family, on any kind of node. */
int vtp_sg_ioctl(struct vtp_node *, unsigned long, void *);

#endif
