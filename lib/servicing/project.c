/* Projection: winners into the live system, and what no winner brings any more out of it. */
#include "servicing/internal.h"

#include <string.h>

/* ---- applying ---- */

/* One component being projected; old: the same family's effects before, by id, or NULL. */
struct projection {
	struct ib_store *s;
	const struct ib_manifest *m;
	struct ib_macro_scope macros;
	GHashTable *old;
	/* the key that was made last: a key's values follow each other */
	const char *key_path;
	enum ib_hive_id key_hive;
	struct ib_key *key;
};

static bool apply_directory(struct projection *p, const struct ib_effect *e, struct ib_error **err)
{
	const struct ib_directory *d = e->source;
	struct ib_node *node = ib_image_find(p->s->image, e->path);
	GBytes *security;

	if (!ib_svc_descriptor(p->s, d->sddl, &security, err))
		return false;
	if (!node)
		return ib_svc_mkdir(p->s, e->path, security, err);
	if (security)
		ib_node_set_security(p->s->image, node, security);
	return true;
}

/* A destination is one more name of the store's file. */
static bool apply_file(struct projection *p, const struct ib_effect *e, struct ib_error **err)
{
	const struct ib_file *f = e->source;
	g_autofree char *store = g_strdup_printf(DIR_WINSXS "\\%s\\%s", p->m->keyform, f->name);
	struct ib_node *node = ib_image_find(p->s->image, store);
	const char *slash = strrchr(e->path, '\\');
	g_autofree char *folder = slash ? g_strndup(e->path, (gsize)(slash - e->path)) : g_strdup("");

	if (!node) {
		ib_throw(err, IB_ERR_INPUT, "the store lacks the file '%s'", store);
		return ib_hint(err, "its payload was removed from the image (DISM calls this 0x800f081f)");
	}
	return (ib_image_find(p->s->image, folder) || ib_svc_mkdir(p->s, folder, NULL, err)) &&
	       ib_image_link(p->s->image, node, e->path, NULL, err);
}

static bool apply_key(struct projection *p, const struct ib_effect *e, struct ib_key **ret, struct ib_error **err)
{
	const struct ib_registry_key *k = e->source;
	struct ib_hive *hive;
	GBytes *security;

	if (!ib_store_hive(p->s, e->hive, &hive, err))
		return false;
	if (p->key_path && p->key_hive == e->hive && !strcmp(p->key_path, e->path)) {
		*ret = p->key;
	} else {
		if (!ib_key_make(hive, ib_hive_root(hive), e->path, ret, err))
			return false;
		p->key_path = e->path;
		p->key_hive = e->hive;
		p->key = *ret;
	}
	if (e->kind == EFFECT_KEY && k->sddl) {
		if (!ib_svc_descriptor(p->s, k->sddl, &security, err))
			return false;
		ib_key_set_security(hive, *ret, security);
	}
	return true;
}

static bool apply_value(struct projection *p, const struct ib_effect *e, struct ib_error **err)
{
	struct ib_key *key;

	return apply_key(p, e, &key, err) &&
	       ib_svc_value_apply(p->s->hives[e->hive], key, e->source, &p->macros, err);
}

static bool apply_service(struct projection *p, const struct ib_effect *e, struct ib_error **err)
{
	const struct ib_effect *old = p->old ? g_hash_table_lookup(p->old, e->id) : NULL;

	return ib_svc_service_write(p->s, p->m, e->source, old ? old->source : NULL, err);
}

static bool apply(struct projection *p, const struct ib_effect *e, struct ib_error **err)
{
	struct ib_key *key;
	bool changed;

	if (e->kind != EFFECT_KEY && e->kind != EFFECT_VALUE)
		p->key_path = NULL; /* it may take keys away */
	switch (e->kind) {
	case EFFECT_FILE:
		return apply_file(p, e, err);
	case EFFECT_DIRECTORY:
		return apply_directory(p, e, err);
	case EFFECT_KEY:
		return apply_key(p, e, &key, err);
	case EFFECT_VALUE:
		return apply_value(p, e, err);
	case EFFECT_SERVICE:
		return apply_service(p, e, err);
	case EFFECT_SVCHOST:
		return ib_svc_svchost_set(p->s, e->path, e->name, true, &changed, err);
	case EFFECT_FIREWALL:
		return ib_svc_firewall_write(p->s, p->m, e->source, err);
	case EFFECT_TASK:
		return ib_svc_task_write(p->s, p->m, e->source, err);
	case EFFECT_PUBLISHER:
		return ib_svc_publisher_write(p->s, p->m, e->source, err);
	case EFFECT_CHANNEL:
		return true; /* written with its publisher */
	case EFFECT_MIGRATION:
		return ib_svc_migration_list(p->s, e->name, true, &changed, err);
	case EFFECT_SEARCH_PATH:
		return ib_svc_search_path_add(p->s, e->name, ((const struct ib_search_path *)e->source)->first, err);
	}
	return true;
}

