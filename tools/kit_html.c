#include <stdlib.h>
#include <string.h>

#include "tools/kit.h"

/*
 * The narrower of A4 and Letter is 210 mm, the shorter 279 mm: with margins
 * of 15 mm nothing here is wider than 180 mm, and no block that must not be
 * cut is higher than a page.
 */
static const char style[] =
    "@page{margin:15mm}"
    "body{font:10pt/1.35 sans-serif;color:#000;background:#fff;"
    "max-width:180mm;margin:0 auto}"
    "h1{font-size:17pt;margin:0 0 2mm}h2{font-size:13pt;margin:7mm 0 2mm;"
    "break-after:avoid}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:0.3mm solid #777;padding:1mm 2mm;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}tr{break-inside:avoid}"
    "code,.hex{font:9.5pt/1.4 monospace}code{white-space:nowrap}"
    ".long{white-space:normal;overflow-wrap:anywhere}"
    ".hex{white-space:pre-wrap}"
    ".keys td{border-width:0.3mm 0 0;padding:2mm 0}.keys .code{width:30mm}"
    ".qr{display:block}figure{display:inline-block;margin:0 4mm 4mm 0;"
    "break-inside:avoid}li{margin:1.5mm 0}";

/* --- text ------------------------------------------------------------- */

static void
put(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

/* As one word of a shell: a name may hold blanks and quotes. */
static void
put_word(FILE *out, const char *text)
{
	const char *quote;

	fputs("&#39;", out);
	while ((quote = strchr(text, '\'')) != NULL) {
		for (; text < quote; text++)
			put(out, (char[2]){*text, '\0'});
		fputs("&#39;\\&#39;&#39;", out);
		text = quote + 1;
	}
	put(out, text);
	fputs("&#39;", out);
}

/* Upper-case hex in groups of four digits, per_line groups to a line. */
static void
put_hex(FILE *out, const uint8_t *p, size_t n, size_t per_line)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (i > 0 && i % (2 * per_line) == 0)
			fputc('\n', out);
		else if (i > 0 && i % 2 == 0)
			fputc(' ', out);
		fprintf(out, "%02X", p[i]);
	}
}

static void
put_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	put(out, text);
	fputs("</td>", out);
}

/* --- sections --------------------------------------------------------- */

static void
put_top(const struct kit *kit, FILE *out)
{
	char made[KMS_TIME_TEXT];

	kms_time_text(kit->made, made);
	fprintf(out,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\"/>\n"
	    "<meta http-equiv=\"Content-Security-Policy\" "
	    "content=\"default-src &#39;none&#39;; style-src "
	    "&#39;unsafe-inline&#39;\"/>\n"
	    "<title>p11kms recovery kit %s</title>\n<style>%s</style>\n"
	    "</head>\n<body>\n<h1>p11kms recovery kit</h1>\n"
	    "<p>Store <code>%s</code>, generation %llu, printed from its state "
	    "of %s. %zu groups, %zu keys.</p>\n"
	    "<p>Nothing on this page is secret: without the passphrases it "
	    "opens nothing. Keep it in the safe, the passphrases in another "
	    "place, a backup of the store in a third. Print it anew when keys "
	    "or passphrases were made.</p>\n",
	    kit->uuid, style, kit->uuid, (unsigned long long)kit->generation,
	    made, kit->groups, kit->keys);
}

static const char *
master_needs(const struct kms_slot *s)
{
	switch (s->origin) {
	case KMS_SLOT_PASSPHRASE:
		return s->components > 0 ? "all parts of its passphrase"
					 : "its passphrase";
	case KMS_SLOT_TOKEN:
	case KMS_SLOT_ADOPTED:
		break;
	}
	return "the HSM's own backup; it has no passphrase";
}

static const char *
place_name(enum kms_slot_place place)
{
	switch (place) {
	case KMS_SLOT_CURRENT:
		return "current";
	case KMS_SLOT_NEXT:
		return "being made";
	case KMS_SLOT_SUPERSEDED:
		return "superseded";
	}
	return "?";
}

static void
put_masters(const struct kit *kit, FILE *out)
{
	const struct kms_slot *s;
	size_t i;

	fputs("<h2>Master keys</h2>\n<table>\n<tr><th>Key</th><th>ID</th>"
	      "<th>Place</th><th>Origin</th><th>Comes back from</th></tr>\n",
	    out);
	for (i = 0; i < kit->header->n; i++) {
		s = &kit->header->slot[i].slot;
		fputs("<tr>", out);
		put_cell(out, kms_role_name(s->role));
		put_cell(out, s->id);
		put_cell(out, place_name(s->place));
		put_cell(out, kms_slot_origin_name(s->origin));
		fputs("<td>", out);
		put(out, master_needs(s));
		if (s->components > 0)
			fprintf(out, " (%u, each from its custodian)",
			    s->components);
		fputs("</td></tr>\n", out);
	}
	fputs("</table>\n", out);
}

static bool
masters_have_phrases(const struct kit *kit)
{
	size_t i;

	for (i = 0; i < kit->header->n; i++)
		if (kit->header->slot[i].slot.place == KMS_SLOT_CURRENT &&
		    kit->header->slot[i].slot.origin != KMS_SLOT_PASSPHRASE)
			return false;
	return true;
}

