/* Product manifests: how a release of the vendor is known on a machine, with our values or without. */
#include "metadata/internal.h"
#include "profile/profile.h"

#include <string.h>

/* Most product manifests of a folder: there are four releases. */
#define PRODUCTS_MAX 256u

static const struct ib_ini_key product_keys[] = {
	{ "product", "name", IB_INI_TEXT, true, NULL, NULL, "product release, as in [profile] product and upgrade-from" },
	{ "product", "windows-build", IB_INI_NUMBER, true, NULL, NULL, "Windows build its machines report" },
	{ "product", "edition", IB_INI_TEXT, true, NULL, NULL, "EditionID of its machines" },
	{ "product", "image-version", IB_INI_TEXT, false, NULL, NULL,
	  "first two numbers of its image versions, where two products share a Windows build" },
	{ "detect", "build", IB_INI_NUMBER, false, NULL, NULL, "machines without vendor values: their Windows build" },
	{ "detect", "edition", IB_INI_TEXT, false, NULL, NULL, "machines without vendor values: their EditionID" },
	{ "detect", "registry", IB_INI_TEXT, false, NULL, NULL, "a text value they also have: HKLM\\key!value = text" },
	{ 0 },
};

static void product_free(struct product *p)
{
	g_free(p->name);
	g_free(p->line);
	g_free(p->edition);
	g_free(p->detect_edition);
	g_free(p->subkey);
	g_free(p->value);
	g_free(p->text);
	g_free(p);
}

char *product_line_of(const char *product)
{
	const char *dash = strrchr(product, '-');

	return g_strdup(dash && dash[1] ? dash + 1 : product);
}

static bool throw_at(const struct ib_ini *ini, const char *section, const char *key, const char *what,
		     struct ib_error **err)
{
	g_autofree char *place = ib_ini_place(ini, section, key);

	return ib_throw(err, IB_ERR_INPUT, "%s: %s", place, what);
}

/* "HKLM\key!value = text" */
static bool read_registry(const struct ib_ini *ini, struct product *p, struct ib_error **err)
{
	const char *text = ib_ini_text(ini, "detect", "registry");
	g_auto(GStrv) sides = text ? g_strsplit(text, "=", 2) : NULL;

	if (!text)
		return true;
	g_auto(GStrv) place = g_strsplit(g_strstrip(sides[0]), "!", 2);
	if (g_strv_length(sides) != 2 || g_strv_length(place) != 2 || !g_str_has_prefix(place[0], "HKLM\\"))
		return throw_at(ini, "detect", "registry", "a registration value is written HKLM\\key!value = text", err);
	p->subkey = g_strdup(place[0] + strlen("HKLM\\"));
	p->value = g_strdup(g_strstrip(place[1]));
	p->text = g_strdup(g_strstrip(sides[1]));
	if (!*p->subkey || strlen(p->subkey) > 255 || !*p->value || !*p->text)
		return throw_at(ini, "detect", "registry", "key (at most 255 bytes), value and text must not be empty", err);
	return true;
}

static bool read_range(const struct ib_ini *ini, struct product *p, struct ib_error **err)
{
	const char *text = ib_ini_text(ini, "product", "image-version");
	g_autofree char *four = text ? g_strconcat(text, ".0.0", NULL) : NULL;

	if (!text)
		return true;
	if (!version_parse(four, &p->from) || p->from.part[1] == INT32_MAX)
		return throw_at(ini, "product", "image-version", "two numbers with a dot are needed, as 2020.1", err);
	p->below = p->from;
	p->below.part[1]++;
	p->has_range = true;
	return true;
}

static bool check_number(const struct ib_ini *ini, const char *section, const char *key, unsigned *ret,
			 struct ib_error **err)
{
	uint64_t n = ib_ini_number(ini, section, key, 0);

	if (n == 0 || n > UINT16_MAX)
		return throw_at(ini, section, key, "a Windows build is a number between 1 and 65535", err);
	*ret = (unsigned)n;
	return true;
}

static bool fill(const struct ib_ini *ini, struct product *p, struct ib_error **err)
{
	const char *edition = ib_ini_text(ini, "detect", "edition");

	p->name = g_strdup(ib_ini_text(ini, "product", "name"));
	p->line = product_line_of(p->name);
	p->edition = g_strdup(ib_ini_text(ini, "product", "edition"));
	p->detects = ib_ini_is_set(ini, "detect", "build");
	p->detect_edition = g_strdup(edition ? edition : p->edition);
	if (!p->detects && (edition || ib_ini_is_set(ini, "detect", "registry")))
		return throw_at(ini, "detect", edition ? "edition" : "registry", "a detect rule needs 'build'", err);
	return check_number(ini, "product", "windows-build", &p->build, err) &&
	       (!p->detects || check_number(ini, "detect", "build", &p->detect_build, err)) &&
	       read_range(ini, p, err) && read_registry(ini, p, err);
}

static bool read_manifest(const char *path, GPtrArray *products, struct ib_error **err)
{
	const struct ib_ini_options none = { 0 };
	struct ib_ini *ini = NULL;

	if (!ib_ini_load(path, product_keys, &none, &ini, err))
		return false;
	struct product *p = g_new0(struct product, 1);
	bool ok = fill(ini, p, err);
	ib_ini_free(ini);
	if (ok && !product_find(products, p->name))
		g_ptr_array_add(products, p);
	else
		product_free(p);
	return ok;
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_name(gconstpointer a, gconstpointer b)
{
	const struct product *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static bool read_folder(const char *path, GPtrArray *products, struct ib_error **err)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, ".ini"))
			g_ptr_array_add(files, g_build_filename(path, name, NULL));
	if (files->len > PRODUCTS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %u product manifests, at most %u are read", path, files->len,
				PRODUCTS_MAX);
	g_ptr_array_sort(files, by_text);
	for (guint i = 0; i < files->len; i++)
		if (!read_manifest(g_ptr_array_index(files, i), products, err))
			return false;
	return true;
}

bool products_load(char *const *dirs, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) products = g_ptr_array_new_with_free_func((GDestroyNotify)product_free);

	for (; dirs && *dirs; dirs++)
		if (!read_folder(*dirs, products, err))
			return false;
	g_ptr_array_sort(products, by_name);
	*ret = g_steal_pointer(&products);
	return true;
}

const struct product *product_find(const GPtrArray *products, const char *name)
{
	for (guint i = 0; i < products->len; i++) {
		const struct product *p = g_ptr_array_index(products, i);
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}
