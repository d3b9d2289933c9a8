/* After references have changed: which components are installed, and which winners that changes. */
#include "servicing/internal.h"

#include <string.h>

bool ib_svc_deployment_components(struct ib_store *s, const struct ib_identity *deployment, GPtrArray **ret,
				  struct ib_error **err)
{
	g_autoptr(GPtrArray) out = g_ptr_array_new();
	g_autofree char *keyform = ib_keyform(deployment, IB_KEYFORM_LONG);
	const struct ib_manifest *m = NULL;
	struct ib_model *model;

	if (!ib_svc_model(s, &model, err))
		return false;
	struct ib_component *self = ib_svc_component(model, keyform);
	if (self && !ib_svc_manifest(s, self, &m, err))
		return false;
	if (self)
		g_ptr_array_add(out, self);
	for (guint i = 0; m && i < m->dependencies->len; i++) {
		g_autofree char *key = ib_keyform(m->dependencies->pdata[i], IB_KEYFORM_LONG);
		struct ib_component *c = ib_svc_component(model, key);
		if (c)
			g_ptr_array_add(out, c);
	}
	*ret = g_steal_pointer(&out);
	return true;
}

/* Some deployment of the component is installed. */
static bool is_pinned(struct ib_hive *h, const struct ib_component *c)
{
	struct ib_key *key = ib_svc_component_key(h, c->keyform);
	g_autoptr(GPtrArray) deployments = key ? ib_svc_component_deployments(key) : NULL;

	for (guint i = 0; deployments && i < deployments->len; i++) {
		struct ib_key *d = ib_svc_deployment_key(h, deployments->pdata[i]);
		g_autoptr(GPtrArray) refs = d ? ib_svc_deployment_refs(d, "i!") : NULL;
		if (refs && refs->len)
			return true;
	}
	return false;
}

/* A family's line (versions that compete) and who won it before. */
struct line {
	struct ib_family *family;
	struct ib_version version;
	struct ib_component *before;
};

static int by_family(gconstpointer a, gconstpointer b)
{
	const struct line *x = a, *y = b;
	int d = strcmp(x->family->keyform, y->family->keyform);

	return d ? d : ib_version_compare(&x->version, &y->version);
}

static GArray *lines_of(const GPtrArray *components)
{
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(struct line));
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < components->len; i++) {
		const struct ib_component *c = components->pdata[i];
		struct line l = { .family = c->family };
		if (!ib_svc_same_line(&c->id, &l.version)) /* one line for all versions, or one for each major.minor */
			l.version = (struct ib_version){ { c->id.number.part[0], c->id.number.part[1] } };
		l.before = ib_svc_winner(c->family, &l.version);
		if (g_hash_table_add(seen, g_strdup_printf("%s|%" PRIu32 ".%" PRIu32, c->family->keyform,
							   l.version.part[0], l.version.part[1])))
			g_array_append_val(lines, l);
	}
	g_array_sort(lines, by_family);
	return lines;
}

static bool add_change(struct ib_store *s, const struct line *l, GArray *out, struct ib_error **err)
{
	struct ib_component *after = ib_svc_winner(l->family, &l->version);
	struct ib_plan_winner w = { .before = l->before };

	if (!ib_svc_winners_write(s, l->family, err))
		return false;
	if (after == l->before)
		return true;
	if (after && !ib_svc_manifest(s, after, &w.now, err))
		return false;
	if (after && !w.now)
		return ib_throw(err, IB_ERR_INPUT, "the manifest of '%s' cannot be read here", after->keyform);
	g_array_append_val(out, w);
	return true;
}

bool ib_svc_reconcile(struct ib_store *s, const GPtrArray *components, GHashTable *without, GArray **ret,
		      struct ib_error **err)
{
	g_autoptr(GArray) lines = lines_of(components);
	g_autoptr(GArray) out = g_array_new(FALSE, FALSE, sizeof(struct ib_plan_winner));
	struct ib_hive *h;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	for (guint i = 0; i < components->len; i++) {
		struct ib_component *c = components->pdata[i];
		c->installed = !(without && g_hash_table_contains(without, c)) && is_pinned(h, c);
	}
	for (guint i = 0; i < lines->len; i++)
		if (!add_change(s, &g_array_index(lines, struct line, i), out, err))
			return false;
	*ret = g_steal_pointer(&out);
	return true;
}
