/* delta, private: bit streams, prefix codes, rifts, and the steps of applying a record. */
#ifndef IB_DELTA_INTERNAL_H
#define IB_DELTA_INTERNAL_H

#include "delta/delta.h"

#include <string.h>

/* ---- bits ---- */

/*
 * Bits of borrowed bytes, lowest bit of each byte first. Reading past the end gives zeros and sets bad: check it
 * after a run of reads.
 */
struct ib_delta_bits {
	const uint8_t *data;
	size_t size;
	uint64_t at;  /* next bit */
	uint64_t end; /* first bit that is padding */
	bool bad;
};

/* Start a stream: its first three bits say how many bits of its last byte are padding. */
void ib_delta_bits_init(struct ib_delta_bits *b, const uint8_t *data, size_t size);

/* The next 8 bytes for the last ones of a stream. */
uint64_t ib_delta_bits_tail(const struct ib_delta_bits *b);

/* At least 57 coming bits, zeros behind the last byte; does not move. */
static inline uint64_t ib_delta_peek(const struct ib_delta_bits *b)
{
	size_t byte = (size_t)(b->at >> 3);

	if (G_LIKELY(byte + 8 <= b->size))
		return ib_le64(b->data + byte) >> (b->at & 7);
	return ib_delta_bits_tail(b);
}

/* Move on; past the end is bad. */
static inline void ib_delta_skip(struct ib_delta_bits *b, unsigned n)
{
	b->at += n;
	if (G_UNLIKELY(b->at > b->end)) {
		b->at = b->end;
		b->bad = true;
	}
}

/* Up to 57 bits. */
static inline uint64_t ib_delta_bits_short(struct ib_delta_bits *b, unsigned n)
{
	uint64_t v = ib_delta_peek(b) & ((UINT64_C(1) << n) - 1);

	ib_delta_skip(b, n);
	return v;
}

/* Up to 64 bits. */
uint64_t ib_delta_bits(struct ib_delta_bits *b, unsigned n);
/* Zero bits before the next one bit, which is read too; more than max are bad. */
unsigned ib_delta_zeros(struct ib_delta_bits *b, unsigned max);
/* A number in the header's form. */
int64_t ib_delta_int(struct ib_delta_bits *b);
/* The same where it must not be negative nor above max. */
uint64_t ib_delta_count(struct ib_delta_bits *b, uint64_t max);
/* A number and that many bytes at the next byte boundary; borrowed. Empty when bad. */
struct ib_delta_span {
	const uint8_t *data;
	size_t size;
};
struct ib_delta_span ib_delta_buffer(struct ib_delta_bits *b);
/* The bytes of GBytes; nothing for NULL. Borrowed. */
static inline struct ib_delta_span ib_delta_span_of(GBytes *bytes)
{
	gsize size = 0;
	const uint8_t *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;

	return (struct ib_delta_span){ .data = data ? data : (const uint8_t *)"", .size = size };
}
/* Bits not read yet. */
static inline uint64_t ib_delta_left(const struct ib_delta_bits *b)
{
	return b->end - b->at;
}

/* ---- prefix codes ---- */

#define IB_DELTA_CODE_MAX 16   /* longest code, bits */
#define IB_DELTA_FAST_BITS 11  /* codes up to here are one look-up */
#define IB_DELTA_SYMBOLS_MAX 600

/* A prefix code ready for decoding. */
struct ib_delta_code {
	uint32_t fast[1 << IB_DELTA_FAST_BITS]; /* symbol << 8 | length; length 0: longer or none */
	uint16_t first[IB_DELTA_CODE_MAX + 1];  /* lowest code of each length */
	uint16_t count[IB_DELTA_CODE_MAX + 1];
	uint16_t index[IB_DELTA_CODE_MAX + 1];  /* where the length's symbols start in sorted */
	uint16_t sorted[IB_DELTA_SYMBOLS_MAX];  /* by length, then symbol */
};

/* Lengths of the code that spends as equal a number of bits as it can on n symbols. */
void ib_delta_code_flat(uint8_t *lengths, size_t n);
/* Make a code of lengths 0 (absent) to 16. False: more codes than bits can tell apart. No symbol at all is fine. */
bool ib_delta_code_make(struct ib_delta_code *c, const uint8_t *lengths, size_t n) IB_MUST_CHECK;
/* The symbol of a code longer than the fast ones; sets bad when there is none. */
unsigned ib_delta_symbol_slow(const struct ib_delta_code *c, struct ib_delta_bits *b);

/* Read a symbol. */
static inline unsigned ib_delta_symbol(const struct ib_delta_code *c, struct ib_delta_bits *b)
{
	uint32_t e = c->fast[ib_delta_peek(b) & ((1u << IB_DELTA_FAST_BITS) - 1)];

	if (G_UNLIKELY((e & 0xff) == 0))
		return ib_delta_symbol_slow(c, b);
	ib_delta_skip(b, e & 0xff);
	return e >> 8;
}

