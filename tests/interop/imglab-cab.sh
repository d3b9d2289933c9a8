#!/usr/bin/env bash
# The lab's LZX cabinets, unpacked by 7-Zip, cabextract and libarchive: all three get every byte back.
. "$IB_SRC/tests/lib.sh"
need 7zz cabextract bsdtar python3

mkdir in
python3 - <<'PY'
import random, struct
random.seed(11)
def code(n):
    out = bytearray()
    while len(out) < n:
        run = random.randrange(4, 36)
        if len(out) > 64 and random.random() < 0.66:
            at = random.randrange(max(0, len(out) - 60000), len(out) - 36)
            out += out[at:at + run]
        else:
            out += random.randbytes(run)
    return bytes(out)
far = random.randbytes(3000)
calls = b"".join(b"\xe8" + struct.pack("<i", random.choice([1000, -500, 2000000, -100000, 11999999, 12000000, -i * 9, 5000]))
                 + bytes([random.randrange(256)]) * random.randrange(1, 5) for i in range(30000))
for name, data in {
    "code": code(600000), "calls": calls, "noise": random.randbytes(70001), "same": b"a" * 500000, "one": b"a", "empty": b"",
    "frame": code(32768), "frame1": code(32769), # one data block, and a byte more
    "window": far + random.randbytes((1 << 21) - 3000 - 4) + far, # the farthest match that is made
    "beyond": far + random.randbytes((1 << 21) - 3000) + far,
    "dir/\u8bf4\u660e": "\u8bf4\u660e".encode() * 40,
}.items():
    import os
    os.makedirs(os.path.dirname("in/" + name), exist_ok=True)
    open("in/" + name, "wb").write(data)
PY
cabinet() { # FILE…
	rm -rf out
	mkdir -p out/7zz out/cabextract out/bsdtar
	(cd in && "$imglab" cab -o ../t.cab "$@")
	7zz l -slt t.cab | grep '^Method' | grep 'LZX:21' > /dev/null || fail "it is not LZX:21"
	7zz x -y -oout/7zz t.cab > log || { cat log; fail "7zz"; }
	cabextract -q -d out/cabextract t.cab > log 2>&1 || { cat log; fail "cabextract"; }
	bsdtar -xf t.cab -C out/bsdtar 2> log || { cat log; fail "bsdtar"; }
	local file reader
	for reader in 7zz cabextract bsdtar; do
		for file; do cmp "in/$file" "out/$reader/$file" || fail "$reader: $file of $*"; done
	done
}
cabinet one
cabinet empty one
cabinet frame
cabinet frame1
cabinet noise calls one
cabinet calls
cabinet window
cabinet beyond
cabinet dir/说明 code
cabinet code calls noise same one empty frame frame1 window beyond dir/说明
[ "$(python3 -c 'import struct; print(struct.unpack_from("<H", open("t.cab", "rb").read(), 26)[0])')" -ge 2 ] || fail "it has one folder"
first=$(sha256 t.cab)
cabinet code calls noise same one empty frame frame1 window beyond dir/说明
[ "$(sha256 t.cab)" = "$first" ] || fail "two runs differ"
cabinet same
[ "$(stat -c %s t.cab)" -lt 2000 ] || fail "a run does not shrink"
cabinet noise
[ "$(stat -c %s t.cab)" -lt 70500 ] || fail "what does not shrink grows"
cabinet code
[ "$(stat -c %s t.cab)" -lt 400000 ] || fail "it hardly shrinks"
echo "10 cabinets, three readers"
