#include "cablzx.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "match.h"
#include "prefix.h"

/* The format allows 2^21 - 3, but 7-Zip 22.01 gets some of those wrong. */
#define REACH ((1u << 21) - 4)
#define SLOTS 50u /* of a window of 2^21 */
#define MAIN (256u + SLOTS * 8)
#define LENGTHS 249u
#define ALIGNED 8u
#define PRETREE 20u
#define MATCH_MAX 257u
/* A match ends with its frame, so a block of whole frames begins and ends clean. */
#define BLOCK (4 * LAB_LZX_FRAME)
/* Calls are translated as if every program had this size: Microsoft's constant. */
#define TRANSLATION_SIZE 12000000
/* Candidates looked at; more shrinks packages by a hundredth and takes twice the time. */
#define DEPTH 4u
/* A match this long is taken without looking one byte further. */
#define GOOD 48u

enum block_type { VERBATIM = 1, ALIGNED_OFFSETS = 2, UNCOMPRESSED = 3 };

/* A literal or a match, ready to be written. */
struct token {
	uint16_t main_symbol;
	uint16_t length_symbol; /* LENGTHS: none */
	uint32_t extra;         /* bits of the offset below its slot */
	uint8_t extra_bits;
	uint16_t bytes;         /* of plain data */
};

struct lengths {
	uint8_t main_lengths[MAIN], length_lengths[LENGTHS], aligned_lengths[ALIGNED];
};

struct lzx {
	const uint8_t *data;
	size_t size;
	struct lab_matcher matcher;
	uint32_t recent[3];
	GArray *tokens;          /* of the current block */
	struct lengths last;     /* what the reader knows: lengths are written as differences */
	GByteArray *out;
	GArray *frames;
	size_t frame_start;      /* in out */
	uint32_t waiting;
	unsigned n;              /* bits waiting */
};

/* ---- bits: words of 16, lowest byte first, highest bit first ---- */

static void put_bits(struct lzx *z, uint32_t v, unsigned n)
{
	while (n > 0) {
		unsigned k = MIN(n, 16 - z->n);

		n -= k;
		z->waiting = z->waiting << k | (v >> n & ((1u << k) - 1));
		z->n += k;
		if (z->n == 16) {
			uint8_t word[2] = { (uint8_t)z->waiting, (uint8_t)(z->waiting >> 8) };

			g_byte_array_append(z->out, word, 2);
			z->waiting = z->n = 0;
		}
	}
}

static void align(struct lzx *z)
{
	if (z->n > 0)
		put_bits(z, 0, 16 - z->n);
}

static void end_frame(struct lzx *z)
{
	align(z);
	uint32_t size = z->out->len - (uint32_t)z->frame_start;

	g_array_append_val(z->frames, size);
	z->frame_start = z->out->len;
}

/* ---- codes: the shortest first, in the order of symbols ---- */

static void make_codes(const uint8_t *lengths, size_t n, uint16_t *codes)
{
	unsigned next = 0;

	for (unsigned len = 1; len <= 16; len++, next <<= 1)
		for (size_t i = 0; i < n; i++)
			if (lengths[i] == len)
				codes[i] = (uint16_t)next++;
}

/* ---- lengths of codes, as differences to those before ---- */

struct presymbol {
	uint8_t symbol, extra, n;
	uint8_t then; /* of a run of equal lengths: the difference, another symbol; PRETREE: none */
};

static unsigned run_of(const uint8_t *l, unsigned at, unsigned n)
{
	unsigned run = 1;

	while (at + run < n && l[at + run] == l[at])
		run++;
	return run;
}

static uint8_t difference(const uint8_t *before, const uint8_t *l, unsigned at)
{
	return (uint8_t)((before[at] + 17 - l[at]) % 17);
}

