/* Addresses and names: what is refused before anything is sent. And a folder on this machine, which needs no server. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "publish/publish.h"

#define KEY "SHA256:PSCQhNT9yn8fqXOtFSbnIUKTuxSI2MLqhD2ULvCN8Ic"

static struct ib_publisher *open_at(const char *url, const char *host_key, struct ib_error **err)
{
	struct ib_publish_options o = { .size = sizeof o, .url = url, .host_key = host_key, .timeout_s = 2 };
	struct ib_publisher *p = NULL;

	return ib_publisher_open(&o, &p, err) ? p : NULL;
}

Test(publish, addresses)
{
	static const struct {
		const char *url, *host_key;
		enum ib_code code;
		const char *cause;
	} cases[] = {
		{ NULL, KEY, IB_ERR_USAGE, "'' is no address" },
		{ "", KEY, IB_ERR_USAGE, "'' is no address" },
		{ "/srv/x", KEY, IB_ERR_USAGE, "is no address" },
		{ "sftp://u@[::1/x", KEY, IB_ERR_USAGE, "is no address" },
		{ "sftp://u@h:99999/x", KEY, IB_ERR_USAGE, "is no address" },
		{ "sftp://u@h%00/x", KEY, IB_ERR_USAGE, "is no address" },
		{ "http://u@h/x", KEY, IB_ERR_USAGE, "neither sftp:// nor file://" },
		{ "sftp://h/x", KEY, IB_ERR_USAGE, "names no user and host" },
		{ "sftp://@h/x", KEY, IB_ERR_USAGE, "names no user and host" },
		{ "sftp:/x", KEY, IB_ERR_USAGE, "names no user and host" },
		{ "sftp://u@/x", KEY, IB_ERR_USAGE, "names no user and host" },
		{ "sftp://u:secret@h/x", KEY, IB_ERR_USAGE, "a password does not belong into an address" },
		{ "sftp://u@h/x?y", KEY, IB_ERR_USAGE, "behind ? or #" },
		{ "sftp://u@h/x#y", KEY, IB_ERR_USAGE, "behind ? or #" },
		{ "sftp://u@h/x", NULL, IB_ERR_USAGE, "not pinned" },
		{ "sftp://u@h/x", "", IB_ERR_USAGE, "not pinned" },
		{ "sftp://u@h/x", "MD5:00:11", IB_ERR_USAGE, "not pinned" },
		{ "sftp://u@h/x", "SHA256:", IB_ERR_USAGE, "not pinned" },
		{ "sftp://u@h/x", "SHA256:PSCQhNT9yn8fqXOtFSbnIUKTuxSI2MLqhD2ULvCN8I", IB_ERR_USAGE, "not pinned" },
		{ "sftp://u@h/x", KEY "c", IB_ERR_USAGE, "not pinned" },
		{ "sftp://u@h/x", KEY " x", IB_ERR_USAGE, "not pinned" },
		{ "file://elsewhere/x", NULL, IB_ERR_USAGE, "another machine" },
		{ "file:x", NULL, IB_ERR_USAGE, "no absolute folder" },
		{ "file:///proc/version/x", NULL, IB_ERR_SYSTEM, "/proc/version" },
		/* these are understood: nothing listens there */
		{ "sftp://u@127.0.0.1:1/x", KEY, IB_ERR_SYSTEM, "'127.0.0.1' port 1" },
		{ "sftp://u@127.0.0.1:1", KEY "=", IB_ERR_SYSTEM, "'127.0.0.1' port 1" },
		{ "sftp://u%20v@[::1]:1/x%20y", KEY, IB_ERR_SYSTEM, "'::1' port 1" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_auto_error err = NULL;
		struct ib_publisher *p = open_at(cases[i].url, cases[i].host_key, &err);
		cr_assert_null(p, "case %zu", i);
		cr_expect_eq(ib_error_code(err), cases[i].code, "case %zu: %s", i, ib_error_cause(err));
		cr_expect(strstr(ib_error_cause(err), cases[i].cause), "case %zu: %s", i, ib_error_cause(err));
		cr_expect_null(strstr(ib_error_cause(err), "secret"), "case %zu", i);
	}
}

struct folder {
	char *path;
	struct ib_publisher *p;
};

static struct folder folder_new(void)
{
	struct folder f = { .path = g_dir_make_tmp("ib-publish-XXXXXX", NULL) };
	g_autofree char *url = g_strconcat("file://", f.path, "/new%20folder", NULL);
	ib_auto_error err = NULL;

	f.p = open_at(url, NULL, &err);
	cr_assert(f.p, "%s", err ? ib_error_cause(err) : "");
	return f;
}

