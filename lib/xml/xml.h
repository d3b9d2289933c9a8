/**
 * xml: safe XML reading, editing, writing, schema check and transformation.
 *
 * Rules of the module:
 *
 *  - Nothing is ever fetched: no network, no external entity. A DOCTYPE is refused, so there are
 *    no entities but XML's own five. Schemas and stylesheets reach files of their own folder only.
 *  - A namespace name with '<', '&', '"' or line breaks is refused.
 *  - A document has at most IB_XML_MAX bytes and IB_XML_DEPTH levels.
 *  - Names are local names without prefix when reading. When writing, "prefix:name" is taken as it
 *    stands; a name without prefix is in the default namespace in scope.
 *  - Text is UTF-8. Text that XML cannot hold (control characters, lone surrogates) is written as
 *    U+FFFD, so that every document we write can be read back.
 *  - Nodes are borrowed from their document and die with it or with ib_xml_remove(). Node
 *    arguments may be NULL where said; results then are NULL too, so that look-ups chain.
 *  - libxml2 judges what is well-formed, writes, checks and transforms. The tree in between is
 *    ours: a document takes about 2.5 times its text, in few blocks that are freed as a whole;
 *    what is removed or replaced keeps its memory until then.
 *
 * Threads: a document belongs to one thread at a time; different documents are independent.
 */
#ifndef IB_XML_XML_H
#define IB_XML_XML_H

#include "base/base.h"

/** Most bytes of a document: the largest update metadata known is below 40 MiB. */
#define IB_XML_MAX (64u << 20)
/** Most levels of elements: libxml2's own limit (it lets 256 be open above one). Real files stay below 20. */
#define IB_XML_DEPTH 257

/** A document. */
struct ib_xml;
/** An element of a document; opaque, borrowed. */
struct ib_xml_node;

/* ---- documents ---- */

/**
 * Parse a document in memory.
 *
 * The encoding is taken from the byte order mark or the declaration; UTF-16LE without either is
 * recognised by its first character.
 *
 * @param data  bytes; borrowed
 * @param len   bytes in data
 * @param name  file name for messages; borrowed
 * @param ret   owned by the caller (ib_xml_free)
 * @param err   IB_ERR_INPUT with name and line: not well-formed, has a DOCTYPE, too large or too deep
 */
bool ib_xml_parse(const void *data, size_t len, const char *name, struct ib_xml **ret,
		  struct ib_error **err) IB_MUST_CHECK;

/**
 * A new document with only a root element; never fails.
 * @param root_name  a valid name, with prefix or without; declare the prefix on the root next
 * @return owned by the caller (ib_xml_free)
 */
struct ib_xml *ib_xml_new(const char *root_name);

/** Free a document and all its nodes; NULL is fine. */
void ib_xml_free(struct ib_xml *doc);
/** Cleanup form of ib_xml_free(). */
void ib_xml_clear(struct ib_xml **doc);
#define ib_auto_xml IB_CLEANUP(ib_xml_clear) struct ib_xml *

/** The root element; borrowed, never NULL. */
struct ib_xml_node *ib_xml_root(const struct ib_xml *doc);

/* ---- reading ---- */

/** Local name of an element; borrowed, valid until the element is changed. */
const char *ib_xml_name(const struct ib_xml_node *node);

/** Namespace URI of an element, or NULL when it has none; borrowed. */
const char *ib_xml_ns(const struct ib_xml_node *node);

/**
 * Value of an attribute.
 * @param node  may be NULL
 * @param name  local name: an attribute without prefix wins over one with any prefix
 * @return borrowed, valid until the attribute is set; NULL when there is none
 */
const char *ib_xml_attr(const struct ib_xml_node *node, const char *name);

/**
 * The index-th attribute in document order, namespace declarations not counted.
 * @param node       may be NULL
 * @param index      0-based
 * @param ret_name   local name; borrowed
 * @param ret_value  borrowed
 * @return false, writing nothing, when there are not so many
 */
bool ib_xml_attrs(const struct ib_xml_node *node, size_t index, const char **ret_name, const char **ret_value);

/**
 * All text below an element, in document order, nothing trimmed.
 * @param node  may be NULL: the result is then NULL
 * @return owned by the caller (g_free); "" when there is no text
 */
char *ib_xml_text(const struct ib_xml_node *node);

/**
 * Line of the element in the parsed file, where its start tag ends; 1-based, 0 when it was not parsed.
 */
