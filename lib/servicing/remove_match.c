/* What a removal means in this image: packages, deployments, components, and every thing to take away. */
#include "servicing/internal.h"

#include <stdio.h>
#include <string.h>

void ib_svc_removal_match_clear(struct ib_removal_match *m)
{
	g_clear_pointer(&m->packages, g_ptr_array_unref);
	g_clear_pointer(&m->deployments, g_ptr_array_unref);
	g_clear_pointer(&m->components, g_ptr_array_unref);
	g_clear_pointer(&m->component_set, g_hash_table_unref);
	g_clear_pointer(&m->effects, g_ptr_array_unref);
}

/* ---- packages ---- */

bool ib_svc_package_matches(const char *pattern, const char *package_id)
{
	g_autofree char *want = ib_name_fold(pattern);
	g_autofree char *full = ib_name_fold(package_id);
	const char *tilde = strchr(full, '~');
	g_autofree char *name = tilde ? g_strndup(full, (gsize)(tilde - full)) : g_strdup(full);

	return strchr(want, '~') ? g_pattern_match_simple(want, full) : g_pattern_match_simple(want, name);
}

/* Windows' own packages and updates are not components to remove. */
static bool refuse_protected(struct ib_store *s, const char *package_id, struct ib_error **err)
{
	static const char *const own[] = { "Microsoft-Windows-", "Microsoft-OneCore-", "Package_for_" };
	const struct ib_mum *mum;

	if (!ib_svc_mum(s, package_id, &mum, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
		if (!g_ascii_strncasecmp(package_id, own[i], strlen(own[i])))
			return ib_throw(err, IB_ERR_INPUT, "the package '%s' is a part of Windows and cannot be removed", package_id);
	if (mum && !g_strcmp0(mum->permanence, "permanent"))
		return ib_throw(err, IB_ERR_INPUT, "the package '%s' is permanent and cannot be removed", package_id);
	return true;
}

static bool match_packages(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			   struct ib_error **err)
{
	struct ib_hive *software;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *dir = ib_key_find(ib_hive_root(software), PATH_CBS "\\Packages");
	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		const char *id = ib_key_name(ib_key_child(dir, i));
		bool hit = false;
		for (char **p = r->packages; p && *p && !hit; p++)
			hit = ib_svc_package_matches(*p, id);
		if (!hit)
			continue;
		if (r->technique != IB_REMOVE_EMPTY_WINNER && !refuse_protected(s, id, err))
			return false;
		g_ptr_array_add(m->packages, g_strdup(id));
	}
	return true;
}

/* Whether a reference "<package id>.<update>" is of a package that goes. */
static bool ref_goes(const struct ib_removal_match *m, const char *ref)
{
	for (guint i = 0; i < m->packages->len; i++) {
		size_t len = strlen(m->packages->pdata[i]);
		if (!g_ascii_strncasecmp(ref, m->packages->pdata[i], len) && ref[len] == '.')
			return true;
	}
	return false;
}

/* ---- deployments and components ---- */

/* First reference of another package; NULL: only packages that go. *ret_any: there are references at all. */
static char *other_ref(const struct ib_removal_match *m, const struct ib_key *deployment, bool *ret_any)
{
	static const char *const prefixes[] = { "i!", "s!", "p!" };

	*ret_any = false;
	for (size_t k = 0; k < G_N_ELEMENTS(prefixes); k++) {
		g_autoptr(GPtrArray) refs = ib_svc_deployment_refs(deployment, prefixes[k]);
		for (guint i = 0; i < refs->len; i++) {
			*ret_any = true;
			if (!ref_goes(m, refs->pdata[i]))
				return g_strdup(refs->pdata[i]);
		}
	}
	return NULL;
}

static bool match_deployments(struct ib_store *s, struct ib_removal_match *m, struct ib_error **err)
{
	struct ib_hive *h;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	struct ib_key *dir = ib_key_find(ib_hive_root(h), PATH_DEPLOYMENTS);
	for (size_t i = 0; m->packages->len && dir && i < ib_key_count(dir); i++) {
		struct ib_key *key = ib_key_child(dir, i);
		bool any;
		g_autofree char *other = other_ref(m, key, &any);
		if (any && !other)
			g_ptr_array_add(m->deployments, g_strdup(ib_key_name(key)));
	}
	return true;
}

static bool deployment_goes(const struct ib_removal_match *m, const char *name)
{
	for (guint i = 0; i < m->deployments->len; i++)
		if (ib_name_equal(m->deployments->pdata[i], name))
			return true;
	return false;
}

static bool is_named(const struct ib_removal *r, const char *name)
{
	for (char **p = r->components; p && *p; p++)
		if (!g_ascii_strcasecmp(*p, name))
			return true;
	return false;
}

/*
 * Who else holds a component: the first package outside the removal, or NULL. Updates (Package_for_*) only bring
 * newer versions of what others own, so they do not count.
 */
static char *outside_owner(struct ib_hive *h, const struct ib_removal_match *m, const struct ib_component *c)
{
	struct ib_key *key = ib_svc_component_key(h, c->keyform);
	g_autoptr(GPtrArray) deployments = key ? ib_svc_component_deployments(key) : NULL;

	for (guint i = 0; deployments && i < deployments->len; i++) {
		struct ib_key *d = ib_svc_deployment_key(h, deployments->pdata[i]);
		bool any = false;
		g_autofree char *ref = d ? other_ref(m, d, &any) : NULL;
		if (ref && g_ascii_strncasecmp(ref, "Package_for_", 12))
			return g_steal_pointer(&ref);
	}
	return NULL;
}

static bool only_going(struct ib_hive *h, const struct ib_removal_match *m, const struct ib_component *c)
{
	struct ib_key *key = ib_svc_component_key(h, c->keyform);
	g_autoptr(GPtrArray) deployments = key ? ib_svc_component_deployments(key) : NULL;

	for (guint i = 0; deployments && i < deployments->len; i++)
		if (!deployment_goes(m, deployments->pdata[i]))
			return false;
	return deployments && deployments->len;
}

static void take(struct ib_store *s, struct ib_removal_match *m, struct ib_component *c, bool updated)
{
	g_ptr_array_add(m->components, c);
	g_hash_table_add(m->component_set, c);
	if (updated)
		ib_svc_note(s, "update-refers", c->keyform, "an installed update brought this version and still lists it");
}

static bool match_component(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			    struct ib_component *c, struct ib_error **err)
{
	struct ib_hive *h = s->hives[IB_HIVE_COMPONENTS];
	g_autofree char *owner = is_named(r, c->id.name) ? outside_owner(h, m, c) : NULL;

	if (owner && r->technique != IB_REMOVE_SURGERY) {
		ib_throw(err, IB_ERR_INPUT, "the component '%s' belongs to '%s', which is not being removed", c->keyform, owner);
		return ib_hint(err, "an empty winner takes it out of the live system and leaves it to its owner");
	}
	m->cut |= owner != NULL;
	if (only_going(h, m, c))
		take(s, m, c, false);
	else if (is_named(r, c->id.name))
		take(s, m, c, true);
	return true;
}

/* Versions that an update brought for a family that goes. */
static void match_updated(struct ib_store *s, struct ib_removal_match *m, const struct ib_family *f)
{
	struct ib_hive *h = s->hives[IB_HIVE_COMPONENTS];
	bool goes = false;

	for (guint i = 0; i < f->components->len; i++)
		goes |= g_hash_table_contains(m->component_set, f->components->pdata[i]);
	for (guint i = 0; goes && i < f->components->len; i++) {
		struct ib_component *c = f->components->pdata[i];
		g_autofree char *owner = outside_owner(h, m, c);
		if (!owner && !g_hash_table_contains(m->component_set, c))
			take(s, m, c, true);
	}
}

static bool match_components(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			     struct ib_error **err)
{
	struct ib_model *model;

	if (!ib_svc_model(s, &model, err))
		return false;
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++)
			if (!match_component(s, r, m, f->components->pdata[k], err))
				return false;
		match_updated(s, m, f);
	}
	return true;
}

