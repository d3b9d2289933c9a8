/* The world: families and packages by number, made on demand and once. */
#include <string.h>

#include "base/file.h"

#include "content_internal.h"
#include "dictionary.h"
#include "keyform.h"
#include "pe.h"

/* A file of --files: more is no program of Windows. */
#define REAL_FILE_MAX ((uint64_t)64 << 20)
/* Windows' own dictionary has 9,066 bytes. */
#define DICTIONARY_MAX ((uint64_t)1 << 20)

struct lab_world {
	struct lab_arena *arena;
	struct lab_world_options options;
	GBytes *dictionary;     /* of compressed manifests */
	GPtrArray *families;    /* const struct lab_family */
	GHashTable *components; /* "<number> <revision>" -> struct lab_component */
	GHashTable *by_name;    /* "<arch> <name>" -> number + 1; "en-US" and neutral never share a name */
	const struct lab_package **packages;
};

/* ---- the bytes of files ---- */

static unsigned count_changes(const struct lab_family *f, unsigned revision)
{
	unsigned n = 0;

	while (n < LAB_CHANGES && f->changes[n] && f->changes[n] <= revision)
		n++;
	return n;
}

static unsigned content_revision(const struct lab_family *f, unsigned revision)
{
	unsigned n = count_changes(f, revision);

	return n ? f->changes[n - 1] : (f->first ? f->first : LAB_RTM);
}

/* A line in which only the middle differs between variants. */
static GBytes *make_text(const struct lab_world *w, const struct lab_family *f, const char *file, unsigned variant)
{
	GString *s = g_string_new(NULL);

	for (unsigned i = 0; i < 40; i++)
		g_string_append_printf(s, "# %s of %s, line %u, seed %" G_GUINT64_FORMAT ", build %u\r\n", file, f->name, i,
				       w->options.seed, i % 8 == 3 ? variant : 0);
	return g_string_free_to_bytes(s);
}

static bool is_program(const char *file)
{
	static const char *const suffixes[] = { ".exe", ".dll", ".sys", ".mui", ".efi", ".ocx", ".cpl", ".drv", "bootmgr" };

	for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++)
		if (g_str_has_suffix(file, suffixes[i]))
			return true;
	return false;
}

/* A later build of a real file: the same length, a few runs of bytes changed behind the headers. */
static GBytes *vary_real(GBytes *bytes, unsigned variant)
{
	size_t len;
	const void *data = g_bytes_get_data(bytes, &len);
	uint8_t *copy;

	if (variant == 0 || len < 8192)
		return g_bytes_ref(bytes);
	copy = g_memdup2(data, len);
	for (size_t at = 4096; at + 64 < len; at += 61440)
		for (size_t i = 0; i < 48; i++)
			copy[at + i] ^= (uint8_t)(variant * 37 + i);
	return g_bytes_new_take(copy, len);
}

static GBytes *make_bytes(const struct lab_world *w, const struct lab_family *f, const char *file, unsigned variant)
{
	g_autofree char *version = NULL;
	const struct lab_system *system = lab_world_system(w);
	unsigned at_variant = variant ? f->changes[variant - 1] : LAB_RTM;

	if (!is_program(file))
		return make_text(w, f, file, variant);
	version = g_strdup_printf("%s.%u.%u", f->line ? f->line : "10.0", system->build, at_variant);
	struct lab_pe pe = { .name = file, .arch = f->arch, .version = version, .description = f->name,
			     .seed = w->options.seed, .payload_bytes = (f->kilobytes ? f->kilobytes : 24) * 1024u,
			     .variant = variant };
	if (g_str_equal(file, "wcp.dll")) {
		pe.resource_type = LAB_DICTIONARY_TYPE;
		pe.resource_id = LAB_DICTIONARY_NAME;
		pe.resource = w->dictionary;
	}
	return lab_pe_build(&pe);
}

/* "name", "name=", "name>2183", "name<2237" */
static void add_one_file(struct lab_world *w, const struct lab_family *f, struct lab_component *c,
			 const char *directory, const char *entry, unsigned revision)
{
	size_t len = strcspn(entry, "=<>");
	const char *name = lab_printf(w->arena, "%.*s", (int)len, entry);
	unsigned bound = entry[len] ? (unsigned)strtoul(entry + len + 1, NULL, 10) : 0;
	unsigned variant = entry[len] == '=' ? 0 : count_changes(f, revision);

	if ((entry[len] == '>' && revision < bound) || (entry[len] == '<' && revision >= bound))
		return;
	lab_add_file(w->arena, c, name, directory, make_bytes(w, f, name, variant));
}

