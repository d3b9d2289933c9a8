/* Keys and values as .reg 5.00 text. */
#include "registry/internal.h"

#define NUL_UNIT "\xC0\x80" /* a NUL in a name, see registry.h */
#define COLUMNS 76u /* a line of hex bytes ends here, as regedit's do */

static void put_quoted(GString *out, const char *text)
{
	g_string_append_c(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			g_string_append_c(out, '\\');
		g_string_append_c(out, *text);
	}
	g_string_append_c(out, '"');
}

/* The text of data that a quoted string gives back byte by byte; NULL: write it as hex. */
static char *plain_text(const struct ib_value *v)
{
	if (v->type != IB_REG_SZ || v->len < 2 || v->len % 2 || ib_le16(v->data + v->len - 2) != 0)
		return NULL;
	for (uint32_t i = 0; i + 2 < v->len; i += 2)
		if (ib_le16(v->data + i) < 0x20)
			return NULL;
	g_autofree char *text = ib_utf16_to_utf8(v->data, v->len - 2);
	return text && g_utf8_validate(text, -1, NULL) ? g_steal_pointer(&text) : NULL;
}

static void put_hex(GString *out, const struct ib_value *v, size_t line_start)
{
	static const char digits[] = "0123456789abcdef";

	if (v->type == IB_REG_BINARY)
		g_string_append(out, "hex:");
	else
		g_string_append_printf(out, "hex(%x):", v->type);
	for (uint32_t i = 0; i < v->len; i++) {
		g_string_append_c(out, digits[v->data[i] >> 4]);
		g_string_append_c(out, digits[v->data[i] & 15]);
		if (i + 1 == v->len)
			break;
		g_string_append_c(out, ',');
		if (out->len - line_start >= COLUMNS) {
			g_string_append(out, "\\\r\n");
			line_start = out->len;
			g_string_append(out, "  ");
		}
	}
}

static void put_value(GString *out, const struct ib_value *v)
{
	size_t line_start = out->len;
	g_autofree char *text = plain_text(v);

	if (strstr(v->name, NUL_UNIT)) {
		g_string_append(out, "; a value is left out: its name cannot be written here\r\n");
		return;
	}
	if (*v->name)
		put_quoted(out, v->name);
	else
		g_string_append_c(out, '@');
	g_string_append_c(out, '=');
	if (text)
		put_quoted(out, text);
	else if (v->type == IB_REG_DWORD && v->len == 4)
		g_string_append_printf(out, "dword:%08x", ib_le32(v->data));
	else
		put_hex(out, v, line_start);
	g_string_append(out, "\r\n");
}

/*
 * The form has no way to write some names: a line break would begin another
 * key, and a ']' before a ';' would end this one.
 */
static bool cannot_be_written(const char *name)
{
	for (; *name; name++) {
		if ((uint8_t)*name < 0x20 || g_str_has_prefix(name, NUL_UNIT))
			return true;
		if (*name == ']' && name[1 + strspn(name + 1, " ")] == ';')
			return true;
	}
	return false;
}

static void put_key(GString *out, struct ib_key *key, GString *path)
{
	size_t len = path->len;

	g_string_append_printf(out, "\r\n[%s]\r\n", path->str);
	for (uint32_t i = 0; i < key->value_count; i++)
		put_value(out, key->values[i]);
	ib_registry_sort(key);
	for (uint32_t i = 0; i < key->child_count; i++) {
		const char *name = key->children[i]->name;
		if (cannot_be_written(name)) {
			g_string_append(out, "; a subkey is left out: its name cannot be written here\r\n");
			continue;
		}
		g_string_append_printf(path, "\\%s", name);
		put_key(out, key->children[i], path);
		g_string_truncate(path, len);
	}
}

char *ib_hive_export(struct ib_key *key, const char *root)
{
	GString *out = g_string_new("Windows Registry Editor Version 5.00\r\n");
	g_autoptr(GString) path = g_string_new(root);
	g_autofree char *below = ib_key_path(key);

	if (*below)
		g_string_append_printf(path, "\\%s", below);
	put_key(out, key, path);
	return g_string_free(out, FALSE);
}
