#include "build/internal.h"

#include "build/inspect_internal.h"
#include "registry/registry.h"

/* What a file holds, in the field's own words. One function per kind; the table tells them apart by content. */

/* A catalog, manifest or hive larger than this is none. */
#define SMALL_MAX (512u << 20)
/* Lists longer than this are cut; the count before them is complete. */
#define LIST_MAX 2000u

struct request {
	const char *path;
	unsigned index;
	struct ib_anchors *anchors; /* NULL: do not judge */
	struct image_base base;     /* of compressed manifests */
	struct ib_input *in;
};

static void set_text(JsonObject *o, const char *name, const char *text)
{
	if (text && *text)
		json_object_set_string_member(o, name, text);
}

static void take_text(JsonObject *o, const char *name, char *text)
{
	set_text(o, name, text);
	g_free(text);
}

/* ---- identities ---- */

static JsonObject *identity_json(const struct ib_identity *id)
{
	JsonObject *o = json_object_new();

	set_text(o, "name", id->name);
	set_text(o, "version", id->version);
	set_text(o, "arch", id->arch);
	set_text(o, "culture", id->culture ? id->culture : "neutral");
	set_text(o, "token", id->token);
	set_text(o, "type", id->type);
	return o;
}

static JsonArray *identities_json(const GPtrArray *list)
{
	JsonArray *a = json_array_new();

	for (guint i = 0; list && i < list->len && i < LIST_MAX; i++) {
		g_autofree char *text = ib_package_id(g_ptr_array_index(list, i));
		json_array_add_string_element(a, text);
	}
	return a;
}

/* ---- mum ---- */

static JsonArray *parents_json(const struct ib_mum *m)
{
	JsonArray *a = json_array_new();

	for (guint i = 0; i < m->parents->len; i++) {
		const struct ib_parent *p = g_ptr_array_index(m->parents, i);
		JsonObject *o = json_object_new();
		set_text(o, "build_compare", p->build_compare);
		set_text(o, "revision_compare", p->revision_compare);
		json_object_set_array_member(o, "any_of", identities_json(p->identities));
		json_array_add_object_element(a, o);
	}
	return a;
}

static JsonArray *updates_json(const struct ib_mum *m)
{
	JsonArray *a = json_array_new();

	for (guint i = 0; i < m->updates->len; i++) {
		const struct ib_update *u = g_ptr_array_index(m->updates, i);
		JsonObject *o = json_object_new();
		set_text(o, "name", u->name);
		json_object_set_boolean_member(o, "feature", u->selectable);
		if (u->packages->len)
			json_object_set_array_member(o, "packages", identities_json(u->packages));
		json_object_set_int_member(o, "deployments", u->components->len);
		json_array_add_object_element(a, o);
	}
	return a;
}

static JsonArray *needs_json(const struct ib_mum *m)
{
	JsonArray *a = json_array_new();

	for (guint i = 0; i < m->needs->len; i++) {
		const struct ib_needed_capability *c = g_ptr_array_index(m->needs, i);
		JsonObject *o = json_object_new();
		set_text(o, "name", c->name);
		set_text(o, "version", c->version);
		set_text(o, "language", c->language);
		json_array_add_object_element(a, o);
	}
	return a;
}

static JsonObject *mum_json(const struct ib_mum *m)
{
	JsonObject *o = json_object_new();
	g_autofree char *stack = ib_version_text(&m->installer);

	set_text(o, "package", m->package_id);
	json_object_set_object_member(o, "identity", identity_json(&m->id));
	set_text(o, "release_type", m->release_type);
	set_text(o, "identifier", m->identifier);
	set_text(o, "description", m->description);
	set_text(o, "capability", m->capability);
	set_text(o, "capability_version", m->capability_version);
	set_text(o, "capability_language", m->capability_language);
	if (m->needs->len)
		json_object_set_array_member(o, "needs_capabilities", needs_json(m));
	if (strcmp(stack, "0.0.0.0") != 0)
		set_text(o, "needs_servicing_stack", stack);
	set_text(o, "package_format", m->package_format);
	json_object_set_array_member(o, "parents", parents_json(m));
	json_object_set_array_member(o, "updates", updates_json(m));
	return o;
}

