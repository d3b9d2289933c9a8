/*
 * Transforms of programs, on small programs made here; what must come out was worked out by hand from the format's
 * description. Genuine records that reach most of these are in no public collection.
 */
#include <criterion/criterion.h>

#include "delta/body_internal.h"
#include "tests/delta_sample.h"

#define SIZE 0x1000u
#define OPTIONAL 0x58u
#define STAMP_AT 0x48u
#define CHECKSUM_AT (OPTIONAL + 64)

/* One program: headers, .text at 0x1000 (file 0x400), .idata at 0x2000 (file 0x800). */
struct lab {
	uint8_t p[SIZE];
	bool plus;
	struct ib_delta_program to;
	size_t sections;
};

static void put16(struct lab *l, size_t at, uint16_t v)
{
	ib_put_le16(l->p + at, v);
}

static void put(struct lab *l, size_t at, uint32_t v)
{
	ib_put_le32(l->p + at, v);
}

static uint32_t get(const struct lab *l, size_t at)
{
	return ib_le32(l->p + at);
}

static void bytes(struct lab *l, size_t at, const char *b, size_t n)
{
	memcpy(l->p + at, b, n);
}

static void dir(struct lab *l, enum ib_delta_dir i, uint32_t rva, uint32_t size)
{
	put(l, OPTIONAL + (l->plus ? 112 : 96) + 8 * i, rva);
	put(l, OPTIONAL + (l->plus ? 112 : 96) + 8 * i + 4, size);
}

static void section(struct lab *l, unsigned i, const char *name, const uint32_t v[5])
{
	size_t at = l->sections + 40 * i;

	bytes(l, at, name, strlen(name));
	for (unsigned k = 0; k < 4; k++)
		put(l, at + 8 + 4 * k, v[k]);
	put(l, at + 36, v[4]);
}

static struct lab *lab_new(uint16_t machine)
{
	struct lab *l = g_new0(struct lab, 1);
	bool plus = machine == IB_DELTA_MACHINE_AMD64;

	l->plus = plus;
	bytes(l, 0, "MZ", 2);
	put(l, 60, 0x40);
	bytes(l, 0x40, "PE\0", 4);
	put16(l, 0x44, machine);
	put16(l, 0x46, 2);
	put(l, STAMP_AT, 0x11111111);
	put16(l, 0x54, plus ? 0xf0 : 0xe0);
	put16(l, OPTIONAL, plus ? 0x20b : 0x10b);
	ib_put_le64(l->p + OPTIONAL + 24, plus ? 0x140000000 : 0x40000000000000); /* PE32: 0x400000 in the upper half */
	put(l, OPTIONAL + 56, 0x3000);
	put(l, OPTIONAL + 60, 0x400);
	put(l, CHECKSUM_AT, 0x12345);
	put(l, OPTIONAL + (plus ? 108 : 92), 16);
	l->sections = OPTIONAL + (plus ? 0xf0 : 0xe0);
	section(l, 0, ".text", (const uint32_t[]){ 0x400, 0x1000, 0x400, 0x400, 0x60000020 });
	section(l, 1, ".idata", (const uint32_t[]){ 0x800, 0x2000, 0x800, 0x800, 0x40000040 });
	l->to.image_base = plus ? 0x150000000 : 0x500000;
	l->to.timestamp = 0x22222222;
	return l;
}

/* RVAs of the source to the target's. */
static void map(struct lab *l, const int64_t (*e)[2], size_t n)
{
	ib_auto_error err = NULL;

	l->to.to_target.max = 100;
	for (size_t i = 0; i < n; i++)
		cr_assert(ib_delta_rift_add(&l->to.to_target, e[i][0], e[i][1], &err));
}

/* Code stays, data moves by 0x200; or code from 0x1200 on moves back by 0x80. */
#define MAP_DATA (const int64_t[][2]){ { 0, 0 }, { 0x1000, 0x1010 }, { 0x2000, 0x2200 } }, 3
#define MAP_CODE (const int64_t[][2]){ { 0, 0 }, { 0x1200, 0x1180 }, { 0x2000, 0x2200 } }, 3

static void run(struct lab *l, uint64_t flags)
{
	ib_auto_error err = NULL;
	ib_auto_rift moves = { .max = 1000 };

	cr_assert(ib_delta_transform(l->p, SIZE, &l->to, flags, &moves, &err), "%s", err ? ib_error_cause(err) : "");
}

static void lab_free(struct lab *l)
{
	ib_delta_program_clear(&l->to);
	g_free(l);
}

struct want {
	uint32_t at;
	uint32_t value;
};

static void check(const struct lab *l, const struct want *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(get(l, w[i].at), w[i].value, "at 0x%x: 0x%x instead of 0x%x", w[i].at, get(l, w[i].at),
			     w[i].value);
}

