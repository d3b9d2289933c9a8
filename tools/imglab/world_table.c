/*
 * The rows of the laboratory's world. Names are Windows' names where a test or a
 * reader expects them; what the files hold is synthetic throughout.
 */
#include "content_internal.h"

#define S32 "$(runtime.system32)\\"
#define DRIVERS "$(runtime.drivers)\\"
#define WINDOWS "$(runtime.windows)\\"

#define HKLM "HKEY_LOCAL_MACHINE\\"
#define SERVICES HKLM "SYSTEM\\CurrentControlSet\\Services\\"

#define FOUNDATION "Microsoft-Windows-Foundation-Package"
#define FEATURES "Microsoft-Windows-Client-Features-Package"
#define WOW64 "Microsoft-Windows-Client-Features-WOW64-Package"
#define LANGUAGE "Microsoft-Windows-Client-LanguagePack-Package"
#define SMB1 "Microsoft-Windows-SMB1-Package"
#define STACK "Microsoft-Windows-ServicingStack-Package"
#define PE "Microsoft-Windows-WinPE-Package"
#define SETUP "WinPE-Setup-Package"
#define RE "WinPE-SRT-Package"
#define ENT_G "Microsoft-Windows-EnterpriseGEdition"
#define ENT "Microsoft-Windows-EnterpriseEdition"

#define BOTH (LAB_IMAGE_ENTERPRISE_G | LAB_IMAGE_ENTERPRISE)
#define ALL_PE (LAB_IMAGE_PE | LAB_IMAGE_SETUP | LAB_IMAGE_RE)

const struct lab_package_row lab_package_rows[] = {
	{ FOUNDATION, "neutral", "Windows Foundation", "Foundation", "Windows Foundation", BOTH | ALL_PE, true },
	{ STACK, "neutral", "Servicing Stack", "Feature Pack", "Servicing stack", BOTH | ALL_PE, true },
	{ ENT_G, "neutral", "EnterpriseG", "Product", "Windows 10 Enterprise G", LAB_IMAGE_ENTERPRISE_G, true },
	{ ENT, "neutral", "Enterprise", "Product", "Windows 10 Enterprise", LAB_IMAGE_ENTERPRISE, true },
	{ FEATURES, "neutral", "Client Features", "Feature Pack", "Windows client features", BOTH, true },
	{ WOW64, "neutral", "Client Features WOW64", "Feature Pack", "32-bit client features", BOTH, true },
	{ LANGUAGE, "en-US", "Client Language Pack", "Language Pack", "English (United States)", BOTH, false },
	{ "Microsoft-Windows-FodMetadata-Package", "neutral", "FOD metadata", "Feature Pack", "Features on demand metadata",
	  BOTH, true },
	{ SMB1, "neutral", "SMB1", "Feature Pack", "SMB 1.0/CIFS File Sharing Support", BOTH, false },
	{ "CMIT-UpdateAgent-Package", "neutral", "CMIT-UpdateAgent", "Feature Pack", "CMIT Update Agent",
	  LAB_IMAGE_ENTERPRISE_G, false },
	{ "Microsoft-Windows-Lab-Tree-Package", "neutral", "Lab tree", "Feature Pack", "A tree of real files", BOTH, false },
	{ PE, "neutral", "Windows PE", "Feature Pack", "Windows PE", ALL_PE, true },
	{ SETUP, "neutral", "WinPE-Setup", "Feature Pack", "Windows Setup", LAB_IMAGE_SETUP, false },
	{ RE, "neutral", "WinPE-SRT", "Feature Pack", "Windows RE startup repair", LAB_IMAGE_RE, false },
};
const size_t lab_package_rows_count = G_N_ELEMENTS(lab_package_rows);

/* ---- what families bring beside files ---- */

/* A service; svchost services get their group entry and ServiceDll. */
static void add_service(const struct lab_making *m, struct lab_service s, const char *group)
{
	struct lab_service *copy = lab_alloc(m->arena, sizeof(*copy));

	*copy = s;
	copy->error_control = s.error_control ? s.error_control : "normal";
	if (group) {
		struct lab_svchost *host = lab_alloc(m->arena, sizeof(*host));

		copy->type = "win32ShareProcess";
		copy->image_path = lab_printf(m->arena, "%%SystemRoot%%\\system32\\svchost.exe -k %s -p", group);
		*host = (struct lab_svchost){ .group = group, .service = s.name };
		g_ptr_array_add(m->component->svchost, host);
	}
	g_ptr_array_add(m->component->services, copy);
	if (s.service_dll)
		lab_set(m, lab_printf(m->arena, SERVICES "%s\\Parameters", s.name), "ServiceDll", LAB_REG_EXPAND_SZ,
			s.service_dll);
}

