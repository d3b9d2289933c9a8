/* driver: INF text, choosing, install sections, packages. */
#include <criterion/criterion.h>

#include <glib/gstdio.h>
#include <string.h>

#include "driver/driver.h"

#define HEAD "[Version]\r\nSignature=\"$Windows NT$\"\r\n"

static const struct ib_driver_target client = { .arch = "amd64", .major = 10, .build = 17763, .language = 0x0804 };

static struct ib_inf *parse(const char *text, size_t len, uint16_t language, enum ib_code *ret_code)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, len);
	ib_auto_error err = NULL;
	struct ib_inf *inf = NULL;

	if (ib_inf_parse(bytes, "t.inf", language, &inf, &err))
		return inf;
	if (!ret_code)
		cr_assert_fail("%s", ib_error_cause(err));
	*ret_code = ib_error_code(err);
	return NULL;
}

static struct ib_inf *good(const char *text)
{
	return parse(text, strlen(text), 0, NULL);
}

static const struct ib_inf_line *line(const struct ib_inf *inf, const char *section, unsigned i)
{
	const struct ib_inf_section *s = ib_inf_section(inf, section);

	cr_assert(s && i < s->lines->len, "[%s] has no line %u", section, i);
	return s->lines->pdata[i];
}

Test(inf, lines)
{
	static const struct {
		const char *text, *key, *fields; /* fields joined by '|' */
	} cases[] = {
		{ "a = b, c", "a", "b|c" },
		{ "a=b", "a", "b" },
		{ "b, c", NULL, "b|c" },
		{ "a = \"b, ; = c\" ; comment", "a", "b, ; = c" },
		{ "a = \"say \"\"so\"\"\"", "a", "say \"so\"" },
		{ "a = \"  kept  \"", "a", "  kept  " },
		{ "a = x\" y\"z", "a", "x yz" },
		{ "a = b = c", "a", "b = c" },
		{ "a = b,,d,", "a", "b||d|" },
		{ "a = b,\\\r\n   c", "a", "b|c" },
		{ "a = b, \\ ; more\r\n c", "a", "b|c" },
		{ "a = C:\\dir\\file", "a", "C:\\dir\\file" },
		{ "a = \"b\\\"", "a", "b\\" },
		{ "a = \"open", "a", "open" },
		{ "\"quoted key\" = 1", "quoted key", "1" },
		{ "a =", "a", "" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(HEAD "[S]\r\n", cases[i].text, "\r\n[T]\r\n", NULL);
		ib_auto_inf inf = good(text);
		const struct ib_inf_line *l = line(inf, "s", 0);
		g_autofree char *fields = g_strjoinv("|", l->fields);
		cr_expect_eq(g_strcmp0(l->key, cases[i].key), 0, "'%s': key '%s'", cases[i].text, l->key);
		cr_expect_str_eq(fields, cases[i].fields, "'%s': '%s'", cases[i].text, fields);
		cr_expect_eq(l->line, 4);
		cr_expect_eq(ib_inf_section(inf, "S")->lines->len, 1);
		cr_expect_not_null(ib_inf_section(inf, "T"));
	}
}

Test(inf, sections_of_one_name_are_one)
{
	ib_auto_inf inf = good(HEAD "[A]\nx=1\n[B]\ny=2\n[a]\nz=3\n");

	cr_expect_eq(ib_inf_section(inf, "A")->lines->len, 2);
	cr_expect_eq(line(inf, "A", 1)->line, 8);
	cr_expect_str_eq(ib_inf_value(inf, "b", "Y", 0), "2");
	cr_expect_null(ib_inf_value(inf, "b", "Y", 1));
	cr_expect_null(ib_inf_value(inf, "c", "Y", 0));
}

Test(inf, strings)
{
	static const char text[] = HEAD "Provider=%p%\n[S]\na=%P% x\nb=%SystemRoot%\\y\nc=100%%\nd=%11%\\z\ne=%%11%%\n"
				   "f=%open\n%p%=1\n[Strings]\np=\"Lab %q%\"\n[Strings.0804]\np=\"实验\"\n[Strings.0009]\np=English\n";
	ib_auto_inf plain = parse(text, strlen(text), 0x0407, NULL);
	ib_auto_inf chinese = parse(text, strlen(text), 0x0804, NULL);
	ib_auto_inf british = parse(text, strlen(text), 0x0809, NULL);

	cr_expect_str_eq(ib_inf_value(plain, "S", "a", 0), "Lab %q% x", "strings do not stand for strings");
	cr_expect_str_eq(ib_inf_value(chinese, "Version", "Provider", 0), "实验");
	cr_expect_str_eq(ib_inf_value(british, "Version", "Provider", 0), "English");
	cr_expect_str_eq(ib_inf_value(plain, "S", "b", 0), "%SystemRoot%\\y");
	cr_expect_str_eq(ib_inf_value(plain, "S", "c", 0), "100%");
	cr_expect_str_eq(ib_inf_value(plain, "S", "e", 0), "%11%", "a doubled sign is no directory");
	cr_expect_str_eq(ib_inf_value(plain, "S", "f", 0), "%open");
	cr_expect_str_eq(ib_inf_value(plain, "S", "Lab %q%", 0), "1");
	g_autofree char *full = ib_inf_expand(ib_inf_value(plain, "S", "d", 0), IB_INF_FULL, NULL);
	cr_expect_str_eq(full, "C:\\Windows\\System32\\z");
	g_autofree char *image = ib_inf_expand(ib_inf_value(plain, "S", "d", 0), IB_INF_IMAGE, NULL);
	cr_expect_str_eq(image, "Windows\\System32\\z");
	g_autofree char *system = ib_inf_expand("\x01" "12\x02\\l.sys", IB_INF_SYSTEM, NULL);
	cr_expect_str_eq(system, "System32\\drivers\\l.sys");
	g_autofree char *store = ib_inf_expand("\x01" "13\x02\\l.sys", IB_INF_SYSTEM, "l.inf_amd64_00");
	cr_expect_str_eq(store, "System32\\DriverStore\\FileRepository\\l.inf_amd64_00\\l.sys");
	cr_expect_null(ib_inf_expand("\x01" "13\x02\\l.sys", IB_INF_SYSTEM, NULL));
	cr_expect_null(ib_inf_expand("\x01" "66000\x02\\l.sys", IB_INF_FULL, NULL));
	cr_expect_null(ib_inf_expand("\x01" "24\x02\\l.sys", IB_INF_SYSTEM, NULL));
}

Test(inf, encodings)
{
	static const char ansi[] = HEAD "[S]\na=\xae \x80\n\x1a\0garbage";
	static const char utf8[] = "\xef\xbb\xbf" HEAD "[S]\na=é\n";
	size_t bytes;
	g_autofree uint8_t *wide = ib_utf8_to_utf16("\xef\xbb\xbf" HEAD "[S]\na=设备\n", &bytes);
	ib_auto_inf one = parse(ansi, sizeof(ansi), 0, NULL);
	ib_auto_inf two = parse(utf8, strlen(utf8), 0, NULL);
	ib_auto_inf three = parse((const char *)wide, bytes, 0, NULL);

	cr_expect_str_eq(ib_inf_value(one, "S", "a", 0), "® €");
	cr_expect_str_eq(ib_inf_value(two, "S", "a", 0), "é");
	cr_expect_str_eq(ib_inf_value(three, "S", "a", 0), "设备");
}

Test(inf, code_pages)
{
	static const struct {
		uint16_t language;
		const char *bytes, *text; /* text NULL: refused */
	} cases[] = {
		{ 0x0804, "\xca\xb5\xd1\xe9\xcd\xf8\xbf\xa8", "实验网卡" }, /* 936; the first trail bytes below are '\\' and '|' */
		{ 0x0804, "\x81\x5c\x81\x7c", "乗亅" },
		{ 0x0404, "\xb3\x5c", "許" },	     { 0x0411, "\x83\x5c", "ソ" }, { 0x0412, "\xb0\xa1", "가" },
		{ 0x0419, "\xd2\xe5\xf1\xf2", "Тест" }, { 0x0415, "\xb3", "ł" },    { 0x0409, "\xe9!", "é!" },
		{ 0x0804, "\xff\xff", NULL },	     { 0x0804, "\x81", NULL },	    { 0x0411, "\x83", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strdup_printf(HEAD "[S]\na=\"%s\"\n", cases[i].bytes);
		enum ib_code code = 0;
		ib_auto_inf inf = parse(text, strlen(text), cases[i].language, &code);
		if (cases[i].text)
			cr_expect_str_eq(inf ? ib_inf_value(inf, "S", "a", 0) : "", cases[i].text, "case %zu", i);
		else
			cr_expect(!inf && code == IB_ERR_INPUT, "case %zu", i);
	}
	g_autoptr(GBytes) bad = g_bytes_new_static(HEAD "[S]\na=\xff\xff\n", strlen(HEAD "[S]\na=\xff\xff\n"));
	ib_auto_error err = NULL;
	struct ib_inf *none = NULL;
	cr_assert_not(ib_inf_parse(bad, "card.inf", 0x0804, &none, &err));
	cr_expect(g_str_has_prefix(ib_error_cause(err), "card.inf:4: these bytes are no character of code page 936"), "%s",
		  ib_error_cause(err));
}

Test(inf, refused)
{
	static const struct {
		const char *text;
		size_t len; /* 0: of the string */
	} cases[] = {
		{ "" }, { "[Version]\nSignature=x\n" }, { "a=b\n" HEAD }, { "[Version\nSignature=\"$Windows NT$\"\n" },
		{ HEAD "[S]\na=\x01" "11\x02\n" }, { HEAD "a\0b", 40 }, { "\xff\xfe\x00", 3 }, { "\xef\xbb\xbf[\xff]\n" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		enum ib_code code = 0;
		ib_auto_inf inf = parse(cases[i].text, cases[i].len ? cases[i].len : strlen(cases[i].text), 0, &code);
		cr_expect_null(inf, "case %zu", i);
		cr_expect_eq(code, IB_ERR_INPUT, "case %zu", i);
	}
}

/* A short name for a long text, many times over: the text does not grow without bound. */
Test(inf, strings_do_not_explode)
{
	GString *s = g_string_new(HEAD "[S]\n");
	enum ib_code code = 0;

	for (unsigned i = 0; i < 40000; i++)
		g_string_append(s, "x=%a%\n");
	g_string_append(s, "[Strings]\na=");
	for (unsigned i = 0; i < 4000; i++)
		g_string_append_c(s, 'y');
	ib_auto_inf inf = parse(s->str, s->len, 0, &code);
	cr_expect_null(inf);
	cr_expect_eq(code, IB_ERR_INPUT);
	g_string_free(s, TRUE);
}

Test(inf, decorations)
{
	static const struct {
		const char *text;
		bool fits;
	} cases[] = {
		{ "NTamd64", true },            { "ntAMD64", true },          { "NT", true },
		{ "NTx86", false },             { "NTarm64", false },         { "NTamd64.10.0", true },
		{ "NTamd64.6.1", true },        { "NTamd64.10.1", false },    { "NTamd64.11", false },
		{ "NTamd64.10.0...17763", true }, { "NTamd64.10.0...18362", false }, { "NTamd64...1", true },
		{ "NTamd64...3", false },       { "NTamd64.6.0.1.0x100", true }, { "NTamd64.6.0.1.0x2", false },
		{ "NTamd64x", false },          { "amd64", false },           { "NTamd64.a", false },
		{ "NTamd64.1.2.3.4.5.6", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_expect_eq(ib_inf_decoration(cases[i].text, &client, NULL), cases[i].fits, "'%s'", cases[i].text);
}

Test(inf, best_section)
{
	ib_auto_inf inf = good(HEAD "[I]\n[I.NT]\n[I.NTamd64]\n[I.NTamd64.10.0]\n[I.NTamd64.10.0...17763]\n"
			       "[I.NTamd64.10.0...19041]\n[I.NTarm64.10.0...17763]\n[J]\n[J.NTx86]\n[I.Services]\n");
	static const struct ib_driver_target old = { .arch = "amd64", .major = 6, .minor = 1, .build = 7601 };

	cr_expect_str_eq(ib_inf_best_section(inf, "i", &client)->name, "I.NTamd64.10.0...17763");
	cr_expect_str_eq(ib_inf_best_section(inf, "i", &old)->name, "I.NTamd64");
	cr_expect_str_eq(ib_inf_best_section(inf, "J", &client)->name, "J");
	cr_expect_null(ib_inf_best_section(inf, "K", &client));
}

#define DEVICE                                                                                                              \
	HEAD "[Manufacturer]\n%m%=Models,NTx86,NTamd64,NTamd64.10.0...16299\n"                                                  \
	     "[Models.NTamd64]\n%d%=Old,ROOT\\OLD\n[Models.NTamd64.10.0...16299]\n%d%=Inst,ROOT\\LAB,ROOT\\COMPAT\n"               \
	     "[DestinationDirs]\nDefaultDestDir=12\nDlls=11,Lab\nStore=13\n"                                                      \
	     "[Inst.NTamd64]\nCopyFiles=Sys,Dlls,Store,@alone.bin\nAddReg=Reg\nDelReg=Del\nRegisterDlls=R\n"                       \
	     "[Sys]\nlab.sys,,,2\n[Dlls]\nnew.dll,old.dll\n[Store]\ns.bin\n[R]\n"                                                  \
	     "[Reg]\nHKLM,Software\\Lab,Text,,\"a,b\"\nHKLM,Software\\Lab,Number,0x10001,0x2a\n"                                   \
	     "HKLM,Software\\Lab,Bytes,1,01,ff,0x10\nHKLM,Software\\Lab,Many,0x10000,one,two\n"                                    \
	     "HKLM,Software\\Lab,Path,0x20000,%11%\\x\nHKLM,Software\\Lab,Raw,0xb0001,1,0,0,0,0,0,0,0\n"                          \
	     "HKR,,Four,0x10001,1,2,0,0\nHKLM,Software\\Lab\\Key,,0x10\nHKCR,.lab,,,Lab\nHKLM,Software\\Lab,Gone,4\n"              \
	     "HKLM,Software\\Lab,Odd,,%66000%\\x\n"                                                                               \
	     "[Del]\nHKLM,Software\\Lab,Old\nHKLM,Software\\Lab\\Branch\n"                                                        \
	     "[Inst.NTamd64.Services]\nAddService=lab,2,Svc,Ev\nAddService=,2\n"                                                 \
	     "[Svc]\nDisplayName=%d%\nServiceType=1\nStartType=0\nErrorControl=1\nServiceBinary=%12%\\lab.sys\n"                   \
	     "LoadOrderGroup=Base\nDependencies=+Group,other\nAddReg=SvcReg\n[SvcReg]\nHKR,Parameters,X,0x10001,7\n"               \
	     "[Ev]\nAddReg=EvReg\n[EvReg]\nHKR,,EventMessageFile,0x20000,%12%\\lab.sys\n[Inst.NTamd64.HW]\nAddReg=HwReg\n[HwReg]\nHKR,Interrupt,Msi,0x10001,1\n" \
	     "[Inst.NTamd64.CoInstallers]\nAddReg=Reg\n"            \
	     "[Strings]\nm=Maker\nd=Lab device\n"

static const struct ib_driver_value *value(const GPtrArray *values, const char *name)
{
	for (guint i = 0; i < values->len; i++)
		if (!strcmp(((struct ib_driver_value *)values->pdata[i])->name, name))
			return values->pdata[i];
	cr_assert_fail("there is no value '%s'", name);
	return NULL;
}

static void expect_data(const struct ib_driver_value *v, uint32_t type, const char *hex)
{
	g_autofree char *have = ib_hex(v->data->data, v->data->len);

	cr_expect_eq(v->type, type, "%s: type %u", v->name, v->type);
	cr_expect_str_eq(have, hex, "%s: %s", v->name, have);
}

static void read_device(const struct ib_inf *inf, struct ib_driver_actions *a)
{
	const struct ib_driver_request q = { .target = &client };
	g_autoptr(GPtrArray) models = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_inf_models(inf, &client, &models, &err));
	cr_assert_eq(models->len, 1);
	const struct ib_driver_model *m = models->pdata[0];
	cr_expect_str_eq(m->description, "Lab device");
	cr_expect_str_eq(m->manufacturer, "Maker");
	cr_expect_str_eq(m->ids[0], "ROOT\\LAB");
	cr_expect_str_eq(m->ids[1], "ROOT\\COMPAT");
	cr_expect_str_eq(m->install->name, "Inst.NTamd64");
	cr_assert(ib_driver_read_install(inf, m->install, &q, a, &err), "%s", err ? ib_error_cause(err) : "");
}

Test(install, copies_and_left)
{
	ib_auto_inf inf = good(DEVICE);
	struct ib_driver_actions a = { 0 };
	static const char *const paths[] = { "Windows\\System32\\drivers\\lab.sys", "Windows\\System32\\Lab\\new.dll", "s.bin",
					     "Windows\\System32\\drivers\\alone.bin" };

	read_device(inf, &a);
	cr_assert_eq(a.copies->len, G_N_ELEMENTS(paths));
	for (guint i = 0; i < a.copies->len; i++)
		cr_expect_str_eq(((struct ib_driver_copy *)a.copies->pdata[i])->path, paths[i]);
	const struct ib_driver_copy *renamed = a.copies->pdata[1], *stays = a.copies->pdata[2];
	cr_expect_str_eq(renamed->source, "old.dll");
	cr_expect(stays->store);
	g_autofree char *left = NULL;
	g_ptr_array_add(a.left, NULL);
	left = g_strjoinv("|", (char **)a.left->pdata);
	g_ptr_array_remove_index(a.left, a.left->len - 1);
	cr_expect_str_eq(left, "t.inf:36: registry line for 'Software\\Lab'|t.inf:17: RegisterDlls|t.inf:63: section [Inst.NTamd64.CoInstallers]",
			 "%s", left);
	ib_driver_actions_clear(&a);
}

Test(install, registry)
{
	ib_auto_inf inf = good(DEVICE);
	struct ib_driver_actions a = { 0 };

	read_device(inf, &a);
	expect_data(value(a.values, "Text"), 1, "61002c0062000000");
	expect_data(value(a.values, "Number"), 4, "2a000000");
	expect_data(value(a.values, "Bytes"), 3, "01ff10");
	expect_data(value(a.values, "Many"), 7, "6f006e006500000074007700" "6f0000000000");
	expect_data(value(a.values, "Raw"), 11, "0100000000000000");
	expect_data(value(a.values, "Four"), 4, "01020000");
	cr_expect_eq(value(a.values, "Four")->root, IB_DRIVER_HKR);
	cr_assert_eq(a.device_values->len, 1);
	cr_expect_str_eq(value(a.device_values, "Msi")->key, "Interrupt");
	cr_expect_eq(value(a.values, "Path")->type, 2);
	cr_expect(value(a.values, "Gone")->remove);
	cr_expect(value(a.values, "Old")->remove);
	const struct ib_driver_value *branch = a.values->pdata[a.values->len - 1];
	cr_expect(branch->remove_key && !branch->remove);
	cr_expect_str_eq(branch->key, "Software\\Lab\\Branch");
	ib_driver_actions_clear(&a);
}

Test(install, services)
{
	ib_auto_inf inf = good(DEVICE);
	struct ib_driver_actions a = { 0 };

	read_device(inf, &a);
	cr_assert_eq(a.services->len, 1);
	const struct ib_driver_service *s = a.services->pdata[0];
	cr_expect_str_eq(s->name, "lab");
	cr_expect_str_eq(s->display, "Lab device");
	cr_expect_eq(s->start, IB_DRIVER_START_BOOT);
	cr_expect_eq(s->type, 1);
	cr_expect(s->associated);
	cr_expect_eq(s->error_control, 1);
	cr_expect_str_eq(s->group, "Base");
	cr_expect_str_eq(s->dependencies[0], "+Group");
	cr_expect_str_eq(s->dependencies[1], "other");
	expect_data(value(s->values, "X"), 4, "07000000");
	cr_expect_eq(value(s->events, "EventMessageFile")->type, 2);
	ib_driver_actions_clear(&a);
}

Test(install, refused)
{
	static const char *const cases[] = {
		"CopyFiles=Missing", "AddReg=Missing", "CopyFiles=@..\\x", "CopyFiles=@a/b", "CopyFiles=@C:\\x", "CopyFiles=@CON",
		"CopyFiles=Up\n[Up]\nx.sys\n[DestinationDirs]\nUp=12,..\\..\\etc", "CopyFiles=Up\n[Up]\n..\\x.sys,x.sys",
		"AddReg=R\n[R]\nHKXX,a", "AddReg=R\n[R]\nHKLM,a,b,zz", "AddReg=R\n[R]\nHKLM,a,b,1,123",
		"AddReg=R\n[R]\nHKLM,a,b,0x10001,x", "Include=..\\x.inf",
		"[Inst.Services]\nAddService=s,2,Missing", "[Inst.Services]\nAddService=a\\b,2,S\n[S]\n",
		"[Inst.Services]\nAddService=s,2,S\n[S]\nServiceType=1\nStartType=9\nErrorControl=1\nServiceBinary=x",
		"[Inst.Services]\nAddService=s,2,S\n[S]\nServiceType=1\nErrorControl=1\nServiceBinary=x",
		"[Inst.Services]\nAddService=s,2,S\n[S]\nServiceType=1\nStartType=1\nErrorControl=1",
	};
	const struct ib_driver_request q = { .target = &client };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(HEAD "[Inst]\n", cases[i], "\n", NULL);
		ib_auto_inf inf = good(text);
		struct ib_driver_actions a = { 0 };
		ib_auto_error err = NULL;
		cr_expect_not(ib_driver_read_install(inf, ib_inf_section(inf, "Inst"), &q, &a, &err), "'%s' is taken", cases[i]);
		cr_expect(err && ib_error_code(err) == IB_ERR_INPUT && strstr(ib_error_cause(err), "t.inf:"), "'%s': %s", cases[i],
			  err ? ib_error_cause(err) : "");
		ib_driver_actions_clear(&a);
	}
}

static bool include_it(const char *name, struct ib_inf **ret, void *data, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, strlen(data));

	*ret = NULL;
	return strcmp(name, "absent.inf") == 0 || ib_inf_parse(bytes, name, 0, ret, err);
}

Test(install, needs)
{
	static char other[] = HEAD "[DestinationDirs]\nDefaultDestDir=11\n[Wanted]\nCopyFiles=@theirs.dll\n";
	ib_auto_inf inf = good(HEAD "[Inst]\nInclude=other.inf,absent.inf\nNeeds=Wanted,Unknown\n");
	const struct ib_driver_request q = { .target = &client, .include = include_it, .data = other };
	struct ib_driver_actions a = { 0 };
	ib_auto_error err = NULL;

	cr_assert(ib_driver_read_install(inf, ib_inf_section(inf, "Inst"), &q, &a, &err));
	cr_assert_eq(a.copies->len, 1);
	cr_expect_str_eq(((struct ib_driver_copy *)a.copies->pdata[0])->path, "Windows\\System32\\theirs.dll");
	cr_assert_eq(a.left->len, 2);
	cr_expect_str_eq(a.left->pdata[0], "t.inf:4: Include 'absent.inf', which the image does not have");
	cr_expect_str_eq(a.left->pdata[1], "t.inf:5: Needs 'Unknown', which is not in what was included");
	ib_driver_actions_clear(&a);
}

Test(install, circles)
{
	static char self[] = HEAD "[Inst]\nInclude=self.inf\nNeeds=Inst,Inst\n";
	ib_auto_inf inf = good(self);
	const struct ib_driver_request q = { .target = &client, .include = include_it, .data = self };
	struct ib_driver_actions a = { 0 };
	ib_auto_error err = NULL;

	cr_expect_not(ib_driver_read_install(inf, ib_inf_section(inf, "Inst"), &q, &a, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_driver_actions_clear(&a);
}

/* Sections that name long sections many times over are bounded by their work, not by the file's size. */
Test(install, bounded)
{
	GString *s = g_string_new(HEAD "[Inst]\n");
	const struct ib_driver_request q = { .target = &client };
	struct ib_driver_actions a = { 0 };
	ib_auto_error err = NULL;

	for (unsigned i = 0; i < 1000; i++)
		g_string_append(s, "AddReg=R,R,R,R,R,R,R,R,R,R\n");
	g_string_append(s, "[R]\n");
	for (unsigned i = 0; i < 1000; i++)
		g_string_append(s, "HKLM,a,b,0x10\n");
	ib_auto_inf inf = good(s->str);
	cr_expect_not(ib_driver_read_install(inf, ib_inf_section(inf, "Inst"), &q, &a, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_driver_actions_clear(&a);
	g_string_free(s, TRUE);
}

/* ---- packages ---- */

static char *folder_with(const char *inf)
{
	char *dir = g_dir_make_tmp("imgbuild-test.XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "Lab.inf", NULL);
	g_autofree char *sub = g_build_filename(dir, "AMD64", NULL);
	g_autofree char *file = g_build_filename(sub, "LAB.SYS", NULL);

	cr_assert(g_file_set_contents(path, inf, -1, NULL) && g_mkdir(sub, 0755) == 0 &&
		  g_file_set_contents(file, "sys", -1, NULL));
	return dir;
}

static void remove_folder(char *dir)
{
	ib_auto_error err = NULL;

	cr_assert(ib_dir_remove(dir, &err));
	g_free(dir);
}

#define ALONE "[DefaultInstall.NTamd64]\n"

Test(package, files)
{
	char *dir = folder_with(HEAD "DriverVer=09/14/2021,1.2.3.4\nCatalogFile=x.cat\nCatalogFile.NTamd64=Lab.cat\n" ALONE
				"[SourceDisksNames]\n1=disk,,,\".\\\\\"\n[SourceDisksFiles.amd64]\nlab.sys=1,amd64\n"
				"[SourceDisksFiles]\nlab.sys=1,x86\nother.dll=1\n");
	struct ib_driver *d = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_driver_open(dir, &client, &d, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(d->files->len, 1);
	cr_expect_str_eq(((struct ib_driver_file *)d->files->pdata[0])->name, "amd64\\lab.sys");
	cr_expect_str_eq(d->missing->pdata[0], "other.dll");
	cr_expect_str_eq(d->catalog_name, "Lab.cat");
	cr_expect_null(d->catalog);
	cr_expect_eq(d->date, ib_filetime(1631577600));
	cr_expect(d->version[0] == 1 && d->version[3] == 4);
	cr_expect_not_null(ib_driver_file(d, "LAB.sys"));
	cr_expect(g_str_has_prefix(d->store_name, "lab.inf_amd64_") && strlen(d->store_name) == 30);
	ib_driver_free(d);
	remove_folder(dir);
}

Test(package, refused)
{
	static const struct {
		const char *inf, *cause;
		enum ib_code code;
	} cases[] = {
		{ HEAD, "no device and no DefaultInstall", IB_ERR_NOT_APPLICABLE },
		{ HEAD "[Manufacturer]\nx=M,NTarm64\n[M.NTarm64]\nx=I,ID\n[I]\n", "for amd64", IB_ERR_NOT_APPLICABLE },
		{ HEAD "[Manufacturer]\nx=M,NTamd64\n[M.NTamd64]\nx=I,ID\n", "no section [I]", IB_ERR_INPUT },
		{ HEAD ALONE "[SourceDisksFiles]\nx.sys=1,..\\..\n", "leaves the package", IB_ERR_INPUT },
		{ HEAD ALONE "[SourceDisksFiles]\n..\\x.sys=1\n", "no file name", IB_ERR_INPUT },
		{ HEAD ALONE "[SourceDisksNames]\n1=d,,,..\n[SourceDisksFiles]\nx.sys=1\n", "leaves the package", IB_ERR_INPUT },
		{ HEAD ALONE "[SourceDisksNames]\n1=d,a.cab\n[SourceDisksFiles]\nx.sys=1\n", "is a cabinet", IB_ERR_INPUT },
		{ HEAD "CatalogFile=..\\x.cat\n" ALONE, "no file name", IB_ERR_INPUT },
		{ HEAD "DriverVer=13/40/2021\n" ALONE, "no date", IB_ERR_INPUT },
		{ HEAD "DriverVer=09/14/2021,1.2.3.70000\n" ALONE, "which is none", IB_ERR_INPUT },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char *dir = folder_with(cases[i].inf);
		struct ib_driver *d = NULL;
		ib_auto_error err = NULL;
		cr_expect_not(ib_driver_open(dir, &client, &d, &err), "case %zu is taken", i);
		cr_expect(err && ib_error_code(err) == cases[i].code && strstr(ib_error_cause(err), cases[i].cause), "case %zu: %s", i,
			  err ? ib_error_cause(err) : "");
		remove_folder(dir);
	}
}

Test(package, unsigned_is_refused_by_name)
{
	static const char *const infs[] = { HEAD ALONE, HEAD "CatalogFile=gone.cat\n" ALONE };
	static const char *const causes[] = { "'Lab.inf' is unsigned: it names no CatalogFile",
					      "'Lab.inf' is unsigned: its catalog 'gone.cat' is missing" };

	for (size_t i = 0; i < 2; i++) {
		char *dir = folder_with(infs[i]);
		struct ib_driver *d = NULL;
		ib_auto_error err = NULL;
		ib_auto_anchors anchors = ib_anchors_new(0);
		cr_assert(ib_driver_open(dir, &client, &d, &err));
		cr_expect_not(ib_driver_verify(d, anchors, &err));
		cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
		cr_expect_str_eq(ib_error_cause(err), causes[i]);
		ib_driver_free(d);
		remove_folder(dir);
	}
}

/* h = h * 39 + byte over the INF's bytes, printed little-endian: by hand for two bytes. */
Test(package, store_name)
{
	g_autoptr(GBytes) bytes = g_bytes_new("ab", 2);
	g_autofree char *name = ib_driver_store_name("NetX.INF", "amd64", bytes);

	cr_expect_str_eq(name, "netx.inf_amd64_290f000000000000"); /* 97 * 39 + 98 = 3881 = 0x0f29 */
}
