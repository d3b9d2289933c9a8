/* A unit: one place whose files share one set of names. A cabinet, a WIM's image, or a folder. */
#include "package/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Most levels of folders in an expanded package: a component's folder and one or two below. */
#define FOLDER_DEPTH 16
/* Bytes that tell a cabinet from a WIM. */
#define MAGIC_SIZE 8
/* Bytes that must be wanted before threads are started for them. */
#define AHEAD_MIN (1u << 20)
/* Most bytes kept of a unit: more than the payload of the largest update known. */
#define KEPT_MAX (UINT64_C(4) << 30)

static struct unit *unit_new(enum unit_form form, const char *name)
{
	struct unit *u = g_new0(struct unit, 1);

	u->form = form;
	u->name = g_strdup(name);
	u->names = g_string_chunk_new(4096);
	u->files = g_array_new(FALSE, TRUE, sizeof(struct unit_file));
	u->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return u;
}

void package_unit_free(struct unit *u)
{
	if (!u)
		return;
	ib_input_unref(u->in);
	ib_cabinet_free(u->cab);
	ib_wim_free(u->wim);
	package_spool_free(u->spool);
	g_free(u->path);
	g_free(u->name);
	g_array_unref(u->files);
	g_hash_table_unref(u->by_name);
	g_string_chunk_free(u->names);
	g_free(u);
}

const struct unit_file *package_unit_file(const struct unit *u, guint i)
{
	return &g_array_index(u->files, struct unit_file, i);
}

bool package_unit_find(const struct unit *u, const char *name, guint *ret)
{
	g_autofree char *key = ib_name_fold(name);
	gpointer value;

	if (!g_hash_table_lookup_extended(u->by_name, key, NULL, &value))
		return false;
	*ret = GPOINTER_TO_UINT(value);
	return true;
}

/* The first of several of one name is the one found by it. */
static bool add_file(struct unit *u, const struct unit_file *file, struct ib_error **err)
{
	char *key = ib_name_fold(file->name);

	if (u->files->len >= MEMBERS_MAX) {
		g_free(key);
		return ib_throw(err, IB_ERR_INPUT, "'%s' has more than %u files, the most accepted", u->path, MEMBERS_MAX);
	}
	if (g_hash_table_contains(u->by_name, key))
		g_free(key);
	else
		g_hash_table_insert(u->by_name, key, GUINT_TO_POINTER(u->files->len));
	g_array_append_val(u->files, *file);
	return true;
}

/* ---- cabinets ---- */

static bool open_cab(struct unit *u, struct ib_error **err)
{
	if (!ib_cabinet_open(u->in, &u->cab, err))
		return false;
	for (size_t i = 0; i < ib_cabinet_count(u->cab); i++) {
		const struct ib_cabinet_file *f = ib_cabinet_file(u->cab, i);
		struct unit_file file = { .name = f->name, .size = f->size, .folder = f->folder };
		if (!add_file(u, &file, err))
			return false;
	}
	return true;
}

/* ---- WIM images ---- */

