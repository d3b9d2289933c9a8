/* Owners: which winners bring a thing. Asked for a set of things at once, one pass over the winners' manifests. */
#include "servicing/internal.h"

#include <string.h>

/* Whether something asked for is a folder or key above this effect; its id, or NULL. */
static const char *folder_above(const struct ib_owner_query *q, const struct ib_effect *e)
{
	bool reg = e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE;
	bool file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;

	if (!q->folders || (!reg && !file))
		return NULL;
	g_autofree char *path = g_strdup(e->path);
	char *end = path + strlen(path);
	while (end) {
		*end = '\0';
		g_autofree char *id = ib_svc_effect_id(reg ? EFFECT_KEY : EFFECT_DIRECTORY, reg ? e->hive : 0, path, NULL);
		gpointer key;
		if (g_hash_table_lookup_extended(q->folders, id, &key, NULL))
			return key;
		end = strrchr(path, '\\');
	}
	return NULL;
}

static void note_owner(GHashTable *out, const char *id, const struct ib_component *c)
{
	if (!g_hash_table_contains(out, id))
		g_hash_table_insert(out, g_strdup(id), g_strdup(c->keyform));
}

static bool ask_one(struct ib_store *s, struct ib_component *c, const struct ib_owner_query *q, GHashTable *out,
		    struct ib_error **err)
{
	g_autoptr(GPtrArray) effects = NULL;
	struct ib_manifest *own = NULL;
	const struct ib_manifest *m = c->manifest;

	if (!m && !ib_svc_manifest_read(s, c, &own, err))
		return ib_while(err, "reading the manifest of '%s'", c->keyform);
	if (!m)
		m = own;
	bool ok = !m || ib_svc_effects(s, m, &effects, err);
	for (guint i = 0; effects && i < effects->len; i++) {
		const struct ib_effect *e = effects->pdata[i];
		const char *folder = folder_above(q, e);
		if (g_hash_table_contains(q->ids, e->id))
			note_owner(out, e->id, c);
		if (folder)
			note_owner(out, folder, c);
	}
	ib_manifest_free(own);
	return ok;
}

bool ib_svc_owners(struct ib_store *s, const struct ib_owner_query *q, GHashTable **ret, struct ib_error **err)
{
	g_autoptr(GHashTable) out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) winners = NULL;
	struct ib_model *model;

	if (!ib_svc_model(s, &model, err))
		return false;
	if (g_hash_table_size(q->ids) || (q->folders && g_hash_table_size(q->folders)))
		winners = ib_svc_winners(model);
	for (guint i = 0; winners && i < winners->len; i++) {
		if (q->without && g_hash_table_contains(q->without, winners->pdata[i]))
			continue;
		if (!ask_one(s, winners->pdata[i], q, out, err))
			return false;
	}
	*ret = g_steal_pointer(&out);
	return true;
}
