#!/usr/bin/env bash
# A data key comes back from its phrase and its tag with the openssl command
# alone, by the commands of doc/FORMATS.md, and opens what the drive wrote.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
same "${tag:0:4}" b111

derive() { # PHRASE: the key in hex
	local salt

	salt=$(printf 'p11kms/1/data\0' | od -An -v -tx1 | tr -d ' \n')
	salt=$salt${tag:0:4}000000000000${tag:16}
	openssl kdf -keylen 32 -kdfopt digest:SHA512 -kdfopt "pass:$1" \
		-kdfopt "hexsalt:$salt" -kdfopt "iter:$((1 << 0x${tag:2:2}))" \
		PBKDF2 | tr -d ':\n'
}
check() { # KEY: the first six bytes of its check value
	printf 'p11kms check\0\0\0\0' |
		openssl enc -aes-256-ecb -nopad -K "$1" |
		od -An -v -tx1 -N6 | tr -d ' \n'
}

key=$(derive "$key_phrase")
same "$(check "$key")" "${tag:4:12}" 'the tag says the phrase is right'
wrong=$(derive "${key_phrase}x")
[ "$(check "$wrong")" != "${tag:4:12}" ] || fail 'a wrong phrase passed'


# What the drive encrypted, openssl's key opens: the virtual drive proves it
# by decrypting only with the right key, loaded here by stenc's own format.
new_drive
echo plain >"$dir/file"
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c "tar cf \$TAPE -C '$dir' file"
if command -v stenc >/dev/null; then
	printf '%s\n' "$key" >"$dir/key"
	on_tape mt -f /dev/nst9 rewind
	on_tape stenc -f /dev/nst9 -e on -k "$dir/key" -a 1 >/dev/null
	on_tape mt -f /dev/nst9 rewind
	on_tape tar xOf /dev/nst9 >"$dir/back"
	same "$(cat "$dir/back")" plain
fi
