/* Driver packages: an INF, the files it lists, and the catalog that vouches for them. */
#include "driver/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* A file of a driver package; firmware and display drivers stay below a tenth of it. */
#define FILE_LIMIT ((uint64_t)4 << 30)

static void file_free(void *p)
{
	struct ib_driver_file *f = p;

	g_free(f->name);
	g_free(f->path);
	g_free(f);
}

/* ---- names ---- */

char *ib_driver_store_name(const char *inf_name, const char *arch, GBytes *inf_bytes)
{
	g_autofree char *lower = g_utf8_strdown(inf_name, -1);
	uint8_t little[8];
	uint64_t h = 0;
	size_t len;
	const uint8_t *p = g_bytes_get_data(inf_bytes, &len);

	for (size_t i = 0; i < len; i++)
		h = h * 39 + p[i];
	ib_put_le64(little, h);
	g_autofree char *hex = ib_hex(little, sizeof(little));
	return g_strdup_printf("%s_%s_%s", lower, arch, hex);
}

/* The entry of a folder that Windows would take for a name; g_free, NULL when there is none. */
static char *find_entry(const char *folder, const char *name)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *entry;
	char *found = NULL;

	while (dir && (entry = g_dir_read_name(dir))) {
		if (!g_utf8_validate(entry, -1, NULL) || !ib_name_equal(entry, name))
			continue;
		if (!found || strcmp(entry, name) == 0) {
			g_free(found);
			found = g_build_filename(folder, entry, NULL);
		}
	}
	return found;
}

/* The file at a relative Windows path below a folder, not through links; NULL when there is none. */
static char *find_file(const char *folder, const char *relative)
{
	g_auto(GStrv) names = g_strsplit(relative, "\\", -1);
	char *at = g_strdup(folder);
	struct stat st;

	for (char **n = names; *n && at; n++) {
		char *next = find_entry(at, *n);
		g_free(at);
		at = next;
		if (at && (lstat(at, &st) < 0 || !(n[1] ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode))))
			g_clear_pointer(&at, g_free);
	}
	return at;
}

static bool is_inf(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !g_ascii_strcasecmp(name + n - 4, ".inf");
}

/* The one INF of a folder. */
static bool find_inf(const char *folder, char **ret, struct ib_error **err)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	if (!dir)
		return ib_throw_errno(err, IB_ERR_INPUT, errno, "cannot read folder '%s'", folder);
	while ((name = g_dir_read_name(dir)))
		if (is_inf(name) && g_utf8_validate(name, -1, NULL))
			g_ptr_array_add(found, g_strdup(name));
	if (found->len == 1) {
		*ret = g_build_filename(folder, found->pdata[0], NULL);
		return true;
	}
	ib_throw(err, IB_ERR_INPUT, "the folder '%s' holds %u INF files, a package has one", folder, found->len);
	return found->len ? ib_hint(err, "name the .inf file itself") : false;
}

/* ---- the files it lists ---- */

/* Section.arch and Section, in this order. */
static const struct ib_inf_section *pick(const struct ib_inf *inf, const char *name, const char *arch, unsigned i)
{
	g_autofree char *decorated = g_strconcat(name, ".", arch, NULL);

	return ib_inf_section(inf, i == 0 ? decorated : name);
}

/* The folder of a source disk: the path of its [SourceDisksNames] line. NULL field: none. */
static const struct ib_inf_line *disk_line(const struct ib_inf *inf, const char *arch, const char *disk)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct ib_inf_section *s = pick(inf, "SourceDisksNames", arch, i);
		for (guint k = 0; s && k < s->lines->len; k++) {
			const struct ib_inf_line *l = s->lines->pdata[k];
			if (l->key && ib_name_equal(l->key, disk))
				return l;
		}
	}
	return NULL;
}

static bool is_cabinet(const char *tag)
{
	size_t n = strlen(tag);

	return n > 4 && !g_ascii_strcasecmp(tag + n - 4, ".cab");
}

