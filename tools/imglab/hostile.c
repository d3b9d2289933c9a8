/* Packages with one fault each: a good one, changed by a row of a table before or after it is signed. */
#include "hostile.h"

#include <string.h>

#include "base/file.h"
#include "hostile_kit.h"

#define BASE_VERSION "10.0.17763.1"
#define VERSION "10.0.17763.2183"
#define DEEP_LEVELS 100000
#define MANY_UPDATES 100000

struct row {
	const char *file;
	void (*alter)(struct kit *k);
	const char *arg;
	enum flaw flaw;
};

static struct lab_component *new_component(struct kit *k, const char *name, const char *version)
{
	return lab_component_new(k->arena, lab_component_identity(name, version, "amd64", "neutral"));
}

static struct lab_component *new_deployment(struct kit *k, const char *name)
{
	struct lab_component *d = new_component(k, name, VERSION);

	d->deployment = true;
	return d;
}

static struct lab_package *new_package(struct kit *k, const char *name)
{
	struct lab_package *p = lab_package_new(k->arena, lab_package_identity(name, "10.0.1.0", "amd64", "neutral"),
						"KB5005970", "Update");
	struct lab_identity parent = lab_package_identity("Microsoft-Windows-Foundation-Package", BASE_VERSION, "amd64",
							  "neutral");

	lab_add_parent(k->arena, p, parent);
	g_ptr_array_add(k->packages, p);
	return p;
}

/* The good one: a package, its deployment, a component with a file and a value. */
static void begin(struct kit *k)
{
	k->packages = lab_array(k->arena);
	k->members = lab_array(k->arena);
	k->root = new_package(k, "Package_for_KB5005970");
	k->deployment = new_deployment(k, "0123456789abcdef0123456789abcdef");
	k->component = new_component(k, "Lab-Hostile", VERSION);
	k->file = lab_add_file(k->arena, k->component, "labhostile.dll", "$(runtime.system32)\\",
			       g_bytes_new_static("hostile, or not", 15));
	lab_add_value(k->arena, lab_add_key(k->arena, k->component, "HKEY_LOCAL_MACHINE\\SOFTWARE\\Imglab\\Hostile"), "Set", 4,
		      "0x00000001");
	lab_add_dependency(k->arena, k->deployment, &k->component->id);
	lab_add_deployment(k->arena, k->root, "5005970-1_neutral", k->deployment);
	g_ptr_array_add(k->root->components, k->component);
}

/* ---- alterations of the model ---- */

static void set_name(struct kit *k) { k->file->name = k->arg; }
static void set_destination(struct kit *k) { k->file->destination_path = k->arg; }
static void set_destination_name(struct kit *k) { k->file->destination_name = k->arg; }
static void set_link(struct kit *k) { k->file->link = k->arg; }
static void set_sddl(struct kit *k) { ((struct lab_sddl *)k->component->sddls->pdata[0])->text = k->arg; }
static void set_arch(struct kit *k) { k->root->id.arch = k->arg; }
static void set_package_name(struct kit *k) { k->root->id.name = k->arg; }
static void add_extra(struct kit *k) { g_ptr_array_add(k->component->extra, (gpointer)k->arg); }

static void set_parent(struct kit *k)
{
	g_ptr_array_set_size(k->root->parents, 0);
	lab_add_parent(k->arena, k->root, lab_package_identity("Microsoft-Windows-Foundation-Package", k->arg, "amd64",
							       "neutral"));
}

static void set_long_name(struct kit *k)
{
	k->file->name = lab_printf(k->arena, "%0300d.dll", 1);
}

static void set_long_path(struct kit *k)
{
	g_autoptr(GString) path = g_string_new("$(runtime.system32)");

	for (unsigned i = 0; i < 200; i++)
		g_string_append_printf(path, "\\%0200u", i);
	k->file->destination_path = lab_printf(k->arena, "%s", path->str);
}

static void add_directory(struct kit *k)
{
	struct lab_directory *d = lab_alloc(k->arena, sizeof(*d));

	d->path = k->arg;
	g_ptr_array_add(k->component->directories, d);
}

static void add_key(struct kit *k)
{
	lab_add_value(k->arena, lab_add_key(k->arena, k->component, k->arg), "Set", 4, "0x00000001");
}

static void add_long_key(struct kit *k)
{
	const char *path = lab_printf(k->arena, "HKEY_LOCAL_MACHINE\\SOFTWARE\\Imglab\\%0300d", 1);

	lab_add_value(k->arena, lab_add_key(k->arena, k->component, path), "Set", 4, "0x00000001");
}

