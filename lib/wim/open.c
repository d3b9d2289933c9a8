/* wim: opening, the header, the list of images. */
#include "wim/internal.h"

#include <string.h>

static struct ib_wim *wim_new(const char *spool_dir)
{
	struct ib_wim *wim = g_new0(struct ib_wim, 1);

	wim->spool_dir = g_strdup(spool_dir);
	wim->begun.fd = -1;
	wim->level = 20; /* above 34 LZX takes seven times as long for three percent */
	wim->blobs = g_hash_table_new(ib_wim_hash_hash, ib_wim_hash_equal);
	wim->order = g_ptr_array_new_with_free_func(ib_wim_blob_free);
	wim->solids = g_ptr_array_new_with_free_func(ib_wim_solid_free);
	wim->images = g_ptr_array_new();
	wim->parts = g_ptr_array_new_with_free_func((GDestroyNotify)ib_input_unref);
	g_mutex_init(&wim->solid_lock);
	g_rw_lock_init(&wim->lock);
	return wim;
}

static void image_free(struct ib_image *image)
{
	ib_wim_image_unload(image);
	ib_wim_blob_free(image->metadata);
	g_free(image);
}

static struct ib_image *image_new(struct ib_wim *wim)
{
	struct ib_image *image = g_new0(struct ib_image, 1);

	image->wim = wim;
	image->next_id = 1;
	g_ptr_array_add(wim->images, image);
	return image;
}

void ib_wim_free(struct ib_wim *wim)
{
	if (!wim)
		return;
	ib_wim_writer_free(wim->writer);
	for (guint i = 0; i < wim->images->len; i++)
		image_free(g_ptr_array_index(wim->images, i));
	g_ptr_array_unref(wim->images);
	ib_wim_spool_free(wim->spool);
	ib_fd_close(&wim->begun.fd);
	g_free((char *)wim->begun.name);
	g_hash_table_unref(wim->blobs);
	g_ptr_array_unref(wim->order);
	g_ptr_array_unref(wim->solids);
	g_mutex_clear(&wim->solid_lock);
	g_rw_lock_clear(&wim->lock);
	ib_xml_free(wim->xml);
	g_ptr_array_unref(wim->parts);
	g_free(wim->spool_dir);
	g_free(wim);
}

/* ---- header ---- */

static bool throw_header(struct ib_wim *wim, const char *what, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' cannot be used as a WIM: %s", ib_input_name(wim->in), what);
}

static bool check_magic(struct ib_wim *wim, const uint8_t *h, struct ib_error **err)
{
	if (memcmp(h, "WLPWM\0\0\0", 8) == 0)
		return throw_header(wim, "it is pipable, which Windows does not read either", err);
	if (memcmp(h, "MSWIM\0\0\0", 8) != 0)
		return throw_header(wim, "it does not begin with 'MSWIM'", err);
	if (ib_le32(h + 8) != WIM_HEADER_SIZE)
		return throw_header(wim, "its header has an unknown size", err);
	uint32_t version = ib_le32(h + 12);
	if (version != WIM_VERSION && version != WIM_VERSION_SOLID)
		return throw_header(wim, "its format version is unknown", err);
	if (ib_le32(h + 16) & WIM_FLAG_IN_PROGRESS)
		return throw_header(wim, "it is incomplete: whoever wrote it did not finish", err);
	return true;
}

static bool read_compression(struct ib_wim *wim, uint32_t chunk, struct ib_error **err)
{
	struct ib_wim_info *info = &wim->info;
	uint32_t type = wim->flags & (WIM_FLAG_XPRESS | WIM_FLAG_LZX | WIM_FLAG_LZMS);

	info->compression = IB_WIM_NONE;
	info->chunk_size = WIM_CHUNK_DEFAULT;
	if (!(wim->flags & WIM_FLAG_COMPRESSED))
		return true;
	if (type == WIM_FLAG_XPRESS)
		info->compression = IB_WIM_XPRESS;
	else if (type == WIM_FLAG_LZX)
		info->compression = IB_WIM_LZX;
	else if (type == WIM_FLAG_LZMS)
		info->compression = IB_WIM_LZMS;
	else
		return throw_header(wim, "its compression is unknown", err);
	if (chunk == 0)
		return true;
	info->chunk_size = chunk;
	return ib_wim_check_chunk(info->compression, chunk, ib_input_name(wim->in), err);
}

