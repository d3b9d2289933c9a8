/*
 * PseudoLzx: literals and matches against source and target in one row, with prefix codes that may change from block to
 * block, and distances that may be counted from where a rift says the same data was.
 */
#include "delta/internal.h"

#define MAIN 600u
#define LENGTHS 256u
#define ALIGNED 16u
#define ALL (MAIN + LENGTHS + ALIGNED)
#define PRETREE 39u
/* Genuine encoders use a handful; each costs us 872 bytes. */
#define BLOCKS_MAX 1024u
/* A length field of more bits would exceed every target we accept. */
#define LENGTH_ZEROS_MAX 32u

struct lzx {
	const struct ib_delta_lzx *job;
	struct ib_delta_bits b;
	struct ib_delta_rift rift; /* positions in source and target in one row */
	size_t rift_at;            /* the entry that rules the current position */
	uint64_t out;              /* bytes of target so far */
	int64_t recent[3];         /* last distances */
	uint8_t *lengths;          /* blocks x ALL */
	uint64_t *starts;          /* positions where blocks begin */
	size_t blocks;
	size_t block;              /* the active one */
	struct ib_delta_code main_code;
	struct ib_delta_code length_code;
	struct ib_delta_code aligned_code;
};

static bool throw_end(struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "the delta's patch ends early or has a code that stands for nothing");
}

/* ---- format ---- */

static bool use_block(struct lzx *z, size_t k, struct ib_error **err)
{
	const uint8_t *l = z->lengths + k * ALL;

	z->block = k;
	if (!ib_delta_code_make(&z->main_code, l, MAIN) || !ib_delta_code_make(&z->length_code, l + MAIN, LENGTHS) ||
	    !ib_delta_code_make(&z->aligned_code, l + MAIN + LENGTHS, ALIGNED))
		return ib_throw(err, IB_ERR_INPUT, "the delta's patch has a prefix code that cannot be, in block %zu",
				k);
	return true;
}

static unsigned run_length(struct ib_delta_bits *b, unsigned c)
{
	return c < 3 ? c + 1 : 1u << (c - 1) | (unsigned)ib_delta_bits(b, c - 1);
}

/* Lengths of one block, written as differences to the block before. */
static bool read_lengths(struct ib_delta_bits *b, const struct ib_delta_code *pre, const uint8_t *before, uint8_t *l)
{
	static const int8_t steps[] = { 1, 2, 3, -1, -2, -3 };
	unsigned i = 0;

	while (i < ALL && !b->bad) {
		unsigned s = ib_delta_symbol(pre, b);
		if (s < 23) {
			int v = s <= 16 ? (int)s : before[i] + steps[s - 17];
			if (v < 0 || v > IB_DELTA_CODE_MAX)
				return false;
			l[i++] = (uint8_t)v;
			continue;
		}
		unsigned n = run_length(b, (s - 23) & 7);
		if (n > ALL - i || (s < 31 && i == 0))
			return false;
		if (s < 31)
			memset(l + i, l[i - 1], n);
		else
			memcpy(l + i, before + i, n);
		i += n;
	}
	return !b->bad;
}

static bool read_blocks(struct lzx *z, struct ib_error **err)
{
	static const uint8_t nothing[ALL];
	uint8_t pre_lengths[PRETREE];
	struct ib_delta_code pre;
	struct ib_delta_bits *b = &z->b;
	uint64_t start = 0;

	z->blocks = (size_t)ib_delta_count(b, BLOCKS_MAX);
	if (b->bad || z->blocks == 0)
		return ib_throw(err, IB_ERR_INPUT, "the delta's patch must have 1 to %u blocks", BLOCKS_MAX);
	z->lengths = g_try_malloc0(z->blocks * ALL);
	z->starts = g_try_malloc_n(z->blocks, sizeof(*z->starts));
	if (!z->lengths || !z->starts)
		return ib_throw_memory(err);
	for (size_t k = 0; k < z->blocks; k++)
		z->starts[k] = start += (uint64_t)ib_delta_int(b);
	for (unsigned i = 0; i < PRETREE; i++)
		pre_lengths[i] = (uint8_t)ib_delta_bits(b, 4);
	if (b->bad || !ib_delta_code_make(&pre, pre_lengths, PRETREE))
		return throw_end(err);
	for (size_t k = 0; k < z->blocks; k++)
		if (!read_lengths(b, &pre, k ? z->lengths + (k - 1) * ALL : nothing, z->lengths + k * ALL))
			return ib_throw(err, IB_ERR_INPUT, "the delta's patch has bad code lengths in block %zu", k);
	return true;
}

