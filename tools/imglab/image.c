/* An image: fixed folders and keys, packages installed, furniture, hives put in place. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#include "image.h"
#include "keyform.h"

#define CATROOT "Windows\\System32\\CatRoot\\{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
#define SDDL_USERS "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;OICI;0x1200a9;;;WD)"
#define SDDL_CONFIG "O:BAG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)"
/* Windows attributes. */
#define HIDDEN 0x2u
#define SYSTEM 0x4u
#define NOT_INDEXED 0x2000u
/* Reparse tags and the size of their headers. */
#define TAG_MOUNT_POINT 0xA0000003u
#define TAG_SYMLINK 0xA000000Cu

struct lab_os *lab_os_new(enum lab_image image, const struct lab_system *system, int64_t epoch)
{
	static const char *const folders[] = {
		"Windows\\System32\\config\\RegBack", "Windows\\WinSxS\\Backup", "Windows\\WinSxS\\Catalogs",
		"Windows\\WinSxS\\FileMaps", "Windows\\WinSxS\\InstallTemp", "Windows\\WinSxS\\Manifests",
		"Windows\\WinSxS\\Temp\\PendingDeletes", "Windows\\servicing\\Packages", "Windows\\servicing\\Sessions",
		"Windows\\Logs\\CBS", "Windows\\System32\\drivers", "Windows\\System32\\Tasks", "Windows\\INF", "Users\\Public",
		"Users\\Default\\AppData\\Local", CATROOT,
	};
	struct lab_os *os = g_new0(struct lab_os, 1);

	os->image = image;
	os->system = system;
	os->epoch = epoch;
	os->tree = lab_tree_new();
	os->migrations = g_string_new(NULL);
	for (size_t i = 0; i < LAB_HIVES; i++)
		os->hives[i] = lab_hive_new();
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
		lab_tree_dir(os->tree, folders[i]);
	lab_tree_dir(os->tree, "Windows\\WinSxS")->sddl = lab_sddl_wrp_file;
	return os;
}

void lab_os_free(struct lab_os *os)
{
	if (!os)
		return;
	lab_tree_free(os->tree);
	for (size_t i = 0; i < LAB_HIVES; i++)
		lab_hive_free(os->hives[i]);
	g_string_free(os->migrations, TRUE);
	g_free(os);
}

void lab_os_clear(struct lab_os **os)
{
	lab_os_free(*os);
	*os = NULL;
}

static bool add_file(struct lab_os *os, const char *path, GBytes *bytes, const char *sddl, struct ib_error **err)
{
	struct lab_inode *inode = lab_tree_file(os->tree, path, bytes);

	if (!inode)
		return ib_throw(err, IB_ERR_INPUT, "two files are named '%s'", path);
	inode->sddl = sddl;
	return true;
}

/* Catalog and mum, where servicing and signature checks look for them. */
static bool store_package(struct lab_os *os, const struct lab_signed *s, struct ib_error **err)
{
	const struct lab_member *mum = s->members->pdata[0];
	g_autofree char *packages = g_strdup_printf("Windows\\servicing\\Packages\\%s", s->id);
	g_autofree char *mum_path = g_strconcat(packages, ".mum", NULL);
	g_autofree char *cat_path = g_strconcat(packages, ".cat", NULL);
	g_autofree char *catroot = g_strdup_printf(CATROOT "\\%s.cat", s->id);
	g_autofree char *store = g_strdup_printf("Windows\\WinSxS\\Catalogs\\%s.cat", s->thumbprint);

	return add_file(os, mum_path, mum->bytes, lab_sddl_wrp_file, err) &&
	       add_file(os, cat_path, s->catalog, lab_sddl_wrp_file, err) &&
	       add_file(os, catroot, s->catalog, lab_sddl_wrp_file, err) &&
	       add_file(os, store, s->catalog, lab_sddl_wrp_file, err);
}