/* ---- numbers and rifts ---- */

#define IB_DELTA_INT_SYMBOLS 252

/* Read the code of numbers. */
bool ib_delta_format_read(struct ib_delta_bits *b, struct ib_delta_code *ret, struct ib_error **err) IB_MUST_CHECK;
/* The code of numbers when none is sent. */
void ib_delta_format_flat(struct ib_delta_code *ret);
/* Read a number. */
int64_t ib_delta_number(const struct ib_delta_code *c, struct ib_delta_bits *b);

/* From here on, positions move by to - from. */
struct ib_delta_rift_entry {
	int64_t from;
	int64_t to;
};

/*
 * A piecewise shift of positions, sorted by from, no from twice. Below the first entry the last one's shift holds.
 */
struct ib_delta_rift {
	struct ib_delta_rift_entry *e;
	size_t n;
	size_t room;
	size_t max; /* refuse more entries than this; 0: nothing may be added */
};

/*
 * Entries worth keeping for files of this size: genuine rifts have one per moved function or table at most. This bounds
 * the memory of joining and reversing them, which takes some 200 bytes for each entry of the joined rift.
 */
static inline size_t ib_delta_rift_limit(uint64_t source, uint64_t target)
{
	return (size_t)((source + target) / 384 + 16384);
}

void ib_delta_rift_clear(struct ib_delta_rift *r);
#define ib_auto_rift IB_CLEANUP(ib_delta_rift_clear) struct ib_delta_rift

/* Put an entry at the end. */
bool ib_delta_rift_add(struct ib_delta_rift *r, int64_t from, int64_t to, struct ib_error **err) IB_MUST_CHECK;
/* Sort by from; of equals only the last added stays. */
bool ib_delta_rift_sort(struct ib_delta_rift *r, struct ib_error **err) IB_MUST_CHECK;
/* Entries (a count and so many pairs) by two codes of numbers, appended. */
bool ib_delta_rift_entries(struct ib_delta_bits *b, const struct ib_delta_code *from, const struct ib_delta_code *shift,
			   struct ib_delta_rift *r, struct ib_error **err) IB_MUST_CHECK;
/* A table with its presence bit and codes, sorted. r holds max only on entry. */
bool ib_delta_rift_read(struct ib_delta_bits *b, struct ib_delta_rift *r, struct ib_error **err) IB_MUST_CHECK;
/* The same in the order it was sent. */
bool ib_delta_rift_read_unsorted(struct ib_delta_bits *b, struct ib_delta_rift *r, struct ib_error **err) IB_MUST_CHECK;
/* The entry that rules position x; the rift is not empty. */
size_t ib_delta_rift_find(const struct ib_delta_rift *r, int64_t x);
/* x moved by the rift; x itself when the rift is empty. */
int64_t ib_delta_rift_map(const struct ib_delta_rift *r, int64_t x);
/* First a, then b. ret holds max only on entry. */
bool ib_delta_rift_compose(const struct ib_delta_rift *a, const struct ib_delta_rift *b, struct ib_delta_rift *ret,
			   struct ib_error **err) IB_MUST_CHECK;
/* The way back: of positions that map to the same place the first one up from 0 wins. ret holds max only on entry. */
bool ib_delta_rift_reverse(const struct ib_delta_rift *r, struct ib_delta_rift *ret,
			   struct ib_error **err) IB_MUST_CHECK;

/* ---- records ---- */

/* A record taken apart; spans are borrowed from it. */
struct ib_delta_record {
	struct ib_delta_info info;
	struct ib_delta_span preprocess;
	struct ib_delta_span patch; /* of a reverse record: its one buffer */
};

bool ib_delta_record_read(const uint8_t *data, size_t size, struct ib_delta_record *ret, struct ib_error **err)
	IB_MUST_CHECK;

/* Apply without looking at hashes; used_up: every bit of the patch must have been used. */
bool ib_delta_decode(struct ib_delta_span source, const struct ib_delta_record *record, bool used_up, GBytes **ret,
		     struct ib_error **err) IB_MUST_CHECK;

/* Decode a PseudoLzx patch to exactly target_size bytes. moves: target offset to source offset, may be empty. */
struct ib_delta_lzx {
	struct ib_delta_span source;
	struct ib_delta_span patch;
	const struct ib_delta_rift *moves;
	uint8_t *target;
	uint64_t target_size;
	bool used_up; /* the patch must end with the target */
};
bool ib_delta_lzx_decode(const struct ib_delta_lzx *job, struct ib_error **err) IB_MUST_CHECK;

/* Bytes an input may ask for. Owned by the caller (g_free). */
bool ib_delta_alloc(uint64_t size, uint8_t **ret, struct ib_error **err) IB_MUST_CHECK;

#endif
