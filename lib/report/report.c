#include "report/internal.h"

#include <string.h>

/* The papers: one neutral document, a style sheet per paper, a run per language. */

static const char *const papers[] = { "acceptance", "delivery-note", "risk-disclosure" };

static bool load_texts(const char *data_dir, char *const *languages, struct report_texts **clauses,
		       struct report_texts **terms, struct ib_error **err)
{
	g_autofree char *clauses_path = g_build_filename(data_dir, "clauses.xml", NULL);
	g_autofree char *glossary_path = g_build_filename(data_dir, "glossary.xml", NULL);

	return report_texts_load(clauses_path, "clause", languages, clauses, err) &&
	       report_texts_load(glossary_path, "term", languages, terms, err);
}

static bool make_document(const struct ib_report *r, const char *data_dir, char *const *languages, struct ib_xml **ret,
			  struct ib_error **err)
{
	struct report_texts *clauses = NULL, *terms = NULL;
	bool ok = load_texts(data_dir, languages, &clauses, &terms, err) &&
		  report_document(r, clauses, terms, languages, ret, err);

	report_texts_free(clauses);
	report_texts_free(terms);
	return ok;
}

static bool write_paper(const struct ib_xml *doc, const char *sheet, const char *language, const char *path,
			struct ib_error **err)
{
	const char *params[] = { "lang", language, NULL };
	g_autoptr(GBytes) html = NULL;

	return ib_xml_transform(doc, NULL, sheet, params, &html, err) &&
	       ib_file_write(path, g_bytes_get_data(html, NULL), g_bytes_get_size(html), err);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A language becomes part of a file name. */
static bool check_languages(char *const *languages, struct ib_error **err)
{
	if (!languages || !*languages)
		return ib_throw(err, IB_ERR_INPUT, "no language is given for the papers");
	for (char *const *l = languages; *l; l++)
		if (!**l || strspn(*l, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(*l))
			return ib_throw(err, IB_ERR_INPUT, "'%s' is not the name of a language", *l);
	return true;
}

bool ib_report_write(const struct ib_report *report, const char *data_dir, char *const *languages,
		     const char *out_dir, GPtrArray **ret_files, struct ib_error **err)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	ib_auto_xml doc = NULL;

	if (!check_languages(languages, err) || !make_document(report, data_dir, languages, &doc, err))
		return ib_while(err, "preparing the papers");
	for (size_t i = 0; i < G_N_ELEMENTS(papers); i++) {
		g_autofree char *sheet_name = g_strconcat(papers[i], ".xsl", NULL);
		g_autofree char *sheet = g_build_filename(data_dir, sheet_name, NULL);
		for (char *const *l = languages; *l; l++) {
			char *name = g_strdup_printf("%s.%s.html", papers[i], *l);
			g_autofree char *path = g_build_filename(out_dir, name, NULL);
			g_ptr_array_add(files, name);
			if (!write_paper(doc, sheet, *l, path, err))
				return ib_while(err, "writing paper '%s'", name);
		}
	}
	g_ptr_array_sort(files, compare_names);
	*ret_files = g_steal_pointer(&files);
	return true;
}
