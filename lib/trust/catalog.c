/*
 * Reading catalogs. The structure is that of a real update.cat:
 *
 *     SignedData, content type 1.3.6.1.4.1.311.10.1, content a SEQUENCE (not an OCTET STRING):
 *       version?  usage  identifier?  sequence number?  this update  next update?  algorithm
 *       { tag, SET OF attribute }*  [0] extensions
 */
#include "trust/internal.h"

#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>

#define OID_CTL "1.3.6.1.4.1.311.10.1"
#define OID_CATALOG_LIST "1.3.6.1.4.1.311.12.1.1"
#define OID_NAME_VALUE "1.3.6.1.4.1.311.12.2.1"
#define OID_INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"

/* Most list attributes; real catalogs have two or three. */
#define ATTRIBUTES_MAX 256

typedef struct {
	ASN1_OCTET_STRING *tag;
	STACK_OF(X509_ATTRIBUTE) *attributes;
} LIST_ENTRY;

DEFINE_STACK_OF(LIST_ENTRY)

typedef struct {
	ASN1_INTEGER *version;
	STACK_OF(ASN1_OBJECT) *usage;
	ASN1_OCTET_STRING *identifier;
	ASN1_INTEGER *sequence;
	ASN1_TIME *this_update;
	ASN1_TIME *next_update;
	X509_ALGOR *algorithm;
	STACK_OF(LIST_ENTRY) *entries;
	STACK_OF(X509_EXTENSION) *extensions;
} TRUST_LIST;

typedef struct {
	ASN1_BMPSTRING *name;
	ASN1_INTEGER *flags;
	ASN1_OCTET_STRING *value;
} NAME_VALUE;

typedef struct {
	ASN1_TYPE *what;
	X509_SIG *digest;
} INDIRECT_DATA;

ASN1_SEQUENCE(LIST_ENTRY) = {
	ASN1_SIMPLE(LIST_ENTRY, tag, ASN1_OCTET_STRING),
	ASN1_SET_OF_OPT(LIST_ENTRY, attributes, X509_ATTRIBUTE),
} static_ASN1_SEQUENCE_END(LIST_ENTRY)

ASN1_SEQUENCE(TRUST_LIST) = {
	ASN1_OPT(TRUST_LIST, version, ASN1_INTEGER),
	ASN1_SEQUENCE_OF(TRUST_LIST, usage, ASN1_OBJECT),
	ASN1_OPT(TRUST_LIST, identifier, ASN1_OCTET_STRING),
	ASN1_OPT(TRUST_LIST, sequence, ASN1_INTEGER),
	ASN1_SIMPLE(TRUST_LIST, this_update, ASN1_TIME),
	ASN1_OPT(TRUST_LIST, next_update, ASN1_TIME),
	ASN1_SIMPLE(TRUST_LIST, algorithm, X509_ALGOR),
	ASN1_SEQUENCE_OF_OPT(TRUST_LIST, entries, LIST_ENTRY),
	ASN1_EXP_SEQUENCE_OF_OPT(TRUST_LIST, extensions, X509_EXTENSION, 0),
} static_ASN1_SEQUENCE_END(TRUST_LIST)

