#!/bin/bash
# The ISO that a build makes, read by 7-Zip, libudfread, GRUB, xorriso and libwim, and booted by BIOS and by UEFI.
. "$IB_SRC/tests/lib.sh"
need 7zz grub-fstest xorriso wimverify wiminfo pkg-config
lab
expect 0 'not published' build -o built
iso=$work/built/CMGE_V2020L_9B.iso

# 1. 7-Zip: always with -tUdf, else it falls back to the ISO 9660 side in silence
7zz l -tUdf "$iso" > 7z.txt || fail "7-Zip does not list"
! grep -qiE 'warning|error' 7z.txt || fail "7-Zip complains: $(grep -iE 'warning|error' 7z.txt)"
7zz x -tUdf -bso0 -bsp0 -o7z "$iso" || fail "7-Zip does not extract"
7zz x -tUdf -bso0 -bsp0 -obase "$media/lab-base.iso"
diff -rq base 7z > differ || true
# the images, and what follows the serviced boot.wim
changed="bootmgr bootmgr.efi efi/boot/bootx64.efi sources/boot.wim sources/install.wim sources/setup.exe sources/setuphost.exe"
[ "$(sort differ)" = "$(for f in $changed; do echo "Files base/$f and 7z/$f differ"; done)" ] ||
	fail "other files than the images changed: $(cat differ)"

# 2. libwim opens whole files only: both images as 7-Zip read them
for wim in install boot; do
	wimverify "7z/sources/$wim.wim" > wimverify.log 2>&1 || { cat wimverify.log; fail "wimverify refuses $wim.wim"; }
done

# 3. libudfread
if cc -o udfread "$IB_SRC/tests/interop/udfread/udfread.c" $(pkg-config --cflags --libs libudfread) 2> cc.log; then
	(cd 7z && find . -type f -printf '%P\n') | while read -r f; do
		./udfread "$iso" "/$f" | cmp - "7z/$f" || fail "libudfread reads other bytes of $f"
	done
else
	echo "libudfread-dev is not there, that part was not tested"
fi

# 4. GRUB, the strictest about descriptors' checksums
for d in / /sources /boot /efi/microsoft/boot; do
	grub-fstest "$iso" ls "(loop0)$d" > grub.txt || fail "GRUB does not list $d"
	(cd "7z$d" && ls -A) | while read -r f; do grep -qi -- "$f" grub.txt || fail "GRUB does not show $d/$f"; done
done
for f in sources/install.wim sources/boot.wim bootmgr; do
	[ "$(grub-fstest "$iso" crc "(loop0)/$f")" = "$(7zz h -scrcCRC32 "7z/$f" | awk '/^CRC32  for data/ { print tolower($4) }')" ] ||
		fail "GRUB reads other bytes of $f"
done

# 5. the boot catalogue: BIOS and UEFI, no emulation, the base's own images
xorriso -indev "$iso" -report_el_torito plain > torito.txt 2> xorriso.log || { cat xorriso.log; fail "xorriso refuses the disc"; }
grep -Eq 'El Torito boot img : +1 +BIOS +y +none' torito.txt || { cat torito.txt; fail "no BIOS entry"; }
grep -Eq 'El Torito boot img : +2 +UEFI +y +none' torito.txt || { cat torito.txt; fail "no UEFI entry"; }
[ "$(xorriso -indev "$iso" -pvd_info 2> /dev/null | sed -nE "s/^Volume Id +: //p")" = CMGE_V2020L_9B ] || fail "the label"

# 6. it boots: the laboratory's programs end QEMU with 33 (BIOS) and 65 (UEFI), and find install.wim
ovmf=/usr/share/OVMF
command -v qemu-system-x86_64 > /dev/null && [ -r $ovmf/OVMF_CODE_4M.fd ] || skip "QEMU or OVMF is not there; the rest is good"
common=(-accel tcg -m 256 -display none -serial stdio -monitor none -no-reboot -net none
	-device isa-debug-exit,iobase=0x501,iosize=2)
boot() { # NAME STATUS ARGUMENT…
	local name=$1 want=$2 status=0
	shift 2
	timeout 120 qemu-system-x86_64 "${common[@]}" "$@" < /dev/null > "$name.log" 2>&1 || status=$?
	[ $status = "$want" ] || { cat -v "$name.log"; fail "$name: QEMU ended with $status, not $want"; }
}
boot bios 33 -machine pc -boot order=d -drive "file=$iso,if=ide,index=0,media=cdrom,format=raw,readonly=on"
grep -q BIOSBOOT-OK bios.log || fail "the BIOS program"
cp $ovmf/OVMF_VARS_4M.fd vars.fd
boot uefi 65 -machine q35 -drive "if=pflash,unit=0,format=raw,readonly=on,file=$ovmf/OVMF_CODE_4M.fd" \
	-drive "if=pflash,unit=1,format=raw,file=vars.fd" -drive "file=$iso,if=none,id=cd,media=cdrom,format=raw,readonly=on" \
	-device ide-cd,drive=cd,bootindex=0
grep -q UEFIBOOT-OK uefi.log || fail "the UEFI program"
echo "ok: read by five programs, booted by BIOS and by UEFI"
