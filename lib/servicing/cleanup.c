/*
 * Cleaning the store up: what superseded updates brought goes; with the base reset, also what the installed ones
 * replaced, which makes them permanent.
 */
#include "servicing/internal.h"

#include <string.h>

#define DIR_LCU "Windows\\servicing\\LCU"

/* What cleaning works with. */
struct cleanup {
	struct ib_store *s;
	struct ib_hive *components;
	struct ib_model *model;
	bool reset_base;
	GHashTable *superseded;  /* folded package ids */
	GHashTable *deployments; /* folded short forms that only superseded packages refer to -> short form */
	GPtrArray *going;        /* struct ib_component * */
	GHashTable *going_set;
	struct ib_cleanup_summary *sum;
};

void ib_cleanup_summary_clear(struct ib_cleanup_summary *r)
{
	g_clear_pointer(&r->lines, g_ptr_array_unref);
}

/* ---- bytes ---- */

/* Contents of the image's files, each once. */
static uint64_t count_bytes(struct ib_image *image, struct ib_node *dir, GHashTable *seen, unsigned depth)
{
	uint64_t sum = 0;

	/* lib/wim bounds the depth of trees at 512. */
	for (struct ib_node *n = ib_node_first(dir); n && depth < 512; n = ib_node_next(n)) {
		const uint8_t *hash = ib_node_hash(n);
		if (hash && g_hash_table_add(seen, g_bytes_new(hash, IB_WIM_HASH_SIZE)))
			sum += ib_node_size(image, n);
		if (ib_node_is_dir(n))
			sum += count_bytes(image, n, seen, depth + 1);
	}
	return sum;
}

static uint64_t image_bytes(struct ib_store *s)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);

	return count_bytes(s->image, ib_image_root(s->image), seen, 0);
}

static uint64_t folder_bytes(struct ib_store *s, const struct ib_component *c)
{
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s", c->keyform);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
	struct ib_node *dir = ib_image_find(s->image, path);

	return dir ? count_bytes(s->image, dir, seen, 0) : 0;
}

/* ---- superseded packages and their deployments ---- */

static bool find_superseded(struct cleanup *c, struct ib_error **err)
{
	const GPtrArray *packages;

	if (!ib_store_packages(c->s, &packages, err))
		return false;
	for (guint i = 0; i < packages->len; i++) {
		const struct ib_installed *p = packages->pdata[i];
		if (p->state == STATE_SUPERSEDED)
			g_hash_table_add(c->superseded, ib_name_fold(p->package_id));
	}
	return true;
}

/* "<package id>.<update>": update names hold no '~', and a version has four parts. */
static bool is_superseded_ref(const struct cleanup *c, const char *ref)
{
	const char *tilde = strrchr(ref, '~'), *end = tilde;

	for (unsigned dots = 0; end && *end && dots < 4; dots++)
		end = strchr(end + 1, '.');
	g_autofree char *id = end ? g_strndup(ref, (gsize)(end - ref)) : NULL;
	g_autofree char *folded = id ? ib_name_fold(id) : NULL;
	return folded && g_hash_table_contains(c->superseded, folded);
}

static bool only_superseded(const struct cleanup *c, const struct ib_key *deployment)
{
	static const char *const prefixes[] = { "i!", "s!", "p!" };
	guint count = 0;

	for (size_t k = 0; k < G_N_ELEMENTS(prefixes); k++) {
		g_autoptr(GPtrArray) refs = ib_svc_deployment_refs(deployment, prefixes[k]);
		count += refs->len;
		for (guint i = 0; i < refs->len; i++)
			if (!is_superseded_ref(c, refs->pdata[i]))
				return false;
	}
	return count > 0;
}

