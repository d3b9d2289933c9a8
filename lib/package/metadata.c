/* Metadata: mums, catalogs and manifests of a package, whatever they are made of, and the models of them. */
#include "package/internal.h"

#include <string.h>

/* A metadata file as it was found. */
struct meta {
	const char *name;
	GBytes *bytes;
	/* what was read out of it, until somebody takes it */
	struct ib_mum *mum;
	struct ib_manifest *manifest;
	struct ib_error *error;
};

/* What the pass gathers. */
struct gather {
	struct ib_package *p;
	GHashTable *metas;     /* folded name -> struct meta * */
	uint8_t *wanted;       /* of the unit's files */
	uint64_t bytes;        /* of metadata so far */
};

static void meta_free(gpointer data)
{
	struct meta *m = data;

	g_bytes_unref(m->bytes);
	ib_mum_free(m->mum);
	ib_manifest_free(m->manifest);
	ib_error_clear(&m->error);
	g_free(m);
}

/* Most bytes a file of this name may have; 0: it is no metadata. */
static uint64_t meta_limit(const char *name)
{
	static const struct {
		const char *suffix;
		uint64_t limit;
	} kinds[] = { { ".mum", MUM_MAX }, { ".cat", CATALOG_MAX }, { ".manifest", MANIFEST_MAX } };

	if (strchr(name, '\\') || g_ascii_strcasecmp(name, "update-bf.mum") == 0 ||
	    g_ascii_strcasecmp(name, "update-bf.cat") == 0)
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (package_has_suffix(name, kinds[i].suffix))
			return kinds[i].limit;
	return 0;
}

/* ---- the pass ---- */

static bool keep(struct gather *g, const char *name, GBytes *bytes, struct ib_error **err)
{
	g_autofree char *key = ib_name_fold(name);
	const struct meta *known = g_hash_table_lookup(g->metas, key);

	if (known)
		return g_bytes_equal(known->bytes, bytes) ||
		       ib_throw(err, IB_ERR_INPUT, "package '%s' has '%s' twice, with different content",
				g->p->container->path, name);
	g->bytes += g_bytes_get_size(bytes);
	if (g->bytes > METADATA_MAX)
		return ib_throw(err, IB_ERR_INPUT, "package '%s' has %" PRIu64 " bytes of metadata and more, at most %"
				PRIu64 " are accepted", g->p->container->path, g->bytes, METADATA_MAX);
	struct meta *meta = g_new0(struct meta, 1);
	meta->name = name;
	meta->bytes = g_bytes_ref(bytes);
	g_hash_table_insert(g->metas, g_steal_pointer(&key), meta);
	return true;
}

static bool take_member(guint i, struct ib_stream *stream, void *data, struct ib_error **err)
{
	struct gather *g = data;
	const char *name = package_unit_file(g->p->unit, i)->name;
	g_autoptr(GBytes) bytes = NULL;

	return package_opening_goes_on(g->p->opening, err) && ib_stream_bytes(stream, meta_limit(name), name, &bytes, err) &&
	       keep(g, name, bytes, err);
}

static bool check_size(const struct gather *g, const char *name, uint64_t size, struct ib_error **err)
{
	return size <= meta_limit(name) ||
	       ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, at most %" PRIu64 " are accepted", name, size,
			meta_limit(name));
}

/* Which files of an index are metadata; NULL: none. Owned by the caller (g_free). */
static bool metadata_of(const struct gather *g, struct cix *c, uint8_t **ret, struct ib_error **err)
{
	g_autofree uint8_t *files = g_malloc0(c->files->len + 1);

	for (guint i = 0; i < c->files->len; i++) {
		const struct cix_file *f = package_cix_file(c, i);
		files[i] = meta_limit(f->name) > 0;
		if (files[i] && !check_size(g, f->name, f->length, err))
			return false;
	}
	*ret = g_steal_pointer(&files);
	return true;
}

