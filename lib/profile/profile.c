#include "profile/internal.h"

#include <string.h>

/* How deep `extends` may go, and how often ${} may refer to ${}. Real chains have two or three. */
#define DEPTH_MAX 16

struct ib_ini {
	char *path;
	const struct ib_ini_key *keys;
	GPtrArray *entries;   /* struct entry *, effective */
	GPtrArray *fallbacks; /* struct entry * made from the schema */
	GHashTable *index;    /* "section\nname" -> struct entry * */
};

static char *entry_id(const char *section, const char *name)
{
	return g_strdup_printf("%s\n%s", section, name);
}

/* ---- merging ---- */

static bool merge_one(struct ib_ini *ini, struct entry *e, struct ib_error **err)
{
	g_autofree char *id = entry_id(e->section, e->name);
	struct entry *old = g_hash_table_lookup(ini->index, id);

	if (old && e->append) {
		char *joined = g_strdup_printf("%s, %s", old->value, e->value);
		g_free(e->value);
		e->value = joined;
	}
	if (old)
		g_ptr_array_remove(ini->entries, old); /* frees it */
	g_ptr_array_add(ini->entries, e);
	g_hash_table_insert(ini->index, g_steal_pointer(&id), e);
	return true;
}

static const char *extends_of(GPtrArray *own)
{
	for (guint i = 0; i < own->len; i++) {
		struct entry *e = g_ptr_array_index(own, i);
		if (strcmp(e->section, "profile") == 0 && strcmp(e->name, "extends") == 0)
			return e->value;
	}
	return NULL;
}

/* Read one file and its parents, oldest first. `chain` holds the files being read. */
static bool load_chain(struct ib_ini *ini, const char *text, size_t len, const char *path, GPtrArray *chain,
		       struct ib_error **err)
{
	g_autoptr(GPtrArray) own = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);

	for (guint i = 0; i < chain->len; i++)
		if (strcmp(g_ptr_array_index(chain, i), path) == 0)
			return ib_throw(err, IB_ERR_INPUT, "'%s' extends itself", path);
	if (chain->len >= DEPTH_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is the %dth parent; at most %d are followed", path, DEPTH_MAX, DEPTH_MAX);
	g_ptr_array_add(chain, (void *)path);
	if (!ini_read(text, len, path, own, err))
		return false;
	const char *parent = extends_of(own);
	if (parent) {
		g_autofree char *dir = g_path_get_dirname(path);
		g_autofree char *full = g_path_is_absolute(parent) ? g_strdup(parent) : g_build_filename(dir, parent, NULL);
		g_autoptr(GBytes) bytes = NULL;
		if (!ib_file_read(full, IB_INI_MAX, &bytes, err))
			return ib_while(err, "reading the parent of '%s'", path);
		if (!load_chain(ini, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), full, chain, err))
			return false;
	}
	while (own->len > 0)
		if (!merge_one(ini, g_ptr_array_steal_index(own, 0), err))
			return false;
	g_ptr_array_remove_index(chain, chain->len - 1);
	return true;
}

/* ---- variables ---- */

static void take_vars(struct ib_ini *ini, GHashTable *vars)
{
	for (guint i = 0; i < ini->entries->len; i++) {
		struct entry *e = g_ptr_array_index(ini->entries, i);
		if (strcmp(e->section, "vars") == 0)
			g_hash_table_replace(vars, g_strdup(e->name), g_strdup(e->value));
	}
}

static bool take_vars_file(const char *path, GHashTable *vars, struct ib_error **err)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_file_read(path, IB_INI_MAX, &bytes, err) ||
	    !ini_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), path, entries, err))
		return ib_while(err, "reading variables from '%s'", path);
	for (guint i = 0; i < entries->len; i++) {
		struct entry *e = g_ptr_array_index(entries, i);
		if (strcmp(e->section, "vars") != 0)
			return entry_throw(e, err, "a file of variables has only a [vars] section, not '[%s]'", e->section);
		g_hash_table_replace(vars, g_strdup(e->name), g_strdup(e->value));
	}
	return true;
}

