/* Hives: the tree, its limits, and what is in the file after saving. */
#include "registry/internal.h"

#include <criterion/criterion.h>

#define TIME UINT64_C(0x01D7A3B4C5D6E7F0)

static struct ib_key *make(struct ib_hive *h, const char *path)
{
	ib_auto_error err = NULL;
	struct ib_key *k = NULL;

	cr_assert(ib_key_make(h, ib_hive_root(h), path, &k, &err), "%s", err ? ib_error_cause(err) : "");
	return k;
}

static GBytes *save(struct ib_hive *h)
{
	ib_auto_error err = NULL;
	GBytes *bytes = NULL;

	cr_assert(ib_hive_save(h, TIME, &bytes, &err));
	return bytes;
}

static struct ib_hive *load(GBytes *bytes)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = NULL;

	cr_assert(ib_hive_load(bytes, NULL, &h, &err), "%s", err ? ib_error_cause(err) : "");
	return h;
}

/* Save, free, load. */
static struct ib_hive *reload(struct ib_hive *h)
{
	g_autoptr(GBytes) bytes = save(h);

	ib_hive_free(h);
	return load(bytes);
}

static void set(struct ib_hive *h, struct ib_key *k, const char *name, uint32_t type, const void *data, size_t len)
{
	ib_auto_error err = NULL;

	cr_assert(ib_key_set(h, k, name, type, data, len, &err), "%s", err ? ib_error_cause(err) : "");
}

Test(registry, names_are_found_without_case_and_kept_as_written)
{
	static const struct { const char *made, *asked; bool found; } cases[] = {
		{ "Microsoft", "MICROSOFT", true }, { "\xc3\xa0", "\xc3\x80", true }, /* à À */
		{ "\xd0\xb6", "\xd0\x96", true },                                    /* ж Ж */
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", true }, { "a_b", "a^b", false },
		{ "\xc4\xb1", "I", false }, { "\xc3\xbf", "\xc5\xb8", true }, /* ı stays, ÿ Ÿ */
		{ "nul\xc0\x80x", "NUL\xc0\x80X", true }, { "nul\xc0\x80x", "NUL", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_hive *h = ib_hive_new("ROOT");
		make(h, cases[i].made);
		h = reload(h);
		struct ib_key *k = ib_key_find(ib_hive_root(h), cases[i].asked);
		cr_expect_eq(k != NULL, cases[i].found, "case %zu", i);
		cr_expect_str_eq(ib_key_name(ib_key_child(ib_hive_root(h), 0)), cases[i].made);
		ib_hive_free(h);
	}
}

Test(registry, keys_stand_in_windows_order)
{
	static const char *const given[] = { "b", "_", "A", "a1", "[", "\xc3\x80", "\xc3\x89", "Z", "^", "\xc3\xa8" };
	static const char *const order[] = { "A", "a1", "b", "Z", "[", "^", "_", "\xc3\x80", "\xc3\xa8", "\xc3\x89" };
	struct ib_hive *h = ib_hive_new("ROOT");

	for (size_t i = 0; i < G_N_ELEMENTS(given); i++)
		make(h, given[i]);
	h = reload(h);
	cr_assert_eq(ib_key_count(ib_hive_root(h)), G_N_ELEMENTS(order));
	for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
		cr_expect_str_eq(ib_key_name(ib_key_child(ib_hive_root(h), i)), order[i]);
	cr_expect_null(ib_key_child(ib_hive_root(h), G_N_ELEMENTS(order)));
	ib_hive_free(h);
}

Test(registry, paths)
{
	static const struct { const char *path; bool found; } cases[] = {
		{ "", true }, { "A", true }, { "a\\b", true }, { "A\\B\\", true }, { "A\\\\B", false },
		{ "\\A", false }, { "A\\C", false }, { "A\\B\\C\\D", false },
	};
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k = make(h, "A\\B\\C");
	g_autofree char *path = ib_key_path(k);

	cr_expect_str_eq(path, "A\\B\\C");
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_expect_eq(ib_key_find(ib_hive_root(h), cases[i].path) != NULL, cases[i].found, "'%s'", cases[i].path);
	cr_expect_eq(ib_key_find(ib_hive_root(h), ""), ib_hive_root(h));
	ib_hive_free(h);
}

Test(registry, limits_are_refused_before_anything_is_made)
{
	g_autofree char *long_name = g_strnfill(256, 'x');
	g_autofree char *half = g_strconcat("new\\", long_name, NULL);
	g_autoptr(GString) deep = g_string_new("d");
	g_autofree char *long_value = g_strnfill(16384, 'v');
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k;

	for (unsigned i = 0; i < DEPTH_MAX; i++)
		g_string_append(deep, "\\d");
	const char *const bad[] = { half, deep->str, "a\\\\b", "\\a", "bad\xff" };
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		cr_expect_not(ib_key_make(h, ib_hive_root(h), bad[i], &k, &err), "case %zu", i);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
		ib_error_clear(&err);
	}
	cr_expect_eq(ib_key_count(ib_hive_root(h)), 0);
	cr_expect_not(ib_key_set(h, ib_hive_root(h), long_value, 1, "", 0, &err));
	ib_error_clear(&err);
	cr_expect_not(ib_key_set(h, ib_hive_root(h), "v", 3, "", DATA_MAX + 1, &err));
	ib_error_clear(&err);
	cr_expect_not(ib_key_remove(h, ib_hive_root(h), &err));
	cr_expect_eq(ib_key_value_count(ib_hive_root(h)), 0);

	long_name[255] = 0; /* the longest and deepest that are allowed */
	long_value[16383] = 0;
	g_string_truncate(deep, DEPTH_MAX * 2 - 1);
	set(h, make(h, long_name), long_value, 1, "", 0);
	make(h, deep->str);
	h = reload(h);
	cr_expect_not_null(ib_key_value(ib_key_find(ib_hive_root(h), long_name), long_value));
	cr_expect_not_null(ib_key_find(ib_hive_root(h), deep->str));
	ib_hive_free(h);
}

