/* The values of a key. */
#include "registry/internal.h"

#define INDEX_FROM 32u

void ib_registry_value_fini(struct ib_value *v)
{
	if (v->owned)
		g_free((void *)v->data);
	v->owned = false;
	v->data = NULL;
	v->len = 0;
}

static guint hash_value(const void *v)
{
	return ((const struct ib_value *)v)->hash;
}

static gboolean equal_values(const void *a, const void *b)
{
	const struct ib_value *va = a, *vb = b;

	return va->hash == vb->hash && ib_registry_compare(va->name, vb->name) == 0;
}

static struct ib_value *find_value(const struct ib_key *key, const char *name)
{
	struct ib_value probe = { .name = name ? name : "" };
	struct ib_key *k = (struct ib_key *)key; /* the index is a cache */

	probe.hash = ib_registry_hash(probe.name);
	if (k->value_count < INDEX_FROM) {
		for (uint32_t i = 0; i < k->value_count; i++)
			if (equal_values(k->values[i], &probe))
				return k->values[i];
		return NULL;
	}
	struct registry_extra *extra = ib_registry_extra(k);
	if (!extra->value_index) {
		extra->value_index = g_hash_table_new(hash_value, equal_values);
		for (uint32_t i = 0; i < k->value_count; i++)
			g_hash_table_add(extra->value_index, k->values[i]);
	}
	return g_hash_table_lookup(extra->value_index, &probe);
}

size_t ib_key_value_count(const struct ib_key *key)
{
	return key->value_count;
}

const struct ib_value *ib_key_value_at(const struct ib_key *key, size_t i)
{
	return i < key->value_count ? key->values[i] : NULL;
}

const struct ib_value *ib_key_value(const struct ib_key *key, const char *name)
{
	return find_value(key, name);
}

const char *ib_value_name(const struct ib_value *v)
{
	return v->name;
}

uint32_t ib_value_type(const struct ib_value *v)
{
	return v->type;
}

const uint8_t *ib_value_data(const struct ib_value *v, size_t *ret_len)
{
	*ret_len = v->len;
	return v->data ? v->data : (const uint8_t *)"";
}

/* Units of text data up to its first NUL or its end. */
static size_t text_units(const uint8_t *data, size_t len)
{
	size_t n = 0;

	while (n < len / 2 && ib_le16(data + 2 * n))
		n++;
	return n;
}

char *ib_value_text(const struct ib_value *v)
{
	if (v->type != IB_REG_SZ && v->type != IB_REG_EXPAND_SZ && v->type != IB_REG_LINK)
		return NULL;
	return ib_utf16_to_utf8(v->data, text_units(v->data, v->len) * 2);
}

char **ib_value_strings(const struct ib_value *v)
{
	if (v->type != IB_REG_MULTI_SZ)
		return NULL;
	GPtrArray *list = g_ptr_array_new();
	for (size_t at = 0; at + 1 < v->len;) {
		size_t n = text_units(v->data + at, v->len - at);
		if (n == 0)
			break;
		g_ptr_array_add(list, ib_utf16_to_utf8(v->data + at, n * 2));
		at += n * 2 + 2;
	}
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(list, FALSE);
}

bool ib_value_number(const struct ib_value *v, uint64_t *ret)
{
	if (v->type == IB_REG_DWORD && v->len == 4)
		*ret = ib_le32(v->data);
	else if (v->type == IB_REG_DWORD_BE && v->len == 4)
		*ret = ib_be32(v->data);
	else if (v->type == IB_REG_QWORD && v->len == 8)
		*ret = ib_le64(v->data);
	else
		return false;
	return true;
}

static struct ib_value *add_value(struct ib_hive *h, struct ib_key *key, const char *name)
{
	size_t n = strlen(name) + 1;
	char *copy = ib_registry_alloc_bytes(&h->arena, n);
	struct ib_value *v = ib_registry_alloc(&h->arena, sizeof(*v));

	memcpy(copy, name, n);
	*v = (struct ib_value){ .name = copy, .hash = ib_registry_hash(name) };
	key->values = ib_registry_list_grow(key->values, key->value_count, &key->value_room);
	key->values[key->value_count++] = v;
	if (key->extra && key->extra->value_index)
		g_hash_table_add(key->extra->value_index, v);
	return v;
}

