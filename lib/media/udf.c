/* Reading the UDF tree: file entries and folders. */
#include "media/internal.h"

#include <string.h>

/* Bytes of one folder; 16 MiB hold some 200,000 entries. */
#define FOLDER_MAX (16u << 20)
/* Bytes of all folders together. */
#define FOLDERS_MAX (256u << 20)
/* Blocks of allocation descriptors behind a file entry: 253 extents each; pressed discs need none. */
#define CHAIN_MAX 64u

#define FID_DIR 0x02
#define FID_DELETED 0x04
#define FID_PARENT 0x08

#define ICB_DIR 4
#define ICB_FILE 5

struct udf {
	struct ib_media *media;
	const struct ib_media_udf_volume *volume;
	const char *name; /* of the image */
	uint64_t folder_bytes;
	unsigned seen;    /* file identifiers, deleted ones included */
	GHashTable *visited; /* block of a folder's entry */
	GHashTable *known;   /* block of an entry that is in nodes */
	GArray *queue;
	GArray *nodes;       /* or NULL */
};

static void node_clear(void *data)
{
	struct ib_media_node *node = data;

	g_free(node->path);
	if (node->extents)
		g_array_unref(node->extents);
}

GArray *ib_media_nodes(void)
{
	GArray *nodes = g_array_new(FALSE, TRUE, sizeof(struct ib_media_node));

	g_array_set_clear_func(nodes, node_clear);
	return nodes;
}

static bool read_block(const struct udf *u, uint32_t lbn, uint8_t *buf, struct ib_error **err)
{
	if (lbn >= u->volume->part_blocks)
		return ib_throw(err, IB_ERR_INPUT, "'%s': block %u lies outside the partition of %u blocks", u->name, lbn,
				u->volume->part_blocks);
	return ib_media_sector(u->media->in, (uint64_t)u->volume->part_start + lbn, buf, err);
}

/* Where the descriptors of a file entry lie, which differs between the two kinds of entries. */
struct shape {
	enum tag_id id;
	unsigned blocks_at, mtime_at, unique_at, ea_at, ad_at;
};

static const struct shape plain_entry = { TAG_FE, 64, 84, 160, 168, 176 };
static const struct shape extended_entry = { TAG_EFE, 72, 92, 200, 208, 216 };

static bool throw_entry(const struct udf *u, const struct ib_media_node *node, const char *why, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the file entry of '/%s' %s", u->name,
			(uint64_t)u->volume->part_start + node->lbn, node->path, why);
}

/* One extent of the file, cut to what is left of it. */
static bool add_extent(const struct udf *u, struct ib_media_node *node, uint32_t lbn, uint32_t length, struct ib_error **err)
{
	uint64_t left = node->size > node->described ? node->size - node->described : 0;
	uint32_t blocks = length / IB_MEDIA_SECTOR + (length % IB_MEDIA_SECTOR ? 1 : 0);
	struct ib_extent e = { .offset = ((uint64_t)u->volume->part_start + lbn) * IB_MEDIA_SECTOR,
			       .length = MIN(left, length) };
	struct ib_extent *last = node->extents->len ?
		&g_array_index(node->extents, struct ib_extent, node->extents->len - 1) : NULL;

	if (lbn > u->volume->part_blocks || blocks > u->volume->part_blocks - lbn)
		return ib_throw(err, IB_ERR_INPUT, "'%s': '/%s' has an extent of %u blocks at block %u, the partition has %u",
				u->name, node->path, blocks, lbn, u->volume->part_blocks);
	if (e.offset > ib_input_size(u->media->in) || e.length > ib_input_size(u->media->in) - e.offset)
		return ib_throw(err, IB_ERR_INPUT, "'%s' ends early: an extent of '/%s' reaches byte %" PRIu64 ", the image has %" PRIu64,
				u->name, node->path, e.offset + e.length, ib_input_size(u->media->in));
	if (node->described % IB_MEDIA_SECTOR)
		return throw_entry(u, node, "has an extent that ends inside a block and is not the last", err);
	node->described += length;
	if (!e.length)
		return true;
	if (last && last->offset + last->length == e.offset)
		last->length += e.length;
	else
		g_array_append_val(node->extents, e);
	return true;
}

