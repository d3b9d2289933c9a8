/* Opening a store: what the image is, and whether it may be serviced at all. */
#include "servicing/internal.h"

#include <string.h>

#include "xml/xml.h"

static char *text_value(const struct ib_key *key, const char *name)
{
	const struct ib_value *v = key ? ib_key_value(key, name) : NULL;

	return v ? ib_value_text(v) : NULL;
}

static uint32_t number_value(const struct ib_key *key, const char *name, uint32_t missing)
{
	const struct ib_value *v = key ? ib_key_value(key, name) : NULL;
	uint64_t n;

	return v && ib_value_number(v, &n) ? (uint32_t)n : missing;
}

static bool read_system(struct ib_store *s, struct ib_error **err)
{
	struct ib_hive *system;

	if (!ib_store_hive(s, IB_HIVE_SYSTEM, &system, err))
		return false;
	struct ib_key *root = ib_hive_root(system);
	s->control_set = ib_hive_control_set(system);
	if (!s->control_set)
		s->control_set = 1; /* what a system without a choice has */
	g_autofree char *set = g_strdup_printf("ControlSet%03u", s->control_set);
	if (!ib_key_find(root, set))
		return ib_throw(err, IB_ERR_INPUT, "the hive SYSTEM has no '%s', which its Select key names", set);
	g_autofree char *path = g_strconcat(set, "\\Control\\Session Manager\\Environment", NULL);
	g_autofree char *arch = text_value(ib_key_find(root, path), "PROCESSOR_ARCHITECTURE");
	s->arch = arch ? g_ascii_strdown(arch, -1) : NULL;
	return true;
}

/* Without an environment in the registry the WIM's own number tells the architecture. */
static bool arch_of_xml(struct ib_store *s, struct ib_error **err)
{
	g_autofree char *number = ib_wim_image_property(s->wim, s->index, "WINDOWS/ARCH");

	if (s->arch)
		return true;
	if (!g_strcmp0(number, "9"))
		s->arch = g_strdup("amd64");
	else if (!g_strcmp0(number, "0"))
		s->arch = g_strdup("x86");
	else if (!g_strcmp0(number, "12"))
		s->arch = g_strdup("arm64");
	else
		return ib_throw(err, IB_ERR_INPUT, "neither registry nor image tells the processor architecture");
	return true;
}

static void read_version(struct ib_store *s, struct ib_key *nt)
{
	g_autofree char *build = text_value(nt, "CurrentBuild");
	g_autofree char *old = text_value(nt, "CurrentVersion");
	struct ib_version legacy = { { 10, 0, 0, 0 } };

	if (!build)
		build = text_value(nt, "CurrentBuildNumber");
	if (old)
		ib_version_parse(old, &legacy);
	s->info.version.part[0] = number_value(nt, "CurrentMajorVersionNumber", legacy.part[0]);
	s->info.version.part[1] = number_value(nt, "CurrentMinorVersionNumber", legacy.part[1]);
	s->info.version.part[2] = build ? (uint32_t)g_ascii_strtoull(build, NULL, 10) : 0;
	s->info.version.part[3] = number_value(nt, "UBR", 0);
}

static bool read_software(struct ib_store *s, struct ib_error **err)
{
	struct ib_hive *software;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *nt = ib_key_find(ib_hive_root(software), PATH_NT);
	if (!nt)
		return ib_throw(err, IB_ERR_INPUT, "the hive SOFTWARE has no key '%s'", PATH_NT);
	s->edition = text_value(nt, "EditionID");
	s->product = text_value(nt, "ProductName");
	g_autofree char *root = text_value(nt, "SystemRoot");
	s->drive = root && root[0] && root[1] == ':' ? g_strndup(root, 2) : g_strdup("C:");
	read_version(s, nt);
	if (!ib_key_find(ib_hive_root(software), PATH_CBS))
		return ib_throw(err, IB_ERR_INPUT, "the hive SOFTWARE has no component based servicing");
	return true;
}

static bool gate_key(struct ib_key *cbs, const char *name, struct ib_error **err)
{
	struct ib_key *key = ib_key_find(cbs, name);

	/* SessionsPending keeps a few values of its own; work shows as subkeys, and as Exclusive. */
	if (!key || (!ib_key_count(key) && !number_value(key, "Exclusive", 0)))
		return true;
	ib_throw(err, IB_ERR_INPUT, "servicing of the image is pending: '%s' holds %s", name,
		 ib_key_count(key) ? ib_key_name(ib_key_child(key, 0)) : "an exclusive session");
	return ib_hint(err, "let the image finish its servicing (start it once, or revert pending actions), DISM calls this 0x800f0806");
}

static bool gate(struct ib_store *s, struct ib_error **err)
{
	struct ib_hive *software;

	if (ib_image_find(s->image, DIR_WINSXS "\\pending.xml")) {
		ib_throw(err, IB_ERR_INPUT, "servicing of the image is pending: it holds WinSxS\\pending.xml");
		return ib_hint(err, "let the image finish its servicing (start it once, or revert pending actions), DISM calls this 0x800f0806");
	}
	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *cbs = ib_key_find(ib_hive_root(software), PATH_CBS);
	if (!gate_key(cbs, "PackagesPending", err) || !gate_key(cbs, "SessionsPending", err))
		return false;
	s->info.unserviceable = ib_key_find(cbs, "Unserviceable") || ib_key_value(cbs, "Unserviceable");
	return true;
}

