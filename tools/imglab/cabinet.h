/**
 * imglab/cabinet: the container of LZX cabinets, for which libgcab is no use:
 * several folders, checksums, and no counter that wraps unseen ([MS-CAB]).
 */
#ifndef IMGLAB_CABINET_H
#define IMGLAB_CABINET_H

#include "base/base.h"

/** A member on its way into a cabinet. */
struct lab_cab_member {
	char *name;   /**< with backslashes */
	GBytes *bytes;
};

/**
 * Write an LZX:21 cabinet.
 *
 * @param members     struct lab_cab_member, in this order; at least one
 * @param folder_max  a folder is closed before it would exceed this many bytes
 * @param when        date of all members, seconds since 1970, UTC
 * @return owned by the caller (g_byte_array_unref); NULL on failure
 * Throws IB_ERR_USAGE when the format's counters do not reach.
 */
GByteArray *lab_cabinet_lzx(const GPtrArray *members, uint64_t folder_max, int64_t when, struct ib_error **err)
	IB_MUST_CHECK;

#endif