#define CHECK(l, ...) check(l, (const struct want[])__VA_ARGS__, G_N_ELEMENTS(((const struct want[])__VA_ARGS__)))

Test(delta_pe, headers)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386), *m = lab_new(IB_DELTA_MACHINE_AMD64);

	run(l, 0);
	CHECK(l, { { STAMP_AT, 0x22222222 }, { CHECKSUM_AT, 0 }, { OPTIONAL + 28, 0x500000 } });
	run(m, 0);
	CHECK(m, { { STAMP_AT, 0x22222222 }, { CHECKSUM_AT, 0 }, { OPTIONAL + 24, 0x50000000 }, { OPTIONAL + 28, 1 } });
	lab_free(l);
	lab_free(m);
}

static void imports(struct lab *l)
{
	static const struct want in[] = {
		/* two descriptors: bound, look-up table begins with an ordinal; not bound, begins with a name */
		{ 0x800, 0x2100 }, { 0x804, 0x33333333 }, { 0x808, 5 }, { 0x80c, 0x2180 }, { 0x810, 0x2140 },
		{ 0x814, 0x2160 }, { 0x820, 0x2188 }, { 0x824, 0x2170 },
		{ 0x900, 0x80000001 }, { 0x904, 0x2190 },
		{ 0x940, 0x401100 }, { 0x944, 0x402190 }, { 0x948, 0 },
		{ 0x960, 0x2190 }, { 0x964, 0x80000002 },
		{ 0x970, 0x2190 }, { 0x974, 0x80000002 },
	};

	dir(l, IB_DELTA_DIR_IMPORT, 0x2000, 0x3c);
	for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
		put(l, in[i].at, in[i].value);
	bytes(l, 0x990, "\0\0CreateFileW", 14);
	map(l, MAP_DATA);
}

Test(delta_pe, unbind)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);

	imports(l);
	put(l, 0x948, 0x77777777);
	run(l, IB_DELTA_UNBIND);
	CHECK(l, { { 0x800, 0x2100 },
		   { 0x804, 0 },
		   { 0x808, 0 },
		   { 0x80c, 0x2180 },
		   { 0x940, 0x80000001 },
		   { 0x944, 0x2190 },
		   { 0x948, 0x77777777 },
		   { 0x970, 0x2190 } });
	cr_assert_eq(get(l, l->sections + 40 + 36), 0xC0000040, "the import section can be written to");
	cr_assert_eq(get(l, l->sections + 36), 0x60000020);
	lab_free(l);
}

Test(delta_pe, imports)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);

	imports(l);
	run(l, IB_DELTA_IMPORTS);
	CHECK(l, { { 0x800, 0x2300 }, { 0x804, 0x33333333 }, { 0x80c, 0x2380 }, { 0x810, 0x2340 }, /* fields */
		   { 0x900, 0x80000001 }, { 0x904, 0x2190 },                                       /* the quirk */
		   { 0x940, 0x501110 }, { 0x944, 0x502390 }, { 0x948, 0 },                         /* bound addresses */
		   { 0x814, 0x2360 }, { 0x818, 0 }, { 0x820, 0x2388 }, { 0x824, 0x2370 },
		   { 0x960, 0x2390 }, { 0x964, 0x80000002 }, { 0x970, 0x2390 }, { 0x974, 0x80000002 } });
	lab_free(l);
}

Test(delta_pe, exports)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);
	static const struct want in[] = { { 0x80c, 0x2050 },	{ 0x814, 3 },	   { 0x818, 2 },
					  { 0x81c, 0x2060 },	{ 0x820, 0x2070 }, { 0x824, 0x2080 },
					  { 0x860, 0x1100 },	{ 0x864, 0 },	   { 0x868, 0x2400 },
					  { 0x86c, 0x1100 },	{ 0x870, 0x2050 }, { 0x874, 0x2058 },
					  { 0x880, 0x00010000 } };

	dir(l, IB_DELTA_DIR_EXPORT, 0x2000, 0x100);
	for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
		put(l, in[i].at, in[i].value);
	map(l, MAP_DATA);
	run(l, IB_DELTA_EXPORTS);
	CHECK(l, { { 0x80c, 0x2250 },
		   { 0x814, 3 },
		   { 0x818, 2 },
		   { 0x81c, 0x2260 },
		   { 0x820, 0x2270 },
		   { 0x824, 0x2280 },
		   { 0x860, 0x1110 },
		   { 0x864, 0 },
		   { 0x868, 0x2600 },
		   { 0x86c, 0x1100 },
		   { 0x870, 0x2250 },
		   { 0x874, 0x2258 },
		   { 0x880, 0x00010000 } });
	lab_free(l);
}

