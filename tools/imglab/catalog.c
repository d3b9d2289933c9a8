#include "catalog.h"

#include "der.h"
#include "digest/digest.h"
#include "pe.h"

#include <string.h>

#define OID_SIGNED_DATA "1.2.840.113549.1.7.2"
#define OID_SHA256 "2.16.840.1.101.3.4.2.1"
#define OID_RSA "1.2.840.113549.1.1.1"
#define OID_CONTENT_TYPE "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST "1.2.840.113549.1.9.4"
#define OID_SIGNING_CERTIFICATE_V2 "1.2.840.113549.1.9.16.2.47"
#define OID_TST_INFO "1.2.840.113549.1.9.16.1.4"

/* Microsoft's, as they stand in a real update.cat */
#define OID_CTL "1.3.6.1.4.1.311.10.1"
#define OID_CATALOG_LIST "1.3.6.1.4.1.311.12.1.1"
#define OID_LIST_MEMBER_V2 "1.3.6.1.4.1.311.12.1.3" /* list with SHA-256 members */
#define OID_NAME_VALUE "1.3.6.1.4.1.311.12.2.1"
#define OID_MEMBER_INFO "1.3.6.1.4.1.311.12.2.3"
#define OID_INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"
#define OID_FLAT_FILE "1.3.6.1.4.1.311.2.1.25"
#define OID_PE_IMAGE "1.3.6.1.4.1.311.2.1.15"
#define OID_STATEMENT_TYPE "1.3.6.1.4.1.311.2.1.11"
#define OID_OPUS_INFO "1.3.6.1.4.1.311.2.1.12"
#define OID_INDIVIDUAL_SIGNING "1.3.6.1.4.1.311.2.1.21"
#define OID_RFC3161_TOKEN "1.3.6.1.4.1.311.3.3.1"

/* An arc for examples (RFC 7229 test policies); nobody's real policy. */
#define OID_TSA_POLICY "1.3.6.1.5.5.7.13.1"

#define SUPPORTED_SYSTEMS "2:10.0,2:6.3,2:6.2,2:6.1,2:6.0,2:5.2,2:5.1"

struct lab_catalog {
	char *package;
	GTree *members; /* hex of the tag -> struct member; sorted */
};

struct member {
	uint8_t digest[IB_DIGEST_MAX];
	size_t size;
	bool program; /* the digest is an Authenticode one */
	char *hint;   /* path of payload, or NULL */
};

static void member_free(void *p)
{
	struct member *m = p;

	g_free(m->hint);
	g_free(m);
}

static int compare_keys(const void *a, const void *b, void *data)
{
	return strcmp(a, b);
}

struct lab_catalog *lab_catalog_new(const char *package)
{
	struct lab_catalog *cat = g_new0(struct lab_catalog, 1);

	cat->package = g_strdup(package);
	cat->members = g_tree_new_full(compare_keys, NULL, g_free, member_free);
	return cat;
}

void lab_catalog_free(struct lab_catalog *cat)
{
	if (!cat)
		return;
	g_free(cat->package);
	g_tree_unref(cat->members);
	g_free(cat);
}

void lab_catalog_clear(struct lab_catalog **cat)
{
	lab_catalog_free(*cat);
	*cat = NULL;
}

void lab_catalog_add_file(struct lab_catalog *cat, const char *path, const void *data, size_t len)
{
	const enum ib_digest_algorithm algorithms[] = { IB_DIGEST_SHA1, IB_DIGEST_SHA256 };

	for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++) {
		struct member *m = g_new0(struct member, 1);

		m->size = ib_digest_size(algorithms[i]);
		m->program = path && lab_pe_digest(data, len, algorithms[i], m->digest);
		m->hint = g_strdup(path);
		if (!m->program)
			ib_digest_bytes(algorithms[i], data, len, m->digest);
		char *tag = ib_hex(m->digest, m->size);
		if (!g_tree_lookup(cat->members, tag)) {
			g_tree_insert(cat->members, tag, m);
			continue;
		}
		g_free(tag);
		member_free(m);
	}
}

void lab_catalog_add(struct lab_catalog *cat, const void *data, size_t len)
{
	lab_catalog_add_file(cat, NULL, data, len);
}

