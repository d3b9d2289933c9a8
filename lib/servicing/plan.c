/* The plan: what a package would put into the store, and which winners would change. Changes nothing. */
#include "servicing/internal.h"

#include <string.h>

/* Packages hold packages; real ones nest three deep. */
#define MAX_DEPTH 16

static void package_free(void *p)
{
	struct ib_plan_package *pp = p;

	g_array_unref(pp->updates);
	g_free(pp->owner);
	g_free(pp);
}

static void deployment_free(void *p)
{
	struct ib_plan_deployment *d = p;

	g_free(d->short_form);
	g_free(d);
}

static void component_free(void *p)
{
	struct ib_plan_component *c = p;

	g_ptr_array_unref(c->deployments);
	g_free(c);
}

void ib_svc_plan_clear(struct ib_plan_install *plan)
{
	g_clear_pointer(&plan->packages, g_ptr_array_unref);
	g_clear_pointer(&plan->deployments, g_ptr_array_unref);
	g_clear_pointer(&plan->components, g_ptr_array_unref);
	g_clear_pointer(&plan->winners, g_array_unref);
	g_clear_pointer(&plan->by_keyform, g_hash_table_unref);
}

/* What planning works with. */
struct planner {
	struct ib_store *s;
	struct ib_model *model;
	const struct ib_package *p;
	struct ib_plan_install *plan;
	const GPtrArray *installed;
	GPtrArray *mums; /* those planned so far: parents of others */
	GHashTable *seen; /* "<update>|<deployment>": through many ways to it, each is planned once */
};

/* ---- nesting ---- */

/* What is being planned, and what holds it. */
struct link {
	const char *name;
	const struct link *above;
	unsigned depth;
};

/* Refuses what holds itself, naming the way round, and what is nested deeper than anything real. */
static bool check_link(const struct link *link, const char *what, struct ib_error **err)
{
	g_autoptr(GString) way = g_string_new(link->name);

	for (const struct link *l = link->above; l; l = l->above) {
		g_string_prepend(way, "' > '");
		g_string_prepend(way, l->name);
		if (!ib_name_equal(l->name, link->name))
			continue;
		ib_throw(err, IB_ERR_INPUT, "the %s '%s' holds itself: '%s'", what, link->name, way->str);
		return ib_hint(err, "get the package again from where it was published: no genuine one is like this");
	}
	if (link->depth <= MAX_DEPTH)
		return true;
	ib_throw(err, IB_ERR_INPUT, "%ss hold each other more than %u deep at '%s'", what, MAX_DEPTH, link->name);
	return ib_hint(err, "get the package again from where it was published: no genuine one is like this");
}

/* ---- updates and features ---- */

/* Highest state of a feature in the image; detect_parent: only in that package family (NULL: any). */
static bool feature_state(const struct planner *pl, const char *detect_parent, const char *feature, uint32_t *ret)
{
	g_autofree char *family = detect_parent ? ib_svc_package_family(detect_parent) : NULL;
	bool known = false;

	*ret = STATE_ABSENT;
	for (guint i = 0; i < pl->installed->len; i++) {
		const struct ib_installed *p = pl->installed->pdata[i];
		if (p->state < STATE_STAGED || !p->features->len)
			continue; /* nearly all: their families need not be made */
		g_autofree char *own = family ? ib_svc_package_family(p->package_id) : NULL;
		if (family && !ib_name_equal(own, family))
			continue;
		for (guint k = 0; k < p->features->len; k++) {
			const struct ib_feature_state *f = p->features->pdata[k];
			if (!ib_name_equal(f->name, feature))
				continue;
			known = true;
			*ret = MAX(*ret, f->state);
		}
	}
	return known;
}

static uint32_t update_state(const struct planner *pl, const struct ib_update *u)
{
	uint32_t state;

	if (u->detect_update) {
		if (!feature_state(pl, u->detect_parent, u->detect_update, &state) || state < STATE_INSTALL_PENDING)
			return STATE_STAGED;
	}
	/* A language pack repeats the feature's name: its part follows the feature. */
	if (feature_state(pl, NULL, u->name, &state))
		return state >= STATE_INSTALL_PENDING ? STATE_INSTALLED : STATE_STAGED;
	return !u->selectable || u->default_on ? STATE_INSTALLED : STATE_STAGED;
}

/* ---- components ---- */

