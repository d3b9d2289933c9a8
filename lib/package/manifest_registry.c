/* Registry keys of a manifest, as written: types and data are the installer's business. */
#include "package/internal.h"

#include <string.h>

static bool is_true(const char *text)
{
	return text && (g_ascii_strcasecmp(text, "true") == 0 || g_ascii_strcasecmp(text, "yes") == 0);
}

static bool read_value(struct manifest *m, struct ib_registry_value *v, const struct ib_xml_node *node,
		       struct ib_error **err)
{
	const char *name = package_attr(m, node, "name"), *type = package_attr(m, node, "valueType");

	if (!type || !*type)
		return ib_throw(err, IB_ERR_INPUT, "line %u: value '%.80s' has no valueType", ib_xml_line(node),
				name ? name : "");
	v->name = name ? name : "";
	v->type = type;
	v->value = package_attr(m, node, "value");
	v->hint = package_attr(m, node, "operationHint");
	v->mutable_ = is_true(ib_xml_attr(node, "mutable"));
	return true;
}

/* A store has a million values: those of a key are one block, its start the first of them. */
static GPtrArray *values_new(const struct ib_xml_node *node)
{
	guint n = 0;

	for (const struct ib_xml_node *v = ib_xml_first(node, "registryValue"); v; v = ib_xml_next(v, "registryValue"))
		n++;
	GPtrArray *values = g_ptr_array_sized_new(n);
	struct ib_registry_value *block = g_new0(struct ib_registry_value, n);
	for (guint i = 0; i < n; i++)
		g_ptr_array_add(values, &block[i]);
	return values;
}

void package_free_key(gpointer p)
{
	struct ib_registry_key *k = p;

	if (k->values->len)
		g_free(k->values->pdata[0]);
	g_ptr_array_unref(k->values);
	g_free(k);
}

/* What may be overridden may stay as it is found: overridable names shipped values, or all with '*'. */
static void apply_overridable(struct ib_registry_key *key, const struct ib_xml_node *node)
{
	const struct ib_xml_node *o = ib_xml_first(node, "overridable");

	if (!o)
		return;
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (; o; o = ib_xml_next(o, "overridable")) {
		const char *name = ib_xml_attr(o, "name");
		g_hash_table_add(names, ib_name_fold(name ? name : ""));
	}
	bool all = g_hash_table_contains(names, "*");
	for (guint i = 0; i < key->values->len; i++) {
		struct ib_registry_value *v = g_ptr_array_index(key->values, i);
		g_autofree char *fold = ib_name_fold(v->name);
		if (all || g_hash_table_contains(names, fold))
			v->mutable_ = true;
	}
}

static bool read_key(struct manifest *m, const struct ib_xml_node *node, struct ib_error **err)
{
	const char *path = package_attr(m, node, "keyName");
	guint at = 0;

	if (!path || !*path)
		return ib_throw(err, IB_ERR_INPUT, "line %u: a registryKey has no keyName", ib_xml_line(node));
	struct ib_registry_key *key = g_new0(struct ib_registry_key, 1);
	key->values = values_new(node);
	key->path = path;
	key->sddl = package_sddl(m, node);
	g_ptr_array_add(m->pub.registry, key);
	const struct ib_xml_node *value = ib_xml_first(node, "registryValue");
	for (; value; value = ib_xml_next(value, "registryValue")) {
		if (!read_value(m, key->values->pdata[at++], value, err))
			return ib_while(err, "reading key '%.120s'", path);
	}
	apply_overridable(key, node);
	return true;
}

bool package_read_registry(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
{
	const struct ib_xml_node *all = ib_xml_first(root, "registryKeys");

	for (; all; all = ib_xml_next(all, "registryKeys")) {
		const struct ib_xml_node *node = ib_xml_first(all, "registryKey");
		for (; node; node = ib_xml_next(node, "registryKey")) {
			if (!read_key(m, node, err))
				return false;
		}
	}
	return true;
}
