/* What can be switched in an image: optional features, and capabilities (features on demand) by their own names. */
#include "servicing/internal.h"

#include <string.h>

static void feature_free(void *p)
{
	struct ib_feature *f = p;

	g_free(f->name);
	g_free(f->title);
	g_free(f->package_id);
	g_free(f->parent);
	g_free(f);
}

static void capability_free(void *p)
{
	struct ib_capability *c = p;

	g_free(c->name);
	g_free(c->package_id);
	g_free(c);
}

static struct ib_feature *feature_of(GPtrArray *list, const char *name)
{
	for (guint i = 0; i < list->len; i++)
		if (ib_name_equal(((const struct ib_feature *)list->pdata[i])->name, name))
			return list->pdata[i];
	struct ib_feature *f = g_new0(struct ib_feature, 1);
	f->name = g_strdup(name);
	g_ptr_array_add(list, f);
	return f;
}

/* A title that is a reference into a string table says nothing to a reader. */
static bool is_words(const char *text)
{
	return text && *text && *text != '$';
}

static void take_update(struct ib_feature *f, const struct ib_installed *p, const struct ib_update *u, uint32_t state)
{
	bool language = !g_strcmp0(p->release_type, "Language Pack");

	f->satellites += language;
	if (language && f->package_id)
		return;
	if (state >= STATE_INSTALL_PENDING)
		f->condition = IB_FEATURE_ENABLED;
	if (f->package_id && !language)
		return; /* a second package repeats it */
	f->package_id = g_strdup(p->package_id);
	f->default_on = u->default_on;
	f->parent = g_strdup(u->detect_update);
	f->title = is_words(u->display_name) ? g_strdup(u->display_name) : NULL;
}

static uint32_t state_of(const struct ib_installed *p, const char *name)
{
	for (guint i = 0; i < p->features->len; i++) {
		const struct ib_feature_state *f = p->features->pdata[i];
		if (ib_name_equal(f->name, name))
			return f->state;
	}
	return STATE_ABSENT;
}

/* Base packages before language packs: these only follow. */
static bool collect(struct ib_store *s, const GPtrArray *packages, bool languages, GPtrArray *list, struct ib_error **err)
{
	for (guint i = 0; i < packages->len; i++) {
		const struct ib_installed *p = packages->pdata[i];
		const struct ib_mum *mum;
		bool language = !g_strcmp0(p->release_type, "Language Pack");
		if (language != languages || p->state < STATE_STAGED || p->state == STATE_SUPERSEDED || !p->features->len)
			continue;
		if (!ib_svc_mum(s, p->package_id, &mum, err))
			return false;
		for (guint k = 0; mum && k < mum->updates->len; k++) {
			const struct ib_update *u = mum->updates->pdata[k];
			if (u->selectable)
				take_update(feature_of(list, u->name), p, u, state_of(p, u->name));
		}
	}
	return true;
}

static int by_feature_name(gconstpointer a, gconstpointer b)
{
	return ib_name_compare((*(struct ib_feature *const *)a)->name, (*(struct ib_feature *const *)b)->name);
}

bool ib_store_features(struct ib_store *s, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(feature_free);
	const GPtrArray *packages;

	if (!ib_store_packages(s, &packages, err) || !collect(s, packages, false, list, err) ||
	    !collect(s, packages, true, list, err))
		return false;
	for (guint i = 0; i < list->len; i++) {
		struct ib_feature *f = list->pdata[i];
		bool removed = false;
		if (f->condition == IB_FEATURE_DISABLED && !ib_svc_feature_lacks_payload(s, f->name, &removed, err))
			return ib_while(err, "looking for the payload of the feature '%s'", f->name);
		if (removed)
			f->condition = IB_FEATURE_PAYLOAD_REMOVED;
	}
	g_ptr_array_sort(list, by_feature_name);
	*ret = g_steal_pointer(&list);
	return true;
}

bool ib_store_capabilities(struct ib_store *s, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(capability_free);
	const GPtrArray *packages;

	if (!ib_store_packages(s, &packages, err))
		return false;
	for (guint i = 0; i < packages->len; i++) {
		const struct ib_installed *p = packages->pdata[i];
		const struct ib_mum *mum;
		if (!ib_svc_mum(s, p->package_id, &mum, err))
			return false;
		if (!mum || !mum->capability || p->state < STATE_STAGED)
			continue;
		struct ib_capability *c = g_new0(struct ib_capability, 1);
		c->name = ib_capability_text(mum->capability, mum->capability_language, mum->capability_version);
		c->package_id = g_strdup(p->package_id);
		c->state = p->state;
		g_ptr_array_add(list, c);
	}
	*ret = g_steal_pointer(&list);
	return true;
}

/* ---- removing one ---- */

static bool has_language(const struct ib_mum *mum)
{
	return mum->capability_language && *mum->capability_language &&
	       g_ascii_strcasecmp(mum->capability_language, "neutral");
}

