/* What must hold before anything is written. Each finding is IB_ERR_VERIFY: the documents contradict themselves. */
#include "metadata/internal.h"

#include <string.h>

static bool lint_relations(const GPtrArray *images, struct ib_error **err)
{
	for (guint high = 0; high < images->len; high++) {
		const struct update *u = g_ptr_array_index(images, high);
		for (guint low = 0; low < images->len; low++) {
			const struct update *other = g_ptr_array_index(images, low);
			bool want = image_compare(other->child->image, u->child->image) < 0 &&
				    image_concerns(u->child->image, other->child->image);
			if (references_have(u->superseded, other->id) == want)
				continue;
			return ib_throw(err, IB_ERR_VERIFY, "'%s' %s '%s'", u->title,
					want ? "does not supersede the lower image" : "supersedes", other->title);
		}
	}
	return true;
}

static bool lint_digest(const struct update *u, const char *text, size_t want, struct ib_error **err)
{
	gsize n = 0;
	g_autofree guchar *bytes = text ? g_base64_decode(text, &n) : NULL;

	if (bytes && n == want)
		return true;
	return ib_throw(err, IB_ERR_VERIFY, "a digest of '%s' has %zu bytes, not %zu", u->title, (size_t)n, want);
}

static bool lint_files(const struct update *u, struct ib_error **err)
{
	const struct ib_xml_node *files = ib_xml_first(ib_xml_root(u->doc), "Files");
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (const struct ib_xml_node *n = ib_xml_first(files, "File"); n; n = ib_xml_next(n, "File")) {
		const char *name = ib_xml_attr(n, "FileName");
		g_autofree char *sha256 = ib_xml_text(ib_xml_first(n, "AdditionalDigest"));
		if (!name || !g_hash_table_add(names, ib_name_fold(name)))
			return ib_throw(err, IB_ERR_VERIFY, "'%s' has a file without a name of its own", u->title);
		if (!lint_digest(u, ib_xml_attr(n, "Digest"), IB_SHA1_SIZE, err) ||
		    !lint_digest(u, sha256, IB_SHA256_SIZE, err))
			return false;
	}
	return true;
}

/* What an image makes of a machine must read as installed, and must not want the image again. */
static bool lint_own_state(const struct update *child, struct ib_error **err)
{
	struct facts *f = facts_new(child->image->build, child->image->arch);

	client_install(f, child->image);
	enum truth installed = rule_eval(child->installed, f), installable = rule_eval(child->installable, f);
	facts_free(f);
	if (installed == RULE_TRUE && installable == RULE_FALSE)
		return true;
	return ib_throw(err, IB_ERR_VERIFY, "after installing '%s' its rules say %s", child->title,
			installed != RULE_TRUE ? "that it is not installed" : "that it can be installed again");
}

static bool lint_pair(const struct update *u, struct ib_error **err)
{
	if (u->has_rules || u->has_files || u->has_handler)
		return ib_throw(err, IB_ERR_VERIFY, "parent '%s' (%s) has rules or files of its own", u->title, u->id);
	if (!u->child->has_rules || !u->child->has_files || !u->child->has_handler)
		return ib_throw(err, IB_ERR_VERIFY, "child %s of '%s' lacks rules, file or handler", u->child->id, u->title);
	return lint_files(u->child, err) && lint_own_state(u->child, err);
}

/* Every clause of what we write names something that is there, or known to every server. */
static bool lint_clauses(const struct catalog *c, const struct update *u, struct ib_error **err)
{
	for (guint i = 0; i < u->clauses->len; i++) {
		const GArray *clause = g_ptr_array_index(u->clauses, i);
		bool met = references_have(clause, UPGRADES_ID);
		for (guint k = 0; !met && k < clause->len; k++)
			met = catalog_find(c, reference_at(clause, k)->id) != NULL;
		if (!met)
			return ib_throw(err, IB_ERR_VERIFY, "'%s' needs update %s, which is not in the catalog", u->title,
					reference_at(clause, 0)->id);
	}
	return true;
}

bool lint_run(const struct catalog *c, const struct author *a, struct ib_error **err)
{
	const struct update *self = catalog_find(c, a->parent_id);

	if (!self || !self->child)
		return ib_throw(err, IB_ERR_VERIFY, "the documents of '%s' do not find each other", a->image->name);
	g_autoptr(GPtrArray) images = stream_images(c, self->child->image);
	if (!stream_acyclic(c, IB_ERR_VERIFY, err) || !lint_relations(images, err))
		return false;
	for (guint i = 0; i < images->len; i++)
		if (!lint_pair(g_ptr_array_index(images, i), err))
			return false;
	for (guint i = 0; i < c->updates->len; i++) {
		const struct update *u = g_ptr_array_index(c->updates, i);
		if (u->fresh && !lint_clauses(c, u, err))
			return false;
	}
	return true;
}
