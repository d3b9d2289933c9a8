/* The documents of a stream, and what clients make of them: cases of supersedence, rules, relations over time. */
#include "metadata/internal.h"

#include <string.h>

#include <criterion/criterion.h>
#include <glib/gstdio.h>

static char *products_dir(void)
{
	return g_build_filename(g_getenv("IB_SRC"), "manifests", "products", NULL);
}

static char *xsd_dir(void)
{
	return g_build_filename(g_getenv("IB_SRC"), "manifests", "xsd", NULL);
}

/* ---- generating ---- */

struct spec {
	const char *name, *customer, *stream, *product, *version;
	unsigned build;
	const char *from[4];
	bool reimage;
};

static const struct spec std20 = { "std20", NULL, "std-l", "V2020-L", "2020.1.1903.21", 17763, { "V0-H" } };
static const struct spec acme20 = { "acme20", "ACME", "acme-l", "V2020-L", "2020.1.2109.21", 17763, { "V0-H" } };
static const struct spec std22 = { "std22", NULL, "std-l", "V2022-L", "2022.1.2201.21", 19044, { "V0-H", "V2020-L" } };
static const struct spec acme22 = { "acme22", "ACME", "acme-l", "V2022-L", "2022.1.2203.21", 19044, { "V0-H", "V2020-L" } };

/* A catalog folder: what was generated is put into it, as an operator does. */
struct place {
	char *root, *catalog, *out;
	unsigned runs;
};

static struct place place_new(void)
{
	struct place p = { .root = g_dir_make_tmp("metadata-XXXXXX", NULL) };

	p.catalog = g_build_filename(p.root, "catalog", NULL);
	p.out = g_build_filename(p.root, "out", NULL);
	g_mkdir(p.catalog, 0700);
	return p;
}

static void place_clear(struct place *p)
{
	ib_auto_error err = NULL;

	cr_assert(ib_dir_remove(p->root, &err));
	g_free(p->root);
	g_free(p->catalog);
	g_free(p->out);
}
#define auto_place IB_CLEANUP(place_clear) struct place

static bool generate(struct place *p, const struct spec *s, struct ib_metadata_result *r, struct ib_error **err)
{
	g_autofree char *products = products_dir();
	g_autofree char *xsd = xsd_dir();
	char *dirs[] = { products, NULL };
	struct ib_metadata_image image = {
		.size = sizeof image, .vendor = "CMGE", .customer = s->customer, .name = s->name, .stream = s->stream,
		.edition = "EnterpriseG", .product = s->product, .version = s->version, .build = s->build, .ubr = 1,
		.arch = "amd64", .upgrade_from = s->from, .product_dirs = dirs, .reimage = s->reimage,
		.file_name = "image.iso", .file_bytes = 1000, .date = 1632700800,
	};

	return ib_dir_remove(p->out, err) && ib_dir_make(p->out, err) &&
	       ib_metadata_generate(&image, p->catalog, p->out, xsd, r, err);
}

static void copy_documents(const struct place *p, const struct ib_metadata_result *r)
{
	for (guint i = 0; i < r->files->len; i++) {
		const char *name = g_ptr_array_index(r->files, i);
		g_autofree char *from = g_build_filename(p->out, name, NULL);
		g_autofree char *to = g_build_filename(p->catalog, name, NULL);
		g_autofree char *text = NULL;
		gsize len;
		if (!g_str_has_suffix(name, ".xml"))
			continue;
		cr_assert(g_file_get_contents(from, &text, &len, NULL));
		cr_assert(g_file_set_contents(to, text, (gssize)len, NULL));
	}
}

/* Generate and put into the catalog; returns how many images it supersedes. */
static unsigned add(struct place *p, const struct spec *s)
{
	ib_auto_error err = NULL;
	struct ib_metadata_result r;

	cr_assert(generate(p, s, &r, &err), "%s: %s", s->name, ib_error_cause(err));
	cr_expect_eq(r.offers_two, 0);
	cr_expect_eq(r.loops, 0);
	cr_expect_gt(r.scans, r.clients);
	cr_expect_eq(r.revision, 1);
	copy_documents(p, &r);
	unsigned n = r.superseded->len;
	ib_metadata_result_clear(&r);
	return n;
}

static void expect_refused(struct place *p, const struct spec *s, enum ib_code code, const char *part)
{
	ib_auto_error err = NULL;
	struct ib_metadata_result r;

	cr_assert_not(generate(p, s, &r, &err), "%s was accepted", s->name);
	cr_expect_eq(ib_error_code(err), code, "%s", ib_error_cause(err));
	cr_expect_not_null(strstr(ib_error_cause(err), part), "%s", ib_error_cause(err));
	/* nothing half-done lies about */
	g_autoptr(GDir) dir = g_dir_open(p->out, 0, NULL);
	cr_expect_null(dir ? g_dir_read_name(dir) : NULL);
}

