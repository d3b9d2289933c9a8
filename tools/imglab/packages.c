#include "packages.h"

#include "cab.h"
#include "catalog.h"
#include "containers.h"
#include "content_internal.h"
#include "msu.h"
#include "novelty.h"

#include <string.h>

#define FOUNDATION "Microsoft-Windows-Foundation-Package"
#define ENTERPRISE_G "Microsoft-Windows-EnterpriseGEdition"
#define ENTERPRISE "Microsoft-Windows-EnterpriseEdition"

#define BASE_VERSION "10.0.17763.1"
/* Means: any servicing stack will do. */
#define ANY_STACK "6.0.0.0"
#define STACK_2170 "10.0.17763.2170"

struct mill {
	struct lab_arena *arena;
	struct lab_world *world;
	struct lab_pki *pki;
	const struct lab_world_options *options;
	const char *dir;
	GHashTable *differentials; /* path -> GBytes: those of the current world's packages */
};

struct cumulative {
	const char *kb;      /* number */
	const char *version; /* of the package */
	unsigned release;
	const char *stack;   /* servicing stack it needs */
	const char *type;
};

static const struct cumulative april = { "5001384", "17763.1911.1.7", LAB_4C, ANY_STACK, "Update" };
static const struct cumulative september = { "5005568", "17763.2183.1.5", LAB_9B, STACK_2170, "Security Update" };
static const struct cumulative october = { "5006672", "17763.2237.1.4", LAB_10B, STACK_2170, "Security Update" };

/* ---- one child package for each base package of which something changes ---- */

struct child {
	struct mill *mill;
	const struct cumulative *spec;
	struct lab_identity owner;   /* a base package; its content is not made: it would take much memory */
	struct lab_package *package; /* NULL: nothing has changed yet */
	unsigned *updates;           /* counted over all children */
	GPtrArray *deployments;      /* struct lab_component, as in package->updates */
	GPtrArray *features;         /* const char *, "" for the always installed; beside deployments */
};

/* In the arena: updates refer to the owner's identity. */
static struct child *new_child(struct mill *m, const struct cumulative *spec, size_t owner)
{
	const struct lab_package_row *row = &lab_package_rows[owner];
	struct child *c = lab_alloc(m->arena, sizeof(*c));

	*c = (struct child){ .mill = m, .spec = spec, .deployments = lab_array(m->arena),
			     .owner = lab_package_identity(row->name, BASE_VERSION, "amd64", row->culture),
			     .features = lab_array(m->arena) };
	return c;
}

static void open_child(struct child *c, guint number)
{
	struct lab_arena *a = c->mill->arena;
	struct lab_identity id = lab_package_identity(lab_printf(a, "Package_%u_for_KB%s", number, c->spec->kb),
						      c->spec->version, "amd64", "neutral");

	c->package = lab_package_new(a, id, lab_printf(a, "KB%s", c->spec->kb), c->spec->type);
	c->package->restart = "possible";
	lab_add_parent(a, c->package, c->owner);
}

/* Deployments of cumulative updates have no readable names: 32 hex digits. */
static struct lab_component *new_deployment(struct lab_arena *a, const char *label, const char *version)
{
	g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, label, -1);
	struct lab_component *d = lab_component_new(
		a, lab_component_identity(lab_printf(a, "%.32s", hash), version, "amd64", "neutral"));

	d->deployment = true;
	return d;
}

/* The deployment that goes with a feature of the owner, or with none. */
static struct lab_component *deployment_for(struct child *c, const char *feature)
{
	struct lab_arena *a = c->mill->arena;

	for (guint i = 0; i < c->features->len; i++)
		if (g_str_equal(c->features->pdata[i], feature))
			return c->deployments->pdata[i];
	const char *label = lab_printf(a, "%s %s %s", c->package->id.name, c->spec->version, feature);
	struct lab_component *d = new_deployment(a, label, lab_release_version(c->mill->world, c->spec->release));
	struct lab_update *u = lab_add_deployment(
		a, c->package, lab_printf(a, "%s-%u_neutral", c->spec->kb, ++*c->updates), d);

