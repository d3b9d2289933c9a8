/* What the files of this module share. */
#ifndef IB_XML_INTERNAL_H
#define IB_XML_INTERNAL_H

#include "xml/xml.h"

#include <libxml/tree.h>
#include <libxml/xmlerror.h>

struct ib_xml {
	xmlDocPtr doc; /* owned */
	char *name;    /* for messages */
};

/* Initialise libxml2 and shut every door to files and network, once per process. */
void ib_xml_setup(void);

/*
 * The folder, canonical, this thread's schema or stylesheet may read from; NULL, as at start: none.
 * libxml2's loader is one per process and gets no user data, a thread-local is the way to tell it.
 */
void ib_xml_reach(const char *folder);

/* Parse with a name that relative imports are resolved against (NULL: none). */
bool ib_xml_parse_at(const void *data, size_t len, const char *name, const char *base, struct ib_xml **ret,
		     struct ib_error **err) IB_MUST_CHECK;

/* "line 3: …" of a libxml2 message, without its newline; owned by the caller (g_free). */
char *ib_xml_message(const xmlError *e);

#endif
