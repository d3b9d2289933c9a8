/*
 * A component store for unit tests, in memory: an image with just what ib_store_open() asks for, and components.
 *
 *   struct sample_store st = sample_store_begin();
 *   sample_component(&st, &(struct sample_component){ .name = "A", .version = "10.0.17763.1", … });
 *   struct ib_store *s = sample_store_end(&st);
 */
#ifndef IB_TESTS_SERVICING_SAMPLE_H
#define IB_TESTS_SERVICING_SAMPLE_H

#include <criterion/criterion.h>
#include <string.h>

#include "digest/digest.h"
#include "servicing/internal.h"
#include "tests/delta_sample.h"

#define SAMPLE_TIME 132771744000000000u

struct sample_store {
	struct ib_wim *wim;
	struct ib_image *image;
	struct ib_hive *software, *system, *components;
};

static inline void sample_dir(struct sample_store *st, const char *path)
{
	const struct ib_node_meta meta = { .attributes = IB_ATTR_DIRECTORY };
	ib_auto_error err = NULL;

	cr_assert(ib_image_mkdir(st->image, path, &meta, NULL, &err), "%s", err ? ib_error_cause(err) : "");
}

static inline void sample_file(struct sample_store *st, const char *path, GBytes *bytes)
{
	const struct ib_node_meta meta = { .attributes = IB_ATTR_ARCHIVE };
	g_autofree char *folder = g_strdup(path);
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_error err = NULL;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	*strrchr(folder, '\\') = '\0';
	sample_dir(st, folder);
	cr_assert(ib_wim_add_bytes(st->wim, data, len, hash, &err) &&
		  ib_image_put(st->image, path, hash, &meta, NULL, &err), "%s", err ? ib_error_cause(err) : "");
}

static inline struct ib_key *sample_key(struct ib_hive *hive, const char *path)
{
	struct ib_key *key = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_key_make(hive, ib_hive_root(hive), path, &key, &err), "%s", err ? ib_error_cause(err) : "");
	return key;
}

static inline void sample_text(struct ib_hive *hive, const char *path, const char *name, const char *text)
{
	ib_auto_error err = NULL;

	cr_assert(ib_key_set_text(hive, sample_key(hive, path), name, IB_REG_SZ, text, &err));
}

static inline struct sample_store sample_store_begin(void)
{
	struct sample_store st = { .wim = ib_wim_new(IB_WIM_LZX, 0, NULL) };
	ib_auto_error err = NULL;

	ib_wim_add_image(st.wim, "sample");
	cr_assert(ib_wim_image(st.wim, 1, &st.image, &err));
	st.software = ib_hive_new("SOFTWARE");
	st.system = ib_hive_new("SYSTEM");
	st.components = ib_hive_new("COMPONENTS");
	sample_text(st.software, PATH_NT, "CurrentBuild", "17763");
	sample_text(st.software, PATH_NT, "EditionID", "Sample");
	sample_key(st.software, PATH_CBS "\\Packages");
	sample_key(st.software, PATH_WINNERS);
	sample_key(st.components, PATH_COMPONENTS);
	sample_key(st.components, PATH_DEPLOYMENTS);
	cr_assert(ib_key_set_dword(st.system, sample_key(st.system, "Select"), "Default", 1, &err));
	sample_text(st.system, "ControlSet001\\Control\\Session Manager\\Environment", "PROCESSOR_ARCHITECTURE", "AMD64");
	sample_dir(&st, DIR_MANIFESTS);
	return st;
}

static inline void sample_hive(struct sample_store *st, enum ib_hive_id id, struct ib_hive *hive)
{
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_hive_save(hive, SAMPLE_TIME, &bytes, &err), "%s", err ? ib_error_cause(err) : "");
	sample_file(st, ib_hive_path(id), bytes);
	ib_hive_free(hive);
}

/* The open store; ib_store_free(), then ib_wim_free(st->wim). */
static inline struct ib_store *sample_store_end(struct sample_store *st)
{
	struct ib_store *s = NULL;
	ib_auto_error err = NULL;

	sample_hive(st, IB_HIVE_SOFTWARE, st->software);
	sample_hive(st, IB_HIVE_SYSTEM, st->system);
	sample_hive(st, IB_HIVE_COMPONENTS, st->components);
	cr_assert(ib_store_open(st->wim, 1, SAMPLE_TIME, &s, &err), "%s", err ? ib_error_cause(err) : "");
	return s;
}

/* ---- components ---- */

struct sample_component {
	const char *name, *version;
	const char *body;     /* XML behind the identity; NULL: none */
	bool installed;       /* listed under Winners */
	GBytes *dictionary;   /* its manifest is stored as DCM against this; NULL: plain */
	bool wrong_hash;      /* S256H is another manifest's */
};

/* A file element with the hash of its content; owned by the caller (g_free). */
static inline char *sample_file_xml(const char *name, GBytes *content)
{
	uint8_t hash[IB_SHA256_SIZE];
	gsize len;
	const void *data = g_bytes_get_data(content, &len);

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	g_autofree char *base64 = g_base64_encode(hash, sizeof(hash));
	return g_strdup_printf("<file name=\"%s\" destinationPath=\"$(runtime.system32)\\\"><asmv2:hash xmlns:asmv2=\"urn:schemas-microsoft-com:asm.v2\">"
			       "<dsig:Transforms xmlns:dsig=\"http://www.w3.org/2000/09/xmldsig#\"><dsig:Transform Algorithm=\"urn:schemas-microsoft-com:HashTransforms.Identity\"/></dsig:Transforms>"
			       "<dsig:DigestMethod xmlns:dsig=\"http://www.w3.org/2000/09/xmldsig#\" Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha256\"/>"
			       "<dsig:DigestValue xmlns:dsig=\"http://www.w3.org/2000/09/xmldsig#\">%s</dsig:DigestValue></asmv2:hash></file>", name, base64);
}

