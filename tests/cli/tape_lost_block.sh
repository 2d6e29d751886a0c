#!/bin/bash
# A disk that fails under a drive that has already said GOOD: whichever of an
# archive's blocks is lost, also the last, tar fails and does not go on to the
# next tape; the drive says so once, and then writes on.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # strace is in the place of LeakSanitizer

tape=$dir/A.cart

start() { # N ERROR: the N-th block or filemark from now on is not taken
	mkfifo "$dir/fifo"
	strace -f -o "$dir/trace" -e "inject=pwritev:error=$2:when=$1" \
		vtaped -listen "$dir/drive" -cartridge "$tape" \
		>"$dir/fifo" 2>"$dir/vtaped.log" &
	pids+=("$!")
	pid=$!
	read -r _ <"$dir/fifo" || fail "no drive: $(cat "$dir/vtaped.log")"
	rm "$dir/fifo"
}
stop() {
	want 0 vtaped -stop -drive "$dir/drive"
	wait "$pid" || fail 'the drive ended badly'
}
archive() { # tar's status in $got
	got=0
	on_tape tar -cf /dev/nst9 -b 20 -C "$dir" data 2>"$dir/err" || got=$?
	err=$(cat "$dir/err")
}

want 0 vtaped -create -cartridge "$tape" -barcode A00001L8
mkdir "$dir/data"
head -c 35000 /dev/urandom >"$dir/data/file" # four blocks of 10,240 bytes

for fault in 1:EIO 2:EIO 3:EIO 4:EIO 4:ENOSPC; do
	echo "# block ${fault/:/ is lost: }"
	start "${fault%:*}" "${fault#*:}"
	archive
	same $got 2 'tar'
	grep -q 'Input/output error' "$dir/err" || fail 'not an I/O error'
	same "$(grep -c 'event=vtape.lost' "$dir/vtaped.log")" 1
	on_tape mt -f /dev/nst9 rewind
	archive
	same $got 0 'tar, when the disk works again'
	stop
done

echo "# without buffering tar is told of the block itself"
start 4 ENOSPC
on_tape mt -f /dev/nst9 drvbuffer 0
archive
same $got 2 'tar'
grep -q 'No space left on device' "$dir/err" || fail 'not a full tape'
! grep -q 'event=vtape.lost' "$dir/vtaped.log" || fail 'a block was lost'
on_tape mt -f /dev/nst9 rewind
archive
same $got 0
stop

echo "# what was written at last is whole"
start 9 EIO
on_tape mt -f /dev/nst9 rewind
on_tape tar -xf /dev/nst9 -C "$dir" --to-stdout data/file >"$dir/back"
cmp "$dir/data/file" "$dir/back"
stop
