/*
 * How fast the virtual drive takes and gives encrypted blocks, against the
 * least that any such thing must do: socket, AES-256-GCM, file, with the same
 * blocks, alternating in the same run. Prints the medians and their ratios.
 *
 *   bench_vtape VTAPED DIR
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kms/base/buf.h"
#include "tape/page.h"
#include "tape/wire.h"

#define BLOCK (256u * 1024)
#define BLOCKS 1024u
#define ROUNDS 5u

static uint8_t block[BLOCK];

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "bench_vtape: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
mib_per_s(double seconds)
{
	return (double)BLOCKS * BLOCK / (1024 * 1024) / seconds;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), by_value);
	return v[ROUNDS / 2];
}

/* A child that sends the blocks, as fast as they are taken. */
static pid_t
sender_start(int fd)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	for (unsigned i = 0; i < BLOCKS; i++)
		if (wire_send(fd, block, BLOCK, -1) < 0)
			_exit(1);
	_exit(0);
}

static void
seal(EVP_CIPHER_CTX *ctx, unsigned i, uint8_t *buf, uint8_t tag[16])
{
	uint8_t iv[12] = {0};
	int n;

	memcpy(iv, &i, sizeof(i));
	if (EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv) != 1 ||
	    EVP_EncryptUpdate(ctx, buf, &n, buf, BLOCK) != 1 ||
	    EVP_EncryptFinal_ex(ctx, tag, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) != 1)
		die("EVP");
}

static void
unseal(EVP_CIPHER_CTX *ctx, unsigned i, uint8_t *buf, uint8_t tag[16])
{
	uint8_t iv[12] = {0};
	int n;

	memcpy(iv, &i, sizeof(i));
	if (EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, iv) != 1 ||
	    EVP_DecryptUpdate(ctx, buf, &n, buf, BLOCK) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) != 1 ||
	    EVP_DecryptFinal_ex(ctx, buf, &n) != 1)
		die("EVP");
}

/* Somebody at the other end who takes the blocks. */
static pid_t
receiver_start(int fd)
{
	static uint8_t buf[BLOCK];
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	for (unsigned i = 0; i < BLOCKS; i++)
		if (recv(fd, buf, BLOCK, MSG_WAITALL) != BLOCK)
			_exit(1);
	_exit(0);
}

/* What a floor run works with. */
struct bare {
	int fd, near, far; /* file; the two ends of a socket */
	EVP_CIPHER_CTX *ctx;
	uint8_t buf[BLOCK + 16];
};

static void
bare_open(struct bare *b, const char *dir)
{
	uint8_t key[32] = {1};
	char path[4096];
	int sv[2], room = 1024 * 1024; /* as wide as wire_connect asks for */

	snprintf(path, sizeof(path), "%s/bare", dir);
	b->ctx = EVP_CIPHER_CTX_new();
	b->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (b->fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 ||
	    EVP_CipherInit_ex(b->ctx, EVP_aes_256_gcm(), NULL, key, NULL, 1) !=
		1)
		die(path);
	unlink(path);
	b->near = sv[0];
	b->far = sv[1];
	for (int i = 0; i < 2; i++)
		(void)setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &room,
		    sizeof(room));
}

/* The floor: read a block, encrypt it, write it; and the way back. */
static void
bare_run(const char *dir, double *write_s, double *read_s)
{
	static struct bare b;
	ssize_t len = (ssize_t)sizeof(b.buf);

	bare_open(&b, dir);
	double start = now();
	pid_t pid = sender_start(b.far);
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (recv(b.near, b.buf, BLOCK, MSG_WAITALL) != BLOCK)
			die("recv");
		seal(b.ctx, i, b.buf, b.buf + BLOCK);
		if (write(b.fd, b.buf, sizeof(b.buf)) != len)
			die("write");
	}
	*write_s = now() - start;
	waitpid(pid, NULL, 0);
	start = now();
	pid = receiver_start(b.far);
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (pread(b.fd, b.buf, sizeof(b.buf), (off_t)(i * len)) != len)
			die("read");
		unseal(b.ctx, i, b.buf, b.buf + BLOCK);
		if (wire_send(b.near, b.buf, BLOCK, -1) < 0)
			die("send");
	}
	waitpid(pid, NULL, 0);
	*read_s = now() - start;
	close(b.near);
	close(b.far);
	close(b.fd);
	EVP_CIPHER_CTX_free(b.ctx);
}

static void
exec(int fd, struct wire_req *q, const void *out, void *in)
{
	uint8_t status, sense[WIRE_SENSE_MAX];
	size_t got, sense_len;

	if (wire_exec(fd, q, out, in, in ? q->len : 0, &got, &status, sense,
		&sense_len, -1) < 0)
		die("drive");
	if (status != 0) {
		errno = EIO;
		die("drive refused a command");
	}
}

static void
command(int fd, const uint8_t *cdb, uint8_t len, const void *out, size_t n)
{
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = len,
	    .dir = out ? WIRE_OUT : WIRE_NONE,
	    .len = (uint32_t)n};

	memcpy(q.cdb, cdb, len);
	exec(fd, &q, out, NULL);
}

