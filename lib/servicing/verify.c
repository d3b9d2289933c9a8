/* Our own ScanHealth: does the store say the same in all its places, and does the live system match it? */
#include "servicing/internal.h"

#include <string.h>

#include "delta/delta.h"
#include "digest/digest.h"
#include "trust/trust.h"

/* A payload file; the largest of Windows 10 has 150 MB. */
#define PAYLOAD_LIMIT (1024u << 20)

static void finding_free(void *p)
{
	struct ib_finding *f = p;

	g_free(f->subject);
	g_free(f->text);
	g_free(f);
}

void ib_verify_result_clear(struct ib_verify_result *r)
{
	g_clear_pointer(&r->findings, g_ptr_array_unref);
}

/* What verifying works with. */
struct check {
	struct ib_store *s;
	struct ib_hive *components;
	struct ib_model *model;
	const struct ib_anchors *anchors;
	bool hash_all;
	struct ib_verify_result *r;
	struct ib_progress *progress;
	GHashTable *hashed; /* hex SHA-1 + SHA-256 of blobs found good */
	unsigned packed;    /* compressed manifests, in an image without a dictionary */
};

static void IB_PRINTF(4, 5) found(struct check *c, const char *id, const char *subject, const char *fmt, ...)
{
	struct ib_finding *f = g_new0(struct ib_finding, 1);
	va_list ap;

	va_start(ap, fmt);
	f->text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	f->id = id;
	f->subject = g_strdup(subject);
	g_ptr_array_add(c->r->findings, f);
}

/* A blob that cannot be read is a finding; only the system's own trouble is an error. */
static bool unreadable(struct check *c, const char *id, const char *subject, struct ib_error **why, struct ib_error **err)
{
	enum ib_code code = ib_error_code(*why);

	if (code != IB_ERR_INPUT && code != IB_ERR_VERIFY) {
		*err = g_steal_pointer(why);
		return false;
	}
	found(c, id, subject, "%s", ib_error_cause(*why));
	return true;
}

/* ---- manifests and component keys ---- */

/* Read a manifest; *ret NULL: it cannot be read, and there is a finding. */
static bool read_manifest(struct check *c, struct ib_component *comp, struct ib_manifest **ret, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(DIR_MANIFESTS "\\%s.manifest", comp->keyform);
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error why = NULL;
	ib_auto_error ignored = NULL;
	GBytes *dictionary;

	*ret = NULL;
	if (ib_svc_manifest_read_unchecked(c->s, comp, ret, &why))
		return true;
	if (!ib_store_dictionary(c->s, &dictionary, err))
		return false;
	/* One finding for all of them: a real store has tens of thousands. */
	if (!dictionary && ib_image_read(c->s->image, path, METADATA_LIMIT, &bytes, &ignored) &&
	    ib_dcm_kind(bytes) == IB_DCM_DCM) {
		c->packed++;
		return true;
	}
	return unreadable(c, "manifest-unreadable", comp->keyform, &why, err);
}

static void check_sha(struct check *c, const struct ib_component *comp, struct ib_key *key, const struct ib_manifest *m)
{
	const struct ib_value *v = ib_key_value(key, "S256H");
	size_t len = 0;
	const uint8_t *data = v ? ib_value_data(v, &len) : NULL;

	if (!data)
		found(c, "manifest-hash-missing", comp->keyform, "its component key holds no S256H");
	else if (len != sizeof(m->sha256) || memcmp(data, m->sha256, len))
		found(c, "manifest-hash", comp->keyform, "its manifest's SHA-256 is not the one of its component key");
}

static void check_links(struct check *c, const struct ib_component *comp, struct ib_key *key)
{
	g_autoptr(GPtrArray) deployments = ib_svc_component_deployments(key);

	if (!deployments->len)
		found(c, "component-unpinned", comp->keyform, "no deployment refers to it");
	for (guint i = 0; i < deployments->len; i++)
		if (!ib_svc_deployment_key(c->components, deployments->pdata[i]))
			found(c, "deployment-missing", comp->keyform, "its deployment '%s' is not in the store",
			      (const char *)deployments->pdata[i]);
}

