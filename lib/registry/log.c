/*
 * Dirty hives. Windows writes changes to a log first and to the hive later; a
 * hive whose two sequence numbers differ is only whole together with its log.
 *
 * Two forms of log: since Windows 8.1 entries 'HvLE', each guarded by two
 * Marvin32 hashes; before that one 'DIRT' bitmap of 512-byte sectors.
 */
#include "registry/internal.h"

#define SECTOR 512u
#define LOG_TYPE_ENTRIES 6u
#define HASH_SEED UINT64_C(0x82EF4D887A4E55C5)

/* Offsets inside an HvLE entry. */
enum { LE_SIZE = 4, LE_SEQ = 12, LE_BINS = 16, LE_PAGES = 20, LE_HASH1 = 24, LE_HASH2 = 32, LE_REFS = 40 };

struct log {
	const uint8_t *data;
	size_t size;
	uint32_t first; /* sequence of its first entry */
	bool entries;
	bool valid;
};

static uint32_t rotate(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void mix(uint32_t *lo, uint32_t *hi, uint32_t word)
{
	*lo += word;
	*hi ^= *lo;
	*lo = rotate(*lo, 20) + *hi;
	*hi = rotate(*hi, 9) ^ *lo;
	*lo = rotate(*lo, 27) + *hi;
	*hi = rotate(*hi, 19);
}

uint64_t ib_registry_marvin32(uint64_t seed, const uint8_t *p, size_t len)
{
	uint32_t lo = (uint32_t)seed, hi = (uint32_t)(seed >> 32);
	uint32_t last = 0x80;

	for (; len >= 4; len -= 4, p += 4)
		mix(&lo, &hi, ib_le32(p));
	while (len > 0)
		last = last << 8 | p[--len];
	mix(&lo, &hi, last);
	mix(&lo, &hi, 0);
	return (uint64_t)hi << 32 | lo;
}

static bool base_is_sound(const uint8_t *b)
{
	return memcmp(b, "regf", 4) == 0 && ib_le32(b + BB_SUM) == ib_registry_checksum(b);
}

/* The entry at an offset, or NULL when none of this sequence begins there whole and unharmed. */
static const uint8_t *entry_at(const struct log *log, size_t at)
{
	const uint8_t *e = log->data + at;

	if (at > log->size || log->size - at < SECTOR || memcmp(e, "HvLE", 4) != 0)
		return NULL;
	uint32_t size = ib_le32(e + LE_SIZE);
	if (size < SECTOR || size % SECTOR || size > log->size - at)
		return NULL;
	if (ib_le32(e + LE_PAGES) > (size - LE_REFS) / 8)
		return NULL;
	if (ib_registry_marvin32(HASH_SEED, e + LE_REFS, size - LE_REFS) != ib_le64(e + LE_HASH1) ||
	    ib_registry_marvin32(HASH_SEED, e, LE_HASH2) != ib_le64(e + LE_HASH2))
		return NULL;
	return e;
}

static struct log open_log(GBytes *bytes)
{
	struct log log = { 0 };

	if (!bytes)
		return log;
	log.data = g_bytes_get_data(bytes, &log.size);
	if (log.size < 2 * SECTOR || !base_is_sound(log.data))
		return log;
	log.entries = ib_le32(log.data + BB_TYPE) == LOG_TYPE_ENTRIES;
	if (log.entries) {
		const uint8_t *e = entry_at(&log, SECTOR);
		log.valid = e != NULL;
		log.first = e ? ib_le32(e + LE_SEQ) : 0;
	} else {
		log.valid = memcmp(log.data + SECTOR, "DIRT", 4) == 0 &&
			    ib_le32(log.data + BB_SEQ1) == ib_le32(log.data + BB_SEQ2);
		log.first = ib_le32(log.data + BB_SEQ1);
	}
	return log;
}

/* The hive being repaired. */
struct repair {
	uint8_t *file;
	size_t size;  /* bytes in file */
	size_t limit; /* it cannot grow past the hive and its logs together */
	uint32_t last; /* sequence of the last change applied */
	unsigned applied;
	unsigned pages; /* written */
};

static bool resize(struct repair *r, uint32_t bins)
{
	size_t size = BASE_BLOCK + (size_t)bins;

	if (bins % BIN_UNIT || size > r->limit)
		return false;
	if (size > r->size) {
		memset(r->file + r->size, 0, size - r->size);
		r->size = size;
	}
	ib_put_le32(r->file + BB_BINS, bins);
	return true;
}

/* Apply one entry; false when a page does not fit (nothing is changed then). */
static bool apply_entry(struct repair *r, const uint8_t *e)
{
	uint32_t size = ib_le32(e + LE_SIZE), pages = ib_le32(e + LE_PAGES), bins = ib_le32(e + LE_BINS);
	size_t from = LE_REFS + 8 * (size_t)pages;

	for (uint32_t i = 0; i < pages; i++) {
		uint32_t at = ib_le32(e + LE_REFS + 8 * (size_t)i), len = ib_le32(e + LE_REFS + 8 * (size_t)i + 4);
		if (at > bins || len > bins - at || len > size - from)
			return false;
		from += len;
	}
	if (!resize(r, bins))
		return false;
	from = LE_REFS + 8 * (size_t)pages;
	for (uint32_t i = 0; i < pages; i++) {
		uint32_t at = ib_le32(e + LE_REFS + 8 * (size_t)i), len = ib_le32(e + LE_REFS + 8 * (size_t)i + 4);
		memcpy(r->file + BASE_BLOCK + at, e + from, len);
		from += len;
	}
	r->pages += pages;
	return true;
}

/* Entries in order, as long as they are whole and no sequence number is missing. */
static void apply_entries(struct repair *r, const struct log *log, uint32_t hive_seq)
{
	const uint8_t *e;

	for (size_t at = SECTOR; (e = entry_at(log, at)) != NULL; at += ib_le32(e + LE_SIZE)) {
		uint32_t seq = ib_le32(e + LE_SEQ);
		if (seq < hive_seq || (r->applied && seq <= r->last))
			continue; /* already in the hive */
		if (r->applied && seq != r->last + 1)
			return;
		if (!apply_entry(r, e))
			return;
		r->last = seq;
		r->applied++;
	}
}

/* Sectors named by the bitmap follow it, packed. All is checked before anything is changed. */
static void apply_sectors(struct repair *r, const struct log *log, uint32_t hive_seq)
{
	uint32_t bins = ib_le32(log->data + BB_BINS);
	size_t map = SECTOR + 4, from = (map + bins / BIN_UNIT + SECTOR - 1) / SECTOR * SECTOR, need = 0;

	if (log->first < hive_seq || bins % BIN_UNIT || from > log->size)
		return;
	for (size_t i = 0; i < bins / SECTOR; i++)
		need += log->data[map + i / 8] >> (i % 8) & 1;
	if (need == 0 || need > (log->size - from) / SECTOR || !resize(r, bins))
		return;
	for (size_t i = 0; i < bins / SECTOR; i++) {
		if (!(log->data[map + i / 8] >> (i % 8) & 1))
			continue;
		memcpy(r->file + BASE_BLOCK + i * SECTOR, log->data + from, SECTOR);
		from += SECTOR;
	}
	r->last = log->first;
	r->pages += (unsigned)need;
	r->applied++;
}

/* Take what the logs hold into a copy of the hive. *ret is NULL when they hold nothing for it. */
static bool replay(GBytes *file, struct log logs[2], struct ib_hive_info *info, GBytes **ret, struct ib_error **err)
{
	struct repair r = { 0 };
	const uint8_t *p = g_bytes_get_data(file, &r.size);
	bool sound = base_is_sound(p);
	uint32_t seq = sound ? ib_le32(p + BB_SEQ2) : 0;

	/* the older log first: the newer one may go on where it ends */
	if (logs[1].valid && (!logs[0].valid || logs[1].first < logs[0].first)) {
		struct log first = logs[1];
		logs[1] = logs[0];
		logs[0] = first;
	}
	*ret = NULL;
	if (!logs[0].valid)
		return true;
	r.limit = r.size + logs[0].size + logs[1].size;
	r.file = g_try_malloc(r.limit);
	if (!r.file)
		return ib_throw_memory(err);
	memcpy(r.file, p, r.size);
	if (!sound) { /* the log begins with a copy of the base block */
		memcpy(r.file, logs[0].data, SECTOR);
		ib_put_le32(r.file + BB_TYPE, 0);
	}
	for (unsigned i = 0; i < 2 && logs[i].valid; i++) {
		if (logs[i].entries)
			apply_entries(&r, &logs[i], seq);
		else
			apply_sectors(&r, &logs[i], seq);
	}
	if (r.applied == 0) {
		g_free(r.file);
		return true;
	}
	/* Windows goes on counting behind the last entry. */
	ib_put_le32(r.file + BB_SEQ1, r.last + 1);
	ib_put_le32(r.file + BB_SEQ2, r.last + 1);
	ib_put_le32(r.file + BB_SUM, ib_registry_checksum(r.file));
	*ret = g_bytes_new_take(r.file, r.size);
	info->replayed = r.applied;
	info->pages = r.pages;
	return true;
}

bool ib_registry_recover(GBytes *file, const struct ib_hive_options *options, struct ib_hive_info *info, GBytes **ret,
			 struct ib_error **err)
{
	const uint8_t *p = g_bytes_get_data(file, NULL);
	const char *name = options->name ? options->name : "hive";
	uint32_t seq1 = ib_le32(p + BB_SEQ1), seq2 = ib_le32(p + BB_SEQ2);
	bool sound = base_is_sound(p);
	struct log logs[2] = { open_log(options->log1), open_log(options->log2) };

	if (sound && seq1 == seq2) {
		*ret = g_bytes_ref(file);
		return true;
	}
	info->dirty = true;
	if (!replay(file, logs, info, ret, err))
		return false;
	if (*ret)
		return true;
	if (options->accept_dirty) {
		*ret = g_bytes_ref(file);
		return true;
	}
	if (!sound)
		ib_throw(err, IB_ERR_INPUT, "hive '%s' has checksum 0x%08x at offset 0x1fc, its base block gives 0x%08x",
			 name, ib_le32(p + BB_SUM), ib_registry_checksum(p));
	else
		ib_throw(err, IB_ERR_INPUT,
			 "hive '%s' is dirty (sequence numbers %u and %u at offset 0x4), and no log completes it", name,
			 seq1, seq2);
	return ib_hint(err, "put its .LOG1 and .LOG2 beside it, or take it as it is with --accept-dirty-hive");
}
