#include "novelty.h"

#include "pe.h"

#define HKLM "HKEY_LOCAL_MACHINE\\"
#define MONITOR "Microsoft-Windows-Lab-HealthMonitor"
#define TOOLS_PATH "$(runtime.programFiles)\\Lab OpenTools\\"

static GBytes *program(uint64_t seed, const struct lab_component *c, const char *name, size_t bytes)
{
	return lab_pe_build(&(struct lab_pe){ .name = name, .arch = c->id.arch, .version = c->id.version,
					      .description = c->id.name, .seed = seed, .payload_bytes = bytes });
}

static struct lab_component *new_component(struct lab_arena *a, const char *name, const char *version,
					   const char *culture)
{
	return lab_component_new(a, lab_component_identity(name, version, "amd64", culture));
}

static void add_service(struct lab_arena *a, struct lab_component *c, struct lab_service service)
{
	struct lab_service *s = lab_alloc(a, sizeof(*s));

	*s = service;
	g_ptr_array_add(c->services, s);
}

static void add_rule(struct lab_arena *a, struct lab_component *c, struct lab_firewall rule)
{
	struct lab_firewall *f = lab_alloc(a, sizeof(*f));

	*f = rule;
	g_ptr_array_add(c->firewall, f);
}

static void add_directory(struct lab_arena *a, struct lab_component *c, const char *path)
{
	struct lab_directory *d = lab_alloc(a, sizeof(*d));

	*d = (struct lab_directory){ .path = path, .sddl = LAB_WRP_FILE, .owner = true };
	g_ptr_array_add(c->directories, d);
}

/* Every type, and raw type numbers as driver properties have them. */
static void add_values(struct lab_arena *a, struct lab_component *c)
{
	static const struct {
		const char *name;
		uint32_t type;
		const char *value;
	} values[] = {
		{ "", LAB_REG_SZ, "Lab Health Monitor" },
		{ "Binary", LAB_REG_BINARY, "DEADBEEF00010203" },
		{ "Dword", LAB_REG_DWORD, "0x00002183" },
		{ "Expand", LAB_REG_EXPAND_SZ, "%SystemRoot%\\System32\\labmon.exe" },
		{ "Macro", LAB_REG_EXPAND_SZ, "$(runtime.system32)\\labmon.exe" },
		{ "Multi", LAB_REG_MULTI_SZ, "\"first\",\"second, with comma\",\"third\"" },
		{ "None", LAB_REG_NONE, "" },
		{ "NoneBytes", LAB_REG_NONE, "0102" },
		{ "Qword", LAB_REG_QWORD, "0A88000000000000" },
		{ "RawBoolean", 0x00020001, "FF" },
		{ "RawProperty", 0x00100000, "0700000011000000" },
		{ "Unicode", LAB_REG_SZ, "\xe5\x81\xa5\xe5\xba\xb7 <&> \"quoted\"" },
	};
	struct lab_regkey *key = lab_add_key(a, c, HKLM "SOFTWARE\\Imglab\\HealthMonitor\\");

	key->owner = true;
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		lab_add_value(a, key, values[i].name, values[i].type, values[i].value);
	lab_add_value(a, lab_add_key(a, c, HKLM "SYSTEM\\CurrentControlSet\\Services\\LabHealthMonitor\\Parameters"),
		      "IntervalSeconds", LAB_REG_DWORD, "0x0000003C");
}

static struct lab_component *health_monitor(struct lab_arena *a, uint64_t seed, const char *version)
{
	struct lab_component *c = new_component(a, MONITOR, version, "neutral");
	struct lab_file *exe;