static unsigned next_presymbol(const uint8_t *before, const uint8_t *l, unsigned at, unsigned n, struct presymbol *s)
{
	unsigned run = run_of(l, at, n);

	*s = (struct presymbol){ .then = PRETREE };
	if (l[at] == 0 && run >= 20) {
		run = MIN(run, 51);
		*s = (struct presymbol){ 18, (uint8_t)(run - 20), 5, PRETREE };
		return run;
	}
	if (l[at] == 0 && run >= 4) {
		*s = (struct presymbol){ 17, (uint8_t)(run - 4), 4, PRETREE };
		return run;
	}
	if (run >= 4) {
		run = MIN(run, 5);
		*s = (struct presymbol){ 19, (uint8_t)(run - 4), 1, difference(before, l, at) };
		return run;
	}
	s->symbol = difference(before, l, at);
	return 1;
}

static void put_lengths(struct lzx *z, uint8_t *before, const uint8_t *l, unsigned n)
{
	g_autoptr(GArray) symbols = g_array_new(FALSE, FALSE, sizeof(struct presymbol));
	uint32_t counts[PRETREE] = { 0 };
	uint8_t lengths[PRETREE];
	uint16_t codes[PRETREE] = { 0 };
	struct presymbol s;

	for (unsigned at = 0; at < n;) {
		at += next_presymbol(before, l, at, n, &s);
		g_array_append_val(symbols, s);
		counts[s.symbol]++;
		if (s.then < PRETREE)
			counts[s.then]++;
	}
	lab_prefix_lengths(counts, PRETREE, 15, lengths);
	make_codes(lengths, PRETREE, codes);
	for (unsigned i = 0; i < PRETREE; i++)
		put_bits(z, lengths[i], 4);
	for (guint i = 0; i < symbols->len; i++) {
		s = g_array_index(symbols, struct presymbol, i);
		put_bits(z, codes[s.symbol], lengths[s.symbol]);
		put_bits(z, s.extra, s.n);
		if (s.then < PRETREE)
			put_bits(z, codes[s.then], lengths[s.then]);
	}
	memcpy(before, l, n);
}

/* ---- matches ---- */

static unsigned extra_bits(unsigned slot)
{
	return slot < 4 ? 0 : MIN(slot / 2 - 1, 17);
}

/* The slot of a formatted offset, and where the slot begins. */
static unsigned slot_of(uint32_t v, uint32_t *ret_base)
{
	uint32_t base = 0;
	unsigned slot = 0;

	if (v >= 1u << 19) { /* slots of equal size from 36 on */
		slot = 34 + (v >> 17);
		*ret_base = v & ~((1u << 17) - 1);
		return slot;
	}
	while (v - base >= 1u << extra_bits(slot)) {
		base += 1u << extra_bits(slot);
		slot++;
	}
	*ret_base = base;
	return slot;
}

static struct token match_token(struct lzx *z, uint32_t offset, unsigned length)
{
	uint32_t *r = z->recent, base = 0, v = offset + 2;
	unsigned slot;

	for (slot = 0; slot < 3 && r[slot] != offset; slot++)
		;
	if (slot < 3) {
		r[slot] = r[0];
		r[0] = offset;
		base = v = 0;
	} else {
		slot = slot_of(v, &base);
		r[2] = r[1];
		r[1] = r[0];
		r[0] = offset;
	}
	unsigned header = MIN(length - 2, 7);
	return (struct token){ .main_symbol = (uint16_t)(256 + slot * 8 + header), .extra = v - base,
			       .length_symbol = (uint16_t)(header == 7 ? length - 9 : LENGTHS),
			       .extra_bits = (uint8_t)extra_bits(slot), .bytes = (uint16_t)length };
}

struct choice {
	unsigned length;
	uint32_t offset;
	int gain; /* bits, about */
};

static struct choice choose(struct lzx *z, size_t pos, size_t end)
{
	size_t max = MIN(end - pos, MATCH_MAX), low = pos > REACH ? pos - REACH : 0;
	struct choice best = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		uint32_t offset = z->recent[i];
		unsigned n = offset > pos ? 0 : (unsigned)lab_common(z->data + pos - offset, z->data + pos, max);
		int gain = (int)n * 6 - 6;

