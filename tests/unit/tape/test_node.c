#include "tests/unit/tape/suite.h"

#include <grp.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tape/node.h"
#include "tape/sg.h"
#include "tests/lib/fixture.h"

static void
dirs(const char *path)
{
	char part[512];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		mkdir(part, 0755);
	}
	mkdir(path, 0755);
}

/* One SCSI device as the kernel shows it; nst < 0: no tape driver bound. */
static void
device(struct fx *fx, unsigned sg, int nst, const char *type)
{
	const char *d = fx_path(fx, "class/scsi_generic/sg%u/device", sg);
	char serial[] = "\0\x80\0\x0c  HU1234567\0";

	dirs(fx_path(fx, "class/scsi_generic/sg%u/device", sg));
	fx_write_text(fx_path(fx, "class/scsi_generic/sg%u/device/type", sg),
	    type);
	fx_write_text(fx_path(fx, "class/scsi_generic/sg%u/device/vendor", sg),
	    "IBM     \n");
	fx_write_text(fx_path(fx, "class/scsi_generic/sg%u/device/model", sg),
	    "ULT3580-TD8     \n");
	fx_write_text(fx_path(fx, "class/scsi_generic/sg%u/device/rev", sg),
	    "N4Q0\n");
	fx_write(fx_path(fx, "class/scsi_generic/sg%u/device/vpd_pg80", sg),
	    serial, 16, 0444);
	if (nst < 0)
		return;
	dirs(fx_path(fx, "class/scsi_generic/sg%u/device/scsi_tape/nst%da", sg,
	    nst));
	dirs(fx_path(fx, "class/scsi_generic/sg%u/device/scsi_tape/nst%d", sg,
	    nst));
	dirs(fx_path(fx, "class/scsi_generic/sg%u/device/scsi_tape/st%d", sg,
	    nst));
	dirs(fx_path(fx, "class/scsi_generic/sg%u/device/scsi_generic/sg%u", sg,
	    sg));
	dirs(fx_path(fx, "class/scsi_tape/nst%d", nst));
	ck_assert_int_eq(symlink(d,
			     fx_path(fx, "class/scsi_tape/nst%d/device", nst)),
	    0);
}

static struct fx *
tree(void)
{
	struct fx *fx = fx_new();

	device(fx, 11, 1, "1\n");
	device(fx, 3, 0, "1\n");
	device(fx, 2, -1, "8\n"); /* a changer */
	device(fx, 0, -1, "0\n"); /* a disk */
	return fx;
}

START_TEST(drives_are_listed_by_number_with_their_serial)
{
	struct fx *fx = tree();
	struct tape_node *list;
	size_t n;

	ck_assert_int_eq(tape_node_list(fx_path(fx, "%s", "."), &list, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(list[0].sg, "/dev/sg3");
	ck_assert_str_eq(list[0].nst, "/dev/nst0");
	ck_assert_str_eq(list[0].vendor, "IBM");
	ck_assert_str_eq(list[0].product, "ULT3580-TD8");
	ck_assert_str_eq(list[0].revision, "N4Q0");
	ck_assert_str_eq(list[0].serial, "HU1234567");
	ck_assert_str_eq(list[1].sg, "/dev/sg11");
	free(list);
	fx_free(&fx);
}
END_TEST

START_TEST(no_sysfs_is_an_empty_list)
{
	struct tape_node *list;
	size_t n;

	ck_assert_int_eq(tape_node_list("/nonexistent", &list, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_null(list);
}
END_TEST

START_TEST(every_way_to_name_a_drive_leads_to_its_sg)
{
	static const char *const ways[] = {"/dev/sg11", "sg11", "/dev/nst1",
	    "/dev/st1", "/dev/nst1a", "/dev/nst1l", "/dev/st1m", "nst1"};
	struct fx *fx = tree();
	struct tape_node node;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		ck_assert_int_eq(tape_node_find(fx_path(fx, "."), ways[i],
				     &node),
		    0);
		ck_assert_str_eq(node.sg, "/dev/sg11");
		ck_assert_str_eq(node.nst, "/dev/nst1");
	}
	fx_free(&fx);
}
END_TEST

START_TEST(a_link_to_a_node_is_followed)
{
	struct fx *fx = tree();
	struct tape_node node;
	const char *link = fx_path(fx, "scsi-35000-nst");

	fx_write_text(fx_path(fx, "nst1"), "");
	ck_assert_int_eq(symlink(fx_path(fx, "nst1"), link), 0);
	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), link, &node), 0);
	ck_assert_str_eq(node.sg, "/dev/sg11");
	fx_free(&fx);
}
END_TEST

