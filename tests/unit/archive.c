#include <criterion/criterion.h>

#include <string.h>

#include "archive/archive.h"
#include "tests/cab_sample.h"

static struct ib_archive *open_bytes(GBytes *bytes)
{
	ib_auto_input in = ib_input_from_bytes(bytes, "test.cab");
	struct ib_archive *a = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_archive_open(in, &a, &err), "%s", err ? ib_error_cause(err) : "");
	return a;
}

/* The next member's name and text as "name=text"; NULL at the end. */
static char *next_text(struct ib_archive *a)
{
	struct ib_archive_member m;
	bool more = false;
	ib_auto_error err = NULL;
	g_autoptr(GBytes) bytes = NULL;

	cr_assert(ib_archive_next(a, &m, &more, &err), "%s", err ? ib_error_cause(err) : "");
	if (!more)
		return NULL;
	g_autofree char *name = g_strdup(m.name);
	uint64_t size = m.size;
	cr_assert(ib_archive_bytes(a, 1 << 20, &bytes, &err));
	cr_expect_eq(g_bytes_get_size(bytes), size);
	return g_strdup_printf("%s=%.*s", name, (int)size, (const char *)g_bytes_get_data(bytes, NULL));
}

static void expect_members(struct ib_archive *a, const char *const *want)
{
	for (; *want; want++) {
		g_autofree char *got = next_text(a);
		cr_assert_not_null(got);
		cr_expect_str_eq(got, *want);
	}
	g_autofree char *rest = next_text(a);
	cr_expect_null(rest);
}

Test(archive, members_in_order)
{
	static const struct cab_file files[] = {
		CAB_TEXT("update.mum", "<x/>"),
		CAB_TEXT("dir\\sub\\file.txt", "hello"),
		CAB_TEXT("with/slash", ""),
		CAB_TEXT("\xd0\xbf\xd1\x80\xd0\xb8.txt", "utf-8"),
	};
	static const char *const want[] = { "update.mum=<x/>", "dir\\sub\\file.txt=hello", "with\\slash=",
					    "\xd0\xbf\xd1\x80\xd0\xb8.txt=utf-8", NULL };
	g_autoptr(GBytes) cab = cab_sample(files, G_N_ELEMENTS(files));
	struct ib_archive *a = open_bytes(cab);

	expect_members(a, want);
	ib_archive_free(a);
}

Test(archive, bytes_behind_are_accepted)
{
	static const struct cab_file files[] = { CAB_TEXT("a", "one"), CAB_TEXT("b", "two") };
	static const char *const want[] = { "a=one", "b=two", NULL };
	g_autoptr(GBytes) cab = cab_sample(files, 2);
	g_autoptr(GByteArray) all = g_byte_array_new();

	g_byte_array_append(all, g_bytes_get_data(cab, NULL), (guint)g_bytes_get_size(cab));
	g_byte_array_append(all, (const guint8 *)"a signature, for instance", 25);
	g_autoptr(GBytes) longer = g_byte_array_free_to_bytes(g_steal_pointer(&all));
	struct ib_archive *a = open_bytes(longer);
	expect_members(a, want);
	ib_archive_free(a);
}

Test(archive, cabinet_in_cabinet_is_streamed)
{
	static const struct cab_file inner_files[] = { CAB_TEXT("deep", "inside"), CAB_TEXT("deeper", "still") };
	static const char *const want[] = { "deep=inside", "deeper=still", NULL };
	g_autoptr(GBytes) inner = cab_sample(inner_files, 2);
	gsize len;
	const void *data = g_bytes_get_data(inner, &len);
	const struct cab_file outer_files[] = { { "x.cab", data, len }, CAB_TEXT("after", "end") };
	g_autoptr(GBytes) outer = cab_sample(outer_files, 2);
	struct ib_archive *a = open_bytes(outer), *b = NULL;
	struct ib_archive_member m;
	bool more;
	ib_auto_error err = NULL;

	cr_assert(ib_archive_next(a, &m, &more, &err) && more);
	cr_assert(ib_archive_open_stream(ib_archive_stream(a), m.name, &b, &err));
	expect_members(b, want);
	ib_archive_free(b);
	g_autofree char *after = next_text(a);
	cr_expect_str_eq(after, "after=end");
	ib_archive_free(a);
}

Test(archive, skipping_reads_nothing_wrong)
{
	static const struct cab_file files[] = { CAB_TEXT("a", "one"), CAB_TEXT("b", "two"), CAB_TEXT("c", "three") };
	g_autoptr(GBytes) cab = cab_sample(files, 3);
	struct ib_archive *a = open_bytes(cab);
	struct ib_archive_member m;
	bool more;
	char byte;
	size_t n;
	ib_auto_error err = NULL;

	cr_assert(ib_archive_next(a, &m, &more, &err) && more);
	struct ib_stream *s = ib_archive_stream(a);
	cr_assert(ib_stream_read(s, &byte, 1, &n, &err) && n == 1 && byte == 'o');
	cr_assert(ib_archive_next(a, &m, &more, &err) && more);
	cr_expect_not(ib_stream_read(s, &byte, 1, &n, &err), "a stream outlives its member");
	ib_error_clear(&err);
	ib_stream_free(s);
	g_autofree char *c = next_text(a);
	cr_expect_str_eq(c, "c=three");
	ib_archive_free(a);
}

