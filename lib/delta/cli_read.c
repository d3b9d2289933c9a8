/* Metadata of the source as its file has it, of the target as the record tells it, and the map between them. */
#include "delta/cli_internal.h"

#define ROOT_MAGIC 0x424A5342u /* "BSJB" */
#define STREAMS_LOOKED_AT 16u  /* ECMA-335 has five */

static const char *const names[] = { "#Strings", "#US", "#Blob", "#GUID", "#~" };

/* ---- the record ---- */

bool ib_delta_cli_layout_read(struct ib_delta_bits *b, struct ib_delta_cli_layout *ret, struct ib_error **err)
{
	ret->present = ib_delta_bits(b, 1);
	if (ret->present) {
		for (unsigned i = 0; i < 5; i++)
			(void)ib_delta_bits(b, 32); /* the whole metadata's place: its streams tell enough */
		for (unsigned i = 0; i < IB_DELTA_STREAMS; i++) {
			ret->streams[i].offset = (uint32_t)ib_delta_bits(b, 32);
			ret->streams[i].size = (uint32_t)ib_delta_bits(b, 32);
		}
		ret->wide[IB_DELTA_STRINGS] = ib_delta_bits(b, 1);
		ret->wide[IB_DELTA_GUID] = ib_delta_bits(b, 1);
		ret->wide[IB_DELTA_BLOB] = ib_delta_bits(b, 1);
		ret->valid = ib_delta_bits(b, 64);
		for (unsigned t = 0; t < IB_DELTA_TABLE_COUNT; t++)
			if (ret->valid >> t & 1)
				ret->rows[t] = (uint32_t)ib_delta_bits(b, 32);
	}
	return !b->bad || ib_throw(err, IB_ERR_INPUT, "the delta ends inside the layout of the target's metadata");
}

bool ib_delta_cli_map_read(struct ib_delta_bits *b, size_t limit, struct ib_delta_cli_map *ret, struct ib_error **err)
{
	struct ib_delta_code c[4]; /* from and shift of heaps, from and shift of tables */

	ret->present = ib_delta_bits(b, 1);
	if (!ret->present)
		return !b->bad || ib_throw(err, IB_ERR_INPUT, "the delta ends before the map of metadata");
	for (unsigned i = 0; i < 4; i++)
		if (!ib_delta_format_read(b, &c[i], err))
			return false;
	for (unsigned i = 0; i < IB_DELTA_HEAPS + IB_DELTA_TABLE_COUNT; i++) {
		struct ib_delta_rift *r = i < IB_DELTA_HEAPS ? &ret->heaps[i] : &ret->tables[i - IB_DELTA_HEAPS];
		unsigned codes = i < IB_DELTA_GUID ? 0 : 2;
		r->max = limit;
		if (!ib_delta_rift_entries(b, &c[codes], &c[codes + 1], r, err) || !ib_delta_rift_sort(r, err))
			return false;
		limit -= r->n; /* of all together */
	}
	return true;
}

/* ---- the source ---- */

static void read_stream_header(struct ib_reader *r, const struct ib_delta_cli *cli, struct ib_delta_cli_layout *l)
{
	uint32_t offset = ib_reader_le32(r), size = ib_reader_le32(r);
	const char *name = (const char *)r->data + r->at;
	size_t length = strnlen(name, r->size - r->at);

	if (r->bad || length == r->size - r->at || !ib_reader_take(r, (length + 4) & ~(size_t)3)) {
		r->bad = true;
		return;
	}
	if (offset > cli->metadata_size || size > cli->metadata_size - offset)
		return;
	for (unsigned i = 0; i < IB_DELTA_STREAMS; i++) {
		if (strcmp(name, names[i]) == 0) {
			l->streams[i].offset = (uint32_t)cli->metadata + offset;
			l->streams[i].size = size;
		}
	}
}

static bool read_root(const uint8_t *file, const struct ib_delta_cli *cli, struct ib_delta_cli_layout *l)
{
	struct ib_reader r = ib_reader_over(file + cli->metadata, cli->metadata_size);

	if (ib_reader_le32(&r) != ROOT_MAGIC)
		return false;
	ib_reader_seek(&r, 12);
	uint32_t version = ib_reader_le32(&r);
	ib_reader_seek(&r, 16 + (uint64_t)version + 2);
	unsigned count = ib_reader_le16(&r);
	for (unsigned i = 0; i < MIN(count, STREAMS_LOOKED_AT) && !r.bad; i++)
		read_stream_header(&r, cli, l);
	return !r.bad && l->streams[IB_DELTA_TABLES].size > 0;
}

static bool read_tables(const uint8_t *file, struct ib_delta_cli_layout *l)
{
	struct ib_reader r =
		ib_reader_over(file + l->streams[IB_DELTA_TABLES].offset, l->streams[IB_DELTA_TABLES].size);

	ib_reader_seek(&r, 6);
	unsigned wide = ib_reader_u8(&r);
	ib_reader_seek(&r, 8);
	l->valid = ib_reader_le64(&r);
	ib_reader_seek(&r, 24);
	l->wide[IB_DELTA_STRINGS] = wide & 1;
	l->wide[IB_DELTA_GUID] = wide & 2;
	l->wide[IB_DELTA_BLOB] = wide & 4;
	for (unsigned t = 0; t < IB_DELTA_TABLE_COUNT; t++)
		if (l->valid >> t & 1)
			l->rows[t] = ib_reader_le32(&r);
	return !r.bad && l->valid >> IB_DELTA_CLI_KNOWN == 0;
}

/* Find the metadata by the CLI header; false when there is none, or none that makes sense. */
static bool find(const struct ib_delta_job *j, struct ib_delta_cli *cli)
{
	uint32_t rva = j->pe.dirs[IB_DELTA_DIR_CLI].rva;
	size_t header = rva ? ib_delta_pe_offset(&j->pe, rva, 72) : IB_DELTA_NOWHERE;

	if (header == IB_DELTA_NOWHERE)
		return false;
	cli->metadata_size = ib_le32(j->bytes + header + 12);
	cli->metadata = ib_delta_pe_offset(&j->pe, ib_le32(j->bytes + header + 8), cli->metadata_size);
	if (cli->metadata == IB_DELTA_NOWHERE || cli->metadata > UINT32_MAX / 2 ||
	    !read_root(j->bytes, cli, &cli->layout) || !read_tables(j->bytes, &cli->layout))
		return false;
	ib_delta_cli_measure(&cli->layout, ib_delta_cli_plain(j), &cli->tables);
	cli->layout.present = true;
	return cli->tables.end <=
	       (uint64_t)cli->layout.streams[IB_DELTA_TABLES].offset + cli->layout.streams[IB_DELTA_TABLES].size;
}

bool ib_delta_cli_open(struct ib_delta_job *j, struct ib_error **err)
{
	struct ib_delta_cli *cli = g_try_new0(struct ib_delta_cli, 1);

	if (!cli)
		return ib_throw_memory(err);
	if (find(j, cli))
		j->cli = cli;
	else
		g_free(cli);
	return true;
}

void ib_delta_cli_close(struct ib_delta_job *j)
{
	g_free(j->cli);
	j->cli = NULL;
}

bool ib_delta_cli_transform(struct ib_delta_job *j, struct ib_error **err)
{
	if (!j->cli)
		return true;
	if (j->flags & (IB_DELTA_CLI_DISASM | IB_DELTA_CLI4_DISASM) && !ib_delta_cli_tokens(j, err))
		return false;
	return !(j->flags & (IB_DELTA_CLI_METADATA | IB_DELTA_CLI4_METADATA)) || ib_delta_cli_metadata(j, err);
}