static void add_files(struct lab_world *w, const struct lab_family *f, struct lab_component *c, unsigned revision)
{
	for (size_t p = 0; p < LAB_PLACES && f->places[p]; p++) {
		const char *bar = strchr(f->places[p], '|');
		const char *directory = f->places[p][0] == '-' ?
			NULL : lab_printf(w->arena, "%.*s", (int)(bar - f->places[p]), f->places[p]);
		g_auto(GStrv) names = f->real ? NULL : g_strsplit(bar + 1, " ", -1);

		for (size_t i = 0; names && names[i]; i++)
			add_one_file(w, f, c, directory, names[i], revision);
		if (f->real)
			lab_add_file(w->arena, c, bar + 1, directory,
				     vary_real(f->real->pdata[0], count_changes(f, revision)));
	}
}

/* ---- components ---- */

static struct lab_identity family_identity(struct lab_world *w, const struct lab_family *f, unsigned revision)
{
	const char *version = lab_printf(w->arena, "%s.%u.%u", f->line ? f->line : "10.0", lab_world_system(w)->build, revision);
	struct lab_identity id = lab_component_identity(f->name, version, f->arch, f->culture ? f->culture : "neutral");

	if (f->token)
		id.token = f->token;
	if (f->type) {
		id.type = f->type;
		id.scope = g_str_has_prefix(f->type, "win32") ? NULL : id.scope;
	}
	return id;
}

const struct lab_component *lab_world_component(struct lab_world *w, size_t i, unsigned revision)
{
	const struct lab_family *f = w->families->pdata[i];
	unsigned content = content_revision(f, revision);
	const char *key = lab_printf(w->arena, "%zu %u", i, revision);
	struct lab_component *c = g_hash_table_lookup(w->components, key);

	if (c)
		return c;
	c = lab_component_new(w->arena, family_identity(w, f, revision));
	add_files(w, f, c, content);
	if (f->extend)
		f->extend(&(struct lab_making){ .world = w, .arena = w->arena, .component = c, .revision = content });
	g_hash_table_insert(w->components, (gpointer)key, c);
	return c;
}

GBytes *lab_world_file(struct lab_world *w, const struct lab_component *c, const char *name, unsigned release)
{
	size_t i = lab_world_find(w, c->id.name, c->id.arch);
	unsigned revision = i == SIZE_MAX ? 0 : lab_world_revision(w, i, release);

	if (revision == 0)
		return NULL;
	const struct lab_component *then = lab_world_component(w, i, revision);
	for (guint j = 0; j < then->files->len; j++) {
		const struct lab_file *f = then->files->pdata[j];

		if (g_str_equal(f->name, name))
			return f->bytes;
	}
	return NULL;
}

void lab_set(const struct lab_making *m, const char *path, const char *name, uint32_t type, const char *value)
{
	lab_add_value(m->arena, lab_add_key(m->arena, m->component, path), name, type, value);
}

const struct lab_system *lab_world_system(const struct lab_world *w)
{
	return w->options.system ? w->options.system : &lab_system_client;
}

GBytes *lab_world_dictionary(const struct lab_world *w)
{
	return w->dictionary;
}

size_t lab_world_count(const struct lab_world *w)
{
	return w->families->len;
}

size_t lab_world_find(const struct lab_world *w, const char *name, const char *arch)
{
	g_autofree char *key = g_strdup_printf("%s %s", arch, name);

	return GPOINTER_TO_SIZE(g_hash_table_lookup(w->by_name, key)) - 1;
}

unsigned lab_world_revision(const struct lab_world *w, size_t i, unsigned release)
{
	const struct lab_family *f = w->families->pdata[i];

	return release < f->first ? 0 : content_revision(f, release);
}

bool lab_world_is_stack(const struct lab_world *w, size_t i)
{
	return ((const struct lab_family *)w->families->pdata[i])->stack;
}

const char *lab_world_feature(const struct lab_world *w, size_t i)
{
	return ((const struct lab_family *)w->families->pdata[i])->feature;
}

size_t lab_world_owner(const struct lab_world *w, size_t i)
{
	return lab_world_find_package(w, ((const struct lab_family *)w->families->pdata[i])->package);
}

