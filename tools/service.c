#include "tools/service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "kms/base/log.h"
#include "kms/group.h"
#include "kms/kmip/server.h"
#include "tools/open.h"
#include "tools/service_key.h"

#define TICK_MS 5000
#define DRAIN_MS 20000u
#define SOCKETS_MAX 16
#define CERTIFICATE_WARN_DAYS 30
#define GATED_SHOWN 50u

struct service {
	struct open at;
	struct kmip_service *kmip;
	struct kmip_server *server;
	struct kmip_metrics_server *metrics;
	struct service_keys keys;
	int signals; /* signalfd */
	int tick_ms;
	bool token_up; /* as it was last said */
	int days;      /* of the certificate, as it was last said */
};

/* --- out of the configuration -------------------------------------------- */

static int
make_rules(const struct config *c, struct kmip_rules **out)
{
	struct kmip_rules *rules = NULL;
	size_t i;
	int r;

	*out = NULL;
	r = kmip_rules_new(&rules);
	for (i = 0; r == 0 && i < c->clients; i++) {
		const struct kmip_rule_text text = {.name = c->client[i].name,
		    .cn = c->client[i].cn,
		    .groups = c->client[i].groups,
		    .operations = c->client[i].operations};

		r = kmip_rules_add(rules, &text);
	}
	if (r == 0) {
		*out = rules;
		rules = NULL; /* transferred */
	}
	kmip_rules_drop(&rules);
	return r;
}

static int
make_tls(struct service *s, const struct config *c, struct kmip_tls_options *o)
{
	const struct config_tls *t = &c->server.tls;

	*o = (struct kmip_tls_options){.cert = t->cert,
	    .key = t->key,
	    .ca = t->ca,
	    .crl = t->crl};
	if (t->cert != NULL && t->key != NULL && t->ca != NULL)
		return service_keys_get(&s->keys, s->at.sealer, t, &o->pkey);
	return kms_fail(KMS_ERR_CONFIG,
	    "%s: [server] cert, key and ca are all needed; p11kms -newca makes "
	    "them where a site has none",
	    c->file);
}

/* --- start ---------------------------------------------------------------- */

/* Sockets that systemd opened for us (sd_listen_fds(3)); 0: none. */
static int
take_sockets(int fds[SOCKETS_MAX], size_t *n)
{
	int i, got = sd_listen_fds(1);

	*n = 0;
	if (got < 0 || got > SOCKETS_MAX)
		return kms_fail(KMS_ERR_CONFIG, "sockets of systemd: %s",
		    got < 0 ? strerror(-got) : "too many");
	for (i = 0; i < got; i++) {
		fds[i] = SD_LISTEN_FDS_START + i;
		if (sd_is_socket(fds[i], AF_UNSPEC, SOCK_STREAM, 1) <= 0)
			return kms_fail(KMS_ERR_CONFIG,
			    "socket %d of systemd is no listening stream "
			    "socket",
			    i);
	}
	*n = (size_t)got;
	return 0;
}

static int
start_server(struct service *s)
{
	const struct config *c = s->at.config;
	struct kmip_server_options o = {.service = s->kmip,
	    .listen = c->server.listen,
	    .workers = c->server.workers};
	int fds[SOCKETS_MAX];
	int r;

	r = take_sockets(fds, &o.nfds);
	o.fds = fds;
	if (r == 0)
		r = make_tls(s, c, &o.tls);
	if (r == 0)
		r = make_rules(c, &o.rules);
	if (r == 0)
		r = kmip_server_start(&o, &s->server);
	kmip_rules_drop(&o.rules);
	if (r == 0 && c->server.metrics != NULL)
		r = kmip_metrics_listen(&s->kmip->metrics, c->server.metrics,
		    &s->metrics);
	return r;
}

/* Before there is any thread, so that none of them takes a signal. */
static int
take_signals(struct service *s)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return kms_fail(KMS_ERR_IO, "signalfd: %s", strerror(errno));
	return 0;
}

/* Half of what the watchdog allows, so that one late turn is no death. */
static void
set_tick(struct service *s)
{
	uint64_t us = 0;

	s->tick_ms = TICK_MS;
	if (sd_watchdog_enabled(0, &us) > 0 && us / 2000 < TICK_MS)
		s->tick_ms = (int)(us / 2000);
}

/* --- what the administrator should know ----------------------------------- */

struct gated {
	const struct config *config;
	unsigned n;
};

static int
tell_gated(void *arg, const struct kms_group_view *g)
{
	struct gated *gated = arg;

	if (g->has_phrase)
		return 0;
	if (gated->n++ < GATED_SHOWN)
		kms_log(KMS_LOG_WARN, "service.gated", "group=%s reason=\"%s\"",
		    g->name,
		    gated->config->kmip_groups_need_phrase
			? "has no passphrase: Create is refused"
			: "has no passphrase: a key made here is served once a "
			  "verified backup holds it");
	return 0;
}

/* Whoever creates keys unattended must not find out at night that they are
 * not served. */
static int
tell_gates(struct service *s)
{
	struct gated gated = {.config = s->at.config};
	struct kms_tx *tx = NULL;
	int r;

	if (!s->at.config->policy.serve_gate)
		return 0;
	r = kms_tx_begin(s->at.store, &s->at.actor, KMS_READ, &tx);
	if (r == 0)
		r = kms_group_list(tx, tell_gated, &gated);
	kms_tx_abort(&tx);
	if (r == 0 && gated.n > GATED_SHOWN)
		kms_log(KMS_LOG_WARN, "service.gated", "more=%u",
		    gated.n - GATED_SHOWN);
	return r;
}

