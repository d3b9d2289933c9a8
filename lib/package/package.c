/* Opening: containers to packages, and what was found. */
#include "package/internal.h"

#include <string.h>

/* Most bytes of an answer file: real ones have about 1 KiB; larger .xml files are something else. */
#define ANSWER_MAX (1u << 20)
/* The component every servicing stack update brings. */
#define STACK_COMPONENT "microsoft-windows-servicingstack"

/* ---- the answer file of an .msu ---- */

static bool same_text(const char *a, const char *b)
{
	return g_ascii_strcasecmp(a ? a : "", b ? b : "") == 0;
}

static bool same_identity(const struct ib_identity *a, const struct ib_identity *b)
{
	return same_text(a->name, b->name) && same_text(a->arch, b->arch) && same_text(a->culture, b->culture) &&
	       same_text(a->token, b->token) && ib_version_compare(&a->number, &b->number) == 0;
}

static bool is_here(const GPtrArray *packages, const struct ib_identity *id)
{
	for (guint i = 0; i < packages->len; i++)
		if (same_identity(id, &((const struct ib_package *)packages->pdata[i])->root->id))
			return true;
	return false;
}

static bool answer_names(const struct ib_xml_node *root, const GPtrArray *packages, struct ib_error **err)
{
	const struct ib_xml_node *node = ib_xml_first(ib_xml_first(root, "servicing"), "package");

	for (; node; node = ib_xml_next(node, "package")) {
		struct ib_identity id;
		if (!ib_identity_read(ib_xml_first(node, "assemblyIdentity"), &id, err))
			return false;
		if (is_here(packages, &id))
			return true;
	}
	return ib_throw(err, IB_ERR_INPUT, "it names other packages than '%s', which is in the cabinet",
			((const struct ib_package *)packages->pdata[0])->root->id.name);
}

static bool check_answer(struct unit *u, guint i, const GPtrArray *packages, struct ib_error **err)
{
	const char *name = package_unit_file(u, i)->name;
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_xml doc = NULL;
	gsize len;

	if (!package_unit_bytes(u, i, ANSWER_MAX, &bytes, err))
		return false;
	const void *data = g_bytes_get_data(bytes, &len);
	if (!ib_xml_parse(data, len, name, &doc, err))
		return false;
	if (strcmp(ib_xml_name(ib_xml_root(doc)), "unattend") != 0 ||
	    !ib_xml_find(ib_xml_root(doc), "servicing/package"))
		return true;
	return answer_names(ib_xml_root(doc), packages, err) || ib_while(err, "checking the answer file '%s'", name);
}

/* The answer file beside the cabinets must mean a package that is in them. */
static bool check_answers(struct container *c, const GPtrArray *packages, struct ib_error **err)
{
	if (c->units->len == 1)
		return true; /* .xml files of a bare cabinet are somebody else's */
	for (guint i = 0; i < c->outer->files->len; i++) {
		const struct unit_file *f = package_unit_file(c->outer, i);
		if (!strchr(f->name, '\\') && package_has_suffix(f->name, ".xml") && f->size <= ANSWER_MAX &&
		    !check_answer(c->outer, i, packages, err))
			return false;
	}
	return true;
}

/* ---- members ---- */

static void free_member(gpointer data)
{
	struct ib_package_member *m = data;

	g_free((char *)m->name);
	g_free(m);
}

static void add_member(GPtrArray *list, const struct unit *u, guint i)
{
	struct ib_package_member *m = g_new0(struct ib_package_member, 1);
	const struct unit_file *f = package_unit_file(u, i);

	m->name = u->name ? g_strconcat(u->name, "\\", f->name, NULL) : g_strdup(f->name);
	m->size = f->size;
	g_ptr_array_add(list, m);
}

/* The outermost container's, and behind the package's own cabinet what is in it. */
static void list_members(struct ib_package *p)
{
	const struct unit *outer = p->container->outer;

	for (guint i = 0; i < outer->files->len; i++) {
		add_member(p->members, outer, i);
		if (!p->unit->name || strcmp(package_unit_file(outer, i)->name, p->unit->name) != 0)
			continue;
		for (guint k = 0; k < p->unit->files->len; k++)
			add_member(p->members, p->unit, k);
	}
}

/* ---- open ---- */

