/* The store's files: payload and manifests into WinSxS, catalogs, and the COMPONENTS keys that go with them. */
#include "servicing/internal.h"

#include <string.h>

#include "digest/digest.h"

GBytes *ib_svc_sibling_security(struct ib_store *s, const char *folder)
{
	g_autofree char *folded = ib_name_fold(folder);
	gpointer known;

	/* Kept, none included: to ask a folder of ten thousand for its first name after each new one would sort it each time. */
	if (g_hash_table_lookup_extended(s->siblings, folded, NULL, &known))
		return known;
	struct ib_node *dir = ib_image_find(s->image, folder);
	struct ib_node *first = dir ? ib_node_first(dir) : NULL;
	if (!first)
		return dir ? ib_node_security(s->image, dir) : NULL;
	GBytes *security = ib_node_security(s->image, first);
	if (!security)
		security = ib_node_security(s->image, dir);
	g_hash_table_insert(s->siblings, g_steal_pointer(&folded), security ? g_bytes_ref(security) : NULL);
	return security;
}

/* A SID in a descriptor. */
static const uint8_t administrators[] = { 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0 };
static const uint8_t local_system[] = { 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0 };

/*
 * The installer runs as Local System: what it makes belongs to Administrators, with Local System as the group, where a
 * manifest's text says neither. descriptor: taken, self-relative.
 */
static GBytes *complete(GBytes *descriptor)
{
	static const struct {
		size_t at; /* of the offset in the header */
		const uint8_t *sid;
		guint size;
	} parts[] = { { 4, administrators, sizeof(administrators) }, { 8, local_system, sizeof(local_system) } };
	GByteArray *out = g_bytes_unref_to_array(descriptor);

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		if (out->len < 20 || ib_le32(out->data + parts[i].at))
			continue;
		ib_put_le32(out->data + parts[i].at, out->len);
		g_byte_array_append(out, parts[i].sid, parts[i].size);
	}
	return g_byte_array_free_to_bytes(out);
}

bool ib_svc_descriptor(struct ib_store *s, const char *sddl, GBytes **ret, struct ib_error **err)
{
	GBytes *bytes;

	*ret = NULL;
	if (!sddl || !*sddl)
		return true;
	*ret = g_hash_table_lookup(s->descriptors, sddl);
	if (*ret)
		return true;
	if (!ib_sddl_parse(sddl, &bytes, err))
		return ib_while(err, "reading the security descriptor '%s'", sddl);
	bytes = complete(bytes);
	g_hash_table_insert(s->descriptors, g_strdup(sddl), bytes);
	*ret = bytes;
	return true;
}

static char *parent_path(const char *path)
{
	const char *slash = strrchr(path, '\\');

	return slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup("");
}

/* Descriptor of the nearest folder that is there. */
static GBytes *ancestor_security(struct ib_store *s, const char *path)
{
	g_autofree char *at = g_strdup(path);

	while (*at) {
		struct ib_node *n = ib_image_find(s->image, at);
		if (n)
			return ib_node_security(s->image, n);
		char *up = parent_path(at);
		g_free(at);
		at = up;
	}
	return ib_node_security(s->image, ib_image_root(s->image));
}

static struct ib_node_meta meta_of(const struct ib_store *s, uint32_t attributes, GBytes *security)
{
	return (struct ib_node_meta){ .attributes = attributes, .creation_time = s->time, .access_time = s->time,
				      .write_time = s->time, .security = security };
}

bool ib_svc_mkdir(struct ib_store *s, const char *path, GBytes *security, struct ib_error **err)
{
	struct ib_node_meta meta = meta_of(s, IB_ATTR_DIRECTORY, security ? security : ancestor_security(s, path));

	return !*path || ib_image_mkdir(s->image, path, &meta, NULL, err);
}

static bool put_blob(struct ib_store *s, const char *path, const uint8_t *hash, uint32_t attributes, GBytes *security,
		     struct ib_error **err)
{
	g_autofree char *folder = parent_path(path);
	struct ib_node_meta meta;

