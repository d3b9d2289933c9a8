/* COMPONENTS: keys of deployments, components and catalogs, and the references that pin them. */
#include "servicing/internal.h"

#include <string.h>

/* Last byte of a reference's data where the image shows no other ('2' on Vista, '8' on Windows 10 and 11). */
#define REF_TAIL '8'

static struct ib_key *below(struct ib_hive *hive, const char *folder, const char *name)
{
	struct ib_key *dir = ib_key_find(ib_hive_root(hive), folder);

	return dir ? ib_key_find(dir, name) : NULL;
}

struct ib_key *ib_svc_deployment_key(struct ib_hive *components, const char *short_form)
{
	return below(components, PATH_DEPLOYMENTS, short_form);
}

struct ib_key *ib_svc_component_key(struct ib_hive *components, const char *keyform)
{
	return below(components, PATH_COMPONENTS, keyform);
}

/* Data of a reference: u32 length, u32 flag 1, the text, one more byte. */
static char *ref_text(const struct ib_value *v)
{
	size_t size;
	const uint8_t *data = ib_value_data(v, &size);

	if (size < 8 || ib_le32(data) > size - 8)
		return NULL;
	return g_strndup((const char *)data + 8, ib_le32(data));
}

GPtrArray *ib_svc_deployment_refs(const struct ib_key *deployment, const char *prefix)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);

	for (size_t i = 0; i < ib_key_value_count(deployment); i++) {
		const struct ib_value *v = ib_key_value_at(deployment, i);
		char *text = g_ascii_strncasecmp(ib_value_name(v), prefix, strlen(prefix)) ? NULL : ref_text(v);
		if (text)
			g_ptr_array_add(out, text);
	}
	return out;
}

GPtrArray *ib_svc_component_deployments(const struct ib_key *component)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);

	for (size_t i = 0; i < ib_key_value_count(component); i++) {
		const char *name = ib_value_name(ib_key_value_at(component, i));
		if (!g_ascii_strncasecmp(name, "c!", 2))
			g_ptr_array_add(out, g_strdup(name + 2));
	}
	return out;
}

/* The byte that this image's references end with. */
static uint8_t ref_tail(struct ib_hive *components)
{
	struct ib_key *dir = ib_key_find(ib_hive_root(components), PATH_DEPLOYMENTS);

	for (size_t i = 0; dir && i < ib_key_count(dir); i++) {
		struct ib_key *k = ib_key_child(dir, i);
		for (size_t n = 0; n < ib_key_value_count(k); n++) {
			const struct ib_value *v = ib_key_value_at(k, n);
			size_t size;
			const uint8_t *data = ib_value_data(v, &size);
			if (!g_ascii_strncasecmp(ib_value_name(v), "i!", 2) && size > 8 && ib_le32(data) == size - 9)
				return data[size - 1];
		}
	}
	return REF_TAIL;
}

bool ib_svc_ref_set(struct ib_hive *components, struct ib_key *deployment, const char *prefix, const char *package_id,
		    const char *update, struct ib_error **err)
{
	g_autofree char *base = ib_update_value_name(package_id, update);
	g_autofree char *name = g_strconcat(prefix, base, NULL);
	g_autofree char *ref = g_strconcat(package_id, ".", update, NULL);
	size_t len = strlen(ref);
	g_autofree uint8_t *data = g_malloc(len + 9);

	ib_put_le32(data, (uint32_t)len);
	ib_put_le32(data + 4, 1);
	memcpy(data + 8, ref, len);
	data[len + 8] = ref_tail(components);
	return ib_key_set(components, deployment, name, IB_REG_BINARY, data, len + 9, err);
}

void ib_svc_ref_drop(struct ib_hive *components, struct ib_key *deployment, const char *prefix, const char *ref)
{
	for (size_t i = ib_key_value_count(deployment); i-- > 0;) {
		const struct ib_value *v = ib_key_value_at(deployment, i);
		g_autofree char *name = g_strdup(ib_value_name(v));
		g_autofree char *text = g_ascii_strncasecmp(name, prefix, strlen(prefix)) ? NULL : ref_text(v);
		if (text && ib_name_equal(text, ref))
			ib_key_unset(components, deployment, name);
	}
}

