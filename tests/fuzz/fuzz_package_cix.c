/* Any bytes as an index of numbered members: refused, or every file is made and has the length and hash it says. */
#include "package/internal.h"
#include "tests/package_fuzz.h"

/* Bytes of all files of one input: more finds nothing new. */
#define BUDGET (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct unit *the_unit(void)
{
	static struct unit *unit;
	ib_auto_error err = NULL;

	if (unit)
		return unit;
	struct pf f = pf_make();
	g_autoptr(GBytes) cab = pf_cab(&f);
	ib_auto_input in = ib_input_from_bytes(cab, "members.cab");
	g_assert(package_unit_open(in, NULL, &unit, &err));
	pf_clear(&f);
	return unit;
}

static void check(const struct ib_error *e)
{
	g_assert(ib_error_code(e) == IB_ERR_INPUT || ib_error_code(e) == IB_ERR_VERIFY || ib_error_code(e) == IB_ERR_SYSTEM);
}

static void make_all(struct cix *c)
{
	g_autofree uint8_t *files = g_malloc0(c->files->len + 1);
	uint64_t left = BUDGET;

	for (guint i = 0; i < c->files->len; i++) {
		struct cix_result r = { 0 };
		ib_auto_error err = NULL;
		if (package_cix_file(c, i)->length > left)
			continue;
		memset(files, 0, c->files->len);
		files[i] = 1;
		if (!package_cix_fetch(c, files, 1, &err) || !package_cix_get(c, i, &r, &err)) {
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
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	struct cix *c = NULL;
	ib_auto_error err = NULL;

	if (!package_cix_parse(bytes, "fuzz", &c, &err)) {
		check(err);
		return 0;
	}
	struct spool *spool = package_spool_new("/tmp");
	package_cix_use_unit(c, the_unit(), spool);
	make_all(c);
	package_cix_free(c);
	package_spool_free(spool);
	return 0;
}
