#include <criterion/criterion.h>

#include <string.h>

#include "package/package.h"

Test(package_names, hash_of_texts)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} cases[] = {
		{ "", 0 },
		{ "name", UINT64_C(0x0000c409fffee203) },
		{ "culture", UINT64_C(0xac813809070f9ffe) },
		{ "version", UINT64_C(0xd2e892e0cba02406) },
		{ "Microsoft-Windows-Core", UINT64_C(0x695535fd434d6a1c) },
		{ "MICROSOFT-WINDOWS-CORE", UINT64_C(0x695535fd434d6a1c) },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_expect_eq(ib_keyform_hash(cases[i].text), cases[i].hash, "'%s'", cases[i].text);
}

/* The fields of one row that matter; the last two columns hold no name. */
enum column { FORM, NAME, VERSION, ARCH, CULTURE, TOKEN, TYPE, SCOPE, EXPECTED };

static const char *field(char **row, enum column c)
{
	return *row[c] ? row[c] : NULL;
}

static char *make_name(char **row)
{
	struct ib_identity id = { .name = row[NAME],	 .version = row[VERSION],      .arch = field(row, ARCH),
				  .culture = field(row, CULTURE), .token = field(row, TOKEN), .type = field(row, TYPE),
				  .scope = field(row, SCOPE) };
	const char *form = row[FORM];

	if (id.culture && (strcmp(id.culture, "neutral") == 0 || strcmp(id.culture, "none") == 0))
		id.culture = NULL;
	if (strcmp(form, "long") == 0)
		return ib_keyform(&id, IB_KEYFORM_LONG);
	if (strcmp(form, "short") == 0)
		return ib_keyform(&id, IB_KEYFORM_SHORT);
	if (strcmp(form, "family") == 0)
		return ib_keyform(&id, IB_KEYFORM_FAMILY);
	if (strcmp(form, "package") == 0)
		return ib_package_id(&id);
	if (strcmp(form, "f!") == 0)
		return ib_file_value_name(row[NAME]);
	/* p! and i!: the reference is <package id>.<update>; the id ends with the version's last part. */
	const char *dot = strrchr(row[NAME], '.');
	g_autofree char *package = g_strndup(row[NAME], (gsize)(dot - row[NAME]));
	g_autofree char *value = ib_update_value_name(package, dot + 1);
	return g_strconcat(form, value, NULL);
}

Test(package_names, names_windows_uses)
{
	g_autofree char *path = g_build_filename(g_getenv("IB_SRC"), "tests", "data", "keyform_vectors.csv", NULL);
	g_autofree char *text = NULL;
	unsigned rows = 0;

	cr_assert(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines + 1; *line && **line; line++) {
		g_auto(GStrv) row = g_strsplit(*line, ",", EXPECTED + 2);
		cr_assert_geq(g_strv_length(row), EXPECTED + 1);
		g_autofree char *got = make_name(row);
		cr_expect_str_eq(got, row[EXPECTED]);
		rows++;
	}
	cr_expect_eq(rows, 202, "%u rows", rows);
}

Test(package_names, name_limits)
{
	struct ib_identity id = { .version = "1.0.0.0", .arch = "amd64", .token = "t" };
	static const struct {
		size_t length;
		bool shortened;
	} cases[] = { { 39, false }, { 40, false }, { 41, true }, { 42, true } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *name = g_strnfill(cases[i].length, 'a');
		id.name = name;
		g_autofree char *key = ib_keyform(&id, IB_KEYFORM_LONG);
		cr_expect_eq(strstr(key, "..") != NULL, cases[i].shortened, "%zu", cases[i].length);
	}
	id.name = "x";
	id.culture = "sr-Latn-RS";
	g_autofree char *key = ib_keyform(&id, IB_KEYFORM_LONG);
	cr_expect(strstr(key, "_sr-..-rs_"), "%s", key);
}

Test(package_names, file_value_boundary)
{
	g_autofree char *fits = ib_file_value_name("abcdefghijklmnopqrstuvwxy");
	g_autofree char *cut = ib_file_value_name("abcdefghijklmnopqrstuvwxyz");

	cr_expect_str_eq(fits, "f!abcdefghijklmnopqrstuvwxy");
	cr_expect(g_str_has_prefix(cut, "f!abcdefghijklmnopqrstuvwxy_"));
	cr_expect_eq(strlen(cut), strlen("f!") + 25 + 1 + 16);
}