static void
key_load(int fd)
{
	uint8_t cdb[12], raw[KMS_KEY_LEN] = {1};
	struct kms_secret *key = NULL, *page = NULL;
	struct tape_sde s = {.scope = TAPE_SCOPE_ALL,
	    .enc = TAPE_ENC_ENCRYPT,
	    .dec = TAPE_DEC_MIXED,
	    .algorithm = 1,
	    .kad = {.u = "bench", .u_len = 5}};

	if (kms_secret_from(raw, sizeof(raw), &key) != 0)
		die("key");
	s.key = key;
	if (tape_sde_encode(&s, &page) != 0)
		die("page");
	size_t len = kms_secret_len(page);
	tape_cdb_spout(cdb, TAPE_SP_TDE, TAPE_PAGE_SET_ENCRYPTION,
	    (uint32_t)len);
	command(fd, cdb, sizeof(cdb), kms_secret_bytes(page), len);
	kms_secret_free(&page);
	kms_secret_free(&key);
}

/* The drive, from an empty tape to the last block taken, and from the first
 * to the last one given. Neither side waits for the disk; the filemark is
 * answered when the last block is stored, for the drive buffers. */
static void
drive_run(int fd, double *write_s, double *read_s)
{
	static uint8_t in[BLOCK];
	struct wire_req read6 = {.kind = WIRE_SCSI,
	    .cdb_len = 6,
	    .dir = WIRE_IN,
	    .len = BLOCK,
	    .cdb = {0x08, 0, BLOCK >> 16, 0, 0}};

	static const uint8_t locate0[10] = {0x2B};
	static const uint8_t erase[6] = {0x19};
	static const uint8_t write6[6] = {0x0A, 0, BLOCK >> 16, 0, 0};
	static const uint8_t flush[6] = {0x10, 1};

	command(fd, locate0, sizeof(locate0), NULL, 0);
	command(fd, erase, sizeof(erase), NULL, 0);
	double start = now();
	for (unsigned i = 0; i < BLOCKS; i++)
		command(fd, write6, sizeof(write6), block, BLOCK);
	command(fd, flush, sizeof(flush), NULL, 0);
	*write_s = now() - start;
	command(fd, locate0, sizeof(locate0), NULL, 0);
	start = now();
	for (unsigned i = 0; i < BLOCKS; i++)
		exec(fd, &read6, NULL, in);
	*read_s = now() - start;
	if (memcmp(in, block, BLOCK) != 0)
		die("another block came back");
}

static void
run_tool(const char *const *argv)
{
	pid_t pid;
	int status;
	union {
		const char *const *in;
		char **out;
	} u = {argv};

	if (posix_spawn(&pid, argv[0], NULL, NULL, u.out, environ) != 0 ||
	    waitpid(pid, &status, 0) < 0 || status != 0)
		die(argv[0]);
}

static pid_t
drive_start(const char *vtaped, const char *tape, const char *sock)
{
	const char *create[] = {vtaped, "-create", "-cartridge", tape,
	    "-barcode", "BENCH1L9", NULL};
	const char *listen[] = {vtaped, "-listen", sock, "-cartridge", tape,
	    NULL};
	union {
		const char *const *in;
		char **out;
	} u = {listen};
	pid_t pid;

	run_tool(create);
	if (posix_spawn(&pid, vtaped, NULL, NULL, u.out, environ) != 0)
		die(vtaped);
	return pid;
}

static int
drive_connect(const char *sock)
{
	const struct timespec pause = {0, 10000000};

	for (int i = 0; i < 1000; i++) {
		int fd = wire_connect(sock);
		if (fd >= 0)
			return fd;
		nanosleep(&pause, NULL);
	}
	die(sock);
}

/* Only writing has a target: a reader asks for a block once it has the one
 * before, and the floor does not wait to be asked. */
static void
report(const char *what, const char *floor, double *bare, double *drive)
{
	double b = mib_per_s(median(bare)), d = mib_per_s(median(drive));

	printf("vtape: %s 256 KiB blocks, n=%u x %u\n", what, ROUNDS, BLOCKS);
	printf("  bare %-26s %8.0f MiB/s\n", floor, b);
	printf("  vtaped                          %8.0f MiB/s\n", d);
	printf("  ratio                           %8.2f%s\n", d / b,
	    strcmp(what, "write") == 0 ? " (target 0.70)" : "");
}

int
main(int argc, char **argv)
{
	double bare[2][ROUNDS], drive[2][ROUNDS], warm[2];
	char tape[1024], sock[1024];

	if (argc != 3 || kms_secret_init(65536, KMS_SECRET_OPTIONAL) != 0) {
		fputs("usage: bench_vtape VTAPED DIR\n", stderr);
		return 2;
	}
	snprintf(tape, sizeof(tape), "%s/bench.cart", argv[2]);
	snprintf(sock, sizeof(sock), "%s/bench.sock", argv[2]);
	memset(block, 'x', sizeof(block));
	unlink(tape);
	pid_t pid = drive_start(argv[1], tape, sock);
	int fd = drive_connect(sock);
	key_load(fd);
	bare_run(argv[2], &warm[0], &warm[1]);
	drive_run(fd, &warm[0], &warm[1]);
	for (unsigned i = 0; i < ROUNDS; i++) {
		bare_run(argv[2], &bare[0][i], &bare[1][i]);
		drive_run(fd, &drive[0][i], &drive[1][i]);
	}
	close(fd);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	unlink(tape);
	report("write", "socket, AES-256-GCM, file", bare[0], drive[0]);
	report("read", "file, AES-256-GCM, socket", bare[1], drive[1]);
	return 0;
}
