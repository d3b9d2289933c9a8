/**
 * imglab/deltabits: the bit streams of PA30 deltas, written: numbers, buffers,
 * prefix codes, tables of shifts. From the format's public description, sharing
 * nothing with imgbuild's reader.
 */
#ifndef IMGLAB_DELTABITS_H
#define IMGLAB_DELTABITS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prefix.h"

/** A stream being written, lowest bit first. Its first three bits say how many of the last byte's are padding. */
struct lab_bits {
	GByteArray *bytes;
	uint64_t waiting;
	unsigned n; /**< bits waiting */
};

/** A new stream. */
struct lab_bits lab_bits_begin(void);
/** Close it. @return owned by the caller (g_byte_array_unref) */
GByteArray *lab_bits_end(struct lab_bits *b);
/** The lowest n bits of v; n is at most 64. */
void lab_bits_put(struct lab_bits *b, uint64_t v, unsigned n);
/** A 64-bit number in 4 to 64 bits. */
void lab_bits_int(struct lab_bits *b, int64_t v);
/** A counted run of bytes, at a byte boundary. @param data  borrowed; NULL when size is 0 */
void lab_bits_buffer(struct lab_bits *b, const void *data, size_t size);

/** A prefix code ready for writing. */
struct lab_code {
	uint8_t lengths[LAB_PREFIX_MAX];
	uint16_t codes[LAB_PREFIX_MAX]; /**< turned round: the first bit is the lowest */
};

/** Codes from lengths of at most 16, which are borrowed: the longest come first and are all zeros. */
void lab_code_make(struct lab_code *c, const uint8_t *lengths, size_t n);
/** Lengths that differ by one bit at most: what is used without a table. */
void lab_code_flat(uint8_t *lengths, size_t n);
/** Write a symbol, which has a code. */
void lab_bits_symbol(struct lab_bits *b, const struct lab_code *c, unsigned symbol);

/** One row of a table of shifts ("rift"): from here on, positions are moved by to - from. */
struct lab_shift {
	int64_t from, to;
};

/** A table of shifts behind its bit of presence; each of its two codes of numbers made to measure, or flat if shorter. */
void lab_bits_rift(struct lab_bits *b, const struct lab_shift *rows, size_t n);

#endif
