/* Indexes in metadata: rows of tables, and the signatures they name. */
#include "delta/cli_internal.h"

struct state {
	struct ib_delta_job *j;
	const uint8_t *before; /* the metadata as it was */
	uint8_t *seen;         /* a bit for each offset of #Blob: its signature is done */
};

static uint32_t load(const uint8_t *p, unsigned width)
{
	return width == 4 ? ib_le32(p) : ib_le16(p);
}

static void store(uint8_t *p, unsigned width, uint32_t v)
{
	if (width == 4)
		ib_put_le32(p, v);
	else
		ib_put_le16(p, (uint16_t)v); /* what does not fit is cut off: the creator does so */
}

static uint32_t map_value(struct ib_delta_job *j, struct ib_delta_column c, uint32_t v)
{
	const struct ib_delta_cli_map *map = &j->to->cli_map;
	unsigned bits;
	int table;

	switch (c.kind) {
	case IB_DELTA_COLUMN_RVA:
		return v ? (uint32_t)ib_delta_map(j, v) : 0;
	case IB_DELTA_COLUMN_HEAP:
		return ib_delta_cli_index(&map->heaps[c.what], v);
	case IB_DELTA_COLUMN_TABLE:
		return ib_delta_cli_index(&map->tables[c.what], v);
	case IB_DELTA_COLUMN_CODED:
		table = ib_delta_cli_coded(c.what, v, &bits);
		if (table < 0)
			return v;
		return ib_delta_cli_index(&map->tables[table], v >> bits) << bits | (v & ((1u << bits) - 1));
	}
	return v;
}

static bool has_signature(unsigned table)
{
	switch (table) {
	case IB_DELTA_TABLE_FIELD:
	case IB_DELTA_TABLE_METHODDEF:
	case IB_DELTA_TABLE_MEMBERREF:
	case IB_DELTA_TABLE_STANDALONESIG:
	case IB_DELTA_TABLE_PROPERTY:
	case IB_DELTA_TABLE_TYPESPEC:
		return true;
	}
	return false;
}

/* The signature at an offset of #Blob: a compressed length, then so many bytes. Each is mapped once. */
static bool map_blob(struct state *s, unsigned table, uint32_t offset, struct ib_error **err)
{
	const struct ib_delta_cli *cli = s->j->cli;
	uint32_t size = cli->layout.streams[IB_DELTA_BLOB].size;

	if (offset == 0 || offset >= size || s->seen[offset / 8] & 1u << offset % 8)
		return true;
	s->seen[offset / 8] |= (uint8_t)(1u << offset % 8);
	size_t at = cli->layout.streams[IB_DELTA_BLOB].offset - cli->metadata + offset;
	const uint8_t *p = s->before + at;
	size_t left = size - offset, header = p[0] & 0x80 ? (p[0] & 0x40 ? 4 : 2) : 1;
	if (header > left)
		return true;
	uint32_t length = header == 1 ? p[0] : header == 2 ? ib_be16(p) & 0x3fffu : ib_be32(p) & 0x1fffffffu;
	if (length > left - header)
		return true;
	ib_delta_cli_signature(s->j, table, p + header, length, s->j->bytes + cli->metadata + at + header);
	return ib_delta_spend(s->j, length, err);
}

static bool map_row(struct state *s, unsigned table, const struct ib_delta_column *columns, size_t at,
		    struct ib_error **err)
{
	const struct ib_delta_cli *cli = s->j->cli;
	const uint8_t *width = cli->tables.width[table];

	for (unsigned c = 0; columns[c].kind != IB_DELTA_COLUMN_NONE; at += width[c], c++) {
		if (columns[c].kind == IB_DELTA_COLUMN_FIXED)
			continue;
		uint32_t v = load(s->before + (at - cli->metadata), width[c]);
		store(s->j->bytes + at, width[c], map_value(s->j, columns[c], v));
		bool blob = columns[c].kind == IB_DELTA_COLUMN_HEAP && columns[c].what == IB_DELTA_BLOB;
		if (blob && has_signature(table) && !map_blob(s, table, v, err))
			return false;
	}
	return true;
}

static bool map_tables(struct state *s, struct ib_error **err)
{
	const struct ib_delta_cli_tables *t = &s->j->cli->tables;

	for (unsigned table = 0; table < IB_DELTA_CLI_KNOWN; table++) {
		const struct ib_delta_column *columns = ib_delta_cli_columns(table, ib_delta_cli_plain(s->j));
		for (uint32_t i = 0; i < t->rows[table]; i++)
			if (!map_row(s, table, columns, (size_t)t->start[table] + (size_t)i * t->row_size[table], err))
				return false;
	}
	return true;
}

bool ib_delta_cli_metadata(struct ib_delta_job *j, struct ib_error **err)
{
	size_t bits = j->cli->layout.streams[IB_DELTA_BLOB].size / 8 + 1;
	g_autofree uint8_t *before = NULL;
	g_autofree uint8_t *seen = NULL;

	if (!ib_delta_alloc(j->cli->metadata_size, &before, err) || !ib_delta_alloc(bits, &seen, err))
		return false;
	memcpy(before, j->bytes + j->cli->metadata, j->cli->metadata_size);
	memset(seen, 0, bits);
	struct state s = { .j = j, .before = before, .seen = seen };
	return map_tables(&s, err);
}
