/* wim: blobs, and reading them: chunk by chunk, with their SHA-1 checked at the end. */
#include "wim/internal.h"

#include <string.h>

const uint8_t ib_wim_zero_hash[IB_WIM_HASH_SIZE];

bool ib_wim_hash_is_zero(const uint8_t *hash)
{
	return !hash || memcmp(hash, ib_wim_zero_hash, IB_WIM_HASH_SIZE) == 0;
}

gint ib_wim_blob_by_place(gconstpointer a, gconstpointer b)
{
	const struct blob *x = *(const struct blob *const *)a, *y = *(const struct blob *const *)b;

	if (x->where != y->where)
		return x->where < y->where ? -1 : 1;
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	if (x->solid != y->solid)
		return x->solid->at < y->solid->at ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

guint ib_wim_hash_hash(gconstpointer key)
{
	const uint8_t *p = key;

	return ib_le32(p) ^ ib_le32(p + 4) * 3 ^ ib_le32(p + 8) * 5 ^ ib_le32(p + 12) * 7 ^ ib_le32(p + 16) * 9;
}

gboolean ib_wim_hash_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, IB_WIM_HASH_SIZE) == 0;
}

struct blob *ib_wim_blob_find(struct ib_wim *wim, const uint8_t *hash)
{
	return g_hash_table_lookup(wim->blobs, hash);
}

void ib_wim_blob_free(void *blob)
{
	struct blob *b = blob;

	if (!b)
		return;
	g_clear_pointer(&b->sizes, g_array_unref);
	g_free(b);
}

bool ib_wim_codec_of(enum ib_wim_compression compression, enum ib_codec *ret)
{
	switch (compression) {
	case IB_WIM_XPRESS: *ret = IB_CODEC_XPRESS; return true;
	case IB_WIM_LZX: *ret = IB_CODEC_LZX; return true;
	case IB_WIM_LZMS: *ret = IB_CODEC_LZMS; return true;
	case IB_WIM_NONE: return false;
	}
	return false;
}

bool ib_wim_check_chunk(enum ib_wim_compression compression, uint32_t chunk, const char *name, struct ib_error **err)
{
	static const struct {
		const char *name;
		uint32_t min, max;
	} limits[] = {
		[IB_WIM_NONE] = { "none", 4096, 1u << 30 },
		[IB_WIM_XPRESS] = { "XPRESS", 4096, 65536 },
		[IB_WIM_LZX] = { "LZX", 32768, 1u << 21 },
		[IB_WIM_LZMS] = { "LZMS", 32768, WIM_LZMS_CHUNK_MAX },
	};
	if (chunk & (chunk - 1) || chunk < limits[compression].min || chunk > limits[compression].max)
		return ib_throw(err, IB_ERR_INPUT,
				"'%s' has chunks of %u bytes: %s takes powers of two from %u to %u", name, chunk,
				limits[compression].name, limits[compression].min, limits[compression].max);
	return true;
}

uint64_t ib_wim_chunk_table_size(uint64_t size, uint32_t chunk)
{
	uint64_t chunks = size / chunk + (size % chunk != 0);

	return chunks == 0 ? 0 : (chunks - 1) * (size < G_GUINT64_CONSTANT(1) << 32 ? 4 : 8);
}

/* ---- streams over blobs ---- */

struct blob_stream {
	struct ib_stream base;
	struct ib_wim *wim;
	const struct blob *blob;
	uint64_t pos;      /* next plain byte */
	struct ib_digest *digest; /* NULL: nothing to check, or checked */
	/* compressed only */
	uint32_t chunk;
	uint64_t *offsets; /* of the chunks, from the first one; count + 1 */
	struct ib_decompressor *decompressor;
	uint8_t *in, *plain;
	size_t have, used; /* bytes in plain, and already handed out */
};

