/* wim: a buffered writer that only appends; thousands of small blobs become few large writes. */
#include "wim/internal.h"

#include <string.h>

#define OUT_BUFFER (1u << 20)

void ib_wim_out_init(struct out_buffer *o, const struct ib_output *out)
{
	*o = (struct out_buffer){ .out = *out, .buf = g_malloc(OUT_BUFFER) };
}

void ib_wim_out_fini(struct out_buffer *o)
{
	g_clear_pointer(&o->buf, g_free);
}

bool ib_wim_out_flush(struct out_buffer *o, struct ib_error **err)
{
	size_t n = o->fill;

	o->fill = 0;
	return n == 0 || ib_output_write(&o->out, o->at - n, o->buf, n, err);
}

bool ib_wim_out_put(struct out_buffer *o, const void *data, size_t len, struct ib_error **err)
{
	if (len > OUT_BUFFER - o->fill && !ib_wim_out_flush(o, err))
		return false;
	if (len > OUT_BUFFER) {
		if (!ib_output_write(&o->out, o->at, data, len, err))
			return false;
		o->at += len;
		return true;
	}
	if (len > 0)
		memcpy(o->buf + o->fill, data, len);
	o->fill += len;
	o->at += len;
	return true;
}
