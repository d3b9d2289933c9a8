#include "dictionary.h"

#include "model.h"

#define HKLM "HKEY_LOCAL_MACHINE\\"
#define SERVICES HKLM "SYSTEM\\CurrentControlSet\\Services\\"

static void add_files(struct lab_arena *a, struct lab_component *c)
{
	static const char *const files[][2] = {
		{ "lab.dll", "$(runtime.system32)\\" },
		{ "lab.exe", "$(runtime.programFiles)\\Windows NT\\Accessories\\" },
		{ "lab.sys", "$(runtime.drivers)\\" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		lab_add_file(a, c, files[i][0], files[i][1], g_bytes_new_static("", 0));
	((struct lab_file *)c->files->pdata[1])->link = "$(runtime.bootDrive)\\lab.exe";
}

static void add_keys(struct lab_arena *a, struct lab_component *c)
{
	static const struct {
		const char *path, *name;
		uint32_t type;
		const char *value;
	} values[] = {
		{ HKLM "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\", "", LAB_REG_SZ, "lab" },
		{ HKLM "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\", "Lab", LAB_REG_DWORD, "0x00000001" },
		{ HKLM "SYSTEM\\CurrentControlSet\\Control\\", "Lab", LAB_REG_MULTI_SZ, "\"lab\"" },
		{ SERVICES "lab\\Parameters", "ServiceDll", LAB_REG_EXPAND_SZ, "%SystemRoot%\\system32\\lab.dll" },
		{ "HKEY_CLASSES_ROOT\\CLSID\\{00000000-0000-0000-0000-000000000000}\\InProcServer32", "ThreadingModel",
		  LAB_REG_SZ, "Both" },
		{ "HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Explorer", "Lab", LAB_REG_QWORD,
		  "0000000000000000" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		lab_add_value(a, lab_add_key(a, c, values[i].path), values[i].name, values[i].type, values[i].value);
}

static void add_services(struct lab_arena *a, struct lab_component *c)
{
	static struct lab_service services[] = {
		{ .name = "lab", .display = "lab", .description = "lab", .object_name = "NT AUTHORITY\\LocalService",
		  .image_path = "%SystemRoot%\\system32\\svchost.exe -k LocalServiceNetworkRestricted -p",
		  .start = "auto", .type = "win32ShareProcess", .error_control = "normal", .depend_on = "RpcSs",
		  .sid_type = "unrestricted", .privileges = "SeChangeNotifyPrivilege,SeImpersonatePrivilege",
		  .restart_ms = 60000 },
		{ .name = "lab", .display = "lab", .description = "lab", .image_path = "System32\\drivers\\lab.sys",
		  .start = "demand", .type = "kernelDriver", .error_control = "normal", .group = "Network" },
	};
	static struct lab_svchost host = { .group = "netsvcs", .service = "lab" };
	static struct lab_firewall rule = { .internal_name = "lab", .name = "lab", .description = "lab", .group = "lab",
					    .binary = "$(runtime.system32)\\lab.exe", .direction = "In", .protocol = "6",
					    .local_port = "1", .profile = "Domain", .service = "lab" };

	for (size_t i = 0; i < G_N_ELEMENTS(services); i++)
		g_ptr_array_add(c->services, &services[i]);
	g_ptr_array_add(c->svchost, &host);
	g_ptr_array_add(c->firewall, &rule);
}

static void add_rest(struct lab_arena *a, struct lab_component *c)
{
	static struct lab_directory directory = { .path = "$(runtime.programData)\\Microsoft\\Windows\\",
						  .sddl = LAB_WRP_FILE, .owner = true };
	static struct lab_task task = { .uri = "\\Microsoft\\Windows\\lab", .author = "lab", .description = "lab",
					.command = "%windir%\\system32\\lab.exe", .arguments = "lab",
					.start = "2018-09-15T00:00:00" };
	static struct lab_event event = { .name = "Microsoft-Windows-lab", .channel = "Microsoft-Windows-lab/Operational",
					  .guid = "{00000000-0000-0000-0000-000000000000}",
					  .resource = "$(runtime.system32)\\lab.dll" };
	static const char *const archs[] = { "amd64", "wow64" };

	g_ptr_array_add(c->directories, &directory);
	g_ptr_array_add(c->tasks, &task);
	g_ptr_array_add(c->events, &event);
	for (size_t i = 0; i < G_N_ELEMENTS(archs); i++) {
		struct lab_identity id = lab_component_identity("Microsoft-Windows-lab", "10.0.17763.1", archs[i],
								i == 1 ? "en-US" : "neutral");

		lab_add_dependency(a, c, &id);
	}
}

GBytes *lab_dictionary(void)
{
	struct lab_arena *a = lab_arena_new();
	struct lab_component *c = lab_component_new(
		a, lab_component_identity("Microsoft-Windows-lab", "10.0.17763.1", "amd64", "neutral"));

	c->description = "lab";
	add_files(a, c);
	add_keys(a, c);
	add_services(a, c);
	add_rest(a, c);
	GBytes *text = lab_manifest_text(c);

	lab_arena_free(a);
	return text;
}
