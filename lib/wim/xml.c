/* wim: the XML data: descriptions of the images, and sums that other programs show. */
#include "wim/internal.h"

#include <stdlib.h>
#include <string.h>

static bool throw_xml(struct ib_wim *wim, const char *what, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' is damaged: XML data: %s", ib_input_name(wim->in), what);
}

static bool parse_index(const char *text, unsigned max, unsigned *ret)
{
	guint64 value;

	if (!text || !g_ascii_string_to_unsigned(text, 10, 1, max, &value, NULL))
		return false;
	*ret = (unsigned)value;
	return true;
}

bool ib_wim_xml_read(struct ib_wim *wim, GBytes *bytes, struct ib_error **err)
{
	unsigned index, found = 0;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	if (len == 0 && wim->images->len == 0) {
		wim->xml = ib_xml_new("WIM");
		return true;
	}
	if (!ib_xml_parse(data, len, ib_input_name(wim->in), &wim->xml, err))
		return ib_while(err, "reading the XML data");
	struct ib_xml_node *root = ib_xml_root(wim->xml);
	if (strcmp(ib_xml_name(root), "WIM") != 0)
		return throw_xml(wim, "its root is not 'WIM'", err);
	for (struct ib_xml_node *n = ib_xml_first(root, "IMAGE"); n; n = ib_xml_next(n, "IMAGE"), found++) {
		if (!parse_index(ib_xml_attr(n, "INDEX"), wim->images->len, &index))
			return throw_xml(wim, "an IMAGE has no INDEX of an image", err);
		struct ib_image *image = ib_wim_image_at(wim, index);
		if (image->xml)
			return throw_xml(wim, "two IMAGE elements have one INDEX", err);
		image->xml = n;
	}
	return found == wim->images->len ? true : throw_xml(wim, "an image has no IMAGE element", err);
}

void ib_wim_xml_renumber(struct ib_wim *wim)
{
	for (guint i = 0; i < wim->images->len; i++) {
		struct ib_image *image = g_ptr_array_index(wim->images, i);
		g_autofree char *text = g_strdup_printf("%u", i + 1);
		ib_xml_set(image->xml, "INDEX", text);
	}
}

static struct ib_xml_node *child(struct ib_xml_node *parent, const char *name)
{
	struct ib_xml_node *n = ib_xml_first(parent, name);

	return n ? n : ib_xml_add(parent, name);
}

void ib_wim_xml_set_number(struct ib_xml_node *parent, const char *name, uint64_t value)
{
	g_autofree char *text = g_strdup_printf("%" PRIu64, value);

	ib_xml_set_text(child(parent, name), text);
}

void ib_wim_xml_set_time(struct ib_image *image, const char *name, uint64_t filetime)
{
	g_autofree char *high = g_strdup_printf("0x%08X", (unsigned)(filetime >> 32));
	g_autofree char *low = g_strdup_printf("0x%08X", (unsigned)filetime);
	struct ib_xml_node *n = child(image->xml, name);

	ib_xml_set_text(child(n, "HIGHPART"), high);
	ib_xml_set_text(child(n, "LOWPART"), low);
}

void ib_wim_xml_set_sums(struct ib_image *image, const struct image_sums *sums)
{
	ib_wim_xml_set_number(image->xml, "DIRCOUNT", sums->dirs);
	ib_wim_xml_set_number(image->xml, "FILECOUNT", sums->files);
	ib_wim_xml_set_number(image->xml, "TOTALBYTES", sums->total);
	ib_wim_xml_set_number(image->xml, "HARDLINKBYTES", sums->hard_link);
}

/* ---- public ---- */

struct ib_xml_node *ib_wim_image_xml(struct ib_wim *wim, unsigned index)
{
	struct ib_image *image = ib_wim_image_at(wim, index);

	return image ? image->xml : NULL;
}

char *ib_wim_image_property(struct ib_wim *wim, unsigned index, const char *path)
{
	return ib_xml_text(ib_xml_find(ib_wim_image_xml(wim, index), path));
}

void ib_wim_image_set_property(struct ib_wim *wim, unsigned index, const char *path, const char *text)
{
	struct ib_xml_node *n = ib_wim_image_xml(wim, index);
	g_auto(GStrv) names = g_strsplit(path, "/", -1);

	if (!n)
		return;
	for (char **name = names; *name; name++)
		n = child(n, *name);
	ib_xml_set_text(n, text);
}