static size_t
count_needs(const struct kit *kit, enum kit_needs needs)
{
	size_t i, n = 0;

	for (i = 0; i < kit->keys; i++)
		n += kit->key[i].needs == needs;
	return n;
}

static void
put_createkg(const struct kit *kit, FILE *out)
{
	size_t i;

	for (i = 0; i < kit->groups; i++) {
		fputs(
		    "<br/>\n<code class=\"long\">p11kmsutil -createkg -kgname ",
		    out);
		put_word(out, kit->group[i].name);
		if (kit->group[i].phrases > 0)
			fputs(" -phrase", out);
		fputs("</code>", out);
	}
}

static void
put_with_backup(const struct kit *kit, FILE *out)
{
	fputs("<h2>Steps: a backup of the store is left</h2>\n<ol>\n"
	      "<li>Install p11kms; prepare a token (another HSM, or the old "
	      "one); write <code>/etc/p11kms/p11kms.conf</code>.</li>\n"
	      "<li>Put the newest backup in place: <code>p11kms -restoredb "
	      "-path BACKUP -reason T</code></li>\n",
	    out);
	if (masters_have_phrases(kit))
		fputs("<li>Bring the master keys back, if the token is new: "
		      "<code>p11kms -resethmk</code>, then <code>p11kms "
		      "-resetkpk</code>; each asks its passphrase.</li>\n",
		    out);
	else
		fputs("<li>Bring the master keys back by the HSM&#39;s own "
		      "backup (its vendor&#39;s procedure), those from "
		      "passphrases by <code>p11kms -resethmk</code> or "
		      "<code>-resetkpk</code>; then <code>p11kms -rebind"
		      "</code>.</li>\n",
		    out);
	fputs("<li>Prove it: <code>p11kms -verifydb</code>, "
	      "<code>p11kmsutil -doctor</code>.</li>\n"
	      "<li>Keys made after that backup: as below, step 4 on.</li>\n"
	      "</ol>\n",
	    out);
}

static void
put_with_paper(const struct kit *kit, FILE *out)
{
	fputs("<h2>Steps: nothing is left but paper and passphrases</h2>\n"
	      "<ol>\n<li>Install p11kms, prepare a new token, write the "
	      "configuration.</li>\n"
	      "<li><code>p11kms -createemptydb</code>, with new passphrases "
	      "for the master keys.</li>\n"
	      "<li>Make the key groups:",
	    out);
	put_createkg(kit, out);
	fprintf(out,
	    "</li>\n<li>Bring the keys back, %zu from their own passphrases, %zu "
	    "from their groups&#39;. All at once, where KIT.json (<code>"
	    "p11kmsutil -recoverykit -json</code>, made with this page) is "
	    "left: <code>p11kmsutil -recoverkey -list KIT.json</code>. Or one "
	    "by one; the tag is below, and the tape knows it too (<code>"
	    "p11kmsdrive -status</code>):<br/>\n<code>p11kmsutil -recoverkey "
	    "-kgname GROUP -keyname KEY -tag TAG</code></li>\n"
	    "<li>Make the active key of each group active: <code>p11kmsutil "
	    "-modifykey -kgname GROUP -keyname KEY -activate</code></li>\n"
	    "<li>Make a backup (<code>p11kmsutil -backup</code>) and print "
	    "this page anew.</li>\n</ol>\n",
	    count_needs(kit, KIT_NEEDS_PHRASE),
	    count_needs(kit, KIT_NEEDS_GROUP));
	if (count_needs(kit, KIT_NEEDS_BACKUP) > 0)
		fprintf(out,
		    "<p><b>Keys without a passphrase: %zu. Without a backup of "
		    "the store they, and every tape written with them, are "
		    "lost.</b></p>\n",
		    count_needs(kit, KIT_NEEDS_BACKUP));
}

static void
put_group(const struct kit *kit, const struct kit_group *g, FILE *out)
{
	char id[33];
	size_t i;

	fputs("<tr>", out);
	put_cell(out, g->name);
	put_cell(out, g->description);
	fprintf(out, "<td>%zu</td><td>", g->keys);
	if (g->phrases == 0)
		fputs("none", out);
	for (i = 0; i < kit->phrases; i++) {
		if (strcmp(kit->phrase[i].group, g->name) != 0)
			continue;
		kms_hex(kit->phrase[i].is.salt, 16, id);
		fprintf(out, "%zu: %.8s (for %zu keys)<br/>",
		    kit->phrase[i].number, id, kit->phrase[i].keys);
	}
	fputs("</td></tr>\n", out);
}

static void
put_groups(const struct kit *kit, FILE *out)
{
	size_t i;

	fputs("<h2>Key groups</h2>\n<table>\n<tr><th>Group</th>"
	      "<th>Description</th><th>Keys</th><th>Group passphrases "
	      "(number: ID)</th></tr>\n",
	    out);
	for (i = 0; i < kit->groups; i++)
		put_group(kit, &kit->group[i], out);
	fputs("</table>\n", out);
}

