/**
 * codec: LZX, XPRESS and LZMS by libwim's codecs, and a bounded pool of
 * compressor threads. Each thread owns its codec; there is no global lock.
 */
#ifndef IB_CODEC_CODEC_H
#define IB_CODEC_CODEC_H

#include "base/base.h"

enum ib_codec { IB_CODEC_XPRESS, IB_CODEC_LZX, IB_CODEC_LZMS };

struct ib_compressor;
struct ib_decompressor;

/** @param max_block  bytes of the largest block; level 0 = the codec's default. Result: ib_compressor_free. */
bool ib_compressor_new(enum ib_codec codec, size_t max_block, unsigned level, struct ib_compressor **ret,
		       struct ib_error **err) IB_MUST_CHECK;
/** Compress one block. @return bytes written to out, 0 when they would not be fewer than len (store it plain) */
size_t ib_compress(struct ib_compressor *c, const void *in, size_t len, void *out, size_t cap);
void ib_compressor_free(struct ib_compressor *c);

/** @param max_block  bytes of the largest plain block. Result: ib_decompressor_free. */
bool ib_decompressor_new(enum ib_codec codec, size_t max_block, struct ib_decompressor **ret,
			 struct ib_error **err) IB_MUST_CHECK;
/** Decompress one block to exactly out_len bytes. @return false when the data is bad */
bool ib_decompress(struct ib_decompressor *d, const void *in, size_t len, void *out, size_t out_len) IB_MUST_CHECK;
void ib_decompressor_free(struct ib_decompressor *d);

#endif
