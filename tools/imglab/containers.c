#include "containers.h"

#include <string.h>

#include "base/file.h"
#include "cab.h"
#include "cix.h"
#include "wimfile.h"

/* Where differentials of a .psf come from. */
struct from {
	const struct lab_containers *c;
	unsigned release;
};

static GBytes *base_of(void *data, const struct lab_component *component, const char *file)
{
	const struct from *f = data;

	return lab_world_file(f->c->world, component, file, f->release);
}

static GBytes *no_base(void *data, const struct lab_component *component, const char *file)
{
	return NULL;
}

static struct lab_shipping shipping(const struct lab_containers *c)
{
	return (struct lab_shipping){ .arena = c->arena, .pki = c->pki, .signer = LAB_SIGNER_CATALOG,
				      .when = lab_release_time(c->release), .method = LAB_CAB_MSZIP };
}

/* Write a file below the folder of the packages; its folder is made. */
static bool save(const struct lab_containers *c, const char *name, GBytes *bytes, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(c->dir, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	gsize size;
	const void *data = g_bytes_get_data(bytes, &size);

	return ib_dir_make(folder, err) && ib_file_write(path, data, size, err);
}

static bool build_cabinet(const struct lab_containers *c, const GPtrArray *members, enum lab_cix_flaw flaw, GBytes **ret,
			  struct ib_error **err)
{
	/* what is wrong on purpose is not worth compressing */
	lab_auto_cab cab = lab_cab_new(flaw == LAB_CIX_FINE ? LAB_CAB_LZX : LAB_CAB_STORED, lab_release_time(c->release));

	for (guint i = 0; i < members->len; i++) {
		const struct lab_member *m = members->pdata[i];

		lab_cab_add(cab, m->name, m->bytes);
	}
	if (!lab_cab_build(cab, LAB_SIGNATURE_BYTES, ret, err))
		return false;
	lab_keep(c->arena, *ret, (GDestroyNotify)g_bytes_unref);
	return true;
}

static void add(const struct lab_containers *c, GPtrArray *members, const char *name, GBytes *bytes)
{
	struct lab_member *m = lab_alloc(c->arena, sizeof(*m));

	*m = (struct lab_member){ .name = name, .bytes = bytes };
	g_ptr_array_add(members, m);
}

/* ---- numbered members ---- */

bool lab_containers_numbered(const struct lab_containers *c, struct ib_error **err)
{
	static const struct {
		const char *file;
		enum lab_cix_flaw flaw;
	} copies[] = {
		{ "containers/windows10.0-kb5001384-x64-numbered.msu", LAB_CIX_FINE },
		{ "refused/containers/windows10.0-kb5001384-x64-member.msu", LAB_CIX_NO_MEMBER },
		{ "refused/containers/windows10.0-kb5001384-x64-cycle.msu", LAB_CIX_CYCLE },
		{ "refused/containers/windows10.0-kb5001384-x64-hash.msu", LAB_CIX_HASH },
		{ "refused/containers/windows10.0-kb5001384-x64-spoiled.msu", LAB_CIX_SPOILED },
	};
	struct lab_shipping how = shipping(c);
	GPtrArray *members;

	how.children = LAB_NAMES_UPPER;
	c->root->format = NULL;
	if (!lab_package_pack(c->root, &how, &members, NULL, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(copies); i++) {
		GPtrArray *numbered = lab_cix_numbered(c->arena, members, "Windows10.0-KB5001384-x64.cab", how.when,
						       copies[i].flaw);
		g_autoptr(GBytes) msu = NULL;
		GBytes *cab;

		if (!build_cabinet(c, numbered, copies[i].flaw, &cab, err) ||
		    !lab_msu_around(c->root, "Windows10.0-KB5001384-x64", &how, cab, NULL, &msu, err) ||
		    !save(c, copies[i].file, msu, err))
			return ib_while(err, "writing '%s'", copies[i].file);
	}
	return true;
}

/* ---- .psf ---- */

/* An update whose payload is in a .psf. */
struct split {
	GBytes *cab, *psf;
};

/* "<keyform>\<file>" goes into the .psf, the rest stays. */
static void part(const GPtrArray *members, GPtrArray *metadata, GPtrArray *payload)
{
	for (guint i = 0; i < members->len; i++) {
		struct lab_member *m = members->pdata[i];

		g_ptr_array_add(strchr(m->name, '\\') ? payload : metadata, m);
	}
}

static bool add_history(const struct lab_containers *c, const GPtrArray *history, GPtrArray *payload,
			struct ib_error **err)
{
	GPtrArray *members = lab_array(c->arena);
	g_autoptr(GBytes) index = lab_cix_history(history, lab_release_time(c->release));
	GBytes *cab;

	add(c, members, "history.cix.xml", index);
	if (!build_cabinet(c, members, LAB_CIX_FINE, &cab, err))
		return false;
	add(c, payload, "historycix.cab", cab);
	return true;
}

static bool split_package(const struct lab_containers *c, const char *stem, const struct lab_differentials *d,
			  enum lab_cix_flaw flaw, struct split *ret, struct ib_error **err)
{
	struct lab_shipping how = shipping(c);
	GPtrArray *members, *metadata = lab_array(c->arena), *payload = lab_array(c->arena);
	GPtrArray *history = lab_array(c->arena);
	g_autofree char *psf_name = g_strconcat(stem, ".psf", NULL);

	how.dictionary = lab_world_dictionary(c->world);
	how.differentials = d;
	c->root->format = "PSFX";
	if (!lab_package_pack(c->root, &how, &members, history, err))
		return false;
	part(members, metadata, payload);
	if (d->pa31 && !add_history(c, history, payload, err))
		return false;
	struct lab_psf psf = lab_cix_psf(c->arena, payload, psf_name, how.when, flaw);
	add(c, metadata, "express.psf.cix.xml", psf.index);
	ret->psf = psf.bytes;
	return build_cabinet(c, metadata, flaw, &ret->cab, err);
}

static bool write_split(const struct lab_containers *c, const char *folder, const char *stem,
			const struct lab_differentials *d, enum lab_cix_flaw flaw, struct split *ret,
			struct ib_error **err)
{
	g_autofree char *cab = g_strdup_printf("%s/%s.cab", folder, stem);
	g_autofree char *psf = g_strdup_printf("%s/%s.psf", folder, stem);

	if (!split_package(c, stem, d, flaw, ret, err) || !save(c, cab, ret->cab, err) || !save(c, psf, ret->psf, err))
		return ib_while(err, "writing '%s'", cab);
	return true;
}

/* ---- several in one ---- */

#define STACK_CAB "SSU-17763.2170-x64.cab"
#define SEPTEMBER "Windows10.0-KB5005568-x64"

static bool stack_cabinet(const struct lab_containers *c, GBytes **ret, struct ib_error **err)
{
	struct lab_shipping how = shipping(c);

	if (!lab_package_cabinet(c->stack, &how, ret, err))
		return false;
	lab_keep(c->arena, *ret, (GDestroyNotify)g_bytes_unref);
	return true;
}

/* The .msu of Windows 11 24H2: no cabinet but a WIM. */
static bool write_wim(const struct lab_containers *c, const struct split *s, GBytes *stack, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(c->dir, "containers/windows11.0-kb5005568-x64.msu", NULL);
	g_autofree char *work = g_strconcat(path, ".work", NULL);
	GPtrArray *members = lab_array(c->arena);
	ib_auto_error ignored = NULL;

	add(c, members, "Windows11.0-KB5005568-x64.cab", s->cab);
	add(c, members, "Windows11.0-KB5005568-x64.psf", s->psf);
	add(c, members, STACK_CAB, stack);
	bool ok = lab_wim_of_files(path, work, members, lab_release_time(c->release), err);
	if (!ib_dir_remove(work, &ignored) && ok)
		ok = ib_throw(err, IB_ERR_SYSTEM, "cannot remove '%s'", work);
	return ok;
}

/* The .msu of Windows 10 since March 2021: the servicing stack lies beside the update. */
static bool write_combined(const struct lab_containers *c, const struct lab_differentials *d, GBytes *stack,
			   struct ib_error **err)
{
	struct lab_shipping how = shipping(c);
	const struct lab_companion companion = { .root = c->stack, .cab_name = STACK_CAB, .cab = stack };
	g_autoptr(GBytes) cab = NULL;
	g_autoptr(GBytes) msu = NULL;

	how.dictionary = lab_world_dictionary(c->world);
	how.differentials = d;
	how.method = LAB_CAB_LZX;
	return lab_package_cabinet(c->root, &how, &cab, err) &&
	       lab_msu_around(c->root, SEPTEMBER, &how, cab, &companion, &msu, err) &&
	       save(c, "containers/windows10.0-kb5005568-x64-combined.msu", msu, err);
}

bool lab_containers_psf(const struct lab_containers *c, struct ib_error **err)
{
	g_autoptr(GHashTable) made = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	struct from rtm = { c, LAB_RTM };
	const struct lab_differentials forward = { .base = base_of, .data = &rtm, .made = made, .forward_only = true };
	const struct lab_differentials both = { .base = base_of, .data = &rtm, .made = made };
	const struct lab_differentials baseless = { .base = no_base, .pa31 = true };
	struct split s, other;
	GBytes *stack;

	return write_split(c, "containers/psf-baseless", SEPTEMBER, &baseless, LAB_CIX_FINE, &other, err) &&
	       write_split(c, "refused/containers/psf-range", SEPTEMBER, &forward, LAB_CIX_NO_MEMBER, &other, err) &&
	       write_split(c, "refused/containers/psf-spoiled", SEPTEMBER, &forward, LAB_CIX_SPOILED, &other, err) &&
	       write_split(c, "containers/psf", SEPTEMBER, &forward, LAB_CIX_FINE, &s, err) &&
	       stack_cabinet(c, &stack, err) && write_wim(c, &s, stack, err) && write_combined(c, &both, stack, err);
}

bool lab_containers_checkpoint(const struct lab_containers *c, unsigned checkpoint, struct ib_error **err)
{
	struct from from = { c, checkpoint };
	const struct lab_differentials d = { .base = base_of, .data = &from, .pa31 = true, .forward_only = true };
	struct split ignored;

	return write_split(c, "containers/psf-checkpoint", "Windows10.0-KB5006672-x64", &d, LAB_CIX_FINE, &ignored, err);
}
