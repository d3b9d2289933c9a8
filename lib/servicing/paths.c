/* Runtime macros of manifests: where a component's files go. */
#include "servicing/internal.h"

#include <string.h>

/* A macro's path below the system drive; other: for 32-bit components on a 64-bit image, NULL the same. */
static const struct {
	const char *name, *path, *other;
} macros[] = {
	{ "bootDrive", "", NULL },
	{ "systemDrive", "", NULL },
	{ "windows", "\\Windows", NULL },
	{ "systemRoot", "\\Windows", NULL },
	{ "windir", "\\Windows", NULL },
	{ "system32", "\\Windows\\System32", "\\Windows\\SysWOW64" },
	{ "system", "\\Windows\\System", NULL },
	{ "sysWow64", "\\Windows\\SysWOW64", NULL },
	{ "drivers", "\\Windows\\System32\\drivers", NULL },
	{ "wbem", "\\Windows\\System32\\wbem", "\\Windows\\SysWOW64\\wbem" },
	{ "inf", "\\Windows\\INF", NULL },
	{ "fonts", "\\Windows\\Fonts", NULL },
	{ "help", "\\Windows\\Help", NULL },
	{ "appPatch", "\\Windows\\AppPatch", NULL },
	{ "programFiles", "\\Program Files", "\\Program Files (x86)" },
	{ "commonFiles", "\\Program Files\\Common Files", "\\Program Files (x86)\\Common Files" },
	{ "programFilesX86", "\\Program Files (x86)", NULL },
	{ "commonFilesX86", "\\Program Files (x86)\\Common Files", NULL },
	{ "programData", "\\ProgramData", NULL },
	{ "public", "\\Users\\Public", NULL },
	{ "userProfile", "\\Users\\Default", NULL },
	{ "documentsSettings", "\\Users", NULL },
	{ "startMenu", "\\ProgramData\\Microsoft\\Windows\\Start Menu", NULL },
	{ "startup", "\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\Startup", NULL },
};

/* Folded. */
static GHashTable *made_names(void)
{
	static const char *const more[] = { "SysArm32", "Wow6432Node", "Classes" };
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(more); i++)
		g_hash_table_add(names, ib_name_fold(more[i]));
	for (size_t i = 0; i < 2 * G_N_ELEMENTS(macros); i++) {
		const char *path = i % 2 ? macros[i / 2].other : macros[i / 2].path;
		g_auto(GStrv) parts = g_strsplit(path ? path : "", "\\", -1);
		for (char **p = parts; *p; p++)
			g_hash_table_add(names, ib_name_fold(*p));
	}
	return names;
}

bool ib_svc_name_is_made(const char *name)
{
	static GHashTable *names; /* for the life of the process */
	static gsize once;

	if (g_once_init_enter(&once)) {
		names = made_names();
		g_once_init_leave(&once, 1);
	}
	if (g_ascii_isalpha(name[0]) && name[1] == ':' && !name[2]) /* before what a macro means in texts, as in the search path */
		return true;
	g_autofree char *folded = ib_name_fold(name);
	return g_str_has_prefix(folded, "CONTROLSET") || g_hash_table_contains(names, folded);
}

static bool is_other(const struct ib_macro_scope *scope)
{
	const char *arch = scope->component_arch;

	if (!arch || !g_ascii_strcasecmp(scope->image_arch, "x86"))
		return false;
	return !g_ascii_strcasecmp(arch, "wow64") || !g_ascii_strcasecmp(arch, "x86") || !g_ascii_strcasecmp(arch, "arm");
}

