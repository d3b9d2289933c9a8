/* Virtual files: what members and indexes bring under their real names, and which of them is which payload. */
#include "package/internal.h"

#include <string.h>

/* Most bytes of an index as it is stored: lib/xml takes no more. */
#define CIX_MAX IB_XML_MAX
/* Most bytes of the cabinet with the history index. */
#define HISTORY_MAX (128u << 20)

/* ---- indexes ---- */

static bool parse_member(struct unit *u, guint i, struct cix **ret, struct ib_error **err)
{
	const char *name = package_unit_file(u, i)->name;
	g_autoptr(GBytes) bytes = NULL;

	return package_unit_bytes(u, i, CIX_MAX, &bytes, err) && package_cix_parse(bytes, name, ret, err);
}

/* "express.psf.cix.xml", or named after its .psf. */
static bool find_psf_index(const struct unit *u, guint *ret)
{
	if (package_unit_find(u, "express.psf.cix.xml", ret))
		return true;
	for (guint i = 0; i < u->files->len; i++) {
		const char *name = package_unit_file(u, i)->name;
		if (strchr(name, '\\') || !package_has_suffix(name, ".psf.cix.xml"))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

static bool open_numbered(struct ib_package *p, struct ib_error **err)
{
	guint i;

	if (!package_unit_find(p->unit, "_manifest_.cix.xml", &i))
		return true;
	if (!parse_member(p->unit, i, &p->cix, err))
		return false;
	package_cix_use_unit(p->cix, p->unit, p->spool);
	return true;
}

/* A .psf among a package's own files, and nothing that says what is in it. */
static bool refuse_bare_psf(const struct ib_package *p, struct ib_error **err)
{
	guint root;

	if (!package_unit_find(p->unit, "update.mum", &root))
		return true;
	for (guint i = 0; i < p->unit->files->len; i++)
		if (package_is_psf(package_unit_file(p->unit, i)->name))
			return ib_throw(err, IB_ERR_INPUT, "package '%s' has '%s', but it has no index of it "
					"(express.psf.cix.xml)", p->container->path, package_unit_file(p->unit, i)->name);
	return true;
}

static bool open_psf(struct ib_package *p, struct ib_error **err)
{
	ib_auto_input psf = NULL;
	guint i;

	if (!find_psf_index(p->unit, &i))
		return refuse_bare_psf(p, err);
	if (!parse_member(p->unit, i, &p->psf_index, err) || !package_container_psf(p->container, p->unit, &psf, err))
		return false;
	if (psf)
		return package_cix_use_psf(p->psf_index, psf, p->spool, err);
	ib_throw(err, IB_ERR_INPUT, "package '%s' has the index '%s' of a .psf, but there is no .psf",
		 p->container->path, package_unit_file(p->unit, i)->name);
	return ib_hint(err, "put the .psf beside the cabinet, under the cabinet's name");
}

/* ---- the history: bases of differentials by their content ---- */

static bool parse_history(struct ib_package *p, GBytes *bytes, const char *name, struct ib_error **err)
{
	ib_auto_input in = ib_input_from_bytes(bytes, name);
	struct unit *u;
	bool ok = false;
	guint i;

	if (!package_unit_open(in, name, &u, err))
		return false;
	for (i = 0; i < u->files->len && !package_has_suffix(package_unit_file(u, i)->name, ".cix.xml"); i++)
		;
	if (i == u->files->len)
		ib_throw(err, IB_ERR_INPUT, "'%s' holds no index", name);
	else
		ok = parse_member(u, i, &p->history, err);
	package_unit_free(u);
	return ok;
}

static bool open_history(struct ib_package *p, struct ib_error **err)
{
	struct cix_result r = { 0 };
	guint i;

	if (!p->psf_index || !package_cix_find(p->psf_index, "historycix.cab", &i))
		return true;
	if (package_cix_file(p->psf_index, i)->length > HISTORY_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'historycix.cab' has %" PRIu64 " bytes, at most %u are accepted",
				package_cix_file(p->psf_index, i)->length, HISTORY_MAX);
	if (!package_cix_get(p->psf_index, i, &r, err))
		return false;
	bool ok = r.outside ? ib_throw(err, IB_ERR_INPUT, "'historycix.cab' needs a base from outside") :
			      parse_history(p, r.bytes, "historycix.cab", err);
	if (r.bytes)
		g_bytes_unref(r.bytes);
	return ok;
}

/* ---- virtual files ---- */

static void add_vfile(struct ib_package *p, const char *name, uint64_t size, struct cix *cix, guint at)
{
	struct vfile *vf = g_new0(struct vfile, 1);

	*vf = (struct vfile){ .name = name, .size = size, .cix = cix, .at = at };
	g_ptr_array_add(p->vfiles, vf);
	if (strchr(name, '\\'))
		p->payload_bytes += size;
}

/* Bytes that a file of an index takes from the package: none when it is a copy. */
static uint64_t stored_size(const struct cix *c, guint i)
{
	const struct cix_delta *d = package_cix_delta(c, i);
	guint member;

	if (d->source == SOURCE_NONE || d->source == SOURCE_UNKNOWN)
		return 0;
	if (!d->name)
		return d->length;
	return c->unit && package_unit_find(c->unit, d->name, &member) ? package_unit_file(c->unit, member)->size : 0;
}

static void add_indexed(struct ib_package *p, struct cix *c)
{
	for (guint i = 0; c && i < c->files->len; i++)
		add_vfile(p, package_cix_file(c, i)->name, stored_size(c, i), c, i);
}

/* A .psf is read from its start to its end. */
static int compare_offsets(gconstpointer a, gconstpointer b)
{
	const struct vfile *x = *(const struct vfile *const *)a, *y = *(const struct vfile *const *)b;
	uint64_t p = package_cix_delta(x->cix, x->at)->offset, q = package_cix_delta(y->cix, y->at)->offset;

	return p != q ? (p < q ? -1 : 1) : x->at < y->at ? -1 : x->at > y->at;
}

bool package_list_files(struct ib_package *p, struct ib_error **err)
{
	if (!open_numbered(p, err) || !open_psf(p, err) || !open_history(p, err))
		return false;
	for (guint i = 0; i < p->unit->files->len; i++) {
		const struct unit_file *f = package_unit_file(p->unit, i);
		add_vfile(p, f->name, f->size, NULL, i);
	}
	add_indexed(p, p->cix);
	guint first = p->vfiles->len;
	add_indexed(p, p->psf_index);
	if (p->vfiles->len > first)
		qsort(p->vfiles->pdata + first, p->vfiles->len - first, sizeof(gpointer),
		      (int (*)(const void *, const void *))compare_offsets);
	return true;
}

/* ---- payload ---- */

static struct payload *find_payload(const struct ib_package *p, const char *name)
{
	g_autofree char *key = ib_name_fold(name);

	return g_hash_table_lookup(p->payload, key);
}

static bool same_hash(const struct ib_file *a, const struct ib_file *b)
{
	return a->has_sha256 == b->has_sha256 && a->has_sha1 == b->has_sha1 &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0 && memcmp(a->sha1, b->sha1, sizeof(a->sha1)) == 0;
}

static bool add_payload(struct ib_package *p, const struct ib_manifest *m, const struct ib_file *f,
			struct ib_error **err)
{
	g_autofree char *full = g_strconcat(m->keyform, "\\", f->name, NULL);
	char *key = ib_name_fold(full);
	const struct payload *known = g_hash_table_lookup(p->payload, key);

	/* One payload may have several destinations, but only one content. */
	if (known) {
		g_free(key);
		return same_hash(known->pub.file, f) ||
		       ib_throw(err, IB_ERR_INPUT, "component '%s' names file '%s' twice, with different hashes",
				m->keyform, f->name);
	}
	struct payload *payload = g_new0(struct payload, 1);
	payload->pub.manifest = m;
	payload->pub.file = f;
	payload->index = p->payloads->len;
	g_ptr_array_add(p->payloads, payload);
	g_hash_table_insert(p->payload, key, payload);
	return true;
}

/*
 * Differentials lie in folders f, r and n of a component. They are told from a
 * component's own folder of that name by the manifest, which names final files only.
 */
static struct payload *differential_of(const struct ib_package *p, const char *name, enum ib_payload_kind *ret)
{
	static const struct {
		char folder;
		enum ib_payload_kind kind;
	} folders[] = { { 'f', IB_PAYLOAD_FORWARD }, { 'r', IB_PAYLOAD_REVERSE }, { 'n', IB_PAYLOAD_NULL } };
	const char *slash = strchr(name, '\\');

	for (size_t i = 0; slash[1] && slash[2] == '\\' && i < G_N_ELEMENTS(folders); i++) {
		if (g_ascii_tolower(slash[1]) != folders[i].folder)
			continue;
		g_autofree char *full = g_strdup_printf("%.*s%s", (int)(slash - name), name, slash + 2);
		*ret = folders[i].kind;
		return find_payload(p, full);
	}
	return NULL;
}

static void place_vfile(struct ib_package *p, struct vfile *vf)
{
	enum ib_payload_kind kind = IB_PAYLOAD_FILE;

	if (!strchr(vf->name, '\\'))
		return;
	struct payload *pl = find_payload(p, vf->name);
	if (!pl)
		pl = differential_of(p, vf->name, &kind);
	/* A second one of that name can only have the same content: the hash is the same. */
	if (!pl || pl->vfile[kind])
		return;
	vf->payload = pl;
	vf->kind = kind;
	pl->vfile[kind] = vf;
	pl->pub.kinds |= IB_PAYLOAD_BIT(kind);
	pl->pub.size[kind] = vf->size;
}

static void place_history(struct ib_package *p)
{
	for (guint i = 0; p->history && i < p->history->files->len; i++) {
		struct payload *pl = find_payload(p, package_cix_file(p->history, i)->name);
		if (pl)
			pl->history = package_cix_delta(p->history, i);
	}
}

bool package_index_payload(struct ib_package *p, struct ib_error **err)
{
	for (guint i = 0; i < p->manifests->len; i++) {
		const struct ib_manifest *m = g_ptr_array_index(p->manifests, i);
		for (guint j = 0; j < m->files->len; j++) {
			if (!add_payload(p, m, g_ptr_array_index(m->files, j), err))
				return false;
		}
	}
	for (guint i = 0; i < p->vfiles->len; i++)
		place_vfile(p, p->vfiles->pdata[i]);
	place_history(p);
	return true;
}
