/*
 * Drafting a removal manifest: what the component's packages bring, then what else in the live system carries its
 * names. A draft is for review, so each line says where it comes from.
 */
#include "servicing/internal.h"

#include <string.h>

#define PATH_RULES "Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"
#define PATH_SVCHOST PATH_NT "\\Svchost"
#define PATH_TASKCACHE PATH_NT "\\Schedule\\TaskCache"
#define PATH_WINEVT "Microsoft\\Windows\\CurrentVersion\\WINEVT"
#define PATH_EVENTLOG "Services\\EventLog\\"

enum part { PACKAGES, COMPONENTS, FILES, SERVICES, SVCHOST, TASKS, FIREWALL, EVENTS, VALUES, KEYS, PARTS };
static const char *const part_names[PARTS] = { "packages", "components", "files", "services", "svchost", "tasks",
					       "firewall", "event-sources", "values", "keys" };

struct line {
	char *text, *why;
};

/* What is being drafted. */
struct draft {
	struct ib_store *s;
	const char *name;
	struct ib_removal_match match;
	GPtrArray *parts[PARTS]; /* struct line * */
	GPtrArray *remarks;      /* char *: for the reader */
	GHashTable *known;       /* "part folded text" */
	GHashTable *own;         /* folded paths of files and folders, ids of keys and values the component brings */
	GHashTable *owners;      /* effect id -> who else brings it */
	char **traces;
	enum ib_hive_id hive;    /* being searched */
};

static void line_free(void *p)
{
	struct line *l = p;

	g_free(l->text);
	g_free(l->why);
	g_free(l);
}

static void remark(struct draft *d, char *text)
{
	if (g_ptr_array_find_with_equal_func(d->remarks, text, g_str_equal, NULL))
		g_free(text);
	else
		g_ptr_array_add(d->remarks, text);
}

/* why is taken. What the syntax of lists cannot hold becomes a remark. */
static void add(struct draft *d, enum part part, const char *text, char *why)
{
	g_autofree char *folded = ib_name_fold(text);
	char *key = g_strdup_printf("%u %s", part, folded);

	if (g_hash_table_contains(d->known, key)) {
		g_free(key);
		g_free(why);
		return;
	}
	g_hash_table_add(d->known, key);
	if (strpbrk(text, ",\r\n") || strstr(text, "${") || strchr("#;", *text) || g_ascii_isspace(*text)) {
		remark(d, g_strdup_printf("%s '%s' cannot stand in a list: take it out by hand (%s)", part_names[part], text, why));
		g_free(why);
		return;
	}
	struct line *l = g_new0(struct line, 1);
	l->text = g_strdup(text);
	l->why = why;
	g_ptr_array_add(d->parts[part], l);
}

/* Whether a key listed already holds a path of a hive ("SOFTWARE\…"). */
static bool is_listed_key(const struct draft *d, const char *text)
{
	for (guint i = 0; i < d->parts[KEYS]->len; i++) {
		const char *top = ((const struct line *)d->parts[KEYS]->pdata[i])->text;
		size_t len = strlen(top);
		if (!g_ascii_strncasecmp(text, top, len) && (!text[len] || text[len] == '\\'))
			return true;
	}
	return false;
}

static bool is_listed(const struct draft *d, enum part part, const char *text)
{
	g_autofree char *folded = ib_name_fold(text);
	g_autofree char *key = g_strdup_printf("%u %s", part, folded);

	return g_hash_table_contains(d->known, key);
}

/* ---- what is meant ---- */

static bool take_package(struct draft *d, const char *id, struct ib_error **err)
{
	const struct ib_mum *mum;

	if (g_ptr_array_find_with_equal_func(d->match.packages, id, g_str_equal, NULL))
		return true;
	if (!ib_svc_mum(d->s, id, &mum, err))
		return false;
	g_ptr_array_add(d->match.packages, g_strdup(id));
	g_autofree char *name = g_strndup(id, strcspn(id, "~"));
	add(d, PACKAGES, name, g_strdup_printf("the image's package %s%s%s", id, mum && mum->description ? ", " : "",
					       mum && mum->description ? mum->description : ""));
	return true;
}

