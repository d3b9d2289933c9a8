/*
 * A cabinet's table of contents, and its folders one by one: each is shown to libarchive as a cabinet of its own (a
 * header made here, then the folder's blocks where they lie), so that one folder can be read without those before it
 * and several at once.
 */
#include "archive/internal.h"

#include <string.h>

/* Sizes of the structures of a cabinet ([MS-CAB] 2.1 to 2.4), without what may follow them. */
#define HEADER_SIZE 36
#define FOLDER_SIZE 8
#define FILE_SIZE 16
#define BLOCK_HEADER_SIZE 8
/* Header flags. */
#define FLAG_PREVIOUS 0x1u
#define FLAG_NEXT 0x2u
#define FLAG_RESERVE 0x4u
/* From this folder number on: the file goes on in another cabinet. */
#define FOLDER_CONTINUED 0xfffd
/* Bytes of a name with its end ([MS-CAB] 2.3: szName has 256 at most; with UTF-8 programs write more). */
#define NAME_MAX_SIZE 1024
/* Bytes of the table that are read at a time. */
#define TABLE_MAX (64u << 20)
/* Low bits of a folder's typeCompress; 0: not compressed. */
#define COMPRESS_MASK 0xfu

struct folder {
	uint64_t start;    /* of its first block, in the cabinet */
	uint64_t length;   /* bytes to the next folder or the cabinet's end: the blocks and perhaps more */
	uint16_t blocks;
	uint16_t compression;
	guint first, end;  /* its files in by_folder */
};

struct ib_cabinet {
	struct ib_input *in;
	unsigned block_reserve; /* bytes behind each block's header */
	unsigned folder_reserve;
	uint64_t size;          /* of the cabinet, without what follows it */
	GArray *folders;        /* struct folder */
	GArray *files;          /* struct ib_cabinet_file */
	GArray *entries;        /* uint32_t: where each file's entry lies in table */
	GArray *by_folder;      /* guint: files, those of a folder together */
	GStringChunk *names;
	GBytes *table;          /* the CFFILE entries */
};

/* ---- reading the table ---- */

static bool damaged(const struct ib_cabinet *c, const char *why, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "cabinet '%s' is damaged: %s", ib_input_name(c->in), why);
}

/* What follows the fixed header; at: of the folders. */
static bool read_reserve(struct ib_cabinet *c, unsigned flags, uint64_t *at, struct ib_error **err)
{
	uint8_t r[4];

	*at = HEADER_SIZE;
	if (flags & FLAG_RESERVE) {
		if (!ib_input_read(c->in, HEADER_SIZE, r, sizeof(r), err))
			return false;
		*at += sizeof(r) + ib_le16(r);
		c->folder_reserve = r[2];
		c->block_reserve = r[3];
	}
	if (flags & (FLAG_PREVIOUS | FLAG_NEXT))
		return ib_throw(err, IB_ERR_INPUT, "cabinet '%s' is one of a set, which cannot be read here",
				ib_input_name(c->in));
	return true;
}

static int compare_starts(gconstpointer a, gconstpointer b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* A folder's blocks end where the next folder's begin. */
static void set_lengths(struct ib_cabinet *c)
{
	g_autoptr(GArray) starts = g_array_new(FALSE, FALSE, sizeof(uint64_t));

	for (guint i = 0; i < c->folders->len; i++)
		g_array_append_val(starts, g_array_index(c->folders, struct folder, i).start);
	g_array_append_val(starts, c->size);
	g_array_sort(starts, compare_starts);
	for (guint i = 0; i < c->folders->len; i++) {
		struct folder *f = &g_array_index(c->folders, struct folder, i);
		guint k = 0, n = starts->len;
		while (k < n) { /* the first start above this one */
			guint mid = k + (n - k) / 2;
			if (g_array_index(starts, uint64_t, mid) > f->start)
				n = mid;
			else
				k = mid + 1;
		}
		f->length = (k < starts->len ? g_array_index(starts, uint64_t, k) : c->size) - f->start;
	}
}

static bool read_folders(struct ib_cabinet *c, unsigned count, uint64_t at, struct ib_error **err)
{
	size_t each = FOLDER_SIZE + c->folder_reserve;
	g_autofree uint8_t *raw = g_malloc(count * each + 1);

	if (!ib_input_read(c->in, at, raw, count * each, err))
		return false;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *p = raw + i * each;
		struct folder f = { .start = ib_le32(p), .blocks = ib_le16(p + 4), .compression = ib_le16(p + 6) };
		if (f.start > c->size)
			return damaged(c, "a folder begins behind its end", err);
		g_array_append_val(c->folders, f);
	}
	set_lengths(c);
	return true;
}

