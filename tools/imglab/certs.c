#include "certs.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "digest/digest.h"

#include <string.h>

#define KEY_BITS 2048
#define PRIME_BYTES (KEY_BITS / 16)

enum cert_id { ROOT, PCA, CATALOG, TSPCA, TSA, DELIVERY, IMAGE, UNKNOWN_ROOT, UNKNOWN, CERTS };

struct cert_spec {
	const char *name;   /* common name; also the key's label */
	enum cert_id issuer;
	const char *from;   /* GeneralizedTime */
	const char *until;
	const char *usage;  /* key usage; NULL: none */
	const char *purpose; /* extended key usage; NULL: none */
	bool ca;
};

#define CA_USAGE "critical,digitalSignature,keyCertSign,cRLSign"
#define LEAF_USAGE "critical,digitalSignature"
/* Windows system component verification, code signing */
#define CATALOG_PURPOSE "1.3.6.1.4.1.311.10.3.6,codeSigning"

static const struct cert_spec specs[CERTS] = {
	[ROOT] = { "Imglab Test Root", ROOT, "20100623000000Z", "20991231235959Z", CA_USAGE, NULL, true },
	[PCA] = { "Imglab Test Production PCA 2011", ROOT, "20111019000000Z", "20261019000000Z", CA_USAGE, NULL, true },
	[CATALOG] = { "Imglab Test Windows", PCA, "20180701000000Z", "20220201000000Z", NULL, CATALOG_PURPOSE, false },
	[TSPCA] = { "Imglab Test Time-Stamp PCA 2010", ROOT, "20100701000000Z", "20991231235959Z", CA_USAGE, NULL,
		    true },
	[TSA] = { "Imglab Test Time-Stamp Service", TSPCA, "20180101000000Z", "20991231235959Z", LEAF_USAGE,
		  "critical,timeStamping", false },
	[DELIVERY] = { "Imglab Test Delivery CA", ROOT, "20180101000000Z", "20991231235959Z", CA_USAGE, NULL, true },
	[IMAGE] = { "Imglab Test Image Signing", DELIVERY, "20180101000000Z", "20991231235959Z", LEAF_USAGE,
		    "codeSigning,emailProtection", false },
	[UNKNOWN_ROOT] = { "Imglab Unknown Root", UNKNOWN_ROOT, "20100623000000Z", "20991231235959Z", CA_USAGE, NULL,
			   true },
	[UNKNOWN] = { "Imglab Unknown Publisher", UNKNOWN_ROOT, "20180701000000Z", "20220201000000Z", NULL,
		      CATALOG_PURPOSE, false },
};

struct lab_pki {
	uint64_t seed;
	EVP_PKEY *keys[CERTS];
	X509 *certs[CERTS];
};

static const enum cert_id leaf_of[] = {
	[LAB_SIGNER_CATALOG] = CATALOG,
	[LAB_SIGNER_UNKNOWN] = UNKNOWN,
	[LAB_SIGNER_TSA] = TSA,
	[LAB_SIGNER_IMAGE] = IMAGE,
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIGNUM, BN_clear_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BN_CTX, BN_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_PARAM, OSSL_PARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)

static bool throw_openssl(struct ib_error **err, const char *what)
{
	char text[160];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	return ib_throw(err, IB_ERR_FAILED, "OpenSSL cannot %s: %s", what, text);
}

/* Bytes that depend on seed, label and role only. */
static void derive(uint64_t seed, const char *label, const char *role, uint8_t *ret, size_t len)
{
	uint8_t digest[IB_SHA256_SIZE];

	for (size_t at = 0, block = 0; at < len; at += sizeof(digest), block++) {
		g_autofree char *text = g_strdup_printf("imglab key %" PRIu64 " %s %s %zu", seed, label, role, block);

		ib_digest_bytes(IB_DIGEST_SHA256, text, strlen(text), digest);
		memcpy(ret + at, digest, MIN(sizeof(digest), len - at));
	}
}

