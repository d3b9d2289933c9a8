/* Opening: one pass over the container for its metadata, then the models and their indexes. */
#include "package/internal.h"

#include <string.h>

/* Bytes at a file's start that tell its form. */
#define MAGIC_SIZE 8
/* Most bytes of an answer file: real ones have about 1 KiB; larger .xml files are something else. */
#define ANSWER_MAX (1u << 20)

/* A metadata file as it was found. */
struct meta {
	char *cab;  /* or NULL */
	char *name;
	GBytes *bytes;
};

/* What the pass gathers. */
struct gather {
	struct ib_package *p;
	GHashTable *metas;   /* key, see meta_key() -> struct meta * */
	GPtrArray *roots;    /* struct meta *: each update.mum, borrowed from metas */
	GPtrArray *answers;  /* struct meta *: .xml files beside the cabinets, owned */
	uint64_t bytes;      /* of metadata so far */
	bool has_inner;
};

static void meta_free(gpointer data)
{
	struct meta *m = data;

	g_free(m->cab);
	g_free(m->name);
	g_bytes_unref(m->bytes);
	g_free(m);
}

/* Roots of different cabinets have the same names: theirs are told apart by the cabinet. */
static char *meta_key(const char *cab, const char *name)
{
	bool root = g_ascii_strcasecmp(name, "update.mum") == 0 || g_ascii_strcasecmp(name, "update.cat") == 0;
	g_autofree char *full = root ? g_strconcat(cab ? cab : "", "\\", name, NULL) : g_strdup(name);

	return ib_name_fold(full);
}

/* ---- the pass ---- */

static bool refuse_forms(const struct gather *g, const struct member *m, struct ib_error **err)
{
	const char *what = NULL;

	/* Below a component's folder such names are the component's own. */
	if (strchr(m->name, '\\'))
		return true;
	if (g_ascii_strcasecmp(m->name, "express.psf.cix.xml") == 0 || package_has_suffix(m->name, ".psf"))
		what = "an express payload (PSF)";
	else if (g_ascii_strcasecmp(m->name, "_manifest_.cix.xml") == 0)
		what = "a payload of numbered deltas (container index)";
	if (!what)
		return true;
	ib_throw(err, IB_ERR_INPUT, "package '%s' has %s, which cannot be read yet: '%s'", g->p->container.path, what,
		 m->name);
	return ib_hint(err, "get the package with complete files, for instance the .cab or .msu of the Update Catalog");
}

static uint64_t meta_limit(const struct member *m)
{
	if (strchr(m->name, '\\') || g_ascii_strcasecmp(m->name, "update-bf.mum") == 0 ||
	    g_ascii_strcasecmp(m->name, "update-bf.cat") == 0)
		return 0;
	if (package_has_suffix(m->name, ".mum"))
		return MUM_MAX;
	if (package_has_suffix(m->name, ".cat"))
		return CATALOG_MAX;
	if (package_has_suffix(m->name, ".manifest"))
		return MANIFEST_MAX;
	/* Beside the inner cabinets lies an answer file that names what to install. */
	if (!m->cab && package_has_suffix(m->name, ".xml") && m->size <= ANSWER_MAX)
		return ANSWER_MAX;
	return 0;
}

static bool read_meta(struct gather *g, const struct member *m, uint64_t limit, struct meta **ret,
		      struct ib_error **err)
{
	GBytes *bytes;

	if (m->size != UINT64_MAX && m->size > limit)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, at most %" PRIu64 " are accepted",
				m->name, m->size, limit);
	if (!ib_stream_bytes(m->stream, limit, m->name, &bytes, err))
		return false;
	g->bytes += g_bytes_get_size(bytes);
	if (g->bytes > METADATA_MAX) {
		g_bytes_unref(bytes);
		return ib_throw(err, IB_ERR_INPUT, "package '%s' has %" PRIu64 " bytes of metadata and more, at most %"
				PRIu64 " are accepted", g->p->container.path, g->bytes, METADATA_MAX);
	}
	struct meta *meta = g_new0(struct meta, 1);
	meta->cab = g_strdup(m->cab);
	meta->name = g_strdup(m->name);
	meta->bytes = bytes;
	*ret = meta;
	return true;
}

static bool keep_meta(struct gather *g, struct meta *meta, struct ib_error **err)
{
	g_autofree char *key = meta_key(meta->cab, meta->name);
	const struct meta *known = g_hash_table_lookup(g->metas, key);

	if (known) {
		bool same = g_bytes_equal(known->bytes, meta->bytes);
		if (!same)
			ib_throw(err, IB_ERR_INPUT, "package '%s' has '%s' twice, with different content",
				 g->p->container.path, meta->name);
		meta_free(meta);
		return same;
	}
	if (g_ascii_strcasecmp(meta->name, "update.mum") == 0)
		g_ptr_array_add(g->roots, meta);
	g_hash_table_insert(g->metas, g_steal_pointer(&key), meta);
	return true;
}

