#include "tests/unit/tape/hostile.h"

#include <string.h>

struct mock hostile;
struct tape_drive *hostile_drive;
struct kms_secret *hostile_key;
struct tape_load hostile_load;

void
hostile_begin(void)
{
	mock_init(&hostile);
	hostile_drive = mock_drive(&hostile);
}

void
hostile_setup(void)
{
	hostile_key = mock_key(7);
	hostile_load = mock_write(hostile_key);
	hostile_begin();
}

void
hostile_teardown(void)
{
	kms_secret_free(&hostile_key);
	tape_drive_close(&hostile_drive);
}

bool
hostile_truly_loaded(void)
{
	return hostile.has_key &&
	    memcmp(hostile.key, kms_secret_bytes(hostile_key), 32) == 0 &&
	    hostile.st.dec == TAPE_DEC_MIXED &&
	    hostile.st.enc ==
	    (hostile_load.write ? TAPE_ENC_ENCRYPT : TAPE_ENC_DISABLE) &&
	    (!hostile_load.write ||
		tape_kad_same(hostile.st.kad.u, hostile.st.kad.u_len,
		    hostile_load.kad.u, hostile_load.kad.u_len));
}

int
hostile_is_honest(const char *what)
{
	struct tape_loaded out;

	int err = tape_drive_load(hostile_drive, &hostile_load, &out);
	if (!err) {
		ck_assert_msg(hostile_truly_loaded(), "%s: false success",
		    what);
		return 0;
	}
	const char *cause = kms_err_cause(err);
	ck_assert_msg(mock_off(&hostile) || strstr(cause, "may hold a key"),
	    "%s: a key stayed behind: %s", what, cause);
	return err;
}
