/* Own authorities and catalogs, made by OpenSSL at run time; nothing here is a PKI to copy. */
#include "trust/trust.h"

#include <string.h>

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

/* The signers' certificates are valid in 2021 only, the authorities' 2010 to 2099. */
#define T2010 1262304000
#define T2021 1609459200
#define T2022 1640995200
#define T2099 4070908800
#define IN_2021 (T2021 + 86400 * 100)
#define IN_2030 (T2021 + 86400 * 3500)

#define SYSTEM_COMPONENT "1.3.6.1.4.1.311.10.3.6"
#define OID_TOKEN "1.3.6.1.4.1.311.3.3.1"

struct who {
	X509 *cert;
	EVP_PKEY *key;
};

static struct who root, other_root, signer, wrong_use, stamper, below;

static struct who make(const char *name, struct who *issuer, const char *eku, int64_t from, int64_t to)
{
	static long serial = 1;
	struct who w = { X509_new(), EVP_EC_gen("P-256") };
	struct who *by = issuer ? issuer : &w;

	X509_set_version(w.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(w.cert), serial++);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(w.cert), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
			-1, 0);
	X509_set_issuer_name(w.cert, X509_get_subject_name(by->cert));
	ASN1_TIME_set(X509_getm_notBefore(w.cert), from);
	ASN1_TIME_set(X509_getm_notAfter(w.cert), to);
	X509_set_pubkey(w.cert, w.key);
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
						eku ? "CA:FALSE" : "critical,CA:TRUE");
	X509_add_ext(w.cert, x, -1);
	X509_EXTENSION_free(x);
	if (eku) {
		x = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, eku);
		X509_add_ext(w.cert, x, -1);
		X509_EXTENSION_free(x);
	}
	X509_sign(w.cert, by->key, EVP_sha256());
	return w;
}

static void drop(struct who *w)
{
	X509_free(w->cert);
	EVP_PKEY_free(w->key);
}

static void setup(void)
{
	root = make("Lab Root", NULL, NULL, T2010, T2099);
	other_root = make("Other Root", NULL, NULL, T2010, T2099);
	signer = make("Lab Signer", &root, SYSTEM_COMPONENT, T2021, T2022);
	wrong_use = make("Lab Web", &root, "serverAuth", T2021, T2022);
	below = make("Lab Upstart", &signer, SYSTEM_COMPONENT, T2021, T2022);
	stamper = make("Lab Stamper", &root, "critical,timeStamping", T2010, T2099);
}

static void teardown(void)
{
	struct who *all[] = { &root, &other_root, &signer, &wrong_use, &stamper, &below };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		drop(all[i]);
}

static char *pem_of(X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;

	PEM_write_bio_X509(b, x);
	long n = BIO_get_mem_data(b, &p);
	char *text = g_strndup(p, (gsize)n);
	BIO_free(b);
	return text;
}

static struct ib_anchors *anchors(X509 *x, int64_t now)
{
	struct ib_anchors *a = ib_anchors_new(now);
	struct ib_error *err = NULL;
	g_autofree char *pem = pem_of(x);

	cr_assert(ib_anchors_add(a, pem, strlen(pem), "pem", &err));
	return a;
}

/* ---- stamps, by OpenSSL's own authority ---- */

static int64_t stamp_time;

static int stamp_clock(TS_RESP_CTX *ctx, void *user, long *sec, long *usec)
{
	*sec = (long)stamp_time;
	*usec = 0;
	return 1;
}

static ASN1_INTEGER *stamp_serial(TS_RESP_CTX *ctx, void *user)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();

	ASN1_INTEGER_set(n, 7);
	return n;
}

/* The authority's whole response to a request. */
static GBytes *respond(GBytes *query, int64_t when)
{
	TS_RESP_CTX *ctx = TS_RESP_CTX_new();
	ASN1_OBJECT *policy = OBJ_txt2obj("1.3.6.1.5.5.7.13.1", 1);
	BIO *in = BIO_new_mem_buf(g_bytes_get_data(query, NULL), (int)g_bytes_get_size(query));
	unsigned char *der = NULL;

	stamp_time = when;
	TS_RESP_CTX_set_signer_cert(ctx, stamper.cert);
	TS_RESP_CTX_set_signer_key(ctx, stamper.key);
	TS_RESP_CTX_set_signer_digest(ctx, EVP_sha256());
	TS_RESP_CTX_set_ess_cert_id_digest(ctx, EVP_sha256());
	TS_RESP_CTX_set_def_policy(ctx, policy);
	TS_RESP_CTX_add_md(ctx, EVP_sha256());
	TS_RESP_CTX_set_time_cb(ctx, stamp_clock, NULL);
	TS_RESP_CTX_set_serial_cb(ctx, stamp_serial, NULL);
	TS_RESP *resp = TS_RESP_create_response(ctx, in);
	cr_assert_not_null(resp);
	int n = i2d_TS_RESP(resp, &der);
	GBytes *bytes = g_bytes_new(der, (gsize)n);
	OPENSSL_free(der);
	TS_RESP_free(resp);
	TS_RESP_CTX_free(ctx);
	ASN1_OBJECT_free(policy);
	BIO_free(in);
	return bytes;
}

