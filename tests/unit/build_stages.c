/* build: stages files and unattend, and what puts files into an image: paths, inheritance, refusals by name and line. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build/internal.h"
#include "tests/servicing_sample.h"

#define OWNER "O:SYG:SY"
#define LIST "D:P(A;OICI;FA;;;SY)(A;CI;0x1200a9;;;BU)"

/* A build of a profile, planning on a small store; its folder holds the profile's files. */
struct world {
	struct sample_store st;
	struct ib_build_options o;
	struct ib_plan plan;
	struct build b;
	char *dir;
};

static void write_text(const struct world *w, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(w->dir, name, NULL);

	cr_assert(g_file_set_contents(path, text, -1, NULL));
}

static void world_begin(struct world *w)
{
	g_autoptr(GBytes) sd = NULL;
	ib_auto_error err = NULL;

	*w = (struct world){ .st = sample_store_begin(), .dir = g_dir_make_tmp("stages-XXXXXX", NULL) };
	g_autoptr(GBytes) content = g_bytes_new_static("own", 3);
	g_autofree char *file = sample_file_xml("own.dll", content);
	g_autofree char *keyform = sample_component(&w->st, &(struct sample_component){ .name = "Owner", .version = "10.0.17763.1", .body = file,
							     .installed = true });
	cr_assert(ib_sddl_parse(OWNER LIST, &sd, &err));
	const struct ib_node_meta meta = { .attributes = IB_ATTR_DIRECTORY, .security = sd };
	cr_assert(ib_image_mkdir(w->st.image, "Data", &meta, NULL, &err));
	w->b.scratch = sample_store_end(&w->st);
	w->b.scratch_wim = w->st.wim;
	w->plan.items = g_ptr_array_new();
	w->plan.warnings = g_ptr_array_new_with_free_func(g_free);
	w->b.plan = &w->plan;
	w->b.o = &w->o;
	w->b.filetime = SAMPLE_TIME;
}

static void clear_items(struct world *w)
{
	for (guint i = 0; i < w->plan.items->len; i++) {
		struct ib_plan_item *item = w->plan.items->pdata[i];
		g_free(item->text);
		g_free(item);
	}
	g_ptr_array_set_size(w->plan.items, 0);
	g_ptr_array_set_size(w->plan.warnings, 0);
}

static void world_end(struct world *w)
{
	ib_auto_error err = NULL;

	clear_items(w);
	g_ptr_array_unref(w->plan.items);
	g_ptr_array_unref(w->plan.warnings);
	ib_ini_free(w->b.p);
	ib_store_free(w->b.scratch);
	ib_wim_free(w->st.wim);
	cr_assert(ib_dir_remove(w->dir, &err));
	g_free(w->dir);
}

/* Plan a stage of a profile with these sections; NULL: it went well, else the cause (g_free). */
static char *plan(struct world *w, bool (*stage)(struct build *b, struct ib_error **err), const char *sections)
{
	g_autofree char *path = g_build_filename(w->dir, "p.ini", NULL);
	g_autofree char *text = g_strdup_printf("[profile]\nname = x\nrelease = r\ndate = 2021-09-27\nversion = 2020.1.2109.21\n"
						"[base]\nimage = b.iso\nsha256 = %064d\nedition = 1\n[media]\nlabel = X\n%s", 0, sections);
	ib_auto_error err = NULL;

	clear_items(w);
	ib_ini_free(g_steal_pointer(&w->b.p));
	cr_assert(ib_ini_parse(text, strlen(text), path, ib_profile_keys, NULL, &w->b.p, &err), "%s", err ? ib_error_cause(err) : "");
	if (stage(&w->b, &err))
		return NULL;
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT, "%s", ib_error_cause(err));
	return ib_error_format(err, "t");
}

static bool planned(const struct world *w, const char *text)
{
	for (guint i = 0; i < w->plan.items->len; i++)
		if (strstr(((struct ib_plan_item *)w->plan.items->pdata[i])->text, text))
			return true;
	return false;
}

