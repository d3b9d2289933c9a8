#include "package/internal.h"

#include <string.h>

/* Most distinct names in `other`: beyond it the list tells a reader nothing more. */
#define OTHER_MAX 256

const char *package_base_name(const char *name)
{
	const char *slash = strrchr(name, '\\');
	const char *base = slash ? slash + 1 : name;

	slash = strrchr(base, '/');
	return slash ? slash + 1 : base;
}

bool package_has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n >= s && g_ascii_strcasecmp(name + n - s, suffix) == 0;
}

/* ---- elements nobody handles ---- */

static bool has_text(const GPtrArray *list, const char *text)
{
	for (guint i = list->len; i > 0; i--) { /* repeats come in runs: look at the latest first */
		if (strcmp(g_ptr_array_index(list, i - 1), text) == 0)
			return true;
	}
	return false;
}

void package_other_add(GPtrArray *list, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (has_text(list, text) || list->len > OTHER_MAX)
		return;
	if (list->len == OTHER_MAX)
		g_ptr_array_add(list, g_strdup("(and more)"));
	else
		g_ptr_array_add(list, g_steal_pointer(&text));
}

static int compare_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void package_other_sort(GPtrArray *list)
{
	g_ptr_array_sort(list, compare_text);
}

/* ---- what the readers share ---- */

bool package_relative_name(struct manifest *m, const char *text, const char **ret, struct ib_error **err)
{
	char *name = g_strdelimit(g_string_chunk_insert(m->strings, text), "/", '\\');

	if (!*name || strchr(name, ':'))
		return ib_throw(err, IB_ERR_INPUT, "'%.80s' is not the name of a file below its component", text);
	for (char *part = name, *end; part; part = end) {
		end = strchr(part, '\\');
		if (end)
			*end = '\0';
		const char *fault = ib_name_fault(part);
		if (fault)
			return ib_throw(err, IB_ERR_INPUT, "'%.80s' is not the name of a file below its component: %s", text, fault);
		if (end)
			*end++ = '\\';
	}
	*ret = name;
	return true;
}

const char *package_attr(struct manifest *m, const struct ib_xml_node *node, const char *name)
{
	const char *text = ib_xml_attr(node, name);

	return text ? g_string_chunk_insert(m->strings, text) : NULL;
}

bool package_check_path(const char *path, struct ib_error **err)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "\\/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return ib_throw(err, IB_ERR_INPUT, "the destination '%.80s' leads upwards", path);
		p += n + (p[n] ? 1 : 0);
	}
	return true;
}

const char *package_sddl(struct manifest *m, const struct ib_xml_node *node)
{
	const char *name = ib_xml_attr(ib_xml_first(node, "securityDescriptor"), "name");

	if (!name)
		return NULL;
	const char *sddl = g_hash_table_lookup(m->sddl, name);
	if (!sddl)
		package_other_add(m->pub.other, "securityDescriptor '%.80s' without definition", name);
	return sddl;
}

uint32_t package_attributes(struct manifest *m, const struct ib_xml_node *node)
{
	static const struct {
		const char *word;
		uint32_t bit; /* winnt.h FILE_ATTRIBUTE_* */
	} words[] = {
		{ "readonly", 0x1 }, { "hidden", 0x2 }, { "system", 0x4 }, { "directory", 0x10 },
		{ "archive", 0x20 }, { "normal", 0x80 }, { "temporary", 0x100 }, { "compressed", 0x800 },
		{ "offline", 0x1000 }, { "notContentIndexed", 0x2000 }, { "encrypted", 0x4000 },
	};
	const char *text = ib_xml_attr(node, "attributes");
	uint32_t bits = 0;
	guint64 number;

	if (!text || !*text)
		return 0;
	if (g_str_has_prefix(text, "0x") ? g_ascii_string_to_unsigned(text + 2, 16, 0, UINT32_MAX, &number, NULL) :
					   g_ascii_string_to_unsigned(text, 10, 0, UINT32_MAX, &number, NULL))
		return (uint32_t)number;
	g_auto(GStrv) parts = g_strsplit_set(text, " ,|+;", -1);
	for (char **p = parts; *p; p++) {
		size_t i = 0;
		while (i < G_N_ELEMENTS(words) && g_ascii_strcasecmp(*p, words[i].word) != 0)
			i++;
		if (i < G_N_ELEMENTS(words))
			bits |= words[i].bit;
		else if (**p)
			package_other_add(m->pub.other, "%s attribute '%.40s'", ib_xml_name(node), *p);
	}
	return bits;
}

