#!/bin/bash
# Everything a person can get wrong: one clear line, the documented status,
# and neither store nor token changed.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
good=$(cat "$dir/conf")
before=$(fingerprint)

# refused STATUS TEXT COMMAND…: as want, and the store is as it was.
refused() {
	local status=$1 text=$2

	shift 2
	want "$status" "$@"
	says "$text"
	same "$(fingerprint)" "$before" "$* changed the store"
}
config() {
	printf '%s\n' "$@" >"$dir/conf"
}
list=(p11kmsutil -listkeys)

echo "# command line"
refused 2 'no operation' p11kmsutil
refused 2 "unknown operation '-frobnicate'" p11kmsutil -frobnicate
refused 2 -deletekey p11kmsutil -deleteke -kgname ENCR_a -keyname k1
refused 2 -force p11kmsutil -deletekey -kgname ENCR_a -keyname k1 -fo
refused 2 '-kgname -keyname' p11kmsutil -deletekey -kgname ENCR_a -tog
refused 2 U+2013 p11kmsutil $'\xe2\x80\x93quiescedb'
refused 2 U+2014 p11kmsutil -listkeys $'\xe2\x80\x94kgname' ENCR_a
refused 2 'two operations' p11kmsutil -listkeys -listkgs
refused 2 "'ENCR_b'" p11kmsutil -listkeys -kgname ENCR_a ENCR_b
refused 2 '-kgname N' p11kmsutil -createkey
refused 2 'given twice' p11kmsutil -createkg -kgname a -kgname b
refused 2 'nothing to change' p11kmsutil -modifykey -kgname ENCR_a -keyname k1
refused 2 -reason p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -allowserve
refused 2 AES_256 p11kmsutil -createkg -kgname b -cipher AES_128
refused 2 inactive p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -state aktiv
refused 2 30s p11kmsutil -listkeys -wait 30
refused 2 -reason p11kms -acceptrestore
refused 2 -adopt p11kms -createemptydb -hmklabel x
refused 2 -components p11kms -createemptydb -components 1
refused 102 '-kgname, -read' p11kmsdrive -run -drive vtape:x -- true
refused 102 CMD p11kmsdrive -run -drive vtape:x -read

echo "# names"
refused 2 UTF-8 p11kmsutil -createkg -kgname $'ENCR_\xff'
refused 2 255 p11kmsutil -createkg -kgname "$(printf '%0256d' 1)"
refused 2 'group name' p11kmsutil -createkg -kgname ''
refused 2 'group name' p11kmsutil -createkg -kgname 'ENCR_a '
refused 2 'group name' p11kmsutil -createkg -kgname $'ENCR\na'
refused 2 'key name' p11kmsutil -createkey -kgname ENCR_a -keyname $'\xc0\xaf' -nopphrase
refused 2 hex p11kmsutil -listkeys -tag xyz
refused 2 hex p11kmsutil -recoverkey -kgname ENCR_a -keyname x -tag ''

echo "# what is not there, or there already"
refused 3 ENCR_b p11kmsutil -createkey -kgname ENCR_b -nopphrase
refused 3 ENCR_b p11kmsutil -listkeys -kgname ENCR_b
refused 3 k2 p11kmsutil -modifykey -kgname ENCR_a -keyname k2 -activate
refused 8 ENCR_a p11kmsutil -createkg -kgname ENCR_a
create_lines
refused 8 'a store already' p11kms -createemptydb

echo "# phrases"
create=(p11kmsutil -createkey -kgname ENCR_a -keyname k2)
phrase_refused() {
	lines "$1" "$2"
	refused 2 "$3" "${create[@]}"
}
phrase_refused 'too short' 'too short' 15
phrase_refused 'correct horse bättery' 'correct horse bättery' ASCII
phrase_refused 'correct horse battery ' 'correct horse battery ' blank
phrase_refused ' correct horse battery' ' correct horse battery' blank
phrase_refused 'correct horse battery' 'correct horse batterx' repeat
phrase_refused "$(printf '%01025d' 1)" "$(printf '%01025d' 1)" 1
refused 2 'standard input ended' "${create[@]}"
lines 'correct horse battery'
refused 2 'standard input ended' "${create[@]}"
refused 2 'standard input ended' p11kmsutil -recoverkey -kgname ENCR_a \
	-keyname x -tag "$tag"
lines ''
refused 2 passphrase p11kmsutil -recoverkey -kgname ENCR_a -keyname x -tag "$tag"
lines 'correct horse batterx'
refused 4 wrong p11kmsutil -recoverkey -kgname ENCR_a -keyname x -tag "$tag"
lines 'correct horse batterx'
refused 2 random p11kmsutil -recoverkey -kgname ENCR_a -keyname x \
	-tag "b000${tag#????}"

