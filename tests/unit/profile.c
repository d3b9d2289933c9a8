#include <criterion/criterion.h>
#include <string.h>

#include "profile/profile.h"

#define HEAD                                                                                                      \
	"[profile]\nname = a\ncustomer = c\nrelease = r\ndate = 2021-09-27\nversion = 2020.1.2109.21\n"           \
	"[media]\nlabel = L\n"
#define SHA "0000000000000000000000000000000000000000000000000000000000000000"
#define BASE "[base]\nimage = base.iso\nedition = EnterpriseG\nsha256 = " SHA "\n"

static struct ib_ini *parse(const char *text, struct ib_error **err)
{
	struct ib_ini *ini = NULL;

	return ib_ini_parse(text, strlen(text), "dir/p.ini", ib_profile_keys, NULL, &ini, err) ? ini : NULL;
}

/* What a person gets to read for each mistake: the place, the cause, and a hint where there is one. */
static const struct {
	const char *text, *cause, *hint;
} bad[] = {
	{ HEAD BASE "edtion = x\n", "dir/p.ini:13: key 'edtion' is not known in section '[base]'", "did you mean 'edition'?" },
	{ HEAD BASE "[medai]\nx = y\n", "dir/p.ini:14: section '[medai]' is not known", "did you mean 'media'?" },
	{ HEAD BASE "edition = x\n", "dir/p.ini:13: key 'edition' is given twice in section '[base]', first at line 11", NULL },
	{ HEAD "[base]\nimage =\nedition = E\nsha256 = " SHA "\n", "dir/p.ini:10: 'image' is required and must not be empty",
	  NULL },
	{ HEAD, "dir/p.ini: key 'image' is required in section '[base]': ISO or WIM to start from", NULL },
	{ HEAD BASE "[publish]\nurl = sftp://u:secret@h/f\n", "dir/p.ini:14: 'url' holds a password", NULL },
	{ HEAD BASE "[publish]\npassword = hunter2\n",
	  "dir/p.ini:14: 'password' holds a secret itself; a profile only holds references", NULL },
	{ HEAD BASE "[sign]\nkey = pkcs11:token=t?pin-value=1234\n",
	  "dir/p.ini:14: 'key' holds a secret itself; a profile only holds references", NULL },
	{ HEAD BASE "[report]\nformats = html, odt\n", "dir/p.ini:14: 'formats' knows html, docx, pdf, not 'odt'", NULL },
	{ HEAD BASE "[media]\nboot += tape\n", "dir/p.ini:14: 'boot' knows bios, uefi, not 'tape'", NULL },
	{ HEAD BASE "[updates]\nsearch = ${media}/x\n", "dir/p.ini:14: variable 'media' is not set", NULL },
	{ HEAD BASE "[vars]\na = ${b}\nb = ${a}\n[updates]\nsearch = ${a}\n",
	  "dir/p.ini:17: variables refer to each other in a circle", NULL },
	{ "x = y\n", "dir/p.ini:1: a key stands before the first [section]", NULL },
	{ "[a\n", "dir/p.ini:1: a section is written [name]", NULL },
	{ "[a]\nword\n", "dir/p.ini:2: a line is 'key = value', '[section]' or a comment", NULL },
	{ "[a]\n  more\n", "dir/p.ini:2: a line that begins with white space continues a value, there is none above", NULL },
};

Test(profile, says_what_is_wrong_and_where)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		ib_auto_error err = NULL;
		cr_assert_null(parse(bad[i].text, &err), "case %zu was accepted", i);
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
		cr_expect_str_eq(ib_error_cause(err), bad[i].cause);
		if (bad[i].hint)
			cr_expect_str_eq(ib_error_hint(err), bad[i].hint);
	}
}