static bool gather_member(const struct member *m, void *data, struct ib_error **err)
{
	struct gather *g = data;
	GPtrArray *members = g->p->members;
	struct meta *meta = NULL;

	if (members->len >= MEMBERS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "package '%s' has more than %u members, the most accepted",
				g->p->container.path, MEMBERS_MAX);
	struct ib_package_member *pm = g_new0(struct ib_package_member, 1);
	pm->name = m->cab ? g_strconcat(m->cab, "\\", m->name, NULL) : g_strdup(m->name);
	pm->size = m->size;
	g_ptr_array_add(members, pm);
	if (g->p->kind == IB_PACKAGE_FOLDER && !m->cab)
		g->p->file_size += m->size; /* a folder's files have a size */
	if (!m->stream) {
		g->has_inner = true;
		return true;
	}
	if (!refuse_forms(g, m, err))
		return false;
	if (strchr(m->name, '\\') && m->size != UINT64_MAX)
		g->p->payload_bytes += m->size;
	uint64_t limit = meta_limit(m);
	if (limit == 0)
		return true;
	if (!read_meta(g, m, limit, &meta, err))
		return false;
	if (!package_has_suffix(m->name, ".xml"))
		return keep_meta(g, meta, err);
	g_ptr_array_add(g->answers, meta);
	return true;
}

/* ---- mums ---- */

static const struct meta *find_meta(const struct gather *g, const char *cab, const char *name)
{
	g_autofree char *key = meta_key(cab, name);

	return g_hash_table_lookup(g->metas, key);
}

/* The catalog beside a mum: same stem. */
static void take_catalog(const struct gather *g, struct ib_mum *mum, const char *cab, const char *mum_name)
{
	g_autofree char *name = g_strdup(mum_name);

	if (mum->catalog)
		return;
	memcpy(name + strlen(name) - strlen("mum"), "cat", strlen("cat"));
	const struct meta *cat = find_meta(g, cab, name);
	if (cat)
		mum->catalog = g_bytes_ref(cat->bytes);
}

static bool throw_roots(const struct gather *g, struct ib_error **err)
{
	const char *path = g->p->container.path;

	if (g->roots->len == 0) {
		ib_throw(err, IB_ERR_INPUT, "'%s' has no 'update.mum', so it is not a package of Component Based "
			 "Servicing", path);
		return ib_hint(err, "drivers, Appx bundles and setup files come in cabinets too: they are not packages");
	}
	const struct meta *a = g_ptr_array_index(g->roots, 0), *b = g_ptr_array_index(g->roots, 1);
	ib_throw(err, IB_ERR_INPUT, "'%s' holds more than one package: '%s' and '%s'", path, a->cab ? a->cab : a->name,
		 b->cab ? b->cab : b->name);
	return ib_hint(err, "take the cabinets out of it and name each as a package, the servicing stack first");
}

static bool add_root(struct gather *g, struct ib_error **err)
{
	struct ib_package *p = g->p;

	if (g->roots->len != 1)
		return throw_roots(g, err);
	const struct meta *meta = g_ptr_array_index(g->roots, 0);
	if (!ib_mum_parse(meta->bytes, meta->name, &p->root, err))
		return false;
	g_ptr_array_add(p->mums, p->root);
	g_hash_table_insert(p->mum_index, ib_name_fold(p->root->package_id), p->root);
	p->cabinet = g_strdup(meta->cab);
	take_catalog(g, p->root, meta->cab, "update.mum");
	if (p->kind == IB_PACKAGE_CAB && meta->cab)
		p->kind = IB_PACKAGE_MSU_CAB;
	return true;
}

static bool add_mum(struct gather *g, const struct meta *meta, struct ib_error **err)
{
	struct ib_package *p = g->p;
	struct ib_mum *mum;

	if (!ib_mum_parse(meta->bytes, meta->name, &mum, err))
		return false;
	struct ib_mum *known = (struct ib_mum *)ib_package_mum(p, mum->package_id);
	if (!known) {
		g_ptr_array_add(p->mums, mum);
		g_hash_table_insert(p->mum_index, ib_name_fold(mum->package_id), mum);
		take_catalog(g, mum, meta->cab, meta->name);
		return true;
	}
	/* The root once more under its own name; any other content would be a lie about one of them. */
	bool same = g_bytes_equal(known->bytes, mum->bytes);
	ib_mum_free(mum);
	take_catalog(g, known, meta->cab, meta->name);
	return same || ib_throw(err, IB_ERR_INPUT, "package '%s' has two different descriptions of '%s'",
				p->container.path, known->package_id);
}

