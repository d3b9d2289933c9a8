#include "cabinet.h"

#include <string.h>

#include "base/bytes.h"
#include "cablzx.h"

#define HEADER 36u
#define FOLDER 8u
#define FILE_HEADER 16u
#define DATA_HEADER 8u
#define TYPE_LZX_21 0x1503u
#define ATTRIBUTE_ARCHIVE 0x20u
#define ATTRIBUTE_UTF8 0x80u
/* Numbers from here on mean that a member goes on in another cabinet. */
#define FOLDERS_MAX 0xFFFDu
/* Readers keep places in cabinets and folders as signed numbers. */
#define BYTES_MAX ((uint64_t)INT32_MAX)

struct folder {
	guint first, end; /* members */
	uint64_t bytes;
	GByteArray *packed;
	GArray *frames;   /* uint32_t: sizes of packed data blocks */
};

static void clear_folder(void *folder)
{
	struct folder *f = folder;

	if (f->packed)
		g_byte_array_unref(f->packed);
	if (f->frames)
		g_array_unref(f->frames);
}

static GBytes *bytes_of(const GPtrArray *members, guint i)
{
	return ((const struct lab_cab_member *)members->pdata[i])->bytes;
}

/* @return struct folder */
static GArray *split(const GPtrArray *members, uint64_t folder_max)
{
	GArray *folders = g_array_new(FALSE, TRUE, sizeof(struct folder));
	struct folder f = { 0 };

	g_array_set_clear_func(folders, clear_folder);
	for (guint i = 0; i < members->len; i++) {
		uint64_t size = g_bytes_get_size(bytes_of(members, i));

		if (i > f.first && f.bytes + size > folder_max) {
			f.end = i;
			g_array_append_val(folders, f);
			f = (struct folder){ .first = i };
		}
		f.bytes += size;
	}
	f.end = members->len;
	g_array_append_val(folders, f);
	return folders;
}

static void compress(void *folder, void *data)
{
	const GPtrArray *members = data;
	struct folder *f = folder;
	g_autofree uint8_t *plain = g_malloc(f->bytes + 1);
	size_t at = 0;

	for (guint i = f->first; i < f->end; i++) {
		gsize size;
		const void *bytes = g_bytes_get_data(bytes_of(members, i), &size);

		if (size)
			memcpy(plain + at, bytes, size);
		at += size;
	}
	f->frames = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	f->packed = lab_lzx_compress(plain, at, f->frames);
}

/* Folders are made side by side; what they hold does not depend on that. */
static void compress_all(GArray *folders, const GPtrArray *members)
{
	GThreadPool *pool = g_thread_pool_new(compress, (gpointer)members, (gint)g_get_num_processors(), FALSE, NULL);

	for (guint i = 0; i < folders->len; i++)
		g_thread_pool_push(pool, &g_array_index(folders, struct folder, i), NULL);
	g_thread_pool_free(pool, FALSE, TRUE);
}

static bool check(const GPtrArray *members, const GArray *folders, struct ib_error **err)
{
	uint64_t total = 0;

	for (guint i = 0; i < folders->len; i++) {
		const struct folder *f = &g_array_index(folders, struct folder, i);

		if (f->bytes > (uint64_t)UINT16_MAX * LAB_LZX_FRAME || f->bytes > BYTES_MAX)
			return ib_throw(err, IB_ERR_USAGE, "a folder of a cabinet cannot hold %" PRIu64 " bytes", f->bytes);
		total += f->bytes;
	}
	if (members->len > UINT16_MAX || folders->len > FOLDERS_MAX)
		return ib_throw(err, IB_ERR_USAGE, "a cabinet cannot hold %u members in %u folders", members->len,
				folders->len);
	return total < 2 * BYTES_MAX || ib_throw(err, IB_ERR_USAGE, "a cabinet cannot hold %" PRIu64 " bytes", total);
}

/* ---- tables ---- */

static void put16(GByteArray *out, unsigned v)
{
	uint8_t b[2];

	ib_put_le16(b, (uint16_t)v);
	g_byte_array_append(out, b, 2);
}