/* ---- manifest ---- */

static JsonArray *files_json(const struct ib_manifest *m)
{
	JsonArray *a = json_array_new();

	for (guint i = 0; i < m->files->len && i < LIST_MAX; i++) {
		const struct ib_file *f = g_ptr_array_index(m->files, i);
		JsonObject *o = json_object_new();
		set_text(o, "name", f->name);
		set_text(o, "destination", f->destination_path);
		if (f->has_sha256)
			take_text(o, "sha256", ib_hex(f->sha256, 32));
		json_array_add_object_element(a, o);
	}
	return a;
}

static JsonObject *manifest_json(const struct ib_manifest *m)
{
	JsonObject *o = json_object_new();

	set_text(o, "keyform", m->keyform);
	take_text(o, "short_keyform", ib_keyform(&m->id, IB_KEYFORM_SHORT));
	take_text(o, "family", ib_keyform(&m->id, IB_KEYFORM_FAMILY));
	json_object_set_object_member(o, "identity", identity_json(&m->id));
	json_object_set_boolean_member(o, "deployment", m->is_deployment);
	json_object_set_array_member(o, "dependencies", identities_json(m->dependencies));
	json_object_set_array_member(o, "files", files_json(m));
	json_object_set_int_member(o, "registry_keys", m->registry->len);
	json_object_set_int_member(o, "services", m->services->len);
	json_object_set_int_member(o, "firewall_rules", m->firewall->len);
	json_object_set_int_member(o, "tasks", m->tasks->len);
	json_set_strings(o, "not_carried_out_offline", m->other);
	return o;
}

static bool inspect_xml(struct request *q, JsonObject *o, struct ib_error **err)
{
	g_autofree char *name = g_path_get_basename(q->path);
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_input_bytes(q->in, SMALL_MAX, &bytes, err))
		return false;
	if (g_str_has_suffix(q->path, ".mum")) {
		struct ib_mum *m = NULL;
		if (!ib_mum_parse(bytes, name, &m, err))
			return false;
		set_text(o, "kind", "package manifest");
		json_object_set_object_member(o, "mum", mum_json(m));
		ib_mum_free(m);
		return true;
	}
	struct ib_manifest *m = NULL;
	if (!ib_manifest_parse(bytes, q->base.dictionary, name, &m, err))
		return false;
	set_text(o, "kind", "component manifest");
	json_object_set_object_member(o, "manifest", manifest_json(m));
	ib_manifest_free(m);
	return true;
}

/* ---- package ---- */

static void set_members(JsonObject *o, const struct ib_package *p)
{
	const GPtrArray *members = ib_package_members(p);
	JsonArray *a = json_array_new();

	for (guint i = 0; i < members->len && i < LIST_MAX; i++) {
		const struct ib_package_member *m = g_ptr_array_index(members, i);
		JsonObject *item = json_object_new();
		set_text(item, "name", m->name);
		json_object_set_int_member(item, "bytes", (gint64)m->size);
		json_array_add_object_element(a, item);
	}
	json_object_set_int_member(o, "member_count", members->len);
	json_object_set_array_member(o, "members", a);
}

static bool set_trust(struct request *q, JsonObject *o, struct ib_package *p, struct ib_error **err)
{
	struct ib_package_trust trust = { 0 };
	JsonObject *t = json_object_new();

	json_object_set_object_member(o, "trust", t);
	if (!q->anchors) {
		set_text(t, "verdict", "not judged: no --trust was given");
		return true;
	}
	if (!ib_package_verify(p, q->anchors, &trust, err))
		return false;
	set_text(t, "verdict", "good");
	set_text(t, "signer", trust.signer);
	set_text(t, "anchor", trust.anchor);
	set_text(t, "signed", trust.time);
	json_object_set_int_member(t, "catalogs", trust.catalogs);
	json_object_set_int_member(t, "members", trust.members);
	ib_package_trust_clear(&trust);
	return true;
}

