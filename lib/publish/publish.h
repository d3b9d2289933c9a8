/**
 * publish: deliver files to a folder on an SFTP server or on this machine, and
 * read back what lies there.
 *
 * A file is uploaded as NAME.part, synced where the server offers that, its size
 * compared, and renamed into place; a reader never sees half a file under its
 * final name.
 *
 * Transport is libssh; the SFTP version 3 messages (draft-ietf-secsh-filexfer-02
 * and OpenSSH's PROTOCOL, section 4) are ours: many reads or writes under way,
 * posix-rename over an existing file. The server's key must be the pinned one:
 * there is no trust on first use, and no configuration, known hosts or key of the
 * user or the system is read. SSH_AUTH_SOCK is looked at for key "agent" only.
 *
 * Nothing waits for ever: a server that is silent for the time-out is given up,
 * and so is the publisher then; every later call fails at once. After a refusal
 * (a full disk, a missing file) the publisher can still be used.
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
	const char *url;        /**< sftp://user@host[:port]/folder or file:///folder; %XX for odd characters */
	const char *host_key;   /**< "SHA256:<43 characters of base64>" of one of the server's keys; required for sftp */
	const char *key;        /**< path of a private key with mode 0600 or less, or "agent"; NULL: password only */
	const char *passphrase; /**< of the key, or NULL */
	const char *password;   /**< or NULL */
	unsigned timeout_s;     /**< for connecting, for logging in, and for a server's silence later; 0: 30; at most a day */
};

/**
 * Connect and enter the folder (created when missing).
 * A server with keys of several kinds is asked for each kind until the pinned one is seen.
 * Throws IB_ERR_SYSTEM: no such host, refused, wrong host key (all fingerprints shown), login refused;
 * IB_ERR_INPUT: a private key that is missing, open to others, locked or none; IB_ERR_USAGE: an address or a
 * fingerprint it cannot read, neither key nor password. Result owned by the caller: ib_publisher_free.
 */
bool ib_publisher_open(const struct ib_publish_options *options, struct ib_publisher **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** Disconnect; NULL is fine. */
void ib_publisher_free(struct ib_publisher *p);

/** Free bytes in the folder as the server says. @return false when it does not say */
bool ib_publisher_space(struct ib_publisher *p, uint64_t *ret_bytes);

/**
 * Upload a file to `name` ('/' between parts, folders are created). An existing file is replaced atomically; on
 * an SFTP server without posix-rename that refuses to rename over a file, the old one is removed first.
 * An SFTP upload that broke off before goes on when the last MiB of what lies there as NAME.part equals the file's
 * bytes at that place; what lies before it is not compared: check the delivery's digests at the end.
 * A local copy starts anew, and its part is removed when it fails.
 * Throws IB_ERR_SYSTEM (IB_ERR_USAGE: a name that is absolute, empty or has "." or ".." in it; whatever reading `in`
 * throws; IB_ERR_INTERRUPTED from progress); the final name is as it was then.
 * @param name      below the folder; borrowed
 * @param in        what to send; borrowed
 * @param progress  counts the bytes, resumed ones too; may be NULL
 */
bool ib_publisher_put(struct ib_publisher *p, const char *name, struct ib_input *in, struct ib_progress *progress,
		      struct ib_error **err) IB_MUST_CHECK;

/** Size of a remote file in bytes; throws IB_ERR_INPUT when it is not there, IB_ERR_SYSTEM, IB_ERR_USAGE for a name. */
bool ib_publisher_stat(struct ib_publisher *p, const char *name, uint64_t *ret_size, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * A stream over a remote file of the size it has now. While it lives nothing else may be asked of the publisher, and
 * it must be freed before the publisher. Throws like ib_publisher_stat; reading throws IB_ERR_SYSTEM.
 * Result owned by the caller: ib_stream_free.
 */
bool ib_publisher_get(struct ib_publisher *p, const char *name, struct ib_stream **ret, struct ib_error **err)
	IB_MUST_CHECK;

/** Remove a remote file; one that is not there is fine. Throws IB_ERR_SYSTEM, IB_ERR_USAGE for a name. */
bool ib_publisher_remove(struct ib_publisher *p, const char *name, struct ib_error **err) IB_MUST_CHECK;

#endif
