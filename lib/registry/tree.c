/* The tree of keys: making, finding, removing. */
#include "registry/internal.h"

#define ARENA_BLOCK (256u << 10)
/* From here on a search through an unsorted list costs more than an index. */
#define INDEX_FROM 24u

/*
 * O:BAG:SYD:(A;CI;KA;;;SY)(A;CI;KA;;;BA), self-relative: what a new hive's root gets,
 * because Windows refuses keys without a descriptor.
 */
static const uint8_t default_descriptor[] = {
	1, 0, 0x04, 0x80, 72, 0, 0, 0, 88, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0,
	2, 0, 52, 0, 2, 0, 0, 0,
	0, 2, 20, 0, 0x3F, 0, 0x0F, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
	0, 2, 24, 0, 0x3F, 0, 0x0F, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0,
	1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0,
	1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
};

/* What is too large for a block gets one of its own. */
static void *alloc_large(struct registry_arena *a, size_t size)
{
	void *own = g_try_malloc(size);

	if (own)
		g_ptr_array_add(a->blocks, own);
	return own;
}

static void need(struct registry_arena *a, size_t size)
{
	if (size <= a->left)
		return;
	a->at = g_malloc(ARENA_BLOCK);
	a->left = ARENA_BLOCK;
	g_ptr_array_add(a->blocks, a->at);
}

void *ib_registry_alloc(struct registry_arena *a, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	if (size > ARENA_BLOCK / 4)
		return alloc_large(a, size);
	need(a, size);
	void *p = a->at;
	a->at += size;
	a->left -= size;
	return p;
}

void *ib_registry_alloc_bytes(struct registry_arena *a, size_t size)
{
	if (size > ARENA_BLOCK / 4)
		return alloc_large(a, size);
	need(a, size);
	a->left -= size;
	return a->at + a->left;
}

static void security_free(void *p)
{
	struct registry_security *s = p;

	g_bytes_unref(s->bytes);
	g_free(s);
}

struct ib_hive *ib_registry_hive_new(void)
{
	struct ib_hive *h = g_new0(struct ib_hive, 1);

	h->arena.blocks = g_ptr_array_new_with_free_func(g_free);
	h->securities = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, NULL, security_free);
	return h;
}

struct registry_security *ib_registry_intern(struct ib_hive *h, GBytes *descriptor)
{
	struct registry_security *s = g_hash_table_lookup(h->securities, descriptor);

	if (!s) {
		s = g_new0(struct registry_security, 1);
		s->bytes = g_bytes_ref(descriptor);
		g_hash_table_insert(h->securities, s->bytes, s);
	}
	return s;
}

struct ib_key *ib_registry_key_new(struct ib_hive *h, struct ib_key *parent, const char *name)
{
	struct ib_key *k = ib_registry_alloc(&h->arena, sizeof(*k));

	*k = (struct ib_key){ .parent = parent, .name = name };
	return k;
}

struct registry_extra *ib_registry_extra(struct ib_key *key)
{
	if (!key->extra)
		key->extra = g_new0(struct registry_extra, 1);
	return key->extra;
}

void *ib_registry_list_grow(void *list, uint32_t count, uint32_t *room)
{
	if (count < *room)
		return list;
	uint32_t more = MAX(count * 2, 4);
	void **own = g_renew(void *, *room ? list : NULL, more);
	if (!*room && count)
		memcpy(own, list, count * sizeof(*own));
	*room = more;
	return own;
}

static const char *keep_text(struct ib_hive *h, const char *text, size_t len)
{
	char *copy = ib_registry_alloc_bytes(&h->arena, len + 1);

	memcpy(copy, text, len);
	copy[len] = 0;
	return copy;
}

struct ib_hive *ib_hive_new(const char *root_name)
{
	struct ib_hive *h = ib_registry_hive_new();
	g_autoptr(GBytes) sd = g_bytes_new_static(default_descriptor, sizeof(default_descriptor));