/* ---- taking away ---- */

static bool remove_value(struct ib_store *s, const struct ib_effect *e, bool *ret_removed, struct ib_error **err)
{
	const struct ib_registry_value *v = e->source;
	struct ib_hive *hive;
	bool merged = v && v->hint && (!g_ascii_strcasecmp(v->hint, "append") || !g_ascii_strcasecmp(v->hint, "prepend"));

	if (!ib_store_hive(s, e->hive, &hive, err))
		return false;
	struct ib_key *key = ib_key_find(ib_hive_root(hive), e->path);
	const struct ib_value *have = key ? ib_key_value(key, e->name) : NULL;
	if (!have)
		return true;
	if (!merged || ib_value_type(have) != IB_REG_MULTI_SZ) {
		*ret_removed = ib_key_unset(hive, key, e->name);
		return true;
	}
	/* Others' strings in the same list stay. */
	g_auto(GStrv) strings = NULL;
	if (!ib_svc_multi_parse(v->value ? v->value : "", &strings, err))
		return false;
	for (char **p = strings; *p; p++) {
		bool dropped;
		if (!ib_svc_multi_drop(hive, key, e->name, *p, &dropped, err))
			return false;
		*ret_removed |= dropped;
	}
	return true;
}

/* Keys that stay although they are empty: others expect them. Below SOFTWARE, its 32-bit twin, or a control set. */
static const char *const standing[] = {
	"Microsoft", "Microsoft\\Windows", "Microsoft\\Windows\\CurrentVersion", "Microsoft\\Windows\\CurrentVersion\\Run",
	"Microsoft\\Windows\\CurrentVersion\\RunOnce", "Microsoft\\Windows\\CurrentVersion\\Uninstall",
	"Microsoft\\Windows\\CurrentVersion\\Explorer", "Microsoft\\Windows\\CurrentVersion\\Policies",
	"Microsoft\\Windows NT", PATH_NT, "Policies", "Policies\\Microsoft", "Policies\\Microsoft\\Windows", "Classes",
	"Classes\\CLSID", "Classes\\Interface", "Classes\\AppID", "Classes\\TypeLib", "Control", "Services", "Enum",
	"Services\\EventLog", "Services\\EventLog\\Application", "Services\\EventLog\\System",
	"Services\\EventLog\\Security",
};

bool ib_svc_standing_key(enum ib_hive_id hive, const char *path)
{
	const char *const tops[] = { "Wow6432Node", "Software" };
	const char *rest = path;

	if (hive == IB_HIVE_SYSTEM)
		rest = strchr(path, '\\') ? strchr(path, '\\') + 1 : "Control";
	for (size_t i = 0; i < G_N_ELEMENTS(tops); i++) {
		size_t len = strlen(tops[i]);
		if (!g_ascii_strncasecmp(rest, tops[i], len) && (!rest[len] || rest[len] == '\\'))
			rest = rest[len] ? rest + len + 1 : "Microsoft";
	}
	for (size_t i = 0; i < G_N_ELEMENTS(standing); i++)
		if (ib_name_equal(standing[i], rest))
			return true;
	return false;
}

static bool remove_key(struct ib_store *s, const struct ib_effect *e, bool *ret_removed, struct ib_error **err)
{
	struct ib_hive *hive;

	if (!ib_store_hive(s, e->hive, &hive, err))
		return false;
	struct ib_key *key = *e->path ? ib_key_find(ib_hive_root(hive), e->path) : NULL;
	if (!key || ib_key_count(key) || ib_key_value_count(key) || ib_svc_standing_key(e->hive, e->path))
		return true;
	*ret_removed = true;
	return ib_key_remove(hive, key, err);
}

static bool remove_directory(struct ib_store *s, const struct ib_effect *e, bool *ret_removed, struct ib_error **err)
{
	struct ib_node *node = ib_image_find(s->image, e->path);

	if (!node || !ib_node_is_dir(node) || ib_node_first(node))
		return true;
	*ret_removed = true;
	return ib_image_remove(s->image, node, err);
}

