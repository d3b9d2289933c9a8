#include "trust/internal.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* Most bytes of a file of certificates, and most certificates in it: a whole system's bundle fits. */
#define CERTS_MAX (4u << 20)
#define CERTS_COUNT_MAX 1000
/* Longest chain: real ones have three to five. */
#define CHAIN_MAX 10

const char *ib_ossl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "no reason given";
}

char *ib_name_text(const X509_NAME *name)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *data;

	X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	long n = BIO_get_mem_data(out, &data);
	g_autofree char *text = g_strndup(n > 0 ? data : "", n > 0 ? (gsize)n : 0);
	BIO_free(out);
	return g_utf8_make_valid(text, -1);
}

bool ib_time_read(const ASN1_TIME *t, int64_t *ret)
{
	struct tm tm;

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*ret = (int64_t)timegm(&tm);
	return true;
}

void ib_certs_free(ib_x509_stack **certs)
{
	sk_X509_pop_free(*certs, X509_free);
	*certs = NULL;
}

static bool read_pem(BIO *bio, const char *name, ib_x509_stack *certs, struct ib_error **err)
{
	X509 *x;

	while (sk_X509_num(certs) < CERTS_COUNT_MAX && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		sk_X509_push(certs, x);
	/* The end of the file is an error to OpenSSL too. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return ib_throw(err, IB_ERR_INPUT, "certificate %d of '%s' cannot be read: %s", sk_X509_num(certs) + 1,
				name, ib_ossl_reason());
	ERR_clear_error();
	return true;
}

bool ib_certs_read(const void *data, size_t len, const char *name, ib_x509_stack **ret, struct ib_error **err)
{
	if (len > CERTS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, a file of certificates may have %u", name, len,
				CERTS_MAX);
	ib_auto_certs certs = sk_X509_new_null();
	if (g_strstr_len(data, (gssize)len, "-----BEGIN")) {
		BIO *bio = BIO_new_mem_buf(data, (int)len);
		bool ok = read_pem(bio, name, certs, err);
		BIO_free(bio);
		if (!ok)
			return false;
	} else {
		const unsigned char *p = data;
		X509 *x = d2i_X509(NULL, &p, (long)len);
		if (x)
			sk_X509_push(certs, x);
		ERR_clear_error();
	}
	if (sk_X509_num(certs) == 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds no certificate, neither PEM nor DER", name);
	*ret = g_steal_pointer(&certs);
	return true;
}

struct ib_anchors *ib_anchors_new(int64_t now)
{
	struct ib_anchors *a = g_new0(struct ib_anchors, 1);

	a->store = X509_STORE_new();
	a->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	a->now = now;
	return a;
}

void ib_anchors_free(struct ib_anchors *a)
{
	if (!a)
		return;
	X509_STORE_free(a->store);
	g_hash_table_unref(a->known);
	g_free(a);
}

void ib_anchors_clear(struct ib_anchors **a)
{
	ib_anchors_free(*a);
	*a = NULL;
}

bool ib_anchors_add(struct ib_anchors *a, const void *data, size_t len, const char *name, struct ib_error **err)
{
	ib_auto_certs certs = NULL;

	if (!ib_certs_read(data, len, name, &certs, err))
		return ib_while(err, "reading trust anchors");
	for (int i = 0; i < sk_X509_num(certs); i++) {
		uint8_t digest[EVP_MAX_MD_SIZE];
		unsigned size = 0;
		X509_digest(sk_X509_value(certs, i), EVP_sha256(), digest, &size);
		if (g_hash_table_add(a->known, ib_hex(digest, size)))
			X509_STORE_add_cert(a->store, sk_X509_value(certs, i));
	}
	return true;
}

bool ib_anchors_add_file(struct ib_anchors *a, const char *path, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	gsize len;

	if (!ib_file_read(path, CERTS_MAX, &bytes, err))
		return ib_while(err, "reading trust anchors");
	const void *data = g_bytes_get_data(bytes, &len);
	return ib_anchors_add(a, data, len, path, err);
}

size_t ib_anchors_count(const struct ib_anchors *a)
{
	return g_hash_table_size(a->known);
}

/* ---- chains ---- */

/* The topmost certificate the file brings on the way up from cert; borrowed. */
static X509 *topmost(X509 *cert, ib_x509_stack *others)
{
	for (int depth = 0; depth < CHAIN_MAX; depth++) {
		X509 *up = NULL;
		for (int i = 0; i < sk_X509_num(others) && !up; i++)
			if (X509_check_issued(sk_X509_value(others, i), cert) == X509_V_OK)
				up = sk_X509_value(others, i);
		if (!up || up == cert)
			break;
		cert = up;
	}
	return cert;
}

static bool throw_chain(const struct ib_chain_request *r, X509_STORE_CTX *ctx, struct ib_error **err)
{
	int code = X509_STORE_CTX_get_error(ctx);
	X509 *at = X509_STORE_CTX_get_current_cert(ctx);
	g_autofree char *signer = ib_name_text(X509_get_subject_name(r->cert));
	g_autofree char *bad = ib_name_text(X509_get_subject_name(at ? at : r->cert));
	g_autofree char *when = ib_time_text(r->time);
	X509 *top = topmost(r->cert, r->others);
	g_autofree char *top_issuer = ib_name_text(X509_get_issuer_name(top));
	g_autofree char *top_subject = ib_name_text(X509_get_subject_name(top));

	ERR_clear_error();
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		ib_throw(err, IB_ERR_VERIFY, "%s: the certificate of '%s' had expired on %s%s", r->what, bad, when,
			 r->stamped ? "" : ", and no time stamp proves an earlier signature");
		return false;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return ib_throw(err, IB_ERR_VERIFY, "%s: the certificate of '%s' was not valid yet on %s", r->what, bad,
				when);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		ib_throw(err, IB_ERR_VERIFY, "%s, '%s', is not known: no trust anchor is above it", r->what, signer);
		return ib_hint(err, "if you trust it, name the certificate of '%s' or of '%s' as trust anchor (--trust FILE, or [updates] trust)",
			       top_issuer, top_subject);
	default:
		return ib_throw(err, IB_ERR_VERIFY, "%s: the chain of '%s' is not valid at '%s': %s", r->what, signer,
				bad, X509_verify_cert_error_string(code));
	}
}

/* Whether a certificate names one of the purposes; one that names none at all gives `absent`. */
static bool has_purpose(X509 *x, const char *const *purposes, bool absent)
{
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
	bool found = false;

	if (!eku)
		return absent;
	for (int i = 0; i < sk_ASN1_OBJECT_num(eku) && !found; i++) {
		char oid[80];
		OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(eku, i), 1);
		found = g_strv_contains(purposes, oid);
	}
	EXTENDED_KEY_USAGE_free(eku);
	return found;
}

