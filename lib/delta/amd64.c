/*
 * Lengths of 64-bit instructions as the creator of deltas sees them: by the Intel SDM's opcode maps, less what it does
 * not know (three-byte opcodes, VEX, EVEX, multi-byte NOP). What is unknown ends with its opcode.
 */
#include "delta/pe_internal.h"

/*
 * What follows an opcode: '.' nothing, '?' unknown, 'm' ModRM, 'b' a byte, 'B' ModRM and a byte, 'z' 4 bytes (2 with
 * a 66 prefix), 'Z' ModRM and those, 'w' 2 bytes, 'e' 3 bytes, 'v' up to 8 bytes, 'o' an address, 'r' a byte's
 * distance, 'R' 4 bytes' distance, 'g' and 'G' groups F6 and F7, '2' the second map.
 */
static const char one_byte[257] =
	"mmmmbz??mmmmbz?2" "mmmmbz??mmmmbz??" "mmmmbz??mmmmbz??" "mmmmbz??mmmmbz??"
	"????????????????" "................" "???m????zZbB...." "rrrrrrrrrrrrrrrr"
	"BZ?Bmmmmmmmmmmmm" "..........?...??" "oooo....bz......" "bbbbbbbbvvvvvvvv"
	"BBw.??BZe.w..b?." "mmmm???.mmmmmmmm" "rrrrbbbbRR?r...." "......gG......mm";
static const char two_byte[257] =
	"mmmm......?.?m.m" "mmmmmmmmm???????" "mmmm????mmmmmmmm" "....????????????"
	"mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "BBBBmmm.??????mm"
	"RRRRRRRRRRRRRRRR" "mmmmmmmmmmmmmmmm" "...mBm??...mBmmm" "mmmmmmmm?mBmmmmm"
	"mmBmBBBm........" "?mmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "?mmmmmmmmmmmmmm?";

struct prefixes {
	bool operand; /* 66 */
	bool address; /* 67 */
	bool wide;    /* REX.W */
};

static bool is_prefix(uint8_t b)
{
	switch (b) {
	case 0x66: case 0x67: case 0x26: case 0x2E: case 0x36: case 0x3E: case 0x64: case 0x65:
	case 0xF0: case 0xF2: case 0xF3:
		return true;
	}
	return false;
}

static size_t read_prefixes(const uint8_t *code, size_t n, struct prefixes *p)
{
	size_t at = 0;

	while (at < n && is_prefix(code[at])) {
		p->operand |= code[at] == 0x66;
		p->address |= code[at] == 0x67;
		at++;
	}
	if (at < n && (code[at] & 0xF0) == 0x40)
		p->wide = code[at++] & 8;
	return at;
}

/* Bytes of the address behind a ModRM byte at code; relative when it counts from the next instruction. */
static size_t address_size(const uint8_t *code, size_t n, bool *relative)
{
	unsigned mod = code[0] >> 6, rm = code[0] & 7;
	size_t sib = mod != 3 && rm == 4;

	*relative = mod == 0 && rm == 5;
	if (mod == 1)
		return sib + 1;
	if (mod == 2 || *relative)
		return sib + 4;
	if (mod == 0 && sib && n > 1 && (code[1] & 7) == 5)
		return sib + 4;
	return sib;
}

static size_t immediate_size(char kind, const struct prefixes *p, unsigned group)
{
	size_t z = p->operand && !p->wide ? 2 : 4;

	switch (kind) {
	case 'b': case 'B': case 'r':
		return 1;
	case 'w':
		return 2;
	case 'e':
		return 3;
	case 'R':
		return 4;
	case 'z': case 'Z':
		return z;
	case 'v':
		return p->wide ? 8 : z;
	case 'o':
		return p->address ? 4 : 8;
	case 'g':
		return group < 2 ? 1 : 0;
	case 'G':
		return group < 2 ? z : 0;
	}
	return 0;
}

static bool has_modrm(char kind)
{
	return kind == 'm' || kind == 'B' || kind == 'Z' || kind == 'g' || kind == 'G';
}

struct ib_delta_instruction ib_delta_amd64_length(const uint8_t *code, size_t n)
{
	struct ib_delta_instruction in = { 0 };
	struct prefixes p = { 0 };
	size_t at = read_prefixes(code, n, &p);
	unsigned group = 0;
	bool relative = false;

	in.length = (uint8_t)at;
	if (at == n)
		return in;
	char kind = one_byte[code[at++]];
	in.length = (uint8_t)at;
	if (kind == '2') {
		if (at == n)
			return in;
		kind = two_byte[code[at++]];
		in.length = (uint8_t)at;
	}
	size_t field = kind == 'R' ? at : 0;
	if (has_modrm(kind)) {
		if (at == n)
			return in;
		group = code[at] >> 3 & 7;
		size_t extra = address_size(code + at, n - at, &relative);
		in.length = (uint8_t)++at;
		if (extra > n - at)
			return in;
		if (relative)
			field = at;
		at += extra;
		in.length = (uint8_t)at;
	}
	size_t immediate = immediate_size(kind, &p, group);
	if (immediate > n - at)
		return in;
	in.length = (uint8_t)(at + immediate);
	in.relative = (uint8_t)field;
	return in;
}
