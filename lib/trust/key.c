/* Private keys and plain signatures. */
#include "trust/internal.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

/* Most bytes of a key or certificate file. */
#define KEY_FILE_MAX (1u << 20)
/* Longest secret OpenSSL's callback may return. */
#define SECRET_MAX 255
#define RSA_BITS_MIN 2048

bool ib_secret_ask(const struct ib_signing_key_source *source, const char *what, char **ret, struct ib_error **err)
{
	char *secret = NULL;

	if (!source->secret) {
		ib_throw(err, IB_ERR_INPUT, "'%s' needs a pass phrase or PIN, and none is given", what);
		return ib_hint(err, "name where it is found in the profile's [sign] section");
	}
	if (!source->secret(source->user, &secret, err))
		return ib_while(err, "asking for the pass phrase or PIN of '%s'", what);
	if (!secret || strlen(secret) > SECRET_MAX) {
		ib_secret_free(&secret);
		return ib_throw(err, IB_ERR_INPUT, "the pass phrase or PIN of '%s' is longer than %d bytes", what,
				SECRET_MAX);
	}
	*ret = secret;
	return true;
}

void ib_secret_free(char **secret)
{
	if (*secret)
		OPENSSL_cleanse(*secret, strlen(*secret));
	g_free(*secret);
	*secret = NULL;
}

/* What OpenSSL's pass phrase callback needs and leaves behind. */
struct ask_state {
	const struct ib_signing_key_source *source;
	struct ib_error **err;
};

static int ask(char *buf, int size, int writing, void *user)
{
	struct ask_state *s = user;
	IB_CLEANUP(ib_secret_free) char *secret = NULL;

	if (!ib_secret_ask(s->source, s->source->key, &secret, s->err))
		return -1;
	size_t n = strlen(secret);
	if (size < 0 || n > (size_t)size)
		return -1;
	memcpy(buf, secret, n);
	return (int)n;
}

static bool load_pem(const struct ib_signing_key_source *source, struct ib_signing_key *key, struct ib_error **err)
{
	struct ask_state state = { source, err };
	g_autoptr(GBytes) bytes = NULL;
	gsize len;

	if (!ib_file_read(source->key, KEY_FILE_MAX, &bytes, err))
		return ib_while(err, "reading the key");
	const void *data = g_bytes_get_data(bytes, &len);
	BIO *bio = BIO_new_mem_buf(data, (int)len);
	key->pkey = PEM_read_bio_PrivateKey(bio, NULL, ask, &state);
	BIO_free(bio);
	if (key->pkey || *err)
		return key->pkey != NULL;
	return ib_throw(err, IB_ERR_INPUT, "'%s' is not a private key in PEM, or the pass phrase is wrong: %s",
			source->key, ib_ossl_reason());
}

/* Whether the key is of a kind whose signatures work everywhere, and belongs to the certificate. */
static bool check_key(const struct ib_signing_key *key, const char *certificate, struct ib_error **err)
{
	const char *type = EVP_PKEY_get0_type_name(key->pkey);
	bool rsa = EVP_PKEY_is_a(key->pkey, "RSA");

	if (!rsa && !EVP_PKEY_is_a(key->pkey, "EC")) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is a key of type %s, which cannot sign CMS messages here", key->name,
			 type ? type : "unknown");
		return ib_hint(err, "use an EC key (P-256) or an RSA key of at least %d bits", RSA_BITS_MIN);
	}
	if (rsa && EVP_PKEY_get_bits(key->pkey) < RSA_BITS_MIN)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is an RSA key of %d bits, at least %d are needed", key->name,
				EVP_PKEY_get_bits(key->pkey), RSA_BITS_MIN);
	if (X509_check_private_key(sk_X509_value(key->certs, 0), key->pkey) != 1) {
		ERR_clear_error();
		return ib_throw(err, IB_ERR_INPUT, "the first certificate of '%s' does not belong to the key '%s'",
				certificate, key->name);
	}
	return true;
}