unsigned ib_xml_line(const struct ib_xml_node *node);

/**
 * First child element.
 * @param node  may be NULL
 * @param name  local name, or NULL for any
 * @return borrowed, or NULL
 */
struct ib_xml_node *ib_xml_first(const struct ib_xml_node *node, const char *name);

/** Next sibling element; parameters and result as of ib_xml_first(). */
struct ib_xml_node *ib_xml_next(const struct ib_xml_node *node, const char *name);

/** The element above, or NULL at the root; borrowed. node may be NULL. */
struct ib_xml_node *ib_xml_parent(const struct ib_xml_node *node);

/**
 * First element, in document order, that a path leads to.
 * @param node  where the path starts; may be NULL
 * @param path  local names below node, "a/b/c"
 * @return borrowed, or NULL
 */
struct ib_xml_node *ib_xml_find(const struct ib_xml_node *node, const char *path);

/* ---- editing ---- */

/**
 * Declare a namespace on an element.
 *
 * An element (and its attributes) whose name was given with this prefix before the declaration
 * belong to it from now on. Declaring a prefix twice on one element keeps the first.
 *
 * @param prefix  NULL for the default namespace, which the element joins when it is in none
 * @param uri     copied
 */
void ib_xml_declare(struct ib_xml_node *node, const char *prefix, const char *uri);

/** Add an empty element as last child. name may carry a prefix. @return borrowed, never NULL */
struct ib_xml_node *ib_xml_add(struct ib_xml_node *parent, const char *name);

/** Add an element holding text as last child. @return borrowed, never NULL */
struct ib_xml_node *ib_xml_add_text(struct ib_xml_node *parent, const char *name, const char *text);

/**
 * Add a copy of an element, with all below it, as last child.
 * @param node  may belong to another document
 * @return the copy; borrowed, never NULL
 */
struct ib_xml_node *ib_xml_add_copy(struct ib_xml_node *parent, const struct ib_xml_node *node);

/**
 * Set an attribute, replacing one of the same name (an attribute with a prefix is not touched by
 * a name without).
 * @param name   with prefix or without
 * @param value  NULL removes the attribute
 */
void ib_xml_set(struct ib_xml_node *node, const char *name, const char *value);

/** Replace all that is below an element by text; nodes below it die. NULL is "". */
void ib_xml_set_text(struct ib_xml_node *node, const char *text);

/** Remove an element, and the white space before it; it dies. Must not be the root. NULL is fine. */
void ib_xml_remove(struct ib_xml_node *node);

/* ---- writing ---- */

/** How to write; or-ed. Zero: bare UTF-8 without declaration, white space as it is. */
enum ib_xml_write {
	IB_XML_DECLARATION = 1 << 0, /**< begin with <?xml …?> */
	IB_XML_INDENT = 1 << 1,      /**< a line for each element without text siblings; ends with a newline */
	IB_XML_UTF16 = 1 << 2,       /**< UTF-16LE with byte order mark instead of UTF-8 */
};

/** The document as bytes, the same for the same content. @return owned by the caller (g_bytes_unref) */
GBytes *ib_xml_write(const struct ib_xml *doc, enum ib_xml_write flags);

/* ---- schema and stylesheet ---- */

/**
 * Check a document against an XML Schema.
 *
 * @param doc       borrowed, unchanged
 * @param xsd_path  schema; what it imports must lie in its folder
 * @param err       IB_ERR_INPUT listing the first violations with their lines, or saying what is
 *                  wrong with the schema
 */
bool ib_xml_validate(const struct ib_xml *doc, const char *xsd_path, struct ib_error **err) IB_MUST_CHECK;

/**
 * Transform a document with XSLT 1.0.
 *
 * A stylesheet may import and include from the folder of `path` only (from nowhere when it is
 * given as bytes), reads no other document, writes no file.
 *
 * @param doc     borrowed, unchanged
 * @param sheet   the stylesheet's bytes, borrowed; NULL: read from path
 * @param path    the stylesheet's file, or its name for messages when bytes are given
 * @param params  name, value, name, value, …, NULL: string parameters; NULL for none
 * @param ret     output in the encoding the stylesheet asks for; owned by the caller (g_bytes_unref)
 * @param err     IB_ERR_INPUT: the stylesheet is wrong, stops by itself or never ends
 */
bool ib_xml_transform(const struct ib_xml *doc, GBytes *sheet, const char *path, const char *const *params,
		      GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

#endif