Test(registry, values_of_every_size_survive)
{
	static const size_t sizes[] = { 0, 1, 3, 4, 5, 8, 4055, 4056, 4060, 16343, 16344, 16345, 32688, 32689, 1000000 };
	struct ib_hive *h = ib_hive_new("ROOT");
	g_autofree uint8_t *data = g_malloc(1000000);

	for (size_t i = 0; i < 1000000; i++)
		data[i] = (uint8_t)(i * 7 + i / 253);
	for (unsigned minor = 3; minor <= 6; minor++) {
		ib_put_le32(h->base + BB_MINOR, minor);
		for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
			g_autofree char *name = g_strdup_printf("%zu", sizes[i]);
			set(h, ib_hive_root(h), name, 0x00020001 + (uint32_t)i, data, sizes[i]);
		}
		h = reload(h);
		for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
			g_autofree char *name = g_strdup_printf("%zu", sizes[i]);
			const struct ib_value *v = ib_key_value(ib_hive_root(h), name);
			size_t len;
			cr_assert_not_null(v, "1.%u: %s", minor, name);
			cr_expect_eq(ib_value_type(v), 0x00020001 + i);
			cr_expect_eq(memcmp(ib_value_data(v, &len), data, sizes[i]), 0);
			cr_expect_eq(len, sizes[i]);
		}
	}
	ib_hive_free(h);
}

