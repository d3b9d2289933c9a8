/* The model of a .mum: docs/formats/cbs.md, ".mum schema". */
#include "package/internal.h"

#include <string.h>

/* The mum with what its public part borrows: the XML goes as soon as it is read. */
struct mum {
	struct ib_mum pub;
	GStringChunk *strings;
	struct ib_xml *xml; /* while reading */
};

/* An attribute's value, kept; NULL when absent. */
static const char *keep(struct ib_mum *m, const struct ib_xml_node *node, const char *name)
{
	const char *text = ib_xml_attr(node, name);

	return text ? g_string_chunk_insert(((struct mum *)m)->strings, text) : NULL;
}

/* ---- updates ---- */

static void free_update(gpointer p)
{
	struct ib_update *u = p;

	g_ptr_array_unref(u->components);
	g_ptr_array_unref(u->packages);
	g_ptr_array_unref(u->integrate);
	g_ptr_array_unref(u->other);
	g_free((char *)u->detect_parent);
	g_free(u);
}

static struct ib_update *update_new(void)
{
	struct ib_update *u = g_new0(struct ib_update, 1);

	u->components = g_ptr_array_new_with_free_func(g_free);
	u->packages = g_ptr_array_new_with_free_func(g_free);
	u->integrate = g_ptr_array_new();
	u->other = g_ptr_array_new_with_free_func(g_free);
	return u;
}

static bool read_selectable(struct ib_update *u, const struct ib_xml_node *node)
{
	const struct ib_xml_node *child = ib_xml_first(node, NULL);
	const char *on = ib_xml_attr(ib_xml_first(node, "detectNone"), "default");

	u->selectable = true;
	u->default_on = on && g_ascii_strcasecmp(on, "true") == 0;
	for (; child; child = ib_xml_next(child, NULL)) {
		if (strcmp(ib_xml_name(child), "detectNone") != 0)
			package_other_add(u->other, "selectable/%.80s", ib_xml_name(child));
	}
	return true;
}

static bool read_detect(struct ib_mum *m, struct ib_update *u, const struct ib_xml_node *node, struct ib_error **err)
{
	const struct ib_xml_node *parent = ib_xml_find(node, "parent/assemblyIdentity");
	struct ib_identity id;

	if (u->detect_update) {
		package_other_add(u->other, "applicable/detectUpdate (more than one)");
		return true;
	}
	u->detect_update = keep(m, ib_xml_first(node, "update"), "name");
	if (!u->detect_update)
		package_other_add(u->other, "applicable/detectUpdate (without update)");
	if (!parent)
		return true;
	if (!ib_identity_read(parent, &id, err))
		return false;
	u->detect_parent = ib_package_id(&id);
	return true;
}

static bool read_applicable(struct ib_mum *m, struct ib_update *u, const struct ib_xml_node *node, struct ib_error **err)
{
	const struct ib_xml_node *child = ib_xml_first(node, NULL);

	for (; child; child = ib_xml_next(child, NULL)) {
		const char *name = ib_xml_name(child), *elevate = ib_xml_attr(child, "elevate");
		if (strcmp(name, "detectUpdate") == 0) {
			if (!read_detect(m, u, child, err))
				return false;
		} else if (strcmp(name, "updateComponent") != 0) {
			package_other_add(u->other, "applicable/%.80s", name);
		} else if (elevate && strcmp(elevate, "install") != 0) {
			package_other_add(u->other, "applicable/updateComponent elevate='%.40s'", elevate);
		}
	}
	return true;
}

static bool read_update_child(struct ib_mum *m, struct ib_update *u, const struct ib_xml_node *node,
			      struct ib_error **err)
{
	const char *name = ib_xml_name(node);

	if (strcmp(name, "component") == 0)
		return package_identity_add(node, u->components, err);
	if (strcmp(name, "package") == 0) {
		g_ptr_array_add(u->integrate, (gpointer)keep(m, node, "integrate"));
		return package_identity_add(node, u->packages, err);
	}
	if (strcmp(name, "selectable") == 0)
		return read_selectable(u, node);
	if (strcmp(name, "applicable") == 0)
		return read_applicable(m, u, node, err);
	if (strcmp(name, "customInformation") != 0) /* display and shop data */
		package_other_add(u->other, "%.80s", name);
	return true;
}