static bool stored_read(struct blob_stream *s, uint64_t at, void *buf, size_t len, struct ib_error **err)
{
	if (s->blob->moved)
		return ib_output_read(&s->wim->begun, at, buf, len, err);
	return s->blob->where == BLOB_SPOOL ? ib_wim_spool_read(s->blob->spool, at, buf, len, err)
					    : ib_input_read(s->blob->in, at, buf, len, err);
}

static const char *source_name(const struct blob_stream *s)
{
	if (s->blob->moved)
		return s->wim->begun.name;
	return s->blob->where == BLOB_SPOOL ? "spool" : ib_input_name(s->blob->in);
}

/* Chunk offsets of a resource in the file, from its table. base: where the first chunk lies. */
static bool read_offsets(struct blob_stream *s, size_t count, uint64_t *ret_base, struct ib_error **err)
{
	const struct blob *b = s->blob;
	uint64_t table = ib_wim_chunk_table_size(b->size, s->chunk);
	size_t width = b->size < G_GUINT64_CONSTANT(1) << 32 ? 4 : 8;

	if (table >= b->stored)
		return ib_throw(err, IB_ERR_INPUT,
				"'%s' is damaged: the resource at byte %" PRIu64 " has %" PRIu64
				" bytes, its chunk table alone needs %" PRIu64,
				source_name(s), b->at, b->stored, table);
	g_autofree uint8_t *raw = g_try_malloc(table + 1);
	if (!raw)
		return ib_throw_memory(err);
	if (!stored_read(s, b->at, raw, (size_t)table, err))
		return false;
	for (size_t i = 1; i < count; i++)
		s->offsets[i] = width == 4 ? ib_le32(raw + (i - 1) * 4) : ib_le64(raw + (i - 1) * 8);
	s->offsets[count] = b->stored - table;
	*ret_base = b->at + table;
	return true;
}

static void spool_offsets(struct blob_stream *s, size_t count)
{
	for (size_t i = 0; i < count; i++)
		s->offsets[i + 1] = s->offsets[i] + g_array_index(s->blob->sizes, uint32_t, i);
}

static bool check_offsets(struct blob_stream *s, size_t count, struct ib_error **err)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t plain = MIN(s->chunk, s->blob->size - (uint64_t)i * s->chunk);
		if (s->offsets[i + 1] <= s->offsets[i] || s->offsets[i + 1] - s->offsets[i] > plain)
			return ib_throw(err, IB_ERR_INPUT,
					"'%s' is damaged: chunk %zu of the resource at byte %" PRIu64
					" has an impossible size",
					source_name(s), i, s->blob->at);
	}
	return true;
}

static bool prepare_chunks(struct blob_stream *s, struct ib_error **err)
{
	const struct blob *b = s->blob;
	bool spool = b->where == BLOB_SPOOL;
	enum ib_wim_compression compression = spool ? ib_wim_spool_compression(b->spool) : s->wim->info.compression;
	enum ib_codec codec;
	uint64_t base = b->at;

	s->chunk = spool ? ib_wim_spool_chunk(b->spool) : s->wim->info.chunk_size;
	if (!ib_wim_codec_of(compression, &codec))
		return ib_throw(err, IB_ERR_INPUT,
				"'%s' is damaged: a compressed resource at byte %" PRIu64
				" in a file without compression", source_name(s), b->at);
	size_t count = (size_t)(b->size / s->chunk + (b->size % s->chunk != 0));
	/* a chunk is at least a byte: more of them than bytes is a lie, found before memory is asked for */
	if (count > b->stored)
		return ib_throw(err, IB_ERR_INPUT,
				"'%s' is damaged: the resource at byte %" PRIu64 " of %" PRIu64
				" bytes cannot hold %" PRIu64, source_name(s), b->at, b->stored, b->size);
	s->offsets = g_try_new0(uint64_t, count + 1);
	/* Most blobs are smaller than a chunk, and each is opened by itself: no more than it needs. */
	s->in = g_try_malloc((gsize)MAX(MIN(s->chunk, b->size), 1));
	s->plain = g_try_malloc((gsize)MAX(MIN(s->chunk, b->size), 1));
	if (!s->offsets || !s->in || !s->plain)
		return ib_throw_memory(err);
	if (spool)
		spool_offsets(s, count);
	else if (!read_offsets(s, count, &base, err))
		return false;
	if (!check_offsets(s, count, err))
		return false;
	for (size_t i = 0; i <= count; i++)
		s->offsets[i] += base;
	return ib_decompressor_new(codec, s->chunk, &s->decompressor, err);
}

