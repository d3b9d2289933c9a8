/*
 * wim: writing. Unchanged content comes first (raw.c copies it in the background); then what waits in the spool; then
 * what has to be compressed anew; metadata, blob table, XML, integrity table; the header last. Who says early what
 * stays (ib_wim_write_begin) has it copied, and new content written, while more is added. Where all lies depends on the
 * edits alone, never on how far the threads are.
 */
#include "wim/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct writer {
	struct ib_wim *wim;
	const struct ib_wim_write_options *options;
	struct write_plan plan;
	struct reshdr solid;     /* offset 0: none was written */
	struct out_buffer out;
	struct raw_copy *ahead, *copy; /* of ib_wim_write_begin(); of ib_wim_write() */
	struct ib_wim_write_options begun; /* as ib_wim_write_begin() was given them; size 0: it was not called */
	guint next;              /* in the WIM's order: what ib_wim_write_new() has not looked at yet */
	struct spool *scratch;
	struct reshdr *metadata; /* where the next finished scratch blob is noted; NULL: at the blob of its hash */
	uint8_t *metadata_hash;
};

void ib_wim_writer_free(struct writer *w)
{
	if (!w)
		return;
	ib_wim_raw_stop(w->ahead);
	ib_wim_raw_stop(w->copy);
	ib_wim_spool_free(w->scratch);
	ib_wim_out_fini(&w->out);
	ib_wim_plan_fini(&w->plan);
	g_free(w);
}

/* ---- content ---- */

static bool put_table(struct writer *w, const struct blob *b, struct ib_error **err)
{
	bool wide = b->size >= G_GUINT64_CONSTANT(1) << 32;
	uint64_t at = 0;
	uint8_t entry[8];

	for (guint i = 0; i + 1 < b->sizes->len; i++) {
		at += g_array_index(b->sizes, uint32_t, i);
		ib_put_le64(entry, at);
		if (!ib_wim_out_put(&w->out, entry, wide ? 8 : 4, err))
			return false;
	}
	return true;
}

static bool read_stored(struct writer *w, const struct blob *b, uint64_t from, void *buf, size_t len, struct ib_error **err)
{
	return b->moved ? ib_output_read(&w->wim->begun, b->at + from, buf, len, err)
			: ib_wim_spool_read(b->spool, b->at + from, buf, len, err);
}

static bool put_stored(struct writer *w, const struct blob *b, struct ib_error **err)
{
	const uint8_t *here = b->moved ? NULL : ib_wim_spool_peek(b->spool, b->at, b->stored);

	if (here)
		return ib_wim_out_put(&w->out, here, (size_t)b->stored, err) &&
		       ib_progress_add(w->options->progress, b->stored, err);
	if (!ib_wim_spool_store(b->spool, err))
		return false;
	g_autofree uint8_t *buf = g_malloc(MIN(b->stored, 1u << 20));
	for (uint64_t done = 0, n; done < b->stored; done += n) {
		n = MIN(b->stored - done, 1u << 20);
		if (!read_stored(w, b, done, buf, (size_t)n, err) ||
		    !ib_wim_out_put(&w->out, buf, (size_t)n, err) || !ib_progress_add(w->options->progress, n, err))
			return false;
	}
	return true;
}

static bool put_plain(struct writer *w, const struct blob *b, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(1u << 20);
	struct ib_stream *s;
	size_t n = 1;

	if (!ib_wim_spool_store(b->spool, err) || !ib_wim_blob_stream(w->wim, b, &s, err))
		return false;
	bool ok = true;
	while (ok && n > 0)
		ok = ib_stream_read(s, buf, 1u << 20, &n, err) && ib_wim_out_put(&w->out, buf, n, err) &&
		     ib_progress_add(w->options->progress, n, err);
	ib_stream_free(s);
	return ok;
}

/* A blob of a spool, in the form that is smaller. */
static bool put_blob(struct writer *w, const struct blob *b, struct reshdr *ret, struct ib_error **err)
{
	struct reshdr r = { .offset = w->out.at, .size = b->size };
	uint64_t table = b->sizes ? ib_wim_chunk_table_size(b->size, ib_wim_spool_chunk(b->spool)) : 0;
	bool compressed = b->sizes && table + b->stored < b->size;

	bool ok = compressed ? put_table(w, b, err) && put_stored(w, b, err) :
		  b->sizes ? put_plain(w, b, err) : put_stored(w, b, err);
	if (!ok)
		return false;
	r.stored = w->out.at - r.offset;
	r.flags = compressed ? RES_COMPRESSED : 0;
	*ret = r;
	return true;
}

