/* servicing: macros, registry paths, values, services, applicability: tables of what goes in and what comes out. */
#include <criterion/criterion.h>
#include <string.h>

#include "servicing/internal.h"

/* ---- macros ---- */

struct macro_case {
	const char *arch, *text, *want; /* want NULL: refused */
};

static const struct macro_case macro_cases[] = {
	{ "amd64", "$(runtime.system32)\\a.dll", "Windows\\System32\\a.dll" },
	{ "amd64", "$(RUNTIME.System32)\\\\a.dll", "Windows\\System32\\a.dll" },
	{ "wow64", "$(runtime.system32)\\a.dll", "Windows\\SysWOW64\\a.dll" },
	{ "x86", "$(runtime.system32)\\a.dll", "Windows\\SysWOW64\\a.dll" },
	{ "arm", "$(runtime.system32)\\a.dll", "Windows\\SysArm32\\a.dll" },
	{ "wow64", "$(runtime.drivers)\\a.sys", "Windows\\System32\\drivers\\a.sys" },
	{ "wow64", "$(runtime.wbem)", "Windows\\SysWOW64\\wbem" },
	{ "amd64", "$(runtime.programFiles)\\x", "Program Files\\x" },
	{ "wow64", "$(runtime.programFiles)\\x", "Program Files (x86)\\x" },
	{ "wow64", "$(runtime.commonFiles)\\x", "Program Files (x86)\\Common Files\\x" },
	{ "amd64", "$(runtime.programFilesX86)\\x", "Program Files (x86)\\x" },
	{ "amd64", "$(runtime.bootDrive)\\x", "x" },
	{ "amd64", "$(runtime.windows)/x/y", "Windows\\x\\y" },
	{ "amd64", "$(runtime.sysWow64)\\x", "Windows\\SysWOW64\\x" },
	{ "amd64", "$(runtime.startup)", "ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\Startup" },
	{ "amd64", "$(runtime.userProfile)\\x", "Users\\Default\\x" },
	{ "amd64", "$(runtime.nothing)\\x", NULL },
	{ "amd64", "$(dependentAssembly.a.path)\\x", NULL },
	{ "amd64", "$(build.nttree)\\x", NULL },
	{ "amd64", "$(runtime.system32)\\..\\x", NULL },
	{ "amd64", "$(runtime.system32)\\a:b", NULL },
	{ "amd64", "$(runtime.bootDrive)\\", NULL },
	{ "amd64", "$(runtime.system32", NULL },
};

Test(servicing, macros)
{
	for (size_t i = 0; i < G_N_ELEMENTS(macro_cases); i++) {
		const struct macro_case *c = &macro_cases[i];
		struct ib_macro_scope scope = { .image_arch = c->arch[1] == 'r' ? "arm64" : "amd64",
						.component_arch = c->arch, .drive = "C:" };
		ib_auto_error err = NULL;
		g_autofree char *got = NULL;
		bool ok = ib_svc_path(&scope, c->text, &got, &err);
		cr_assert_eq(ok, c->want != NULL, "%s: %s", c->text, got ? got : "refused");
		if (ok)
			cr_assert_str_eq(got, c->want, "%s", c->text);
		else
			cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}

Test(servicing, texts)
{
	struct ib_macro_scope scope = { .image_arch = "amd64", .component_arch = "wow64", .drive = "D:" };
	ib_auto_error err = NULL;
	g_autofree char *one = NULL;
	g_autofree char *two = NULL;

	cr_assert(ib_svc_expand(&scope, "\"$(runtime.system32)\\a.exe\" $(runtime.bootdrive)\\b", &one, &err));
	cr_assert_str_eq(one, "\"D:\\Windows\\SysWOW64\\a.exe\" D:\\b");
	cr_assert(ib_svc_expand(&scope, "$(build.version) $( $(resourceString.none)", &two, &err));
	cr_assert_str_eq(two, "$(build.version) $( $(resourceString.none)");
}

Test(servicing, command_paths)
{
	static const char *const cases[][2] = {
		{ "%SystemRoot%\\system32\\svchost.exe -k netsvcs -p", "Windows\\system32\\svchost.exe" },
		{ "\"%ProgramFiles%\\A B\\c.exe\" /x", "Program Files\\A B\\c.exe" },
		{ "C:\\Program Files\\A B\\c.exe /x", "Program Files\\A B\\c.exe" },
		{ "\\SystemRoot\\System32\\drivers\\a.sys", "Windows\\System32\\drivers\\a.sys" },
		{ "system32\\DRIVERS\\a.sys", "Windows\\System32\\DRIVERS\\a.sys" },
		{ "E:\\x.exe", NULL },
	};
	struct ib_store s = { .drive = (char *)"C:" };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = ib_svc_command_path(&s, cases[i][0]);
		cr_assert_eq(g_strcmp0(got, cases[i][1]), 0, "%s: %s", cases[i][0], got);
	}
}

