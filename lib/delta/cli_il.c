/* Method bodies, ECMA-335 II.25.4 and partition III: marking them, and the tokens in them. */
#include "delta/cli_internal.h"

#define TOKEN 'T'
#define SWITCH 'S'
#define PREFIX 'P'
#define NATIVE 3u /* code type in ImplFlags: 0 is IL */

/* What follows an opcode: digits are bytes, 'T' a token, 'S' a table of jumps, 'P' the second map. */
static const char one_byte[257] =
	"0000000000000011" "1111000000000001" "4848000TTT011111" "1111111144444444"
	"44444S0000000000" "0000000000000000" "000000000000000T" "TTTTTT000T0TTTTT"
	"TT0000000000TT0T" "0000000000000000" "000TTT0000000000" "0000000000000000"
	"00T000T000000000" "T000000000000410" "0000000000000000" "00000000000000P0";
static const char two_byte[33] = "000000TT02222220" "00100TT00000T000";

struct body {
	size_t at;    /* of the header, in the file */
	size_t code;  /* of the code */
	size_t size;  /* bytes of code that the file has */
};

/* The IL body of a method; false when it has none. */
static bool find_body(const struct ib_delta_job *j, const uint8_t *row, struct body *ret)
{
	uint32_t rva = ib_le32(row);
	size_t at = rva && !(ib_le16(row + 4) & NATIVE) ? ib_delta_pe_offset(&j->pe, rva, 1) : IB_DELTA_NOWHERE;

	if (at == IB_DELTA_NOWHERE)
		return false;
	const uint8_t *p = j->bytes + at;
	size_t left = j->size - at;
	ret->at = at;
	if ((p[0] & 3) == 2) {
		ret->code = at + 1;
		ret->size = MIN(p[0] >> 2, left - 1);
		return true;
	}
	if ((p[0] & 3) != 3 || left < 12)
		return false;
	size_t header = 4 * (size_t)(p[1] >> 4);
	if (header < 12 || header > left)
		return false;
	ret->code = at + header;
	ret->size = MIN(ib_le32(p + 4), left - header);
	return true;
}

static bool each_body(struct ib_delta_job *j, void (*run)(struct ib_delta_job *, const struct body *),
		      struct ib_error **err)
{
	const struct ib_delta_cli_tables *t = &j->cli->tables;
	uint32_t rows = t->rows[IB_DELTA_TABLE_METHODDEF];

	/* the creator never looks at the last row */
	for (uint32_t i = 0; i + 1 < rows; i++) {
		const uint8_t *row = j->bytes + t->start[IB_DELTA_TABLE_METHODDEF] +
				     (size_t)i * t->row_size[IB_DELTA_TABLE_METHODDEF];
		struct body body;
		if (!find_body(j, row, &body))
			continue;
		if (!ib_delta_spend(j, body.size + 1, err))
			return false;
		run(j, &body);
	}
	return true;
}

static void mark_body(struct ib_delta_job *j, const struct body *b)
{
	ib_delta_mark(j, b->at, b->code + b->size - b->at, IB_DELTA_BOTH);
}

bool ib_delta_cli_mark(struct ib_delta_job *j, struct ib_error **err)
{
	return !j->cli || each_body(j, mark_body, err);
}

/* ---- tokens ---- */

static void map_token(struct ib_delta_job *j, uint8_t *p)
{
	const struct ib_delta_cli_map *map = &j->to->cli_map;
	uint32_t index = ib_le32(p) & 0xffffff, table = p[3];
	uint32_t moved = index;

	if (table < IB_DELTA_TABLE_COUNT)
		moved = ib_delta_cli_index(&map->tables[table], index);
	else if (table == 0x70) /* a string of the program's text */
		moved = ib_delta_cli_index(&map->heaps[IB_DELTA_US], index);
	if (moved <= 0xffffff)
		ib_put_le32(p, table << 24 | moved);
}

static void map_tokens(struct ib_delta_job *j, const struct body *b)
{
	uint8_t *p = j->bytes + b->code;
	size_t left = b->size;

	while (left > 0) {
		char what = one_byte[*p++];
		left--;
		if (what == PREFIX) {
			if (left == 0)
				return;
			what = *p < 32 ? two_byte[*p] : '0';
			p++;
			left--;
		}
		uint64_t operand = what == TOKEN || what == SWITCH ? 4 : (unsigned)(what - '0');
		if (operand > left)
			return;
		if (what == TOKEN)
			map_token(j, p);
		else if (what == SWITCH)
			operand += 4 * (uint64_t)ib_le32(p);
		if (operand > left)
			return;
		p += operand;
		left -= (size_t)operand;
	}
}

bool ib_delta_cli_tokens(struct ib_delta_job *j, struct ib_error **err)
{
	const struct ib_delta_cli_map *map = &j->to->cli_map;
	bool any = map->heaps[IB_DELTA_US].n > 0;

	for (unsigned t = 0; t < IB_DELTA_TABLE_COUNT; t++)
		any |= map->tables[t].n > 0;
	return !any || each_body(j, map_tokens, err);
}
