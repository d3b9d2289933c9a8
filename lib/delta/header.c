#include "delta/internal.h"

#define REVERSE_SET 0x100u
#define CONTAINER_MAGIC 0xC0E5510Au
#define FIXED 12u /* magic and FILETIME */

struct hash_id {
	uint64_t id; /* ALG_ID of the Windows CryptoAPI */
	enum ib_digest_algorithm algorithm;
};

static const struct hash_id hash_ids[] = {
	{ 0x8003, IB_DIGEST_MD5 }, { 0x8004, IB_DIGEST_SHA1 }, { 0x800C, IB_DIGEST_SHA256 },
};

static bool read_hash(struct ib_delta_span from, const char *whose, const struct hash_id *id, bool *ret_has,
		      uint8_t *ret, struct ib_error **err)
{
	if (!id || from.size == 0)
		return true;
	if (from.size != ib_digest_size(id->algorithm))
		return ib_throw(err, IB_ERR_INPUT, "the delta's hash of its %s has %zu bytes, %s has %zu", whose,
				from.size, ib_digest_name(id->algorithm), ib_digest_size(id->algorithm));
	memcpy(ret, from.data, from.size);
	*ret_has = true;
	return true;
}

static bool read_fields(struct ib_delta_bits *b, struct ib_delta_info *info, const struct hash_id **ret_id,
			struct ib_error **err)
{
	info->type_set = (uint64_t)ib_delta_int(b);
	info->type = (uint64_t)ib_delta_int(b);
	info->flags = (uint64_t)ib_delta_int(b);
	info->target_size = (uint64_t)ib_delta_int(b);
	uint64_t hash = (uint64_t)ib_delta_int(b);
	struct ib_delta_span target_hash = ib_delta_buffer(b);

	if (b->bad)
		return ib_throw(err, IB_ERR_INPUT, "the delta ends inside its header");
	if (info->target_size > INT64_MAX / 4)
		return ib_throw(err, IB_ERR_INPUT, "the delta wants a target of %" PRIu64 " bytes", info->target_size);
	for (size_t i = 0; i < G_N_ELEMENTS(hash_ids); i++)
		if (hash_ids[i].id == hash)
			*ret_id = &hash_ids[i];
	if (!*ret_id && (hash != 0 || target_hash.size != 0))
		return ib_throw(err, IB_ERR_INPUT, "the delta uses hash algorithm 0x%" PRIx64 ", which is not known",
				hash);
	if (*ret_id)
		info->hash = (*ret_id)->algorithm;
	return read_hash(target_hash, "target", *ret_id, &info->has_target_hash, info->target_hash, err);
}

/* PA31 keeps the fields in a stream of their own, with the hash of the source behind them. */
static bool read_metadata(struct ib_delta_span metadata, struct ib_delta_info *info, struct ib_error **err)
{
	const struct hash_id *id = NULL;
	struct ib_delta_bits b;

	ib_delta_bits_init(&b, metadata.data, metadata.size);
	if (!read_fields(&b, info, &id, err))
		return false;
	(void)ib_delta_int(&b); /* size of the creator's structure */
	(void)ib_delta_int(&b); /* 1: PA31 */
	(void)ib_delta_int(&b); /* version of the client: newer ones bring their own flags, which tell more */
	struct ib_delta_span source_hash = ib_delta_buffer(&b);
	if (b.bad)
		return ib_throw(err, IB_ERR_INPUT, "the delta ends inside its header");
	return read_hash(source_hash, "source", id, &info->has_source_hash, info->source_hash, err);
}

static bool read_stream(struct ib_delta_bits *b, struct ib_delta_record *ret, struct ib_error **err)
{
	const struct hash_id *id = NULL;
	struct ib_delta_info *info = &ret->info;

	if (info->pa31 ? !read_metadata(ib_delta_buffer(b), info, err) : !read_fields(b, info, &id, err))
		return false;
	bool reverse = info->type_set & REVERSE_SET;
	if (!reverse)
		ret->preprocess = ib_delta_buffer(b);
	ret->patch = ib_delta_buffer(b);
	if (b->bad)
		return ib_throw(err, IB_ERR_INPUT, "the delta ends before its patch does");
	info->has_preprocess = ret->preprocess.size > 0;
	info->body = IB_DELTA_BODY_LZX;
	if (reverse)
		info->body = IB_DELTA_BODY_REVERSE;
	else if (ret->patch.size >= 4 && ib_le32(ret->patch.data) == CONTAINER_MAGIC)
		info->body = IB_DELTA_BODY_CONTAINER;
	if (ret->patch.size == 0 && info->target_size > 0)
		return ib_throw(err, IB_ERR_INPUT, "the delta has no patch, but a target of %" PRIu64 " bytes",
				info->target_size);
	return true;
}

