/* What an installed component looks like from outside the store. */
#include <string.h>

#include "base/bytes.h"
#include "digest/digest.h"

#include "image.h"

#define SERVICES "ControlSet001\\Services\\"
#define FIREWALL SERVICES "SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"
#define TASKS "Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache"
#define WINEVT "Microsoft\\Windows\\CurrentVersion\\WINEVT"

static const struct {
	const char *macro, *path, *wow;
} macros[] = {
	{ "bootDrive", "", "" },
	{ "windows", "Windows", "Windows" },
	{ "system32", "Windows\\System32", "Windows\\SysWOW64" },
	{ "drivers", "Windows\\System32\\drivers", "Windows\\System32\\drivers" },
	{ "wbem", "Windows\\System32\\wbem", "Windows\\SysWOW64\\wbem" },
	{ "inf", "Windows\\INF", "Windows\\INF" },
	{ "fonts", "Windows\\Fonts", "Windows\\Fonts" },
	{ "help", "Windows\\Help", "Windows\\Help" },
	{ "programFiles", "Program Files", "Program Files (x86)" },
	{ "commonFiles", "Program Files\\Common Files", "Program Files (x86)\\Common Files" },
	{ "programData", "ProgramData", "ProgramData" },
	{ "public", "Users\\Public", "Users\\Public" },
	{ "userProfile", "Users\\Default", "Users\\Default" },
};