	if (*feature) {
		u->applicable_parent = &c->owner;
		u->applicable_update = feature;
	}
	g_ptr_array_add(c->deployments, d);
	g_ptr_array_add(c->features, (gpointer)feature);
	return d;
}

static void add_component(struct child *c, const struct lab_package *root, const struct lab_component *component,
			  const char *feature)
{
	if (!c->package)
		open_child(c, root->children->len + 1);
	lab_add_dependency(c->mill->arena, deployment_for(c, feature ? feature : ""), &component->id);
	g_ptr_array_add(c->package->components, (gpointer)component);
}

/* Families that have changed since RTM, in the version of the month in which they last did. */
static void add_changed(struct child *c, const struct lab_package *root, size_t owner)
{
	struct lab_world *w = c->mill->world;

	for (size_t i = 0; i < lab_world_count(w); i++) {
		unsigned revision = lab_world_revision(w, i, c->spec->release);

		if (lab_world_owner(w, i) != owner || lab_world_is_stack(w, i) || revision <= LAB_RTM)
			continue;
		add_component(c, root, lab_world_component(w, i, revision), lab_world_feature(w, i));
	}
}

static void add_new(struct child *c, const struct lab_package *root, GPtrArray *novelties)
{
	for (guint i = 0; i < novelties->len; i++) {
		const struct lab_novelty *n = novelties->pdata[i];

		if (g_str_equal(n->owner, c->owner.name))
			add_component(c, root, n->component, NULL);
	}
}

/* What the update holds for the feature on demand: it applies once the feature is there. */
static void add_on_demand_child(struct mill *m, const struct cumulative *spec, struct lab_package *root, unsigned *updates)
{
	struct child c = { .mill = m, .spec = spec, .deployments = lab_array(m->arena), .features = lab_array(m->arena),
			   .owner = lab_package_identity("Lab-OpenTools-Core-Package", BASE_VERSION, "amd64", "neutral"),
			   .updates = updates };

	add_component(&c, root, lab_open_tools_core(m->arena, m->options->seed, lab_release_version(m->world, spec->release)),
		      NULL);
	lab_add_child(m->arena, root, c.package);
}

/* What it holds for .NET 3.5: staged with the package, installed with its feature. */
static void add_netfx3_child(struct mill *m, const struct cumulative *spec, struct lab_package *root, unsigned *updates)
{
	struct child *c = lab_alloc(m->arena, sizeof(*c)); /* updates refer to its owner */
	GPtrArray *components =
		lab_netfx3_components(m->arena, m->options->seed, lab_release_version(m->world, spec->release));

	*c = (struct child){ .mill = m, .spec = spec, .deployments = lab_array(m->arena), .features = lab_array(m->arena),
			     .owner = lab_package_identity(LAB_NETFX3_PACKAGE, BASE_VERSION, "amd64", "neutral"),
			     .updates = updates };
	for (guint i = 0; i < components->len; i++)
		add_component(c, root, components->pdata[i], LAB_NETFX3_FEATURE);
	lab_add_child(m->arena, root, c->package);
}

/* Applies to any image of build 17763 that has one of these. */
static void add_base_parents(struct mill *m, struct lab_package *p, const char *build_compare)
{
	static const char *const names[] = { ENTERPRISE_G, ENTERPRISE, FOUNDATION };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		lab_add_parent(m->arena, p, lab_package_identity(names[i], BASE_VERSION, "amd64", "neutral"))
			->build_compare = build_compare;
}

static struct lab_package *new_rollup(struct mill *m, const struct cumulative *spec)
{
	struct lab_identity id = lab_package_identity("Package_for_RollupFix", spec->version, "amd64", "neutral");
	struct lab_package *root = lab_package_new(m->arena, id, lab_printf(m->arena, "KB%s", spec->kb), spec->type);

	root->description = lab_printf(m->arena, "Fix for KB%s", spec->kb);
	root->display = "default";
	root->company = "Imglab";
	root->support = lab_printf(m->arena, "http://imglab.invalid/kb/%s", spec->kb);
	root->restart = "possible";
	root->deep = true;
	root->stack_version = spec->stack;
	return root;
}

