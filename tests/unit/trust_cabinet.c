/* Signed cabinets: an authority made here signs one; every byte of it is then wrong once. */
#include "trust/trust.h"

#include <string.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#define T2010 1262304000
#define T2021 1609459200
#define T2022 1640995200
#define T2099 4070908800
#define IN_2021 (T2021 + 86400 * 100)
#define IN_2030 (T2021 + 86400 * 3500)

#define SYSTEM_COMPONENT "1.3.6.1.4.1.311.10.3.6"
#define INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"
/* Where the header says where the signature is, and the cabinet's end. */
#define CAB_SIZE 300u
#define HEADER 60u

struct who {
	X509 *cert;
	EVP_PKEY *key;
};

static struct who root, other_root, signer, wrong_use;

static struct who make(const char *name, struct who *issuer, const char *eku)
{
	static long serial = 1;
	struct who w = { X509_new(), EVP_EC_gen("P-256") };
	struct who *by = issuer ? issuer : &w;
	X509_EXTENSION *x;

	X509_set_version(w.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(w.cert), serial++);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(w.cert), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(w.cert, X509_get_subject_name(by->cert));
	ASN1_TIME_set(X509_getm_notBefore(w.cert), issuer ? T2021 : T2010);
	ASN1_TIME_set(X509_getm_notAfter(w.cert), issuer ? T2022 : T2099);
	X509_set_pubkey(w.cert, w.key);
	x = X509V3_EXT_conf_nid(NULL, NULL, issuer ? NID_ext_key_usage : NID_basic_constraints, issuer ? eku : "critical,CA:TRUE");
	X509_add_ext(w.cert, x, -1);
	X509_EXTENSION_free(x);
	X509_sign(w.cert, by->key, EVP_sha256());
	return w;
}

static void setup(void)
{
	root = make("Lab Root", NULL, NULL);
	other_root = make("Other Root", NULL, NULL);
	signer = make("Lab Signer", &root, SYSTEM_COMPONENT);
	wrong_use = make("Lab Web", &root, "serverAuth");
}

static void teardown(void)
{
	struct who *const all[] = { &root, &other_root, &signer, &wrong_use };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		X509_free(all[i]->cert);
		EVP_PKEY_free(all[i]->key);
	}
}

TestSuite(trust_cabinet, .init = setup, .fini = teardown);

static struct ib_anchors *anchors(const struct who *who, int64_t now)
{
	struct ib_anchors *a = ib_anchors_new(now);
	ib_auto_error err = NULL;
	BIO *b = BIO_new(BIO_s_mem());
	char *p;

	PEM_write_bio_X509(b, who->cert);
	long n = BIO_get_mem_data(b, &p);
	cr_assert(ib_anchors_add(a, p, (size_t)n, "pem", &err));
	BIO_free(b);
	return a;
}

/* A header with a reserved area, and bytes behind it that could be anything: nothing here looks into a cabinet. */
static GByteArray *cabinet(void)
{
	GByteArray *c = g_byte_array_new();

	g_byte_array_set_size(c, CAB_SIZE);
	for (guint i = 0; i < CAB_SIZE; i++)
		c->data[i] = (guint8)(i * 7);
	memcpy(c->data, "MSCF", 4);
	ib_put_le32(c->data + 8, CAB_SIZE);
	ib_put_le16(c->data + 30, 4);
	ib_put_le32(c->data + 36, 20);
	ib_put_le32(c->data + 40, 0x100000);
	ib_put_le32(c->data + 44, CAB_SIZE);
	return c;
}

static void digest_of(const GByteArray *c, uint8_t ret[IB_SHA256_SIZE])
{
	struct ib_digest *d = ib_digest_new(IB_DIGEST_SHA256);

	ib_digest_update(d, c->data, 4);
	ib_digest_update(d, c->data + 8, 26);
	ib_digest_update(d, c->data + 56, CAB_SIZE - 56);
	ib_digest_final(d, ret);
	ib_digest_free(d);
}