static bool read_update(struct ib_mum *m, const struct ib_xml_node *node, struct ib_error **err)
{
	const struct ib_xml_node *child = ib_xml_first(node, NULL);

	if (m->updates->len >= UPDATES_MAX)
		return ib_throw(err, IB_ERR_INPUT, "line %u: the package has more than %u updates, the most accepted",
				ib_xml_line(node), UPDATES_MAX);
	struct ib_update *u = update_new();

	g_ptr_array_add(m->updates, u);
	u->name = keep(m, node, "name");
	u->display_name = keep(m, node, "displayName");
	if (!u->name || !*u->name)
		return ib_throw(err, IB_ERR_INPUT, "the update in line %u has no name", ib_xml_line(node));
	for (; child; child = ib_xml_next(child, NULL)) {
		if (!read_update_child(m, u, child, err))
			return ib_while(err, "reading update '%.80s'", u->name);
	}
	package_other_sort(u->other);
	return true;
}

/* ---- the package ---- */

static void free_parent(gpointer p)
{
	struct ib_parent *parent = p;

	g_ptr_array_unref(parent->identities);
	g_free(parent);
}

static bool read_parent(struct ib_mum *m, const struct ib_xml_node *node, struct ib_error **err)
{
	struct ib_parent *p = g_new0(struct ib_parent, 1);
	const struct ib_xml_node *id = ib_xml_first(node, "assemblyIdentity");

	p->identities = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(m->parents, p);
	p->build_compare = keep(m, node, "buildCompare");
	p->revision_compare = keep(m, node, "revisionCompare");
	p->service_compare = keep(m, node, "serviceCompare");
	p->distribution_compare = keep(m, node, "distributionCompare");
	p->integrate = keep(m, node, "integrate");
	p->disposition = keep(m, node, "disposition");
	for (; id; id = ib_xml_next(id, "assemblyIdentity")) {
		struct ib_identity identity;
		if (!ib_identity_read(id, &identity, err))
			return ib_while(err, "reading the parent in line %u", ib_xml_line(node));
		g_ptr_array_add(p->identities, package_identity_copy(&identity));
	}
	return true;
}

/* installerAssembly carries the attributes of an identity, or holds one; 6.0.0.0 is Windows' word for "any". */
static bool read_installer(struct ib_mum *m, const struct ib_xml_node *node, struct ib_error **err)
{
	static const struct ib_version any = { .part = { 6, 0, 0, 0 } };
	const struct ib_xml_node *inner = ib_xml_first(node, "assemblyIdentity");
	struct ib_identity id;

	if (!ib_identity_read(inner ? inner : node, &id, err))
		return ib_while(err, "reading the installerAssembly in line %u", ib_xml_line(node));
	if (ib_version_compare(&id.number, &any) != 0)
		m->installer = id.number;
	return true;
}

static void read_needs(struct ib_mum *m, const struct ib_xml_node *node)
{
	const struct ib_xml_node *id = ib_xml_first(node, "capabilityIdentity");

	for (; id; id = ib_xml_next(id, "capabilityIdentity")) {
		struct ib_needed_capability *c = g_new0(struct ib_needed_capability, 1);
		*c = (struct ib_needed_capability){ keep(m, id, "name"), keep(m, id, "version"), keep(m, id, "language") };
		if (c->name)
			g_ptr_array_add(m->needs, c);
		else
			g_free(c);
	}
}

/* A part for a language says which; what has such parts says so. Nothing else than languages is known. */
static void read_satellites(struct ib_mum *m, const struct ib_xml_node *node)
{
	const struct ib_xml_node *child = ib_xml_first(node, NULL);

	for (; child; child = ib_xml_next(child, NULL)) {
		const char *name = ib_xml_name(child), *type = ib_xml_attr(child, "type");
		bool language = !type || g_ascii_strcasecmp(type, "language") == 0;
		if (language && strcmp(name, "applyTo") == 0 && ib_xml_attr(child, "value"))
			m->satellite_of_language = keep(m, child, "value");
		else if (language && (strcmp(name, "declare") == 0 || strcmp(name, "require") == 0))
			m->has_satellites = true;
		else
			package_other_add(m->other, "satelliteInfo/%.80s type='%.40s'", name, type ? type : "");
	}
}

/* What it is called, what it depends on, and its parts for languages. */
static void read_capability(struct ib_mum *m, const struct ib_xml_node *node)
{
	const struct ib_xml_node *id = ib_xml_find(node, "capability/capabilityIdentity");
	const struct ib_xml_node *child = ib_xml_first(node, NULL);

	if (!m->capability && id) {
		m->capability = keep(m, id, "name");
		m->capability_version = keep(m, id, "version");
		m->capability_language = keep(m, id, "language");
	}
	for (; child; child = ib_xml_next(child, NULL)) {
		const char *name = ib_xml_name(child);
		if (strcmp(name, "dependency") == 0)
			read_needs(m, child);
		else if (strcmp(name, "satelliteInfo") == 0)
			read_satellites(m, child);
		else if (strcmp(name, "capability") != 0)
			package_other_add(m->other, "declareCapability/%.80s", name);
	}
}

