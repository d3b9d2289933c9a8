/* Packages with one fault each: signed and packed, with what is wrong in the packing. */
#include "hostile_kit.h"

#include <string.h>

#include "base/file.h"
#include "cab.h"
#include "catalog.h"
#include "cix.h"
#include "content.h"
#include "delta.h"
#include "dictionary.h"
#include "keyform.h"

/* bytes: taken */
static void pack(struct kit *k, const char *name, GBytes *bytes)
{
	struct lab_member *m = lab_alloc(k->arena, sizeof(*m));

	m->name = lab_printf(k->arena, "%s", name);
	m->bytes = lab_keep(k->arena, bytes, (GDestroyNotify)g_bytes_unref);
	g_ptr_array_add(k->members, m);
}

static GBytes *edited(const struct kit *k, const struct lab_member *m)
{
	if (!k->edit_of || !g_str_has_suffix(m->name, k->edit_of))
		return g_bytes_ref(m->bytes);
	gsize len;
	const char *text = g_bytes_get_data(m->bytes, &len);
	const char *at = g_strstr_len(text, (gssize)len, k->edit_find);
	GString *s = g_string_new_len(text, at - text);
	g_string_append(s, k->edit_put);
	g_string_append_len(s, at, (gssize)(len - (gsize)(at - text)));
	return g_string_free_to_bytes(s);
}

/* One more newline: well-formed, of the same meaning, and another hash. */
static GBytes *with_newline(GBytes *bytes)
{
	gsize len;
	const uint8_t *data = g_bytes_get_data(bytes, &len);
	GByteArray *out = g_byte_array_append(g_byte_array_new(), data, (guint)len);

	return g_byte_array_free_to_bytes(g_byte_array_append(out, (const uint8_t *)"\n", 1));
}

enum kind { KIND_MUM, KIND_DEPLOYMENT, KIND_MANIFEST };

static enum kind kind_of(const struct kit *k, const struct lab_member *m)
{
	g_autofree char *component = lab_key_long(&k->component->id);

	if (g_str_has_suffix(m->name, ".mum"))
		return KIND_MUM;
	return g_str_has_prefix(m->name, component) ? KIND_MANIFEST : KIND_DEPLOYMENT;
}

static bool flaw_is(const struct kit *k, enum kind kind, enum flaw mum, enum flaw deployment, enum flaw manifest)
{
	return k->flaw != FLAW_NONE && k->flaw == (kind == KIND_MUM ? mum : kind == KIND_MANIFEST ? manifest : deployment);
}

static void list(struct kit *k, struct lab_catalog *cat, enum kind kind, GBytes *bytes)
{
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	if (k->flaw != FLAW_CATALOG_EMPTY &&
	    !flaw_is(k, kind, FLAW_MUM_UNLISTED, FLAW_DEPLOYMENT_UNLISTED, FLAW_MANIFEST_UNLISTED))
		lab_catalog_add(cat, data, len);
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, k->digest);
}

static void pack_manifest(struct kit *k, const struct lab_member *m, GBytes *bytes)
{
	enum kind kind = kind_of(k, m);

	if (flaw_is(k, kind, FLAW_NONE, FLAW_DEPLOYMENT_MISSING, FLAW_MANIFEST_MISSING))
		return;
	if (kind == KIND_MANIFEST && k->flaw == FLAW_MANIFEST_HUGE) {
		pack(k, m->name, g_bytes_new_take(g_malloc0(HUGE_BYTES), HUGE_BYTES));
	} else if (kind == KIND_MANIFEST && k->flaw == FLAW_MANIFEST_CLAIM) {
		g_autoptr(GBytes) dictionary = lab_dictionary();
		g_autoptr(GBytes) record = lab_delta_make(&(struct lab_delta){ .source = dictionary, .target = bytes, .no_hash = true,
								       .flags = 0x20000, .claim = HUGE_BYTES });
		gsize len;
		const uint8_t *data = g_bytes_get_data(record, &len);
		GByteArray *out = g_byte_array_append(g_byte_array_new(), (const uint8_t *)"DCM\1", 4);
		pack(k, m->name, g_byte_array_free_to_bytes(g_byte_array_append(out, data, (guint)len)));
	} else if (kind == KIND_MANIFEST && k->flaw == FLAW_MANIFEST_RENAMED) {
		pack(k, "amd64_lab-hostile_31bf3856ad364e35_10.0.17763.2183_none_0123456789abcdef.manifest", g_bytes_ref(bytes));
	} else {
		bool changed = flaw_is(k, kind, FLAW_NONE, FLAW_DEPLOYMENT_CHANGED, FLAW_MANIFEST_CHANGED);
		pack(k, m->name, changed ? with_newline(bytes) : g_bytes_ref(bytes));
	}
	if (kind == KIND_MANIFEST && k->flaw == FLAW_MANIFEST_TWICE) {
		g_autofree char *upper = g_ascii_strup(m->name, -1); /* libgcab takes a name once */
		pack(k, upper, with_newline(bytes));
	}
}

