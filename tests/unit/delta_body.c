/* Bodies other than PseudoLzx, files of the component store, and the managed quirks that can be shown by hand. */
#include <criterion/criterion.h>

#include "codec/codec.h"
#include "delta/body_internal.h"
#include "delta/cli_internal.h"
#include "tests/delta_sample.h"

/* ---- containers ---- */

static void add32(GByteArray *a, uint32_t v)
{
	uint8_t b[4];

	ib_put_le32(b, v);
	g_byte_array_append(a, b, 4);
}

/* A header and chunks, each compressed if that pays. */
static GByteArray *container(const uint8_t *data, size_t n, uint32_t chunk, uint8_t algorithm)
{
	GByteArray *a = g_byte_array_new();
	struct ib_compressor *c;
	ib_auto_error err = NULL;
	uint8_t head[24] = { 0x0a, 0x51, 0xe5, 0xc0, 24, 0, 0, algorithm };
	uint8_t crc_of[23];
	size_t block = MIN(chunk, MAX(n, 1));
	g_autofree uint8_t *packed = g_malloc(block + 1);

	ib_put_le64(head + 8, n);
	ib_put_le32(head + 16, chunk);
	memcpy(crc_of, head, 6);
	memcpy(crc_of + 6, head + 7, 17);
	head[6] = (uint8_t)sample_crc32(crc_of, sizeof(crc_of));
	g_byte_array_append(a, head, sizeof(head));
	cr_assert(ib_compressor_new(algorithm == 5 ? IB_CODEC_LZMS : IB_CODEC_XPRESS, MIN(block, 65536), 0, &c, &err));
	for (size_t at = 0; at < n; at += block) {
		size_t plain = MIN(block, n - at),
		       stored = plain > 65536 ? 0 : ib_compress(c, data + at, plain, packed, plain - 1);
		add32(a, (uint32_t)(stored ? stored : plain));
		g_byte_array_append(a, stored ? packed : data + at, (guint)(stored ? stored : plain));
	}
	ib_compressor_free(c);
	return a;
}

static GBytes *record_of(const uint8_t *target, size_t n, GByteArray *patch, bool reverse)
{
	struct sample s = { .target = target,
			    .target_size = n,
			    .patch = patch->data,
			    .patch_size = patch->len,
			    .reverse = reverse };

	return sample_make(&s);
}