static struct catalog *load(const struct place *p)
{
	ib_auto_error err = NULL;
	struct catalog *c = NULL;

	cr_assert(catalog_load(p->catalog, &c, &err), "%s", err ? ib_error_cause(err) : "");
	return c;
}

static GPtrArray *images_of(const struct catalog *c)
{
	const struct image like = { .vendor = (char *)"CMGE", .edition = (char *)"EnterpriseG", .arch = 9 };

	return stream_images(c, &like);
}

/* ---- clients ---- */

static struct facts *machine(unsigned build, const char *line, const char *version, const char *customer)
{
	struct facts *f = facts_new(build, 9);

	facts_set_text(f, WINDOWS_KEY, "EditionID", "EnterpriseG");
	if (line)
		facts_set_text(f, "SOFTWARE\\CMGE\\Image", "Edition", line);
	if (version)
		facts_set_text(f, "SOFTWARE\\CMGE\\Image", "Version", version);
	if (customer)
		facts_set_text(f, "SOFTWARE\\CMGE\\Image", "CustomerId", customer);
	return f;
}

/* Titles, in order, of what a client is offered. */
static char *offered(struct sim *s, const GPtrArray *images, const struct facts *f, const struct sim_setting *w)
{
	uint64_t set = sim_offered(s, f, w);
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < images->len; i++)
		if (set >> i & 1)
			g_string_append_printf(text, "%s%s", text->len ? " " : "",
					       ((struct update *)g_ptr_array_index(images, i))->title);
	return g_string_free(text, FALSE);
}

static struct sim_count count_all(struct sim *s)
{
	struct facts *clients[] = {
		machine(17134, NULL, NULL, NULL), machine(17763, NULL, NULL, NULL),
		machine(17763, "L", "2020.1.2109.21", "ACME"), machine(19044, "L", "2022.1.2201.21", NULL),
	};
	struct sim_count count = { 0 };

	for (size_t i = 0; i < G_N_ELEMENTS(clients); i++) {
		sim_run(s, clients[i], &count);
		facts_free(clients[i]);
	}
	return count;
}

/* ---- what was broken on purpose ---- */

static struct update *titled(const GPtrArray *images, const char *title)
{
	for (guint i = 0; i < images->len; i++)
		if (strcmp(((struct update *)g_ptr_array_index(images, i))->title, title) == 0)
			return g_ptr_array_index(images, i);
	cr_assert_fail("%s", title);
	return NULL;
}

static void no_relations(const GPtrArray *images)
{
	for (guint i = 0; i < images->len; i++)
		g_array_set_size(((struct update *)g_ptr_array_index(images, i))->superseded, 0);
}

static void forget(struct update *u, const struct update *lower)
{
	for (guint i = u->superseded->len; i-- > 0;)
		if (strcmp(reference_at(u->superseded, i)->id, lower->id) == 0)
			g_array_remove_index(u->superseded, i);
}

static void standard_forgotten(const GPtrArray *images)
{
	forget(titled(images, "acme22"), titled(images, "std22"));
}

/* Each image names its predecessor only, and one in the middle is withdrawn. */
static void chain_withdrawn(const GPtrArray *images)
{
	for (guint i = 0; i < images->len; i++)
		for (guint k = 0; k + 1 < i; k++)
			forget(g_ptr_array_index(images, i), g_ptr_array_index(images, k));
	titled(images, "std22")->expired = true;
}

static void withdrawn(const GPtrArray *images)
{
	titled(images, "acme22")->expired = true;
}

/* One element with version and build is false on every Windows 10. */
static void one_element(const GPtrArray *images)
{
	for (guint i = 0; i < images->len; i++) {
		struct ib_xml_node *rule = ((struct update *)g_ptr_array_index(images, i))->child->installable;
		struct ib_xml_node *n = ib_xml_first(rule, "WindowsVersion");
		ib_xml_set(n, "Comparison", "LessThan");
		ib_xml_set(n, "BuildNumber", "19045");
	}
}

/* No upper bounds, any vendor machine of the line, "installed" means exactly this one: nothing hides the lower. */
static void unbounded(const GPtrArray *images)
{
	no_relations(images);
	for (guint i = 0; i < images->len; i++) {
		struct update *child = ((struct update *)g_ptr_array_index(images, i))->child;
		ib_xml_set(ib_xml_first(child->installed, "RegSzToVersion"), "Comparison", "EqualTo");
		struct ib_xml_node *n;
		while ((n = ib_xml_first(child->installable, "Not")) || (n = ib_xml_first(child->installable, "Or")))
			ib_xml_remove(n);
		while ((n = ib_xml_first(child->installable, "WindowsVersion")))
			ib_xml_remove(n);
	}
}