/* ---- the manifest ---- */

bool package_manifest_readable(GBytes *bytes, GBytes *dictionary)
{
	enum ib_dcm_kind kind = ib_dcm_kind(bytes);

	return kind == IB_DCM_NONE || kind == IB_DCM_DCS || kind == IB_DCM_DCN || (kind == IB_DCM_DCM && dictionary);
}

bool ib_manifest_text(GBytes *bytes, GBytes *dictionary, GBytes **ret, struct ib_error **err)
{
	enum ib_dcm_kind kind = ib_dcm_kind(bytes);

	if (kind == IB_DCM_NONE) {
		*ret = g_bytes_ref(bytes);
		return true;
	}
	if (kind == IB_DCM_DCM && !dictionary) {
		ib_throw(err, IB_ERR_INPUT, "the manifest is compressed (DCM) against a dictionary, which is not given");
		return ib_hint(err, "the dictionary lies in wcp.dll of the image's servicing stack");
	}
	return ib_dcm_decode(bytes, dictionary, ret, err);
}

static bool check_name(const struct ib_manifest *m, const char *name, struct ib_error **err)
{
	const char *base = package_base_name(name);

	if (!package_has_suffix(base, ".manifest"))
		return true;
	g_autofree char *stem = g_strndup(base, strlen(base) - strlen(".manifest"));
	if (g_ascii_strcasecmp(stem, m->keyform) == 0)
		return true;
	return ib_throw(err, IB_ERR_INPUT, "the identity in manifest '%s' gives the name '%s.manifest'", base,
			m->keyform);
}

static void read_definitions(struct manifest *m, const struct ib_xml_node *root)
{
	const struct ib_xml_node *trust = ib_xml_first(root, "trustInfo");

	for (; trust; trust = ib_xml_next(trust, "trustInfo")) {
		const struct ib_xml_node *all =
			ib_xml_find(trust, "security/accessControl/securityDescriptorDefinitions");
		const struct ib_xml_node *def = ib_xml_first(all, "securityDescriptorDefinition");
		for (; def; def = ib_xml_next(def, "securityDescriptorDefinition")) {
			const char *name = package_attr(m, def, "name"), *sddl = package_attr(m, def, "sddl");
			if (name && sddl)
				g_hash_table_insert(m->sddl, (gpointer)name, (gpointer)sddl);
		}
	}
}

/* Language satellites are asked for with '*': whichever is there, none need be. */
static bool is_satellite(const struct ib_xml_node *dependency, const struct ib_xml_node *identity)
{
	const char *type = ib_xml_attr(dependency, "resourceType"), *language = ib_xml_attr(identity, "language");

	return type && language && g_ascii_strcasecmp(type, "Resources") == 0 && strcmp(language, "*") == 0;
}

