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

/* The same cabinet by its table: the first folders, and every file that can be read where it lies. */
static bool read_folders(struct ib_cabinet *c, struct ib_error **err)
{
	for (unsigned f = 0; f < MIN(ib_cabinet_folders(c), 4u); f++) {
		struct ib_archive *a;
		if (!ib_cabinet_read(c, f, &a, err))
			return false;
		bool ok = read_members(a, err);
		ib_archive_free(a);
		if (!ok)
			return false;
	}
	for (size_t i = 0; i < MIN(ib_cabinet_count(c), (size_t)8); i++) {
		const struct ib_cabinet_file *file = ib_cabinet_file(c, i);
		ib_auto_input part = NULL;
		g_autoptr(GBytes) bytes = NULL;
		check_name(file->name);
		if (!ib_cabinet_map(c, i, "part", &part, err) || (part && !ib_input_bytes(part, BUDGET, &bytes, err)))
			return false;
		g_assert(!bytes || g_bytes_get_size(bytes) == file->size);
	}
	return true;
}

static void check(const struct ib_error *err)
{
	g_assert(ib_error_code(err) == IB_ERR_INPUT || ib_error_code(err) == IB_ERR_SYSTEM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	ib_auto_input in = ib_input_from_bytes(bytes, "fuzz");
	struct ib_archive *a = NULL;
	ib_auto_error err = NULL;

	if (!ib_archive_open(in, &a, &err) || !read_members(a, &err))
		check(err);
	ib_archive_free(a);
	ib_error_clear(&err);
	struct ib_cabinet *c = NULL;
	if (!ib_cabinet_open(in, &c, &err) || !read_folders(c, &err))
		check(err);
	ib_cabinet_free(c);
	return 0;
}
