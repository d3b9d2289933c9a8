/* Profiles: any bytes are read or refused, and what was read can be asked for. */
#include "profile/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *const sets[] = { (char *)"media=/m", (char *)"keys=${media}/k", NULL };
	struct ib_ini_options options = { .sets = sets };
	ib_auto_error err = NULL;
	struct ib_ini *ini = NULL;

	/* A parent would be read from the disk: the name leads nowhere. */
	if (!ib_ini_parse((const char *)data, size, "/nonexistent/fuzz.ini", ib_profile_keys, &options, &ini, &err)) {
		g_autofree char *text = ib_error_format(err, "fuzz");
		return 0;
	}
	g_autoptr(GArray) entries = ib_ini_entries(ini);
	for (guint i = 0; i < entries->len; i++) {
		const struct ib_ini_entry *e = &g_array_index(entries, struct ib_ini_entry, i);
		g_autofree char *place = ib_ini_place(ini, e->section, e->name);
		g_assert(ib_ini_text(ini, e->section, e->name) == e->value);
		g_assert(ib_ini_list(ini, e->section, e->name));
	}
	ib_ini_free(ini);
	return 0;
}
