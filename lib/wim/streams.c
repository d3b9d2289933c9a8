/* wim: named streams of files and directories, and what reparse points hold. Sources: MS-FSCC 2.1.2, checked against libwim. */
#include "wim/internal.h"

#include <string.h>

/* NTFS: UTF-16 units in the name of a stream. */
#define STREAM_UNITS_MAX 255u
#define SYMLINK_RELATIVE 1u

/* ---- named streams ---- */

static struct stream *named(const struct ib_node *node, unsigned i)
{
	const struct inode *inode = node->inode;

	for (unsigned k = 0; k < inode->extra_count; k++)
		if (inode->extra[k].name_bytes && i-- == 0)
			return &inode->extra[k];
	return NULL;
}

unsigned ib_node_stream_count(const struct ib_node *node)
{
	unsigned n = 0;

	while (named(node, n))
		n++;
	return n;
}

char *ib_node_stream_name(const struct ib_node *node, unsigned i)
{
	const struct stream *s = named(node, i);
	char *name = s ? ib_utf16_to_utf8(s->name, s->name_bytes) : NULL;

	return name ? name : g_strdup("");
}

const uint8_t *ib_node_stream_hash(const struct ib_node *node, unsigned i)
{
	const struct stream *s = named(node, i);

	return s && !ib_wim_hash_is_zero(s->hash) ? s->hash : NULL;
}

static struct stream *find_stream(const struct ib_node *node, const char *name)
{
	struct stream *s;

	for (unsigned i = 0; (s = named(node, i)); i++) {
		g_autofree char *is = ib_node_stream_name(node, i);
		if (ib_name_equal(is, name))
			return s;
	}
	return NULL;
}

static bool check_stream_name(const char *name, size_t *ret_bytes, uint8_t **ret, struct ib_error **err)
{
	*ret = ib_utf8_to_utf16(name, ret_bytes);
	if (!*ret)
		return ib_throw(err, IB_ERR_INPUT, "the name of a stream is not UTF-8");
	if (*ret_bytes > 0 && *ret_bytes / 2 <= STREAM_UNITS_MAX && !strpbrk(name, ":\\/"))
		return true;
	g_clear_pointer(ret, g_free);
	return ib_throw(err, IB_ERR_INPUT, "'%s': Windows takes no such name of a stream", name);
}

static void append(struct inode *inode, const uint8_t *hash, uint8_t *name, size_t name_bytes)
{
	inode->extra = g_renew(struct stream, inode->extra, inode->extra_count + 1u);
	struct stream *s = &inode->extra[inode->extra_count++];
	*s = (struct stream){ .name = name, .name_bytes = (uint16_t)name_bytes };
	memcpy(s->hash, hash ? hash : ib_wim_zero_hash, IB_WIM_HASH_SIZE);
}

/* With the first named stream the others become entries of their own: reparse data, or the content also when empty. */
static void spread(struct inode *inode)
{
	bool is_content = !(inode->attributes & (IB_ATTR_REPARSE | IB_ATTR_DIRECTORY));

	if (inode->extra_count > 0)
		return;
	if (is_content || !ib_wim_hash_is_zero(inode->hash))
		append(inode, inode->hash, NULL, 0);
	memset(inode->hash, 0, sizeof inode->hash);
}

bool ib_image_put_stream(struct ib_image *image, struct ib_node *node, const char *name, const uint8_t *hash,
			 struct ib_error **err)
{
	struct stream *old = find_stream(node, name);
	uint8_t *utf16;
	size_t bytes;

	if (!ib_wim_hash_is_zero(hash) && !ib_wim_blob_find(image->wim, hash))
		return ib_throw(err, IB_ERR_INPUT, "the content for stream '%s' is not in the WIM", name);
	if (old) {
		memcpy(old->hash, hash ? hash : ib_wim_zero_hash, IB_WIM_HASH_SIZE);
		image->edited = true;
		return true;
	}
	if (node->inode->extra_count >= UINT16_MAX - 2)
		return ib_throw(err, IB_ERR_INPUT, "the file has too many streams for '%s'", name);
	if (!check_stream_name(name, &bytes, &utf16, err))
		return false;
	spread(node->inode);
	append(node->inode, hash, utf16, bytes);
	image->edited = true;
	return true;
}

