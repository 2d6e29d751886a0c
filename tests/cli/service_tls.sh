#!/bin/bash
# Who is let in, seen from openssl's own client: no certificate, a foreign
# authority's, an expired one, a revoked one, an old TLS, an expired CRL;
# sessions are resumed, and not by whom was revoked. Silent and garbage clients hold nobody up.
# shellcheck disable=SC2119
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

new_store
new_tls media01 media02
{
	server_section
	client_section media01 '*' '*'
	client_section media02 '*' '*'
} >>"$dir/conf"

# openssl ca over the directory that -newca made, for what it does not make.
mkdir "$dir/ca"
: >"$dir/ca/index"
echo 1000 >"$dir/ca/serial"
echo 01 >"$dir/ca/crlnumber"
cat >"$dir/ca/conf" <<END
[ca]
default_ca = here
[here]
database = $dir/ca/index
serial = $dir/ca/serial
crlnumber = $dir/ca/crlnumber
new_certs_dir = $dir/ca
certificate = $tls/ca.pem
private_key = $tls/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
[any]
commonName = supplied
END
ca() {
	openssl ca -config "$dir/ca/conf" -batch -notext "$@" 2>"$dir/ca/err" ||
		fail "openssl ca $*: $(cat "$dir/ca/err")"
}
openssl req -new -newkey rsa:2048 -nodes -subj /CN=media01 \
	-keyout "$dir/expired.key" -out "$dir/expired.csr" 2>/dev/null
ca -in "$dir/expired.csr" -out "$dir/expired.pem" \
	-startdate 20200101000000Z -enddate 20210101000000Z
want 0 p11kms -newca -path "$dir/other" -host localhost
want 0 p11kms -newclient media01 -path "$dir/other"
start_service

# A Discover Versions in KMIP 1.2.
request=42007801000000604200770100000038420069010000002042006a0200000004
request+=000000010000000042006b0200000004000000020000000042000d0200000004
request+=000000010000000042000f010000001842005c05000000040000001e00000000
request+=4200790100000000
# shellcheck disable=SC2001,SC2059
printf "$(sed 's/../\\x&/g' <<<"$request")" >"$dir/request"

# answered OPTION…: does the service answer openssl s_client with these? Says
# in $dir/s_client what openssl said.
answered() {
	local pid head

	mkfifo "$dir/to" "$dir/from"
	openssl s_client -connect "127.0.0.1:$port" -CAfile "$tls/ca.pem" \
		-quiet "$@" <"$dir/to" >"$dir/from" 2>"$dir/s_client" &
	pid=$!
	exec {to}>"$dir/to" {from}<"$dir/from"
	rm "$dir/to" "$dir/from"
	cat "$dir/request" 1>&"$to" 2>/dev/null || :
	head=$(head -c 3 <&"$from" | od -An -tx1 | tr -d ' ')
	kill "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
	exec {to}>&- {from}<&-
	[ "$head" = 42007b ]
}
as() {
	printf '%s\n' -cert "$1.pem" -key "$1.key"
}
refused() {
	local why=$1

	shift
	! answered "$@" || fail "answered: $*"
	await kmip.refused
	[ "${said/"$why"/}" != "$said" ] || fail "not '$why' but: $said"
}

echo "# those who are known, by TLS 1.2 and 1.3"
mapfile -t media01 < <(as "$tls/media01")
mapfile -t media02 < <(as "$tls/media02")
for v in -tls1_2 -tls1_3; do
	answered "${media01[@]}" $v || fail "$v: $(cat "$dir/s_client")"
	answered "${media02[@]}" $v || fail "$v: $(cat "$dir/s_client")"
done
answered "${media01[@]}" -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256 ||
	fail "$(cat "$dir/s_client")"

echo "# and those who are not"
for v in -tls1_2 -tls1_3; do
	refused 'did not return a certificate' $v
	mapfile -t who < <(as "$dir/other/media01")
	refused certificate "${who[@]}" $v
	mapfile -t who < <(as "$dir/expired")
	refused expired "${who[@]}" $v
done
mapfile -t who < <(as "$tls/server") # for another purpose
refused certificate "${who[@]}"
for v in -tls1_1 -tls1; do
	refused 'unsupported protocol' "${media01[@]}" $v \
		-cipher DEFAULT@SECLEVEL=0
done
refused 'no shared cipher' "${media01[@]}" -tls1_2 \
	-cipher NULL,aNULL,3DES,RC4,MD5@SECLEVEL=0

echo "# a session is resumed, by TLS 1.2 and 1.3"
for v in -tls1_2 -tls1_3; do
	answered "${media02[@]}" $v -sess_out "$dir/session$v" || fail "$v"
	openssl s_client -connect "127.0.0.1:$port" -CAfile "$tls/ca.pem" \
		"${media02[@]}" $v -sess_in "$dir/session$v" </dev/null \
		>"$dir/s_client" 2>&1 || :
	grep -q '^Reused' "$dir/s_client" || fail "$v: not resumed"
	answered "${media02[@]}" $v -sess_in "$dir/session$v" ||
		fail "$v: resumed and not answered"
