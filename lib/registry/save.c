/*
 * The writer: the whole tree into fresh bins, parents before what lies below
 * them, so that a key's parent is known when it is written. Lists come after
 * the keys they list.
 */
#include "registry/internal.h"

struct writer {
	struct ib_hive *hive;
	uint8_t *buf; /* the file, base block included */
	size_t room;
	uint32_t at;      /* next cell, relative to the bins */
	uint32_t bin_end; /* of the bin being filled = size of the bins so far */
	uint32_t minor;
	uint64_t time;
	GPtrArray *securities; /* in the order of the ring */
	uint16_t *units;       /* room for the longest name */
	struct ib_error **err;
};

static uint8_t *cell_at(struct writer *w, uint32_t cell)
{
	return w->buf + BASE_BLOCK + cell + 4;
}

static bool grow(struct writer *w, size_t need)
{
	size_t room = MAX(need, w->room * 2);
	uint8_t *more = need > w->room ? g_try_realloc(w->buf, room) : w->buf;

	if (!more)
		return ib_throw_memory(w->err);
	w->buf = more;
	w->room = MAX(w->room, need > w->room ? room : 0);
	return true;
}

/* What is left of the bin becomes one free cell. */
static void close_bin(struct writer *w)
{
	uint32_t left = w->bin_end - w->at;

	if (left == 0)
		return;
	memset(w->buf + BASE_BLOCK + w->at, 0, left);
	ib_put_le32(w->buf + BASE_BLOCK + w->at, left);
	w->at = w->bin_end;
}

static bool open_bin(struct writer *w, uint32_t cell_size)
{
	uint64_t size = ((uint64_t)cell_size + BIN_HEADER + BIN_UNIT - 1) / BIN_UNIT * BIN_UNIT;
	uint32_t start = w->bin_end;

	if (start + size > BINS_MAX)
		return ib_throw(w->err, IB_ERR_INPUT, "the hive grows past %u bytes, the most a hive can have", BINS_MAX);
	if (!grow(w, BASE_BLOCK + start + (size_t)size))
		return false;
	uint8_t *b = w->buf + BASE_BLOCK + start;
	memset(b, 0, BIN_HEADER);
	memcpy(b, "hbin", 4);
	ib_put_le32(b + 4, start);
	ib_put_le32(b + 8, (uint32_t)size);
	if (start == 0)
		ib_put_le64(b + 20, w->time);
	w->at = start + BIN_HEADER;
	w->bin_end = start + (uint32_t)size;
	return true;
}

/* A new cell, zeroed where its content does not reach. */
static bool new_cell(struct writer *w, size_t len, uint32_t *ret)
{
	uint32_t size = (uint32_t)(len + 4 + 7) & ~7u;

	if (size > w->bin_end - w->at) {
		close_bin(w);
		if (!open_bin(w, size))
			return false;
	}
	uint8_t *p = w->buf + BASE_BLOCK + w->at;
	ib_put_le32(p, (uint32_t)-(int32_t)size);
	memset(p + MAX(size - 8, 4), 0, size - MAX(size - 8, 4));
	*ret = w->at;
	w->at += size;
	return true;
}

static bool put_bytes(struct writer *w, const void *data, size_t len, uint32_t *ret)
{
	if (!new_cell(w, len, ret))
		return false;
	memcpy(cell_at(w, *ret), data, len);
	return true;
}

/* ---- names ---- */

struct stored_name {
	const char *ascii; /* when it can be copied as it is */
	size_t units;
	bool latin1;
	size_t bytes;
};

/* How a name will be stored; its units stay in w->units until the next call. */
static struct stored_name measure(struct writer *w, const char *name)
{
	struct stored_name s = { .ascii = name, .latin1 = true };
	const char *p = name;

	while (*p && !(*p & 0x80))
		p++;
	if (!*p) {
		s.units = s.bytes = (size_t)(p - name);
		return s;
	}
	s.ascii = NULL;
	/* names were checked when they came in */
	if (!ib_registry_units(name, w->units, VALUE_NAME_MAX, &s.units))
		s.units = 0;
	for (size_t i = 0; i < s.units; i++)
		s.latin1 = s.latin1 && w->units[i] < 0x100;
	s.bytes = s.latin1 ? s.units : s.units * 2;
	return s;
}

