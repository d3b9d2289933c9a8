#!/bin/bash
# lib/wim against libwim's tools: WIMs made by wimcapture are edited by our code, and libwim judges the result.
set -euo pipefail

edit=$IB_BUILD/tool_wim_edit
for tool in wimcapture wimverify wimdir wimapply wiminfo mkntfs; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$edit" ] || { echo "skipped: $edit is not built"; exit 77; }
work=$(mktemp -d)
trap 'umount "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

# S:SYSTEM full, owner Administrators, group SYSTEM, by hand from MS-DTYP 2.4.6
sd=010004801400000024000000000000003000000001020000000000052000000020020000
sd+=01010000000000051200000002001c000100000000031400ff011f00010100000000000512000000
sddl='O:BAG:SYD:(A;OICI;FA;;;SY)'
failed=0
fail() { echo "FAILED: $*"; failed=1; }
verify() { wimverify "$1" >log 2>&1 || { cat log; fail "$2: wimverify"; }; }
blobs() { wiminfo "$1" --blobs | grep -E '^(Hash|Uncompressed|Reference|Flags)' | paste - - - - | grep -v METADATA | cut -f1-3 | sort; }
sums() { wiminfo "$1" | grep -E '^(Directory|File) Count|^(Total|Hard Link) Bytes'; }
listing() { wimdir --detailed "$@" | grep -vE '^(Offset|Compressed|Link Group)'; }

make_tree() {
	mkdir -p tree/Windows/System32 tree/Windows/WinSxS/comp tree/empty
	for n in a B c _x '[y' Zed zed é É ä 'z~' '^q' 1 10 2; do echo "$n" >"tree/$n"; done
	head -c 100000 /dev/urandom >tree/random
	yes hello | head -c 300000 >tree/Windows/WinSxS/comp/text || true
	ln tree/Windows/WinSxS/comp/text tree/Windows/System32/text
	ln tree/Windows/WinSxS/comp/text tree/text
	cp tree/text tree/copy
	ln -s Windows tree/link
	: >tree/nothing
	head -c 3000000 /dev/urandom | od -An -tx1 >big.txt
	head -c 700000 /dev/urandom >random.bin
}

edits=(put 'Windows\System32\big.txt' big.txt "$sddl" 0x20 put Windows/random.bin random.bin - 0x21
	set text random.bin link text 'empty\hard' rm zed mv copy empty/moved.txt mkdir 'new\deep\er' set ä big.txt
	attr nothing 0x22 sd a "$sddl")

# The edited WIM, applied, must be the tree edited by hand, and libwim's capture of that must count the same.
check_edit() { # WIM, options
	rm -rf out.wim applied captured.wim
	"$edit" "$1" out.wim "${@:2}" "${edits[@]}" >/dev/null || { fail "$*: edit"; return; }
	verify out.wim "$*"
	"$edit" out.wim - verify || fail "$*: our verification"
	wimapply out.wim applied >/dev/null 2>&1 || fail "$*: wimapply"
	cmp -s applied/Windows/System32/big.txt big.txt || fail "$*: new file"
	cmp -s applied/empty/hard random.bin && cmp -s applied/Windows/WinSxS/comp/text random.bin || fail "$*: replaced"
	[ "$(stat -c %h applied/text)" = 4 ] || fail "$*: links"
	cmp -s applied/empty/moved.txt tree/copy || fail "$*: moved file"
	[ -d applied/new/deep/er ] && [ ! -e applied/zed ] && [ -e applied/Zed ] || fail "$*: mkdir, rm"
	wimcapture applied captured.wim --compress=none >/dev/null 2>&1
	diff <(blobs out.wim) <(blobs captured.wim) || fail "$*: reference counts"
	diff <(sums out.wim) <(sums captured.wim) || fail "$*: sums in the XML"
	diff <(wimdir out.wim) <(wimdir captured.wim) || fail "$*: order of names"
	wimdir out.wim --detailed --path=/a | grep >/dev/null -i 'Security Descriptor = ' || fail "$*: descriptor"
}

make_tree
wimcapture tree lzx.wim --compress=LZX:20 >/dev/null 2>&1
wimcapture tree xpress.wim --compress=XPRESS >/dev/null 2>&1
wimcapture tree none.wim --compress=none >/dev/null 2>&1
wimcapture tree solid.esd --solid --compress=LZMS:20 >/dev/null 2>&1