static bool take_indexed(struct gather *g, struct cix *c, struct ib_error **err)
{
	g_autofree uint8_t *files = NULL;

	if (!c)
		return true;
	if (!metadata_of(g, c, &files, err) || !package_cix_fetch(c, files, g->p->threads, err))
		return false;
	for (guint i = 0; i < c->files->len; i++) {
		struct cix_result r = { 0 };
		if (!files[i])
			continue;
		if (!package_cix_get(c, i, &r, err))
			return false;
		const char *name = package_cix_file(c, i)->name;
		bool ok = r.outside ? ib_throw(err, IB_ERR_INPUT, "'%s' of index '%s' is based on a file outside of the "
					       "package", name, c->what) : keep(g, name, r.bytes, err);
		if (r.bytes)
			g_bytes_unref(r.bytes);
		if (!ok)
			return false;
	}
	return true;
}

static bool each_member(struct gather *g, struct ib_error **err)
{
	const struct ib_package *p = g->p;

	return p->will_read ? package_unit_each_keeping(p->unit, g->wanted, p->container->spool_dir, p->threads, take_member, g,
							 err)
			    : package_unit_each(p->unit, g->wanted, p->threads, take_member, g, err);
}

static bool gather(struct gather *g, struct ib_error **err)
{
	struct unit *u = g->p->unit;

	for (guint i = 0; i < u->files->len; i++) {
		const struct unit_file *f = package_unit_file(u, i);
		g->wanted[i] = meta_limit(f->name) > 0;
		if (g->wanted[i] && !check_size(g, f->name, f->size, err))
			return false;
	}
	return each_member(g, err) && take_indexed(g, g->p->cix, err) && take_indexed(g, g->p->psf_index, err);
}

/* ---- mums ---- */

static struct meta *find_meta(const struct gather *g, const char *name)
{
	g_autofree char *key = ib_name_fold(name);

	return g_hash_table_lookup(g->metas, key);
}

/* The catalog beside a mum: same stem. */
static void take_catalog(const struct gather *g, struct ib_mum *mum, const char *mum_name)
{
	g_autofree char *name = g_strdup(mum_name);

	if (mum->catalog)
		return;
	memcpy(name + strlen(name) - strlen("mum"), "cat", strlen("cat"));
	const struct meta *cat = find_meta(g, name);
	if (cat)
		mum->catalog = g_bytes_ref(cat->bytes);
}

/* The description read out of a file: the caller's. */
static bool take_mum(struct meta *meta, struct ib_mum **ret, struct ib_error **err)
{
	if (!meta->mum) {
		*err = g_steal_pointer(&meta->error);
		return false;
	}
	*ret = g_steal_pointer(&meta->mum);
	return true;
}

static bool add_root(struct gather *g, struct ib_error **err)
{
	struct ib_package *p = g->p;
	struct meta *meta = find_meta(g, "update.mum");

	if (!meta) {
		ib_throw(err, IB_ERR_INPUT, "'%s' has no 'update.mum', so it is not a package of Component Based "
			 "Servicing", p->container->path);
		return ib_hint(err, "drivers, Appx bundles and setup files come in cabinets too: they are not packages");
	}
	if (!take_mum(meta, &p->root, err))
		return false;
	g_ptr_array_add(p->mums, p->root);
	g_hash_table_insert(p->mum_index, ib_name_fold(p->root->package_id), p->root);
	take_catalog(g, p->root, "update.mum");
	return true;
}

static bool add_mum(struct gather *g, struct meta *meta, struct ib_error **err)
{
	struct ib_package *p = g->p;
	struct ib_mum *mum;

	if (!take_mum(meta, &mum, err))
		return false;
	struct ib_mum *known = (struct ib_mum *)ib_package_mum(p, mum->package_id);
	if (!known) {
		g_ptr_array_add(p->mums, mum);
		g_hash_table_insert(p->mum_index, ib_name_fold(mum->package_id), mum);
		take_catalog(g, mum, meta->name);
		return true;
	}
	/* The root once more under its own name; any other content would be a lie about one of them. */
	bool same = g_bytes_equal(known->bytes, mum->bytes);
	ib_mum_free(mum);
	take_catalog(g, known, meta->name);
	return same || ib_throw(err, IB_ERR_INPUT, "package '%s' has two different descriptions of '%s'",
				p->container->path, known->package_id);
}