static bool inspect_package(struct request *q, JsonObject *o, struct ib_error **err)
{
	struct ib_package_options options = { .size = sizeof options, .dictionary = q->base.dictionary };
	struct ib_package *p = NULL;

	if (!ib_package_open(q->path, &options, &p, err))
		return false;
	set_text(o, "kind", "package");
	bool ok = set_trust(q, o, p, err);
	if (ok) {
		JsonArray *children = json_array_new();
		const GPtrArray *mums = ib_package_mums(p), *manifests = ib_package_manifests(p);
		unsigned deployments = 0;
		json_object_set_object_member(o, "root", mum_json(ib_package_root(p)));
		for (guint i = 1; i < mums->len; i++)
			json_array_add_string_element(children, ((const struct ib_mum *)g_ptr_array_index(mums, i))->package_id);
		json_object_set_array_member(o, "child_packages", children);
		for (guint i = 0; i < manifests->len; i++)
			deployments += ((const struct ib_manifest *)g_ptr_array_index(manifests, i))->is_deployment;
		json_object_set_int_member(o, "deployments", deployments);
		json_object_set_int_member(o, "components", manifests->len - deployments);
		json_set_strings(o, "compressed_manifests_not_read", ib_package_unread(p));
		json_object_set_int_member(o, "payload_bytes", (gint64)ib_package_payload_bytes(p));
		set_members(o, p);
	}
	ib_package_free(p);
	return ok;
}

/* ---- setup update ---- */

static bool inspect_setup(struct request *q, JsonObject *o, struct ib_error **err)
{
	struct ib_setup_update *u = NULL;
	JsonArray *files = json_array_new();
	JsonObject *trust = json_object_new();

	set_text(o, "kind", "setup update");
	json_object_set_object_member(o, "trust", trust);
	json_object_set_array_member(o, "files", files);
	if (!ib_setup_update_open(q->path, q->anchors, &u, err))
		return false;
	set_text(trust, "verdict", q->anchors ? "good" : "not judged: no --trust was given");
	set_text(trust, "signer", u->signer);
	set_text(trust, "anchor", u->anchor);
	set_text(trust, "signed", u->time);
	json_object_set_int_member(o, "payload_bytes", (gint64)u->bytes);
	for (guint i = 0; i < u->files->len && i < LIST_MAX; i++) {
		const struct ib_setup_file *f = g_ptr_array_index(u->files, i);
		JsonObject *item = json_object_new();
		set_text(item, "name", f->name);
		json_object_set_int_member(item, "bytes", (gint64)f->size);
		json_array_add_object_element(files, item);
	}
	ib_setup_update_free(u);
	return true;
}

/* A cabinet with packages in it, or one of plain files for Setup. */
static bool inspect_cabinet(struct request *q, JsonObject *o, struct ib_error **err)
{
	bool plain = false;

	if (!ib_setup_update_probe(q->path, &plain, err))
		return false;
	return plain ? inspect_setup(q, o, err) : inspect_package(q, o, err);
}

/* ---- catalog ---- */

static bool inspect_catalog(struct request *q, JsonObject *o, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	struct ib_catalog *c = NULL;

	if (!ib_input_bytes(q->in, SMALL_MAX, &bytes, err) ||
	    !ib_catalog_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), q->path, &c, err))
		return false;
	set_text(o, "kind", "catalog");
	json_object_set_int_member(o, "members", (gint64)ib_catalog_count(c));
	bool ok = true;
	if (!q->anchors) {
		set_text(o, "verdict", "not judged: no --trust was given");
	} else {
		struct ib_catalog_verdict v = { 0 };
		ok = ib_catalog_verify(c, q->anchors, &v, err);
		if (ok) {
			set_text(o, "verdict", "good");
			set_text(o, "signer", v.signer.subject);
			set_text(o, "issuer", v.signer.issuer);
			set_text(o, "anchor", v.signer.anchor);
			take_text(o, "signed", ib_time_text(v.signer.time));
			ib_catalog_verdict_fini(&v);
		}
	}
	ib_catalog_free(c);
	return ok;
}