/* Payload that the key promises must lie in the store's folder. */
static void check_payload(struct check *c, const struct ib_component *comp, struct ib_key *key, const struct ib_manifest *m)
{
	const struct ib_value *v = ib_key_value(key, "CF");
	uint64_t flags = 0;

	if (!v || !ib_value_number(v, &flags) || !(flags & CF_FILES_PRESENT))
		return;
	for (guint i = 0; i < m->files->len; i++) {
		const struct ib_file *f = m->files->pdata[i];
		g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\%s", comp->keyform, f->name);
		if (!ib_image_find(c->s->image, path))
			found(c, "payload-missing", comp->keyform, "the store lacks its file '%s'", f->name);
	}
}

/* ---- winners and projection ---- */

static void check_winner_key(struct check *c, struct ib_key *family)
{
	for (size_t i = 0; i < ib_key_count(family); i++) {
		struct ib_key *line = ib_key_child(family, i);
		const struct ib_value *v = ib_key_value(line, "");
		g_autofree char *version = v ? ib_value_text(v) : NULL;
		struct ib_family *f = g_hash_table_lookup(c->model->by_family, ib_key_name(family));
		struct ib_version number;
		bool known = false;
		c->r->winners++;
		if (!version || !ib_version_parse(version, &number)) {
			found(c, "winner-malformed", ib_key_name(family), "'%s' names no version", ib_key_name(line));
			continue;
		}
		for (guint k = 0; f && k < f->components->len; k++)
			known |= !ib_version_compare(&((struct ib_component *)f->components->pdata[k])->id.number, &number);
		const struct ib_component *top = f ? ib_svc_group_top(f, &number) : NULL;
		if (!known)
			found(c, "winner-missing", ib_key_name(family), "its winner %s is not in the store", version);
		else if (top && ib_version_compare(&top->id.number, &number))
			found(c, "winner-not-highest", ib_key_name(family), "%s wins, but a higher version is installed", version);
	}
}

/* SHA-256 of a blob against the manifest; each pair once. */
static bool check_blob(struct check *c, const struct ib_file *f, const struct ib_node *node, const char *path,
		       struct ib_error **err)
{
	static const uint8_t nothing[IB_WIM_HASH_SIZE];
	const uint8_t *sha1 = ib_node_hash(node);
	uint8_t sha256[IB_SHA256_SIZE];
	g_autoptr(GBytes) bytes = NULL;
	g_autofree char *a = ib_hex(sha1 ? sha1 : nothing, IB_WIM_HASH_SIZE);
	g_autofree char *b = ib_hex(f->sha256, sizeof(f->sha256));
	ib_auto_error why = NULL;

	if (!f->has_sha256 || !g_hash_table_add(c->hashed, g_strconcat(a, b, NULL)))
		return true;
	if (!sha1)
		bytes = g_bytes_new(NULL, 0);
	else if (!ib_wim_read_blob(c->s->wim, sha1, PAYLOAD_LIMIT, &bytes, &why))
		return unreadable(c, "blob-unreadable", path, &why, err);
	size_t len;
	const void *data = g_bytes_get_data(bytes, &len);
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, sha256);
	c->r->blobs_hashed++;
	if (memcmp(sha256, f->sha256, sizeof(sha256)))
		found(c, "payload-hash", path, "its SHA-256 is not the one of its manifest");
	return ib_progress_add(c->progress, len, err);
}

static bool same_blob(const struct ib_node *a, const struct ib_node *b)
{
	const uint8_t *x = ib_node_hash(a), *y = ib_node_hash(b);

	return x && y ? !memcmp(x, y, IB_WIM_HASH_SIZE) : x == y;
}

static bool check_file(struct check *c, const struct ib_component *comp, const struct ib_effect *e, struct ib_error **err)
{
	const struct ib_file *f = e->source;
	g_autofree char *store = g_strdup_printf(DIR_WINSXS "\\%s\\%s", comp->keyform, f->name);
	struct ib_node *there = ib_image_find(c->s->image, e->path);
	struct ib_node *node = ib_image_find(c->s->image, store);

	c->r->projections++;
	if (!there) {
		found(c, "projection-missing", e->path, "'%s' puts a file there, which is missing", comp->keyform);
		return true;
	}
	if (!node)
		return true; /* reported as payload-missing where the key promises it */
	if (!same_blob(there, node))
		found(c, "projection-differs", e->path, "it is not the file of '%s'", comp->keyform);
	else if (there != node && (!ib_node_link_group(there) || ib_node_link_group(there) != ib_node_link_group(node)))
		found(c, "projection-unlinked", e->path, "it has the content of '%s', but is no link of the store's file",
		      comp->keyform);
	return !c->hash_all || check_blob(c, f, there, e->path, err);
}

