/* delta, private: programs (PE) and what is done to a source before a patch applies to it. */
#ifndef IB_DELTA_PE_INTERNAL_H
#define IB_DELTA_PE_INTERNAL_H

#include "delta/internal.h"

/* Sections a program may have; Windows itself stops at 96. */
#define IB_DELTA_SECTIONS_MAX 256

enum ib_delta_machine {
	IB_DELTA_MACHINE_I386 = 0x14c,
	IB_DELTA_MACHINE_ARM = 0x1c0,
	IB_DELTA_MACHINE_THUMB = 0x1c2,
	IB_DELTA_MACHINE_ARMNT = 0x1c4,
	IB_DELTA_MACHINE_IA64 = 0x200,
	IB_DELTA_MACHINE_AMD64 = 0x8664,
	IB_DELTA_MACHINE_ARM64 = 0xaa64,
};

/* Data directories. */
enum ib_delta_dir {
	IB_DELTA_DIR_EXPORT = 0,
	IB_DELTA_DIR_IMPORT = 1,
	IB_DELTA_DIR_RESOURCE = 2,
	IB_DELTA_DIR_EXCEPTION = 3,
	IB_DELTA_DIR_RELOC = 5,
	IB_DELTA_DIR_DEBUG = 6,
	IB_DELTA_DIR_CLI = 14,
	IB_DELTA_DIRS = 16,
};

struct ib_delta_section {
	char name[9];
	uint32_t va;
	uint32_t virtual_size;
	uint32_t raw;
	uint32_t raw_size;
	uint32_t traits;
	size_t header; /* file offset of its header */
};

/* What the headers of a program say; later changes of its bytes do not matter. */
struct ib_delta_pe {
	size_t size;      /* of the file */
	size_t coff;      /* file offset of the COFF header */
	size_t optional;  /* file offset of the optional header */
	uint16_t machine;
	bool plus;        /* PE32+ */
	uint64_t image_base;
	uint32_t image_size;
	uint32_t headers_size;
	struct {
		uint32_t rva;
		uint32_t size;
	} dirs[IB_DELTA_DIRS];
	unsigned section_count;
	struct ib_delta_section sections[IB_DELTA_SECTIONS_MAX];
};

bool ib_delta_pe_read(const uint8_t *data, size_t size, struct ib_delta_pe *ret, struct ib_error **err) IB_MUST_CHECK;

#define IB_DELTA_NOWHERE SIZE_MAX

/* File offset of an RVA; IB_DELTA_NOWHERE when fewer than need bytes of the file stand there. */
size_t ib_delta_pe_offset(const struct ib_delta_pe *pe, uint64_t rva, size_t need);
/* Bytes a section covers in memory or in the file, whichever are more. */
uint32_t ib_delta_section_extent(const struct ib_delta_section *s);

/* ---- what the preprocess stream of a record says ---- */

enum ib_delta_heap {
	IB_DELTA_STRINGS,
	IB_DELTA_US,
	IB_DELTA_BLOB,
	IB_DELTA_GUID,
	IB_DELTA_HEAPS,
	IB_DELTA_TABLES = IB_DELTA_HEAPS, /* #~ */
	IB_DELTA_STREAMS,
};

#define IB_DELTA_TABLE_COUNT 64

/* Where the metadata of a managed program lies, in its file. */
struct ib_delta_cli_layout {
	bool present;
	struct {
		uint32_t offset;
		uint32_t size;
	} streams[IB_DELTA_STREAMS];
	bool wide[IB_DELTA_HEAPS]; /* indexes have 4 bytes; never for #US, which no table names */
	uint64_t valid;            /* tables that are there */
	uint32_t rows[IB_DELTA_TABLE_COUNT];
};

/* How indexes into heaps and tables move from source to target. */
struct ib_delta_cli_map {
	bool present;
	struct ib_delta_rift heaps[IB_DELTA_HEAPS];
	struct ib_delta_rift tables[IB_DELTA_TABLE_COUNT];
};

struct ib_delta_program {
	uint64_t image_base; /* of the target */
	uint32_t timestamp;  /* of the target */
	struct ib_delta_rift to_file;   /* target RVA to target file offset */
	struct ib_delta_rift to_target; /* source RVA to target RVA */
	struct ib_delta_cli_layout cli; /* of the target */
	struct ib_delta_cli_map cli_map;
};