/* A scratch blob is complete: it goes to the output, and its room is used again. */
static bool scratch_done(void *data, struct blob *b, struct ib_error **err)
{
	struct writer *w = data;
	struct reshdr r;
	bool ok = put_blob(w, b, &r, err);

	if (ok && w->metadata) {
		*w->metadata = r;
		memcpy(w->metadata_hash, b->hash, IB_WIM_HASH_SIZE);
	} else if (ok) {
		ib_wim_blob_find(w->wim, b->hash)->out = r;
	}
	ib_wim_blob_free(b);
	return ok;
}

static bool open_scratch(struct writer *w, struct ib_error **err)
{
	struct spool_params params = {
		.dir = w->wim->spool_dir,
		.compression = w->plan.compression,
		.chunk = w->plan.chunk,
		.level = w->wim->level,
		.threads = w->wim->threads,
		.done = scratch_done,
		.data = w,
	};

	return w->scratch || ib_wim_spool_new(&params, &w->scratch, err);
}

/* A stream through the scratch spool; takes the stream. */
static bool recode(struct writer *w, struct ib_stream *s, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];
	struct blob *b;
	bool ok = open_scratch(w, err) && ib_wim_spool_add(w->scratch, s, NULL, hash, NULL, &b, err);

	ib_stream_free(s);
	return ok;
}

static bool write_blobs(struct writer *w, struct ib_error **err)
{
	struct ib_stream *s;

	if (!ib_wim_out_flush(&w->out, err))
		return false;
	w->copy = ib_wim_raw_start(w->plan.raw, &w->out.out, w->out.at, w->options->progress, &w->out.at);
	for (guint i = 0; i < w->plan.spooled->len; i++) {
		struct blob *b = g_ptr_array_index(w->plan.spooled, i);
		if (!put_blob(w, b, &b->out, err))
			return ib_while(err, "writing new content");
	}
	if (w->options->solid)
		return w->plan.recode->len == 0 || ib_wim_solid_write(w->wim, w->plan.recode, w->plan.solid_chunk, &w->out,
								 w->options->progress, &w->solid, err);
	for (guint i = 0; i < w->plan.recode->len; i++)
		if (!ib_wim_blob_stream(w->wim, g_ptr_array_index(w->plan.recode, i), &s, err) || !recode(w, s, err))
			return ib_while(err, "compressing content anew");
	return !w->scratch || ib_wim_spool_flush(w->scratch, err);
}

/* ---- metadata ---- */

static bool copy_metadata(struct writer *w, struct ib_image *image, struct ib_error **err)
{
	const struct blob *b = image->metadata;

	image->out = (struct reshdr){ .offset = w->out.at, .stored = b->stored, .size = b->size,
				      .flags = b->flags & RES_COMPRESSED };
	memcpy(image->out_hash, b->hash, IB_WIM_HASH_SIZE);
	if (!ib_wim_out_flush(&w->out, err) ||
	    !ib_output_copy(&w->out.out, w->out.at, b->in, b->at, b->stored, w->options->progress, err))
		return false;
	w->out.at += b->stored;
	return true;
}

static bool metadata_stream(struct writer *w, struct ib_image *image, struct ib_stream **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;

	if (!image->edited)
		return ib_wim_blob_stream(w->wim, image->metadata, ret, err);
	if (!ib_wim_metadata_write(image, &bytes, err))
		return false;
	*ret = ib_stream_from_bytes(bytes);
	return true;
}

static bool write_metadata(struct writer *w, struct ib_image *image, struct ib_error **err)
{
	struct ib_stream *s;

	if (!image->edited && ib_wim_plan_copies(&w->plan, image->metadata))
		return copy_metadata(w, image, err);
	w->metadata = &image->out;
	w->metadata_hash = image->out_hash;
	return metadata_stream(w, image, &s, err) && recode(w, s, err) && ib_wim_spool_flush(w->scratch, err);
}

