# First argument: doc/ARCHITECTURE.md; then every source file.
#
# A table begins with a heading "## FOLDER/ — ARCHIVE, prefix; WHAT IT MAY
# INCLUDE" and has one row per noun: files | what they own | libraries. A bare
# file name is a .h and a .c; "archive's x, y" names single headers of another
# folder. A file includes files above it, its own row and header, what its
# heading names, and its row's libraries.

BEGIN {
	most_lines = 600
	most_columns = 90

	# library → the headers that belong to it, as patterns
	lib["libcrypto"] = "^openssl/crypto[.]h$"
	lib["EVP"] = "^openssl/(crypto|core_names|err|evp|kdf|params|rand)[.]h$"
	lib["EVP_PKEY"] = "^openssl/(bio|core_names|crypto|ec|err|evp|params|pem|rsa)[.]h$"
	lib["X509"] = "^openssl/(asn1|bio|crypto|ec|err|evp|pem|rand|x509|x509_vfy|x509v3)[.]h$"
	lib["libssl"] = "^openssl/(bio|crypto|err|evp|pem|ssl|store|tls1|ui|x509|x509_vfy|x509v3)[.]h$"
	lib["sqlite3"] = "^sqlite3[.]h$"
	lib["libp11"] = "^libp11[.]h$"
	lib["pkcs11.h"] = "^p11-kit/pkcs11[.]h$"
	lib["p11-kit"] = "^p11-kit/(uri|p11-kit)[.]h$"
	lib["sgutils2"] = "^scsi/sg_.*[.]h$"
	lib["inih"] = "^ini[.]h$"
	lib["jansson"] = "^jansson[.]h$"
	lib["qrencode"] = "^qrencode[.]h$"
	lib["libsystemd"] = "^systemd/.*[.]h$"

	# everything else in <> is libc's or the kernel's
	libc = "^([a-z0-9_]+|(sys|net|netinet|arpa|linux|asm)/[a-z0-9_]+|scsi/(sg|scsi|scsi_ioctl))[.]h$"
}

function trim(s) {
	gsub(/^[ \t`]+|[ \t`]+$/, "", s)
	return s
}

function breach(file, line, text) {
	printf "%s:%d: %s\n", file, line, text
	bad = 1
}

# What a heading names: archives, single headers of a folder, libraries.
function heading_item(folder, item,   n) {
	if (item ~ /^all archives$/)
		from[folder, "*"] = 1
	else if (item in lib)
		folder_libs[folder] = folder_libs[folder] "," item
	else if (item ~ /'s /) {
		n = index(item, "'s ")
		part_of = substr(item, 1, n - 1)
		single[folder, part_of, substr(item, n + 3)] = 1
	} else if (part_of != "")
		single[folder, part_of, item] = 1
	else if (item != "")
		from[folder, item] = 1
}