static bool read_header(struct ib_wim *wim, uint8_t *h, struct ib_error **err)
{
	struct ib_wim_info *info = &wim->info;

	if (ib_input_size(wim->in) < WIM_HEADER_SIZE)
		return throw_header(wim, "it is smaller than a header", err);
	if (!ib_input_read(wim->in, 0, h, WIM_HEADER_SIZE, err) || !check_magic(wim, h, err))
		return false;
	wim->flags = ib_le32(h + 16);
	memcpy(info->guid, h + 24, sizeof info->guid);
	info->image_count = ib_le32(h + 44);
	info->boot_index = wim->boot_index = ib_le32(h + 120);
	info->has_integrity = ib_wim_get_reshdr(h + 124).offset != 0;
	info->stored_bytes = ib_input_size(wim->in);
	if (info->image_count > WIM_IMAGES_MAX)
		return throw_header(wim, "it claims more than a thousand images", err);
	if (info->boot_index > info->image_count)
		return throw_header(wim, "its boot index is above its number of images", err);
	return read_compression(wim, ib_le32(h + 20), err);
}

/* A resource the header points at; limit bounds its plain size. */
static bool read_resource(struct ib_wim *wim, const uint8_t *p, const char *what, uint64_t limit, GBytes **ret,
			  struct ib_error **err)
{
	struct reshdr r = ib_wim_get_reshdr(p);

	if (r.offset == 0 && r.stored == 0) {
		*ret = g_bytes_new(NULL, 0);
		return true;
	}
	if (r.flags & RES_SOLID)
		return throw_header(wim, "its tables lie in a solid resource", err);
	if (!ib_wim_check_range(wim, &r, what, err))
		return false;
	if (!(r.flags & RES_COMPRESSED) && r.stored != r.size)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is damaged: %s is stored plain, but with two sizes",
				ib_input_name(wim->in), what);
	struct blob b = { .unhashed = true, .where = BLOB_FILE, .flags = r.flags, .size = r.size, .at = r.offset,
			  .stored = r.stored, .in = wim->in };
	if (!ib_wim_blob_bytes(wim, &b, limit, ret, err))
		return ib_while(err, "reading %s", what);
	return true;
}

/* ---- parts ---- */

/* Part number and number of parts, as they must be for the inputs at hand. */
static bool check_part(struct ib_wim *wim, const uint8_t *h, guint count, struct ib_error **err)
{
	uint16_t part = ib_le16(h + 40), parts = ib_le16(h + 42);

	if (parts == 0 || part == 0 || part > parts)
		return throw_header(wim, "its part number is above its number of parts", err);
	if (parts == count && part == wim->part)
		return true;
	if (parts == count)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is part %u of a split WIM, part %u was expected", ib_input_name(wim->in),
				part, wim->part);
	ib_throw(err, IB_ERR_INPUT, "'%s' is part %u of a split WIM of %u, %u were given", ib_input_name(wim->in), part, parts,
		 count);
	return ib_hint(err, "put all parts into one folder, named name.swm, name2.swm, name3.swm and so on");
}

/* The blob table of a part; it lists what lies in that part. */
static bool read_table(struct ib_wim *wim, const uint8_t *h, struct ib_error **err)
{
	g_autoptr(GBytes) table = NULL;

	return read_resource(wim, h + 48, "the blob table", WIM_TABLE_MAX, &table, err) && ib_wim_read_table(wim, table, err);
}

static bool read_first(struct ib_wim *wim, uint8_t *h, struct ib_error **err)
{
	wim->in = g_ptr_array_index(wim->parts, 0);
	wim->part = 1;
	if (!read_header(wim, h, err) || !check_part(wim, h, wim->parts->len, err))
		return false;
	for (uint32_t i = 0; i < wim->info.image_count; i++)
		image_new(wim);
	return read_table(wim, h, err);
}

