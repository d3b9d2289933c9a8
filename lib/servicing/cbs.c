/* Component Based Servicing's own registry: packages, updates, index, who was replaced. */
#include "servicing/internal.h"

#include <string.h>

#define INSTALL_CLIENT "DISM Package Manager Provider"
#define INSTALL_USER "S-1-5-18"
#define OWNER_INSTALLED 0x00020070u /* low word: state; as seen on real systems */

static void feature_free(void *p)
{
	struct ib_feature_state *f = p;

	g_free(f->name);
	g_free(f);
}

static void installed_free(void *p)
{
	struct ib_installed *i = p;

	g_free(i->package_id);
	g_free(i->release_type);
	g_ptr_array_unref(i->features);
	g_free(i);
}

void ib_svc_packages_changed(struct ib_store *s)
{
	g_clear_pointer(&s->packages, g_ptr_array_unref);
}

char **ib_svc_package_parts(const char *package_id)
{
	char **parts = g_strsplit(package_id, "~", 6);

	if (g_strv_length(parts) == 5)
		return parts;
	g_strfreev(parts);
	return NULL;
}

char *ib_svc_package_family(const char *package_id)
{
	const char *last = strrchr(package_id, '~');

	return last ? g_strndup(package_id, (gsize)(last - package_id + 1)) : g_strdup(package_id);
}

static uint32_t dword(const struct ib_key *key, const char *name)
{
	const struct ib_value *v = ib_key_value(key, name);
	uint64_t n;

	return v && ib_value_number(v, &n) ? (uint32_t)n : 0;
}

static int by_feature(gconstpointer a, gconstpointer b)
{
	return ib_name_compare((*(struct ib_feature_state *const *)a)->name, (*(struct ib_feature_state *const *)b)->name);
}

static bool read_package(struct ib_store *s, struct ib_key *key, struct ib_error **err)
{
	struct ib_installed *p = g_new0(struct ib_installed, 1);
	struct ib_key *updates = ib_key_find(key, "Updates");
	const struct ib_mum *mum;

	p->package_id = g_strdup(ib_key_name(key));
	p->state = dword(key, "CurrentState");
	p->features = g_ptr_array_new_with_free_func(feature_free);
	g_ptr_array_add(s->packages, p);
	if (!ib_svc_mum(s, p->package_id, &mum, err))
		return false;
	p->release_type = mum ? g_strdup(mum->release_type) : NULL;
	for (guint i = 0; mum && updates && i < mum->updates->len; i++) {
		const struct ib_update *u = mum->updates->pdata[i];
		if (!u->selectable)
			continue;
		struct ib_feature_state *f = g_new0(struct ib_feature_state, 1);
		f->name = g_strdup(u->name);
		f->state = dword(updates, u->name);
		g_ptr_array_add(p->features, f);
	}
	g_ptr_array_sort(p->features, by_feature);
	return true;
}

bool ib_store_packages(struct ib_store *s, const GPtrArray **ret, struct ib_error **err)
{
	struct ib_hive *software;

	if (!s->packages) {
		if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
			return false;
		s->packages = g_ptr_array_new_with_free_func(installed_free);
		struct ib_key *dir = ib_key_find(ib_hive_root(software), PATH_CBS "\\Packages");
		for (size_t i = 0; dir && i < ib_key_count(dir); i++)
			if (!read_package(s, ib_key_child(dir, i), err)) {
				ib_svc_packages_changed(s);
				return ib_while(err, "reading the installed packages");
			}
	}
	*ret = s->packages;
	return true;
}

