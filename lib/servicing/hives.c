/* The image's hives: loaded on first use with their logs, put back by commit. */
#include "servicing/internal.h"

#include <string.h>

static const char *const hive_paths[IB_HIVE_COUNT] = {
	"Windows\\System32\\config\\SOFTWARE", "Windows\\System32\\config\\SYSTEM",
	"Windows\\System32\\config\\COMPONENTS", "Windows\\System32\\config\\DRIVERS",
	"Windows\\System32\\config\\DEFAULT", "Users\\Default\\NTUSER.DAT",
};

static const char *const log_suffixes[] = { ".LOG1", ".LOG2", ".LOG" };

/* A log's bytes, NULL when there is none. */
static bool read_log(struct ib_store *s, const char *hive, const char *suffix, GBytes **ret, struct ib_error **err)
{
	g_autofree char *path = g_strconcat(hive, suffix, NULL);
	struct ib_node *node = ib_image_find(s->image, path);

	*ret = NULL;
	return !node || !ib_node_size(s->image, node) || ib_image_read(s->image, path, HIVE_LIMIT, ret, err);
}

bool ib_svc_hive_present(const struct ib_store *s, enum ib_hive_id id)
{
	return ib_image_find(s->image, hive_paths[id]) != NULL;
}

bool ib_store_hive(struct ib_store *s, enum ib_hive_id id, struct ib_hive **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) log1 = NULL;
	g_autoptr(GBytes) log2 = NULL;

	if ((unsigned)id >= IB_HIVE_COUNT)
		return ib_throw(err, IB_ERR_USAGE, "there is no hive number %d", (int)id);
	if (!s->hives[id]) {
		const char *path = hive_paths[id];
		struct ib_hive_options options = { .name = path };
		if (!ib_image_find(s->image, path))
			return ib_throw(err, IB_ERR_INPUT, "the image has no hive '%s'", path);
		if (!ib_image_read(s->image, path, HIVE_LIMIT, &bytes, err) || !read_log(s, path, ".LOG1", &log1, err) ||
		    !read_log(s, path, ".LOG2", &log2, err))
			return false;
		options.log1 = log1;
		options.log2 = log2;
		if (!ib_hive_load(bytes, &options, &s->hives[id], err))
			return ib_while(err, "loading the hive '%s'", path);
	}
	*ret = s->hives[id];
	return true;
}

static bool empty_logs(struct ib_store *s, const char *hive, struct ib_error **err)
{
	static const uint8_t nothing[IB_WIM_HASH_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(log_suffixes); i++) {
		g_autofree char *path = g_strconcat(hive, log_suffixes[i], NULL);
		struct ib_node *node = ib_image_find(s->image, path);
		if (node && ib_node_hash(node) && !ib_image_set_content(s->image, node, nothing, s->time, err))
			return false;
	}
	return true;
}

static bool commit_hive(struct ib_store *s, enum ib_hive_id id, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];
	g_autoptr(GBytes) bytes = NULL;
	struct ib_node *node = ib_image_find(s->image, hive_paths[id]);
	size_t len;

	if (!node)
		return ib_throw(err, IB_ERR_INPUT, "the hive '%s' is gone from the image", hive_paths[id]);
	if (!ib_hive_save(s->hives[id], s->time, &bytes, err))
		return false;
	const void *data = g_bytes_get_data(bytes, &len);
	return ib_wim_add_bytes(s->wim, data, len, hash, err) &&
	       ib_image_set_content(s->image, node, hash, s->time, err) && empty_logs(s, hive_paths[id], err);
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
		if (!commit_hive(s, (enum ib_hive_id)i, err))
			return ib_while(err, "putting the hive '%s' back", hive_paths[i]);
		/* Loaded again on next use: the tree of the saved hive counts as changed. */
		g_clear_pointer(&s->hives[i], ib_hive_free);
	}
	stamp_xml(s);
	return true;
}
