#include "petext.h"

#include "base/bytes.h"

/* About what a function takes. */
#define FUNCTION_BYTES 96u
/* One in so many functions has other constants in each later build. */
#define CHANGED_ONE_IN 9u

struct writer {
	struct lab_text *t;
	const struct lab_text_plan *plan;
	GArray *order;     /* unsigned: identities of functions, in the order of their places */
	uint64_t state;    /* of the random numbers of one function */
};

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void put(struct writer *w, const char *bytes, guint n)
{
	g_byte_array_append(w->t->bytes, (const uint8_t *)bytes, n);
}

static void put32(struct writer *w, uint32_t v)
{
	uint8_t b[4];

	ib_put_le32(b, v);
	g_byte_array_append(w->t->bytes, b, 4);
}

static void refer(struct writer *w, enum lab_ref_kind kind, uint32_t number, bool absolute)
{
	struct lab_ref r = { .at = w->t->bytes->len, .kind = (uint8_t)kind, .absolute = absolute, .number = number };

	g_array_append_val(w->t->refs, r);
	put32(w, 0);
}

/* Where a function stands now, by its identity: functions of the first build are called by all later ones. */
static uint32_t index_of(const struct writer *w, unsigned identity)
{
	for (guint i = 0; i < w->order->len; i++)
		if (g_array_index(w->order, unsigned, i) == identity)
			return i;
	return 0;
}

static uint32_t some_function(struct writer *w, unsigned originals)
{
	return index_of(w, (unsigned)(next(&w->state) % originals));
}

static uint32_t some_data(struct writer *w)
{
	return (uint32_t)(next(&w->state) % (w->plan->data_bytes - 8)) & ~7u;
}

static uint32_t some_import(struct writer *w)
{
	return (uint32_t)(next(&w->state) % w->plan->imports);
}

static void put_amd64(struct writer *w, unsigned originals, uint32_t salt)
{
	switch (next(&w->state) % 7) {
	case 0:
	case 1:
		put(w, "\xe8", 1); /* call */
		refer(w, LAB_REF_FUNCTION, some_function(w, originals), false);
		return;
	case 2:
		put(w, "\x48\x8d\x0d", 3); /* lea rcx, [rip + …] */
		refer(w, LAB_REF_DATA, some_data(w), false);
		return;
	case 3:
		put(w, "\xff\x15", 2); /* call [rip + …] */
		refer(w, LAB_REF_IMPORT, some_import(w), false);
		return;
	case 4:
		put(w, "\x85\xc0\x0f\x84", 4); /* test eax, eax; jz */
		refer(w, LAB_REF_FUNCTION, some_function(w, originals), false);
		return;
	case 5:
		put(w, "\x89\x44\x24\x20\x48\x8b\xc8", 7); /* mov [rsp + 20h], eax; mov rcx, rax */
		return;
	default:
		put(w, "\xb8", 1); /* mov eax, … */
		put32(w, (uint32_t)next(&w->state) ^ salt);
	}
}

static void put_i386(struct writer *w, unsigned originals, uint32_t salt)
{
	switch (next(&w->state) % 7) {
	case 0:
	case 1:
		put(w, "\xe8", 1); /* call */
		refer(w, LAB_REF_FUNCTION, some_function(w, originals), false);
		return;
	case 2:
		put(w, "\x68", 1); /* push … */
		refer(w, LAB_REF_DATA, some_data(w), true);
		return;
	case 3:
		put(w, "\xff\x15", 2); /* call […] */
		refer(w, LAB_REF_IMPORT, some_import(w), true);
		return;
	case 4:
		put(w, "\x85\xc0\x0f\x84", 4); /* test eax, eax; jz */
		refer(w, LAB_REF_FUNCTION, some_function(w, originals), false);
		return;
	case 5:
		put(w, "\x89\x45\xfc\x33\xc0", 5); /* mov [ebp - 4], eax; xor eax, eax */
		return;
	default:
		put(w, "\xb8", 1); /* mov eax, … */
		put32(w, (uint32_t)next(&w->state) ^ salt);
	}
}

static void put_function(struct writer *w, unsigned identity, unsigned originals)
{
	struct lab_function f = { .begin = w->t->bytes->len };
	bool amd64 = w->plan->amd64;
	uint32_t salt = identity % CHANGED_ONE_IN == 4 ? w->plan->variant * 0x01010101u : 0;

	w->state = w->plan->seed * 31 + identity;
	put(w, amd64 ? "\x48\x83\xec\x28" : "\x55\x8b\xec\x51", 4);
	while (w->t->bytes->len - f.begin < FUNCTION_BYTES - 24 + next(&w->state) % 32) {
		if (amd64)
			put_amd64(w, originals, salt);
		else
			put_i386(w, originals, salt);
	}
	put(w, amd64 ? "\x48\x83\xc4\x28\xc3" : "\x33\xc0\xc9\xc3", amd64 ? 5 : 4);
	f.end = w->t->bytes->len;
	g_array_append_val(w->t->functions, f);
	while (w->t->bytes->len % 16)
		put(w, "\xcc", 1);
}

/* The first build's functions in their order; later builds have put others between. */
static GArray *arrange(const struct lab_text_plan *plan, unsigned originals)
{
	GArray *order = g_array_new(FALSE, FALSE, sizeof(unsigned));
	uint64_t state = plan->seed;

	for (unsigned i = 0; i < originals; i++)
		g_array_append_val(order, i);
	for (unsigned v = 0; v < plan->variant; v++) {
		unsigned identity = originals + v;
		guint at = 1 + (guint)(next(&state) % originals);

		g_array_insert_val(order, at, identity);
	}
	return order;
}

void lab_text_make(struct lab_text *t, const struct lab_text_plan *plan)
{
	unsigned originals = MAX((unsigned)(plan->bytes / FUNCTION_BYTES), 2);
	struct writer w = { .t = t, .plan = plan, .order = arrange(plan, originals) };

	*t = (struct lab_text){ .bytes = g_byte_array_new(),
				.functions = g_array_new(FALSE, FALSE, sizeof(struct lab_function)),
				.refs = g_array_new(FALSE, FALSE, sizeof(struct lab_ref)) };
	for (guint i = 0; i < w.order->len; i++)
		put_function(&w, g_array_index(w.order, unsigned, i), originals);
	g_array_unref(w.order);
}

void lab_text_fini(struct lab_text *t)
{
	g_byte_array_unref(t->bytes);
	g_array_unref(t->functions);
	g_array_unref(t->refs);
}