static void put32(GByteArray *out, uint32_t v)
{
	uint8_t b[4];

	ib_put_le32(b, v);
	g_byte_array_append(out, b, 4);
}

static void put_header(GByteArray *out, guint folders, guint files)
{
	g_byte_array_append(out, (const uint8_t *)"MSCF\0\0\0\0", 8);
	put32(out, 0); /* size of the cabinet, later */
	put32(out, 0);
	put32(out, HEADER + folders * FOLDER); /* first member */
	put32(out, 0);
	put16(out, 0x0103); /* version 1.3 */
	put16(out, folders);
	put16(out, files);
	put16(out, 0); /* flags: alone, nothing reserved */
	put16(out, 0);
	put16(out, 0);
}

static void put_member(GByteArray *out, const struct lab_cab_member *m, uint64_t at, guint folder, GDateTime *when)
{
	unsigned attributes = ATTRIBUTE_ARCHIVE | (g_str_is_ascii(m->name) ? 0 : ATTRIBUTE_UTF8);

	put32(out, (uint32_t)g_bytes_get_size(m->bytes));
	put32(out, (uint32_t)at);
	put16(out, folder);
	put16(out, (unsigned)((g_date_time_get_year(when) - 1980) << 9 | g_date_time_get_month(when) << 5 |
			      g_date_time_get_day_of_month(when)));
	put16(out, (unsigned)(g_date_time_get_hour(when) << 11 | g_date_time_get_minute(when) << 5 |
			      g_date_time_get_second(when) / 2));
	put16(out, attributes);
	g_byte_array_append(out, (const uint8_t *)m->name, (guint)strlen(m->name) + 1);
}

static uint32_t checksum(const uint8_t *p, size_t n, uint32_t sum)
{
	uint32_t rest = 0;

	for (; n >= 4; n -= 4, p += 4)
		sum ^= ib_le32(p);
	while (n-- > 0)
		rest = rest << 8 | *p++;
	return sum ^ rest;
}

static void put_data(GByteArray *out, const struct folder *f)
{
	size_t at = 0;
	uint64_t left = f->bytes;

	for (guint i = 0; i < f->frames->len; i++) {
		uint32_t packed = g_array_index(f->frames, uint32_t, i);
		unsigned plain = (unsigned)MIN(left, LAB_LZX_FRAME);
		uint8_t sizes[4];

		ib_put_le16(sizes, (uint16_t)packed);
		ib_put_le16(sizes + 2, (uint16_t)plain);
		put32(out, checksum(sizes, 4, checksum(f->packed->data + at, packed, 0)));
		g_byte_array_append(out, sizes, 4);
		g_byte_array_append(out, f->packed->data + at, packed);
		at += packed;
		left -= plain;
	}
}

GByteArray *lab_cabinet_lzx(const GPtrArray *members, uint64_t folder_max, int64_t when, struct ib_error **err)
{
	g_autoptr(GArray) folders = split(members, folder_max);
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(when);

	if (!check(members, folders, err))
		return NULL;
	compress_all(folders, members);
	GByteArray *out = g_byte_array_new();
	put_header(out, folders->len, members->len);
	for (guint i = 0; i < folders->len; i++) {
		put32(out, 0); /* where its data begins, later */
		put16(out, g_array_index(folders, struct folder, i).frames->len);
		put16(out, TYPE_LZX_21);
	}
	for (guint i = 0; i < folders->len; i++) {
		const struct folder *f = &g_array_index(folders, struct folder, i);
		uint64_t at = 0;

		for (guint j = f->first; j < f->end; j++) {
			put_member(out, members->pdata[j], at, i, date);
			at += g_bytes_get_size(bytes_of(members, j));
		}
	}
	for (guint i = 0; i < folders->len; i++) {
		ib_put_le32(out->data + HEADER + i * FOLDER, out->len);
		put_data(out, &g_array_index(folders, struct folder, i));
	}
	ib_put_le32(out->data + 8, out->len);
	return out;
}