/* Packages by name; then those that bring a component of the name. */
static bool find_packages(struct draft *d, struct ib_error **err)
{
	const GPtrArray *packages;
	struct ib_model *model;
	struct ib_hive *h;

	if (!ib_store_packages(d->s, &packages, err) || !ib_svc_model(d->s, &model, err) ||
	    !ib_store_hive(d->s, IB_HIVE_COMPONENTS, &h, err))
		return false;
	g_autoptr(GPtrArray) held = g_ptr_array_ref((GPtrArray *)packages);
	for (guint i = 0; i < held->len; i++) {
		const char *id = ((const struct ib_installed *)held->pdata[i])->package_id;
		if (ib_svc_package_matches(d->name, id) && !take_package(d, id, err))
			return false;
	}
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++) {
			const struct ib_component *c = f->components->pdata[k];
			struct ib_key *key = g_ascii_strcasecmp(c->id.name, d->name) ? NULL : ib_svc_component_key(h, c->keyform);
			g_autoptr(GPtrArray) list = key ? ib_svc_component_deployments(key) : NULL;
			for (guint n = 0; list && n < list->len; n++) {
				struct ib_key *dep = ib_svc_deployment_key(h, list->pdata[n]);
				g_autoptr(GPtrArray) refs = dep ? ib_svc_deployment_refs(dep, "i!") : NULL;
				for (guint r = 0; refs && r < refs->len; r++)
					for (guint p = 0; p < held->len; p++) {
						const char *id = ((const struct ib_installed *)held->pdata[p])->package_id;
						size_t len = strlen(id);
						const char *ref = refs->pdata[r];
						if (!g_ascii_strncasecmp(ref, id, len) && ref[len] == '.' &&
						    g_ascii_strncasecmp(id, "Package_for_", 12) && !take_package(d, id, err))
							return false;
					}
			}
		}
	}
	return true;
}

/* A service that no package brings: its names, and those of its program and the program's folder. */
static bool find_service(struct draft *d, struct ib_error **err)
{
	if (!ib_svc_service_traces(d->s, d->name, &d->traces, err))
		return false;
	if (!d->traces) {
		ib_throw(err, IB_ERR_INPUT, "the image has no package, component or service '%s'", d->name);
		return ib_hint(err, "inspect lists the packages of an image");
	}
	add(d, SERVICES, d->name, g_strdup("the service that was asked for; no package brings it"));
	return true;
}

/* ---- what the components bring ---- */

static void own_path(struct draft *d, const char *path)
{
	g_hash_table_add(d->own, ib_name_fold(path));
}

static void know_own(struct draft *d)
{
	for (guint i = 0; i < d->match.effects->len; i++) {
		const struct ib_effect *e = d->match.effects->pdata[i];
		g_autofree char *task = e->kind == EFFECT_TASK ? g_strconcat(DIR_TASKS "\\", e->path, NULL) : NULL;
		if (e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY)
			own_path(d, e->path);
		if (task)
			own_path(d, task);
		g_hash_table_add(d->own, g_strdup(e->id));
	}
}

/* Who else brings these things, and folders and keys above them. */
static bool ask_owners(struct draft *d, struct ib_error **err)
{
	g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct ib_owner_query q = { .ids = ids, .without = d->match.component_set };

	for (guint i = 0; i < d->match.effects->len; i++) {
		const struct ib_effect *e = d->match.effects->pdata[i];
		g_hash_table_add(ids, g_strdup(e->id));
		ib_svc_ask_above(e, ids);
	}
	return ib_svc_owners(d->s, &q, &d->owners, err);
}

static bool all_own(const struct draft *d, struct ib_node *dir, const char *path, unsigned depth)
{
	for (struct ib_node *n = ib_node_first(dir); n; n = ib_node_next(n)) {
		g_autofree char *full = g_strdup_printf("%s\\%s", path, ib_node_name(n));
		g_autofree char *folded = ib_name_fold(full);
		bool own = ib_node_is_dir(n) ? depth < 64 && all_own(d, n, full, depth + 1)
					     : g_hash_table_contains(d->own, folded);
		if (!own)
			return false;
	}
	return true;
}

/* The highest folder with nothing but the component's things, or the path itself. */
static char *top_folder(const struct draft *d, const char *path)
{
	g_autofree char *best = g_strdup(path);
	g_autofree char *at = g_strdup(path);
	char *slash;

	while ((slash = strrchr(at, '\\'))) {
		*slash = '\0';
		struct ib_node *n = ib_image_find(d->s->image, at);
		g_autofree char *id = ib_svc_effect_id(EFFECT_DIRECTORY, 0, at, NULL);
		if (!n || !strchr(at, '\\') || g_hash_table_contains(d->owners, id) || !all_own(d, n, at, 0))
			break;
		g_free(best);
		best = g_strdup(at);
	}
	return g_steal_pointer(&best);
}

