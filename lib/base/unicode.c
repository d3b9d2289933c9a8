#include "base/base.h"

#include <string.h>

static uint16_t upcase_table[0x10000];

static void build_table(void)
{
	for (uint32_t c = 0; c < 0x10000; c++) {
		gunichar up = c >= 0xD800 && c <= 0xDFFF ? c : g_unichar_toupper(c);
		bool keep = up > 0xFFFF || (c >= 0x80 && up < 0x80) || c == 0xB5;
		upcase_table[c] = (uint16_t)(keep ? c : up);
	}
}

uint16_t ib_upcase16(uint16_t unit)
{
	static gsize once;

	if (unit < 0x80)
		return unit >= 'a' && unit <= 'z' ? unit - 0x20 : unit;
	if (g_once_init_enter(&once)) {
		build_table();
		g_once_init_leave(&once, 1);
	}
	return upcase_table[unit];
}

static bool is_high(uint32_t c)
{
	return c >= 0xD800 && c <= 0xDBFF;
}

static bool is_low(uint32_t c)
{
	return c >= 0xDC00 && c <= 0xDFFF;
}

/* Encode one code point, surrogates included (WTF-8). */
static void append_utf8(GString *s, uint32_t c)
{
	if (c < 0x80) {
		g_string_append_c(s, (char)c);
	} else if (c < 0x800) {
		g_string_append_c(s, (char)(0xC0 | c >> 6));
		g_string_append_c(s, (char)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		g_string_append_c(s, (char)(0xE0 | c >> 12));
		g_string_append_c(s, (char)(0x80 | (c >> 6 & 0x3F)));
		g_string_append_c(s, (char)(0x80 | (c & 0x3F)));
	} else {
		g_string_append_c(s, (char)(0xF0 | c >> 18));
		g_string_append_c(s, (char)(0x80 | (c >> 12 & 0x3F)));
		g_string_append_c(s, (char)(0x80 | (c >> 6 & 0x3F)));
		g_string_append_c(s, (char)(0x80 | (c & 0x3F)));
	}
}

char *ib_utf16_to_utf8(const void *utf16le, size_t bytes)
{
	const uint8_t *p = utf16le;
	size_t n = bytes / 2;

	if (bytes % 2)
		return NULL;
	GString *s = g_string_sized_new(n + 8);
	for (size_t i = 0; i < n; i++) {
		uint32_t c = ib_le16(p + 2 * i);
		if (c == 0) {
			g_string_free(s, TRUE);
			return NULL;
		}
		if (is_high(c) && i + 1 < n && is_low(ib_le16(p + 2 * i + 2))) {
			c = 0x10000 + ((c - 0xD800) << 10) + (ib_le16(p + 2 * i + 2) - 0xDC00u);
			i++;
		}
		append_utf8(s, c);
	}
	return g_string_free(s, FALSE);
}

/*
 * Decode one code point of (W)UTF-8. Moves *p; returns -1 on text that is not.
 * The shortest form is required; surrogates are allowed alone.
 */
static int32_t next_code(const uint8_t **p)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *s = *p;
	int extra = s[0] < 0x80 ? 0 : (s[0] & 0xE0) == 0xC0 ? 1 : (s[0] & 0xF0) == 0xE0 ? 2 :
		    (s[0] & 0xF8) == 0xF0 ? 3 : -1;
	if (extra < 0)
		return -1;
	uint32_t c = extra == 0 ? s[0] : s[0] & (0x3Fu >> extra);
	for (int i = 1; i <= extra; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return -1;
		c = c << 6 | (s[i] & 0x3Fu);
	}
	if (c < least[extra] || c > 0x10FFFF)
		return -1;
	*p = s + extra + 1;
	return (int32_t)c;
}

uint8_t *ib_utf8_to_utf16(const char *text, size_t *ret_bytes)
{
	const uint8_t *p = (const uint8_t *)text;
	uint8_t *out = g_malloc(strlen(text) * 2 + 2);
	size_t n = 0;

	while (*p) {
		int32_t c = next_code(&p);
		if (c < 0) {
			g_free(out);
			return NULL;
		}
		if (c >= 0x10000) {
			ib_put_le16(out + n, (uint16_t)(0xD800 + ((c - 0x10000) >> 10)));
			ib_put_le16(out + n + 2, (uint16_t)(0xDC00 + ((c - 0x10000) & 0x3FF)));
			n += 4;
		} else {
			ib_put_le16(out + n, (uint16_t)c);
			n += 2;
		}
	}
	ib_put_le16(out + n, 0);
	if (ret_bytes)
		*ret_bytes = n;
	return out;
}

