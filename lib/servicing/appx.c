/*
 * Provisioned apps: packages that Windows registers for each new user. What an image says about them lies in three
 * places (AppxProvisioning.xml, AppxAllUserStore in SOFTWARE, folders below WindowsApps); a package's own manifest says
 * who it is, and its full name must be made of that.
 */
#include "servicing/internal.h"

#include <string.h>

#include "digest/digest.h"
#include "xml/xml.h"

#define APPX_KEY "Microsoft\\Windows\\CurrentVersion\\Appx\\AppxAllUserStore"
#define APPX_LIST "ProgramData\\Microsoft\\Windows\\AppxProvisioning.xml"
#define APPX_FOLDER "Program Files\\WindowsApps"
#define APPX_REPOSITORY "ProgramData\\Microsoft\\Windows\\AppRepository"
#define SYSTEM_APPS "Windows\\SystemApps"
/* A list of a real image has 20 kB, a manifest below 200 kB. */
#define APPX_XML_MAX (8u << 20)

/* Keys of AppxAllUserStore whose subkeys are full names. */
static const char *const stores[] = { "Applications", "Staged", "InboxApplications" };

/* ---- names ---- */

char *ib_appx_publisher_id(const char *publisher)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	size_t bytes = 0;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(publisher, &bytes);
	uint8_t hash[IB_SHA256_SIZE];
	char id[14] = "";

	ib_digest_bytes(IB_DIGEST_SHA256, wide ? wide : (const uint8_t *)"", bytes, hash);
	for (unsigned i = 0; i < 13; i++) { /* 64 bits and one zero, five at a time */
		unsigned bit = i * 5, value = 0;
		for (unsigned k = 0; k < 5; k++, bit++)
			value = value << 1 | (bit < 64 ? hash[bit / 8] >> (7 - bit % 8) & 1u : 0);
		id[i] = digits[value];
	}
	return g_strdup(id);
}

/* Name_Version_Architecture_Resource_PublisherId in its five parts; NULL when it is none. g_strfreev */
static char **name_parts(const char *full_name)
{
	char **parts = g_strsplit(full_name, "_", -1);

	if (g_strv_length(parts) == 5 && *parts[0] && *parts[1] && strlen(parts[4]) == 13)
		return parts;
	g_strfreev(parts);
	return NULL;
}

static void appx_free(void *p)
{
	struct ib_appx *a = p;

	g_free(a->full_name);
	g_free(a->name);
	g_free(a->version);
	g_free(a->family);
	g_strfreev(a->needs);
	g_free(a->lie);
	g_free(a);
}

/* ---- listing ---- */

struct listing {
	struct ib_store *s;
	GPtrArray *apps;     /* struct ib_appx */
	GHashTable *by_name; /* folded full name -> struct ib_appx */
};

static struct ib_appx *know(struct listing *l, const char *full_name)
{
	g_autofree char *folded = ib_name_fold(full_name);
	g_auto(GStrv) parts = name_parts(full_name);
	struct ib_appx *a = folded ? g_hash_table_lookup(l->by_name, folded) : NULL;

	if (a || !parts || !folded)
		return a;
	a = g_new0(struct ib_appx, 1);
	a->full_name = g_strdup(full_name);
	a->name = g_strdup(parts[0]);
	a->version = g_strdup(parts[1]);
	a->family = g_strconcat(parts[0], "_", parts[4], NULL);
	g_ptr_array_add(l->apps, a);
	g_hash_table_insert(l->by_name, g_steal_pointer(&folded), a);
	return a;
}

/* The list as XML; *ret NULL when the image has none. */
static bool read_list(struct ib_store *s, struct ib_xml **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;

	*ret = NULL;
	if (!ib_image_find(s->image, APPX_LIST))
		return true;
	return ib_image_read(s->image, APPX_LIST, APPX_XML_MAX, &bytes, err) &&
	       ib_xml_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), APPX_LIST, ret, err);
}

