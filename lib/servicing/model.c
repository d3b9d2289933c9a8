/* The component store as a model: families, versions, which are installed, their manifests. */
#include "servicing/internal.h"

#include <string.h>

static void component_free(void *p)
{
	struct ib_component *c = p;

	ib_manifest_free(c->manifest);
	g_free(c->keyform);
	g_free(c);
}

static void family_free(void *p)
{
	struct ib_family *f = p;

	g_ptr_array_unref(f->components);
	g_free(f->keyform);
	g_free(f);
}

void ib_svc_model_free(struct ib_model *m)
{
	if (!m)
		return;
	g_hash_table_unref(m->by_keyform);
	g_hash_table_unref(m->by_family);
	g_ptr_array_unref(m->families);
	g_free(m);
}

/* "Name, Culture=neutral, Type=…, Version=…, …": the name ends before ", Culture=". */
bool ib_svc_identity_parse(const char *text, size_t len, struct ib_identity *ret)
{
	g_autofree char *copy = g_strndup(text, len);
	char *attrs = strstr(copy, ", Culture=");
	struct ib_identity id = { 0 };

	if (!attrs || attrs == copy || !g_utf8_validate(copy, -1, NULL))
		return false;
	*attrs = '\0';
	id.name = g_intern_string(copy);
	g_auto(GStrv) parts = g_strsplit(attrs + 2, ", ", 16);
	for (char **p = parts; *p; p++) {
		char *value = strchr(*p, '=');
		if (!value)
			return false;
		*value++ = '\0';
		const char *kept = g_intern_string(value);
		if (!g_ascii_strcasecmp(*p, "Culture"))
			id.culture = g_ascii_strcasecmp(value, "neutral") && *value && strcmp(value, "*") ? kept : NULL;
		else if (!g_ascii_strcasecmp(*p, "Type"))
			id.type = kept;
		else if (!g_ascii_strcasecmp(*p, "Version"))
			id.version = kept;
		else if (!g_ascii_strcasecmp(*p, "PublicKeyToken"))
			id.token = kept;
		else if (!g_ascii_strcasecmp(*p, "ProcessorArchitecture"))
			id.arch = kept;
		else if (!g_ascii_strcasecmp(*p, "versionScope"))
			id.scope = kept;
	}
	if (!id.version || !ib_version_parse(id.version, &id.number))
		return false;
	*ret = id;
	return true;
}

static int by_version(gconstpointer a, gconstpointer b)
{
	const struct ib_component *x = *(struct ib_component *const *)a, *y = *(struct ib_component *const *)b;
	int d = ib_version_compare(&x->id.number, &y->id.number);

	return d ? d : strcmp(x->keyform, y->keyform);
}

static struct ib_family *family_of(struct ib_model *m, const struct ib_identity *id)
{
	g_autofree char *name = ib_keyform(id, IB_KEYFORM_FAMILY);
	struct ib_family *f = g_hash_table_lookup(m->by_family, name);

	if (!f) {
		f = g_new0(struct ib_family, 1);
		f->keyform = g_steal_pointer(&name);
		f->components = g_ptr_array_new_with_free_func(component_free);
		g_ptr_array_add(m->families, f);
		g_hash_table_insert(m->by_family, f->keyform, f);
	}
	return f;
}

static int by_family_name(gconstpointer a, gconstpointer b)
{
	const struct ib_family *x = *(struct ib_family *const *)a, *y = *(struct ib_family *const *)b;

	return strcmp(x->keyform, y->keyform);
}

/* Adds without keeping the arrays sorted. */
static struct ib_component *add_unsorted(struct ib_model *m, const struct ib_identity *id, char *keyform)
{
	struct ib_component *c = g_new0(struct ib_component, 1);

	c->id = *id;
	c->keyform = keyform;
	c->family = family_of(m, id);
	g_ptr_array_add(c->family->components, c);
	g_hash_table_replace(m->by_keyform, ib_name_fold(keyform), c);
	return c;
}

/* The last entry to its place among the others, which are in order. */
static void move_last(GPtrArray *list, GCompareFunc compare)
{
	guint n = list->len - 1, low = 0, high = n;
	gpointer last = list->pdata[n];

	while (low < high) {
		guint mid = low + (high - low) / 2;
		if (compare(&last, &list->pdata[mid]) < 0)
			high = mid;
		else
			low = mid + 1;
	}
	memmove(list->pdata + low + 1, list->pdata + low, (n - low) * sizeof(gpointer));
	list->pdata[low] = last;
}

