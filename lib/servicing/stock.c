/*
 * The stock: other images and packages that complete files may come from, when neither a package's differentials nor
 * the image itself lead to them. A file counts when its content has the hash of its manifest, wherever it lies.
 */
#include "servicing/internal.h"

#include <string.h>

#define FILE_LIMIT (1024u << 20)

/* One image of a WIM. */
struct shelf {
	struct ib_wim *wim; /* the stock's */
	unsigned index;
	struct ib_image *image; /* on first use */
	struct ib_store *store; /* on first use; NULL: no Windows image */
	bool tried;             /* the two above */
	GHashTable *contents;   /* SHA-256 (GBytes) -> SHA-1 (GBytes), when a file was not at its place */
};

/* A package; what is wanted of it is put into a scratch WIM in one pass. */
struct parcel {
	struct ib_package *package;
	struct ib_wim *scratch;
	GHashTable *contents;
	guint wanted_then; /* size of the stock's wanted at the last pass */
};

struct ib_stock {
	GMutex lock; /* asked from several threads; what is rare need not be parallel */
	GPtrArray *wims;
	GPtrArray *shelves, *parcels;
	GHashTable *wanted; /* SHA-256 (GBytes) */
	char *spool_dir;
};

static GHashTable *contents_new(void)
{
	return g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
				     (GDestroyNotify)g_bytes_unref);
}

static void shelf_free(void *p)
{
	struct shelf *s = p;

	ib_store_free(s->store);
	g_clear_pointer(&s->contents, g_hash_table_unref);
	g_free(s);
}

static void parcel_free(void *p)
{
	struct parcel *s = p;

	ib_package_free(s->package);
	ib_wim_free(s->scratch);
	g_clear_pointer(&s->contents, g_hash_table_unref);
	g_free(s);
}

struct ib_stock *ib_stock_new(const char *spool_dir)
{
	struct ib_stock *s = g_new0(struct ib_stock, 1);

	g_mutex_init(&s->lock);
	s->wims = g_ptr_array_new_with_free_func((GDestroyNotify)ib_wim_free);
	s->shelves = g_ptr_array_new_with_free_func(shelf_free);
	s->parcels = g_ptr_array_new_with_free_func(parcel_free);
	s->wanted = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
	s->spool_dir = g_strdup(spool_dir);
	return s;
}

void ib_stock_free(struct ib_stock *s)
{
	if (!s)
		return;
	g_ptr_array_unref(s->shelves);
	g_ptr_array_unref(s->parcels);
	g_ptr_array_unref(s->wims);
	g_hash_table_unref(s->wanted);
	g_mutex_clear(&s->lock);
	g_free(s->spool_dir);
	g_free(s);
}

void ib_stock_add_wim(struct ib_stock *s, struct ib_wim *wim, unsigned index)
{
	g_ptr_array_add(s->wims, wim);
	for (unsigned i = 1; i <= ib_wim_info(wim)->image_count; i++) {
		if (index && i != index)
			continue;
		struct shelf *shelf = g_new0(struct shelf, 1);
		shelf->wim = wim;
		shelf->index = i;
		g_ptr_array_add(s->shelves, shelf);
	}
}

void ib_stock_add_package(struct ib_stock *s, struct ib_package *package)
{
	struct parcel *p = g_new0(struct parcel, 1);

	p->package = package;
	p->contents = contents_new();
	g_ptr_array_add(s->parcels, p);
}

void ib_store_set_stock(struct ib_store *s, struct ib_stock *stock)
{
	s->stock = stock;
}

void ib_svc_stock_want(struct ib_stock *s, const uint8_t *sha256)
{
	g_mutex_lock(&s->lock);
	g_hash_table_add(s->wanted, g_bytes_new(sha256, IB_SHA256_SIZE));
	g_mutex_unlock(&s->lock);
}

/* ---- images ---- */

static bool index_manifest(struct ib_component *c, const struct ib_manifest *m, void *data, struct ib_error **err)
{
	struct shelf *s = data;

	for (guint i = 0; i < m->files->len; i++) {
		const struct ib_file *f = m->files->pdata[i];
		g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\%s", c->keyform, f->name);
		struct ib_node *node = ib_image_find(s->image, path);
		const uint8_t *hash = node ? ib_node_hash(node) : NULL;
		if (hash && f->has_sha256)
			g_hash_table_replace(s->contents, g_bytes_new(f->sha256, sizeof(f->sha256)),
					     g_bytes_new(hash, IB_WIM_HASH_SIZE));
	}
	return true;
}

static bool index_shelf(struct shelf *s, struct ib_error **err)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	struct ib_model *model;

	s->contents = contents_new();
	if (!ib_svc_model(s->store, &model, err))
		return false;
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++)
			g_ptr_array_add(all, f->components->pdata[k]);
	}
	return ib_svc_manifests_each(s->store, all, NULL, index_manifest, s, err);
}