	exe = lab_add_file(a, c, "labmon.exe", "$(runtime.system32)\\", program(seed, c, "labmon.exe", 40000));
	exe->link = "$(runtime.programFiles)\\Imglab\\labmon.exe";
	lab_add_file(a, c, "labmon.dll", "$(runtime.system32)\\", program(seed, c, "labmon.dll", 20000));
	lab_add_file(a, c, "labmon.cfg", NULL, lab_payload(seed, "labmon.cfg", 700)); /* in the store only */
	add_directory(a, c, "$(runtime.programData)\\Imglab\\Health\\");
	add_service(a, c, (struct lab_service){
		.name = "LabHealthMonitor", .display = "Lab Health Monitor",
		.description = "Watches the laboratory's health", .image_path = "%SystemRoot%\\System32\\labmon.exe",
		.object_name = "NT AUTHORITY\\LocalService", .start = "delayedAuto", .type = "win32OwnProcess",
		.error_control = "normal", .depend_on = "RpcSs", .sid_type = "unrestricted",
		.privileges = "SeChangeNotifyPrivilege,SeCreateGlobalPrivilege", .restart_ms = 60000 });
	add_rule(a, c, (struct lab_firewall){
		.internal_name = "LabHealthMonitor-In-TCP", .name = "Lab Health Monitor (TCP-In)",
		.description = "Health queries", .group = "Lab Health Monitor",
		.binary = "$(runtime.system32)\\labmon.exe", .direction = "In", .protocol = "6", .local_port = "8539",
		.profile = "Domain", .service = "LabHealthMonitor" });
	add_values(a, c);
	return c;
}

static void add_novelty(struct lab_arena *a, GPtrArray *all, const char *owner, struct lab_component *c)
{
	struct lab_novelty *n = lab_alloc(a, sizeof(*n));

	*n = (struct lab_novelty){ owner, c };
	g_ptr_array_add(all, n);
}

GPtrArray *lab_novelties(struct lab_arena *a, uint64_t seed, const char *version)
{
	GPtrArray *all = lab_array(a);
	struct lab_component *resources = new_component(a, MONITOR ".Resources", version, "en-US");

	lab_add_file(a, resources, "labmon.exe.mui", "$(runtime.system32)\\en-US\\",
		     program(seed, resources, "labmon.exe.mui", 2000));
	add_novelty(a, all, "Microsoft-Windows-Client-Features-Package", health_monitor(a, seed, version));
	add_novelty(a, all, "Microsoft-Windows-Client-LanguagePack-Package", resources);
	return all;
}

/* ---- on demand ---- */

struct lab_component *lab_open_tools_core(struct lab_arena *a, uint64_t seed, const char *version)
{
	struct lab_component *c = new_component(a, "Lab-OpenTools-Core", version, "neutral");

	lab_add_file(a, c, "opentool.exe", TOOLS_PATH, program(seed, c, "opentool.exe", 60000));
	lab_add_file(a, c, "opentool.dll", TOOLS_PATH, program(seed, c, "opentool.dll", 90000));
	lab_add_value(a, lab_add_key(a, c, HKLM "SOFTWARE\\Imglab\\OpenTools"), "Version", LAB_REG_SZ, version);
	return c;
}

static struct lab_component *tools_server(struct lab_arena *a, uint64_t seed, const char *version)
{
	struct lab_component *c = new_component(a, "Lab-OpenTools-Server", version, "neutral");

	lab_add_file(a, c, "opentoold.exe", TOOLS_PATH, program(seed, c, "opentoold.exe", 70000));
	lab_add_file(a, c, "opentoold_config_default", TOOLS_PATH, lab_payload(seed, "opentoold config", 2295));
	add_directory(a, c, "$(runtime.programData)\\Lab OpenTools\\");
	add_service(a, c, (struct lab_service){
		.name = "opentoold", .display = "Lab OpenTools Server", .description = "Serves open tools",
		.image_path = "%ProgramFiles%\\Lab OpenTools\\opentoold.exe", .object_name = "LocalSystem",
		.start = "demand", .type = "win32OwnProcess", .error_control = "normal" });
	add_rule(a, c, (struct lab_firewall){
		.internal_name = "OpenTools-Server-In-TCP", .name = "Lab OpenTools Server (TCP-In)",
		.description = "Inbound rule of the open tools server", .group = "Lab OpenTools Server",
		.binary = TOOLS_PATH "opentoold.exe", .direction = "in", .protocol = "TCP", .local_port = "2222",
		.service = "opentoold" });
	g_ptr_array_add(c->extra,
			"<memberships><categoryMembership><id name=\"Microsoft.Windows.Categories\" version=\"1.0.0.0\" "
			"publicKeyToken=\"365143bb27e7ac8b\" typeName=\"Environment\" /><categoryInstance subcategory=\"path\">"
			"<path name=\"%ProgramFiles%\\Lab OpenTools\\\" position=\"last\" /></categoryInstance></categoryMembership>"
			"</memberships>");
	g_ptr_array_add(c->extra,
			"<migration scope=\"Upgrade\" settingsVersion=\"1\"><migXml xmlns=\"\"><rules context=\"System\"><include><objectSet>"
			"<pattern type=\"Registry\">HKLM\\SYSTEM\\CurrentControlSet\\Services\\opentoold [Start]</pattern></objectSet>"
			"</include></rules></migXml></migration>");
	return c;
}

