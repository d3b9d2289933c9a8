#include "build/internal.h"

#include "build/inspect_internal.h"

/* An INF and its package, in the words of the driver documentation. */

/* Lists longer than this are cut; the count before them is complete. */
#define LIST_MAX 2000u

/* No image is at hand: the newest client of the first architecture that the INF has something for. */
static bool open_for_any(const char *path, struct ib_driver_target *t, struct ib_driver **ret, struct ib_error **err)
{
	static const char *const archs[] = { "amd64", "arm64", "x86" };

	*t = (struct ib_driver_target){ .major = 10, .build = 99999 };
	for (size_t i = 0; i < G_N_ELEMENTS(archs); i++) {
		t->arch = archs[i];
		if (ib_driver_open(path, t, ret, err))
			return true;
		if (ib_error_code(*err) != IB_ERR_NOT_APPLICABLE || i + 1 == G_N_ELEMENTS(archs))
			return false;
		ib_error_clear(err);
	}
	return false;
}

static JsonArray *devices_json(const struct ib_driver *d)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < d->models->len && i < LIST_MAX; i++) {
		const struct ib_driver_model *m = g_ptr_array_index(d->models, i);
		JsonObject *o = json_object_new();
		JsonArray *ids = json_array_new();
		json_object_set_string_member(o, "description", m->description);
		json_object_set_string_member(o, "manufacturer", m->manufacturer);
		json_object_set_string_member(o, "section", m->install->name);
		for (char *const *id = m->ids; *id; id++)
			json_array_add_string_element(ids, *id);
		json_object_set_array_member(o, "ids", ids);
		json_array_add_object_element(array, o);
	}
	return array;
}

/* ---- sections ---- */

static JsonArray *copies_json(const struct ib_driver_actions *a)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < a->copies->len && i < LIST_MAX; i++) {
		const struct ib_driver_copy *c = g_ptr_array_index(a->copies, i);
		g_autofree char *text = g_strdup_printf("%s%s", c->store ? "(driver store)\\" : "", c->path);
		json_array_add_string_element(array, text);
	}
	return array;
}

static JsonArray *services_json(const struct ib_driver_actions *a)
{
	static const char *const starts[] = { "boot", "system", "auto", "demand", "disabled" };
	JsonArray *array = json_array_new();

	for (guint i = 0; i < a->services->len; i++) {
		const struct ib_driver_service *s = g_ptr_array_index(a->services, i);
		g_autofree char *binary = ib_inf_expand(s->binary, IB_INF_IMAGE, "(driver store)");
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "name", s->name);
		json_object_set_string_member(o, "start", starts[s->start]);
		json_object_set_int_member(o, "type", s->type);
		json_object_set_string_member(o, "binary", binary ? binary : s->binary);
		json_array_add_object_element(array, o);
	}
	return array;
}

static bool add_section(const struct ib_driver *d, const struct ib_driver_target *t, const struct ib_inf_section *s,
			JsonArray *sections, GHashTable *seen, struct ib_error **err)
{
	const struct ib_driver_request q = { .target = t };
	struct ib_driver_actions a = { 0 };

	if (!g_hash_table_add(seen, (void *)s) || json_array_get_length(sections) >= LIST_MAX)
		return true;
	bool ok = ib_driver_read_install(d->inf, s, &q, &a, err);
	if (ok) {
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "name", s->name);
		json_object_set_array_member(o, "copies", copies_json(&a));
		json_object_set_array_member(o, "services", services_json(&a));
		json_object_set_int_member(o, "registry_values", a.values->len + a.device_values->len);
		json_set_strings(o, "left_to_windows", a.left);
		json_array_add_object_element(sections, o);
	}
	ib_driver_actions_clear(&a);
	return ok;
}

static bool set_sections(const struct ib_driver *d, const struct ib_driver_target *t, JsonObject *o, struct ib_error **err)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	JsonArray *sections = json_array_new();

	json_object_set_array_member(o, "sections", sections);
	for (guint i = 0; i < d->models->len; i++) {
		const struct ib_driver_model *m = g_ptr_array_index(d->models, i);
		if (!add_section(d, t, m->install, sections, seen, err))
			return false;
	}
	return !d->standalone || add_section(d, t, d->standalone, sections, seen, err);
}

