#include "codec/codec.h"

#include <wimlib.h>

/* libwim's types are opaque handles of the same meaning: ours are only other names for them. */

static enum wimlib_compression_type type_of(enum ib_codec codec)
{
	switch (codec) {
	case IB_CODEC_XPRESS: return WIMLIB_COMPRESSION_TYPE_XPRESS;
	case IB_CODEC_LZX: return WIMLIB_COMPRESSION_TYPE_LZX;
	case IB_CODEC_LZMS: return WIMLIB_COMPRESSION_TYPE_LZMS;
	}
	return WIMLIB_COMPRESSION_TYPE_NONE;
}

/* The codecs look up the processor's features in tables that this fills. */
static void init_library(void)
{
	static gsize once;

	if (g_once_init_enter(&once)) {
		wimlib_global_init(0);
		g_once_init_leave(&once, 1);
	}
}

static bool throw_library(struct ib_error **err, int status, size_t max_block)
{
	if (status == WIMLIB_ERR_NOMEM)
		return ib_throw_memory(err);
	return ib_throw(err, IB_ERR_INPUT, "this compression does not take blocks of %zu bytes", max_block);
}

bool ib_compressor_new(enum ib_codec codec, size_t max_block, unsigned level, struct ib_compressor **ret,
		       struct ib_error **err)
{
	struct wimlib_compressor *c;

	init_library();
	int status = wimlib_create_compressor(type_of(codec), max_block, level, &c);
	if (status != 0)
		return throw_library(err, status, max_block);
	*ret = (struct ib_compressor *)c;
	return true;
}

size_t ib_compress(struct ib_compressor *c, const void *in, size_t len, void *out, size_t cap)
{
	if (len < 2)
		return 0;
	return wimlib_compress(in, len, out, MIN(cap, len - 1), (struct wimlib_compressor *)c);
}

void ib_compressor_free(struct ib_compressor *c)
{
	wimlib_free_compressor((struct wimlib_compressor *)c);
}

bool ib_decompressor_new(enum ib_codec codec, size_t max_block, struct ib_decompressor **ret, struct ib_error **err)
{
	struct wimlib_decompressor *d;

	init_library();
	int status = wimlib_create_decompressor(type_of(codec), max_block, &d);
	if (status != 0)
		return throw_library(err, status, max_block);
	*ret = (struct ib_decompressor *)d;
	return true;
}

bool ib_decompress(struct ib_decompressor *d, const void *in, size_t len, void *out, size_t out_len)
{
	/* no codec makes so few bytes fewer; and libwim's LZMS decoder leaves its stack on blocks of 0 to 2 bytes */
	if (out_len < 3)
		return false;
	return wimlib_decompress(in, len, out, out_len, (struct wimlib_decompressor *)d) == 0;
}

void ib_decompressor_free(struct ib_decompressor *d)
{
	wimlib_free_decompressor((struct wimlib_decompressor *)d);
}
