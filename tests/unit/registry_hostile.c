/* Hives that lie: one good hive, one field changed at a time. Each must be refused, naming the place. */
#include "registry/internal.h"

#include <criterion/criterion.h>

enum place { BASE, BIN, ROOT, ROOT_LIST, ALPHA, ALPHA_VALUES, TEXT, BIG, BIG_DB, BIG_SEGMENTS, DEEP, SECURITY, PLACES };

/* Where things lie in the good hive, as offsets in the file; cells without their size. */
struct map {
	uint32_t at[PLACES];
	uint32_t cell[PLACES]; /* as the hive itself points to them */
};

static const uint8_t *bytes_of(GByteArray *file, uint32_t cell)
{
	return file->data + BASE_BLOCK + cell + 4;
}

static uint32_t subkey(GByteArray *file, uint32_t key, unsigned i)
{
	return ib_le32(bytes_of(file, ib_le32(bytes_of(file, key) + NK_LIST)) + 4 + 8 * i);
}

static uint32_t value(GByteArray *file, uint32_t key, unsigned i)
{
	return ib_le32(bytes_of(file, ib_le32(bytes_of(file, key) + NK_VALUE_LIST)) + 4 * i);
}

/* root: Alpha {text, big; Deep}, Beta */
static GByteArray *good_hive(struct map *m)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k;
	GBytes *bytes = NULL;
	g_autofree uint8_t *big = g_malloc0(40000);
	static const uint8_t other[20] = { 1, 0, 0, 0x80 };
	g_autoptr(GBytes) sd = g_bytes_new_static(other, sizeof(other));

	cr_assert(ib_key_make(h, ib_hive_root(h), "Beta", &k, &err));
	ib_key_set_security(h, k, sd);
	cr_assert(ib_key_make(h, ib_hive_root(h), "Alpha", &k, &err));
	cr_assert(ib_key_set_text(h, k, "text", IB_REG_SZ, "some text", &err));
	cr_assert(ib_key_set(h, k, "big", IB_REG_BINARY, big, 40000, &err));
	cr_assert(ib_key_make(h, k, "Deep", &k, &err));
	cr_assert(ib_hive_save(h, 1, &bytes, &err));
	ib_hive_free(h);
	GByteArray *f = g_bytes_unref_to_array(bytes);

	m->cell[ROOT] = ib_le32(f->data + BB_ROOT);
	m->cell[ROOT_LIST] = ib_le32(bytes_of(f, m->cell[ROOT]) + NK_LIST);
	m->cell[ALPHA] = subkey(f, m->cell[ROOT], 0);
	m->cell[DEEP] = subkey(f, m->cell[ALPHA], 0);
	m->cell[ALPHA_VALUES] = ib_le32(bytes_of(f, m->cell[ALPHA]) + NK_VALUE_LIST);
	m->cell[TEXT] = value(f, m->cell[ALPHA], 0);
	m->cell[BIG] = value(f, m->cell[ALPHA], 1);
	m->cell[BIG_DB] = ib_le32(bytes_of(f, m->cell[BIG]) + VK_DATA);
	m->cell[BIG_SEGMENTS] = ib_le32(bytes_of(f, m->cell[BIG_DB]) + 4);
	m->cell[SECURITY] = ib_le32(bytes_of(f, m->cell[ROOT]) + NK_SK);
	for (unsigned i = 0; i < PLACES; i++)
		m->at[i] = BASE_BLOCK + m->cell[i] + 4;
	m->at[BASE] = 0;
	m->at[BIN] = BASE_BLOCK;
	return f;
}

struct lie {
	enum place place;
	int offset;
	unsigned width;
	uint32_t value;
	enum place cell; /* when set, the value is this place's cell offset */
	const char *says;
};

