/*
 * Hives by hand, for shell tests:
 *
 *   save IN OUT                    load and save
 *   import IN OUT REG ROOT         apply .reg text
 *   export IN ROOT                 .reg text on stdout
 *   many OUT COUNT                 a hive with COUNT subkeys under one key
 *   data OUT SIZE...               a value of each size, filled with a pattern
 *   random IN OUT MODEL SEED STEPS random edits; what must be in the hive goes to MODEL
 *                                  in the form of `hivexregedit --export`
 *
 * IN may be '-': a new hive.
 */
#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME UINT64_C(133000000000000000)

/* Takes the address: the order in which arguments are evaluated is not defined. */
static void check(bool ok, struct ib_error **err)
{
	if (ok)
		return;
	g_autofree char *text = ib_error_format(*err, "registry_edit");
	fputs(text, stderr);
	exit((int)ib_error_code(*err));
}

static struct ib_hive *load(const char *path)
{
	struct ib_error *err = NULL;
	g_autoptr(GBytes) bytes = NULL;
	struct ib_hive_options options = { .name = path };
	struct ib_hive *h = NULL;

	if (strcmp(path, "-") == 0)
		return ib_hive_new("ROOT");
	check(ib_file_read(path, UINT32_MAX, &bytes, &err), &err);
	check(ib_hive_load(bytes, &options, &h, &err), &err);
	return h;
}

static void save(struct ib_hive *h, const char *path)
{
	struct ib_error *err = NULL;
	g_autoptr(GBytes) bytes = NULL;

	check(ib_hive_save(h, TIME, &bytes, &err), &err);
	check(ib_file_write(path, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &err), &err);
}

static void many(struct ib_hive *h, unsigned count)
{
	struct ib_error *err = NULL;
	struct ib_key *k;

	for (unsigned i = 0; i < count; i++) {
		g_autofree char *path = g_strdup_printf("Parent\\amd64_component-%08x_31bf3856ad364e35",
							(i * 2654435761u) & 0xFFFFFFFFu);
		check(ib_key_make(h, ib_hive_root(h), path, &k, &err), &err);
		check(ib_key_set_dword(h, k, "n", i, &err), &err);
	}
}

static void sizes(struct ib_hive *h, int n, char **list)
{
	struct ib_error *err = NULL;

	for (int i = 0; i < n; i++) {
		size_t len = (size_t)strtoul(list[i], NULL, 10);
		g_autofree uint8_t *data = g_malloc(len + 1);
		for (size_t j = 0; j < len; j++)
			data[j] = (uint8_t)(j * 31 + j / 251 + (size_t)i);
		check(ib_key_set(h, ib_hive_root(h), list[i], IB_REG_BINARY, data, len, &err), &err);
	}
}

/* ---- random edits against a model that knows nothing of hives ---- */

struct model_key {
	GPtrArray *names; /* of values, in the order they were set */
	GHashTable *values; /* upper-cased name -> "hex(t):aa,bb" */
};

