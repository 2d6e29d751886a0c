/* Programs that know nothing of us, through the preload library. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/vtape/child.h"
#include "tests/unit/vtape/proc.h"
#include "tests/unit/vtape/suite.h"

/* Some files to back up, in d/. */
static const char make_files[] =
    "mkdir -p d/e && seq 1 20000 >d/numbers && "
    "seq 1 300 | sed 's/$/ a line of text to be found/' >d/e/text";

static bool
has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

START_TEST(tar_writes_and_reads_an_encrypted_tape)
{
	struct proc *p = proc_new(NULL);
	struct sde s = sde_load(4, "tag"), off = sde_off();

	proc_sh(p, 0, make_files);
	proc_load(p, &s);
	proc_sh(p, 0, "tar cf $T d");
	ck_assert(!fx_contains(p->fx, p->cartridge, "a line of text", 14));
	ck_assert(!fx_contains(p->fx, p->cartridge, "numbers", 7));
	proc_load(p, &off);
	proc_sh(p, 2, "mt -f $T rewind && tar tf $T");
	ck_assert(has(p->err, "Input/output error"));
	proc_load(p, &s);
	proc_sh(p, 0,
	    "mt -f $T rewind && mkdir x && tar xf $T -C x && diff -r d x/d");
	proc_free(p);
}
END_TEST

START_TEST(tar_compresses_through_its_child)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0, make_files);
	proc_sh(p, 0,
	    "tar czf $T d && tar cf $T d/e && mt -f $T rewind && "
	    "mkdir x && tar xzf $T -C x && diff -r d x/d && "
	    "mt -f $T rewind && mt -f $T fsf 1 && tar df $T");
	proc_free(p);
}
END_TEST

START_TEST(each_archive_is_a_tape_file)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0, make_files);
	proc_sh(p, 0, "tar cf $T d/numbers; tar cf $T d/e/text");
	const char *out = proc_sh(p, 0, "mt -f $T status");
	ck_assert(has(out, "File number=2, block number=0"));
	ck_assert(has(out, "EOD"));
	out = proc_sh(p, 0,
	    "mt -f $T rewind; mt -f $T fsf 1; mt -f $T status; tar tf $T");
	ck_assert(has(out, "File number=1, block number=0"));
	ck_assert(has(out, "d/e/text"));
	out = proc_sh(p, 0, "mt -f $T bsfm 1; mt -f $T status; tar tf $T");
	ck_assert(has(out, "d/e/text"));
	proc_free(p);
}
END_TEST

START_TEST(mt_positions_and_tells)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0,
	    "seq 1 9 | dd of=$T bs=2 2>&1 && mt -f $T eof 2 && "
	    "echo last | dd of=$T 2>&1");
	/* 9 blocks, filemark of the close, 2 more, 1 block, filemark */
	ck_assert_str_eq(proc_sh(p, 0, "mt -f $T tell"), "At block 14.\n");
	ck_assert(has(proc_sh(p, 0, "mt -f $T seek 3; mt -f $T status"),
	    "File number=0, block number=3"));
	ck_assert_str_eq(proc_sh(p, 0, "dd if=$T bs=2 count=1 2>/dev/null"),
	    "4\n");
	ck_assert(has(proc_sh(p, 0, "mt -f $T rewind; mt -f $T status"),
	    "BOT"));
	ck_assert(has(proc_sh(p, 0, "mt -f $T eod; mt -f $T status"),
	    "File number=4, block number=0"));
	proc_sh(p, 0, "mt -f $T bsf 2 && mt -f $T bsr 0 && mt -f $T fsf 1");
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T"), "last\n");
	proc_sh(p, 2, "mt -f $T fsf 1");
	ck_assert(has(p->err, "Input/output error"));
	proc_sh(p, 0, "mt -f $T erase");
	proc_free(p);
}
END_TEST

START_TEST(reading_ends_at_filemarks_and_at_the_end)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0, "echo one >$T; echo two >$T; mt -f $T rewind");
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T; cat <$T"), "one\ntwo\n");
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T"), ""); /* end: empty once */
	proc_sh(p, 1, "mt -f $T eod; exec 3<$T; cat <&3 && cat <&3");
	ck_assert(has(p->err, "Input/output error"));
	proc_free(p);
}
END_TEST

