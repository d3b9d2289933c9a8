/* Optional features: an update with a switch, the updates that follow it, and what they bring. */
#include "servicing/internal.h"

#include <string.h>

/* Features follow features; real chains are three long. */
#define MAX_DEPTH 16

/* What is being switched. */
struct toggle {
	struct ib_store *s;
	const GPtrArray *packages; /* a list of its own: the store's changes while we work */
	GPtrArray *components;     /* struct ib_component *: touched */
	GHashTable *done;          /* "package.update" */
	GHashTable *features;      /* folded names of features being switched, or switched */
	bool changed;
};

static bool switch_package(struct toggle *t, const char *package_id, bool on, unsigned depth, struct ib_error **err);
static bool switch_feature(struct toggle *t, const char *feature, bool on, unsigned depth, struct ib_error **err);

static uint32_t update_state(struct toggle *t, const char *package_id, const char *update)
{
	ib_auto_error ignored = NULL;
	struct ib_key *key;
	uint64_t n;

	if (!ib_svc_package_key(t->s, package_id, false, &key, &ignored) || !key)
		return STATE_ABSENT;
	struct ib_key *updates = ib_key_find(key, "Updates");
	const struct ib_value *v = updates ? ib_key_value(updates, update) : NULL;
	return v && ib_value_number(v, &n) ? (uint32_t)n : STATE_ABSENT;
}

