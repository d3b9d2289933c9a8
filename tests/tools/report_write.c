/*
 * Writes the papers of a made-up report: report_write DATA_DIR OUT_DIR KIND
 *
 * KIND: full (the bank's case), empty-server, bare (nothing provided), hostile (values that try to break out).
 */
#include <stdio.h>

#include "tests/report_sample.h"

int main(int argc, char **argv)
{
	char *languages[] = { "en", "zh-CN", NULL };
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	g_autoptr(GPtrArray) files = NULL;
	struct ib_report r;
	ib_auto_error err = NULL;

	if (argc != 4 || !report_sample(argv[3], keep, &r))
		return IB_ERR_USAGE;
	if (ib_report_write(&r, argv[1], languages, argv[2], &files, &err)) {
		for (guint i = 0; i < files->len; i++)
			puts(g_ptr_array_index(files, i));
		return 0;
	}
	g_autofree char *text = ib_error_format(err, "report_write");
	fputs(text, stderr);
	return (int)ib_error_code(err);
}
