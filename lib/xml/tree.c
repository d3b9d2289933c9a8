/* The tree: memory, documents, reading. */
#include "xml/internal.h"

#include <string.h>

/* Blocks of an arena: small documents are many; in large ones a quarter may be spare. */
#define BLOCK_MIN 512u
#define BLOCK_MAX (256u << 10)

struct block {
	struct block *next;
	uint8_t bytes[];
};

/* ---- memory ---- */

static void *take(struct ib_xml *doc, size_t size)
{
	if (size > doc->left) {
		size_t have = MAX(size, CLAMP(doc->total / 4, doc->block, BLOCK_MAX));
		struct block *b = g_malloc(sizeof(*b) + have);
		b->next = doc->blocks;
		doc->blocks = b;
		doc->at = b->bytes;
		doc->left = have;
		doc->total += have;
	}
	void *p = doc->at;
	doc->at += size;
	doc->left -= size;
	return p;
}

void *xml_alloc(struct ib_xml *doc, size_t size)
{
	size_t gap = -(uintptr_t)doc->at % sizeof(void *);

	if (gap > 0 && gap <= doc->left) /* else a new block begins, aligned */
		take(doc, gap);
	return memset(take(doc, size), 0, size);
}

char *xml_copy(struct ib_xml *doc, const char *text, size_t len)
{
	char *copy = take(doc, len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

struct ib_xml *xml_document(const char *name, size_t text)
{
	struct ib_xml *doc = g_new0(struct ib_xml, 1);

	doc->name = g_strdup(name);
	doc->block = CLAMP(text / 2, BLOCK_MIN, BLOCK_MAX); /* a tree takes 2.4 times its text */
	return doc;
}

void ib_xml_free(struct ib_xml *doc)
{
	struct block *next;

	for (struct block *b = doc ? doc->blocks : NULL; b; b = next) {
		next = b->next;
		g_free(b);
	}
	if (doc)
		g_free(doc->name);
	g_free(doc);
}

void ib_xml_clear(struct ib_xml **doc)
{
	ib_xml_free(*doc);
	*doc = NULL;
}

/* ---- growing ---- */

struct ib_xml *xml_of(struct ib_xml_node *node)
{
	while (node->parent)
		node = node->parent;
	return (struct ib_xml *)node;
}

void xml_append(struct ib_xml_node *parent, struct item *item)
{
	if (parent->last)
		parent->last->next = item;
	else
		parent->first = item;
	parent->last = item;
}

struct ib_xml_node *xml_element(struct ib_xml *doc, struct ib_xml_node *parent)
{
	struct ib_xml_node *node = xml_alloc(doc, sizeof(*node));

	node->item.kind = KIND_ELEMENT;
	node->parent = parent;
	return node;
}

struct text *xml_text(struct ib_xml *doc, struct ib_xml_node *parent, enum kind kind)
{
	struct text *text = xml_alloc(doc, kind == KIND_PI ? sizeof(*text) : offsetof(struct text, target));

	text->item.kind = (uint8_t)kind;
	xml_append(parent, &text->item);
	return text;
}

const struct space *xml_scope(const struct ib_xml_node *node, const char *prefix, const struct ib_xml_node *until)
{
	static const struct space xml = { .prefix = "xml", .uri = (const char *)XML_XML_NAMESPACE };

	if (g_strcmp0(prefix, xml.prefix) == 0)
		return &xml;
	for (; node; node = node == until ? NULL : node->parent)
		for (const struct space *s = node->declared; s; s = s->next)
			if (g_strcmp0(s->prefix, prefix) == 0)
				return s;
	return NULL;
}

struct space *xml_declare(struct ib_xml *doc, struct ib_xml_node *node, const char *prefix, const char *uri)
{
	struct space *space = xml_alloc(doc, sizeof(*space)), **end = &node->declared;

	space->prefix = prefix;
	space->uri = uri;
	while (*end)
		end = &(*end)->next;
	return *end = space;
}

/* ---- reading ---- */

struct ib_xml_node *ib_xml_root(const struct ib_xml *doc)
{
	return doc->root;
}

const char *ib_xml_name(const struct ib_xml_node *node)
{
	return node->name;
}

const char *ib_xml_ns(const struct ib_xml_node *node)
{
	return node->space ? node->space->uri : NULL;
}

const char *ib_xml_attr(const struct ib_xml_node *node, const char *name)
{
	const struct attr *prefixed = NULL;

	for (const struct attr *a = node ? node->attrs : NULL; a; a = a->next) {
		if (strcmp(a->name, name) != 0)
			continue;
		if (!a->space && !a->skip)
			return a->value;
		if (!prefixed)
			prefixed = a;
	}
	return prefixed ? prefixed->value : NULL;
}

bool ib_xml_attrs(const struct ib_xml_node *node, size_t index, const char **ret_name, const char **ret_value)
{
	const struct attr *a = node ? node->attrs : NULL;

	while (a && index-- > 0)
		a = a->next;
	if (!a)
		return false;
	*ret_name = a->name;
	*ret_value = a->value;
	return true;
}

static void append_text(GString *s, const struct ib_xml_node *node)
{
	for (const struct item *i = node->first; i; i = i->next) {
		if (i->kind == KIND_ELEMENT)
			append_text(s, (const struct ib_xml_node *)i);
		else if (i->kind == KIND_TEXT || i->kind == KIND_CDATA)
			g_string_append(s, ((const struct text *)i)->text);
	}
}

char *ib_xml_text(const struct ib_xml_node *node)
{
	if (!node)
		return NULL;
	GString *s = g_string_new(NULL);
	append_text(s, node);
	return g_string_free(s, FALSE);
}

unsigned ib_xml_line(const struct ib_xml_node *node)
{
	return node->item.line;
}

static struct ib_xml_node *element_from(struct item *i, const char *name, size_t len)
{
	for (; i; i = i->next) {
		struct ib_xml_node *n = (struct ib_xml_node *)i;
		if (i->kind == KIND_ELEMENT && (!name || (strncmp(n->name, name, len) == 0 && n->name[len] == '\0')))
			return n;
	}
	return NULL;
}

struct ib_xml_node *ib_xml_first(const struct ib_xml_node *node, const char *name)
{
	return node ? element_from(node->first, name, name ? strlen(name) : 0) : NULL;
}

struct ib_xml_node *ib_xml_next(const struct ib_xml_node *node, const char *name)
{
	return node ? element_from(node->item.next, name, name ? strlen(name) : 0) : NULL;
}

struct ib_xml_node *ib_xml_parent(const struct ib_xml_node *node)
{
	return node && node->parent->parent ? node->parent : NULL;
}

/* Each name of the path leads one level down, so the document's depth bounds this. */
struct ib_xml_node *ib_xml_find(const struct ib_xml_node *node, const char *path)
{
	size_t len = strcspn(path, "/");

	if (!node)
		return NULL;
	for (struct ib_xml_node *n = element_from(node->first, path, len); n; n = element_from(n->item.next, path, len)) {
		struct ib_xml_node *hit = path[len] ? ib_xml_find(n, path + len + 1) : n;
		if (hit)
			return hit;
	}
	return NULL;
}
