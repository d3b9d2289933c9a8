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

static void load(const char *path, const uint8_t **ret, size_t *ret_size)
{
	char *data = NULL;
	gsize size = 0;

	if (strcmp(path, "-") != 0 && !g_file_get_contents(path, &data, &size, NULL)) {
		fprintf(stderr, "delta_encode: cannot read '%s'\n", path);
		exit(1);
	}
	*ret = (const uint8_t *)data;
	*ret_size = size;
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

/* Small records of every kind, for the fuzzer to start from: behind four bytes that say how long the source is. */
static int cases(const char *dir)
{
	static const char source[] = "<assembly name=\"one\" version=\"1.0\"/><assembly name=\"two\"/>";
	static const char target[] = "<assembly name=\"two\" version=\"1.1\"/><assembly name=\"two\"/>aaaaaaaaaaaaaaaaaa";
	int status = 0;

	for (unsigned i = 0; i < 8; i++) {
		struct sample s = { .source = (const uint8_t *)source, .source_size = sizeof(source),
				    .target = (const uint8_t *)target, .target_size = sizeof(target), .pa31 = i & 1, .crc = i & 2,
				    .composite = i & 4 };
		uint32_t size = GUINT32_TO_LE((uint32_t)sizeof(source));
		gsize n;
		g_autoptr(GBytes) record = sample_make(&s);
		const char *data = g_bytes_get_data(record, &n);
		g_autofree char *path = g_strdup_printf("%s/raw-%u", dir, i);
		g_autoptr(GString) all = g_string_new_len((const char *)&size, 4);
		g_string_append_len(all, source, sizeof(source));
		g_string_append_len(all, data, (gssize)n);
		status |= !g_file_set_contents(path, all->str, (gssize)all->len, NULL);
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
		load(argv[2], &s.target, &s.target_size);
		load(argv[3], &s.patch, &s.patch_size);
		return save(argv[4], "", sample_make(&s));
	}
	load(argv[2], &s.source, &s.source_size);
	load(argv[3], &s.target, &s.target_size);
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
