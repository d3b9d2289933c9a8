#include <criterion/criterion.h>

#include "delta/internal.h"
#include "tests/delta_sample.h"

/* ---- bits and numbers ---- */

Test(delta, bits_come_lowest_first)
{
	/* 000 padding, 1011 = 13, 0 10 = 2 over the byte's end, five bits left */
	static const uint8_t bytes[] = { 0x68, 0x01 };
	struct ib_delta_bits b;

	ib_delta_bits_init(&b, bytes, sizeof(bytes));
	cr_assert_eq(ib_delta_bits(&b, 4), 13);
	cr_assert_eq(ib_delta_bits(&b, 3), 2);
	cr_assert_eq(ib_delta_left(&b), 6);
	cr_assert_not(b.bad);
	cr_assert_eq(ib_delta_bits(&b, 7), 0);
	cr_assert(b.bad);
	cr_assert_eq(ib_delta_left(&b), 0);
}

Test(delta, padding_ends_a_stream)
{
	static const uint8_t bytes[] = { 0x05 }; /* five of eight bits are padding: nothing is left */
	static const uint8_t more[] = { 0x06 };  /* six are impossible */
	struct ib_delta_bits b;

	ib_delta_bits_init(&b, bytes, 1);
	cr_assert(!b.bad && ib_delta_left(&b) == 0);
	ib_delta_bits_init(&b, more, 1);
	cr_assert(b.bad);
	ib_delta_bits_init(&b, more, 0);
	cr_assert(b.bad);
}

Test(delta, ints)
{
	/* 000, 1 1000 = 1, 1 1000 = 1, 00001 and 20 bits with bit 17 set */
	static const uint8_t bytes[] = { 0x18, 0x03, 0x02, 0x00, 0x08 };
	static const uint8_t minus[] = { 0x00, 0x00, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07 };
	static const uint8_t many[] = { 0x00, 0x00, 0x00, 0xff };
	struct ib_delta_bits b;

	ib_delta_bits_init(&b, bytes, sizeof(bytes));
	cr_assert_eq(ib_delta_int(&b), 1);
	cr_assert_eq(ib_delta_int(&b), 1);
	cr_assert_eq(ib_delta_int(&b), 0x20000);
	ib_delta_bits_init(&b, minus, sizeof(minus)); /* 15 zeros, 1, 64 ones */
	cr_assert_eq(ib_delta_int(&b), -1);
	cr_assert_not(b.bad);
	ib_delta_bits_init(&b, many, sizeof(many));
	cr_assert_eq(ib_delta_int(&b), 0);
	cr_assert(b.bad, "16 zeros and more announce no number");
}

Test(delta, codes_are_zeros_first)
{
	/* lengths 1 2 2: symbol 1 is 00, symbol 2 is 01, symbol 0 is 1 */
	static const uint8_t lengths[] = { 1, 2, 2 }, flat[] = { 2, 2, 2, 3, 3 }, too_many[] = { 1, 1, 1 };
	static const uint8_t bytes[] = { 0x88 }; /* 000, 1, 00, 01 */
	g_autofree struct ib_delta_code *c = g_new(struct ib_delta_code, 1);
	struct ib_delta_bits b;
	uint8_t made[5];

	cr_assert(ib_delta_code_make(c, lengths, 3));
	ib_delta_bits_init(&b, bytes, 1);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(ib_delta_symbol(c, &b), i);
	cr_assert(!b.bad && ib_delta_left(&b) == 0);
	ib_delta_code_flat(made, 5);
	cr_assert_arr_eq(made, flat, 5);
	cr_assert_not(ib_delta_code_make(c, too_many, 3));
}

