/* Effects: what a component brings into the live system, each with an id that is the same whoever brings it. */
#include "servicing/internal.h"

#include <string.h>

/* Its texts lie behind it. */
void ib_svc_effect_free(void *p)
{
	g_free(p);
}

char *ib_svc_effect_id(enum ib_effect_kind kind, enum ib_hive_id hive, const char *path, const char *name)
{
	const char what[] = { (char)('A' + kind), (char)('0' + hive), '|', '\0' };
	g_autofree char *p = ib_name_fold(path ? path : "");
	g_autofree char *n = ib_name_fold(name ? name : "");

	return g_strconcat(what, p, "|", n, NULL);
}

/* A text's bytes with its end, put at *at; NULL stays NULL. */
static char *append(char **at, const char *text)
{
	char *out = *at;

	if (!text)
		return NULL;
	*at = stpcpy(out, text) + 1;
	return out;
}

struct ib_effect *ib_svc_effect_new(enum ib_effect_kind kind, enum ib_hive_id hive, const char *path, const char *name)
{
	bool reg = kind == EFFECT_KEY || kind == EFFECT_VALUE;
	g_autofree char *id = ib_svc_effect_id(kind, reg ? hive : 0, path, name);
	size_t texts = strlen(id) + 1 + (path ? strlen(path) + 1 : 0) + (name ? strlen(name) + 1 : 0);
	/* One piece of memory: a store has half a million of them. */
	struct ib_effect *e = g_malloc(sizeof(*e) + texts);
	char *at = (char *)(e + 1);

	*e = (struct ib_effect){ .kind = kind, .hive = reg ? hive : 0 };
	e->path = append(&at, path);
	e->name = append(&at, name);
	e->id = append(&at, id);
	return e;
}

char *ib_svc_effect_text(const struct ib_effect *e)
{
	switch (e->kind) {
	case EFFECT_FILE:
		return g_strdup_printf("file %s", e->path);
	case EFFECT_DIRECTORY:
		return g_strdup_printf("folder %s", e->path);
	case EFFECT_KEY:
		return g_strdup_printf("key %s\\%s", ib_svc_hive_name(e->hive), e->path);
	case EFFECT_VALUE:
		return g_strdup_printf("value %s\\%s!%s", ib_svc_hive_name(e->hive), e->path, e->name);
	case EFFECT_SERVICE:
		return g_strdup_printf("service %s", e->name);
	case EFFECT_SVCHOST:
		return g_strdup_printf("svchost group %s: %s", e->path, e->name);
	case EFFECT_FIREWALL:
		return g_strdup_printf("firewall rule %s", e->name);
	case EFFECT_TASK:
		return g_strdup_printf("task %s", e->path);
	case EFFECT_PUBLISHER:
		return g_strdup_printf("event provider %s", e->name);
	case EFFECT_CHANNEL:
		return g_strdup_printf("event channel %s", e->name);
	case EFFECT_MIGRATION:
		return g_strdup_printf("migration rules of %s", e->name);
	case EFFECT_SEARCH_PATH:
		return g_strdup_printf("folder in the search path %s", e->name);
	}
	return g_strdup("");
}

/* What is being collected. */
struct collect {
	struct ib_store *s;
	const struct ib_manifest *m;
	struct ib_macro_scope macros;
	struct ib_reg_scope reg;
	GPtrArray *out;
};

/* path is taken. */
static void add(struct collect *c, enum ib_effect_kind kind, char *path, const char *name, const void *source)
{
	struct ib_effect *e = ib_svc_effect_new(kind, 0, path, name);

	g_free(path);
	e->source = source;
	g_ptr_array_add(c->out, e);
}

static bool collect_file(struct collect *c, const struct ib_file *f, struct ib_error **err)
{
	g_autofree char *text = NULL;
	char *path;

	if (!f->destination_path) {
		if (c->m->id.arch && !g_ascii_strcasecmp(c->m->id.arch, "msil"))
			ib_svc_note(c->s, "gac", c->m->keyform, "its assemblies are not put into the global assembly cache");
		return true;
	}
	text = g_strconcat(f->destination_path, "\\", f->destination_name, NULL);
	if (!ib_svc_path(&c->macros, text, &path, err))
		return ib_while(err, "placing the file '%s'", f->name);
	add(c, EFFECT_FILE, path, NULL, f);
	for (guint i = 0; f->links && i < f->links->len; i++) {
		if (!ib_svc_path(&c->macros, f->links->pdata[i], &path, err))
			return ib_while(err, "placing the file '%s'", f->name);
		add(c, EFFECT_FILE, path, NULL, f);
	}
	return true;
}

static void add_reg(struct collect *c, enum ib_effect_kind kind, const struct ib_reg_place *place, const char *name,
		    const void *source)
{
	struct ib_effect *e = ib_svc_effect_new(kind, place->hive, place->path, name);

	e->source = source;
	g_ptr_array_add(c->out, e);
}

