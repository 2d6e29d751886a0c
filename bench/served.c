#include "bench/served.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAG(id) KMIP_TAG_##id

/* --- five attributes ---------------------------------------------------- */

static void
put_text(struct kms_wr *wr, const char *name, const char *value)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), name);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_VALUE), value);
	kmip_ttlv_end(wr, at);
}

static void
put_pair(struct kms_wr *wr, const char *name, uint32_t tag, const char *value,
    uint32_t other)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE)), in;

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), name);
	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	if (other == TAG(APPLICATION_NAMESPACE))
		kmip_ttlv_put_text(wr, other, "LIBRARY-LTO9");
	kmip_ttlv_put_text(wr, tag, value);
	if (other == TAG(ALTERNATIVE_NAME_TYPE))
		kmip_ttlv_put_enum(wr, other, 1);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}

/* As a tape library gives them, all that Locate finds keys by. */
static void
dress(size_t i, struct kms_wr *attrs)
{
	struct kmip_item list, item;
	struct kmip_stored stored;
	struct kmip_attr attr;
	struct kms_wr wr;
	struct kms_rd rd;
	char value[48];

	(void)snprintf(value, sizeof(value), "VOL%09zu", i);
	kms_wr_grow(&wr, 4096);
	put_pair(&wr, "Application Specific Information", TAG(APPLICATION_DATA),
	    value, TAG(APPLICATION_NAMESPACE));
	put_pair(&wr, "Alternative Name", TAG(ALTERNATIVE_NAME_VALUE), value,
	    TAG(ALTERNATIVE_NAME_TYPE));
	put_text(&wr, "x-Barcode", value);
	put_text(&wr, "x-ID", value);
	put_text(&wr, "Contact Information", "the backup team");
	list = (struct kmip_item){.type = KMIP_STRUCTURE,
	    .value = wr.p,
	    .len = wr.len};
	kmip_stored_init(&stored);
	kmip_ttlv_walk(&rd, &list);
	while (kmip_ttlv_next(&rd, &item)) {
		bench_must("attribute", kmip_attr_read(&item, &attr));
		bench_must("attribute", kmip_attr_check(&attr, 4, 0));
		bench_must("attribute",
		    kmip_stored_add(&stored, &attr, 0, NULL));
	}
	bench_must("attributes", kmip_stored_encode(&stored, attrs));
	kmip_stored_clear(&stored);
	kms_wr_free(&wr);
}

/* --- the service -------------------------------------------------------- */

/* What the keys of the store are, for who opens it. */
struct filled {
	struct kms_wrapped wrapped;
	struct kms_tag tag[];
};

static void
name_of(const char *dir, size_t n, const char *what, char *path, size_t cap)
{
	(void)snprintf(path, cap, "%s/kmip-%zu.%s", dir, n, what);
}

static void
fill_here(const char *dir, size_t n)
{
	size_t size = sizeof(struct filled) + n * sizeof(struct kms_tag);
	struct filled *f = calloc(1, size);
	struct kms_tag *tags;
	struct bench b;
	char path[1100];
	FILE *file;

	(void)snprintf(path, sizeof(path), "kmip-%zu", n);
	bench_begin(&b, dir, path);
	tags = bench_fill_dressed(&b, n, dress);
	f->wrapped = b.material.wrapped;
	memcpy(f->tag, tags, n * sizeof(*tags));
	name_of(dir, n, "keys", path, sizeof(path));
	file = fopen(path, "w");
	if (file == NULL || fwrite(f, size, 1, file) != 1 || fclose(file) != 0)
		bench_die(path, KMS_ERR_IO);
	bench_end(&b);
	free(tags);
	free(f);
}

/* A fork, for no module is loaded yet. */
void
served_fill(const char *dir, size_t n)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		fill_here(dir, n);
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		bench_die("fill", KMS_ERR_INTERNAL);
}

static void
read_keys(struct served *s, const char *dir, size_t n)
{
	char path[1100];
	FILE *file;
	bool good;

	s->n = n;
	s->tags = calloc(n, sizeof(*s->tags));
	name_of(dir, n, "keys", path, sizeof(path));
	file = fopen(path, "r");
	good = file != NULL &&
	    fread(&s->b.material.wrapped, sizeof(struct kms_wrapped), 1,
		file) == 1 &&
	    fseek(file, (long)offsetof(struct filled, tag), SEEK_SET) == 0 &&
	    fread(s->tags, sizeof(*s->tags), n, file) == n;
	if (file != NULL)
		(void)fclose(file);
	if (!good)
		bench_die(path, KMS_ERR_IO);
}

void
served_open(struct served *s, const char *dir, size_t n)
{
	static const struct kmip_rule_text rule = {"bench", "bench", "*", "*"};
	struct kmip_server_options o = {.tls = talk_tls_options(),
	    .listen = "127.0.0.1:0",
	    .workers = SERVED_WORKERS};
	char name[32];

	(void)snprintf(name, sizeof(name), "kmip-%zu", n);
	bench_open(&s->b, dir, name);
	read_keys(s, dir, n);
	bench_must("service",
	    kmip_service_open(s->b.store, false, &s->service));
	bench_must("rules", kmip_rules_new(&s->rules));
	bench_must("rule", kmip_rules_add(s->rules, &rule));
	o.service = s->service;
	o.rules = s->rules;
	bench_must("server", kmip_server_start(&o, &s->server));
}

void
served_end(struct served *s)
{
	kmip_server_free(&s->server);
	kmip_service_close(&s->service);
	kmip_rules_drop(&s->rules);
	free(s->tags);
	bench_end(&s->b);
}

static size_t
tried(const struct served *s)
{
	return s->n < SERVED_TRIED ? s->n : SERVED_TRIED;
}

/* What is made on first use is not measured. */
static void
open_talk(struct served *s, struct talk *w, unsigned connections)
{
	talk_open(w, kmip_server_port(s->server), connections);
	talk_ask(w, 0, 0);
}

void
served_open_gets(struct served *s, struct talk *w, unsigned connections)
{
	char(*uid)[KMS_TAG_TEXT] = calloc(tried(s), sizeof(*uid));
	size_t i;

	for (i = 0; i < tried(s); i++)
		kms_tag_text(&s->tags[i], uid[i]);
	talk_fill_gets(w, uid, tried(s));
	free(uid);
	open_talk(s, w, connections);
}

/* Names as bench_fill gives them: the first eight bytes of the salt. */
void
served_open_locates(struct served *s, struct talk *w, unsigned connections)
{
	char(*name)[TALK_NAME] = calloc(tried(s), sizeof(*name));
	size_t i;

	for (i = 0; i < tried(s); i++)
		(void)snprintf(name[i], sizeof(name[i]), "%016llx",
		    (unsigned long long)kms_get64(s->tags[i].b + 8));
	talk_fill_locates(w, name, tried(s));
	free(name);
	open_talk(s, w, connections);
}

double
served_rate(struct served *s,
    void (*open)(struct served *, struct talk *, unsigned),
    unsigned connections)
{
	struct talk w = {.request = NULL};
	double v;

	open(s, &w, connections);
	v = talk_median_rate(talk_ask, &w, connections);
	talk_close(&w, connections);
	return v;
}