static bool list_provisioned(struct listing *l, struct ib_error **err)
{
	ib_auto_xml doc = NULL;

	if (!read_list(l->s, &doc, err))
		return false;
	struct ib_xml_node *list = doc ? ib_xml_find(ib_xml_root(doc), "Provisioned") : NULL;
	for (struct ib_xml_node *n = ib_xml_first(list, "Package"); n; n = ib_xml_next(n, "Package")) {
		const char *full_name = ib_xml_attr(n, "FullName");
		struct ib_appx *a = full_name ? know(l, full_name) : NULL;
		if (a)
			a->provisioned = true;
	}
	return true;
}

static bool list_registered(struct listing *l, struct ib_error **err)
{
	struct ib_hive *software;

	if (!ib_store_hive(l->s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(stores); i++) {
		g_autofree char *path = g_strconcat(APPX_KEY "\\", stores[i], NULL);
		struct ib_key *key = ib_key_find(ib_hive_root(software), path);
		for (size_t k = 0; key && k < ib_key_count(key); k++)
			know(l, ib_key_name(ib_key_child(key, k)));
	}
	return true;
}

/* ---- manifests ---- */

static char *text_at(const struct ib_xml_node *root, const char *path)
{
	const struct ib_xml_node *n = ib_xml_find((struct ib_xml_node *)root, path);

	return n ? ib_xml_text(n) : NULL;
}

/* The full name that an identity makes; g_free; NULL when it is incomplete. */
static char *identity_name(const struct ib_xml_node *identity, bool bundle)
{
	const char *name = ib_xml_attr(identity, "Name"), *version = ib_xml_attr(identity, "Version");
	const char *publisher = ib_xml_attr(identity, "Publisher"), *arch = ib_xml_attr(identity, "ProcessorArchitecture");
	const char *resource = ib_xml_attr(identity, "ResourceId");

	if (!name || !version || !publisher)
		return NULL;
	g_autofree char *id = ib_appx_publisher_id(publisher);
	return g_strdup_printf("%s_%s_%s_%s_%s", name, version, bundle || !arch ? "neutral" : arch,
			       bundle ? "~" : resource ? resource : "", id);
}

static void take_needs(struct ib_appx *a, const struct ib_xml_node *root)
{
	struct ib_xml_node *d = ib_xml_find((struct ib_xml_node *)root, "Dependencies");
	GPtrArray *needs = g_ptr_array_new();

	for (struct ib_xml_node *n = ib_xml_first(d, "PackageDependency"); n; n = ib_xml_next(n, "PackageDependency")) {
		const char *name = ib_xml_attr(n, "Name"), *publisher = ib_xml_attr(n, "Publisher");
		g_autofree char *id = publisher ? ib_appx_publisher_id(publisher) : NULL;
		if (name && id)
			g_ptr_array_add(needs, g_strdup_printf("%s_%s", name, id));
	}
	g_ptr_array_add(needs, NULL);
	a->needs = (char **)g_ptr_array_free(needs, FALSE);
}

/* Read a package's manifest: what it needs, and whether it is who its folder says. */
static bool read_manifest(struct listing *l, struct ib_appx *a, struct ib_error **err)
{
	g_autofree char *plain = g_strdup_printf(APPX_FOLDER "\\%s\\AppxManifest.xml", a->full_name);
	g_autofree char *bundle = g_strdup_printf(APPX_FOLDER "\\%s\\AppxMetadata\\AppxBundleManifest.xml", a->full_name);
	const char *path = ib_image_find(l->s->image, plain) ? plain : ib_image_find(l->s->image, bundle) ? bundle : NULL;
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error why = NULL;
	ib_auto_xml doc = NULL;

	if (!path) {
		a->lie = g_strdup("its folder holds no manifest that says who it is");
		return true;
	}
	if (!ib_image_read(l->s->image, path, APPX_XML_MAX, &bytes, &why) ||
	    !ib_xml_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), path, &doc, &why)) {
		if (ib_error_code(why) == IB_ERR_SYSTEM) {
			*err = g_steal_pointer(&why);
			return false;
		}
		a->lie = g_strdup_printf("its manifest cannot be read: %s", ib_error_cause(why));
		return true;
	}
	const struct ib_xml_node *root = ib_xml_root(doc);
	g_autofree char *says = identity_name(ib_xml_find(ib_xml_root(doc), "Identity"), path == bundle);
	g_autofree char *framework = text_at(root, "Properties/Framework");
	a->framework = framework && !g_ascii_strcasecmp(g_strstrip(framework), "true");
	take_needs(a, root);
	if (!says)
		a->lie = g_strdup("its manifest has no complete identity");
	else if (!ib_name_equal(says, a->full_name))
		a->lie = g_strdup_printf("its manifest says that it is '%s'", says);
	return true;
}

