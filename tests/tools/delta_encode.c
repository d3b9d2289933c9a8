/*
 * Deltas made for tests (tests/delta_sample.h), not by the code they test:
 *
 *   raw SOURCE TARGET OUT [pa31] [crc] [composite] [nohash]   SOURCE may be '-'
 *   wrap TARGET PATCH OUT        a record around a patch that is there already
 *   dcm DICTIONARY XML OUT       a compressed manifest
 *   cases DIR                    a corpus for the fuzz targets
 */
#include "tests/delta_sample.h"

#include <stdio.h>
#include <stdlib.h>

/* A whole file, which the caller frees. */
static char *load(const char *path, const uint8_t **ret, size_t *ret_size)
{
	char *data = NULL;
	gsize size = 0;

	if (strcmp(path, "-") != 0 && !g_file_get_contents(path, &data, &size, NULL)) {
		fprintf(stderr, "delta_encode: cannot read '%s'\n", path);
		exit(1);
	}
	*ret = (const uint8_t *)data;
	*ret_size = size;
	return data;
}

static int save(const char *path, const char *head, GBytes *record)
{
	gsize size;
	const char *data = g_bytes_get_data(record, &size);
	g_autoptr(GString) all = g_string_new_len(head, (gssize)strnlen(head, 4));

	g_string_append_len(all, data, (gssize)size);
	g_bytes_unref(record);
	return g_file_set_contents(path, all->str, (gssize)all->len, NULL) ? 0 : 1;
}

static void words(struct sample *s, char **argv)
{
	for (; *argv; argv++) {
		s->pa31 |= strcmp(*argv, "pa31") == 0;
		s->crc |= strcmp(*argv, "crc") == 0;
		s->composite |= strcmp(*argv, "composite") == 0;
		s->no_hash |= strcmp(*argv, "nohash") == 0;
	}
}

/* ---- a corpus ---- */

#define PROGRAM 0x600u

static void put(uint8_t *p, size_t at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[at + i] = (uint8_t)(v >> 8 * i);
}

/* A program with a bit of everything that transforms look at: .text at 0x1000 (file 0x200), .data at 0x2000 (0x300). */
static void program(uint8_t *p, bool plus)
{
	static const uint32_t tables[][2] = {
		{ 0x300, 0x2080 },     { 0x304, 1 },	      { 0x30c, 0x2060 },     { 0x310, 0x2090 }, /* imports */
		{ 0x380, 0x20a0 },     { 0x390, 0x20a0 },     { 0x3a2, 0x7865 },     { 0x3cc, 0x2060 },
		{ 0x3d4, 1 },	       { 0x3d8, 1 },	      { 0x3dc, 0x2110 },     { 0x3e0, 0x2114 }, /* exports */
		{ 0x410, 0x1010 },     { 0x414, 0x2060 },     { 0x44c, 0x00010000 }, { 0x450, 3 },
		{ 0x454, 0x80000020 }, { 0x46c, 0x00010000 }, { 0x474, 0x38 }, /* resources */
		{ 0x478, 0x2190 },     { 0x4c0, 0x1000 },     { 0x4c4, 0x1040 },     { 0x4c8, 0x21e0 },
		{ 0x4e0, 0x09 },       { 0x4e4, 0x1030 },			 /* functions */
		{ 0x500, 0x1000 },     { 0x504, 12 },	      { 0x508, 0x3020 }, /* relocations */
	};
	static const uint32_t dirs[][3] = { { 0, 0x20c0, 40 },
					    { 1, 0x2000, 40 },
					    { 2, 0x2140, 0x60 },
					    { 3, 0x21c0, 12 },
					    { 5, 0x2200, 12 } };
	size_t dir = 0x58 + (plus ? 112 : 96), section = 0x58 + (plus ? 0xf0 : 0xe0);

	memset(p, 0, PROGRAM);
	memcpy(p, "MZ", 2);
	put(p, 60, 0x40);
	memcpy(p + 0x40, "PE", 2);
	put(p, 0x44, plus ? 0x28664 : 0x2014c);
	put(p, 0x54, plus ? 0xf0 : 0xe0);
	put(p, 0x58, plus ? 0x20b : 0x10b);
	put(p, 0x58 + (plus ? 24 : 28), 0x400000);
	put(p, 0x58 + 56, 0x3000);
	put(p, 0x58 + 60, 0x200);
	put(p, dir - 4, 16);
	for (unsigned i = 0; i < G_N_ELEMENTS(dirs); i++) {
		put(p, dir + 8 * dirs[i][0], dirs[i][1]);
		put(p, dir + 8 * dirs[i][0] + 4, dirs[i][2]);
	}
	for (unsigned i = 0; i < 2; i++) {
		memcpy(p + section + 40 * i, i ? ".idata" : ".text", i ? 6 : 5);
		put(p, section + 40 * i + 8, i ? 0x300 : 0x100);
		put(p, section + 40 * i + 12, 0x1000 + 0x1000 * i);
		put(p, section + 40 * i + 16, i ? 0x300 : 0x100);
		put(p, section + 40 * i + 20, 0x200 + 0x100 * i);
		put(p, section + 40 * i + 36, i ? 0x40000040 : 0x60000020);
	}
	memcpy(p + 0x200, "\xe8\xa0\0\0\0\x0f\x84\x90\0\0\0\x48\x8b\x05\0\x10\0\0\xe9\x80\0\0\0\xc3", 24);
	put(p, 0x220, 0x402004);
	for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++)
		put(p, tables[i][0], tables[i][1]);
}

