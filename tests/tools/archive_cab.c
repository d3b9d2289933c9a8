/* Writes an uncompressed cabinet: tool_archive_cab OUT [NAME FILE]...; names go in unchanged. */
#include <stdio.h>

#include "archive/archive.h"
#include "tests/cab_sample.h"

int main(int argc, char **argv)
{
	g_autofree struct cab_file *files = g_new0(struct cab_file, (gsize)argc);
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	ib_auto_error err = NULL;

	if (argc < 2 || argc % 2 != 0)
		return IB_ERR_USAGE;
	for (int i = 2; i < argc; i += 2) {
		GBytes *bytes;
		if (!ib_file_read(argv[i + 1], UINT32_MAX, &bytes, &err))
			return ib_error_code(err);
		g_ptr_array_add(keep, bytes);
		files[i / 2 - 1].name = argv[i];
		files[i / 2 - 1].data = g_bytes_get_data(bytes, &files[i / 2 - 1].size);
	}
	g_autoptr(GBytes) cab = cab_sample(files, (size_t)(argc / 2 - 1));
	gsize len;
	const void *data = g_bytes_get_data(cab, &len);
	return ib_file_write(argv[1], data, len, &err) ? 0 : ib_error_code(err);
}
