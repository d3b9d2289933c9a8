/* Every system call of writing and of reading a disc fails once: false, an error, no leak, no disc. */
#include "tests/media_sample.h"

#include <errno.h>

#include <criterion/criterion.h>

#define CALLS_MAX 500u

Test(media, writer_with_the_nth_call_failing)
{
	unsigned n;

	for (n = 1; n < CALLS_MAX; n++) {
		ib_auto_error err = NULL;
		ib_auto_fd fd = -1;
		uint64_t size = 0;
		cr_assert(ib_file_temp(g_get_tmp_dir(), &fd, &err));
		ib_fault_arm(n, n % 2 ? ENOSPC : EIO);
		bool ok = media_sample_write(fd, &size, &err);
		unsigned calls = ib_fault_count();
		ib_fault_arm(0, 0);
		if (ok && calls < n)
			break;
		if (ok) /* a kernel copy that failed is made up for by a plain one */
			continue;
		cr_assert_not_null(err, "call %u: no error", n);
		cr_expect_eq(ib_error_code(err), IB_ERR_SYSTEM, "call %u: %s", n, ib_error_cause(err));
		cr_expect_eq(size, 0);
	}
	cr_expect_gt(n, 10, "only %u calls were tried", n);
	cr_expect_lt(n, CALLS_MAX);
}

Test(media, reader_with_the_nth_call_failing)
{
	ib_auto_error err = NULL;
	ib_auto_fd fd = -1;
	uint64_t size = 0;
	unsigned n;

	cr_assert(ib_file_temp(g_get_tmp_dir(), &fd, &err) && media_sample_write(fd, &size, &err));
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	for (n = 1; n < CALLS_MAX; n++) {
		ib_auto_input in = NULL;
		ib_auto_media media = NULL;
		cr_assert(ib_input_open(path, &in, &err));
		ib_fault_arm(n, EIO);
		bool ok = ib_media_open(in, &media, &err) && ib_media_verify(in, &err);
		unsigned calls = ib_fault_count();
		ib_fault_arm(0, 0);
		if (calls < n)
			break;
		cr_assert(!ok, "call %u failed, nobody said so", n);
		cr_expect_eq(ib_error_code(err), IB_ERR_SYSTEM, "call %u: %s", n, ib_error_cause(err));
		ib_error_clear(&err);
	}
	cr_expect_gt(n, 30, "only %u calls were tried", n);
	cr_expect_lt(n, CALLS_MAX);
}
