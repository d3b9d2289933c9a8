/**
 * base/file: files as extents in, a file with a base offset out, streams
 * between, and names that appear whole or not at all.
 *
 * All system calls that read, write, sync or rename go through here; a test can
 * make the n-th of them fail (ib_fault_arm).
 */
#ifndef IB_BASE_FILE_H
#define IB_BASE_FILE_H

#include "base/base.h"

/** Cleanup: close an fd, keep errno. */
void ib_fd_close(int *fd);
#define ib_auto_fd IB_CLEANUP(ib_fd_close) int

/* ---- input: bytes at random offsets, from one or more extents of a file ---- */

/**
 * Bytes that can be read at any offset: a file, or a file inside an image that
 * lies in several extents. Reference counted; reading is thread safe.
 */
struct ib_input;
struct ib_stream;

/** One run of bytes in the underlying file. */
struct ib_extent {
	uint64_t offset; /**< in the underlying file, bytes */
	uint64_t length; /**< bytes */
};

/** Open a regular file. Throws IB_ERR_INPUT when it is missing or not a regular file, IB_ERR_SYSTEM else. */
bool ib_input_open(const char *path, struct ib_input **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Keep a stream's bytes in an unlinked file, so that they can be read at any offset.
 * @param dir   folder the file lies in for a moment; NULL: memory
 * @param name  for messages; copied
 * Throws what the stream throws, IB_ERR_SYSTEM (space).
 */
bool ib_input_spool(struct ib_stream *stream, const char *dir, const char *name, struct ib_input **ret,
		    struct ib_error **err) IB_MUST_CHECK;

/** An input over an open file, as it is now. @param fd  taken, also on failure */
bool ib_input_from_fd(int fd, const char *name, struct ib_input **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * An input over an open regular file, as long as it is now. The fd is taken, also on failure.
 * @param name  for messages; copied
 * Throws IB_ERR_SYSTEM.
 */
bool ib_input_adopt(int fd, const char *name, struct ib_input **ret, struct ib_error **err) IB_MUST_CHECK;

/** An input over memory; takes a reference on bytes. */
struct ib_input *ib_input_from_bytes(GBytes *bytes, const char *name);

/**
 * Part of another input. Extents are relative to the parent.
 * @param name  for messages, e.g. "base.iso:sources/install.wim"; copied
 * Throws IB_ERR_INPUT when an extent leaves the parent.
 */
bool ib_input_part(struct ib_input *parent, const struct ib_extent *extents, size_t count,
		   const char *name, struct ib_input **ret, struct ib_error **err) IB_MUST_CHECK;

/** One more reference. @return in */
struct ib_input *ib_input_ref(struct ib_input *in);
/** Drop a reference; NULL is fine. */
void ib_input_unref(struct ib_input *in);
/** Cleanup form. */
void ib_input_clear(struct ib_input **in);
#define ib_auto_input IB_CLEANUP(ib_input_clear) struct ib_input *

/** Size in bytes. */
uint64_t ib_input_size(const struct ib_input *in);
/** Name for messages; borrowed. */
const char *ib_input_name(const struct ib_input *in);

/** Read exactly len bytes at offset. Short: IB_ERR_INPUT ("ends early", with both numbers). */
bool ib_input_read(struct ib_input *in, uint64_t offset, void *buf, size_t len,
		   struct ib_error **err) IB_MUST_CHECK;

/** The whole input in memory; refuses more than limit bytes (IB_ERR_INPUT). Result: g_bytes_unref. */
bool ib_input_bytes(struct ib_input *in, uint64_t limit, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- output: a file, or a region of one ---- */

/** A place to write: an fd and the offset in it that counts as 0. Borrowed fd. */
struct ib_output {
	int fd;        /**< borrowed; opened read-write by whoever made it */
	uint64_t base; /**< all offsets are relative to this */
	const char *name; /**< for messages; borrowed */
	bool once;     /**< nobody reads it soon: what is written in bulk may bypass the page cache */
};

/** Write exactly len bytes at offset. IB_ERR_SYSTEM on failure; ENOSPC says so. */
bool ib_output_write(const struct ib_output *out, uint64_t offset, const void *buf, size_t len,
		     struct ib_error **err) IB_MUST_CHECK;

/** Read back what was written. */
bool ib_output_read(const struct ib_output *out, uint64_t offset, void *buf, size_t len,
		    struct ib_error **err) IB_MUST_CHECK;

/** The output's file once more, to write past the page cache. @return an fd, closed by the caller; -1: `once` is not
 *  said, or the file system has no such thing */
int ib_output_direct(const struct ib_output *out);

/**
 * As ib_output_write(), but what is whole pages in the file goes past the page cache, when they are worth it and lie on
 * whole pages in memory, too. Whoever writes megabytes saves a copy of them, and the pages for it.
 * @param direct  of ib_output_direct(); -1: none. Closed, and set to -1, when that way fails; the other one is taken then
 */
bool ib_output_write_direct(const struct ib_output *out, int *direct, uint64_t offset, const void *buf, size_t len,
			    struct ib_error **err) IB_MUST_CHECK;

/** Bytes of a page; ib_output_write_direct() */
#define IB_PAGE 4096u

/**
 * Copy a range from an input: by the disk itself where that can be done (O_DIRECT out of the source's pages; only when
 * the output says `once`, and the file system cannot share blocks), else by the kernel (copy_file_range, which shares
 * them), else through a buffer. progress may be NULL.
 */
bool ib_output_copy(const struct ib_output *out, uint64_t offset, struct ib_input *in, uint64_t in_offset,
		    uint64_t len, struct ib_progress *progress, struct ib_error **err) IB_MUST_CHECK;

/* ---- stream: bytes in order, once ---- */

/** A pull stream. Implementations embed it as their first member. */
struct ib_stream {
	/** Read up to cap bytes; *ret_n == 0 is the end. */
	bool (*read)(struct ib_stream *self, void *buf, size_t cap, size_t *ret_n, struct ib_error **err);
	/** Free the stream itself; may be NULL for a stream on the stack. */
	void (*free)(struct ib_stream *self);
};

/** Read; see the member. */
bool ib_stream_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
	IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_stream_free(struct ib_stream *s);
/** A stream over memory; takes a reference on bytes. */
struct ib_stream *ib_stream_from_bytes(GBytes *bytes);
/**
 * What is left of a stream over memory, uncopied; the stream is at its end then.
 * @return g_bytes_unref; NULL: it is no such stream, and nothing happened
 */
GBytes *ib_stream_rest(struct ib_stream *s);
/** A stream over an input from its start; takes a reference. */
struct ib_stream *ib_stream_from_input(struct ib_input *in);
/** Read a stream to its end; refuses more than limit bytes (IB_ERR_INPUT). Result: g_bytes_unref. */
bool ib_stream_bytes(struct ib_stream *s, uint64_t limit, const char *name, GBytes **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** The same for a stream whose size is known before; that it has another is IB_ERR_INPUT. Memory for all of it is taken
 *  at once: size must be one the caller accepts. */
bool ib_stream_exact(struct ib_stream *s, uint64_t size, const char *name, GBytes **ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- whole files and folders ---- */

/** Read a whole file; refuses more than limit bytes. Result: g_bytes_unref. */
bool ib_file_read(const char *path, uint64_t limit, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/** Writes what a new file holds. */
typedef bool (*ib_file_fill_fn)(const struct ib_output *out, void *data, struct ib_error **err);

/**
 * Make a file that is there whole or not at all: fill writes under a temporary name beside it; then fsync, rename.
 * A file that lies at path is replaced, and where a link leads to one, that file. Throws what fill throws, IB_ERR_INPUT
 * (something lies there that is no file: a device would be gone), IB_ERR_SYSTEM.
 */
bool ib_file_make(const char *path, ib_file_fill_fn fill, void *data, struct ib_error **err) IB_MUST_CHECK;

/** The same from memory. */
bool ib_file_write(const char *path, const void *data, size_t len, struct ib_error **err) IB_MUST_CHECK;

/** An unlinked temporary file in dir, opened read-write; closed by the caller. */
bool ib_file_temp(const char *dir, int *ret_fd, struct ib_error **err) IB_MUST_CHECK;

/** Create a folder and its parents; one that exists is fine. */
bool ib_dir_make(const char *path, struct ib_error **err) IB_MUST_CHECK;

/** Remove a folder and all below it, never following links. A missing one is fine. */
bool ib_dir_remove(const char *path, struct ib_error **err) IB_MUST_CHECK;

/** fsync everything below a folder and the folder itself. */
bool ib_dir_sync(const char *path, struct ib_error **err) IB_MUST_CHECK;

/**
 * Put a finished folder in its place: rename, or exchange with what lies there
 * (RENAME_EXCHANGE) and remove the old one. Both must be on one file system.
 */
bool ib_dir_publish(const char *work, const char *final, struct ib_error **err) IB_MUST_CHECK;

/** fsync an fd. */
bool ib_fd_sync(int fd, const char *name, struct ib_error **err) IB_MUST_CHECK;

/* ---- faults, for tests ---- */

/**
 * Make the n-th following system call of this module fail with errnum; n = 0
 * disarms. Tests only: nothing else calls it.
 */
void ib_fault_arm(unsigned n, int errnum);
/** How many calls were counted since the last arming. */
unsigned ib_fault_count(void);

#endif
