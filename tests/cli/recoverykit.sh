#!/usr/bin/env bash
# The recovery kit is one page that stands alone: well-formed, every name
# escaped, every tag on it in hex and as a QR code that can be read, and no
# secret.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a -desc '<script>alert(1)</script>'
lines 'the group phrase one' 'the group phrase one'
want 0 p11kmsutil -createkg -kgname "b's & \"c\"" -phrase
new_key ENCR_a '<b>k1</b>' -activate
tags=$(field tag)
want 0 p11kmsutil -createkey -kgname "b's & \"c\"" -nopphrase -json
tags+=" $(field tag)"
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname r1 -nopphrase -json
tags+=" $(field tag)"

want 0 p11kmsutil -recoverykit
page=$out
before=$(fingerprint)
want 0 p11kmsutil -recoverykit -path "$dir/kit.html"
prints "$dir/kit.html"
same "$(fingerprint)" "$before" "printing changed the store"
same "$(stat -c %a "$dir/kit.html")" 600
want 0 p11kmsutil -recoverykit -path "$dir/kit.html" -json
prints '"kit": 1' '"needs": "group"' '"needs": "backup"' '"name": "<b>k1</b>"'
want 2 p11kmsutil -recoverykit -path "$dir"
out=$page # too long to be shown
fail() { echo "FAIL: $*" >&2; exit 1; }
prints 'no verified backup holds it' 'HMK one' 'KPK one' '&lt;b&gt;k1' \
	'&#39;b&#39;\&#39;&#39;s &amp; &quot;c&quot;&#39; -phrase'
for no in '<b>k1' '<script' 'src=' 'href=' 'correct horse' 'group phrase one'; do
	[ "${page/"$no"/}" = "$page" ] || fail "'$no' is on the page"
done
for tag in $tags; do
	prints "$(printf %s "${tag:0:32}" | tr a-f A-F | sed 's/..../& /g; s/ $//')"
done
if command -v xmllint >/dev/null; then
	xmllint --nonet --noout "$dir/kit.html" || fail "the page does not parse"
fi

# A picture of each code, from the path that the page draws.
picture() { # PATH > PBM
	sed 's/.*viewBox="0 0 \([0-9]*\) .*d="\([^"]*\)".*/\1:\2/' "$1" | awk -F: '
	{
		gsub(/[^0-9]+/, " ", $2)
		gsub(/^ | $/, "", $2)
		m = split($2, n, " ")
		# x y width 1 width, for each run
		for (i = 1; i + 4 <= m; i += 5)
			for (x = 0; x < n[i + 2]; x++)
				dark[n[i] + x, n[i + 1]] = 1
		print "P1", 4 * $1, 4 * $1
		for (y = 0; y < 4 * $1; y++)
			for (x = 0; x < 4 * $1; x++)
				print ((int(x / 4), int(y / 4)) in dark)
	}'
}
command -v zbarimg >/dev/null || exit 0
sed 's/<svg/\n&/g; s/<\/svg>/&\n/g' "$dir/kit.html" | grep '^<svg' |
	split -l 1 - "$dir/code."
for code in "$dir"/code.*; do
	picture "$code" >"$dir/code.pbm"
	zbarimg --quiet --raw "$dir/code.pbm" 2>/dev/null ||
		fail "$code cannot be read"
done >"$dir/read"
for tag in $tags; do
	grep -iqx "$tag" "$dir/read" || fail "no code for $tag"
done
# The codes of the header, put together, are the header that KIT.json has.
want 0 p11kmsutil -recoverykit -json
header=$(sed -n 's/.*"header": "\([0-9a-f]*\)".*/\1/p' "$dir/out")
[ -n "$header" ] || fail "no header in KIT.json"
same "$(sed -n 's/^P11KMS-HEADER [^ ]* //p' "$dir/read" | tr -d '\n')" "$header"
