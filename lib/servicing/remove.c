/* Removing a component: after the owner check, its things, then its place in the store, then its packages. */
#include "servicing/internal.h"

#include <string.h>

void ib_removal_summary_clear(struct ib_removal_summary *r)
{
	g_clear_pointer(&r->lines, g_ptr_array_unref);
}

/* ---- the owner check ---- */

static char *up(const char *path)
{
	const char *slash = path ? strrchr(path, '\\') : NULL;

	return slash ? g_strndup(path, (gsize)(slash - path)) : NULL;
}

void ib_svc_ask_above(const struct ib_effect *e, GHashTable *ids)
{
	bool reg = e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE;
	bool file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;

	if (!reg && !file)
		return;
	if (e->kind == EFFECT_VALUE)
		g_hash_table_add(ids, ib_svc_effect_id(EFFECT_KEY, e->hive, e->path, NULL));
	for (char *path = up(e->path); path;) {
		char *next = up(path);
		g_hash_table_add(ids, ib_svc_effect_id(reg ? EFFECT_KEY : EFFECT_DIRECTORY, e->hive, path, NULL));
		g_free(path);
		path = next;
	}
}

/* Ids of a thing and of the folders or keys above it, which may be empty afterwards. */
static void ask_for(const struct ib_effect *e, GHashTable *ids, GHashTable *folders)
{
	bool reg = e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE;
	bool file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;

	g_hash_table_add(ids, g_strdup(e->id));
	if (e->whole && e->kind != EFFECT_VALUE && (reg || file))
		g_hash_table_add(folders, ib_svc_effect_id(reg ? EFFECT_KEY : EFFECT_DIRECTORY, e->hive, e->path, NULL));
	ib_svc_ask_above(e, ids);
}

static const char *owner_of(GHashTable *owners, const struct ib_effect *e)
{
	const char *owner = g_hash_table_lookup(owners, e->id);

	if (!owner && e->whole && e->kind == EFFECT_FILE) {
		g_autofree char *id = ib_svc_effect_id(EFFECT_DIRECTORY, 0, e->path, NULL);
		owner = g_hash_table_lookup(owners, id);
	}
	return owner;
}

static bool check_owners(struct ib_store *s, const struct ib_removal_match *m, GHashTable **ret, struct ib_error **err)
{
	g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) owners = NULL;
	struct ib_owner_query q = { .ids = ids, .folders = folders, .without = m->component_set };

	for (guint i = 0; i < m->effects->len; i++)
		ask_for(m->effects->pdata[i], ids, folders);
	if (!ib_svc_owners(s, &q, &owners, err))
		return false;
	for (guint i = 0; i < m->effects->len; i++) {
		const struct ib_effect *e = m->effects->pdata[i];
		const char *owner = e->whole ? owner_of(owners, e) : NULL;
		g_autofree char *text = owner ? ib_svc_effect_text(e) : NULL;
		if (owner) {
			ib_throw(err, IB_ERR_INPUT, "the %s belongs to '%s', which is not being removed", text, owner);
			return ib_hint(err, "take it out of the removal's manifest");
		}
	}
	*ret = g_steal_pointer(&owners);
	return true;
}

/* ---- things ---- */

/* Keys above that nothing is left in and nobody owns. */
static bool climb_keys(struct ib_store *s, const struct ib_effect *e, GHashTable *owners, struct ib_error **err)
{
	g_autofree char *path = up(e->path);

	if (e->kind == EFFECT_VALUE) {
		g_free(path);
		path = g_strdup(e->path);
	}
	while (path) {
		g_autofree char *id = ib_svc_effect_id(EFFECT_KEY, e->hive, path, NULL);
		struct ib_key *key = ib_key_find(ib_hive_root(s->hives[e->hive]), path);
		if (key && (ib_key_count(key) || ib_key_value_count(key) || ib_svc_standing_key(e->hive, path) ||
			    g_hash_table_contains(owners, id) || !ib_key_parent(key)))
			return true;
		if (key && !ib_key_remove(s->hives[e->hive], key, err))
			return false;
		char *next = up(path);
		g_free(path);
		path = next;
	}
	return true;
}