Test(delta_pe, resources)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);
	static const struct want in[] = {
		{ 0x80c, 0x00010001 },                         /* one name, one number */
		{ 0x810, 0x80000140 }, { 0x814, 0x80000030 },
		{ 0x818, 5 }, { 0x81c, 0x80000030 },           /* the same directory again: visited once */
		{ 0x83c, 0x00010000 }, { 0x840, 1033 }, { 0x844, 0x120 },
		{ 0x920, 0x2180 }, { 0x924, 0x40 },
	};

	dir(l, IB_DELTA_DIR_RESOURCE, 0x2000, 0x400);
	for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
		put(l, in[i].at, in[i].value);
	/* the second half of the tree moves by 0x20 against its start */
	map(l, (const int64_t[][2]){ { 0, 0 }, { 0x2000, 0x2200 }, { 0x2100, 0x2320 } }, 3);
	run(l, IB_DELTA_RESOURCES);
	CHECK(l, { { 0x810, 0x80000160 }, { 0x814, 0x80000030 }, { 0x818, 5 }, { 0x81c, 0x80000030 }, { 0x840, 1033 },
		   { 0x844, 0x140 }, { 0x920, 0x21a0 }, { 0x924, 0x40 } });
	lab_free(l);
}

Test(delta_pe, resources_in_a_circle)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);

	dir(l, IB_DELTA_DIR_RESOURCE, 0x2000, 0x400);
	put(l, 0x80c, 0x00020000);
	put(l, 0x814, 0x80000000); /* the root itself, and a directory that leaves the tree */
	put(l, 0x81c, 0x800003ff);
	map(l, MAP_DATA);
	run(l, IB_DELTA_RESOURCES);
	CHECK(l, { { 0x814, 0x80000000 }, { 0x81c, 0x800003ff } });
	lab_free(l);
}

Test(delta_pe, relocs)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);
	static const struct want in[] = {
		{ 0xc00, 0x1000 },     { 0xc04, 0x10 },	    { 0xc08, 0x3ff83100 },
		{ 0xc0c, 0x31040000 }, /* type 0 ends the block */
		{ 0xc10, 0x2000 },     { 0xc14, 0xc },	    { 0xc18, 0x00003010 },
		{ 0x500, 0x402004 },   { 0x504, 0x402004 }, { 0x810, 0x401000 },
	};

	dir(l, IB_DELTA_DIR_RELOC, 0x2400, 0x1c);
	for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
		put(l, in[i].at, in[i].value);
	map(l, MAP_DATA);
	run(l, IB_DELTA_RELOCS);
	/* 0x1100 is now 0x1110; 0x1ff8 and 0x2010 are 0x2008 and 0x2210: another page each than before */
	CHECK(l, { { 0x500, 0x502204 }, { 0x504, 0x402004 }, { 0x810, 0x501010 },
		   { 0xc00, 0x1000 }, { 0xc04, 0xc }, { 0xc08, 0x00003110 },
		   { 0xc0c, 0x2000 }, { 0xc10, 0xc }, { 0xc14, 0x32103008 }, { 0xc18, 0x00003010 } });
	lab_free(l);
}

Test(delta_pe, relocs_64)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_AMD64);

	dir(l, IB_DELTA_DIR_RELOC, 0x2400, 0xc);
	put(l, 0xc00, 0x1000);
	put(l, 0xc04, 0xc);
	put(l, 0xc08, 0x0000a100);
	ib_put_le64(l->p + 0x500, 0x140002004);
	map(l, MAP_DATA);
	run(l, IB_DELTA_RELOCS);
	CHECK(l, { { 0x500, 0x50002204 }, { 0x504, 1 }, { 0xc00, 0x1000 }, { 0xc04, 0xc }, { 0xc08, 0x0000a110 } });
	lab_free(l);
}

Test(delta_pe, relocs_guessed)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);

	put(l, 0x500, 0x402004);
	put(l, 0x504, 0x400000); /* the base itself is no place in the image, nor is its end */
	put(l, 0x508, 0x403000);
	put(l, 0x511, 0x401004); /* at any offset */
	map(l, MAP_DATA);
	run(l, IB_DELTA_RELOCS);
	CHECK(l, { { 0x500, 0x502204 }, { 0x504, 0x400000 }, { 0x508, 0x403000 }, { 0x511, 0x501014 } });
	lab_free(l);
}

