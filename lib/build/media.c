#include "build/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

/* Stage media: the ISO with its images written in place. */

/* Room for metadata, papers and file system overhead, bytes. */
#define SLACK (64u << 20)

/* Space of UUIDs for our images: UUIDv5 of "imgbuild:image" in the RFC 4122 name space of URLs. */
static const uint8_t image_space[16] = { 0x0c, 0x1e, 0x4c, 0x5e, 0x8c, 0x3a, 0x5f, 0x2b,
					 0x9d, 0x51, 0x2a, 0x77, 0x6e, 0x10, 0x4b, 0x83 };

/* Boot images of the base by platform: the file that must be there for each word of [media] boot. */
static const struct {
	const char *word;
	uint8_t platform;
} boot_kinds[] = { { "bios", IB_MEDIA_BIOS }, { "uefi", IB_MEDIA_EFI } };

static const char *boot_path(const struct build *b, size_t kind)
{
	if (!ib_ini_has(b->p, "media", "boot", boot_kinds[kind].word))
		return NULL;
	for (size_t i = 0; i < ib_media_boot_count(b->media); i++) {
		const struct ib_media_boot *boot = ib_media_boot(b->media, i);
		if (boot->platform == boot_kinds[kind].platform && boot->entry)
			return boot->entry->path;
	}
	return NULL;
}

static bool check_space(struct build *b, struct ib_error **err)
{
	g_autofree char *dir = g_path_get_dirname(b->final_dir);
	struct statvfs vfs;

	/* The nearest parent that exists decides. */
	while (!g_file_test(dir, G_FILE_TEST_IS_DIR)) {
		char *up = g_path_get_dirname(dir);
		g_free(dir);
		dir = up;
	}
	if (statvfs(dir, &vfs) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot look at '%s'", dir);
	/* New content lies in the spool once more until it is in the ISO. */
	b->plan->need_bytes += ib_input_size(b->base) + 2 * b->payload_bytes + SLACK;
	if (recovery_changed(b)) /* written beside, then into the spool, then into the ISO */
		b->plan->need_bytes += 3 * ib_input_size(b->winre.in);
	b->plan->available_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (b->plan->available_bytes >= b->plan->need_bytes)
		return true;
	ib_throw(err, IB_ERR_SYSTEM, "'%s' has too little space: %" PRIu64 " bytes needed, %" PRIu64 " available", dir,
		 b->plan->need_bytes, b->plan->available_bytes);
	return ib_hint(err, "free space there, or build in another folder with -o");
}

static enum ib_wim_compression wanted_compression(const struct build *b)
{
	const char *word = ib_ini_text(b->p, "media", "compression");

	return strcmp(word, "none") == 0 ? IB_WIM_NONE : strcmp(word, "xpress") == 0 ? IB_WIM_XPRESS : IB_WIM_LZX;
}

/* Another compression than the base's, or content in one solid block: nothing can be copied as it is. */
static void set_compression(const struct build *b, const struct ib_wim *wim, struct ib_wim_write_options *o)
{
	o->set_compression = wanted_compression(b) != ib_wim_info(wim)->compression;
	if (o->set_compression)
		o->compression = wanted_compression(b);
}

static bool cost_of(struct build *b, struct ib_wim *wim, struct ib_error **err)
{
	static const char *const names[] = { "none", "XPRESS", "LZX", "LZMS" };
	struct ib_wim_write_options o = { .size = sizeof o, .time = b->filetime };
	const struct ib_wim_info *info = ib_wim_info(wim);
	struct ib_wim_cost cost;

	set_compression(b, wim, &o);
	if (!o.set_compression && !info->has_solid)
		return true;
	if (!ib_wim_cost(wim, &o, &cost, err))
		return ib_while(err, "planning the compression of '%s'", b->install.path);
	if (cost.recompress_bytes == 0)
		return true;
	plan_add(b, "media", cost.recompress_bytes,
		 "compress %.3f GB of unchanged content anew: the base is %s%s, [media] compression is %s",
		 (double)cost.recompress_bytes / 1e9, names[info->compression], info->has_solid ? ", solid" : "",
		 names[wanted_compression(b)]);
	b->plan->need_bytes += cost.max_total_bytes - MIN(cost.max_total_bytes, info->stored_bytes);
	return true;
}

/* Say what has to be compressed anew, and keep room for what grows by it. */
static bool plan_compression(struct build *b, struct ib_error **err)
{
	struct ib_wim *wim;

	if (!base_open_install(b, NULL, &wim, err))
		return false;
	bool ok = cost_of(b, wim, err);
	ib_wim_free(wim);
	return ok;
}

bool media_plan(struct build *b, struct ib_error **err)
{
	for (size_t k = 0; k < G_N_ELEMENTS(boot_kinds); k++) {
		if (!ib_ini_has(b->p, "media", "boot", boot_kinds[k].word) || boot_path(b, k))
			continue;
		g_autofree char *place = ib_ini_place(b->p, "media", "boot");
		return ib_throw(err, IB_ERR_INPUT, "%s: '%s' is asked for, but the base has no such boot image", place,
				boot_kinds[k].word);
	}
	plan_add(b, "media", ib_input_size(b->base) + b->payload_bytes, "write %s.iso, label %s", b->label, b->label);
	return plan_compression(b, err) && check_space(b, err);
}

/* ---- applying ---- */

static bool is_image_file(const struct build *b, const char *path)
{
	return ib_name_equal(path, b->install.path) || ib_name_equal(path, b->boot.path);
}

static int by_path(const void *a, const void *b)
{
	return ib_name_compare((*(struct media_file *const *)a)->path, (*(struct media_file *const *)b)->path);
}

/* Files that the base does not have, in an order of their own. */
static bool add_new_files(struct build *b, struct ib_media_writer *w, struct ib_error **err)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	GHashTableIter iter;
	gpointer file;

	g_hash_table_iter_init(&iter, b->media_files);
	while (g_hash_table_iter_next(&iter, NULL, &file))
		g_ptr_array_add(files, file);
	g_ptr_array_sort(files, by_path);
	for (guint i = 0; i < files->len; i++) {
		const struct media_file *f = g_ptr_array_index(files, i);
		if (!ib_media_find(b->media, f->path) &&
		    !ib_media_writer_add_bytes(w, f->path, IB_MEDIA_TIME_OF_VOLUME, f->bytes, err))
			return ib_while(err, "adding '%s' of '%s' to the ISO", f->path, f->from);
	}
	return true;
}

