/* delta, private: managed programs, by ECMA-335 partition II and the quirks of the creator of deltas. */
#ifndef IB_DELTA_CLI_INTERNAL_H
#define IB_DELTA_CLI_INTERNAL_H

#include "delta/pe_internal.h"

/* Tables that ECMA-335 and its predecessors know: 0 to 0x2C. */
#define IB_DELTA_CLI_KNOWN 0x2D
#define IB_DELTA_COLUMNS_MAX 9

enum ib_delta_table {
	IB_DELTA_TABLE_TYPEDEF = 0x02,
	IB_DELTA_TABLE_FIELD = 0x04,
	IB_DELTA_TABLE_METHODDEF = 0x06,
	IB_DELTA_TABLE_MEMBERREF = 0x0A,
	IB_DELTA_TABLE_STANDALONESIG = 0x11,
	IB_DELTA_TABLE_PROPERTY = 0x17,
	IB_DELTA_TABLE_TYPESPEC = 0x1B,
	IB_DELTA_TABLE_GENERICPARAM = 0x2A,
};

enum ib_delta_column_kind {
	IB_DELTA_COLUMN_NONE,  /* behind the last */
	IB_DELTA_COLUMN_FIXED, /* what: its bytes; not an index */
	IB_DELTA_COLUMN_RVA,
	IB_DELTA_COLUMN_HEAP,  /* what: enum ib_delta_heap */
	IB_DELTA_COLUMN_TABLE, /* what: the table */
	IB_DELTA_COLUMN_CODED, /* what: the family of tables */
};

struct ib_delta_column {
	uint8_t kind;
	uint8_t what;
};

/* Where the tables of a program lie and how wide their columns are. */
struct ib_delta_cli_tables {
	uint64_t start[IB_DELTA_CLI_KNOWN]; /* file offset */
	uint64_t end;                       /* behind the last table */
	uint32_t rows[IB_DELTA_CLI_KNOWN];
	uint8_t row_size[IB_DELTA_CLI_KNOWN];
	uint8_t width[IB_DELTA_CLI_KNOWN][IB_DELTA_COLUMNS_MAX];
};

struct ib_delta_cli {
	struct ib_delta_cli_layout layout;
	struct ib_delta_cli_tables tables;
	size_t metadata;      /* file offset */
	size_t metadata_size; /* bytes, inside the file */
};

/* Columns of a table; plain: by ECMA-335, else with the creator's extra column. Ends with IB_DELTA_COLUMN_NONE. */
const struct ib_delta_column *ib_delta_cli_columns(unsigned table, bool plain);
/* Sizes and places of all tables of a layout. */
void ib_delta_cli_measure(const struct ib_delta_cli_layout *layout, bool plain, struct ib_delta_cli_tables *ret);
/* The table a coded index names, and the bits of its tag; -1: none. */
int ib_delta_cli_coded(unsigned family, uint32_t value, unsigned *ret_bits);

/* An index, moved: 0 stays. */
static inline uint32_t ib_delta_cli_index(const struct ib_delta_rift *map, uint32_t index)
{
	return index ? (uint32_t)ib_delta_rift_map(map, index) : 0;
}

/* Whether a job's flags ask for the newer handling. */
static inline bool ib_delta_cli_plain(const struct ib_delta_job *j)
{
	return j->flags & (IB_DELTA_CLI4_DISASM | IB_DELTA_CLI4_METADATA);
}

/* Read the source's metadata into the job, if it has any that makes sense. Freed with ib_delta_cli_close(). */
bool ib_delta_cli_open(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
void ib_delta_cli_close(struct ib_delta_job *j);
/* MARK of method bodies. */
bool ib_delta_cli_mark(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
/* CLI_DISASM and CLI_METADATA, as the flags say. */
bool ib_delta_cli_transform(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_cli_tokens(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_cli_metadata(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
/* Map the types in a signature of a row of this table; what changes is written to out, the same place in the source. */
void ib_delta_cli_signature(struct ib_delta_job *j, unsigned table, const uint8_t *sig, size_t size, uint8_t *out);
/* Where heaps and rows of the target stand in the source, added to moves. */
bool ib_delta_cli_moves(struct ib_delta_job *j, struct ib_delta_rift *moves, struct ib_error **err) IB_MUST_CHECK;

#endif
