#include "base/base.h"

#include <stdio.h>
#include <string.h>

/* Levenshtein distance of two words, case folded; at most LIMIT letters are looked at. */
#define LIMIT 64u

static unsigned distance(const char *a, const char *b)
{
	unsigned row[LIMIT + 1];
	unsigned la = (unsigned)MIN(strlen(a), LIMIT), lb = (unsigned)MIN(strlen(b), LIMIT);

	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			bool same = g_ascii_tolower(a[i - 1]) == g_ascii_tolower(b[j - 1]);
			unsigned best = diagonal + !same;
			diagonal = row[j];
			best = MIN(best, diagonal + 1);
			row[j] = MIN(best, row[j - 1] + 1);
		}
	}
	return row[lb];
}

/* Part of a name, as "OpenSSH" for "OpenSSH.Server". */
#define PART_MIN 4u

static bool holds(const char *name, const char *part)
{
	size_t len = strlen(part);

	for (; *name; name++)
		if (!g_ascii_strncasecmp(name, part, len))
			return true;
	return false;
}

const char *ib_nearest(const char *word, const char *const *candidates)
{
	const char *nearest = NULL, *whole = NULL;
	unsigned least = (unsigned)(strlen(word) < 4 ? 1 : MAX(strlen(word) / 3, 2)); /* a swap costs two */

	for (; *candidates; candidates++) {
		unsigned d = distance(word, *candidates);
		if (d <= least && (!nearest || d < least)) {
			nearest = *candidates;
			least = d;
		}
		if (strlen(word) >= PART_MIN && (!whole || strlen(*candidates) < strlen(whole)) && holds(*candidates, word))
			whole = *candidates;
	}
	return nearest ? nearest : whole;
}

bool ib_date_parse(const char *text, int64_t *ret_seconds)
{
	unsigned y, m, d;
	int end = 0;

	if (sscanf(text, "%4u-%2u-%2u%n", &y, &m, &d, &end) != 3 || end != 10 || text[end] ||
	    !g_date_valid_dmy((GDateDay)MIN(d, 99u), (GDateMonth)MIN(m, 13u), (GDateYear)y) || y < 1970)
		return false;
	g_autoptr(GDateTime) t = g_date_time_new_utc((int)y, (int)m, (int)d, 0, 0, 0);
	*ret_seconds = g_date_time_to_unix(t);
	return true;
}

char *ib_time_text(int64_t seconds)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds);

	return t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : g_strdup_printf("@%" PRId64, seconds);
}

char *ib_size_text(uint64_t bytes)
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1000 && u + 1 < G_N_ELEMENTS(units)) {
		v /= 1000;
		u++;
	}
	return u == 0 ? g_strdup_printf("%" PRIu64 " bytes", bytes) : g_strdup_printf("%.1f %s", v, units[u]);
}
