/**
 * trust: who signed what. Catalogs of packages, CMS signatures of our own papers, time stamps, keys.
 *
 * Rules of the module:
 *
 *  - Nothing is trusted by itself: anchors come from files the caller names. An anchor need not be
 *    self-signed; a chain that reaches it is complete.
 *  - No revocation lists and no network: images are built off line.
 *  - A certificate is judged at the time a valid time stamp proves, otherwise at the time given to
 *    ib_anchors_new(). Times are seconds since 1970, UTC.
 *  - What is malformed is IB_ERR_INPUT; what is well-formed but not trustworthy is IB_ERR_VERIFY.
 *
 * Threads: anchors and parsed catalogs may be shared by threads once they are complete; a key
 * belongs to one thread at a time.
 */
#ifndef IB_TRUST_TRUST_H
#define IB_TRUST_TRUST_H

#include "base/base.h"
#include "digest/digest.h"

/* ---- anchors ---- */

/** A set of certificates the user trusts. */
struct ib_anchors;

/**
 * An empty set.
 * @param now  the time at which a signature without time stamp is judged
 * @return owned by the caller (ib_anchors_free)
 */
struct ib_anchors *ib_anchors_new(int64_t now);
/** Free; NULL is fine. */
void ib_anchors_free(struct ib_anchors *a);
/** Cleanup form of ib_anchors_free(). */
void ib_anchors_clear(struct ib_anchors **a);
#define ib_auto_anchors IB_CLEANUP(ib_anchors_clear) struct ib_anchors *

/**
 * Add the certificates of a file: PEM, one or many, or one in DER.
 * Throws IB_ERR_INPUT when it holds none or a broken one.
 */
bool ib_anchors_add_file(struct ib_anchors *a, const char *path, struct ib_error **err) IB_MUST_CHECK;

/** The same from memory. @param name  for messages; borrowed */
bool ib_anchors_add(struct ib_anchors *a, const void *data, size_t len, const char *name,
		    struct ib_error **err) IB_MUST_CHECK;

/** How many different certificates are in it. */
size_t ib_anchors_count(const struct ib_anchors *a);

/* ---- what a check found ---- */

/** How the time of a signature is known. */
enum ib_stamp {
	IB_STAMP_NONE,             /**< not proven: judged at the anchors' time */
	IB_STAMP_RFC3161,          /**< time stamp token */
	IB_STAMP_COUNTERSIGNATURE, /**< the older PKCS#9 counter signature */
};

/** A signer whose signature and chain were found good. Texts are names in RFC 2253 form. */
struct ib_signer {
	char *subject;        /**< of the signer's certificate */
	char *issuer;         /**< of the signer's certificate */
	char *anchor;         /**< subject of the anchor the chain ends at */
	enum ib_stamp stamp;
	int64_t time;         /**< when it was signed as far as proven; the anchors' time without stamp */
	int64_t claimed_time; /**< what the signer says; 0 when it says nothing */
	char *stamper;        /**< subject of the time stamp's signer, or NULL */
	bool sha1;            /**< the signature itself rests on SHA-1 */
};

/** Free what is inside; the struct is the caller's. */
void ib_signer_fini(struct ib_signer *s);
#define ib_auto_signer IB_CLEANUP(ib_signer_fini) struct ib_signer

/* ---- catalogs ---- */

/** Most bytes of a catalog: the one of a large cumulative update has about 4 MiB. */
#define IB_CATALOG_MAX (16u << 20)

/** A parsed catalog (.cat): a signed list of digests. */
struct ib_catalog;

/** One digest a catalog vouches for. */
struct ib_catalog_member {
	enum ib_digest_algorithm algorithm; /**< IB_DIGEST_SHA1 or IB_DIGEST_SHA256 */
	uint8_t digest[IB_DIGEST_MAX];      /**< ib_digest_size() bytes, zeros behind */
};

/**
 * Read a catalog: PKCS#7 SignedData around a certificate trust list. Checks the encoding only.
 *
 * Members are taken from the entries' indirect data, else from their tags (bytes, or hex text in
 * UTF-16 as Windows 7 wrote). Entries of other kinds vouch for nothing and are left out.
 *
 * @param data  borrowed
 * @param name  for messages; copied
 * @param ret   owned by the caller (ib_catalog_free)
 * @param err   IB_ERR_INPUT
 */
bool ib_catalog_parse(const void *data, size_t len, const char *name, struct ib_catalog **ret,
		      struct ib_error **err) IB_MUST_CHECK;
