#include "build/internal.h"

/* Drafting a removal manifest: open the image, ask its store. */

/* The WIM of an ISO, or NULL for a file that is a WIM itself (opened by its path: it may be split). */
static bool open_inside(const char *path, struct ib_input **ret, struct ib_error **err)
{
	ib_auto_input file = NULL;
	ib_auto_media media = NULL;
	char magic[8];

	if (!ib_input_open(path, &file, err))
		return false;
	if (ib_input_size(file) < sizeof magic || !ib_input_read(file, 0, magic, sizeof magic, err))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a WIM nor an ISO", path);
	if (!memcmp(magic, "MSWIM\0\0", sizeof magic))
		return true;
	if (!ib_media_open(file, &media, err))
		return false;
	const struct ib_media_entry *e = ib_media_find(media, "sources/install.wim");
	if (!e)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds no 'sources/install.wim'", path);
	return ib_media_file(media, e, ret, err);
}

static bool draft(struct ib_wim *wim, const char *image, unsigned index, const char *name, char **ret,
		  struct ib_error **err)
{
	unsigned count = ib_wim_info(wim)->image_count;
	struct ib_store *store = NULL;

	if (index == 0 && count > 1) {
		ib_throw(err, IB_ERR_USAGE, "'%s' holds %u images", image, count);
		return ib_hint(err, "say which: %s:1", image);
	}
	bool ok = ib_store_open(wim, index ? index : 1, 0, &store, err) && ib_store_draft(store, name, ret, err);
	ib_store_free(store);
	return ok;
}

bool ib_component_draft(const char *image, unsigned index, const char *name, char **ret, struct ib_error **err)
{
	ib_auto_input in = NULL;
	struct ib_wim *wim = NULL;

	bool ok = open_inside(image, &in, err) &&
		  (in ? ib_wim_open(in, NULL, &wim, err) : ib_wim_open_file(image, NULL, &wim, err)) &&
		  draft(wim, image, index, name, ret, err);
	ib_wim_free(wim);
	return ok;
}
