/*
 * The checked loader. First all bins are walked and every cell's start is
 * marked; then the tree is read from the root. A pointer must hit the start of
 * a cell in use, and each cell serves once (descriptors excepted): so nothing
 * overlaps, nothing runs in circles, and what is read is bounded by the file.
 */
#include "registry/internal.h"

/* Smallest cells: they bound a count before anything is allocated for it. */
#define KEY_CELL_MIN 80u
#define VALUE_CELL_MIN 24u

struct loader {
	struct ib_hive *hive;
	const char *name;
	const uint8_t *bins;
	uint32_t size; /* of the bins */
	uint32_t minor;
	uint8_t *starts; /* a bit for each 8 bytes: a cell begins here */
	uint8_t *used;   /* the same: this cell has served */
	GHashTable *securities; /* cell -> struct registry_security */
	struct ib_error **err;
};

/* Refuse the hive; at is an offset in the bins, the message shows the one in the file. */
static bool IB_PRINTF(3, 4) refuse(struct loader *l, uint32_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return ib_throw(l->err, IB_ERR_INPUT, "hive '%s' is malformed at offset 0x%x: %s", l->name,
			at + BASE_BLOCK, what);
}

static bool get_bit(const uint8_t *bits, uint32_t cell)
{
	return bits[cell >> 6] >> (cell >> 3 & 7) & 1;
}

static void set_bit(uint8_t *bits, uint32_t cell)
{
	bits[cell >> 6] |= (uint8_t)(1u << (cell >> 3 & 7));
}

static bool scan_bin(struct loader *l, uint32_t bin, uint32_t size)
{
	uint32_t end = bin + size;

	for (uint32_t at = bin + BIN_HEADER; at < end;) {
		int64_t raw = (int32_t)ib_le32(l->bins + at);
		uint64_t len = (uint64_t)(raw < 0 ? -raw : raw);
		if (len < 8 || len % 8)
			return refuse(l, at, "a cell has a size of %" PRIu64 " bytes", len);
		if (len > end - at)
			return refuse(l, at, "a cell of %" PRIu64 " bytes leaves its bin, which has %u left", len,
				      end - at);
		set_bit(l->starts, at);
		at += (uint32_t)len;
	}
	return true;
}

static bool scan_bins(struct loader *l)
{
	for (uint32_t at = 0; at < l->size;) {
		const uint8_t *b = l->bins + at;
		uint32_t size = ib_le32(b + 8);
		if (memcmp(b, "hbin", 4) != 0)
			return refuse(l, at, "no bin begins here");
		if (ib_le32(b + 4) != at)
			return refuse(l, at, "a bin says it lies at 0x%x", ib_le32(b + 4));
		if (size == 0 || size % BIN_UNIT || size > l->size - at)
			return refuse(l, at, "a bin has a size of %u bytes, %u are left", size, l->size - at);
		if (!scan_bin(l, at, size))
			return false;
		at += size;
	}
	return true;
}

/* A cell's content; from is where its offset was read, for the message. */
static const uint8_t *get_cell(struct loader *l, uint32_t cell, uint32_t from, const char *what, size_t min,
			       size_t *ret_len)
{
	if (cell >= l->size || cell % 8 || !get_bit(l->starts, cell)) {
		refuse(l, from, "the offset 0x%x of its %s is no cell", cell, what);
		return NULL;
	}
	int32_t raw = (int32_t)ib_le32(l->bins + cell);
	if (raw > 0) {
		refuse(l, from, "the cell 0x%x of its %s is free", cell, what);
		return NULL;
	}
	size_t len = (size_t)(-(int64_t)raw) - 4;
	if (len < min) {
		refuse(l, cell, "a %s needs %zu bytes, the cell has %zu", what, min, len);
		return NULL;
	}
	*ret_len = len;
	return l->bins + cell + 4;
}