static int compare_mums(gconstpointer a, gconstpointer b, gpointer root)
{
	const struct ib_mum *x = *(const struct ib_mum *const *)a, *y = *(const struct ib_mum *const *)b;

	if (x == root || y == root)
		return x == y ? 0 : x == root ? -1 : 1;
	return ib_name_compare(x->package_id, y->package_id);
}

/* ---- manifests ---- */

static bool add_manifest(struct ib_package *p, const struct meta *meta, struct ib_error **err)
{
	struct ib_manifest *m;

	if (!package_manifest_readable(meta->bytes, p->dictionary)) {
		g_ptr_array_add(p->unread, g_strdup(meta->name));
		g_hash_table_insert(p->compressed, ib_name_fold(meta->name), g_bytes_ref(meta->bytes));
		return true;
	}
	if (!ib_manifest_parse(meta->bytes, p->dictionary, meta->name, &m, err))
		return false;
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

/* All metadata files in the order of their names, so that the first fault found is always the same. */
static bool add_all(struct gather *g, struct ib_error **err)
{
	guint n;
	g_autofree gpointer *keys = g_hash_table_get_keys_as_array(g->metas, &n);

	if (n > 0)
		qsort(keys, n, sizeof(*keys), (int (*)(const void *, const void *))compare_metas);
	for (guint i = 0; i < n; i++) {
		const struct meta *meta = g_hash_table_lookup(g->metas, keys[i]);
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

/* ---- the answer file of an .msu ---- */

static bool same_text(const char *a, const char *b)
{
	return g_ascii_strcasecmp(a ? a : "", b ? b : "") == 0;
}

static bool answer_names(const struct ib_xml_node *root, const struct ib_identity *want, bool *ret_any,
			 struct ib_error **err)
{
	const struct ib_xml_node *node = ib_xml_first(ib_xml_first(root, "servicing"), "package");

	for (; node; node = ib_xml_next(node, "package")) {
		struct ib_identity id;
		if (!ib_identity_read(ib_xml_first(node, "assemblyIdentity"), &id, err))
			return false;
		*ret_any = true;
		if (same_text(id.name, want->name) && same_text(id.arch, want->arch) &&
		    same_text(id.culture, want->culture) && same_text(id.token, want->token) &&
		    ib_version_compare(&id.number, &want->number) == 0)
			return true;
	}
	return ib_throw(err, IB_ERR_INPUT, "it names other packages than '%s', which is in the cabinet", want->name);
}

/* The answer file beside the cabinets must mean the package that is in them. */
static bool check_answers(const struct gather *g, struct ib_error **err)
{
	if (!g->has_inner)
		return true; /* .xml files of a bare cabinet are somebody else's */
	for (guint i = 0; i < g->answers->len; i++) {
		const struct meta *meta = g_ptr_array_index(g->answers, i);
		gsize len;
		const void *data = g_bytes_get_data(meta->bytes, &len);
		ib_auto_xml doc = NULL;
		bool any = false;
		if (!ib_xml_parse(data, len, meta->name, &doc, err))
			return false;
		if (strcmp(ib_xml_name(ib_xml_root(doc)), "unattend") != 0 ||
		    !ib_xml_find(ib_xml_root(doc), "servicing/package"))
			continue;
		if (!answer_names(ib_xml_root(doc), &g->p->root->id, &any, err))
			return ib_while(err, "checking the answer file '%s'", meta->name);
	}
	return true;
}

/* ---- open ---- */

static bool check_magic(const struct ib_package *p, struct ib_error **err)
{
	uint8_t magic[MAGIC_SIZE] = { 0 };
	struct ib_input *in = p->container.in;

	if (!ib_input_read(in, 0, magic, (size_t)MIN(ib_input_size(in), (uint64_t)MAGIC_SIZE), err))
		return false;
	if (memcmp(magic, "MSWIM", 5) == 0) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is an .msu in WIM form (Windows 11 24H2 and later), which cannot be "
			 "read yet", p->container.path);
		return ib_hint(err, "expand it (it is a WIM file) and name the cabinets in it");
	}
	if (memcmp(magic, "MSCF", 4) != 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a cabinet nor an .msu", p->container.path);
	return true;
}

static bool open_container(struct ib_package *p, const char *path, struct ib_error **err)
{
	p->container.path = g_strdup(path);
	if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
		p->kind = IB_PACKAGE_FOLDER;
		return true;
	}
	p->kind = IB_PACKAGE_CAB; /* add_root() sees whether it is an .msu */
	if (!ib_input_open(path, &p->container.in, err))
		return false;
	p->file_size = ib_input_size(p->container.in);
	return check_magic(p, err);
}

static bool open_all(struct gather *g, const char *path, struct ib_error **err)
{
	return open_container(g->p, path, err) && package_walk(&g->p->container, gather_member, g, err) &&
	       add_root(g, err) && add_all(g, err) && check_answers(g, err) && package_index_payload(g->p, err);
}

static void free_member(gpointer data)
{
	struct ib_package_member *m = data;

	g_free((char *)m->name);
	g_free(m);
}

static struct ib_package *package_new(const struct ib_package_options *options)
{
	struct ib_package *p = g_new0(struct ib_package, 1);

	if (options && options->dictionary)
		p->dictionary = g_bytes_ref(options->dictionary);
	p->mums = g_ptr_array_new_with_free_func((GDestroyNotify)ib_mum_free);
	p->manifests = g_ptr_array_new_with_free_func((GDestroyNotify)ib_manifest_free);
	p->mum_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	p->manifest_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	p->unread = g_ptr_array_new_with_free_func(g_free);
	p->members = g_ptr_array_new_with_free_func(free_member);
	p->compressed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	p->payload = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	p->payloads = g_ptr_array_new_with_free_func(g_free);
	return p;
}

bool ib_package_open(const char *path, const struct ib_package_options *options, struct ib_package **ret,
		     struct ib_error **err)
{
	struct gather g = {
		.p = package_new(options),
		.metas = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, meta_free),
		.roots = g_ptr_array_new(),
		.answers = g_ptr_array_new_with_free_func(meta_free),
	};
	bool ok = open_all(&g, path, err);

	g_ptr_array_unref(g.roots);
	g_ptr_array_unref(g.answers);
	g_hash_table_unref(g.metas);
	if (!ok) {
		ib_package_free(g.p);
		return ib_while(err, "opening package '%s'", path);
	}
	*ret = g.p;
	return true;
}

