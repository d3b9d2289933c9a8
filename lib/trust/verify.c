/* The verdict on a signed list: a catalog, the digest of a cabinet. */
#include "trust/internal.h"

#include <string.h>

#include <openssl/err.h>

#define OID_RFC3161 "1.3.6.1.4.1.311.3.3.1"

/* Windows system component verification, code signing. */
static const char *const purposes[] = { "1.3.6.1.4.1.311.10.3.6", "1.3.6.1.5.5.7.3.3", NULL };

/* The first value of an unsigned attribute, or NULL. OID_RFC3161 has no number in OpenSSL. */
static const ASN1_TYPE *unsigned_attribute(const PKCS7_SIGNER_INFO *si, const char *oid)
{
	for (int i = 0; i < sk_X509_ATTRIBUTE_num(si->unauth_attr); i++) {
		X509_ATTRIBUTE *a = sk_X509_ATTRIBUTE_value(si->unauth_attr, i);
		char text[80];
		if (OBJ_obj2txt(text, sizeof(text), X509_ATTRIBUTE_get0_object(a), 1) > 0 && strcmp(text, oid) == 0)
			return X509_ATTRIBUTE_get0_type(a, 0);
	}
	return NULL;
}

/* Find out when it was signed: from a stamp, or from nothing. */
static bool prove_time(const struct ib_stamp_request *r, const PKCS7_SIGNER_INFO *si, struct ib_signer *s,
		       struct ib_error **err)
{
	const ASN1_TYPE *token = unsigned_attribute(si, OID_RFC3161);
	const ASN1_TYPE *counter = unsigned_attribute(si, "1.2.840.113549.1.9.6");
	const ASN1_TYPE *value = token ? token : counter;

	s->time = r->anchors->now;
	if (!value)
		return true;
	if (value->type != V_ASN1_SEQUENCE)
		return ib_throw(err, IB_ERR_INPUT, "the time stamp of %s is malformed", r->what);
	const ASN1_STRING *der = value->value.sequence;
	s->stamp = token ? IB_STAMP_RFC3161 : IB_STAMP_COUNTERSIGNATURE;
	if (token)
		return ib_token_verify(r, der->data, (size_t)der->length, &s->time, &s->stamper, err);
	return ib_countersignature_verify(r, der->data, (size_t)der->length, &s->time, &s->stamper, err);
}

static bool verify_signer(const struct ib_signed_list *c, const struct ib_anchors *anchors, PKCS7_SIGNER_INFO *si,
			  struct ib_signer *s, struct ib_error **err)
{
	ib_x509_stack *certs = c->p7->d.sign->cert;
	g_autofree char *what = g_strdup_printf("'%s'", c->name);
	g_autofree char *who = g_strdup_printf("the signer of '%s'", c->name);
	ib_auto_certs chain = NULL;
	X509 *cert = NULL;

	struct ib_signed_content content = { .what = what, .data = c->list, .size = c->list_size,
					     .type = c->p7->d.sign->contents->type };
	if (!ib_signer_info_verify(si, certs, &content, &cert, err))
		return false;
	struct ib_stamp_request stamp = { .what = what, .signature = si->enc_digest->data,
					  .signature_size = (size_t)si->enc_digest->length, .others = certs,
					  .anchors = anchors };
	if (!prove_time(&stamp, si, s, err))
		return false;
	struct ib_chain_request r = { .what = who, .cert = cert, .others = certs, .anchors = anchors, .time = s->time,
				      .stamped = s->stamp != IB_STAMP_NONE, .purposes = purposes };
	if (!ib_chain_verify(&r, &chain, err))
		return false;
	const ASN1_TYPE *said = PKCS7_get_signed_attribute(si, NID_pkcs9_signingTime);
	if (said && (said->type == V_ASN1_UTCTIME || said->type == V_ASN1_GENERALIZEDTIME))
		(void)ib_time_read(said->value.asn1_string, &s->claimed_time);
	s->sha1 = OBJ_obj2nid(si->digest_alg->algorithm) == NID_sha1;
	ib_signer_names(s, chain);
	return true;
}

bool ib_signed_list_verify(const struct ib_signed_list *l, const struct ib_anchors *anchors, struct ib_signer *ret,
			   struct ib_error **err)
{
	STACK_OF(PKCS7_SIGNER_INFO) *signers = PKCS7_get_signer_info(l->p7);
	int n = sk_PKCS7_SIGNER_INFO_num(signers);
	ib_auto_signer s = { 0 };

	if (n <= 0)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' is not signed", l->name);
	if (n > 1)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' has %d signers, %s has one", l->name, n, l->kind);
	bool ok = verify_signer(l, anchors, sk_PKCS7_SIGNER_INFO_value(signers, 0), &s, err);
	ERR_clear_error();
	if (!ok)
		return false;
	*ret = s;
	memset(&s, 0, sizeof(s));
	return true;
}

bool ib_catalog_verify(const struct ib_catalog *c, const struct ib_anchors *anchors, struct ib_catalog_verdict *ret,
		       struct ib_error **err)
{
	const struct ib_signed_list l = { .name = c->name, .kind = "a catalog", .p7 = c->p7, .list = c->list,
					  .list_size = c->list_size };
	struct ib_signer s = { 0 };

	if (!ib_signed_list_verify(&l, anchors, &s, err))
		return false;
	ret->signer = s;
	ret->members = c->members->len;
	return true;
}

void ib_catalog_verdict_fini(struct ib_catalog_verdict *v)
{
	ib_signer_fini(&v->signer);
	v->members = 0;
}
