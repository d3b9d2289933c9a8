/*
 * Builds with the n-th system call failing, for the stages asked for; driven by tests/torture/build-media.sh.
 *
 *   tool_build_fault PROFILE VARS OUT DATA FIRST-STAGE BEHIND-STAGE POINTS [NAME=VALUE]...
 *
 * OUT holds an earlier build. The calls that stages FIRST-STAGE to the one before BEHIND-STAGE make are found by trying;
 * at most POINTS of them, evenly spread, fail once each. After each the build must have failed with a message, OUT must
 * hold the same bytes as before, and nothing may lie beside it; or it went another way and made the same disc. Prints a line per call: its number, the stage, the code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build/build.h"
#include "digest/digest.h"

/* In the order in which they run; planning comes before them all. */
static const char *const stages[] = { "plan", "base", "updates", "remove", "features", "cleanup", "apps", "drivers", "registry",
				      "files", "unattend", "values", "store", "recovery", "setup", "media", "verify", "metadata",
				      "report", "sign", "approvals", "publish", "end" };

struct run {
	struct ib_build_options o;
	const char *parent;
	char *before; /* digest of all that OUT holds */
	char *iso;    /* SHA-256 of the disc that a build without a fault makes */
};

static void die(const char *fmt, ...) IB_PRINTF(1, 2);
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static unsigned stage_number(const char *name)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(stages); i++)
		if (strcmp(stages[i], name) == 0)
			return i;
	die("'%s' is no stage", name);
	return 0;
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void digest_tree(struct ib_digest *d, const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	ib_digest_update(d, path, strlen(path) + 1);
	if (!dir) {
		g_autofree char *bytes = NULL;
		gsize len = 0;
		if (!g_file_get_contents(path, &bytes, &len, NULL))
			die("cannot read '%s'", path);
		ib_digest_update(d, bytes, len);
		return;
	}
	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(names, g_build_filename(path, name, NULL));
	g_ptr_array_sort(names, by_text);
	for (guint i = 0; i < names->len; i++)
		digest_tree(d, names->pdata[i]);
}

/* All that lies in OUT's folder: OUT, and whatever was left beside it. */
static char *look(const struct run *r)
{
	struct ib_digest *d = ib_digest_new(IB_DIGEST_SHA256);
	uint8_t hash[IB_SHA256_SIZE];

	digest_tree(d, r->parent);
	ib_digest_final(d, hash);
	ib_digest_free(d);
	return ib_hex(hash, sizeof(hash));
}

static unsigned stage_of(const struct ib_error *err)
{
	for (size_t i = 0; i < ib_error_steps(err); i++) {
		const char *step = ib_error_step(err, i);
		if (g_str_has_prefix(step, "running stage '")) {
			g_auto(GStrv) parts = g_strsplit(step, "'", 3);
			return stage_number(parts[1]);
		}
		if (g_str_has_prefix(step, "planning "))
			return 0;
	}
	return stage_number("end");
}

/* One build with call n failing. @return the stage it failed in; "end": it did not */
static unsigned build(struct run *r, unsigned n, int *ret_code)
{
	struct ib_build_result *result = NULL;
	ib_auto_error err = NULL;

	ib_fault_arm(n, EIO);
	bool ok = ib_build_run(&r->o, &result, &err);
	ib_fault_arm(0, 0);
	*ret_code = ok ? 0 : (int)ib_error_code(err);
	/* Some calls have another way: the kernel's copying of ranges has reading and writing. */
	if (ok && strcmp(result->iso_sha256, r->iso) != 0)
		die("call %u failed, nobody noticed, and the disc is another", n);
	ib_build_result_free(result);
	if (ok) { /* its times are others */
		g_free(r->before);
		r->before = look(r);
		return stage_number("end");
	}
	g_autofree char *after = look(r);
	if (strcmp(after, r->before) != 0)
		die("call %u: the old output changed, or something is left beside it: %s", n, ib_error_cause(err));
	return stage_of(err);
}

/* The first call of a stage or one behind it; a build that succeeds makes the same bytes, so it does no harm. */
static unsigned first_call(struct run *r, unsigned stage, unsigned calls)
{
	unsigned low = 1, high = calls + 1;
	int code;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (build(r, mid, &code) >= stage)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static unsigned count_calls(struct run *r)
{
	struct ib_build_result *result = NULL;
	ib_auto_error err = NULL;

	ib_fault_arm(UINT32_MAX >> 1, EIO);
	if (!ib_build_run(&r->o, &result, &err))
		die("the build fails by itself: %s", ib_error_cause(err));
	r->iso = g_strdup(result->iso_sha256);
	ib_build_result_free(result);
	return ib_fault_count();
}

int main(int argc, char **argv)
{
	if (argc < 8)
		return 2;
	g_autofree char *parent = g_path_get_dirname(argv[3]);
	struct run r = { .o = { .size = sizeof r.o, .profile = argv[1], .vars_file = argv[2], .out_dir = argv[3],
				.data_dir = argv[4], .sets = argv + 8, .now = 1632700800, .threads = 2 },
			 .parent = parent };
	unsigned calls = count_calls(&r), points = (unsigned)atoi(argv[7]);
	r.before = look(&r);
	unsigned from = first_call(&r, stage_number(argv[5]), calls), to = first_call(&r, stage_number(argv[6]), calls);
	unsigned step = MAX(1, (to - from + points - 1) / points), tried = 0;
	for (unsigned n = from; n < to; n += step, tried++) {
		int code;
		unsigned stage = build(&r, n, &code);
		printf("%u %s %d\n", n, stages[stage], code);
	}
	printf("calls %u, of the stages %u to %u, %u tried\n", calls, from, to, tried);
	g_free(r.before);
	g_free(r.iso);
	return tried ? 0 : 1;
}