/* All names of this test are ASCII in upper case on one side, so that the model can fold with GLib. */
static void model_key_free(void *p)
{
	struct model_key *m = p;

	g_ptr_array_unref(m->names);
	g_hash_table_unref(m->values);
	g_free(m);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By components, each upper-cased: '\' sorts below every letter of a name. */
static char *sort_form(const char *path)
{
	char *up = g_ascii_strup(path, -1);

	for (char *p = up; *p; p++)
		if (*p == '\\')
			*p = 1;
	return up;
}

static int compare_paths(gconstpointer a, gconstpointer b)
{
	g_autofree char *pa = sort_form(*(const char *const *)a);
	g_autofree char *pb = sort_form(*(const char *const *)b);

	return strcmp(pa, pb);
}

static struct model_key *model_get(GHashTable *model, const char *path)
{
	struct model_key *m = g_hash_table_lookup(model, path);

	if (!m) {
		m = g_new0(struct model_key, 1);
		m->names = g_ptr_array_new_with_free_func(g_free);
		m->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		g_hash_table_insert(model, g_strdup(path), m);
	}
	return m;
}

static void model_make(GHashTable *model, const char *path)
{
	g_autofree char *up = g_strdup(path);

	model_get(model, "");
	for (char *p = up; *p; p++) {
		if (*p != '\\')
			continue;
		*p = 0;
		model_get(model, up);
		*p = '\\';
	}
	model_get(model, up);
}

static void model_remove(GHashTable *model, const char *path)
{
	GHashTableIter it;
	gpointer key;
	size_t n = strlen(path);

	g_hash_table_iter_init(&it, model);
	while (g_hash_table_iter_next(&it, &key, NULL)) {
		const char *k = key;
		if (strncmp(k, path, n) == 0 && (k[n] == 0 || k[n] == '\\'))
			g_hash_table_iter_remove(&it);
	}
}

static char *value_form(uint32_t type, const uint8_t *data, size_t len)
{
	GString *s = g_string_new(NULL);

	if (type == IB_REG_DWORD && len == 4) {
		g_string_printf(s, "dword:%08x", ib_le32(data));
		return g_string_free(s, FALSE);
	}
	g_string_printf(s, "hex(%x):", type);
	for (size_t i = 0; i < len; i++)
		g_string_append_printf(s, "%s%02x", i ? "," : "", data[i]);
	return g_string_free(s, FALSE);
}

static void model_set(struct model_key *m, const char *name, char *form)
{
	if (!g_hash_table_contains(m->values, name))
		g_ptr_array_add(m->names, g_strdup(name));
	g_hash_table_insert(m->values, g_strdup(name), form);
}

static void model_unset(struct model_key *m, const char *name)
{
	g_hash_table_remove(m->values, name);
	for (guint i = 0; i < m->names->len; i++) {
		if (strcmp(g_ptr_array_index(m->names, i), name) == 0) {
			g_ptr_array_remove_index(m->names, i);
			return;
		}
	}
}

static void model_write(GHashTable *model, const char *file)
{
	g_autoptr(GPtrArray) paths = g_ptr_array_new();
	g_autoptr(GString) out = g_string_new("Windows Registry Editor Version 5.00\n");
	GHashTableIter it;
	gpointer key;
	struct ib_error *err = NULL;

	g_hash_table_iter_init(&it, model);
	while (g_hash_table_iter_next(&it, &key, NULL))
		g_ptr_array_add(paths, key);
	g_ptr_array_sort(paths, compare_paths);
	for (guint i = 0; i < paths->len; i++) {
		const char *path = g_ptr_array_index(paths, i);
		struct model_key *m = g_hash_table_lookup(model, path);
		g_string_append_printf(out, "\n[\\%s]\n", path);
		g_ptr_array_sort(m->names, compare_names); /* hivexregedit sorts values */
		for (guint j = 0; j < m->names->len; j++) {
			const char *name = g_ptr_array_index(m->names, j);
			if (*name)
				g_string_append_printf(out, "\"%s\"=", name);
			else
				g_string_append(out, "@=");
			g_string_append_printf(out, "%s\n", (char *)g_hash_table_lookup(m->values, name));
		}
	}
	g_string_append_c(out, '\n'); /* hivexregedit ends with an empty line */
	check(ib_file_write(file, out->str, out->len, &err), &err);
}

static char *random_path(GRand *rnd)
{
	GString *s = g_string_new(NULL);
	int depth = g_rand_int_range(rnd, 1, 4);

	for (int i = 0; i < depth; i++)
		g_string_append_printf(s, "%s%c%d_KEY", i ? "\\" : "", 'A' + g_rand_int_range(rnd, 0, 3) + 3 * i,
				       g_rand_int_range(rnd, 0, i == 0 ? 4 : 40));
	return g_string_free(s, FALSE);
}

/* The same name to Windows, another to us. */
static char *other_case(GRand *rnd, const char *name)
{
	char *s = g_strdup(name);

	for (char *p = s; *p; p++)
		if (g_rand_boolean(rnd))
			*p = g_ascii_tolower(*p);
	return s;
}

static void random_value(struct ib_hive *h, struct ib_key *k, struct model_key *m, GRand *rnd)
{
	static const size_t lens[] = { 0, 1, 3, 4, 5, 8, 100, 4056, 5000, 16344, 16345, 40000 };
	struct ib_error *err = NULL;
	/* the large ones are rare, or the hive drowns in them */
	size_t len = lens[g_rand_int_range(rnd, 0, g_rand_int_range(rnd, 0, 20) ? 7 : 12)];
	uint32_t type = g_rand_int_range(rnd, 0, 8) ? (uint32_t)g_rand_int_range(rnd, 0, 12) : 0x00020001;
	g_autofree char *name = g_rand_int_range(rnd, 0, 6) ? g_strdup_printf("V%d", g_rand_int_range(rnd, 0, 50))
							    : g_strdup("");
	g_autofree uint8_t *data = g_malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)g_rand_int(rnd);
	/* the first spelling of a name stays: set by the model's, look up by the other */
	check(ib_key_set(h, k, name, type, data, len, &err), &err);
	model_set(m, name, value_form(type, data, len));
}

