/* Any bytes as .reg text: what was applied can be written, and says the same when it is read again. */
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *through(const char *text, size_t len, bool must)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	bool ok = ib_hive_import(h, "HKLM\\SOFTWARE", text, len, "fuzz.reg", NULL, &err);
	char *out = ok ? ib_hive_export(ib_hive_root(h), "HKEY_LOCAL_MACHINE\\SOFTWARE") : NULL;

	if (must && !ok)
		abort();
	ib_hive_free(h);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *one = through((const char *)data, size, false);

	if (!one || strstr(one, "; a subkey is left out")) /* a name that the form cannot say */
		return 0;
	if (!g_utf8_validate(one, -1, NULL)) /* half a surrogate pair, from UTF-16 */
		return 0;
	g_autofree char *two = through(one, strlen(one), true);
	if (strcmp(one, two) != 0)
		abort();
	return 0;
}
