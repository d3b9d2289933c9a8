/* Hives by libhivex: an empty hive is laid out here, keys and values are the library's work. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hivex.h>

#include "base/bytes.h"
#include "base/file.h"

#include "hive.h"
#include "sddl.h"

#define HIVE_MAX ((uint64_t)1 << 30)
#define BASE 4096u
#define BIN 4096u
#define FILETIME_EPOCH 11644473600LL

struct value {
	char *name;
	uint32_t type;
	GByteArray *data;
};

struct key {
	char *name;
	GPtrArray *children; /* struct key */
	GPtrArray *values;   /* struct value */
};

struct lab_hive {
	GHashTable *keys; /* lower-case path -> struct key */
	struct key *root;
};

static void free_value(void *data)
{
	struct value *v = data;

	g_free(v->name);
	g_byte_array_unref(v->data);
	g_free(v);
}

static void free_key(void *data)
{
	struct key *k = data;

	g_free(k->name);
	g_ptr_array_unref(k->children);
	g_ptr_array_unref(k->values);
	g_free(k);
}

static struct key *new_key(struct lab_hive *h, const char *path, const char *name)
{
	struct key *k = g_new0(struct key, 1);

	k->name = g_strdup(name);
	k->children = g_ptr_array_new();
	k->values = g_ptr_array_new_with_free_func(free_value);
	g_hash_table_insert(h->keys, g_ascii_strdown(path, -1), k);
	return k;
}

struct lab_hive *lab_hive_new(void)
{
	struct lab_hive *h = g_new0(struct lab_hive, 1);

	h->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_key);
	h->root = new_key(h, "", "ROOT");
	return h;
}

void lab_hive_free(struct lab_hive *h)
{
	if (!h)
		return;
	g_hash_table_unref(h->keys);
	g_free(h);
}

static struct key *make_key(struct lab_hive *h, const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "\\", -1);
	g_autoptr(GString) prefix = g_string_new(NULL);
	struct key *at = h->root;

	for (size_t i = 0; parts[i]; i++) {
		struct key *next;

		if (!*parts[i])
			continue;
		g_string_append_printf(prefix, "%s%s", prefix->len ? "\\" : "", parts[i]);
		g_autofree char *lower = g_ascii_strdown(prefix->str, -1);

		next = g_hash_table_lookup(h->keys, lower);
		if (!next) {
			next = new_key(h, prefix->str, parts[i]);
			g_ptr_array_add(at->children, next);
		}
		at = next;
	}
	return at;
}

void lab_hive_key(struct lab_hive *h, const char *path)
{
	make_key(h, path);
}

static struct value *make_value(struct lab_hive *h, const char *path, const char *name, uint32_t type)
{
	struct key *k = make_key(h, path);
	struct value *v = NULL;

	for (guint i = 0; i < k->values->len && !v; i++)
		if (!g_ascii_strcasecmp(((struct value *)k->values->pdata[i])->name, name))
			v = k->values->pdata[i];
	if (!v) {
		v = g_new0(struct value, 1);
		v->name = g_strdup(name);
		v->data = g_byte_array_new();
		g_ptr_array_add(k->values, v);
	}
	v->type = type;
	return v;
}

void lab_hive_set(struct lab_hive *h, const char *path, const char *name, uint32_t type, const void *data, size_t len)
{
	struct value *v = make_value(h, path, name, type);

	g_byte_array_set_size(v->data, 0);
	g_byte_array_append(v->data, data, (guint)len);
}

void lab_hive_dword(struct lab_hive *h, const char *path, const char *name, uint32_t value)
{
	uint8_t b[4];

	ib_put_le32(b, value);
	lab_hive_set(h, path, name, LAB_REG_DWORD, b, 4);
}

/* Append UTF-16LE text with its NUL. */
static void append_text(GByteArray *out, const char *text)
{
	glong units;
	g_autofree gunichar2 *wide = g_utf8_to_utf16(text, -1, NULL, &units, NULL);

	g_byte_array_append(out, (const guint8 *)wide, (guint)(units + 1) * 2);
}

static void set_text(struct lab_hive *h, const char *path, const char *name, uint32_t type, const char *text)
{
	g_autoptr(GByteArray) out = g_byte_array_new();

	append_text(out, text);
	lab_hive_set(h, path, name, type, out->data, out->len);
}