for from in lzx xpress none; do
	rm -f same.wim
	"$edit" $from.wim same.wim >/dev/null || fail "$from: rewrite"
	verify same.wim "$from rewritten"
	diff <(wimdir --detailed $from.wim) <(wimdir --detailed same.wim) >/dev/null || fail "$from: rewritten tree differs"
	# nothing changed: everything behind the header up to the blob table is the same bytes
	end=$(wiminfo $from.wim --header | awk '/Blob Table Offset/ {print $5}')
	cmp -s -n $((end - 208)) -i 208 $from.wim same.wim || fail "$from: content was not copied as it lies"
	check_edit $from.wim
	for to in none xpress lzx; do check_edit $from.wim compression=$to; done
	check_edit $from.wim compression=lzx chunk=131072 integrity=1
	check_edit $from.wim spool="$work" level=1
done
check_edit solid.esd compression=lzx
check_edit solid.esd compression=none

# the integrity table is one that libwim believes
rm -f out.wim && "$edit" lzx.wim out.wim integrity=1 "${edits[@]}" >/dev/null
wimverify out.wim 2>&1 | grep >/dev/null -i 'does not contain integrity' && fail "integrity table missing"
wiminfo --check out.wim >/dev/null || fail "integrity table wrong"

# threads do not change a byte
rm -f one.wim many.wim
"$edit" lzx.wim one.wim threads=1 "${edits[@]}" >/dev/null
"$edit" lzx.wim many.wim threads=7 "${edits[@]}" >/dev/null
cmp one.wim many.wim || fail "number of threads changes the result"

# in the middle of another file
head -c 5000000 /dev/urandom >disc && cp disc before
"$edit" lzx.wim disc base=1000448 integrity=1 "${edits[@]}" >said
size=$(awk '{print $1}' said)
cmp -s -n 1000448 disc before || fail "bytes in front of the region changed"
head -c $((1000448 + size)) disc | tail -c "$size" >cut.wim
verify cut.wim "cut out of the middle"
cmp -s cut.wim <("$edit" lzx.wim whole.wim integrity=1 "${edits[@]}" >/dev/null; cat whole.wim) || fail "base changes bytes"

# two images that share blobs; the second stays unloaded; then the first goes
cp lzx.wim two.wim && cp -a tree tree2 && echo more >tree2/more && wimappend tree2 two.wim second >/dev/null 2>&1
rm -f out.wim && "$edit" two.wim out.wim rm 'Windows\System32' boot 2 >/dev/null
verify out.wim "two images"
wimdelete --soft two.wim 1 >/dev/null 2>&1 || fail "wimdelete"
rm -rf t1 && wimapply out.wim 1 t1 >/dev/null 2>&1
wimcapture t1 ref.wim x --compress=none >/dev/null 2>&1 && wimappend tree2 ref.wim y >/dev/null 2>&1
diff <(blobs out.wim) <(blobs ref.wim) || fail "reference counts over two images"
wiminfo out.wim | grep >/dev/null 'Boot Index: *2' || fail "boot index"
rm -f last.wim && "$edit" out.wim last.wim image=2 drop 1 >/dev/null
verify last.wim "one of two"
wimcapture tree2 ref1.wim x --compress=none >/dev/null 2>&1
diff <(blobs last.wim) <(blobs ref1.wim) || fail "reference counts after dropping an image"
wiminfo last.wim | grep >/dev/null 'Boot Index: *1' || fail "boot index after dropping"

# split: all parts are read, bytes are copied as they lie, the result is whole
head -c 3000000 /dev/urandom >tree2/bulk && head -c 2000000 /dev/urandom >tree2/bulk2
wimcapture tree2 unsplit.wim x --compress=LZX >/dev/null 2>&1
mkdir -p parts && wimsplit unsplit.wim parts/name.swm 1 >/dev/null 2>&1
[ -e parts/name3.swm ] || fail "wimsplit made fewer parts than this test needs"
rm -f out.wim && "$edit" parts/name.swm out.wim >said || fail "split: rewrite"
grep -q 'new 0, recompressed 0' said || fail "split: content was not copied"
verify out.wim "joined"
diff <(wimdir --detailed unsplit.wim | grep -v '^Offset') <(wimdir --detailed out.wim | grep -v '^Offset') >/dev/null || fail "split: tree"
"$edit" parts/name.swm - verify || fail "split: our verification"
rm -f out.wim && "$edit" parts/name.swm out.wim set a random.bin rm bulk2 >/dev/null && verify out.wim "split, edited"
refuse() { # TEXT, WIM: the right code and words
	local got=0
	"$edit" "$2" - >log 2>&1 || got=$?
	[ $got = 3 ] && grep -q "$1" log || { cat log; fail "split: status $got, not 3 with '$1'"; }
}
refuse 'is part 2 of a split WIM' parts/name2.swm
mv parts/name2.swm parts/kept && refuse 'opening part 2 of' parts/name.swm
cp parts/name3.swm parts/name2.swm && refuse 'is part 3 of a split WIM, part 2 was expected' parts/name.swm
cp parts/kept parts/name2.swm && printf x | dd of=parts/name2.swm bs=1 seek=24 conv=notrunc 2>/dev/null && refuse 'GUID differs' parts/name.swm

