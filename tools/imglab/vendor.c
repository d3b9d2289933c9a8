/*
 * The vendor's component and what tells editions and builds apart. The real
 * CmitUpdateAgent's file list is not known: this is an example of a component
 * that uses everything a vendor's service may use.
 */
#include "content_internal.h"

#include "base/unicode.h"

#define HKLM "HKEY_LOCAL_MACHINE\\"
#define POLICY HKLM "SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate"
#define AGENT "%ProgramFiles%\\CMIT\\UpdateAgent\\CmitUpdateAgent.exe"
#define AGENT_CLSID "{6b0f5f0e-1c1d-4e52-9a0e-2f1c7a5d4c10}"

/* Bytes of a Shell Link: header, then strings (description, path from the link, arguments) in UTF-16. */
static GBytes *shell_link(const char *const strings[3])
{
	static const uint8_t head[76] = {
		0x4c, 0, 0, 0, 0x01, 0x14, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46, /* size, class */
		0xac, 0, 0, 0,         /* description, relative path, arguments; Unicode */
		0x20, 0, 0, 0,         /* the target's attributes */
		[60] = 1,              /* shown as a normal window */
	};
	GByteArray *out = g_byte_array_new();

	g_byte_array_append(out, head, sizeof(head));
	for (unsigned i = 0; i < 3; i++) {
		size_t len;
		g_autofree uint8_t *wide = ib_utf8_to_utf16(strings[i], &len);
		const uint8_t count[2] = { (uint8_t)(len / 2), (uint8_t)(len / 2 >> 8) };
		g_byte_array_append(out, count, 2);
		g_byte_array_append(out, wide, (guint)len);
	}
	g_byte_array_append(out, (const uint8_t[4]){ 0 }, 4);
	return g_byte_array_free_to_bytes(out);
}

static void add_agent_service(const struct lab_making *m)
{
	struct lab_service *s = lab_alloc(m->arena, sizeof(*s));
	struct lab_firewall *f = lab_alloc(m->arena, sizeof(*f));
	struct lab_task *t = lab_alloc(m->arena, sizeof(*t));

	*s = (struct lab_service){ .name = "CmitUpdateAgent", .display = "CMIT Update Agent",
				   .description = "Points Windows Update at the enterprise update server", .start = "auto",
				   .type = "win32OwnProcess", .image_path = "\"" AGENT "\" /service",
				   .object_name = "LocalSystem", .error_control = "normal", .depend_on = "RpcSs",
				   .restart_ms = 60000 };
	g_ptr_array_add(m->component->services, s);
	*f = (struct lab_firewall){ .internal_name = "CmitUpdateAgent-In-TCP", .name = "CMIT Update Agent (TCP-In)",
				    .description = "Lets the update server reach the agent", .group = "CMIT Update Agent",
				    .binary = AGENT, .direction = "In", .protocol = "6", .local_port = "8530",
				    .profile = "Domain", .service = "CmitUpdateAgent" };
	g_ptr_array_add(m->component->firewall, f);
	*t = (struct lab_task){ .uri = "\\CMIT\\UpdateAgent\\Check", .author = "CMIT",
				.description = "Checks the update server's address", .command = AGENT, .arguments = "/check",
				.start = "2018-09-15T03:00:00" };
	g_ptr_array_add(m->component->tasks, t);
}

