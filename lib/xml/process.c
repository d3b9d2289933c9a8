#include "xml/internal.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/xmlschemas.h>
#include <libxslt/security.h>
#include <libxslt/transform.h>
#include <libxslt/variables.h>
#include <libxslt/xsltInternals.h>
#include <libxslt/xsltutils.h>

/* How many messages an error carries; the rest is counted. */
#define SHOWN_MAX 10
/* Most bytes of libxslt's messages kept. */
#define TEXT_MAX 2048
/* Nested templates: real sheets stay below 50, each level costs stack. */
#define TEMPLATE_DEPTH 500
/* XPath operations and template calls: minutes of work, then a sheet is taken to be endless. */
#define OPERATIONS_MAX 100000000ul
/* Most bytes of a schema or stylesheet. */
#define SHEET_MAX (16u << 20)

/* Messages of libxml2, in order. */
struct messages {
	GString *text;
	unsigned count;
};

static void collect(void *user, xmlErrorPtr e)
{
	struct messages *m = user;

	if (e->level < XML_ERR_ERROR || m->count++ >= SHOWN_MAX)
		return;
	g_autofree char *line = ib_xml_message(e);
	g_string_append_printf(m->text, "%s%s", m->text->len ? "; " : "", line);
}

static bool throw_messages(struct ib_error **err, struct messages *m, const char *what)
{
	if (m->count > SHOWN_MAX)
		g_string_append_printf(m->text, "; and %u more", m->count - SHOWN_MAX);
	return ib_throw(err, IB_ERR_INPUT, "%s: %s", what, m->text->len ? m->text->str : "libxml2 gave no reason");
}

/* The folder a file lies in, canonical; free(), NULL when there is none. */
static char *folder_of(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);

	return realpath(dir, NULL);
}

/* ---- schema ---- */

static xmlSchemaPtr load_schema(const char *path, struct messages *m)
{
	char *folder = folder_of(path);
	xmlSchemaParserCtxtPtr ctxt = xmlSchemaNewParserCtxt(path);
	xmlSchemaPtr schema = NULL;

	if (ctxt) {
		ib_xml_reach(folder);
		xmlSchemaSetParserStructuredErrors(ctxt, collect, m);
		schema = xmlSchemaParse(ctxt);
		xmlSchemaFreeParserCtxt(ctxt);
		ib_xml_reach(NULL);
	}
	free(folder);
	return schema;
}

static bool validate(const struct ib_xml *doc, const char *xsd_path, struct messages *m, struct ib_error **err)
{
	xmlSchemaPtr schema = load_schema(xsd_path, m);
	if (!schema) {
		g_autofree char *what = g_strdup_printf("'%s' is not a usable XML schema", xsd_path);
		return throw_messages(err, m, what);
	}
	xmlSchemaValidCtxtPtr ctxt = xmlSchemaNewValidCtxt(schema);
	xmlSchemaSetValidStructuredErrors(ctxt, collect, m);
	xmlDocPtr dom = ib_xml_dom(doc, NULL);
	int rc = xmlSchemaValidateDoc(ctxt, dom);
	xmlSchemaFreeValidCtxt(ctxt);
	xmlFreeDoc(dom);
	xmlSchemaFree(schema);
	if (rc == 0)
		return true;
	g_autofree char *what = g_strdup_printf("'%s' does not follow '%s'", doc->name, xsd_path);
	return throw_messages(err, m, what);
}

bool ib_xml_validate(const struct ib_xml *doc, const char *xsd_path, struct ib_error **err)
{
	struct messages m = { 0 };

	if (!g_file_test(xsd_path, G_FILE_TEST_IS_REGULAR))
		return ib_throw(err, IB_ERR_INPUT, "there is no XML schema '%s'", xsd_path);
	ib_xml_setup();
	m.text = g_string_new(NULL);
	/* Errors libxml2 raises outside a context land in this thread's handler. */
	xmlSetStructuredErrorFunc(&m, collect);
	bool ok = validate(doc, xsd_path, &m, err);
	xmlSetStructuredErrorFunc(NULL, NULL);
	g_string_free(m.text, TRUE);
	return ok;
}

/* ---- stylesheet ---- */

/*
 * libxslt reports through printf-like callbacks, a message in several pieces. While compiling it
 * knows only one handler for the process, with no user data: hence the thread-local.
 */
static __thread struct messages *listening;

IB_PRINTF(2, 3) static void collect_text(void *user, const char *fmt, ...)
{
	struct messages *m = listening;
	va_list ap;

	if (!m)
		return;
	va_start(ap, fmt);
	if (m->text->len < TEXT_MAX)
		g_string_append_vprintf(m->text, fmt, ap);
	va_end(ap);
}

static void tidy(struct messages *m)
{
	g_autofree char *valid = g_utf8_make_valid(m->text->str, -1);

	g_strdelimit(g_strstrip(valid), "\n", ' ');
	g_string_assign(m->text, valid);
}

