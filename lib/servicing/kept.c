/*
 * Differentials that stay in the image: a cumulative update that came as differentials keeps them, forward and reverse,
 * so that the next one, which is made against the released files again, finds its way back to those.
 *
 * Since 17763 they lie in servicing\LCU\<package id>\<key form>\f|r\<file>, before in the component's own folder.
 */
#include "servicing/internal.h"

#include <string.h>

#define DIR_LCU "Windows\\servicing\\LCU"
/* First build that has a folder for each update. */
#define LCU_BUILD 17763u

static const char *folder_of(enum ib_payload_kind kind)
{
	return kind == IB_PAYLOAD_FORWARD ? "f" : "r";
}

char *ib_svc_kept_path(const struct ib_store *s, const char *package_id, const char *keyform, enum ib_payload_kind kind,
		       const char *file)
{
	if (s->info.version.part[2] < LCU_BUILD)
		return g_strdup_printf(DIR_WINSXS "\\%s\\%s\\%s", keyform, folder_of(kind), file);
	return g_strdup_printf(DIR_LCU "\\%s\\%s\\%s\\%s", package_id, keyform, folder_of(kind), file);
}

/* The version at the end of a package id. */
static struct ib_version version_of(const char *package_id)
{
	const char *tilde = strrchr(package_id, '~');
	struct ib_version v = { { 0 } };

	if (!tilde || !ib_version_parse(tilde + 1, &v))
		return (struct ib_version){ { 0 } };
	return v;
}

static int newest_first(gconstpointer a, gconstpointer b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	struct ib_version vx = version_of(x), vy = version_of(y);
	int d = ib_version_compare(&vy, &vx);

	return d ? d : strcmp(x, y);
}

GPtrArray *ib_svc_kept_folders(struct ib_store *s)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	struct ib_node *dir = ib_image_find(s->image, DIR_LCU);

	for (struct ib_node *n = dir ? ib_node_first(dir) : NULL; n; n = ib_node_next(n))
		if (ib_node_is_dir(n))
			g_ptr_array_add(out, g_strconcat(DIR_LCU "\\", ib_node_name(n), NULL));
	g_ptr_array_sort(out, newest_first);
	return out;
}

/* One more name for what an older update keeps of this file. */
static bool carry_file(struct ib_store *s, const GPtrArray *folders, const char *package_id, const struct ib_manifest *m,
		       const struct ib_file *f, enum ib_payload_kind kind, struct ib_error **err)
{
	g_autofree char *to = ib_svc_kept_path(s, package_id, m->keyform, kind, f->name);

	for (guint i = 0; i < folders->len; i++) {
		g_autofree char *from = g_strdup_printf("%s\\%s\\%s\\%s", (char *)folders->pdata[i], m->keyform,
							folder_of(kind), f->name);
		struct ib_node *node = ib_image_find(s->image, from);
		if (!node || ib_node_is_dir(node) || ib_image_find(s->image, to))
			continue;
		g_autofree char *folder = g_strndup(to, (gsize)(strrchr(to, '\\') - to));
		return ib_svc_mkdir(s, folder, NULL, err) && ib_image_link(s->image, node, to, NULL, err);
	}
	return true;
}

bool ib_svc_kept_carry(struct ib_store *s, const struct ib_package *p, const struct ib_plan_install *plan,
		       struct ib_error **err)
{
	const unsigned both = IB_PAYLOAD_BIT(IB_PAYLOAD_FORWARD) | IB_PAYLOAD_BIT(IB_PAYLOAD_REVERSE);
	const char *id = ib_package_root(p)->package_id;
	g_autoptr(GPtrArray) folders = ib_svc_kept_folders(s);
	const GPtrArray *entries = ib_package_payloads(p);

	for (guint i = 0; s->info.version.part[2] >= LCU_BUILD && i < entries->len; i++) {
		const struct ib_payload_entry *e = entries->pdata[i];
		g_autofree char *folded = ib_name_fold(e->manifest->keyform);
		const struct ib_plan_component *c = g_hash_table_lookup(plan->by_keyform, folded);
		if (!c || !c->stored || !(e->kinds & both))
			continue;
		if (!carry_file(s, folders, id, e->manifest, e->file, IB_PAYLOAD_FORWARD, err) ||
		    !carry_file(s, folders, id, e->manifest, e->file, IB_PAYLOAD_REVERSE, err))
			return ib_while(err, "keeping the differentials of '%s'", e->manifest->keyform);
	}
	return true;
}
