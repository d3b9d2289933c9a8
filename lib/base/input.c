#include "base/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct ib_input {
	gint refs;
	char *name;
	uint64_t size;
	/* exactly one of these three */
	int fd;
	GBytes *bytes;
	struct ib_input *parent;
	/* for a part */
	struct ib_extent *extents;
	uint64_t *starts; /* where each extent begins in this input */
	size_t count;
};

bool ib_input_open(const char *path, struct ib_input **ret, struct ib_error **err)
{
	struct stat st;
	ib_auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ib_throw_errno(err, errno == ENOENT || errno == ENOTDIR ? IB_ERR_INPUT : IB_ERR_SYSTEM,
				      errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a regular file", path);
	struct ib_input *in = g_new0(struct ib_input, 1);
	in->refs = 1;
	in->name = g_strdup(path);
	in->size = (uint64_t)st.st_size;
	in->fd = fd;
	fd = -1;
	*ret = in;
	return true;
}

bool ib_input_from_fd(int file, const char *name, struct ib_input **ret, struct ib_error **err)
{
	struct stat st;
	ib_auto_fd fd = file;

	if (fstat(fd, &st) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot look at '%s'", name);
	struct ib_input *in = g_new0(struct ib_input, 1);
	in->refs = 1;
	in->name = g_strdup(name);
	in->size = (uint64_t)st.st_size;
	in->fd = fd;
	fd = -1;
	*ret = in;
	return true;
}

bool ib_input_adopt(int fd, const char *name, struct ib_input **ret, struct ib_error **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot look at '%s'", name);
		close(fd);
		return false;
	}
	struct ib_input *in = g_new0(struct ib_input, 1);
	in->refs = 1;
	in->name = g_strdup(name);
	in->size = (uint64_t)st.st_size;
	in->fd = fd;
	*ret = in;
	return true;
}

struct ib_input *ib_input_from_bytes(GBytes *bytes, const char *name)
{
	struct ib_input *in = g_new0(struct ib_input, 1);

	in->refs = 1;
	in->fd = -1;
	in->name = g_strdup(name);
	in->size = g_bytes_get_size(bytes);
	in->bytes = g_bytes_ref(bytes);
	return in;
}

GBytes *ib_input_memory(const struct ib_input *in)
{
	return in->bytes;
}

bool ib_input_part(struct ib_input *parent, const struct ib_extent *extents, size_t count,
		   const char *name, struct ib_input **ret, struct ib_error **err)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++) {
		if (extents[i].offset > parent->size || extents[i].length > parent->size - extents[i].offset)
			return ib_throw(err, IB_ERR_INPUT,
					"'%s' ends early: an extent of '%s' reaches byte %" PRIu64 ", the file has %" PRIu64,
					parent->name, name, extents[i].offset + extents[i].length, parent->size);
		size += extents[i].length;
	}
	struct ib_input *in = g_new0(struct ib_input, 1);
	in->refs = 1;
	in->fd = -1;
	in->name = g_strdup(name);
	in->size = size;
	in->parent = ib_input_ref(parent);
	in->extents = g_memdup2(extents, count * sizeof *extents);
	in->starts = g_new(uint64_t, count + 1);
	in->count = count;
	for (size_t i = 0; i < count; i++)
		in->starts[i] = i > 0 ? in->starts[i - 1] + extents[i - 1].length : 0;
	*ret = in;
	return true;
}

struct ib_input *ib_input_ref(struct ib_input *in)
{
	g_atomic_int_inc(&in->refs);
	return in;
}

void ib_input_unref(struct ib_input *in)
{
	if (!in || !g_atomic_int_dec_and_test(&in->refs))
		return;
	if (in->fd >= 0)
		close(in->fd);
	if (in->bytes)
		g_bytes_unref(in->bytes);
	ib_input_unref(in->parent);
	g_free(in->extents);
	g_free(in->starts);
	g_free(in->name);
	g_free(in);
}

void ib_input_clear(struct ib_input **in)
{
	ib_input_unref(*in);
	*in = NULL;
}

uint64_t ib_input_size(const struct ib_input *in)
{
	return in->size;
}