/* The first prime at or above the derived number that RSA can use with exponent e. */
static BIGNUM *derive_prime(uint64_t seed, const char *label, const char *role, const BIGNUM *e, BN_CTX *ctx)
{
	uint8_t start[PRIME_BYTES];
	g_autoptr(BIGNUM) rest = BN_new();

	derive(seed, label, role, start, sizeof(start));
	start[0] |= 0xc0; /* the product of two such primes has all KEY_BITS bits */
	start[PRIME_BYTES - 1] |= 1;
	g_autoptr(BIGNUM) p = BN_bin2bn(start, sizeof(start), NULL);
	if (!p || !rest)
		return NULL;
	for (;; BN_add_word(p, 2)) {
		int prime = BN_check_prime(p, ctx, NULL);

		if (prime < 0)
			return NULL;
		if (!prime)
			continue;
		/* e is prime: it shares a factor with p-1 only when p mod e is 1 */
		if (!BN_mod(rest, p, e, ctx))
			return NULL;
		if (!BN_is_one(rest))
			return g_steal_pointer(&p);
	}
}

struct rsa_numbers {
	BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qi;
};

static void rsa_numbers_fini(struct rsa_numbers *r)
{
	BIGNUM **all[] = { &r->n, &r->e, &r->d, &r->p, &r->q, &r->dp, &r->dq, &r->qi };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		BN_clear_free(*all[i]);
}

static bool rsa_numbers_make(uint64_t seed, const char *label, struct rsa_numbers *r)
{
	g_autoptr(BN_CTX) ctx = BN_CTX_new();
	g_autoptr(BIGNUM) p1 = NULL, q1 = NULL, phi = BN_new();

	r->e = BN_new();
	if (!ctx || !phi || !r->e || !BN_set_word(r->e, RSA_F4))
		return false;
	r->p = derive_prime(seed, label, "p", r->e, ctx);
	r->q = derive_prime(seed, label, "q", r->e, ctx);
	if (!r->p || !r->q)
		return false;
	if (BN_cmp(r->p, r->q) < 0) {
		BIGNUM *swap = r->p;

		r->p = r->q;
		r->q = swap;
	}
	p1 = BN_dup(r->p);
	q1 = BN_dup(r->q);
	r->n = BN_new();
	r->dp = BN_new();
	r->dq = BN_new();
	return p1 && q1 && r->n && r->dp && r->dq && BN_sub_word(p1, 1) && BN_sub_word(q1, 1) &&
	       BN_mul(r->n, r->p, r->q, ctx) && BN_mul(phi, p1, q1, ctx) &&
	       (r->d = BN_mod_inverse(NULL, r->e, phi, ctx)) && BN_mod(r->dp, r->d, p1, ctx) &&
	       BN_mod(r->dq, r->d, q1, ctx) && (r->qi = BN_mod_inverse(NULL, r->q, r->p, ctx));
}

static EVP_PKEY *make_key(uint64_t seed, const char *label)
{
	IB_CLEANUP(rsa_numbers_fini) struct rsa_numbers r = { 0 };
	g_autoptr(OSSL_PARAM_BLD) build = OSSL_PARAM_BLD_new();
	g_autoptr(EVP_PKEY_CTX) ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;

	if (!build || !ctx || !rsa_numbers_make(seed, label, &r))
		return NULL;
	const struct { const char *name; const BIGNUM *value; } parts[] = {
		{ OSSL_PKEY_PARAM_RSA_N, r.n }, { OSSL_PKEY_PARAM_RSA_E, r.e },
		{ OSSL_PKEY_PARAM_RSA_D, r.d }, { OSSL_PKEY_PARAM_RSA_FACTOR1, r.p },
		{ OSSL_PKEY_PARAM_RSA_FACTOR2, r.q }, { OSSL_PKEY_PARAM_RSA_EXPONENT1, r.dp },
		{ OSSL_PKEY_PARAM_RSA_EXPONENT2, r.dq }, { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, r.qi },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		if (!OSSL_PARAM_BLD_push_BN(build, parts[i].name, parts[i].value))
			return NULL;
	g_autoptr(OSSL_PARAM) params = OSSL_PARAM_BLD_to_param(build);
	if (!params || EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) <= 0)
		return NULL;
	return key;
}

