/* One update revision: everything we use of it is read once, with all bounds. */
#include "metadata/internal.h"

#include <string.h>

static void reference_clear(struct reference *r)
{
	g_free(r->id);
}

static GArray *references_new(void)
{
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct reference));

	g_array_set_clear_func(list, (GDestroyNotify)reference_clear);
	return list;
}

const struct reference *reference_at(const GArray *list, guint i)
{
	return &((const struct reference *)(const void *)list->data)[i];
}

bool references_have(const GArray *list, const char *id)
{
	for (guint i = 0; i < list->len; i++)
		if (strcmp(reference_at(list, i)->id, id) == 0)
			return true;
	return false;
}

/* Lower-case GUID text without braces, or NULL. */
static char *guid_fold(const char *text)
{
	static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

	if (!text || strlen(text) != strlen(form))
		return NULL;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? text[i] != '-' : !g_ascii_isxdigit(text[i]))
			return NULL;
	return g_ascii_strdown(text, -1);
}

void update_free(struct update *u)
{
	if (!u)
		return;
	ib_xml_free(u->doc);
	g_free(u->file);
	g_free(u->id);
	g_free(u->title);
	g_free(u->category);
	g_array_unref(u->superseded);
	g_ptr_array_unref(u->clauses);
	g_array_unref(u->bundled);
	image_free(u->image);
	g_free(u);
}

static bool fault(const struct update *u, const struct ib_xml_node *at, const char *what, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' line %u: %s", u->file, ib_xml_line(at), what);
}

static bool read_number(const char *text, unsigned *ret)
{
	guint64 n;

	if (!text || !g_ascii_string_to_unsigned(text, 10, 1, INT32_MAX, &n, NULL))
		return false;
	*ret = (unsigned)n;
	return true;
}

/* One UpdateIdentity element. with_revision: it names a revision, else it must not. */
static bool read_reference(const struct update *u, const struct ib_xml_node *node, bool with_revision,
			   struct reference *ret, struct ib_error **err)
{
	const char *revision = ib_xml_attr(node, "RevisionNumber");
	struct reference r = { 0 };

	if (with_revision ? !read_number(revision, &r.revision) : revision != NULL)
		return fault(u, node, with_revision ? "a RevisionNumber of 1 or more is missing"
						    : "a RevisionNumber has no place here", err);
	r.id = guid_fold(ib_xml_attr(node, "UpdateID"));
	if (!r.id)
		return fault(u, node, "UpdateID is not a GUID without braces", err);
	*ret = r;
	return true;
}

/* The UpdateIdentity children of an element. */
static bool read_list(const struct update *u, const struct ib_xml_node *parent, bool with_revision, GArray *list,
		      struct ib_error **err)
{
	for (struct ib_xml_node *n = ib_xml_first(parent, "UpdateIdentity"); n; n = ib_xml_next(n, "UpdateIdentity")) {
		struct reference r;
		if (list->len >= REFERENCES_MAX)
			return fault(u, n, "has more references than a document may have (1024)", err);
		if (!read_reference(u, n, with_revision, &r, err))
			return false;
		g_array_append_val(list, r);
	}
	return true;
}

static bool read_clause(struct update *u, const struct ib_xml_node *node, struct ib_error **err)
{
	GArray *clause = references_new();

	g_ptr_array_add(u->clauses, clause);
	if (u->clauses->len > REFERENCES_MAX)
		return fault(u, node, "has more references than a document may have (1024)", err);
	if (strcmp(ib_xml_name(node), "UpdateIdentity") == 0) {
		struct reference r;
		if (!read_reference(u, node, false, &r, err))
			return false;
		g_array_append_val(clause, r);
		return true;
	}
	if (strcmp(ib_xml_name(node), "AtLeastOne") != 0)
		return fault(u, node, "is neither UpdateIdentity nor AtLeastOne", err);
	if (!read_list(u, node, false, clause, err))
		return false;
	return clause->len > 0 ? true : fault(u, node, "an empty clause can never be met", err);
}

static bool read_relations(struct update *u, const struct ib_xml_node *relations, struct ib_error **err)
{
	const struct ib_xml_node *superseded = ib_xml_first(relations, "SupersededUpdates");
	const struct ib_xml_node *needed = ib_xml_first(relations, "Prerequisites");
	const struct ib_xml_node *bundled = ib_xml_first(relations, "BundledUpdates");

	if (!read_list(u, superseded, false, u->superseded, err) || !read_list(u, bundled, true, u->bundled, err))
		return false;
	for (const struct ib_xml_node *n = ib_xml_first(needed, NULL); n; n = ib_xml_next(n, NULL))
		if (!read_clause(u, n, err))
			return false;
	for (const struct ib_xml_node *n = ib_xml_first(bundled, "AtLeastOne"); n; n = ib_xml_next(n, "AtLeastOne"))
		if (!read_list(u, n, true, u->bundled, err))
			return false;
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < u->superseded->len; i++)
		if (!g_hash_table_add(seen, reference_at(u->superseded, i)->id))
			return fault(u, superseded, "supersedes the same update twice", err);
	return references_have(u->superseded, u->id) ? fault(u, superseded, "supersedes itself", err) : true;
}