/* A key is a symbolic link by its flag; the value with the target comes and goes together with it. */
static void mark_link(struct ib_key *key, const char *name, bool is_target)
{
	if (!name || !ib_name_equal(name, "SymbolicLinkValue"))
		return;
	if (is_target)
		key->flags |= KEY_LINK;
	else
		key->flags &= (uint16_t)~KEY_LINK;
}

bool ib_key_set(struct ib_hive *h, struct ib_key *key, const char *name, uint32_t type, const void *data, size_t len,
		struct ib_error **err)
{
	struct ib_value *v = find_value(key, name);
	size_t n;

	if (v && v->type == type && v->len == len && (len == 0 || memcmp(v->data, data, len) == 0))
		return true;
	if (len > DATA_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the value '%s' has %zu bytes, at most %u are possible",
				name ? name : "", len, DATA_MAX);
	if (!v && !ib_registry_units(name ? name : "", NULL, SIZE_MAX, &n))
		return ib_throw(err, IB_ERR_INPUT, "a value name is not UTF-8 text");
	if (!v && n > VALUE_NAME_MAX)
		return ib_throw(err, IB_ERR_INPUT, "a value name has %zu characters, at most %u are possible", n,
				VALUE_NAME_MAX);
	uint8_t *copy = len ? g_try_malloc(len) : NULL;
	if (len && !copy)
		return ib_throw_memory(err);
	if (len)
		memcpy(copy, data, len);
	if (!v)
		v = add_value(h, key, name ? name : "");
	ib_registry_value_fini(v);
	v->data = copy;
	v->owned = copy != NULL;
	v->len = (uint32_t)len;
	v->type = type;
	mark_link(key, name, type == IB_REG_LINK);
	ib_registry_touch(h, key);
	return true;
}

bool ib_key_set_text(struct ib_hive *h, struct ib_key *key, const char *name, uint32_t type, const char *text,
		     struct ib_error **err)
{
	size_t len;
	g_autofree uint8_t *data = ib_utf8_to_utf16(text, &len);

	if (!data)
		return ib_throw(err, IB_ERR_INPUT, "the text for the value '%s' is not UTF-8", name ? name : "");
	return ib_key_set(h, key, name, type, data, len + 2, err); /* base ends it with a NUL unit */
}

bool ib_key_set_strings(struct ib_hive *h, struct ib_key *key, const char *name, char *const *strings,
			struct ib_error **err)
{
	static const uint8_t end[2];
	g_autoptr(GByteArray) all = g_byte_array_new();

	if (strings && strings[0] && !*strings[0] && !strings[1])
		strings = NULL; /* one empty string is how an empty list is written */
	for (size_t i = 0; strings && strings[i]; i++) {
		size_t len;
		g_autofree uint8_t *data = ib_utf8_to_utf16(strings[i], &len);
		if (!data)
			return ib_throw(err, IB_ERR_INPUT, "string %zu for the value '%s' is not UTF-8", i + 1,
					name ? name : "");
		if (len == 0)
			return ib_throw(err, IB_ERR_INPUT, "string %zu for the value '%s' is empty: it would end the list",
					i + 1, name ? name : "");
		g_byte_array_append(all, data, (guint)len + 2);
	}
	if (all->len == 0)
		g_byte_array_append(all, end, 2);
	g_byte_array_append(all, end, 2);
	return ib_key_set(h, key, name, IB_REG_MULTI_SZ, all->data, all->len, err);
}

bool ib_key_set_dword(struct ib_hive *h, struct ib_key *key, const char *name, uint32_t number, struct ib_error **err)
{
	uint8_t data[4];

	ib_put_le32(data, number);
	return ib_key_set(h, key, name, IB_REG_DWORD, data, 4, err);
}

bool ib_key_unset(struct ib_hive *h, struct ib_key *key, const char *name)
{
	struct ib_value *v = find_value(key, name);
	uint32_t i = 0;

	if (!v)
		return false;
	while (key->values[i] != v)
		i++;
	if (key->extra && key->extra->value_index)
		g_hash_table_remove(key->extra->value_index, v);
	memmove(key->values + i, key->values + i + 1, (key->value_count - i - 1) * sizeof(*key->values));
	key->value_count--;
	ib_registry_value_fini(v);
	mark_link(key, name, false);
	ib_registry_touch(h, key);
	return true;
}