static bool write_all_metadata(struct writer *w, struct ib_error **err)
{
	GPtrArray *images = w->wim->images;

	for (guint i = 0; i < images->len; i++) {
		struct ib_image *image = g_ptr_array_index(images, i);
		if (!write_metadata(w, image, err))
			return ib_while(err, "writing the metadata of image %u", i + 1);
		image->out.flags |= RES_METADATA;
	}
	return true;
}

/* ---- tables ---- */

static bool put_entry(struct writer *w, const struct reshdr *r, uint32_t refs, const uint8_t *hash,
		      struct ib_error **err)
{
	uint8_t entry[WIM_ENTRY_SIZE];

	ib_wim_put_reshdr(entry, r);
	ib_put_le16(entry + 24, 1);
	ib_put_le32(entry + 26, refs);
	memcpy(entry + 30, hash, IB_WIM_HASH_SIZE);
	return ib_wim_out_put(&w->out, entry, sizeof entry, err);
}

static bool put_entries(struct writer *w, GPtrArray *blobs, struct ib_error **err)
{
	for (guint i = 0; i < blobs->len; i++) {
		const struct blob *b = g_ptr_array_index(blobs, i);
		if (!put_entry(w, &b->out, b->refs, b->hash, err))
			return false;
	}
	return true;
}

static bool write_table(struct writer *w, struct reshdr *ret, struct ib_error **err)
{
	GPtrArray *images = w->wim->images;
	uint64_t at = w->out.at;

	for (guint i = 0; i < images->len; i++) {
		struct ib_image *image = g_ptr_array_index(images, i);
		if (!put_entry(w, &image->out, 1, image->out_hash, err))
			return false;
	}
	if (w->solid.offset && !put_entry(w, &w->solid, 1, ib_wim_zero_hash, err))
		return false;
	GPtrArray *const lists[] = { w->plan.ahead, w->plan.raw, w->plan.spooled, w->plan.recode };
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		if (!put_entries(w, lists[i], err))
			return false;
	*ret = (struct reshdr){ .offset = at, .stored = w->out.at - at, .size = w->out.at - at, .flags = RES_METADATA };
	return true;
}

static bool write_xml(struct writer *w, struct reshdr *ret, struct ib_error **err)
{
	gsize len;

	ib_wim_xml_set_number(ib_xml_root(w->wim->xml), "TOTALBYTES", w->out.at);
	g_autoptr(GBytes) xml = ib_xml_write(w->wim->xml, IB_XML_UTF16);
	const void *data = g_bytes_get_data(xml, &len);
	*ret = (struct reshdr){ .offset = w->out.at, .stored = len, .size = len, .flags = RES_METADATA };
	return ib_wim_out_put(&w->out, data, len, err);
}

/* SHA-1 of every 10 MiB from the end of the header to the end of the blob table. */
static bool write_integrity(struct writer *w, uint64_t end, struct reshdr *ret, struct ib_error **err)
{
	uint64_t covered = end - WIM_HEADER_SIZE;
	uint32_t count = (uint32_t)((covered + WIM_INTEGRITY_CHUNK - 1) / WIM_INTEGRITY_CHUNK);
	uint32_t size = 12 + count * IB_SHA1_SIZE;
	g_autofree uint8_t *table = g_malloc(size), *buf = g_malloc(WIM_INTEGRITY_CHUNK);

	if (!ib_wim_out_flush(&w->out, err))
		return false;
	ib_put_le32(table, size);
	ib_put_le32(table + 4, count);
	ib_put_le32(table + 8, WIM_INTEGRITY_CHUNK);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = WIM_HEADER_SIZE + (uint64_t)i * WIM_INTEGRITY_CHUNK;
		size_t n = (size_t)MIN(WIM_INTEGRITY_CHUNK, end - at);
		if (!ib_output_read(&w->out.out, at, buf, n, err))
			return false;
		ib_digest_bytes(IB_DIGEST_SHA1, buf, n, table + 12 + (size_t)i * IB_SHA1_SIZE);
	}
	*ret = (struct reshdr){ .offset = w->out.at, .stored = size, .size = size, .flags = RES_METADATA };
	return ib_wim_out_put(&w->out, table, size, err);
}

/* ---- header ---- */