static void extend_ntfs(const struct lab_making *m)
{
	add_service(m, (struct lab_service){ .name = "Ntfs", .display = "Ntfs", .image_path = "System32\\drivers\\ntfs.sys",
					     .start = "boot", .type = "fileSystemDriver", .group = "Boot File System" },
		    NULL);
	lab_set(m, HKLM "SYSTEM\\CurrentControlSet\\Control\\FileSystem", "NtfsDisable8dot3NameCreation", LAB_REG_DWORD,
		"0x00000002");
}

static void extend_tcpip(const struct lab_making *m)
{
	add_service(m, (struct lab_service){ .name = "Tcpip", .display = "TCP/IP Protocol Driver",
					     .image_path = "System32\\drivers\\tcpip.sys", .start = "boot",
					     .type = "kernelDriver", .group = "PNP_TDI" },
		    NULL);
	lab_set(m, SERVICES "Tcpip\\Parameters", "DataBasePath", LAB_REG_EXPAND_SZ, "%SystemRoot%\\System32\\drivers\\etc");
	if (m->revision >= LAB_9B) /* a hardening value that comes with the update */
		lab_set(m, SERVICES "Tcpip\\Parameters", "LabHardening", LAB_REG_DWORD, "0x00000001");
}

static void extend_rpc(const struct lab_making *m)
{
	add_service(m, (struct lab_service){ .name = "RpcSs", .display = "Remote Procedure Call (RPC)", .start = "auto",
					     .object_name = "NT AUTHORITY\\NetworkService", .group = "COM Infrastructure",
					     .sid_type = "unrestricted", .service_dll = "%SystemRoot%\\system32\\rpcss.dll" },
		    "rpcss");
}

static void extend_eventlog(const struct lab_making *m)
{
	struct lab_event *e = lab_alloc(m->arena, sizeof(*e));

	add_service(m, (struct lab_service){ .name = "EventLog", .display = "Windows Event Log", .start = "auto",
					     .object_name = "NT AUTHORITY\\LocalService", .group = "Event Log",
					     .sid_type = "unrestricted",
					     .privileges = "SeChangeNotifyPrivilege,SeImpersonatePrivilege,SeAuditPrivilege",
					     .service_dll = "%SystemRoot%\\System32\\wevtsvc.dll" },
		    "LocalServiceNetworkRestricted");
	lab_set(m, SERVICES "EventLog\\Application", "MaxSize", LAB_REG_DWORD, "0x01400000");
	lab_set(m, SERVICES "EventLog\\System", "MaxSize", LAB_REG_DWORD, "0x01400000");
	*e = (struct lab_event){ .name = "Microsoft-Windows-Eventlog", .guid = "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}",
				 .resource = S32 "wevtsvc.dll", .channel = "Microsoft-Windows-Eventlog/Operational" };
	g_ptr_array_add(m->component->events, e);
}

static void extend_firewall(const struct lab_making *m)
{
	struct lab_firewall *f = lab_alloc(m->arena, sizeof(*f));

	add_service(m, (struct lab_service){ .name = "MpsSvc", .display = "Windows Defender Firewall", .start = "auto",
					     .object_name = "NT Authority\\LocalService", .depend_on = "RpcSs",
					     .sid_type = "restricted", .service_dll = "%SystemRoot%\\system32\\mpssvc.dll" },
		    "LocalServiceNoNetworkFirewall");
	*f = (struct lab_firewall){ .internal_name = "CoreNet-DHCP-In", .name = "Core Networking - DHCP (In)",
				    .description = "Lets the DHCP client work", .group = "Core Networking",
				    .binary = "%SystemRoot%\\system32\\svchost.exe", .direction = "In", .protocol = "17",
				    .local_port = "68", .service = "dhcp" };
	g_ptr_array_add(m->component->firewall, f);
}

