#!/bin/bash
# Discs of ours read by others (7-Zip, libudfread, GRUB, xorriso, isoinfo), discs of others
# (genisoimage, xorriso) read by us.
set -eu

disc=$IB_BUILD/tool_media_disc
for need in "$disc" 7zz grub-fstest xorriso isoinfo genisoimage; do
	command -v "$need" >/dev/null || { echo "SKIPPED: $need is not there"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1700000000

fail() { echo "FAILED: $*"; exit 1; }
bytes() { head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K 00 -iv "$2" 2>/dev/null; } # size, seed

# ---- a tree with what is hard in it ----
mkdir -p src/{boot,efi/microsoft/boot,sources,empty}
bytes 4096 1 >src/boot/etfsboot.com
bytes 1474560 2 >src/efi/microsoft/boot/efisys.bin
bytes 3000001 3 >src/sources/boot.wim
bytes 70000 4 >src/sources/install.wim
truncate -s $((0x3FFFF800 - 5)) src/sources/install.wim # two extents: the mark crosses their border
printf 'across the border' >>src/sources/install.wim
: >src/nothing
bytes 2048 5 >src/sector
bytes 2049 6 >src/sector1
echo 1 >'src/semi;colon.txt'
echo 2 >'src/Имя 中文.txt'
echo 3 >'src/emoji😀.txt'
echo 4 >src/Ünïcödé.txt
echo 5 >"src/$(printf 'long%0196d' 0)"
echo 6 >"src/$(printf '中%.0s' {1..70})"
deep=src/d
for i in $(seq 30); do deep=$deep/level$i; done
mkdir -p "$deep"
echo 7 >"$deep/file"
mkdir src/many
for i in $(seq 400); do echo "$i" >"src/many/a file with a name that is not short $i.mum"; done

args=(src TEST_LABEL 1700000000 bios=boot/etfsboot.com efi=efi/microsoft/boot/efisys.bin
	reserve=sources/boot.wim reserve=sources/install.wim)
"$disc" make a.iso "${args[@]}"
"$disc" make b.iso "${args[@]}"
cmp a.iso b.iso || fail "two runs differ"
rm b.iso
"$disc" verify a.iso
"$disc" extract a.iso own || fail "own extraction"
diff -r src own || fail "own reader differs"
rm -rf own

# ---- 7-Zip; always with -tUdf, else it falls back to README.TXT in silence ----
7zz l -tUdf a.iso >7z.txt || fail "7-Zip does not list"
grep -q '1073739788 .*sources/install.wim' 7z.txt || fail "7-Zip shows another size of install.wim"
! grep -qi 'warning\|error' 7z.txt || fail "7-Zip complains"
7zz x -tUdf -bso0 -bsp0 -o7z a.iso || fail "7-Zip does not extract"
diff -r src 7z || fail "7-Zip reads other bytes"
rm -rf 7z

# ---- libudfread ----
if cc -o udfread "$IB_SRC/tests/interop/udfread/udfread.c" $(pkg-config --cflags --libs libudfread) 2>cc.log; then
	for f in sources/install.wim sources/boot.wim efi/microsoft/boot/efisys.bin nothing sector1 'Имя 中文.txt' \
			"${deep#src/}/file" 'many/a file with a name that is not short 400.mum'; do
		./udfread a.iso "/$f" | cmp - "src/$f" || fail "libudfread reads other bytes of $f"
	done
else
	echo "libudfread-dev is not there, that part was not tested"
fi

# ---- GRUB ----
grub-fstest "$PWD/a.iso" ls '(loop0)/sources/' | grep >/dev/null 'boot.wim install.wim' || fail "GRUB does not list"
grub-fstest "$PWD/a.iso" cat '(loop0)/sources/boot.wim' | cmp - src/sources/boot.wim || fail "GRUB reads other bytes"

# ---- the ISO 9660 side and the boot entries ----
xorriso -indev a.iso -report_el_torito plain >xorriso.txt 2>xorriso.err || fail "xorriso"
grep -q 'El Torito catalog  : 22  1' xorriso.txt || fail "catalogue is not in sector 22"
grep -Eq 'boot img :   1  BIOS  y   none  0x0000  0x00      8 ' xorriso.txt || fail "BIOS entry"
grep -Eq 'boot img :   2  UEFI  y   none  0x0000  0x00      1 ' xorriso.txt || fail "EFI entry"
isoinfo -d -i a.iso >isoinfo.txt || fail "isoinfo"
grep -q 'Volume id: TEST_LABEL' isoinfo.txt || fail "label"
grep -q "Volume size is: $(($(stat -c %s a.iso) / 2048))" isoinfo.txt || fail "volume size"
isoinfo -l -i a.iso | grep >/dev/null 'README.TXT' || fail "README.TXT"
if command -v udfinfo >/dev/null; then
	udfinfo a.iso >udfinfo.txt || fail "udfinfo"
	grep -q 'udfrev=1.02' udfinfo.txt && grep -q 'integrity=closed' udfinfo.txt || fail "udfinfo says: $(cat udfinfo.txt)"
fi
rm -rf a.iso

# ---- discs of others; names that genisoimage would cut or change are left out ----
rm -rf src/*long* src/中* src/emoji* src/semi* src/d
truncate -s 5000001 src/sources/install.wim
genisoimage -quiet -b boot/etfsboot.com -no-emul-boot -boot-load-size 8 -eltorito-alt-boot \
	-e efi/microsoft/boot/efisys.bin -no-emul-boot -boot-load-size 1 -udf -iso-level 3 -hide '*' \
	-input-charset utf-8 -allow-limited-size -V GENISO -o g.iso src 2>g.err || fail "genisoimage: $(cat g.err)"
"$disc" extract g.iso gen || fail "genisoimage's UDF"
rm -f gen/boot.catalog gen/boot/boot.cat
diff -r src gen || fail "genisoimage's disc differs"
"$disc" boot g.iso >g.boot
grep -q '^00 8 [0-9]* 4096 boot/etfsboot.com' g.boot && grep -q '^ef 1 [0-9]* 1474560 efi/microsoft/boot/efisys.bin' g.boot ||
	fail "genisoimage's boot entries: $(cat g.boot)"
rm -rf gen g.iso

xorriso -as mkisofs -quiet -J -joliet-long -iso-level 3 -V XORRISO -b boot/etfsboot.com -no-emul-boot \
	-boot-load-size 8 -o x.iso src 2>x.err || fail "xorriso: $(cat x.err)"
"$disc" extract x.iso joliet || fail "xorriso's Joliet tree"
rm -f joliet/boot.catalog joliet/boot/boot.cat
diff -r src joliet || fail "xorriso's disc differs"
rm -rf x.iso joliet
xorriso -as mkisofs -quiet -iso-level 3 -V PLAIN -o x.iso src/boot src/efi 2>x.err || fail "xorriso: $(cat x.err)"
"$disc" list x.iso | grep >/dev/null '^4096 ETFSBOOT.COM$' || fail "plain ISO 9660 names: $("$disc" list x.iso)"
! "$disc" verify x.iso 2>verify.err || fail "a disc without UDF was verified"
grep -q 'no UDF volume' verify.err || fail "verify says: $(cat verify.err)"
echo "all readers agree"
