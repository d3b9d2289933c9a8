/* Detached CMS signatures. */
#include "trust/internal.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ts.h>

/* Most bytes of a signature: two chains and a time stamp stay below 64 KiB. */
#define SIGNATURE_MAX (4u << 20)

static void cms_clear(CMS_ContentInfo **cms)
{
	CMS_ContentInfo_free(*cms);
	*cms = NULL;
}
#define auto_cms IB_CLEANUP(cms_clear) CMS_ContentInfo *

static void bio_clear(BIO **bio)
{
	BIO_free(*bio);
	*bio = NULL;
}
#define auto_bio IB_CLEANUP(bio_clear) BIO *

static BIO *content_bio(const void *data, size_t len)
{
	return BIO_new_mem_buf(len ? data : "", (int)len); /* NULL is refused even when nothing is there */
}

static bool check_content_size(size_t len, struct ib_error **err)
{
	if (len > IB_CMS_CONTENT_MAX)
		return ib_throw(err, IB_ERR_INPUT,
				"content of %zu bytes cannot be signed, at most %u: sign a list of digests",
				len, IB_CMS_CONTENT_MAX);
	return true;
}

static GBytes *encode(CMS_ContentInfo *cms)
{
	unsigned char *der = NULL;
	int n = i2d_CMS_ContentInfo(cms, &der);
	GBytes *bytes = n > 0 ? g_bytes_new(der, (gsize)n) : NULL;

	OPENSSL_free(der);
	return bytes;
}

/* A detached signature with exactly one signer. */
static bool decode(GBytes *sig, CMS_ContentInfo **ret, CMS_SignerInfo **ret_signer, struct ib_error **err)
{
	gsize len;
	const unsigned char *p = g_bytes_get_data(sig, &len);
	auto_cms cms = NULL;

	if (len > SIGNATURE_MAX)
		return ib_throw(err, IB_ERR_INPUT, "a CMS signature of %zu bytes, at most %u are accepted", len,
				SIGNATURE_MAX);
	if (len > 10 && memcmp(p, "-----BEGIN", 10) == 0) {
		auto_bio bio = BIO_new_mem_buf(p, (int)len);
		cms = PEM_read_bio_CMS(bio, NULL, NULL, NULL);
	} else {
		cms = d2i_CMS_ContentInfo(NULL, &p, (long)len);
	}
	if (!cms || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
		return ib_throw(err, IB_ERR_INPUT, "not a CMS signature: %s", ib_ossl_reason());
	ERR_clear_error();
	if (CMS_is_detached(cms) != 1)
		return ib_throw(err, IB_ERR_INPUT, "not a detached CMS signature: it holds its content itself");
	int n = sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms));
	if (n != 1)
		return ib_throw(err, IB_ERR_VERIFY, "the CMS message has %d signers, it must have one", MAX(n, 0));
	*ret_signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
	*ret = g_steal_pointer(&cms);
	return true;
}

/* ---- making ---- */

static bool add_signer(CMS_ContentInfo *cms, struct ib_signing_key *key, int64_t time)
{
	const unsigned flags = CMS_PARTIAL | CMS_BINARY | CMS_DETACHED | CMS_NOSMIMECAP | CMS_CADES;
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)time);
	CMS_SignerInfo *si = CMS_add1_signer(cms, sk_X509_value(key->certs, 0), key->pkey, EVP_sha256(), flags);
	bool ok = t && si && CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime, t->type, t, -1) == 1;

	for (int i = 1; ok && i < sk_X509_num(key->certs); i++)
		ok = CMS_add1_cert(cms, sk_X509_value(key->certs, i)) == 1;
	ASN1_TIME_free(t);
	return ok;
}

/* The signature must satisfy an outsider who trusts just this key's certificate. */
static bool check_own(GBytes *sig, const void *data, size_t len, const struct ib_signing_key *key, int64_t time,
		      struct ib_error **err)
{
	ib_auto_anchors self = ib_anchors_new(time);
	ib_auto_signer signer = { 0 };
	g_autofree char *pem = ib_signing_key_certificates(key);

	if (!ib_anchors_add(self, pem, strlen(pem), key->name, err) ||
	    !ib_cms_verify_detached(sig, data, len, self, &signer, err))
		return ib_while(err, "checking the signature just made with '%s'", key->name);
	return true;
}