/* What was digested: a flat file, or a program's image (with resources and imports). */
static GByteArray *subject_kind(bool program)
{
	static const uint8_t flags[] = { 5, 0xa0 }; /* BIT STRING: five unused bits */
	GByteArray *link = lab_der(LAB_DER_EXPLICIT + 2, lab_der_bytes(LAB_DER_CONTEXT + 0, "", 0), NULL);

	if (!program)
		return lab_der(LAB_DER_SEQUENCE, lab_der_oid(OID_FLAT_FILE), link, NULL);
	GByteArray *image = lab_der(LAB_DER_SEQUENCE, lab_der_bytes(LAB_DER_BITS, flags, sizeof(flags)),
				    lab_der(LAB_DER_EXPLICIT + 0, link, NULL), NULL);
	return lab_der(LAB_DER_SEQUENCE, lab_der_oid(OID_PE_IMAGE), image, NULL);
}

/* SPC_INDIRECT_DATA: what it is, and its digest once more. */
static GByteArray *indirect_data(const struct member *m)
{
	GByteArray *digest = lab_der(LAB_DER_SEQUENCE, lab_der_algorithm(OID_SHA256),
				     lab_der_bytes(LAB_DER_OCTETS, m->digest, m->size), NULL);

	return lab_der_attribute(OID_INDIRECT_DATA,
				 lab_der(LAB_DER_SEQUENCE, subject_kind(m->program), digest, NULL));
}

/* Name, flags and the value as NUL-ended UTF-16LE. */
static GByteArray *name_value(const char *name, uint32_t flags, const char *value)
{
	size_t bytes;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(value, &bytes);
	g_autofree uint8_t *ended = g_malloc0(bytes + 2);

	memcpy(ended, wide, bytes);
	return lab_der(LAB_DER_SEQUENCE, lab_der_bmp(LAB_DER_BMPSTRING, name), lab_der_uint(flags),
		       lab_der_bytes(LAB_DER_OCTETS, ended, bytes + 2), NULL);
}

/* SHA-1 members have only the member info, SHA-256 members indirect data and hint too. */
static GByteArray *encode_member(const struct member *m)
{
	g_autoptr(GPtrArray) attributes = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	GByteArray *info = lab_der_bytes(LAB_DER_CONTEXT + (m->program ? 0 : 2), "", 0);

	g_ptr_array_add(attributes, lab_der_attribute(OID_MEMBER_INFO, info));
	if (m->size == IB_SHA256_SIZE) {
		g_ptr_array_add(attributes, indirect_data(m));
		if (m->hint)
			g_ptr_array_add(attributes,
					lab_der_attribute(OID_NAME_VALUE, name_value("Hint", 0x10010001, m->hint)));
	}
	lab_der_sort(attributes);
	return lab_der(LAB_DER_SEQUENCE, lab_der_bytes(LAB_DER_OCTETS, m->digest, m->size),
		       lab_der_list(LAB_DER_SET, attributes), NULL);
}

static int add_member(void *key, void *member, void *parts)
{
	g_ptr_array_add(parts, encode_member(member));
	return 0;
}

static GByteArray *extension(const char *name, const char *value)
{
	g_autoptr(GByteArray) pair = name_value(name, 0x10001, value);

	return lab_der(LAB_DER_SEQUENCE, lab_der_oid(OID_NAME_VALUE),
		       lab_der_bytes(LAB_DER_OCTETS, pair->data, pair->len), NULL);
}

/* The parts of the certificate trust list, without the SEQUENCE around them. */
static GByteArray *trust_list(const struct lab_catalog *cat, int64_t when)
{
	g_autoptr(GPtrArray) members = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	uint8_t id[IB_SHA256_SIZE];

	g_tree_foreach(cat->members, add_member, members);
	GByteArray *entries = lab_der_list(LAB_DER_SEQUENCE, members);
	/* Microsoft's identifier is a random GUID; ours follows from the content. */
	ib_digest_bytes(IB_DIGEST_SHA256, entries->data, entries->len, id);
	GByteArray *extensions = lab_der(LAB_DER_EXPLICIT + 0,
					 lab_der(LAB_DER_SEQUENCE, extension("OSAttr", SUPPORTED_SYSTEMS),
						 extension("PackageName", cat->package), NULL),
					 NULL);
	return lab_der(LAB_DER_SEQUENCE, lab_der(LAB_DER_SEQUENCE, lab_der_oid(OID_CATALOG_LIST), NULL),
		       lab_der_bytes(LAB_DER_OCTETS, id, 16), lab_der_time(LAB_DER_UTCTIME, when),
		       lab_der_algorithm(OID_LIST_MEMBER_V2), entries, extensions, NULL);
}

