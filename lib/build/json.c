#include "build/internal.h"

/* The documents of a run. Their members are described in docs/json.md. */

char *json_text(JsonObject *object)
{
	JsonNode *node = json_node_new(JSON_NODE_OBJECT);
	JsonGenerator *generator = json_generator_new();

	json_node_set_object(node, object);
	json_generator_set_pretty(generator, TRUE);
	json_generator_set_root(generator, node);
	g_autofree char *text = json_generator_to_data(generator, NULL);
	g_object_unref(generator);
	json_node_free(node);
	return g_strconcat(text, "\n", NULL);
}

bool json_write(const struct build *b, const char *name, JsonObject *object, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(b->work_dir, name, NULL);
	g_autofree char *text = json_text(object);

	return ib_file_write(path, text, strlen(text), err);
}

void json_set_strings(JsonObject *object, const char *name, const GPtrArray *strings)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < strings->len; i++)
		json_array_add_string_element(array, g_ptr_array_index(strings, i));
	json_object_set_array_member(object, name, array);
}

static void set_profile(const struct build *b, JsonObject *o)
{
	static const char *const keys[] = { "name", "customer", "release", "product", "version", "date", "update-type" };

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const char *value = ib_ini_text(b->p, "profile", keys[i]);
		if (value)
			json_object_set_string_member(o, keys[i], value);
	}
}

static JsonArray *plan_items(const struct build *b)
{
	JsonArray *items = json_array_new();

	for (guint i = 0; i < b->plan->items->len; i++) {
		const struct ib_plan_item *item = g_ptr_array_index(b->plan->items, i);
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "stage", item->stage);
		json_object_set_string_member(o, "text", item->text);
		json_object_set_int_member(o, "bytes", (gint64)item->weight_bytes);
		json_array_add_object_element(items, o);
	}
	return items;
}

char *plan_json(const struct build *b)
{
	g_autoptr(JsonObject) o = json_object_new();

	set_profile(b, o);
	json_object_set_int_member(o, "need_bytes", (gint64)b->plan->need_bytes);
	json_object_set_array_member(o, "items", plan_items(b));
	json_set_strings(o, "warnings", b->plan->warnings);
	json_set_strings(o, "approvals_missing", b->plan->missing);
	return json_text(o);
}

static JsonArray *updates_json(const struct build *b)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < b->updates->len; i++) {
		const struct update *u = g_ptr_array_index(b->updates, i);
		JsonObject *o = json_object_new();
		g_autofree char *file = g_path_get_basename(ib_package_path(u->package));
		json_object_set_string_member(o, "name", u->kb);
		json_object_set_string_member(o, "package", ib_package_root(u->package)->package_id);
		json_object_set_string_member(o, "file", file);
		json_object_set_string_member(o, "signer", u->trust.signer);
		json_object_set_string_member(o, "signed", u->trust.time);
		JsonArray *images = json_array_new();
		for (guint t = 0; t < b->targets->len; t++) {
			const struct target *target = g_ptr_array_index(b->targets, t);
			if (g_ptr_array_find(target->updates, u, NULL))
				json_array_add_string_element(images, target->name);
		}
		json_object_set_array_member(o, "installed_into", images);
		if (u->skipped)
			json_object_set_string_member(o, "not_installed", u->skipped);
		json_array_add_object_element(array, o);
	}
	return array;
}

static JsonArray *removals_json(const struct build *b)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < b->removals->len; i++) {
		const struct removal *r = g_ptr_array_index(b->removals, i);
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "component", r->removal.name);
		json_object_set_string_member(o, "technique", removal_technique_word(r->removal.technique));
		json_object_set_int_member(o, "traces_searched", r->traces ? g_strv_length(r->traces) : 0);
		if (r->summary.lines)
			json_set_strings(o, "removed", r->summary.lines);
		json_array_add_object_element(array, o);
	}
	return array;
}

static JsonArray *uninstalls_json(const struct build *b)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < b->uninstalls->len; i++) {
		const struct uninstalled *u = g_ptr_array_index(b->uninstalls, i);
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, u->capability ? "capability" : "package", u->name);
		json_set_strings(o, "removed", u->summary.lines);
		json_array_add_object_element(array, o);
	}
	return array;
}

