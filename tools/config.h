/*
 * The configuration file into each folder's plain options. Every section and
 * key of the command contract is known here, also those whose part of the
 * program is not built yet: a mistyped one is an error that names its line.
 */
#ifndef TOOLS_CONFIG_H
#define TOOLS_CONFIG_H

#include "kms/base/secret.h"
#include "kms/policy.h"

struct config_client {
	char *name, *cn, *groups, *operations;
};
#define CONFIG_CLIENTS_MAX 1000u

struct config_tls {
	char *cert, *key, *ca, *crl;
};

/* Strings are owned, NULL when not given; times are seconds. */
struct config {
	char *file;
	struct {
		char *path;
	} store;
	struct {
		char *uri, *sign_key, *lock_dir;
	} token;
	struct kms_policy policy;
	enum kms_secret_mode memory_lock;
	bool kmip_groups_need_phrase;
	uint64_t drill_max_age;
	struct {
		char *path;
		unsigned keep;
		uint64_t max_age;
	} backup;
	struct {
		char *listen, *metrics;
		unsigned workers;
		struct config_tls tls;
	} server;
	struct config_client *client;
	size_t clients;
	struct {
		char *servers;
		struct config_tls tls;
	} drive;
};

/*
 * KMS_ERR_CONFIG names file and line. A file that others than root
 * and the caller own or may write is refused, for it names the module that is
 * loaded. Missing: KMS_ERR_CONFIG
 * too (status 2).
 */
int config_load(const char *file, struct config **) KMS_MUST;
/* Where keys come from [drive] servers a host may have neither token nor
 * store; what needs them asks here. CONFIG names the key that is missing. */
int config_check_store(const struct config *) KMS_MUST;
void config_free(struct config **);

#endif