static ASN1_STRING *sequence_string(const void *data, size_t len)
{
	ASN1_STRING *s = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

	ASN1_STRING_set(s, data, (int)len);
	return s;
}

/* The token over some octets, as a SEQUENCE. */
static ASN1_STRING *token_over(const uint8_t *data, size_t len, int64_t when)
{
	uint8_t digest[IB_SHA256_SIZE];
	TS_REQ *req = TS_REQ_new();
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	unsigned char *der = NULL;

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, digest);
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL);
	TS_MSG_IMPRINT_set_algo(imprint, algorithm);
	TS_MSG_IMPRINT_set_msg(imprint, digest, sizeof(digest));
	TS_REQ_set_version(req, 1);
	TS_REQ_set_msg_imprint(req, imprint);
	TS_REQ_set_cert_req(req, 1);
	int n = i2d_TS_REQ(req, &der);
	g_autoptr(GBytes) query = g_bytes_new(der, (gsize)n);
	OPENSSL_free(der);
	TS_REQ_free(req);
	TS_MSG_IMPRINT_free(imprint);
	X509_ALGOR_free(algorithm);
	g_autoptr(GBytes) response = respond(query, when);
	const unsigned char *p = g_bytes_get_data(response, NULL);
	TS_RESP *resp = d2i_TS_RESP(NULL, &p, (long)g_bytes_get_size(response));
	der = NULL;
	n = i2d_PKCS7(TS_RESP_get_token(resp), &der);
	ASN1_STRING *s = sequence_string(der, (size_t)n);
	OPENSSL_free(der);
	TS_RESP_free(resp);
	return s;
}

/* ---- catalogs ---- */

/* DER of a tag around hex text; "oid:1.2.3" encodes an identifier. Owned by the caller (g_free). */
static char *der(const char *tag, ...)
{
	GString *body = g_string_new(NULL);
	va_list ap;
	const char *part;

	va_start(ap, tag);
	while ((part = va_arg(ap, const char *)))
		g_string_append(body, part);
	va_end(ap);
	size_t n = body->len / 2;
	char *text = n < 128 ? g_strdup_printf("%s%02zx%s", tag, n, body->str)
			     : g_strdup_printf("%s82%04zx%s", tag, n, body->str);
	g_string_free(body, TRUE);
	return text;
}

static char *oid(const char *dotted)
{
	ASN1_OBJECT *o = OBJ_txt2obj(dotted, 1);
	unsigned char *p = NULL;
	int n = i2d_ASN1_OBJECT(o, &p);
	char *text = ib_hex(p, (size_t)n);

	OPENSSL_free(p);
	ASN1_OBJECT_free(o);
	return text;
}

static const char *const sha1_hex = "60cec0ec739bebdb04efbfe7a980eb5bec10360e";
static const char *const sha256_hex = "43744af750c26c88e443ede0e22ba341dd6f35ff59c7cf0de626c30c61c3bfdc";
static const char *const tagged_hex = "00112233445566778899aabbccddeeff00112233";

/* A list with three members: a bare SHA-1 tag, indirect data behind a label, hex text in UTF-16. */
static GBytes *trust_list(void)
{
	size_t n;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(tagged_hex, &n);
	g_autofree char *wide_hex = ib_hex(wide, n);
	g_autofree char *usage_oid = oid("1.3.6.1.4.1.311.12.1.1"), *usage = der("30", usage_oid, NULL);
	g_autofree char *alg_oid = oid("1.3.6.1.4.1.311.12.1.3"), *alg = der("30", alg_oid, "0500", NULL);
	g_autofree char *tag1 = der("04", sha1_hex, NULL), *e1 = der("30", tag1, NULL);
	g_autofree char *spc = oid("1.3.6.1.4.1.311.2.1.4"), *flat = oid("1.3.6.1.4.1.311.2.1.25");
	g_autofree char *what = der("30", flat, "a2028000", NULL), *sha = oid("2.16.840.1.101.3.4.2.1");
	g_autofree char *sha_alg = der("30", sha, "0500", NULL), *oct = der("04", sha256_hex, NULL);
	g_autofree char *info = der("30", sha_alg, oct, NULL), *data = der("30", what, info, NULL);
	g_autofree char *values = der("31", data, NULL), *attr = der("30", spc, values, NULL), *attrs = der("31", attr,
			NULL);
	g_autofree char *e2 = der("30", "04056c6162656c", attrs, NULL); /* "label" */
	g_autofree char *tag3 = der("04", wide_hex, "0000", NULL), *e3 = der("30", tag3, NULL);
	g_autofree char *e4 = der("30", "0403010203", NULL); /* vouches for nothing */
	g_autofree char *entries = der("30", e3, e2, e1, e1, e4, NULL);
	/* OSAttr = "2:6" */
	g_autofree char *nv = der("30", "1e0c004f00530041007400740072", "0203010001", "0408" "32003a0036000000", NULL);
	g_autofree char *nv_oct = der("04", nv, NULL), *nv_oid = oid("1.3.6.1.4.1.311.12.2.1"), *ext = der("30", nv_oid,
			nv_oct, NULL);
	g_autofree char *exts = der("30", ext, NULL), *tagged = der("a0", exts, NULL);
	g_autofree char *all = der("30", usage, "040400000001", "170d3231303530383036333132355a", alg, entries, tagged,
			NULL);
	return ib_unhex(all, strlen(all));
}

