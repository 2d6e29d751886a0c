#!/usr/bin/env bash
# Every derivation of doc/FORMATS.md §7 with the openssl command alone, against
# the values that tests/unit/kms/test_derive.c holds the product to.
# run.sh: plain build only; it runs nothing of ours.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

phrase='correct horse battery staple'

hex() { # TEXT
	printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'
}
pbkdf2() { # PHRASE-HEX USE TAIL-HEX COST
	openssl kdf -keylen 32 -kdfopt digest:SHA512 -kdfopt "hexpass:$1" \
		-kdfopt "hexsalt:$(hex "$2")00$3" \
		-kdfopt "iter:$((1 << $4))" PBKDF2 | tr -d ':\n' | tr A-F a-f
}
expand() { # SEED-HEX USE TAIL-HEX
	openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt mode:EXPAND_ONLY \
		-kdfopt "hexkey:$1" -kdfopt "hexinfo:$(hex "$2")00$3" HKDF |
		tr -d ':\n' | tr A-F a-f
}
check() { # KEY-HEX: the first six bytes of its check value
	printf 'p11kms check\0\0\0\0' |
		openssl enc -aes-256-ecb -nopad -K "$1" |
		od -An -v -tx1 -N6 | tr -d ' \n'
}
zeroed() { # TAG: its check zeroed
	printf '%s000000000000%s' "${1:0:4}" "${1:16}"
}

# own phrase
tag=b111b053d4467fab000102030405060708090a0b0c0d0e0f1011121314151617
key=$(pbkdf2 "$(hex "$phrase")" p11kms/1/data "$(zeroed $tag)" 0x${tag:2:2})
same "$key" 2d74b86258621dce706195af7ed74041b460fae1df69e515493f89bbb6505336
same "$(check "$key")" ${tag:4:12} 'the check of a key of its own phrase'

# group phrase: the group's salt and the key's nonce are in the tag
tag=b311219cf3d29e92404142434445464748494a4b4c4d4e4fa0a1a2a3a4a5a6a7
seed=$(pbkdf2 "$(hex "$phrase")" p11kms/1/group ${tag:16:32} 0x${tag:2:2})
same "$seed" f65e3a03b1627f6cccb546a00a0567218b7be6057fe0118b40536faeac0ed321
key=$(expand "$seed" p11kms/1/gkey "$(zeroed $tag)")
same "$key" b69aba276d00f1bb357b2f21c6e0e28aa689cacccbd66fb0f1967311cbc26fae
same "$(check "$key")" ${tag:4:12} 'the check of a key of the group phrase'

# master keys: the slot's salt
salt=606162636465666768696a6b6c6d6e6f
same "$(pbkdf2 "$(hex "$phrase")" p11kms/1/hmk $salt 17)" \
	70a8dbccd3e9f85b4fb3d696491239add4400455f882d31c73a1648a831ee2b0
same "$(pbkdf2 "$(hex "$phrase")" p11kms/1/kpk $salt 17)" \
	94c7598fdc77bc3bf1afadb67dc9e1b31b72fd72563c9dc3f62ff2086507c3f3

# a phrase of two components
joined=000a$(hex 'first part')0006$(hex second)
same "$(pbkdf2 "$joined" p11kms/1/hmk $salt 17)" \
	2cd946fef9c372f0072aff81060f5604a10b398a063a6b51c032981b5fb68958
