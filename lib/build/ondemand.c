#include "build/internal.h"

#include <string.h>

/*
 * Features that the image does not know, brought by the packages of [features] source: .NET 3.5 from sources\sxs of a
 * medium is the one that everybody meets. Such a package is installed like a feature on demand: before the cumulative
 * update, which must see what it is to update. An update that the image has already is installed again by the profile.
 */

#define ROLLUP "Package_for_RollupFix~"
#define INSTALLED 0x70u

/* Whether the image has a feature, on or off. */
static bool knows_feature(const GPtrArray *installed, const char *feature)
{
	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *p = installed->pdata[i];
		for (guint k = 0; k < p->features->len; k++)
			if (ib_name_equal(((const struct ib_feature_state *)p->features->pdata[k])->name, feature))
				return true;
	}
	return false;
}

static bool brings_feature(const struct ib_package *p, const char *feature)
{
	const GPtrArray *mums = ib_package_mums(p);

	for (guint i = 0; i < mums->len; i++) {
		const struct ib_mum *mum = mums->pdata[i];
		for (guint k = 0; k < mum->updates->len; k++) {
			const struct ib_update *u = mum->updates->pdata[k];
			if (u->selectable && ib_name_equal(u->name, feature))
				return true;
		}
	}
	return false;
}

static bool is_wanted(const struct update *u, char *const *unknown)
{
	for (; *unknown; unknown++)
		if (brings_feature(u->package, *unknown))
			return true;
	return false;
}

bool updates_on_demand(GPtrArray *updates, struct ib_store *s, char *const *wanted, char *const *sources,
		       const struct update_options *o, struct ib_error **err)
{
	g_autoptr(GPtrArray) unknown = g_ptr_array_new();
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);
	const GPtrArray *installed;

	if (!wanted || !*wanted || !sources || !*sources)
		return true;
	if (!ib_store_packages(s, &installed, err))
		return false;
	for (; *wanted; wanted++)
		if (!knows_feature(installed, *wanted))
			g_ptr_array_add(unknown, *wanted);
	g_ptr_array_add(unknown, NULL);
	for (; unknown->len > 1 && *sources; sources++)
		if (!updates_open(all, *sources, o, err))
			return false;
	for (guint i = all->len; i-- > 0;) {
		struct update *u = all->pdata[i];
		if (!is_wanted(u, (char *const *)unknown->pdata))
			continue;
		u->named = true;
		g_ptr_array_add(updates, g_ptr_array_steal_index(all, i));
	}
	return true;
}

static bool is_rollup(const char *package_id)
{
	return g_ascii_strncasecmp(package_id, ROLLUP, strlen(ROLLUP)) == 0;
}

bool on_demand_stale(struct ib_store *s, const GPtrArray *updates, char **ret, struct ib_error **err)
{
	const GPtrArray *installed;

	*ret = NULL;
	for (guint i = 0; i < updates->len; i++)
		if (is_rollup(ib_package_root(((const struct update *)updates->pdata[i])->package)->package_id))
			return true;
	if (!ib_store_packages(s, &installed, err))
		return false;
	for (guint i = 0; i < installed->len && !*ret; i++) {
		const struct ib_installed *p = installed->pdata[i];
		if (is_rollup(p->package_id) && p->state >= INSTALLED)
			*ret = g_strdup_printf("'%s', which the image has, may hold newer versions of what a feature brought "
					       "now: name that update too, and it is installed again",
					       p->package_id);
	}
	return true;
}
