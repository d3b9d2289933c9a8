#include "build/internal.h"

#include <errno.h>
#include <sys/stat.h>

/* New files and folders in an image: what they inherit, and folders of this machine with all below. */

/* Folders in folders; the image itself takes no more. */
#define DEPTH_MAX 512u

bool put_meta(struct ib_image *image, uint64_t time, const char *path, bool dir, struct ib_node_meta *ret, GBytes **ret_sd,
	      struct ib_error **err)
{
	g_autofree char *parent = g_strdup(path);
	struct ib_node *node = NULL;

	*ret_sd = NULL;
	while (!node) { /* the nearest folder that exists */
		char *cut = strrchr(parent, '\\');
		if (cut)
			*cut = '\0';
		node = ib_image_find(image, cut ? parent : "");
	}
	GBytes *sd = ib_node_security(image, node);
	if (sd && !ib_security_inherit(sd, dir, ret_sd, err))
		return ib_while(err, "inheriting the security of '%s'", parent);
	*ret = (struct ib_node_meta){ .attributes = dir ? IB_ATTR_DIRECTORY : IB_ATTR_ARCHIVE, .creation_time = time,
				      .access_time = time, .write_time = time, .security = *ret_sd };
	return true;
}

bool put_dir(struct ib_image *image, uint64_t time, const char *path, struct ib_error **err)
{
	g_auto(GStrv) names = g_strsplit(path, "\\", -1);
	g_autoptr(GString) at = g_string_new(NULL);

	for (char **n = names; *n; n++) { /* one by one: each inherits from the one before */
		g_autoptr(GBytes) sd = NULL;
		struct ib_node_meta meta;
		g_string_append_printf(at, "%s%s", at->len ? "\\" : "", *n);
		if (at->len == 0 || ib_image_find(image, at->str))
			continue;
		if (!put_meta(image, time, at->str, true, &meta, &sd, err) ||
		    !ib_image_mkdir(image, at->str, &meta, NULL, err))
			return false;
	}
	return true;
}

bool put_parent(struct ib_image *image, uint64_t time, const char *path, struct ib_error **err)
{
	const char *cut = strrchr(path, '\\');
	g_autofree char *folder = cut ? g_strndup(path, (gsize)(cut - path)) : g_strdup("");

	return put_dir(image, time, folder, err);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool walk(const char *source, const char *path, unsigned depth, put_file_fn fn, void *data, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct stat st;
	const char *name;

	if (lstat(source, &st) < 0)
		return ib_throw_errno(err, IB_ERR_INPUT, errno, "cannot look at '%s'", source);
	/* A link given by name is meant; one inside a folder could lead anywhere. */
	if (S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && depth == 0 && !g_file_test(source, G_FILE_TEST_IS_DIR)))
		return fn(source, path, data, err);
	if (!S_ISDIR(st.st_mode))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a file nor a folder", source);
	if (depth > DEPTH_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' lies more than %u folders deep", source, DEPTH_MAX);
	g_autoptr(GDir) d = g_dir_open(source, 0, NULL);
	if (!d)
		return ib_throw(err, IB_ERR_INPUT, "cannot open folder '%s'", source);
	while ((name = g_dir_read_name(d)))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, by_text);
	if (!fn(NULL, path, data, err))
		return false;
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *from = g_build_filename(source, g_ptr_array_index(names, i), NULL);
		g_autofree char *to = g_strconcat(path, *path ? "\\" : "", g_ptr_array_index(names, i), NULL);
		if (!walk(from, to, depth + 1, fn, data, err))
			return false;
	}
	return true;
}

bool put_walk(const char *source, const char *path, put_file_fn fn, void *data, struct ib_error **err)
{
	return walk(source, path, 0, fn, data, err);
}

/* ---- what was put, for build.json ---- */

void added_add(struct build *b, const char *stage, const char *name, const char *fmt, ...)
{
	struct added_item *item = g_new0(struct added_item, 1);
	va_list ap;

	va_start(ap, fmt);
	item->text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	item->stage = stage;
	item->name = g_strdup(name);
	g_ptr_array_add(b->added, item);
}

void added_item_free(void *p)
{
	struct added_item *item = p;

	g_free(item->name);
	g_free(item->text);
	g_free(item);
}

JsonArray *added_json(const struct build *b)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < b->added->len; i++) {
		const struct added_item *item = g_ptr_array_index(b->added, i);
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "stage", item->stage);
		json_object_set_string_member(o, "name", item->name);
		json_object_set_string_member(o, "text", item->text);
		json_array_add_object_element(array, o);
	}
	return array;
}