static bool add_file(struct ib_driver *d, const char *folder, const char *arch, const struct ib_inf_line *l,
		     GHashTable *known, struct ib_error **err)
{
	const struct ib_inf_line *disk = disk_line(d->inf, arch, inf_field(l, 0));
	g_autofree char *name = inf_relative(l->key);
	g_autofree char *front = disk ? inf_relative(inf_field(disk, 3)) : g_strdup("");
	g_autofree char *below = inf_relative(inf_field(l, 1));

	if (!name || !*name || strchr(l->key, '\\'))
		return inf_throw(d->inf, l->line, err, "'%s' is no file name", l->key);
	if (!front || !below)
		return inf_throw(d->inf, l->line, err, "the folder '%s' of '%s' leaves the package",
				 front ? inf_field(l, 1) : inf_field(disk, 3), l->key);
	if (disk && is_cabinet(inf_field(disk, 1))) {
		inf_throw(d->inf, disk->line, err, "the source '%s' is a cabinet", inf_field(disk, 1));
		return ib_hint(err, "expand the cabinet beside the INF and take its name out of [SourceDisksNames]; the catalog "
				    "must list the new INF");
	}
	if (!g_hash_table_add(known, ib_name_fold(name)))
		return true; /* the section for the architecture came first */
	g_autofree char *path = g_strconcat(front, *front ? "\\" : "", below, *below ? "\\" : "", name, NULL);
	char *real = find_file(folder, path);
	if (!real) {
		g_ptr_array_add(d->missing, g_steal_pointer(&path));
		return true;
	}
	struct ib_driver_file *f = g_new0(struct ib_driver_file, 1);
	f->name = g_steal_pointer(&path);
	f->path = real;
	g_ptr_array_add(d->files, f);
	return true;
}

static int by_name(gconstpointer a, gconstpointer b)
{
	const struct ib_driver_file *x = *(struct ib_driver_file *const *)a, *y = *(struct ib_driver_file *const *)b;

	return ib_name_compare(x->name, y->name);
}

static bool list_files(struct ib_driver *d, const char *folder, const char *arch, struct ib_error **err)
{
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (unsigned i = 0; i < 2; i++) {
		const struct ib_inf_section *s = pick(d->inf, "SourceDisksFiles", arch, i);
		for (guint k = 0; s && k < s->lines->len; k++) {
			const struct ib_inf_line *l = s->lines->pdata[k];
			if (l->key && !add_file(d, folder, arch, l, known, err))
				return false;
		}
	}
	g_ptr_array_sort(d->files, by_name);
	return true;
}

const struct ib_driver_file *ib_driver_file(const struct ib_driver *d, const char *name)
{
	for (guint i = 0; i < d->files->len; i++) {
		const struct ib_driver_file *f = d->files->pdata[i];
		const char *cut = strrchr(f->name, '\\');
		if (ib_name_equal(cut ? cut + 1 : f->name, name))
			return f;
	}
	return NULL;
}

/* ---- what [Version] says ---- */

/* "mm/dd/yyyy,1.2.3.4" */
static bool read_version(struct ib_driver *d, struct ib_error **err)
{
	const char *date = ib_inf_value(d->inf, "Version", "DriverVer", 0);
	const char *version = ib_inf_value(d->inf, "Version", "DriverVer", 1);
	g_auto(GStrv) parts = g_strsplit_set(date ? date : "", "/-", -1);
	g_auto(GStrv) numbers = g_strsplit(version ? version : "", ".", -1);
	int64_t seconds, n[3];

	if (date) {
		if (g_strv_length(parts) != 3 || !inf_number(parts[0], &n[0]) || !inf_number(parts[1], &n[1]) ||
		    !inf_number(parts[2], &n[2]))
			return ib_throw(err, IB_ERR_INPUT, "'%s' has the DriverVer '%s', which is no date", d->inf_name, date);
		g_autofree char *iso = g_strdup_printf("%04d-%02d-%02d", (int)n[2], (int)n[0], (int)n[1]);
		if (!ib_date_parse(iso, &seconds))
			return ib_throw(err, IB_ERR_INPUT, "'%s' has the DriverVer '%s', which is no date", d->inf_name, date);
		d->date = ib_filetime(seconds);
	}
	for (unsigned i = 0; i < 4 && numbers[i]; i++) {
		if (!*numbers[i])
			continue;
		if (!inf_number(numbers[i], &seconds) || seconds < 0 || seconds > 0xffff)
			return ib_throw(err, IB_ERR_INPUT, "'%s' has the version '%s' in DriverVer, which is none", d->inf_name, version);
		d->version[i] = (uint16_t)seconds;
	}
	return true;
}

