#include "tools/config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "kms/base/buf.h"
#include "kms/base/file.h"
#include "tools/cli.h"

#define FILE_MAX 65536u
#define BOM "\xef\xbb\xbf" /* what some editors put in front of UTF-8 */
#define SECTION_MAX 48u    /* inih cuts longer ones off without a word */
#define LINE_LEN_MAX 4096  /* inih's own limit, 197, is short for a URI */

enum kind { TEXT, PATH, SWITCH, NUMBER, TIME, LOCK };

/* One key: where it stands, what it may be, where its value goes. */
struct entry {
	const char *section, *key;
	enum kind kind;
	size_t at;
	uint64_t min, max;
};

#define AT(member) offsetof(struct config, member)
static const struct entry entries[] = {
    {"store", "path", PATH, AT(store.path), 0, 0},
    {"token", "uri", TEXT, AT(token.uri), 0, 0},
    {"token", "sign_key", TEXT, AT(token.sign_key), 0, 0},
    {"token", "lock_dir", PATH, AT(token.lock_dir), 0, 0},
    {"limits", "groups", NUMBER, AT(policy.max_groups), 0, 1000000},
    {"limits", "keys_per_group", NUMBER, AT(policy.max_keys_per_group), 0,
	1000000},
    {"policy", "serve_gate", SWITCH, AT(policy.serve_gate), 0, 0},
    {"policy", "delete_gate", SWITCH, AT(policy.delete_gate), 0, 0},
    {"policy", "export", SWITCH, AT(policy.export_allowed), 0, 0},
    {"policy", "kdf_cost", NUMBER, AT(policy.kdf_cost), KMS_KDF_COST_CREATE_MIN,
	KMS_KDF_COST_MAX},
    {"policy", "phrase_min", NUMBER, AT(policy.phrase_min), 1, KMS_PHRASE_MAX},
    {"policy", "memory_lock", LOCK, AT(memory_lock), 0, 0},
    {"policy", "kmip_groups_need_phrase", SWITCH, AT(kmip_groups_need_phrase),
	0, 0},
    {"policy", "drill_max_age", TIME, AT(drill_max_age), 0, 0},
    {"backup", "path", PATH, AT(backup.path), 0, 0},
    {"backup", "keep", NUMBER, AT(backup.keep), 1, 100000},
    {"backup", "max_age", TIME, AT(backup.max_age), 0, 0},
    {"backup", "same_device", SWITCH, AT(policy.backup_same_device), 0, 0},
    {"server", "listen", TEXT, AT(server.listen), 0, 0},
    {"server", "workers", NUMBER, AT(server.workers), 1, 256},
    {"server", "metrics", PATH, AT(server.metrics), 0, 0},
    {"server", "cert", TEXT, AT(server.tls.cert), 0, 0},
    {"server", "key", TEXT, AT(server.tls.key), 0, 0},
    {"server", "ca", TEXT, AT(server.tls.ca), 0, 0},
    {"server", "crl", TEXT, AT(server.tls.crl), 0, 0},
    {"drive", "servers", TEXT, AT(drive.servers), 0, 0},
    {"drive", "cert", TEXT, AT(drive.tls.cert), 0, 0},
    {"drive", "key", TEXT, AT(drive.tls.key), 0, 0},
    {"drive", "ca", TEXT, AT(drive.tls.ca), 0, 0},
};
#undef AT
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

/* What the callbacks of one parse share. */
struct parse {
	struct config *c;
	const char *file, *text;
	unsigned line;
	int r;
	bool seen[ENTRIES];
};

static int
fail_line(struct parse *p, const char *why)
{
	p->r = kms_fail(KMS_ERR_CONFIG, "%s line %u: %s", p->file, p->line,
	    why);
	return p->r;
}

static int
set_text(char **to, const char *value)
{
	*to = strdup(value);
	if (*to == NULL)
		return kms_fail(KMS_ERR_MEMORY, "configuration: %s",
		    strerror(errno));
	return 0;
}

