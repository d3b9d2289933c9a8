/* Changing a tree. What is replaced or removed stays in the arena until its document goes. */
#include "xml/internal.h"

#include <string.h>

static bool xml_char(gunichar c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0xd800) || (c >= 0xe000 && c < 0xfffe) ||
	       (c >= 0x10000 && c <= 0x10ffff);
}

/* Text XML can hold, in the arena; see the head of xml.h. */
static const char *clean(struct ib_xml *doc, const char *text)
{
	g_autoptr(GString) s = g_string_sized_new(strlen(text) + 1);

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
	return xml_copy(doc, s->str, s->len);
}

static const char *copy(struct ib_xml *doc, const char *text)
{
	return text ? xml_copy(doc, text, strlen(text)) : NULL;
}

/* What "prefix:" before a local name stands for at an element; without one, the default namespace. */
static const struct space *space_of(const struct ib_xml_node *node, const char *local, size_t skip)
{
	g_autofree char *prefix = skip ? g_strndup(local - skip, skip - 1) : NULL;

	return xml_scope(node, prefix, NULL);
}

static void join_namespace(struct ib_xml_node *node)
{
	node->space = space_of(node, node->name, node->item.skip);
	if (node->space)
		node->item.skip = 0;
}

static struct ib_xml_node *add(struct ib_xml *doc, struct ib_xml_node *parent, const char *name)
{
	struct ib_xml_node *node = xml_element(doc, parent);
	size_t skip = name_skip(name);

	g_assert(skip <= UINT16_MAX);
	node->item.skip = (uint16_t)skip;
	node->name = copy(doc, name) + skip;
	xml_append(parent, &node->item);
	join_namespace(node);
	return node;
}

struct ib_xml *ib_xml_new(const char *root_name)
{
	struct ib_xml *doc = xml_document(root_name, 0);

	doc->root = add(doc, &doc->top, root_name);
	return doc;
}

/* Whether a name was given with a prefix (NULL: none) that was not declared. */
static bool waits_for(const char *local, size_t skip, const char *prefix)
{
	size_t len = prefix ? strlen(prefix) + 1 : 0;

	return skip == len && (!prefix || memcmp(local - skip, prefix, len - 1) == 0);
}