static uint32_t header_flags(const struct writer *w)
{
	static const uint32_t of[] = {
		[IB_WIM_NONE] = 0,
		[IB_WIM_XPRESS] = WIM_FLAG_COMPRESSED | WIM_FLAG_XPRESS,
		[IB_WIM_LZX] = WIM_FLAG_COMPRESSED | WIM_FLAG_LZX,
		[IB_WIM_LZMS] = WIM_FLAG_COMPRESSED | WIM_FLAG_LZMS,
	};

	return of[w->plan.compression] | (w->wim->flags & WIM_FLAG_REPARSE_FIX);
}

static void fill_header(const struct writer *w, uint8_t h[WIM_HEADER_SIZE])
{
	memset(h, 0, WIM_HEADER_SIZE);
	memcpy(h, "MSWIM\0\0\0", 8);
	ib_put_le32(h + 8, WIM_HEADER_SIZE);
	ib_put_le32(h + 12, w->solid.offset ? WIM_VERSION_SOLID : WIM_VERSION);
	ib_put_le32(h + 16, header_flags(w));
	ib_put_le32(h + 20, w->plan.compression == IB_WIM_NONE ? 0 : w->plan.chunk);
	memcpy(h + 24, w->options->guid, 16);
	ib_put_le16(h + 40, 1);
	ib_put_le16(h + 42, 1);
	ib_put_le32(h + 44, w->wim->images->len);
}

/* Until the end the file says of itself that it is not finished. */
static bool begin(struct writer *w, struct ib_error **err)
{
	uint8_t h[WIM_HEADER_SIZE];

	fill_header(w, h);
	ib_put_le32(h + 16, header_flags(w) | WIM_FLAG_IN_PROGRESS);
	w->out.at = WIM_HEADER_SIZE;
	return ib_output_write(&w->out.out, 0, h, sizeof h, err);
}

static bool finish(struct writer *w, struct ib_error **err)
{
	uint8_t h[WIM_HEADER_SIZE];
	struct reshdr table, xml, integrity = { .offset = 0 };
	const struct ib_image *boot = ib_wim_image_at(w->wim, w->wim->boot_index);

	if (!write_table(w, &table, err) || !ib_wim_raw_finish(g_steal_pointer(&w->ahead), err) ||
	    !ib_wim_raw_finish(g_steal_pointer(&w->copy), err))
		return false;
	uint64_t end = w->out.at;
	if (!write_xml(w, &xml, err) || (w->options->integrity && !write_integrity(w, end, &integrity, err)) ||
	    !ib_wim_out_flush(&w->out, err))
		return false;
	fill_header(w, h);
	ib_wim_put_reshdr(h + 48, &table);
	ib_wim_put_reshdr(h + 72, &xml);
	if (boot) {
		ib_wim_put_reshdr(h + 96, &boot->out);
		ib_put_le32(h + 120, w->wim->boot_index);
	}
	ib_wim_put_reshdr(h + 124, &integrity);
	return ib_output_write(&w->out.out, 0, h, sizeof h, err);
}

/* ---- writing while edits go on ---- */

static struct writer *writer_new(struct ib_wim *wim, const struct ib_output *out, const struct ib_wim_write_options *options)
{
	struct writer *w = g_new0(struct writer, 1);

	w->wim = wim;
	w->options = options;
	w->next = wim->order->len;
	ib_wim_out_init(&w->out, out);
	return w;
}

/* What the plan copies goes its way now. */
static bool copy_ahead(struct writer *w, struct ib_error **err)
{
	struct write_plan *p = &w->plan;

	if (!ib_wim_plan(w->wim, w->options, false, p, err) || !begin(w, err))
		return false;
	for (guint i = 0; i < p->raw->len; i++)
		((struct blob *)g_ptr_array_index(p->raw, i))->ahead = true;
	w->ahead = ib_wim_raw_start(p->raw, &w->out.out, w->out.at, w->options->progress, &w->out.at);
	ib_wim_plan_fini(p);
	return true;
}