/* A cell that may serve only once. */
static const uint8_t *take_cell(struct loader *l, uint32_t cell, uint32_t from, const char *what, size_t min,
				size_t *ret_len)
{
	const uint8_t *p = get_cell(l, cell, from, what, min, ret_len);

	if (p && get_bit(l->used, cell)) {
		refuse(l, from, "the cell 0x%x of its %s is used twice", cell, what);
		return NULL;
	}
	if (p)
		set_bit(l->used, cell);
	return p;
}

static bool has_signature(struct loader *l, const uint8_t *p, const char *sig, uint32_t cell, const char *what)
{
	if (p[0] == sig[0] && p[1] == sig[1])
		return true;
	return refuse(l, cell, "a %s does not begin with '%s'", what, sig);
}

/* ---- descriptors ---- */

/* Both neighbours of a ring's member must point back: then the ring closes. */
static bool check_ring(struct loader *l, uint32_t cell, const uint8_t *p)
{
	static const struct { unsigned to, back; } sides[] = { { SK_NEXT, SK_PREV }, { SK_PREV, SK_NEXT } };
	size_t len;

	for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
		uint32_t other = ib_le32(p + sides[i].to);
		const uint8_t *q = get_cell(l, other, cell, "neighbouring descriptor", SK_DATA, &len);
		if (!q || !has_signature(l, q, "sk", other, "security descriptor"))
			return false;
		if (ib_le32(q + sides[i].back) != cell)
			return refuse(l, cell, "the ring of security descriptors does not close: 0x%x does not point back",
				      other);
	}
	return true;
}

static bool load_security(struct loader *l, uint32_t cell, uint32_t from, struct registry_security **ret)
{
	size_t len;

	if (cell == NO_CELL)
		return true;
	*ret = g_hash_table_lookup(l->securities, GUINT_TO_POINTER(cell));
	if (*ret)
		return true;
	const uint8_t *p = take_cell(l, cell, from, "security descriptor", SK_DATA, &len);
	if (!p || !has_signature(l, p, "sk", cell, "security descriptor") || !check_ring(l, cell, p))
		return false;
	uint32_t n = ib_le32(p + SK_LEN);
	if (n > len - SK_DATA)
		return refuse(l, cell, "a security descriptor of %u bytes lies in a cell with %zu", n, len - SK_DATA);
	g_autoptr(GBytes) bytes = g_bytes_new(p + SK_DATA, n);
	*ret = ib_registry_intern(l->hive, bytes);
	g_hash_table_insert(l->securities, GUINT_TO_POINTER(cell), *ret);
	return true;
}

/* ---- values ---- */

static bool read_segments(struct loader *l, const uint8_t *list, uint32_t count, uint32_t from, struct ib_value *v,
			  uint8_t *out)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t want = MIN(SEGMENT, v->len - done);
		size_t len;
		const uint8_t *p = take_cell(l, ib_le32(list + 4 * i), from, "data segment", want, &len);
		if (!p)
			return false;
		memcpy(out + done, p, want);
		done += want;
	}
	return true;
}

static bool load_big_data(struct loader *l, uint32_t cell, const uint8_t *p, struct ib_value *v)
{
	uint32_t count = ib_le16(p + 2);
	size_t len;

	if (count != (v->len + SEGMENT - 1) / SEGMENT)
		return refuse(l, cell, "big data of %u bytes cannot lie in %u segments", v->len, count);
	const uint8_t *list = take_cell(l, ib_le32(p + 4), cell, "list of segments", 4 * (size_t)count, &len);
	if (!list)
		return false;
	if (v->len > l->size)
		return refuse(l, cell, "big data of %u bytes in a hive of %u", v->len, l->size);
	uint8_t *data = g_try_malloc(v->len);
	if (!data)
		return ib_throw_memory(l->err);
	v->data = data;
	v->owned = true;
	return read_segments(l, list, count, cell, v, data);
}

/* Half of a hive's bytes and more are cells, lists and gaps: keeping data apart lets the file go. */
static bool keep_data(struct loader *l, const uint8_t *p, struct ib_value *v)
{
	uint8_t *copy = ib_registry_alloc_bytes(&l->hive->arena, v->len);

	if (!copy)
		return ib_throw_memory(l->err);
	memcpy(copy, p, v->len);
	v->data = copy;
	return true;
}