/* Attributes that waited for this prefix move to the end, as if set now. */
static void join_attributes(struct ib_xml_node *node, const char *prefix, const struct space *space)
{
	struct attr *joined = NULL, **end = &joined, **at = &node->attrs;

	while (*at) {
		struct attr *a = *at;
		if (a->space || !waits_for(a->name, a->skip, prefix)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		a->next = NULL;
		a->skip = 0;
		a->space = space;
		*end = a;
		end = &a->next;
	}
	*at = joined;
}

void ib_xml_declare(struct ib_xml_node *node, const char *prefix, const char *uri)
{
	struct ib_xml *doc = xml_of(node);

	for (const struct space *s = node->declared; s; s = s->next)
		if (g_strcmp0(s->prefix, prefix) == 0)
			return;
	const struct space *space = xml_declare(doc, node, copy(doc, prefix), copy(doc, uri));
	if (!node->space && waits_for(node->name, node->item.skip, prefix))
		join_namespace(node);
	if (prefix)
		join_attributes(node, prefix, space);
}

struct ib_xml_node *ib_xml_add(struct ib_xml_node *parent, const char *name)
{
	return add(xml_of(parent), parent, name);
}

struct ib_xml_node *ib_xml_add_text(struct ib_xml_node *parent, const char *name, const char *text)
{
	struct ib_xml_node *n = ib_xml_add(parent, name);

	ib_xml_set_text(n, text);
	return n;
}

/* ---- copies ---- */

/* A namespace for a node of a copy: declared inside the copy, if need be on its top. */
static const struct space *copy_space(struct ib_xml *doc, struct ib_xml_node *node, const struct space *from,
				      struct ib_xml_node *top)
{
	if (!from)
		return NULL;
	const struct space *s = xml_scope(node, from->prefix, top);
	return s ? s : xml_declare(doc, top, copy(doc, from->prefix), copy(doc, from->uri));
}

static void copy_attributes(struct ib_xml *doc, struct ib_xml_node *to, const struct ib_xml_node *from,
			    struct ib_xml_node *top)
{
	struct attr **end = &to->attrs;

	for (const struct attr *a = from->attrs; a; a = a->next) {
		struct attr *c = xml_alloc(doc, sizeof(*c));
		c->name = copy(doc, a->name - a->skip) + a->skip;
		c->skip = a->skip;
		c->value = copy(doc, a->value);
		c->space = copy_space(doc, to, a->space, top);
		*end = c;
		end = &c->next;
	}
}

static void copy_text(struct ib_xml *doc, struct ib_xml_node *parent, const struct text *from)
{
	struct text *to = xml_text(doc, parent, from->item.kind);

	to->text = copy(doc, from->text);
	if (from->item.kind == KIND_PI)
		to->target = copy(doc, from->target);
}

static void copy_element(struct ib_xml *doc, struct ib_xml_node *to, const struct ib_xml_node *from,
			 struct ib_xml_node *top)
{
	to->item.line = from->item.line;
	to->item.skip = from->item.skip;
	to->name = copy(doc, raw_name(from)) + from->item.skip;
	for (const struct space *s = from->declared; s; s = s->next)
		xml_declare(doc, to, copy(doc, s->prefix), copy(doc, s->uri));
	to->space = copy_space(doc, to, from->space, top);
	copy_attributes(doc, to, from, top);
	for (const struct item *i = from->first; i; i = i->next) {
		if (i->kind != KIND_ELEMENT) {
			copy_text(doc, to, (const struct text *)i);
			continue;
		}
		struct ib_xml_node *child = xml_element(doc, to);
		xml_append(to, &child->item);
		copy_element(doc, child, (const struct ib_xml_node *)i, top);
	}
}

struct ib_xml_node *ib_xml_add_copy(struct ib_xml_node *parent, const struct ib_xml_node *node)
{
	struct ib_xml *doc = xml_of(parent);
	struct ib_xml_node *top = xml_element(doc, parent);

	copy_element(doc, top, node, top);
	xml_append(parent, &top->item); /* last: parent may be inside of what is copied */
	return top;
}

/* ---- attributes, text, removal ---- */

/* Where the attribute of a name is linked, or where it would be. */
static struct attr **find_attribute(struct ib_xml_node *node, const char *raw, size_t skip, const struct space *space)
{
	struct attr **at = &node->attrs;

	for (; *at; at = &(*at)->next) {
		const struct attr *a = *at;
		const char *uri = a->space ? a->space->uri : NULL;
		if (space ? uri && strcmp(uri, space->uri) == 0 && strcmp(a->name, raw + skip) == 0 :
			    !uri && strcmp(a->name - a->skip, raw) == 0)
			break;
	}
	return at;
}

void ib_xml_set(struct ib_xml_node *node, const char *name, const char *value)
{
	g_return_if_fail(strcmp(name, "xmlns") != 0 && !g_str_has_prefix(name, "xmlns:"));
	struct ib_xml *doc = xml_of(node);
	size_t skip = name_skip(name);
	const struct space *space = skip ? space_of(node, name + skip, skip) : NULL;
	struct attr **at = find_attribute(node, name, skip, space);

	if (!value) {
		if (*at)
			*at = (*at)->next;
		return;
	}
	if (!*at) {
		*at = xml_alloc(doc, sizeof(**at));
		(*at)->name = copy(doc, name) + skip;
		(*at)->skip = space ? 0 : (uint32_t)skip;
		(*at)->space = space;
	}
	(*at)->value = clean(doc, value);
}

void ib_xml_set_text(struct ib_xml_node *node, const char *text)
{
	struct ib_xml *doc = xml_of(node);

	node->first = node->last = NULL;
	if (text && *text)
		xml_text(doc, node, KIND_TEXT)->text = clean(doc, text);
}

static bool is_blank(const struct item *i)
{
	if (!i || (i->kind != KIND_TEXT && i->kind != KIND_CDATA))
		return false;
	const char *text = ((const struct text *)i)->text;
	return text[strspn(text, " \t\r\n")] == '\0';
}

void ib_xml_remove(struct ib_xml_node *node)
{
	struct item *before = NULL, *earlier = NULL; /* before the element, and before that */

	if (!node)
		return;
	g_return_if_fail(ib_xml_parent(node) != NULL);
	struct ib_xml_node *parent = node->parent;
	for (struct item *i = parent->first; i != &node->item; i = i->next) {
		earlier = before;
		before = i;
	}
	if (is_blank(before))
		before = earlier;
	*(before ? &before->next : &parent->first) = node->item.next;
	if (parent->last == &node->item)
		parent->last = before;
}
