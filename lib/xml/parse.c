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

/* ---- from libxml2's events to our tree ---- */

/* Names a document's own copy is remembered of. */
#define NAMES 128u

/* What the parser's callbacks work on; found through the context's _private. */
struct builder {
	struct ib_xml *doc;
	struct ib_xml_node *open;   /* where things go now */
	GString *text;              /* characters that came for it so far, */
	enum kind text_kind;        /* KIND_TEXT, KIND_CDATA, or neither: none came */
	uint32_t text_line;
	const char *bad_namespace;  /* the first one */
	const xmlChar *prefix, *uri; /* libxml2's, of: */
	const struct space *space;   /* the latest namespace used */
	struct {
		const xmlChar *from; /* libxml2's, one for each name */
		const char *to;
	} names[NAMES];
	char *first_error; /* the first is the cause, later ones follow from it */
	int doctype_line;
};

static struct builder *builder_of(void *user)
{
	return ((xmlParserCtxtPtr)user)->_private;
}

static uint32_t line_of(void *user)
{
	xmlParserInputPtr input = ((xmlParserCtxtPtr)user)->input;

	return input && input->line > 0 ? (uint32_t)input->line : 0;
}

/* A document has few names, often: what is forgotten is copied again, which takes no more than it does in the text. */
static const char *name_of(struct builder *b, const xmlChar *name)
{
	if (!name)
		return NULL;
	size_t slot = (size_t)((uint64_t)(uintptr_t)name * UINT64_C(0x9e3779b97f4a7c15) >> 57) % NAMES;
	if (b->names[slot].from != name) {
		b->names[slot].from = name;
		b->names[slot].to = xml_copy(b->doc, (const char *)name, strlen((const char *)name));
	}
	return b->names[slot].to;
}

/* The same for a name whose prefix may stand for nothing: then it is part of the name. */
static const char *full_name(struct builder *b, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	if (!prefix || uri)
		return name_of(b, name);
	g_autofree char *full = g_strdup_printf("%s:%s", (const char *)prefix, (const char *)name);
	return xml_copy(b->doc, full, strlen(full));
}

static const struct space *space_of(struct builder *b, const struct ib_xml_node *node, const xmlChar *prefix,
				    const xmlChar *uri)
{
	if (!uri)
		return NULL;
	if (!b->space || b->prefix != prefix || b->uri != uri) {
		b->space = xml_scope(node, (const char *)prefix, NULL);
		b->prefix = prefix;
		b->uri = uri;
	}
	return b->space;
}

static void end_text(struct builder *b)
{
	if (b->text_kind != KIND_TEXT && b->text_kind != KIND_CDATA)
		return;
	struct text *text = xml_text(b->doc, b->open, b->text_kind);
	text->text = xml_copy(b->doc, b->text->str, b->text->len);
	text->item.line = b->text_line;
	b->text_kind = KIND_DOCUMENT;
	g_string_truncate(b->text, 0);
}

/* One text comes in pieces, and neighbours of one kind are one. */
static void add_text(void *user, const xmlChar *text, int len, enum kind kind)
{
	struct builder *b = builder_of(user);

	if (b->text_kind != kind) {
		end_text(b);
		b->text_kind = kind;
		b->text_line = line_of(user);
	}
	g_string_append_len(b->text, (const char *)text, len);
}

static void on_characters(void *user, const xmlChar *text, int len)
{
	add_text(user, text, len, KIND_TEXT);
}

static void on_cdata(void *user, const xmlChar *text, int len)
{
	add_text(user, text, len, KIND_CDATA);
}

static void add_other(void *user, enum kind kind, const xmlChar *target, const xmlChar *text)
{
	struct builder *b = builder_of(user);

	end_text(b);
	struct text *t = xml_text(b->doc, b->open, kind);
	t->item.line = line_of(user);
	t->text = text ? xml_copy(b->doc, (const char *)text, strlen((const char *)text)) : NULL;
	if (kind == KIND_PI)
		t->target = name_of(b, target);
}

static void on_comment(void *user, const xmlChar *text)
{
	add_other(user, KIND_COMMENT, NULL, text);
}

static void on_pi(void *user, const xmlChar *target, const xmlChar *text)
{
	add_other(user, KIND_PI, target, text);
}

/* libxml2 gives a prefix and a URI each; it writes URIs without escaping them: one that needs it could not be read back. */
static void add_namespaces(struct builder *b, struct ib_xml_node *node, int n, const xmlChar **spaces)
{
	for (int i = 0; i < n; i++, spaces += 2) {
		const char *uri = spaces[1] ? name_of(b, spaces[1]) : "";
		xml_declare(b->doc, node, name_of(b, spaces[0]), uri);
		if (!b->bad_namespace && strpbrk(uri, "<&\"\t\n\r"))
			b->bad_namespace = uri;
	}
}