done

echo "# forty silent, half-open and garbage clients, two workers"
silent=()
for i in {1..40}; do
	exec {fd}<>"/dev/tcp/127.0.0.1/$port"
	silent+=("$fd")
	case $((i % 4)) in
	1) printf '\x16\x03\x01\x02\x00\x01' >&"$fd" ;; # half a hello
	2) printf 'GET / HTTP/1.0\r\n\r\n' >&"$fd" ;;
	3) head -c 4000 /dev/urandom 1>&"$fd" 2>/dev/null || : ;;
	esac
done
answered "${media01[@]}" || fail "held up"

echo "# revoked: by CRL and SIGHUP, also on the session it has"
want 0 p11kms -revokeclient media02 -path "$tls" -json
same "$(field changed) $(field name) $(field crl)" \
	"true media02 $tls/ca.crl"
number=$(field crl_number)
openssl crl -in "$tls/ca.crl" -noout -text >"$dir/crl"
grep -q "Serial Number: $(field serial)" "$dir/crl" || fail "$(cat "$dir/crl")"
answered "${media02[@]}" || fail "the CRL is not read by itself"
kill -HUP "$service_pid"
await service.reloaded
for v in -tls1_2 -tls1_3; do
	refused revoked "${media02[@]}" $v
	refused revoked "${media02[@]}" $v -sess_in "$dir/session$v"
	answered "${media01[@]}" $v || fail "$v"
done

echo "# revoked is revoked: again changes nothing, and the next one is added"
before=$(sha256sum "$tls/ca.crl")
want 0 p11kms -revokeclient media02 -json
same "$(field changed) $(field crl_number)" "false $number"
same "$(sha256sum "$tls/ca.crl")" "$before"
want 0 p11kms -newclient media03
want 0 p11kms -newclient media04
want 0 p11kms -revokeclient media03
prints 'systemctl reload'
want 0 p11kms -revokeclient media01 -path "$dir/other" # not of this CA
prints "in $tls/ca.crl"
want 0 p11kms -revokeclient media04 -json
same "$(field crl_number)" $((number + 2))
openssl crl -in "$tls/ca.crl" -noout -text >"$dir/crl"
same "$(grep -c 'Serial Number:' "$dir/crl")" 3
kill -HUP "$service_pid"
await service.reloaded
answered "${media01[@]}" || fail "media01"
refused revoked "${media02[@]}"

echo "# what cannot be revoked, by name"
want 3 p11kms -revokeclient nobody
says nobody "$tls/nobody.pem"
want 2 p11kms -revokeclient server
says "$tls/server.pem" client
want 2 p11kms -revokeclient ../media01
want 2 p11kms -revokeclient
want 3 p11kms -revokeclient media01 -path "$dir/none"
cp "$dir/other/media01.pem" "$tls/foreign.pem"
want 2 p11kms -revokeclient foreign
says "$tls/foreign.pem" 'not signed'
cp "$tls/ca.crl" "$dir/ca.crl"
cp "$dir/other/ca.crl" "$tls/ca.crl"
want 2 p11kms -revokeclient media01
says "$tls/ca.crl" 'put back'
rm "$tls/ca.crl"
want 2 p11kms -revokeclient media01
says "$tls/ca.crl" 'put back'
cp "$dir/ca.crl" "$tls/ca.crl"

echo "# an expired CRL lets nobody in: the doctor says so before"
crl_ends() {
	ca -gencrl -out "$tls/ca.crl" -crl_lastupdate 20200101000000Z \
		-crl_nextupdate "$(date -u -d "$1" +%Y%m%d%H%M%SZ)"
}
doctor_of_crl() {
	p11kmsutil -doctor 2>/dev/null | grep -P "\tserver-crl\t" || :
}
out=$(doctor_of_crl)
prints ok 'good for 36'
crl_ends '+ 5 days 1 hour'
out=$(doctor_of_crl)
prints warning 'expires in 5 days' authority
crl_ends '- 5 days'
out=$(doctor_of_crl)
prints problem 'expired 5 days ago'
kill -HUP "$service_pid"
await service.reloaded
refused 'CRL has expired' "${media01[@]}"
want 0 p11kms -revokeclient media02 -json # the next one counts to the end
same "$(field changed)" true
kill -HUP "$service_pid"
await service.reloaded
answered "${media01[@]}" || fail "$(cat "$dir/s_client")"
refused revoked "${media02[@]}"

echo "# who sent nothing is closed in the end, by the deadline"
for fd in "${silent[@]}"; do
	cat <&"$fd" >/dev/null 2>&1 || :
	exec {fd}<&-
done
same "$(metric p11kms_connections)" 0
[ "$(metric p11kms_connections_expired_total)" -ge 20 ] || fail "expired"
answered "${media01[@]}" || fail "after all that"
stop_service