/* ---- hive ---- */

static bool inspect_hive(struct request *q, JsonObject *o, struct ib_error **err)
{
	struct ib_hive_options options = { .name = q->path };
	g_autoptr(GBytes) bytes = NULL;
	struct ib_hive *hive = NULL;
	JsonArray *keys = json_array_new();

	set_text(o, "kind", "registry hive");
	json_object_set_array_member(o, "keys", keys);
	if (!ib_input_bytes(q->in, SMALL_MAX, &bytes, err) || !ib_hive_load(bytes, &options, &hive, err))
		return false;
	struct ib_key *root = ib_hive_root(hive);
	set_text(o, "root", ib_key_name(root));
	for (size_t i = 0; i < ib_key_count(root) && i < LIST_MAX; i++)
		json_array_add_string_element(keys, ib_key_name(ib_key_child(root, i)));
	ib_hive_free(hive);
	return true;
}

/* ---- images ---- */

static JsonArray *packages_json(const GPtrArray *packages)
{
	JsonArray *a = json_array_new();

	for (guint i = 0; i < packages->len && i < LIST_MAX; i++) {
		const struct ib_installed *p = g_ptr_array_index(packages, i);
		JsonObject *o = json_object_new();
		set_text(o, "package", p->package_id);
		take_text(o, "state", g_strdup_printf("0x%02x", p->state));
		if (p->features && p->features->len) {
			JsonObject *features = json_object_new();
			for (guint f = 0; f < p->features->len; f++) {
				const struct ib_feature_state *fs = g_ptr_array_index(p->features, f);
				take_text(features, fs->name, g_strdup_printf("0x%02x", fs->state));
			}
			json_object_set_object_member(o, "features", features);
		}
		json_array_add_object_element(a, o);
	}
	return a;
}

static bool set_features(JsonObject *s, struct ib_store *store, struct ib_error **err)
{
	static const char *const words[] = { "disabled", "enabled", "payload removed" };
	g_autoptr(GPtrArray) features = NULL;
	g_autoptr(GPtrArray) capabilities = NULL;
	JsonArray *list = json_array_new(), *named = json_array_new();

	json_object_set_array_member(s, "features", list);
	json_object_set_array_member(s, "capabilities", named);
	if (!ib_store_features(store, &features, err) || !ib_store_capabilities(store, &capabilities, err))
		return false;
	for (guint i = 0; i < features->len && i < LIST_MAX; i++) {
		const struct ib_feature *f = g_ptr_array_index(features, i);
		JsonObject *item = json_object_new();
		set_text(item, "name", f->name);
		set_text(item, "state", words[f->condition]);
		set_text(item, "title", f->title);
		set_text(item, "default", f->default_on ? "on" : "off");
		set_text(item, "parent", f->parent);
		set_text(item, "package", f->package_id);
		json_object_set_int_member(item, "language_packs", f->satellites);
		json_array_add_object_element(list, item);
	}
	for (guint i = 0; i < capabilities->len && i < LIST_MAX; i++) {
		const struct ib_capability *c = g_ptr_array_index(capabilities, i);
		JsonObject *item = json_object_new();
		set_text(item, "name", c->name);
		take_text(item, "state", g_strdup_printf("0x%02x", c->state));
		set_text(item, "package", c->package_id);
		json_array_add_object_element(named, item);
	}
	return true;
}

