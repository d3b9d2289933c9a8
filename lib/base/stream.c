#include "base/internal.h"

#include <string.h>

bool ib_stream_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	return s->read(s, buf, cap, ret_n, err);
}

void ib_stream_free(struct ib_stream *s)
{
	if (s && s->free)
		s->free(s);
}

struct input_stream {
	struct ib_stream base;
	struct ib_input *in;
	uint64_t at;
};

static bool input_stream_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct input_stream *is = (struct input_stream *)s;
	size_t n = (size_t)MIN((uint64_t)cap, ib_input_size(is->in) - is->at);

	if (!ib_input_read(is->in, is->at, buf, n, err))
		return false;
	is->at += n;
	*ret_n = n;
	return true;
}

static void input_stream_free(struct ib_stream *s)
{
	struct input_stream *is = (struct input_stream *)s;

	ib_input_unref(is->in);
	g_free(is);
}

struct ib_stream *ib_stream_from_input(struct ib_input *in)
{
	struct input_stream *is = g_new0(struct input_stream, 1);

	is->base = (struct ib_stream){ .read = input_stream_read, .free = input_stream_free };
	is->in = ib_input_ref(in);
	return &is->base;
}

struct ib_stream *ib_stream_from_bytes(GBytes *bytes)
{
	struct ib_input *in = ib_input_from_bytes(bytes, "memory");
	struct ib_stream *s = ib_stream_from_input(in);

	ib_input_unref(in);
	return s;
}

GBytes *ib_stream_rest(struct ib_stream *s)
{
	struct input_stream *is = (struct input_stream *)s;
	GBytes *bytes = s->read == input_stream_read ? ib_input_memory(is->in) : NULL;

	if (!bytes)
		return NULL;
	size_t at = (size_t)is->at, size = g_bytes_get_size(bytes);
	is->at = size;
	return g_bytes_new_from_bytes(bytes, at, size - at);
}

bool ib_stream_bytes(struct ib_stream *s, uint64_t limit, const char *name, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GByteArray) all = g_byte_array_new();
	uint8_t buf[16384];
	size_t n;

	do {
		if (!ib_stream_read(s, buf, sizeof buf, &n, err))
			return false;
		if (all->len + n > limit)
			return ib_throw(err, IB_ERR_INPUT, "'%s' has more than %" PRIu64 " bytes, the most accepted here",
					name, limit);
		g_byte_array_append(all, buf, (guint)n);
	} while (n > 0);
	*ret = g_byte_array_free_to_bytes(g_steal_pointer(&all));
	return true;
}

/* As much as there is, up to cap. */
static bool read_full(struct ib_stream *s, uint8_t *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	size_t n = 1;

	for (*ret_n = 0; *ret_n < cap && n > 0; *ret_n += n)
		if (!ib_stream_read(s, buf + *ret_n, cap - *ret_n, &n, err))
			return false;
	return true;
}

bool ib_stream_exact(struct ib_stream *s, uint64_t size, const char *name, GBytes **ret, struct ib_error **err)
{
	g_autofree uint8_t *data = size < SIZE_MAX ? g_try_malloc((size_t)size + 1) : NULL;
	size_t n;

	if (!data)
		return ib_throw_memory(err);
	if (!read_full(s, data, (size_t)size + 1, &n, err))
		return false;
	if (n != size)
		return ib_throw(err, IB_ERR_INPUT, n > size ? "'%s' has more than its %" PRIu64 " bytes"
							    : "'%s' ends before its %" PRIu64 " bytes", name, size);
	*ret = g_bytes_new_take(g_steal_pointer(&data), n);
	return true;
}