bool lab_os_install(struct lab_os *os, const struct lab_signed *s, struct ib_error **err)
{
	const struct lab_package *p = s->package;

	if (!store_package(os, s, err))
		return false;
	for (guint i = 1; i < s->members->len; i++) {
		const struct lab_member *m = s->members->pdata[i];
		g_autofree char *path = g_strconcat("Windows\\WinSxS\\Manifests\\", m->name, NULL);

		if (!add_file(os, path, s->stored->pdata[i], lab_sddl_wrp_file, err))
			return false;
	}
	for (guint i = 0; i < p->components->len; i++) {
		const struct lab_component *c = p->components->pdata[i];
		g_autofree char *keyform = lab_key_long(&c->id);

		if (c->files->len) {
			g_autofree char *dir = g_strconcat("Windows\\WinSxS\\", keyform, NULL);

			lab_tree_dir(os->tree, dir)->sddl = lab_sddl_wrp_file;
		}
		for (guint k = 0; k < c->extra->len; k++)
			if (g_str_has_prefix(c->extra->pdata[k], "<migration"))
				g_string_append_printf(os->migrations, "  <file>%s.manifest</file>\r\n", keyform);
		if (!lab_project(os, c, keyform, err))
			return ib_while(err, "projecting component '%s'", keyform);
	}
	lab_cbs_record(os, s);
	return true;
}

/* ---- furniture ---- */

/* A junction or a symbolic link: substitute name \??\C:\..., print name C:\... */
static void add_reparse(struct lab_os *os, const char *path, const char *target, bool junction)
{
	g_autofree char *substitute = g_strdup_printf("\\??\\%s", target);
	glong sub_units, print_units;
	g_autofree gunichar2 *sub = g_utf8_to_utf16(substitute, -1, NULL, &sub_units, NULL);
	g_autofree gunichar2 *print = g_utf8_to_utf16(target, -1, NULL, &print_units, NULL);
	size_t names = (size_t)(sub_units + 1 + print_units + 1) * 2, fixed = junction ? 8 : 12;
	g_autofree uint8_t *b = g_malloc0(8 + fixed + names);
	struct lab_inode *inode = lab_tree_dir(os->tree, path);

	ib_put_le32(b, junction ? TAG_MOUNT_POINT : TAG_SYMLINK);
	ib_put_le16(b + 4, (uint16_t)(fixed + names));
	ib_put_le16(b + 10, (uint16_t)(sub_units * 2));
	ib_put_le16(b + 12, (uint16_t)((sub_units + 1) * 2));
	ib_put_le16(b + 14, (uint16_t)(print_units * 2));
	memcpy(b + 8 + fixed, sub, (size_t)sub_units * 2);
	memcpy(b + 8 + fixed + (size_t)(sub_units + 1) * 2, print, (size_t)print_units * 2);
	inode->reparse = g_bytes_new(b, 8 + fixed + names);
	inode->attributes = HIDDEN | SYSTEM;
	lab_tree_keep(os->tree, inode->reparse);
}

static struct lab_inode *add_text(struct lab_os *os, const char *path, const char *text)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	return lab_tree_file(os->tree, path, bytes);
}

/* ---- provisioned apps ---- */

#define PUBLISHER "CN=Imglab, O=Imglab Laboratory, C=ZZ"

struct app {
	const char *name, *version;
	const char *needs[3]; /* frameworks */
	bool framework;
};

/* Two apps that are provisioned, one of which customers want removed; a framework both need, and one for that one. */
static const struct app apps[] = {
	{ "Imglab.Music", "10.18081.0.0", { "Imglab.Runtime.1.0", "Imglab.Codecs" } },
	{ "Imglab.Store", "11810.1001.0.0", { "Imglab.Runtime.1.0" } },
	{ "Imglab.Runtime.1.0", "1.0.2.0", .framework = true },
	{ "Imglab.Codecs", "2.1.0.0", .framework = true },
};

