/* Our tree against libxml2's own, and what edits make of it. */
#include "../xml_dom.h"

#include <stdlib.h>

#include <criterion/criterion.h>

static const char *const samples[] = {
	"<a/>",
	"<?xml version='1.0' encoding='ISO-8859-1' standalone='yes'?><a b='\xe4'>\xf6</a>",
	"<?pi?><!-- before --><?p  data ?><a>x<!-- in -->y<?q r?>z</a><!-- after --><?last?>",
	"<a>\n one <![CDATA[<two>]]> three <![CDATA[]]><![CDATA[a]]><![CDATA[b]]>&lt;&#x20ac;&amp;\r\n</a>",
	"<a b='1 &lt; &quot;2&quot;&#10;&#9;\n x' c=\"\" d='&#xD;'/>",
	"<a xmlns='u' xmlns:p='v' p:x='1' x='2'><p:b xmlns:p='w' p:y='3'/><b xmlns=''><c/></b><p:b xml:lang='de'/></a>",
	"<p:a q:x='1' x='2'><p:b/><:c :d='1'/><x:y:z xmlns:x='u' x:v:w='1'/></p:a>",
	"<a>\n<b\n c='1'\n>\n</b\n>\n\n<d/>\n</a>\n",
	"<a xml:space='preserve'> <b/> </a>",
	"\xef\xbb\xbf<a>\xf0\x9f\x98\x80</a>",
	/* refused by both */
	"<a>", "<a></b>", "<a b='1' b='2'/>", "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='1'/>", "<a>]]></a>", "<a>&x;</a>",
	"<a b='<'/>", "<a/><b/>", "x<a/>", "<a>\x01</a>", "<a>&#0;</a>", "<?xml version='1.0'?", "<!-- -- --><a/>",
};

static void compare(const char *what, const void *data, size_t len)
{
	ib_auto_error err = NULL;
	ib_auto_xml doc = NULL;
	bool ok = ib_xml_parse(data, len, "t.xml", &doc, &err);
	const char *difference = dom_differs(ok ? doc : NULL, ok ? NULL : ib_error_cause(err), data, len);

	cr_expect_null(difference, "%s: %s differs", what, difference);
}

Test(xml_tree, is_libxml2s)
{
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
		compare(samples[i], samples[i], strlen(samples[i]));
}

Test(xml_tree, is_libxml2s_for_files)
{
	static const char *const targets[] = { "xml_parse", "metadata_document", "package_manifest", "package_mum",
					       "package_cix" };
	unsigned files = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
		g_autofree char *dir =
			g_strdup_printf("%s/tests/fuzz/corpus/fuzz_%s", getenv("IB_SRC"), targets[i]);
		g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
		cr_assert_not_null(d, "%s", dir);
		for (const char *name; (name = g_dir_read_name(d)); files++) {
			g_autofree char *path = g_build_filename(dir, name, NULL), *data = NULL;
			gsize len;
			cr_assert(g_file_get_contents(path, &data, &len, NULL));
			if (len > 0)
				compare(path, data, len);
		}
	}
	cr_expect_gt(files, 10);
}

static struct ib_xml *parse(const char *text, size_t len)
{
	ib_auto_error err = NULL;
	struct ib_xml *doc = NULL;

	cr_assert(ib_xml_parse(text, len, "t.xml", &doc, &err), "%s", err ? ib_error_cause(err) : "");
	return doc;
}

Test(xml_tree, knows_lines_beyond_16_bits)
{
	GString *s = g_string_new("<a>");

	for (unsigned i = 0; i < 70000; i++)
		g_string_append_c(s, '\n');
	g_string_append(s, "<b/></a>");
	ib_auto_xml doc = parse(s->str, s->len);
	cr_expect_eq(ib_xml_line(ib_xml_first(ib_xml_root(doc), "b")), 70001);
	compare("many lines", s->str, s->len);
	g_string_free(s, TRUE);
}

/* libxml2's own tree builder stops at 10,000,000 bytes of one text, and leaves out the rest without a word. */
Test(xml_tree, keeps_long_text)
{
	GString *s = g_string_new("<a>");
	const size_t n = 11000000;

	for (size_t i = 0; i < n; i++)
		g_string_append(s, i % 64 ? "x" : "&lt;");
	g_string_append(s, "<b/></a>");
	ib_auto_xml doc = parse(s->str, s->len);
	g_autofree char *text = ib_xml_text(ib_xml_root(doc));
	cr_expect_eq(strlen(text), n);
	cr_expect_not_null(ib_xml_first(ib_xml_root(doc), "b"));
	g_string_free(s, TRUE);
}

