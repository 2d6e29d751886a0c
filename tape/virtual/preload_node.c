#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tape/virtual/preload.h"

#define NODES 16u
#define OWN_FDS 400 /* the library's descriptors stay out of the way */
#define MEMORY "vtape:"
enum { MAJOR_ST = 9, MAJOR_SG = 21, MINOR_NO_REWIND = 128 };

/*
 * An interposer has no context to hang its state on: what VTAPE said, and
 * the nodes this process has. The table's lock is never held over a command.
 */
static struct {
	pthread_once_t once;
	pthread_mutex_t lock;
	char path[3][64]; /* by kind */
	char socket[108];
	unsigned minor;
	/* Whose memory this is: a child of vfork(2) has our memory but not our
	 * descriptors, and must not take nodes away from us. */
	pid_t pid;
	struct vtp_node *node[NODES];
} own = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

static void
table_lock(void)
{
	pthread_mutex_lock(&own.lock);
}

static void
table_unlock(void)
{
	pthread_mutex_unlock(&own.lock);
}

static void
after_fork(void)
{
	own.pid = getpid();
	table_unlock();
}

/* The number behind a prefix, or -1; nothing may follow it but end. */
static long
number_after(const char *text, const char *prefix, char end)
{
	size_t len = strlen(prefix);
	char *rest;

	if (strncmp(text, prefix, len) != 0 || text[len] < '0' ||
	    text[len] > '9')
		return -1;
	long n = strtol(text + len, &rest, 10);
	return *rest == end || *rest == '\0' ? n : -1;
}

/* VTAPE=/dev/nst9=SOCKET; its st and sg come with it. */
static void
names_read(const char *env)
{
	const char *eq = env ? strchr(env, '=') : NULL;
	size_t len = eq ? (size_t)(eq - env) : 0;
	char node[sizeof(own.path[0])];

	if (len == 0 || len >= sizeof(node) ||
	    strlen(eq + 1) >= sizeof(own.socket))
		return;
	memcpy(node, env, len);
	node[len] = '\0';
	snprintf(own.socket, sizeof(own.socket), "%s", eq + 1);
	snprintf(own.path[VTP_NST], sizeof(own.path[0]), "%s", node);
	long minor_number = number_after(node, "/dev/nst", '\0');
	if (minor_number < 0 || minor_number >= MINOR_NO_REWIND)
		return;
	own.minor = (unsigned)minor_number;
	snprintf(own.path[VTP_ST], sizeof(own.path[0]), "/dev/st%u", own.minor);
	snprintf(own.path[VTP_SG], sizeof(own.path[0]), "/dev/sg%u", own.minor);
}

