#include "build/internal.h"

#include "registry/registry.h"

/*
 * .reg files into the hives of an image. What belongs to a user goes to the default profile's hive (HKCU) or to the
 * system's own (HKU\.DEFAULT); CurrentControlSet is the set that Select names. Each key line of a file must find its
 * hive: a line that nobody takes is refused, not passed over.
 */

/* As much as lib/registry takes. A .reg file of everything below HKLM has about 200 MB. */
#define REG_MAX (512u << 20)
/* A hive that the store does not know. */
#define NO_ID IB_HIVE_COUNT

static const struct {
	enum ib_hive_id id;
	const char *path; /* NULL: the store says */
	const char *root;
} hives[] = {
	{ IB_HIVE_SOFTWARE, NULL, "HKEY_LOCAL_MACHINE\\SOFTWARE" },
	{ IB_HIVE_SYSTEM, NULL, "HKEY_LOCAL_MACHINE\\SYSTEM" },
	{ IB_HIVE_COMPONENTS, NULL, "HKEY_LOCAL_MACHINE\\COMPONENTS" },
	{ IB_HIVE_DRIVERS, NULL, "HKEY_LOCAL_MACHINE\\DRIVERS" },
	{ NO_ID, "Windows\\System32\\config\\SAM", "HKEY_LOCAL_MACHINE\\SAM" },
	{ NO_ID, "Windows\\System32\\config\\SECURITY", "HKEY_LOCAL_MACHINE\\SECURITY" },
	{ IB_HIVE_DEFAULT, NULL, "HKEY_USERS\\.DEFAULT" },
	{ IB_HIVE_USER, NULL, "HKEY_CURRENT_USER" },
};

/* ---- files ---- */

struct reg_file {
	char *path;
	GBytes *text;
	bool wow64;
	unsigned keys, left; /* key lines; those that no hive has taken yet */
};

static void reg_file_clear(void *p)
{
	struct reg_file *f = p;

	g_free(f->path);
	g_bytes_unref(f->text);
}

GArray *reg_files_new(void)
{
	GArray *files = g_array_new(FALSE, FALSE, sizeof(struct reg_file));

	g_array_set_clear_func(files, reg_file_clear);
	return files;
}

static bool import(struct ib_hive *hive, const char *root, const struct reg_file *f, unsigned *ret_other,
		   struct ib_error **err)
{
	gsize len;
	const char *text = g_bytes_get_data(f->text, &len);

	return f->wow64 ? ib_hive_import_32(hive, root, text, len, f->path, ret_other, err) :
			  ib_hive_import(hive, root, text, len, f->path, ret_other, err);
}

/* All lines belong to other hives than one that is nowhere. */
static bool count_keys(struct reg_file *f, struct ib_error **err)
{
	struct ib_hive *none = ib_hive_new("none");
	bool ok = import(none, "HKEY_LOCAL_MACHINE\\-", f, &f->keys, err);

	ib_hive_free(none);
	f->left = f->keys;
	return ok;
}

bool reg_files_read(GArray *files, const char *path, bool wow64, struct ib_error **err)
{
	struct reg_file f = { .wow64 = wow64 };

	if (!ib_file_read(path, REG_MAX, &f.text, err))
		return false;
	f.path = g_strdup(path);
	g_array_append_val(files, f);
	return count_keys(&g_array_index(files, struct reg_file, files->len - 1), err);
}

static unsigned count_all(GArray *files)
{
	unsigned n = 0;

	for (guint i = 0; i < files->len; i++)
		n += g_array_index(files, struct reg_file, i).keys;
	return n;
}

/* ---- hives ---- */

static bool import_files(GArray *files, const struct reg_place *to, struct ib_hive *hive, const char *root, const char *path,
			 struct ib_error **err)
{
	for (guint i = 0; i < files->len; i++) {
		struct reg_file *f = &g_array_index(files, struct reg_file, i);
		unsigned other;
		if (!import(hive, root, f, &other, err))
			return false;
		if (other < f->keys && to->said)
			to->said(to->data, f->keys - other, f->path, path);
		f->left -= MIN(f->left, f->keys - other);
	}
	return true;
}

/* A hive that the store has open stays there; any other one is loaded, and saved when it changed. */
static bool import_hive(GArray *files, const struct reg_place *to, size_t i, struct ib_error **err)
{
	const char *path = hives[i].path ? hives[i].path : ib_hive_path(hives[i].id);
	struct ib_hive *hive = NULL;

	if (!ib_image_find(to->image, path))
		return true;
	if (to->store && hives[i].id != NO_ID)
		return ib_store_hive(to->store, hives[i].id, &hive, err) &&
		       import_files(files, to, hive, hives[i].root, path, err);
	bool ok = ib_image_hive_load(to->image, path, false, &hive, err) &&
		  import_files(files, to, hive, hives[i].root, path, err);
	if (ok && ib_hive_changed(hive))
		ok = ib_image_hive_save(to->wim, to->image, path, hive, to->time, err);
	ib_hive_free(hive);
	return ok;
}

static bool check_all_taken(GArray *files, struct ib_error **err)
{
	for (guint i = 0; i < files->len; i++) {
		const struct reg_file *f = &g_array_index(files, struct reg_file, i);
		if (f->left == 0)
			continue;
		ib_throw(err, IB_ERR_INPUT, "%u of the %u keys of '%s' belong to hives the image does not have", f->left, f->keys,
			 f->path);
		return ib_hint(err, "an image takes HKLM\\SOFTWARE, SYSTEM, COMPONENTS, DRIVERS, SAM, SECURITY, HKU\\.DEFAULT and "
				    "HKCU (the default user), as far as it has their files");
	}
	return true;
}

bool reg_files_import(GArray *files, const struct reg_place *to, struct ib_error **err)
{
	for (size_t i = 0; files->len > 0 && i < G_N_ELEMENTS(hives); i++)
		if (!import_hive(files, to, i, err))
			return false;
	return check_all_taken(files, err);
}

/* ---- the stage ---- */

static bool import_file(struct ib_store *store, struct ib_wim *wim, uint64_t time, const char *path, bool wow64,
			unsigned *ret_keys, struct ib_error **err)
{
	struct reg_place to = { .store = store, .wim = wim, .image = ib_store_image(store), .time = time };
	g_autoptr(GArray) files = reg_files_new();

	if (!reg_files_read(files, path, wow64, err) || !reg_files_import(files, &to, err))
		return false;
	*ret_keys = count_all(files);
	return true;
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
