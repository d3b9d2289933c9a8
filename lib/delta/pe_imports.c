/* Imports and exports of a program: UNBIND, IMPORTS, EXPORTS. */
#include "delta/pe_internal.h"

#define DESCRIPTOR 20u
#define LOOKUP 0u
#define STAMP 4u
#define FORWARDER 8u
#define NAME 12u
#define THUNKS 16u

/* The next import descriptor's place, or IB_DELTA_NOWHERE behind the last. */
static size_t descriptor(const struct ib_delta_job *j, unsigned i)
{
	uint32_t rva = j->pe.dirs[IB_DELTA_DIR_IMPORT].rva;
	size_t at = rva ? ib_delta_pe_offset(&j->pe, (uint64_t)rva + (uint64_t)i * DESCRIPTOR, DESCRIPTOR)
			: IB_DELTA_NOWHERE;

	if (at == IB_DELTA_NOWHERE)
		return at;
	const uint8_t *p = j->bytes + at;
	return ib_le32(p + LOOKUP) || ib_le32(p + NAME) || ib_le32(p + THUNKS) ? at : IB_DELTA_NOWHERE;
}

static uint64_t thunk(const struct ib_delta_job *j, size_t at)
{
	return j->pe.plus ? ib_le64(j->bytes + at) : ib_le32(j->bytes + at);
}

static unsigned thunk_size(const struct ib_delta_job *j)
{
	return j->pe.plus ? 8 : 4;
}

/* ---- UNBIND ---- */

static bool copy_thunks(struct ib_delta_job *j, size_t from, size_t to, struct ib_error **err)
{
	unsigned n = thunk_size(j);

	while (from <= j->size - n && to <= j->size - n && thunk(j, from) != 0) {
		if (!ib_delta_spend(j, 1, err))
			return false;
		memmove(j->bytes + to, j->bytes + from, n);
		from += n;
		to += n;
	}
	return true;
}

bool ib_delta_unbind(struct ib_delta_job *j, struct ib_error **err)
{
	size_t at;

	for (unsigned i = 0; (at = descriptor(j, i)) != IB_DELTA_NOWHERE; i++) {
		uint8_t *p = j->bytes + at;
		if (ib_le32(p + STAMP) == 0)
			continue;
		uint32_t from = ib_le32(p + LOOKUP), to = ib_le32(p + THUNKS);
		ib_put_le32(p + STAMP, 0);
		ib_put_le32(p + FORWARDER, 0);
		if (from == 0 || to == 0)
			continue;
		size_t source = ib_delta_pe_offset(&j->pe, from, thunk_size(j));
		size_t target = ib_delta_pe_offset(&j->pe, to, thunk_size(j));
		if (source != IB_DELTA_NOWHERE && target != IB_DELTA_NOWHERE && !copy_thunks(j, source, target, err))
			return false;
	}
	for (unsigned i = 0; i < j->pe.section_count; i++) {
		const struct ib_delta_section *s = &j->pe.sections[i];
		if (strcmp(s->name, ".idata") == 0)
			ib_put_le32(j->bytes + s->header + 36, s->traits | 0xC0000000u);
	}
	return true;
}

/* ---- IMPORTS ---- */

enum thunks {
	THUNKS_LOOKUP,
	THUNKS_ADDRESS,
	THUNKS_BOUND,
};

/* The hint and name a thunk points to are no code. */
static bool mark_name(struct ib_delta_job *j, uint32_t rva, struct ib_error **err)
{
	size_t at = ib_delta_pe_offset(&j->pe, rva, 2);

	if (at == IB_DELTA_NOWHERE)
		return true;
	const uint8_t *name = j->bytes + at + 2;
	const uint8_t *end = memchr(name, 0, j->size - at - 2);
	size_t n = end ? (size_t)(end - name) + 3 : j->size - at;
	ib_delta_mark(j, at, n, IB_DELTA_BOTH);
	return ib_delta_spend(j, n, err);
}

