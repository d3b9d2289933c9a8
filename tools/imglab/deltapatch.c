/* A parsed target as a patch: blocks of codes, then symbols. */
#include <string.h>

#include "delta_internal.h"

/* Symbols of the three codes of a block, one behind the other. */
#define MAIN 600u
#define LENGTHS 256u
#define ALIGNED 16u
#define ALL (MAIN + LENGTHS + ALIGNED)
/* The code that lengths of codes are written in. */
#define PRETREE 39u
#define REPEAT 23u /* 23..30: the length just written again; 31..38: as in the block before */
#define AS_BEFORE 31u
#define BLOCKS_MAX 1000u

struct block {
	size_t first, end; /* steps */
	size_t start;      /* position in source and target in one row */
	uint32_t counts[ALL];
	uint8_t lengths[ALL];
};

struct codes {
	struct lab_code main_code, length_code, aligned_code;
};

/* ---- what a step is written as ---- */

/* Called for each symbol (code 0, 1, 2: main, length, aligned) and each run of plain bits. */
struct sink {
	void (*symbol)(struct sink *k, unsigned code, unsigned symbol);
	void (*bits)(struct sink *k, uint64_t v, unsigned n);
	struct lab_bits *out;
	const struct codes *codes;
	uint32_t *counts;
	uint64_t plain; /* bits outside of codes */
};

static void write_distance(struct sink *k, unsigned slot, uint64_t d)
{
	static const unsigned near_bits[] = { 14, 16, 18 };
	unsigned n = (slot - 9) >> 1;

	if (slot < LAB_SLOT_SHIFTED) {
		k->bits(k, d, near_bits[slot]);
		return;
	}
	if (slot < LAB_SLOT_FAR)
		return;
	if (slot >= 55)
		k->bits(k, 3 | (uint64_t)(slot - 55) << 2, 6);
	else if (slot >= 47)
		k->bits(k, 1 | (uint64_t)(slot - 47) << 2, 5);
	else if (slot >= 43)
		k->bits(k, (uint64_t)(slot - 43) << 1, 3);
	if (n < 4) {
		k->bits(k, d, n);
		return;
	}
	k->bits(k, d >> 4, n - 4);
	k->symbol(k, 2, (unsigned)(d & 15));
}

static void write_length(struct sink *k, uint32_t length)
{
	uint32_t rest = length - 8;
	unsigned z = 0;

	if (length <= 8)
		return;
	k->symbol(k, 1, rest < 256 ? rest : 0);
	if (rest < 256)
		return;
	while (rest >> (z + 9))
		z++;
	k->bits(k, (uint64_t)1 << z, z + 1);
	k->bits(k, rest, z + 8);
}

static void write_steps(struct sink *k, const struct lab_parse *p, size_t first, size_t end, size_t pos)
{
	for (size_t i = first; i < end; i++) {
		const struct lab_step *s = &g_array_index(p->steps, struct lab_step, i);

		for (uint32_t j = 0; j < s->literals; j++)
			k->symbol(k, 0, p->all[pos++]);
		if (s->length == 0)
			continue;
		unsigned slot = MIN(s->slot, 43) == 43 ? LAB_SLOT_ESCAPE : s->slot;
		k->symbol(k, 0, 256 + slot * 8 + (s->length <= 8 ? s->length - 1 : 0));
		write_distance(k, s->slot, s->extra);
		write_length(k, s->length);
		pos += s->length;
	}
}

static void count_symbol(struct sink *k, unsigned code, unsigned symbol)
{
	k->counts[(code > 0 ? MAIN : 0) + (code > 1 ? LENGTHS : 0) + symbol]++;
}

static void count_bits(struct sink *k, uint64_t v, unsigned n)
{
	k->plain += n;
}

static void put_symbol(struct sink *k, unsigned code, unsigned symbol)
{
	const struct lab_code *const codes[] = { &k->codes->main_code, &k->codes->length_code, &k->codes->aligned_code };

	lab_bits_symbol(k->out, codes[code], symbol);
}

static void put_bits(struct sink *k, uint64_t v, unsigned n)
{
	lab_bits_put(k->out, v, n);
}

/* ---- blocks ---- */

static void measure_block(const struct lab_parse *p, struct block *b)
{
	struct sink k = { .symbol = count_symbol, .bits = count_bits, .counts = b->counts };

	write_steps(&k, p, b->first, b->end, b->start);
	lab_prefix_lengths(b->counts, MAIN, 16, b->lengths);
	lab_prefix_lengths(b->counts + MAIN, LENGTHS, 16, b->lengths + MAIN);
	lab_prefix_lengths(b->counts + MAIN + LENGTHS, ALIGNED, 16, b->lengths + MAIN + LENGTHS);
}

/* Blocks begin with a step; at least one. @return struct block */
static GArray *split(const struct lab_parse *p, size_t block_bytes)
{
	GArray *blocks = g_array_new(FALSE, TRUE, sizeof(struct block));
	size_t pos = p->source, least = MAX(block_bytes, (p->size - p->source) / BLOCKS_MAX + 1);
	struct block b = { .start = pos };

	for (size_t i = 0; i < p->steps->len; i++) {
		const struct lab_step *s = &g_array_index(p->steps, struct lab_step, i);

		if (pos - b.start >= least) {
			b.end = i;
			g_array_append_val(blocks, b);
			b = (struct block){ .first = i, .start = pos };
		}
		pos += s->literals + s->length;
	}
	b.end = p->steps->len;
	g_array_append_val(blocks, b);
	for (guint i = 0; i < blocks->len; i++)
		measure_block(p, &g_array_index(blocks, struct block, i));
	return blocks;
}

static uint64_t coded_bits(const struct block *b, const uint8_t *lengths)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < ALL; i++)
		bits += (uint64_t)b->counts[i] * lengths[i];
	return bits;
}

