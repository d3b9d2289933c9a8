/* wim: a buffered writer that only appends; thousands of small blobs become few large writes of whole pages. */
#include "wim/internal.h"

#include <string.h>

/* Whole pages. */
#define OUT_BUFFER (1u << 20)

size_t ib_wim_out_room(const struct out_buffer *o)
{
	return OUT_BUFFER - o->lead - o->fill;
}

void ib_wim_out_drop(struct out_buffer *o, size_t n)
{
	o->fill -= n;
	memmove(o->buf + o->lead, o->buf + o->lead + n, o->fill);
}

void ib_wim_out_init(struct out_buffer *o, const struct ib_output *out)
{
	*o = (struct out_buffer){ .out = *out, .direct = ib_output_direct(out) };
	o->buf = g_aligned_alloc(1, OUT_BUFFER, IB_PAGE);
}

void ib_wim_out_fini(struct out_buffer *o)
{
	g_clear_pointer(&o->buf, g_aligned_free);
	ib_fd_close(&o->direct);
}

bool ib_wim_out_flush(struct out_buffer *o, struct ib_error **err)
{
	size_t n = o->fill;

	o->fill = 0;
	return n == 0 || ib_output_write_direct(&o->out, &o->direct, o->at - n, o->buf + o->lead, n, err);
}

bool ib_wim_out_put(struct out_buffer *o, const void *data, size_t len, struct ib_error **err)
{
	const uint8_t *p = data;

	for (size_t n; len > 0; p += n, len -= n) {
		if (o->fill == 0)
			o->lead = (size_t)((o->out.base + o->at) % IB_PAGE);
		n = MIN(len, ib_wim_out_room(o));
		memcpy(o->buf + o->lead + o->fill, p, n);
		o->fill += n;
		o->at += n;
		if (ib_wim_out_room(o) == 0 && !ib_wim_out_flush(o, err))
			return false;
	}
	return true;
}