/* What the store has under an identity is what the identity means: other content under it is a lie of one of them. */
static bool check_stored(struct planner *pl, const struct ib_manifest *m, struct ib_error **err)
{
	struct ib_hive *h;

	if (!ib_store_hive(pl->s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	const struct ib_key *key = ib_svc_component_key(h, m->keyform);
	const struct ib_value *v = key ? ib_key_value(key, "S256H") : NULL;
	size_t len = 0;
	const uint8_t *have = v ? ib_value_data(v, &len) : NULL;
	if (!have || len != sizeof(m->sha256) || memcmp(have, m->sha256, len) == 0)
		return true;
	g_autofree char *theirs = ib_hex(m->sha256, sizeof(m->sha256));
	g_autofree char *ours = ib_hex(have, len);
	ib_throw(err, IB_ERR_VERIFY, "the image has the component '%s' with the manifest %s, the package brings another, %s",
		 m->keyform, ours, theirs);
	return ib_hint(err, "one of the two is not genuine: check the image with `imgbuild verify --full`, and the package's source");
}

/* A manifest of the package, or else of the store. */
static bool find_manifest(struct planner *pl, const struct ib_identity *id, const struct ib_manifest **ret,
			  struct ib_error **err)
{
	g_autofree char *keyform = ib_keyform(id, IB_KEYFORM_LONG);
	struct ib_component *c = ib_svc_component(pl->model, keyform);

	*ret = ib_package_manifest(pl->p, keyform);
	if (*ret && c)
		return check_stored(pl, *ret, err);
	if (!*ret && c && !ib_svc_manifest(pl->s, c, ret, err))
		return false;
	if (*ret)
		return true;
	const GPtrArray *unread = ib_package_unread(pl->p);
	for (guint i = 0; unread && i < unread->len; i++)
		if (g_str_has_prefix(unread->pdata[i], keyform))
			return ib_throw(err, IB_ERR_INPUT, "the compression of the manifest '%s' cannot be read here",
					(const char *)unread->pdata[i]);
	ib_throw(err, IB_ERR_INPUT, "'%s' names the component '%s', which neither it nor the image has",
		 ib_package_path(pl->p), keyform);
	return ib_hint(err, "an earlier package is missing (DISM calls this 0x800f081f)");
}

static struct ib_plan_component *plan_component(struct planner *pl, const struct ib_manifest *m, const char *deployment,
						bool install)
{
	g_autofree char *folded = ib_name_fold(m->keyform);
	struct ib_plan_component *c = g_hash_table_lookup(pl->plan->by_keyform, folded);

	if (!c) {
		c = g_new0(struct ib_plan_component, 1);
		c->manifest = m;
		c->stored = ib_svc_component(pl->model, m->keyform);
		c->deployments = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(pl->plan->components, c);
		g_hash_table_insert(pl->plan->by_keyform, g_steal_pointer(&folded), c);
	}
	c->install |= install;
	if (!g_ptr_array_find_with_equal_func(c->deployments, deployment, g_str_equal, NULL))
		g_ptr_array_add(c->deployments, g_strdup(deployment));
	return c;
}

/* Whether this update's way has not led to the deployment before. */
static bool is_first(struct planner *pl, const struct ib_plan_update *u, const struct ib_manifest *m)
{
	return g_hash_table_add(pl->seen, g_strdup_printf("%p|%s", (const void *)u->update, m->keyform));
}

static bool plan_deployment(struct planner *pl, const struct ib_plan_package *package, const struct ib_plan_update *u,
			    const struct ib_identity *id, const struct link *above, struct ib_error **err)
{
	const struct ib_manifest *m;

	if (!find_manifest(pl, id, &m, err))
		return false;
	const struct link link = { .name = m->keyform, .above = above, .depth = above ? above->depth + 1 : 0 };
	if (!check_link(&link, "deployment", err))
		return false;
	if (!is_first(pl, u, m))
		return true;
	struct ib_plan_deployment *d = g_new0(struct ib_plan_deployment, 1);
	d->package = package;
	d->update = u->update->name;
	d->manifest = m;
	d->short_form = ib_keyform(&m->id, IB_KEYFORM_SHORT);
	d->install = u->state == STATE_INSTALLED;
	g_ptr_array_add(pl->plan->deployments, d);
	plan_component(pl, m, d->short_form, d->install);
	for (guint i = 0; i < m->dependencies->len; i++) {
		const struct ib_identity *dep = m->dependencies->pdata[i];
		const struct ib_manifest *dm;
		if (!find_manifest(pl, dep, &dm, err))
			return false;
		if (dm->is_deployment ? !plan_deployment(pl, package, u, dep, &link, err)
				      : !plan_component(pl, dm, d->short_form, d->install))
			return false;
	}
	return true;
}

/* ---- packages ---- */

/* integrate="hidden" on the child's place in its parent's update. */
static bool is_hidden(const struct ib_mum *parent, const struct ib_mum *child)
{
	for (guint i = 0; i < parent->updates->len; i++) {
		const struct ib_update *u = parent->updates->pdata[i];
		for (guint k = 0; k < u->packages->len; k++) {
			const struct ib_identity *id = u->packages->pdata[k];
			if (!g_ascii_strcasecmp(id->name, child->id.name))
				return !g_strcmp0(u->integrate->pdata[k], "hidden");
		}
	}
	for (guint i = 0; i < child->parents->len; i++)
		if (!g_strcmp0(((const struct ib_parent *)child->parents->pdata[i])->integrate, "hidden"))
			return true;
	return false;
}

static bool plan_package(struct planner *pl, const struct ib_mum *mum, const struct ib_mum *owner, uint32_t state,
			 const struct link *above, struct ib_error **err);

static bool plan_child(struct planner *pl, const struct ib_mum *mum, const struct ib_identity *id, uint32_t state,
		       const struct link *above, struct ib_error **err)
{
	g_autofree char *package_id = ib_package_id(id);
	const struct ib_mum *child = ib_package_mum(pl->p, package_id);
	bool applies;

	if (!child) {
		ib_svc_note(pl->s, "child-missing", mum->package_id, "its part '%s' is not in the file", package_id);
		return true;
	}
	if (!ib_svc_mum_applies(pl->s, child, pl->mums, &applies, err))
		return false;
	/* A part for another edition or for something that is not installed. */
	return !applies || plan_package(pl, child, mum, state, above, err);
}

static bool plan_update(struct planner *pl, struct ib_plan_package *pp, struct ib_plan_update *u, const struct link *above,
			struct ib_error **err)
{
	const struct ib_update *up = u->update;

	for (guint i = 0; i < up->other->len; i++)
		ib_svc_note(pl->s, "update-element", pp->mum->package_id, "the update '%s' holds '%s', which was not carried out",
			    up->name, (const char *)up->other->pdata[i]);
	for (guint i = 0; i < up->components->len; i++)
		if (!plan_deployment(pl, pp, u, up->components->pdata[i], NULL, err))
			return false;
	for (guint i = 0; i < up->packages->len; i++)
		if (!plan_child(pl, pp->mum, up->packages->pdata[i], u->state, above, err))
			return false;
	return true;
}

static bool plan_package(struct planner *pl, const struct ib_mum *mum, const struct ib_mum *owner, uint32_t state,
			 const struct link *above, struct ib_error **err)
{
	const struct link link = { .name = mum->package_id, .above = above, .depth = above ? above->depth + 1 : 0 };

	if (!check_link(&link, "package", err))
		return false;
	for (guint i = 0; i < pl->mums->len; i++)
		if (pl->mums->pdata[i] == mum)
			return true;
	for (guint i = 0; i < mum->other->len; i++)
		ib_svc_note(pl->s, "package-element", mum->package_id, "the element '%s' was not carried out",
			    (const char *)mum->other->pdata[i]);
	struct ib_plan_package *pp = g_new0(struct ib_plan_package, 1);
	pp->mum = mum;
	pp->owner = g_strdup(owner ? owner->package_id : mum->package_id);
	pp->hidden = owner && is_hidden(owner, mum);
	pp->state = state;
	pp->updates = g_array_new(FALSE, FALSE, sizeof(struct ib_plan_update));
	g_ptr_array_add(pl->plan->packages, pp);
	g_ptr_array_add(pl->mums, (gpointer)mum);
	for (guint i = 0; i < mum->updates->len; i++) {
		struct ib_plan_update u = { .update = mum->updates->pdata[i] };
		u.state = state == STATE_INSTALLED ? update_state(pl, u.update) : STATE_STAGED;
		g_array_append_val(pp->updates, u);
	}
	for (guint i = 0; i < pp->updates->len; i++)
		if (!plan_update(pl, pp, &g_array_index(pp->updates, struct ib_plan_update, i), &link, err))
			return ib_while(err, "planning the package '%s'", mum->package_id);
	return true;
}

/* ---- winners ---- */

static int by_keyform(gconstpointer a, gconstpointer b)
{
	const struct ib_plan_component *x = *(struct ib_plan_component *const *)a;
	const struct ib_plan_component *y = *(struct ib_plan_component *const *)b;

	return strcmp(x->manifest->keyform, y->manifest->keyform);
}

/* A component's family and, side by side, its major.minor: what has one winner. */
static char *line_name(const struct ib_identity *id)
{
	const struct ib_version none = { { 0 } };
	g_autofree char *family = ib_keyform(id, IB_KEYFORM_FAMILY);

	if (ib_svc_same_line(id, &none))
		return g_steal_pointer(&family);
	return g_strdup_printf("%s|%" PRIu32 ".%" PRIu32, family, id->number.part[0], id->number.part[1]);
}

/* The highest version of a family's line among what is planned. */
static void plan_winners(struct planner *pl)
{
	g_autoptr(GHashTable) best = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < pl->plan->components->len; i++) {
		const struct ib_plan_component *c = pl->plan->components->pdata[i];
		const struct ib_version *v = &c->manifest->id.number;
		char *line = line_name(&c->manifest->id);
		const struct ib_plan_component *other = g_hash_table_lookup(best, line);
		if (c->install && (!other || ib_version_compare(v, &other->manifest->id.number) > 0))
			g_hash_table_replace(best, line, (gpointer)c);
		else
			g_free(line);
	}
	for (guint i = 0; i < pl->plan->components->len; i++) {
		const struct ib_plan_component *c = pl->plan->components->pdata[i];
		g_autofree char *family = ib_keyform(&c->manifest->id, IB_KEYFORM_FAMILY);
		const struct ib_version *v = &c->manifest->id.number;
		g_autofree char *line = line_name(&c->manifest->id);
		struct ib_family *f = g_hash_table_lookup(pl->model->by_family, family);
		struct ib_component *now = f ? ib_svc_winner(f, v) : NULL;
		struct ib_plan_winner w = { .now = c->manifest, .before = now };
		if (g_hash_table_lookup(best, line) == c && (!now || ib_version_compare(v, &now->id.number) > 0))
			g_array_append_val(pl->plan->winners, w);
	}
}

bool ib_svc_plan(struct ib_store *s, const struct ib_package *p, struct ib_plan_install *plan, struct ib_error **err)
{
	g_autoptr(GPtrArray) mums = g_ptr_array_new();
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct planner pl = { .s = s, .p = p, .plan = plan, .mums = mums, .seen = seen };

	plan->packages = g_ptr_array_new_with_free_func(package_free);
	plan->deployments = g_ptr_array_new_with_free_func(deployment_free);
	plan->components = g_ptr_array_new_with_free_func(component_free);
	plan->winners = g_array_new(FALSE, FALSE, sizeof(struct ib_plan_winner));
	plan->by_keyform = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (!ib_svc_model(s, &pl.model, err) || !ib_store_packages(s, &pl.installed, err) ||
	    !plan_package(&pl, ib_package_root(p), NULL, STATE_INSTALLED, NULL, err)) {
		ib_svc_plan_clear(plan);
		return false;
	}
	g_ptr_array_sort(plan->components, by_keyform);
	plan_winners(&pl);
	return true;
}

/* ---- counting ---- */

static bool same_content(const struct ib_effect *a, const struct ib_effect *b)
{
	const struct ib_file *x = a->source, *y = b->source;

	return x->has_sha256 && y->has_sha256 && !memcmp(x->sha256, y->sha256, sizeof(x->sha256));
}

static bool same_value(const struct ib_effect *a, const struct ib_effect *b)
{
	const struct ib_registry_value *x = a->source, *y = b->source;

	return !g_strcmp0(x->value, y->value) && !g_strcmp0(x->type, y->type);
}

void ib_svc_count_new(const GPtrArray *now, GHashTable *before, struct ib_install_summary *ret)
{
	for (guint i = 0; i < now->len; i++) {
		const struct ib_effect *e = now->pdata[i];
		const struct ib_effect *old = before ? g_hash_table_lookup(before, e->id) : NULL;
		if (e->kind == EFFECT_FILE && !old)
			ret->files_new++;
		else if (e->kind == EFFECT_FILE && !same_content(e, old))
			ret->files_changed++;
		else if (e->kind == EFFECT_VALUE && (!old || !same_value(e, old)))
			ret->values_set++;
		else if (e->kind == EFFECT_SERVICE)
			ret->services++;
	}
}

static void count_gone(const GPtrArray *before, GHashTable *now, struct ib_install_summary *ret)
{
	for (guint i = 0; i < before->len; i++) {
		const struct ib_effect *e = before->pdata[i];
		if (now && g_hash_table_contains(now, e->id))
			continue;
		ret->files_removed += e->kind == EFFECT_FILE;
		ret->values_removed += e->kind == EFFECT_VALUE;
	}
}

static bool count_one(struct ib_store *s, const struct ib_plan_winner *w, struct ib_install_summary *ret,
		      struct ib_error **err)
{
	g_autoptr(GPtrArray) now = NULL;
	g_autoptr(GPtrArray) before = NULL;
	g_autoptr(GHashTable) now_set = NULL;
	g_autoptr(GHashTable) before_set = NULL;
	const struct ib_manifest *old = NULL;

	if ((w->before && !ib_svc_manifest(s, w->before, &old, err)) || (w->now && !ib_svc_effects(s, w->now, &now, err)) ||
	    (old && !ib_svc_effects(s, old, &before, err)))
		return false;
	now_set = now ? ib_svc_effect_set(now) : NULL;
	before_set = before ? ib_svc_effect_set(before) : NULL;
	if (now)
		ib_svc_count_new(now, before_set, ret);
	if (before)
		count_gone(before, now_set, ret);
	return true;
}

bool ib_svc_read_before(struct ib_store *s, const GArray *winners, struct ib_error **err)
{
	g_autoptr(GPtrArray) before = g_ptr_array_new();

	for (guint i = 0; i < winners->len; i++) {
		struct ib_component *c = g_array_index(winners, struct ib_plan_winner, i).before;
		if (c && !c->manifest && !c->unreadable)
			g_ptr_array_add(before, c);
	}
	return ib_svc_manifests_each(s, before, NULL, NULL, NULL, err);
}

bool ib_svc_plan_count(struct ib_store *s, const GArray *winners, struct ib_install_summary *ret, struct ib_error **err)
{
	if (!ib_svc_read_before(s, winners, err))
		return false;
	for (guint i = 0; i < winners->len; i++)
		if (!count_one(s, &g_array_index(winners, struct ib_plan_winner, i), ret, err))
			return false;
	ret->winners_changed += winners->len;
	return true;
}

/* Payload of components the store does not have: in which form it comes, and its bytes as the package has them. */
static void count_payload(const struct ib_package *p, const struct ib_plan_install *plan, struct ib_install_summary *ret)
{
	const GPtrArray *entries = ib_package_payloads(p);

	for (guint i = 0; i < entries->len; i++) {
		const struct ib_payload_entry *e = entries->pdata[i];
		g_autofree char *folded = ib_name_fold(e->manifest->keyform);
		const struct ib_plan_component *c = g_hash_table_lookup(plan->by_keyform, folded);
		if (!c || c->stored)
			continue;
		bool complete = e->kinds & IB_PAYLOAD_BIT(IB_PAYLOAD_FILE);
		bool delta = e->kinds & (IB_PAYLOAD_BIT(IB_PAYLOAD_FORWARD) | IB_PAYLOAD_BIT(IB_PAYLOAD_NULL));
		ret->payload_complete += complete;
		ret->payload_deltas += !complete && delta;
		ret->payload_elsewhere += !complete && !delta;
		for (unsigned k = 0; k < IB_PAYLOAD_KINDS; k++)
			ret->payload_bytes += e->size[k] == UINT64_MAX ? 0 : e->size[k];
	}
}

static bool plan_summary(struct ib_store *s, const struct ib_package *p, const struct ib_plan_install *plan,
			 struct ib_install_summary *ret, struct ib_error **err)
{
	*ret = (struct ib_install_summary){ .packages = plan->packages->len };
	count_payload(p, plan, ret);
	for (guint i = 0; i < plan->components->len; i++) {
		const struct ib_plan_component *c = plan->components->pdata[i];
		if (c->stored)
			continue;
		if (c->manifest->is_deployment)
			ret->deployments++;
		else
			ret->components++;
	}
	return ib_svc_plan_count(s, plan->winners, ret, err);
}

bool ib_store_plan(struct ib_store *s, const struct ib_package *p, struct ib_install_summary *ret, struct ib_error **err)
{
	IB_CLEANUP(ib_svc_plan_clear) struct ib_plan_install plan = { 0 };
	IB_CLEANUP(ib_applicability_clear) struct ib_applicability_result a = { 0 };

	if (!ib_svc_check_applies(s, p, &a, err) || !ib_svc_plan(s, p, &plan, err))
		return ib_while(err, "planning the package '%s'", ib_package_root(p)->package_id);
	return plan_summary(s, p, &plan, ret, err);
}
