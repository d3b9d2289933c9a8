#include "imgbuild.h"

#include <string.h>

static const struct option *find_in(const struct option *table, const char *name, size_t len, char letter)
{
	for (; table && table->name; table++) {
		if (letter ? table->letter == letter : strlen(table->name) == len && strncmp(table->name, name, len) == 0)
			return table;
	}
	return NULL;
}

static const struct option *find_option(const struct command *c, const char *name, size_t len, char letter)
{
	const struct option *o = find_in(c->options, name, len, letter);

	return o ? o : find_in(common_options, name, len, letter);
}

static bool throw_unknown(const struct command *c, const char *given, size_t len, struct ib_error **err)
{
	g_autofree char *name = g_strndup(given, len);
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (const struct option *o = c->options; o && o->name; o++)
		g_ptr_array_add(names, (void *)o->name);
	for (const struct option *o = common_options; o->name; o++)
		g_ptr_array_add(names, (void *)o->name);
	g_ptr_array_add(names, NULL);
	const char *near = ib_nearest(name + strspn(name, "-"), (const char *const *)names->pdata);
	ib_throw(err, IB_ERR_USAGE, "'%s' has no option '%s'", c->name, name);
	return near ? ib_hint(err, "did you mean '--%s'?", near) : ib_hint(err, "imgbuild %s --help lists them", c->name);
}

static bool add_value(struct args *a, const struct option *o, const char *value, struct ib_error **err)
{
	GPtrArray *list = g_hash_table_lookup(a->options, o->name);

	if (list && !o->repeatable)
		return ib_throw(err, IB_ERR_USAGE, "option '--%s' is given twice", o->name);
	if (!list) {
		list = g_ptr_array_new();
		g_hash_table_insert(a->options, (void *)o->name, list);
	}
	g_ptr_array_add(list, (void *)value);
	return true;
}

/* One argument that begins with '-'; *i moves on when it takes the next one as its value. */
static bool parse_option(const struct command *c, struct args *a, int argc, char **argv, int *i, struct ib_error **err)
{
	const char *arg = argv[*i];
	bool is_long = arg[1] == '-';
	const char *equals = is_long ? strchr(arg, '=') : NULL;
	size_t len = is_long ? (equals ? (size_t)(equals - arg) : strlen(arg)) - 2 : 0;
	const struct option *o = is_long ? find_option(c, arg + 2, len, 0) : find_option(c, NULL, 0, arg[1]);
	const char *value = equals ? equals + 1 : !is_long && arg[2] ? arg + 2 : NULL;

	if (!o)
		return throw_unknown(c, arg, is_long ? len + 2 : 2, err);
	if (!o->argument && value)
		return ib_throw(err, IB_ERR_USAGE, "option '--%s' takes no value", o->name);
	if (o->argument && !value) {
		if (*i + 1 >= argc)
			return ib_throw(err, IB_ERR_USAGE, "option '--%s' needs a value: %s", o->name, o->argument);
		value = argv[++*i];
	}
	return add_value(a, o, value ? value : "", err);
}

bool args_parse(const struct command *command, int argc, char **argv, struct args **ret, struct ib_error **err)
{
	struct args *a = g_new0(struct args, 1);
	bool only_words = false;

	a->words = g_ptr_array_new();
	a->options = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
	for (int i = 0; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (only_words || argv[i][0] != '-' || !argv[i][1]) {
			g_ptr_array_add(a->words, argv[i]);
		} else if (!parse_option(command, a, argc, argv, &i, err)) {
			args_free(a);
			return false;
		}
	}
	*ret = a;
	return true;
}

void args_free(struct args *a)
{
	if (!a)
		return;
	g_ptr_array_unref(a->words);
	g_hash_table_unref(a->options);
	g_free(a);
}

const char *args_value(const struct args *a, const char *name)
{
	GPtrArray *list = g_hash_table_lookup(a->options, name);

	return list ? g_ptr_array_index(list, list->len - 1) : NULL;
}

char **args_values(const struct args *a, const char *name)
{
	GPtrArray *list = g_hash_table_lookup(a->options, name), *out = g_ptr_array_new();

	for (guint i = 0; list && i < list->len; i++)
		g_ptr_array_add(out, g_ptr_array_index(list, i));
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}

bool args_has(const struct args *a, const char *name)
{
	return g_hash_table_contains(a->options, name);
}

const char *args_word(const struct args *a, unsigned i)
{
	return i < a->words->len ? g_ptr_array_index(a->words, i) : NULL;
}

char *args_split_index(const char *word, unsigned *ret_index)
{
	const char *colon = strrchr(word, ':');
	guint64 n;

	*ret_index = 0;
	if (!colon || g_file_test(word, G_FILE_TEST_EXISTS) ||
	    !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &n, NULL))
		return g_strdup(word);
	*ret_index = (unsigned)n;
	return g_strndup(word, (gsize)(colon - word));
}
