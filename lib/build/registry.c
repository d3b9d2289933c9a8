#include "build/internal.h"

#include "registry/registry.h"

/*
 * Stage registry: .reg files of [registry] into the hives of the chosen image. What belongs to a user goes to the
 * default profile's hive (HKCU) or to the system's own (HKU\.DEFAULT); CurrentControlSet is the set that Select names.
 * Each key line of a file must find its hive: a line that nobody takes is refused, not passed over.
 */

/* As much as lib/registry takes. */
#define REG_MAX (512u << 20)

/* Hives beside those the store keeps open. */
static const struct {
	const char *path, *root;
} others[] = {
	{ "Windows\\System32\\config\\SAM", "HKEY_LOCAL_MACHINE\\SAM" },
	{ "Windows\\System32\\config\\SECURITY", "HKEY_LOCAL_MACHINE\\SECURITY" },
};

static const char *const roots[IB_HIVE_COUNT] = {
	[IB_HIVE_SOFTWARE] = "HKEY_LOCAL_MACHINE\\SOFTWARE", [IB_HIVE_SYSTEM] = "HKEY_LOCAL_MACHINE\\SYSTEM",
	[IB_HIVE_COMPONENTS] = "HKEY_LOCAL_MACHINE\\COMPONENTS", [IB_HIVE_DRIVERS] = "HKEY_LOCAL_MACHINE\\DRIVERS",
	[IB_HIVE_DEFAULT] = "HKEY_USERS\\.DEFAULT", [IB_HIVE_USER] = "HKEY_CURRENT_USER",
};

struct reg_text {
	const char *path;
	const char *data;
	gsize len;
	bool wow64;
};

static bool import(struct ib_hive *hive, const char *root, const struct reg_text *t, unsigned *ret_other,
		   struct ib_error **err)
{
	return t->wow64 ? ib_hive_import_32(hive, root, t->data, t->len, t->path, ret_other, err) :
			  ib_hive_import(hive, root, t->data, t->len, t->path, ret_other, err);
}

/* Key lines of a file: all belong to other hives than one that is nowhere. */
static bool count_keys(const struct reg_text *t, unsigned *ret, struct ib_error **err)
{
	struct ib_hive *none = ib_hive_new("none");
	bool ok = import(none, "HKEY_LOCAL_MACHINE\\-", t, ret, err);

	ib_hive_free(none);
	return ok;
}

static bool into_store(struct ib_store *store, const struct reg_text *t, unsigned total, unsigned *taken,
		       struct ib_error **err)
{
	for (unsigned id = 0; id < IB_HIVE_COUNT; id++) {
		struct ib_hive *hive;
		unsigned other;
		if (!ib_image_find(ib_store_image(store), ib_hive_path(id)))
			continue;
		if (!ib_store_hive(store, id, &hive, err) || !import(hive, roots[id], t, &other, err))
			return false;
		*taken += total - other;
	}
	return true;
}

static bool into_others(struct ib_store *store, struct ib_wim *wim, uint64_t time, const struct reg_text *t,
			unsigned total, unsigned *taken, struct ib_error **err)
{
	struct ib_image *image = ib_store_image(store);

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		struct ib_hive *hive = NULL;
		unsigned other;
		if (!ib_image_find(image, others[i].path))
			continue;
		bool ok = ib_image_hive_load(image, others[i].path, false, &hive, err) &&
			  import(hive, others[i].root, t, &other, err);
		if (ok && ib_hive_changed(hive))
			ok = ib_image_hive_save(wim, image, others[i].path, hive, time, err);
		ib_hive_free(hive);
		if (!ok)
			return false;
		*taken += total - other;
	}
	return true;
}

static bool import_file(struct ib_store *store, struct ib_wim *wim, uint64_t time, const char *path, bool wow64,
			unsigned *ret_keys, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	struct reg_text t = { .path = path, .wow64 = wow64 };
	unsigned taken = 0;

	if (!ib_file_read(path, REG_MAX, &bytes, err))
		return false;
	t.data = g_bytes_get_data(bytes, &t.len);
	if (!count_keys(&t, ret_keys, err) || !into_store(store, &t, *ret_keys, &taken, err) ||
	    !into_others(store, wim, time, &t, *ret_keys, &taken, err))
		return false;
	if (taken == *ret_keys)
		return true;
	ib_throw(err, IB_ERR_INPUT, "%u of the %u keys of '%s' belong to hives the image does not have", *ret_keys - taken,
		 *ret_keys, path);
	return ib_hint(err, "an image takes HKLM\\SOFTWARE, SYSTEM, COMPONENTS, DRIVERS, SAM, SECURITY, HKU\\.DEFAULT and HKCU (the "
			    "default user), as far as it has their files");
}

/* Both lists of [registry]. */
static const struct {
	const char *key;
	bool wow64;
	const char *words;
} lists[] = { { "files", false, "" }, { "files-32", true, ", as a 32-bit program sees it" } };

bool registry_plan(struct build *b, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		for (char *const *f = ib_ini_list(b->p, "registry", lists[i].key); *f; f++) {
			g_autofree char *name = g_path_get_basename(*f);
			struct ib_store *scratch;
			unsigned keys;
			if (!base_scratch(b, &scratch, err) ||
			    !import_file(scratch, b->scratch_wim, b->filetime, *f, lists[i].wow64, &keys, err)) {
				g_autofree char *place = ib_ini_place(b->p, "registry", lists[i].key);
				return ib_while(err, "reading [registry] %s, %s", lists[i].key, place);
			}
			plan_add(b, "registry", 0, "import %s: %u keys%s", name, keys, lists[i].words);
		}
	}
	return true;
}

bool registry_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	struct target *t = install_target(b);

	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		for (char *const *f = ib_ini_list(b->p, "registry", lists[i].key); *f; f++) {
			g_autofree char *name = g_path_get_basename(*f);
			unsigned keys;
			if (!import_file(t->store, t->file->wim, b->filetime, *f, lists[i].wow64, &keys, err))
				return false;
			added_add(b, "registry", name, "%u keys%s", keys, lists[i].words);
		}
	}
	return ib_progress_add(progress, 0, err);
}
