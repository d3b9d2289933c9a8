/* Discs: what the writer makes, the reader reads and the verifier accepts; hostile ones are refused. */
#include "media/media.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define EPOCH 1700000000
#define SECTOR ((size_t)IB_MEDIA_SECTOR)

static void expect_ok(bool ok, struct ib_error *err)
{
	cr_assert(ok, "%s", err ? ib_error_cause(err) : "no error was set");
	cr_assert_null(err);
}

static void expect_error(bool ok, enum ib_code code, const char *text, struct ib_error **err)
{
	cr_assert(!ok, "no error, '%s' was expected", text);
	cr_expect_eq(ib_error_code(*err), code, "code %d for '%s'", ib_error_code(*err), ib_error_cause(*err));
	cr_expect(strstr(ib_error_cause(*err), text), "cause '%s' lacks '%s'", ib_error_cause(*err), text);
	ib_error_clear(err);
}

static int temp_fd(void)
{
	ib_auto_error err = NULL;
	int fd = -1;

	expect_ok(ib_file_temp(g_get_tmp_dir(), &fd, &err), err);
	return fd;
}

static GBytes *pattern(size_t size, uint8_t seed)
{
	uint8_t *p = g_malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(seed + i * 7 + (i >> 8));
	return g_bytes_new_take(p, size);
}

static const struct ib_media_options plain = { .label = "UNIT_TEST", .epoch = EPOCH };
static const struct ib_media_options bootable = { .label = "UNIT_TEST", .epoch = EPOCH, .bios_path = "boot/etfsboot.com",
						  .efi_path = "EFI/microsoft/boot/efisys.bin" };

static struct ib_media_writer *new_writer(const struct ib_media_options *options)
{
	struct ib_media_writer *w = NULL;
	ib_auto_error err = NULL;

	expect_ok(ib_media_writer_new(options, &w, &err), err);
	return w;
}

static void add(struct ib_media_writer *w, const char *path, int64_t mtime, size_t size)
{
	g_autoptr(GBytes) bytes = pattern(size, (uint8_t)size);
	ib_auto_error err = NULL;

	expect_ok(ib_media_writer_add_bytes(w, path, mtime, bytes, &err), err);
}

/* A small disc with everything in it; sizes tell the patterns apart. */
static void fill_sample(struct ib_media_writer *w)
{
	ib_auto_error err = NULL;

	add(w, "boot/etfsboot.com", 1000, 4096);
	add(w, "efi/microsoft/boot/efisys.bin", EPOCH + 5, 20000);
	add(w, "setup.exe", -5, 2048);
	add(w, "empty.txt", 2000, 0);
	add(w, "sources/\xD0\x9F\xD1\x80\xD0\xB8.txt", 3000, 3);
	add(w, "sources/\xF0\x9F\x98\x80.txt", 3000, 4);
	add(w, "sources/\xC3\xBC.txt", 3000, 5);
	expect_ok(ib_media_writer_reserve(w, "sources/install.wim", 4000, 9000, &err), err);
	expect_ok(ib_media_writer_reserve(w, "sources/boot.wim", 4000, 5000, &err), err);
	expect_ok(ib_media_writer_add_dir(w, "empty/folder", &err), err);
}

static void write_reserved(struct ib_media_writer *w, const char *path, size_t size)
{
	g_autoptr(GBytes) bytes = pattern(size, (uint8_t)size);
	static const uint8_t junk[9000] = { 1 };
	struct ib_output out;
	ib_auto_error err = NULL;

	expect_ok(ib_media_writer_open(w, path, &out, &err), err);
	expect_ok(ib_output_write(&out, size, junk, sizeof junk, &err), err);
	expect_ok(ib_output_write(&out, 0, g_bytes_get_data(bytes, NULL), size, &err), err);
	expect_ok(ib_media_writer_close(w, size, &err), err);
}

static GBytes *read_back(int fd, uint64_t size)
{
	struct ib_output out = { .fd = fd, .name = "test.iso" };
	uint8_t *data = g_malloc(size);
	ib_auto_error err = NULL;

	cr_assert_eq((uint64_t)lseek(fd, 0, SEEK_END), size);
	expect_ok(ib_output_read(&out, 0, data, size, &err), err);
	return g_bytes_new_take(data, size);
}

