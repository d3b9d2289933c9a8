/* Opening a disc image, and what both file systems have in common. */
#include "media/internal.h"

#include <string.h>

/* All paths together; Windows media have 60 KB of them. */
#define NAMES_MAX (64u << 20)
/* All extents together, 16 bytes each in memory. */
#define EXTENTS_MAX 4000000u

static void entry_clear(void *data)
{
	struct ib_media_entry *e = data;

	g_free((char *)e->path);
	g_free((struct ib_extent *)e->extents);
}

struct ib_media *ib_media_new_empty(struct ib_input *in)
{
	struct ib_media *m = g_new0(struct ib_media, 1);

	m->in = ib_input_ref(in);
	m->label = g_strdup("");
	m->entries = g_array_new(FALSE, TRUE, sizeof(struct ib_media_entry));
	g_array_set_clear_func(m->entries, entry_clear);
	m->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->boots = g_array_new(FALSE, TRUE, sizeof(struct ib_media_boot));
	return m;
}

void ib_media_free(struct ib_media *m)
{
	if (!m)
		return;
	ib_input_unref(m->in);
	g_free(m->label);
	g_array_unref(m->entries);
	g_hash_table_unref(m->by_name);
	g_array_unref(m->boots);
	g_free(m);
}

void ib_media_clear(struct ib_media **media)
{
	ib_media_free(*media);
	*media = NULL;
}

bool ib_media_sector(struct ib_input *in, uint64_t lsn, uint8_t *buf, struct ib_error **err)
{
	uint64_t sectors = ib_input_size(in) / IB_MEDIA_SECTOR;

	if (lsn >= sectors)
		return ib_throw(err, IB_ERR_INPUT, "'%s' ends early: sector %" PRIu64 " is needed, it has %" PRIu64,
				ib_input_name(in), lsn, sectors);
	return ib_input_read(in, lsn * IB_MEDIA_SECTOR, buf, IB_MEDIA_SECTOR, err);
}

bool ib_media_join(const struct ib_media *m, const char *folder, const char *name, char **ret, struct ib_error **err)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/\\"))
		return ib_throw(err, IB_ERR_INPUT, "'%s': folder '/%s' holds an entry called '%s', which is no file name",
				ib_input_name(m->in), folder, name);
	*ret = *folder ? g_strconcat(folder, "/", name, NULL) : g_strdup(name);
	return true;
}

