/* servicing: whose a thing is, and what goes when its last owner has gone. */
#include "tests/servicing_sample.h"

/* ---- texts that mention a thing ---- */

static bool mentions(const char *id, const char *text)
{
	g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	g_hash_table_add(ids, (gpointer)id);
	IB_CLEANUP(ib_svc_mentions_clear) struct ib_mentions *m = ib_svc_mentions_new(ids, NULL);
	return ib_svc_mentions_any(m, "amd64_x", bytes);
}

Test(servicing_owners, a_text_mentions_a_name_however_it_is_written)
{
	g_autofree char *file = ib_svc_effect_id(EFFECT_FILE, 0, "Windows\\System32\\Agent.dll", NULL);
	g_autofree char *value = ib_svc_effect_id(EFFECT_VALUE, IB_HIVE_SOFTWARE, "Ven\\R&D", "a|b/c\"d");
	g_autofree char *search = ib_svc_effect_id(EFFECT_SEARCH_PATH, 0, NULL, "C:\\Program Files\\Lab Tools");
	g_autofree char *wide = ib_svc_effect_id(EFFECT_FILE, 0, "Windows\\\xc3\xa4gent", NULL);
	const char *const yes[] = {
		"<file name=\"agent.DLL\"/>", "<file name='agent.dll'/>", "<f d=\"$(runtime.system32)\\agent.dll\"/>",
		"<f d=\"$(runtime.system32)/agent.dll\"/>", "<a>\n\tagent.dll\n</a>", "<a>ag\rent.dll</a>",
		"<a b=\"$(string.x)\"/>", "<a b=\"x$(runtime.system32)\\y\"/>", "<a b=\"$(runtime.system32)y\"/>",
		"<a b=\"$(broken\"/>", "<a b=\"&#97;gent.dll\"/>", "<a><![CDATA[x\\agent.dll]]></a>",
		"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a/>",
	};
	const char *const no[] = {
		"<file name=\"agent.dl\"/>", "<file name=\"xagent.dll\"/>", "<file name=\"agent.dll.mui\"/>",
		"<?xml version=\"1.0\" encoding=\"utf-8\"?><a b=\"$(build.nttree)\\$(runtime.system32)\\x\"/>", "",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(yes); i++)
		cr_assert(mentions(file, yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(no); i++)
		cr_assert_not(mentions(file, no[i]), "%s", no[i]);
	cr_assert(mentions(search, "<path name=\"$(runtime.programFiles)\\Lab Tools\"/>"), "the drive is in no text");
	cr_assert_not(mentions(search, "<path name=\"$(runtime.programFiles)\\Lab\"/>"));
	cr_assert(mentions(value, "<k keyName=\"Ven\\R&amp;D\"><v name=\"a|b/c&quot;d\"/></k>"));
	cr_assert_not(mentions(value, "<k keyName=\"Ven\"><v name=\"a\"/></k>"));
	cr_assert(mentions(wide, "<file name=\"\xc3\x84GENT\"/>"));
	cr_assert(mentions(wide, "<file name=\"  \xc3\xa4gent \"/>"));
	cr_assert_not(mentions(wide, "<file name=\"agent\"/>"));
}

/* What macros and the place of 32-bit programs bring stands in no text: then all are read. */
Test(servicing_owners, names_that_no_text_has)
{
	g_autofree char *folder = ib_svc_effect_id(EFFECT_DIRECTORY, 0, "Windows\\System32", NULL);
	g_autofree char *key = ib_svc_effect_id(EFFECT_KEY, IB_HIVE_SOFTWARE, "Wow6432Node", NULL);
	g_autofree char *rules = ib_svc_effect_id(EFFECT_MIGRATION, 0, NULL, "amd64_x");
	g_autofree char *other = ib_svc_effect_id(EFFECT_MIGRATION, 0, NULL, "amd64_y");

	cr_assert(mentions(folder, "<a/>"));
	cr_assert(mentions(key, "<a/>"));
	cr_assert(mentions(rules, "<a/>"));
	cr_assert_not(mentions(other, "<a/>"));
}

/* ---- what goes ---- */

#define FOLDER(path) "<directory destinationPath=\"$(runtime.programFiles)\\" path "\"/>"
#define KEY(path) "<registryKey keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\" path "\"><registryValue name=\"v\" valueType=\"REG_SZ\" value=\"1\"/></registryKey>"
#define BODY(folders, keys) "<directories>" folders "</directories><registryKeys>" keys "</registryKeys>"

Test(servicing_owners, what_is_empty_and_nobodys_goes_too)
{
	static const char *const made[] = { "Ven\\B", "Ven\\C", "Shared\\S", "Full\\F", "Full\\other" };
	static const char *const values[] = { "Ven\\Deep\\K", "Ven\\L", "Mine\\Sub", "Both" };
	static const struct {
		const char *path;
		bool stays;
	} folders[] = { { "Ven\\B", false }, { "Ven", false }, { "Shared\\S", false }, { "Shared", true }, { "Full\\F", false },
			{ "Full", true } },
	  keys[] = { { "Ven\\Deep\\K", false }, { "Ven\\Deep", false }, { "Ven\\L", false }, { "Ven", false }, { "Mine\\Sub", false },
		     { "Mine", true }, { "Both", true } };
	struct sample_store st = sample_store_begin();
	struct ib_install_summary sum = { 0 };
	ib_auto_error err = NULL;
	struct ib_model *model;

	g_autofree char *gone = sample_component(&st, &(struct sample_component){
		.name = "Gone", .version = "1.0.0.0", .installed = true,
		.body = BODY(FOLDER("Ven\\B") FOLDER("Ven\\C") FOLDER("Shared\\S") FOLDER("Full\\F"),
			     KEY("Ven\\Deep\\K") KEY("Ven\\L") KEY("Mine\\Sub") KEY("Both")) });
	g_autofree char *other = sample_component(&st, &(struct sample_component){
		.name = "Stays", .version = "1.0.0.0", .installed = true, .body = BODY(FOLDER("Shared"), KEY("Mine") KEY("Both")) });
	for (size_t i = 0; i < G_N_ELEMENTS(made); i++) {
		g_autofree char *path = g_strconcat("Program Files\\", made[i], NULL);
		sample_dir(&st, path);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		sample_text(st.software, values[i], "v", "1");
	struct ib_store *s = sample_store_end(&st);
	cr_assert(ib_svc_model(s, &model, &err));
	const struct ib_plan_winner w = { .before = ib_svc_component(model, gone) };
	g_autoptr(GArray) winners = g_array_new(FALSE, FALSE, sizeof(w));
	g_array_append_val(winners, w);
	w.before->installed = false;
	cr_assert(ib_svc_project(s, winners, &sum, &err), "%s", err ? ib_error_cause(err) : "");
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_strconcat("Program Files\\", folders[i].path, NULL);
		cr_assert_eq(ib_image_find(s->image, path) != NULL, folders[i].stays, "%s", path);
	}
	cr_assert_not_null(ib_image_find(s->image, "Program Files"));
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		cr_assert_eq(ib_key_find(ib_hive_root(s->hives[IB_HIVE_SOFTWARE]), keys[i].path) != NULL, keys[i].stays, "%s",
			     keys[i].path);
	ib_store_free(s);
	ib_wim_free(st.wim);
}