const char *lab_release_version(struct lab_world *w, unsigned revision)
{
	return lab_printf(w->arena, "10.0.%u.%u", lab_world_system(w)->build, revision);
}

int64_t lab_release_time(unsigned revision)
{
	static const struct {
		unsigned revision;
		int64_t time;
	} days[] = {
		{ LAB_10B, 1634050800 },   /* 2021-10-12 15:00 UTC */
		{ LAB_STACK, 1631631600 }, /* 2021-09-14 15:00 UTC */
		{ LAB_4C, 1619103600 },    /* 2021-04-22 15:00 UTC */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(days); i++)
		if (revision >= days[i].revision)
			return days[i].time;
	return lab_system_client.released;
}

/* ---- packages ---- */

size_t lab_world_packages(const struct lab_world *w)
{
	return lab_package_rows_count;
}

unsigned lab_world_images(const struct lab_world *w, size_t p)
{
	return lab_package_rows[p].images;
}

size_t lab_world_find_package(const struct lab_world *w, const char *name)
{
	for (size_t p = 0; p < lab_package_rows_count; p++)
		if (g_str_equal(lab_package_rows[p].name, name))
			return p;
	return SIZE_MAX;
}

/* "Microsoft-Windows-Foundation-Package" -> "Microsoft-Windows-Foundation-Deployment" */
static struct lab_component *new_deployment(struct lab_world *w, const struct lab_package *p, const char *feature)
{
	size_t stem = strlen(p->id.name) - (g_str_has_suffix(p->id.name, "-Package") ? strlen("-Package") : 0);
	const char *name = lab_printf(w->arena, "%.*s%s%s-Deployment", (int)stem, p->id.name, feature ? "-" : "",
				      feature ? feature : "");
	struct lab_component *d = lab_component_new(
		w->arena, lab_component_identity(name, p->id.version, "amd64", p->id.culture));

	d->deployment = true;
	return d;
}

static void describe_feature(struct lab_world *w, const struct lab_package *p, struct lab_update *u)
{
	u->selectable = true;
	u->default_on = true;
	u->display = u->name;
	u->description = lab_printf(w->arena, "Optional feature %s", u->name);
	/* a language pack repeats the feature's name and follows it by that alone */
	if (g_str_has_prefix(u->name, "SMB1Protocol-") && g_str_has_prefix(p->id.name, "Microsoft-Windows-SMB1")) {
		u->applicable_parent = &p->id;
		u->applicable_update = "SMB1Protocol";
	}
}

/* The deployment of a feature in a package, made at its first family. */
static struct lab_component *deployment_for(struct lab_world *w, struct lab_package *p, const char *feature,
					    GHashTable *made)
{
	const char *key = feature ? feature : "";
	struct lab_component *d = g_hash_table_lookup(made, key);

	if (d)
		return d;
	d = new_deployment(w, p, feature);
	g_hash_table_insert(made, (gpointer)key, d);
	struct lab_update *u = lab_add_deployment(w->arena, p, feature, d);

	if (feature)
		describe_feature(w, p, u);
	return d;
}

static const struct lab_package *make_package(struct lab_world *w, size_t number)
{
	const struct lab_package_row *row = &lab_package_rows[number];
	g_autoptr(GHashTable) made = g_hash_table_new(g_str_hash, g_str_equal);
	const char *display = row->display, *name = lab_system_package(lab_world_system(w), row->name, &display);
	struct lab_package *p = lab_package_new(
		w->arena, lab_package_identity(name ? name : row->name, lab_release_version(w, LAB_RTM), "amd64", row->culture),
		row->identifier, row->release_type);

	p->display = display;
	p->description = display;
	p->permanence = row->permanent ? "permanent" : NULL;
	for (size_t i = 0; name && i < w->families->len; i++) {
		const struct lab_family *f = w->families->pdata[i];

		if (f->first || !g_str_equal(f->package, row->name))
			continue;
		const struct lab_component *c = lab_world_component(w, i, LAB_RTM);
		struct lab_component *d = deployment_for(w, p, f->feature, made);

		lab_add_dependency(w->arena, d, &c->id);
		g_ptr_array_add(p->components, (gpointer)c);
	}
	return p;
}

const struct lab_package *lab_world_package(struct lab_world *w, size_t p)
{
	if (!w->packages[p])
		w->packages[p] = make_package(w, p);
	return w->packages[p];
}

