/* The component store's compressed files: a four-byte kind, then a delta or blocks of LZMS. */
#include "delta/pe_internal.h"

#include "codec/codec.h"

#define DICTIONARY_TYPE 614u
#define DICTIONARY_NAME 1u

enum ib_dcm_kind ib_dcm_kind(GBytes *bytes)
{
	static const char letters[] = "DNHMSX"; /* in the order of the numbers */
	struct ib_delta_span s = ib_delta_span_of(bytes);
	const char *at;

	if (s.size < 4 || s.data[0] != 'D' || s.data[1] != 'C' || s.data[2] == 0 || s.data[3] != 1)
		return IB_DCM_NONE;
	at = strchr(letters, s.data[2]);
	return at ? (enum ib_dcm_kind)(at - letters + 1) : IB_DCM_NONE;
}

static bool decode_delta(struct ib_delta_span s, size_t skip, struct ib_delta_span basis, GBytes **ret,
			 struct ib_error **err)
{
	struct ib_delta_record record;

	if (s.size < skip)
		return ib_throw(err, IB_ERR_INPUT, "the compressed file has %zu bytes, its header needs %zu", s.size,
				skip);
	if (!ib_delta_record_read(s.data + skip, s.size - skip, &record, err))
		return false;
	if (record.info.target_size > IB_DCM_MAX)
		return ib_throw(err, IB_ERR_INPUT,
				"the compressed file holds %" PRIu64 " bytes, at most %" PRIu64 " are accepted",
				record.info.target_size, IB_DCM_MAX);
	return ib_delta_decode(basis, &record, true, ret, err);
}

static bool decode_block(struct ib_reader *r, uint8_t *out, size_t left, size_t *ret_plain, struct ib_error **err)
{
	struct ib_decompressor *d;
	size_t stored = ib_reader_le32(r), plain = ib_reader_le32(r);
	const uint8_t *in = stored < 4 ? NULL : ib_reader_take(r, stored - 4);

	if (!in || plain > left || stored - 4 > plain)
		return ib_throw(err, IB_ERR_INPUT,
				"the compressed file has a bad block: %zu bytes for %zu, where %zu are left", stored,
				plain, left);
	*ret_plain = plain;
	if (stored - 4 == plain) {
		memcpy(out, in, plain);
		return true;
	}
	if (!ib_decompressor_new(IB_CODEC_LZMS, MAX(plain, 1), &d, err))
		return false;
	bool ok = ib_decompress(d, in, stored - 4, out, plain);
	ib_decompressor_free(d);
	return ok || ib_throw(err, IB_ERR_INPUT, "the compressed file's LZMS data is damaged");
}

static bool decode_blocks(struct ib_delta_span s, GBytes **ret, struct ib_error **err)
{
	struct ib_reader r = ib_reader_over(s.data, s.size);
	g_autofree uint8_t *out = NULL;
	size_t at = 0;

	ib_reader_seek(&r, 4);
	uint32_t blocks = ib_reader_le32(&r);
	size_t total = ib_reader_le32(&r);
	if (r.bad || total > IB_DCM_MAX)
		return ib_throw(err, IB_ERR_INPUT,
				"the compressed file holds %zu bytes, at most %" PRIu64 " are accepted", total,
				IB_DCM_MAX);
	if (!ib_delta_alloc(total, &out, err))
		return false;
	for (uint32_t i = 0; i < blocks; i++) { /* a block takes 8 bytes at least, so this ends */
		size_t plain = 0;
		if (!decode_block(&r, out + at, total - at, &plain, err))
			return false;
		at += plain;
	}
	if (at != total || r.at != r.size)
		return ib_throw(err, IB_ERR_INPUT,
				"the compressed file's blocks hold %zu of %zu bytes and leave %zu over", at, total,
				r.size - r.at);
	*ret = g_bytes_new_take(g_steal_pointer(&out), total);
	return true;
}