static void
tell_certificate(struct service *s)
{
	int days = kmip_server_days_left(s->server);

	atomic_store(&s->kmip->metrics.certificate_days, days);
	if (days == s->days)
		return;
	s->days = days;
	if (days < CERTIFICATE_WARN_DAYS)
		kms_log(KMS_LOG_WARN, "service.certificate", "days_left=%d",
		    days);
}

static void
tell_token(struct service *s, const char *reason)
{
	bool up = atomic_load(&s->kmip->metrics.token_up);

	if (up == s->token_up)
		return;
	s->token_up = up;
	if (up)
		kms_log(KMS_LOG_INFO, "service.token_up", "serving again");
	else
		kms_log(KMS_LOG_ERROR, "service.token_down", "reason=\"%s\"",
		    reason);
	(void)sd_notifyf(0, "STATUS=%s",
	    up ? "serving" : "the token does not answer");
}

/* --- one turn ------------------------------------------------------------- */

/*
 * Does the token still do what a client would need it for? An idle service
 * finds out before its clients do, and the token layer logs in again meanwhile.
 * A module that hangs here stops the watchdog, which is right: only a new
 * process gets out of it.
 */
static void
look_at_token(struct service *s)
{
	int r = kms_store_probe(s->at.store);

	if (r == 0 || r == KMS_ERR_TOKEN || r == KMS_ERR_PIN ||
	    r == KMS_ERR_MASTER)
		atomic_store(&s->kmip->metrics.token_up, r == 0);
	tell_token(s, kms_err_cause(r));
}

static int
read_again(struct service *s)
{
	struct kmip_tls_options tls;
	struct kmip_rules *rules = NULL;
	struct config *c = NULL;
	int r;

	r = config_load(s->at.config->file, &c);
	if (r == 0)
		r = make_tls(s, c, &tls);
	if (r == 0)
		r = make_rules(c, &rules);
	if (r == 0)
		r = kmip_server_reload(s->server, &tls, rules);
	if (r == 0)
		kms_log(KMS_LOG_INFO, "service.reloaded", "clients=%zu",
		    c->clients);
	else
		kms_log(KMS_LOG_ERROR, "service.not_reloaded",
		    "reason=\"%s\" all=\"stays as it was\"", kms_err_cause(r));
	kmip_rules_drop(&rules);
	config_free(&c);
	return r;
}

static void
reload(struct service *s)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	(void)read_again(s);
	tell_certificate(s);
	(void)sd_notify(0, "READY=1");
}

/* False when the service is to end. */
static bool
take_signal(struct service *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return true;
	if (info.ssi_signo != SIGHUP) {
		kms_log(KMS_LOG_INFO, "service.stopping", "signal=%u",
		    info.ssi_signo);
		return false;
	}
	reload(s);
	return true;
}

static void
serve(struct service *s)
{
	struct pollfd p = {.fd = s->signals, .events = POLLIN};
	bool goes_on = true;
	int n;

	while (goes_on) {
		(void)sd_notify(0, "WATCHDOG=1");
		n = poll(&p, 1, s->tick_ms);
		if (n > 0)
			goes_on = take_signal(s);
		else if (n == 0) {
			look_at_token(s);
			tell_certificate(s);
		}
	}
}

/* --- the whole of it ------------------------------------------------------ */

static int
ready(struct service *s)
{
	unsigned port = kmip_server_port(s->server);

	kms_log(KMS_LOG_INFO, "service.ready",
	    "port=%u workers=%u clients=%zu generation=%llu", port,
	    s->at.config->server.workers, s->at.config->clients,
	    (unsigned long long)kms_store_generation(s->at.store));
	if (s->at.config->clients == 0)
		kms_log(KMS_LOG_WARN, "service.no_clients",
		    "no [client NAME] section: nobody may do anything");
	printf("listening on port %u\n", port);
	if (fflush(stdout) != 0)
		return kms_fail(KMS_ERR_IO, "standard output: %s",
		    strerror(errno));
	(void)sd_notify(0, "READY=1\nSTATUS=serving");
	return 0;
}

static void
finish(struct service *s)
{
	int r;

	(void)sd_notify(0, "STOPPING=1");
	r = kmip_server_drain(s->server, DRAIN_MS);
	if (r != 0)
		kms_log(KMS_LOG_WARN, "service.cut", "reason=\"%s\"",
		    kms_err_cause(r));
}

static void
service_end(struct service *s)
{
	kmip_metrics_close(&s->metrics);
	kmip_server_free(&s->server);
	kmip_service_close(&s->kmip);
	service_keys_free(&s->keys);
	open_close(&s->at);
	if (s->signals >= 0)
		(void)close(s->signals);
}

int
service_run(struct cli *cli)
{
	struct service s = {.signals = -1, .token_up = true, .days = -1};
	int r;

	/* Where standard error is the journal, it has the lines already. */
	kms_log_open(cli->program->name, true, getenv("JOURNAL_STREAM") == NULL,
	    KMS_LOG_INFO);
	r = take_signals(&s);
	if (r == 0)
		r = open_service(&s.at, cli, kmip_server_heap);
	if (r == 0)
		r = open_rest(&s.at);
	if (r == 0)
		r = kmip_service_open(s.at.store,
		    s.at.config->kmip_groups_need_phrase, &s.kmip);
	if (r == 0)
		r = start_server(&s);
	if (r == 0)
		r = tell_gates(&s);
	if (r == 0) {
		set_tick(&s);
		tell_certificate(&s);
		r = ready(&s);
	}
	if (r == 0) {
		serve(&s);
		finish(&s);
	}
	service_end(&s);
	return r;
}
