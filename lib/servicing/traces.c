/* Traces: the names a component goes by, gathered from the image itself; and the search for what is left of them. */
#include "servicing/internal.h"

#include <string.h>

/* Shorter names occur by chance. */
#define TRACE_MIN 5
/* A residue report is for people. */
#define RESIDUE_MAX 500

/* Words that say nothing about a component by themselves. */
static const char *const generic[] = {
	"microsoft", "windows", "service", "services", "update", "updates", "agent", "client", "server", "driver",
	"drivers", "system", "system32", "package", "component", "config", "default", "common", "library", "setup",
	"install", "program", "programs", "programdata", "control", "manager", "application", "resources", "check",
	"policy", "policies", "network", "security", "winsxs", "syswow64", "logs", "readme", "license", "module",
	"helper", "shell", "desktop", "settings", "uninstall", "tasks", "public", "users", "startup", "amd64", "wow64",
	"explorer", "software", "kernel", "en-us", "zh-cn", "localsystem", "program files", "program files (x86)",
};

/* ---- gathering ---- */

bool ib_svc_trace_worth(const char *text)
{
	g_autofree char *folded = g_utf8_strdown(text, -1);

	if (g_utf8_strlen(text, -1) < TRACE_MIN || strpbrk(text, "\\/$%@*"))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(generic); i++)
		if (!strcmp(generic[i], folded))
			return false;
	return true;
}

/* Candidates, folded -> as written. */
static void add_name(GHashTable *out, const char *name)
{
	g_autofree char *text = g_strstrip(g_strdup(name ? name : ""));
	g_autofree char *folded = g_utf8_strdown(text, -1);

	if (!ib_svc_trace_worth(text))
		return;
	if (!g_hash_table_contains(out, folded))
		g_hash_table_insert(out, g_steal_pointer(&folded), g_steal_pointer(&text));
}

/* A path's last name without its extension, and the name of its folder. */
static void add_path(GHashTable *out, const char *path, bool is_folder)
{
	g_auto(GStrv) parts = g_strsplit(path, "\\", -1);
	guint n = g_strv_length(parts);
	char *dot = n ? strrchr(parts[n - 1], '.') : NULL;

	if (n && is_folder)
		add_name(out, parts[n - 1]);
	if (!n || is_folder)
		return;
	if (dot && dot != parts[n - 1])
		*dot = '\0';
	add_name(out, parts[n - 1]);
	if (n > 2)
		add_name(out, parts[n - 2]);
}

/* "{8-4-4-4-12}" anywhere in a text. */
static void add_guids(GHashTable *out, const char *text)
{
	static const char shape[] = "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}";

	for (const char *p = text ? strchr(text, '{') : NULL; p; p = strchr(p + 1, '{')) {
		size_t i = 0;
		while (shape[i] && (shape[i] == 'x' ? g_ascii_isxdigit(p[i]) : p[i] == shape[i]))
			i++;
		g_autofree char *guid = shape[i] ? NULL : g_strndup(p, i);
		if (guid)
			add_name(out, guid);
	}
}

/* GUIDs the scheduler gave to a task. */
static void add_task(struct ib_store *s, GHashTable *out, const char *path)
{
	struct ib_hive *h = s->hives[IB_HIVE_SOFTWARE];
	g_autofree char *tree = g_strconcat(PATH_NT "\\Schedule\\TaskCache\\Tree\\", path, NULL);
	struct ib_key *key = h ? ib_key_find(ib_hive_root(h), tree) : NULL;
	const struct ib_value *id = key ? ib_key_value(key, "Id") : NULL;
	g_autofree char *guid = id ? ib_value_text(id) : NULL;

	if (guid)
		add_guids(out, guid);
	add_path(out, path, false);
}

static void add_effect(struct ib_store *s, GHashTable *out, const struct ib_effect *e)
{
	switch (e->kind) {
	case EFFECT_FILE:
		add_path(out, e->path, false);
		return;
	case EFFECT_DIRECTORY:
		add_path(out, e->path, true);
		return;
	case EFFECT_KEY:
	case EFFECT_VALUE:
		add_guids(out, e->path);
		add_guids(out, e->source && e->kind == EFFECT_VALUE ? ((const struct ib_registry_value *)e->source)->value : NULL);
		return;
	case EFFECT_MIGRATION: /* a name of the store */
		return;
	case EFFECT_TASK:
		add_task(s, out, e->path);
		return;
	default:
		add_name(out, e->name);
	}
}

