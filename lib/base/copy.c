/*
 * base: a range of an input to an output, the quickest way that the two files allow, piece by piece:
 *   direct    whole pages in both, many of them, and nobody will read the output soon: the source's pages go through a
 *             pipe to the disk, and no processor copies anything
 *   kernel    copy_file_range(); file systems that share blocks share them
 *   buffer    through a buffer. A way that fails leads here: this one says what is wrong.
 */
#include "base/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COPY_BUFFER (1u << 20)
/* At a time; between two of them somebody may want to stop. What a pipe may hold without privileges. */
#define COPY_DIRECT_MAX (1u << 20)
#define COPY_KERNEL_MAX (64u << 20)
/* Below this a buffer is as fast, unless whole pages can be copied. */
#define COPY_KERNEL_MIN (1u << 20)

struct copy {
	const struct ib_output *out;
	struct ib_input *in;
	int direct;     /* the output once more, past the page cache; -1: not that way */
	int pipe[2];    /* pages on their way there */
	bool no_clone;  /* the file system shares no blocks: the first piece was asked for */
	bool no_kernel; /* other file system, or full disk */
	uint8_t *buf;
};

enum way { WAY_BUFFER, WAY_KERNEL, WAY_DIRECT };

static bool copy_buffered(struct copy *c, uint64_t to, uint64_t from, size_t len, struct ib_error **err)
{
	if (!c->buf)
		c->buf = g_malloc(COPY_BUFFER);
	return ib_input_read(c->in, from, c->buf, len, err) && ib_output_write(c->out, to, c->buf, len, err);
}

/*
 * How much to do next, and how. Where byte 0 of a page is byte 0 of a page in both files, whole pages go by themselves:
 * that takes a third of the time even of the kernel's way.
 */
static uint64_t next_piece(const struct copy *c, uint64_t from, uint64_t to, uint64_t run, enum way *ret_way)
{
	uint64_t head = (IB_PAGE - from % IB_PAGE) % IB_PAGE;
	uint64_t pages = run > head ? (run - head) / IB_PAGE * IB_PAGE : 0;

	*ret_way = WAY_BUFFER;
	if ((from ^ to) % IB_PAGE != 0 || pages == 0) {
		if (run < COPY_KERNEL_MIN || c->no_kernel)
			return MIN(run, COPY_BUFFER);
		*ret_way = WAY_KERNEL;
		return MIN(run, COPY_KERNEL_MAX);
	}
	if (head > 0)
		return head;
	if (c->direct >= 0 && pages >= IB_DIRECT_MIN) {
		*ret_way = WAY_DIRECT;
		return MIN(pages, COPY_DIRECT_MAX);
	}
	*ret_way = c->no_kernel ? WAY_BUFFER : WAY_KERNEL;
	return MIN(pages, c->no_kernel ? COPY_BUFFER : COPY_KERNEL_MAX);
}

/* One kernel copy, at most *n bytes. @return whether something was copied; *n: how much */
static bool copy_in_kernel(int in, uint64_t at, int fd, uint64_t to, uint64_t *n)
{
	loff_t from = (loff_t)at, into = (loff_t)to;

	if (ib_fault_hit())
		return false;
	ssize_t got = copy_file_range(in, &from, fd, &into, (size_t)*n, 0);
	if (got <= 0)
		return false;
	*n = (uint64_t)got;
	return true;
}

/* As above. What a failure leaves in the pipe is never looked at: this way is over then. */
static bool copy_directly(struct copy *c, int in, uint64_t at, uint64_t to, uint64_t *n)
{
	loff_t from = (loff_t)at, into = (loff_t)to;

	if (ib_fault_hit())
		return false;
	ssize_t got = splice(in, &from, c->pipe[1], NULL, (size_t)*n, SPLICE_F_MOVE);
	if (got <= 0)
		return false;
	for (ssize_t left = got, k; left > 0; left -= k) {
		k = splice(c->pipe[0], NULL, c->direct, &into, (size_t)left, SPLICE_F_MOVE);
		if (k <= 0)
			return false; /* what was written already is written once more */
	}
	*n = (uint64_t)got;
	return true;
}

/* Sharing blocks beats copying them, by whom ever. */
static bool clone_pages(const struct copy *c, int in, uint64_t at, uint64_t to, uint64_t n)
{
	struct file_clone_range range = { .src_fd = in, .src_offset = at, .src_length = n, .dest_offset = to };

	return ioctl(c->out->fd, FICLONERANGE, &range) == 0;
}

static void close_direct(struct copy *c)
{
	ib_fd_close(&c->direct);
	ib_fd_close(&c->pipe[0]);
	ib_fd_close(&c->pipe[1]);
}

/* Copy a piece of at most `run` bytes that lie together. *n: how much it was */
static bool copy_piece(struct copy *c, uint64_t offset, uint64_t in_offset, uint64_t len, uint64_t *n, struct ib_error **err)
{
	uint64_t at, run, to = c->out->base + offset;
	int in = ib_input_locate(c->in, in_offset, len, &at, &run);
	enum way way;

	*n = next_piece(c, at, to, run, &way);
	if (in >= 0 && way == WAY_DIRECT && !c->no_clone) {
		if (clone_pages(c, in, at, to, *n)) {
			close_direct(c); /* the kernel's way shares what follows, too */
			return true;
		}
		c->no_clone = true;
	}
	if (in >= 0 && way == WAY_DIRECT) {
		if (copy_directly(c, in, at, to, n))
			return true;
		close_direct(c);
		*n = next_piece(c, at, to, run, &way);
	}
	if (in >= 0 && way == WAY_KERNEL) {
		if (copy_in_kernel(in, at, c->out->fd, to, n))
			return true;
		c->no_kernel = true;
	}
	*n = MIN(*n, COPY_BUFFER);
	return copy_buffered(c, offset, in_offset, (size_t)*n, err);
}

/* The same file, written past the page cache, and a pipe to it, where that is to be had. */
static void open_direct(struct copy *c, uint64_t len)
{
	if (len < IB_DIRECT_MIN)
		return;
	c->direct = ib_output_direct(c->out);
	if (c->direct < 0 || pipe2(c->pipe, O_CLOEXEC) < 0 ||
	    fcntl(c->pipe[0], F_SETPIPE_SZ, (int)MIN(len, COPY_DIRECT_MAX)) < 0)
		close_direct(c);
}

bool ib_output_copy(const struct ib_output *out, uint64_t offset, struct ib_input *in, uint64_t in_offset,
		    uint64_t len, struct ib_progress *progress, struct ib_error **err)
{
	struct copy c = { .out = out, .in = in, .direct = -1, .pipe = { -1, -1 } };
	bool ok = true;

	if (in_offset > ib_input_size(in) || len > ib_input_size(in) - in_offset)
		return ib_throw(err, IB_ERR_INPUT, "'%s' ends early: byte %" PRIu64 " is needed, it has %" PRIu64,
				ib_input_name(in), in_offset + len, ib_input_size(in));
	open_direct(&c, len);
	for (uint64_t done = 0, n; ok && done < len; done += n)
		ok = copy_piece(&c, offset + done, in_offset + done, len - done, &n, err) && ib_progress_add(progress, n, err);
	close_direct(&c);
	g_free(c.buf);
	return ok;
}