static bool next_chunk(struct blob_stream *s, struct ib_error **err)
{
	size_t i = (size_t)(s->pos / s->chunk);
	size_t plain = (size_t)MIN(s->chunk, s->blob->size - s->pos);
	size_t stored = (size_t)(s->offsets[i + 1] - s->offsets[i]);
	bool raw = stored == plain;

	if (!stored_read(s, s->offsets[i], raw ? s->plain : s->in, stored, err))
		return false;
	if (!raw && !ib_decompress(s->decompressor, s->in, stored, s->plain, plain))
		return ib_throw(err, IB_ERR_VERIFY,
				"'%s' is damaged: chunk %zu of the resource at byte %" PRIu64 " cannot be decompressed",
				source_name(s), i, s->blob->at);
	s->have = plain;
	s->used = 0;
	return true;
}

static bool check_hash(struct blob_stream *s, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];

	if (!s->digest)
		return true;
	ib_digest_final(s->digest, hash);
	g_clear_pointer(&s->digest, ib_digest_free);
	if (memcmp(hash, s->blob->hash, sizeof hash) == 0)
		return true;
	g_autofree char *is = ib_hex(hash, sizeof hash), *must = ib_hex(s->blob->hash, sizeof hash);
	return ib_throw(err, IB_ERR_VERIFY, "'%s' is damaged: the content that should have SHA-1 %s has %s",
			source_name(s), must, is);
}

static bool read_plain(struct blob_stream *s, void *buf, size_t len, struct ib_error **err)
{
	const struct blob *b = s->blob;

	if (b->where == BLOB_SOLID)
		return ib_wim_solid_read(s->wim, b->solid, b->at + s->pos, buf, len, err);
	return stored_read(s, b->at + s->pos, buf, len, err);
}

static bool blob_stream_read(struct ib_stream *base, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct blob_stream *s = (struct blob_stream *)base;
	size_t n = (size_t)MIN(cap, s->blob->size - s->pos);

	if (n > 0 && s->offsets) {
		if (s->used == s->have && !next_chunk(s, err))
			return false;
		n = MIN(n, s->have - s->used);
		memcpy(buf, s->plain + s->used, n);
		s->used += n;
	} else if (n > 0 && !read_plain(s, buf, n, err)) {
		return false;
	}
	s->pos += n;
	if (n > 0 && s->digest)
		ib_digest_update(s->digest, buf, n);
	if (s->pos == s->blob->size && !check_hash(s, err))
		return false;
	*ret_n = n;
	return true;
}

static void blob_stream_free(struct ib_stream *base)
{
	struct blob_stream *s = (struct blob_stream *)base;

	ib_decompressor_free(s->decompressor);
	ib_digest_free(s->digest);
	g_free(s->offsets);
	g_free(s->in);
	g_free(s->plain);
	g_free(s);
}

static bool is_compressed(const struct blob *b)
{
	return b->where == BLOB_SPOOL ? b->sizes != NULL : b->where == BLOB_FILE && b->flags & RES_COMPRESSED;
}

bool ib_wim_blob_stream(struct ib_wim *wim, const struct blob *blob, struct ib_stream **ret, struct ib_error **err)
{
	struct blob_stream *s = g_new0(struct blob_stream, 1);

	s->base = (struct ib_stream){ .read = blob_stream_read, .free = blob_stream_free };
	s->wim = wim;
	s->blob = blob;
	if (!blob->unhashed)
		s->digest = ib_digest_new(IB_DIGEST_SHA1);
	if (is_compressed(blob) && !prepare_chunks(s, err)) {
		blob_stream_free(&s->base);
		return false;
	}
	*ret = &s->base;
	return true;
}

