/* Hives in their places: opening, changing, putting back. */
#include "build/hives.h"
#include "build/hives_internal.h"

#include <errno.h>

/* A hive's file and its logs: Windows' own limit for the bins is 2 GiB. */
#define HIVE_FILE_MAX UINT64_C(0x80000000)
/* As much as lib/registry takes. */
#define REG_FILE_MAX (512u << 20)

/* Words for the hives of an image, and what their roots are called in the registry. */
static const struct {
	const char *word, *root;
	enum ib_hive_id id;
} words[] = {
	{ "SOFTWARE", "HKEY_LOCAL_MACHINE\\SOFTWARE", IB_HIVE_SOFTWARE },
	{ "SYSTEM", "HKEY_LOCAL_MACHINE\\SYSTEM", IB_HIVE_SYSTEM },
	{ "COMPONENTS", "HKEY_LOCAL_MACHINE\\COMPONENTS", IB_HIVE_COMPONENTS },
	{ "DRIVERS", "HKEY_LOCAL_MACHINE\\DRIVERS", IB_HIVE_DRIVERS },
	{ "DEFAULT", "HKEY_USERS\\.DEFAULT", IB_HIVE_DEFAULT },
	{ "NTUSER", "HKEY_CURRENT_USER", IB_HIVE_USER },
};

/* Other files whose roots are known. */
static const struct {
	const char *file, *root;
} files[] = {
	{ "NTUSER.DAT", "HKEY_CURRENT_USER" },
	{ "UsrClass.dat", "HKEY_CURRENT_USER\\Software\\Classes" },
	{ "BCD", "HKEY_LOCAL_MACHINE\\BCD00000000" },
};

/* The root of a hive whose file has this name; others are named as people load them. */
static char *root_of_name(const char *path)
{
	g_autofree char *slashes = g_strdelimit(g_strdup(path), "\\", '/');
	g_autofree char *name = g_path_get_basename(slashes);

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (ib_name_equal(name, words[i].word))
			return g_strdup(words[i].root);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		if (ib_name_equal(name, files[i].file))
			return g_strdup(files[i].root);
	return g_strconcat("HKEY_LOCAL_MACHINE\\", name, NULL);
}

/* ---- a hive file ---- */

/* The log of a hive file; Windows does not care about case. An exact name comes before others. */
static char *find_log(const char *hive, const char *suffix)
{
	g_autofree char *dir = g_path_get_dirname(hive);
	g_autofree char *base = g_path_get_basename(hive);
	g_autofree char *want = g_strconcat(base, suffix, NULL);
	g_autofree char *found = NULL;
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		if (!ib_name_equal(name, want))
			continue;
		bool better = !found || strcmp(name, want) == 0 || (strcmp(found, want) != 0 && strcmp(name, found) < 0);
		if (better) {
			g_free(found);
			found = g_strdup(name);
		}
	}
	if (d)
		g_dir_close(d);
	return found ? g_build_filename(dir, found, NULL) : NULL;
}

static bool read_log(struct ib_hive_place *p, const char *suffix, GBytes **ret, struct ib_error **err)
{
	g_autofree char *path = find_log(p->where, suffix);

	if (!path)
		return true;
	if (!ib_file_read(path, HIVE_FILE_MAX, ret, err))
		return ib_while(err, "reading the log of '%s'", p->where);
	g_ptr_array_add(p->logs, g_path_get_basename(path));
	return true;
}

/* An image where a hive is wanted: say how to name what is in it. */
static bool hint_image(GBytes *bytes, const char *where, struct ib_error **err)
{
	gsize len;
	const char *p = g_bytes_get_data(bytes, &len);
	bool wim = len >= 8 && memcmp(p, "MSWIM\0\0\0", 8) == 0;
	bool disc = len >= 32774 && (memcmp(p + 32769, "CD001", 5) == 0 || memcmp(p + 32769, "BEA01", 5) == 0);

	return wim || disc ? ib_hint(err, "name the hive in the image: %s:1:SOFTWARE", where) : false;
}

