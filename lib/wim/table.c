/* wim: the blob table. */
#include "wim/internal.h"

#include <string.h>

struct reshdr ib_wim_get_reshdr(const uint8_t *p)
{
	uint64_t first = ib_le64(p);

	return (struct reshdr){
		.stored = first & ((G_GUINT64_CONSTANT(1) << 56) - 1),
		.flags = (uint8_t)(first >> 56),
		.offset = ib_le64(p + 8),
		.size = ib_le64(p + 16),
	};
}

void ib_wim_put_reshdr(uint8_t *p, const struct reshdr *r)
{
	ib_put_le64(p, r->stored | (uint64_t)r->flags << 56);
	ib_put_le64(p + 8, r->offset);
	ib_put_le64(p + 16, r->size);
}

bool ib_wim_check_range(struct ib_wim *wim, const struct reshdr *r, const char *what, struct ib_error **err)
{
	uint64_t file = ib_input_size(wim->in);

	if (r->offset < WIM_HEADER_SIZE || r->offset > file || r->stored > file - r->offset)
		return ib_throw(err, IB_ERR_INPUT,
				"'%s' is damaged: %s lies at byte %" PRIu64 " with %" PRIu64 " bytes, the file has %" PRIu64,
				ib_input_name(wim->in), what, r->offset, r->stored, file);
	return true;
}

static bool throw_entry(struct ib_wim *wim, size_t i, const char *what, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' is damaged: blob table entry %zu: %s", ib_input_name(wim->in), i, what);
}

static struct blob *blob_at(struct ib_wim *wim, const struct reshdr *r, const uint8_t *hash)
{
	struct blob *b = g_new0(struct blob, 1);

	memcpy(b->hash, hash, IB_WIM_HASH_SIZE);
	b->where = BLOB_FILE;
	b->in = wim->in;
	b->part = wim->part;
	b->flags = r->flags;
	b->at = r->offset;
	b->stored = r->stored;
	b->size = r->size;
	return b;
}

/* The second of two entries for one content is of no use to anybody. */
static void keep(struct ib_wim *wim, struct blob *b)
{
	if (b->size == 0 || ib_wim_hash_is_zero(b->hash) || g_hash_table_contains(wim->blobs, b->hash)) {
		ib_wim_blob_free(b);
		return;
	}
	g_hash_table_insert(wim->blobs, b->hash, b);
	g_ptr_array_add(wim->order, b);
}

static bool add_metadata(struct ib_wim *wim, size_t i, struct blob *b, struct ib_error **err)
{
	guint n = 0;

	while (n < wim->images->len && ((struct ib_image *)g_ptr_array_index(wim->images, n))->metadata)
		n++;
	if (n == wim->images->len) {
		ib_wim_blob_free(b);
		return throw_entry(wim, i, "more metadata resources than images", err);
	}
	((struct ib_image *)g_ptr_array_index(wim->images, n))->metadata = b;
	return true;
}

/* An entry of a solid run that names content: its place counts through all resources of the run. */
static bool add_solid_blob(struct ib_wim *wim, size_t i, guint first, const struct reshdr *r, const uint8_t *hash,
			   struct ib_error **err)
{
	uint64_t at = r->offset;

	for (guint n = first; n < wim->solids->len; n++) {
		struct solid *s = g_ptr_array_index(wim->solids, n);
		if (at < s->size && r->stored <= s->size - at) {
			struct blob *b = blob_at(wim, r, hash);
			b->where = BLOB_SOLID;
			b->solid = s;
			b->at = at;
			b->size = r->stored;
			keep(wim, b);
			return true;
		}
		if (at < s->size)
			break;
		at -= s->size;
	}
	return throw_entry(wim, i, "leaves its solid resource", err);
}

/* A run of solid entries: first the resources are collected, then the contents. @return entries in *ret_n */
static bool read_solid_run(struct ib_wim *wim, const uint8_t *table, size_t i, size_t count, size_t *ret_n,
			   struct ib_error **err)
{
	guint first = wim->solids->len;
	size_t end = i;

