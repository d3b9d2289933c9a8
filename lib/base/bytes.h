/**
 * base/bytes: little- and big-endian access, and a reader that cannot leave its
 * buffer. On-disk structures are read through these, never by casting.
 */
#ifndef IB_BASE_BYTES_H
#define IB_BASE_BYTES_H

#include "base/base.h"

/** Loads from unaligned memory; the caller guarantees the bytes are there. */
static inline uint16_t ib_le16(const void *p)
{
	const uint8_t *b = p;
	return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t ib_le32(const void *p)
{
	const uint8_t *b = p;
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t ib_le64(const void *p)
{
	const uint8_t *b = p;
	return ib_le32(b) | (uint64_t)ib_le32(b + 4) << 32;
}
static inline uint16_t ib_be16(const void *p)
{
	const uint8_t *b = p;
	return (uint16_t)(b[0] << 8 | b[1]);
}
static inline uint32_t ib_be32(const void *p)
{
	const uint8_t *b = p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/** Stores to unaligned memory; the caller guarantees the room. */
static inline void ib_put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;
	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}
static inline void ib_put_le32(void *p, uint32_t v)
{
	ib_put_le16(p, (uint16_t)v);
	ib_put_le16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}
static inline void ib_put_le64(void *p, uint64_t v)
{
	ib_put_le32(p, (uint32_t)v);
	ib_put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}
static inline void ib_put_be16(void *p, uint16_t v)
{
	uint8_t *b = p;
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}
static inline void ib_put_be32(void *p, uint32_t v)
{
	ib_put_be16(p, (uint16_t)(v >> 16));
	ib_put_be16((uint8_t *)p + 2, (uint16_t)v);
}

/**
 * A cursor over borrowed bytes. Reading past the end sets `bad`, returns zeros
 * and stays there: check `bad` once after a run of reads.
 */
struct ib_reader {
	const uint8_t *data; /**< borrowed */
	size_t size;
	size_t at;  /**< next byte; never above size */
	bool bad;   /**< something did not fit */
};

/** A reader over borrowed bytes, at the start. */
static inline struct ib_reader ib_reader_over(const void *data, size_t size)
{
	return (struct ib_reader){ .data = data, .size = size };
}

/** @return pointer to n bytes and moves on, or NULL and sets bad. */
const uint8_t *ib_reader_take(struct ib_reader *r, size_t n);
/** One byte, or 0 and bad. */
uint8_t ib_reader_u8(struct ib_reader *r);
/** A little-endian u16, or 0 and bad. */
uint16_t ib_reader_le16(struct ib_reader *r);
/** A little-endian u32, or 0 and bad. */
uint32_t ib_reader_le32(struct ib_reader *r);
/** A little-endian u64, or 0 and bad. */
uint64_t ib_reader_le64(struct ib_reader *r);
/** Move to an absolute offset, or set bad. */
void ib_reader_seek(struct ib_reader *r, uint64_t at);

/** Lower-case hex text; owned by the caller (g_free). */
char *ib_hex(const void *data, size_t len);

/**
 * Hex text to bytes; upper and lower case.
 * @return owned by the caller (g_bytes_unref), or NULL when the text is not hex
 */
GBytes *ib_unhex(const char *text, size_t len);

#endif