static struct lab_package *make_cumulative(struct mill *m, const struct cumulative *spec)
{
	struct lab_package *root = new_rollup(m, spec);
	const char *since = lab_release_version(m->world, LAB_9B);
	GPtrArray *novelties = spec->release < LAB_9B ? lab_array(m->arena)
						      : lab_novelties(m->arena, m->options->seed, since);
	unsigned updates = 0;

	add_base_parents(m, root, "EQ");
	for (size_t owner = 0; owner < lab_world_packages(m->world); owner++) {
		struct child *c = new_child(m, spec, owner);

		c->updates = &updates;
		add_changed(c, root, owner);
		add_new(c, root, novelties);
		if (c->package)
			lab_add_child(m->arena, root, c->package);
	}
	if (spec->release >= LAB_9B) {
		add_on_demand_child(m, spec, root, &updates);
		add_netfx3_child(m, spec, root, &updates);
	}
	return root;
}

/* ---- the others ---- */

/* A package whose one deployment installs these components. */
static void add_flat(struct mill *m, struct lab_package *p, const char *update, GPtrArray *components,
		     const char *version)
{
	g_autofree char *label = g_strdup_printf("%s %s", p->id.name, p->id.version);
	struct lab_component *d = new_deployment(m->arena, label, version);

	for (guint i = 0; i < components->len; i++) {
		const struct lab_component *c = components->pdata[i];

		lab_add_dependency(m->arena, d, &c->id);
		g_ptr_array_add(p->components, (gpointer)c);
	}
	lab_add_deployment(m->arena, p, update, d);
}

static struct lab_package *make_stack(struct mill *m)
{
	struct lab_identity id = lab_package_identity("Package_for_ServicingStack_2170", "17763.2170.1.0", "amd64",
						      "neutral");
	struct lab_package *root = lab_package_new(m->arena, id, "KB5005112", "Security Update");
	GPtrArray *components = lab_array(m->arena);

	root->description = "Fix for KB5005112";
	root->display = "default";
	root->company = "Imglab";
	root->support = "http://imglab.invalid/kb/5005112";
	root->permanence = "permanent";
	root->self_update = true;
	root->stack_version = ANY_STACK;
	lab_add_parent(m->arena, root, lab_package_identity(FOUNDATION, BASE_VERSION, "amd64", "neutral"));
	for (size_t i = 0; i < lab_world_count(m->world); i++) {
		unsigned revision = lab_world_revision(m->world, i, LAB_STACK);

		if (lab_world_is_stack(m->world, i) && revision > LAB_RTM)
			g_ptr_array_add(components, (gpointer)lab_world_component(m->world, i, revision));
	}
	add_flat(m, root, "5005112-1_neutral", components, lab_release_version(m->world, LAB_STACK));
	return root;
}

static struct lab_package *make_on_demand(struct mill *m)
{
	struct lab_package *root = lab_open_tools(m->arena, m->options->seed, BASE_VERSION);

	add_base_parents(m, root, "GE");
	return root;
}

/* What the recovery environment gets instead of the cumulative update. */
static struct lab_package *make_safe_os(struct mill *m)
{
	struct lab_identity id = lab_package_identity("Package_for_SafeOSDU", "17763.2190.1.2", "amd64", "neutral");
	struct lab_package *root = lab_package_new(m->arena, id, "KB5005998", "Update");
	GPtrArray *components = lab_array(m->arena);

	root->description = "Safe OS update of the laboratory";
	root->stack_version = ANY_STACK;
	lab_add_parent(m->arena, root, lab_package_identity("WinPE-SRT-Package", BASE_VERSION, "amd64", "neutral"));
	g_ptr_array_add(components, lab_recovery_tools(m->arena, m->options->seed, "10.0.17763.2190"));
	add_flat(m, root, "5005998-1_neutral", components, "10.0.17763.2190");
	return root;
}

/* An update that other programs can install, too. */
static struct lab_package *make_plain(struct mill *m)
{
	struct lab_identity id = lab_package_identity("Package_for_KB5005990", "10.0.1.0", "amd64", "neutral");
	struct lab_package *root = lab_package_new(m->arena, id, "KB5005990", "Update");