/* A child package with one deployment of one component. */
static void add_tools_child(struct lab_arena *a, struct lab_package *root, const char *stem, struct lab_component *c)
{
	struct lab_identity id = lab_package_identity(lab_printf(a, "%s-Package", stem), root->id.version, "amd64",
						      "neutral");
	struct lab_package *child = lab_package_new(a, id, stem, "Feature Pack");
	struct lab_component *d = new_component(a, lab_printf(a, "%s-Deployment", stem), root->id.version, "neutral");

	d->deployment = true;
	lab_add_dependency(a, d, &c->id);
	lab_add_deployment(a, child, NULL, d);
	g_ptr_array_add(child->components, c);
	lab_add_child(a, root, child);
}

struct lab_package *lab_open_tools(struct lab_arena *a, uint64_t seed, const char *version)
{
	struct lab_identity id = lab_package_identity("Lab-OpenTools-FoD-Package", version, "amd64", "neutral");
	struct lab_package *root = lab_package_new(a, id, "KB7777001", "OnDemand Pack");

	root->display = "Lab OpenTools";
	root->description = "Open tools, client and server, of the laboratory";
	root->support = "http://imglab.invalid/kb/7777001";
	root->capability = "Lab.OpenTools";
	root->capability_version = "1.0";
	root->has_satellites = true;
	add_tools_child(a, root, "Lab-OpenTools-Core", lab_open_tools_core(a, seed, version));
	add_tools_child(a, root, "Lab-OpenTools-Server", tools_server(a, seed, version));
	return root;
}

/* A package of one component that is itself the feature on demand. */
static struct lab_package *small_feature(struct lab_arena *a, const char *name, const char *kb, struct lab_component *c)
{
	struct lab_identity id = lab_package_identity(name, c->id.version, "amd64", c->id.culture);
	struct lab_package *root = lab_package_new(a, id, kb, "OnDemand Pack");
	struct lab_component *d = new_component(a, lab_printf(a, "%s-Deployment", c->id.name), c->id.version, c->id.culture);

	d->deployment = true;
	lab_add_dependency(a, d, &c->id);
	lab_add_deployment(a, root, NULL, d);
	g_ptr_array_add(root->components, c);
	root->display = root->description = name;
	root->capability_version = "1.0";
	return root;
}

struct lab_package *lab_open_tools_language(struct lab_arena *a, uint64_t seed, const char *version, const char *language)
{
	struct lab_component *c = new_component(a, "Lab-OpenTools-Core.Resources", version, language);
	const char *folder = lab_printf(a, TOOLS_PATH "%s\\", language);
	struct lab_package *root;

	lab_add_file(a, c, "opentool.exe.mui", folder, program(seed, c, "opentool.exe.mui", 3000));
	root = small_feature(a, "Lab-OpenTools-FoD-Package", "KB7777001", c);
	root->capability = "Lab.OpenTools";
	root->is_satellite = true;
	return root;
}

struct lab_package *lab_open_tools_extra(struct lab_arena *a, uint64_t seed, const char *version)
{
	struct lab_component *c = new_component(a, "Lab-OpenTools-Extra", version, "neutral");
	struct lab_package *root;

	struct lab_task *t = lab_alloc(a, sizeof(*t));

	lab_add_file(a, c, "openmore.exe", TOOLS_PATH, program(seed, c, "openmore.exe", 9000));
	*t = (struct lab_task){ .uri = "\\Lab\\Open more (100%)", .author = "imglab", .description = "Opens more, once a day",
				.command = "%ProgramFiles%\\Lab OpenTools\\openmore.exe", .arguments = "/all",
				.start = "2018-09-15T04:00:00" };
	g_ptr_array_add(c->tasks, t);
	root = small_feature(a, "Lab-OpenTools-Extra-FoD-Package", "KB7777002", c);
	root->capability = "Lab.OpenTools.Extra";
	root->needs_capability = "Lab.OpenTools";
	return root;
}

