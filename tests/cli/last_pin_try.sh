#!/bin/bash
# The token says that one more wrong PIN locks it: no login is tried.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
before=$(fingerprint)
sed -i "s|module-path=[^&]*|module-path=$bin/../test/p11fault.so|" "$dir/conf"
export P11FAULT_LOG=$dir/calls

calls() {
	grep -c "^$1 " "$dir/calls" || :
}
export P11FAULT=
want 0 p11kmsutil -listkgs
same "$(calls C_Login)" 1 'the module counts'

# CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED
for flag in 20000 40000; do
	: >"$dir/calls"
	export P11FAULT=flags=$flag
	want 4 p11kmsutil -listkgs
	[ $flag = 40000 ] || says last
	want 4 p11kmsutil -createkg -kgname ENCR_b
	want 4 p11kms -verifydb
	same "$(calls C_Login)" 0 "with flag $flag"
	same "$(fingerprint)" "$before"
done

# Somebody has logged in elsewhere, and the count is back.
: >"$dir/calls"
export P11FAULT=
want 0 p11kmsutil -listkgs
same "$(calls C_Login)" 1