static GByteArray *preprocess(void)
{
	static const int64_t to_file[][2] = { { 0, 0 }, { 0x1000, 0x200 }, { 0x2200, 0x300 } };
	static const int64_t to_target[][2] = { { 0, 0 }, { 0x1080, 0x1060 }, { 0x2000, 0x2200 } };
	struct sample_bits b = sample_begin();

	sample_put(&b, 0x500000, 64);
	sample_put(&b, 0x1234567800000000, 64);
	sample_rift(&b, to_file, 3);
	sample_put(&b, 0, 1);
	sample_rift(&b, to_target, 3);
	sample_put(&b, 0, 1);
	return sample_end(&b);
}

/* What the fuzz target reads: the source's length in four bytes, the source, the record. */
static int save_case(const char *dir, const char *name, unsigned i, const struct sample *s)
{
	uint32_t size = GUINT32_TO_LE((uint32_t)s->source_size);
	g_autoptr(GBytes) record = sample_make(s);
	g_autofree char *path = g_strdup_printf("%s/%s-%u", dir, name, i);
	g_autoptr(GString) all = g_string_new_len((const char *)&size, 4);

	g_string_append_len(all, (const char *)s->source, (gssize)s->source_size);
	g_string_append_len(all, g_bytes_get_data(record, NULL), (gssize)g_bytes_get_size(record));
	return g_file_set_contents(path, all->str, (gssize)all->len, NULL) ? 0 : 1;
}

static int cases(const char *dir)
{
	static const char source[] = "<assembly name=\"one\" version=\"1.0\"/><assembly name=\"two\"/>";
	static const char target[] =
		"<assembly name=\"two\" version=\"1.1\"/><assembly name=\"two\"/>aaaaaaaaaaaaaaaaaa";
	static const uint64_t flags[] = { 0xe1fe, 0xe63e, 0xe1ff, 0x2f };
	uint8_t p[PROGRAM];
	int status = 0;

	for (unsigned i = 0; i < 8; i++) {
		struct sample s = { .source = (const uint8_t *)source,
				    .source_size = sizeof(source),
				    .target = (const uint8_t *)target,
				    .target_size = sizeof(target),
				    .pa31 = i & 1,
				    .crc = i & 2,
				    .composite = i & 4 };
		status |= save_case(dir, "raw", i, &s);
	}
	g_autoptr(GByteArray) pre = preprocess();
	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
		struct sample s = { .source = p,
				    .source_size = PROGRAM,
				    .target = p,
				    .target_size = PROGRAM,
				    .no_hash = true,
				    .preprocess = pre->data,
				    .preprocess_size = pre->len,
				    .type = i == 1 ? 8 : 2,
				    .flags = flags[i] };
		program(p, i == 1);
		status |= save_case(dir, "program", i, &s);
	}
	return status;
}

int main(int argc, char **argv)
{
	struct sample s = { 0 };

	if (argc == 3 && strcmp(argv[1], "cases") == 0)
		return cases(argv[2]);
	if (argc < 5)
		return 2;
	if (strcmp(argv[1], "wrap") == 0) {
		g_autofree char *target = load(argv[2], &s.target, &s.target_size);
		g_autofree char *patch = load(argv[3], &s.patch, &s.patch_size);
		return save(argv[4], "", sample_make(&s));
	}
	g_autofree char *source = load(argv[2], &s.source, &s.source_size);
	g_autofree char *target = load(argv[3], &s.target, &s.target_size);
	words(&s, argv + 5);
	if (strcmp(argv[1], "dcm") == 0) {
		s.no_hash = true;
		s.flags = 0x20000;
		return save(argv[4], "DCM\1", sample_make(&s));
	}
	if (strcmp(argv[1], "raw") != 0)
		return 2;
	s.named_source = s.source;
	s.named_size = s.source_size;
	return save(argv[4], "", sample_make(&s));
}