static void find_deployments(struct cleanup *c)
{
	struct ib_key *dir = ib_key_find(ib_hive_root(c->components), PATH_DEPLOYMENTS);

	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		struct ib_key *key = ib_key_child(dir, i);
		if (only_superseded(c, key))
			g_hash_table_insert(c->deployments, ib_name_fold(ib_key_name(key)), g_strdup(ib_key_name(key)));
	}
}

/* ---- components ---- */

static bool is_going_deployment(const struct cleanup *c, const char *short_form)
{
	g_autofree char *folded = ib_name_fold(short_form);

	return g_hash_table_contains(c->deployments, folded);
}

static bool is_deployment(const struct cleanup *c, const struct ib_component *comp)
{
	g_autofree char *name = ib_keyform(&comp->id, IB_KEYFORM_SHORT);

	return ib_svc_deployment_key(c->components, name) != NULL;
}

/* All deployments that hold it are those of superseded packages. */
static bool is_superseded(const struct cleanup *c, const struct ib_component *comp)
{
	struct ib_key *key = ib_svc_component_key(c->components, comp->keyform);
	g_autoptr(GPtrArray) list = key ? ib_svc_component_deployments(key) : NULL;

	for (guint i = 0; list && i < list->len; i++)
		if (!is_going_deployment(c, list->pdata[i]))
			return false;
	return list && list->len;
}

/* The highest version the store has of what competes with it; empty winners do not count: they have nothing. */
static struct ib_component *top_of_line(const struct ib_component *comp)
{
	struct ib_component *top = NULL;

	for (guint i = 0; i < comp->family->components->len; i++) {
		struct ib_component *c = comp->family->components->pdata[i];
		if (ib_svc_same_line(&c->id, &comp->id.number) && !ib_svc_is_empty_winner(&c->id))
			top = c;
	}
	return top;
}

/* The lowest version is what differentials of later updates start from. */
static bool is_base(const struct ib_component *comp)
{
	for (guint i = 0; i < comp->family->components->len; i++) {
		const struct ib_component *c = comp->family->components->pdata[i];
		if (ib_svc_same_line(&c->id, &comp->id.number))
			return c == comp;
	}
	return false;
}

static bool has_folder(struct ib_store *s, const char *parent, const char *keyform)
{
	g_autofree char *path = g_strdup_printf("%s\\%s\\r", parent, keyform);

	return ib_image_find(s->image, path) != NULL;
}

/* Reverse differentials lead from the version in use back to its base: then the base itself is not needed. */
static bool leads_back(struct ib_store *s, const struct ib_component *top)
{
	struct ib_node *lcu = ib_image_find(s->image, DIR_LCU);

	if (has_folder(s, DIR_WINSXS, top->keyform))
		return true;
	for (struct ib_node *n = lcu ? ib_node_first(lcu) : NULL; n; n = ib_node_next(n)) {
		g_autofree char *parent = g_strdup_printf(DIR_LCU "\\%s", ib_node_name(n));
		if (has_folder(s, parent, top->keyform))
			return true;
	}
	return false;
}

static bool has_payload(struct ib_store *s, const struct ib_component *c)
{
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s", c->keyform);
	struct ib_node *dir = ib_image_find(s->image, path);

	return dir && ib_node_first(dir);
}

static void look_at(struct cleanup *c, struct ib_component *comp)
{
	struct ib_component *top = top_of_line(comp);
	bool in_use = ib_svc_winner(comp->family, &comp->id.number) == comp || top == comp || !top;

	if (in_use || is_deployment(c, comp) || ib_svc_is_empty_winner(&comp->id))
		return;
	if (!c->reset_base && !is_superseded(c, comp))
		return;
	if (is_base(comp) && has_payload(c->s, comp) && !leads_back(c->s, top)) {
		if (!c->reset_base) {
			c->sum->kept++;
			c->sum->kept_bytes += folder_bytes(c->s, comp);
			return;
		}
		c->sum->bases++;
	}
	g_ptr_array_add(c->going, comp);
	g_hash_table_add(c->going_set, comp);
}

