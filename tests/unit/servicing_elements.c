/*
 * servicing: what other installers of updates do wrong, each as a case that we do right: elements they ignore, versions
 * they do not compare, names they take from the wrong attribute, types they refuse.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "servicing/internal.h"

#define HEAD                                                                                                       \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?><assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" "          \
	"manifestVersion=\"1.0\">"
#define IDENTITY(arch)                                                                                             \
	"<assemblyIdentity name=\"Lab-Thing\" version=\"10.0.17763.1\" processorArchitecture=\"" arch              \
	"\" language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\"/>"
#define PACKAGE_IDENTITY                                                                                           \
	"<assemblyIdentity name=\"Lab-Package\" version=\"10.0.17763.1\" processorArchitecture=\"amd64\" "         \
	"language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\"/>"
#define HASH                                                                                                       \
	"<asmv2:hash xmlns:asmv2=\"urn:schemas-microsoft-com:asm.v2\" "                                            \
	"xmlns:dsig=\"http://www.w3.org/2000/09/xmldsig#\"><dsig:Transforms><dsig:Transform "                      \
	"Algorithm=\"urn:schemas-microsoft-com:HashTransforms.Identity\"/></dsig:Transforms><dsig:DigestMethod "   \
	"Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha256\"/>"                                                 \
	"<dsig:DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</dsig:DigestValue></asmv2:hash>"

/* A store with a registry and no files: enough to say what a manifest brings. */
struct world {
	struct ib_store s;
	struct ib_manifest *m;
	GPtrArray *effects;
};

static bool open_world(struct world *w, const char *xml, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = g_bytes_new(xml, strlen(xml));
	struct ib_key *key;

	*w = (struct world){ .s = { .arch = (char *)"amd64", .drive = (char *)"C:", .control_set = 1 } };
	ib_svc_notes_init(&w->s);
	w->s.hives[IB_HIVE_SYSTEM] = ib_hive_new("ROOT");
	w->s.hives[IB_HIVE_SOFTWARE] = ib_hive_new("ROOT");
	cr_assert(ib_key_make(w->s.hives[IB_HIVE_SYSTEM], ib_hive_root(w->s.hives[IB_HIVE_SYSTEM]), "DriverDatabase\\x", &key, err));
	return ib_manifest_parse(bytes, NULL, "x", &w->m, err) && ib_svc_effects(&w->s, w->m, &w->effects, err);
}

static void close_world(struct world *w)
{
	g_clear_pointer(&w->effects, g_ptr_array_unref);
	ib_manifest_free(w->m);
	ib_hive_free(w->s.hives[IB_HIVE_SYSTEM]);
	ib_hive_free(w->s.hives[IB_HIVE_SOFTWARE]);
	g_ptr_array_unref(w->s.notes);
	g_hash_table_unref(w->s.noted);
}

static const struct ib_effect *effect(const struct world *w, enum ib_effect_kind kind, const char *path)
{
	for (guint i = 0; w->effects && i < w->effects->len; i++) {
		const struct ib_effect *e = w->effects->pdata[i];
		if (e->kind == kind && !g_strcmp0(e->path, path))
			return e;
	}
	return NULL;
}

