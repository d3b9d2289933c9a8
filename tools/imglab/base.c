/* The base disc: sign the world's packages, build five images, three WIMs, one ISO. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "digest/digest.h"
#include "media/media.h"

#include "base.h"
#include "bootprogs.h"
#include "catalog.h"
#include "delta.h"
#include "image.h"
#include "keyform.h"
#include "pe.h"
#include "wimfile.h"

#define WIM_MAX ((uint64_t)1 << 30)

struct base {
	const struct lab_world_options *options;
	struct lab_arena *arena;
	struct lab_world *world;
	struct lab_pki *pki;
	GPtrArray *packages; /* struct lab_signed, in the order of the world */
	const char *work;    /* folder of temporary files */
	GBytes *winre;       /* the recovery WIM that installed images carry */
	int64_t epoch;
};

/* ---- packages ---- */

static void index_members(struct base *b, struct lab_signed *s)
{
	const struct lab_package *p = s->package;

	s->manifests = lab_keep(b->arena, g_hash_table_new(g_str_hash, g_str_equal), (GDestroyNotify)g_hash_table_unref);
	s->components = lab_keep(b->arena, g_hash_table_new(g_str_hash, g_str_equal), (GDestroyNotify)g_hash_table_unref);
	for (guint i = 1; i < s->members->len; i++) {
		const struct lab_member *m = s->members->pdata[i];
		const char *key = lab_printf(b->arena, "%.*s", (int)(strlen(m->name) - strlen(".manifest")), m->name);

		g_hash_table_insert(s->manifests, (gpointer)key, m->bytes);
	}
	for (guint i = 0; i < p->components->len; i++) {
		struct lab_component *c = p->components->pdata[i];

		g_hash_table_insert(s->components, lab_keep(b->arena, lab_key_long(&c->id), g_free), c);
	}
	for (guint i = 0; i < p->updates->len; i++) {
		const struct lab_update *u = p->updates->pdata[i];

		if (u->deployment)
			g_hash_table_insert(s->components, lab_keep(b->arena, lab_key_long(&u->deployment->id), g_free),
					    (gpointer)u->deployment);
	}
}

/* One in so many manifests of a store is plain: 401 of 28,069 in a real one; some more, so that a small lab has some. */
#define PLAIN_ONE_IN 32

/* The bytes that the image holds of a member. Mums are always plain; so is what compression does not shorten. */
static GBytes *store_member(const struct base *b, const struct lab_member *m)
{
	if (!b->options->dcm || !g_str_has_suffix(m->name, ".manifest") || lab_hash_text(m->name) % PLAIN_ONE_IN == 0)
		return g_bytes_ref(m->bytes);
	GBytes *small = lab_dcm_make(lab_world_dictionary(b->world), m->bytes);

	if (g_bytes_get_size(small) < g_bytes_get_size(m->bytes))
		return small;
	g_bytes_unref(small);
	return g_bytes_ref(m->bytes);
}

static void store_members(struct base *b, struct lab_signed *s)
{
	s->stored = lab_array(b->arena);
	for (guint i = 0; i < s->members->len; i++)
		g_ptr_array_add(s->stored, lab_keep(b->arena, store_member(b, s->members->pdata[i]),
						    (GDestroyNotify)g_bytes_unref));
}

static bool sign_package(struct base *b, const struct lab_package *p, struct lab_signed *s, struct ib_error **err)
{
	lab_auto_catalog catalog = lab_catalog_new(p->id.name);
	uint8_t hash[IB_SHA256_SIZE];
	size_t len;
	const void *data;

	s->package = p;
	s->id = lab_keep(b->arena, lab_package_id(&p->id), g_free);
	s->members = lab_package_members(b->arena, p);
	store_members(b, s);
	for (guint i = 0; i < s->members->len; i++) {
		data = g_bytes_get_data(((struct lab_member *)s->members->pdata[i])->bytes, &len);
		lab_catalog_add(catalog, data, len);
	}
	if (!lab_catalog_sign(catalog, b->pki, LAB_SIGNER_CATALOG, b->epoch, &s->catalog, err))
		return ib_while(err, "signing package '%s'", s->id);
	lab_keep(b->arena, s->catalog, (GDestroyNotify)g_bytes_unref);
	data = g_bytes_get_data(s->catalog, &len);
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	s->thumbprint = lab_keep(b->arena, ib_hex(hash, sizeof(hash)), g_free);
	index_members(b, s);
	return true;
}