static bool take_sets(char *const *sets, GHashTable *vars, struct ib_error **err)
{
	for (; sets && *sets; sets++) {
		const char *equals = strchr(*sets, '=');
		if (!equals || equals == *sets)
			return ib_throw(err, IB_ERR_USAGE, "--set takes name=value, not '%s'", *sets);
		g_hash_table_replace(vars, g_strndup(*sets, (gsize)(equals - *sets)), g_strdup(equals + 1));
	}
	return true;
}

/* Whoever sets a variable that is not there has its name wrong, or means a key. */
static void warn_unused(const struct ib_ini *ini, char *const *sets, GHashTable *used)
{
	g_autofree const char **names = (const char **)g_hash_table_get_keys_as_array(used, NULL);

	for (; sets && *sets; sets++) {
		g_autofree char *name = g_strndup(*sets, strcspn(*sets, "="));
		if (g_hash_table_contains(used, name))
			continue;
		const char *near = ib_nearest(name, names);
		g_autofree char *meant = near ? g_strdup_printf(", did you mean %s?", near) : g_strdup("");
		ib_log(IB_LOG_WARNING, "profile", "--set %s changes nothing: '%s' has no ${%s}%s", name, ini->path, name, meant);
	}
}

/* used: gets the names of variables that were referred to. */
static bool expand(const struct entry *e, const char *text, GHashTable *vars, GHashTable *used, unsigned depth, GString *out,
		   struct ib_error **err)
{
	if (depth > DEPTH_MAX)
		return entry_throw(e, err, "variables refer to each other in a circle");
	for (const char *at = text;;) {
		const char *open = strstr(at, "${");
		if (!open) {
			g_string_append(out, at);
			return true;
		}
		const char *close = strchr(open, '}');
		if (!close)
			return entry_throw(e, err, "'${' has no '}'");
		g_string_append_len(out, at, open - at);
		g_autofree char *name = g_strndup(open + 2, (gsize)(close - open - 2));
		const char *value = g_hash_table_lookup(vars, name);
		if (!value) {
			entry_throw(e, err, "variable '%s' is not set", name);
			return ib_hint(err, "give --set %s=VALUE, --vars FILE, or a [vars] section", name);
		}
		g_hash_table_add(used, g_steal_pointer(&name));
		if (!expand(e, value, vars, used, depth + 1, out, err))
			return false;
		at = close + 1;
	}
}

static bool expand_all(struct ib_ini *ini, const struct ib_ini_options *o, struct ib_error **err)
{
	g_autoptr(GHashTable) vars = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	take_vars(ini, vars);
	if (o && o->vars_file && !take_vars_file(o->vars_file, vars, err))
		return false;
	if (o && !take_sets(o->sets, vars, err))
		return false;
	for (guint i = 0; i < ini->entries->len; i++) {
		struct entry *e = g_ptr_array_index(ini->entries, i);
		g_autoptr(GString) out = g_string_new(NULL);
		if (strcmp(e->section, "vars") == 0)
			continue;
		if (!expand(e, e->value, vars, used, 0, out, err))
			return false;
		g_free(e->value);
		e->value = g_string_free(g_steal_pointer(&out), FALSE);
	}
	if (o && o->warn_unused)
		warn_unused(ini, o->sets, used);
	return true;
}

/* ---- the schema ---- */