static bool set_store(JsonObject *o, struct ib_wim *wim, unsigned index, struct ib_error **err)
{
	const GPtrArray *packages = NULL;
	struct ib_store *store = NULL;
	ib_auto_error why = NULL;

	if (!ib_store_open(wim, index, 0, &store, &why)) {
		set_text(o, "store", ib_error_cause(why));
		return true;
	}
	const struct ib_store_info *info = ib_store_info(store);
	JsonObject *s = json_object_new();
	take_text(s, "version", ib_version_text(&info->version));
	take_text(s, "servicing_stack", ib_version_text(&info->stack));
	set_text(s, "edition", info->edition);
	set_text(s, "product", info->product);
	json_object_set_int_member(s, "components", info->components);
	json_object_set_int_member(s, "deployments", info->deployments);
	json_object_set_boolean_member(s, "serviceable", !info->unserviceable);
	bool ok = set_features(s, store, err) && ib_store_packages(store, &packages, err);
	if (ok)
		json_object_set_array_member(s, "packages", packages_json(packages));
	ok = ok && inspect_set_drivers(store, s, err) && inspect_set_apps(store, s, err);
	json_object_set_object_member(o, "store", s);
	ib_store_free(store);
	return ok;
}

static bool set_image(JsonArray *images, struct ib_wim *wim, unsigned index, bool deep, struct ib_error **err)
{
	static const char *const properties[] = { "NAME", "DESCRIPTION", "DIRCOUNT", "FILECOUNT", "TOTALBYTES",
						  "WINDOWS/EDITIONID", "WINDOWS/PRODUCTNAME", "WINDOWS/ARCH" };
	JsonObject *o = json_object_new();

	json_array_add_object_element(images, o);
	json_object_set_int_member(o, "index", index);
	for (size_t i = 0; i < G_N_ELEMENTS(properties); i++) {
		const char *slash = strrchr(properties[i], '/');
		g_autofree char *name = g_ascii_strdown(slash ? slash + 1 : properties[i], -1);
		take_text(o, name, ib_wim_image_property(wim, index, properties[i]));
	}
	return !deep || set_store(o, wim, index, err);
}

static bool wim_json(struct request *q, struct ib_input *in, JsonObject *o, struct ib_error **err)
{
	static const char *const names[] = { "none", "XPRESS", "LZX", "LZMS" };
	JsonArray *images = json_array_new();
	struct ib_wim *wim = NULL;

	/* the parts of a split WIM are found by its path */
	if (!(in == q->in ? ib_wim_open_file(q->path, NULL, &wim, err) : ib_wim_open(in, NULL, &wim, err))) {
		json_array_unref(images);
		return false;
	}
	const struct ib_wim_info *info = ib_wim_info(wim);
	set_text(o, "compression", names[info->compression]);
	json_object_set_int_member(o, "chunk_size", info->chunk_size);
	json_object_set_int_member(o, "boot_index", info->boot_index);
	json_object_set_int_member(o, "blobs", (gint64)info->blob_count);
	json_object_set_int_member(o, "blob_bytes", (gint64)info->blob_bytes);
	json_object_set_array_member(o, "images", images);
	bool ok = q->index <= info->image_count ? true :
		  ib_throw(err, IB_ERR_INPUT, "'%s' has %u images, there is no %u", q->path, info->image_count, q->index);
	for (unsigned i = 1; ok && i <= info->image_count; i++)
		if (!q->index || q->index == i)
			ok = set_image(images, wim, i, q->index == i, err);
	ib_wim_free(wim);
	return ok;
}

static bool inspect_wim(struct request *q, JsonObject *o, struct ib_error **err)
{
	set_text(o, "kind", "WIM");
	return wim_json(q, q->in, o, err);
}

