/* Dirty hives and their logs. */
#include "registry/internal.h"

#include <criterion/criterion.h>

#define SEED UINT64_C(0x82EF4D887A4E55C5)

/* Published test vectors of Marvin32. */
Test(registry_log, marvin32)
{
	static const struct { const char *data; size_t len; uint64_t hash; } cases[] = {
		{ "", 0, UINT64_C(0x30ED35C100CD3C7D) },
		{ "\xAF", 1, UINT64_C(0x48E73FC77D75DDC1) },
		{ "\xE7\x0F", 2, UINT64_C(0xB5F6E1FC485DBFF8) },
		{ "\x37\xF4\x95", 3, UINT64_C(0xF0B07C789B8CF7E8) },
		{ "\x86\x42\xDC\x59", 4, UINT64_C(0x7008F2E87E9CF556) },
		{ "\x15\x3F\xB7\x98\x26", 5, UINT64_C(0xE6C08C6DA2AFA997) },
		{ "\x09\x32\xE6\x24\x6C\x47", 6, UINT64_C(0x6F04BF1A5EA24060) },
		{ "\xAB\x42\x7E\xA8\xD1\x0F\xC7", 7, UINT64_C(0xE11847E4F0678C41) },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_expect_eq(ib_registry_marvin32(UINT64_C(0x004FB61A001BDBCC), (const uint8_t *)cases[i].data,
						  cases[i].len), cases[i].hash, "case %zu", i);
}

/* State n of one hive: more keys with each. */
static GBytes *state(unsigned n)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k;
	GBytes *bytes = NULL;

	for (unsigned i = 0; i < n * 100; i++) {
		g_autofree char *path = g_strdup_printf("State%u\\Key%u", n, i);
		cr_assert(ib_key_make(h, ib_hive_root(h), path, &k, &err));
	}
	cr_assert(ib_hive_save(h, n, &bytes, &err));
	ib_hive_free(h);
	return bytes;
}

static void seal(uint8_t *base)
{
	ib_put_le32(base + BB_SUM, ib_registry_checksum(base));
}

/* A copy of a hive with these sequence numbers. */
static GBytes *with_sequences(GBytes *hive, uint32_t one, uint32_t two)
{
	size_t size;
	const void *p = g_bytes_get_data(hive, &size);
	uint8_t *copy = g_memdup2(p, size);

	ib_put_le32(copy + BB_SEQ1, one);
	ib_put_le32(copy + BB_SEQ2, two);
	seal(copy);
	return g_bytes_new_take(copy, size);
}

/* A log's 512 bytes: the hive's base block with another type. */
static GByteArray *new_log(GBytes *hive, uint32_t type, uint32_t seq)
{
	GByteArray *log = g_byte_array_new();

	g_byte_array_append(log, g_bytes_get_data(hive, NULL), 512);
	ib_put_le32(log->data + BB_TYPE, type);
	ib_put_le32(log->data + BB_SEQ1, seq);
	ib_put_le32(log->data + BB_SEQ2, seq);
	seal(log->data);
	return log;
}

/* An entry with all pages that differ between two states. */
static void add_entry(GByteArray *log, GBytes *from, GBytes *to, uint32_t seq)
{
	size_t had, size;
	const uint8_t *old = g_bytes_get_data(from, &had), *new = g_bytes_get_data(to, &size);
	g_autoptr(GByteArray) refs = g_byte_array_new();
	g_autoptr(GByteArray) pages = g_byte_array_new();
	uint8_t word[8], head[40] = "HvLE";

	for (size_t at = BASE_BLOCK; at < size; at += 4096) {
		if (at < had && memcmp(old + at, new + at, 4096) == 0)
			continue;
		ib_put_le32(word, (uint32_t)(at - BASE_BLOCK));
		ib_put_le32(word + 4, 4096);
		g_byte_array_append(refs, word, 8);
		g_byte_array_append(pages, new + at, 4096);
	}
	uint32_t total = (40 + refs->len + pages->len + 511) / 512 * 512;
	ib_put_le32(head + 4, total);
	ib_put_le32(head + 12, seq);
	ib_put_le32(head + 16, ib_le32(new + BB_BINS));
	ib_put_le32(head + 20, refs->len / 8);
	guint start = log->len;
	g_byte_array_append(log, head, 40);
	g_byte_array_append(log, refs->data, refs->len);
	g_byte_array_append(log, pages->data, pages->len);
	guint end = log->len;
	g_byte_array_set_size(log, start + total);
	memset(log->data + end, 0, log->len - end);
	ib_put_le64(log->data + start + 24, ib_registry_marvin32(SEED, log->data + start + 40, total - 40));
	ib_put_le64(log->data + start + 32, ib_registry_marvin32(SEED, log->data + start, 32));
}