	root->description = "Fix for KB5005990";
	root->stack_version = ANY_STACK;
	add_base_parents(m, root, "EQ");
	add_flat(m, root, "5005990-1_neutral", lab_plain_components(m->arena, m->options->seed, "10.0.17763.2150"),
		 "10.0.17763.2150");
	return root;
}

/* Right in all but the build of its parent. */
static struct lab_package *make_other_build(struct mill *m)
{
	static const struct cumulative spec = { "5005565", "19041.1237.1.7", LAB_9B, ANY_STACK, "Security Update" };
	struct lab_package *root = new_rollup(m, &spec);
	GPtrArray *components = lab_array(m->arena);

	lab_add_parent(m->arena, root, lab_package_identity(FOUNDATION, "10.0.19041.1", "amd64", "neutral"));
	g_ptr_array_add(components, lab_other_build(m->arena, m->options->seed, "10.0.19041.1237"));
	add_flat(m, root, "5005565-1_neutral", components, "10.0.19041.1237");
	return root;
}

/* ---- writing ---- */

static bool write_file(const struct mill *m, const char *name, GBytes *bytes, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(m->dir, name, NULL);
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	return ib_file_write(path, data, len, err);
}

struct delivery {
	const char *file;    /* below the folder */
	unsigned release;    /* its date */
	enum lab_signer signer;
	enum lab_flaw flaw;
	bool differentials;  /* PSFX, its manifests compressed */
};

/* The file of a component as the lab's base has it. */
static GBytes *base_file(void *world, const struct lab_component *c, const char *file)
{
	return lab_world_file(world, c, file, LAB_RTM);
}

/* What is wrong on purpose is not worth compressing. */
static enum lab_cab_method method_of(const struct lab_package *root, const struct delivery *d)
{
	if (d->flaw != LAB_FLAW_NONE || d->signer != LAB_SIGNER_CATALOG)
		return LAB_CAB_STORED;
	return root->children->len > 0 ? LAB_CAB_LZX : LAB_CAB_MSZIP;
}

static bool write_msu(struct mill *m, struct lab_package *root, const struct delivery *d, struct ib_error **err)
{
	const struct lab_differentials differentials = { .base = base_file, .data = m->world, .made = m->differentials };
	const struct lab_shipping how = { .arena = m->arena, .pki = m->pki, .signer = d->signer,
					  .when = lab_release_time(d->release), .flaw = d->flaw,
					  .method = method_of(root, d),
					  .dictionary = d->differentials ? lab_world_dictionary(m->world) : NULL,
					  .differentials = d->differentials ? &differentials : NULL };
	g_autofree char *name = g_strdup_printf("Windows10.0-%s-x64", root->identifier);
	g_autoptr(GBytes) bytes = NULL;

	root->format = d->differentials ? "PSFX" : NULL;
	if (!lab_msu(root, name, &how, &bytes, err) || !write_file(m, d->file, bytes, err))
		return ib_while(err, "writing '%s'", d->file);
	return true;
}

/* What must be refused is the same in a small world; a large one is for measuring, and gets the first two. */
static bool write_cumulative(struct mill *m, struct lab_package *root, const struct delivery *deliveries, size_t count,
			     struct ib_error **err)
{
	for (size_t i = 0; i < (m->options->size == LAB_SIZE_LARGE ? 2 : count); i++)
		if (!write_msu(m, root, &deliveries[i], err))
			return false;
	return true;
}

/* folder: with its separator, or empty */
static bool write_feature(struct mill *m, const char *folder, const struct lab_package *p, struct ib_error **err)
{
	const struct lab_shipping how = { .arena = m->arena, .pki = m->pki, .signer = LAB_SIGNER_CATALOG,
					  .when = lab_release_time(LAB_RTM), .on_demand = true,
					  .method = LAB_CAB_MSZIP };
	bool neutral = g_str_equal(p->id.culture, "neutral");
	g_autofree char *file = g_strdup_printf("%s%s~" LAB_TOKEN "~amd64~%s~.cab", folder, p->id.name,
						neutral ? "" : p->id.culture);
	g_autoptr(GBytes) bytes = NULL;

	return lab_package_cabinet(p, &how, &bytes, err) && write_file(m, file, bytes, err);
}