/* "SYSTEM\CurrentControlSet\…" of a path in the current set; NULL for one in another set. g_free. */
static char *place_text(const struct draft *d, enum ib_hive_id hive, const char *path)
{
	g_autofree char *set = g_strdup_printf("ControlSet%03u", d->s->control_set);
	size_t len = strlen(set);

	if (hive != IB_HIVE_SYSTEM || g_ascii_strncasecmp(path, "ControlSet", 10))
		return g_strdup_printf("%s\\%s", ib_svc_hive_name(hive), path);
	if (g_ascii_strncasecmp(path, set, len) || (path[len] && path[len] != '\\'))
		return NULL;
	return g_strdup_printf("SYSTEM\\CurrentControlSet%s", path + len);
}

static bool key_all_own(const struct draft *d, enum ib_hive_id hive, struct ib_key *key, unsigned depth)
{
	g_autofree char *path = ib_key_path(key);

	for (size_t i = 0; i < ib_key_value_count(key); i++) {
		g_autofree char *id = ib_svc_effect_id(EFFECT_VALUE, hive, path, ib_value_name(ib_key_value_at(key, i)));
		if (!g_hash_table_contains(d->own, id))
			return false;
	}
	for (size_t i = 0; i < ib_key_count(key); i++)
		if (depth > 64 || !key_all_own(d, hive, ib_key_child(key, i), depth + 1))
			return false;
	return true;
}

/* The highest key with nothing but the component's values; NULL when there is none. */
static char *top_key(const struct draft *d, enum ib_hive_id hive, const char *path)
{
	g_autofree char *at = g_strdup(path);
	g_autofree char *best = NULL;

	while (at && strchr(at, '\\')) {
		struct ib_key *key = ib_key_find(ib_hive_root(d->s->hives[hive]), at);
		g_autofree char *id = ib_svc_effect_id(EFFECT_KEY, hive, at, NULL);
		if (!key || ib_svc_standing_key(hive, at) || g_hash_table_contains(d->owners, id) ||
		    !key_all_own(d, hive, key, 0))
			break;
		g_free(best);
		best = g_strdup(at);
		*strrchr(at, '\\') = '\0';
	}
	return g_steal_pointer(&best);
}

static char *why_brought(const char *what)
{
	return g_strdup_printf("the component brings it%s%s", what ? ", " : "", what ? what : "");
}

/* A place in a control set, after "CurrentControlSet\": an event source, something of a service … @return handled */
static bool add_control(struct draft *d, const char *rest, char *(*why)(const char *), const char *what)
{
	g_auto(GStrv) parts = g_strsplit(rest, "\\", -1);
	guint n = g_strv_length(parts);

	if (n >= 4 && !g_ascii_strncasecmp(rest, PATH_EVENTLOG, strlen(PATH_EVENTLOG))) {
		g_autofree char *source = g_strconcat(parts[2], "\\", parts[3], NULL);
		add(d, EVENTS, source, why(what));
		return true;
	}
	return n >= 2 && !g_ascii_strcasecmp(parts[0], "Services") && is_listed(d, SERVICES, parts[1]);
}

static void draft_registry(struct draft *d, const struct ib_effect *e)
{
	/* Policies are set by administrators, too: never a whole key of them. */
	bool policy = e->hive == IB_HIVE_SOFTWARE && !g_ascii_strncasecmp(e->path, "Policies\\", 9);
	g_autofree char *top = policy ? NULL : top_key(d, e->hive, e->path);
	g_autofree char *place = place_text(d, e->hive, top ? top : e->path);
	static const char set[] = "SYSTEM\\CurrentControlSet\\";

	if (!place || is_listed_key(d, place))
		return;
	if (!g_ascii_strncasecmp(place, set, strlen(set)) && add_control(d, place + strlen(set), why_brought, NULL))
		return;
	if (top) {
		add(d, KEYS, place, why_brought("and nothing else lies there"));
	} else if (e->kind == EFFECT_VALUE) {
		g_autofree char *text = g_strconcat(place, "!", e->name, NULL);
		add(d, VALUES, text, why_brought(NULL));
	}
}