static void put_name(struct writer *w, uint8_t *out, const struct stored_name *s)
{
	if (s->ascii) {
		memcpy(out, s->ascii, s->bytes);
		return;
	}
	for (size_t i = 0; i < s->units; i++) {
		if (s->latin1)
			out[i] = (uint8_t)w->units[i];
		else
			ib_put_le16(out + 2 * i, w->units[i]);
	}
}

/* ---- descriptors ---- */

static bool put_security(struct writer *w, struct registry_security *s, uint32_t *ret)
{
	size_t len;

	*ret = NO_CELL;
	if (!s)
		return true;
	if (s->refs++ == 0) {
		const uint8_t *data = g_bytes_get_data(s->bytes, &len);
		if (!new_cell(w, SK_DATA + len, &s->cell))
			return false;
		uint8_t *p = cell_at(w, s->cell);
		memset(p, 0, SK_DATA);
		memcpy(p, "sk", 2);
		ib_put_le32(p + SK_LEN, (uint32_t)len);
		if (len)
			memcpy(p + SK_DATA, data, len);
		g_ptr_array_add(w->securities, s);
	}
	*ret = s->cell;
	return true;
}

static void close_ring(struct writer *w)
{
	guint n = w->securities->len;

	for (guint i = 0; i < n; i++) {
		struct registry_security *s = g_ptr_array_index(w->securities, i);
		struct registry_security *next = g_ptr_array_index(w->securities, (i + 1) % n);
		ib_put_le32(cell_at(w, s->cell) + SK_NEXT, next->cell);
		ib_put_le32(cell_at(w, next->cell) + SK_PREV, s->cell);
		ib_put_le32(cell_at(w, s->cell) + SK_REFS, s->refs);
	}
}

/* ---- values ---- */

static bool put_big_data(struct writer *w, const struct ib_value *v, uint32_t *ret)
{
	uint32_t count = (v->len + SEGMENT - 1) / SEGMENT;
	uint32_t list;

	if (!new_cell(w, 8, ret) || !new_cell(w, 4 * (size_t)count, &list))
		return false;
	uint8_t *p = cell_at(w, *ret);
	memcpy(p, "db", 2);
	ib_put_le16(p + 2, (uint16_t)count);
	ib_put_le32(p + 4, list);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t cell, n = MIN(SEGMENT, v->len - i * SEGMENT);
		/* hivex takes the last 4 bytes of a segment's cell for padding, which a full one has */
		if (!new_cell(w, n + 4, &cell))
			return false;
		memcpy(cell_at(w, cell), v->data + (size_t)i * SEGMENT, n);
		ib_put_le32(cell_at(w, list) + 4 * i, cell);
	}
	return true;
}

static bool put_value(struct writer *w, const struct ib_value *v, uint32_t *ret, struct stored_name *ret_name)
{
	uint32_t data = 0, size = v->len;

	if (v->len > SEGMENT && w->minor >= 4) {
		if (!put_big_data(w, v, &data))
			return false;
	} else if (v->len > 4) {
		if (!put_bytes(w, v->data, v->len, &data))
			return false;
	} else {
		size |= 0x80000000u;
	}
	struct stored_name s = measure(w, v->name);
	if (!new_cell(w, VK_NAME + s.bytes, ret))
		return false;
	uint8_t *p = cell_at(w, *ret);
	memset(p, 0, VK_NAME);
	memcpy(p, "vk", 2);
	ib_put_le16(p + VK_NAME_LEN, (uint16_t)s.bytes);
	ib_put_le32(p + VK_SIZE, size);
	ib_put_le32(p + VK_DATA, data);
	if (v->len > 0 && v->len <= 4)
		memcpy(p + VK_DATA, v->data, v->len);
	ib_put_le32(p + VK_TYPE, v->type);
	uint16_t flags = v->flags & (uint16_t)~VALUE_LATIN1;
	if (s.units ? s.latin1 : v->flags & VALUE_LATIN1)
		flags |= VALUE_LATIN1;
	ib_put_le16(p + VK_FLAGS, flags);
	put_name(w, p + VK_NAME, &s);
	*ret_name = s;
	return true;
}

