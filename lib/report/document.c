#include "report/internal.h"

#include <string.h>

/* The neutral document: what the style sheets read. Data once, texts in each language. */

static void set_clean(struct ib_xml_node *node, const char *name, const char *text)
{
	g_autofree char *clean = text && *text ? report_clean(text) : NULL;

	if (clean)
		ib_xml_add_text(node, name, clean);
}

static void add_facts(struct ib_xml_node *root, GHashTable *facts)
{
	struct ib_xml_node *node = ib_xml_add(root, "facts");
	g_autoptr(GList) ids = g_list_sort(g_hash_table_get_keys(facts), (GCompareFunc)strcmp);

	for (GList *l = ids; l; l = l->next)
		ib_xml_set(ib_xml_add_text(node, "fact", g_hash_table_lookup(facts, l->data)), "id", l->data);
}

/* ---- lists ---- */

static struct ib_xml_node *add_list(struct ib_xml_node *root, const char *id)
{
	struct ib_xml_node *list = ib_xml_add(root, "list");

	ib_xml_set(list, "id", id);
	return list;
}

static struct ib_xml_node *add_item(struct ib_xml_node *list, const struct ib_report_item *item)
{
	struct ib_xml_node *node = ib_xml_add(list, "item");

	set_clean(node, "name", item->name);
	set_clean(node, "detail", item->detail);
	set_clean(node, "reason", item->reason);
	return node;
}

/* "a; b" of an update is its package id and who signed it. */
static void split_update(struct ib_xml_node *node, const char *detail)
{
	const char *semicolon = detail ? strstr(detail, "; ") : NULL;

	if (!semicolon)
		return;
	g_autofree char *package = g_strndup(detail, (gsize)(semicolon - detail));
	set_clean(node, "package", package);
	set_clean(node, "signer", semicolon + 2);
}

/* "1 / 2 / 3 / 4 / 5" of a removal is a table of counts. */
static void split_counts(struct ib_xml_node *node, const char *detail)
{
	g_auto(GStrv) counts = g_strsplit(detail ? detail : "", " / ", -1);

	if (g_strv_length(counts) != 5)
		return;
	for (char **c = counts; *c; c++)
		set_clean(node, "count", *c);
}

/* "GUID title version" of a superseded image. */
static void split_superseded(struct ib_xml_node *node, const char *name)
{
	const char *first = name ? strchr(name, ' ') : NULL, *last = name ? strrchr(name, ' ') : NULL;

	if (!first || last == first)
		return;
	g_autofree char *guid = g_strndup(name, (gsize)(first - name));
	g_autofree char *title = g_strndup(first + 1, (gsize)(last - first - 1));
	set_clean(node, "guid", guid);
	set_clean(node, "title", title);
	set_clean(node, "version", last + 1);
}

static void split(struct ib_xml_node *node, const char *list, const struct ib_report_item *item)
{
	if (strcmp(list, "updates") == 0)
		split_update(node, item->detail);
	else if (strcmp(list, "removed") == 0)
		split_counts(node, item->detail);
	else if (strcmp(list, "superseded") == 0)
		split_superseded(node, item->name);
}

static void add_lists(struct ib_xml_node *root, const struct ib_report *r)
{
	const struct {
		const char *id;
		const GPtrArray *items;
	} lists[] = {
		{ "updates", r->updates }, { "skipped", r->skipped },	    { "removed", r->removed },
		{ "features", r->features }, { "changes", r->changes }, { "notes", r->notes },	    { "tests", r->tests },
		{ "superseded", r->superseded }, { "upgrade-from", r->upgrade_from }, { "approvals", r->approvals },
		{ "after-upgrade", r->after_upgrade },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		struct ib_xml_node *list = add_list(root, lists[i].id);
		for (guint k = 0; lists[i].items && k < lists[i].items->len; k++) {
			const struct ib_report_item *item = g_ptr_array_index(lists[i].items, k);
			split(add_item(list, item), lists[i].id, item);
		}
	}
}