static bool open_file(struct ib_hive_place *p, bool accept_dirty, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) log1 = NULL;
	g_autoptr(GBytes) log2 = NULL;
	uint8_t head[4] = "";
	ib_auto_input in = NULL;

	if (!ib_input_open(p->where, &in, err))
		return false;
	if (ib_input_size(in) >= sizeof head && !ib_input_read(in, 0, head, sizeof head, err))
		return false;
	/* An image may have any size: only what says it is a hive is read whole. */
	bool hive = memcmp(head, "regf", 4) == 0;
	ib_auto_input start = NULL;
	struct ib_extent extent = { 0, hive ? ib_input_size(in) : MIN(ib_input_size(in), 65536) };
	if (!ib_input_part(in, &extent, 1, p->where, &start, err) || !ib_input_bytes(start, HIVE_FILE_MAX, &bytes, err) ||
	    !read_log(p, ".LOG1", &log1, err) || !read_log(p, ".LOG2", &log2, err) ||
	    (!log1 && !read_log(p, ".LOG", &log1, err)))
		return false;
	struct ib_hive_options o = { .name = p->where, .log1 = log1, .log2 = log2, .accept_dirty = accept_dirty };
	if (ib_hive_load(bytes, &o, &p->hive, err))
		return true;
	return hive ? false : hint_image(bytes, p->where, err);
}

/* ---- a hive in an image ---- */

/* The WIM itself, or the one that an installation disc holds. */
static bool find_wim(const char *path, struct ib_input **ret, struct ib_error **err)
{
	static const char *const names[] = { "sources/install.wim", "sources/install.esd" };
	ib_auto_media media = NULL;
	ib_auto_input in = NULL;
	uint8_t head[8] = "";

	if (!ib_input_open(path, &in, err))
		return false;
	if (ib_input_size(in) >= sizeof head && !ib_input_read(in, 0, head, sizeof head, err))
		return false;
	if (memcmp(head, "MSWIM\0\0\0", 8) == 0) {
		*ret = g_steal_pointer(&in);
		return true;
	}
	if (!ib_media_open(in, &media, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const struct ib_media_entry *e = ib_media_find(media, names[i]);
		if (e)
			return ib_media_file(media, e, ret, err);
	}
	return ib_throw(err, IB_ERR_INPUT, "'%s' holds neither '%s' nor '%s'", path, names[0], names[1]);
}

/* FILE:2:SOFTWARE in its parts; false when it has not that form. */
static bool split_place(struct ib_hive_place *p, char **ret_file)
{
	const char *second = strrchr(p->where, ':');
	g_autofree char *front = second ? g_strndup(p->where, (gsize)(second - p->where)) : NULL;
	char *first = front ? strrchr(front, ':') : NULL;
	guint64 index;

	if (!first || first == front || !second[1] || !g_ascii_string_to_unsigned(first + 1, 10, 1, G_MAXUINT16, &index, NULL))
		return false;
	*ret_file = g_strndup(front, (gsize)(first - front));
	p->index = (unsigned)index;
	p->path = g_strdup(second + 1);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (!ib_name_equal(p->path, words[i].word))
			continue;
		g_free(p->path);
		p->path = g_strdup(ib_hive_path(words[i].id));
		if (!p->root)
			p->root = g_strdup(words[i].root);
	}
	return true;
}

static bool open_in_image(struct ib_hive_place *p, const char *file, bool accept_dirty, struct ib_error **err)
{
	ib_auto_input in = NULL;

	if (!find_wim(file, &in, err) || !ib_wim_open(in, NULL, &p->wim, err))
		return false;
	uint32_t count = ib_wim_info(p->wim)->image_count;
	if (p->index > count)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %u images, there is no %u", file, count, p->index);
	if (!ib_wim_image(p->wim, p->index, &p->image, err) ||
	    !ib_image_hive_load(p->image, p->path, accept_dirty, &p->hive, err))
		return ib_while(err, "opening image %u of '%s'", p->index, file);
	return true;
}

