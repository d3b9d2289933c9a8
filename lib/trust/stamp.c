/* Signatures of PKCS#7 signers, time stamp tokens (RFC 3161) and counter signatures (PKCS#9). */
#include "trust/internal.h"

#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ts.h>

static const char *const stamping[] = { "1.3.6.1.5.5.7.3.8", NULL };

const EVP_MD *ib_signature_digest(const X509_ALGOR *algorithm)
{
	switch (OBJ_obj2nid(algorithm->algorithm)) {
	case NID_sha1:
		return EVP_sha1();
	case NID_sha256:
		return EVP_sha256();
	case NID_sha384:
		return EVP_sha384();
	case NID_sha512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* ---- one PKCS#7 signer ---- */

static X509 *find_cert(ib_x509_stack *certs, const PKCS7_ISSUER_AND_SERIAL *id)
{
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *x = sk_X509_value(certs, i);
		if (X509_NAME_cmp(X509_get_issuer_name(x), id->issuer) == 0 &&
		    ASN1_INTEGER_cmp(X509_get0_serialNumber(x), id->serial) == 0)
			return x;
	}
	return NULL;
}

static bool check_content(PKCS7_SIGNER_INFO *si, const EVP_MD *md, const struct ib_signed_content *c,
			  struct ib_error **err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	const ASN1_OCTET_STRING *claimed = PKCS7_digest_from_attributes(si->auth_attr);

	if (!claimed)
		return ib_throw(err, IB_ERR_VERIFY, "%s: the signature names no digest of what it signs", c->what);
	if (EVP_Digest(c->data, c->size, digest, &size, md, NULL) != 1)
		return ib_throw(err, IB_ERR_FAILED, "%s: cannot digest: %s", c->what, ib_ossl_reason());
	if (ASN1_STRING_length(claimed) != (int)size || memcmp(ASN1_STRING_get0_data(claimed), digest, size) != 0)
		return ib_throw(err, IB_ERR_VERIFY, "%s: the content was changed after it was signed", c->what);
	if (!c->type)
		return true;
	const ASN1_TYPE *said = PKCS7_get_signed_attribute(si, NID_pkcs9_contentType);
	if (!said || said->type != V_ASN1_OBJECT || OBJ_cmp(said->value.object, c->type) != 0)
		return ib_throw(err, IB_ERR_VERIFY, "%s: the signature is over another kind of content", c->what);
	return true;
}

/* What was signed are the attributes as a SET, not with the [0] they are stored with. */
static bool check_attributes_signature(PKCS7_SIGNER_INFO *si, const EVP_MD *md, X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	unsigned char *der = NULL;
	int n = ASN1_item_i2d((const ASN1_VALUE *)si->auth_attr, &der, ASN1_ITEM_rptr(PKCS7_ATTR_VERIFY));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && n > 0 && ctx && (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "EC")) &&
		  EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, si->enc_digest->data, (size_t)si->enc_digest->length, der, (size_t)n) == 1;

	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	return ok;
}

bool ib_signer_info_verify(PKCS7_SIGNER_INFO *si, ib_x509_stack *certs, const struct ib_signed_content *content,
			   X509 **ret_cert, struct ib_error **err)
{
	const EVP_MD *md = ib_signature_digest(si->digest_alg);
	X509 *cert = find_cert(certs, si->issuer_and_serial);

	if (!md)
		return ib_throw(err, IB_ERR_VERIFY, "%s: the signature uses a digest that is not accepted",
				content->what);
	if (!cert) {
		g_autofree char *issuer = ib_name_text(si->issuer_and_serial->issuer);
		return ib_throw(err, IB_ERR_VERIFY, "%s: the signer's certificate, issued by '%s', is not in the file",
				content->what, issuer);
	}
	if (!check_content(si, md, content, err))
		return false;
	if (!check_attributes_signature(si, md, cert)) {
		g_autofree char *subject = ib_name_text(X509_get_subject_name(cert));
		return ib_throw(err, IB_ERR_VERIFY, "%s: the signature was not made with the key of '%s': %s",
				content->what, subject, ib_ossl_reason());
	}
	*ret_cert = cert;
	return true;
}

/* ---- RFC 3161 ---- */

/* ESSCertID and ESSCertIDv2 (RFC 5035) in one: version 1 never has an algorithm. */
typedef struct {
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *digest;
	ASN1_TYPE *issuer;
} CERT_ID;

