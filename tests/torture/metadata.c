/* Every system call of a generation fails once: false, an error, no leak, no document that is there in part. */
#include "metadata/metadata.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>
#include <glib/gstdio.h>

#define CALLS_MAX 500u

static bool generate(const char *catalog, const char *out, struct ib_metadata_result *r, const char *version,
		     struct ib_error **err)
{
	g_autofree char *products = g_build_filename(g_getenv("IB_SRC"), "manifests", "products", NULL);
	g_autofree char *xsd = g_build_filename(g_getenv("IB_SRC"), "manifests", "xsd", NULL);
	char *dirs[] = { products, NULL };
	const char *from[] = { "V0-H", NULL };
	struct ib_metadata_image image = {
		.size = sizeof image, .vendor = "CMGE", .name = "image", .stream = "std-l", .edition = "EnterpriseG",
		.product = "V2020-L", .version = version, .build = 17763, .arch = "amd64", .upgrade_from = from,
		.product_dirs = dirs, .file_name = "image.iso", .file_bytes = 1000, .date = 1632700800,
	};

	return ib_metadata_generate(&image, catalog, out, xsd, r, err);
}

/* Names that do not stand for a whole document. */
static unsigned partial(const char *out)
{
	g_autoptr(GDir) dir = g_dir_open(out, 0, NULL);
	const char *name;
	unsigned n = 0;

	while (dir && (name = g_dir_read_name(dir)))
		n += !g_str_has_suffix(name, ".xml") && strcmp(name, "export.cab") != 0 && strcmp(name, "offers.json") != 0;
	return n;
}

Test(metadata, generation_with_the_nth_call_failing)
{
	ib_auto_error setup = NULL;
	g_autofree char *root = g_dir_make_tmp("metadata-XXXXXX", NULL);
	g_autofree char *catalog = g_build_filename(root, "catalog", NULL);
	g_autofree char *out = g_build_filename(root, "out", NULL);
	struct ib_metadata_result r;
	unsigned n;

	cr_assert(ib_dir_make(catalog, &setup) && generate(NULL, catalog, &r, "2020.1.1903.21", &setup));
	ib_metadata_result_clear(&r);
	for (n = 1; n < CALLS_MAX; n++) {
		ib_auto_error err = NULL;
		cr_assert(ib_dir_remove(out, &err) && ib_dir_make(out, &err));
		ib_fault_arm(n, n % 2 ? ENOSPC : EIO);
		bool ok = generate(catalog, out, &r, "2020.1.1904.21", &err);
		unsigned calls = ib_fault_count();
		ib_fault_arm(0, 0);
		if (ok)
			ib_metadata_result_clear(&r);
		if (calls < n)
			break;
		cr_assert(!ok, "call %u failed, nobody said so", n);
		cr_assert_not_null(err);
		cr_expect_eq(partial(out), 0, "call %u: a file is there in part", n);
	}
	cr_expect_gt(n, 30, "only %u calls were tried", n);
	cr_expect_lt(n, CALLS_MAX);
	cr_assert(ib_dir_remove(root, &setup));
}
