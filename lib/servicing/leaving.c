/* What old versions leave: gone when no winner brings it any more, with the folders and keys that are empty then. */
#include "servicing/internal.h"

#include <string.h>

/* What is known of owners. */
struct leaving {
	GHashTable *ids;     /* asked so far */
	GHashTable *owners;  /* of those, as ib_svc_owners() tells */
	GHashTable *without; /* new winners: not asked, */
	GHashTable *brought; /* because these are the ids of all that they bring */
};

/* ---- what is left empty ---- */

static bool is_registry(const struct ib_effect *e)
{
	return e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE;
}

/* What holds a thing; NULL: nothing that may go. ib_svc_effect_free. */
static struct ib_effect *holder(const struct ib_effect *e)
{
	bool reg = is_registry(e), file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;
	const char *slash = reg || file ? strrchr(e->path, '\\') : NULL;
	g_autofree char *path = e->kind == EFFECT_VALUE ? g_strdup(e->path) :
				slash ? g_strndup(e->path, (gsize)(slash - e->path)) : NULL;

	if (!path || !*path || (file && !strchr(path, '\\')))
		return NULL;
	return ib_svc_effect_new(reg ? EFFECT_KEY : EFFECT_DIRECTORY, e->hive, path, NULL);
}

/* Whether a folder or key that may go is there and holds at most so many things. */
static bool holds_at_most(struct ib_store *s, const struct ib_effect *e, size_t most)
{
	if (!is_registry(e)) {
		struct ib_node *n = ib_image_find(s->image, e->path), *child = n && ib_node_is_dir(n) ? ib_node_first(n) : NULL;
		size_t held = 0;
		for (; child && held <= most; child = ib_node_next(child))
			held++;
		return n && ib_node_is_dir(n) && held <= most;
	}
	struct ib_hive *hive;
	ib_auto_error ignored = NULL;
	struct ib_key *key = ib_store_hive(s, e->hive, &hive, &ignored) ? ib_key_find(ib_hive_root(hive), e->path) : NULL;
	return key && ib_key_parent(key) && ib_key_count(key) + ib_key_value_count(key) <= most &&
	       !ib_svc_standing_key(e->hive, e->path);
}

/* Folders and keys that hold nothing but gone things, into ids; they are returned: they count as gone, too. */
static GPtrArray *count_gone(struct ib_store *s, const GPtrArray *gone, GHashTable *seen, GHashTable *counts, GHashTable *ids)
{
	g_autoptr(GHashTable) holders = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, ib_svc_effect_free);
	GPtrArray *out = g_ptr_array_new_with_free_func(ib_svc_effect_free);
	GHashTableIter it;
	gpointer id, e;

	for (guint i = 0; i < gone->len; i++) {
		const struct ib_effect *thing = gone->pdata[i];
		struct ib_effect *h = g_hash_table_add(seen, g_strdup(thing->id)) ? holder(thing) : NULL;
		if (!h)
			continue;
		size_t n = GPOINTER_TO_SIZE(g_hash_table_lookup(counts, h->id)) + 1;
		g_hash_table_insert(counts, g_strdup(h->id), GSIZE_TO_POINTER(n));
		g_hash_table_replace(holders, (gpointer)h->id, h);
	}
	g_hash_table_iter_init(&it, holders);
	while (g_hash_table_iter_next(&it, &id, &e)) {
		if (!holds_at_most(s, e, GPOINTER_TO_SIZE(g_hash_table_lookup(counts, id))))
			continue;
		g_hash_table_add(ids, g_strdup(id));
		g_hash_table_iter_steal(&it);
		g_ptr_array_add(out, e);
	}
	return out;
}

/* Ids of folders and keys that will be empty when all of gone is, into ids. */
static void ask_emptied(struct ib_store *s, const GPtrArray *gone, GHashTable *ids)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GPtrArray *last = count_gone(s, gone, seen, counts, ids);

	while (last->len > 0) {
		GPtrArray *next = count_gone(s, last, seen, counts, ids);
		g_ptr_array_unref(last);
		last = next;
	}
	g_ptr_array_unref(last);
}

/* Empty holders of what went, each once: struct ib_effect *. */
static GPtrArray *emptied(struct ib_store *s, const GPtrArray *went, GHashTable *seen)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(ib_svc_effect_free);

	for (guint i = 0; i < went->len; i++) {
		struct ib_effect *h = holder(went->pdata[i]);
		if (h && holds_at_most(s, h, 0) && g_hash_table_add(seen, g_strdup(h->id)))
			g_ptr_array_add(out, h);
		else
			ib_svc_effect_free(h);
	}
	return out;
}