DEFINE_STACK_OF(CERT_ID)

typedef struct {
	STACK_OF(CERT_ID) *ids;
	ASN1_TYPE *policies;
} CERT_IDS;

ASN1_SEQUENCE(CERT_ID) = {
	ASN1_OPT(CERT_ID, algorithm, X509_ALGOR),
	ASN1_SIMPLE(CERT_ID, digest, ASN1_OCTET_STRING),
	ASN1_OPT(CERT_ID, issuer, ASN1_ANY),
} static_ASN1_SEQUENCE_END(CERT_ID)

ASN1_SEQUENCE(CERT_IDS) = {
	ASN1_SEQUENCE_OF(CERT_IDS, ids, CERT_ID),
	ASN1_OPT(CERT_IDS, policies, ASN1_ANY),
} static_ASN1_SEQUENCE_END(CERT_IDS)

static bool stamper_chain(const struct ib_stamp_request *r, X509 *cert, ib_x509_stack *others, int64_t time,
			  char **ret_stamper, struct ib_error **err)
{
	g_autofree char *what = g_strdup_printf("the time stamp of %s", r->what);
	struct ib_chain_request chain = { .what = what, .cert = cert, .others = others, .anchors = r->anchors,
					  .time = time, .stamped = true, .purposes = stamping };

	if (!ib_chain_verify(&chain, NULL, err))
		return false;
	if (ret_stamper)
		*ret_stamper = ib_name_text(X509_get_subject_name(cert));
	return true;
}

/* Whether an ESS attribute, version 1 or 2, begins with the digest of the certificate. */
static bool names_certificate(CMS_SignerInfo *si, int nid, const EVP_MD *by_default, X509 *cert)
{
	const ASN1_STRING *s = CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(nid), -3, V_ASN1_SEQUENCE);
	const unsigned char *p = s ? ASN1_STRING_get0_data(s) : NULL;
	CERT_IDS *ids = s ? (CERT_IDS *)ASN1_item_d2i(NULL, &p, ASN1_STRING_length(s), ASN1_ITEM_rptr(CERT_IDS)) : NULL;
	const CERT_ID *id = ids ? sk_CERT_ID_value(ids->ids, 0) : NULL;
	const EVP_MD *md = id && id->algorithm ? ib_signature_digest(id->algorithm) : by_default;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	bool ok = id && md && X509_digest(cert, md, digest, &size) == 1 &&
		  ASN1_STRING_length(id->digest) == (int)size &&
		  memcmp(ASN1_STRING_get0_data(id->digest), digest, size) == 0;

	ASN1_item_free((ASN1_VALUE *)ids, ASN1_ITEM_rptr(CERT_IDS));
	return ok;
}

/*
 * The token must pin the certificate it was signed with (RFC 3161 2.4.2, RFC 5816). Only the first
 * identifier counts: Microsoft's tokens go on with one that is in no chain, which makes OpenSSL's
 * own check refuse them.
 */
static bool signing_certificate_matches(CMS_SignerInfo *si, X509 *cert)
{
	return names_certificate(si, NID_id_smime_aa_signingCertificateV2, EVP_sha256(), cert) ||
	       names_certificate(si, NID_id_smime_aa_signingCertificate, EVP_sha1(), cert);
}

/* Whether the token is over the signature's octets. */
static bool imprint_matches(TS_TST_INFO *info, const struct ib_stamp_request *r)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
	const EVP_MD *md = ib_signature_digest(TS_MSG_IMPRINT_get_algo(imprint));
	const ASN1_OCTET_STRING *claimed = TS_MSG_IMPRINT_get_msg(imprint);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	return md && EVP_Digest(r->signature, r->signature_size, digest, &size, md, NULL) == 1 &&
	       ASN1_STRING_length(claimed) == (int)size && memcmp(ASN1_STRING_get0_data(claimed), digest, size) == 0;
}

static bool check_token_info(CMS_ContentInfo *cms, const struct ib_stamp_request *r, int64_t *ret_time,
			     struct ib_error **err)
{
	ASN1_OCTET_STRING **content = CMS_get0_content(cms);
	const unsigned char *p = content && *content ? ASN1_STRING_get0_data(*content) : NULL;
	TS_TST_INFO *info = p ? d2i_TS_TST_INFO(NULL, &p, ASN1_STRING_length(*content)) : NULL;

