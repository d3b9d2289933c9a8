/* Generating: check the image, author its documents, relate, lint, prove, and only then write. */
#include "metadata/internal.h"

#include <string.h>

void ib_metadata_result_clear(struct ib_metadata_result *r)
{
	g_clear_pointer(&r->parent_id, g_free);
	g_clear_pointer(&r->child_id, g_free);
	g_clear_pointer(&r->superseded, g_ptr_array_unref);
	g_clear_pointer(&r->files, g_ptr_array_unref);
	g_clear_pointer(&r->warnings, g_ptr_array_unref);
}

/* ---- the caller's words ---- */

static bool check_word(const char *what, const char *text, struct ib_error **err)
{
	if (!text || !*text)
		return ib_throw(err, IB_ERR_INPUT, "upgrade documents need a %s", what);
	if (strlen(text) > WORD_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the %s has %zu bytes, at most %u can be compared", what, strlen(text),
				WORD_MAX);
	if (!g_utf8_validate(text, -1, NULL))
		return ib_throw(err, IB_ERR_INPUT, "the %s is not UTF-8", what);
	for (const char *p = text; *p; p++)
		if (g_ascii_iscntrl(*p))
			return ib_throw(err, IB_ERR_INPUT, "the %s '%s' holds a control character", what, text);
	return true;
}

/* It stands in a registry path, in a command line, in a content address. */
static bool check_plain(const char *what, const char *text, const char *bad, struct ib_error **err)
{
	if (!check_word(what, text, err))
		return false;
	const char *at = strpbrk(text, bad);
	return at ? ib_throw(err, IB_ERR_INPUT, "the %s '%s' must not hold '%c'", what, text, *at) : true;
}

static bool check_image(const struct ib_metadata_image *i, struct ib_error **err)
{
	if (i->size != sizeof *i)
		return ib_throw(err, IB_ERR_USAGE, "the image's description has %zu bytes, %zu are known", i->size, sizeof *i);
	if (!check_plain("vendor", i->vendor, "\\/!", err) || !check_word("name", i->name, err) ||
	    !check_word("stream", i->stream, err) || !check_word("edition", i->edition, err) ||
	    !check_word("product", i->product, err) || !check_plain("file name", i->file_name, "\\/:*?\"'<>|`$", err))
		return false;
	if (i->customer && !check_word("customer", i->customer, err))
		return false;
	if (arch_number(i->arch) == UINT_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the architecture '%s' is none of x86, amd64, arm64", i->arch ? i->arch : "");
	if (i->build == 0 || i->build > UINT16_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the image has Windows build %u, a number between 1 and 65535 is needed",
				i->build);
	if (!i->upgrade_from || !i->upgrade_from[0]) {
		ib_throw(err, IB_ERR_INPUT, "upgrade documents need the product releases the image is offered to");
		return ib_hint(err, "set [metadata] upgrade-from");
	}
	return true;
}

/* ---- products ---- */

static const struct product *find_product(const GPtrArray *products, const char *name, struct ib_error **err)
{
	const struct product *p = product_find(products, name);

	if (p)
		return p;
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < products->len; i++)
		g_ptr_array_add(names, ((struct product *)g_ptr_array_index(products, i))->name);
	g_ptr_array_add(names, NULL);
	ib_throw(err, IB_ERR_INPUT, "product release '%s' has no manifest", name);
	const char *near = ib_nearest(name, (const char *const *)names->pdata);
	if (near)
		ib_hint(err, "did you mean '%s'?", near);
	else
		ib_hint(err, "put a manifest for it into a folder of [metadata] products");
	return NULL;
}

static void warn_source(const struct author *a, const struct product *p, GPtrArray *warnings)
{
	if (!p->detects)
		g_ptr_array_add(warnings, g_strdup_printf("product %s has no detect rule: its machines without vendor values "
							  "are offered nothing", p->name));
	if (strcmp(p->edition, a->image->edition) != 0)
		g_ptr_array_add(warnings, g_strdup_printf("product %s has edition %s, the image %s: its machines are offered "
							  "nothing", p->name, p->edition, a->image->edition));
}