static bool add_file(struct ib_cabinet *c, const uint8_t *p, size_t left, size_t *ret_size, GString *name,
		     struct ib_error **err)
{
	if (left < FILE_SIZE + 1)
		return damaged(c, "its table of files ends early", err);
	const char *raw = (const char *)p + FILE_SIZE;
	const char *end = memchr(raw, 0, MIN(left - FILE_SIZE, NAME_MAX_SIZE));
	if (!end)
		return damaged(c, "a file's name does not end", err);
	struct ib_cabinet_file f = { .size = ib_le32(p), .offset = ib_le32(p + 4), .folder = ib_le16(p + 8) };
	if (f.folder >= FOLDER_CONTINUED)
		return ib_throw(err, IB_ERR_INPUT, "cabinet '%s': file '%.80s' goes on in another cabinet, which cannot "
				"be read here", ib_input_name(c->in), raw);
	if (f.folder >= c->folders->len)
		return damaged(c, "a file lies in a folder that is not there", err);
	if (!archive_take_name(ib_input_name(c->in), c->files->len + 1, raw, name, err))
		return false;
	if (name->len == 0)
		return ib_throw(err, IB_ERR_INPUT, "archive '%s': member %u has no name", ib_input_name(c->in),
				c->files->len + 1);
	f.name = g_string_chunk_insert(c->names, name->str);
	g_array_append_val(c->files, f);
	*ret_size = FILE_SIZE + (size_t)(end - raw) + 1;
	return true;
}

static bool read_files(struct ib_cabinet *c, unsigned count, uint64_t at, struct ib_error **err)
{
	/* What all entries can have at most; the table ends before the blocks, usually much earlier. */
	size_t most = (size_t)MIN((uint64_t)count * (FILE_SIZE + NAME_MAX_SIZE), TABLE_MAX);

	if (at > c->size)
		return damaged(c, "its table of files lies behind its end", err);
	most = (size_t)MIN((uint64_t)most, c->size - at);
	uint8_t *raw = g_malloc(most + 1);
	c->table = g_bytes_new_take(raw, most);
	if (!ib_input_read(c->in, at, raw, most, err))
		return false;
	g_autoptr(GString) name = g_string_new(NULL);
	size_t done = 0;
	for (unsigned i = 0; i < count; i++) {
		uint32_t where = (uint32_t)done;
		size_t size = 0;
		if (!add_file(c, raw + done, most - done, &size, name, err))
			return false;
		g_array_append_val(c->entries, where);
		done += size;
	}
	return true;
}

/* Counts, then places: a cabinet may have 65,535 folders of one file each. */
static void sort_files(struct ib_cabinet *c)
{
	struct folder *folders = (struct folder *)(void *)c->folders->data;
	guint at = 0;

	g_array_set_size(c->by_folder, c->files->len);
	for (guint i = 0; i < c->files->len; i++)
		folders[g_array_index(c->files, struct ib_cabinet_file, i).folder].end++;
	for (guint i = 0; i < c->folders->len; i++) {
		guint n = folders[i].end;
		folders[i].first = folders[i].end = at;
		at += n;
	}
	for (guint i = 0; i < c->files->len; i++) {
		struct folder *f = &folders[g_array_index(c->files, struct ib_cabinet_file, i).folder];
		g_array_index(c->by_folder, guint, f->end++) = i;
	}
}