static void nothing_broken(const GPtrArray *images)
{
}

/* Bits: std20 1, acme20 2, std22 4, acme22 8. */
static const struct {
	const char *what;
	void (*break_it)(const GPtrArray *);
	uint64_t present, approved;
	const char *v0h, *v2020, *acme; /* offered to: V0-H and V2020-L without values, an ACME machine on V2020-L */
	bool two, loops;                /* the exhaustive run finds some */
} cases[] = {
	{ "C all approved", nothing_broken, 15, 15, "acme22", "acme22", "acme22", false, false },
	{ "B V2022-L not approved", nothing_broken, 15, 3, "acme20", "", "", false, false },
	{ "D old ones not approved", nothing_broken, 15, 8, "acme22", "acme22", "acme22", false, false },
	{ "J1 no custom V2022-L yet", nothing_broken, 7, 7, "std22", "std22", "", false, false },
	{ "E no relations", no_relations, 15, 15, "std20 acme20 std22 acme22", "std22 acme22", "acme22", true, false },
	{ "G standard not named", standard_forgotten, 15, 15, "std22 acme22", "std22 acme22", "acme22", true, false },
	{ "T withdrawn, total order", withdrawn, 15, 15, "std22", "std22", "", false, false },
	{ "K withdrawn, chain", chain_withdrawn, 15, 15, "acme20 acme22", "acme22", "acme22", true, false },
	{ "M one element", one_element, 15, 15, "", "", "", false, false },
	{ "F2 unbounded", unbounded, 15, 12, "std22 acme22", "std22 acme22", "std22 acme22", true, true },
};

Test(metadata, cases)
{
	auto_place p = place_new();
	struct facts *v0h = machine(17134, NULL, NULL, NULL), *v2020 = machine(17763, NULL, NULL, NULL);
	struct facts *acme = machine(17763, "L", "2020.1.2109.21", "ACME");

	facts_set_text(acme, "SOFTWARE\\CMGE\\Image", "ImageId", "acme-l");
	cr_expect_eq(add(&p, &std20), 0);
	cr_expect_eq(add(&p, &acme20), 1);
	cr_expect_eq(add(&p, &std22), 2);
	cr_expect_eq(add(&p, &acme22), 3);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct catalog *c = load(&p);
		g_autoptr(GPtrArray) images = images_of(c);
		cr_assert_eq(images->len, 4);
		cases[i].break_it(images);
		struct sim *s = sim_new(c, images);
		for (int model = SIM_NATIVE; model <= SIM_OPTIMISTIC; model++) {
			struct sim_setting w = { cases[i].present, cases[i].approved, (enum sim_model)model, false };
			g_autofree char *a = offered(s, images, v0h, &w);
			g_autofree char *b = offered(s, images, v2020, &w);
			g_autofree char *d = offered(s, images, acme, &w);
			cr_expect_str_eq(a, cases[i].v0h, "%s: V0-H gets '%s'", cases[i].what, a);
			cr_expect_str_eq(b, cases[i].v2020, "%s: V2020-L gets '%s'", cases[i].what, b);
			cr_expect_str_eq(d, cases[i].acme, "%s: ACME gets '%s'", cases[i].what, d);
		}
		struct sim_count count = count_all(s);
		cr_expect_eq(count.offers_two > 0, cases[i].two, "%s: %u", cases[i].what, count.offers_two);
		cr_expect_eq(count.loops > 0, cases[i].loops, "%s: %u", cases[i].what, count.loops);
		sim_free(s);
		catalog_free(c);
	}
	facts_free(v0h);
	facts_free(v2020);
	facts_free(acme);
}

/* N: without the vendor's categories nobody is offered anything. */
Test(metadata, missing_category)
{
	auto_place p = place_new();
	struct author a = { .image = &(struct ib_metadata_image){ .vendor = "CMGE", .edition = "", .arch = "", .stream = "" } };
	struct facts *f = machine(17134, NULL, NULL, NULL);

	add(&p, &std20);
	author_ids(&a);
	g_autofree char *name = g_strdup_printf("%s_1.xml", a.product_id);
	g_autofree char *path = g_build_filename(p.catalog, name, NULL);
	cr_assert_eq(g_unlink(path), 0);
	struct catalog *c = load(&p);
	g_autoptr(GPtrArray) images = images_of(c);
	struct sim *s = sim_new(c, images);
	struct sim_setting w = sim_all(s, SIM_NATIVE);
	cr_expect_eq(sim_offered(s, f, &w), 0);
	sim_free(s);
	catalog_free(c);
	facts_free(f);
	author_clear(&a);
}

