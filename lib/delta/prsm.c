/* Reverse records, which a client makes while it installs: from the new file back to the old one, in sections. */
#include "delta/body_internal.h"

#define MAGIC 0x4D535250u /* "PRSM" */

enum section {
	SECTION_COPY = 0,   /* stretches of the new file */
	SECTION_INSERT = 1, /* bytes of its own */
	SECTION_BYTES = 2,  /* single bytes */
};

struct reverse {
	struct ib_delta_span source;
	uint8_t *target;
	uint64_t size;
};

static bool throw_bad(struct ib_error **err, unsigned type)
{
	return ib_throw(err, IB_ERR_INPUT, "the reverse delta has a malformed section of type %u", type);
}

static bool inside(int64_t at, int64_t n, uint64_t size)
{
	return at >= 0 && n >= 0 && (uint64_t)at <= size && (uint64_t)n <= size - (uint64_t)at;
}

static bool copy(struct reverse *r, struct ib_delta_bits *b, const struct ib_delta_rift *table, struct ib_error **err)
{
	struct ib_delta_code flat;

	ib_delta_format_flat(&flat);
	for (size_t i = 0; i < table->n; i++) {
		int64_t n = ib_delta_number(&flat, b), to = table->e[i].from, from = table->e[i].to;
		if (b->bad || !inside(to, n, r->size) || !inside(from, n, r->source.size))
			return throw_bad(err, SECTION_COPY);
		memcpy(r->target + to, r->source.data + from, (size_t)n);
	}
	return true;
}

static bool insert_from(struct reverse *r, struct ib_delta_span bytes, const struct ib_delta_rift *table,
			struct ib_error **err)
{
	size_t at = 0;

	for (size_t i = 0; i < table->n; i++) {
		int64_t to = table->e[i].from, n = table->e[i].to;
		if (!inside(to, n, r->size) || !inside((int64_t)at, n, bytes.size))
			return throw_bad(err, SECTION_INSERT);
		memcpy(r->target + to, bytes.data + at, (size_t)n);
		at += (size_t)n;
	}
	return true;
}

static bool insert(struct reverse *r, struct ib_delta_bits *b, bool compressed, const struct ib_delta_rift *table,
		   struct ib_error **err)
{
	struct ib_delta_span bytes = ib_delta_buffer(b);
	g_autofree uint8_t *plain = NULL;
	uint64_t size;

	if (b->bad)
		return throw_bad(err, SECTION_INSERT);
	if (compressed) {
		if (!ib_delta_container_decode(bytes, r->size, &plain, &size, err))
			return false;
		bytes = (struct ib_delta_span){ .data = plain, .size = (size_t)size };
	}
	return insert_from(r, bytes, table, err);
}

static bool put_bytes(struct reverse *r, const struct ib_delta_rift *table, struct ib_error **err)
{
	for (size_t i = table->n; i-- > 0;) {
		if (!inside(table->e[i].from, 1, r->size))
			return throw_bad(err, SECTION_BYTES);
		r->target[table->e[i].from] = (uint8_t)table->e[i].to;
	}
	return true;
}

static bool section(struct reverse *r, struct ib_delta_span bytes, struct ib_error **err)
{
	/* single bytes may be many, so this is more generous than a program's rift */
	ib_auto_rift table = { .max = (size_t)((r->source.size + r->size) / 16 + 65536) };
	struct ib_delta_bits b;

	ib_delta_bits_init(&b, bytes.data, bytes.size);
	uint32_t type = (uint32_t)ib_delta_bits(&b, 32);
	(void)ib_delta_bits(&b, 32);
	bool compressed = type == SECTION_INSERT && ib_delta_bits(&b, 32) != 0;
	if (b.bad || type > SECTION_BYTES)
		return throw_bad(err, type);
	if (!ib_delta_rift_read_unsorted(&b, &table, err))
		return false;
	if (type == SECTION_COPY)
		return copy(r, &b, &table, err);
	return type == SECTION_INSERT ? insert(r, &b, compressed, &table, err) : put_bytes(r, &table, err);
}

bool ib_delta_reverse(struct ib_delta_span source, struct ib_delta_span body, uint8_t *target, uint64_t size,
		      struct ib_error **err)
{
	struct reverse r = { .source = source, .target = target, .size = size };
	struct ib_delta_bits b;

	ib_delta_bits_init(&b, body.data, body.size);
	uint32_t magic = (uint32_t)ib_delta_bits(&b, 32);
	uint32_t count = (uint32_t)ib_delta_bits(&b, 32);
	if (b.bad || magic != MAGIC)
		return ib_throw(err, IB_ERR_INPUT, "the reverse delta does not begin with PRSM");
	for (uint32_t i = 0; i < count; i++) {
		struct ib_delta_span bytes = ib_delta_buffer(&b);
		if (b.bad || bytes.size == 0)
			return ib_throw(err, IB_ERR_INPUT, "the reverse delta has %u sections, number %u is missing",
					count, i);
		if (!section(&r, bytes, err))
			return false;
	}
	return true;
}