static bool read_catalog(struct ib_driver *d, const char *folder, const char *arch, struct ib_error **err)
{
	g_autofree char *exact = g_strconcat("CatalogFile.NT", arch, NULL);
	const char *const keys[] = { exact, "CatalogFile.NT", "CatalogFile" };
	const char *name = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(keys) && !name; i++)
		name = ib_inf_value(d->inf, "Version", keys[i], 0);
	if (!name || !*name)
		return true;
	g_autofree char *checked = inf_relative(name);
	if (!checked || strchr(name, '\\'))
		return ib_throw(err, IB_ERR_INPUT, "'%s' names the catalog '%s', which is no file name", d->inf_name, name);
	d->catalog_name = g_strdup(name);
	g_autofree char *path = find_file(folder, name);
	return !path || ib_file_read(path, IB_CATALOG_MAX, &d->catalog, err);
}

/* ---- opening ---- */

static bool check_target(struct ib_driver *d, const struct ib_driver_target *t, struct ib_error **err)
{
	g_autoptr(GString) has = g_string_new(NULL);

	d->standalone = ib_inf_best_section(d->inf, "DefaultInstall", t);
	if (d->models->len || d->standalone)
		return true;
	const struct ib_inf_section *makers = ib_inf_section(d->inf, "Manufacturer");
	for (guint i = 0; makers && i < makers->lines->len; i++) {
		const struct ib_inf_line *l = makers->lines->pdata[i];
		for (unsigned k = 1; k < l->count; k++)
			g_string_append_printf(has, "%s%s", has->len ? ", " : "", l->fields[k]);
	}
	ib_throw(err, IB_ERR_NOT_APPLICABLE, "'%s' has no device and no DefaultInstall for %s %u.%u.%u", d->inf_name, t->arch,
		 t->major, t->minor, t->build);
	return has->len ? ib_hint(err, "its models are for %s", has->str) :
	       ib_hint(err, "take the package that the vendor made for %s", t->arch);
}

static bool load(struct ib_driver *d, const char *path, const struct ib_driver_target *t, struct ib_error **err)
{
	g_autofree char *folder = g_path_get_dirname(path);

	d->inf_name = g_path_get_basename(path);
	if (!g_utf8_validate(d->inf_name, -1, NULL))
		return ib_throw(err, IB_ERR_INPUT, "the INF's name is not UTF-8");
	if (!ib_file_read(path, IB_INF_MAX, &d->inf_bytes, err) ||
	    !ib_inf_parse(d->inf_bytes, d->inf_name, t->language, &d->inf, err) ||
	    !ib_inf_models(d->inf, t, &d->models, err) || !check_target(d, t, err))
		return false;
	d->provider = ib_inf_value(d->inf, "Version", "Provider", 0);
	d->class_name = ib_inf_value(d->inf, "Version", "Class", 0);
	d->class_guid = ib_inf_value(d->inf, "Version", "ClassGUID", 0);
	d->store_name = ib_driver_store_name(d->inf_name, t->arch, d->inf_bytes);
	return read_version(d, err) && read_catalog(d, folder, t->arch, err) && list_files(d, folder, t->arch, err);
}

bool ib_driver_open(const char *path, const struct ib_driver_target *t, struct ib_driver **ret, struct ib_error **err)
{
	struct ib_driver *d = g_new0(struct ib_driver, 1);
	g_autofree char *inf = NULL;

	d->files = g_ptr_array_new_with_free_func(file_free);
	d->missing = g_ptr_array_new_with_free_func(g_free);
	if (g_file_test(path, G_FILE_TEST_IS_DIR) ? find_inf(path, &inf, err) : (inf = g_strdup(path)) != NULL) {
		if (load(d, inf, t, err)) {
			*ret = d;
			return true;
		}
	}
	ib_driver_free(d);
	return ib_while(err, "opening the driver package '%s'", path);
}

void ib_driver_free(struct ib_driver *d)
{
	if (!d)
		return;
	if (d->models)
		g_ptr_array_unref(d->models);
	ib_inf_free(d->inf);
	g_clear_pointer(&d->inf_bytes, g_bytes_unref);
	g_clear_pointer(&d->catalog, g_bytes_unref);
	g_ptr_array_unref(d->files);
	g_ptr_array_unref(d->missing);
	g_free(d->inf_name);
	g_free(d->catalog_name);
	g_free(d->signer);
	g_free(d->anchor);
	g_free(d->store_name);
	g_free(d);
}