/* H2: a lower image that comes late makes the higher ones name it, one revision up. */
Test(metadata, late_image_revises)
{
	auto_place p = place_new();
	ib_auto_error err = NULL;
	struct ib_metadata_result r;

	add(&p, &std20);
	add(&p, &std22);
	cr_assert(generate(&p, &acme20, &r, &err), "%s", err ? ib_error_cause(err) : "");
	unsigned second = 0;
	for (guint i = 0; i < r.files->len; i++)
		second += g_str_has_suffix(g_ptr_array_index(r.files, i), "_2.xml");
	cr_expect_eq(second, 1);
	copy_documents(&p, &r);
	struct catalog *c = load(&p);
	g_autoptr(GPtrArray) images = images_of(c);
	const struct update *u = titled(images, "std22");
	cr_expect_eq(u->revision, 2);
	cr_expect_eq(u->superseded->len, 2);
	cr_expect(references_have(u->superseded, r.parent_id));
	cr_expect_eq(titled(images, "std20")->revision, 1);
	catalog_free(c);
	ib_metadata_result_clear(&r);
}

Test(metadata, reimage)
{
	auto_place p = place_new();
	struct spec again = acme20;
	struct facts *f = machine(17763, "L", "2020.1.2109.21", "ACME");

	facts_set_text(f, "SOFTWARE\\CMGE\\Image", "ImageId", "acme-l");
	add(&p, &acme20);
	again.name = "again";
	again.version = "2020.1.2110.21";
	for (int reimage = 0; reimage < 2; reimage++) {
		again.reimage = reimage;
		again.version = reimage ? "2020.1.2111.21" : "2020.1.2110.21";
		add(&p, &again);
		struct catalog *c = load(&p);
		g_autoptr(GPtrArray) images = images_of(c);
		struct sim *s = sim_new(c, images);
		struct sim_setting w = sim_all(s, SIM_OPTIMISTIC);
		g_autofree char *got = offered(s, images, f, &w);
		cr_expect_str_eq(got, reimage ? "again" : "");
		g_autoptr(GPtrArray) path = sim_path(s, f, &w);
		cr_expect_eq(path->len, (guint)reimage);
		sim_free(s);
		catalog_free(c);
	}
	facts_free(f);
}

Test(metadata, refuses)
{
	auto_place p = place_new();
	struct spec s;

	add(&p, &std20);
	add(&p, &acme20);
	s = acme20;
	expect_refused(&p, &s, IB_ERR_INPUT, "is not above 2020.1.2109.21");
	s.version = "2020.1.2108.29";
	expect_refused(&p, &s, IB_ERR_INPUT, "is not above");
	s = acme20;
	s.stream = "acme-second";
	expect_refused(&p, &s, IB_ERR_INPUT, "the same version");
	s = acme22;
	s.version = "2022.1.2203";
	expect_refused(&p, &s, IB_ERR_INPUT, "four numbers");
	s = acme22;
	s.from[0] = "V0-X";
	expect_refused(&p, &s, IB_ERR_INPUT, "'V0-X' has no manifest");
	s = acme22;
	s.product = "V2023-L";
	expect_refused(&p, &s, IB_ERR_INPUT, "'V2023-L' has no manifest");
	s = acme22;
	s.from[0] = "V2022-L";
	expect_refused(&p, &s, IB_ERR_INPUT, "no patch");
	s = acme20;
	s.version = "2020.1.2112.21";
	s.from[0] = "V2022-L";
	expect_refused(&p, &s, IB_ERR_INPUT, "downgrade");
	s = acme22;
	s.from[0] = NULL;
	expect_refused(&p, &s, IB_ERR_INPUT, "offered to");
	s = acme22;
	s.stream = "bad\nname";
	expect_refused(&p, &s, IB_ERR_INPUT, "control character");
}

/* Put one changed document into the catalog under a name of its own. */
static void put_changed(const struct place *p, const char *title, const char *from, const char *to)
{
	g_autoptr(GDir) dir = g_dir_open(p->catalog, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(p->catalog, name, NULL);
		g_autofree char *text = NULL;
		cr_assert(g_file_get_contents(path, &text, NULL, NULL));
		char *at = strstr(text, from);
		if (!strstr(text, title) || !at)
			continue;
		g_autofree char *changed = g_strdup_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
		g_autofree char *out = g_build_filename(p->catalog, "changed.xml", NULL);
		cr_assert(g_file_set_contents(out, changed, -1, NULL));
		return;
	}
	cr_assert_fail("no document of %s has %s", title, from);
}

