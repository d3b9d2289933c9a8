#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "package/package.h"
#include "tests/cab_sample.h"

#define IDENTITY \
	"<assemblyIdentity name=\"Lab-Package\" version=\"1.0.0.0\" processorArchitecture=\"amd64\" language=\"neutral\" />"
static const char mum[] = "<assembly>" IDENTITY "<package /></assembly>";
static const char manifest[] = "<assembly>" IDENTITY
			       "<file name=\"a\" hash=\"AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D\" "
			       "hashalg=\"SHA1\" /></assembly>"; /* of "hello" */

/* An .msu of three cabinets' worth of reads; returns its path, to be unlinked and freed. */
static char *make_msu(void)
{
	struct ib_identity id = { .name = "Lab-Package", .version = "1.0.0.0", .arch = "amd64" };
	g_autofree char *key = ib_keyform(&id, IB_KEYFORM_LONG), *name = g_strconcat(key, ".manifest", NULL);
	g_autofree char *payload = g_strconcat(key, "\\a", NULL), *padding = g_malloc0(1 << 20);
	const struct cab_file files[] = { CAB_TEXT("update.mum", mum), { "padding", padding, 1 << 20 },
					  { payload, "hello", 5 }, { name, manifest, sizeof(manifest) - 1 } };
	g_autoptr(GBytes) cab = cab_sample(files, G_N_ELEMENTS(files));
	gsize len;
	const void *data = g_bytes_get_data(cab, &len);
	const struct cab_file outer[] = { { "x.cab", data, len } };
	g_autoptr(GBytes) msu = cab_sample(outer, 1);
	char *path = g_strdup("/tmp/ib-torture-XXXXXX");
	int fd = mkstemp(path);

	data = g_bytes_get_data(msu, &len);
	cr_assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
	return path;
}

static bool read_payload(const struct ib_payload *p, void *data, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;

	return p->stream && ib_stream_bytes(p->stream, 100, p->file->name, &bytes, err);
}

static bool read_package(const char *path, struct ib_error **err)
{
	struct ib_package *p = NULL;
	bool ok = ib_package_open(path, NULL, &p, err) && ib_package_each_payload(p, NULL, read_payload, NULL, NULL, err);

	ib_package_free(p);
	return ok;
}

Test(package, every_failing_read_is_reported)
{
	g_autofree char *path = make_msu();
	unsigned n = 0;
	bool ok = false;

	while (!ok && n < 1000) {
		ib_auto_error err = NULL;
		ib_fault_arm(++n, EIO);
		ok = read_package(path, &err);
		ib_fault_arm(0, 0);
		cr_expect(ok == !err);
		cr_expect(ok || ib_error_code(err) == IB_ERR_SYSTEM, "read %u: %s", n, err ? ib_error_cause(err) : "");
	}
	cr_expect(ok && n > 5, "%u reads", n);
	unlink(path);
}