static bool add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	bool ok = ext && X509_add_ext(cert, ext, -1);

	X509_EXTENSION_free(ext);
	return ok;
}

static bool add_extensions(X509 *cert, X509 *issuer, const struct cert_spec *spec)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	return add_extension(cert, &ctx, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
	       (!spec->usage || add_extension(cert, &ctx, NID_key_usage, spec->usage)) &&
	       (!spec->purpose || add_extension(cert, &ctx, NID_ext_key_usage, spec->purpose)) &&
	       add_extension(cert, &ctx, NID_subject_key_identifier, "hash") &&
	       (issuer == cert || add_extension(cert, &ctx, NID_authority_key_identifier, "keyid:always"));
}

static bool set_serial(X509 *cert, uint64_t seed, const char *label)
{
	uint8_t bytes[16];

	derive(seed, label, "serial", bytes, sizeof(bytes));
	bytes[0] = 0x33; /* positive, and of full length */
	g_autoptr(BIGNUM) number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
}

static bool set_name(X509 *cert, const char *common)
{
	X509_NAME *name = X509_get_subject_name(cert);
	const struct { const char *type, *text; } parts[] = {
		{ "C", "ZZ" }, { "O", "Imglab Laboratory, not a real issuer" }, { "CN", common },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		if (!X509_NAME_add_entry_by_txt(name, parts[i].type, MBSTRING_ASC,
						(const unsigned char *)parts[i].text, -1, -1, 0))
			return false;
	return true;
}

/* Issuers stand before their certificates in the table. */
static bool make_cert(struct lab_pki *pki, enum cert_id id)
{
	const struct cert_spec *spec = &specs[id];
	X509 *cert = pki->certs[id] = X509_new();

	pki->keys[id] = make_key(pki->seed, spec->name);
	if (!cert || !pki->keys[id])
		return false;
	X509 *issuer = pki->certs[spec->issuer];
	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert, pki->seed, spec->name) &&
	       set_name(cert, spec->name) && X509_set_issuer_name(cert, X509_get_subject_name(issuer)) &&
	       ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), spec->from) &&
	       ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), spec->until) &&
	       X509_set_pubkey(cert, pki->keys[id]) && add_extensions(cert, issuer, spec) &&
	       X509_sign(cert, pki->keys[spec->issuer], EVP_sha256());
}

bool lab_pki_new(uint64_t seed, struct lab_pki **ret, struct ib_error **err)
{
	lab_auto_pki pki = g_new0(struct lab_pki, 1);

	pki->seed = seed;
	for (int id = 0; id < CERTS; id++) {
		if (!make_cert(pki, (enum cert_id)id)) {
			throw_openssl(err, "make a test certificate");
			return ib_while(err, "making the certificate '%s'", specs[id].name);
		}
	}
	*ret = g_steal_pointer(&pki);
	return true;
}

void lab_pki_free(struct lab_pki *pki)
{
	if (!pki)
		return;
	for (int id = 0; id < CERTS; id++) {
		EVP_PKEY_free(pki->keys[id]);
		X509_free(pki->certs[id]);
	}
	g_free(pki);
}

void lab_pki_clear(struct lab_pki **pki)
{
	lab_pki_free(*pki);
	*pki = NULL;
}

bool lab_pki_sign(const struct lab_pki *pki, enum lab_signer signer, const void *data, size_t len,
		  GBytes **ret, struct ib_error **err)
{
	g_autoptr(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
	uint8_t sig[KEY_BITS / 8];
	size_t sig_len = sizeof(sig);

	if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pki->keys[leaf_of[signer]]) <= 0 ||
	    EVP_DigestSign(ctx, sig, &sig_len, data, len) <= 0)
		return throw_openssl(err, "sign");
	*ret = g_bytes_new(sig, sig_len);
	return true;
}

