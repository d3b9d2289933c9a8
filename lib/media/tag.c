/* Descriptor tags, names and times of ECMA-167 and OSTA UDF. */
#include "media/internal.h"

#include <string.h>
#include <time.h>

uint16_t ib_media_crc(const uint8_t *p, size_t len)
{
	/* remainders of the sixteen upper nibbles */
	static const uint16_t table[16] = {
		0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
		0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
	};
	unsigned crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc = (crc << 4 & 0xFFFF) ^ table[crc >> 12 ^ p[i] >> 4];
		crc = (crc << 4 & 0xFFFF) ^ table[crc >> 12 ^ (p[i] & 15u)];
	}
	return (uint16_t)crc;
}

static uint8_t tag_checksum(const uint8_t *p)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < 16; i++)
		sum += i == 4 ? 0 : p[i];
	return (uint8_t)sum;
}

const char *ib_media_tag_name(unsigned id)
{
	static const struct { unsigned id; const char *name; } names[] = {
		{ TAG_PVD, "primary volume descriptor" }, { TAG_AVDP, "anchor volume descriptor pointer" },
		{ TAG_IUVD, "implementation use volume descriptor" }, { TAG_PD, "partition descriptor" },
		{ TAG_LVD, "logical volume descriptor" }, { TAG_USD, "unallocated space descriptor" },
		{ TAG_TD, "terminating descriptor" }, { TAG_LVID, "logical volume integrity descriptor" },
		{ TAG_FSD, "file set descriptor" }, { TAG_FID, "file identifier descriptor" },
		{ TAG_AED, "allocation extent descriptor" }, { TAG_FE, "file entry" },
		{ TAG_EFE, "extended file entry" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i].id == id)
			return names[i].name;
	return "descriptor";
}

bool ib_media_tag_check(const uint8_t *p, size_t size, enum tag_id id, const struct ib_media_place *place,
			struct ib_error **err)
{
	const char *what = ib_media_tag_name(id);
	size_t crc_len;

	if (size < 16)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the %s is cut off", place->name, place->lsn, what);
	if (ib_le16(p) != id)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": a %s is expected, the tag says %u", place->name,
				place->lsn, what, ib_le16(p));
	if (p[4] != tag_checksum(p))
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the %s has tag checksum %02x, computed %02x",
				place->name, place->lsn, what, p[4], tag_checksum(p));
	if (ib_le16(p + 2) != 2 && ib_le16(p + 2) != 3)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the %s has tag version %u, 2 or 3 is known",
				place->name, place->lsn, what, ib_le16(p + 2));
	crc_len = ib_le16(p + 10);
	if (crc_len > size - 16)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the CRC of the %s covers %zu bytes, %zu are there",
				place->name, place->lsn, what, crc_len, size - 16);
	if (ib_le16(p + 8) != ib_media_crc(p + 16, crc_len))
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the %s has CRC %04x, computed %04x", place->name,
				place->lsn, what, ib_le16(p + 8), ib_media_crc(p + 16, crc_len));
	if (!place->anywhere && ib_le32(p + 12) != place->location)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the %s says it lies at %u, it lies at %u",
				place->name, place->lsn, what, ib_le32(p + 12), place->location);
	return true;
}

void ib_media_tag_write(uint8_t *p, enum tag_id id, size_t crc_len, uint32_t location)
{
	memset(p, 0, 16);
	ib_put_le16(p, (uint16_t)id);
	ib_put_le16(p + 2, 2);
	ib_put_le16(p + 8, ib_media_crc(p + 16, crc_len));
	ib_put_le16(p + 10, (uint16_t)crc_len);
	ib_put_le32(p + 12, location);
	p[4] = tag_checksum(p);
}

char *ib_media_cs0_decode(const uint8_t *p, size_t len)
{
	if (len < 1 || (p[0] != 8 && p[0] != 16) || (p[0] == 16 && len % 2 == 0))
		return NULL;
	size_t units = p[0] == 8 ? len - 1 : (len - 1) / 2;
	g_autofree uint8_t *utf16 = g_malloc(2 * units + 1);
	for (size_t i = 0; i < units; i++)
		ib_put_le16(utf16 + 2 * i, p[0] == 8 ? p[1 + i] : ib_be16(p + 1 + 2 * i));
	return ib_utf16_to_utf8(utf16, 2 * units);
}

size_t ib_media_cs0_encode(const char *text, uint8_t *buf, size_t cap)
{
	size_t bytes;
	bool wide = false;
	g_autofree uint8_t *utf16 = ib_utf8_to_utf16(text, &bytes);

	if (!utf16)
		return 0;
	for (size_t i = 1; i < bytes; i += 2)
		wide = wide || utf16[i];
	size_t need = 1 + (wide ? bytes : bytes / 2);
	if (need > cap)
		return 0;
	buf[0] = wide ? 16 : 8;
	for (size_t i = 0; i < bytes / 2; i++) {
		if (!wide) {
			buf[1 + i] = utf16[2 * i];
			continue;
		}
		buf[1 + 2 * i] = utf16[2 * i + 1];
		buf[2 + 2 * i] = utf16[2 * i];
	}
	return need;
}

char *ib_media_dstring_decode(const uint8_t *p, size_t n)
{
	if (p[n - 1] == 0)
		return g_strdup("");
	return p[n - 1] > n - 1 ? NULL : ib_media_cs0_decode(p, p[n - 1]);
}

bool ib_media_dstring_encode(const char *text, uint8_t *p, size_t n)
{
	memset(p, 0, n);
	if (!*text)
		return true;
	size_t used = ib_media_cs0_encode(text, p, n - 1);
	p[n - 1] = (uint8_t)used;
	return used > 0;
}

int64_t ib_media_time_decode(const uint8_t *p)
{
	int zone = ib_le16(p) & 0xFFF;
	int16_t year = (int16_t)ib_le16(p + 2);
	struct tm tm = { .tm_year = year - 1900, .tm_mon = p[4] - 1, .tm_mday = p[5],
			 .tm_hour = p[6], .tm_min = p[7], .tm_sec = p[8] };

	if (p[4] < 1 || p[4] > 12 || p[5] < 1 || p[5] > 31 || p[6] > 23 || p[7] > 59 || p[8] > 60)
		return 0;
	zone = zone >= 0x800 ? zone - 0x1000 : zone;
	if (zone < -1440 || zone > 1440) /* -2047 = no zone given: taken as UTC */
		zone = 0;
	return (int64_t)timegm(&tm) - zone * 60;
}

void ib_media_time_encode(int64_t seconds, uint8_t *p)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	memset(p, 0, 12);
	gmtime_r(&t, &tm);
	ib_put_le16(p, 0x1000); /* local time, 0 minutes from UTC */
	ib_put_le16(p + 2, (uint16_t)(tm.tm_year + 1900));
	p[4] = (uint8_t)(tm.tm_mon + 1);
	p[5] = (uint8_t)tm.tm_mday;
	p[6] = (uint8_t)tm.tm_hour;
	p[7] = (uint8_t)tm.tm_min;
	p[8] = (uint8_t)tm.tm_sec;
}
