#!/bin/bash
# Every command of p11kms-recovery(7), taken out of the page and run in its
# order, after the disaster that its section is about.
# run.sh: plain build only; other scenarios run its commands under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
page=$top/doc/man/p11kms-recovery.7

# "section TITLE", "types NAME…", "status N", "run COMMAND", as they stand.
awk '
	/^\.Ss/ { print "section " substr($0, 5) }
	/^\.Bd/ { inside = 1; next }
	/^\.Ed/ { inside = 0 }
	inside && /^\.\\" (types|status) / { print substr($0, 5); next }
	inside { gsub(/\\-/, "-"); gsub(/\\\(aq/, "\047"); print "run " $0 }' \
	"$page" >"$dir/steps"
[ "$(grep -c '^run ' "$dir/steps")" -gt 25 ] || fail 'the page has no commands'

new_store
mkdir "$dir/other" "$dir/memory"
printf '[backup]\npath = %s\nsame_device = on\n' "$dir/other" >>"$dir/conf"
want 0 p11kmsutil -createkg -kgname ENCR_daily
new_key ENCR_daily 2026a -activate
tag=$(field tag)
backup=none
new_drive
cd "$dir"
echo hello >file
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_daily -- \
	sh -c 'tar cf "$TAPE" file'

# shellcheck disable=SC2034 # what the page's "types" names
id='new ID'
# shellcheck disable=SC2034
new_hmk_phrase='correct horse HMK staple' new_hmk_id='HMK two'
# shellcheck disable=SC2034
new_kpk_phrase='correct horse KPK staple' new_kpk_id='KPK two'
types=()
wanted=0

# The page's places and names, as they are here.
localize() {
	sed -e "s|/dev/shm|$dir/memory|g" -e "s|/var/lib/p11kms|$dir/store|g" \
		-e "s|-drive /dev/nst0|-drive $drive|g" -e 's|/dev/nst0|/dev/nst9|g' \
		-e "s|BACKUP|$backup|g" -e "s|TAG|$tag|g" \
		-e 's|^mt |on_tape mt |'
}
step() {
	local command status=0 name

	command=$(printf '%s\n' "$1" | localize)
	echo "$ $command"
	for name in ${types[@]+"${types[@]}"}; do
		printf '%s\n' "${!name}"
	done >"$dir/typed"
	# In this shell, for it may change the directory.
	eval "$command" <"$dir/typed" >"$dir/out" 2>"$dir/err" || status=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
	same "$status" "$wanted" "status of $command"
	types=()
	wanted=0
}

fresh_token() {
	rm -rf "$dir/token"
	"$top/softhsm-conf/make-token.sh" "$dir/token" p11kms >/dev/null
	# shellcheck disable=SC1091
	. "$dir/token/token.env"
}
make_backup() {
	want 0 p11kmsutil -backup -json
	backup=$(field path)
}
delete_key() {
	local state

	for state in inactive deprecated terminated; do
		p11kmsutil -modifykey -kgname ENCR_daily -keyname 2026a \
			-state $state >/dev/null 2>&1 || :
	done
	want 0 p11kmsutil -deletekey -kgname ENCR_daily -keyname 2026a \
		-force -reason 'by mistake'
	want 3 p11kmsutil -listkeys -tag "$tag"
}
key_is_whole() {
	want 0 p11kmsutil -listkeys -tag "$tag" -json
	same "$(field name)" 2026a "$1"
	on_tape mt -f /dev/nst9 rewind
	want 0 p11kmsdrive -run -drive "$drive" -read -- tar xOf /dev/nst9
	same "$out" hello "$1"
}

# What happened before a section, and what must be true after it.
before() {
	case $1 in
	'A phrase for several custodians') ;;
	Backup) make_backup ;;
	"The store's files are lost, the token is there")
		rm "$dir/store/"kms.*
		;;
	'The store is damaged')
		# all but its first two pages
		head -c $(($(stat -c %s "$store") - 8192)) /dev/zero |
			dd of="$store" bs=8192 seek=1 conv=notrunc status=none
		;;
	'The token is lost, the store is there')
		fresh_token
		;;
	'Token and store are lost, a backup is there')
		make_backup
		rm "$dir/store/"kms.*
		fresh_token
		;;
	'The HSM was restored from its own backup')
		other_device
		;;
	'Nothing is left but paper' | \
		"Nothing is left but phrases and the kit's JSON")
		rm -rf "$dir/store"
		mkdir "$dir/store"
		fresh_token
		;;
	'An older store was put back')
		cp -p "$store" "$dir/old.db"
		want 0 p11kmsutil -createkg -kgname later
		cp -p "$dir/old.db" "$store"
		;;
	'A key was deleted, and a backup has it')
		make_backup
		delete_key
		;;
	'The PIN was changed')
		pin=$(cat "$dir/token/pin")
		echo wrong-pin >"$dir/token/pin"
		want 4 p11kmsutil -listkeys
		echo "$pin" >"$dir/token/pin"
		;;
	'Another token: from a pilot on SoftHSM to an HSM')
		fresh_token
		;;
	'New master keys' | 'Kit and drill' | 'Was anything altered?' | 'There is no p11kms') ;;
	*) fail "the page has a section '$1', and this test no disaster for it" ;;
	esac
}
# The same keys under another serial number.
other_device() {
	export P11FAULT=serial
	sed -i "s|module-path=[^&]*|module-path=$bin/../test/p11fault.so|" "$dir/conf"
	want 6 p11kmsutil -listkeys
	says -rebind
}
after() {
	case $1 in
	'' | Backup | 'There is no p11kms') ;;
	'A phrase for several custodians')
		same "$(find "$dir/memory" -name 'part.*' | wc -l)" 3
		same "$(cat "$dir/memory/phrase")" "$split" 'three of five'
		;;
	*) key_is_whole "$1" ;;
	esac
	cd "$dir"
}

section=
while read -r word rest <&3; do
	case $word in
	section)
		after "$section"
		section=$rest
		echo "# $section"
		before "$section"
		;;
	types) read -ra types <<<"$rest" ;;
	status) wanted=$rest ;;
	run)
		if [ "${rest%% *}" = gfcombine ]; then
			# two custodians are away
			find "$dir/memory" -name 'part.*' | sort | tail -n 2 |
				xargs rm
		fi
		step "$rest"
		case $rest in
		'p11kms -newphrase '*) split=$(cat "$dir/memory/phrase") ;;
		esac
		;;
	esac
done 3<"$dir/steps"
after "$section"
