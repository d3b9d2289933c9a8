/* Writing a catalog: the list of digests, without a signature. DER by hand: a dozen nested headers. */
#include "trust/internal.h"

#include <string.h>

#define SEQUENCE 0x30
#define SET 0x31
#define OCTETS 0x04
#define EXPLICIT_0 0xA0

/* Identifiers, in DER with tag and length. */
#define OID(bytes) { (const uint8_t *)bytes, sizeof(bytes) - 1 }
static const struct { const uint8_t *data; size_t len; }
	oid_signed_data = OID("\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02"),
	oid_trust_list = OID("\x06\x09\x2B\x06\x01\x04\x01\x82\x37\x0A\x01"),
	oid_catalog_list = OID("\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x0C\x01\x01"),
	oid_member_sha256 = OID("\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x0C\x01\x03"),
	oid_indirect_data = OID("\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x02\x01\x04"),
	oid_link = OID("\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x02\x01\x19"),
	oid_sha256 = OID("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01");
/* A link to no file: [2] { [0] empty text }. */
static const uint8_t no_file[] = { 0xA2, 0x02, 0x80, 0x00 };
static const uint8_t null[] = { 0x05, 0x00 };

static void put_head(GByteArray *out, uint8_t tag, size_t len)
{
	uint8_t head[6] = { tag };
	size_t n = 1;

	if (len < 0x80) {
		head[n++] = (uint8_t)len;
	} else {
		unsigned bytes = len < 0x100 ? 1 : len < 0x10000 ? 2 : len < 0x1000000 ? 3 : 4;
		head[n++] = (uint8_t)(0x80 | bytes);
		while (bytes-- > 0)
			head[n++] = (uint8_t)(len >> (8 * bytes));
	}
	g_byte_array_append(out, head, (guint)n);
}

/* Put what `out` holds from `at` on into one more header. */
static void wrap(GByteArray *out, guint at, uint8_t tag)
{
	g_autoptr(GByteArray) head = g_byte_array_new();
	guint len = out->len - at;

	put_head(head, tag, len);
	g_byte_array_append(out, head->data, head->len);
	memmove(out->data + at + head->len, out->data + at, len);
	memcpy(out->data + at, head->data, head->len);
}

static void put(GByteArray *out, const void *data, size_t len)
{
	g_byte_array_append(out, data, (guint)len);
}
#define PUT_OID(out, oid) put(out, (oid).data, (oid).len)

static void put_algorithm(GByteArray *out)
{
	guint at = out->len;

	PUT_OID(out, oid_sha256);
	put(out, null, sizeof(null));
	wrap(out, at, SEQUENCE);
}

/* { tag: the digest, SET { { indirect data, SET { { what it is of, { algorithm, digest } } } } } } */
static void put_member(GByteArray *out, const uint8_t *digest)
{
	guint entry = out->len, attributes, attribute, values, data, inner;

	put_head(out, OCTETS, IB_SHA256_SIZE);
	put(out, digest, IB_SHA256_SIZE);
	attributes = attribute = out->len;
	PUT_OID(out, oid_indirect_data);
	values = data = inner = out->len;
	PUT_OID(out, oid_link);
	put(out, no_file, sizeof(no_file));
	wrap(out, inner, SEQUENCE);
	inner = out->len;
	put_algorithm(out);
	put_head(out, OCTETS, IB_SHA256_SIZE);
	put(out, digest, IB_SHA256_SIZE);
	wrap(out, inner, SEQUENCE);
	wrap(out, data, SEQUENCE);
	wrap(out, values, SET);
	wrap(out, attribute, SEQUENCE);
	wrap(out, attributes, SET);
	wrap(out, entry, SEQUENCE);
}

static bool put_time(GByteArray *out, int64_t time, struct ib_error **err)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(time);
	g_autofree char *text = t ? g_date_time_format(t, "%y%m%d%H%M%SZ") : NULL;

	/* UTCTime reaches from 1950 to 2049 */
	if (!text || g_date_time_get_year(t) < 1950 || g_date_time_get_year(t) > 2049)
		return ib_throw(err, IB_ERR_INPUT, "a catalog cannot carry the time %" PRId64, time);
	put_head(out, 0x17, strlen(text));
	put(out, text, strlen(text));
	return true;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(a, b, IB_SHA256_SIZE);
}

/* Members sorted: the same set gives the same bytes. */
static void put_members(GByteArray *out, const uint8_t *digests, size_t count)
{
	g_autofree uint8_t *sorted = g_memdup2(digests, count * IB_SHA256_SIZE);
	guint at = out->len;

	if (count)
		qsort(sorted, count, IB_SHA256_SIZE, by_digest);
	for (size_t i = 0; i < count; i++)
		put_member(out, sorted + i * IB_SHA256_SIZE);
	wrap(out, at, SEQUENCE);
}

static bool put_list(GByteArray *out, const uint8_t *digests, size_t count, int64_t time, struct ib_error **err)
{
	guint list = out->len, at = out->len;
	uint8_t id[IB_SHA256_SIZE];

	PUT_OID(out, oid_catalog_list);
	wrap(out, at, SEQUENCE);
	ib_digest_bytes(IB_DIGEST_SHA256, digests, count * IB_SHA256_SIZE, id);
	put_head(out, OCTETS, 16);
	put(out, id, 16);
	if (!put_time(out, time, err))
		return false;
	at = out->len;
	PUT_OID(out, oid_member_sha256);
	put(out, null, sizeof(null));
	wrap(out, at, SEQUENCE);
	put_members(out, digests, count);
	wrap(out, list, SEQUENCE);
	return true;
}

bool ib_catalog_write(const uint8_t *digests, size_t count, int64_t time, GBytes **ret, struct ib_error **err)
{
	static const uint8_t version[] = { 0x02, 0x01, 0x01 }, empty_set[] = { SET, 0x00 };
	g_autoptr(GByteArray) out = g_byte_array_new();
	guint content, signed_data;

	if (count > IB_CATALOG_MAX / 256)
		return ib_throw(err, IB_ERR_INPUT, "a catalog of %zu members is too large", count);
	PUT_OID(out, oid_signed_data);
	signed_data = out->len;
	put(out, version, sizeof(version));
	put(out, empty_set, sizeof(empty_set)); /* no algorithms, for there is no signer */
	content = out->len;
	PUT_OID(out, oid_trust_list);
	guint inside = out->len;
	if (!put_list(out, digests, count, time, err))
		return false;
	wrap(out, inside, EXPLICIT_0);
	wrap(out, content, SEQUENCE);
	put(out, empty_set, sizeof(empty_set));
	wrap(out, signed_data, SEQUENCE);
	wrap(out, signed_data, EXPLICIT_0);
	wrap(out, 0, SEQUENCE);
	*ret = g_byte_array_free_to_bytes(g_steal_pointer(&out));
	return true;
}
