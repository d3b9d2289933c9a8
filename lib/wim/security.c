/* wim: the table of security descriptors of an image. */
#include "wim/internal.h"

struct security *ib_wim_security_new(void)
{
	struct security *s = g_new0(struct security, 1);

	s->table = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	s->index = g_hash_table_new(g_bytes_hash, g_bytes_equal);
	return s;
}

void ib_wim_security_free(struct security *s)
{
	if (!s)
		return;
	g_hash_table_unref(s->index);
	g_ptr_array_unref(s->table);
	g_free(s);
}

void ib_wim_security_append(struct security *s, GBytes *descriptor)
{
	g_ptr_array_add(s->table, g_bytes_ref(descriptor));
	if (!g_hash_table_contains(s->index, descriptor))
		g_hash_table_insert(s->index, descriptor, GUINT_TO_POINTER(s->table->len));
}

int32_t ib_wim_security_intern(struct security *s, GBytes *descriptor)
{
	if (!descriptor)
		return -1;
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(s->index, descriptor));
	if (at == 0) {
		ib_wim_security_append(s, descriptor);
		at = s->table->len;
	}
	return (int32_t)at - 1;
}