static void extend_schedule(const struct lab_making *m)
{
	struct lab_task *t = lab_alloc(m->arena, sizeof(*t));

	add_service(m, (struct lab_service){ .name = "Schedule", .display = "Task Scheduler", .start = "auto",
					     .object_name = "LocalSystem", .depend_on = "RpcSs,EventLog", .restart_ms = 60000,
					     .service_dll = "%SystemRoot%\\system32\\schedsvc.dll" },
		    "netsvcs");
	*t = (struct lab_task){ .uri = "\\Microsoft\\Windows\\Defrag\\ScheduledDefrag", .author = "Microsoft Corporation",
				.description = "Optimizes local storage drives", .command = "%windir%\\system32\\defrag.exe",
				.arguments = "-c -h -o -$", .start = "2018-09-15T01:00:00" };
	g_ptr_array_add(m->component->tasks, t);
}

static void extend_update_client(const struct lab_making *m)
{
	add_service(m, (struct lab_service){ .name = "wuauserv", .display = "Windows Update", .start = "demand",
					     .object_name = "LocalSystem", .depend_on = "RpcSs", .sid_type = "unrestricted",
					     .service_dll = "%SystemRoot%\\system32\\wuaueng.dll" },
		    "netsvcs");
	lab_set(m, HKLM "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\", "LabClientVersion", LAB_REG_SZ,
		m->component->id.version);
}

/* Every value type once, a default value, a raw type and a macro in a value. */
static void extend_shell(const struct lab_making *m)
{
	static const char key[] = HKLM "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Explorer\\LabTypes";
	static const char clsid[] = "HKEY_CLASSES_ROOT\\CLSID\\{20d04fe0-3aea-1069-a2d8-08002b30309d}";

	lab_set(m, key, "", LAB_REG_SZ, "default");
	lab_set(m, key, "Binary", LAB_REG_BINARY, "00FF10A0");
	lab_set(m, key, "Dword", LAB_REG_DWORD, "0x0000002A");
	lab_set(m, key, "Expand", LAB_REG_EXPAND_SZ, "%SystemRoot%\\explorer.exe");
	lab_set(m, key, "List", LAB_REG_MULTI_SZ, "\"one\",\"two\",\"three\"");
	lab_set(m, key, "Macro", LAB_REG_SZ, "$(runtime.system32)\\shell32.dll");
	lab_set(m, key, "None", LAB_REG_NONE, "");
	lab_set(m, key, "Property", 0x00020001, "0100");
	lab_set(m, key, "Qword", LAB_REG_QWORD, "0A88000000000000");
	lab_set(m, clsid, "", LAB_REG_SZ, "This PC");
	lab_set(m, lab_printf(m->arena, "%s\\InProcServer32", clsid), "", LAB_REG_EXPAND_SZ,
		"%SystemRoot%\\system32\\shell32.dll");
	lab_set(m, lab_printf(m->arena, "%s\\InProcServer32", clsid), "ThreadingModel", LAB_REG_SZ, "Apartment");
}

static void extend_profile(const struct lab_making *m)
{
	lab_set(m, "HKEY_CURRENT_USER\\Control Panel\\Desktop", "ScreenSaveActive", LAB_REG_SZ, "1");
	lab_set(m, "HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Explorer", "LabProfile", LAB_REG_DWORD,
		"0x00000001");
	lab_set(m, "HKEY_USERS\\.DEFAULT\\Control Panel\\Colors", "Window", LAB_REG_SZ, "255 255 255");
	g_ptr_array_add(m->component->extra,
			"<migration scope=\"Upgrade\" settingsVersion=\"1\"><migXml xmlns=\"\"><rules context=\"User\"><include><objectSet>"
			"<pattern type=\"Registry\">HKCU\\Control Panel\\Desktop [ScreenSaveActive]</pattern></objectSet></include></rules>"
			"</migXml></migration>");
}

static void extend_wow64_shell(const struct lab_making *m)
{
	lab_set(m, HKLM "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Explorer\\LabTypes", "Wow", LAB_REG_DWORD,
		"0x00000020");
	lab_set(m, "HKEY_CLASSES_ROOT\\CLSID\\{20d04fe0-3aea-1069-a2d8-08002b30309d}\\InProcServer32", "",
		LAB_REG_EXPAND_SZ, "%SystemRoot%\\system32\\shell32.dll");
}

static void extend_smb_client(const struct lab_making *m)
{
	add_service(m, (struct lab_service){ .name = "mrxsmb10", .display = "SMB 1.x MiniRedirector",
					     .image_path = "system32\\DRIVERS\\mrxsmb10.sys", .start = "auto",
					     .type = "fileSystemDriver", .group = "Network" },
		    NULL);
}

