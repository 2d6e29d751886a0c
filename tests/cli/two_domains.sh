#!/usr/bin/env bash
# Two domains, each with its own token: keys go from one to the other in a
# container that its phrase alone opens, all of them or none.
# shellcheck source=tests/cli/lib.sh
# run.sh: plain build only; unit tests run transfer and containers under the sanitizers.
. "$(dirname "$0")/lib.sh"

export_phrase='correct horse export battery'
group_phrase='correct horse group battery'
base=$dir
trap 'dir=$base; cleanup' EXIT

# The host that the next commands run on.
to() {
	dir=$base/$1
	store=$dir/store/kms.db
	export P11KMS_CONFIG=$dir/conf
	# shellcheck disable=SC1091
	[ ! -e "$dir/token" ] || . "$dir/token/token.env"
}
new_domain() {
	mkdir "$base/$1"
	to "$1"
	new_store
}
export_lines() { lines "$export_phrase" "$export_phrase"; }
import() { # STATUS OPTION…
	local status=$1

	shift
	lines "$export_phrase"
	want "$status" p11kmsutil -import -json "$@"
}
# The changes so far, and nothing of the key that is asked for.
generation() {
	want 0 p11kmsutil -ksstats -json
	field generation
}
# How often a text is in the output.
times() { printf %s "$out" | grep -o -- "$1" | wc -l; }
key_field() { # GROUP NAME FIELD
	want 0 p11kmsutil -listkeys -kgname "$1" -keyname "$2" -json
	field "$3"
}

new_domain A
want 0 p11kmsutil -createkg -kgname ENCR_a -desc 'first pool'
new_key ENCR_a old -activate -desc 'of 2025'
new_key ENCR_a k1 -activate
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname old -state deprecated
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname random -nopphrase
lines "$group_phrase" "$group_phrase"
want 0 p11kmsutil -createkg -kgname ENCR_g -phrase
want 0 p11kmsutil -createkey -kgname ENCR_g -keyname g1 -nopphrase -activate -json
g1_tag=$(field tag)

echo "# a tape, written in A"
new_drive
drive_a=$drive
echo 'kept in both domains' >"$dir/file"
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_g -- \
	sh -c "tar cf \$TAPE -C '$dir' file"

echo "# refused while export = off, before any phrase is asked"
want 8 p11kmsutil -export -path "$base/all.kms"
says 'export is off' 'export = on'
sed -i 's/^\[policy\]$/&\nexport = on/' "$P11KMS_CONFIG"

echo "# whole groups, chosen keys, everything"
before=$(generation)
export_lines
want 3 p11kmsutil -export -path "$base/all.kms" -key_groups ENCR_a ENCR_x
says ENCR_x
printf 'ENCR_a/none\n' >"$base/list"
export_lines
want 3 p11kmsutil -export -path "$base/all.kms" -key_file "$base/list"
says ENCR_a/none
same "$(generation)" "$before" 'a refusal changed the store'
[ ! -e "$base/all.kms" ] || fail 'a refusal left a container'
export_lines
want 0 p11kmsutil -export -path "$base/all.kms" -json
same "$(field keys)" 4
same "$(stat -c %a "$base/all.kms")" 600
export_lines
want 8 p11kmsutil -export -path "$base/all.kms"
says 'exists already'
export_lines
want 0 p11kmsutil -export -key_groups ENCR_g ENCR_a -path "$base/groups.kms" -json
same "$(field keys)" 4
printf 'ENCR_a/old\n\nENCR_a/k1\r\nENCR_a/old\n' >"$base/list"
export_lines
want 0 p11kmsutil -export -path "$base/two.kms" -key_file "$base/list" -json
same "$(field keys)" 2

echo "# every key that left is a recorded release"
want 0 p11kmsutil -audit -tag "$g1_tag" -json
same "$(times '"use":"export"')" 2
want 0 p11kmsutil -audit -verify

echo "# at home, all of it is held: nothing is changed"
before=$(generation)
import 0 -path "$base/all.kms"
same "$(times '"duplicate":true')" 4
same "$(generation)" "$before"

