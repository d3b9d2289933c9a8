/**
 * imglab/cab: cabinets. Stored and MSZIP ones come from libgcab, which writes
 * each folder as a cabinet of its own (it knows no more than one folder); here
 * they are put together. LZX ones are all our own (cabinet.h).
 *
 * Member names keep backslashes, as in Microsoft's packages; all members carry
 * one fixed date. A folder is closed after LAB_CAB_FOLDER_MAX bytes, of LZX
 * after LAB_CAB_LZX_FOLDER_MAX, so that readers can work on several at once.
 */
#ifndef IMGLAB_CAB_H
#define IMGLAB_CAB_H

#include "base/base.h"

/** A folder is closed when it holds this many bytes, so that even small packages have several. */
#define LAB_CAB_FOLDER_MAX ((uint64_t)1 << 20)
/** The same for LZX, whose window reaches farther. */
#define LAB_CAB_LZX_FOLDER_MAX ((uint64_t)4 << 20)

/** How members are compressed. */
enum lab_cab_method {
	LAB_CAB_STORED,
	LAB_CAB_MSZIP,
	LAB_CAB_LZX, /**< window 2^21, as in cumulative updates */
};

struct lab_cab;

/**
 * An empty cabinet.
 * @param when  date of all members, seconds since 1970, UTC; even, after 1980
 * @return owned by the caller (lab_cab_free)
 */
struct lab_cab *lab_cab_new(enum lab_cab_method method, int64_t when);

/** Free; NULL is fine. */
void lab_cab_free(struct lab_cab *cab);
/** Cleanup form of lab_cab_free. */
void lab_cab_clear(struct lab_cab **cab);
#define lab_auto_cab IB_CLEANUP(lab_cab_clear) struct lab_cab *

/** Add a member. @param name  e.g. "keyform\\file"; copied. @param bytes  a reference is taken */
void lab_cab_add(struct lab_cab *cab, const char *name, GBytes *bytes);

/** Add text as a member. @param text  borrowed, NUL-ended */
void lab_cab_add_text(struct lab_cab *cab, const char *name, const char *text);

/**
 * Write it, members in the order they were added.
 * @param trailing  bytes behind the cabinet's end, as a signature leaves them; 0: none
 * @param ret       owned by the caller (g_bytes_unref)
 * Throws IB_ERR_USAGE when the format's 16-bit counters do not reach.
 */
bool lab_cab_build(const struct lab_cab *cab, size_t trailing, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

#endif
