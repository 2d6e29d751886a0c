#!/bin/bash
# A real tar archive to an encrypted cartridge and back; every way in which
# -run can end leaves the drive without a key, and says when one was lost.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_drive
run=(p11kmsdrive -run -drive "$drive")

loaded() {
	want 0 p11kmsdrive -status -drive "$drive" -json
	same "$(field loaded)" "$1" "${2-}"
}

echo "# no key, no run"
want 103 "${run[@]}" -kgname ENCR_a -- touch "$dir/ran"
says 'ENCR_a' 'no active key'
want 103 "${run[@]}" -kgname ENCR_b -- touch "$dir/ran"
want 103 "${run[@]}" -read -- touch "$dir/ran"
[ ! -e "$dir/ran" ] || fail "the command ran without a key"
new_key ENCR_a k1 -activate
tag=$(field tag)

echo "# write"
mkdir "$dir/data"
cp "$top/README.md" "$dir/data/text" 2>/dev/null || cp "$0" "$dir/data/text"
needle='the needle that must not be found on tape'
echo "$needle" >"$dir/data/needle"
cd "$dir"
# shellcheck disable=SC2016
want 0 "${run[@]}" -kgname ENCR_a -volume V00001 -- sh -c 'tar -cf "$TAPE" data'
loaded false
grep -q "$needle" "$dir/data/needle"
! grep -aq "$needle" "$dir/A.cart" || fail "plaintext on the cartridge"
[ "$(stat -c %s "$dir/A.cart")" -gt 5000 ] || fail "nothing was written"

echo "# read without the key, and with it"
on_tape mt -f /dev/nst9 rewind
! on_tape tar -xf /dev/nst9 -C "$dir" --to-stdout 2>/dev/null |
	grep -q "$needle" || fail "read without a key"
on_tape mt -f /dev/nst9 rewind
mkdir "$dir/back"
# shellcheck disable=SC2016
want 0 "${run[@]}" -read -- sh -c 'tar -xf "$TAPE" -C back'
diff -r "$dir/data" "$dir/back/data" || fail "it came back changed"
loaded false

echo "# load by tag, by the tape's own tag; clear"
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -load -drive "$drive" -tag "$tag" -json
same "$(field loaded)" true
same "$(field encryption)" off
want 0 p11kmsdrive -clear -drive "$drive" -json
same "$(field loaded)" false
want 0 p11kmsdrive -load -drive "$drive" -read
want 0 p11kmsdrive -clear -drive "$drive"
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a -json
same "$(field tag)" "$tag"
want 0 p11kmsdrive -clear -drive "$drive"

echo "# an old key reads; one that may not is refused"
new_key ENCR_a k2 -activate
on_tape mt -f /dev/nst9 rewind
# shellcheck disable=SC2016
want 0 "${run[@]}" -read -- sh -c 'tar -tf "$TAPE"'
prints data/needle
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -state deprecated
on_tape mt -f /dev/nst9 rewind
want 108 "${run[@]}" -read -- touch "$dir/ran"
want 8 p11kmsdrive -load -drive "$drive" -tag "$tag"
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -state inactive
want 3 p11kmsdrive -load -drive "$drive" -tag "b000${tag#????}"
says random
want 3 p11kmsdrive -load -drive "$drive" -tag ABCD
loaded false

echo "# the command's own end is ours"
want 7 "${run[@]}" -kgname ENCR_a -- sh -c 'exit 7'
loaded false
umask 027
want 0 "${run[@]}" -kgname ENCR_a -- sh -c umask
same "$out" 0027 "the umask of the command"
umask 077
for sig in INT TERM HUP; do
	# shellcheck disable=SC2016
	want $((128 + $(kill -l $sig))) "${run[@]}" -kgname ENCR_a -- \
		sh -c 'kill -'$sig' $$'
	loaded false "after the command got SIG$sig"
done
want 103 "${run[@]}" -kgname ENCR_a -- "$dir/no-such-program"
says no-such-program
loaded false

# Starts -run with a command that waits; $tool is the tool's process.
start_waiting() {
	rm -f "$dir/up" "$dir/wait"
	mkfifo "$dir/up" "$dir/wait"
	set -m # so that the tool does not ignore SIGINT
	# shellcheck disable=SC2016
	p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- sh -c \
		'echo $$ >'"$dir/up"'; exec cat '"$dir/wait" \
		>"$dir/out" 2>"$dir/err" </dev/null &
	tool=$!
	set +m
	pids+=("$tool")
	read -r child <"$dir/up"
	pids+=("$child")
}

echo "# while it runs, neither store nor token is open"
start_waiting
loaded true
want 0 p11kmsutil -createkg -kgname meanwhile
if [ -r "/proc/$tool/maps" ] && [ "$(id -u)" = 0 ]; then
	! grep -q softhsm "/proc/$tool/maps" || fail "the module is loaded"
	! readlink "/proc/$tool/fd/"* "/proc/$child/fd/"* | grep -q /kms ||
		fail "the store is open"
fi
: >"$dir/wait"
wait "$tool" || fail "the command ended well, and the tool with $?"
loaded false

echo "# a signal to the tool goes to the command, and the drive is cleared"
for sig in INT TERM HUP; do
	start_waiting
	kill -$sig "$tool"
	got=0
	wait "$tool" || got=$?
	same $got $((128 + $(kill -l $sig))) "SIG$sig"
	loaded false "after SIG$sig"
	! kill -0 "$child" 2>/dev/null || fail "the command still runs"
done

echo "# the key lost in mid-run is said, also when the command succeeded"
# Our own programs need no preload library, and a sanitizer's bear none.
unloaded=(env -u LD_PRELOAD)
want 107 "${run[@]}" -kgname ENCR_a -- "${unloaded[@]}" vtaped -reset -drive "$dir/drive"
says lost clear
loaded false
want 0 vtaped -create -cartridge "$dir/B.cart" -barcode B00002L8
want 107 "${run[@]}" -kgname ENCR_a -- "${unloaded[@]}" sh -c "vtaped -eject -drive $dir/drive &&
	vtaped -insert -cartridge $dir/B.cart -drive $dir/drive"
says lost
loaded false
want 107 "${run[@]}" -kgname ENCR_a -- "${unloaded[@]}" p11kmsdrive -clear -drive "$drive"
loaded false

echo "# a tool killed outright leaves a key, and -status says so"
start_waiting
kill -9 "$tool"
wait "$tool" 2>/dev/null || :
loaded true
: >"$dir/wait"
want 0 p11kmsdrive -clear -drive "$drive"
loaded false