struct ib_component *ib_svc_model_add(struct ib_model *m, const struct ib_identity *id)
{
	g_autofree char *keyform = ib_keyform(id, IB_KEYFORM_LONG);
	struct ib_component *c = ib_svc_component(m, keyform);

	if (c)
		return c;
	guint families = m->families->len;
	c = add_unsorted(m, id, g_steal_pointer(&keyform));
	move_last(c->family->components, by_version);
	if (m->families->len != families)
		move_last(m->families, by_family_name);
	return c;
}

void ib_svc_model_drop(struct ib_model *m, struct ib_component *c)
{
	g_autofree char *folded = ib_name_fold(c->keyform);

	g_hash_table_remove(m->by_keyform, folded);
	g_ptr_array_remove(c->family->components, c); /* an empty family stays: Winners still has to forget it */
}

struct ib_component *ib_svc_component(const struct ib_model *m, const char *keyform)
{
	g_autofree char *folded = ib_name_fold(keyform);

	return g_hash_table_lookup(m->by_keyform, folded);
}

/* Which versions Winners lists. */
static void mark_installed(struct ib_family *f, struct ib_key *winners)
{
	struct ib_key *key = ib_key_find(winners, f->keyform);

	for (guint i = 0; key && i < f->components->len; i++) {
		struct ib_component *c = f->components->pdata[i];
		g_autofree char *group = g_strdup_printf("%" PRIu32 ".%" PRIu32, c->id.number.part[0], c->id.number.part[1]);
		struct ib_key *sub = ib_key_find(key, group);
		g_autofree char *version = ib_version_text(&c->id.number);
		c->installed = sub && ib_key_value(sub, version);
	}
}

static bool load_components(struct ib_store *s, struct ib_model *m, struct ib_error **err)
{
	struct ib_hive *components, *software;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &components, err) || !ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *keys = ib_key_find(ib_hive_root(components), PATH_COMPONENTS);
	struct ib_key *winners = ib_key_find(ib_hive_root(software), PATH_WINNERS);
	if (!keys)
		return ib_throw(err, IB_ERR_INPUT, "the hive COMPONENTS has no key '%s'", PATH_COMPONENTS);
	for (size_t i = 0; i < ib_key_count(keys); i++) {
		struct ib_key *key = ib_key_child(keys, i);
		const struct ib_value *v = ib_key_value(key, "identity");
		struct ib_identity id;
		size_t len = 0;
		const uint8_t *data = v ? ib_value_data(v, &len) : NULL;
		if (!data || !ib_svc_identity_parse((const char *)data, len, &id)) {
			ib_svc_note(s, "component-without-identity", ib_key_name(key),
				    "the component's key has no readable identity; it was left alone");
			continue;
		}
		add_unsorted(m, &id, g_strdup(ib_key_name(key)));
	}
	g_ptr_array_sort(m->families, by_family_name);
	for (guint i = 0; i < m->families->len; i++) {
		struct ib_family *f = m->families->pdata[i];
		g_ptr_array_sort(f->components, by_version);
		if (winners)
			mark_installed(f, winners);
	}
	return true;
}

bool ib_svc_model(struct ib_store *s, struct ib_model **ret, struct ib_error **err)
{
	if (!s->model) {
		struct ib_model *m = g_new0(struct ib_model, 1);
		m->families = g_ptr_array_new_with_free_func(family_free);
		m->by_keyform = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		m->by_family = g_hash_table_new(g_str_hash, g_str_equal);
		if (!load_components(s, m, err)) {
			ib_svc_model_free(m);
			return false;
		}
		s->model = m;
	}
	*ret = s->model;
	return true;
}

bool ib_svc_same_line(const struct ib_identity *id, const struct ib_version *like)
{
	bool alone = id->scope && !g_ascii_strcasecmp(id->scope, "nonSxS");

	return alone || (id->number.part[0] == like->part[0] && id->number.part[1] == like->part[1]);
}

struct ib_component *ib_svc_winner(const struct ib_family *f, const struct ib_version *like)
{
	for (guint i = f->components->len; i-- > 0;) {
		struct ib_component *c = f->components->pdata[i];
		if (c->installed && ib_svc_same_line(&c->id, like))
			return c;
	}
	return NULL;
}

GPtrArray *ib_svc_winners(const struct ib_model *m)
{
	GPtrArray *out = g_ptr_array_new();

	for (guint i = 0; i < m->families->len; i++) {
		const struct ib_family *f = m->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++) {
			struct ib_component *c = f->components->pdata[k];
			if (c->installed && ib_svc_winner(f, &c->id.number) == c)
				g_ptr_array_add(out, c);
		}
	}
	return out;
}