/* ---- families that get an empty winner ---- */

static bool match_family(struct ib_removal_match *m, struct ib_family *f, struct ib_error **err)
{
	const struct ib_version none = { { 0 } };
	struct ib_component *winner = ib_svc_winner(f, &none);

	for (guint i = 0; i < f->components->len; i++) {
		const struct ib_component *c = f->components->pdata[i];
		if (!ib_svc_same_line(&c->id, &none)) {
			ib_throw(err, IB_ERR_INPUT, "the component '%s' exists side by side: an empty winner does not replace it",
				 c->keyform);
			return ib_hint(err, "programs ask for it by version; take it out of the removal's manifest");
		}
		g_hash_table_add(m->component_set, f->components->pdata[i]);
	}
	if (winner && !ib_svc_is_empty_winner(&winner->id) && !g_ptr_array_find(m->components, winner, NULL))
		g_ptr_array_add(m->components, winner);
	return true;
}

/* What the packages brought; their deployments count as the removal's own, and stay. */
static bool match_brought(struct ib_store *s, struct ib_removal_match *m, const char *package_id, struct ib_error **err)
{
	const struct ib_mum *mum;

	if (!ib_svc_mum(s, package_id, &mum, err))
		return false;
	for (guint i = 0; mum && i < mum->updates->len; i++) {
		const struct ib_update *u = mum->updates->pdata[i];
		for (guint k = 0; k < u->components->len; k++) {
			g_autoptr(GPtrArray) brought = NULL;
			if (!ib_svc_deployment_components(s, u->components->pdata[k], &brought, err))
				return false;
			if (brought->len)
				g_hash_table_add(m->component_set, brought->pdata[0]);
			for (guint n = 1; n < brought->len; n++)
				if (!match_family(m, ((struct ib_component *)brought->pdata[n])->family, err))
					return false;
		}
	}
	return true;
}

