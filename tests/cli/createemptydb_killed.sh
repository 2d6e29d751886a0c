#!/bin/bash
# -createemptydb killed at any moment and run again: one store, exactly two
# keys in the token, both working, nothing half-made of ours left. The kills
# are spread over all its system calls that change something.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # strace is in the place of LeakSanitizer

kills=${KILLS:-$(fewer 12)}
calls=write,pwrite64,openat,fsync,fdatasync,rename,renameat2,unlink,ftruncate,flock

new_token
new_config
cp -a "$dir/token" "$dir/fresh"
module=$(sed -n 's/.*module-path=\([^&]*\)&.*/\1/p' "$dir/token/uri")
create() {
	printf '%s\n' "$hmk_phrase" "$hmk_phrase" 'HMK one' \
		"$kpk_phrase" "$kpk_phrase" 'KPK one' |
		"$@" p11kms -createemptydb
}
renew() {
	rm -rf "$dir/token" "$dir/store"
	cp -a "$dir/fresh" "$dir/token"
	mkdir "$dir/store"
}
# Secret keys in the token, whatever they are called.
keys() {
	pkcs11-tool --module "$module" --token-label p11kms --login \
		--pin "$(cat "$dir/token/pin")" --list-objects --type secrkey \
		2>/dev/null | grep -c 'Secret Key Object' || :
}

create strace -o "$dir/trace" -e trace=$calls >/dev/null
same "$(keys)" 2
# Each call as "name ordinal": strace counts each name on its own.
sed -n 's/^\([a-z0-9]*\)(.*/\1/p' "$dir/trace" | awk '{ print $1, ++n[$1] }' \
	>"$dir/calls"
all=$(wc -l <"$dir/calls")
[ "$all" -gt 100 ] || fail "only $all calls were seen"

killed=0
for ((i = 0; i < kills; i++)); do
	n=$((1 + i * all / kills))
	read -r name ordinal < <(sed -n "${n}p" "$dir/calls")
	renew
	status=0
	create strace -o "$dir/trace" -e trace="$name" \
		-e inject="$name:signal=SIGKILL:when=$ordinal" \
		>/dev/null 2>"$dir/err" || status=$?
	[ $status = 0 ] || killed=$((killed + 1))
	had=no
	[ ! -e "$store" ] || had=yes
	create_lines
	if [ $had = yes ]; then
		want 8 p11kms -createemptydb
	else
		want 0 p11kms -createemptydb
	fi
	same "$(keys)" 2 "keys after a kill at $name $ordinal"
	[ ! -e "$store.new" ] || fail "kms.db.new is left after $name $ordinal"
	want 0 p11kmsutil -createkg -kgname ENCR_a
	new_key ENCR_a k1 -activate
	want 0 p11kms -verifydb
done
[ $killed -ge $((kills * 3 / 4)) ] || fail "only $killed of $kills were killed"
echo "killed $killed times among $all calls"