/* The target is called by its name; sourceName is what it was called when it was built. */
Test(servicing_elements, file_target_is_its_name)
{
	struct world w;
	ib_auto_error err = NULL;

	cr_assert(open_world(&w, HEAD IDENTITY("amd64") "<file name=\"real.dll\" sourceName=\"src.dll\" sourcePath=\".\\\" "
			    "importPath=\"$(build.nttree)\\\" destinationPath=\"$(runtime.system32)\\\">" HASH "</file></assembly>",
			    &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_not_null(effect(&w, EFFECT_FILE, "Windows\\System32\\real.dll"));
	cr_assert_null(effect(&w, EFFECT_FILE, "Windows\\System32\\src.dll"));
	close_world(&w);
}

/* Without a destination a file stays in the store, and that is no error. */
Test(servicing_elements, file_without_destination)
{
	struct world w;
	ib_auto_error err = NULL;

	cr_assert(open_world(&w, HEAD IDENTITY("amd64") "<file name=\"private.dll\">" HASH "</file></assembly>", &err));
	cr_assert_eq(w.effects->len, 0);
	cr_assert_eq(w.m->files->len, 1);
	close_world(&w);
}

/* Folders are made, also empty ones. */
Test(servicing_elements, directories)
{
	struct world w;
	ib_auto_error err = NULL;

	cr_assert(open_world(&w, HEAD IDENTITY("amd64") "<directories><directory destinationPath=\"$(runtime.programData)\\Lab\\\">"
			    "<securityDescriptor name=\"S\"/></directory></directories><trustInfo><security><accessControl>"
			    "<securityDescriptorDefinitions><securityDescriptorDefinition name=\"S\" sddl=\"O:SYG:SYD:(A;;FA;;;SY)\"/>"
			    "</securityDescriptorDefinitions></accessControl></security></trustInfo></assembly>", &err));
	const struct ib_effect *e = effect(&w, EFFECT_DIRECTORY, "ProgramData\\Lab");
	cr_assert_not_null(e);
	cr_assert_str_eq(((const struct ib_directory *)e->source)->sddl, "O:SYG:SYD:(A;;FA;;;SY)");
	close_world(&w);
}

/* wow64 and x86 components: files to SysWOW64, values to Wow6432Node, SYSTEM to where all have it. */
Test(servicing_elements, registry_of_32_bit_components)
{
	static const char *const archs[] = { "wow64", "x86" };

	for (size_t i = 0; i < G_N_ELEMENTS(archs); i++) {
		struct world w;
		ib_auto_error err = NULL;
		g_autofree char *xml = g_strdup_printf(
			HEAD "<assemblyIdentity name=\"Lab-Thing\" version=\"10.0.17763.1\" processorArchitecture=\"%s\" "
			     "language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\"/>"
			     "<file name=\"a.dll\" destinationPath=\"$(runtime.system32)\\\">" HASH "</file><registryKeys>"
			     "<registryKey keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\"><registryValue name=\"v\" valueType=\"REG_SZ\" "
			     "value=\"x\"/></registryKey><registryKey keyName=\"HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Lab\"/>"
			     "</registryKeys></assembly>", archs[i]);
		cr_assert(open_world(&w, xml, &err), "%s", archs[i]);
		cr_assert_not_null(effect(&w, EFFECT_FILE, "Windows\\SysWOW64\\a.dll"), "%s", archs[i]);
		cr_assert_not_null(effect(&w, EFFECT_VALUE, "Wow6432Node\\Lab"), "%s", archs[i]);
		cr_assert_not_null(effect(&w, EFFECT_KEY, "ControlSet001\\Lab"), "%s", archs[i]);
		close_world(&w);
	}
}

/* A macro nobody knows is an error, never a folder of that name; bootDrive is known. */
Test(servicing_elements, macros)
{
	struct world w;
	ib_auto_error err = NULL;

	cr_assert(open_world(&w, HEAD IDENTITY("amd64") "<file name=\"a\" destinationPath=\"$(runtime.bootDrive)\\\">" HASH
			    "</file></assembly>", &err));
	cr_assert_not_null(effect(&w, EFFECT_FILE, "a"));
	close_world(&w);
	cr_assert_not(open_world(&w, HEAD IDENTITY("amd64") "<file name=\"a\" destinationPath=\"$(runtime.nowhere)\\\">" HASH
				"</file></assembly>", &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	cr_assert(strstr(ib_error_cause(err), "$(runtime.nowhere)"));
	close_world(&w);
}

/* Names that Windows cannot hold: refused where the package names them. */
Test(servicing_elements, escaping_and_impossible_names)
{
	static const char *const bad[] = {
		"name=\"..\\x\" destinationPath=\"$(runtime.windows)\"", "name=\"C:\\x\" destinationPath=\"$(runtime.windows)\"",
		"name=\"x:stream\" destinationPath=\"$(runtime.windows)\"", "name=\"nul.txt\" destinationPath=\"$(runtime.windows)\"",
		"name=\"sub\\COM1\" destinationPath=\"$(runtime.windows)\"", "name=\"a. \" destinationPath=\"$(runtime.windows)\"",
		"name=\"a&#x9;b\" destinationPath=\"$(runtime.windows)\"", "name=\"a\" destinationPath=\"$(runtime.windows)\\..\\..\\x\"",
		"name=\"a\" destinationPath=\"D:\\x\"", "name=\"a\" destinationPath=\"$(runtime.windows)\\x:y\"",
		"name=\"a\" destinationPath=\"$(runtime.windows)\\aux\"", "name=\"a\" destinationPath=\"\\\\server\\share:x\"",
		"name=\"a\" destinationName=\"..\\b\" destinationPath=\"$(runtime.windows)\"",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *xml = g_strdup_printf(HEAD IDENTITY("amd64") "<file %s>" HASH "</file></assembly>", bad[i]);
		ib_auto_error err = NULL;
		struct world w;
		cr_assert_not(open_world(&w, xml, &err), "'%s' was accepted", bad[i]);
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT, "%s", bad[i]);
		close_world(&w);
	}
}

/* Services, groups, firewall rules, events and tasks are no strangers. */
Test(servicing_elements, memberships)
{
	struct world w;
	ib_auto_error err = NULL;

	cr_assert(open_world(&w, HEAD IDENTITY("amd64")
			    "<memberships><categoryMembership><id name=\"Microsoft.Windows.Categories.Services\" version=\"1\" "
			    "publicKeyToken=\"x\" typeName=\"Service\"/><categoryInstance subcategory=\"lab\"><serviceData name=\"lab\" "
			    "start=\"auto\" type=\"win32OwnProcess\" imagePath=\"x\"/></categoryInstance></categoryMembership>"
			    "<categoryMembership><id name=\"m\" version=\"1\" publicKeyToken=\"x\" typeName=\"SvcHost\"/>"
			    "<categoryInstance subcategory=\"netsvcs\"><serviceGroup position=\"1\" serviceName=\"lab\"/></categoryInstance>"
			    "</categoryMembership><categoryMembership><id name=\"m\" version=\"1\" publicKeyToken=\"x\" "
			    "typeName=\"BootCritical\"/></categoryMembership></memberships><mof name=\"x.mof\"/></assembly>", &err));
	cr_assert_eq(((const struct ib_effect *)w.effects->pdata[0])->kind, EFFECT_SERVICE);
	cr_assert_not_null(effect(&w, EFFECT_SVCHOST, "netsvcs"));
	cr_assert_eq(w.m->other->len, 1, "only the MOF is named as not carried out");
	cr_assert_str_eq(w.m->other->pdata[0], "mof");
	close_world(&w);
}

/* Folders of the search path: where they shall stand, once, in the spelling of the manifest; all else stays. */
Test(servicing_elements, search_path)
{
	static const char xml[] = HEAD IDENTITY("amd64")
		"<memberships><categoryMembership><id name=\"m\" version=\"1.0.0.0\" publicKeyToken=\"x\" typeName=\"Environment\"/>"
		"<categoryInstance subcategory=\"path\"><path name=\"%SYSTEMROOT%\\System32\\OpenSSH\\\" position=\"last\"/>"
		"<path name=\"$(runtime.system32)\\First\" position=\"first\"/></categoryInstance></categoryMembership></memberships>"
		"</assembly>";
	static const char before[] = "%SystemRoot%\\system32;%SystemRoot%;";
	struct ib_key *key;
	struct world w;
	ib_auto_error err = NULL;
	bool dropped;

	cr_assert(open_world(&w, xml, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(w.effects->len, 2);
	cr_assert_eq(w.m->other->len, 0);
	struct ib_hive *system = w.s.hives[IB_HIVE_SYSTEM];
	cr_assert(ib_key_make(system, ib_hive_root(system), "ControlSet001\\Control\\Session Manager\\Environment", &key, &err));
	cr_assert(ib_key_set_text(system, key, "Path", IB_REG_EXPAND_SZ, before, &err));
	for (unsigned turn = 0; turn < 2; turn++) /* the second one finds them there */
		for (guint i = 0; i < w.effects->len; i++) {
			const struct ib_effect *e = w.effects->pdata[i];
			cr_assert_eq(e->kind, EFFECT_SEARCH_PATH);
			cr_assert(ib_svc_search_path_add(&w.s, e->name, ((const struct ib_search_path *)e->source)->first, &err));
		}
	g_autofree char *text = ib_value_text(ib_key_value(key, "Path"));
	cr_assert_str_eq(text, "C:\\Windows\\System32\\First;%SystemRoot%\\system32;%SystemRoot%;%SYSTEMROOT%\\System32\\OpenSSH\\");
	cr_assert(ib_svc_search_path_drop(&w.s, "%systemroot%\\SYSTEM32\\openssh", &dropped, &err) && dropped);
	cr_assert(ib_svc_search_path_drop(&w.s, "%systemroot%\\SYSTEM32\\openssh", &dropped, &err) && !dropped);
	cr_assert(ib_svc_search_path_drop(&w.s, "C:\\Windows\\System32\\First", &dropped, &err) && dropped);
	g_autofree char *after = ib_value_text(ib_key_value(key, "Path"));
	cr_assert_str_eq(after, "%SystemRoot%\\system32;%SystemRoot%");
	cr_assert_eq(ib_value_type(ib_key_value(key, "Path")), IB_REG_EXPAND_SZ);
	/* something else than a text under that name is refused, and stays */
	cr_assert(ib_key_set_dword(system, key, "Path", 1, &err));
	cr_assert_not(ib_svc_search_path_add(&w.s, "C:\\x", false, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	close_world(&w);
}

/* What is no folder is refused; where else one may want to stand, or another variable, is named. */
Test(servicing_elements, search_path_of_others)
{
	static const char *const bad[] = { "name=\"a;b\"", "name=\"\"", "position=\"last\"", "name=\"&quot;x\"" };
	struct world w;
	ib_auto_error err = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *xml = g_strdup_printf(
			HEAD IDENTITY("amd64") "<memberships><categoryMembership><id typeName=\"Environment\"/><categoryInstance "
			"subcategory=\"path\"><path %s/></categoryInstance></categoryMembership></memberships></assembly>", bad[i]);
		ib_auto_error why = NULL;
		cr_assert_not(open_world(&w, xml, &why), "%s", bad[i]);
		cr_assert_eq(ib_error_code(why), IB_ERR_INPUT);
		close_world(&w);
	}
	cr_assert(open_world(&w, HEAD IDENTITY("amd64")
			    "<memberships><categoryMembership><id typeName=\"Environment\"/><categoryInstance subcategory=\"path\">"
			    "<path name=\"x\" position=\"middle\"/><variable name=\"y\"/></categoryInstance></categoryMembership>"
			    "</memberships></assembly>", &err));
	cr_assert_eq(w.m->other->len, 2);
	cr_assert_str_eq(w.m->other->pdata[0], "path position='middle'");
	cr_assert_str_eq(w.m->other->pdata[1], "variable");
	close_world(&w);
}

/* The list of manifests with migration rules: an entry like the last one behind it, and out again. */
Test(servicing_elements, migration_list)
{
	static const struct {
		const char *before, *after; /* NULL: not understood */
	} cases[] = {
		{ "<m>\r\n  <file>a.manifest</file>\r\n  <file>b.manifest</file>\r\n</m>",
		  "<m>\r\n  <file>a.manifest</file>\r\n  <file>b.manifest</file>\r\n  <file>x_1.manifest</file>\r\n</m>" },
		{ "<m><file>some_name_here</file></m>", "<m><file>some_name_here</file><file>x_1</file></m>" },
		{ "<m></m>", NULL },
		{ "<m><file>cut", NULL },
		{ "<m><file></file></m>", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *on = ib_svc_migration_edit(cases[i].before, "x_1", true);
		if (!cases[i].after) {
			cr_assert_null(on, "%s", cases[i].before);
			continue;
		}
		cr_assert_str_eq(on, cases[i].after);
		g_autofree char *twice = ib_svc_migration_edit(on, "X_1", true);
		cr_assert_str_eq(twice, on);
		g_autofree char *off = ib_svc_migration_edit(on, "x_1", false);
		cr_assert_str_eq(off, cases[i].before);
		g_autofree char *again = ib_svc_migration_edit(off, "x_1", false);
		cr_assert_str_eq(again, off);
	}
}

/* Channels of the provider's own and of Windows, and how their logs are kept; counters are named. */
Test(servicing_elements, event_channels)
{
	static const char xml[] = HEAD IDENTITY("amd64")
		"<instrumentation><events><provider name=\"Lab\" guid=\"{C4B57D35-0636-4BC3-A262-370F249F9802}\"><channels>"
		"<importChannel chid=\"S\" name=\"System\"/><channel name=\"Lab/Debug\" type=\"Debug\" isolation=\"Custom\" "
		"enabled=\"false\" access=\"O:BAG:SY\"><logging><maxSize>1052672</maxSize><retention>true</retention></logging>"
		"<publishing/></channel></channels><levels/><events><event/></events></provider></events><counters/></instrumentation>"
		"</assembly>";
	static const char publishers[] = "Microsoft\\Windows\\CurrentVersion\\WINEVT\\Publishers\\{c4b57d35-0636-4bc3-a262-370f249f9802}";
	static const struct {
		const char *key, *value;
		uint64_t number;
	} want[] = {
		{ "ChannelReferences", "Count", 2 },	 { "ChannelReferences\\0", "Id", 8 }, { "ChannelReferences\\0", "Flags", 1 },
		{ "ChannelReferences\\1", "Id", 17 }, { "ChannelReferences\\1", "Flags", 0 },
	};
	struct world w;
	ib_auto_error err = NULL;
	uint64_t n;

	cr_assert(open_world(&w, xml, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(w.m->other->len, 2);
	cr_assert_str_eq(w.m->other->pdata[0], "counters");
	cr_assert_str_eq(w.m->other->pdata[1], "publishing");
	for (guint i = 0; i < w.effects->len; i++) {
		const struct ib_effect *e = w.effects->pdata[i];
		if (e->kind == EFFECT_PUBLISHER)
			cr_assert(ib_svc_publisher_write(&w.s, w.m, e->source, &err), "%s", err ? ib_error_cause(err) : "");
	}
	struct ib_key *root = ib_hive_root(w.s.hives[IB_HIVE_SOFTWARE]);
	for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
		g_autofree char *path = g_strconcat(publishers, "\\", want[i].key, NULL);
		struct ib_key *key = ib_key_find(root, path);
		cr_assert(key && ib_value_number(ib_key_value(key, want[i].value), &n), "%s", want[i].key);
		cr_assert_eq(n, want[i].number, "%s!%s", want[i].key, want[i].value);
	}
	struct ib_key *channel = ib_key_find(root, "Microsoft\\Windows\\CurrentVersion\\WINEVT\\Channels\\Lab/Debug");
	cr_assert(ib_value_number(ib_key_value(channel, "MaxSize"), &n) && n == 1052672);
	cr_assert(ib_value_number(ib_key_value(channel, "Retention"), &n) && n == 1);
	cr_assert(ib_value_number(ib_key_value(channel, "Type"), &n) && n == 3);
	cr_assert_null(ib_key_find(root, "Microsoft\\Windows\\CurrentVersion\\WINEVT\\Channels\\System"));
	close_world(&w);
}

/* A descriptor without owner or group gets them: Windows takes no hive in which a key has none. */
Test(servicing_elements, descriptors_have_owners)
{
	static const char *const cases[][2] = {
		{ "D:PAI(A;OICI;KA;;;SY)", "O:BAG:SYD:PAI(A;OICI;KA;;;SY)" },
		{ "O:BAD:PAI(A;OICI;FA;;;SY)", "O:BAG:SYD:PAI(A;OICI;FA;;;SY)" },
		{ "G:BAD:(A;;FA;;;SY)", "O:BAG:BAD:(A;;FA;;;SY)" },
		{ "O:SYG:BAD:(A;;FA;;;SY)S:(AU;FA;FA;;;WD)", "O:SYG:BAD:(A;;FA;;;SY)S:(AU;FA;FA;;;WD)" },
	};
	struct ib_store s = { .descriptors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref) };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ib_auto_error err = NULL;
		g_autofree char *text = NULL;
		GBytes *bytes;
		cr_assert(ib_svc_descriptor(&s, cases[i][0], &bytes, &err), "%s", cases[i][0]);
		cr_assert(ib_sddl_format(bytes, &text, &err), "%s", cases[i][0]);
		cr_assert_str_eq(text, cases[i][1]);
	}
	g_hash_table_unref(s.descriptors);
}

/* ---- packages ---- */

static struct ib_mum *mum(const char *package, struct ib_error **err)
{
	g_autofree char *xml = g_strconcat(HEAD PACKAGE_IDENTITY, package, "</assembly>", NULL);
	g_autoptr(GBytes) bytes = g_bytes_new(xml, strlen(xml));
	struct ib_mum *m = NULL;

	return ib_mum_parse(bytes, "update.mum", &m, err) ? m : NULL;
}

/* An element inside an update that nobody knows is named, and the package still read. */
Test(servicing_elements, unknown_child_of_update)
{
	ib_auto_error err = NULL;
	struct ib_mum *m = mum("<package releaseType=\"Update\"><update name=\"u\"><customInformation/><strange/><component>" IDENTITY("amd64")
			       "</component></update></package>", &err);

	cr_assert_not_null(m);
	const struct ib_update *u = m->updates->pdata[0];
	cr_assert_eq(u->components->len, 1);
	cr_assert_eq(u->other->len, 1);
	cr_assert_str_eq(u->other->pdata[0], "strange");
	ib_mum_free(m);
}

/* Parents, the servicing stack, features and what a capability depends on are read. */
Test(servicing_elements, applicability_is_read)
{
	ib_auto_error err = NULL;
	struct ib_mum *m = mum("<package releaseType=\"OnDemand Pack\"><parent buildCompare=\"EQ\" revisionCompare=\"GE\">" IDENTITY("amd64")
			       "</parent><installerAssembly name=\"Microsoft-Windows-ServicingStack\" version=\"10.0.17763.2170\" "
			       "processorArchitecture=\"amd64\" language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\"/>"
			       "<declareCapability><capability><capabilityIdentity name=\"Lab.Language\" version=\"1.0\" "
			       "language=\"zh-CN\"/></capability><dependency><capabilityIdentity name=\"Lab.Base\" version=\"1.0\"/>"
			       "</dependency><satelliteInfo><declare/></satelliteInfo><oddity/></declareCapability>"
			       "<update name=\"F\"><selectable disposition=\"staged\"><detectNone default=\"false\"/></selectable>"
			       "<applicable disposition=\"staged\"><detectUpdate><parent>" IDENTITY("amd64") "</parent>"
			       "<update name=\"G\"/></detectUpdate></applicable></update></package>", &err);

	cr_assert_not_null(m, "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(m->installer.part[3], 2170);
	cr_assert_str_eq(((struct ib_parent *)m->parents->pdata[0])->revision_compare, "GE");
	cr_assert_str_eq(m->capability_language, "zh-CN");
	cr_assert_eq(m->needs->len, 1);
	cr_assert_str_eq(((struct ib_needed_capability *)m->needs->pdata[0])->name, "Lab.Base");
	cr_assert_eq(m->other->len, 1);
	cr_assert_str_eq(m->other->pdata[0], "declareCapability/oddity");
	const struct ib_update *u = m->updates->pdata[0];
	cr_assert(u->selectable && !u->default_on);
	cr_assert_str_eq(u->detect_update, "G");
	ib_mum_free(m);
}

/* distribution, service, build, revision govern the four parts; each comparison word. */
Test(servicing_elements, all_compare_attributes)
{
	static const struct {
		const char *distribution, *service, *build, *revision, *wanted, *found;
		bool want;
	} cases[] = {
		{ "GE", NULL, NULL, NULL, "10.0.0.0", "11.5.1.1", true },
		{ "EQ", NULL, NULL, NULL, "10.0.0.0", "11.0.0.0", false },
		{ NULL, "GE", NULL, NULL, "6.1.7601.1", "6.3.9600.1", true },
		{ NULL, "EQ", "GE", NULL, "6.1.7601.1", "6.3.9600.1", false },
		{ NULL, NULL, "EQ", "EQ", "10.0.17763.5", "10.0.17763.5", true },
		{ NULL, NULL, "EQ", "EQ", "10.0.17763.5", "10.0.17763.6", false },
		{ NULL, NULL, "EQ", "LE", "10.0.17763.5", "10.0.17763.6", false },
		{ NULL, NULL, "EQ", "GT", "10.0.17763.5", "10.0.17763.5", false },
		{ NULL, NULL, "EQ", "any", "10.0.17763.5", "10.0.17763.1", true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_parent p = { .distribution_compare = cases[i].distribution, .service_compare = cases[i].service,
				       .build_compare = cases[i].build, .revision_compare = cases[i].revision };
		struct ib_version wanted, found;
		cr_assert(ib_version_parse(cases[i].wanted, &wanted) && ib_version_parse(cases[i].found, &found));
		cr_assert_eq(ib_svc_version_matches(&p, &wanted, &found), cases[i].want, "case %zu", i);
	}
}