/* Services whose program must be there. */
static void check_service(struct check *c, const struct ib_effect *e)
{
	g_autofree char *path = g_strdup_printf("ControlSet%03u\\Services\\%s", c->s->control_set, e->name);
	struct ib_hive *system = c->s->hives[IB_HIVE_SYSTEM];
	struct ib_key *key = ib_key_find(ib_hive_root(system), path);

	if (!key)
		found(c, "service-missing", e->name, "a winner installs it, the registry does not have it");
}

static bool check_effects(struct check *c, struct ib_component *comp, const struct ib_manifest *m, struct ib_error **err)
{
	g_autoptr(GPtrArray) effects = NULL;
	ib_auto_error why = NULL;

	if (!ib_svc_effects(c->s, m, &effects, &why))
		return unreadable(c, "manifest-unreadable", comp->keyform, &why, err);
	for (guint i = 0; i < effects->len; i++) {
		const struct ib_effect *e = effects->pdata[i];
		if (e->kind == EFFECT_FILE && !check_file(c, comp, e, err))
			return false;
		if (e->kind == EFFECT_SERVICE)
			check_service(c, e);
	}
	return true;
}

static bool check_winners(struct check *c, struct ib_error **err)
{
	struct ib_hive *software;

	if (!ib_store_hive(c->s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *dir = ib_key_find(ib_hive_root(software), PATH_WINNERS);
	for (size_t i = 0; dir && i < ib_key_count(dir); i++)
		check_winner_key(c, ib_key_child(dir, i));
	return true;
}

/* ---- components ---- */

static bool check_component(struct check *c, struct ib_component *comp, struct ib_error **err)
{
	struct ib_key *key = ib_svc_component_key(c->components, comp->keyform);
	g_autofree char *path = g_strdup_printf(DIR_MANIFESTS "\\%s.manifest", comp->keyform);
	struct ib_manifest *m;

	c->r->components++;
	if (key)
		check_links(c, comp, key);
	if (!ib_image_find(c->s->image, path)) {
		found(c, "manifest-missing", comp->keyform, "the store has no manifest of this component");
		return true;
	}
	c->r->manifests++;
	if (!read_manifest(c, comp, &m, err))
		return false;
	if (m && key) {
		check_sha(c, comp, key, m);
		check_payload(c, comp, key, m);
	}
	/* Here, because reading a manifest is what takes the time. */
	bool wins = comp->installed && ib_svc_winner(comp->family, &comp->id.number) == comp;
	bool ok = !m || !wins || check_effects(c, comp, m, err);
	ib_manifest_free(m);
	return ok;
}

static bool check_components(struct check *c, struct ib_error **err)
{
	for (guint i = 0; i < c->model->families->len; i++) {
		const struct ib_family *f = c->model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++)
			if (!check_component(c, f->components->pdata[k], err))
				return false;
	}
	if (c->packed)
		found(c, "manifest-unreadable", "component store", "%u compressed manifests cannot be read: no servicing stack "
		      "in WinSxS has a wcp.dll with their dictionary", c->packed);
	struct ib_node *dir = ib_image_find(c->s->image, DIR_MANIFESTS);
	for (struct ib_node *n = dir ? ib_node_first(dir) : NULL; n; n = ib_node_next(n)) {
		const char *name = ib_node_name(n);
		size_t len = strlen(name);
		bool is_manifest = len > 9 && !g_ascii_strcasecmp(name + len - 9, ".manifest");
		g_autofree char *stem = is_manifest ? g_strndup(name, len - 9) : NULL;
		if (stem && !ib_svc_component_key(c->components, stem))
			found(c, "component-missing", stem, "its manifest is there, its component key is not");
	}
	return true;
}

/* ---- packages and catalogs ---- */

static bool file_exists(struct check *c, const char *folder, const char *name, const char *suffix)
{
	g_autofree char *path = g_strdup_printf("%s\\%s%s", folder, name, suffix);

	return ib_image_find(c->s->image, path) != NULL;
}

static bool has_member(const struct ib_catalog *catalog, GBytes *bytes)
{
	static const enum ib_digest_algorithm kinds[] = { IB_DIGEST_SHA256, IB_DIGEST_SHA1 }; /* the latter: Windows 7 */
	uint8_t hash[IB_DIGEST_MAX];
	size_t len;
	const void *data = g_bytes_get_data(bytes, &len);

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		ib_digest_bytes(kinds[i], data, len, hash);
		if (ib_catalog_has(catalog, kinds[i], hash))
			return true;
	}
	return false;
}

