/* Driver packages: a table of INF texts, files, signers and flaws. */
#include "drivers.h"

#include <string.h>

#include "base/file.h"
#include "base/unicode.h"

#include "catalog.h"
#include "content.h"
#include "pe.h"

#define FILES 4

enum flaw { FLAW_NONE, FLAW_NO_CATALOG, FLAW_CHANGED };

/* A row: one package. */
struct row {
	const char *folder, *inf_name;
	const char *catalog;      /* file name; NULL: none is made */
	const char *inf;
	const char *files[FILES]; /* programs, below the folder; '/' between names */
	enum lab_signer signer;
	enum flaw flaw;
	bool wide;                /* INF in UTF-16 */
};

#define VERSION(class, guid, catalog)                                                                                       \
	"; A laboratory driver: the program does nothing.\r\n[Version]\r\nSignature   = \"$WINDOWS NT$\"\r\n"                    \
	"Class       = " class "\r\nClassGuid   = " guid "\r\nProvider    = %Lab%\r\nDriverVer   = 09/14/2021,10.1.2183.4\r\n"    \
	catalog "PnpLockdown = 1\r\n\r\n"
#define STRINGS "[Strings]\r\nLab = \"Imglab\"\r\nDisk = \"Lab storage\"\r\n"

/* The part that most packages share: one device, one service that starts at boot. */
#define DISK(arch, catalog, source, copy)                                                                                   \
	VERSION("SCSIAdapter", "{4D36E97B-E325-11CE-BFC1-08002BE10318}", catalog)                                               \
	"[Manufacturer]\r\n%Lab% = LabDisk, NT" arch ", NT" arch ".10.0...22000\r\n\r\n"                                         \
	"[LabDisk.NT" arch "]\r\n%Disk% = Disk_Inst, PCI\\VEN_1AB0&DEV_0001&SUBSYS_00011AB0, PCI\\VEN_1AB0&DEV_0001\r\n\r\n"      \
	"[LabDisk.NT" arch ".10.0...22000]\r\n%Disk% = Other_Inst, PCI\\VEN_1AB0&DEV_0002\r\n\r\n"                                \
	"[SourceDisksNames]\r\n1 = %Disk%,,,\r\n\r\n[SourceDisksFiles]\r\nlabdisk.sys = 1" source "\r\n\r\n"                       \
	"[DestinationDirs]\r\nDefaultDestDir = 12\r\nTools = 11\r\n\r\n"                                                         \
	"[Other_Inst]\r\nCopyFiles = @labdisk.sys\r\n\r\n[Disk_Inst]\r\nCopyFiles = " copy "\r\n"

#define DISK_SERVICE                                                                                                        \
	"[Disk_Inst.Services]\r\nAddService = labdisk, 0x2, Disk_Service, Disk_Events\r\n\r\n"                                   \
	"[Disk_Service]\r\nDisplayName    = %Disk%\r\nServiceType    = 1\r\nStartType      = 0\r\nErrorControl   = 1\r\n"         \
	"ServiceBinary  = %12%\\labdisk.sys\r\nLoadOrderGroup = \"SCSI miniport\"\r\nDependencies   = +Base\r\n"                  \
	"AddReg         = Disk_Parameters\r\n\r\n"                                                                              \
	"[Disk_Parameters]\r\nHKR, \"Parameters\", \"BusType\", %REG_DWORD%, 0x0a\r\n"                                           \
	"HKR, \"Parameters\\PnpInterface\", \"5\", %REG_DWORD%, 1\r\n\r\n"                                                       \
	"[Disk_Events]\r\nAddReg = Disk_EventLog\r\n\r\n"                                                                       \
	"[Disk_EventLog]\r\nHKR,, EventMessageFile, 0x00020000, \"%%SystemRoot%%\\System32\\IoLogMsg.dll\"\r\n"                   \
	"HKR,, TypesSupported, %REG_DWORD%, 7\r\n\r\n"