/* ---- opening ---- */

static bool open_place(struct ib_hive_place *p, bool accept_dirty, struct ib_error **err)
{
	g_autofree char *file = NULL;

	if (g_file_test(p->where, G_FILE_TEST_EXISTS))
		return open_file(p, accept_dirty, err);
	if (split_place(p, &file))
		return open_in_image(p, file, accept_dirty, err);
	ib_throw(err, IB_ERR_INPUT, "there is no file '%s'", p->where);
	return ib_hint(err, "give a hive file, or IMAGE:INDEX:SOFTWARE for a hive in a WIM or an ISO");
}

bool ib_hive_place_open(const char *where, const struct ib_hive_place_options *options, struct ib_hive_place **ret,
			struct ib_error **err)
{
	static const struct ib_hive_place_options none;

	if (!options)
		options = &none;
	struct ib_hive_place *p = g_new0(struct ib_hive_place, 1);
	p->where = g_strdup(where);
	p->logs = g_ptr_array_new_with_free_func(g_free);
	p->threads = options->threads;
	p->root = options->root ? ib_reg_full_path(options->root) : NULL;
	if (!open_place(p, options->accept_dirty, err)) {
		ib_hive_place_free(p);
		return false;
	}
	if (!p->root)
		p->root = root_of_name(p->path ? p->path : where);
	*ret = p;
	return true;
}

void ib_hive_place_free(struct ib_hive_place *p)
{
	if (!p)
		return;
	ib_hive_free(p->hive);
	ib_wim_free(p->wim);
	g_ptr_array_unref(p->logs);
	g_free(p->where);
	g_free(p->path);
	g_free(p->root);
	g_free(p);
}

void ib_hive_place_clear(struct ib_hive_place **p)
{
	ib_hive_place_free(g_steal_pointer(p));
}

/* ---- keys ---- */

bool hive_key_path(struct ib_hive_place *p, const char *key, char **ret, struct ib_error **err)
{
	g_autofree char *full = ib_reg_full_path(key + strspn(key, "\\"));
	size_t n = strlen(p->root);
	const char *below = full;

	if (g_ascii_strncasecmp(full, p->root, n) == 0 && (full[n] == 0 || full[n] == '\\'))
		below = full + n + strspn(full + n, "\\");
	else if (g_ascii_strncasecmp(full, "HKEY_", 5) == 0)
		return ib_throw(err, IB_ERR_INPUT, "the key '%s' is not of the hive '%s', which is %s", key, p->where, p->root);
	if (g_ascii_strcasecmp(p->root, "HKEY_LOCAL_MACHINE\\SYSTEM") == 0)
		*ret = ib_reg_control_set_path(below, ib_hive_control_set(p->hive));
	else
		*ret = g_strdup(below);
	return true;
}

/* The name a mistyped one probably means, among the subkeys. */
static const char *nearest_key(struct ib_key *parent, const char *name)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (size_t i = 0; i < ib_key_count(parent); i++)
		g_ptr_array_add(names, (void *)ib_key_name(ib_key_child(parent, i)));
	g_ptr_array_add(names, NULL);
	return ib_nearest(name, (const char *const *)names->pdata);
}

static bool throw_no_key(struct ib_hive_place *p, const char *path, struct ib_error **err)
{
	g_auto(GStrv) names = g_strsplit(path, "\\", -1);
	struct ib_key *at = ib_hive_root(p->hive), *next;
	size_t i = 0;

	for (; names[i] && (next = ib_key_find(at, names[i])); i++)
		at = next;
	const char *near = names[i] ? nearest_key(at, names[i]) : NULL;
	g_autofree char *there = ib_key_path(at);
	ib_throw(err, IB_ERR_INPUT, "the hive '%s' has no key '%s'", p->where, path);
	if (near)
		return ib_hint(err, "did you mean '%s%s%s'?", there, *there ? "\\" : "", near);
	return ib_hint(err, "'%s' is there, it has %zu subkeys", *there ? there : p->root, ib_key_count(at));
}

