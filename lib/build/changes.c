#include "build/internal.h"

#include <string.h>

/* Stages remove, features and cleanup. */

void removal_free(struct removal *r)
{
	ib_removal_summary_clear(&r->summary);
	g_strfreev(r->traces);
	ib_ini_free(r->manifest);
	g_free(r);
}

void uninstalled_free(struct uninstalled *u)
{
	ib_removal_summary_clear(&u->summary);
	g_free(u);
}

/* In the order of enum ib_removal_technique. */
static const char *const techniques[] = { "uninstall", "empty-winner", "surgery" };

bool removal_technique(const char *word, enum ib_removal_technique *ret, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(techniques); i++) {
		if (word && strcmp(word, techniques[i]))
			continue;
		*ret = (enum ib_removal_technique)i;
		return true;
	}
	ib_throw(err, IB_ERR_USAGE, "'%s' is no technique of removal", word);
	return ib_hint(err, "uninstall, empty-winner or surgery");
}

const char *removal_technique_word(enum ib_removal_technique technique)
{
	return techniques[technique];
}

/* ---- finding a removal manifest ---- */

static bool load_manifest(struct build *b, const char *name, struct ib_ini **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) dirs = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *file = g_strconcat(name, ".ini", NULL);

	if (strchr(name, '/') || name[0] == '.')
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no component name", name);
	for (char *const *d = ib_ini_list(b->p, "remove", "manifests"); *d; d++)
		g_ptr_array_add(dirs, g_strdup(*d));
	g_ptr_array_add(dirs, g_build_filename(b->o->data_dir, "manifests", "components", NULL));
	for (guint i = 0; i < dirs->len; i++) {
		g_autofree char *path = g_build_filename(g_ptr_array_index(dirs, i), file, NULL);
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return ib_ini_load(path, ib_component_keys, NULL, ret, err);
	}
	g_autofree char *place = ib_ini_place(b->p, "remove", "components");
	ib_throw(err, IB_ERR_INPUT, "%s: there is no removal manifest '%s'", place, file);
	return ib_hint(err, "write it into a folder of [remove] manifests; manifests/components has an example");
}

static char **list_of(const struct ib_ini *m, const char *key)
{
	return (char **)ib_ini_list(m, "remove", key);
}

struct removal *removal_new(struct ib_ini *m, enum ib_removal_technique technique)
{
	struct removal *r = g_new0(struct removal, 1);

	r->manifest = m;
	r->removal = (struct ib_removal){
		.name = ib_ini_text(m, "component", "name"),
		.technique = technique,
		.packages = list_of(m, "packages"),
		.components = list_of(m, "components"),
		.files = list_of(m, "files"),
		.services = list_of(m, "services"),
		.svchost = list_of(m, "svchost"),
		.tasks = list_of(m, "tasks"),
		.values = list_of(m, "values"),
		.keys = list_of(m, "keys"),
		.firewall = list_of(m, "firewall"),
		.event_sources = list_of(m, "event-sources"),
	};
	return r;
}

static struct removal *add_removal(struct build *b, struct ib_ini *m, enum ib_removal_technique technique)
{
	struct removal *r = removal_new(m, technique);

	g_ptr_array_add(b->removals, r);
	return r;
}

/* Remove it from the scratch image: what cannot be removed is refused before anything is written. */
static bool try_removal(struct build *b, const struct removal *r, struct ib_error **err)
{
	struct ib_removal_summary sum = { 0 };
	struct ib_store *scratch;
	bool ok = base_scratch(b, &scratch, err) && ib_store_remove(scratch, &r->removal, &sum, err);

	ib_removal_summary_clear(&sum);
	return ok ? true : ib_while(err, "removing component '%s'", r->removal.name);
}

static bool uninstall(struct ib_store *s, const char *name, bool capability, struct ib_removal_summary *ret,
		      struct ib_error **err)
{
	return capability ? ib_store_remove_capability(s, name, ret, err) : ib_store_uninstall(s, name, ret, err);
}

/* Uninstall it in the scratch image likewise. */
static bool plan_uninstall(struct build *b, const char *name, bool capability, struct ib_error **err)
{
	g_autofree char *reason_key = g_strconcat("reason.", name, NULL);
	const char *reason = ib_ini_text(b->p, "remove", reason_key);
	struct ib_removal_summary sum = { 0 };
	struct ib_store *scratch;

	if (!base_scratch(b, &scratch, err) || !uninstall(scratch, name, capability, &sum, err))
		return false;
	plan_add(b, "remove", 0, "uninstall %s %s (%u packages, %u components): %s", capability ? "capability" : "package", name, sum.packages, sum.components,
		 reason ? reason : "no reason given");
	if (!reason)
		plan_warn(b, "[remove] reason.%s is missing; the papers will say so", name);
	ib_removal_summary_clear(&sum);
	struct uninstalled *u = g_new0(struct uninstalled, 1);
	u->name = name;
	u->capability = capability;
	g_ptr_array_add(b->uninstalls, u);
	return true;
}

