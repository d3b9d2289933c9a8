/* Paths that are redirected, links, differences, what loading found. */
#include "registry/registry.h"

#include <criterion/criterion.h>
#include <string.h>

static struct ib_key *make(struct ib_hive *h, const char *path)
{
	ib_auto_error err = NULL;
	struct ib_key *k = NULL;

	cr_assert(ib_key_make(h, ib_hive_root(h), path, &k, &err), "%s", path);
	return k;
}

static void set_dword(struct ib_hive *h, const char *path, const char *name, uint32_t number)
{
	ib_auto_error err = NULL;

	cr_assert(ib_key_set_dword(h, make(h, path), name, number, &err));
}

Test(registry_paths, what_32_bit_programs_see)
{
	static const struct { const char *path, *want; } cases[] = {
		{ "", "Wow6432Node" },
		{ "Acme", "Wow6432Node\\Acme" },
		{ "Acme\\Wow6432Node", "Wow6432Node\\Acme\\Wow6432Node" },
		{ "Wow6432Node\\Acme", "Wow6432Node\\Acme" },
		{ "Classes", "Classes" },
		{ "Classes\\.txt", "Classes\\.txt" },
		{ "Classes\\CLSID", "Classes\\Wow6432Node\\CLSID" },
		{ "classes\\clsid\\{1}", "Classes\\Wow6432Node\\clsid\\{1}" },
		{ "Classes\\CLSIDs", "Classes\\CLSIDs" },
		{ "Microsoft\\SystemCertificates\\ROOT", "Microsoft\\SystemCertificates\\ROOT" },
		{ "Microsoft\\Windows\\CurrentVersion\\Run", "Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Run" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = ib_reg_wow64_path(cases[i].path);
		cr_expect_str_eq(got, cases[i].want);
	}
}

Test(registry_paths, control_set)
{
	struct ib_hive *h = ib_hive_new("ROOT");

	cr_expect_eq(ib_hive_control_set(h), 0);
	make(h, "Select");
	cr_expect_eq(ib_hive_control_set(h), 0);
	set_dword(h, "Select", "Current", 1);
	cr_expect_eq(ib_hive_control_set(h), 1);
	set_dword(h, "Select", "Default", 2);
	cr_expect_eq(ib_hive_control_set(h), 2);
	set_dword(h, "Select", "Default", 1000);
	cr_expect_eq(ib_hive_control_set(h), 0);
	ib_hive_free(h);

	static const struct { const char *path, *want; } cases[] = {
		{ "CurrentControlSet", "ControlSet002" },
		{ "currentcontrolset\\Services\\X", "ControlSet002\\Services\\X" },
		{ "CurrentControlSetX\\Services", "CurrentControlSetX\\Services" },
		{ "Select", "Select" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = ib_reg_control_set_path(cases[i].path, 2);
		cr_expect_str_eq(got, cases[i].want);
	}
}

Test(registry_paths, links)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT"), *again = NULL;
	g_autoptr(GBytes) bytes = NULL;
	static const char text[] = "Windows Registry Editor Version 5.00\n\n[HKLM\\SYSTEM\\L]\n"
				   "\"SymbolicLinkValue\"=hex(6):5c,00,52,00\n[HKLM\\SYSTEM\\N]\n\"SymbolicLinkValue\"=\"x\"\n";

	cr_assert(ib_hive_import(h, "HKLM\\SYSTEM", text, strlen(text), "t.reg", NULL, &err));
	cr_assert(ib_hive_save(h, 0, &bytes, &err) && ib_hive_load(bytes, NULL, &again, &err));
	struct ib_key *l = ib_key_find(ib_hive_root(again), "L");
	cr_expect(ib_key_is_link(l));
	cr_expect_not(ib_key_is_link(ib_key_find(ib_hive_root(again), "N")), "text is no target");
	struct ib_hive_info info;
	ib_hive_info(again, &info);
	cr_expect(info.links == 1 && info.keys == 3 && info.values == 2 && info.depth == 1 && info.descriptors == 1);
	cr_expect(!info.dirty && info.minor == 5 && info.sequence[0] == info.sequence[1] && info.file_bytes == 8192);
	cr_expect(ib_key_unset(again, l, "symboliclinkvalue"));
	cr_expect_not(ib_key_is_link(l));
	ib_hive_free(h);
	ib_hive_free(again);
}

static bool note(enum ib_hive_change change, struct ib_key *a, struct ib_key *b, const struct ib_value *va,
		 const struct ib_value *vb, void *data)
{
	static const char *const words[] = { "+key", "-key", "+value", "-value", "value", "security", "class" };
	GString *out = data;
	g_autofree char *path = ib_key_path(a ? a : b);

	g_string_append_printf(out, "%s %s", words[change], path);
	if (va || vb)
		g_string_append_printf(out, ":%s", ib_value_name(va ? va : vb));
	g_string_append_c(out, '\n');
	return out->len < 200;
}

Test(registry_paths, differences)
{
	struct ib_hive *a = ib_hive_new("A"), *b = ib_hive_new("B");
	g_autoptr(GString) out = g_string_new(NULL);
	static const uint8_t other[] = { 1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	g_autoptr(GBytes) descriptor = g_bytes_new_static(other, sizeof other);

	set_dword(a, "Same", "x", 1);
	set_dword(b, "SAME", "X", 1);
	ib_hive_diff(ib_hive_root(a), ib_hive_root(b), note, out);
	cr_expect_str_eq(out->str, "");

	make(a, "Gone\\Below");
	make(b, "New\\Below");
	set_dword(a, "K", "changed", 1);
	set_dword(b, "K", "changed", 2);
	set_dword(a, "K", "gone", 1);
	set_dword(b, "K", "added", 1);
	make(a, "S");
	ib_key_set_security(b, make(b, "S"), descriptor);
	ib_hive_diff(ib_hive_root(a), ib_hive_root(b), note, out);
	cr_expect_str_eq(out->str, "-key Gone\n+value K:added\nvalue K:changed\n-value K:gone\n+key New\nsecurity S\n");
	ib_hive_free(a);
	ib_hive_free(b);
}

Test(registry_paths, differences_can_stop)
{
	struct ib_hive *a = ib_hive_new("A"), *b = ib_hive_new("B");
	g_autoptr(GString) out = g_string_new(NULL);

	for (unsigned i = 0; i < 1000; i++) {
		g_autofree char *path = g_strdup_printf("K%04u", i);
		make(b, path);
	}
	ib_hive_diff(ib_hive_root(a), ib_hive_root(b), note, out);
	cr_expect_lt(out->len, 220);
	ib_hive_free(a);
	ib_hive_free(b);
}