static bool match_families(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			   struct ib_error **err)
{
	struct ib_hive *h;
	struct ib_model *model;

	if (!ib_svc_model(s, &model, err) || !ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	for (guint i = 0; i < m->packages->len; i++)
		if (!match_brought(s, m, m->packages->pdata[i], err))
			return false;
	for (guint i = 0; i < model->families->len; i++) {
		struct ib_family *f = model->families->pdata[i];
		const struct ib_component *c = f->components->len ? f->components->pdata[0] : NULL;
		g_autofree char *name = c ? ib_keyform(&c->id, IB_KEYFORM_SHORT) : NULL;
		/* Deployments may be named too: they bring nothing by themselves. */
		if (c && is_named(r, c->id.name) && !ib_svc_deployment_key(h, name) && !match_family(m, f, err))
			return false;
	}
	return true;
}

/* ---- things ---- */

/* What lies in one control set is meant in all of them. */
static bool add_effect(struct ib_store *s, GPtrArray *out, struct ib_effect *e, struct ib_error **err)
{
	g_autofree char *own = g_strdup_printf("ControlSet%03u\\", s->control_set);
	g_autoptr(GPtrArray) sets = NULL;
	bool in_set = (e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE) && e->hive == IB_HIVE_SYSTEM &&
		      !g_ascii_strncasecmp(e->path, own, strlen(own));

	g_ptr_array_add(out, e);
	if (!in_set)
		return true;
	if (!ib_svc_control_sets(s, &sets, err))
		return false;
	for (guint i = 0; i < sets->len; i++) {
		g_autofree char *path = g_strdup_printf("%s\\%s", ib_key_name(sets->pdata[i]), e->path + strlen(own));
		if (ib_name_equal(path, e->path))
			continue;
		struct ib_effect *twin = ib_svc_effect_new(e->kind, e->hive, path, e->name);
		twin->whole = e->whole;
		twin->source = e->source;
		g_ptr_array_add(out, twin);
	}
	return true;
}

static bool effects_of_components(struct ib_store *s, struct ib_removal_match *m, struct ib_error **err)
{
	for (guint i = 0; i < m->components->len; i++) {
		g_autoptr(GPtrArray) effects = NULL;
		const struct ib_manifest *manifest;
		if (!ib_svc_manifest(s, m->components->pdata[i], &manifest, err) ||
		    (manifest && !ib_svc_effects(s, manifest, &effects, err)))
			return false;
		for (guint k = 0; effects && k < effects->len; k++) {
			struct ib_effect *e = effects->pdata[k];
			effects->pdata[k] = NULL;
			if (!add_effect(s, m->effects, e, err))
				return false;
		}
	}
	return true;
}

static bool add_named(struct ib_store *s, struct ib_removal_match *m, enum ib_effect_kind kind, enum ib_hive_id hive,
		      const char *path, const char *name, struct ib_error **err)
{
	struct ib_effect *e = ib_svc_effect_new(kind, hive, path, name);

	e->whole = true;
	return add_effect(s, m->effects, e, err);
}

/* A key, or with '!' a value: "HIVE\key!value". */
static bool add_registry(struct ib_store *s, struct ib_removal_match *m, const char *text, bool value,
			 struct ib_error **err)
{
	IB_CLEANUP(ib_svc_reg_place_clear) struct ib_reg_place place = { 0 };
	const char *bang = value ? strrchr(text, '!') : NULL;
	g_autofree char *path = bang ? g_strndup(text, (gsize)(bang - text)) : g_strdup(text);
	struct ib_reg_scope scope;

	if (value && !bang)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no registry value, the form is HIVE\\key!value", text);
	if (!ib_svc_reg_scope(s, NULL, &scope, err) || !ib_svc_reg_path(&scope, path, &place, err))
		return false;
	if (!place.path || !*place.path)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no place in a hive of the image", text);
	if (!value && (ib_svc_standing_key(place.hive, place.path) ||
		       (place.hive == IB_HIVE_SYSTEM && !strchr(place.path, '\\'))))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a key that Windows itself needs", text);
	return add_named(s, m, value ? EFFECT_VALUE : EFFECT_KEY, place.hive, place.path, bang ? bang + 1 : NULL, err);
}

/* A path; '*' in its last part matches names of the folder. */
static bool add_file(struct ib_store *s, struct ib_removal_match *m, const char *text, struct ib_error **err)
{
	struct ib_macro_scope macros = ib_svc_scope(s, NULL);
	g_autofree char *path = NULL;

	if (!ib_svc_path(&macros, text, &path, err))
		return false;
	char *slash = strrchr(path, '\\');
	if (!slash)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is too near to the root of the image to be removed", text);
	if (!strpbrk(slash, "*?"))
		return add_named(s, m, EFFECT_FILE, 0, path, NULL, err);
	g_autofree char *folder = g_strndup(path, (gsize)(slash - path));
	g_autofree char *pattern = ib_name_fold(slash + 1);
	struct ib_node *dir = ib_image_find(s->image, folder);
	for (struct ib_node *n = dir ? ib_node_first(dir) : NULL; n; n = ib_node_next(n)) {
		g_autofree char *name = ib_name_fold(ib_node_name(n));
		g_autofree char *full = g_strdup_printf("%s\\%s", folder, ib_node_name(n));
		if (g_pattern_match_simple(pattern, name) && !add_named(s, m, EFFECT_FILE, 0, full, NULL, err))
			return false;
	}
	return true;
}

static bool add_svchost(struct ib_store *s, struct ib_removal_match *m, const char *text, struct ib_error **err)
{
	const char *colon = strchr(text, ':');
	g_autofree char *group = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;

	if (!colon)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no svchost entry, the form is group:service", text);
	return add_named(s, m, EFFECT_SVCHOST, 0, group, colon + 1, err);
}

static bool add_firewall(struct ib_store *s, struct ib_removal_match *m, const char *pattern, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	if (!ib_svc_firewall_names(s, pattern, names, err))
		return false;
	for (guint i = 0; i < names->len; i++)
		if (!add_named(s, m, EFFECT_FIREWALL, 0, NULL, names->pdata[i], err))
			return false;
	return true;
}

static bool effects_named(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			  struct ib_error **err)
{
	bool ok = true;

	for (char **p = r->files; ok && p && *p; p++)
		ok = add_file(s, m, *p, err);
	for (char **p = r->services; ok && p && *p; p++)
		ok = add_named(s, m, EFFECT_SERVICE, 0, NULL, *p, err);
	for (char **p = r->svchost; ok && p && *p; p++)
		ok = add_svchost(s, m, *p, err);
	for (char **p = r->tasks; ok && p && *p; p++)
		ok = add_named(s, m, EFFECT_TASK, 0, *p + strspn(*p, "\\"), NULL, err);
	for (char **p = r->values; ok && p && *p; p++)
		ok = add_registry(s, m, *p, true, err);
	for (char **p = r->keys; ok && p && *p; p++)
		ok = add_registry(s, m, *p, false, err);
	for (char **p = r->firewall; ok && p && *p; p++)
		ok = add_firewall(s, m, *p, err);
	for (char **p = r->event_sources; ok && p && *p; p++) {
		g_autofree char *key = g_strconcat("SYSTEM\\CurrentControlSet\\Services\\EventLog\\", *p, NULL);
		ok = add_registry(s, m, key, false, err);
	}
	return ok;
}

bool ib_svc_removal_match_packages(struct ib_store *s, struct ib_removal_match *m, struct ib_error **err)
{
	const struct ib_removal nothing = { .name = "" };
	struct ib_model *model;

	m->deployments = g_ptr_array_new_with_free_func(g_free);
	m->components = g_ptr_array_new();
	m->component_set = g_hash_table_new(NULL, NULL);
	m->effects = g_ptr_array_new_with_free_func(ib_svc_effect_free);
	if (!match_deployments(s, m, err) || !ib_svc_model(s, &model, err))
		return false;
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++)
			if (!match_component(s, &nothing, m, f->components->pdata[k], err))
				return false;
	}
	return true;
}

bool ib_svc_removal_match(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			  struct ib_error **err)
{
	m->packages = g_ptr_array_new_with_free_func(g_free);
	m->deployments = g_ptr_array_new_with_free_func(g_free);
	m->components = g_ptr_array_new();
	m->component_set = g_hash_table_new(NULL, NULL);
	m->effects = g_ptr_array_new_with_free_func(ib_svc_effect_free);
	if (!match_packages(s, r, m, err))
		return false;
	if (r->technique == IB_REMOVE_EMPTY_WINNER)
		return match_families(s, r, m, err) && effects_of_components(s, m, err) && effects_named(s, r, m, err);
	return match_deployments(s, m, err) && match_components(s, r, m, err) && effects_of_components(s, m, err) &&
	       effects_named(s, r, m, err);
}
