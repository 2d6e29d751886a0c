#include "tools/keyfile.h"

#include <stdlib.h>
#include <string.h>

#include "kms/base/buf.h"
#include "kms/base/file.h"
#include "kms/base/crypt.h"

#define FILE_MAX 4096u
#define LIST_MAX (16u << 20)

struct line {
	const char *p;
	size_t len;
};

/* Without its LF or CRLF; takes it off the front of rest. */
static struct line
take_line(struct line *rest)
{
	const char *lf = memchr(rest->p, '\n', rest->len);
	struct line l = {rest->p, rest->len};
	size_t skip = rest->len;

	if (lf != NULL) {
		l.len = (size_t)(lf - rest->p);
		skip = l.len + 1;
	}
	if (l.len > 0 && l.p[l.len - 1] == '\r')
		l.len--;
	rest->p += skip;
	rest->len -= skip;
	return l;
}

/* Copied to where a NUL can stand behind it, and decoded there. */
static int
decode_key(const struct line *l, struct kms_secret **key)
{
	struct kms_secret *text = NULL;
	size_t len = 0;
	int r;

	r = kms_secret_new(l->len + 1, &text);
	if (r == 0)
		r = kms_secret_new(KMS_KEY_LEN, key);
	if (r != 0)
		goto out;
	memcpy(kms_secret_fill(text), l->p, l->len);
	if (memchr(l->p, '\0', l->len) != NULL)
		r = kms_fail(KMS_ERR_USAGE, "a NUL in it");
	else
		r = kms_unhex((const char *)kms_secret_bytes(text),
		    kms_secret_fill(*key), KMS_KEY_LEN, &len);
	if (r == 0 && len != KMS_KEY_LEN)
		r = kms_fail(KMS_ERR_USAGE, "%zu bytes", len);
	if (r != 0)
		r = kms_fail_add(r,
		    "the first line is not a key of %u bytes in hex",
		    KMS_KEY_LEN);
out:
	kms_secret_free(&text);
	return r;
}

/* As stenc sends it: the bytes of the text, without the blanks behind it with
 * which a drive of fixed descriptors pads. */
static int
decode_tag(struct line l, struct kms_tag *tag)
{
	while (l.len > 0 && l.p[l.len - 1] == ' ')
		l.len--;
	tag->len = 0;
	if (l.len == 0)
		return 0;
	if (l.len > KMS_TAG_MAX)
		return kms_fail(KMS_ERR_USAGE,
		    "the descriptor has %zu bytes, a tape keeps %u", l.len,
		    KMS_TAG_MAX);
	return kms_tag_from(tag, l.p, l.len);
}

static int
check_rest(struct line rest)
{
	while (rest.len > 0) {
		if (take_line(&rest).len > 0)
			return kms_fail(KMS_ERR_USAGE,
			    "over two lines: not a key file of stenc");
	}
	return 0;
}

int
keyfile_read(const char *path, struct kms_secret **key, struct kms_tag *tag)
{
	struct kms_secret *file = NULL;
	struct line rest, first;
	int r;

	*key = NULL;
	r = kms_file_read_secret(path, FILE_MAX, &file);
	if (r != 0)
		return r;
	rest = (struct line){(const char *)kms_secret_bytes(file),
	    kms_secret_len(file)};
	first = take_line(&rest);
	r = decode_key(&first, key);
	if (r == 0)
		r = decode_tag(take_line(&rest), tag);
	if (r == 0)
		r = check_rest(rest);
	if (r != 0) {
		kms_secret_free(key);
		r = kms_fail_add(r, "%s", path);
	}
	kms_secret_free(&file);
	return r;
}

/* --- lists ------------------------------------------------------------ */

static int
add_line(struct keyfile_list *list, char *line)
{
	const char **more;

	more = reallocarray(list->line, list->n + 1, sizeof(*more));
	if (more == NULL)
		return kms_fail(KMS_ERR_MEMORY, "list: out of memory");
	list->line = more;
	list->line[list->n++] = line;
	return 0;
}

int
keyfile_list_read(struct keyfile_list *list, const char *path)
{
	char *line, *at;
	size_t len = 0;
	int r;

	*list = (struct keyfile_list){0};
	list->text = malloc(LIST_MAX + 1);
	if (list->text == NULL)
		return kms_fail(KMS_ERR_MEMORY, "list: out of memory");
	r = kms_file_read(path, LIST_MAX, list->text, &len);
	list->text[r == 0 ? len : 0] = '\0';
	at = list->text;
	while (r == 0 && (line = strsep(&at, "\n")) != NULL) {
		line[strcspn(line, "\r")] = '\0';
		if (line[0] != '\0')
			r = add_line(list, line);
	}
	if (r == 0 && list->n == 0)
		r = kms_fail(KMS_ERR_USAGE, "%s: is empty", path);
	return r;
}

void
keyfile_list_free(struct keyfile_list *list)
{
	free(list->line);
	free(list->text);
	*list = (struct keyfile_list){0};
}
