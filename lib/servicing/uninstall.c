/*
 * Uninstalling a package as Windows does: what only it refers to leaves the store, older versions win again, parts of
 * other updates that were made for it are staged until it comes back.
 */
#include "servicing/internal.h"

#include <string.h>

#define VISIBILITY_HIDDEN 2

/* What uninstalling works with. */
struct uninstall {
	struct ib_store *s;
	const GPtrArray *installed; /* struct ib_installed *, held */
	GHashTable *going;          /* folded package ids */
	GPtrArray *staged;          /* char *: packages of updates that lose their parent */
	GPtrArray *touched;         /* struct ib_component * */
	GHashTable *seen;           /* the same as a set */
	struct ib_removal_match match;
};

static bool goes(const struct uninstall *u, const char *package_id)
{
	g_autofree char *folded = ib_name_fold(package_id);

	return g_hash_table_contains(u->going, folded);
}

static void take(struct uninstall *u, const char *package_id)
{
	if (!goes(u, package_id)) {
		g_hash_table_add(u->going, ib_name_fold(package_id));
		g_ptr_array_add(u->match.packages, g_strdup(package_id));
	}
}

static uint64_t number(const struct ib_key *key, const char *name)
{
	const struct ib_value *v = key ? ib_key_value(key, name) : NULL;
	uint64_t n = 0;

	return v && ib_value_number(v, &n) ? n : 0;
}

/* The first owner of a package that is neither itself nor going; NULL when there is none. Borrowed. */
static const char *other_owner(const struct uninstall *u, struct ib_key *package)
{
	struct ib_key *owners = package ? ib_key_find(package, "Owners") : NULL;

	for (size_t i = 0; owners && i < ib_key_value_count(owners); i++) {
		const char *name = ib_value_name(ib_key_value_at(owners, i));
		if (!ib_name_equal(name, ib_key_name(package)) && !goes(u, name))
			return name;
	}
	return NULL;
}

/* ---- which packages ---- */

static bool throw_unknown(const struct uninstall *u, const char *pattern, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	size_t len = strcspn(pattern, "~");
	g_autofree char *wanted = g_strndup(pattern, len);

	for (guint i = 0; i < u->installed->len; i++) {
		const char *id = ((const struct ib_installed *)u->installed->pdata[i])->package_id;
		g_ptr_array_add(names, g_strndup(id, strcspn(id, "~")));
	}
	g_ptr_array_add(names, NULL);
	const char *near = ib_nearest(wanted, (const char *const *)names->pdata);
	ib_throw(err, IB_ERR_INPUT, "the image has no package '%s'", pattern);
	return near ? ib_hint(err, "did you mean '%s'?", near) : ib_hint(err, "inspect lists the packages of an image");
}

/* A bare name means the version that is in use; a pattern with '~' all that match. */
static bool choose(struct uninstall *u, const char *pattern, struct ib_error **err)
{
	bool all = strchr(pattern, '~') != NULL;

	for (guint i = 0; i < u->installed->len; i++) {
		const struct ib_installed *p = u->installed->pdata[i];
		if (p->state >= STATE_STAGED && (all || p->state != STATE_SUPERSEDED) &&
		    ib_svc_package_matches(pattern, p->package_id))
			take(u, p->package_id);
	}
	return u->match.packages->len > 0 || throw_unknown(u, pattern, err);
}