enum stamping { NO_STAMP, TOKEN, COUNTER, COUNTER_BY_SIGNER, TOKEN_OVER_OTHER };

static ASN1_STRING *counter_by(const struct who *who, const ASN1_OCTET_STRING *signature)
{
	PKCS7_SIGNER_INFO *si = PKCS7_SIGNER_INFO_new();
	uint8_t digest[IB_SHA256_SIZE];
	unsigned char *out = NULL;

	ib_digest_bytes(IB_DIGEST_SHA256, signature->data, (size_t)signature->length, digest);
	PKCS7_SIGNER_INFO_set(si, who->cert, who->key, EVP_sha256());
	PKCS7_add_signed_attribute(si, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_nid2obj(NID_pkcs7_data));
	PKCS7_add0_attrib_signing_time(si, ASN1_TIME_set(NULL, IN_2021));
	PKCS7_add1_attrib_digest(si, digest, sizeof(digest));
	cr_assert_eq(PKCS7_SIGNER_INFO_sign(si), 1);
	int n = i2d_PKCS7_SIGNER_INFO(si, &out);
	ASN1_STRING *s = sequence_string(out, (size_t)n);
	OPENSSL_free(out);
	PKCS7_SIGNER_INFO_free(si);
	return s;
}

static void stamp(PKCS7_SIGNER_INFO *si, enum stamping how)
{
	int token = OBJ_txt2nid(OID_TOKEN);

	if (token == NID_undef)
		token = OBJ_create(OID_TOKEN, "lab-token", "lab token");
	if (how == TOKEN)
		PKCS7_add_attribute(si, token, V_ASN1_SEQUENCE,
				    token_over(si->enc_digest->data, (size_t)si->enc_digest->length, IN_2021));
	if (how == TOKEN_OVER_OTHER)
		PKCS7_add_attribute(si, token, V_ASN1_SEQUENCE, token_over((const uint8_t *)"x", 1, IN_2021));
	if (how == COUNTER)
		PKCS7_add_attribute(si, NID_pkcs9_countersignature, V_ASN1_SEQUENCE, counter_by(&stamper,
				si->enc_digest));
	if (how == COUNTER_BY_SIGNER)
		PKCS7_add_attribute(si, NID_pkcs9_countersignature, V_ASN1_SEQUENCE, counter_by(&signer,
				si->enc_digest));
}

static void sign_list(PKCS7 *p7, const struct who *who, GBytes *list, enum stamping how)
{
	const uint8_t *data = g_bytes_get_data(list, NULL);
	size_t len = g_bytes_get_size(list);
	size_t head = data[1] == 0x82 ? 4 : 2; /* what is digested has no tag and length */
	uint8_t digest[IB_SHA256_SIZE];

	ib_digest_bytes(IB_DIGEST_SHA256, data + head, len - head, digest);
	PKCS7_SIGNER_INFO *si = PKCS7_SIGNER_INFO_new();
	PKCS7_SIGNER_INFO_set(si, who->cert, who->key, EVP_sha256());
	PKCS7_add_signed_attribute(si, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_txt2obj("1.3.6.1.4.1.311.10.1", 1));
	PKCS7_add1_attrib_digest(si, digest, sizeof(digest));
	cr_assert_eq(PKCS7_SIGNER_INFO_sign(si), 1);
	stamp(si, how);
	cr_assert_eq(PKCS7_add_signer(p7, si), 1);
}

