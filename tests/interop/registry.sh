#!/bin/bash
# Independent readers and writers of hives judge ours: hivex, reglookup, libregf.
# registry.sh [RUNS [FIRST-SEED]]: random edit scripts, 300 from seed 1.
set -euo pipefail
export LC_ALL=C.UTF-8

runs=${1:-300} seed=${2:-1}
edit=$IB_BUILD/tool_registry_edit
for tool in hivexsh hivexregedit reglookup regfinfo regfexport python3; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$edit" ] || { echo "skipped: tool_registry_edit is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
export_hivex() { hivexregedit --export "$1" '\' | tr -d '\r'; }
# same A B: three readers see no difference, descriptors and times included
same() {
	diff <(export_hivex "$1") <(export_hivex "$2") >diff.txt || fail "hivex: $2: $(head -5 diff.txt)"
	diff <(reglookup -s "$1" 2>&1) <(reglookup -s "$2" 2>&1) >diff.txt || fail "reglookup: $2: $(head -5 diff.txt)"
	diff <(regfexport "$1") <(regfexport "$2") >diff.txt || fail "regfexport: $2: $(head -5 diff.txt)"
}

# The smallest hive, by hand: neither our writer nor hivex makes one from nothing for this test.
python3 - <<'PY'
import struct
descriptor = bytes.fromhex('0100048014000000240000000000000034000000'
    '01020000000000052000000020020000' '01020000000000052000000020020000'
    '02001c000100000000021400' '3f000f00' '010100000000000512000000')
def cell(body):
    size = (len(body) + 4 + 7) // 8 * 8
    return struct.pack('<i', -size) + body.ljust(size - 4, b'\0')
for minor in (3, 5):
    root = cell(struct.pack('<2sHQIIIIIIIIIIIIIIIHH', b'nk', 0x2c, 0x01d0000000000000, 0, 0xffffffff, 0, 0,
        0xffffffff, 0xffffffff, 0, 0xffffffff, 32 + 88, 0xffffffff, 0, 0, 0, 0, 0, 4, 0) + b'ROOT')
    assert len(root) == 88
    sk = cell(struct.pack('<2sHIIII', b'sk', 0, 120, 120, 1, len(descriptor)) + descriptor)
    bins = struct.pack('<4sIIIIQI', b'hbin', 0, 4096, 0, 0, 0, 0) + root + sk
    bins += struct.pack('<i', 4096 - len(bins)) + bytes(4096 - len(bins) - 4)
    base = struct.pack('<4sIIQIIIIIII', b'regf', 1, 1, 0, 1, minor, 0, 1, 32, 4096, 1).ljust(508, b'\0')
    total = 0
    for word in struct.unpack('<127I', base):
        total ^= word
    open(f'minimal{minor}.hiv', 'wb').write((base + struct.pack('<I', total)).ljust(4096, b'\0') + bins)

text = ['Windows Registry Editor Version 5.00', '', r'[\Wide]', '']
for i in range(1200):
    text += [rf'[\Wide\Key-{i * 7919 % 1200:04d}]', f'"number"=dword:{i:08x}', '@="default text"', '']
for i in range(40):
    text += ['[' + ''.join(rf'\Level{j}' for j in range(i + 1)) + ']', f'"binary"=hex:' + ','.join(['a5'] * i), '']
text += [r'[\Types]', '"none"=hex(0):', '"sz"="some \\"quoted\\" text \\\\ end"', '"expand"=hex(2):25,00,61,00,25,00,00,00',
         '"dword"=dword:deadbeef', '"be"=hex(5):00,00,00,01', '"multi"=hex(7):61,00,00,00,62,00,00,00,00,00',
         '"qword"=hex(b):01,02,03,04,05,06,07,08', '"driver"=hex(20001):01,02', '"block"=hex:' + ','.join(['5a'] * 16000), '']
open('sample.reg', 'w').write('\n'.join(text))
open('more.reg', 'w').write('\n'.join(['Windows Registry Editor Version 5.00', '', r'[\Types]', '"dword"=dword:00000001',
    '"new"="text"', '"sz"=-', '', r'[-\Level0\Level1]', '', r'[\Wide\Key-0600\Below]', '@="x"', '', r'[\Another]', '']))
PY

# Hives that hivex wrote: loaded and saved by us, they say the same.
for minor in 3 5; do
	cp minimal$minor.hiv made.hiv
	hivexregedit --merge made.hiv sample.reg
	"$edit" save made.hiv saved.hiv
	same made.hiv saved.hiv
	"$edit" save saved.hiv again.hiv
	cmp -s <(tail -c +4097 saved.hiv) <(tail -c +4097 again.hiv) || fail "saving twice gives other bytes"
	# The same changes by hivex and by us.
	hivexregedit --merge made.hiv more.reg
	sed 's/\[\(-\?\)\\/[\1HKEY_LOCAL_MACHINE\\SOFTWARE\\/' more.reg >rooted.reg
	"$edit" import saved.hiv changed.hiv rooted.reg 'HKLM\SOFTWARE'
	diff <(export_hivex made.hiv) <(export_hivex changed.hiv) || fail "the same changes differ"
	# And hivex goes on with a hive of ours.
	hivexregedit --merge saved.hiv more.reg
	diff <(export_hivex made.hiv) <(export_hivex saved.hiv) || fail "hivex cannot edit our hive"
	"$edit" save saved.hiv again.hiv
	same saved.hiv again.hiv
	# Our text, merged by hivex.
	"$edit" export changed.hiv '' >ours.reg
	cp minimal$minor.hiv merged.hiv
	hivexregedit --merge merged.hiv ours.reg
	diff <(export_hivex changed.hiv) <(export_hivex merged.hiv) >diff.txt || fail "our text: $(head -5 diff.txt)"
done

# A new hive of ours.
"$edit" many new.hiv 600
[ "$(printf 'cd Parent\nls\n' | hivexsh new.hiv | wc -l)" = 600 ] || fail "hivexsh sees another number of keys"
[ "$(reglookup new.hiv | grep -c ',KEY,')" = 602 ] || fail "reglookup sees another number of keys"
[ "$(regfinfo new.hiv | grep -c '(key:)')" = 602 ] || fail "regfinfo sees another number of keys"
reglookup -s new.hiv | grep -c '^/Parent,.*S-1-5-32-544:ALLOW' >/dev/null || fail "reglookup does not see the descriptor"

# More keys under one parent than hivex can read.
"$edit" many many.hiv 71000
[ "$(reglookup many.hiv | grep -c ',DWORD,')" = 71000 ] || fail "reglookup sees another number of values"
[ "$(regfinfo many.hiv | grep -c '(key:)')" = 71002 ] || fail "regfinfo sees another number of keys"

# Big data. hivex reads up to 999,999 bytes, libregf more.
sizes="4 5 16344 16345 32688 32689 100000 999999"
"$edit" data big.hiv $sizes 1000000
regfexport big.hiv >libregf.txt
for size in $sizes 1000000; do
	awk -v s="$size" '/^Value: /{on = $3 == s} on && /^[0-9a-f]+: /' libregf.txt |
		cut -c11-58 | tr -d ' \n' >libregf.hex
	[ "$(wc -c <libregf.hex)" = $((size * 2)) ] || fail "regfexport reads $(wc -c <libregf.hex) digits of $size bytes"
	[ $size = 1000000 ] || python3 - $size <<'PY' || fail "hivex and libregf read other data of $size bytes"
import subprocess, sys
size = int(sys.argv[1])
want = bytes((j * 31 + j // 251 + '4 5 16344 16345 32688 32689 100000 999999'.split().index(str(size))) & 255
             for j in range(size))
hivex = subprocess.run(['hivexget', 'big.hiv', '\\', str(size)], capture_output=True).stdout
sys.exit(hivex != want or bytes.fromhex(open('libregf.hex').read()) != want)
PY
done

# Random edits, judged by a model that knows nothing of hives.
echo "$runs random edit scripts from seed $seed"
for ((i = seed; i < seed + runs; i++)); do
	"$edit" random - random.hiv model.reg "$i" 60 || fail "seed $i"
	diff -q <(export_hivex random.hiv) model.reg >/dev/null || fail "seed $i: hivex reads another hive than the model"
	counted="$(reglookup random.hiv 2>/dev/null | awk -F, 'NR > 1 {n[$2 == "KEY"]++} END {print n[1] + 0, n[0] + 0}')"
	expected="$(grep -c '^\[' model.reg) $(grep -c '=' model.reg || true)"
	[ "$counted" = "$expected" ] || fail "seed $i: reglookup counts $counted, the model $expected"
done
echo "all readers agree"