START_TEST(what_is_no_tape_drive_is_not_found)
{
	static const char *const nodes[] = {"/dev/sg0", "/dev/sg2", "/dev/sg99",
	    "/dev/nst7"};
	struct fx *fx = tree();
	struct tape_node node;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		ck_assert_int_eq(tape_node_find(fx_path(fx, "."), nodes[i],
				     &node),
		    KMS_ERR_NOTFOUND);
	fx_free(&fx);
}
END_TEST

START_TEST(other_nodes_are_refused_with_the_reason)
{
	struct fx *fx = tree();
	struct tape_node node;

	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), "/dev/IBMtape0",
			     &node),
	    KMS_ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_USAGE), "lin_tape"));
	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), "/dev/null", &node),
	    KMS_ERR_USAGE);
	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), "/dev/sg", &node),
	    KMS_ERR_USAGE);
	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), "/dev/nst1x", &node),
	    KMS_ERR_USAGE);
	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), "", &node),
	    KMS_ERR_USAGE);
	fx_free(&fx);
}
END_TEST

START_TEST(a_serial_longer_than_its_page_is_cut_to_it)
{
	struct fx *fx = tree();
	struct tape_node node;
	const char *vpd = fx_path(fx, "class/scsi_generic/sg3/device/vpd_pg80");

	fx_write(vpd,
	    "\0\x80\xff\xff"
	    "AB",
	    6, 0444);
	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), "sg3", &node), 0);
	ck_assert_str_eq(node.serial, "AB");
	fx_write(vpd, "\0\x80", 2, 0444);
	ck_assert_int_eq(tape_node_find(fx_path(fx, "."), "sg3", &node), 0);
	ck_assert_str_eq(node.serial, "");
	fx_free(&fx);
}
END_TEST

START_TEST(a_virtual_drive_is_named_by_its_socket)
{
	struct tape_transport *t;
	struct tape_node node;

	ck_assert_int_eq(tape_node_open("/nonexistent", "vtape:/nonexistent/s",
			     &t, &node),
	    KMS_ERR_NOTFOUND);
	ck_assert_ptr_null(t);
	ck_assert_str_eq(node.sg, "vtape:/nonexistent/s");
	ck_assert_str_eq(node.nst, "");
}
END_TEST

START_TEST(a_node_that_is_not_there_is_not_found)
{
	struct tape_transport *t;

	ck_assert_int_eq(tape_sg_open("/nonexistent/sg0", &t),
	    KMS_ERR_NOTFOUND);
	ck_assert_ptr_null(t);
}
END_TEST

START_TEST(a_node_of_another_kind_is_refused)
{
	struct tape_transport *t;

	ck_assert_int_eq(tape_sg_open("/dev/null", &t), KMS_ERR_USAGE);
	ck_assert_ptr_null(t);
}
END_TEST

/* What a user is told who may not open a node of this mode. */
static void
node_says(mode_t mode, const char *text)
{
	struct fx *fx = fx_new();
	struct tape_transport *t;
	const char *node = fx_path(fx, "sg0");

	fx_write(node, "", 0, mode);
	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(fx_path(fx, "."), 0755), 0);
		ck_assert_int_eq(setgroups(0, NULL), 0);
		ck_assert_int_eq(setegid(65534), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	int err = tape_sg_open(node, &t);
	if (getuid() == 0) {
		ck_assert_int_eq(seteuid(0), 0);
		ck_assert_int_eq(setegid(0), 0);
	}
	ck_assert_int_eq(err, KMS_ERR_DENIED);
	ck_assert_msg(strstr(kms_err_cause(err), text) != NULL, "%s",
	    kms_err_cause(err));
	fx_free(&fx);
}

START_TEST(a_missing_permission_names_the_group)
{
	node_says(0060, "add the user to group");
	node_says(0000, "mode 0000");
	node_says(0040, "udev");
}
END_TEST

TCase *
node_tests(void)
{
	TCase *t = tcase_create("node");

	tcase_add_test(t, drives_are_listed_by_number_with_their_serial);
	tcase_add_test(t, no_sysfs_is_an_empty_list);
	tcase_add_test(t, every_way_to_name_a_drive_leads_to_its_sg);
	tcase_add_test(t, a_link_to_a_node_is_followed);
	tcase_add_test(t, what_is_no_tape_drive_is_not_found);
	tcase_add_test(t, other_nodes_are_refused_with_the_reason);
	tcase_add_test(t, a_serial_longer_than_its_page_is_cut_to_it);
	tcase_add_test(t, a_virtual_drive_is_named_by_its_socket);
	return t;
}

TCase *
sg_tests(void)
{
	TCase *t = tcase_create("sg");

	tcase_add_test(t, a_node_that_is_not_there_is_not_found);
	tcase_add_test(t, a_node_of_another_kind_is_refused);
	tcase_add_test(t, a_missing_permission_names_the_group);
	return t;
}
