/* Any bytes as XML: parse, compare with libxml2's own tree, walk, edit, write, and read back what was written. */
#include "../xml_dom.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort(): libFuzzer keeps the input of no other signal that g_error() may raise. */
static void die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

static void walk(struct ib_xml_node *n, unsigned depth)
{
	const char *name, *value;

	g_assert_cmpuint(depth, <=, IB_XML_DEPTH);
	for (size_t i = 0; ib_xml_attrs(n, i, &name, &value); i++)
		g_assert_nonnull(ib_xml_attr(n, name));
	for (struct ib_xml_node *c = ib_xml_first(n, NULL); c; c = ib_xml_next(c, NULL))
		walk(c, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ib_auto_error err = NULL;
	ib_auto_xml doc = NULL;
	ib_auto_xml again = NULL;

	bool ok = ib_xml_parse(data, size, "fuzz", &doc, &err);
	const char *difference = size == 0 ? NULL : dom_differs(doc, ok ? NULL : ib_error_cause(err), data, size);
	if (difference)
		die(difference);
	if (!ok)
		return 0;
	struct ib_xml_node *root = ib_xml_root(doc);
	walk(root, 1);
	g_autofree char *text = ib_xml_text(root);
	ib_xml_set(root, "a", text);
	ib_xml_add_text(root, "b", text);
	ib_xml_remove(ib_xml_first(root, NULL));
	if (size < 1000) /* each doubles it */
		ib_xml_add_copy(root, root);
	g_autoptr(GBytes) out = ib_xml_write(doc, IB_XML_DECLARATION | (size & 1 ? IB_XML_UTF16 : IB_XML_INDENT));
	gsize len;
	const void *bytes = g_bytes_get_data(out, &len);
	if (!ib_xml_parse(bytes, len, "written", &again, &err))
		die(ib_error_cause(err));
	return 0;
}
