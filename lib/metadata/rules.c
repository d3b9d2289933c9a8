/*
 * The rule pair of an image (docs/formats/upgrade-metadata.md, "Rules").
 *
 * What the rules rest on:
 *  - a missing registry value is false, so each "not" stands beside a positive test;
 *  - BuildNumber is compared for itself, so bounds are elements of their own;
 *  - the rules are right without supersedence: own version and own Windows build bound them above.
 */
#include "metadata/internal.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned number;
} archs[] = { { "x86", 0 }, { "amd64", 9 }, { "arm64", 12 } };

unsigned arch_number(const char *name)
{
	for (size_t i = 0; name && i < G_N_ELEMENTS(archs); i++)
		if (strcmp(archs[i].name, name) == 0)
			return archs[i].number;
	return UINT_MAX;
}

const char *arch_name(unsigned number)
{
	for (size_t i = 0; i < G_N_ELEMENTS(archs); i++)
		if (archs[i].number == number)
			return archs[i].name;
	return "unknown";
}

/* ---- writing ---- */

static struct ib_xml_node *add_value(struct ib_xml_node *parent, const char *element, const char *subkey,
				     const char *value)
{
	struct ib_xml_node *n = ib_xml_add(parent, element);

	ib_xml_set(n, "Key", "HKEY_LOCAL_MACHINE");
	ib_xml_set(n, "Subkey", subkey);
	ib_xml_set(n, "Value", value);
	return n;
}

static void add_text(struct ib_xml_node *parent, const char *subkey, const char *value, const char *data)
{
	struct ib_xml_node *n = add_value(parent, "bar:RegSz", subkey, value);

	ib_xml_set(n, "Comparison", "EqualTo");
	ib_xml_set(n, "Data", data);
}

static void add_version(struct ib_xml_node *parent, const char *subkey, const struct version *v)
{
	struct ib_xml_node *n = add_value(parent, "bar:RegSzToVersion", subkey, "Version");
	g_autofree char *text = version_text(v);

	ib_xml_set(n, "Comparison", "GreaterThanOrEqualTo");
	ib_xml_set(n, "Data", text);
}

static void add_absent(struct ib_xml_node *parent, const char *subkey, const char *value)
{
	ib_xml_set(add_value(ib_xml_add(parent, "lar:Not"), "bar:RegValueExists", subkey, value), "Type", "REG_SZ");
}

static void add_build(struct ib_xml_node *parent, const char *comparison, unsigned build)
{
	struct ib_xml_node *n = ib_xml_add(parent, "bar:WindowsVersion");
	g_autofree char *text = g_strdup_printf("%u", build);

	ib_xml_set(n, "Comparison", comparison);
	ib_xml_set(n, "BuildNumber", text);
}

/* A machine that imgbuild made, or that somebody gave our values. */
static void add_vendor_test(struct ib_xml_node *parent, const struct product *p, const char *subkey)
{
	struct ib_xml_node *all = ib_xml_add(parent, "lar:And");

	add_build(all, "EqualTo", p->build);
	add_text(all, WINDOWS_KEY, "EditionID", p->edition);
	add_text(all, subkey, "Edition", p->line);
	if (p->has_range) {
		add_version(all, subkey, &p->from);
		add_version(ib_xml_add(all, "lar:Not"), subkey, &p->below);
	}
}

/* A machine of a release that never carried our values: known by what that release has. */
static void add_detect_test(struct ib_xml_node *parent, const struct product *p, const char *subkey)
{
	struct ib_xml_node *all = ib_xml_add(parent, "lar:And");

	add_build(all, "EqualTo", p->detect_build);
	add_text(all, WINDOWS_KEY, "EditionID", p->detect_edition);
	if (p->subkey)
		add_text(all, p->subkey, p->value, p->text);
	add_absent(all, subkey, "Version");
}

static void add_customer(struct ib_xml_node *parent, const char *subkey, const char *customer)
{
	if (!customer) {
		add_absent(parent, subkey, "CustomerId");
		return;
	}
	struct ib_xml_node *either = ib_xml_add(parent, "lar:Or");
	add_text(either, subkey, "CustomerId", customer);
	add_absent(either, subkey, "CustomerId");
}

static void write_installed(struct ib_xml_node *rules, const struct author *a, const char *subkey)
{
	struct ib_xml_node *all = ib_xml_add(ib_xml_add(rules, "upd:IsInstalled"), "lar:And");

	add_text(all, subkey, "ImageId", a->image->stream);
	add_text(all, subkey, "Edition", a->line);
	add_version(all, subkey, &a->version);
}