bool ib_wim_blob_bytes(struct ib_wim *wim, const struct blob *blob, uint64_t limit, GBytes **ret,
		       struct ib_error **err)
{
	struct ib_stream *s;
	size_t at = 0, n = 1;
	bool ok = true;

	if (blob->size > limit)
		return ib_throw(err, IB_ERR_INPUT, "the content has %" PRIu64 " bytes, at most %" PRIu64
				" are accepted here", blob->size, limit);
	g_autofree uint8_t *buf = g_try_malloc(blob->size + 1);
	if (!buf)
		return ib_throw_memory(err);
	if (!ib_wim_blob_stream(wim, blob, &s, err))
		return false;
	while (ok && n > 0) {
		ok = ib_stream_read(s, buf + at, (size_t)blob->size - at, &n, err);
		at += ok ? n : 0;
	}
	ib_stream_free(s);
	if (!ok)
		return false;
	*ret = g_bytes_new_take(g_steal_pointer(&buf), (gsize)blob->size);
	return true;
}

/* ---- public ---- */

/* Blobs in the spool can be read once all of its blocks have arrived. */
static bool settle(struct ib_wim *wim, const struct blob *b, struct ib_error **err)
{
	return b->where != BLOB_SPOOL || ib_wim_flush_spool(wim, err);
}

static bool throw_unknown(struct ib_wim *wim, const uint8_t *hash, struct ib_error **err)
{
	g_autofree char *hex = ib_hex(hash, IB_WIM_HASH_SIZE);

	return ib_throw(err, IB_ERR_INPUT, "'%s' has no content with SHA-1 %s",
			wim->in ? ib_input_name(wim->in) : "new image", hex);
}

static bool find(struct ib_wim *wim, const uint8_t *hash, struct blob **ret, struct ib_error **err)
{
	*ret = ib_wim_blob_find(wim, hash);
	return *ret ? settle(wim, *ret, err) : throw_unknown(wim, hash, err);
}

bool ib_wim_has_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], uint64_t *ret_size)
{
	const struct blob *b = ib_wim_blob_find(wim, hash);

	if (!b && !ib_wim_hash_is_zero(hash))
		return false;
	if (ret_size)
		*ret_size = b ? b->size : 0;
	return true;
}

bool ib_wim_read_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], uint64_t limit, GBytes **ret,
		      struct ib_error **err)
{
	struct blob *b;

	if (ib_wim_hash_is_zero(hash)) {
		*ret = g_bytes_new(NULL, 0);
		return true;
	}
	return find(wim, hash, &b, err) && ib_wim_blob_bytes(wim, b, limit, ret, err);
}

bool ib_wim_settle(struct ib_wim *wim, struct ib_error **err)
{
	if (!ib_wim_flush_spool(wim, err))
		return false;
	g_rw_lock_writer_lock(&wim->lock);
	for (; wim->settled < wim->order->len; wim->settled++)
		((struct blob *)g_ptr_array_index(wim->order, wim->settled))->settled = true;
	g_rw_lock_writer_unlock(&wim->lock);
	return true;
}

bool ib_wim_settle_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], struct ib_error **err)
{
	const struct blob *b = ib_wim_hash_is_zero(hash) ? NULL : ib_wim_blob_find(wim, hash);

	return !b || b->where != BLOB_SPOOL || b->settled || ib_wim_settle(wim, err);
}

bool ib_wim_read_shared(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], uint64_t limit, GBytes **ret,
			struct ib_error **err)
{
	if (ib_wim_hash_is_zero(hash)) {
		*ret = g_bytes_new(NULL, 0);
		return true;
	}
	g_rw_lock_reader_lock(&wim->lock);
	const struct blob *b = ib_wim_blob_find(wim, hash);
	bool known = b && (b->where != BLOB_SPOOL || b->settled);
	g_rw_lock_reader_unlock(&wim->lock);
	/* Blobs stay until the WIM is freed, and a settled one does not change. */
	return known ? ib_wim_blob_bytes(wim, b, limit, ret, err) : throw_unknown(wim, hash, err);
}

