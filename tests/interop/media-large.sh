#!/bin/bash
# Files above 4 GiB: ours read by 7-Zip and libudfread, xorriso's (ISO 9660 level 3, several
# extents) read by us. The files are holes but for marks, so our disc takes little room.
set -eu

disc=$IB_BUILD/tool_media_disc
for need in "$disc" 7zz xorriso; do
	command -v "$need" >/dev/null || { echo "SKIPPED: $need is not there"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1700000000
size=4400000004

fail() { echo "FAILED: $*"; exit 1; }
free=$(df --output=avail -B1 . | tail -1)
[ "$free" -gt 6000000000 ] || { echo "SKIPPED: 6 GB of temporary room are needed, $free are there"; exit 77; }

mkdir -p src/sources
truncate -s 4294967290 src/sources/install.wim
printf 'across 4 GiB' >>src/sources/install.wim
truncate -s $((size - 4)) src/sources/install.wim
printf tail >>src/sources/install.wim
echo small >src/small.txt

"$disc" make a.iso src LARGE 1700000000 reserve=sources/install.wim
"$disc" verify a.iso
7zz l -tUdf a.iso | grep >/dev/null "$size .*sources/install.wim" || fail "7-Zip shows another size"
7zz x -tUdf -so -bd a.iso sources/install.wim 2>/dev/null | cmp - src/sources/install.wim || fail "7-Zip reads other bytes"
if cc -o udfread "$IB_SRC/tests/interop/udfread/udfread.c" $(pkg-config --cflags --libs libudfread) 2>cc.log; then
	./udfread a.iso /sources/install.wim | cmp - src/sources/install.wim || fail "libudfread reads other bytes"
fi
rm a.iso

xorriso -as mkisofs -quiet -J -iso-level 3 -V XORRISO -o x.iso src 2>x.err || fail "xorriso: $(cat x.err)"
"$disc" list x.iso | grep >/dev/null "^$size sources/install.wim$" || fail "xorriso's disc: $("$disc" list x.iso)"
"$disc" cat x.iso SOURCES/INSTALL.WIM | cmp - src/sources/install.wim || fail "xorriso's disc differs"
echo "all readers agree"
