/* wim: an image's metadata resource to a tree. */
#include "wim/internal.h"

#include <string.h>

#define DENTRY_SIZE 102u
/* The shortest dentry on disk: more of them than this allows means shared lists of children. */
#define DENTRY_MIN 104u
#define STREAM_SIZE 38u

struct tree_reader {
	struct ib_image *image;
	const uint8_t *data;
	uint64_t size;
	uint64_t left;       /* dentries that may still come */
	GHashTable *groups;  /* group_key() -> first inode */
};

static bool throw_at(uint64_t at, const char *what, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "the metadata is damaged at byte %" PRIu64 ": %s", at, what);
}

static uint64_t align8(uint64_t n)
{
	return (n + 7) & ~G_GUINT64_CONSTANT(7);
}

/* ---- security ---- */

static bool read_security(struct tree_reader *t, uint64_t *ret_end, struct ib_error **err)
{
	struct ib_reader r = ib_reader_over(t->data, (size_t)t->size);
	uint32_t total = ib_reader_le32(&r), count = ib_reader_le32(&r);

	if (r.bad)
		return throw_at(0, "too small for a security table", err);
	t->image->security = ib_wim_security_new();
	total = total < 8 ? 8 : total;
	if (total > t->size || count > (total - 8) / 8)
		return throw_at(0, "the security table does not fit", err);
	uint64_t at = 8 + (uint64_t)count * 8;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t size = ib_le64(t->data + 8 + (uint64_t)i * 8);
		if (size > total - at)
			return throw_at(at, "a security descriptor leaves its table", err);
		g_autoptr(GBytes) sd = g_bytes_new(t->data + at, (gsize)size);
		ib_wim_security_append(t->image->security, sd);
		at += size;
	}
	*ret_end = align8(total);
	return true;
}

/* ---- one dentry ---- */

struct dentry {
	uint64_t at, length; /* aligned */
	uint64_t children, group;
	char *name, *short_name;
	struct inode *inode;
};

