/* Code and unwind tables of 64-bit programs: AMD64_DISASM, AMD64_PDATA. */
#include "delta/pe_internal.h"

#define RECORD 12u /* RUNTIME_FUNCTION: begin, end, unwind information */
#define INSTRUCTION_MAX 15u

/* The table of functions; 0 when there is none. */
static size_t function_count(const struct ib_delta_job *j, size_t *ret_at)
{
	uint32_t rva = j->pe.dirs[IB_DELTA_DIR_EXCEPTION].rva;

	*ret_at = rva ? ib_delta_pe_offset(&j->pe, rva, 0) : IB_DELTA_NOWHERE;
	if (*ret_at == IB_DELTA_NOWHERE)
		return 0;
	return MIN(j->pe.dirs[IB_DELTA_DIR_EXCEPTION].size, j->size - *ret_at) / RECORD;
}

/* How far to go when a rewritten field begins inside the instruction; 0: none does. */
static unsigned field_inside(const uint8_t *marks, unsigned length)
{
	for (unsigned i = 1; i < length; i++)
		if (G_UNLIKELY(marks[i] & IB_DELTA_DONE))
			return i;
	return 0;
}

static void map_distance(struct ib_delta_job *j, uint8_t *field, uint32_t next)
{
	uint32_t to = next + ib_le32(field);
	uint64_t here = (uint64_t)ib_delta_map_cached(&j->to->to_target, &j->near_cache, next);

	ib_put_le32(field, (uint32_t)((uint64_t)ib_delta_map(j, to) - here));
}

static void walk_function(struct ib_delta_job *j, uint32_t begin, uint32_t end, size_t at)
{
	while (begin < end && at < j->size) {
		if (j->marks[at] & IB_DELTA_BOTH) {
			at++;
			begin++;
			continue;
		}
		size_t window = MIN(MIN(INSTRUCTION_MAX, end - begin), j->size - at);
		struct ib_delta_instruction in = ib_delta_amd64_length(j->bytes + at, window);
		unsigned length = in.length;
		unsigned inside = field_inside(j->marks + at, length);
		if (inside)
			length = inside;
		else if (in.relative)
			map_distance(j, j->bytes + at + in.relative, begin + length);
		at += length;
		begin += length;
	}
}

bool ib_delta_amd64_disasm(struct ib_delta_job *j, struct ib_error **err)
{
	size_t table;
	size_t n = function_count(j, &table);

	for (size_t i = 0; i < n; i++) {
		uint32_t begin = ib_le32(j->bytes + table + i * RECORD),
			 end = ib_le32(j->bytes + table + i * RECORD + 4);
		if (begin == 0 || end <= begin)
			continue;
		size_t at = ib_delta_pe_offset(&j->pe, begin, 1);
		if (at == IB_DELTA_NOWHERE)
			continue;
		if (!ib_delta_spend(j, MIN(end - begin, j->size - at), err))
			return false;
		walk_function(j, begin, end, at);
	}
	return true;
}

/* The handler or the chained function that follows the unwind codes. */
static void map_unwind(struct ib_delta_job *j, uint32_t rva)
{
	uint32_t table = j->pe.dirs[IB_DELTA_DIR_EXCEPTION].rva;
	size_t at = ib_delta_pe_offset(&j->pe, rva, 4);

	if (at == IB_DELTA_NOWHERE || (rva >= table && rva - table < j->pe.dirs[IB_DELTA_DIR_EXCEPTION].size))
		return;
	const uint8_t *p = j->bytes + at;
	if (p[0] & 0x38)
		ib_delta_map_field(j, at + 4 + ((size_t)p[2] + 1) / 2 * 4);
}

bool ib_delta_amd64_pdata(struct ib_delta_job *j, struct ib_error **err)
{
	size_t table;
	size_t n = function_count(j, &table);

	for (size_t i = 0; i < n; i++) {
		size_t at = table + i * RECORD;
		map_unwind(j, ib_le32(j->bytes + at + 8));
		ib_delta_map_field(j, at);
		ib_delta_map_field(j, at + 4);
		ib_delta_map_field(j, at + 8);
	}
	return ib_delta_spend(j, n, err);
}