static bool climb_folders(struct ib_store *s, const struct ib_effect *e, GHashTable *owners, struct ib_error **err)
{
	g_autofree char *path = up(e->path);

	while (path && strchr(path, '\\')) {
		g_autofree char *id = ib_svc_effect_id(EFFECT_DIRECTORY, 0, path, NULL);
		struct ib_node *n = ib_image_find(s->image, path);
		if (n && (ib_node_first(n) || g_hash_table_contains(owners, id)))
			return true;
		if (n && !ib_image_remove(s->image, n, err))
			return false;
		char *next = up(path);
		g_free(path);
		path = next;
	}
	return true;
}

bool ib_svc_climb(struct ib_store *s, const struct ib_effect *e, GHashTable *owners, struct ib_error **err)
{
	bool reg = e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE;
	bool file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;

	return (!reg || climb_keys(s, e, owners, err)) && (!file || climb_folders(s, e, owners, err));
}

static bool remove_whole_key(struct ib_store *s, const struct ib_effect *e, bool *ret_removed, struct ib_error **err)
{
	struct ib_hive *hive;

	if (!ib_store_hive(s, e->hive, &hive, err))
		return false;
	struct ib_key *key = ib_key_find(ib_hive_root(hive), e->path);
	*ret_removed = key != NULL;
	return !key || ib_key_remove(hive, key, err);
}

static void count(const struct ib_effect *e, bool was_folder, struct ib_removal_summary *sum)
{
	sum->files += e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;
	sum->services += e->kind == EFFECT_SERVICE;
	sum->tasks += e->kind == EFFECT_TASK;
	sum->values += e->kind == EFFECT_VALUE || e->kind == EFFECT_FIREWALL || e->kind == EFFECT_SVCHOST ||
		       e->kind == EFFECT_SEARCH_PATH;
	sum->keys += e->kind == EFFECT_KEY || e->kind == EFFECT_PUBLISHER || e->kind == EFFECT_CHANNEL;
	g_ptr_array_add(sum->lines, was_folder ? g_strdup_printf("folder %s", e->path) : ib_svc_effect_text(e));
}

static bool remove_effect(struct ib_store *s, const struct ib_effect *e, GHashTable *owners,
			  struct ib_removal_summary *sum, struct ib_error **err)
{
	bool removed = false;
	bool file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;

	struct ib_node *node = file ? ib_image_find(s->image, e->path) : NULL;
	bool was_folder = node && ib_node_is_dir(node);
	if (!e->whole && g_hash_table_contains(owners, e->id))
		return true; /* shared with a component that stays */
	if (e->whole && e->kind == EFFECT_KEY ? !remove_whole_key(s, e, &removed, err)
					      : !ib_svc_effect_remove(s, e, &removed, err))
		return false;
	if (!removed)
		return true;
	count(e, was_folder, sum);
	return ib_svc_climb(s, e, owners, err);
}

/* Values before keys, files before folders; what the removal names, last: it says one by one what went. */
static unsigned turn_of(const struct ib_effect *e)
{
	bool container = e->kind == EFFECT_KEY || e->kind == EFFECT_DIRECTORY;

	return e->whole ? 2 : container ? 1 : 0;
}

static bool remove_effects(struct ib_store *s, const struct ib_removal_match *m, GHashTable *owners,
			   struct ib_removal_summary *sum, struct ib_error **err)
{
	for (unsigned turn = 0; turn < 3; turn++)
		for (guint i = m->effects->len; i-- > 0;) {
			const struct ib_effect *e = m->effects->pdata[i];
			if (turn_of(e) == turn && !remove_effect(s, e, owners, sum, err)) {
				g_autofree char *text = ib_svc_effect_text(e);
				return ib_while(err, "removing the %s", text);
			}
		}
	return true;
}

/* ---- the store ---- */

