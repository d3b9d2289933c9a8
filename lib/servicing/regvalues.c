/* Registry values of manifests: text to typed data, and into a key. */
#include "servicing/internal.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t type;
} types[] = {
	{ "REG_NONE", IB_REG_NONE }, { "REG_SZ", IB_REG_SZ }, { "REG_EXPAND_SZ", IB_REG_EXPAND_SZ },
	{ "REG_BINARY", IB_REG_BINARY }, { "REG_DWORD", IB_REG_DWORD }, { "REG_DWORD_LITTLE_ENDIAN", IB_REG_DWORD },
	{ "REG_DWORD_BIG_ENDIAN", IB_REG_DWORD_BE }, { "REG_LINK", IB_REG_LINK }, { "REG_MULTI_SZ", IB_REG_MULTI_SZ },
	{ "REG_RESOURCE_LIST", 8 }, { "REG_FULL_RESOURCE_DESCRIPTOR", 9 }, { "REG_RESOURCE_REQUIREMENTS_LIST", 10 },
	{ "REG_QWORD", IB_REG_QWORD }, { "REG_QWORD_LITTLE_ENDIAN", IB_REG_QWORD },
};

static bool type_number(const char *text, uint32_t *ret)
{
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		if (!g_ascii_strcasecmp(types[i].name, text)) {
			*ret = types[i].type;
			return true;
		}
	/* Driver properties have a raw type number, eight hex digits. */
	if (strlen(text) != 8 || strspn(text, "0123456789abcdefABCDEF") != 8)
		return false;
	*ret = (uint32_t)g_ascii_strtoull(text, NULL, 16);
	return true;
}

static void append_text(GByteArray *data, const char *text)
{
	size_t len = 0;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(text, &len);

	if (wide)
		g_byte_array_append(data, wide, (guint)len);
	g_byte_array_append(data, (const guint8 *)"\0", 2);
}

static bool append_hex(GByteArray *data, const char *text, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = ib_unhex(text, strlen(text));
	size_t len;

	if (!bytes)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a row of hex bytes", text);
	const void *p = g_bytes_get_data(bytes, &len);
	if (len)
		g_byte_array_append(data, p, (guint)len);
	return true;
}

static bool number_parse(const char *text, uint64_t max, uint64_t *ret, struct ib_error **err)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	errno = 0;
	*ret = g_ascii_strtoull(digits, &end, hex ? 16 : 10);
	if (!g_ascii_isxdigit(*digits) || *end || errno || *ret > max)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a number from 0 to %" PRIu64, text, max);
	return true;
}

static bool append_dword(GByteArray *data, const char *text, struct ib_error **err)
{
	uint64_t number;
	uint8_t bytes[4];

	if (!number_parse(text, UINT32_MAX, &number, err))
		return false;
	ib_put_le32(bytes, (uint32_t)number);
	g_byte_array_append(data, bytes, sizeof(bytes));
	return true;
}

/* A QWORD is eight hex bytes, little-endian; only 0x… is a number. */
static bool append_qword(GByteArray *data, const char *text, struct ib_error **err)
{
	uint64_t number;
	uint8_t bytes[8];

	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X')) {
		if (strlen(text) != 16)
			return ib_throw(err, IB_ERR_INPUT, "'%s' is not a QWORD of 16 hex digits", text);
		return append_hex(data, text, err);
	}
	if (!number_parse(text, UINT64_MAX, &number, err))
		return false;
	ib_put_le64(bytes, number);
	g_byte_array_append(data, bytes, sizeof(bytes));
	return true;
}

/* One quoted string; p stands behind the opening quote. A doubled quote is a quote. */
static const char *quoted(const char *p, GString *out)
{
	for (; *p; p++) {
		if (*p != '"') {
			g_string_append_c(out, *p);
			continue;
		}
		if (p[1] != '"')
			return p + 1;
		g_string_append_c(out, *p++);
	}
	return NULL;
}

bool ib_svc_multi_parse(const char *text, char ***ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(g_free);
	const char *p = text;

	while (*p) {
		g_autoptr(GString) one = g_string_new(NULL);
		if (*p == '"') {
			p = quoted(p + 1, one);
			if (!p)
				return ib_throw(err, IB_ERR_INPUT, "a quote in '%s' does not close", text);
		} else {
			size_t len = strcspn(p, ",");
			g_string_append_len(one, p, (gssize)len);
			p += len;
		}
		if (*p && *p != ',')
			return ib_throw(err, IB_ERR_INPUT, "a comma is missing in '%s'", text);
		p += *p == ',';
		if (one->len) /* the registry cannot hold an empty string in a list */
			g_ptr_array_add(out, g_strdup(one->str));
	}
	g_ptr_array_add(out, NULL);
	*ret = (char **)g_ptr_array_free(g_steal_pointer(&out), FALSE);
	return true;
}

static bool append_multi(GByteArray *data, const char *text, struct ib_error **err)
{
	g_auto(GStrv) strings = NULL;

	if (!ib_svc_multi_parse(text, &strings, err))
		return false;
	for (char **p = strings; *p; p++)
		append_text(data, *p);
	if (!*strings)
		g_byte_array_append(data, (const guint8 *)"\0", 2);
	g_byte_array_append(data, (const guint8 *)"\0", 2);
	return true;
}