		if (n >= 2 && gain > best.gain)
			best = (struct choice){ n, offset, gain };
	}
	if (best.length >= GOOD)
		return best;
	lab_matcher_fill(&z->matcher, pos);
	struct lab_match m = lab_matcher_find(&z->matcher, pos, low, max);
	if (m.length > best.length) {
		uint32_t offset = (uint32_t)(pos - m.from);
		int gain = (int)m.length * 6 - 8 - (32 - __builtin_clz(offset));

		if (gain > best.gain)
			best = (struct choice){ (unsigned)m.length, offset, gain };
	}
	return best;
}

static void parse_frame(struct lzx *z, size_t pos, size_t end)
{
	struct choice now = choose(z, pos, end);

	while (pos < end) {
		struct choice next = { 0 };
		struct token t = { .main_symbol = z->data[pos], .length_symbol = LENGTHS, .bytes = 1 };

		if (now.length < GOOD && pos + 1 < end)
			next = choose(z, pos + 1, end);
		if (now.length >= 2 && next.gain <= now.gain + 6) {
			t = match_token(z, now.offset, now.length);
			next = pos + t.bytes < end ? choose(z, pos + t.bytes, end) : (struct choice){ 0 };
		}
		g_array_append_val(z->tokens, t);
		pos += t.bytes;
		now = next;
	}
}

/* ---- blocks ---- */

struct block {
	struct lengths lengths;
	uint16_t main_codes[MAIN], length_codes[LENGTHS], aligned_codes[ALIGNED];
	enum block_type type;
};

static void measure(struct lzx *z, size_t bytes, struct block *b)
{
	uint32_t main_counts[MAIN] = { 0 }, length_counts[LENGTHS] = { 0 }, aligned_counts[ALIGNED] = { 0 };
	uint64_t coded = 0, plain = 0, aligned = 0;

	for (guint i = 0; i < z->tokens->len; i++) {
		const struct token *t = &g_array_index(z->tokens, struct token, i);

		main_counts[t->main_symbol]++;
		if (t->length_symbol < LENGTHS)
			length_counts[t->length_symbol]++;
		if (t->extra_bits >= 3)
			aligned_counts[t->extra & 7]++;
		coded += t->extra_bits;
	}
	lab_prefix_lengths(main_counts, MAIN, 16, b->lengths.main_lengths);
	lab_prefix_lengths(length_counts, LENGTHS, 16, b->lengths.length_lengths);
	lab_prefix_lengths(aligned_counts, ALIGNED, 7, b->lengths.aligned_lengths);
	for (unsigned i = 0; i < MAIN; i++)
		coded += (uint64_t)main_counts[i] * b->lengths.main_lengths[i];
	for (unsigned i = 0; i < LENGTHS; i++)
		coded += (uint64_t)length_counts[i] * b->lengths.length_lengths[i];
	for (unsigned i = 0; i < ALIGNED; i++) {
		plain += 3 * (uint64_t)aligned_counts[i];
		aligned += (uint64_t)aligned_counts[i] * b->lengths.aligned_lengths[i];
	}
	b->type = plain > aligned + 3 * ALIGNED ? ALIGNED_OFFSETS : VERBATIM;
	if (coded / 8 >= bytes)
		b->type = UNCOMPRESSED;
	make_codes(b->lengths.main_lengths, MAIN, b->main_codes);
	make_codes(b->lengths.length_lengths, LENGTHS, b->length_codes);
	make_codes(b->lengths.aligned_lengths, ALIGNED, b->aligned_codes);
}

static void put_token(struct lzx *z, const struct block *b, const struct token *t)
{
	put_bits(z, b->main_codes[t->main_symbol], b->lengths.main_lengths[t->main_symbol]);
	if (t->length_symbol < LENGTHS)
		put_bits(z, b->length_codes[t->length_symbol], b->lengths.length_lengths[t->length_symbol]);
	if (b->type == ALIGNED_OFFSETS && t->extra_bits >= 3) {
		unsigned low = t->extra & 7;

		put_bits(z, t->extra >> 3, t->extra_bits - 3u);
		put_bits(z, b->aligned_codes[low], b->lengths.aligned_lengths[low]);
	} else {
		put_bits(z, t->extra, t->extra_bits);
	}
}

