/* The service over real TLS on the loopback: who is let in, what a reload
 * changes, how it ends. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kms/catalog.h"
#include "tests/unit/kmip/site.h"

#define TAG(id) KMIP_TAG_##id

struct wanted_tape {
	const char *volume, *drive;
	bool found;
};

static int
look_at_tape(void *ctx, const struct kms_catalog_entry *e)
{
	struct wanted_tape *want = ctx;

	if (e->written && strcmp(e->volume, want->volume) == 0 &&
	    strcmp(e->drive, want->drive) == 0)
		want->found = true;
	return 0;
}

static bool
catalog_has(struct world *w, const struct kms_tag *tag, const char *volume,
    const char *drive)
{
	struct wanted_tape want = {.volume = volume, .drive = drive};
	struct kms_catalog *catalog;
	bool complete;

	ok(kms_catalog_new(&catalog));
	ok(kms_catalog_load(catalog, w->store, &w->local, &complete));
	ck_assert(complete);
	ok(kms_catalog_each(catalog, tag, NULL, look_at_tape, &want));
	kms_catalog_free(&catalog);
	return want.found;
}

START_TEST(a_client_with_a_rule_is_served)
{
	struct site s;
	struct kmip_client *c = NULL;
	struct kmip_client_key key;
	struct kms_tag tag;
	uint8_t a[32];
	char uid[KMS_TAG_TEXT];
	const struct kmip_client_note note = {.volume = "TAPE01",
	    .drive = "DRIVE7"};

	site_begin(&s);
	site_start(&s);
	create_key(&s.w, "k", "ENCR_pool", 256, uid);
	simple(&s.w, KMIP_OP_ACTIVATE, uid);
	get_bytes(&s.w, uid, a, 32);
	ok(site_client(&s, &s.client, &c));
	ok(kmip_client_active(c, "ENCR_pool", &key));
	ck_assert_str_eq(key.uid, uid);
	ok(kms_tag_parse(&tag, uid));
	ck_assert(kms_tag_equal(&key.tag, &tag));
	ck_assert_mem_eq(kms_secret_bytes(key.key), a, 32);
	kmip_client_key_clear(&key);
	ok(kmip_client_by_tag(c, &tag, &key));
	ck_assert_mem_eq(kms_secret_bytes(key.key), a, 32);
	kmip_client_key_clear(&key);
	ok(kmip_client_tell(c, uid, &note));
	ck_assert(catalog_has(&s.w, &tag, "TAPE01", "DRIVE7"));
	ck_assert_int_eq(kmip_client_active(c, "ENCR_none", &key),
	    KMS_ERR_NOTFOUND);
	memset(&tag, 7, sizeof(tag));
	tag.len = 16;
	ck_assert_int_eq(kmip_client_by_tag(c, &tag, &key), KMS_ERR_NOTFOUND);
	ck_assert_ptr_null(key.key);
	kmip_client_close(&c);
	site_end(&s);
}
END_TEST

START_TEST(certificates_that_do_not_count_are_refused)
{
	struct wanted_cert want = {.cn = "media01.example.com",
	    .eku = "clientAuth",
	    .from_s = -3600,
	    .to_s = 3600};
	struct site s;
	struct pem pem;

	site_begin(&s);
	site_start(&s);
	ok(site_try(&s, &s.client));
	authority_sign(&s.other_ca, &want, &pem);
	ck_assert_int_eq(site_try(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	want.to_s = -60; /* expired */
	authority_sign(&s.ca, &want, &pem);
	ck_assert_int_eq(site_try(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	want.to_s = 3600;
	want.from_s = 1800; /* not yet */
	authority_sign(&s.ca, &want, &pem);
	ck_assert_int_eq(site_try(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	want.from_s = -3600;
	want.eku = "serverAuth"; /* for another purpose */
	authority_sign(&s.ca, &want, &pem);
	ck_assert_int_eq(site_try(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	authority_client(&s.ca, "nobody.example.com", &pem); /* no rule */
	ck_assert_int_eq(site_try(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	ck_assert_uint_ge(atomic_load(&s.w.service->metrics.refused), 5);
	ok(site_try(&s, &s.client));
	site_end(&s);
}
END_TEST

START_TEST(a_revoked_certificate_is_refused)
{
	struct site s;
	struct pem revoked;
	X509 *list[2] = {NULL, NULL};

	site_begin(&s);
	authority_client(&s.ca, "media01.example.com", &revoked);
	list[0] = revoked.x509;
	s.options.tls.crl = authority_crl(&s.ca, "ca.crl", list);
	site_start(&s);
	ok(site_try(&s, &s.client));
	ck_assert_int_eq(site_try(&s, &revoked), KMS_ERR_IO);
	pem_free(&revoked);
	site_end(&s);
}
END_TEST

START_TEST(a_reload_reaches_connections_that_are_open)
{
	struct kmip_tls_options tls;
	struct kmip_client *c = NULL, *kept = NULL;
	struct site s;
	struct pem second;
	X509 *list[2] = {NULL, NULL};

	site_begin(&s);
	site_start(&s);
	authority_client(&s.ca, "media01.example.com", &second);
	ok(site_client(&s, &second, &c));
	ok(site_client(&s, &s.client, &kept));
	ok(site_ask(c));
	ok(site_ask(kept));
	list[0] = second.x509;
	tls = s.options.tls;
	tls.crl = authority_crl(&s.ca, "ca.crl", list);
	ok(kmip_server_reload(s.srv, &tls, s.w.rules));
	ck_assert_int_eq(site_ask(c), KMS_ERR_IO);
	ok(site_ask(kept)); /* its connection lives on */
	/* and the rules */
	world_rule(&s.w, "home", "get");
	ok(kmip_server_reload(s.srv, &tls, s.w.rules));
	ok(site_ask(kept));
	kmip_client_close(&c);
	kmip_client_close(&kept);
	pem_free(&second);
	site_end(&s);
}
END_TEST

START_TEST(a_reload_that_fails_changes_nothing)
{
	struct kmip_tls_options tls;
	struct site s;

	site_begin(&s);
	site_start(&s);
	tls = s.options.tls;
	tls.crl = fx_path(s.w.fx, "missing.crl");
	ck_assert_int_eq(kmip_server_reload(s.srv, &tls, s.w.rules),
	    KMS_ERR_CONFIG);
	ok(site_try(&s, &s.client));
	tls = s.options.tls;
	tls.key = s.client.key; /* of another certificate */
	ck_assert_int_eq(kmip_server_reload(s.srv, &tls, s.w.rules),
	    KMS_ERR_CONFIG);
	ok(site_try(&s, &s.client));
	site_end(&s);
}
END_TEST

START_TEST(the_server_is_checked_by_the_client)
{
	struct site s;
	struct pem wrong;
	struct kmip_client *c = NULL;
	const struct wanted_cert want = {.cn = "kms1",
	    .san = "DNS:kms1.example.com",
	    .eku = "serverAuth",
	    .from_s = -60,
	    .to_s = 3600};
	struct kmip_client_options o;

	site_begin(&s);
	authority_sign(&s.ca, &want, &wrong);
	s.options.tls.cert = wrong.cert;
	s.options.tls.key = wrong.key;
	site_start(&s);
	ck_assert_int_eq(site_try(&s, &s.client), KMS_ERR_IO);
	o = (struct kmip_client_options){.servers = s.address,
	    .tls = {.cert = s.client.cert,
		.key = s.client.key,
		.ca = s.other_ca.file}};
	ck_assert_int_eq(kmip_client_open(&o, &c), KMS_ERR_IO);
	pem_free(&wrong);
	site_end(&s);
}
END_TEST

START_TEST(drain_finishes_and_lets_nobody_in)
{
	struct kmip_client *c = NULL;
	struct site s;
	char address[32];

	site_begin(&s);
	site_start(&s);
	ok(site_client(&s, &s.client, &c));
	ok(site_ask(c));
	ok(kmip_server_drain(s.srv, 20000)); /* it was idle */
	memcpy(address, s.address, sizeof(address));
	kmip_server_free(&s.srv);
	ck_assert_int_eq(site_ask(c), KMS_ERR_IO);
	kmip_client_close(&c);
	site_end(&s);
}
END_TEST

START_TEST(several_servers_are_tried_in_order)
{
	struct kmip_client *c = NULL;
	struct kmip_client_options o;
	struct site s;
	char list[96];

	site_begin(&s);
	site_start(&s);
	(void)snprintf(list, sizeof(list), "127.0.0.1:1, %s", s.address);
	o = (struct kmip_client_options){.servers = list,
	    .tls = {.cert = s.client.cert,
		.key = s.client.key,
		.ca = s.ca.file}};
	ok(kmip_client_open(&o, &c));
	ck_assert_str_eq(kmip_client_server(c), s.address);
	ok(site_ask(c));
	kmip_client_close(&c);
	o.servers = "127.0.0.1:1 127.0.0.1:2";
	ck_assert_int_eq(kmip_client_open(&o, &c), KMS_ERR_IO);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_IO), "127.0.0.1:2"));
	o.servers = "";
	ck_assert_int_eq(kmip_client_open(&o, &c), KMS_ERR_CONFIG);
	site_end(&s);
}
END_TEST

START_TEST(wrong_files_are_named)
{
	struct kmip_server *srv = NULL;
	struct site s;

	site_begin(&s);
	s.options.tls.key = fx_path(s.w.fx, "missing.key");
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_NOTFOUND),
	    "missing.key"));
	s.options.tls.key = s.server.key;
	(void)chmod(s.server.key, 0644); /* for all to read */
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_CONFIG);
	(void)chmod(s.server.key, 0600);
	s.options.listen = "127.0.0.1:99999";
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_CONFIG);
	s.options.listen = "";
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_CONFIG);
	ck_assert_ptr_null(srv);
	site_end(&s);
}
END_TEST