static bool list_folders(struct listing *l, struct ib_error **err)
{
	struct ib_node *dir = ib_image_find(l->s->image, APPX_FOLDER);

	for (struct ib_node *n = dir ? ib_node_first(dir) : NULL; n; n = ib_node_next(n)) {
		struct ib_appx *a = ib_node_is_dir(n) ? know(l, ib_node_name(n)) : NULL;
		if (a)
			a->present = true;
	}
	for (guint i = 0; i < l->apps->len; i++) {
		struct ib_appx *a = l->apps->pdata[i];
		if (a->present && !read_manifest(l, a, err))
			return false;
	}
	return true;
}

static int by_full_name(gconstpointer a, gconstpointer b)
{
	return ib_name_compare((*(struct ib_appx *const *)a)->full_name, (*(struct ib_appx *const *)b)->full_name);
}

bool ib_store_apps(struct ib_store *s, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) apps = g_ptr_array_new_with_free_func(appx_free);
	g_autoptr(GHashTable) by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct listing l = { .s = s, .apps = apps, .by_name = by_name };

	if (!list_provisioned(&l, err) || !list_registered(&l, err) || !list_folders(&l, err))
		return ib_while(err, "listing the apps of the image");
	g_ptr_array_sort(apps, by_full_name);
	*ret = g_steal_pointer(&apps);
	return true;
}

/* ---- choosing what goes ---- */

static bool is_named(const struct ib_appx *a, const char *name)
{
	return ib_name_equal(a->name, name) || ib_name_equal(a->family, name) || ib_name_equal(a->full_name, name);
}

static bool needs(const struct ib_appx *a, const char *family)
{
	for (char **n = a->needs; n && *n; n++)
		if (ib_name_equal(*n, family))
			return true;
	return false;
}

/* An app that stays and needs a family; NULL: nobody does. */
static const struct ib_appx *needed_by(const GPtrArray *apps, const GHashTable *go, const char *family)
{
	for (guint i = 0; i < apps->len; i++) {
		struct ib_appx *a = apps->pdata[i];
		if (!g_hash_table_contains((GHashTable *)go, a) && needs(a, family))
			return a;
	}
	return NULL;
}

/* Apps of Windows itself: their folder is a component's. */
static bool refuse_system_app(struct ib_store *s, const char *name, struct ib_error **err)
{
	struct ib_node *dir = ib_image_find(s->image, SYSTEM_APPS);

	for (struct ib_node *n = dir ? ib_node_first(dir) : NULL; n; n = ib_node_next(n)) {
		const char *folder = ib_node_name(n), *cut = strrchr(folder, '_');
		g_autofree char *stem = cut ? g_strndup(folder, (gsize)(cut - folder)) : g_strdup(folder);
		if (!ib_name_equal(stem, name) && !ib_name_equal(folder, name))
			continue;
		ib_throw(err, IB_ERR_INPUT, "'%s' is an app of Windows itself ('" SYSTEM_APPS "\\%s'), not a provisioned one", name,
			 folder);
		return ib_hint(err, "it is part of a component, which cumulative updates service; taking it out breaks them");
	}
	return true;
}

static bool throw_unknown(struct ib_store *s, const GPtrArray *apps, const char *name, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	if (!refuse_system_app(s, name, err))
		return false;
	for (guint i = 0; i < apps->len; i++)
		g_ptr_array_add(names, ((struct ib_appx *)apps->pdata[i])->name);
	g_ptr_array_add(names, NULL);
	const char *near = ib_nearest(name, (const char *const *)names->pdata);
	ib_throw(err, IB_ERR_INPUT, "the image has no provisioned app '%s'", name);
	return near ? ib_hint(err, "did you mean '%s'?", near) :
	       ib_hint(err, "imgbuild inspect IMAGE:INDEX lists its apps");
}