START_TEST(the_last_close_of_all_writes_the_filemark)
{
	struct proc *p = proc_new(NULL);

	/* One description, several processes, dup and exec: one file. */
	proc_sh(p, 0,
	    "(echo a; echo b; (echo c); sh -c 'echo d'; cat /dev/null) >$T");
	ck_assert_str_eq(proc_sh(p, 0, "mt -f $T tell"), "At block 5.\n");
	proc_sh(p, 0,
	    "exec 3>$T; echo e >&3; (exec 4>&3 3>&-; echo f >&4); "
	    "exec 3>&-; mt -f $T tell >told");
	ck_assert(fx_contains(p->fx, fx_path(p->fx, "told"), "block 8", 7));
	ck_assert_str_eq(proc_sh(p, 0, "mt -f $T rewind; cat <$T; cat <$T"),
	    "a\nb\nc\nd\ne\nf\n");
	proc_free(p);
}
END_TEST

START_TEST(the_rewinding_node_rewinds)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0, "echo hello >/dev/st9");
	ck_assert_str_eq(proc_sh(p, 0, "mt -f $T tell"), "At block 0.\n");
	ck_assert_str_eq(proc_sh(p, 0, "cat </dev/st9"), "hello\n");
	proc_free(p);
}
END_TEST

START_TEST(fixed_blocks_work_as_in_the_kernel)
{
	struct proc *p = proc_new(NULL);

	ck_assert(has(proc_sh(p, 0, "mt -f $T setblk 512; mt -f $T status"),
	    "block size 512"));
	proc_sh(p, 0, "dd if=/dev/zero of=$T bs=10k count=2 2>&1");
	ck_assert_str_eq(proc_sh(p, 0, "mt -f $T tell"), "At block 41.\n");
	proc_sh(p, 1, "dd if=/dev/zero of=$T bs=500 count=1");
	ck_assert(has(p->err, "Invalid argument"));
	proc_sh(p, 0,
	    "mt -f $T rewind; dd if=$T of=back bs=10k 2>&1; "
	    "test $(wc -c <back) = 20480");
	proc_sh(p, 0, "mt -f $T setblk 0");
	proc_free(p);
}
END_TEST

START_TEST(a_block_over_the_room_is_enomem)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0, "dd if=/dev/zero of=$T bs=1000 count=1; mt -f $T rewind");
	proc_sh(p, 1, "dd if=$T bs=500 count=1");
	ck_assert(has(p->err, "Cannot allocate memory"));
	proc_free(p);
}
END_TEST

/* Blocks of several writers mix, but each is whole, and one filemark ends
 * them all. */
START_TEST(threads_and_forked_children_share_a_node)
{
	struct proc *p = proc_new(NULL);
	char self[PATH_MAX], *script;
	unsigned seen[CHILD_WRITERS + 1] = {0};

	proc_built(self, "test/test-vtape");
	ck_assert_int_gt(asprintf(&script,
			     "ASAN_OPTIONS=verify_asan_link_order=0 %s %s",
			     self, _i ? "forks" : "threads"),
	    0);
	proc_sh(p, 0, script);
	free(script);
	ck_assert_uint_eq(proc_position(p), CHILD_WRITERS * CHILD_BLOCKS + 1);
	proc_good(p, (struct cdb){{0x2B}}, NULL, 0, 0);
	for (int i = 0; i < CHILD_WRITERS * CHILD_BLOCKS; i++) {
		struct cdb c = {
		    {0x08, 0, 0, CHILD_BLOCK >> 8, CHILD_BLOCK & 0xFF}};
		proc_good(p, c, NULL, 0, CHILD_BLOCK);
		ck_assert_uint_eq(p->got, CHILD_BLOCK);
		ck_assert_mem_eq(p->in, p->in + 1, CHILD_BLOCK - 1);
		ck_assert_uint_le(p->in[0], CHILD_WRITERS);
		seen[p->in[0]]++;
	}
	for (int i = 1; i <= CHILD_WRITERS; i++)
		ck_assert_uint_eq(seen[i], CHILD_BLOCKS);
	proc_free(p);
}
END_TEST

/* glibc's stdio calls itself, past the library: it must not look written. */
START_TEST(output_by_stdio_fails_instead_of_getting_lost)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 1, "head -c 1000 /dev/zero >$T");
	ck_assert(has(p->err, "write error"));
	ck_assert_uint_eq(proc_position(p), 0);
	proc_free(p);
}
END_TEST