/* The number in the name of the only subkey: the state the hive is in; 0 = refused. */
static unsigned state_after(GBytes *hive, GByteArray *log1, GByteArray *log2, char **ret_hint)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = NULL;
	g_autoptr(GBytes) b1 = log1 ? g_bytes_new(log1->data, log1->len) : NULL;
	g_autoptr(GBytes) b2 = log2 ? g_bytes_new(log2->data, log2->len) : NULL;
	struct ib_hive_options options = { .name = "SOFTWARE", .log1 = b1, .log2 = b2 };

	if (!ib_hive_load(hive, &options, &h, &err)) {
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
		if (ret_hint)
			*ret_hint = g_strdup(ib_error_hint(err));
		return 0;
	}
	unsigned n = (unsigned)atoi(ib_key_name(ib_key_child(ib_hive_root(h), 0)) + strlen("State"));
	cr_expect_eq(ib_key_count(ib_key_child(ib_hive_root(h), 0)), n * 100);
	ib_hive_free(h);
	return n;
}

Test(registry_log, entries_are_applied_in_sequence_while_they_are_whole)
{
	g_autoptr(GBytes) one = state(1);
	g_autoptr(GBytes) two = state(2);
	g_autoptr(GBytes) three = state(3);
	g_autoptr(GBytes) dirty = with_sequences(one, 6, 5);
	g_autoptr(GBytes) clean = with_sequences(one, 5, 5);
	g_autoptr(GByteArray) both = new_log(one, 6, 5);
	g_autoptr(GByteArray) first = new_log(one, 6, 5);
	g_autoptr(GByteArray) second = new_log(two, 6, 6);
	g_autoptr(GByteArray) late = new_log(two, 6, 8);
	g_autoptr(GByteArray) old = new_log(two, 6, 3);

	add_entry(both, one, two, 5);
	add_entry(both, two, three, 6);
	add_entry(first, one, two, 5);
	add_entry(second, two, three, 6);
	add_entry(late, two, three, 8);
	add_entry(old, one, two, 4);
	cr_expect_eq(state_after(dirty, both, NULL, NULL), 3);
	cr_expect_eq(state_after(dirty, first, NULL, NULL), 2);
	cr_expect_eq(state_after(dirty, first, second, NULL), 3);
	cr_expect_eq(state_after(dirty, second, first, NULL), 3, "whichever file is the older");
	cr_expect_eq(state_after(dirty, first, late, NULL), 2, "a number is missing");
	cr_expect_eq(state_after(dirty, old, NULL, NULL), 0, "older than the hive");
	cr_expect_eq(state_after(clean, both, NULL, NULL), 1, "a clean hive needs none");
	both->data[both->len - 600] ^= 1; /* in the second entry's pages */
	cr_expect_eq(state_after(dirty, both, NULL, NULL), 2);
	both->data[512 + 13] ^= 1; /* the first one's sequence */
	cr_expect_eq(state_after(dirty, both, NULL, NULL), 0);
}