static void draft_effect(struct draft *d, const struct ib_effect *e)
{
	g_autofree char *text = NULL;

	switch (e->kind) {
	case EFFECT_FILE:
		text = top_folder(d, e->path);
		add(d, FILES, text, why_brought(strcmp(text, e->path) ? "all that lies there" : NULL));
		return;
	case EFFECT_DIRECTORY:
		text = top_folder(d, e->path);
		if (strcmp(text, e->path) || !ib_image_find(d->s->image, e->path))
			add(d, FILES, text, why_brought("all that lies there"));
		return;
	case EFFECT_SERVICE:
		add(d, SERVICES, e->name, why_brought(NULL));
		return;
	case EFFECT_SVCHOST:
		text = g_strconcat(e->path, ":", e->name, NULL);
		add(d, SVCHOST, text, why_brought(NULL));
		return;
	case EFFECT_FIREWALL:
		add(d, FIREWALL, e->name, why_brought(NULL));
		return;
	case EFFECT_TASK:
		add(d, TASKS, e->path, why_brought(NULL));
		return;
	case EFFECT_PUBLISHER:
	case EFFECT_CHANNEL:
		text = g_strdup_printf("SOFTWARE\\" PATH_WINEVT "\\%s\\%s", e->kind == EFFECT_CHANNEL ? "Channels" : "Publishers",
				       e->name);
		add(d, KEYS, text, why_brought(NULL));
		return;
	case EFFECT_MIGRATION: /* of the store, not of the system */
		return;
	case EFFECT_SEARCH_PATH: /* its component takes it away; a removal manifest has no line for it */
		remark(d, g_strdup_printf("the folder '%s' of the search path goes with its component", e->name));
		return;
	case EFFECT_KEY:
	case EFFECT_VALUE:
		return; /* after all others: what goes with a service needs no line */
	}
}

static void draft_effects(struct draft *d)
{
	for (unsigned turn = 0; turn < 2; turn++)
		for (guint i = 0; i < d->match.effects->len; i++) {
			const struct ib_effect *e = d->match.effects->pdata[i];
			const char *owner = g_hash_table_lookup(d->owners, e->id);
			bool reg = e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE;
			if (owner && !turn && e->kind != EFFECT_KEY && e->kind != EFFECT_DIRECTORY) {
				g_autofree char *text = ib_svc_effect_text(e);
				remark(d, g_strdup_printf("left out: the %s belongs to '%s', too", text, owner));
			}
			if (owner || reg != (turn == 1))
				continue;
			if (reg)
				draft_registry(d, e);
			else
				draft_effect(d, e);
		}
}

/* ---- what else carries its names ---- */

static const char *trace_in(const struct draft *d, const char *text)
{
	g_autofree char *folded = g_utf8_strdown(text, -1);

	for (char **t = d->traces; *t; t++) {
		g_autofree char *needle = g_utf8_strdown(*t, -1);
		if (strstr(folded, needle))
			return *t;
	}
	return NULL;
}

static char *why_named(const char *needle)
{
	return g_strdup_printf("no component brings it; found by the name '%s'", needle);
}

static bool covered(const struct draft *d, const char *path)
{
	for (guint i = 0; i < d->parts[FILES]->len; i++) {
		const char *top = ((const struct line *)d->parts[FILES]->pdata[i])->text;
		size_t len = strlen(top);
		if (!g_ascii_strncasecmp(path, top, len) && (!path[len] || path[len] == '\\'))
			return true;
	}
	return false;
}

static void search_tree(struct draft *d, struct ib_node *dir, const char *path, unsigned depth)
{
	static const char *const skipped[] = { DIR_WINSXS, "Windows\\servicing", DIR_CATROOT };

	for (struct ib_node *n = ib_node_first(dir); n && depth < 512; n = ib_node_next(n)) {
		g_autofree char *full = *path ? g_strdup_printf("%s\\%s", path, ib_node_name(n)) : g_strdup(ib_node_name(n));
		g_autofree char *folded = ib_name_fold(full);
		const char *needle = trace_in(d, ib_node_name(n));
		bool store = false;
		for (size_t i = 0; i < G_N_ELEMENTS(skipped); i++)
			store |= ib_name_equal(full, skipped[i]);
		if (store || covered(d, full))
			continue;
		size_t tasks = strlen(DIR_TASKS "\\");
		bool task = !g_ascii_strncasecmp(full, DIR_TASKS "\\", tasks);
		if (needle && task && !ib_node_is_dir(n) && !is_listed(d, TASKS, full + tasks))
			add(d, TASKS, full + tasks, why_named(needle));
		else if (needle && !task && !g_hash_table_contains(d->own, folded) && strchr(full, '\\'))
			add(d, FILES, full, why_named(needle));
		if (ib_node_is_dir(n) && !covered(d, full))
			search_tree(d, n, full, depth + 1);
	}
}

