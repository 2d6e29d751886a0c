#!/bin/bash
# run.sh BUILD...: runs every test against each build (build, build/asan): the
# unit programs and fuzz replays in BUILD/test and the scripts in tests/cli,
# JOBS at a time (one more than there are processors: some wait for others),
# each in a temporary directory of its own. One line each, then
#
#   N passed, N failed, N skipped
#
# A unit program counts with each of its tests, the others as one. A script
# skips by exit status 77. Failed or skipped: status 1. What a test printed is
# in BUILD/test/log; of a failed one it is shown.
#
# TEST_BASE is where those directories are made, /dev/shm or /tmp.
# A script that says "run.sh: plain build only" is left out under a sanitizer;
# ALL=1 runs it there too.
#
# ONLY=WORD runs those with WORD in their name, KIND=unit those of one kind;
# WRAP is put before a unit program (valgrind); TEST_TIMEOUT is the seconds
# that one of them may take.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=${JOBS:-$(($(nproc) + 1))}
limit=${TEST_TIMEOUT:-600}

# One test: run.sh --one TOP KIND BUILD NAME. Appends "passed failed skipped"
# to TOP/counts.
one() {
	local top=$1 kind=$2 build=$3 name=$4
	local log status start passed=0 failed=0 skipped=0 word=ok tmp

	set -m # a background job that hears SIGINT
	mkdir -p "$build/test/log"
	log=$build/test/log/$kind-${name//\//-}
	tmp=$(mktemp -d "$top/XXXXXX") || exit 1
	chmod 0711 "$tmp" # some go on as another user
	start=$SECONDS
	(
		export TMPDIR=$tmp
		export P11KMS_BIN=$PWD/$build/bin
		[ "${build#/}" = "$build" ] || P11KMS_BIN=$build/bin
		export UBSAN_OPTIONS=print_stacktrace=1
		case $kind in
		unit)
			[ "${name%-locked}" = "$name" ] ||
				export P11KMS_TEST_SECRET=locked
			# shellcheck disable=SC2086 # WRAP is words
			exec timeout -k 10 "$limit" ${WRAP-} \
				"$build/test/test-${name%-locked}"
			;;
		replay)
			exec timeout -k 10 "$limit" "$build/test/replay-$name" \
				"tests/fuzz/corpus/$name"
			;;
		cli)
			exec timeout -k 10 "$limit" "tests/cli/$name"
			;;
		esac
	) >"$log" 2>&1 </dev/null &
	wait "$!"
	status=$?
	# timeout leads a process group: whatever is left of it goes too
	kill -KILL -- "-$!" 2>/dev/null
	rm -rf "$tmp"

	if [ "$kind" = unit ]; then
		count_checks "$log" "$status"
	elif [ "$status" = 0 ]; then
		passed=1
	elif [ "$status" = 77 ]; then
		skipped=1
		word=SKIP
	else
		failed=1
	fi
	[ "$failed" = 0 ] || word=FAIL
	{
		printf '%-5s %-12s %s/%s: %s, %d s\n' "$word" "$build" "$kind" \
			"$name" "$(describe)" $((SECONDS - start))
		[ "$word" = ok ] || tail -n 60 "$log" | sed 's/^/      | /'
	} >"$log.line"
	cat "$log.line"
	echo "$passed $failed $skipped" >>"$top/counts"
}

# From Check's own last words, "99%: Checks: 141, Failures: 0, Errors: 1". A
# program without them, or whose status disagrees with them, has failed.
count_checks() {
	local line checks failures errors

	line=$(grep -a '^[0-9]*%: Checks: ' "$1" | tail -n 1)
	if [[ $line =~ Checks:\ ([0-9]+),\ Failures:\ ([0-9]+),\ Errors:\ ([0-9]+) ]]; then
		checks=${BASH_REMATCH[1]}
		failures=${BASH_REMATCH[2]}
		errors=${BASH_REMATCH[3]}
		failed=$((failures + errors))
		passed=$((checks - failed))
	fi
	if [ "$failed" = 0 ] && { [ "$2" != 0 ] || [ "$passed" = 0 ]; }; then
		failed=1
	fi
}

describe() {
	local text="$passed passed"

	[ "$failed" = 0 ] || text="$text, $failed failed"
	[ "$skipped" = 0 ] || text="skipped"
	[ "$status" != 124 ] || text="$text, stopped after $limit s"
	echo "$text"
}

# "KIND BUILD NAME" of everything there is, the largest unit programs first:
# they take longest, and one of them alone at the end would. The base program runs twice:
# secrets in plain memory, where overruns are seen, and in locked memory.
list() {
	local build test sanitized

	for build in "$@"; do
		sanitized=$(grep -l -e __asan_init -e __tsan_init \
			"$build/bin/p11kmsutil" 2>/dev/null)
		for test in $(find "$build/test" -maxdepth 1 -name 'test-*' \
			-executable -printf '%s %p\n' 2>/dev/null |
			sort -rn | cut -d ' ' -f 2); do
			echo unit "$build" "${test##*/test-}"
			[ "${test##*/}" != test-base ] ||
				echo unit "$build" base-locked
		done
		for test in "$build"/test/replay-*; do
			[ -x "$test" ] || continue
			echo replay "$build" "${test##*/replay-}"
		done
		for test in tests/cli/*.sh; do
			[ -x "$test" ] || continue
			if [ -z "${ALL-}" ] && [ -n "$sanitized" ] &&
				grep -q '^# run.sh: plain build only' "$test"; then
				continue
			fi
			echo cli "$build" "${test##*/}"
		done
	done | grep -e "^${KIND-}" | grep -e "${ONLY-}"
}

if [ "${1-}" = --one ]; then
	shift
	one "$@"
	exit 0
fi

[ $# -gt 0 ] || {
	echo "usage: tests/run.sh BUILD..." >&2
	exit 2
}
# Every change is synced many times, and waiting for a disk is most of what the
# tests would do: they run in memory where there is a gibibyte of it for files
# and programs may be run from there.
base() {
	local free try

	free=$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)
	if [ "${free:-0}" -gt 1048576 ] && try=$(mktemp /dev/shm/XXXXXX); then
		printf '#!/bin/sh\n' >"$try"
		chmod 0700 "$try"
		if "$try" 2>/dev/null; then
			rm "$try"
			echo /dev/shm
			return
		fi
		rm "$try"
	fi
	echo /tmp
}

# A short name: the paths of sockets in it have 107 bytes.
top=$(mktemp -d "${TEST_BASE:-$(base)}/p11kms.XXXXXX") || exit 1
chmod 0711 "$top"
trap 'rm -rf "$top"' EXIT
: >"$top/counts"
list "$@" | xargs -r -P "$jobs" -L 1 tests/run.sh --one "$top"
awk '
	{ passed += $1; failed += $2; skipped += $3 }
	END {
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit failed > 0 || skipped > 0 || passed == 0
	}' "$top/counts"
