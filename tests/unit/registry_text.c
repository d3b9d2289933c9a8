/* .reg text in and out. */
#include "registry/registry.h"

#include <criterion/criterion.h>
#include <string.h>

#define V5 "Windows Registry Editor Version 5.00\r\n\r\n"
#define SOFTWARE "HKEY_LOCAL_MACHINE\\SOFTWARE"

static bool import(struct ib_hive *h, const char *root, const char *text, unsigned *other, struct ib_error **err)
{
	return ib_hive_import(h, root, text, strlen(text), "t.reg", other, err);
}

/* What a text makes of a new hive, exported again. */
Test(registry_text, forms)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "[HKLM\\Software\\K]\r\n\"a\"=\"text \\\\ \\\" end\"\r\n", "\"a\"=\"text \\\\ \\\" end\"\r\n" },
		{ "[" SOFTWARE "\\K]\n@=\"default\"\n", "@=\"default\"\r\n" },
		{ "[" SOFTWARE "\\K]\n\"d\"=dword:0000CAFE ; comment\n", "\"d\"=dword:0000cafe\r\n" },
		{ "[" SOFTWARE "\\K]\n\"d\"=dword:7\n", "\"d\"=dword:00000007\r\n" },
		{ "[" SOFTWARE "\\K]\n\"b\"=hex:01,02,\\\r\n  03,ff\r\n", "\"b\"=hex:01,02,03,ff\r\n" },
		{ "[" SOFTWARE "\\K]\n\"b\"=hex:\n", "\"b\"=hex:\r\n" },
		{ "[" SOFTWARE "\\K]\n\"q\"=hex(b):01,00,00,00,00,00,00,00\n", "\"q\"=hex(b):01,00,00,00,00,00,00,00\r\n" },
		{ "[" SOFTWARE "\\K]\n\"n\"=hex(20001):aa\n", "\"n\"=hex(20001):aa\r\n" },
		{ "[" SOFTWARE "\\K]\n\"e\"=hex(2):25,00,00,00\n", "\"e\"=hex(2):25,00,00,00\r\n" },
		{ "[" SOFTWARE "\\K]\n\"s\"=hex(1):41,00\n", "\"s\"=hex(1):41,00\r\n" }, /* not NUL-ended: kept so */
		{ "[" SOFTWARE "\\K]\n\"s\"=hex(1):41,00,00,00\n", "\"s\"=\"A\"\r\n" },
		{ "[" SOFTWARE "\\K]\n\"l\"=\"a\nb\"\n", "\"l\"=hex(1):61,00,0a,00,62,00,00,00\r\n" },
		{ "[" SOFTWARE "\\K]\n\"x\"=\"1\"\n\"X\"=-\n", "" },
		{ "[" SOFTWARE "\\K\\Gone]\n[-" SOFTWARE "\\K\\Gone]\n", "" },
		{ "[-" SOFTWARE "\\NotThere]\n[" SOFTWARE "\\K]\n", "" },
		{ "[HKEY_CURRENT_USER\\X]\n\"a\"=dword:1\n[" SOFTWARE "\\K]\n", "" },
		{ "[" SOFTWARE "\\K] ; see [1]\n@=\"\"\n[" SOFTWARE "\\a]b] \r\n", "@=\"\"\r\n" },
		{ "; comment\n\n[" SOFTWARE "\\K] ; more\n\"\xe4\xb8\xad\"=\"\xc3\xa9\"\n", "\"\xe4\xb8\xad\"=\"\xc3\xa9\"\r\n" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_auto_error err = NULL;
		struct ib_hive *h = ib_hive_new("ROOT");
		g_autofree char *text = g_strconcat(V5, cases[i].in, NULL);
		g_autofree char *want = g_strconcat(V5 "[" SOFTWARE "\\K]\r\n", cases[i].out, NULL);
		cr_expect(import(h, SOFTWARE, text, NULL, &err), "case %zu: %s", i, err ? ib_error_cause(err) : "");
		struct ib_key *k = ib_key_find(ib_hive_root(h), "K");
		cr_assert_not_null(k, "case %zu", i);
		g_autofree char *out = ib_hive_export(k, SOFTWARE);
		cr_expect_str_eq(out, want, "case %zu", i);
		ib_hive_free(h);
	}
}

