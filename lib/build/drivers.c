#include "build/internal.h"

/* Stage drivers: packages of [drivers], into the chosen image and, when asked, those of boot.wim and winre.wim. */

void driver_item_free(void *p)
{
	struct driver_item *i = p;

	ib_driver_summary_clear(&i->summary);
	ib_driver_free(i->driver);
	g_free(i);
}

char *driver_version(const struct ib_driver *d)
{
	return g_strdup_printf("%u.%u.%u.%u", d->version[0], d->version[1], d->version[2], d->version[3]);
}

bool driver_open(struct ib_store *store, const char *path, const struct ib_anchors *anchors, struct ib_driver **ret,
		 struct ib_error **err)
{
	struct ib_driver_target target;
	struct ib_driver *d = NULL;

	if (!ib_store_driver_target(store, &target, err) || !ib_driver_open(path, &target, &d, err))
		return false;
	if (!ib_driver_verify(d, anchors, err)) {
		ib_driver_free(d);
		return ib_while(err, "adding the driver package '%s'", path);
	}
	*ret = d;
	return true;
}

char *driver_first_boot(const struct ib_driver *d)
{
	/* Names in driver packages are checked: no quotes, no '%' that a shell would take. */
	g_autoptr(GString) name = g_string_new(d->inf_name);

	g_string_replace(name, "%", "%%", 0);
	return g_strdup_printf("pnputil /add-driver \"%%SystemRoot%%\\System32\\DriverStore\\FileRepository\\%s\\%s\" /install\r\n",
			       d->store_name, name->str);
}

/* ---- plan ---- */

static const struct {
	const char *word;
	enum target_role role;
} roles[] = { { "install", TARGET_INSTALL }, { "winre", TARGET_WINRE }, { "boot", TARGET_BOOT } };

static bool wanted(const struct build *b, const struct target *t)
{
	for (size_t i = 0; i < G_N_ELEMENTS(roles); i++)
		if (roles[i].role == t->role)
			return ib_ini_has(b->p, "drivers", "targets", roles[i].word);
	return false;
}

static void warn_targets(struct build *b)
{
	for (size_t i = 0; i < G_N_ELEMENTS(roles); i++) {
		bool there = false;
		for (guint k = 0; k < b->targets->len; k++)
			there = there || ((const struct target *)g_ptr_array_index(b->targets, k))->role == roles[i].role;
		if (ib_ini_has(b->p, "drivers", "targets", roles[i].word) && !there)
			plan_warn(b, "[drivers] targets: no image of '%s' is serviced, so no driver goes there", roles[i].word);
	}
}

static char *boot_services(const struct ib_driver_summary *s)
{
	if (!s->boot_services->len)
		return g_strdup("staged for Plug and Play");
	g_autoptr(GString) names = g_string_new("starts at boot:");
	for (guint i = 0; i < s->boot_services->len; i++)
		g_string_append_printf(names, " %s", (char *)g_ptr_array_index(s->boot_services, i));
	return g_strdup(names->str);
}

static bool plan_one(struct build *b, const char *path, const struct ib_anchors *anchors, struct ib_error **err)
{
	struct ib_driver_summary sum = { 0 };
	struct ib_store *scratch;
	struct driver_item *item;

	if (!base_scratch(b, &scratch, err))
		return false;
	item = g_new0(struct driver_item, 1);
	g_ptr_array_add(b->drivers, item);
	if (!driver_open(scratch, path, anchors, &item->driver, err) ||
	    !ib_store_add_driver(scratch, item->driver, &sum, err))
		return false;
	g_autofree char *version = driver_version(item->driver), *how = boot_services(&sum);
	plan_add(b, "drivers", sum.bytes, "add driver %s %s of %s, %u devices, %s%s", item->driver->inf_name, version,
		 item->driver->provider ? item->driver->provider : "nobody", sum.devices,
		 sum.known ? "which the base has already" : how, sum.left ? "; part of it is left to first boot" : "");
	ib_driver_summary_clear(&sum);
	return true;
}

bool drivers_plan(struct build *b, struct ib_error **err)
{
	char *const *packages = ib_ini_list(b->p, "drivers", "packages");
	char *const *trust = ib_ini_list(b->p, "drivers", "trust");
	struct ib_anchors *anchors = NULL;

	if (!*packages)
		return true;
	if (!*trust)
		trust = ib_ini_list(b->p, "updates", "trust");
	g_autofree char *place = ib_ini_place(b->p, "drivers", "packages");
	if (!*trust) {
		ib_throw(err, IB_ERR_INPUT, "%s: driver packages are only added up to a trusted root, and none is given", place);
		return ib_hint(err, "name the roots of their catalogs in [drivers] trust");
	}
	bool ok = check_anchors(trust, b->o->now, &anchors, err);
	for (; ok && *packages; packages++)
		ok = plan_one(b, *packages, anchors, err);
	ib_anchors_free(anchors);
	if (ok)
		warn_targets(b);
	return ok ? true : ib_while(err, "reading [drivers], %s", place);
}

/* ---- apply ---- */

bool drivers_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	for (guint i = 0; i < b->drivers->len; i++) {
		struct driver_item *item = g_ptr_array_index(b->drivers, i);
		for (guint k = 0; k < b->targets->len; k++) {
			struct target *t = g_ptr_array_index(b->targets, k);
			struct ib_driver_summary sum = { 0 };
			if (!wanted(b, t))
				continue;
			if (!ib_store_add_driver(t->store, item->driver, &sum, err))
				return ib_while(err, "adding drivers to '%s'", t->name);
			if (t->role == TARGET_INSTALL)
				item->summary = sum;
			else
				ib_driver_summary_clear(&sum);
			item->images++;
		}
		if (!ib_progress_add(progress, item->summary.bytes, err))
			return false;
	}
	return true;
}

void drivers_script(const struct build *b, GString *commands)
{
	for (guint i = 0; i < b->drivers->len; i++) {
		const struct driver_item *item = g_ptr_array_index(b->drivers, i);
		if (!item->summary.published || item->summary.known)
			continue;
		g_autofree char *line = driver_first_boot(item->driver);
		g_string_append(commands, line);
	}
}

JsonArray *drivers_json(const struct build *b)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < b->drivers->len; i++) {
		const struct driver_item *item = g_ptr_array_index(b->drivers, i);
		JsonObject *o = json_object_new();
		g_autofree char *version = driver_version(item->driver);
		json_object_set_string_member(o, "inf", item->driver->inf_name);
		json_object_set_string_member(o, "provider", item->driver->provider ? item->driver->provider : "");
		json_object_set_string_member(o, "version", version);
		json_object_set_string_member(o, "signer", item->driver->signer);
		json_object_set_string_member(o, "store", item->driver->store_name);
		json_object_set_int_member(o, "images", item->images);
		if (item->summary.published) {
			json_object_set_string_member(o, "published", item->summary.published);
			json_object_set_boolean_member(o, "was_there", item->summary.known);
			json_object_set_int_member(o, "devices", item->summary.devices);
			json_object_set_int_member(o, "left_to_first_boot", item->summary.left);
			json_set_strings(o, "boot_services", item->summary.boot_services);
		}
		json_array_add_object_element(array, o);
	}
	return array;
}