static int compare_mums(gconstpointer a, gconstpointer b, gpointer root)
{
	const struct ib_mum *x = *(const struct ib_mum *const *)a, *y = *(const struct ib_mum *const *)b;

	if (x == root || y == root)
		return x == y ? 0 : x == root ? -1 : 1;
	return ib_name_compare(x->package_id, y->package_id);
}

/* ---- manifests ---- */

static bool add_manifest(struct ib_package *p, struct meta *meta, struct ib_error **err)
{
	if (!package_manifest_readable(meta->bytes, p->dictionary)) {
		g_ptr_array_add(p->unread, g_strdup(meta->name));
		g_hash_table_insert(p->compressed, ib_name_fold(meta->name), g_bytes_ref(meta->bytes));
		return true;
	}
	struct ib_manifest *m = g_steal_pointer(&meta->manifest);
	if (!m) {
		*err = g_steal_pointer(&meta->error);
		return false;
	}
	g_ptr_array_add(p->manifests, m);
	g_hash_table_insert(p->manifest_index, ib_name_fold(m->keyform), m);
	return true;
}

static int compare_manifests(gconstpointer a, gconstpointer b)
{
	const struct ib_manifest *x = *(const struct ib_manifest *const *)a;
	const struct ib_manifest *y = *(const struct ib_manifest *const *)b;

	return strcmp(x->keyform, y->keyform);
}

static int compare_metas(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_meta_names(gconstpointer a, gconstpointer b)
{
	return ib_name_compare((*(const struct meta *const *)a)->name, (*(const struct meta *const *)b)->name);
}

/* Metadata files in the order of their names, so that the first fault found is always the same. */
static GPtrArray *sorted_metas(const struct gather *g)
{
	GPtrArray *out = g_ptr_array_new();
	GHashTableIter it;
	gpointer meta;

	g_hash_table_iter_init(&it, g->metas);
	while (g_hash_table_iter_next(&it, NULL, &meta))
		g_ptr_array_add(out, meta);
	g_ptr_array_sort(out, compare_meta_names);
	return out;
}

struct reading {
	const struct ib_package *p;
	GPtrArray *metas;
};

/* On any thread. */
static void read_meta(unsigned index, void *data)
{
	const struct reading *r = data;
	struct meta *m = r->metas->pdata[index];

	if (package_has_suffix(m->name, ".mum")) {
		if (!ib_mum_parse(m->bytes, m->name, &m->mum, &m->error))
			m->mum = NULL;
	} else if (package_has_suffix(m->name, ".manifest") && package_manifest_readable(m->bytes, r->p->dictionary)) {
		if (!ib_manifest_parse(m->bytes, r->p->dictionary, m->name, &m->manifest, &m->error))
			m->manifest = NULL;
	}
}

static bool add_all(struct gather *g, const GPtrArray *metas, struct ib_error **err)
{
	for (guint i = 0; i < metas->len; i++) {
		struct meta *meta = metas->pdata[i];
		if (package_has_suffix(meta->name, ".mum") && g_ascii_strcasecmp(meta->name, "update.mum") != 0 &&
		    !add_mum(g, meta, err))
			return false;
		if (package_has_suffix(meta->name, ".manifest") && !add_manifest(g->p, meta, err))
			return false;
	}
	g_ptr_array_sort_with_data(g->p->mums, compare_mums, g->p->root);
	g_ptr_array_sort(g->p->manifests, compare_manifests);
	g_ptr_array_sort(g->p->unread, compare_metas);
	return true;
}

/* Models of everything gathered. */
static bool read_all(struct gather *g, struct ib_error **err)
{
	g_autoptr(GPtrArray) metas = sorted_metas(g);

	if (g->p->opening)
		g->p->dictionary = package_opening_dictionary(g->p->opening);
	struct reading r = { .p = g->p, .metas = metas };

	ib_parallel(metas->len, g->p->threads, read_meta, &r);
	return add_root(g, err) && add_all(g, metas, err);
}

bool package_read_metadata(struct ib_package *p, struct ib_error **err)
{
	struct gather g = {
		.p = p,
		.metas = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, meta_free),
		.wanted = g_malloc0(p->unit->files->len + 1),
	};
	bool ok = gather(&g, err) && read_all(&g, err);

	g_hash_table_unref(g.metas);
	g_free(g.wanted);
	return ok;
}