static bool check_purposes(const struct ib_chain_request *r, ib_x509_stack *chain, struct ib_error **err)
{
	int n = sk_X509_num(chain);

	for (int i = 0; r->purposes && i < n; i++) {
		/* The anchor was named by the user: only the signer itself must always have the purpose. */
		if (i > 0 && i == n - 1)
			continue;
		X509 *x = sk_X509_value(chain, i);
		if (has_purpose(x, r->purposes, i > 0))
			continue;
		g_autofree char *name = ib_name_text(X509_get_subject_name(x));
		g_autofree char *list = g_strjoinv(" or ", (char **)r->purposes);
		return ib_throw(err, IB_ERR_VERIFY,
				"%s: the certificate of '%s' is not meant for this (needs key usage %s)",
				r->what, name, list);
	}
	return true;
}

bool ib_chain_verify(const struct ib_chain_request *r, ib_x509_stack **ret_chain, struct ib_error **err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	if (!ctx || X509_STORE_CTX_init(ctx, r->anchors->store, r->cert, r->others) != 1) {
		X509_STORE_CTX_free(ctx);
		return ib_throw(err, IB_ERR_FAILED, "%s: OpenSSL cannot build a chain: %s", r->what, ib_ossl_reason());
	}
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_MAX);
	X509_VERIFY_PARAM_set_time(param, (time_t)r->time);
	bool ok = X509_verify_cert(ctx) == 1;
	if (!ok)
		throw_chain(r, ctx, err);
	ok = ok && check_purposes(r, X509_STORE_CTX_get0_chain(ctx), err);
	if (ok && ret_chain)
		*ret_chain = X509_STORE_CTX_get1_chain(ctx);
	X509_STORE_CTX_free(ctx);
	return ok;
}

void ib_signer_names(struct ib_signer *s, ib_x509_stack *chain)
{
	X509 *cert = sk_X509_value(chain, 0);

	s->subject = ib_name_text(X509_get_subject_name(cert));
	s->issuer = ib_name_text(X509_get_issuer_name(cert));
	s->anchor = ib_name_text(X509_get_subject_name(sk_X509_value(chain, sk_X509_num(chain) - 1)));
}

void ib_signer_fini(struct ib_signer *s)
{
	g_free(s->subject);
	g_free(s->issuer);
	g_free(s->anchor);
	g_free(s->stamper);
	memset(s, 0, sizeof(*s));
}