static bool gather(struct ib_store *s, const struct ib_removal_match *m, GHashTable *out, struct ib_error **err)
{
	for (guint i = 0; i < m->packages->len; i++) {
		g_auto(GStrv) parts = g_strsplit(m->packages->pdata[i], "~", 2);
		add_name(out, parts[0]);
	}
	for (guint i = 0; i < m->components->len; i++) {
		struct ib_component *c = m->components->pdata[i];
		g_autoptr(GPtrArray) effects = NULL;
		const struct ib_manifest *manifest;
		add_name(out, c->id.name);
		if (!ib_svc_manifest(s, c, &manifest, err) || (manifest && !ib_svc_effects(s, manifest, &effects, err)))
			return false;
		for (guint k = 0; effects && k < effects->len; k++)
			add_effect(s, out, effects->pdata[k]);
		for (guint k = 0; manifest && k < manifest->services->len; k++)
			add_name(out, ((const struct ib_service *)manifest->services->pdata[k])->display_name);
	}
	return true;
}

/* ---- what also belongs to others ---- */

/* One name of somebody else: candidates inside it tell nothing. */
static void strike(GHashTable *candidates, const char *name)
{
	g_autofree char *folded = g_utf8_strdown(name, -1);
	GHashTableIter it;
	gpointer key;

	g_hash_table_iter_init(&it, candidates);
	while (g_hash_table_iter_next(&it, &key, NULL))
		if (strstr(folded, key))
			g_hash_table_iter_remove(&it);
}

/* Paths (folded) of files and folders that belong to the component. */
static GHashTable *own_paths(const struct ib_removal_match *m)
{
	GHashTable *own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < m->effects->len; i++) {
		const struct ib_effect *e = m->effects->pdata[i];
		bool file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;
		g_autofree char *path = file ? g_strdup(e->path)
					     : e->kind == EFFECT_TASK ? g_strconcat(DIR_TASKS "\\", e->path, NULL) : NULL;
		/* The folders above it count as its own; common ones have generic names. */
		for (char *slash; path && (slash = strrchr(path, '\\')); *slash = '\0')
			g_hash_table_add(own, ib_name_fold(path));
	}
	GHashTableIter it;
	gpointer component;
	g_hash_table_iter_init(&it, m->component_set);
	while (g_hash_table_iter_next(&it, &component, NULL)) {
		const struct ib_component *c = component;
		g_autofree char *folder = g_strdup_printf(DIR_WINSXS "\\%s", c->keyform);
		g_autofree char *manifest = g_strdup_printf(DIR_MANIFESTS "\\%s.manifest", c->keyform);
		g_hash_table_add(own, ib_name_fold(folder));
		g_hash_table_add(own, ib_name_fold(manifest));
	}
	for (guint i = 0; i < m->packages->len; i++) {
		static const char *const forms[] = { DIR_PACKAGES "\\%s.mum", DIR_PACKAGES "\\%s.cat", DIR_CATROOT "\\%s.cat" };
		for (size_t k = 0; k < G_N_ELEMENTS(forms); k++) {
			g_auto(GStrv) halves = g_strsplit(forms[k], "%s", 2);
			g_autofree char *path = g_strconcat(halves[0], m->packages->pdata[i], halves[1], NULL);
			g_hash_table_add(own, ib_name_fold(path));
		}
	}
	return own;
}

/* Called for each node; below: also look at its children. */
typedef void (*node_fn)(struct ib_node *node, const char *path, bool *below, void *data);

static void walk(struct ib_node *dir, const char *path, unsigned depth, node_fn fn, void *data)
{
	/* lib/wim bounds the depth of trees at 512. */
	for (struct ib_node *n = ib_node_first(dir); n && depth < 512; n = ib_node_next(n)) {
		g_autofree char *full = *path ? g_strdup_printf("%s\\%s", path, ib_node_name(n)) : g_strdup(ib_node_name(n));
		bool below = ib_node_is_dir(n);
		fn(n, full, &below, data);
		if (below)
			walk(n, full, depth + 1, fn, data);
	}
}

struct strike_walk {
	GHashTable *candidates, *own;
};

static void strike_node(struct ib_node *node, const char *path, bool *below, void *data)
{
	struct strike_walk *w = data;
	g_autofree char *folded = ib_name_fold(path);

	if (!g_hash_table_contains(w->own, folded))
		strike(w->candidates, ib_node_name(node));
	else if (!g_ascii_strncasecmp(path, DIR_WINSXS "\\", strlen(DIR_WINSXS) + 1))
		*below = false; /* the component's own folder of the store */
}

static bool goes(const struct ib_removal_match *m, const char *package_id)
{
	for (guint i = 0; i < m->packages->len; i++)
		if (ib_name_equal(m->packages->pdata[i], package_id))
			return true;
	return false;
}

static bool strike_others(struct ib_store *s, const struct ib_removal_match *m, GHashTable *candidates,
			  struct ib_error **err)
{
	g_autoptr(GHashTable) own = own_paths(m);
	struct strike_walk w = { candidates, own };
	struct ib_model *model;
	const GPtrArray *packages;

