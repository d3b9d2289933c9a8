/*
 * What a package may take from the image while its payload is made: bases of differentials and complete files.
 *
 * A differential is made against one content. Where it is named by hash, it is looked for among all files that the
 * store's manifests name. Otherwise it is a file of the same name in another version of the component: of the version
 * the system was released with, or the current one led back by the reverse differential that was kept with it. Which
 * one is right is seen by the hashes, so a candidate may be wrong.
 *
 * Everything is looked up before payload is read; afterwards the tables stand still and any thread may ask.
 */
#include "servicing/internal.h"

#include <string.h>

#include "delta/delta.h"
#include "digest/digest.h"

/* A payload file or differential; the largest of Windows has 150 MB. */
#define BASE_LIMIT (1024u << 20)
/* Reverse differentials behind each other: each one was made by another update. */
#define CHAIN_MAX 4u

/* One version of a file: its content, and how to go back from it. */
struct origin {
	struct ib_version version;
	uint8_t sha256[IB_SHA256_SIZE];
	bool has_sha256;
	uint8_t blob[IB_WIM_HASH_SIZE];
	bool has_blob;
	uint8_t reverse[IB_WIM_HASH_SIZE];
	bool has_reverse;
};

struct ib_bases {
	struct ib_store *s;
	const struct ib_plan_install *plan; /* NULL: all of the package is wanted */
	GHashTable *origins;  /* "family\nfolded file" -> GArray of struct origin, of files that are to be made */
	GHashTable *contents; /* SHA-256 (GBytes) -> SHA-1 of the blob (GBytes) */
	GPtrArray *kept;      /* char *: folders below servicing\LCU, newest package first */
	gint from_image, from_stock; /* atomic: complete files that came from there */
};

static char *family_key(const char *family, const char *file)
{
	g_autofree char *folded = ib_name_fold(file);

	return g_strconcat(family, "\n", folded, NULL);
}

static char *origin_key(const struct ib_identity *id, const char *file)
{
	g_autofree char *family = ib_keyform(id, IB_KEYFORM_FAMILY);

	return family_key(family, file);
}

/* ---- gathering ---- */

static void origins_free(void *p)
{
	g_array_unref(p);
}

static bool is_wanted(const struct ib_bases *b, const struct ib_manifest *m)
{
	if (!b->plan)
		return true;
	g_autofree char *folded = ib_name_fold(m->keyform);
	const struct ib_plan_component *c = g_hash_table_lookup(b->plan->by_keyform, folded);
	return c && !c->stored;
}

/* Files of planned components that the package does not bring complete. @return whether there are any */
static bool gather_needs(struct ib_bases *b, const struct ib_package *p)
{
	const GPtrArray *entries = ib_package_payloads(p);

	for (guint i = 0; i < entries->len; i++) {
		const struct ib_payload_entry *e = entries->pdata[i];
		if (e->kinds & IB_PAYLOAD_BIT(IB_PAYLOAD_FILE) || !is_wanted(b, e->manifest))
			continue;
		g_hash_table_replace(b->origins, origin_key(&e->manifest->id, e->file->name),
				     g_array_new(FALSE, TRUE, sizeof(struct origin)));
		if (b->s->stock && e->file->has_sha256)
			ib_svc_stock_want(b->s->stock, e->file->sha256);
	}
	return g_hash_table_size(b->origins) > 0;
}

/* SHA-1 of the file at a path; false when there is none. */
static bool blob_at(const struct ib_bases *b, const char *path, uint8_t *ret)
{
	struct ib_node *node = ib_image_find(b->s->image, path);
	const uint8_t *hash = node && !ib_node_is_dir(node) ? ib_node_hash(node) : NULL;

	if (!node || ib_node_is_dir(node))
		return false;
	if (hash)
		memcpy(ret, hash, IB_WIM_HASH_SIZE);
	else
		memset(ret, 0, IB_WIM_HASH_SIZE); /* an empty file */
	return true;
}

