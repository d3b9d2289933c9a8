#include "xml/internal.h"

#include <string.h>

#include <libxml/xmlsave.h>

/* Most names in a path of ib_xml_find(); bounds its recursion. */
#define PATH_MAX_NAMES 16

static inline xmlNodePtr real(const struct ib_xml_node *node)
{
	return (xmlNodePtr)node;
}

static inline struct ib_xml_node *face(xmlNodePtr node)
{
	return (struct ib_xml_node *)node;
}

/* A name whose prefix was not declared yet still carries it. */
static const char *local_part(const xmlChar *name)
{
	const char *colon = strchr((const char *)name, ':');

	return colon ? colon + 1 : (const char *)name;
}

struct ib_xml_node *ib_xml_root(const struct ib_xml *doc)
{
	return face(xmlDocGetRootElement(doc->doc));
}

const char *ib_xml_name(const struct ib_xml_node *node)
{
	return local_part(real(node)->name);
}

const char *ib_xml_ns(const struct ib_xml_node *node)
{
	return real(node)->ns ? (const char *)real(node)->ns->href : NULL;
}

static const char *value_of(const xmlAttr *attr)
{
	/* One text node: there are no entities (parse.c), and xmlSetProp() makes one too. */
	return attr->children && attr->children->content ? (const char *)attr->children->content : "";
}

const char *ib_xml_attr(const struct ib_xml_node *node, const char *name)
{
	const xmlAttr *prefixed = NULL;

	for (const xmlAttr *a = node ? real(node)->properties : NULL; a; a = a->next) {
		if (strcmp(local_part(a->name), name) != 0)
			continue;
		if (!a->ns)
			return value_of(a);
		if (!prefixed)
			prefixed = a;
	}
	return prefixed ? value_of(prefixed) : NULL;
}

bool ib_xml_attrs(const struct ib_xml_node *node, size_t index, const char **ret_name, const char **ret_value)
{
	const xmlAttr *a = node ? real(node)->properties : NULL;

	while (a && index-- > 0)
		a = a->next;
	if (!a)
		return false;
	*ret_name = local_part(a->name);
	*ret_value = value_of(a);
	return true;
}

char *ib_xml_text(const struct ib_xml_node *node)
{
	if (!node)
		return NULL;
	xmlChar *text = xmlNodeGetContent(real(node));
	char *copy = g_strdup(text ? (const char *)text : "");
	xmlFree(text);
	return copy;
}

unsigned ib_xml_line(const struct ib_xml_node *node)
{
	long line = xmlGetLineNo(real(node));

	return line > 0 ? (unsigned)line : 0;
}

static struct ib_xml_node *element_from(xmlNodePtr n, const char *name)
{
	for (; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && (!name || strcmp(local_part(n->name), name) == 0))
			return face(n);
	return NULL;
}

struct ib_xml_node *ib_xml_first(const struct ib_xml_node *node, const char *name)
{
	return node ? element_from(real(node)->children, name) : NULL;
}

struct ib_xml_node *ib_xml_next(const struct ib_xml_node *node, const char *name)
{
	return node ? element_from(real(node)->next, name) : NULL;
}

struct ib_xml_node *ib_xml_parent(const struct ib_xml_node *node)
{
	xmlNodePtr up = node ? real(node)->parent : NULL;

	return up && up->type == XML_ELEMENT_NODE ? face(up) : NULL;
}

static struct ib_xml_node *find(const struct ib_xml_node *node, char **names)
{
	if (!names[0])
		return face(real(node));
	for (struct ib_xml_node *n = ib_xml_first(node, names[0]); n; n = ib_xml_next(n, names[0])) {
		struct ib_xml_node *hit = find(n, names + 1);
		if (hit)
			return hit;
	}
	return NULL;
}

struct ib_xml_node *ib_xml_find(const struct ib_xml_node *node, const char *path)
{
	g_auto(GStrv) names = g_strsplit(path, "/", -1);

	g_return_val_if_fail(g_strv_length(names) <= PATH_MAX_NAMES, NULL);
	return node ? find(node, names) : NULL;
}

/* ---- editing ---- */

static bool xml_char(gunichar c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0xd800) || (c >= 0xe000 && c < 0xfffe) ||
	       (c >= 0x10000 && c <= 0x10ffff);
}

/* Text XML can hold; see the head of xml.h. */
static xmlChar *clean(const char *text)
{
	GString *s = g_string_sized_new(strlen(text) + 1);

	for (const char *p = text; *p;) {
		gunichar c = g_utf8_get_char_validated(p, -1);
		if (c == (gunichar)-1 || c == (gunichar)-2) {
			g_string_append(s, "\xef\xbf\xbd");
			p++;
			/* The rest of a lone surrogate belongs to the same character. */
			while ((*p & 0xc0) == 0x80)
				p++;
			continue;
		}
		g_string_append_unichar(s, xml_char(c) ? c : 0xfffd);
		p = g_utf8_next_char(p);
	}
	return (xmlChar *)g_string_free(s, FALSE);
}

/* Put a node whose raw name may carry a prefix into its namespace, if that is declared. */
static void join_namespace(xmlNodePtr node)
{
	const char *raw = (const char *)node->name;
	const char *colon = strchr(raw, ':');
	g_autofree char *prefix = colon ? g_strndup(raw, (gsize)(colon - raw)) : NULL;
	xmlNsPtr ns = xmlSearchNs(node->doc, node, (const xmlChar *)prefix);

	if (!ns)
		return;
	xmlSetNs(node, ns);
	if (colon) {
		g_autofree char *local = g_strdup(colon + 1);
		xmlNodeSetName(node, (const xmlChar *)local);
	}
}

