#include "tools/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "kms/header.h"

struct print {
	enum print_form form;
	json_t *root, *list, *record; /* JSON; list and record are borrowed */
	FILE *text;                   /* the other forms, into bytes */
	char *bytes;
	size_t len;
	FILE *out;
	bool first_field, first_record;
	bool streams; /* then record is owned, and root is NULL */
	int r;        /* sticky */
};

enum print_form
print_form(const struct cli *cli)
{
	if (cli->json)
		return PRINT_JSON;
	return cli_has(cli, "noverbose") ? PRINT_LINES : PRINT_RECORDS;
}

int
print_new(enum print_form form, const char *list, struct print **out)
{
	struct print *p = calloc(1, sizeof(*p));

	*out = NULL;
	if (p == NULL)
		return kms_fail(KMS_ERR_MEMORY, "output: %s", strerror(errno));
	p->form = form;
	p->out = stdout;
	p->first_field = p->first_record = true;
	if (form == PRINT_JSON)
		p->root = p->record = json_object();
	else
		p->text = open_memstream(&p->bytes, &p->len);
	if (p->root == NULL && p->text == NULL) {
		print_free(&p);
		return kms_fail(KMS_ERR_MEMORY, "output: out of memory");
	}
	if (list != NULL)
		print_list(p, list);
	*out = p;
	return 0;
}

void
print_free(struct print **pp)
{
	struct print *p = pp != NULL ? *pp : NULL;

	if (p == NULL)
		return;
	if (p->root != NULL)
		json_decref(p->root);
	else if (p->record != NULL)
		json_decref(p->record);
	if (p->text != NULL)
		fclose(p->text);
	free(p->bytes);
	free(p);
	*pp = NULL;
}

/* --- streams ----------------------------------------------------------- */

/* What was collected so far; the next record begins with nothing. */
static void
flush_text(struct print *p)
{
	if (fflush(p->text) != 0) {
		p->r = KMS_ERR_MEMORY;
		return;
	}
	(void)fwrite(p->bytes, 1, p->len, p->out);
	rewind(p->text);
}

static void
flush_record(struct print *p)
{
	if (p->form != PRINT_JSON) {
		flush_text(p);
		return;
	}
	if (p->record == NULL)
		return;
	if (!p->first_record)
		fputc(',', p->out);
	p->first_record = false;
	(void)json_dumpf(p->record, p->out, JSON_COMPACT);
	json_decref(p->record);
	p->record = NULL;
}

/* The fields of the object itself, and the head of the list: JSON is cut
 * before its last brace, which comes with print_end. */
void
print_stream(struct print *p, const char *name, FILE *out)
{
	char *text;
	size_t len;

	p->out = out;
	p->streams = true;
	if (p->form != PRINT_JSON)
		return;
	text = json_dumps(p->root, JSON_COMPACT);
	if (text == NULL) {
		p->r = KMS_ERR_MEMORY;
		return;
	}
	len = strlen(text) - 1;
	fprintf(out, "%.*s%s\"%s\":[", (int)len, text, len > 1 ? "," : "",
	    name);
	free(text);
	json_decref(p->root);
	p->root = p->record = NULL;
}

static int
end_stream(struct print *p)
{
	if (p->form == PRINT_LINES && !p->first_field)
		fputc('\n', p->text);
	flush_record(p);
	if (p->form == PRINT_JSON)
		fputs("]}\n", p->out);
	if (p->r != 0)
		return kms_fail(p->r, "output: out of memory");
	if (ferror(p->out))
		return kms_fail(KMS_ERR_IO, "output: cannot be written");
	return 0;
}