/* The description is what it is called, and its catalog has it. */
static bool check_mum(struct check *c, const char *id, struct ib_error **err)
{
	g_autofree char *cat = g_strdup_printf(DIR_PACKAGES "\\%s.cat", id);
	g_autoptr(GBytes) bytes = NULL;
	const struct ib_mum *mum;
	ib_auto_catalog catalog = NULL;
	ib_auto_error why = NULL;
	ib_auto_error why_not = NULL;

	if (!ib_svc_mum(c->s, id, &mum, &why))
		return unreadable(c, "package-unreadable", id, &why, err);
	if (!mum || !ib_image_find(c->s->image, cat))
		return true; /* said already */
	if (!ib_image_read(c->s->image, cat, IB_CATALOG_MAX, &bytes, &why_not) ||
	    !ib_catalog_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), cat, &catalog, &why_not))
		return unreadable(c, "package-catalog-unreadable", id, &why_not, err);
	if (!has_member(catalog, mum->bytes))
		found(c, "package-not-signed", id, "its .mum is not a member of its catalog");
	return true;
}

static bool check_packages(struct check *c, struct ib_error **err)
{
	struct ib_hive *software;

	if (!ib_store_hive(c->s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *dir = ib_key_find(ib_hive_root(software), PATH_CBS "\\Packages");
	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		const char *id = ib_key_name(ib_key_child(dir, i));
		c->r->packages++;
		if (!file_exists(c, DIR_PACKAGES, id, ".mum"))
			found(c, "package-file-missing", id, "the registry has the package, its .mum is missing");
		if (!file_exists(c, DIR_PACKAGES, id, ".cat"))
			found(c, "package-catalog-missing", id, "the package has no catalog");
		if (!check_mum(c, id, err))
			return false;
	}
	struct ib_node *files = ib_image_find(c->s->image, DIR_PACKAGES);
	for (struct ib_node *n = files ? ib_node_first(files) : NULL; n; n = ib_node_next(n)) {
		const char *name = ib_node_name(n);
		size_t len = strlen(name);
		g_autofree char *stem = len > 4 && !g_ascii_strcasecmp(name + len - 4, ".mum") ? g_strndup(name, len - 4) : NULL;
		if (stem && !(dir && ib_key_find(dir, stem)))
			found(c, "package-orphan", stem, "its .mum is there, the registry does not have the package");
	}
	return true;
}

/* Whether all deployments of a catalog bring nothing but empty winners: nothing in them is to be trusted. */
static bool signs_nothing(struct check *c, const char *thumbprint)
{
	g_autofree char *path = g_strconcat(PATH_CATALOGS "\\", thumbprint, NULL);
	struct ib_key *key = ib_key_find(ib_hive_root(c->components), path);
	ib_auto_error why = NULL;
	bool any = false;

	for (size_t i = 0; key && i < ib_key_value_count(key); i++) {
		const char *name = ib_value_name(ib_key_value_at(key, i));
		struct ib_key *d = g_ascii_strncasecmp(name, "c!", 2) ? NULL : ib_svc_deployment_key(c->components, name + 2);
		const struct ib_value *v = d ? ib_key_value(d, "appid") : NULL;
		g_autoptr(GPtrArray) brought = NULL;
		struct ib_identity id;
		size_t len = 0;
		const uint8_t *data = v ? ib_value_data(v, &len) : NULL;
		if (!data || !ib_svc_identity_parse((const char *)data, len, &id) ||
		    !ib_svc_deployment_components(c->s, &id, &brought, &why))
			return false;
		for (guint k = 1; k < brought->len; k++, any = true)
			if (!ib_svc_brings_nothing(c->s, brought->pdata[k]))
				return false;
	}
	return any;
}

static bool check_catalog(struct check *c, const char *thumbprint, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(DIR_CATALOGS "\\%s.cat", thumbprint);
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error why = NULL;
	uint8_t hash[IB_SHA256_SIZE];
	size_t len;

	c->r->catalogs++;
	if (!ib_image_find(c->s->image, path)) {
		found(c, "catalog-missing", thumbprint, "the store has no such catalog");
		return true;
	}
	if (!ib_image_read(c->s->image, path, IB_CATALOG_MAX, &bytes, &why))
		return unreadable(c, "catalog-unreadable", thumbprint, &why, err);
	const void *data = g_bytes_get_data(bytes, &len);
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	g_autofree char *hex = ib_hex(hash, sizeof(hash));
	if (g_ascii_strcasecmp(hex, thumbprint))
		found(c, "catalog-hash", thumbprint, "its bytes have another SHA-256, %s", hex);
	if (!c->anchors)
		return true;
	ib_auto_catalog catalog = NULL;
	ib_auto_catalog_verdict verdict = { 0 };
	if (!ib_catalog_parse(data, len, path, &catalog, &why) ||
	    !ib_catalog_verify(catalog, c->anchors, &verdict, &why))
		return signs_nothing(c, thumbprint) || unreadable(c, "catalog-untrusted", thumbprint, &why, err);
	return true;
}

static bool check_catalogs(struct check *c, struct ib_error **err)
{
	struct ib_key *dir = ib_key_find(ib_hive_root(c->components), PATH_CATALOGS);
	struct ib_key *deployments = ib_key_find(ib_hive_root(c->components), PATH_DEPLOYMENTS);

	for (size_t i = 0; dir && i < ib_key_count(dir); i++)
		if (!check_catalog(c, ib_key_name(ib_key_child(dir, i)), err))
			return false;
	for (size_t i = 0; deployments && i < ib_key_count(deployments); i++) {
		struct ib_key *d = ib_key_child(deployments, i);
		const struct ib_value *v = ib_key_value(d, "CatalogThumbprint");
		g_autofree char *thumbprint = v ? ib_value_text(v) : NULL;
		if (!thumbprint)
			found(c, "catalog-unknown", ib_key_name(d), "the deployment names no catalog");
		else if (!dir || !ib_key_find(dir, thumbprint))
			found(c, "catalog-missing", ib_key_name(d), "its catalog %s is not in the store", thumbprint);
	}
	return true;
}

/* ---- services and names ---- */

static bool check_services(struct check *c, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf("ControlSet%03u\\Services", c->s->control_set);
	struct ib_hive *system;

	if (!ib_store_hive(c->s, IB_HIVE_SYSTEM, &system, err))
		return false;
	struct ib_key *dir = ib_key_find(ib_hive_root(system), path);
	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		struct ib_key *key = ib_key_child(dir, i);
		const struct ib_value *v = ib_key_value(key, "ImagePath");
		g_autofree char *command = v ? ib_value_text(v) : NULL;
		g_autofree char *file = command ? ib_svc_command_path(c->s, command) : NULL;
		c->r->services += ib_key_value(key, "Type") != NULL;
		if (command && strstr(command, "$("))
			found(c, "macro", ib_key_name(key), "the service's path '%s' holds a macro", command);
		if (file && !ib_image_find(c->s->image, file))
			found(c, "service-binary-missing", ib_key_name(key), "its program '%s' is not in the image", file);
	}
	return true;
}

