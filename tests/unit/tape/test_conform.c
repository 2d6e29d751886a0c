/*
 * Both transports against vtaped: the socket, and SCSI generic through the
 * preload library, which is as near to a kernel's sg as a test can come.
 */
#include "tests/unit/tape/suite.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "tests/unit/tape/conform.h"

#define WAIT_MS 20000
#define TEXT (PATH_MAX + 64)

static char self[PATH_MAX], vtaped[PATH_MAX], preload[TEXT], vtape[TEXT];

/* build/test/test-tape, build/bin/vtaped, build/lib/…: one tree. */
static void
find_built(void)
{
	static char at[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	snprintf(at, sizeof(at), "%s", self);
	const char *build = dirname(dirname(at));
	snprintf(vtaped, sizeof(vtaped), "%.4000s/bin/vtaped", build);
	snprintf(preload, sizeof(preload),
	    "LD_PRELOAD=%.4000s/lib/libvtape-preload.so", build);
}

static void
run(struct fx *fx, const char *const *argv, const char *const *env)
{
	struct fx_cmd cmd = {.argv = argv, .env = env};
	struct fx_result r;

	fx_run(fx, &cmd, &r);
	ck_assert_msg(r.status == 0, "status %d: %s", r.status, r.err);
}

/* profile: an option of vtaped; NULL: none. */
static void
conforms(const char *profile, bool sg)
{
	struct fx *fx = fx_new();
	const char *socket = fx_path(fx, "s"), *tape = fx_path(fx, "t");
	static char by_socket[TEXT];
	const char *spec = sg ? "/dev/sg9" : by_socket;

	find_built();
	snprintf(by_socket, sizeof(by_socket), "vtape:%s", socket);
	snprintf(vtape, sizeof(vtape), "VTAPE=/dev/nst9=%s", socket);
	run(fx,
	    (const char *[]){vtaped, "-create", "-cartridge", tape, "-barcode",
		"A00001L8", NULL},
	    NULL);
	struct fx_cmd listen = {.argv = (const char *[]){vtaped, "-listen",
				    socket, "-cartridge", tape, profile, NULL}};
	fx_start(fx, &listen, "log");
	ck_assert(fx_wait_socket(socket, WAIT_MS));
	run(fx,
	    (const char *[]){self, "conform", spec, socket,
		profile ? profile : "", NULL},
	    sg ? (const char *[]){vtape, preload,
		     "ASAN_OPTIONS=verify_asan_link_order=0", NULL}
	       : NULL);
	fx_free(&fx);
}

static const char *const profiles[] = {NULL, "-lenient", "-fixedkad",
    "-libraryowned", "-noencryption"};

START_TEST(the_socket_carries_a_whole_tape_life)
{
	conforms(profiles[_i], false);
}
END_TEST

START_TEST(scsi_generic_carries_a_whole_tape_life)
{
	conforms(profiles[_i], true);
}
END_TEST

TCase *
conform_tests(void)
{
	const int n = (int)(sizeof(profiles) / sizeof(profiles[0]));
	TCase *t = tcase_create("conform");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, the_socket_carries_a_whole_tape_life, 0, n);
	tcase_add_loop_test(t, scsi_generic_carries_a_whole_tape_life, 0, n);
	return t;
}