static bool load_data(struct loader *l, uint32_t cell, const uint8_t *vk, struct ib_value *v)
{
	uint32_t size = ib_le32(vk + VK_SIZE);
	uint32_t at = ib_le32(vk + VK_DATA);
	size_t len;

	v->len = size & 0x7FFFFFFFu;
	if (size & 0x80000000u) {
		if (v->len > 4)
			return refuse(l, cell, "inline data of %u bytes, at most 4 are possible", v->len);
		return keep_data(l, vk + VK_DATA, v);
	}
	if (v->len == 0)
		return true;
	if (v->len > DATA_MAX)
		return refuse(l, cell, "a value of %u bytes, at most %u are accepted", v->len, DATA_MAX);
	const uint8_t *p = take_cell(l, at, cell, "data", 4, &len);
	if (!p)
		return false;
	if (len >= v->len)
		return keep_data(l, p, v);
	if (l->minor >= 4 && v->len > SEGMENT && len >= 8 && p[0] == 'd' && p[1] == 'b')
		return load_big_data(l, at, p, v);
	return refuse(l, at, "data of %u bytes in a cell with %zu", v->len, len);
}

static bool load_value(struct loader *l, uint32_t cell, uint32_t from, struct ib_value *v)
{
	size_t len;
	const uint8_t *p = take_cell(l, cell, from, "value", VK_NAME, &len);

	if (!p || !has_signature(l, p, "vk", cell, "value"))
		return false;
	size_t n = ib_le16(p + VK_NAME_LEN);
	bool latin1 = ib_le16(p + VK_FLAGS) & VALUE_LATIN1;
	if (n > len - VK_NAME)
		return refuse(l, cell, "a value name of %zu bytes, the cell has %zu", n, len - VK_NAME);
	if (n > VALUE_NAME_MAX * (latin1 ? 1u : 2u))
		return refuse(l, cell, "a value name of %zu bytes, at most %u characters are possible", n,
			      VALUE_NAME_MAX);
	v->name = ib_registry_name(&l->hive->arena, p + VK_NAME, n, latin1);
	if (!v->name)
		return refuse(l, cell, "a value name of %zu bytes is not UTF-16", n);
	v->hash = ib_registry_hash(v->name);
	v->type = ib_le32(p + VK_TYPE);
	v->flags = ib_le16(p + VK_FLAGS);
	return load_data(l, cell, p, v);
}

static int compare_values(const void *a, const void *b)
{
	const struct ib_value *const *va = a, *const *vb = b;

	return ib_registry_compare((*va)->name, (*vb)->name);
}

static bool same_value(const struct ib_value *a, const struct ib_value *b)
{
	return a->hash == b->hash && ib_registry_compare(a->name, b->name) == 0;
}

/* Two values of one name: readers would disagree which one counts. */
static bool check_value_names(struct loader *l, uint32_t cell, const struct ib_key *k)
{
	uint32_t n = k->value_count;
	g_autofree struct ib_value **sorted = NULL;

	if (n <= 16) {
		for (uint32_t i = 1; i < n; i++)
			for (uint32_t j = 0; j < i; j++)
				if (same_value(k->values[i], k->values[j]))
					return refuse(l, cell, "a key has two values '%s'", k->values[i]->name);
		return true;
	}
	sorted = g_try_new(struct ib_value *, n);
	if (!sorted)
		return ib_throw_memory(l->err);
	memcpy(sorted, k->values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_values);
	for (uint32_t i = 1; i < n; i++)
		if (same_value(sorted[i - 1], sorted[i]))
			return refuse(l, cell, "a key has two values '%s'", sorted[i]->name);
	return true;
}