/* Path of runtime.<name> below the drive, or NULL. */
static const char *runtime_path(const struct ib_macro_scope *scope, const char *name, size_t len)
{
	for (size_t i = 0; i < G_N_ELEMENTS(macros); i++) {
		if (strlen(macros[i].name) != len || g_ascii_strncasecmp(macros[i].name, name, len))
			continue;
		if (!is_other(scope) || !macros[i].other)
			return macros[i].path;
		/* 32-bit ARM programs on ARM64 have a system folder of their own. */
		if (!g_ascii_strcasecmp(scope->component_arch, "arm") && !g_ascii_strcasecmp(macros[i].name, "system32"))
			return "\\Windows\\SysArm32";
		return macros[i].other;
	}
	return NULL;
}

/* A text of the manifest's string table, or NULL. */
static const char *string_of(const struct ib_manifest *m, const char *id, size_t len)
{
	if (!m || !m->xml)
		return NULL;
	struct ib_xml_node *r = ib_xml_find(ib_xml_root(m->xml), "localization/resources");
	for (; r; r = ib_xml_next(r, "resources")) {
		struct ib_xml_node *e = ib_xml_find(r, "stringTable/string");
		for (; e; e = ib_xml_next(e, "string")) {
			const char *have = ib_xml_attr(e, "id");
			if (have && strlen(have) == len && !g_ascii_strncasecmp(have, id, len))
				return ib_xml_attr(e, "value");
		}
	}
	return NULL;
}

/* One macro between "$(" and ")": its text into out. Unknown ones outside runtime.* stay as they are. */
static bool expand_one(const struct ib_macro_scope *scope, const char *name, size_t len, const char *drive, GString *out,
		       struct ib_error **err)
{
	const char *path = NULL;

	if (len > 8 && !g_ascii_strncasecmp(name, "runtime.", 8)) {
		path = runtime_path(scope, name + 8, len - 8);
		if (!path)
			return ib_throw(err, IB_ERR_INPUT, "the macro '$(%.*s)' is not known", (int)len, name);
		g_string_append(out, drive);
		g_string_append(out, path);
		return true;
	}
	if (len > 18 && !g_ascii_strncasecmp(name, "dependentAssembly.", 18))
		return ib_throw(err, IB_ERR_INPUT, "the macro '$(%.*s)' is not known", (int)len, name);
	if (len > 15 && !g_ascii_strncasecmp(name, "resourceString.", 15))
		path = string_of(scope->manifest, name + 15, len - 15);
	else if (len > 7 && !g_ascii_strncasecmp(name, "string.", 7))
		path = string_of(scope->manifest, name + 7, len - 7);
	if (path)
		g_string_append(out, path);
	else
		g_string_append_printf(out, "$(%.*s)", (int)len, name);
	return true;
}

static bool expand(const struct ib_macro_scope *scope, const char *text, const char *drive, char **ret,
		   struct ib_error **err)
{
	GString *out = g_string_sized_new(strlen(text) + 32);
	const char *p = text;

	while (*p) {
		const char *open = strstr(p, "$(");
		const char *close = open ? strchr(open, ')') : NULL;
		if (!close)
			break;
		g_string_append_len(out, p, open - p);
		if (!expand_one(scope, open + 2, (size_t)(close - open - 2), drive, out, err)) {
			g_string_free(out, TRUE);
			return false;
		}
		p = close + 1;
	}
	g_string_append(out, p);
	*ret = g_string_free(out, FALSE);
	return true;
}

bool ib_svc_expand(const struct ib_macro_scope *scope, const char *text, char **ret, struct ib_error **err)
{
	return expand(scope, text, scope->drive, ret, err);
}

/* Why Windows cannot hold a file of this name, which has no NUL behind it; or NULL. */
static const char *part_fault(char *name, size_t len)
{
	char behind = name[len];

	name[len] = '\0';
	const char *fault = ib_name_fault(name);
	name[len] = behind;
	return fault;
}

/* Most UTF-16 units of a path in Windows, whose drive and separators before it take a few. */
#define PATH_MAX_UNITS (32767 - 8)

