#!/bin/bash
# Somebody else's client against the service: PyKMIP's, in three versions of the
# protocol. What it makes, the command line lists.
# shellcheck disable=SC2119
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

new_store
new_tls media01 media02
{
	printf '[backup]\npath = %s\nsame_device = on\n' "$dir/backup"
	server_section
	client_section media01 'disk ENCR_*' '*'
	client_section media02 'elsewhere' 'locate get create'
} >>"$dir/conf"
echo "# keys made over KMIP are derived from the group's phrase, and served"
lines "$key_phrase" "$key_phrase"
want 0 p11kmsutil -createkg -kgname disk -phrase
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
start_service
client=("$python" "$top/tests/cli/pykmip_client.py" "$port" "$tls" ENCR_a)
want 0 "${client[@]}" before
same "$out" "$tag"

echo "# what was registered is served once a backup holds it"
mkdir "$dir/backup"
want 0 p11kmsutil -backup
want 0 "${client[@]}" after
want 0 p11kmsutil -listkgs -json
prints disk ENCR_a

echo "# a key that worked for a client is in the records, and held"
want 0 p11kmsutil -audit -json
prints '"encrypt"' '"decrypt"'
stop_service
want 0 p11kms -verifydb