Test(profile, nul_and_latin1_are_refused)
{
	static const char nul[] = "[profile]\nname = a\0b\n", latin1[] = "[profile]\nname = M\xFCnchen\n";
	struct ib_ini *ini = NULL;
	ib_auto_error a = NULL;
	ib_auto_error b = NULL;

	cr_assert(!ib_ini_parse(nul, sizeof nul - 1, "p", ib_profile_keys, NULL, &ini, &a));
	cr_assert(!ib_ini_parse(latin1, sizeof latin1 - 1, "p", ib_profile_keys, NULL, &ini, &b));
}

Test(profile, values_keep_their_semicolons_and_lists_continue)
{
	ib_auto_error err = NULL;
	struct ib_ini *ini = parse(HEAD BASE "[sign]\nkey = pkcs11:token=t;object=o;type=private\n"
				   "# a comment\n[updates]\nrequire = KB1,\n  # inside\n  KB2 , KB3\n", &err);

	cr_assert(ini);
	cr_expect_str_eq(ib_ini_text(ini, "sign", "key"), "pkcs11:token=t;object=o;type=private");
	cr_expect_eq(g_strv_length((char **)ib_ini_list(ini, "updates", "require")), 3);
	cr_expect(ib_ini_has(ini, "updates", "require", "KB2"));
	cr_expect_str_eq(ib_ini_text(ini, "base", "image"), "dir/base.iso");
	cr_expect_eq(ib_ini_number(ini, "media", "level", 0), 20);
	cr_expect(!ib_ini_is_set(ini, "media", "level"));
	ib_ini_free(ini);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	cr_assert(g_file_set_contents(path, text, -1, NULL));
}

Test(profile, parents_are_merged_and_circles_refused)
{
	g_autofree char *dir = g_dir_make_tmp("profile-XXXXXX", NULL);
	g_autofree char *child = g_build_filename(dir, "child.ini", NULL);
	char *sets[] = { (char *)"media=/m", NULL };
	struct ib_ini_options o = { .sets = sets };
	ib_auto_error err = NULL;
	struct ib_ini *ini = NULL;

	write_file(dir, "parent.ini", "[media]\nlabel = PARENT\n[updates]\nrequire = KB1\nsearch = ${media}/u\n"
		   "[approvals]\npolicy = p.ini\n[publish]\nwhen = approved\n");
	write_file(dir, "child.ini", "[profile]\nextends = parent.ini\nname = a\ncustomer = c\nrelease = r\n"
		   "date = 2021-09-27\nversion = 2020.1.2109.21\n" BASE "[updates]\nrequire += KB2\n"
		   "[approvals]\npolicy =\n[publish]\nwhen =\n");
	cr_assert(ib_ini_load(child, ib_profile_keys, &o, &ini, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_str_eq(ib_ini_text(ini, "media", "label"), "PARENT");
	cr_expect_str_eq(ib_ini_text(ini, "updates", "require"), "KB1, KB2");
	cr_expect_str_eq(ib_ini_text(ini, "updates", "search"), "/m/u");
	cr_expect_null(ib_ini_text(ini, "approvals", "policy"), "an empty value takes back the parent's");
	cr_expect_str_neq(ib_ini_text(ini, "publish", "when"), "approved");
	ib_ini_free(ini);

	ini = NULL;
	write_file(dir, "parent.ini", "[profile]\nextends = child.ini\n");
	cr_assert(!ib_ini_load(child, ib_profile_keys, &o, &ini, &err));
	cr_expect(strstr(ib_error_cause(err), "extends itself"));
	ib_auto_error rm = NULL;
	cr_assert(ib_dir_remove(dir, &rm));
}

Test(profile, reference_names_every_key)
{
	g_autofree char *page = ib_profile_reference(ib_profile_keys);

	for (const struct ib_ini_key *k = ib_profile_keys; k->section; k++) {
		g_autofree char *cell = g_strdup_printf("| `%s` |", k->name);
		cr_expect(strstr(page, cell), "%s", cell);
		cr_expect(k->help && *k->help);
	}
}
