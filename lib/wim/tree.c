/* wim: looking at a tree, and changing it. */
#include "wim/internal.h"

#include <string.h>

/* NTFS: UTF-16 units in a name. */
#define NAME_UNITS_MAX 255u
/* Names of fewer bytes are looked up without taking memory. */
#define NAME_BYTES_USUAL 256u
/* NTFS: names of one file. */
#define LINKS_MAX 1024u
/* The target is meant as it stands, not relative to the image's root. */
#define REPARSE_NOT_FIXED 1u

/* ---- looking ---- */

struct ib_node *ib_image_root(struct ib_image *image)
{
	return image->root;
}

/* The next name of a path: *path moves behind it. NULL: no more. Owned by the caller. */
static char *next_name(const char **path)
{
	*path += strspn(*path, "/\\");
	size_t n = strcspn(*path, "/\\");
	if (n == 0)
		return NULL;
	char *name = g_strndup(*path, n);
	*path += n;
	return name;
}

struct ib_node *ib_image_find(struct ib_image *image, const char *path)
{
	struct ib_node *node = image->root;
	char buf[NAME_BYTES_USUAL];

	while (node) {
		path += strspn(path, "/\\");
		size_t n = strcspn(path, "/\\");
		if (n == 0)
			return node;
		g_autofree char *longer = n < sizeof buf ? NULL : g_strndup(path, n);
		if (!longer) {
			memcpy(buf, path, n);
			buf[n] = '\0';
		}
		node = ib_wim_dir_find(node, longer ? longer : buf);
		path += n;
	}
	return NULL;
}

struct ib_node *ib_node_first(const struct ib_node *dir)
{
	if (!dir->dir)
		return NULL;
	ib_wim_dir_sort(dir->dir);
	return dir->dir->first;
}

struct ib_node *ib_node_next(const struct ib_node *node)
{
	return node->next;
}

struct ib_node *ib_node_parent(const struct ib_node *node)
{
	return node->parent;
}

const char *ib_node_name(const struct ib_node *node)
{
	return node->name;
}

const char *ib_node_short_name(const struct ib_node *node)
{
	return node->short_name;
}

char *ib_node_path(const struct ib_node *node)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	GString *path = g_string_new(NULL);

	for (; node->parent; node = node->parent)
		g_ptr_array_add(names, node->name);
	for (guint i = names->len; i > 0; i--) {
		g_string_append(path, g_ptr_array_index(names, i - 1));
		if (i > 1)
			g_string_append_c(path, '\\');
	}
	return g_string_free(path, FALSE);
}

uint32_t ib_node_attributes(const struct ib_node *node)
{
	return node->inode->attributes;
}

bool ib_node_is_dir(const struct ib_node *node)
{
	return node->inode->attributes & IB_ATTR_DIRECTORY;
}

uint64_t ib_node_write_time(const struct ib_node *node)
{
	return node->inode->write_time;
}

const uint8_t *ib_node_hash(const struct ib_node *node)
{
	const uint8_t *hash = ib_wim_inode_content(node->inode);

	return ib_wim_hash_is_zero(hash) ? NULL : hash;
}

uint64_t ib_node_size(struct ib_image *image, const struct ib_node *node)
{
	const uint8_t *hash = ib_node_hash(node);
	const struct blob *b = hash ? ib_wim_blob_find(image->wim, hash) : NULL;

	return b ? b->size : 0;
}

GBytes *ib_node_security(struct ib_image *image, const struct ib_node *node)
{
	int32_t id = node->inode->security;

	return id < 0 ? NULL : g_ptr_array_index(image->security->table, id);
}

uint64_t ib_node_link_group(const struct ib_node *node)
{
	return node->inode->names > 1 ? node->inode->id : 0;
}

unsigned ib_node_link_count(struct ib_image *image, const struct ib_node *node)
{
	return node->inode->names;
}

/* ---- changing ---- */