bool ib_svc_effect_remove(struct ib_store *s, const struct ib_effect *e, bool *ret_removed, struct ib_error **err)
{
	*ret_removed = false;
	switch (e->kind) {
	case EFFECT_FILE:
		return ib_svc_remove_path(s, e->path, ret_removed, err);
	case EFFECT_DIRECTORY:
		return remove_directory(s, e, ret_removed, err);
	case EFFECT_KEY:
		return remove_key(s, e, ret_removed, err);
	case EFFECT_VALUE:
		return remove_value(s, e, ret_removed, err);
	case EFFECT_SERVICE:
		return ib_svc_service_remove(s, e->name, ret_removed, err);
	case EFFECT_SVCHOST:
		return ib_svc_svchost_set(s, e->path, e->name, false, ret_removed, err);
	case EFFECT_FIREWALL:
		return ib_svc_firewall_remove(s, e->name, ret_removed, err);
	case EFFECT_TASK:
		return ib_svc_task_remove(s, e->path, ret_removed, err);
	case EFFECT_PUBLISHER:
		return ib_svc_publisher_remove(s, e->name, ret_removed, err);
	case EFFECT_CHANNEL:
		return ib_svc_channel_remove(s, e->name, ret_removed, err);
	case EFFECT_MIGRATION:
		return ib_svc_migration_list(s, e->name, false, ret_removed, err);
	case EFFECT_SEARCH_PATH:
		return ib_svc_search_path_drop(s, e->name, ret_removed, err);
	}
	return true;
}

/* ---- changes of winners ---- */

static bool project_one(struct ib_store *s, const struct ib_plan_winner *w, struct ib_changes *ch,
			struct ib_install_summary *sum, struct ib_error **err)
{
	struct projection p = { .s = s, .m = w->now, .macros = ib_svc_scope(s, w->now) };
	g_autoptr(GPtrArray) now = NULL;
	g_autoptr(GPtrArray) before = NULL;
	g_autoptr(GHashTable) now_set = NULL;
	g_autoptr(GHashTable) old = NULL;
	const struct ib_manifest *m = NULL;

	if ((w->before && !ib_svc_manifest(s, w->before, &m, err)) || (m && !ib_svc_effects(s, m, &before, err)) ||
	    (w->now && !ib_svc_effects(s, w->now, &now, err)))
		return false;
	if (w->before && !m)
		ib_svc_note(s, "old-version-unread", w->before->keyform,
			    "its manifest cannot be read here: what only this version had was not removed");
	p.old = old = before ? ib_svc_effect_set(before) : NULL;
	now_set = now ? ib_svc_effect_set(now) : NULL;
	if (now)
		ib_svc_count_new(now, old, sum);
	for (guint i = 0; now && i < now->len; i++) {
		g_hash_table_add(ch->brought, g_strdup(((const struct ib_effect *)now->pdata[i])->id));
		if (!apply(&p, now->pdata[i], err)) {
			g_autofree char *text = ib_svc_effect_text(now->pdata[i]);
			return ib_while(err, "putting the %s into the image", text);
		}
	}
	if (w->now)
		ib_svc_note_elements(s, w->now);
	for (guint i = 0; before && i < before->len; i++) {
		struct ib_effect *e = before->pdata[i];
		if (now_set && g_hash_table_contains(now_set, e->id))
			continue;
		g_ptr_array_add(ch->gone, e);
		before->pdata[i] = NULL; /* moved: the array's free function gets NULL */
	}
	return true;
}

bool ib_svc_project(struct ib_store *s, const GArray *winners, struct ib_install_summary *sum, struct ib_error **err)
{
	g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(ib_svc_effect_free);
	g_autoptr(GHashTable) brought = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct ib_changes ch = { .gone = gone, .brought = brought };

	if (!ib_svc_read_before(s, winners, err))
		return false;
	for (guint i = 0; i < winners->len; i++) {
		const struct ib_plan_winner *w = &g_array_index(winners, struct ib_plan_winner, i);
		if (!project_one(s, w, &ch, sum, err))
			return ib_while(err, "projecting '%s'", w->now ? w->now->keyform : w->before->keyform);
	}
	return gone->len == 0 || ib_svc_leave(s, winners, &ch, sum, err);
}
