/* wim: looking into an image as a folder, by libwim's FUSE file system. */
#include "wim/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wimlib.h>

#define FUSE_DEVICE "/dev/fuse"

static bool throw_wimlib(int rc, const char *doing, const char *dir, struct ib_error **err)
{
	bool absent = rc == WIMLIB_ERR_UNSUPPORTED;

	ib_throw(err, IB_ERR_SYSTEM, "%s '%s': %s (wimlib %d)", doing, dir, wimlib_get_error_string((enum wimlib_error_code)rc), rc);
	return absent ? ib_hint(err, "this libwim was built without FUSE") : false;
}

static bool check_fuse(struct ib_error **err)
{
	if (access(FUSE_DEVICE, R_OK | W_OK) == 0)
		return true;
	ib_throw_errno(err, IB_ERR_SYSTEM, errno, "images cannot be mounted here: FUSE needs '%s'", FUSE_DEVICE);
	return ib_hint(err, "load the kernel module 'fuse' or let the container see the device; wimapply extracts instead");
}

static bool check_image(const char *path, unsigned index, struct ib_error **err)
{
	ib_auto_input in = NULL;
	struct ib_wim *wim = NULL;
	struct ib_image *image;
	char id[5] = { 0 };

	if (!ib_input_open(path, &in, err))
		return false;
	if (ib_input_size(in) > 32774 && !ib_input_read(in, 32769, id, sizeof id, err))
		return false;
	if (memcmp(id, "CD001", 5) == 0 || memcmp(id, "BEA01", 5) == 0) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is a disc: only a WIM file can be mounted", path);
		return ib_hint(err, "take the WIM out of it first: 7zz x -tUdf '%s' sources/install.wim", path);
	}
	if (!ib_wim_open(in, NULL, &wim, err))
		return false;
	bool ok = ib_wim_image(wim, index, &image, err);
	ib_wim_free(wim);
	return ok;
}

static bool check_dir(const char *dir, struct ib_error **err)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return ib_throw_errno(err, IB_ERR_INPUT, errno, "cannot mount on '%s'", dir);
	return S_ISDIR(st.st_mode) ? true : ib_throw(err, IB_ERR_INPUT, "'%s' is no folder to mount on", dir);
}

/* In a process of its own: libfuse ends the one that called it when the file system is up. @return never */
static void serve(const char *path, unsigned index, const char *dir)
{
	WIMStruct *wim;
	int rc = wimlib_open_wim(path, 0, &wim);

	if (rc == 0)
		rc = wimlib_mount_image(wim, (int)index, dir, 0, NULL);
	_exit(rc < 256 ? rc : 255);
}

bool ib_wim_mount(const char *path, unsigned index, const char *dir, struct ib_error **err)
{
	int status;

	if (!check_image(path, index, err) || !check_dir(dir, err) || !check_fuse(err))
		return false;
	pid_t pid = fork();
	if (pid < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot start a process");
	if (pid == 0)
		serve(path, index, dir);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot wait for the file system to start");
	if (!WIFEXITED(status))
		return ib_throw(err, IB_ERR_SYSTEM, "the file system for '%s' ended by signal %d", dir, WTERMSIG(status));
	return WEXITSTATUS(status) == 0 ? true : throw_wimlib(WEXITSTATUS(status), "cannot mount on", dir, err);
}

bool ib_wim_unmount(const char *dir, struct ib_error **err)
{
	if (!check_dir(dir, err) || !check_fuse(err))
		return false;
	int rc = wimlib_unmount_image(dir, 0);
	return rc == 0 ? true : throw_wimlib(rc, "cannot unmount", dir, err);
}