static bool is_record(const uint8_t *p, size_t size)
{
	return size >= 4 && memcmp(p, "PA3", 3) == 0 && (p[3] == '0' || p[3] == '1');
}

bool ib_delta_record_read(const uint8_t *data, size_t size, struct ib_delta_record *ret, struct ib_error **err)
{
	struct ib_delta_bits b;
	struct ib_delta_record record = { 0 };

	if (!is_record(data, size)) {
		if (size < 8 || !is_record(data + 4, size - 4))
			return ib_throw(err, IB_ERR_INPUT,
					"this is no delta: neither PA30 nor PA31 stands at its start");
		uint32_t want = ib_le32(data), have = ib_crc32(0, data + 4, size - 4);
		if (want != have)
			return ib_throw(err, IB_ERR_VERIFY, "the delta's CRC-32 is %08x, its bytes have %08x", want,
					have);
		record.info.has_crc = true;
		data += 4;
		size -= 4;
	}
	if (size <= FIXED)
		return ib_throw(err, IB_ERR_INPUT, "the delta has %zu bytes, its header needs more than %u", size,
				FIXED);
	record.info.pa31 = data[3] == '1';
	record.info.time = ib_le64(data + 4);
	ib_delta_bits_init(&b, data + FIXED, size - FIXED);
	if (!read_stream(&b, &record, err))
		return false;
	*ret = record;
	return true;
}

bool ib_delta_info(GBytes *record, struct ib_delta_info *ret, struct ib_error **err)
{
	struct ib_delta_record r;
	gsize size;
	const uint8_t *data = g_bytes_get_data(record, &size);

	if (!ib_delta_record_read(data, size, &r, err))
		return false;
	*ret = r.info;
	return true;
}

/* ---- names ---- */

static const struct {
	uint64_t flag;
	const char *name;
} flag_names[] = {
	{ IB_DELTA_E8, "E8" },
	{ IB_DELTA_MARK, "MARK" },
	{ IB_DELTA_IMPORTS, "IMPORTS" },
	{ IB_DELTA_EXPORTS, "EXPORTS" },
	{ IB_DELTA_RESOURCES, "RESOURCES" },
	{ IB_DELTA_RELOCS, "RELOCS" },
	{ IB_DELTA_I386_SMASHLOCK, "I386_SMASHLOCK" },
	{ IB_DELTA_I386_JMPS, "I386_JMPS" },
	{ IB_DELTA_I386_CALLS, "I386_CALLS" },
	{ IB_DELTA_AMD64_DISASM, "AMD64_DISASM" },
	{ IB_DELTA_AMD64_PDATA, "AMD64_PDATA" },
	{ IB_DELTA_IA64_DISASM, "IA64_DISASM" },
	{ IB_DELTA_IA64_PDATA, "IA64_PDATA" },
	{ IB_DELTA_UNBIND, "UNBIND" },
	{ IB_DELTA_CLI_DISASM, "CLI_DISASM" },
	{ IB_DELTA_CLI_METADATA, "CLI_METADATA" },
	{ IB_DELTA_HEADERS, "HEADERS" },
	{ 0x20000, "IGNORE_FILE_SIZE_LIMIT" },
	{ 0x40000, "IGNORE_OPTIONS_SIZE_LIMIT" },
	{ IB_DELTA_ARM_DISASM, "ARM_DISASM" },
	{ IB_DELTA_ARM_PDATA, "ARM_PDATA" },
	{ IB_DELTA_CLI4_METADATA, "CLI4_METADATA" },
	{ IB_DELTA_CLI4_DISASM, "CLI4_DISASM" },
	{ IB_DELTA_ARM64_DISASM, "ARM64_DISASM" },
	{ IB_DELTA_ARM64_PDATA, "ARM64_PDATA" },
};

char *ib_delta_transforms(uint64_t flags)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(flag_names); i++) {
		if (!(flags & flag_names[i].flag))
			continue;
		g_string_append_printf(text, "%s%s", text->len ? ", " : "", flag_names[i].name);
		flags &= ~flag_names[i].flag;
	}
	if (flags)
		g_string_append_printf(text, "%s0x%" PRIx64, text->len ? ", " : "", flags);
	if (text->len == 0)
		g_string_append(text, "none");
	return g_string_free(text, FALSE);
}

const char *ib_delta_type_name(uint64_t type)
{
	switch (type) {
	case IB_DELTA_RAW: return "RAW";
	case IB_DELTA_I386: return "I386";
	case IB_DELTA_IA64: return "IA64";
	case IB_DELTA_AMD64: return "AMD64";
	case IB_DELTA_CLI4_I386: return "CLI4-I386";
	case IB_DELTA_CLI4_AMD64: return "CLI4-AMD64";
	case IB_DELTA_CLI4_ARM: return "CLI4-ARM";
	case IB_DELTA_CLI4_ARM64: return "CLI4-ARM64";
	}
	return "unknown";
}