Test(delta, long_and_incomplete_codes)
{
	/* lengths 1 to 16 and 16 again: 1, 01, 001, … and all zeros for the first of the longest */
	static const uint8_t lengths[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16 };
	static const uint8_t bytes[] = { 0x0b, 0x00, 0x10, 0x00, 0x10 }; /* 3 of padding; 1, 0{16}, 1, 0{15}1 */
	static const uint8_t lonely[] = { 0x00, 0x01 }; /* thirteen bits: 00000 1 … */
	static const unsigned symbols[] = { 0, 15, 0, 16 };
	g_autofree struct ib_delta_code *c = g_new(struct ib_delta_code, 1);
	struct ib_delta_bits b;

	cr_assert(ib_delta_code_make(c, lengths, sizeof(lengths)));
	ib_delta_bits_init(&b, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(ib_delta_symbol(c, &b), symbols[i], "symbol %u", i);
	cr_assert(!b.bad && ib_delta_left(&b) == 0);
	cr_assert(ib_delta_code_make(c, lengths, 1), "a single code of one bit, 0, leaves half of the space empty");
	ib_delta_bits_init(&b, lonely, sizeof(lonely));
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(ib_delta_symbol(c, &b), 0);
	cr_assert_not(b.bad);
	(void)ib_delta_symbol(c, &b);
	cr_assert(b.bad, "1 stands for nothing");
	cr_assert(ib_delta_code_make(c, lengths, 0), "a code without symbols is fine until it is used");
	ib_delta_bits_init(&b, lonely, sizeof(lonely));
	(void)ib_delta_symbol(c, &b);
	cr_assert(b.bad);
}

Test(delta, numbers)
{
	g_autofree struct ib_delta_code *c = g_new(struct ib_delta_code, 1);
	static const int64_t cases[] = { 0, 1, 3, 4, 5, 6, 7, 8, 1000, -1, -2, -5, -100000, INT64_MAX, INT64_MIN };
	struct sample_bits out = sample_begin();
	struct ib_delta_bits b;
	ib_auto_error err = NULL;
	/* by hand, flat code: 0 is the first of the 7-bit codes, 1111100; 4 is 00000000 and a bit, 5 with it set;
	 * -1 is symbol 126: 122 = 01111010 */
	static const uint8_t bytes[] = { 0xf8, 0x00, 0xf4, 0x02 };

	ib_delta_format_flat(c);
	ib_delta_bits_init(&b, bytes, sizeof(bytes));
	cr_assert_eq(ib_delta_number(c, &b), 0);
	cr_assert_eq(ib_delta_number(c, &b), 5);
	cr_assert_eq(ib_delta_number(c, &b), -1);
	sample_format(&out);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
		sample_number(&out, cases[i]);
	g_autoptr(GByteArray) stream = sample_end(&out);
	ib_delta_bits_init(&b, stream->data, stream->len);
	cr_assert(ib_delta_format_read(&b, c, &err));
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_assert_eq(ib_delta_number(c, &b), cases[i], "case %u", i);
	cr_assert(!b.bad && ib_delta_left(&b) == 0);
}

/* ---- rifts ---- */

#define MIN64 INT64_MIN

static void fill(struct ib_delta_rift *r, const int64_t (*e)[2], size_t n)
{
	ib_auto_error err = NULL;

	r->max = 100;
	for (size_t i = 0; i < n; i++)
		cr_assert(ib_delta_rift_add(r, e[i][0], e[i][1], &err));
	cr_assert(ib_delta_rift_sort(r, &err));
}

static void check(const struct ib_delta_rift *r, const int64_t (*e)[2], size_t n)
{
	cr_assert_eq(r->n, n, "%zu entries instead of %zu", r->n, n);
	for (size_t i = 0; i < n; i++)
		cr_assert(r->e[i].from == e[i][0] && r->e[i].to == e[i][1], "entry %zu: %" PRIx64 " to %" PRIx64, i,
			  r->e[i].from, r->e[i].to);
}

Test(delta, rift_maps_in_a_circle)
{
	ib_auto_rift r = { 0 }, empty = { 0 };

	fill(&r, (const int64_t[][2]){ { 0x100, 0x110 }, { 0x10, 0x8 }, { 0x100, 0x90 } }, 3);
	cr_assert_eq(r.n, 2, "of equal positions the last counts");
	cr_assert_eq(ib_delta_rift_map(&r, 0x10), 0x8);
	cr_assert_eq(ib_delta_rift_map(&r, 0xff), 0xf7);
	cr_assert_eq(ib_delta_rift_map(&r, 0x100), 0x90);
	cr_assert_eq(ib_delta_rift_map(&r, 0x0f), 0x0f - 0x70, "below the first entry the last one rules");
	cr_assert_eq(ib_delta_rift_map(&empty, 7), 7);
}

Test(delta, rift_composition)
{
	ib_auto_rift a = { 0 }, b = { 0 }, empty = { 0 };
	ib_auto_rift c = { .max = 100 }, d = { .max = 100 };
	ib_auto_error err = NULL;

	fill(&a, (const int64_t[][2]){ { 0, 0x10 }, { 0x100, 0x90 } }, 2);
	fill(&b, (const int64_t[][2]){ { 0, 0 }, { 0x80, 0x180 } }, 2);
	/* below 0 a moves by -0x70, so to the end of the axis, where b adds 0x100 */
	cr_assert(ib_delta_rift_compose(&a, &b, &c, &err));
	check(&c, (const int64_t[][2]){ { MIN64, MIN64 + 0x90 }, { 0, 0x10 }, { 0x70, 0x180 }, { 0x100, 0x190 } }, 4);
	cr_assert(ib_delta_rift_compose(&empty, &b, &d, &err));
	check(&d, (const int64_t[][2]){ { 0, 0 }, { 0x80, 0x180 } }, 2);
}

Test(delta, rift_reverse)
{
	ib_auto_rift r = { 0 }, one = { 0 };
	ib_auto_rift back = { .max = 100 }, back_one = { .max = 100 };
	ib_auto_error err = NULL;

	/* the third piece covers the second's place too, which has its owner already: it gets what lies around */
	fill(&r, (const int64_t[][2]){ { 0, 0 }, { 0x100, 0x180 }, { 0x200, 0x120 } }, 3);
	cr_assert(ib_delta_rift_reverse(&r, &back, &err));
	check(&back, (const int64_t[][2]){ { 0, 0 }, { 0x120, 0x200 }, { 0x180, 0x100 }, { 0x280, 0x360 } }, 4);
	fill(&one, (const int64_t[][2]){ { 0x20, 0x50 } }, 1);
	cr_assert(ib_delta_rift_reverse(&one, &back_one, &err));
	check(&back_one, (const int64_t[][2]){ { 0, 0x30 } }, 1);
}

Test(delta, rift_has_a_limit)
{
	ib_auto_rift r = { .max = 1 };
	ib_auto_error err = NULL;

	cr_assert(ib_delta_rift_add(&r, 1, 1, &err));
	cr_assert_not(ib_delta_rift_add(&r, 2, 2, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
}

/* ---- code lengths of the composite format ---- */

/* Write a patch of one block whose lengths come from run codes, by hand. */
static GByteArray *runs_patch(void)
{
	struct sample_bits b = sample_begin();
	uint8_t pre_lengths[39];
	struct sample_code pre = { 0 };

	sample_put(&b, 0, 2); /* no rift, composite */
	sample_int(&b, 1);
	sample_int(&b, 0);
	sample_flat(pre_lengths, 39, false);
	for (unsigned i = 0; i < 39; i++)
		sample_put(&b, pre_lengths[i], 4);
	sample_code_make(&pre, pre_lengths, 39);
	/* 'a' (97) gets 2 bits, 'b' and 'c' too, the match with slot 8 and length 4 (323) as well */
	sample_symbol(&b, &pre, 31 + 7); /* copy 64 + 32 of nothing */
	sample_put(&b, 32, 6);
	sample_symbol(&b, &pre, 31);     /* and one: 97 */
	sample_symbol(&b, &pre, 2);      /* a */
	sample_symbol(&b, &pre, 23 + 1); /* twice more: b, c */
	sample_symbol(&b, &pre, 18);     /* 100: 0 + 2 */
	sample_symbol(&b, &pre, 0);
	sample_symbol(&b, &pre, 23 + 7); /* repeat 64 + 63 */
	sample_put(&b, 63, 6);
	sample_symbol(&b, &pre, 23 + 7); /* repeat 64 + 63 */
	sample_put(&b, 63, 6);
	for (unsigned i = 102 + 127 + 127; i < 872; i++)
		sample_symbol(&b, &pre, 0);
	/* lengths of 2: codes 00 01 10 11 for 97 98 99 100 */
	for (const char *p = "abcdcab"; *p; p++) {
		sample_put(&b, (unsigned)(*p - 'a') >> 1, 1);
		sample_put(&b, (unsigned)(*p - 'a') & 1, 1);
	}
	return sample_end(&b);
}

Test(delta, run_codes)
{
	g_autoptr(GByteArray) patch = runs_patch();
	struct sample s = { .target = (const uint8_t *)"abcdcab",
			    .target_size = 7,
			    .patch = patch->data,
			    .patch_size = patch->len };
	g_autoptr(GBytes) record = sample_make(&s);
	g_autoptr(GBytes) out = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_delta_apply(NULL, record, NULL, &out, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(memcmp(g_bytes_get_data(out, NULL), "abcdcab", 7), 0);
}

/* ---- records ---- */

static void make_pair(uint8_t *source, uint8_t *target, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++) {
		source[i] = (uint8_t)((i * 2654435761u + seed) >> (i % 64 < 20 ? 13 : 29));
		target[i] = i % 97 == seed % 97 ? (uint8_t)i : source[i];
	}
	memmove(target + n / 2, target + n / 2 - 300, n / 4);
	memset(target + n - 700, (int)seed, 600);
}

Test(delta, raw_records_come_back)
{
	enum { N = 70000 };
	g_autofree uint8_t *source = g_malloc(N), *target = g_malloc(N);

	for (unsigned i = 0; i < 16; i++) {
		ib_auto_error err = NULL;
		struct ib_delta_info info;
		g_autoptr(GBytes) out = NULL;
		make_pair(source, target, N, i);
		struct sample s = { .source = source,
				    .source_size = i == 15 ? 0 : N,
				    .target = target,
				    .target_size = N - i,
				    .named_source = source,
				    .named_size = i == 15 ? 0 : N,
				    .pa31 = i & 1,
				    .crc = i & 2,
				    .composite = i & 4,
				    .no_hash = i == 8,
				    .flags = 0x20000 };
		g_autoptr(GBytes) record = sample_make(&s), from = g_bytes_new(source, s.source_size);
		cr_assert(ib_delta_info(record, &info, &err));
		cr_assert(info.pa31 == s.pa31 && info.has_crc == s.crc && info.target_size == N - i &&
			  info.type == IB_DELTA_RAW);
		cr_assert(info.has_target_hash == !s.no_hash && info.flags == 0x20000 &&
			  info.body == IB_DELTA_BODY_LZX);
		cr_assert_eq(info.has_source_hash, s.pa31 && !s.no_hash);
		cr_assert(ib_delta_apply(from, record, NULL, &out, &err), "case %u: %s", i,
			  err ? ib_error_cause(err) : "");
		cr_assert(g_bytes_get_size(out) == N - i && memcmp(g_bytes_get_data(out, NULL), target, N - i) == 0,
			  "case %u", i);
	}
}

static enum ib_code refusal(GBytes *source, GBytes *record, uint64_t max)
{
	struct ib_delta_options options = { .target_max = max };
	ib_auto_error err = NULL;
	GBytes *out = NULL;

	cr_assert_not(ib_delta_apply(source, record, &options, &out, &err));
	cr_assert_null(out);
	return ib_error_code(err);
}

Test(delta, hashes_decide)
{
	static const uint8_t source[] = "one source that is used", target[] = "one target that is used";
	struct sample s = { .source = source,
			    .source_size = sizeof(source),
			    .target = target,
			    .target_size = sizeof(target),
			    .named_source = source,
			    .named_size = sizeof(source),
			    .pa31 = true,
			    .crc = true };
	g_autoptr(GBytes) right = g_bytes_new(source, sizeof(source)),
			  wrong = g_bytes_new("0ne sourc3 th4t 1s us3d..", sizeof(source));
	g_autoptr(GBytes) named = sample_make(&s);

	cr_assert_eq(refusal(wrong, named, 0), IB_ERR_VERIFY, "a PA31 record names its source");
	cr_assert_eq(refusal(NULL, named, 0), IB_ERR_VERIFY);
	cr_assert_eq(refusal(right, named, sizeof(target) - 1), IB_ERR_INPUT, "the limit");
	s.pa31 = false;
	g_autoptr(GBytes) plain = sample_make(&s);
	cr_assert_eq(refusal(wrong, plain, 0), IB_ERR_VERIFY, "a PA30 record shows it by its target");
	gsize n;
	g_autofree uint8_t *broken = g_memdup2(g_bytes_get_data(plain, &n), g_bytes_get_size(plain));
	n = g_bytes_get_size(plain);
	broken[n - 1] ^= 1;
	g_autoptr(GBytes) damaged = g_bytes_new(broken, n);
	cr_assert_eq(refusal(right, damaged, 0), IB_ERR_VERIFY, "the CRC-32");
}

Test(delta, malformed_records)
{
	static const char *const cases[] = {
		"",	   "PA30", "PA32............", "PA30\0\0\0\0\0\0\0\0", "PA30\0\0\0\0\0\0\0\0\x18\x03",
		"xxxxPA3", "MZ"
	};
	static const size_t sizes[] = { 0, 4, 16, 12, 14, 7, 2 };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GBytes) record = g_bytes_new(cases[i], sizes[i]);
		cr_assert_eq(refusal(NULL, record, 0), IB_ERR_INPUT, "case %u", i);
	}
	/* every shortened record is refused, and never read past its end */
	static const uint8_t target[] = "some target, some target, some target";
	struct sample s = { .target = target, .target_size = sizeof(target) };
	g_autoptr(GBytes) whole = sample_make(&s);
	for (gsize n = 0; n < g_bytes_get_size(whole); n++) {
		g_autofree uint8_t *copy = g_memdup2(g_bytes_get_data(whole, NULL), n);
		g_autoptr(GBytes) cut = g_bytes_new_take(g_steal_pointer(&copy), n);
		enum ib_code code = refusal(NULL, cut, 0);
		cr_assert(code == IB_ERR_INPUT || code == IB_ERR_VERIFY, "cut to %zu", n);
	}
}

Test(delta, copies_stay_inside)
{
	/* no rift, flat codes, then a match 3 bytes back at the very start */
	struct sample_bits b = sample_begin();
	struct sample_codes c = { 0 };
	uint8_t lengths[872];
	static const uint8_t target[] = "aaaaa";

	sample_put(&b, 2, 2);
	sample_codes_make(&c, lengths, false);
	sample_match(&b, &c, 3, 5);
	g_autoptr(GByteArray) patch = sample_end(&b);
	struct sample s = { .target = target, .target_size = 5, .patch = patch->data, .patch_size = patch->len };
	g_autoptr(GBytes) record = sample_make(&s);
	cr_assert_eq(refusal(NULL, record, 0), IB_ERR_INPUT);
}

Test(delta, names)
{
	g_autofree char *some = ib_delta_transforms(0x2000026), *none = ib_delta_transforms(0);

	cr_assert_str_eq(some, "MARK, IMPORTS, RELOCS, 0x2000000");
	cr_assert_str_eq(none, "none");
	cr_assert_str_eq(ib_delta_type_name(IB_DELTA_CLI4_ARM64), "CLI4-ARM64");
}