void lab_hive_sz(struct lab_hive *h, const char *path, const char *name, const char *text)
{
	set_text(h, path, name, LAB_REG_SZ, text);
}

void lab_hive_append(struct lab_hive *h, const char *path, const char *name, const char *text)
{
	struct value *v = make_value(h, path, name, LAB_REG_MULTI_SZ);

	if (v->data->len >= 2)
		g_byte_array_set_size(v->data, v->data->len - 2);
	append_text(v->data, text);
	g_byte_array_append(v->data, (const guint8 *)"\0", 2);
}

/* "a","b" */
static void set_list(struct lab_hive *h, const char *path, const char *name, const char *text)
{
	lab_hive_set(h, path, name, LAB_REG_MULTI_SZ, "\0", 2);
	while ((text = strchr(text, '"'))) {
		const char *end = strchr(text + 1, '"');
		g_autofree char *item = g_strndup(text + 1, (gsize)(end - text - 1));

		lab_hive_append(h, path, name, item);
		text = end + 1;
	}
}

void lab_hive_manifest(struct lab_hive *h, const char *path, const char *name, uint32_t type, const char *text)
{
	g_autoptr(GBytes) bytes = NULL;
	gsize len;

	switch (type) {
	case LAB_REG_SZ:
	case LAB_REG_EXPAND_SZ:
		set_text(h, path, name, type, text);
		return;
	case LAB_REG_MULTI_SZ:
		set_list(h, path, name, text);
		return;
	case LAB_REG_DWORD:
		lab_hive_dword(h, path, name, (uint32_t)strtoul(text, NULL, 16));
		return;
	default:
		bytes = ib_unhex(text, strlen(text));
		g_assert(bytes); /* the lab's own table */
		lab_hive_set(h, path, name, type, g_bytes_get_data(bytes, &len), g_bytes_get_size(bytes));
	}
}

/* ---- writing ---- */

static uint32_t header_checksum(const uint8_t *base)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 508; i += 4)
		sum ^= ib_le32(base + i);
	return sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
}

/* A hive of one bin with a root key and its descriptor, version 1.3: what libhivex starts from. */
static GByteArray *empty_hive(const char *root)
{
	g_autoptr(GBytes) sd = lab_sddl_bytes("O:BAG:SYD:P(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;BU)(A;CI;KR;;;AC)");
	gsize sd_len;
	const void *sd_data = g_bytes_get_data(sd, &sd_len);
	GByteArray *out = g_byte_array_new();
	uint32_t nk = 32, nk_size = (uint32_t)((4 + 76 + strlen(root) + 7) & ~(size_t)7);
	uint32_t sk = nk + nk_size, sk_size = (uint32_t)((4 + 20 + sd_len + 7) & ~(size_t)7);

	g_byte_array_set_size(out, BASE + BIN);
	memset(out->data, 0, out->len);
	uint8_t *b = out->data, *bin = b + BASE;

	memcpy(b, "regf", 4);
	ib_put_le32(b + 4, 1);
	ib_put_le32(b + 8, 1);
	ib_put_le32(b + 20, 1);
	ib_put_le32(b + 24, 3);
	ib_put_le32(b + 32, 1);
	ib_put_le32(b + 36, nk);
	ib_put_le32(b + 40, BIN);
	ib_put_le32(b + 44, 1);
	ib_put_le32(b + 508, header_checksum(b));
	memcpy(bin, "hbin", 4);
	ib_put_le32(bin + 8, BIN);
	ib_put_le32(bin + nk, (uint32_t)-(int32_t)nk_size);
	uint8_t *k = bin + nk + 4;

	memcpy(k, "nk", 2);
	ib_put_le16(k + 2, 0x2c);
	ib_put_le32(k + 16, UINT32_MAX);
	ib_put_le32(k + 28, UINT32_MAX);
	ib_put_le32(k + 32, UINT32_MAX);
	ib_put_le32(k + 40, UINT32_MAX);
	ib_put_le32(k + 44, sk);
	ib_put_le32(k + 48, UINT32_MAX);
	ib_put_le16(k + 72, (uint16_t)strlen(root));
	memcpy(k + 76, root, strlen(root));
	ib_put_le32(bin + sk, (uint32_t)-(int32_t)sk_size);
	uint8_t *s = bin + sk + 4;

	memcpy(s, "sk", 2);
	ib_put_le32(s + 4, sk);
	ib_put_le32(s + 8, sk);
	ib_put_le32(s + 12, 1);
	ib_put_le32(s + 16, (uint32_t)sd_len);
	memcpy(s + 20, sd_data, sd_len);
	ib_put_le32(bin + sk + sk_size, BIN - sk - sk_size);
	return out;
}