ASN1_SEQUENCE(NAME_VALUE) = {
	ASN1_SIMPLE(NAME_VALUE, name, ASN1_BMPSTRING),
	ASN1_SIMPLE(NAME_VALUE, flags, ASN1_INTEGER),
	ASN1_SIMPLE(NAME_VALUE, value, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(NAME_VALUE)

ASN1_SEQUENCE(INDIRECT_DATA) = {
	ASN1_SIMPLE(INDIRECT_DATA, what, ASN1_ANY),
	ASN1_SIMPLE(INDIRECT_DATA, digest, X509_SIG),
} static_ASN1_SEQUENCE_END(INDIRECT_DATA)

static bool is_oid(const ASN1_OBJECT *o, const char *dotted)
{
	char text[80];

	return o && OBJ_obj2txt(text, sizeof(text), o, 1) > 0 && strcmp(text, dotted) == 0;
}

/* ---- members ---- */

static int compare_members(const void *a, const void *b)
{
	const struct ib_catalog_member *x = a, *y = b;

	if (x->algorithm != y->algorithm)
		return x->algorithm < y->algorithm ? -1 : 1;
	return memcmp(x->digest, y->digest, sizeof(x->digest));
}

static bool by_size(size_t size, enum ib_digest_algorithm *ret)
{
	if (size != IB_SHA1_SIZE && size != IB_SHA256_SIZE)
		return false;
	*ret = size == IB_SHA1_SIZE ? IB_DIGEST_SHA1 : IB_DIGEST_SHA256;
	return true;
}

static bool set_member(struct ib_catalog_member *m, const uint8_t *digest, size_t size)
{
	if (!by_size(size, &m->algorithm))
		return false;
	memcpy(m->digest, digest, size);
	return true;
}

/* The digest in the entry's indirect data, if it has one of a kind we know. */
bool ib_indirect_digest(const ASN1_TYPE *value, struct ib_catalog_member *ret)
{
	if (!value || value->type != V_ASN1_SEQUENCE)
		return false;
	INDIRECT_DATA *data = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(INDIRECT_DATA), value);
	if (!data)
		return false;
	const X509_ALGOR *algorithm;
	const ASN1_OCTET_STRING *digest;
	X509_SIG_get0(data->digest, &algorithm, &digest);
	int nid = OBJ_obj2nid(algorithm->algorithm);
	size_t size = (size_t)ASN1_STRING_length(digest);
	bool known = (nid == NID_sha1 && size == IB_SHA1_SIZE) || (nid == NID_sha256 && size == IB_SHA256_SIZE);
	bool ok = known && set_member(ret, ASN1_STRING_get0_data(digest), size);
	ASN1_item_free((ASN1_VALUE *)data, ASN1_ITEM_rptr(INDIRECT_DATA));
	return ok;
}

static bool member_from_attribute(X509_ATTRIBUTE *a, struct ib_catalog_member *ret)
{
	return is_oid(X509_ATTRIBUTE_get0_object(a), OID_INDIRECT_DATA) &&
	       ib_indirect_digest(X509_ATTRIBUTE_get0_type(a, 0), ret);
}

/* The entry's tag: the digest's bytes, or its hex text in UTF-16LE with a NUL behind. */
static bool member_from_tag(const ASN1_OCTET_STRING *tag, struct ib_catalog_member *ret)
{
	const uint8_t *data = ASN1_STRING_get0_data(tag);
	size_t len = (size_t)ASN1_STRING_length(tag);

	if (set_member(ret, data, len))
		return true;
	if (len >= 2 && len % 2 == 0 && ib_le16(data + len - 2) == 0)
		len -= 2;
	if (len != 4 * IB_SHA1_SIZE && len != 4 * IB_SHA256_SIZE)
		return false;
	g_autofree char *text = ib_utf16_to_utf8(data, len);
	g_autoptr(GBytes) digest = text ? ib_unhex(text, strlen(text)) : NULL;
	return digest && set_member(ret, g_bytes_get_data(digest, NULL), g_bytes_get_size(digest));
}

static void read_members(struct ib_catalog *c, const TRUST_LIST *list)
{
	for (int i = 0; i < sk_LIST_ENTRY_num(list->entries); i++) {
		const LIST_ENTRY *e = sk_LIST_ENTRY_value(list->entries, i);
		struct ib_catalog_member m = { 0 };
		bool found = false;
		for (int j = 0; j < sk_X509_ATTRIBUTE_num(e->attributes) && !found; j++)
			found = member_from_attribute(sk_X509_ATTRIBUTE_value(e->attributes, j), &m);
		if (found || member_from_tag(e->tag, &m))
			g_array_append_val(c->members, m);
	}
	g_array_sort(c->members, compare_members);
	guint kept = 0;
	for (guint i = 0; i < c->members->len; i++) {
		struct ib_catalog_member *all = (struct ib_catalog_member *)(void *)c->members->data;
		if (kept == 0 || compare_members(&all[kept - 1], &all[i]) != 0)
			all[kept++] = all[i];
	}
	g_array_set_size(c->members, kept);
}

/* ---- attributes ---- */

static char *wide_text(const uint8_t *data, size_t len)
{
	while (len >= 2 && ib_le16(data + len - 2) == 0)
		len -= 2;
	return ib_utf16_to_utf8(data, len);
}

/* ASN.1 has its wide characters big-endian. */
static char *bmp_text(const ASN1_BMPSTRING *s)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, s);
	char *text = n >= 0 ? g_strndup((const char *)utf8, (gsize)n) : NULL;

	OPENSSL_free(utf8);
	return text;
}

static void read_attribute(struct ib_catalog *c, X509_EXTENSION *x)
{
	const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(x);
	const unsigned char *p = ASN1_STRING_get0_data(data);

	if (!is_oid(X509_EXTENSION_get_object(x), OID_NAME_VALUE))
		return;
	NAME_VALUE *nv = (NAME_VALUE *)ASN1_item_d2i(NULL, &p, ASN1_STRING_length(data), ASN1_ITEM_rptr(NAME_VALUE));
	if (!nv)
		return;
	g_autofree char *name = bmp_text(nv->name);
	g_autofree char *value = wide_text(ASN1_STRING_get0_data(nv->value), (size_t)ASN1_STRING_length(nv->value));
	if (name && value && !g_hash_table_contains(c->attributes, name))
		g_hash_table_insert(c->attributes, g_steal_pointer(&name), g_steal_pointer(&value));
	ASN1_item_free((ASN1_VALUE *)nv, ASN1_ITEM_rptr(NAME_VALUE));
}

/* ---- the whole ---- */