static bool read_format(struct lzx *z, struct ib_error **err)
{
	if (!ib_delta_bits(&z->b, 1))
		return read_blocks(z, err) && use_block(z, 0, err);
	z->blocks = 1;
	z->lengths = g_malloc(ALL);
	ib_delta_code_flat(z->lengths, MAIN);
	ib_delta_code_flat(z->lengths + MAIN, LENGTHS);
	ib_delta_code_flat(z->lengths + MAIN + LENGTHS, ALIGNED);
	return use_block(z, 0, err);
}

/* The rift that distances are counted by: the patch's own, then the moves, then "same place in the source". */
static bool read_rift(struct lzx *z, struct ib_error **err)
{
	const struct ib_delta_rift *moves = z->job->moves;
	int64_t source = (int64_t)z->job->source.size;

	z->rift.max = ib_delta_rift_limit(z->job->source.size, z->job->target_size);
	if (!ib_delta_rift_read(&z->b, &z->rift, err))
		return false;
	z->rift.max += moves->n + 1;
	for (size_t i = 0; i < moves->n; i++)
		if (!ib_delta_rift_add(&z->rift, (int64_t)((uint64_t)moves->e[i].from + (uint64_t)source),
				       moves->e[i].to, err))
			return false;
	return ib_delta_rift_add(&z->rift, source, 0, err) && ib_delta_rift_sort(&z->rift, err);
}

/* ---- symbols ---- */

static int64_t rift_shift(const struct lzx *z)
{
	const struct ib_delta_rift_entry *e = &z->rift.e[z->rift_at];

	return (int64_t)((uint64_t)e->to - (uint64_t)e->from);
}

/* Positions only grow, so the ruling entry is found by walking. The entry at the target's start keeps this above
 * none. */
static void follow_rift(struct lzx *z)
{
	int64_t pos = (int64_t)(z->job->source.size + z->out);

	while (z->rift_at + 1 < z->rift.n && z->rift.e[z->rift_at + 1].from <= pos)
		z->rift_at++;
}

static int64_t far_distance(struct lzx *z, unsigned slot)
{
	struct ib_delta_bits *b = &z->b;

	if (slot == 7) {
		if (!ib_delta_bits_short(b, 1))
			slot = 43 + (unsigned)ib_delta_bits_short(b, 2);
		else if (!ib_delta_bits_short(b, 1))
			slot = 47 + (unsigned)ib_delta_bits_short(b, 3);
		else
			slot = 55 + (unsigned)ib_delta_bits_short(b, 4);
	}
	unsigned n = (slot - 9) >> 1;
	uint64_t top = 2 + ((slot - 11) & 1);
	if (n < 4)
		return (int64_t)(top << n | ib_delta_bits_short(b, n));
	uint64_t high = ib_delta_bits_short(b, n - 4);
	return (int64_t)(top << n | high << 4 | ib_delta_symbol(&z->aligned_code, b));
}

/* A distance that is counted from where the rift points; slot 0, 1, 2 for near, farther, far. */
static int64_t rift_distance(struct lzx *z, unsigned slot)
{
	static const struct {
		uint8_t bits;
		int32_t beyond; /* what the slots before reach */
	} reach[] = { { 14, 0 }, { 16, 0x2000 }, { 18, 0xA000 } };
	int64_t v = (int64_t)ib_delta_bits_short(&z->b, reach[slot].bits) - (1 << (reach[slot].bits - 1));

	v += v >= 0 ? reach[slot].beyond : -reach[slot].beyond;
	return (int64_t)((uint64_t)v - (uint64_t)rift_shift(z));
}

static int64_t read_distance(struct lzx *z, unsigned slot)
{
	if (slot > 10 || slot == 7)
		return far_distance(z, slot);
	if (slot < 3)
		return rift_distance(z, slot);
	if (slot == 3)
		return (int64_t)(0 - (uint64_t)rift_shift(z));
	return slot < 7 ? z->recent[slot - 4] : (int64_t)slot - 7;
}

static uint64_t read_length(struct lzx *z, unsigned lc)
{
	if (lc)
		return lc + 1;
	unsigned y = ib_delta_symbol(&z->length_code, &z->b);
	if (y)
		return y + 8;
	unsigned n = ib_delta_zeros(&z->b, LENGTH_ZEROS_MAX) + 8;
	return (UINT64_C(1) << n | ib_delta_bits(&z->b, n)) + 8;
}