static gint compare_keys(gconstpointer x, gconstpointer y)
{
	const struct key *const *a = x, *const *b = y;

	return g_ascii_strcasecmp((*a)->name, (*b)->name);
}

static gint compare_values(gconstpointer x, gconstpointer y)
{
	const struct value *const *a = x, *const *b = y;

	return g_ascii_strcasecmp((*a)->name, (*b)->name);
}

/* Values and subkeys of one key; nodes collects every key's place in the file. */
static bool write_key(hive_h *file, hive_node_h node, const struct key *k, GArray *nodes, struct ib_error **err)
{
	g_autofree struct hive_set_value *values = g_new0(struct hive_set_value, k->values->len + 1);

	g_array_append_val(nodes, node);
	g_ptr_array_sort(k->values, compare_values);
	for (guint i = 0; i < k->values->len; i++) {
		struct value *v = k->values->pdata[i];

		values[i] = (struct hive_set_value){ .key = v->name, .t = (hive_type)v->type, .len = v->data->len,
						     .value = (char *)v->data->data };
	}
	if (k->values->len && hivex_node_set_values(file, node, k->values->len, values, 0))
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "hivex cannot set the values of key '%s'", k->name);
	g_ptr_array_sort(k->children, compare_keys);
	/* last first: the library looks for a key's place from the front of its sorted list */
	for (guint i = k->children->len; i-- > 0;) {
		const struct key *child = k->children->pdata[i];
		hive_node_h added = hivex_node_add_child(file, node, child->name);

		if (!added)
			return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "hivex cannot add key '%s'", child->name);
		if (!write_key(file, added, child, nodes, err))
			return false;
	}
	return true;
}

static bool write_file(const struct lab_hive *h, const char *path, GArray *nodes, struct ib_error **err)
{
	hive_h *file = hivex_open(path, HIVEX_OPEN_WRITE);
	bool ok;

	if (!file)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "hivex cannot open the empty hive");
	ok = write_key(file, hivex_root(file), h->root, nodes, err);
	if (ok && hivex_commit(file, NULL, 0))
		ok = ib_throw_errno(err, IB_ERR_SYSTEM, errno, "hivex cannot write the hive");
	hivex_close(file);
	return ok;
}

/* The lab's clock in place of the machine's: header, first bin, keys. */
static GBytes *stamp(GBytes *bytes, const GArray *nodes, int64_t epoch)
{
	uint64_t filetime = (uint64_t)(epoch + FILETIME_EPOCH) * 10000000u;
	gsize len;
	uint8_t *b = g_memdup2(g_bytes_get_data(bytes, &len), g_bytes_get_size(bytes));

	len = g_bytes_get_size(bytes);
	ib_put_le64(b + 12, filetime);
	ib_put_le64(b + BASE + 20, filetime);
	for (guint i = 0; i < nodes->len; i++)
		ib_put_le64(b + g_array_index(nodes, hive_node_h, i) + 8, filetime);
	ib_put_le32(b + 508, header_checksum(b));
	return g_bytes_new_take(b, len);
}

bool lab_hive_bytes(struct lab_hive *h, const char *work, int64_t epoch, GBytes **ret, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(work, "hive.tmp", NULL);
	g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(hive_node_h));
	g_autoptr(GByteArray) empty = empty_hive(h->root->name);
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_file_write(path, empty->data, empty->len, err) || !write_file(h, path, nodes, err) ||
	    !ib_file_read(path, HIVE_MAX, &bytes, err))
		return false;
	*ret = stamp(bytes, nodes, epoch);
	return true;
}