bool ib_svc_removal_drop_references(struct ib_store *s, const struct ib_removal_match *m, struct ib_error **err)
{
	static const char *const prefixes[] = { "p!", "s!", "i!" };
	struct ib_hive *h;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	struct ib_key *dir = ib_key_find(ib_hive_root(h), PATH_DEPLOYMENTS);
	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		struct ib_key *key = ib_key_child(dir, i);
		for (size_t k = 0; k < G_N_ELEMENTS(prefixes); k++) {
			g_autoptr(GPtrArray) refs = ib_svc_deployment_refs(key, prefixes[k]);
			for (guint n = 0; n < refs->len; n++)
				for (guint p = 0; p < m->packages->len; p++) {
					size_t len = strlen(m->packages->pdata[p]);
					const char *ref = refs->pdata[n];
					if (!g_ascii_strncasecmp(ref, m->packages->pdata[p], len) && ref[len] == '.')
						ib_svc_ref_drop(h, key, prefixes[k], ref);
				}
		}
	}
	return true;
}

/* c! links of a deployment that goes; a catalog without any left goes too. */
static bool drop_catalog_links(struct ib_store *s, struct ib_hive *h, const char *deployment, struct ib_error **err)
{
	struct ib_key *dir = ib_key_find(ib_hive_root(h), PATH_CATALOGS);
	g_autofree char *link = g_strconcat("c!", deployment, NULL);
	bool removed;

	for (size_t i = dir ? ib_key_count(dir) : 0; i-- > 0;) {
		struct ib_key *key = ib_key_child(dir, i);
		if (!ib_key_unset(h, key, link) || ib_key_value_count(key))
			continue;
		g_autofree char *file = g_strdup_printf(DIR_CATALOGS "\\%s.cat", ib_key_name(key));
		if (!ib_key_remove(h, key, err) || !ib_svc_remove_path(s, file, &removed, err))
			return false;
	}
	return true;
}

bool ib_svc_deployments_drop(struct ib_store *s, const GPtrArray *short_forms, struct ib_error **err)
{
	struct ib_hive *h;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	struct ib_key *components = ib_key_find(ib_hive_root(h), PATH_COMPONENTS);
	for (guint i = 0; i < short_forms->len; i++) {
		const char *name = short_forms->pdata[i];
		struct ib_key *key = ib_svc_deployment_key(h, name);
		g_autofree char *link = g_strconcat("c!", name, NULL);
		if ((key && !ib_key_remove(h, key, err)) || !drop_catalog_links(s, h, name, err))
			return false;
		for (size_t k = 0; components && k < ib_key_count(components); k++)
			ib_key_unset(h, ib_key_child(components, k), link);
	}
	return true;
}

bool ib_svc_component_drop(struct ib_store *s, struct ib_component *c, struct ib_error **err)
{
	struct ib_hive *h;
	g_autofree char *folder = g_strdup_printf(DIR_WINSXS "\\%s", c->keyform);
	g_autofree char *manifest = g_strdup_printf(DIR_MANIFESTS "\\%s.manifest", c->keyform);
	struct ib_model *model;
	bool removed;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	struct ib_key *key = ib_svc_component_key(h, c->keyform);
	if (!ib_svc_remove_path(s, folder, &removed, err) || !ib_svc_remove_path(s, manifest, &removed, err) ||
	    (key && !ib_key_remove(h, key, err)) || !ib_svc_model(s, &model, err))
		return false;
	ib_svc_model_drop(model, c);
	return true;
}

bool ib_svc_removal_drop_store(struct ib_store *s, struct ib_removal_match *m, struct ib_removal_summary *sum,
			       struct ib_error **err)
{
	for (guint i = 0; i < m->components->len; i++) {
		const struct ib_component *c = m->components->pdata[i];
		g_ptr_array_add(sum->lines, g_strdup_printf("component %s", c->keyform));
	}
	sum->components = m->components->len;
	if (!ib_svc_deployments_drop(s, m->deployments, err))
		return false;
	while (m->components->len) {
		struct ib_component *c = m->components->pdata[m->components->len - 1];
		g_ptr_array_set_size(m->components, (gint)m->components->len - 1);
		if (!ib_svc_component_drop(s, c, err))
			return false;
	}
	for (guint i = 0; i < m->packages->len; i++) {
		g_ptr_array_add(sum->lines, g_strdup_printf("package %s", (const char *)m->packages->pdata[i]));
		if (!ib_svc_package_remove(s, m->packages->pdata[i], err))
			return false;
	}
	sum->packages = m->packages->len;
	return ib_svc_drop_caches(s, err);
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool carry_out(struct ib_store *s, struct ib_removal_match *m, struct ib_removal_summary *sum,
		      struct ib_error **err)
{
	g_autoptr(GHashTable) owners = NULL;
	g_autoptr(GArray) winners = NULL;
	struct ib_install_summary projected = { 0 };