	if (!ib_svc_model(s, &model, err) || !ib_store_packages(s, &packages, err))
		return false;
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		const struct ib_component *c = f->components->len ? f->components->pdata[0] : NULL;
		if (c && !g_hash_table_contains(m->component_set, c))
			strike(candidates, c->id.name);
	}
	for (guint i = 0; i < packages->len; i++) {
		const struct ib_installed *p = packages->pdata[i];
		if (!goes(m, p->package_id))
			strike(candidates, p->package_id);
	}
	walk(ib_image_root(s->image), "", 0, strike_node, &w);
	return true;
}

/* ---- what no package brought ---- */

static void add_value(GHashTable *out, const struct ib_key *key, const char *name)
{
	const struct ib_value *v = ib_key_value(key, name);
	g_autofree char *text = v ? ib_value_text(v) : NULL;

	add_name(out, text);
}

/* @return whether there is such a service */
static bool gather_service(struct ib_store *s, const GPtrArray *sets, const char *service, GHashTable *out)
{
	g_autofree char *path = g_strconcat("Services\\", service, NULL);
	bool found = false;

	for (guint i = 0; i < sets->len; i++) {
		struct ib_key *key = ib_key_find(sets->pdata[i], path);
		const struct ib_value *v = key ? ib_key_value(key, "ImagePath") : NULL;
		g_autofree char *command = v ? ib_value_text(v) : NULL;
		g_autofree char *program = command ? ib_svc_command_path(s, command) : NULL;
		if (!key)
			continue;
		found = true;
		add_name(out, ib_key_name(key));
		add_value(out, key, "DisplayName");
		if (program)
			add_path(out, program, false);
	}
	return found;
}

static char **to_list(GHashTable *names);

bool ib_svc_service_traces(struct ib_store *s, const char *service, char ***ret, struct ib_error **err)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) sets = NULL;

	if (!ib_svc_control_sets(s, &sets, err))
		return false;
	*ret = gather_service(s, sets, service, names) ? to_list(names) : NULL;
	return true;
}

/* The service that has the removal's name, and those it names. */
static bool gather_services(struct ib_store *s, const struct ib_removal *r, GHashTable *out, struct ib_error **err)
{
	g_autoptr(GPtrArray) sets = NULL;

	if (!ib_svc_control_sets(s, &sets, err))
		return false;
	gather_service(s, sets, r->name, out);
	for (char **p = r->services; p && *p; p++)
		gather_service(s, sets, *p, out);
	return true;
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **to_list(GHashTable *names)
{
	GPtrArray *out = g_ptr_array_new();
	GHashTableIter it;
	gpointer value;

	g_hash_table_iter_init(&it, names);
	while (g_hash_table_iter_next(&it, NULL, &value))
		g_ptr_array_add(out, g_strdup(value));
	g_ptr_array_sort(out, by_text);
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}

bool ib_store_traces(struct ib_store *s, const struct ib_removal *r, char ***ret, struct ib_error **err)
{
	IB_CLEANUP(ib_svc_removal_match_clear) struct ib_removal_match m = { 0 };
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct ib_removal only = { .name = r->name, .technique = r->technique, .packages = r->packages,
				   .components = r->components };

	/* The image's own view: what the manifest of the removal lists by hand is not asked. */
	bool ok = ib_svc_removal_match(s, &only, &m, err) && gather(s, &m, names, err) && strike_others(s, &m, names, err);
	if (ok && !m.components->len)
		ok = gather_services(s, r, names, err);
	if (!ok)
		return ib_while(err, "gathering the names of '%s'", r->name);
	*ret = to_list(names);
	return true;
}

/* ---- residue ---- */

struct residue {
	struct ib_store *s;
	struct ib_error **err;
	bool failed;       /* err is set */
	GPtrArray *folded; /* needles, lower case */
	GPtrArray *wide;   /* GBytes: the same as UTF-16LE, beside folded */
	bool live;         /* not the store */
	enum ib_hive_id id;
	const char *hive;
	GPtrArray *out;
};

/* Where servicing keeps what is not in use. */
static const char *const store_folders[] = { DIR_WINSXS, "Windows\\servicing", DIR_CATROOT };
static const char *const store_keys[] = { PATH_CBS, PATH_WINNERS };

static bool is_below(const char *path, const char *const *tops, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(tops[i]);
		if (!g_ascii_strncasecmp(path, tops[i], len) && (!path[len] || path[len] == '\\'))
			return true;
	}
	return false;
}

/* Links and tasks have a program in them. A link has a few thousand bytes, a task rarely more. */
#define POINTER_MAX (1u << 20)

