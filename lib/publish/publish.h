/**
 * publish: deliver files to a folder on an SFTP server or on this machine, and
 * read back what lies there.
 *
 * A file is uploaded under a temporary name, synced, its size compared, and
 * renamed into place; a reader never sees half a file under its final name.
 *
 * Transport is libssh; the SFTP version 3 messages are ours (pipelined writes,
 * posix-rename over an existing file). The server's key must be the pinned one:
 * there is no trust on first use, and no user configuration is read.
 *
 * Threads: a publisher belongs to one thread at a time.
 */
#ifndef IB_PUBLISH_PUBLISH_H
#define IB_PUBLISH_PUBLISH_H

#include "base/base.h"

struct ib_publisher;

/** Where and how. Strings are borrowed for the call. */
struct ib_publish_options {
	size_t size;            /**< sizeof this struct */
	const char *url;        /**< sftp://user@host:port/folder or file:///folder */
	const char *host_key;   /**< "SHA256:<base64>" of the server's key; required for sftp */
	const char *key;        /**< path of a private key, or "agent"; NULL: password only */
	const char *passphrase; /**< of the key, or NULL */
	const char *password;   /**< or NULL */
	unsigned timeout_s;     /**< for connecting and for each answer; 0: 30 */
};

/**
 * Connect and enter the folder (created when missing).
 * Throws IB_ERR_SYSTEM: no such host, refused, wrong host key (both fingerprints shown), login refused;
 * IB_ERR_USAGE: an address it cannot read. Result: ib_publisher_free.
 */
bool ib_publisher_open(const struct ib_publish_options *options, struct ib_publisher **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** Disconnect; NULL is fine. */
void ib_publisher_free(struct ib_publisher *p);

/** Free bytes in the folder as the server says. @return false when it does not say */
bool ib_publisher_space(struct ib_publisher *p, uint64_t *ret_bytes);

/**
 * Upload a file to `name` ('/' between parts, folders are created). An existing file is replaced atomically.
 * An upload that broke off before is resumed when its part is a prefix of the file.
 * Throws IB_ERR_SYSTEM; nothing appears under the final name then.
 */
bool ib_publisher_put(struct ib_publisher *p, const char *name, struct ib_input *in, struct ib_progress *progress,
		      struct ib_error **err) IB_MUST_CHECK;

/** Size of a remote file; throws IB_ERR_INPUT when it is not there. */
bool ib_publisher_stat(struct ib_publisher *p, const char *name, uint64_t *ret_size, struct ib_error **err)
	IB_MUST_CHECK;

/** A stream over a remote file (pipelined reads); one at a time. Result: ib_stream_free. */
bool ib_publisher_get(struct ib_publisher *p, const char *name, struct ib_stream **ret, struct ib_error **err)
	IB_MUST_CHECK;

/** Remove a remote file; one that is not there is fine. */
bool ib_publisher_remove(struct ib_publisher *p, const char *name, struct ib_error **err) IB_MUST_CHECK;

#endif
