#include "build/service_internal.h"

/*
 * What ad-hoc servicing does in the component store: packages, what is taken out, features, drivers; verified at the end
 * and committed into the image.
 */

static bool need_store(struct service *s, struct ib_error **err)
{
	return s->store || ib_store_open(s->wim, s->index, s->time, &s->store, err);
}

static bool install_all(struct service *s, GPtrArray *updates, struct ib_error **err)
{
	for (guint i = 0; i < updates->len; i++) {
		struct update *u = g_ptr_array_index(updates, i);
		struct ib_install_summary sum;
		if (!ib_store_install(s->store, u->package, &sum, s->o->progress, err))
			return package_refused(err) || ib_while(err, "installing '%s'", ib_package_path(u->package));
		g_autofree char *payload = payload_words(&sum);
		service_say(s, "installed %s: %u components, %u files new, %u changed, %u removed%s",
			    ib_package_root(u->package)->package_id, sum.components, sum.files_new, sum.files_changed,
			    sum.files_removed, payload);
	}
	return true;
}

/* Anchors for packages: none is taken without. */
static bool need_anchors(struct service *s, struct ib_error **err)
{
	if (s->anchors)
		return true;
	if (s->o->trust && *s->o->trust)
		return check_anchors(s->o->trust, s->o->now, &s->anchors, err);
	ib_throw(err, IB_ERR_USAGE, "a package is only installed up to a trusted root, and none is given");
	return ib_hint(err, "--trust FILE names the root that signed the package's catalog");
}

/* Payload of features that the store lacks. */
static bool add_sources(struct service *s, struct ib_error **err)
{
	char *const *files = s->o->sources;
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);
	struct update_options o = { .threads = s->o->threads, .payload = true,
				    .progress = ib_progress_step(s->o->progress, "opening packages", 0) };

	if (!files || !*files)
		return true;
	if (!need_store(s, err) || !need_anchors(s, err) || !ib_store_dictionary(s->store, &o.dictionary, err))
		return false;
	o.anchors = s->anchors;
	for (; *files; files++)
		if (!updates_open(all, *files, &o, err))
			return false;
	for (guint i = 0; i < all->len; i++) {
		struct update *u = g_ptr_array_index(all, i);
		unsigned n;
		if (!ib_store_add_payload(s->store, u->package, &n, s->o->progress, err))
			return false;
		service_say(s, "took %u missing files from %s", n, ib_package_root(u->package)->package_id);
	}
	return true;
}

static bool is_given(char *const *list)
{
	return list && *list;
}

/* Features on demand by name, out of the sources. */
static bool add_capabilities(struct service *s, GPtrArray *updates, const struct update_options *o, struct ib_error **err)
{
	struct capability_request r = { .names = s->o->added, .sources = s->o->capability_sources, .store = s->store,
					.options = o };
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

	if (!is_given(r.names))
		return true;
	if (!capabilities_open(updates, &r, lines, err))
		return false;
	if (!updates->len)
		return ib_throw(err, IB_ERR_UP_TO_DATE, "the image has the capability '%s' already", *r.names);
	for (guint i = 0; i < lines->len; i++)
		service_say(s, "%s", (char *)g_ptr_array_index(lines, i));
	return true;
}

static bool check_sources(const struct service *s, struct ib_error **err)
{
	bool names = is_given(s->o->added), sources = is_given(s->o->capability_sources);

	if (names == sources)
		return true;
	ib_throw(err, IB_ERR_USAGE, names ? "a capability is asked for by name, but no place is named where its packages are"
					  : "a source of capabilities is named, but no capability");
	return ib_hint(err, "--add-capability and --capability-source go together");
}

static bool add_packages(struct service *s, struct ib_error **err)
{
	static char *const none[] = { NULL };
	char *const *files = s->o->packages ? s->o->packages : none;
	bool on_demand = is_given(s->o->enable) && is_given(s->o->sources);

	if (!check_sources(s, err))
		return false;
	if (!*files && !is_given(s->o->added) && !on_demand)
		return true;
	if (!need_anchors(s, err))
		return false;
	g_autoptr(GPtrArray) updates = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);
	struct update_options o = { .threads = s->o->threads, .payload = true,
				    .progress = ib_progress_step(s->o->progress, "opening packages", 0) };
	struct ib_package_opening *opening = *files && !s->store ? updates_begin(*files, &o) : NULL;
	bool ok = need_store(s, err) && ib_store_dictionary(s->store, &o.dictionary, err) &&
		  sources_open(s->o->payload_sources, o.dictionary, NULL, &s->stock, err);
	o.anchors = s->anchors;
	if (ok)
		ib_store_set_stock(s->store, s->stock);
	for (; ok && *files; files++)
		ok = updates_end(updates, *files, g_steal_pointer(&opening), &o, err);
	ib_package_open_cancel(opening);
	if (!ok || !add_capabilities(s, updates, &o, err))
		return false;
	guint named = updates->len;
	if (on_demand && !updates_on_demand(updates, s->store, s->o->enable, s->o->sources, &o, err))
		return false;
	on_demand = updates->len > named;
	updates_sort(updates);
	char *stale = NULL;
	if (!install_all(s, updates, err) || (on_demand && !on_demand_stale(s->store, updates, &stale, err)))
		return false;
	if (stale)
		g_ptr_array_add(s->notes, stale);
	return true;
}