static bool read_name(const uint8_t *p, uint16_t bytes, uint64_t at, bool root, char **ret, struct ib_error **err)
{
	g_autofree char *name = ib_utf16_to_utf8(p, bytes);

	if (!name)
		return throw_at(at, "a name holds a NUL", err);
	if (!root && (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/\\")))
		return throw_at(at, "a name cannot be a file's name", err);
	*ret = g_steal_pointer(&name);
	return true;
}

static bool read_names(struct tree_reader *t, struct dentry *d, bool root, uint64_t *ret_end, struct ib_error **err)
{
	const uint8_t *p = t->data + d->at;
	uint16_t short_bytes = ib_le16(p + 98), bytes = ib_le16(p + 100);
	uint64_t short_at = DENTRY_SIZE + (bytes ? bytes + 2u : 0);
	uint64_t end = short_at + (short_bytes ? short_bytes + 2u : 0);

	if (end > d->length)
		return throw_at(d->at, "names do not fit their entry", err);
	if (!read_name(p + DENTRY_SIZE, root ? 0 : bytes, d->at, root, &d->name, err))
		return false;
	if (short_bytes > 0 && !read_name(p + short_at, short_bytes, d->at, false, &d->short_name, err))
		return false;
	*ret_end = align8(end);
	return true;
}

static bool read_inode(struct tree_reader *t, struct dentry *d, struct ib_error **err)
{
	const uint8_t *p = t->data + d->at;
	struct inode *inode = d->inode;

	inode->attributes = ib_le32(p + 8);
	inode->security = (int32_t)ib_le32(p + 12);
	d->children = ib_le64(p + 16);
	memcpy(inode->unused, p + 24, sizeof inode->unused);
	inode->creation_time = ib_le64(p + 40);
	inode->access_time = ib_le64(p + 48);
	inode->write_time = ib_le64(p + 56);
	memcpy(inode->hash, p + 64, sizeof inode->hash);
	inode->unknown = ib_le32(p + 84);
	if (inode->attributes & IB_ATTR_REPARSE)
		memcpy(inode->reparse, p + 88, sizeof inode->reparse);
	else
		d->group = ib_le64(p + 88);
	inode->extra_count = 0;
	if (inode->security < -1 || inode->security >= (int32_t)t->image->security->table->len)
		return throw_at(d->at, "its security descriptor is not in the table", err);
	return true;
}

static void read_tagged(struct tree_reader *t, struct dentry *d, uint64_t end)
{
	if (end >= d->length)
		return;
	d->inode->tagged_bytes = (uint32_t)(d->length - end);
	d->inode->tagged = g_memdup2(t->data + d->at + end, d->inode->tagged_bytes);
}

static bool read_streams(struct tree_reader *t, struct dentry *d, uint64_t *at, struct ib_error **err)
{
	unsigned count = ib_le16(t->data + d->at + 96);
	struct inode *inode = d->inode;

	if (count > (t->size - *at) / STREAM_SIZE)
		return throw_at(d->at, "its streams do not fit", err);
	inode->extra = count ? g_new0(struct stream, count) : NULL;
	for (unsigned i = 0; i < count; i++) {
		struct stream *s = &inode->extra[i];
		if (t->size - *at < STREAM_SIZE)
			return throw_at(*at, "a stream does not fit", err);
		const uint8_t *p = t->data + *at;
		uint64_t length = ib_le64(p);
		s->reserved = ib_le64(p + 8);
		memcpy(s->hash, p + 16, sizeof s->hash);
		s->name_bytes = ib_le16(p + 36);
		if (length < STREAM_SIZE + s->name_bytes || length > t->size - *at || s->name_bytes % 2) {
			s->name_bytes = 0;
			return throw_at(*at, "a stream does not fit", err);
		}
		s->name = s->name_bytes ? g_memdup2(p + STREAM_SIZE, s->name_bytes) : NULL;
		inode->extra_count++;
		*at = MIN(*at + align8(length), t->size);
	}
	return true;
}

/* Read the entry at *at and move behind it and its streams; d->length 0: end of the list. */
static bool read_dentry(struct tree_reader *t, uint64_t *at, bool root, struct dentry *d, struct ib_error **err)
{
	uint64_t end = 0;

	*d = (struct dentry){ .at = *at };
	if (*at > t->size || t->size - *at < 8)
		return throw_at(*at, "a list of entries leaves the metadata", err);
	uint64_t length = ib_le64(t->data + *at);
	if (length <= 8)
		return true;
	if (length < DENTRY_SIZE || length > t->size - *at || align8(length) > t->size - *at)
		return throw_at(*at, "an entry does not fit", err);
	if (t->left-- == 0)
		return throw_at(*at, "directories share their lists of entries", err);
	d->length = align8(length);
	*at += d->length;
	d->inode = ib_wim_inode_new(t->image);
	if (!read_inode(t, d, err) || !read_names(t, d, root, &end, err))
		return false;
	read_tagged(t, d, end);
	return read_streams(t, d, at, err);
}

static void dentry_fini(struct dentry *d)
{
	g_free(d->name);
	g_free(d->short_name);
	if (d->inode)
		ib_wim_inode_unref(d->inode);
}

/* ---- link groups ---- */

/* What names of one file have in common: the number of the group, and the streams. */
static GBytes *group_key(const struct dentry *d)
{
	const struct inode *inode = d->inode;
	GByteArray *key = g_byte_array_new();

	g_byte_array_append(key, (const uint8_t *)&d->group, sizeof d->group);
	g_byte_array_append(key, inode->hash, sizeof inode->hash);
	for (unsigned i = 0; i < inode->extra_count; i++) {
		const struct stream *s = &inode->extra[i];
		g_byte_array_append(key, s->hash, sizeof s->hash);
		g_byte_array_append(key, s->name, s->name_bytes);
	}
	return g_byte_array_free_to_bytes(key);
}

/*
 * Names of one group share their inode. Some images use one number for several
 * files (libwim knows of Windows 7): names whose content differs are not links.
 */
static void join_group(struct tree_reader *t, struct dentry *d)
{
	if (d->group == 0 || d->inode->attributes & IB_ATTR_DIRECTORY)
		return;
	g_autoptr(GBytes) key = group_key(d);
	struct inode *first = g_hash_table_lookup(t->groups, key);
	if (!first) {
		g_hash_table_insert(t->groups, g_steal_pointer(&key), d->inode);
		return;
	}
	ib_wim_inode_unref(d->inode);
	d->inode = first;
}

/* ---- lists ---- */

static bool read_children(struct tree_reader *t, struct ib_node *dir, uint64_t at, unsigned depth,
			  struct ib_error **err);

static bool add_child(struct tree_reader *t, struct ib_node *dir, struct dentry *d, GArray *below,
		      struct ib_error **err)
{
	uint64_t at = d->children;

	join_group(t, d);
	struct ib_node *node = ib_wim_node_new(d->name, d->short_name, d->inode);
	d->name = d->short_name = NULL;
	d->inode = NULL;
	if (node->inode->attributes & IB_ATTR_DIRECTORY)
		node->dir = g_new0(struct dir, 1);
	if (!ib_wim_dir_insert(dir, node)) {
		throw_at(d->at, "a name occurs twice in a directory, or hundreds differ in case only", err);
		ib_wim_node_free(node);
		return false;
	}
	if (!node->dir)
		at = 0;
	g_array_append_val(below, at);
	return true;
}

static bool read_list(struct tree_reader *t, struct ib_node *dir, uint64_t at, GArray *below, struct ib_error **err)
{
	struct dentry d;

	for (;;) {
		bool ok = read_dentry(t, &at, false, &d, err);
		if (ok && d.length == 0)
			return true;
		ok = ok && add_child(t, dir, &d, below, err);
		dentry_fini(&d);
		if (!ok)
			return false;
	}
}

static bool read_children(struct tree_reader *t, struct ib_node *dir, uint64_t at, unsigned depth,
			  struct ib_error **err)
{
	g_autoptr(GArray) below = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	guint i = 0;

	if (at == 0)
		return true;
	if (depth > WIM_DEPTH_MAX)
		return throw_at(at, "directories lie more than 512 deep in each other, or in themselves", err);
	if (!read_list(t, dir, at, below, err))
		return false;
	/* in the order read: the list is only sorted when it is asked for */
	for (struct ib_node *n = dir->dir->first; n; n = n->next, i++)
		if (!read_children(t, n, g_array_index(below, uint64_t, i), depth + 1, err))
			return false;
	return true;
}

static bool read_tree(struct tree_reader *t, uint64_t at, struct ib_error **err)
{
	struct dentry d;

	bool ok = read_dentry(t, &at, true, &d, err);
	if (ok && (d.length == 0 || !ib_wim_inode_is_dir(d.inode)))
		ok = throw_at(d.at, "there is no root directory", err);
	if (!ok) {
		dentry_fini(&d);
		return false;
	}
	t->image->root = ib_wim_node_new(d.name, d.short_name, d.inode);
	t->image->root->dir = g_new0(struct dir, 1);
	return read_children(t, t->image->root, d.children, 1, err);
}

bool ib_wim_metadata_read(struct ib_image *image, GBytes *bytes, struct ib_error **err)
{
	gsize size;
	struct tree_reader t = { .image = image, .data = g_bytes_get_data(bytes, &size) };
	uint64_t at = 0;

	t.size = size;
	t.left = size / DENTRY_MIN + 1;
	t.groups = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
	bool ok = read_security(&t, &at, err) && read_tree(&t, at, err);
	g_hash_table_unref(t.groups);
	return ok;
}
