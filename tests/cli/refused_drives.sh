#!/bin/bash
# What a drive is, can, and who sets its keys; and the drives, files and
# callers that are refused, each with what is missing.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive

another() { # OPTION…: a further drive, without a tape; sets $other
	other=$dir/other$1
	mkfifo "$dir/fifo"
	vtaped -listen "$other" -generation 6 "$@" >"$dir/fifo" 2>"$dir/other.log" &
	pids+=("$!")
	disown "$!"
	read -r _ <"$dir/fifo" || fail "no drive: $(cat "$dir/other.log")"
	rm "$dir/fifo"
	other=vtape:$other
}
# What -list says of one drive: identity, ability, who controls it.
listed() {
	want 0 p11kmsdrive -list -drive "$1" -json
	same "$(field node)" "$1"
	same "$(field generation) $(field encryption) $(field control)" "$2"
	[ -n "$(field serial)" ] || fail 'no serial'
}

echo "# who they are"
want 0 p11kmsdrive -list
listed "$drive" '8 yes host'
want 0 p11kmsdrive -list -drive "$drive"
prints 'LTO Generation        : 8' 'Encryption            : yes' \
	'Controlled By         : host' 'Number of Drives      : 1'
want 3 p11kmsdrive -list -drive "vtape:$dir/none"
want 3 p11kmsdrive -list -drive /dev/sg999999

echo "# a library that sets the keys, or switched encryption off: no key is released"
before=$(fingerprint)
refused() { # TEXT…: every way to load
	local how

	for how in "-kgname ENCR_a" "-tag $tag"; do
		# shellcheck disable=SC2086 # words
		want 7 p11kmsdrive -load -drive "$other" $how
		says "$@"
	done
	want 107 p11kmsdrive -run -drive "$other" -kgname ENCR_a -- touch "$dir/ran"
	says "$@"
	[ ! -e "$dir/ran" ] || fail 'the command ran'
	same "$(fingerprint)" "$before" 'something was recorded'
}
another -libraryowned
listed "$other" '6 library library'
refused 'the library owns' 'application-managed'
another -noencryption
listed "$other" '6 switched off null'
refused 'switched off' 20h 'application-managed'
want 7 p11kmsdrive -status -drive "$other"

echo "# one that takes names of full length only"
another -fixedkad
want 0 p11kmsdrive -load -drive "$other" -kgname ENCR_a
want 0 p11kmsdrive -clear -drive "$other"

echo "# ten wrong keys: stops, and says what ends it"
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'echo data | dd of=/dev/nst9 bs=512 conv=sync'
new_key ENCR_a k2 -activate
for i in 1 2 3 4 5 6 7 8 9 10; do
	want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
	on_tape mt -f /dev/nst9 rewind
	! on_tape dd if=/dev/nst9 of=/dev/null status=none 2>/dev/null ||
		fail "read with the wrong key, $i"
done
on_tape mt -f /dev/nst9 rewind
want 7 p11kmsdrive -load -drive "$drive" -read
says 7/26/10 'unload the tape'
on_tape mt -f /dev/nst9 offline
on_tape mt -f /dev/nst9 load
want 0 p11kmsdrive -load -drive "$drive" -read
want 0 p11kmsdrive -clear -drive "$drive"

[ "$(id -u)" = 0 ] || exit 0
echo "# what a caller may not open, and whose it is"
chmod 711 "$dir"
mkdir "$dir/host"
chmod 755 "$dir/host"
for file in cert key ca; do
	echo none >"$dir/host/$file"
done
printf '[drive]\nservers = 127.0.0.1:1\ncert = %s\nkey = %s\nca = %s\n' \
	"$dir/host/cert" "$dir/host/key" "$dir/host/ca" >"$dir/host/conf"
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$bin/p11kmsdrive" "$@" 2>&1 || echo " status $?"
}
denied() { # TEXT…
	err=$(as_nobody -load -config "$dir/host/conf" -drive "$drive" -kgname ENCR_a)
	out=
	says 'ermission denied' root "$@"
}
denied "$dir/host/conf" 0600 'status 2'
chmod 644 "$dir/host/conf"
denied "$dir/drive" 'virtual drive belongs to user root' 'status 8'
chmod 666 "$dir/drive"
for file in cert key ca; do
	denied "$dir/host/$file" 'group root' 0600 'status 8'
	chmod 644 "$dir/host/$file"
done
