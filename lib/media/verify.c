/* The verifier: every structure of a UDF bridge against every other one that speaks of the same. */
#include "media/internal.h"

#include <string.h>

/* What is being verified. */
struct check {
	struct ib_input *in;
	const char *name;
	uint64_t sectors;
	struct ib_media_udf_volume volume;
	GArray *nodes;
	struct ib_media *media;
	struct ib_media_volumes found;
};

/* Sectors [first, end) that belong to one owner. */
struct range {
	uint64_t first, end;
	const char *path;
	const char *what;
	bool shareable;
};

static bool differ(const struct check *c, uint64_t lsn, const char *what, uint64_t have, uint64_t want, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_VERIFY, "'%s' sector %" PRIu64 ": %s is %" PRIu64 ", it should be %" PRIu64, c->name, lsn,
			what, have, want);
}

/* A tag whose sector is known; for sectors outside the partition. */
static bool check_sector(const struct check *c, uint64_t lsn, unsigned id, uint8_t *sector, struct ib_error **err)
{
	struct ib_media_place place = { .name = c->name, .lsn = lsn, .location = (uint32_t)lsn };

	return ib_media_sector(c->in, lsn, sector, err) && ib_media_tag_check(sector, IB_MEDIA_SECTOR, id, &place, err);
}

static bool check_anchors(const struct check *c, struct ib_error **err)
{
	uint8_t first[IB_MEDIA_SECTOR], last[IB_MEDIA_SECTOR];

	if (!check_sector(c, ANCHOR_LSN, TAG_AVDP, first, err) || !check_sector(c, c->sectors - 1, TAG_AVDP, last, err))
		return false;
	if (memcmp(first + 16, last + 16, 16) != 0)
		return ib_throw(err, IB_ERR_VERIFY, "'%s': the anchors in sectors %u and %" PRIu64 " differ", c->name, ANCHOR_LSN,
				c->sectors - 1);
	return true;
}

/* Main and reserve sequence hold the same but for the tags' locations, and with them checksums. */
static bool check_sequences(const struct check *c, struct ib_error **err)
{
	uint8_t a[IB_MEDIA_SECTOR], b[IB_MEDIA_SECTOR];
	const struct ib_media_udf_volume *v = &c->volume;

	if (v->main_bytes != v->reserve_bytes)
		return differ(c, v->anchor, "the length of the reserve sequence", v->reserve_bytes, v->main_bytes, err);
	for (uint32_t i = 0; i < v->main_bytes / IB_MEDIA_SECTOR; i++) {
		uint64_t main_lsn = (uint64_t)v->main_lsn + i, reserve_lsn = (uint64_t)v->reserve_lsn + i;
		if (!ib_media_sector(c->in, main_lsn, a, err))
			return false;
		unsigned id = ib_le16(a);
		if (!check_sector(c, main_lsn, id, a, err) || !check_sector(c, reserve_lsn, id, b, err))
			return false;
		if (memcmp(a + 16, b + 16, sizeof a - 16) != 0)
			return ib_throw(err, IB_ERR_VERIFY, "'%s': the %ss in sectors %" PRIu64 " and %" PRIu64 " differ", c->name,
					ib_media_tag_name(id), main_lsn, reserve_lsn);
		if (id == TAG_TD)
			return true;
	}
	return ib_throw(err, IB_ERR_VERIFY, "'%s' sector %u: the volume descriptors have no end", c->name, v->main_lsn);
}

static bool check_integrity(const struct check *c, struct ib_error **err)
{
	uint8_t p[IB_MEDIA_SECTOR];
	uint64_t lsn = c->volume.integrity_lsn;
	uint64_t files = 0, dirs = 0, next;
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

	if (!check_sector(c, lsn, TAG_LVID, p, err))
		return false;
	next = ib_le64(p + 40);
	for (guint i = 0; i < c->nodes->len; i++) {
		const struct ib_media_node *n = &g_array_index(c->nodes, struct ib_media_node, i);
		*(n->is_dir ? &dirs : &files) += 1;
		if (n->unique_id >= next || !g_hash_table_add(seen, GSIZE_TO_POINTER(n->unique_id + 1)))
			return ib_throw(err, IB_ERR_VERIFY, "'%s': '/%s' has unique id %" PRIu64 ", which is not free below %" PRIu64,
					c->name, n->path, n->unique_id, next);
	}
	if (ib_le32(p + 28) != 1)
		return differ(c, lsn, "the integrity type", ib_le32(p + 28), 1, err);
	if (ib_le32(p + 72) != 1)
		return differ(c, lsn, "the number of partitions", ib_le32(p + 72), 1, err);
	if (ib_le32(p + 76) < 46)
		return differ(c, lsn, "the length of the implementation use", ib_le32(p + 76), 46, err);
	if (ib_le32(p + 84) != c->volume.part_blocks)
		return differ(c, lsn, "the size of the partition", ib_le32(p + 84), c->volume.part_blocks, err);
	if (ib_le32(p + 120) != files)
		return differ(c, lsn, "the number of files", ib_le32(p + 120), files, err);
	if (ib_le32(p + 124) != dirs)
		return differ(c, lsn, "the number of folders", ib_le32(p + 124), dirs, err);
	return true;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* What one node takes; its sizes agree with each other. */
static bool add_ranges(const struct check *c, const struct ib_media_node *n, GArray *ranges, struct ib_error **err)
{
	uint64_t entry = (uint64_t)c->volume.part_start + n->lbn, blocks = 0;
	struct range r = { .first = entry, .end = entry + 1, .path = n->path, .what = "file entry" };

	g_array_append_val(ranges, r);
	for (guint i = 0; !n->embedded && i < n->extents->len; i++) {
		const struct ib_extent *e = &g_array_index(n->extents, struct ib_extent, i);
		r.first = e->offset / IB_MEDIA_SECTOR;
		r.end = (e->offset + e->length + IB_MEDIA_SECTOR - 1) / IB_MEDIA_SECTOR;
		r.what = "data";
		r.shareable = !n->is_dir;
		blocks += r.end - r.first;
		g_array_append_val(ranges, r);
	}
	if (n->described != n->size)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' sector %" PRIu64 ": '/%s' has %" PRIu64 " bytes, its extents hold %" PRIu64,
				c->name, entry, n->path, n->size, n->described);
	if (n->blocks != blocks)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' sector %" PRIu64 ": '/%s' says it takes %" PRIu64 " blocks, it takes %" PRIu64,
				c->name, entry, n->path, n->blocks, blocks);
	return true;
}