bool ib_svc_mum(struct ib_store *s, const char *package_id, const struct ib_mum **ret, struct ib_error **err)
{
	g_autofree char *folded = ib_name_fold(package_id);
	struct ib_mum *mum = g_hash_table_lookup(s->mums, folded);
	g_autofree char *name = g_strconcat(package_id, ".mum", NULL);
	g_autofree char *path = g_strconcat(DIR_PACKAGES "\\", name, NULL);
	g_autoptr(GBytes) bytes = NULL;

	*ret = mum;
	if (mum || !ib_image_find(s->image, path))
		return true;
	if (!ib_image_read(s->image, path, METADATA_LIMIT, &bytes, err) || !ib_mum_parse(bytes, name, &mum, err))
		return ib_svc_damaged(err) || ib_while(err, "reading the installed package '%s'", package_id);
	g_hash_table_insert(s->mums, g_steal_pointer(&folded), mum);
	*ret = mum;
	return true;
}

bool ib_svc_package_key(struct ib_store *s, const char *package_id, bool make, struct ib_key **ret,
			struct ib_error **err)
{
	g_autofree char *path = g_strconcat(PATH_CBS "\\Packages\\", package_id, NULL);
	struct ib_hive *software;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	if (make)
		return ib_key_make(software, ib_hive_root(software), path, ret, err);
	*ret = ib_key_find(ib_hive_root(software), path);
	return true;
}

/* Values of a package's key, in the order the stack writes them. */
static bool write_values(struct ib_store *s, struct ib_key *key, const struct ib_package_state *p, struct ib_error **err)
{
	struct ib_hive *h = s->hives[IB_HIVE_SOFTWARE];
	g_autofree char *file = g_strconcat(p->mum->package_id, ".mum", NULL);
	struct ib_key *owners;

	return ib_key_set_text(h, key, "InstallClient", IB_REG_SZ, INSTALL_CLIENT, err) &&
	       ib_key_set_text(h, key, "InstallName", IB_REG_SZ, file, err) &&
	       ib_key_set_text(h, key, "InstallLocation", IB_REG_SZ, p->location, err) &&
	       ib_key_set_dword(h, key, "CurrentState", p->state, err) &&
	       ib_key_set_dword(h, key, "SelfUpdate", 0, err) &&
	       ib_key_set_dword(h, key, "Visibility", p->hidden ? 2 : 1, err) &&
	       ib_key_set_dword(h, key, "InstallTimeHigh", (uint32_t)(s->time >> 32), err) &&
	       ib_key_set_dword(h, key, "InstallTimeLow", (uint32_t)s->time, err) &&
	       ib_key_set_text(h, key, "InstallUser", IB_REG_SZ, INSTALL_USER, err) &&
	       ib_key_make(h, key, "Owners", &owners, err) &&
	       ib_key_set_dword(h, owners, p->owner, (OWNER_INSTALLED & 0xFFFF0000u) | p->state, err);
}

/*
 * PackageIndex\<id with version 0.0.0.0> names the newest version. The image's own entries show whether the
 * name or the data of the value carries the id; without any, the default value does.
 */
static bool write_index(struct ib_store *s, const char *package_id, struct ib_error **err)
{
	struct ib_hive *h = s->hives[IB_HIVE_SOFTWARE];
	g_autofree char *family = ib_svc_package_family(package_id);
	g_autofree char *path = g_strconcat(PATH_CBS "\\PackageIndex\\", family, "0.0.0.0", NULL);
	struct ib_key *index = ib_key_find(ib_hive_root(h), PATH_CBS "\\PackageIndex");
	const struct ib_value *sample = NULL;
	struct ib_key *key;

	for (size_t i = 0; index && !sample && i < ib_key_count(index); i++) {
		struct ib_key *k = ib_key_child(index, i);
		sample = ib_key_value_count(k) ? ib_key_value_at(k, 0) : NULL;
	}
	bool by_name = sample && strchr(ib_value_name(sample), '~');
	g_autofree char *name = by_name || !sample ? NULL : g_strdup(ib_value_name(sample));
	uint32_t type = sample ? ib_value_type(sample) : IB_REG_SZ;
	size_t len = 0;
	const uint8_t *data = sample ? ib_value_data(sample, &len) : NULL;
	g_autofree uint8_t *copy = len ? g_memdup2(data, len) : NULL;
	if (!ib_key_make(h, ib_hive_root(h), path, &key, err))
		return false;
	for (size_t i = ib_key_value_count(key); i-- > 0;) {
		g_autofree char *old = g_strdup(ib_value_name(ib_key_value_at(key, i)));
		ib_key_unset(h, key, old);
	}
	return by_name ? ib_key_set(h, key, package_id, type, copy, len, err)
		       : ib_key_set_text(h, key, name ? name : "", IB_REG_SZ, package_id, err);
}