/* libarchive's own skipping loses bytes here. */
Test(archive, skipping_across_folders)
{
	static const struct cab_file files[] = { CAB_TEXT("skipped", "nobody wants this"),
						 CAB_TEXT("wanted", "0123456789") };
	g_autoptr(GBytes) cab = cab_sample_folders(files, 2);
	struct ib_archive *a = open_bytes(cab);
	struct ib_archive_member m;
	bool more;
	ib_auto_error err = NULL;

	cr_assert(ib_archive_next(a, &m, &more, &err), "%s", err ? ib_error_cause(err) : "");
	g_autofree char *wanted = next_text(a);
	cr_expect_str_eq(wanted, "wanted=0123456789");
	ib_archive_free(a);
}

Test(archive, names_that_escape)
{
	static const char *const names[] = { "..\\up", "a\\..\\b", "../up", "C:\\x", "c:x", "\\absolute", "/absolute",
					     "a\\\\b", "stream:ads", "bad\xff utf8" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct cab_file file = CAB_TEXT("", "x");
		file.name = names[i];
		g_autoptr(GBytes) cab = cab_sample(&file, 1);
		struct ib_archive *a = open_bytes(cab);
		struct ib_archive_member m;
		bool more;
		ib_auto_error err = NULL;
		cr_expect_not(ib_archive_next(a, &m, &more, &err), "'%s'", names[i]);
		cr_expect(err && ib_error_code(err) == IB_ERR_INPUT);
		ib_archive_free(a);
	}
}

/* Reads all of it. @return false with the error thrown */
static bool read_all(GBytes *bytes, struct ib_error **err)
{
	ib_auto_input in = ib_input_from_bytes(bytes, "test.cab");
	struct ib_archive *a = NULL;
	struct ib_archive_member m;
	bool more = true, ok = ib_archive_open(in, &a, err);

	while (ok && more) {
		g_autoptr(GBytes) content = NULL;
		ok = ib_archive_next(a, &m, &more, err) && (!more || ib_archive_bytes(a, 1 << 20, &content, err));
	}
	ib_archive_free(a);
	return ok;
}

Test(archive, truncated_anywhere)
{
	static const struct cab_file files[] = { CAB_TEXT("first", "some text"), CAB_TEXT("second", "and more") };
	g_autoptr(GBytes) cab = cab_sample(files, 2);

	for (gsize n = 0; n < g_bytes_get_size(cab); n++) {
		g_autoptr(GBytes) part = g_bytes_new_from_bytes(cab, 0, n);
		ib_auto_error err = NULL;
		cr_assert_not(read_all(part, &err), "%zu bytes were enough", n);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT, "%zu: %s", n, ib_error_cause(err));
	}
	ib_auto_error err = NULL;
	cr_expect(read_all(cab, &err));
}

Test(archive, limit_of_a_member)
{
	static const struct cab_file files[] = { CAB_TEXT("big", "0123456789") };
	g_autoptr(GBytes) cab = cab_sample(files, 1);
	struct ib_archive *a = open_bytes(cab);
	struct ib_archive_member m;
	bool more;
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_archive_next(a, &m, &more, &err) && more);
	cr_expect_not(ib_archive_bytes(a, 9, &bytes, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_archive_free(a);
}

/* A ZIP by hand: one stored member, its directory, the end record. */
static GBytes *zip_sample(uint16_t method, uint32_t crc)
{
	static const char text[] = "info";
	uint8_t local[30] = "PK\3\4", central[46] = "PK\1\2", end[22] = "PK\5\6";
	GByteArray *out = g_byte_array_new();

	ib_put_le16(local + 4, 20);
	ib_put_le16(local + 8, method);
	ib_put_le32(local + 14, crc);
	ib_put_le32(local + 18, 4);
	ib_put_le32(local + 22, 4);
	ib_put_le16(local + 26, 4);
	g_byte_array_append(out, local, sizeof local);
	g_byte_array_append(out, (const guint8 *)"name", 4);
	g_byte_array_append(out, (const guint8 *)text, 4);
	ib_put_le16(central + 4, 20);
	ib_put_le16(central + 6, 20);
	memcpy(central + 10, local + 8, 2);
	memcpy(central + 16, local + 14, 12);
	ib_put_le16(central + 28, 4);
	g_byte_array_append(out, central, sizeof central);
	g_byte_array_append(out, (const guint8 *)"name", 4);
	ib_put_le16(end + 8, 1);
	ib_put_le16(end + 10, 1);
	ib_put_le32(end + 12, sizeof(central) + 4);
	ib_put_le32(end + 16, sizeof(local) + 8);
	g_byte_array_append(out, end, sizeof end);
	return g_byte_array_free_to_bytes(out);
}

Test(archive, zip)
{
	static const char *const want[] = { "name=info", NULL };
	g_autoptr(GBytes) good = zip_sample(0, 0xcb893157), bad_crc = zip_sample(0, 1), lzma = zip_sample(14, 0xcb893157);
	struct ib_archive *a = open_bytes(good);
	ib_auto_error err = NULL;

	expect_members(a, want);
	ib_archive_free(a);
	cr_expect_not(read_all(bad_crc, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_error_clear(&err);
	cr_expect_not(read_all(lzma, &err));
	cr_expect(err && strstr(ib_error_cause(err), "only stored and deflated"), "%s", err ? ib_error_cause(err) : "");
}

Test(archive, neither)
{
	static const char *const texts[] = { "", "MS", "MSWIM\0\0\0", "<?xml version='1.0'?>" };

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GBytes) bytes = g_bytes_new_static(texts[i], strlen(texts[i]));
		ib_auto_error err = NULL;
		cr_expect_not(read_all(bytes, &err));
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}