static bool add_source(struct author *a, const struct product *p, GPtrArray *warnings, struct ib_error **err)
{
	if (p->build > a->build_bound)
		return ib_throw(err, IB_ERR_INPUT, "product %s has Windows build %u, the image only %u: that would be a downgrade",
				p->name, p->build, a->build_bound);
	if (g_ptr_array_find(a->sources, p, NULL))
		return true;
	g_ptr_array_add(a->sources, (gpointer)p);
	warn_source(a, p, warnings);
	return true;
}

static bool find_sources(struct author *a, const GPtrArray *products, GPtrArray *warnings, struct ib_error **err)
{
	const struct ib_metadata_image *i = a->image;
	const struct product *own = find_product(products, i->product, err);

	if (!own)
		return false;
	/* a machine reports the product's build; the image's own count may lag behind (enablement packages) */
	a->build_bound = MAX(i->build, own->build);
	if (i->build != own->build)
		g_ptr_array_add(warnings, g_strdup_printf("the image has Windows build %u, product %s has %u: the rules use %u",
							  i->build, own->name, own->build, a->build_bound));
	for (const char *const *name = i->upgrade_from; *name; name++) {
		const struct product *p = find_product(products, *name, err);
		if (!p)
			return false;
		if (p == own && !i->reimage) {
			ib_throw(err, IB_ERR_INPUT, "upgrade-from names %s, the image's own product: an upgrade image is no patch",
				 p->name);
			return ib_hint(err, "set reimage = yes to offer it to machines that are on %s already", p->name);
		}
		if (!add_source(a, p, warnings, err))
			return false;
	}
	return !i->reimage || add_source(a, own, warnings, err);
}

/* ---- documents ---- */

/* A category that the catalog has already stays as it is. */
static bool add_documents(struct catalog *c, const struct author *a, struct ib_error **err)
{
	g_autoptr(GPtrArray) fresh = g_ptr_array_new_with_free_func((GDestroyNotify)update_free);

	if (!author_categories(a, fresh, err) || !author_pair(a, fresh, err))
		return false;
	while (fresh->len > 0) {
		struct update *u = g_ptr_array_steal_index(fresh, 0);
		if (catalog_find(c, u->id))
			update_free(u);
		else
			catalog_put(c, u);
	}
	return catalog_link(c, err);
}

static bool relate(struct catalog *c, const struct author *a, struct ib_error **err)
{
	const struct update *self = catalog_find(c, a->parent_id);

	if (!self->child)
		return ib_throw(err, IB_ERR_FAILED, "the rules of '%s' cannot be read back", a->image->name);
	/* relating replaces parents, never children: the child's image stays where it is */
	return stream_relate(c, self->child->image, err);
}

/* What is new, and the images that were there: both go into the export. */
static bool validate(const struct catalog *c, const char *xsd_dir, struct ib_error **err)
{
	g_autofree char *xsd = g_build_filename(xsd_dir ? xsd_dir : "", "driver.xsd", NULL);

	for (guint i = 0; xsd_dir && i < c->updates->len; i++) {
		const struct update *u = g_ptr_array_index(c->updates, i);
		if ((u->fresh || u->child || u->image) && !ib_xml_validate(u->doc, xsd, err))
			return ib_while(err, "checking update '%s' (%s) against its schema", u->title, u->id);
	}
	return true;
}

/* ---- writing ---- */

static bool write_named(const char *dir, char *name, const void *data, size_t len, struct ib_metadata_result *r,
			struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	g_ptr_array_add(r->files, name);
	return ib_file_write(path, data, len, err);
}

/* Categories are written always, so that the folder is complete by itself. */
static bool write_documents(const struct catalog *c, const struct author *a, const char *dir,
			    struct ib_metadata_result *r, struct ib_error **err)
{
	const char *const always[] = { a->company_id, a->family_id, a->product_id, UPGRADES_ID, NULL };

