#!/bin/sh
# cover.sh BUILD: lines executed, by folder and file, of a build made with
# --coverage whose tests have run.
set -eu
cd "$(dirname "$0")/../.."
build=$1
top=$PWD

find "$build/obj" -name '*.gcda' | sort | while read -r data; do
	case $data in
	*/obj/tests/* | */obj/bench/*) continue ;;
	esac
	(cd "$build/obj" && gcov -n -s "$top" "${data#"$build"/obj/}" 2>/dev/null)
done | awk '
	/^File/ {
		file = $2
		gsub(/\047/, "", file)
		sub(/^.*\/obj\//, "", file)
	}
	/^Lines executed/ && file ~ /[.]c$/ && file !~ /^\// {
		split($2, a, /[:%]/)
		lines = $4
		hit = a[2] * lines / 100
		dir = file
		sub(/\/[^\/]*$/, "", dir)
		all[dir] += lines
		got[dir] += hit
		total += lines
		seen += hit
		printf "%6.1f %%  %5d  %s\n", a[2], lines, file
		file = ""
	}
	END {
		for (dir in all)
			printf "%6.1f %%  %5d  %s/\n", 100 * got[dir] / all[dir], all[dir], dir
		if (total > 0)
			printf "%6.1f %%  %5d  all\n", 100 * seen / total, total
	}' | sort -k4