START_TEST(closing_every_descriptor_keeps_the_rest_working)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0,
	    "exec 3>$T; echo a >&3; "
	    "for i in 4 5 6 7 8 9; do eval \"exec $i>&-\"; done; "
	    "echo b >&3; exec 3>&-; mt -f $T rewind");
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T"), "a\nb\n");
	proc_free(p);
}
END_TEST

START_TEST(a_full_tape_is_enospc)
{
	struct proc *p = proc_new("2000000");

	proc_sh(p, 1, "dd if=/dev/zero of=$T bs=64k count=100");
	ck_assert(has(p->err, "No space left on device"));
	/* There was room for the filemark, and all of it can be read. */
	proc_sh(p, 0, "mt -f $T rewind; dd if=$T of=back bs=64k 2>&1");
	ck_assert_uint_gt(proc_position(p), 20);
	proc_free(p);
}
END_TEST

START_TEST(a_protected_tape_cannot_be_opened_for_writing)
{
	struct proc *p = proc_new(NULL);
	size_t n;

	proc_sh(p, 0, "echo data >$T");
	proc_stop(p, SIGTERM);
	uint8_t *all = fx_read(p->fx, p->cartridge, &n);
	fx_write(p->cartridge, all, n, 0444);
	proc_start(p);
	proc_sh(p, 2, "echo more >$T");
	ck_assert(has(p->err, "Read-only file system"));
	ck_assert(has(proc_sh(p, 0, "mt -f $T status"), "WR_PROT"));
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T"), "data\n");
	proc_free(p);
}
END_TEST

START_TEST(an_empty_drive_is_seen_as_one)
{
	struct proc *p = proc_new(NULL);
	const char *eject[] = {"-eject", "-drive", p->socket, NULL};

	ck_assert_int_eq(proc_vtaped(p->fx, eject).status, 0);
	proc_sh(p, 1, "cat <$T || exit 1");
	ck_assert(has(p->err, "No medium found"));
	ck_assert(has(proc_sh(p, 0, "mt -f $T status"), "DR_OPEN"));
	proc_free(p);
}
END_TEST

START_TEST(offline_and_load)
{
	struct proc *p = proc_new(NULL);

	proc_sh(p, 0, "echo data >$T; mt -f $T offline; mt -f $T load");
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T"), "data\n");
	proc_free(p);
}
END_TEST

START_TEST(a_wrong_key_is_an_input_error)
{
	struct proc *p = proc_new(NULL);
	struct sde one = sde_load(1, "one"), two = sde_load(2, "two");

	proc_load(p, &one);
	proc_sh(p, 0, "echo sealed >$T; mt -f $T rewind");
	proc_load(p, &two);
	proc_sh(p, 1, "cat <$T");
	ck_assert(has(p->err, "Input/output error"));
	proc_load(p, &one);
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T"), "sealed\n");
	proc_free(p);
}
END_TEST

START_TEST(a_reset_in_mid_job_stops_it)
{
	struct proc *p = proc_new(NULL);
	char vtaped[PATH_MAX], *script;

	proc_built(vtaped, "bin/vtaped");
	ck_assert_int_gt(asprintf(&script,
			     "exec 3>$T; echo one >&3; "
			     "LD_PRELOAD= %s -reset -drive %s; echo two >&3",
			     vtaped, p->socket),
	    0);
	proc_sh(p, 1, script);
	ck_assert(has(p->err, "I/O error") || has(p->err, "Input/output"));
	free(script);
	/* No filemark was written where the tape is now. */
	int fd = proc_connect(p);
	ck_assert(proc_try(p, fd, (struct cdb){{0x08, 0, 0, 0, 4}}, NULL, 0,
	    4));
	ck_assert_mem_eq(p->in, "one\n", 4);
	close(fd);
	proc_free(p);
}
END_TEST

