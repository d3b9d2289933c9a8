/* ISO 9660 (ECMA-119) and its Joliet names; files may lie in several extents. */
#include "media/internal.h"

#include <string.h>
#include <time.h>

/* Bytes of one folder; 16 MiB hold some 100,000 entries. */
#define FOLDER_MAX (16u << 20)
/* Bytes of all folders together. */
#define FOLDERS_MAX (256u << 20)

/* Extents of one file: of 4 GiB each, on discs that are not hostile. */
#define FILE_EXTENTS_MAX 4096u

#define FLAG_DIR 0x02
#define FLAG_ASSOCIATED 0x04
#define FLAG_MORE 0x80

struct iso {
	struct ib_media *media;
	bool joliet;
	uint64_t folder_bytes;
	GHashTable *visited; /* sector of a folder */
	GArray *queue;
	/* the file whose extents are being collected */
	char *path;
	GArray *extents;
	int64_t mtime;
};

/* A directory record, checked to lie in its folder. */
struct record {
	uint64_t offset; /* bytes in the image */
	uint32_t size;
	uint8_t flags;
	int64_t mtime;
	const uint8_t *name;
	uint8_t name_len;
};

static int64_t record_time(const uint8_t *p)
{
	struct tm tm = { .tm_year = p[0], .tm_mon = p[1] - 1, .tm_mday = p[2], .tm_hour = p[3], .tm_min = p[4],
			 .tm_sec = p[5] };

	if (p[1] < 1 || p[1] > 12 || p[2] < 1 || p[2] > 31 || p[3] > 23 || p[4] > 59 || p[5] > 60)
		return 0;
	return (int64_t)timegm(&tm) - (int8_t)p[6] * 15 * 60;
}

static char *units_text(const uint8_t *p, size_t len)
{
	g_autofree uint8_t *utf16 = g_malloc(len + 1);

	for (size_t i = 0; i + 1 < len; i += 2)
		ib_put_le16(utf16 + i, ib_be16(p + i));
	return ib_utf16_to_utf8(utf16, len & ~(size_t)1);
}

static char *label_text(const uint8_t *field, bool joliet)
{
	char *text;

	if (joliet)
		text = units_text(field, 32);
	else
		text = g_strndup((const char *)field, 32);
	return text ? g_strchomp(text) : g_strdup("");
}

/* The name as Windows shows it: without the version, and a plain one without its last dot. */
static char *record_name(const struct iso *iso, const struct record *r)
{
	char *name = iso->joliet ? units_text(r->name, r->name_len) : g_strndup((const char *)r->name, r->name_len);

	if (!name || (!iso->joliet && !g_str_is_ascii(name))) {
		g_free(name);
		return NULL;
	}
	char *version = strrchr(name, ';');
	if (version && version[1] && strspn(version + 1, "0123456789") == strlen(version + 1))
		*version = '\0';
	size_t len = strlen(name);
	if (!iso->joliet && len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	return name;
}

static bool throw_record(const struct iso *iso, const char *folder, size_t at, const char *why, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s': folder '/%s', record at byte %zu: %s", ib_input_name(iso->media->in),
			folder, at, why);
}

/* Both-endian numbers must agree: a cheap proof that this is a directory record. */
static bool parse_record(const struct iso *iso, const char *folder, const uint8_t *p, size_t at, struct record *ret,
			 struct ib_error **err)
{
	if (p[0] < 34 || p[32] == 0 || 33u + p[32] > p[0])
		return throw_record(iso, folder, at, "its name does not fit into it", err);
	if (ib_le32(p + 2) != ib_be32(p + 6) || ib_le32(p + 10) != ib_be32(p + 14))
		return throw_record(iso, folder, at, "its two byte orders disagree", err);
	if (p[26] || p[27])
		return throw_record(iso, folder, at, "interleaved files are not supported", err);
	*ret = (struct record){
		.offset = ((uint64_t)ib_le32(p + 2) + p[1]) * IB_MEDIA_SECTOR,
		.size = ib_le32(p + 10),
		.flags = p[25],
		.mtime = record_time(p + 18),
		.name = p + 33,
		.name_len = p[32],
	};
	uint64_t total = ib_input_size(iso->media->in);
	if (ret->size && (ret->offset > total || ret->size > total - ret->offset))
		return ib_throw(err, IB_ERR_INPUT, "'%s': folder '/%s', record at byte %zu: its extent ends at byte %" PRIu64
				", the image has %" PRIu64, ib_input_name(iso->media->in), folder, at,
				ret->offset + ret->size, total);
	return true;
}

/* The last extent of the collected file is there. */
static bool finish_file(struct iso *iso, struct ib_error **err)
{
	struct ib_media_entry e = { .path = iso->path, .mtime = iso->mtime,
				    .extents = (const struct ib_extent *)(const void *)iso->extents->data,
				    .extent_count = iso->extents->len };

	for (guint i = 0; i < iso->extents->len; i++)
		e.size += e.extents[i].length;
	bool ok = ib_media_add(iso->media, &e, err);
	g_clear_pointer(&iso->path, g_free);
	g_array_set_size(iso->extents, 0);
	return ok;
}

static bool add_extent(struct iso *iso, const char *path, const struct record *r, struct ib_error **err)
{
	struct ib_extent extent = { .offset = r->offset, .length = r->size };
	struct ib_extent *last = iso->extents->len ?
		&g_array_index(iso->extents, struct ib_extent, iso->extents->len - 1) : NULL;

	if (iso->path && strcmp(iso->path, path))
		return ib_throw(err, IB_ERR_INPUT, "'%s': file '%s' lacks its last extent, '%s' follows",
				ib_input_name(iso->media->in), iso->path, path);
	if (iso->extents->len >= FILE_EXTENTS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s': file '%s' has more than %u extents", ib_input_name(iso->media->in), path,
				FILE_EXTENTS_MAX);
	if (!iso->path)
		iso->path = g_strdup(path);
	iso->mtime = r->mtime;
	if (last && last->offset + last->length == extent.offset)
		last->length += extent.length;
	else if (extent.length)
		g_array_append_val(iso->extents, extent);
	return (r->flags & FLAG_MORE) || finish_file(iso, err);
}

