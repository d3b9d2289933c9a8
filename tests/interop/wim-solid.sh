#!/bin/bash
# Solid and LZMS files, recompression, images left out: our writer, libwim's judgement.
set -euo pipefail

edit=$IB_BUILD/tool_wim_edit
for tool in wimcapture wimverify wimdir wimapply wiminfo; do
	command -v $tool >/dev/null || { echo "SKIPPED: $tool is not installed"; exit 77; }
done
[ -x "$edit" ] || { echo "SKIPPED: $edit is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "FAILED: $*"; exit 1; }
mkdir -p tree/d tree/e
seq 1 60000 >tree/d/numbers && seq 2 60000 >tree/d/others && head -c 500000 /dev/urandom >tree/e/random
ln tree/d/numbers tree/link && : >tree/empty && cp tree/d/others tree/copy
wimcapture tree lzx.wim one --compress=LZX:20 >/dev/null 2>&1
cp -a tree tree2 && seq 3 50000 >tree2/more && wimappend tree2 lzx.wim two >/dev/null 2>&1
seq 7 70000 >new.txt

# judge WIM EXPECTED…: wimverify, applied images are the trees, and our reader agrees
judge() {
	wimverify "$1" >log 2>&1 || { cat log; fail "$1: wimverify"; }
	"$edit" "$1" - verify || fail "$1: our verification"
	local i=1 t
	for t in "${@:2}"; do
		rm -rf applied && wimapply "$1" $i applied >/dev/null 2>&1 && diff -r "$t" applied || fail "$1: image $i"
		i=$((i + 1))
	done
}
info() { wiminfo "$1" | awk -F': *' -v k="$2" '$1 == k { print $2 }'; }

"$edit" lzx.wim solid.esd solid=1 integrity=1 >said && judge solid.esd tree tree2
[ "$(info solid.esd Compression)" = LZMS ] || fail "no LZMS"
wiminfo solid.esd --blobs | grep -qi solid || fail "nothing solid in it"
[ "$(stat -c %s solid.esd)" -lt "$(stat -c %s lzx.wim)" ] || fail "solid is not smaller"
wiminfo --check solid.esd >/dev/null || fail "integrity table"
"$edit" lzx.wim chunks.esd solid=1 solid_chunk=65536 threads=3 >/dev/null && judge chunks.esd tree tree2
"$edit" lzx.wim one.esd solid=1 solid_chunk=65536 threads=1 >/dev/null && cmp chunks.esd one.esd || fail "threads change the result"
"$edit" lzx.wim lzms.wim compression=lzms >/dev/null && judge lzms.wim tree tree2
# from solid to solid with an edit, and back; then one image alone
cp -a tree edited && cp new.txt edited/d/numbers && cp new.txt edited/link && rm -r edited/e
"$edit" solid.esd again.esd solid=1 set link new.txt rm e >/dev/null && judge again.esd edited tree2
"$edit" again.esd back.wim compression=lzx drop 2 >/dev/null && judge back.wim edited
"$edit" lzx.wim second.esd image=2 solid=1 drop 1 >/dev/null && judge second.esd tree2
[ "$(info second.esd 'Image Count')" = 1 ] || fail "one image was left out, and is still there"
# everything compressed anew: a higher level makes it smaller, the tree stays
wimcapture tree fast.wim one --compress=LZX:1 >/dev/null 2>&1
"$edit" fast.wim best.wim recompress=1 level=80 >said && judge best.wim tree
grep -q 'copied 0,' said || fail "content was copied: $(cat said)"
[ "$(stat -c %s best.wim)" -lt "$(stat -c %s fast.wim)" ] || fail "recompression does not pay"
# an empty image has no solid resource
"$edit" - empty.esd new=1 compression=lzx solid=1 mkdir a >/dev/null && wimverify empty.esd >/dev/null 2>&1 || fail "an empty solid one"
echo "libwim reads what we make solid"
