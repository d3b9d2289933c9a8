#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

Test(base, an_error_reads_from_the_outside_in)
{
	ib_auto_error err = NULL;

	cr_assert_not(ib_throw(&err, IB_ERR_INPUT, "key '%s' is not known", "idnex"));
	ib_while(&err, "reading profile 'p.ini'");
	ib_while(&err, "building 'kiosk.wim'");
	ib_hint(&err, "did you mean 'index'?");
	g_autofree char *text = ib_error_format(err, "imgbuild");
	cr_assert_str_eq(text, "imgbuild: error: failed while building 'kiosk.wim'\n"
			       "  while reading profile 'p.ini'\n"
			       "  cause: key 'idnex' is not known\n"
			       "  hint: did you mean 'index'?\n");
}

Test(base, the_first_throw_wins_and_memory_needs_none)
{
	ib_auto_error err = NULL;

	ib_throw(&err, IB_ERR_VERIFY, "first");
	ib_throw(&err, IB_ERR_INPUT, "second");
	cr_assert_str_eq(ib_error_cause(err), "first");
	ib_error_clear(&err);
	ib_throw_memory(&err);
	ib_while(&err, "loading");
	cr_assert_eq(ib_error_code(err), IB_ERR_SYSTEM);
}

/* A stranger's text can neither fill the screen nor speak to the terminal, and what is cut says so. */
Test(base, an_error_quotes_strangers_safely)
{
	ib_auto_error err = NULL;
	g_autofree char *endless = g_strnfill(100000, 'A');

	ib_throw(&err, IB_ERR_INPUT, "name '%s'", "a\x1b[2J\nb\xc2\x9b" "c\xe2\x80\xae" "d\xff");
	cr_assert_str_eq(ib_error_cause(err), "name 'a\\u001b[2J\\u000ab\\u009bc\\u202ed\xef\xbf\xbd'");
	ib_while(&err, "reading '%s'", endless);
	ib_hint(&err, "look at '%s'", "a\tb");
	cr_assert_str_eq(ib_error_hint(err), "look at 'a\\u0009b'");
	cr_assert_lt(strlen(ib_error_step(err, 0)), 900);
	cr_assert(g_str_has_suffix(ib_error_step(err, 0), "AAA… (99210 bytes more)"));
}

Test(base, a_reader_cannot_leave_its_buffer)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 5 };
	struct ib_reader r = ib_reader_over(data, sizeof data);

	cr_assert_eq(ib_reader_le32(&r), 0x04030201);
	cr_assert_eq(ib_reader_le16(&r), 0);
	cr_assert(r.bad);
	cr_assert_null(ib_reader_take(&r, 1));
}

Test(base, names_compare_as_windows_compares_them)
{
	cr_expect(ib_name_equal("Straße.DLL", "STRAßE.dll"));
	cr_expect(ib_name_equal("Àé", "àÉ"));
	cr_expect(ib_name_equal("я", "Я"));
	cr_expect(!ib_name_equal("ı", "I"), "dotless i is no I");
	cr_expect(!ib_name_equal("µ", "Μ"));
	cr_expect_gt(ib_name_compare("a_", "aZ"), 0, "'_' sorts behind letters, as upper case does");
}

Test(base, utf16_survives_with_lone_surrogates)
{
	static const uint8_t units[] = { 'a', 0, 0x00, 0xD8, 'b', 0, 0x3D, 0xD8, 0x00, 0xDE };
	g_autofree char *text = ib_utf16_to_utf8(units, sizeof units);
	size_t n;
	g_autofree uint8_t *back = ib_utf8_to_utf16(text, &n);

	cr_assert_eq(n, sizeof units);
	cr_assert_eq(memcmp(back, units, n), 0);
	cr_assert_null(ib_utf8_to_utf16("\xC0\x80", NULL), "an overlong NUL is no text");
}

