/* Which parts of a target are where in its source or in itself: greedy with one step of foresight, by estimated bits. */
#include <string.h>

#include "delta_internal.h"
#include "match.h"

/* Candidates looked at; more gains little on programs. */
#define DEPTH 5u
/* Estimates in bits, for choosing only. */
#define LITERAL_BITS 7
#define SYMBOL_BITS 6
/* A match of the source at least this long is worth a row in the table of shifts. */
#define SHIFT_WORTH 40u
/* And this many rows at most: readers bound them by the files' sizes. */
#define SHIFTS_MAX 4096u
/* A match this long is taken without looking one byte further. */
#define GOOD 64u

struct choice {
	size_t length;
	int64_t distance;
	uint64_t extra;
	uint8_t slot;
	int gain; /* bits saved */
};

struct parser {
	struct lab_parse *p;
	struct lab_matcher matcher;
	int64_t recent[3];
	size_t shift_at;   /* row that rules the position */
};

/* ---- shifts ---- */

/* What is subtracted from a position to get where the shifts point: 0 .. size of source by default. */
static int64_t shifted_distance(const struct parser *s, size_t row)
{
	const struct lab_shift *r = &g_array_index(s->p->shifts, struct lab_shift, row);

	return r->from - r->to;
}

static size_t row_at(struct parser *s, size_t pos)
{
	GArray *shifts = s->p->shifts;
	size_t row = s->shift_at;

	while (row + 1 < shifts->len && g_array_index(shifts, struct lab_shift, row + 1).from <= (int64_t)pos)
		row++;
	while (row > 0 && g_array_index(shifts, struct lab_shift, row).from > (int64_t)pos)
		row--; /* one byte of foresight may have crossed it */
	return row;
}

/* Bytes that agree with where the shifts point, across their rows. */
static size_t common_along_shifts(struct parser *s, size_t pos)
{
	const struct lab_parse *p = s->p;
	size_t n = 0, row = row_at(s, pos);

	while (pos + n < p->size) {
		int64_t d = shifted_distance(s, row);
		size_t run = p->size - pos - n;

		if (row + 1 < p->shifts->len)
			run = MIN(run, (size_t)g_array_index(p->shifts, struct lab_shift, row + 1).from - pos - n);
		if (d <= 0 || (size_t)d > pos + n)
			break;
		size_t same = lab_common(p->all + pos + n - d, p->all + pos + n, run);
		n += same;
		if (same < run)
			break;
		row++;
	}
	return n;
}

/* ---- choosing ---- */