bool hive_key(struct ib_hive_place *p, const char *key, struct ib_key **ret, struct ib_error **err)
{
	g_autofree char *path = NULL;

	if (!hive_key_path(p, key ? key : "", &path, err))
		return false;
	*ret = ib_key_find(ib_hive_root(p->hive), path);
	return *ret ? true : throw_no_key(p, path, err);
}

bool ib_hive_place_export(struct ib_hive_place *p, const char *key, char **ret, struct ib_error **err)
{
	struct ib_key *k;

	if (!hive_key(p, key, &k, err))
		return false;
	*ret = ib_hive_export(k, p->root);
	return true;
}

bool ib_hive_place_import(struct ib_hive_place *p, const char *reg_file, unsigned *ret_other, struct ib_error **err)
{
	g_autoptr(GBytes) text = NULL;
	unsigned other = 0;
	gsize len;

	if (!ib_file_read(reg_file, REG_FILE_MAX, &text, err))
		return false;
	const char *data = g_bytes_get_data(text, &len);
	if (!ib_hive_import(p->hive, p->root, data, len, reg_file, &other, err))
		return ib_while(err, "importing '%s' into '%s'", reg_file, p->where);
	if (other && !ib_hive_changed(p->hive)) {
		ib_throw(err, IB_ERR_INPUT, "'%s' changes nothing in '%s', which is %s; %u of its keys are of other hives",
			 reg_file, p->where, p->root, other);
		return ib_hint(err, "--root says what the hive's root is called in the file");
	}
	if (ret_other)
		*ret_other = other;
	return true;
}

/* ---- putting back ---- */

struct writing {
	struct ib_wim *wim;
	struct ib_wim_write_options o;
};

static bool write_wim(const struct ib_output *out, void *data, struct ib_error **err)
{
	struct writing *w = data;
	uint64_t size;

	return ib_wim_write(w->wim, out, &w->o, &size, err);
}

/* A WIM with other content is another WIM: its GUID comes from the old one and the hive. */
static bool save_wim(struct ib_hive_place *p, const char *out, uint64_t time, struct ib_progress *progress,
		     struct ib_error **err)
{
	const struct ib_wim_info *info = ib_wim_info(p->wim);
	struct writing w = { .wim = p->wim, .o = { .size = sizeof w.o, .time = time, .progress = progress } };

	ib_wim_set_compressor(p->wim, 0, p->threads);
	if (!ib_image_hive_save(p->wim, p->image, p->path, p->hive, time, err))
		return ib_while(err, "putting the hive '%s' back", p->path);
	g_autofree char *hash = ib_hex(ib_node_hash(ib_image_find(p->image, p->path)), IB_WIM_HASH_SIZE);
	g_autofree char *name = g_strdup_printf("%u %s %s", p->index, p->path, hash);
	ib_uuid5(info->guid, name, w.o.guid);
	w.o.integrity = info->has_integrity;
	w.o.set_compression = info->has_solid; /* its content is compressed anew in any case */
	w.o.compression = IB_WIM_LZX;
	return ib_file_make(out, write_wim, &w, err) || ib_while(err, "writing '%s'", out);
}

bool ib_hive_place_save(struct ib_hive_place *p, const char *out, uint64_t time, struct ib_progress *progress,
			struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	struct ib_hive_info info;

	ib_hive_info(p->hive, &info);
	if (!time)
		time = MAX(info.time, info.newest);
	if (p->wim)
		return save_wim(p, out, time, progress, err);
	return ib_hive_save(p->hive, time, &bytes, err) &&
	       ib_file_write(out, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), err);
}