static const char disk_inf[] =
	DISK("amd64", "CatalogFile = labdisk.cat\r\n", "\r\nlabdisk.exe = 1", "@labdisk.sys, Tools")
	"AddReg    = Disk_Registry\r\nDelReg    = Disk_Gone\r\n\r\n"
	"[Tools]\r\nlabdisktool.exe, labdisk.exe\r\n\r\n"
	"[Disk_Registry]\r\n"
	"HKLM, \"SOFTWARE\\Imglab\\Disk\", \"Text\",, \"with \"\"quotes\"\", and a comma\"\r\n"
	"HKLM, \"SOFTWARE\\Imglab\\Disk\", \"Number\", %REG_DWORD%, 0x2a\r\n"
	"HKLM, \"SOFTWARE\\Imglab\\Disk\", \"Bytes\", 0x00000001, 01,02, \\\r\n    ff\r\n"
	"HKLM, \"SOFTWARE\\Imglab\\Disk\", \"Many\", 0x00010000, \"one\", \"two\"\r\n"
	"HKLM, \"SOFTWARE\\Imglab\\Disk\", \"Path\", 0x00020000, \"%11%\\labdisktool.exe\"\r\n"
	"HKLM, \"SYSTEM\\CurrentControlSet\\Control\\Imglab\", \"Set\", %REG_DWORD%, 1\r\n"
	"HKR,, \"DriverKey\", %REG_DWORD%, 3\r\n\r\n"
	"[Disk_Gone]\r\nHKLM, \"SYSTEM\\CurrentControlSet\\Control\\Imglab\", \"Old\"\r\n\r\n"
	"[Disk_Inst.HW]\r\nAddReg = Disk_Device\r\n\r\n"
	"[Disk_Device]\r\nHKR, \"Interrupt Management\\MessageSignaledInterruptProperties\", \"MSISupported\", %REG_DWORD%, 1\r\n\r\n"
	DISK_SERVICE STRINGS "REG_DWORD = 0x00010001\r\n";

static const char nic_inf[] =
	VERSION("Net", "{4d36e972-e325-11ce-bfc1-08002be10318}", "CatalogFile.NTamd64 = labnic.cat\r\n")
	"[Manufacturer]\r\n%Lab% = LabNic, NTx86, NTamd64.10.0\r\n\r\n"
	"[LabNic.NTx86]\r\n%Nic% = Nic_Inst, PCI\\VEN_1AB0&DEV_1000\r\n\r\n"
	"[LabNic.NTamd64.10.0]\r\n%Nic% = Nic_Inst, PCI\\VEN_1AB0&DEV_1001\r\n\r\n"
	"[SourceDisksNames.amd64]\r\n1 = %Nic%,,,\\amd64\r\n\r\n[SourceDisksNames.x86]\r\n1 = %Nic%,,,\\i386\r\n\r\n"
	"[SourceDisksFiles]\r\nlabnic.sys = 1\r\nlabnicco.dll = 1\r\n\r\n"
	"[DestinationDirs]\r\nDefaultDestDir = 12\r\nCo = 11\r\n\r\n"
	"[Nic_Inst.NTx86]\r\nCopyFiles = @labnic.sys\r\n\r\n"
	"[Nic_Inst.NTamd64]\r\nCharacteristics = 0x84\r\nBusType = 5\r\nInclude = machine.inf\r\nNeeds = PciIoSpaceNotRequired\r\n"
	"CopyFiles = @labnic.sys\r\nAddReg = Nic_Registry\r\n\r\n"
	"[Nic_Registry]\r\nHKR, Ndi, Service, 0, \"labnic\"\r\nHKR, Ndi\\Interfaces, UpperRange, 0, \"ndis5\"\r\n\r\n"
	"[Nic_Inst.NTamd64.CoInstallers]\r\nCopyFiles = Co\r\n\r\n[Co]\r\nlabnicco.dll\r\n\r\n"
	"[Nic_Inst.NTamd64.Services]\r\nAddService = labnic, 2, Nic_Service\r\n\r\n"
	"[Nic_Service]\r\nDisplayName = %Nic%\r\nServiceType = 1\r\nStartType = 3\r\nErrorControl = 1\r\n"
	"ServiceBinary = %12%\\labnic.sys\r\nLoadOrderGroup = NDIS\r\n\r\n"
	"[Strings]\r\nLab = \"Imglab\"\r\nNic = \"Lab network card\"\r\n\r\n"
	"[Strings.0804]\r\nNic = \"\xe5\xae\x9e\xe9\xaa\x8c\xe7\xbd\x91\xe5\x8d\xa1\"\r\n";