static void find_components(struct cleanup *c)
{
	for (guint i = 0; i < c->model->families->len; i++) {
		const struct ib_family *f = c->model->families->pdata[i];
		for (guint k = 0; f->components->len > 1 && k < f->components->len; k++)
			look_at(c, f->components->pdata[k]);
	}
}

/* A deployment whose component stays, and is held by nothing else, stays with it. */
static void keep_deployments(struct cleanup *c)
{
	for (guint i = 0; i < c->model->families->len; i++) {
		const struct ib_family *f = c->model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++) {
			const struct ib_component *comp = f->components->pdata[k];
			if (g_hash_table_contains(c->going_set, comp) || is_deployment(c, comp) || !is_superseded(c, comp))
				continue;
			struct ib_key *key = ib_svc_component_key(c->components, comp->keyform);
			g_autoptr(GPtrArray) list = ib_svc_component_deployments(key);
			for (guint n = 0; n < list->len; n++) {
				g_autofree char *folded = ib_name_fold(list->pdata[n]);
				g_hash_table_remove(c->deployments, folded);
			}
		}
	}
}

/* ---- doing it ---- */

static bool drop_components(struct cleanup *c, struct ib_error **err)
{
	g_autoptr(GHashTable) families = g_hash_table_new(NULL, NULL);
	GHashTableIter it;
	gpointer family;

	for (guint i = 0; i < c->going->len; i++) {
		struct ib_component *comp = c->going->pdata[i];
		g_ptr_array_add(c->sum->lines, g_strdup_printf("component %s", comp->keyform));
		g_hash_table_add(families, comp->family);
		if (!ib_svc_component_drop(c->s, comp, err))
			return false;
	}
	c->sum->components = c->going->len;
	g_hash_table_iter_init(&it, families);
	while (g_hash_table_iter_next(&it, &family, NULL))
		if (!ib_svc_winners_write(c->s, family, err))
			return false;
	return true;
}

/* A deployment is a component, too. */
static bool drop_deployments(struct cleanup *c, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) own = g_ptr_array_new();

	for (guint i = 0; i < c->model->families->len; i++) {
		const struct ib_family *f = c->model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++) {
			struct ib_component *comp = f->components->pdata[k];
			g_autofree char *name = ib_keyform(&comp->id, IB_KEYFORM_SHORT);
			if (!is_going_deployment(c, name))
				continue;
			g_ptr_array_add(own, comp);
			g_ptr_array_add(names, g_steal_pointer(&name));
		}
	}
	if (!ib_svc_deployments_drop(c->s, names, err))
		return false;
	c->sum->deployments = names->len;
	for (guint i = 0; i < own->len; i++) {
		struct ib_component *comp = own->pdata[i];
		struct ib_family *f = comp->family;
		if (!ib_svc_component_drop(c->s, comp, err) || !ib_svc_winners_write(c->s, f, err))
			return false;
	}
	return true;
}

/* Whether an update of the package still has a deployment in the store. */
static bool has_deployment(struct cleanup *c, const struct ib_mum *mum)
{
	for (guint i = 0; i < mum->updates->len; i++) {
		const struct ib_update *u = mum->updates->pdata[i];
		for (guint k = 0; k < u->components->len; k++) {
			g_autofree char *name = ib_keyform(u->components->pdata[k], IB_KEYFORM_SHORT);
			if (ib_svc_deployment_key(c->components, name))
				return true;
		}
	}
	return false;
}

/* A package that still owns another one stays for its sake. */
static bool owns_any(struct cleanup *c, const GPtrArray *packages, const char *id, GHashTable *gone, struct ib_error **err,
		     bool *ret)
{
	*ret = false;
	for (guint i = 0; i < packages->len && !*ret; i++) {
		const char *other = ((const struct ib_installed *)packages->pdata[i])->package_id;
		struct ib_key *key;
		if (g_hash_table_contains(gone, other) || ib_name_equal(other, id))
			continue;
		if (!ib_svc_package_key(c->s, other, false, &key, err))
			return false;
		struct ib_key *owners = key ? ib_key_find(key, "Owners") : NULL;
		*ret = owners && ib_key_value(owners, id);
	}
	return true;
}

