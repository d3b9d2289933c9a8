/* The image's hives: loaded on first use with their logs, put back by commit. */
#include "servicing/internal.h"

#include <string.h>

static const char *const hive_paths[IB_HIVE_COUNT] = {
	"Windows\\System32\\config\\SOFTWARE", "Windows\\System32\\config\\SYSTEM",
	"Windows\\System32\\config\\COMPONENTS", "Windows\\System32\\config\\DRIVERS",
	"Windows\\System32\\config\\DEFAULT", "Users\\Default\\NTUSER.DAT",
};

static const char *const log_suffixes[] = { ".LOG1", ".LOG2", ".LOG" };

const char *ib_hive_path(enum ib_hive_id id)
{
	return (unsigned)id < IB_HIVE_COUNT ? hive_paths[id] : NULL;
}

/* A log's bytes, NULL when there is none. */
static bool read_log(struct ib_image *image, const char *hive, const char *suffix, GBytes **ret, struct ib_error **err)
{
	g_autofree char *path = g_strconcat(hive, suffix, NULL);
	struct ib_node *node = ib_image_find(image, path);

	return !node || !ib_node_size(image, node) || ib_image_read(image, path, HIVE_LIMIT, ret, err);
}

bool ib_svc_damaged(struct ib_error **err)
{
	enum ib_code code = ib_error_code(*err);

	if ((code != IB_ERR_INPUT && code != IB_ERR_VERIFY) || ib_error_hint(*err))
		return false;
	return ib_hint(err, "the image is damaged: start from a fresh copy, its SHA-256 compared with the published one; "
			    "`imgbuild verify` lists what is wrong with this one");
}

bool ib_image_hive_load(struct ib_image *image, const char *path, bool accept_dirty, struct ib_hive **ret,
			struct ib_error **err)
{
	struct ib_hive_options options = { .name = path, .accept_dirty = accept_dirty };
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) log1 = NULL;
	g_autoptr(GBytes) log2 = NULL;

	if (!ib_image_find(image, path))
		return ib_throw(err, IB_ERR_INPUT, "the image has no hive '%s'", path);
	if (!ib_image_read(image, path, HIVE_LIMIT, &bytes, err) || !read_log(image, path, ".LOG1", &log1, err) ||
	    !read_log(image, path, ".LOG2", &log2, err) || (!log1 && !read_log(image, path, ".LOG", &log1, err)))
		return false;
	options.log1 = log1;
	options.log2 = log2;
	return ib_hive_load(bytes, &options, ret, err) || ib_svc_damaged(err) || ib_while(err, "loading the hive '%s'", path);
}

bool ib_svc_hive_present(const struct ib_store *s, enum ib_hive_id id)
{
	return ib_image_find(s->image, hive_paths[id]) != NULL;
}

bool ib_store_hive(struct ib_store *s, enum ib_hive_id id, struct ib_hive **ret, struct ib_error **err)
{
	if ((unsigned)id >= IB_HIVE_COUNT)
		return ib_throw(err, IB_ERR_USAGE, "there is no hive number %d", (int)id);
	if (!s->hives[id] && !ib_image_hive_load(s->image, hive_paths[id], false, &s->hives[id], err))
		return false;
	*ret = s->hives[id];
	return true;
}

/* The hive is whole: what its logs hold belongs to an older one. */
static bool empty_logs(struct ib_image *image, const char *hive, uint64_t time, struct ib_error **err)
{
	static const uint8_t nothing[IB_WIM_HASH_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(log_suffixes); i++) {
		g_autofree char *path = g_strconcat(hive, log_suffixes[i], NULL);
		struct ib_node *node = ib_image_find(image, path);
		if (node && ib_node_hash(node) && !ib_image_set_content(image, node, nothing, time, err))
			return false;
	}
	return true;
}

bool ib_image_hive_save(struct ib_wim *wim, struct ib_image *image, const char *path, struct ib_hive *hive,
			uint64_t time, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];
	g_autoptr(GBytes) bytes = NULL;
	struct ib_node *node = ib_image_find(image, path);
	size_t len;

	if (!node)
		return ib_throw(err, IB_ERR_INPUT, "the hive '%s' is gone from the image", path);
	if (!ib_hive_save(hive, time, &bytes, err))
		return false;
	const void *data = g_bytes_get_data(bytes, &len);
	return ib_wim_add_bytes(wim, data, len, hash, err) && ib_image_set_content(image, node, hash, time, err) &&
	       empty_logs(image, path, time, err);
}

/* The WIM's own idea of the version: what setup and inventory read. */
static void stamp_xml(struct ib_store *s)
{
	static const char *const names[] = { "MAJOR", "MINOR", "BUILD", "SPBUILD" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_strconcat("WINDOWS/VERSION/", names[i], NULL);
		g_autofree char *have = ib_wim_image_property(s->wim, s->index, path);
		g_autofree char *want = g_strdup_printf("%" PRIu32, s->info.version.part[i]);
		if (g_strcmp0(have, want))
			ib_wim_image_set_property(s->wim, s->index, path, want);
	}
}

bool ib_store_commit(struct ib_store *s, struct ib_error **err)
{
	for (unsigned i = 0; i < IB_HIVE_COUNT; i++) {
		if (!s->hives[i] || !ib_hive_changed(s->hives[i]))
			continue;
		if (!ib_image_hive_save(s->wim, s->image, hive_paths[i], s->hives[i], s->time, err))
			return ib_while(err, "putting the hive '%s' back", hive_paths[i]);
		/* Loaded again on next use: the tree of the saved hive counts as changed. */
		g_clear_pointer(&s->hives[i], ib_hive_free);
	}
	stamp_xml(s);
	return true;
}