static bool add_nodes(struct unit *u, struct ib_image *image, struct ib_node *dir, const char *prefix, unsigned depth,
		      struct ib_error **err)
{
	if (depth > FOLDER_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is more than %u folders deep", u->path, FOLDER_DEPTH);
	for (struct ib_node *n = ib_node_first(dir); n; n = ib_node_next(n)) {
		g_autofree char *name = g_strconcat(prefix, ib_node_name(n), NULL);
		if (ib_node_is_dir(n)) {
			g_autofree char *below = g_strconcat(name, "\\", NULL);
			if (!add_nodes(u, image, n, below, depth + 1, err))
				return false;
			continue;
		}
		struct unit_file file = { .name = g_string_chunk_insert(u->names, name),
					  .size = ib_node_size(image, n), .hash = ib_node_hash(n) };
		if (!add_file(u, &file, err))
			return false;
	}
	return true;
}

static bool open_wim(struct unit *u, struct ib_error **err)
{
	struct ib_image *image;

	if (!ib_wim_open(u->in, NULL, &u->wim, err))
		return false;
	unsigned count = ib_wim_info(u->wim)->image_count;
	if (count != 1)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a WIM of %u images; a package has one", u->path, count);
	return ib_wim_image(u->wim, 1, &image, err) && add_nodes(u, image, ib_image_root(image), "", 0, err);
}

/* ---- folders ---- */

static bool list_entry(struct unit *u, const char *name, unsigned depth, GPtrArray *names, struct ib_error **err);

/* Names of all files below folder/sub, with '/' between parts, in no order yet. */
static bool list_folder(struct unit *u, const char *sub, unsigned depth, GPtrArray *names, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(u->path, sub, NULL);
	g_autoptr(GError) why = NULL;
	g_autoptr(GDir) dir = g_dir_open(path, 0, &why);
	const char *entry;

	if (!dir)
		return ib_throw(err, IB_ERR_SYSTEM, "cannot list '%s': %s", path, why->message);
	if (depth > FOLDER_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is more than %u folders deep", path, FOLDER_DEPTH);
	while ((entry = g_dir_read_name(dir))) {
		g_autofree char *name = *sub ? g_strconcat(sub, "/", entry, NULL) : g_strdup(entry);
		if (!g_utf8_validate(entry, -1, NULL) || strpbrk(entry, "\\:"))
			return ib_throw(err, IB_ERR_INPUT, "'%s' holds a file whose name Windows cannot have", path);
		if (!list_entry(u, name, depth, names, err))
			return false;
	}
	return true;
}

static bool list_entry(struct unit *u, const char *name, unsigned depth, GPtrArray *names, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(u->path, name, NULL);
	struct stat st;

	if (lstat(path, &st) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot look at '%s'", path);
	if (S_ISDIR(st.st_mode))
		return list_folder(u, name, depth + 1, names, err);
	if (!S_ISREG(st.st_mode))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a file nor a folder", path);
	if (names->len >= MEMBERS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has more than %u files, the most accepted", u->path, MEMBERS_MAX);
	g_ptr_array_add(names, g_strdup(name));
	return true;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool package_unit_open_folder(const char *path, struct unit **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct unit *u = unit_new(UNIT_FOLDER, NULL);

	u->path = g_strdup(path);
	bool ok = list_folder(u, "", 0, names, err);
	g_ptr_array_sort(names, compare_names); /* a folder's own order differs from machine to machine */
	for (guint i = 0; ok && i < names->len; i++) {
		g_autofree char *full = g_build_filename(path, g_ptr_array_index(names, i), NULL);
		struct stat st = { 0 };
		if (lstat(full, &st) < 0) {
			ok = ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot look at '%s'", full);
			break;
		}
		struct unit_file file = { .size = (uint64_t)st.st_size };
		file.name = g_strdelimit(g_string_chunk_insert(u->names, g_ptr_array_index(names, i)), "/", '\\');
		ok = add_file(u, &file, err);
	}
	if (!ok) {
		package_unit_free(u);
		return false;
	}
	*ret = u;
	return true;
}

bool package_unit_open(struct ib_input *in, const char *name, struct unit **ret, struct ib_error **err)
{
	uint8_t magic[MAGIC_SIZE] = { 0 };

	if (!ib_input_read(in, 0, magic, (size_t)MIN(ib_input_size(in), (uint64_t)MAGIC_SIZE), err))
		return false;
	bool wim = memcmp(magic, "MSWIM", 5) == 0;
	if (!wim && memcmp(magic, "MSCF", 4) != 0)
		return ib_throw(err, IB_ERR_INPUT, name ? "'%s' is not a cabinet" : "'%s' is neither a cabinet nor an .msu",
				ib_input_name(in));
	struct unit *u = unit_new(wim ? UNIT_WIM : UNIT_CAB, name);
	u->in = ib_input_ref(in);
	u->path = g_strdup(ib_input_name(in));
	if (!(wim ? open_wim(u, err) : open_cab(u, err))) {
		package_unit_free(u);
		return false;
	}
	*ret = u;
	return true;
}

/* ---- reading ---- */

static bool open_stream(struct unit *u, guint i, struct ib_stream **ret, struct ib_error **err)
{
	const struct unit_file *f = package_unit_file(u, i);
	static const uint8_t empty[IB_WIM_HASH_SIZE];

	if (u->form == UNIT_WIM)
		return ib_wim_open_blob(u->wim, f->hash ? f->hash : empty, ret, err);
	g_autofree char *slashed = g_strdelimit(g_strdup(f->name), "\\", '/');
	g_autofree char *path = g_build_filename(u->path, slashed, NULL);
	ib_auto_input in = NULL;
	if (!ib_input_open(path, &in, err))
		return false;
	*ret = ib_stream_from_input(in);
	return true;
}

static bool each_plain(struct unit *u, const uint8_t *wanted, unit_fn fn, void *data, struct ib_error **err)
{
	for (guint i = 0; i < u->files->len; i++) {
		struct ib_stream *stream;
		if (!wanted[i])
			continue;
		if (!ib_progress_add(u->progress, 0, err) || !open_stream(u, i, &stream, err))
			return false;
		bool ok = fn(i, stream, data, err);
		ib_stream_free(stream);
		if (!ok)
			return false;
	}
	return true;
}

static bool next_file(struct ib_archive *a, const struct unit *u, guint i, struct ib_error **err)
{
	const struct unit_file *f = package_unit_file(u, i);
	struct ib_archive_member m;
	bool more;

	if (!ib_archive_next(a, &m, &more, err))
		return false;
	if (more && strcmp(m.name, f->name) == 0 && m.size == f->size)
		return true;
	return ib_throw(err, IB_ERR_INPUT, "cabinet '%s' is damaged: instead of '%s' comes %s%s", u->path, f->name,
			more ? "the file " : "the end", more ? m.name : "");
}

/* Files of a folder that are all kept. */
static bool kept_folder(struct unit *u, unsigned folder, const uint8_t *wanted, const struct folder_range *range,
			unit_fn fn, void *data, struct ib_error **err)
{
	for (guint i = range->first; i <= range->last; i++) {
		const struct unit_file *f = package_unit_file(u, i);
		if (f->folder != folder || !wanted[i])
			continue;
		struct ib_stream *stream = package_spool_open(u->spool, &f->kept);
		bool ok = fn(i, stream, data, err);
		ib_stream_free(stream);
		if (!ok)
			return false;
	}
	return true;
}

/* The file that the archive is at. */
static bool take_file(struct unit *u, struct ib_archive *a, guint i, bool wanted, unit_fn fn, void *data,
		      struct ib_error **err)
{
	struct unit_file *f = &g_array_index(u->files, struct unit_file, i);
	struct ib_stream *stream = ib_archive_stream(a);
	bool ok = wanted ? fn(i, stream, data, err) : package_spool_add_stream(u->spool, stream, f->size, u->progress, &f->kept, err);

	ib_stream_free(stream);
	return ok;
}

bool package_unit_folder(struct unit *u, unsigned folder, const uint8_t *wanted, const struct folder_range *range,
			 unit_fn fn, void *data, struct ib_error **err)
{
	struct ib_archive *a;
	bool ok = true;

	if (!range->unpack)
		return kept_folder(u, folder, wanted, range, fn, data, err);
	if (!ib_cabinet_read(u->cab, folder, &a, err))
		return false;
	for (guint i = range->first; ok && i <= range->last; i++) {
		if (package_unit_file(u, i)->folder != folder)
			continue;
		ok = ib_progress_add(u->progress, 0, err) && next_file(a, u, i, err);
		if (ok && (wanted[i] || range->keep))
			ok = take_file(u, a, i, wanted[i], fn, data, err);
	}
	ib_archive_free(a);
	return ok;
}

/* What of each folder of a cabinet is wanted; ret: GArray of struct folder_range. */
static void find_ranges(const struct unit *u, const uint8_t *wanted, GArray *ret)
{
	g_array_set_size(ret, 0);
	g_array_set_size(ret, ib_cabinet_folders(u->cab));
	for (guint i = 0; i < u->files->len; i++) {
		const struct unit_file *f = package_unit_file(u, i);
		struct folder_range *r = &g_array_index(ret, struct folder_range, f->folder);
		if (!r->seen)
			r->first = i;
		r->seen = true;
		if (!wanted[i])
			continue;
		r->any = true;
		r->unpack |= !f->kept.there;
		r->last = i;
	}
}

/* Folders that are unpacked anyway are unpacked whole and kept, as far as there is room. */
static void find_keepable(struct unit *u, const uint8_t *wanted, GArray *ranges)
{
	g_autofree uint64_t *bytes = g_new0(uint64_t, ranges->len + 1);

	for (guint i = 0; i < u->files->len; i++) {
		const struct unit_file *f = package_unit_file(u, i);
		if (!wanted[i] && !f->kept.there)
			bytes[f->folder] += f->size;
	}
	for (guint k = 0; k < ranges->len; k++) {
		struct folder_range *r = &g_array_index(ranges, struct folder_range, k);
		r->keep = r->unpack && ib_cabinet_is_packed(u->cab, k) && bytes[k] <= KEPT_MAX - u->kept;
		if (r->keep)
			u->kept += bytes[k];
	}
	for (guint i = 0; i < u->files->len; i++) {
		struct folder_range *r = &g_array_index(ranges, struct folder_range, package_unit_file(u, i)->folder);
		if (r->keep)
			r->last = i;
	}
}

/* Threads pay when more than one folder and more than a little is to be read. */
static bool is_worth_it(const struct unit *u, const uint8_t *wanted, const GArray *ranges)
{
	uint64_t bytes = 0;
	unsigned folders = 0;

	for (guint f = 0; f < ranges->len; f++)
		folders += g_array_index(ranges, struct folder_range, f).unpack;
	for (guint i = 0; i < u->files->len; i++) {
		const struct unit_file *f = package_unit_file(u, i);
		bytes += wanted[i] || g_array_index(ranges, struct folder_range, f->folder).keep ? f->size : 0;
	}
	return folders > 1 && bytes > AHEAD_MIN;
}

static bool each_folder(struct unit *u, const uint8_t *wanted, bool keep, unsigned threads, unit_fn fn, void *data,
			struct ib_error **err)
{
	g_autoptr(GArray) ranges = g_array_new(FALSE, TRUE, sizeof(struct folder_range));

	find_ranges(u, wanted, ranges);
	if (keep)
		find_keepable(u, wanted, ranges);
	if (threads > 1 && is_worth_it(u, wanted, ranges))
		return package_unit_ahead(u, wanted, ranges, threads, fn, data, err);
	for (guint f = 0; f < ranges->len; f++) {
		const struct folder_range *r = &g_array_index(ranges, struct folder_range, f);
		if (r->any && !package_unit_folder(u, f, wanted, r, fn, data, err))
			return false;
	}
	return true;
}

static bool each_file(struct unit *u, const uint8_t *wanted, bool keep, unsigned threads, unit_fn fn, void *data,
		      struct ib_error **err)
{
	if (u->form != UNIT_CAB)
		return each_plain(u, wanted, fn, data, err);
	if (each_folder(u, wanted, keep, threads, fn, data, err))
		return true;
	return u->name ? ib_while(err, "reading the inner cabinet '%s'", u->name) : false;
}

bool package_unit_each(struct unit *u, const uint8_t *wanted, unsigned threads, unit_fn fn, void *data,
		       struct ib_error **err)
{
	return each_file(u, wanted, false, threads, fn, data, err);
}

bool package_unit_each_keeping(struct unit *u, const uint8_t *wanted, const char *dir, unsigned threads, unit_fn fn,
			       void *data, struct ib_error **err)
{
	if (!u->spool)
		u->spool = package_spool_new(dir);
	return each_file(u, wanted, true, threads, fn, data, err);
}

/* ---- at any offset ---- */

struct spooling {
	const struct unit *u;
	const char *dir;
	struct ib_input **ret;
};

static bool spool_file(guint i, struct ib_stream *stream, void *data, struct ib_error **err)
{
	struct spooling *s = data;

	return package_spool_stream(s->dir, stream, package_unit_file(s->u, i)->name, s->u->progress, s->ret, err);
}

bool package_unit_input(struct unit *u, guint i, const char *spool_dir, struct ib_input **ret, struct ib_error **err)
{
	const struct unit_file *f = package_unit_file(u, i);

	*ret = NULL;
	if (u->form == UNIT_FOLDER) {
		g_autofree char *slashed = g_strdelimit(g_strdup(f->name), "\\", '/');
		g_autofree char *path = g_build_filename(u->path, slashed, NULL);
		return ib_input_open(path, ret, err);
	}
	if (u->form == UNIT_CAB && !ib_cabinet_map(u->cab, i, f->name, ret, err))
		return false;
	if (u->form == UNIT_WIM && f->hash && !ib_wim_map_blob(u->wim, f->hash, f->name, ret, err))
		return false;
	if (*ret)
		return true;
	struct spooling s = { .u = u, .dir = spool_dir, .ret = ret };
	g_autofree uint8_t *wanted = g_malloc0(u->files->len);
	wanted[i] = 1;
	return package_unit_each(u, wanted, 1, spool_file, &s, err);
}

struct reading {
	const struct unit *u;
	uint64_t limit;
	GBytes **ret;
};

static bool read_file(guint i, struct ib_stream *stream, void *data, struct ib_error **err)
{
	struct reading *r = data;

	return ib_stream_bytes(stream, r->limit, package_unit_file(r->u, i)->name, r->ret, err);
}

bool package_unit_bytes(struct unit *u, guint i, uint64_t limit, GBytes **ret, struct ib_error **err)
{
	const struct unit_file *f = package_unit_file(u, i);

	if (f->size > limit)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, at most %" PRIu64 " are accepted", f->name,
				f->size, limit);
	struct reading r = { .u = u, .limit = limit, .ret = ret };
	g_autofree uint8_t *wanted = g_malloc0(u->files->len);
	wanted[i] = 1;
	return package_unit_each(u, wanted, 1, read_file, &r, err);
}