/* CON, NUL, COM1 and their kind, whatever their extension: programs would reach a device, not the file. */
static bool is_device(const char *name)
{
	static const char *const devices[] = { "CON", "PRN", "AUX", "NUL", NULL };
	g_autofree char *stem = g_strndup(name, strcspn(name, "."));

	g_strchomp(stem);
	for (const char *const *d = devices; *d; d++)
		if (g_ascii_strcasecmp(stem, *d) == 0)
			return true;
	return strlen(stem) == 4 && stem[3] >= '1' && stem[3] <= '9' &&
	       (g_ascii_strncasecmp(stem, "COM", 3) == 0 || g_ascii_strncasecmp(stem, "LPT", 3) == 0);
}

static bool check_name(const char *name, const char *path, struct ib_error **err)
{
	size_t bytes, len = strlen(name);
	g_autofree uint8_t *utf16 = ib_utf8_to_utf16(name, &bytes);

	if (!utf16)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not UTF-8", path);
	if (bytes / 2 > NAME_UNITS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s': a name has %zu characters, Windows takes at most %u", path,
				bytes / 2, NAME_UNITS_MAX);
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || strchr("<>:\"|?*", *p))
			return ib_throw(err, IB_ERR_INPUT, "'%s': Windows takes no character %d in a name", path, *p);
	if (name[len - 1] == '.' || name[len - 1] == ' ')
		return ib_throw(err, IB_ERR_INPUT, "'%s': Windows takes no name that ends with '%c'", path, name[len - 1]);
	if (is_device(name))
		return ib_throw(err, IB_ERR_INPUT, "'%s': '%s' is a device to Windows, not a file", path, name);
	return true;
}

/* Where a path leads: its directory, its last name, and what lies there. */
struct place {
	struct ib_node *dir;
	char *name; /* g_free */
	struct ib_node *node;
	unsigned depth;
};