struct lab_package *lab_language_feature(struct lab_arena *a, uint64_t seed, const char *version, const char *stem,
					 const char *language)
{
	const char *name = lab_printf(a, "Lab-LanguageFeatures-%s-%s", stem, language);
	struct lab_component *c = new_component(a, name, version, "neutral");
	const char *file = lab_printf(a, "%s.dat", stem);
	struct lab_package *root;

	lab_add_file(a, c, file, lab_printf(a, "$(runtime.windows)\\LabSpeech\\%s\\", language), lab_payload(seed, name, 1500));
	root = small_feature(a, lab_printf(a, "%s-Package", name), "KB7777003", c);
	root->capability = lab_printf(a, "Lab.Language.%s", stem);
	root->capability_language = language;
	root->needs_capability = g_str_equal(stem, "Basic") ? NULL : "Lab.Language.Basic";
	return root;
}

/* ---- .NET 3.5, from sources\\sxs of a medium ---- */

GPtrArray *lab_netfx3_components(struct lab_arena *a, uint64_t seed, const char *version)
{
	static const struct {
		const char *name, *arch, *folder;
	} parts[] = { { "Lab-NetFx3-Runtime", "amd64", "Framework64" }, { "Lab-NetFx3-Runtime", "x86", "Framework" } };
	GPtrArray *all = lab_array(a);

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		struct lab_component *c =
			lab_component_new(a, lab_component_identity(parts[i].name, version, parts[i].arch, "neutral"));
		const char *place = lab_printf(a, "$(runtime.windows)\\Microsoft.NET\\%s\\v2.0.50727\\", parts[i].folder);
		lab_add_file(a, c, "labcor.dll", place, program(seed, c, "labcor.dll", 50000));
		lab_add_file(a, c, "labgen.exe", place, program(seed, c, "labgen.exe", 20000));
		if (i == 0) {
			struct lab_regkey *key = lab_add_key(a, c, HKLM "SOFTWARE\\Microsoft\\NET Framework Setup\\NDP\\v3.5");
			lab_add_value(a, key, "Install", LAB_REG_DWORD, "0x00000001");
			lab_add_value(a, key, "LabVersion", LAB_REG_SZ, version);
		}
		g_ptr_array_add(all, c);
	}
	return all;
}

struct lab_package *lab_netfx3(struct lab_arena *a, uint64_t seed, const char *version)
{
	struct lab_identity id = lab_package_identity(LAB_NETFX3_PACKAGE, version, "amd64", "neutral");
	struct lab_package *root = lab_package_new(a, id, "NetFx3 on demand", "OnDemand Pack");
	struct lab_component *d = new_component(a, "Lab-NetFx3-Deployment", version, "neutral");
	GPtrArray *components = lab_netfx3_components(a, seed, version);

	root->display = ".NET Framework 3.5 of the laboratory";
	d->deployment = true;
	for (guint i = 0; i < components->len; i++) {
		const struct lab_component *c = components->pdata[i];
		lab_add_dependency(a, d, &c->id);
		g_ptr_array_add(root->components, (gpointer)c);
	}
	struct lab_update *u = lab_add_deployment(a, root, LAB_NETFX3_FEATURE, d);
	u->selectable = true;
	u->display = ".NET Framework 3.5";
	return root;
}

/* ---- media ---- */

struct lab_component *lab_recovery_tools(struct lab_arena *a, uint64_t seed, const char *version)
{
	static const char place[] = "$(runtime.bootDrive)\\sources\\recovery\\";
	struct lab_component *c = new_component(a, "Microsoft-Windows-WinRE-RecoveryTools", version, "neutral");

	lab_add_file(a, c, "RecEnv.exe", place, program(seed, c, "RecEnv.exe", 24576));
	lab_add_file(a, c, "StartRep.exe", place, program(seed, c, "StartRep.exe", 24576));
	lab_add_file(a, c, "SafeOs.dll", place, program(seed, c, "SafeOs.dll", 12000));
	return c;
}

