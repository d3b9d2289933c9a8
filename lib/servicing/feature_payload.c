/* The payload of features: whether it is there, taking it out of the store, putting it back from a package. */
#include "servicing/internal.h"

#include <string.h>

/* ---- is it there ---- */

static char *payload_path(const char *keyform, const char *file)
{
	return g_strdup_printf(DIR_WINSXS "\\%s\\%s", keyform, file);
}

/* The first file of a manifest that the store lacks; NULL: none. Borrowed. */
static const char *first_missing(struct ib_store *s, const struct ib_manifest *m)
{
	for (guint i = 0; i < m->files->len; i++) {
		const struct ib_file *f = m->files->pdata[i];
		g_autofree char *path = payload_path(m->keyform, f->name);
		if (!ib_image_find(s->image, path))
			return f->name;
	}
	return NULL;
}

/* A package whose update refers to the component's deployment: who brings it. g_free; NULL when nobody does. */
static char *brought_by(struct ib_store *s, const struct ib_manifest *m)
{
	ib_auto_error ignored = NULL;
	struct ib_hive *h;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &h, &ignored))
		return NULL;
	struct ib_key *key = ib_svc_component_key(h, m->keyform);
	g_autoptr(GPtrArray) deployments = key ? ib_svc_component_deployments(key) : NULL;
	for (guint i = 0; deployments && i < deployments->len; i++) {
		struct ib_key *d = ib_svc_deployment_key(h, deployments->pdata[i]);
		g_autoptr(GPtrArray) refs = d ? ib_svc_deployment_refs(d, "p!") : NULL;
		const char *ref = refs && refs->len ? refs->pdata[0] : NULL, *end = ref ? strrchr(ref, '~') : NULL;
		for (unsigned dots = 0; end && *end && dots < 4; dots++)
			end = strchr(end + 1, '.');
		if (end)
			return g_strndup(ref, (gsize)(end - ref));
	}
	return NULL;
}

bool ib_svc_check_payload(struct ib_store *s, const GArray *winners, struct ib_error **err)
{
	for (guint i = 0; i < winners->len; i++) {
		const struct ib_plan_winner *w = &g_array_index(winners, struct ib_plan_winner, i);
		const char *missing = w->now ? first_missing(s, w->now) : NULL;
		if (!missing)
			continue;
		g_autofree char *package = brought_by(s, w->now);
		ib_throw(err, IB_ERR_INPUT, "the store lacks the file '%s' of '%s' (DISM calls this 0x800f081f)", missing,
			 w->now->keyform);
		return ib_hint(err, "its payload was removed; '%s' brings it: give that package as a source (those of .NET 3.5 "
				    "lie in sources\\sxs of the medium)", package ? package : "its package");
	}
	return true;
}

/* ---- a feature's components ---- */

/* Deployments (folded short forms) and components of a feature and of what follows it. */
struct parts {
	GHashTable *deployments;
	GPtrArray *components;
};

static bool collect_update(struct ib_store *s, const struct ib_update *u, struct parts *p, struct ib_error **err)
{
	for (guint i = 0; i < u->components->len; i++) {
		g_autofree char *name = ib_keyform(u->components->pdata[i], IB_KEYFORM_SHORT);
		g_autoptr(GPtrArray) brought = NULL;
		g_hash_table_add(p->deployments, ib_name_fold(name));
		if (!ib_svc_deployment_components(s, u->components->pdata[i], &brought, err))
			return false;
		for (guint k = 1; k < brought->len; k++)
			if (!g_ptr_array_find(p->components, brought->pdata[k], NULL))
				g_ptr_array_add(p->components, brought->pdata[k]);
	}
	return true;
}

static bool collect(struct ib_store *s, const char *feature, struct parts *p, struct ib_error **err)
{
	const GPtrArray *packages;

	if (!ib_store_packages(s, &packages, err))
		return false;
	for (guint i = 0; i < packages->len; i++) {
		const struct ib_mum *mum;
		if (!ib_svc_mum(s, ((const struct ib_installed *)packages->pdata[i])->package_id, &mum, err))
			return false;
		for (guint k = 0; mum && k < mum->updates->len; k++) {
			const struct ib_update *u = mum->updates->pdata[k];
			bool follows = u->detect_update && !u->selectable && ib_name_equal(u->detect_update, feature);
			if ((follows || ib_name_equal(u->name, feature)) && !collect_update(s, u, p, err))
				return false;
		}
	}
	return true;
}

static bool is_top(const struct ib_component *c)
{
	for (guint i = c->family->components->len; i-- > 0;) {
		const struct ib_component *other = c->family->components->pdata[i];
		if (ib_svc_same_line(&other->id, &c->id.number) && !ib_svc_is_empty_winner(&other->id))
			return other == c;
	}
	return false;
}

bool ib_svc_feature_lacks_payload(struct ib_store *s, const char *feature, bool *ret, struct ib_error **err)
{
	g_autoptr(GHashTable) deployments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) components = g_ptr_array_new();
	struct parts p = { deployments, components };

	*ret = false;
	if (!collect(s, feature, &p, err))
		return false;
	for (guint i = 0; i < components->len && !*ret; i++) {
		struct ib_component *c = components->pdata[i];
		const struct ib_manifest *m;
		if (!is_top(c))
			continue;
		if (!ib_svc_manifest(s, c, &m, err))
			return false;
		*ret = m && first_missing(s, m);
	}
	return true;
}