static GBytes *sample(const struct ib_media_options *options)
{
	ib_auto_media_writer w = new_writer(options);
	ib_auto_fd fd = temp_fd();
	struct ib_output out = { .fd = fd, .name = "test.iso" };
	ib_auto_error err = NULL;
	uint64_t size = 0;
	g_autofree uint8_t *old = g_malloc(3u << 20);

	memset(old, 0xAA, 3u << 20); /* what lay there before must not show */
	expect_ok(ib_output_write(&out, 0, old, 3u << 20, &err), err);
	fill_sample(w);
	uint64_t space = ib_media_writer_space(w);
	expect_ok(ib_media_writer_start(w, &out, NULL, &err), err);
	write_reserved(w, "sources/boot.wim", 5000);
	write_reserved(w, "sources/install.wim", 9000);
	expect_ok(ib_media_writer_finish(w, &size, &err), err);
	cr_expect_eq(size, space);
	return read_back(fd, size);
}

static struct ib_media *open_bytes(GBytes *bytes)
{
	ib_auto_input in = ib_input_from_bytes(bytes, "test.iso");
	struct ib_media *media = NULL;
	ib_auto_error err = NULL;

	expect_ok(ib_media_open(in, &media, &err), err);
	return media;
}

static void expect_file(const struct ib_media *media, const char *path, size_t size, int64_t mtime)
{
	const struct ib_media_entry *e = ib_media_find(media, path);
	g_autoptr(GBytes) want = pattern(size, (uint8_t)size);
	g_autoptr(GBytes) have = NULL;
	ib_auto_input in = NULL;
	ib_auto_error err = NULL;

	cr_assert_not_null(e, "'%s' is not found", path);
	cr_expect_eq(e->size, size);
	cr_expect_eq(e->mtime, mtime, "'%s' has time %" PRId64, path, e->mtime);
	expect_ok(ib_media_file(media, e, &in, &err), err);
	expect_ok(ib_input_bytes(in, size, &have, &err), err);
	cr_expect(g_bytes_equal(have, want), "'%s' has other bytes", path);
}

Test(media, round_trip)
{
	g_autoptr(GBytes) bytes = sample(&bootable);
	ib_auto_media media = open_bytes(bytes);
	ib_auto_input in = ib_input_from_bytes(bytes, "test.iso");
	ib_auto_error err = NULL;

	cr_expect_eq(ib_media_kind(media), IB_MEDIA_UDF);
	cr_expect_str_eq(ib_media_label(media), "UNIT_TEST");
	expect_file(media, "BOOT/ETFSBOOT.COM", 4096, 1000);
	expect_file(media, "efi\\microsoft\\boot\\efisys.bin", 20000, EPOCH); /* newer than the volume */
	expect_file(media, "setup.exe", 2048, 0);                              /* before 1970 */
	expect_file(media, "/empty.txt", 0, 2000);
	expect_file(media, "sources/\xD0\xBF\xD0\xA0\xD0\xB8.txt", 3, 3000);
	expect_file(media, "sources/\xF0\x9F\x98\x80.txt", 4, 3000);
	expect_file(media, "sources/\xC3\x9C.txt", 5, 3000);
	expect_file(media, "sources/install.wim", 9000, 4000);
	expect_file(media, "sources/boot.wim", 5000, 4000);
	cr_assert_not_null(ib_media_find(media, "empty/folder"));
	cr_expect(ib_media_find(media, "empty/folder")->is_dir);
	cr_expect_null(ib_media_find(media, "sources/missing"));
	expect_ok(ib_media_verify(in, &err), err);
}

Test(media, entries_are_in_order)
{
	static const char *const want[] = { "boot", "boot/etfsboot.com", "efi", "efi/microsoft", "efi/microsoft/boot",
		"efi/microsoft/boot/efisys.bin", "empty", "empty/folder", "empty.txt", "setup.exe", "sources" };
	g_autoptr(GBytes) bytes = sample(&bootable);
	ib_auto_media media = open_bytes(bytes);

	cr_assert_eq(ib_media_count(media), 16);
	for (size_t i = 0; i < G_N_ELEMENTS(want); i++)
		cr_expect_str_eq(ib_media_entry(media, i)->path, want[i]);
	cr_expect_null(ib_media_entry(media, 16));
}

