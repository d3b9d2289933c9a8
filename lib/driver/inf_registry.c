/* AddReg and DelReg lines: root, key, name, flags, data … */
#include "driver/internal.h"

#include <string.h>

#define TYPE_SZ 1u
#define TYPE_EXPAND_SZ 2u
#define TYPE_BINARY 3u
#define TYPE_DWORD 4u
#define TYPE_MULTI_SZ 7u
#define TYPE_QWORD 11u
/* The type in the flags: bit 0 says binary, the upper half which. */
#define FLAG_BINARY 0x00000001u
#define FLAG_MULTI_DELETE 0x00018002u

void inf_value_free(void *p)
{
	struct ib_driver_value *v = p;

	if (!v)
		return;
	g_free(v->key);
	g_free(v->name);
	if (v->data)
		g_byte_array_unref(v->data);
	g_strfreev(v->strings);
	g_free(v);
}

static bool root_of(const char *text, enum ib_driver_root *ret)
{
	static const char *const names[] = { "HKR", "HKLM", "HKCR", "HKCU", "HKU" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		if (g_ascii_strcasecmp(text, names[i]) != 0)
			continue;
		*ret = (enum ib_driver_root)i;
		return true;
	}
	return false;
}

/* What the flags say the data is. Types above the named ones are their number in the upper half. */
static uint32_t type_of(uint32_t flags)
{
	if (!(flags & FLAG_BINARY)) {
		uint32_t kind = flags >> 16;
		return kind == 1 ? TYPE_MULTI_SZ : kind == 2 ? TYPE_EXPAND_SZ : TYPE_SZ;
	}
	switch (flags >> 16) {
	case 0:
		return TYPE_BINARY;
	case 1:
		return TYPE_DWORD;
	case 2:
		return 0;
	default:
		return flags >> 16;
	}
}

static void put_text(GByteArray *data, const char *text)
{
	static const uint8_t end[2];
	size_t bytes;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(text, &bytes);

	if (wide)
		g_byte_array_append(data, wide, (guint)bytes);
	g_byte_array_append(data, end, 2);
}

/* Directory numbers in data are what a running system calls them; an unknown one makes the line one that is left. */
static char *data_text(const char *field)
{
	return ib_inf_expand(field, IB_INF_FULL, NULL);
}

static bool read_strings(const struct ib_inf_line *l, struct ib_driver_value *v)
{
	GPtrArray *list = g_ptr_array_new();

	for (unsigned i = 4; i < l->count; i++) {
		char *text = data_text(l->fields[i]);
		if (text && *text) {
			put_text(v->data, text);
			g_ptr_array_add(list, text);
			continue;
		}
		g_free(text);
		if (!text) {
			g_ptr_array_add(list, NULL);
			g_strfreev((char **)g_ptr_array_free(list, FALSE));
			return false;
		}
	}
	g_byte_array_append(v->data, (const uint8_t[2]){ 0, 0 }, 2);
	g_ptr_array_add(list, NULL);
	v->strings = (char **)g_ptr_array_free(list, FALSE);
	return true;
}

static bool read_hex(const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_driver_value *v,
		     struct ib_error **err)
{
	for (unsigned i = 4; i < l->count; i++) {
		guint64 byte;
		if (!*l->fields[i])
			continue;
		/* bytes are hex even without a prefix */
		const char *digits = g_ascii_strncasecmp(l->fields[i], "0x", 2) ? l->fields[i] : l->fields[i] + 2;
		if (!g_ascii_string_to_unsigned(digits, 16, 0, 0xff, &byte, NULL))
			return inf_throw(inf, l->line, err, "'%s' is no byte", l->fields[i]);
		g_byte_array_append(v->data, (const uint8_t[1]){ (uint8_t)byte }, 1);
	}
	return true;
}

/* A number in one field, or its bytes in several. */
static bool read_number(const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_driver_value *v,
			struct ib_error **err)
{
	int64_t n;
	uint8_t bytes[4];

	if (l->count > 5)
		return read_hex(inf, l, v, err);
	if (!*inf_field(l, 4))
		n = 0;
	else if (!inf_number(l->fields[4], &n))
		return inf_throw(inf, l->line, err, "'%s' is no number", l->fields[4]);
	ib_put_le32(bytes, (uint32_t)n);
	g_byte_array_append(v->data, bytes, 4);
	return true;
}

/* @param ret_known  false: the data names a directory nobody here knows */
static bool read_data(const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_driver_value *v, bool *ret_known,
		      struct ib_error **err)
{
	v->data = g_byte_array_new();
	*ret_known = true;
	if (v->type == TYPE_SZ || v->type == TYPE_EXPAND_SZ) {
		g_autofree char *text = data_text(inf_field(l, 4));
		*ret_known = text != NULL;
		if (text)
			put_text(v->data, text);
		return true;
	}
	if (v->type == TYPE_MULTI_SZ) {
		*ret_known = read_strings(l, v);
		return true;
	}
	return v->type == TYPE_DWORD ? read_number(inf, l, v, err) : read_hex(inf, l, v, err);
}

static bool read_line(const struct ib_inf *inf, const struct ib_inf_line *l, bool remove, GPtrArray *values,
		      GPtrArray *left, struct ib_error **err)
{
	struct ib_driver_value *v = g_new0(struct ib_driver_value, 1);
	int64_t flags = 0;
	bool known = true;

	v->line = l->line;
	v->key = ib_inf_expand(inf_field(l, 1), IB_INF_FULL, NULL);
	v->name = ib_inf_expand(inf_field(l, 2), IB_INF_FULL, NULL);
	bool ok = root_of(inf_field(l, 0), &v->root) ? true :
		  inf_throw(inf, l->line, err, "'%s' is no registry root", inf_field(l, 0));
	if (ok && *inf_field(l, 3) && !inf_number(l->fields[3], &flags))
		ok = inf_throw(inf, l->line, err, "'%s' are no flags", l->fields[3]);
	v->flags = (uint32_t)flags;
	v->type = type_of(v->flags);
	if (remove && (v->flags & FLAG_MULTI_DELETE) == FLAG_MULTI_DELETE)
		known = false;
	v->remove = (remove || (v->flags & IB_DRIVER_DELETE)) && l->count > 2 && *inf_field(l, 2);
	v->remove_key = (remove || (v->flags & IB_DRIVER_DELETE)) && !v->remove;
	if (ok && !v->remove && !v->remove_key && !(v->flags & IB_DRIVER_KEY_ONLY)) {
		bool data_known;
		ok = read_data(inf, l, v, &data_known, err);
		known = known && data_known;
	}
	if (!ok || !known || !v->key || !v->name) {
		if (ok)
			inf_left(left, inf, l->line, "registry line for '%s'", inf_field(l, 1));
		inf_value_free(v);
		return ok;
	}
	g_ptr_array_add(values, v);
	return true;
}

bool inf_read_registry(const struct ib_inf *inf, const struct ib_inf_section *section, bool remove, GPtrArray *values,
		       struct ib_driver_actions *a, struct ib_error **err)
{
	if (!inf_work(inf, section, a, err))
		return false;
	for (guint i = 0; i < section->lines->len; i++)
		if (!read_line(inf, section->lines->pdata[i], remove, values, a->left, err))
			return false;
	return true;
}