static int
write_out(struct print *p)
{
	bool failed;

	if (p->r == 0 && p->text != NULL) {
		if (p->form == PRINT_LINES && !p->first_field)
			fputc('\n', p->text);
		failed = fclose(p->text) != 0;
		p->text = NULL;
		if (failed)
			p->r = KMS_ERR_MEMORY;
	}
	if (p->r != 0)
		return kms_fail(p->r, "output: out of memory");
	/* A failed write shows when standard output is flushed at the end. */
	if (p->root != NULL) {
		(void)json_dumpf(p->root, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	} else if (p->len > 0) {
		(void)fwrite(p->bytes, 1, p->len, stdout);
	}
	return 0;
}

int
print_end(struct print **pp)
{
	int r = (*pp)->streams ? end_stream(*pp) : write_out(*pp);

	print_free(pp);
	return r;
}

void
print_list(struct print *p, const char *name)
{
	if (p->form != PRINT_JSON)
		return;
	p->list = json_array();
	if (p->list == NULL || json_object_set_new(p->root, name, p->list) != 0)
		p->r = KMS_ERR_MEMORY;
}

void
print_record(struct print *p)
{
	if (p->streams)
		flush_record(p);
	if (p->form == PRINT_JSON) {
		p->record = json_object();
		if (p->streams)
			return;
		if (json_array_append_new(p->list, p->record) != 0)
			p->r = KMS_ERR_MEMORY;
		return;
	}
	if (!p->first_record)
		fputc('\n', p->text);
	p->first_record = false;
	p->first_field = true;
}

static void
put_json(struct print *p, const char *name, json_t *value)
{
	if (value == NULL || json_object_set_new(p->record, name, value) != 0)
		p->r = KMS_ERR_MEMORY;
}

static void
put_text(struct print *p, const char *label, const char *value)
{
	if (p->form == PRINT_RECORDS)
		fprintf(p->text, "%-22s: %s\n", label, value);
	else
		fprintf(p->text, "%s%s", p->first_field ? "" : "\t", value);
	p->first_field = false;
}

void
print_text(struct print *p, const char *name, const char *label,
    const char *value)
{
	if (p->form == PRINT_JSON && name != NULL)
		put_json(p, name, value ? json_string(value) : json_null());
	else if (p->form != PRINT_JSON && label != NULL)
		put_text(p, label, value != NULL && value[0] ? value : "-");
}

void
print_number(struct print *p, const char *name, const char *label,
    uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (p->form == PRINT_JSON && name != NULL)
		put_json(p, name, json_integer((json_int_t)value));
	else if (p->form != PRINT_JSON && label != NULL)
		put_text(p, label, text);
}

void
print_bool(struct print *p, const char *name, const char *label, bool value)
{
	if (p->form == PRINT_JSON && name != NULL)
		put_json(p, name, json_boolean(value));
	else if (p->form != PRINT_JSON && label != NULL)
		put_text(p, label, value ? "Yes" : "No");
}

void
print_time(struct print *p, const char *name, const char *label, int64_t us)
{
	char text[KMS_TIME_TEXT];

	if (us != 0)
		kms_time_text(us, text);
	print_text(p, name, label, us != 0 ? text : NULL);
}

void
print_count(struct print *p, const char *label, size_t n)
{
	if (p->form == PRINT_RECORDS)
		fprintf(p->text, "%s%-22s: %zu\n", p->first_record ? "" : "\n",
		    label, n);
}

#define PROGRESS_EVERY_MS 200

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
print_progress(struct print_line *line, const char *did, uint64_t done,
    uint64_t all)
{
	int64_t now = now_ms();

	if (done < all && now - line->shown < PROGRESS_EVERY_MS)
		return;
	line->shown = now;
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s %llu of %llu\033[K", did,
	    (unsigned long long)done, (unsigned long long)all);
	line->open = true;
}

void
print_progress_end(struct print_line *line)
{
	if (line->open)
		fputc('\n', stderr);
	line->open = false;
}

int
print_key(void *print, const struct kms_key_view *view)
{
	struct print *p = print;
	const struct kms_key *key = &view->key;
	char tag[KMS_TAG_TEXT];

	kms_tag_text(&key->tag, tag);
	print_record(p);
	print_text(p, "group", "Key Group Name", view->group);
	print_text(p, "name", "Key Name", key->name);
	print_text(p, "tag", "Key Tag", tag);
	print_text(p, "state", "Current State", kms_state_name(key->state));
	print_text(p, "recoverable", "Recoverable",
	    kms_recoverable_name(view->gate.recoverable));
	print_bool(p, "needs_token", "Needs Token", view->gate.needs_token);
	print_bool(p, "waived", "Serve Gate Waived", view->gate.waived);
	print_time(p, "created", "Creation Time", key->created);
	print_time(p, "modified", "Last Modification Time", key->modified);
	print_text(p, "description", "Description", key->description);
	return p->r;
}

int
print_group(void *print, const struct kms_group_view *view)
{
	struct print *p = print;
	const char *active = view->active_key[0] ? view->active_key : NULL;

	print_record(p);
	print_text(p, "name", "Key Group Name", view->name);
	print_text(p, "cipher", "Supported Cypher", "AES_256");
	print_number(p, "keys", "Number of Keys", view->keys);
	print_bool(p, NULL, "Has Active Key", active != NULL);
	print_text(p, "active_key", "Active Key", active);
	print_bool(p, "phrase", "Has Passphrase", view->has_phrase);
	print_time(p, "created", "Creation Time", view->created);
	print_time(p, "modified", "Last Modification Time", view->modified);
	print_text(p, "description", "Description", view->description);
	return p->r;
}

void
print_attributes(struct print *p, const char *role, const char *origin,
    const struct kms_attr_report *report)
{
	const struct kms_attr_line *line = report->line;

	if (p->form != PRINT_JSON)
		fprintf(p->text, "%s%s%s, mechanism %s\n", role,
		    origin != NULL ? " from " : "",
		    origin != NULL ? origin : "", kms_mech_name(report->mech));
	for (size_t i = 0; i < report->n && i < KMS_ATTR_LINES; i++) {
		if (p->form != PRINT_JSON) {
			fprintf(p->text,
			    "  %-26s required %-14s found %-16s"
			    " %s\n",
			    line[i].name, line[i].required, line[i].found,
			    line[i].ok ? "good" : "BAD");
			continue;
		}
		print_record(p);
		print_text(p, "key", NULL, role);
		print_text(p, "name", NULL, line[i].name);
		print_text(p, "required", NULL, line[i].required);
		print_text(p, "found", NULL, line[i].found);
		print_bool(p, "ok", NULL, line[i].ok);
	}
}