static bool add_driver(struct service *s, const char *path, struct ib_error **err)
{
	struct ib_driver_summary sum;
	struct ib_driver *d = NULL;

	if (!driver_open(s->store, path, s->anchors, &d, err))
		return false;
	bool ok = ib_store_add_driver(s->store, d, &sum, err);
	if (ok && sum.known) {
		service_say(s, "driver %s is there as %s", d->inf_name, sum.published);
	} else if (ok) {
		g_autofree char *line = driver_first_boot(d);
		g_autofree char *version = driver_version(d);
		service_say(s, "added driver %s %s as %s: %u files, %u devices, %u services that start at boot", d->inf_name, version,
			    sum.published, sum.files, sum.devices, sum.boot_services->len);
		if (!ib_store_info(s->store)->pe) /* nothing runs SetupComplete there */
			g_string_append(s->first_boot, line);
	}
	if (ok)
		ib_driver_summary_clear(&sum);
	ib_driver_free(d);
	return ok;
}

static bool remove_apps(struct service *s, struct ib_error **err)
{
	for (char *const *name = s->o->apps; name && *name; name++) {
		g_autoptr(GPtrArray) lines = NULL;
		if (!need_store(s, err) || !ib_store_remove_app(s->store, *name, &lines, err))
			return false;
		for (guint i = 0; i < lines->len; i++)
			service_say(s, "%s", (char *)g_ptr_array_index(lines, i));
	}
	return true;
}

static bool add_drivers(struct service *s, struct ib_error **err)
{
	char *const *paths = s->o->drivers;

	if (!paths || !*paths)
		return true;
	if (!s->o->trust || !*s->o->trust) {
		ib_throw(err, IB_ERR_USAGE, "a driver is only added up to a trusted root, and none is given");
		return ib_hint(err, "--trust FILE names the root that signed the driver's catalog");
	}
	if (!need_store(s, err) || (!s->anchors && !check_anchors(s->o->trust, s->o->now, &s->anchors, err)))
		return false;
	for (; *paths; paths++)
		if (!add_driver(s, *paths, err))
			return false;
	return true;
}

/* What only the running system can do. */
static bool queue_first_boot(struct service *s, struct ib_error **err)
{
	if (s->store)
		tasks_script(s->store, s->first_boot);
	return !s->first_boot->len || script_put(s->wim, s->image, s->time, "first start", s->first_boot->str, err);
}

/* A manifest's file, or its name in manifests/components. */
static bool load_manifest(struct service *s, const char *name, struct ib_ini **ret, struct ib_error **err)
{
	g_autofree char *file = g_strconcat(name, ".ini", NULL);
	g_autofree char *shipped = g_build_filename(s->o->data_dir, "manifests", "components", file, NULL);

	if (g_str_has_suffix(name, ".ini"))
		return ib_ini_load(name, ib_component_keys, NULL, ret, err);
	if (!strchr(name, '/') && g_file_test(shipped, G_FILE_TEST_EXISTS))
		return ib_ini_load(shipped, ib_component_keys, NULL, ret, err);
	ib_throw(err, IB_ERR_INPUT, "there is no removal manifest '%s'", shipped);
	return ib_hint(err, "give the path of one: --remove FILE.ini");
}

