#include "tests/unit/kms/log_rig.h"

#include <string.h>

#include "tests/unit/kms/faults.h"
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

const uint8_t log_uuid[16] = {1, 2, 3};
struct fx *log_fx;
const char *log_path;
struct kms_secret *log_key;
struct kms_release_log_options log_opt;
struct kms_release_log *rlog;
struct kms_log_head log_head; /* as a root would hold it */
struct kms_release_log_report log_report;

void
log_setup(void)
{
	log_fx = fx_new();
	log_path = fx_path(log_fx, "kms.log");
	log_key = key_of(0x22);
	log_opt = (struct kms_release_log_options){.path = log_path,
	    .uuid = log_uuid,
	    .key = log_key,
	    .wait_ms = 10000};
	ok(kms_release_log_create(&log_opt, &rlog));
	ok(kms_release_log_head(rlog, &log_head));
}

void
log_teardown(void)
{
	fault_sync(0);
	kms_release_log_close(&rlog);
	kms_secret_free(&log_key);
	fx_free(&log_fx);
}

struct kms_release_entry
log_entry(unsigned n)
{
	struct kms_release_entry e = {.time = 1795600000000000 + n,
	    .generation = 100 + n,
	    .use = KMS_USE_WRITE,
	    .state = KMS_ACTIVE,
	    .tag = {.len = 4}};

	kms_put32(e.tag.b, n);
	strcpy(e.group, "ENCR_a");
	strcpy(e.key, "k1");
	strcpy(e.drive, "HU1234");
	strcpy(e.volume, "A00001L6");
	sample_who(&e.who);
	return e;
}

int
log_append(unsigned n)
{
	struct kms_release_entry e = log_entry(n);

	return kms_release_log_append(rlog, &e);
}

void
log_append_all(unsigned from, unsigned to)
{
	for (; from <= to; from++)
		ok(log_append(from));
}

void
log_reopen(void)
{
	kms_release_log_close(&rlog);
	ok(kms_release_log_open(&log_opt, &log_head, &rlog, &log_report));
}

int
log_try_open(void)
{
	struct kms_release_log *l;
	int r;

	kms_release_log_close(&rlog);
	r = kms_release_log_open(&log_opt, &log_head, &l, &log_report);
	ck_assert((r == 0) == (l != NULL));
	kms_release_log_close(&l);
	return r;
}

/* Records are numbered and made of their numbers. */
int
log_see(void *ctx, const struct kms_release_entry *e)
{
	unsigned *n = ctx;

	++*n;
	if (e->seq != *n || kms_get32(e->tag.b) != *n ||
	    e->generation != 100 + *n || strcmp(e->volume, "A00001L6") != 0)
		ck_abort_msg("record %u is not itself", *n);
	return 0;
}

unsigned
log_scan(int want)
{
	unsigned n = 0;
	int r = kms_release_log_scan(rlog, log_see, &n, &log_report);

	ck_assert_msg(r == want, "%d: %s", r, r ? kms_err_cause(r) : "");
	ck_assert_uint_eq(log_report.seq, n);
	return n;
}