/* SPC_INDIRECT_DATA without its own tag and length: what the signature's digest is over. algorithm: hex of its DER */
static GBytes *indirect(const GByteArray *c, const char *algorithm)
{
	uint8_t digest[IB_SHA256_SIZE];

	digest_of(c, digest);
	g_autofree char *hex = ib_hex(digest, sizeof(digest));
	/* { 1.3.6.1.4.1.311.2.1.25 }, { { algorithm, NULL }, digest } */
	g_autofree char *text = g_strdup_printf("300c060a2b06010401823702011930%02zx30%02zx%s05000420%s",
						strlen(algorithm) / 2 + 2 + 2 + 34, strlen(algorithm) / 2 + 2, algorithm, hex);
	return ib_unhex(text, strlen(text));
}

#define SHA256_OID "0609608648016503040201"
#define MD5_OID "06082a864886f70d0205"

static void add_signer(PKCS7 *p7, const struct who *who, GBytes *content)
{
	PKCS7_SIGNER_INFO *si = PKCS7_SIGNER_INFO_new();
	uint8_t digest[IB_SHA256_SIZE];
	gsize len;
	const void *data = g_bytes_get_data(content, &len);

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, digest);
	PKCS7_SIGNER_INFO_set(si, who->cert, who->key, EVP_sha256());
	PKCS7_add_signed_attribute(si, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_txt2obj(INDIRECT_DATA, 1));
	PKCS7_add1_attrib_digest(si, digest, sizeof(digest));
	cr_assert_eq(PKCS7_SIGNER_INFO_sign(si), 1);
	cr_assert_eq(PKCS7_add_signer(p7, si), 1);
	PKCS7_add_certificate(p7, who->cert);
}

/* The cabinet with its signature behind it. */
static GByteArray *signed_by(const struct who *who, const char *algorithm)
{
	GByteArray *c = cabinet();
	g_autoptr(GBytes) content = indirect(c, algorithm);
	PKCS7 *p7 = PKCS7_new(), *inner = PKCS7_new();
	ASN1_STRING *s = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
	uint8_t head[2] = { 0x30, (uint8_t)g_bytes_get_size(content) };
	g_autoptr(GByteArray) whole = g_byte_array_append(g_byte_array_new(), head, sizeof(head));
	unsigned char *der = NULL;

	g_byte_array_append(whole, g_bytes_get_data(content, NULL), (guint)g_bytes_get_size(content));
	ASN1_STRING_set(s, whole->data, (int)whole->len);
	PKCS7_set_type(p7, NID_pkcs7_signed);
	inner->type = OBJ_txt2obj(INDIRECT_DATA, 1);
	inner->d.other = ASN1_TYPE_new();
	ASN1_TYPE_set(inner->d.other, V_ASN1_SEQUENCE, s);
	PKCS7_set_content(p7, inner);
	add_signer(p7, who, content);
	int n = i2d_PKCS7(p7, &der);
	ib_put_le32(c->data + 48, (uint32_t)n);
	g_byte_array_append(c, der, (guint)n);
	OPENSSL_free(der);
	PKCS7_free(p7);
	return c;
}

/* 0: verified; else the error's code. words: of the cause, or NULL */
static enum ib_code judge(const GByteArray *c, const struct ib_anchors *a, const char *words)
{
	g_autoptr(GBytes) bytes = g_bytes_new(c->data, c->len);
	ib_auto_input in = ib_input_from_bytes(bytes, "x.cab");
	ib_auto_signer s = { 0 };
	ib_auto_error err = NULL;

	if (ib_cabinet_verify(in, a, &s, &err)) {
		cr_expect_null(err);
		cr_expect_str_eq(s.subject, "CN=Lab Signer");
		cr_expect_str_eq(s.anchor, "CN=Lab Root");
		return 0;
	}
	cr_assert_not_null(err);
	cr_expect_null(s.subject);
	cr_expect(!words || strstr(ib_error_cause(err), words), "'%s' does not say '%s'", ib_error_cause(err), words);
	cr_expect_not_null(strstr(ib_error_cause(err), "x.cab"), "'%s' names no file", ib_error_cause(err));
	return ib_error_code(err);
}