/* The reverse differential that was kept with a version: in its own folder, or with the update that brought it. */
static bool find_reverse(const struct ib_bases *b, const char *keyform, const char *file, uint8_t *ret)
{
	g_autofree char *own = g_strdup_printf(DIR_WINSXS "\\%s\\r\\%s", keyform, file);
	bool found = blob_at(b, own, ret);

	for (guint i = 0; !found && i < b->kept->len; i++) {
		g_autofree char *path = g_strdup_printf("%s\\%s\\r\\%s", (char *)b->kept->pdata[i], keyform, file);
		found = blob_at(b, path, ret);
	}
	return found;
}

static bool gather_manifest(struct ib_component *c, const struct ib_manifest *m, void *data, struct ib_error **err)
{
	struct ib_bases *b = data;

	for (guint i = 0; i < m->files->len; i++) {
		const struct ib_file *f = m->files->pdata[i];
		g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\%s", c->keyform, f->name);
		g_autofree char *key = family_key(c->family->keyform, f->name);
		GArray *versions = g_hash_table_lookup(b->origins, key);
		struct origin o = { .version = m->id.number, .has_sha256 = f->has_sha256 };
		memcpy(o.sha256, f->sha256, sizeof(o.sha256));
		o.has_blob = blob_at(b, path, o.blob);
		if (o.has_blob && o.has_sha256)
			g_hash_table_replace(b->contents, g_bytes_new(o.sha256, sizeof(o.sha256)),
					     g_bytes_new(o.blob, sizeof(o.blob)));
		if (!versions)
			continue;
		o.has_reverse = find_reverse(b, c->keyform, f->name, o.reverse);
		if (o.has_blob || o.has_reverse)
			g_array_append_val(versions, o);
	}
	return true;
}

/* Versions that systems are released with first, then the newest first. */
static int by_likelihood(gconstpointer a, gconstpointer b)
{
	const struct origin *x = a, *y = b;
	int d = (y->version.part[3] == 1) - (x->version.part[3] == 1);

	return d ? d : ib_version_compare(&y->version, &x->version);
}

static bool gather_store(struct ib_bases *b, struct ib_error **err)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	struct ib_model *model;
	GHashTableIter it;
	gpointer versions;

	if (!ib_svc_model(b->s, &model, err))
		return false;
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++)
			g_ptr_array_add(all, f->components->pdata[k]);
	}
	if (!ib_svc_manifests_each(b->s, all, NULL, gather_manifest, b, err))
		return false;
	g_hash_table_iter_init(&it, b->origins);
	while (g_hash_table_iter_next(&it, NULL, &versions))
		g_array_sort(versions, by_likelihood);
	return true;
}

bool ib_svc_bases_new(struct ib_store *s, const struct ib_package *p, const struct ib_plan_install *plan,
		      struct ib_bases **ret, struct ib_error **err)
{
	struct ib_bases *b = g_new0(struct ib_bases, 1);

	b->s = s;
	b->plan = plan;
	b->origins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, origins_free);
	b->contents = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
					    (GDestroyNotify)g_bytes_unref);
	b->kept = ib_svc_kept_folders(s);
	if ((gather_needs(b, p) && !gather_store(b, err)) || !ib_wim_settle(s->wim, err)) {
		ib_store_bases_free(b);
		return ib_while(err, "looking for bases of the differentials of '%s'", ib_package_path(p));
	}
	*ret = b;
	return true;
}

bool ib_store_bases_new(struct ib_store *s, const struct ib_package *p, struct ib_bases **ret, struct ib_error **err)
{
	return ib_svc_bases_new(s, p, NULL, ret, err);
}

void ib_store_bases_free(struct ib_bases *b)
{
	if (!b)
		return;
	g_hash_table_unref(b->origins);
	g_hash_table_unref(b->contents);
	g_ptr_array_unref(b->kept);
	g_free(b);
}

/* ---- bases: any thread ---- */

/* A file of the image; *ret NULL when it cannot be used, which is no error: another candidate may do. */
static bool read_blob(const struct ib_bases *b, const uint8_t *blob, GBytes **ret, struct ib_error **err)
{
	ib_auto_error why = NULL;

	*ret = NULL;
	if (ib_wim_read_shared(b->s->wim, blob, BASE_LIMIT, ret, &why))
		return true;
	if (ib_error_code(why) != IB_ERR_INPUT && ib_error_code(why) != IB_ERR_VERIFY) {
		*err = g_steal_pointer(&why);
		return false;
	}
	ib_debug("servicing", "a base cannot be read: %s", ib_error_cause(why));
	return true;
}

