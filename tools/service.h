/*
 * The key service in the foreground: KMIP over the open store, under systemd
 * or alone. Everything that speaks KMIP is below kms/kmip; here is how the
 * service starts, is told to read its files again, keeps watch over the token
 * and ends.
 */
#ifndef TOOLS_SERVICE_H
#define TOOLS_SERVICE_H

#include "tools/cli.h"

/*
 * What p11kms does without an operation. Prints "listening on port N" when it
 * serves; SIGTERM or SIGINT end it (0), SIGHUP reads certificates, CRL and
 * clients again. Under systemd: notify, watchdog and socket activation.
 */
int service_run(struct cli *);

#endif