	for (guint i = 0; i < c->updates->len; i++) {
		const struct update *u = g_ptr_array_index(c->updates, i);
		if (!u->fresh && !g_strv_contains(always, u->id))
			continue;
		g_autoptr(GBytes) bytes = update_bytes(u);
		gsize len;
		const void *data = g_bytes_get_data(bytes, &len);
		if (!write_named(dir, g_strdup_printf("%s_%u.xml", u->id, u->revision), data, len, r, err))
			return false;
	}
	return true;
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool write_all(const struct catalog *c, const struct author *a, const char *dir, const char *json,
		      struct ib_metadata_result *r, struct ib_error **err)
{
	g_autofree char *cab = g_build_filename(dir, "export.cab", NULL);

	if (!write_documents(c, a, dir, r, err) || !export_write(c, a->image, cab, err) ||
	    !write_named(dir, g_strdup("offers.json"), json, strlen(json), r, err))
		return false;
	g_ptr_array_add(r->files, g_strdup("export.cab"));
	g_ptr_array_sort(r->files, by_text);
	return true;
}

static void describe(const struct catalog *c, const struct author *a, struct ib_metadata_result *r)
{
	const struct update *self = catalog_find(c, a->parent_id);

	r->parent_id = g_strdup(self->id);
	r->child_id = g_strdup(self->child->id);
	r->revision = self->revision;
	for (guint i = 0; i < self->superseded->len; i++) {
		const struct update *lower = catalog_find(c, reference_at(self->superseded, i)->id);
		g_autofree char *version = lower && lower->child ? version_text(&lower->child->image->version) : NULL;
		if (version)
			g_ptr_array_add(r->superseded, g_strdup_printf("%s %s %s", lower->id, lower->title, version));
	}
}

/* ---- all of it ---- */

static bool run(struct author *a, struct catalog *c, const GPtrArray *products, const char *out_dir,
		const char *xsd_dir, struct ib_metadata_result *r, struct ib_error **err)
{
	g_autofree char *json = NULL;

	if (!stream_acyclic(c, IB_ERR_INPUT, err) || !stream_check(c, a, err) || !add_documents(c, a, err) ||
	    !relate(c, a, err) || !lint_run(c, a, err) || !validate(c, xsd_dir, err) ||
	    !offers_prove(c, a, products, r, &json, err))
		return false;
	describe(c, a, r);
	return !out_dir || write_all(c, a, out_dir, json, r, err);
}

static bool prepare(struct author *a, GPtrArray *warnings, GPtrArray **ret_products, struct ib_error **err)
{
	if (!check_image(a->image, err))
		return false;
	if (!version_parse(a->image->version, &a->version)) {
		ib_throw(err, IB_ERR_INPUT, "version '%s' is not four numbers with dots", a->image->version ? a->image->version : "");
		return ib_hint(err, "<edition year>.<release>.<yymm>.<week*10+build>, as 2020.1.2109.21");
	}
	a->line = product_line_of(a->image->product);
	a->sources = g_ptr_array_new();
	author_ids(a);
	return products_load(a->image->product_dirs, ret_products, err) &&
	       find_sources(a, *ret_products, warnings, err);
}

bool ib_metadata_generate(const struct ib_metadata_image *image, const char *catalog_dir, const char *out_dir,
			  const char *xsd_dir, struct ib_metadata_result *ret, struct ib_error **err)
{
	struct author a = { .image = image };
	g_autoptr(GPtrArray) products = NULL;
	struct catalog *c = NULL;
	struct ib_metadata_result r = {
		.superseded = g_ptr_array_new_with_free_func(g_free),
		.files = g_ptr_array_new_with_free_func(g_free),
		.warnings = g_ptr_array_new_with_free_func(g_free),
	};
	bool ok = prepare(&a, r.warnings, &products, err) && catalog_load(catalog_dir, &c, err) &&
		  run(&a, c, products, out_dir, xsd_dir, &r, err);

	catalog_free(c);
	author_clear(&a);
	if (!ok) {
		ib_metadata_result_clear(&r);
		return ib_while(err, "making the upgrade documents");
	}
	*ret = r;
	return true;
}