static void pack_mum(struct kit *k, bool root, const struct lab_member *m, GBytes *bytes)
{
	g_autofree char *lower = g_ascii_strdown(m->name, -1);
	const char *name = root ? "update.mum" : lower;

	if (k->flaw == FLAW_MUM_HUGE)
		pack(k, name, g_bytes_new_take(g_malloc0(HUGE_BYTES), HUGE_BYTES));
	else
		pack(k, name, k->flaw == FLAW_MUM_CHANGED ? with_newline(bytes) : g_bytes_ref(bytes));
	if (k->flaw == FLAW_MUM_RENAMED)
		pack(k, "Package_for_KB5009999~31bf3856ad364e35~amd64~~10.0.1.0.mum", g_bytes_ref(bytes));
}

static GBytes *flawed_catalog(const struct kit *k, GBytes *cat)
{
	gsize len;
	const uint8_t *data = g_bytes_get_data(cat, &len);

	if (k->flaw == FLAW_CATALOG_CUT)
		return g_bytes_new_from_bytes(cat, 0, len / 2);
	if (k->flaw != FLAW_CATALOG_CHANGED)
		return g_bytes_ref(cat);
	uint8_t *copy = g_memdup2(data, len);
	uint8_t *digest = memmem(copy, len, k->digest, sizeof(k->digest));
	digest[0] ^= 1; /* a member of the list */
	return g_bytes_new_take(copy, len);
}

static bool pack_catalog(struct kit *k, const struct lab_catalog *cat, const char *mum, bool root, struct ib_error **err)
{
	enum lab_signer signer = k->flaw == FLAW_STRANGER ? LAB_SIGNER_UNKNOWN : LAB_SIGNER_CATALOG;
	g_autofree char *stem = g_ascii_strdown(mum, (gssize)(strlen(mum) - strlen(".mum")));
	g_autofree char *name = g_strconcat(root ? "update" : stem, ".cat", NULL);
	g_autoptr(GBytes) bytes = NULL;

	if (!(k->flaw == FLAW_UNSTAMPED ? lab_catalog_sign_unstamped : lab_catalog_sign)(cat, k->pki, signer,
										      lab_release_time(LAB_9B), &bytes, err))
		return false;
	if (k->flaw != FLAW_CATALOG_MISSING)
		pack(k, name, flawed_catalog(k, bytes));
	return true;
}

/* Under the name it has in the good package: what is wrong with it is in the manifest. */
static void pack_payload(struct kit *k)
{
	g_autofree char *key = lab_key_long(&k->component->id);
	g_autofree char *path = g_strconcat(key, "\\labhostile.dll", NULL);

	if (k->flaw == FLAW_PAYLOAD_CHANGED)
		pack(k, path, with_newline(k->file->bytes));
	else if (k->flaw != FLAW_PAYLOAD_MISSING)
		pack(k, path, g_bytes_ref(k->file->bytes));
}

/* Mum, catalog, manifests; the root's payload. */
static bool pack_package(struct kit *k, const struct lab_package *p, struct ib_error **err)
{
	GPtrArray *members = lab_package_members(k->arena, p);
	lab_auto_catalog cat = lab_catalog_new(p->id.name);
	bool root = p == k->root;

	for (guint i = 0; i < members->len; i++) {
		const struct lab_member *m = members->pdata[i];
		g_autoptr(GBytes) bytes = edited(k, m);

		list(k, cat, kind_of(k, m), bytes);
		if (i == 0)
			pack_mum(k, root, m, bytes);
		else
			pack_manifest(k, m, bytes);
	}
	if (root)
		pack_payload(k);
	return pack_catalog(k, cat, ((const struct lab_member *)members->pdata[0])->name, root, err);
}

/* All of it behind an index, with one more file of the name asked for. */
static void put_behind_index(struct kit *k)
{
	if (k->flaw == FLAW_INDEX)
		pack(k, k->arg, g_bytes_new_static("anything", 8));
	k->members = lab_cix_numbered(k->arena, k->members, "hostile", lab_release_time(LAB_9B), LAB_CIX_FINE);
	if (k->flaw != FLAW_INDEX_CLAIM)
		return;
	struct lab_member *index = k->members->pdata[0];
	gsize len;
	const char *text = g_bytes_get_data(index->bytes, &len);
	g_autofree char *old = g_strndup(text, len);
	g_autoptr(GRegex) re = g_regex_new(k->arg, 0, 0, NULL);
	char *claims = g_regex_replace(re, old, -1, 0, "\\g<1>524288000\"", 0, NULL);
	index->bytes = lab_keep(k->arena, g_bytes_new_take(claims, strlen(claims)), (GDestroyNotify)g_bytes_unref);
}

bool lab_hostile_pack(struct kit *k, const char *dir, const char *name, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	lab_auto_cab cab = lab_cab_new(LAB_CAB_MSZIP, lab_release_time(LAB_9B));
	g_autoptr(GBytes) bytes = NULL;
	bool ok = true;

	for (guint i = 0; ok && i < k->packages->len; i++)
		ok = pack_package(k, k->packages->pdata[i], err);
	if (k->flaw == FLAW_MEMBER)
		pack(k, k->arg, g_bytes_new_static("anything", 8));
	if (ok && (k->flaw == FLAW_INDEX || k->flaw == FLAW_INDEX_CLAIM))
		put_behind_index(k);
	for (guint i = 0; ok && i < k->members->len; i++) {
		const struct lab_member *m = k->members->pdata[i];
		lab_cab_add(cab, m->name, m->bytes);
	}
	return ok && lab_cab_build(cab, 0, &bytes, err) &&
	       ib_file_write(path, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), err);
}
