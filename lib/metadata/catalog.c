/* A folder of update documents: the newest revision of each. */
#include "metadata/internal.h"

#include <string.h>

/* Most levels of prerequisites: the genuine export has 6. */
#define LEVELS_MAX 64u

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	g_hash_table_unref(c->by_id);
	g_ptr_array_unref(c->updates);
	g_free(c);
}

struct update *catalog_find(const struct catalog *c, const char *id)
{
	return g_hash_table_lookup(c->by_id, id);
}

/* Where an id stands, or would stand. */
static guint position(const struct catalog *c, const char *id)
{
	guint low = 0, high = c->updates->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const struct update *u = g_ptr_array_index(c->updates, middle);
		if (strcmp(u->id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void catalog_put(struct catalog *c, struct update *u)
{
	guint at = position(c, u->id);

	if (g_hash_table_remove(c->by_id, u->id))
		g_ptr_array_remove_index(c->updates, at);
	g_ptr_array_insert(c->updates, (gint)at, u);
	g_hash_table_insert(c->by_id, u->id, u);
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The documents' names in a fixed order. A folder that is not there is an empty catalog. */
static bool list_files(const char *path, GPtrArray *files, struct ib_error **err)
{
	g_autoptr(GError) e = NULL;
	g_autoptr(GDir) dir = g_dir_open(path, 0, &e);
	const char *name;

	if (!dir && !g_error_matches(e, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return ib_throw(err, IB_ERR_INPUT, "cannot list the catalog: %s", e->message);
	while (dir && (name = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(name, ".xml"))
			continue;
		if (files->len == CATALOG_MAX)
			return ib_throw(err, IB_ERR_INPUT, "catalog '%s' has more than %u documents", path, CATALOG_MAX);
		g_ptr_array_add(files, g_strdup(name));
	}
	g_ptr_array_sort(files, by_text);
	return true;
}

/* Two files with one identity must be one document. */
static bool check_same(const struct update *a, const struct update *b, struct ib_error **err)
{
	g_autoptr(GBytes) x = update_bytes(a);
	g_autoptr(GBytes) y = update_bytes(b);

	if (g_bytes_equal(x, y))
		return true;
	return ib_throw(err, IB_ERR_INPUT, "'%s' and '%s' are revision %u of the same update with different content",
			a->file, b->file, a->revision);
}

static bool load_file(struct catalog *c, const char *path, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	struct update *u;
	gsize len;

	if (!ib_file_read(path, DOCUMENT_MAX, &bytes, err))
		return false;
	const void *data = g_bytes_get_data(bytes, &len);
	if (!update_read(data, len, path, &u, err))
		return false;
	const struct update *have = catalog_find(c, u->id);
	if (!have || have->revision < u->revision) {
		catalog_put(c, u);
		return true;
	}
	bool ok = have->revision > u->revision || check_same(have, u, err);
	update_free(u);
	return ok;
}

bool catalog_load(const char *dir, struct catalog **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	struct catalog *c = g_new0(struct catalog, 1);

	c->updates = g_ptr_array_new_with_free_func((GDestroyNotify)update_free);
	c->by_id = g_hash_table_new(g_str_hash, g_str_equal);
	bool ok = !dir || list_files(dir, files, err);
	for (guint i = 0; ok && i < files->len; i++) {
		g_autofree char *path = g_build_filename(dir, g_ptr_array_index(files, i), NULL);
		ok = load_file(c, path, err);
	}
	ok = ok && catalog_link(c, err);
	if (!ok) {
		catalog_free(c);
		return ib_while(err, "reading the update catalog '%s'", dir);
	}
	*ret = c;
	return true;
}

bool catalog_link(struct catalog *c, struct ib_error **err)
{
	for (guint i = 0; i < c->updates->len; i++) {
		struct update *u = g_ptr_array_index(c->updates, i);
		u->child = NULL;
		for (guint k = 0; k < u->bundled->len; k++) {
			const struct reference *r = reference_at(u->bundled, k);
			struct update *child = catalog_find(c, r->id);
			if (!child || child->revision != r->revision)
				return ib_throw(err, IB_ERR_INPUT,
						"'%s' bundles revision %u of update %s, the catalog has %s%u", u->file,
						r->revision, r->id, child ? "revision " : "none, ",
						child ? child->revision : 0);
			if (u->bundled->len == 1 && child->image)
				u->child = child;
		}
	}
	return true;
}

/* ---- order ---- */

struct order {
	const struct catalog *c;
	GHashTable *done; /* id */
	GPtrArray *list;
};

static bool is_done(const struct order *o, const char *id)
{
	return !catalog_find(o->c, id) || g_hash_table_contains(o->done, id);
}

/* Whether all that an update needs, as far as it is in the catalog, stands before it. */
static bool is_ready(const struct order *o, const struct update *u)
{
	for (guint i = 0; i < u->bundled->len; i++)
		if (!is_done(o, reference_at(u->bundled, i)->id))
			return false;
	for (guint i = 0; i < u->clauses->len; i++) {
		const GArray *clause = g_ptr_array_index(u->clauses, i);
		for (guint k = 0; k < clause->len; k++)
			if (!is_done(o, reference_at(clause, k)->id))
				return false;
	}
	return true;
}

/* Rounds, a level of the graph each, by id within one: the same order for the same catalog. */
bool catalog_order(const struct catalog *c, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	struct order o = { c, done, list };

	for (unsigned level = 0; list->len < c->updates->len; level++) {
		guint before = list->len;
		if (level == LEVELS_MAX)
			return ib_throw(err, IB_ERR_INPUT, "the catalog's prerequisites have more than %u levels", LEVELS_MAX);
		for (guint i = 0; i < c->updates->len; i++) {
			struct update *u = g_ptr_array_index(c->updates, i);
			if (!g_hash_table_contains(done, u->id) && is_ready(&o, u))
				g_ptr_array_add(list, u);
		}
		for (guint i = before; i < list->len; i++)
			g_hash_table_add(done, ((struct update *)g_ptr_array_index(list, i))->id);
		if (list->len > before)
			continue;
		for (guint i = 0; i < c->updates->len; i++) {
			const struct update *u = g_ptr_array_index(c->updates, i);
			if (!g_hash_table_contains(done, u->id))
				return ib_throw(err, IB_ERR_INPUT, "update %s ('%s') needs itself, by way of what it needs",
						u->id, u->title);
		}
	}
	*ret = g_steal_pointer(&list);
	return true;
}
