#!/usr/bin/env bash
# The servicing engine at Windows' size: 30,000 components, 3,500 packages, 100,000 names; an update of 20,000 complete
# files. Prints times, peak memory, and ratios to the goals (below 1 is better); asserts nothing.
#   tests/bench/servicing.sh [BUILD [FOLDER [PERCENT]]]     FOLDER is kept and used again; 100
# The floor of installing: the same payload read out of the cabinet, hashed by SHA-256 and SHA-1, and compressed by
# libwim's codec at the same level with as many threads; and what else the installed image has new (hives, manifests,
# catalogs), hashed and compressed in the same way. Installing begins with an image that is open, as "open + plan" has a
# goal of its own; the package is opened, and so unpacked, on the clock. "Whole" has the image opened on the clock, too.
# For both there is a ratio to the payload's floor alone. Medians of three rounds, by turns.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath "${1:-$here/build/release}")
bench=$build/bench_servicing
folder=${2:-} percent=${3:-100}
if [ -z "$folder" ]; then
	folder=$(mktemp -d "${TMPDIR:-/var/tmp}/imgbuild-bench.XXXXXX")
	trap 'rm -rf "$folder"' EXIT
else
	mkdir -p "$folder"
	trap 'rm -f "$folder/out.wim"' EXIT
fi
cd "$folder"

# A stored cabinet to MSZIP: each block by itself, as the form allows.
zip_cab() {
	python3 - "$1" "$2" <<'PY'
import struct, sys, zlib
from concurrent.futures import ThreadPoolExecutor

data = open(sys.argv[1], "rb").read()
folders, = struct.unpack_from("<H", data, 26)
heads = [struct.unpack_from("<IHH", data, 36 + 8 * f) for f in range(folders)]

def blocks(head):
    at, count, _ = head
    for _ in range(count):
        size, = struct.unpack_from("<H", data, at + 4)
        yield data[at + 8:at + 8 + size]
        at += 8 + size

def pack(block):
    z = zlib.compressobj(1, zlib.DEFLATED, -15)
    body = b"CK" + z.compress(block) + z.flush()
    return struct.pack("<IHH", 0, len(body), len(block)) + body

out = bytearray(data[:heads[0][0]])
with ThreadPoolExecutor() as pool:
    for f, head in enumerate(heads):
        struct.pack_into("<IHH", out, 36 + 8 * f, len(out), head[1], 1)
        for packed in pool.map(pack, blocks(head), chunksize=256):
            out += packed
struct.pack_into("<I", out, 8, len(out))
open(sys.argv[2], "wb").write(out)
PY
}

if [ ! -f "made-$percent" ]; then
	"$bench" make . "$percent"
	zip_cab update.cab zipped.cab
	mv zipped.cab update.cab
	touch "made-$percent"
fi
du -m base.wim update.cab | awk '{ printf "%-10s %5d MB\n", $2, $1 }'
cat base.wim update.cab >/dev/null # both in the page cache

# field NAME FILE: the median of the rounds
field() { sed -n "s/^\(.* \)\{0,1\}$1=\([^ ]*\).*/\2/p" "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# ratio TEXT FORMULA: "is" to "goal"
ratio() { awk -v t="$1" -v is="$2" -v goal="$3" -v unit="$4" 'BEGIN { printf "%-48s %9.2f %-4s goal %8.2f  ratio %.2f\n", t, is, unit, goal, is / goal }'; }

rm -f open parse plan floor install whole verify
steps=("open base.wim" "parse base.wim" "plan base.wim update.cab")
for _ in 1 2 3; do
	steps+=("install base.wim update.cab out.wim" "whole base.wim update.cab out.wim" "floor update.cab base.wim out.wim")
done
for step in "${steps[@]}" "verify out.wim"; do
	name=${step%% *}
	# shellcheck disable=SC2086
	"$bench" $step >last
	echo "$name: $(cat last)"
	cat last >>"$name"
done
plan=$(awk -v a="$(field open plan)" -v b="$(field package plan)" -v c="$(field plan plan)" 'BEGIN { print a + b + c }')
ratio "open: memory" "$(field peak open)" 300 MB
ratio "open + plan" "$plan" 10 s
ratio "open + plan: memory" "$(field peak plan)" 600 MB
rate=$(field rate parse)
awk -v r="$rate" 'BEGIN { printf "%-48s %9.0f /s   goal %8d  ratio %.2f\n", "manifests parsed on one core", r, 3000, 3000 / r }'
for what in install whole; do
	for unit in "wall install floor rest" "processor processor cpu rest_cpu"; do
		read -r name is payload rest <<<"$unit"
		took=$(field "$is" $what)
		part=$(field "$payload" floor)
		all=$(awk -v a="$part" -v b="$(field "$rest" floor)" 'BEGIN { print a + b }')
		ratio "$what / floor of all new content, $name" "$(awk -v a="$took" -v b="$all" 'BEGIN { print a / b }')" 1.25 x
		ratio "$what / floor of the payload, $name" "$(awk -v a="$took" -v b="$part" 'BEGIN { print a / b }')" 1.25 x
	done
done
ratio "verify: memory" "$(field peak verify)" 600 MB
rm -f open parse plan floor install whole verify last
