#!/usr/bin/env bash
# lib/wim: replacing 8 % of an image's files beside its floor and libwim, opening 100,000 entries, what inspect reads.
#   tests/bench/wim.sh [BUILD [MEGABYTES [FILES]]]     500 MB in 25,000 files; the issue's size is 8000
# Floor: the slower of copying the WIM and compressing only the new bytes with libwim's codec on all processors.
set -euo pipefail
build=$(realpath "${1:-$(dirname "$0")/../../build/release}")
megabytes=${2:-500} files=${3:-25000}
bench=$build/bench_wim
work=$(mktemp -d "${TMPDIR:-/var/tmp}/imgbuild-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# Half of the content is text-like, half does not compress; every file is its own.
python3 - "$megabytes" "$files" <<'PY'
import os, random, sys
total, count = int(sys.argv[1]) << 20, int(sys.argv[2])
rnd = random.Random(8)
words = [bytes(rnd.choices(b"etaoinshrdlu", k=rnd.randint(2, 9))) for _ in range(5000)]
prose = b" ".join(rnd.choices(words, k=1500000))
noise = rnd.randbytes(len(prose))
mean = total // count
def content(i):
    size = max(1, int(rnd.expovariate(1 / mean)))
    source = prose if i % 2 else noise
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
du -sm tree new base.wim | awk '{ printf "%-10s %6d MB\n", $2, $1 }'
"$bench" codec 1 list >/dev/null # all content is in the page cache now
start=$(date +%s.%N)
cp base.wim copy.wim
cp_time=$(python3 -c "import sys; print(f'{float(sys.argv[2]) - float(sys.argv[1]):.3f}')" "$start" "$(date +%s.%N)")
printf 'cp of the WIM: %s s\n' "$cp_time"
for level in 20 50; do
	codec=$("$bench" codec $level list) theirs=$("$bench" libwim base.wim theirs.wim $level list)
	ours=$("$bench" ours base.wim ours.wim $level list)
	wimverify ours.wim >/dev/null 2>&1 || { echo "wimverify refuses what was written"; exit 1; }
	python3 - $level "$cp_time" $codec $theirs $ours <<'PY'
import sys
level, cp, codec, _, theirs, theirs_mb, ours, ours_mb = map(float, sys.argv[1:])
floor = max(cp, codec)
print(f"LZX {level:.0f}: codec alone {codec:.2f} s, libwim {theirs:.2f} s ({theirs_mb:.0f} MB), ours {ours:.2f} s ({ours_mb:.0f} MB)\n"
      f"  {ours / floor:.2f} x floor (goal 1.15), {ours / theirs:.2f} x libwim (goal 1.05)")
PY
done

# 100,000 entries: links are entries, too
mkdir many && seq 1 200 >many/f0
python3 -c '
import os
for d in range(100):
    os.mkdir(f"many/d{d}")
    for i in range(1000):
        open(f"many/d{d}/name-of-file-{i}.dll", "w").write(str(d * 1000 + i) if i % 10 == 0 else "")'
wimcapture many many.wim one --compress=LZX:20 >/dev/null 2>&1
"$bench" open many.wim >/dev/null
read -r seconds peak <<<"$("$bench" open many.wim)"
echo "open 100,000 entries: $seconds s, $peak MB (goal 0.6 s)"

size=$(stat -c %s base.wim)
# what a shell's children read is added to its own count
rchar() { bash -c '"$@" >/dev/null; sed -n "s/^rchar: //p" "/proc/$$/io"' - "$@"; }
read_bytes=$(($(rchar "$build/imgbuild" inspect base.wim) - $(rchar "$build/imgbuild" --version)))
awk -v r="$read_bytes" -v s="$size" 'BEGIN { printf "inspect reads %d bytes of %d: %.3f %% (goal 1 %% of 5 GB)\n", r, s, 100 * r / s }'
