#include "xml/xml.h"

#include <string.h>

#include <criterion/criterion.h>
#include <glib/gstdio.h>

static struct ib_xml *parse(const char *text)
{
	struct ib_error *err = NULL;
	struct ib_xml *doc = NULL;

	cr_assert(ib_xml_parse(text, strlen(text), "t.xml", &doc, &err), "%s", err ? ib_error_cause(err) : "");
	return doc;
}

static char *written(const struct ib_xml *doc, enum ib_xml_write flags)
{
	g_autoptr(GBytes) b = ib_xml_write(doc, flags);
	gsize len;
	const char *p = g_bytes_get_data(b, &len);

	return g_strndup(p, len);
}

static void save(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	cr_assert(g_file_set_contents(path, text, -1, NULL));
}

Test(xml, reads)
{
	ib_auto_xml doc = parse("<?xml version='1.0'?>\n<!-- c -->\n"
				"<a xmlns='urn:a' xmlns:p='urn:p' p:k='1' k='2&amp;3' p:q='4'>\n"
				"<b/><c>one<d>two &lt;</d><![CDATA[<x>]]></c>\n<b><e/></b><p:f/></a>");
	struct ib_xml_node *a = ib_xml_root(doc);
	const char *name, *value;

	cr_expect_str_eq(ib_xml_name(a), "a");
	cr_expect_str_eq(ib_xml_ns(a), "urn:a");
	cr_expect_eq(ib_xml_line(a), 3);
	cr_expect_str_eq(ib_xml_attr(a, "k"), "2&3");
	cr_expect_str_eq(ib_xml_attr(a, "q"), "4");
	cr_expect_null(ib_xml_attr(a, "none"));
	cr_expect_null(ib_xml_attr(NULL, "k"));
	cr_assert(ib_xml_attrs(a, 1, &name, &value));
	cr_expect_str_eq(name, "k");
	cr_expect_str_eq(value, "2&3");
	cr_expect_not(ib_xml_attrs(a, 3, &name, &value));
	struct ib_xml_node *c = ib_xml_first(a, "c");
	g_autofree char *text = ib_xml_text(c);
	cr_expect_str_eq(text, "onetwo <<x>");
	cr_expect_str_eq(ib_xml_ns(ib_xml_first(a, "f")), "urn:p");
	cr_expect_str_eq(ib_xml_name(ib_xml_next(c, NULL)), "b");
	cr_expect_null(ib_xml_next(c, "c"));
	/* the first b has no e: the path must lead through the second */
	struct ib_xml_node *e = ib_xml_find(a, "b/e");
	cr_assert_not_null(e);
	cr_expect_eq(ib_xml_line(e), 5);
	cr_expect_eq(ib_xml_parent(ib_xml_parent(e)), a);
	cr_expect_null(ib_xml_parent(a));
	cr_expect_null(ib_xml_find(a, "b/x"));
	cr_expect_null(ib_xml_find(NULL, "b"));
}

static const struct {
	const char *what, *text, *cause;
} bad[] = {
	{ "empty", "", "empty" },
	{ "no element", "<!-- c -->", "not well-formed" },
	{ "mismatch", "<a>\n<b>\n</a>", "line 3" },
	{ "doctype", "<a/>\n<!DOCTYPE a>", "line 2" },
	{ "entity bomb", "\n<!DOCTYPE a [<!ENTITY x 'y'><!ENTITY z '&x;&x;'>]><a>&z;</a>",
		"'t.xml' line 2: has a DOCTYPE" },
	{ "external", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "DOCTYPE" },
	{ "unknown entity", "<a>&nbsp;</a>", "nbsp" },
	{ "unknown prefix", "<a><p:b/></a>", NULL },
	{ "text after", "<a/>x", "line 1" },
	{ "bad namespace", "<a xmlns:p='u?a=1&amp;b'/>", "namespace" },
	{ "unknown encoding", "<?xml version='1.0' encoding='none'?><a/>", "none" },
	{ "bad euc-kr", "<?xml version='1.0' encoding='euc-kr'?><a>\xff\xfe\xff</a>", "not well-formed" },
	{ "bad utf-8", "<a>\xff</a>", "not well-formed" },
};

