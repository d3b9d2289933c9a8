/* Any text as SDDL, any bytes as a descriptor; what is parsed must be shown and parsed again to the same bytes. */
#include <stdlib.h>

#include "wim/wim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size), *shown = NULL, *shown_bytes = NULL;
	g_autoptr(GBytes) bytes = g_bytes_new_static(data, size), sd = NULL, again = NULL;
	ib_auto_error err = NULL;

	if (!ib_sddl_format(bytes, &shown_bytes, &err))
		ib_error_clear(&err);
	if (!ib_sddl_parse(text, &sd, &err))
		return 0;
	if (!ib_sddl_format(sd, &shown, &err) || !ib_sddl_parse(shown, &again, &err) || !g_bytes_equal(sd, again))
		abort();
	return 0;
}