echo "# B: another token, and the phrase alone"
new_domain B
before=$(generation)
lines "${export_phrase}x"
want 4 p11kmsutil -import -path "$base/all.kms"
size=$(stat -c %s "$base/all.kms")
cp "$base/all.kms" "$base/bad.kms"
printf tampered | dd of="$base/bad.kms" bs=1 seek=$((size / 2)) conv=notrunc \
	status=none
import 6 -path "$base/bad.kms"
says changed
head -c $((size - 40)) "$base/all.kms" >"$base/bad.kms"
import 6 -path "$base/bad.kms"
same "$(generation)" "$before" 'a refused container changed the store'

echo "# a preview changes nothing"
import 0 -path "$base/all.kms" -preview -preserve_kgname
same "$(times '"duplicate":false')" 4
prints '"group":"ENCR_a"'
same "$(generation)" "$before"

echo "# chosen keys, by default under a new name"
import 0 -path "$base/two.kms"
same "$(times '"group":"ENCR_a_2[0-9]*"')" 2
prints '"from_group":"ENCR_a"' '"state":"deprecated"'
renamed=$(field group)
want 0 p11kmsutil -listkgs -kgname "$renamed" -json
same "$(field active_key)" k1
same "$(field description)" 'first pool'

echo "# the rest with its name; what is held is skipped; then nothing is new"
import 0 -path "$base/all.kms" -preserve_kgname -desc 'from A'
same "$(times '"duplicate":true')" 2
same "$(times '"duplicate":false')" 2
same "$(key_field ENCR_a random recoverable)" none
want 0 p11kmsutil -listkgs -kgname ENCR_a -json
same "$(field description)" 'from A'
before=$(generation)
import 0 -path "$base/groups.kms" -preserve_kgname
same "$(generation)" "$before"

echo "# its phrase brings the group's key back; a new one here has none"
same "$(key_field ENCR_g g1 recoverable)" group
want 0 p11kmsutil -createkey -kgname ENCR_g -keyname g2 -nopphrase -json
same "$(field recoverable)" none

echo "# the tape written in A is read in B"
drive=$drive_a
VTAPE=/dev/nst9=${drive#vtape:} LD_PRELOAD=$preload mt -f /dev/nst9 rewind
mkdir "$dir/back"
want 0 p11kmsdrive -run -drive "$drive" -read -- \
	sh -c "tar xf \$TAPE -C '$dir/back'"
same "$(cat "$dir/back/file")" 'kept in both domains'

echo "# a group that is there: refused, or merged; its active key stays"
new_domain C
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
mine=$(field tag)
before=$(generation)
import 8 -path "$base/two.kms" -preserve_kgname
says ENCR_a -merge
same "$(generation)" "$before"
import 0 -path "$base/two.kms" -merge
same "$(times '"duplicate":false')" 2
same "$(times '"name":"k1_2[0-9]*"')" 1
want 0 p11kmsutil -listkeys -kgname ENCR_a -activekey -json
same "$(times '"tag"')" 1
same "$(field tag)" "$mine"

echo "# another key under a tag that is held: refused whole"
head -c 32 /dev/zero | od -An -v -tx1 | tr -d ' \n' >"$base/zero.key"
want 0 p11kmsutil -importkey -kgname ENCR_a -keyname z -keyfile "$base/zero.key" \
	-tag "$g1_tag"
before=$(generation)
import 8 -path "$base/all.kms"
says "$g1_tag" 'another key'
same "$(generation)" "$before"

echo "# what came from elsewhere is deleted with force alone"
for state in deprecated terminated; do
	want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname z -state $state
done
want 8 p11kmsutil -deletekey -kgname ENCR_a -keyname z
says -force
want 0 p11kmsutil -deletekey -kgname ENCR_a -keyname z -force -reason 'wrong key'
import 0 -path "$base/all.kms"
same "$(times '"duplicate":false')" 2
want 0 p11kms -verifydb
