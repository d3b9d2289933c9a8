#include "build/internal.h"

#include <string.h>

/*
 * Stage values: what every image of ours carries.
 *
 *  - HKLM\SOFTWARE\<vendor>\Image: what the upgrade rules test (docs/formats/upgrade-metadata.md).
 *  - The update server that stands after a removal.
 *  - Windows\Setup\Scripts\SetupComplete.cmd: Setup migrates HKLM\SOFTWARE of the old system, policies
 *    included, so the values are written once more after it, and leftovers of removed components go.
 */

#define UPDATE_POLICY "Policies\\Microsoft\\Windows\\WindowsUpdate"

/* "L" of "V2020-L"; owned by the caller (g_free). */
static char *product_line(const char *product)
{
	const char *dash = product ? strrchr(product, '-') : NULL;

	return g_strdup(dash ? dash + 1 : product ? product : "");
}

struct value {
	const char *key, *name;
	const char *text; /* NULL: a number */
	uint32_t number;
};

/* A text that is not given (a standard image has no customer, an image outside streams no id) is left out. */
static void add_text(GArray *v, const char *key, const char *name, const char *text)
{
	struct value value = { key, name, text, 0 };

	if (text && *text)
		g_array_append_val(v, value);
}

static void add_number(GArray *v, const char *key, const char *name, uint32_t number)
{
	struct value value = { key, name, NULL, number };

	g_array_append_val(v, value);
}

/* The values, in the order of the script. Strings live in the profile or in `keep`. */
static GArray *wanted_values(const struct build *b, GPtrArray *keep)
{
	GArray *v = g_array_new(FALSE, FALSE, sizeof(struct value));
	const char *server = ib_ini_text(b->p, "remove", "update-server");
	char *key = g_strdup_printf("%s\\Image", ib_ini_text(b->p, "profile", "vendor"));
	char *line = product_line(ib_ini_text(b->p, "profile", "product"));

	g_ptr_array_add(keep, key);
	g_ptr_array_add(keep, line);
	add_text(v, key, "CustomerId", ib_ini_text(b->p, "profile", "customer"));
	add_text(v, key, "Edition", line);
	add_text(v, key, "ImageId", ib_ini_text(b->p, "metadata", "stream"));
	add_number(v, key, "PatchLevel", b->windows.part[3]);
	add_text(v, key, "Version", ib_ini_text(b->p, "profile", "version"));
	if (server) {
		add_text(v, UPDATE_POLICY, "WUServer", server);
		add_text(v, UPDATE_POLICY, "WUStatusServer", server);
		add_number(v, UPDATE_POLICY "\\AU", "UseWUServer", 1);
	}
	return v;
}

/* What Setup shows for an image: texts of the WIM's XML, each twice. */
static const struct {
	const char *key, *word, *plain, *display;
} names[] = { { "image-name", "name", "NAME", "DISPLAYNAME" },
	      { "image-description", "description", "DESCRIPTION", "DISPLAYDESCRIPTION" } };

static void write_names(struct build *b)
{
	unsigned index = ib_ini_flag(b->p, "media", "keep-editions") ? install_target(b)->source_index : 1;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *text = ib_ini_text(b->p, "media", names[i].key);
		if (!text)
			continue;
		ib_wim_image_set_property(b->install.wim, index, names[i].plain, text);
		ib_wim_image_set_property(b->install.wim, index, names[i].display, text);
	}
}

bool values_plan(struct build *b, struct ib_error **err)
{
	plan_add(b, "values", 0, "write HKLM\\SOFTWARE\\%s\\Image: version %s, customer %s, stream %s",
		 ib_ini_text(b->p, "profile", "vendor"), ib_ini_text(b->p, "profile", "version"),
		 ib_ini_text(b->p, "profile", "customer") ? ib_ini_text(b->p, "profile", "customer") : "(none: a standard image)",
		 ib_ini_text(b->p, "metadata", "stream") ? ib_ini_text(b->p, "metadata", "stream") : "(none)");
	if (ib_ini_text(b->p, "remove", "update-server"))
		plan_add(b, "values", 0, "point the update policy to %s", ib_ini_text(b->p, "remove", "update-server"));
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (ib_ini_text(b->p, "media", names[i].key))
			plan_add(b, "values", 0, "%s of the image: %s", names[i].word, ib_ini_text(b->p, "media", names[i].key));
	plan_add(b, "values", 0, "write them again after an in-place upgrade (%s)", SETUP_SCRIPT);
	return true;
}

static bool write_value(struct ib_hive *hive, const struct value *v, struct ib_error **err)
{
	struct ib_key *key = NULL;

	if (!ib_key_make(hive, ib_hive_root(hive), v->key, &key, err))
		return false;
	if (!v->text)
		return ib_key_set_dword(hive, key, v->name, v->number, err);
	return ib_key_set_text(hive, key, v->name, IB_REG_SZ, v->text, err);
}