	ERR_clear_error();
	if (!info || OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_id_smime_ct_TSTInfo) {
		TS_TST_INFO_free(info);
		return ib_throw(err, IB_ERR_INPUT, "the time stamp of %s holds no time stamp information", r->what);
	}
	bool timed = ib_time_read(TS_TST_INFO_get_time(info), ret_time);
	bool ours = imprint_matches(info, r);
	TS_TST_INFO_free(info);
	if (!timed)
		return ib_throw(err, IB_ERR_INPUT, "the time stamp of %s has no readable time", r->what);
	if (!ours)
		return ib_throw(err, IB_ERR_VERIFY, "the time stamp of %s is over another signature", r->what);
	return true;
}

static bool check_token(CMS_ContentInfo *cms, const struct ib_stamp_request *r, ib_x509_stack *others,
			int64_t *ret_time, char **ret_stamper, struct ib_error **err)
{
	X509 *cert = NULL;

	if (!check_token_info(cms, r, ret_time, err))
		return false;
	if (sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) != 1)
		return ib_throw(err, IB_ERR_VERIFY, "the time stamp of %s has not exactly one signer", r->what);
	if (CMS_verify(cms, others, NULL, NULL, NULL, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) != 1)
		return ib_throw(err, IB_ERR_VERIFY, "the time stamp of %s is not correctly signed: %s", r->what,
				ib_ossl_reason());
	CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
	X509_ALGOR *digest = NULL;
	CMS_SignerInfo_get0_algs(si, NULL, &cert, &digest, NULL);
	if (!digest || !ib_signature_digest(digest))
		return ib_throw(err, IB_ERR_VERIFY, "the time stamp of %s uses a digest that is not accepted", r->what);
	if (!signing_certificate_matches(si, cert))
		return ib_throw(err, IB_ERR_VERIFY,
				"the time stamp of %s does not name the certificate it was signed with",
				r->what);
	/* Without anchors the chain is judged later. */
	return !r->anchors || stamper_chain(r, cert, others, *ret_time, ret_stamper, err);
}

bool ib_token_verify(const struct ib_stamp_request *r, const uint8_t *token, size_t len, int64_t *ret_time,
		     char **ret_stamper, struct ib_error **err)
{
	const unsigned char *p = token;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)len);
	int64_t time = 0;

	if (!cms || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed) {
		CMS_ContentInfo_free(cms);
		return ib_throw(err, IB_ERR_INPUT, "the time stamp of %s is malformed: %s", r->what, ib_ossl_reason());
	}
	ib_auto_certs others = CMS_get1_certs(cms);
	if (!others)
		others = sk_X509_new_null();
	for (int i = 0; i < sk_X509_num(r->others); i++)
		X509_add_cert(others, sk_X509_value(r->others, i), X509_ADD_FLAG_UP_REF);
	bool ok = check_token(cms, r, others, &time, ret_stamper, err);
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	if (ok && ret_time)
		*ret_time = time;
	return ok;
}

/* ---- PKCS#9 ---- */

bool ib_countersignature_verify(const struct ib_stamp_request *r, const uint8_t *info, size_t len, int64_t *ret_time,
				char **ret_stamper, struct ib_error **err)
{
	const unsigned char *p = info;
	PKCS7_SIGNER_INFO *si = d2i_PKCS7_SIGNER_INFO(NULL, &p, (long)len);
	g_autofree char *what = g_strdup_printf("the counter signature of %s", r->what);
	X509 *cert = NULL;

	if (!si)
		return ib_throw(err, IB_ERR_INPUT, "%s is malformed: %s", what, ib_ossl_reason());
	struct ib_signed_content content = { .what = what, .data = r->signature, .size = r->signature_size };
	bool ok = ib_signer_info_verify(si, r->others, &content, &cert, err);
	if (ok) {
		const ASN1_TYPE *t = PKCS7_get_signed_attribute(si, NID_pkcs9_signingTime);
		bool time = t && (t->type == V_ASN1_UTCTIME || t->type == V_ASN1_GENERALIZEDTIME);
		ok = (time && ib_time_read(t->value.asn1_string, ret_time)) ||
		     ib_throw(err, IB_ERR_INPUT, "%s has no readable time", what);
	}
	ok = ok && stamper_chain(r, cert, r->others, *ret_time, ret_stamper, err);
	PKCS7_SIGNER_INFO_free(si);
	return ok;
}
