#include "build/internal.h"

/*
 * Stage setup: Setup and the boot programs on the medium follow the images.
 *
 * Microsoft's order: the files of setup updates go into sources/; then setup.exe, setuphost.exe and the boot managers
 * of the serviced boot.wim replace the medium's, because programs of different months do not work together.
 */

/* A program of Windows; the largest here has 3 MB. */
#define PROGRAM_MAX (256u << 20)

/* What is copied: from the image that the medium boots, to each of these places that the medium has. */
static const struct {
	const char *image, *media[4];
} programs[] = {
	{ "sources\\setup.exe", { "sources/setup.exe" } },
	{ "sources\\setuphost.exe", { "sources/setuphost.exe" } },
	{ "Windows\\Boot\\PCAT\\bootmgr", { "bootmgr" } },
	{ "Windows\\Boot\\EFI\\bootmgr.efi", { "bootmgr.efi" } },
	{ "Windows\\Boot\\EFI\\bootmgfw.efi",
	  { "efi/boot/bootx64.efi", "efi/boot/bootaa64.efi", "efi/boot/bootia32.efi", "efi/microsoft/boot/bootmgfw.efi" } },
};

void media_file_free(void *p)
{
	struct media_file *f = p;

	g_bytes_unref(f->bytes);
	g_free(f->path);
	g_free(f);
}

/* The image the medium boots: boot.wim's own word, else its last. */
static unsigned boot_index(struct ib_wim *wim)
{
	const struct ib_wim_info *info = ib_wim_info(wim);

	return info->boot_index ? info->boot_index : info->image_count;
}

/* ---- setup updates ---- */

static char *media_path(const char *name)
{
	return g_strconcat("sources/", name, NULL);
}

static bool is_boot_or_install(const struct build *b, const char *path)
{
	return ib_name_equal(path, b->install.path) || ib_name_equal(path, b->boot.path);
}

/* What is found by search must look like Setup: it replaces at least one file that the medium has. */
static bool check_fits(struct build *b, const struct ib_setup_update *u, bool named, struct ib_error **err)
{
	bool known = named;

	for (guint i = 0; i < u->files->len; i++) {
		const struct ib_setup_file *f = g_ptr_array_index(u->files, i);
		g_autofree char *path = media_path(f->name);
		if (is_boot_or_install(b, path))
			return ib_throw(err, IB_ERR_INPUT, "'%s' would replace '%s'", u->path, path);
		known |= ib_media_find(b->media, path) != NULL;
	}
	if (known)
		return true;
	ib_throw(err, IB_ERR_INPUT, "'%s' has no 'update.mum', so it is not a package of Component Based Servicing, and none of "
		 "its files is in the medium's sources, so it is no setup update", u->path);
	return ib_hint(err, "name it in [updates] setup if it is one, else take it out of the folder");
}

bool setup_add(struct build *b, const char *path, bool named, struct ib_error **err)
{
	struct ib_setup_update *u = NULL;

	if (!ib_setup_update_open(path, b->anchors, &u, err))
		return false;
	g_ptr_array_add(b->setups, u);
	return check_fits(b, u, named, err);
}

/* Whether Setup of the medium is older than something now. */
static bool is_serviced(const struct build *b)
{
	bool serviced = b->setups->len > 0;

	for (guint i = 0; i < b->targets->len; i++) {
		const struct target *t = g_ptr_array_index(b->targets, i);
		serviced |= t->role == TARGET_BOOT && t->updates->len;
	}
	return serviced && b->boot.in;
}

bool setup_plan(struct build *b, struct ib_error **err)
{
	for (guint i = 0; i < b->setups->len; i++) {
		const struct ib_setup_update *u = g_ptr_array_index(b->setups, i);
		g_autofree char *name = g_path_get_basename(u->path);
		b->payload_bytes += u->bytes;
		plan_add(b, "setup", u->bytes, "put %u files of the setup update '%s' into sources/, signed by '%s'",
			 u->files->len, name, u->signer);
	}
	if (is_serviced(b))
		plan_add(b, "setup", 0, "copy setup.exe, setuphost.exe, bootmgr, bootmgr.efi and bootmgfw.efi of the serviced %s to "
			 "the medium", b->boot.path);
	return true;
}

/* ---- applying ---- */

/* bytes: a reference is taken */
static void put(struct build *b, const char *path, GBytes *bytes, const char *from)
{
	const struct ib_media_entry *e = ib_media_find(b->media, path);
	struct media_file *f = g_new0(struct media_file, 1);

	f->path = g_strdup(e ? e->path : path);
	f->bytes = g_bytes_ref(bytes);
	f->from = from;
	g_hash_table_replace(b->media_files, ib_name_fold(path), f);
}

struct putting {
	struct build *b;
	const char *from;
};