bool remove_plan(struct build *b, struct ib_error **err)
{
	enum ib_removal_technique technique = 0;

	if (!removal_technique(ib_ini_text(b->p, "remove", "technique"), &technique, err))
		return false;
	for (char *const *name = ib_ini_list(b->p, "remove", "packages"); *name; name++)
		if (!plan_uninstall(b, *name, false, err))
			return false;
	for (char *const *name = ib_ini_list(b->p, "remove", "capabilities"); *name; name++)
		if (!plan_uninstall(b, *name, true, err))
			return false;
	for (char *const *name = ib_ini_list(b->p, "remove", "components"); *name; name++) {
		struct ib_ini *m = NULL;
		g_autofree char *reason_key = g_strconcat("reason.", *name, NULL);
		if (!load_manifest(b, *name, &m, err))
			return false;
		if (!try_removal(b, add_removal(b, m, technique), err))
			return false;
		const char *reason = ib_ini_text(b->p, "remove", reason_key);
		const char *vendor = ib_ini_text(m, "component", "vendor");
		plan_add(b, "remove", 0, "remove component %s%s%s (%s): %s", *name, vendor ? " of " : "", vendor ? vendor : "",
			 removal_technique_word(technique), reason ? reason : "no reason given");
		if (!reason)
			plan_warn(b, "[remove] reason.%s is missing; the papers will say so", *name);
		if (ib_ini_flag(m, "component", "example"))
			plan_warn(b, "the removal manifest of '%s' is a lab example, not checked against the real component", *name);
	}
	if (b->removals->len && !ib_ini_text(b->p, "remove", "update-server"))
		plan_warn(b, "[remove] update-server is empty: no update server stands in the image; reported as a risk");
	return true;
}

static bool remove_one(struct build *b, struct ib_store *s, struct removal *r, struct ib_error **err)
{
	return ib_store_traces(s, &r->removal, &r->traces, err) &&
	       ib_store_remove(s, &r->removal, &r->summary, err);
}

bool remove_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	for (guint i = 0; i < b->uninstalls->len; i++) {
		struct uninstalled *u = g_ptr_array_index(b->uninstalls, i);
		if (!uninstall(install_target(b)->store, u->name, u->capability, &u->summary, err))
			return false;
	}
	for (guint i = 0; i < b->removals->len; i++) {
		struct removal *r = g_ptr_array_index(b->removals, i);
		if (!remove_one(b, install_target(b)->store, r, err))
			return ib_while(err, "removing component '%s'", r->removal.name);
	}
	return ib_progress_add(progress, 0, err);
}

/* ---- features ---- */

/* Both lists of [features], in the order in which they are switched. */
static const struct {
	const char *key;
	bool on;
	const char *word;
} switches[] = { { "enable", true, "enable" }, { "disable", false, "disable" } };

static bool try_feature(struct build *b, const char *name, bool on, struct ib_error **err)
{
	struct ib_store *scratch;
	bool changed;

	return base_scratch(b, &scratch, err) && ib_store_set_feature(scratch, name, on, &changed, err);
}

static bool is_update(const struct build *b, const struct update *u)
{
	for (guint i = 0; i < b->updates->len; i++) {
		const struct update *other = g_ptr_array_index(b->updates, i);
		if (strcmp(ib_package_root(other->package)->package_id, ib_package_root(u->package)->package_id) == 0)
			return true;
	}
	return false;
}

/* Payload that the store lacks, from the packages of [features] source; each must lack none, or bring some. */
static bool add_sources(struct build *b, struct ib_store *store, bool say, struct ib_error **err)
{
	struct update_options o = { .anchors = b->anchors, .threads = b->o->threads, .progress = b->planning };
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);

	for (char *const *path = ib_ini_list(b->p, "features", "source"); *path; path++)
		if (!updates_open(all, *path, &o, err))
			return false;
	for (guint i = 0; i < all->len; i++) {
		const struct update *u = g_ptr_array_index(all, i);
		unsigned files;
		if (!ib_store_add_payload(store, u->package, &files, NULL, err))
			return false;
		if (say && (files || !is_update(b, u))) /* what was installed lacks nothing */
			plan_add(b, "features", 0, "take %u missing files from %s", files, ib_package_root(u->package)->package_id);
	}
	return true;
}