/* The first 64 bits of SHA-256 over the publisher in UTF-16, as text of 13 digits to the base of 32. */
static char *publisher_id(void)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	glong units;
	g_autofree gunichar2 *wide = g_utf8_to_utf16(PUBLISHER, -1, NULL, &units, NULL);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	GString *bits = g_string_new(NULL), *id = g_string_new(NULL);
	guint8 hash[32];
	gsize len = sizeof(hash);

	g_checksum_update(sum, (const guchar *)wide, units * 2);
	g_checksum_get_digest(sum, hash, &len);
	for (int i = 0; i < 64; i++)
		g_string_append_c(bits, hash[i / 8] & 0x80 >> i % 8 ? '1' : '0');
	g_string_append_c(bits, '0');
	for (gsize i = 0; i < bits->len; i += 5) {
		g_autofree char *five = g_strndup(bits->str + i, 5);

		g_string_append_c(id, digits[strtol(five, NULL, 2)]);
	}
	g_string_free(bits, TRUE);
	return g_string_free(id, FALSE);
}

static char *app_manifest(const struct app *app)
{
	GString *s = g_string_new("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n"
				  "<Package xmlns=\"http://schemas.microsoft.com/appx/manifest/foundation/windows10\">\r\n");

	g_string_append_printf(s, "  <Identity Name=\"%s\" Publisher=\"" PUBLISHER "\" Version=\"%s\" ProcessorArchitecture=\"x64\"/>\r\n",
			       app->name, app->version);
	g_string_append_printf(s, "  <Properties>\r\n    <Framework>%s</Framework>\r\n    <DisplayName>%s</DisplayName>\r\n"
				  "  </Properties>\r\n  <Dependencies>\r\n", app->framework ? "true" : "false", app->name);
	for (size_t i = 0; app->needs[i]; i++)
		g_string_append_printf(s, "    <PackageDependency Name=\"%s\" Publisher=\"" PUBLISHER "\" MinVersion=\"1.0.0.0\"/>\r\n",
				       app->needs[i]);
	g_string_append(s, "  </Dependencies>\r\n</Package>\r\n");
	return g_string_free(s, FALSE);
}

/* A package in its folder, and the key by which Windows knows it. */
static void add_package(struct lab_os *os, const char *full_name, const char *manifest, const char *text)
{
	static const char all_users[] = "Microsoft\\Windows\\CurrentVersion\\Appx\\AppxAllUserStore\\Applications\\";
	g_autofree char *path = g_strdup_printf("Program Files\\WindowsApps\\%s\\%s", full_name, manifest);
	g_autofree char *key = g_strconcat(all_users, full_name, NULL), *value = g_strconcat("C:\\", path, NULL);

	add_text(os, path, text);
	lab_hive_sz(os->hives[LAB_HIVE_SOFTWARE], key, "Path", value);
}

/* What a bundle brings beside its program: words of a language, pictures of a size. */
static void add_resources(struct lab_os *os, const struct app *app, const char *publisher)
{
	static const char *const resources[] = { "split.language-de", "split.scale-150" };

	for (size_t i = 0; i < G_N_ELEMENTS(resources); i++) {
		g_autofree char *full = g_strdup_printf("%s_%s_neutral_%s_%s", app->name, app->version, resources[i], publisher);
		g_autofree char *manifest = g_strdup_printf(
			"<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n"
			"<Package xmlns=\"http://schemas.microsoft.com/appx/manifest/foundation/windows10\">\r\n"
			"  <Identity Name=\"%s\" Publisher=\"" PUBLISHER "\" Version=\"%s\" ResourceId=\"%s\"/>\r\n"
			"  <Properties>\r\n    <ResourcePackage>true</ResourcePackage>\r\n  </Properties>\r\n</Package>\r\n",
			app->name, app->version, resources[i]);

		add_package(os, full, "AppxManifest.xml", manifest);
	}
}

