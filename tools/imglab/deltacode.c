/* Code of programs: distances to what has moved. The lengths of instructions are those the format's makers go by. */
#include "deltaprogram.h"

#include <string.h>

#include "base/bytes.h"

enum { DIR_EXCEPTION = 3 };
#define RECORD 12u
#define WINDOW 15u
#define EXECUTABLE 0x20000000u

/* ---- i386: whatever looks like a jump or a call ---- */

struct range {
	size_t start, end;
	uint32_t rva; /* of start */
};

static bool is_marked(const struct lab_pe_image *pe, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pe->marks[at + i] & LAB_MARK_DATA)
			return true;
	return false;
}

static bool is_short(int32_t v)
{
	return v >= -128 && v <= 127;
}

/* The new distance of the jump whose last opcode byte is at q. */
static bool move_jump(const struct lab_pe_image *pe, const struct range *r, size_t q, bool near_only, int32_t *ret)
{
	int32_t distance = (int32_t)ib_le32(pe->bytes + q + 1);
	uint32_t next = r->rva + (uint32_t)(q + 5 - r->start), to = next + (uint32_t)distance;
	size_t at = to && to < pe->image_size ? lab_pe_at(pe, to, 1) : LAB_NOWHERE;

	if (is_marked(pe, q, 5) || (near_only && is_short(distance)) || at == LAB_NOWHERE || is_marked(pe, at, 1))
		return false;
	*ret = (int32_t)(lab_pe_map(pe, to) - lab_pe_map(pe, next));
	return true;
}

static size_t move_jmp(struct lab_pe_image *pe, const struct range *r, size_t p)
{
	uint8_t *b = pe->bytes;
	bool conditional = b[p] == 0x0F && p + 1 < r->end && (b[p + 1] & 0xF0) == 0x80;
	size_t q = p + conditional;
	int32_t distance;

	if ((!conditional && b[p] != 0xE9) || q + 5 >= r->end || !move_jump(pe, r, q, true, &distance))
		return p + 1;
	if (is_short(distance) && !(conditional && is_marked(pe, p, 1))) {
		b[p] = conditional ? (uint8_t)(0x70 | (b[q] & 15)) : 0xEB;
		b[p + 1] = (uint8_t)distance;
	} else {
		ib_put_le32(b + q + 1, (uint32_t)distance);
	}
	return q + 5;
}

static size_t move_call(struct lab_pe_image *pe, const struct range *r, size_t p)
{
	int32_t distance;

	if (pe->bytes[p] != 0xE8 || p + 5 > r->end || !move_jump(pe, r, p, false, &distance))
		return p + 1;
	ib_put_le32(pe->bytes + p + 1, (uint32_t)distance);
	return p + 5;
}

static void each_range(struct lab_pe_image *pe, size_t (*step)(struct lab_pe_image *, const struct range *, size_t))
{
	for (unsigned i = 0; i < pe->sections; i++) {
		const struct lab_pe_section *s = &pe->section[i];
		struct range r = { .start = s->raw, .rva = s->rva };

		r.end = MIN((size_t)s->raw + MIN(s->size, s->raw_size), pe->size);
		for (size_t p = r.start; s->flags & EXECUTABLE && p < r.end;)
			p = step(pe, &r, p);
	}
}

void lab_pe_jmps(struct lab_pe_image *pe)
{
	each_range(pe, move_jmp);
}

void lab_pe_calls(struct lab_pe_image *pe)
{
	each_range(pe, move_call);
}

/* ---- amd64: instruction by instruction ---- */

/* What follows an opcode. */
enum { MODRM = 1, IMM8 = 2, IMM32 = 4, IMM64 = 8, IMM16 = 16, IMM24 = 32, ADDRESS = 64, REL32 = 128, UNKNOWN = 256,
       GROUP8 = 512, GROUP32 = 1024, TWO_BYTES = 2048 };

static bool one_of(uint8_t v, const char *list, size_t n)
{
	return memchr(list, v, n) != NULL;
}
#define ONE_OF(v, list) one_of(v, list, sizeof(list) - 1)

