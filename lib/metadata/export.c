/* export.cab: package.xml and metadata.txt, as a server's export tool writes them. */
#include "metadata/internal.h"

#include <string.h>

/* ---- metadata.txt ---- */

/* Lengths count UTF-16 units, not bytes. */
static size_t utf16_length(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t b = (uint8_t)text[i];
		n += (b & 0xC0) != 0x80;
		n += b >= 0xF0;
	}
	return n;
}

static GString *metadata_text(const GPtrArray *ordered)
{
	GString *s = g_string_new(NULL);

	for (guint i = 0; i < ordered->len; i++) {
		const struct update *u = g_ptr_array_index(ordered, i);
		g_autoptr(GBytes) bytes = update_bytes(u);
		gsize len;
		const char *text = g_bytes_get_data(bytes, &len);
		g_string_append_printf(s, "%s,%08x,%08zx,", u->id, u->revision, utf16_length(text, len));
		g_string_append_len(s, text, (gssize)len);
		g_string_append(s, "\r\n");
	}
	return s;
}

/* ---- package.xml ---- */

/* Where a server keeps a file: folder of the last two digits of the SHA-1, name of all of them. */
static char *content_address(const char *base, const char *digest, const char *name)
{
	gsize n = 0;
	g_autofree guchar *sha1 = digest ? g_base64_decode(digest, &n) : NULL;

	if (!base || n != IB_SHA1_SIZE)
		return g_strdup("");
	g_autofree char *lower = ib_hex(sha1, n);
	g_autofree char *hex = g_ascii_strup(lower, -1);
	const char *dot = name ? strrchr(name, '.') : NULL;
	return g_strdup_printf("%s%s%s/%s%s", base, g_str_has_suffix(base, "/") ? "" : "/", hex + strlen(hex) - 2, hex,
			       dot ? dot : "");
}

static void add_files(struct ib_xml_node *list, const struct update *u, const char *base, bool full)
{
	const struct ib_xml_node *files = ib_xml_first(ib_xml_root(u->doc), "Files");

	for (const struct ib_xml_node *n = ib_xml_first(files, "File"); n; n = ib_xml_next(n, "File")) {
		const char *digest = ib_xml_attr(n, "Digest"), *name = ib_xml_attr(n, "FileName");
		struct ib_xml_node *file = ib_xml_add(list, "File");
		g_autofree char *address = content_address(base, digest, name);
		ib_xml_set(file, "Digest", digest);
		if (!full)
			continue;
		ib_xml_set(file, "MUUrl", address);
		ib_xml_set(file, "Name", name);
	}
}

/* The categories of one kind that an update names as prerequisite. */
static void add_categories(struct ib_xml_node *list, const char *element, const struct catalog *c,
			   const struct update *u, bool classifications)
{
	for (guint i = 0; u->type == UPDATE_SOFTWARE && i < u->clauses->len; i++) {
		const GArray *clause = g_ptr_array_index(u->clauses, i);
		for (guint k = 0; k < clause->len; k++) {
			const char *id = reference_at(clause, k)->id;
			const struct update *category = catalog_find(c, id);
			if (!category || !category->category ||
			    (strcmp(category->category, "UpdateClassification") == 0) != classifications)
				continue;
			ib_xml_set(ib_xml_add(list, element), "Value", id);
		}
	}
}

static struct ib_xml *package_xml(const struct catalog *c, const GPtrArray *ordered,
				  const struct ib_metadata_image *image)
{
	struct ib_xml *doc = ib_xml_new("ExportPackage");
	struct ib_xml_node *root = ib_xml_root(doc);
	g_autofree char *date = ib_time_text(image->date);
	const struct update *first = g_ptr_array_index(ordered, 0);

	/* no server made this: the id of the first document stands for the catalog */
	ib_xml_set(root, "ServerID", first->id);
	ib_xml_set(root, "CreationTime", date);
	ib_xml_set(root, "FormatVersion", "1.0");
	ib_xml_set(root, "ProtocolVersion", "1.20");
	struct ib_xml_node *language = ib_xml_add(ib_xml_add(root, "Languages"), "Language");
	ib_xml_set(language, "Id", "1033");
	ib_xml_set(language, "ShortName", "en");
	ib_xml_set(language, "LongName", "English");
	ib_xml_set(language, "Enabled", "1");
	struct ib_xml_node *files = ib_xml_add(root, "Files");
	struct ib_xml_node *updates = ib_xml_add(root, "Updates");
	for (guint i = 0; i < ordered->len; i++) {
		const struct update *u = g_ptr_array_index(ordered, i);
		g_autofree char *revision = g_strdup_printf("%u", u->revision);
		struct ib_xml_node *n = ib_xml_add(updates, "Update");
		ib_xml_set(n, "UpdateId", u->id);
		ib_xml_set(n, "RevisionNumber", revision);
		add_files(files, u, image->content_url, true);
		add_files(ib_xml_add(n, "Files"), u, NULL, false);
		add_categories(ib_xml_add(n, "Categories"), "Category", c, u, false);
		add_categories(ib_xml_add(n, "Classifications"), "Classification", c, u, true);
	}
	return doc;
}

/* UTF-8 with byte order mark, in one line. */
static GString *package_text(const struct catalog *c, const GPtrArray *ordered, const struct ib_metadata_image *image)
{
	GString *s = g_string_new("\xEF\xBB\xBF");
	ib_auto_xml doc = package_xml(c, ordered, image);
	g_autoptr(GBytes) bytes = ib_xml_write(doc, 0);
	gsize len;
	const char *text = g_bytes_get_data(bytes, &len);

	while (len > 0 && text[len - 1] == '\n')
		len--;
	g_string_append_len(s, text, (gssize)len);
	return s;
}

bool export_write(const struct catalog *c, const struct ib_metadata_image *image, const char *path,
		  struct ib_error **err)
{
	g_autoptr(GPtrArray) ordered = NULL;
	g_autoptr(GBytes) cab = NULL;
	gsize len;

	if (!catalog_order(c, &ordered, err))
		return false;
	g_autoptr(GString) package = package_text(c, ordered, image);
	g_autoptr(GString) metadata = metadata_text(ordered);
	const struct cab_member members[] = {
		{ "package.xml", package->str, package->len },
		{ "metadata.txt", metadata->str, metadata->len },
	};
	if (!cab_write(members, G_N_ELEMENTS(members), image->date, &cab, err))
		return false;
	const void *data = g_bytes_get_data(cab, &len);
	return ib_file_write(path, data, len, err);
}