static void expect(GBytes *source, GBytes *record, const uint8_t *target, size_t n)
{
	ib_auto_error err = NULL;
	g_autoptr(GBytes) out = NULL;

	cr_assert(ib_delta_apply(source, record, NULL, &out, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(g_bytes_get_size(out) == n && memcmp(g_bytes_get_data(out, NULL), target, n) == 0);
}

static void refuse(GBytes *source, GBytes *record, const char *word)
{
	ib_auto_error err = NULL;
	GBytes *out = NULL;

	cr_assert_not(ib_delta_apply(source, record, NULL, &out, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	cr_assert_not_null(strstr(ib_error_cause(err), word), "%s", ib_error_cause(err));
}

static uint8_t *text_of(size_t n)
{
	uint8_t *p = g_malloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = i % 300 < 150 ? (uint8_t)"what is to be had again "[i % 24] : (uint8_t)(i * 2654435761u >> 23);
	return p;
}

Test(delta_body, containers)
{
	static const struct {
		size_t n;
		uint32_t chunk;
		uint8_t algorithm;
	} cases[] = { { 5000, 5000, 5 },
		      { 40000, 16384, 5 },
		      { 40000, 65536, 4 },
		      { 200000, 65536, 4 },
		      { 7, 65536, 5 } };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree uint8_t *target = text_of(cases[i].n);
		g_autoptr(GByteArray) patch = container(target, cases[i].n, cases[i].chunk, cases[i].algorithm);
		g_autoptr(GBytes) record = record_of(target, cases[i].n, patch, false);
		struct ib_delta_info info;
		ib_auto_error err = NULL;
		cr_assert(ib_delta_info(record, &info, &err) && info.body == IB_DELTA_BODY_CONTAINER);
		expect(NULL, record, target, cases[i].n);
	}
}

static void crc_again(GByteArray *a)
{
	uint8_t crc_of[23];

	memcpy(crc_of, a->data, 6);
	memcpy(crc_of + 6, a->data + 7, 17);
	a->data[6] = (uint8_t)sample_crc32(crc_of, sizeof(crc_of));
}

Test(delta_body, containers_refused)
{
	g_autofree uint8_t *target = text_of(80000);
	static const struct {
		size_t at;
		uint8_t value;
		const char *word;
	} cases[] = { { 7, 3, "algorithm 3" }, { 20, 1, "not known" }, { 19, 0x7f, "at most" }, { 4, 25, "header" },
		      { 25, 0xff, "ends early" } };

	g_autoptr(GByteArray) large = container(target, 80000, 131072, 4);
	g_autoptr(GBytes) record = record_of(target, 80000, large, false);
	refuse(NULL, record, "XPRESS blocks of 131072 bytes, at most 65536");
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) patch = container(target, 3000, 65536, 5);
		patch->data[cases[i].at] = cases[i].value;
		crc_again(patch);
		g_autoptr(GBytes) bad = record_of(target, 3000, patch, false);
		refuse(NULL, bad, cases[i].word);
	}
	g_autoptr(GByteArray) patch = container(target, 3000, 65536, 5);
	patch->data[6] ^= 1;
	g_autoptr(GBytes) damaged = record_of(target, 3000, patch, false);
	refuse(NULL, damaged, "damaged");
}

/* ---- byte differences ---- */

static void triple(GByteArray *a, int64_t add, int64_t insert, int64_t seek)
{
	const int64_t v[] = { add, insert, seek };

	for (unsigned i = 0; i < 3; i++) {
		uint8_t b[8];
		ib_put_le64(b, v[i] < 0 ? (uint64_t)-v[i] | UINT64_C(1) << 63 : (uint64_t)v[i]);
		g_byte_array_append(a, b, 8);
	}
}

static GByteArray *difference(void)
{
	GByteArray *a = g_byte_array_new();

	triple(a, 4, 2, -6);                                        /* from 0, then to 4 - 6 = -2 */
	g_byte_array_append(a, (const uint8_t *)"\0\1\0\377xy", 6); /* ABCD: A, C, C, C */
	triple(a, 4, 0, 4);                                         /* from -2: two without a source, then A, B; to 6 */
	g_byte_array_append(a, (const uint8_t *)"pq\0\1", 4);
	triple(a, 3, 1, 0);                                         /* from 6: G, H, and one behind the end */
	g_byte_array_append(a, (const uint8_t *)"\0\0r!", 4);
	return a;
}

Test(delta_body, byte_difference)
{
	static const uint8_t source[] = "ABCDEFGH", target[] = "ACCCxypqACGHr!";
	struct ib_delta_span from = { .data = source, .size = 8 };
	g_autoptr(GByteArray) stream = difference();
	uint8_t out[14];
	ib_auto_error err = NULL;

	struct ib_delta_span s = { .data = stream->data, .size = stream->len };
	cr_assert(ib_delta_bsdiff(from, s, out, sizeof(out), &err));
	cr_assert_arr_eq(out, target, sizeof(out));
	g_autoptr(GByteArray) patch = container(stream->data, stream->len, 65536, 5);
	g_autoptr(GBytes) record = record_of(target, sizeof(out), patch, false), bytes = g_bytes_new(source, 8);
	expect(bytes, record, target, sizeof(out));
	for (size_t n = 0; n < stream->len; n++) {
		ib_auto_error cut = NULL;
		s.size = n;
		cr_assert_not(ib_delta_bsdiff(from, s, out, sizeof(out), &cut));
		cr_assert_eq(ib_error_code(cut), IB_ERR_INPUT);
	}
}

/* ---- reverse records ---- */

static void section(struct sample_bits *b, uint32_t type, const int64_t (*e)[2], size_t n, const int64_t *lengths,
		    const char *bytes)
{
	struct sample_bits s = sample_begin();
	uint8_t all[252];
	struct sample_code flat = { 0 };

	sample_put(&s, type, 32);
	sample_put(&s, 0, 32);
	if (type == 1)
		sample_put(&s, 0, 32);
	sample_rift(&s, e, n);
	sample_flat(all, 252, false);
	sample_code_make(&flat, all, 252);
	for (size_t i = 0; lengths && i < n; i++) /* at most 3: the symbol is the number */
		sample_symbol(&s, &flat, (unsigned)lengths[i]);
	if (bytes)
		sample_buffer(&s, bytes, strlen(bytes));
	g_autoptr(GByteArray) stream = sample_end(&s);
	sample_buffer(b, stream->data, stream->len);
}

Test(delta_body, reverse_records)
{
	static const uint8_t newer[] = "abcdefgh", older[] = "cdXYZha!";
	struct sample_bits b = sample_begin();
	g_autoptr(GBytes) source = g_bytes_new(newer, 8);

	sample_put(&b, 0x4D535250, 32);
	sample_put(&b, 3, 32);
	section(&b, 0, (const int64_t[][2]){ { 0, 2 }, { 5, 7 }, { 6, 0 } }, 3, (const int64_t[]){ 2, 1, 2 }, NULL);
	section(&b, 1, (const int64_t[][2]){ { 2, 1 }, { 3, 2 } }, 2, NULL, "XYZ");
	section(&b, 2, (const int64_t[][2]){ { 7, '!' } }, 1, NULL, NULL);
	g_autoptr(GByteArray) patch = sample_end(&b);
	g_autoptr(GBytes) record = record_of(older, 8, patch, true);
	struct ib_delta_info info;
	ib_auto_error err = NULL;
	cr_assert(ib_delta_info(record, &info, &err) && info.body == IB_DELTA_BODY_REVERSE);
	expect(source, record, older, 8);
	refuse(NULL, record, "malformed section of type 0");
}

/* ---- the component store's files ---- */

#define TEXT "<?xml version=\"1.0\"?><assembly/>"

static GBytes *with_head(const char *head, size_t n, GBytes *record)
{
	GByteArray *a = g_byte_array_new();

	g_byte_array_append(a, (const uint8_t *)head, (guint)n);
	if (record)
		g_byte_array_append(a, g_bytes_get_data(record, NULL), (guint)g_bytes_get_size(record));
	return g_byte_array_free_to_bytes(a);
}

Test(delta_body, store_files)
{
	static const uint8_t basis[] = "<?xml version=\"1.0\"?><something/>";
	struct sample s = { .source = basis, .source_size = sizeof(basis), .target = (const uint8_t *)TEXT,
			    .target_size = sizeof(TEXT) - 1, .no_hash = true };
	g_autoptr(GBytes) against = sample_make(&s), dictionary = g_bytes_new(basis, sizeof(basis));
	s.source_size = 0;
	g_autoptr(GBytes) alone = sample_make(&s);
	g_autoptr(GBytes) plain = g_bytes_new_static(TEXT, sizeof(TEXT) - 1);
	struct {
		GBytes *bytes;
		enum ib_dcm_kind kind;
		bool good;
	} cases[] = {
		{ with_head("DCM\1", 4, against), IB_DCM_DCM, true },
		{ with_head("DCD\1\1\2\3\4\5\6\7\x8", 12, against), IB_DCM_DCD, true },
		{ with_head("DCN\1", 4, alone), IB_DCM_DCN, true },
		/* one stored block */
		{ with_head("DCS\1\1\0\0\0\x20\0\0\0\x24\0\0\0\x20\0\0\0" TEXT, 52, NULL), IB_DCM_DCS, true },
		{ with_head("DCS\1\1\0\0\0\x21\0\0\0\x24\0\0\0\x20\0\0\0" TEXT, 52, NULL), IB_DCM_DCS, false },
		{ with_head("DCS\1\1\0\0\0\x20\0\0\0\x25\0\0\0\x20\0\0\0" TEXT, 52, NULL), IB_DCM_DCS, false },
		{ with_head("DCS\1\xff\xff\xff\xff\0\0\0\0", 12, NULL), IB_DCM_DCS, false },
		{ with_head("DCH\1\0\0\0\0\0\0\0\0", 12, NULL), IB_DCM_DCH, false },
		{ with_head("DCX\1", 4, NULL), IB_DCM_DCX, false },
		{ with_head("DCQ\1", 4, NULL), IB_DCM_NONE, false },
		{ with_head("DCM\1", 4, alone), IB_DCM_DCM, true },
		{ with_head("DCD\1", 4, NULL), IB_DCM_DCD, false },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GBytes) out = NULL;
		ib_auto_error err = NULL;
		cr_assert_eq(ib_dcm_kind(cases[i].bytes), cases[i].kind);
		bool good = ib_dcm_decode(cases[i].bytes, dictionary, &out, &err);
		cr_assert_eq(good, cases[i].good, "case %u: %s", i, err ? ib_error_cause(err) : "");
		cr_assert(!good || g_bytes_equal(out, plain), "case %u", i);
		cr_assert(good || ib_error_code(err) == IB_ERR_INPUT);
		g_bytes_unref(cases[i].bytes);
	}
	cr_assert_eq(ib_dcm_kind(plain), IB_DCM_NONE);
}