/* The disc of features on demand: all of them, for languages that the base has and that it has not. */
static bool write_on_demand(struct mill *m, struct ib_error **err)
{
	static const char *const languages[] = { "en-US", "zh-CN" };
	static const char *const stems[] = { "Basic", "Speech" };
	static const char folder[] = "on-demand/";
	struct lab_arena *a = m->arena;
	uint64_t seed = m->options->seed;

	if (!write_feature(m, "", make_on_demand(m), err) || !write_feature(m, folder, make_on_demand(m), err) ||
	    !write_feature(m, folder, lab_open_tools_extra(a, seed, BASE_VERSION), err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(languages); i++)
		if (!write_feature(m, folder, lab_open_tools_language(a, seed, BASE_VERSION, languages[i]), err))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(stems); i++)
		if (!write_feature(m, folder, lab_language_feature(a, seed, BASE_VERSION, stems[i], "de-DE"), err))
			return false;
	return true;
}

static bool write_netfx3(struct mill *m, struct ib_error **err)
{
	struct lab_package *p = lab_netfx3(m->arena, m->options->seed, BASE_VERSION);

	add_base_parents(m, p, "GE");
	return write_feature(m, "sxs/", p, err);
}

static bool write_safe_os(struct mill *m, struct ib_error **err)
{
	const struct lab_shipping how = { .arena = m->arena, .pki = m->pki, .signer = LAB_SIGNER_CATALOG,
					  .when = lab_release_time(LAB_9B) };
	g_autoptr(GBytes) bytes = NULL;

	return lab_package_cabinet(make_safe_os(m), &how, &bytes, err) &&
	       write_file(m, "windows10.0-kb5005998-x64-safeos.cab", bytes, err);
}

/* Files for the medium's sources folder: two that are there, one that is not, one in a folder; also by nobody. */
static bool write_setup(struct mill *m, struct ib_error **err)
{
	static const char *const names[] = { "setup.exe", "setupcore.dll", "labsetup.dll", "en-US\\setup.exe.mui" };
	static const struct {
		const char *file;
		enum lab_signer signer;
	} files[] = { { "windows10.0-kb5005999-x64-setup.cab", LAB_SIGNER_CATALOG },
		      { "refused/windows10.0-kb5005999-x64-setup-unknown.cab", LAB_SIGNER_UNKNOWN } };
	lab_auto_cab cab = lab_cab_new(true, lab_release_time(LAB_9B));
	g_autoptr(GBytes) plain = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GBytes) program = lab_setup_program(m->options->seed, names[i], "10.0.17763.2190");
		lab_cab_add(cab, names[i], program);
	}
	if (!lab_cab_build(cab, 0, &plain, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autoptr(GBytes) bytes = NULL;
		if (!lab_cabinet_sign(plain, m->pki, files[i].signer, lab_release_time(LAB_9B), &bytes, err) ||
		    !write_file(m, files[i].file, bytes, err))
			return false;
	}
	return true;
}

static bool write_stack(struct mill *m, struct ib_error **err)
{
	const struct delivery d = { .file = "windows10.0-kb5005112-x64.msu", .release = LAB_STACK };

	return write_msu(m, make_stack(m), &d, err);
}

static struct lab_containers containers(struct mill *m, struct lab_package *root, unsigned release)
{
	return (struct lab_containers){ .arena = m->arena, .world = m->world, .pki = m->pki, .dir = m->dir, .root = root,
					.release = release };
}

/* Other containers are made for a small world only: they are about form. */
static bool is_small(const struct mill *m)
{
	return m->options->size == LAB_SIZE_SMALL && !m->options->files_dir;
}

static bool write_april(struct mill *m, struct ib_error **err)
{
	static const struct delivery deliveries[] = {
		{ .file = "windows10.0-kb5001384-x64.msu", .release = LAB_4C },
		{ .file = "psfx/windows10.0-kb5001384-x64.msu", .release = LAB_4C, .differentials = true },
	};

	struct lab_package *root = make_cumulative(m, &april);
	const struct lab_containers c = containers(m, root, LAB_4C);

	return write_cumulative(m, root, deliveries, G_N_ELEMENTS(deliveries), err) &&
	       (!is_small(m) || lab_containers_numbered(&c, err));
}

