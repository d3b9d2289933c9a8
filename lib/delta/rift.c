/* Numbers by prefix codes, and rifts: tables of shifted positions, their composition and their reverse. */
#include "delta/internal.h"

/* ---- numbers ---- */

#define HALF (IB_DELTA_INT_SYMBOLS / 2)

void ib_delta_format_flat(struct ib_delta_code *ret)
{
	uint8_t lengths[IB_DELTA_INT_SYMBOLS];

	ib_delta_code_flat(lengths, G_N_ELEMENTS(lengths));
	(void)!ib_delta_code_make(ret, lengths, G_N_ELEMENTS(lengths)); /* a flat code always fits */
}

bool ib_delta_format_read(struct ib_delta_bits *b, struct ib_delta_code *ret, struct ib_error **err)
{
	uint8_t lengths[IB_DELTA_INT_SYMBOLS];
	unsigned positive = (unsigned)ib_delta_bits(b, 8), negative = (unsigned)ib_delta_bits(b, 8);
	unsigned usual = (unsigned)ib_delta_bits(b, 8);

	if (b->bad || positive > HALF || negative > HALF || usual > IB_DELTA_INT_SYMBOLS - positive - negative)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta has a bad code of numbers: %u and %u symbols, %u others", positive,
				negative, usual);
	for (unsigned i = 0; i < positive; i++)
		lengths[i] = (uint8_t)(ib_delta_bits(b, 4) + 1);
	for (unsigned i = 0; i < negative; i++)
		lengths[HALF + i] = (uint8_t)(ib_delta_bits(b, 4) + 1);
	unsigned rest = (unsigned)ib_delta_bits(b, 4) + 1;
	for (unsigned i = positive; i < IB_DELTA_INT_SYMBOLS; i++) {
		if (i >= HALF && i < HALF + negative)
			continue;
		lengths[i] = (uint8_t)(usual > 0 ? rest : rest - 1);
		usual -= usual > 0;
	}
	if (b->bad || !ib_delta_code_make(ret, lengths, IB_DELTA_INT_SYMBOLS))
		return ib_throw(err, IB_ERR_INPUT, "the delta has a code of numbers that cannot be");
	return true;
}

int64_t ib_delta_number(const struct ib_delta_code *c, struct ib_delta_bits *b)
{
	unsigned s = ib_delta_symbol(c, b);
	bool negative = s >= HALF;
	uint64_t v = negative ? s - HALF : s;

	if (v > 3) {
		unsigned n = ((unsigned)v >> 1) - 1;
		v = ((v & 1) + 2) << n | ib_delta_bits(b, n);
	}
	return (int64_t)(negative ? ~v : v);
}

/* ---- tables ---- */

void ib_delta_rift_clear(struct ib_delta_rift *r)
{
	g_free(r->e);
	r->e = NULL;
	r->n = r->room = 0;
}

bool ib_delta_rift_add(struct ib_delta_rift *r, int64_t from, int64_t to, struct ib_error **err)
{
	if (r->n >= r->max)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta moves more than %zu pieces, too many for its files' sizes", r->max);
	if (r->n == r->room) {
		size_t room = MIN(MAX(r->room * 2, 64), r->max);
		struct ib_delta_rift_entry *e = g_try_realloc_n(r->e, room, sizeof(*e));
		if (!e)
			return ib_throw_memory(err);
		r->e = e;
		r->room = room;
	}
	r->e[r->n++] = (struct ib_delta_rift_entry){ .from = from, .to = to };
	return true;
}

static void merge(const struct ib_delta_rift_entry *in, size_t mid, size_t n, struct ib_delta_rift_entry *out)
{
	size_t a = 0, b = mid;

	for (size_t i = 0; i < n; i++)
		out[i] = b >= n || (a < mid && in[a].from <= in[b].from) ? in[a++] : in[b++];
}

/* Of equal positions only the last counts anywhere; keeping the others would only cost time. */
static void drop_repeated(struct ib_delta_rift *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (n > 0 && r->e[n - 1].from == r->e[i].from)
			n--;
		r->e[n++] = r->e[i];
	}
	r->n = n;
}

bool ib_delta_rift_sort(struct ib_delta_rift *r, struct ib_error **err)
{
	size_t i = 1;

	while (i < r->n && r->e[i - 1].from < r->e[i].from)
		i++;
	if (i >= r->n)
		return true;
	struct ib_delta_rift_entry *other = g_try_malloc_n(r->n, sizeof(*other));
	if (!other)
		return ib_throw_memory(err);
	for (size_t width = 1; width < r->n; width *= 2) {
		for (i = 0; i < r->n; i += 2 * width)
			merge(r->e + i, MIN(width, r->n - i), MIN(2 * width, r->n - i), other + i);
		struct ib_delta_rift_entry *swap = r->e;
		r->e = other;
		other = swap;
	}
	g_free(other);
	r->room = r->n;
	drop_repeated(r);
	return true;
}