/*
 * The packages of a capability, those for languages first: they need the other. With a language said, those of that one;
 * else the one without a language and its parts for languages.
 */
static bool capability_packages(struct ib_store *s, const struct ib_capability_name *want, GPtrArray *ids,
				struct ib_error **err)
{
	const GPtrArray *packages;
	bool plain = want->language && *want->language, found = plain || !want->language;

	if (!ib_store_packages(s, &packages, err))
		return false;
	for (unsigned neutral = 0; neutral < 2; neutral++)
		for (guint i = 0; i < packages->len; i++) {
			const struct ib_installed *p = packages->pdata[i];
			const struct ib_mum *mum;
			if (!ib_svc_mum(s, p->package_id, &mum, err))
				return false;
			if (!mum || p->state < STATE_STAGED || has_language(mum) == (neutral == 1) ||
			    !ib_capability_name_fits(want, mum->capability, mum->capability_version) ||
			    (plain && g_ascii_strcasecmp(want->language, has_language(mum) ? mum->capability_language : "")))
				continue;
			found |= neutral == 1;
			g_ptr_array_add(ids, g_strdup(p->package_id));
		}
	if (!found)
		g_ptr_array_set_size(ids, 0);
	return true;
}

static bool is_one_of(const GPtrArray *ids, const char *package_id)
{
	for (guint i = 0; i < ids->len; i++)
		if (ib_name_equal(ids->pdata[i], package_id))
			return true;
	return false;
}

/* Whether one of the packages declares what another capability depends on. */
static bool check_needed(struct ib_store *s, const GPtrArray *ids, const struct ib_installed *p, const struct ib_mum *mum,
			 struct ib_error **err)
{
	for (guint n = 0; n < mum->needs->len; n++) {
		const struct ib_needed_capability *need = mum->needs->pdata[n];
		const struct ib_capability_name name = { .name = (char *)need->name, .version = (char *)need->version };
		for (guint i = 0; i < ids->len; i++) {
			const struct ib_mum *going;
			if (!ib_svc_mum(s, ids->pdata[i], &going, err))
				return false;
			if (!going || !ib_capability_name_fits(&name, going->capability, going->capability_version) ||
			    g_ascii_strcasecmp(need->language ? need->language : "",
					       has_language(going) ? going->capability_language : ""))
				continue;
			g_autofree char *text = ib_capability_text(need->name, need->language, need->version);
			ib_throw(err, IB_ERR_INPUT, "'%s' needs the capability '%s'", p->package_id, text);
			return ib_hint(err, "remove '%s' first", mum->capability);
		}
	}
	return true;
}

static bool check_dependents(struct ib_store *s, const GPtrArray *ids, struct ib_error **err)
{
	const GPtrArray *packages;

	if (!ib_store_packages(s, &packages, err))
		return false;
	for (guint i = 0; i < packages->len; i++) {
		const struct ib_installed *p = packages->pdata[i];
		const struct ib_mum *mum;
		if (p->state < STATE_INSTALL_PENDING || is_one_of(ids, p->package_id))
			continue;
		if (!ib_svc_mum(s, p->package_id, &mum, err) || (mum && !check_needed(s, ids, p, mum, err)))
			return false;
	}
	return true;
}

static bool uninstall_all(struct ib_store *s, const GPtrArray *ids, struct ib_removal_summary *sum, struct ib_error **err)
{
	for (guint i = 0; i < ids->len; i++) {
		struct ib_removal_summary one = { 0 };
		if (!ib_store_uninstall(s, ids->pdata[i], &one, err))
			return false;
		sum->packages += one.packages;
		sum->components += one.components;
		sum->files += one.files;
		sum->values += one.values;
		for (guint k = 0; k < one.lines->len; k++)
			g_ptr_array_add(sum->lines, g_strdup(one.lines->pdata[k]));
		ib_removal_summary_clear(&one);
	}
	return true;
}

bool ib_store_remove_capability(struct ib_store *s, const char *name, struct ib_removal_summary *ret,
				struct ib_error **err)
{
	IB_CLEANUP(ib_capability_name_clear) struct ib_capability_name want = { 0 };
	struct ib_removal_summary sum = { .lines = g_ptr_array_new_with_free_func(g_free) };
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	bool ok = ib_capability_name_parse(name, &want, err) && capability_packages(s, &want, ids, err);

	if (ok && !ids->len) {
		ib_throw(err, IB_ERR_INPUT, "the image has no capability '%s'", name);
		ok = ib_hint(err, "inspect lists the capabilities of an image");
	}
	if (ok && check_dependents(s, ids, err) && uninstall_all(s, ids, &sum, err)) {
		*ret = sum;
		return true;
	}
	ib_removal_summary_clear(&sum);
	return ib_while(err, "removing the capability '%s'", name);
}
