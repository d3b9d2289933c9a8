/*
 * Small packages for tests: manifests with hashes, indexes, .psf files, cabinets. Made by code that shares nothing
 * with lib/package but the name of a component.
 */
#ifndef TESTS_PACKAGE_SAMPLE_H
#define TESTS_PACKAGE_SAMPLE_H

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "package/package.h"
#include "tests/cab_sample.h"
#include "tests/delta_sample.h"

#define PS_ID(name) \
	"<assemblyIdentity name=\"" name "\" version=\"10.0.17763.2\" processorArchitecture=\"amd64\" " \
	"language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\" />"
#define PS_MUM(name) \
	"<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\">" PS_ID(name) "<package><update name=\"u\"><component>" \
	PS_ID("Lab-Component") "</component></update></package></assembly>"

/* Long key form of a component; owned by the caller (g_free). */
static inline char *ps_keyform(const char *name)
{
	struct ib_identity id = { .name = name, .version = "10.0.17763.2", .arch = "amd64",
				  .token = "31bf3856ad364e35", .scope = "nonSxS" };

	return ib_keyform(&id, IB_KEYFORM_LONG);
}

/* A growing list of files; names and contents are its own. */
struct ps_files {
	GArray *files;  /* struct cab_file */
	GPtrArray *own; /* to be freed */
};

static inline struct ps_files ps_new(void)
{
	return (struct ps_files){ g_array_new(FALSE, FALSE, sizeof(struct cab_file)),
				  g_ptr_array_new_with_free_func(g_free) };
}

static inline void ps_clear(struct ps_files *f)
{
	g_array_unref(f->files);
	g_ptr_array_unref(f->own);
}
#define ps_auto __attribute__((cleanup(ps_clear))) struct ps_files

static inline void ps_add(struct ps_files *f, const char *name, const void *data, size_t size)
{
	struct cab_file file = { .name = g_strdup(name), .size = size };

	file.data = g_memdup2(size ? data : "", size ? size : 1);
	g_ptr_array_add(f->own, (gpointer)file.name);
	g_ptr_array_add(f->own, (gpointer)file.data);
	g_array_append_val(f->files, file);
}

static inline void ps_text(struct ps_files *f, const char *name, const char *text)
{
	ps_add(f, name, text, strlen(text));
}

/* Takes bytes. */
static inline void ps_bytes(struct ps_files *f, const char *name, GBytes *bytes)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);

	ps_add(f, name, data, n);
	g_bytes_unref(bytes);
}

/* "<key form><rest>" of the component. */
static inline void ps_below(struct ps_files *f, const char *component, const char *rest, GBytes *bytes)
{
	g_autofree char *key = ps_keyform(component), *name = g_strconcat(key, rest, NULL);

	ps_bytes(f, name, bytes);
}

static inline GBytes *ps_cab(const struct ps_files *f)
{
	return cab_sample((const struct cab_file *)(void *)f->files->data, f->files->len);
}

static inline GBytes *ps_cab_folders(const struct ps_files *f)
{
	return cab_sample_folders((const struct cab_file *)(void *)f->files->data, f->files->len);
}

static inline void ps_sum(GChecksumType type, const void *data, size_t n, uint8_t ret[32])
{
	g_autoptr(GChecksum) sum = g_checksum_new(type);
	gsize size = 32;

	g_checksum_update(sum, data, (gssize)n);
	g_checksum_get_digest(sum, ret, &size);
}

/* One <file> element of a manifest. */
static inline void ps_file(GString *s, const char *name, GBytes *content)
{
	gsize n;
	const void *data = g_bytes_get_data(content, &n);
	uint8_t hash[32];

	ps_sum(G_CHECKSUM_SHA256, data, n, hash);
	g_autofree char *base64 = g_base64_encode(hash, 32);
	g_string_append_printf(s, "<file name=\"%s\"><hash><Transforms><Transform "
			       "Algorithm=\"urn:schemas-microsoft-com:HashTransforms.Identity\" /></Transforms>"
			       "<DigestMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha256\" />"
			       "<DigestValue>%s</DigestValue></hash></file>", name, base64);
}

/* A component's manifest with the files written by ps_file(); owned by the caller (g_free). */
static inline char *ps_manifest(const char *component, const char *files)
{
	return g_strdup_printf("<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\"><assemblyIdentity name=\"%s\" "
			       "version=\"10.0.17763.2\" processorArchitecture=\"amd64\" language=\"neutral\" "
			       "publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\" />%s</assembly>", component,
			       files);
}