/*
 * Allocation descriptors of 8 or 16 bytes. ret_next: block with more of them,
 * or UINT32_MAX when the list ended here.
 */
static bool add_extents(const struct udf *u, struct ib_media_node *node, const uint8_t *p, size_t size, size_t step,
			uint32_t *ret_next, struct ib_error **err)
{
	*ret_next = UINT32_MAX;
	for (size_t at = 0; at + step <= size; at += step) {
		uint32_t word = ib_le32(p + at);
		uint32_t lbn = ib_le32(p + at + 4);
		uint32_t length = word & AD_LENGTH_MASK;
		if (length == 0)
			return true;
		if (step == 16 && ib_le16(p + at + 8) != 0)
			return throw_entry(u, node, "points to another partition", err);
		if (word >> 30 == 3) {
			*ret_next = lbn;
			return true;
		}
		if (word >> 30 != 0 && node->described >= node->size)
			continue; /* room kept behind the end */
		if (word >> 30 != 0)
			return throw_entry(u, node, "has a hole, which is not supported", err);
		if (!add_extent(u, node, lbn, length, err))
			return false;
	}
	return true;
}

/* Follow the chain of allocation extent descriptors. */
static bool add_chain(const struct udf *u, struct ib_media_node *node, uint32_t lbn, size_t step, struct ib_error **err)
{
	uint8_t block[IB_MEDIA_SECTOR];

	for (unsigned n = 0; lbn != UINT32_MAX; n++) {
		struct ib_media_place place = { .name = u->name, .lsn = (uint64_t)u->volume->part_start + lbn, .location = lbn };
		if (n == CHAIN_MAX)
			return throw_entry(u, node, "has too many allocation extents", err);
		if (!read_block(u, lbn, block, err) || !ib_media_tag_check(block, sizeof block, TAG_AED, &place, err))
			return ib_while(err, "reading the extents of '/%s'", node->path);
		uint32_t size = ib_le32(block + 20);
		if (size > sizeof block - 24)
			return throw_entry(u, node, "has an allocation extent that leaves its block", err);
		if (!add_extents(u, node, block + 24, size, step, &lbn, err))
			return false;
	}
	return true;
}

static bool parse_data(const struct udf *u, struct ib_media_node *node, const uint8_t *block, const struct shape *shape,
		       struct ib_error **err)
{
	unsigned kind = ib_le16(block + 34) & 7;
	uint64_t ea = ib_le32(block + shape->ea_at);
	uint64_t ads = ib_le32(block + shape->ea_at + 4);
	uint64_t at = shape->ad_at + ea;
	uint32_t next;

	if (at + ads > IB_MEDIA_SECTOR)
		return throw_entry(u, node, "has descriptors that leave its block", err);
	if (kind == 3) {
		struct ib_extent e = { .offset = ((uint64_t)u->volume->part_start + node->lbn) * IB_MEDIA_SECTOR + at,
				       .length = node->size };
		if (ads < node->size)
			return throw_entry(u, node, "embeds less data than its size says", err);
		node->embedded = true;
		node->described = ads;
		if (e.length)
			g_array_append_val(node->extents, e);
		return true;
	}
	if (kind > 1)
		return throw_entry(u, node, "has an unknown kind of allocation descriptors", err);
	size_t step = kind == 0 ? 8 : 16;
	if (!add_extents(u, node, block + at, (size_t)ads, step, &next, err) || !add_chain(u, node, next, step, err))
		return false;
	if (node->described < node->size)
		return ib_throw(err, IB_ERR_INPUT, "'%s': '/%s' has %" PRIu64 " bytes, its extents hold %" PRIu64, u->name,
				node->path, node->size, node->described);
	return true;
}

