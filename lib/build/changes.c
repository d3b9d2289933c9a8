#include "build/internal.h"

#include <string.h>

/* Stages remove and features. */

void removal_free(struct removal *r)
{
	ib_removal_summary_clear(&r->summary);
	g_strfreev(r->traces);
	ib_ini_free(r->manifest);
	g_free(r);
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

struct removal *removal_new(struct ib_ini *m)
{
	struct removal *r = g_new0(struct removal, 1);

	r->manifest = m;
	r->removal = (struct ib_removal){
		.name = ib_ini_text(m, "component", "name"),
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

static struct removal *add_removal(struct build *b, struct ib_ini *m)
{
	struct removal *r = removal_new(m);

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

bool remove_plan(struct build *b, struct ib_error **err)
{
	for (char *const *name = ib_ini_list(b->p, "remove", "components"); *name; name++) {
		struct ib_ini *m = NULL;
		g_autofree char *reason_key = g_strconcat("reason.", *name, NULL);
		if (!load_manifest(b, *name, &m, err))
			return false;
		if (!try_removal(b, add_removal(b, m), err))
			return false;
		const char *reason = ib_ini_text(b->p, "remove", reason_key);
		const char *vendor = ib_ini_text(m, "component", "vendor");
		plan_add(b, "remove", 0, "remove component %s%s%s: %s", *name, vendor ? " of " : "", vendor ? vendor : "",
			 reason ? reason : "no reason given");
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

bool features_plan(struct build *b, struct ib_error **err)
{
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
	return true;
}

bool features_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
		for (char *const *f = ib_ini_list(b->p, "features", switches[i].key); *f; f++) {
			bool changed;
			if (!ib_store_set_feature(install_target(b)->store, *f, switches[i].on, &changed, err))
				return ib_while(err, "switching feature '%s'", *f);
			if (!changed)
				plan_warn(b, "feature '%s' was %sd in the base already", *f, switches[i].word);
		}
	}
	return ib_progress_add(progress, 0, err);
}