static bool put_values(struct writer *w, const struct ib_key *k, uint32_t cell)
{
	uint32_t list = NO_CELL, longest_name = 0, longest_data = 0;
	struct stored_name s;

	if (k->value_count && !new_cell(w, 4 * (size_t)k->value_count, &list))
		return false;
	for (uint32_t i = 0; i < k->value_count; i++) {
		uint32_t v;
		if (!put_value(w, k->values[i], &v, &s))
			return false;
		ib_put_le32(cell_at(w, list) + 4 * (size_t)i, v);
		longest_name = MAX(longest_name, (uint32_t)s.units * 2);
		longest_data = MAX(longest_data, k->values[i]->len);
	}
	uint8_t *p = cell_at(w, cell);
	ib_put_le32(p + NK_VALUES, k->value_count);
	ib_put_le32(p + NK_VALUE_LIST, list);
	ib_put_le32(p + NK_MAX_VALUE_NAME, longest_name);
	ib_put_le32(p + NK_MAX_DATA, longest_data);
	return true;
}

/* ---- lists of subkeys ---- */

/* What stands beside a cell: in lh the name's hash, in lf (before 1.5) its first four characters. */
static void put_hint(struct writer *w, uint8_t *out, const struct ib_key *k)
{
	struct stored_name s;

	if (w->minor >= 5) {
		ib_put_le32(out, ib_registry_hash(k->name));
		return;
	}
	s = measure(w, k->name);
	memset(out, 0, 4);
	for (size_t i = 0; i < s.units && i < 4; i++) {
		uint16_t u = s.ascii ? (uint8_t)s.ascii[i] : w->units[i];
		if (u < 0x100)
			out[i] = (uint8_t)u;
	}
}

static bool put_leaf(struct writer *w, struct ib_key *const *keys, const uint32_t *cells, uint32_t n, uint32_t *ret)
{
	if (!new_cell(w, 4 + 8 * (size_t)n, ret))
		return false;
	uint8_t *p = cell_at(w, *ret);
	memcpy(p, w->minor >= 5 ? "lh" : "lf", 2);
	ib_put_le16(p + 2, (uint16_t)n);
	for (uint32_t i = 0; i < n; i++) {
		ib_put_le32(p + 4 + 8 * (size_t)i, cells[i]);
		put_hint(w, p + 8 + 8 * (size_t)i, keys[i]);
	}
	return true;
}

static bool put_lists(struct writer *w, const struct ib_key *k, const uint32_t *cells, uint32_t *ret)
{
	uint32_t count = (k->child_count + LEAF_MAX - 1) / LEAF_MAX;

	if (count == 1)
		return put_leaf(w, k->children, cells, k->child_count, ret);
	if (count > UINT16_MAX)
		return ib_throw(w->err, IB_ERR_INPUT, "the key '%s' has %u subkeys, at most %u can be written", k->name,
				k->child_count, UINT16_MAX * LEAF_MAX);
	if (!new_cell(w, 4 + 4 * (size_t)count, ret))
		return false;
	memcpy(cell_at(w, *ret), "ri", 2);
	ib_put_le16(cell_at(w, *ret) + 2, (uint16_t)count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t leaf, first = i * LEAF_MAX;
		if (!put_leaf(w, k->children + first, cells + first, MIN(LEAF_MAX, k->child_count - first), &leaf))
			return false;
		ib_put_le32(cell_at(w, *ret) + 4 + 4 * (size_t)i, leaf);
	}
	return true;
}

/* ---- keys ---- */

static bool put_key(struct writer *w, struct ib_key *k, uint32_t parent, uint32_t *ret, size_t *ret_units);

static bool put_children(struct writer *w, struct ib_key *k, uint32_t cell)
{
	uint32_t list = NO_CELL;
	size_t longest = 0;

	ib_registry_sort(k);
	if (k->child_count) {
		g_autofree uint32_t *cells = g_try_new(uint32_t, k->child_count);
		if (!cells)
			return ib_throw_memory(w->err);
		for (uint32_t i = 0; i < k->child_count; i++) {
			size_t units;
			if (!put_key(w, k->children[i], cell, &cells[i], &units))
				return false;
			longest = MAX(longest, units);
		}
		if (!put_lists(w, k, cells, &list))
			return false;
	}
	uint8_t *p = cell_at(w, cell);
	ib_put_le32(p + NK_SUBKEYS, k->child_count);
	ib_put_le32(p + NK_LIST, list);
	ib_put_le32(p + NK_MAX_NAME, (uint32_t)k->user_flags << 16 | (uint32_t)longest * 2);
	return true;
}

static uint32_t longest_class(const struct ib_key *k)
{
	size_t longest = 0;

	for (uint32_t i = 0; i < k->child_count; i++)
		if (ib_key_class(k->children[i]))
			longest = MAX(longest, g_bytes_get_size(ib_key_class(k->children[i])));
	return (uint32_t)longest;
}

