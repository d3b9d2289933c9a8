/* Byte differences: runs of bytes to add to the source's, bytes to insert, and where to go on in the source. */
#include "delta/body_internal.h"

/* Sign and magnitude, little-endian. */
static int64_t magnitude(struct ib_reader *r)
{
	uint64_t v = ib_reader_le64(r);
	int64_t m = (int64_t)(v & INT64_MAX);

	return v >> 63 ? -m : m;
}

static void add(struct ib_delta_span source, int64_t old, const uint8_t *difference, uint8_t *out, uint64_t n)
{
	memcpy(out, difference, (size_t)n);
	uint64_t i = old < 0 ? (uint64_t)-old : 0; /* outside of the source nothing is added */
	for (; i < n && (uint64_t)old + i < source.size; i++)
		out[i] = (uint8_t)(out[i] + source.data[(uint64_t)old + i]);
}

bool ib_delta_bsdiff(struct ib_delta_span source, struct ib_delta_span stream, uint8_t *target, uint64_t size,
		     struct ib_error **err)
{
	const int64_t far = INT64_MAX / 4; /* farther from a file than any honest seek, and sums stay in range */
	struct ib_reader r = ib_reader_over(stream.data, stream.size);
	int64_t old = 0;

	for (uint64_t at = 0; at < size;) {
		int64_t plus = magnitude(&r), insert = magnitude(&r), seek = magnitude(&r);
		if (r.bad || plus < 0 || insert < 0 || (uint64_t)plus > size - at ||
		    (uint64_t)insert > size - at - (uint64_t)plus || seek > far || seek < -far)
			return ib_throw(err, IB_ERR_INPUT,
					"the delta's byte difference is malformed at byte %" PRIu64 " of its target",
					at);
		const uint8_t *difference = ib_reader_take(&r, (size_t)plus);
		const uint8_t *extra = difference ? ib_reader_take(&r, (size_t)insert) : NULL;
		if (!extra)
			return ib_throw(err, IB_ERR_INPUT,
					"the delta's byte difference ends early, at byte %" PRIu64 " of its target",
					at);
		add(source, old, difference, target + at, (uint64_t)plus);
		memcpy(target + at + plus, extra, (size_t)insert);
		at += (uint64_t)plus + (uint64_t)insert;
		old += plus + seek;
		if (old > far || old < -far)
			return ib_throw(err, IB_ERR_INPUT, "the delta's byte difference leaves its source far behind");
	}
	return true;
}