static bool drop_one_package(struct cleanup *c, const GPtrArray *packages, const struct ib_installed *p, GHashTable *gone,
			     bool *ret_dropped, struct ib_error **err)
{
	const struct ib_mum *mum;
	bool owner;

	if (p->state != STATE_SUPERSEDED || g_hash_table_contains(gone, p->package_id))
		return true;
	if (!ib_svc_mum(c->s, p->package_id, &mum, err) || !owns_any(c, packages, p->package_id, gone, err, &owner))
		return false;
	if (owner || (mum && has_deployment(c, mum)))
		return true;
	g_hash_table_add(gone, p->package_id);
	g_ptr_array_add(c->sum->lines, g_strdup_printf("package %s", p->package_id));
	c->sum->packages++;
	*ret_dropped = true;
	return ib_svc_package_remove(c->s, p->package_id, err);
}

/* Superseded packages nothing is left of, parts before what owns them. */
static bool drop_packages(struct cleanup *c, struct ib_error **err)
{
	g_autoptr(GHashTable) gone = g_hash_table_new(g_str_hash, g_str_equal);
	const GPtrArray *packages;
	bool again = true;

	if (!ib_store_packages(c->s, &packages, err))
		return false;
	g_autoptr(GPtrArray) held = g_ptr_array_ref((GPtrArray *)packages);
	while (again) {
		again = false;
		for (guint i = 0; i < held->len; i++)
			if (!drop_one_package(c, held, held->pdata[i], gone, &again, err))
				return false;
	}
	return true;
}

static void note_bases(struct cleanup *c)
{
	if (c->sum->bases)
		ib_svc_note(c->s, "delta-base-gone", "component store",
			    "the base of %u component%s is gone and no reverse differential leads back to it: an update made of "
			    "differentials cannot be installed for them", c->sum->bases, c->sum->bases == 1 ? "" : "s");
	if (c->reset_base && c->going->len)
		ib_svc_note(c->s, "updates-permanent", "component store",
			    "what the installed updates replaced was dropped: they cannot be uninstalled any more");
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool clean(struct cleanup *c, struct ib_error **err)
{
	uint64_t before = image_bytes(c->s);

	if (!ib_svc_check_serviceable(c->s, err) || !ib_store_hive(c->s, IB_HIVE_COMPONENTS, &c->components, err) ||
	    !ib_svc_model(c->s, &c->model, err) || !find_superseded(c, err))
		return false;
	find_deployments(c);
	find_components(c);
	keep_deployments(c);
	note_bases(c);
	if (!drop_components(c, err) || !drop_deployments(c, err) || !drop_packages(c, err) || !ib_svc_drop_caches(c->s, err))
		return false;
	g_ptr_array_sort(c->sum->lines, by_text);
	c->sum->bytes = before - image_bytes(c->s);
	return ib_svc_refresh(c->s, err);
}

bool ib_store_cleanup(struct ib_store *s, bool reset_base, struct ib_cleanup_summary *ret, struct ib_error **err)
{
	g_autoptr(GHashTable) superseded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) deployments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GHashTable) going_set = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) going = g_ptr_array_new();
	struct ib_cleanup_summary sum = { .lines = g_ptr_array_new_with_free_func(g_free) };
	struct cleanup c = { .s = s, .reset_base = reset_base, .superseded = superseded, .deployments = deployments,
			     .going = going, .going_set = going_set, .sum = &sum };

	if (!clean(&c, err)) {
		ib_cleanup_summary_clear(&sum);
		return ib_while(err, "cleaning up the component store of image %u", s->index);
	}
	*ret = sum;
	return true;
}
