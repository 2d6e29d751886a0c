#!/bin/bash
# A virtual drive killed at any moment while a tape is written: everything up
# to the last filemark that was acknowledged is there, and can be written on.
# The kills are spread over all its system calls on the cartridge.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # strace is in the place of LeakSanitizer

kills=${KILLS:-8}
calls=pwritev,pwrite64,fdatasync,ftruncate
tape=$dir/A.cart

start() { # COMMAND…: vtaped under it; sets $pid
	mkfifo "$dir/fifo"
	"$@" vtaped -listen "$dir/drive" -cartridge "$tape" \
		>"$dir/fifo" 2>"$dir/vtaped.log" &
	pid=$!
	pids+=("$pid")
	read -r _ <"$dir/fifo" || :
	rm "$dir/fifo"
}
# write_on FILES [FIRST]: what is behind so many files is written anew: files
# FIRST (the next) to 6, of two blocks each. Prints the last that went well.
write_on() {
	# shellcheck disable=SC2016
	on_tape bash -c '
		mt -f /dev/nst9 rewind || exit
		[ $1 = 0 ] || mt -f /dev/nst9 fsf $1 || exit
		for ((i = $2; i <= 6; i++)); do
			printf "%020480d" $i |
				dd of=/dev/nst9 bs=10240 iflag=fullblock || exit
			echo "$i"
		done' bash "$1" "${2:-$(($1 + 1))}" 2>/dev/null | tail -n 1
}
# How many files are on the tape, whole and in order.
count_files() {
	# shellcheck disable=SC2016
	on_tape bash -c '
		mt -f /dev/nst9 rewind
		for ((i = 1; i <= 6; i++)); do
			dd if=/dev/nst9 bs=10240 of="$1" 2>/dev/null &&
				[ "$(cat "$1")" = "$(printf "%020480d" $i)" ] ||
				break
		done
		echo $((i - 1))' bash "$dir/file"
}
end() {
	local got=0

	vtaped -stop -drive "$dir/drive"
	wait "$pid" || got=$?
	same $got 0 'the drive ended'
}

# Two files are there before; as one is then written over, that goes too.
want 0 vtaped -create -cartridge "$tape" -barcode A00001L8
start
same "$(write_on 0 5)" 6
end
cp "$tape" "$dir/fresh"
start strace -f -o "$dir/trace" -e trace=$calls
same "$(write_on 0)" 6
same "$(count_files)" 6
end
sed -n 's/^[0-9]* *\([a-z0-9]*\)(.*/\1/p' "$dir/trace" |
	awk '{ print $1, ++n[$1] }' >"$dir/calls"
all=$(wc -l <"$dir/calls")
[ "$all" -gt 25 ] || fail "only $all calls were seen"
echo "# $kills kills over $all calls"

killed=0
for ((k = 0; k < kills; k++)); do
	n=$((1 + k * all / kills))
	read -r name ordinal < <(sed -n "${n}p" "$dir/calls")
	cp "$dir/fresh" "$tape"
	start strace -f -o "$dir/trace" -e trace="$name" \
		-e inject="$name:signal=SIGKILL:when=$ordinal"
	safe=$(write_on 0) || :
	vtaped -stop -drive "$dir/drive" 2>/dev/null || : # the last calls
	if wait "$pid"; then
		fail "not killed at $name $ordinal"
	fi
	killed=$((killed + 1))
	start
	have=$(count_files)
	# The old files are not taken for new ones.
	[ "$have" -ge "${safe:-0}" ] ||
		fail "$name $ordinal: $safe files were acknowledged, $have are there"
	[ "$have" -le $((${safe:-0} + 1)) ] || fail "$name $ordinal: $have files"
	[ "$have" = 6 ] ||
		same "$(write_on "$have")" 6 "$name $ordinal: written on"
	same "$(count_files)" 6 "$name $ordinal: whole"
	end
done
same $killed "$kills"