/* What makes one SignedData differ from another. The arrays and content are borrowed. */
struct signed_data {
	unsigned version;
	const char *content_type;
	GByteArray *content;     /* with its tag: a SEQUENCE in a catalog, OCTETS in a token */
	size_t digest_from;      /* where in content the digested octets begin */
	GPtrArray *attributes;   /* signed ones beside content type and digest; GByteArray */
	GByteArray *(*unsigned_attribute)(const struct lab_pki *pki, GBytes *signature, int64_t when,
					  struct ib_error **err); /* NULL: none */
	int64_t when;
	enum lab_signer signer;
};

static size_t header_size(const GByteArray *der)
{
	return der->data[1] < 0x80 ? 2 : 2 + (size_t)(der->data[1] & 0x7f);
}

static GByteArray *certificates(const struct lab_pki *pki, enum lab_signer signer)
{
	g_autoptr(GPtrArray) chain = lab_pki_chain(pki, signer);
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);

	for (guint i = 0; i < chain->len; i++)
		g_ptr_array_add(parts, lab_der_raw(g_ptr_array_index(chain, i)));
	lab_der_sort(parts);
	return lab_der_list(LAB_DER_EXPLICIT + 0, parts);
}

static GByteArray *issuer_and_serial(const struct lab_pki *pki, enum lab_signer signer)
{
	g_autoptr(GBytes) issuer = lab_pki_issuer(pki, signer);
	g_autoptr(GBytes) serial = lab_pki_serial(pki, signer);

	return lab_der(LAB_DER_SEQUENCE, lab_der_raw(issuer), lab_der_raw(serial), NULL);
}

/* The signed attributes as a SET, which is what the signature covers. */
static GByteArray *signed_attributes(const struct signed_data *sd)
{
	uint8_t digest[IB_SHA256_SIZE];

	ib_digest_bytes(IB_DIGEST_SHA256, sd->content->data + sd->digest_from, sd->content->len - sd->digest_from,
			digest);
	g_ptr_array_add(sd->attributes, lab_der_attribute(OID_CONTENT_TYPE, lab_der_oid(sd->content_type)));
	g_ptr_array_add(sd->attributes, lab_der_attribute(OID_MESSAGE_DIGEST,
							  lab_der_bytes(LAB_DER_OCTETS, digest, sizeof(digest))));
	lab_der_sort(sd->attributes);
	return lab_der_list(LAB_DER_SET, sd->attributes);
}

static GByteArray *signer_info(const struct lab_pki *pki, const struct signed_data *sd, struct ib_error **err)
{
	g_autoptr(GByteArray) attributes = signed_attributes(sd);
	g_autoptr(GBytes) signature = NULL;
	GByteArray *extra = NULL;

	if (!lab_pki_sign(pki, sd->signer, attributes->data, attributes->len, &signature, err))
		return NULL;
	if (sd->unsigned_attribute && !(extra = sd->unsigned_attribute(pki, signature, sd->when, err)))
		return NULL;
	/* In the file the SET becomes an implicit [0]. */
	GByteArray *implicit = g_byte_array_append(g_byte_array_new(), attributes->data, attributes->len);
	implicit->data[0] = LAB_DER_EXPLICIT + 0;
	gsize size;
	const void *sig = g_bytes_get_data(signature, &size);
	return lab_der(LAB_DER_SEQUENCE, lab_der_uint(1), issuer_and_serial(pki, sd->signer),
		       lab_der_algorithm(OID_SHA256), implicit, lab_der_algorithm(OID_RSA),
		       lab_der_bytes(LAB_DER_OCTETS, sig, size), extra, NULL);
}

static GByteArray *encode_signed_data(const struct lab_pki *pki, const struct signed_data *sd, struct ib_error **err)
{
	GByteArray *signer = signer_info(pki, sd, err);

	if (!signer)
		return NULL;
	GByteArray *content = g_byte_array_append(g_byte_array_new(), sd->content->data, sd->content->len);
	GByteArray *body = lab_der(LAB_DER_SEQUENCE, lab_der_uint(sd->version),
				   lab_der(LAB_DER_SET, lab_der_algorithm(OID_SHA256), NULL),
				   lab_der(LAB_DER_SEQUENCE, lab_der_oid(sd->content_type),
					   lab_der(LAB_DER_EXPLICIT + 0, content, NULL), NULL),
				   certificates(pki, sd->signer), lab_der(LAB_DER_SET, signer, NULL), NULL);

	return lab_der(LAB_DER_SEQUENCE, lab_der_oid(OID_SIGNED_DATA), lab_der(LAB_DER_EXPLICIT + 0, body, NULL), NULL);
}

