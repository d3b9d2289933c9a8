/* Any bytes as a cabinet (or ZIP): every second member is read, names never lead out. */
#include "archive/archive.h"

#include <string.h>

/* Bytes read of one input: a small cabinet may unpack to gigabytes, which finds nothing new. */
#define BUDGET (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "\\", -1);

	for (char **p = parts; *p; p++)
		g_assert(**p && strcmp(*p, "..") != 0 && !strpbrk(*p, ":/"));
}

static bool read_members(struct ib_archive *a, struct ib_error **err)
{
	struct ib_archive_member m;
	uint64_t left = BUDGET;
	bool more;

	for (unsigned i = 0; left > 0; i++) {
		g_autoptr(GBytes) bytes = NULL;
		if (!ib_archive_next(a, &m, &more, err))
			return false;
		if (!more)
			return true;
		check_name(m.name);
		if (m.size != UINT64_MAX && m.size > left)
			return true;
		if (i % 2 == 0 && !ib_archive_bytes(a, left, &bytes, err))
			return false;
		left -= bytes ? g_bytes_get_size(bytes) : 0;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	ib_auto_input in = ib_input_from_bytes(bytes, "fuzz");
	struct ib_archive *a = NULL;
	ib_auto_error err = NULL;

	if (!ib_archive_open(in, &a, &err) || !read_members(a, &err))
		g_assert(ib_error_code(err) == IB_ERR_INPUT || ib_error_code(err) == IB_ERR_SYSTEM);
	ib_archive_free(a);
	return 0;
}