function heading(text,   n, m, i, j, segment, item) {
	folder = text
	sub(/^## /, "", folder)
	sub(/\/ .*/, "", folder)
	n = split(text, segment, ";")
	m = split(segment[1], item, /[ ,]+/)
	for (i = 1; i <= m; i++)
		if (item[i] ~ /^lib[a-z]+[.]a$/)
			archive[folder] = substr(item[i], 4, length(item[i]) - 5)
	for (i = 2; i <= n; i++) {
		part_of = ""
		m = split(segment[i], item, ",")
		for (j = 1; j <= m; j++)
			heading_item(folder, trim(item[j]))
	}
}

function known(path) {
	place[path] = ++rows
	row_of[path] = row
	row_libs[path] = libs
}

function table_row(text,   cell, n, i, item) {
	split(text, cell, "|")
	row = FNR
	libs = cell[4]
	n = split(cell[2], item, ",")
	for (i = 1; i <= n; i++) {
		item[i] = trim(item[i])
		if (item[i] ~ /[.][ch]$/)
			known(folder "/" item[i])
		else {
			known(folder "/" item[i] ".h")
			known(folder "/" item[i] ".c")
		}
	}
}

# "`->unwrap(` only in release, material (group seed) and store; ..."
function doors(text,   n, i, word) {
	sub(/^.*->unwrap\(` only in /, "", text)
	sub(/;.*/, "", text)
	gsub(/\([^)]*\)/, "", text)
	n = split(text, word, /[ ,]+/)
	for (i = 1; i <= n; i++)
		may_unwrap["kms/" word[i] ".c"] = 1
}

FILENAME ~ /ARCHITECTURE/ {
	if (/`->unwrap\(` only in /)
		doors($0)
	if (/^## [a-z\/]+\/ /)
		heading($0)
	else if (/^#/)
		folder = ""
	else if (folder != "" && /^\|/ && !/^\| *file *\| *owns/ && !/^\|-/)
		table_row($0)
	next
}

function folder_of(path) {
	sub(/\/[^\/]*$/, "", path)
	return path
}

function noun_of(path) {
	sub(/^.*\//, "", path)
	sub(/[.][ch]$/, "", path)
	return path
}

# Is the header one of these comma-separated libraries'?
function in_libs(header, list,   n, i, item) {
	n = split(list, item, ",")
	for (i = 1; i <= n; i++) {
		item[i] = trim(item[i])
		if (item[i] == "")
			continue
		if (!(item[i] in lib)) {
			breach(FILENAME, FNR, "the table names a library \"" item[i] "\" that tests/house/tables.awk does not know")
			continue
		}
		if (header ~ lib[item[i]])
			return 1
	}
	return 0
}

function check_system(header,   dir, l) {
	dir = folder_of(FILENAME)
	if (in_libs(header, folder_libs[dir] "," row_libs[FILENAME]))
		return
	for (l in lib)
		if (header ~ lib[l]) {
			breach(FILENAME, FNR, "<" header "> is not among what its table allows")
			return
		}
	if (header !~ libc)
		breach(FILENAME, FNR, "<" header "> belongs to no library that the tables name")
}

function check_own(header,   mine, theirs, arch) {
	mine = folder_of(FILENAME)
	theirs = folder_of(header)
	if (!(header in place)) {
		breach(FILENAME, FNR, "\"" header "\" is in no table (includes are rooted at the top)")
		return
	}
	if (theirs == mine) {
		if (row_of[header] != row_of[FILENAME] && place[header] > place[FILENAME])
			breach(FILENAME, FNR, "\"" header "\" stands below it in its table")
		return
	}
	arch = archive[theirs]
	if ((mine SUBSEP "*") in from && arch != "")
		return
	if (arch != "" && (mine SUBSEP arch) in from)
		return
	if ((mine SUBSEP arch SUBSEP noun_of(header)) in single)
		return
	breach(FILENAME, FNR, "\"" header "\" is not among what its table allows")
}

function end_of_file() {
	if (last != "" && last_line > most_lines)
		breach(last, last_line, "over " most_lines " lines")
}

FNR == 1 {
	end_of_file()
	files++
	if (!(FILENAME in place))
		breach(FILENAME, 1, "is in no table of doc/ARCHITECTURE.md")
}

{
	last = FILENAME
	last_line = FNR
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	h = $0
	sub(/^[^<]*</, "", h)
	sub(/>.*/, "", h)
	check_system(h)
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	h = $0
	sub(/^[^"]*"/, "", h)
	sub(/".*/, "", h)
	check_own(h)
}

# Columns as a terminal shows them: a tab goes to the next eighth, the bytes
# that continue a UTF-8 character take none. Rows of an X-list are as they are.
{
	s = $0
	gsub(/[\200-\277]/, "", s)
	while ((t = index(s, "\t")) > 0)
		s = substr(s, 1, t - 1) substr("        ", 1, 8 - (t - 1) % 8) substr(s, t + 1)
	if (length(s) > most_columns && !/^\tX\(/)
		breach(FILENAME, FNR, length(s) " columns, over " most_columns)
}

/TODO|FIXME/ {
	breach(FILENAME, FNR, "not finished; an issue is the place to say so")
}

/->unwrap\(/ && FILENAME ~ /^kms\// && !(FILENAME in may_unwrap) {
	breach(FILENAME, FNR, "unwraps a key; doc/ARCHITECTURE.md says who may")
}

/->crypt\(/ && FILENAME ~ /^kms\// && FILENAME != "kms/release.c" {
	breach(FILENAME, FNR, "uses a key; only kms/release.c may")
}

/^[ \t]*(\*|\/\*)/ {
	next # a comment
}

(/sqlite3_[a-z]/ || /"(SELECT|INSERT|UPDATE|DELETE|REPLACE|BEGIN|COMMIT|ROLLBACK|CREATE|PRAGMA|SAVEPOINT)[ ;"]/) && FILENAME !~ /^kms\/rows_/ {
	breach(FILENAME, FNR, "SQL outside rows_*")
}

END {
	end_of_file()
	if (!bad)
		printf "house: %d files, all in the tables\n", files
	exit bad
}