static bool find_place(struct ib_image *image, const char *path, struct place *ret, struct ib_error **err)
{
	struct ib_node *dir = image->root;
	const char *rest = path;
	g_autofree char *name = next_name(&rest);
	unsigned depth = 1;

	if (!name)
		return ib_throw(err, IB_ERR_INPUT, "the root of the image cannot be replaced");
	for (;;) {
		g_autofree char *next = next_name(&rest);
		if (!next)
			break;
		dir = ib_wim_dir_find(dir, name);
		if (!dir || !dir->dir)
			return ib_throw(err, IB_ERR_INPUT, "the image has no directory '%s' for '%s'", name, path);
		g_free(name);
		name = g_steal_pointer(&next);
		depth++;
	}
	struct ib_node *node = ib_wim_dir_find(dir, name);
	if (!node && !check_name(name, path, err))
		return false;
	if (depth > WIM_DEPTH_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' lies %u deep, at most %u is accepted", path, depth, WIM_DEPTH_MAX);
	*ret = (struct place){ .dir = dir, .name = g_steal_pointer(&name), .node = node, .depth = depth };
	return true;
}

static void touch(struct ib_image *image)
{
	image->edited = true;
}

static struct inode *inode_from(struct ib_image *image, const struct ib_node_meta *meta, bool dir)
{
	struct inode *inode = ib_wim_inode_new(image);

	inode->attributes = meta->attributes | (dir ? IB_ATTR_DIRECTORY : 0);
	inode->creation_time = meta->creation_time;
	inode->access_time = meta->access_time;
	inode->write_time = meta->write_time;
	inode->security = ib_wim_security_intern(image->security, meta->security);
	return inode;
}

/* Another inode for a name that exists. */
static void exchange(struct ib_node *node, struct inode *inode)
{
	ib_wim_inode_unref(node->inode);
	node->inode = inode;
	inode->names++;
}

/* Names are checked to be free before: inserting cannot fail. */
static struct ib_node *insert(struct ib_image *image, struct place *place, struct inode *inode)
{
	struct ib_node *node = ib_wim_node_new(g_steal_pointer(&place->name), NULL, inode);

	if (inode->attributes & IB_ATTR_DIRECTORY)
		node->dir = g_new0(struct dir, 1);
	ib_wim_dir_insert(place->dir, node);
	return node;
}

static bool check_blob(struct ib_image *image, const uint8_t *hash, const char *path, struct ib_error **err)
{
	if (ib_wim_hash_is_zero(hash) || ib_wim_blob_find(image->wim, hash))
		return true;
	return ib_throw(err, IB_ERR_INPUT, "the content for '%s' is not in the WIM", path);
}

/* What lies at the place gets, or becomes, the inode. */
static void occupy(struct ib_image *image, struct place *place, struct inode *inode, struct ib_node **ret)
{
	if (place->node)
		exchange(place->node, inode);
	else
		place->node = insert(image, place, inode);
	touch(image);
	g_free(place->name);
	if (ret)
		*ret = place->node;
}

bool ib_image_put(struct ib_image *image, const char *path, const uint8_t *hash, const struct ib_node_meta *meta,
		  struct ib_node **ret, struct ib_error **err)
{
	struct place place;

	if (meta->attributes & (IB_ATTR_DIRECTORY | IB_ATTR_REPARSE))
		return ib_throw(err, IB_ERR_INPUT, "'%s': attributes 0x%x are not those of a plain file", path,
				meta->attributes);
	if (!check_blob(image, hash, path, err) || !find_place(image, path, &place, err))
		return false;
	if (place.node && place.node->dir) {
		g_free(place.name);
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a directory in the image", path);
	}
	struct inode *inode = inode_from(image, meta, false);
	if (!ib_wim_hash_is_zero(hash))
		memcpy(inode->hash, hash, sizeof inode->hash);
	occupy(image, &place, inode, ret);
	return true;
}

bool ib_image_put_reparse(struct ib_image *image, const char *path, uint32_t tag, GBytes *data,
			  const struct ib_node_meta *meta, struct ib_node **ret, struct ib_error **err)
{
	bool dir = meta->attributes & IB_ATTR_DIRECTORY;
	uint8_t hash[IB_WIM_HASH_SIZE];
	struct place place;
	gsize len;
	const void *bytes = g_bytes_get_data(data, &len);

	if (len == 0 || len > IB_REPARSE_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s': reparse data has 1 to %u bytes, not %zu", path, IB_REPARSE_MAX, len);
	if (!find_place(image, path, &place, err))
		return false;
	if (place.node && (place.node->dir || dir)) {
		g_free(place.name);
		return ib_throw(err, IB_ERR_INPUT, "'%s' exists in the image", path);
	}
	if (!ib_wim_add_bytes(image->wim, bytes, len, hash, err)) {
		g_free(place.name);
		return false;
	}
	struct inode *inode = inode_from(image, meta, dir);
	inode->attributes |= IB_ATTR_REPARSE;
	memcpy(inode->hash, hash, sizeof inode->hash);
	ib_put_le32(inode->reparse, tag);
	ib_put_le16(inode->reparse + 6, REPARSE_NOT_FIXED);
	occupy(image, &place, inode, ret);
	return true;
}

/* A file whose only unnamed stream is its reparse data gets one more. */
static uint8_t *add_content(struct inode *inode)
{
	inode->extra = g_renew(struct stream, inode->extra, inode->extra_count + 1u);
	struct stream *s = &inode->extra[inode->extra_count++];
	*s = (struct stream){ .name_bytes = 0 };
	return s->hash;
}

bool ib_image_set_content(struct ib_image *image, struct ib_node *node, const uint8_t *hash, uint64_t write_time,
			  struct ib_error **err)
{
	struct inode *inode = node->inode;
	g_autofree char *path = ib_node_path(node);

	if (ib_node_is_dir(node))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a directory in the image", path);
	if (!check_blob(image, hash, path, err))
		return false;
	uint8_t *slot = ib_wim_inode_content(inode);
	if (!slot && inode->extra_count == UINT16_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has too many streams", path);
	memcpy(slot ? slot : add_content(inode), hash ? hash : ib_wim_zero_hash, IB_WIM_HASH_SIZE);
	if (write_time)
		inode->write_time = write_time;
	touch(image);
	return true;
}

bool ib_image_mkdir(struct ib_image *image, const char *path, const struct ib_node_meta *meta,
		    struct ib_node **ret, struct ib_error **err)
{
	struct ib_node *dir = image->root;
	const char *rest = path;
	unsigned depth = 0;

	for (;;) {
		struct place place = { .dir = dir, .name = next_name(&rest) };
		if (!place.name)
			break;
		struct ib_node *node = ib_wim_dir_find(dir, place.name);
		bool ok = node || check_name(place.name, path, err);
		if (ok && node && !node->dir)
			ok = ib_throw(err, IB_ERR_INPUT, "'%s' is a file in the image, no directory", place.name);
		if (ok && ++depth > WIM_DEPTH_MAX)
			ok = ib_throw(err, IB_ERR_INPUT, "'%s' lies more than %u deep", path, WIM_DEPTH_MAX);
		if (ok && !node) {
			node = insert(image, &place, inode_from(image, meta, true));
			touch(image);
		}
		g_free(place.name);
		if (!ok)
			return false;
		dir = node;
	}
	if (ret)
		*ret = dir;
	return true;
}

bool ib_image_link(struct ib_image *image, struct ib_node *existing, const char *path, struct ib_node **ret,
		   struct ib_error **err)
{
	struct place place;

	if (ib_node_is_dir(existing))
		return ib_throw(err, IB_ERR_INPUT, "a directory cannot be linked to '%s'", path);
	if (existing->inode->names >= LINKS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' would be name %u of one file, NTFS takes at most %u", path,
				existing->inode->names + 1, LINKS_MAX);
	if (!find_place(image, path, &place, err))
		return false;
	if (place.node && place.node->dir) {
		g_free(place.name);
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a directory in the image", path);
	}
	if (!place.node)
		place.node = insert(image, &place, existing->inode);
	else if (place.node->inode != existing->inode)
		exchange(place.node, existing->inode);
	touch(image);
	g_free(place.name);
	if (ret)
		*ret = place.node;
	return true;
}

bool ib_image_remove(struct ib_image *image, struct ib_node *node, struct ib_error **err)
{
	if (!node->parent)
		return ib_throw(err, IB_ERR_INPUT, "the root of the image cannot be removed");
	ib_wim_dir_unlink(node);
	ib_wim_node_free(node);
	touch(image);
	return true;
}

/* How many levels of names lie in a subtree, its own included. */
static unsigned height(const struct ib_node *node)
{
	unsigned h = 0;

	for (const struct ib_node *n = node->dir ? node->dir->first : NULL; n; n = n->next)
		h = MAX(h, height(n));
	return h + 1;
}

static bool is_below(const struct ib_node *node, const struct ib_node *above)
{
	while (node && node != above)
		node = node->parent;
	return node != NULL;
}

static bool check_target(const struct place *place, const struct ib_node *node, const char *path,
			 struct ib_error **err)
{
	if (place->node && place->node != node)
		return ib_throw(err, IB_ERR_INPUT, "'%s' exists in the image", path);
	if (is_below(place->dir, node))
		return ib_throw(err, IB_ERR_INPUT, "a directory cannot be moved into itself, to '%s'", path);
	if (place->depth + height(node) - 1 > WIM_DEPTH_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' would lie more than %u deep", path, WIM_DEPTH_MAX);
	return check_name(place->name, path, err);
}

bool ib_image_rename(struct ib_image *image, struct ib_node *node, const char *path, struct ib_error **err)
{
	struct place place;

	if (!node->parent)
		return ib_throw(err, IB_ERR_INPUT, "the root of the image cannot be moved");
	if (!find_place(image, path, &place, err))
		return false;
	if (!check_target(&place, node, path, err)) {
		g_free(place.name);
		return false;
	}
	ib_wim_dir_unlink(node);
	g_free(node->name);
	node->name = place.name;
	g_clear_pointer(&node->short_name, g_free); /* it was made from the old name */
	ib_wim_dir_insert(place.dir, node);
	touch(image);
	return true;
}

void ib_node_set_attributes(struct ib_image *image, struct ib_node *node, uint32_t attributes)
{
	uint32_t kind = IB_ATTR_DIRECTORY | IB_ATTR_REPARSE; /* what the node is does not change */

	node->inode->attributes = (attributes & ~kind) | (node->inode->attributes & kind);
	touch(image);
}

void ib_node_set_security(struct ib_image *image, struct ib_node *node, GBytes *descriptor)
{
	node->inode->security = ib_wim_security_intern(image->security, descriptor);
	touch(image);
}
