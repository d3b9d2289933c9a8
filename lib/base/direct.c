/* base: writing past the page cache. Whatever goes wrong there is tried once more the usual way, which says what it is. */
#include "base/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int ib_output_direct(const struct ib_output *out)
{
	char path[40];

	if (!out->once)
		return -1;
	g_snprintf(path, sizeof path, "/proc/self/fd/%d", out->fd);
	return open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
}

static bool write_pages(int fd, uint64_t at, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = ib_fault_hit() ? -1 : pwrite(fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

bool ib_output_write_direct(const struct ib_output *out, int *direct, uint64_t offset, const void *buf, size_t len,
			    struct ib_error **err)
{
	const uint8_t *p = buf;
	uint64_t at = out->base + offset;
	size_t head = (size_t)(-at % IB_PAGE);
	size_t pages = len > head ? (len - head) / IB_PAGE * IB_PAGE : 0;

	if (*direct < 0 || pages < IB_DIRECT_MIN || (uintptr_t)(p + head) % IB_PAGE != 0)
		return ib_output_write(out, offset, p, len, err);
	if (!write_pages(*direct, at + head, p + head, pages)) {
		ib_fd_close(direct);
		return ib_output_write(out, offset, p, len, err);
	}
	return ib_output_write(out, offset, p, head, err) &&
	       ib_output_write(out, offset + head + pages, p + head + pages, len - head - pages, err);
}