static void random_step(struct ib_hive *h, GHashTable *model, GRand *rnd)
{
	struct ib_error *err = NULL;
	g_autofree char *path = random_path(rnd);
	g_autofree char *spelled = other_case(rnd, path);
	struct ib_key *k = ib_key_find(ib_hive_root(h), spelled);
	int what = g_rand_int_range(rnd, 0, 20);

	if ((k != NULL) != g_hash_table_contains(model, path)) {
		fprintf(stderr, "registry_edit: '%s' is %sfound\n", spelled, k ? "" : "not ");
		exit(1);
	}
	if (what == 0 && k) {
		check(ib_key_remove(h, k, &err), &err);
		model_remove(model, path);
	} else if (what < 4 && k) {
		g_autofree char *name = g_strdup_printf("v%d", g_rand_int_range(rnd, 0, 50));
		ib_key_unset(h, k, name);
		*name = 'V';
		model_unset(model_get(model, path), name);
	} else {
		check(ib_key_make(h, ib_hive_root(h), path, &k, &err), &err);
		model_make(model, path);
		random_value(h, k, model_get(model, path), rnd);
	}
}

static void random_edits(struct ib_hive *h, const char *out, uint32_t seed, unsigned steps, const char *file)
{
	g_autoptr(GRand) rnd = g_rand_new_with_seed(seed);
	g_autoptr(GHashTable) model = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, model_key_free);

	model_make(model, "");
	for (unsigned i = 0; i < steps; i++) {
		random_step(h, model, rnd);
		if (g_rand_int_range(rnd, 0, 100) == 0) { /* go on with what was written */
			save(h, out);
			ib_hive_free(h);
			h = load(out);
		}
	}
	save(h, out);
	ib_hive_free(h);
	model_write(model, file);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct ib_error *err = NULL;

	if (strcmp(verb, "random") == 0 && argc == 7) {
		random_edits(load(argv[2]), argv[3], (uint32_t)strtoul(argv[5], NULL, 10),
			     (unsigned)strtoul(argv[6], NULL, 10), argv[4]);
		return 0;
	}
	bool makes = strcmp(verb, "many") == 0 || strcmp(verb, "data") == 0;
	struct ib_hive *h = *verb ? load(makes ? "-" : argv[2]) : NULL;
	if (strcmp(verb, "save") == 0 && argc == 4) {
		save(h, argv[3]);
	} else if (strcmp(verb, "import") == 0 && argc == 6) {
		g_autoptr(GBytes) text = NULL;
		check(ib_file_read(argv[4], UINT32_MAX, &text, &err), &err);
		check(ib_hive_import(h, argv[5], g_bytes_get_data(text, NULL), g_bytes_get_size(text), argv[4], NULL,
				     &err), &err);
		save(h, argv[3]);
	} else if (strcmp(verb, "export") == 0 && argc == 4) {
		g_autofree char *text = ib_hive_export(ib_hive_root(h), argv[3]);
		fputs(text, stdout);
	} else if (strcmp(verb, "many") == 0 && argc == 4) {
		many(h, (unsigned)strtoul(argv[3], NULL, 10));
		save(h, argv[2]);
	} else if (strcmp(verb, "data") == 0) {
		sizes(h, argc - 3, argv + 3);
		save(h, argv[2]);
	} else {
		fputs("usage: see the head of tests/tools/registry_edit.c\n", stderr);
		return 2;
	}
	ib_hive_free(h);
	return 0;
}
