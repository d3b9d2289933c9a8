/**
 * imglab/certs: the laboratory's certificates.
 *
 * These are test keys, made on the spot from a public seed: anybody can compute
 * them. They show how catalogs and deliveries are signed; they are not a PKI to
 * copy, and nothing outside a laboratory may ever trust them.
 *
 * Same seed, same keys, same certificates, same signatures: primes come from
 * SHA-256 of the seed and RSA PKCS#1 v1.5 has no random part.
 *
 * Chains (validity):
 *
 *     lab root (2010-2099)
 *      +- production PCA (2011-2026) - catalog signer (2018-2022, long expired)
 *      +- time-stamp PCA (2010-2099) - TSA (2018-2099)
 *      +- delivery CA (2018-2099)    - image signing (2018-2099)
 *     unknown root (2010-2099) - unknown catalog signer (2018-2022)
 *
 * As with Microsoft's catalogs, the signer has expired: a catalog is valid only
 * when it is judged at the time in its time stamp.
 */
#ifndef IMGLAB_CERTS_H
#define IMGLAB_CERTS_H

#include "base/base.h"

/** Who can sign. */
enum lab_signer {
	LAB_SIGNER_CATALOG, /**< lab catalog signer, chains to the lab root */
	LAB_SIGNER_UNKNOWN, /**< catalog signer of a root nobody was told about */
	LAB_SIGNER_TSA,     /**< lab time-stamp authority */
	LAB_SIGNER_IMAGE,   /**< signs deliveries */
};

struct lab_pki;

/**
 * Make all keys and certificates (about a second).
 * @param seed  same seed, same bytes
 * @param ret   owned by the caller (lab_pki_free)
 * Throws IB_ERR_FAILED when OpenSSL refuses.
 */
bool lab_pki_new(uint64_t seed, struct lab_pki **ret, struct ib_error **err) IB_MUST_CHECK;

/** Free; NULL is fine. */
void lab_pki_free(struct lab_pki *pki);
/** Cleanup form of lab_pki_free. */
void lab_pki_clear(struct lab_pki **pki);
#define lab_auto_pki IB_CLEANUP(lab_pki_clear) struct lab_pki *

/**
 * RSA PKCS#1 v1.5 signature with SHA-256 over data.
 * @param ret  owned by the caller (g_bytes_unref)
 */
bool lab_pki_sign(const struct lab_pki *pki, enum lab_signer signer, const void *data, size_t len,
		  GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * The DER certificates of a signer, leaf first, root left out.
 * @return array of GBytes; owned by the caller (g_ptr_array_unref)
 */
GPtrArray *lab_pki_chain(const struct lab_pki *pki, enum lab_signer signer);

/** DER of the issuer name of the signer's certificate; owned by the caller (g_bytes_unref). */
GBytes *lab_pki_issuer(const struct lab_pki *pki, enum lab_signer signer);

/** DER INTEGER (with tag) of the serial number; owned by the caller (g_bytes_unref). */
GBytes *lab_pki_serial(const struct lab_pki *pki, enum lab_signer signer);

/** DER of the subject name of the signer's certificate; owned by the caller (g_bytes_unref). */
GBytes *lab_pki_subject(const struct lab_pki *pki, enum lab_signer signer);

/**
 * Write the PEM files: lab-root.pem, unknown-root.pem, catalog-signer.pem (chain),
 * tsa.pem (chain), tsa.key, image-signing.pem (chain), image-signing.key. Keys have
 * mode 0600. The folder is made when missing.
 */
bool lab_pki_write(const struct lab_pki *pki, const char *dir, struct ib_error **err) IB_MUST_CHECK;

/** `imglab certs -o DIR`: lab_pki_new and lab_pki_write. */
bool lab_certs_write(uint64_t seed, const char *dir, struct ib_error **err) IB_MUST_CHECK;

#endif
