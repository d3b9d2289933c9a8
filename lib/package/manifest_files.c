/* Files and directories of a manifest. */
#include "package/internal.h"

#include <string.h>

#define IDENTITY_TRANSFORM "urn:schemas-microsoft-com:HashTransforms.Identity"

/* ---- hashes ---- */

static bool store_hash(struct ib_file *f, const uint8_t *hash, gsize len, bool is_sha256, struct ib_error **err)
{
	size_t want = is_sha256 ? sizeof(f->sha256) : sizeof(f->sha1);

	if (!hash || len != want)
		return ib_throw(err, IB_ERR_INPUT, "the hash of file '%s' has %zu bytes, %s has %zu", f->name, len,
				is_sha256 ? "SHA-256" : "SHA-1", want);
	if (is_sha256) {
		memcpy(f->sha256, hash, want);
		f->has_sha256 = true;
	} else {
		memcpy(f->sha1, hash, want);
		f->has_sha1 = true;
	}
	return true;
}

/* A hash of anything but the file's plain bytes cannot be checked: refuse it. */
static bool check_transforms(const struct ib_file *f, const struct ib_xml_node *hash, struct ib_error **err)
{
	const struct ib_xml_node *t = ib_xml_find(hash, "Transforms/Transform");

	if (!t)
		return ib_throw(err, IB_ERR_INPUT, "the hash of file '%s' names no transform", f->name);
	for (; t; t = ib_xml_next(t, "Transform")) {
		const char *algorithm = ib_xml_attr(t, "Algorithm");
		if (g_strcmp0(algorithm, IDENTITY_TRANSFORM) != 0)
			return ib_throw(err, IB_ERR_INPUT, "the hash of file '%s' is over a transform '%.80s'", f->name,
					algorithm ? algorithm : "");
	}
	return true;
}

static bool read_hash_element(struct ib_file *f, const struct ib_xml_node *hash, struct ib_error **err)
{
	const char *method = ib_xml_attr(ib_xml_first(hash, "DigestMethod"), "Algorithm");
	bool is_sha256 = method && g_str_has_suffix(method, "#sha256");

	if (!check_transforms(f, hash, err))
		return false;
	if (!method || (!is_sha256 && !g_str_has_suffix(method, "#sha1")))
		return ib_throw(err, IB_ERR_INPUT, "the hash of file '%s' is of an unknown kind '%.80s'", f->name,
				method ? method : "");
	g_autofree char *text = ib_xml_text(ib_xml_first(hash, "DigestValue"));
	gsize len = 0;
	g_autofree uint8_t *value = text ? g_base64_decode(text, &len) : NULL;
	return store_hash(f, value, len, is_sha256, err);
}

/* The older form: hash="hex" hashalg="SHA1" on the file itself. */
static bool read_hash_attribute(struct ib_file *f, const struct ib_xml_node *node, struct ib_error **err)
{
	const char *hex = ib_xml_attr(node, "hash"), *algorithm = ib_xml_attr(node, "hashalg");

	if (!hex || !*hex)
		return true;
	bool is_sha256 = algorithm && (g_ascii_strcasecmp(algorithm, "SHA256") == 0 ||
				       g_ascii_strcasecmp(algorithm, "SHA-256") == 0);
	if (!is_sha256 && algorithm && g_ascii_strcasecmp(algorithm, "SHA1") != 0 &&
	    g_ascii_strcasecmp(algorithm, "SHA-1") != 0)
		return ib_throw(err, IB_ERR_INPUT, "the hash of file '%s' is of an unknown kind '%.80s'", f->name,
				algorithm);
	g_autoptr(GBytes) value = ib_unhex(hex, strlen(hex));
	gsize len = 0;
	const uint8_t *data = value ? g_bytes_get_data(value, &len) : NULL;
	return store_hash(f, data, len, is_sha256, err);
}

/* ---- files ---- */

static bool read_links(struct manifest *m, struct ib_file *f, const struct ib_xml_node *node, struct ib_error **err)
{
	const struct ib_xml_node *link = ib_xml_first(node, "link");

	for (; link; link = ib_xml_next(link, "link")) {
		const char *destination = package_attr(m, link, "destination");
		if (!destination || !*destination)
			return ib_throw(err, IB_ERR_INPUT, "a link of file '%s' has no destination", f->name);
		if (!package_check_path(destination, err))
			return false;
		if (!f->links)
			f->links = g_ptr_array_new();
		g_ptr_array_add(f->links, (gpointer)destination);
	}
	return true;
}

static bool read_file(struct manifest *m, const struct ib_xml_node *node, struct ib_file *f, struct ib_error **err)
{
	const char *name = ib_xml_attr(node, "name");
	const char *destination = ib_xml_attr(node, "destinationName");

	if (!package_relative_name(m, name ? name : "", &f->name, err))
		return false;
	f->destination_name = f->name;
	if (destination && *destination && !package_relative_name(m, destination, &f->destination_name, err))
		return false;
	f->destination_path = package_attr(m, node, "destinationPath");
	if (f->destination_path && !package_check_path(f->destination_path, err))
		return false;
	f->sddl = package_sddl(m, node);
	f->attributes = package_attributes(m, node);
	if (!read_hash_attribute(f, node, err))
		return false;
	const struct ib_xml_node *hash = ib_xml_first(node, "hash");
	for (; hash; hash = ib_xml_next(hash, "hash")) {
		if (!read_hash_element(f, hash, err))
			return false;
	}
	return read_links(m, f, node, err);
}

bool package_read_files(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
{
	const struct ib_xml_node *node = ib_xml_first(root, "file");

	for (; node; node = ib_xml_next(node, "file")) {
		struct ib_file *f = g_new0(struct ib_file, 1);
		g_ptr_array_add(m->pub.files, f);
		if (!read_file(m, node, f, err))
			return ib_while(err, "reading the file of line %u", ib_xml_line(node));
	}
	return true;
}

/* ---- directories ---- */

static bool read_directory(struct manifest *m, const struct ib_xml_node *node, struct ib_error **err)
{
	const char *path = package_attr(m, node, "destinationPath");

	if (!path || !*path)
		return ib_throw(err, IB_ERR_INPUT, "line %u: a directory has no destinationPath", ib_xml_line(node));
	if (!package_check_path(path, err))
		return false;
	struct ib_directory *d = g_new0(struct ib_directory, 1);
	d->path = path;
	d->sddl = package_sddl(m, node);
	d->attributes = package_attributes(m, node);
	g_ptr_array_add(m->pub.directories, d);
	return true;
}

bool package_read_directories(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
{
	const struct ib_xml_node *all = ib_xml_first(root, "directories");

	for (; all; all = ib_xml_next(all, "directories")) {
		const struct ib_xml_node *node = ib_xml_first(all, "directory");
		for (; node; node = ib_xml_next(node, "directory")) {
			if (!read_directory(m, node, err))
				return false;
		}
	}
	return true;
}