bool ib_delta_rift_entries(struct ib_delta_bits *b, const struct ib_delta_code *from, const struct ib_delta_code *shift,
			   struct ib_delta_rift *r, struct ib_error **err)
{
	uint64_t position = 0, by = 0;
	uint64_t n = ib_delta_count(b, ib_delta_left(b) / 2); /* a number has at least one bit */

	for (uint64_t i = 0; i < n && !b->bad; i++) {
		position += (uint64_t)ib_delta_number(from, b);
		by += (uint64_t)ib_delta_number(shift, b);
		if (!ib_delta_rift_add(r, (int64_t)position, (int64_t)(position + by), err))
			return false;
	}
	if (b->bad)
		return ib_throw(err, IB_ERR_INPUT, "the delta ends inside a table of moved pieces");
	return true;
}

bool ib_delta_rift_read_unsorted(struct ib_delta_bits *b, struct ib_delta_rift *r, struct ib_error **err)
{
	struct ib_delta_code from, shift;

	if (!ib_delta_bits(b, 1))
		return b->bad ? ib_throw(err, IB_ERR_INPUT, "the delta ends before a table of moved pieces") : true;
	return ib_delta_format_read(b, &from, err) && ib_delta_format_read(b, &shift, err) &&
	       ib_delta_rift_entries(b, &from, &shift, r, err);
}

bool ib_delta_rift_read(struct ib_delta_bits *b, struct ib_delta_rift *r, struct ib_error **err)
{
	return ib_delta_rift_read_unsorted(b, r, err) && ib_delta_rift_sort(r, err);
}

/* How many entries have from <= x. */
static size_t count_up_to(const struct ib_delta_rift *r, int64_t x)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (r->e[mid].from <= x)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t ib_delta_rift_find(const struct ib_delta_rift *r, int64_t x)
{
	size_t n = count_up_to(r, x);

	return (n ? n : r->n) - 1;
}

static uint64_t shift_of(const struct ib_delta_rift *r, size_t i)
{
	return (uint64_t)r->e[i].to - (uint64_t)r->e[i].from;
}

int64_t ib_delta_rift_map(const struct ib_delta_rift *r, int64_t x)
{
	return r->n == 0 ? x : (int64_t)((uint64_t)x + shift_of(r, ib_delta_rift_find(r, x)));
}

/* ---- composition ---- */

static bool copy_rift(const struct ib_delta_rift *r, struct ib_delta_rift *ret, struct ib_error **err)
{
	for (size_t i = 0; i < r->n; i++)
		if (!ib_delta_rift_add(ret, r->e[i].from, r->e[i].to, err))
			return false;
	return true;
}

/* One piece of a: positions x to x + last, moved by shift; cut wherever b's shift changes under its image. */
static bool compose_piece(int64_t x, uint64_t last, uint64_t shift, const struct ib_delta_rift *b,
			  struct ib_delta_rift *ret, struct ib_error **err)
{
	int64_t image = (int64_t)((uint64_t)x + shift);

	if (!ib_delta_rift_add(ret, x, ib_delta_rift_map(b, image), err))
		return false;
	/* b's entries in the order they come behind the image's start, round the end of all positions */
	size_t first = count_up_to(b, image);
	for (size_t k = 0; k < b->n; k++) {
		size_t i = (first + k) % b->n;
		uint64_t at = (uint64_t)b->e[i].from - (uint64_t)image;
		if (at > last)
			break;
		if (at > 0 && !ib_delta_rift_add(ret, (int64_t)((uint64_t)x + at), b->e[i].to, err))
			return false;
	}
	return true;
}

bool ib_delta_rift_compose(const struct ib_delta_rift *a, const struct ib_delta_rift *b, struct ib_delta_rift *ret,
			   struct ib_error **err)
{
	if (a->n == 0 || b->n == 0)
		return copy_rift(a->n ? a : b, ret, err);
	if (a->e[0].from > INT64_MIN && !compose_piece(INT64_MIN, (uint64_t)a->e[0].from - (uint64_t)INT64_MIN - 1,
						       shift_of(a, a->n - 1), b, ret, err))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		uint64_t from = (uint64_t)a->e[i].from;
		uint64_t next = i + 1 < a->n ? (uint64_t)a->e[i + 1].from : (uint64_t)INT64_MIN; /* = 2^63 */
		if (i + 1 < a->n && next == from)
			continue;
		if (!compose_piece(a->e[i].from, next - from - 1, shift_of(a, i), b, ret, err))
			return false;
	}
	return true;
}

/* ---- reverse ---- */

