/*
 * A cabinet without compression: one folder, blocks of 32 KiB. Readers of cabinets must know this
 * type; no library at hand writes the compressed one that servers use. Layout: MS-CAB section 2.
 */
#include "metadata/internal.h"

#include <string.h>

#define HEADER_BYTES 36u
#define FOLDER_BYTES 8u
#define FILE_BYTES 16u /* and the name with its NUL */
#define BLOCK_HEADER 8u
#define BLOCK_MAX 32768u
/* A folder counts its blocks in 16 bits. */
#define CONTENT_MAX ((uint64_t)UINT16_MAX * BLOCK_MAX)
#define ATTRIBUTE_ARCHIVE 0x20

/* XOR of little-endian words; the rest of up to three bytes counts from its high end (MS-CAB 3.1). */
static uint32_t checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	uint32_t rest = 0;

	for (; len >= 4; p += 4, len -= 4)
		sum ^= ib_le32(p);
	for (; len > 0; p++, len--)
		rest |= (uint32_t)*p << (8 * (len - 1));
	return sum ^ rest;
}

/* MS-DOS date and time, UTC; its years begin with 1980. */
static void dos_time(int64_t seconds, uint16_t *ret_date, uint16_t *ret_time)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds);
	int year = t ? g_date_time_get_year(t) : 0;

	*ret_date = 1 << 5 | 1;
	*ret_time = 0;
	if (year < 1980 || year > 2107)
		return;
	*ret_date = (uint16_t)((year - 1980) << 9 | g_date_time_get_month(t) << 5 | g_date_time_get_day_of_month(t));
	*ret_time = (uint16_t)(g_date_time_get_hour(t) << 11 | g_date_time_get_minute(t) << 5 |
			       g_date_time_get_second(t) / 2);
}

static void put16(GByteArray *out, uint16_t v)
{
	uint8_t b[2];

	ib_put_le16(b, v);
	g_byte_array_append(out, b, sizeof b);
}

static void put32(GByteArray *out, uint32_t v)
{
	uint8_t b[4];

	ib_put_le32(b, v);
	g_byte_array_append(out, b, sizeof b);
}

static void put_headers(GByteArray *out, const struct cab_member *members, size_t count, uint32_t data_at,
			uint32_t total)
{
	uint32_t blocks = 0, content = 0;

	for (size_t i = 0; i < count; i++)
		content += (uint32_t)members[i].len;
	blocks = (content + BLOCK_MAX - 1) / BLOCK_MAX;
	g_byte_array_append(out, (const guint8 *)"MSCF", 4);
	put32(out, 0);
	put32(out, total);
	put32(out, 0);
	put32(out, HEADER_BYTES + FOLDER_BYTES); /* where the files are */
	put32(out, 0);
	put16(out, 0x0103);                      /* version 1.3 */
	put16(out, 1);                           /* folders */
	put16(out, (uint16_t)count);
	put16(out, 0);                           /* flags: no reserve, no neighbours */
	put16(out, 0);                           /* set */
	put16(out, 0);                           /* its number in the set */
	put32(out, data_at);
	put16(out, (uint16_t)blocks);
	put16(out, 0);                           /* not compressed */
}

static void put_files(GByteArray *out, const struct cab_member *members, size_t count, int64_t date)
{
	uint32_t at = 0;
	uint16_t day, time;

	dos_time(date, &day, &time);
	for (size_t i = 0; i < count; i++) {
		put32(out, (uint32_t)members[i].len);
		put32(out, at);
		put16(out, 0); /* folder */
		put16(out, day);
		put16(out, time);
		put16(out, ATTRIBUTE_ARCHIVE);
		g_byte_array_append(out, (const guint8 *)members[i].name, (guint)strlen(members[i].name) + 1);
		at += (uint32_t)members[i].len;
	}
}

static void put_blocks(GByteArray *out, const uint8_t *content, uint32_t len)
{
	for (uint32_t at = 0; at < len;) {
		uint16_t n = (uint16_t)MIN(len - at, BLOCK_MAX);
		uint8_t sizes[4];
		ib_put_le16(sizes, n);
		ib_put_le16(sizes + 2, n);
		put32(out, checksum(sizes, sizeof sizes, checksum(content + at, n, 0)));
		g_byte_array_append(out, sizes, sizeof sizes);
		g_byte_array_append(out, content + at, n);
		at += n;
	}
}

bool cab_write(const struct cab_member *members, size_t count, int64_t date, GBytes **ret, struct ib_error **err)
{
	uint64_t content = 0, data_at = HEADER_BYTES + FOLDER_BYTES;

	for (size_t i = 0; i < count; i++) {
		content += members[i].len;
		data_at += FILE_BYTES + strlen(members[i].name) + 1;
	}
	/* half of it, so that content and cabinet together stay in memory and every offset in 32 bits */
	if (content > CONTENT_MAX / 2)
		return ib_throw(err, IB_ERR_INPUT, "the export has %" PRIu64 " bytes, a cabinet of one folder takes %" PRIu64,
				content, CONTENT_MAX / 2);
	uint64_t total = data_at + content + (content + BLOCK_MAX - 1) / BLOCK_MAX * BLOCK_HEADER;
	g_autoptr(GByteArray) all = g_byte_array_sized_new((guint)content + 1);
	GByteArray *out = g_byte_array_sized_new((guint)total);
	for (size_t i = 0; i < count; i++)
		g_byte_array_append(all, members[i].data, (guint)members[i].len);
	put_headers(out, members, count, (uint32_t)data_at, (uint32_t)total);
	put_files(out, members, count, date);
	put_blocks(out, all->data, all->len);
	*ret = g_byte_array_free_to_bytes(out);
	return true;
}