static bool put_setup_file(const struct ib_setup_file *file, GBytes *bytes, void *data, struct ib_error **err)
{
	const struct putting *p = data;
	g_autofree char *path = media_path(file->name);
	const struct ib_media_entry *e = ib_media_find(p->b->media, path);

	if (e && e->is_dir)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a folder on the medium", path);
	put(p->b, path, bytes, p->from);
	return true;
}

static bool copy_program(struct build *b, struct ib_image *image, size_t i, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_image_find(image, programs[i].image))
		return true;
	for (size_t k = 0; k < G_N_ELEMENTS(programs[i].media) && programs[i].media[k]; k++) {
		const struct ib_media_entry *e = ib_media_find(b->media, programs[i].media[k]);
		if (!e || e->is_dir)
			continue;
		if (!bytes && !ib_image_read(image, programs[i].image, PROGRAM_MAX, &bytes, err))
			return false;
		put(b, programs[i].media[k], bytes, b->boot.path);
	}
	return true;
}

bool setup_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	struct ib_image *image = NULL;

	for (guint i = 0; i < b->setups->len; i++) {
		const struct ib_setup_update *u = g_ptr_array_index(b->setups, i);
		struct putting p = { b, u->path };
		if (!ib_setup_update_each(u, put_setup_file, &p, err) || !ib_progress_add(progress, u->bytes, err))
			return false;
	}
	if (!is_serviced(b))
		return true;
	if (!ib_wim_image(b->boot.wim, boot_index(b->boot.wim), &image, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(programs); i++)
		if (!copy_program(b, image, i, err))
			return ib_while(err, "copying '%s' of %s to the medium", programs[i].image, b->boot.path);
	return true;
}

/* ---- comparing ---- */

/* The file version of a program: the fixed part of its version resource, found by its own words. */
static bool program_version(GBytes *bytes, struct ib_version *ret)
{
	static const char words[] = "V\0S\0_\0V\0E\0R\0S\0I\0O\0N\0_\0I\0N\0F\0O\0";
	gsize len;
	const uint8_t *p = g_bytes_get_data(bytes, &len), *end = p + len;

	while ((p = memmem(p, (size_t)(end - p), words, sizeof(words) - 1))) {
		p += sizeof(words) - 1;
		for (size_t at = 0; at <= 8 && (size_t)(end - p) >= at + 16; at++) {
			if (ib_le32(p + at) != 0xFEEF04BDu)
				continue;
			*ret = (struct ib_version){ { ib_le16(p + at + 10), ib_le16(p + at + 8), ib_le16(p + at + 14),
						      ib_le16(p + at + 12) } };
			return true;
		}
	}
	return false;
}

static bool is_older(GBytes *media, GBytes *image, int64_t media_time, uint64_t image_time)
{
	struct ib_version m, i;

	if (program_version(media, &m) && program_version(image, &i))
		return ib_version_compare(&m, &i) < 0;
	return !g_bytes_equal(media, image) && ib_filetime(media_time) < image_time;
}

static bool compare_program(struct ib_media *media, struct ib_image *image, size_t i, GPtrArray *findings, unsigned *compared,
			    struct ib_error **err)
{
	struct ib_node *node = ib_image_find(image, programs[i].image);
	g_autoptr(GBytes) have = NULL;

	if (!node || !ib_node_hash(node))
		return true;
	if (!ib_image_read(image, programs[i].image, PROGRAM_MAX, &have, err))
		return false;
	for (size_t k = 0; k < G_N_ELEMENTS(programs[i].media) && programs[i].media[k]; k++) {
		const struct ib_media_entry *e = ib_media_find(media, programs[i].media[k]);
		g_autoptr(GBytes) bytes = NULL;
		ib_auto_input in = NULL;
		if (!e || e->is_dir)
			continue;
		if (!ib_media_file(media, e, &in, err) || !ib_input_bytes(in, PROGRAM_MAX, &bytes, err))
			return false;
		(*compared)++;
		if (is_older(bytes, have, e->mtime, ib_node_write_time(node)))
			g_ptr_array_add(findings, g_strdup_printf("'%s' of the medium is older than '%s' of boot.wim", e->path,
								  programs[i].image));
	}
	return true;
}

bool setup_compare(struct ib_media *media, struct ib_wim *boot, GPtrArray *findings, unsigned *ret_compared,
		   struct ib_error **err)
{
	struct ib_image *image = NULL;

	*ret_compared = 0;
	if (!ib_wim_info(boot)->image_count)
		return true;
	if (!ib_wim_image(boot, boot_index(boot), &image, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(programs); i++)
		if (!compare_program(media, image, i, findings, ret_compared, err))
			return ib_while(err, "comparing the medium's programs with boot.wim's");
	return true;
}