GBytes *lab_setup_program(uint64_t seed, const char *name, const char *version)
{
	return lab_pe_build(&(struct lab_pe){ .name = name, .arch = "amd64", .version = version, .description = "Setup",
					      .seed = seed, .payload_bytes = 30000 });
}

/* ---- plain ---- */

static void add_plain_values(struct lab_arena *a, struct lab_component *c)
{
	static const struct {
		const char *name;
		uint32_t type;
		const char *value;
	} values[] = {
		{ "", LAB_REG_SZ, "a plain update" },
		{ "Binary", LAB_REG_BINARY, "00FF10A0DEADBEEF" },
		{ "Expand", LAB_REG_EXPAND_SZ, "%SystemRoot%\\System32\\labplain.exe" },
		{ "List", LAB_REG_MULTI_SZ, "\"one\",\"two\",\"three\"" },
		{ "Macro", LAB_REG_SZ, "$(runtime.system32)\\labplain.exe" },
		{ "Number", LAB_REG_DWORD, "0x00000042" },
		{ "Text", LAB_REG_SZ, "\xe5\x81\xa5\xe5\xba\xb7 <&>" },
	};
	struct lab_regkey *key = lab_add_key(a, c, HKLM "SOFTWARE\\Imglab\\Plain");

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		lab_add_value(a, key, values[i].name, values[i].type, values[i].value);
	lab_add_value(a, lab_add_key(a, c, "HKEY_CLASSES_ROOT\\LabPlain.Document"), "", LAB_REG_SZ, "Plain document");
	lab_add_value(a, lab_add_key(a, c, HKLM "SYSTEM\\CurrentControlSet\\Control\\LabPlain"), "Path", LAB_REG_EXPAND_SZ,
		      "%SystemRoot%\\labplain");
}

GPtrArray *lab_plain_components(struct lab_arena *a, uint64_t seed, const char *version)
{
	static const struct {
		const char *name, *arch, *file, *place;
	} files[] = {
		{ "Lab-Plain", "amd64", "labplain.exe", "$(runtime.system32)\\" },
		{ "Lab-Plain", "amd64", "labplain.sys", "$(runtime.drivers)\\" },
		{ "Lab-Plain", "amd64", "labplain.txt", "$(runtime.windows)\\LabPlain\\Below\\" },
		{ "Lab-Plain", "amd64", "labplain.fon", "$(runtime.fonts)\\" },
		{ "Lab-Plain", "amd64", "labplain.dll", "$(runtime.programFiles)\\Lab Plain\\" },
		{ "Lab-Plain", "amd64", "labplain.mof", "$(runtime.wbem)\\" },
		{ "Lab-Plain-Wow", "wow64", "labwow.dll", "$(runtime.system32)\\" },
		{ "Lab-Plain-Wow", "wow64", "labwow.txt", "$(runtime.programFiles)\\Lab Plain\\" },
		{ "Lab-Plain-X86", "x86", "labx86.dll", "$(runtime.system32)\\" },
	};
	GPtrArray *all = lab_array(a);
	struct lab_component *c = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		if (!c || !g_str_equal(c->id.name, files[i].name)) {
			c = lab_component_new(a, lab_component_identity(files[i].name, version, files[i].arch, "neutral"));
			g_ptr_array_add(all, c);
		}
		lab_add_file(a, c, files[i].file, files[i].place, program(seed, c, files[i].file, 5000 + 700 * i));
	}
	add_plain_values(a, all->pdata[0]);
	lab_add_value(a, lab_add_key(a, c, HKLM "SOFTWARE\\Imglab\\Plain32"), "Text", LAB_REG_SZ, "of a 32-bit program");
	return all;
}

/* ---- another build ---- */

struct lab_component *lab_other_build(struct lab_arena *a, uint64_t seed, const char *version)
{
	struct lab_component *c = new_component(a, "Microsoft-Windows-TCPIP-Driver", version, "neutral");

	lab_add_file(a, c, "tcpip.sys", "$(runtime.drivers)\\", program(seed, c, "tcpip.sys", 30000));
	return c;
}