static bool is_serviceable(const struct build *b)
{
	for (guint i = 0; i < b->removals->len; i++)
		if (((const struct removal *)g_ptr_array_index(b->removals, i))->summary.unserviceable)
			return false;
	return true;
}

static JsonObject *cleanup_json(const struct ib_cleanup_summary *s)
{
	JsonObject *o = json_object_new();

	json_object_set_int_member(o, "packages", s->packages);
	json_object_set_int_member(o, "components", s->components);
	json_object_set_int_member(o, "bytes", (gint64)s->bytes);
	json_object_set_int_member(o, "kept_as_bases", s->kept);
	json_object_set_int_member(o, "kept_bytes", (gint64)s->kept_bytes);
	json_set_strings(o, "removed", s->lines);
	return o;
}

static JsonArray *notes_json(const struct build *b)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < b->notes->len; i++) {
		const struct ib_report_item *n = g_ptr_array_index(b->notes, i);
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "id", n->reason);
		json_object_set_string_member(o, "subject", n->name);
		json_object_set_string_member(o, "text", n->detail);
		json_array_add_object_element(array, o);
	}
	return array;
}

static JsonObject *metadata_json(const struct build *b)
{
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "parent", b->metadata.parent_id);
	json_object_set_string_member(o, "child", b->metadata.child_id);
	json_object_set_int_member(o, "revision", b->metadata.revision);
	json_set_strings(o, "supersedes", b->metadata.superseded);
	json_object_set_int_member(o, "clients", b->metadata.clients);
	json_object_set_int_member(o, "scans", b->metadata.scans);
	return o;
}

static JsonObject *file_json(const char *path, uint64_t bytes, const char *sha256)
{
	JsonObject *o = json_object_new();
	g_autofree char *name = g_path_get_basename(path);

	json_object_set_string_member(o, "file", name);
	json_object_set_int_member(o, "bytes", (gint64)bytes);
	json_object_set_string_member(o, "sha256", sha256);
	return o;
}

JsonObject *times_json(const struct build *b)
{
	JsonObject *times = json_object_new();

	for (guint i = 0; i < b->times->len; i++) {
		const struct stage_time *t = &g_array_index(b->times, struct stage_time, i);
		json_object_set_double_member(times, t->stage, t->seconds);
	}
	return times;
}

char *build_json(const struct build *b, bool with_times)
{
	g_autoptr(JsonObject) o = json_object_new();
	g_autofree char *sha256 = ib_hex(b->digests.sha256, 32);
	g_autofree char *windows = ib_version_text(&b->windows);

	json_object_set_string_member(o, "imgbuild", IB_VERSION);
	set_profile(b, o);
	json_object_set_object_member(o, "base", file_json(ib_input_name(b->base), ib_input_size(b->base),
							   ib_ini_text(b->p, "base", "sha256")));
	json_object_set_object_member(o, "iso", file_json(b->iso_path, b->iso_bytes, sha256));
	json_object_set_string_member(o, "edition", b->edition);
	json_object_set_string_member(o, "windows", windows);
	json_object_set_array_member(o, "updates", updates_json(b));
	json_object_set_array_member(o, "removals", removals_json(b));
	json_object_set_array_member(o, "packages_removed", uninstalls_json(b));
	if (b->cleaned.lines)
		json_object_set_object_member(o, "cleanup", cleanup_json(&b->cleaned));
	json_set_strings(o, "after_upgrade", b->step);
	json_object_set_boolean_member(o, "serviceable", is_serviceable(b));
	json_object_set_array_member(o, "apps_removed", apps_json(b));
	json_object_set_array_member(o, "drivers", drivers_json(b));
	json_object_set_array_member(o, "added", added_json(b));
	json_object_set_array_member(o, "not_done_offline", notes_json(b));
	if (b->has_metadata)
		json_object_set_object_member(o, "metadata", metadata_json(b));
	json_set_strings(o, "warnings", b->plan->warnings);
	if (with_times)
		json_object_set_object_member(o, "seconds", times_json(b));
	return json_text(o);
}