static bool is_pointer(const char *path)
{
	size_t len = strlen(path);

	return (len > 4 && !g_ascii_strcasecmp(path + len - 4, ".lnk")) ||
	       !g_ascii_strncasecmp(path, DIR_TASKS "\\", strlen(DIR_TASKS "\\"));
}

/* ASCII letters alone, a byte at a time: what both text and UTF-16 of any alignment bear. */
static void lower(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)g_ascii_tolower((char)p[i]);
}

/* The needle that stands in a file, as text or as UTF-16; NULL: none. */
static const char *pointer_holds(struct residue *w, const uint8_t *data, size_t len)
{
	g_autofree uint8_t *low = g_memdup2(data, len);

	lower(low, len);
	for (guint i = 0; i < w->folded->len; i++) {
		const char *needle = w->folded->pdata[i];
		size_t wide_len;
		const void *wide = g_bytes_get_data(w->wide->pdata[i], &wide_len);
		if (memmem(low, len, needle, strlen(needle)) || memmem(low, len, wide, wide_len))
			return needle;
	}
	return NULL;
}

static void residue_pointer(struct residue *w, const struct ib_node *node, const char *path)
{
	g_autoptr(GBytes) bytes = NULL;
	size_t len;

	if (w->failed || ib_node_size(w->s->image, node) > POINTER_MAX)
		return;
	if (!ib_image_read(w->s->image, path, POINTER_MAX, &bytes, w->err)) {
		w->failed = true;
		return;
	}
	const uint8_t *data = g_bytes_get_data(bytes, &len);
	const char *needle = len ? pointer_holds(w, data, len) : NULL;
	if (needle)
		g_ptr_array_add(w->out, g_strdup_printf("file %s holds '%s'", path, needle));
}

static void residue_node(struct ib_node *node, const char *path, bool *below, void *data)
{
	struct residue *w = data;
	g_autofree char *name = g_utf8_strdown(ib_node_name(node), -1);

	if (w->live && is_below(path, store_folders, G_N_ELEMENTS(store_folders))) {
		*below = false;
		return;
	}
	for (guint i = 0; i < w->folded->len && w->out->len < RESIDUE_MAX; i++)
		if (strstr(name, w->folded->pdata[i])) {
			g_ptr_array_add(w->out, g_strdup_printf("%s %s", *below ? "folder" : "file", path));
			return;
		}
	if (!*below && w->out->len < RESIDUE_MAX && is_pointer(path))
		residue_pointer(w, node, path);
}

/* Needles in lower case, as text and as UTF-16. */
static void add_needle(struct residue *w, const char *trace)
{
	char *folded = g_utf8_strdown(trace, -1);
	size_t len;
	uint8_t *wide = ib_utf8_to_utf16(folded, &len);

	lower(wide, len);
	g_ptr_array_add(w->folded, folded);
	g_ptr_array_add(w->wide, g_bytes_new_take(wide, len));
}

static bool residue_hit(struct ib_key *key, const struct ib_value *value, const char *needle, void *data)
{
	struct residue *w = data;
	g_autofree char *path = ib_key_path(key);

	if (w->live && w->id == IB_HIVE_SOFTWARE && is_below(path, store_keys, G_N_ELEMENTS(store_keys)))
		return true;
	if (value)
		g_ptr_array_add(w->out, g_strdup_printf("value %s\\%s!%s holds '%s'", w->hive, path, ib_value_name(value), needle));
	else
		g_ptr_array_add(w->out, g_strdup_printf("key %s\\%s", w->hive, path));
	return w->out->len < RESIDUE_MAX;
}

bool ib_store_residue(struct ib_store *s, char *const *traces, enum ib_removal_technique technique, GPtrArray **ret,
		      struct ib_error **err)
{
	g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) folded = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) wide = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	struct residue w = { .s = s, .err = err, .folded = folded, .wide = wide, .live = technique == IB_REMOVE_EMPTY_WINNER,
			     .out = out };

	for (char *const *p = traces; *p; p++)
		add_needle(&w, *p);
	walk(ib_image_root(s->image), "", 0, residue_node, &w);
	if (w.failed)
		return ib_while(err, "looking for what refers to the component");
	for (unsigned id = 0; folded->len && id < IB_HIVE_COUNT; id++) {
		struct ib_hive *hive;
		if (!ib_svc_hive_present(s, (enum ib_hive_id)id) || (w.live && id == IB_HIVE_COMPONENTS))
			continue;
		if (!ib_store_hive(s, (enum ib_hive_id)id, &hive, err))
			return false;
		w.id = (enum ib_hive_id)id;
		w.hive = ib_svc_hive_name((enum ib_hive_id)id);
		ib_hive_search(hive, (const char *const *)traces, residue_hit, &w);
	}
	*ret = g_steal_pointer(&out);
	return true;
}
