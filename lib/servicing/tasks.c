/* Scheduled tasks: their files; the scheduler's own cache can only be emptied offline, not filled. */
#include "servicing/internal.h"

#include <string.h>

#define PATH_CACHE PATH_NT "\\Schedule\\TaskCache"
#define TASK_SPACE "http://schemas.microsoft.com/windows/2004/02/mit/task"

char *ib_svc_task_path(const struct ib_xml_node *task)
{
	struct ib_xml_node *uri = ib_xml_find(task, "RegistrationInfo/URI");
	g_autofree char *text = ib_xml_text(uri);

	if (!text || !*g_strstrip(text))
		return NULL;
	const char *p = text + strspn(text, "\\");
	return *p ? g_strdup(p) : NULL;
}

bool ib_svc_task_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_xml_node *task,
		       struct ib_error **err)
{
	g_autofree char *name = ib_svc_task_path(task);
	ib_auto_xml doc = ib_xml_new("Task");
	struct ib_xml_node *root = ib_xml_root(doc);
	const char *attr, *value;

	if (!name) {
		ib_svc_note(s, "task-without-name", m->keyform, "a scheduled task has no URI and was left out");
		return true;
	}
	ib_xml_declare(root, NULL, TASK_SPACE);
	for (size_t i = 0; ib_xml_attrs(task, i, &attr, &value); i++)
		ib_xml_set(root, attr, value);
	for (struct ib_xml_node *c = ib_xml_first(task, NULL); c; c = ib_xml_next(c, NULL))
		ib_xml_add_copy(root, c);
	g_autoptr(GBytes) bytes = ib_xml_write(doc, IB_XML_DECLARATION | IB_XML_UTF16);
	g_autofree char *raw = g_strconcat("$(runtime.system32)\\Tasks\\", name, NULL);
	g_autofree char *path = NULL;
	struct ib_macro_scope macros = ib_svc_scope(s, NULL);
	if (!ib_svc_path(&macros, raw, &path, err) || !ib_svc_put_bytes(s, path, bytes, err))
		return false;
	ib_svc_note(s, "first-boot-task", name, "the task's file is in place; the scheduler learns of it at the first start");
	return true;
}

/* Remove a key of the cache that a GUID names. */
static bool drop_guid(struct ib_hive *hive, struct ib_key *cache, const char *guid, struct ib_error **err)
{
	static const char *const kinds[] = { "Tasks", "Plain", "Boot", "Logon", "Maintenance" };

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *path = g_strdup_printf("%s\\%s", kinds[i], guid);
		struct ib_key *key = ib_key_find(cache, path);
		if (key && !ib_key_remove(hive, key, err))
			return false;
	}
	return true;
}

/* Remove a task's leaf of the tree, and folders that are empty then (values of their own do not count: SD only). */
static bool drop_tree(struct ib_hive *hive, struct ib_key *cache, const char *name, bool *ret_removed,
		      struct ib_error **err)
{
	g_autofree char *path = g_strconcat("Tree\\", name, NULL);
	struct ib_key *key = ib_key_find(cache, path);

	if (!key)
		return true;
	*ret_removed = true;
	const struct ib_value *id = ib_key_value(key, "Id");
	g_autofree char *guid = id ? ib_value_text(id) : NULL;
	if (guid && !drop_guid(hive, cache, guid, err))
		return false;
	struct ib_key *tree = ib_key_find(cache, "Tree");
	while (key != tree && !ib_key_count(key)) {
		struct ib_key *up = ib_key_parent(key);
		if (!ib_key_remove(hive, key, err))
			return false;
		key = up;
		if (ib_key_value(key, "Id"))
			break; /* a task, not a folder */
	}
	return true;
}

/* Cache entries whose Path or URI is the task's: left-overs without a leaf in the tree. */
static bool drop_orphans(struct ib_hive *hive, struct ib_key *cache, const char *name, bool *ret_removed,
			 struct ib_error **err)
{
	struct ib_key *tasks = ib_key_find(cache, "Tasks");

	for (size_t i = tasks ? ib_key_count(tasks) : 0; i-- > 0;) {
		struct ib_key *key = ib_key_child(tasks, i);
		const struct ib_value *v = ib_key_value(key, "Path");
		g_autofree char *path = v ? ib_value_text(v) : NULL;
		if (!path || !ib_name_equal(path + strspn(path, "\\"), name))
			continue;
		g_autofree char *guid = g_strdup(ib_key_name(key));
		if (!drop_guid(hive, cache, guid, err))
			return false;
		*ret_removed = true;
	}
	return true;
}

bool ib_svc_task_remove(struct ib_store *s, const char *path, bool *ret_removed, struct ib_error **err)
{
	const char *name = path + strspn(path, "\\");
	g_autofree char *file = g_strconcat(DIR_TASKS "\\", name, NULL);
	struct ib_hive *software;

	*ret_removed = false;
	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err))
		return false;
	struct ib_key *cache = ib_key_find(ib_hive_root(software), PATH_CACHE);
	if (cache && (!drop_tree(software, cache, name, ret_removed, err) ||
		      !drop_orphans(software, cache, name, ret_removed, err)))
		return false;
	bool removed;
	if (!ib_svc_remove_path(s, file, &removed, err))
		return false;
	*ret_removed |= removed;
	g_autofree char *folder = g_path_get_dirname(g_strdelimit(file, "\\", '/'));
	g_strdelimit(folder, "/", '\\');
	return ib_svc_remove_empty(s, folder, DIR_TASKS, err);
}
