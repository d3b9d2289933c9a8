#include "xml/internal.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlIO.h>

/* Most bytes of an imported schema or stylesheet. */
#define IMPORT_MAX (16u << 20)

static __thread const char *reach_folder;

void ib_xml_reach(const char *folder)
{
	reach_folder = folder;
}

/* The canonical path of a file inside the reachable folder, or NULL. */
static char *reachable(const char *url)
{
	if (!reach_folder || !url)
		return NULL;
	if (g_str_has_prefix(url, "file://"))
		url += strlen("file://");
	g_autofree char *plain = g_uri_unescape_string(url, NULL);
	char *real = realpath(url, NULL);
	if (!real && plain)
		real = realpath(plain, NULL);
	size_t n = strlen(reach_folder);
	if (real && strncmp(real, reach_folder, n) == 0 && (real[n] == '/' || reach_folder[n - 1] == '/'))
		return real;
	free(real);
	return NULL;
}

/* Every file libxml2 or libxslt wants to open by itself comes through here. */
static xmlParserInputPtr load_entity(const char *url, const char *id, xmlParserCtxtPtr ctxt)
{
	struct ib_error *err = NULL;
	g_autoptr(GBytes) bytes = NULL;
	char *path = reachable(url);

	if (!path)
		return NULL;
	bool ok = ib_file_read(path, IMPORT_MAX, &bytes, &err);
	free(path);
	if (!ok) {
		ib_error_clear(&err);
		return NULL;
	}
	xmlParserInputBufferPtr buffer = xmlParserInputBufferCreateMem(
		g_bytes_get_data(bytes, NULL), (int)g_bytes_get_size(bytes), XML_CHAR_ENCODING_NONE);
	xmlParserInputPtr input = buffer ? xmlNewIOInputStream(ctxt, buffer, XML_CHAR_ENCODING_NONE) : NULL;
	if (input)
		input->filename = (const char *)xmlStrdup((const xmlChar *)url);
	return input;
}

void ib_xml_setup(void)
{
	static gsize done;

	if (g_once_init_enter(&done)) {
		xmlInitParser();
		xmlSetExternalEntityLoader(load_entity);
		g_once_init_leave(&done, 1);
	}
}

char *ib_xml_message(const xmlError *e)
{
	g_autofree char *text = g_utf8_make_valid(e->message ? e->message : "unknown error", -1);

	g_strchomp(text);
	if (g_str_has_suffix(text, "."))
		text[strlen(text) - 1] = '\0';
	g_strdelimit(text, "\n", ' ');
	return e->line > 0 ? g_strdup_printf("line %d: %s", e->line, text) : g_steal_pointer(&text);
}

/* What the parser's callbacks report to; found through the context's _private. */
struct parse_state {
	char *first_error; /* the first is the cause, later ones follow from it */
	int doctype_line;
};

/* Errors of converting text have no parser context: they reach this thread's handler, else stderr. */
static void on_stray_error(void *user, xmlErrorPtr e)
{
	struct parse_state *state = user;

	if (!state->first_error && e->level >= XML_ERR_ERROR)
		state->first_error = ib_xml_message(e);
}

static void on_error(void *user, xmlErrorPtr e)
{
	on_stray_error(((xmlParserCtxtPtr)user)->_private, e);
}

static void on_doctype(void *user, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	xmlParserCtxtPtr ctxt = user;
	struct parse_state *state = ctxt->_private;

	state->doctype_line = ctxt->input ? ctxt->input->line : 1;
	xmlStopParser(ctxt);
}

static xmlDocPtr run_parser(xmlParserCtxtPtr ctxt, const uint8_t *data, size_t len, const char *base)
{
	/* Without mark and declaration libxml2 would take UTF-16 for UTF-8 and stop at the first NUL. */
	const char *encoding = len >= 4 && data[0] == '<' && data[1] == 0 && data[3] == 0 ? "UTF-16LE" : NULL;
	/*
	 * NOENT with the DOCTYPE refused replaces only XML's own entities: each value is one text
	 * node. BIG_LINES: line numbers above 65535.
	 */
	const int options = XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_BIG_LINES;

	ctxt->sax->serror = on_error;
	ctxt->sax->internalSubset = on_doctype;
	return xmlCtxtReadMemory(ctxt, (const char *)data, (int)len, base, encoding, options);
}

/* The element after one in document order, or NULL. */
static xmlNodePtr next_element(xmlNodePtr n)
{
	xmlNodePtr next = xmlFirstElementChild(n);

	for (; !next && n && n->type == XML_ELEMENT_NODE; n = n->parent)
		next = xmlNextElementSibling(n);
	return next;
}

/* libxml2 writes namespace names without escaping them: one that needs it could not be read back. */
static const xmlNs *unwritable_namespace(xmlDocPtr doc)
{
	for (xmlNodePtr n = xmlDocGetRootElement(doc); n; n = next_element(n))
		for (const xmlNs *ns = n->nsDef; ns; ns = ns->next)
			if (ns->href && strpbrk((const char *)ns->href, "<&\"\t\n\r"))
				return ns;
	return NULL;
}

bool ib_xml_parse_at(const void *data, size_t len, const char *name, const char *base, struct ib_xml **ret,
		     struct ib_error **err)
{
	struct parse_state state = { 0 };

	if (len > IB_XML_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, an XML file may have %u", name, len,
				IB_XML_MAX);
	if (len == 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is empty, not an XML file", name);
	ib_xml_setup();
	xmlParserCtxtPtr ctxt = xmlNewParserCtxt();
	if (!ctxt)
		return ib_throw_memory(err);
	ctxt->_private = &state;
	xmlSetStructuredErrorFunc(&state, on_stray_error);
	xmlDocPtr doc = run_parser(ctxt, data, len, base);
	xmlSetStructuredErrorFunc(NULL, NULL);
	bool well_formed = ctxt->wellFormed;
	if (!well_formed || state.doctype_line)
		g_clear_pointer(&doc, xmlFreeDoc);
	xmlFreeParserCtxt(ctxt);
	g_autofree char *cause = state.first_error;
	if (state.doctype_line)
		return ib_throw(err, IB_ERR_INPUT, "'%s' line %d: has a DOCTYPE, which is refused", name,
				state.doctype_line);
	if (!doc || !xmlDocGetRootElement(doc)) {
		g_clear_pointer(&doc, xmlFreeDoc);
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not well-formed XML: %s", name,
				cause ? cause : "it has no element");
	}
	const xmlNs *ns = unwritable_namespace(doc);
	if (ns) {
		ib_throw(err, IB_ERR_INPUT, "'%s' has a namespace that is no URI, '%s'", name, (const char *)ns->href);
		xmlFreeDoc(doc);
		return false;
	}
	*ret = g_new0(struct ib_xml, 1);
	(*ret)->doc = doc;
	(*ret)->name = g_strdup(name);
	return true;
}

bool ib_xml_parse(const void *data, size_t len, const char *name, struct ib_xml **ret, struct ib_error **err)
{
	return ib_xml_parse_at(data, len, name, NULL, ret, err);
}

void ib_xml_free(struct ib_xml *doc)
{
	if (!doc)
		return;
	if (doc->doc)
		xmlFreeDoc(doc->doc);
	g_free(doc->name);
	g_free(doc);
}

void ib_xml_clear(struct ib_xml **doc)
{
	ib_xml_free(*doc);
	*doc = NULL;
}
