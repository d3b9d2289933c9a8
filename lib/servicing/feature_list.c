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
		/* As DISM prints it: name, token, architecture and language (none of them given), version. */
		c->name = g_strdup_printf("%s~~~%s~%s", mum->capability, mum->id.culture ? mum->id.culture : "",
					  mum->capability_version ? mum->capability_version : "");
		c->package_id = g_strdup(p->package_id);
		c->state = p->state;
		g_ptr_array_add(list, c);
	}
	*ret = g_steal_pointer(&list);
	return true;
}

/* "OpenSSH.Server", or what ib_store_capabilities() calls it: with it go its languages. */
bool ib_store_remove_capability(struct ib_store *s, const char *name, struct ib_removal_summary *ret,
				struct ib_error **err)
{
	g_autoptr(GPtrArray) all = NULL;
	g_autofree char *plain = g_strndup(name, strcspn(name, "~"));
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);

	if (!ib_store_capabilities(s, &all, err))
		return false;
	for (unsigned neutral = 0; neutral < 2; neutral++) /* languages first: they need the other */
		for (guint i = 0; i < all->len; i++) {
			const struct ib_capability *c = all->pdata[i];
			size_t len = strlen(plain);
			bool same = !g_ascii_strncasecmp(c->name, plain, len) && c->name[len] == '~';
			if (same && (c->name[len + 3] == '~') == (neutral == 1))
				g_ptr_array_add(ids, g_strdup(c->package_id));
		}
	if (!ids->len) {
		ib_throw(err, IB_ERR_INPUT, "the image has no capability '%s'", name);
		return ib_hint(err, "inspect lists the capabilities of an image");
	}
	struct ib_removal_summary sum = { .lines = g_ptr_array_new_with_free_func(g_free) };
	for (guint i = 0; i < ids->len; i++) {
		struct ib_removal_summary one = { 0 };
		if (!ib_store_uninstall(s, ids->pdata[i], &one, err)) {
			ib_removal_summary_clear(&sum);
			return ib_while(err, "removing the capability '%s'", name);
		}
		sum.packages += one.packages;
		sum.components += one.components;
		sum.files += one.files;
		sum.values += one.values;
		for (guint k = 0; k < one.lines->len; k++)
			g_ptr_array_add(sum.lines, g_strdup(one.lines->pdata[k]));
		ib_removal_summary_clear(&one);
	}
	*ret = sum;
	return true;
}
