/*
 * Driver packages into an image: driver store, INF folder, catalog root, DriverDatabase; and what the boot loader
 * needs before Plug and Play runs: services that start at boot, with their files where they act.
 *
 * DriverDatabase has the shape that Windows 10 leaves (docs/formats/drivers.md says how sure each value is).
 */
#include "servicing/internal.h"
#include "servicing/drivers_internal.h"

#include <string.h>

#define OEM_MAX 10000u

/* ---- what the image is ---- */

static char *system_text(struct ib_store *s, struct ib_hive *system, const char *path, const char *name)
{
	g_autofree char *full = g_strdup_printf("ControlSet%03u\\Control\\%s", s->control_set, path);
	struct ib_key *key = ib_key_find(ib_hive_root(system), full);
	const struct ib_value *v = key ? ib_key_value(key, name) : NULL;

	return v ? ib_value_text(v) : NULL;
}

bool ib_store_driver_target(struct ib_store *s, struct ib_driver_target *ret, struct ib_error **err)
{
	struct ib_hive *system;

	if (!ib_store_hive(s, IB_HIVE_SYSTEM, &system, err))
		return false;
	g_autofree char *language = system_text(s, system, "Nls\\Language", "InstallLanguage");
	g_autofree char *product = system_text(s, system, "ProductOptions", "ProductType");
	guint64 langid = 0;

	if (language)
		g_ascii_string_to_unsigned(language, 16, 0, G_MAXUINT16, &langid, NULL);
	*ret = (struct ib_driver_target){
		.arch = s->arch, .major = s->info.version.part[0], .minor = s->info.version.part[1],
		.build = s->info.version.part[2], .language = langid ? (uint16_t)langid : 0x0409,
		.server = product && g_ascii_strcasecmp(product, "WinNT") != 0,
	};
	return true;
}

/* ---- DriverDatabase ---- */

bool ib_svc_driver_key(struct ib_store *s, const char *path, bool make, struct ib_hive **ret_hive, struct ib_key **ret,
		       struct ib_error **err)
{
	g_autofree char *full = g_strconcat("HKLM\\SYSTEM\\DriverDatabase", *path ? "\\" : "", path, NULL);
	struct ib_reg_scope scope;
	struct ib_reg_place place = { 0 };
	struct ib_hive *hive;

	if (!ib_svc_reg_scope(s, NULL, &scope, err) || !ib_svc_reg_path(&scope, full, &place, err))
		return false;
	bool ok = ib_store_hive(s, place.hive, &hive, err);
	if (ok && make)
		ok = ib_key_make(hive, ib_hive_root(hive), place.path, ret, err);
	else if (ok)
		*ret = ib_key_find(ib_hive_root(hive), place.path);
	if (ok && ret_hive)
		*ret_hive = hive;
	ib_svc_reg_place_clear(&place);
	return ok;
}

static bool is_published(struct ib_store *s, struct ib_key *infs, unsigned n)
{
	g_autofree char *name = g_strdup_printf("oem%u.inf", n);
	g_autofree char *path = g_strconcat("Windows\\INF\\", name, NULL);

	return ib_image_find(s->image, path) || (infs && ib_key_find(infs, name));
}

/* The first number that no package has. */
static bool next_number(struct ib_store *s, unsigned *ret, struct ib_error **err)
{
	struct ib_key *infs;

	if (!ib_svc_driver_key(s, "DriverInfFiles", false, NULL, &infs, err))
		return false;
	for (unsigned n = 0; n < OEM_MAX; n++) {
		if (is_published(s, infs, n))
			continue;
		*ret = n;
		return true;
	}
	return ib_throw(err, IB_ERR_INPUT, "the image has %u driver packages, no more are taken", OEM_MAX);
}

/* ---- reading the package's wishes ---- */

static bool open_included(const char *name, struct ib_inf **ret, void *data, struct ib_error **err)
{
	struct adding *a = data;
	g_autofree char *path = g_strconcat("Windows\\INF\\", name, NULL);
	g_autoptr(GBytes) bytes = NULL;

	*ret = NULL;
	return !ib_image_find(a->s->image, path) || (ib_image_read(a->s->image, path, IB_INF_MAX, &bytes, err) &&
						     ib_inf_parse(bytes, name, a->target.language, ret, err));
}

static void configuration_free(void *p)
{
	struct configuration *c = p;

	ib_driver_actions_clear(&c->actions);
	g_free(c);
}