/**
 * Write a catalog nobody has signed: a list of SHA-256 digests in the shape of a .cat. It names what belongs together
 * and proves nothing; ib_catalog_verify() refuses it.
 * @param digests  count times IB_SHA256_SIZE bytes; their order does not matter
 * @param time     seconds since 1970: the list's own time
 * @param ret      owned by the caller (g_bytes_unref)
 * Throws IB_ERR_INPUT: too many members, or a time a catalog cannot carry.
 */
bool ib_catalog_write(const uint8_t *digests, size_t count, int64_t time, GBytes **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_catalog_free(struct ib_catalog *c);
/** Cleanup form of ib_catalog_free(). */
void ib_catalog_clear(struct ib_catalog **c);
#define ib_auto_catalog IB_CLEANUP(ib_catalog_clear) struct ib_catalog *

/** The number of different members. */
size_t ib_catalog_count(const struct ib_catalog *c);
/** Member i, 0-based, in the order of algorithm and digest; borrowed. */
const struct ib_catalog_member *ib_catalog_member(const struct ib_catalog *c, size_t i);
/** Whether a digest (ib_digest_size() bytes, borrowed) is a member. Says nothing about the signature. */
bool ib_catalog_has(const struct ib_catalog *c, enum ib_digest_algorithm algorithm, const uint8_t *digest);
/** The list's own attribute, such as "OSAttr" or "PackageName"; borrowed, NULL when absent. */
const char *ib_catalog_attribute(const struct ib_catalog *c, const char *name);
/** When the list was made, as it says itself (thisUpdate). */
int64_t ib_catalog_time(const struct ib_catalog *c);

/** What ib_catalog_verify() found. */
struct ib_catalog_verdict {
	struct ib_signer signer;
	size_t members; /**< ib_catalog_count() */
};

/** Free what is inside; the struct is the caller's. */
void ib_catalog_verdict_fini(struct ib_catalog_verdict *v);
#define ib_auto_catalog_verdict IB_CLEANUP(ib_catalog_verdict_fini) struct ib_catalog_verdict

/**
 * Verify a catalog's signature, time stamp and chains up to the anchors.
 *
 * The signer must be meant for system components (1.3.6.1.4.1.311.10.3.6) or code signing. A time
 * stamp that is present must be valid and reach the anchors too.
 *
 * @param ret  release with ib_catalog_verdict_fini(); written on success only
 * @param err  IB_ERR_VERIFY: unsigned, changed, signer or stamper unknown (the hint says which
 *             certificate is missing), expired, wrong purpose
 */
bool ib_catalog_verify(const struct ib_catalog *c, const struct ib_anchors *anchors, struct ib_catalog_verdict *ret,
		       struct ib_error **err) IB_MUST_CHECK;

/**
 * The digest by which catalogs and signatures know a program (PE): of all but its checksum, the entry of its
 * certificate table and the certificates themselves.
 * @param pad          with zeros up to a multiple of 8 bytes, as a program has once it is signed
 * @param ret          ib_digest_size() bytes; written only when it is a program
 * @param ret_program  false: not a program, or one with bytes behind its certificates
 * Throws IB_ERR_SYSTEM when reading fails.
 */
bool ib_authenticode_digest(struct ib_input *in, enum ib_digest_algorithm algorithm, bool pad, uint8_t *ret,
			    bool *ret_program, struct ib_error **err) IB_MUST_CHECK;

/* ---- cabinets ---- */

/**
 * Verify the Authenticode signature of a cabinet: the digest over its bytes, signature, time stamp and chain up to the
 * anchors; the same purposes as for catalogs.
 *
 * Layout: a reserved area of 20 bytes in the header names place and size of a PKCS#7 behind the cabinet. The digest
 * leaves out the header's checksum, the cabinet's number in a set, and that area.
 *
 * @param in   the cabinet; borrowed
 * @param ret  release with ib_signer_fini(); written on success only
 * @param err  IB_ERR_INPUT: no cabinet, malformed; IB_ERR_VERIFY: unsigned, changed, signer unknown, as ib_catalog_verify()
 */
bool ib_cabinet_verify(struct ib_input *in, const struct ib_anchors *anchors, struct ib_signer *ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- keys ---- */

/** A private key with its certificate chain, opened once for several signatures. */
struct ib_signing_key;

/** Where a key is. Zero means absent. All borrowed for the call. */
struct ib_signing_key_source {
	const char *certificate;   /**< PEM file: the signer's certificate first, then those above it */
	const char *key;           /**< PEM file, or a "pkcs11:" URI */
	const char *pkcs11_module; /**< path of the token's PKCS#11 library; required for a URI */
	const char *pkcs11_engine; /**< path of OpenSSL's pkcs11 engine; NULL: where OpenSSL looks */
	/**
	 * Gives the pass phrase or PIN; called only when one is needed.
	 * @param ret  at most 255 bytes; taken, wiped after use
	 */
	bool (*secret)(void *user, char **ret, struct ib_error **err);
	void *user; /**< for secret */
};

/**
 * Open a key; RSA (2048 bits and more) or EC.
 *
 * @param ret  owned by the caller (ib_signing_key_free)
 * @param err  IB_ERR_INPUT: missing or broken file, Ed25519 and other kinds (OpenSSL 3.0 cannot use
 *             them in CMS), a certificate that does not belong to the key; IB_ERR_SYSTEM: the token
 *             refused
 */
bool ib_signing_key_open(const struct ib_signing_key_source *source, struct ib_signing_key **ret, struct ib_error **err) IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_signing_key_free(struct ib_signing_key *key);
/** Cleanup form of ib_signing_key_free(). */
void ib_signing_key_clear(struct ib_signing_key **key);
#define ib_auto_signing_key IB_CLEANUP(ib_signing_key_clear) struct ib_signing_key *

/** The certificates of the key, PEM, signer's first; owned by the caller (g_free). */
char *ib_signing_key_certificates(const struct ib_signing_key *key);

/**
 * Sign bytes plainly: RSA PKCS#1 v1.5 or ECDSA (DER) with SHA-256.
 * @param ret  the signature; owned by the caller (g_bytes_unref). IB_ERR_SYSTEM when the key refuses
 */
bool ib_signing_key_sign(struct ib_signing_key *key, const void *data, size_t len, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Verify what ib_signing_key_sign() made.
 * @param pem        certificates, the signer's first; borrowed
 * @param content    what was signed; borrowed
 * @param signature  borrowed
 * @param anchors    borrowed; their time is when the certificates are judged
 * @param ret        release with ib_signer_fini(); written on success only
 * @param err        IB_ERR_INPUT: pem is unreadable; IB_ERR_VERIFY
 */
bool ib_signature_verify(const char *pem, GBytes *content, GBytes *signature, const struct ib_anchors *anchors,
			 struct ib_signer *ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- CMS ---- */

/** Most bytes of content a CMS signature is made or checked over: lists of digests and papers are far below. */
#define IB_CMS_CONTENT_MAX (256u << 20)

/**
 * Make a detached CMS signature (SHA-256, DER) and verify it at once with the key's certificate.
 *
 * @param time  signing time, real time
 * @param ret   owned by the caller (g_bytes_unref)
 * @param err   IB_ERR_SYSTEM: the key refused; IB_ERR_VERIFY: the result did not verify
 */
bool ib_cms_sign_detached(struct ib_signing_key *key, const void *data, size_t len, int64_t time, GBytes **ret,
			  struct ib_error **err) IB_MUST_CHECK;

/**
 * The request to send to a time stamp authority for a signature (RFC 3161, SHA-256, without nonce:
 * the stamped value is unique already).
 * @param ret  DER; owned by the caller (g_bytes_unref). IB_ERR_INPUT when sig is not a CMS signature
 */
bool ib_cms_stamp_query(GBytes *sig, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Attach a time stamp to a signature, as an unsigned attribute.
 *
 * @param token  DER: the authority's response, or the token alone. Must be over this signature and
 *               correctly signed; its chain is checked by ib_cms_verify_detached()
 * @param ret    the signature with stamp; owned by the caller (g_bytes_unref)
 * @param err    IB_ERR_INPUT: malformed, or the authority refused; IB_ERR_VERIFY: not over this signature
 */
bool ib_cms_stamp(GBytes *sig, GBytes *token, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Verify a detached CMS signature, its time stamp if it has one, and the chains up to the anchors.
 *
 * @param sig   DER or PEM; borrowed
 * @param data  the signed content; borrowed
 * @param ret   release with ib_signer_fini(); written on success only
 * @param err   IB_ERR_INPUT: not a CMS signature; IB_ERR_VERIFY as of ib_catalog_verify()
 */
bool ib_cms_verify_detached(GBytes *sig, const void *data, size_t len, const struct ib_anchors *anchors,
			    struct ib_signer *ret, struct ib_error **err) IB_MUST_CHECK;

#endif
