#include "tests/report_sample.h"
#include "xml/xml.h"

#include <criterion/criterion.h>
#include <glib/gstdio.h>

static char *both[] = { "en", "zh-CN", NULL };
static const char *const papers[] = { "acceptance", "delivery-note", "risk-disclosure" };

static char *data_dir(void)
{
	return g_build_filename(g_getenv("IB_SRC"), "manifests", "report", NULL);
}

static void remove_dir(char *dir)
{
	ib_auto_error err = NULL;

	cr_assert(ib_dir_remove(dir, &err));
	g_free(dir);
}

/* A sample's papers in a new folder. */
static char *papers_of(const struct ib_report *r, const char *data)
{
	char *dir = g_dir_make_tmp("report-XXXXXX", NULL);
	g_autoptr(GPtrArray) files = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_report_write(r, data, both, dir, &files, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(files->len, 6);
	cr_assert_str_eq(files->pdata[0], "acceptance.en.html");
	cr_assert_str_eq(files->pdata[5], "risk-disclosure.zh-CN.html");
	return dir;
}

static char *sample_papers(const char *kind)
{
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	g_autofree char *data = data_dir();
	struct ib_report r;

	cr_assert(report_sample(kind, keep, &r));
	return papers_of(&r, data);
}

static char *paper(const char *dir, const char *name, const char *language)
{
	g_autofree char *file = g_strdup_printf("%s/%s.%s.html", dir, name, language);
	char *text;

	cr_assert(g_file_get_contents(file, &text, NULL, NULL), "%s", file);
	return text;
}

/* What stands in data-clause="…" or data-fact="…", in order. */
static char *marks(const char *html, const char *attribute)
{
	g_autofree char *start = g_strdup_printf("%s=\"", attribute);
	GString *out = g_string_new(NULL);

	for (const char *p = html; (p = strstr(p, start));) {
		p += strlen(start);
		g_string_append_len(out, p, (gssize)strcspn(p, "\""));
		g_string_append_c(out, '\n');
	}
	return g_string_free(out, FALSE);
}

Test(report, languages_say_the_same)
{
	static const char *const kinds[] = { "full", "empty-server", "bare", "hostile" };

	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
		char *dir = sample_papers(kinds[k]);
		for (size_t i = 0; i < G_N_ELEMENTS(papers); i++) {
			g_autofree char *en = paper(dir, papers[i], "en"), *zh = paper(dir, papers[i], "zh-CN");
			g_autofree char *en_clauses = marks(en, "data-clause"), *zh_clauses = marks(zh, "data-clause");
			g_autofree char *en_facts = marks(en, "data-fact"), *zh_facts = marks(zh, "data-fact");
			cr_assert_gt(strlen(en_clauses), 100);
			cr_assert_str_eq(en_clauses, zh_clauses, "%s of %s", papers[i], kinds[k]);
			cr_assert_str_eq(en_facts, zh_facts, "%s of %s", papers[i], kinds[k]);
			cr_assert(strstr(en, "<html lang=\"en\">") && strstr(zh, "<html lang=\"zh-CN\">"));
		}
		remove_dir(dir);
	}
}

Test(report, texts_exist_in_both_languages)
{
	static const char *const files[] = { "clauses.xml", "glossary.xml" };
	g_autofree char *data = data_dir();

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(data, files[i], NULL);
		g_autoptr(GBytes) bytes = NULL;
		ib_auto_error err = NULL;
		ib_auto_xml doc = NULL;
		unsigned count = 0;
		cr_assert(ib_file_read(path, IB_XML_MAX, &bytes, &err));
		cr_assert(ib_xml_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), path, &doc, &err));
		for (struct ib_xml_node *n = ib_xml_first(ib_xml_root(doc), NULL); n; n = ib_xml_next(n, NULL), count++) {
			struct ib_xml_node *zh = ib_xml_first(n, "text"), *en = ib_xml_next(zh, "text");
			cr_assert_str_eq(ib_xml_attr(zh, "lang"), "zh-CN", "%s", ib_xml_attr(n, "id"));
			cr_assert_str_eq(ib_xml_attr(en, "lang"), "en", "%s", ib_xml_attr(n, "id"));
			cr_assert_null(ib_xml_next(en, NULL));
		}
		cr_assert_gt(count, 50);
	}
}