# a new WIM
rm -f out.wim && "$edit" - out.wim new=1 compression=lzx mkdir 'a\b' put 'a\b\c.txt' big.txt "$sddl" 0x20 >/dev/null
verify out.wim "new"
wimextract out.wim 1 /a/b/c.txt --to-stdout 2>/dev/null | cmp -s - big.txt || fail "new: content"

# damage is found, and named
cp lzx.wim bad.wim && at=$(wimdir lzx.wim --detailed --path=/random | awk '/Offset in WIM/ {print $5}')
printf 'damage' | dd of=bad.wim bs=1 seek=$((at + 1000)) conv=notrunc 2>/dev/null
if "$edit" bad.wim - verify 2>said; then fail "damage not found"; fi
grep -q "verifying 'random' of image 1" said || { cat said; fail "damaged file not named"; }

# NTFS: descriptors, short names, named streams, object ids, links, reparse points
ntfs() {
	truncate -s 64M ntfs.img && mkntfs -F -q -p 0 -H 0 -S 0 ntfs.img >/dev/null 2>&1
	mkdir -p mnt && ntfs-3g -o streams_interface=windows ntfs.img mnt 2>/dev/null || return 1
	mkdir -p mnt/Windows/comp mnt/System32
	echo library >'mnt/Windows/comp/long file name.dll'
	setfattr -h -n system.ntfs_dos_name -v LONGFI~1.DLL 'mnt/Windows/comp/long file name.dll'
	echo linked >mnt/Windows/comp/linked.dll
	ln mnt/Windows/comp/linked.dll mnt/System32/linked.dll
	echo content >mnt/plain.txt && echo alternate >mnt/plain.txt:alt
	setfattr -n system.ntfs_acl -v 0x$sd mnt/plain.txt
	setfattr -h -n system.ntfs_object_id -v 0x00112233445566778899aabbccddeeff mnt/plain.txt
	setfattr -h -n system.ntfs_attrib -v 0x23000000 mnt/plain.txt
	ln -s plain.txt mnt/symbolic
	umount mnt
	wimcapture ntfs.img ntfs.wim --compress=LZX:20 >/dev/null 2>&1
}
check_ntfs() {
	rm -f out.wim
	"$edit" ntfs.wim out.wim set 'Windows\comp\linked.dll' big.txt put 'System32\new.dll' big.txt "$sddl" 0x26 >/dev/null
	verify out.wim ntfs
	for f in '/Windows/comp/long file name.dll' /plain.txt /symbolic; do
		diff <(listing ntfs.wim --path="$f") <(listing out.wim --path="$f") || fail "ntfs: $f is not what it was"
	done
	wimdir out.wim --detailed --path=/plain.txt | grep >/dev/null "Object ID *= 0x00112233" || fail "ntfs: object id"
	wimdir out.wim --detailed --path='/Windows/comp/long file name.dll' | grep >/dev/null 'LONGFI~1.DLL' || fail "ntfs: short name"
	truncate -s 64M back.img && mkntfs -F -q -p 0 -H 0 -S 0 back.img >/dev/null 2>&1
	wimapply out.wim 1 back.img >/dev/null 2>&1 || fail "ntfs: wimapply to a volume"
	ntfs-3g -o streams_interface=windows back.img mnt
	[ "$(getfattr --only-values -n system.ntfs_acl mnt/plain.txt 2>/dev/null | od -An -v -tx1 | tr -d ' \n')" = $sd ] ||
		fail "ntfs: descriptor after applying"
	[ "$(getfattr --only-values -n system.ntfs_dos_name "mnt/Windows/comp/long file name.dll" 2>/dev/null)" = LONGFI~1.DLL ] ||
		fail "ntfs: short name after applying"
	getfattr -e hex -n system.ntfs_attrib mnt/System32/new.dll 2>/dev/null | grep >/dev/null -i '0x26000000' || fail "ntfs: attributes"
	[ "$(cat mnt/plain.txt:alt)" = alternate ] || fail "ntfs: named stream"
	cmp -s mnt/System32/linked.dll big.txt && [ "$(stat -c %h mnt/System32/linked.dll)" = 2 ] || fail "ntfs: links"
	umount mnt
}
if command -v setfattr >/dev/null && ntfs; then
	check_ntfs
else
	echo "left out: NTFS volumes cannot be mounted here"
fi

exit $failed
