/* Drivers the boot loader starts: they cannot wait for Plug and Play, so their section is carried out here. */
#include "servicing/drivers_internal.h"

#include <string.h>

#define LOCKDOWN "Microsoft\\Windows\\CurrentVersion\\Setup\\PnpLockdownFiles\\"

/* ---- files ---- */

/* A second name of the file in the driver store, as Windows has it. */
static bool copy_file(struct adding *a, const struct ib_driver_copy *c, struct ib_error **err)
{
	const struct ib_driver_file *f = ib_driver_file(a->d, c->source);
	g_autofree char *stored = g_strdup_printf("%s\\%s", a->folder, f->name);
	g_autofree char *folder = strrchr(c->path, '\\') ? g_strndup(c->path, (gsize)(strrchr(c->path, '\\') - c->path)) :
							   g_strdup("");

	if (c->store)
		return true;
	if (!ib_image_find(a->s->image, folder) && !ib_svc_mkdir(a->s, folder, NULL, err))
		return false;
	return ib_image_link(a->s->image, ib_image_find(a->s->image, stored), c->path, NULL, err) ||
	       ib_while(err, "putting '%s'", c->path);
}

/* PnpLockdown = 1: nobody but Plug and Play may change the file. */
static bool lock_file(struct adding *a, const struct ib_driver_copy *c, struct ib_error **err)
{
	const char *lock = ib_inf_value(a->d->inf, "Version", "PnpLockdown", 0);
	const struct ib_driver_file *f = ib_driver_file(a->d, c->source);
	struct ib_hive *software;
	struct ib_key *key;

	if (c->store || !lock || strcmp(lock, "1") || !g_str_has_prefix(c->path, "Windows\\"))
		return true;
	g_autofree char *slashes = g_strdelimit(g_strdup(c->path + strlen("Windows\\")), "\\", '/');
	g_autofree char *path = g_strconcat(LOCKDOWN "%SystemRoot%/", slashes, NULL);
	g_autofree char *source = g_strdup_printf("%%SystemRoot%%\\%s\\%s", a->folder + strlen("Windows\\"), f->name);
	return ib_store_hive(a->s, IB_HIVE_SOFTWARE, &software, err) &&
	       ib_key_make(software, ib_hive_root(software), path, &key, err) &&
	       ib_key_set_dword(software, key, "Class", 4, err) &&
	       ib_svc_multi_add(software, key, "Owners", a->published, err) &&
	       ib_key_set_text(software, key, "Source", IB_REG_EXPAND_SZ, source, err);
}

/* ---- values ---- */

/* Lines below HKLM, HKCR, HKCU and HKU; HKR lines are in DriverDatabase, where Plug and Play takes them from. */
static bool apply_value(struct adding *a, const struct ib_driver_value *v, struct ib_error **err)
{
	static const char *const roots[] = { NULL, "HKEY_LOCAL_MACHINE", "HKEY_CLASSES_ROOT", "HKEY_CURRENT_USER", "HKEY_USERS" };
	g_autofree char *path = v->root == IB_DRIVER_HKR ? NULL : g_strdup_printf("%s\\%s", roots[v->root], v->key);
	struct ib_driver_value at_root = *v;
	struct ib_reg_place place = { 0 };
	struct ib_reg_scope scope;
	struct ib_hive *hive;

	if (!path)
		return true;
	if (!ib_svc_reg_scope(a->s, v->flags & IB_DRIVER_32BIT ? "wow64" : NULL, &scope, err) ||
	    !ib_svc_reg_path(&scope, path, &place, err))
		return ib_while(err, "carrying out line %u of '%s'", v->line, a->d->inf_name);
	at_root.key = place.path;
	if (!place.path || (v->remove_key && !*place.path)) {
		ib_svc_note(a->s, "driver-directive", a->d->inf_name, "line %u: '%s' is no key of the image's hives", v->line, path);
		ib_svc_reg_place_clear(&place);
		return true;
	}
	bool ok = ib_store_hive(a->s, place.hive, &hive, err) &&
		  ib_svc_driver_value(hive, ib_hive_root(hive), &at_root, err);
	ib_svc_reg_place_clear(&place);
	return ok ? true : ib_while(err, "carrying out line %u of '%s'", v->line, a->d->inf_name);
}

/* ---- services ---- */

/* The path as the service control manager takes it; NULL (and a note) when its directory is not known. */
static char *image_path(const struct adding *a, const struct ib_driver_service *sv)
{
	bool kernel = sv->type & 3;
	g_autofree char *text = ib_inf_expand(sv->binary, kernel ? IB_INF_SYSTEM : IB_INF_FULL, a->d->store_name);

	if (!text || !kernel)
		return g_steal_pointer(&text);
	return g_str_has_prefix(text, "System32\\DriverStore\\") ? g_strconcat("\\SystemRoot\\", text, NULL) :
								   g_steal_pointer(&text);
}