static bool sign_packages(struct base *b, struct ib_error **err)
{
	b->packages = lab_array(b->arena);
	for (size_t i = 0; i < lab_world_packages(b->world); i++) {
		const struct lab_package *p = lab_world_package(b->world, i);
		struct lab_signed *s = lab_alloc(b->arena, sizeof(*s));

		/* the package of --files is empty without it, and then does not exist */
		if (p->updates->len && !sign_package(b, p, s, err))
			return false;
		g_ptr_array_add(b->packages, s);
	}
	return true;
}

/* ---- images ---- */

static bool is_installed(enum lab_image image)
{
	return image == LAB_IMAGE_ENTERPRISE_G || image == LAB_IMAGE_ENTERPRISE;
}

static void add_recovery(struct base *b, struct lab_os *os)
{
	static const char agent[] = "<?xml version='1.0' encoding='utf-8'?>\r\n<WindowsRE version=\"2.0\">\r\n"
				    "  <WinreStaged state=\"1\"/>\r\n</WindowsRE>\r\n";
	g_autoptr(GBytes) text = g_bytes_new_static(agent, sizeof(agent) - 1);

	lab_tree_file(os->tree, "Windows\\System32\\Recovery\\Winre.wim", b->winre)->attributes = 0x26;
	lab_tree_file(os->tree, "Windows\\System32\\Recovery\\ReAgent.xml", text);
}

/* Build one image as an NTFS volume. @param ret  the volume's path; owned by the caller (g_free) */
static bool build_volume(struct base *b, enum lab_image image, char **ret, struct ib_error **err)
{
	IB_CLEANUP(lab_os_clear) struct lab_os *os = lab_os_new(image, lab_world_system(b->world), b->epoch);
	g_autofree char *path = g_strdup_printf("%s/image-%d.ntfs", b->work, image);

	for (guint i = 0; i < b->packages->len; i++) {
		const struct lab_signed *s = b->packages->pdata[i];

		if (s->package && (lab_world_images(b->world, i) & image) && !lab_os_install(os, s, err))
			return ib_while(err, "installing package '%s'", s->id);
	}
	if (is_installed(image)) {
		lab_os_furnish(os);
		add_recovery(b, os);
	}
	if (!lab_os_finish(os, b->work, err) || !lab_tree_write(os->tree, path, b->epoch, err))
		return false;
	*ret = g_steal_pointer(&path);
	return true;
}

/* A WIM of up to two images. */
static bool build_wim(struct base *b, const char *name, const struct lab_wim_image *descriptions,
		      const enum lab_image *which, size_t count, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(b->work, name, NULL);
	const struct lab_system *system = lab_world_system(b->world);
	bool client = system == &lab_system_client;
	g_autofree char *stamp = g_strdup_printf("%s %" G_GUINT64_FORMAT "%s%s", name, b->options->seed, client ? "" : " ",
						 client ? "" : system->word);
	struct lab_wim_image images[2];
	char *volumes[2] = { NULL };
	bool ok = true;

	g_assert(count <= G_N_ELEMENTS(images));
	for (size_t i = 0; i < count && ok; i++) {
		images[i] = descriptions[i];
		images[i].build = system->build;
		images[i].branch = system->branch;
		images[i].product_type = system->product_type;
		ok = build_volume(b, which[i], &volumes[i], err);
		images[i].volume = volumes[i];
	}
	ok = ok && lab_wim_write(path, images, count, stamp, b->epoch, err);
	for (size_t i = 0; i < count; i++) {
		if (volumes[i])
			unlink(volumes[i]);
		g_free(volumes[i]);
	}
	return ok || ib_while(err, "building '%s'", name);
}