static bool switch_deployment(struct toggle *t, const struct ib_mum *mum, const struct ib_update *u,
			      const struct ib_identity *id, bool on, struct ib_error **err)
{
	g_autofree char *name = ib_keyform(id, IB_KEYFORM_SHORT);
	g_autofree char *ref = g_strconcat(mum->package_id, ".", u->name, NULL);
	g_autoptr(GPtrArray) components = NULL;
	struct ib_hive *h;

	if (!ib_store_hive(t->s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	struct ib_key *key = ib_svc_deployment_key(h, name);
	if (!key && !on)
		return true;
	if (!key) {
		ib_throw(err, IB_ERR_INPUT, "the image does not hold '%s', which '%s' needs", name, u->name);
		return ib_hint(err, "its payload was removed (DISM calls this 0x800f081f)");
	}
	if (on && !ib_svc_ref_set(h, key, "i!", mum->package_id, u->name, err))
		return false;
	if (!on)
		ib_svc_ref_drop(h, key, "i!", ref);
	if (!ib_svc_deployment_components(t->s, id, &components, err))
		return false;
	for (guint i = 0; i < components->len; i++)
		if (!g_ptr_array_find(t->components, components->pdata[i], NULL))
			g_ptr_array_add(t->components, components->pdata[i]);
	return true;
}

/* UpdateDetect holds the state of those who follow. */
static bool record_detect(struct toggle *t, const struct ib_mum *mum, const struct ib_update *u, uint32_t state,
			  struct ib_error **err)
{
	struct ib_hive *h = t->s->hives[IB_HIVE_SOFTWARE];
	struct ib_key *key;

	if (u->detect_update) {
		g_autofree char *path = g_strconcat(PATH_CBS "\\UpdateDetect\\", u->detect_update, NULL);
		key = ib_key_find(ib_hive_root(h), path);
		if (key && ib_key_value(key, mum->package_id) &&
		    !ib_key_set_dword(h, key, mum->package_id, state, err))
			return false;
	}
	if (!u->selectable)
		return true;
	g_autofree char *path = g_strconcat(PATH_CBS "\\Notifications\\OptionalFeatures\\", u->name, NULL);
	return ib_key_make(h, ib_hive_root(h), path, &key, err) &&
	       ib_key_set_dword(h, key, "Selection", state == STATE_INSTALLED, err);
}

static bool switch_update(struct toggle *t, const struct ib_mum *mum, const struct ib_update *u, bool on, unsigned depth,
			  struct ib_error **err)
{
	uint32_t state = on ? STATE_INSTALLED : STATE_STAGED;
	uint32_t before = update_state(t, mum->package_id, u->name);

	if (!g_hash_table_add(t->done, g_strdup_printf("%s.%s", mum->package_id, u->name)))
		return true;
	t->changed |= (before >= STATE_INSTALL_PENDING) != on;
	if (!ib_svc_update_state(t->s, mum->package_id, u->name, state, err) || !record_detect(t, mum, u, state, err))
		return false;
	for (guint i = 0; i < u->components->len; i++)
		if (!switch_deployment(t, mum, u, u->components->pdata[i], on, err))
			return false;
	for (guint i = 0; i < u->packages->len; i++) {
		g_autofree char *child = ib_package_id(u->packages->pdata[i]);
		if (!switch_package(t, child, on, depth + 1, err))
			return false;
	}
	return true;
}

/* A child package whose parent's feature is switched: it, and its updates that have no switch of their own. */
static bool switch_package(struct toggle *t, const char *package_id, bool on, unsigned depth, struct ib_error **err)
{
	const struct ib_mum *mum;
	struct ib_key *key;

	if (depth > MAX_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "features hold packages more than %u deep at '%s'", MAX_DEPTH, package_id);
	if (!ib_svc_package_key(t->s, package_id, false, &key, err) || !ib_svc_mum(t->s, package_id, &mum, err))
		return false;
	if (!key || !mum)
		return true;
	if (!ib_key_set_dword(t->s->hives[IB_HIVE_SOFTWARE], key, "CurrentState", on ? STATE_INSTALLED : STATE_STAGED, err))
		return false;
	for (guint i = 0; i < mum->updates->len; i++) {
		const struct ib_update *u = mum->updates->pdata[i];
		bool want = on && (!u->selectable || u->default_on);
		if (!switch_update(t, mum, u, want, depth, err))
			return false;
	}
	return true;
}

/* Whether an update is installed only with a feature. */
static bool follows(const struct ib_update *u, const char *feature)
{
	return u->detect_update && ib_name_equal(u->detect_update, feature);
}

/* The parent feature must be on before its child. */
static bool enable_parent(struct toggle *t, const struct ib_update *u, const char *feature, unsigned depth,
			  struct ib_error **err)
{
	g_autofree char *parent = u->detect_update ? ib_name_fold(u->detect_update) : NULL;

	if (!parent || g_hash_table_contains(t->features, parent))
		return true;
	for (guint i = 0; i < t->packages->len; i++) {
		const struct ib_installed *p = t->packages->pdata[i];
		for (guint k = 0; k < p->features->len; k++) {
			const struct ib_feature_state *f = p->features->pdata[k];
			if (ib_name_equal(f->name, u->detect_update) && f->state < STATE_INSTALL_PENDING) {
				ib_svc_note(t->s, "feature-parent", feature, "its parent feature '%s' was turned on too",
					    u->detect_update);
				return switch_feature(t, u->detect_update, true, depth + 1, err);
			}
		}
	}
	return true;
}

static bool switch_feature(struct toggle *t, const char *feature, bool on, unsigned depth, struct ib_error **err)
{
	if (depth > MAX_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "features follow each other more than %u deep at '%s'", MAX_DEPTH, feature);
	if (!g_hash_table_add(t->features, ib_name_fold(feature)))
		return true;
	/* Superseded packages too: their components must not become winners again. */
	for (guint i = 0; i < t->packages->len; i++) {
		const struct ib_installed *p = t->packages->pdata[i];
		const struct ib_mum *mum;
		if (!ib_svc_mum(t->s, p->package_id, &mum, err))
			return false;
		for (guint k = 0; mum && p->state >= STATE_STAGED && k < mum->updates->len; k++) {
			const struct ib_update *u = mum->updates->pdata[k];
			bool own = ib_name_equal(u->name, feature);
			bool want = on && (own || !u->selectable || u->default_on);
			if (own && on && !enable_parent(t, u, feature, depth, err))
				return false;
			if ((own || follows(u, feature)) && !switch_update(t, mum, u, want, depth, err))
				return false;
			/* Who follows a follower: features of their own. */
			if (!own && follows(u, feature) && u->selectable && !switch_feature(t, u->name, want, depth + 1, err))
				return false;
		}
	}
	return true;
}

/* Number of characters both names begin with, without case. */
static size_t common(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && g_ascii_tolower(a[n]) == g_ascii_tolower(b[n]))
		n++;
	return n;
}

static bool throw_unknown(const GPtrArray *packages, const char *feature, struct ib_error **err)
{
	g_autoptr(GString) near = g_string_new(NULL);

	for (guint i = 0; i < packages->len; i++) {
		const struct ib_installed *p = packages->pdata[i];
		for (guint k = 0; k < p->features->len; k++) {
			const char *name = ((const struct ib_feature_state *)p->features->pdata[k])->name;
			g_autofree char *quoted = g_strdup_printf("'%s'", name);
			if (common(name, feature) >= 3 && near->len < 200 && !strstr(near->str, quoted))
				g_string_append_printf(near, "%s%s", near->len ? ", " : "", quoted);
		}
	}
	ib_throw(err, IB_ERR_INPUT, "the image has no optional feature '%s'", feature);
	if (ib_name_equal(feature, "NetFx3"))
		return ib_hint(err, "'microsoft-windows-netfx3-ondemand-package...cab' brings it: give sources\\sxs of the "
				    "medium as a source of features");
	return near->len ? ib_hint(err, "did you mean %s", near->str) : ib_hint(err, "list the features with inspect");
}

static bool is_feature(const GPtrArray *packages, const char *feature)
{
	for (guint i = 0; i < packages->len; i++) {
		const struct ib_installed *p = packages->pdata[i];
		for (guint k = 0; k < p->features->len; k++)
			if (ib_name_equal(((const struct ib_feature_state *)p->features->pdata[k])->name, feature))
				return true;
	}
	return false;
}

/* Parents of parents: a circle of them would never be complete. chain: those below, the first asked for first. */
static bool check_chain(struct toggle *t, const char *feature, GPtrArray *chain, struct ib_error **err)
{
	for (guint i = 0; i < chain->len; i++)
		if (ib_name_equal(chain->pdata[i], feature)) {
			g_ptr_array_add(chain, (gpointer)feature);
			g_ptr_array_add(chain, NULL);
			g_autofree char *names = g_strjoinv("' needs '", (char **)chain->pdata);
			return ib_throw(err, IB_ERR_INPUT, "features need each other in a circle: '%s'", names);
		}
	if (chain->len >= MAX_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "features need each other more than %u deep at '%s'", MAX_DEPTH, feature);
	g_ptr_array_add(chain, (gpointer)feature);
	for (guint i = 0; i < t->packages->len; i++) {
		const struct ib_installed *p = t->packages->pdata[i];
		const struct ib_mum *mum;
		if (!ib_svc_mum(t->s, p->package_id, &mum, err))
			return false;
		for (guint k = 0; mum && k < mum->updates->len; k++) {
			const struct ib_update *u = mum->updates->pdata[k];
			if (u->selectable && u->detect_update && ib_name_equal(u->name, feature) &&
			    !check_chain(t, u->detect_update, chain, err))
				return false;
		}
	}
	g_ptr_array_set_size(chain, (gint)chain->len - 1);
	return true;
}

static bool carry_out(struct toggle *t, const char *feature, bool on, struct ib_error **err)
{
	g_autoptr(GArray) winners = NULL;
	g_autoptr(GPtrArray) chain = g_ptr_array_new();
	struct ib_install_summary sum = { 0 };

	return check_chain(t, feature, chain, err) && switch_feature(t, feature, on, 0, err) &&
	       ib_svc_reconcile(t->s, t->components, NULL, &winners, err) && ib_svc_check_payload(t->s, winners, err) &&
	       ib_svc_project(t->s, winners, &sum, err) && ib_svc_drop_caches(t->s, err);
}

bool ib_store_set_feature(struct ib_store *s, const char *feature, bool on, bool *ret_changed, struct ib_error **err)
{
	g_autoptr(GPtrArray) components = g_ptr_array_new();
	g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) features = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct toggle t = { .s = s, .components = components, .done = done, .features = features };
	const GPtrArray *packages;

	if (!ib_svc_check_serviceable(s, err) || !ib_store_packages(s, &packages, err))
		return false;
	if (!is_feature(packages, feature))
		return throw_unknown(packages, feature, err);
	/* The store forgets its list as soon as a state changes: hold it. */
	g_autoptr(GPtrArray) held = g_ptr_array_ref((GPtrArray *)packages);
	t.packages = held;
	if (!carry_out(&t, feature, on, err))
		return ib_while(err, "turning the feature '%s' %s", feature, on ? "on" : "off");
	*ret_changed = t.changed;
	return true;
}