static bool set_ascii(struct ib_hive *hive, struct ib_key *key, const char *name, const char *text, struct ib_error **err)
{
	return ib_key_set(hive, key, name, IB_REG_BINARY, text, strlen(text), err);
}

bool ib_svc_deployment_make(struct ib_hive *components, const struct ib_manifest *m, const char *thumbprint,
			    struct ib_key **ret, struct ib_error **err)
{
	g_autofree char *name = ib_keyform(&m->id, IB_KEYFORM_SHORT);
	g_autofree char *path = g_strconcat(PATH_DEPLOYMENTS "\\", name, NULL);
	g_autofree char *identity = ib_identity_text(&m->id);

	return ib_key_make(components, ib_hive_root(components), path, ret, err) &&
	       set_ascii(components, *ret, "appid", identity, err) &&
	       (!thumbprint ||
		ib_key_set_text(components, *ret, "CatalogThumbprint", IB_REG_SZ, thumbprint, err));
}

bool ib_svc_component_make(struct ib_hive *components, const struct ib_manifest *m, bool payload, GHashTable *bits,
			   struct ib_error **err)
{
	g_autofree char *path = g_strconcat(PATH_COMPONENTS "\\", m->keyform, NULL);
	g_autofree char *identity = ib_identity_text(&m->id);
	uint32_t flags = CF_MANIFESTS_PRESENT | CF_FILES_PRESENT;
	struct ib_key *key;

	if (!ib_key_make(components, ib_hive_root(components), path, &key, err) ||
	    !set_ascii(components, key, "identity", identity, err) ||
	    !ib_key_set(components, key, "S256H", IB_REG_BINARY, m->sha256, sizeof(m->sha256), err) ||
	    (payload && !ib_key_set_dword(components, key, "CF", flags, err)))
		return false;
	for (guint i = 0; payload && i < m->files->len; i++) {
		const struct ib_file *f = m->files->pdata[i];
		g_autofree char *base = ib_file_value_name(f->name);
		g_autofree char *name = g_str_has_prefix(base, "f!") ? g_strdup(base) : g_strconcat("f!", base, NULL);
		uint32_t more = bits ? GPOINTER_TO_UINT(g_hash_table_lookup(bits, f)) : 0;
		if (!ib_key_set_dword(components, key, name, FILE_STAGE_MARK | more, err))
			return false;
	}
	return true;
}

bool ib_svc_component_link(struct ib_hive *components, const char *keyform, const char *deployment,
			   struct ib_error **err)
{
	struct ib_key *key = ib_svc_component_key(components, keyform);
	g_autofree char *name = g_strconcat("c!", deployment, NULL);

	if (!key)
		return ib_throw(err, IB_ERR_INPUT, "the store has no key for the component '%s'", keyform);
	return ib_key_value(key, name) || ib_key_set(components, key, name, IB_REG_BINARY, "", 0, err);
}

bool ib_svc_catalog_link(struct ib_hive *components, const char *thumbprint, const char *deployment,
			 struct ib_error **err)
{
	g_autofree char *path = g_strconcat(PATH_CATALOGS "\\", thumbprint, NULL);
	g_autofree char *name = g_strconcat("c!", deployment, NULL);
	struct ib_key *key;

	return ib_key_make(components, ib_hive_root(components), path, &key, err) &&
	       ib_key_set(components, key, name, IB_REG_BINARY, "", 0, err);
}

static bool drop_children(struct ib_hive *hive, const char *path, struct ib_error **err)
{
	struct ib_key *key = ib_key_find(ib_hive_root(hive), path);

	for (size_t i = key ? ib_key_count(key) : 0; i-- > 0;)
		if (!ib_key_remove(hive, ib_key_child(key, i), err))
			return false;
	for (size_t i = key ? ib_key_value_count(key) : 0; i-- > 0;) {
		g_autofree char *name = g_strdup(ib_value_name(ib_key_value_at(key, i)));
		ib_key_unset(hive, key, name);
	}
	return true;
}

bool ib_svc_drop_caches(struct ib_store *s, struct ib_error **err)
{
	struct ib_hive *components, *software;

	return ib_store_hive(s, IB_HIVE_COMPONENTS, &components, err) &&
	       drop_children(components, "DerivedData\\VersionedIndex", err) &&
	       ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err) &&
	       drop_children(software, PATH_CBS "\\ApplicabilityEvaluationCache", err);
}