/* Every single value a sample gives stands in the risk disclosure or the delivery note, in both languages. */
Test(report, every_datum_is_shown)
{
	static const char *const data[] = {
		"ICBC V2020-L 9B", "2021-09B", "2020.1.2109.21", "V2020-L", "EnterpriseG", "10.0.17763.2183", "icbc-l",
		"2021-09-29", "CAS-00000-EXAMPLE", "September 2021 cumulative update preinstalled; CmitUpdateAgent removed",
		"2021-09-14", "2021-09-27", ">upgrade<", ">fresh<", "CMGE_V2020-L.iso", SAMPLE_BASE_SHA, SAMPLE_SHA,
		"4,893,267,968", "5,502,926,848", "CMGE_V2020L_9B.iso", "http://ue.example:8530", "KB5005112", "KB5005568",
		"Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.6", "Lab Update Signing", "Security Update",
		"KB5005539", "it is for product build 18362, the image has 17763", "CmitUpdateAgent",
		"leaves the update server at 127.0.0.1", "\"num\">14<", "\"num\">27<", "SMB1Protocol",
		"not needed by this customer", "Imglab.Music", "not for clients of a bank", "settings.reg", "Program Files\\Lab",
		"Windows\\Panther\\unattend.xml", "amd64_lab-wmi-provider", "its WMI classes are compiled", "\\CMIT\\Telemetry\\Daily",
		"a sentence of a kind nobody foresaw", "cd93fe8e-0a1b-5c2d-8e3f-112233445566", "ICBC V2020-L 4C", "2020.1.2104.31",
		"V0-H", "96", "1536", "41877", "see the support agreement", "problems are reproduced on the standard image first",
		"180000", ">37<", ">75<", ">20<", ">30<", "first-report",
		"5,502,926,848 × 8 ÷ (20 × 1,000,000) ÷ 3,600 ≈ 0.61 h", "180000 ÷ 75 = 2,400",
		"180000 × (75 − 30) ÷ 75 = 108,000",
	};
	char *dir = sample_papers("full");

	for (size_t l = 0; both[l]; l++) {
		g_autofree char *html = paper(dir, "risk-disclosure", both[l]), *note = paper(dir, "delivery-note", both[l]);
		g_autofree char *form = paper(dir, "acceptance", both[l]);
		for (size_t i = 0; i < G_N_ELEMENTS(data); i++)
			cr_assert(strstr(html, data[i]), "'%s' is not in %s", data[i], both[l]);
		cr_assert(strstr(note, "sftp://ICBC@ocean.example:22222/upload/V2020-l_9B"));
		cr_assert(strstr(note, SAMPLE_SHA) && strstr(form, SAMPLE_SHA));
		cr_assert_not(strstr(note, "secret") || strstr(html, "secret") || strstr(form, "secret"));
		cr_assert(strstr(form, ">technical<") && strstr(form, ">security<") && strstr(form, ">customer<"));
	}
	remove_dir(dir);
}

/* What is not provided is said, and an empty update server is a risk in the open. */
Test(report, nothing_provided)
{
	char *dir = sample_papers("bare");
	g_autofree char *en = paper(dir, "risk-disclosure", "en"), *zh = paper(dir, "risk-disclosure", "zh-CN");

	cr_assert(strstr(en, "not provided") && strstr(zh, "未提供"));
	cr_assert(strstr(en, "<p class=\"alert\"><strong>Risk: </strong>"));
	cr_assert(strstr(en, "No update-server address was specified.") && strstr(zh, "客户方未指定更新服务器地址"));
	cr_assert(strstr(en, "Not tested on Windows.") && strstr(zh, "未在 Windows 上测试"));
	cr_assert(strstr(en, "There is no record that the written image passed"));
	cr_assert(strstr(en, "No upgrade metadata was made."));
	cr_assert_not(strstr(en, "(null)") || strstr(en, "{") > strstr(en, "<body"));
	remove_dir(dir);
}

Test(report, empty_update_server)
{
	char *dir = sample_papers("empty-server");
	g_autofree char *en = paper(dir, "risk-disclosure", "en"), *zh = paper(dir, "risk-disclosure", "zh-CN");

	cr_assert(strstr(en, "<p class=\"alert\"><strong>Risk: </strong><span class=\"v\" data-clause=\"server-empty\">"));
	cr_assert(strstr(en, "The update-server address is empty.") && strstr(zh, "更新服务器地址为空。"));
	cr_assert(strstr(en, "data-clause=\"risk-a-measure-none\""));
	/* a line that is no number gives no hours, and says so */
	cr_assert(strstr(en, "20 or so") && strstr(en, "<td data-fact=\"hours\"><span class=\"missing\">not provided"));
	/* the rollout ends before the rule's limit */
	cr_assert(strstr(en, "<td data-fact=\"late-devices\"><span class=\"v\">0<") && strstr(en, "20 ≤ 30"));
	cr_assert_not(strstr(en, "data-clause=\"rollout-late\""));
	remove_dir(dir);
}

