/* The system's search path: folders that components add to the variable Path. */
#include "servicing/internal.h"

#include <string.h>

#define PATH_ENVIRONMENT "Control\\Session Manager\\Environment"
#define VARIABLE "Path"

/* The same folder: case and a separator at the end do not count. */
static bool same_folder(const char *a, const char *b)
{
	size_t x = strlen(a), y = strlen(b);

	while (x > 0 && a[x - 1] == '\\')
		x--;
	while (y > 0 && b[y - 1] == '\\')
		y--;
	g_autofree char *p = g_strndup(a, x), *q = g_strndup(b, y);
	return ib_name_equal(p, q);
}

/* The variable's folders; *ret NULL when there is no variable. g_strfreev */
static bool folders_of(const struct ib_key *key, uint32_t *ret_type, char ***ret, struct ib_error **err)
{
	const struct ib_value *v = key ? ib_key_value(key, VARIABLE) : NULL;

	*ret = NULL;
	*ret_type = IB_REG_EXPAND_SZ;
	if (!v)
		return true;
	*ret_type = ib_value_type(v);
	g_autofree char *text = ib_value_text(v);
	if (!text || (*ret_type != IB_REG_SZ && *ret_type != IB_REG_EXPAND_SZ))
		return ib_throw(err, IB_ERR_INPUT, "the system's variable '" VARIABLE "' is no text");
	*ret = g_strsplit(text, ";", -1);
	return true;
}

bool ib_svc_search_path_add(struct ib_store *s, const char *folder, bool first, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf("ControlSet%03u\\" PATH_ENVIRONMENT, s->control_set);
	g_auto(GStrv) have = NULL;
	struct ib_hive *system;
	struct ib_key *key;
	uint32_t type;

	if (!ib_store_hive(s, IB_HIVE_SYSTEM, &system, err) || !ib_key_make(system, ib_hive_root(system), path, &key, err) ||
	    !folders_of(key, &type, &have, err))
		return false;
	for (char **p = have; p && *p; p++)
		if (same_folder(*p, folder))
			return true;
	g_autofree char *old = have ? g_strjoinv(";", have) : g_strdup("");
	size_t len = strlen(old);
	const char *between = !len || (first ? *old == ';' : old[len - 1] == ';') ? "" : ";";
	g_autofree char *text = g_strconcat(first ? folder : old, between, first ? old : folder, NULL);
	return ib_key_set_text(system, key, VARIABLE, type, text, err);
}

static bool drop_in_set(struct ib_store *s, struct ib_key *set, const char *folder, bool *dropped, struct ib_error **err)
{
	struct ib_key *key = ib_key_find(set, PATH_ENVIRONMENT);
	g_autoptr(GPtrArray) rest = g_ptr_array_new();
	g_auto(GStrv) have = NULL;
	uint32_t type;

	if (!folders_of(key, &type, &have, err))
		return false;
	for (char **p = have; p && *p; p++)
		if (!same_folder(*p, folder))
			g_ptr_array_add(rest, *p);
	if (!have || rest->len == g_strv_length(have))
		return true;
	*dropped = true;
	g_ptr_array_add(rest, NULL);
	g_autofree char *text = g_strjoinv(";", (char **)rest->pdata);
	if (!*text) {
		ib_key_unset(s->hives[IB_HIVE_SYSTEM], key, VARIABLE);
		return true;
	}
	return ib_key_set_text(s->hives[IB_HIVE_SYSTEM], key, VARIABLE, type, text, err);
}

bool ib_svc_search_path_drop(struct ib_store *s, const char *folder, bool *ret_dropped, struct ib_error **err)
{
	g_autoptr(GPtrArray) sets = NULL;

	*ret_dropped = false;
	if (!ib_svc_control_sets(s, &sets, err))
		return false;
	for (guint i = 0; i < sets->len; i++)
		if (!drop_in_set(s, sets->pdata[i], folder, ret_dropped, err))
			return false;
	return true;
}