	if (!ib_image_find(s->image, folder) && !ib_svc_mkdir(s, folder, NULL, err))
		return false;
	meta = meta_of(s, attributes ? attributes : IB_ATTR_ARCHIVE,
		       security ? security : ib_svc_sibling_security(s, folder));
	return ib_image_put(s->image, path, hash, &meta, NULL, err);
}

bool ib_svc_put_blob(struct ib_store *s, const char *path, const uint8_t *hash, struct ib_error **err)
{
	return put_blob(s, path, hash, 0, NULL, err);
}

bool ib_svc_put_bytes(struct ib_store *s, const char *path, GBytes *bytes, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];
	size_t len;
	const void *data = g_bytes_get_data(bytes, &len);

	return (ib_wim_add_bytes(s->wim, data, len, hash, err) && put_blob(s, path, hash, 0, NULL, err)) ||
	       ib_while(err, "writing '%s'", path);
}

bool ib_svc_remove_path(struct ib_store *s, const char *path, bool *ret_removed, struct ib_error **err)
{
	struct ib_node *node = *path ? ib_image_find(s->image, path) : NULL;

	*ret_removed = node != NULL;
	return !node || ib_image_remove(s->image, node, err);
}

bool ib_svc_remove_empty(struct ib_store *s, const char *folder, const char *stop, struct ib_error **err)
{
	g_autofree char *at = g_strdup(folder);

	while (*at && !ib_name_equal(at, stop)) {
		struct ib_node *n = ib_image_find(s->image, at);
		if (n && (!ib_node_is_dir(n) || ib_node_first(n)))
			return true;
		if (n && !ib_image_remove(s->image, n, err))
			return false;
		char *up = parent_path(at);
		g_free(at);
		at = up;
	}
	return true;
}

/* ---- payload ---- */

struct staging {
	struct ib_store *s;
	const struct ib_plan_install *plan;
	const char *package_id;
	GHashTable *bits;  /* struct ib_file * -> bits of its f! value */
	unsigned files;
	uint64_t bytes;
};

/* A file into WinSxS. */
static bool stage_file(struct staging *st, const struct ib_payload *p, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\%s", p->manifest->keyform, p->file->name);
	uint8_t hash[IB_WIM_HASH_SIZE];
	uint64_t size;
	GBytes *security;

	if (!p->stream) {
		ib_throw(err, IB_ERR_INPUT, "the package lacks the file '%s' of '%s'%s%s", p->file->name, p->manifest->keyform,
			 p->reason ? ": " : "", p->reason ? p->reason : "");
		return ib_hint(err, "the package is incomplete (DISM calls this 0x800f081f); complete files may come from "
				    "[updates] payload-sources");
	}
	if (!ib_svc_descriptor(st->s, p->file->sddl, &security, err))
		return ib_while(err, "storing the file '%s' of '%s'", p->file->name, p->manifest->keyform);
	if (!ib_wim_add_blob(st->s->wim, p->stream, hash, &size, err))
		return false;
	st->files++;
	st->bytes += size;
	return put_blob(st->s, path, hash, p->file->attributes, security, err);
}

bool ib_svc_put_payload(struct ib_store *s, const struct ib_payload *p, const char *path, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];
	GBytes *security;

	return ib_svc_descriptor(s, p->file->sddl, &security, err) && ib_wim_add_blob(s->wim, p->stream, hash, NULL, err) &&
	       put_blob(s, path, hash, p->file->attributes, security, err);
}

/* A differential to where the next update looks for it. */
static bool keep_delta(struct staging *st, const struct ib_payload *p, struct ib_error **err)
{
	g_autofree char *path = ib_svc_kept_path(st->s, st->package_id, p->manifest->keyform, p->kind, p->file->name);
	uint8_t hash[IB_WIM_HASH_SIZE];

	return ib_wim_add_blob(st->s->wim, p->stream, hash, NULL, err) && put_blob(st->s, path, hash, 0, NULL, err);
}

