#!/bin/bash
# WIMs that libwim made, in every compression and chunk size: one file gets other content, and in what we write all other
# resources are the same bytes. Both blob tables are read here, by neither of the two.
set -euo pipefail

edit=$IB_BUILD/tool_wim_edit
for tool in wimcapture wimverify wimapply python3; do
	command -v $tool >/dev/null || { echo "SKIPPED: $tool is not installed"; exit 77; }
done
[ -x "$edit" ] || { echo "SKIPPED: $edit is not built"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/imgbuild-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "FAILED: $*"; exit 1; }

# One content of each kind of size around the chunks, and one of several chunks whatever their size.
mkdir -p tree/d
for n in 1 4095 4096 4097 32768 65537 300000; do
	head -c $n /dev/urandom >tree/random$n
	head -c $n <(seq $n 999999) >tree/text$n
done
head -c 5000000 <(seq 1 800000) >tree/d/large
ln tree/d/large tree/link
echo old >tree/changed
seq 5 90000 >new.txt

cat >compare.py <<'PY'
import struct, sys

def resources(path):
    data, found = open(path, "rb").read(), {}
    flags, chunk = struct.unpack_from("<II", data, 16)
    size, at = struct.unpack_from("<QQ", data, 48)
    for e in range(at, at + (size & (1 << 56) - 1), 50):
        stored, start, plain, part, refs, sha1 = struct.unpack_from("<QQQHI20s", data, e)
        kind = stored >> 56
        if not kind & 2:
            found[sha1] = (kind, plain, refs, data[start:start + (stored & (1 << 56) - 1)])
    return (flags & ~0x80, chunk), found

(old_format, old), (new_format, new) = resources(sys.argv[1]), resources(sys.argv[2])
assert old_format == new_format, (old_format, new_format)
gone, come = old.keys() - new.keys(), new.keys() - old.keys()
assert len(gone) == 1 and len(come) == 1, (gone, come)
for sha1 in old.keys() & new.keys():
    assert old[sha1] == new[sha1], sha1.hex()
print(f"{len(old) - 1} resources are the same bytes")
PY

# check COMPRESSION CHUNK|- [THREADS]
check() {
	local chunk=()
	[ "$2" = - ] || chunk=("--chunk-size=$2")
	rm -rf base.wim out.wim applied
	wimcapture tree base.wim one "--compress=$1" "${chunk[@]}" >log 2>&1 || { cat log; fail "$1 $2: wimcapture"; }
	"$edit" base.wim out.wim "threads=${3:-0}" set changed new.txt >said || fail "$1 $2: edit"
	grep -q ' recompressed 0,' said || [ "${1%:*}" = LZMS ] || fail "$1 $2: $(cat said)"
	printf '%-9s %5s: ' "$1" "$2"
	python3 compare.py base.wim out.wim || fail "$1 $2"
	wimverify out.wim >log 2>&1 || { cat log; fail "$1 $2: wimverify"; }
	wimapply out.wim applied >log 2>&1 && cmp applied/changed new.txt && cp tree/changed applied/changed &&
		diff -r tree applied || fail "$1 $2: wimapply"
}
check none -
for chunk in 4K 8K 16K 32K 64K; do check XPRESS $chunk; done
for chunk in 32K 64K 128K 256K 512K 1M 2M; do check LZX:20 $chunk; done
for chunk in 32K 128K 1M 2M 4M; do check LZMS:20 $chunk; done
check LZMS:20 64M 1
