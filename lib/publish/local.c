#include "publish/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A folder on this machine: the same promises as on a server. */

struct local {
	char *folder;
};

bool local_open(const char *folder, void **ret, struct ib_error **err)
{
	if (!ib_dir_make(folder, err))
		return false;
	struct local *l = g_new0(struct local, 1);
	l->folder = g_strdup(folder);
	*ret = l;
	return true;
}

static void local_free(void *place)
{
	struct local *l = place;

	g_free(l->folder);
	g_free(l);
}

static bool local_space(void *place, uint64_t *ret_bytes)
{
	struct local *l = place;
	struct statvfs vfs;

	if (statvfs(l->folder, &vfs) < 0)
		return false;
	*ret_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return true;
}

static bool copy_to(const char *part, struct ib_input *in, struct ib_progress *progress, struct ib_error **err)
{
	ib_auto_fd fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = part };

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create '%s'", part);
	return ib_output_copy(&out, 0, in, 0, ib_input_size(in), progress, err) && ib_fd_sync(fd, part, err);
}

/* The name is safe only when its folder is. */
static bool sync_folder(const char *dir, struct ib_error **err)
{
	ib_auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot open '%s'", dir);
	return ib_fd_sync(fd, dir, err);
}

static bool local_put(void *place, const char *name, struct ib_input *in, struct ib_progress *progress,
		      struct ib_error **err)
{
	struct local *l = place;
	g_autofree char *path = g_build_filename(l->folder, name, NULL);
	g_autofree char *part = g_strconcat(path, ".part", NULL), *dir = g_path_get_dirname(path);

	if (!ib_dir_make(dir, err))
		return false;
	bool ok = copy_to(part, in, progress, err);
	if (ok && rename(part, path) < 0)
		ok = ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot put '%s' in place", path);
	if (ok)
		return sync_folder(dir, err);
	unlink(part);
	return false;
}

static bool local_stat(void *place, const char *name, uint64_t *ret_size, struct ib_error **err)
{
	struct local *l = place;
	g_autofree char *path = g_build_filename(l->folder, name, NULL);
	ib_auto_input in = NULL;

	if (!ib_input_open(path, &in, err))
		return false;
	*ret_size = ib_input_size(in);
	return true;
}

static bool local_get(void *place, const char *name, struct ib_stream **ret, struct ib_error **err)
{
	struct local *l = place;
	g_autofree char *path = g_build_filename(l->folder, name, NULL);
	ib_auto_input in = NULL;

	if (!ib_input_open(path, &in, err))
		return false;
	*ret = ib_stream_from_input(in);
	return true;
}

static bool local_remove(void *place, const char *name, struct ib_error **err)
{
	struct local *l = place;
	g_autofree char *path = g_build_filename(l->folder, name, NULL);

	if (unlink(path) < 0 && errno != ENOENT)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot remove '%s'", path);
	return true;
}

const struct place_ops local_ops = {
	.space = local_space, .put = local_put, .stat = local_stat, .get = local_get, .remove = local_remove,
	.free = local_free,
};
