/*
 * How fast the virtual drive takes encrypted blocks, against the least that
 * any such thing must do: socket, AES-256-GCM, file, with the same blocks,
 * alternating in the same run. Prints the median of both and their ratio.
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
#define TARGET 0.7

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

/* The floor: read a block, encrypt it, write it. */
static double
bare_run(const char *dir)
{
	static uint8_t buf[BLOCK + 16];
	uint8_t key[32] = {1};
	char path[4096];
	int sv[2];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	snprintf(path, sizeof(path), "%s/bare", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 ||
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, NULL) != 1)
		die(path);
	/* As wide as wire_connect asks for. */
	int room = 1024 * 1024;
	(void)setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	double start = now();
	pid_t pid = sender_start(sv[1]);
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (recv(sv[0], buf, BLOCK, MSG_WAITALL) != BLOCK)
			die("recv");
		seal(ctx, i, buf, buf + BLOCK);
		if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
			die("write");
	}
	double took = now() - start;
	waitpid(pid, NULL, 0);
	close(sv[0]);
	close(sv[1]);
	close(fd);
	unlink(path);
	EVP_CIPHER_CTX_free(ctx);
	return took;
}

static void
command(int fd, const uint8_t *cdb, uint8_t len, const void *out, size_t n)
{
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = len,
	    .dir = out ? WIRE_OUT : WIRE_NONE,
	    .len = (uint32_t)n};
	uint8_t status, sense[WIRE_SENSE_MAX];
	size_t got, sense_len;

	memcpy(q.cdb, cdb, len);
	if (wire_exec(fd, &q, out, NULL, 0, &got, &status, sense, &sense_len,
		-1) < 0)
		die("drive");
	if (status != 0) {
		errno = EIO;
		die("drive refused a command");
	}
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

/* The drive, from an empty tape to the last block taken. Neither side waits
 * for the disk. */
static double
drive_run(int fd)
{
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
	return now() - start;
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

int
main(int argc, char **argv)
{
	double bare[ROUNDS], drive[ROUNDS];
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
	(void)bare_run(argv[2]);
	(void)drive_run(fd);
	for (unsigned i = 0; i < ROUNDS; i++) {
		bare[i] = bare_run(argv[2]);
		drive[i] = drive_run(fd);
	}
	close(fd);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	unlink(tape);
	double b = mib_per_s(median(bare)), d = mib_per_s(median(drive));
	printf("vtape: write 256 KiB blocks, n=%u x %u\n", ROUNDS, BLOCKS);
	printf("  bare socket, AES-256-GCM, file  %8.0f MiB/s\n", b);
	printf("  vtaped                          %8.0f MiB/s\n", d);
	printf("  ratio                           %8.2f (target %.2f)\n", d / b,
	    TARGET);
	return 0;
}
