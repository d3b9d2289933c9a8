#include "build/internal.h"

/* Where complete files may come from when differentials do not lead to them: images (WIM, ESD, ISO) and packages. */

static bool add_packages(struct ib_stock *stock, const char *path, GBytes *dictionary, const char *spool_dir,
			 struct ib_error **err)
{
	struct ib_package_options o = { .size = sizeof o, .dictionary = dictionary, .spool_dir = spool_dir };
	g_autoptr(GPtrArray) all = NULL;

	if (!ib_package_open_all(path, &o, &all, err))
		return false;
	while (all->len)
		ib_stock_add_package(stock, g_ptr_array_steal_index(all, 0));
	return true;
}

static bool add_one(struct ib_stock *stock, const char *text, GBytes *dictionary, const char *spool_dir,
		    struct ib_error **err)
{
	unsigned index;
	g_autofree char *path = image_split(text, &index);
	ib_auto_input in = NULL;
	struct ib_wim *wim;

	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		return add_packages(stock, path, dictionary, spool_dir, err);
	if (!ib_input_open(path, &in, err))
		return false;
	/* An .msu of Windows 11 is a WIM, too, but one of packages. */
	if (image_kind(in) == IMAGE_NONE || g_str_has_suffix(path, ".msu"))
		return add_packages(stock, path, dictionary, spool_dir, err);
	if (!image_open(path, index, &wim, err))
		return false;
	ib_stock_add_wim(stock, wim, index);
	return true;
}

bool sources_open(char *const *files, GBytes *dictionary, const char *spool_dir, struct ib_stock **ret,
		  struct ib_error **err)
{
	struct ib_stock *stock = files && *files ? ib_stock_new(spool_dir) : NULL;

	for (; stock && *files; files++)
		if (!add_one(stock, *files, dictionary, spool_dir, err)) {
			ib_stock_free(stock);
			return ib_while(err, "opening the payload source '%s'", *files);
		}
	*ret = stock;
	return true;
}