static bool remove_payloads(struct build *b, struct ib_store *store, bool say, struct ib_error **err)
{
	for (char *const *f = ib_ini_list(b->p, "features", "remove-payload"); *f; f++) {
		unsigned n;
		if (ib_ini_has(b->p, "features", "enable", *f))
			return ib_throw(err, IB_ERR_INPUT, "feature '%s' is to be enabled, and its payload removed", *f);
		if (!ib_store_remove_payload(store, *f, &n, err))
			return ib_while(err, "removing the payload of feature '%s'", *f);
		if (say)
			plan_add(b, "features", 0, "disable feature %s and remove its payload: %u components", *f, n);
	}
	return true;
}

static bool wants_payload(const struct build *b)
{
	return *ib_ini_list(b->p, "features", "source") || *ib_ini_list(b->p, "features", "remove-payload");
}

bool features_plan(struct build *b, struct ib_error **err)
{
	struct ib_store *scratch;

	if (wants_payload(b) && (!base_scratch(b, &scratch, err) || !add_sources(b, scratch, true, err)))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
		for (char *const *f = ib_ini_list(b->p, "features", switches[i].key); *f; f++) {
			g_autofree char *reason_key = g_strconcat("reason.", *f, NULL);
			const char *reason = ib_ini_text(b->p, "features", reason_key);
			plan_add(b, "features", 0, "%s feature %s: %s", switches[i].word, *f,
				 reason ? reason : "no reason given");
			if (switches[i].on && ib_ini_has(b->p, "features", "disable", *f))
				return ib_throw(err, IB_ERR_INPUT, "feature '%s' is to be enabled and disabled", *f);
			if (!try_feature(b, *f, switches[i].on, err))
				return ib_while(err, "switching feature '%s'", *f);
		}
	}
	return !wants_payload(b) || (base_scratch(b, &scratch, err) && remove_payloads(b, scratch, true, err));
}

bool features_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	if (!add_sources(b, install_target(b)->store, false, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
		for (char *const *f = ib_ini_list(b->p, "features", switches[i].key); *f; f++) {
			bool changed;
			if (!ib_store_set_feature(install_target(b)->store, *f, switches[i].on, &changed, err))
				return ib_while(err, "switching feature '%s'", *f);
			if (!changed)
				plan_warn(b, "feature '%s' was %sd in the base already", *f, switches[i].word);
		}
	}
	return remove_payloads(b, install_target(b)->store, false, err) &&
	       ib_progress_add(progress, 0, err);
}

/* ---- cleanup ---- */

static bool wants_cleanup(const struct build *b, bool *ret_reset_base)
{
	const char *word = ib_ini_text(b->p, "updates", "cleanup");

	*ret_reset_base = strcmp(word, "reset-base") == 0;
	return strcmp(word, "none") != 0;
}

char *cleanup_text(const struct ib_cleanup_summary *s)
{
	g_autofree char *kept = s->kept ? g_strdup_printf("; %u components kept as bases of differentials (%" PRIu64 " bytes)",
							  s->kept, s->kept_bytes)
					: g_strdup("");

	return g_strdup_printf("%u packages and %u components out of the store, %" PRIu64 " bytes less%s", s->packages,
			       s->components, s->bytes, kept);
}

bool cleanup_plan(struct build *b, struct ib_error **err)
{
	struct ib_cleanup_summary sum = { 0 };
	struct ib_store *scratch;
	bool reset_base;

	if (!wants_cleanup(b, &reset_base))
		return true;
	if (!base_scratch(b, &scratch, err) || !ib_store_cleanup(scratch, reset_base, &sum, err))
		return false;
	g_autofree char *text = cleanup_text(&sum);
	plan_add(b, "cleanup", 0, "%s: %s", reset_base ? "clean up and reset the base" : "clean up", text);
	if (reset_base)
		plan_warn(b, "[updates] cleanup = reset-base: installed updates cannot be uninstalled any more");
	ib_cleanup_summary_clear(&sum);
	return true;
}

bool cleanup_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	bool reset_base;

	if (wants_cleanup(b, &reset_base) &&
	    !ib_store_cleanup(install_target(b)->store, reset_base, &b->cleaned, err))
		return false;
	return ib_progress_add(progress, 0, err);
}
