/**
 * imglab/bootprogs: what laboratory discs boot, in place of Microsoft's loaders.
 *
 * Built from tools/imglab/boot/ and linked into the program. Each says on the
 * serial line how far it came and stops a QEMU that has
 * `-device isa-debug-exit,iobase=0x501,iosize=2`: exit status 33 for BIOS, 65 for UEFI.
 */
#ifndef IMGLAB_BOOTPROGS_H
#define IMGLAB_BOOTPROGS_H

#include "base/base.h"

/** 4096 bytes for boot/etfsboot.com: prints BIOSBOOT-OK, reads sector 16. Owned by the caller (g_bytes_unref). */
GBytes *lab_boot_bios(void);

/**
 * A FAT12 volume for efi/microsoft/boot/efisys.bin; lab_boot_efi() lies in it as
 * EFI/BOOT/BOOTX64.EFI. Owned by the caller (g_bytes_unref).
 */
GBytes *lab_boot_efisys(void);

/**
 * An EFI program for efi/boot/bootx64.efi and bootmgr.efi: prints UEFIBOOT-OK, reads start and end of
 * \sources\install.wim on every file system the firmware has. Owned by the caller (g_bytes_unref).
 */
GBytes *lab_boot_efi(void);

#endif