static GBytes *take_der(unsigned char *der, int len)
{
	g_assert(len > 0); /* certificates and names we made ourselves */
	GBytes *bytes = g_bytes_new(der, (gsize)len);

	OPENSSL_free(der);
	return bytes;
}

GPtrArray *lab_pki_chain(const struct lab_pki *pki, enum lab_signer signer)
{
	GPtrArray *chain = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

	for (enum cert_id id = leaf_of[signer]; specs[id].issuer != id; id = specs[id].issuer) {
		unsigned char *der = NULL;
		int len = i2d_X509(pki->certs[id], &der);

		g_ptr_array_add(chain, take_der(der, len));
	}
	return chain;
}

static GBytes *name_der(const X509_NAME *name)
{
	unsigned char *der = NULL;
	int len = i2d_X509_NAME(name, &der);

	return take_der(der, len);
}

GBytes *lab_pki_issuer(const struct lab_pki *pki, enum lab_signer signer)
{
	return name_der(X509_get_issuer_name(pki->certs[leaf_of[signer]]));
}

GBytes *lab_pki_subject(const struct lab_pki *pki, enum lab_signer signer)
{
	return name_der(X509_get_subject_name(pki->certs[leaf_of[signer]]));
}

GBytes *lab_pki_serial(const struct lab_pki *pki, enum lab_signer signer)
{
	unsigned char *der = NULL;
	int len = i2d_ASN1_INTEGER(X509_get0_serialNumber(pki->certs[leaf_of[signer]]), &der);

	return take_der(der, len);
}

static bool write_bio(const char *dir, const char *file, BIO *bio, int mode, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);
	g_autoptr(GError) error = NULL;
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	if (!g_file_set_contents_full(path, text, len, G_FILE_SET_CONTENTS_CONSISTENT, mode, &error))
		return ib_throw(err, IB_ERR_SYSTEM, "cannot write '%s': %s", path, error->message);
	return true;
}

/* The certificate and its intermediates; a root stands alone. */
static bool write_chain(const struct lab_pki *pki, const char *dir, const char *file, enum cert_id id,
			struct ib_error **err)
{
	g_autoptr(BIO) bio = BIO_new(BIO_s_mem());

	for (;; id = specs[id].issuer) {
		if (!bio || !PEM_write_bio_X509(bio, pki->certs[id]))
			return throw_openssl(err, "write a certificate");
		if (specs[id].issuer == id || specs[specs[id].issuer].issuer == specs[id].issuer)
			return write_bio(dir, file, bio, 0644, err);
	}
}

static bool write_key(const struct lab_pki *pki, const char *dir, const char *file, enum cert_id id,
		      struct ib_error **err)
{
	g_autoptr(BIO) bio = BIO_new(BIO_s_mem());

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, pki->keys[id], NULL, NULL, 0, NULL, NULL))
		return throw_openssl(err, "write a key");
	return write_bio(dir, file, bio, 0600, err);
}

bool lab_pki_write(const struct lab_pki *pki, const char *dir, struct ib_error **err)
{
	return ib_dir_make(dir, err) && write_chain(pki, dir, "lab-root.pem", ROOT, err) &&
	       write_chain(pki, dir, "unknown-root.pem", UNKNOWN_ROOT, err) &&
	       write_chain(pki, dir, "catalog-signer.pem", CATALOG, err) &&
	       write_chain(pki, dir, "tsa.pem", TSA, err) && write_key(pki, dir, "tsa.key", TSA, err) &&
	       write_chain(pki, dir, "image-signing.pem", IMAGE, err) &&
	       write_key(pki, dir, "image-signing.key", IMAGE, err);
}

bool lab_certs_write(uint64_t seed, const char *dir, struct ib_error **err)
{
	lab_auto_pki pki = NULL;

	return lab_pki_new(seed, &pki, err) && lab_pki_write(pki, dir, err);
}
