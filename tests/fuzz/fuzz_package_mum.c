/* Any bytes as a package manifest: read or refused, and what was read can be walked. */
#include <string.h>

#include "package/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct ib_mum *m)
{
	size_t n = strlen(m->package_id);

	for (guint i = 0; i < m->parents->len; i++) {
		const struct ib_parent *p = g_ptr_array_index(m->parents, i);
		for (guint j = 0; j < p->identities->len; j++) {
			g_autofree char *id = ib_package_id(g_ptr_array_index(p->identities, j));
			n += strlen(id);
		}
	}
	for (guint i = 0; i < m->updates->len; i++) {
		const struct ib_update *u = g_ptr_array_index(m->updates, i);
		g_autofree char *value = ib_update_value_name(m->package_id, u->name);
		n += strlen(value) + u->components->len + u->packages->len + u->other->len;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	struct ib_mum *m = NULL;
	ib_auto_error err = NULL;

	if (ib_mum_parse(bytes, "fuzz", &m, &err)) {
		volatile size_t n = walk(m);
		(void)n;
	} else {
		g_assert(ib_error_code(err) == IB_ERR_INPUT || ib_error_code(err) == IB_ERR_SYSTEM);
	}
	ib_mum_free(m);
	return 0;
}
