#include "tests/unit/hsm/tests.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fx *fx;
struct hsm_options options;
struct kms_sealer *sealer;

/* Made once; its PIN file holds the PIN of every copy. */
static const char *made_once;
static char fault_module[PATH_MAX];

static const char softhsm[] = "/usr/lib/softhsm/libsofthsm2.so";

static void
run_ok(struct fx *in, const char *const *argv)
{
	struct fx_cmd cmd = {.argv = argv};
	struct fx_result res;

	fx_run(in, &cmd, &res);
	if (res.status != 0)
		fx_die("%s: %s", argv[0], res.err);
}

const char *
token_path(const char *name)
{
	return fx_path(fx, "token/%s", name);
}

void
name_token(const char *token, const char *module, const char *pin_source)
{
	static char uri[4 * PATH_MAX];

	(void)snprintf(uri, sizeof(uri), "pkcs11:token=%s?module-path=%s%s%s",
	    token, module, pin_source[0] != '\0' ? "&pin-source=" : "",
	    pin_source);
	options.uri = uri;
}

const char *
pin_file(void)
{
	static char source[PATH_MAX];

	(void)snprintf(source, sizeof(source), "file:%s", token_path("pin"));
	return source;
}

void
use_uri(const char *pin_source)
{
	name_token("p11kms", fault_module, pin_source);
}

void
use_softhsm(void)
{
	name_token("p11kms", softhsm, pin_file());
}

void
use_pin(const char *pin)
{
	fx_write_text(token_path("pin"), pin);
}

static void
write_conf(void)
{
	char conf[PATH_MAX + 256];

	(void)snprintf(conf, sizeof(conf),
	    "directories.tokendir = %s\nobjectstore.backend = file\n"
	    "log.level = ERROR\nslots.removable = false\n"
	    "slots.mechanisms = ALL\nlibrary.reset_on_fork = true\n",
	    token_path("tokens"));
	fx_write_text(token_path("softhsm2.conf"), conf);
	(void)setenv("SOFTHSM2_CONF", token_path("softhsm2.conf"), 1);
}

void
token_copy(void)
{
	const char *argv[] = {"cp", "-a", made_once, NULL, NULL};
	const char *dir;

	fx = fx_new();
	argv[3] = fx_path(fx, "token");
	run_ok(fx, argv);
	write_conf();
	(void)setenv("P11FAULT_LOG", fx_path(fx, "calls"), 1);
	(void)unsetenv("P11FAULT");
	dir = fx_path(fx, "locks");
	if (mkdir(dir, 0700) != 0)
		fx_die("%s", dir);
	options = (struct hsm_options){
	    .lock_dir = dir,
	    .guard_path = fx_path(fx, "pin.guard"),
	    .wait_ms = 5000,
	};
	use_uri(pin_file());
}

void
token_open(void)
{
	token_copy();
	open_ok();
}

void
token_away(void)
{
	close_sealer();
	fx_free(&fx);
}

TCase *
case_copied(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, token_copy, token_away);
	tcase_set_timeout(tc, 60);
	return tc;
}

TCase *
case_opened(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, token_open, token_away);
	tcase_set_timeout(tc, 60);
	return tc;
}

int
open_sealer(void)
{
	return hsm_sealer_open(&options, &sealer);
}

void
open_ok(void)
{
	assert_ok(open_sealer());
}

void
close_sealer(void)
{
	if (sealer != NULL)
		sealer->close(&sealer);
}

void
faults_at_start(const char *rules)
{
	(void)setenv("P11FAULT", rules, 1);
}

void
faults(const char *rules)
{
	void (*set)(const char *);
	void *symbol, *dl;

	dl = dlopen(fault_module, RTLD_NOW | RTLD_NOLOAD);
	symbol = dl != NULL ? dlsym(dl, "p11fault_set") : NULL;
	if (symbol == NULL)
		fx_die("%s", dlerror());
	memcpy(&set, &symbol, sizeof(set));
	set(rules);
	(void)dlclose(dl);
}

unsigned
calls_of(const char *name)
{
	const char *path = fx_path(fx, "calls"), *p;
	size_t len, n = strlen(name);
	unsigned count = 0;

	if (!fx_exists(path))
		return 0;
	p = (const char *)fx_read(fx, path, &len);
	for (; p != NULL && *p != '\0'; p = strchr(p, '\n'), p += p != NULL)
		count += strncmp(p, name, n) == 0 && p[n] == ' ';
	return count;
}

void
ck_assert_msg_ok(int r, const char *what)
{
	ck_assert_msg(r == 0, "%s: %s: %s", what, kms_err_name(r),
	    kms_err_cause(r));
}

void
assert_fails(int r, int code, const char *text)
{
	ck_assert_msg(r == code, "got %s (%s), not %s", kms_err_name(r),
	    kms_err_cause(r), kms_err_name(code));
	ck_assert_msg(strstr(kms_err_cause(r), text) != NULL,
	    "\"%s\" does not say \"%s\"", kms_err_cause(r), text);
}

/* libp11 0.4.12 forgets a slot when listing them fails. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libp11.so";
}

static void
find_fault_module(void)
{
	ssize_t n;

	n = readlink("/proc/self/exe", fault_module, PATH_MAX - 16);
	if (n <= 0)
		fx_die("/proc/self/exe");
	fault_module[n] = '\0';
	memcpy(strrchr(fault_module, '/'), "/p11fault.so", 13);
}

int
main(void)
{
	const char *argv[] = {"softhsm-conf/make-token.sh", NULL, "p11kms",
	    NULL};
	struct fx *run = fx_new();
	SRunner *r;
	Suite *s = suite_create("hsm");
	int failed;

	if (kms_secret_init(1u << 18, KMS_SECRET_PLAIN) != 0)
		return EXIT_FAILURE;
	find_fault_module();
	made_once = fx_path(run, "token");
	argv[1] = made_once;
	run_ok(run, argv);
	suite_add_tcase(s, uri_tests());
	suite_add_tcase(s, ckr_tests());
	suite_add_tcase(s, pin_tests());
	suite_add_tcase(s, guard_tests());
	suite_add_tcase(s, lock_tests());
	suite_add_tcase(s, pool_tests());
	suite_add_tcase(s, token_tests());
	suite_add_tcase(s, key_tests());
	suite_add_tcase(s, refused_tests());
	suite_add_tcase(s, wrap_tests());
	suite_add_tcase(s, crypt_tests());
	suite_add_tcase(s, anchor_tests());
	suite_add_tcase(s, recover_tests());
	suite_add_tcase(s, adopt_tests());
	suite_add_tcase(s, thread_tests());
	suite_add_tcase(s, pkey_tests());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	fx_free(&run);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
