/* The signature of a cabinet (Authenticode). */
#include "trust/internal.h"

#include <string.h>

#include <openssl/err.h>

#define OID_INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"

/* Header of a cabinet with a reserved area of 20 bytes: CFHEADER, then cbCFHeader, cbCFFolder, cbCFData. */
#define HEADER_SIZE 60
#define RESERVED_SIZE 20
#define FLAG_RESERVE 0x4u
/* A signature with its certificates and stamp has some 10 KiB. */
#define SIGNATURE_MAX (4u << 20)
#define BUFFER_SIZE (1u << 20)

struct cabinet {
	struct ib_input *in;
	uint8_t head[HEADER_SIZE];
	uint64_t at, size; /* of the signature */
};

static bool read_header(struct cabinet *c, struct ib_error **err)
{
	const char *name = ib_input_name(c->in);
	uint64_t total = ib_input_size(c->in);

	if (total < HEADER_SIZE || !ib_input_read(c->in, 0, c->head, HEADER_SIZE, err))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no cabinet: it has %" PRIu64 " bytes", name, total);
	if (memcmp(c->head, "MSCF", 4) != 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no cabinet", name);
	c->at = ib_le32(c->head + 44);
	c->size = ib_le32(c->head + 48);
	bool reserved = (ib_le16(c->head + 30) & FLAG_RESERVE) && ib_le16(c->head + 36) == RESERVED_SIZE;
	if (!reserved || c->at == 0 || c->size == 0)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' is not signed", name);
	if (c->at < HEADER_SIZE || c->at > total || c->size > total - c->at || c->size > SIGNATURE_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the signature of '%s' is said to be at byte %" PRIu64 " and to have %" PRIu64
				" bytes, the file has %" PRIu64, name, c->at, c->size, total);
	/* What lies between the cabinet and its signature would be covered by nothing. */
	if (c->at != ib_le32(c->head + 8))
		return ib_throw(err, IB_ERR_VERIFY, "the cabinet '%s' ends at byte %u, its signature begins at %" PRIu64, name,
				ib_le32(c->head + 8), c->at);
	return true;
}

static bool digest_range(struct ib_digest *d, struct ib_input *in, uint64_t from, uint64_t to, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(BUFFER_SIZE);

	for (; from < to; from += MIN(BUFFER_SIZE, to - from)) {
		size_t n = (size_t)MIN(BUFFER_SIZE, to - from);
		if (!ib_input_read(in, from, buf, n, err))
			return false;
		ib_digest_update(d, buf, n);
	}
	return true;
}

static bool check_digest(struct cabinet *c, const struct ib_catalog_member *want, struct ib_error **err)
{
	const struct {
		uint64_t from, to;
	} ranges[] = { { 0, 4 }, { 8, 34 }, { 56, 60 }, { 60, c->at } };
	struct ib_digest *d = ib_digest_new(want->algorithm);
	uint8_t have[IB_DIGEST_MAX] = { 0 };
	bool ok = true;

	for (size_t i = 0; ok && i < G_N_ELEMENTS(ranges); i++)
		ok = digest_range(d, c->in, ranges[i].from, ranges[i].to, err);
	if (ok)
		ib_digest_final(d, have);
	ib_digest_free(d);
	if (!ok)
		return false;
	if (memcmp(have, want->digest, ib_digest_size(want->algorithm)) == 0)
		return true;
	return ib_throw(err, IB_ERR_VERIFY, "the cabinet '%s' was changed: its digest is not the signed one",
			ib_input_name(c->in));
}

/* The signed digest, and whose it is. */
static bool check_signature(struct cabinet *c, PKCS7 *p7, const struct ib_anchors *anchors, struct ib_signer *ret,
			    struct ib_error **err)
{
	struct ib_signed_list l = { .name = ib_input_name(c->in), .kind = "a signed cabinet", .p7 = p7 };
	struct ib_catalog_member digest = { 0 };
	ib_auto_signer signer = { 0 };
	const uint8_t *der;
	size_t size;

	if (!ib_signed_list_find(&l, OID_INDIRECT_DATA, "digest", &der, &size, err))
		return false;
	if (!ib_indirect_digest(p7->d.sign->contents->d.other, &digest))
		return ib_throw(err, IB_ERR_INPUT, "the signature of '%s' holds no SHA-1 or SHA-256", l.name);
	if (!ib_signed_list_verify(&l, anchors, &signer, err) || !check_digest(c, &digest, err))
		return false;
	*ret = signer;
	memset(&signer, 0, sizeof(signer));
	return true;
}

bool ib_cabinet_verify(struct ib_input *in, const struct ib_anchors *anchors, struct ib_signer *ret, struct ib_error **err)
{
	struct cabinet c = { .in = in };
	g_autofree uint8_t *der = NULL;

	if (!read_header(&c, err))
		return false;
	der = g_malloc(c.size);
	if (!ib_input_read(in, c.at, der, (size_t)c.size, err))
		return false;
	const unsigned char *p = der;
	PKCS7 *p7 = d2i_PKCS7(NULL, &p, (long)c.size);
	bool ok = p7 ? check_signature(&c, p7, anchors, ret, err)
		     : ib_throw(err, IB_ERR_INPUT, "the signature of '%s' is malformed: %s", ib_input_name(in), ib_ossl_reason());
	PKCS7_free(p7);
	ERR_clear_error();
	return ok;
}