START_TEST(metrics_are_told_on_a_local_socket)
{
	struct kmip_metrics_server *m = NULL;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct site s;
	static char text[8192];
	size_t n = 0;
	ssize_t got;
	int fd;

	site_begin(&s);
	site_start(&s);
	ok(site_try(&s, &s.client));
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s",
	    fx_path(s.w.fx, "m.sock"));
	ok(kmip_metrics_listen(&s.w.service->metrics, a.sun_path, &m));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof(a)),
	    0);
	ck_assert_int_eq(send(fd, "GET /metrics HTTP/1.0\r\n\r\n", 25, 0), 25);
	while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	(void)close(fd);
	ck_assert_ptr_nonnull(strstr(text, "HTTP/1.0 200"));
	ck_assert_ptr_nonnull(strstr(text, "p11kms_token_up 1\n"));
	ck_assert_ptr_nonnull(strstr(text,
	    "p11kms_operations_total{operation=\"Discover "
	    "Versions\",result=\"done\"} 1\n"));
	kmip_metrics_close(&m);
	ck_assert(!fx_exists(a.sun_path));
	site_end(&s);
}
END_TEST

START_TEST(identifiers_go_to_tape_and_back)
{
	static const struct {
		const char *uid;
		uint8_t len;
	} good[] = {{"b0ff", 2},
	    {"b000000000000000000000000000000000000000000000000000000000000000",
		32},
	    {"01234567-89ab-cdef-0123-456789abcdef", 16}, {"key-number-17", 13},
	    {"12345", 5}};
	static const char *const bad[] = {"",
	    "an identifier of more than thirty-two bytes",
	    ("b000000000000000000000000000000000000000000000000000000000000000"
	     "00")};
	char back[KMIP_UID_MAX + 1];
	struct kms_tag tag;
	unsigned n;
	size_t i;
	bool found;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ok(kmip_client_tag_of(good[i].uid, &tag));
		ck_assert_uint_eq(tag.len, good[i].len);
		found = false;
		for (n = 0; kmip_client_uid_of(&tag, n, back); n++)
			found = found || strcmp(back, good[i].uid) == 0;
		ck_assert_msg(found, "%s", good[i].uid);
		ck_assert_uint_le(n, 3);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(kmip_client_tag_of(bad[i], &tag),
		    KMS_ERR_USAGE);
}
END_TEST

TCase *
test_server(void)
{
	TCase *t = tcase_create("server");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_client_with_a_rule_is_served);
	tcase_add_test(t, certificates_that_do_not_count_are_refused);
	tcase_add_test(t, a_revoked_certificate_is_refused);
	tcase_add_test(t, a_reload_reaches_connections_that_are_open);
	tcase_add_test(t, a_reload_that_fails_changes_nothing);
	tcase_add_test(t, the_server_is_checked_by_the_client);
	tcase_add_test(t, drain_finishes_and_lets_nobody_in);
	tcase_add_test(t, several_servers_are_tried_in_order);
	tcase_add_test(t, wrong_files_are_named);
	tcase_add_test(t, metrics_are_told_on_a_local_socket);
	tcase_add_test(t, identifiers_go_to_tape_and_back);
	return t;
}
