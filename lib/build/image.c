#include "build/internal.h"

/* Images named on the command line or in [updates] payload-sources: a WIM, an ESD, a disc, with ":INDEX" or without. */

static bool has_magic(struct ib_input *in, uint64_t at, const char *magic)
{
	ib_auto_error ignored = NULL;
	char have[8];
	size_t len = strlen(magic);

	return ib_input_size(in) >= at + len && ib_input_read(in, at, have, len, &ignored) && memcmp(have, magic, len) == 0;
}

enum image_kind image_kind(struct ib_input *in)
{
	if (has_magic(in, 32769, "CD001") || has_magic(in, 32769, "BEA01"))
		return IMAGE_DISC;
	return has_magic(in, 0, "MSWIM") ? IMAGE_WIM : IMAGE_NONE;
}

char *image_split(const char *text, unsigned *ret_index)
{
	const char *colon = strrchr(text, ':');
	guint64 n;

	*ret_index = 0;
	if (!colon || g_file_test(text, G_FILE_TEST_EXISTS) ||
	    !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &n, NULL))
		return g_strdup(text);
	*ret_index = (unsigned)n;
	return g_strndup(text, (gsize)(colon - text));
}

static bool open_disc(struct ib_input *disc, const char *path, struct ib_wim **ret, struct ib_error **err)
{
	static const char *const places[] = { "sources/install.wim", "sources/install.esd" };
	const struct ib_media_entry *e = NULL;
	ib_auto_media media = NULL;
	ib_auto_input in = NULL;

	if (!ib_media_open(disc, &media, err))
		return false;
	for (size_t i = 0; !e && i < G_N_ELEMENTS(places); i++)
		e = ib_media_find(media, places[i]);
	if (!e)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds neither '%s' nor '%s'", path, places[0], places[1]);
	return ib_media_file(media, e, &in, err) && ib_wim_open(in, NULL, ret, err);
}

bool image_open(const char *path, unsigned index, struct ib_wim **ret, struct ib_error **err)
{
	ib_auto_input in = NULL;
	struct ib_wim *wim = NULL;

	if (!ib_input_open(path, &in, err))
		return false;
	if (image_kind(in) == IMAGE_NONE)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a WIM nor a disc", path);
	/* by its path: it may be split */
	if (!(image_kind(in) == IMAGE_DISC ? open_disc(in, path, &wim, err) : ib_wim_open_file(path, NULL, &wim, err)))
		return false;
	unsigned count = ib_wim_info(wim)->image_count;
	if (index > count) {
		ib_wim_free(wim);
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %u images, there is no %u", path, count, index);
	}
	*ret = wim;
	return true;
}

bool image_base_open(const char *text, struct image_base *ret, struct ib_error **err)
{
	unsigned index;
	g_autofree char *path = image_split(text, &index);
	struct image_base b = { 0 };

	if (!image_open(path, index, &b.wim, err) || !ib_store_open(b.wim, index ? index : 1, 0, &b.store, err) ||
	    !ib_store_dictionary(b.store, &b.dictionary, err)) {
		image_base_clear(&b);
		return ib_while(err, "opening the base '%s'", text);
	}
	*ret = b;
	return true;
}

void image_base_clear(struct image_base *b)
{
	ib_store_free(g_steal_pointer(&b->store));
	ib_wim_free(g_steal_pointer(&b->wim));
	b->dictionary = NULL;
}
