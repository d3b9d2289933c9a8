/**
 * archive: cabinets and ZIP archives through libarchive, read as streams in
 * their own order, once. Trailing bytes after a cabinet (an Authenticode
 * signature) are accepted.
 */
#ifndef IB_ARCHIVE_ARCHIVE_H
#define IB_ARCHIVE_ARCHIVE_H

#include "base/base.h"

struct ib_archive;

/** One member. */
struct ib_archive_member {
	const char *name; /**< UTF-8, '\' between parts, no leading separator, never '..'; borrowed until the next */
	uint64_t size;    /**< bytes; UINT64_MAX when the container does not say */
};

/** Open a CAB or ZIP; takes a reference. IB_ERR_INPUT when it is neither. Result: ib_archive_free. */
bool ib_archive_open(struct ib_input *in, struct ib_archive **ret, struct ib_error **err) IB_MUST_CHECK;

/** Open a CAB that arrives as a stream (a cabinet inside a cabinet). The stream is taken, also on failure. */
bool ib_archive_open_stream(struct ib_stream *stream, const char *name, struct ib_archive **ret,
			    struct ib_error **err) IB_MUST_CHECK;

/**
 * The next member; ret_more is false at the end. Names that escape ('..', drive letters, absolute)
 * and a count above 100,000 are IB_ERR_INPUT.
 */
bool ib_archive_next(struct ib_archive *a, struct ib_archive_member *ret, bool *ret_more, struct ib_error **err)
	IB_MUST_CHECK;

/** A stream over the current member, valid until the next ib_archive_next(). Result: ib_stream_free. */
struct ib_stream *ib_archive_stream(struct ib_archive *a);

/** The current member in memory; refuses more than limit bytes. Result: g_bytes_unref. */
bool ib_archive_bytes(struct ib_archive *a, uint64_t limit, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/** Free; NULL is fine. */
void ib_archive_free(struct ib_archive *a);

#endif