/* The version whose content this is and that has a way back. */
static const struct origin *origin_of(const GArray *versions, GBytes *content)
{
	uint8_t hash[IB_SHA256_SIZE];
	gsize len;
	const void *data = g_bytes_get_data(content, &len);

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	for (guint i = 0; i < versions->len; i++) {
		const struct origin *o = &g_array_index(versions, struct origin, i);
		if (o->has_reverse && o->has_sha256 && !memcmp(o->sha256, hash, sizeof(hash)))
			return o;
	}
	return NULL;
}

/* Go back one step; *content becomes the older one, or NULL when that does not work. */
static bool step_back(const struct ib_bases *b, const struct origin *o, GBytes **content, struct ib_error **err)
{
	g_autoptr(GBytes) newer = g_steal_pointer(content);
	g_autoptr(GBytes) reverse = NULL;
	ib_auto_error why = NULL;

	if (!read_blob(b, o->reverse, &reverse, err))
		return false;
	if (!reverse || ib_delta_apply(newer, reverse, NULL, content, &why))
		return true;
	if (ib_error_code(why) == IB_ERR_SYSTEM) {
		*err = g_steal_pointer(&why);
		return false;
	}
	ib_debug("servicing", "a reverse differential does not apply: %s", ib_error_cause(why));
	return true;
}

/* What lies `steps` reverse differentials behind a version; *ret NULL when there is no such way. */
static bool go_back(const struct ib_bases *b, const GArray *versions, const struct origin *from, unsigned steps,
		    GBytes **ret, struct ib_error **err)
{
	g_autoptr(GBytes) content = NULL;
	const struct origin *o = from->has_reverse ? from : NULL;

	*ret = NULL;
	if (!from->has_blob || !o)
		return true;
	if (!read_blob(b, from->blob, &content, err))
		return false;
	for (unsigned i = 0; content && i < steps; i++) {
		if (i > 0)
			o = origin_of(versions, content);
		if (!o)
			return true;
		if (!step_back(b, o, &content, err))
			return false;
	}
	*ret = g_steal_pointer(&content);
	return true;
}

static bool is_named(const struct ib_base_query *q, GBytes *content)
{
	uint8_t hash[IB_DIGEST_MAX];
	gsize len;
	const void *data = g_bytes_get_data(content, &len);

	if (!q->has_hash)
		return true;
	if (q->size != UINT64_MAX && q->size != len)
		return false;
	ib_digest_bytes(q->algorithm, data, len, hash);
	return !memcmp(hash, q->hash, ib_digest_size(q->algorithm));
}

/* The file with the hash that the query names, whatever it is called; *ret NULL: none. */
static bool by_hash(const struct ib_bases *b, const struct ib_base_query *q, GBytes **ret, struct ib_error **err)
{
	*ret = NULL;
	if (!q->has_hash)
		return true;
	if (q->algorithm == IB_DIGEST_SHA1) /* the image itself knows content by it */
		return read_blob(b, q->hash, ret, err);
	if (q->algorithm != IB_DIGEST_SHA256)
		return true;
	g_autoptr(GBytes) key = g_bytes_new(q->hash, IB_SHA256_SIZE);
	GBytes *blob = g_hash_table_lookup(b->contents, key);
	return !blob || read_blob(b, g_bytes_get_data(blob, NULL), ret, err);
}

/* A way to a base: a version led back by so many steps; origin NULL: by its hash. */
struct way {
	const struct origin *origin;
	unsigned steps;
};