static bool add_configuration(struct adding *a, const struct ib_inf_section *section, struct ib_error **err)
{
	const struct ib_driver_request q = { .target = &a->target, .include = open_included, .data = a };

	for (guint i = 0; i < a->configurations->len; i++)
		if (((struct configuration *)a->configurations->pdata[i])->section == section)
			return true;
	struct configuration *c = g_new0(struct configuration, 1);
	c->section = section;
	g_ptr_array_add(a->configurations, c);
	if (!ib_driver_read_install(a->d->inf, section, &q, &c->actions, err))
		return false;
	for (guint i = 0; i < c->actions.services->len; i++) {
		const struct ib_driver_service *sv = c->actions.services->pdata[i];
		c->boot = c->boot || sv->start == IB_DRIVER_START_BOOT;
	}
	return true;
}

static bool read_configurations(struct adding *a, struct ib_error **err)
{
	for (guint i = 0; i < a->d->models->len; i++)
		if (!add_configuration(a, ((const struct ib_driver_model *)a->d->models->pdata[i])->install, err))
			return false;
	return !a->d->standalone || add_configuration(a, a->d->standalone, err);
}

/* Each file that is copied must be one of the package's. */
static bool check_sources(struct adding *a, struct ib_error **err)
{
	for (guint i = 0; i < a->configurations->len; i++) {
		const struct configuration *c = a->configurations->pdata[i];
		for (guint k = 0; k < c->actions.copies->len; k++) {
			const struct ib_driver_copy *copy = c->actions.copies->pdata[k];
			if (ib_driver_file(a->d, copy->source))
				continue;
			ib_throw(err, IB_ERR_INPUT, "'%s' copies '%s' (line %u), which the package does not have", a->d->inf_name,
				 copy->source, copy->line);
			return ib_hint(err, "[SourceDisksFiles] must list it for %s, and it must lie where that says", a->target.arch);
		}
	}
	return true;
}

/* ---- files ---- */

static bool put_checked(struct ib_store *s, const struct ib_driver_file *f, const char *path, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_input in = NULL;

	if (!ib_input_open(f->path, &in, err))
		return false;
	struct ib_stream *stream = ib_stream_from_input(in);
	bool ok = ib_wim_add_blob(s->wim, stream, hash, NULL, err);
	ib_stream_free(stream);
	if (!ok)
		return false;
	if (f->size && memcmp(hash, f->sha1, IB_WIM_HASH_SIZE))
		return ib_throw(err, IB_ERR_VERIFY, "'%s' changed after its catalog was checked", f->path);
	return ib_svc_put_blob(s, path, hash, err);
}

static bool put_store(struct adding *a, struct ib_error **err)
{
	g_autofree char *inf = g_strdup_printf("%s\\%s", a->folder, a->d->inf_name);
	g_autofree char *catalog = g_strdup_printf("%s\\%s", a->folder, a->d->catalog_name);
	g_autofree char *published = g_strconcat("Windows\\INF\\", a->published, NULL);
	g_autofree char *root = g_strdup_printf(DIR_CATROOT "\\%.*s.cat", (int)strlen(a->published) - 4, a->published);

	if (!ib_svc_mkdir(a->s, a->folder, NULL, err) || !ib_svc_put_bytes(a->s, inf, a->d->inf_bytes, err) ||
	    !ib_svc_put_bytes(a->s, catalog, a->d->catalog, err) ||
	    !ib_svc_put_bytes(a->s, published, a->d->inf_bytes, err) ||
	    !ib_svc_put_bytes(a->s, root, a->d->catalog, err))
		return false;
	for (guint i = 0; i < a->d->files->len; i++) {
		const struct ib_driver_file *f = a->d->files->pdata[i];
		g_autofree char *path = g_strdup_printf("%s\\%s", a->folder, f->name);
		if (!put_checked(a->s, f, path, err))
			return ib_while(err, "storing '%s'", path);
		a->sum->files++;
		a->sum->bytes += f->size;
	}
	return true;
}

/* ---- what is there already ---- */

/* A package whose folder is in the database is installed. @param ret  its published name; g_free */
static bool find_installed(struct adding *a, char **ret, struct ib_error **err)
{
	g_autofree char *path = g_strconcat("DriverPackages\\", a->d->store_name, NULL);
	struct ib_key *key;

	if (!ib_svc_driver_key(a->s, path, false, NULL, &key, err))
		return false;
	const struct ib_value *v = key ? ib_key_value(key, "") : NULL;
	*ret = key ? (v ? ib_value_text(v) : g_strdup(a->d->inf_name)) : NULL;
	return true;
}