Test(xml, refuses)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		ib_auto_error err = NULL;
		ib_auto_xml doc = NULL;
		bool ok = ib_xml_parse(bad[i].text, strlen(bad[i].text), "t.xml", &doc, &err);
		if (!bad[i].cause) { /* a namespace error leaves the document well-formed */
			cr_expect(ok, "%s", bad[i].what);
			continue;
		}
		cr_assert_not(ok, "%s", bad[i].what);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
		cr_expect_not_null(strstr(ib_error_cause(err), bad[i].cause), "%s: %s", bad[i].what,
				ib_error_cause(err));
	}
}

Test(xml, limits_depth_and_size)
{
	ib_auto_error err = NULL;
	ib_auto_xml doc = NULL;
	GString *s = g_string_new(NULL);

	for (unsigned i = 0; i < IB_XML_DEPTH + 1; i++)
		g_string_append(s, "<a>");
	cr_expect_not(ib_xml_parse(s->str, s->len, "deep", &doc, &err));
	cr_expect_not_null(strstr(ib_error_cause(err), "depth"), "%s", ib_error_cause(err));
	ib_error_clear(&err);
	g_string_free(s, TRUE);
	cr_expect_not(ib_xml_parse("<a/>", (size_t)IB_XML_MAX + 1, "large", &doc, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
}

Test(xml, reads_utf16)
{
	static const char *const text = "<WIM><NAME>Gr\xc3\xb6\xc3\x9f" "e</NAME></WIM>";
	static const char *const starts[] = { "", "\xef\xbb\xbf",
			"\xef\xbb\xbf<?xml version='1.0' encoding='utf-16'?>" };

	for (size_t i = 0; i < G_N_ELEMENTS(starts); i++) {
		g_autofree char *full = g_strconcat(starts[i], text, NULL);
		size_t len;
		g_autofree uint8_t *wide = ib_utf8_to_utf16(full, &len);
		ib_auto_error err = NULL;
		ib_auto_xml doc = NULL;
		cr_assert(ib_xml_parse(wide, len, "w", &doc, &err), "%zu: %s", i, err ? ib_error_cause(err) : "");
		g_autofree char *name = ib_xml_text(ib_xml_find(ib_xml_root(doc), "NAME"));
		cr_expect_str_eq(name, "Gr\xc3\xb6\xc3\x9f" "e");
	}
}

Test(xml, builds_and_writes)
{
	ib_auto_xml doc = ib_xml_new("upd:Update");
	struct ib_xml_node *root = ib_xml_root(doc);

	ib_xml_set(root, "xsi:type", "T");
	ib_xml_declare(root, "upd", "urn:u");
	ib_xml_declare(root, "xsi", "urn:i");
	ib_xml_declare(root, NULL, "urn:d");
	struct ib_xml_node *n = ib_xml_add(root, "upd:Properties");
	ib_xml_set(n, "a", "1 < 2 & \"3\"");
	ib_xml_set(n, "gone", "x");
	ib_xml_set(n, "gone", NULL);
	ib_xml_add_text(root, "plain", "a & b; \x01 \xed\xa0\x80.");
	cr_expect_str_eq(ib_xml_ns(root), "urn:u");
	cr_expect_str_eq(ib_xml_ns(n), "urn:u");
	cr_expect_str_eq(ib_xml_ns(ib_xml_first(root, "plain")), "urn:d");
	cr_expect_str_eq(ib_xml_attr(root, "type"), "T");
	g_autofree char *bare = written(doc, 0);
	cr_expect_str_eq(bare, "<upd:Update xmlns:upd=\"urn:u\" xmlns:xsi=\"urn:i\" xmlns=\"urn:d\" xsi:type=\"T\">"
			       "<upd:Properties a=\"1 &lt; 2 &amp; &quot;3&quot;\"/>"
			       "<plain>a &amp; b; \xef\xbf\xbd \xef\xbf\xbd.</plain></upd:Update>");
	g_autofree char *lines = written(doc, IB_XML_DECLARATION | IB_XML_INDENT);
	cr_expect_str_eq(lines, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
				"<upd:Update xmlns:upd=\"urn:u\" xmlns:xsi=\"urn:i\" xmlns=\"urn:d\" xsi:type=\"T\">\n"
				"  <upd:Properties a=\"1 &lt; 2 &amp; &quot;3&quot;\"/>\n"
				"  <plain>a &amp; b; \xef\xbf\xbd \xef\xbf\xbd.</plain>\n</upd:Update>\n");
}

Test(xml, edits)
{
	ib_auto_xml doc = parse("<a k='1' xmlns:p='urn:p' p:k='2'>\n  <b>x<c/></b>\n  <d/>\n</a>");
	struct ib_xml_node *a = ib_xml_root(doc);

	ib_xml_set(a, "k", NULL);
	ib_xml_set_text(ib_xml_first(a, "b"), "<&amp;>");
	ib_xml_remove(ib_xml_first(a, "d"));
	ib_xml_remove(NULL);
	ib_auto_xml other = parse("<o xmlns='urn:o'><i j='1'>t</i></o>");
	ib_xml_add_copy(a, ib_xml_first(ib_xml_root(other), "i"));
	g_clear_pointer(&other, ib_xml_free);
	cr_expect_str_eq(ib_xml_ns(ib_xml_first(a, "i")), "urn:o");
	g_autofree char *text = written(doc, 0);
	ib_auto_xml again = parse(text);
	g_autofree char *b = ib_xml_text(ib_xml_first(ib_xml_root(again), "b"));
	cr_expect_str_eq(b, "<&amp;>");
	cr_expect_str_eq(ib_xml_attr(ib_xml_root(again), "k"), "2");
	cr_expect_null(ib_xml_first(ib_xml_root(again), "d"));
	cr_expect_str_eq(ib_xml_ns(ib_xml_first(ib_xml_root(again), "i")), "urn:o");
	ib_xml_set(a, "p:k", NULL);
	cr_expect_null(ib_xml_attr(a, "k"));
}

Test(xml, writes_utf16_that_reads_back)
{
	ib_auto_xml doc = parse("<WIM><NAME>\xc3\xb6 \xf0\x9f\x98\x80</NAME></WIM>");
	g_autoptr(GBytes) b = ib_xml_write(doc, IB_XML_UTF16);
	ib_auto_error err = NULL;
	ib_auto_xml again = NULL;
	gsize len;
	const uint8_t *p = g_bytes_get_data(b, &len);

	cr_assert_gt(len, 4);
	cr_expect_eq(ib_le16(p), 0xfeff);
	cr_expect_eq(ib_le16(p + 2), '<');
	cr_expect_eq(ib_le16(p + len - 2), '>');
	cr_assert(ib_xml_parse(p, len, "w", &again, &err));
	g_autofree char *one = written(doc, 0), *two = written(again, 0);
	cr_expect_str_eq(one, two);
}

static const char *const xsd =
	"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:include schemaLocation='%s'/>"
	"<xs:element name='a'><xs:complexType><xs:sequence><xs:element name='n' type='small' maxOccurs='9'/>"
	"</xs:sequence></xs:complexType></xs:element></xs:schema>";
static const char *const types =
	"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:simpleType name='small'>"
	"<xs:restriction base='xs:integer'><xs:maxInclusive value='9'/></xs:restriction></xs:simpleType></xs:schema>";

Test(xml, validates)
{
	g_autofree char *dir = g_dir_make_tmp("xml-XXXXXX", NULL);
	g_autofree char *sub = g_build_filename(dir, "in", NULL);
	g_autofree char *path = g_build_filename(sub, "a.xsd", NULL);
	g_autofree char *leaves = g_build_filename(sub, "b.xsd", NULL);
	g_autofree char *inside = g_strdup_printf(xsd, "types.xsd");
	g_autofree char *outside = g_strdup_printf(xsd, "../types.xsd");
	ib_auto_xml good = parse("<a><n>1</n></a>");
	ib_auto_xml wrong = parse("<a>\n<n>1</n>\n<n>12</n>\n<n>x</n></a>");
	ib_auto_error err = NULL;

	g_mkdir(sub, 0700);
	save(sub, "a.xsd", inside);
	save(sub, "b.xsd", outside);
	save(sub, "types.xsd", types);
	save(dir, "types.xsd", types);
	cr_expect(ib_xml_validate(good, path, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_not(ib_xml_validate(wrong, path, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	cr_expect_not_null(strstr(ib_error_cause(err), "line 3"), "%s", ib_error_cause(err));
	cr_expect_not_null(strstr(ib_error_cause(err), "line 4"), "%s", ib_error_cause(err));
	ib_error_clear(&err);
	cr_expect_not(ib_xml_validate(good, leaves, &err), "an include outside the folder was read");
	ib_error_clear(&err);
	cr_expect_not(ib_xml_validate(good, "none.xsd", &err));
	ib_error_clear(&err);
	cr_expect(ib_dir_remove(dir, &err));
}

#define SHEET(body)                                                                                                   \
	"<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>"                             \
	"<xsl:output method='text'/><xsl:param name='p'/>" body "</xsl:stylesheet>"

static const struct {
	const char *what, *sheet, *result; /* result NULL: refused */
} sheets[] = {
	{ "parameter", SHEET("<xsl:template match='/'><xsl:value-of select='concat($p, a/@k)'/></xsl:template>"),
		"it's \"1" },
	{ "import", SHEET("<xsl:include href='part.xsl'/>"), "part" },
	{ "import outside", SHEET("<xsl:include href='../part.xsl'/>"), NULL },
	{ "import host", SHEET("<xsl:include href='http://localhost/part.xsl'/>"), NULL },
	{ "document", SHEET("<xsl:template match='/'><xsl:value-of select='document(\"part.xsl\")'/></xsl:template>"),
		NULL },
	{ "write", "<xsl:stylesheet version='1.1' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>"
		   "<xsl:template match='/'><xsl:document href='out'/></xsl:template></xsl:stylesheet>", NULL },
	{ "stop", SHEET("<xsl:template match='/'><xsl:message terminate='yes'>no more</xsl:message></xsl:template>"),
		NULL },
	{ "endless", SHEET("<xsl:template match='/'><xsl:apply-templates select='/'/></xsl:template>"), NULL },
	{ "not a sheet", "<a/>", NULL },
	{ "bad expression", SHEET("<xsl:template match='/'><xsl:value-of select='a['/></xsl:template>"), NULL },
};

Test(xml, transforms)
{
	static const char *const params[] = { "p", "it's \"", NULL };
	g_autofree char *dir = g_dir_make_tmp("xml-XXXXXX", NULL);
	g_autofree char *sub = g_build_filename(dir, "in", NULL);
	g_autofree char *path = g_build_filename(sub, "s.xsl", NULL);
	ib_auto_xml doc = parse("<a k='1'/>");
	ib_auto_error err = NULL;

	g_mkdir(sub, 0700);
	save(sub, "part.xsl", SHEET("<xsl:template match='/'>part</xsl:template>"));
	save(dir, "part.xsl", SHEET("<xsl:template match='/'>part</xsl:template>"));
	for (size_t i = 0; i < G_N_ELEMENTS(sheets); i++) {
		g_autoptr(GBytes) out = NULL;
		save(sub, "s.xsl", sheets[i].sheet);
		bool ok = ib_xml_transform(doc, NULL, path, params, &out, &err);
		cr_assert_eq(ok, sheets[i].result != NULL, "%s: %s", sheets[i].what, err ? ib_error_cause(err) : "");
		if (ok) {
			g_autofree char *text = g_strndup(g_bytes_get_data(out, NULL), g_bytes_get_size(out));
			cr_expect_str_eq(text, sheets[i].result, "%s", sheets[i].what);
		} else {
			cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
			cr_expect_null(strstr(ib_error_cause(err), "no reason"), "%s: %s", sheets[i].what,
					ib_error_cause(err));
		}
		ib_error_clear(&err);
	}
	/* the document stays as it is, also when the sheet strips white space */
	static const char *const strip = SHEET("<xsl:strip-space elements='*'/><xsl:template match='/'>"
					       "<xsl:value-of select='count(//text())'/></xsl:template>");
	ib_auto_xml spaced = parse("<a> <b/> </a>");
	g_autoptr(GBytes) stripping = g_bytes_new_static(strip, strlen(strip)), count = NULL;
	cr_expect(ib_xml_transform(spaced, stripping, "strip.xsl", NULL, &count, &err));
	cr_expect(g_bytes_get_size(count) == 1 && memcmp(g_bytes_get_data(count, NULL), "0", 1) == 0);
	g_autofree char *after = written(spaced, 0);
	cr_expect_str_eq(after, "<a> <b/> </a>");
	g_autoptr(GBytes) bytes = g_bytes_new_static(sheets[1].sheet, strlen(sheets[1].sheet));
	g_autoptr(GBytes) none = NULL;
	cr_expect_not(ib_xml_transform(doc, bytes, path, NULL, &none, &err), "a sheet given as bytes reached a file");
	ib_error_clear(&err);
	cr_expect(ib_dir_remove(dir, &err));
}