Test(xml_tree, holds_the_deepest)
{
	GString *s = g_string_new(NULL);

	for (unsigned i = 0; i < IB_XML_DEPTH; i++)
		g_string_append(s, "<a>");
	for (unsigned i = 0; i < IB_XML_DEPTH; i++)
		g_string_append(s, "</a>");
	compare("deep", s->str, s->len);
	ib_auto_xml doc = parse(s->str, s->len);
	unsigned levels = 0;
	for (const struct ib_xml_node *n = ib_xml_root(doc); n; n = ib_xml_first(n, NULL))
		levels++;
	cr_expect_eq(levels, IB_XML_DEPTH);
	g_string_free(s, TRUE);
}

static void expect_written(const struct ib_xml *doc, const char *want)
{
	g_autoptr(GBytes) b = ib_xml_write(doc, 0);
	gsize len;
	const char *p = g_bytes_get_data(b, &len);
	g_autofree char *have = g_strndup(p, len);

	cr_expect_str_eq(have, want);
}

Test(xml_tree, prefers_attributes_without_prefix)
{
	static const char text[] = "<a p:k='1' k='2'/>"; /* p is not declared */
	ib_auto_xml doc = parse(text, strlen(text));

	cr_expect_str_eq(ib_xml_attr(ib_xml_root(doc), "k"), "2");
}

Test(xml_tree, removes)
{
	static const char text[] = "<a><b/> <c/>x<d/> <e/></a>";
	ib_auto_xml doc = parse(text, strlen(text));
	struct ib_xml_node *a = ib_xml_root(doc);

	ib_xml_remove(ib_xml_first(a, "c"));
	expect_written(doc, "<a><b/>x<d/> <e/></a>");
	ib_xml_remove(ib_xml_first(a, "e"));
	ib_xml_remove(ib_xml_first(a, "b"));
	ib_xml_add_text(a, "f", "1");
	expect_written(doc, "<a>x<d/><f>1</f></a>");
	ib_xml_remove(ib_xml_first(a, "d"));
	ib_xml_remove(ib_xml_first(a, "f"));
	ib_xml_add(a, "g");
	expect_written(doc, "<a>x<g/></a>");
}

Test(xml_tree, sets_by_prefix)
{
	static const char text[] = "<a xmlns:p='u' xmlns:q='u' p:k='1'><b/></a>";
	ib_auto_xml doc = parse(text, strlen(text));
	struct ib_xml_node *a = ib_xml_root(doc);

	ib_xml_set(a, "k", "2");
	ib_xml_set(a, "q:k", "3"); /* p:k by another prefix */
	ib_xml_set(a, "r:k", "4");
	ib_xml_set(a, "xml:lang", "de");
	expect_written(doc, "<a xmlns:p=\"u\" xmlns:q=\"u\" p:k=\"3\" k=\"2\" r:k=\"4\" xml:lang=\"de\"><b/></a>");
	ib_xml_set(a, "p:k", NULL);
	ib_xml_set(a, "r:k", NULL);
	expect_written(doc, "<a xmlns:p=\"u\" xmlns:q=\"u\" k=\"2\" xml:lang=\"de\"><b/></a>");
}

Test(xml_tree, declares_for_those_who_wait)
{
	ib_auto_xml doc = ib_xml_new("p:a");
	struct ib_xml_node *a = ib_xml_root(doc);

	ib_xml_set(a, "q:k", "1");
	ib_xml_set(a, "p:k", "2");
	ib_xml_set(a, "k", "3");
	ib_xml_declare(a, NULL, "d");
	cr_expect_null(ib_xml_ns(a));
	ib_xml_declare(a, "p", "u");
	ib_xml_declare(a, "p", "late");
	cr_expect_str_eq(ib_xml_ns(a), "u");
	cr_expect_str_eq(ib_xml_ns(ib_xml_add(a, "p:b")), "u");
	cr_expect_str_eq(ib_xml_ns(ib_xml_add(a, "c")), "d");
	cr_expect_null(ib_xml_ns(ib_xml_add(a, "r:d")));
	expect_written(doc, "<p:a xmlns=\"d\" xmlns:p=\"u\" q:k=\"1\" k=\"3\" p:k=\"2\"><p:b/><c/><r:d/></p:a>");
}

/* A copy brings the namespaces it used but did not declare, and may go below what it is made of. */
Test(xml_tree, copies)
{
	static const char text[] = "<a xmlns='u' xmlns:p='v'><b p:k='1'>t<!--c--><?d e?><![CDATA[f]]><p:g/></b></a>";
	ib_auto_xml doc = parse(text, strlen(text));
	ib_auto_xml other = ib_xml_new("o");
	struct ib_xml_node *b = ib_xml_first(ib_xml_root(doc), "b");

	ib_xml_add_copy(ib_xml_root(other), b);
	expect_written(other, "<o><b xmlns=\"u\" xmlns:p=\"v\" p:k=\"1\">t<!--c--><?d e?><![CDATA[f]]><p:g/></b></o>");
	ib_xml_remove(ib_xml_first(b, "g"));
	ib_xml_add_copy(b, b);
	ib_xml_add_copy(b, b);
	cr_expect_null(ib_xml_find(b, "b/b/b"));
	cr_expect_not_null(ib_xml_find(b, "b/b"));
}
