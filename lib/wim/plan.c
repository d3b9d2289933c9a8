/*
 * wim: what writing will do with each blob, and what it will cost.
 */
#include "wim/internal.h"

/* What libwim takes for LZMS that is not solid. */
#define LZMS_CHUNK (1u << 17)
/* Solid: most of the gain of 64 MiB with an eighth of the memory. */
#define SOLID_CHUNK (8u << 20)

static bool choose(struct write_plan *p, struct ib_error **err)
{
	const struct ib_wim_info *info = &p->wim->info;
	const struct ib_wim_write_options *o = p->options;
	const char *name = p->wim->in ? ib_input_name(p->wim->in) : "new image";

	p->compression = o->set_compression ? o->compression : info->compression;
	p->chunk = info->chunk_size;
	if (o->solid)
		p->compression = IB_WIM_LZMS;
	if (o->set_compression || o->solid)
		p->chunk = o->chunk_size ? o->chunk_size : p->compression == IB_WIM_LZMS ? LZMS_CHUNK : WIM_CHUNK_DEFAULT;
	p->solid_chunk = o->solid_chunk ? o->solid_chunk : SOLID_CHUNK;
	if (o->solid && !ib_wim_check_chunk(IB_WIM_LZMS, p->solid_chunk, name, err))
		return false;
	return ib_wim_check_chunk(p->compression, p->chunk, name, err);
}

static bool same_format(const struct write_plan *p, enum ib_wim_compression compression, uint32_t chunk)
{
	return p->compression == compression && (compression == IB_WIM_NONE || p->chunk == chunk);
}

bool ib_wim_plan_copies(const struct write_plan *p, const struct blob *b)
{
	if (p->options->recompress && b->where != BLOB_SPOOL)
		return false;
	if (b->where == BLOB_SPOOL)
		return same_format(p, ib_wim_spool_compression(b->spool), ib_wim_spool_chunk(b->spool));
	if (b->where == BLOB_SOLID)
		return false;
	return same_format(p, p->wim->info.compression, p->wim->info.chunk_size) ||
	       (p->compression == IB_WIM_NONE && !(b->flags & RES_COMPRESSED));
}

/* Load, count, and drop again what only counting needed. */
static bool count_image(struct write_plan *p, unsigned index, bool describe, struct ib_error **err)
{
	struct ib_image *image = ib_wim_image_at(p->wim, index);
	bool loaded = image->root != NULL;
	struct image_sums sums;

	bool ok = ib_wim_image_load(image, index, err) && ib_wim_count(image, &sums, err);
	if (ok && describe) {
		ib_wim_xml_set_sums(image, &sums);
		if (!image->metadata)
			ib_wim_xml_set_time(image, "CREATIONTIME", p->options->time);
		if (image->edited)
			ib_wim_xml_set_time(image, "LASTMODIFICATIONTIME", p->options->time);
	}
	if (!loaded)
		ib_wim_image_unload(image);
	return ok ? true : ib_while(err, "counting what image %u refers to", index);
}

bool ib_wim_flush_spool(struct ib_wim *wim, struct ib_error **err)
{
	return !wim->spool || (ib_wim_spool_flush(wim->spool, err) && ib_wim_write_new(wim, err) &&
			       ib_wim_spool_store(wim->spool, err) && ib_wim_writer_flush(wim, err));
}

/* Which list a blob that is referred to goes to. */
static GPtrArray *list_of(const struct write_plan *p, const struct blob *b)
{
	if (p->options->solid || !ib_wim_plan_copies(p, b))
		return p->recode;
	return b->ahead ? p->ahead : b->where == BLOB_SPOOL ? p->spooled : p->raw;
}

bool ib_wim_plan(struct ib_wim *wim, const struct ib_wim_write_options *options, bool describe, struct write_plan *p,
		 struct ib_error **err)
{
	p->wim = wim;
	p->options = options;
	if (!choose(p, err))
		return false;
	for (guint i = 0; i < wim->order->len; i++)
		((struct blob *)g_ptr_array_index(wim->order, i))->refs = 0;
	for (guint i = 1; i <= wim->images->len; i++)
		if (!count_image(p, i, describe, err))
			return false;
	p->ahead = g_ptr_array_new();
	p->raw = g_ptr_array_new();
	p->spooled = g_ptr_array_new();
	p->recode = g_ptr_array_new();
	for (guint i = 0; i < wim->order->len; i++) {
		struct blob *b = g_ptr_array_index(wim->order, i);
		if (b->refs > 0)
			g_ptr_array_add(list_of(p, b), b);
	}
	g_ptr_array_sort(p->ahead, ib_wim_blob_by_place);
	g_ptr_array_sort(p->raw, ib_wim_blob_by_place);
	g_ptr_array_sort(p->recode, ib_wim_blob_by_place);
	return true;
}