Test(delta_body, store_files_use_all_their_bits)
{
	g_autoptr(GByteArray) patch = g_byte_array_new();
	struct sample s = { .target = (const uint8_t *)TEXT, .target_size = sizeof(TEXT) - 1, .no_hash = true };
	g_autoptr(GByteArray) exact = sample_patch(&s);

	g_byte_array_append(patch, exact->data, exact->len);
	g_byte_array_append(patch, (const uint8_t *)"\0", 1);
	s.patch = patch->data;
	s.patch_size = patch->len;
	g_autoptr(GBytes) record = sample_make(&s), file = with_head("DCN\1", 4, record);
	GBytes *out = NULL;
	ib_auto_error err = NULL;
	cr_assert_not(ib_dcm_decode(file, NULL, &out, &err));
	cr_assert_not_null(strstr(ib_error_cause(err), "behind the end"));
}

Test(delta_body, dictionary_out_of_a_program)
{
	uint8_t p[0x600] = "MZ";
	GBytes *out = NULL;
	static const struct {
		uint32_t at;
		uint32_t value;
	} in[] = {
		{ 60, 0x40 },
		{ 0x40, 0x4550 },
		{ 0x44, 0x00018664 },
		{ 0x54, 0xf0 },
		{ 0x58, 0x20b },
		{ 0x58 + 60, 0x200 },
		{ 0x58 + 108, 16 },
		{ 0x58 + 112 + 16, 0x1000 },
		{ 0x58 + 112 + 20, 0x200 },
		{ 0x148 + 8, 0x400 },
		{ 0x148 + 12, 0x1000 },
		{ 0x148 + 16, 0x400 },
		{ 0x148 + 20, 0x200 },
		{ 0x20c, 0x00020000 },
		{ 0x210, 24 },
		{ 0x214, 0x80000100 },
		{ 0x218, 614 },
		{ 0x21c, 0x80000040 },
		{ 0x24c, 0x00010000 },
		{ 0x250, 1 },
		{ 0x254, 0x80000060 },
		{ 0x26c, 0x00010000 },
		{ 0x270, 1033 },
		{ 0x274, 0x80 },
		{ 0x280, 0x1100 },
		{ 0x284, 5 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(in); i++)
		ib_put_le32(p + in[i].at, in[i].value);
	memcpy(p + 0x300, "words", 5);
	for (unsigned i = 0; i < 4; i++) {
		static const uint32_t break_at[] = { 0, 0x218, 0x250, 0x284 };
		uint8_t q[sizeof(p)];
		ib_auto_error err = NULL;
		memcpy(q, p, sizeof(p));
		if (i)
			ib_put_le32(q + break_at[i], 0x7777);
		g_autoptr(GBytes) wcp = g_bytes_new(q, sizeof(q));
		cr_assert_eq(ib_dcm_dictionary(wcp, &out, &err), i == 0, "case %u", i);
		cr_assert(i == 0 || ib_error_code(err) == IB_ERR_INPUT);
	}
	cr_assert(g_bytes_get_size(out) == 5 && memcmp(g_bytes_get_data(out, NULL), "words", 5) == 0);
	cr_assert_not(ib_dcm_dictionary_usual(out));
	g_bytes_unref(out);
}

/* ---- managed ---- */

static struct ib_delta_program *types_move(void)
{
	struct ib_delta_program *to = g_new0(struct ib_delta_program, 1);
	ib_auto_error err = NULL;

	to->cli_map.present = true;
	to->cli_map.tables[2].max = to->cli_map.tables[1].max = to->cli_map.tables[0x1B].max = 10;
	cr_assert(ib_delta_rift_add(&to->cli_map.tables[2], 3, 5, &err)); /* types from 3 on move by 2 */
	cr_assert(ib_delta_rift_add(&to->cli_map.tables[2], 30, 50, &err));
	cr_assert(ib_delta_rift_add(&to->cli_map.tables[1], 1, 101, &err)); /* not asked */
	cr_assert(ib_delta_rift_add(&to->cli_map.tables[0x1B], 1, 2, &err));
	return to;
}

Test(delta_body, signatures)
{
	static const struct {
		unsigned table;
		const char *before;
		const char *after;
		size_t n;
	} cases[] = {
		{ 0x04, "\6\x12\x0c", "\6\x12\x14", 3 }, /* field: class, TypeDef 3 to 5 */
		{ 0x04, "\6\x12\x0d", "\6\x12\x15", 3 }, /* TypeRef 3: by the map of TypeDefs */
		{ 0x04, "\6\x11\x06", "\6\x11\x0a", 3 }, /* TypeSpec 1 to 2 */
		{ 0x04, "\6\x12\x78", "\6\x12\x78", 3 }, /* 30 to 50 takes two bytes: stays */
		{ 0x04, "\6\x12\x80\x78", "\6\x12\x80\xc8", 4 },
		{ 0x04, "\6\x12\x80\x0c", "\6\x12\x14\x0c", 4 },	 /* shortest form, the rest stays */
		{ 0x06, "\x20\1\x08\x12\x0c", "\x20\1\x08\x12\x14", 5 }, /* int32 f(class) */
		{ 0x06, "\x20\1\1\x12\x0c", "\x20\1\1\x12\x0c", 5 },	 /* void f(class): ends */
		{ 0x06, "\0\1\x0f\1\x12\x0c", "\0\1\x0f\1\x12\x14", 6 }, /* void * f(class) */
		{ 0x06, "\x10\1\1\x1e\0\x12\x0c", "\x10\1\1\x1e\0\x12\x0c",
		  7 },							     /* generic: 1 is taken for the count */
		{ 0x11, "\7\2\x12\x0c\x12\x0c", "\7\2\x12\x14\x12\x0c", 6 }, /* the first local only */
		{ 0x11, "\6\x10\x12\x0c", "\6\x10\x12\x0c", 4 },
		{ 0x1B, "\x1d\x12\x0c", "\x1d\x12\x14", 3 },
		{ 0x1B, "\x20\x0c\x12\x0c", "\x20\x0c\x12\x0c", 4 },
		{ 0x1B, "\x15\x12\x0c\1\x12\x0c", "\x15\x12\x14\1\x12\x0c",
		  6 }, /* of a generic type its arguments stay */
		{ 0x06, "\0\2\x08\x14\x12\x0c\1\0\0\x12\x0c", "\0\2\x08\x14\x12\x14\1\0\0\x12\x14",
		  11 }, /* array of class, class */
		{ 0x06, "\0\2\x08\x1b\0\0\1\x12\x0c", "\0\2\x08\x1b\0\0\1\x12\x0c", 9 },
		{ 0x17, "\x28\0\x12\x0c", "\x28\0\x12\x14", 4 },
		{ 0x04, "\6\x14\x08\xdf\xff\xff\xff", "\6\x14\x08\xdf\xff\xff\xff", 7 },
		{ 0x06, "\0\xdf\xff\xff\xff", "\0\xdf\xff\xff\xff", 5 },
	};
	struct ib_delta_program *to = types_move();
	struct ib_delta_job j = { .to = to };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint8_t out[16];
		memcpy(out, cases[i].before, cases[i].n);
		ib_delta_cli_signature(&j, cases[i].table, (const uint8_t *)cases[i].before, cases[i].n, out);
		cr_assert_arr_eq(out, cases[i].after, cases[i].n, "case %u", i);
	}
	ib_delta_program_clear(to);
	g_free(to);
}