static void add_deep_key(struct kit *k)
{
	g_autoptr(GString) path = g_string_new("HKEY_LOCAL_MACHINE\\SOFTWARE");

	for (unsigned i = 0; i < 2000; i++)
		g_string_append_printf(path, "\\%u", i);
	k->arg = lab_printf(k->arena, "%s", path->str);
	add_key(k);
}

/* "<type number>=<value>" */
static void add_value(struct kit *k)
{
	char *value;
	uint32_t type = (uint32_t)g_ascii_strtoull(k->arg, &value, 16);

	lab_add_value(k->arena, k->component->keys->pdata[0], "Bad", type, value + 1);
}

/* As long as a manifest may be, and longer than any value of a hive. */
static void add_long_value(struct kit *k)
{
	g_autofree char *hex = g_strnfill(40u << 20, '0');

	k->arg = lab_printf(k->arena, "3=%s", hex);
	add_value(k);
}

static void add_odd_value(struct kit *k)
{
	g_autofree char *hex = g_strnfill(100001, 'A');

	k->arg = lab_printf(k->arena, "3=%s", hex);
	add_value(k);
}

static void add_long_value_name(struct kit *k)
{
	g_autofree char *name = g_strnfill(20000, 'n');

	lab_add_value(k->arena, k->component->keys->pdata[0], lab_printf(k->arena, "%s", name), 4, "0x00000001");
}

static void add_service(struct kit *k)
{
	struct lab_service *s = lab_alloc(k->arena, sizeof(*s));

	*s = (struct lab_service){ .name = "LabHostile", .display = "x", .image_path = "$(runtime.system32)\\x.exe",
				   .object_name = "LocalSystem", .start = "auto", .type = "win32OwnProcess",
				   .error_control = "normal" };
	if (g_str_has_prefix(k->arg, "start="))
		s->start = k->arg + strlen("start=");
	else if (g_str_has_prefix(k->arg, "image="))
		s->image_path = k->arg + strlen("image=");
	else
		s->name = k->arg;
	g_ptr_array_add(k->component->services, s);
}

static void add_task(struct kit *k)
{
	struct lab_task *t = lab_alloc(k->arena, sizeof(*t));

	*t = (struct lab_task){ .uri = k->arg, .author = "x", .description = "x", .command = "x.exe", .arguments = "",
				.start = "2018-09-15T03:00:00" };
	g_ptr_array_add(k->component->tasks, t);
}

static void add_event(struct kit *k)
{
	struct lab_event *e = lab_alloc(k->arena, sizeof(*e));

	*e = (struct lab_event){ .name = "Lab-Hostile", .guid = k->arg, .resource = "$(runtime.system32)\\x.dll" };
	g_ptr_array_add(k->component->events, e);
}

/* ---- trees ---- */

static void be_cycle(struct kit *k)
{
	struct lab_package *child = new_package(k, "Package_1_for_KB5005970");

	lab_add_child(k->arena, k->root, child);
	lab_add_child(k->arena, child, k->root);
}

static void be_own_child(struct kit *k)
{
	lab_add_child(k->arena, k->root, k->root);
}

/* Each is in the one before. */
static void be_deep(struct kit *k)
{
	struct lab_package *above = k->root;

	for (unsigned i = 0; i < 40; i++) {
		struct lab_package *child = new_package(k, lab_printf(k->arena, "Package_%u_for_KB5005970", i + 1));
		lab_add_child(k->arena, above, child);
		above = child;
	}
}

/* Parents that are each other's condition: neither can be first. */
static void be_own_parent(struct kit *k)
{
	g_ptr_array_set_size(k->root->parents, 0);
	lab_add_parent(k->arena, k->root, k->root->id);
}

static struct lab_component *another_deployment(struct kit *k, const char *name)
{
	struct lab_component *d = new_deployment(k, name);

	g_ptr_array_add(k->root->components, d);
	return d;
}

static void be_deployment_cycle(struct kit *k)
{
	struct lab_component *second = another_deployment(k, "fedcba9876543210fedcba9876543210");

	lab_add_dependency(k->arena, k->deployment, &second->id);
	lab_add_dependency(k->arena, second, &k->deployment->id);
}

