/* Any bytes as a hive: what loads can be saved, and what was saved is the same hive. */
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Load with no regard to checksum and sequence: the fuzzer cannot know them. */
static struct ib_hive *load(GBytes *bytes)
{
	ib_auto_error err = NULL;
	struct ib_hive_options options = { .name = "fuzz", .accept_dirty = true };
	struct ib_hive *h = NULL;

	return ib_hive_load(bytes, &options, &h, &err) ? h : NULL;
}

static GBytes *save(struct ib_hive *h)
{
	ib_auto_error err = NULL;
	GBytes *bytes = NULL;

	if (!ib_hive_save(h, 1, &bytes, &err))
		abort();
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	struct ib_hive *one = load(bytes);

	if (!one)
		return 0;
	g_autoptr(GBytes) saved = save(one);
	struct ib_hive *two = load(saved);
	if (!two)
		abort();
	g_autofree char *text_one = ib_hive_export(ib_hive_root(one), "R");
	g_autofree char *text_two = ib_hive_export(ib_hive_root(two), "R");
	g_autoptr(GBytes) again = save(two);
	if (strcmp(text_one, text_two) != 0 || !g_bytes_equal(saved, again))
		abort();
	ib_hive_free(one);
	ib_hive_free(two);
	return 0;
}
