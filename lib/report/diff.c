#include "report/internal.h"

#include <string.h>

/* The page that shows what differs between two images: one document, the style sheet diff.xsl. */

static void set_side(struct ib_xml_node *root, const char *id, const struct ib_report_image *image)
{
	struct ib_xml_node *node = ib_xml_add(root, "side");
	const struct {
		const char *name, *text;
	} fields[] = {
		{ "file", image->file },       { "index", image->index },     { "name", image->name },
		{ "edition", image->edition }, { "version", image->version },
	};

	ib_xml_set(node, "id", id);
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		g_autofree char *clean = fields[i].text && *fields[i].text ? report_clean(fields[i].text) : NULL;
		if (clean)
			ib_xml_add_text(node, fields[i].name, clean);
	}
}

/* Counts of a kind: how many differences, and on which side the thing is alone. */
struct counts {
	unsigned all, only_a, only_b;
};

static void set_count(struct ib_xml_node *node, const char *name, unsigned n)
{
	g_autofree char *text = g_strdup_printf("%u", n);

	ib_xml_set(node, name, text);
}

static void set_clean(struct ib_xml_node *node, const char *name, const char *text)
{
	g_autofree char *clean = text ? report_clean(text) : NULL;

	if (clean) /* an empty text is something else than nothing */
		ib_xml_add_text(node, name, clean);
}

static void add_kind(struct ib_xml_node *root, const char *kind, const GPtrArray *list)
{
	struct ib_xml_node *node = ib_xml_add(root, "kind"), *thing = NULL;
	struct counts n = { 0 };
	const char *last = NULL;

	ib_xml_set(node, "id", kind);
	for (guint i = 0; i < list->len; i++) {
		const struct ib_report_difference *d = g_ptr_array_index(list, i);
		if (strcmp(d->kind, kind) != 0)
			continue;
		if (!last || strcmp(last, d->name) != 0) {
			thing = ib_xml_add(node, "thing");
			set_clean(thing, "name", d->name);
		}
		last = d->name;
		struct ib_xml_node *change = ib_xml_add(thing, "change");
		set_clean(change, "field", d->field);
		set_clean(change, "a", d->a);
		set_clean(change, "b", d->b);
		n.all++;
		n.only_a += !d->b;
		n.only_b += !d->a;
	}
	set_count(node, "all", n.all);
	set_count(node, "only-a", n.only_a);
	set_count(node, "only-b", n.only_b);
	set_count(node, "changed", n.all - n.only_a - n.only_b);
}

/* The terms of one language: the sheet asks for no other. */
static bool add_terms(struct ib_xml_node *root, const char *data_dir, const char *language, struct ib_error **err)
{
	char *languages[] = { (char *)language, NULL };
	g_autofree char *path = g_build_filename(data_dir, "glossary.xml", NULL);
	struct report_texts *terms = NULL;

	if (!report_texts_load(path, "term", languages, &terms, err))
		return false;
	struct ib_xml_node *node = ib_xml_add(root, "terms");
	ib_xml_set(node, "lang", language);
	for (guint i = 0; i < terms->list->len; i++) {
		const struct report_text *t = g_ptr_array_index(terms->list, i);
		ib_xml_set(ib_xml_add_text(node, "t", report_texts_get(terms, t->id, language)), "id", t->id);
	}
	report_texts_free(terms);
	return true;
}

bool ib_report_diff(const struct ib_report_diff *diff, const char *data_dir, const char *language, GBytes **ret,
		    struct ib_error **err)
{
	ib_auto_xml doc = ib_xml_new("diff");
	struct ib_xml_node *root = ib_xml_root(doc);
	g_autofree char *sheet = g_build_filename(data_dir, "diff.xsl", NULL);
	const char *params[] = { "lang", language, NULL };

	set_side(root, "a", &diff->a);
	set_side(root, "b", &diff->b);
	for (const char *const *kind = diff->kinds; *kind; kind++)
		add_kind(root, *kind, diff->differences);
	return (add_terms(root, data_dir, language, err) && ib_xml_transform(doc, NULL, sheet, params, ret, err)) ||
	       ib_while(err, "making the page of differences");
}
