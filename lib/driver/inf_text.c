/* INF bytes to text: which encoding, and nothing in it that no INF holds. */
#include "driver/internal.h"

#include <string.h>

/*
 * The code page that Windows of a language takes bytes for, by primary language (low 10 bits of a LANGID); languages
 * with two scripts have a line for the rarer one. Others: Windows-1252.
 */
static const struct {
	uint16_t language;
	bool whole;            /* the LANGID itself, not only its primary language */
	const char *code_page; /* iconv's name */
} code_pages[] = {
	{ 0x0404, true, "CP950" },   { 0x0c04, true, "CP950" },   { 0x1404, true, "CP950" }, /* Taiwan, Hong Kong, Macao */
	{ 0x004, false, "CP936" },   { 0x011, false, "CP932" },   { 0x012, false, "CP949" }, /* Chinese, Japanese, Korean */
	{ 0x001, false, "CP1256" },  { 0x002, false, "CP1251" },  { 0x005, false, "CP1250" },
	{ 0x008, false, "CP1253" },  { 0x00d, false, "CP1255" },  { 0x00e, false, "CP1250" },
	{ 0x015, false, "CP1250" },  { 0x018, false, "CP1250" },  { 0x019, false, "CP1251" },
	{ 0x01b, false, "CP1250" },  { 0x01e, false, "CP874" },   { 0x01f, false, "CP1254" },
	{ 0x022, false, "CP1251" },  { 0x023, false, "CP1251" },  { 0x024, false, "CP1250" },
	{ 0x025, false, "CP1257" },  { 0x026, false, "CP1257" },  { 0x027, false, "CP1257" },
	{ 0x029, false, "CP1256" },  { 0x02a, false, "CP1258" },
};

static const char *code_page_of(uint16_t language)
{
	for (size_t i = 0; i < G_N_ELEMENTS(code_pages); i++)
		if (code_pages[i].language == (code_pages[i].whole ? language : language & 0x3ff))
			return code_pages[i].code_page;
	return NULL;
}

/* Windows-1252, 0x80 to 0x9f; 0 where it has nothing. The rest is Latin-1. */
static const uint16_t western[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
};

static char *from_western(const uint8_t *p, size_t len)
{
	GString *s = g_string_sized_new(len);

	for (size_t i = 0; i < len; i++) {
		gunichar c = p[i] >= 0x80 && p[i] < 0xa0 ? western[p[i] - 0x80] : p[i];
		g_string_append_unichar(s, c ? c : 0xfffd);
	}
	return g_string_free(s, FALSE);
}

/* Where reading stopped, 1-based. */
static unsigned line_of(const uint8_t *p, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += p[i] == '\n';
	return line;
}

static bool from_code_page(const uint8_t *p, size_t len, const char *code_page, const char *name, char **ret,
			   struct ib_error **err)
{
	g_autoptr(GError) why = NULL;
	gsize read = 0;

	*ret = g_convert((const char *)p, (gssize)len, "UTF-8", code_page, &read, NULL, &why);
	if (*ret)
		return true;
	if (g_error_matches(why, G_CONVERT_ERROR, G_CONVERT_ERROR_NO_CONVERSION))
		ib_throw(err, IB_ERR_SYSTEM, "'%s' is in code page %s, which iconv of this system does not know", name, code_page + 2);
	else
		ib_throw(err, IB_ERR_INPUT, "%s:%u: these bytes are no character of code page %s, which Windows of the image's "
			 "language takes them for", name, line_of(p, MIN(read, len)), code_page + 2);
	return ib_hint(err, "ask its maker for an INF in Unicode; converted, it would not fit its catalog any more");
}

static bool from_bytes(const uint8_t *p, size_t len, const char *name, uint16_t language, char **ret, struct ib_error **err)
{
	const char *code_page = code_page_of(language);

	if (code_page)
		return from_code_page(p, len, code_page, name, ret, err);
	*ret = from_western(p, len);
	return true;
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

bool inf_text(GBytes *bytes, const char *name, uint16_t language, char **ret, struct ib_error **err)
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
		if (g_utf8_validate((const char *)p + skip, (gssize)len, NULL))
			text = g_strndup((const char *)p + skip, len);
		else if (!skip && !from_bytes(p, len, name, language, &text, err))
			return false;
	}
	if (!text)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no text in the encoding that its mark names", name);
	if (!check(text, name, err))
		return false;
	*ret = g_steal_pointer(&text);
	return true;
}
