/* The small encodings of UDF: CRC, compressed Unicode, times. */
#include "media/internal.h"

#include <string.h>

#include <criterion/criterion.h>

Test(media_format, crc)
{
	/* the usual check value, and ECMA-167's own example */
	cr_expect_eq(ib_media_crc((const uint8_t *)"123456789", 9), 0x31C3);
	cr_expect_eq(ib_media_crc((const uint8_t *)"\x70\x6A\x77", 3), 0x3299);
	cr_expect_eq(ib_media_crc((const uint8_t *)"", 0), 0);
}

Test(media_format, tag)
{
	uint8_t p[512] = { 0 };
	struct ib_media_place place = { .name = "x", .lsn = 300, .location = 43 };
	ib_auto_error err = NULL;

	p[100] = 7;
	ib_media_tag_write(p, TAG_FSD, 496, 43);
	cr_expect_eq(ib_le16(p + 2), 2);
	cr_expect(ib_media_tag_check(p, sizeof p, TAG_FSD, &place, &err));
	cr_assert(!ib_media_tag_check(p, 100, TAG_FSD, &place, &err));
	cr_expect(strstr(ib_error_cause(err), "496 bytes, 84"), "%s", ib_error_cause(err));
	ib_error_clear(&err);
	place.location = 44;
	cr_assert(!ib_media_tag_check(p, sizeof p, TAG_FSD, &place, &err));
	cr_expect(strstr(ib_error_cause(err), "lies at 43, it lies at 44"), "%s", ib_error_cause(err));
	ib_error_clear(&err);
	place.anywhere = true;
	cr_expect(ib_media_tag_check(p, sizeof p, TAG_FSD, &place, &err));
}

Test(media_format, compressed_unicode)
{
	static const struct {
		const char *text;
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "abc", "\x08" "abc", 4 },
		{ "\xC3\xBC", "\x08\xFC", 2 },
		{ "a\xD0\x98", "\x10\0a\x04\x18", 5 },
		{ "\xF0\x9F\x98\x80", "\x10\xD8\x3D\xDE\x00", 5 },
		{ "\xED\xA0\x80", "\x10\xD8\x00", 3 }, /* an unpaired surrogate */
	};
	uint8_t buf[16];

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		cr_assert_eq(ib_media_cs0_encode(cases[i].text, buf, sizeof buf), cases[i].len, "case %zu", i);
		cr_expect(memcmp(buf, cases[i].bytes, cases[i].len) == 0, "case %zu", i);
		cr_expect_eq(ib_media_cs0_encode(cases[i].text, buf, cases[i].len - 1), 0, "case %zu", i);
		g_autofree char *back = ib_media_cs0_decode(buf, cases[i].len);
		cr_expect_str_eq(back, cases[i].text, "case %zu", i);
	}
	cr_expect_null(ib_media_cs0_decode((const uint8_t *)"\x10" "a", 2));
	cr_expect_null(ib_media_cs0_decode((const uint8_t *)"\x09" "a", 2));
	cr_expect_null(ib_media_cs0_decode((const uint8_t *)"", 0));
	cr_expect_eq(ib_media_cs0_encode("\xFF", buf, sizeof buf), 0);
}

Test(media_format, dstring)
{
	uint8_t field[8];
	g_autofree char *text = NULL;

	cr_assert(ib_media_dstring_encode("abcdef", field, sizeof field));
	cr_expect_eq(field[7], 7);
	text = ib_media_dstring_decode(field, sizeof field);
	cr_expect_str_eq(text, "abcdef");
	cr_expect(!ib_media_dstring_encode("abcdefg", field, sizeof field));
	field[7] = 8;
	cr_expect_null(ib_media_dstring_decode(field, sizeof field));
	cr_assert(ib_media_dstring_encode("", field, sizeof field));
	cr_expect(memcmp(field, "\0\0\0\0\0\0\0\0", 8) == 0);
}

Test(media_format, times)
{
	static const int64_t cases[] = { 0, 1, 951782399, 1700000000, 4102444800, 5869583999 };
	uint8_t p[12];

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_media_time_encode(cases[i], p);
		cr_expect_eq(ib_media_time_decode(p), cases[i], "%" PRId64, cases[i]);
	}
	ib_media_time_encode(1700000000, p);
	cr_expect(memcmp(p, "\x00\x10\xE7\x07\x0B\x0E\x16\x0D\x14\0\0\0", 12) == 0);
	ib_put_le16(p, 0x1000 | 60); /* an hour east of Greenwich */
	cr_expect_eq(ib_media_time_decode(p), 1700000000 - 3600);
	ib_put_le16(p, 0x1000 | (-90 & 0xFFF));
	cr_expect_eq(ib_media_time_decode(p), 1700000000 + 5400);
	ib_put_le16(p, 0x1801); /* -2047: no zone */
	cr_expect_eq(ib_media_time_decode(p), 1700000000);
	p[4] = 13;
	cr_expect_eq(ib_media_time_decode(p), 0);
}
