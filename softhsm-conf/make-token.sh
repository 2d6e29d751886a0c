#!/bin/sh
# Makes a throw-away SoftHSM token: make-token.sh DIR [LABEL [PIN]]
#
#   DIR/softhsm2.conf  from softhsm2.conf.in      DIR/tokens/  the token
#   DIR/pin            user PIN, one line, 0600   DIR/so-pin   of the SO
#   DIR/token.env      export SOFTHSM2_CONF=...   DIR/uri      its RFC 7512 URI
#
# LABEL is p11kms unless given; without PIN a long random one is made, for
# SoftHSM's files can be searched offline for a short one. Run again with the
# same DIR and LABEL it changes nothing and prints the same; a directory that
# holds anything else is left alone and refused.
set -eu
umask 077
LC_ALL=C
export LC_ALL

die() {
	echo "make-token.sh: $*" >&2
	exit 1
}

random_hex() {
	od -An -v -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# Percent-encodes all but RFC 3986's unreserved characters and the slash.
encode() {
	printf %s "$1" | od -An -v -tx1 | tr -s ' ' '\n' | while read -r hex; do
		case $hex in
		'') ;;
		2[def] | 3[0-9] | 4[1-9a-f] | 5[0-9a] | 5f | 6[1-9a-f] | 7[0-9a] | 7e)
			# shellcheck disable=SC2059 # the octal escape is the format
			printf "\\$(printf %o "0x$hex")"
			;;
		*) printf '%%%s' "$hex" ;;
		esac
	done
}

# In single quotes for the shell.
quote() {
	printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

case $# in
1 | 2 | 3) ;;
*) die "usage: make-token.sh DIR [LABEL [PIN]]" ;;
esac
label=${2:-p11kms}
here=$(cd "$(dirname "$0")" && pwd)
module=${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}
[ -e "$module" ] || die "$module: not there; install softhsm2 or set SOFTHSM2_MODULE"
command -v softhsm2-util >/dev/null || die "softhsm2-util: not found; install softhsm2"

mkdir -p "$1"
dir=$(cd "$1" && pwd)
uri="pkcs11:token=$(encode "$label")?module-path=$(encode "$module")&pin-source=file:$(encode "$dir/pin")"

if [ -e "$dir/uri" ]; then
	[ "$(cat "$dir/uri")" = "$uri" ] ||
		die "$dir holds another token; name an empty directory"
elif [ -e "$dir/so-pin" ] || [ -e "$dir/tokens" ]; then
	die "$dir holds half a token; remove it and run again"
elif [ -n "$(ls -A "$dir")" ]; then
	die "$dir is not empty; name an empty directory or a new one"
else
	chmod 700 "$dir"
	mkdir "$dir/tokens"
	while IFS= read -r line; do
		case $line in
		*@DIR@*) line=${line%%@DIR@*}$dir${line#*@DIR@} ;;
		esac
		printf '%s\n' "$line"
	done <"$here/softhsm2.conf.in" >"$dir/softhsm2.conf"
	printf '%s\n' "${3:-$(random_hex)}" >"$dir/pin"
	random_hex >"$dir/so-pin"
	printf 'export SOFTHSM2_CONF=%s\n' "$(quote "$dir/softhsm2.conf")" >"$dir/token.env"
	# softhsm2-util takes PINs from a terminal or its arguments only. They
	# open nothing without the token directory, which is ours alone.
	SOFTHSM2_CONF=$dir/softhsm2.conf softhsm2-util --init-token --free \
		--label "$label" --so-pin "$(cat "$dir/so-pin")" \
		--pin "$(cat "$dir/pin")" >/dev/null ||
		die "softhsm2-util could not make the token; remove $dir"
	# Last, for it says that all the others are there.
	printf '%s\n' "$uri" >"$dir/uri"
fi

cat "$dir/token.env"
printf '%s\n' "$uri"