static bool refuse_fixed(struct uninstall *u, const char *id, struct ib_error **err)
{
	const struct ib_mum *mum;
	struct ib_key *key;

	if (!ib_svc_package_key(u->s, id, false, &key, err) || !ib_svc_mum(u->s, id, &mum, err))
		return false;
	if (mum && !g_strcmp0(mum->permanence, "permanent"))
		return ib_throw(err, IB_ERR_INPUT, "the package '%s' is permanent", id);
	if (number(key, "CurrentState") == STATE_PERMANENT)
		return ib_throw(err, IB_ERR_INPUT, "the package '%s' was made permanent", id);
	const char *owner = other_owner(u, key);
	if (owner) {
		ib_throw(err, IB_ERR_INPUT, "the package '%s' is a part of '%s'", id, owner);
		return ib_hint(err, "uninstall that one");
	}
	if (number(key, "Visibility") == VISIBILITY_HIDDEN)
		return ib_throw(err, IB_ERR_INPUT, "the package '%s' is hidden: it goes with what brought it", id);
	return true;
}

/* Packages whose owners all go, until there are no more. */
static bool take_parts(struct uninstall *u, struct ib_error **err)
{
	guint before;

	do {
		before = u->match.packages->len;
		for (guint i = 0; i < u->installed->len; i++) {
			const char *id = ((const struct ib_installed *)u->installed->pdata[i])->package_id;
			struct ib_key *key;
			if (!ib_svc_package_key(u->s, id, false, &key, err))
				return false;
			struct ib_key *owners = key ? ib_key_find(key, "Owners") : NULL;
			bool self = owners && ib_key_value(owners, id);
			if (!goes(u, id) && owners && ib_key_value_count(owners) && !self && !other_owner(u, key))
				take(u, id);
		}
	} while (u->match.packages->len != before);
	return true;
}

/* ---- who needs them ---- */

/* The package that goes whose name a parent has: all others are not worth a look. NULL: none. Borrowed. */
static const char *named_parent(const struct uninstall *u, const struct ib_mum *mum)
{
	for (guint i = 0; i < mum->parents->len; i++) {
		const struct ib_parent *p = mum->parents->pdata[i];
		for (guint k = 0; k < p->identities->len; k++)
			for (guint n = 0; n < u->match.packages->len; n++) {
				const char *name = ((const struct ib_identity *)p->identities->pdata[k])->name, *id;
				id = u->match.packages->pdata[n];
				if (!g_ascii_strncasecmp(id, name, strlen(name)) && id[strlen(name)] == '~')
					return id;
			}
	}
	return NULL;
}

static GPtrArray *staying(const struct uninstall *u)
{
	GPtrArray *out = g_ptr_array_new();

	for (guint i = 0; i < u->installed->len; i++)
		if (!goes(u, ((const struct ib_installed *)u->installed->pdata[i])->package_id))
			g_ptr_array_add(out, u->installed->pdata[i]);
	return out;
}

/* Who has no parent without the packages that go: a part of an update waits for it, anything else needs it. */
static bool check_needed(struct uninstall *u, struct ib_error **err)
{
	g_autoptr(GPtrArray) rest = staying(u);

	for (guint i = 0; i < rest->len; i++) {
		const struct ib_installed *p = rest->pdata[i];
		const struct ib_mum *mum;
		struct ib_key *key;
		if (!ib_svc_mum(u->s, p->package_id, &mum, err) || !ib_svc_package_key(u->s, p->package_id, false, &key, err))
			return false;
		const char *needed = mum && p->state >= STATE_STAGED ? named_parent(u, mum) : NULL;
		if (!needed || ib_svc_parents_met(rest, NULL, mum))
			continue;
		if (!other_owner(u, key)) {
			ib_throw(err, IB_ERR_INPUT, "the package '%s' needs '%s'", p->package_id, needed);
			return ib_hint(err, "uninstall '%s' first", p->package_id);
		}
		g_ptr_array_add(u->staged, g_strdup(p->package_id));
	}
	return true;
}

bool ib_svc_check_needed(struct ib_store *s, const GPtrArray *packages, struct ib_error **err)
{
	g_autoptr(GHashTable) going = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) staged = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct uninstall u = { .s = s, .going = going, .staged = staged };
	const GPtrArray *installed;
	bool ok = ib_store_packages(s, &installed, err);

	u.match.packages = names;
	u.installed = installed;
	for (guint i = 0; ok && i < packages->len; i++)
		take(&u, packages->pdata[i]);
	return ok && check_needed(&u, err);
}