/* O: a child raised alone; L: a circle; two documents of one identity; no document at all. */
Test(metadata, refuses_catalogs)
{
	static const struct { const char *what, *title, *from, *to, *part; } bad[] = {
		{ "child raised alone", "<lar:And>", "RevisionNumber=\"1\"", "RevisionNumber=\"2\"", "bundles revision 1" },
		{ "other content", "<upd:SupersededUpdates>", "<upd:Title>acme20", "<upd:Title>other", "different content" },
		{ "braces", "acme20", "UpdateID=\"", "UpdateID=\"{", "GUID without braces" },
		{ "no revision", "acme20", " RevisionNumber=\"1\"", "", "RevisionNumber" },
		{ "revision 0", "acme20", "RevisionNumber=\"1\"", "RevisionNumber=\"0\"", "RevisionNumber" },
		{ "no English", "acme20", "<upd:Language>en<", "<upd:Language>de<", "no English title" },
		{ "two expressions", "<lar:And>", "</upd:IsInstalled>", "<lar:True/></upd:IsInstalled>", "one expression" },
		{ "no update", "acme20", "msus/2002/12/Update\"", "msus/2002/12/Other\"", "not an update document" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		auto_place p = place_new();
		add(&p, &std20);
		add(&p, &acme20);
		put_changed(&p, bad[i].title, bad[i].from, bad[i].to);
		expect_refused(&p, &acme22, IB_ERR_INPUT, bad[i].part);
	}
}

Test(metadata, refuses_circle)
{
	auto_place p = place_new();
	ib_auto_error err = NULL;
	struct ib_metadata_result r;

	add(&p, &std20);
	cr_assert(generate(&p, &acme20, &r, &err));
	copy_documents(&p, &r);
	/* std20, one revision up, supersedes acme20, which supersedes it */
	struct catalog *c = load(&p);
	g_autoptr(GPtrArray) images = images_of(c);
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	g_ptr_array_add(ids, r.parent_id);
	struct update *u = titled(images, "std20");
	cr_assert(author_supersede(&u, ids, &err));
	g_autoptr(GBytes) bytes = update_bytes(u);
	g_autofree char *path = g_build_filename(p.catalog, "circle.xml", NULL);
	cr_assert(g_file_set_contents(path, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), NULL));
	update_free(u);
	catalog_free(c);
	ib_metadata_result_clear(&r);
	expect_refused(&p, &acme22, IB_ERR_INPUT, "circle");
}