static void folder_free(struct folder *f)
{
	ib_auto_error err = NULL;

	ib_publisher_free(f->p);
	cr_expect(ib_dir_remove(f->path, &err));
	g_free(f->path);
}

static struct ib_input *input_of(const char *text)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	return ib_input_from_bytes(bytes, "test");
}

Test(publish, names)
{
	static const char *const bad[] = { "", "/", "/etc/x", "a//b", "a/", "..", "../a", "a/../b", "a/..", ".", "./a", "a/./b" };
	struct folder f = folder_new();
	ib_auto_input in = input_of("x");
	struct ib_stream *s = NULL;
	uint64_t n;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		ib_auto_error e1 = NULL;
		ib_auto_error e2 = NULL;
		ib_auto_error e3 = NULL;
		ib_auto_error e4 = NULL;
		cr_expect(!ib_publisher_put(f.p, bad[i], in, NULL, &e1) && ib_error_code(e1) == IB_ERR_USAGE, "'%s'", bad[i]);
		cr_expect(!ib_publisher_get(f.p, bad[i], &s, &e2) && ib_error_code(e2) == IB_ERR_USAGE, "'%s'", bad[i]);
		cr_expect(!ib_publisher_stat(f.p, bad[i], &n, &e3) && ib_error_code(e3) == IB_ERR_USAGE, "'%s'", bad[i]);
		cr_expect(!ib_publisher_remove(f.p, bad[i], &e4) && ib_error_code(e4) == IB_ERR_USAGE, "'%s'", bad[i]);
	}
	folder_free(&f);
}

Test(publish, local)
{
	static const char *const good[] = { "a", "b/c/d", "...", "a.part", "..b", "new", "a" };
	struct folder f = folder_new();
	struct ib_stream *s = NULL;
	uint64_t n = 0;

	cr_expect(ib_publisher_space(f.p, &n) && n > 0);
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *text = g_strdup_printf("content of %s, %zu", good[i], i);
		g_autofree char *part = g_strconcat(f.path, "/new folder/", good[i], ".part", NULL);
		g_autoptr(GBytes) back = NULL;
		ib_auto_input in = input_of(text);
		ib_auto_error err = NULL;
		cr_assert(ib_publisher_put(f.p, good[i], in, NULL, &err), "%s", ib_error_cause(err));
		cr_assert(ib_publisher_stat(f.p, good[i], &n, &err) && n == strlen(text));
		cr_assert(ib_publisher_get(f.p, good[i], &s, &err) && ib_stream_bytes(s, 1000, "x", &back, &err));
		ib_stream_free(s);
		cr_expect(g_bytes_get_size(back) == n && memcmp(g_bytes_get_data(back, NULL), text, n) == 0);
		cr_expect(!g_file_test(part, G_FILE_TEST_EXISTS));
		cr_expect(strcmp(good[i], "a.part") != 0 || ib_publisher_remove(f.p, good[i], &err));
	}
	ib_auto_error missing = NULL;
	ib_auto_error fine = NULL;
	cr_expect(!ib_publisher_stat(f.p, "nothing", &n, &missing) && ib_error_code(missing) == IB_ERR_INPUT);
	cr_expect(ib_publisher_remove(f.p, "nothing", &fine));
	cr_expect(ib_publisher_remove(f.p, "b/c/d", &fine));
	folder_free(&f);
}

/* A local target that fails while it is written: the old file stays, no part remains. */
Test(publish, local_failure)
{
	struct folder f = folder_new();
	unsigned failures = 0;

	for (unsigned i = 1; i < 50; i++) {
		g_autofree char *path = g_build_filename(f.path, "new folder", "x", NULL), *part = g_strconcat(path, ".part", NULL);
		g_autofree char *text = NULL;
		ib_auto_input old = input_of("old");
		ib_auto_input in = input_of("the new one");
		ib_auto_error err = NULL;
		cr_assert(ib_publisher_put(f.p, "x", old, NULL, &err));
		ib_fault_arm(i, ENOSPC);
		bool ok = ib_publisher_put(f.p, "x", in, NULL, &err);
		bool reached = ib_fault_count() >= i;
		ib_fault_arm(0, 0);
		cr_expect(ok ? err == NULL : ib_error_code(err) == IB_ERR_SYSTEM, "fault %u", i);
		cr_expect(!g_file_test(part, G_FILE_TEST_EXISTS), "fault %u", i);
		cr_assert(g_file_get_contents(path, &text, NULL, NULL));
		cr_expect(strcmp(text, "old") == 0 || strcmp(text, "the new one") == 0, "fault %u: '%s'", i, text);
		failures += !ok;
		if (!reached)
			break;
	}
	cr_expect_geq(failures, 2, "%u", failures);
	folder_free(&f);
}