/* ---- what was replaced must still be there ---- */

/* Components of deployments that stay installed, as far as the store lacks them: family -> key form. */
static bool missing_components(struct uninstall *u, GHashTable *missing, struct ib_error **err)
{
	struct ib_hive *h;
	struct ib_model *model;

	if (!ib_store_hive(u->s, IB_HIVE_COMPONENTS, &h, err) || !ib_svc_model(u->s, &model, err))
		return false;
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++) {
			struct ib_component *c = f->components->pdata[k];
			g_autofree char *name = ib_keyform(&c->id, IB_KEYFORM_SHORT);
			const struct ib_manifest *m;
			if (!c->installed || !ib_svc_deployment_key(h, name))
				continue;
			if (!ib_svc_manifest(u->s, c, &m, err))
				return false;
			for (guint n = 0; m && n < m->dependencies->len; n++) {
				char *form = ib_keyform(m->dependencies->pdata[n], IB_KEYFORM_LONG);
				if (ib_svc_component(model, form))
					g_free(form);
				else
					g_hash_table_replace(missing, ib_keyform(m->dependencies->pdata[n], IB_KEYFORM_FAMILY),
							     form);
			}
		}
	}
	return true;
}

/* A family that loses its winner, and whose older version was cleaned out of the store, would be left without any. */
static bool check_replaced(struct uninstall *u, const GArray *winners, struct ib_error **err)
{
	g_autoptr(GHashTable) missing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	if (!missing_components(u, missing, err))
		return false;
	for (guint i = 0; i < winners->len; i++) {
		const struct ib_plan_winner *w = &g_array_index(winners, struct ib_plan_winner, i);
		const char *lost = w->before ? g_hash_table_lookup(missing, w->before->family->keyform) : NULL;
		if (!lost)
			continue;
		ib_throw(err, IB_ERR_INPUT, "the component '%s', which would be in use again, is not in the store any more", lost);
		return ib_hint(err, "the store was cleaned up with its base: what is installed is permanent");
	}
	return true;
}

/* ---- doing it ---- */

/* All components of the deployments an update refers to. unpin: they are not installed by it any more. */
static bool touch_update(struct uninstall *u, const struct ib_mum *mum, const struct ib_update *up, bool unpin,
			 struct ib_error **err)
{
	g_autofree char *ref = g_strconcat(mum->package_id, ".", up->name, NULL);
	struct ib_hive *h;