static void extend_smb_server(const struct lab_making *m)
{
	add_service(m, (struct lab_service){ .name = "srv", .display = "Server SMB 1.xxx Driver",
					     .image_path = "System32\\DRIVERS\\srv.sys", .start = "demand",
					     .type = "fileSystemDriver", .group = "Network" },
		    NULL);
	lab_set(m, SERVICES "LanmanServer\\Parameters", "SMB1", LAB_REG_DWORD, "0x00000001");
}

/* What no offline engine can carry out: a program to run and a MOF to compile. */
static void extend_provider(const struct lab_making *m)
{
	g_ptr_array_add(m->component->extra, "<mof name=\"$(runtime.wbem)\\labprov.mof\" />");
	if (m->revision < LAB_9B)
		return;
	g_ptr_array_add(m->component->extra, "<genericCommands>");
	g_ptr_array_add(m->component->extra,
			"  <genericCommand executableName=\"$(runtime.system32)\\labprov.exe\" arguments=\"/register\" "
			"install=\"true\" passes=\"2\" successCode=\"0\" />");
	g_ptr_array_add(m->component->extra, "</genericCommands>");
}

/* A driver component is already reflected: its manifest says what an INF would. */
static void extend_driver(const struct lab_making *m)
{
	static const char store[] = "labnet.inf_amd64_4f0c8a5b1d6e2379";
	const char *package = lab_printf(m->arena, HKLM "SYSTEM\\DriverDatabase\\DriverPackages\\%s", store);

	lab_set(m, HKLM "SYSTEM\\DriverDatabase\\DeviceIds\\PCI\\VEN_1AF4&DEV_7A1B", "labnet.inf", LAB_REG_BINARY, "02FF0000");
	lab_set(m, HKLM "SYSTEM\\DriverDatabase\\DriverInfFiles\\labnet.inf", "", LAB_REG_MULTI_SZ,
		lab_printf(m->arena, "\"%s\"", store));
	lab_set(m, HKLM "SYSTEM\\DriverDatabase\\DriverInfFiles\\labnet.inf", "Active", LAB_REG_SZ, store);
	lab_set(m, package, "", LAB_REG_SZ, "labnet.inf");
	lab_set(m, package, "Provider", LAB_REG_SZ, "imgbuild laboratory");
	lab_set(m, package, "SignerScore", LAB_REG_DWORD, "0x0D000003");
	lab_set(m, lab_printf(m->arena, "%s\\Driver\\LabProperty", package), "", 0x00020001, "0100");
	add_service(m, (struct lab_service){ .name = "labnet", .display = "Laboratory network adapter",
					     .image_path = "System32\\drivers\\labnet.sys", .start = "demand",
					     .type = "kernelDriver", .group = "NDIS" },
		    NULL);
	lab_set(m, SERVICES "labnet", "Owners", LAB_REG_MULTI_SZ, "\"labnet.inf\"");
}

static void extend_directories(const struct lab_making *m)
{
	static const char *const paths[] = { "$(runtime.programFiles)\\Windows NT\\TableTextService\\",
					     "$(runtime.public)\\Desktop\\", "$(runtime.windows)\\Temp\\",
					     "$(runtime.programData)\\Microsoft\\Windows\\Caches\\" };

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		struct lab_directory *d = lab_alloc(m->arena, sizeof(*d));

		*d = (struct lab_directory){ .path = paths[i], .sddl = LAB_WRP_FILE, .owner = i == 0 };
		g_ptr_array_add(m->component->directories, d);
	}
}

static void extend_notepad(const struct lab_making *m)
{
	((struct lab_file *)m->component->files->pdata[0])->link = WINDOWS "notepad.exe";
}

static void extend_setup(const struct lab_making *m)
{
	((struct lab_file *)m->component->files->pdata[0])->link = "$(runtime.bootDrive)\\setup.exe";
}

/* ---- the families ---- */