/* The images lie in the first part: of the others only the blob table counts. */
static bool read_other(struct ib_wim *wim, guint i, const uint8_t *first, struct ib_error **err)
{
	uint8_t h[WIM_HEADER_SIZE];

	wim->in = g_ptr_array_index(wim->parts, i);
	wim->part = (uint16_t)(i + 1);
	if (ib_input_size(wim->in) < WIM_HEADER_SIZE)
		return throw_header(wim, "it is smaller than a header", err);
	if (!ib_input_read(wim->in, 0, h, sizeof h, err) || !check_magic(wim, h, err) ||
	    !check_part(wim, h, wim->parts->len, err))
		return false;
	if (memcmp(h + 24, first + 24, 16) != 0)
		return throw_header(wim, "it belongs to another split WIM: the GUID differs", err);
	if (ib_le32(h + 20) != ib_le32(first + 20) ||
	    (ib_le32(h + 16) ^ ib_le32(first + 16)) &
		    (WIM_FLAG_COMPRESSED | WIM_FLAG_XPRESS | WIM_FLAG_LZX | WIM_FLAG_LZMS))
		return throw_header(wim, "its compression is not that of the first part", err);
	wim->info.stored_bytes += ib_input_size(wim->in);
	return read_table(wim, h, err);
}

static bool open_wim(struct ib_wim *wim, struct ib_error **err)
{
	g_autoptr(GBytes) xml = NULL;
	uint8_t h[WIM_HEADER_SIZE];

	bool ok = read_first(wim, h, err);
	for (guint i = 1; ok && i < wim->parts->len; i++)
		ok = read_other(wim, i, h, err);
	wim->in = g_ptr_array_index(wim->parts, 0);
	if (!ok || !ib_wim_check_table(wim, err) ||
	    !read_resource(wim, h + 72, "the XML data", IB_XML_MAX, &xml, err) || !ib_wim_xml_read(wim, xml, err))
		return false;
	wim->info.blob_count = wim->order->len;
	for (guint i = 0; i < wim->order->len; i++)
		wim->info.blob_bytes += ((struct blob *)g_ptr_array_index(wim->order, i))->size;
	return true;
}

bool ib_wim_open_parts(struct ib_input *const *parts, size_t count, const char *spool_dir, struct ib_wim **ret,
		       struct ib_error **err)
{
	if (count == 0 || count > WIM_PARTS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "a WIM has 1 to %u parts, not %zu", WIM_PARTS_MAX, count);
	struct ib_wim *wim = wim_new(spool_dir);
	for (size_t i = 0; i < count; i++)
		g_ptr_array_add(wim->parts, ib_input_ref(parts[i]));
	if (!open_wim(wim, err)) {
		ib_wim_free(wim);
		return ib_while(err, "opening image file '%s'", ib_input_name(parts[0]));
	}
	*ret = wim;
	return true;
}

bool ib_wim_open(struct ib_input *in, const char *spool_dir, struct ib_wim **ret, struct ib_error **err)
{
	return ib_wim_open_parts(&in, 1, spool_dir, ret, err);
}

/* "x.swm" and 2: "x2.swm"; owned by the caller */
static char *part_name(const char *path, unsigned n)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
	size_t stem = dot ? (size_t)(dot - path) : strlen(path);

	return g_strdup_printf("%.*s%u%s", (int)stem, path, n, dot ? dot : "");
}

bool ib_wim_open_file(const char *path, const char *spool_dir, struct ib_wim **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)ib_input_unref);
	uint8_t h[WIM_HEADER_SIZE];
	struct ib_input *in;
	unsigned count = 1;

	if (!ib_input_open(path, &in, err))
		return false;
	g_ptr_array_add(parts, in);
	if (ib_input_size(in) >= sizeof h) {
		if (!ib_input_read(in, 0, h, sizeof h, err))
			return false;
		if (memcmp(h, "MSWIM\0\0\0", 8) == 0 && ib_le16(h + 40) == 1)
			count = ib_le16(h + 42);
	}
	for (unsigned n = 2; n <= MIN(count, WIM_PARTS_MAX); n++) {
		g_autofree char *name = part_name(path, n);
		if (!ib_input_open(name, &in, err))
			return ib_while(err, "opening part %u of %u of the split WIM '%s'", n, count, path);
		g_ptr_array_add(parts, in);
	}
	return ib_wim_open_parts((struct ib_input *const *)parts->pdata, parts->len, spool_dir, ret, err);
}

