/* INF bytes to text: which encoding, and nothing in it that no INF holds. */
#include "driver/internal.h"

#include <string.h>

/* Windows-1252, 0x80 to 0x9f; 0 where it has nothing. The rest is Latin-1. */
static const uint16_t ansi[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
};

static char *from_ansi(const uint8_t *p, size_t len)
{
	GString *s = g_string_sized_new(len);

	for (size_t i = 0; i < len; i++) {
		gunichar c = p[i] >= 0x80 && p[i] < 0xa0 ? ansi[p[i] - 0x80] : p[i];
		g_string_append_unichar(s, c ? c : 0xfffd);
	}
	return g_string_free(s, FALSE);
}

/* An old editor's end of file, and what comes behind it. */
static size_t text_size(const uint8_t *p, size_t len)
{
	const uint8_t *end = len ? memchr(p, 0x1a, len) : NULL;

	return end ? (size_t)(end - p) : len;
}

static bool check(const char *text, const char *name, struct ib_error **err)
{
	unsigned line = 1;

	for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
		line += *p == '\n';
		if (*p < 0x20 && !strchr("\t\r\n\f", *p))
			return ib_throw(err, IB_ERR_INPUT, "%s:%u: an INF may not hold the character 0x%02x", name, line, *p);
	}
	return true;
}

bool inf_text(GBytes *bytes, const char *name, char **ret, struct ib_error **err)
{
	size_t len;
	const uint8_t *p = g_bytes_get_data(bytes, &len);
	g_autofree char *text = NULL;

	if (len > IB_INF_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, an INF may have %u", name, len, IB_INF_MAX);
	if (len >= 2 && p[0] == 0xff && p[1] == 0xfe) {
		text = ib_utf16_to_utf8(p + 2, len - 2);
	} else {
		size_t skip = len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
		len = text_size(p + skip, len - skip);
		if (len && memchr(p + skip, 0, len))
			return ib_throw(err, IB_ERR_INPUT, "'%s' is no text: it holds a NUL", name);
		text = g_utf8_validate((const char *)p + skip, (gssize)len, NULL) ? g_strndup((const char *)p + skip, len) :
			skip ? NULL : from_ansi(p, len);
	}
	if (!text)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no text in the encoding that its mark names", name);
	if (!check(text, name, err))
		return false;
	*ret = g_steal_pointer(&text);
	return true;
}