static unsigned one_byte(uint8_t op)
{
	if (op == 0x0F)
		return TWO_BYTES;
	if (op < 0x40 && (op & 7) < 6)
		return (op & 7) < 4 ? MODRM : (op & 7) == 4 ? IMM8 : IMM32;
	if (op < 0x50 || (op >= 0x60 && op <= 0x62) || (op >= 0x64 && op <= 0x67) ||
	    ONE_OF(op, "\x82\x9a\x9e\x9f\xc4\xc5\xce\xd4\xd5\xd6\xea"))
		return UNKNOWN;
	if ((op >= 0x70 && op <= 0x7F) || (op >= 0xE0 && op <= 0xE7) || op == 0xEB || (op >= 0xB0 && op <= 0xB7) ||
	    ONE_OF(op, "\x6a\xa8\xcd"))
		return IMM8;
	if (ONE_OF(op, "\x6b\x80\x83\xc0\xc1\xc6"))
		return MODRM | IMM8;
	if (ONE_OF(op, "\x69\x81\xc7"))
		return MODRM | IMM32;
	if (op == 0x63 || (op >= 0x84 && op <= 0x8F) || (op >= 0xD0 && op <= 0xD3) || (op >= 0xD8 && op <= 0xDF) ||
	    op >= 0xFE)
		return MODRM;
	if (op == 0x68 || op == 0xA9)
		return IMM32;
	if (op >= 0xA0 && op <= 0xA3)
		return ADDRESS;
	if (op >= 0xB8 && op <= 0xBF)
		return IMM64;
	switch (op) {
	case 0xC2: case 0xCA: return IMM16;
	case 0xC8: return IMM24;
	case 0xE8: case 0xE9: return REL32;
	case 0xF6: return MODRM | GROUP8;
	case 0xF7: return MODRM | GROUP32;
	}
	return 0;
}

static unsigned two_bytes(uint8_t op)
{
	if (ONE_OF(op, "\x0a\x0c\xa6\xa7\xb8\xd0\xf0\xff") || (op >= 0x19 && op <= 0x1F) || (op >= 0x24 && op <= 0x27) ||
	    (op >= 0x34 && op <= 0x3F) || (op >= 0x78 && op <= 0x7D))
		return UNKNOWN;
	if ((op >= 0x04 && op <= 0x09) || ONE_OF(op, "\x0b\x0e\x77\xa0\xa1\xa2\xa8\xa9\xaa") || (op >= 0x30 && op <= 0x33) ||
	    (op >= 0xC8 && op <= 0xCF))
		return 0;
	if (op >= 0x80 && op <= 0x8F)
		return REL32;
	if ((op >= 0x70 && op <= 0x73) || ONE_OF(op, "\xa4\xac\xba\xc2\xc4\xc5\xc6"))
		return MODRM | IMM8;
	return MODRM;
}

struct instruction {
	unsigned length;
	unsigned field; /* where a distance to the next instruction stands; 0: none */
};

/* Bytes behind a ModRM byte. */
static unsigned address_bytes(const uint8_t *modrm, size_t left)
{
	unsigned mod = *modrm >> 6, rm = *modrm & 7, sib = mod != 3 && rm == 4;

	if (mod == 1)
		return sib + 1;
	if (mod == 2 || (mod == 0 && (rm == 5 || (sib && left > 1 && (modrm[1] & 7) == 5))))
		return sib + 4;
	return sib;
}

static unsigned immediate_bytes(unsigned follows, bool operand, bool address, bool wide, unsigned group)
{
	unsigned word = operand && !wide ? 2 : 4;

	if (follows & GROUP8)
		return group < 2 ? 1 : 0;
	if (follows & GROUP32)
		return group < 2 ? word : 0;
	if (follows & IMM64)
		return wide ? 8 : word;
	if (follows & ADDRESS)
		return address ? 4 : 8;
	return follows & IMM8 ? 1 : follows & IMM16 ? 2 : follows & IMM24 ? 3 : follows & IMM32 ? word :
	       follows & REL32 ? 4 : 0;
}

/* What is cut off or unknown ends with what was there of it and has no field. */
static struct instruction decode(const uint8_t *p, size_t n)
{
	bool operand = false, address = false, wide = false;
	struct instruction in = { 0 };
	unsigned at = 0, group = 0, field = 0, follows;