/* The next UTF-16 unit of a text, upper-cased; 0 at the end. `low` holds a pending low surrogate. */
static uint16_t next_unit(const uint8_t **p, uint16_t *low)
{
	if (*low) {
		uint16_t u = *low;
		*low = 0;
		return u;
	}
	if (!**p)
		return 0;
	int32_t c = next_code(p);
	if (c < 0) { /* not UTF-8: compare the byte itself */
		c = **p;
		(*p)++;
	}
	if (c >= 0x10000) {
		*low = (uint16_t)(0xDC00 + ((c - 0x10000) & 0x3FF));
		return (uint16_t)(0xD800 + ((c - 0x10000) >> 10));
	}
	return ib_upcase16((uint16_t)c);
}

static uint8_t upper_ascii(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - 0x20) : c;
}

int ib_name_compare(const char *a, const char *b)
{
	const uint8_t *pa = (const uint8_t *)a, *pb = (const uint8_t *)b;
	uint16_t la = 0, lb = 0;

	/* Nearly all names are ASCII, and equal at the beginning: no need to decode them. */
	for (; *pa && *pa < 0x80 && *pb && *pb < 0x80; pa++, pb++) {
		uint8_t ua = upper_ascii(*pa), ub = upper_ascii(*pb);
		if (ua != ub)
			return ua < ub ? -1 : 1;
	}
	for (;;) {
		uint16_t ua = next_unit(&pa, &la), ub = next_unit(&pb, &lb);
		if (ua != ub)
			return ua < ub ? -1 : 1;
		if (ua == 0)
			return 0;
	}
}

bool ib_name_equal(const char *a, const char *b)
{
	return ib_name_compare(a, b) == 0;
}

/* Nearly all names: one byte gives one byte. NULL when there are others. */
static char *fold_ascii(const char *name)
{
	size_t len = strlen(name);
	char *out = g_malloc(len + 1);

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)name[i];
		if (c >= 0x80) {
			g_free(out);
			return NULL;
		}
		out[i] = (char)upper_ascii(c);
	}
	out[len] = '\0';
	return out;
}

char *ib_name_fold(const char *name)
{
	char *simple = fold_ascii(name);

	if (simple)
		return simple;
	const uint8_t *p = (const uint8_t *)name;
	GString *s = g_string_sized_new(strlen(name) + 8);
	uint16_t low = 0;

	for (;;) {
		uint32_t u = next_unit(&p, &low);
		if (u == 0)
			return g_string_free(s, FALSE);
		if (low)
			u = 0x10000 + ((u - 0xD800) << 10) + (next_unit(&p, &low) - 0xDC00u);
		append_utf8(s, u);
	}
}

/* CON, PRN, AUX, NUL, COM0-9, LPT0-9, also with a superscript digit; what follows the first dot does not count. */
static bool is_device(const char *name)
{
	static const char *const words[] = { "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$" };
	size_t len = strcspn(name, ".");

	while (len && name[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (strlen(words[i]) == len && !g_ascii_strncasecmp(name, words[i], len))
			return true;
	if (len < 4 || (g_ascii_strncasecmp(name, "COM", 3) && g_ascii_strncasecmp(name, "LPT", 3)))
		return false;
	bool superscript = len == 5 && name[3] == '\xc2' && strchr("\xb9\xb2\xb3", name[4]);
	return superscript || (len == 4 && g_ascii_isdigit(name[3]));
}

/* Whether the name is UTF-8 of at most 255 UTF-16 units; ASCII, which nearly all names are, costs nothing. */
static const char *length_fault(const char *name, size_t len)
{
	size_t bytes = len * 2;
	bool ascii = true;

	for (const char *p = name; *p && ascii; p++)
		ascii = (unsigned char)*p < 0x80;
	if (!ascii) {
		g_autofree uint8_t *utf16 = ib_utf8_to_utf16(name, &bytes);
		if (!utf16)
			return "it is not UTF-8";
	}
	return bytes / 2 > 255 ? "it has more than 255 characters" : NULL;
}

const char *ib_name_fault(const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return "it is empty";
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || strchr("<>:\"|?*/\\", *p))
			return "it holds a character that Windows does not allow";
	if (name[len - 1] == '.' || name[len - 1] == ' ')
		return "it ends with a dot or a blank";
	return is_device(name) ? "it is the name of a device" : length_fault(name, len);
}
