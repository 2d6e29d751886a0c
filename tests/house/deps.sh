#!/bin/sh
# deps.sh PACKAGE...: installs those Debian packages that are missing. Quiet
# when there are none. Without the right to install: one line that says what
# to do, and status 1.
set -eu

if ! command -v dpkg-query >/dev/null; then
	echo "deps: no dpkg here; going on. Debian's names of what is needed: $*" >&2
	exit 0
fi

missing=
for p in "$@"; do
	dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null |
		grep -q '^installed$' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	as_root=
elif sudo -n true 2>/dev/null; then
	as_root="sudo -n"
else
	echo "missing Debian packages:$missing; install with: sudo apt-get install$missing" >&2
	exit 1
fi

log=$(mktemp "${TMPDIR:-/tmp}/p11kms-deps.XXXXXX")
trap 'rm -f "$log"' EXIT

# shellcheck disable=SC2086 # words, on purpose
apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
		-o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1
}

echo "installing:$missing"
# Package lists may be missing or older than the archive: then once more.
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing && exit 0
apt update || {
	cat "$log" >&2
	echo "deps: apt-get update failed" >&2
	exit 1
}
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing || {
	cat "$log" >&2
	echo "deps: apt-get install$missing failed" >&2
	exit 1
}
