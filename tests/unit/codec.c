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

struct lent {
	uint8_t bytes[BLOCK];
	unsigned *returned;
};

/* Nobody may read it any more. */
static void give_back(void *data)
{
	struct lent *l = data;

	memset(l->bytes, 0, sizeof(l->bytes));
	(*l->returned)++;
	g_free(l);
}

/* returned: the blocks are lent, and their returns counted here; NULL: they are copied */
static bool run(unsigned threads, unsigned *returned, struct collected *c, struct ib_error **err)
{
	struct ib_codec_pool *pool;
	uint8_t block[BLOCK];
	bool ok = true;

	c->bytes = g_byte_array_new();
	cr_assert(ib_codec_pool_new(IB_CODEC_LZX, BLOCK, 20, threads, collect, c, &pool, err));
	for (unsigned i = 0; ok && i < 600; i++) {
		g_autoptr(GBytes) owner = NULL;
		const uint8_t *in = block;
		fill(block, BLOCK, i);
		if (returned) {
			struct lent *l = g_new(struct lent, 1);
			l->returned = returned;
			memcpy(l->bytes, block, BLOCK);
			owner = g_bytes_new_with_free_func(l->bytes, BLOCK, give_back, l);
			in = l->bytes;
			memset(block, 0, BLOCK);
		}
		ok = ib_codec_pool_put(pool, GUINT_TO_POINTER(i), in, i % 10 == 9 ? 0 : BLOCK - i, owner, err);
	}
	ok = ok && ib_codec_pool_flush(pool, err);
	ib_codec_pool_free(pool);
	return ok;
}

Test(codec, pool_keeps_the_order)
{
	struct collected one = { .fail_at = 1000 }, many = { .fail_at = 1000 }, lent = { .fail_at = 1000 };
	unsigned returned = 0;
	ib_auto_error err = NULL;

	cr_assert(run(1, NULL, &one, &err) && run(5, NULL, &many, &err) && run(5, &returned, &lent, &err));
	cr_assert_eq(one.next, 600);
	cr_assert_eq(returned, 600, "%u of 600 blocks were given back", returned);
	cr_assert_eq(lent.bytes->len, one.bytes->len);
	cr_assert_eq(memcmp(lent.bytes->data, one.bytes->data, one.bytes->len), 0);
	g_byte_array_unref(lent.bytes);
	cr_assert_eq(one.bytes->len, many.bytes->len);
	cr_assert_eq(memcmp(one.bytes->data, many.bytes->data, one.bytes->len), 0);
	g_byte_array_unref(one.bytes);
	g_byte_array_unref(many.bytes);
}

Test(codec, pool_stops_after_a_failure)
{
	struct collected c = { .fail_at = 5 }, lent = { .fail_at = 5 };
	unsigned returned = 0;
	ib_auto_error err = NULL;
	ib_auto_error again = NULL;

	cr_assert_not(run(3, NULL, &c, &err));
	cr_assert_str_eq(ib_error_cause(err), "full");
	cr_assert_not(run(3, &returned, &lent, &again));
	cr_assert(returned >= 5, "what was lent is given back, also what never came out");
	g_byte_array_unref(c.bytes);
	g_byte_array_unref(lent.bytes);
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

/* ---- what cannot be compressed ---- */

static void noise(uint8_t *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(seed >> 56);
	}
}

/* What the codec makes of a block of LZX; its length when nothing is gained. */
static size_t packed(const uint8_t *in, size_t len)
{
	uint8_t out[2 * BLOCK];
	struct ib_compressor *c;
	ib_auto_error err = NULL;

	cr_assert(ib_compressor_new(IB_CODEC_LZX, 2 * BLOCK, 20, &c, &err));
	size_t n = ib_compress(c, in, len, out, sizeof(out));
	ib_compressor_free(c);
	return n > 0 ? n : len;
}

Test(codec, what_is_compressed_already_is_seen)
{
	static const size_t sizes[] = { 600, 4096, 5000, BLOCK, 2 * BLOCK };
	uint8_t block[2 * BLOCK];

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		noise(block, sizes[i], i);
		cr_assert(ib_compress_futile(block, sizes[i]), "%zu bytes of noise", sizes[i]);
		cr_assert_eq(packed(block, sizes[i]), sizes[i]);
	}
	/* The output of the codec itself. */
	uint8_t out[BLOCK];
	struct ib_compressor *c;
	ib_auto_error err = NULL;
	noise(block, BLOCK, 7);
	for (unsigned i = 0; i < BLOCK; i++)
		block[i] &= 0x3f;
	cr_assert(ib_compressor_new(IB_CODEC_LZX, BLOCK, 20, &c, &err));
	size_t n = ib_compress(c, block, BLOCK, out, BLOCK);
	ib_compressor_free(c);
	cr_assert(n > 20000);
	cr_assert_not(ib_compress_futile(block, BLOCK));
	cr_assert(ib_compress_futile(out, n));
}

/* Noise with something in it that the codec can use: how much is given away at the most. */
Test(codec, what_can_be_compressed_is_asked)
{
	uint8_t block[BLOCK];

	fill(block, BLOCK, 1);
	cr_assert_not(ib_compress_futile(block, BLOCK));
	memset(block, 0, BLOCK);
	cr_assert_not(ib_compress_futile(block, BLOCK));
	cr_assert_not(ib_compress_futile(block, 700));
	for (unsigned part = 0; part <= 64; part++) { /* text, a repeat, or rarer bytes in a part of the block */
		size_t len = BLOCK * part / 64;
		for (unsigned kind = 0; kind < 3; kind++) {
			noise(block, BLOCK, part);
			for (size_t i = BLOCK - len; i < BLOCK; i++)
				block[i] = kind == 0 ? (uint8_t)"of text"[i % 7] : kind == 1 ? block[(i - BLOCK + len) % 300] :
									    block[i] & 0xfe;
			size_t gain = BLOCK - packed(block, BLOCK);
			if (ib_compress_futile(block, BLOCK))
				cr_assert(gain < BLOCK / 32, "%zu bytes of kind %u: %zu given away", len, kind, gain);
		}
	}
}

Test(codec, a_block_too_large_to_judge)
{
	g_autofree uint8_t *block = g_malloc(2 * BLOCK + 1);

	noise(block, 2 * BLOCK + 1, 1);
	cr_assert_not(ib_compress_futile(block, 2 * BLOCK + 1));
}