START_TEST(sg_inq_and_sg_raw_see_a_scsi_device)
{
	struct proc *p = proc_new(NULL);
	const char *out = proc_sh(p, 0, "sg_inq /dev/sg9");

	ck_assert(has(out, "Vendor identification: P11KMS"));
	ck_assert(has(out, "VIRTUAL LTO-8"));
	ck_assert(has(out, "Unit serial number: VT"));
	ck_assert(has(proc_sh(p, 0, "sg_inq -p 0x83 $T"),
	    "NAA 3, Locally assigned"));
	out = proc_sh(p, 0,
	    "sg_raw -r 64 /dev/sg9 a2 20 00 20 00 00 00 00 00 40 00 00 2>&1");
	ck_assert(has(out, "00 20 00 14"));
	ck_assert(has(proc_sh(p, 5,
			  "sg_raw -r 64 /dev/sg9 a2 20 77 77 0 0 0 0 0 40 0 0"
			  " 2>&1"),
	    "Invalid field in cdb"));
	ck_assert(has(proc_sh(p, 0, "sg_turs -v /dev/sg9 2>&1"), "ready"));
	ck_assert(has(proc_sh(p, 0, "sg_rdac -h 2>/dev/null; ls -d /dev/null"),
	    "null"));
	proc_free(p);
}
END_TEST

/* stenc 1.0.7 wants to be root even to look. */
START_TEST(stenc_loads_reads_and_clears)
{
	struct proc *p = proc_new(NULL);
	const char *out;

	if (geteuid() != 0 || access("/usr/bin/stenc", X_OK) != 0) {
		proc_free(p);
		return;
	}
	fx_write_text(fx_path(p->fx, "key"),
	    "000102030405060708090a0b0c0d0e0f"
	    "101112131415161718191a1b1c1d1e1f\nthe key's name\n");
	proc_sh(p, 0, "stenc -f $T -e mixed -k key -a 1 --ckod </dev/null");
	out = proc_sh(p, 0, "stenc -f $T --detail </dev/null");
	ck_assert(has(out, "the key's name"));
	ck_assert(has(out, "Drive Encryption:        mixed"));
	proc_sh(p, 0, "echo sealed by stenc >$T; mt -f $T rewind");
	ck_assert(!fx_contains(p->fx, p->cartridge, "sealed by", 9));
	out = proc_sh(p, 0, "stenc -f $T --detail </dev/null");
	ck_assert(has(out, "Encrypted and able to decrypt"));
	/* The same key by our bytes reads it. */
	proc_sh(p, 0, "stenc -f $T -e off </dev/null");
	proc_good(p, (struct cdb){{0xA2, 0x20, 0, 0x20, 0, 0, 0, 0, 1, 0}},
	    NULL, 0, 256);
	ck_assert_mem_eq(p->in + 5, "\0\0", 2);
	uint8_t page[52] = {0, 0x10, 0, 48, 0x40, 0, 0, 3, 1, [19] = 32};
	for (uint8_t i = 0; i < 32; i++)
		page[20 + i] = i;
	proc_good(p, (struct cdb){{0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52}},
	    page, 52, 0);
	ck_assert_str_eq(proc_sh(p, 0, "cat <$T"), "sealed by stenc\n");
	proc_free(p);
}
END_TEST

TCase *
program_tests(void)
{
	TCase *t = tcase_create("program");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, tar_writes_and_reads_an_encrypted_tape);
	tcase_add_test(t, tar_compresses_through_its_child);
	tcase_add_test(t, each_archive_is_a_tape_file);
	tcase_add_test(t, mt_positions_and_tells);
	tcase_add_test(t, reading_ends_at_filemarks_and_at_the_end);
	tcase_add_test(t, the_last_close_of_all_writes_the_filemark);
	tcase_add_test(t, the_rewinding_node_rewinds);
	tcase_add_test(t, fixed_blocks_work_as_in_the_kernel);
	tcase_add_test(t, a_block_over_the_room_is_enomem);
	tcase_add_loop_test(t, threads_and_forked_children_share_a_node, 0, 2);
	tcase_add_test(t, output_by_stdio_fails_instead_of_getting_lost);
	tcase_add_test(t, closing_every_descriptor_keeps_the_rest_working);
	tcase_add_test(t, a_full_tape_is_enospc);
	tcase_add_test(t, a_protected_tape_cannot_be_opened_for_writing);
	tcase_add_test(t, an_empty_drive_is_seen_as_one);
	tcase_add_test(t, offline_and_load);
	tcase_add_test(t, a_wrong_key_is_an_input_error);
	tcase_add_test(t, a_reset_in_mid_job_stops_it);
	tcase_add_test(t, sg_inq_and_sg_raw_see_a_scsi_device);
	tcase_add_test(t, stenc_loads_reads_and_clears);
	return t;
}