static bool add_files(struct build *b, struct ib_media_writer *w, struct ib_error **err)
{
	if (!unattend_add_media(b, w, err))
		return ib_while(err, "adding the answer file to the ISO");
	for (size_t i = 0; i < ib_media_count(b->media); i++) {
		const struct ib_media_entry *e = ib_media_entry(b->media, i);
		g_autofree char *folded = ib_name_fold(e->path);
		const struct media_file *f = g_hash_table_lookup(b->media_files, folded);
		ib_auto_input in = NULL;
		bool ok;
		if (unattend_on_media(b, e->path))
			continue; /* the profile's own is there already */
		if (e->is_dir)
			ok = ib_media_writer_add_dir(w, e->path, err);
		else if (f)
			ok = ib_media_writer_add_bytes(w, e->path, IB_MEDIA_TIME_OF_VOLUME, f->bytes, err);
		else if (is_image_file(b, e->path))
			ok = ib_media_writer_reserve(w, e->path, IB_MEDIA_TIME_OF_VOLUME, e->size, err);
		else
			ok = ib_media_file(b->media, e, &in, err) && ib_media_writer_add_input(w, e->path, e->mtime, in, err);
		if (!ok)
			return ib_while(err, "adding '%s' to the ISO", e->path);
	}
	return add_new_files(b, w, err);
}

static bool write_wim(struct build *b, struct ib_media_writer *w, struct wim_file *f, struct ib_progress *progress,
		      struct ib_error **err)
{
	struct ib_wim_write_options o = { .size = sizeof o, .time = b->filetime, .progress = progress };
	const struct ib_wim_info *info = ib_wim_info(f->wim);
	g_autofree char *name = g_strdup_printf("%s %s %s", ib_ini_text(b->p, "profile", "name"),
						ib_ini_text(b->p, "profile", "version"), f->path);
	struct ib_output out;
	uint64_t size;

	if (f == &b->install)
		set_compression(b, f->wim, &o);
	o.integrity = info->has_integrity;
	ib_uuid5(image_space, name, o.guid);
	if (!ib_media_writer_open(w, f->path, &out, err) || !ib_wim_write(f->wim, &out, &o, &size, err) ||
	    !ib_media_writer_close(w, size, err))
		return ib_while(err, "writing '%s' into the ISO", f->path);
	return true;
}

static bool write_iso(struct build *b, struct ib_media_writer *w, int fd, struct ib_progress *progress,
		      struct ib_error **err)
{
	struct ib_output out = { .fd = fd, .name = b->iso_path };

	if (!add_files(b, w, err) || !ib_media_writer_start(w, &out, progress, err))
		return false;
	if (b->boot.wim && !write_wim(b, w, &b->boot, progress, err))
		return false;
	return write_wim(b, w, &b->install, progress, err) && ib_media_writer_finish(w, &b->iso_bytes, err);
}

bool media_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	struct ib_media_options o = { .label = b->label, .epoch = b->epoch, .bios_path = boot_path(b, 0),
				      .efi_path = boot_path(b, 1) };
	ib_auto_media_writer w = NULL;
	ib_auto_fd fd = open(b->iso_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create '%s'", b->iso_path);
	if (!ib_media_writer_new(&o, &w, err) || !write_iso(b, w, fd, progress, err))
		return ib_while(err, "writing '%s'", b->iso_path);
	return true;
}
