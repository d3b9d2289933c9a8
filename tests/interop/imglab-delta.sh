#!/usr/bin/env bash
# The lab's differentials and compressed manifests, made by imglab's own encoder, judged by lib/delta: everything comes
# out as it went in, and is as small as it should be.
. "$IB_SRC/tests/lib.sh"
need 7zz wimextract xmllint python3
apply=$IB_BUILD/tool_delta_apply
[ -x "$apply" ] || skip "tool_delta_apply is not built"

# 1. files: a program, a later build of it with moved and changed parts, and edge cases
python3 - <<'PY'
import random
random.seed(7)
def code(n): # what code looks like: short new runs between copies of earlier ones
    out = bytearray()
    while len(out) < n:
        run = random.randrange(4, 36)
        if len(out) > 64 and random.random() < 0.66:
            at = random.randrange(max(0, len(out) - 30000), len(out) - 36)
            out += out[at:at + run]
        else:
            out += random.randbytes(run)
    return out
old = code(150000)
new = bytearray(old)
for _ in range(60):
    new[random.randrange(len(new))] ^= 0x55
new[5000:5000] = random.randbytes(100)
del new[70000:70777]
part = bytes(new[90000:110000])
del new[90000:110000]
new[30000:30000] = part
for name, data in {"old": old, "new": new, "empty": b"", "one": b"a", "same": b"a" * 300000, "noise": random.randbytes(20000)}.items():
    open(name, "wb").write(data)
PY
decode() { # SOURCE DELTA TARGET
	"$apply" apply "$1" "$2" out || fail "$1 -> $3"
	cmp out "$3" || fail "$1 -> $3 differs"
}
for source in - old empty one; do
	for target in old new empty one same noise; do
		for how in "" "--pa31 --crc --codes tables" "--codes default --flags 0x20000" "--no-hash --crc"; do
			from=()
			[ $source = - ] || from=(--source $source)
			# shellcheck disable=SC2086
			"$imglab" delta "${from[@]}" $how -o delta $target
			decode $source delta $target
		done
	done
done
"$imglab" delta --source old --crc --pa31 -o one.pa new
"$imglab" delta --source old --crc --pa31 -o two.pa new
cmp one.pa two.pa || fail "two runs differ"
size=$(stat -c %s one.pa)
[ "$size" -lt 1500 ] || fail "a few changes take $size bytes"
"$apply" info one.pa > info
grep -q 'form=PA31 crc=1' info || fail "not what was asked for"
grep -q "target=$(sha256 new)" info && grep -q "source=$(sha256 old)" info || fail "the hashes it names"
expect 4 'the delta'\''s source must have' "$apply" apply new one.pa out
"$imglab" delta --source old -o plain.pa new
cp old wrong
printf 'xyz' | dd of=wrong bs=1 seek=40000 conv=notrunc 2> /dev/null
expect 4 'the delta'\''s target must have' "$apply" apply wrong plain.pa out
# tables shorten what has enough of it
"$imglab" delta --codes default -o default.pa old
"$imglab" delta --codes tables -o tables.pa old
[ "$(stat -c %s tables.pa)" -lt "$(stat -c %s default.pa)" ] || fail "tables of codes do not pay"

# 2. options that do not belong to a command are refused
expect 2 'base takes no --pa31' "$imglab" base --pa31 -o x
expect 2 'delta takes no --seed' "$imglab" delta --seed 1 -o x old
expect 2 'needs its dictionary' "$imglab" dcm -o x old
expect 3 '' "$imglab" delta --source nothing -o x old

# 3. a store of compressed manifests holds what the plain one does
store() { # DIR OPTION…
	local dir=$1
	shift
	"$imglab" base -o "$dir" "$@"
	(
		cd "$dir"
		7zz x -y -tUdf lab-base.iso sources/install.wim > /dev/null
		wimextract sources/install.wim 1 /Windows/WinSxS/Manifests --dest-dir=. > /dev/null 2>&1
		wimextract sources/install.wim 1 '/Windows/WinSxS/amd64_microsoft-windows-servicingstack_*/wcp.dll' --dest-dir=. > /dev/null 2>&1
	)
}
store plain
store dcm --dcm
"$apply" dictionary dcm/wcp.dll dictionary
size=$(stat -c %s dictionary)
[ "$size" -gt 8000 ] && [ "$size" -lt 10000 ] || fail "the dictionary has $size bytes"
xmllint --noout dictionary
compressed=0 total=0 before=0 after=0
for m in dcm/Manifests/*.manifest; do
	name=$(basename "$m")
	total=$((total + 1))
	if [ "$(head -c 3 "$m")" = DCM ]; then
		compressed=$((compressed + 1)) before=$((before + $(stat -c %s "plain/Manifests/$name"))) after=$((after + $(stat -c %s "$m")))
		"$apply" dcm dictionary "$m" out || fail "$name"
		m=out
	fi
	cmp "$m" "plain/Manifests/$name" || fail "$name is not what it was"
done
[ "$total" -gt 200 ] && [ "$compressed" -lt "$total" ] && [ $((compressed * 100)) -gt $((total * 90)) ] ||
	fail "$compressed of $total manifests are compressed"
[ $((after * 4)) -lt "$before" ] || fail "manifests shrink from $before to $after bytes only"
# another dictionary
printf '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<assembly name="other"/>\r\n' > other.xml
store other --dcm --dictionary other.xml
"$apply" dictionary other/wcp.dll out
cmp out other.xml || fail "another dictionary does not get into wcp.dll"
echo "$compressed of $total manifests compressed, $before to $after bytes; dictionary $size bytes"
