/* wim: nodes, the inodes they share, and directories. */
#include "wim/internal.h"

#include <string.h>

/* Directories with fewer entries are searched one by one. */
#define INDEX_FROM 16u
/* Names differing in case only are compared one by one; a directory from Linux has a dozen. */
#define TWINS_MAX 256u

struct inode *ib_wim_inode_new(struct ib_image *image)
{
	struct inode *inode = g_new0(struct inode, 1);

	inode->id = image->next_id++;
	inode->security = -1;
	return inode;
}

/* An inode without a name yet, or with its last one, is freed. */
void ib_wim_inode_unref(struct inode *inode)
{
	if (inode->names > 1) {
		inode->names--;
		return;
	}
	for (unsigned i = 0; i < inode->extra_count; i++)
		g_free(inode->extra[i].name);
	g_free(inode->extra);
	g_free(inode->tagged);
	g_free(inode);
}

bool ib_wim_inode_is_dir(const struct inode *inode)
{
	return (inode->attributes & (IB_ATTR_DIRECTORY | IB_ATTR_REPARSE)) == IB_ATTR_DIRECTORY;
}

/*
 * Among unnamed streams, a reparse point's first one with content is its
 * reparse data; the next one is the content. Without extra streams the main
 * hash is the only stream.
 */
uint8_t *ib_wim_inode_content(struct inode *inode)
{
	bool reparse = inode->attributes & IB_ATTR_REPARSE;

	if (ib_wim_inode_is_dir(inode))
		return NULL;
	if (!ib_wim_hash_is_zero(inode->hash) || inode->extra_count == 0) {
		if (!reparse)
			return inode->hash;
		reparse = false;
	}
	for (unsigned i = 0; i < inode->extra_count; i++) {
		struct stream *s = &inode->extra[i];
		if (s->name_bytes)
			continue;
		if (!reparse)
			return s->hash;
		reparse = false;
	}
	return NULL;
}

struct ib_node *ib_wim_node_new(char *name, char *short_name, struct inode *inode)
{
	struct ib_node *node = g_new0(struct ib_node, 1);

	node->name = name;
	node->short_name = short_name;
	node->inode = inode;
	inode->names++;
	return node;
}

/* Depth is bounded by WIM_DEPTH_MAX. */
void ib_wim_node_free(struct ib_node *node)
{
	if (node->dir) {
		for (struct ib_node *n = node->dir->first, *next; n; n = next) {
			next = n->next;
			ib_wim_node_free(n);
		}
		g_clear_pointer(&node->dir->index, g_hash_table_unref);
		g_free(node->dir);
	}
	ib_wim_inode_unref(node->inode);
	g_free(node->name);
	g_free(node->short_name);
	g_free(node);
}

/* ---- directories ---- */

static guint name_hash(gconstpointer key)
{
	const struct ib_node *node = key;
	guint h = 5381;

	for (const char *p = node->name; *p; p++) {
		if ((unsigned char)*p >= 0x80) {
			g_autofree char *fold = ib_name_fold(node->name);
			return g_str_hash(fold);
		}
		h = h * 33 + (guint)g_ascii_toupper(*p);
	}
	return h;
}

static gboolean name_same(gconstpointer a, gconstpointer b)
{
	const struct ib_node *x = a, *y = b;

	return !strcmp(x->name, y->name) || ib_name_equal(x->name, y->name);
}

static void build_index(struct dir *dir)
{
	dir->index = g_hash_table_new(name_hash, name_same);
	for (struct ib_node *n = dir->first; n; n = n->next)
		if (!g_hash_table_contains(dir->index, n))
			g_hash_table_add(dir->index, n);
}

static struct ib_node *find_exact(const struct dir *dir, const char *name)
{
	for (struct ib_node *n = dir->first; n; n = n->next)
		if (!strcmp(n->name, name))
			return n;
	return NULL;
}

struct ib_node *ib_wim_dir_find(const struct ib_node *parent, const char *name)
{
	struct dir *dir = parent->dir;
	struct ib_node key = { .name = (char *)name }, *found = NULL;

	if (!dir)
		return NULL;
	if (dir->twins > 0 && (found = find_exact(dir, name)))
		return found;
	if (dir->count < INDEX_FROM) {
		for (found = dir->first; found && !name_same(found, &key); found = found->next)
			;
		return found;
	}
	if (!dir->index)
		build_index(dir);
	return g_hash_table_lookup(dir->index, &key);
}

/* The order libwim and Windows write: without case first, then by case. */
static int compare(const struct ib_node *a, const struct ib_node *b)
{
	int order = ib_name_compare(a->name, b->name);

	return order ? order : strcmp(a->name, b->name);
}

static gint compare_items(gconstpointer a, gconstpointer b)
{
	return compare(*(struct ib_node *const *)a, *(struct ib_node *const *)b);
}

void ib_wim_dir_sort(struct dir *dir)
{
	g_autoptr(GPtrArray) all = NULL;

	if (dir->sorted || dir->count == 0)
		return;
	all = g_ptr_array_sized_new(dir->count);
	for (struct ib_node *n = dir->first; n; n = n->next)
		g_ptr_array_add(all, n);
	g_ptr_array_sort(all, compare_items);
	for (guint i = 0; i < all->len; i++) {
		struct ib_node *n = g_ptr_array_index(all, i);
		n->prev = i > 0 ? g_ptr_array_index(all, i - 1) : NULL;
		n->next = i + 1 < all->len ? g_ptr_array_index(all, i + 1) : NULL;
	}
	dir->first = g_ptr_array_index(all, 0);
	dir->last = g_ptr_array_index(all, all->len - 1);
	dir->sorted = true;
}

bool ib_wim_dir_insert(struct ib_node *parent, struct ib_node *node)
{
	struct dir *dir = parent->dir;
	struct ib_node *twin = ib_wim_dir_find(parent, node->name);

	if (twin && (!strcmp(twin->name, node->name) || dir->twins >= TWINS_MAX))
		return false;
	dir->sorted = dir->count == 0 || (dir->sorted && compare(dir->last, node) < 0);
	node->parent = parent;
	node->prev = dir->last;
	node->next = NULL;
	if (dir->last)
		dir->last->next = node;
	else
		dir->first = node;
	dir->last = node;
	dir->count++;
	if (twin)
		dir->twins++;
	else if (dir->index)
		g_hash_table_add(dir->index, node);
	return true;
}

void ib_wim_dir_unlink(struct ib_node *node)
{
	struct dir *dir = node->parent->dir;
	bool indexed = dir->index && g_hash_table_lookup(dir->index, node) == node;

	if (indexed)
		g_hash_table_remove(dir->index, node);
	if (node->prev)
		node->prev->next = node->next;
	else
		dir->first = node->next;
	if (node->next)
		node->next->prev = node->prev;
	else
		dir->last = node->prev;
	node->parent = node->prev = node->next = NULL;
	dir->count--;
	if (dir->twins > 0) /* a twin may have to take the place in the index: it is built again */
		g_clear_pointer(&dir->index, g_hash_table_unref);
}
