/* SDDL to bytes; layouts and letters as Microsoft documents them. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#include "sddl.h"

struct word {
	const char *text;
	uint32_t value;
};

static const struct word rights[] = {
	{ "GA", 0x10000000 }, { "GR", 0x80000000 }, { "GW", 0x40000000 }, { "GX", 0x20000000 },
	{ "FA", 0x001F01FF }, { "FR", 0x00120089 }, { "FW", 0x00120116 }, { "FX", 0x001200A0 },
	{ "KA", 0x000F003F }, { "KR", 0x00020019 }, { "KW", 0x00020006 }, { "KX", 0x00020019 },
	{ "SD", 0x00010000 }, { "RC", 0x00020000 }, { "WD", 0x00040000 }, { "WO", 0x00080000 },
	{ "CC", 0x001 }, { "DC", 0x002 }, { "LC", 0x004 }, { "SW", 0x008 }, { "RP", 0x010 },
	{ "WP", 0x020 }, { "DT", 0x040 }, { "LO", 0x080 }, { "CR", 0x100 },
};

static const struct word ace_flags[] = {
	{ "OI", 0x01 }, { "CI", 0x02 }, { "NP", 0x04 }, { "IO", 0x08 }, { "ID", 0x10 }, { "SA", 0x40 }, { "FA", 0x80 },
};

static const struct {
	const char *name, *sid;
} aliases[] = {
	{ "AC", "S-1-15-2-1" },   { "AN", "S-1-5-7" },	    { "AU", "S-1-5-11" },     { "BA", "S-1-5-32-544" },
	{ "BG", "S-1-5-32-546" }, { "BU", "S-1-5-32-545" }, { "CG", "S-1-3-1" },      { "CO", "S-1-3-0" },
	{ "IU", "S-1-5-4" },	  { "LS", "S-1-5-19" },	    { "NS", "S-1-5-20" },     { "PU", "S-1-5-32-547" },
	{ "SU", "S-1-5-6" },	  { "SY", "S-1-5-18" },	    { "WD", "S-1-1-0" },
};

/* Or-ed words of two letters; at most len characters. */
static bool parse_words(const char *text, size_t len, const struct word *words, size_t count, uint32_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < len; i += 2) {
		size_t w = 0;

		while (w < count && strncmp(words[w].text, text + i, 2) != 0)
			w++;
		if (w == count || i + 2 > len)
			return false;
		*ret |= words[w].value;
	}
	return true;
}

static void append32(GByteArray *out, uint32_t value)
{
	uint8_t b[4];

	ib_put_le32(b, value);
	g_byte_array_append(out, b, 4);
}

/* Append a SID; text ends at len. */
static bool append_sid(GByteArray *out, const char *text, size_t len)
{
	g_autofree char *sid = g_strndup(text, len);
	g_auto(GStrv) parts = NULL;
	guint n;

	for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++) {
		if (g_str_equal(aliases[i].name, sid)) {
			g_free(sid);
			sid = g_strdup(aliases[i].sid);
		}
	}
	parts = g_strsplit(sid, "-", -1);
	n = g_strv_length(parts);
	if (n < 4 || n > 18 || !g_str_has_prefix(sid, "S-1-"))
		return false;
	uint8_t head[8] = { 1, (uint8_t)(n - 3) };

	ib_put_be32(head + 4, (uint32_t)strtoul(parts[2], NULL, 10));
	g_byte_array_append(out, head, sizeof(head));
	for (guint i = 3; i < n; i++)
		append32(out, (uint32_t)strtoul(parts[i], NULL, 10));
	return true;
}

/* One entry, the text between its brackets: type;flags;rights;;;sid */
static bool append_ace(GByteArray *out, const char *text, size_t len)
{
	g_autofree char *ace = g_strndup(text, len);
	g_auto(GStrv) f = g_strsplit(ace, ";", -1);
	guint start = out->len;
	uint32_t flags, mask;
	uint8_t type;

	if (g_strv_length(f) != 6 || *f[3] || *f[4])
		return false;
	if (g_str_equal(f[0], "A"))
		type = 0;
	else if (g_str_equal(f[0], "D"))
		type = 1;
	else if (g_str_equal(f[0], "AU"))
		type = 2;
	else
		return false;
	if (!parse_words(f[1], strlen(f[1]), ace_flags, G_N_ELEMENTS(ace_flags), &flags))
		return false;
	if (g_str_has_prefix(f[2], "0x"))
		mask = (uint32_t)strtoul(f[2], NULL, 16);
	else if (!parse_words(f[2], strlen(f[2]), rights, G_N_ELEMENTS(rights), &mask))
		return false;
	append32(out, (uint32_t)type | flags << 8);
	append32(out, mask);
	if (!append_sid(out, f[5], strlen(f[5])))
		return false;
	ib_put_le16(out->data + start + 2, (uint16_t)(out->len - start));
	return true;
}

/* "PAI(...)(...)": *ret_control gets the control bits, shifted left by one for a SACL. */
static bool append_acl(GByteArray *out, const char *text, size_t len, bool sacl, uint16_t *control)
{
	const char *p = text, *end = text + len;
	guint start = out->len;
	uint16_t count = 0;

	*control |= (uint16_t)(sacl ? 0x0010 : 0x0004);
	for (; p < end && *p != '('; p++) {
		if (*p == 'P') {
			*control |= (uint16_t)(sacl ? 0x2000 : 0x1000);
		} else if (*p == 'A' && p + 1 < end && (p[1] == 'I' || p[1] == 'R')) {
			p++;
			*control |= (uint16_t)((*p == 'I' ? 0x0400 : 0x0100) << sacl);
		} else {
			return false;
		}
	}
	append32(out, 2); /* ACL revision; size and count follow below */
	append32(out, 0);
	while (p < end) {
		const char *close = memchr(p, ')', (size_t)(end - p));

		if (*p != '(' || !close || !append_ace(out, p + 1, (size_t)(close - p - 1)))
			return false;
		count++;
		p = close + 1;
	}
	ib_put_le16(out->data + start + 2, (uint16_t)(out->len - start));
	ib_put_le16(out->data + start + 4, count);
	return true;
}

/* Where the part that begins here ends: at the next "X:" outside brackets. */
static size_t part_length(const char *p)
{
	size_t n = 0;

	for (int depth = 0; p[n]; n++) {
		depth += (p[n] == '(') - (p[n] == ')');
		if (!depth && p[n + 1] && strchr("OGDS", p[n + 1]) && p[n + 2] == ':')
			return n + 1;
	}
	return n;
}

GBytes *lab_sddl_bytes(const char *sddl)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	uint8_t header[20] = { 1 };
	uint16_t control = 0x8000; /* self-relative */

	g_byte_array_append(out, header, sizeof(header));
	while (*sddl) {
		static const char letters[] = "OGSD"; /* in the order of the header's offsets */
		const char *letter = strchr(letters, *sddl);
		size_t len;

		if (!letter || sddl[1] != ':')
			return NULL;
		len = part_length(sddl + 2);
		ib_put_le32(out->data + 4 + 4 * (letter - letters), out->len);
		if (letter - letters < 2 ? !append_sid(out, sddl + 2, len) :
					   !append_acl(out, sddl + 2, len, *letter == 'S', &control))
			return NULL;
		sddl += 2 + len;
	}
	ib_put_le16(out->data + 2, control);
	return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