static bool inspect_media(struct request *q, JsonObject *o, struct ib_error **err)
{
	static const char *const kinds[] = { "UDF", "ISO 9660", "Joliet" };
	const struct ib_media_entry *e;
	JsonArray *boot = json_array_new();
	ib_auto_media media = NULL;
	ib_auto_input in = NULL;

	set_text(o, "kind", "ISO");
	json_object_set_array_member(o, "boot", boot);
	if (!ib_media_open(q->in, &media, err))
		return false;
	set_text(o, "file_system", kinds[ib_media_kind(media)]);
	set_text(o, "label", ib_media_label(media));
	json_object_set_int_member(o, "entries", (gint64)ib_media_count(media));
	for (size_t i = 0; i < ib_media_boot_count(media); i++) {
		const struct ib_media_boot *b = ib_media_boot(media, i);
		g_autofree char *text = g_strdup_printf("platform 0x%02x, %s", b->platform, b->entry ? b->entry->path : "no file");
		json_array_add_string_element(boot, text);
	}
	e = ib_media_find(media, "sources/install.wim");
	if (!e)
		return true;
	JsonObject *w = json_object_new();
	json_object_set_object_member(o, "install.wim", w);
	return ib_media_file(media, e, &in, err) && wim_json(q, in, w, err);
}

/* ---- telling apart ---- */

static const struct {
	const char *magic;
	size_t len;
	uint64_t at;
	bool (*inspect)(struct request *q, JsonObject *o, struct ib_error **err);
} kinds[] = {
	{ "MSWIM\0\0\0", 8, 0, inspect_wim },   { "MSCF", 4, 0, inspect_cabinet }, { "regf", 4, 0, inspect_hive },
	{ "CD001", 5, 32769, inspect_media },   { "BEA01", 5, 32769, inspect_media },
	{ "\x30\x82", 2, 0, inspect_catalog },  { "\x30\x83", 2, 0, inspect_catalog },
	{ "<?xml", 5, 0, inspect_xml },         { "\xEF\xBB\xBF<", 4, 0, inspect_xml }, { "<assembly", 9, 0, inspect_xml },
	{ "DCM\1", 4, 0, inspect_xml },         { "DCS\1", 4, 0, inspect_xml },     { "DCN\1", 4, 0, inspect_xml },
};

static bool inspect_by_content(struct request *q, JsonObject *o, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		uint8_t head[16];
		if (ib_input_size(q->in) < kinds[i].at + kinds[i].len)
			continue;
		if (!ib_input_read(q->in, kinds[i].at, head, kinds[i].len, err))
			return false;
		if (memcmp(head, kinds[i].magic, kinds[i].len) == 0)
			return kinds[i].inspect(q, o, err);
	}
	return ib_throw(err, IB_ERR_INPUT, "'%s' is no ISO, WIM, package, manifest, catalog or hive", q->path);
}

bool ib_inspect(const char *path, unsigned index, const char *base, char *const *anchors_files, int64_t now,
		char **ret_json, struct ib_error **err)
{
	struct request q = { .path = path, .index = index };
	bool ok;

	if (anchors_files && *anchors_files && !check_anchors(anchors_files, now, &q.anchors, err))
		return ib_while(err, "inspecting '%s'", path);
	if (base && !image_base_open(base, &q.base, err)) {
		ib_anchors_free(q.anchors);
		return ib_while(err, "inspecting '%s'", path);
	}
	JsonObject *o = json_object_new();
	set_text(o, "file", path);
	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		ok = inspect_package(&q, o, err);
	else if (g_str_has_suffix(path, ".inf") || g_str_has_suffix(path, ".INF"))
		ok = inspect_driver(path, q.anchors, o, err); /* plain text: nothing but its name tells */
	else
		ok = ib_input_open(path, &q.in, err) && inspect_by_content(&q, o, err);
	if (ok)
		*ret_json = json_text(o);
	json_object_unref(o);
	ib_input_unref(q.in);
	ib_anchors_free(q.anchors);
	image_base_clear(&q.base);
	return ok ? true : ib_while(err, "inspecting '%s'", path);
}