/* Nothing but the document given: no document(), no files, no network. */
static bool lock_down(xsltSecurityPrefsPtr prefs, xsltTransformContextPtr ctxt)
{
	static const xsltSecurityOption all[] = {
		XSLT_SECPREF_READ_FILE,    XSLT_SECPREF_WRITE_FILE,    XSLT_SECPREF_CREATE_DIRECTORY,
		XSLT_SECPREF_READ_NETWORK, XSLT_SECPREF_WRITE_NETWORK,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		if (xsltSetSecurityPrefs(prefs, all[i], xsltSecurityForbid) != 0)
			return false;
	return xsltSetCtxtSecurityPrefs(prefs, ctxt) == 0;
}

/* The result in the encoding the sheet asks for, or NULL with messages. */
static GBytes *apply(xsltStylesheetPtr style, const struct ib_xml *doc, const char *const *params)
{
	xmlDocPtr source = ib_xml_dom(doc, NULL);
	xsltTransformContextPtr ctxt = xsltNewTransformContext(style, source);
	xsltSecurityPrefsPtr prefs = xsltNewSecurityPrefs();
	GBytes *bytes = NULL;
	xmlDocPtr result = NULL;
	xmlChar *out = NULL;
	int len = 0;

	xsltSetTransformErrorFunc(ctxt, NULL, collect_text);
	ctxt->maxTemplateDepth = TEMPLATE_DEPTH;
	ctxt->opLimit = OPERATIONS_MAX;
	ctxt->xpathCtxt->opLimit = OPERATIONS_MAX;
	if (lock_down(prefs, ctxt) && (!params || xsltQuoteUserParams(ctxt, (const char **)params) == 0))
		result = xsltApplyStylesheetUser(style, source, NULL, NULL, NULL, ctxt);
	/* xsl:message terminate="yes" stops the work but still gives a result. */
	if (result && ctxt->state == XSLT_STATE_OK && xsltSaveResultToString(&out, &len, result, style) == 0)
		bytes = g_bytes_new(out ? (const char *)out : "", (gsize)(out ? len : 0));
	xmlFree(out);
	if (result)
		xmlFreeDoc(result);
	xsltFreeTransformContext(ctxt);
	xsltFreeSecurityPrefs(prefs);
	xmlFreeDoc(source);
	return bytes;
}

/* base: what the sheet's imports are relative to, or NULL */
static xsltStylesheetPtr compile(const struct ib_xml *sheet, const char *base)
{
	static gsize quiet;

	if (g_once_init_enter(&quiet)) {
		xsltSetGenericErrorFunc(NULL, collect_text);
		g_once_init_leave(&quiet, 1);
	}
	xmlDocPtr dom = ib_xml_dom(sheet, base);
	xsltStylesheetPtr style = xsltParseStylesheetDoc(dom);
	if (!style)
		xmlFreeDoc(dom); /* else taken */
	return style;
}

static bool transform(const struct ib_xml *doc, const struct ib_xml *sheet, const char *base,
		      const char *const *params, GBytes **ret, struct ib_error **err)
{
	struct messages m = { .text = g_string_new(NULL) };
	g_autofree char *what = g_strdup_printf("'%s' is not a usable stylesheet", sheet->name);
	bool ok = false;

	listening = &m;
	xmlSetStructuredErrorFunc(&m, collect);
	xsltStylesheetPtr style = compile(sheet, base);
	if (style) {
		g_free(what);
		what = g_strdup_printf("transforming '%s' with '%s' failed", doc->name, sheet->name);
		*ret = apply(style, doc, params);
		ok = *ret != NULL;
		xsltFreeStylesheet(style);
	}
	xmlSetStructuredErrorFunc(NULL, NULL);
	listening = NULL;
	tidy(&m);
	if (!ok)
		throw_messages(err, &m, what);
	g_string_free(m.text, TRUE);
	return ok;
}

bool ib_xml_transform(const struct ib_xml *doc, GBytes *sheet, const char *path, const char *const *params,
		      GBytes **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = sheet ? g_bytes_ref(sheet) : NULL;
	ib_auto_xml parsed = NULL;
	GBytes *result = NULL;
	gsize len;

	if (!bytes && !ib_file_read(path, SHEET_MAX, &bytes, err))
		return ib_while(err, "reading stylesheet '%s'", path);
	const void *data = g_bytes_get_data(bytes, &len);
	if (!ib_xml_parse(data, len, path, &parsed, err))
		return ib_while(err, "reading stylesheet '%s'", path);
	char *folder = sheet ? NULL : folder_of(path);
	ib_xml_reach(folder);
	bool ok = transform(doc, parsed, sheet ? NULL : path, params, &result, err);
	ib_xml_reach(NULL);
	free(folder);
	if (ok)
		*ret = result;
	return ok;
}
