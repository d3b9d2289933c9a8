#include <criterion/criterion.h>

#include <string.h>

#include "codec/codec.h"

#define BLOCK 32768u

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = seed % 3 == 0 ? (uint8_t)((i * 2654435761u + seed * 40503u) >> 11) :
				       (uint8_t)"some text "[(i + seed) % 10];
}

Test(codec, each_codec_gives_back_what_it_got)
{
	static const enum ib_codec codecs[] = { IB_CODEC_XPRESS, IB_CODEC_LZX, IB_CODEC_LZMS };
	uint8_t in[BLOCK], out[BLOCK], back[BLOCK];

	for (unsigned i = 0; i < G_N_ELEMENTS(codecs); i++) {
		struct ib_compressor *c;
		struct ib_decompressor *d;
		ib_auto_error err = NULL;
		fill(in, BLOCK, 1);
		cr_assert(ib_compressor_new(codecs[i], BLOCK, 20, &c, &err));
		cr_assert(ib_decompressor_new(codecs[i], BLOCK, &d, &err));
		size_t n = ib_compress(c, in, BLOCK, out, BLOCK);
		cr_assert(n > 0 && n < BLOCK);
		cr_assert(ib_decompress(d, out, n, back, BLOCK));
		cr_assert_eq(memcmp(in, back, BLOCK), 0);
		cr_assert_eq(ib_compress(c, "x", 1, out, BLOCK), 0, "a byte cannot become fewer");
		ib_compressor_free(c);
		ib_decompressor_free(d);
	}
}

Test(codec, impossible_block)
{
	struct ib_compressor *c;
	ib_auto_error err = NULL;

	cr_assert_not(ib_compressor_new(IB_CODEC_XPRESS, 1 << 20, 0, &c, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
}

struct collected {
	GByteArray *bytes;
	unsigned next, fail_at;
};

static bool collect(void *data, void *tag, const uint8_t *bytes, size_t stored, size_t plain, struct ib_error **err)
{
	struct collected *c = data;

	cr_assert_eq(GPOINTER_TO_UINT(tag), c->next, "out of order");
	if (c->next++ == c->fail_at)
		return ib_throw(err, IB_ERR_SYSTEM, "full");
	g_byte_array_append(c->bytes, bytes, (guint)stored);
	cr_assert(stored <= plain);
	return true;
}

static bool run(unsigned threads, struct collected *c, struct ib_error **err)
{
	struct ib_codec_pool *pool;
	uint8_t block[BLOCK];
	bool ok = true;

	c->bytes = g_byte_array_new();
	cr_assert(ib_codec_pool_new(IB_CODEC_LZX, BLOCK, 20, threads, collect, c, &pool, err));
	for (unsigned i = 0; ok && i < 600; i++) {
		fill(block, BLOCK, i);
		ok = ib_codec_pool_put(pool, GUINT_TO_POINTER(i), block, i % 10 == 9 ? 0 : BLOCK - i, err);
	}
	ok = ok && ib_codec_pool_flush(pool, err);
	ib_codec_pool_free(pool);
	return ok;
}

Test(codec, pool_keeps_the_order)
{
	struct collected one = { .fail_at = 1000 }, many = { .fail_at = 1000 };
	ib_auto_error err = NULL;

	cr_assert(run(1, &one, &err) && run(5, &many, &err));
	cr_assert_eq(one.next, 600);
	cr_assert_eq(one.bytes->len, many.bytes->len);
	cr_assert_eq(memcmp(one.bytes->data, many.bytes->data, one.bytes->len), 0);
	g_byte_array_unref(one.bytes);
	g_byte_array_unref(many.bytes);
}

Test(codec, pool_stops_after_a_failure)
{
	struct collected c = { .fail_at = 5 };
	ib_auto_error err = NULL;

	cr_assert_not(run(3, &c, &err));
	cr_assert_str_eq(ib_error_cause(err), "full");
	g_byte_array_unref(c.bytes);
}

Test(codec, tiny_blocks_are_refused)
{
	static const enum ib_codec codecs[] = { IB_CODEC_XPRESS, IB_CODEC_LZX, IB_CODEC_LZMS };
	static const uint8_t in[] = { 0, 0, 0, 0x18 };
	uint8_t out[4];

	for (unsigned i = 0; i < G_N_ELEMENTS(codecs); i++) {
		struct ib_decompressor *d;
		ib_auto_error err = NULL;
		cr_assert(ib_decompressor_new(codecs[i], BLOCK, &d, &err));
		for (size_t n = 0; n < 3; n++)
			cr_assert_not(ib_decompress(d, in, sizeof(in), out, n));
		ib_decompressor_free(d);
	}
}