Test(media, boot_entries)
{
	g_autoptr(GBytes) bytes = sample(&bootable);
	ib_auto_media media = open_bytes(bytes);
	ib_auto_input in = NULL;
	ib_auto_error err = NULL;

	cr_assert_eq(ib_media_boot_count(media), 2);
	const struct ib_media_boot *bios = ib_media_boot(media, 0), *efi = ib_media_boot(media, 1);
	cr_expect_eq(bios->platform, IB_MEDIA_BIOS);
	cr_expect_eq(bios->sectors, 8);
	cr_expect_str_eq(bios->entry->path, "boot/etfsboot.com");
	cr_expect_eq(efi->platform, IB_MEDIA_EFI);
	cr_expect_eq(efi->sectors, 1);
	cr_expect_str_eq(efi->entry->path, "efi/microsoft/boot/efisys.bin");
	expect_ok(ib_media_boot_input(media, efi, &in, &err), err);
	cr_expect_eq(ib_input_size(in), 20000);
	cr_expect_null(ib_media_boot(media, 2));
}

Test(media, efi_only_and_no_boot)
{
	struct ib_media_options efi_only = bootable;
	efi_only.bios_path = NULL;
	const struct ib_media_options *const options[] = { &efi_only, &plain };

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
		g_autoptr(GBytes) bytes = sample(options[i]);
		ib_auto_media media = open_bytes(bytes);
		ib_auto_input in = ib_input_from_bytes(bytes, "test.iso");
		ib_auto_error err = NULL;
		cr_assert_eq(ib_media_boot_count(media), 1 - i);
		if (i == 0)
			cr_expect_eq(ib_media_boot(media, 0)->platform, IB_MEDIA_EFI);
		expect_ok(ib_media_verify(in, &err), err);
	}
}

Test(media, same_input_same_bytes)
{
	struct ib_media_options other = bootable;
	other.set_id = "0123456789abcdef";
	g_autoptr(GBytes) a = sample(&bootable);
	g_autoptr(GBytes) b = sample(&bootable);
	g_autoptr(GBytes) c = sample(&other);
	const uint8_t *p = g_bytes_get_data(c, NULL);

	cr_expect(g_bytes_equal(a, b));
	cr_expect(memcmp(p + 32 * SECTOR + 72, "\b0123456789abcdefUNIT_TEST", 26) == 0);
}

/* ---- large files ---- */

Test(media, file_of_several_extents)
{
	static const uint64_t size = UINT64_C(2) * 0x3FFFF800 + 5000;
	ib_auto_media_writer w = new_writer(&plain);
	ib_auto_fd fd = temp_fd();
	struct ib_output out = { .fd = fd, .name = "big.iso" }, wim;
	uint8_t mark[4] = { 0 };
	uint64_t total = 0;
	ib_auto_error err = NULL;

	expect_ok(ib_media_writer_reserve(w, "install.wim", 0, size, &err), err);
	expect_ok(ib_media_writer_start(w, &out, NULL, &err), err);
	expect_ok(ib_media_writer_open(w, "install.wim", &wim, &err), err);
	expect_ok(ib_output_write(&wim, 0x3FFFF800 - 2, "edge", 4, &err), err);
	expect_ok(ib_output_write(&wim, size - 4, "tail", 4, &err), err);
	expect_ok(ib_media_writer_close(w, size, &err), err);
	expect_ok(ib_media_writer_finish(w, &total, &err), err);

	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	ib_auto_input in = NULL;
	ib_auto_input file = NULL;
	ib_auto_media media = NULL;
	expect_ok(ib_input_open(path, &in, &err), err);
	expect_ok(ib_media_verify(in, &err), err);
	expect_ok(ib_media_open(in, &media, &err), err);
	const struct ib_media_entry *e = ib_media_entry(media, 0);
	cr_assert_eq(e->size, size);
	cr_expect_eq(e->extent_count, 1); /* adjacent extents are one run for the reader */
	expect_ok(ib_media_file(media, e, &file, &err), err);
	expect_ok(ib_input_read(file, 0x3FFFF800 - 2, mark, 4, &err), err);
	cr_expect(memcmp(mark, "edge", 4) == 0);
	expect_ok(ib_input_read(file, size - 4, mark, 4, &err), err);
	cr_expect(memcmp(mark, "tail", 4) == 0);
	/* three descriptors in the file entry: the root is LBN 2 and 3, the file entry LBN 4 */
	uint8_t entry[SECTOR];
	expect_ok(ib_input_read(in, (257 + 4) * SECTOR, entry, sizeof entry, &err), err);
	cr_expect_eq(ib_le32(entry + 172), 24);
	cr_expect_eq(ib_le32(entry + 176), 0x3FFFF800);
	cr_expect_eq(ib_le32(entry + 192), 5000);
}