static void add_apps(struct lab_os *os)
{
	g_autoptr(GString) list = g_string_new("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<AppxProvisionList>\r\n"
					       "  <Provisioned>\r\n");
	g_autofree char *id = publisher_id();

	for (size_t i = 0; i < G_N_ELEMENTS(apps); i++) {
		g_autofree char *full = g_strdup_printf("%s_%s_x64__%s", apps[i].name, apps[i].version, id);
		g_autofree char *bundle = g_strdup_printf("%s_%s_neutral_~_%s", apps[i].name, apps[i].version, id);
		g_autofree char *manifest = app_manifest(&apps[i]);
		g_autofree char *text = g_strdup_printf(
			"<Bundle xmlns=\"http://schemas.microsoft.com/appx/2013/bundle\">\r\n  <Identity Name=\"%s\" Publisher=\"" PUBLISHER
			"\" Version=\"%s\"/>\r\n</Bundle>\r\n", apps[i].name, apps[i].version);

		add_package(os, full, "AppxManifest.xml", manifest);
		if (apps[i].framework)
			continue;
		add_package(os, bundle, "AppxMetadata\\AppxBundleManifest.xml", text);
		if (i == 0)
			add_resources(os, &apps[i], id);
		g_string_append_printf(list, "    <Package FullName=\"%s\" />\r\n", bundle);
	}
	g_string_append(list, "  </Provisioned>\r\n  <EndOfLife />\r\n</AppxProvisionList>\r\n");
	add_text(os, "ProgramData\\Microsoft\\Windows\\AppxProvisioning.xml", list->str);
}

static void add_users(struct lab_os *os)
{
	struct lab_inode *inode;

	lab_tree_dir(os->tree, "Users")->sddl = SDDL_USERS;
	lab_tree_dir(os->tree, "Users\\Default")->attributes = HIDDEN;
	lab_tree_dir(os->tree, "ProgramData")->attributes = HIDDEN | NOT_INDEXED;
	inode = add_text(os, "Users\\desktop.ini", "[.ShellClassInfo]\r\nLocalizedResourceName=@shell32.dll,-21813\r\n");
	inode->attributes = 0x20 | HIDDEN | SYSTEM;
	add_reparse(os, "Documents and Settings", "C:\\Users", true);
	add_reparse(os, "Users\\All Users", "C:\\ProgramData", false);
	inode = add_text(os, "Users\\Public\\Documents\\\xe8\xaf\xb4\xe6\x98\x8e.txt", "lab\r\n");
	inode->stream_name = "Zone.Identifier";
	inode->stream = g_bytes_new_static("[ZoneTransfer]\r\nZoneId=3\r\n", 26);
	lab_tree_keep(os->tree, inode->stream);
}

void lab_os_furnish(struct lab_os *os)
{
	static const struct {
		const char *path, *name;
	} short_names[] = {
		{ "Program Files", "PROGRA~1" },
		{ "Program Files (x86)", "PROGRA~2" },
		{ "ProgramData", "PROGRA~3" },
		{ "Program Files\\CMIT\\UpdateAgent", "UPDATE~1" },
	};

	lab_tree_dir(os->tree, "Program Files")->sddl = lab_sddl_wrp_file;
	lab_tree_dir(os->tree, "Program Files (x86)")->sddl = lab_sddl_wrp_file;
	lab_tree_dir(os->tree, "PerfLogs");
	add_users(os);
	add_apps(os);
	for (size_t i = 0; i < G_N_ELEMENTS(short_names); i++) {
		struct lab_node *node = lab_tree_find(os->tree, short_names[i].path);

		if (node)
			node->short_name = short_names[i].name;
	}
}

/* ---- hives ---- */

static void set_system_keys(struct lab_os *os)
{
	struct lab_hive *h = os->hives[LAB_HIVE_SYSTEM];
	bool pe = os->image & (LAB_IMAGE_PE | LAB_IMAGE_SETUP | LAB_IMAGE_RE);

	lab_hive_dword(h, "Select", "Current", 1);
	lab_hive_dword(h, "Select", "Default", 1);
	lab_hive_dword(h, "Select", "Failed", 0);
	lab_hive_dword(h, "Select", "LastKnownGood", 1);
	lab_hive_sz(h, "Setup", "CmdLine", pe ? "winpeshl.exe" : "oobe\\windeploy.exe");
	lab_hive_dword(h, "Setup", "SystemSetupInProgress", pe ? 0 : 1);
	lab_hive_dword(h, "Setup", "SetupType", pe ? 0 : 2);
	lab_hive_key(h, "ControlSet001\\Control\\Session Manager");
	lab_hive_manifest(h, "ControlSet001\\Control\\Session Manager\\Environment", "Path", LAB_REG_EXPAND_SZ,
			  "%SystemRoot%\\system32;%SystemRoot%;%SystemRoot%\\System32\\Wbem");
	lab_hive_key(h, "ControlSet001\\Hardware Profiles\\0001");
	if (pe)
		lab_hive_dword(h, "ControlSet001\\Control\\MiniNT", "AllowRefsFormatOverNonmirrorVolume", 1);
}