	return check_owners(s, m, &owners, err) && remove_effects(s, m, owners, sum, err) &&
	       ib_svc_removal_drop_references(s, m, err) &&
	       ib_svc_reconcile(s, m->components, m->component_set, &winners, err) &&
	       ib_svc_project(s, winners, &projected, err) && ib_svc_removal_drop_store(s, m, sum, err) && ib_svc_refresh(s, err);
}

/* The store keeps what it has; a package of ours is added. */
static bool carry_out_empty(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			    struct ib_removal_summary *sum, struct ib_error **err)
{
	g_autoptr(GHashTable) owners = NULL;
	g_autofree char *package = NULL;

	if (!check_owners(s, m, &owners, err) || !remove_effects(s, m, owners, sum, err))
		return false;
	if (!m->components->len)
		return true;
	sum->components = m->components->len;
	for (guint i = 0; i < m->components->len; i++)
		g_ptr_array_add(sum->lines, g_strdup_printf("component %s (an empty version is in use)",
							    ((const struct ib_component *)m->components->pdata[i])->keyform));
	if (!ib_svc_empty_winners(s, r->name, m->components, &package, err))
		return false;
	ib_svc_note(s, "empty-winner", package, "its catalog carries no signature: whether Windows looks at catalogs of what "
		    "is installed was not tested");
	return true;
}

static bool mark_unserviceable(struct ib_store *s, struct ib_error **err)
{
	struct ib_hive *h;
	struct ib_key *key;

	ib_svc_note(s, "unserviceable", "component store", "components were cut out of packages that are still installed: "
		    "no update can be installed any more");
	return ib_store_hive(s, IB_HIVE_SOFTWARE, &h, err) && ib_key_make(h, ib_hive_root(h), PATH_CBS, &key, err) &&
	       ib_key_set_dword(h, key, "Unserviceable", 1, err);
}

static bool take_out(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
		     struct ib_removal_summary *sum, struct ib_error **err)
{
	if (!ib_svc_check_serviceable(s, err) || !ib_svc_removal_match(s, r, m, err))
		return false;
	if (r->technique == IB_REMOVE_EMPTY_WINNER)
		return carry_out_empty(s, r, m, sum, err);
	sum->unserviceable = m->cut;
	return ib_svc_check_needed(s, m->packages, err) && carry_out(s, m, sum, err) && (!m->cut || mark_unserviceable(s, err));
}

bool ib_store_remove(struct ib_store *s, const struct ib_removal *r, struct ib_removal_summary *ret,
		     struct ib_error **err)
{
	IB_CLEANUP(ib_svc_removal_match_clear) struct ib_removal_match m = { 0 };
	struct ib_removal_summary sum = { .lines = g_ptr_array_new_with_free_func(g_free) };

	if (!take_out(s, r, &m, &sum, err)) {
		ib_removal_summary_clear(&sum);
		return ib_while(err, "removing '%s'", r->name);
	}
	if (!sum.lines->len) {
		ib_removal_summary_clear(&sum);
		ib_throw(err, IB_ERR_INPUT, "nothing in the image matches '%s'", r->name);
		return ib_hint(err, "it may be removed already, or the image may be another edition");
	}
	g_ptr_array_sort(sum.lines, by_text);
	if (ret)
		*ret = sum;
	else
		ib_removal_summary_clear(&sum);
	return true;
}
