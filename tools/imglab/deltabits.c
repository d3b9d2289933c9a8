#include "deltabits.h"

#include <string.h>

/* ---- bits ---- */

struct lab_bits lab_bits_begin(void)
{
	struct lab_bits b = { .bytes = g_byte_array_new() };

	lab_bits_put(&b, 0, 3);
	return b;
}

static void put_byte(struct lab_bits *b)
{
	uint8_t byte = (uint8_t)b->waiting;

	g_byte_array_append(b->bytes, &byte, 1);
	b->waiting >>= 8;
	b->n = b->n > 8 ? b->n - 8 : 0;
}

GByteArray *lab_bits_end(struct lab_bits *b)
{
	unsigned padding = (8 - b->n % 8) % 8;

	while (b->n > 0)
		put_byte(b);
	b->bytes->data[0] |= (uint8_t)padding;
	return b->bytes;
}

void lab_bits_put(struct lab_bits *b, uint64_t v, unsigned n)
{
	if (n > 32) {
		lab_bits_put(b, v, 32);
		v >>= 32;
		n -= 32;
	}
	b->waiting |= (v & (((uint64_t)1 << n) - 1)) << b->n;
	b->n += n;
	while (b->n >= 16) { /* so that 32 more always fit, and bytes 0 stays where end() finds it */
		put_byte(b);
		put_byte(b);
	}
}

void lab_bits_int(struct lab_bits *b, int64_t v)
{
	unsigned k = 0;

	while (k < 15 && (uint64_t)v >> (4 * (k + 1)) != 0)
		k++;
	lab_bits_put(b, (uint64_t)1 << k, k + 1);
	lab_bits_put(b, (uint64_t)v, 4 * (k + 1));
}

void lab_bits_buffer(struct lab_bits *b, const void *data, size_t size)
{
	lab_bits_int(b, (int64_t)size);
	while (b->n > 0)
		put_byte(b);
	if (size)
		g_byte_array_append(b->bytes, data, (guint)size);
}

/* ---- codes ---- */

void lab_code_make(struct lab_code *c, const uint8_t *lengths, size_t n)
{
	unsigned next = 0;

	memcpy(c->lengths, lengths, n);
	for (unsigned len = 16; len > 0; len--) {
		for (size_t i = 0; i < n; i++) {
			if (lengths[i] != len)
				continue;
			unsigned code = next++;
			c->codes[i] = 0;
			for (unsigned k = 0; k < len; k++)
				c->codes[i] |= (uint16_t)((code >> k & 1) << (len - 1 - k));
		}
		next >>= 1;
	}
}

void lab_code_flat(uint8_t *lengths, size_t n)
{
	unsigned w = 0;

	while ((size_t)1 << w < n)
		w++;
	for (size_t i = 0; i < n; i++)
		lengths[i] = (uint8_t)(i < ((size_t)1 << w) - n ? w - 1 : w);
}

void lab_bits_symbol(struct lab_bits *b, const struct lab_code *c, unsigned symbol)
{
	lab_bits_put(b, c->codes[symbol], c->lengths[symbol]);
}

/* ---- tables of shifts ---- */

/* Symbols of a number: half are positive, half negative. */
#define HALF 126u
#define NUMBERS (2 * HALF)
/* Bits a flat code has for a symbol, and what announcing it takes. */
#define FLAT_BITS 8u

struct number {
	unsigned symbol, n; /* n more bits */
	uint64_t rest;
};

static struct number split(int64_t v)
{
	uint64_t u = (uint64_t)(v < 0 ? ~v : v);
	struct number s = { .symbol = (unsigned)u };

	if (u > 3) {
		while (u >> s.n > 3)
			s.n++;
		s.symbol = (s.n + 1) << 1 | (unsigned)(u >> s.n & 1);
		s.rest = u;
	}
	s.symbol += v < 0 ? HALF : 0;
	return s;
}

static unsigned highest(const uint32_t *counts)
{
	unsigned n = HALF;

	while (n > 0 && counts[n - 1] == 0)
		n--;
	return n;
}

/* Announce a code for numbers that come so often. All symbols up to the highest of each half get one. */
static void put_format(struct lab_bits *b, uint32_t *counts, struct lab_code *code)
{
	unsigned positive = highest(counts), negative = highest(counts + HALF), own = 0, flat = 0;
	uint8_t lengths[NUMBERS];

	for (unsigned i = 0; i < NUMBERS; i++) {
		bool given = i < positive || (i >= HALF && i < HALF + negative);
		flat += FLAT_BITS * counts[i];
		counts[i] += given;
	}
	lab_prefix_lengths(counts, NUMBERS, 16, lengths);
	/* a lonely symbol's company would stand beside the announced ones */
	bool usable = positive + negative > 1;
	for (unsigned i = 0; i < NUMBERS; i++)
		own += lengths[i] ? lengths[i] * (counts[i] - 1) + 4 : 0;
	if (!usable || own >= flat) {
		lab_bits_put(b, 0, 16);  /* no symbol has a length of its own */
		lab_bits_put(b, NUMBERS, 8);
		lab_bits_put(b, FLAT_BITS - 1, 4);
		memset(lengths, FLAT_BITS, sizeof(lengths));
	} else {
		lab_bits_put(b, positive, 8);
		lab_bits_put(b, negative, 8);
		lab_bits_put(b, 0, 8);
		for (unsigned i = 0; i < positive; i++)
			lab_bits_put(b, lengths[i] - 1u, 4);
		for (unsigned i = 0; i < negative; i++)
			lab_bits_put(b, lengths[HALF + i] - 1u, 4);
		lab_bits_put(b, 0, 4); /* the rest have none */
	}
	lab_code_make(code, lengths, NUMBERS);
}

static void put_number(struct lab_bits *b, const struct lab_code *c, int64_t v)
{
	struct number s = split(v);

	lab_bits_symbol(b, c, s.symbol);
	lab_bits_put(b, s.rest, s.n);
}

void lab_bits_rift(struct lab_bits *b, const struct lab_shift *rows, size_t n)
{
	uint32_t counts[2][NUMBERS] = { { 0 } };
	struct lab_code codes[2];
	struct lab_shift last = { 0 };

	lab_bits_put(b, n > 0, 1);
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		counts[0][split(rows[i].from - last.from).symbol]++;
		counts[1][split(rows[i].to - rows[i].from - (last.to - last.from)).symbol]++;
		last = rows[i];
	}
	put_format(b, counts[0], &codes[0]);
	put_format(b, counts[1], &codes[1]);
	lab_bits_int(b, (int64_t)n);
	last = (struct lab_shift){ 0 };
	for (size_t i = 0; i < n; i++) {
		put_number(b, &codes[0], rows[i].from - last.from);
		put_number(b, &codes[1], rows[i].to - rows[i].from - (last.to - last.from));
		last = rows[i];
	}
}