/* Another customer's image is nobody's business; a standard one supersedes all. */
Test(metadata, two_customers)
{
	auto_place p = place_new();
	struct spec other = acme20;
	ib_auto_error err = NULL;
	struct ib_metadata_result r;

	other.name = "other20";
	other.customer = "OTHER";
	other.stream = "other-l";
	add(&p, &std20);
	cr_expect_eq(add(&p, &acme20), 1);
	cr_expect_eq(add(&p, &other), 1);
	cr_assert(generate(&p, &std22, &r, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_eq(r.superseded->len, 3);
	cr_expect_eq(r.warnings->len, 1);
	ib_metadata_result_clear(&r);
}

Test(metadata, deterministic)
{
	auto_place p = place_new();
	auto_place q = place_new();
	struct ib_metadata_result a, b;
	ib_auto_error err = NULL;

	add(&p, &std20);
	add(&q, &std20);
	cr_assert(generate(&p, &acme20, &a, &err) && generate(&q, &acme20, &b, &err));
	cr_assert_eq(a.files->len, b.files->len);
	for (guint i = 0; i < a.files->len; i++) {
		g_autofree char *x = g_build_filename(p.out, g_ptr_array_index(a.files, i), NULL);
		g_autofree char *y = g_build_filename(q.out, g_ptr_array_index(b.files, i), NULL);
		g_autofree char *s = NULL, *t = NULL;
		gsize n, m;
		cr_assert(g_file_get_contents(x, &s, &n, NULL) && g_file_get_contents(y, &t, &m, NULL));
		cr_expect(n == m && memcmp(s, t, n) == 0, "%s", x);
	}
	ib_metadata_result_clear(&a);
	ib_metadata_result_clear(&b);
}

/* ---- order of versions ---- */

Test(metadata, order)
{
	static const struct { const char *version, *customer; } rising[] = {
		{ "2020.1.1903.21", NULL }, { "2020.1.2104.31", "A" }, { "2020.1.2109.21", NULL }, { "2020.1.2109.22", NULL },
		{ "2020.1.2109.21", "A" }, /* custom above standard of the same week */
		{ "2020.1.2109.31", NULL }, { "2020.1.2201.21", NULL }, /* 1B of 2022 above 9B of 2021 */
		{ "2022.1.2112.21", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rising); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(rising); k++) {
			struct image a = { .customer = (char *)rising[i].customer }, b = { .customer = (char *)rising[k].customer };
			cr_assert(version_parse(rising[i].version, &a.version) && version_parse(rising[k].version, &b.version));
			int got = image_compare(&a, &b);
			cr_expect_eq((got > 0) - (got < 0), (i > k) - (i < k), "%zu %zu", i, k);
		}
}

/* ---- rules ---- */

static const struct { const char *rule; enum truth want; } rules[] = {
	{ "<bar:WindowsVersion Comparison='EqualTo' MajorVersion='10' MinorVersion='0' ProductType='1'/>", RULE_TRUE },
	{ "<bar:WindowsVersion MajorVersion='10'/>", RULE_TRUE },
	/* the trap: 10.0 is not less than 10.0, whatever the build */
	{ "<bar:WindowsVersion Comparison='LessThan' MajorVersion='10' MinorVersion='0' BuildNumber='19045'/>", RULE_FALSE },
	{ "<bar:WindowsVersion Comparison='LessThan' BuildNumber='19045'/>", RULE_TRUE },
	{ "<bar:WindowsVersion Comparison='LessThanOrEqualTo' BuildNumber='17763'/>", RULE_TRUE },
	{ "<bar:WindowsVersion Comparison='GreaterThan' MajorVersion='6' MinorVersion='3'/>", RULE_TRUE },
	{ "<bar:WindowsVersion Comparison='GreaterThan' MajorVersion='6' BuildNumber='17763'/>", RULE_FALSE },
	{ "<bar:WindowsVersion Comparison='GreaterThan' BuildNumber='1' ProductType='3'/>", RULE_FALSE },
	{ "<bar:WindowsVersion Comparison='Near' BuildNumber='1'/>", RULE_UNKNOWN },
	{ "<bar:WindowsVersion SuiteMask='1' BuildNumber='17763'/>", RULE_UNKNOWN },
	{ "<bar:Processor Architecture='9'/>", RULE_TRUE },
	{ "<bar:Processor Architecture='12'/>", RULE_FALSE },
	{ "<bar:RegSz Key='HKEY_LOCAL_MACHINE' Subkey='software\\V' Value='NAME' Comparison='EqualTo' Data='x'/>", RULE_TRUE },
	{ "<bar:RegSz Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Name' Comparison='EqualTo' Data='X'/>", RULE_FALSE },
	/* a missing value is false, with any operator */
	{ "<bar:RegSz Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='None' Comparison='EqualTo' Data='x'/>", RULE_FALSE },
	{ "<bar:RegDword Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='None' Comparison='LessThan' Data='9'/>", RULE_FALSE },
	{ "<bar:RegSzToVersion Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='None' Comparison='LessThan' Data='9.0.0.0'/>",
	  RULE_FALSE },
	/* and so its negation is true */
	{ "<lar:Not><bar:RegSzToVersion Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='None' "
	  "Comparison='GreaterThanOrEqualTo' Data='1.0.0.0'/></lar:Not>", RULE_TRUE },
	{ "<bar:RegSzToVersion Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Version' Comparison='EqualTo' "
	  "Data='2020.1.0.0'/>", RULE_TRUE }, /* the registry holds two parts */
	{ "<bar:RegSzToVersion Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Version' Comparison='EqualTo' "
	  "Data='2020.1'/>", RULE_UNKNOWN },
	{ "<bar:RegSzToVersion Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Name' Comparison='LessThan' "
	  "Data='9.0.0.0'/>", RULE_FALSE }, /* no version */
	{ "<bar:RegDword Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Number' Comparison='GreaterThan' Data='6'/>", RULE_TRUE },
	{ "<bar:RegValueExists Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Number'/>", RULE_TRUE },
	{ "<bar:RegValueExists Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Number' Type='REG_SZ'/>", RULE_FALSE },
	{ "<bar:RegSz Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\V' Value='Name' RegType32='true' Comparison='EqualTo' Data='x'/>",
	  RULE_UNKNOWN },
	{ "<bar:WmiQuery WqlQuery='x'/>", RULE_UNKNOWN },
	{ "<upd:Processor Architecture='9'/>", RULE_UNKNOWN },
	{ "<lar:And><lar:True/><lar:False/></lar:And>", RULE_FALSE },
	{ "<lar:Or><lar:False/><lar:True/></lar:Or>", RULE_TRUE },
	{ "<lar:Or><lar:True/><bar:WmiQuery WqlQuery='x'/></lar:Or>", RULE_UNKNOWN },
	{ "<lar:And/>", RULE_UNKNOWN },
	{ "<lar:Not/>", RULE_UNKNOWN },
};

static struct ib_xml *parse_rule(const char *text)
{
	g_autofree char *all = g_strdup_printf("<r xmlns:upd='%s' xmlns:bar='%s' xmlns:lar='%s'>%s</r>", NS_UPD, NS_BAR, NS_LAR,
					       text);
	ib_auto_error err = NULL;
	struct ib_xml *doc = NULL;

	cr_assert(ib_xml_parse(all, strlen(all), "rule", &doc, &err), "%s", text);
	return doc;
}

Test(metadata, rules)
{
	struct facts *f = facts_new(17763, 9);

	facts_set_text(f, "SOFTWARE\\V", "Name", "x");
	facts_set_text(f, "SOFTWARE\\V", "Version", "2020.1");
	facts_set_number(f, "SOFTWARE\\V", "Number", 7);
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
		ib_auto_xml doc = parse_rule(rules[i].rule);
		const struct ib_xml_node *rule = ib_xml_first(ib_xml_root(doc), NULL);
		cr_expect_eq(rule_eval(rule, f), rules[i].want, "%s", rules[i].rule);
		g_autofree char *why = rule_why(rule, f);
		cr_expect_gt(strlen(why), 0);
	}
	facts_free(f);
}

/* Installed, superseded, installable -> state (MSDN bb902473). T, F, U(nknown), - absent. */
Test(metadata, states)
{
	static const struct { const char *rules; enum state want; } table[] = {
		{ "TFF", STATE_INSTALLED }, { "T-T", STATE_INSTALLED }, { "FTT", STATE_NOT_APPLICABLE },
		{ "FFT", STATE_NEEDED },    { "F-T", STATE_NEEDED },    { "F--", STATE_NEEDED },
		{ "FFF", STATE_NOT_APPLICABLE }, { "F-F", STATE_NOT_APPLICABLE }, { "U-T", STATE_UNKNOWN },
		{ "F-U", STATE_UNKNOWN },   { "FUT", STATE_UNKNOWN },   { "--T", STATE_UNKNOWN },
	};
	ib_auto_xml doc = parse_rule("<lar:True/><lar:False/><bar:InstalledOnce/>");
	struct ib_xml_node *yes = ib_xml_first(ib_xml_root(doc), "True"), *no = ib_xml_first(ib_xml_root(doc), "False");
	struct ib_xml_node *unknown = ib_xml_first(ib_xml_root(doc), "InstalledOnce");
	struct facts *f = facts_new(17763, 9);

	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		struct ib_xml_node *r[3];
		for (int k = 0; k < 3; k++) {
			char c = table[i].rules[k];
			r[k] = c == 'T' ? yes : c == 'F' ? no : c == 'U' ? unknown : NULL;
		}
		struct update u = { .installed = r[0], .is_superseded = r[1], .installable = r[2] };
		cr_expect_eq(update_state(&u, f), table[i].want, "%s", table[i].rules);
	}
	facts_free(f);
}

