#include "bootprogs.h"

/* Made by `ld -r -b binary`, see cmake/bootprogs.cmake. */
extern const uint8_t _binary_etfsboot_com_start[], _binary_etfsboot_com_end[];
extern const uint8_t _binary_bootx64_efi_start[], _binary_bootx64_efi_end[];
extern const uint8_t _binary_efisys_bin_start[], _binary_efisys_bin_end[];

static GBytes *linked(const uint8_t *start, const uint8_t *end)
{
	return g_bytes_new_static(start, (gsize)((uintptr_t)end - (uintptr_t)start));
}

GBytes *lab_boot_bios(void)
{
	return linked(_binary_etfsboot_com_start, _binary_etfsboot_com_end);
}

GBytes *lab_boot_efisys(void)
{
	return linked(_binary_efisys_bin_start, _binary_efisys_bin_end);
}

GBytes *lab_boot_efi(void)
{
	return linked(_binary_bootx64_efi_start, _binary_bootx64_efi_end);
}