static bool remove_one(struct service *s, const char *name, struct ib_error **err)
{
	g_autoptr(GPtrArray) left = NULL;
	struct ib_ini *m = NULL;

	if (!need_store(s, err) || !load_manifest(s, name, &m, err))
		return false;
	enum ib_removal_technique technique = 0;
	if (!removal_technique(s->o->technique, &technique, err)) {
		ib_ini_free(m);
		return false;
	}
	struct removal *r = removal_new(m, technique);
	bool ok = ib_store_traces(s->store, &r->removal, &r->traces, err) &&
		  ib_store_remove(s->store, &r->removal, &r->summary, err) &&
		  ib_store_residue(s->store, r->traces, r->removal.technique, &left, err);
	if (ok && left->len > 0)
		ok = ib_throw(err, IB_ERR_VERIFY, "component '%s' left %u traces, the first: %s", r->removal.name, left->len,
			      (char *)g_ptr_array_index(left, 0));
	if (ok)
		service_say(s, "removed %s (%s): %u packages, %u components, %u files, %u services", r->removal.name,
			    removal_technique_word(technique), r->summary.packages, r->summary.components, r->summary.files,
			    r->summary.services);
	removal_free(r);
	return ok;
}

static bool uninstall(struct service *s, const char *name, bool capability, struct ib_error **err)
{
	struct ib_removal_summary sum = { 0 };

	if (!need_store(s, err) || !(capability ? ib_store_remove_capability(s->store, name, &sum, err)
						: ib_store_uninstall(s->store, name, &sum, err)))
		return false;
	service_say(s, "uninstalled %s: %u packages, %u components, %u files", name, sum.packages, sum.components, sum.files);
	ib_removal_summary_clear(&sum);
	return true;
}

static bool clean_up(struct service *s, struct ib_error **err)
{
	struct ib_cleanup_summary sum = { 0 };

	if (!s->o->cleanup && !s->o->reset_base)
		return true;
	if (!need_store(s, err) || !ib_store_cleanup(s->store, s->o->reset_base, &sum, err))
		return false;
	g_autofree char *text = cleanup_text(&sum);
	service_say(s, "cleaned up: %s", text);
	ib_cleanup_summary_clear(&sum);
	return true;
}

static bool remove_payloads(struct service *s, struct ib_error **err)
{
	for (char *const *name = s->o->payloads; name && *name; name++) {
		unsigned n;
		if (!need_store(s, err) || !ib_store_remove_payload(s->store, *name, &n, err))
			return ib_while(err, "removing the payload of feature '%s'", *name);
		service_say(s, "feature %s disabled, its payload removed: %u components", *name, n);
	}
	return true;
}

static bool set_features(struct service *s, char *const *names, bool on, struct ib_error **err)
{
	for (; names && *names; names++) {
		bool changed;
		if (!need_store(s, err) || !ib_store_set_feature(s->store, *names, on, &changed, err))
			return ib_while(err, "switching feature '%s'", *names);
		service_say(s, "feature %s %s%s", *names, changed ? "" : "was ", on ? "enabled" : "disabled");
	}
	return true;
}

static bool check_store(struct service *s, struct ib_error **err)
{
	struct ib_verify_result v = { 0 };

	if (!ib_store_verify(s->store, NULL, false, &v, NULL, err))
		return false;
	bool ok = v.findings->len == 0;
	if (!ok) {
		const struct ib_finding *f = g_ptr_array_index(v.findings, 0);
		ib_throw(err, IB_ERR_VERIFY, "the component store is not whole afterwards, %u findings, the first: '%s': %s",
			 v.findings->len, f->subject, f->text);
	}
	ib_verify_result_clear(&v);
	return ok;
}

static bool close_store(struct service *s, struct ib_error **err)
{
	if (!s->store)
		return true;
	if (!check_store(s, err))
		return false;
	const GPtrArray *notes = ib_store_notes(s->store);
	for (guint i = 0; i < notes->len; i++) {
		const struct ib_note *n = g_ptr_array_index(notes, i);
		g_ptr_array_add(s->notes, g_strdup_printf("%s: %s", n->subject, n->text));
	}
	bool ok = ib_store_commit(s->store, err);
	ib_store_free(g_steal_pointer(&s->store));
	return ok;
}

bool service_store(struct service *s, struct ib_error **err)
{
	if (!add_packages(s, err))
		return false;
	for (char *const *name = s->o->uninstalls; name && *name; name++)
		if (!uninstall(s, *name, false, err))
			return false;
	for (char *const *name = s->o->capabilities; name && *name; name++)
		if (!uninstall(s, *name, true, err))
			return false;
	for (char *const *name = s->o->removals; name && *name; name++)
		if (!remove_one(s, *name, err))
			return ib_while(err, "removing '%s'", *name);
	return add_sources(s, err) && set_features(s, s->o->enable, true, err) && set_features(s, s->o->disable, false, err) &&
	       remove_payloads(s, err) && remove_apps(s, err) && add_drivers(s, err) && clean_up(s, err) &&
	       queue_first_boot(s, err) && close_store(s, err);
}
