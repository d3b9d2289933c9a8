#include "base/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct {
	gint armed; /* fail when the count reaches this; 0 = never */
	gint count;
	int errnum;
} fault;

void ib_fault_arm(unsigned n, int errnum)
{
	fault.errnum = errnum;
	g_atomic_int_set(&fault.count, 0);
	g_atomic_int_set(&fault.armed, (gint)n);
}

unsigned ib_fault_count(void)
{
	return (unsigned)g_atomic_int_get(&fault.count);
}

bool ib_fault_hit(void)
{
	gint n = g_atomic_int_add(&fault.count, 1) + 1;

	if (n != g_atomic_int_get(&fault.armed))
		return false;
	errno = fault.errnum;
	return true;
}

void ib_fd_close(int *fd)
{
	int keep = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = keep;
}

/* A failed write: say how much room there is when there was too little. */
static bool throw_write(struct ib_error **err, int errnum, int fd, uint64_t wanted, const char *name)
{
	struct statvfs vfs;

	if ((errnum == ENOSPC || errnum == EDQUOT) && fstatvfs(fd, &vfs) == 0) {
		ib_throw_errno(err, IB_ERR_SYSTEM, errnum, "cannot write '%s': %" PRIu64 " bytes needed, %" PRIu64 " available",
			       name, wanted, (uint64_t)vfs.f_bavail * vfs.f_frsize);
		return ib_hint(err, "free space on that file system, or build in another folder with -o");
	}
	return ib_throw_errno(err, IB_ERR_SYSTEM, errnum, "cannot write '%s'", name);
}

bool ib_output_write(const struct ib_output *out, uint64_t offset, const void *buf, size_t len, struct ib_error **err)
{
	const uint8_t *p = buf;
	uint64_t at = out->base + offset;

	while (len > 0) {
		ssize_t n = ib_fault_hit() ? -1 : pwrite(out->fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return throw_write(err, errno, out->fd, len, out->name);
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

bool ib_output_read(const struct ib_output *out, uint64_t offset, void *buf, size_t len, struct ib_error **err)
{
	uint8_t *p = buf;
	uint64_t at = out->base + offset;

	while (len > 0) {
		ssize_t n = ib_fault_hit() ? -1 : pread(out->fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ib_throw_errno(err, IB_ERR_SYSTEM, n < 0 ? errno : EIO, "cannot read back '%s'", out->name);
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

bool ib_fd_sync(int fd, const char *name, struct ib_error **err)
{
	if (ib_fault_hit() || fsync(fd) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot sync '%s'", name);
	return true;
}

bool ib_file_read(const char *path, uint64_t limit, GBytes **ret, struct ib_error **err)
{
	ib_auto_input in = NULL;

	return ib_input_open(path, &in, err) && ib_input_bytes(in, limit, ret, err);
}

static bool sync_parent(const char *path, struct ib_error **err)
{
	g_autofree char *dir = g_path_get_dirname(path);
	ib_auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot open folder '%s'", dir);
	return ib_fd_sync(fd, dir, err);
}

static bool fill_temp(const char *temp, ib_file_fill_fn fill, void *data, struct ib_error **err)
{
	ib_auto_fd fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = temp };

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create '%s'", temp);
	return fill(&out, data, err) && ib_fd_sync(fd, temp, err);
}

/* The file that will be replaced or made. *ret: g_free */
static bool find_target(const char *path, char **ret, struct ib_error **err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		*ret = g_strdup(path);
		return true; /* what keeps it from being made shows then */
	}
	if (!S_ISREG(st.st_mode)) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is there, and is no file but a %s", path,
			 S_ISDIR(st.st_mode) ? "folder" : S_ISFIFO(st.st_mode) ? "pipe" : "device or socket");
		return ib_hint(err, "name a file: it is written under another name first, and takes its place when it is whole");
	}
	char *real = realpath(path, NULL);
	*ret = g_strdup(real ? real : path);
	free(real);
	return true;
}

bool ib_file_make(const char *given, ib_file_fill_fn fill, void *data, struct ib_error **err)
{
	g_autofree char *path = NULL;

	if (!find_target(given, &path, err))
		return false;
	g_autofree char *temp = g_strdup_printf("%s.%d.part", path, (int)getpid());
	unlink(temp);
	if (!fill_temp(temp, fill, data, err)) {
		unlink(temp);
		return false;
	}
	if (ib_fault_hit() || rename(temp, path) < 0) {
		ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot put '%s' in place", path);
		unlink(temp);
		return false;
	}
	return sync_parent(path, err);
}

static bool fill_bytes(const struct ib_output *out, void *data, struct ib_error **err)
{
	GBytes *bytes = data;

	return ib_output_write(out, 0, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), err);
}

bool ib_file_write(const char *path, const void *data, size_t len, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = g_bytes_new_static(data, len);

	return ib_file_make(path, fill_bytes, bytes, err);
}

bool ib_file_temp(const char *dir, int *ret_fd, struct ib_error **err)
{
	int fd = ib_fault_hit() ? -1 : open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		g_autofree char *name = g_build_filename(dir, ".imgbuild-XXXXXX", NULL);
		fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0)
			unlink(name);
	}
	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create a temporary file in '%s'", dir);
	*ret_fd = fd;
	return true;
}