/* Frameworks that the leaving ones needed go with them, unless others need them too. */
static void add_frameworks(const GPtrArray *apps, GHashTable *go, GPtrArray *lines)
{
	bool more = true;

	while (more) {
		more = false;
		for (guint i = 0; i < apps->len; i++) {
			struct ib_appx *f = apps->pdata[i];
			bool wanted = false;
			if (!f->framework || g_hash_table_contains(go, f))
				continue;
			for (guint k = 0; k < apps->len; k++)
				wanted = wanted || (g_hash_table_contains(go, apps->pdata[k]) && needs(apps->pdata[k], f->family));
			if (!wanted || needed_by(apps, go, f->family))
				continue;
			g_hash_table_add(go, f);
			more = true;
		}
	}
	for (guint i = 0; i < apps->len; i++) {
		struct ib_appx *f = apps->pdata[i];
		const struct ib_appx *who = f->framework && !g_hash_table_contains(go, f) ? needed_by(apps, go, f->family) : NULL;
		for (guint k = 0; who && k < apps->len; k++) {
			if (!g_hash_table_contains(go, apps->pdata[k]) || !needs(apps->pdata[k], f->family))
				continue;
			g_ptr_array_add(lines, g_strdup_printf("kept framework %s: %s needs it", f->full_name, who->full_name));
			break;
		}
	}
}

/* A bundle, its program and its resource packages are one app: whichever of them is named in full, all go. */
static bool is_part_of_named(const GPtrArray *apps, const struct ib_appx *a, const char *name)
{
	for (guint i = 0; i < apps->len; i++) {
		const struct ib_appx *named = apps->pdata[i];
		if (is_named(named, name) && !named->framework && ib_name_equal(named->family, a->family))
			return true;
	}
	return is_named(a, name);
}

static bool choose(struct ib_store *s, const GPtrArray *apps, const char *name, GHashTable *go, struct ib_error **err)
{
	for (guint i = 0; i < apps->len; i++) {
		struct ib_appx *a = apps->pdata[i];
		if (!is_part_of_named(apps, a, name))
			continue;
		if (a->lie) {
			ib_throw(err, IB_ERR_INPUT, "'%s' is not removed: %s", a->full_name, a->lie);
			return ib_hint(err, "an app that is not what its name says is looked at by a person first");
		}
		g_hash_table_add(go, a);
	}
	if (g_hash_table_size(go) == 0)
		return throw_unknown(s, apps, name, err);
	for (guint i = 0; i < apps->len; i++) {
		const struct ib_appx *f = apps->pdata[i];
		const struct ib_appx *who = g_hash_table_contains(go, f) && f->framework ? needed_by(apps, go, f->family) : NULL;
		if (who)
			return ib_throw(err, IB_ERR_INPUT, "the framework '%s' is not removed: '%s' needs it", f->full_name,
					who->full_name);
	}
	return true;
}

/* ---- removing ---- */

static bool remove_from_list(struct ib_store *s, GHashTable *names, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_xml doc = NULL;
	bool changed = false;

	if (!read_list(s, &doc, err) || !doc)
		return *err == NULL;
	struct ib_xml_node *list = ib_xml_find(ib_xml_root(doc), "Provisioned"), *next;
	for (struct ib_xml_node *n = ib_xml_first(list, "Package"); n; n = next) {
		g_autofree char *folded = ib_name_fold(ib_xml_attr(n, "FullName") ? ib_xml_attr(n, "FullName") : "");
		next = ib_xml_next(n, "Package");
		if (!folded || !g_hash_table_contains(names, folded))
			continue;
		ib_xml_remove(n);
		changed = true;
	}
	if (!changed)
		return true;
	g_autoptr(GBytes) bytes = ib_xml_write(doc, IB_XML_DECLARATION);
	return ib_wim_add_bytes(s->wim, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), hash, err) &&
	       ib_image_set_content(s->image, ib_image_find(s->image, APPX_LIST), hash, s->time, err);
}