static unsigned bits_of(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static int length_bits(size_t length)
{
	return length <= 8 ? 0 : length < 264 ? 6 : 2 * (int)bits_of(length);
}

static void consider(struct choice *best, struct choice c, int distance_bits)
{
	c.gain = (int)MIN(c.length, (size_t)1 << 20) * LITERAL_BITS - SYMBOL_BITS - distance_bits - length_bits(c.length);
	if (c.length >= 2 && c.gain > best->gain)
		*best = c;
}

/* How a distance is written; its cost in bits beside the symbol. */
static int name_distance(const struct parser *s, size_t pos, struct choice *c)
{
	static const struct {
		unsigned bits;
		int64_t beyond;
	} reach[] = { { 14, 0 }, { 16, 0x2000 }, { 18, 0xA000 } };
	unsigned n = bits_of((uint64_t)c->distance);
	int64_t v = c->distance - shifted_distance(s, s->shift_at);

	for (unsigned i = 0; i < 3; i++)
		if (c->distance == s->recent[i]) {
			c->slot = (uint8_t)(LAB_SLOT_RECENT + i);
			return 0;
		}
	for (unsigned i = 0; i < 3 && reach[i].bits < n && !s->p->no_shifts; i++) {
		int64_t w = v - (v >= 0 ? reach[i].beyond : -reach[i].beyond), half = (int64_t)1 << (reach[i].bits - 1);

		/* what a nearer slot reaches has no name in a farther one */
		if ((v >= 0) == (w >= 0) && w >= -half && w < half) {
			c->slot = (uint8_t)i;
			c->extra = (uint64_t)(w + half);
			return (int)reach[i].bits;
		}
	}
	if (c->distance <= 3) {
		c->slot = (uint8_t)(LAB_SLOT_ONE + c->distance - 1);
		return 0;
	}
	c->extra = (uint64_t)c->distance;
	n -= 2;
	c->slot = (uint8_t)(9 + 2 * n + (c->extra >> n & 1));
	return (int)n;
}

static struct choice choose(struct parser *s, size_t pos)
{
	const struct lab_parse *p = s->p;
	struct choice best = { 0 };

	lab_matcher_fill(&s->matcher, pos);
	s->shift_at = row_at(s, pos);
	if (!p->no_shifts) {
		struct choice c = { .length = common_along_shifts(s, pos), .slot = LAB_SLOT_SHIFTED,
				    .distance = shifted_distance(s, s->shift_at) };

		consider(&best, c, 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct choice c = { .distance = s->recent[i], .slot = (uint8_t)(LAB_SLOT_RECENT + i) };

		if (c.distance <= 0 || (size_t)c.distance > pos)
			continue;
		c.length = lab_common(p->all + pos - c.distance, p->all + pos, p->size - pos);
		consider(&best, c, 0);
	}
	if (best.length >= GOOD)
		return best;
	struct lab_match m = lab_matcher_find(&s->matcher, pos, 0, SIZE_MAX);
	if (m.length > best.length) {
		struct choice c = { .length = m.length, .distance = (int64_t)(pos - m.from) };

		consider(&best, c, name_distance(s, pos, &c));
	}
	return best;
}

/* ---- the row of steps ---- */

/* A long piece of the source that lies elsewhere than the shifts say: from here on they do. */
static void learn_shift(struct parser *s, size_t pos, struct choice *c)
{
	struct lab_parse *p = s->p;
	struct lab_shift row = { .from = (int64_t)pos, .to = (int64_t)pos - c->distance };

	if (p->no_shifts || c->slot == LAB_SLOT_SHIFTED || c->length < SHIFT_WORTH || row.to + (int64_t)c->length > (int64_t)p->source ||
	    pos == p->source || p->shifts->len >= SHIFTS_MAX || s->shift_at + 1 < p->shifts->len)
		return;
	g_array_append_val(p->shifts, row);
	s->shift_at++;
	c->slot = LAB_SLOT_SHIFTED;
	c->length = common_along_shifts(s, pos);
}

static void remember(struct parser *s, int64_t d)
{
	if (s->recent[0] == d)
		return;
	if (s->recent[1] != d)
		s->recent[2] = s->recent[1];
	s->recent[1] = s->recent[0];
	s->recent[0] = d;
}

static void take(struct parser *s, size_t pos, size_t literals, struct choice c)
{
	struct lab_step step = { .literals = (uint32_t)literals };

	if (c.length) {
		s->shift_at = row_at(s, pos);
		learn_shift(s, pos, &c);
		c.length = MIN(c.length, (size_t)UINT32_MAX / 2);
		if (c.slot != LAB_SLOT_SHIFTED)
			name_distance(s, pos, &c);
		step.length = (uint32_t)c.length;
		step.slot = c.slot;
		step.extra = c.extra;
		step.distance = (uint64_t)c.distance;
		remember(s, c.distance);
	}
	g_array_append_val(s->p->steps, step);
}

void lab_parse(struct lab_parse *p)
{
	struct parser s = { .p = p };
	struct lab_shift same = { .from = (int64_t)p->source };
	size_t pos = p->source, literals = 0;

	p->steps = g_array_new(FALSE, FALSE, sizeof(struct lab_step));
	p->shifts = g_array_new(FALSE, FALSE, sizeof(struct lab_shift));
	g_array_append_val(p->shifts, same); /* readers have this row anyway */
	lab_matcher_init(&s.matcher, p->all, p->size, DEPTH);
	struct choice now = pos < p->size ? choose(&s, pos) : (struct choice){ 0 };
	while (pos < p->size) {
		struct choice next = { 0 };

		if (now.length < GOOD && pos + 1 < p->size)
			next = choose(&s, pos + 1);
		if (now.length == 0 || next.gain > now.gain + LITERAL_BITS) {
			literals++;
			pos++;
			now = next;
			continue;
		}
		take(&s, pos, literals, now);
		pos += g_array_index(p->steps, struct lab_step, p->steps->len - 1).length;
		literals = 0;
		now = pos < p->size ? choose(&s, pos) : (struct choice){ 0 };
	}
	if (literals)
		take(&s, pos, literals, (struct choice){ 0 });
	lab_matcher_fini(&s.matcher);
}

void lab_parse_fini(struct lab_parse *p)
{
	g_array_unref(p->steps);
	g_array_unref(p->shifts);
}