static bool
is_socket(int fd, ino_t *inode)
{
	struct stat st;

	if (vtp_real()->fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	*inode = st.st_ino;
	return true;
}

/* A memfd that came over exec, with the connection that belongs to it. */
static void
adopt(int fd, ino_t inode)
{
	struct vtp_node *n = mmap(NULL, sizeof(*n), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	ino_t have;

	if (n == MAP_FAILED)
		return;
	if (n->memory != fd || n->inode != inode ||
	    !is_socket(n->socket, &have) || have != n->socket_inode) {
		munmap(n, sizeof(*n));
		return;
	}
	for (size_t i = 0; i < NODES; i++) {
		if (!own.node[i]) {
			own.node[i] = n;
			return;
		}
	}
	munmap(n, sizeof(*n));
}

/* Calls fn with every descriptor of a process and what it leads to. */
static void
each_fd(const char *pid, void (*fn)(void *, int fd, const char *link),
    void *ctx)
{
	char path[PATH_MAX], link[64];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link,
		    sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		fn(ctx, (int)number_after(e->d_name, "", '\0'), link);
	}
	closedir(dir);
}

static void
adopt_if(void *ctx, int fd, const char *link)
{
	long inode = number_after(link, "/memfd:" MEMORY, ' ');

	(void)ctx;
	if (inode >= 0)
		adopt(fd, (ino_t)inode);
}

static void own_once(void);

bool
vtp_path_kind(const char *path, enum vtp_kind *kind)
{
	own_once();
	for (unsigned i = 0; path && i < 3; i++) {
		if (!own.path[i][0] || strcmp(path, own.path[i]) != 0)
			continue;
		*kind = (enum vtp_kind)i;
		return true;
	}
	return false;
}

void
vtp_stat(enum vtp_kind kind, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR | 0660;
	st->st_nlink = 1;
	st->st_ino = 1000 + own.minor;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_blksize = 4096;
	if (kind == VTP_SG)
		st->st_rdev = makedev(MAJOR_SG, own.minor);
	else
		st->st_rdev = makedev(MAJOR_ST,
		    own.minor + (kind == VTP_NST ? MINOR_NO_REWIND : 0));
}

static int
lock_init(pthread_mutex_t *m)
{
	pthread_mutexattr_t a;
	int e = pthread_mutexattr_init(&a);

	if (e == 0)
		e = pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	if (e == 0)
		e = pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (e == 0)
		e = pthread_mutex_init(m, &a);
	errno = e;
	return e ? -1 : 0;
}

/* A high number, where no program looks; a low one if there must be. */
static int
move_up(int fd)
{
	int up = fcntl(fd, F_DUPFD, OWN_FDS);

	return up >= 0 ? up : fcntl(fd, F_DUPFD, 3);
}

/* Memory of its own that fork and exec hand on. */
static struct vtp_node *
memory_make(ino_t inode)
{
	char name[32];
	struct vtp_node *n = MAP_FAILED;

	snprintf(name, sizeof(name), MEMORY "%lu", (unsigned long)inode);
	int low = memfd_create(name, MFD_CLOEXEC);
	int fd = low >= 0 ? move_up(low) : -1;
	if (fd >= 0 && ftruncate(fd, sizeof(*n)) == 0)
		n = mmap(NULL, sizeof(*n), PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	if (low >= 0)
		vtp_real()->close(low);
	if (n == MAP_FAILED) {
		if (fd >= 0)
			vtp_real()->close(fd);
		return NULL;
	}
	memset(n, 0, sizeof(*n));
	n->memory = fd;
	n->socket = -1;
	n->inode = inode;
	return n;
}

static void
node_drop(struct vtp_node *n)
{
	int memory = n->memory, sock = n->socket;

	table_lock();
	for (size_t i = 0; i < NODES; i++)
		if (own.node[i] == n)
			own.node[i] = NULL;
	table_unlock();
	munmap(n, sizeof(*n));
	if (sock >= 0)
		vtp_real()->close(sock);
	vtp_real()->close(memory);
}

static bool
node_keep(struct vtp_node *n)
{
	bool kept = false;

	table_lock();
	for (size_t i = 0; i < NODES && !kept; i++) {
		if (own.node[i])
			continue;
		own.node[i] = n;
		kept = true;
	}
	table_unlock();
	if (!kept)
		errno = ENFILE;
	return kept;
}

static int
node_connect(struct vtp_node *n)
{
	int fd = wire_connect(own.socket);

	if (fd < 0) {
		errno = ENXIO;
		return -1;
	}
	n->socket = move_up(fd);
	vtp_real()->close(fd);
	return n->socket >= 0 && is_socket(n->socket, &n->socket_inode) ? 0
									: -1;
}

static int
node_make(int handle, enum vtp_kind kind, int flags)
{
	ino_t inode;
	struct vtp_node *n = is_socket(handle, &inode) ? memory_make(inode)
						       : NULL;

	if (!n)
		return -1;
	n->kind = kind;
	n->flags = flags;
	if (lock_init(&n->lock) == 0 && node_connect(n) == 0 &&
	    (kind == VTP_SG || vtp_st_open(n) == 0) && node_keep(n))
		return 0;
	int e = errno;
	node_drop(n);
	errno = e;
	return -1;
}

int
vtp_open(enum vtp_kind kind, int flags)
{
	int type = SOCK_STREAM | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0);
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0)
		return -1;
	if (node_make(fd, kind, flags) == 0)
		return fd;
	int e = errno;
	vtp_real()->close(fd);
	errno = e;
	return -1;
}

static struct vtp_node *
node_find(ino_t inode)
{
	struct vtp_node *n = NULL;

	table_lock();
	for (size_t i = 0; i < NODES && !n; i++)
		if (own.node[i] && own.node[i]->inode == inode)
			n = own.node[i];
	table_unlock();
	return n;
}

/* A process that died in mid-command left the stream out of step. */
static void
node_lock(struct vtp_node *n)
{
	if (pthread_mutex_lock(&n->lock) == EOWNERDEAD) {
		n->broken = true;
		pthread_mutex_consistent(&n->lock);
	}
}

static bool
have_nodes(void)
{
	own_once();
	return own.socket[0] != '\0';
}

struct vtp_node *
vtp_lock(int fd)
{
	ino_t inode;
	int e = errno;
	struct vtp_node *n = have_nodes() && is_socket(fd, &inode)
	    ? node_find(inode)
	    : NULL;

	errno = e;
	if (n)
		node_lock(n);
	return n;
}

void
vtp_unlock(struct vtp_node *n)
{
	pthread_mutex_unlock(&n->lock);
}

struct search {
	int except; /* the one being closed, in this process */
	char link[64];
	bool found;
};

static void
search_fd(void *ctx, int fd, const char *link)
{
	struct search *s = ctx;

	if (fd != s->except && strcmp(link, s->link) == 0)
		s->found = true;
}

static bool
held_by(const char *pid, const struct vtp_node *n, int except)
{
	struct search s = {.except = except};

	snprintf(s.link, sizeof(s.link), "socket:[%lu]",
	    (unsigned long)n->inode);
	each_fd(pid, search_fd, &s);
	return s.found;
}