/* TSTInfo of RFC 3161 over a signature; its serial number follows from what is stamped. */
static GByteArray *stamp_info(const struct lab_pki *pki, GBytes *signature, int64_t when)
{
	g_autoptr(GBytes) subject = lab_pki_subject(pki, LAB_SIGNER_TSA);
	uint8_t digest[IB_SHA256_SIZE];
	gsize size;
	const void *data = g_bytes_get_data(signature, &size);

	ib_digest_bytes(IB_DIGEST_SHA256, data, size, digest);
	GByteArray *imprint = lab_der(LAB_DER_SEQUENCE, lab_der_algorithm(OID_SHA256),
				      lab_der_bytes(LAB_DER_OCTETS, digest, sizeof(digest)), NULL);
	GByteArray *directory = lab_der(LAB_DER_EXPLICIT + 4, lab_der_raw(subject), NULL);
	GByteArray *name = lab_der(LAB_DER_EXPLICIT + 0, directory, NULL);
	return lab_der(LAB_DER_SEQUENCE, lab_der_uint(1), lab_der_oid(OID_TSA_POLICY), imprint,
		       lab_der_uint(ib_be32(digest)), lab_der_time(LAB_DER_GENTIME, when), name, NULL);
}

/* ESS signing certificate, version 2 (RFC 5035): which certificate stamped. */
static GByteArray *signing_certificate(const struct lab_pki *pki)
{
	g_autoptr(GPtrArray) chain = lab_pki_chain(pki, LAB_SIGNER_TSA);
	uint8_t digest[IB_SHA256_SIZE];
	gsize size;
	const void *data = g_bytes_get_data(g_ptr_array_index(chain, 0), &size);

	ib_digest_bytes(IB_DIGEST_SHA256, data, size, digest);
	GByteArray *id = lab_der(LAB_DER_SEQUENCE, lab_der_bytes(LAB_DER_OCTETS, digest, sizeof(digest)), NULL);
	return lab_der_attribute(OID_SIGNING_CERTIFICATE_V2,
				 lab_der(LAB_DER_SEQUENCE, lab_der(LAB_DER_SEQUENCE, id, NULL), NULL));
}

static GByteArray *stamp_attribute(const struct lab_pki *pki, GBytes *signature, int64_t when, struct ib_error **err)
{
	g_autoptr(GPtrArray) attributes = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	g_autoptr(GByteArray) info = stamp_info(pki, signature, when);
	g_autoptr(GByteArray) content = lab_der_bytes(LAB_DER_OCTETS, info->data, info->len);

	g_ptr_array_add(attributes, signing_certificate(pki));
	const struct signed_data sd = {
		.version = 3,
		.content_type = OID_TST_INFO,
		.content = content,
		.digest_from = header_size(content),
		.attributes = attributes,
		.when = when,
		.signer = LAB_SIGNER_TSA,
	};
	GByteArray *token = encode_signed_data(pki, &sd, err);
	if (!token)
		return NULL;
	return lab_der(LAB_DER_EXPLICIT + 1, lab_der_attribute(OID_RFC3161_TOKEN, token), NULL);
}

static GByteArray *opus_info(void)
{
	static const char address[] = "http://imglab.invalid/";
	GByteArray *name = lab_der(LAB_DER_EXPLICIT + 0, lab_der_bmp(LAB_DER_CONTEXT + 0, "Imglab"), NULL);
	GByteArray *more = lab_der(LAB_DER_EXPLICIT + 1,
				   lab_der_bytes(LAB_DER_CONTEXT + 0, address, sizeof(address) - 1), NULL);

	return lab_der_attribute(OID_OPUS_INFO, lab_der(LAB_DER_SEQUENCE, name, more, NULL));
}

/* What every signature of ours says beside the digest. */
static void add_statements(GPtrArray *attributes)
{
	g_ptr_array_add(attributes, opus_info());
	g_ptr_array_add(attributes,
			lab_der_attribute(OID_STATEMENT_TYPE,
					  lab_der(LAB_DER_SEQUENCE, lab_der_oid(OID_INDIVIDUAL_SIGNING), NULL)));
}

