/* Setup updates: cabinets of plain files. Their signature is unit/trust_cabinet's business. */
#include "package/package.h"

#include <string.h>

#include <criterion/criterion.h>
#include <glib/gstdio.h>

#include "tests/cab_sample.h"

static char *write_cab(GBytes *cab)
{
	ib_auto_error err = NULL;
	g_autofree char *dir = g_dir_make_tmp("imgbuild-test.XXXXXX", NULL);
	char *path = g_build_filename(dir, "setup.cab", NULL);
	gsize len;
	const void *data = g_bytes_get_data(cab, &len);

	cr_assert(ib_file_write(path, data, len, &err));
	return path;
}

static void drop(char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);

	g_unlink(path);
	g_rmdir(dir);
	g_free(path);
}

static char *make(const struct cab_file *files, size_t n)
{
	g_autoptr(GBytes) cab = cab_sample(files, n);

	return write_cab(cab);
}

static bool append(const struct ib_setup_file *file, GBytes *bytes, void *data, struct ib_error **err)
{
	g_string_append_printf(data, "%s=%.*s;", file->name, (int)g_bytes_get_size(bytes),
			       (const char *)g_bytes_get_data(bytes, NULL));
	return file->size == g_bytes_get_size(bytes);
}

static bool refuse(const struct ib_setup_file *file, GBytes *bytes, void *data, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_FAILED, "enough");
}

Test(package_setup, what_is_in_it)
{
	static const struct cab_file files[] = { CAB_TEXT("setup.exe", "one"), CAB_TEXT("en-US\\setup.exe.mui", "two"),
						 CAB_TEXT("Alpha.dll", "") };
	char *path = make(files, G_N_ELEMENTS(files));
	struct ib_setup_update *u = NULL;
	ib_auto_error err = NULL;
	g_autoptr(GString) seen = g_string_new(NULL);
	bool plain = false;

	cr_assert(ib_setup_update_probe(path, &plain, &err) && plain);
	cr_assert(ib_setup_update_open(path, NULL, &u, &err));
	cr_assert_eq(u->files->len, 3);
	cr_expect_eq(u->bytes, 6);
	cr_expect_null(u->signer);
	static const char *const names[] = { "Alpha.dll", "en-US/setup.exe.mui", "setup.exe" }; /* by name */
	for (guint i = 0; i < 3; i++)
		cr_expect_str_eq(((const struct ib_setup_file *)u->files->pdata[i])->name, names[i]);
	cr_expect(ib_setup_update_each(u, append, seen, &err));
	cr_expect_str_eq(seen->str, "setup.exe=one;en-US/setup.exe.mui=two;Alpha.dll=;"); /* as in the cabinet */
	cr_expect_not(ib_setup_update_each(u, refuse, NULL, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_FAILED);
	cr_expect_not_null(strstr(ib_error_step(err, 0), "setup.cab"));
	ib_setup_update_free(u);
	ib_setup_update_free(NULL);
	drop(path);
}

/* A cabinet with one file of this name beside a good one. */
Test(package_setup, names)
{
	static const struct {
		const char *name, *words;
	} rows[] = {
		{ "..\\up.exe", "leads out of it" }, { "C:\\up.exe", "leads out of it" }, { "\\up.exe", "leads out of it" },
		{ "CON", "the name of a device" }, { "sub\\nul.exe", "the name of a device" }, { "a\\com1", "the name of a device" },
		{ "up.exe.", "a dot or a blank" }, { "sub \\up.exe", "a dot or a blank" }, { "up*.exe", "does not allow" },
		{ "up?.exe", "does not allow" }, { "SETUP.EXE", "twice" }, { "update.mum", "it is a package" },
		{ "x.MUM", "it is a package" }, { "sub\\x.cab", "it is a package" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct cab_file files[] = { CAB_TEXT("setup.exe", "one"), { rows[i].name, "x", 1 } };
		char *path = make(files, 2);
		struct ib_setup_update *u = NULL;
		ib_auto_error err = NULL;
		cr_expect_not(ib_setup_update_open(path, NULL, &u, &err), "%s", rows[i].name);
		cr_assert_not_null(err);
		cr_expect_null(u);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT, "%s", rows[i].name);
		cr_expect_not_null(strstr(ib_error_cause(err), rows[i].words), "%s: %s", rows[i].name, ib_error_cause(err));
		cr_expect_not_null(strstr(ib_error_step(err, 0), "setup.cab"));
		drop(path);
	}
}

Test(package_setup, what_is_none)
{
	static const struct cab_file package[] = { CAB_TEXT("readme", "x"), CAB_TEXT("update.mum", "<assembly/>") };
	char *path = make(package, 2);
	ib_auto_error err = NULL;
	bool plain = true;

	cr_expect(ib_setup_update_probe(path, &plain, &err) && !plain);
	drop(path);
	static const char *const texts[] = { "", "MSCF", "no cabinet at all, though long enough to have a header of one" };
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GBytes) bytes = g_bytes_new_static(texts[i], strlen(texts[i]));
		struct ib_setup_update *u = NULL;
		ib_auto_error none = NULL;
		ib_auto_error bad = NULL;
		path = write_cab(bytes);
		cr_expect_not(ib_setup_update_probe(path, &plain, &none));
		cr_expect(none && ib_error_code(none) == IB_ERR_INPUT);
		cr_expect_not(ib_setup_update_open(path, NULL, &u, &bad));
		cr_expect(bad && ib_error_code(bad) == IB_ERR_INPUT);
		drop(path);
	}
}

/* Sizes that the table of contents claims: their sum is bounded, and nothing of that size is taken for it. */
Test(package_setup, sizes)
{
	static const struct cab_file files[] = { CAB_TEXT("a.exe", "one"), CAB_TEXT("b.exe", "two") };
	g_autoptr(GBytes) cab = cab_sample(files, 2);
	gsize len;
	g_autofree uint8_t *copy = g_memdup2(g_bytes_get_data(cab, NULL), g_bytes_get_size(cab));
	struct ib_setup_update *u = NULL;
	ib_auto_error err = NULL;

	g_bytes_get_data(cab, &len);
	uint8_t *first = copy + ib_le32(copy + 16), *second = first + 16 + strlen("a.exe") + 1;
	ib_put_le32(first, 0x3fffffff);
	ib_put_le32(second, 0x3fffffff);
	g_autoptr(GBytes) lie = g_bytes_new(copy, len);
	char *path = write_cab(lie);
	cr_expect_not(ib_setup_update_open(path, NULL, &u, &err));
	cr_assert_not_null(err);
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	drop(path);
}

/* A cut cabinet is refused at the latest where its bytes are wanted. */
Test(package_setup, cut_anywhere)
{
	static const struct cab_file files[] = { CAB_TEXT("a.exe", "one"), CAB_TEXT("b.exe", "two") };
	g_autoptr(GBytes) cab = cab_sample(files, 2);

	for (gsize n = g_bytes_get_size(cab); n-- > 0;) {
		g_autoptr(GBytes) part = g_bytes_new_from_bytes(cab, 0, n);
		char *path = write_cab(part);
		g_autoptr(GString) seen = g_string_new(NULL);
		struct ib_setup_update *u = NULL;
		ib_auto_error err = NULL;
		bool ok = ib_setup_update_open(path, NULL, &u, &err) && ib_setup_update_each(u, append, seen, &err);
		cr_expect_not(ok, "cut to %zu bytes", n);
		cr_expect(err && ib_error_code(err) == IB_ERR_INPUT, "cut to %zu bytes", n);
		ib_setup_update_free(u);
		drop(path);
	}
}
