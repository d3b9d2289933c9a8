/*
 * The smallest cabinets that hold given files: nothing compressed, no
 * checksums. Names go in unchanged, also those no cabinet should have.
 */
#ifndef TESTS_CAB_SAMPLE_H
#define TESTS_CAB_SAMPLE_H

#include <string.h>

#include "base/base.h"

struct cab_file {
	const char *name;
	const void *data;
	size_t size;
};

#define CAB_TEXT(name, text) { name, text, sizeof(text) - 1 }
#define CAB_BLOCK 32768u

static inline void cab_put16(GByteArray *out, unsigned v)
{
	uint8_t b[2];

	ib_put_le16(b, (uint16_t)v);
	g_byte_array_append(out, b, sizeof b);
}

static inline void cab_put32(GByteArray *out, size_t v)
{
	uint8_t b[4];

	ib_put_le32(b, (uint32_t)v);
	g_byte_array_append(out, b, sizeof b);
}

/* One folder of a cabinet: files first to end. */
struct cab_folder {
	size_t first, end;
	GByteArray *content;
};

static inline unsigned cab_blocks(const struct cab_folder *f)
{
	return (f->content->len + CAB_BLOCK - 1) / CAB_BLOCK;
}

static inline void cab_put_file(GByteArray *out, const struct cab_file *file, size_t at, size_t folder)
{
	cab_put32(out, file->size);
	cab_put32(out, at);
	cab_put16(out, (unsigned)folder);
	cab_put32(out, 0x58f53321); /* 2024-07-21: any date */
	cab_put16(out, 0x80); /* the name is UTF-8 */
	g_byte_array_append(out, (const guint8 *)file->name, (guint)strlen(file->name) + 1);
}

static inline void cab_put_blocks(GByteArray *out, const GByteArray *content)
{
	for (guint b = 0; b < content->len; b += CAB_BLOCK) {
		guint n = MIN(content->len - b, CAB_BLOCK);
		cab_put32(out, 0);
		cab_put16(out, n);
		cab_put16(out, n);
		g_byte_array_append(out, content->data + b, n);
	}
}

static inline GBytes *cab_write(const struct cab_file *files, size_t count, struct cab_folder *folders, size_t n)
{
	GByteArray *out = g_byte_array_new();
	size_t at = 36 + 8 * n, total;

	for (size_t i = 0; i < count; i++)
		at += 16 + strlen(files[i].name) + 1;
	total = at;
	for (size_t f = 0; f < n; f++)
		total += folders[f].content->len + cab_blocks(&folders[f]) * 8u;
	g_byte_array_append(out, (const guint8 *)"MSCF\0\0\0\0", 8);
	cab_put32(out, total);
	cab_put32(out, 0);
	cab_put32(out, 36 + 8 * n);
	cab_put32(out, 0);
	cab_put16(out, 0x0103);
	cab_put16(out, (unsigned)n);
	cab_put16(out, (unsigned)count);
	cab_put16(out, 0);
	cab_put32(out, 0);
	for (size_t f = 0; f < n; f++) {
		cab_put32(out, at);
		cab_put16(out, cab_blocks(&folders[f]));
		cab_put16(out, 0); /* not compressed */
		at += folders[f].content->len + cab_blocks(&folders[f]) * 8u;
	}
	for (size_t f = 0; f < n; f++) {
		size_t in_folder = 0;
		for (size_t i = folders[f].first; i < folders[f].end; i++) {
			cab_put_file(out, &files[i], in_folder, f);
			in_folder += files[i].size;
		}
	}
	for (size_t f = 0; f < n; f++) {
		cab_put_blocks(out, folders[f].content);
		g_byte_array_unref(folders[f].content);
	}
	return g_byte_array_free_to_bytes(out);
}

/*
 * A cabinet of the above as MSZIP: each block is one deflate block that is not compressed, which is enough to be
 * unpacked. @return g_bytes_unref
 */
static inline GBytes *cab_zip(GBytes *cab)
{
	const uint8_t *in = g_bytes_get_data(cab, NULL);
	GByteArray *out = g_byte_array_new();
	unsigned folders = ib_le16(in + 26);

	g_byte_array_append(out, in, ib_le32(in + 36));
	for (unsigned f = 0; f < folders; f++) {
		const uint8_t *block = in + ib_le32(in + 36 + 8 * f);
		ib_put_le32(out->data + 36 + 8 * f, out->len);
		ib_put_le16(out->data + 36 + 8 * f + 6, 1);
		for (unsigned b = ib_le16(in + 36 + 8 * f + 4); b > 0; b--) {
			unsigned n = ib_le16(block + 4);
			cab_put32(out, 0);
			cab_put16(out, n + 7);
			cab_put16(out, n);
			g_byte_array_append(out, (const guint8 *)"CK\1", 3);
			cab_put16(out, n);
			cab_put16(out, n ^ 0xffffu);
			g_byte_array_append(out, block + 8, n);
			block += 8 + n;
		}
	}
	ib_put_le32(out->data + 8, out->len);
	return g_byte_array_free_to_bytes(out);
}

/* All files in one folder. @return g_bytes_unref */
static inline GBytes *cab_sample(const struct cab_file *files, size_t count)
{
	struct cab_folder folder = { 0, count, g_byte_array_new() };

	for (size_t i = 0; i < count; i++)
		g_byte_array_append(folder.content, files[i].data, (guint)files[i].size);
	return cab_write(files, count, &folder, 1);
}

/* A folder for each file. @return g_bytes_unref */
static inline GBytes *cab_sample_folders(const struct cab_file *files, size_t count)
{
	g_autofree struct cab_folder *folders = g_new(struct cab_folder, count);

	for (size_t i = 0; i < count; i++) {
		folders[i] = (struct cab_folder){ i, i + 1, g_byte_array_new() };
		g_byte_array_append(folders[i].content, files[i].data, (guint)files[i].size);
	}
	return cab_write(files, count, folders, count);
}

#endif