	memcpy(h->base, "regf", 4);
	ib_put_le32(h->base + BB_SEQ1, 1);
	ib_put_le32(h->base + BB_SEQ2, 1);
	ib_put_le32(h->base + BB_MAJOR, 1);
	ib_put_le32(h->base + BB_MINOR, 5);
	ib_put_le32(h->base + BB_FORMAT, 1);
	ib_put_le32(h->base + BB_CLUSTER, 1);
	h->root = ib_registry_key_new(h, NULL, keep_text(h, root_name, strlen(root_name)));
	h->root->flags = KEY_ROOT | KEY_NO_DELETE;
	h->root->security = ib_registry_intern(h, sd);
	h->root->changed = true;
	h->changed = true;
	return h;
}

/* Free what a key and all below it hold outside the arena. Depth is at most DEPTH_MAX. */
static void key_fini(struct ib_key *k)
{
	for (uint32_t i = 0; i < k->child_count; i++)
		key_fini(k->children[i]);
	for (uint32_t i = 0; i < k->value_count; i++)
		ib_registry_value_fini(k->values[i]);
	if (k->extra) {
		g_clear_pointer(&k->extra->child_index, g_hash_table_unref);
		g_clear_pointer(&k->extra->value_index, g_hash_table_unref);
		g_clear_pointer(&k->extra->class_name, g_bytes_unref);
		g_clear_pointer(&k->extra, g_free);
	}
	if (k->child_room)
		g_free(k->children);
	if (k->value_room)
		g_free(k->values);
	k->children = NULL;
	k->values = NULL;
	k->child_count = k->value_count = k->child_room = k->value_room = 0;
}

void ib_hive_free(struct ib_hive *h)
{
	if (!h)
		return;
	if (h->root)
		key_fini(h->root);
	g_hash_table_unref(h->securities);
	g_ptr_array_unref(h->arena.blocks);
	g_free(h);
}

bool ib_hive_changed(const struct ib_hive *h)
{
	return h->changed;
}

void ib_registry_touch(struct ib_hive *h, struct ib_key *key)
{
	h->changed = true;
	key->changed = true;
}

static int compare_keys(const void *a, const void *b)
{
	const struct ib_key *const *ka = a, *const *kb = b;

	return ib_registry_compare((*ka)->name, (*kb)->name);
}

