/* The document as libxml2's own tree: it writes, checks and transforms. */
#include "xml/internal.h"

#include <string.h>

#include <libxml/xmlsave.h>

static const xmlChar *chars(const char *text)
{
	return (const xmlChar *)text;
}

/* libxml2's lines have 16 bits; texts may carry more, and it looks there. */
static void set_line(xmlNodePtr to, const struct item *from)
{
	to->line = (unsigned short)MIN(from->line, USHRT_MAX);
	if (from->line >= USHRT_MAX && from->kind == KIND_TEXT)
		to->psvi = GUINT_TO_POINTER(from->line);
}

/* The declaration that is in scope, which there is for every namespace. */
static xmlNsPtr dom_space(xmlNodePtr to, const struct space *space)
{
	if (!space)
		return NULL;
	xmlNsPtr ns = xmlSearchNs(to->doc, to, chars(space->prefix));
	if (ns && xmlStrEqual(ns->href, chars(space->uri)))
		return ns;
	return xmlNewNs(to, chars(space->uri), chars(space->prefix));
}

static xmlNodePtr dom_text(xmlDocPtr doc, const struct text *from)
{
	switch (from->item.kind) {
	case KIND_CDATA:
		return xmlNewCDataBlock(doc, chars(from->text), (int)strlen(from->text));
	case KIND_COMMENT:
		return xmlNewDocComment(doc, chars(from->text));
	case KIND_PI:
		return xmlNewDocPI(doc, chars(from->target), chars(from->text));
	default:
		return xmlNewDocText(doc, chars(from->text));
	}
}

static void dom_children(xmlDocPtr doc, xmlNodePtr parent, const struct ib_xml_node *from);

static void dom_element(xmlDocPtr doc, xmlNodePtr to, const struct ib_xml_node *from)
{
	for (const struct space *s = from->declared; s; s = s->next)
		xmlNewNs(to, chars(s->uri), chars(s->prefix));
	xmlSetNs(to, dom_space(to, from->space));
	for (const struct attr *a = from->attrs; a; a = a->next)
		xmlNewNsProp(to, dom_space(to, a->space), chars(a->name - a->skip), chars(a->value));
	dom_children(doc, to, from);
}

/*
 * Links are set by hand: xmlAddChild() joins neighbouring texts, and takes the document's place in a
 * sibling list for something to search.
 */
static void dom_children(xmlDocPtr doc, xmlNodePtr parent, const struct ib_xml_node *from)
{
	for (const struct item *i = from->first; i; i = i->next) {
		const struct ib_xml_node *element = i->kind == KIND_ELEMENT ? (const struct ib_xml_node *)i : NULL;
		xmlNodePtr to = element ? xmlNewDocNode(doc, NULL, chars(raw_name(element)), NULL) :
					  dom_text(doc, (const struct text *)i);
		to->parent = parent;
		to->prev = parent->last;
		*(parent->last ? &parent->last->next : &parent->children) = to;
		parent->last = to;
		set_line(to, i);
		if (element)
			dom_element(doc, to, element);
	}
}

xmlDocPtr ib_xml_dom(const struct ib_xml *doc, const char *base)
{
	xmlDocPtr dom = xmlNewDoc(chars("1.0"));

	dom->URL = base ? xmlStrdup(chars(base)) : NULL;
	dom_children(dom, (xmlNodePtr)dom, &doc->top);
	return dom;
}

GBytes *ib_xml_write(const struct ib_xml *doc, enum ib_xml_write flags)
{
	const char *encoding = flags & IB_XML_UTF16 ? "utf-16" : "utf-8";
	GString *s = g_string_new(NULL);
	xmlBufferPtr buffer = xmlBufferCreate();
	xmlSaveCtxtPtr save = xmlSaveToBuffer(
		buffer, "UTF-8", XML_SAVE_NO_DECL | XML_SAVE_AS_XML | (flags & IB_XML_INDENT ? XML_SAVE_FORMAT : 0));
	xmlDocPtr dom = ib_xml_dom(doc, NULL);

	if (flags & IB_XML_DECLARATION)
		g_string_append_printf(s, "<?xml version=\"1.0\" encoding=\"%s\"?>%s", encoding,
				       flags & IB_XML_INDENT ? "\n" : "");
	xmlSaveDoc(save, dom);
	xmlSaveClose(save);
	xmlFreeDoc(dom);
	g_string_append_len(s, (const char *)xmlBufferContent(buffer), xmlBufferLength(buffer));
	xmlBufferFree(buffer);
	if (!(flags & IB_XML_INDENT) && s->len > 0 && s->str[s->len - 1] == '\n')
		g_string_truncate(s, s->len - 1);
	if (!(flags & IB_XML_UTF16))
		return g_string_free_to_bytes(s);
	g_string_prepend(s, "\xef\xbb\xbf");
	size_t len = 0;
	uint8_t *wide = ib_utf8_to_utf16(s->str, &len);
	g_string_free(s, TRUE);
	return g_bytes_new_take(wide, len);
}