bool ib_cms_sign_detached(struct ib_signing_key *key, const void *data, size_t len, int64_t time, GBytes **ret,
			  struct ib_error **err)
{
	if (!check_content_size(len, err))
		return false;
	auto_cms cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY | CMS_DETACHED);
	auto_bio content = content_bio(data, len);
	if (!cms || !content || !add_signer(cms, key, time) ||
	    CMS_final(cms, content, NULL, CMS_BINARY | CMS_DETACHED) != 1)
		return ib_throw(err, IB_ERR_SYSTEM, "the key '%s' refused to sign: %s", key->name, ib_ossl_reason());
	g_autoptr(GBytes) sig = encode(cms);
	if (!sig)
		return ib_throw(err, IB_ERR_FAILED, "the signature cannot be encoded: %s", ib_ossl_reason());
	if (!check_own(sig, data, len, key, time, err))
		return false;
	*ret = g_steal_pointer(&sig);
	return true;
}

/* ---- stamps ---- */

static GBytes *build_query(const uint8_t *digest)
{
	TS_REQ *req = TS_REQ_new();
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	unsigned char *der = NULL;
	int n = 0;

	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL);
	if (TS_MSG_IMPRINT_set_algo(imprint, algorithm) == 1 &&
	    TS_MSG_IMPRINT_set_msg(imprint, (unsigned char *)digest, IB_SHA256_SIZE) == 1 &&
	    TS_REQ_set_version(req, 1) == 1 && TS_REQ_set_msg_imprint(req, imprint) == 1 &&
	    TS_REQ_set_cert_req(req, 1) == 1)
		n = i2d_TS_REQ(req, &der);
	GBytes *bytes = n > 0 ? g_bytes_new(der, (gsize)n) : NULL;
	OPENSSL_free(der);
	X509_ALGOR_free(algorithm);
	TS_MSG_IMPRINT_free(imprint);
	TS_REQ_free(req);
	return bytes;
}

bool ib_cms_stamp_query(GBytes *sig, GBytes **ret, struct ib_error **err)
{
	auto_cms cms = NULL;
	CMS_SignerInfo *si;
	uint8_t digest[IB_SHA256_SIZE];

	if (!decode(sig, &cms, &si, err))
		return false;
	const ASN1_OCTET_STRING *value = CMS_SignerInfo_get0_signature(si);
	ib_digest_bytes(IB_DIGEST_SHA256, value->data, (size_t)value->length, digest);
	GBytes *query = build_query(digest);
	if (!query)
		return ib_throw(err, IB_ERR_FAILED, "the time stamp request cannot be encoded: %s", ib_ossl_reason());
	*ret = query;
	return true;
}

/* The token in an authority's response; the bytes themselves when they are no response. */
static bool unwrap_token(GBytes *given, GBytes **ret, struct ib_error **err)
{
	gsize len;
	const unsigned char *p = g_bytes_get_data(given, &len);

	if (len > SIGNATURE_MAX)
		return ib_throw(err, IB_ERR_INPUT, "a time stamp of %zu bytes, at most %u are accepted", len,
				SIGNATURE_MAX);
	TS_RESP *resp = d2i_TS_RESP(NULL, &p, (long)len);
	ERR_clear_error();
	if (!resp) {
		*ret = g_bytes_ref(given);
		return true;
	}
	long status = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(resp)));
	PKCS7 *token = TS_RESP_get_token(resp);
	unsigned char *der = NULL;
	bool granted = status == TS_STATUS_GRANTED || status == TS_STATUS_GRANTED_WITH_MODS;
	int n = token && granted ? i2d_PKCS7(token, &der) : 0;
	if (n > 0)
		*ret = g_bytes_new(der, (gsize)n);
	OPENSSL_free(der);
	TS_RESP_free(resp);
	return n > 0 || ib_throw(err, IB_ERR_INPUT, "the time stamp authority refused (status %ld)", status);
}

static bool has_stamp(CMS_SignerInfo *si)
{
	return CMS_unsigned_get_attr_by_NID(si, NID_id_smime_aa_timeStampToken, -1) >= 0;
}

bool ib_cms_stamp(GBytes *sig, GBytes *token, GBytes **ret, struct ib_error **err)
{
	auto_cms cms = NULL;
	CMS_SignerInfo *si;
	g_autoptr(GBytes) bare = NULL;
	gsize len;

	if (!decode(sig, &cms, &si, err) || !unwrap_token(token, &bare, err))
		return false;
	if (has_stamp(si))
		return ib_throw(err, IB_ERR_INPUT, "the signature has a time stamp already");
	const uint8_t *der = g_bytes_get_data(bare, &len);
	const ASN1_OCTET_STRING *value = CMS_SignerInfo_get0_signature(si);
	struct ib_stamp_request r = { .what = "the signature", .signature = value->data,
				      .signature_size = (size_t)value->length };
	if (!ib_token_verify(&r, der, len, NULL, NULL, err))
		return false;
	if (CMS_unsigned_add1_attr_by_NID(si, NID_id_smime_aa_timeStampToken, V_ASN1_SEQUENCE, der, (int)len) != 1)
		return ib_throw(err, IB_ERR_FAILED, "the time stamp cannot be attached: %s", ib_ossl_reason());
	GBytes *stamped = encode(cms);
	if (!stamped)
		return ib_throw(err, IB_ERR_FAILED, "the signature cannot be encoded: %s", ib_ossl_reason());
	*ret = stamped;
	return true;
}

