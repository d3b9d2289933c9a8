/* Jumps and calls of 32-bit programs: I386_JMPS, I386_CALLS. */
#include "delta/pe_internal.h"

#define EXECUTABLE 0x20000000u
#define CALL 0xE8u
#define JMP 0xE9u
#define ESCAPE 0x0Fu

/* The code of a section, in the file. */
struct code {
	size_t start;
	size_t end;
	uint32_t va; /* of start */
};

static struct code code_of(const struct ib_delta_job *j, const struct ib_delta_section *s)
{
	struct code c = { .start = MIN(s->raw, j->size), .va = s->va };

	c.end = MIN((uint64_t)s->raw + MIN(s->virtual_size, s->raw_size), j->size);
	if (!(s->traits & EXECUTABLE))
		c.end = c.start;
	return c;
}

static bool is_data(const struct ib_delta_job *j, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (j->marks[at + i] & IB_DELTA_DATA)
			return true;
	return false;
}

/* Whether code could go there: inside the image, with a byte in the file that is not known for data. */
static bool reachable(const struct ib_delta_job *j, uint32_t rva)
{
	if (rva == 0 || rva >= j->pe.image_size)
		return false;
	size_t at = ib_delta_pe_offset(&j->pe, rva, 1);
	return at != IB_DELTA_NOWHERE && !is_data(j, at, 1);
}

static bool is_short(int32_t v)
{
	return v >= INT8_MIN && v <= INT8_MAX;
}

/* The new distance of the jump or call whose opcode stands at q; false when it is to be left alone. */
static bool new_distance(struct ib_delta_job *j, const struct code *c, size_t q, bool long_only, int32_t *ret)
{
	int32_t distance = (int32_t)ib_le32(j->bytes + q + 1);
	uint32_t next = c->va + (uint32_t)(q + 5 - c->start);
	uint32_t to = next + (uint32_t)distance;

	if (is_data(j, q, 5) || (long_only && is_short(distance)) || !reachable(j, to))
		return false;
	uint64_t here = (uint64_t)ib_delta_map_cached(&j->to->to_target, &j->near_cache, next);
	*ret = (int32_t)((uint64_t)ib_delta_map(j, to) - here);
	return true;
}

/* A jump at p with its opcode (or the second byte of it) at q; the compiler of the target may have had a short one. */
static void put_jump(struct ib_delta_job *j, size_t p, size_t q, int32_t distance)
{
	uint8_t *b = j->bytes;

	if (!is_short(distance) || (p != q && j->marks[p] & IB_DELTA_DATA)) {
		ib_put_le32(b + q + 1, (uint32_t)distance);
		return;
	}
	b[p] = p == q ? 0xEB : (uint8_t)(0x70 | (b[q] & 0x0F));
	b[p + 1] = (uint8_t)distance;
}

static void jmps(struct ib_delta_job *j, const struct code *c)
{
	for (size_t p = c->start; p < c->end;) {
		const uint8_t *b = j->bytes + p;
		bool conditional = b[0] == ESCAPE && p + 1 < c->end && (b[1] & 0xF0) == 0x80;
		size_t q = conditional ? p + 1 : p;
		int32_t distance;
		if ((conditional || b[0] == JMP) && q + 5 < c->end && new_distance(j, c, q, true, &distance)) {
			put_jump(j, p, q, distance);
			p = q + 5;
		} else {
			p++;
		}
	}
}

static void calls(struct ib_delta_job *j, const struct code *c)
{
	for (size_t p = c->start; p < c->end;) {
		int32_t distance;
		if (j->bytes[p] == CALL && p + 5 <= c->end && new_distance(j, c, p, false, &distance)) {
			ib_put_le32(j->bytes + p + 1, (uint32_t)distance);
			p += 5;
		} else {
			p++;
		}
	}
}

static bool each_code(struct ib_delta_job *j, void (*run)(struct ib_delta_job *, const struct code *),
		      struct ib_error **err)
{
	for (unsigned i = 0; i < j->pe.section_count; i++) {
		struct code c = code_of(j, &j->pe.sections[i]);
		if (c.end > c.start && !ib_delta_spend(j, c.end - c.start, err))
			return false;
		run(j, &c);
	}
	return true;
}

bool ib_delta_i386_jmps(struct ib_delta_job *j, struct ib_error **err)
{
	return each_code(j, jmps, err);
}

bool ib_delta_i386_calls(struct ib_delta_job *j, struct ib_error **err)
{
	return each_code(j, calls, err);
}