/* Only processes of ours can have inherited it; others cannot be read. */
static bool
held_by_others(const struct vtp_node *n)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	char self[24];
	bool held = false;

	if (!dir)
		return false;
	snprintf(self, sizeof(self), "%ld", (long)getpid());
	while (!held && (e = readdir(dir)) != NULL)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
		    strcmp(e->d_name, self) != 0)
			held = held_by(e->d_name, n, -1);
	closedir(dir);
	return held;
}

/* This process has no use for it any more: the last one ends the file. */
static int
node_leave(struct vtp_node *n)
{
	node_lock(n);
	int r = n->kind == VTP_SG || n->broken || held_by_others(n)
	    ? 0
	    : vtp_st_finish(n);
	int e = errno;
	vtp_unlock(n);
	node_drop(n);
	errno = e;
	return r;
}

/*
 * Before main, or at the first call. A node that came over exec without any
 * descriptor the program could use was closed by that exec.
 */
static void
own_init(void)
{
	own.pid = getpid();
	pthread_atfork(table_lock, table_unlock, after_fork);
	names_read(getenv("VTAPE"));
	if (!own.socket[0])
		return;
	each_fd("self", adopt_if, NULL);
	for (size_t i = 0; i < NODES; i++)
		if (own.node[i] && !held_by("self", own.node[i], -1))
			(void)node_leave(own.node[i]);
}

static void
own_once(void)
{
	pthread_once(&own.once, own_init);
}

/* A program that closes everything does not mean what it never opened. */
static bool
is_own(int fd)
{
	bool own_fd = false;

	table_lock();
	for (size_t i = 0; i < NODES; i++)
		own_fd |= own.node[i] &&
		    (own.node[i]->socket == fd || own.node[i]->memory == fd);
	table_unlock();
	return own_fd;
}

int
vtp_close(int fd, bool *ours)
{
	ino_t inode;
	struct vtp_node *n = NULL;

	*ours = false;
	if (!have_nodes())
		return 0;
	if (is_own(fd)) {
		*ours = true;
		errno = EBADF;
		return -1;
	}
	int e = errno;
	if (is_socket(fd, &inode))
		n = node_find(inode);
	errno = e;
	if (!n)
		return 0;
	*ours = true;
	if (own.pid != getpid())
		return vtp_real()->close(fd);
	int r = held_by("self", n, fd) ? 0 : node_leave(n);
	e = errno;
	if (vtp_real()->close(fd) < 0)
		return -1;
	errno = e;
	return r;
}

void
vtp_close_all(void)
{
	if (!have_nodes() || own.pid != getpid())
		return;
	for (size_t i = 0; i < NODES; i++) {
		table_lock();
		struct vtp_node *n = own.node[i];
		table_unlock();
		if (n)
			(void)node_leave(n);
	}
}

/* Fixed and descriptor format (SPC-4 4.5). */
static void
sense_read(struct vtp_reply *r)
{
	const uint8_t *s = r->sense;
	size_t len = r->sense_len;
	uint8_t code = len > 0 ? s[0] & 0x7F : 0;

	if ((code == 0x70 || code == 0x71) && len >= 14) {
		r->key = s[2] & 0x0F;
		r->filemark = (s[2] & 0x80) != 0;
		r->eom = (s[2] & 0x40) != 0;
		r->ili = (s[2] & 0x20) != 0;
		r->asc = s[12];
		r->ascq = s[13];
		if (s[0] & 0x80)
			r->residue = (int32_t)((uint32_t)s[3] << 24 |
			    (uint32_t)s[4] << 16 | (uint32_t)s[5] << 8 | s[6]);
	} else if ((code == 0x72 || code == 0x73) && len >= 8) {
		r->key = s[1] & 0x0F;
		r->asc = s[2];
		r->ascq = s[3];
		for (size_t at = 8; at + 4 <= len; at += 2u + s[at + 1]) {
			if (s[at] == 0x04) {
				r->filemark = (s[at + 3] & 0x80) != 0;
				r->eom = (s[at + 3] & 0x40) != 0;
				r->ili = (s[at + 3] & 0x20) != 0;
			} else if (s[at] == 0x00 && at + 12 <= len) {
				uint64_t v = 0;
				for (size_t i = 4; i < 12; i++)
					v = v << 8 | s[at + i];
				r->residue = (int64_t)v;
			}
		}
	}
}

int
vtp_exec(struct vtp_node *n, const struct vtp_cmd *c, struct vtp_reply *r)
{
	struct wire_req q = {
	    .kind = WIRE_SCSI,
	    .cdb_len = c->cdb_len,
	    .dir = c->dir,
	    .len = (uint32_t)c->len,
	};

	memset(r, 0, sizeof(*r));
	if (n->broken || c->len > WIRE_DATA_MAX) {
		errno = n->broken ? EIO : EINVAL;
		return -1;
	}
	memcpy(q.cdb, c->cdb, sizeof(q.cdb));
	vtp_before(n, c);
	if (wire_exec(n->socket, &q, c->out, c->in, c->len, &r->got, &r->status,
		r->sense, &r->sense_len, c->timeout_ms) < 0) {
		n->broken = true;
		return -1;
	}
	sense_read(r);
	vtp_after(n, c, r);
	return 0;
}
