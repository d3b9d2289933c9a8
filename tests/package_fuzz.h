/* What the fuzz targets of indexes stand on, and their corpus is made for: four members, the third based on the first. */
#ifndef TESTS_PACKAGE_FUZZ_H
#define TESTS_PACKAGE_FUZZ_H

#include "tests/package_sample.h"

struct pf {
	GBytes *plain[3]; /* what 0 to 2 lead to */
	GBytes *record[3];
	GBytes *raw;      /* member 3 */
};

static inline struct pf pf_make(void)
{
	struct pf f = { .plain = { ps_content(1, 200), ps_content(2, 300), ps_content(3, 250) }, .raw = ps_content(4, 90) };

	f.record[0] = ps_record(NULL, f.plain[0], false);
	f.record[1] = ps_record(f.plain[0], f.plain[1], false);
	f.record[2] = ps_record(f.plain[0], f.plain[2], true);
	return f;
}

static inline void pf_clear(struct pf *f)
{
	for (int i = 0; i < 3; i++) {
		g_bytes_unref(f->plain[i]);
		g_bytes_unref(f->record[i]);
	}
	g_bytes_unref(f->raw);
}

static inline GBytes *pf_cab(const struct pf *f)
{
	ps_auto files = ps_new();
	static const char *const names[] = { "0", "1", "2" };

	for (int i = 0; i < 3; i++)
		ps_bytes(&files, names[i], g_bytes_ref(f->record[i]));
	ps_bytes(&files, "3", g_bytes_ref(f->raw));
	return ps_cab(&files);
}

#endif