static bool sign_catalog(const struct lab_catalog *cat, const struct lab_pki *pki, enum lab_signer signer, int64_t when,
			 bool stamped, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) attributes = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	g_autoptr(GByteArray) list = trust_list(cat, when);

	add_statements(attributes);
	const struct signed_data sd = {
		.version = 1,
		.content_type = OID_CTL,
		.content = list,
		.digest_from = header_size(list),
		.attributes = attributes,
		.unsigned_attribute = stamped ? stamp_attribute : NULL,
		.when = when,
		.signer = signer,
	};
	GByteArray *der = encode_signed_data(pki, &sd, err);
	if (!der)
		return ib_while(err, "signing the catalog of '%s'", cat->package);
	*ret = g_byte_array_free_to_bytes(der);
	return true;
}

bool lab_catalog_sign(const struct lab_catalog *cat, const struct lab_pki *pki, enum lab_signer signer,
		      int64_t when, GBytes **ret, struct ib_error **err)
{
	return sign_catalog(cat, pki, signer, when, true, ret, err);
}

bool lab_catalog_sign_unstamped(const struct lab_catalog *cat, const struct lab_pki *pki, enum lab_signer signer,
				int64_t when, GBytes **ret, struct ib_error **err)
{
	return sign_catalog(cat, pki, signer, when, false, ret, err);
}

/* ---- cabinets ---- */

/* Bytes put into the header: three sizes, then the reserved area. */
#define CAB_EXTRA 24u
#define CAB_HEADER 36u

/* The cabinet with room for a signature: all offsets in it move. The caller frees. */
static GByteArray *make_room(GBytes *cab)
{
	GByteArray *out = g_byte_array_new();
	uint8_t extra[CAB_EXTRA] = { 20, 0, 0, 0, 0, 0, 0x10 };
	gsize len;
	const uint8_t *p = g_bytes_get_data(cab, &len);

	g_byte_array_append(out, p, CAB_HEADER);
	g_byte_array_append(out, extra, sizeof(extra));
	g_byte_array_append(out, p + CAB_HEADER, (guint)(len - CAB_HEADER));
	uint8_t *h = out->data;
	ib_put_le32(h + 8, (uint32_t)out->len);
	ib_put_le32(h + 16, ib_le32(h + 16) + CAB_EXTRA);
	ib_put_le16(h + 30, (uint16_t)(ib_le16(h + 30) | 4));
	for (unsigned i = 0; i < ib_le16(h + 26); i++)
		ib_put_le32(h + CAB_HEADER + CAB_EXTRA + 8 * i, ib_le32(h + CAB_HEADER + CAB_EXTRA + 8 * i) + CAB_EXTRA);
	return out;
}

/* All but the checksum, the number in a set and the area itself. */
static void cabinet_digest(const GByteArray *cab, uint8_t ret[IB_SHA256_SIZE])
{
	struct ib_digest *d = ib_digest_new(IB_DIGEST_SHA256);

	ib_digest_update(d, cab->data, 4);
	ib_digest_update(d, cab->data + 8, 26);
	ib_digest_update(d, cab->data + 56, cab->len - 56);
	ib_digest_final(d, ret);
	ib_digest_free(d);
}

bool lab_cabinet_sign(GBytes *cab, const struct lab_pki *pki, enum lab_signer signer, int64_t when, GBytes **ret,
		      struct ib_error **err)
{
	g_autoptr(GPtrArray) attributes = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	g_autoptr(GByteArray) out = make_room(cab);
	struct member m = { .size = IB_SHA256_SIZE };

	cabinet_digest(out, m.digest);
	GByteArray *digest = lab_der(LAB_DER_SEQUENCE, lab_der_algorithm(OID_SHA256),
				     lab_der_bytes(LAB_DER_OCTETS, m.digest, m.size), NULL);
	g_autoptr(GByteArray) content = lab_der(LAB_DER_SEQUENCE, subject_kind(false), digest, NULL);
	add_statements(attributes);
	const struct signed_data sd = {
		.version = 1, .content_type = OID_INDIRECT_DATA, .content = content, .digest_from = header_size(content),
		.attributes = attributes, .unsigned_attribute = stamp_attribute, .when = when, .signer = signer,
	};
	g_autoptr(GByteArray) der = encode_signed_data(pki, &sd, err);
	if (!der)
		return ib_while(err, "signing a cabinet");
	ib_put_le32(out->data + 44, (uint32_t)out->len);
	ib_put_le32(out->data + 48, (uint32_t)der->len);
	g_byte_array_append(out, der->data, der->len);
	*ret = g_bytes_new(out->data, out->len);
	return true;
}