Test(media, refuses_too_large)
{
	ib_auto_media_writer w = new_writer(&plain);
	struct ib_error *err = NULL;

	expect_error(ib_media_writer_reserve(w, "a.wim", 0, IB_MEDIA_MAX_FILE + 1, &err), IB_ERR_INPUT, "a.wim", &err);
	expect_ok(ib_media_writer_reserve(w, "a.wim", 0, IB_MEDIA_MAX_FILE, &err), err);
	cr_expect_gt(ib_media_writer_space(w), IB_MEDIA_MAX_FILE);
}

/* ---- refusals of the writer ---- */

Test(media, options)
{
	static const struct {
		struct ib_media_options options;
		const char *text;
	} cases[] = {
		{ { .label = NULL }, "volume label" },
		{ { .label = "" }, "volume label" },
		{ { .label = "1234567890123456789012345678901" }, "volume label" },
		{ { .label = "T\xC3\xBCr" }, "volume label" },
		{ { .label = "X", .epoch = -1 }, "volume time" },
		{ { .label = "X", .epoch = INT64_C(5869584000) }, "volume time" },
		{ { .label = "X", .set_id = "0123456789ABCDEF" }, "set id" },
		{ { .label = "X", .set_id = "012345" }, "set id" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_error *err = NULL;
		struct ib_media_writer *w = NULL;
		expect_error(ib_media_writer_new(&cases[i].options, &w, &err), IB_ERR_USAGE, cases[i].text, &err);
	}
	g_autoptr(GBytes) bytes = sample(&(struct ib_media_options){ .label = "123456789012345678901234567890",
								      .epoch = INT64_C(5869583999) });
	ib_auto_media media = open_bytes(bytes);
	cr_expect_str_eq(ib_media_label(media), "123456789012345678901234567890");
}

Test(media, names)
{
	g_autofree char *long8 = g_strnfill(254, 'x');
	g_autofree char *too_long8 = g_strnfill(255, 'x');
	GString *wide = g_string_new(NULL);
	for (int i = 0; i < 127; i++)
		g_string_append(wide, "\xE4\xB8\xAD");
	g_autofree char *long16 = g_string_free(wide, FALSE);
	g_autofree char *too_long16 = g_strconcat(long16, "x", NULL);
	GString *deep = g_string_new("d");
	for (int i = 0; i < 64; i++)
		g_string_append(deep, "/d");
	g_autofree char *too_deep = g_string_free(deep, FALSE);
	const struct {
		const char *path;
		const char *text; /* NULL: is taken */
	} cases[] = {
		{ "file", NULL }, { long8, NULL }, { long16, NULL }, { "a/b/c", NULL }, { ".hidden", NULL }, { "x;1", NULL },
		{ "FILE", "'file' is there" }, { "A/B", "'a/b' is there" }, { "file/below", "is a file" },
		{ "", "empty" }, { "/x", "is empty" }, { "x/", "is empty" }, { "x//y", "is empty" },
		{ "..", "dot" }, { "x/../y", "dot" }, { ".", "dot" }, { "dot.", "dot" }, { "blank ", "blank" },
		{ "a\\b", "character" }, { "a:b", "character" }, { "a*", "character" }, { "a\nb", "character" },
		{ "a\xFF", "UTF-8" }, { too_long8, "too long" }, { too_long16, "too long" }, { too_deep, "deeper" },
	};
	ib_auto_media_writer w = new_writer(&plain);
	g_autoptr(GBytes) bytes = g_bytes_new(NULL, 0);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_error *err = NULL;
		bool ok = ib_media_writer_add_bytes(w, cases[i].path, 0, bytes, &err);
		if (cases[i].text)
			expect_error(ok, IB_ERR_INPUT, cases[i].text, &err);
		else
			expect_ok(ok, err);
	}
}

