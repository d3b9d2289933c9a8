/* Any bytes as a setup update: refused, or each file comes under a name Windows can hold and with its size. */
#include "package/package.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

static bool look(const struct ib_setup_file *file, GBytes *bytes, void *data, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(file->name, "/", -1);

	for (char **p = parts; *p; p++)
		if (ib_name_fault(*p))
			die("a name Windows cannot hold");
	if (g_bytes_get_size(bytes) != file->size)
		die("another size");
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ib_setup_update *u = NULL;
	ib_auto_error err = NULL;
	bool plain;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		die("no memory for a file");
	if (ib_setup_update_probe(path, &plain, &err) && ib_setup_update_open(path, NULL, &u, &err)) {
		if (!plain)
			die("a package was opened as a setup update");
		(void)!ib_setup_update_each(u, look, NULL, &err);
	}
	if (err && ib_error_code(err) != IB_ERR_INPUT)
		die(ib_error_cause(err));
	ib_setup_update_free(u);
	close(fd);
	return 0;
}