Test(delta_pe, jmps)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);

	memset(l->p + 0x400, 0x90, 0x400);
	bytes(l, 0x410, "\xe9\x1f\x02\0\0", 5);             /* 1010: to 1234, now 11b4 */
	bytes(l, 0x420, "\x0f\x84\xda\x02\0\0", 6);         /* 1020: to 1300, now 1280 */
	bytes(l, 0x450, "\xe9\0\0\x10\0", 5);               /* out of the image */
	bytes(l, 0x5d0, "\xe9\x8b\0\0\0", 5);               /* 11d0: to 1260, now 11e0: near enough for a short jump */
	bytes(l, 0x5e0, "\x0f\x85\x8a\0\0\0", 6);           /* 11e0: to 1270, now 11f0 */
	bytes(l, 0x5f8, "\xe9\x10\0\0\0", 5);               /* near before: left alone */
	bytes(l, 0x7fb, "\xe9\x00\xff\xff\xff", 5);         /* ends with the section: left alone */
	map(l, MAP_CODE);
	run(l, IB_DELTA_I386_JMPS);
	cr_assert_arr_eq(l->p + 0x410, "\xe9\x9f\x01\0\0\x90", 6);
	cr_assert_arr_eq(l->p + 0x420, "\x0f\x84\x5a\x02\0\0\x90", 7);
	cr_assert_arr_eq(l->p + 0x450, "\xe9\0\0\x10\0", 5);
	cr_assert_arr_eq(l->p + 0x5d0, "\xeb\x0b\0\0\0\x90", 6);
	cr_assert_arr_eq(l->p + 0x5e0, "\x75\x0a\x8a\0\0\0\x90", 7);
	cr_assert_arr_eq(l->p + 0x5f8, "\xe9\x10\0\0\0", 5);
	cr_assert_arr_eq(l->p + 0x7fb, "\xe9\x00\xff\xff\xff", 5);
	lab_free(l);
}

Test(delta_pe, calls)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386), *m = lab_new(IB_DELTA_MACHINE_I386);

	bytes(l, 0x410, "\xe8\x1f\x02\0\0", 5); /* 1010: to 1234, now 11b4 */
	bytes(l, 0x5f8, "\xe8\x10\0\0\0", 5);   /* 11f8: to 120d, now 118d: distance -70 */
	bytes(l, 0x7fb, "\xe8\x00\xff\xff\xff", 5); /* 13fb: ends with the section: to 1300, both moved by the same */
	bytes(l, 0x900, "\xe8\x1f\x02\0\0", 5); /* no code here */
	memcpy(m->p, l->p, SIZE);
	map(l, MAP_CODE);
	run(l, IB_DELTA_I386_CALLS);
	CHECK(l, { { 0x411, 0x19f }, { 0x5f9, 0xffffff90 }, { 0x7fc, 0xffffff00 }, { 0x901, 0x21f } });
	/* MARK: a call into a directory is none */
	dir(m, IB_DELTA_DIR_DEBUG, 0x1230, 0x20);
	map(m, MAP_CODE);
	run(m, IB_DELTA_I386_CALLS | IB_DELTA_MARK);
	CHECK(m, { { 0x411, 0x21f }, { 0x5f9, 0xffffff90 } });
	lab_free(l);
	lab_free(m);
}

Test(delta_pe, mark_leaves_data_of_code_alone)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);

	bytes(l, 0x410, "\xe8\x1f\x02\0\0", 5);
	dir(l, IB_DELTA_DIR_DEBUG, 0x1012, 1); /* one byte of the call */
	map(l, MAP_CODE);
	run(l, IB_DELTA_I386_CALLS | IB_DELTA_MARK);
	CHECK(l, { { 0x411, 0x21f } });
	lab_free(l);
}

static struct lab *code_64(void)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_AMD64);
	static const struct want in[] = {
		{ 0x800, 0x1000 }, { 0x804, 0x1020 }, { 0x808, 0x2100 }, /* with a handler */
		{ 0x80c, 0x1300 }, { 0x810, 0x1310 }, { 0x814, 0x2120 }, /* without */
		{ 0x900, 0x00030009 }, { 0x90c, 0x1300 }, { 0x920, 0x00030001 }, { 0x92c, 0x1300 },
	};

	dir(l, IB_DELTA_DIR_EXCEPTION, 0x2000, 24);
	for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
		put(l, in[i].at, in[i].value);
	bytes(l, 0x400, "\xe8\xfb\x02\0\0"          /* 1000: to 1300 */
			"\x48\x8b\x05\x04\x10\0\0"  /* 1005: 2010 */
			"\x0f\x84\xee\x02\0\0"      /* 100c: to 1300 */
			"\xb8\xe8\x01\x02\x03"      /* 1012: no call in it */
			"\xe9\xe4\x02\0\0"          /* 1017: to 1300 */
			"\xc3\0\0\0"                /* 101c */
			"\xe8\xdb\x02\0\0", 37);    /* 1020: behind the function */
	bytes(l, 0x700, "\xe8\xfb\xfc\xff\xff", 5); /* 1300: to 1000 */
	map(l, MAP_CODE);
	return l;
}