Test(report, hostile_values_stay_text)
{
	char *dir = sample_papers("hostile");

	for (size_t i = 0; i < G_N_ELEMENTS(papers); i++)
		for (size_t l = 0; both[l]; l++) {
			g_autofree char *html = paper(dir, papers[i], both[l]);
			const char *style_end = strstr(html, "</style>");
			cr_assert_not(strstr(html, "<script"));
			cr_assert_not(strstr(html, "\xE2\x80\xAE"), "a mark that turns the direction came through");
			cr_assert(strstr(html, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;"));
			cr_assert(strstr(html, "[U+202E]{version}"), "a value was looked into");
			cr_assert_not(strstr(style_end + 1, "</style>"));
			cr_assert_null(g_strstr_len(html, style_end - html, "display: none"), "the version reached the style sheet");
		}
	g_autofree char *zh = paper(dir, "risk-disclosure", "zh-CN");
	cr_assert(strstr(zh, "only English"), "a risk given in English only is missing in Chinese");
	remove_dir(dir);
}

Test(report, same_data_same_bytes)
{
	char *a = sample_papers("full"), *b = sample_papers("full");

	for (size_t i = 0; i < G_N_ELEMENTS(papers); i++)
		for (size_t l = 0; both[l]; l++) {
			g_autofree char *one = paper(a, papers[i], both[l]), *two = paper(b, papers[i], both[l]);
			cr_assert_str_eq(one, two);
		}
	remove_dir(a);
	remove_dir(b);
}

/* A large image leaves thousands of notes: the style sheets must stay below the limits of lib/xml. */
Test(report, many_notes, .timeout = 60)
{
	static const struct ib_report_item note = { "amd64_lab-component_31bf3856ad364e35_10.0.17763.1_none_0", "it was not done", "mof" };
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	g_autofree char *data = data_dir();
	struct ib_report r;

	report_sample("full", keep, &r);
	r.notes = g_ptr_array_new();
	g_ptr_array_add(keep, r.notes);
	for (unsigned i = 0; i < 5000; i++)
		g_ptr_array_add(r.notes, (void *)&note);
	remove_dir(papers_of(&r, data));
}

/* ---- what differs between two images ---- */

static char *diff_page(const char *data, const char *const *kinds, const GPtrArray *list, const char *language,
		       struct ib_error **err)
{
	struct ib_report_diff d = { .size = sizeof d, .kinds = kinds, .differences = list };
	g_autoptr(GBytes) page = NULL;

	d.a = (struct ib_report_image){ .file = "a<b>.wim", .index = "1", .version = "10.0.1.1" };
	d.b = (struct ib_report_image){ .file = "b.wim", .index = "2", .name = "", .edition = "EnterpriseG" };
	if (!ib_report_diff(&d, data, language, &page, err))
		return NULL;
	return g_strndup(g_bytes_get_data(page, NULL), g_bytes_get_size(page));
}

static const char *const diff_kinds[] = { "feature", "policy", "file", NULL };
static struct ib_report_difference differences[] = {
	{ "feature", "SMB1Protocol", NULL, "on", "off" },
	{ "policy", "HKLM\\<script>", "\"'&<i>", "", NULL },
	{ "policy", "HKLM\\<script>", "\xe2\x80\xae" "abc", NULL, "\xff\x01" "1" },
};

Test(report, differences_are_shown)
{
	g_autofree char *data = data_dir();
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(differences); i++)
		g_ptr_array_add(list, &differences[i]);
	for (char **l = both; *l; l++) {
		ib_auto_error err = NULL;
		g_autofree char *page = diff_page(data, diff_kinds, list, *l, &err);
		bool en = strcmp(*l, "en") == 0;
		cr_assert(page, "%s", err ? ib_error_cause(err) : "");
		const char *const says[] = { "a&lt;b&gt;.wim", en ? "enabled" : "启用", en ? "disabled" : "禁用", "HKLM\\&lt;script&gt;",
					     "\"'&amp;&lt;i&gt;", "[U+202E]abc", "[U+0001]1", en ? "not provided" : "未提供",
					     en ? "No difference." : "没有差异。", en ? ">none<" : ">无<", en ? ">empty<" : ">空值<" };
		for (size_t i = 0; i < G_N_ELEMENTS(says); i++)
			cr_assert(strstr(page, says[i]), "%s: no '%s'", *l, says[i]);
		cr_assert_null(strstr(page, "<script>"));
	}
}

Test(report, bad_differences)
{
	static const char *const unknown[] = { "miracle", NULL };
	g_autofree char *data = data_dir();
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	ib_auto_error err = NULL;

	cr_assert_null(diff_page(data, unknown, list, "en", &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	cr_assert(strstr(ib_error_cause(err), "kind-miracle"), "%s", ib_error_cause(err));
	ib_error_clear(&err);
	cr_assert_null(diff_page(data, diff_kinds, list, "fr", &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_error_clear(&err);
	cr_assert_null(diff_page("/nonexistent", diff_kinds, list, "en", &err));
}

/* ---- bad data files ---- */

static char *data_with(const char *clauses)
{
	char *dir = g_dir_make_tmp("report-XXXXXX", NULL);
	g_autofree char *source = data_dir();
	static const char *const copied[] = { "glossary.xml", "common.xsl", "acceptance.xsl", "delivery-note.xsl",
					      "risk-disclosure.xsl" };

	for (size_t i = 0; i < G_N_ELEMENTS(copied); i++) {
		g_autofree char *from = g_build_filename(source, copied[i], NULL), *to = g_build_filename(dir, copied[i], NULL);
		g_autofree char *text = NULL;
		gsize len;
		cr_assert(g_file_get_contents(from, &text, &len, NULL) && g_file_set_contents(to, text, (gssize)len, NULL));
	}
	g_autofree char *path = g_build_filename(dir, "clauses.xml", NULL);
	cr_assert(g_file_set_contents(path, clauses, -1, NULL));
	return dir;
}

Test(report, bad_clauses)
{
	static const struct {
		const char *clauses, *says;
	} cases[] = {
		{ "<clauses><clause id='a'><text lang='en'>x</text></clause></clauses>", "no text in language 'zh-CN'" },
		{ "<clauses><clause id='a'><text lang='en'>x</text><text lang='zh-CN'>x</text><text lang='fr'>x</text></clause>"
		  "<clause id='b'><text lang='en'>x</text><text lang='zh-CN'>x</text></clause></clauses>", "2 languages" },
		{ "<clauses><clause id='a'><text lang='en'>{date}</text><text lang='zh-CN'>{days}</text></clause></clauses>",
		  "has the placeholders" },
		{ "<clauses><clause id='a'><text lang='en'>{zz}</text><text lang='zh-CN'>{zz}</text></clause></clauses>",
		  "'{zz}' is not known" },
		{ "<clauses><clause id='a'><text lang='en'>x</text><text lang='en'>x</text></clause></clauses>", "repeated" },
		{ "<clauses><clause id='a'><text lang='en'>x</text><text lang='zh-CN'>x</text></clause>"
		  "<clause id='a'/></clauses>", "repeated" },
		{ "<clauses><clause id='a'><text lang='en'> </text></clause></clauses>", "empty" },
		{ "<clauses/>", "no clause '" },
		{ "<clauses>", "clauses.xml" },
	};
	struct ib_report r = { .size = sizeof r };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char *dir = data_with(cases[i].clauses);
		g_autoptr(GPtrArray) files = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(ib_report_write(&r, dir, both, dir, &files, &err), "%s", cases[i].clauses);
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
		cr_assert(strstr(ib_error_cause(err), cases[i].says), "'%s' does not say '%s'", ib_error_cause(err), cases[i].says);
		cr_assert_null(files);
		remove_dir(dir);
	}
}

Test(report, bad_languages)
{
	static char *lists[][2] = { { NULL }, { "../en" }, { "fr" }, { "" } };
	g_autofree char *data = data_dir();
	struct ib_report r = { .size = sizeof r };

	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		g_autoptr(GPtrArray) files = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(ib_report_write(&r, data, lists[i], "/nonexistent", &files, &err));
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}

Test(report, no_place_to_write)
{
	g_autofree char *data = data_dir();
	g_autoptr(GPtrArray) files = NULL;
	ib_auto_error err = NULL;
	struct ib_report r = { .size = sizeof r };

	cr_assert_not(ib_report_write(&r, data, both, "/nonexistent", &files, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_SYSTEM);
}