/* Where a junction or symbolic link leads, as it is written for people or for the system; NULL when it is neither. */
static char *link_target(const uint8_t *data, size_t len, uint32_t tag, bool *ret_relative)
{
	/* Offsets and lengths of two names, for symbolic links flags, then the names (MS-FSCC 2.1.2.4, 2.1.2.5). */
	size_t head = tag == IB_REPARSE_SYMLINK ? 12 : 8;

	if (len < head)
		return NULL;
	size_t at = ib_le16(data), size = ib_le16(data + 2);
	*ret_relative = tag == IB_REPARSE_SYMLINK && (ib_le32(data + 8) & 1);
	return at + size <= len - head ? ib_utf16_to_utf8(data + head + at, size) : NULL;
}

/* The path in the image that a link means, "" for none that can be told here. */
static char *link_path(const struct ib_store *s, const struct ib_node *n, const char *target, bool relative)
{
	g_autofree char *parent = ib_node_path(ib_node_parent(n));
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const char *p = g_str_has_prefix(target, "\\??\\") ? target + 4 : target;

	if (!relative && (g_ascii_strncasecmp(p, s->drive, strlen(s->drive)) || p[strlen(s->drive)] != '\\'))
		return g_strdup("");
	g_autofree char *full = relative ? g_strdup_printf("%s\\%s", parent, p) : g_strdup(p + strlen(s->drive) + 1);
	g_auto(GStrv) parts = g_strsplit(full, "\\", -1);
	for (char **x = parts; *x; x++) {
		if (!strcmp(*x, "..") && names->len)
			g_ptr_array_set_size(names, (gint)names->len - 1);
		else if (**x && strcmp(*x, ".") && strcmp(*x, ".."))
			g_ptr_array_add(names, *x);
	}
	g_ptr_array_add(names, NULL);
	return g_strjoinv("\\", (char **)names->pdata);
}

