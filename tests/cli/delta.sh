#!/bin/bash
# imgbuild delta: records and compressed manifests made by the tests' own encoder, and genuine ones where they are at hand.
. "$IB_SRC/tests/lib.sh"
encode=$IB_BUILD/tool_delta_encode
[ -x "$encode" ] || skip "tool_delta_encode is not built"
need python3

# 1. a record with hashes: what it says about itself, and what comes out
seq 1 3000 > source
sed 's/7/seven/g' source > target
"$encode" raw source target delta
expect 0 'record: PA30' "$imgbuild" delta info delta
for line in 'kind: delta' 'type: RAW' 'transforms: none' 'body: PseudoLzx' "target_bytes: $(stat -c %s target)"; do says "$line"; done
"$imgbuild" delta info delta --format=json | python3 -c "
import json, sys
d = json.load(sys.stdin)
assert d['record'] == 'PA30' and d['transforms'] == [] and d['crc'] is False, d
assert d['target_bytes'] == $(stat -c %s target), d
assert len(d['target_hash']['value']) == {'MD5': 32, 'SHA-1': 40, 'SHA-256': 64}[d['target_hash']['algorithm']], d"
expect 0 "sha256: $(sha256sum < target | cut -d' ' -f1)" "$imgbuild" delta apply --base source delta -o out
cmp out target || fail "another file came out"
"$imgbuild" delta apply --base source delta > piped
cmp piped target || fail "another file came out on stdout"

# 2. PA31 names its source, a CRC-32 may stand before it
"$encode" raw source target delta31 pa31 crc
expect 0 'record: PA31' "$imgbuild" delta info delta31
says 'crc: yes'
says 'source_hash:'
expect 0 '' "$imgbuild" delta apply --base source delta31 -o out
cmp out target || fail "another file came out of PA31"

# 3. wrong base, wrong bytes, no base: statuses, and no output
rm out
sed 's/5/6/' source > other
expect 4 '--base' "$imgbuild" delta apply delta31 -o out
expect 4 'other' "$imgbuild" delta apply --base other delta31 -o out
expect 4 'other' "$imgbuild" delta apply --base other delta -o out
head -c 60 delta > short
expect 3 'short' "$imgbuild" delta apply --base source short -o out
expect 3 '' "$imgbuild" delta info target
{ head -c 4 delta31 | tr '\000-\377' '\001-\377\000'; tail -c +5 delta31; } > bad-crc
expect 4 'bad-crc' "$imgbuild" delta info bad-crc
expect 3 'nothing-here' "$imgbuild" delta info nothing-here
expect 5 '' "$imgbuild" delta apply --base source delta -o no-such-folder/out
[ ! -e out ] || fail "a refused delta left an output"
ls | grep -F 'out.' && fail "a refused delta left a temporary file"

# 4. compressed manifests: by the dictionary, by the program that holds it, without
printf '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<assembly xmlns="urn:schemas-microsoft-com:asm.v3">' > dictionary
{ cat dictionary; echo '<assemblyIdentity name="A"/></assembly>'; } > plain.manifest
"$encode" dcm dictionary plain.manifest packed.manifest
expect 0 'kind: DCM' "$imgbuild" delta info packed.manifest
python3 - <<'PY'
import struct
p = bytearray(0x600)
p[:2] = b"MZ"
words = open("dictionary", "rb").read()
for at, value in [(60, 0x40), (0x40, 0x4550), (0x44, 0x18664), (0x54, 0xf0), (0x58, 0x20b), (0x58 + 60, 0x200),
                  (0x58 + 108, 16), (0x58 + 128, 0x1000), (0x58 + 132, 0x200), (0x150, 0x400), (0x154, 0x1000),
                  (0x158, 0x400), (0x15c, 0x200), (0x20c, 0x20000), (0x210, 24), (0x214, 0x80000100), (0x218, 614),
                  (0x21c, 0x80000040), (0x24c, 0x10000), (0x250, 1), (0x254, 0x80000060), (0x26c, 0x10000),
                  (0x270, 1033), (0x274, 0x80), (0x280, 0x1100), (0x284, len(words))]:
    struct.pack_into("<I", p, at, value)
p[0x300:0x300 + len(words)] = words
open("wcp.dll", "wb").write(p)
p[0x218:0x21c] = b"\1\0\0\0"
open("other.dll", "wb").write(p)
PY
for base in dictionary wcp.dll; do
	"$imgbuild" delta apply --base $base packed.manifest > out.xml
	cmp out.xml plain.manifest || fail "another manifest came out by $base"
done
expect 3 'needs the dictionary out of wcp.dll' "$imgbuild" delta apply packed.manifest
says 'hint: --base names'
expect 3 'no resource 614/1' "$imgbuild" delta apply --base other.dll packed.manifest

# 5. words
expect 2 "not 'show'" "$imgbuild" delta show delta
expect 2 "neither '--base' nor" "$imgbuild" delta info delta --base source
expect 2 "needs '-o FILE'" "$imgbuild" delta apply --base source delta --format=json
expect 2 'words were given' "$imgbuild" delta info a b c

# 6. genuine ones
real=${IMGBUILD_REAL_DATA:-}/msdelta/tests/fixtures
if [ -n "${IMGBUILD_REAL_DATA:-}" ] && [ -d "$real" ]; then
	d=$real/pe-decode/amd64_kbdwol
	expect 0 'type: AMD64' "$imgbuild" delta info "$d/delta.pa30"
	says 'algorithm: SHA-256'
	expect 0 "sha256: $(sha256sum < "$d/target.bin" | cut -d' ' -f1)" "$imgbuild" delta apply --base "$d/base.bin" "$d/delta.pa30" -o real.out
	cmp real.out "$d/target.bin" || fail "a genuine delta gave another file"
	big=$(echo "$real"/wow64_microsoft-windows-o..euapcommonproxystub*.manifest)
	"$imgbuild" delta apply --base "$real/base_manifest.bin" "$big" | sha256sum > sum
	[ "$(cut -d' ' -f1 sum)" = 43c1523772b6a61fa70228fb029a8e2b6bcaff8f2c361a11e6ad2cd8364bf459 ] || fail "a genuine manifest gave another file"
	echo "genuine delta and manifest: exact"
else
	echo "left out: genuine deltas, IMGBUILD_REAL_DATA names no folder with msdelta/tests/fixtures"
fi