/* ---- real files ---- */

static gint compare_paths(gconstpointer x, gconstpointer y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Regular files below dir, relative, sorted; not through links. */
static bool list_files(const char *root, const char *below, GPtrArray *names, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(root, below, NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	if (!dir)
		return ib_throw(err, IB_ERR_INPUT, "cannot read folder '%s'", path);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *relative = *below ? g_build_filename(below, name, NULL) : g_strdup(name);
		g_autofree char *full = g_build_filename(root, relative, NULL);

		if (g_file_test(full, G_FILE_TEST_IS_SYMLINK))
			continue;
		if (g_file_test(full, G_FILE_TEST_IS_DIR) && !list_files(root, relative, names, err))
			return false;
		if (g_file_test(full, G_FILE_TEST_IS_REGULAR))
			g_ptr_array_add(names, g_steal_pointer(&relative));
	}
	return true;
}

static void add_real_family(struct lab_world *w, const char *relative, GBytes *bytes, size_t number)
{
	struct lab_family *f = lab_alloc(w->arena, sizeof(*f));
	const char *file = strrchr(relative, '/') ? strrchr(relative, '/') + 1 : relative;
	char *directory = (char *)lab_printf(w->arena, "%.*s", (int)(file - relative), relative);
	char *name = (char *)lab_printf(w->arena, "Lab-Tree-%s", relative);

	g_strdelimit(directory, "/", '\\');
	g_strdelimit(name, "/ ,=", '-');
	*f = (struct lab_family){ .name = name, .arch = "amd64", .package = "Microsoft-Windows-Lab-Tree-Package",
				  .places = { lab_printf(w->arena, "$(runtime.system32)\\LabTree\\%s|%s", directory, file) },
				  .changes = { number % 3 == 0 ? LAB_9B : 0 } };
	f->real = lab_array(w->arena);
	g_ptr_array_add(f->real, lab_keep(w->arena, bytes, (GDestroyNotify)g_bytes_unref));
	g_ptr_array_add(w->families, f);
}

static bool add_real_files(struct lab_world *w, const char *dir, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	size_t number = 0;

	if (!list_files(dir, "", names, err))
		return false;
	g_ptr_array_sort(names, compare_paths);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(dir, names->pdata[i], NULL);
		g_autoptr(GBytes) bytes = NULL;
		size_t len;
		const char *data;

		if (!ib_file_read(path, REAL_FILE_MAX, &bytes, err))
			return false;
		data = g_bytes_get_data(bytes, &len);
		if (len < 64 || memcmp(data, "MZ", 2) != 0 || strpbrk(names->pdata[i], "|:*?\"<>\\"))
			continue;
		add_real_family(w, names->pdata[i], g_steal_pointer(&bytes), number++);
	}
	return true;
}

/* ---- new ---- */

bool lab_world_new(struct lab_arena *a, const struct lab_world_options *options, struct lab_world **ret,
		   struct ib_error **err)
{
	struct lab_world *w = lab_alloc(a, sizeof(*w));

	w->arena = a;
	w->options = *options;
	if (!options->dictionary)
		w->dictionary = lab_dictionary();
	else if (!ib_file_read(options->dictionary, DICTIONARY_MAX, &w->dictionary, err))
		return ib_while(err, "reading the dictionary of manifests");
	lab_keep(a, w->dictionary, (GDestroyNotify)g_bytes_unref);
	w->families = lab_array(a);
	w->components = lab_keep(a, g_hash_table_new(g_str_hash, g_str_equal), (GDestroyNotify)g_hash_table_unref);
	w->by_name = lab_keep(a, g_hash_table_new(g_str_hash, g_str_equal), (GDestroyNotify)g_hash_table_unref);
	w->packages = lab_alloc(a, lab_package_rows_count * sizeof(*w->packages));
	for (size_t i = 0; i < lab_families_count; i++)
		g_ptr_array_add(w->families, (gpointer)&lab_families[i]);
	lab_add_modules(a, w->families, options->size);
	if (options->files_dir && !add_real_files(w, options->files_dir, err))
		return false;
	for (guint i = 0; i < w->families->len; i++) {
		const struct lab_family *f = w->families->pdata[i];

		g_hash_table_insert(w->by_name, (gpointer)lab_printf(a, "%s %s", f->arch, f->name), GSIZE_TO_POINTER(i + 1));
	}
	*ret = w;
	return true;
}
