/* wim: writing many blobs as one solid resource: 16 bytes of header, the sizes of the chunks, the chunks. */
#include "wim/internal.h"

#include <string.h>

#define SOLID_HEADER 16u

struct solid_writer {
	struct out_buffer *out;
	struct ib_progress *progress;
	uint8_t *sizes; /* u32 each */
	size_t done, count;
};

static bool sink(void *data, void *tag, const uint8_t *bytes, size_t stored, size_t plain, struct ib_error **err)
{
	struct solid_writer *s = data;

	ib_put_le32(s->sizes + s->done++ * 4, (uint32_t)stored);
	return ib_wim_out_put(s->out, bytes, stored, err) && ib_progress_add(s->progress, stored, err);
}

/* What the chunks are cut from. */
struct filler {
	struct ib_codec_pool *pool;
	uint8_t *buf;
	size_t have, chunk;
};

static bool feed(struct ib_wim *wim, const struct blob *b, struct filler *f, struct ib_error **err)
{
	struct ib_stream *s;
	size_t n = 1;

	if (!ib_wim_blob_stream(wim, b, &s, err))
		return false;
	bool ok = true;
	while (ok && n > 0) {
		ok = ib_stream_read(s, f->buf + f->have, f->chunk - f->have, &n, err);
		f->have += ok ? n : 0;
		if (ok && f->have == f->chunk) {
			ok = ib_codec_pool_put(f->pool, NULL, f->buf, f->have, NULL, err);
			f->have = 0;
		}
	}
	ib_stream_free(s);
	return ok;
}

static bool compress_all(struct ib_wim *wim, GPtrArray *blobs, struct solid_writer *s, size_t chunk, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_try_malloc(chunk);
	struct filler f = { .buf = buf, .chunk = chunk };
	bool ok = true;

	if (!buf)
		return ib_throw_memory(err);
	if (!ib_codec_pool_new(IB_CODEC_LZMS, chunk, wim->level, wim->threads, sink, s, &f.pool, err))
		return false;
	for (guint i = 0; ok && i < blobs->len; i++)
		ok = feed(wim, g_ptr_array_index(blobs, i), &f, err);
	ok = ok && (f.have == 0 || ib_codec_pool_put(f.pool, NULL, f.buf, f.have, NULL, err)) && ib_codec_pool_flush(f.pool, err);
	ib_codec_pool_free(f.pool);
	return ok;
}

/* Each blob's place counts from the first plain byte of the resource. */
static uint64_t place_blobs(GPtrArray *blobs)
{
	uint64_t at = 0;

	for (guint i = 0; i < blobs->len; i++) {
		struct blob *b = g_ptr_array_index(blobs, i);
		b->out = (struct reshdr){ .offset = at, .stored = b->size, .size = 0, .flags = RES_SOLID };
		at += b->size;
	}
	return at;
}

uint64_t ib_wim_solid_overhead(uint64_t plain, uint32_t chunk)
{
	return SOLID_HEADER + (plain / chunk + 1) * 4;
}

bool ib_wim_solid_write(struct ib_wim *wim, GPtrArray *blobs, uint32_t chunk, struct out_buffer *out,
			struct ib_progress *progress, struct reshdr *ret, struct ib_error **err)
{
	uint8_t head[SOLID_HEADER];
	uint64_t plain = place_blobs(blobs), at = out->at;
	struct solid_writer s = { .out = out, .progress = progress, .count = (size_t)((plain + chunk - 1) / chunk) };
	g_autofree uint8_t *sizes = g_try_malloc0(s.count * 4 + 1);

	if (!sizes)
		return ib_throw_memory(err);
	s.sizes = sizes;
	ib_put_le64(head, plain);
	ib_put_le32(head + 8, chunk);
	ib_put_le32(head + 12, IB_WIM_LZMS);
	/* the sizes are not known yet: zeros keep their place */
	if (!ib_wim_out_put(out, head, sizeof head, err) || !ib_wim_out_put(out, sizes, s.count * 4, err) ||
	    !compress_all(wim, blobs, &s, chunk, err) || !ib_wim_out_flush(out, err) ||
	    !ib_output_write(&out->out, at + SOLID_HEADER, sizes, s.count * 4, err))
		return false;
	*ret = (struct reshdr){ .offset = at, .stored = out->at - at, .size = RES_SOLID_MARK, .flags = RES_SOLID };
	return true;
}