Test(metadata, why_in_words)
{
	static const struct { const char *rule, *want; } table[] = {
		{ "<lar:And><lar:True/><bar:WindowsVersion Comparison='LessThanOrEqualTo' BuildNumber='17134'/></lar:And>",
		  "the Windows build is 17763, at most 17134 is asked for" },
		{ "<lar:Not><lar:Or><bar:WindowsVersion Comparison='GreaterThanOrEqualTo' BuildNumber='17763'/></lar:Or></lar:Not>",
		  "the Windows build is 17763, below 17763 is asked for" },
		{ "<bar:RegSz Key='HKEY_LOCAL_MACHINE' Subkey='S' Value='V' Comparison='EqualTo' Data='x'/>",
		  "S!V is missing, 'x' is asked for" },
		{ "<bar:Processor Architecture='12'/>", "the processor is amd64, arm64 is asked for" },
		{ "<bar:ClusteredOS/>", "the document has a rule that is not known here" },
	};
	struct facts *f = facts_new(17763, 9);

	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		ib_auto_xml doc = parse_rule(table[i].rule);
		g_autofree char *why = rule_why(ib_xml_first(ib_xml_root(doc), NULL), f);
		cr_expect_str_eq(why, table[i].want);
	}
	facts_free(f);
}

/* ---- schema ---- */

