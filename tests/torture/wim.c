/* Every system call of opening, adding, writing and reading fails once: false, an error, no leak, no finished WIM. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "wim/wim.h"

#define CALLS_MAX 2000u

static bool edit(struct ib_wim *wim, struct ib_image *image, struct ib_error **err)
{
	const struct ib_node_meta meta = { .write_time = 1 };
	g_autofree char *content = g_malloc(6 << 20);
	uint8_t hash[IB_WIM_HASH_SIZE];

	for (unsigned i = 0; i < 6u << 20; i++)
		content[i] = (char)(i * 2654435761u >> 20);
	return ib_wim_add_bytes(wim, content, 6 << 20, hash, err) &&
	       ib_image_put(image, "large", hash, &meta, NULL, err) &&
	       ib_wim_add_bytes(wim, "small", 5, hash, err) && ib_image_put(image, "small", hash, &meta, NULL, err) &&
	       ib_wim_add_bytes(wim, content, 6 << 20, hash, err);
}

static bool write_new(int fd, enum ib_wim_compression compression, uint64_t *ret_size, struct ib_error **err)
{
	struct ib_wim *wim = ib_wim_new(IB_WIM_LZX, 0, g_get_tmp_dir());
	struct ib_output out = { .fd = fd, .base = 100, .name = "out.wim" };
	struct ib_wim_write_options options = { .size = sizeof options, .integrity = true, .set_compression = true,
						.compression = compression };
	struct ib_image *image;

	ib_wim_add_image(wim, "new");
	bool ok = ib_wim_image(wim, 1, &image, err) && edit(wim, image, err) &&
		  ib_wim_write(wim, &out, &options, ret_size, err);
	ib_wim_free(wim);
	return ok;
}

/* In memory: no system call of reading is counted. */
static bool opens(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	struct ib_wim *wim = NULL;
	ib_auto_error err = NULL;

	if (end <= 100)
		return false;
	uint8_t *data = g_malloc((gsize)end);
	cr_assert_eq(pread(fd, data, (size_t)end, 0), end);
	g_autoptr(GBytes) all = g_bytes_new_take(data, (gsize)end);
	g_autoptr(GBytes) bytes = g_bytes_new_from_bytes(all, 100, (gsize)end - 100);
	ib_auto_input in = ib_input_from_bytes(bytes, "out.wim");
	bool ok = ib_wim_open(in, NULL, &wim, &err);
	ib_wim_free(wim);
	return ok;
}

static void torture_writer(enum ib_wim_compression compression)
{
	unsigned n;

	for (n = 1; n < CALLS_MAX; n++) {
		ib_auto_error err = NULL;
		ib_auto_fd fd = -1;
		uint64_t size = 0;
		cr_assert(ib_file_temp(g_get_tmp_dir(), &fd, &err));
		ib_fault_arm(n, n % 2 ? ENOSPC : EIO);
		bool ok = write_new(fd, compression, &size, &err);
		unsigned calls = ib_fault_count();
		ib_fault_arm(0, 0);
		cr_assert_eq(ok, opens(fd), "call %u", n);
		if (ok && calls < n)
			break;
		cr_assert(!ok && err, "call %u failed, nobody said so", n);
		cr_expect_eq(ib_error_code(err), IB_ERR_SYSTEM, "call %u: %s", n, ib_error_cause(err));
		cr_expect_eq(size, 0);
	}
	cr_expect_gt(n, 8, "only %u calls were tried", n);
	cr_expect_lt(n, CALLS_MAX);
}

Test(wim, writer_with_the_nth_call_failing)
{
	torture_writer(IB_WIM_LZX);
}

Test(wim, converter_with_the_nth_call_failing)
{
	torture_writer(IB_WIM_XPRESS);
}

/* early: begin to write before the edits end */
static bool rewrite(struct ib_input *in, int fd, bool early, struct ib_error **err)
{
	struct ib_output out = { .fd = fd, .base = 100, .name = "again.wim", .once = early };
	struct ib_wim_write_options options = { .size = sizeof options };
	struct ib_wim *wim;
	struct ib_image *image;
	uint64_t size;

	if (!ib_wim_open(in, g_get_tmp_dir(), &wim, err))
		return false;
	bool ok = ib_wim_verify_blobs(wim, NULL, NULL, err) && ib_wim_image(wim, 1, &image, err) &&
		  ib_image_remove(image, ib_image_find(image, "small"), err) &&
		  (!early || (ib_wim_write_begin(wim, &out, &options, err) && edit(wim, image, err))) &&
		  ib_wim_write(wim, &out, &options, &size, err);
	ib_wim_free(wim);
	return ok;
}

static void torture_rewriter(bool early)
{
	ib_auto_error err = NULL;
	ib_auto_fd source = -1;
	ib_auto_input whole = NULL;
	ib_auto_input in = NULL;
	uint64_t size;
	unsigned n;

	cr_assert(ib_file_temp(g_get_tmp_dir(), &source, &err) && write_new(source, IB_WIM_LZX, &size, &err));
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", source);
	cr_assert(ib_input_open(path, &whole, &err));
	cr_assert(ib_input_part(whole, &(struct ib_extent){ 100, size }, 1, "part", &in, &err));
	for (n = 1; n < CALLS_MAX; n++) {
		ib_auto_fd fd = -1;
		cr_assert(ib_file_temp(g_get_tmp_dir(), &fd, &err));
		ib_fault_arm(n, EIO);
		bool ok = rewrite(in, fd, early, &err);
		unsigned calls = ib_fault_count();
		ib_fault_arm(0, 0);
		cr_assert_eq(ok, opens(fd), "call %u", n);
		if (ok && calls < n)
			break;
		if (!ok) { /* a kernel copy that failed is made up for by a plain one */
			cr_assert_not_null(err, "call %u: no error", n);
			cr_expect_eq(ib_error_code(err), IB_ERR_SYSTEM, "call %u: %s", n, ib_error_cause(err));
		}
		ib_error_clear(&err);
	}
	cr_expect_gt(n, 20, "only %u calls were tried", n);
	cr_expect_lt(n, CALLS_MAX);
}

Test(wim, rewriter_with_the_nth_call_failing)
{
	torture_rewriter(false);
}

Test(wim, early_writer_with_the_nth_call_failing)
{
	torture_rewriter(true);
}