void ib_wim_plan_fini(struct write_plan *p)
{
	g_clear_pointer(&p->ahead, g_ptr_array_unref);
	g_clear_pointer(&p->raw, g_ptr_array_unref);
	g_clear_pointer(&p->spooled, g_ptr_array_unref);
	g_clear_pointer(&p->recode, g_ptr_array_unref);
}

/* ---- cost ---- */

static uint64_t sum(GPtrArray *blobs, bool plain)
{
	uint64_t n = 0;

	for (guint i = 0; i < blobs->len; i++) {
		const struct blob *b = g_ptr_array_index(blobs, i);
		n += plain ? b->size : b->stored;
	}
	return n;
}

/* Of what is in the output already: content that the input did not have. */
static uint64_t sum_moved(GPtrArray *blobs)
{
	uint64_t n = 0;

	for (guint i = 0; i < blobs->len; i++) {
		const struct blob *b = g_ptr_array_index(blobs, i);
		n += b->moved ? b->stored : 0;
	}
	return n;
}

/* Generous: a tree in memory is never smaller than its metadata. */
static bool metadata_bound(struct ib_wim *wim, uint64_t *ret, struct ib_error **err)
{
	uint64_t n = 0;

	for (guint i = 0; i < wim->images->len; i++) {
		struct ib_image *image = g_ptr_array_index(wim->images, i);
		g_autoptr(GBytes) bytes = NULL;
		if (!image->edited) {
			n += image->metadata->size;
			continue;
		}
		if (!ib_wim_metadata_write(image, &bytes, err))
			return false;
		n += g_bytes_get_size(bytes);
	}
	*ret = n;
	return true;
}

static void fill_cost(const struct write_plan *p, uint64_t metadata, struct ib_wim_cost *ret)
{
	struct ib_wim *wim = p->wim;
	g_autoptr(GBytes) xml = ib_xml_write(wim->xml, IB_XML_UTF16);
	uint64_t entries = p->ahead->len + p->raw->len + p->spooled->len + p->recode->len + wim->images->len;

	uint64_t raw = sum(p->raw, false), ahead = ib_wim_writer_at(wim);
	uint64_t spooled = sum(p->spooled, false), moved = sum_moved(p->ahead);

	ret->copy_bytes = sum(p->ahead, false) - moved + raw;
	ret->new_bytes = spooled + moved;
	ret->recompress_bytes = sum(p->recode, true);
	/* Content is written in its smaller form, so a chunk table of new content never adds to its plain
	 * size; 2 KiB an image cover sums and times that the XML does not have yet. */
	uint64_t tables = sum(p->spooled, true) / p->chunk * 8;
	uint64_t total = WIM_HEADER_SIZE + ahead + raw + ib_wim_raw_overhead(raw) + spooled + tables +
			 ret->recompress_bytes + metadata +
			 entries * WIM_ENTRY_SIZE + g_bytes_get_size(xml) + 2048 * ((uint64_t)wim->images->len + 1);
	if (p->options->solid)
		total += WIM_ENTRY_SIZE + ib_wim_solid_overhead(ret->recompress_bytes, p->solid_chunk);
	if (p->options->integrity)
		total += 12 + (total / WIM_INTEGRITY_CHUNK + 1) * IB_SHA1_SIZE;
	ret->max_total_bytes = total;
}

bool ib_wim_cost(struct ib_wim *wim, const struct ib_wim_write_options *options, struct ib_wim_cost *ret,
		 struct ib_error **err)
{
	struct write_plan p = { .wim = wim };
	uint64_t metadata;

	bool ok = ib_wim_check_write(wim, options, err) && ib_wim_flush_spool(wim, err) &&
		  ib_wim_plan(wim, options, false, &p, err) && metadata_bound(wim, &metadata, err);
	if (ok)
		fill_cost(&p, metadata, ret);
	ib_wim_plan_fini(&p);
	return ok;
}