/* A rule element: exactly one expression. */
static bool read_rule(const struct update *u, const struct ib_xml_node *rules, const char *name,
		      struct ib_xml_node **ret, struct ib_error **err)
{
	const struct ib_xml_node *holder = ib_xml_first(rules, name);

	*ret = ib_xml_first(holder, NULL);
	if (holder && (!*ret || ib_xml_next(*ret, NULL)))
		return fault(u, holder, "a rule has exactly one expression", err);
	return true;
}

static bool read_rules(struct update *u, struct ib_error **err)
{
	const struct ib_xml_node *rules = ib_xml_first(ib_xml_root(u->doc), "ApplicabilityRules");

	u->has_rules = rules != NULL;
	return read_rule(u, rules, "IsInstalled", &u->installed, err) &&
	       read_rule(u, rules, "IsSuperseded", &u->is_superseded, err) &&
	       read_rule(u, rules, "IsInstallable", &u->installable, err);
}

static bool read_properties(struct update *u, struct ib_error **err)
{
	static const char *const types[] = { "Category", "Detectoid", "Software", "Driver" };
	const struct ib_xml_node *root = ib_xml_root(u->doc);
	const struct ib_xml_node *p = ib_xml_first(root, "Properties");
	const char *type = ib_xml_attr(p, "UpdateType");
	const char *state = ib_xml_attr(p, "PublicationState");
	const char *deployable = ib_xml_attr(p, "ExplicitlyDeployable");
	unsigned i = 0;

	while (i < G_N_ELEMENTS(types) && g_strcmp0(type, types[i]) != 0)
		i++;
	if (i == G_N_ELEMENTS(types))
		return fault(u, p ? p : root, "UpdateType is missing or unknown", err);
	u->type = (enum update_type)i;
	u->expired = g_strcmp0(state, "Expired") == 0;
	u->deployable = g_strcmp0(deployable, "true") == 0 || g_strcmp0(deployable, "1") == 0;
	u->category = g_strdup(ib_xml_attr(ib_xml_find(root, "HandlerSpecificData/CategoryInformation"), "CategoryType"));
	u->has_handler = ib_xml_first(root, "HandlerSpecificData") != NULL;
	u->has_files = ib_xml_first(root, "Files") != NULL;
	return true;
}

static bool read_title(struct update *u, struct ib_error **err)
{
	const struct ib_xml_node *root = ib_xml_root(u->doc);
	const struct ib_xml_node *all = ib_xml_first(root, "LocalizedPropertiesCollection");

	for (const struct ib_xml_node *n = ib_xml_first(all, NULL); n && !u->title; n = ib_xml_next(n, NULL)) {
		g_autofree char *language = ib_xml_text(ib_xml_first(n, "Language"));
		if (g_strcmp0(language, "en") == 0)
			u->title = ib_xml_text(ib_xml_first(n, "Title"));
	}
	return u->title && *u->title ? true : fault(u, root, "has no English title", err);
}

static bool read_all(struct update *u, struct ib_error **err)
{
	const struct ib_xml_node *root = ib_xml_root(u->doc);
	struct reference self;

	if (strcmp(ib_xml_name(root), "Update") != 0 || g_strcmp0(ib_xml_ns(root), NS_UPD) != 0)
		return fault(u, root, "is not an update document", err);
	const struct ib_xml_node *identity = ib_xml_first(root, "UpdateIdentity");
	if (!identity)
		return fault(u, root, "has no UpdateIdentity", err);
	if (!read_reference(u, identity, true, &self, err))
		return false;
	u->id = self.id;
	u->revision = self.revision;
	if (!read_properties(u, err) || !read_title(u, err) ||
	    !read_relations(u, ib_xml_first(root, "Relationships"), err) || !read_rules(u, err))
		return false;
	u->image = rules_read(u);
	return true;
}

bool update_read(const void *data, size_t len, const char *name, struct update **ret, struct ib_error **err)
{
	struct ib_xml *doc = NULL;

	if (len > DOCUMENT_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, an update document has at most %u", name, len,
				DOCUMENT_MAX);
	if (!ib_xml_parse(data, len, name, &doc, err))
		return false;
	struct update *u = g_new0(struct update, 1);
	u->doc = doc;
	u->file = g_strdup(name);
	u->superseded = references_new();
	u->bundled = references_new();
	u->clauses = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
	if (!read_all(u, err)) {
		update_free(u);
		return false;
	}
	*ret = u;
	return true;
}

GBytes *update_bytes(const struct update *u)
{
	g_autoptr(GBytes) all = ib_xml_write(u->doc, 0);
	gsize len;
	const char *text = g_bytes_get_data(all, &len);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	return g_bytes_new_from_bytes(all, 0, len);
}