void lab_extend_agent(const struct lab_making *m)
{
	static const char uninstall[] = HKLM "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\CmitUpdateAgent";
	static const char server[] = HKLM "SOFTWARE\\Classes\\CLSID\\" AGENT_CLSID;
	static const char source[] = HKLM "SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\CmitUpdateAgent";
	struct lab_directory *d = lab_alloc(m->arena, sizeof(*d));

	static const char *const link[3] = { "Checks for updates now",
					     "..\\..\\..\\..\\..\\..\\Program Files\\CMIT\\UpdateAgent\\CmitUpdateAgent.exe",
					     "/check" };

	add_agent_service(m);
	lab_add_file(m->arena, m->component, "Check for updates.lnk",
		     "$(runtime.programData)\\Microsoft\\Windows\\Start Menu\\Programs\\CMIT\\", shell_link(link));
	*d = (struct lab_directory){ .path = "$(runtime.programData)\\CMIT\\UpdateAgent\\Logs\\", .sddl = LAB_WRP_FILE,
				     .owner = true };
	g_ptr_array_add(m->component->directories, d);
	m->component->description = "CMIT Update Agent";
	lab_set(m, POLICY, "WUServer", LAB_REG_SZ, "http://127.0.0.1");
	lab_set(m, POLICY, "WUStatusServer", LAB_REG_SZ, "http://127.0.0.1");
	lab_set(m, POLICY "\\AU", "UseWUServer", LAB_REG_DWORD, "0x00000001");
	lab_set(m, HKLM "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run", "CmitUpdateAgent", LAB_REG_EXPAND_SZ,
		"\"" AGENT "\" /tray");
	lab_set(m, HKLM "SOFTWARE\\CMIT\\UpdateAgent", "Version", LAB_REG_SZ, "2.4.17763.1");
	lab_set(m, uninstall, "DisplayName", LAB_REG_SZ, "CMIT Update Agent");
	lab_set(m, uninstall, "DisplayVersion", LAB_REG_SZ, "2.4.17763.1");
	lab_set(m, uninstall, "Publisher", LAB_REG_SZ, "CMIT");
	lab_set(m, uninstall, "UninstallString", LAB_REG_EXPAND_SZ, "\"" AGENT "\" /uninstall");
	lab_set(m, source, "EventMessageFile", LAB_REG_EXPAND_SZ, "%ProgramFiles%\\CMIT\\UpdateAgent\\CmitUpdateCore.dll");
	lab_set(m, source, "TypesSupported", LAB_REG_DWORD, "0x00000007");
	lab_set(m, server, "", LAB_REG_SZ, "CMIT Update Agent");
	lab_set(m, lab_printf(m->arena, "%s\\LocalServer32", server), "", LAB_REG_EXPAND_SZ, "\"" AGENT "\"");
	lab_set(m, HKLM "SOFTWARE\\Classes\\Cmit.UpdateAgent\\CLSID", "", LAB_REG_SZ, AGENT_CLSID);
}

void lab_extend_versions(const struct lab_making *m)
{
	static const char key[] = HKLM "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";
	const struct lab_system *s = lab_world_system(m->world);
	const char *build = lab_printf(m->arena, "%u", s->build);
	const char *fre = m->revision == LAB_RTM ? s->lab : "210901-0000";

	lab_set(m, key, "BuildLab", LAB_REG_SZ, lab_printf(m->arena, "%s.%s.%s", build, s->branch, fre));
	lab_set(m, key, "BuildLabEx", LAB_REG_SZ,
		lab_printf(m->arena, "%s.%u.amd64fre.%s.%s", build, m->revision, s->branch, fre));
	lab_set(m, key, "CurrentBuild", LAB_REG_SZ, build);
	lab_set(m, key, "CurrentBuildNumber", LAB_REG_SZ, build);
	lab_set(m, key, "CurrentMajorVersionNumber", LAB_REG_DWORD, "0x0000000A");
	lab_set(m, key, "CurrentMinorVersionNumber", LAB_REG_DWORD, "0x00000000");
	lab_set(m, key, "CurrentType", LAB_REG_SZ, "Multiprocessor Free");
	lab_set(m, key, "CurrentVersion", LAB_REG_SZ, "6.3");
	lab_set(m, key, "InstallationType", LAB_REG_SZ, s->installation);
	lab_set(m, key, "ReleaseId", LAB_REG_SZ, s->release_id);
	lab_set(m, key, "UBR", LAB_REG_DWORD, lab_printf(m->arena, "0x%08X", m->revision));
	lab_set(m, HKLM "SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment", "PROCESSOR_ARCHITECTURE",
		LAB_REG_SZ, "AMD64");
}

static void extend_edition(const struct lab_making *m, const char *edition, const char *product)
{
	static const char key[] = HKLM "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";

	lab_set(m, key, "CompositionEditionID", LAB_REG_SZ, edition);
	lab_set(m, key, "EditionID", LAB_REG_SZ, edition);
	lab_set(m, key, "ProductName", LAB_REG_SZ, product);
}

void lab_extend_enterprise_g(const struct lab_making *m)
{
	const struct lab_edition *e = &lab_world_system(m->world)->editions[0];

	extend_edition(m, e->id, e->product);
}

void lab_extend_enterprise(const struct lab_making *m)
{
	const struct lab_edition *e = &lab_world_system(m->world)->editions[1];

	extend_edition(m, e->id, e->product);
}

void lab_extend_pe(const struct lab_making *m)
{
	extend_edition(m, "WindowsPE", "Windows PE");
}
