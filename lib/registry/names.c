/*
 * Names. In a hive they are Latin-1 or UTF-16 units, NUL units included (Windows'
 * own SECURITY hive has such keys); in memory they are the text of base/unicode,
 * with a NUL unit as the two bytes C0 80.
 */
#include "registry/internal.h"

#define END (-1)

/* One code point; a byte that begins none stands for itself. Never passes the end. */
static uint32_t next_code(const uint8_t **p, bool *bad)
{
	const uint8_t *s = *p;
	unsigned extra = s[0] < 0xC0 ? 0 : s[0] < 0xE0 ? 1 : s[0] < 0xF0 ? 2 : 3;
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t c = extra ? s[0] & (0x3Fu >> extra) : s[0];

	for (unsigned i = 1; i <= extra; i++) {
		if ((s[i] & 0xC0) != 0x80) {
			*bad = true;
			*p = s + 1;
			return s[0];
		}
		c = c << 6 | (s[i] & 0x3Fu);
	}
	if ((c < least[extra] && !(extra == 1 && c == 0)) || c > 0x10FFFF || (!extra && c >= 0x80))
		*bad = true;
	*p = s + extra + 1;
	return c;
}

/* The next unit, upper-cased, or END. `low` holds a low surrogate that is due. */
static int next_unit(const uint8_t **p, uint16_t *low)
{
	bool bad = false;

	if (*low) {
		uint16_t u = *low;
		*low = 0;
		return u;
	}
	if (!**p)
		return END;
	if (**p < 0x80)
		return ib_upcase16(*(*p)++);
	uint32_t c = next_code(p, &bad);
	if (c < 0x10000)
		return ib_upcase16((uint16_t)c);
	*low = (uint16_t)(0xDC00 + ((c - 0x10000) & 0x3FF));
	return (int)(0xD800 + ((c - 0x10000) >> 10 & 0x3FF));
}

uint32_t ib_registry_hash(const char *name)
{
	const uint8_t *p = (const uint8_t *)name;
	uint16_t low = 0;
	uint32_t h = 0;

	for (int u = next_unit(&p, &low); u != END; u = next_unit(&p, &low))
		h = h * 37 + (uint32_t)u;
	return h;
}

int ib_registry_compare(const char *a, const char *b)
{
	const uint8_t *pa = (const uint8_t *)a, *pb = (const uint8_t *)b;
	uint16_t la = 0, lb = 0;

	while (*pa && *pa == *pb && *pa < 0x80) {
		pa++;
		pb++;
	}
	for (;;) {
		int ua = next_unit(&pa, &la), ub = next_unit(&pb, &lb);
		if (ua != ub)
			return ua < ub ? -1 : 1;
		if (ua == END)
			return 0;
	}
}

bool ib_registry_units(const char *text, uint16_t *out, size_t max, size_t *ret_n)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = 0;
	bool bad = false;

	while (*p) {
		uint32_t c = next_code(&p, &bad);
		size_t need = c >= 0x10000 ? 2 : 1;
		if (bad || need > max - n)
			return false;
		if (out && need == 2) {
			out[n] = (uint16_t)(0xD800 + ((c - 0x10000) >> 10));
			out[n + 1] = (uint16_t)(0xDC00 + ((c - 0x10000) & 0x3FF));
		} else if (out) {
			out[n] = (uint16_t)c;
		}
		n += need;
	}
	*ret_n = n;
	return true;
}

static char *put_code(char *o, uint32_t c)
{
	if (c && c < 0x80) {
		*o++ = (char)c;
	} else if (c < 0x800) {
		*o++ = (char)(0xC0 | c >> 6);
		*o++ = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		*o++ = (char)(0xE0 | c >> 12);
		*o++ = (char)(0x80 | (c >> 6 & 0x3F));
		*o++ = (char)(0x80 | (c & 0x3F));
	} else {
		*o++ = (char)(0xF0 | c >> 18);
		*o++ = (char)(0x80 | (c >> 12 & 0x3F));
		*o++ = (char)(0x80 | (c >> 6 & 0x3F));
		*o++ = (char)(0x80 | (c & 0x3F));
	}
	return o;
}

const char *ib_registry_name(struct registry_arena *a, const uint8_t *p, size_t len, bool latin1)
{
	size_t room = 0;

	if (!latin1 && len % 2)
		return NULL;
	for (size_t i = 0; latin1 && i < len; i++)
		room += p[i] && p[i] < 0x80 ? 1 : 2;
	if (!latin1)
		room = len / 2 * 3;
	char *text = ib_registry_alloc_bytes(a, room + 1);
	char *o = text;
	for (size_t i = 0; latin1 && i < len; i++)
		o = put_code(o, p[i]);
	for (size_t i = 0; !latin1 && i < len; i += 2) {
		uint32_t c = ib_le16(p + i);
		uint32_t low = c >= 0xD800 && c < 0xDC00 && i + 2 < len ? ib_le16(p + i + 2) : 0;
		if (low >= 0xDC00 && low < 0xE000) {
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
			i += 2;
		}
		o = put_code(o, c);
	}
	*o = 0;
	return text;
}
