#!/usr/bin/env bash
# lib/wim: replacing 8 % of an image's files beside its floor and libwim, opening 100,000 entries, what inspect reads.
#   tests/bench/wim.sh [BUILD [MEGABYTES [FILES]]]     500 MB in 25,000 files; the figures that count are those of 8000
# Floor: the slower of copying the WIM and compressing only the new bytes with libwim's codec on all processors.
# Three rounds; in each, floor, libwim and ours run one after the other; medians are compared, so that the first touch of
# memory and a neighbour's noise count for nothing; where a neighbour takes processors, seconds of CPU tell more. Like a
# Windows image, the content compresses to a good third.
#   WIM_BENCH_DIR=DIR       keep the tree there and use it again (making 8 GB takes minutes)
#   WIM_BENCH_LEVELS=20     only these LZX levels ("20 50"); "" only what comes after them
#   WIM_BENCH_ROUNDS=3
set -euo pipefail
build=$(realpath "${1:-$(dirname "$0")/../../build/release}")
megabytes=${2:-500} files=${3:-25000}
bench=$build/bench_wim
if [ -n "${WIM_BENCH_DIR:-}" ]; then
	mkdir -p "$WIM_BENCH_DIR" && cd "$WIM_BENCH_DIR"
else
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/imgbuild-bench.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	cd "$work"
fi

# One file of ten does not compress, the others are text of few words; every file is its own.
make_tree() {
	rm -rf tree new list base.wim
	python3 - "$megabytes" "$files" <<-'PY'
	import os, random, sys
	total, count = int(sys.argv[1]) << 20, int(sys.argv[2])
	rnd = random.Random(8)
	words = [bytes(rnd.choices(b"etaoinshrdlu", k=rnd.randint(3, 14))) for _ in range(700)]
	prose = b" ".join(rnd.choices(words, k=1500000))
	noise = rnd.randbytes(len(prose))
	mean = total // count
	def content(i):
	    size = max(1, int(rnd.expovariate(1 / mean)))
	    source = prose if i % 10 else noise
	    out = [b"%d %d\n" % (i, rnd.getrandbits(60))]
	    while size > 0:
	        n = min(size, 3 << 20)
	        at = rnd.randrange(len(source) - n)
	        out.append(source[at:at + n])
	        size -= n
	    return b"".join(out)
	os.mkdir("new")
	with open("list", "w") as f:
	    for i in range(count):
	        d = f"tree/d{i % 97}/e{i % 13}"
	        os.makedirs(d, exist_ok=True)
	        with open(f"{d}/f{i}", "wb") as out:
	            out.write(content(i))
	        if i * 8 % 100 < 8:
	            with open(f"new/f{i}", "wb") as out:
	                out.write(content(count + i))
	            f.write(f"{d[5:]}/f{i}\t{os.getcwd()}/new/f{i}\n".replace("/", "\\", 2))
	PY
	wimcapture tree base.wim one --compress=LZX:20 >/dev/null 2>&1
	du -sm tree new base.wim | awk '{ printf "%-10s %6d MB\n", $2, $1 }' >sizes
	rm -rf tree
	echo "$megabytes $files" >made
}
[ "$(cat made 2>/dev/null)" = "$megabytes $files" ] || make_tree
cat sizes

# copy: seconds of cp, also of CPU. What was written before is on the disk then, and the room it took in memory is taken
# again at once: pages that a virtual machine gave back are slow.
TIMEFORMAT='%R %U %S'
copy() {
	sync && rm -f copy.wim
	{ time cp base.wim copy.wim; } 2>&1 | awk '{ print $1, $2 + $3, 0 }'
}
# step OUT ARGUMENTS…: a step of bench_wim, with its output new
step() {
	sync && rm -f "$1"
	"$bench" "${@:2}"
}
for level in ${WIM_BENCH_LEVELS-20 50}; do
	cat base.wim >/dev/null
	copy >/dev/null && step none codec 1 list >/dev/null # everything is in the page cache now, and memory was touched
	rm -f rounds
	for ((i = 0; i < ${WIM_BENCH_ROUNDS:-3}; i++)); do
		{
			echo "cp $(copy)"
			echo "codec $(step none codec "$level" list)"
			echo "libwim $(step theirs.wim libwim base.wim theirs.wim "$level" list)"
			echo "ours $(step ours.wim ours base.wim ours.wim "$level" list)"
		} >>rounds
	done
	wimverify ours.wim >/dev/null 2>&1 || { echo "wimverify refuses what was written"; exit 1; }
	ls -l theirs.wim ours.wim | awk '{ s[NR] = $5 } END { printf "sizes: libwim %.0f, ours %.0f bytes\n", s[1], s[2] }'
	python3 - "$level" <<-'PY'
	import statistics, sys
	wall, cpu, peak = {}, {}, {}
	for line in open("rounds"):
	    name, seconds, used, mb = line.split()
	    wall.setdefault(name, []).append(float(seconds))
	    cpu.setdefault(name, []).append(float(used))
	    peak[name] = max(peak.get(name, 0), float(mb))
	level = sys.argv[1]
	w, c = ({k: statistics.median(v) for k, v in all.items()} for all in (wall, cpu))
	for k, v in wall.items():
	    print(f"LZX {level} {k:7} median {w[k]:.2f} s of {' '.join(f'{x:.2f}' for x in v)}, CPU {c[k]:.2f} s, peak {peak[k]:.0f} MB")
	print(f"LZX {level}: {w['ours'] / max(w['cp'], w['codec']):.2f} x floor (goal 1.15), {w['ours'] / w['libwim']:.2f} x libwim (goal 1.05); "
	      f"CPU {c['ours'] / (c['cp'] + c['codec']):.2f} x cp and codec, {c['ours'] / c['libwim']:.2f} x libwim")
	PY
done
rm -f copy.wim theirs.wim ours.wim

# 100,000 files, and 8,000 of them replaced
make_many() {
	rm -rf many many.wim many.list
	python3 - <<-'PY'
	import os
	os.makedirs("many")
	with open("many.list", "w") as f:
	    for d in range(100):
	        os.mkdir(f"many/d{d}")
	        for i in range(1000):
	            path = f"many/d{d}/name-of-file-{i}.dll"
	            open(path, "w").write(f"{d * 1000 + i} " * (i % 40))
	            if i * 8 % 100 < 8:
	                f.write(f"d{d}\\name-of-file-{i}.dll\t{os.getcwd()}/{path[:-5]}1.dll\n")
	PY
	wimcapture many many.wim one --compress=LZX:20 >/dev/null 2>&1
}
[ -f many.wim ] || make_many
"$bench" open many.wim >/dev/null
for i in 1 2 3; do "$bench" open many.wim; done | sort -n | sed -n 2p |
	awk '{ printf "open 100,000 files: median %s s (goal 0.6), peak %s MB\n", $1, $3 }'
"$bench" ours many.wim many2.wim 20 many.list | awk '{ printf "replace 8,000 of 100,000 files: %s s, peak %s MB (goal 200)\n", $1, $3 }'
rm -f many2.wim

size=$(stat -c %s base.wim)
# what a shell's children read is added to its own count
rchar() { bash -c '"$@" >/dev/null; sed -n "s/^rchar: //p" "/proc/$$/io"' - "$@"; }
read_bytes=$(($(rchar "$build/imgbuild" inspect base.wim) - $(rchar "$build/imgbuild" --version)))
awk -v r="$read_bytes" -v s="$size" 'BEGIN { printf "inspect reads %.0f bytes of %.0f: %.3f %% (goal 1 %% of 5 GB)\n", r, s, 100 * r / s }'