static bool load_values(struct loader *l, uint32_t cell, const uint8_t *nk, struct ib_key *k)
{
	uint32_t n = ib_le32(nk + NK_VALUES);
	size_t len;

	if (n == 0)
		return true;
	if (n > l->size / VALUE_CELL_MIN)
		return refuse(l, cell, "a key has %u values, the hive has room for %u", n, l->size / VALUE_CELL_MIN);
	const uint8_t *list = take_cell(l, ib_le32(nk + NK_VALUE_LIST), cell, "list of values", 4 * (size_t)n, &len);
	if (!list)
		return false;
	k->values = ib_registry_alloc(&l->hive->arena, n * sizeof(*k->values));
	struct ib_value *all = ib_registry_alloc(&l->hive->arena, n * sizeof(*all));
	if (!k->values || !all)
		return ib_throw_memory(l->err);
	memset(all, 0, n * sizeof(*all));
	for (uint32_t i = 0; i < n; i++) {
		k->values[k->value_count++] = &all[i];
		if (!load_value(l, ib_le32(list + 4 * i), cell, &all[i]))
			return false;
	}
	return check_value_names(l, cell, k);
}

/* ---- lists of subkeys ---- */

struct list {
	uint32_t *cells;
	uint32_t count, room;
	uint32_t key; /* whose list, for messages */
};

static bool load_leaf(struct loader *l, struct list *s, uint32_t cell, const uint8_t *p, size_t len)
{
	uint32_t n = ib_le16(p + 2);
	uint32_t step = p[1] == 'i' ? 4 : 8;

	if (p[0] != 'l' || (p[1] != 'h' && p[1] != 'f' && p[1] != 'i'))
		return refuse(l, cell, "a list of subkeys has an unknown kind");
	if ((size_t)n * step > len - 4)
		return refuse(l, cell, "a list of %u subkeys, the cell has room for %zu", n, (len - 4) / step);
	if (n > s->room - s->count)
		return refuse(l, cell, "the lists hold more than the %u subkeys of the key at 0x%x", s->room,
			      s->key + BASE_BLOCK);
	for (uint32_t i = 0; i < n; i++)
		s->cells[s->count++] = ib_le32(p + 4 + (size_t)i * step);
	return true;
}

static bool load_list(struct loader *l, struct list *s, uint32_t cell)
{
	size_t len, leaf_len;
	const uint8_t *p = take_cell(l, cell, s->key, "list of subkeys", 4, &len);

	if (!p)
		return false;
	if (p[0] != 'r' || p[1] != 'i')
		return load_leaf(l, s, cell, p, len);
	uint32_t n = ib_le16(p + 2);
	if ((size_t)n * 4 > len - 4)
		return refuse(l, cell, "an index of %u lists, the cell has room for %zu", n, (len - 4) / 4);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = ib_le32(p + 4 + 4 * (size_t)i);
		const uint8_t *leaf = take_cell(l, at, cell, "list of subkeys", 4, &leaf_len);
		if (!leaf || !load_leaf(l, s, at, leaf, leaf_len))
			return false;
	}
	return true;
}

/* ---- keys ---- */

static bool load_key(struct loader *l, uint32_t cell, uint32_t from, struct ib_key *parent, unsigned depth,
		     struct ib_key **ret);

/* Other tools may have sorted by another table: restore our order, and let no name occur twice. */
static bool order_children(struct loader *l, uint32_t cell, struct ib_key *k)
{
	for (k->in_order = MIN(k->child_count, 1); k->in_order < k->child_count; k->in_order++)
		if (ib_registry_compare(k->children[k->in_order - 1]->name, k->children[k->in_order]->name) >= 0)
			break;
	if (k->in_order == k->child_count)
		return true;
	l->hive->loaded.resorted++;
	ib_registry_sort(k);
	for (uint32_t i = 1; i < k->child_count; i++)
		if (ib_registry_compare(k->children[i - 1]->name, k->children[i]->name) == 0)
			return refuse(l, cell, "a key has two subkeys '%s'", k->children[i]->name);
	return true;
}