/* A record from source (NULL: none) to target, behind its CRC-32. */
static inline GBytes *ps_record(GBytes *source, GBytes *target, bool pa31)
{
	gsize n = 0, m;
	const uint8_t *from = source ? g_bytes_get_data(source, &n) : NULL, *to = g_bytes_get_data(target, &m);
	struct sample s = { .source = from, .source_size = n, .target = to, .target_size = m, .pa31 = pa31, .crc = true,
			    .named_source = pa31 ? from : NULL, .named_size = n };

	return sample_make(&s);
}

/* Text that differs from seed to seed in places. */
static inline GBytes *ps_content(unsigned seed, size_t n)
{
	uint8_t *p = g_malloc(n ? n : 1);
	uint32_t r = seed;

	for (size_t i = 0; i < n; i++) {
		r = r * 1664525 + 1013904223;
		p[i] = i % 61 ? (uint8_t) "the quick brown fox jumps over it "[i % 34] : (uint8_t)(r >> 24);
	}
	return g_bytes_new_take(p, n);
}

/* ---- indexes ---- */

static inline void ps_hash(GString *s, const char *alg, GBytes *content)
{
	GChecksumType type = strcmp(alg, "SHA256") == 0 ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA1;
	gsize n;
	const void *data = g_bytes_get_data(content, &n);
	uint8_t hash[32];

	ps_sum(type, data, n, hash);
	g_string_append_printf(s, "<Hash alg=\"%s\" value=\"", alg);
	for (int i = 0; i < g_checksum_type_get_length(type); i++)
		g_string_append_printf(s, "%02X", hash[i]);
	g_string_append(s, "\" />");
}

/* A File of an index; delta: what is inside its Delta. */
static inline void ps_cix_file(GString *s, unsigned id, const char *name, GBytes *content, const char *alg,
			       const char *delta)
{
	g_string_append_printf(s, "<File id=\"%u\" name=\"%s\" length=\"%zu\" time=\"131000000000000000\" attr=\"128\">", id,
			       name, g_bytes_get_size(content));
	ps_hash(s, alg, content);
	g_string_append_printf(s, "<Delta>%s</Delta></File>", delta);
}

static inline char *ps_cix(const char *type, const char *files)
{
	return g_strdup_printf("<?xml version=\"1.0\" encoding=\"utf-8\"?><Container xmlns=\"urn:ContainerIndex\" "
			       "name=\"lab\" type=\"%s\" version=\"1\"><Description /><Files>%s</Files></Container>", type,
			       files);
}

/* ---- .psf files ---- */

static inline GByteArray *ps_psf_new(void)
{
	static const uint8_t head[128] = { 'P', 'S', 'T', 'R', 'E', 'A', 'M', 0, 2, 0, 2, 0 };
	GByteArray *psf = g_byte_array_new();

	g_byte_array_append(psf, head, sizeof(head));
	return psf;
}

/* Append content; takes nothing. Source element of it, owned by the caller (g_free). */
static inline char *ps_psf_add(GByteArray *psf, const char *type, GBytes *content)
{
	gsize n;
	const void *data = g_bytes_get_data(content, &n);
	GString *s = g_string_new(NULL);

	g_string_append_printf(s, "<Source type=\"%s\" offset=\"%u\" length=\"%zu\">", type, psf->len, n);
	ps_hash(s, "SHA256", content);
	g_string_append(s, "</Source>");
	g_byte_array_append(psf, data, (guint)n);
	return g_string_free(s, FALSE);
}

/* ---- on disk ---- */

/* A new folder below /tmp; owned by the caller (g_free), removed by ib_dir_remove(). */
static inline char *ps_folder(void)
{
	char *path = g_strdup("/tmp/ib-package-XXXXXX");

	if (!g_mkdtemp(path))
		abort();
	return path;
}

static inline char *ps_write(const char *folder, const char *name, GBytes *bytes)
{
	char *path = g_build_filename(folder, name, NULL);
	gsize n;
	const char *data = g_bytes_get_data(bytes, &n);

	if (!g_file_set_contents(path, data, (gssize)n, NULL))
		abort();
	return path;
}

#endif