static bool check_ranges(const struct check *c, struct ib_error **err)
{
	g_autoptr(GArray) ranges = g_array_new(FALSE, TRUE, sizeof(struct range));
	uint64_t fileset = (uint64_t)c->volume.part_start + c->volume.fileset_lbn;
	struct range r = { .first = fileset, .end = fileset + 1, .path = "", .what = "file set" };

	g_array_append_val(ranges, r);
	for (guint i = 0; i < c->nodes->len; i++)
		if (!add_ranges(c, &g_array_index(c->nodes, struct ib_media_node, i), ranges, err))
			return false;
	g_array_sort(ranges, compare_ranges);
	for (guint i = 1; i < ranges->len; i++) {
		const struct range *a = &g_array_index(ranges, struct range, i - 1);
		const struct range *b = &g_array_index(ranges, struct range, i);
		bool shared = a->shareable && b->shareable && a->first == b->first && a->end == b->end;
		if (b->first < a->end && !shared)
			return ib_throw(err, IB_ERR_VERIFY, "'%s' sector %" PRIu64 ": %s of '/%s' and %s of '/%s' overlap", c->name,
					b->first, a->what, a->path, b->what, b->path);
	}
	uint64_t end = (uint64_t)c->volume.part_start + c->volume.part_blocks;
	if (end > c->sectors)
		return differ(c, c->volume.main_lsn, "the end of the partition", end, c->sectors, err);
	return true;
}

static bool check_iso9660(const struct check *c, struct ib_error **err)
{
	uint8_t p[IB_MEDIA_SECTOR];

	if (!c->found.primary)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' has no ISO 9660 volume descriptor, no firmware boots it", c->name);
	if (!ib_media_sector(c->in, c->found.primary, p, err))
		return false;
	if (ib_le32(p + 80) != c->sectors || ib_be32(p + 84) != c->sectors)
		return differ(c, c->found.primary, "the size of the volume in sectors", ib_le32(p + 80), c->sectors, err);
	for (size_t i = 0; i < ib_media_boot_count(c->media); i++) {
		const struct ib_media_boot *boot = ib_media_boot(c->media, i);
		if (!boot->entry || boot->entry->extents[0].offset != (uint64_t)boot->lba * IB_MEDIA_SECTOR)
			return ib_throw(err, IB_ERR_VERIFY, "'%s': the boot catalogue points to sector %u, where no file begins", c->name,
					boot->lba);
		if (boot->sectors * UINT64_C(512) > boot->entry->size + IB_MEDIA_SECTOR - 1)
			return ib_throw(err, IB_ERR_VERIFY, "'%s': the boot catalogue loads %u sectors of '/%s', which has %" PRIu64 " bytes",
					c->name, boot->sectors, boot->entry->path, boot->entry->size);
	}
	return true;
}

static bool check_all(struct check *c, struct ib_error **err)
{
	if (ib_input_size(c->in) % IB_MEDIA_SECTOR)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' has %" PRIu64 " bytes, which is no number of sectors", c->name,
				ib_input_size(c->in));
	if (!ib_media_udf_volume(c->in, &c->volume, err) || !ib_media_read_udf(c->media, &c->volume, c->nodes, err))
		return false;
	ib_media_sort(c->media);
	if (c->found.boot && !ib_media_read_eltorito(c->media, c->found.boot, err))
		return false;
	return check_anchors(c, err) && check_sequences(c, err) && check_integrity(c, err) && check_ranges(c, err) &&
	       check_iso9660(c, err);
}

bool ib_media_verify(struct ib_input *in, struct ib_error **err)
{
	struct check c = { .in = in, .name = ib_input_name(in), .sectors = ib_input_size(in) / IB_MEDIA_SECTOR };
	ib_auto_error inner = NULL;

	if (!ib_media_recognise(in, &c.found, err))
		return false;
	if (!c.found.udf)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds no UDF volume", c.name);
	c.nodes = ib_media_nodes();
	c.media = ib_media_new_empty(in);
	bool ok = check_all(&c, &inner);
	g_array_unref(c.nodes);
	ib_media_free(c.media);
	g_free(c.volume.label);
	if (ok)
		return true;
	/* to the reader a fault is bad input; here it is what was looked for */
	enum ib_code code = ib_error_code(inner) == IB_ERR_INPUT ? IB_ERR_VERIFY : ib_error_code(inner);
	return ib_throw(err, code, "%s", ib_error_cause(inner));
}
