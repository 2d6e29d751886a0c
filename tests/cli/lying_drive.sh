#!/bin/bash
# A drive that says GOOD and does nothing, or something else, is found out by
# reading it back: status 7, and nobody believes a key to be loaded, or gone.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive

# liar deaf|kad N: a lying drive in front of the honest one; sets $liar.
liars=0
new_liar() {
	liars=$((liars + 1))
	liar=$dir/liar$liars
	mkfifo "$dir/fifo"
	"$bin/../test/liar" "$liar" "$dir/drive" "$1" "$2" >"$dir/fifo" &
	pids+=("$!")
	disown "$!"
	read -r _ <"$dir/fifo" || fail 'no liar'
	rm "$dir/fifo"
	liar=vtape:$liar
}
loaded() {
	want 0 p11kmsdrive -status -drive "$drive" -json
	same "$(field loaded)" "$1" "${2-}"
}

echo "# one that lies about nothing is as good as the drive behind it"
new_liar deaf 1000
want 0 p11kmsdrive -load -drive "$liar" -kgname ENCR_a
loaded true
want 0 p11kmsdrive -clear -drive "$liar"
loaded false

echo "# a load that does not happen"
new_liar deaf 1
deaf=$liar
for what in "-kgname ENCR_a" "-tag $tag"; do
	# shellcheck disable=SC2086
	want 7 p11kmsdrive -load -drive "$deaf" $what
	loaded false
done
want 107 p11kmsdrive -run -drive "$deaf" -kgname ENCR_a -- touch "$dir/ran"
[ ! -e "$dir/ran" ] || fail 'the command ran, and no key was loaded'
loaded false

echo "# a load under another tag"
new_liar kad 1
want 7 p11kmsdrive -load -drive "$liar" -kgname ENCR_a
loaded false 'after a load that could not be proven'

echo "# a clear that does not happen"
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 7 p11kmsdrive -clear -drive "$deaf"
loaded true
want 0 p11kmsdrive -clear -drive "$drive"
loaded false

echo "# neither behind a command that ended well"
new_liar deaf 2
want 107 p11kmsdrive -run -drive "$liar" -kgname ENCR_a -- touch "$dir/ran"
[ -e "$dir/ran" ] || fail 'the command did not run'
loaded true
