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

/* What the preprocess stream of a record says. */
struct ib_delta_cli_record;
struct ib_delta_cli_map;

#endif