static GBytes *catalog(const struct who *who, enum stamping how)
{
	PKCS7 *p7 = PKCS7_new();
	g_autoptr(GBytes) list = trust_list();
	unsigned char *out = NULL;

	PKCS7_set_type(p7, NID_pkcs7_signed);
	PKCS7 *content = PKCS7_new();
	content->type = OBJ_txt2obj("1.3.6.1.4.1.311.10.1", 1);
	content->d.other = ASN1_TYPE_new();
	ASN1_TYPE_set(content->d.other, V_ASN1_SEQUENCE,
		      sequence_string(g_bytes_get_data(list, NULL), g_bytes_get_size(list)));
	PKCS7_set_content(p7, content);
	if (who) {
		sign_list(p7, who, list, how);
		PKCS7_add_certificate(p7, who->cert);
		if (who == &below)
			PKCS7_add_certificate(p7, signer.cert);
		PKCS7_add_certificate(p7, stamper.cert);
	}
	int n = i2d_PKCS7(p7, &out);
	cr_assert_gt(n, 0);
	GBytes *bytes = g_bytes_new(out, (gsize)n);
	OPENSSL_free(out);
	PKCS7_free(p7);
	return bytes;
}

static struct ib_catalog *parsed(GBytes *b)
{
	struct ib_catalog *c = NULL;
	struct ib_error *err = NULL;

	cr_assert(ib_catalog_parse(g_bytes_get_data(b, NULL), g_bytes_get_size(b), "lab.cat", &c, &err), "%s",
		  err ? ib_error_cause(err) : "");
	return c;
}

TestSuite(trust, .init = setup, .fini = teardown);

Test(trust, catalog_content)
{
	g_autoptr(GBytes) b = catalog(&signer, NO_STAMP);
	ib_auto_catalog c = parsed(b);
	g_autoptr(GBytes) sha1 = ib_unhex(sha1_hex, 40), sha256 = ib_unhex(sha256_hex, 64),
			tagged = ib_unhex(tagged_hex, 40);
	uint8_t none[IB_DIGEST_MAX] = { 0 };

	cr_expect_eq(ib_catalog_count(c), 3);
	cr_expect(ib_catalog_has(c, IB_DIGEST_SHA1, g_bytes_get_data(sha1, NULL)));
	cr_expect(ib_catalog_has(c, IB_DIGEST_SHA256, g_bytes_get_data(sha256, NULL)));
	cr_expect(ib_catalog_has(c, IB_DIGEST_SHA1, g_bytes_get_data(tagged, NULL)));
	cr_expect_not(ib_catalog_has(c, IB_DIGEST_SHA1, none));
	cr_expect_not(ib_catalog_has(c, IB_DIGEST_SHA1, g_bytes_get_data(sha256, NULL)));
	cr_expect_eq(ib_catalog_member(c, 2)->algorithm, IB_DIGEST_SHA256);
	cr_expect_null(ib_catalog_member(c, 3));
	cr_expect_str_eq(ib_catalog_attribute(c, "OSAttr"), "2:6");
	cr_expect_null(ib_catalog_attribute(c, "None"));
	cr_expect_eq(ib_catalog_time(c), 1620455485);
}

static const struct {
	const char *what;
	struct who *by;
	enum stamping how;
	struct who *anchor;
	int64_t now;
	const char *cause; /* NULL: accepted */
} verdicts[] = {
	{ "in time", &signer, NO_STAMP, &root, IN_2021, NULL },
	{ "signer pinned", &signer, NO_STAMP, &signer, IN_2021, NULL },
	{ "expired", &signer, NO_STAMP, &root, IN_2030, "no time stamp" },
	{ "too early", &signer, NO_STAMP, &root, T2010 + 10, "not valid yet" },
	{ "stamped", &signer, TOKEN, &root, IN_2030, NULL },
	{ "counter-signed", &signer, COUNTER, &root, IN_2030, NULL },
	{ "stamp over other", &signer, TOKEN_OVER_OTHER, &root, IN_2021, "another signature" },
	{ "stamp of wrong kind", &signer, COUNTER_BY_SIGNER, &root, IN_2030, "not meant for this" },
	{ "unknown", &signer, NO_STAMP, &other_root, IN_2021, "not known" },
	{ "unknown stamper", &signer, TOKEN, &signer, IN_2021, "Lab Stamper" },
	{ "wrong use", &wrong_use, NO_STAMP, &root, IN_2021, "not meant for this" },
	{ "issued by no authority", &below, NO_STAMP, &root, IN_2021, "chain of 'CN=Lab Upstart' is not valid" },
	{ "unsigned", NULL, NO_STAMP, &root, IN_2021, "not signed" },
};