/* ---- lengths of codes ---- */

/* A symbol of the pretree, with bits behind it. */
struct presymbol {
	uint8_t symbol, n;
	uint16_t extra;
};

static unsigned run_symbol(unsigned run, struct presymbol *s, unsigned base)
{
	unsigned c = 3;

	if (run < 4) {
		s->symbol = (uint8_t)(base + run - 1);
		return run;
	}
	run = MIN(run, 127);
	while (run >> c)
		c++; /* run is below 2^c */
	s->symbol = (uint8_t)(base + c);
	s->n = (uint8_t)(c - 1);
	s->extra = (uint16_t)(run & ((1u << (c - 1)) - 1));
	return run;
}

static unsigned next_presymbol(const uint8_t *l, const uint8_t *before, unsigned at, struct presymbol *s)
{
	unsigned same = 0, copied = 0;

	*s = (struct presymbol){ 0 };
	while (at > 0 && at + same < ALL && l[at + same] == l[at - 1])
		same++;
	while (at + copied < ALL && l[at + copied] == before[at + copied])
		copied++;
	if (copied && copied >= same)
		return run_symbol(copied, s, AS_BEFORE);
	if (same)
		return run_symbol(same, s, REPEAT);
	int step = l[at] - before[at];
	s->symbol = l[at];
	if (before[at] && step >= 1 && step <= 3)
		s->symbol = (uint8_t)(16 + step);
	else if (before[at] && step <= -1 && step >= -3)
		s->symbol = (uint8_t)(19 - step);
	return 1;
}

static GArray *presymbols(GArray *blocks)
{
	static const uint8_t nothing[ALL];
	GArray *all = g_array_new(FALSE, FALSE, sizeof(struct presymbol));
	const uint8_t *before = nothing;

	for (guint i = 0; i < blocks->len; i++) {
		const uint8_t *l = g_array_index(blocks, struct block, i).lengths;
		struct presymbol s;

		for (unsigned at = 0; at < ALL;) {
			at += next_presymbol(l, before, at, &s);
			g_array_append_val(all, s);
		}
		before = l;
	}
	return all;
}

static void put_tables(struct lab_bits *out, GArray *blocks)
{
	g_autoptr(GArray) symbols = presymbols(blocks);
	uint32_t counts[PRETREE] = { 0 };
	uint8_t lengths[PRETREE];
	struct lab_code code;
	size_t last = 0;

	lab_bits_int(out, blocks->len);
	for (guint i = 0; i < blocks->len; i++) {
		size_t start = i ? g_array_index(blocks, struct block, i).start : 0;

		lab_bits_int(out, (int64_t)(start - last));
		last = start;
	}
	for (guint i = 0; i < symbols->len; i++)
		counts[g_array_index(symbols, struct presymbol, i).symbol]++;
	lab_prefix_lengths(counts, PRETREE, 15, lengths);
	lab_code_make(&code, lengths, PRETREE);
	for (unsigned i = 0; i < PRETREE; i++)
		lab_bits_put(out, lengths[i], 4);
	for (guint i = 0; i < symbols->len; i++) {
		const struct presymbol *s = &g_array_index(symbols, struct presymbol, i);

		lab_bits_symbol(out, &code, s->symbol);
		lab_bits_put(out, s->extra, s->n);
	}
}

/* ---- the patch ---- */

static void make_codes(struct codes *c, const uint8_t *lengths)
{
	lab_code_make(&c->main_code, lengths, MAIN);
	lab_code_make(&c->length_code, lengths + MAIN, LENGTHS);
	lab_code_make(&c->aligned_code, lengths + MAIN + LENGTHS, ALIGNED);
}

static void flat_lengths(uint8_t *lengths)
{
	lab_code_flat(lengths, MAIN);
	lab_code_flat(lengths + MAIN, LENGTHS);
	lab_code_flat(lengths + MAIN + LENGTHS, ALIGNED);
}

/* Whether tables of their own make the patch shorter than the flat codes. */
static bool tables_pay(GArray *blocks, const uint8_t *flat)
{
	struct lab_bits trial = lab_bits_begin();
	uint64_t plain = 0, coded = 0;

	for (guint i = 0; i < blocks->len; i++) {
		const struct block *b = &g_array_index(blocks, struct block, i);

		plain += coded_bits(b, flat);
		coded += coded_bits(b, b->lengths);
	}
	put_tables(&trial, blocks);
	g_autoptr(GByteArray) bytes = lab_bits_end(&trial);
	return coded + 8 * (uint64_t)bytes->len < plain;
}

GByteArray *lab_patch(const struct lab_parse *p, enum lab_delta_codes codes, size_t block_bytes)
{
	struct lab_bits out = lab_bits_begin();
	g_autoptr(GArray) blocks = split(p, block_bytes);
	uint8_t flat[ALL];
	struct codes c;

	flat_lengths(flat);
	make_codes(&c, flat);
	bool tables = codes == LAB_DELTA_TABLES || (codes == LAB_DELTA_SHORTER && tables_pay(blocks, flat));
	/* the first row is there without being announced */
	lab_bits_rift(&out, &g_array_index(p->shifts, struct lab_shift, 0) + 1, p->shifts->len - 1);
	lab_bits_put(&out, !tables, 1);
	if (tables)
		put_tables(&out, blocks);
	for (guint i = 0; i < blocks->len; i++) {
		const struct block *b = &g_array_index(blocks, struct block, i);
		struct sink k = { .symbol = put_symbol, .bits = put_bits, .out = &out, .codes = &c };

		if (tables)
			make_codes(&c, b->lengths);
		write_steps(&k, p, b->first, b->end, b->start);
	}
	return lab_bits_end(&out);
}