static bool stage_payload(const struct ib_payload *p, void *data, struct ib_error **err)
{
	struct staging *st = data;
	g_autofree char *folded = ib_name_fold(p->manifest->keyform);
	const struct ib_plan_component *c = g_hash_table_lookup(st->plan->by_keyform, folded);

	if (!c || c->stored)
		return true; /* of a part that does not apply, or there already */
	return p->kind == IB_PAYLOAD_FILE ? stage_file(st, p, err) : keep_delta(st, p, err);
}

/* Which differentials each file has, and how many files come in which form. */
static void note_kinds(struct staging *st, const struct ib_package *p, struct ib_install_summary *sum)
{
	const unsigned both = IB_PAYLOAD_BIT(IB_PAYLOAD_FORWARD) | IB_PAYLOAD_BIT(IB_PAYLOAD_REVERSE);
	const GPtrArray *entries = ib_package_payloads(p);

	for (guint i = 0; i < entries->len; i++) {
		const struct ib_payload_entry *e = entries->pdata[i];
		g_autofree char *folded = ib_name_fold(e->manifest->keyform);
		const struct ib_plan_component *c = g_hash_table_lookup(st->plan->by_keyform, folded);
		unsigned bits = (e->kinds & both) == both ? FILE_PSFX_DELTAS :
				e->kinds & IB_PAYLOAD_BIT(IB_PAYLOAD_NULL) ? FILE_PSFX_NULL : 0;
		if (!c || c->stored)
			continue;
		if (bits)
			g_hash_table_insert(st->bits, (gpointer)e->file, GUINT_TO_POINTER(bits));
		sum->payload_complete += (e->kinds & IB_PAYLOAD_BIT(IB_PAYLOAD_FILE)) != 0;
	}
}

static bool stage_payloads(struct staging *st, struct ib_package *p, struct ib_install_summary *sum,
			   struct ib_progress *progress, struct ib_error **err)
{
	struct ib_bases *bases;

	note_kinds(st, p, sum);
	if (!ib_svc_bases_new(st->s, p, st->plan, &bases, err))
		return false;
	struct ib_payload_source source = ib_store_bases_source(bases);
	struct ib_payload_options o = {
		.size = sizeof(o),
		.source = &source,
		.kinds = IB_PAYLOAD_BIT(IB_PAYLOAD_FILE) | IB_PAYLOAD_BIT(IB_PAYLOAD_FORWARD) |
			 IB_PAYLOAD_BIT(IB_PAYLOAD_REVERSE),
	};
	bool ok = ib_package_each_payload(p, &o, stage_payload, st, progress, err);
	ib_svc_bases_count(bases, sum);
	ib_store_bases_free(bases);
	sum->payload_deltas = st->files - MIN(st->files, sum->payload_complete + sum->payload_elsewhere);
	sum->payload_bytes = st->bytes;
	return ok && ib_svc_kept_carry(st->s, p, st->plan, err);
}

/* Folders first, so that they carry the descriptor of their siblings and not of a file. */
static bool stage_folders(struct ib_store *s, const struct ib_plan_install *plan, struct ib_error **err)
{
	GBytes *security = ib_svc_sibling_security(s, DIR_WINSXS);

	for (guint i = 0; i < plan->components->len; i++) {
		const struct ib_plan_component *c = plan->components->pdata[i];
		g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s", c->manifest->keyform);
		if (!c->stored && c->manifest->files->len && !ib_svc_mkdir(s, path, security, err))
			return false;
	}
	return true;
}

/* ---- manifests, keys, catalogs ---- */