static inline GBytes *sample_manifest_xml(const char *name, const char *version, const char *body)
{
	char *xml = g_strdup_printf("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
				    "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" manifestVersion=\"1.0\">"
				    "<assemblyIdentity name=\"%s\" version=\"%s\" processorArchitecture=\"amd64\" language=\"neutral\" "
				    "buildType=\"release\" publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\"/>%s</assembly>",
				    name, version, body ? body : "");

	return g_bytes_new_take(xml, strlen(xml));
}

/* A DCM file around a plain one; owned by the caller (g_bytes_unref). */
static inline GBytes *sample_dcm(GBytes *plain, GBytes *dictionary)
{
	struct sample s = { .no_hash = true, .flags = 0x20000 };

	s.source = g_bytes_get_data(dictionary, &s.source_size);
	s.target = g_bytes_get_data(plain, &s.target_size);
	g_autoptr(GBytes) record = sample_make(&s);
	GByteArray *out = g_byte_array_new();
	gsize len;
	const guint8 *data = g_bytes_get_data(record, &len);
	g_byte_array_append(out, (const guint8 *)"DCM\1", 4);
	g_byte_array_append(out, data, (guint)len);
	return g_byte_array_free_to_bytes(out);
}

/* Put a component into the store; its long key form, owned by the caller (g_free). */
static inline char *sample_component(struct sample_store *st, const struct sample_component *c)
{
	g_autoptr(GBytes) plain = sample_manifest_xml(c->name, c->version, c->body);
	g_autoptr(GBytes) stored = c->dictionary ? sample_dcm(plain, c->dictionary) : g_bytes_ref(plain);
	struct ib_identity id = { .name = c->name, .version = c->version, .arch = "amd64", .token = "31bf3856ad364e35",
				  .scope = "nonSxS" };
	uint8_t hash[IB_SHA256_SIZE];
	ib_auto_error err = NULL;
	gsize len;
	const void *data = g_bytes_get_data(plain, &len);

	cr_assert(ib_version_parse(c->version, &id.number));
	char *keyform = ib_keyform(&id, IB_KEYFORM_LONG);
	g_autofree char *family = ib_keyform(&id, IB_KEYFORM_FAMILY);
	g_autofree char *path = g_strdup_printf(DIR_MANIFESTS "\\%s.manifest", keyform);
	g_autofree char *key_path = g_strdup_printf(PATH_COMPONENTS "\\%s", keyform);
	g_autofree char *identity = ib_identity_text(&id);
	sample_file(st, path, stored);
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	hash[0] ^= c->wrong_hash;
	struct ib_key *key = sample_key(st->components, key_path);
	cr_assert(ib_key_set(st->components, key, "identity", IB_REG_BINARY, identity, strlen(identity), &err) &&
		  ib_key_set(st->components, key, "S256H", IB_REG_BINARY, hash, sizeof(hash), &err));
	if (c->installed) {
		g_autofree char *line = g_strdup_printf(PATH_WINNERS "\\%s\\%" PRIu32 ".%" PRIu32, family, id.number.part[0],
							id.number.part[1]);
		sample_text(st->software, line, "", c->version);
		cr_assert(ib_key_set(st->software, sample_key(st->software, line), c->version, IB_REG_BINARY, "\1", 1, &err));
	}
	return keyform;
}

/* A program whose resource 614/1 is these bytes (at most 0x300); owned by the caller (g_bytes_unref). */
static inline GBytes *sample_wcp(GBytes *dictionary)
{
	static const struct {
		uint32_t at, value;
	} in[] = {
		{ 60, 0x40 }, { 0x40, 0x4550 }, { 0x44, 0x00018664 }, { 0x54, 0xf0 }, { 0x58, 0x20b }, { 0x58 + 60, 0x200 },
		{ 0x58 + 108, 16 }, { 0x58 + 112 + 16, 0x1000 }, { 0x58 + 112 + 20, 0x200 }, { 0x148 + 8, 0x400 },
		{ 0x148 + 12, 0x1000 }, { 0x148 + 16, 0x400 }, { 0x148 + 20, 0x200 }, { 0x20c, 0x00020000 }, { 0x210, 24 },
		{ 0x214, 0x80000100 }, { 0x218, 614 }, { 0x21c, 0x80000040 }, { 0x24c, 0x00010000 }, { 0x250, 1 },
		{ 0x254, 0x80000060 }, { 0x26c, 0x00010000 }, { 0x270, 1033 }, { 0x274, 0x80 }, { 0x280, 0x1100 },
	};
	uint8_t p[0x600] = "MZ";
	gsize len;
	const void *data = g_bytes_get_data(dictionary, &len);

	for (unsigned i = 0; i < G_N_ELEMENTS(in); i++)
		ib_put_le32(p + in[i].at, in[i].value);
	cr_assert(len <= 0x300);
	ib_put_le32(p + 0x284, (uint32_t)len);
	memcpy(p + 0x300, data, len);
	return g_bytes_new(p, sizeof(p));
}

#endif
