/* What the files of this module share. */
#ifndef IB_XML_INTERNAL_H
#define IB_XML_INTERNAL_H

#include "xml/xml.h"

#include <libxml/tree.h>
#include <libxml/xmlerror.h>

/* ---- tree.c: the tree, all of it in its document's arena ---- */

enum kind { KIND_DOCUMENT, KIND_ELEMENT, KIND_TEXT, KIND_CDATA, KIND_COMMENT, KIND_PI };

/** A namespace as it is declared on an element; equal ones may be several. */
struct space {
	struct space *next; /* declared on the same element */
	const char *prefix; /* NULL: the default namespace */
	const char *uri;
};

/** What stands below an element: the head of struct ib_xml_node and of struct text. */
struct item {
	struct item *next;
	uint32_t line; /* 0: not parsed */
	uint16_t skip; /* of an element: see raw_name() */
	uint8_t kind;  /* enum kind */
};

/** Text, CDATA, a comment or a processing instruction. */
struct text {
	struct item item;
	const char *text;   /* NULL: a processing instruction of its target alone */
	const char *target; /* of a processing instruction */
};

struct attr {
	struct attr *next;
	const char *name; /* local */
	const char *value;
	const struct space *space; /* NULL: no prefix, or one that is not declared */
	uint32_t skip;
};

/** An element, or the document above the root. */
struct ib_xml_node {
	struct item item;
	struct ib_xml_node *parent;
	struct item *first, *last;
	const char *name; /* local */
	const struct space *space;
	struct attr *attrs;
	struct space *declared;
};

struct block;

struct ib_xml {
	struct ib_xml_node top; /* first, so that every node leads to its document */
	struct ib_xml_node *root;
	struct block *blocks;
	uint8_t *at;  /* free bytes of the latest block */
	size_t left;
	size_t block; /* bytes of one, at least */
	size_t total; /* bytes of all */
	char *name;   /* for messages */
};

/** An empty document. text: bytes that will be parsed into it, 0: none. */
struct ib_xml *xml_document(const char *name, size_t text);
/** Bytes for structs, zeroed, and a copy of a text; they live as long as the document. */
void *xml_alloc(struct ib_xml *doc, size_t size);
char *xml_copy(struct ib_xml *doc, const char *text, size_t len);

/** The document a node belongs to. */
struct ib_xml *xml_of(struct ib_xml_node *node);

/** Link as last child. */
void xml_append(struct ib_xml_node *parent, struct item *item);
/** An element that knows its parent and is not linked there yet. */
struct ib_xml_node *xml_element(struct ib_xml *doc, struct ib_xml_node *parent);
/** A linked one, still without text. */
struct text *xml_text(struct ib_xml *doc, struct ib_xml_node *parent, enum kind kind);

/** The namespace a prefix (NULL: none) stands for at an element, or NULL. until: the last element asked; NULL: the root. */
const struct space *xml_scope(const struct ib_xml_node *node, const char *prefix, const struct ib_xml_node *until);
/** Declare at the end of those of an element. */
struct space *xml_declare(struct ib_xml *doc, struct ib_xml_node *node, const char *prefix, const char *uri);

/** How many bytes of a name stand before its local part: "prefix:" that belongs to no declared namespace. */
static inline size_t name_skip(const char *raw)
{
	const char *colon = strchr(raw, ':');

	return colon ? (size_t)(colon + 1 - raw) : 0;
}

static inline const char *raw_name(const struct ib_xml_node *node)
{
	return node->name - node->item.skip;
}

/* ---- parse.c ---- */

/** Initialise libxml2 and shut every door to files and network, once per process. */
void ib_xml_setup(void);

/**
 * The folder, canonical, this thread's schema or stylesheet may read from; NULL, as at start: none.
 * libxml2's loader is one per process and gets no user data, a thread-local is the way to tell it.
 */
void ib_xml_reach(const char *folder);

/** "line 3: …" of a libxml2 message, without its newline; owned by the caller (g_free). */
char *ib_xml_message(const xmlError *e);

/* ---- dom.c ---- */

/**
 * The document as libxml2's own tree, for what libxml2 does with one; owned by the caller (xmlFreeDoc).
 * base: what relative addresses in it are resolved against; NULL: none
 */
xmlDocPtr ib_xml_dom(const struct ib_xml *doc, const char *base);

#endif