static int
set_path(char **to, const char *value)
{
	if (value[0] != '/')
		return kms_fail(KMS_ERR_CONFIG,
		    "'%s' is not a path from the root", value);
	return set_text(to, value);
}

static int
set_switch(bool *to, const char *value)
{
	*to = strcmp(value, "on") == 0;
	if (*to || strcmp(value, "off") == 0)
		return 0;
	return kms_fail(KMS_ERR_CONFIG, "'%s' is neither on nor off", value);
}

static int
set_lock(enum kms_secret_mode *to, const char *value)
{
	bool required = strcmp(value, "required") == 0;

	*to = required ? KMS_SECRET_LOCKED : KMS_SECRET_OPTIONAL;
	if (required || strcmp(value, "optional") == 0)
		return 0;
	return kms_fail(KMS_ERR_CONFIG, "'%s' is neither required nor optional",
	    value);
}

static int
set_number(unsigned *to, const struct entry *e, const char *value)
{
	uint64_t n;
	int r = cli_number(value, e->min, e->max, &n);

	if (r == 0)
		*to = (unsigned)n;
	return r;
}

static int
set_entry(struct config *c, const struct entry *e, const char *value)
{
	void *at = (char *)c + e->at;

	switch (e->kind) {
	case TEXT:
		return set_text(at, value);
	case PATH:
		return set_path(at, value);
	case SWITCH:
		return set_switch(at, value);
	case NUMBER:
		return set_number(at, e, value);
	case TIME:
		return cli_duration(value, at);
	case LOCK:
		return set_lock(at, value);
	}
	return kms_fail(KMS_ERR_INTERNAL, "configuration: no such kind");
}

static struct config_client *
find_client(struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->clients; i++)
		if (strcmp(c->client[i].name, name) == 0)
			return &c->client[i];
	return NULL;
}

static int
add_client(struct config *c, const char *name, struct config_client **out)
{
	struct config_client *more;

	if (c->clients == CONFIG_CLIENTS_MAX)
		return kms_fail(KMS_ERR_CONFIG, "more than %u clients",
		    CONFIG_CLIENTS_MAX);
	more = realloc(c->client, (c->clients + 1) * sizeof(*more));
	if (more == NULL)
		return kms_fail(KMS_ERR_MEMORY, "configuration: %s",
		    strerror(errno));
	c->client = more;
	memset(&more[c->clients], 0, sizeof(*more));
	*out = &more[c->clients];
	c->clients++;
	return set_text(&(*out)->name, name);
}

/* One key of a [client NAME] section. */
static int
set_client(struct config *c, const char *name, const char *key,
    const char *value)
{
	struct config_client *client = find_client(c, name);
	char **to = NULL;
	int r;

	if (client == NULL) {
		r = add_client(c, name, &client);
		if (r != 0)
			return r;
	}
	if (strcmp(key, "cn") == 0)
		to = &client->cn;
	else if (strcmp(key, "groups") == 0)
		to = &client->groups;
	else if (strcmp(key, "operations") == 0)
		to = &client->operations;
	if (to == NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "unknown key; a client has cn, groups, operations");
	if (*to != NULL)
		return kms_fail(KMS_ERR_CONFIG, "given twice");
	return set_text(to, value);
}

static bool
is_client(const char *section)
{
	return strncmp(section, "client ", 7) == 0 && section[7] != '\0';
}

static bool
is_section(const char *section)
{
	size_t i;

	for (i = 0; i < ENTRIES; i++)
		if (strcmp(entries[i].section, section) == 0)
			return true;
	return is_client(section);
}