#define SEPTEMBER "windows10.0-kb5005568-x64"

static bool write_september(struct mill *m, struct ib_error **err)
{
	static const struct delivery deliveries[] = {
		{ SEPTEMBER ".msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_NONE, false },
		{ "psfx/" SEPTEMBER ".msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_NONE, true },
		{ "refused/" SEPTEMBER "-payload.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_PAYLOAD, false },
		{ "refused/" SEPTEMBER "-manifest.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_MANIFEST, false },
		{ "refused/" SEPTEMBER "-unsigned.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_NO_CATALOG, false },
		{ "refused/" SEPTEMBER "-unknown.msu", LAB_9B, LAB_SIGNER_UNKNOWN, LAB_FLAW_NONE, false },
		{ "refused/psfx/" SEPTEMBER "-target.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_PAYLOAD, true },
		{ "refused/psfx/" SEPTEMBER "-manifest.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_MANIFEST, true },
		{ "refused/psfx/" SEPTEMBER "-delta.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_DELTA, true },
		{ "refused/psfx/" SEPTEMBER "-base.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_BASE, true },
		{ "refused/psfx/" SEPTEMBER "-noreverse.msu", LAB_9B, LAB_SIGNER_CATALOG, LAB_FLAW_NO_REVERSE, true },
	};

	struct lab_package *root = make_cumulative(m, &september);
	struct lab_containers c = containers(m, root, LAB_9B);

	c.stack = make_stack(m);
	return write_cumulative(m, root, deliveries, G_N_ELEMENTS(deliveries), err) &&
	       (!is_small(m) || lab_containers_psf(&c, err));
}

static bool write_october(struct mill *m, struct ib_error **err)
{
	static const struct delivery deliveries[] = {
		{ .file = "windows10.0-kb5006672-x64.msu", .release = LAB_10B },
		{ .file = "psfx/windows10.0-kb5006672-x64.msu", .release = LAB_10B, .differentials = true },
	};

	struct lab_package *root = make_cumulative(m, &october);
	const struct lab_containers c = containers(m, root, LAB_10B);

	return write_cumulative(m, root, deliveries, G_N_ELEMENTS(deliveries), err) &&
	       (!is_small(m) || lab_containers_checkpoint(&c, LAB_4C, err));
}

static bool write_plain(struct mill *m, struct ib_error **err)
{
	const struct delivery d = { .file = "windows10.0-kb5005990-x64.msu", .release = LAB_9B };

	return write_msu(m, make_plain(m), &d, err);
}

static bool write_other_build(struct mill *m, struct ib_error **err)
{
	const struct delivery d = { .file = "refused/windows10.0-kb5005565-x64.msu", .release = LAB_9B };

	return write_msu(m, make_other_build(m), &d, err);
}

/* A world for each: all months of a large one at once do not fit a small machine. */
static bool run(struct mill *m, bool (*write)(struct mill *m, struct ib_error **err), struct ib_error **err)
{
	m->arena = lab_arena_new();
	m->differentials = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	bool ok = lab_world_new(m->arena, m->options, &m->world, err) && write(m, err);

	g_hash_table_unref(m->differentials);
	lab_arena_free(m->arena);
	return ok;
}

bool lab_packages_write(const struct lab_world_options *options, const char *dir, struct ib_error **err)
{
	static const char *const folders[] = { "on-demand", "psfx", "sxs", "refused/psfx" };
	lab_auto_pki pki = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *folder = g_build_filename(dir, folders[i], NULL);

		if (!ib_dir_make(folder, err))
			return false;
	}
	if (!lab_pki_new(options->seed, &pki, err))
		return false;
	struct mill m = { .pki = pki, .options = options, .dir = dir };
	return run(&m, write_stack, err) && run(&m, write_april, err) && run(&m, write_september, err) &&
	       run(&m, write_october, err) && run(&m, write_on_demand, err) && run(&m, write_netfx3, err) && run(&m, write_other_build, err) &&
	       run(&m, write_plain, err) && run(&m, write_safe_os, err) && run(&m, write_setup, err);
}
