#!/bin/bash
# A disk that is full, or takes back its word at a sync, at each of the system
# calls on the store, its log and a backup in turn: status 1, one line that is
# true, and no key leaves that is not on record. strace is the disk.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # strace is in the place of LeakSanitizer

new_store
mkdir "$dir/other"
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
new_drive
log=$dir/store/kms.log

# broken CALLS ERROR N "PATH…" COMMAND…: the N-th of these calls on a PATH
# fails. Its status in $got; false when there was no N-th.
broken() {
	local calls=$1 error=$2 nth=$3 path=() p

	for p in $4; do
		path+=(-P "$p")
	done
	shift 4
	got=0
	strace -f -o "$dir/trace" "${path[@]}" \
		-e "inject=$calls:error=$error:when=$nth" "$@" \
		</dev/null >"$dir/out" 2>"$dir/err" || got=$?
	out=$(cat "$dir/out")
	err=$(grep -v ' warning: event=' "$dir/err" || :)
	grep -q INJECTED "$dir/trace"
}
one_line() {
	[ "$(printf '%s\n' "$err" | wc -l)" = 1 ] || fail 'not one line'
	[ "${err#p11kms}" != "$err" ] || fail 'not a line of ours'
}
loaded() {
	want 0 p11kmsdrive -status -drive "$drive" -json
	same "$(field loaded)" "$1"
}

echo "# a release that cannot be recorded does not happen"
# Into the log that is there; and into one that has to be begun.
released=0
for round in old new; do
	for fault in openat:EROFS pwrite64,write:ENOSPC \
		fallocate,ftruncate:ENOSPC fdatasync,fsync:EIO; do
		for ((n = 1; n < 20; n++)); do
			[ $round = old ] || rm -f "$log"
			hit=0
			broken "${fault%:*}" "${fault#*:}" $n "$log" \
				p11kmsdrive -load -drive "$drive" -kgname ENCR_a ||
				hit=$?
			[ $got != 0 ] || want 0 p11kmsdrive -clear -drive "$drive"
			[ $hit = 0 ] || break
			[ $got != 0 ] || continue # it did without that call
			same $got 1 "$fault at $n"
			one_line
			loaded false
			released=$((released + 1))
		done
	done
done
[ $released -ge 5 ] || fail "only $released faults"
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kmsdrive -clear -drive "$drive"

echo "# a change: done, or not, or it says that nobody knows"
unsure=0
changes=0
# (tests/cli/bad_input.sh has the store's writes.)
for fault in fsync,fdatasync:EIO ftruncate,unlink:EIO; do
	n=1
	while :; do
		name=${fault%%,*}$n
		broken "${fault%:*}" "${fault#*:}" $n \
			"$store $store-journal $dir/store" \
			p11kmsutil -createkg -kgname $name || break
		there=0
		p11kmsutil -listkgs -kgname $name >/dev/null 2>&1 || there=$?
		case "$got $err" in
		'0 '*) same $there 0 "$fault at $n was said to be done" ;;
		'1 '*'the change is in the store, but a power failure'*)
			one_line
			same $there 0 "$err"
			unsure=$((unsure + 1))
			;;
		'1 '*unknown*) one_line ;;
		'1 '*)
			one_line
			same $there 3 "$fault at $n: $err"
			;;
		*) fail "$fault at $n ended with $got: $err" ;;
		esac
		n=$((n + 1))
		changes=$((changes + 1))
	done
	want 0 p11kms -verifydb -json
	same "$(field bad)" 0
done
[ $changes -ge 4 ] || fail "only $changes faults"
[ $unsure -ge 1 ] || fail 'no sync failed behind a change that can be read'

echo "# a backup that is not whole is none"
for n in 1 3; do
	broken pwrite64,write ENOSPC $n \
		"$dir/other/b.db $dir/other/b.db.part $dir/other/b.log" \
		p11kmsutil -backup -path "$dir/other/b.db" || break
	[ $got = 1 ] || fail "write $n of the backup: status $got: $err"
	one_line
	[ ! -e "$dir/other/b.db" ] || fail 'half a backup is left'
	want 0 p11kmsutil -ksstats -json
	same "$(field last_backup)" null
done
[ "$n" -gt 1 ] || fail "no write of the backup was seen: $(ls "$dir/other")"
want 0 p11kmsutil -backup -path "$dir/other/b.db"
want 0 p11kms -verifydb -store "$dir/other/b.db" -json
same "$(field bad)" 0

echo "# a store that is being made"
rm "$dir/store/"kms.*
create_lines
printf %s "$in" >"$dir/six"
for n in 2 5; do
	got=0
	strace -f -o "$dir/trace" -P "$store.new" -P "$store.new-journal" \
		-e inject=pwrite64:error=ENOSPC:when=$n \
		p11kms -createemptydb <"$dir/six" >"$dir/out" 2>"$dir/err" || got=$?
	grep -q INJECTED "$dir/trace" || fail "no write $n"
	err=$(cat "$dir/err")
	same $got 1 "$err"
	one_line
	[ ! -e "$store" ] || fail 'there is a store'
done
create_lines
want 0 p11kms -createemptydb
want 0 p11kms -verifydb
want 0 p11kmsutil -createkg -kgname ENCR_a
