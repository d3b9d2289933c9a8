#include "package/package.h"

/* A part is 16 bits on disk: the greatest seen is 65535. */
#define PART_MAX 65535

bool ib_version_parse(const char *text, struct ib_version *ret)
{
	struct ib_version v = { .part = { 0 } };

	for (unsigned i = 0; i < G_N_ELEMENTS(v.part); i++) {
		if (!g_ascii_isdigit(*text))
			return false;
		for (; g_ascii_isdigit(*text); text++) {
			v.part[i] = v.part[i] * 10 + (uint32_t)(*text - '0');
			if (v.part[i] > PART_MAX)
				return false;
		}
		if (*text == '\0') {
			*ret = v;
			return true;
		}
		if (*text++ != '.')
			return false;
	}
	return false; /* a fifth part, or a dot at the end */
}

char *ib_version_text(const struct ib_version *v)
{
	return g_strdup_printf("%u.%u.%u.%u", v->part[0], v->part[1], v->part[2], v->part[3]);
}

int ib_version_compare(const struct ib_version *a, const struct ib_version *b)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(a->part); i++) {
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	}
	return 0;
}
