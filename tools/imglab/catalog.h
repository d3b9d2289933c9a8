/**
 * imglab/catalog: security catalogs (.cat), written as Microsoft writes them.
 *
 * PKCS#7 SignedData whose content is a certificate trust list
 * (1.3.6.1.4.1.311.10.1): a SEQUENCE, not an octet string, so no CMS library
 * can make or check one. The messageDigest covers the list's content octets
 * without tag and length. Each member is listed by SHA-1 (tag only) and by
 * SHA-256 (tag, indirect data, for payload its path), sorted by tag, as in
 * catalogs of 2021 features on demand. The lab's TSA adds an RFC 3161 token as unsigned
 * attribute 1.3.6.1.4.1.311.3.3.1.
 */
#ifndef IMGLAB_CATALOG_H
#define IMGLAB_CATALOG_H

#include "certs.h"

struct lab_catalog;

/**
 * An empty catalog.
 * @param package  value of the list's PackageName attribute, e.g. "Package_for_RollupFix"; copied
 * @return owned by the caller (lab_catalog_free)
 */
struct lab_catalog *lab_catalog_new(const char *package);

/** Free; NULL is fine. */
void lab_catalog_free(struct lab_catalog *cat);
/** Cleanup form of lab_catalog_free. */
void lab_catalog_clear(struct lab_catalog **cat);
#define lab_auto_catalog IB_CLEANUP(lab_catalog_clear) struct lab_catalog *

/** Add a member: the whole bytes of a mum or of a plain (decompressed) manifest. The same bytes twice count once. */
void lab_catalog_add(struct lab_catalog *cat, const void *data, size_t len);

/**
 * Add a payload file. Programs are known by their Authenticode digest, others by that of their bytes.
 * @param path  "<keyform>\<file>", becomes the member's Hint attribute; copied
 */
void lab_catalog_add_file(struct lab_catalog *cat, const char *path, const void *data, size_t len);

/**
 * Encode, sign and time-stamp.
 *
 * @param signer  LAB_SIGNER_CATALOG or LAB_SIGNER_UNKNOWN
 * @param when    seconds since 1970, UTC: time of the list and of its time stamp;
 *                inside 2018-08-01 .. 2022-01-31, the signer's validity
 * @param ret     the .cat; owned by the caller (g_bytes_unref)
 */
bool lab_catalog_sign(const struct lab_catalog *cat, const struct lab_pki *pki, enum lab_signer signer,
		      int64_t when, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/** The same without a time stamp: nothing says that the signer, expired since, was valid then. */
bool lab_catalog_sign_unstamped(const struct lab_catalog *cat, const struct lab_pki *pki, enum lab_signer signer,
				int64_t when, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Sign a cabinet as Authenticode does: a reserved area in its header, SPC_INDIRECT_DATA in a PKCS#7 behind it, with a
 * time stamp.
 *
 * @param cab  one with no reserved area and nothing behind its end; borrowed
 * @param ret  owned by the caller (g_bytes_unref)
 */
bool lab_cabinet_sign(GBytes *cab, const struct lab_pki *pki, enum lab_signer signer, int64_t when, GBytes **ret,
		      struct ib_error **err) IB_MUST_CHECK;

#endif
