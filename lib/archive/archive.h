/**
 * archive: cabinets and ZIP archives through libarchive, read as streams in
 * their own order, once; and cabinets folder by folder. Trailing bytes after a
 * cabinet (an Authenticode signature) are accepted.
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

/* ---- cabinets by their table of contents ---- */

/**
 * A cabinet whose folders (runs of files compressed together) can be read one by one.
 * Threads: once opened it does not change; folders may be read by several threads, an ib_archive each.
 */
struct ib_cabinet;

/** A file of a cabinet. */
struct ib_cabinet_file {
	const char *name; /**< as in ib_archive_member; borrowed from the cabinet */
	uint64_t size;    /**< bytes */
	unsigned folder;  /**< 0-based */
	uint64_t offset;  /**< of its first byte in the folder's content */
};

/**
 * Read a cabinet's table of contents; a reference on in is taken. Bytes behind the cabinet are accepted.
 * Throws IB_ERR_INPUT when it is none, is damaged or one of a set, or holds a name that leads out of it.
 * Result: ib_cabinet_free.
 */
bool ib_cabinet_open(struct ib_input *in, struct ib_cabinet **ret, struct ib_error **err) IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_cabinet_free(struct ib_cabinet *c);

/** How many files it has. */
size_t ib_cabinet_count(const struct ib_cabinet *c);
/** File i in the order of the table; i must be below the count. Borrowed. */
const struct ib_cabinet_file *ib_cabinet_file(const struct ib_cabinet *c, size_t i);
/** How many folders it has. */
unsigned ib_cabinet_folders(const struct ib_cabinet *c);
/** Whether a folder is compressed: reading any file of it means unpacking all before it. */
bool ib_cabinet_is_packed(const struct ib_cabinet *c, unsigned folder);

/**
 * Read one folder: its files come in the order of the table.
 * @param folder  0-based, below ib_cabinet_folders()
 * Throws as ib_archive_open(). Result: ib_archive_free; the cabinet may be freed before.
 */
bool ib_cabinet_read(struct ib_cabinet *c, unsigned folder, struct ib_archive **ret, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * A file that is not compressed, where it lies; the blocks' checksums are not looked at.
 * @param name  of the result, for messages; copied
 * @param ret   owned by the caller (ib_input_unref); NULL when the file is compressed
 */
bool ib_cabinet_map(struct ib_cabinet *c, size_t file, const char *name, struct ib_input **ret, struct ib_error **err)
	IB_MUST_CHECK;

#endif