static bool read_package_child(struct ib_mum *m, const struct ib_xml_node *node, struct ib_error **err)
{
	const char *name = ib_xml_name(node);

	if (strcmp(name, "parent") == 0)
		return read_parent(m, node, err);
	if (strcmp(name, "installerAssembly") == 0)
		return read_installer(m, node, err);
	if (strcmp(name, "update") == 0)
		return read_update(m, node, err);
	if (strcmp(name, "declareCapability") == 0) {
		read_capability(m, node);
	} else if (strcmp(name, "customInformation") == 0) {
		const char *format = keep(m, node, "PackageFormat");
		m->package_format = format ? format : m->package_format;
	} else if (strcmp(name, "localizedStrings") != 0 && strcmp(name, "packageExtended") != 0) {
		package_other_add(m->other, "%.80s", name);
	}
	return true;
}

static bool check_mum_name(const struct ib_mum *m, const char *name, struct ib_error **err)
{
	const char *base = package_base_name(name);

	/* The root has a fixed name; all others are called by their package id, in any case. */
	if (!package_has_suffix(base, ".mum") || !strchr(base, '~'))
		return true;
	g_autofree char *stem = g_strndup(base, strlen(base) - strlen(".mum"));
	if (ib_name_equal(stem, m->package_id))
		return true;
	return ib_throw(err, IB_ERR_INPUT, "the identity in '%s' gives the name '%s.mum'", base, m->package_id);
}

static bool read_all(struct ib_mum *m, const char *name, struct ib_error **err)
{
	gsize len;
	const void *data = g_bytes_get_data(m->bytes, &len);

	if (len > MUM_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the file has %zu bytes, at most %u are accepted", len, MUM_MAX);
	if (!ib_xml_parse(data, len, name, &((struct mum *)m)->xml, err))
		return false;
	const struct ib_xml_node *root = ib_xml_root(((struct mum *)m)->xml), *package = ib_xml_first(root, "package");
	if (strcmp(ib_xml_name(root), "assembly") != 0 || !package)
		return ib_throw(err, IB_ERR_INPUT, "it is not an 'assembly' with a 'package'");
	if (!ib_identity_read(ib_xml_first(root, "assemblyIdentity"), &m->id, err))
		return false;
	if (!package_identity_is_concrete(&m->id))
		return ib_throw(err, IB_ERR_INPUT, "the package's own identity has a '*'");
	m->package_id = ib_package_id(&m->id);
	if (!check_mum_name(m, name, err))
		return false;
	m->description = keep(m, root, "description");
	m->support_url = keep(m, root, "supportInformation");
	m->release_type = keep(m, package, "releaseType");
	m->identifier = keep(m, package, "identifier");
	m->restart = keep(m, package, "restart");
	m->permanence = keep(m, package, "permanence");
	const struct ib_xml_node *child = ib_xml_first(package, NULL);
	for (; child; child = ib_xml_next(child, NULL)) {
		if (!read_package_child(m, child, err))
			return false;
	}
	package_other_sort(m->other);
	return true;
}

bool ib_mum_parse(GBytes *bytes, const char *name, struct ib_mum **ret, struct ib_error **err)
{
	struct mum *own = g_new0(struct mum, 1);
	struct ib_mum *m = &own->pub;

	own->strings = g_string_chunk_new(512);
	m->bytes = g_bytes_ref(bytes);
	m->parents = g_ptr_array_new_with_free_func(free_parent);
	m->updates = g_ptr_array_new_with_free_func(free_update);
	m->other = g_ptr_array_new_with_free_func(g_free);
	m->needs = g_ptr_array_new_with_free_func(g_free);
	if (!read_all(m, name, err)) {
		ib_mum_free(m);
		return ib_while(err, "reading package manifest '%s'", name);
	}
	g_clear_pointer(&own->xml, ib_xml_free);
	*ret = m;
	return true;
}

void ib_mum_free(struct ib_mum *m)
{
	if (!m)
		return;
	g_ptr_array_unref(m->parents);
	g_ptr_array_unref(m->updates);
	g_ptr_array_unref(m->other);
	g_ptr_array_unref(m->needs);
	g_bytes_unref(m->bytes);
	if (m->catalog)
		g_bytes_unref(m->catalog);
	ib_xml_free(((struct mum *)m)->xml);
	g_string_chunk_free(((struct mum *)m)->strings);
	g_free(m->package_id);
	g_free(m);
}