echo "# configuration"
refused 2 "$dir/none" p11kmsutil -listkeys -config "$dir/none"
refused 2 "$dir" p11kmsutil -listkeys -config "$dir"
config "${good/= 17/= 17 # fast}"
refused 2 'line 7: a comment' "${list[@]}"
config "$good" "sign_key = pkcs11:object=$(printf '%05000d' 1)"
refused 2 'line 8: the line is too long' "${list[@]}"
config "$good" 'kdf_kost = 17'
refused 2 'line 8: [policy] kdf_kost: unknown key' "${list[@]}"
config "$good" '[polizei]'
refused 2 'line 8: unknown section' "${list[@]}"
config "${good/= 17/= 16}"
refused 2 'line 7' "${list[@]}"
config '[store]' "path = $store"
refused 2 '[token] uri is missing' "${list[@]}"
config "$good"
chmod 666 "$dir/conf"
refused 2 'chmod' "${list[@]}"
chmod 600 "$dir/conf"
if [ "$(id -u)" != 0 ]; then
	chmod 0 "$dir/conf"
	refused 2 'ermission' "${list[@]}"
	chmod 600 "$dir/conf"
fi

echo "# token"
config "${good/token=p11kms/token=other}"
refused 5 other "${list[@]}"
config "${good/libsofthsm2.so/libnone.so}"
refused 5 libnone.so "${list[@]}"
config "${good/file:/file:/no}"
refused 2 /no "${list[@]}"
config "${good/pin-source/pin-value}"
refused 2 'a PIN may not stand' "${list[@]}"
config "$(printf %s "$good" | sed 's/&pin-source=.*//')"
refused 2 'no terminal' "${list[@]}"
config "$good"
mv "$dir/token/tokens" "$dir/token/away"
mkdir "$dir/token/tokens"
refused 5 p11kms "${list[@]}"
rmdir "$dir/token/tokens"
mv "$dir/token/away" "$dir/token/tokens"
chmod 644 "$dir/token/pin"
refused 2 "$dir/token/pin" "${list[@]}"
chmod 600 "$dir/token/pin"

echo "# files"
config "${good/kms.db/none.db}"
refused 3 none.db "${list[@]}"
create_lines
config "${good/store\/kms/none\/kms}"
refused 3 "$dir/none" p11kms -createemptydb
mkdir -m 755 "$dir/open"
create_lines
config "${good/store\/kms/open\/kms}"
refused 2 "$dir/open" p11kms -createemptydb
config "$good"
chmod 755 "$dir/store"
refused 2 "$dir/store" "${list[@]}"
chmod 700 "$dir/store"
chmod 640 "$store"
refused 2 "$store" "${list[@]}"
chmod 600 "$store"
head -c 4096 /dev/urandom >"$dir/noise"
refused 6 "$dir/noise" p11kms -info -store "$dir/noise"
refused 3 "$dir/none" p11kms -info -store "$dir/none"

echo "# output that nobody can read is a failure; none at all is not ours"
got=0
p11kmsutil -listkeys >/dev/full 2>"$dir/err" || got=$?
same "$got" 1
grep -q '^p11kmsutil: standard output: No space' "$dir/err" || fail "$(cat "$dir/err")"
p11kmsutil -listkeys <&- >&- 2>&-
same "$(fingerprint)" "$before" "a closed descriptor changed the store"

echo "# a full disk, at each write in turn"
export ASAN_OPTIONS=detect_leaks=0 # strace is in the place of LeakSanitizer
i=1
while :; do
	got=0
	strace -f -o "$dir/trace" -P "$store" -P "$store-journal" \
		-e inject=pwrite64:error=ENOSPC:when=$i \
		p11kmsutil -createkg -kgname full$i >"$dir/out" 2>"$dir/err" || got=$?
	grep -q INJECTED "$dir/trace" || break
	[ $got = 1 ] || fail "write $i failed, and the status is $got: $(cat "$dir/err")"
	[ "$(wc -l <"$dir/err")" = 1 ] || fail "not one line: $(cat "$dir/err")"
	want 3 p11kmsutil -listkgs -kgname full$i
	i=$((i + 1))
done
[ $i -gt 3 ] || fail "only $((i - 1)) writes were seen"
[ "$got" = 0 ] || fail "without a full disk it ended with $got"

want 0 p11kms -verifydb -json
same "$(field bad)" 0
want 0 p11kmsutil -listkeys -json
same "$(field tag)" "$tag"