	if (!ib_store_hive(u->s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	for (guint k = 0; k < up->components->len; k++) {
		g_autofree char *name = ib_keyform(up->components->pdata[k], IB_KEYFORM_SHORT);
		g_autoptr(GPtrArray) components = NULL;
		struct ib_key *key = ib_svc_deployment_key(h, name);
		if (!ib_svc_deployment_components(u->s, up->components->pdata[k], &components, err))
			return false;
		for (guint n = 0; n < components->len; n++)
			if (g_hash_table_add(u->seen, components->pdata[n]))
				g_ptr_array_add(u->touched, components->pdata[n]);
		if (key && unpin)
			ib_svc_ref_drop(h, key, "i!", ref);
	}
	return true;
}

static bool touch_package(struct uninstall *u, const char *package_id, bool unpin, struct ib_error **err)
{
	const struct ib_mum *mum;

	if (!ib_svc_mum(u->s, package_id, &mum, err))
		return false;
	for (guint i = 0; mum && i < mum->updates->len; i++)
		if (!touch_update(u, mum, mum->updates->pdata[i], unpin, err))
			return false;
	return true;
}

/* A part of an update whose parent goes: there, but not installed. */
static bool stage_again(struct uninstall *u, const char *package_id, struct ib_error **err)
{
	const struct ib_mum *mum;
	struct ib_key *key;

	if (!touch_package(u, package_id, true, err) || !ib_svc_mum(u->s, package_id, &mum, err) ||
	    !ib_svc_package_key(u->s, package_id, false, &key, err))
		return false;
	ib_svc_note(u->s, "update-part-staged", package_id, "its parent was uninstalled: it is staged, not installed");
	for (guint i = 0; mum && i < mum->updates->len; i++)
		if (!ib_svc_update_state(u->s, package_id, ((const struct ib_update *)mum->updates->pdata[i])->name,
					 STATE_STAGED, err))
			return false;
	return !key || number(key, "CurrentState") == STATE_SUPERSEDED ||
	       ib_key_set_dword(u->s->hives[IB_HIVE_SOFTWARE], key, "CurrentState", STATE_STAGED, err);
}

/* A superseded package in use again: installed, if any of its updates is. */
static bool unsupersede(struct uninstall *u, const char *package_id, struct ib_error **err)
{
	struct ib_key *key;
	bool installed = false;

	if (!ib_svc_package_key(u->s, package_id, false, &key, err))
		return false;
	if (!key || number(key, "CurrentState") != STATE_SUPERSEDED)
		return true;
	struct ib_key *updates = ib_key_find(key, "Updates");
	for (size_t i = 0; updates && i < ib_key_value_count(updates); i++)
		installed |= number(updates, ib_value_name(ib_key_value_at(updates, i))) >= STATE_INSTALL_PENDING;
	return ib_key_set_dword(u->s->hives[IB_HIVE_SOFTWARE], key, "CurrentState",
				installed ? STATE_INSTALLED : STATE_STAGED, err);
}

static bool unsupersede_parts(struct uninstall *u, const char *package_id, struct ib_error **err)
{
	for (guint i = 0; i < u->installed->len; i++) {
		const char *id = ((const struct ib_installed *)u->installed->pdata[i])->package_id;
		struct ib_key *key;
		if (!ib_svc_package_key(u->s, id, false, &key, err))
			return false;
		struct ib_key *owners = key ? ib_key_find(key, "Owners") : NULL;
		if (owners && ib_key_value(owners, package_id) && !ib_name_equal(id, package_id) &&
		    !unsupersede(u, id, err))
			return false;
	}
	return true;
}

/* The version that was superseded by one that goes is in use again, with its parts. */
static bool restore(struct uninstall *u, const char *package_id, struct ib_error **err)
{
	g_autofree char *family = ib_svc_package_family(package_id);
	const struct ib_installed *best = NULL;
	struct ib_version top = { { 0 } }, v;

	for (guint i = 0; i < u->installed->len; i++) {
		const struct ib_installed *p = u->installed->pdata[i];
		g_autofree char *own = ib_svc_package_family(p->package_id);
		if (p->state < STATE_SUPERSEDED || goes(u, p->package_id) || !ib_name_equal(own, family) ||
		    !ib_version_parse(p->package_id + strlen(own), &v) || (best && ib_version_compare(&v, &top) <= 0))
			continue;
		best = p;
		top = v;
	}
	if (!best || best->state != STATE_SUPERSEDED)
		return true;
	ib_svc_note(u->s, "package-restored", best->package_id, "it is in use again: what superseded it was uninstalled");
	return unsupersede(u, best->package_id, err) && unsupersede_parts(u, best->package_id, err);
}

/* Whether an installed package other than a language pack still has the feature. */
static bool has_feature(const struct uninstall *u, const char *feature)
{
	for (guint i = 0; i < u->installed->len; i++) {
		const struct ib_installed *p = u->installed->pdata[i];
		bool language = !g_strcmp0(p->release_type, "Language Pack");
		for (guint k = 0; !language && !goes(u, p->package_id) && k < p->features->len; k++)
			if (ib_name_equal(((const struct ib_feature_state *)p->features->pdata[k])->name, feature))
				return true;
	}
	return false;
}

/* What a language pack holds for a feature that nobody has any more is staged. */
static bool stage_satellites(struct uninstall *u, const struct ib_installed *pack, struct ib_error **err)
{
	const struct ib_mum *mum;

	if (!ib_svc_mum(u->s, pack->package_id, &mum, err))
		return false;
	for (guint i = 0; mum && i < mum->updates->len; i++) {
		const struct ib_update *up = mum->updates->pdata[i];
		if (!up->selectable || has_feature(u, up->name))
			continue;
		if (!touch_update(u, mum, up, true, err) ||
		    !ib_svc_update_state(u->s, pack->package_id, up->name, STATE_STAGED, err))
			return false;
	}
	return true;
}

static bool mark(struct uninstall *u, struct ib_error **err)
{
	for (guint i = 0; i < u->installed->len; i++) {
		const struct ib_installed *p = u->installed->pdata[i];
		if (!g_strcmp0(p->release_type, "Language Pack") && !goes(u, p->package_id) && !stage_satellites(u, p, err))
			return false;
	}
	for (guint i = 0; i < u->match.packages->len; i++)
		if (!touch_package(u, u->match.packages->pdata[i], false, err) ||
		    !restore(u, u->match.packages->pdata[i], err))
			return false;
	for (guint i = 0; i < u->staged->len; i++)
		if (!stage_again(u, u->staged->pdata[i], err))
			return false;
	return ib_svc_removal_drop_references(u->s, &u->match, err);
}

static bool carry_out(struct uninstall *u, struct ib_removal_summary *sum, struct ib_error **err)
{
	struct ib_install_summary projected = { 0 };
	g_autoptr(GArray) winners = NULL;

	if (!ib_svc_removal_match_packages(u->s, &u->match, err) || !mark(u, err) ||
	    !ib_svc_reconcile(u->s, u->touched, NULL, &winners, err) || !check_replaced(u, winners, err) ||
	    !ib_svc_project(u->s, winners, &projected, err) ||
	    !ib_svc_removal_drop_store(u->s, &u->match, sum, err))
		return false;
	sum->files = projected.files_removed;
	sum->values = projected.values_removed;
	ib_svc_packages_changed(u->s);
	return ib_svc_refresh(u->s, err);
}

static bool prepare(struct uninstall *u, const char *pattern, struct ib_error **err)
{
	if (!choose(u, pattern, err))
		return false;
	guint roots = u->match.packages->len;
	if (!take_parts(u, err))
		return false;
	for (guint i = 0; i < roots; i++)
		if (!refuse_fixed(u, u->match.packages->pdata[i], err))
			return false;
	return check_needed(u, err);
}

bool ib_store_uninstall(struct ib_store *s, const char *pattern, struct ib_removal_summary *ret, struct ib_error **err)
{
	g_autoptr(GHashTable) going = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) staged = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) touched = g_ptr_array_new();
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	struct ib_removal_summary sum = { .lines = g_ptr_array_new_with_free_func(g_free) };
	struct uninstall u = { .s = s, .going = going, .staged = staged, .touched = touched,
				.seen = seen };
	const GPtrArray *installed;

	u.match.packages = g_ptr_array_new_with_free_func(g_free);
	bool ok = ib_svc_check_serviceable(s, err) && ib_store_packages(s, &installed, err);
	/* The store forgets its list as soon as a state changes: hold it. */
	g_autoptr(GPtrArray) held = ok ? g_ptr_array_ref((GPtrArray *)installed) : NULL;
	u.installed = held;
	ok = ok && prepare(&u, pattern, err) && carry_out(&u, &sum, err);
	ib_svc_removal_match_clear(&u.match);
	if (ok && ret)
		*ret = sum;
	else
		ib_removal_summary_clear(&sum);
	return ok ? true : ib_while(err, "uninstalling the package '%s'", pattern);
}
