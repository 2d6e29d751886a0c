/*
 * What a drive can do, and who may ask it to: before any key is sent.
 */
#include "tape/drive_impl.h"

#include <string.h>

#define PROTOCOLS_MAX 256u
#define CFG_PREVENTED 2u

static const char library_owns[] =
    "the library owns this drive's keys; set it to application-managed "
    "encryption in the library";

/* Protocol 00h, page 0000h: is 20h in the list? */
static int
protocol_listed(struct tape_drive *d, bool *listed)
{
	uint8_t list[PROTOCOLS_MAX];
	size_t got, n;

	*listed = false;
	int err = tape_drive_page(d, TAPE_SP_INFO, 0, "security protocols",
	    &got, NULL);
	if (err)
		return err;
	err = tape_protocols_decode(d->page, got, list, PROTOCOLS_MAX, &n);
	if (err)
		return err;
	*listed = n > 0 && memchr(list, TAPE_SP_TDE, n) != NULL;
	return 0;
}

static int
capabilities_read(struct tape_drive *d, struct tape_capabilities *c,
    struct tape_sense *s)
{
	size_t got;

	int err = tape_drive_page(d, TAPE_SP_TDE, TAPE_PAGE_CAPABILITIES,
	    "encryption capabilities", &got, s);
	return err ? err : tape_capabilities_decode(d->page, got, c);
}

int
tape_drive_capabilities(struct tape_drive *d, struct tape_capabilities *c)
{
	bool listed;

	memset(c, 0, sizeof(*c));
	int err = protocol_listed(d, &listed);
	if (err)
		return err;
	if (!listed)
		return kms_fail(KMS_ERR_DRIVE,
		    "tape encryption is switched off in this drive (protocol "
		    "20h is not listed); enable application-managed "
		    "encryption in the library or the drive");
	err = capabilities_read(d, c, NULL);
	if (err)
		return err;
	if (c->cfg_p == CFG_PREVENTED)
		return kms_fail(KMS_ERR_DRIVE, "%s", library_owns);
	return 0;
}

/* Answers that are a fact about the drive rather than a failure. */
static bool
says_no(int err, const struct tape_sense *s)
{
	enum tape_sense_class c = tape_sense_find(s)->class;

	return err == KMS_ERR_DRIVE &&
	    (c == TAPE_SENSE_UNSUPPORTED || c == TAPE_SENSE_LIBRARY);
}

int
tape_drive_ability(struct tape_drive *d, enum tape_ability *a)
{
	struct tape_capabilities c;
	struct tape_sense s = {0};
	bool listed;
	size_t got;

	*a = TAPE_ABLE_NOT;
	int err = tape_drive_page(d, TAPE_SP_INFO, 0, "security protocols",
	    &got, &s);
	if (err && says_no(err, &s))
		return 0;
	if (!err)
		err = protocol_listed(d, &listed);
	if (err)
		return err;
	*a = TAPE_SWITCHED_OFF;
	if (!listed)
		return 0;
	err = capabilities_read(d, &c, &s);
	if (err && !says_no(err, &s))
		return err;
	if (err)
		*a = tape_sense_find(&s)->class == TAPE_SENSE_LIBRARY
		    ? TAPE_LIBRARY
		    : TAPE_SWITCHED_OFF;
	else
		*a = c.cfg_p == CFG_PREVENTED ? TAPE_LIBRARY : TAPE_ABLE;
	return 0;
}

static uint32_t
algorithm_code(const struct tape_capabilities *c, uint8_t index)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->alg[i].index == index)
			return c->alg[i].code;
	return 0;
}

int
tape_drive_state(struct tape_drive *d, struct tape_drive_state *st)
{
	struct tape_capabilities c = {0};
	struct tape_sense s = {0};

	memset(st, 0, sizeof(*st));
	int err = tape_drive_medium(d, &st->medium);
	if (err && err != KMS_ERR_BUSY)
		return err;
	err = tape_drive_status(d, &st->status);
	if (err)
		return err;
	st->loaded = st->status.enc != TAPE_ENC_DISABLE ||
	    st->status.dec != TAPE_DEC_DISABLE;
	/* Only for the algorithm's name. */
	err = capabilities_read(d, &c, &s);
	if (!err && st->loaded)
		st->algorithm = algorithm_code(&c, st->status.algorithm);
	if (!st->medium)
		return 0;
	err = tape_drive_next(d, &st->next, &st->block);
	return err == KMS_ERR_DRIVE ? 0 : err;
}

const char *
tape_ability_name(enum tape_ability a)
{
	switch (a) {
	case TAPE_ABLE:
		return "yes";
	case TAPE_ABLE_NOT:
		return "no";
	case TAPE_SWITCHED_OFF:
		return "switched off";
	case TAPE_LIBRARY:
		return "library";
	}
	return "unknown";
}

const char *
tape_next_name(enum tape_next n)
{
	switch (n) {
	case TAPE_NEXT_UNKNOWN:
		return "unknown";
	case TAPE_NEXT_MARK:
		return "filemark";
	case TAPE_NEXT_CLEAR:
		return "clear";
	case TAPE_NEXT_UNSUPPORTED:
		return "unsupported";
	case TAPE_NEXT_READABLE:
		return "readable";
	case TAPE_NEXT_LOCKED:
		return "locked";
	}
	return "unknown";
}

const char *
tape_enc_name(enum tape_enc_mode m)
{
	switch (m) {
	case TAPE_ENC_DISABLE:
		return "off";
	case TAPE_ENC_EXTERNAL:
		return "external";
	case TAPE_ENC_ENCRYPT:
		return "encrypt";
	}
	return "unknown";
}

const char *
tape_dec_name(enum tape_dec_mode m)
{
	switch (m) {
	case TAPE_DEC_DISABLE:
		return "off";
	case TAPE_DEC_RAW:
		return "raw";
	case TAPE_DEC_DECRYPT:
		return "decrypt";
	case TAPE_DEC_MIXED:
		return "mixed";
	}
	return "unknown";
}

const char *
tape_control_name(uint8_t control)
{
	static const char *const names[] = {"not reported", "host",
	    "device server", "library", "management interface"};

	return control < sizeof(names) / sizeof(names[0]) ? names[control]
							  : "reserved";
}

const char *
tape_algorithm_name(uint32_t code)
{
	switch (code) {
	case 0x00010010:
		return "AES-256-CCM";
	case TAPE_AES_256_GCM:
		return "AES-256-GCM";
	case 0x0001000C:
		return "AES-256-CBC-HMAC-SHA-1";
	case 0x00010016:
		return "AES-256-XTS-HMAC-SHA-512";
	default:
		return NULL;
	}
}
