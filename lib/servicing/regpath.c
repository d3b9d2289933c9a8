/* Registry paths: which hive, and where in it. */
#include "servicing/internal.h"

#include <string.h>

void ib_svc_reg_place_clear(struct ib_reg_place *p)
{
	g_clear_pointer(&p->path, g_free);
}

const char *ib_svc_hive_name(enum ib_hive_id id)
{
	static const char *const names[IB_HIVE_COUNT] = { "SOFTWARE", "SYSTEM", "COMPONENTS", "DRIVERS", "DEFAULT", "USER" };

	return names[id];
}

/* Roots of full paths; longest first where one begins another. */
static const struct {
	const char *root, *path;
	enum ib_hive_id hive;
} roots[] = {
	{ "HKEY_LOCAL_MACHINE\\SOFTWARE", "", IB_HIVE_SOFTWARE },
	{ "HKLM\\SOFTWARE", "", IB_HIVE_SOFTWARE },
	{ "SOFTWARE", "", IB_HIVE_SOFTWARE },
	{ "HKEY_LOCAL_MACHINE\\SYSTEM", "", IB_HIVE_SYSTEM },
	{ "HKLM\\SYSTEM", "", IB_HIVE_SYSTEM },
	{ "SYSTEM", "", IB_HIVE_SYSTEM },
	{ "HKEY_LOCAL_MACHINE\\COMPONENTS", "", IB_HIVE_COMPONENTS },
	{ "HKLM\\COMPONENTS", "", IB_HIVE_COMPONENTS },
	{ "COMPONENTS", "", IB_HIVE_COMPONENTS },
	{ "HKEY_LOCAL_MACHINE\\DRIVERS", "", IB_HIVE_DRIVERS },
	{ "HKLM\\DRIVERS", "", IB_HIVE_DRIVERS },
	{ "DRIVERS", "", IB_HIVE_DRIVERS },
	{ "HKEY_CLASSES_ROOT", "Classes", IB_HIVE_SOFTWARE },
	{ "HKCR", "Classes", IB_HIVE_SOFTWARE },
	{ "HKEY_USERS\\.DEFAULT", "", IB_HIVE_DEFAULT },
	{ "HKEY_USERS\\S-1-5-18", "", IB_HIVE_DEFAULT },
	{ "HKU\\.DEFAULT", "", IB_HIVE_DEFAULT },
	{ "DEFAULT", "", IB_HIVE_DEFAULT },
	{ "HKEY_CURRENT_USER", "", IB_HIVE_USER },
	{ "HKCU", "", IB_HIVE_USER },
	{ "USER", "", IB_HIVE_USER },
	{ "NTUSER", "", IB_HIVE_USER },
};

/* Roots that exist, but not in these files. */
static const char *const elsewhere[] = {
	"HKEY_LOCAL_MACHINE\\HARDWARE", "HKEY_LOCAL_MACHINE\\SAM", "HKEY_LOCAL_MACHINE\\SECURITY",
	"HKEY_LOCAL_MACHINE\\BCD00000000", "HKEY_USERS", "HKEY_PERFORMANCE_DATA", "HKEY_CURRENT_CONFIG",
};

/* Whether path is key or lies below it; *rest is what follows. */
static bool is_below(const char *path, const char *key, const char **rest)
{
	size_t len = strlen(key);

	if (g_ascii_strncasecmp(path, key, len) || (path[len] && path[len] != '\\'))
		return false;
	if (rest)
		*rest = path + len + (path[len] == '\\');
	return true;
}

static char *join(const char *a, const char *b)
{
	return *a && *b ? g_strconcat(a, "\\", b, NULL) : g_strdup(*a ? a : b);
}

static bool is_32_on_64(const struct ib_reg_scope *scope)
{
	const char *arch = scope->component_arch;

	return arch && g_ascii_strcasecmp(scope->image_arch, "x86") &&
	       (!g_ascii_strcasecmp(arch, "wow64") || !g_ascii_strcasecmp(arch, "x86"));
}

/* DriverDatabase may have a hive of its own. */
static char *system_path(const struct ib_reg_scope *scope, const char *path, enum ib_hive_id *hive)
{
	if (scope->drivers_hive && is_below(path, "DriverDatabase", NULL))
		*hive = IB_HIVE_DRIVERS;
	return ib_reg_control_set_path(path, scope->control_set);
}

/* One separator between names, none at the ends. */
static char *clean(const char *text)
{
	char *copy = g_malloc(strlen(text) + 1), *out = copy;

	for (const char *p = text; *p; p++)
		if (*p != '\\' || (out > copy && out[-1] != '\\'))
			*out++ = *p;
	if (out > copy && out[-1] == '\\')
		out--;
	*out = '\0';
	return copy;
}

bool ib_svc_reg_path(const struct ib_reg_scope *scope, const char *text, struct ib_reg_place *ret, struct ib_error **err)
{
	g_autofree char *path = clean(text);
	const char *rest;

	for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
		if (!is_below(path, roots[i].root, &rest))
			continue;
		g_autofree char *below = join(roots[i].path, rest);
		ret->hive = roots[i].hive;
		if (ret->hive == IB_HIVE_SOFTWARE && is_32_on_64(scope))
			ret->path = ib_reg_wow64_path(below);
		else if (ret->hive == IB_HIVE_SYSTEM)
			ret->path = system_path(scope, below, &ret->hive);
		else
			ret->path = g_steal_pointer(&below);
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(elsewhere); i++)
		if (is_below(path, elsewhere[i], NULL)) {
			ret->path = NULL;
			return true;
		}
	return ib_throw(err, IB_ERR_INPUT, "the registry path '%s' begins with no known root", text);
}

bool ib_svc_reg_scope(struct ib_store *s, const char *component_arch, struct ib_reg_scope *ret, struct ib_error **err)
{
	struct ib_hive *system;

	if (!ib_store_hive(s, IB_HIVE_SYSTEM, &system, err))
		return false;
	struct ib_key *db = ib_key_find(ib_hive_root(system), "DriverDatabase");
	*ret = (struct ib_reg_scope){
		.image_arch = s->arch, .component_arch = component_arch, .control_set = s->control_set,
		.drivers_hive = (!db || !ib_key_count(db)) &&
				ib_image_find(s->image, "Windows\\System32\\config\\DRIVERS"),
	};
	return true;
}