	for (; at < n && ONE_OF(p[at], "\x66\x67\x26\x2e\x36\x3e\x64\x65\xf0\xf2\xf3"); at++) {
		operand |= p[at] == 0x66;
		address |= p[at] == 0x67;
	}
	if (at < n && p[at] >> 4 == 4)
		wide = p[at++] & 8;
	in.length = at;
	if (at == n)
		return in;
	follows = one_byte(p[at++]);
	in.length = at;
	if (follows == TWO_BYTES) {
		if (at == n)
			return in;
		follows = two_bytes(p[at++]);
		in.length = at;
	}
	if (follows & UNKNOWN)
		return in;
	if (follows & REL32)
		field = at;
	if (follows & MODRM) {
		if (at == n)
			return in;
		unsigned more = address_bytes(p + at, n - at);

		group = p[at] >> 3 & 7;
		field = (p[at] & 0xC7) == 5 ? at + 1 : 0;
		in.length = ++at;
		if (more > n - at)
			return in;
		in.length = at += more;
	}
	unsigned immediate = immediate_bytes(follows, operand, address, wide, group);
	if (immediate > n - at)
		return in;
	in.length = at + immediate;
	in.field = field;
	return in;
}

static void walk(struct lab_pe_image *pe, uint32_t begin, uint32_t end, size_t at)
{
	while (begin < end && at < pe->size) {
		if (pe->marks[at] & LAB_MARK_BOTH) {
			begin++;
			at++;
			continue;
		}
		struct instruction in = decode(pe->bytes + at, MIN(MIN(WINDOW, end - begin), pe->size - at));
		unsigned inside = 1;

		while (inside < in.length && !(pe->marks[at + inside] & LAB_MARK_DONE))
			inside++;
		if (inside >= in.length && in.field) {
			uint8_t *field = pe->bytes + at + in.field;
			uint32_t next = begin + in.length;

			ib_put_le32(field, (uint32_t)(lab_pe_map(pe, (uint32_t)(next + ib_le32(field))) - lab_pe_map(pe, next)));
		}
		at += MIN(inside, in.length);
		begin += MIN(inside, in.length);
	}
}

/* @return records of the function table; at: of the first */
static size_t functions(const struct lab_pe_image *pe, size_t *at)
{
	*at = pe->dirs[DIR_EXCEPTION][0] ? lab_pe_at(pe, pe->dirs[DIR_EXCEPTION][0], 0) : LAB_NOWHERE;
	return *at == LAB_NOWHERE ? 0 : MIN(pe->dirs[DIR_EXCEPTION][1], pe->size - *at) / RECORD;
}

void lab_pe_disasm(struct lab_pe_image *pe)
{
	size_t table, n = functions(pe, &table);

	for (size_t i = 0; i < n; i++) {
		uint32_t begin = ib_le32(pe->bytes + table + i * RECORD), end = ib_le32(pe->bytes + table + i * RECORD + 4);
		size_t at = begin && end > begin ? lab_pe_at(pe, begin, 1) : LAB_NOWHERE;

		if (at != LAB_NOWHERE)
			walk(pe, begin, end, at);
	}
}

void lab_pe_pdata(struct lab_pe_image *pe)
{
	uint32_t rva = pe->dirs[DIR_EXCEPTION][0], size = pe->dirs[DIR_EXCEPTION][1];
	size_t table, n = functions(pe, &table);

	for (size_t i = 0; i < n; i++) {
		size_t at = table + i * RECORD;
		uint32_t unwind = ib_le32(pe->bytes + at + 8);
		size_t info = unwind >= rva && unwind - rva < size ? LAB_NOWHERE : lab_pe_at(pe, unwind, 4);

		if (info != LAB_NOWHERE && pe->bytes[info] & 0x38)
			lab_pe_map_field(pe, info + 4 + (pe->bytes[info + 2] + 1u) / 2 * 4);
		for (unsigned k = 0; k < 3; k++)
			lab_pe_map_field(pe, at + 4 * k);
	}
}