static const struct lie lies[] = {
	{ BASE, 0, 4, 0x66676571, 0, "does not begin with 'regf'" },
	{ BASE, BB_MAJOR, 4, 2, 0, "version 2.5" },
	{ BASE, BB_MINOR, 4, 7, 0, "version 1.7" },
	{ BASE, BB_TYPE, 4, 6, 0, "type 6" },
	{ BASE, BB_FORMAT, 4, 2, 0, "format 2" },
	{ BASE, BB_BINS, 4, 0, 0, "bins of 0 bytes" },
	{ BASE, BB_BINS, 4, 0x7FFFF000, 0, "bins of 2147479552 bytes" },
	{ BASE, BB_BINS, 4, 4097, 0, "bins of 4097 bytes" },
	{ BASE, BB_ROOT, 4, 0x7FFFFFF8, 0, "offset 0x24: the offset 0x7ffffff8 of its key is no cell" },
	{ BASE, BB_ROOT, 4, 0x24, 0, "no cell" },
	{ BASE, BB_ROOT, 4, 0, ALPHA_VALUES, "a key needs 76 bytes, the cell has 12" },
	{ BASE, BB_ROOT, 4, 0, SECURITY, "does not begin with 'nk'" },
	{ BIN, 0, 4, 0, 0, "no bin begins" },
	{ BIN, 4, 4, 4096, 0, "says it lies at 0x1000" },
	{ BIN, 8, 4, 0, 0, "bin has a size of 0" },
	{ BIN, 8, 4, 4095, 0, "bin has a size of 4095" },
	{ BIN, 8, 4, 0x80000000, 0, "bin has a size of" },
	{ BIN, 32, 4, 0, 0, "cell has a size of 0" },
	{ BIN, 32, 4, 0x80000000, 0, "leaves its bin" },
	{ BIN, 32, 4, (uint32_t)-12, 0, "cell has a size of 12" },
	{ BIN, 32, 4, (uint32_t)-4096, 0, "leaves its bin" },
	{ BIN, 32, 4, (uint32_t)-8, 0, "" }, /* cells of the root's content: whatever is met first */
	{ ROOT, -4, 4, 88, 0, "is free" },
	{ ROOT, 0, 2, 0x6B6D, 0, "does not begin with 'nk'" },
	{ ROOT, NK_NAME_LEN, 2, 0xFFFF, 0, "key name of 65535 bytes" },
	{ ROOT, NK_FLAGS, 2, 4, 0, "" }, /* UTF-16 of 4 bytes is fine: see the next */
	{ ALPHA, NK_FLAGS, 2, 0, 0, "is not UTF-16" },
	{ ALPHA, NK_NAME_LEN, 2, 0, 0, "has no name" },
	{ ALPHA, NK_NAME, 1, '\\', 0, "holds a '\\'" },
	{ ALPHA, NK_PARENT, 4, 0, 0, "says its parent is 0x0" },
	{ ALPHA, NK_SK, 4, 0, ALPHA, "used twice" },
	{ ALPHA, NK_SK, 4, 8, 0, "no cell" },
	{ ALPHA, NK_CLASS_LEN, 2, 8, 0, "" }, /* no class cell: the length means nothing */
	{ ALPHA, NK_VALUES, 4, 3, 0, "" },
	{ ALPHA, NK_VALUES, 4, 200, 0, "list of values needs 800 bytes" },
	{ ALPHA, NK_VALUES, 4, 0xFFFFFFFF, 0, "4294967295 values" },
	{ ALPHA, NK_VALUE_LIST, 4, 0, ALPHA, "used twice" },
	{ ALPHA, NK_SUBKEYS, 4, 2, 0, "has 2 subkeys, its lists hold 1" },
	{ ALPHA, NK_SUBKEYS, 4, 0x10000000, 0, "268435456 subkeys" },
	{ ROOT, NK_SUBKEYS, 4, 1, 0, "more than the 1 subkeys" },
	{ ROOT_LIST, 0, 2, 0x6969, 0, "unknown kind" },
	{ ROOT_LIST, 2, 2, 500, 0, "list of 500 subkeys" },
	{ ROOT_LIST, 0, 2, 0x6972, 0, "list of subkeys" }, /* an index whose first list is a key */
	{ ROOT_LIST, 4 + 8, 4, 0, ALPHA, "used twice" },
	{ ROOT_LIST, 4, 4, 0, ROOT, "used twice" },
	{ DEEP, NK_SUBKEYS, 4, 1, 0, "no cell" },
	{ ALPHA_VALUES, 4, 4, 0, TEXT, "used twice" },
	{ ALPHA_VALUES, 0, 4, 0, ALPHA, "used twice" },
	{ ALPHA_VALUES, 0, 4, 0, DEEP, "does not begin with 'vk'" },
	{ TEXT, VK_NAME_LEN, 2, 0x7FFF, 0, "value name of 32767 bytes" },
	{ TEXT, VK_FLAGS, 2, 0, 0, "" },
	{ TEXT, VK_SIZE, 4, 0x80000005, 0, "inline data of 5 bytes" },
	{ TEXT, VK_SIZE, 4, 1000, 0, "data of 1000 bytes in a cell with" },
	{ TEXT, VK_SIZE, 4, 0x7FFFFFFF, 0, "a value of 2147483647 bytes" },
	{ TEXT, VK_DATA, 4, 0, TEXT, "used twice" },
	{ TEXT, VK_DATA, 4, 7, 0, "no cell" },
	{ TEXT, VK_NAME, 4, 0x00676962, 0, "" },
	{ BIG_DB, 0, 2, 0, 0, "data of 40000 bytes" },
	{ BIG_DB, 2, 2, 2, 0, "cannot lie in 2 segments" },
	{ BIG_DB, 4, 4, 0, ALPHA, "used twice" },
	{ BIG_SEGMENTS, 0, 4, 0, ALPHA, "a data segment needs 16344 bytes" },
	{ BIG_SEGMENTS, 4, 4, 0, TEXT, "" },
	{ BIG, VK_SIZE, 4, 16345, 0, "cannot lie in 3 segments" },
	{ SECURITY, 0, 2, 0, 0, "does not begin with 'sk'" },
	{ SECURITY, SK_LEN, 4, 0x10000, 0, "security descriptor of 65536 bytes" },
	{ SECURITY, SK_NEXT, 4, 0, ALPHA, "does not begin with 'sk'" },
	{ SECURITY, SK_NEXT, 4, 0, SECURITY, "ring of security descriptors does not close" },
	{ SECURITY, SK_PREV, 4, 0, SECURITY, "ring of security descriptors does not close" },
};