static bool stage_component(struct ib_store *s, struct ib_hive *h, const struct ib_plan_component *c, GHashTable *bits,
			    struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(DIR_MANIFESTS "\\%s.manifest", c->manifest->keyform);

	if (!c->stored && (!ib_svc_put_bytes(s, path, c->manifest->stored, err) ||
			   !ib_svc_component_make(h, c->manifest, c->manifest->files->len > 0, bits, err)))
		return false;
	for (guint i = 0; i < c->deployments->len; i++)
		if (!ib_svc_component_link(h, c->manifest->keyform, c->deployments->pdata[i], err))
			return false;
	return true;
}

static char *thumbprint_of(const struct ib_mum *mum)
{
	uint8_t hash[IB_SHA256_SIZE];
	size_t len;

	if (!mum->catalog)
		return NULL;
	const void *data = g_bytes_get_data(mum->catalog, &len);
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	return ib_hex(hash, sizeof(hash));
}

/* The store keeps the catalogs of deployments, by their hash. */
static bool store_catalog(struct ib_store *s, const char *thumbprint, GBytes *catalog, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(DIR_CATALOGS "\\%s.cat", thumbprint);

	return ib_image_find(s->image, path) || ib_svc_put_bytes(s, path, catalog, err);
}

static bool stage_deployment(struct ib_store *s, struct ib_hive *h, const struct ib_plan_deployment *d,
			     struct ib_error **err)
{
	g_autofree char *thumbprint = thumbprint_of(d->package->mum);
	const char *id = d->package->mum->package_id;
	struct ib_key *key = ib_svc_deployment_key(h, d->short_form);

	/* A deployment that is there already keeps the catalog that signed it. */
	if (!key && (!ib_svc_deployment_make(h, d->manifest, thumbprint, &key, err) ||
		     (thumbprint && (!ib_svc_catalog_link(h, thumbprint, d->short_form, err) ||
				     !store_catalog(s, thumbprint, d->package->mum->catalog, err)))))
		return false;
	return ib_svc_ref_set(h, key, "p!", id, d->update, err) && ib_svc_ref_set(h, key, "s!", id, d->update, err) &&
	       (!d->install || ib_svc_ref_set(h, key, "i!", id, d->update, err));
}

static bool stage_catalog(struct ib_store *s, const struct ib_mum *mum, struct ib_error **err)
{
	g_autofree char *mum_path = g_strdup_printf(DIR_PACKAGES "\\%s.mum", mum->package_id);
	g_autofree char *beside = g_strdup_printf(DIR_PACKAGES "\\%s.cat", mum->package_id);
	g_autofree char *root = g_strdup_printf(DIR_CATROOT "\\%s.cat", mum->package_id);

	if (!ib_svc_put_bytes(s, mum_path, mum->bytes, err))
		return false;
	return !mum->catalog || (ib_svc_put_bytes(s, beside, mum->catalog, err) &&
				 ib_svc_put_bytes(s, root, mum->catalog, err));
}

bool ib_svc_stage_metadata(struct ib_store *s, const struct ib_plan_install *plan, GHashTable *bits,
			   struct ib_error **err)
{
	struct ib_hive *h;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	for (guint i = 0; i < plan->packages->len; i++)
		if (!stage_catalog(s, ((const struct ib_plan_package *)plan->packages->pdata[i])->mum, err))
			return false;
	for (guint i = 0; i < plan->deployments->len; i++)
		if (!stage_deployment(s, h, plan->deployments->pdata[i], err))
			return false;
	for (guint i = 0; i < plan->components->len; i++)
		if (!stage_component(s, h, plan->components->pdata[i], bits, err))
			return false;
	return true;
}

bool ib_svc_stage(struct ib_store *s, struct ib_package *p, const struct ib_plan_install *plan,
		  struct ib_install_summary *sum, struct ib_progress *progress, struct ib_error **err)
{
	g_autoptr(GHashTable) bits = g_hash_table_new(NULL, NULL);
	struct staging st = { .s = s, .plan = plan, .package_id = ib_package_root(p)->package_id, .bits = bits };

	return stage_folders(s, plan, err) && stage_payloads(&st, p, sum, progress, err) &&
	       ib_svc_stage_metadata(s, plan, bits, err);
}
