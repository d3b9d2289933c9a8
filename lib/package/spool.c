/* What must be read out of order: an unlinked file that grows. */
#include "package/internal.h"

#include <unistd.h>

/* Where spools go when nobody says where: on disk, not in memory as /tmp often is. */
#define DEFAULT_DIR "/var/tmp"
/* Bytes copied at a time. */
#define COPY_SIZE (1u << 20)

struct spool {
	char *dir;
	int fd;        /* -1: nothing was written yet */
	uint64_t size;
	GMutex lock;   /* of fd and size; bytes once written stay as they are */
};

struct spool *package_spool_new(const char *dir)
{
	struct spool *s = g_new0(struct spool, 1);

	s->dir = g_strdup(dir ? dir : DEFAULT_DIR);
	s->fd = -1;
	g_mutex_init(&s->lock);
	return s;
}

void package_spool_free(struct spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	g_mutex_clear(&s->lock);
	g_free(s->dir);
	g_free(s);
}

/* Room at the end; ret_at: where. */
static bool reserve(struct spool *s, uint64_t len, uint64_t *ret_at, struct ib_error **err)
{
	bool ok = true;

	g_mutex_lock(&s->lock);
	if (s->fd < 0)
		ok = ib_file_temp(s->dir, &s->fd, err);
	if (ok) {
		*ret_at = s->size;
		s->size += len;
	}
	g_mutex_unlock(&s->lock);
	return ok;
}

bool package_spool_add(struct spool *s, GBytes *bytes, struct place *ret, struct ib_error **err)
{
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);
	uint64_t at;

	if (!reserve(s, len, &at, err))
		return false;
	struct ib_output out = { .fd = s->fd, .name = s->dir };
	if (!ib_output_write(&out, at, data, len, err))
		return ib_while(err, "keeping temporary data in '%s'", s->dir);
	*ret = (struct place){ .at = at, .size = len, .there = true };
	return true;
}

bool package_spool_read(struct spool *s, const struct place *place, GBytes **ret, struct ib_error **err)
{
	struct ib_output out = { .fd = s->fd, .name = s->dir };
	void *data = g_try_malloc(place->size + 1);

	if (!data)
		return ib_throw_memory(err);
	if (!ib_output_read(&out, place->at, data, (size_t)place->size, err)) {
		g_free(data);
		return false;
	}
	*ret = g_bytes_new_take(data, (gsize)place->size);
	return true;
}

/* max: bytes there is room for. */
static bool copy_all(struct ib_stream *stream, const struct ib_output *out, uint64_t at, uint64_t max,
		     struct ib_progress *progress, uint64_t *ret_size, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(MIN(max, COPY_SIZE) + 1);
	uint64_t size = 0;
	size_t n;

	for (;;) {
		if (!ib_stream_read(stream, buf, MIN(max, COPY_SIZE) + 1, &n, err))
			return false;
		*ret_size = size;
		if (n == 0)
			return true;
		if (n > max - size)
			return ib_throw(err, IB_ERR_INPUT, "it has more than %" PRIu64 " bytes, which is said to be its size", max);
		if (!ib_output_write(out, at + size, buf, n, err) || !ib_progress_add(progress, n, err))
			return false;
		size += n;
	}
}

bool package_spool_add_stream(struct spool *s, struct ib_stream *stream, uint64_t size, struct ib_progress *progress,
			      struct place *ret, struct ib_error **err)
{
	uint64_t at, got;

	if (!reserve(s, size, &at, err))
		return false;
	struct ib_output out = { .fd = s->fd, .name = s->dir };
	if (!copy_all(stream, &out, at, size, progress, &got, err))
		return ib_while(err, "keeping temporary data in '%s'", s->dir);
	*ret = (struct place){ .at = at, .size = got, .there = true };
	return true;
}

struct spool_stream {
	struct ib_stream base;
	struct spool *s;
	uint64_t at, left;
};

static bool spool_stream_read(struct ib_stream *base, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct spool_stream *ss = (struct spool_stream *)base;
	struct ib_output out = { .fd = ss->s->fd, .name = ss->s->dir };
	size_t n = (size_t)MIN((uint64_t)cap, ss->left);

	if (n > 0 && !ib_output_read(&out, ss->at, buf, n, err))
		return false;
	ss->at += n;
	ss->left -= n;
	*ret_n = n;
	return true;
}

static void spool_stream_free(struct ib_stream *base)
{
	g_free(base);
}

struct ib_stream *package_spool_open(struct spool *s, const struct place *place)
{
	struct spool_stream *ss = g_new0(struct spool_stream, 1);

	ss->base = (struct ib_stream){ .read = spool_stream_read, .free = spool_stream_free };
	ss->s = s;
	ss->at = place->at;
	ss->left = place->size;
	return &ss->base;
}

bool package_spool_stream(const char *dir, struct ib_stream *stream, const char *name, struct ib_progress *progress,
			  struct ib_input **ret, struct ib_error **err)
{
	int fd;

	if (!ib_file_temp(dir ? dir : DEFAULT_DIR, &fd, err))
		return false;
	struct ib_output out = { .fd = fd, .name = name };
	uint64_t size;
	if (!copy_all(stream, &out, 0, UINT64_MAX, progress, &size, err)) {
		close(fd);
		return ib_while(err, "unpacking '%s' into a temporary file", name);
	}
	return ib_input_adopt(fd, name, ret, err);
}
