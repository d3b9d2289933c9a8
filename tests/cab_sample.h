/*
 * The smallest cabinet that holds given files: one folder, nothing compressed,
 * no checksums. Names go in unchanged, also those no cabinet should have.
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

/* @return g_bytes_unref */
static inline GBytes *cab_sample(const struct cab_file *files, size_t count)
{
	GByteArray *out = g_byte_array_new(), *content = g_byte_array_new();
	size_t headers = 36 + 8, at = 0;

	for (size_t i = 0; i < count; i++) {
		headers += 16 + strlen(files[i].name) + 1;
		g_byte_array_append(content, files[i].data, (guint)files[i].size);
	}
	unsigned blocks = (content->len + CAB_BLOCK - 1) / CAB_BLOCK;
	g_byte_array_append(out, (const guint8 *)"MSCF\0\0\0\0", 8);
	cab_put32(out, headers + content->len + blocks * 8u);
	cab_put32(out, 0);
	cab_put32(out, 36 + 8);
	cab_put32(out, 0);
	cab_put16(out, 0x0103);
	cab_put16(out, 1);
	cab_put16(out, (unsigned)count);
	cab_put16(out, 0);
	cab_put32(out, 0);
	cab_put32(out, headers);
	cab_put16(out, blocks);
	cab_put16(out, 0);
	for (size_t i = 0; i < count; i++) {
		cab_put32(out, files[i].size);
		cab_put32(out, at);
		cab_put16(out, 0);
		cab_put32(out, 0x58f53321); /* 2024-07-21: any date */
		cab_put16(out, 0x80); /* the name is UTF-8 */
		g_byte_array_append(out, (const guint8 *)files[i].name, (guint)strlen(files[i].name) + 1);
		at += files[i].size;
	}
	for (guint b = 0; b < content->len; b += CAB_BLOCK) {
		guint n = MIN(content->len - b, CAB_BLOCK);
		cab_put32(out, 0);
		cab_put16(out, n);
		cab_put16(out, n);
		g_byte_array_append(out, content->data + b, n);
	}
	g_byte_array_unref(content);
	return g_byte_array_free_to_bytes(out);
}

#endif
