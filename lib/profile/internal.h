/* profile, private: the raw file and its entries. */
#ifndef IB_PROFILE_INTERNAL_H
#define IB_PROFILE_INTERNAL_H

#include "profile/profile.h"

/** One line of a file, or the merge of several. */
struct entry {
	char *section, *name;
	char *value;
	bool append;      /**< += */
	const char *file; /**< interned */
	unsigned line;
	const struct ib_ini_key *key; /**< set when the schema was applied */
	char **items;                 /**< for lists */
};

void entry_free(struct entry *e);

/** Read one file's text into entries (struct entry *), in order. Repeated keys are refused. */
bool ini_read(const char *text, size_t len, const char *file, GPtrArray *entries, struct ib_error **err);

/** Throw IB_ERR_INPUT with the entry's file:line in front of the cause. */
bool entry_throw(const struct entry *e, struct ib_error **err, const char *fmt, ...) IB_PRINTF(3, 4);

/** Check and convert one entry by its key: resolves paths, splits lists. */
bool entry_convert(struct entry *e, struct ib_error **err);

/** Whether the pattern of a schema ("x:*", "x.*", "*", or plain) covers a name. */
bool pattern_covers(const char *pattern, const char *name);

#endif
