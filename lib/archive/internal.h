/* archive, private: what its files share. */
#ifndef IB_ARCHIVE_INTERNAL_H
#define IB_ARCHIVE_INTERNAL_H

#include "archive/archive.h"

/**
 * A member's name with '\' between parts into ret. A name that could leave the folder it is unpacked into is refused,
 * never repaired.
 * @param archive  its name for messages
 * @param number   of the member, from 1, for messages
 */
bool archive_take_name(const char *archive, unsigned number, const char *name, GString *ret, struct ib_error **err)
	IB_MUST_CHECK;

#endif
