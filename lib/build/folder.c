#include "build/internal.h"

/* What lies in a build folder, and the list that says what should. */

/* Deeper folders than this are none of ours. */
#define DEPTH_MAX 8
#define FILES_MAX 100000u

static bool walk(const char *root, const char *below, unsigned depth, GPtrArray *out, struct ib_error **err)
{
	g_autofree char *dir = g_build_filename(root, below, NULL);
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;

	if (!d || depth > DEPTH_MAX)
		return ib_throw(err, IB_ERR_INPUT, "cannot list folder '%s'", dir);
	while ((name = g_dir_read_name(d))) {
		g_autofree char *rel = *below ? g_strconcat(below, "/", name, NULL) : g_strdup(name);
		g_autofree char *full = g_build_filename(root, rel, NULL);
		if (strcmp(rel, "records") == 0)
			continue;
		if (g_file_test(full, G_FILE_TEST_IS_SYMLINK))
			return ib_throw(err, IB_ERR_INPUT, "'%s' is a link; a build folder holds none", full);
		if (g_file_test(full, G_FILE_TEST_IS_DIR)) {
			if (!walk(root, rel, depth + 1, out, err))
				return false;
			continue;
		}
		if (out->len >= FILES_MAX)
			return ib_throw(err, IB_ERR_INPUT, "'%s' holds more than %u files", root, FILES_MAX);
		g_ptr_array_add(out, g_steal_pointer(&rel));
	}
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool folder_files(const char *dir, GPtrArray **ret, struct ib_error **err)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);

	if (!walk(dir, "", 0, out, err)) {
		g_ptr_array_unref(out);
		return false;
	}
	g_ptr_array_sort(out, by_text);
	*ret = out;
	return true;
}

static void sum_line_free(void *p)
{
	struct sum_line *l = p;

	g_free(l->name);
	g_free(l);
}

/* A name in a list from elsewhere must stay below the folder. */
static bool name_is_safe(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);

	for (char **p = parts; *p; p++)
		if (!**p || strcmp(*p, ".") == 0 || strcmp(*p, "..") == 0)
			return false;
	return parts[0] != NULL;
}

bool sums_parse(const char *text, const char *source, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(sum_line_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++) {
		if (!*lines[i])
			continue;
		g_autoptr(GBytes) digest = strlen(lines[i]) > 66 ? ib_unhex(lines[i], 64) : NULL;
		if (!digest || strncmp(lines[i] + 64, "  ", 2) != 0 || !name_is_safe(lines[i] + 66))
			return ib_throw(err, IB_ERR_INPUT, "%s:%u: a line is '<64 hex digits>  <name>'", source, i + 1);
		struct sum_line *l = g_new0(struct sum_line, 1);
		memcpy(l->digest, g_bytes_get_data(digest, NULL), 32);
		l->name = g_strdup(lines[i] + 66);
		g_ptr_array_add(out, l);
	}
	if (out->len == 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' lists no file", source);
	*ret = g_steal_pointer(&out);
	return true;
}