bool ib_media_add(struct ib_media *m, const struct ib_media_entry *entry, struct ib_error **err)
{
	struct ib_media_entry copy = *entry;
	const char *name = ib_input_name(m->in);

	if (m->entries->len >= IB_MEDIA_MAX_ENTRIES)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds more than %u files and folders", name, IB_MEDIA_MAX_ENTRIES);
	m->name_bytes += strlen(entry->path);
	if (m->name_bytes > NAMES_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds more than %u bytes of paths", name, NAMES_MAX);
	m->extent_total += entry->extent_count;
	if (m->extent_total > EXTENTS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds more than %u extents", name, EXTENTS_MAX);
	char *key = ib_name_fold(entry->path);
	if (g_hash_table_contains(m->by_name, key)) {
		g_free(key);
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds two entries called '%s'", name, entry->path);
	}
	g_hash_table_insert(m->by_name, key, GUINT_TO_POINTER(m->entries->len + 1));
	copy.path = g_strdup(entry->path);
	copy.extents = g_memdup2(entry->extents, entry->extent_count * sizeof *entry->extents);
	g_array_append_val(m->entries, copy);
	return true;
}

static void pending_clear(void *data)
{
	g_free(((struct ib_media_pending *)data)->path);
}

GArray *ib_media_queue(void)
{
	GArray *queue = g_array_new(FALSE, TRUE, sizeof(struct ib_media_pending));

	g_array_set_clear_func(queue, pending_clear);
	return queue;
}

bool ib_media_push(const struct ib_media *m, GArray *queue, struct ib_media_pending pending, struct ib_error **err)
{
	g_array_append_val(queue, pending);
	if (pending.depth > IB_MEDIA_MAX_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "'%s': folder '/%s' lies deeper than %u folders", ib_input_name(m->in),
				pending.path, IB_MEDIA_MAX_DEPTH);
	return true;
}

/* Order of paths: byte by byte, '/' before all else, so that a folder's content follows it at once. */
static int compare_entries(const void *a, const void *b)
{
	const uint8_t *p = (const uint8_t *)((const struct ib_media_entry *)a)->path;
	const uint8_t *q = (const uint8_t *)((const struct ib_media_entry *)b)->path;

	while (*p && *p == *q)
		p++, q++;
	int x = *p == '/' ? 1 : *p ? *p + 1 : 0;
	int y = *q == '/' ? 1 : *q ? *q + 1 : 0;
	return x - y;
}

void ib_media_sort(struct ib_media *m)
{
	g_array_sort(m->entries, compare_entries);
	for (guint i = 0; i < m->entries->len; i++) {
		const struct ib_media_entry *e = &g_array_index(m->entries, struct ib_media_entry, i);
		g_hash_table_insert(m->by_name, ib_name_fold(e->path), GUINT_TO_POINTER(i + 1));
	}
}

static bool is_joliet(const uint8_t *sector)
{
	return sector[88] == '%' && sector[89] == '/' &&
	       (sector[90] == '@' || sector[90] == 'C' || sector[90] == 'E');
}

bool ib_media_recognise(struct ib_input *in, struct ib_media_volumes *ret, struct ib_error **err)
{
	uint8_t sector[IB_MEDIA_SECTOR];
	uint64_t sectors = ib_input_size(in) / IB_MEDIA_SECTOR;
	bool ended = false;

	*ret = (struct ib_media_volumes){ 0 };
	for (uint32_t lsn = VOLUME_LSN; lsn < VOLUME_LSN + VOLUME_MAX && lsn < sectors; lsn++) {
		if (!ib_media_sector(in, lsn, sector, err))
			return false;
		if (!memcmp(sector + 1, "CD001", 5)) {
			if (ended)
				continue;
			if (sector[0] == 0 && !ret->boot && !memcmp(sector + 7, "EL TORITO SPECIFICATION", 23))
				ret->boot = lsn;
			else if (sector[0] == 1 && !ret->primary)
				ret->primary = lsn;
			else if (sector[0] == 2 && !ret->joliet && is_joliet(sector))
				ret->joliet = lsn;
			ended = sector[0] == 255;
		} else if (!memcmp(sector + 1, "NSR02", 5) || !memcmp(sector + 1, "NSR03", 5)) {
			ret->udf = true;
		} else if (memcmp(sector + 1, "BEA01", 5) && memcmp(sector + 1, "TEA01", 5) &&
			   memcmp(sector + 1, "BOOT2", 5)) {
			break;
		}
	}
	if (ret->udf || ret->primary)
		return true;
	return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a UDF nor an ISO 9660 image", ib_input_name(in));
}

static bool read_udf(struct ib_media *m, struct ib_error **err)
{
	struct ib_media_udf_volume volume;

	if (!ib_media_udf_volume(m->in, &volume, err))
		return false;
	m->kind = IB_MEDIA_UDF;
	g_free(m->label);
	m->label = volume.label;
	return ib_media_read_udf(m, &volume, NULL, err);
}

bool ib_media_open(struct ib_input *in, struct ib_media **ret, struct ib_error **err)
{
	struct ib_media_volumes volumes;

	if (!ib_media_recognise(in, &volumes, err))
		return false;
	ib_auto_media m = ib_media_new_empty(in);
	/* a damaged UDF volume is an error: the ISO 9660 side of a bridge may hold a README only */
	if (volumes.udf ? !read_udf(m, err) : !ib_media_read_iso9660(m, &volumes, err))
		return false;
	ib_media_sort(m);
	if (volumes.boot && !ib_media_read_eltorito(m, volumes.boot, err))
		return false;
	*ret = g_steal_pointer(&m);
	return true;
}

enum ib_media_kind ib_media_kind(const struct ib_media *m)
{
	return m->kind;
}

const char *ib_media_label(const struct ib_media *m)
{
	return m->label;
}

size_t ib_media_count(const struct ib_media *m)
{
	return m->entries->len;
}

const struct ib_media_entry *ib_media_entry(const struct ib_media *m, size_t i)
{
	return i < m->entries->len ? &g_array_index(m->entries, struct ib_media_entry, i) : NULL;
}

const struct ib_media_entry *ib_media_find(const struct ib_media *m, const char *path)
{
	g_autofree char *key = ib_name_fold(path);

	g_strdelimit(key, "\\", '/');
	guint i = GPOINTER_TO_UINT(g_hash_table_lookup(m->by_name, *key == '/' ? key + 1 : key));
	return i ? &g_array_index(m->entries, struct ib_media_entry, i - 1) : NULL;
}

bool ib_media_file(const struct ib_media *m, const struct ib_media_entry *entry, struct ib_input **ret,
		   struct ib_error **err)
{
	if (entry->is_dir)
		return ib_throw(err, IB_ERR_USAGE, "'%s' in '%s' is a folder", entry->path, ib_input_name(m->in));
	g_autofree char *name = g_strdup_printf("%s:%s", ib_input_name(m->in), entry->path);
	return ib_input_part(m->in, entry->extents, entry->extent_count, name, ret, err);
}

size_t ib_media_boot_count(const struct ib_media *m)
{
	return m->boots->len;
}

const struct ib_media_boot *ib_media_boot(const struct ib_media *m, size_t i)
{
	return i < m->boots->len ? &g_array_index(m->boots, struct ib_media_boot, i) : NULL;
}
