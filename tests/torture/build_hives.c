/* Changing a hive, in a file and in an image, with the n-th system call failing: whole or not at all. */
#include "build/hives.h"
#include "registry/registry.h"
#include "wim/wim.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* More calls than any of these makes; the loop ends at the first run without a fault. */
#define CALLS_MAX 500u

static GBytes *some_hive(void)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k;
	GBytes *bytes = NULL;

	cr_assert(ib_key_make(h, ib_hive_root(h), "Acme", &k, &err));
	cr_assert(ib_key_set_dword(h, k, "n", 1, &err) && ib_hive_save(h, 0, &bytes, &err));
	ib_hive_free(h);
	return bytes;
}

static bool write_image(const struct ib_output *out, void *data, struct ib_error **err)
{
	struct ib_wim_write_options o = { .size = sizeof o };
	uint64_t size;

	return ib_wim_write(data, out, &o, &size, err);
}

/* A WIM with one image, in it a hive and its empty log. */
static void make_wim(const char *path, GBytes *hive)
{
	ib_auto_error err = NULL;
	struct ib_wim *wim = ib_wim_new(IB_WIM_LZX, 0, NULL);
	struct ib_node_meta meta = { 0 };
	struct ib_image *image;
	uint8_t hash[IB_WIM_HASH_SIZE];

	cr_assert(ib_wim_image(wim, ib_wim_add_image(wim, "one"), &image, &err));
	cr_assert(ib_image_mkdir(image, "Windows\\System32\\config", &meta, NULL, &err));
	cr_assert(ib_wim_add_bytes(wim, g_bytes_get_data(hive, NULL), g_bytes_get_size(hive), hash, &err));
	cr_assert(ib_image_put(image, "Windows\\System32\\config\\SOFTWARE", hash, &meta, NULL, &err));
	cr_assert(ib_image_put(image, "Windows\\System32\\config\\SOFTWARE.LOG1", hash, &meta, NULL, &err));
	cr_assert(ib_file_make(path, write_image, wim, &err));
	ib_wim_free(wim);
}

static unsigned files_in(const char *dir)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(d))
		n++;
	g_dir_close(d);
	return n;
}

static bool change(const char *where, const char *out, struct ib_error **err)
{
	char *data[] = { "2", NULL };
	struct ib_hive_setting s = { .key = "Acme", .value = "n", .type = "dword", .data = data };
	ib_auto_hive_place p = NULL;

	return ib_hive_place_open(where, NULL, &p, err) && ib_hive_place_set(p, &s, err) &&
	       ib_hive_place_save(p, out, 1, NULL, err);
}

static void check_result(const char *place)
{
	ib_auto_error err = NULL;
	ib_auto_hive_place p = NULL;
	g_autofree char *json = NULL;
	g_autofree char *text = NULL;

	cr_assert(ib_hive_place_open(place, NULL, &p, &err) && ib_hive_place_get(p, "Acme", "n", &json, &text, &err));
	cr_expect_str_eq(text, "0x00000002");
}

/* files: what lies in dir before */
static void torture(const char *dir, const char *where, const char *out, unsigned files)
{
	unsigned n;

	for (n = 1; n < CALLS_MAX; n++) {
		ib_auto_error err = NULL;
		ib_fault_arm(n, EIO);
		bool ok = change(where, out, &err);
		bool reached = ib_fault_count() >= n;
		ib_fault_arm(0, 0);
		if (ok) {
			cr_expect_not(reached && !g_file_test(out, G_FILE_TEST_EXISTS), "call %u: no file, no error", n);
			if (!reached)
				break;
			continue;
		}
		cr_expect(err != NULL, "call %u", n);
		/* the last call syncs the folder: the new file is in its place by then */
		cr_expect_leq(files_in(dir), files + 1, "call %u: a half file is left", n);
		if (g_file_test(out, G_FILE_TEST_EXISTS))
			cr_expect_eq(g_unlink(out), 0);
		cr_expect_eq(files_in(dir), files, "call %u: something is left", n);
	}
	cr_expect(n > 3 && n < CALLS_MAX, "%u calls", n);
}

Test(build_hives, every_call_fails_once)
{
	ib_auto_error err = NULL;
	g_autofree char *dir = g_dir_make_tmp("imgbuild-test.XXXXXX", NULL);
	g_autofree char *hive = g_build_filename(dir, "SOFTWARE", NULL), *out = g_build_filename(dir, "out", NULL);
	g_autofree char *wim = g_build_filename(dir, "one.wim", NULL);
	g_autofree char *in_wim = g_strconcat(wim, ":1:SOFTWARE", NULL), *in_out = g_strconcat(out, ":1:SOFTWARE", NULL);
	g_autoptr(GBytes) bytes = some_hive();

	cr_assert(ib_file_write(hive, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &err));
	make_wim(wim, bytes);
	torture(dir, hive, out, 2);
	check_result(out);
	cr_assert_eq(g_unlink(out), 0);
	torture(dir, in_wim, out, 2);
	check_result(in_out);
	cr_assert(ib_dir_remove(dir, &err));
}