static void put_tokens(struct lzx *z, const struct block *b)
{
	size_t in_frame = 0;

	if (b->type == ALIGNED_OFFSETS)
		for (unsigned i = 0; i < ALIGNED; i++)
			put_bits(z, b->lengths.aligned_lengths[i], 3);
	put_lengths(z, z->last.main_lengths, b->lengths.main_lengths, 256);
	put_lengths(z, z->last.main_lengths + 256, b->lengths.main_lengths + 256, MAIN - 256);
	put_lengths(z, z->last.length_lengths, b->lengths.length_lengths, LENGTHS);
	for (guint i = 0; i < z->tokens->len; i++) {
		const struct token *t = &g_array_index(z->tokens, struct token, i);

		put_token(z, b, t);
		in_frame += t->bytes;
		if (in_frame == LAB_LZX_FRAME) {
			end_frame(z);
			in_frame = 0;
		}
	}
	if (in_frame)
		end_frame(z);
}

/* The bytes as they are, behind the three offsets that the next block may repeat. */
static void put_plain(struct lzx *z, size_t pos, size_t bytes)
{
	uint8_t recent[12];

	if (z->n == 0)
		put_bits(z, 0, 16); /* at least one bit of padding */
	align(z);
	for (unsigned i = 0; i < 3; i++)
		ib_put_le32(recent + 4 * i, z->recent[i]);
	g_byte_array_append(z->out, recent, sizeof(recent));
	for (size_t done = 0; done < bytes;) {
		size_t run = MIN(bytes - done, LAB_LZX_FRAME);

		g_byte_array_append(z->out, z->data + pos + done, (guint)run);
		done += run;
		if (run % 2)
			g_byte_array_append(z->out, (const uint8_t *)"", 1);
		end_frame(z);
	}
}

static void put_block(struct lzx *z, size_t pos, size_t bytes)
{
	struct block *b = g_new0(struct block, 1);

	g_array_set_size(z->tokens, 0);
	for (size_t at = pos; at < pos + bytes; at += LAB_LZX_FRAME)
		parse_frame(z, at, MIN(at + LAB_LZX_FRAME, pos + bytes));
	measure(z, bytes, b);
	put_bits(z, b->type, 3);
	put_bits(z, (uint32_t)bytes, 24);
	if (b->type == UNCOMPRESSED)
		put_plain(z, pos, bytes);
	else
		put_tokens(z, b);
	g_free(b);
}

/* ---- calls ---- */

/* From distances to places, so that calls of one function look alike; the last ten bytes of a frame begin none. */
static void translate_calls(uint8_t *data, size_t start, size_t size)
{
	for (size_t i = start; i + 10 < start + size;) {
		if (data[i] != 0xE8) {
			i++;
			continue;
		}
		int64_t v = (int32_t)ib_le32(data + i + 1), here = (int64_t)i;

		if (v >= -here && v < TRANSLATION_SIZE)
			ib_put_le32(data + i + 1, (uint32_t)(v < TRANSLATION_SIZE - here ? v + here : v - TRANSLATION_SIZE));
		i += 5;
	}
}

GByteArray *lab_lzx_compress(uint8_t *data, size_t size, GArray *frames)
{
	struct lzx z = { .data = data, .size = size, .recent = { 1, 1, 1 }, .out = g_byte_array_new(), .frames = frames,
			 .tokens = g_array_new(FALSE, FALSE, sizeof(struct token)) };

	for (size_t at = 0; at < size; at += LAB_LZX_FRAME)
		translate_calls(data, at, MIN(LAB_LZX_FRAME, size - at));
	lab_matcher_init(&z.matcher, data, size, DEPTH);
	put_bits(&z, 1, 1);
	put_bits(&z, TRANSLATION_SIZE, 32);
	for (size_t at = 0; at < size; at += BLOCK)
		put_block(&z, at, MIN(BLOCK, size - at));
	lab_matcher_fini(&z.matcher);
	g_array_unref(z.tokens);
	return z.out;
}