static char *sddl_at(const struct world *w, const char *path)
{
	struct ib_node *n = ib_image_find(w->st.image, path);
	GBytes *sd = n ? ib_node_security(w->st.image, n) : NULL;
	ib_auto_error err = NULL;
	char *text = NULL;

	cr_assert(n, "there is no '%s'", path);
	cr_assert(!sd || ib_sddl_format(sd, &text, &err));
	return text ? text : g_strdup("none");
}

/* ---- walking ---- */

static bool note(const char *source, const char *path, void *data, struct ib_error **err)
{
	g_string_append_printf(data, "%s%s ", path, source ? "" : "/");
	return true;
}

Test(build_put, walks_in_order_and_not_through_links)
{
	struct world w;
	g_autoptr(GString) seen = g_string_new(NULL);
	ib_auto_error err = NULL;

	world_begin(&w);
	g_autofree char *top = g_build_filename(w.dir, "tree", NULL), *sub = g_build_filename(top, "sub", NULL);
	g_autofree char *link = g_build_filename(sub, "link", NULL), *fifo = g_build_filename(top, "pipe", NULL);
	cr_assert(g_mkdir_with_parents(sub, 0700) == 0);
	write_text(&w, "tree/b.txt", "b");
	write_text(&w, "tree/B.txt", "B");
	write_text(&w, "tree/sub/a.txt", "a");
	cr_assert(put_walk(top, "To", note, seen, &err));
	cr_expect_str_eq(seen->str, "To/ To\\B.txt To\\b.txt To\\sub/ To\\sub\\a.txt ");

	cr_assert(symlink("/etc/passwd", link) == 0);
	cr_expect_not(put_walk(top, "To", note, seen, &err));
	cr_expect(strstr(ib_error_cause(err), "sub/link' is neither a file nor a folder"), "%s", ib_error_cause(err));
	ib_error_clear(&err);
	cr_assert(unlink(link) == 0 && mkfifo(fifo, 0600) == 0);
	cr_expect_not(put_walk(top, "To", note, seen, &err));
	cr_expect(strstr(ib_error_cause(err), "pipe' is neither"), "%s", ib_error_cause(err));
	ib_error_clear(&err);
	cr_expect_not(put_walk("/nonexistent/x", "To", note, seen, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	world_end(&w);
}

Test(build_put, folders_inherit_one_from_the_other)
{
	struct world w;
	ib_auto_error err = NULL;

	world_begin(&w);
	cr_assert(put_dir(w.st.image, SAMPLE_TIME, "Data\\one\\two", &err));
	g_autofree char *two = sddl_at(&w, "Data\\one\\two");
	cr_expect(strstr(two, "(A;OICIID;FA;;;SY)") && strstr(two, "(A;CIID;0x1200a9;;;BU)"), "%s", two);
	cr_assert(put_dir(w.st.image, SAMPLE_TIME, "", &err), "the root is there");
	world_end(&w);
}

/* ---- [files] ---- */

Test(build_files, puts_what_is_asked_for)
{
	struct world w;

	world_begin(&w);
	write_text(&w, "a.txt", "abc");
	g_autofree char *why = plan(&w, files_plan,
				    "[files]\nData\\plain.txt = a.txt\n/Data/slashes.txt = a.txt\n"
				    "[file:own]\npath = Data\\own.txt\nsource = a.txt\nowner = Users\nattributes = hidden, readonly\n"
				    "[file:sddl]\npath = New\\x\\sddl.txt\nsource = a.txt\nowner = TrustedInstaller\nsddl = O:BAG:BAD:P(A;;FA;;;BA)\n");
	cr_assert_null(why, "%s", why);
	g_autofree char *plain = sddl_at(&w, "Data\\plain.txt"), *own = sddl_at(&w, "Data\\own.txt");
	g_autofree char *sddl = sddl_at(&w, "New\\x\\sddl.txt");
	cr_expect(strstr(plain, "(A;ID;FA;;;SY)") && !strstr(plain, "BU"), "%s", plain);
	cr_expect(g_str_has_prefix(own, "O:BU") && strstr(own, "(A;ID;FA;;;SY)"), "%s", own);
	cr_expect(g_str_has_prefix(sddl, "O:S-1-5-80-956008885-") && g_str_has_suffix(sddl, "G:BAD:P(A;;FA;;;BA)"), "%s", sddl);
	cr_expect_eq(ib_node_attributes(ib_image_find(w.st.image, "Data\\own.txt")), IB_ATTR_HIDDEN | IB_ATTR_READONLY);
	cr_expect(ib_image_find(w.st.image, "Data\\slashes.txt"));
	cr_expect(planned(&w, "put Data\\own.txt: 1 files, 3 bytes, owner Users") && planned(&w, ", own descriptor"));
	/* what was set on a file stays when it is replaced */
	g_autofree char *again = plan(&w, files_plan, "[files]\nData\\own.txt = a.txt\n");
	cr_assert_null(again, "%s", again);
	g_autofree char *kept = sddl_at(&w, "Data\\own.txt");
	cr_expect_str_eq(kept, own);
	cr_expect(ib_node_attributes(ib_image_find(w.st.image, "Data\\own.txt")) & IB_ATTR_HIDDEN);
	world_end(&w);
}

Test(build_files, refused)
{
	static const struct {
		const char *sections, *says;
	} cases[] = {
		{ "[files]\nData\\x = none.txt\n", "none.txt" },
		{ "[files]\nWindows\\System32\\config\\SYSTEM = a.txt\n", "p.ini:13: 'Windows\\System32\\config\\SYSTEM' is not to be replaced" },
		{ "[files]\nWINDOWS/winsxs/x = a.txt\n", "is not to be replaced" },
		{ "[files]\nWindows\\Setup\\Scripts\\SetupComplete.cmd = a.txt\n", "setup-complete: both scripts run then" },
		{ "[files]\nWindows\\System32\\own.dll = a.txt\n", "belongs to the component 'amd64_owner_" },
		{ "[files]\nData\\a = a.txt\ndata\\A = a.txt\n", "p.ini:14: 'data\\A' is put twice" },
		{ "[files]\nData\\f\\b = a.txt\nData\\f = a.txt\n", "'Data\\f' is a folder of the image" },
		{ "[files]\nData\\..\\x = a.txt\n", "'Data\\..': Windows takes no name that ends with '.'" },
		{ "[files]\nData\\con = a.txt\n", "con" },
		{ "[files]\n\\ = a.txt\n", "needs a path in the image" },
		{ "[file:x]\npath = Data\\x\nsource = a.txt\nowner = nobody\n", "reading the owner 'nobody'" },
		{ "[file:x]\npath = Data\\x\nsource = a.txt\nsddl = D:(X)\n", "reading the descriptor of 'Data\\x', " },
	};
	struct world w;

	world_begin(&w);
	write_text(&w, "a.txt", "abc");
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *why = plan(&w, files_plan, cases[i].sections);
		cr_expect(why && strstr(why, cases[i].says), "case %zu: %s", i, why ? why : "it went well");
	}
	world_end(&w);
}

/* ---- [unattend] ---- */

#define UNATTEND(body) "<unattend xmlns=\"urn:schemas-microsoft-com:unattend\">\n" body "</unattend>\n"
#define COMPONENT(name, body)                                                                                               \
	"<component name=\"" name "\" processorArchitecture=\"amd64\" publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" "  \
	"versionScope=\"nonSxS\">" body "</component>\n"
#define SETTINGS(pass, body) "<settings pass=\"" pass "\">\n" body "</settings>\n"
#define SHELL COMPONENT("Microsoft-Windows-Shell-Setup", "")

Test(build_unattend, answer_files)
{
	static const struct {
		const char *xml, *says; /* NULL: taken */
	} cases[] = {
		{ UNATTEND(SETTINGS("oobeSystem", SHELL)), NULL },
		{ UNATTEND(SETTINGS("specialize", SHELL) SETTINGS("oobeSystem", SHELL)), NULL },
		{ UNATTEND(""), "the answer file has no settings" },
		{ "<unattend/>", "a.xml:1: the root element is 'unattend' of 'no namespace'" },
		{ UNATTEND("<servicing/>"), "packages go through [updates]" },
		{ UNATTEND("<thing/>"), "a.xml:2: 'thing' stands in an answer file, where settings stand" },
		{ UNATTEND("<settings/>"), "a.xml:2: settings without a pass" },
		{ UNATTEND(SETTINGS("specialise", SHELL)), "did you mean 'specialize'?" },
		{ UNATTEND(SETTINGS("specialize", SHELL) SETTINGS("specialize", SHELL)), "a.xml:5: pass specialize stands twice" },
		{ UNATTEND(SETTINGS("specialize", SHELL SHELL)), "stands twice in pass specialize" },
		{ UNATTEND(SETTINGS("specialize", "<x/>")), "'x' stands in settings, where components stand" },
		{ UNATTEND(SETTINGS("specialize", "<component/>")), "a component has no name" },
		{ UNATTEND(SETTINGS("specialize", "<component name=\"a\"/>")), "the component has no processorArchitecture" },
		{ UNATTEND("<settings>"), "is not well-formed XML" },
		{ "<!DOCTYPE unattend><unattend/>", "DOCTYPE" },
		{ "", "a.xml" },
	};
	struct world w;

	world_begin(&w);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		write_text(&w, "a.xml", cases[i].xml);
		g_autofree char *why = plan(&w, unattend_plan, "[unattend]\nfile = a.xml\nplace = panther\n");
		if (cases[i].says)
			cr_expect(why && strstr(why, cases[i].says), "case %zu: %s", i, why ? why : "it was taken");
		else
			cr_expect(!why && planned(&w, "put the answer file to Windows\\Panther\\unattend.xml"), "case %zu: %s", i, why);
	}
	world_end(&w);
}

