#include "delta/internal.h"

void ib_delta_bits_init(struct ib_delta_bits *b, const uint8_t *data, size_t size)
{
	*b = (struct ib_delta_bits){ .data = data, .size = size, .end = (uint64_t)size * 8 };
	unsigned padding = (unsigned)ib_delta_bits_short(b, 3);
	if (b->bad || padding > ib_delta_left(b)) {
		b->bad = true;
		b->at = b->end;
		return;
	}
	b->end -= padding;
}

uint64_t ib_delta_bits_tail(const struct ib_delta_bits *b)
{
	uint8_t last[8] = { 0 };
	size_t byte = (size_t)(b->at >> 3);

	if (byte < b->size)
		memcpy(last, b->data + byte, MIN(sizeof(last), b->size - byte));
	return ib_le64(last) >> (b->at & 7);
}

uint64_t ib_delta_bits(struct ib_delta_bits *b, unsigned n)
{
	if (n <= 32)
		return ib_delta_bits_short(b, n);
	uint64_t low = ib_delta_bits_short(b, 32);
	return low | ib_delta_bits_short(b, n - 32) << 32;
}

unsigned ib_delta_zeros(struct ib_delta_bits *b, unsigned max)
{
	uint64_t next = ib_delta_peek(b);
	unsigned n = next ? (unsigned)__builtin_ctzll(next) : 64;

	if (n > max) {
		b->bad = true;
		b->at = b->end;
		return 0;
	}
	ib_delta_skip(b, n + 1);
	return n;
}

int64_t ib_delta_int(struct ib_delta_bits *b)
{
	unsigned k = ib_delta_zeros(b, 15);

	return (int64_t)ib_delta_bits(b, (k + 1) * 4);
}

uint64_t ib_delta_count(struct ib_delta_bits *b, uint64_t max)
{
	int64_t v = ib_delta_int(b);

	if (v >= 0 && (uint64_t)v <= max && !b->bad)
		return (uint64_t)v;
	b->bad = true;
	b->at = b->end;
	return 0;
}

struct ib_delta_span ib_delta_buffer(struct ib_delta_bits *b)
{
	struct ib_delta_span none = { .data = (const uint8_t *)"", .size = 0 };
	uint64_t n = ib_delta_count(b, b->size);
	uint64_t byte = (b->at + 7) / 8;

	if (b->bad)
		return none;
	/* an empty buffer may stand at the very end, with its boundary in the padding */
	if (n == 0) {
		b->at = MIN(byte * 8, b->end);
		return none;
	}
	if (n > b->size - byte) {
		b->bad = true;
		b->at = b->end;
		return none;
	}
	b->at = MIN((byte + n) * 8, b->end);
	return (struct ib_delta_span){ .data = b->data + byte, .size = (size_t)n };
}