/* Keys of which one level down is a thing of its own: with a name in it, the whole thing goes. */
static const char *const units[] = {
	"SOFTWARE\\Classes\\CLSID\\", "SOFTWARE\\Classes\\AppID\\", "SOFTWARE\\Classes\\Interface\\", "SOFTWARE\\Classes\\TypeLib\\",
	"SOFTWARE\\Classes\\Wow6432Node\\CLSID\\", "SOFTWARE\\Classes\\Wow6432Node\\AppID\\",
	"SOFTWARE\\Classes\\Wow6432Node\\Interface\\", "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\",
	"SOFTWARE\\Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\",
	"SOFTWARE\\" PATH_WINEVT "\\Publishers\\", "SOFTWARE\\" PATH_WINEVT "\\Channels\\",
};

/* The unit a place belongs to, or NULL. g_free. */
static char *unit_of(const char *place)
{
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
		size_t len = strlen(units[i]);
		if (g_ascii_strncasecmp(place, units[i], len) || !place[len])
			continue;
		return g_strndup(place, len + strcspn(place + len, "\\"));
	}
	return NULL;
}

static bool starts(const char *text, const char *prefix)
{
	return !g_ascii_strncasecmp(text, prefix, strlen(prefix));
}

/* Hits in SYSTEM that have a line of their own. @return handled */
static bool named_in_system(struct draft *d, const char *place, const struct ib_value *value, const char *needle)
{
	static const char set[] = "SYSTEM\\CurrentControlSet\\";
	const char *rest = starts(place, set) ? place + strlen(set) : NULL;
	g_auto(GStrv) parts = g_strsplit(rest ? rest : "", "\\", -1);

	if (!rest)
		return false;
	if (ib_name_equal(rest, PATH_RULES) && value) {
		add(d, FIREWALL, ib_value_name(value), why_named(needle));
		return true;
	}
	if (add_control(d, rest, why_named, needle))
		return true;
	if (g_strv_length(parts) != 2 || g_ascii_strcasecmp(parts[0], "Services") || value)
		return false;
	add(d, SERVICES, parts[1], why_named(needle));
	return true;
}

static bool named_in_software(struct draft *d, const char *place, const struct ib_value *value, const char *needle)
{
	g_autofree char *unit = unit_of(place);

	if (starts(place, "SOFTWARE\\" PATH_CBS) || starts(place, "SOFTWARE\\" PATH_WINNERS) ||
	    starts(place, "SOFTWARE\\" PATH_TASKCACHE))
		return true; /* the store; the scheduler's memory of tasks that are listed */
	if (unit) {
		add(d, KEYS, unit, why_named(needle));
		return true;
	}
	if (value && ib_name_equal(place, "SOFTWARE\\" PATH_SVCHOST)) {
		g_auto(GStrv) members = ib_value_strings(value);
		for (char **m = members; m && *m; m++) {
			g_autofree char *text = g_strconcat(ib_value_name(value), ":", *m, NULL);
			if (is_listed(d, SERVICES, *m))
				add(d, SVCHOST, text, why_named(needle));
		}
		return true;
	}
	return false;
}

static bool named_in_hive(struct ib_key *key, const struct ib_value *value, const char *needle, void *data)
{
	struct draft *d = data;
	g_autofree char *path = ib_key_path(key);
	g_autofree char *place = place_text(d, d->hive, path);
	g_autofree char *id = value ? ib_svc_effect_id(EFFECT_VALUE, d->hive, path, ib_value_name(value)) : NULL;

	if (!place || is_listed_key(d, place) || (id && g_hash_table_contains(d->own, id)) ||
	    named_in_system(d, place, value, needle) ||
	    (d->hive == IB_HIVE_SOFTWARE && named_in_software(d, place, value, needle)))
		return true;
	if (!value && strchr(path, '\\')) {
		add(d, KEYS, place, why_named(needle));
	} else if (value && ib_svc_hive_name(d->hive)) {
		g_autofree char *text = g_strconcat(place, "!", ib_value_name(value), NULL);
		if (trace_in(d, ib_value_name(value)))
			add(d, VALUES, text, why_named(needle));
		else
			remark(d, g_strdup_printf("look at the value %s: it holds '%s', and may be somebody else's", text, needle));
	}
	return true;
}

static bool search_hives(struct draft *d, struct ib_error **err)
{
	for (unsigned id = 0; id < IB_HIVE_COUNT; id++) {
		struct ib_hive *hive;
		d->hive = (enum ib_hive_id)id;
		if (id == IB_HIVE_COMPONENTS || !ib_svc_hive_present(d->s, d->hive))
			continue;
		if (!ib_store_hive(d->s, d->hive, &hive, err))
			return false;
		ib_hive_search(hive, (const char *const *)d->traces, named_in_hive, d);
	}
	return true;
}