const struct lab_family lab_families[] = {
	/* what every image holds */
	{ .name = "Microsoft-Windows-OS-Kernel", .arch = "amd64", .package = FOUNDATION, .kilobytes = 160,
	  .places = { S32 "|ntoskrnl.exe" }, .changes = { LAB_4C, LAB_9B, LAB_10B } },
	{ .name = "Microsoft-Windows-HAL", .arch = "amd64", .package = FOUNDATION, .places = { S32 "|hal.dll" } },
	{ .name = "Microsoft-Windows-Ntdll", .arch = "amd64", .package = FOUNDATION, .kilobytes = 96,
	  .places = { S32 "|ntdll.dll" }, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-Kernel32", .arch = "amd64", .package = FOUNDATION,
	  .places = { S32 "|kernel32.dll kernelbase.dll=" }, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-Advapi32", .arch = "amd64", .package = FOUNDATION,
	  .places = { S32 "|advapi32.dll sechost.dll" }, .changes = { LAB_4C } },
	{ .name = "Microsoft-Windows-Services-Svchost", .arch = "amd64", .package = FOUNDATION,
	  .places = { S32 "|svchost.exe services.exe" } },
	{ .name = "Microsoft-Windows-BootEnvironment-Core-BootManager-PCAT", .arch = "amd64", .package = FOUNDATION,
	  .places = { WINDOWS "Boot\\PCAT\\|bootmgr" }, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-BootEnvironment-Core-BootManager-EFI", .arch = "amd64", .package = FOUNDATION,
	  .places = { WINDOWS "Boot\\EFI\\|bootmgfw.efi bootmgr.efi" }, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-NTFS", .arch = "amd64", .package = FOUNDATION, .places = { DRIVERS "|ntfs.sys" },
	  .extend = extend_ntfs, .changes = { LAB_10B } },
	{ .name = "Microsoft-Windows-TCPIP-Driver", .arch = "amd64", .package = FOUNDATION, .places = { DRIVERS "|tcpip.sys" },
	  .extend = extend_tcpip, .changes = { LAB_4C, LAB_9B, LAB_10B } },
	{ .name = "Microsoft-Windows-RPC-LocalSvc", .arch = "amd64", .package = FOUNDATION,
	  .places = { S32 "|rpcss.dll rpcrt4.dll" }, .extend = extend_rpc },
	{ .name = "Microsoft-Windows-Eventlog", .arch = "amd64", .package = FOUNDATION, .places = { S32 "|wevtsvc.dll" },
	  .extend = extend_eventlog, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-Core-VersionInfo", .arch = "amd64", .package = FOUNDATION,
	  .changes = { LAB_4C, LAB_9B, LAB_10B }, .extend = lab_extend_versions },
	{ .name = "Microsoft-Windows-Hosts", .arch = "amd64", .package = FOUNDATION,
	  .places = { DRIVERS "etc\\|hosts services networks" } },
	{ .name = "Microsoft-Windows-Lab-Mitigation", .arch = "amd64", .package = FOUNDATION, .first = LAB_9B,
	  .places = { S32 "|labmit.dll" } },
	/* a win32 assembly: in the store only, its version has a line of its own */
	{ .name = "Microsoft.Windows.Common-Controls", .arch = "amd64", .package = FOUNDATION, .type = "win32", .line = "6.0",
	  .token = "6595b64144ccf1df", .places = { "-|comctl32.dll" }, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-ServicingStack", .arch = "amd64", .package = STACK, .stack = true,
	  .places = { "-|wcp.dll CbsCore.dll CbsMsg.dll dpx.dll drvstore.dll poqexec.exe smiengine.dll TurboStack.dll" },
	  .changes = { LAB_STACK } },
	{ .name = "Microsoft-Windows-ServicingStack-Inetsrv", .arch = "amd64", .package = STACK, .stack = true,
	  .places = { "-|wrpint.dll" } },
	/* installed Windows */
	{ .name = "Microsoft-Windows-EditionSpecific-EnterpriseG", .arch = "amd64", .package = ENT_G,
	  .places = { WINDOWS "servicing\\Editions\\|EnterpriseGEdition.xml" }, .extend = lab_extend_enterprise_g },
	{ .name = "Microsoft-Windows-EditionSpecific-Enterprise", .arch = "amd64", .package = ENT,
	  .places = { WINDOWS "servicing\\Editions\\|EnterpriseEdition.xml" }, .extend = lab_extend_enterprise },
	{ .name = "Microsoft-Windows-Shell32", .arch = "amd64", .package = FEATURES, .places = { S32 "|shell32.dll" },
	  .extend = extend_shell, .changes = { LAB_4C, LAB_10B }, .kilobytes = 128 },
	{ .name = "Microsoft-Windows-Explorer", .arch = "amd64", .package = FEATURES, .places = { WINDOWS "|explorer.exe" },
	  .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-SystemFirewall", .arch = "amd64", .package = FEATURES, .places = { S32 "|mpssvc.dll" },
	  .extend = extend_firewall },
	{ .name = "Microsoft-Windows-TaskScheduler-Service", .arch = "amd64", .package = FEATURES,
	  .places = { S32 "|schedsvc.dll defrag.exe" }, .extend = extend_schedule },
	{ .name = "Microsoft-Windows-WindowsUpdateClient-Core", .arch = "amd64", .package = FEATURES,
	  .places = { S32 "|wuaueng.dll wuapi.dll" }, .extend = extend_update_client, .changes = { LAB_4C, LAB_9B, LAB_10B } },
	{ .name = "Microsoft-Windows-Notepad", .arch = "amd64", .package = FEATURES, .places = { S32 "|notepad.exe" },
	  .extend = extend_notepad, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-Fonts-LabSans", .arch = "amd64", .package = FEATURES,
	  .places = { "$(runtime.fonts)\\|labsans.ttf" } },
	{ .name = "Microsoft-Windows-Wordpad", .arch = "amd64", .package = FEATURES,
	  .places = { "$(runtime.programFiles)\\Windows NT\\Accessories\\|wordpad.exe WordpadFilter.dll",
		      "$(runtime.help)\\|wordpad.hlp" } },
	{ .name = "Microsoft-Windows-Directories", .arch = "amd64", .package = FEATURES, .extend = extend_directories },
	{ .name = "Microsoft-Windows-UserProfile-Defaults", .arch = "amd64", .package = FEATURES, .extend = extend_profile },
	{ .name = "Microsoft-Windows-Lab-Provider", .arch = "amd64", .package = FEATURES, .extend = extend_provider,
	  .places = { S32 "|labprov.exe>2183", "$(runtime.wbem)\\|labprov.mof labprov.dll" }, .changes = { LAB_9B } },
	/* a family whose update adds one file and drops another */
	{ .name = "Microsoft-Windows-Lab-Exchange", .arch = "amd64", .package = FEATURES,
	  .places = { S32 "|labkeep.dll= labold.dll<2183 labnew.dll>2183" }, .changes = { LAB_9B } },
	{ .name = "dual_labnet.inf", .arch = "amd64", .package = FEATURES, .type = "dualModeDriver", .extend = extend_driver,
	  .places = { S32 "DriverStore\\FileRepository\\labnet.inf_amd64_4f0c8a5b1d6e2379\\|labnet.inf", DRIVERS "|labnet.sys" } },
	/* 32 bit */
	{ .name = "Microsoft-Windows-Notepad", .arch = "wow64", .package = WOW64, .places = { S32 "|notepad.exe" },
	  .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-Shell32", .arch = "wow64", .package = WOW64, .places = { S32 "|shell32.dll" },
	  .extend = extend_wow64_shell, .changes = { LAB_4C, LAB_10B } },
	{ .name = "Microsoft-Windows-Ntdll", .arch = "x86", .package = WOW64, .places = { S32 "|ntdll.dll" },
	  .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-Wordpad", .arch = "wow64", .package = WOW64,
	  .places = { "$(runtime.programFiles)\\Windows NT\\Accessories\\|wordpad.exe" } },
	{ .name = "Microsoft.Windows.Common-Controls", .arch = "x86", .package = WOW64, .type = "win32", .line = "6.0",
	  .token = "6595b64144ccf1df", .places = { "-|comctl32.dll" }, .changes = { LAB_9B } },
	/* language */
	{ .name = "Microsoft-Windows-Notepad.Resources", .arch = "amd64", .culture = "en-US", .package = LANGUAGE,
	  .places = { S32 "en-US\\|notepad.exe.mui" } },
	{ .name = "Microsoft-Windows-Shell32.Resources", .arch = "amd64", .culture = "en-US", .package = LANGUAGE,
	  .places = { S32 "en-US\\|shell32.dll.mui" }, .changes = { LAB_10B } },
	{ .name = "Microsoft-Windows-SMB10-Client.Resources", .arch = "amd64", .culture = "en-US", .package = LANGUAGE,
	  .feature = "SMB1Protocol-Client", .places = { DRIVERS "en-US\\|mrxsmb10.sys.mui" } },
	{ .name = "Microsoft-Windows-FodMetadata", .arch = "amd64", .package = "Microsoft-Windows-FodMetadata-Package",
	  .places = { WINDOWS "servicing\\FodMetadata\\metadata\\|DesktopTargetCompDB_Conditions.xml" } },
	/* SMB 1: off by default on this build, on in the lab so that disabling shows */
	{ .name = "Microsoft-Windows-SMB10-Common", .arch = "amd64", .package = SMB1, .feature = "SMB1Protocol",
	  .places = { S32 "|smb1util.dll" } },
	{ .name = "Microsoft-Windows-SMB10-MiniRdr", .arch = "amd64", .package = SMB1, .feature = "SMB1Protocol-Client",
	  .places = { DRIVERS "|mrxsmb10.sys" }, .extend = extend_smb_client, .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-SMBServer-v1", .arch = "amd64", .package = SMB1, .feature = "SMB1Protocol-Server",
	  .places = { DRIVERS "|srv.sys" }, .extend = extend_smb_server, .changes = { LAB_9B } },
	{ .name = "CmitUpdateAgent", .arch = "amd64", .package = "CMIT-UpdateAgent-Package", .extend = lab_extend_agent,
	  .places = { "$(runtime.programFiles)\\CMIT\\UpdateAgent\\|CmitUpdateAgent.exe CmitUpdateCore.dll agent.config",
		      S32 "|CmitUpdateCpl.cpl" } },
	/* Windows PE, Setup, RE */
	{ .name = "Microsoft-Windows-WinPE-Startup", .arch = "amd64", .package = PE,
	  .places = { S32 "|wpeinit.exe winpeshl.exe startnet.cmd" }, .extend = lab_extend_pe },
	{ .name = "Microsoft-Windows-Setup-Component", .arch = "amd64", .package = SETUP, .kilobytes = 64,
	  .extend = extend_setup, .places = { "$(runtime.bootDrive)\\sources\\|setup.exe setuphost.exe winsetup.dll" },
	  .changes = { LAB_9B } },
	{ .name = "Microsoft-Windows-WinRE-RecoveryTools", .arch = "amd64", .package = RE,
	  .places = { "$(runtime.bootDrive)\\sources\\recovery\\|RecEnv.exe StartRep.exe" } },
};
const size_t lab_families_count = G_N_ELEMENTS(lab_families);