/* What stands before '?' and any PIN of a URI. */
static char *public_name(const char *uri)
{
	g_auto(GStrv) query = g_strsplit(uri, "?", 2);
	g_auto(GStrv) parts = g_strsplit(query[0], ";", -1);
	GString *s = g_string_new(NULL);

	for (char **p = parts; *p; p++)
		if (!g_str_has_prefix(*p, "pin-"))
			g_string_append_printf(s, "%s%s", s->len ? ";" : "", *p);
	return g_string_free(s, FALSE);
}

bool ib_signing_key_open(const struct ib_signing_key_source *source, struct ib_signing_key **ret, struct ib_error **err)
{
	ib_auto_signing_key key = g_new0(struct ib_signing_key, 1);
	g_autoptr(GBytes) pem = NULL;
	gsize len;

	g_return_val_if_fail(source->certificate && source->key, ib_throw(err, IB_ERR_USAGE, "no key is named"));
	bool token = g_str_has_prefix(source->key, "pkcs11:");
	key->name = token ? public_name(source->key) : g_strdup(source->key);
	if (!ib_file_read(source->certificate, KEY_FILE_MAX, &pem, err))
		return ib_while(err, "reading the signer's certificate");
	const void *data = g_bytes_get_data(pem, &len);
	if (!ib_certs_read(data, len, source->certificate, &key->certs, err))
		return false;
	bool ok = token ? ib_pkcs11_load(source, key->name, &key->pkey, &key->engine, err) : load_pem(source, key, err);
	ERR_clear_error();
	if (!ok || !check_key(key, source->certificate, err))
		return false;
	*ret = g_steal_pointer(&key);
	return true;
}

void ib_signing_key_free(struct ib_signing_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	sk_X509_pop_free(key->certs, X509_free);
	if (key->engine)
		ib_pkcs11_close(key->engine);
	g_free(key->name);
	g_free(key);
}

void ib_signing_key_clear(struct ib_signing_key **key)
{
	ib_signing_key_free(*key);
	*key = NULL;
}

char *ib_signing_key_certificates(const struct ib_signing_key *key)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *data;

	for (int i = 0; i < sk_X509_num(key->certs); i++)
		PEM_write_bio_X509(out, sk_X509_value(key->certs, i));
	long n = BIO_get_mem_data(out, &data);
	char *text = g_strndup(data, (gsize)n);
	BIO_free(out);
	return text;
}

bool ib_signing_key_sign(struct ib_signing_key *key, const void *data, size_t len, GBytes **ret, struct ib_error **err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = 0;
	g_autofree uint8_t *sig = NULL;

	bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
		  EVP_DigestSign(ctx, NULL, &size, data, len) == 1;
	if (ok) {
		sig = g_malloc(size);
		ok = EVP_DigestSign(ctx, sig, &size, data, len) == 1;
	}
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return ib_throw(err, IB_ERR_SYSTEM, "the key '%s' refused to sign: %s", key->name, ib_ossl_reason());
	*ret = g_bytes_new_take(g_steal_pointer(&sig), size);
	return true;
}

bool ib_signature_verify(const char *pem, GBytes *content, GBytes *signature, const struct ib_anchors *anchors,
			 struct ib_signer *ret, struct ib_error **err)
{
	ib_auto_certs certs = NULL;
	ib_auto_certs chain = NULL;
	gsize size, len;
	const uint8_t *sig = g_bytes_get_data(signature, &size);
	const uint8_t *data = g_bytes_get_data(content, &len);

	if (!ib_certs_read(pem, strlen(pem), "signer's certificates", &certs, err))
		return false;
	X509 *cert = sk_X509_value(certs, 0);
	EVP_PKEY *pkey = X509_get0_pubkey(cert);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = pkey && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
		  EVP_DigestVerify(ctx, sig, size, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!ok)
		return ib_throw(err, IB_ERR_VERIFY,
				"the signature does not belong to the content and the signer's certificate");
	struct ib_chain_request r = { .what = "the signer", .cert = cert, .others = certs, .anchors = anchors,
				      .time = anchors->now };
	if (!ib_chain_verify(&r, &chain, err))
		return false;
	*ret = (struct ib_signer){ .time = anchors->now };
	ib_signer_names(ret, chain);
	return true;
}