/* ---- the text ---- */

static void put_part(GString *out, const char *name, const GPtrArray *lines)
{
	if (!lines->len)
		return;
	for (guint i = 0; i < lines->len; i++) {
		const struct line *l = lines->pdata[i];
		g_string_append_printf(out, "# %s: %s\n", l->text, l->why);
	}
	g_string_append_printf(out, "%s = ", name);
	for (guint i = 0; i < lines->len; i++)
		g_string_append_printf(out, "%s%s", i ? ",\n    " : "", ((const struct line *)lines->pdata[i])->text);
	g_string_append(out, "\n");
}

static char *write_draft(const struct draft *d)
{
	g_autofree char *version = ib_version_text(&d->s->info.version);
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "# A draft, made from an image (%s, %s): review each line before use.\n\n[component]\nname = %s\n\n[remove]\n",
			       d->s->info.edition, version, d->name);
	for (unsigned p = 0; p < PARTS; p++)
		put_part(out, part_names[p], d->parts[p]);
	for (guint i = 0; i < d->remarks->len; i++)
		g_string_append_printf(out, "# %s\n", (const char *)d->remarks->pdata[i]);
	g_string_append(out, "\n# [effects] of a reviewed manifest says what its removal means: risk.en, risk.zh-CN, unknown.en, unknown.zh-CN\n");
	for (char *p = out->str; *p; p++) /* names come from the image: none of them begins a line */
		if (*p == '\r' || (*p < ' ' && *p > 0 && *p != '\n'))
			*p = '?';
	return g_string_free(out, FALSE);
}

static bool make(struct draft *d, char **ret, struct ib_error **err)
{
	if (!find_packages(d, err))
		return false;
	if (d->match.packages->len) {
		g_autoptr(GPtrArray) patterns = g_ptr_array_new();
		for (guint i = 0; i < d->match.packages->len; i++)
			g_ptr_array_add(patterns, d->match.packages->pdata[i]);
		g_ptr_array_add(patterns, NULL);
		struct ib_removal r = { .name = d->name, .technique = IB_REMOVE_EMPTY_WINNER,
					.packages = (char **)patterns->pdata };
		struct ib_removal_match m = { 0 };
		bool ok = ib_svc_removal_match(d->s, &r, &m, err) && ib_store_traces(d->s, &r, &d->traces, err);
		ib_svc_removal_match_clear(&d->match);
		d->match = m;
		if (!ok)
			return false;
	} else {
		d->match.effects = g_ptr_array_new_with_free_func(ib_svc_effect_free);
		d->match.component_set = g_hash_table_new(NULL, NULL);
		d->match.components = g_ptr_array_new();
		if (!find_service(d, err))
			return false;
	}
	for (guint i = 0; i < d->match.components->len; i++) {
		const struct ib_component *c = d->match.components->pdata[i];
		add(d, COMPONENTS, c->id.name, g_strdup_printf("in use: %s", c->keyform));
	}
	know_own(d);
	if (!ask_owners(d, err))
		return false;
	draft_effects(d);
	search_tree(d, ib_image_root(d->s->image), "", 0);
	if (!search_hives(d, err))
		return false;
	*ret = write_draft(d);
	return true;
}

bool ib_store_draft(struct ib_store *s, const char *name, char **ret, struct ib_error **err)
{
	struct draft d = { .s = s, .name = name };

	if (!*name || strpbrk(name, "\r\n,"))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no name of a component", name);
	d.match.packages = g_ptr_array_new_with_free_func(g_free);
	d.remarks = g_ptr_array_new_with_free_func(g_free);
	d.known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	d.own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned p = 0; p < PARTS; p++)
		d.parts[p] = g_ptr_array_new_with_free_func(line_free);
	bool ok = make(&d, ret, err);
	for (unsigned p = 0; p < PARTS; p++)
		g_ptr_array_unref(d.parts[p]);
	g_ptr_array_unref(d.remarks);
	g_hash_table_unref(d.known);
	g_hash_table_unref(d.own);
	g_clear_pointer(&d.owners, g_hash_table_unref);
	g_strfreev(d.traces);
	ib_svc_removal_match_clear(&d.match);
	return ok ? true : ib_while(err, "drafting a removal of '%s'", name);
}