/* ---- trust ---- */

/* Whether the catalog lists a file, by any digest that catalogs use. */
static bool is_member(const struct ib_catalog *c, struct ib_input *in, uint8_t sha1[IB_DIGEST_MAX], bool *ret,
		      struct ib_error **err)
{
	static const enum ib_digest_algorithm algorithms[] = { IB_DIGEST_SHA256, IB_DIGEST_SHA1 };
	uint8_t flat[2][IB_DIGEST_MAX], pe[IB_DIGEST_MAX];
	bool program;

	if (!ib_digest_input(in, algorithms, 2, flat, NULL, err))
		return false;
	memcpy(sha1, flat[1], IB_DIGEST_MAX);
	*ret = ib_catalog_has(c, IB_DIGEST_SHA256, flat[0]) || ib_catalog_has(c, IB_DIGEST_SHA1, flat[1]);
	for (unsigned i = 0; i < 4 && !*ret; i++) {
		if (!ib_authenticode_digest(in, algorithms[i / 2], i % 2, pe, &program, err))
			return false;
		*ret = program && ib_catalog_has(c, algorithms[i / 2], pe);
	}
	return true;
}

static bool check_file(const struct ib_driver *d, const struct ib_catalog *c, struct ib_driver_file *f,
		       struct ib_error **err)
{
	ib_auto_input in = NULL;
	bool listed;

	if (!ib_input_open(f->path, &in, err))
		return false;
	f->size = ib_input_size(in);
	if (f->size > FILE_LIMIT)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, a file of a driver package may have %" PRIu64,
				f->name, f->size, FILE_LIMIT);
	if (!is_member(c, in, f->sha1, &listed, err))
		return false;
	return listed ? true : ib_throw(err, IB_ERR_VERIFY, "the catalog '%s' does not list '%s': the file was changed, or is not "
					"the one that was signed", d->catalog_name, f->name);
}

static bool check_inf(const struct ib_driver *d, const struct ib_catalog *c, struct ib_error **err)
{
	struct ib_input *in = ib_input_from_bytes(d->inf_bytes, d->inf_name);
	uint8_t sha1[IB_DIGEST_MAX];
	bool listed = false;
	bool ok = is_member(c, in, sha1, &listed, err);

	ib_input_unref(in);
	if (ok && !listed)
		ok = ib_throw(err, IB_ERR_VERIFY, "the catalog '%s' does not list '%s': the INF was changed, or the catalog is of "
			      "another package", d->catalog_name, d->inf_name);
	return ok;
}

static bool need_catalog(const struct ib_driver *d, struct ib_error **err)
{
	if (d->catalog)
		return true;
	if (d->catalog_name)
		ib_throw(err, IB_ERR_VERIFY, "'%s' is unsigned: its catalog '%s' is missing", d->inf_name, d->catalog_name);
	else
		ib_throw(err, IB_ERR_VERIFY, "'%s' is unsigned: it names no CatalogFile", d->inf_name);
	return ib_hint(err, "only signed driver packages are installed; get the vendor's signed one");
}

bool ib_driver_verify(struct ib_driver *d, const struct ib_anchors *anchors, struct ib_error **err)
{
	ib_auto_catalog_verdict verdict = { 0 };
	ib_auto_catalog c = NULL;
	size_t len;

	if (!need_catalog(d, err))
		return false;
	const void *data = g_bytes_get_data(d->catalog, &len);
	if (!ib_catalog_parse(data, len, d->catalog_name, &c, err) || !ib_catalog_verify(c, anchors, &verdict, err) ||
	    !check_inf(d, c, err))
		return ib_while(err, "verifying the driver package '%s'", d->inf_name);
	for (guint i = 0; i < d->files->len; i++)
		if (!check_file(d, c, d->files->pdata[i], err))
			return ib_while(err, "verifying the driver package '%s'", d->inf_name);
	g_free(d->signer);
	g_free(d->anchor);
	d->signer = g_strdup(verdict.signer.subject);
	d->anchor = g_strdup(verdict.signer.anchor);
	return true;
}
