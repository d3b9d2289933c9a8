/* Where the target's heaps and rows stand in the source: entries for the patch's source copies. */
#include "delta/cli_internal.h"

/* A run of equal pieces (bytes of a heap, GUIDs, rows) in both files. */
struct run {
	uint64_t target; /* file offset of piece `first` */
	uint64_t source;
	unsigned unit;   /* bytes of a piece */
	unsigned first;  /* the lowest index: 0 for heaps of bytes, 1 for rows and GUIDs */
};

static bool add(struct ib_delta_rift *moves, const struct run *r, int64_t from, int64_t to, struct ib_error **err)
{
	uint64_t target = r->target + ((uint64_t)to - r->first) * r->unit;
	uint64_t source = r->source + ((uint64_t)from - r->first) * r->unit;

	return ib_delta_rift_add(moves, (int64_t)target, (int64_t)source, err);
}

static bool move_run(const struct run *r, const struct ib_delta_rift *map, struct ib_delta_rift *moves,
		     struct ib_error **err)
{
	if (map->n == 0)
		return ib_delta_rift_add(moves, (int64_t)r->target, (int64_t)r->source, err);
	struct ib_delta_rift_entry last = map->e[map->n - 1];
	int64_t shift = (int64_t)((uint64_t)last.to - (uint64_t)last.from);
	if (map->e[0].from > r->first && shift >= 0 &&
	    !add(moves, r, r->first, (int64_t)(r->first + (uint64_t)shift), err))
		return false;
	for (size_t i = 0; i < map->n && map->e[i].from <= UINT32_MAX; i++) {
		struct ib_delta_rift_entry e = map->e[i];
		if (r->first == 1 && e.from == 0) { /* there is no piece 0 */
			if (i + 1 < map->n && map->e[i + 1].from == 1)
				continue;
			e.from++;
			e.to = (int64_t)((uint64_t)e.to + 1);
		}
		if (!add(moves, r, e.from, e.to, err))
			return false;
	}
	return true;
}

static bool move_heaps(const struct ib_delta_job *j, struct ib_delta_rift *moves, struct ib_error **err)
{
	for (unsigned h = 0; h < IB_DELTA_HEAPS; h++) {
		struct run r = { .target = j->to->cli.streams[h].offset, .source = j->cli->layout.streams[h].offset,
				 .unit = h == IB_DELTA_GUID ? 16 : 1, .first = h == IB_DELTA_GUID };
		if (r.target != 0 && r.source != 0 && !move_run(&r, &j->to->cli_map.heaps[h], moves, err))
			return false;
	}
	return true;
}

/* ---- tables whose columns have other widths ---- */

/* A place in the transformed source that reads 0 as 16 bits: the upper half of an index that has become wider. */
static size_t find_zeros(const struct ib_delta_job *j)
{
	const uint8_t *p = j->bytes;
	size_t left = j->size;

	while (left >= 2 && (p = memchr(p, 0, left - 1)) != NULL) {
		if (p[1] == 0)
			return (size_t)(p - j->bytes);
		p++;
		left = j->size - (size_t)(p - j->bytes);
	}
	return IB_DELTA_NOWHERE;
}

struct cells {
	const struct ib_delta_cli_tables *from;
	const struct ib_delta_cli_tables *to;
	unsigned table;
	size_t zeros;
	uint64_t shift; /* of the last entry */
	bool any;
};

static bool move_cell(struct cells *c, uint64_t target, uint64_t source, struct ib_delta_rift *moves,
		      struct ib_error **err)
{
	if (c->any && source - target == c->shift)
		return true;
	c->any = true;
	c->shift = source - target;
	return ib_delta_rift_add(moves, (int64_t)target, (int64_t)source, err);
}

static bool move_row(struct cells *c, uint32_t from, uint32_t to, struct ib_delta_rift *moves, struct ib_error **err)
{
	const uint8_t *narrow = c->from->width[c->table], *wide = c->to->width[c->table];
	uint64_t source = c->from->start[c->table] + (uint64_t)(from - 1) * c->from->row_size[c->table];
	uint64_t target = c->to->start[c->table] + (uint64_t)(to - 1) * c->to->row_size[c->table];

	for (unsigned i = 0; i < IB_DELTA_COLUMNS_MAX && narrow[i] != 0; i++) {
		if (!move_cell(c, target, source, moves, err))
			return false;
		if (wide[i] > narrow[i] && c->zeros != IB_DELTA_NOWHERE &&
		    !move_cell(c, target + narrow[i], c->zeros, moves, err))
			return false;
		source += narrow[i];
		target += wide[i];
	}
	return true;
}

static bool move_cells(struct cells *c, const struct ib_delta_rift *map, struct ib_delta_rift *moves,
		       struct ib_error **err)
{
	uint32_t rows = c->from->rows[c->table];

	for (uint32_t i = 1; i < rows; i++) {
		uint32_t to = ib_delta_cli_index(map, i);
		if (to == 0 || to > c->to->rows[c->table])
			continue;
		if (!move_row(c, i, to, moves, err))
			return false;
	}
	return true;
}

/* ---- all ---- */

static bool move_tables(const struct ib_delta_job *j, const struct ib_delta_cli_tables *to, struct ib_delta_rift *moves,
			struct ib_error **err)
{
	const struct ib_delta_cli_tables *from = &j->cli->tables;
	struct cells cells = { .from = from, .to = to, .zeros = find_zeros(j) };

	for (unsigned t = 0; t < IB_DELTA_CLI_KNOWN; t++) {
		const struct ib_delta_rift *map = &j->to->cli_map.tables[t];
		struct run r = { .target = to->start[t], .source = from->start[t], .first = 1 };
		r.unit = from->row_size[t];
		if (from->rows[t] == 0 || to->rows[t] == 0)
			continue;
		cells.table = t;
		cells.any = false;
		bool same = memcmp(from->width[t], to->width[t], sizeof(from->width[t])) == 0;
		if (same ? !move_run(&r, map, moves, err) : !move_cells(&cells, map, moves, err))
			return false;
	}
	return true;
}

bool ib_delta_cli_moves(struct ib_delta_job *j, struct ib_delta_rift *moves, struct ib_error **err)
{
	g_autofree struct ib_delta_cli_tables *to = NULL;

	if (!j->cli || !j->to->cli.present)
		return true;
	to = g_new(struct ib_delta_cli_tables, 1);
	ib_delta_cli_measure(&j->to->cli, ib_delta_cli_plain(j), to);
	return move_heaps(j, moves, err) && move_tables(j, to, moves, err) && ib_delta_rift_sort(moves, err);
}