struct ib_wim *ib_wim_new(enum ib_wim_compression compression, uint32_t chunk_size, const char *spool_dir)
{
	struct ib_wim *wim = wim_new(spool_dir);

	wim->info.compression = compression;
	wim->info.chunk_size = chunk_size ? chunk_size : WIM_CHUNK_DEFAULT;
	wim->xml = ib_xml_new("WIM");
	return wim;
}

const struct ib_wim_info *ib_wim_info(const struct ib_wim *wim)
{
	return &wim->info;
}

void ib_wim_set_compressor(struct ib_wim *wim, unsigned level, unsigned threads)
{
	wim->level = level ? level : 20;
	wim->threads = threads;
}

/* ---- images ---- */

struct ib_image *ib_wim_image_at(struct ib_wim *wim, unsigned index)
{
	return index >= 1 && index <= wim->images->len ? g_ptr_array_index(wim->images, index - 1) : NULL;
}

static bool throw_no_image(struct ib_wim *wim, unsigned index, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' has no image %u, only %u",
			wim->in ? ib_input_name(wim->in) : "new image", index, wim->images->len);
}

void ib_wim_image_unload(struct ib_image *image)
{
	g_clear_pointer(&image->root, ib_wim_node_free);
	g_clear_pointer(&image->security, ib_wim_security_free);
}

bool ib_wim_image_load(struct ib_image *image, unsigned index, struct ib_error **err)
{
	struct ib_wim *wim = image->wim;
	g_autoptr(GBytes) bytes = NULL;

	if (image->root)
		return true;
	if (image->metadata->size / WIM_METADATA_RATIO > wim->info.stored_bytes)
		return ib_throw(err, IB_ERR_INPUT,
				"'%s' is damaged: the metadata of image %u has %" PRIu64 " bytes, the whole file %" PRIu64,
				ib_input_name(wim->in), index, image->metadata->size, wim->info.stored_bytes);
	if (!ib_wim_blob_bytes(wim, image->metadata, WIM_METADATA_MAX, &bytes, err))
		return ib_while(err, "reading the metadata of image %u", index);
	if (!ib_wim_metadata_read(image, bytes, err)) {
		ib_wim_image_unload(image);
		return ib_while(err, "reading the tree of image %u of '%s'", index, ib_input_name(wim->in));
	}
	return true;
}

bool ib_wim_image(struct ib_wim *wim, unsigned index, struct ib_image **ret, struct ib_error **err)
{
	struct ib_image *image = ib_wim_image_at(wim, index);

	if (!image)
		return throw_no_image(wim, index, err);
	if (!ib_wim_image_load(image, index, err))
		return false;
	*ret = image;
	return true;
}

unsigned ib_wim_add_image(struct ib_wim *wim, const char *name)
{
	struct ib_image *image = image_new(wim);

	image->security = ib_wim_security_new();
	image->root = ib_wim_node_new(g_strdup(""), NULL, ib_wim_inode_new(image));
	image->root->inode->attributes = IB_ATTR_DIRECTORY;
	image->root->dir = g_new0(struct dir, 1);
	image->edited = true;
	image->xml = ib_xml_add(ib_xml_root(wim->xml), "IMAGE");
	ib_xml_add_text(image->xml, "NAME", name);
	ib_wim_xml_renumber(wim);
	wim->info.image_count = wim->images->len;
	return wim->images->len;
}

bool ib_wim_drop_image(struct ib_wim *wim, unsigned index, struct ib_error **err)
{
	struct ib_image *image = ib_wim_image_at(wim, index);

	if (!image)
		return throw_no_image(wim, index, err);
	ib_xml_remove(image->xml);
	g_ptr_array_remove_index(wim->images, index - 1);
	image_free(image);
	ib_wim_xml_renumber(wim);
	wim->info.image_count = wim->images->len;
	if (wim->boot_index == index)
		wim->boot_index = 0;
	else if (wim->boot_index > index)
		wim->boot_index--;
	return true;
}

void ib_wim_set_boot_index(struct ib_wim *wim, unsigned index)
{
	wim->boot_index = index;
}
