/* What the files of this module share. */
#ifndef IB_TRUST_INTERNAL_H
#define IB_TRUST_INTERNAL_H

#include "trust/trust.h"

#include <openssl/asn1.h>
#include <openssl/pem.h> /* before cms.h, which declares its PEM functions only then */

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

typedef STACK_OF(X509) ib_x509_stack;

/* Owned and duplicate-free; see anchors.c. */
struct ib_anchors {
	X509_STORE *store;
	GHashTable *known; /* SHA-256 of each certificate, hex */
	int64_t now;
};

struct ib_catalog {
	char *name;
	PKCS7 *p7;             /* the whole file, decoded */
	const uint8_t *list;   /* the trust list's octets without tag and length, inside p7 */
	size_t list_size;
	GArray *members;       /* struct ib_catalog_member, sorted, each once */
	GHashTable *attributes; /* name -> value */
	int64_t time;
};

/* The last reason OpenSSL gave, its queue emptied; borrowed, static. */
const char *ib_ossl_reason(void);

/* RFC 2253 text of a name in UTF-8; owned by the caller (g_free). */
char *ib_name_text(const X509_NAME *name);

/* Seconds since 1970, or false. */
bool ib_time_read(const ASN1_TIME *t, int64_t *ret);

/* The digests we accept in signatures; NULL for MD5 and unknown ones. */
const EVP_MD *ib_signature_digest(const X509_ALGOR *algorithm);

/* PEM certificates of a text, at least one; owned by the caller. */
bool ib_certs_read(const void *data, size_t len, const char *name, ib_x509_stack **ret, struct ib_error **err)
	IB_MUST_CHECK;
void ib_certs_free(ib_x509_stack **certs);
#define ib_auto_certs IB_CLEANUP(ib_certs_free) ib_x509_stack *

/* A chain to be built; all borrowed. */
struct ib_chain_request {
	const char *what;             /* "the signer of 'x.cat'", for messages */
	X509 *cert;
	ib_x509_stack *others;        /* untrusted certificates that may help; may be NULL */
	const struct ib_anchors *anchors;
	int64_t time;
	bool stamped;                 /* time is proven, for messages */
	const char *const *purposes;  /* OIDs of which every certificate below the anchor that names any must name
					 one, and the signer must; NULL: any */
};

/* Build and judge a chain. @param ret_chain signer first, anchor last; may be NULL */
bool ib_chain_verify(const struct ib_chain_request *r, ib_x509_stack **ret_chain, struct ib_error **err) IB_MUST_CHECK;

/* Fill the names of a signer from its chain. */
void ib_signer_names(struct ib_signer *s, ib_x509_stack *chain);

/* What a time stamp is checked against; all borrowed. */
struct ib_stamp_request {
	const char *what;               /* of the signed file, for messages */
	const uint8_t *signature;       /* the stamped octets */
	size_t signature_size;
	ib_x509_stack *others;          /* certificates of the signature, may be NULL */
	const struct ib_anchors *anchors; /* NULL: the stamper's chain is not judged */
};

/* Verify an RFC 3161 token. @param ret_stamper name, owned by the caller; both outputs may be NULL */
bool ib_token_verify(const struct ib_stamp_request *r, const uint8_t *token, size_t len, int64_t *ret_time,
		     char **ret_stamper, struct ib_error **err) IB_MUST_CHECK;

/* Verify a PKCS#9 counter signature. */
bool ib_countersignature_verify(const struct ib_stamp_request *r, const uint8_t *info, size_t len, int64_t *ret_time,
				char **ret_stamper, struct ib_error **err) IB_MUST_CHECK;

/* What a PKCS#7 signer signed; all borrowed. */
struct ib_signed_content {
	const char *what;        /* for messages */
	const uint8_t *data;
	size_t size;
	const ASN1_OBJECT *type; /* what the contentType attribute must say; NULL: anything */
};

/*
 * Verify one PKCS#7 signer: messageDigest, contentType, and the signature over the signed attributes.
 * @param ret_cert  the signer's certificate; borrowed from certs
 */
bool ib_signer_info_verify(PKCS7_SIGNER_INFO *si, ib_x509_stack *certs, const struct ib_signed_content *content,
			   X509 **ret_cert, struct ib_error **err) IB_MUST_CHECK;

/* A PKCS#7 signature around a SEQUENCE, as catalogs and Authenticode have; all borrowed. */
struct ib_signed_list {
	const char *name;     /* of the file, for messages */
	const char *kind;     /* "a catalog", for messages */
	PKCS7 *p7;
	const uint8_t *list;  /* the content's octets without tag and length: what the digest is over */
	size_t list_size;
};

/*
 * Find the content of a type in a PKCS#7: its octets with and without tag and length.
 * @param what  what is missing else ("certificate trust list"), for messages
 */
bool ib_signed_list_find(struct ib_signed_list *l, const char *oid, const char *what, const uint8_t **ret_der,
			 size_t *ret_size, struct ib_error **err) IB_MUST_CHECK;

/* The one signer of it: signature, time stamp, chain, purpose (system component or code signing). */
bool ib_signed_list_verify(const struct ib_signed_list *l, const struct ib_anchors *anchors, struct ib_signer *ret,
			   struct ib_error **err) IB_MUST_CHECK;

/* The digest in indirect data (SPC_INDIRECT_DATA), when it is of a kind we accept. */
bool ib_indirect_digest(const ASN1_TYPE *value, struct ib_catalog_member *ret);

/* ---- keys ---- */

struct ib_signing_key {
	EVP_PKEY *pkey;
	ib_x509_stack *certs; /* signer's first */
	void *engine;         /* of pkcs11.c, or NULL */
	char *name;           /* file or URI without secrets, for messages */
};

/* Call the source's callback; an error when there is none. @param ret wipe with ib_secret_free() */
bool ib_secret_ask(const struct ib_signing_key_source *source, const char *what, char **ret, struct ib_error **err)
	IB_MUST_CHECK;
void ib_secret_free(char **secret);

/* A key in a token. @param ret_engine keeps the token open; ib_pkcs11_close() */
bool ib_pkcs11_load(const struct ib_signing_key_source *source, const char *name, EVP_PKEY **ret, void **ret_engine,
		    struct ib_error **err) IB_MUST_CHECK;
void ib_pkcs11_close(void *engine);

#endif
