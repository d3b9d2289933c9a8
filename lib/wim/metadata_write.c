/* wim: a tree to an image's metadata resource. */
#include "wim/internal.h"

#include <string.h>

#define DENTRY_SIZE 102u
#define STREAM_SIZE 38u

struct tree_writer {
	struct ib_image *image;
	GByteArray *out;
	GHashTable *groups; /* inode -> number of its link group */
};

/* Zeros to the next multiple of 8. */
static void pad(GByteArray *out)
{
	static const uint8_t zero[8];

	g_byte_array_append(out, zero, (8 - out->len % 8) % 8);
}

static bool write_security(struct tree_writer *w, struct ib_error **err)
{
	GPtrArray *table = w->image->security->table;
	uint64_t total = 8 + (uint64_t)table->len * 8;

	g_byte_array_set_size(w->out, (guint)total);
	for (guint i = 0; i < table->len; i++) {
		gsize size;
		const void *data = g_bytes_get_data(g_ptr_array_index(table, i), &size);
		ib_put_le64(w->out->data + 8 + (size_t)i * 8, size);
		total += size;
		if (total > WIM_METADATA_MAX)
			return ib_throw(err, IB_ERR_INPUT, "the image's security descriptors have too many bytes");
		g_byte_array_append(w->out, data, (guint)size);
	}
	pad(w->out);
	ib_put_le32(w->out->data, w->out->len);
	ib_put_le32(w->out->data + 4, table->len);
	return true;
}

/* Numbers follow the order of the entries, so that equal trees give equal bytes. */
static uint64_t group_of(struct tree_writer *w, struct inode *inode)
{
	if (inode->names < 2)
		return 0;
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(w->groups, inode));
	if (n == 0) {
		n = g_hash_table_size(w->groups) + 1;
		g_hash_table_insert(w->groups, inode, GUINT_TO_POINTER(n));
	}
	return n;
}

static void put_inode(struct tree_writer *w, uint8_t *p, struct inode *inode)
{
	ib_put_le32(p + 8, inode->attributes);
	ib_put_le32(p + 12, (uint32_t)inode->security);
	memcpy(p + 24, inode->unused, sizeof inode->unused);
	ib_put_le64(p + 40, inode->creation_time);
	ib_put_le64(p + 48, inode->access_time);
	ib_put_le64(p + 56, inode->write_time);
	memcpy(p + 64, inode->hash, sizeof inode->hash);
	ib_put_le32(p + 84, inode->unknown);
	if (inode->attributes & IB_ATTR_REPARSE)
		memcpy(p + 88, inode->reparse, sizeof inode->reparse);
	else
		ib_put_le64(p + 88, group_of(w, inode));
	ib_put_le16(p + 96, inode->extra_count);
}

static void append_name(GByteArray *out, const char *name, uint16_t *ret_bytes)
{
	static const uint8_t nul[2];
	size_t bytes;
	g_autofree uint8_t *utf16 = ib_utf8_to_utf16(name, &bytes);

	*ret_bytes = (uint16_t)bytes;
	if (bytes == 0)
		return;
	g_byte_array_append(out, utf16, (guint)bytes);
	g_byte_array_append(out, nul, sizeof nul);
}

static void write_streams(struct tree_writer *w, const struct inode *inode)
{
	for (unsigned i = 0; i < inode->extra_count; i++) {
		const struct stream *s = &inode->extra[i];
		static const uint8_t nul[2];
		uint8_t head[STREAM_SIZE];
		uint64_t length = STREAM_SIZE + (s->name_bytes ? s->name_bytes + 2u : 0);
		ib_put_le64(head, (length + 7) & ~G_GUINT64_CONSTANT(7));
		ib_put_le64(head + 8, s->reserved);
		memcpy(head + 16, s->hash, sizeof s->hash);
		ib_put_le16(head + 36, s->name_bytes);
		g_byte_array_append(w->out, head, sizeof head);
		if (s->name_bytes) {
			g_byte_array_append(w->out, s->name, s->name_bytes);
			g_byte_array_append(w->out, nul, sizeof nul);
		}
		pad(w->out);
	}
}

/* @return where the entry begins */
static guint write_dentry(struct tree_writer *w, struct ib_node *node)
{
	GByteArray *out = w->out;
	guint at = out->len;
	uint16_t bytes, short_bytes = 0;

	g_byte_array_set_size(out, at + DENTRY_SIZE);
	memset(out->data + at, 0, DENTRY_SIZE);
	put_inode(w, out->data + at, node->inode);
	append_name(out, node->name, &bytes);
	if (node->short_name)
		append_name(out, node->short_name, &short_bytes);
	ib_put_le16(out->data + at + 98, short_bytes);
	ib_put_le16(out->data + at + 100, bytes);
	pad(out);
	if (node->inode->tagged_bytes)
		g_byte_array_append(out, node->inode->tagged, node->inode->tagged_bytes);
	ib_put_le64(out->data + at, out->len - at);
	write_streams(w, node->inode);
	return at;
}

static bool has_list(const struct ib_node *node)
{
	return node->dir && (node->dir->first || ib_wim_inode_is_dir(node->inode));
}

static void end_list(GByteArray *out)
{
	static const uint8_t zero[8];

	g_byte_array_append(out, zero, sizeof zero);
}

/* The entries of a directory, then of the directories in it. Depth is bounded by WIM_DEPTH_MAX. */
static bool write_list(struct tree_writer *w, struct ib_node *dir, struct ib_error **err)
{
	g_autoptr(GArray) at = g_array_new(FALSE, FALSE, sizeof(guint));
	guint i = 0;

	ib_wim_dir_sort(dir->dir);
	for (struct ib_node *n = dir->dir->first; n; n = n->next) {
		guint place = write_dentry(w, n);
		g_array_append_val(at, place);
		if (w->out->len > WIM_METADATA_MAX)
			return ib_throw(err, IB_ERR_INPUT, "the image's tree needs more than %u bytes of metadata",
					WIM_METADATA_MAX);
	}
	end_list(w->out);
	for (struct ib_node *n = dir->dir->first; n; n = n->next, i++) {
		if (!has_list(n))
			continue;
		ib_put_le64(w->out->data + g_array_index(at, guint, i) + 16, w->out->len);
		if (!write_list(w, n, err))
			return false;
	}
	return true;
}

bool ib_wim_metadata_write(struct ib_image *image, GBytes **ret, struct ib_error **err)
{
	struct tree_writer w = { .image = image, .out = g_byte_array_new() };

	w.groups = g_hash_table_new(NULL, NULL);
	bool ok = write_security(&w, err);
	if (ok) {
		guint root = write_dentry(&w, image->root);
		end_list(w.out);
		ib_put_le64(w.out->data + root + 16, w.out->len);
		ok = write_list(&w, image->root, err);
	}
	g_hash_table_unref(w.groups);
	GBytes *bytes = g_byte_array_free_to_bytes(w.out);
	if (ok)
		*ret = bytes;
	else
		g_bytes_unref(bytes);
	return ok;
}
