/*
 * Blocks that are compressed already: pictures, cabinets, differentials, winre.wim. LZX needs as long to find nothing in
 * one as to compress another. What LZX and XPRESS can use is seen for a tenth of that: bytes of unequal frequency, and
 * repeats.
 */
#include "codec/codec.h"

#include <math.h>
#include <string.h>

/* Repeats reach back over the whole block, so a larger one cannot be judged piece by piece. */
#define BLOCK_MAX 65536u
/* A gain that does not pay: what code lengths alone take, and a part of the block. */
#define GAIN_MAX(len) (64 + (len) / 256)
/* Four stretches of this many bytes tell most blocks apart. */
#define STRETCH 256u

/* Bytes that come in equal numbers, as far as a sample tells. Of evenly distributed bytes, squares add up to SAME. */
static bool sample_is_even(const uint8_t *in, size_t len)
{
	enum { N = 4 * STRETCH, SAME = N + N * (N - 1) / 256 };
	uint16_t count[256] = { 0 };
	uint32_t squares = 0;

	if (len < N)
		return true;
	for (unsigned part = 0; part < 4; part++) {
		const uint8_t *p = in + (len - STRETCH) / 3 * part;
		for (unsigned i = 0; i < STRETCH; i++)
			squares += 2u * count[p[i]]++ + 1u;
	}
	return squares < SAME + SAME / 8;
}

/* Bytes that a perfect code of single bytes would save. */
static double saved_by_codes(const uint8_t *in, size_t len)
{
	uint32_t count[256] = { 0 };
	double bits = 0;

	for (size_t i = 0; i < len; i++)
		count[in[i]]++;
	for (unsigned i = 0; i < 256; i++)
		if (count[i] > 0)
			bits += count[i] * log2((double)len / count[i]);
	return (double)len - bits / 8;
}

/* Whether repeats of at least seven bytes save more than limit. A repeat costs some four bytes to say. */
static bool repeats_save(const uint8_t *in, size_t len, size_t limit)
{
	enum { BITS = 13, STEP = 4 };
	uint16_t places[1 << BITS] = { 0 }; /* where four bytes of this hash were last */
	size_t saved = 0;

	for (size_t at = 0; at + STEP <= len; at++) {
		uint32_t word = ib_le32(in + at), hash = word * 2654435761u >> (32 - BITS);
		size_t place = places[hash];
		if (place < at && ib_le32(in + place) == word) {
			size_t n = STEP;
			while (at + n < len && in[place + n] == in[at + n])
				n++;
			saved += n - STEP;
			if (saved > limit)
				return true;
			at += n - 1;
		} else if (at % STEP == 0) {
			places[hash] = (uint16_t)at;
		}
	}
	return false;
}

bool ib_compress_futile(const void *in, size_t len)
{
	return len <= BLOCK_MAX && sample_is_even(in, len) && saved_by_codes(in, len) <= (double)GAIN_MAX(len) &&
	       !repeats_save(in, len, GAIN_MAX(len));
}