static bool load_children(struct loader *l, uint32_t cell, const uint8_t *nk, struct ib_key *k, unsigned depth)
{
	struct list s = { .room = ib_le32(nk + NK_SUBKEYS), .key = cell };

	if (s.room == 0)
		return true;
	if (depth >= DEPTH_MAX)
		return refuse(l, cell, "keys are nested deeper than %u", DEPTH_MAX);
	if (s.room > l->size / KEY_CELL_MIN)
		return refuse(l, cell, "a key has %u subkeys, the hive has room for %u", s.room,
			      l->size / KEY_CELL_MIN);
	g_autofree uint32_t *cells = g_try_new(uint32_t, s.room);
	k->children = ib_registry_alloc(&l->hive->arena, s.room * sizeof(*k->children));
	if (!cells || !k->children)
		return ib_throw_memory(l->err);
	s.cells = cells;
	if (!load_list(l, &s, ib_le32(nk + NK_LIST)))
		return false;
	if (s.count != s.room)
		return refuse(l, cell, "a key has %u subkeys, its lists hold %u", s.room, s.count);
	for (uint32_t i = 0; i < s.count; i++) {
		struct ib_key *child = NULL;
		bool ok = load_key(l, cells[i], cell, k, depth + 1, &child);
		if (child) /* also half a key: it is freed with its parent */
			k->children[k->child_count++] = child;
		if (!ok)
			return false;
	}
	return order_children(l, cell, k);
}

static const char *key_name(struct loader *l, uint32_t cell, const uint8_t *p, size_t len, bool root)
{
	size_t n = ib_le16(p + NK_NAME_LEN);
	bool latin1 = ib_le16(p + NK_FLAGS) & KEY_LATIN1;
	const char *name = NULL;

	if (n > len - NK_NAME)
		refuse(l, cell, "a key name of %zu bytes, the cell has %zu", n, len - NK_NAME);
	else if (n == 0 && !root)
		refuse(l, cell, "a key has no name");
	else if (n > KEY_NAME_MAX * (latin1 ? 1u : 2u))
		refuse(l, cell, "a key name of %zu bytes, at most %u characters are possible", n, KEY_NAME_MAX);
	else if (!(name = ib_registry_name(&l->hive->arena, p + NK_NAME, n, latin1)))
		refuse(l, cell, "a key name of %zu bytes is not UTF-16", n);
	else if (!root && strchr(name, '\\'))
		refuse(l, cell, "the key name '%s' holds a '\\'", name);
	else
		return name;
	return NULL;
}

static bool load_class(struct loader *l, uint32_t cell, const uint8_t *nk, struct ib_key *k)
{
	size_t n = ib_le16(nk + NK_CLASS_LEN), len;
	uint32_t at = ib_le32(nk + NK_CLASS);

	if (n == 0 || at == NO_CELL)
		return true;
	const uint8_t *p = take_cell(l, at, cell, "class name", n, &len);
	if (p)
		ib_registry_extra(k)->class_name = g_bytes_new(p, n);
	return p != NULL;
}

/* Volatile keys have no business in a file: they are left out, *ret stays NULL. */
static bool load_key(struct loader *l, uint32_t cell, uint32_t from, struct ib_key *parent, unsigned depth,
		     struct ib_key **ret)
{
	size_t len;
	const uint8_t *p = take_cell(l, cell, from, "key", NK_NAME, &len);

	if (!p || !has_signature(l, p, "nk", cell, "key"))
		return false;
	uint16_t flags = ib_le16(p + NK_FLAGS);
	if (parent && (flags & KEY_VOLATILE)) {
		l->hive->loaded.left_out++;
		return true;
	}
	if (parent && ib_le32(p + NK_PARENT) != from)
		return refuse(l, cell, "a key says its parent is 0x%x, it was found under 0x%x", ib_le32(p + NK_PARENT),
			      from);
	const char *name = key_name(l, cell, p, len, !parent);
	if (!name)
		return false;
	struct ib_key *k = ib_registry_key_new(l->hive, parent, name);
	if (!parent)
		l->hive->root = k;
	k->flags = flags;
	k->time = ib_le64(p + NK_TIME);
	k->access = ib_le32(p + NK_ACCESS);
	k->user_flags = ib_le16(p + NK_MAX_NAME + 2);
	*ret = k;
	return load_security(l, ib_le32(p + NK_SK), cell, &k->security) && load_class(l, cell, p, k) &&
	       load_values(l, cell, p, k) && load_children(l, cell, p, k, depth);
}

