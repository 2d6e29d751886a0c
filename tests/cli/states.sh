#!/bin/bash
# NetBackup's states, all twenty-five steps between them: the adjacent ones
# are done, every other is refused with the path that would be allowed. What a
# key may be used for in each, and when it can be deleted.
# run.sh: plain build only; the unit tests run the transitions under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k
tag=$(field tag)
new_drive

generation() {
	want 0 p11kmsutil -ksstats -json
	field generation
}
# stays STATE: already there, so nothing is written. goes FROM TO. refused FROM
# TO PATH: named is the way by single steps. never FROM: back to prelive.
step() {
	want "$1" p11kmsutil -modifykey -kgname ENCR_a -keyname k -state "$2" -json
}
state_is() {
	want 0 p11kmsutil -listkeys -tag "$tag" -json
	same "$(field state)" "$1" "$2"
}
steps=0
stays() {
	local before

	before=$(generation)
	step 0 "$1"
	same "$(field state)" "$1"
	same "$(generation)" "$before"
	steps=$((steps + 1))
}
goes() {
	step 0 "$2"
	same "$(field state)" "$2" "from $1"
	steps=$((steps + 1))
}
refused() {
	step 8 "$2"
	says "$3"
	state_is "$1" "refused $2"
	steps=$((steps + 1))
}
never() {
	refused "$1" prelive "$1 never becomes prelive"
}
# use WRITE READ DELETE: the statuses of a load for each, and of deletion (0
# is left out: there would be no key to go on with).
use() {
	want "$1" p11kmsdrive -load -drive "$drive" -kgname ENCR_a
	want "$2" p11kmsdrive -load -drive "$drive" -tag "$tag"
	[ "$3" = 0 ] || want "$3" p11kmsutil -deletekey -kgname ENCR_a -keyname k
}

echo "# prelive"
use 3 8 0
stays prelive
refused prelive inactive 'prelive, active, inactive'
refused prelive deprecated 'prelive, active, inactive, deprecated'
refused prelive terminated 'prelive, active, inactive, deprecated, terminated'
goes prelive active

echo "# active"
use 0 0 8
stays active
never active
refused active deprecated 'active, inactive, deprecated'
refused active terminated 'active, inactive, deprecated, terminated'
goes active inactive

echo "# inactive"
use 3 0 8
stays inactive
never inactive
refused inactive terminated 'inactive, deprecated, terminated'
goes inactive active
step 0 inactive
goes inactive deprecated

echo "# deprecated"
use 3 8 8
stays deprecated
never deprecated
refused deprecated active 'deprecated, inactive, active'
goes deprecated inactive
step 0 deprecated
goes deprecated terminated

echo "# terminated"
use 3 8 8
says -force
stays terminated
never terminated
refused terminated active 'terminated, deprecated, inactive, active'
refused terminated inactive 'terminated, deprecated, inactive'
goes terminated deprecated
same $steps 25

echo "# a group has one active key, also when one is moved in"
new_key ENCR_a b -activate
want 0 p11kmsutil -createkg -kgname ENCR_b
new_key ENCR_b c -activate
moved=$(field tag)
want 0 p11kmsutil -listkeys -activekey -json
want 8 p11kmsutil -modifykey -kgname ENCR_b -keyname c -move_to_kgname ENCR_a
says ENCR_a
want 0 p11kmsutil -modifykey -kgname ENCR_b -keyname c -state inactive
want 8 p11kmsutil -modifykey -kgname ENCR_b -keyname c -name b -move_to_kgname ENCR_a
want 0 p11kmsutil -modifykey -kgname ENCR_b -keyname c -move_to_kgname ENCR_a -json
same "$(field tag)" "$moved"
same "$(field group)" ENCR_a
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname c -activate -json
want 0 p11kmsutil -listkeys -kgname ENCR_a -activekey -json
same "$(field name)" c
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname b -json
same "$(field state)" inactive
want 8 p11kmsutil -modifykey -kgname ENCR_a -keyname c -name b
says "'b'"