static bool map_thunk(struct ib_delta_job *j, size_t at, enum thunks kind, bool leave_names, struct ib_error **err)
{
	uint64_t v = thunk(j, at);
	uint64_t ordinal = UINT64_C(1) << (j->pe.plus ? 63 : 31);

	ib_delta_mark(j, at, thunk_size(j), IB_DELTA_DATA);
	if (kind == THUNKS_BOUND) {
		uint64_t rva = v - j->pe.image_base;
		if (j->pe.plus)
			ib_put_le64(j->bytes + at, j->to->image_base + (uint64_t)ib_delta_map(j, (int64_t)rva));
		else
			ib_put_le32(j->bytes + at,
				    (uint32_t)(j->to->image_base + (uint64_t)ib_delta_map(j, (uint32_t)rva)));
		return true;
	}
	if (v & ordinal || v >> 32 || leave_names)
		return true;
	if (!mark_name(j, (uint32_t)v, err))
		return false;
	ib_put_le32(j->bytes + at, (uint32_t)ib_delta_map(j, (uint32_t)v));
	return true;
}

static bool map_thunks(struct ib_delta_job *j, uint32_t rva, enum thunks kind, struct ib_error **err)
{
	unsigned n = thunk_size(j);
	size_t at = rva ? ib_delta_pe_offset(&j->pe, rva, n) : IB_DELTA_NOWHERE;
	bool leave_names = false;

	if (at == IB_DELTA_NOWHERE)
		return true;
	/* a look-up table that begins with an ordinal keeps its names: a quirk of the creator */
	if (kind == THUNKS_LOOKUP)
		leave_names = thunk(j, at) >> (8 * n - 1);
	for (; at <= j->size - n && thunk(j, at) != 0; at += n)
		if (!ib_delta_spend(j, 1, err) || !map_thunk(j, at, kind, leave_names, err))
			return false;
	return true;
}

bool ib_delta_imports(struct ib_delta_job *j, struct ib_error **err)
{
	size_t at;

	for (unsigned i = 0; (at = descriptor(j, i)) != IB_DELTA_NOWHERE; i++) {
		uint32_t lookup = ib_le32(j->bytes + at + LOOKUP), thunks = ib_le32(j->bytes + at + THUNKS);
		bool bound = ib_le32(j->bytes + at + STAMP) != 0;
		if (!map_thunks(j, lookup, THUNKS_LOOKUP, err) ||
		    !map_thunks(j, thunks, bound ? THUNKS_BOUND : THUNKS_ADDRESS, err))
			return false;
		ib_delta_map_field(j, at + LOOKUP);
		ib_delta_map_field(j, at + NAME);
		ib_delta_map_field(j, at + THUNKS);
	}
	return true;
}

/* ---- EXPORTS ---- */

static bool map_array(struct ib_delta_job *j, uint32_t rva, uint32_t count, struct ib_error **err)
{
	size_t at = rva ? ib_delta_pe_offset(&j->pe, rva, 0) : IB_DELTA_NOWHERE;

	if (at == IB_DELTA_NOWHERE)
		return true;
	size_t n = MIN(count, (j->size - at) / 4);
	for (size_t i = 0; i < n; i++)
		ib_delta_map_field(j, at + 4 * i);
	return ib_delta_spend(j, n, err);
}

bool ib_delta_exports(struct ib_delta_job *j, struct ib_error **err)
{
	static const unsigned fields[] = { 12, 28, 32, 36 }; /* name, functions, names, ordinals */
	uint32_t rva = j->pe.dirs[IB_DELTA_DIR_EXPORT].rva;
	size_t at = rva ? ib_delta_pe_offset(&j->pe, rva, 40) : IB_DELTA_NOWHERE;

	if (at == IB_DELTA_NOWHERE)
		return true;
	const uint8_t *p = j->bytes + at;
	uint32_t functions = ib_le32(p + 28), function_count = ib_le32(p + 20);
	uint32_t names = ib_le32(p + 32), name_count = ib_le32(p + 24);
	if (!map_array(j, functions, function_count, err) || !map_array(j, names, name_count, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		ib_delta_map_field(j, at + fields[i]);
	return true;
}