static bool check_link(struct check *c, const struct ib_node *n, struct ib_error **err)
{
	uint32_t tag = ib_node_reparse_tag(n);
	const uint8_t *hash = ib_node_reparse_hash(n);
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error why = NULL;
	bool relative = false;
	size_t len;

	if ((tag != IB_REPARSE_SYMLINK && tag != IB_REPARSE_JUNCTION) || !hash)
		return true;
	g_autofree char *path = ib_node_path(n);
	if (!ib_wim_read_blob(c->s->wim, hash, IB_REPARSE_MAX, &bytes, &why))
		return unreadable(c, "blob-unreadable", path, &why, err);
	const uint8_t *data = g_bytes_get_data(bytes, &len);
	g_autofree char *target = link_target(data, len, tag, &relative);
	if (!target) {
		found(c, "link-broken", path, "its reparse data name no target");
		return true;
	}
	g_autofree char *to = link_path(c->s, n, target, relative);
	if (*to && !ib_image_find(c->s->image, to))
		found(c, "link-broken", path, "it leads to '%s', which is not in the image", target);
	return true;
}

static bool check_names(struct check *c, struct ib_node *dir, unsigned depth, struct ib_error **err)
{
	/* lib/wim bounds the depth of trees at 512. */
	for (struct ib_node *n = ib_node_first(dir); n && depth < 512; n = ib_node_next(n)) {
		if (strstr(ib_node_name(n), "$(")) {
			g_autofree char *path = ib_node_path(n);
			found(c, "macro", path, "a macro was taken for a name");
		}
		if (!check_link(c, n, err) || (ib_node_is_dir(n) && !check_names(c, n, depth + 1, err)))
			return false;
	}
	return true;
}

static int by_finding(gconstpointer a, gconstpointer b)
{
	const struct ib_finding *x = *(struct ib_finding *const *)a, *y = *(struct ib_finding *const *)b;
	int d = strcmp(x->id, y->id);

	d = d ? d : strcmp(x->subject, y->subject);
	return d ? d : strcmp(x->text, y->text);
}

static void found_driver(void *data, const char *id, const char *subject, const char *text)
{
	found(data, id, subject, "%s", text);
}

static bool check_all(struct check *c, struct ib_error **err)
{
	if (!ib_store_hive(c->s, IB_HIVE_COMPONENTS, &c->components, err) || !ib_svc_model(c->s, &c->model, err) ||
	    !check_components(c, err) || !check_winners(c, err) || !check_packages(c, err) || !check_catalogs(c, err) ||
	    !check_services(c, err) ||
	    !ib_svc_verify_drivers(c->s, c->anchors, found_driver, c, &c->r->drivers, err))
		return false;
	return check_names(c, ib_image_root(c->s->image), 0, err);
}

bool ib_store_verify(struct ib_store *s, const struct ib_anchors *anchors, bool hash_all, struct ib_verify_result *ret,
		     struct ib_progress *progress, struct ib_error **err)
{
	g_autoptr(GHashTable) hashed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct ib_verify_result r = { .findings = g_ptr_array_new_with_free_func(finding_free) };
	struct check c = { .s = s, .anchors = anchors, .hash_all = hash_all, .r = &r, .progress = progress,
			   .hashed = hashed };

	if (!check_all(&c, err)) {
		ib_verify_result_clear(&r);
		return ib_while(err, "verifying the component store of image %u", s->index);
	}
	g_ptr_array_sort(r.findings, by_finding);
	*ret = r;
	return true;
}