bool ib_wim_open_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], struct ib_stream **ret,
		      struct ib_error **err)
{
	struct blob *b;

	if (ib_wim_hash_is_zero(hash)) {
		g_autoptr(GBytes) none = g_bytes_new(NULL, 0);
		*ret = ib_stream_from_bytes(none);
		return true;
	}
	return find(wim, hash, &b, err) && ib_wim_blob_stream(wim, b, ret, err);
}

bool ib_wim_map_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], const char *name, struct ib_input **ret,
		     struct ib_error **err)
{
	struct blob *b;

	*ret = NULL;
	if (ib_wim_hash_is_zero(hash))
		return true;
	if (!find(wim, hash, &b, err))
		return false;
	if (b->where != BLOB_FILE || b->flags & RES_COMPRESSED)
		return true;
	struct ib_extent e = { .offset = b->at, .length = b->size };
	return ib_input_part(b->in, &e, 1, name, ret, err);
}

bool ib_image_read(struct ib_image *image, const char *path, uint64_t limit, GBytes **ret, struct ib_error **err)
{
	struct ib_node *node = ib_image_find(image, path);

	if (!node)
		return ib_throw(err, IB_ERR_INPUT, "the image has no file '%s'", path);
	if (ib_node_is_dir(node))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a directory in the image", path);
	const uint8_t *hash = ib_node_hash(node);
	if (!ib_wim_read_blob(image->wim, hash ? hash : ib_wim_zero_hash, limit, ret, err))
		return ib_while(err, "reading '%s' from the image", path);
	return true;
}

/* ---- adding ---- */

static bool write_ready(void *wim, struct ib_error **err)
{
	return ib_wim_write_new(wim, err);
}

static bool need_spool(struct ib_wim *wim, struct ib_error **err)
{
	struct spool_params params = {
		.dir = wim->spool_dir,
		.compression = wim->info.compression,
		.chunk = wim->info.chunk_size,
		.level = wim->level,
		.threads = wim->threads,
		.ready = write_ready,
		.data = wim,
	};

	if (wim->spool)
		return true;
	if (params.compression == IB_WIM_LZMS) { /* what such a file is converted to when it is written */
		params.compression = IB_WIM_LZX;
		params.chunk = WIM_CHUNK_DEFAULT;
	}
	return ib_wim_spool_new(&params, &wim->spool, err);
}

/* b: may be NULL, which is known already. */
static bool keep(struct ib_wim *wim, struct blob *b, struct ib_error **err)
{
	if (b) {
		g_rw_lock_writer_lock(&wim->lock);
		g_hash_table_insert(wim->blobs, b->hash, b);
		g_rw_lock_writer_unlock(&wim->lock);
		g_ptr_array_add(wim->order, b);
	}
	return ib_wim_write_new(wim, err);
}

bool ib_wim_add_blob(struct ib_wim *wim, struct ib_stream *stream, uint8_t ret_hash[IB_WIM_HASH_SIZE],
		     uint64_t *ret_size, struct ib_error **err)
{
	struct blob *b;

	return need_spool(wim, err) && ib_wim_spool_add(wim->spool, stream, wim->blobs, ret_hash, ret_size, &b, err) &&
	       keep(wim, b, err);
}

bool ib_wim_add_bytes(struct ib_wim *wim, const void *data, size_t len, uint8_t ret_hash[IB_WIM_HASH_SIZE],
		      struct ib_error **err)
{
	struct blob *b;

	return need_spool(wim, err) && ib_wim_spool_add_bytes(wim->spool, data, len, wim->blobs, ret_hash, &b, err) &&
	       keep(wim, b, err);
}
