/** imglab/delta, inside: programs, and what is done to a source before the patch is made against it. */
#ifndef IMGLAB_DELTAPROGRAM_H
#define IMGLAB_DELTAPROGRAM_H

#include "delta_internal.h"

/** Flags by the Windows SDK's numbers: what genuine records of updates carry. */
#define LAB_FLAGS_I386 0xE1FEu
#define LAB_FLAGS_AMD64 0xE63Eu

/** What a record about a program says, and what its patch is made against. */
struct lab_program {
	uint64_t type;          /**< 2: i386, 8: amd64 */
	uint64_t flags;         /**< of the transforms made */
	GByteArray *preprocess; /**< the record's stream; owned */
	uint8_t *source;        /**< transformed; owned (g_free) */
};

/**
 * Transform a source.
 *
 * @param flags  the transforms to make; 0: the usual ones of the machine
 * @param raw    how the target is made of the source as it is; its matches tell where code has moved
 * @param ret    filled when true
 * @return false when source and target are not programs of one machine, or ones whose transforms are not done here:
 *         managed or bound ones, i386 without relocations
 */
bool lab_program_transform(const uint8_t *source, size_t source_size, const uint8_t *target, size_t target_size,
			   uint64_t flags, const struct lab_parse *raw, struct lab_program *ret);

/* ---- parts ---- */

enum lab_flag {
	LAB_FLAG_MARK = 0x2,
	LAB_FLAG_IMPORTS = 0x4,
	LAB_FLAG_EXPORTS = 0x8,
	LAB_FLAG_RESOURCES = 0x10,
	LAB_FLAG_RELOCS = 0x20,
	LAB_FLAG_JMPS = 0x80,
	LAB_FLAG_CALLS = 0x100,
	LAB_FLAG_DISASM = 0x200,
	LAB_FLAG_PDATA = 0x400,
	LAB_FLAG_UNBIND = 0x2000,
};

/** Marks of bytes: no code; rewritten already. */
enum { LAB_MARK_DATA = 1, LAB_MARK_DONE = 2, LAB_MARK_BOTH = 3, LAB_MARK_SEEN = 4 };

#define LAB_PE_SECTIONS 96u
#define LAB_NOWHERE SIZE_MAX

struct lab_pe_section {
	uint32_t size, rva, raw_size, raw, flags;
	size_t header; /* where it stands */
	bool idata;
};

/** A program being transformed. */
struct lab_pe_image {
	uint8_t *bytes;
	uint8_t *marks;
	size_t size;
	uint16_t machine;
	bool plus;
	size_t coff, optional;
	uint64_t base;
	uint32_t image_size, headers_size;
	uint32_t dirs[16][2]; /* RVA, size */
	unsigned sections;
	struct lab_pe_section section[LAB_PE_SECTIONS];
	GArray *map;          /* struct lab_shift: RVAs to those of the target, ascending */
	uint64_t to_base;
};

/** Read headers. @return false: no program, or an odd one */
bool lab_pe_image_read(struct lab_pe_image *pe, uint8_t *bytes, size_t size);
/** File offset of an RVA, LAB_NOWHERE when not need bytes of the file stand there. */
size_t lab_pe_at(const struct lab_pe_image *pe, uint64_t rva, size_t need);
/** RVA of a file offset. */
uint32_t lab_pe_rva(const struct lab_pe_image *pe, size_t at);
/** An RVA as the target has it. */
int64_t lab_pe_map(const struct lab_pe_image *pe, int64_t rva);
/** Mark bytes. */
void lab_pe_mark(struct lab_pe_image *pe, size_t at, size_t n, uint8_t bits);
/** Map the RVA in a field, unless it is zero, and mark it. */
void lab_pe_map_field(struct lab_pe_image *pe, size_t at);

/** The transforms of code; in deltacode.c. */
void lab_pe_disasm(struct lab_pe_image *pe);
void lab_pe_pdata(struct lab_pe_image *pe);
void lab_pe_jmps(struct lab_pe_image *pe);
void lab_pe_calls(struct lab_pe_image *pe);

#endif
