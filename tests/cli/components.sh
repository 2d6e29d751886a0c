#!/bin/bash
# A phrase entered in parts by several custodians: part, repeat, next part;
# all are needed, none is short or empty.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_token
new_config
lines 'the first custodian A' 'the first custodian A' \
	'the second custodian A' 'the second custodian A' 'HMK parts' \
	'the first custodian B' 'the first custodian B' \
	'the second custodian B' 'the second custodian B' 'KPK parts'
want 0 p11kms -createemptydb -components 2 -json
same "$(field hmk_components)" 2
same "$(field kpk_components)" 2
same "$(field hmk_id)" 'HMK parts'
want 0 p11kmsutil -createkg -kgname ENCR_a

rm "$dir/store/"kms.*
short() {
	local status=$1 text=$2

	shift 2
	lines "$@"
	want "$status" p11kms -createemptydb -components 2
	says "$text"
	[ ! -e "$store" ] || fail "a store was made"
}
short 2 'part 2 of 2' 'the first custodian A' 'the first custodian A' 'short' 'short'
short 2 'part 2 of 2' 'the first custodian A' 'the first custodian A' '' ''
short 2 'part 1 of 2' '' '' '' ''
short 2 'part 1 of 2, again' 'the first custodian A'
short 2 repeat 'the first custodian A' 'the first custodian B'

# Joined parts are not the phrase of their bytes run together: another key.
lines 'the first custodian A' 'the first custodian A' \
	'the second custodian A' 'the second custodian A' 'HMK parts' \
	'the first custodian A' 'the first custodian A' \
	'the second custodian A' 'the second custodian A' 'KPK parts'
want 2 p11kms -createemptydb -components 2
says 'same'