static bool open_shelf(struct shelf *s, struct ib_error **err)
{
	ib_auto_error why = NULL;

	if (s->tried)
		return true;
	s->tried = true;
	if (!ib_wim_settle(s->wim, err) || !ib_wim_image(s->wim, s->index, &s->image, err))
		return false;
	if (!ib_store_open(s->wim, s->index, 0, &s->store, &why))
		ib_debug("servicing", "payload source: image %u has no component store: %s", s->index, ib_error_cause(why));
	return true;
}

static bool try_blob(struct ib_wim *wim, const uint8_t *hash, const struct ib_file *f, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_wim_read_shared(wim, hash, FILE_LIMIT, &bytes, err))
		return false;
	if (ib_svc_is_content(f, bytes))
		*ret = g_steal_pointer(&bytes);
	return true;
}

static bool try_shelf(struct shelf *s, const struct ib_manifest *m, const struct ib_file *f, GBytes **ret,
		      struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\%s", m->keyform, f->name);

	if (!open_shelf(s, err))
		return false;
	struct ib_node *node = ib_image_find(s->image, path);
	const uint8_t *hash = node ? ib_node_hash(node) : NULL;
	if (hash && !try_blob(s->wim, hash, f, ret, err))
		return false;
	if (*ret || !s->store || !f->has_sha256)
		return true;
	if (!s->contents && !index_shelf(s, err))
		return false;
	g_autoptr(GBytes) key = g_bytes_new(f->sha256, sizeof(f->sha256));
	GBytes *blob = g_hash_table_lookup(s->contents, key);
	return !blob || try_blob(s->wim, g_bytes_get_data(blob, NULL), f, ret, err);
}

/* ---- packages ---- */

struct unpacking {
	struct ib_stock *stock;
	struct parcel *parcel;
};

static bool keep_wanted(const struct ib_payload *payload, void *data, struct ib_error **err)
{
	struct unpacking *u = data;
	g_autoptr(GBytes) key = g_bytes_new(payload->file->sha256, IB_SHA256_SIZE);
	uint8_t hash[IB_WIM_HASH_SIZE];

	if (!payload->stream || !payload->file->has_sha256 || !g_hash_table_contains(u->stock->wanted, key) ||
	    g_hash_table_contains(u->parcel->contents, key))
		return true;
	if (!ib_wim_add_blob(u->parcel->scratch, payload->stream, hash, NULL, err))
		return false;
	g_hash_table_insert(u->parcel->contents, g_steal_pointer(&key), g_bytes_new(hash, sizeof(hash)));
	return true;
}

static bool unpack(struct ib_stock *stock, struct parcel *p, struct ib_error **err)
{
	struct unpacking u = { .stock = stock, .parcel = p };
	struct ib_payload_options o = { .size = sizeof(o), .threads = 1 };

	if (p->wanted_then == g_hash_table_size(stock->wanted))
		return true;
	if (!p->scratch)
		p->scratch = ib_wim_new(IB_WIM_NONE, 0, stock->spool_dir);
	p->wanted_then = g_hash_table_size(stock->wanted);
	return ib_package_each_payload(p->package, &o, keep_wanted, &u, NULL, err) && ib_wim_settle(p->scratch, err);
}

static bool try_parcel(struct ib_stock *stock, struct parcel *p, const struct ib_file *f, GBytes **ret,
		       struct ib_error **err)
{
	g_autoptr(GBytes) key = g_bytes_new(f->sha256, sizeof(f->sha256));

	if (!f->has_sha256)
		return true;
	if (!unpack(stock, p, err))
		return false;
	GBytes *blob = g_hash_table_lookup(p->contents, key);
	return !blob || try_blob(p->scratch, g_bytes_get_data(blob, NULL), f, ret, err);
}

/* ---- both ---- */

static bool find(struct ib_stock *s, const struct ib_manifest *m, const struct ib_file *f, GBytes **ret,
		 struct ib_error **err)
{
	for (guint i = 0; i < s->shelves->len && !*ret; i++)
		if (!try_shelf(s->shelves->pdata[i], m, f, ret, err))
			return false;
	for (guint i = 0; i < s->parcels->len && !*ret; i++)
		if (!try_parcel(s, s->parcels->pdata[i], f, ret, err))
			return false;
	return true;
}

bool ib_svc_stock_find(struct ib_stock *s, const struct ib_manifest *m, const struct ib_file *f, GBytes **ret,
		       struct ib_error **err)
{
	*ret = NULL;
	g_mutex_lock(&s->lock);
	bool ok = find(s, m, f, ret, err);
	g_mutex_unlock(&s->lock);
	return ok || ib_while(err, "looking for '%s' of '%s' in the payload sources", f->name, m->keyform);
}