static const char filter_inf[] =
	VERSION("\"ActivityMonitor\"", "{b86dff51-a31e-4bac-b3cf-e8cfe75c9fc2}", "CatalogFile = labfilter.cat\r\n")
	"[SourceDisksNames]\r\n1 = %Filter%\r\n\r\n[SourceDisksFiles]\r\nlabfilter.sys = 1\r\n\r\n"
	"[DestinationDirs]\r\nFilter.Files = 12\r\n\r\n"
	"[DefaultInstall.NTamd64]\r\nOptionDesc = %Filter%\r\nCopyFiles = Filter.Files\r\nAddReg = Filter.Registry\r\n\r\n"
	"[DefaultInstall.NTarm64]\r\nOptionDesc = %Filter%\r\n\r\n"
	"[Filter.Files]\r\nlabfilter.sys,,,0x00000040\r\n\r\n"
	"[Filter.Registry]\r\nHKLM, Software\\Imglab\\Filter, On, 0x00010001, 1\r\n\r\n"
	"[DefaultInstall.NTamd64.Services]\r\nAddService = labfilter,, Filter.Service\r\n\r\n"
	"[Filter.Service]\r\nDisplayName = %Filter%\r\nServiceBinary = %12%\\labfilter.sys\r\nServiceType = 2\r\nStartType = 0\r\n"
	"ErrorControl = 1\r\nLoadOrderGroup = \"FSFilter Activity Monitor\"\r\nDependencies = FltMgr\r\nAddReg = Filter.Instances\r\n\r\n"
	"[Filter.Instances]\r\nHKR, Instances, DefaultInstance, 0, \"Lab Instance\"\r\n"
	"HKR, \"Instances\\Lab Instance\", Altitude, 0, \"370030\"\r\nHKR, \"Instances\\Lab Instance\", Flags, 0x00010001, 0\r\n\r\n"
	"[Strings]\r\nLab = Imglab\r\nFilter = \"Lab file system filter\"\r\n";

#define DISK_PLAIN(arch, catalog, source, copy)                                                                             \
	DISK(arch, catalog, source, copy) "\r\n" DISK_SERVICE STRINGS "REG_DWORD = 0x00010001\r\n"
#define DISK_CATALOG "CatalogFile = labdisk.cat\r\n"

static const struct row rows[] = {
	{ "labdisk", "labdisk.inf", "labdisk.cat", disk_inf, { "labdisk.sys", "labdisk.exe" }, .wide = true },
	{ "labnic", "LabNic.inf", "labnic.cat", nic_inf, { "amd64/labnic.sys", "amd64/labnicco.dll" } },
	{ "labfilter", "labfilter.inf", "labfilter.cat", filter_inf, { "labfilter.sys" } },
	{ "refused/nocatalog", "labdisk.inf", "labdisk.cat", DISK_PLAIN("amd64", DISK_CATALOG, "", "@labdisk.sys"),
	  { "labdisk.sys" }, .flaw = FLAW_NO_CATALOG },
	{ "refused/unsigned", "labdisk.inf", NULL, DISK_PLAIN("amd64", "", "", "@labdisk.sys"), { "labdisk.sys" } },
	{ "refused/unknown", "labdisk.inf", "labdisk.cat", DISK_PLAIN("amd64", DISK_CATALOG, "", "@labdisk.sys"),
	  { "labdisk.sys" }, .signer = LAB_SIGNER_UNKNOWN },
	{ "refused/changed", "labdisk.inf", "labdisk.cat", DISK_PLAIN("amd64", DISK_CATALOG, "", "@labdisk.sys"),
	  { "labdisk.sys" }, .flaw = FLAW_CHANGED },
	{ "refused/escape", "labdisk.inf", "labdisk.cat",
	  DISK_PLAIN("amd64", DISK_CATALOG, ", ..\\..\\labdisk", "@labdisk.sys"), { "labdisk.sys" } },
	{ "refused/arm64", "labdisk.inf", "labdisk.cat", DISK_PLAIN("arm64", DISK_CATALOG, "", "@labdisk.sys"),
	  { "labdisk.sys" } },
	{ "refused/owned", "labdisk.inf", "labdisk.cat",
	  DISK_PLAIN("amd64", DISK_CATALOG, "\r\ntcpip.sys = 1", "@labdisk.sys, @tcpip.sys"), { "labdisk.sys", "tcpip.sys" } },
	{ "refused/lost", "labdisk.inf", "labdisk.cat",
	  DISK_PLAIN("amd64", DISK_CATALOG, "\r\nlost.sys = 1", "@labdisk.sys, @lost.sys"), { "labdisk.sys" } },
};

