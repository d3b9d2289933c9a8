/**
 * digest: hashes, through OpenSSL's EVP. No other module but trust includes OpenSSL.
 *
 * Threads: an ib_digest belongs to one thread at a time; the one-call functions
 * may be called from any thread.
 */
#ifndef IB_DIGEST_DIGEST_H
#define IB_DIGEST_DIGEST_H

#include "base/base.h"

enum ib_digest_algorithm {
	IB_DIGEST_SHA1,   /**< 20 bytes: WIM blobs, update server */
	IB_DIGEST_SHA256, /**< 32 bytes: manifests, catalogs, SHA256SUMS */
	IB_DIGEST_SM3,    /**< 32 bytes */
	IB_DIGEST_MD5,    /**< 16 bytes: old differentials */
};

/** The longest digest, bytes. */
#define IB_DIGEST_MAX 32
#define IB_SHA1_SIZE 20
#define IB_SHA256_SIZE 32

struct ib_digest;

/** Bytes of a digest of this algorithm. */
size_t ib_digest_size(enum ib_digest_algorithm algorithm);

/** "sha1", "sha256", "sm3", "md5"; borrowed. */
const char *ib_digest_name(enum ib_digest_algorithm algorithm);

/** By name, as above. @return false when the name is unknown */
bool ib_digest_by_name(const char *name, enum ib_digest_algorithm *ret);

/** A running digest; owned by the caller (ib_digest_free). Aborts only when memory is out. */
struct ib_digest *ib_digest_new(enum ib_digest_algorithm algorithm);
/** Feed bytes. */
void ib_digest_update(struct ib_digest *d, const void *data, size_t len);
/** The digest; the object starts again from nothing. @param ret  ib_digest_size() bytes */
void ib_digest_final(struct ib_digest *d, uint8_t *ret);
/** Free; NULL is fine. */
void ib_digest_free(struct ib_digest *d);

/** Digest of bytes in memory. @param ret  ib_digest_size() bytes */
void ib_digest_bytes(enum ib_digest_algorithm algorithm, const void *data, size_t len, uint8_t *ret);

/**
 * Several digests of an input in one sequential read, a thread each.
 *
 * @param algorithms  which, count of them (1..4)
 * @param ret         count digests of IB_DIGEST_MAX bytes each, in that order
 * @param progress    counts the bytes read; may be NULL
 */
bool ib_digest_input(struct ib_input *in, const enum ib_digest_algorithm *algorithms, size_t count,
		     uint8_t (*ret)[IB_DIGEST_MAX], struct ib_progress *progress, struct ib_error **err) IB_MUST_CHECK;

/** CRC-32 (IEEE 802.3), continued from crc (0 at the start). */
uint32_t ib_crc32(uint32_t crc, const void *data, size_t len);

/** Name-based UUID, version 5 (RFC 4122): SHA-1 of the 16-byte namespace and the name. */
void ib_uuid5(const uint8_t space[16], const char *name, uint8_t ret[16]);

/** "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" of 16 bytes in RFC order; owned by the caller (g_free). */
char *ib_uuid_text(const uint8_t uuid[16]);

#endif
