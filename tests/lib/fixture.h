/*
 * What every test needs around it: a directory of its own, files in it, and
 * programs run with a deadline. A test cannot go on without them, so a
 * failure here prints one line and aborts. One thread.
 */
#ifndef TESTS_LIB_FIXTURE_H
#define TESTS_LIB_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fx;

/* A loop over every byte or call steps by this: with a sanitizer each turn
 * takes several times as long, and one in seven finds its kind of fault too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FX_STEP 7
#else
#define FX_STEP 1
#endif

/* A new directory, mode 0700, below $TMPDIR or /tmp. */
struct fx *fx_new(void);
/* Kills what fx_start left running, removes the directory and all in it. */
void fx_free(struct fx **);

/* DIR/name; lives as long as the fixture. */
const char *fx_path(struct fx *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Replaces the file's content; mode as given whatever the umask. */
void fx_write(const char *path, const void *, size_t, mode_t);
void fx_write_text(const char *path, const char *text);
/* The whole file, with a NUL after it; lives as long as the fixture. */
uint8_t *fx_read(struct fx *, const char *path, size_t *len);
bool fx_exists(const char *path);
/* Does the file hold these bytes anywhere? */
bool fx_contains(struct fx *, const char *path, const void *, size_t);

struct fx_cmd {
	const char *const *argv; /* NULL at its end; looked up in PATH */
	const char *const *env;  /* NAME=value on top of ours; or NULL */
	const char *in;          /* standard input; NULL: empty */
	unsigned timeout_ms;     /* 0: 60 s; then it is killed: abort */
};

struct fx_result {
	int status;      /* exit status, or 128 + signal */
	char *out, *err; /* with a NUL; live as long as the fixture */
	size_t out_len, err_len;
};

void fx_run(struct fx *, const struct fx_cmd *, struct fx_result *);

/* Starts a program; its output goes to DIR/log (appended), or to ours when
 * log is NULL. timeout_ms is not used. */
pid_t fx_start(struct fx *, const struct fx_cmd *, const char *log);
/* Waits for its end; returns as fx_result.status; -1 when it still runs. */
int fx_wait(struct fx *, pid_t, unsigned timeout_ms);
/* Sends the signal, then fx_wait of 30 s; abort when it does not end. */
int fx_stop(struct fx *, pid_t, int sig);

/* False when it does not appear (file), or nothing listens there (socket),
 * in time. */
bool fx_wait_file(const char *path, unsigned timeout_ms);
bool fx_wait_socket(const char *path, unsigned timeout_ms);

/* One line to standard error, then abort. */
void fx_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#endif