/* ---- registry paths ---- */

struct path_case {
	const char *arch, *text;
	enum ib_hive_id hive;
	const char *want; /* NULL: refused; "-": not in the image's hives */
};

static const struct path_case path_cases[] = {
	{ "amd64", "HKEY_LOCAL_MACHINE\\SOFTWARE\\OpenSSH", IB_HIVE_SOFTWARE, "OpenSSH" },
	{ "amd64", "HKEY_LOCAL_MACHINE\\Software\\OpenSSH\\", IB_HIVE_SOFTWARE, "OpenSSH" },
	{ "wow64", "HKEY_LOCAL_MACHINE\\SOFTWARE\\OpenSSH", IB_HIVE_SOFTWARE, "Wow6432Node\\OpenSSH" },
	{ "x86", "HKEY_LOCAL_MACHINE\\SOFTWARE\\OpenSSH", IB_HIVE_SOFTWARE, "Wow6432Node\\OpenSSH" },
	{ "wow64", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\x", IB_HIVE_SOFTWARE, "Policies\\x" },
	{ "wow64", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Wow6432Node\\x", IB_HIVE_SOFTWARE, "Wow6432Node\\x" },
	{ "wow64", "HKEY_CLASSES_ROOT\\CLSID\\{1}", IB_HIVE_SOFTWARE, "Classes\\Wow6432Node\\CLSID\\{1}" },
	{ "wow64", "HKEY_CLASSES_ROOT\\.txt", IB_HIVE_SOFTWARE, "Classes\\.txt" },
	{ "amd64", "HKEY_CLASSES_ROOT\\CLSID\\{1}", IB_HIVE_SOFTWARE, "Classes\\CLSID\\{1}" },
	{ "wow64", "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\a", IB_HIVE_SYSTEM, "ControlSet002\\Services\\a" },
	{ "amd64", "hkey_local_machine\\system\\currentcontrolset", IB_HIVE_SYSTEM, "ControlSet002" },
	{ "amd64", "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSets", IB_HIVE_SYSTEM, "CurrentControlSets" },
	{ "amd64", "HKEY_LOCAL_MACHINE\\SYSTEM\\DriverDatabase\\x", IB_HIVE_DRIVERS, "DriverDatabase\\x" },
	{ "amd64", "HKEY_USERS\\.DEFAULT\\x", IB_HIVE_DEFAULT, "x" },
	{ "amd64", "HKEY_CURRENT_USER\\Software\\x", IB_HIVE_USER, "Software\\x" },
	{ "amd64", "SYSTEM\\CurrentControlSet\\x", IB_HIVE_SYSTEM, "ControlSet002\\x" },
	{ "amd64", "HKEY_LOCAL_MACHINE\\HARDWARE\\x", 0, "-" },
	{ "amd64", "HKEY_USERS\\S-1-5-19\\x", 0, "-" },
	{ "amd64", "HKEY_NONE\\x", 0, NULL },
	{ "amd64", "", 0, NULL },
};

Test(servicing, registry_paths)
{
	for (size_t i = 0; i < G_N_ELEMENTS(path_cases); i++) {
		const struct path_case *c = &path_cases[i];
		struct ib_reg_scope scope = { .image_arch = "amd64", .component_arch = c->arch, .control_set = 2,
					      .drivers_hive = true };
		IB_CLEANUP(ib_svc_reg_place_clear) struct ib_reg_place got = { 0 };
		ib_auto_error err = NULL;
		bool ok = ib_svc_reg_path(&scope, c->text, &got, &err);
		cr_assert_eq(ok, c->want != NULL, "%s", c->text);
		if (!ok || !strcmp(c->want, "-")) {
			cr_assert_null(got.path, "%s", c->text);
			continue;
		}
		cr_assert_str_eq(got.path, c->want, "%s", c->text);
		cr_assert_eq(got.hive, c->hive, "%s", c->text);
	}
}

Test(servicing, standing_keys)
{
	cr_assert(ib_svc_standing_key(IB_HIVE_SOFTWARE, "Microsoft\\Windows\\CurrentVersion\\Run"));
	cr_assert(ib_svc_standing_key(IB_HIVE_SOFTWARE, "Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Run"));
	cr_assert(ib_svc_standing_key(IB_HIVE_USER, "Software\\Microsoft"));
	cr_assert(ib_svc_standing_key(IB_HIVE_SYSTEM, "ControlSet001\\Services\\EventLog\\Application"));
	cr_assert_not(ib_svc_standing_key(IB_HIVE_SOFTWARE, "Classes\\Vendor.Thing\\CLSID"));
	cr_assert_not(ib_svc_standing_key(IB_HIVE_SOFTWARE, "Vendor"));
}

/* ---- values ---- */

struct value_case {
	const char *type, *text;
	uint32_t want_type;
	const char *want; /* hex; NULL: refused */
};

static const struct value_case value_cases[] = {
	{ "REG_SZ", "aé", 1, "6100e9000000" },
	{ "REG_SZ", "", 1, "0000" },
	{ "REG_EXPAND_SZ", "%a%", 2, "2500610025000000" },
	{ "REG_SZ", "$(runtime.windows)", 1, "43003a005c00570069006e0064006f00770073000000" },
	{ "REG_MULTI_SZ", "\"a\",\"b\"", 7, "61000000620000000000" },
	{ "REG_MULTI_SZ", "\"a,\"\"b\"", 7, "61002c002200620000000000" },
	{ "REG_MULTI_SZ", "", 7, "00000000" },
	{ "REG_MULTI_SZ", "\"a", 0, NULL },
	{ "REG_MULTI_SZ", "\"a\"b", 0, NULL },
	{ "REG_DWORD", "0x00000042", 4, "42000000" },
	{ "REG_DWORD", "10", 4, "0a000000" },
	{ "REG_DWORD", "010", 4, "0a000000" },
	{ "REG_DWORD", "0xFFFFFFFF", 4, "ffffffff" },
	{ "REG_DWORD", "0x100000000", 0, NULL },
	{ "REG_DWORD", "-1", 0, NULL },
	{ "REG_DWORD", "", 0, NULL },
	{ "REG_DWORD", "0x", 0, NULL },
	{ "REG_QWORD", "0A88000000000000", 11, "0a88000000000000" },
	{ "REG_QWORD", "0x880A", 11, "0a88000000000000" },
	{ "REG_QWORD", "0A88", 0, NULL },
	{ "REG_BINARY", "02FF0000", 3, "02ff0000" },
	{ "REG_BINARY", "2FF", 0, NULL },
	{ "REG_BINARY", "xx", 0, NULL },
	{ "REG_BINARY", "", 3, "" },
	{ "REG_NONE", NULL, 0, "" },
	{ "REG_NONE", "00", 0, "00" },
	{ "00020001", "ff", 0x20001, "ff" },
	{ "FFFF0012", "610000", 0xFFFF0012, "610000" },
	{ "REG_WHAT", "1", 0, NULL },
	{ "0002000", "1", 0, NULL },
};

Test(servicing, values)
{
	struct ib_macro_scope scope = { .image_arch = "amd64", .drive = "C:" };

	for (size_t i = 0; i < G_N_ELEMENTS(value_cases); i++) {
		const struct value_case *c = &value_cases[i];
		struct ib_registry_value v = { .name = "n", .type = c->type, .value = c->text };
		g_autoptr(GByteArray) data = NULL;
		ib_auto_error err = NULL;
		uint32_t type = 0;
		bool ok = ib_svc_value_data(&v, &scope, &type, &data, &err);
		cr_assert_eq(ok, c->want != NULL, "%s %s", c->type, c->text);
		if (!ok)
			continue;
		g_autofree char *hex = ib_hex(data->data, data->len);
		cr_assert_str_eq(hex, c->want, "%s %s", c->type, c->text);
		cr_assert_eq(type, c->want_type, "%s %s", c->type, c->text);
	}
}

static char *joined(struct ib_key *key, const char *name)
{
	const struct ib_value *v = ib_key_value(key, name);
	g_auto(GStrv) strings = v ? ib_value_strings(v) : NULL;

	return strings ? g_strjoinv("+", strings) : g_strdup("none");
}

Test(servicing, merged_values)
{
	struct ib_macro_scope scope = { .image_arch = "amd64", .drive = "C:" };
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k = ib_hive_root(h);
	ib_auto_error err = NULL;
	struct ib_registry_value v = { .name = "l", .type = "REG_MULTI_SZ", .value = "\"a\",\"b\"" };
	bool dropped;

	cr_assert(ib_svc_value_apply(h, k, &v, &scope, &err));
	v.hint = "append";
	v.value = "\"B\",\"c\"";
	cr_assert(ib_svc_value_apply(h, k, &v, &scope, &err));
	v.hint = "prepend";
	v.value = "\"c\",\"z\"";
	cr_assert(ib_svc_value_apply(h, k, &v, &scope, &err));
	g_autofree char *merged = joined(k, "l");
	cr_assert_str_eq(merged, "c+z+a+b");
	v.mutable_ = true;
	v.hint = NULL;
	cr_assert(ib_svc_value_apply(h, k, &v, &scope, &err));
	cr_assert(ib_svc_multi_add(h, k, "l", "Z", &err));
	g_autofree char *kept = joined(k, "l");
	cr_assert_str_eq(kept, "c+z+a+b");
	for (const char *const *p = (const char *const[]){ "C", "z", "a", "b", NULL }; *p; p++)
		cr_assert(ib_svc_multi_drop(h, k, "l", *p, &dropped, &err) && dropped);
	cr_assert_null(ib_key_value(k, "l"), "an empty list is left");
	cr_assert(ib_svc_multi_drop(h, k, "l", "b", &dropped, &err) && !dropped);
	ib_hive_free(h);
}

/* ---- services ---- */

Test(servicing, service_words)
{
	uint32_t n;
	bool delayed;

	cr_assert(ib_svc_service_start("auto", &n, &delayed) && n == 2 && !delayed);
	cr_assert(ib_svc_service_start("delayedAuto", &n, &delayed) && n == 2 && delayed);
	cr_assert(ib_svc_service_start("Disabled", &n, &delayed) && n == 4);
	cr_assert(ib_svc_service_type("win32OwnProcess", &n) && n == 0x10);
	cr_assert(ib_svc_service_type("win32UserShareProcess", &n) && n == 0x60);
	cr_assert(ib_svc_service_type("0x110", &n) && n == 0x110);
	cr_assert(ib_svc_service_error("critical", &n) && n == 3);
	cr_assert_not(ib_svc_service_type("process", &n));
	cr_assert_not(ib_svc_service_start("", &n, &delayed));
}

Test(servicing, failure_actions)
{
	static const char xml[] = "<failureActions resetPeriod=\"900\"><actions><action delay=\"120000\" type=\"restartService\"/>"
				  "<action delay=\"0\" type=\"none\"/></actions></failureActions>";
	ib_auto_error err = NULL;
	ib_auto_xml doc = NULL;
	g_autoptr(GByteArray) data = NULL;

	cr_assert(ib_xml_parse(xml, strlen(xml), "x", &doc, &err));
	cr_assert(ib_svc_failure_actions(ib_xml_root(doc), &data, &err));
	g_autofree char *hex = ib_hex(data->data, data->len);
	cr_assert_str_eq(hex, "84030000" "00000000" "00000000" "02000000" "14000000" "01000000" "c0d40100" "00000000" "00000000");
}

Test(servicing, firewall_text)
{
	static const char xml[] = "<firewallRule internalName=\"x\" Dir=\"In\" action=\"Allow\" active=\"TRUE\" protocol=\"6\" "
				  "lport=\"80,443\" profile=\"Domain\" binary=\"$(runtime.system32)\\a.exe\" name=\"n\" group=\"g\"/>";
	struct ib_macro_scope scope = { .image_arch = "amd64", .drive = "C:" };
	ib_auto_error err = NULL;
	ib_auto_xml doc = NULL;
	g_autofree char *text = NULL;

	cr_assert(ib_xml_parse(xml, strlen(xml), "x", &doc, &err));
	cr_assert(ib_svc_firewall_text(&scope, ib_xml_root(doc), "v2.29", &text, &err));
	cr_assert_str_eq(text, "v2.29|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|LPort=80|LPort=443|"
			       "App=C:\\Windows\\System32\\a.exe|Name=n|EmbedCtxt=g|");
}

/* Genuine manifests spell words as they like, and name protocols; the rule's text has one spelling and numbers. */
Test(servicing, firewall_words)
{
	static const struct {
		const char *attributes, *text; /* NULL: refused */
	} cases[] = {
		{ "action=\"allow\" active=\"true\" dir=\"in\" protocol=\"TCP\" lport=\"22\"",
		  "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=22|" },
		{ "action=\"BLOCK\" active=\"False\" dir=\"OUT\" protocol=\"udp\" profile=\"domain,PRIVATE\" edge=\"true\"",
		  "v2.31|Action=Block|Active=FALSE|Dir=Out|Protocol=17|Profile=Domain|Profile=Private|Edge=TRUE|" },
		{ "protocol=\"ICMPv6\" profile=\"all\"", "v2.31|Protocol=58|" },
		{ "protocol=\"any\"", "v2.31|" },
		{ "protocol=\"255\"", "v2.31|Protocol=255|" },
		{ "protocol=\"256\"", NULL },
		{ "protocol=\"tpc\"", NULL },
		{ "action=\"permit\"", NULL },
		{ "dir=\"\\\"", NULL },
	};
	struct ib_macro_scope scope = { .image_arch = "amd64", .drive = "C:" };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *xml = g_strdup_printf("<firewallRule internalName=\"x\" %s/>", cases[i].attributes);
		ib_auto_error err = NULL;
		ib_auto_xml doc = NULL;
		g_autofree char *text = NULL;
		cr_assert(ib_xml_parse(xml, strlen(xml), "x", &doc, &err));
		bool ok = ib_svc_firewall_text(&scope, ib_xml_root(doc), "v2.31", &text, &err);
		cr_assert_eq(ok, cases[i].text != NULL, "%s", xml);
		if (ok)
			cr_assert_str_eq(text, cases[i].text);
		else
			cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}

/* ---- applicability ---- */

struct compare_case {
	const char *build, *revision, *wanted, *found;
	bool want;
};

static const struct compare_case compare_cases[] = {
	{ "EQ", NULL, "10.0.17763.1", "10.0.17763.1", true },
	{ "EQ", NULL, "10.0.17763.500", "10.0.17763.1", true },
	{ "EQ", NULL, "10.0.19041.1", "10.0.17763.1", false },
	{ "EQ", "GE", "10.0.17763.500", "10.0.17763.1", false },
	{ "EQ", "GE", "10.0.17763.500", "10.0.17763.500", true },
	{ "GE", "GE", "10.0.17763.500", "10.0.20348.1", true },
	{ "GE", "GE", "10.0.20348.1", "10.0.17763.500", false },
	{ "ge", "eq", "10.0.0.0", "10.0.0.0", true },
	{ "GE", NULL, "10.0.17763.1", "6.1.17763.1", false },
	{ NULL, NULL, "10.0.17763.1", "10.0.17763.9", true },
	{ NULL, NULL, "10.0.17763.1", "10.0.17764.1", false },
	{ "LT", NULL, "10.0.17763.1", "10.0.17762.9", true },
	{ "LT", NULL, "10.0.17763.1", "10.0.17763.0", false },
};

Test(servicing, comparisons)
{
	for (size_t i = 0; i < G_N_ELEMENTS(compare_cases); i++) {
		const struct compare_case *c = &compare_cases[i];
		struct ib_parent p = { .build_compare = c->build, .revision_compare = c->revision };
		struct ib_version wanted, found;
		cr_assert(ib_version_parse(c->wanted, &wanted) && ib_version_parse(c->found, &found));
		cr_assert_eq(ib_svc_version_matches(&p, &wanted, &found), c->want, "case %zu", i);
	}
}

static bool met(const char *installed, uint32_t state, const struct ib_identity *any)
{
	struct ib_installed have = { .package_id = (char *)installed, .state = state };
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	struct ib_parent parent = { .identities = ids, .build_compare = "EQ" };

	g_ptr_array_add(list, &have);
	for (; any->name; any++)
		g_ptr_array_add(ids, (gpointer)any);
	return ib_svc_parent_met(list, NULL, &parent);
}

Test(servicing, parents)
{
	const struct ib_identity any[] = {
		{ .name = "Other", .token = "31bf", .arch = "amd64", .number = { { 10, 0, 17763, 1 } } },
		{ .name = "Base", .token = "31bf", .arch = "amd64", .number = { { 10, 0, 17763, 1 } } },
		{ .name = NULL },
	};

	cr_assert(met("base~31BF~amd64~~10.0.17763.1", 0x70, any));
	cr_assert(met("Base~31bf~amd64~~10.0.17763.1", 0x50, any));
	cr_assert_not(met("Base~31bf~amd64~~10.0.17763.1", 0x20, any));
	cr_assert_not(met("Base~31bf~amd64~en-US~10.0.17763.1", 0x70, any));
	cr_assert_not(met("Base~31bf~x86~~10.0.17763.1", 0x70, any));
	cr_assert_not(met("Base~31bf~amd64~~10.0.19041.1", 0x70, any));
	cr_assert_not(met("Base~31bf", 0x70, any));
}

/* ---- names ---- */

Test(servicing, identities)
{
	static const char text[] = "Some, Thing, Culture=en-US, Type=win32, Version=1.2.3.4, PublicKeyToken=31bf, "
				   "ProcessorArchitecture=amd64, versionScope=NonSxS";
	struct ib_identity id;

	cr_assert(ib_svc_identity_parse(text, strlen(text), &id));
	cr_assert_str_eq(id.name, "Some, Thing");
	cr_assert_str_eq(id.culture, "en-US");
	cr_assert_str_eq(id.type, "win32");
	cr_assert_eq(id.number.part[3], 4);
	cr_assert(ib_svc_identity_parse("A, Culture=neutral, Version=1.0.0.0", 35, &id));
	cr_assert_null(id.culture);
	cr_assert_not(ib_svc_identity_parse("A", 1, &id));
	cr_assert_not(ib_svc_identity_parse("A, Culture=neutral", 18, &id));
	cr_assert_not(ib_svc_identity_parse(", Culture=neutral, Version=1.0.0.0", 34, &id));
	cr_assert_not(ib_svc_identity_parse("A, Culture=neutral, Version=x", 29, &id));
}

Test(servicing, package_ids)
{
	g_auto(GStrv) parts = ib_svc_package_parts("A~t~amd64~~1.0.0.0");
	g_autofree char *family = ib_svc_package_family("A~t~amd64~~1.0.0.0");

	cr_assert_eq(g_strv_length(parts), 5);
	cr_assert_str_eq(parts[4], "1.0.0.0");
	cr_assert_str_eq(family, "A~t~amd64~~");
	cr_assert_null(ib_svc_package_parts("A~t~amd64~1.0.0.0"));
	cr_assert_null(ib_svc_package_parts("A~t~amd64~~1.0~x"));
}

Test(servicing, references)
{
	struct ib_hive *h = ib_hive_new("ROOT");
	ib_auto_error err = NULL;
	struct ib_key *d;

	cr_assert(ib_key_make(h, ib_hive_root(h), "CanonicalData\\Deployments\\x", &d, &err));
	cr_assert(ib_svc_ref_set(h, d, "i!", "P~t~amd64~~1.0.0.0", "u", &err));
	cr_assert(ib_svc_ref_set(h, d, "s!", "P~t~amd64~~1.0.0.0", "u", &err));
	cr_assert(ib_key_set(h, d, "i!bad", IB_REG_BINARY, "\xff\xff\xff\xff\1\0\0\0x", 9, &err));
	g_autoptr(GPtrArray) refs = ib_svc_deployment_refs(d, "i!");
	cr_assert_eq(refs->len, 1);
	cr_assert_str_eq(refs->pdata[0], "P~t~amd64~~1.0.0.0.u");
	ib_svc_ref_drop(h, d, "i!", "P~t~amd64~~1.0.0.0.u");
	g_autoptr(GPtrArray) none = ib_svc_deployment_refs(d, "i!");
	g_autoptr(GPtrArray) staged = ib_svc_deployment_refs(d, "s!");
	cr_assert_eq(none->len, 0);
	cr_assert_eq(staged->len, 1);
	ib_hive_free(h);
}

/* ---- apps ---- */

/* The publisher ids that everybody knows from folder names: Microsoft's two. */
Test(servicing, appx_publisher_id)
{
	static const struct {
		const char *publisher, *id;
	} cases[] = {
		{ "CN=Microsoft Corporation, O=Microsoft Corporation, L=Redmond, S=Washington, C=US", "8wekyb3d8bbwe" },
		{ "CN=Microsoft Windows, O=Microsoft Corporation, L=Redmond, S=Washington, C=US", "cw5n1h2txyewy" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *id = ib_appx_publisher_id(cases[i].publisher);
		cr_expect_str_eq(id, cases[i].id, "%s: %s", cases[i].publisher, id);
	}
}