/* No cycle, but 8^12 ways through it. */
static void be_deployment_maze(struct kit *k)
{
	enum { LAYERS = 12, WIDTH = 8 };
	struct lab_component *layer[LAYERS][WIDTH];

	for (unsigned i = 0; i < LAYERS; i++)
		for (unsigned j = 0; j < WIDTH; j++)
			layer[i][j] = another_deployment(k, lab_printf(k->arena, "%016x%016x", i, j));
	for (unsigned j = 0; j < WIDTH; j++)
		lab_add_dependency(k->arena, k->deployment, &layer[0][j]->id);
	for (unsigned i = 0; i + 1 < LAYERS; i++)
		for (unsigned j = 0; j < WIDTH * WIDTH; j++)
			lab_add_dependency(k->arena, layer[i][j / WIDTH], &layer[i + 1][j % WIDTH]->id);
	for (unsigned j = 0; j < WIDTH; j++)
		lab_add_dependency(k->arena, layer[LAYERS - 1][j], &k->component->id);
}

/* A component that the image has already, under the same identity, with another manifest. */
static void be_other_notepad(struct kit *k)
{
	k->component->id.name = "Microsoft-Windows-Notepad";
	k->component->id.version = BASE_VERSION;
	((struct lab_dependency *)k->deployment->dependencies->pdata[0])->identity = k->component->id;
}

/* ---- alterations of texts ---- */

static void edit(struct kit *k, const char *of, const char *find, char *put)
{
	k->edit_of = of;
	k->edit_find = find;
	k->edit_put = put;
}

static char *repeat(const char *text, unsigned n)
{
	GString *s = g_string_sized_new(strlen(text) * n);

	while (n--)
		g_string_append(s, text);
	return g_string_free(s, FALSE);
}

static void be_nested(struct kit *k)
{
	g_autofree char *open = repeat("<a>", DEEP_LEVELS), *close = repeat("</a>", DEEP_LEVELS);

	edit(k, ".manifest", "</assembly>", g_strconcat(open, close, NULL));
}

static void be_nested_mum(struct kit *k)
{
	g_autofree char *open = repeat("<a>", DEEP_LEVELS), *close = repeat("</a>", DEEP_LEVELS);

	edit(k, ".mum", "</package>", g_strconcat(open, close, NULL));
}

static void be_crowded_mum(struct kit *k)
{
	GString *s = g_string_new(NULL);

	for (unsigned i = 0; i < MANY_UPDATES; i++)
		g_string_append_printf(s, "<update name=\"%u\"/>", i);
	edit(k, ".mum", "</package>", g_string_free(s, FALSE));
}

static const char laughs[] =
	"<!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
	"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">"
	"<!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">]>";

static void be_laughing(struct kit *k)
{
	edit(k, k->arg, "<assembly", g_strdup(laughs));
}

static void be_foreign(struct kit *k)
{
	edit(k, ".manifest", "<assembly", g_strdup("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"));
}

static void be_undeclared(struct kit *k)
{
	edit(k, ".manifest", "</assembly>", g_strdup("<a>&nothing;</a>"));
}

static void be_not_xml(struct kit *k)
{
	edit(k, ".manifest", "</assembly>", g_strdup("</assembly><assembly>"));
}

/* ---- the table ---- */

#define SYSTEM32 "$(runtime.system32)"
#define SERVICE_GROUP(group, service)                                                                                         \
	"<memberships><categoryMembership><id name=\"Microsoft.Windows.Categories\" version=\"1.0.0.0\" typeName=\"SvcHost\"/>"   \
	"<categoryInstance subcategory=\"" group "\"><serviceGroup position=\"0\" serviceName=\"" service "\"/>"                  \
	"</categoryInstance></categoryMembership></memberships>"
#define RAW_VALUE(type)                                                                                                       \
	"<registryKeys><registryKey keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\Imglab\\Hostile\"><registryValue name=\"Bad\" "        \
	"valueType=\"" type "\" value=\"00\"/></registryKey></registryKeys>"