/* Registration goes; Deprovisioned keeps a feature update from bringing the app back. */
static bool remove_keys(struct ib_store *s, const struct ib_appx *a, struct ib_error **err)
{
	g_autofree char *mark = g_strconcat(APPX_KEY "\\Deprovisioned\\", a->family, NULL);
	struct ib_hive *software;
	struct ib_key *key;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(stores); i++) {
		g_autofree char *path = g_strdup_printf(APPX_KEY "\\%s\\%s", stores[i], a->full_name);
		key = ib_key_find(ib_hive_root(software), path);
		if (key && !ib_key_remove(software, key, err))
			return false;
	}
	return a->framework || ib_key_make(software, ib_hive_root(software), mark, &key, err);
}

static bool remove_files(struct ib_store *s, const struct ib_appx *a, struct ib_error **err)
{
	static const char *const beside[] = { ".xml", ".rslc" };
	g_autofree char *folder = g_strconcat(APPX_FOLDER "\\", a->full_name, NULL);
	bool removed;

	for (size_t i = 0; i < G_N_ELEMENTS(beside); i++) {
		g_autofree char *path = g_strdup_printf(APPX_REPOSITORY "\\%s%s", a->full_name, beside[i]);
		if (!ib_svc_remove_path(s, path, &removed, err))
			return false;
	}
	return ib_svc_remove_path(s, folder, &removed, err);
}

/* No hive and no name may speak of it any more. */
static bool check_gone(struct ib_store *s, const GPtrArray *names, struct ib_error **err)
{
	g_autoptr(GPtrArray) left = NULL;

	if (!ib_store_residue(s, (char *const *)names->pdata, IB_REMOVE_UNINSTALL, &left, err))
		return false;
	return left->len == 0 ? true : ib_throw(err, IB_ERR_INPUT, "%u traces of the app stay, the first: %s", left->len,
						(const char *)left->pdata[0]);
}

static bool remove_apps(struct ib_store *s, const GPtrArray *apps, GHashTable *go, GPtrArray *lines, struct ib_error **err)
{
	g_autoptr(GHashTable) folded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (guint i = 0; i < apps->len; i++) {
		struct ib_appx *a = apps->pdata[i];
		if (!g_hash_table_contains(go, a))
			continue;
		g_hash_table_add(folded, ib_name_fold(a->full_name));
		g_ptr_array_add(names, a->full_name);
		g_ptr_array_add(lines, g_strdup_printf("removed %s %s", a->framework ? "framework" : "app", a->full_name));
		if (!remove_keys(s, a, err) || !remove_files(s, a, err))
			return false;
	}
	g_ptr_array_add(names, NULL);
	if (ib_image_find(s->image, APPX_REPOSITORY "\\StateRepository-Machine.srd"))
		ib_svc_note(s, "appx-state", names->pdata[0], "the image was started once: its state repository still knows the app");
	return remove_from_list(s, folded, err) && check_gone(s, names, err);
}

bool ib_store_remove_app(struct ib_store *s, const char *name, GPtrArray **ret_lines, struct ib_error **err)
{
	g_autoptr(GPtrArray) apps = NULL, lines = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) go = g_hash_table_new(NULL, NULL);

	if (!ib_store_apps(s, &apps, err) || !choose(s, apps, name, go, err))
		return ib_while(err, "removing the app '%s'", name);
	add_frameworks(apps, go, lines);
	for (guint i = 0; i < apps->len; i++) {
		struct ib_appx *a = apps->pdata[i];
		if (g_hash_table_contains(go, a) && a->lie)
			return ib_throw(err, IB_ERR_INPUT, "'%s' is not removed: %s", a->full_name, a->lie);
	}
	if (!remove_apps(s, apps, go, lines, err))
		return ib_while(err, "removing the app '%s'", name);
	*ret_lines = g_steal_pointer(&lines);
	return true;
}