/* Read the file entry at node->lbn. node->extents is owned by the node. */
static bool read_entry(const struct udf *u, struct ib_media_node *node, int64_t *ret_mtime, struct ib_error **err)
{
	uint8_t block[IB_MEDIA_SECTOR];
	struct ib_media_place place = { .name = u->name, .lsn = (uint64_t)u->volume->part_start + node->lbn,
					.location = node->lbn };

	if (!read_block(u, node->lbn, block, err))
		return ib_while(err, "reading the file entry of '/%s'", node->path);
	const struct shape *shape = ib_le16(block) == TAG_EFE ? &extended_entry : &plain_entry;
	if (!ib_media_tag_check(block, sizeof block, shape->id, &place, err))
		return ib_while(err, "reading the file entry of '/%s'", node->path);
	if (ib_le16(block + 20) != 4)
		return throw_entry(u, node, "uses an ICB strategy other than 4", err);
	if (block[27] != ICB_DIR && block[27] != ICB_FILE)
		return throw_entry(u, node, "is neither a file nor a folder", err);
	node->is_dir = block[27] == ICB_DIR;
	node->size = ib_le64(block + 56);
	node->links = ib_le16(block + 48);
	node->blocks = ib_le64(block + shape->blocks_at);
	node->unique_id = ib_le64(block + shape->unique_at);
	node->extents = g_array_new(FALSE, FALSE, sizeof(struct ib_extent));
	*ret_mtime = ib_media_time_decode(block + shape->mtime_at);
	return parse_data(u, node, block, shape, err);
}

/* A folder's data may be read only once per folder: its size is counted. */
static bool folder_bytes(struct udf *u, const struct ib_media_node *node, GBytes **ret, struct ib_error **err)
{
	ib_auto_input part = NULL;

	u->folder_bytes += node->size;
	if (node->size > FOLDER_MAX || u->folder_bytes > FOLDERS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s': folder '/%s' has %" PRIu64 " bytes, that is more than is accepted",
				u->name, node->path, node->size);
	if (!ib_input_part(u->media->in, (const struct ib_extent *)(const void *)node->extents->data, node->extents->len,
			   u->name, &part, err) ||
	    !ib_input_bytes(part, FOLDER_MAX, ret, err))
		return ib_while(err, "reading folder '/%s'", node->path);
	return true;
}

/* Walks a folder's extents along with its identifiers. */
struct position {
	guint index;
	uint64_t begin; /* of that extent in the folder */
};

/* The sector in which byte `at` of a folder lies; `at` never goes back. */
static uint64_t folder_sector(const struct ib_media_node *node, struct position *pos, uint64_t at)
{
	const struct ib_extent *e = &g_array_index(node->extents, struct ib_extent, pos->index);

	while (at - pos->begin >= e->length && pos->index + 1 < node->extents->len) {
		pos->begin += e->length;
		pos->index++;
		e++;
	}
	return (e->offset + at - pos->begin) / IB_MEDIA_SECTOR;
}

static bool visit(struct udf *u, struct ib_media_node *node, struct ib_media_pending *pending, bool want_dir,
		  struct ib_error **err)
{
	int64_t mtime;

	if (!read_entry(u, node, &mtime, err))
		return false;
	if (node->is_dir != want_dir)
		return throw_entry(u, node, "and the folder it lies in disagree on whether it is a folder", err);
	struct ib_media_entry e = { .path = node->path, .is_dir = node->is_dir, .mtime = mtime };
	if (!node->is_dir) {
		e.size = node->size;
		e.extents = (const struct ib_extent *)(const void *)node->extents->data;
		e.extent_count = node->extents->len;
	}
	if (*node->path && !ib_media_add(u->media, &e, err))
		return false;
	if (node->is_dir && !g_hash_table_add(u->visited, GUINT_TO_POINTER(node->lbn + 1)))
		return throw_entry(u, node, "belongs to two folders", err);
	if (node->is_dir) {
		pending->path = g_strdup(node->path);
		pending->place = node->lbn;
		return ib_media_push(u->media, u->queue, *pending, err);
	}
	return true;
}

/* Keep the node for the verifier; hard links are one node. */
static void keep(struct udf *u, struct ib_media_node *node)
{
	if (u->nodes && g_hash_table_add(u->known, GUINT_TO_POINTER(node->lbn + 1))) {
		g_array_append_val(u->nodes, *node);
		memset(node, 0, sizeof *node);
	}
}