/* $(runtime.x) replaced, each by prefix and its path. */
static char *expand(const char *text, const char *prefix, bool wow)
{
	g_autoptr(GString) out = g_string_new(NULL);

	while (*text) {
		const char *end = g_str_has_prefix(text, "$(runtime.") ? strchr(text, ')') : NULL;
		size_t m = 0;

		if (!end) {
			g_string_append_c(out, *text++);
			continue;
		}
		text += strlen("$(runtime.");
		while (m < G_N_ELEMENTS(macros) && (strlen(macros[m].macro) != (size_t)(end - text) ||
						    strncmp(macros[m].macro, text, (size_t)(end - text)) != 0))
			m++;
		g_assert(m < G_N_ELEMENTS(macros)); /* the lab's own table */
		g_string_append_printf(out, "%s%s", prefix, wow ? macros[m].wow : macros[m].path);
		text = end + 1;
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

char *lab_macro_path(const char *text, bool wow)
{
	char *path = expand(text, "", wow);
	size_t len = strlen(path), from = 0;

	while (len && path[len - 1] == '\\')
		path[--len] = 0;
	while (path[from] == '\\')
		from++;
	memmove(path, path + from, len - from + 1);
	return path;
}

static bool is_wow(const struct lab_component *c)
{
	return g_str_equal(c->id.arch, "wow64") || g_str_equal(c->id.arch, "x86");
}

const char *lab_find_sddl(const struct lab_component *c, const char *name)
{
	for (guint i = 0; name && i < c->sddls->len; i++) {
		const struct lab_sddl *s = c->sddls->pdata[i];

		if (g_str_equal(s->name, name))
			return s->text;
	}
	return lab_sddl_wrp_file;
}

static bool link_name(struct lab_os *os, const char *path, struct lab_inode *inode, struct ib_error **err)
{
	if (!lab_tree_link(os->tree, path, inode))
		return ib_throw(err, IB_ERR_INPUT, "two components bring a file named '%s'", path);
	return true;
}

static bool project_file(struct lab_os *os, const struct lab_component *c, const struct lab_file *f,
			 const char *keyform, struct ib_error **err)
{
	g_autofree char *store = g_strdup_printf("Windows\\WinSxS\\%s\\%s", keyform, f->name);
	struct lab_inode *inode = lab_tree_file(os->tree, store, f->bytes);

	if (!inode)
		return ib_throw(err, IB_ERR_INPUT, "a component has two files named '%s'", f->name);
	inode->sddl = lab_find_sddl(c, f->sddl);
	if (f->destination_path) {
		g_autofree char *dir = lab_macro_path(f->destination_path, is_wow(c));
		g_autofree char *path = g_strdup_printf("%s%s%s", dir, *dir ? "\\" : "",
							f->destination_name ? f->destination_name : f->name);

		if (!link_name(os, path, inode, err))
			return false;
	}
	if (f->link) {
		g_autofree char *path = lab_macro_path(f->link, is_wow(c));

		return link_name(os, path, inode, err);
	}
	return true;
}

/* Which hive a manifest's key lies in, and its path there; owned by the caller. */
static char *hive_path(const char *key, bool wow, enum lab_hive_id *ret)
{
	static const struct {
		const char *root;
		enum lab_hive_id hive;
		const char *path, *wow;
	} roots[] = {
		{ "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\", LAB_HIVE_SOFTWARE, "Classes\\", "Classes\\Wow6432Node\\" },
		{ "HKEY_LOCAL_MACHINE\\SOFTWARE\\", LAB_HIVE_SOFTWARE, "", "Wow6432Node\\" },
		{ "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\", LAB_HIVE_SYSTEM, "ControlSet001\\", "ControlSet001\\" },
		{ "HKEY_LOCAL_MACHINE\\SYSTEM\\", LAB_HIVE_SYSTEM, "", "" },
		{ "HKEY_CLASSES_ROOT\\", LAB_HIVE_SOFTWARE, "Classes\\", "Classes\\Wow6432Node\\" },
		{ "HKEY_USERS\\.DEFAULT\\", LAB_HIVE_DEFAULT, "", "" },
		{ "HKEY_CURRENT_USER\\", LAB_HIVE_NTUSER, "", "" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
		if (g_ascii_strncasecmp(key, roots[i].root, strlen(roots[i].root)) == 0) {
			*ret = roots[i].hive;
			return g_strconcat(wow ? roots[i].wow : roots[i].path, key + strlen(roots[i].root), NULL);
		}
	}
	g_assert_not_reached();
}

static void project_key(struct lab_os *os, const struct lab_component *c, const struct lab_regkey *k)
{
	enum lab_hive_id id;
	g_autofree char *path = hive_path(k->path, is_wow(c), &id);

	lab_hive_key(os->hives[id], path);
	for (guint i = 0; i < k->values->len; i++) {
		const struct lab_regvalue *v = k->values->pdata[i];
		g_autofree char *text = expand(v->value, "C:\\", is_wow(c));

		lab_hive_manifest(os->hives[id], path, v->name, v->type, text);
	}
}

/* Number of a word in a list, or other. */
static uint32_t word_number(const char *word, const char *const *words, size_t count, uint32_t other)
{
	for (uint32_t i = 0; word && i < count; i++)
		if (g_str_equal(words[i], word))
			return i;
	return other;
}

static void append_list(struct lab_hive *h, const char *key, const char *name, const char *list)
{
	g_auto(GStrv) items = g_strsplit(list ? list : "", ",", -1);

	for (size_t i = 0; items[i]; i++)
		lab_hive_append(h, key, name, items[i]);
}

static void project_service(struct lab_os *os, const struct lab_service *s)
{
	static const char *const starts[] = { "boot", "system", "auto", "demand", "disabled" };
	static const char *const errors[] = { "ignore", "normal", "severe", "critical" };
	static const char *const sids[] = { "none", "unrestricted", "", "restricted" };
	struct lab_hive *h = os->hives[LAB_HIVE_SYSTEM];
	g_autofree char *key = g_strconcat(SERVICES, s->name, NULL);
	bool delayed = g_str_equal(s->start, "delayedAuto");
	uint32_t type = g_str_equal(s->type, "kernelDriver")	 ? 1 :
			g_str_equal(s->type, "fileSystemDriver") ? 2 :
			g_str_equal(s->type, "win32OwnProcess")	 ? 0x10 :
								   0x20;

	lab_hive_dword(h, key, "Type", type);
	lab_hive_dword(h, key, "Start", delayed ? 2 : word_number(s->start, starts, G_N_ELEMENTS(starts), 3));
	lab_hive_dword(h, key, "ErrorControl", word_number(s->error_control, errors, G_N_ELEMENTS(errors), 1));
	lab_hive_manifest(h, key, "ImagePath", LAB_REG_EXPAND_SZ, s->image_path);
	lab_hive_sz(h, key, "DisplayName", s->display);
	if (delayed)
		lab_hive_dword(h, key, "DelayedAutostart", 1);
	if (s->description)
		lab_hive_sz(h, key, "Description", s->description);
	if (s->object_name)
		lab_hive_sz(h, key, "ObjectName", s->object_name);
	if (s->group)
		lab_hive_sz(h, key, "Group", s->group);
	if (s->sid_type)
		lab_hive_dword(h, key, "ServiceSidType", word_number(s->sid_type, sids, G_N_ELEMENTS(sids), 0));
	append_list(h, key, "DependOnService", s->depend_on);
	append_list(h, key, "RequiredPrivileges", s->privileges);
	if (s->restart_ms) {
		const uint32_t words[] = { 86400, 0, 0, 1, 20, 1, s->restart_ms }; /* reset, -, -, count, offset, restart */
		uint8_t b[sizeof(words)];

		for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
			ib_put_le32(b + 4 * i, words[i]);
		lab_hive_set(h, key, "FailureActions", LAB_REG_BINARY, b, sizeof(b));
	}
}

static void project_firewall(struct lab_os *os, const struct lab_firewall *f)
{
	g_autoptr(GString) s = g_string_new(os->system->rules);

	g_string_append_printf(s, "|Action=Allow|Active=TRUE|Dir=%s|Protocol=%s", f->direction, f->protocol);
	if (f->profile)
		g_string_append_printf(s, "|Profile=%s", f->profile);
	if (f->local_port)
		g_string_append_printf(s, "|LPort=%s", f->local_port);
	g_string_append_printf(s, "|App=%s", f->binary);
	if (f->service)
		g_string_append_printf(s, "|Svc=%s", f->service);
	g_string_append_printf(s, "|Name=%s|Desc=%s|EmbedCtxt=%s|", f->name, f->description, f->group);
	lab_hive_sz(os->hives[LAB_HIVE_SYSTEM], FIREWALL, f->internal_name, s->str);
}

/* A name-based GUID in the registry's spelling; owned by the caller. */
static char *guid_of(const char *name)
{
	static const uint8_t space[16] = "imglab-task-guid";
	uint8_t uuid[16];

	ib_uuid5(space, name, uuid);
	g_autofree char *text = ib_uuid_text(uuid);
	g_autofree char *upper = g_ascii_strup(text, -1);

	return g_strdup_printf("{%s}", upper);
}

static void project_task(struct lab_os *os, const struct lab_task *t)
{
	struct lab_hive *h = os->hives[LAB_HIVE_SOFTWARE];
	g_autofree char *guid = guid_of(t->uri);
	g_autofree char *path = g_strdup_printf("Windows\\System32\\Tasks%s", t->uri);
	g_autofree char *tree = g_strdup_printf(TASKS "\\Tree%s", t->uri);
	g_autofree char *task = g_strdup_printf(TASKS "\\Tasks\\%s", guid);
	g_autofree char *plain = g_strdup_printf(TASKS "\\Plain\\%s", guid);
	g_autoptr(GBytes) xml = lab_task_file(t);
	uint8_t hash[IB_SHA256_SIZE];
	size_t len;
	const void *data = g_bytes_get_data(xml, &len);

	lab_tree_file(os->tree, path, xml);
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	lab_hive_sz(h, tree, "Id", guid);
	lab_hive_dword(h, tree, "Index", 3);
	lab_hive_sz(h, task, "Path", t->uri);
	lab_hive_sz(h, task, "URI", t->uri);
	lab_hive_sz(h, task, "Author", t->author);
	lab_hive_sz(h, task, "Description", t->description);
	lab_hive_dword(h, task, "Schema", 0x00010002);
	lab_hive_set(h, task, "Hash", LAB_REG_BINARY, hash, sizeof(hash));
	lab_hive_key(h, plain);
}

static void project_event(struct lab_os *os, const struct lab_event *e)
{
	struct lab_hive *h = os->hives[LAB_HIVE_SOFTWARE];
	g_autofree char *publisher = g_strdup_printf(WINEVT "\\Publishers\\%s", e->guid);
	g_autofree char *resource = lab_macro_path(e->resource, false);
	g_autofree char *file = g_strdup_printf("%%SystemRoot%%%s", resource + strlen("Windows"));

	lab_hive_sz(h, publisher, "", e->name);
	lab_hive_manifest(h, publisher, "ResourceFileName", LAB_REG_EXPAND_SZ, file);
	lab_hive_manifest(h, publisher, "MessageFileName", LAB_REG_EXPAND_SZ, file);
	if (!e->channel)
		return;
	g_autofree char *references = g_strdup_printf("%s\\ChannelReferences", publisher);
	g_autofree char *first = g_strdup_printf("%s\\0", references);
	g_autofree char *channel = g_strdup_printf(WINEVT "\\Channels\\%s", e->channel);

	lab_hive_dword(h, references, "Count", 1);
	lab_hive_sz(h, first, "", e->channel);
	lab_hive_dword(h, first, "Id", 16);
	lab_hive_dword(h, first, "Flags", 0);
	lab_hive_sz(h, channel, "OwningPublisher", e->guid);
	lab_hive_dword(h, channel, "Enabled", 1);
	lab_hive_dword(h, channel, "Isolation", 0);
	lab_hive_dword(h, channel, "Type", 1);
}

bool lab_project(struct lab_os *os, const struct lab_component *c, const char *keyform, struct ib_error **err)
{
	for (guint i = 0; i < c->files->len; i++)
		if (!project_file(os, c, c->files->pdata[i], keyform, err))
			return false;
	for (guint i = 0; i < c->directories->len; i++) {
		const struct lab_directory *d = c->directories->pdata[i];
		g_autofree char *path = lab_macro_path(d->path, is_wow(c));

		lab_tree_dir(os->tree, path)->sddl = lab_find_sddl(c, d->sddl);
	}
	for (guint i = 0; i < c->keys->len; i++)
		project_key(os, c, c->keys->pdata[i]);
	for (guint i = 0; i < c->services->len; i++)
		project_service(os, c->services->pdata[i]);
	for (guint i = 0; i < c->svchost->len; i++) {
		const struct lab_svchost *s = c->svchost->pdata[i];

		lab_hive_append(os->hives[LAB_HIVE_SOFTWARE], "Microsoft\\Windows NT\\CurrentVersion\\Svchost", s->group,
				s->service);
	}
	for (guint i = 0; i < c->firewall->len; i++)
		project_firewall(os, c->firewall->pdata[i]);
	for (guint i = 0; i < c->tasks->len; i++)
		project_task(os, c->tasks->pdata[i]);
	for (guint i = 0; i < c->events->len; i++)
		project_event(os, c->events->pdata[i]);
	return true;
}
