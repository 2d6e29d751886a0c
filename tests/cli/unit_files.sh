#!/bin/bash
# systemd reads the unit files without a complaint, and finds the service's
# exposure at 1.5 or less, out of 10.
# run.sh: plain build only; it runs nothing of ours.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$dir/units"
cp "$top/packaging/p11kms.service" "$top/packaging/p11kms.socket" "$dir/units"
want 0 systemd-analyze security --offline=true --threshold=15 --no-pager \
	"$dir/units/p11kms.service"
# the program and its manual as they lie here
sed -i "s|/usr/bin/p11kms|$bin/p11kms|; /^Documentation=/d" \
	"$dir/units/p11kms.service"
want 0 systemd-analyze verify "$dir/units/p11kms.service" \
	"$dir/units/p11kms.socket"
same "$out$err" ''