/* ---- the script ---- */

/* Quote for a batch file: '%' doubles; '"' cannot occur in what we write and is dropped. */
static void append_quoted(GString *s, const char *text)
{
	g_string_append_c(s, '"');
	for (; *text; text++) {
		if (*text == '%')
			g_string_append_c(s, '%');
		if (*text != '"' && *text != '\r' && *text != '\n')
			g_string_append_c(s, *text);
	}
	g_string_append_c(s, '"');
}

static void append_value(GString *s, const struct value *v)
{
	g_autofree char *key = g_strconcat("HKLM\\SOFTWARE\\", v->key, NULL);
	g_autofree char *number = g_strdup_printf("%u", v->number);

	g_string_append(s, "reg add ");
	append_quoted(s, key);
	g_string_append_printf(s, " /v %s /t %s /d ", v->name, v->text ? "REG_SZ" : "REG_DWORD");
	append_quoted(s, v->text ? v->text : number);
	g_string_append(s, " /f\r\n");
}

static void append_registry(GString *s, char *const *paths, bool values)
{
	for (; paths && *paths; paths++) {
		g_auto(GStrv) parts = g_strsplit(*paths, "!", 2);
		if (!g_str_has_prefix(parts[0], "SOFTWARE\\") && !g_str_has_prefix(parts[0], "SYSTEM\\"))
			continue; /* per-user hives are not migrated into the machine's */
		g_autofree char *key = g_strconcat("HKLM\\", parts[0], NULL);
		g_string_append(s, "reg delete ");
		append_quoted(s, key);
		if (values && parts[1]) {
			g_string_append(s, " /v ");
			append_quoted(s, parts[1]);
		}
		g_string_append(s, " /f\r\n");
	}
}

static void append_removal(GString *s, const struct ib_removal *r)
{
	for (char **n = r->services; n && *n; n++) {
		g_string_append(s, "sc stop ");
		append_quoted(s, *n);
		g_string_append(s, "\r\nsc delete ");
		append_quoted(s, *n);
		g_string_append(s, "\r\n");
	}
	for (char **n = r->tasks; n && *n; n++) {
		g_string_append(s, "schtasks /Delete /F /TN ");
		append_quoted(s, *n);
		g_string_append(s, "\r\n");
	}
	append_registry(s, r->values, true);
	append_registry(s, r->keys, false);
	for (char **n = r->files; n && *n; n++) {
		g_autofree char *path = g_strconcat("%SystemDrive%\\", *n, NULL);
		/* %SystemDrive% is meant as a variable, so '%' stays single here; "path\" exists for folders only. */
		g_string_append_printf(s, "if exist \"%s\\\" rmdir /S /Q \"%s\"\r\nif exist \"%s\" del /F /Q \"%s\"\r\n", path,
				       path, path, path);
	}
}

/* The step's commands, one a line, for build.json and the papers. */
static void list_step(struct build *b, const char *own)
{
	g_auto(GStrv) lines = g_strsplit(own, "\r\n", -1);

	g_ptr_array_set_size(b->step, 0);
	for (char **l = lines; *l; l++)
		if (**l)
			g_ptr_array_add(b->step, g_strdup(*l));
}

static bool write_script(struct build *b, const GArray *values, struct ib_error **err)
{
	struct ib_store *store = install_target(b)->store;
	g_autoptr(GString) s = g_string_new(NULL);
	g_autofree char *title = g_strdup_printf("%s %s", ib_ini_text(b->p, "profile", "name"),
						 ib_ini_text(b->p, "profile", "version"));

	for (guint i = 0; i < b->removals->len; i++)
		append_removal(s, &((struct removal *)g_ptr_array_index(b->removals, i))->removal);
	drivers_script(b, s);
	tasks_script(store, s);
	for (guint i = 0; i < values->len; i++)
		append_value(s, &g_array_index(values, struct value, i));
	list_step(b, s->str);
	return script_put(install_target(b)->file->wim, ib_store_image(store), b->filetime, title, s->str, err);
}

bool values_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
	struct ib_store *store = install_target(b)->store;
	struct ib_hive *software = NULL;

	b->windows = ib_store_info(store)->version;
	write_names(b);
	g_autoptr(GArray) values = wanted_values(b, keep);
	if (!ib_store_hive(store, IB_HIVE_SOFTWARE, &software, err))
		return false;
	for (guint i = 0; i < values->len; i++)
		if (!write_value(software, &g_array_index(values, struct value, i), err))
			return false;
	return write_script(b, values, err) && ib_progress_add(progress, 0, err);
}