static bool build_wims(struct base *b, struct ib_error **err)
{
	static const struct lab_wim_image re[] = {
		{ .name = "Microsoft Windows Recovery Environment (x64)", .edition = "WindowsPE", .product = "WindowsPE" },
	};
	static const struct lab_wim_image boot[] = {
		{ .name = "Microsoft Windows PE (x64)", .edition = "WindowsPE", .product = "WindowsPE" },
		{ .name = "Microsoft Windows Setup (x64)", .edition = "WindowsPE", .product = "WindowsPE", .boots = true },
	};
	const struct lab_system *system = lab_world_system(b->world);
	struct lab_wim_image install[LAB_EDITIONS];
	g_autofree char *winre = g_build_filename(b->work, "winre.wim", NULL);

	if (!build_wim(b, "winre.wim", re, (const enum lab_image[]){ LAB_IMAGE_RE }, 1, err) ||
	    !ib_file_read(winre, WIM_MAX, &b->winre, err))
		return false;
	lab_keep(b->arena, b->winre, (GDestroyNotify)g_bytes_unref);
	for (size_t i = 0; i < LAB_EDITIONS; i++) {
		const struct lab_edition *e = &system->editions[i];

		install[i] = (struct lab_wim_image){ .name = e->image, .display = e->product, .edition = e->id,
						     .product = system->installation };
	}
	return build_wim(b, "boot.wim", boot, (const enum lab_image[]){ LAB_IMAGE_PE, LAB_IMAGE_SETUP }, 2, err) &&
	       build_wim(b, "install.wim", install,
			 (const enum lab_image[]){ LAB_IMAGE_ENTERPRISE_G, LAB_IMAGE_ENTERPRISE }, LAB_EDITIONS, err);
}

/* ---- the disc ---- */

/* bytes: taken */
static bool add_bytes(struct ib_media_writer *w, const char *path, GBytes *bytes, struct ib_error **err)
{
	g_autoptr(GBytes) owned = bytes;

	return ib_media_writer_add_bytes(w, path, IB_MEDIA_TIME_OF_VOLUME, owned, err);
}

static GBytes *program(const struct base *b, const char *name)
{
	struct lab_pe pe = { .name = name, .arch = "amd64", .version = lab_release_version(b->world, LAB_RTM), .description = name,
			     .seed = b->options->seed, .payload_bytes = 40960 };

	return lab_pe_build(&pe);
}

/* Programs of the medium; all but the boot programs are as synthetic as the image's. */
static bool add_programs(struct base *b, struct ib_media_writer *w, struct ib_error **err)
{
	static const char *const paths[] = { "setup.exe", "sources/setup.exe", "sources/setuphost.exe",
					     "sources/setupcore.dll", "sources/compatctrl.dll", "sources/winsetup.dll" };

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autofree char *name = g_path_get_basename(paths[i]);

		if (!add_bytes(w, paths[i], program(b, name), err))
			return false;
	}
	return add_bytes(w, "bootmgr", program(b, "bootmgr"), err) &&
	       add_bytes(w, "boot/etfsboot.com", lab_boot_bios(), err) &&
	       add_bytes(w, "efi/microsoft/boot/efisys.bin", lab_boot_efisys(), err) &&
	       add_bytes(w, "efi/microsoft/boot/efisys_noprompt.bin", lab_boot_efisys(), err) &&
	       add_bytes(w, "efi/boot/bootx64.efi", lab_boot_efi(), err) && add_bytes(w, "bootmgr.efi", lab_boot_efi(), err);
}

