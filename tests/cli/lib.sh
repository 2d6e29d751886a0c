# shellcheck shell=bash
# What every scenario here begins with: the built programs in PATH, a
# directory of its own ($dir), a token, a configuration, a store. One scenario
# is one script, run alone with P11KMS_BIN=build/bin tests/cli/NAME.sh
set -euo pipefail
umask 077
export LC_ALL=C
unset P11KMS_CONFIG VTAPE LD_PRELOAD SOFTHSM2_CONF
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# libp11 0.4.12 loses what it has listed when listing a token fails.
export LSAN_OPTIONS=suppressions=$top/tests/lib/lsan.supp:print_suppressions=0
bin=$(cd "${P11KMS_BIN:-$top/build/bin}" && pwd)
PATH=$bin:$PATH
preload=$bin/../lib/libvtape-preload.so
dir=$(mktemp -d "${TMPDIR:-/tmp}/XXXXXX")
store=$dir/store/kms.db
pids=()
in=''
out=''
err=''

hmk_phrase='correct horse HMK battery'
kpk_phrase='correct horse KPK battery'
key_phrase='correct horse key battery'

# fewer N: N turns of a loop, a third of them under a sanitizer.
fewer() {
	if grep -q -e __asan_init -e __tsan_init "$bin/p11kms"; then
		echo $((($1 + 2) / 3))
	else
		echo "$1"
	fi
}

cleanup() {
	local pid

	for pid in ${pids[@]+"${pids[@]}"}; do
		kill -9 "$pid" 2>/dev/null || :
	done
	rm -rf "$dir"
}
trap cleanup EXIT

fail() {
	echo "FAIL: $*" >&2
	echo "  stdout: $out" >&2
	echo "  stderr: $err" >&2
	exit 1
}

# The lines that the next command reads: lines A B C.
lines() {
	in=$(printf '%s\n.' "$@")
	in=${in//$'\n.'/$'\n'}
}

# want STATUS COMMAND…: runs it with the lines, or an empty input. An error of
# ours is one line that begins with the program's name.
want() {
	local status=$1 got=0

	shift
	printf %s "$in" >"$dir/in"
	in=''
	"$@" <"$dir/in" >"$dir/out" 2>"$dir/err" || got=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
	[ "$got" = "$status" ] || fail "$* ended with $got, not $status"
	case "$status $*" in
	0\ * | [!1]*' p11kmsdrive -run '* | 1[1-9]?' p11kmsdrive -run '*)
		;; # done, or what the command that was run ended with
	*' p11kms'*)
		[ "$(wc -l <"$dir/err")" = 1 ] ||
			fail "$* did not say exactly one line"
		[ "${err#"$1: "}" != "$err" ] ||
			fail "$* did not begin its line with its name"
		;;
	esac
}

# says TEXT…: each is in the error line. prints TEXT…: each is in the output.
says() {
	local text

	for text in "$@"; do
		[ "${err/"$text"/}" != "$err" ] || fail "no '$text' in the error"
	done
}
prints() {
	local text

	for text in "$@"; do
		[ "${out/"$text"/}" != "$out" ] || fail "no '$text' in the output"
	done
}

# One field of the JSON just printed (of its last record).
field() {
	printf %s "$out" |
		sed -n 's/.*[{,]"'"$1"'":"\{0,1\}\([^",}]*\)"\{0,1\}[,}].*/\1/p'
}
same() {
	[ "$1" = "$2" ] || fail "'$1' is not '$2'${3+: $3}"
}

# The bytes of store and log, to compare before and after.
fingerprint() {
	(cd "$dir/store" && find . -name 'kms.*' -size +0 -exec sha256sum {} + | sort)
}

new_token() {
	"$top/softhsm-conf/make-token.sh" "$dir/token" >/dev/null
	# shellcheck disable=SC1091
	. "$dir/token/token.env"
	mkdir -p "$dir/store"
}

# The KDF is the cheapest there is. Its end is the [policy] section.
new_config() {
	export P11KMS_CONFIG=$dir/conf
	{
		printf '[store]\npath = %s\n' "$store"
		printf '[token]\nuri = %s\n' "$(cat "$dir/token/uri")"
		printf 'lock_dir = %s\n' "$dir/token"
		printf '[policy]\nkdf_cost = 17\n'
	} >"$dir/conf"
}

create_lines() {
	lines "$hmk_phrase" "$hmk_phrase" 'HMK one' \
		"$kpk_phrase" "$kpk_phrase" 'KPK one'
}

new_store() {
	new_token
	new_config
	create_lines
	want 0 p11kms -createemptydb
}

# new_key GROUP NAME [OPTION…]: from $key_phrase; the group must be there.
new_key() {
	local group=$1 name=$2

	shift 2
	lines "$key_phrase" "$key_phrase"
	want 0 p11kmsutil -createkey -kgname "$group" -keyname "$name" -json "$@"
}

# A virtual drive with cartridge $dir/A.cart; sets $drive and $drive_pid once it
# listens.
new_drive() {
	# shellcheck disable=SC2034 # for the scenario
	drive=vtape:$dir/drive
	[ -e "$dir/A.cart" ] ||
		want 0 vtaped -create -cartridge "$dir/A.cart" -barcode A00001L8
	mkfifo "$dir/fifo"
	vtaped -listen "$dir/drive" -cartridge "$dir/A.cart" \
		>"$dir/fifo" 2>"$dir/vtaped.log" &
	drive_pid=$!
	pids+=("$drive_pid")
	disown "$drive_pid"
	read -r _ <"$dir/fifo" || fail "no drive: $(cat "$dir/vtaped.log")"
	rm "$dir/fifo"
}

# A tape program on the virtual drive, outside of -run.
on_tape() {
	VTAPE=/dev/nst9=$dir/drive LD_PRELOAD=$preload "$@"
}
