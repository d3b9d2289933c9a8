/* libxml2's own tree of a document, held against ours: built from events, it must be the same. */
#ifndef IB_TESTS_XML_DOM_H
#define IB_TESTS_XML_DOM_H

#include "xml/xml.h"

#include <string.h>

#include <libxml/parser.h>
#include <libxml/xmlsave.h>

static inline const char *dom_local(const xmlChar *name)
{
	const char *colon = strchr((const char *)name, ':');

	return colon ? colon + 1 : (const char *)name;
}

static inline const char *dom_attrs_differ(const struct ib_xml_node *node, const xmlNode *dom)
{
	const char *name, *value;
	size_t i = 0;

	for (const xmlAttr *a = dom->properties; a; a = a->next, i++) {
		const char *want = a->children && a->children->content ? (const char *)a->children->content : "";
		if (!ib_xml_attrs(node, i, &name, &value) || strcmp(name, dom_local(a->name)) != 0 ||
		    strcmp(value, want) != 0)
			return "an attribute";
	}
	return ib_xml_attrs(node, i, &name, &value) ? "the number of attributes" : NULL;
}

/* What differs, or NULL. */
static inline const char *dom_node_differs(const struct ib_xml_node *node, xmlNodePtr dom)
{
	xmlChar *content = xmlNodeGetContent(dom);
	g_autofree char *text = ib_xml_text(node);
	bool same = strcmp(text, (const char *)content) == 0;

	xmlFree(content);
	if (!same)
		return "text";
	if (strcmp(ib_xml_name(node), dom_local(dom->name)) != 0)
		return "a name";
	if (g_strcmp0(ib_xml_ns(node), dom->ns ? (const char *)dom->ns->href : NULL) != 0)
		return "a namespace";
	if (ib_xml_line(node) != (unsigned)xmlGetLineNo(dom))
		return "a line";
	const char *what = dom_attrs_differ(node, dom);
	const struct ib_xml_node *child = ib_xml_first(node, NULL);
	for (xmlNodePtr d = xmlFirstElementChild(dom); d && !what; d = xmlNextElementSibling(d)) {
		if (!child || ib_xml_parent(child) != node)
			return "a child";
		what = dom_node_differs(child, d);
		child = ib_xml_next(child, NULL);
	}
	return what || !child ? what : "the number of children";
}

static inline bool dom_writes_same(const struct ib_xml *doc, xmlDocPtr dom, bool indent)
{
	g_autoptr(GBytes) ours = ib_xml_write(doc, indent ? IB_XML_INDENT : 0);
	xmlBufferPtr buffer = xmlBufferCreate();
	xmlSaveCtxtPtr save =
		xmlSaveToBuffer(buffer, "UTF-8", XML_SAVE_NO_DECL | XML_SAVE_AS_XML | (indent ? XML_SAVE_FORMAT : 0));
	gsize len;
	const void *bytes = g_bytes_get_data(ours, &len);

	xmlSaveDoc(save, dom);
	xmlSaveClose(save);
	size_t want = (size_t)xmlBufferLength(buffer);
	if (!indent && want > 0 && xmlBufferContent(buffer)[want - 1] == '\n')
		want--;
	bool same = len == want && memcmp(bytes, xmlBufferContent(buffer), len) == 0;
	xmlBufferFree(buffer);
	return same;
}

/* libxml2 itself; a document it has read with a DOCTYPE is none here. owned by the caller (xmlFreeDoc) */
static inline xmlDocPtr dom_parse(const uint8_t *data, size_t len)
{
	const char *encoding = len >= 4 && data[0] == '<' && data[1] == 0 && data[3] == 0 ? "UTF-16LE" : NULL;
	xmlDocPtr dom = xmlReadMemory((const char *)data, (int)len, NULL, encoding,
				      XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_BIG_LINES | XML_PARSE_NOERROR |
					      XML_PARSE_NOWARNING);

	if (dom && (dom->intSubset || !xmlDocGetRootElement(dom)))
		g_clear_pointer(&dom, xmlFreeDoc);
	return dom;
}

/*
 * What ib_xml_parse() gave for these bytes (NULL: refused), against libxml2's tree: what differs, or NULL. A namespace
 * that could not be written is ours alone to refuse.
 */
static inline const char *dom_differs(const struct ib_xml *doc, const char *cause, const uint8_t *data, size_t len)
{
	if (!doc && (strstr(cause, "DOCTYPE") || strstr(cause, "no URI")))
		return NULL;
	xmlDocPtr dom = dom_parse(data, len);
	const char *what = !doc == !dom ? NULL : doc ? "libxml2 refuses it" : "libxml2 accepts it";
	if (doc && dom) {
		what = dom_node_differs(ib_xml_root(doc), xmlDocGetRootElement(dom));
		if (!what && (!dom_writes_same(doc, dom, false) || !dom_writes_same(doc, dom, true)))
			what = "what is written";
	}
	if (dom)
		xmlFreeDoc(dom);
	return what;
}

#endif