/* Each document of tests/data/xsd-negative breaks one rule; ok_* break none. */
Test(metadata, schema)
{
	g_autofree char *folder = g_build_filename(g_getenv("IB_SRC"), "tests", "data", "xsd-negative", NULL);
	g_autofree char *xsds = xsd_dir();
	g_autofree char *xsd = g_build_filename(xsds, "driver.xsd", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	unsigned good = 0, bad = 0;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_autoptr(GBytes) bytes = NULL;
		ib_auto_error err = NULL;
		ib_auto_xml doc = NULL;
		gsize len;
		if (!g_str_has_suffix(name, ".xml"))
			continue;
		cr_assert(ib_file_read(path, DOCUMENT_MAX, &bytes, &err));
		const void *data = g_bytes_get_data(bytes, &len);
		cr_assert(ib_xml_parse(data, len, name, &doc, &err), "%s", name);
		bool ok = ib_xml_validate(doc, xsd, &err);
		cr_expect_eq(ok, g_str_has_prefix(name, "ok_"), "%s: %s", name, err ? ib_error_cause(err) : "accepted");
		good += ok;
		bad += !ok;
	}
	cr_expect_eq(good, 3);
	cr_expect_eq(bad, 13);
}

/* ---- products ---- */

Test(metadata, product_manifests)
{
	static const struct { const char *text, *part; } bad[] = {
		{ "[product]\nname = A\nedition = E\n", "windows-build" },
		{ "[product]\nname = A\nedition = E\nwindows-build = 70000\n", "between 1 and 65535" },
		{ "[product]\nname = A\nedition = E\nwindows-build = 1\n[detect]\nedition = E\n", "needs 'build'" },
		{ "[product]\nname = A\nedition = E\nwindows-build = 1\n[detect]\nbuild = 1\nregistry = HKCU\\x!y = z\n", "HKLM" },
		{ "[product]\nname = A\nedition = E\nwindows-build = 1\nimage-version = 20\n", "two numbers" },
		{ "[product]\nname = A\nedition = E\nwindows-build = 1\nbild = 2\n", "bild" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		auto_place p = place_new();
		ib_auto_error err = NULL;
		g_autoptr(GPtrArray) products = NULL;
		g_autofree char *path = g_build_filename(p.catalog, "a.ini", NULL);
		char *dirs[] = { p.catalog, NULL };
		cr_assert(g_file_set_contents(path, bad[i].text, -1, NULL));
		cr_assert_not(products_load(dirs, &products, &err), "%zu", i);
		cr_expect_not_null(strstr(ib_error_cause(err), bad[i].part), "%s", ib_error_cause(err));
	}
}

/* A release with a registration value and a version range of its own, beside another on the same build. */
Test(metadata, detect_by_registry)
{
	auto_place p = place_new();
	ib_auto_error err = NULL;
	g_autofree char *path = g_build_filename(p.catalog, "a.ini", NULL);
	char *dirs[] = { p.catalog, NULL };
	g_autoptr(GPtrArray) products = NULL;

	cr_assert(g_file_set_contents(path, "[product]\nname = X-S\nedition = E\nwindows-build = 17134\nimage-version = 2019.1\n"
				      "[detect]\nbuild = 17134\nregistry = HKLM\\SOFTWARE\\R!Kind = special\n", -1, NULL));
	cr_assert(products_load(dirs, &products, &err), "%s", err ? ib_error_cause(err) : "");
	const struct product *x = product_find(products, "X-S");
	cr_assert_not_null(x);
	cr_expect_str_eq(x->line, "S");
	struct ib_metadata_image image = { .vendor = "V", .stream = "s", .edition = "E", .arch = "amd64" };
	struct author a = { .image = &image, .version = { { 2020, 1, 1, 1 } }, .line = g_strdup("L"), .build_bound = 17763 };
	a.sources = g_ptr_array_new();
	g_ptr_array_add(a.sources, (gpointer)x);
	ib_auto_xml doc = ib_xml_new("upd:R");
	ib_xml_declare(ib_xml_root(doc), "upd", NS_UPD);
	ib_xml_declare(ib_xml_root(doc), "bar", NS_BAR);
	ib_xml_declare(ib_xml_root(doc), "lar", NS_LAR);
	rules_write(ib_xml_root(doc), &a);
	const struct ib_xml_node *rule = ib_xml_find(ib_xml_root(doc), "IsInstallable/And");
	struct facts *f = facts_new(17134, 9);
	facts_set_text(f, WINDOWS_KEY, "EditionID", "E");
	cr_expect_eq(rule_eval(rule, f), RULE_FALSE);
	facts_set_text(f, "SOFTWARE\\R", "Kind", "special");
	cr_expect_eq(rule_eval(rule, f), RULE_TRUE);
	/* with vendor values, the registration value is not asked for, the version range is */
	facts_set_text(f, "SOFTWARE\\V\\Image", "Edition", "S");
	facts_set_text(f, "SOFTWARE\\V\\Image", "Version", "2019.2.0.0");
	cr_expect_eq(rule_eval(rule, f), RULE_FALSE);
	facts_set_text(f, "SOFTWARE\\V\\Image", "Version", "2019.1.5.5");
	cr_expect_eq(rule_eval(rule, f), RULE_TRUE);
	facts_free(f);
	author_clear(&a);
}