/* ---- the whole ---- */

static void set_package(JsonObject *o, const struct ib_driver *d, const struct ib_driver_target *t)
{
	JsonArray *files = json_array_new();
	g_autofree char *version = driver_version(d);
	const struct {
		const char *name, *text;
	} texts[] = { { "provider", d->provider }, { "class", d->class_name }, { "class_guid", d->class_guid },
		      { "version", version },      { "catalog", d->catalog_name }, { "store_folder", d->store_name },
		      { "read_for", t->arch } };

	json_object_set_string_member(o, "kind", "driver package");
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (texts[i].text)
			json_object_set_string_member(o, texts[i].name, texts[i].text);
	if (d->date) {
		g_autofree char *date = ib_time_text((int64_t)(d->date / 10000000u) - 11644473600ll);
		json_object_set_string_member(o, "date", date);
	}
	for (guint i = 0; i < d->files->len && i < LIST_MAX; i++)
		json_array_add_string_element(files, ((const struct ib_driver_file *)g_ptr_array_index(d->files, i))->name);
	json_object_set_array_member(o, "files", files);
	json_set_strings(o, "files_not_delivered", d->missing);
	json_object_set_int_member(o, "device_count", d->models->len);
	json_object_set_array_member(o, "devices", devices_json(d));
}

bool inspect_driver(const char *path, const struct ib_anchors *anchors, JsonObject *o, struct ib_error **err)
{
	struct ib_driver_target target;
	struct ib_driver *d = NULL;

	if (!open_for_any(path, &target, &d, err))
		return false;
	set_package(o, d, &target);
	bool ok = set_sections(d, &target, o, err) && (!anchors || ib_driver_verify(d, anchors, err));
	if (ok) {
		json_object_set_string_member(o, "verdict", anchors ? "good" : "not judged: no --trust was given");
		if (anchors)
			json_object_set_string_member(o, "signer", d->signer);
	}
	ib_driver_free(d);
	return ok;
}

bool inspect_set_drivers(struct ib_store *store, JsonObject *o, struct ib_error **err)
{
	g_autoptr(GPtrArray) list = NULL;
	JsonArray *array = json_array_new();

	json_object_set_array_member(o, "drivers", array);
	if (!ib_store_drivers(store, &list, err))
		return false;
	for (guint i = 0; i < list->len && i < LIST_MAX; i++) {
		const struct ib_installed_driver *d = g_ptr_array_index(list, i);
		const struct {
			const char *name, *text;
		} texts[] = { { "published", d->published }, { "inf", d->inf_name }, { "provider", d->provider },
			      { "version", d->version }, { "store", d->store_name } };
		JsonObject *item = json_object_new();
		for (size_t k = 0; k < G_N_ELEMENTS(texts); k++)
			if (texts[k].text)
				json_object_set_string_member(item, texts[k].name, texts[k].text);
		json_array_add_object_element(array, item);
	}
	return true;
}

bool inspect_set_apps(struct ib_store *store, JsonObject *o, struct ib_error **err)
{
	g_autoptr(GPtrArray) list = NULL;
	JsonArray *array = json_array_new();

	json_object_set_array_member(o, "apps", array);
	if (!ib_store_apps(store, &list, err))
		return false;
	for (guint i = 0; i < list->len && i < LIST_MAX; i++) {
		const struct ib_appx *a = g_ptr_array_index(list, i);
		JsonObject *item = json_object_new();
		json_object_set_string_member(item, "package", a->full_name);
		json_object_set_string_member(item, "family", a->family);
		json_object_set_boolean_member(item, "provisioned", a->provisioned);
		json_object_set_boolean_member(item, "framework", a->framework);
		if (a->lie)
			json_object_set_string_member(item, "doubt", a->lie);
		json_array_add_object_element(array, item);
	}
	return true;
}