static bool add_texts(struct base *b, struct ib_media_writer *w, struct ib_error **err)
{
	const struct lab_system *s = lab_world_system(b->world);
	g_autofree char *info = g_strdup_printf("[BUILDINFO]\r\nBUILDARCH=amd64\r\nBuildBranch=%s\r\nBuildDate=%s\r\n", s->branch,
						s->lab);
	static const struct {
		const char *path, *text;
	} texts[] = {
		{ "autorun.inf", "[AutoRun.Amd64]\r\nopen=setup.exe\r\nicon=setup.exe,0\r\n" },
		{ "boot/bcd", "lab\r\n" },
		{ "boot/boot.sdi", "lab\r\n" },
		{ "efi/microsoft/boot/bcd", "lab\r\n" },
		{ "sources/ei.cfg", "[Channel]\r\nVolume\r\n[VL]\r\n1\r\n" },
				{ "sources/lang.ini", "[Available UI Languages]\r\nen-US = 3\r\n\r\n[Fallback Languages]\r\nen-US = en-us\r\n" },
		{ "support/logging/readme.txt", "A laboratory disc: nothing on it comes from Microsoft.\r\n" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (!add_bytes(w, texts[i].path, g_bytes_new_static(texts[i].text, strlen(texts[i].text)), err))
			return false;
	return add_bytes(w, "sources/idwbinfo.txt", g_bytes_new(info, strlen(info)), err);
}

static bool add_wims(struct base *b, struct ib_media_writer *w, struct ib_error **err)
{
	static const char *const names[] = { "boot.wim", "install.wim" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(b->work, names[i], NULL);
		g_autofree char *on_disc = g_strconcat("sources/", names[i], NULL);
		ib_auto_input in = NULL;

		if (!ib_input_open(path, &in, err) ||
		    !ib_media_writer_add_input(w, on_disc, IB_MEDIA_TIME_OF_VOLUME, in, err))
			return false;
	}
	return true;
}

static bool write_iso(struct base *b, const char *path, struct ib_error **err)
{
	const struct ib_media_options options = { .label = lab_world_system(b->world)->label, .epoch = b->epoch,
						  .bios_path = "boot/etfsboot.com",
						  .efi_path = "efi/microsoft/boot/efisys.bin" };
	ib_auto_media_writer w = NULL;
	ib_auto_fd fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = path };

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create '%s'", path);
	return ib_media_writer_new(&options, &w, err) && add_programs(b, w, err) && add_texts(b, w, err) &&
	       add_wims(b, w, err) && ib_media_writer_start(w, &out, NULL, err) && ib_media_writer_finish(w, NULL, err);
}

/* ---- all of it ---- */

/* Put a finished file from the work folder into the result. */
static bool deliver(const struct base *b, const char *from, const char *dir, const char *name, struct ib_error **err)
{
	g_autofree char *source = g_build_filename(b->work, from, NULL);
	g_autofree char *target = g_build_filename(dir, name, NULL);

	if (rename(source, target) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot move '%s' to '%s'", source, target);
	return true;
}

static bool build(struct base *b, const char *dir, struct ib_error **err)
{
	g_autofree char *iso = g_build_filename(b->work, "lab-base.iso", NULL);

	return ib_dir_make(b->work, err) && lab_world_new(b->arena, b->options, &b->world, err) &&
	       lab_pki_new(b->options->seed, &b->pki, err) && sign_packages(b, err) && build_wims(b, err) &&
	       write_iso(b, iso, err) && lab_pki_write(b->pki, b->work, err) &&
	       deliver(b, "lab-root.pem", dir, "lab-root.pem", err) && deliver(b, "lab-base.iso", dir, "lab-base.iso", err);
}

bool lab_base_write(const struct lab_world_options *options, const char *dir, struct ib_error **err)
{
	g_autofree char *work = g_strdup_printf("%s/.work-%ld", dir, (long)getpid());
	struct base b = { .options = options, .arena = lab_arena_new(), .work = work,
			  .epoch = (options->system ? options->system : &lab_system_client)->released };
	ib_auto_error ignored = NULL;
	bool ok = build(&b, dir, err);

	if (!ib_dir_remove(work, &ignored) && ok)
		ok = ib_throw(err, IB_ERR_SYSTEM, "cannot remove '%s'", work);
	lab_pki_free(b.pki);
	lab_arena_free(b.arena);
	return ok;
}
