#include "report/internal.h"

#include <string.h>

/* Clauses and terms: data, one entry with its text in each language. */

/* Most bytes of a text file: ours have some ten thousand. */
#define TEXTS_MAX (1u << 20)

static void text_free(void *p)
{
	struct report_text *t = p;

	g_ptr_array_unref(t->languages);
	g_ptr_array_unref(t->texts);
	g_free(t);
}

void report_texts_free(struct report_texts *t)
{
	if (!t)
		return;
	g_ptr_array_unref(t->list);
	ib_xml_free(t->doc);
	g_free(t);
}

static const struct report_text *find(const struct report_texts *t, const char *id)
{
	for (guint i = 0; i < t->list->len; i++) {
		const struct report_text *e = g_ptr_array_index(t->list, i);
		if (strcmp(e->id, id) == 0)
			return e;
	}
	return NULL;
}

static const char *in_language(const struct report_text *e, const char *language)
{
	for (guint i = 0; i < e->languages->len; i++)
		if (strcmp(g_ptr_array_index(e->languages, i), language) == 0)
			return g_ptr_array_index(e->texts, i);
	return NULL;
}

const char *report_texts_get(const struct report_texts *t, const char *id, const char *language)
{
	const struct report_text *e = find(t, id);

	return e ? in_language(e, language) : NULL;
}

/* The next "{name}" in a text: its name (g_free) and where to go on; NULL when there is none. */
static char *next_placeholder(const char **at, const char **ret_start)
{
	for (const char *open = *at; (open = strchr(open, '{')); open++) {
		size_t n = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz0123456789-");
		if (n == 0 || open[n + 1] != '}')
			continue;
		*ret_start = open;
		*at = open + n + 2;
		return g_strndup(open + 1, n);
	}
	return NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All placeholders of a text, sorted, as one string: equal for two texts that say the same data. */
static char *placeholders(const char *text)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *start;

	for (char *name; (name = next_placeholder(&text, &start));)
		if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, name);
		else
			g_free(name);
	g_ptr_array_sort(names, compare_names);
	g_ptr_array_add(names, NULL);
	return g_strjoinv(" ", (char **)names->pdata);
}

bool report_fill(const char *text, GHashTable *facts, GHashTable *known, const char *missing, char **ret,
		 struct ib_error **err)
{
	g_autoptr(GString) out = g_string_new(NULL);
	const char *at = text, *start;

	for (char *name; (name = next_placeholder(&at, &start)); text = at) {
		g_autofree char *own = name;
		const char *value = g_hash_table_lookup(facts, own);
		if (!g_hash_table_contains(known, own))
			return ib_throw(err, IB_ERR_INPUT, "the placeholder '{%s}' is not known", own);
		g_string_append_len(out, text, start - text);
		g_string_append(out, value ? value : missing);
	}
	g_string_append(out, text);
	*ret = g_strdup(out->str);
	return true;
}

/* ---- reading ---- */

/* One text per line in the file may be wrapped: white space is one blank; between CJK it is nothing. */
static char *unwrap(char *raw)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(g_strstrip(raw), "\n", -1);

	for (char **l = lines; *l; l++) {
		g_strstrip(*l);
		const char *last = out->len ? g_utf8_prev_char(out->str + out->len) : NULL;
		bool wide = last && (g_unichar_iswide(g_utf8_get_char(last)) || g_unichar_iswide(g_utf8_get_char(*l)));
		if (out->len && !wide)
			g_string_append_c(out, ' ');
		g_string_append(out, *l);
	}
	g_free(raw);
	return g_strdup(out->str);
}

static bool read_text(const struct ib_xml_node *node, struct report_text *e, const char *path, struct ib_error **err)
{
	const char *language = ib_xml_attr(node, "lang");
	bool keep = g_strcmp0(ib_xml_attr(node, "space"), "preserve") == 0;
	g_autofree char *text = keep ? ib_xml_text(node) : unwrap(ib_xml_text(node));

	if (!language || !*text || in_language(e, language))
		return ib_throw(err, IB_ERR_INPUT, "%s:%u: the text of '%s' is empty, repeated or has no lang", path,
				ib_xml_line(node), e->id);
	if (e->texts->len > 0) {
		g_autofree char *here = placeholders(text);
		g_autofree char *first = placeholders(g_ptr_array_index(e->texts, 0));
		if (strcmp(here, first) != 0)
			return ib_throw(err, IB_ERR_INPUT, "%s:%u: '%s' has the placeholders '%s' in '%s' and '%s' in '%s'", path,
					ib_xml_line(node), e->id, here, language, first,
					(char *)g_ptr_array_index(e->languages, 0));
	}
	g_ptr_array_add(e->languages, (char *)language);
	g_ptr_array_add(e->texts, g_steal_pointer(&text));
	return true;
}

static bool check_languages(const struct report_text *e, const struct report_text *first, char *const *languages,
			    struct ib_error **err)
{
	for (char *const *l = languages; *l; l++)
		if (!in_language(e, *l))
			return ib_throw(err, IB_ERR_INPUT, "'%s' has no text in language '%s'", e->id, *l);
	for (guint i = 0; i < e->languages->len; i++)
		if (!in_language(first, g_ptr_array_index(e->languages, i)))
			return ib_throw(err, IB_ERR_INPUT, "'%s' has a text in language '%s', which other entries lack", e->id,
					(char *)g_ptr_array_index(e->languages, i));
	if (e->languages->len != first->languages->len)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has texts in %u languages, other entries in %u", e->id,
				e->languages->len, first->languages->len);
	return true;
}

static bool read_entry(const struct ib_xml_node *node, struct report_texts *t, const char *path, struct ib_error **err)
{
	const char *id = ib_xml_attr(node, "id");

	if (!id || find(t, id))
		return ib_throw(err, IB_ERR_INPUT, "%s:%u: the id '%s' is missing or repeated", path, ib_xml_line(node),
				id ? id : "");
	struct report_text *e = g_new0(struct report_text, 1);
	e->id = id;
	e->languages = g_ptr_array_new();
	e->texts = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(t->list, e);
	for (struct ib_xml_node *n = ib_xml_first(node, "text"); n; n = ib_xml_next(n, "text"))
		if (!read_text(n, e, path, err))
			return false;
	return true;
}

bool report_texts_load(const char *path, const char *element, char *const *languages, struct report_texts **ret,
		       struct ib_error **err)
{
	struct report_texts *t;
	struct ib_xml *doc;
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_file_read(path, TEXTS_MAX, &bytes, err) ||
	    !ib_xml_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), path, &doc, err))
		return false;
	t = g_new0(struct report_texts, 1);
	t->doc = doc;
	t->list = g_ptr_array_new_with_free_func(text_free);
	bool ok = true;
	for (struct ib_xml_node *n = ib_xml_first(ib_xml_root(doc), element); n && ok; n = ib_xml_next(n, element))
		ok = read_entry(n, t, path, err);
	for (guint i = 0; i < t->list->len && ok; i++)
		ok = check_languages(g_ptr_array_index(t->list, i), g_ptr_array_index(t->list, 0), languages, err);
	if (!ok) {
		report_texts_free(t);
		return ib_while(err, "reading '%s'", path);
	}
	*ret = t;
	return true;
}