Test(delta_pe, disasm)
{
	struct lab *l = code_64(), *m = code_64();

	run(l, IB_DELTA_AMD64_DISASM);
	CHECK(l, { { 0x401, 0x27b },
		   { 0x408, 0x1204 },
		   { 0x40e, 0x26e },
		   { 0x413, 0x030201e8 },
		   { 0x418, 0x264 },
		   { 0x421, 0x2db },
		   { 0x701, 0xfffffd7b },
		   { 0x800, 0x1000 },
		   { 0x80c, 0x1300 } });
	/* an address in the middle of an instruction keeps it as it is; the walk goes on behind the address */
	dir(m, IB_DELTA_DIR_RELOC, 0x2400, 0xc);
	put(m, 0xc00, 0x1000);
	put(m, 0xc04, 0xc);
	put(m, 0xc08, 0x00003001);
	run(m, IB_DELTA_AMD64_DISASM | IB_DELTA_RELOCS);
	cr_assert_eq(get(m, 0x408), 0x1204);
	cr_assert_neq(get(m, 0x401), 0x27b);
	lab_free(l);
	lab_free(m);
}

Test(delta_pe, pdata)
{
	struct lab *l = code_64();

	run(l, IB_DELTA_AMD64_PDATA);
	CHECK(l, { { 0x800, 0x1000 },
		   { 0x804, 0x1020 },
		   { 0x808, 0x2300 },
		   { 0x80c, 0x1280 },
		   { 0x810, 0x1290 },
		   { 0x814, 0x2320 },
		   { 0x90c, 0x1280 },
		   { 0x92c, 0x1300 },
		   { 0x401, 0x2fb } });
	lab_free(l);
}

Test(delta_pe, lengths)
{
	static const struct {
		const char *code;
		uint8_t n;
		uint8_t length;
		uint8_t relative;
	} cases[] = {
		{ "\x90", 1, 1, 0 },
		{ "\x48\x8b\x05\1\2\3\4", 7, 7, 3 },                /* mov rax, [rip+…] */
		{ "\xe8\1\2\3\4", 5, 5, 1 },
		{ "\x66\xe9\1\2\3\4", 6, 6, 2 },                    /* always four bytes */
		{ "\x66\xb8\1\2", 4, 4, 0 },
		{ "\x48\xb8\1\2\3\4\5\6\7\x8", 10, 10, 0 },
		{ "\xb8\1\2\3\4", 5, 5, 0 },
		{ "\xf6\x05\1\2\3\4\5", 7, 7, 2 },                  /* test with a byte */
		{ "\xf6\x15\1\2\3\4\5", 7, 6, 2 },                  /* not */
		{ "\x48\xf7\x04\x25\1\2\3\4\5\6\7\x8", 12, 12, 0 }, /* no base: 32 bits that count from 0 */
		{ "\x81\x3d\1\2\3\4\5\6\7\x8", 10, 10, 2 },
		{ "\x66\x81\x38\1\2", 5, 5, 0 },
		{ "\x83\x7d\x08\1", 4, 4, 0 },
		{ "\x8b\x84\x24\1\2\3\4", 7, 7, 0 },
		{ "\xff\xd0", 2, 2, 0 },
		{ "\xa1\1\2\3\4\5\6\7\x8", 9, 9, 0 },
		{ "\x67\xa1\1\2\3\4", 6, 6, 0 },
		{ "\xc8\1\2\3", 4, 4, 0 },
		{ "\xc2\1\2", 3, 3, 0 },
		{ "\x0f\x84\1\2\3\4", 6, 6, 2 },
		{ "\x0f\x10\x05\1\2\3\4", 7, 7, 3 },
		{ "\x0f\xba\xe0\1", 4, 4, 0 },
		{ "\x0f\x1f\x40\0", 4, 2, 0 },                      /* not known to the creator */
		{ "\x0f\x38\1", 3, 2, 0 },
		{ "\xc5\xf8\x77", 3, 1, 0 },                        /* VEX: the same */
		{ "\x40\x48\x90", 3, 2, 0 },                        /* a second REX ends it */
		{ "\x66", 1, 1, 0 },
		{ "\xe8\1\2", 3, 1, 0 },                            /* the window ends: nothing is rewritten */
		{ "\x48\x8b\x05\1\2", 5, 3, 0 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_delta_instruction in = ib_delta_amd64_length((const uint8_t *)cases[i].code, cases[i].n);
		cr_assert(in.length == cases[i].length && in.relative == cases[i].relative,
			  "case %u: %u bytes, field at %u", i, in.length, in.relative);
	}
}

Test(delta_pe, e8)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);
	static const struct want in[] = { { 1, 0x20 }, { 11, 0x20 }, { 21, -5u }, { 31, -31u }, { 41, 64 }, { 61, 0 } };

	memset(l->p, 0, 80);
	for (unsigned i = 0; i < G_N_ELEMENTS(in); i++) {
		l->p[in[i].at - 1] = 0xe8;
		put(l, in[i].at, in[i].value);
	}
	ib_delta_e8(l->p, 64, 4);
	CHECK(l, { { 1, 0x20 }, { 11, 0x16 }, { 21, 59 }, { 31, -31u }, { 41, 64 }, { 61, 0 } });
	lab_free(l);
}

