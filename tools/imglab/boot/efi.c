/*
 * The EFI program of laboratory discs. Says on the console how far it came,
 * looks for \sources\install.wim on every file system the firmware knows, reads
 * its start and its end, then stops the virtual machine through port 0x501
 * (isa-debug-exit): 0x20 = all well (exit status 65), 0x21 = not (67).
 */
#include <efi.h>
#include <efilib.h>

#define EXIT_PORT 0x501

static void stop(UINT8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"((UINT16)EXIT_PORT));
	for (;;)
		__asm__ volatile("hlt");
}

static BOOLEAN read_at(EFI_FILE_HANDLE file, UINT64 offset, void *buf, UINTN want)
{
	UINTN got = want;

	return uefi_call_wrapper(file->SetPosition, 2, file, offset) == EFI_SUCCESS &&
	       uefi_call_wrapper(file->Read, 3, file, &got, buf) == EFI_SUCCESS && got == want;
}

static BOOLEAN is_wim(EFI_FILE_HANDLE file)
{
	static const UINT8 magic[8] = { 'M', 'S', 'W', 'I', 'M', 0, 0, 0 };
	EFI_FILE_INFO *info = LibFileInfo(file);
	UINT8 buf[sizeof magic];
	UINTN i;

	if (!info || info->FileSize < sizeof magic || !read_at(file, 0, buf, sizeof magic))
		return FALSE;
	for (i = 0; i < sizeof magic; i++)
		if (buf[i] != magic[i])
			return FALSE;
	if (!read_at(file, info->FileSize - sizeof buf, buf, sizeof buf))
		return FALSE;
	Print(L"install.wim has %ld bytes, start and end were read\r\n", info->FileSize);
	return TRUE;
}

static BOOLEAN look_on(EFI_HANDLE volume)
{
	EFI_FILE_HANDLE root = LibOpenRoot(volume), file;
	BOOLEAN found = FALSE;

	if (!root)
		return FALSE;
	if (uefi_call_wrapper(root->Open, 5, root, &file, L"\\sources\\install.wim", EFI_FILE_MODE_READ, 0) == EFI_SUCCESS) {
		found = is_wim(file);
		uefi_call_wrapper(file->Close, 1, file);
	}
	uefi_call_wrapper(root->Close, 1, root);
	return found;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_GUID protocol = SIMPLE_FILE_SYSTEM_PROTOCOL;
	EFI_HANDLE *volumes = NULL;
	UINTN count = 0, i;
	BOOLEAN found = FALSE;

	InitializeLib(image, table);
	Print(L"UEFIBOOT-OK\r\n");
	if (LibLocateHandle(ByProtocol, &protocol, NULL, &count, &volumes) != EFI_SUCCESS)
		count = 0;
	for (i = 0; i < count; i++)
		found = look_on(volumes[i]) || found;
	if (!found)
		Print(L"UEFIBOOT-FAILED: no install.wim on %d file systems\r\n", (int)count);
	stop(found ? 0x20 : 0x21);
	return EFI_SUCCESS;
}
