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

/**
 * Whether LZX or XPRESS would be asked in vain: the block looks like data that is compressed already. Judging takes an
 * eighth of the time compressing does, next to none where a sample decides. What it gives away was 0.05 % of some
 * thousand pictures and archives, 3.6 % of the worst block. Blocks of more than 64 KiB are never judged (false).
 */
bool ib_compress_futile(const void *in, size_t len) IB_MUST_CHECK;

/** @param max_block  bytes of the largest plain block. Result: ib_decompressor_free. */
bool ib_decompressor_new(enum ib_codec codec, size_t max_block, struct ib_decompressor **ret,
			 struct ib_error **err) IB_MUST_CHECK;
/** Decompress one block to exactly out_len bytes. @return false when the data is bad */
bool ib_decompress(struct ib_decompressor *d, const void *in, size_t len, void *out, size_t out_len) IB_MUST_CHECK;
void ib_decompressor_free(struct ib_decompressor *d);

/* ---- many blocks, many threads ---- */

/** A bounded pool of compressor threads. Blocks go in on one thread and come out in the same order. */
struct ib_codec_pool;

/**
 * One finished block. Called on the thread that puts blocks, in the order they were put,
 * so that the result does not depend on the number of threads.
 * @param data    as given to ib_codec_pool_new()
 * @param tag     as given to ib_codec_pool_put()
 * @param bytes   compressed, or the plain block when compression does not pay; borrowed for the call
 * @param stored  bytes in bytes
 * @param plain   bytes of the block before compression; equal to stored when it is plain
 */
typedef bool (*ib_codec_sink)(void *data, void *tag, const uint8_t *bytes, size_t stored, size_t plain,
			      struct ib_error **err);

/**
 * Start a pool. Blocks that LZX or XPRESS would compress in vain (ib_compress_futile()) come out plain, unasked.
 * @param block    bytes of the largest block
 * @param level    0 = the codec's default
 * @param threads  0 = number of processors
 * @param sink     what to do with finished blocks
 * @param data     handed to sink; borrowed
 * @param ret      owned by the caller (ib_codec_pool_free)
 * Throws what ib_compressor_new() throws.
 */
bool ib_codec_pool_new(enum ib_codec codec, size_t block, unsigned level, unsigned threads, ib_codec_sink sink,
		       void *data, struct ib_codec_pool **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Give a block to the pool; waits while it is full. Finished blocks are handed to the sink meanwhile.
 * @param tag   handed to the sink with this block
 * @param len   at most the pool's block size; 0: only a mark in the order of blocks
 * @param owner whose bytes `in` is a part of: used where they are, with a reference until the block was handed on.
 *              NULL: `in` is copied
 * Throws what the sink throws; after that every call throws IB_ERR_SYSTEM.
 */
bool ib_codec_pool_put(struct ib_codec_pool *pool, void *tag, const void *in, size_t len, GBytes *owner,
		       struct ib_error **err) IB_MUST_CHECK;

/** Wait until every block has gone through the sink. Throws as ib_codec_pool_put(). */
bool ib_codec_pool_flush(struct ib_codec_pool *pool, struct ib_error **err) IB_MUST_CHECK;

/** Stop the threads; blocks not yet handed to the sink are dropped. NULL is fine. */
void ib_codec_pool_free(struct ib_codec_pool *pool);

#endif