static void join_attribute(xmlNodePtr node, xmlAttrPtr attr, xmlNsPtr ns)
{
	g_autofree char *local = g_strdup(local_part(attr->name));
	g_autofree char *value = g_strdup(value_of(attr));

	xmlRemoveProp(attr);
	xmlSetNsProp(node, ns, (const xmlChar *)local, (const xmlChar *)value);
}

struct ib_xml *ib_xml_new(const char *root_name)
{
	struct ib_xml *doc = g_new0(struct ib_xml, 1);

	ib_xml_setup();
	doc->doc = xmlNewDoc((const xmlChar *)"1.0");
	doc->name = g_strdup(root_name);
	xmlDocSetRootElement(doc->doc, xmlNewDocNode(doc->doc, NULL, (const xmlChar *)root_name, NULL));
	return doc;
}

void ib_xml_declare(struct ib_xml_node *node, const char *prefix, const char *uri)
{
	xmlNodePtr n = real(node);
	xmlNsPtr ns = xmlNewNs(n, (const xmlChar *)uri, (const xmlChar *)prefix);

	if (!ns) /* declared here before */
		return;
	g_autofree char *raw = prefix ? g_strconcat(prefix, ":", NULL) : NULL;
	if (!n->ns && (raw ? g_str_has_prefix((const char *)n->name, raw) : !strchr((const char *)n->name, ':')))
		join_namespace(n);
	xmlAttrPtr next;
	for (xmlAttrPtr a = raw ? n->properties : NULL; a; a = next) {
		next = a->next;
		if (!a->ns && g_str_has_prefix((const char *)a->name, raw))
			join_attribute(n, a, ns);
	}
}

struct ib_xml_node *ib_xml_add(struct ib_xml_node *parent, const char *name)
{
	xmlNodePtr n = xmlNewDocNode(real(parent)->doc, NULL, (const xmlChar *)name, NULL);

	xmlAddChild(real(parent), n);
	join_namespace(n);
	return face(n);
}

struct ib_xml_node *ib_xml_add_text(struct ib_xml_node *parent, const char *name, const char *text)
{
	struct ib_xml_node *n = ib_xml_add(parent, name);

	ib_xml_set_text(n, text);
	return n;
}

struct ib_xml_node *ib_xml_add_copy(struct ib_xml_node *parent, const struct ib_xml_node *node)
{
	xmlNodePtr copy = xmlDocCopyNode(real(node), real(parent)->doc, 1);

	xmlAddChild(real(parent), copy);
	xmlReconciliateNs(real(parent)->doc, copy);
	return face(copy);
}

static xmlAttrPtr exact_attribute(xmlNodePtr n, const char *name)
{
	const char *colon = strchr(name, ':');
	size_t prefix = colon ? (size_t)(colon - name) : 0;

	for (xmlAttrPtr a = n->properties; a; a = a->next) {
		const char *have = (const char *)a->name;
		if (!a->ns && strcmp(have, name) == 0)
			return a;
		if (a->ns && colon && strcmp(have, colon + 1) == 0 && a->ns->prefix &&
		    strlen((const char *)a->ns->prefix) == prefix &&
		    strncmp((const char *)a->ns->prefix, name, prefix) == 0)
			return a;
	}
	return NULL;
}

void ib_xml_set(struct ib_xml_node *node, const char *name, const char *value)
{
	g_return_if_fail(strcmp(name, "xmlns") != 0 && !g_str_has_prefix(name, "xmlns:"));
	if (value) {
		g_autofree xmlChar *text = clean(value);
		xmlSetProp(real(node), (const xmlChar *)name, text);
		return;
	}
	xmlAttrPtr attr = exact_attribute(real(node), name);
	if (attr)
		xmlRemoveProp(attr);
}

void ib_xml_set_text(struct ib_xml_node *node, const char *text)
{
	/* xmlNodeSetContent() would take '&' for the start of an entity. */
	xmlNodeSetContent(real(node), NULL);
	if (!text || !*text)
		return;
	g_autofree xmlChar *cleaned = clean(text);
	xmlAddChild(real(node), xmlNewDocText(real(node)->doc, cleaned));
}

void ib_xml_remove(struct ib_xml_node *node)
{
	if (!node)
		return;
	g_return_if_fail(ib_xml_parent(node) != NULL);
	xmlNodePtr before = real(node)->prev;
	if (before && xmlIsBlankNode(before)) {
		xmlUnlinkNode(before);
		xmlFreeNode(before);
	}
	xmlUnlinkNode(real(node));
	xmlFreeNode(real(node));
}

/* ---- writing ---- */

GBytes *ib_xml_write(const struct ib_xml *doc, enum ib_xml_write flags)
{
	const char *encoding = flags & IB_XML_UTF16 ? "utf-16" : "utf-8";
	GString *s = g_string_new(NULL);
	xmlBufferPtr buffer = xmlBufferCreate();
	xmlSaveCtxtPtr save = xmlSaveToBuffer(
		buffer, "UTF-8", XML_SAVE_NO_DECL | XML_SAVE_AS_XML | (flags & IB_XML_INDENT ? XML_SAVE_FORMAT : 0));

	if (flags & IB_XML_DECLARATION)
		g_string_append_printf(s, "<?xml version=\"1.0\" encoding=\"%s\"?>%s", encoding,
				       flags & IB_XML_INDENT ? "\n" : "");
	xmlSaveDoc(save, doc->doc);
	xmlSaveClose(save);
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