static bool visit_child(struct udf *u, const struct ib_media_pending *folder, const char *name, const uint8_t *fid,
			struct ib_error **err)
{
	struct ib_media_node node = { .lbn = ib_le32(fid + 24) };
	struct ib_media_pending pending = { .depth = folder->depth + 1 };

	if (!ib_media_join(u->media, folder->path, name, &node.path, err))
		return false;
	bool ok = ib_le16(fid + 28) == 0 || throw_entry(u, &node, "lies in another partition", err);
	ok = ok && visit(u, &node, &pending, (fid[18] & FID_DIR) != 0, err);
	if (ok)
		keep(u, &node);
	node_clear(&node);
	return ok;
}

/* One file identifier; *ret_size is what it takes. */
static bool read_identifier(struct udf *u, const struct ib_media_pending *folder, const uint8_t *p, size_t room,
			    uint64_t lsn, size_t *ret_size, struct ib_error **err)
{
	struct ib_media_place place = { .name = u->name, .lsn = lsn, .location = (uint32_t)(lsn - u->volume->part_start),
					.anywhere = !u->nodes };
	size_t size = room < 38 ? 0 : (38u + p[19] + ib_le16(p + 36) + 3u) & ~(size_t)3;

	if (size == 0 || size > room)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": a file identifier of folder '/%s' is cut off", u->name,
				lsn, folder->path);
	if (!ib_media_tag_check(p, size, TAG_FID, &place, err))
		return ib_while(err, "reading folder '/%s'", folder->path);
	*ret_size = size;
	if (++u->seen > IB_MEDIA_MAX_ENTRIES)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds more than %u files and folders", u->name, IB_MEDIA_MAX_ENTRIES);
	if (p[18] & (FID_DELETED | FID_PARENT))
		return true;
	g_autofree char *name = ib_media_cs0_decode(p + 38 + ib_le16(p + 36), p[19]);
	if (!name)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": a name in folder '/%s' is no text", u->name, lsn,
				folder->path);
	return visit_child(u, folder, name, p, err);
}

static bool read_folder(struct udf *u, const struct ib_media_pending *folder, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	struct ib_media_node node = { .lbn = (uint32_t)folder->place, .path = folder->path };
	struct position pos = { 0 };
	int64_t mtime;
	size_t size = 0, step = 0;
	bool ok = read_entry(u, &node, &mtime, err) && folder_bytes(u, &node, &bytes, err);

	const uint8_t *data = ok ? g_bytes_get_data(bytes, &size) : NULL;
	for (size_t at = 0; ok && at < size; at += step)
		ok = read_identifier(u, folder, data + at, size - at, folder_sector(&node, &pos, at), &step, err);
	node.path = NULL;
	node_clear(&node);
	return ok;
}

static bool read_tree(struct udf *u, struct ib_error **err)
{
	struct ib_media_node root = { .lbn = u->volume->root_lbn, .path = g_strdup("") };
	struct ib_media_pending pending = { 0 };
	bool ok = visit(u, &root, &pending, true, err);

	if (ok)
		keep(u, &root);
	node_clear(&root);
	while (ok && u->queue->len > 0) {
		struct ib_media_pending *last = &g_array_index(u->queue, struct ib_media_pending, u->queue->len - 1);
		struct ib_media_pending folder = *last;
		last->path = NULL;
		g_array_set_size(u->queue, u->queue->len - 1);
		ok = read_folder(u, &folder, err);
		g_free(folder.path);
	}
	return ok;
}

bool ib_media_read_udf(struct ib_media *m, const struct ib_media_udf_volume *volume, GArray *nodes, struct ib_error **err)
{
	struct udf u = { .media = m, .volume = volume, .name = ib_input_name(m->in), .nodes = nodes };

	u.visited = g_hash_table_new(NULL, NULL);
	u.known = g_hash_table_new(NULL, NULL);
	u.queue = ib_media_queue();
	bool ok = read_tree(&u, err);
	g_hash_table_unref(u.visited);
	g_hash_table_unref(u.known);
	g_array_unref(u.queue);
	return ok;
}