bool ib_image_remove_stream(struct ib_image *image, struct ib_node *node, const char *name)
{
	struct inode *inode = node->inode;
	struct stream *s = find_stream(node, name);

	if (!s)
		return false;
	size_t i = (size_t)(s - inode->extra);
	g_free(s->name);
	memmove(s, s + 1, (inode->extra_count - i - 1) * sizeof *s);
	inode->extra_count--;
	if (inode->extra_count == 1 && inode->extra[0].name_bytes == 0) { /* a single stream stands in the entry itself */
		memcpy(inode->hash, inode->extra[0].hash, sizeof inode->hash);
		inode->extra_count = 0;
	}
	image->edited = true;
	return true;
}

/* ---- reparse points ---- */

uint32_t ib_node_reparse_tag(const struct ib_node *node)
{
	return node->inode->attributes & IB_ATTR_REPARSE ? ib_le32(node->inode->reparse) : 0;
}

const uint8_t *ib_node_reparse_hash(const struct ib_node *node)
{
	const struct inode *inode = node->inode;

	if (!(inode->attributes & IB_ATTR_REPARSE))
		return NULL;
	if (!ib_wim_hash_is_zero(inode->hash))
		return inode->hash;
	for (unsigned i = 0; i < inode->extra_count; i++)
		if (!inode->extra[i].name_bytes && !ib_wim_hash_is_zero(inode->extra[i].hash))
			return inode->extra[i].hash;
	return NULL;
}

/* "C:\…" as the object manager knows it; what does not begin with a drive is taken as it is. */
static char *substitute_of(const char *target, bool *ret_relative)
{
	bool drive = g_ascii_isalpha(target[0]) && target[1] == ':';

	*ret_relative = !drive && target[0] != '\\';
	return drive ? g_strconcat("\\??\\", target, NULL) : g_strdup(target);
}

/* Names of substitute and print, each with a NUL behind it. */
static GByteArray *link_data(bool junction, const uint8_t *subst, size_t subst_bytes, const uint8_t *print,
			     size_t print_bytes)
{
	static const uint8_t nul[2];
	GByteArray *data = g_byte_array_new();
	uint8_t head[8];

	ib_put_le16(head, 0);
	ib_put_le16(head + 2, (uint16_t)subst_bytes);
	ib_put_le16(head + 4, (uint16_t)(subst_bytes + 2));
	ib_put_le16(head + 6, (uint16_t)print_bytes);
	g_byte_array_append(data, head, sizeof head);
	if (!junction)
		g_byte_array_append(data, (const uint8_t[4]){ 0 }, 4);
	g_byte_array_append(data, subst, (guint)subst_bytes);
	g_byte_array_append(data, nul, sizeof nul);
	g_byte_array_append(data, print, (guint)print_bytes);
	g_byte_array_append(data, nul, sizeof nul);
	return data;
}

bool ib_image_put_link(struct ib_image *image, const char *path, enum ib_link_kind kind, const char *target,
		       const struct ib_node_meta *meta, struct ib_error **err)
{
	bool junction = kind == IB_LINK_JUNCTION, relative;
	g_autofree char *windows = g_strdelimit(g_strdup(target), "/", '\\');
	g_autofree char *subst = substitute_of(windows, &relative);
	struct ib_node_meta with = *meta;
	size_t subst_bytes, print_bytes;
	g_autofree uint8_t *subst16 = ib_utf8_to_utf16(subst, &subst_bytes);
	g_autofree uint8_t *print16 = ib_utf8_to_utf16(windows, &print_bytes);

	if (!*target || !subst16 || !print16)
		return ib_throw(err, IB_ERR_INPUT, "'%s': a link needs a target in UTF-8", path);
	if (junction && relative)
		return ib_throw(err, IB_ERR_INPUT, "'%s': a junction needs a full path, not '%s'", path, target);
	if (subst_bytes + print_bytes + 16 > IB_REPARSE_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s': the target of the link is too long", path);
	GByteArray *data = link_data(junction, subst16, subst_bytes, print16, print_bytes);
	if (!junction)
		ib_put_le32(data->data + 8, relative ? SYMLINK_RELATIVE : 0);
	if (kind != IB_LINK_FILE)
		with.attributes |= IB_ATTR_DIRECTORY;
	g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(data);
	return ib_image_put_reparse(image, path, junction ? IB_REPARSE_JUNCTION : IB_REPARSE_SYMLINK,
				    bytes, &with, NULL, err);
}
