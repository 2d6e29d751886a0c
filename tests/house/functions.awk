# Lengths of functions, from the first line of the definition's name to its
# closing brace, out of ctags' tags: one over 100 lines is a breach, and so is
# more than one in twenty over 60.
BEGIN { FS = "\t"; most = 100; long = 60 }

{
	line = end = 0
	for (i = 4; i <= NF; i++) {
		if ($i ~ /^line:/)
			line = substr($i, 6) + 0
		if ($i ~ /^end:/)
			end = substr($i, 5) + 0
	}
	if (line == 0 || end == 0)
		next
	len = end - line + 1
	count[len]++
	n++
	if (len > longest)
		longest = len
	if (len > long)
		over++
	if (len > most) {
		printf "%s:%d: %s has %d lines, over %d\n", $2, line, $1,
		    len, most
		bad = 1
	}
}

# The length that this share of all functions does not exceed.
function quantile(share,   i, seen) {
	for (i = 1; i < longest; i++) {
		seen += count[i]
		if (seen >= share * n)
			return i
	}
	return longest
}

END {
	if (n == 0)
		exit
	printf "house: %d functions, median %d lines, p95 %d, longest %d; " \
	    "%.1f %% over %d\n", n, quantile(0.5), quantile(0.95), longest,
	    100 * over / n, long
	if (over * 20 > n) {
		printf "house: more than one function in twenty is over %d lines\n", long
		bad = 1
	}
	exit bad
}
