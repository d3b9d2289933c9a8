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

struct asking {
	struct ib_store *s;
	const struct ib_owner_query *q;
	GHashTable *out;
};

static bool ask_one(struct ib_component *c, const struct ib_manifest *m, void *data, struct ib_error **err)
{
	const struct asking *a = data;
	g_autoptr(GPtrArray) effects = NULL;

	if (!ib_svc_effects(a->s, m, &effects, err))
		return false;
	for (guint i = 0; i < effects->len; i++) {
		const struct ib_effect *e = effects->pdata[i];
		const char *folder = folder_above(a->q, e);
		if (g_hash_table_contains(a->q->ids, e->id))
			note_owner(a->out, e->id, c);
		if (folder)
			note_owner(a->out, folder, c);
	}
	return true;
}

/* Winners but those left out: struct ib_component *. */
static GPtrArray *asked(const struct ib_owner_query *q, struct ib_model *model)
{
	g_autoptr(GPtrArray) winners = ib_svc_winners(model);
	GPtrArray *out = g_ptr_array_new();

	for (guint i = 0; i < winners->len; i++)
		if (!q->without || !g_hash_table_contains(q->without, winners->pdata[i]))
			g_ptr_array_add(out, winners->pdata[i]);
	return out;
}

bool ib_svc_owners(struct ib_store *s, const struct ib_owner_query *q, GHashTable **ret, struct ib_error **err)
{
	g_autoptr(GHashTable) out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct asking a = { .s = s, .q = q, .out = out };
	struct ib_model *model;

	if (!ib_svc_model(s, &model, err))
		return false;
	if (g_hash_table_size(q->ids) || (q->folders && g_hash_table_size(q->folders))) {
		IB_CLEANUP(ib_svc_mentions_clear) struct ib_mentions *mentions = ib_svc_mentions_new(q->ids, q->folders);
		g_autoptr(GPtrArray) winners = asked(q, model);
		if (!ib_svc_manifests_each(s, winners, mentions, ask_one, &a, err))
			return false;
	}
	*ret = g_steal_pointer(&out);
	return true;
}

bool ib_store_file_owner(struct ib_store *s, const char *path, char **ret, struct ib_error **err)
{
	g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) owners = NULL;
	const struct ib_owner_query q = { .ids = ids };
	char *id = ib_svc_effect_id(EFFECT_FILE, 0, path, NULL);

	g_hash_table_add(ids, id);
	if (!ib_svc_owners(s, &q, &owners, err))
		return false;
	*ret = g_strdup(g_hash_table_lookup(owners, id));
	return true;
}