/* ---- checking ---- */

static bool prove_time(CMS_SignerInfo *si, ib_x509_stack *certs, const struct ib_anchors *anchors, struct ib_signer *s,
		       struct ib_error **err)
{
	const ASN1_OCTET_STRING *value = CMS_SignerInfo_get0_signature(si);
	X509_ATTRIBUTE *a = has_stamp(si) ? CMS_unsigned_get_attr(si, CMS_unsigned_get_attr_by_NID(
							si, NID_id_smime_aa_timeStampToken, -1)) : NULL;
	const ASN1_TYPE *token = a ? X509_ATTRIBUTE_get0_type(a, 0) : NULL;

	s->time = anchors->now;
	if (!a)
		return true;
	if (!token || token->type != V_ASN1_SEQUENCE)
		return ib_throw(err, IB_ERR_INPUT, "the time stamp of the signature is malformed");
	struct ib_stamp_request r = { .what = "the signature", .signature = value->data,
				      .signature_size = (size_t)value->length, .others = certs, .anchors = anchors };
	s->stamp = IB_STAMP_RFC3161;
	return ib_token_verify(&r, token->value.sequence->data, (size_t)token->value.sequence->length, &s->time,
			       &s->stamper, err);
}

static bool verify_signer(CMS_SignerInfo *si, ib_x509_stack *certs, const struct ib_anchors *anchors,
			  struct ib_signer *s, struct ib_error **err)
{
	ib_auto_certs chain = NULL;
	X509 *cert = NULL;
	X509_ALGOR *digest = NULL;

	CMS_SignerInfo_get0_algs(si, NULL, &cert, &digest, NULL);
	if (!cert || !digest || !ib_signature_digest(digest))
		return ib_throw(err, IB_ERR_VERIFY, "the signature uses a digest that is not accepted");
	if (!prove_time(si, certs, anchors, s, err))
		return false;
	struct ib_chain_request r = { .what = "the signer", .cert = cert, .others = certs, .anchors = anchors,
				      .time = s->time, .stamped = s->stamp != IB_STAMP_NONE };
	if (!ib_chain_verify(&r, &chain, err))
		return false;
	int at = CMS_signed_get_attr_by_NID(si, NID_pkcs9_signingTime, -1);
	const ASN1_TYPE *said = at >= 0 ? X509_ATTRIBUTE_get0_type(CMS_signed_get_attr(si, at), 0) : NULL;
	if (said && (said->type == V_ASN1_UTCTIME || said->type == V_ASN1_GENERALIZEDTIME))
		(void)ib_time_read(said->value.asn1_string, &s->claimed_time);
	s->sha1 = OBJ_obj2nid(digest->algorithm) == NID_sha1;
	ib_signer_names(s, chain);
	return true;
}

static bool check_signature(CMS_ContentInfo *cms, const void *data, size_t len, struct ib_error **err)
{
	auto_bio content = content_bio(data, len);

	if (CMS_verify(cms, NULL, NULL, content, NULL, CMS_BINARY | CMS_DETACHED | CMS_NO_SIGNER_CERT_VERIFY) == 1)
		return true;
	if (ERR_GET_REASON(ERR_peek_last_error()) == CMS_R_CONTENT_VERIFY_ERROR) {
		ERR_clear_error();
		return ib_throw(err, IB_ERR_VERIFY, "the content was changed after it was signed");
	}
	return ib_throw(err, IB_ERR_VERIFY, "the signature is not valid: %s", ib_ossl_reason());
}

bool ib_cms_verify_detached(GBytes *sig, const void *data, size_t len, const struct ib_anchors *anchors,
			    struct ib_signer *ret, struct ib_error **err)
{
	auto_cms cms = NULL;
	CMS_SignerInfo *si = NULL;
	ib_auto_signer s = { 0 };

	if (!check_content_size(len, err) || !decode(sig, &cms, &si, err) || !check_signature(cms, data, len, err))
		return false;
	ib_auto_certs certs = CMS_get1_certs(cms);
	bool ok = verify_signer(si, certs, anchors, &s, err);
	ERR_clear_error();
	if (!ok)
		return false;
	*ret = s;
	memset(&s, 0, sizeof(s));
	return true;
}
