/** imglab/xmltext: XML as Windows' manifests are written: two spaces a level, CRLF, one escape rule. */
#ifndef IMGLAB_XMLTEXT_H
#define IMGLAB_XMLTEXT_H

#include "model.h"

/** A text under construction. */
struct lab_xml {
	GString *text;
	unsigned depth;
};

/** Start with the XML declaration; end with lab_xml_end(). */
struct lab_xml lab_xml_begin(void);
/** The bytes, without a line end after the last element; g_bytes_unref. */
GBytes *lab_xml_end(struct lab_xml *x);

/**
 * Open an element. Then name, value pairs, ended by NULL; a NULL value leaves
 * the attribute out (the pair still stands in the call).
 */
void lab_xml_open(struct lab_xml *x, const char *name, ...) __attribute__((sentinel));
/** An empty element, same attributes. */
void lab_xml_empty(struct lab_xml *x, const char *name, ...) __attribute__((sentinel));
/** An element with text. */
void lab_xml_text(struct lab_xml *x, const char *name, const char *text);
/** Close it. */
void lab_xml_close(struct lab_xml *x, const char *name);
/** A line as it is. */
void lab_xml_raw(struct lab_xml *x, const char *line);
/** <assemblyIdentity .../>. */
void lab_xml_identity(struct lab_xml *x, const struct lab_identity *id);

#endif