static bool add_folder(struct iso *iso, const char *path, const struct record *r, unsigned depth, struct ib_error **err)
{
	struct ib_media_entry e = { .path = path, .is_dir = true, .mtime = r->mtime };
	struct ib_media_pending pending = { .place = r->offset, .size = r->size, .depth = depth };

	if (!g_hash_table_add(iso->visited, GUINT_TO_POINTER(r->offset / IB_MEDIA_SECTOR + 1)))
		return ib_throw(err, IB_ERR_INPUT, "'%s': folder '/%s' is the same as another one",
				ib_input_name(iso->media->in), path);
	if (!ib_media_add(iso->media, &e, err))
		return false;
	pending.path = g_strdup(path);
	return ib_media_push(iso->media, iso->queue, pending, err);
}

static bool add_record(struct iso *iso, const struct ib_media_pending *folder, const uint8_t *p, size_t at,
		       struct ib_error **err)
{
	struct record r;
	g_autofree char *name = NULL;
	g_autofree char *path = NULL;

	if (!parse_record(iso, folder->path, p, at, &r, err))
		return false;
	if ((r.name_len == 1 && r.name[0] <= 1) || (r.flags & FLAG_ASSOCIATED))
		return true; /* the folder itself, its parent, or a resource fork */
	name = record_name(iso, &r);
	if (!name)
		return throw_record(iso, folder->path, at, "its name is no text", err);
	if (!ib_media_join(iso->media, folder->path, name, &path, err))
		return false;
	if (r.flags & FLAG_DIR)
		return add_folder(iso, path, &r, folder->depth + 1, err);
	return add_extent(iso, path, &r, err);
}

static bool read_folder(struct iso *iso, const struct ib_media_pending *folder, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_input part = NULL;
	struct ib_extent extent = { .offset = folder->place, .length = folder->size };
	size_t size, at = 0;

	iso->folder_bytes += folder->size;
	if (iso->folder_bytes > FOLDERS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds more than %u bytes of folders", ib_input_name(iso->media->in),
				FOLDERS_MAX);
	if (!ib_input_part(iso->media->in, &extent, 1, ib_input_name(iso->media->in), &part, err) ||
	    !ib_input_bytes(part, FOLDER_MAX, &bytes, err))
		return ib_while(err, "reading folder '/%s'", folder->path);
	const uint8_t *data = g_bytes_get_data(bytes, &size);
	while (at < size) {
		size_t room = MIN(size, (at / IB_MEDIA_SECTOR + 1) * IB_MEDIA_SECTOR) - at;
		if (data[at] == 0) { /* no record crosses a sector */
			at += room;
			continue;
		}
		if (data[at] > room || data[at] < 34)
			return throw_record(iso, folder->path, at, "it does not fit into its sector", err);
		if (!add_record(iso, folder, data + at, at, err))
			return false;
		at += data[at];
	}
	if (iso->path)
		return ib_throw(err, IB_ERR_INPUT, "'%s': file '%s' lacks its last extent", ib_input_name(iso->media->in),
				iso->path);
	return true;
}

static bool read_tree(struct iso *iso, const uint8_t *root, struct ib_error **err)
{
	struct record r;

	if (!parse_record(iso, "", root, 0, &r, err))
		return false;
	g_hash_table_add(iso->visited, GUINT_TO_POINTER(r.offset / IB_MEDIA_SECTOR + 1));
	struct ib_media_pending pending = { .path = g_strdup(""), .place = r.offset, .size = r.size };
	if (!ib_media_push(iso->media, iso->queue, pending, err))
		return false;
	while (iso->queue->len > 0) {
		struct ib_media_pending folder = g_array_index(iso->queue, struct ib_media_pending, iso->queue->len - 1);
		g_autofree char *path = folder.path;
		g_array_index(iso->queue, struct ib_media_pending, iso->queue->len - 1).path = NULL;
		g_array_set_size(iso->queue, iso->queue->len - 1);
		if (!read_folder(iso, &folder, err))
			return false;
	}
	return true;
}

bool ib_media_read_iso9660(struct ib_media *m, const struct ib_media_volumes *volumes, struct ib_error **err)
{
	uint8_t sector[IB_MEDIA_SECTOR];
	uint32_t lsn = volumes->joliet ? volumes->joliet : volumes->primary;
	struct iso iso = { .media = m, .joliet = volumes->joliet != 0 };

	if (!ib_media_sector(m->in, lsn, sector, err))
		return false;
	if (ib_le16(sector + 128) != IB_MEDIA_SECTOR)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %u: the volume has blocks of %u bytes, %u are supported",
				ib_input_name(m->in), lsn, ib_le16(sector + 128), IB_MEDIA_SECTOR);
	m->kind = iso.joliet ? IB_MEDIA_JOLIET : IB_MEDIA_ISO9660;
	g_free(m->label);
	m->label = label_text(sector + 40, iso.joliet);
	iso.visited = g_hash_table_new(NULL, NULL);
	iso.queue = ib_media_queue();
	iso.extents = g_array_new(FALSE, FALSE, sizeof(struct ib_extent));
	bool ok = read_tree(&iso, sector + 156, err);
	g_hash_table_unref(iso.visited);
	g_array_unref(iso.queue);
	g_array_unref(iso.extents);
	g_free(iso.path);
	return ok;
}