static void set_other_keys(struct lab_os *os)
{
	static const char *const top[] = { "Drivers\\amd64", "Drivers\\x86", "Installers", "NonCanonicalData",
					   "CCPInterface" };
	struct lab_hive *software = os->hives[LAB_HIVE_SOFTWARE], *components = os->hives[LAB_HIVE_COMPONENTS];

	lab_hive_sz(software, "Microsoft\\Windows\\CurrentVersion\\Setup\\State", "ImageState",
		    "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE");
	lab_hive_key(software, "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\PackagesPending");
	lab_hive_key(software, "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\PackageDetect");
	lab_hive_key(software, "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\SessionsPending");
	lab_hive_dword(software, "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\SessionsPending", "Exclusive",
		       0);
	lab_hive_manifest(software, "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Configuration", "DisableResetbase",
			  LAB_REG_DWORD, "0x00000000");
	for (size_t i = 0; i < G_N_ELEMENTS(top); i++)
		lab_hive_key(components, top[i]);
	g_autofree char *stack = g_strdup_printf("10.0.%u.1 (WinBuild.160101.0800)", os->system->build);
	lab_hive_sz(components, "ServicingStackVersions", stack, "2018/9/15:0:0:0.0");
	lab_hive_sz(os->hives[LAB_HIVE_DRIVERS], "DriverDatabase", "SystemRoot", "C:\\Windows");
	lab_hive_dword(os->hives[LAB_HIVE_DRIVERS], "DriverDatabase", "Version", 0x00010000);
	lab_hive_sz(os->hives[LAB_HIVE_DEFAULT], "Environment", "TEMP", "%USERPROFILE%\\AppData\\Local\\Temp");
	lab_hive_sz(os->hives[LAB_HIVE_NTUSER], "Environment", "TEMP", "%USERPROFILE%\\AppData\\Local\\Temp");
}

/* Manifests with rules for an in-place upgrade. Only the entries are as in Windows, what is around them is not known. */
static bool list_migrations(struct lab_os *os, struct ib_error **err)
{
	g_autofree char *text = g_strdup_printf("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<migrationManifests>\r\n%s"
						"</migrationManifests>\r\n", os->migrations->str);
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	return !os->migrations->len || add_file(os, "Windows\\WinSxS\\migration.xml", bytes, lab_sddl_wrp_file, err);
}

bool lab_os_finish(struct lab_os *os, const char *work, struct ib_error **err)
{
	static const char *const paths[LAB_HIVES] = {
		[LAB_HIVE_SOFTWARE] = "Windows\\System32\\config\\SOFTWARE",
		[LAB_HIVE_SYSTEM] = "Windows\\System32\\config\\SYSTEM",
		[LAB_HIVE_COMPONENTS] = "Windows\\System32\\config\\COMPONENTS",
		[LAB_HIVE_DRIVERS] = "Windows\\System32\\config\\DRIVERS",
		[LAB_HIVE_DEFAULT] = "Windows\\System32\\config\\DEFAULT",
		[LAB_HIVE_NTUSER] = "Users\\Default\\NTUSER.DAT",
	};

	if (!list_migrations(os, err))
		return false;
	set_system_keys(os);
	set_other_keys(os);
	for (size_t i = 0; i < LAB_HIVES; i++) {
		g_autoptr(GBytes) bytes = NULL;

		if (!lab_hive_bytes(os->hives[i], work, os->epoch, &bytes, err))
			return ib_while(err, "writing hive '%s'", paths[i]);
		if (!add_file(os, paths[i], bytes, SDDL_CONFIG, err))
			return false;
	}
	lab_tree_find(os->tree, paths[LAB_HIVE_NTUSER])->inode->attributes = 0x20 | HIDDEN;
	return true;
}
