/*
 * The corpora of fuzz_package_cix and fuzz_package_psf:
 *   tool_package_corpus DIR
 * writes DIR/fuzz_package_cix/… and DIR/fuzz_package_psf/….
 */
#include <stdio.h>

#include "tests/package_fuzz.h"

static void save(const char *dir, const char *target, const char *name, const void *data, size_t n)
{
	g_autofree char *folder = g_build_filename(dir, target, NULL), *path = g_build_filename(folder, name, NULL);

	if (g_mkdir_with_parents(folder, 0777) || !g_file_set_contents(path, data, (gssize)n, NULL))
		perror(path);
}

#define SOURCE(type, name) "<Source type=\"" type "\" name=\"" name "\" />"
#define BASIS(file) "<Basis file=\"" file "\" />"

static void numbered(const char *dir, const struct pf *f)
{
	g_autoptr(GString) s = g_string_new(NULL);

	ps_cix_file(s, 1, "update.mum", f->plain[0], "SHA1", SOURCE("PA30", "0"));
	ps_cix_file(s, 2, "k\\a.dll", f->plain[1], "SHA256", SOURCE("PA30", "1") BASIS("1"));
	ps_cix_file(s, 3, "k\\b.dll", f->plain[2], "SHA1", SOURCE("CIX_SOURCE_PA31", "2") BASIS("1"));
	ps_cix_file(s, 4, "k\\copy.dll", f->plain[2], "SHA1", BASIS("3"));
	ps_cix_file(s, 5, "k\\raw.dll", f->raw, "SHA1", SOURCE("RAW", "3"));
	g_autofree char *all = ps_cix("CAB", s->str);
	save(dir, "fuzz_package_cix", "numbered", all, strlen(all));
	ps_cix_file(s, 6, "k\\loop.dll", f->raw, "SHA1", BASIS("6"));
	g_autofree char *loop = ps_cix("CAB", s->str);
	save(dir, "fuzz_package_cix", "loop", loop, strlen(loop));
	g_string_truncate(s, 0);
	ps_cix_file(s, 1, "k\\f\\a.dll", f->record[1], "SHA256",
		    "<Source type=\"RAW\" name=\"1\" /></Delta><Delta loc=\"1\"><Source type=\"PA30\" name=\"2\" />"
		    "<Basis length=\"200\"><Hash alg=\"SHA256\" value=\"00\" norm=\"1\" /></Basis>");
	g_autofree char *outside = ps_cix("CAB", s->str);
	save(dir, "fuzz_package_cix", "outside", outside, strlen(outside));
}

static void express(const char *dir, const struct pf *f)
{
	g_autoptr(GByteArray) psf = ps_psf_new(), out = g_byte_array_new();
	g_autoptr(GString) s = g_string_new(NULL);
	g_autofree char *raw = ps_psf_add(psf, "RAW", f->raw), *forward = ps_psf_add(psf, "RAW", f->record[1]);
	g_autofree char *null = ps_psf_add(psf, "PA30", f->record[0]), *based = ps_psf_add(psf, "PA30", f->record[1]);
	g_autofree char *on = g_strconcat(based, BASIS("3"), NULL);
	uint8_t n[4];

	ps_cix_file(s, 1, "k\\raw.dll", f->raw, "SHA256", raw);
	ps_cix_file(s, 2, "k\\f\\a.dll", f->record[1], "SHA256", forward);
	ps_cix_file(s, 3, "k\\n\\b.dll", f->plain[0], "SHA256", null);
	ps_cix_file(s, 4, "k\\c.dll", f->plain[1], "SHA256", on);
	g_autofree char *index = ps_cix("PSF", s->str);
	ib_put_le32(n, (uint32_t)strlen(index));
	g_byte_array_append(out, n, sizeof(n));
	g_byte_array_append(out, (const guint8 *)index, (guint)strlen(index));
	g_byte_array_append(out, psf->data, psf->len);
	save(dir, "fuzz_package_psf", "express", out->data, out->len);
	save(dir, "fuzz_package_psf", "short", out->data, out->len - 100);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return IB_ERR_USAGE;
	struct pf f = pf_make();
	numbered(argv[1], &f);
	express(argv[1], &f);
	pf_clear(&f);
	return 0;
}