/* ---- writing ---- */

static GBytes *inf_bytes(const struct row *r)
{
	size_t len;

	if (!r->wide)
		return g_bytes_new_static(r->inf, strlen(r->inf));
	g_autofree char *marked = g_strconcat("\xef\xbb\xbf", r->inf, NULL);
	uint8_t *wide = ib_utf8_to_utf16(marked, &len);
	return g_bytes_new_take(wide, len);
}

static GBytes *program(uint64_t seed, const char *file)
{
	g_autofree char *name = g_path_get_basename(file);
	const struct lab_pe pe = { .name = name, .arch = "amd64", .version = "10.1.2183.4", .description = "Lab driver",
				   .seed = seed, .payload_bytes = 12000 };

	return lab_pe_build(&pe);
}

static bool write_bytes(const char *dir, const char *name, GBytes *bytes, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	size_t len;
	const void *data = g_bytes_get_data(bytes, &len);

	return ib_dir_make(folder, err) && ib_file_write(path, data, len, err);
}

static bool write_program(const struct row *r, const char *dir, uint64_t seed, const char *file,
			  struct lab_catalog *catalog, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = program(seed, file);
	size_t len;
	const void *data = g_bytes_get_data(bytes, &len);

	lab_catalog_add_file(catalog, file, data, len);
	if (r->flaw != FLAW_CHANGED)
		return write_bytes(dir, file, bytes, err);
	uint8_t *copy = g_memdup2(data, len);
	copy[len - 1] ^= 1;
	g_autoptr(GBytes) changed = g_bytes_new_take(copy, len);
	return write_bytes(dir, file, changed, err);
}

static bool write_row(const struct row *r, const char *parent, uint64_t seed, const struct lab_pki *pki,
		      struct ib_error **err)
{
	g_autofree char *dir = g_build_filename(parent, r->folder, NULL);
	lab_auto_catalog catalog = lab_catalog_new(r->inf_name);
	g_autoptr(GBytes) inf = inf_bytes(r);
	g_autoptr(GBytes) signed_list = NULL;
	size_t len;
	const void *data = g_bytes_get_data(inf, &len);

	lab_catalog_add(catalog, data, len);
	if (!write_bytes(dir, r->inf_name, inf, err))
		return false;
	for (size_t i = 0; i < FILES && r->files[i]; i++)
		if (!write_program(r, dir, seed, r->files[i], catalog, err))
			return false;
	if (!r->catalog || r->flaw == FLAW_NO_CATALOG)
		return true;
	return lab_catalog_sign(catalog, pki, r->signer, lab_release_time(LAB_9B), &signed_list, err) &&
	       write_bytes(dir, r->catalog, signed_list, err);
}

bool lab_drivers_write(uint64_t seed, const char *dir, struct ib_error **err)
{
	lab_auto_pki pki = NULL;

	if (!lab_pki_new(seed, &pki, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (!write_row(&rows[i], dir, seed, pki, err))
			return ib_while(err, "writing '%s'", rows[i].folder);
	return true;
}