/* ---- managed programs ---- */

static void add_map(struct ib_delta_rift *r, int64_t from, int64_t to)
{
	ib_auto_error err = NULL;

	r->max = 10;
	cr_assert(ib_delta_rift_add(r, from, to, &err));
}

/* Two references to types, three methods, and code for them. */
static struct lab *managed(void)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);
	struct ib_delta_cli_map *m = &l->to.cli_map;
	static const struct want in[] = {
		{ 0x800, 72 },	       { 0x808, 0x2100 },     { 0x80c, 0x200 }, /* where metadata is */
		{ 0x900, 0x424a5342 }, { 0x90c, 4 },	      { 0x910, 0x3276 },     { 0x914, 0x00030000 },
		{ 0x918, 0x60 },       { 0x91c, 0x80 },	      { 0x924, 0xe0 },	     { 0x928, 0x20 },
		{ 0x938, 0x100 },      { 0x93c, 0x20 },	      { 0x968, 0x42 },	     { 0x978, 2 },
		{ 0x97c, 3 },						    /* tables 1 and 6 */
		{ 0x980, 0x0005000e }, { 0x984, 9 },			    /* AssemblyRef 3, names 5 and 9 */
		{ 0x98c, 0x1010 },     { 0x994, 0x00010005 }, { 0x998, 1 }, /* name 5, signature 1, parameter 1 */
		{ 0x99a, 0x1040 },     { 0x9a8, 0x1080 },     { 0xa00, 0x01200500 }, { 0xa04, 0x000c1208 },
	};

	dir(l, IB_DELTA_DIR_CLI, 0x2000, 72);
	for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
		put(l, in[i].at, in[i].value);
	bytes(l, 0x920, "#~", 2);
	bytes(l, 0x92c, "#Strings", 8);
	bytes(l, 0x940, "#Blob", 5);
	bytes(l, 0x410, "\x32\x72\5\0\0\x70\x28\2\0\0\6\x26\x2a", 13);      /* ldstr, call, pop, ret */
	bytes(l, 0x440, "\3\x30\0\0\x10\0\0\0\0\0\0\0\xfe\x16\1\0\0\2"     /* constrained. */
			"\x45\1\0\0\0\x72\0\0\0\x2a", 28);                      /* switch, ret */
	bytes(l, 0x480, "\x1a\x72\5\0\0\x70\x2a", 7);
	m->present = true;
	add_map(&m->heaps[IB_DELTA_US], 1, 0x11);
	add_map(&m->heaps[IB_DELTA_STRINGS], 1, 1);
	add_map(&m->heaps[IB_DELTA_STRINGS], 6, 8);
	add_map(&m->heaps[IB_DELTA_BLOB], 1, 2);
	add_map(&m->tables[2], 1, 3);
	add_map(&m->tables[6], 1, 2);
	add_map(&m->tables[0x23], 1, 1);
	add_map(&m->tables[0x23], 3, 4);
	map(l, MAP_DATA);
	return l;
}

Test(delta_pe, tokens)
{
	struct lab *l = managed();

	run(l, IB_DELTA_CLI_DISASM);
	CHECK(l, { { 0x412, 0x70000015 }, { 0x417, 0x06000003 }, { 0x44e, 0x02000003 }, { 0x457, 0x72 },
		   { 0x482, 0x70000005 }, /* the last method is never looked at */
		   { 0x98c, 0x1010 } });
	lab_free(l);
}

Test(delta_pe, metadata)
{
	struct lab *l = managed();

	run(l, IB_DELTA_CLI_METADATA);
	CHECK(l, { { 0x980, 0x00050012 }, { 0x984, 11 }, { 0x98c, 0x1020 }, { 0x994, 0x00020005 }, { 0x9a8, 0x1090 },
		   { 0xa00, 0x01200500 }, { 0xa04, 0x00141208 }, { 0x412, 0x70000005 } });
	cr_assert_eq(ib_le16(l->p + 0x998), 1, "a table without a map stays");
	lab_free(l);
}