static bool throw_unknown(const struct ib_ini *ini, const struct entry *e, struct ib_error **err)
{
	g_autoptr(GPtrArray) sections = g_ptr_array_new(), names = g_ptr_array_new();
	bool section_known = false;

	for (const struct ib_ini_key *k = ini->keys; k->section; k++) {
		g_ptr_array_add(sections, (void *)k->section);
		if (pattern_covers(k->section, e->section)) {
			section_known = true;
			g_ptr_array_add(names, (void *)k->name);
		}
	}
	GPtrArray *list = section_known ? names : sections;
	g_ptr_array_add(list, NULL);
	const char *near = ib_nearest(section_known ? e->name : e->section, (const char *const *)list->pdata);
	if (section_known)
		entry_throw(e, err, "key '%s' is not known in section '[%s]'", e->name, e->section);
	else
		entry_throw(e, err, "section '[%s]' is not known", e->section);
	return near ? ib_hint(err, "did you mean '%s'?", near) : ib_hint(err, "imgbuild profile keys lists them all");
}

static const struct ib_ini_key *find_key(const struct ib_ini_key *keys, const char *section, const char *name)
{
	for (const struct ib_ini_key *k = keys; k->section; k++)
		if (pattern_covers(k->section, section) && pattern_covers(k->name, name))
			return k;
	return NULL;
}

static bool is_pattern(const char *text)
{
	return strchr(text, '*') != NULL;
}

/* One key of one section: when it is absent it gets its fallback, or is asked for. */
static bool fill_key(struct ib_ini *ini, const struct ib_ini_key *k, const char *section, struct ib_error **err)
{
	g_autofree char *id = entry_id(section, k->name);

	if (g_hash_table_contains(ini->index, id))
		return true;
	if (k->required)
		return ib_throw(err, IB_ERR_INPUT, "%s: key '%s' is required in section '[%s]': %s", ini->path, k->name,
				section, k->help);
	if (!k->fallback)
		return true;
	struct entry *e = g_new0(struct entry, 1);
	e->section = g_strdup(section);
	e->name = g_strdup(k->name);
	e->value = g_strdup(k->fallback);
	e->key = k;
	e->file = g_intern_string("");
	g_ptr_array_add(ini->fallbacks, e);
	if (!entry_convert(e, err))
		return false;
	g_hash_table_insert(ini->index, g_steal_pointer(&id), e);
	return true;
}

/* Of a section like "role:*" each one that the profile has is asked. */
static bool fill(struct ib_ini *ini, struct ib_error **err)
{
	for (const struct ib_ini_key *k = ini->keys; k->section; k++) {
		if (is_pattern(k->name))
			continue;
		if (!is_pattern(k->section)) {
			if (!fill_key(ini, k, k->section, err))
				return false;
			continue;
		}
		for (guint i = 0; i < ini->entries->len; i++) {
			const struct entry *e = g_ptr_array_index(ini->entries, i);
			if (pattern_covers(k->section, e->section) && !fill_key(ini, k, e->section, err))
				return false;
		}
	}
	return true;
}

static bool is_list(const struct ib_ini_key *k)
{
	return k->type == IB_INI_LIST || k->type == IB_INI_PATHS || k->type == IB_INI_WORDS;
}

/* "key =" takes back what a parent said: the key counts as absent. */
static bool unset(struct ib_ini *ini, struct entry *e, struct ib_error **err)
{
	g_autofree char *id = entry_id(e->section, e->name);

	if (e->key->required)
		return entry_throw(e, err, "'%s' is required and must not be empty", e->name);
	g_hash_table_remove(ini->index, id);
	e->key = NULL; /* not listed either */
	return true;
}

static bool apply_schema(struct ib_ini *ini, struct ib_error **err)
{
	for (guint i = 0; i < ini->entries->len; i++) {
		struct entry *e = g_ptr_array_index(ini->entries, i);
		if (strcmp(e->section, "vars") == 0)
			continue;
		e->key = find_key(ini->keys, e->section, e->name);
		if (!e->key)
			return throw_unknown(ini, e, err);
		if (e->append && !is_list(e->key))
			return entry_throw(e, err, "'+=' appends to a list, '%s' is none", e->name);
		if (!*e->value && !is_list(e->key)) {
			if (!unset(ini, e, err))
				return false;
			continue;
		}
		if (!entry_convert(e, err))
			return false;
	}
	return fill(ini, err);
}

/* ---- public ---- */