Test(base, extents_read_as_one)
{
	g_autoptr(GBytes) b = g_bytes_new_static("0123456789", 10);
	ib_auto_input whole = ib_input_from_bytes(b, "digits");
	static const struct ib_extent ex[] = { { 7, 2 }, { 1, 3 } }, far[] = { { 9, 2 } };
	ib_auto_input part = NULL;
	ib_auto_error err = NULL;
	char buf[6] = "";

	cr_assert(ib_input_part(whole, ex, 2, "p", &part, &err));
	cr_assert(ib_input_read(part, 0, buf, 5, &err));
	cr_assert_str_eq(buf, "78123");
	cr_assert_not(ib_input_read(part, 1, buf, 5, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_error_clear(&err);
	cr_assert_not(ib_input_part(whole, far, 1, "p", &part, &err));
}

Test(base, a_file_is_there_whole_or_not_at_all)
{
	g_autofree char *dir = g_dir_make_tmp("base-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "f", NULL);
	ib_auto_error err = NULL;

	cr_assert(ib_file_write(path, "old", 3, &err));
	for (unsigned n = 1; n <= 3; n++) { /* write, fsync, rename */
		ib_fault_arm(n, 28);
		cr_assert_not(ib_file_write(path, "new", 3, &err), "call %u", n);
		ib_fault_arm(0, 0);
		cr_assert_eq(ib_error_code(err), IB_ERR_SYSTEM);
		ib_error_clear(&err);
		g_autofree char *text = NULL;
		cr_assert(g_file_get_contents(path, &text, NULL, NULL));
		cr_assert_str_eq(text, "old");
	}
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	cr_assert_str_eq(g_dir_read_name(d), "f");
	cr_assert_null(g_dir_read_name(d), "no temporary file stays");
	cr_assert(ib_dir_remove(dir, &err));
}

Test(base, a_folder_takes_the_place_of_another)
{
	g_autofree char *dir = g_dir_make_tmp("base-XXXXXX", NULL);
	g_autofree char *work = g_build_filename(dir, "work", NULL), *final = g_build_filename(dir, "final", NULL);
	g_autofree char *a = g_build_filename(work, "a", NULL), *b = g_build_filename(final, "b", NULL);
	g_autofree char *moved = g_build_filename(final, "a", NULL);
	ib_auto_error err = NULL;

	cr_assert(ib_dir_make(work, &err) && ib_dir_make(final, &err));
	cr_assert(ib_file_write(a, "1", 1, &err) && ib_file_write(b, "2", 1, &err));
	cr_assert(ib_dir_sync(work, &err) && ib_dir_publish(work, final, &err));
	cr_assert(g_file_test(moved, G_FILE_TEST_EXISTS));
	cr_assert(!g_file_test(b, G_FILE_TEST_EXISTS) && !g_file_test(work, G_FILE_TEST_EXISTS));
	cr_assert(ib_dir_remove(dir, &err));
}

static bool stop_at_half(const struct ib_progress_event *e, void *data)
{
	*(double *)data = e->fraction;
	return e->fraction < 0.5;
}

Test(base, progress_weighs_bytes_and_carries_the_wish_to_stop)
{
	double seen = 0;
	ib_auto_error err = NULL;
	struct ib_progress *root = ib_progress_new(stop_at_half, &seen);
	struct ib_progress *small = ib_progress_step(root, "small", 100), *big = ib_progress_step(root, "big", 900);

	cr_assert(ib_progress_add(small, 100, &err));
	cr_assert_float_eq(seen, 0.1, 0.001);
	g_usleep(110000);
	cr_assert_not(ib_progress_add(big, 450, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INTERRUPTED);
	ib_progress_free(root);
}

Test(base, near_words)
{
	static const char *const words[] = { "image", "index", "edition", NULL };

	cr_expect_str_eq(ib_nearest("idnex", words), "index") ;
	cr_expect_str_eq(ib_nearest("NAM", (const char *const[]){ "name", "x", NULL }), "name");
	cr_expect_str_eq(ib_nearest("opentools", (const char *const[]){ "Language", "Lab.OpenTools", NULL }), "Lab.OpenTools");
	cr_expect_null(ib_nearest("tee", (const char *const[]){ "steep-hill-road", NULL }), "too short to tell");
	cr_expect_null(ib_nearest("colour", words));
}

Test(base, stream_of_a_known_size)
{
	g_autoptr(GBytes) five = g_bytes_new_static("12345", 5);
	static const struct { uint64_t size; bool ok; } cases[] = { { 5, true }, { 4, false }, { 6, false }, { 0, false } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_stream *s = ib_stream_from_bytes(five);
		g_autoptr(GBytes) bytes = NULL;
		ib_auto_error err = NULL;
		cr_expect_eq(ib_stream_exact(s, cases[i].size, "five", &bytes, &err), cases[i].ok);
		cr_expect_eq(bytes != NULL, cases[i].ok);
		cr_expect(cases[i].ok ? g_bytes_equal(bytes, five) : ib_error_code(err) == IB_ERR_INPUT);
		ib_stream_free(s);
	}
}

/* The pages of the middle go another way, or none: the bytes and what lies around them are the same. */
Test(base, writing_past_the_page_cache)
{
	static const struct { uint64_t base, offset; size_t lead, len; } cases[] = {
		{ 0, 0, 0, 1 << 20 }, { 0, 0, 0, 300001 }, { 1000, 96, 1096, 1 << 20 }, { 1000, 96, 1096, 3000 },
		{ 4096, 5, 5, 131072 + 4091 }, { 0, 7, 8, 500000 }, { 0, 4095, 4095, 131073 + 4096 },
	};
	g_autofree char *name = g_strdup("/var/tmp/unit-base-XXXXXX");
	ib_auto_fd fd = g_mkstemp(name);
	uint8_t *buf = g_aligned_alloc(1, 2 << 20, IB_PAGE);
	g_autofree uint8_t *got = g_malloc(2 << 20);
	ib_auto_error err = NULL;

	for (unsigned i = 0; i < 2u << 20; i++)
		buf[i] = (uint8_t)(i * 2654435761u >> 11 | 1);
	for (unsigned way = 0; way < 3; way++)
		for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
			struct ib_output out = { .fd = fd, .base = cases[i].base, .name = name, .once = way > 0 };
			uint64_t at = cases[i].base + cases[i].offset;
			size_t len = cases[i].len;
			ib_auto_fd direct = way == 2 ? open(name, O_RDONLY | O_CLOEXEC) : ib_output_direct(&out);
			bool bulk = cases[i].lead % IB_PAGE == at % IB_PAGE && len > 128 << 10;
			cr_assert(way > 0 || direct < 0, "not said to be written once");
			cr_assert(ftruncate(fd, 0) == 0 && ftruncate(fd, 2 << 20) == 0);
			cr_assert(ib_output_write_direct(&out, &direct, cases[i].offset, buf + cases[i].lead, len, &err), "%s",
				  err ? ib_error_cause(err) : "");
			cr_assert(way != 2 || (direct < 0) == bulk, "case %zu: a way that fails is left", i);
			cr_assert_eq(pread(fd, got, 2 << 20, 0), 2 << 20);
			cr_assert_eq(memcmp(got + at, buf + cases[i].lead, len), 0, "case %zu", i);
			for (size_t k = 0; k < 2u << 20; k++)
				cr_assert(got[k] == 0 || (k >= at && k < at + len), "case %zu: byte %zu", i, k);
		}
	unlink(name);
	g_aligned_free(buf);
}

Test(base, a_file_takes_the_place_of_files_only)
{
	g_autofree char *dir = g_dir_make_tmp("base-XXXXXX", NULL), *pipe = g_build_filename(dir, "pipe", NULL);
	g_autofree char *file = g_build_filename(dir, "file", NULL), *link = g_build_filename(dir, "link", NULL);
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error err = NULL;
	ib_auto_error again = NULL;
	struct stat st;

	cr_assert(mkfifo(pipe, 0600) == 0 && symlink("file", link) == 0);
	cr_assert_not(ib_file_write(pipe, "new", 3, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	cr_expect(lstat(pipe, &st) == 0 && S_ISFIFO(st.st_mode), "what is no file stays");
	cr_assert(ib_file_write(link, "one", 3, &again) && ib_file_write(file, "two", 3, &again));
	cr_expect(lstat(link, &st) == 0, "a link to nothing is replaced");
	unlink(link);
	cr_assert(symlink("file", link) == 0 && ib_file_write(link, "three", 5, &again));
	cr_expect(lstat(link, &st) == 0 && S_ISLNK(st.st_mode), "a link to a file stays");
	cr_assert(ib_file_read(file, 10, &bytes, &again));
	cr_expect_eq(g_bytes_get_size(bytes), 5, "and the file is written");
	cr_assert(ib_dir_remove(dir, &again));
}

Test(base, rest_of_a_stream_over_memory)
{
	g_autoptr(GBytes) bytes = g_bytes_new_static("0123456789", 10), none = g_bytes_new_static("", 0);
	struct ib_stream *s = ib_stream_from_bytes(bytes), *empty = ib_stream_from_bytes(none);
	ib_auto_error err = NULL;
	uint8_t buf[4];
	size_t n = 0;

	cr_assert(ib_stream_read(s, buf, sizeof(buf), &n, &err) && n == 4);
	g_autoptr(GBytes) rest = ib_stream_rest(s), nothing = NULL;
	cr_assert_not_null(rest);
	const uint8_t *data = g_bytes_get_data(rest, &n);
	cr_assert_eq(n, 6);
	cr_assert_arr_eq(data, "456789", 6);
	cr_assert(ib_stream_read(s, buf, sizeof(buf), &n, &err) && n == 0, "it is at its end");
	nothing = ib_stream_rest(empty);
	cr_assert(nothing && g_bytes_get_size(nothing) == 0);
	ib_stream_free(s);
	ib_stream_free(empty);
	ib_auto_input in = NULL;
	cr_assert(ib_input_open("/proc/self/exe", &in, &err));
	s = ib_stream_from_input(in);
	cr_assert_null(ib_stream_rest(s), "a file is no memory");
	cr_assert(ib_stream_read(s, buf, sizeof(buf), &n, &err) && n == 4 && buf[1] == 'E', "nothing was taken");
	ib_stream_free(s);
}
