/* The digest by which catalogs know a program: its content without what signing changes. */
#include "trust/trust.h"

#include <string.h>

/* Offsets behind the PE signature's place: Microsoft PE/COFF specification, "Windows Authenticode PE Signature Format". */
#define OPTIONAL_HEADER 24u
#define CHECKSUM (OPTIONAL_HEADER + 64)
#define CERTIFICATES_32 (OPTIONAL_HEADER + 128)
#define CERTIFICATES_64 (OPTIONAL_HEADER + 144)
#define HEADER_MAX (CERTIFICATES_64 + 8)

struct range {
	uint64_t from, to;
};

static bool add_range(struct ib_digest *d, struct ib_input *in, struct range r, struct ib_error **err)
{
	uint8_t buf[65536];

	while (r.from < r.to) {
		size_t n = (size_t)MIN(r.to - r.from, sizeof(buf));
		if (!ib_input_read(in, r.from, buf, n, err))
			return false;
		ib_digest_update(d, buf, n);
		r.from += n;
	}
	return true;
}

/* Where checksum and certificate entry lie, and where the content ends. @return false: no program */
static bool layout(struct ib_input *in, uint64_t *ret_pe, uint64_t *ret_entry, uint64_t *ret_end)
{
	uint8_t dos[64], head[HEADER_MAX];
	ib_auto_error ignored = NULL;
	uint64_t size = ib_input_size(in);

	if (size < sizeof(dos) || !ib_input_read(in, 0, dos, sizeof(dos), &ignored) || memcmp(dos, "MZ", 2))
		return false;
	uint64_t pe = ib_le32(dos + 60);
	if (pe > size || size - pe < HEADER_MAX || !ib_input_read(in, pe, head, sizeof(head), &ignored) ||
	    memcmp(head, "PE\0\0", 4))
		return false;
	uint16_t magic = ib_le16(head + OPTIONAL_HEADER);
	if (magic != 0x10b && magic != 0x20b)
		return false;
	uint32_t at = magic == 0x20b ? CERTIFICATES_64 : CERTIFICATES_32;
	uint64_t table = ib_le32(head + at), length = ib_le32(head + at + 4);
	/* Bytes behind the certificates would be signed by nobody. */
	if (table && (table < pe + at + 8 || table > size || table + length != size))
		return false;
	*ret_pe = pe;
	*ret_entry = pe + at;
	*ret_end = table ? table : size;
	return true;
}

bool ib_authenticode_digest(struct ib_input *in, enum ib_digest_algorithm algorithm, bool pad, uint8_t *ret,
			    bool *ret_program, struct ib_error **err)
{
	static const uint8_t zeros[8];
	uint64_t pe, entry, end;

	*ret_program = layout(in, &pe, &entry, &end);
	if (!*ret_program)
		return true;
	struct ib_digest *d = ib_digest_new(algorithm);
	bool ok = add_range(d, in, (struct range){ 0, pe + CHECKSUM }, err) &&
		  add_range(d, in, (struct range){ pe + CHECKSUM + 4, entry }, err) &&
		  add_range(d, in, (struct range){ entry + 8, end }, err);
	if (pad)
		ib_digest_update(d, zeros, (size_t)(8 - end % 8) % 8);
	if (ok)
		ib_digest_final(d, ret);
	ib_digest_free(d);
	return ok;
}