static bool read_all(struct ib_cabinet *c, struct ib_error **err)
{
	uint8_t h[HEADER_SIZE];
	uint64_t at;

	if (ib_input_size(c->in) < HEADER_SIZE)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a cabinet", ib_input_name(c->in));
	if (!ib_input_read(c->in, 0, h, sizeof(h), err))
		return false;
	if (memcmp(h, "MSCF", 4) != 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a cabinet", ib_input_name(c->in));
	c->size = MIN((uint64_t)ib_le32(h + 8), ib_input_size(c->in));
	if (c->size < ib_le32(h + 8))
		return ib_throw(err, IB_ERR_INPUT, "cabinet '%s' ends early: it should have %u bytes, %" PRIu64 " are there",
				ib_input_name(c->in), ib_le32(h + 8), c->size);
	unsigned flags = ib_le16(h + 30);
	if (!read_reserve(c, flags, &at, err) || !read_folders(c, ib_le16(h + 26), at, err) ||
	    !read_files(c, ib_le16(h + 28), ib_le32(h + 16), err))
		return false;
	sort_files(c);
	return true;
}

bool ib_cabinet_open(struct ib_input *in, struct ib_cabinet **ret, struct ib_error **err)
{
	struct ib_cabinet *c = g_new0(struct ib_cabinet, 1);

	c->in = ib_input_ref(in);
	c->folders = g_array_new(FALSE, FALSE, sizeof(struct folder));
	c->files = g_array_new(FALSE, FALSE, sizeof(struct ib_cabinet_file));
	c->entries = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	c->by_folder = g_array_new(FALSE, FALSE, sizeof(guint));
	c->names = g_string_chunk_new(4096);
	if (!read_all(c, err)) {
		ib_cabinet_free(c);
		return false;
	}
	*ret = c;
	return true;
}

void ib_cabinet_free(struct ib_cabinet *c)
{
	if (!c)
		return;
	ib_input_unref(c->in);
	g_array_unref(c->folders);
	g_array_unref(c->files);
	g_array_unref(c->entries);
	g_array_unref(c->by_folder);
	g_string_chunk_free(c->names);
	if (c->table)
		g_bytes_unref(c->table);
	g_free(c);
}

size_t ib_cabinet_count(const struct ib_cabinet *c)
{
	return c->files->len;
}

const struct ib_cabinet_file *ib_cabinet_file(const struct ib_cabinet *c, size_t i)
{
	return &g_array_index(c->files, struct ib_cabinet_file, i);
}

unsigned ib_cabinet_folders(const struct ib_cabinet *c)
{
	return c->folders->len;
}

bool ib_cabinet_is_packed(const struct ib_cabinet *c, unsigned folder)
{
	return g_array_index(c->folders, struct folder, folder).compression & COMPRESS_MASK;
}

/* ---- a folder as a cabinet ---- */

/* The header made here, then the blocks. */
struct folder_stream {
	struct ib_stream base;
	struct ib_input *in;
	GByteArray *head;
	size_t head_at;
	uint64_t at, end; /* in the input */
};

static bool folder_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct folder_stream *fs = (struct folder_stream *)s;
	size_t n = MIN(cap, fs->head->len - fs->head_at);

	if (n > 0) {
		memcpy(buf, fs->head->data + fs->head_at, n);
		fs->head_at += n;
		*ret_n = n;
		return true;
	}
	n = (size_t)MIN((uint64_t)cap, fs->end - fs->at);
	if (!ib_input_read(fs->in, fs->at, buf, n, err))
		return false;
	fs->at += n;
	*ret_n = n;
	return true;
}

static void folder_free(struct ib_stream *s)
{
	struct folder_stream *fs = (struct folder_stream *)s;

	ib_input_unref(fs->in);
	g_byte_array_unref(fs->head);
	g_free(fs);
}

