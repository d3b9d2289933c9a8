/* Headers of programs, by the public PE/COFF specification. */
#include "delta/pe_internal.h"

#define PE32 0x10bu
#define PE32_PLUS 0x20bu
#define SECTION_HEADER 40u

static bool throw_no_program(struct ib_error **err, const char *why)
{
	return ib_throw(err, IB_ERR_INPUT, "the source is no program that can be transformed: %s", why);
}

static bool read_optional(const uint8_t *data, size_t size, size_t header_size, struct ib_delta_pe *pe,
			  struct ib_error **err)
{
	const uint8_t *p = data + pe->optional;

	if (header_size < 2 || pe->optional + header_size > size)
		return throw_no_program(err, "its optional header leaves the file");
	uint16_t magic = ib_le16(p);
	if (magic != PE32 && magic != PE32_PLUS)
		return throw_no_program(err, "its optional header is neither PE32 nor PE32+");
	pe->plus = magic == PE32_PLUS;
	size_t dirs = pe->plus ? 112 : 96;
	if (header_size < dirs)
		return throw_no_program(err, "its optional header is too short");
	pe->image_base = pe->plus ? ib_le64(p + 24) : ib_le32(p + 28);
	pe->image_size = ib_le32(p + 56);
	pe->headers_size = ib_le32(p + 60);
	size_t count = MIN(MIN(ib_le32(p + dirs - 4), (header_size - dirs) / 8), IB_DELTA_DIRS);
	for (size_t i = 0; i < count; i++) {
		pe->dirs[i].rva = ib_le32(p + dirs + 8 * i);
		pe->dirs[i].size = ib_le32(p + dirs + 8 * i + 4);
	}
	return true;
}

static void read_section(const uint8_t *p, size_t at, struct ib_delta_section *s)
{
	memcpy(s->name, p, 8);
	s->name[8] = 0;
	s->virtual_size = ib_le32(p + 8);
	s->va = ib_le32(p + 12);
	s->raw_size = ib_le32(p + 16);
	s->raw = ib_le32(p + 20);
	s->traits = ib_le32(p + 36);
	s->header = at;
}

bool ib_delta_pe_read(const uint8_t *data, size_t size, struct ib_delta_pe *ret, struct ib_error **err)
{
	if (size < 64 || data[0] != 'M' || data[1] != 'Z')
		return throw_no_program(err, "it does not begin with MZ");
	size_t nt = ib_le32(data + 60);
	if (nt > size || size - nt < 24 || memcmp(data + nt, "PE\0\0", 4) != 0)
		return throw_no_program(err, "it has no PE header");
	memset(ret, 0, sizeof(*ret));
	ret->size = size;
	ret->coff = nt + 4;
	ret->optional = nt + 24;
	ret->machine = ib_le16(data + nt + 4);
	size_t header_size = ib_le16(data + nt + 20), sections = ib_le16(data + nt + 6);
	if (!read_optional(data, size, header_size, ret, err))
		return false;
	size_t at = ret->optional + header_size;
	if (sections > IB_DELTA_SECTIONS_MAX)
		return ib_throw(err, IB_ERR_INPUT, "the source program has %zu sections, at most %d are accepted",
				sections, IB_DELTA_SECTIONS_MAX);
	if (sections * SECTION_HEADER > size - at)
		return throw_no_program(err, "its section headers leave the file");
	for (size_t i = 0; i < sections; i++, at += SECTION_HEADER)
		read_section(data + at, at, &ret->sections[i]);
	ret->section_count = (unsigned)sections;
	return true;
}

uint32_t ib_delta_section_extent(const struct ib_delta_section *s)
{
	return MAX(s->virtual_size, s->raw_size);
}

static uint64_t place(const struct ib_delta_pe *pe, uint64_t rva)
{
	if (rva < pe->headers_size)
		return rva;
	for (unsigned i = 0; i < pe->section_count; i++) {
		const struct ib_delta_section *s = &pe->sections[i];
		if (rva >= s->va && rva - s->va < ib_delta_section_extent(s))
			return s->raw + (rva - s->va);
	}
	return UINT64_MAX;
}

size_t ib_delta_pe_offset(const struct ib_delta_pe *pe, uint64_t rva, size_t need)
{
	uint64_t at = place(pe, rva);

	return at > pe->size || need > pe->size - at ? IB_DELTA_NOWHERE : (size_t)at;
}
