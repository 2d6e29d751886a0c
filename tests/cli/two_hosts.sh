#!/usr/bin/env bash
# All files restored on another host that has the same token: service goes on.
# Of two hosts that both change, the second is refused and told by whom; an
# old copy put back is refused until somebody accepts it.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

host=$(uname -n)
own_names=false
if [ "$(id -u)" = 0 ] && unshare --uts hostname hostA 2>/dev/null; then
	own_names=true
fi

# The host that the next commands run on: its files, and its name if we may.
on() {
	at=$1
	! $own_names || host=host$1
	export P11KMS_CONFIG=$dir/conf.$1
	sed "s|^path = .*/kms.db|path = $dir/$1/store/kms.db|" "$dir/conf" \
		>"$P11KMS_CONFIG"
}
as_host() {
	if $own_names; then
		# shellcheck disable=SC2016
		unshare --uts sh -c 'hostname "$0" && exec "$@"' "$host" "$@"
	else
		command "$@"
	fi
}
p11kms() { as_host p11kms "$@"; }
p11kmsutil() { as_host p11kmsutil "$@"; }
p11kmsdrive() { as_host p11kmsdrive "$@"; }

copy() { # FROM TO: all files
	rm -rf "${dir:?}/$2"
	cp -pR "$dir/$1" "$dir/$2"
}
bytes() { (cd "$dir/$at/store" && sha256sum kms.*); }
refused() { # TEXT…: nothing works here, and nothing is changed
	local before

	before=$(bytes)
	want 6 p11kmsutil -listkeys
	says "$@"
	want 6 p11kmsutil -createkg -kgname ENCR_refused
	says "$@"
	want 6 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
	same "$(bytes)" "$before"
}
reads_tape() {
	VTAPE=/dev/nst9=$dir/drive LD_PRELOAD=$preload mt -f /dev/nst9 rewind
	want 0 p11kmsdrive -run -drive "$drive" -read -- \
		sh -c "tar xOf \$TAPE"
	prints 'before the move'
}

new_store
mkdir "$dir/A"
mv "$dir/store" "$dir/A/store"
on A
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
new_drive
echo 'before the move' >"$dir/file"
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c "tar cf \$TAPE -C '$dir' file"

echo "# host A is down, its files are on host B: service goes on"
copy A B
copy A old
on B
reads_tape
new_key ENCR_a k2 -activate
want 0 p11kmsutil -createkg -kgname ENCR_b
b_host=$host

echo "# A comes back with its own files: refused, by B's name"
on A
refused 'older by 2 changes' "$b_host" -acceptrestore

echo "# both hosts run on one state: whoever changes second is refused"
copy B A
want 0 p11kmsutil -createkg -kgname ENCR_of_a
a_host=$host
on B
refused 'older by 1 change ' "$a_host"

echo "# an old copy put back: refused, with the count of changes lost"
copy old A
on A
refused 'older by 3 changes'
want 0 p11kms -verifydb -store "$dir/A/store/kms.db" -json
same "$(field behind)" 3

echo "# accepted, with a reason, it goes on"
want 2 p11kms -acceptrestore
want 2 p11kms -acceptrestore -reason ''
refused 'older by 3 changes'
want 0 p11kms -acceptrestore -reason 'B is broken' -json
same "$(field lost)" 3
reads_tape
new_key ENCR_a k3 -activate
want 0 p11kmsutil -audit -json
prints store.accept-restore 'B is broken'
want 0 p11kmsutil -audit -verify
want 0 p11kms -verifydb

echo "# the host left behind is told who superseded it, and when"
on B
refused superseded "$a_host" "$(date -u +%Y-%m-%dT)" -acceptrestore