bool ib_dir_make(const char *path, struct ib_error **err)
{
	if (ib_fault_hit() || g_mkdir_with_parents(path, 0755) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create folder '%s'", path);
	return true;
}

/* Remove what lies in the open folder fd; takes fd. */
static bool remove_below(int fd, const char *path, unsigned depth, struct ib_error **err)
{
	DIR *d = depth > 64 ? NULL : fdopendir(fd);
	struct dirent *e;
	bool ok = true;

	if (!d) {
		close(fd);
		return ib_throw(err, IB_ERR_SYSTEM, "cannot list folder '%s'", path);
	}
	while (ok && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		g_autofree char *sub = g_build_filename(path, e->d_name, NULL);
		int child = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			ok = ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot remove '%s'", sub);
		else if (!remove_below(child, sub, depth + 1, err))
			ok = false;
		else if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) < 0)
			ok = ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot remove folder '%s'", sub);
	}
	closedir(d);
	return ok;
}

bool ib_dir_remove(const char *path, struct ib_error **err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot open folder '%s'", path);
	if (!remove_below(fd, path, 0, err))
		return false;
	if (rmdir(path) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot remove folder '%s'", path);
	return true;
}

bool ib_dir_sync(const char *path, struct ib_error **err)
{
	g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
	const char *name;

	if (!d)
		return ib_throw(err, IB_ERR_SYSTEM, "cannot list folder '%s'", path);
	while ((name = g_dir_read_name(d))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);
		if (g_file_test(sub, G_FILE_TEST_IS_SYMLINK))
			continue;
		if (g_file_test(sub, G_FILE_TEST_IS_DIR)) {
			if (!ib_dir_sync(sub, err))
				return false;
			continue;
		}
		ib_auto_fd fd = open(sub, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot open '%s'", sub);
		if (!ib_fd_sync(fd, sub, err))
			return false;
	}
	ib_auto_fd self = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot open folder '%s'", path);
	return ib_fd_sync(self, path, err);
}

bool ib_dir_publish(const char *work, const char *final, struct ib_error **err)
{
	bool exchanged = false;

	if (ib_fault_hit())
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot put '%s' in place", final);
	if (renameat2(AT_FDCWD, work, AT_FDCWD, final, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot put '%s' in place", final);
		if (renameat2(AT_FDCWD, work, AT_FDCWD, final, RENAME_EXCHANGE) < 0)
			return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot exchange '%s' with the new one", final);
		exchanged = true;
	}
	if (!sync_parent(final, err))
		return false;
	return exchanged ? ib_dir_remove(work, err) : true;
}
