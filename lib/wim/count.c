/* wim: what an image refers to: exact reference counts, and the sums in the XML. */
#include "wim/internal.h"

struct counter {
	struct ib_image *image;
	struct image_sums sums;
	GHashTable *seen; /* inodes with several names */
};

static bool count_hash(struct counter *c, const uint8_t *hash, uint64_t *size, const struct ib_node *node,
		       struct ib_error **err)
{
	if (ib_wim_hash_is_zero(hash))
		return true;
	struct blob *b = ib_wim_blob_find(c->image->wim, hash);
	if (!b) {
		g_autofree char *path = ib_node_path(node), *hex = ib_hex(hash, IB_WIM_HASH_SIZE);
		return ib_throw(err, IB_ERR_INPUT, "the content of '%s' (SHA-1 %s) is not in the WIM", path, hex);
	}
	if (b->refs == UINT32_MAX)
		return ib_throw(err, IB_ERR_INPUT, "one content has more than 4294967295 references");
	b->refs++;
	*size += b->size;
	return true;
}

static bool count_node(struct counter *c, const struct ib_node *node, struct ib_error **err)
{
	const struct inode *inode = node->inode;
	uint64_t size = 0;

	if (!count_hash(c, inode->hash, &size, node, err))
		return false;
	for (unsigned i = 0; i < inode->extra_count; i++)
		if (!count_hash(c, inode->extra[i].hash, &size, node, err))
			return false;
	if (ib_wim_inode_is_dir(inode))
		c->sums.dirs++;
	else
		c->sums.files++;
	c->sums.total += size;
	if (inode->names > 1 && !g_hash_table_add(c->seen, (gpointer)inode))
		c->sums.hard_link += size;
	return true;
}

/* Depth is bounded by WIM_DEPTH_MAX, kept by reading and editing. */
static bool count_tree(struct counter *c, const struct ib_node *node, struct ib_error **err)
{
	if (!count_node(c, node, err))
		return false;
	for (const struct ib_node *n = node->dir ? node->dir->first : NULL; n; n = n->next)
		if (!count_tree(c, n, err))
			return false;
	return true;
}

bool ib_wim_count(struct ib_image *image, struct image_sums *ret, struct ib_error **err)
{
	struct counter c = { .image = image, .seen = g_hash_table_new(NULL, NULL) };
	bool ok = count_tree(&c, image->root, err);

	g_hash_table_unref(c.seen);
	if (ok)
		*ret = c.sums;
	return ok;
}