/* The descriptor and the class name of a key, and where they went. */
static bool put_attachments(struct writer *w, const struct ib_key *k, uint32_t cell)
{
	uint32_t sk, class_cell = NO_CELL;
	size_t class_len = 0;

	if (!put_security(w, k->security, &sk))
		return false;
	if (ib_key_class(k)) {
		const void *data = g_bytes_get_data(ib_key_class(k), &class_len);
		if (!put_bytes(w, data, class_len, &class_cell))
			return false;
	}
	uint8_t *p = cell_at(w, cell);
	ib_put_le32(p + NK_SK, sk);
	ib_put_le32(p + NK_CLASS, class_cell);
	ib_put_le16(p + NK_CLASS_LEN, (uint16_t)class_len);
	ib_put_le32(p + NK_MAX_CLASS, longest_class(k));
	return true;
}

static bool put_key(struct writer *w, struct ib_key *k, uint32_t parent, uint32_t *ret, size_t *ret_units)
{
	struct stored_name s = measure(w, k->name);

	if (!new_cell(w, NK_NAME + s.bytes, ret))
		return false;
	uint8_t *p = cell_at(w, *ret);
	memset(p, 0, NK_NAME);
	memcpy(p, "nk", 2);
	ib_put_le16(p + NK_FLAGS, (uint16_t)((k->flags & ~KEY_LATIN1) | (s.latin1 ? KEY_LATIN1 : 0)));
	ib_put_le64(p + NK_TIME, k->changed ? w->time : k->time);
	ib_put_le32(p + NK_ACCESS, k->access);
	ib_put_le32(p + NK_PARENT, parent);
	ib_put_le32(p + NK_VLIST, NO_CELL);
	ib_put_le16(p + NK_NAME_LEN, (uint16_t)s.bytes);
	put_name(w, p + NK_NAME, &s);
	*ret_units = s.units;
	return put_attachments(w, k, *ret) && put_values(w, k, *ret) && put_children(w, k, *ret);
}

/* ---- the whole ---- */

uint32_t ib_registry_checksum(const uint8_t *base)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < BB_SUM; i += 4)
		sum ^= ib_le32(base + i);
	return sum == 0 ? 1 : sum == 0xFFFFFFFFu ? 0xFFFFFFFEu : sum;
}

static void put_base(struct writer *w, uint32_t root)
{
	uint8_t *b = w->buf;
	uint32_t seq = MAX(ib_le32(w->hive->base + BB_SEQ1), ib_le32(w->hive->base + BB_SEQ2));

	memcpy(b, w->hive->base, BASE_BLOCK);
	ib_put_le32(b + BB_SEQ1, seq);
	ib_put_le32(b + BB_SEQ2, seq);
	ib_put_le64(b + BB_TIME, w->time);
	ib_put_le32(b + BB_ROOT, root);
	ib_put_le32(b + BB_BINS, w->bin_end);
	ib_put_le32(b + BB_SUM, ib_registry_checksum(b));
}

static bool write_hive(struct writer *w)
{
	uint32_t root;
	size_t units;
	GHashTableIter it;
	gpointer s;

	g_hash_table_iter_init(&it, w->hive->securities);
	while (g_hash_table_iter_next(&it, NULL, &s))
		((struct registry_security *)s)->refs = 0;
	if (!put_key(w, w->hive->root, NO_CELL, &root, &units))
		return false;
	close_bin(w);
	close_ring(w);
	put_base(w, root);
	return true;
}

bool ib_hive_save(struct ib_hive *h, uint64_t time, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) securities = g_ptr_array_new();
	g_autofree uint16_t *units = g_new(uint16_t, VALUE_NAME_MAX);
	size_t guess = h->loaded.file_bytes + (1u << 20);
	struct writer w = { .hive = h, .time = time, .minor = ib_le32(h->base + BB_MINOR), .securities = securities,
			    .units = units, .err = err, .room = guess, .buf = g_try_malloc(guess) };

	if (!w.buf)
		return ib_throw_memory(err);
	if (!write_hive(&w)) {
		g_free(w.buf);
		return false;
	}
	size_t size = BASE_BLOCK + (size_t)w.bin_end;
	uint8_t *exact = g_try_realloc(w.buf, size);
	*ret = g_bytes_new_take(exact ? exact : w.buf, size);
	return true;
}