/* Files and services that Windows' own components brought are theirs. */
static bool check_owners(struct adding *a, struct ib_error **err)
{
	g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GHashTable) owners = NULL;
	GHashTableIter it;
	void *id, *what;

	for (guint i = 0; i < a->configurations->len; i++) {
		const struct configuration *c = a->configurations->pdata[i];
		for (guint k = 0; c->boot && k < c->actions.copies->len; k++) {
			const struct ib_driver_copy *copy = c->actions.copies->pdata[k];
			if (!copy->store)
				g_hash_table_insert(ids, ib_svc_effect_id(EFFECT_FILE, 0, copy->path, NULL),
						    g_strdup_printf("file '%s'", copy->path));
		}
		for (guint k = 0; c->boot && k < c->actions.services->len; k++) {
			const struct ib_driver_service *sv = c->actions.services->pdata[k];
			g_hash_table_insert(ids, ib_svc_effect_id(EFFECT_SERVICE, 0, NULL, sv->name),
					    g_strdup_printf("service '%s'", sv->name));
		}
	}
	const struct ib_owner_query q = { .ids = ids };
	if (g_hash_table_size(ids) && !ib_svc_owners(a->s, &q, &owners, err))
		return false;
	g_hash_table_iter_init(&it, ids);
	while (g_hash_table_iter_next(&it, &id, &what)) {
		const char *owner = owners ? g_hash_table_lookup(owners, id) : NULL;
		if (owner)
			return ib_throw(err, IB_ERR_INPUT, "'%s' would replace the %s, which is of the component '%s'", a->d->inf_name,
					(const char *)what, owner);
	}
	return true;
}

/* ---- the whole ---- */

static bool report(struct adding *a, struct ib_error **err)
{
	bool pe = a->s->info.pe;

	for (guint i = 0; i < a->configurations->len; i++) {
		const struct configuration *c = a->configurations->pdata[i];
		for (guint k = 0; k < c->actions.left->len; k++) {
			ib_svc_note(a->s, "driver-directive", a->d->inf_name, "%s: left to Windows at %s",
				    (const char *)c->actions.left->pdata[k], pe ? "each start" : "first boot");
			a->sum->left++;
		}
	}
	for (guint i = 0; i < a->d->missing->len; i++)
		ib_svc_note(a->s, "driver-file", a->d->inf_name, "its [SourceDisksFiles] lists '%s', which was not delivered",
			    (const char *)a->d->missing->pdata[i]);
	if (pe)
		ib_svc_note(a->s, "driver-each-start", a->d->inf_name,
			    "staged as %s; Plug and Play takes it from there each time this environment starts, as Setup never "
			    "completes in it", a->published);
	else
		ib_svc_note(a->s, "driver-first-boot", a->d->inf_name,
			    "staged as %s; pnputil installs it on the devices that are there at first boot", a->published);
	return true;
}

static bool add(struct adding *a, struct ib_error **err)
{
	unsigned number = 0;

	if (!find_installed(a, &a->published, err))
		return false;
	if (a->published) {
		a->sum->known = true;
		return true;
	}
	if (!read_configurations(a, err) || !check_sources(a, err) || !check_owners(a, err) ||
	    !next_number(a->s, &number, err))
		return false;
	a->published = g_strdup_printf("oem%u.inf", number);
	return put_store(a, err) && ib_svc_driver_record(a, number, err) && ib_svc_driver_boot(a, err) && report(a, err);
}

void ib_driver_summary_clear(struct ib_driver_summary *r)
{
	g_clear_pointer(&r->published, g_free);
	g_clear_pointer(&r->store_name, g_free);
	g_clear_pointer(&r->boot_services, g_ptr_array_unref);
}

bool ib_store_add_driver(struct ib_store *s, struct ib_driver *d, struct ib_driver_summary *ret, struct ib_error **err)
{
	struct ib_driver_summary sum = { .boot_services = g_ptr_array_new_with_free_func(g_free) };
	struct adding a = { .s = s, .d = d, .sum = &sum };

	if (!d->signer) {
		ib_driver_summary_clear(&sum);
		return ib_throw(err, IB_ERR_VERIFY, "the driver package '%s' was not verified", d->inf_name);
	}
	a.configurations = g_ptr_array_new_with_free_func(configuration_free);
	a.folder = g_strconcat(DIR_DRIVERSTORE "\\", d->store_name, NULL);
	bool ok = ib_store_driver_target(s, &a.target, err) && add(&a, err);
	g_ptr_array_unref(a.configurations);
	g_free(a.folder);
	sum.published = a.published;
	sum.store_name = g_strdup(d->store_name);
	sum.devices = d->models->len;
	if (!ok) {
		ib_driver_summary_clear(&sum);
		return ib_while(err, "adding the driver package '%s'", d->inf_name);
	}
	*ret = sum;
	return true;
}
