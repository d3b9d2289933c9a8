/* A length, an index of so many bytes, and a .psf: refused, or every file is made and has the length it says. */
#include "package/internal.h"

#include <string.h>

/* Bytes of all files of one input: more finds nothing new. */
#define BUDGET (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ib_error *e)
{
	g_assert(ib_error_code(e) == IB_ERR_INPUT || ib_error_code(e) == IB_ERR_VERIFY || ib_error_code(e) == IB_ERR_SYSTEM);
}

static void make_all(struct cix *c)
{
	uint64_t left = BUDGET;

	for (guint i = 0; i < c->files->len; i++) {
		struct cix_result r = { 0 };
		ib_auto_error err = NULL;
		if (package_cix_file(c, i)->length > left)
			continue;
		if (!package_cix_get(c, i, &r, &err)) {
			check(err);
			continue;
		}
		g_assert(r.outside || g_bytes_get_size(r.bytes) == package_cix_file(c, i)->length);
		left -= r.bytes ? g_bytes_get_size(r.bytes) : 0;
		g_clear_pointer(&r.bytes, g_bytes_unref);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cix *c = NULL;
	ib_auto_error err = NULL;

	if (size < 4 || ib_le32(data) > size - 4)
		return 0;
	size_t n = ib_le32(data);
	g_autoptr(GBytes) index = g_bytes_new(data + 4, n), rest = g_bytes_new(data + 4 + n, size - 4 - n);
	ib_auto_input psf = ib_input_from_bytes(rest, "fuzz.psf");
	struct spool *spool = package_spool_new("/tmp");
	if (!package_cix_parse(index, "fuzz", &c, &err) || !package_cix_use_psf(c, psf, spool, &err))
		check(err);
	else
		make_all(c);
	package_cix_free(c);
	package_spool_free(spool);
	return 0;
}