/* ---- taking it out ---- */

/* No other feature or package refers to the component. */
static bool is_only_of(struct ib_hive *h, const struct ib_component *c, GHashTable *deployments)
{
	struct ib_key *key = ib_svc_component_key(h, c->keyform);
	g_autoptr(GPtrArray) list = key ? ib_svc_component_deployments(key) : NULL;

	for (guint i = 0; list && i < list->len; i++) {
		g_autofree char *folded = ib_name_fold(list->pdata[i]);
		if (!g_hash_table_contains(deployments, folded))
			return false;
	}
	return list && list->len;
}

static bool drop_payload(struct ib_store *s, struct ib_hive *h, const struct ib_component *c, bool *ret_dropped,
			 struct ib_error **err)
{
	g_autofree char *folder = g_strdup_printf(DIR_WINSXS "\\%s", c->keyform);
	struct ib_key *key = ib_svc_component_key(h, c->keyform);

	for (size_t i = key ? ib_key_value_count(key) : 0; i-- > 0;) {
		g_autofree char *name = g_strdup(ib_value_name(ib_key_value_at(key, i)));
		if (!g_ascii_strncasecmp(name, "f!", 2))
			ib_key_unset(h, key, name);
	}
	return ib_svc_remove_path(s, folder, ret_dropped, err) &&
	       (!*ret_dropped || !key || ib_key_set_dword(h, key, "CF", CF_MANIFESTS_PRESENT, err));
}

static bool mark_removed(struct ib_store *s, const char *feature, bool removed, struct ib_error **err)
{
	struct ib_hive *h;
	g_autofree char *path = g_strconcat(PATH_CBS "\\Notifications\\OptionalFeatures\\", feature, NULL);

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &h, err))
		return false;
	struct ib_key *key = ib_key_find(ib_hive_root(h), path);
	if (!removed) {
		if (key)
			ib_key_unset(h, key, "Removed");
		return true;
	}
	return ib_key_make(h, ib_hive_root(h), path, &key, err) && ib_key_set_dword(h, key, "Removed", 1, err);
}

bool ib_store_remove_payload(struct ib_store *s, const char *feature, unsigned *ret_components, struct ib_error **err)
{
	g_autoptr(GHashTable) deployments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) components = g_ptr_array_new();
	struct parts p = { deployments, components };
	struct ib_hive *h;
	bool changed, dropped;

	*ret_components = 0;
	if (!ib_store_set_feature(s, feature, false, &changed, err) || !collect(s, feature, &p, err) ||
	    !ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	for (guint i = 0; i < components->len; i++) {
		struct ib_component *c = components->pdata[i];
		if (c->installed || !is_only_of(h, c, deployments))
			continue;
		if (!drop_payload(s, h, c, &dropped, err))
			return ib_while(err, "removing the payload of '%s'", c->keyform);
		*ret_components += dropped;
	}
	return mark_removed(s, feature, true, err);
}

/* ---- putting it back ---- */

struct restoring {
	struct ib_store *s;
	unsigned files;
};

static bool restore_file(const struct ib_payload *p, void *data, struct ib_error **err)
{
	struct restoring *r = data;
	g_autofree char *path = payload_path(p->manifest->keyform, p->file->name);
	struct ib_model *model;

	if (p->kind != IB_PAYLOAD_FILE || !p->stream || ib_image_find(r->s->image, path))
		return true;
	if (!ib_svc_model(r->s, &model, err))
		return false;
	if (!ib_svc_component(model, p->manifest->keyform))
		return true; /* of a component the image does not know */
	r->files++;
	return ib_svc_put_payload(r->s, p, path, err);
}

bool ib_store_add_payload(struct ib_store *s, struct ib_package *p, unsigned *ret_files, struct ib_progress *progress,
			  struct ib_error **err)
{
	struct restoring r = { .s = s };
	const GPtrArray *manifests = ib_package_manifests(p);
	struct ib_model *model;
	struct ib_hive *h;

	if (!ib_svc_check_serviceable(s, err) || !ib_package_each_payload(p, NULL, restore_file, &r, progress, err) ||
	    !ib_svc_model(s, &model, err) || !ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return ib_while(err, "taking payload from '%s'", ib_package_path(p));
	for (guint i = 0; r.files && i < manifests->len; i++) {
		const struct ib_manifest *m = manifests->pdata[i];
		if (m->files->len && ib_svc_component(model, m->keyform) && !first_missing(s, m) &&
		    !ib_svc_component_make(h, m, true, NULL, err))
			return false;
	}
	const GPtrArray *mums = ib_package_mums(p);
	for (guint i = 0; r.files && i < mums->len; i++) {
		const struct ib_mum *mum = mums->pdata[i];
		for (guint k = 0; k < mum->updates->len; k++) {
			const struct ib_update *u = mum->updates->pdata[k];
			if (u->selectable && !mark_removed(s, u->name, false, err))
				return false;
		}
	}
	*ret_files = r.files;
	return true;
}