/* --- keys ------------------------------------------------------------- */

static void
put_needs(const struct kit *kit, const struct kit_key *k, FILE *out)
{
	const struct kit_phrase *p;
	char id[33];

	fputs("needs ", out);
	switch (k->needs) {
	case KIT_NEEDS_PHRASE:
		fputs("its own passphrase", out);
		return;
	case KIT_NEEDS_GROUP:
		p = &kit->phrase[k->phrase];
		kms_hex(p->is.salt, 16, id);
		fprintf(out, "group passphrase %zu (%.8s) of ", p->number, id);
		put(out, p->group[0] != '\0' ? p->group : "a deleted group");
		return;
	case KIT_NEEDS_BACKUP:
		break;
	}
	fputs(k->needs_token
		? "a backup of the store and the HSM&#39;s own backup"
		: "a backup of the store and the passphrases of HMK and KPK",
	    out);
	if (k->recoverable == KMS_RECOVERABLE_NONE)
		fputs("; <b>no verified backup holds it</b>", out);
}

static int
put_key(const struct kit *kit, const struct kit_key *k, FILE *out)
{
	char tag[KMS_TAG_TEXT];
	char *c;
	int r;

	fputs("<tr><td><b>", out);
	put(out, k->name);
	fputs("</b> in ", out);
	put(out, k->group);
	fprintf(out, ", %s; ", kms_state_name(k->state));
	put_needs(kit, k, out);
	if (k->description[0] != '\0') {
		fputs("<br/>", out);
		put(out, k->description);
	}
	fputs("<div class=\"hex\">", out);
	put_hex(out, k->tag.b, k->tag.len, 8);
	fputs("</div></td><td class=\"code\">", out);
	kms_tag_text(&k->tag, tag);
	for (c = tag; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'f')
			*c = (char)(*c - 'a' + 'A');
	r = kit_qr_write(tag, 27, out);
	fputs("</td></tr>\n", out);
	return r;
}

static int
put_keys(const struct kit *kit, FILE *out)
{
	size_t i;
	int r = 0;

	fputs("<h2>Keys and their tags</h2>\n<p>The code beside a key is its "
	      "tag.</p>\n<table class=\"keys\">\n",
	    out);
	for (i = 0; r == 0 && i < kit->keys; i++)
		r = put_key(kit, &kit->key[i], out);
	fputs("<tr><td colspan=\"2\"></td></tr>\n</table>\n", out);
	return r;
}

/* --- header ----------------------------------------------------------- */

/* A code of this many bytes is read from paper without trouble. */
#define CODE_BYTES 256u

static int
put_codes(const struct kms_wr *wr, FILE *out)
{
	size_t at, n, of = (wr->len + CODE_BYTES - 1) / CODE_BYTES;
	char text[32 + 2 * CODE_BYTES + 1];
	int r = 0, used;

	fputs("<div>\n", out);
	for (at = 0; r == 0 && at < wr->len; at += CODE_BYTES) {
		n = wr->len - at < CODE_BYTES ? wr->len - at : CODE_BYTES;
		used = snprintf(text, 32, "P11KMS-HEADER %zu/%zu ",
		    at / CODE_BYTES + 1, of);
		kms_hex(wr->p + at, n, text + used);
		fputs("<figure>", out);
		r = kit_qr_write(text, 56, out);
		fprintf(out, "<figcaption>%zu of %zu</figcaption></figure>\n",
		    at / CODE_BYTES + 1, of);
	}
	fputs("</div>\n", out);
	return r;
}

static int
put_header(const struct kit *kit, FILE *out)
{
	uint8_t hash[32];
	struct kms_wr wr;
	int r;

	kms_wr_grow(&wr, KMS_HEADER_MAX);
	r = kms_header_encode(kit->header, &wr);
	if (r == 0)
		r = kms_header_hash(wr.p, wr.len, hash);
	if (r != 0) {
		kms_wr_free(&wr);
		return r;
	}
	fprintf(out,
	    "<h2>Header of the store</h2>\n<p>%zu bytes. Every backup holds it "
	    "twice; it is here because a store whose header is lost is lost "
	    "with every random key in it. What its bytes mean, and how a "
	    "master key is made again from it and a passphrase, stands in "
	    "doc/FORMATS.md of p11kms.</p>\n<div class=\"hex\">",
	    wr.len);
	put_hex(out, wr.p, wr.len, 16);
	fputs("</div>\n<p>Its SHA-256:</p>\n<div class=\"hex\">", out);
	put_hex(out, hash, sizeof(hash), 16);
	fputs("</div>\n", out);
	r = put_codes(&wr, out);
	kms_wr_free(&wr);
	return r;
}

int
kit_html_write(const struct kit *kit, FILE *out)
{
	int r;

	put_top(kit, out);
	put_masters(kit, out);
	put_with_backup(kit, out);
	put_with_paper(kit, out);
	put_groups(kit, out);
	r = put_keys(kit, out);
	if (r == 0)
		r = put_header(kit, out);
	fputs("</body>\n</html>\n", out);
	return r;
}