bool ib_svc_check_serviceable(const struct ib_store *s, struct ib_error **err)
{
	if (!s->info.unserviceable)
		return true;
	ib_throw(err, IB_ERR_INPUT, "the image is marked unserviceable");
	return ib_hint(err, "take an image whose component store was not stripped");
}

/* A preinstallation or recovery environment, which is one by edition and by the key that tells programs so. */
static bool is_pe(struct ib_store *s, struct ib_hive *system)
{
	g_autofree char *path = g_strdup_printf("ControlSet%03u\\Control\\MiniNT", s->control_set);

	return (s->edition && !g_ascii_strcasecmp(s->edition, "WindowsPE")) || ib_key_find(ib_hive_root(system), path);
}

/* Servicing stack and counts. */
static bool read_counts(struct ib_store *s, struct ib_error **err)
{
	struct ib_hive *components;
	struct ib_model *model;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &components, err) || !ib_svc_model(s, &model, err))
		return false;
	struct ib_key *keys = ib_key_find(ib_hive_root(components), PATH_COMPONENTS);
	struct ib_key *deployments = ib_key_find(ib_hive_root(components), PATH_DEPLOYMENTS);
	struct ib_key *packages = ib_key_find(ib_hive_root(s->hives[IB_HIVE_SOFTWARE]), PATH_CBS "\\Packages");
	s->info.components = keys ? (unsigned)ib_key_count(keys) : 0;
	s->info.deployments = deployments ? (unsigned)ib_key_count(deployments) : 0;
	s->info.packages = packages ? (unsigned)ib_key_count(packages) : 0;
	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		const struct ib_component *last = f->components->len ? f->components->pdata[f->components->len - 1] : NULL;
		if (last && last->id.name && !g_ascii_strcasecmp(last->id.name, "Microsoft-Windows-ServicingStack") &&
		    last->id.arch && !g_ascii_strcasecmp(last->id.arch, s->arch) &&
		    ib_version_compare(&last->id.number, &s->info.stack) > 0)
			s->info.stack = last->id.number;
	}
	return true;
}

static bool open_store(struct ib_store *s, struct ib_error **err)
{
	if (!ib_wim_image(s->wim, s->index, &s->image, err))
		return false;
	if (!ib_image_find(s->image, DIR_WINSXS) || !ib_image_find(s->image, "Windows\\System32\\config\\SOFTWARE"))
		return ib_throw(err, IB_ERR_INPUT, "image %u is not a Windows image with a component store", s->index);
	/* The largest hive first: as long as it is loaded, its bytes take as much again, and others are not there yet. */
	struct ib_hive *software;
	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err) || !read_system(s, err) || !arch_of_xml(s, err) || !read_software(s, err) || !gate(s, err) || !read_counts(s, err))
		return false;
	s->info.pe = is_pe(s, s->hives[IB_HIVE_SYSTEM]);
	s->info.arch = s->arch;
	s->info.edition = s->edition ? s->edition : "";
	s->info.product = s->product ? s->product : "";
	return true;
}

bool ib_store_open(struct ib_wim *wim, unsigned index, uint64_t time, struct ib_store **ret, struct ib_error **err)
{
	struct ib_store *s = g_new0(struct ib_store, 1);

	s->wim = wim;
	s->index = index;
	s->time = time;
	ib_svc_notes_init(s);
	s->mums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)ib_mum_free);
	s->descriptors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	s->siblings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	if (!open_store(s, err)) {
		ib_store_free(s);
		return ib_while(err, "opening the component store of image %u", index);
	}
	*ret = s;
	return true;
}

void ib_store_free(struct ib_store *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < IB_HIVE_COUNT; i++)
		ib_hive_free(s->hives[i]);
	ib_svc_model_free(s->model);
	g_clear_pointer(&s->packages, g_ptr_array_unref);
	g_clear_pointer(&s->notes, g_ptr_array_unref);
	g_clear_pointer(&s->noted, g_hash_table_unref);
	g_clear_pointer(&s->dictionary, g_bytes_unref);
	g_clear_pointer(&s->mums, g_hash_table_unref);
	g_clear_pointer(&s->descriptors, g_hash_table_unref);
	g_clear_pointer(&s->siblings, g_hash_table_unref);
	g_free(s->arch);
	g_free(s->edition);
	g_free(s->product);
	g_free(s->drive);
	g_free(s);
}

const struct ib_store_info *ib_store_info(const struct ib_store *s)
{
	return &s->info;
}

bool ib_svc_refresh(struct ib_store *s, struct ib_error **err)
{
	struct ib_hive *software;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *nt = ib_key_find(ib_hive_root(software), PATH_NT);
	if (nt)
		read_version(s, nt);
	s->dictionary_known = s->dictionary != NULL; /* a new servicing stack may have brought one */
	return read_counts(s, err);
}

struct ib_image *ib_store_image(struct ib_store *s)
{
	return s->image;
}