bool ib_signed_list_find(struct ib_signed_list *l, const char *oid, const char *what, const uint8_t **ret_der,
			 size_t *ret_size, struct ib_error **err)
{
	const PKCS7 *p7 = l->p7;

	if (!PKCS7_type_is_signed(p7) || !p7->d.sign || !p7->d.sign->contents)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not %s: it is not PKCS#7 signed data", l->name, l->kind);
	const PKCS7 *content = p7->d.sign->contents;
	if (!is_oid(content->type, oid) || !content->d.other || content->d.other->type != V_ASN1_SEQUENCE)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not %s: it holds no %s", l->name, l->kind, what);
	const ASN1_STRING *s = content->d.other->value.sequence;
	const unsigned char *p = s->data;
	long size = 0;
	int tag, class;
	int rc = ASN1_get_object(&p, &size, &tag, &class, s->length);
	if (rc != V_ASN1_CONSTRUCTED || size < 0 || (p - s->data) + size != s->length)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not %s: its list is not in DER", l->name, l->kind);
	l->list = p;
	l->list_size = (size_t)size;
	*ret_der = s->data;
	*ret_size = (size_t)s->length;
	return true;
}

static bool read_list(struct ib_catalog *c, const TRUST_LIST *list, struct ib_error **err)
{
	bool catalog = false;

	for (int i = 0; i < sk_ASN1_OBJECT_num(list->usage); i++)
		catalog = catalog || is_oid(sk_ASN1_OBJECT_value(list->usage, i), OID_CATALOG_LIST);
	if (!catalog)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a certificate trust list, but not a catalog", c->name);
	if (!ib_time_read(list->this_update, &c->time))
		return ib_throw(err, IB_ERR_INPUT, "'%s' has no readable time", c->name);
	if (sk_X509_EXTENSION_num(list->extensions) > ATTRIBUTES_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %d attributes, a catalog may have %d", c->name,
				sk_X509_EXTENSION_num(list->extensions), ATTRIBUTES_MAX);
	read_members(c, list);
	for (int i = 0; i < sk_X509_EXTENSION_num(list->extensions); i++)
		read_attribute(c, sk_X509_EXTENSION_value(list->extensions, i));
	return true;
}

static bool parse(struct ib_catalog *c, const uint8_t *data, size_t len, struct ib_error **err)
{
	const unsigned char *p = data;
	const uint8_t *der = NULL;
	size_t size = 0;

	c->p7 = d2i_PKCS7(NULL, &p, (long)len);
	if (!c->p7)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a catalog: %s", c->name, ib_ossl_reason());
	struct ib_signed_list l = { .name = c->name, .kind = "a catalog", .p7 = c->p7 };
	if (!ib_signed_list_find(&l, OID_CTL, "certificate trust list", &der, &size, err))
		return false;
	c->list = l.list;
	c->list_size = l.list_size;
	p = der;
	TRUST_LIST *list = (TRUST_LIST *)ASN1_item_d2i(NULL, &p, (long)size, ASN1_ITEM_rptr(TRUST_LIST));
	if (!list)
		return ib_throw(err, IB_ERR_INPUT, "the list of catalog '%s' is malformed: %s", c->name,
				ib_ossl_reason());
	bool ok = read_list(c, list, err);
	ASN1_item_free((ASN1_VALUE *)list, ASN1_ITEM_rptr(TRUST_LIST));
	return ok;
}

bool ib_catalog_parse(const void *data, size_t len, const char *name, struct ib_catalog **ret, struct ib_error **err)
{
	if (len > IB_CATALOG_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, a catalog may have %u", name, len,
				IB_CATALOG_MAX);
	ib_auto_catalog c = g_new0(struct ib_catalog, 1);
	c->name = g_strdup(name);
	c->members = g_array_new(FALSE, FALSE, sizeof(struct ib_catalog_member));
	c->attributes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	bool ok = parse(c, data, len, err);
	ERR_clear_error();
	if (ok)
		*ret = g_steal_pointer(&c);
	return ok;
}

void ib_catalog_free(struct ib_catalog *c)
{
	if (!c)
		return;
	PKCS7_free(c->p7);
	g_array_unref(c->members);
	g_hash_table_unref(c->attributes);
	g_free(c->name);
	g_free(c);
}

void ib_catalog_clear(struct ib_catalog **c)
{
	ib_catalog_free(*c);
	*c = NULL;
}

size_t ib_catalog_count(const struct ib_catalog *c)
{
	return c->members->len;
}

const struct ib_catalog_member *ib_catalog_member(const struct ib_catalog *c, size_t i)
{
	return i < c->members->len ? &g_array_index(c->members, struct ib_catalog_member, i) : NULL;
}

bool ib_catalog_has(const struct ib_catalog *c, enum ib_digest_algorithm algorithm, const uint8_t *digest)
{
	struct ib_catalog_member m = { .algorithm = algorithm };

	memcpy(m.digest, digest, ib_digest_size(algorithm));
	return g_array_binary_search(c->members, &m, compare_members, NULL);
}

const char *ib_catalog_attribute(const struct ib_catalog *c, const char *name)
{
	return g_hash_table_lookup(c->attributes, name);
}

int64_t ib_catalog_time(const struct ib_catalog *c)
{
	return c->time;
}