static void remember(struct lzx *z, int64_t d)
{
	if (z->recent[0] == d)
		return;
	if (z->recent[1] != d)
		z->recent[2] = z->recent[1];
	z->recent[1] = z->recent[0];
	z->recent[0] = d;
}

/* ---- copying ---- */

/* n bytes from d back, within the target; d may be below n, then the bytes repeat. */
static void copy_target(uint8_t *to, uint64_t d, uint64_t n)
{
	const uint8_t *from = to - d;

	if (d >= n) {
		memcpy(to, from, (size_t)n);
		return;
	}
	if (d == 1) {
		memset(to, *from, (size_t)n);
		return;
	}
	while (n > 0) { /* what is there already doubles each time */
		uint64_t run = MIN((uint64_t)(to - from), n);
		memcpy(to, from, (size_t)run);
		to += run;
		n -= run;
	}
}

static bool copy(struct lzx *z, int64_t d, uint64_t n, struct ib_error **err)
{
	const struct ib_delta_lzx *job = z->job;
	uint64_t pos = job->source.size + z->out;

	if (d <= 0 || (uint64_t)d > pos)
		return ib_throw(err, IB_ERR_INPUT, "the delta's patch copies from outside its files at byte %" PRIu64,
				z->out);
	uint64_t from = pos - (uint64_t)d;
	if (from < job->source.size) {
		uint64_t run = MIN(n, job->source.size - from);
		memcpy(job->target + z->out, job->source.data + from, (size_t)run);
		z->out += run;
		n -= run;
	}
	if (n > 0)
		copy_target(job->target + z->out, (uint64_t)d, n);
	z->out += n;
	return true;
}

/* Source copy: the distance changes wherever the rift does. */
static bool copy_along_rift(struct lzx *z, uint64_t n, struct ib_error **err)
{
	while (n > 0) {
		uint64_t run = n;
		follow_rift(z);
		if (z->rift_at + 1 < z->rift.n)
			run = MIN(run, (uint64_t)z->rift.e[z->rift_at + 1].from - (z->job->source.size + z->out));
		if (!copy(z, (int64_t)(0 - (uint64_t)rift_shift(z)), run, err))
			return false;
		n -= run;
	}
	return true;
}

static bool match(struct lzx *z, unsigned t, struct ib_error **err)
{
	unsigned slot = t >> 3;

	follow_rift(z);
	int64_t d = read_distance(z, slot);
	uint64_t n = read_length(z, t & 7);
	if (z->b.bad)
		return throw_end(err);
	n = MIN(n, z->job->target_size - z->out);
	remember(z, d);
	return slot == 3 ? copy_along_rift(z, n, err) : copy(z, d, n, err);
}

/* Symbols until the block, or the target, ends. */
static bool decode_until(struct lzx *z, uint64_t end, struct ib_error **err)
{
	while (z->out < end) {
		unsigned s = ib_delta_symbol(&z->main_code, &z->b);
		if (z->b.bad)
			return throw_end(err);
		if (s < 256)
			z->job->target[z->out++] = (uint8_t)s;
		else if (!match(z, s - 256, err))
			return false;
	}
	return true;
}

static bool decode_blocks(struct lzx *z, struct ib_error **err)
{
	uint64_t source = z->job->source.size;

	while (z->out < z->job->target_size) {
		uint64_t end = z->job->target_size;
		/* a block begins where the target has reached its start; starts may lie behind us or stand still */
		while (z->block + 1 < z->blocks && (int64_t)(source + z->out) >= (int64_t)z->starts[z->block + 1])
			if (!use_block(z, z->block + 1, err))
				return false;
		if (z->block + 1 < z->blocks)
			end = MIN(end, z->starts[z->block + 1] - source);
		if (!decode_until(z, end, err))
			return false;
	}
	return true;
}

bool ib_delta_lzx_decode(const struct ib_delta_lzx *job, struct ib_error **err)
{
	g_autofree struct lzx *z = g_new0(struct lzx, 1);

	z->job = job;
	ib_delta_bits_init(&z->b, job->patch.data, job->patch.size);
	bool ok = read_rift(z, err) && read_format(z, err) && decode_blocks(z, err);
	if (ok && job->used_up && ib_delta_left(&z->b) > 0)
		ok = ib_throw(err, IB_ERR_INPUT, "the delta's patch has %" PRIu64 " bits behind the end of the target",
			      ib_delta_left(&z->b));
	ib_delta_rift_clear(&z->rift);
	g_free(z->lengths);
	g_free(z->starts);
	return ok;
}
