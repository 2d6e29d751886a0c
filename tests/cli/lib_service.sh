# shellcheck shell=bash disable=SC2119,SC2120,SC2154
# For scenarios of the key service, after lib.sh: certificates, [server], the
# service itself, and what it says. Loopback only, on a port of its own choice.

tls=$dir/tls

# The CA, the server's certificate, and a client's for each NAME.
new_tls() {
	local name

	want 0 p11kms -newca -path "$tls" -host localhost,127.0.0.1
	for name in "$@"; do
		want 0 p11kms -newclient "$name" -path "$tls"
	done
}

server_section() {
	printf '[server]\nlisten = 127.0.0.1:0\nworkers = %s\n' "${1:-2}"
	printf 'metrics = %s\n' "$dir/metrics"
	printf 'cert = %s\nkey = %s\n' "$tls/server.pem" "$tls/server.key"
	printf 'ca = %s\ncrl = %s\n' "$tls/ca.pem" "$tls/ca.crl"
}

# client_section NAME GROUPS OPERATIONS
client_section() {
	printf '[client %s]\ncn = %s\ngroups = %s\noperations = %s\n' \
		"$1" "$1" "$2" "$3"
}

# A host with nothing but a client's certificate, of NAME: its configuration
# is $dir/NAME.conf. Needs the port.
drive_host() {
	printf '[drive]\nservers = %s\ncert = %s\nkey = %s\nca = %s\n' \
		"${2:-127.0.0.1:$port}" "$tls/$1.pem" "$tls/$1.key" \
		"$tls/ca.pem" >"$dir/$1.conf"
}

# Starts the service and waits until it serves: sets $service_pid, $port.
start_service() {
	mkfifo "$dir/said"
	p11kms >"$dir/said" 2>&1 &
	service_pid=$!
	pids+=("$service_pid")
	exec {service_said}<"$dir/said"
	rm "$dir/said"
	await 'listening on port '
	port=${said##* }
}

# await TEXT: reads what the service says until a line has TEXT; $said is that
# line. The deadline is for a service that hangs, not a pause.
await() {
	while IFS= read -r -t 120 -u "$service_said" said; do
		printf '%s\n' "$said" >>"$dir/service.log"
		[ "${said/"$1"/}" = "$said" ] || return 0
	done
	fail "the service did not say '$1': $(tail -n 20 "$dir/service.log")"
}

# Ends it by a signal (TERM) and expects status 0; what it said is in
# $dir/service.log.
stop_service() {
	local got=0

	kill -s "${1:-TERM}" "$service_pid"
	cat <&"$service_said" >>"$dir/service.log"
	exec {service_said}<&-
	wait "$service_pid" || got=$?
	[ "$got" = 0 ] || fail "the service ended with $got: $(tail "$dir/service.log")"
}

# One value of the metrics: metric NAME.
metric() {
	"$python" - "$dir/metrics" "$1" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
text = b""
while True:
    piece = s.recv(65536)
    if not piece:
        break
    text += piece
for line in text.decode().split("\n"):
    if line.startswith(sys.argv[2] + " "):
        print(line.split(" ")[1])
END
}

# Debian's own, which has what the test packages bring.
python=/usr/bin/python3