static bool collect_key(struct collect *c, const struct ib_registry_key *k, struct ib_error **err)
{
	IB_CLEANUP(ib_svc_reg_place_clear) struct ib_reg_place place = { 0 };
	g_autofree char *text = NULL;

	if (!ib_svc_expand(&c->macros, k->path, &text, err) || !ib_svc_reg_path(&c->reg, text, &place, err))
		return ib_while(err, "placing the registry key '%s'", k->path);
	if (!place.path) {
		ib_svc_note(c->s, "registry-elsewhere", c->m->keyform, "the key '%s' is not in a hive of the image", k->path);
		return true;
	}
	add_reg(c, EFFECT_KEY, &place, NULL, k);
	for (guint i = 0; i < k->values->len; i++) {
		const struct ib_registry_value *v = k->values->pdata[i];
		add_reg(c, EFFECT_VALUE, &place, v->name, v);
	}
	return true;
}

static bool collect_search_path(struct collect *c, struct ib_error **err)
{
	for (guint i = 0; i < c->m->search_path->len; i++) {
		const struct ib_search_path *p = c->m->search_path->pdata[i];
		g_autofree char *folder = NULL;
		if (!ib_svc_expand(&c->macros, p->folder, &folder, err))
			return false;
		add(c, EFFECT_SEARCH_PATH, NULL, folder, p);
	}
	return true;
}

static void collect_tasks(struct collect *c)
{
	for (guint i = 0; i < c->m->tasks->len; i++) {
		char *path = ib_svc_task_path(c->m->tasks->pdata[i]);
		add(c, EFFECT_TASK, path ? path : g_strdup(""), NULL, c->m->tasks->pdata[i]);
	}
}

static void collect_installers(struct collect *c)
{
	g_autoptr(GPtrArray) providers = ib_svc_event_nodes(c->m, "provider");
	g_autoptr(GPtrArray) channels = ib_svc_event_nodes(c->m, "channel");

	for (guint i = 0; i < c->m->services->len; i++) {
		const struct ib_service *sv = c->m->services->pdata[i];
		add(c, EFFECT_SERVICE, NULL, sv->name, sv);
	}
	for (guint i = 0; i < c->m->svchost->len; i++) {
		const struct ib_svchost_entry *e = c->m->svchost->pdata[i];
		add(c, EFFECT_SVCHOST, g_strdup(e->group), e->service, e);
	}
	for (guint i = 0; i < c->m->firewall->len; i++) {
		const char *name = ib_xml_attr(c->m->firewall->pdata[i], "internalName");
		add(c, EFFECT_FIREWALL, NULL, name ? name : "", c->m->firewall->pdata[i]);
	}
	collect_tasks(c);
	for (guint i = 0; i < providers->len; i++)
		add(c, EFFECT_PUBLISHER, NULL, ib_xml_attr(providers->pdata[i], "guid"), providers->pdata[i]);
	for (guint i = 0; i < channels->len; i++)
		add(c, EFFECT_CHANNEL, NULL, ib_xml_attr(channels->pdata[i], "name"), channels->pdata[i]);
}

static bool collect_all(struct collect *c, struct ib_error **err)
{
	for (guint i = 0; i < c->m->directories->len; i++) {
		const struct ib_directory *d = c->m->directories->pdata[i];
		char *path;
		if (!ib_svc_path(&c->macros, d->path, &path, err))
			return ib_while(err, "placing the folder '%s'", d->path);
		add(c, EFFECT_DIRECTORY, path, NULL, d);
	}
	for (guint i = 0; i < c->m->files->len; i++)
		if (!collect_file(c, c->m->files->pdata[i], err))
			return false;
	for (guint i = 0; i < c->m->registry->len; i++)
		if (!collect_key(c, c->m->registry->pdata[i], err))
			return false;
	collect_installers(c);
	if (c->m->has_migration)
		add(c, EFFECT_MIGRATION, NULL, c->m->keyform, c->m);
	return collect_search_path(c, err);
}

bool ib_svc_effects(struct ib_store *s, const struct ib_manifest *m, GPtrArray **ret, struct ib_error **err)
{
	struct collect c = { .s = s, .m = m, .macros = ib_svc_scope(s, m) };
	g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(ib_svc_effect_free);

	c.out = out;
	if (!ib_svc_reg_scope(s, m->id.arch, &c.reg, err) || !collect_all(&c, err))
		return ib_while(err, "reading what '%s' brings", m->keyform);
	*ret = g_steal_pointer(&out);
	return true;
}

GHashTable *ib_svc_effect_set(const GPtrArray *effects)
{
	GHashTable *set = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < effects->len; i++) {
		struct ib_effect *e = effects->pdata[i];
		g_hash_table_insert(set, (gpointer)e->id, e);
	}
	return set;
}