/* Owners of things that nobody asked about yet. */
static bool ask_more(struct ib_store *s, const GPtrArray *things, struct leaving *l, struct ib_error **err)
{
	g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
	const struct ib_owner_query q = { .ids = ids, .without = l->without };
	g_autoptr(GHashTable) owners = NULL;
	GHashTableIter it;
	gpointer id, owner;

	for (guint i = 0; i < things->len; i++) {
		const struct ib_effect *e = things->pdata[i];
		if (!g_hash_table_contains(l->brought, e->id) && g_hash_table_add(l->ids, g_strdup(e->id)))
			g_hash_table_add(ids, (gpointer)e->id);
	}
	if (!ib_svc_owners(s, &q, &owners, err))
		return false;
	g_hash_table_iter_init(&it, owners);
	while (g_hash_table_iter_next(&it, &id, &owner))
		g_hash_table_insert(l->owners, g_strdup(id), g_strdup(owner));
	return true;
}

/* Take away folders and keys above things that went, as far as they are empty, nobody's, and not Windows' own. */
static bool climb_emptied(struct ib_store *s, const GPtrArray *went, struct leaving *l, struct ib_error **err)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) last = emptied(s, went, seen);

	while (last->len > 0) {
		g_autoptr(GPtrArray) gone = g_ptr_array_new();
		if (!ask_more(s, last, l, err))
			return false;
		for (guint i = 0; i < last->len; i++) {
			struct ib_effect *e = last->pdata[i];
			bool removed = false;
			if (g_hash_table_contains(l->owners, e->id) || g_hash_table_contains(l->brought, e->id))
				continue;
			if (!ib_svc_effect_remove(s, e, &removed, err))
				return false;
			if (removed)
				g_ptr_array_add(gone, e);
		}
		GPtrArray *next = emptied(s, gone, seen);
		g_ptr_array_unref(last);
		last = next;
	}
	return true;
}

/* ---- leaving ---- */

/* New winners: struct ib_component *. What they bring is known, their manifests need not be asked. */
static bool new_winners(struct ib_store *s, const GArray *winners, GHashTable **ret, struct ib_error **err)
{
	struct ib_model *model;

	if (!ib_svc_model(s, &model, err))
		return false;
	*ret = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < winners->len; i++) {
		const struct ib_manifest *m = g_array_index(winners, struct ib_plan_winner, i).now;
		struct ib_component *c = m ? ib_svc_component(model, m->keyform) : NULL;
		if (c)
			g_hash_table_add(*ret, c);
	}
	return true;
}

/* Whose what old winners had is: everything but new winners is asked. */
static bool ask_leaving(struct ib_store *s, const struct ib_changes *ch, struct leaving *l, struct ib_error **err)
{
	const struct ib_owner_query q = { .ids = l->ids, .without = l->without };

	for (guint i = 0; i < ch->gone->len; i++) {
		const struct ib_effect *e = ch->gone->pdata[i];
		if (!g_hash_table_contains(ch->brought, e->id))
			g_hash_table_add(l->ids, g_strdup(e->id));
	}
	ask_emptied(s, ch->gone, l->ids);
	return ib_svc_owners(s, &q, &l->owners, err);
}

/* What old winners had and nobody has any more, last first. */
static bool drop_gone(struct ib_store *s, const struct ib_changes *ch, struct leaving *l, struct ib_install_summary *sum,
		      struct ib_error **err)
{
	g_autoptr(GPtrArray) went = g_ptr_array_new();

	for (guint i = ch->gone->len; i-- > 0;) {
		struct ib_effect *e = ch->gone->pdata[i];
		bool removed;
		if (g_hash_table_contains(ch->brought, e->id) || g_hash_table_contains(l->owners, e->id))
			continue;
		if (!ib_svc_effect_remove(s, e, &removed, err)) {
			g_autofree char *text = ib_svc_effect_text(e);
			return ib_while(err, "removing the %s", text);
		}
		if (removed)
			g_ptr_array_add(went, e);
		sum->files_removed += removed && e->kind == EFFECT_FILE;
		sum->values_removed += removed && e->kind == EFFECT_VALUE;
	}
	return climb_emptied(s, went, l, err);
}

bool ib_svc_leave(struct ib_store *s, const GArray *winners, const struct ib_changes *ch, struct ib_install_summary *sum,
		  struct ib_error **err)
{
	g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct leaving l = { .ids = ids, .brought = ch->brought };
	bool ok = new_winners(s, winners, &l.without, err) && ask_leaving(s, ch, &l, err) && drop_gone(s, ch, &l, sum, err);
	g_clear_pointer(&l.without, g_hash_table_unref);
	g_clear_pointer(&l.owners, g_hash_table_unref);
	return ok;
}