/* Words of the profile, separated by commas. */
static void add_scenario(struct ib_xml_node *root, const char *scenario)
{
	struct ib_xml_node *list = add_list(root, "scenario");
	g_auto(GStrv) words = g_strsplit(scenario ? scenario : "", ",", -1);

	for (char **w = words; *w; w++) {
		struct ib_report_item item = { .name = g_strstrip(*w) };
		if (*item.name)
			add_item(list, &item);
	}
}

static bool has_name(const GPtrArray *items, const char *name)
{
	for (guint i = 0; items && i < items->len; i++) {
		const struct ib_report_item *item = g_ptr_array_index(items, i);
		if (g_strcmp0(item->name, name) == 0)
			return true;
	}
	return false;
}

/* A manifest may give an effect in one language only: the other paper shows it as it stands. */
static void add_effects(struct ib_xml_node *root, const char *id, const char *language, const GPtrArray *const lists[2])
{
	static const char *const languages[2] = { "en", "zh-CN" };
	bool zh = strcmp(language, "zh-CN") == 0;
	const GPtrArray *own = lists[zh], *other = lists[!zh];
	struct ib_xml_node *list = add_list(root, id);

	ib_xml_set(list, "lang", language);
	for (guint i = 0; own && i < own->len; i++)
		add_item(list, g_ptr_array_index(own, i));
	for (guint i = 0; other && i < other->len; i++) {
		const struct ib_report_item *item = g_ptr_array_index(other, i);
		if (!has_name(own, item->name))
			ib_xml_set(add_item(list, item), "lang", languages[!zh]);
	}
}

/* ---- texts ---- */

static bool add_texts(struct ib_xml_node *root, const char *kind, const struct report_texts *texts, const char *language,
		      const char *missing, GHashTable *const facts[2], struct ib_error **err)
{
	struct ib_xml_node *node = ib_xml_add(root, kind);

	ib_xml_set(node, "lang", language);
	for (guint i = 0; i < texts->list->len; i++) {
		const struct report_text *t = g_ptr_array_index(texts->list, i);
		g_autofree char *filled = NULL;
		if (!report_fill(report_texts_get(texts, t->id, language), facts[0], facts[1], missing, &filled, err))
			return ib_while(err, "filling '%s' in language '%s'", t->id, language);
		ib_xml_set(ib_xml_add_text(node, "t", filled), "id", t->id);
	}
	return true;
}

bool report_document(const struct ib_report *r, const struct report_texts *clauses, const struct report_texts *terms,
		     char *const *languages, struct ib_xml **ret, struct ib_error **err)
{
	ib_auto_xml doc = ib_xml_new("report");
	struct ib_xml_node *root = ib_xml_root(doc);
	GHashTable *known = NULL;
	g_autoptr(GHashTable) facts = report_facts(r, &known);
	g_autoptr(GHashTable) known_own = known;
	const GPtrArray *const risks[2] = { r->risks_en, r->risks_zh }, *const unknown[2] = { r->unknown_en, r->unknown_zh };
	GHashTable *const tables[2] = { facts, known };

	add_facts(root, facts);
	add_lists(root, r);
	add_scenario(root, r->scenario);
	for (char *const *l = languages; *l; l++) {
		const char *missing = report_texts_get(terms, "not-provided", *l);
		if (!missing)
			return ib_throw(err, IB_ERR_INPUT, "the glossary has no term 'not-provided' in language '%s'", *l);
		add_effects(root, "risks", *l, risks);
		add_effects(root, "unknown", *l, unknown);
		if (!add_texts(root, "clauses", clauses, *l, missing, tables, err) ||
		    !add_texts(root, "terms", terms, *l, missing, tables, err))
			return false;
	}
	*ret = g_steal_pointer(&doc);
	return true;
}