/* An interval of the image that has an owner: [start, end). end may be 2^63. */
struct claim {
	__int128 start;
	__int128 end;
};

struct reverse {
	struct claim *pool; /* room for every piece */
	size_t used;
	GSequence *claims;  /* struct claim *, sorted, apart from each other */
	struct ib_delta_rift *ret;
};

/* For g_sequence_search: before every claim that ends at or behind the probe's start. */
static gint compare_end(gconstpointer claim, gconstpointer probe, gpointer data)
{
	const struct claim *a = claim, *b = probe;

	return a->end < b->start ? -1 : 1;
}

/* Give the free parts of the image [i, e) to the positions they come from, image - shift. */
static bool claim_image(struct reverse *rev, __int128 i, __int128 e, uint64_t shift, struct ib_error **err)
{
	struct claim *own = &rev->pool[rev->used++];
	__int128 open = i; /* everything before this has an owner */

	*own = (struct claim){ .start = i, .end = e };
	GSequenceIter *at = g_sequence_search(rev->claims, own, compare_end, NULL);
	while (!g_sequence_iter_is_end(at)) {
		const struct claim *c = g_sequence_get(at);
		if (c->start > e)
			break;
		if (open < c->start &&
		    !ib_delta_rift_add(rev->ret, (int64_t)open, (int64_t)((uint64_t)open - shift), err))
			return false;
		open = MAX(open, c->end);
		own->start = MIN(own->start, c->start);
		own->end = MAX(own->end, c->end);
		GSequenceIter *next = g_sequence_iter_next(at);
		g_sequence_remove(at);
		at = next;
	}
	if (open < e && !ib_delta_rift_add(rev->ret, (int64_t)open, (int64_t)((uint64_t)open - shift), err))
		return false;
	g_sequence_insert_before(at, own);
	return true;
}

/* One piece of the source axis, [from, next), whose image may leave the axis at its end and come in again. */
static bool reverse_piece(struct reverse *rev, __int128 from, __int128 next, uint64_t shift, struct ib_error **err)
{
	const __int128 top = (__int128)1 << 63;

	while (from < next) {
		__int128 i = (int64_t)((uint64_t)from + shift);
		__int128 e = MIN(i + (next - from), top);
		if (!claim_image(rev, i, e, shift, err))
			return false;
		from += e - i;
	}
	return true;
}

/* All pieces, round the axis, from 0 to 0. */
static bool reverse_walk(const struct ib_delta_rift *r, struct reverse *rev, struct ib_error **err)
{
	const __int128 top = (__int128)1 << 63;
	size_t begin = count_up_to(r, 0); /* the first entry above 0 */
	size_t last = r->n - 1;
	size_t i = begin ? begin - 1 : last;
	__int128 cursor = 0;

	if (begin == 0) { /* 0 lies below the first entry, where the last one's shift holds */
		if (!reverse_piece(rev, 0, r->e[0].from, shift_of(r, last), err))
			return false;
		i = 0;
		cursor = r->e[0].from;
	}
	for (; i < r->n; i++) {
		__int128 next = i < last ? r->e[i + 1].from : top;
		if (!reverse_piece(rev, cursor, next, shift_of(r, i), err))
			return false;
		cursor = next;
	}
	if (!reverse_piece(rev, -top, MIN(r->e[0].from, 0), shift_of(r, last), err))
		return false;
	for (i = 0; i < begin; i++) {
		__int128 next = i < last ? MIN(r->e[i + 1].from, 0) : 0;
		if (!reverse_piece(rev, r->e[i].from, next, shift_of(r, i), err))
			return false;
	}
	return true;
}

static void drop_unusable(struct ib_delta_rift *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct ib_delta_rift_entry e = r->e[i];
		if (e.from != INT64_MIN && e.to != INT64_MIN)
			r->e[n++] = e;
	}
	r->n = n;
}

bool ib_delta_rift_reverse(const struct ib_delta_rift *r, struct ib_delta_rift *ret, struct ib_error **err)
{
	if (r->n == 0)
		return true;
	if (r->e[0].from == r->e[r->n - 1].from)
		return ib_delta_rift_add(ret, 0, (int64_t)shift_of(r, 0), err);
	struct reverse rev = { .ret = ret };
	/* a piece for each entry, one below the first, two for the one around 0; each may be cut in two */
	rev.pool = g_try_malloc_n(2 * r->n + 8, sizeof(*rev.pool));
	if (!rev.pool)
		return ib_throw_memory(err);
	rev.claims = g_sequence_new(NULL);
	bool ok = reverse_walk(r, &rev, err);
	g_sequence_free(rev.claims);
	g_free(rev.pool);
	if (!ok || !ib_delta_rift_sort(ret, err))
		return false;
	drop_unusable(ret);
	return true;
}