Test(registry_text, mistakes_are_named_by_line)
{
	static const struct { const char *in, *says; } cases[] = {
		{ "", "'t.reg':1: neither" },
		{ "[HKLM\\SOFTWARE\\K]\n", "'t.reg':1: neither" },
		{ V5 "\"a\"=\"b\"\n", "'t.reg':3: a value stands before the first key" },
		{ V5 "[HKLM\\SOFTWARE\n", "'t.reg':3: a key line" },
		{ V5 "[]\n", "'t.reg':3: a key line" },
		{ V5 "[HKLM\\SOFTWARE\\K]x\n", "'t.reg':3: a key line" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=\"b\"x\n", "'t.reg':4: 'x' is left over" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=\"b\n\n\n", ":4: a string has no closing quote" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=\"\\n\"\n", "'t.reg':4: a '\\' in a string" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\" \"b\"\n", "'t.reg':4: '=' is expected" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=dword:xyz\n", "no hex number" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=dword:123456789\n", "more than 8 digits" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=hex:0g\n", "',' is expected" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=hex:01 02\n", "',' is expected" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=hex(1:01\n", "no ')'" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\"a\"=qword:1\n", "unknown form" },
		{ V5 "[HKLM\\SOFTWARE\\K]\n\n\nwhat\n", "'t.reg':6: 'what" },
		{ V5 "[-HKLM\\SOFTWARE]\n", "root key" },
		{ V5 "[HKLM\\SOFTWARE\\a\\\\b]\n", "empty name" },
		{ "REGEDIT4\n[HKLM\\SOFTWARE\\K]\n\"a\"=hex(2):e9,00\n", "unknown code page" },
		{ "\xff\xfe\x41", "neither UTF-16LE nor UTF-8" },
		{ "\xe9", "neither UTF-16LE nor UTF-8" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_auto_error err = NULL;
		struct ib_hive *h = ib_hive_new("ROOT");
		cr_expect_not(import(h, SOFTWARE, cases[i].in, NULL, &err), "case %zu", i);
		cr_expect(err && ib_error_code(err) == IB_ERR_INPUT && strstr(ib_error_cause(err), cases[i].says),
			  "case %zu: '%s' in '%s'", i, cases[i].says, err ? ib_error_cause(err) : "");
		ib_hive_free(h);
	}
}

Test(registry_text, roots)
{
	static const struct { const char *root, *line, *path; unsigned other; } cases[] = {
		{ "HKLM\\SOFTWARE", "HKEY_LOCAL_MACHINE\\SOFTWARE\\A", "A", 0 },
		{ SOFTWARE, "hklm\\software\\A", "A", 0 },
		{ SOFTWARE, "HKEY_CLASSES_ROOT\\.txt", "Classes\\.txt", 0 },
		{ SOFTWARE, "HKCR\\.txt", "Classes\\.txt", 0 },
		{ SOFTWARE, "HKEY_LOCAL_MACHINE\\SOFTWARE2\\A", "A", 1 },
		{ SOFTWARE, "HKEY_LOCAL_MACHINE\\SYSTEM\\A", "A", 1 },
		{ "HKEY_USERS\\.DEFAULT", "HKU\\.DEFAULT\\A", "A", 0 },
		{ "HKEY_CURRENT_USER", "HKCU\\A", "A", 0 },
		{ "HKEY_LOCAL_MACHINE\\SYSTEM", "HKLM\\SYSTEM\\CurrentControlSet\\Services\\x",
		  "ControlSet003\\Services\\x", 0 },
		{ "HKEY_LOCAL_MACHINE\\SYSTEM", "HKLM\\SYSTEM\\CurrentControlSet", "ControlSet003", 0 },
		{ "HKEY_LOCAL_MACHINE\\SYSTEM", "HKLM\\SYSTEM\\CurrentControlSets", "CurrentControlSets", 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_auto_error err = NULL;
		struct ib_hive *h = ib_hive_new("ROOT");
		struct ib_key *select;
		unsigned other = 9;
		g_autofree char *text = g_strdup_printf(V5 "[%s]\r\n\"v\"=dword:1\r\n", cases[i].line);
		cr_assert(ib_key_make(h, ib_hive_root(h), "Select", &select, &err));
		cr_assert(ib_key_set_dword(h, select, "Default", 3, &err));
		cr_expect(import(h, cases[i].root, text, &other, &err), "case %zu", i);
		cr_expect_eq(other, cases[i].other, "case %zu", i);
		cr_expect_eq(ib_key_find(ib_hive_root(h), cases[i].path) == NULL, cases[i].other, "case %zu", i);
		ib_hive_free(h);
	}
}

Test(registry_text, control_set_without_select_is_refused)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");

	cr_expect_not(import(h, "HKLM\\SYSTEM", V5 "[HKLM\\SYSTEM\\CurrentControlSet\\X]\n", NULL, &err));
	cr_expect(err && strstr(ib_error_cause(err), "Select\\Default"));
	ib_hive_free(h);
}

Test(registry_text, encodings)
{
	static const char text[] = V5 "[HKLM\\SOFTWARE\\\xe4\xb8\xad]\r\n@=\"\xc3\xa9\"\r\n";
	g_autofree char *with_bom = g_strconcat("\xef\xbb\xbf", text, NULL);
	size_t n;
	g_autofree uint8_t *units = ib_utf8_to_utf16(text, &n);
	g_autoptr(GByteArray) wide = g_byte_array_new();

	g_byte_array_append(wide, (const uint8_t *)"\xff\xfe", 2);
	g_byte_array_append(wide, units, (guint)n);
	const struct { const void *p; size_t len; } forms[] = {
		{ text, strlen(text) }, { with_bom, strlen(with_bom) }, { wide->data, wide->len },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
		ib_auto_error err = NULL;
		struct ib_hive *h = ib_hive_new("ROOT");
		cr_expect(ib_hive_import(h, SOFTWARE, forms[i].p, forms[i].len, "t.reg", NULL, &err), "form %zu", i);
		struct ib_key *k = ib_key_find(ib_hive_root(h), "\xe4\xb8\xad");
		cr_assert_not_null(k);
		g_autofree char *v = ib_value_text(ib_key_value(k, NULL));
		cr_expect_str_eq(v, "\xc3\xa9");
		ib_hive_free(h);
	}
}

Test(registry_text, regedit4_text_in_hex_is_bytes)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");

	cr_assert(import(h, SOFTWARE, "REGEDIT4\n\n[HKLM\\SOFTWARE\\K]\n\"m\"=hex(7):61,62,00,63,00,00\n\"b\"=hex:e9\n",
			 NULL, &err));
	struct ib_key *k = ib_key_find(ib_hive_root(h), "K");
	g_auto(GStrv) list = ib_value_strings(ib_key_value(k, "m"));
	cr_expect_eq(g_strv_length(list), 2);
	cr_expect_str_eq(list[0], "ab");
	cr_expect_str_eq(list[1], "c");
	ib_hive_free(h);
}

Test(registry_text, names_that_cannot_be_written_are_named)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k;

	cr_assert(ib_key_make(h, ib_hive_root(h), "x]\r\n[-HKLM", &k, &err));
	g_autofree char *text = ib_hive_export(ib_hive_root(h), SOFTWARE);
	cr_expect_null(strstr(text, "[-"));
	cr_expect_not_null(strstr(text, "; a subkey is left out"));
	ib_hive_free(h);
}

Test(registry_text, names_that_text_cannot_hold_are_left_out)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k = NULL;

	cr_assert(ib_key_make(h, ib_hive_root(h), "K\\a\xC0\x80z", &k, &err));
	k = ib_key_find(ib_hive_root(h), "K");
	cr_assert(ib_key_set_dword(h, k, "b\xC0\x80z", 1, &err) && ib_key_set_dword(h, k, "c", 2, &err));
	g_autofree char *out = ib_hive_export(k, SOFTWARE);
	cr_expect_str_eq(out, V5 "[" SOFTWARE "\\K]\r\n; a value is left out: its name cannot be written here\r\n"
				 "\"c\"=dword:00000002\r\n; a subkey is left out: its name cannot be written here\r\n");
	ib_hive_free(h);
}
