#!/bin/bash
# Two processes change the store at once: each change is done, or its writer is
# told that the store is busy; never two active keys in a tape group.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a

# writer NAME WAIT: eight keys, each activated; counts what was done.
writer() {
	local i status done=0

	for i in 1 2 3 4 5 6 7 8; do
		status=0
		p11kmsutil -createkey -kgname ENCR_a -keyname "$1$i" -wait "$2" \
			>/dev/null 2>"$dir/err.$1" <<-END || status=$?
			$key_phrase
			$key_phrase
		END
		case $status in
		0) done=$((done + 1)) ;;
		9) ;;
		*)
			cat "$dir/err.$1" >&2
			exit 1
			;;
		esac
	done
	echo $done >"$dir/done.$1"
}
# Keys move while others are made.
mover() {
	local i state status

	for i in 1 2 3 4 5 6; do
		for state in active inactive; do
			status=0
			p11kmsutil -modifykey -kgname ENCR_a -keyname m$((i % 2)) \
				-state $state >/dev/null 2>"$dir/err.m" || status=$?
			# 8: the other one's activation moved it already.
			case $status in
			0 | 8 | 9) ;;
			*)
				cat "$dir/err.m" >&2
				exit 1
				;;
			esac
		done
	done
}
for m in m0 m1; do
	new_key ENCR_a $m -activate
done
writer a 30s &
one=$!
writer b 30s &
two=$!
mover &
three=$!
watched=0
while kill -0 $one 2>/dev/null || kill -0 $two 2>/dev/null; do
	want 0 p11kmsutil -listkeys -activekey -noverbose
	[ "$(printf '%s\n' "$out" | wc -l)" -le 1 ] ||
		fail "more than one active key"
	watched=$((watched + 1))
done
wait $one || fail "a writer failed"
wait $two || fail "a writer failed"
wait $three || fail "the mover failed"
done=$(($(cat "$dir/done.a") + $(cat "$dir/done.b")))
[ $done = 16 ] || fail "with 30 s to wait only $done of 16 were done"
want 0 p11kms -verifydb -json
same "$(field keys)" 18
same "$(field bad)" 0

# Each sees the other's change at its next answer; a name is taken only once.
lines "$key_phrase" "$key_phrase"
want 8 p11kmsutil -createkey -kgname ENCR_a -keyname a1
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname b8

# A store that somebody holds: told that it is busy, in the time given.
if command -v flock >/dev/null; then
	for i in 1 2 3 4; do
		p11kmsutil -createkg -kgname g$i -wait 0s >/dev/null 2>&1 &
	done
	busy=0
	for i in 1 2 3 4; do
		status=0
		wait -n || status=$?
		case $status in
		0) ;;
		9) busy=$((busy + 1)) ;;
		*) fail "status $status" ;;
		esac
	done
	want 0 p11kmsutil -listkgs -noverbose
	same "$(printf '%s\n' "$out" | wc -l)" $((5 - busy))
fi