Test(delta_body, tables_of_metadata)
{
	static struct ib_delta_cli_layout l;
	static struct ib_delta_cli_tables t;
	unsigned bits;

	l.streams[IB_DELTA_TABLES].offset = 0x1000;
	l.valid = 1 << 1 | 1 << 2 | 1 << 6 | UINT64_C(1) << 0x2A;
	l.rows[1] = 0x4000; /* too many for 14 bits: ResolutionScope and TypeDefOrRef become wide */
	l.rows[2] = 3;
	l.rows[6] = 0x10000;
	l.rows[0x2A] = 1;
	l.wide[IB_DELTA_STRINGS] = true;
	ib_delta_cli_measure(&l, false, &t);
	cr_assert_eq(t.start[1], 0x1000 + 24 + 16);
	cr_assert_eq(t.row_size[1], 4 + 4 + 4);
	cr_assert_eq(t.row_size[2], 4 + 4 + 4 + 4 + 2 + 4); /* flags, two names, extends, a field, a method */
	cr_assert_eq(t.row_size[6], 4 + 2 + 2 + 4 + 2 + 2);
	cr_assert_eq(t.row_size[0x2A],
		     2 + 2 + 4 + 4 + 4); /* the owner is a type or one of many methods; one column more */
	cr_assert_eq(t.start[6], t.start[2] + 3 * 22);
	ib_delta_cli_measure(&l, true, &t);
	cr_assert_eq(t.row_size[0x2A], 2 + 2 + 4 + 4);
	cr_assert_eq(ib_delta_cli_coded(2, 5 << 5 | 21, &bits), 0x2B);
	cr_assert_eq(bits, 5);
	cr_assert_eq(ib_delta_cli_coded(10, 1, &bits), -1);
}