static bool read_dependencies(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
{
	const struct ib_xml_node *dep = ib_xml_first(root, "dependency");

	for (; dep; dep = ib_xml_next(dep, "dependency")) {
		const struct ib_xml_node *asm_ = ib_xml_first(dep, "dependentAssembly");
		for (; asm_; asm_ = ib_xml_next(asm_, "dependentAssembly")) {
			const char *type = ib_xml_attr(asm_, "dependencyType");
			if (!type || g_ascii_strcasecmp(type, "install") != 0 ||
			    is_satellite(dep, ib_xml_first(asm_, "assemblyIdentity")))
				continue;
			if (!package_identity_add(asm_, m->pub.dependencies, err))
				return false;
		}
	}
	return true;
}

static bool read_identity(struct ib_manifest *m, const struct ib_xml_node *root, const char *name,
			  struct ib_error **err)
{
	if (strcmp(ib_xml_name(root), "assembly") != 0)
		return ib_throw(err, IB_ERR_INPUT, "the root element is '%s', not 'assembly'", ib_xml_name(root));
	if (!ib_identity_read(ib_xml_first(root, "assemblyIdentity"), &m->id, err))
		return false;
	if (!package_identity_is_concrete(&m->id))
		return ib_throw(err, IB_ERR_INPUT, "the manifest's own identity has a '*'");
	m->keyform = ib_keyform(&m->id, IB_KEYFORM_LONG);
	return check_name(m, name, err);
}

/* The tree goes where the model has taken everything over: a store has tens of thousands of manifests. */
static void drop_modelled(struct manifest *m)
{
	static const char *const asked[] = { "instrumentation", "localization" };
	bool needed = m->pub.services->len || m->pub.svchost->len || m->pub.firewall->len || m->pub.tasks->len;

	g_clear_pointer(&m->sddl, g_hash_table_unref);
	for (size_t i = 0; i < G_N_ELEMENTS(asked) && !needed; i++)
		needed = ib_xml_first(ib_xml_root(m->pub.xml), asked[i]) != NULL;
	if (!needed)
		g_clear_pointer(&m->pub.xml, ib_xml_free);
}

static bool read_all(struct manifest *m, GBytes *dictionary, const char *name, struct ib_error **err)
{
	g_autoptr(GBytes) plain = NULL;
	gsize len;

	if (!ib_manifest_text(m->pub.stored, dictionary, &plain, err))
		return false;
	const void *data = g_bytes_get_data(plain, &len);
	if (len > MANIFEST_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the manifest has %zu bytes, at most %u are accepted", len,
				MANIFEST_MAX);
	if (!ib_xml_parse(data, len, name, &m->pub.xml, err))
		return false;
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, m->pub.sha256);
	const struct ib_xml_node *root = ib_xml_root(m->pub.xml);
	if (!read_identity(&m->pub, root, name, err))
		return false;
	m->pub.is_deployment = ib_xml_first(root, "deployment") != NULL;
	m->pub.has_migration = ib_xml_first(root, "migration") != NULL;
	m->pub.is_empty = !ib_xml_next(ib_xml_first(root, NULL), NULL);
	read_definitions(m, root);
	if (!read_dependencies(m, root, err) || !package_read_files(m, root, err) ||
	    !package_read_directories(m, root, err) || !package_read_registry(m, root, err) ||
	    !package_read_memberships(m, root, err))
		return false;
	package_read_rest(m, root);
	package_other_sort(m->pub.other);
	drop_modelled(m);
	return true;
}

static void free_file(gpointer p)
{
	struct ib_file *f = p;

	if (f->links)
		g_ptr_array_unref(f->links);
	g_free(f);
}

static struct manifest *manifest_new(GBytes *bytes)
{
	struct manifest *m = g_new0(struct manifest, 1);

	m->strings = g_string_chunk_new(1024);
	m->sddl = g_hash_table_new(g_str_hash, g_str_equal);
	m->pub.stored = g_bytes_ref(bytes);
	m->pub.dependencies = g_ptr_array_new_with_free_func(g_free);
	m->pub.files = g_ptr_array_new_with_free_func(free_file);
	m->pub.directories = g_ptr_array_new_with_free_func(g_free);
	m->pub.registry = g_ptr_array_new_with_free_func(package_free_key);
	m->pub.services = g_ptr_array_new_with_free_func(g_free);
	m->pub.svchost = g_ptr_array_new_with_free_func(g_free);
	m->pub.search_path = g_ptr_array_new_with_free_func(g_free);
	m->pub.firewall = g_ptr_array_new();
	m->pub.tasks = g_ptr_array_new();
	m->pub.other = g_ptr_array_new_with_free_func(g_free);
	return m;
}

bool ib_manifest_parse(GBytes *bytes, GBytes *dictionary, const char *name, struct ib_manifest **ret,
		       struct ib_error **err)
{
	struct manifest *m = manifest_new(bytes);

	if (!read_all(m, dictionary, name, err)) {
		ib_manifest_free(&m->pub);
		return ib_while(err, "reading manifest '%s'", name);
	}
	*ret = &m->pub;
	return true;
}

void ib_manifest_free(struct ib_manifest *pub)
{
	if (!pub)
		return;
	struct manifest *m = manifest_of(pub);
	GPtrArray *const arrays[] = { pub->dependencies, pub->files, pub->directories, pub->registry, pub->services,
				      pub->svchost, pub->search_path, pub->firewall, pub->tasks, pub->other };

	for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
		g_ptr_array_unref(arrays[i]);
	g_clear_pointer(&m->sddl, g_hash_table_unref);
	g_string_chunk_free(m->strings);
	g_bytes_unref(pub->stored);
	ib_xml_free(pub->xml);
	g_free(pub->keyform);
	g_free(m);
}
