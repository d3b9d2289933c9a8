/* Registry keys of a manifest, as written: types and data are the installer's business. */
#include "package/internal.h"

#include <string.h>

static bool is_true(const char *text)
{
	return text && (g_ascii_strcasecmp(text, "true") == 0 || g_ascii_strcasecmp(text, "yes") == 0);
}

static bool add_value(struct manifest *m, struct ib_registry_key *key, const struct ib_xml_node *node,
		      struct ib_error **err)
{
	const char *name = package_attr(m, node, "name"), *type = package_attr(m, node, "valueType");

	if (!type || !*type)
		return ib_throw(err, IB_ERR_INPUT, "line %u: value '%.80s' has no valueType", ib_xml_line(node),
				name ? name : "");
	struct ib_registry_value *v = g_new0(struct ib_registry_value, 1);
	v->name = name ? name : "";
	v->type = type;
	v->value = package_attr(m, node, "value");
	v->hint = package_attr(m, node, "operationHint");
	v->mutable_ = is_true(ib_xml_attr(node, "mutable"));
	g_ptr_array_add(key->values, v);
	return true;
}

/* What may be overridden may stay as it is found: overridable names shipped values, or all with '*'. */
static void apply_overridable(struct ib_registry_key *key, GHashTable *names)
{
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
	g_autoptr(GHashTable) overridable = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	if (!path || !*path)
		return ib_throw(err, IB_ERR_INPUT, "line %u: a registryKey has no keyName", ib_xml_line(node));
	struct ib_registry_key *key = g_new0(struct ib_registry_key, 1);
	key->values = g_ptr_array_new_with_free_func(g_free);
	key->path = path;
	key->sddl = package_sddl(m, node);
	g_ptr_array_add(m->pub.registry, key);
	const struct ib_xml_node *child = ib_xml_first(node, NULL);
	for (; child; child = ib_xml_next(child, NULL)) {
		const char *what = ib_xml_name(child), *name = ib_xml_attr(child, "name");
		if (strcmp(what, "registryValue") == 0 && !add_value(m, key, child, err))
			return ib_while(err, "reading key '%.120s'", path);
		if (strcmp(what, "overridable") == 0)
			g_hash_table_add(overridable, ib_name_fold(name ? name : ""));
	}
	if (g_hash_table_size(overridable) > 0)
		apply_overridable(key, overridable);
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