/* Where a name belongs among the first n children, which are in order. */
static uint32_t place_of(const struct ib_key *parent, uint32_t n, const char *name)
{
	uint32_t low = 0;

	while (low < n) {
		uint32_t mid = low + (n - low) / 2;
		if (ib_registry_compare(name, parent->children[mid]->name) < 0)
			n = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* What was added since the last time is merged in: whoever adds and asks in turns must not pay for all each time. */
void ib_registry_sort(struct ib_key *key)
{
	uint32_t old = key->in_order, added = key->child_count - old;

	if (!added)
		return;
	g_autofree struct ib_key **tail = g_memdup2(key->children + old, added * sizeof(*tail));
	qsort(tail, added, sizeof(*tail), compare_keys);
	while (added-- > 0) {
		uint32_t at = place_of(key, old, tail[added]->name);
		memmove(key->children + at + added + 1, key->children + at, (old - at) * sizeof(*tail));
		key->children[at + added] = tail[added];
		old = at;
	}
	key->in_order = key->child_count;
}

static guint hash_key(const void *k)
{
	return ib_registry_hash(((const struct ib_key *)k)->name);
}

static gboolean equal_keys(const void *a, const void *b)
{
	const struct ib_key *ka = a, *kb = b;

	return ib_registry_compare(ka->name, kb->name) == 0;
}

static GHashTable *child_index(const struct ib_key *parent)
{
	return parent->extra ? parent->extra->child_index : NULL;
}

static struct ib_key *search_sorted(const struct ib_key *parent, const char *name)
{
	size_t low = 0, high = parent->child_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = ib_registry_compare(name, parent->children[mid]->name);
		if (c == 0)
			return parent->children[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

struct ib_key *ib_registry_child(struct ib_key *parent, const char *name)
{
	struct ib_key probe = { .name = name };

	GHashTable *index = child_index(parent);

	if (parent->in_order == parent->child_count && !index)
		return search_sorted(parent, name);
	if (parent->child_count < INDEX_FROM && !index) {
		for (uint32_t i = 0; i < parent->child_count; i++)
			if (equal_keys(parent->children[i], &probe))
				return parent->children[i];
		return NULL;
	}
	if (!index) {
		index = ib_registry_extra(parent)->child_index = g_hash_table_new(hash_key, equal_keys);
		for (uint32_t i = 0; i < parent->child_count; i++)
			g_hash_table_add(index, parent->children[i]);
	}
	return g_hash_table_lookup(index, &probe);
}

/* Put a key under its parent; the order is restored when somebody asks for it. */
static void add_child(struct ib_key *parent, struct ib_key *k)
{
	parent->children = ib_registry_list_grow(parent->children, parent->child_count, &parent->child_room);
	if (parent->in_order == parent->child_count &&
	    (!parent->child_count ||
	     ib_registry_compare(parent->children[parent->child_count - 1]->name, k->name) < 0))
		parent->in_order++;
	parent->children[parent->child_count++] = k;
	if (child_index(parent))
		g_hash_table_add(child_index(parent), k);
}

struct ib_key *ib_hive_root(struct ib_hive *h)
{
	return h->root;
}

/* Cut the next name off a path: its text into `out`, the rest into *path. One '\' at the end is allowed. */
static void next_name(const char **path, GString *out)
{
	const char *end = strchrnul(*path, '\\');

	g_string_truncate(out, 0);
	g_string_append_len(out, *path, end - *path);
	*path = *end ? end + 1 : end;
}

struct ib_key *ib_key_find(struct ib_key *from, const char *path)
{
	g_autoptr(GString) name = g_string_sized_new(256);

	while (from && *path) {
		next_name(&path, name);
		from = name->len ? ib_registry_child(from, name->str) : NULL;
	}
	return from;
}

static bool check_name(const char *name, unsigned depth, const char *path, struct ib_error **err)
{
	size_t n;

	if (!*name)
		return ib_throw(err, IB_ERR_INPUT, "the key path '%s' has an empty name", path);
	if (!ib_registry_units(name, NULL, SIZE_MAX, &n))
		return ib_throw(err, IB_ERR_INPUT, "a key name is not UTF-8 text");
	if (n > KEY_NAME_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the key name '%s' has %zu characters, at most %u are possible",
				name, n, KEY_NAME_MAX);
	if (depth > DEPTH_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the key path '%s' is deeper than %u keys", path, DEPTH_MAX);
	return true;
}

/* All names of a path are checked before the first key is made: a refused path leaves no half of it. */
static bool check_path(const struct ib_key *from, const char *path, struct ib_error **err)
{
	g_autoptr(GString) name = g_string_sized_new(256);
	unsigned depth = 0;

	for (const struct ib_key *k = from; k->parent; k = k->parent)
		depth++;
	for (const char *p = path; *p;) {
		next_name(&p, name);
		if (!check_name(name->str, ++depth, path, err))
			return false;
	}
	return true;
}

bool ib_key_make(struct ib_hive *h, struct ib_key *from, const char *path, struct ib_key **ret, struct ib_error **err)
{
	g_autoptr(GString) name = g_string_sized_new(256);

	if (!check_path(from, path, err))
		return false;
	while (*path) {
		next_name(&path, name);
		struct ib_key *k = ib_registry_child(from, name->str);
		if (!k) {
			k = ib_registry_key_new(h, from, keep_text(h, name->str, name->len));
			k->security = from->security;
			add_child(from, k);
			ib_registry_touch(h, from);
			ib_registry_touch(h, k);
		}
		from = k;
	}
	*ret = from;
	return true;
}

bool ib_key_remove(struct ib_hive *h, struct ib_key *key, struct ib_error **err)
{
	struct ib_key *parent = key->parent;

	if (!parent)
		return ib_throw(err, IB_ERR_INPUT, "the root key of a hive cannot be removed");
	uint32_t i = place_of(parent, parent->in_order, key->name); /* behind it, when it is among those in order */
	if (i > 0 && parent->children[i - 1] == key)
		i--;
	else
		i = parent->in_order;
	while (i < parent->child_count && parent->children[i] != key)
		i++;
	if (i == parent->child_count)
		return ib_throw(err, IB_ERR_FAILED, "the key '%s' was already removed", key->name);
	if (child_index(parent))
		g_hash_table_remove(child_index(parent), key);
	memmove(parent->children + i, parent->children + i + 1,
		(parent->child_count - i - 1) * sizeof(*parent->children));
	parent->child_count--;
	parent->in_order -= i < parent->in_order;
	ib_registry_touch(h, parent);
	key_fini(key);
	return true;
}

size_t ib_key_count(const struct ib_key *key)
{
	return key->child_count;
}

struct ib_key *ib_key_child(const struct ib_key *key, size_t i)
{
	if (i >= key->child_count)
		return NULL;
	ib_registry_sort((struct ib_key *)key); /* the order is not part of what the caller sees change */
	return key->children[i];
}

struct ib_key *ib_key_parent(const struct ib_key *key)
{
	return key->parent;
}

const char *ib_key_name(const struct ib_key *key)
{
	return key->name;
}

char *ib_key_path(const struct ib_key *key)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	GString *path = g_string_new(NULL);

	for (; key->parent; key = key->parent)
		g_ptr_array_add(names, (void *)key->name);
	for (guint i = names->len; i > 0; i--) {
		if (path->len)
			g_string_append_c(path, '\\');
		g_string_append(path, g_ptr_array_index(names, i - 1));
	}
	return g_string_free(path, FALSE);
}

uint64_t ib_key_time(const struct ib_key *key)
{
	return key->time;
}

GBytes *ib_key_security(const struct ib_key *key)
{
	return key->security ? key->security->bytes : NULL;
}

void ib_key_set_security(struct ib_hive *h, struct ib_key *key, GBytes *descriptor)
{
	struct registry_security *s = descriptor ? ib_registry_intern(h, descriptor) : NULL;

	if (s == key->security)
		return;
	key->security = s;
	ib_registry_touch(h, key);
}

bool ib_key_is_link(const struct ib_key *key)
{
	return key->flags & KEY_LINK;
}

GBytes *ib_key_class(const struct ib_key *key)
{
	return key->extra ? key->extra->class_name : NULL;
}

static void count_keys(const struct ib_key *k, unsigned depth, GHashTable *descriptors, struct ib_hive_info *info)
{
	info->keys++;
	info->values += k->value_count;
	info->links += ib_key_is_link(k);
	info->newest = MAX(info->newest, k->time);
	info->depth = MAX(info->depth, depth);
	if (k->security)
		g_hash_table_add(descriptors, k->security);
	for (uint32_t i = 0; i < k->child_count; i++)
		count_keys(k->children[i], depth + 1, descriptors, info);
}

void ib_hive_info(struct ib_hive *h, struct ib_hive_info *ret)
{
	g_autoptr(GHashTable) descriptors = g_hash_table_new(g_direct_hash, g_direct_equal);

	*ret = h->loaded;
	ret->minor = ib_le32(h->base + BB_MINOR);
	ret->time = ib_le64(h->base + BB_TIME);
	count_keys(h->root, 0, descriptors, ret);
	ret->descriptors = g_hash_table_size(descriptors);
}
