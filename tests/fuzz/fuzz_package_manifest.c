/* Any bytes as a component manifest: read or refused, and what was read can be walked. */
#include <string.h>

#include "package/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "\\", -1);

	for (char **p = parts; *p; p++)
		g_assert(**p && strcmp(*p, "..") != 0 && !strpbrk(*p, ":/"));
}

static size_t walk(const struct ib_manifest *m)
{
	g_autofree char *text = ib_identity_text(&m->id), *family = ib_keyform(&m->id, IB_KEYFORM_FAMILY);
	size_t n = strlen(text) + strlen(family);

	for (guint i = 0; i < m->files->len; i++) {
		const struct ib_file *f = g_ptr_array_index(m->files, i);
		g_autofree char *value = ib_file_value_name(f->name);
		check_name(f->name);
		n += strlen(f->destination_name) + (f->sddl ? strlen(f->sddl) : 0) + strlen(value);
	}
	for (guint i = 0; i < m->registry->len; i++) {
		const struct ib_registry_key *k = g_ptr_array_index(m->registry, i);
		for (guint j = 0; j < k->values->len; j++) {
			const struct ib_registry_value *v = g_ptr_array_index(k->values, j);
			n += strlen(v->name) + strlen(v->type);
		}
	}
	for (guint i = 0; i < m->services->len; i++)
		n += strlen(((const struct ib_service *)g_ptr_array_index(m->services, i))->name);
	for (guint i = 1; i < m->other->len; i++)
		g_assert(strcmp(g_ptr_array_index(m->other, i - 1), g_ptr_array_index(m->other, i)) < 0);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	struct ib_manifest *m = NULL;
	ib_auto_error err = NULL;

	if (ib_manifest_parse(bytes, NULL, "fuzz", &m, &err)) {
		volatile size_t n = walk(m);
		(void)n;
	} else {
		g_assert(ib_error_code(err) == IB_ERR_INPUT || ib_error_code(err) == IB_ERR_SYSTEM ||
			 ib_error_code(err) == IB_ERR_VERIFY);
	}
	ib_manifest_free(m);
	return 0;
}