static const struct row rows[] = {
	{ .file = "good.cab" },
	/* trees */
	{ "tree-cycle.cab", be_cycle, NULL, 0 },
	{ "tree-self.cab", be_own_child, NULL, 0 },
	{ "tree-deep.cab", be_deep, NULL, 0 },
	{ "tree-parent.cab", be_own_parent, NULL, 0 },
	{ "deployment-cycle.cab", be_deployment_cycle, NULL, 0 },
	{ "deployment-maze.cab", be_deployment_maze, NULL, 0 },
	/* one identity, two contents */
	{ "twice.cab", NULL, NULL, FLAW_MANIFEST_TWICE },
	{ "twice-stored.cab", be_other_notepad, NULL, 0 },
	/* names of files */
	{ "name-up.cab", set_name, "..\\..\\up.dll", 0 },
	{ "name-drive.cab", set_name, "C:\\up.dll", 0 },
	{ "name-root.cab", set_name, "\\up.dll", 0 },
	{ "name-slash.cab", set_name, "/etc/passwd", 0 },
	{ "name-stream.cab", set_name, "up.dll:stream", 0 },
	{ "name-con.cab", set_name, "CON", 0 },
	{ "name-nul.cab", set_name, "sub\\nul.dll", 0 },
	{ "name-com1.cab", set_name, "com\xc2\xb9.dll", 0 },
	{ "name-dot.cab", set_name, "up.dll.", 0 },
	{ "name-space.cab", set_name, "up.dll ", 0 },
	{ "name-star.cab", set_name, "up*.dll", 0 },
	{ "name-less.cab", set_name, "up<1>.dll", 0 },
	{ "name-tab.cab", add_extra, "<file name=\"up&#9;.dll\"/>", 0 },
	{ "name-terminal.cab", add_extra, "<file name=\"..\\&#x9b;2J&#x202e;\"/>", 0 },
	{ "name-empty.cab", set_name, "", 0 },
	{ "name-long.cab", set_long_name, NULL, 0 },
	/* destinations */
	{ "destination-up.cab", set_destination, SYSTEM32 "\\..\\..\\..\\", 0 },
	{ "destination-here.cab", set_destination, SYSTEM32 "\\.\\", 0 },
	{ "destination-drive.cab", set_destination, "D:\\Windows\\", 0 },
	{ "destination-stream.cab", set_destination, SYSTEM32 "\\a:b\\", 0 },
	{ "destination-nul.cab", set_destination, SYSTEM32 "\\NUL\\", 0 },
	{ "destination-dot.cab", set_destination, SYSTEM32 "\\drivers.\\", 0 },
	{ "destination-space.cab", set_destination, SYSTEM32 "\\drivers \\", 0 },
	{ "destination-long.cab", set_long_path, NULL, 0 },
	{ "destination-file.cab", set_destination, SYSTEM32 "\\ntdll.dll\\", 0 },
	{ "destination-macro.cab", set_destination, "$(runtime.nosuch)\\", 0 },
	{ "destination-open.cab", set_destination, "$(runtime.system32\\", 0 },
	{ "destination-build.cab", set_destination, "$(build.nosuch)\\", 0 },
	{ "destination-name.cab", set_destination_name, "..\\up.dll", 0 },
	{ "link-up.cab", set_link, SYSTEM32 "\\..\\up.dll", 0 },
	{ "link-macro.cab", set_link, "$(runtime.nosuch)\\up.dll", 0 },
	{ "directory-up.cab", add_directory, SYSTEM32 "\\..\\..\\up", 0 },
	{ "directory-con.cab", add_directory, SYSTEM32 "\\con", 0 },
	/* the registry */
	{ "key-root.cab", add_key, "HKEY_NOWHERE\\SOFTWARE\\Imglab", 0 },
	{ "key-macro.cab", add_key, "HKEY_LOCAL_MACHINE\\SOFTWARE\\$(runtime.nosuch)", 0 },
	{ "key-long.cab", add_long_key, NULL, 0 },
	{ "key-deep.cab", add_deep_key, NULL, 0 },
	{ "value-dword.cab", add_value, "4=0x123456789", 0 },
	{ "value-qword.cab", add_value, "b=0x12345678901234567", 0 },
	{ "value-macro.cab", add_value, "2=$(runtime.nosuch)\\x.dll", 0 },
	{ "value-multi.cab", add_value, "7=\"open,\"x\"", 0 },
	{ "value-odd.cab", add_odd_value, NULL, 0 },
	{ "value-long.cab", add_long_value, NULL, 0 },
	{ "value-name.cab", add_long_value_name, NULL, 0 },
	{ "value-type.cab", add_extra, RAW_VALUE("REG_LAUGH"), 0 },
	/* what else a component brings */
	{ "service-name.cab", add_service, "..\\Lab", 0 },
	{ "service-start.cab", add_service, "start=whenever", 0 },
	{ "service-image.cab", add_service, "image=$(runtime.nosuch)\\x.exe", 0 },
	{ "svchost-name.cab", add_extra, SERVICE_GROUP("a\\b", "x"), 0 },
	{ "task-up.cab", add_task, "\\..\\..\\..\\up", 0 },
	{ "task-con.cab", add_task, "\\CON", 0 },
	{ "task-stream.cab", add_task, "\\a:b", 0 },
	{ "event-guid.cab", add_event, "..\\..\\Run", 0 },
	{ "sddl.cab", set_sddl, "O:BAG:SYD:(A;;FA;;;", 0 },
	/* what it is for */
	{ "arch.cab", set_arch, "arm64", 0 },
	{ "build.cab", set_parent, "10.0.19041.1", 0 },
	{ "package-name.cab", set_package_name, "..\\Package", 0 },
	{ "package-star.cab", set_package_name, "*", 0 },
	/* sizes and XML */
	{ "huge-manifest.cab", NULL, NULL, FLAW_MANIFEST_HUGE },
	{ "huge-manifest-claim.cab", NULL, NULL, FLAW_MANIFEST_CLAIM },
	{ "huge-mum.cab", NULL, NULL, FLAW_MUM_HUGE },
	{ "huge-index.cab", NULL, "(manifest\" length=\")[0-9]+\"", FLAW_INDEX_CLAIM },
	{ "huge-payload.cab", NULL, "(hostile.dll\" length=\")[0-9]+\"", FLAW_INDEX_CLAIM },
	{ "xml-deep.cab", be_nested, NULL, 0 },
	{ "xml-deep-mum.cab", be_nested_mum, NULL, 0 },
	{ "xml-laughs.cab", be_laughing, ".manifest", 0 },
	{ "xml-laughs-mum.cab", be_laughing, ".mum", 0 },
	{ "xml-foreign.cab", be_foreign, NULL, 0 },
	{ "xml-entity.cab", be_undeclared, NULL, 0 },
	{ "xml-none.cab", be_not_xml, NULL, 0 },
	{ "updates-many.cab", be_crowded_mum, NULL, 0 },
	/* hashes, from the catalog down */
	{ "catalog-missing.cab", NULL, NULL, FLAW_CATALOG_MISSING },
	{ "catalog-changed.cab", NULL, NULL, FLAW_CATALOG_CHANGED },
	{ "catalog-cut.cab", NULL, NULL, FLAW_CATALOG_CUT },
	{ "catalog-empty.cab", NULL, NULL, FLAW_CATALOG_EMPTY },
	{ "catalog-stranger.cab", NULL, NULL, FLAW_STRANGER },
	{ "catalog-unstamped.cab", NULL, NULL, FLAW_UNSTAMPED },
	{ "mum-unlisted.cab", NULL, NULL, FLAW_MUM_UNLISTED },
	{ "mum-changed.cab", NULL, NULL, FLAW_MUM_CHANGED },
	{ "mum-renamed.cab", NULL, NULL, FLAW_MUM_RENAMED },
	{ "deployment-unlisted.cab", NULL, NULL, FLAW_DEPLOYMENT_UNLISTED },
	{ "deployment-changed.cab", NULL, NULL, FLAW_DEPLOYMENT_CHANGED },
	{ "deployment-missing.cab", NULL, NULL, FLAW_DEPLOYMENT_MISSING },
	{ "manifest-unlisted.cab", NULL, NULL, FLAW_MANIFEST_UNLISTED },
	{ "manifest-changed.cab", NULL, NULL, FLAW_MANIFEST_CHANGED },
	{ "manifest-missing.cab", NULL, NULL, FLAW_MANIFEST_MISSING },
	{ "manifest-renamed.cab", NULL, NULL, FLAW_MANIFEST_RENAMED },
	{ "payload-changed.cab", NULL, NULL, FLAW_PAYLOAD_CHANGED },
	{ "payload-missing.cab", NULL, NULL, FLAW_PAYLOAD_MISSING },
	/* names in containers */
	{ "member-up.cab", NULL, "..\\..\\up.dll", FLAW_MEMBER },
	{ "member-drive.cab", NULL, "C:\\up.dll", FLAW_MEMBER },
	{ "member-root.cab", NULL, "/etc/up", FLAW_MEMBER },
	{ "index-up.cab", NULL, "..\\..\\up.dll", FLAW_INDEX },
	{ "index-drive.cab", NULL, "C:\\up.dll", FLAW_INDEX },
	{ "index-root.cab", NULL, "\\up.dll", FLAW_INDEX },
	{ "index-stream.cab", NULL, "a\\up.dll:b", FLAW_INDEX },
};

static bool write_row(const struct row *row, const struct lab_pki *pki, const char *dir, struct ib_error **err)
{
	struct kit k = { .arena = lab_arena_new(), .pki = pki, .arg = row->arg, .flaw = row->flaw };

	begin(&k);
	if (row->alter)
		row->alter(&k);
	bool ok = lab_hostile_pack(&k, dir, row->file, err);
	g_free(k.edit_put);
	lab_arena_free(k.arena);
	return ok || ib_while(err, "writing '%s'", row->file);
}

bool lab_hostile_write(uint64_t seed, const char *dir, struct ib_error **err)
{
	lab_auto_pki pki = NULL;

	if (!ib_dir_make(dir, err) || !lab_pki_new(seed, &pki, err))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (!write_row(&rows[i], pki, dir, err))
			return false;
	return true;
}
