#include "tools/cmd_note.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/tag.h"
#include "tape/wire.h"
#include "tools/cmd_drive.h"
#include "tools/open.h"
#include "tools/print.h"

#define TELL_TIMEOUT_MS 600000

/* --- what a job says -------------------------------------------------- */

/* As a shell takes it for one word. */
static void
put_word(const char *option, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ.,:_/@+-";

	fprintf(stderr, " %s ", option);
	if (strspn(value, plain) == strlen(value)) {
		fputs(value, stderr);
		return;
	}
	fputc('\'', stderr);
	for (; *value != '\0'; value++)
		if (*value == '\'')
			fputs("'\\''", stderr);
		else
			fputc(*value, stderr);
	fputc('\'', stderr);
}

void
cmd_note_say_missed(const struct cli *cli, const struct tape_want *key,
    const struct tape_medium *m)
{
	char tag[2 * TAPE_UKAD_MAX + 1];

	kms_hex(key->kad->u, key->kad->u_len, tag);
	fprintf(stderr, "%s: a tape is not in the catalog; record it: ",
	    cli->program->name);
	fprintf(stderr, "p11kmsdrive -note -tag %s", tag);
	if (m->barcode[0] != '\0')
		put_word("-volume", m->barcode);
	if (m->serial[0] != '\0')
		put_word("-medium", m->serial);
	if (tape_medium_is_unnamed(m))
		put_word("-volume", "LABEL");
	if (key->drive[0] != '\0')
		put_word("-drive_serial", key->drive);
	if (cli_has(cli, "server"))
		put_word("-server", cli_value(cli, "server"));
	fputc('\n', stderr);
}

/* --- from a job's volume script --------------------------------------- */

static int
tell_job(void)
{
	const char *path = getenv(WIRE_TELL_ENV);

	if (path == NULL || path[0] == '\0')
		return kms_fail(KMS_ERR_USAGE,
		    "no job that writes started this: name the drive with "
		    "-drive, or key and tape with -tag and -volume");
	if (wire_ask(path, TELL_TIMEOUT_MS) == 0)
		return 0;
	if (errno == EACCES)
		return kms_fail(KMS_ERR_BUSY,
		    "the drive does not say which tape is in it; try again "
		    "when the tape is ready");
	return kms_fail(KMS_ERR_IO, "%s: %s; does its job still run?", path,
	    strerror(errno));
}

/* --- by hand ---------------------------------------------------------- */

/* A tape to be recorded, and what names it. */
struct note {
	struct open at;
	struct tape_keys *keys;
	struct tape_drive *drive; /* NULL: all is named */
	struct tape_medium m;
	struct tape_kad kad;
	struct tape_want want;
};

static int
tag_given(struct note *n, const char *text)
{
	struct kms_tag tag;
	int r = kms_tag_parse(&tag, text);

	if (r != 0)
		return r;
	memcpy(n->kad.u, tag.b, tag.len);
	n->kad.u_len = tag.len;
	return 0;
}

/* The key that the drive writes with now. */
static int
tag_in_drive(struct note *n)
{
	struct tape_status st;
	int r = tape_drive_status(n->drive, &st);

	if (r != 0)
		return r;
	if (st.enc != TAPE_ENC_ENCRYPT || st.kad.u_len == 0)
		return kms_fail(KMS_ERR_STATE,
		    "the drive holds no key to write with; name it with -tag");
	n->kad.u_len = st.kad.u_len;
	memcpy(n->kad.u, st.kad.u, st.kad.u_len);
	return 0;
}

static int
ask_drive(struct note *n, const struct cli *cli)
{
	bool in = false;
	int r = cmd_drive_open(cli, &n->drive, NULL);

	if (r == 0)
		r = tape_drive_medium(n->drive, &in);
	if (r == 0 && !in && n->want.volume == NULL)
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "no tape in the drive; insert it, or name it with -volume");
	if (r == 0 && in)
		r = tape_medium_read(n->drive, &n->m);
	if (r == 0 && n->kad.u_len == 0)
		r = tag_in_drive(n);
	if (r == 0)
		n->want.drive = tape_drive_identity(n->drive)->serial;
	return r;
}

static const char *
first_of(const char *given, const char *found)
{
	return given != NULL ? given : found;
}

static int
gather(struct note *n, const struct cli *cli)
{
	int r = 0;

	n->want.kad = &n->kad;
	n->want.volume = cli_value(cli, "volume");
	n->want.medium = cli_value(cli, "medium");
	if (cli_has(cli, "tag"))
		r = tag_given(n, cli_value(cli, "tag"));
	else if (!cli_has(cli, "drive"))
		r = kms_fail(KMS_ERR_USAGE,
		    "which key? name it with -tag, or the drive that holds it "
		    "with -drive");
	if (r == 0)
		r = open_drive_host(&n->at, cli);
	if (r == 0 && cli_has(cli, "drive"))
		r = ask_drive(n, cli);
	n->want.drive = first_of(cli_value(cli, "drive_serial"),
	    first_of(n->want.drive, ""));
	n->want.volume = first_of(n->want.volume, n->m.barcode);
	n->want.medium = first_of(n->want.medium, n->m.serial);
	return r;
}

static void
put_field(struct print *p, const char *name, const char *label,
    const char *value)
{
	print_text(p, name, label, value[0] != '\0' ? value : NULL);
}

static int
show(const struct cli *cli, const struct note *n)
{
	char tag[2 * TAPE_UKAD_MAX + 1];
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	kms_hex(n->kad.u, n->kad.u_len, tag);
	put_field(p, "volume", "Volume", n->want.volume);
	put_field(p, "medium", "Medium Serial", n->want.medium);
	put_field(p, "tag", "Key Tag", tag);
	put_field(p, "drive", "Drive", n->want.drive);
	return print_end(&p);
}

static int
note_by_hand(const struct cli *cli)
{
	struct note n = {.keys = NULL};
	int r = gather(&n, cli);

	if (r == 0)
		r = open_servers(&n.at) != NULL ? open_keys_kmip(&n.at, &n.keys)
						: open_keys(&n.at, &n.keys);
	if (r == 0)
		r = n.keys->note(n.keys, &n.want);
	if (r == 0)
		r = show(cli, &n);
	if (n.keys != NULL)
		n.keys->close(&n.keys);
	tape_drive_close(&n.drive);
	open_close(&n.at);
	return r;
}

int
cmd_drive_note(struct cli *cli)
{
	static const char *const any[] = {"drive", "tag", "volume", "medium",
	    "drive_serial"};

	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
		if (cli_has(cli, any[i]))
			return note_by_hand(cli);
	return tell_job();
}
