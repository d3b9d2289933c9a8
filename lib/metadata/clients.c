/* The machines a new image is tried on, and what an installation makes of them. */
#include "metadata/internal.h"

#include <string.h>

/* Windows 10 1607, older than every release of the vendor. */
#define OLD_BUILD 14393u

static void client_free(struct client *c)
{
	g_free(c->name);
	facts_free(c->facts);
	g_free(c);
}

static char *subkey_of(const char *vendor)
{
	return g_strdup_printf("SOFTWARE\\%s\\Image", vendor);
}

/* HKLM\SOFTWARE survives an in-place upgrade; the image's SetupComplete step writes its own values again. */
void client_install(struct facts *f, const struct image *image)
{
	g_autofree char *subkey = subkey_of(image->vendor);
	g_autofree char *version = version_text(&image->version);

	f->build = image->build;
	f->arch = image->arch;
	facts_set_text(f, WINDOWS_KEY, "EditionID", image->edition);
	facts_set_text(f, subkey, "Edition", image->line);
	facts_set_text(f, subkey, "ImageId", image->stream);
	facts_set_text(f, subkey, "Version", version);
	if (image->customer)
		facts_set_text(f, subkey, "CustomerId", image->customer);
}

static struct client *add(GPtrArray *list, struct facts *facts, const char *fmt, ...) IB_PRINTF(3, 4);

static struct client *add(GPtrArray *list, struct facts *facts, const char *fmt, ...)
{
	struct client *c = g_new0(struct client, 1);
	va_list ap;

	va_start(ap, fmt);
	c->name = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	c->facts = facts;
	g_ptr_array_add(list, c);
	return c;
}

static struct facts *bare(unsigned build, unsigned arch, const char *edition)
{
	struct facts *f = facts_new(build, arch);

	facts_set_text(f, WINDOWS_KEY, "EditionID", edition);
	return f;
}

/* A machine of each release as the vendor shipped it, without our values. */
static void add_releases(GPtrArray *list, const struct author *a, const GPtrArray *products, unsigned arch)
{
	for (guint i = 0; i < products->len; i++) {
		const struct product *p = g_ptr_array_index(products, i);
		struct facts *f = bare(p->detects ? p->detect_build : p->build, arch,
				       p->detects ? p->detect_edition : p->edition);
		if (p->subkey)
			facts_set_text(f, p->subkey, p->value, p->text);
		struct client *c = add(list, f, "%s without vendor values", p->name);
		if (p->detects && g_ptr_array_find(a->sources, p, NULL))
			c->source = p;
	}
}

/* The version one build lower or higher; a version of nothing but zeros has none below. */
static struct version beside(const struct version *v, int step)
{
	struct version r = *v;

	if (step > 0)
		r.part[3]++;
	for (int i = 3; step < 0 && i >= 0; i--) {
		if (r.part[i] > 0) {
			r.part[i]--;
			break;
		}
	}
	return r;
}

static struct facts *with_image(const struct image *image, const struct version *version, unsigned build)
{
	struct facts *f = facts_new(build, image->arch);
	struct image like = *image;

	like.version = *version;
	like.build = build;
	client_install(f, &like);
	return f;
}

static void add_own_line(GPtrArray *list, const struct author *a, const struct image *image)
{
	const char *who = image->customer ? image->customer : "standard";
	struct version lower = beside(&image->version, -1), higher = beside(&image->version, 1);
	struct image other = *image;
	g_autofree char *text = version_text(&image->version);

	struct client *serviced = add(list, with_image(image, &lower, image->build), "%s machine just below version %s", who,
				      text);
	/* it has the image's patch level already, by cumulative updates: no rule asks for it */
	facts_set_number(serviced->facts, WINDOWS_KEY, "UBR", a->image->ubr);
	add(list, with_image(image, &image->version, image->build), "%s machine on version %s", who, text);
	add(list, with_image(image, &higher, image->build), "%s machine just above version %s", who, text);
	add(list, with_image(image, &lower, image->build + 1000), "%s machine on a newer Windows than the image", who);
	other.customer = "another customer";
	other.stream = "another-stream";
	add(list, with_image(&other, &lower, image->build), "another customer's machine just below version %s", text);
	other = *image;
	other.edition = "Professional";
	add(list, with_image(&other, &lower, image->build), "machine of another edition");
	other = *image;
	other.line = "another line";
	add(list, with_image(&other, &lower, image->build), "machine of another product line");
}

/* Machines on a product the image is offered to that have our values already. */
static void add_sources(GPtrArray *list, const struct author *a, const struct image *image)
{
	static const struct version early = { { 1, 0, 0, 0 } };

	for (guint i = 0; i < a->sources->len; i++) {
		const struct product *p = g_ptr_array_index(a->sources, i);
		struct image like = *image;
		const struct version *v = p->has_range ? &p->from : &early;
		like.edition = p->edition;
		like.line = p->line;
		like.stream = "an-older-stream";
		add(list, with_image(&like, v, p->build), "%s machine on %s with vendor values",
		    image->customer ? image->customer : "standard", p->name);
		like.customer = image->customer ? NULL : "another customer";
		add(list, with_image(&like, v, p->build), "%s machine on %s with vendor values",
		    like.customer ? like.customer : "standard", p->name);
		/* Setup brought the old values along and nothing wrote new ones */
		like.customer = image->customer;
		if (p->build != image->build)
			add(list, with_image(&like, v, image->build),
			    "machine already on the image's Windows whose values of %s survived", p->name);
	}
}

GPtrArray *clients_make(const struct author *a, const GPtrArray *products)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)client_free);
	const struct image image = {
		.vendor = (char *)a->image->vendor, .customer = (char *)a->image->customer,
		.stream = (char *)a->image->stream, .line = a->line, .edition = (char *)a->image->edition,
		.version = a->version, .build = a->build_bound, .arch = arch_number(a->image->arch),
	};
	const struct product *first = g_ptr_array_index(a->sources, 0);

	add_releases(list, a, products, image.arch);
	add_own_line(list, a, &image);
	add_sources(list, a, &image);
	add(list, bare(OLD_BUILD, image.arch, image.edition), "too old a Windows (build %u)", OLD_BUILD);
	add(list, bare(first->build, arch_number(image.arch == 12 ? "amd64" : "arm64"), first->edition),
	    "%s on another processor", first->name);
	struct facts *server = bare(first->build, image.arch, first->edition);
	server->product_type = 3;
	add(list, server, "server on the Windows build of %s", first->name);
	return list;
}
