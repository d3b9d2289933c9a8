#!/bin/bash
# A disc of ours really boots: SeaBIOS and OVMF under QEMU (no KVM) run the laboratory's boot
# programs from it. BIOS ends with status 33, UEFI with 65 (tools/imglab/boot/).
set -eu

disc=$IB_BUILD/tool_media_disc
ovmf=/usr/share/OVMF
for need in qemu-system-x86_64 "$disc"; do
	command -v "$need" >/dev/null || { echo "SKIPPED: $need is not there, booting was not tested"; exit 77; }
done
[ -r $ovmf/OVMF_CODE_4M.fd ] || { echo "SKIPPED: OVMF is not there, booting was not tested"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/src/{boot,efi/boot,efi/microsoft/boot,sources}
cp "$IB_BUILD/boot/etfsboot.com" "$work/src/boot/"
cp "$IB_BUILD/boot/efisys.bin" "$work/src/efi/microsoft/boot/"
cp "$IB_BUILD/boot/bootx64.efi" "$work/src/efi/boot/"
# what looks like a WIM: the magic at its start, the rest a hole, above 4 GiB when asked
printf 'MSWIM\0\0\0' >"$work/src/sources/install.wim"
truncate -s "${1:-3000001}" "$work/src/sources/install.wim"
"$disc" make "$work/disc.iso" "$work/src" BOOT_TEST 1700000000 bios=boot/etfsboot.com \
	efi=efi/microsoft/boot/efisys.bin reserve=sources/install.wim
"$disc" verify "$work/disc.iso"

common=(-accel tcg -m 256 -display none -serial stdio -monitor none -no-reboot -net none
	-device isa-debug-exit,iobase=0x501,iosize=2)

boot() { # name, expected status, arguments
	local name=$1 want=$2 status=0
	shift 2
	timeout 120 qemu-system-x86_64 "${common[@]}" "$@" </dev/null >"$work/$name.log" 2>&1 || status=$?
	if [ $status -ne "$want" ]; then
		echo "$name: QEMU ended with $status, not $want; its output:"
		cat -v "$work/$name.log"
		exit 1
	fi
}

boot bios 33 -machine pc -boot order=d \
	-drive "file=$work/disc.iso,if=ide,index=0,media=cdrom,format=raw,readonly=on"
grep -q 'BIOSBOOT-OK' "$work/bios.log"
grep -q 'CD001 found' "$work/bios.log"
grep -q 'all eight sectors' "$work/bios.log"

cp $ovmf/OVMF_VARS_4M.fd "$work/vars.fd"
boot uefi 65 -machine q35 \
	-drive "if=pflash,unit=0,format=raw,readonly=on,file=$ovmf/OVMF_CODE_4M.fd" \
	-drive "if=pflash,unit=1,format=raw,file=$work/vars.fd" \
	-drive "file=$work/disc.iso,if=none,id=cd,media=cdrom,format=raw,readonly=on" \
	-device ide-cd,drive=cd,bootindex=0
grep -q 'UEFIBOOT-OK' "$work/uefi.log"
grep -q 'start and end were read' "$work/uefi.log"
echo "booted by BIOS and by UEFI"