Test(delta_pe, heaps_and_rows_move)
{
	static const int64_t want[][2] = {
		{ 0x9c0, 0x980 },      /* TypeRef */
		{ 0x9cc + 14, 0x98c }, /* MethodDef: row 1 is row 2 */
		{ 0xa21, 0x9e1 },      { 0xa22, 0x9e0 },
		{ 0xa28, 0x9e6 },			 /* #Strings: what is below the first goes by the last */
		{ 0xa41, 0xa00 },      { 0xa42, 0xa01 }, /* #Blob */
	};
	struct lab *l = managed();
	struct ib_delta_cli_layout *t = &l->to.cli;
	ib_auto_error err = NULL;
	ib_auto_rift moves = { .max = 1000 };

	*t = (struct ib_delta_cli_layout) { .present = true, .valid = 0x42, .rows = { [1] = 2, [6] = 3 } };
	t->streams[IB_DELTA_TABLES].offset = 0x9a0;
	t->streams[IB_DELTA_STRINGS].offset = 0xa20;
	t->streams[IB_DELTA_BLOB].offset = 0xa40;
	cr_assert(ib_delta_transform(l->p, SIZE, &l->to, 0, &moves, &err));
	for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
		const struct ib_delta_rift_entry *e = &moves.e[ib_delta_rift_find(&moves, want[i][0])];
		cr_assert(e->from == want[i][0] && e->to == want[i][1], "entry %zu: %" PRIx64 " to %" PRIx64, i,
			  e->from, e->to);
	}
	lab_free(l);
}

/* ---- whole records ---- */

static GByteArray *preprocess(const int64_t (*to_file)[2], size_t n, const int64_t (*to_target)[2], size_t m)
{
	struct sample_bits b = sample_begin();

	sample_put(&b, 0x500000, 64);
	sample_put(&b, 0, 32);
	sample_put(&b, 0x22222222, 32);
	sample_rift(&b, to_file, n);
	sample_put(&b, 0, 1); /* not managed */
	sample_rift(&b, to_target, m);
	sample_put(&b, 0, 1);
	return sample_end(&b);
}

/* A copy along the rift, zeros, a copy along the rift. */
static GByteArray *two_copies(size_t first, size_t zeros, size_t second)
{
	struct sample_bits b = sample_begin();
	struct sample_codes c = { 0 };
	uint8_t lengths[872];

	sample_put(&b, 2, 2);
	sample_codes_make(&c, lengths, false);
	sample_match(&b, &c, 0, first);
	sample_symbol(&b, &c.main, 0);
	sample_match(&b, &c, 1, zeros - 1);
	sample_match(&b, &c, 0, second);
	return sample_end(&b);
}