/* All ways, the likeliest first; those that are known to lead nowhere are left out. */
static GArray *ways_to(const struct ib_bases *b, const GArray *versions, const struct ib_base_query *q)
{
	GArray *out = g_array_new(FALSE, TRUE, sizeof(struct way));
	struct way w = { 0 };

	if (q->has_hash)
		g_array_append_val(out, w);
	for (unsigned pass = 0; pass < 3 + CHAIN_MAX - 1; pass++) {
		for (guint i = 0; i < versions->len; i++) {
			const struct origin *o = &g_array_index(versions, struct origin, i);
			bool released = o->version.part[3] == 1;
			/* as released; one step back from any; any other as it is; more steps */
			w = (struct way){ .origin = o, .steps = pass == 1 ? 1 : pass > 2 ? pass - 1 : 0 };
			bool fits = pass == 0 ? released : pass == 2 ? !released : true;
			if (fits && o->has_blob && (w.steps == 0 || o->has_reverse))
				g_array_append_val(out, w);
		}
	}
	return out;
}

static bool take_way(const struct ib_bases *b, const GArray *versions, const struct ib_base_query *q, const struct way *w,
		     GBytes **ret, struct ib_error **err)
{
	if (!w->origin)
		return by_hash(b, q, ret, err);
	return w->steps ? go_back(b, versions, w->origin, w->steps, ret, err) : read_blob(b, w->origin->blob, ret, err);
}

static bool source_base(void *data, const struct ib_base_query *q, unsigned n, GBytes **ret, struct ib_error **err)
{
	const struct ib_bases *b = data;
	g_autofree char *key = origin_key(&q->manifest->id, q->file->name);
	const GArray *versions = g_hash_table_lookup(b->origins, key);
	g_autoptr(GArray) ways = versions ? ways_to(b, versions, q) : NULL;

	*ret = NULL;
	/*
	 * A way that leads nowhere is passed over: the n-th call begins at n and may come again to what an earlier call
	 * went on to. That costs a try and changes nothing.
	 */
	for (guint k = n; ways && k < ways->len; k++) {
		g_autoptr(GBytes) content = NULL;
		if (!take_way(b, versions, q, &g_array_index(ways, struct way, k), &content, err))
			return false;
		if (content && is_named(q, content)) {
			*ret = g_steal_pointer(&content);
			return true;
		}
	}
	return true;
}

/* ---- complete files: any thread ---- */

static bool source_complete(void *data, const struct ib_manifest *m, const struct ib_file *f, GBytes **ret,
			    struct ib_error **err)
{
	struct ib_bases *b = data;
	g_autoptr(GBytes) key = g_bytes_new(f->sha256, sizeof(f->sha256));
	GBytes *blob = f->has_sha256 ? g_hash_table_lookup(b->contents, key) : NULL;
	g_autoptr(GBytes) content = NULL;

	*ret = NULL;
	if (f->has_sha1 ? !read_blob(b, f->sha1, &content, err)
			: blob && !read_blob(b, g_bytes_get_data(blob, NULL), &content, err))
		return false;
	if (content && ib_svc_is_content(f, content)) {
		g_atomic_int_inc(&b->from_image);
		*ret = g_steal_pointer(&content);
		return true;
	}
	if (!b->s->stock || !ib_svc_stock_find(b->s->stock, m, f, ret, err))
		return !b->s->stock;
	if (*ret)
		g_atomic_int_inc(&b->from_stock);
	return true;
}

static bool source_wanted(void *data, const struct ib_manifest *m)
{
	return is_wanted(data, m);
}

struct ib_payload_source ib_store_bases_source(struct ib_bases *b)
{
	return (struct ib_payload_source){ .base = source_base, .complete = source_complete, .wanted = source_wanted,
					   .data = b };
}

void ib_svc_bases_count(const struct ib_bases *b, struct ib_install_summary *ret)
{
	ret->payload_sources = (unsigned)g_atomic_int_get(&b->from_stock);
	ret->payload_elsewhere = (unsigned)g_atomic_int_get(&b->from_image) + ret->payload_sources;
}

bool ib_svc_is_content(const struct ib_file *f, GBytes *bytes)
{
	uint8_t hash[IB_DIGEST_MAX];
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	if (!f->has_sha256 && !f->has_sha1)
		return false;
	ib_digest_bytes(f->has_sha256 ? IB_DIGEST_SHA256 : IB_DIGEST_SHA1, data, len, hash);
	return f->has_sha256 ? !memcmp(hash, f->sha256, sizeof(f->sha256)) : !memcmp(hash, f->sha1, sizeof(f->sha1));
}
