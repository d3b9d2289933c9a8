/* What differs between two trees: both are walked at once, in the order of the names. */
#include "registry/internal.h"

struct diff {
	ib_hive_diff_fn fn;
	void *data;
	bool stopped;
};

static void report(struct diff *d, enum ib_hive_change change, struct ib_key *a, struct ib_key *b,
		   const struct ib_value *va, const struct ib_value *vb)
{
	if (!d->stopped && !d->fn(change, a, b, va, vb, d->data))
		d->stopped = true;
}

static int compare_values(gconstpointer a, gconstpointer b)
{
	const struct ib_value *const *va = a, *const *vb = b;

	return ib_registry_compare((*va)->name, (*vb)->name);
}

static GPtrArray *sorted_values(const struct ib_key *k)
{
	GPtrArray *list = g_ptr_array_sized_new(k->value_count);

	for (uint32_t i = 0; i < k->value_count; i++)
		g_ptr_array_add(list, k->values[i]);
	g_ptr_array_sort(list, compare_values);
	return list;
}

static bool same_data(const struct ib_value *a, const struct ib_value *b)
{
	return a->type == b->type && a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void diff_values(struct diff *d, struct ib_key *a, struct ib_key *b)
{
	g_autoptr(GPtrArray) la = sorted_values(a);
	g_autoptr(GPtrArray) lb = sorted_values(b);

	for (guint i = 0, j = 0; i < la->len || j < lb->len;) {
		const struct ib_value *va = i < la->len ? la->pdata[i] : NULL, *vb = j < lb->len ? lb->pdata[j] : NULL;
		int order = !va ? 1 : !vb ? -1 : ib_registry_compare(va->name, vb->name);
		if (order < 0)
			report(d, IB_HIVE_VALUE_REMOVED, a, b, va, NULL);
		else if (order > 0)
			report(d, IB_HIVE_VALUE_ADDED, a, b, NULL, vb);
		else if (!same_data(va, vb))
			report(d, IB_HIVE_VALUE_CHANGED, a, b, va, vb);
		i += order <= 0;
		j += order >= 0;
	}
}

static bool same_bytes(GBytes *a, GBytes *b)
{
	return a == b || (a && b && g_bytes_equal(a, b));
}

/* Depth is bounded: neither loading nor editing lets a tree grow deeper than DEPTH_MAX. */
static void diff_keys(struct diff *d, struct ib_key *a, struct ib_key *b)
{
	if (!same_bytes(ib_key_security(a), ib_key_security(b)))
		report(d, IB_HIVE_SECURITY_CHANGED, a, b, NULL, NULL);
	if (!same_bytes(ib_key_class(a), ib_key_class(b)))
		report(d, IB_HIVE_CLASS_CHANGED, a, b, NULL, NULL);
	diff_values(d, a, b);
	for (size_t i = 0, j = 0; !d->stopped && (i < a->child_count || j < b->child_count);) {
		struct ib_key *ka = ib_key_child(a, i), *kb = ib_key_child(b, j);
		int order = !ka ? 1 : !kb ? -1 : ib_registry_compare(ka->name, kb->name);
		if (order < 0)
			report(d, IB_HIVE_KEY_REMOVED, ka, NULL, NULL, NULL);
		else if (order > 0)
			report(d, IB_HIVE_KEY_ADDED, NULL, kb, NULL, NULL);
		else
			diff_keys(d, ka, kb);
		i += order <= 0;
		j += order >= 0;
	}
}

void ib_hive_diff(struct ib_key *a, struct ib_key *b, ib_hive_diff_fn fn, void *data)
{
	struct diff d = { .fn = fn, .data = data };

	diff_keys(&d, a, b);
}