static struct ib_package *package_new(struct container *c, struct unit *unit, const struct ib_package_options *options)
{
	struct ib_package *p = g_new0(struct ib_package, 1);

	c->refs++;
	p->container = c;
	p->unit = unit;
	p->kind = unit->name && c->kind == IB_PACKAGE_CAB ? IB_PACKAGE_MSU_CAB : c->kind;
	p->spool = package_spool_new(c->spool_dir);
	p->threads = options && options->threads ? options->threads : g_get_num_processors();
	p->will_read = options && options->payload;
	if (options && options->dictionary)
		p->dictionary = g_bytes_ref(options->dictionary);
	p->mums = g_ptr_array_new_with_free_func((GDestroyNotify)ib_mum_free);
	p->manifests = g_ptr_array_new_with_free_func((GDestroyNotify)ib_manifest_free);
	p->mum_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	p->manifest_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	p->unread = g_ptr_array_new_with_free_func(g_free);
	p->members = g_ptr_array_new_with_free_func(free_member);
	p->compressed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	p->vfiles = g_ptr_array_new_with_free_func(g_free);
	p->payload = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	p->payloads = g_ptr_array_new_with_free_func(g_free);
	return p;
}

void ib_package_free(struct ib_package *p)
{
	if (!p)
		return;
	GHashTable *const tables[] = { p->mum_index, p->manifest_index, p->compressed, p->payload };
	GPtrArray *const arrays[] = { p->mums, p->manifests, p->unread, p->members, p->vfiles, p->payloads };

	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		g_hash_table_unref(tables[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
		g_ptr_array_unref(arrays[i]);
	if (p->dictionary)
		g_bytes_unref(p->dictionary);
	package_cix_free(p->cix);
	package_cix_free(p->psf_index);
	package_cix_free(p->history);
	package_spool_free(p->spool);
	package_container_unref(p->container);
	g_free(p);
}

static bool has_file(const struct ib_package *p, const char *name)
{
	for (guint i = 0; i < p->vfiles->len; i++)
		if (g_ascii_strcasecmp(((const struct vfile *)p->vfiles->pdata[i])->name, name) == 0)
			return true;
	return false;
}

/* A unit becomes a package when it, or an index in it, has a root. */
static bool add_unit(struct container *c, struct unit *unit, const struct ib_package_options *options,
		     GPtrArray *packages, struct ib_error **err)
{
	struct ib_package *p = package_new(c, unit, options);

	if (!package_list_files(p, err)) {
		ib_package_free(p);
		return unit->name ? ib_while(err, "reading the inner cabinet '%s'", unit->name) : false;
	}
	if (has_file(p, "update.mum"))
		g_ptr_array_add(packages, p);
	else
		ib_package_free(p);
	return true;
}

static bool read_package(struct ib_package *p, struct ib_error **err)
{
	list_members(p);
	if (package_read_metadata(p, err) && package_index_payload(p, err))
		return true;
	return p->unit->name ? ib_while(err, "reading the inner cabinet '%s'", p->unit->name) : false;
}

static bool throw_none(const struct container *c, struct ib_error **err)
{
	ib_throw(err, IB_ERR_INPUT, "'%s' has no 'update.mum', so it is not a package of Component Based Servicing",
		 c->path);
	return ib_hint(err, "drivers, Appx bundles and setup files come in cabinets too: they are not packages");
}

static bool throw_several(const struct container *c, const GPtrArray *packages, struct ib_error **err)
{
	const struct ib_package *a = packages->pdata[0], *b = packages->pdata[1];

	ib_throw(err, IB_ERR_INPUT, "'%s' holds more than one package: '%s' and '%s'", c->path,
		 a->unit->name ? a->unit->name : "update.mum", b->unit->name ? b->unit->name : "update.mum");
	return ib_hint(err, "take the cabinets out of it and name each as a package, the servicing stack first");
}

static bool is_stack(const struct ib_package *p)
{
	for (guint i = 0; i < p->manifests->len; i++)
		if (g_ascii_strcasecmp(((const struct ib_manifest *)p->manifests->pdata[i])->id.name, STACK_COMPONENT) == 0)
			return true;
	return false;
}

/* Servicing stacks first: what comes after may need them. Else as in the container. */
static void sort_packages(GPtrArray *packages)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();

	for (int stack = 1; stack >= 0; stack--)
		for (guint i = 0; i < packages->len; i++)
			if (is_stack(packages->pdata[i]) == stack)
				g_ptr_array_add(sorted, packages->pdata[i]);
	for (guint i = 0; i < packages->len; i++)
		packages->pdata[i] = sorted->pdata[i];
}

static bool open_packages(struct container *c, const struct ib_package_options *options,
			  struct ib_package_opening *opening, bool several, GPtrArray *packages, struct ib_error **err)
{
	for (guint i = 0; i < c->units->len; i++)
		if (!add_unit(c, c->units->pdata[i], options, packages, err))
			return false;
	if (packages->len == 0)
		return throw_none(c, err);
	if (packages->len > 1 && !several)
		return throw_several(c, packages, err);
	for (guint i = 0; i < packages->len; i++) {
		struct ib_package *p = packages->pdata[i];
		p->opening = opening;
		if (!read_package(p, err))
			return false;
		p->opening = NULL;
	}
	sort_packages(packages);
	return check_answers(c, packages, err);
}

static bool open_path(const char *path, const struct ib_package_options *options, struct ib_package_opening *opening,
		      bool several, GPtrArray **ret, struct ib_error **err)
{
	GPtrArray *packages = g_ptr_array_new_with_free_func((GDestroyNotify)ib_package_free);
	struct container *c = NULL;
	bool ok = package_container_open(path, options, &c, err) &&
		  open_packages(c, options, opening, several, packages, err);

	for (guint i = 0; ok && i < c->units->len; i++)
		((struct unit *)c->units->pdata[i])->progress = NULL;
	package_container_unref(c);
	if (!ok) {
		g_ptr_array_unref(packages);
		return ib_while(err, "opening package '%s'", path);
	}
	*ret = packages;
	return true;
}

bool ib_package_open(const char *path, const struct ib_package_options *options, struct ib_package **ret,
		     struct ib_error **err)
{
	GPtrArray *packages = NULL;

	if (!open_path(path, options, NULL, false, &packages, err))
		return false;
	*ret = g_ptr_array_steal_index(packages, 0);
	g_ptr_array_unref(packages);
	return true;
}

bool ib_package_open_all(const char *path, const struct ib_package_options *options, GPtrArray **ret,
			 struct ib_error **err)
{
	return open_path(path, options, NULL, true, ret, err);
}

bool package_open_path(const char *path, const struct ib_package_options *options, struct ib_package_opening *opening,
		       GPtrArray **ret, struct ib_error **err)
{
	return open_path(path, options, opening, true, ret, err);
}

/* ---- what was found ---- */

const char *ib_package_path(const struct ib_package *p)
{
	return p->container->path;
}

const char *ib_package_cabinet(const struct ib_package *p)
{
	return p->unit->name;
}

const GPtrArray *ib_package_payloads(const struct ib_package *p)
{
	return p->payloads;
}

enum ib_package_container ib_package_container(const struct ib_package *p)
{
	return p->kind;
}

uint64_t ib_package_file_size(const struct ib_package *p)
{
	return p->container->file_size;
}

const struct ib_mum *ib_package_root(const struct ib_package *p)
{
	return p->root;
}

const GPtrArray *ib_package_mums(const struct ib_package *p)
{
	return p->mums;
}

const struct ib_mum *ib_package_mum(const struct ib_package *p, const char *package_id)
{
	g_autofree char *key = ib_name_fold(package_id);

	return g_hash_table_lookup(p->mum_index, key);
}

const GPtrArray *ib_package_manifests(const struct ib_package *p)
{
	return p->manifests;
}

const struct ib_manifest *ib_package_manifest(const struct ib_package *p, const char *keyform)
{
	g_autofree char *key = ib_name_fold(keyform);

	return g_hash_table_lookup(p->manifest_index, key);
}

const GPtrArray *ib_package_unread(const struct ib_package *p)
{
	return p->unread;
}

GBytes *ib_package_unread_bytes(const struct ib_package *p, const char *name)
{
	g_autofree char *key = ib_name_fold(name);

	return g_hash_table_lookup(p->compressed, key);
}

const GPtrArray *ib_package_members(const struct ib_package *p)
{
	return p->members;
}

uint64_t ib_package_payload_bytes(const struct ib_package *p)
{
	return p->payload_bytes;
}