/* Content moves there, and can be read as long as the WIM is there. */
static bool keep_output(struct ib_wim *wim, const struct ib_output *out, struct ib_error **err)
{
	int fd = fcntl(out->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot keep '%s' open", out->name);
	wim->begun = (struct ib_output){ .fd = fd, .base = out->base, .name = g_strdup(out->name) };
	return true;
}

bool ib_wim_write_begin(struct ib_wim *wim, const struct ib_output *out, const struct ib_wim_write_options *options,
			struct ib_error **err)
{
	if (!ib_wim_check_write(wim, options, err))
		return false;
	if (wim->begun.fd >= 0)
		return ib_throw(err, IB_ERR_FAILED, "writing has begun already");
	/* What was added before stays in the spool; what comes lies in the output, in order, with nothing in between. */
	if (!ib_wim_flush_spool(wim, err))
		return false;
	struct writer *w = writer_new(wim, out, options);
	w->begun = *options;
	w->options = &w->begun;
	if (!copy_ahead(w, err) || !keep_output(wim, out, err)) {
		ib_wim_writer_free(w);
		return ib_while(err, "writing image file '%s'", out->name);
	}
	wim->writer = w;
	return true;
}

uint64_t ib_wim_writer_at(const struct ib_wim *wim)
{
	return wim->writer ? wim->writer->out.at : 0;
}

/* A blob is in the output: nobody needs the spool's copy of it. */
static void move(struct blob *b)
{
	bool compressed = b->out.flags & RES_COMPRESSED;

	ib_wim_spool_release(b->spool, b);
	if (!compressed) {
		g_clear_pointer(&b->sizes, g_array_unref);
		b->stored = b->size;
	}
	b->at = b->out.offset + (b->out.stored - b->stored); /* after the table */
	b->moved = b->ahead = true;
}

bool ib_wim_writer_flush(struct ib_wim *wim, struct ib_error **err)
{
	return !wim->writer || ib_wim_out_flush(&wim->writer->out, err);
}

bool ib_wim_write_new(struct ib_wim *wim, struct ib_error **err)
{
	struct writer *w = wim->writer;

	if (w && !ib_wim_raw_check(&w->ahead, err)) /* full disk, or a wish to stop: the rest need not be compressed */
		return false;
	for (; w && w->next < wim->order->len; w->next++) {
		struct blob *b = g_ptr_array_index(wim->order, w->next);
		if (w->options->solid || b->where != BLOB_SPOOL || !ib_wim_plan_copies(&w->plan, b))
			continue;
		if (!b->complete)
			return true;
		if (!put_blob(w, b, &b->out, err))
			return ib_while(err, "writing new content");
		move(b);
	}
	return true;
}

/* ---- public ---- */

bool ib_wim_check_write(struct ib_wim *wim, const struct ib_wim_write_options *options, struct ib_error **err)
{
	if (options->size != sizeof *options)
		return ib_throw(err, IB_ERR_USAGE, "the options for writing a WIM have a wrong size");
	if (wim->boot_index > wim->images->len)
		return ib_throw(err, IB_ERR_INPUT, "boot index %u, but only %u images", wim->boot_index,
				wim->images->len);
	return true;
}

static bool same_place(const struct ib_output *a, const struct ib_output *b)
{
	struct stat x, y;

	return a->base == b->base && a->fd >= 0 && fstat(a->fd, &x) == 0 && fstat(b->fd, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static bool write_all(struct writer *w, struct ib_error **err)
{
	return ib_wim_flush_spool(w->wim, err) && ib_wim_write_new(w->wim, err) &&
	       ib_wim_plan(w->wim, w->options, true, &w->plan, err) && (w->begun.size || begin(w, err)) &&
	       write_blobs(w, err) && write_all_metadata(w, err) && finish(w, err);
}

bool ib_wim_write(struct ib_wim *wim, const struct ib_output *out, const struct ib_wim_write_options *options,
		  uint64_t *ret_size, struct ib_error **err)
{
	if (!ib_wim_check_write(wim, options, err))
		return false;
	bool begun = wim->writer != NULL, same = same_place(&wim->begun, out);
	struct writer *w = begun ? wim->writer : writer_new(wim, out, options);
	bool ok = begun == same;
	if (!ok)
		ib_throw(err, IB_ERR_FAILED, begun ? "writing has begun to '%s'" : "new content lies in '%s': it cannot be written there again",
			 wim->begun.name);
	w->options = options;
	ok = ok && write_all(w, err);
	if (ok)
		*ret_size = w->out.at;
	wim->writer = NULL;
	ib_wim_writer_free(w);
	for (guint i = 0; i < wim->order->len; i++)
		((struct blob *)g_ptr_array_index(wim->order, i))->ahead = false; /* another output has nothing of it */
	return ok ? true : ib_while(err, "writing image file '%s'", out->name);
}