bool ib_ini_parse(const char *text, size_t len, const char *path, const struct ib_ini_key *keys,
		  const struct ib_ini_options *options, struct ib_ini **ret, struct ib_error **err)
{
	struct ib_ini *ini = g_new0(struct ib_ini, 1);
	g_autoptr(GPtrArray) chain = g_ptr_array_new();

	ini->path = g_strdup(path);
	ini->keys = keys;
	ini->entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
	ini->fallbacks = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
	ini->index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (load_chain(ini, text, len, path, chain, err) && expand_all(ini, options, err) && apply_schema(ini, err)) {
		*ret = ini;
		return true;
	}
	ib_ini_free(ini);
	return ib_while(err, "reading profile '%s'", path);
}

bool ib_ini_load(const char *path, const struct ib_ini_key *keys, const struct ib_ini_options *options,
		 struct ib_ini **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_file_read(path, IB_INI_MAX, &bytes, err))
		return ib_while(err, "reading profile '%s'", path);
	return ib_ini_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), path, keys, options, ret, err);
}

void ib_ini_free(struct ib_ini *ini)
{
	if (!ini)
		return;
	g_hash_table_unref(ini->index);
	g_ptr_array_unref(ini->entries);
	g_ptr_array_unref(ini->fallbacks);
	g_free(ini->path);
	g_free(ini);
}

const char *ib_ini_path(const struct ib_ini *ini)
{
	return ini->path;
}

static struct entry *lookup(const struct ib_ini *ini, const char *section, const char *key)
{
	g_autofree char *id = entry_id(section, key);

	/* Asking for a key the schema does not have is a bug of ours. */
	g_return_val_if_fail(find_key(ini->keys, section, key), NULL);
	return g_hash_table_lookup(ini->index, id);
}

const char *ib_ini_text(const struct ib_ini *ini, const char *section, const char *key)
{
	struct entry *e = lookup(ini, section, key);

	return e ? e->value : NULL;
}

char *const *ib_ini_list(const struct ib_ini *ini, const char *section, const char *key)
{
	static char *const none[] = { NULL };
	struct entry *e = lookup(ini, section, key);

	return e && e->items ? e->items : none;
}

uint64_t ib_ini_number(const struct ib_ini *ini, const char *section, const char *key, uint64_t absent)
{
	struct entry *e = lookup(ini, section, key);

	return e ? g_ascii_strtoull(e->value, NULL, 10) : absent;
}

bool ib_ini_flag(const struct ib_ini *ini, const char *section, const char *key)
{
	struct entry *e = lookup(ini, section, key);

	return e && strcmp(e->value, "yes") == 0;
}

bool ib_ini_has(const struct ib_ini *ini, const char *section, const char *key, const char *word)
{
	return g_strv_contains((const char *const *)ib_ini_list(ini, section, key), word);
}

bool ib_ini_is_set(const struct ib_ini *ini, const char *section, const char *key)
{
	struct entry *e = lookup(ini, section, key);

	return e && e->line > 0;
}

char *ib_ini_place(const struct ib_ini *ini, const char *section, const char *key)
{
	struct entry *e = lookup(ini, section, key);

	return e && e->line ? g_strdup_printf("%s:%u", e->file, e->line) : g_strdup(ini->path);
}

static void append_entries(GArray *out, GPtrArray *from, const struct ib_ini_key *k)
{
	for (guint i = 0; i < from->len; i++) {
		const struct entry *e = g_ptr_array_index(from, i);
		if (e->key != k)
			continue;
		struct ib_ini_entry item = { e->section, e->name, e->value, e->line ? e->file : NULL, e->line };
		g_array_append_val(out, item);
	}
}

GArray *ib_ini_entries(const struct ib_ini *ini)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(struct ib_ini_entry));

	for (const struct ib_ini_key *k = ini->keys; k->section; k++) {
		append_entries(out, ini->entries, k);
		append_entries(out, ini->fallbacks, k);
	}
	return out;
}