const char *ib_input_name(const struct ib_input *in)
{
	return in->name;
}

/* The last extent that begins at or before an offset: a file inside a cabinet can have 30,000 of them. */
static size_t extent_at(const struct ib_input *in, uint64_t offset)
{
	size_t low = 0, high = in->count;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (in->starts[mid] <= offset)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/*
 * Where bytes of this input lie in the file below: the fd and offset of byte
 * `offset`, and how many of `len` bytes are contiguous from there.
 * Returns the root input; the range was checked by the caller.
 */
static struct ib_input *locate(struct ib_input *in, uint64_t offset, uint64_t len, uint64_t *ret_at, uint64_t *ret_run)
{
	while (in->parent) {
		size_t i = extent_at(in, offset);
		offset -= in->starts[i];
		len = MIN(len, in->extents[i].length - offset);
		offset += in->extents[i].offset;
		in = in->parent;
	}
	*ret_at = offset;
	*ret_run = len;
	return in;
}

static bool root_read(struct ib_input *root, uint64_t at, uint8_t *buf, size_t len, struct ib_error **err)
{
	if (root->bytes) {
		memcpy(buf, (const uint8_t *)g_bytes_get_data(root->bytes, NULL) + at, len);
		return true;
	}
	while (len > 0) {
		ssize_t n = ib_fault_hit() ? -1 : pread(root->fd, buf, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot read '%s' at byte %" PRIu64,
					      root->name, at);
		if (n == 0)
			return ib_throw(err, IB_ERR_INPUT, "'%s' became shorter while it was read", root->name);
		buf += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

bool ib_input_read(struct ib_input *in, uint64_t offset, void *buf, size_t len, struct ib_error **err)
{
	uint8_t *p = buf;

	if (offset > in->size || len > in->size - offset)
		return ib_throw(err, IB_ERR_INPUT, "'%s' ends early: byte %" PRIu64 " is needed, it has %" PRIu64,
				in->name, offset + len, in->size);
	while (len > 0) {
		uint64_t at, run;
		struct ib_input *root = locate(in, offset, len, &at, &run);
		if (!root_read(root, at, p, (size_t)run, err))
			return false;
		p += run;
		offset += run;
		len -= (size_t)run;
	}
	return true;
}

bool ib_input_bytes(struct ib_input *in, uint64_t limit, GBytes **ret, struct ib_error **err)
{
	if (in->size > limit)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, at most %" PRIu64 " are accepted here",
				in->name, in->size, limit);
	void *buf = g_try_malloc(in->size + 1);
	if (!buf)
		return ib_throw_memory(err);
	if (!ib_input_read(in, 0, buf, (size_t)in->size, err)) {
		g_free(buf);
		return false;
	}
	*ret = g_bytes_new_take(buf, (gsize)in->size);
	return true;
}

int ib_input_locate(struct ib_input *in, uint64_t offset, uint64_t len, uint64_t *ret_at, uint64_t *ret_run)
{
	const struct ib_input *root = locate(in, offset, len, ret_at, ret_run);

	return root->fd;
}

/* ---- spooling ---- */

#define SPOOL_BUFFER (1u << 20)

static bool spool_fd(const char *dir, int *ret, struct ib_error **err)
{
	if (dir)
		return ib_file_temp(dir, ret, err);
	*ret = memfd_create("input-spool", MFD_CLOEXEC);
	return *ret >= 0 ? true : ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create a file in memory");
}

bool ib_input_spool(struct ib_stream *stream, const char *dir, const char *name, struct ib_input **ret,
		    struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(SPOOL_BUFFER);
	ib_auto_fd fd = -1;
	uint64_t at = 0;
	size_t n = 1;

	if (!spool_fd(dir, &fd, err))
		return false;
	struct ib_output out = { .fd = fd, .name = name };
	for (; n > 0; at += n)
		if (!ib_stream_read(stream, buf, SPOOL_BUFFER, &n, err) || !ib_output_write(&out, at, buf, n, err))
			return ib_while(err, "spooling '%s'", name);
	int file = fd;
	fd = -1;
	return ib_input_from_fd(file, name, ret, err);
}
