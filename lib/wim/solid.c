/* wim: solid resources (ESD): many blobs in one run of large chunks, mostly LZMS. */
#include "wim/internal.h"

#include <string.h>

#define SOLID_HEADER 16u

static bool throw_solid(struct ib_input *in, uint64_t at, const char *what, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' is damaged: solid resource at byte %" PRIu64 ": %s",
			ib_input_name(in), at, what);
}

bool ib_wim_solid_new(struct ib_wim *wim, const struct reshdr *r, struct solid **ret, struct ib_error **err)
{
	static const enum ib_wim_compression types[] = { IB_WIM_NONE, IB_WIM_XPRESS, IB_WIM_LZX, IB_WIM_LZMS };
	uint8_t head[SOLID_HEADER];

	if (!ib_wim_check_range(wim, r, "a solid resource", err))
		return false;
	if (r->stored < SOLID_HEADER)
		return throw_solid(wim->in, r->offset, "too small for its header", err);
	if (!ib_input_read(wim->in, r->offset, head, sizeof head, err))
		return false;
	uint64_t size = ib_le64(head);
	uint32_t chunk = ib_le32(head + 8), type = ib_le32(head + 12);
	if (type >= G_N_ELEMENTS(types))
		return throw_solid(wim->in, r->offset, "unknown compression", err);
	if (!ib_wim_check_chunk(types[type], chunk, ib_input_name(wim->in), err))
		return false;
	uint64_t count = size / chunk + (size % chunk != 0);
	if (count == 0 || count > (r->stored - SOLID_HEADER) / 4)
		return throw_solid(wim->in, r->offset, "its chunk table does not fit", err);
	struct solid *s = g_new0(struct solid, 1);
	s->file = wim->in;
	s->at = r->offset;
	s->stored = r->stored;
	s->size = size;
	s->chunk = chunk;
	s->count = (size_t)count;
	s->current = s->count;
	s->compression = types[type];
	*ret = s;
	return true;
}

static void release(struct solid *s)
{
	g_clear_pointer(&s->decompressor, ib_decompressor_free);
	g_clear_pointer(&s->offsets, g_free);
	g_clear_pointer(&s->in, g_free);
	g_clear_pointer(&s->plain, g_free);
	s->current = s->count;
}

void ib_wim_solid_free(void *solid)
{
	release(solid);
	g_free(solid);
}

static size_t plain_size(const struct solid *s, size_t i)
{
	return (size_t)MIN(s->chunk, s->size - (uint64_t)i * s->chunk);
}

/* The table of chunk sizes, turned into places in the file. */
static bool read_sizes(struct solid *s, struct ib_error **err)
{
	g_autofree uint8_t *raw = g_try_malloc(s->count * 4);
	g_autofree uint64_t *offsets = g_try_new0(uint64_t, s->count + 1);

	if (!raw || !offsets)
		return ib_throw_memory(err);
	if (!ib_input_read(s->file, s->at + SOLID_HEADER, raw, s->count * 4, err))
		return false;
	offsets[0] = s->at + SOLID_HEADER + s->count * 4;
	for (size_t i = 0; i < s->count; i++) {
		uint32_t stored = ib_le32(raw + i * 4);
		if (stored == 0 || stored > plain_size(s, i))
			return throw_solid(s->file, s->at, "a chunk has an impossible size", err);
		offsets[i + 1] = offsets[i] + stored;
	}
	if (offsets[s->count] > s->at + s->stored)
		return throw_solid(s->file, s->at, "its chunks do not fit", err);
	s->offsets = g_steal_pointer(&offsets);
	return true;
}

static bool prepare(struct solid *s, struct ib_error **err)
{
	enum ib_codec codec;

	if (s->plain)
		return true;
	if (!s->offsets && !read_sizes(s, err))
		return false;
	if (!s->decompressor && ib_wim_codec_of(s->compression, &codec) &&
	    !ib_decompressor_new(codec, s->chunk, &s->decompressor, err))
		return false;
	if (!s->in)
		s->in = g_try_malloc(s->chunk);
	s->plain = s->in ? g_try_malloc(s->chunk) : NULL;
	return s->plain ? true : ib_throw_memory(err);
}

static bool load(struct solid *s, size_t i, struct ib_error **err)
{
	size_t plain = plain_size(s, i), stored = (size_t)(s->offsets[i + 1] - s->offsets[i]);
	bool raw = stored == plain;

	if (s->current == i)
		return true;
	s->current = s->count;
	if (!ib_input_read(s->file, s->offsets[i], raw ? s->plain : s->in, stored, err))
		return false;
	if (!raw && (!s->decompressor || !ib_decompress(s->decompressor, s->in, stored, s->plain, plain)))
		return ib_throw(err, IB_ERR_VERIFY,
				"'%s' is damaged: chunk %zu of the solid resource at byte %" PRIu64
				" cannot be decompressed", ib_input_name(s->file), i, s->at);
	s->current = i;
	return true;
}

static bool read_locked(struct ib_wim *wim, struct solid *s, uint64_t at, uint8_t *buf, size_t len,
			struct ib_error **err)
{
	if (wim->open_solid && wim->open_solid != s)
		release(wim->open_solid);
	wim->open_solid = s;
	if (!prepare(s, err))
		return false;
	while (len > 0) {
		size_t i = (size_t)(at / s->chunk), skip = (size_t)(at % s->chunk);
		if (!load(s, i, err))
			return false;
		size_t n = MIN(len, plain_size(s, i) - skip);
		memcpy(buf, s->plain + skip, n);
		buf += n;
		at += n;
		len -= n;
	}
	return true;
}

bool ib_wim_solid_read(struct ib_wim *wim, struct solid *s, uint64_t at, void *buf, size_t len, struct ib_error **err)
{
	g_mutex_lock(&wim->solid_lock);
	bool ok = read_locked(wim, s, at, buf, len, err);
	g_mutex_unlock(&wim->solid_lock);
	return ok;
}
