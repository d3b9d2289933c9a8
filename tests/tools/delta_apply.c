/*
 * Deltas by hand, for shell tests:
 *
 *   info DELTA                     what the record says, a line of key=value each
 *   apply SOURCE DELTA OUT         SOURCE may be '-': none
 *   dcm BASIS FILE OUT             a compressed file of the component store; BASIS may be '-'
 *   dictionary WCP OUT             the manifest dictionary out of wcp.dll
 */
#include "delta/delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(bool ok, struct ib_error **err)
{
	if (ok)
		return;
	g_autofree char *text = ib_error_format(*err, "delta_apply");
	int code = (int)ib_error_code(*err);

	fputs(text, stderr);
	ib_error_clear(err);
	exit(code);
}

static GBytes *load(const char *path)
{
	struct ib_error *err = NULL;
	GBytes *bytes = NULL;

	if (strcmp(path, "-") != 0)
		check(ib_file_read(path, UINT32_MAX, &bytes, &err), &err);
	return bytes;
}

static void save(const char *path, GBytes *bytes)
{
	struct ib_error *err = NULL;
	gsize size;
	const void *data = g_bytes_get_data(bytes, &size);

	check(ib_file_write(path, data, size, &err), &err);
}

static void info(GBytes *delta)
{
	static const char *const bodies[] = { "lzx", "container", "reverse" };
	struct ib_error *err = NULL;
	struct ib_delta_info i;

	check(ib_delta_info(delta, &i, &err), &err);
	g_autofree char *flags = ib_delta_transforms(i.flags);
	g_autofree char *target = ib_hex(i.target_hash, i.has_target_hash ? ib_digest_size(i.hash) : 0);
	g_autofree char *source = ib_hex(i.source_hash, i.has_source_hash ? ib_digest_size(i.hash) : 0);
	printf("form=%s crc=%d time=%" PRIu64 "\n", i.pa31 ? "PA31" : "PA30", i.has_crc, i.time);
	printf("type=%s set=0x%" PRIx64 " flags=0x%" PRIx64 " (%s)\n", ib_delta_type_name(i.type), i.type_set,
	       i.flags, flags);
	printf("size=%" PRIu64 " body=%s preprocess=%d\n", i.target_size, bodies[i.body], i.has_preprocess);
	printf("target=%s\nsource=%s\n", target, source);
}

int main(int argc, char **argv)
{
	struct ib_error *err = NULL;
	g_autoptr(GBytes) one = argc > 2 ? load(argv[2]) : NULL;
	g_autoptr(GBytes) two = argc > 4 ? load(argv[3]) : NULL;
	g_autoptr(GBytes) out = NULL;

	if (argc == 3 && strcmp(argv[1], "info") == 0)
		info(one);
	else if (argc == 5 && strcmp(argv[1], "apply") == 0)
		check(ib_delta_apply(one, two, NULL, &out, &err), &err);
	else if (argc == 5 && strcmp(argv[1], "dcm") == 0)
		check(ib_dcm_decode(two, one, &out, &err), &err);
	else if (argc == 4 && strcmp(argv[1], "dictionary") == 0)
		check(ib_dcm_dictionary(one, &out, &err), &err);
	else
		return 2;
	if (out)
		save(argv[argc - 1], out);
	return 0;
}
