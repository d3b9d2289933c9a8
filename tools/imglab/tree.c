/* The tree of one image in memory. */
#include <string.h>

#include "tree_internal.h"

/* What a folder gets when no component says otherwise. */
static const char default_sddl[] =
	"O:SYG:SYD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;OICIIO;GA;;;CO)";

static struct lab_node *new_node(struct lab_tree *t, const char *path, const char *name, struct lab_inode *inode,
				 bool directory)
{
	struct lab_node *n = lab_alloc(t->arena, sizeof(*n));

	n->name = name;
	n->inode = inode;
	n->children = directory ? lab_array(t->arena) : NULL;
	g_hash_table_insert(t->nodes, g_ascii_strdown(path, -1), n);
	return n;
}

static struct lab_inode *new_inode(struct lab_tree *t, GBytes *bytes)
{
	struct lab_inode *i = lab_alloc(t->arena, sizeof(*i));

	i->bytes = bytes ? lab_keep(t->arena, g_bytes_ref(bytes), (GDestroyNotify)g_bytes_unref) : NULL;
	i->sddl = default_sddl;
	i->attributes = bytes ? 0x20 : 0; /* archive */
	return i;
}

struct lab_tree *lab_tree_new(void)
{
	struct lab_tree *t = g_new0(struct lab_tree, 1);

	t->arena = lab_arena_new();
	t->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	t->root = new_node(t, "", "", new_inode(t, NULL), true);
	return t;
}

void lab_tree_free(struct lab_tree *t)
{
	if (!t)
		return;
	g_hash_table_unref(t->nodes);
	lab_arena_free(t->arena);
	g_free(t);
}

struct lab_node *lab_tree_find(const struct lab_tree *t, const char *path)
{
	g_autofree char *key = g_ascii_strdown(path, -1);

	return g_hash_table_lookup(t->nodes, key);
}

/* The folder at path[0..len), made with its parents, one level a turn. */
static struct lab_node *make_dir(struct lab_tree *t, const char *path, size_t len)
{
	struct lab_node *at = t->root;
	size_t from = 0;

	while (from < len) {
		size_t to = from;

		while (to < len && path[to] != '\\')
			to++;
		if (to > from) {
			g_autofree char *prefix = g_strndup(path, to);
			struct lab_node *next = lab_tree_find(t, prefix);

			if (!next) {
				next = new_node(t, prefix, lab_printf(t->arena, "%.*s", (int)(to - from), path + from),
						new_inode(t, NULL), true);
				g_ptr_array_add(at->children, next);
			}
			g_assert(next->children);
			at = next;
		}
		from = to + 1;
	}
	return at;
}

struct lab_inode *lab_tree_dir(struct lab_tree *t, const char *path)
{
	return make_dir(t, path, strlen(path))->inode;
}

static bool add_name(struct lab_tree *t, const char *path, struct lab_inode *inode)
{
	const char *slash = strrchr(path, '\\');
	struct lab_node *dir = make_dir(t, path, slash ? (size_t)(slash - path) : 0);

	if (lab_tree_find(t, path))
		return false;
	g_ptr_array_add(dir->children,
			new_node(t, path, lab_printf(t->arena, "%s", slash ? slash + 1 : path), inode, false));
	return true;
}

struct lab_inode *lab_tree_file(struct lab_tree *t, const char *path, GBytes *bytes)
{
	struct lab_inode *inode = new_inode(t, bytes);

	return add_name(t, path, inode) ? inode : NULL;
}

bool lab_tree_link(struct lab_tree *t, const char *path, struct lab_inode *inode)
{
	return add_name(t, path, inode);
}

void lab_tree_keep(struct lab_tree *t, GBytes *bytes)
{
	lab_keep(t->arena, bytes, (GDestroyNotify)g_bytes_unref);
}

size_t lab_tree_count(const struct lab_tree *t)
{
	return g_hash_table_size(t->nodes) - 1;
}
