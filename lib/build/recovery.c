#include "build/internal.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * winre.wim: the recovery environment. It is a WIM in a blob of the installed image, so it is spooled to an unlinked
 * file, opened like any other, serviced, written to a second unlinked file and put back as a new blob.
 */

#define WINRE_PATH "Windows\\System32\\Recovery\\Winre.wim"
/* Microsoft's has 300 to 700 MB. */
#define WINRE_MAX (4096ull << 20)

/* Space of UUIDs for recovery images: UUIDv5 of "imgbuild:winre" in the RFC 4122 name space of URLs. */
static const uint8_t winre_space[16] = { 0x41, 0x9a, 0x0b, 0x65, 0x3e, 0x0d, 0x5b, 0x4e,
					 0x8f, 0x10, 0x2d, 0x4c, 0xc3, 0x5a, 0x91, 0x7b };

bool recovery_open(struct ib_wim *wim, struct ib_image *image, const char *dir, struct ib_input **ret,
		   struct ib_error **err)
{
	struct ib_node *node = ib_image_find(image, WINRE_PATH);
	struct ib_stream *stream = NULL;

	*ret = NULL;
	if (!node || !ib_node_hash(node))
		return true;
	if (ib_node_size(image, node) > WINRE_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, at most %llu are accepted", WINRE_PATH,
				ib_node_size(image, node), WINRE_MAX);
	if (!ib_wim_open_blob(wim, ib_node_hash(node), &stream, err))
		return false;
	bool ok = ib_input_spool(stream, dir, "winre.wim", ret, err);
	ib_stream_free(stream);
	return ok || ib_while(err, "reading '%s'", WINRE_PATH);
}

bool recovery_plan(struct build *b, struct ib_wim *wim, unsigned index, struct ib_error **err)
{
	struct ib_image *image = NULL;
	struct ib_wim *winre = NULL;

	if (!ib_ini_has(b->p, "updates", "targets", "winre"))
		return true;
	if (!ib_wim_image(wim, index, &image, err) || !recovery_open(wim, image, g_get_tmp_dir(), &b->winre.in, err))
		return false;
	if (!b->winre.in) {
		plan_warn(b, "[updates] targets: '%s' holds no '%s', so there is no recovery environment to service",
			  install_target(b)->name, WINRE_PATH);
		return true;
	}
	if (!base_open_wim(b, &b->winre, NULL, &winre, err))
		return ib_while(err, "opening the recovery environment of '%s'", install_target(b)->name);
	unsigned count = ib_wim_info(winre)->image_count;
	for (unsigned i = 1; i <= count; i++)
		add_target(b, TARGET_WINRE, &b->winre, winre, i);
	plan_add(b, "base", 0, "service %u image%s of %s, %s", count, count == 1 ? "" : "s", b->winre.path, WINRE_PATH);
	ib_wim_free(winre);
	return true;
}

bool recovery_changed(const struct build *b)
{
	for (guint i = 0; i < b->targets->len; i++) {
		const struct target *t = g_ptr_array_index(b->targets, i);
		if (t->role == TARGET_WINRE && t->updates->len)
			return true;
	}
	return false;
}

/* The serviced WIM as a file: compressed as it was, its identity from what the build is. */
static bool write_winre(struct build *b, struct ib_progress *progress, struct ib_input **ret, struct ib_error **err)
{
	const struct ib_wim_info *info = ib_wim_info(b->winre.wim);
	struct ib_wim_write_options o = { .size = sizeof o, .time = b->filetime, .integrity = info->has_integrity,
					  .progress = progress };
	g_autofree char *name = g_strdup_printf("%s %s %s", ib_ini_text(b->p, "profile", "name"),
						ib_ini_text(b->p, "profile", "version"), b->winre.path);
	ib_auto_fd fd = -1;
	uint64_t size;

	ib_uuid5(winre_space, name, o.guid);
	if (!ib_file_temp(b->work_dir, &fd, err))
		return false;
	struct ib_output out = { .fd = fd, .name = b->winre.path };
	if (!ib_wim_write(b->winre.wim, &out, &o, &size, err))
		return false;
	if (ftruncate(fd, (off_t)size) < 0)
		return ib_throw(err, IB_ERR_SYSTEM, "cannot cut '%s' to its size", b->winre.path);
	int file = fd;
	fd = -1;
	return ib_input_from_fd(file, b->winre.path, ret, err);
}

static bool put_back(struct build *b, struct ib_input *in, struct ib_error **err)
{
	struct ib_image *image = ib_store_image(install_target(b)->store);
	struct ib_node *node = ib_image_find(image, WINRE_PATH);
	struct ib_stream *stream = ib_stream_from_input(in);
	uint8_t hash[IB_WIM_HASH_SIZE];
	bool ok = ib_wim_add_blob(b->install.wim, stream, hash, NULL, err);

	ib_stream_free(stream);
	if (!ok)
		return false;
	if (!node)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is gone from '%s'", WINRE_PATH, install_target(b)->name);
	return ib_image_set_content(image, node, hash, b->filetime, err);
}

bool recovery_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	ib_auto_input in = NULL;

	if (!recovery_changed(b))
		return true;
	if (!write_winre(b, progress, &in, err) || !put_back(b, in, err))
		return ib_while(err, "putting the serviced winre.wim back");
	return true;
}
