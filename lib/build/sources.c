#include "build/internal.h"

/* Where complete files may come from when differentials do not lead to them: images (WIM, ESD, ISO) and packages. */

static bool has_magic(struct ib_input *in, uint64_t at, const char *magic)
{
	ib_auto_error ignored = NULL;
	char have[8];
	size_t len = strlen(magic);

	return ib_input_size(in) >= at + len && ib_input_read(in, at, have, len, &ignored) && memcmp(have, magic, len) == 0;
}

/* "FILE:2" means image 2, unless a file of that very name exists; 0: all images. Owned by the caller (g_free). */
static char *split_index(const char *text, unsigned *ret)
{
	const char *colon = strrchr(text, ':');
	guint64 n;

	*ret = 0;
	if (!colon || g_file_test(text, G_FILE_TEST_EXISTS) ||
	    !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &n, NULL))
		return g_strdup(text);
	*ret = (unsigned)n;
	return g_strndup(text, (gsize)(colon - text));
}

static bool add_wim(struct ib_stock *stock, struct ib_wim *wim, const char *path, unsigned index, struct ib_error **err)
{
	unsigned count = ib_wim_info(wim)->image_count;

	if (index > count) {
		ib_wim_free(wim);
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %u images, there is no %u", path, count, index);
	}
	ib_stock_add_wim(stock, wim, index);
	return true;
}

static bool add_disc(struct ib_stock *stock, struct ib_input *disc, const char *path, unsigned index,
		     struct ib_error **err)
{
	static const char *const places[] = { "sources/install.wim", "sources/install.esd" };
	const struct ib_media_entry *e = NULL;
	ib_auto_media media = NULL;
	ib_auto_input in = NULL;
	struct ib_wim *wim;

	if (!ib_media_open(disc, &media, err))
		return false;
	for (size_t i = 0; !e && i < G_N_ELEMENTS(places); i++)
		e = ib_media_find(media, places[i]);
	if (!e)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds neither '%s' nor '%s'", path, places[0], places[1]);
	return ib_media_file(media, e, &in, err) && ib_wim_open(in, NULL, &wim, err) &&
	       add_wim(stock, wim, path, index, err);
}

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
	g_autofree char *path = split_index(text, &index);
	ib_auto_input in = NULL;
	struct ib_wim *wim;

	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		return add_packages(stock, path, dictionary, spool_dir, err);
	if (!ib_input_open(path, &in, err))
		return false;
	if (has_magic(in, 32769, "CD001") || has_magic(in, 32769, "BEA01"))
		return add_disc(stock, in, path, index, err);
	/* An .msu of Windows 11 is a WIM, too, but one of packages. */
	if (!has_magic(in, 0, "MSWIM") || g_str_has_suffix(path, ".msu"))
		return add_packages(stock, path, dictionary, spool_dir, err);
	return ib_wim_open_file(path, NULL, &wim, err) && add_wim(stock, wim, path, index, err);
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