/* limit: entries of one rift. Free with ib_delta_program_clear(), also on failure. */
bool ib_delta_program_read(struct ib_delta_span preprocess, size_t limit, struct ib_delta_program *ret,
			   struct ib_error **err) IB_MUST_CHECK;
void ib_delta_program_clear(struct ib_delta_program *p);
/* The managed parts of it. */
bool ib_delta_cli_layout_read(struct ib_delta_bits *b, struct ib_delta_cli_layout *ret,
			      struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_cli_map_read(struct ib_delta_bits *b, size_t limit, struct ib_delta_cli_map *ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- the transforms ---- */

/* Marks, one byte for each of the source. */
#define IB_DELTA_DATA 1u    /* no code stands here */
#define IB_DELTA_DONE 2u    /* rewritten, or to be left alone */
#define IB_DELTA_SEEN 4u    /* a resource that has been walked to */
#define IB_DELTA_BOTH (IB_DELTA_DATA | IB_DELTA_DONE)

/* The stretch of RVAs that the last look-up fell into. */
struct ib_delta_cache {
	int64_t low;
	int64_t high;
	uint64_t shift;
};

struct ib_delta_cli;

/* A source on its way to what the patch was made against. */
struct ib_delta_job {
	struct ib_delta_pe pe; /* as the source's headers say; borrowed by all steps */
	uint8_t *bytes;
	uint8_t *marks;
	size_t size;
	uint64_t flags;
	const struct ib_delta_program *to;
	struct ib_delta_cache near_cache; /* for positions of code as it is walked */
	struct ib_delta_cache far_cache;
	struct ib_delta_cli *cli; /* the source's metadata; NULL when it is not managed */
	uint64_t work; /* steps left before this is no honest program any more */
};

/* Where a cache miss is looked up. */
int64_t ib_delta_map_slow(const struct ib_delta_rift *r, struct ib_delta_cache *c, int64_t x);

static inline int64_t ib_delta_map_cached(const struct ib_delta_rift *r, struct ib_delta_cache *c, int64_t x)
{
	if (G_LIKELY(x >= c->low && x < c->high))
		return (int64_t)((uint64_t)x + c->shift);
	return ib_delta_map_slow(r, c, x);
}

/* An RVA of the source as one of the target. */
static inline int64_t ib_delta_map(struct ib_delta_job *j, int64_t rva)
{
	return ib_delta_map_cached(&j->to->to_target, &j->far_cache, rva);
}

static inline void ib_delta_mark(struct ib_delta_job *j, size_t at, size_t n, uint8_t bits)
{
	n = at < j->size ? MIN(n, j->size - at) : 0;
	for (size_t i = 0; i < n; i++)
		j->marks[at + i] |= bits;
}

/* Count steps; false when honest programs would long be done. */
bool ib_delta_spend(struct ib_delta_job *j, uint64_t steps, struct ib_error **err) IB_MUST_CHECK;
/* An RVA field at a file offset: map it and mark it, unless it is zero or outside the file. */
void ib_delta_map_field(struct ib_delta_job *j, size_t at);

bool ib_delta_unbind(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_imports(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_exports(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_resources(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_relocs(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_i386_jmps(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_i386_calls(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_amd64_disasm(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;
bool ib_delta_amd64_pdata(struct ib_delta_job *j, struct ib_error **err) IB_MUST_CHECK;

/* An instruction of 64-bit code. */
struct ib_delta_instruction {
	uint8_t length;   /* bytes, at least 1 */
	uint8_t relative; /* where in it a 32-bit distance to the next instruction stands; 0: none */
};
/* The length of the instruction at code, of which n bytes (at least 1) may be looked at. */
struct ib_delta_instruction ib_delta_amd64_length(const uint8_t *code, size_t n);

/* File offsets of the source as RVAs, by its sections. ret holds max only on entry. */
bool ib_delta_file_to_rva(const struct ib_delta_pe *pe, struct ib_delta_rift *ret, struct ib_error **err) IB_MUST_CHECK;

/*
 * All transforms of a record on a source: bytes is a copy of it and becomes what the patch applies to. moves (max set):
 * where the target's bytes stand in it.
 */
bool ib_delta_transform(uint8_t *bytes, size_t size, const struct ib_delta_program *to, uint64_t flags,
			struct ib_delta_rift *moves, struct ib_error **err) IB_MUST_CHECK;
/* Calls of an i386 target from places back to distances (flag E8); the last tail bytes, at least 4, begin none. */
void ib_delta_e8(uint8_t *bytes, size_t size, unsigned tail);

#endif