static bool warned(const struct world *w, const char *text)
{
	for (guint i = 0; i < w->plan.warnings->len; i++)
		if (strstr(w->plan.warnings->pdata[i], text))
			return true;
	return false;
}

Test(build_unattend, warnings_and_commands)
{
	struct world w;

	world_begin(&w);
	write_text(&w, "a.xml", UNATTEND(SETTINGS("windowsPE", SHELL) SETTINGS("oobeSystem", COMPONENT("Microsoft-Windows-Shell-Setupp",
		"<AutoLogon><Password><Value>hunter2</Value></Password></AutoLogon>"))));
	g_autofree char *why = plan(&w, unattend_plan, "[unattend]\nfile = a.xml\nplace = panther\n");
	cr_assert_null(why, "%s", why);
	cr_expect(warned(&w, "Setup does not read 'Microsoft-Windows-Shell-Setup' in pass windowsPE"));
	cr_expect(warned(&w, "did you mean 'Microsoft-Windows-Shell-Setup'?"));
	cr_expect(warned(&w, "'Password' stands in the answer file") && !warned(&w, "hunter2"));

	write_text(&w, "run.cmd", "echo hello\r\n");
	g_autofree char *good = plan(&w, unattend_plan, "[unattend]\nsetup-complete = run.cmd\n");
	cr_expect(!good && planned(&w, "run run.cmd after Setup, before what imgbuild runs"), "%s", good);
	write_text(&w, "run.cmd", "\xff\xfe" "e");
	g_autofree char *wide = plan(&w, unattend_plan, "[unattend]\nsetup-complete = run.cmd\n");
	cr_expect(wide && strstr(wide, "is UTF-16 or no text"), "%s", wide);
	g_autofree char *none = plan(&w, unattend_plan, "[unattend]\nsetup-complete = none.cmd\n");
	cr_expect(none && strstr(none, "none.cmd"), "%s", none);
	world_end(&w);
}