bool ib_package_open_all(const char *path, const struct ib_package_options *options, GPtrArray **ret,
			 struct ib_error **err)
{
	struct ib_package *p;

	if (!ib_package_open(path, options, &p, err))
		return false;
	*ret = g_ptr_array_new_with_free_func((GDestroyNotify)ib_package_free);
	g_ptr_array_add(*ret, p);
	return true;
}

void ib_package_free(struct ib_package *p)
{
	if (!p)
		return;
	GHashTable *const tables[] = { p->mum_index, p->manifest_index, p->compressed, p->payload };
	GPtrArray *const arrays[] = { p->mums, p->manifests, p->unread, p->members, p->payloads };

	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		g_hash_table_unref(tables[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
		g_ptr_array_unref(arrays[i]);
	if (p->dictionary)
		g_bytes_unref(p->dictionary);
	ib_input_unref(p->container.in);
	g_free(p->container.path);
	g_free(p->cabinet);
	g_free(p);
}

/* ---- what was found ---- */

const char *ib_package_path(const struct ib_package *p)
{
	return p->container.path;
}

const char *ib_package_cabinet(const struct ib_package *p)
{
	return p->cabinet;
}

const GPtrArray *ib_package_payloads(const struct ib_package *p)
{
	return p->payloads;
}

enum ib_package_container ib_package_container(const struct ib_package *p)
{
	return p->kind;
}

uint64_t ib_package_file_size(const struct ib_package *p)
{
	return p->file_size;
}

const struct ib_mum *ib_package_root(const struct ib_package *p)
{
	return p->root;
}

const GPtrArray *ib_package_mums(const struct ib_package *p)
{
	return p->mums;
}

const struct ib_mum *ib_package_mum(const struct ib_package *p, const char *package_id)
{
	g_autofree char *key = ib_name_fold(package_id);

	return g_hash_table_lookup(p->mum_index, key);
}

const GPtrArray *ib_package_manifests(const struct ib_package *p)
{
	return p->manifests;
}

const struct ib_manifest *ib_package_manifest(const struct ib_package *p, const char *keyform)
{
	g_autofree char *key = ib_name_fold(keyform);

	return g_hash_table_lookup(p->manifest_index, key);
}

const GPtrArray *ib_package_unread(const struct ib_package *p)
{
	return p->unread;
}

GBytes *ib_package_unread_bytes(const struct ib_package *p, const char *name)
{
	g_autofree char *key = ib_name_fold(name);

	return g_hash_table_lookup(p->compressed, key);
}

const GPtrArray *ib_package_members(const struct ib_package *p)
{
	return p->members;
}

uint64_t ib_package_payload_bytes(const struct ib_package *p)
{
	return p->payload_bytes;
}