static int
set_key(struct parse *p, const char *section, const char *key,
    const char *value)
{
	size_t i;

	if (value[0] == '\0')
		return kms_fail(KMS_ERR_CONFIG, "has no value");
	if (is_client(section))
		return set_client(p->c, section + 7, key, value);
	for (i = 0; i < ENTRIES; i++)
		if (strcmp(entries[i].section, section) == 0 &&
		    strcmp(entries[i].key, key) == 0)
			break;
	if (i == ENTRIES)
		return kms_fail(KMS_ERR_CONFIG, "unknown key");
	if (p->seen[i])
		return kms_fail(KMS_ERR_CONFIG, "given twice");
	p->seen[i] = true;
	return set_entry(p->c, &entries[i], value);
}

/* inih's handler: 1 goes on. */
static int
on_key(void *user, const char *section, const char *key, const char *value)
{
	struct parse *p = user;

	if (p->r != 0)
		return 0;
	p->r = set_key(p, section, key, value);
	if (p->r == 0)
		return 1;
	if (p->r != KMS_ERR_MEMORY)
		p->r = KMS_ERR_CONFIG;
	kms_fail_add(p->r, "%s line %u: [%s] %s", p->file, p->line, section,
	    key);
	return 0;
}

/*
 * What inih would let pass: it knows sections only by their keys, cuts long
 * ones off, and takes "value # comment" as the value.
 */
static int
check_line(struct parse *p, const char *line)
{
	const char *at = strpbrk(line, "=:");
	char section[SECTION_MAX + 1];
	size_t len;

	if (line[0] == '#' || line[0] == ';')
		return 0;
	if (line[0] == '[') {
		len = strcspn(line + 1, "]");
		if (len > SECTION_MAX)
			return fail_line(p, "the section's name is too long");
		memcpy(section, line + 1, len);
		section[len] = '\0';
		if (line[len + 1] != ']' || line[len + 2] != '\0')
			return fail_line(p,
			    "a section is written [name], "
			    "with nothing behind it");
		return is_section(section) ? 0
					   : fail_line(p, "unknown section");
	}
	if (line[0] != '\0' && at == NULL)
		return fail_line(p, "neither [section] nor key = value");
	for (; at != NULL && at[0] != '\0'; at++)
		if ((at[1] == '#' || at[1] == ';') &&
		    isspace((unsigned char)at[0]))
			return fail_line(p,
			    "a comment goes on a line of its "
			    "own, not behind a value");
	return 0;
}

/*
 * inih's reader: one line, without the blanks around it (an indented one
 * would continue the line before). NULL ends the parse.
 */
static char *
next_line(char *buf, int cap, void *user)
{
	struct parse *p = user;
	size_t len = strcspn(p->text, "\n");
	const char *text = p->text;

	if (p->r != 0 || text[0] == '\0')
		return NULL;
	p->line++;
	p->text += len + (text[len] == '\n' ? 1 : 0);
	while (len > 0 && isspace((unsigned char)text[0])) {
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len + 2 > (size_t)cap) {
		fail_line(p, "the line is too long");
		return NULL;
	}
	if (!kms_utf8(text, len)) {
		fail_line(p, "not text in UTF-8");
		return NULL;
	}
	memcpy(buf, text, len);
	buf[len] = '\0';
	return check_line(p, buf) == 0 ? buf : NULL;
}

int
config_check_store(const struct config *c)
{
	const char *missing = c->store.path == NULL ? "[store] path"
	    : c->token.uri == NULL                  ? "[token] uri"
						    : NULL;

	if (missing == NULL)
		return 0;
	return kms_fail(KMS_ERR_CONFIG, "%s: %s is missing", c->file, missing);
}

/* Required keys, and what one key asks of another. */
static int
check_whole(const struct config *c)
{
	bool local = c->drive.servers == NULL;
	size_t i;
	int r = 0;

	if (local || c->store.path != NULL || c->token.uri != NULL)
		r = config_check_store(c);
	if (r != 0)
		return r;
	for (i = 0; i < c->clients; i++)
		if (c->client[i].cn == NULL)
			return kms_fail(KMS_ERR_CONFIG,
			    "%s: [client %s] cn is missing", c->file,
			    c->client[i].name);
	return 0;
}

