/* p11kmsdrive -list */
#include <stdlib.h>
#include <string.h>

#include "tape/drive.h"
#include "tape/node.h"
#include "tools/cmd_drive.h"
#include "tools/print.h"

/* What is asked of a drive for the listing. */
struct found {
	struct tape_identity id;
	enum tape_ability ability;
	const char *control; /* NULL: it does not say */
};

static int
ask_drive(const char *spec, struct tape_node *node, struct found *f)
{
	struct tape_transport *t = NULL;
	struct tape_drive *drive = NULL;
	struct tape_status st;
	int r;

	r = tape_node_open(TAPE_SYSFS, spec, &t, node);
	if (r == 0)
		r = tape_drive_open(&t, &drive);
	if (r == 0) {
		f->id = *tape_drive_identity(drive);
		r = tape_drive_ability(drive, &f->ability);
	}
	/* Some answer only with a tape in; that is no reason not to list. */
	if (r == 0 && tape_drive_status(drive, &st) == 0)
		f->control = tape_control_name(st.control);
	else if (r == 0 && f->ability == TAPE_LIBRARY)
		f->control = tape_ability_name(TAPE_LIBRARY);
	tape_drive_close(&drive);
	return r;
}

/* A drive that cannot be opened is listed with the reason, and what the
 * kernel says of it. */
static void
print_found(struct print *p, const char *spec, struct tape_node *node)
{
	struct found f = {.ability = TAPE_ABLE_NOT};
	struct tape_identity known = {.vendor = ""};
	unsigned generation;
	int r;

	r = ask_drive(spec, node, &f);
	memcpy(known.product, node->product, sizeof(known.product));
	generation = tape_drive_generation(r == 0 ? &f.id : &known);
	print_record(p);
	/* A virtual drive's name may be longer than a node's. */
	print_text(p, "node", "Node",
	    strncmp(node->sg, "/dev/", 5) == 0 ? node->sg : spec);
	print_text(p, "tape", "Tape Node", node->nst[0] ? node->nst : NULL);
	print_text(p, "vendor", "Vendor", r == 0 ? f.id.vendor : node->vendor);
	print_text(p, "product", "Product",
	    r == 0 ? f.id.product : node->product);
	print_text(p, "revision", "Revision",
	    r == 0 ? f.id.revision : node->revision);
	print_text(p, "serial", "Serial", r == 0 ? f.id.serial : node->serial);
	if (generation > 0)
		print_number(p, "generation", "LTO Generation", generation);
	else
		print_text(p, "generation", "LTO Generation", NULL);
	print_text(p, "encryption", "Encryption",
	    r == 0 ? tape_ability_name(f.ability) : kms_err_cause(r));
	print_text(p, "control", "Controlled By", f.control);
}

/* -drive: that one alone, also a virtual one. */
static int
find_drives(const struct cli *cli, struct tape_node **list, size_t *n)
{
	const char *spec = cli_value(cli, "drive");
	struct tape_transport *t = NULL;
	int r;

	if (spec == NULL)
		return tape_node_list(TAPE_SYSFS, list, n);
	*list = calloc(1, sizeof(**list));
	if (*list == NULL)
		return kms_fail(KMS_ERR_MEMORY,
		    "list of drives: out of memory");
	*n = 1;
	r = tape_node_open(TAPE_SYSFS, spec, &t, *list);
	if (t != NULL)
		t->close(&t);
	return r;
}

int
cmd_drive_list(struct cli *cli)
{
	const char *spec = cli_value(cli, "drive");
	struct tape_node *list = NULL;
	struct print *p = NULL;
	size_t n = 0;
	int r;

	r = find_drives(cli, &list, &n);
	if (r == 0)
		r = print_new(print_form(cli), "drives", &p);
	for (size_t i = 0; r == 0 && i < n; i++)
		print_found(p, spec != NULL ? spec : list[i].sg, &list[i]);
	if (r == 0) {
		print_count(p, "Number of Drives", n);
		r = print_end(&p);
	}
	print_free(&p);
	free(list);
	return r;
}
