/*
 * Prefix codes. Codes are given out from the longest length down, so the longest codes are all zeros; a code is read
 * with its highest bit first. Tables are indexed by coming bits, hence by codes turned round.
 */
#include "delta/internal.h"

void ib_delta_code_flat(uint8_t *lengths, size_t n)
{
	unsigned width = 0;

	while (((size_t)1 << width) < n)
		width++;
	size_t shorter = ((size_t)1 << width) - n;
	for (size_t i = 0; i < n; i++)
		lengths[i] = (uint8_t)(i < shorter ? width - 1 : width);
}

/* The len lowest of 16 bits, the other way round. */
static unsigned turned(unsigned code, unsigned len)
{
	code = (code & 0x5555) << 1 | (code >> 1 & 0x5555);
	code = (code & 0x3333) << 2 | (code >> 2 & 0x3333);
	code = (code & 0x0f0f) << 4 | (code >> 4 & 0x0f0f);
	return ((code & 0xff) << 8 | code >> 8) >> (16 - len);
}

/* The lowest code of each length; false when a length has more symbols than codes. */
static bool place(struct ib_delta_code *c)
{
	uint32_t next = 0;
	uint16_t index = 0;

	for (unsigned len = IB_DELTA_CODE_MAX; len > 0; len--) {
		if (next + c->count[len] > 1u << len)
			return false;
		c->first[len] = (uint16_t)next;
		next = (next + c->count[len]) >> 1;
	}
	for (unsigned len = 1; len <= IB_DELTA_CODE_MAX; len++) {
		c->index[len] = index;
		index = (uint16_t)(index + c->count[len]);
	}
	return true;
}

/*
 * The table for len bits is that for one bit less, twice, and the codes of this length. Should an incomplete code be
 * ambiguous, the shorter one wins, as in reading bit by bit.
 */
static void fill_fast(struct ib_delta_code *c)
{
	c->fast[0] = 0;
	for (unsigned len = 1; len <= IB_DELTA_FAST_BITS; len++) {
		size_t half = (size_t)1 << (len - 1);
		memcpy(c->fast + half, c->fast, half * sizeof(c->fast[0]));
		for (unsigned k = 0; k < c->count[len]; k++) {
			uint32_t *e = &c->fast[turned(c->first[len] + k, len)];
			if (*e == 0)
				*e = (uint32_t)c->sorted[c->index[len] + k] << 8 | len;
		}
	}
}

bool ib_delta_code_make(struct ib_delta_code *c, const uint8_t *lengths, size_t n)
{
	uint16_t given[IB_DELTA_CODE_MAX + 1] = { 0 };

	memset(c->count, 0, sizeof(c->count));
	for (size_t i = 0; i < n; i++)
		c->count[lengths[i]]++;
	c->count[0] = 0;
	if (!place(c))
		return false;
	for (size_t i = 0; i < n; i++)
		if (lengths[i])
			c->sorted[c->index[lengths[i]] + given[lengths[i]]++] = (uint16_t)i;
	fill_fast(c);
	return true;
}

unsigned ib_delta_symbol_slow(const struct ib_delta_code *c, struct ib_delta_bits *b)
{
	uint64_t next = ib_delta_peek(b);
	unsigned code = 0;

	for (unsigned len = 1; len <= IB_DELTA_CODE_MAX; len++) {
		code = code << 1 | (unsigned)(next & 1);
		next >>= 1;
		if (code >= c->first[len] && code - c->first[len] < c->count[len]) {
			ib_delta_skip(b, len);
			return c->sorted[c->index[len] + code - c->first[len]];
		}
	}
	b->bad = true;
	b->at = b->end;
	return 0;
}