static bool append_data(GByteArray *data, uint32_t type, const char *text, struct ib_error **err)
{
	switch (type) {
	case IB_REG_SZ:
	case IB_REG_EXPAND_SZ:
		append_text(data, text);
		return true;
	case IB_REG_MULTI_SZ:
		return append_multi(data, text, err);
	case IB_REG_DWORD:
		return append_dword(data, text, err);
	case IB_REG_QWORD:
		return append_qword(data, text, err);
	default:
		return append_hex(data, text, err);
	}
}

bool ib_svc_value_data(const struct ib_registry_value *v, const struct ib_macro_scope *macros, uint32_t *ret_type,
		       GByteArray **ret_data, struct ib_error **err)
{
	g_autoptr(GByteArray) data = g_byte_array_new();
	g_autofree char *text = NULL;
	uint32_t type;

	if (!type_number(v->type ? v->type : "", &type))
		return ib_throw(err, IB_ERR_INPUT, "the value '%s' has the unknown type '%s'", v->name, v->type ? v->type : "");
	if (!ib_svc_expand(macros, v->value ? v->value : "", &text, err) ||
	    (!(!*text && type != IB_REG_SZ && type != IB_REG_EXPAND_SZ && type != IB_REG_MULTI_SZ &&
	       type != IB_REG_DWORD && type != IB_REG_QWORD) &&
	     !append_data(data, type, text, err)))
		return ib_while(err, "reading the registry value '%s'", v->name);
	*ret_type = type;
	*ret_data = g_steal_pointer(&data);
	return true;
}

static bool strv_has(char **list, const char *text)
{
	for (char **p = list; p && *p; p++)
		if (ib_name_equal(*p, text))
			return true;
	return false;
}

/* Merge new strings before or behind those that are there. */
static bool apply_merge(struct ib_hive *hive, struct ib_key *key, const struct ib_registry_value *v, const char *text,
			bool front, struct ib_error **err)
{
	const struct ib_value *have = ib_key_value(key, v->name);
	g_auto(GStrv) old = have ? ib_value_strings(have) : NULL;
	g_auto(GStrv) add = NULL;
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	if (!ib_svc_multi_parse(text, &add, err))
		return false;
	for (char **p = add; front && *p; p++)
		g_ptr_array_add(all, *p);
	for (char **p = old; p && *p; p++)
		if (!front || !strv_has(add, *p))
			g_ptr_array_add(all, *p);
	for (char **p = add; !front && *p; p++)
		if (!strv_has(old, *p))
			g_ptr_array_add(all, *p);
	g_ptr_array_add(all, NULL);
	return ib_key_set_strings(hive, key, v->name, (char *const *)all->pdata, err);
}

bool ib_svc_value_apply(struct ib_hive *hive, struct ib_key *key, const struct ib_registry_value *v,
			const struct ib_macro_scope *macros, struct ib_error **err)
{
	g_autoptr(GByteArray) data = NULL;
	uint32_t type;
	bool append = v->hint && !g_ascii_strcasecmp(v->hint, "append");
	bool prepend = v->hint && !g_ascii_strcasecmp(v->hint, "prepend");

	if (v->mutable_ && ib_key_value(key, v->name))
		return true;
	if (!ib_svc_value_data(v, macros, &type, &data, err))
		return false;
	if (type == IB_REG_MULTI_SZ && (append || prepend)) {
		g_autofree char *text = NULL;
		return ib_svc_expand(macros, v->value ? v->value : "", &text, err) &&
		       apply_merge(hive, key, v, text, prepend, err);
	}
	return ib_key_set(hive, key, v->name, type, data->data, data->len, err);
}

bool ib_svc_multi_add(struct ib_hive *hive, struct ib_key *key, const char *name, const char *text, struct ib_error **err)
{
	const struct ib_value *have = ib_key_value(key, name);
	g_auto(GStrv) old = have ? ib_value_strings(have) : NULL;
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	if (strv_has(old, text))
		return true;
	for (char **p = old; p && *p; p++)
		g_ptr_array_add(all, *p);
	g_ptr_array_add(all, (gpointer)text);
	g_ptr_array_add(all, NULL);
	return ib_key_set_strings(hive, key, name, (char *const *)all->pdata, err);
}

bool ib_svc_multi_drop(struct ib_hive *hive, struct ib_key *key, const char *name, const char *text, bool *ret_dropped,
		       struct ib_error **err)
{
	const struct ib_value *have = ib_key_value(key, name);
	g_auto(GStrv) old = have ? ib_value_strings(have) : NULL;
	g_autoptr(GPtrArray) rest = g_ptr_array_new();

	*ret_dropped = strv_has(old, text);
	if (!*ret_dropped)
		return true;
	for (char **p = old; *p; p++)
		if (!ib_name_equal(*p, text))
			g_ptr_array_add(rest, *p);
	if (!rest->len) {
		ib_key_unset(hive, key, name);
		return true;
	}
	g_ptr_array_add(rest, NULL);
	return ib_key_set_strings(hive, key, name, (char *const *)rest->pdata, err);
}
