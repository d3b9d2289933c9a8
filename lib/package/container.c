/* Containers: the outermost unit, the cabinets and images in it that may be packages, and the .psf files beside them. */
#include "package/internal.h"

#include <string.h>

/* Most inner cabinets looked into: an .msu has about five. */
#define INNER_MAX 64

/* A container that may hold (part of) a package; WSUSSCAN.cab is the update agent's own. */
static bool is_inner(const char *name)
{
	return !strchr(name, '\\') && (package_has_suffix(name, ".cab") || package_has_suffix(name, ".wim")) &&
	       g_ascii_strcasecmp(name, "WSUSSCAN.cab") != 0;
}

bool package_is_psf(const char *name)
{
	return !strchr(name, '\\') && package_has_suffix(name, ".psf");
}

/* The outermost unit is itself the package: cabinets beside it are its own files. */
static bool is_package(const struct unit *u)
{
	guint i;

	return package_unit_find(u, "update.mum", &i) || package_unit_find(u, "_manifest_.cix.xml", &i);
}

static bool add_inner(struct container *c, guint i, struct ib_error **err)
{
	const struct unit_file *f = package_unit_file(c->outer, i);
	ib_auto_input in = NULL;
	struct unit *u;

	if (c->units->len > INNER_MAX)
		return ib_throw(err, IB_ERR_INPUT, "it holds more than %u cabinets, the most accepted", INNER_MAX);
	if (!package_unit_input(c->outer, i, c->spool_dir, &in, err) || !package_unit_open(in, f->name, &u, err))
		return ib_while(err, "reading the inner cabinet '%s'", f->name);
	u->progress = c->outer->progress;
	g_ptr_array_add(c->units, u);
	return true;
}

static bool add_all(struct container *c, struct ib_error **err)
{
	bool package = is_package(c->outer);

	g_ptr_array_add(c->units, c->outer);
	for (guint i = 0; !package && i < c->outer->files->len; i++)
		if (is_inner(package_unit_file(c->outer, i)->name) && !add_inner(c, i, err))
			return false;
	c->members = c->outer->files->len;
	for (guint i = 1; i < c->units->len; i++)
		c->members += ((const struct unit *)c->units->pdata[i])->files->len;
	return c->members <= MEMBERS_MAX ||
	       ib_throw(err, IB_ERR_INPUT, "'%s' has %u members, at most %u are accepted", c->path, c->members,
			MEMBERS_MAX);
}

static uint64_t folder_size(const struct unit *u)
{
	uint64_t sum = 0;

	for (guint i = 0; i < u->files->len; i++)
		sum += package_unit_file(u, i)->size;
	return sum;
}

/* A .psf is named: its index, and so the package, is in the cabinet beside it. */
static bool find_cabinet(struct container *c, struct ib_error **err)
{
	static const char *const suffixes[] = { ".cab", ".CAB", ".wim", ".msu" };
	size_t stem = strlen(c->path) - strlen(".psf");

	if (!package_has_suffix(c->path, ".psf") || !g_file_test(c->path, G_FILE_TEST_IS_REGULAR))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *path = g_strdup_printf("%.*s%s", (int)stem, c->path, suffixes[i]);
		if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
			continue;
		g_free(c->path);
		c->path = g_steal_pointer(&path);
		return true;
	}
	ib_throw(err, IB_ERR_INPUT, "'%s' is only the payload of a package, its cabinet is not beside it", c->path);
	return ib_hint(err, "put the cabinet that came with it there, under the same name but .cab");
}

static bool open_outer(struct container *c, struct ib_error **err)
{
	if (!find_cabinet(c, err))
		return false;
	if (g_file_test(c->path, G_FILE_TEST_IS_DIR)) {
		c->kind = IB_PACKAGE_FOLDER;
		if (!package_unit_open_folder(c->path, &c->outer, err))
			return false;
		c->file_size = folder_size(c->outer);
		return true;
	}
	if (!ib_input_open(c->path, &c->in, err) || !package_unit_open(c->in, NULL, &c->outer, err))
		return false;
	c->kind = c->outer->form == UNIT_WIM ? IB_PACKAGE_MSU_WIM : IB_PACKAGE_CAB;
	c->file_size = ib_input_size(c->in);
	return true;
}

bool package_container_open(const char *path, const struct ib_package_options *options, struct container **ret,
			    struct ib_error **err)
{
	struct container *c = g_new0(struct container, 1);

	c->refs = 1;
	c->path = g_strdup(path);
	c->spool_dir = options ? g_strdup(options->spool_dir) : NULL;
	c->units = g_ptr_array_new_with_free_func((GDestroyNotify)package_unit_free);
	bool ok = open_outer(c, err);
	if (ok)
		c->outer->progress = options ? options->progress : NULL;
	if (!ok || !add_all(c, err)) {
		package_container_unref(c);
		return false;
	}
	*ret = c;
	return true;
}

void package_container_unref(struct container *c)
{
	if (!c || --c->refs > 0)
		return;
	if (c->units->len == 0) /* opening failed between */
		package_unit_free(c->outer);
	g_ptr_array_unref(c->units);
	ib_input_unref(c->in);
	g_free(c->path);
	g_free(c->spool_dir);
	g_free(c);
}

/* ---- .psf files ---- */

static bool same_stem(const char *psf, const char *name)
{
	const char *base = package_base_name(name), *dot = strrchr(base, '.');
	size_t n = dot ? (size_t)(dot - base) : strlen(base);

	return strlen(psf) == n + strlen(".psf") && g_ascii_strncasecmp(psf, base, n) == 0;
}

/* The .psf of a unit among its own and the outermost one's files: by the unit's name, else the only one. */
static bool psf_inside(struct container *c, struct unit *unit, struct ib_input **ret, struct ib_error **err)
{
	struct unit *const places[] = { unit, c->outer };
	struct unit *found = NULL;
	guint at = 0, count = 0;

	for (size_t k = 0; k < (unit == c->outer ? 1 : 2); k++) {
		for (guint i = 0; i < places[k]->files->len; i++) {
			const char *name = package_unit_file(places[k], i)->name;
			if (!package_is_psf(name))
				continue;
			bool same = unit->name && same_stem(name, unit->name);
			if (same || count == 0) {
				found = places[k];
				at = i;
			}
			count++;
			if (same)
				return package_unit_input(found, at, c->spool_dir, ret, err);
		}
	}
	if (count > 1)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %u .psf files, and none is named after '%s'", c->path, count,
				unit->name ? unit->name : "its index");
	*ret = NULL;
	return !found || package_unit_input(found, at, c->spool_dir, ret, err);
}

bool package_container_psf(struct container *c, struct unit *unit, struct ib_input **ret, struct ib_error **err)
{
	if (!psf_inside(c, unit, ret, err))
		return false;
	if (*ret || c->kind == IB_PACKAGE_FOLDER)
		return true;
	/* Beside a cabinet, under its name. */
	const char *dot = strrchr(package_base_name(c->path), '.');
	size_t n = dot ? (size_t)(dot - c->path) : strlen(c->path);
	for (size_t k = 0; k < 2; k++) {
		g_autofree char *path = g_strdup_printf("%.*s%s", (int)n, c->path, k ? ".PSF" : ".psf");
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return ib_input_open(path, ret, err);
	}
	return true;
}