Test(registry, typed_values)
{
	static const char *const list[] = { "one", "two words", "\xe4\xb8\xad", NULL };
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k = make(h, "K");
	uint64_t n;
	size_t len;

	cr_assert(ib_key_set_text(h, k, NULL, IB_REG_SZ, "default", &err));
	cr_assert(ib_key_set_text(h, k, "path", IB_REG_EXPAND_SZ, "%SystemRoot%\\x", &err));
	cr_assert(ib_key_set_strings(h, k, "multi", (char *const *)list, &err));
	cr_assert(ib_key_set_strings(h, k, "none", NULL, &err));
	cr_assert(ib_key_set_dword(h, k, "dword", 0xCAFE, &err));
	set(h, k, "qword", IB_REG_QWORD, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	set(h, k, "be", IB_REG_DWORD_BE, "\x00\x00\x01\x02", 4);
	set(h, k, "short", IB_REG_DWORD, "\x01\x02", 2);
	set(h, k, "unended", IB_REG_SZ, "a\0b\0", 4);
	h = reload(h);
	k = ib_key_find(ib_hive_root(h), "k");

	g_autofree char *def = ib_value_text(ib_key_value(k, ""));
	g_autofree char *path = ib_value_text(ib_key_value(k, "PATH"));
	g_autofree char *unended = ib_value_text(ib_key_value(k, "unended"));
	g_auto(GStrv) multi = ib_value_strings(ib_key_value(k, "Multi"));
	g_auto(GStrv) none = ib_value_strings(ib_key_value(k, "none"));
	cr_expect_str_eq(def, "default");
	cr_expect_str_eq(path, "%SystemRoot%\\x");
	cr_expect_str_eq(unended, "ab");
	cr_expect(g_strv_equal((const char *const *)multi, list));
	cr_expect_eq(g_strv_length(none), 0);
	cr_expect(ib_value_number(ib_key_value(k, "dword"), &n) && n == 0xCAFE);
	cr_expect(ib_value_number(ib_key_value(k, "qword"), &n) && n == UINT64_C(0x0102030405060708));
	cr_expect(ib_value_number(ib_key_value(k, "be"), &n) && n == 0x102);
	cr_expect_not(ib_value_number(ib_key_value(k, "short"), &n));
	cr_expect_null(ib_value_text(ib_key_value(k, "dword")));
	cr_expect_eq(memcmp(ib_value_data(ib_key_value(k, ""), &len), "d\0e\0f\0a\0u\0l\0t\0\0\0", 16), 0);
	cr_expect_eq(len, 16);
	ib_hive_free(h);
}

Test(registry, big_parents_stay_fast_and_right)
{
	struct ib_hive *h = ib_hive_new("ROOT");
	ib_auto_error err = NULL;

	for (uint32_t i = 0; i < 30000; i++) {
		g_autofree char *path = g_strdup_printf("P\\key-%08x", i * 2654435761u);
		cr_assert_null(ib_key_find(ib_hive_root(h), path));
		make(h, path);
	}
	for (uint32_t i = 0; i < 30000; i += 100) {
		g_autofree char *path = g_strdup_printf("p\\KEY-%08x", i * 2654435761u);
		cr_assert(ib_key_remove(h, ib_key_find(ib_hive_root(h), path), &err));
	}
	h = reload(h);
	struct ib_key *p = ib_key_find(ib_hive_root(h), "P");
	cr_assert_eq(ib_key_count(p), 29700);
	for (size_t i = 1; i < ib_key_count(p); i++)
		cr_assert_lt(strcmp(ib_key_name(ib_key_child(p, i - 1)), ib_key_name(ib_key_child(p, i))), 0);
	for (uint32_t i = 0; i < 30000; i++) {
		g_autofree char *path = g_strdup_printf("KEY-%08X", i * 2654435761u);
		cr_assert_eq(ib_key_find(p, path) != NULL, i % 100 != 0);
	}
	ib_hive_free(h);
}

Test(registry, many_values_of_one_key)
{
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k = make(h, "K");
	ib_auto_error err = NULL;

	for (uint32_t i = 0; i < 5000; i++) {
		g_autofree char *name = g_strdup_printf("Value%u", i);
		cr_assert(ib_key_set_dword(h, k, name, i, &err));
	}
	for (uint32_t i = 0; i < 5000; i += 2) {
		g_autofree char *name = g_strdup_printf("VALUE%u", i);
		cr_assert(ib_key_unset(h, k, name));
		cr_assert_not(ib_key_unset(h, k, name));
	}
	h = reload(h);
	k = ib_key_find(ib_hive_root(h), "K");
	cr_assert_eq(ib_key_value_count(k), 2500);
	for (size_t i = 0; i < 2500; i++) {
		g_autofree char *name = g_strdup_printf("Value%zu", i * 2 + 1);
		cr_assert_str_eq(ib_value_name(ib_key_value_at(k, i)), name, "the order stays");
	}
	ib_hive_free(h);
}

/* Count cells with a signature, by walking the bins as a reader would. */
static unsigned count_cells(GBytes *bytes, const char *sig, uint32_t *ret_first)
{
	const uint8_t *p = g_bytes_get_data(bytes, NULL);
	uint32_t size = ib_le32(p + BB_BINS);
	unsigned n = 0;

	cr_assert_eq(size + BASE_BLOCK, g_bytes_get_size(bytes));
	for (uint32_t bin = 0; bin < size; bin += ib_le32(p + BASE_BLOCK + bin + 8)) {
		uint32_t end = bin + ib_le32(p + BASE_BLOCK + bin + 8), at;
		cr_assert_eq(memcmp(p + BASE_BLOCK + bin, "hbin", 4), 0);
		cr_assert_eq(ib_le32(p + BASE_BLOCK + bin + 4), bin);
		cr_assert_eq((end - bin) % BIN_UNIT, 0);
		for (at = bin + BIN_HEADER; at < end;) {
			int32_t len = (int32_t)ib_le32(p + BASE_BLOCK + at);
			if (len < 0 && memcmp(p + BASE_BLOCK + at + 4, sig, 2) == 0 && n++ == 0 && ret_first)
				*ret_first = at;
			at += (uint32_t)ABS(len);
		}
		cr_assert_eq(at, end, "cells fill their bin");
	}
	return n;
}

Test(registry, descriptors_are_shared_with_counts)
{
	static const uint8_t other[] = { 1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct ib_hive *h = ib_hive_new("ROOT");
	g_autoptr(GBytes) sd = g_bytes_new_static(other, sizeof(other));
	g_autoptr(GBytes) again = g_bytes_new(other, sizeof(other));
	uint32_t first = 0;

	make(h, "A\\B\\C");
	ib_key_set_security(h, make(h, "X"), sd);
	ib_key_set_security(h, make(h, "Y"), again);
	make(h, "Y\\below");
	g_autoptr(GBytes) bytes = save(h);
	const uint8_t *p = g_bytes_get_data(bytes, NULL);
	cr_assert_eq(count_cells(bytes, "sk", &first), 2);
	const uint8_t *sk = p + BASE_BLOCK + first + 4, *next = p + BASE_BLOCK + ib_le32(sk + SK_NEXT) + 4;
	cr_expect_eq(ib_le32(sk + SK_REFS), 4, "root, A, B, C");
	cr_expect_eq(ib_le32(next + SK_REFS), 3);
	cr_expect_eq(ib_le32(next + SK_NEXT), first);
	cr_expect_eq(ib_le32(next + SK_PREV), first);
	ib_hive_free(h);
	h = load(bytes);
	cr_expect(g_bytes_equal(ib_key_security(ib_key_find(ib_hive_root(h), "Y\\below")), sd));
	ib_hive_free(h);
}

Test(registry, lists_have_leaves_of_one_page)
{
	static const struct { unsigned keys, leaves, indexes; } cases[] = {
		{ 1, 1, 0 }, { 507, 1, 0 }, { 508, 2, 1 }, { 1014, 2, 1 }, { 1015, 3, 1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_hive *h = ib_hive_new("ROOT");
		for (unsigned j = 0; j < cases[i].keys; j++) {
			g_autofree char *name = g_strdup_printf("%u", j);
			make(h, name);
		}
		g_autoptr(GBytes) bytes = save(h);
		cr_expect_eq(count_cells(bytes, "lh", NULL), cases[i].leaves);
		cr_expect_eq(count_cells(bytes, "ri", NULL), cases[i].indexes);
		cr_expect_eq(count_cells(bytes, "nk", NULL), cases[i].keys + 1);
		ib_hive_free(h);
	}
}

Test(registry, what_the_editor_does_not_know_is_kept)
{
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k = make(h, "K");

	ib_put_le32(h->base + BB_MINOR, 3);
	ib_put_le32(h->base + BB_SEQ1, 77);
	ib_put_le32(h->base + BB_SEQ2, 77);
	memcpy(h->base + BB_NAME, "S\0O\0F\0T\0", 8);
	memset(h->base + 112, 0xAB, 48);
	k->flags = 0x90;
	k->user_flags = 0x0102;
	k->access = 3;
	ib_registry_extra(k)->class_name = g_bytes_new("c\0l\0", 4);
	k->time = 5;
	k->changed = false;
	g_autoptr(GBytes) one = save(h);
	ib_hive_free(h);
	h = load(one);
	cr_expect_not(ib_hive_changed(h));
	g_autoptr(GBytes) two = save(h);
	cr_expect(g_bytes_equal(one, two), "the same tree gives the same bytes");

	const uint8_t *b = g_bytes_get_data(two, NULL);
	cr_expect_eq(ib_le32(b + BB_MINOR), 3);
	cr_expect_eq(ib_le32(b + BB_SEQ1), 77);
	cr_expect_eq(ib_le32(b + BB_SEQ2), 77);
	cr_expect_eq(ib_le64(b + BB_TIME), TIME);
	cr_expect_eq(memcmp(b + BB_NAME, h->base + BB_NAME, 64 + 48), 0);
	cr_expect_eq(ib_le32(b + BB_SUM), ib_registry_checksum(b));
	k = ib_key_find(ib_hive_root(h), "K");
	cr_expect_eq(k->flags, 0x90 | KEY_LATIN1);
	cr_expect_eq(k->user_flags, 0x0102);
	cr_expect_eq(k->access, 3);
	cr_expect_eq(ib_key_time(k), 5, "not changed: its time stays");
	cr_expect_eq(ib_key_time(ib_hive_root(h)), TIME);
	cr_expect_eq(g_bytes_get_size(ib_key_class(k)), 4);
	ib_hive_free(h);
}

Test(registry, only_changes_count_as_changes)
{
	struct ib_hive *h = ib_hive_new("ROOT");
	ib_auto_error err = NULL;

	set(h, make(h, "K"), "v", 3, "data", 4);
	h = reload(h);
	struct ib_key *k = make(h, "k");
	set(h, k, "V", 3, "data", 4);
	ib_key_set_security(h, k, ib_key_security(ib_hive_root(h)));
	cr_expect_not(ib_key_unset(h, k, "w"));
	cr_expect_not(ib_hive_changed(h));
	set(h, k, "V", 3, "date", 4);
	cr_expect(ib_hive_changed(h));
	cr_expect(ib_key_remove(h, k, &err));
	cr_expect_null(ib_key_find(ib_hive_root(h), "K"));
	ib_hive_free(h);
}

Test(registry, volatile_keys_stay_behind)
{
	struct ib_hive *h = ib_hive_new("ROOT");

	make(h, "stays");
	make(h, "goes\\below")->parent->flags = KEY_VOLATILE;
	h = reload(h);
	cr_expect_eq(ib_key_count(ib_hive_root(h)), 1);
	cr_expect_null(ib_key_find(ib_hive_root(h), "goes"));
	ib_hive_free(h);
}

static bool count_hit(struct ib_key *key, const struct ib_value *value, const char *needle, void *data)
{
	GString *s = data;

	g_string_append_printf(s, "%s/%s/%s ", ib_key_name(key), value ? ib_value_name(value) : "-", needle);
	return s->len < 1000;
}

Test(registry, search_finds_names_and_data)
{
	static const char *const needles[] = { "cmit", "\xd0\xb6\xd0\xb6\xd0\xb6", "zz", NULL };
	static const char *const multi[] = { "x", "aCmItb", NULL };
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k = make(h, "A");
	g_autoptr(GString) hits = g_string_new(NULL);
	ib_auto_error err = NULL;

	make(h, "B-Cmit-Agent");
	set(h, k, "CMIT", 3, "zz", 2);
	set(h, k, "ascii", 3, "xxcmitxx", 8);
	set(h, k, "odd", 3, "xC\0m\0I\0t\0", 9);
	set(h, k, "text-only", 1, "xC\0m\0I\0t\0", 9);
	cr_assert(ib_key_set_strings(h, k, "multi", (char *const *)multi, &err));
	cr_assert(ib_key_set_text(h, k, "cyr", 1, "\xd0\x96\xd0\xb6\xd0\x96", &err));
	ib_hive_search(h, needles, count_hit, hits);
	cr_expect_str_eq(hits->str, "A/CMIT/cmit A/ascii/cmit A/odd/cmit A/multi/cmit A/cyr/"
				    "\xd0\xb6\xd0\xb6\xd0\xb6 B-Cmit-Agent/-/cmit ");
	ib_hive_free(h);
}