	for (; end < count && ib_wim_get_reshdr(table + end * WIM_ENTRY_SIZE).flags & RES_SOLID; end++) {
		struct reshdr r = ib_wim_get_reshdr(table + end * WIM_ENTRY_SIZE);
		struct solid *s;
		if (r.size != RES_SOLID_MARK)
			continue;
		if (!ib_wim_solid_new(wim, &r, &s, err))
			return false;
		g_ptr_array_add(wim->solids, s);
	}
	for (size_t k = i; k < end; k++) {
		const uint8_t *p = table + k * WIM_ENTRY_SIZE;
		struct reshdr r = ib_wim_get_reshdr(p);
		if (r.size != RES_SOLID_MARK && !add_solid_blob(wim, k, first, &r, p + 30, err))
			return false;
	}
	wim->info.has_solid = true;
	*ret_n = end - i;
	return true;
}

static bool read_entry(struct ib_wim *wim, const uint8_t *p, size_t i, struct ib_error **err)
{
	struct reshdr r = ib_wim_get_reshdr(p);

	if (r.flags & RES_FREE || (r.stored == 0 && r.size == 0))
		return true;
	if (r.flags & RES_SPANNED || ib_le16(p + 24) != wim->part)
		return throw_entry(wim, i, "it lies in another part of a split WIM", err);
	if (!ib_wim_check_range(wim, &r, "a resource of the blob table", err))
		return false;
	if (!(r.flags & RES_COMPRESSED) && r.stored != r.size)
		return throw_entry(wim, i, "stored plain, but with two sizes", err);
	struct blob *b = blob_at(wim, &r, p + 30);
	if (r.flags & RES_METADATA)
		return add_metadata(wim, i, b, err);
	keep(wim, b);
	return true;
}

/* Two contents in the same bytes: nothing that writes WIMs does so. */
static bool check_overlaps(struct ib_wim *wim, struct ib_error **err)
{
	g_autoptr(GPtrArray) all = g_ptr_array_sized_new(wim->order->len + wim->images->len);

	for (guint i = 0; i < wim->order->len; i++) {
		struct blob *b = g_ptr_array_index(wim->order, i);
		if (b->where == BLOB_FILE)
			g_ptr_array_add(all, b);
	}
	for (guint i = 0; i < wim->images->len; i++)
		g_ptr_array_add(all, ((struct ib_image *)g_ptr_array_index(wim->images, i))->metadata);
	g_ptr_array_sort(all, ib_wim_blob_by_place);
	for (guint i = 1; i < all->len; i++) {
		const struct blob *x = g_ptr_array_index(all, i - 1), *y = g_ptr_array_index(all, i);
		if (y->part == x->part && y->at < x->at + x->stored)
			return ib_throw(err, IB_ERR_INPUT,
					"'%s' is damaged: resources at bytes %" PRIu64 " and %" PRIu64 " overlap",
					ib_input_name(x->in), x->at, y->at);
	}
	return true;
}

bool ib_wim_read_table(struct ib_wim *wim, GBytes *table, struct ib_error **err)
{
	gsize size;
	const uint8_t *p = g_bytes_get_data(table, &size);
	size_t count = size / WIM_ENTRY_SIZE;

	for (size_t i = 0, n; i < count; i += n) {
		const uint8_t *entry = p + i * WIM_ENTRY_SIZE;
		n = 1;
		if (ib_wim_get_reshdr(entry).flags & RES_SOLID) {
			if (!read_solid_run(wim, p, i, count, &n, err))
				return false;
		} else if (!read_entry(wim, entry, i, err)) {
			return false;
		}
	}
	return true;
}

bool ib_wim_check_table(struct ib_wim *wim, struct ib_error **err)
{
	for (guint i = 0; i < wim->images->len; i++) {
		if (!((struct ib_image *)g_ptr_array_index(wim->images, i))->metadata)
			return ib_throw(err, IB_ERR_INPUT, "'%s' is damaged: %u images, but only %u metadata resources",
					ib_input_name(wim->in), wim->images->len, i);
	}
	return check_overlaps(wim, err);
}
