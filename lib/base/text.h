/** base/text: small helpers for words shown to people. */
#ifndef IB_BASE_TEXT_H
#define IB_BASE_TEXT_H

#include "base/base.h"

/**
 * The candidate nearest to a mistyped word, for "did you mean".
 * @param candidates  NULL-ended
 * @return borrowed from candidates; NULL when none is near (more than a third of the letters differ) and none has the
 *         word in it
 */
const char *ib_nearest(const char *word, const char *const *candidates);

/** Seconds since 1970 (UTC) of "YYYY-MM-DD"; @return false when it is not a date. */
bool ib_date_parse(const char *text, int64_t *ret_seconds);

/** "YYYY-MM-DDTHH:MM:SSZ" of seconds since 1970; owned by the caller (g_free). */
char *ib_time_text(int64_t seconds);

/** FILETIME (100 ns since 1601) of seconds since 1970. */
static inline uint64_t ib_filetime(int64_t seconds)
{
	return (uint64_t)(seconds + 11644473600ll) * 10000000u;
}

/** "12.3 MB" for people; owned by the caller (g_free). */
char *ib_size_text(uint64_t bytes);

#endif