static void change(GByteArray *f, const struct map *m, const struct lie *lie)
{
	uint8_t *p = f->data + (int64_t)m->at[lie->place] + lie->offset;
	uint32_t v = lie->cell ? m->cell[lie->cell] : lie->value;

	for (unsigned i = 0; i < lie->width; i++)
		p[i] = (uint8_t)(v >> 8 * i);
	ib_put_le32(f->data + BB_SUM, ib_registry_checksum(f->data));
}

Test(registry_hostile, each_lie_is_refused_with_its_place)
{
	for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
		ib_auto_error err = NULL;
		struct ib_hive *h = NULL;
		struct map m = { 0 };
		GByteArray *f = good_hive(&m);
		change(f, &m, &lies[i]);
		g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(f);
		bool ok = ib_hive_load(bytes, NULL, &h, &err);
		if (*lies[i].says) {
			cr_expect_not(ok, "lie %zu: '%s'", i, lies[i].says);
			cr_expect(err && ib_error_code(err) == IB_ERR_INPUT);
			cr_expect(err && strstr(ib_error_cause(err), lies[i].says) &&
				  strstr(ib_error_cause(err), "offset 0x"), "lie %zu: '%s' in '%s'", i, lies[i].says,
				  err ? ib_error_cause(err) : "");
		} else { /* no matter which way it goes, as long as nothing breaks */
			cr_expect_eq(ok, err == NULL);
		}
		ib_hive_free(ok ? h : NULL);
	}
}

Test(registry_hostile, cut_short_anywhere)
{
	struct map m = { 0 };
	GByteArray *f = good_hive(&m);
	g_autoptr(GBytes) whole = g_byte_array_free_to_bytes(f);

	for (size_t len = 0; len < g_bytes_get_size(whole); len += 512) {
		ib_auto_error err = NULL;
		struct ib_hive *h = NULL;
		g_autoptr(GBytes) part = g_bytes_new(g_bytes_get_data(whole, NULL), len);
		cr_expect_not(ib_hive_load(part, NULL, &h, &err), "%zu bytes", len);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}

Test(registry_hostile, two_keys_of_one_name)
{
	struct map m = { 0 };
	GByteArray *f = good_hive(&m);
	ib_auto_error err = NULL;
	struct ib_hive *h = NULL;
	uint8_t *beta = (uint8_t *)bytes_of(f, subkey(f, m.cell[ROOT], 1));

	ib_put_le16(beta + NK_NAME_LEN, 1);
	beta[NK_NAME] = 'A';
	ib_put_le16((uint8_t *)bytes_of(f, m.cell[ALPHA]) + NK_NAME_LEN, 1);
	g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(f);
	cr_assert_not(ib_hive_load(bytes, NULL, &h, &err));
	cr_expect(strstr(ib_error_cause(err), "two subkeys 'A'"), "%s", ib_error_cause(err));
}

/* Every byte of the structures takes a few values: nothing may crash, and what loads can be saved. */
Test(registry_hostile, any_byte_may_be_wrong)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7F, 0x80, 0xFF };
	struct map m = { 0 };
	GByteArray *f = good_hive(&m);
	struct ib_hive_options dirty = { .accept_dirty = true };

	for (guint at = 0; at < 6144; at += at < 512 ? 1 : 7) {
		for (size_t v = 0; v < G_N_ELEMENTS(values); v++) {
			ib_auto_error err = NULL;
			struct ib_hive *h = NULL;
			g_autoptr(GBytes) bytes = g_bytes_new(f->data, f->len);
			g_autoptr(GBytes) saved = NULL;
			((uint8_t *)g_bytes_get_data(bytes, NULL))[at] = values[v]; /* our own copy */
			if (!ib_hive_load(bytes, &dirty, &h, &err))
				continue;
			cr_assert(ib_hive_save(h, 1, &saved, &err));
			ib_hive_free(h);
		}
	}
	g_byte_array_unref(f);
}
