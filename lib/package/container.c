/* Members of a cabinet, of the cabinets inside a cabinet, or of a folder: shown one after the other. */
#include "package/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/archive.h"

/* Most levels of folders in an expanded package: a component's folder and one or two below. */
#define FOLDER_DEPTH 16

/* A cabinet that holds (part of) a package; WSUSSCAN.cab is the update agent's own. */
static bool is_inner_cab(const char *name)
{
	return package_has_suffix(name, ".cab") && !strchr(name, '\\') &&
	       g_ascii_strcasecmp(name, "WSUSSCAN.cab") != 0;
}

/* ---- cabinets ---- */

static bool walk_inner(struct ib_stream *stream, const char *cab, uint64_t size, member_fn fn, void *data,
		       struct ib_error **err);

static bool walk_archive(struct ib_archive *a, const char *cab, member_fn fn, void *data, struct ib_error **err)
{
	struct ib_archive_member am;
	bool more;

	for (;;) {
		if (!ib_archive_next(a, &am, &more, err))
			return false;
		if (!more)
			return true;
		struct ib_stream *stream = ib_archive_stream(a);
		if (!cab && is_inner_cab(am.name)) {
			g_autofree char *name = g_strdup(am.name);
			if (!walk_inner(stream, name, am.size, fn, data, err))
				return false;
			continue;
		}
		struct member m = { .cab = cab, .name = am.name, .size = am.size, .stream = stream };
		bool ok = fn(&m, data, err);
		ib_stream_free(stream);
		if (!ok)
			return false;
	}
}

/* Takes stream. The inner cabinet itself is shown first, without a stream. */
static bool walk_inner(struct ib_stream *stream, const char *cab, uint64_t size, member_fn fn, void *data,
		       struct ib_error **err)
{
	struct member m = { .name = cab, .size = size };
	struct ib_archive *inner = NULL;

	if (!fn(&m, data, err)) {
		ib_stream_free(stream);
		return false;
	}
	if (!ib_archive_open_stream(stream, cab, &inner, err))
		return false;
	bool ok = walk_archive(inner, cab, fn, data, err);
	ib_archive_free(inner);
	return ok || ib_while(err, "reading the inner cabinet '%s'", cab);
}

static bool walk_cab(const struct container *c, member_fn fn, void *data, struct ib_error **err)
{
	struct ib_archive *a;

	if (!ib_archive_open(c->in, &a, err))
		return false;
	bool ok = walk_archive(a, NULL, fn, data, err);
	ib_archive_free(a);
	return ok;
}

/* ---- folders ---- */

static bool list_entry(const char *folder, const char *name, unsigned depth, GPtrArray *names, struct ib_error **err);

/* Names of all files below folder/sub, with '/' between parts, in no order yet. */
static bool list_folder(const char *folder, const char *sub, unsigned depth, GPtrArray *names, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(folder, sub, NULL);
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
		if (!list_entry(folder, name, depth, names, err))
			return false;
	}
	return true;
}

static bool list_entry(const char *folder, const char *name, unsigned depth, GPtrArray *names, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	struct stat st;

	if (lstat(path, &st) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot look at '%s'", path);
	if (S_ISDIR(st.st_mode))
		return list_folder(folder, name, depth + 1, names, err);
	if (!S_ISREG(st.st_mode))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a file nor a folder", path);
	if (names->len >= MEMBERS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has more than %u files, the most accepted", folder, MEMBERS_MAX);
	g_ptr_array_add(names, g_strdup(name));
	return true;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool walk_file(const struct container *c, const char *name, member_fn fn, void *data, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(c->path, name, NULL);
	g_autofree char *shown = g_strdelimit(g_strdup(name), "/", '\\');
	ib_auto_input in = NULL;

	if (!ib_input_open(path, &in, err))
		return false;
	struct ib_stream *stream = ib_stream_from_input(in);
	if (is_inner_cab(shown))
		return walk_inner(stream, shown, ib_input_size(in), fn, data, err);
	struct member m = { .name = shown, .size = ib_input_size(in), .stream = stream };
	bool ok = fn(&m, data, err);
	ib_stream_free(stream);
	return ok;
}

static bool walk_folder(const struct container *c, member_fn fn, void *data, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	if (!list_folder(c->path, "", 0, names, err))
		return false;
	g_ptr_array_sort(names, compare_names); /* a folder's own order differs from machine to machine */
	for (guint i = 0; i < names->len; i++) {
		if (!walk_file(c, g_ptr_array_index(names, i), fn, data, err))
			return false;
	}
	return true;
}

bool package_walk(const struct container *c, member_fn fn, void *data, struct ib_error **err)
{
	return c->in ? walk_cab(c, fn, data, err) : walk_folder(c, fn, data, err);
}