/* libxml2 gives five pointers for each: name, prefix, URI, start and end of the value. */
static void add_attributes(struct builder *b, struct ib_xml_node *node, int n, const xmlChar **given)
{
	struct attr *attrs = n > 0 ? xml_alloc(b->doc, (size_t)n * sizeof(*attrs)) : NULL;

	node->attrs = attrs;
	for (int i = 0; i < n; i++, given += 5) {
		const char *raw = full_name(b, given[0], given[1], given[2]);
		size_t skip = name_skip(raw);
		attrs[i] = (struct attr){
			.next = i + 1 < n ? &attrs[i + 1] : NULL,
			.name = raw + skip,
			.skip = (uint32_t)skip,
			.space = space_of(b, node, given[1], given[2]),
			.value = xml_copy(b->doc, (const char *)given[3], (size_t)(given[4] - given[3])),
		};
	}
}

static void on_start(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_spaces,
		     const xmlChar **spaces, int n_attrs, int n_defaults, const xmlChar **attrs)
{
	struct builder *b = builder_of(user);

	end_text(b);
	struct ib_xml_node *node = xml_element(b->doc, b->open);
	xml_append(b->open, &node->item);
	const char *raw = full_name(b, name, prefix, uri);
	size_t skip = name_skip(raw); /* libxml2's longest name has 50,000 bytes */
	node->item.line = line_of(user);
	node->item.skip = (uint16_t)skip;
	node->name = raw + skip;
	add_namespaces(b, node, n_spaces, spaces);
	node->space = space_of(b, node, prefix, uri);
	add_attributes(b, node, n_attrs, attrs);
	if (!b->doc->root)
		b->doc->root = node;
	b->open = node;
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct builder *b = builder_of(user);

	end_text(b);
	b->open = b->open->parent;
}

/* ---- errors ---- */

/* Errors of converting text have no parser context: they reach this thread's handler, else stderr. */
static void on_stray_error(void *user, xmlErrorPtr e)
{
	struct builder *b = user;

	if (!b->first_error && e->level >= XML_ERR_ERROR)
		b->first_error = ib_xml_message(e);
}

static void on_error(void *user, xmlErrorPtr e)
{
	on_stray_error(builder_of(user), e);
}

static void on_doctype(void *user, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	builder_of(user)->doctype_line = MAX(1, (int)line_of(user));
	xmlStopParser(user);
}

/* ---- parsing ---- */

static const xmlSAXHandler events = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = on_doctype,
	.startElementNs = on_start,
	.endElementNs = on_end,
	.characters = on_characters,
	.ignorableWhitespace = on_characters,
	.cdataBlock = on_cdata,
	.comment = on_comment,
	.processingInstruction = on_pi,
	.serror = on_error,
};

/* @return whether the document is well-formed */
static bool run_parser(struct builder *b, const uint8_t *data, size_t len)
{
	/* Without mark and declaration libxml2 would take UTF-16 for UTF-8 and stop at the first NUL. */
	const char *encoding = len >= 4 && data[0] == '<' && data[1] == 0 && data[3] == 0 ? "UTF-16LE" : NULL;
	/* NOENT with the DOCTYPE refused replaces only XML's own entities: values come as they are meant. */
	const int options = XML_PARSE_NONET | XML_PARSE_NOENT;
	xmlParserCtxtPtr ctxt = xmlNewParserCtxt();

	if (!ctxt)
		return false;
	ctxt->_private = b;
	*ctxt->sax = events;
	xmlSetStructuredErrorFunc(b, on_stray_error);
	xmlCtxtReadMemory(ctxt, (const char *)data, (int)len, NULL, encoding, options);
	xmlSetStructuredErrorFunc(NULL, NULL);
	bool well_formed = ctxt->wellFormed;
	xmlFreeParserCtxt(ctxt);
	return well_formed;
}

/* What is wrong with what was parsed, if anything. */
static bool judge(const struct builder *b, bool well_formed, const char *name, struct ib_error **err)
{
	if (b->doctype_line)
		return ib_throw(err, IB_ERR_INPUT, "'%s' line %d: has a DOCTYPE, which is refused", name,
				b->doctype_line);
	if (!well_formed || !b->doc->root)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not well-formed XML: %s", name,
				b->first_error ? b->first_error : "it has no element");
	if (b->bad_namespace)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has a namespace that is no URI, '%s'", name,
				b->bad_namespace);
	return true;
}

bool ib_xml_parse(const void *data, size_t len, const char *name, struct ib_xml **ret, struct ib_error **err)
{
	struct builder b = { .text_kind = KIND_DOCUMENT };

	if (len > IB_XML_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, an XML file may have %u", name, len,
				IB_XML_MAX);
	if (len == 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is empty, not an XML file", name);
	ib_xml_setup();
	ib_auto_xml doc = xml_document(name, len);
	b.doc = doc;
	b.open = &doc->top;
	b.text = g_string_sized_new(256);
	bool well_formed = run_parser(&b, data, len);
	g_string_free(b.text, TRUE);
	g_autofree char *cause = b.first_error;
	if (!judge(&b, well_formed, name, err))
		return false;
	*ret = g_steal_pointer(&doc);
	return true;
}
