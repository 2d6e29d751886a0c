#!/bin/bash
# What systemd and the service say to each other: a socket handed over, ready,
# watchdog, reloading, stopping.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck disable=SC2119
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

new_store
new_tls media01
{
	server_section
	client_section media01 '*' '*'
} >>"$dir/conf"
# with the socket handed over, the address of the configuration is not used
sed -i 's/^\(listen =\).*/\1 127.0.0.1:1/' "$dir/conf"
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive

mkfifo "$dir/said"
"$python" "$top/tests/cli/supervisor.py" p11kms >"$dir/said" 2>&1 &
supervisor=$!
pids+=("$supervisor")
exec {service_said}<"$dir/said"
await 'port '
read -r _ port _ service_pid <<<"$said"
pids+=("$service_pid")
await 'notified READY=1'
drive_host media01
P11KMS_CONFIG=$dir/media01.conf want 0 p11kmsdrive -load -drive "$drive" \
	-kgname ENCR_a -json
same "$(field tag)" "$tag"
await 'notified WATCHDOG=1'
await 'notified WATCHDOG=1'
kill -HUP "$service_pid"
await 'notified RELOADING=1 MONOTONIC_USEC='
await 'notified READY=1'
kill -TERM "$service_pid"
await 'notified STOPPING=1'
wait "$supervisor" || fail "it ended with $?"