/* PackageDetect\<parent id>: value = the package whose parent it is. */
static bool write_detect(struct ib_store *s, const struct ib_mum *mum, struct ib_error **err)
{
	struct ib_hive *h = s->hives[IB_HIVE_SOFTWARE];

	for (guint i = 0; i < mum->parents->len; i++) {
		const struct ib_parent *p = mum->parents->pdata[i];
		for (guint k = 0; k < p->identities->len; k++) {
			g_autofree char *parent = ib_package_id(p->identities->pdata[k]);
			g_autofree char *path = g_strconcat(PATH_CBS "\\PackageDetect\\", parent, NULL);
			struct ib_key *key;
			if (!ib_svc_package_key(s, parent, false, &key, err))
				return false;
			if (!key) /* another alternative's parent */
				continue;
			if (!ib_key_make(h, ib_hive_root(h), path, &key, err) ||
			    !ib_key_set_dword(h, key, mum->package_id, 0, err))
				return false;
		}
	}
	return true;
}

bool ib_svc_package_write(struct ib_store *s, const struct ib_package_state *p, struct ib_error **err)
{
	struct ib_key *key;

	ib_svc_packages_changed(s);
	return ib_svc_package_key(s, p->mum->package_id, true, &key, err) && write_values(s, key, p, err) &&
	       write_index(s, p->mum->package_id, err) && write_detect(s, p->mum, err);
}

bool ib_svc_update_state(struct ib_store *s, const char *package_id, const char *update, uint32_t state,
			 struct ib_error **err)
{
	struct ib_key *key, *updates;

	ib_svc_packages_changed(s);
	return ib_svc_package_key(s, package_id, true, &key, err) &&
	       ib_key_make(s->hives[IB_HIVE_SOFTWARE], key, "Updates", &updates, err) &&
	       ib_key_set_dword(s->hives[IB_HIVE_SOFTWARE], updates, update, state, err);
}

static bool set_superseded(struct ib_store *s, const char *package_id, struct ib_error **err)
{
	struct ib_key *key;

	return ib_svc_package_key(s, package_id, false, &key, err) &&
	       (!key || dword(key, "CurrentState") <= STATE_SUPERSEDED ||
		ib_key_set_dword(s->hives[IB_HIVE_SOFTWARE], key, "CurrentState", STATE_SUPERSEDED, err));
}

/* Parts of a superseded package go with it, unless somebody else owns them too. */
static bool supersede_parts(struct ib_store *s, const char *package_id, struct ib_error **err)
{
	struct ib_key *dir = ib_key_find(ib_hive_root(s->hives[IB_HIVE_SOFTWARE]), PATH_CBS "\\Packages");

	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		struct ib_key *key = ib_key_child(dir, i);
		struct ib_key *owners = ib_key_find(key, "Owners");
		if (owners && ib_key_value_count(owners) == 1 && ib_key_value(owners, package_id) &&
		    !set_superseded(s, ib_key_name(key), err))
			return false;
	}
	return true;
}