Test(registry_log, a_log_that_lies_changes_nothing)
{
	g_autoptr(GBytes) one = state(1);
	g_autoptr(GBytes) two = state(2);
	g_autoptr(GBytes) dirty = with_sequences(one, 6, 5);
	static const struct { unsigned offset; uint32_t value; } lies[] = {
		{ 16, 0x7FFFF000 }, { 16, 4097 }, { 16, 0 }, { 20, 0xFFFFFFFF }, { 20, 500 }, { 40, 0x7FFFF000 },
		{ 44, 0xFFFFF000 }, { 4, 0 }, { 4, 0xFFFFFE00 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
		g_autoptr(GByteArray) log = new_log(one, 6, 5);
		add_entry(log, one, two, 5);
		ib_put_le32(log->data + 512 + lies[i].offset, lies[i].value);
		/* the hashes are right, only the content lies */
		if (lies[i].offset != 4)
			ib_put_le64(log->data + 512 + 24,
				    ib_registry_marvin32(SEED, log->data + 512 + 40, log->len - 512 - 40));
		ib_put_le64(log->data + 512 + 32, ib_registry_marvin32(SEED, log->data + 512, 32));
		cr_expect_eq(state_after(dirty, log, NULL, NULL), 0, "lie %zu", i);
	}
}

Test(registry_log, a_broken_base_block_comes_from_the_log)
{
	g_autoptr(GBytes) one = state(1);
	g_autoptr(GBytes) two = state(2);
	g_autoptr(GByteArray) log = new_log(one, 6, 5);
	size_t size;
	uint8_t *copy = g_memdup2(g_bytes_get_data(one, &size), g_bytes_get_size(one));

	add_entry(log, one, two, 5);
	copy[BB_ROOT] ^= 0x55;
	g_autoptr(GBytes) broken = g_bytes_new_take(copy, size);
	cr_expect_eq(state_after(broken, NULL, NULL, NULL), 0);
	cr_expect_eq(state_after(broken, log, NULL, NULL), 2);
}

/* The form before Windows 8.1: a bitmap of sectors, then the sectors. */
Test(registry_log, old_logs)
{
	g_autoptr(GBytes) one = state(1);
	g_autoptr(GBytes) two = state(2);
	g_autoptr(GBytes) dirty = with_sequences(one, 6, 5);
	g_autoptr(GByteArray) log = new_log(two, 1, 6);
	const uint8_t *new = g_bytes_get_data(two, NULL);
	uint32_t bins = ib_le32(new + BB_BINS);
	guint map = 512 + 4;

	g_byte_array_append(log, (const uint8_t *)"DIRT", 4);
	g_byte_array_set_size(log, (map + bins / 4096 + 511) / 512 * 512);
	memset(log->data + map, 0, log->len - map);
	for (uint32_t i = 0; i < bins / 512; i++) {
		log->data[map + i / 8] |= (uint8_t)(1u << i % 8);
		g_byte_array_append(log, new + BASE_BLOCK + i * 512, 512);
	}
	cr_expect_eq(state_after(dirty, log, NULL, NULL), 2);
	g_byte_array_set_size(log, log->len - 512);
	cr_expect_eq(state_after(dirty, log, NULL, NULL), 0, "a sector is missing");
}

Test(registry_log, dirty_without_log_is_refused_with_advice)
{
	g_autoptr(GBytes) one = state(1);
	g_autoptr(GBytes) dirty = with_sequences(one, 6, 5);
	g_autofree char *hint = NULL;
	struct ib_hive_options options = { .accept_dirty = true };
	struct ib_hive *h = NULL;
	ib_auto_error err = NULL;

	cr_expect_eq(state_after(dirty, NULL, NULL, &hint), 0);
	cr_expect(hint && strstr(hint, "--accept-dirty-hive"));
	cr_assert(ib_hive_load(dirty, &options, &h, &err));
	g_autoptr(GBytes) saved = NULL;
	cr_assert(ib_hive_save(h, 1, &saved, &err));
	const uint8_t *p = g_bytes_get_data(saved, NULL);
	cr_expect_eq(ib_le32(p + BB_SEQ1), 6);
	cr_expect_eq(ib_le32(p + BB_SEQ2), 6, "saved hives are clean");
	ib_hive_free(h);
}

Test(registry_log, what_was_replayed_is_told)
{
	ib_auto_error err = NULL;
	g_autoptr(GBytes) one = state(1);
	g_autoptr(GBytes) two = state(2);
	g_autoptr(GBytes) three = state(3);
	g_autoptr(GBytes) dirty = with_sequences(one, 6, 5);
	g_autoptr(GByteArray) log = new_log(one, 6, 5);
	struct ib_hive *h = NULL;
	struct ib_hive_info info;

	add_entry(log, one, two, 5);
	add_entry(log, two, three, 6);
	g_autoptr(GBytes) bytes = g_bytes_new(log->data, log->len);
	struct ib_hive_options options = { .log2 = bytes };
	cr_assert(ib_hive_load(dirty, &options, &h, &err));
	ib_hive_info(h, &info);
	cr_expect(info.dirty && info.sequence[0] == 6 && info.sequence[1] == 5 && info.keys == 302);
	cr_expect(info.replayed == 2 && info.pages >= 2, "%u entries, %u pages", info.replayed, info.pages);
	ib_hive_free(h);
	options = (struct ib_hive_options){ .accept_dirty = true };
	cr_assert(ib_hive_load(dirty, &options, &h, &err));
	ib_hive_info(h, &info);
	cr_expect(info.dirty && info.replayed == 0 && info.keys == 102);
	ib_hive_free(h);
}
