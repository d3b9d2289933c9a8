/* Texts in names and data, without case. */
#include "registry/internal.h"

#define NEEDLE_MIN 3u

struct needle {
	const char *text;
	uint16_t *units; /* upper-cased */
	size_t count;
	bool ascii;
};

struct search {
	struct needle *needles;
	size_t count;
	uint8_t first[0x10000 / 8]; /* units a needle begins with, both cases */
	uint16_t *units;            /* names, decoded */
	ib_hive_hit_fn fn;
	void *data;
};

static bool is_first(const struct search *s, uint16_t u)
{
	return s->first[u >> 3] >> (u & 7) & 1;
}

static bool matches(const struct needle *n, const uint8_t *p, size_t units)
{
	if (n->count > units)
		return false;
	for (size_t i = 0; i < n->count; i++)
		if (ib_upcase16(ib_le16(p + 2 * i)) != n->units[i])
			return false;
	return true;
}

static bool matches_ascii(const struct needle *n, const uint8_t *p, size_t len)
{
	if (!n->ascii || n->count > len)
		return false;
	for (size_t i = 0; i < n->count; i++)
		if (ib_upcase16(p[i]) != n->units[i])
			return false;
	return true;
}

/* Mark each needle that occurs in UTF-16 data. Alignment is the caller's: it moves p. */
static void find_units(const struct search *s, const uint8_t *p, size_t units, bool *found)
{
	for (size_t i = 0; i < units; i++) {
		if (!is_first(s, ib_le16(p + 2 * i)))
			continue;
		for (size_t n = 0; n < s->count; n++)
			found[n] = found[n] || matches(&s->needles[n], p + 2 * i, units - i);
	}
}

static void find_ascii(const struct search *s, const uint8_t *p, size_t len, bool *found)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_first(s, p[i]))
			continue;
		for (size_t n = 0; n < s->count; n++)
			found[n] = found[n] || matches_ascii(&s->needles[n], p + i, len - i);
	}
}

static void find_name(const struct search *s, const char *name, bool *found)
{
	size_t n = 0;

	if (!ib_registry_units(name, s->units, VALUE_NAME_MAX, &n))
		return;
	for (size_t i = 0; i < n; i++)
		s->units[i] = GUINT16_TO_LE(s->units[i]);
	find_units(s, (const uint8_t *)s->units, n, found);
}

static void find_data(const struct search *s, const struct ib_value *v, bool *found)
{
	bool text = v->type == IB_REG_SZ || v->type == IB_REG_EXPAND_SZ || v->type == IB_REG_MULTI_SZ ||
		    v->type == IB_REG_LINK;

	if (v->len < NEEDLE_MIN)
		return;
	find_units(s, v->data, v->len / 2, found);
	if (text)
		return;
	find_units(s, v->data + 1, (v->len - 1) / 2, found);
	find_ascii(s, v->data, v->len, found);
}

static bool report(const struct search *s, struct ib_key *key, const struct ib_value *v, const bool *found)
{
	for (size_t n = 0; n < s->count; n++)
		if (found[n] && !s->fn(key, v, s->needles[n].text, s->data))
			return false;
	return true;
}

static bool search_key(const struct search *s, struct ib_key *key, bool *found)
{
	memset(found, 0, s->count);
	find_name(s, key->name, found);
	if (!report(s, key, NULL, found))
		return false;
	for (uint32_t i = 0; i < key->value_count; i++) {
		memset(found, 0, s->count);
		find_name(s, key->values[i]->name, found);
		find_data(s, key->values[i], found);
		if (!report(s, key, key->values[i], found))
			return false;
	}
	ib_registry_sort(key);
	for (uint32_t i = 0; i < key->child_count; i++)
		if (!search_key(s, key->children[i], found))
			return false;
	return true;
}

/* All units that fold to the needle's first one. */
static void mark_first(struct search *s, uint16_t upper)
{
	for (uint32_t u = 0; u < 0x10000; u++)
		if (ib_upcase16((uint16_t)u) == upper)
			s->first[u >> 3] |= (uint8_t)(1u << (u & 7));
}

static void add_needle(struct search *s, const char *text)
{
	struct needle *n = &s->needles[s->count];

	*n = (struct needle){ .text = text, .ascii = true, .units = g_new(uint16_t, strlen(text) + 1) };
	if (!ib_registry_units(text, n->units, strlen(text), &n->count) || n->count < NEEDLE_MIN) {
		g_free(n->units);
		return;
	}
	for (size_t i = 0; i < n->count; i++) {
		n->ascii = n->ascii && n->units[i] < 0x80;
		n->units[i] = ib_upcase16(n->units[i]);
	}
	mark_first(s, n->units[0]);
	s->count++;
}

void ib_hive_search(struct ib_hive *h, const char *const *needles, ib_hive_hit_fn fn, void *data)
{
	size_t n = g_strv_length((char **)needles);
	g_autofree struct search *s = g_new0(struct search, 1);
	g_autofree struct needle *all = g_new0(struct needle, n + 1);
	g_autofree uint16_t *units = g_new(uint16_t, VALUE_NAME_MAX);
	g_autofree bool *found = g_new0(bool, n + 1);

	s->needles = all;
	s->units = units;
	s->fn = fn;
	s->data = data;
	for (size_t i = 0; i < n; i++)
		add_needle(s, needles[i]);
	if (s->count)
		search_key(s, h->root, found);
	for (size_t i = 0; i < s->count; i++)
		g_free(all[i].units);
}