/* ---- the whole ---- */

static bool check_base(const uint8_t *b, size_t size, const char *name, struct ib_error **err)
{
	uint32_t bins = ib_le32(b + BB_BINS);

	if (ib_le32(b + BB_MAJOR) != 1 || ib_le32(b + BB_MINOR) < 3 || ib_le32(b + BB_MINOR) > 6)
		return ib_throw(err, IB_ERR_INPUT, "hive '%s' has version %u.%u at offset 0x14, known are 1.3 to 1.6",
				name, ib_le32(b + BB_MAJOR), ib_le32(b + BB_MINOR));
	if (ib_le32(b + BB_TYPE) != 0 || ib_le32(b + BB_FORMAT) != 1)
		return ib_throw(err, IB_ERR_INPUT, "hive '%s' has type %u, format %u at offset 0x1c: not a primary file",
				name, ib_le32(b + BB_TYPE), ib_le32(b + BB_FORMAT));
	if (bins == 0 || bins % BIN_UNIT || bins > BINS_MAX || bins > size - BASE_BLOCK)
		return ib_throw(err, IB_ERR_INPUT, "hive '%s' has bins of %u bytes at offset 0x28, the file holds %zu",
				name, bins, size - BASE_BLOCK);
	return true;
}

static bool load_tree(struct loader *l)
{
	struct ib_key *root = NULL;
	uint32_t cell = ib_le32(l->hive->base + BB_ROOT);

	if (!scan_bins(l))
		return false;
	/* The root's pointer lies in the base block: show that offset. */
	return load_key(l, cell, BB_ROOT - BASE_BLOCK, NULL, 0, &root);
}

static bool load_bytes(GBytes *file, const char *name, const struct ib_hive_info *info, struct ib_hive **ret,
		       struct ib_error **err)
{
	size_t size;
	const uint8_t *p = g_bytes_get_data(file, &size);
	g_autoptr(GHashTable) securities = g_hash_table_new(g_direct_hash, g_direct_equal);

	if (!check_base(p, size, name, err))
		return false;
	uint32_t bins = ib_le32(p + BB_BINS);
	g_autofree uint8_t *starts = g_try_malloc0(bins / 64);
	g_autofree uint8_t *used = g_try_malloc0(bins / 64);
	if (!starts || !used)
		return ib_throw_memory(err);
	struct ib_hive *h = ib_registry_hive_new();
	h->loaded = *info;
	memcpy(h->base, p, BASE_BLOCK);
	struct loader l = { .hive = h, .name = name, .bins = p + BASE_BLOCK, .size = bins, .starts = starts,
			    .used = used, .minor = ib_le32(p + BB_MINOR), .securities = securities, .err = err };
	if (!load_tree(&l)) {
		ib_hive_free(h);
		return false;
	}
	*ret = h;
	return true;
}

bool ib_hive_load(GBytes *bytes, const struct ib_hive_options *options, struct ib_hive **ret, struct ib_error **err)
{
	static const struct ib_hive_options none;
	g_autoptr(GBytes) file = NULL;
	size_t size;
	const uint8_t *p = g_bytes_get_data(bytes, &size);

	if (!options)
		options = &none;
	const char *name = options->name ? options->name : "hive";
	if (size >= 4 && memcmp(p, "regf", 4) != 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a hive: it does not begin with 'regf' at offset 0x0", name);
	if (size < BASE_BLOCK + BIN_UNIT)
		return ib_throw(err, IB_ERR_INPUT, "hive '%s' has %zu bytes, the smallest hive has %u", name, size,
				BASE_BLOCK + BIN_UNIT);
	struct ib_hive_info info = { .sequence = { ib_le32(p + BB_SEQ1), ib_le32(p + BB_SEQ2) }, .file_bytes = size };
	return ib_registry_recover(bytes, options, &info, &file, err) && load_bytes(file, name, &info, ret, err);
}