Test(trust, catalog_verdicts)
{
	for (size_t i = 0; i < G_N_ELEMENTS(verdicts); i++) {
		g_autoptr(GBytes) b = catalog(verdicts[i].by, verdicts[i].how);
		ib_auto_catalog c = parsed(b);
		ib_auto_anchors a = anchors(verdicts[i].anchor->cert, verdicts[i].now);
		ib_auto_catalog_verdict v = { 0 };
		ib_auto_error err = NULL;
		bool ok = ib_catalog_verify(c, a, &v, &err);
		cr_assert_eq(ok, !verdicts[i].cause, "%s: %s", verdicts[i].what,
			     err ? ib_error_cause(err) : "accepted");
		if (!ok) {
			cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY, "%s", verdicts[i].what);
			cr_expect(strstr(ib_error_cause(err), verdicts[i].cause), "%s: %s", verdicts[i].what,
					ib_error_cause(err));
			continue;
		}
		cr_expect_str_eq(v.signer.subject, "CN=Lab Signer");
		cr_expect_str_eq(v.signer.issuer, "CN=Lab Root");
		cr_expect_eq(v.signer.time, verdicts[i].how ? IN_2021 : verdicts[i].now);
		cr_expect_eq(v.signer.stamp, verdicts[i].how == TOKEN ? IB_STAMP_RFC3161 :
			     verdicts[i].how == COUNTER ? IB_STAMP_COUNTERSIGNATURE : IB_STAMP_NONE);
		cr_expect_eq(v.members, 3);
	}
}

Test(trust, catalog_hint_names_the_missing_anchor)
{
	g_autoptr(GBytes) b = catalog(&signer, NO_STAMP);
	ib_auto_catalog c = parsed(b);
	ib_auto_anchors a = ib_anchors_new(IN_2021);
	ib_auto_catalog_verdict v = { 0 };
	ib_auto_error err = NULL;

	cr_assert_not(ib_catalog_verify(c, a, &v, &err));
	cr_expect(strstr(ib_error_hint(err), "CN=Lab Root"), "%s", ib_error_hint(err));
}

/* Each byte flipped in turn: never accepted with other members than the original's. */
Test(trust, catalog_any_change_is_noticed)
{
	g_autoptr(GBytes) b = catalog(&signer, NO_STAMP);
	ib_auto_anchors a = anchors(root.cert, IN_2021);
	ib_auto_catalog original = parsed(b);
	size_t len = g_bytes_get_size(b), refused = 0;
	g_autofree uint8_t *copy = g_memdup2(g_bytes_get_data(b, NULL), len);

	for (size_t i = 0; i < len; i++) {
		ib_auto_catalog c = NULL;
		ib_auto_catalog_verdict v = { 0 };
		ib_auto_error err = NULL;
		copy[i] ^= 0x04;
		if (!ib_catalog_parse(copy, len, "x", &c, &err) || !ib_catalog_verify(c, a, &v, &err)) {
			refused++;
		} else {
			cr_assert_eq(ib_catalog_count(c), 3, "byte %zu", i);
			for (size_t m = 0; m < 3; m++)
				cr_assert(ib_catalog_has(original, ib_catalog_member(c, m)->algorithm,
							 ib_catalog_member(c, m)->digest), "byte %zu", i);
		}
		copy[i] ^= 0x04;
	}
	/* Few bytes are outside all signatures: the digest list, the stamper's unused certificate. */
	cr_expect_gt(refused, len / 2);
}