static bool check_length(const char *path, const char *text, struct ib_error **err)
{
	size_t bytes = strlen(path);

	if (bytes <= PATH_MAX_UNITS) /* units are never more than bytes */
		return true;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(path, &bytes);
	return (wide && bytes / 2 <= PATH_MAX_UNITS) ||
	       ib_throw(err, IB_ERR_INPUT, "the destination '%.80s…' has %zu characters, a path in Windows at most %u", text,
			bytes / 2, PATH_MAX_UNITS);
}

bool ib_svc_path(const struct ib_macro_scope *scope, const char *text, char **ret, struct ib_error **err)
{
	g_autofree char *full = NULL;
	char *out;

	if (!expand(scope, text, "", &full, err))
		return false;
	if (strstr(full, "$("))
		return ib_throw(err, IB_ERR_INPUT, "the destination '%s' holds a macro without meaning", text);
	/* In place: what is read is never behind what is written. */
	out = full;
	for (const char *p = full; *p;) {
		size_t n = strcspn(p, "\\/");
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.') || memchr(p, ':', n))
			return ib_throw(err, IB_ERR_INPUT, "the destination '%s' leaves its folder", text);
		if (n && out > full)
			*out++ = '\\';
		memmove(out, p, n);
		const char *fault = n ? part_fault(out, n) : NULL;
		if (fault)
			return ib_throw(err, IB_ERR_INPUT, "the destination '%s' cannot be: %s", text, fault);
		out += n;
		p += n + (p[n] != '\0');
	}
	if (out == full)
		return ib_throw(err, IB_ERR_INPUT, "the destination '%s' names nothing", text);
	*out = '\0';
	if (!check_length(full, text, err))
		return false;
	*ret = g_steal_pointer(&full);
	return true;
}

struct ib_macro_scope ib_svc_scope(const struct ib_store *s, const struct ib_manifest *m)
{
	return (struct ib_macro_scope){ .image_arch = s->arch, .component_arch = m ? m->id.arch : NULL,
					.drive = s->drive, .manifest = m };
}

/* Prefixes of service binaries, and the path below the root that each means. */
static const struct {
	const char *prefix, *path;
} prefixes[] = {
	{ "\\SystemRoot\\", "Windows\\" },
	{ "%SystemRoot%\\", "Windows\\" },
	{ "%windir%\\", "Windows\\" },
	{ "%SystemDrive%\\", "" },
	{ "%ProgramFiles%\\", "Program Files\\" },
	{ "%ProgramFiles(x86)%\\", "Program Files (x86)\\" },
	{ "%CommonProgramFiles%\\", "Program Files\\Common Files\\" },
	{ "%ProgramData%\\", "ProgramData\\" },
	{ "\\??\\C:\\", "" },
	{ "System32\\", "Windows\\System32\\" },
	{ "SysWOW64\\", "Windows\\SysWOW64\\" },
};

static bool has_prefix(const char *text, const char *prefix)
{
	return !g_ascii_strncasecmp(text, prefix, strlen(prefix));
}

char *ib_svc_command_path(const struct ib_store *s, const char *command)
{
	bool quoted = *command == '"';
	const char *p = command + quoted;
	g_autofree char *file = NULL;

	/* Unquoted paths may hold blanks: the program ends at the blank behind its extension. */
	const char *end = quoted ? strchr(p, '"') : NULL;
	for (const char *q = p; !end && *q; q++)
		if ((has_prefix(q, ".exe") || has_prefix(q, ".sys")) && (!q[4] || q[4] == ' ' || q[4] == '\t'))
			end = q + 4;
	file = end ? g_strndup(p, (gsize)(end - p)) : g_strdup(p);
	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (has_prefix(file, prefixes[i].prefix))
			return g_strconcat(prefixes[i].path, file + strlen(prefixes[i].prefix), NULL);
	if (has_prefix(file, s->drive) && file[strlen(s->drive)] == '\\')
		return g_strdup(file + strlen(s->drive) + 1);
	return NULL;
}