Test(delta_pe, copies_follow_sections)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);
	g_autoptr(GByteArray) pre =
		preprocess((const int64_t[][2]) { { 0, 0 }, { 0x1000, 0x400 }, { 0x2200, 0xa00 } }, 3,
			   (const int64_t[][2]) { { 0, 0 }, { 0x1000, 0x1000 }, { 0x2000, 0x2200 } }, 3);
	g_autoptr(GByteArray) patch = two_copies(0x800, 0x200, 0x800);
	uint8_t want[0x1200];
	ib_auto_error err = NULL;
	g_autoptr(GBytes) out = NULL;

	for (size_t i = 0x400; i < SIZE; i++)
		l->p[i] = (uint8_t)(i * 7 >> 3);
	g_autoptr(GBytes) source = g_bytes_new(l->p, SIZE);
	run(l, 0); /* the headers, tested above */
	/* the target's second section begins 0x200 later; what lies before it has no place in the source */
	memcpy(want, l->p, 0x800);
	memset(want + 0x800, 0, 0x200);
	memcpy(want + 0xa00, l->p + 0x800, 0x800);
	struct sample s = { .target = want,
			    .target_size = sizeof(want),
			    .preprocess = pre->data,
			    .preprocess_size = pre->len,
			    .patch = patch->data,
			    .patch_size = patch->len,
			    .type = IB_DELTA_I386 };
	g_autoptr(GBytes) record = sample_make(&s);
	cr_assert(ib_delta_apply(source, record, NULL, &out, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(memcmp(g_bytes_get_data(out, NULL), want, sizeof(want)), 0);
	lab_free(l);
}

Test(delta_pe, e8_in_a_record)
{
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386), *sent = lab_new(IB_DELTA_MACHINE_I386);
	ib_auto_error err = NULL;
	g_autoptr(GBytes) out = NULL;

	l->p[0x410] = 0xe8;
	put(l, 0x411, 0x100);
	memcpy(sent->p, l->p, SIZE);
	put(sent, 0x411, 0x510); /* a place instead of a distance */
	struct sample coded = { .target = sent->p, .target_size = SIZE };
	g_autoptr(GByteArray) patch = sample_patch(&coded);
	struct sample s = { .target = l->p, .target_size = SIZE, .patch = patch->data, .patch_size = patch->len };
	s.flags = IB_DELTA_E8;
	g_autoptr(GBytes) record = sample_make(&s);
	cr_assert(ib_delta_apply(NULL, record, NULL, &out, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(memcmp(g_bytes_get_data(out, NULL), l->p, SIZE), 0);
	/* the record's hash decides: this target was never coded that way, and is left as it is */
	g_autoptr(GByteArray) plain = sample_patch(&(struct sample) { .target = l->p, .target_size = SIZE });
	s.patch = plain->data;
	s.patch_size = plain->len;
	g_autoptr(GBytes) other = sample_make(&s), again = NULL;
	cr_assert(ib_delta_apply(NULL, other, NULL, &again, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(g_bytes_equal(out, again));
	lab_free(l);
	lab_free(sent);
}

static void finish(struct lab *target, struct lab *source, bool difference)
{
	struct ib_delta_info info = { .body = IB_DELTA_BODY_CONTAINER, .target_size = SIZE };
	struct ib_delta_finish f = { .info = &info, .to = &target->to, .difference = difference };
	ib_auto_error err = NULL;

	f.source = (struct ib_delta_span) { .data = source->p, .size = SIZE };
	cr_assert(ib_delta_finish(&f, target->p, &err));
}

Test(delta_pe, stamps_in_a_container)
{
	struct lab *source = lab_new(IB_DELTA_MACHINE_I386), *target = lab_new(IB_DELTA_MACHINE_I386);

	dir(target, IB_DELTA_DIR_EXPORT, 0x2000, 40);
	dir(target, IB_DELTA_DIR_RESOURCE, 0x2040, 40);
	dir(target, IB_DELTA_DIR_DEBUG, 0x2080, 56);
	put(target, 0x804, 0x11111111);
	put(target, 0x844, 0x33333333); /* not the source's: left alone */
	put(target, 0x884, 0x11111111);
	put(target, 0x8a0, 0x11111111);
	finish(target, source, false);
	CHECK(target, { { STAMP_AT, 0x22222222 }, { 0x804, 0x22222222 }, { 0x844, 0x33333333 }, { 0x884, 0x22222222 },
			{ 0x8a0, 0x22222222 }, { CHECKSUM_AT, 0x12345 } });
	lab_free(source);
	lab_free(target);
}

Test(delta_pe, headers_after_a_difference)
{
	struct lab *source = lab_new(IB_DELTA_MACHINE_I386), *target = lab_new(IB_DELTA_MACHINE_I386);
	ib_auto_error err = NULL;
	uint64_t sum = 0;

	target->to.to_file.max = 3;
	cr_assert(ib_delta_rift_add(&target->to.to_file, 0, 0, &err));
	cr_assert(ib_delta_rift_add(&target->to.to_file, 0x1000, 0x400, &err));
	cr_assert(ib_delta_rift_add(&target->to.to_file, 0x2000, 0xa00, &err));
	put(target, CHECKSUM_AT, 0);
	finish(target, source, true);
	CHECK(target, { { STAMP_AT, 0x22222222 }, { OPTIONAL + 28, 0x500000 }, { target->sections + 16, 0x600 },
			{ target->sections + 20, 0x400 }, { target->sections + 40 + 16, 0x600 },
			{ target->sections + 40 + 20, 0xa00 } });
	uint32_t found = get(target, CHECKSUM_AT);
	put(target, CHECKSUM_AT, 0);
	for (size_t i = 0; i < SIZE; i += 2)
		sum += ib_le16(target->p + i);
	cr_assert_eq(found, (sum - 1) % 0xffff + 1 + SIZE, "carries added in are a remainder by 0xffff");
	lab_free(source);
	lab_free(target);
}

Test(delta_pe, refused_by_name)
{
	static const struct {
		uint16_t machine;
		const char *word;
	} cases[] = { { IB_DELTA_MACHINE_ARM64, "ARM64" },
		      { IB_DELTA_MACHINE_ARMNT, "ARM" },
		      { IB_DELTA_MACHINE_IA64, "IA64" } };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct lab *l = lab_new(cases[i].machine);
		ib_auto_error err = NULL;
		ib_auto_rift moves = { .max = 100 };
		cr_assert_not(ib_delta_transform(l->p, SIZE, &l->to, 0, &moves, &err));
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
		cr_assert_not_null(strstr(ib_error_cause(err), cases[i].word));
		lab_free(l);
	}
}

Test(delta_pe, no_program)
{
	uint8_t cut[SIZE];
	struct lab *l = lab_new(IB_DELTA_MACHINE_I386);

	imports(l);
	for (size_t n = 1; n < SIZE; n += n < 0x1c0 ? 1 : 97) {
		ib_auto_error err = NULL;
		ib_auto_rift moves = { .max = 100 };
		memcpy(cut, l->p, n);
		bool ok = ib_delta_transform(cut, n, &l->to, 0xe1fe, &moves, &err);
		cr_assert(ok == (n >= l->sections + 80), "%zu bytes", n);
		cr_assert(ok || ib_error_code(err) == IB_ERR_INPUT);
	}
	lab_free(l);
}
