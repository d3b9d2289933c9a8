#include "metadata/internal.h"

#include <string.h>

/* Up to four numbers; how many there were, 0 when the text is no version. */
static unsigned parse(const char *text, struct version *v)
{
	unsigned n = 0;

	memset(v, 0, sizeof *v);
	while (text && n < 4) {
		uint64_t number = 0;
		const char *start = text;
		for (; g_ascii_isdigit(*text) && text - start < 10; text++)
			number = number * 10 + (unsigned)(*text - '0');
		if (text == start || number > INT32_MAX)
			return 0;
		v->part[n++] = (uint32_t)number;
		if (!*text)
			return n;
		if (*text++ != '.')
			return 0;
	}
	return 0;
}

bool version_parse(const char *text, struct version *ret)
{
	struct version v;

	if (parse(text, &v) != 4)
		return false;
	*ret = v;
	return true;
}

bool version_parse_loose(const char *text, struct version *ret)
{
	struct version v;

	if (parse(text, &v) == 0)
		return false;
	*ret = v;
	return true;
}

int version_compare(const struct version *a, const struct version *b)
{
	for (int i = 0; i < 4; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return 0;
}

char *version_text(const struct version *v)
{
	return g_strdup_printf("%u.%u.%u.%u", v->part[0], v->part[1], v->part[2], v->part[3]);
}
