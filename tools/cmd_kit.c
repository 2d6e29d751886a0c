#include "tools/cmd_kit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kms/base/file.h"
#include "tools/kit.h"
#include "tools/open.h"
#include "tools/print.h"

static int
collect(struct open *at, struct kit **kit)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(at->store, &at->actor, KMS_READ, &tx);
	if (r == 0)
		r = kit_collect(tx, kit);
	kms_tx_abort(&tx);
	return r;
}

/* Only a file is replaced: never a device, nor what a link leads to. */
static int
check_place(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0 || S_ISREG(st.st_mode))
		return 0;
	return kms_fail(KMS_ERR_USAGE, "%s: not a file; give another -path",
	    path);
}

static int
write_page(const struct kit *kit, const char *path)
{
	char *page = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	if (path == NULL)
		return kit_html_write(kit, stdout);
	r = check_place(path);
	if (r != 0)
		return r;
	out = open_memstream(&page, &len);
	if (out == NULL)
		return kms_fail(KMS_ERR_MEMORY, "page: %s", strerror(errno));
	r = kit_html_write(kit, out);
	if (fclose(out) != 0 && r == 0)
		r = kms_fail(KMS_ERR_MEMORY, "page: out of memory");
	if (r == 0)
		r = kms_file_replace(path, page, len);
	free(page);
	return r;
}

static int
show_written(const struct cli *cli, const struct kit *kit, const char *path)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	print_text(p, NULL, "Recovery Kit", path);
	print_number(p, NULL, "Key Groups", kit->groups);
	print_number(p, NULL, "Keys", kit->keys);
	return print_end(&p);
}

/* Written as the caller, whose place it goes to, with the store closed. */
int
cmd_kit_make(struct cli *cli)
{
	const char *path = cli_value(cli, "path");
	struct open at = {.cli = cli};
	struct kit *kit = NULL;
	int r;

	r = open_all(&at, cli);
	if (r == 0)
		r = collect(&at, &kit);
	if (r == 0)
		r = open_leave(&at);
	if (r == 0 && (path != NULL || !cli->json))
		r = write_page(kit, path);
	if (r == 0 && cli->json)
		r = kit_json_write(kit, stdout);
	else if (r == 0 && path != NULL)
		r = show_written(cli, kit, path);
	kit_free(&kit);
	open_close(&at);
	return r;
}