Test(media, calls_out_of_order)
{
	ib_auto_media_writer w = new_writer(&plain);
	ib_auto_fd fd = temp_fd();
	struct ib_output out = { .fd = fd, .name = "test.iso" }, wim;
	struct ib_error *err = NULL;

	expect_ok(ib_media_writer_reserve(w, "a.wim", 0, 1, &err), err);
	expect_error(ib_media_writer_open(w, "a.wim", &wim, &err), IB_ERR_USAGE, "a.wim", &err);
	expect_error(ib_media_writer_finish(w, NULL, &err), IB_ERR_USAGE, "not being written", &err);
	expect_ok(ib_media_writer_start(w, &out, NULL, &err), err);
	expect_error(ib_media_writer_start(w, &out, NULL, &err), IB_ERR_USAGE, "already", &err);
	expect_error(ib_media_writer_add_dir(w, "x", &err), IB_ERR_USAGE, "being written", &err);
	expect_error(ib_media_writer_close(w, 0, &err), IB_ERR_USAGE, "no file", &err);
	expect_error(ib_media_writer_open(w, "b.wim", &wim, &err), IB_ERR_USAGE, "not reserved", &err);
	expect_error(ib_media_writer_finish(w, NULL, &err), IB_ERR_USAGE, "'a.wim'", &err);
	expect_ok(ib_media_writer_open(w, "a.wim", &wim, &err), err);
	expect_ok(ib_media_writer_close(w, 0, &err), err);
	expect_ok(ib_media_writer_finish(w, NULL, &err), err);
}

Test(media, boot_images_must_be_there)
{
	static const struct {
		const char *path;
		size_t size;
		enum ib_code code;
		const char *text;
	} cases[] = {
		{ "other", 5, IB_ERR_USAGE, "not among the files" },
		{ "boot/etfsboot.com", 0, IB_ERR_INPUT, "0 bytes" },
		{ "boot/etfsboot.com", 65537, IB_ERR_INPUT, "65537 bytes" },
		{ "boot/etfsboot.com/x", 5, IB_ERR_USAGE, "not among the files" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_auto_media_writer w = new_writer(&bootable);
		ib_auto_fd fd = temp_fd();
		struct ib_output out = { .fd = fd, .name = "test.iso" };
		struct ib_error *err = NULL;
		add(w, cases[i].path, 0, cases[i].size);
		expect_error(ib_media_writer_start(w, &out, NULL, &err), cases[i].code, cases[i].text, &err);
	}
}

Test(media, unfinished_is_no_disc)
{
	g_autoptr(GBytes) old = sample(&plain);
	ib_auto_media_writer w = new_writer(&bootable);
	ib_auto_fd fd = temp_fd();
	struct ib_output out = { .fd = fd, .name = "test.iso" };
	struct ib_media *media = NULL;
	ib_auto_error err = NULL;

	expect_ok(ib_output_write(&out, 0, g_bytes_get_data(old, NULL), g_bytes_get_size(old), &err), err);
	fill_sample(w);
	expect_ok(ib_media_writer_start(w, &out, NULL, &err), err);
	g_autoptr(GBytes) half = read_back(fd, (uint64_t)lseek(fd, 0, SEEK_END));
	ib_auto_input in = ib_input_from_bytes(half, "half.iso");
	expect_error(ib_media_open(in, &media, &err), IB_ERR_INPUT, "neither", &err);
}