Test(trust, catalog_truncated)
{
	g_autoptr(GBytes) b = catalog(&signer, TOKEN);

	for (size_t n = 0; n < g_bytes_get_size(b); n++) {
		g_autofree uint8_t *part = g_memdup2(g_bytes_get_data(b, NULL), n ? n : 1);
		ib_auto_catalog c = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(ib_catalog_parse(part, n, "cut.cat", &c, &err));
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}

Test(trust, anchors_files)
{
	ib_auto_anchors a = ib_anchors_new(IN_2021);
	ib_auto_error err = NULL;
	g_autofree char *one = pem_of(root.cert), *two = pem_of(other_root.cert);
	g_autofree char *both = g_strconcat("text\n", one, two, one, NULL);
	g_autofree char *broken = g_strconcat(one, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
			NULL);
	unsigned char *raw = NULL;

	cr_expect(ib_anchors_add(a, both, strlen(both), "both", &err));
	cr_expect_eq(ib_anchors_count(a), 2);
	int n = i2d_X509(signer.cert, &raw);
	cr_expect(ib_anchors_add(a, raw, (size_t)n, "der", &err));
	OPENSSL_free(raw);
	cr_expect_eq(ib_anchors_count(a), 3);
	cr_expect_not(ib_anchors_add(a, "nothing", 7, "nothing", &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_error_clear(&err);
	cr_expect_not(ib_anchors_add(a, broken, strlen(broken), "broken", &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	ib_error_clear(&err);
	cr_expect_not(ib_anchors_add_file(a, "no-such-file", &err));
}

/* ---- keys and CMS ---- */

static char *dir;

static char *save(const char *name, const void *data, size_t len)
{
	char *path = g_build_filename(dir, name, NULL);

	cr_assert(g_file_set_contents(path, data, (gssize)len, NULL));
	return path;
}

static char *save_cert(const char *name, X509 *x, X509 *issuer)
{
	g_autofree char *one = pem_of(x), *two = issuer ? pem_of(issuer) : g_strdup("");
	g_autofree char *text = g_strconcat(one, two, NULL);

	return save(name, text, strlen(text));
}

static char *save_key(const char *name, EVP_PKEY *key, const char *phrase)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;

	PEM_write_bio_PKCS8PrivateKey(b, key, phrase ? EVP_aes_256_cbc() : NULL, phrase,
				      phrase ? (int)strlen(phrase) : 0,
				      NULL, NULL);
	long n = BIO_get_mem_data(b, &p);
	char *path = save(name, p, (size_t)n);
	BIO_free(b);
	return path;
}

static bool tell(void *user, char **ret, struct ib_error **err)
{
	*ret = g_strdup(user);
	return true;
}

static void cms_setup(void)
{
	setup();
	dir = g_dir_make_tmp("trust-XXXXXX", NULL);
}

static void cms_teardown(void)
{
	struct ib_error *err = NULL;

	cr_expect(ib_dir_remove(dir, &err));
	g_free(dir);
	teardown();
}

TestSuite(cms, .init = cms_setup, .fini = cms_teardown);

static bool runs(const char *const *argv)
{
	g_autofree char *out = NULL, *errors = NULL;
	int status = -1;

	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &errors, &status, NULL) ||
	    status != 0) {
		g_printerr("%s: %s\n", argv[0], errors ? errors : "not found");
		return false;
	}
	return true;
}

/* Sign, stamp, verify, and let OpenSSL's own program judge. */
static void check_signing(struct ib_signing_key *key, const char *name)
{
	static const char text[] = "digest  file\n";
	const size_t len = sizeof(text) - 1;
	ib_auto_error err = NULL;
	g_autoptr(GBytes) sig = NULL, query = NULL, stamped = NULL;
	ib_auto_anchors now = anchors(root.cert, IN_2021);
	ib_auto_anchors later = anchors(root.cert, IN_2030);
	ib_auto_signer s = { 0 }, late = { 0 };

	cr_assert(ib_cms_sign_detached(key, text, len, IN_2021, &sig, &err), "%s: %s", name,
		  err ? ib_error_cause(err) : "");
	cr_assert(ib_cms_verify_detached(sig, text, len, now, &s, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_str_eq(s.anchor, "CN=Lab Root");
	cr_expect_eq(s.claimed_time, IN_2021);
	cr_expect_not(ib_cms_verify_detached(sig, text, len, later, &late, &err));
	ib_error_clear(&err);
	cr_expect_not(ib_cms_verify_detached(sig, text, len - 1, now, &late, &err));
	cr_expect(strstr(ib_error_cause(err), "changed"), "%s", ib_error_cause(err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
	ib_error_clear(&err);

	cr_assert(ib_cms_stamp_query(sig, &query, &err));
	g_autoptr(GBytes) response = respond(query, IN_2021 + 60);
	cr_assert(ib_cms_stamp(sig, response, &stamped, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_cms_verify_detached(stamped, text, len, later, &late, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_eq(late.time, IN_2021 + 60);
	cr_expect_str_eq(late.stamper, "CN=Lab Stamper");
	g_autoptr(GBytes) again = NULL;
	cr_expect_not(ib_cms_stamp(stamped, response, &again, &err));
	ib_error_clear(&err);

	g_autofree char *content = save("content", text, len);
	g_autofree char *p7s = save("p7s", g_bytes_get_data(stamped, NULL), g_bytes_get_size(stamped));
	g_autofree char *ca = save_cert("ca.pem", root.cert, NULL);
	const char *argv[] = { "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", p7s, "-content",
			       content, "-CAfile", ca, "-purpose", "any", "-attime", "1618099200",
			       "-out", "/dev/null", NULL };
	cr_expect(runs(argv), "openssl does not accept the signature of %s", name);
}

static struct ib_signing_key *open_key(const struct ib_signing_key_source *source)
{
	struct ib_signing_key *key = NULL;
	struct ib_error *err = NULL;

	cr_assert(ib_signing_key_open(source, &key, &err), "%s", err ? ib_error_cause(err) : "");
	return key;
}

/* A certificate of the root for any key. */
static X509 *certify(EVP_PKEY *key)
{
	X509 *x = X509_dup(signer.cert);

	X509_set_pubkey(x, key);
	X509_sign(x, root.key, EVP_sha256());
	return x;
}

Test(cms, signs_with_ec)
{
	g_autofree char *cert = save_cert("c.pem", signer.cert, root.cert), *file = save_key("k.pem", signer.key, NULL);
	ib_auto_signing_key key = open_key(&(struct ib_signing_key_source){ .certificate = cert, .key = file });

	check_signing(key, "EC");
}

Test(cms, signs_with_encrypted_rsa)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	X509 *x = certify(rsa);
	g_autofree char *cert = save_cert("c.pem", x, NULL), *file = save_key("k.pem", rsa, "open sesame");
	char phrase[] = "open sesame";
	ib_auto_signing_key key = open_key(&(struct ib_signing_key_source){ .certificate = cert, .key = file, .secret = tell,
			.user = phrase });

	check_signing(key, "RSA");
	EVP_PKEY_free(rsa);
	X509_free(x);
}

Test(cms, plain_signature)
{
	g_autofree char *cert = save_cert("c.pem", signer.cert, NULL), *file = save_key("k.pem", signer.key, NULL);
	ib_auto_signing_key key = open_key(&(struct ib_signing_key_source){ .certificate = cert, .key = file });
	ib_auto_anchors a = anchors(root.cert, IN_2021);
	ib_auto_anchors other = anchors(other_root.cert, IN_2021);
	ib_auto_signer s = { 0 };
	ib_auto_error err = NULL;
	g_autoptr(GBytes) sig = NULL;
	g_autofree char *pem = ib_signing_key_certificates(key);
	g_autoptr(GBytes) abc = g_bytes_new_static("abc", 3), abd = g_bytes_new_static("abd", 3);

	cr_assert(ib_signing_key_sign(key, "abc", 3, &sig, &err));
	cr_expect(ib_signature_verify(pem, abc, sig, a, &s, &err));
	cr_expect_str_eq(s.subject, "CN=Lab Signer");
	ib_signer_fini(&s);
	cr_expect_not(ib_signature_verify(pem, abd, sig, a, &s, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
	ib_error_clear(&err);
	cr_expect_not(ib_signature_verify(pem, abc, sig, other, &s, &err));
}

Test(cms, refuses_keys)
{
	EVP_PKEY *edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *small = EVP_RSA_gen(1024);
	X509 *small_cert = certify(small);
	g_autofree char *cert = save_cert("c.pem", signer.cert, NULL), *own = save_key("k.pem", signer.key, NULL);
	g_autofree char *ed = save_key("ed.pem", edwards, NULL), *locked = save_key("locked.pem", signer.key, "phrase");
	g_autofree char *foreign = save_key("f.pem", root.key, NULL), *rsa = save_key("rsa.pem", small, NULL);
	g_autofree char *rsa_cert = save_cert("rsa-c.pem", small_cert, NULL);
	char wrong[] = "wrong";
	const struct {
		struct ib_signing_key_source source;
		const char *cause;
	} cases[] = {
		{ { .certificate = cert, .key = ed }, "ED25519" },
		{ { .certificate = rsa_cert, .key = rsa }, "1024 bits" },
		{ { .certificate = cert, .key = foreign }, "does not belong" },
		{ { .certificate = cert, .key = locked }, "needs a pass phrase" },
		{ { .certificate = cert, .key = locked, .secret = tell, .user = wrong }, "pass phrase is wrong" },
		{ { .certificate = cert, .key = cert }, "not a private key" },
		{ { .certificate = own, .key = own }, "no certificate" },
		{ { .certificate = cert, .key = "pkcs11:token=t;object=k" }, "not named" },
		{ { .certificate = cert, .key = "pkcs11:token=t", .pkcs11_module = "no-such.so" }, "missing" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_auto_signing_key key = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(ib_signing_key_open(&cases[i].source, &key, &err), "%s", cases[i].cause);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT, "%s", cases[i].cause);
		cr_expect(strstr(ib_error_cause(err), cases[i].cause), "%s: %s", cases[i].cause, ib_error_cause(err));
	}
	EVP_PKEY_free(edwards);
	EVP_PKEY_free(small);
	X509_free(small_cert);
}

/* A signature another program made, in PEM, with the chain inside. */
Test(cms, accepts_openssl)
{
	g_autofree char *cert = save_cert("c.pem", signer.cert, NULL), *file = save_key("k.pem", signer.key, NULL);
	g_autofree char *content = save("content", "abc", 3), *out = g_build_filename(dir, "sig.pem", NULL);
	const char *argv[] = { "openssl", "cms", "-sign", "-binary", "-in", content, "-signer", cert, "-inkey", file,
			       "-outform", "PEM", "-out", out, NULL };
	ib_auto_anchors a = anchors(root.cert, IN_2021);
	ib_auto_signer s = { 0 };
	ib_auto_error err = NULL;
	g_autoptr(GBytes) sig = NULL;

	cr_assert(runs(argv));
	cr_assert(ib_file_read(out, 1 << 20, &sig, &err));
	cr_expect(ib_cms_verify_detached(sig, "abc", 3, a, &s, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_str_eq(s.subject, "CN=Lab Signer");
	cr_expect_eq(s.stamp, IB_STAMP_NONE);
	cr_expect_gt(s.claimed_time, 0);
}

Test(cms, refuses_messages)
{
	ib_auto_anchors a = anchors(root.cert, IN_2021);
	g_autoptr(GBytes) cat = catalog(&signer, NO_STAMP);
	g_autoptr(GBytes) junk = g_bytes_new_static("junk", 4);
	GBytes *bad[] = { cat, junk };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		ib_auto_signer s = { 0 };
		ib_auto_error err = NULL;
		cr_expect_not(ib_cms_verify_detached(bad[i], "abc", 3, a, &s, &err));
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

Test(cms, signs_with_token)
{
	g_autofree char *tokens = g_build_filename(dir, "tokens", NULL);
	g_autofree char *conf_text = g_strdup_printf("directories.tokendir = %s\nlog.level = ERROR\n", tokens);
	g_autofree char *conf = save("softhsm.conf", conf_text, strlen(conf_text));
	g_autofree char *cert = save_cert("c.pem", signer.cert, root.cert), *file = save_key("k.pem", signer.key, NULL);
	const char *init[] = { "softhsm2-util", "--init-token", "--free", "--label", "lab", "--pin", "1234", "--so-pin",
			       "123456", NULL };
	const char *import[] = { "softhsm2-util", "--import", file, "--token", "lab", "--label", "sign", "--id", "01",
				 "--pin", "1234", NULL };
	g_autofree char *util = g_find_program_in_path("softhsm2-util");
	char pin[] = "1234", wrong[] = "4321";

	if (!util || !g_file_test(SOFTHSM, G_FILE_TEST_EXISTS))
		cr_skip_test("softhsm2 is not installed");
	g_setenv("SOFTHSM2_CONF", conf, TRUE);
	g_mkdir(tokens, 0700);
	cr_assert(runs(init) && runs(import));
	/* the wrong PIN first: once logged in, the whole process is */
	ib_auto_signing_key none = NULL;
	ib_auto_error err = NULL;
	cr_assert_not(ib_signing_key_open(&(struct ib_signing_key_source){ .certificate = cert, .pkcs11_module = SOFTHSM,
		.secret = tell, .user = wrong, .key = "pkcs11:token=lab;object=sign;type=private" }, &none, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_SYSTEM);
	cr_expect_null(strstr(ib_error_cause(err), wrong));
	ib_auto_signing_key key = open_key(&(struct ib_signing_key_source){ .certificate = cert, .pkcs11_module = SOFTHSM,
		.secret = tell, .user = pin, .key = "pkcs11:token=lab;object=sign;type=private" });
	check_signing(key, "token");
}

/* ---- written catalogs ---- */

Test(trust, written_catalog)
{
	uint8_t digests[3][IB_SHA256_SIZE], other[IB_SHA256_SIZE];
	ib_auto_error err = NULL;
	ib_auto_catalog c = NULL;
	ib_auto_catalog_verdict verdict = { 0 };
	g_autoptr(GBytes) one = NULL;
	g_autoptr(GBytes) two = NULL;

	for (uint8_t i = 0; i < 3; i++)
		ib_digest_bytes(IB_DIGEST_SHA256, &i, 1, digests[2 - i]);
	ib_digest_bytes(IB_DIGEST_SHA256, "x", 1, other);
	cr_assert(ib_catalog_write(digests[0], 3, 1632700800, &one, &err));
	cr_assert(ib_catalog_write(digests[0], 3, 1632700800, &two, &err));
	cr_assert(g_bytes_equal(one, two));
	cr_assert(ib_catalog_parse(g_bytes_get_data(one, NULL), g_bytes_get_size(one), "x.cat", &c, &err));
	cr_assert_eq(ib_catalog_count(c), 3);
	cr_assert_eq(ib_catalog_time(c), 1632700800);
	for (size_t i = 0; i < 3; i++)
		cr_assert(ib_catalog_has(c, IB_DIGEST_SHA256, digests[i]));
	cr_assert_not(ib_catalog_has(c, IB_DIGEST_SHA256, other));
	struct ib_anchors *anchors = ib_anchors_new(1632700800);
	cr_assert_not(ib_catalog_verify(c, anchors, &verdict, &err), "a catalog without a signature is trusted");
	cr_assert_eq(ib_error_code(err), IB_ERR_VERIFY);
	ib_anchors_free(anchors);
	ib_auto_error late = NULL;
	cr_assert_not(ib_catalog_write(digests[0], 3, INT64_C(4102444800), &two, &late), "UTCTime ends in 2049");
}
