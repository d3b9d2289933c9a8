/* Bodies in the container of the Windows Compression API: a header, then chunks that stand alone. */
#include "delta/body_internal.h"

#include "codec/codec.h"

#define HEADER 24u
#define XPRESS_HUFF 4u
#define LZMS 5u
#define CHUNK_MAX (UINT32_C(64) << 20)  /* the API's own limit */
#define XPRESS_BLOCK_MAX 65536u         /* one block of the codec; larger chunks are several, of a form of their own */

struct header {
	uint8_t algorithm;
	uint64_t total;
	uint32_t chunk;
};

static bool read_header(struct ib_delta_span s, struct header *ret, struct ib_error **err)
{
	if (s.size < HEADER || ib_le16(s.data + 4) != HEADER)
		return ib_throw(err, IB_ERR_INPUT, "the delta's compressed patch has no header of %u bytes", HEADER);
	uint32_t crc = ib_crc32(ib_crc32(0, s.data, 6), s.data + 7, HEADER - 7);
	if ((crc & 0xff) != s.data[6])
		return ib_throw(err, IB_ERR_INPUT, "the header of the delta's compressed patch is damaged");
	*ret = (struct header){ .algorithm = s.data[7], .total = ib_le64(s.data + 8), .chunk = ib_le32(s.data + 16) };
	if (ret->algorithm != LZMS && ret->algorithm != XPRESS_HUFF)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta's patch is compressed by algorithm %u, only LZMS (5) and XPRESS "
				"Huffman (4) are known",
				ret->algorithm);
	if (ib_le32(s.data + 20) & 1)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta's compressed patch has chunks of a form that is not known");
	if (ret->chunk == 0 || ret->chunk > CHUNK_MAX)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta's compressed patch has chunks of %u bytes, at most %u are possible",
				ret->chunk, CHUNK_MAX);
	if (ret->algorithm == XPRESS_HUFF && MIN(ret->total, ret->chunk) > XPRESS_BLOCK_MAX)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta's patch has XPRESS blocks of %u bytes, at most %u can be read", ret->chunk,
				XPRESS_BLOCK_MAX);
	return true;
}

static bool decode_chunks(struct ib_reader *r, const struct header *h, struct ib_decompressor *d, uint8_t *out,
			  struct ib_error **err)
{
	for (uint64_t at = 0; at < h->total;) {
		size_t plain = (size_t)MIN(h->total - at, h->chunk);
		size_t stored = ib_reader_le32(r);
		const uint8_t *in = r->bad ? NULL : ib_reader_take(r, stored);
		if (!in)
			return ib_throw(err, IB_ERR_INPUT,
					"the delta's compressed patch ends early, at byte %" PRIu64 " of %" PRIu64,
					at, h->total);
		if (stored == plain)
			memcpy(out + at, in, plain);
		else if (stored > plain || !ib_decompress(d, in, stored, out + at, plain))
			return ib_throw(err, IB_ERR_INPUT,
					"the delta's compressed patch is damaged behind byte %" PRIu64, at);
		at += plain;
	}
	return true;
}

bool ib_delta_container_size(struct ib_delta_span body, uint64_t *ret, struct ib_error **err)
{
	struct header h = { 0 };

	if (!read_header(body, &h, err))
		return false;
	*ret = h.total;
	return true;
}

bool ib_delta_container_decode(struct ib_delta_span body, uint64_t limit, uint8_t **ret, uint64_t *ret_size,
			       struct ib_error **err)
{
	struct header h = { 0 };
	struct ib_decompressor *d;
	g_autofree uint8_t *out = NULL;

	if (!read_header(body, &h, err))
		return false;
	if (h.total > limit)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta's compressed patch has %" PRIu64 " bytes, at most %" PRIu64 " make sense",
				h.total, limit);
	if (!ib_delta_alloc(h.total, &out, err))
		return false;
	enum ib_codec codec = h.algorithm == LZMS ? IB_CODEC_LZMS : IB_CODEC_XPRESS;
	if (!ib_decompressor_new(codec, (size_t)MAX(MIN(h.total, h.chunk), 1), &d, err))
		return false;
	struct ib_reader r = ib_reader_over(body.data + HEADER, body.size - HEADER);
	bool ok = decode_chunks(&r, &h, d, out, err);
	ib_decompressor_free(d);
	if (!ok)
		return false;
	*ret = g_steal_pointer(&out);
	*ret_size = h.total;
	return true;
}