static bool put_dependencies(struct ib_hive *hive, struct ib_key *key, char *const *list, struct ib_error **err)
{
	for (; list && *list; list++) {
		bool group = **list == '+';
		if (*(*list + group) && !ib_svc_multi_add(hive, key, group ? "DependOnGroup" : "DependOnService", *list + group, err))
			return false;
	}
	return true;
}

static bool put_texts(struct ib_hive *hive, struct ib_key *key, const struct ib_driver_service *sv, struct ib_error **err)
{
	const struct {
		const char *name, *text;
	} texts[] = { { "DisplayName", sv->display }, { "Description", sv->description }, { "Group", sv->group },
		      { "ObjectName", sv->account } };

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (texts[i].text && *texts[i].text &&
		    !ib_key_set_text(hive, key, texts[i].name, IB_REG_SZ, texts[i].text, err))
			return false;
	return true;
}

static bool put_security(struct adding *a, struct ib_hive *hive, struct ib_key *key, const char *sddl, struct ib_error **err)
{
	GBytes *descriptor;
	struct ib_key *sub;
	size_t len;

	if (!sddl || !*sddl)
		return true;
	if (!ib_svc_descriptor(a->s, sddl, &descriptor, err) || !ib_key_make(hive, key, "Security", &sub, err))
		return false;
	const void *data = g_bytes_get_data(descriptor, &len);
	return ib_key_set(hive, sub, "Security", IB_REG_BINARY, data, len, err);
}

static bool put_lines(struct ib_hive *hive, struct ib_key *key, const GPtrArray *values, struct adding *a,
		      struct ib_error **err)
{
	for (guint i = 0; i < values->len; i++) {
		const struct ib_driver_value *v = values->pdata[i];
		bool ok = v->root == IB_DRIVER_HKR ? ib_svc_driver_value(hive, key, v, err) : apply_value(a, v, err);
		if (!ok)
			return false;
	}
	return true;
}

static bool put_service(struct adding *a, const struct ib_driver_service *sv, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf("ControlSet%03u\\Services\\%s", a->s->control_set, sv->name);
	g_autofree char *events = g_strdup_printf("ControlSet%03u\\Services\\EventLog\\System\\%s", a->s->control_set, sv->name);
	g_autofree char *binary = image_path(a, sv);
	struct ib_hive *system;
	struct ib_key *key, *log;

	if (!binary)
		return ib_throw(err, IB_ERR_INPUT, "line %u: the program of the service '%s' lies in a directory that cannot be "
				"started from", sv->line, sv->name);
	if (!ib_store_hive(a->s, IB_HIVE_SYSTEM, &system, err) ||
	    !ib_key_make(system, ib_hive_root(system), path, &key, err) ||
	    !ib_key_set_dword(system, key, "Type", sv->type, err) || !ib_key_set_dword(system, key, "Start", sv->start, err) ||
	    !ib_key_set_dword(system, key, "ErrorControl", sv->error_control, err) ||
	    !ib_key_set_text(system, key, "ImagePath", IB_REG_EXPAND_SZ, binary, err) || !put_texts(system, key, sv, err) ||
	    !ib_svc_multi_add(system, key, "Owners", a->published, err) ||
	    !put_dependencies(system, key, sv->dependencies, err) || !put_security(a, system, key, sv->security, err) ||
	    !put_lines(system, key, sv->values, a, err))
		return false;
	if (sv->events->len && (!ib_key_make(system, ib_hive_root(system), events, &log, err) ||
				!put_lines(system, log, sv->events, a, err)))
		return false;
	if (sv->start == IB_DRIVER_START_BOOT)
		g_ptr_array_add(a->sum->boot_services, g_strdup(sv->name));
	return true;
}

/* ---- a section ---- */

static bool carry_out(struct adding *a, const struct configuration *c, struct ib_error **err)
{
	for (guint i = 0; i < c->actions.copies->len; i++)
		if (!copy_file(a, c->actions.copies->pdata[i], err) || !lock_file(a, c->actions.copies->pdata[i], err))
			return false;
	for (guint i = 0; i < c->actions.values->len; i++)
		if (!apply_value(a, c->actions.values->pdata[i], err))
			return false;
	for (guint i = 0; i < c->actions.services->len; i++)
		if (!put_service(a, c->actions.services->pdata[i], err))
			return ib_while(err, "writing the service '%s'",
					((const struct ib_driver_service *)c->actions.services->pdata[i])->name);
	return true;
}

bool ib_svc_driver_boot(struct adding *a, struct ib_error **err)
{
	for (guint i = 0; i < a->configurations->len; i++) {
		const struct configuration *c = a->configurations->pdata[i];
		if (c->boot && !carry_out(a, c, err))
			return ib_while(err, "carrying out [%s]", c->section->name);
	}
	return true;
}