void rules_write(struct ib_xml_node *rules, const struct author *a)
{
	g_autofree char *subkey = g_strdup_printf("SOFTWARE\\%s\\Image", a->image->vendor);
	g_autofree char *arch = g_strdup_printf("%u", arch_number(a->image->arch));

	write_installed(rules, a, subkey);
	struct ib_xml_node *all = ib_xml_add(ib_xml_add(rules, "upd:IsInstallable"), "lar:And");
	ib_xml_set(ib_xml_add(all, "bar:Processor"), "Architecture", arch);
	struct ib_xml_node *windows = ib_xml_add(all, "bar:WindowsVersion");
	ib_xml_set(windows, "Comparison", "EqualTo");
	ib_xml_set(windows, "MajorVersion", "10");
	ib_xml_set(windows, "MinorVersion", "0");
	ib_xml_set(windows, "ProductType", "1");
	add_build(all, "LessThanOrEqualTo", a->build_bound);
	add_text(all, WINDOWS_KEY, "EditionID", a->image->edition);
	add_version(ib_xml_add(all, "lar:Not"), subkey, &a->version);
	add_customer(all, subkey, a->image->customer);
	struct ib_xml_node *either = ib_xml_add(all, "lar:Or");
	for (guint i = 0; i < a->sources->len; i++) {
		const struct product *p = g_ptr_array_index(a->sources, i);
		add_vendor_test(either, p, subkey);
		if (p->detects)
			add_detect_test(either, p, subkey);
	}
}

/* ---- reading ---- */

/* First child of this name whose attribute has this value. */
static const struct ib_xml_node *pick(const struct ib_xml_node *parent, const char *name, const char *attribute,
				      const char *value)
{
	const struct ib_xml_node *n = ib_xml_first(parent, name);

	while (n && g_strcmp0(ib_xml_attr(n, attribute), value) != 0)
		n = ib_xml_next(n, name);
	return n;
}

static char *vendor_of(const char *subkey)
{
	if (!subkey || !g_str_has_prefix(subkey, "SOFTWARE\\") || !g_str_has_suffix(subkey, "\\Image"))
		return NULL;
	size_t n = strlen(subkey) - strlen("\\Image"), from = strlen("SOFTWARE\\");
	return n > from ? g_strndup(subkey + from, n - from) : NULL;
}

static unsigned number_of(const char *text)
{
	guint64 n;

	return text && g_ascii_string_to_unsigned(text, 10, 0, INT32_MAX, &n, NULL) ? (unsigned)n : UINT_MAX;
}

static const char *customer_of(const struct ib_xml_node *installable)
{
	for (const struct ib_xml_node *n = ib_xml_first(installable, "Or"); n; n = ib_xml_next(n, "Or")) {
		const struct ib_xml_node *id = pick(n, "RegSz", "Value", "CustomerId");
		if (id)
			return ib_xml_attr(id, "Data");
	}
	return NULL;
}

struct image *rules_read(const struct update *u)
{
	const struct ib_xml_node *stream = pick(u->installed, "RegSz", "Value", "ImageId");
	const struct ib_xml_node *line = pick(u->installed, "RegSz", "Value", "Edition");
	const struct ib_xml_node *version = pick(u->installed, "RegSzToVersion", "Value", "Version");
	const struct ib_xml_node *edition = pick(u->installable, "RegSz", "Value", "EditionID");
	const struct ib_xml_node *build = pick(u->installable, "WindowsVersion", "Comparison", "LessThanOrEqualTo");
	struct image i = { 0 };

	i.build = number_of(ib_xml_attr(build, "BuildNumber"));
	i.arch = number_of(ib_xml_attr(ib_xml_first(u->installable, "Processor"), "Architecture"));
	if (u->type != UPDATE_SOFTWARE || !ib_xml_attr(stream, "Data") || !ib_xml_attr(line, "Data") ||
	    !ib_xml_attr(edition, "Data") || i.build == UINT_MAX || i.arch == UINT_MAX ||
	    !version_parse(ib_xml_attr(version, "Data"), &i.version))
		return NULL;
	i.vendor = vendor_of(ib_xml_attr(stream, "Subkey"));
	if (!i.vendor)
		return NULL;
	i.stream = g_strdup(ib_xml_attr(stream, "Data"));
	i.line = g_strdup(ib_xml_attr(line, "Data"));
	i.edition = g_strdup(ib_xml_attr(edition, "Data"));
	i.customer = g_strdup(customer_of(u->installable));
	return g_memdup2(&i, sizeof i);
}

void image_free(struct image *i)
{
	if (!i)
		return;
	g_free(i->vendor);
	g_free(i->customer);
	g_free(i->stream);
	g_free(i->line);
	g_free(i->edition);
	g_free(i);
}
