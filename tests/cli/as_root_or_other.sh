#!/bin/bash
# Root acts as the store's owner and leaves nothing of its own behind; anybody
# else is refused, and told whose store it is.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # it cannot look into who changed users

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
if [ "$(id -u)" != 0 ]; then
	# Not root: a store in a directory of root's is somebody else's.
	sed -i 's|^path = .*|path = /etc/kms.db|' "$dir/conf"
	want 8 p11kmsutil -listkgs
	says root
	exit 0
fi

# A place that others may reach.
open=$(mktemp -d /tmp/XXXXXX)
trap 'rm -rf "$open"; cleanup' EXIT
chmod 711 "$open"
mv "$dir/token" "$dir/store" "$open"
cp "$dir/conf" "$open/conf"
sed -i "s|$dir|$open|g" "$open/conf" "$open/token/uri" \
	"$open/token/softhsm2.conf" "$open/token/token.env"
# shellcheck disable=SC1091
. "$open/token/token.env"
export P11KMS_CONFIG=$open/conf
chmod 755 "$open/conf"
store=$open/store/kms.db
want 0 p11kmsutil -listkgs

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
cp "$bin/p11kmsutil" "$bin/p11kms" "$open"
chmod 755 "$open/p11kmsutil" "$open/p11kms"

echo "# root's store, run by nobody"
want 8 as_nobody "$open/p11kmsutil" -listkgs
says "$store" root
want 8 as_nobody "$open/p11kms" -verifydb
want 8 as_nobody "$open/p11kms" -createemptydb

echo "# nobody's store, run by nobody and by root"
chown -R 65534:65534 "$open/store" "$open/token"
want 0 as_nobody "$open/p11kmsutil" -createkg -kgname ENCR_b
want 0 p11kmsutil -createkg -kgname ENCR_c
want 0 as_nobody "$open/p11kmsutil" -listkgs -noverbose
same "$(printf '%s\n' "$out" | wc -l)" 3
[ -z "$(find "$open/store" "$open/token" ! -uid 65534)" ] ||
	fail "root left $(find "$open/store" "$open/token" ! -uid 65534)"

echo "# who did it is on record: the user, and who became it by sudo"
did() {
	want 0 p11kmsutil -audit -json
	printf '%s\n' "$out" | tr '{' '\n' | grep "\"group\":\"$1\"" |
		grep group.create >"$dir/did"
	out=$(cat "$dir/did")
	grep -q "\"actor\":\"$2" "$dir/did" || fail "$1 was not made by $2"
}
did ENCR_b uid:65534
did ENCR_c uid:0
want 0 env SUDO_USER=alice SUDO_UID=1000 p11kmsutil -createkg -kgname ENCR_s
did ENCR_s uid:0
prints alice
want 0 env SUDO_USER=alice p11kmsutil -deletekg -kgname ENCR_s
[ -z "$(find "$open/store" "$open/token" ! -uid 65534)" ] ||
	fail "root left $(find "$open/store" "$open/token" ! -uid 65534)"

echo "# created by root in nobody's directory"
rm "$open/store/"kms.*
create_lines
want 0 p11kms -createemptydb
[ -z "$(find "$open/store" "$open/token" ! -uid 65534)" ] ||
	fail "root left $(find "$open/store" "$open/token" ! -uid 65534)"
want 0 p11kms -verifydb

echo "# a directory that its owner may not write"
chmod 500 "$open/store"
before=$(cd "$open/store" && ls -l)
want 1 p11kmsutil -createkg -kgname ENCR_d
says 'ermission denied'
same "$(cd "$open/store" && ls -l)" "$before"
chmod 700 "$open/store"

echo "# the drive's command runs as the caller again"
mkdir "$dir/tape"
cd "$dir/tape"
want 0 p11kmsutil -createkg -kgname ENCR_t
new_key ENCR_t k1 -activate
new_drive
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_t -- \
	sh -c 'id -u; grep -e Groups: -e Uid: /proc/self/status; ulimit -l; ulimit -c'
same "$(printf '%s\n' "$out" | head -n 1)" 0
same "$(printf '%s\n' "$out" | grep Uid: | tr '\t' ' ')" 'Uid: 0 0 0 0'
same "$(printf '%s\n' "$out" | grep Groups:)" "$(grep Groups: /proc/self/status)"
same "$(printf '%s\n' "$out" | tail -n 2)" "$(ulimit -l; ulimit -c)"