/* ---- the bulk ---- */

/* How many modules, and how many files each has: small fills about 2,000 names, large 90,000. */
#define SMALL_MODULES 190
#define SMALL_FILES 2
#define LARGE_MODULES 5600
#define LARGE_FILES 6

static void add_module(struct lab_arena *a, GPtrArray *families, unsigned n, unsigned files)
{
	struct lab_family *f = lab_alloc(a, sizeof(*f));
	GString *place = g_string_new(S32 "|");
	unsigned changed = 0;

	for (unsigned i = 0; i < files; i++)
		g_string_append_printf(place, "%slabmod%04u%c.dll%s", i ? " " : "", n, 'a' + (int)i, i % 3 == 2 ? "=" : "");
	*f = (struct lab_family){ .name = lab_printf(a, "Microsoft-Windows-Lab-Module-%04u", n), .arch = "amd64",
				  .package = FEATURES, .kilobytes = 6 + n % 11 };
	f->places[0] = lab_keep(a, g_string_free(place, FALSE), g_free);
	if (n % 7 == 1)
		f->changes[changed++] = LAB_4C;
	if (n % 3 == 1)
		f->changes[changed++] = LAB_9B;
	if (n % 5 == 1)
		f->changes[changed++] = LAB_10B;
	g_ptr_array_add(families, f);
	if (n % 5 == 0) {
		struct lab_family *wow = lab_alloc(a, sizeof(*wow));

		*wow = *f;
		wow->arch = "wow64";
		wow->package = WOW64;
		g_ptr_array_add(families, wow);
	}
}

void lab_add_modules(struct lab_arena *a, GPtrArray *families, enum lab_size size)
{
	unsigned modules = size == LAB_SIZE_LARGE ? LARGE_MODULES : SMALL_MODULES;
	unsigned files = size == LAB_SIZE_LARGE ? LARGE_FILES : SMALL_FILES;

	for (unsigned n = 1; n <= modules; n++)
		add_module(a, families, n, files);
}