Test(package_names, identity_text)
{
	struct ib_identity id = { .name = "Microsoft-Windows-Foundation", .version = "10.0.17763.1", .arch = "amd64",
				  .token = "31bf3856ad364e35", .type = "win32", .scope = "nonSxS" };
	g_autofree char *full = ib_identity_text(&id);

	cr_expect_str_eq(full, "Microsoft-Windows-Foundation, Culture=neutral, Type=win32, Version=10.0.17763.1, "
			       "PublicKeyToken=31bf3856ad364e35, ProcessorArchitecture=amd64, versionScope=NonSxS");
	id.type = id.scope = NULL;
	id.culture = "de-DE";
	g_autofree char *plain = ib_identity_text(&id);
	cr_expect_str_eq(plain, "Microsoft-Windows-Foundation, Culture=de-DE, Version=10.0.17763.1, "
				"PublicKeyToken=31bf3856ad364e35, ProcessorArchitecture=amd64");
}

Test(package_names, versions)
{
	static const struct {
		const char *text;
		bool ok;
		const char *again;
	} cases[] = {
		{ "10.0.17763.1", true, "10.0.17763.1" },
		{ "38655.38527.65535.65535", true, "38655.38527.65535.65535" },
		{ "1", true, "1.0.0.0" },
		{ "1.2", true, "1.2.0.0" },
		{ "", false, NULL },
		{ "1.", false, NULL },
		{ ".1", false, NULL },
		{ "1..2", false, NULL },
		{ "1.2.3.4.5", false, NULL },
		{ "1.2.3.65536", false, NULL },
		{ "99999999999999999999", false, NULL },
		{ "-1", false, NULL },
		{ "1.2.3.4 ", false, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_version v;
		cr_expect_eq(ib_version_parse(cases[i].text, &v), cases[i].ok, "'%s'", cases[i].text);
		if (!cases[i].ok)
			continue;
		g_autofree char *text = ib_version_text(&v);
		cr_expect_str_eq(text, cases[i].again);
	}
}

Test(package_names, version_order)
{
	static const char *const ascending[] = { "1", "1.0.0.1", "1.0.10.0", "1.10", "2", "10.0.17763.1" };
	struct ib_version a, b;

	for (size_t i = 0; i + 1 < G_N_ELEMENTS(ascending); i++) {
		cr_assert(ib_version_parse(ascending[i], &a) && ib_version_parse(ascending[i + 1], &b));
		cr_expect_lt(ib_version_compare(&a, &b), 0);
		cr_expect_gt(ib_version_compare(&b, &a), 0);
		cr_expect_eq(ib_version_compare(&a, &a), 0);
	}
}

/* As DISM prints them; genuine features on demand say "1.0" for what is printed as 0.0.1.0. */
Test(package_names, capabilities)
{
	static const struct {
		const char *name, *language, *version, *text;
	} cases[] = {
		{ "OpenSSH.Server", NULL, "1.0", "OpenSSH.Server~~~~0.0.1.0" },
		{ "Browser.InternetExplorer", NULL, "11.0", "Browser.InternetExplorer~~~~0.0.11.0" },
		{ "Language.Basic", "de-DE", "1.0", "Language.Basic~~~de-DE~0.0.1.0" },
		{ "NetFX3", NULL, NULL, "NetFX3~~~~" },
		{ "X", "", "1.2.3.4", "X~~~~1.2.3.4" },
		{ "X", NULL, "7", "X~~~~0.0.0.7" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = ib_capability_text(cases[i].name, cases[i].language, cases[i].version);
		struct ib_capability_name n = { 0 };
		ib_auto_error err = NULL;
		cr_assert_str_eq(text, cases[i].text);
		cr_assert(ib_capability_name_parse(text, &n, &err));
		cr_assert_str_eq(n.name, cases[i].name);
		cr_assert_str_eq(n.language, cases[i].language ? cases[i].language : "");
		cr_assert(ib_capability_name_fits(&n, cases[i].name, cases[i].version));
		cr_assert(!ib_capability_name_fits(&n, "Y", cases[i].version));
		cr_assert_eq(ib_capability_name_fits(&n, cases[i].name, "9.9"), cases[i].version == NULL);
		ib_capability_name_clear(&n);
	}
}

Test(package_names, what_is_no_capability)
{
	static const char *const bad[] = { "", "~~~~1.0", "A~", "A~~~", "A~token~~~1.0", "A~~amd64~~1.0", "A~~~~x", "A~~~~1.0~" };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct ib_capability_name n = { 0 };
		ib_auto_error err = NULL;
		cr_assert_not(ib_capability_name_parse(bad[i], &n, &err), "'%s'", bad[i]);
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}