bool ib_dcm_decode(GBytes *bytes, GBytes *basis, GBytes **ret, struct ib_error **err)
{
	static const struct ib_delta_span nothing = { .data = (const uint8_t *)"" };
	struct ib_delta_span s = ib_delta_span_of(bytes);
	enum ib_dcm_kind kind = ib_dcm_kind(bytes);

	switch (kind) {
	case IB_DCM_DCN:
		return decode_delta(s, 4, nothing, ret, err);
	case IB_DCM_DCS:
		return decode_blocks(s, ret, err);
	case IB_DCM_DCM:
	case IB_DCM_DCD:
		if (!basis)
			return ib_throw(err, IB_ERR_INPUT, kind == IB_DCM_DCM ?
					"a DCM manifest needs the dictionary out of wcp.dll" :
					"a DCD file needs the file it was made against");
		return decode_delta(s, kind == IB_DCM_DCM ? 4 : 12, ib_delta_span_of(basis), ret, err);
	case IB_DCM_DCH:
		return ib_throw(err, IB_ERR_INPUT, "a DCH file is a header and holds no file");
	case IB_DCM_DCX:
		return ib_throw(err, IB_ERR_INPUT, "the form of DCX files is not known");
	case IB_DCM_NONE:
		break;
	}
	return ib_throw(err, IB_ERR_INPUT, "this is no compressed file of the component store");
}

/* ---- the dictionary ---- */

bool ib_dcm_dictionary_usual(GBytes *dictionary)
{
	static const char usual[] = "0ad8f100f1c56f4a1aad990defade9191f7d5be929b930a04160ebbf99cd6b46";
	struct ib_delta_span s = ib_delta_span_of(dictionary);
	uint8_t hash[IB_SHA256_SIZE];

	ib_digest_bytes(IB_DIGEST_SHA256, s.data, s.size, hash);
	g_autofree char *text = ib_hex(hash, sizeof(hash));
	return strcmp(text, usual) == 0;
}

/*
 * In a resource directory at dir of the tree, the offset a child has: the one with this number, or the first one.
 * 0 when there is none: nothing points to the root.
 */
static uint32_t find_child(struct ib_delta_span tree, uint32_t dir, bool any, uint32_t id)
{
	if (dir > tree.size || tree.size - dir < 16)
		return 0;
	size_t count = (size_t)ib_le16(tree.data + dir + 12) + ib_le16(tree.data + dir + 14);
	const uint8_t *entry = tree.data + dir + 16;
	count = MIN(count, (tree.size - dir - 16) / 8);
	for (size_t i = 0; i < count; i++, entry += 8)
		if (any || ib_le32(entry) == id)
			return ib_le32(entry + 4);
	return 0;
}

bool ib_dcm_dictionary(GBytes *wcp, GBytes **ret, struct ib_error **err)
{
	const uint32_t below = UINT32_C(1) << 31; /* the child is a directory */
	struct ib_delta_span s = ib_delta_span_of(wcp);
	g_autofree struct ib_delta_pe *pe = g_new(struct ib_delta_pe, 1);

	if (!ib_delta_pe_read(s.data, s.size, pe, err))
		return ib_while(err, "looking for the manifest dictionary");
	size_t at = ib_delta_pe_offset(pe, pe->dirs[IB_DELTA_DIR_RESOURCE].rva, 16);
	if (pe->dirs[IB_DELTA_DIR_RESOURCE].rva == 0 || at == IB_DELTA_NOWHERE)
		return ib_throw(err, IB_ERR_INPUT, "the program has no resources, so no manifest dictionary");
	struct ib_delta_span tree = { .data = s.data + at, .size = s.size - at };
	uint32_t child = find_child(tree, 0, false, DICTIONARY_TYPE);
	child = child & below ? find_child(tree, child & ~below, false, DICTIONARY_NAME) : 0;
	child = child & below ? find_child(tree, child & ~below, true, 0) : 0;
	if (child == 0 || child & below || child > tree.size || tree.size - child < 16)
		return ib_throw(err, IB_ERR_INPUT, "the program has no resource %u/%u, the manifest dictionary",
				DICTIONARY_TYPE, DICTIONARY_NAME);
	uint32_t rva = ib_le32(tree.data + child), size = ib_le32(tree.data + child + 4);
	at = ib_delta_pe_offset(pe, rva, size);
	if (at == IB_DELTA_NOWHERE)
		return ib_throw(err, IB_ERR_INPUT, "the manifest dictionary (%u bytes at 0x%x) leaves the program",
				size, rva);
	*ret = g_bytes_new(s.data + at, size);
	return true;
}