/* Entries of the folder's files, as they are but for the folder's number. */
static void put_entries(const struct ib_cabinet *c, const struct folder *f, GByteArray *out)
{
	const uint8_t *table = g_bytes_get_data(c->table, NULL);

	for (guint i = f->first; i < f->end; i++) {
		const uint8_t *p = table + g_array_index(c->entries, uint32_t, g_array_index(c->by_folder, guint, i));
		guint at = out->len;
		g_byte_array_append(out, p, (guint)(FILE_SIZE + strlen((const char *)p + FILE_SIZE) + 1));
		ib_put_le16(out->data + at + 8, 0);
	}
}

static GByteArray *folder_head(const struct ib_cabinet *c, unsigned folder)
{
	const struct folder *f = &g_array_index(c->folders, struct folder, folder);
	uint8_t h[HEADER_SIZE + 4 + FOLDER_SIZE] = "MSCF";
	unsigned before = HEADER_SIZE + (c->block_reserve ? 4 : 0);
	GByteArray *out = g_byte_array_new();

	g_byte_array_append(out, h, before + FOLDER_SIZE);
	put_entries(c, f, out);
	ib_put_le32(out->data + 8, (uint32_t)MIN(out->len + f->length, UINT32_MAX));
	ib_put_le32(out->data + 16, before + FOLDER_SIZE);
	ib_put_le16(out->data + 24, 0x0103); /* version 1.3 */
	ib_put_le16(out->data + 26, 1);
	ib_put_le16(out->data + 28, (uint16_t)(f->end - f->first));
	if (c->block_reserve) {
		ib_put_le16(out->data + 30, FLAG_RESERVE);
		out->data[HEADER_SIZE + 3] = (uint8_t)c->block_reserve;
	}
	ib_put_le32(out->data + before, out->len);
	ib_put_le16(out->data + before + 4, f->blocks);
	ib_put_le16(out->data + before + 6, f->compression);
	return out;
}

bool ib_cabinet_read(struct ib_cabinet *c, unsigned folder, struct ib_archive **ret, struct ib_error **err)
{
	const struct folder *f = &g_array_index(c->folders, struct folder, folder);
	struct folder_stream *fs = g_new0(struct folder_stream, 1);

	fs->base = (struct ib_stream){ .read = folder_read, .free = folder_free };
	fs->in = ib_input_ref(c->in);
	fs->head = folder_head(c, folder);
	fs->at = f->start;
	fs->end = f->start + f->length;
	return ib_archive_open_stream(&fs->base, ib_input_name(c->in), ret, err);
}

/* ---- files that are not compressed ---- */

/* Extents of the bytes from..from+size of a folder's content. */
static bool map_blocks(const struct ib_cabinet *c, const struct folder *f, uint64_t from, uint64_t size,
		       GArray *extents, struct ib_error **err)
{
	uint64_t at = f->start, plain = 0;

	for (unsigned b = 0; b < f->blocks && plain < from + size; b++) {
		uint8_t h[BLOCK_HEADER_SIZE];
		if (!ib_input_read(c->in, at, h, sizeof(h), err))
			return false;
		uint64_t n = ib_le16(h + 4), skip = from > plain ? MIN(from - plain, n) : 0;
		if (n != ib_le16(h + 6))
			return damaged(c, "a block that is not compressed has two sizes", err);
		at += BLOCK_HEADER_SIZE + c->block_reserve;
		struct ib_extent e = { .offset = at + skip, .length = MIN(n - skip, from + size - plain - skip) };
		if (skip < n)
			g_array_append_val(extents, e);
		plain += n;
		at += n;
	}
	return plain >= from + size || damaged(c, "a file reaches behind the end of its folder", err);
}

bool ib_cabinet_map(struct ib_cabinet *c, size_t file, const char *name, struct ib_input **ret, struct ib_error **err)
{
	const struct ib_cabinet_file *cf = ib_cabinet_file(c, file);
	const struct folder *f = &g_array_index(c->folders, struct folder, cf->folder);

	if (ib_cabinet_is_packed(c, cf->folder)) {
		*ret = NULL;
		return true;
	}
	g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(struct ib_extent));
	if (!map_blocks(c, f, cf->offset, cf->size, extents, err))
		return false;
	return ib_input_part(c->in, (const struct ib_extent *)(void *)extents->data, extents->len, name, ret, err);
}