static int
check_mode(const char *file)
{
	struct stat st;

	if (stat(file, &st) != 0)
		return 0;
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: others may write it, and it names the module that is "
		    "loaded; chmod go-w",
		    file);
	/* Whose file root takes can become root by it, even where root acts
	 * as the store's owner: a module could go back. */
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: belongs to uid %u, who may write it, and it names the "
		    "module that is loaded; give it to root (chown)",
		    file, (unsigned)st.st_uid);
	return 0;
}

static int
read_file(const char *file, char **text)
{
	size_t len;
	int r;

	*text = malloc(FILE_MAX + 1);
	if (*text == NULL)
		return kms_fail(KMS_ERR_MEMORY, "configuration: %s",
		    strerror(errno));
	r = kms_file_read(file, FILE_MAX, *text, &len);
	if (r != 0)
		return kms_fail_add(KMS_ERR_CONFIG, "configuration");
	(*text)[len] = '\0';
	if (memchr(*text, '\0', len) != NULL)
		return kms_fail(KMS_ERR_CONFIG, "%s: not a text file", file);
	return check_mode(file);
}

static int
config_new(const char *file, struct config **out)
{
	static const struct kms_policy policy = KMS_POLICY_DEFAULT;
	struct config *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return kms_fail(KMS_ERR_MEMORY, "configuration: %s",
		    strerror(errno));
	*out = c;
	c->policy = policy;
	c->memory_lock = KMS_SECRET_LOCKED;
	c->drill_max_age = 365 * 86400;
	c->backup.keep = 10;
	c->backup.max_age = 7 * 86400;
	c->server.workers = 16;
	return set_text(&c->file, file);
}

/* Debian's inih has its limits in variables. Heap, so that the line is not
 * one more array on the stack. */
static int
parse_text(struct parse *p)
{
	ini_use_stack = false;
	ini_max_line = LINE_LEN_MAX + 2;
	ini_initial_alloc = LINE_LEN_MAX + 2;
	return ini_parse_stream(next_line, p, on_key, p);
}

int
config_load(const char *file, struct config **out)
{
	struct parse p = {.file = file};
	struct config *c = NULL;
	char *text = NULL;
	int r, bad;

	*out = NULL;
	r = config_new(file, &c);
	if (r != 0)
		goto out;
	r = read_file(file, &text);
	if (r != 0)
		goto out;
	p.c = c;
	p.text = strncmp(text, BOM, strlen(BOM)) == 0 ? text + strlen(BOM)
						      : text;
	bad = parse_text(&p);
	if (p.r == 0 && bad < 0)
		p.r = kms_fail(KMS_ERR_MEMORY, "configuration: %s",
		    strerror(errno));
	if (p.r == 0 && bad != 0) {
		p.line = (unsigned)bad;
		fail_line(&p, "neither [section] nor key = value");
	}
	r = p.r != 0 ? p.r : check_whole(c);
	if (r != 0)
		goto out;
	c->policy.backup_path = c->backup.path;
	if (c->server.listen == NULL)
		r = set_text(&c->server.listen, "0.0.0.0:5696");
	if (r != 0)
		goto out;
	*out = c;
	c = NULL; /* transferred */
out:
	free(text);
	config_free(&c);
	return r;
}

void
config_free(struct config **pc)
{
	struct config *c = pc != NULL ? *pc : NULL;
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < ENTRIES; i++)
		if (entries[i].kind == TEXT || entries[i].kind == PATH)
			free(*(char **)(void *)((char *)c + entries[i].at));
	for (i = 0; i < c->clients; i++) {
		free(c->client[i].name);
		free(c->client[i].cn);
		free(c->client[i].groups);
		free(c->client[i].operations);
	}
	free(c->client);
	free(c->file);
	free(c);
	*pc = NULL;
}
