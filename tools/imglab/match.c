#include "match.h"

#include <glib.h>
#include <string.h>

#include "base/bytes.h"

/* A match of this many bytes is good enough to stop looking. */
#define NICE 128u

void lab_matcher_init(struct lab_matcher *m, const uint8_t *data, size_t size, unsigned depth)
{
	unsigned bits = 10;

	while (bits < 20 && (size_t)1 << bits < size)
		bits++;
	g_assert(size < UINT32_MAX);
	*m = (struct lab_matcher){ .data = data, .size = size, .bits = bits, .depth = depth };
	m->head = g_new0(uint32_t, (size_t)1 << bits);
	m->before = g_new(uint32_t, size + 1);
}

void lab_matcher_fini(struct lab_matcher *m)
{
	g_free(m->head);
	g_free(m->before);
}

static uint32_t hash(const struct lab_matcher *m, size_t pos)
{
	return ib_le32(m->data + pos) * 2654435761u >> (32 - m->bits);
}

void lab_matcher_fill(struct lab_matcher *m, size_t until)
{
	size_t last = m->size < LAB_MATCH_MIN ? 0 : MIN(until, m->size - LAB_MATCH_MIN + 1);

	for (; m->filled < last; m->filled++) {
		uint32_t *head = &m->head[hash(m, m->filled)];

		m->before[m->filled] = *head;
		*head = (uint32_t)m->filled + 1;
	}
}

size_t lab_common(const uint8_t *a, const uint8_t *b, size_t max)
{
	size_t n = 0;

	while (n + 8 <= max) {
		uint64_t differs = ib_le64(a + n) ^ ib_le64(b + n);

		if (differs)
			return n + (size_t)__builtin_ctzll(differs) / 8;
		n += 8;
	}
	while (n < max && a[n] == b[n])
		n++;
	return n;
}

struct lab_match lab_matcher_find(const struct lab_matcher *m, size_t pos, size_t low, size_t max)
{
	struct lab_match best = { 0 };

	max = MIN(max, m->size - pos);
	if (max < LAB_MATCH_MIN)
		return best;
	uint32_t at = m->head[hash(m, pos)];
	for (unsigned i = 0; i < m->depth && at > low; i++, at = m->before[at - 1]) {
		size_t from = at - 1;

		if (best.length && m->data[from + best.length] != m->data[pos + best.length])
			continue;
		size_t n = lab_common(m->data + from, m->data + pos, max);
		if (n >= LAB_MATCH_MIN && n > best.length)
			best = (struct lab_match){ from, n };
		if (n >= MIN(max, NICE))
			break;
	}
	return best;
}
