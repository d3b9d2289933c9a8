#include "build/internal.h"

/* Stage apps: provisioned apps of [remove] appx. */

void app_item_free(void *p)
{
	struct app_item *i = p;

	if (i->lines)
		g_ptr_array_unref(i->lines);
	g_free(i);
}

bool apps_plan(struct build *b, struct ib_error **err)
{
	for (char *const *name = ib_ini_list(b->p, "remove", "appx"); *name; name++) {
		g_autofree char *reason_key = g_strconcat("reason.", *name, NULL);
		const char *reason = ib_ini_text(b->p, "remove", reason_key);
		struct app_item *item = g_new0(struct app_item, 1);
		g_autoptr(GPtrArray) lines = NULL;
		struct ib_store *scratch;
		item->name = *name;
		g_ptr_array_add(b->apps, item);
		if (!base_scratch(b, &scratch, err) || !ib_store_remove_app(scratch, *name, &lines, err)) {
			g_autofree char *place = ib_ini_place(b->p, "remove", "appx");
			return ib_while(err, "reading [remove] appx, %s", place);
		}
		plan_add(b, "apps", 0, "remove app %s: %s", *name, reason ? reason : "no reason given");
		for (guint i = 0; i < lines->len; i++)
			plan_add(b, "apps", 0, "app %s: %s", *name, (char *)g_ptr_array_index(lines, i));
		if (!reason)
			plan_warn(b, "[remove] reason.%s is missing; the papers will say so", *name);
	}
	return true;
}

bool apps_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	for (guint i = 0; i < b->apps->len; i++) {
		struct app_item *item = g_ptr_array_index(b->apps, i);
		if (!ib_store_remove_app(install_target(b)->store, item->name, &item->lines, err))
			return false;
	}
	return ib_progress_add(progress, 0, err);
}

JsonArray *apps_json(const struct build *b)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < b->apps->len; i++) {
		const struct app_item *item = g_ptr_array_index(b->apps, i);
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "app", item->name);
		if (item->lines)
			json_set_strings(o, "done", item->lines);
		json_array_add_object_element(array, o);
	}
	return array;
}