bool ib_svc_supersede(struct ib_store *s, const struct ib_mum *mum, struct ib_error **err)
{
	g_autofree char *family = ib_svc_package_family(mum->package_id);
	size_t len = strlen(family);
	struct ib_hive *software;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	/* Straight over the keys: an update has a thousand packages, an image several thousand. */
	struct ib_key *dir = ib_key_find(ib_hive_root(software), PATH_CBS "\\Packages");
	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		struct ib_key *key = ib_key_child(dir, i);
		const char *id = ib_key_name(key);
		struct ib_version v;
		if (g_ascii_strncasecmp(id, family, len) || !ib_version_parse(id + len, &v) ||
		    ib_version_compare(&v, &mum->id.number) >= 0 || dword(key, "CurrentState") <= STATE_SUPERSEDED)
			continue;
		if (!set_superseded(s, id, err) || !supersede_parts(s, id, err))
			return false;
	}
	ib_svc_packages_changed(s);
	return true;
}

/* Values named by the package, or keys, below a folder of CBS. */
static bool forget(struct ib_store *s, const char *folder, const char *package_id, struct ib_error **err)
{
	struct ib_hive *h = s->hives[IB_HIVE_SOFTWARE];
	g_autofree char *path = g_strconcat(PATH_CBS "\\", folder, NULL);
	struct ib_key *dir = ib_key_find(ib_hive_root(h), path);

	for (size_t i = dir ? ib_key_count(dir) : 0; i-- > 0;) {
		struct ib_key *key = ib_key_child(dir, i);
		struct ib_key *owners = ib_key_find(key, "Owners");
		bool had = ib_key_unset(h, key, package_id);
		if (owners)
			ib_key_unset(h, owners, package_id);
		if (ib_name_equal(ib_key_name(key), package_id) ||
		    (had && !ib_key_value_count(key) && !ib_key_count(key))) {
			if (!ib_key_remove(h, key, err))
				return false;
		}
	}
	return true;
}

/* The index of a removed package: to the newest version that is left, or gone. */
static bool reindex(struct ib_store *s, const char *package_id, struct ib_error **err)
{
	struct ib_hive *h = s->hives[IB_HIVE_SOFTWARE];
	g_autofree char *family = ib_svc_package_family(package_id);
	g_autofree char *path = g_strconcat(PATH_CBS "\\PackageIndex\\", family, "0.0.0.0", NULL);
	struct ib_key *dir = ib_key_find(ib_hive_root(h), PATH_CBS "\\Packages");
	g_autofree char *best = NULL;
	struct ib_version top = { { 0 } }, v;

	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		const char *id = ib_key_name(ib_key_child(dir, i));
		g_autofree char *other = ib_svc_package_family(id);
		if (!ib_name_equal(other, family) || !ib_version_parse(id + strlen(other), &v) ||
		    (best && ib_version_compare(&v, &top) <= 0))
			continue;
		top = v;
		g_free(best);
		best = g_strdup(id);
	}
	if (best)
		return write_index(s, best, err);
	struct ib_key *key = ib_key_find(ib_hive_root(h), path);
	return !key || ib_key_remove(h, key, err);
}

bool ib_svc_package_remove(struct ib_store *s, const char *package_id, struct ib_error **err)
{
	static const char *const folders[] = { "Packages", "PackageDetect", "UpdateDetect", "ComponentDetect" };
	static const char *const suffixes[] = { ".mum", ".cat" };
	struct ib_hive *software;
	bool removed;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
		if (!forget(s, folders[i], package_id, err))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *path = g_strconcat(DIR_PACKAGES "\\", package_id, suffixes[i], NULL);
		if (!ib_svc_remove_path(s, path, &removed, err))
			return false;
	}
	g_autofree char *root = g_strconcat(DIR_CATROOT "\\", package_id, ".cat", NULL);
	g_autofree char *deltas = g_strconcat("Windows\\servicing\\LCU\\", package_id, NULL);
	g_autofree char *folded = ib_name_fold(package_id);
	g_hash_table_remove(s->mums, folded);
	ib_svc_packages_changed(s);
	return ib_svc_remove_path(s, root, &removed, err) && ib_svc_remove_path(s, deltas, &removed, err) &&
	       reindex(s, package_id, err);
}