Test(trust_cabinet, who_signed_and_when)
{
	g_autoptr(GByteArray) good = signed_by(&signer, SHA256_OID), web = signed_by(&wrong_use, SHA256_OID);
	g_autoptr(GByteArray) md5 = signed_by(&signer, MD5_OID);
	struct ib_anchors *then = anchors(&root, IN_2021), *later = anchors(&root, IN_2030), *none = ib_anchors_new(IN_2021),
			  *other = anchors(&other_root, IN_2021);

	cr_expect_eq(judge(good, then, NULL), 0);
	cr_expect_eq(judge(good, later, "expired"), IB_ERR_VERIFY);
	cr_expect_eq(judge(good, none, "is not known"), IB_ERR_VERIFY);
	cr_expect_eq(judge(good, other, "is not known"), IB_ERR_VERIFY);
	cr_expect_eq(judge(web, then, NULL), IB_ERR_VERIFY);
	cr_expect_eq(judge(md5, then, "no SHA-1 or SHA-256"), IB_ERR_INPUT);
	struct ib_anchors *const all[] = { then, later, none, other };
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		ib_anchors_free(all[i]);
}

/* A field of the header, what is written into it, and what must come of it. */
Test(trust_cabinet, headers)
{
	static const struct {
		guint at, size;
		uint32_t value;
		enum ib_code code;
		const char *words;
	} rows[] = {
		{ 0, 4, 0x46435358, IB_ERR_INPUT, "is no cabinet" },
		{ 30, 2, 0, IB_ERR_VERIFY, "is not signed" },
		{ 36, 2, 19, IB_ERR_VERIFY, "is not signed" },
		{ 36, 2, 21, IB_ERR_VERIFY, "is not signed" },
		{ 44, 4, 0, IB_ERR_VERIFY, "is not signed" },
		{ 48, 4, 0, IB_ERR_VERIFY, "is not signed" },
		{ 44, 4, 59, IB_ERR_INPUT, "is said to be at byte 59" },
		{ 44, 4, 0xffffffff, IB_ERR_INPUT, "is said to be at byte 4294967295" },
		{ 48, 4, 0xffffffff, IB_ERR_INPUT, "4294967295 bytes" },
		{ 48, 4, 0x7fffffff, IB_ERR_INPUT, "2147483647 bytes" },
		{ 44, 4, CAB_SIZE - 1, IB_ERR_VERIFY, "ends at byte 300" },
		{ 8, 4, CAB_SIZE - 1, IB_ERR_VERIFY, "ends at byte 299" },
		{ 48, 4, 1, IB_ERR_INPUT, "malformed" },
	};
	struct ib_anchors *a = anchors(&root, IN_2021);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) c = signed_by(&signer, SHA256_OID);
		if (rows[i].size == 2)
			ib_put_le16(c->data + rows[i].at, (uint16_t)rows[i].value);
		else
			ib_put_le32(c->data + rows[i].at, rows[i].value);
		cr_expect_eq(judge(c, a, rows[i].words), rows[i].code, "row %zu", i);
	}
	ib_anchors_free(a);
}

/* What the digest leaves out: the checksum, the number in a set, and in the reserved area what is not looked at. */
static bool is_left_out(guint at)
{
	return (at >= 4 && at < 8) || at == 34 || at == 35 || (at >= 38 && at < 44) || (at >= 52 && at < 56);
}

Test(trust_cabinet, every_byte_counts)
{
	g_autoptr(GByteArray) c = signed_by(&signer, SHA256_OID);
	struct ib_anchors *a = anchors(&root, IN_2021);

	for (guint at = 0; at < CAB_SIZE; at++) {
		c->data[at] ^= 0x40;
		enum ib_code code = judge(c, a, NULL);
		cr_expect((code == 0) == is_left_out(at), "byte %u: %d", at, (int)code);
		c->data[at] ^= 0x40;
	}
	/* The signature's own bytes: whatever is still taken is by the same signer. */
	for (guint at = CAB_SIZE; at < c->len; at++) {
		c->data[at] ^= 0x01;
		(void)judge(c, a, NULL);
		c->data[at] ^= 0x01;
	}
	cr_expect_eq(judge(c, a, NULL), 0);
	ib_anchors_free(a);
}

Test(trust_cabinet, cut_anywhere)
{
	g_autoptr(GByteArray) c = signed_by(&signer, SHA256_OID);
	struct ib_anchors *a = anchors(&root, IN_2021);

	while (c->len > 0) {
		g_byte_array_set_size(c, c->len - 1);
		cr_expect_eq(judge(c, a, NULL), IB_ERR_INPUT, "cut to %u bytes", c->len);
	}
	ib_anchors_free(a);
}
