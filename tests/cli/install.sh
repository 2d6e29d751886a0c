#!/bin/bash
# make install into a directory: the programs run from there and find their
# preload library, the example configuration is one, and uninstall leaves
# nothing.
# run.sh: plain build only; what is installed is the plain build.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# -o all: this build as it is, whatever flags made it
build=$(realpath --relative-to="$top" "$bin/..")
make_it() {
	env -u MAKEFLAGS -u MFLAGS make -s -C "$top" -o all BUILD="$build" \
		DESTDIR="$dir/root" prefix=/usr "$@"
}
make_it install
root=$dir/root/usr
for file in sbin/p11kms sbin/p11kmsutil sbin/p11kmsdrive sbin/p11kms-changer bin/vtaped \
	lib/p11kms/libvtape-preload.so lib/sysusers.d/p11kms.conf \
	lib/tmpfiles.d/p11kms.conf share/man/man8/p11kms.8 \
	share/man/man5/p11kms.conf.5 share/man/man7/p11kms-recovery.7 \
	share/doc/p11kms/README.md share/doc/p11kms/COMMANDS.md; do
	[ -s "$root/$file" ] || fail "$file is not installed"
done
[ -z "$(find "$root" -type f -perm /022)" ] || fail 'others may write'
[ -z "$(find "$root/sbin" -type f ! -perm -555)" ] || fail 'a program is not for all'
grep -rh '^ExecStart=' "$root/lib/systemd" |
	sed 's/[^=]*=//; s/ .*//' >"$dir/started"
while read -r program; do
	[ -x "$dir/root$program" ] || fail "$program, which a unit starts, is not there"
done <"$dir/started"

echo "# a key's round trip with what was installed"
PATH=$root/sbin:$root/bin:${PATH#"$bin:"}
same "$(command -v p11kmsdrive)" "$root/sbin/p11kmsdrive"
new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
new_drive
cd "$dir"
echo hello >file
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'tar cf "$TAPE" file; echo "$LD_PRELOAD"'
same "$out" "$root/lib/p11kms/libvtape-preload.so"
preload=$out
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -run -drive "$drive" -read -- \
	tar xOf /dev/nst9
same "$out" hello

echo "# the example is a configuration, and with all its keys too"
conf=$root/share/doc/p11kms/examples/p11kms.conf
fit() {
	sed -e "s|/var/lib/p11kms/|$dir/store/|" \
		-e "s|file:/etc/p11kms/pin|file:$dir/token/pin|" \
		-e "s|/run/lock|$dir/token|"
}
fit <"$conf" >"$dir/example"
want 0 p11kmsutil -listkeys -config "$dir/example" -noverbose
prints k1
sed 's/^#\([][a-z_0-9]* = \|\[\)/\1/' "$conf" | fit >"$dir/whole"
grep -q '^\[client' "$dir/whole"
! grep -q '^#[^ ]' "$dir/whole" || fail "$(grep '^#[^ ]' "$dir/whole")"
want 0 p11kmsutil -listkeys -config "$dir/whole" -noverbose
prints k1

# Each key of the source stands in it and in p11kms.conf(5), and no other.
{
	sed -n 's/^ *{"\([a-z]*\)", "\([a-z_]*\)", [A-Z].*/\1 \2/p' \
		"$top/tools/config.c"
	printf 'client %s\n' cn groups operations
} | sort >"$dir/keys.source"
awk '/^\[/ { section = $1; gsub(/[][]/, "", section); next }
	/^[a-z]/ { print section, $1 }' "$dir/whole" | sort >"$dir/keys.example"
awk '/^\.Ss/ { section = $2; gsub(/[][]/, "", section) }
	/^\.It Cm/ { print section, $3 }' "$top/doc/man/p11kms.conf.5" |
	sort >"$dir/keys.page"
[ "$(wc -l <"$dir/keys.source")" -gt 30 ] || fail 'no keys in tools/config.c'
diff "$dir/keys.source" "$dir/keys.example" || fail 'the example differs'
diff "$dir/keys.source" "$dir/keys.page" || fail 'p11kms.conf(5) differs'

echo "# uninstall"
make_it uninstall
[ -z "$(find "$dir/root" -type f)" ] ||
	fail "left: $(find "$dir/root" -type f)"
