#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest/digest.h"
#include "package/package.h"
#include "tests/cab_sample.h"

#define NS "xmlns=\"urn:schemas-microsoft-com:asm.v3\" manifestVersion=\"1.0\""
#define ID(name) \
	"<assemblyIdentity name=\"" name "\" version=\"10.0.17763.1\" processorArchitecture=\"amd64\" " \
	"language=\"neutral\" buildType=\"release\" publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\" />"
#define MANIFEST(body) "<assembly " NS ">" ID("Lab-Component") body "</assembly>"
#define MUM(body) \
	"<assembly " NS " description=\"d\" supportInformation=\"http://kb\">" ID("Lab-Package") body "</assembly>"
#define HASH(transform, method, value) \
	"<asmv2:hash xmlns:asmv2=\"urn:schemas-microsoft-com:asm.v2\" xmlns:dsig=\"http://www.w3.org/2000/09/xmldsig#\">" \
	"<dsig:Transforms><dsig:Transform Algorithm=\"" transform "\" /></dsig:Transforms>" \
	"<dsig:DigestMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#" method "\" />" \
	"<dsig:DigestValue>" value "</dsig:DigestValue></asmv2:hash>"
#define IDENTITY "urn:schemas-microsoft-com:HashTransforms.Identity"
/* SHA-256 and SHA-1 of "hello" */
#define HELLO256 "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
#define HELLO1 "qvTGHdzF6KLavt4PO0gs2a6pQ00="

static const char full_manifest[] = MANIFEST(
	"<deployment />"
	"<dependency discoverable=\"no\"><dependentAssembly dependencyType=\"install\">" ID("Lab-Other")
	"</dependentAssembly></dependency>"
	"<dependency resourceType=\"Resources\"><dependentAssembly dependencyType=\"install\"><assemblyIdentity "
	"name=\"Lab-Component.Resources\" version=\"10.0.17763.1\" language=\"*\" processorArchitecture=\"amd64\" "
	"publicKeyToken=\"31bf3856ad364e35\" /></dependentAssembly></dependency>"
	"<file name=\"sub/a.dll\" destinationPath=\"$(runtime.system32)\\\" attributes=\"hidden, system\">"
	"<securityDescriptor name=\"FILE\" /><link destination=\"$(runtime.windows)\\a.dll\" />"
	HASH(IDENTITY, "sha256", HELLO256) "</file>"
	"<file name=\"b.dll\" destinationName=\"c.dll\">" HASH(IDENTITY, "sha1", HELLO1) "<infFile /></file>"
	"<directories><directory destinationPath=\"$(runtime.programData)\\Lab\\\" attributes=\"0x2000\">"
	"<securityDescriptor name=\"MISSING\" /></directory></directories>"
	"<registryKeys><registryKey keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\\">"
	"<registryValue name=\"\" valueType=\"REG_SZ\" value=\"default\" />"
	"<registryValue name=\"Count\" valueType=\"REG_DWORD\" value=\"0x00000002\" mutable=\"true\" />"
	"<registryValue name=\"Raw\" valueType=\"00020001\" value=\"AB\" operationHint=\"replace\" />"
	"<overridable name=\"raw\" /><securityDescriptor name=\"KEY\" /></registryKey></registryKeys>"
	"<memberships><categoryMembership><id name=\"Microsoft.Windows.Categories.Services\" version=\"1.0\" "
	"publicKeyToken=\"x\" typeName=\"Service\" /><categoryInstance subcategory=\"LabSvc\"><serviceData name=\"LabSvc\" "
	"start=\"auto\" type=\"win32ShareProcess\" imagePath=\"svchost.exe -k lab\"><failureActions /></serviceData>"
	"</categoryInstance></categoryMembership><categoryMembership><id name=\"c\" version=\"1.0\" typeName=\"SvcHost\" />"
	"<categoryInstance subcategory=\"lab\"><serviceGroup position=\"last\" serviceName=\"LabSvc\" /></categoryInstance>"
	"</categoryMembership><categoryMembership><id name=\"c\" version=\"1.0\" typeName=\"BootCritical\" />"
	"</categoryMembership><categoryMembership><id name=\"c\" version=\"1.0\" typeName=\"shortCut\" />"
	"</categoryMembership></memberships>"
	"<instrumentation><firewallRule name=\"inner\" /><counters /></instrumentation><firewallRule name=\"outer\" />"
	"<taskScheduler><Task version=\"1.2\" /></taskScheduler>"
	"<genericCommands><genericCommand executableName=\"x\" /></genericCommands><mof name=\"x\" /><mof name=\"y\" />"
	"<configuration><anything /></configuration><localization />"
	"<trustInfo><security><accessControl><securityDescriptorDefinitions>"
	"<securityDescriptorDefinition name=\"FILE\" sddl=\"O:BA\" />"
	"<securityDescriptorDefinition name=\"KEY\" sddl=\"O:SY\" />"
	"</securityDescriptorDefinitions></accessControl></security></trustInfo>");

static struct ib_manifest *parse_manifest(const char *text)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
	struct ib_manifest *m = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_manifest_parse(bytes, NULL, "test", &m, &err), "%s", err ? ib_error_cause(err) : "");
	return m;
}

Test(package, manifest_files)
{
	struct ib_manifest *m = parse_manifest(full_manifest);
	const struct ib_file *a = g_ptr_array_index(m->files, 0), *b = g_ptr_array_index(m->files, 1);
	const struct ib_directory *d = g_ptr_array_index(m->directories, 0);
	uint8_t hash[IB_DIGEST_MAX];

	cr_expect_eq(m->files->len, 2);
	cr_expect_str_eq(a->name, "sub\\a.dll");
	cr_expect_str_eq(a->destination_path, "$(runtime.system32)\\");
	cr_expect_str_eq(a->destination_name, "sub\\a.dll");
	cr_expect_str_eq(a->sddl, "O:BA");
	cr_expect_eq(a->attributes, 0x6);
	cr_expect_str_eq(g_ptr_array_index(a->links, 0), "$(runtime.windows)\\a.dll");
	ib_digest_bytes(IB_DIGEST_SHA256, "hello", 5, hash);
	cr_expect(a->has_sha256 && !a->has_sha1 && memcmp(a->sha256, hash, 32) == 0);
	cr_expect_null(b->destination_path);
	cr_expect_str_eq(b->destination_name, "c.dll");
	ib_digest_bytes(IB_DIGEST_SHA1, "hello", 5, hash);
	cr_expect(b->has_sha1 && !b->has_sha256 && memcmp(b->sha1, hash, 20) == 0);
	cr_expect_str_eq(d->path, "$(runtime.programData)\\Lab\\");
	cr_expect_eq(d->attributes, 0x2000);
	ib_manifest_free(m);
}

Test(package, manifest_rest)
{
	struct ib_manifest *m = parse_manifest(full_manifest);
	const struct ib_registry_key *k = g_ptr_array_index(m->registry, 0);
	const struct ib_service *s = g_ptr_array_index(m->services, 0);
	const struct ib_svchost_entry *e = g_ptr_array_index(m->svchost, 0);
	const struct ib_identity *dep = g_ptr_array_index(m->dependencies, 0);
	static const bool mutable_[] = { false, true, true };
	uint8_t hash[IB_DIGEST_MAX];

	cr_expect(m->is_deployment);
	cr_expect_eq(m->dependencies->len, 1, "a satellite is no dependency");
	cr_expect_str_eq(dep->name, "Lab-Other");
	cr_expect_str_eq(k->sddl, "O:SY");
	cr_assert_eq(k->values->len, 3);
	for (guint i = 0; i < 3; i++) {
		const struct ib_registry_value *v = g_ptr_array_index(k->values, i);
		cr_expect_eq(v->mutable_, mutable_[i], "%s", v->name);
	}
	cr_expect_str_eq(s->name, "LabSvc");
	cr_expect_str_eq(s->image_path, "svchost.exe -k lab");
	cr_expect_null(s->object_name);
	cr_expect_not_null(ib_xml_first(s->node, "failureActions"));
	cr_expect(strcmp(e->group, "lab") == 0 && strcmp(e->service, "LabSvc") == 0);
	cr_expect_eq(m->firewall->len, 2);
	cr_expect_eq(m->tasks->len, 1);
	ib_digest_bytes(IB_DIGEST_SHA256, full_manifest, strlen(full_manifest), hash);
	cr_expect_eq(memcmp(m->sha256, hash, 32), 0);
	ib_manifest_free(m);
}

Test(package, nothing_is_ignored_in_silence)
{
	static const char *const want[] = { "categoryMembership 'shortCut'", "counters", "genericCommands", "infFile", "mof",
					    "securityDescriptor 'MISSING' without definition" };
	struct ib_manifest *m = parse_manifest(full_manifest);

	cr_assert_eq(m->other->len, G_N_ELEMENTS(want));
	for (guint i = 0; i < m->other->len; i++)
		cr_expect_str_eq(g_ptr_array_index(m->other, i), want[i]);
	ib_manifest_free(m);
}

static const char keyform_name[] = "amd64_lab-component_31bf3856ad364e35_10.0.17763.1_none_0000000000000000.manifest";

Test(package, manifests_that_are_refused)
{
	static const struct {
		const char *name;
		const char *text;
		const char *cause;
	} cases[] = {
		{ "x", "<assembly", "" },
		{ "x", "<!DOCTYPE a><assembly/>", "" },
		{ "x", "<package/>", "root element" },
		{ "x", "<assembly/>", "assemblyIdentity is missing" },
		{ "x", "<assembly><assemblyIdentity version='1.0'/></assembly>", "no name" },
		{ "x", "<assembly><assemblyIdentity name='a'/></assembly>", "version" },
		{ "x", "<assembly><assemblyIdentity name='a' version='1.2.3.4.5'/></assembly>", "version '1.2.3.4.5'" },
		{ "x", "<assembly><assemblyIdentity name='..\\a' version='1.0'/></assembly>", "not a name" },
		{ "x", "<assembly><assemblyIdentity name='*' version='1.0'/></assembly>", "'*'" },
		{ keyform_name, MANIFEST(""), "gives the name" },
		{ "x", MANIFEST("<file name=''/>"), "not the name of a file" },
		{ "x", MANIFEST("<file name='..\\x'/>"), "not the name of a file" },
		{ "x", MANIFEST("<file name='\\x'/>"), "not the name of a file" },
		{ "x", MANIFEST("<file name='c:x'/>"), "not the name of a file" },
		{ "x", MANIFEST("<file name='x' destinationPath='$(runtime.windows)\\..\\x'/>"), "upwards" },
		{ "x", MANIFEST("<file name='x'><link destination='a/../b'/></file>"), "upwards" },
		{ "x", MANIFEST("<file name='x'>" HASH("other", "sha256", HELLO256) "</file>"), "transform" },
		{ "x", MANIFEST("<file name='x'>" HASH(IDENTITY, "md5", HELLO256) "</file>"), "unknown kind" },
		{ "x", MANIFEST("<file name='x'>" HASH(IDENTITY, "sha256", HELLO1) "</file>"), "20 bytes" },
		{ "x", MANIFEST("<file name='x' hash='zz' hashalg='SHA1'/>"), "0 bytes" },
		{ "x", MANIFEST("<registryKeys><registryKey/></registryKeys>"), "keyName" },
		{ "x", MANIFEST("<directories><directory/></directories>"), "destinationPath" },
		{ "x", "DCM\1PA30", "compressed (DCM)" },
		{ "x", "DCS\1", "" }, /* ends behind its magic */
		{ "x", "DCX\1", "DCX" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GBytes) bytes = g_bytes_new_static(cases[i].text, strlen(cases[i].text));
		struct ib_manifest *m = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(ib_manifest_parse(bytes, NULL, cases[i].name, &m, &err), "case %zu", i);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
		cr_expect(strstr(ib_error_cause(err), cases[i].cause), "case %zu: %s", i, ib_error_cause(err));
	}
}

static const char full_mum[] = MUM(
	"<package identifier=\"KB1\" releaseType=\"Update\" restart=\"possible\" permanence=\"permanent\">"
	"<parent buildCompare=\"EQ\" revisionCompare=\"GE\" integrate=\"separate\" disposition=\"detect\">"
	ID("P-One") ID("P-Two") "</parent><parent>" ID("P-Three") "</parent>"
	"<installerAssembly name=\"Microsoft-Windows-ServicingStack\" version=\"10.0.17763.2170\" "
	"processorArchitecture=\"amd64\" />"
	"<declareCapability><capability><capabilityIdentity name=\"Lab.Tools\" version=\"1.0\" /></capability>"
	"</declareCapability>"
	"<mum2:customInformation xmlns:mum2=\"urn:schemas-microsoft-com:asm.v3\" PackageFormat=\"PSFX\" />"
	"<localizedStrings /><packageExtended packageSize=\"1\" /><selection name=\"x\" state=\"true\" />"
	"<update name=\"Feature\" displayName=\"A feature\"><selectable disposition=\"staged\">"
	"<detectNone default=\"true\" />"
	"</selectable><component>" ID("Lab-Deployment") "</component></update>"
	"<update name=\"Child\"><applicable disposition=\"detect\"><detectUpdate><parent>" ID("Lab-Parent") "</parent>"
	"<update name=\"Feature\" /></detectUpdate></applicable><package contained=\"false\" integrate=\"hidden\">"
	ID("Lab-Child") "</package><driver inf=\"x.inf\" /></update>"
	"<update name=\"LDR\"><applicable><updateComponent elevate=\"revision\">" ID("c") "</updateComponent></applicable>"
	"</update></package>");

Test(package, mum)
{
	g_autoptr(GBytes) bytes = g_bytes_new_static(full_mum, strlen(full_mum));
	struct ib_mum *m = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_mum_parse(bytes, "update.mum", &m, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_str_eq(m->package_id, "Lab-Package~31bf3856ad364e35~amd64~~10.0.17763.1");
	cr_expect_str_eq(m->identifier, "KB1");
	cr_expect_str_eq(m->support_url, "http://kb");
	cr_expect_str_eq(m->permanence, "permanent");
	const struct ib_parent *p = g_ptr_array_index(m->parents, 0);
	cr_expect(m->parents->len == 2 && p->identities->len == 2 && strcmp(p->build_compare, "EQ") == 0);
	cr_expect_eq(m->installer.part[3], 2170);
	cr_expect_str_eq(m->capability, "Lab.Tools");
	cr_expect_str_eq(m->package_format, "PSFX");
	cr_expect(m->other->len == 1 && strcmp(g_ptr_array_index(m->other, 0), "selection") == 0);
	const struct ib_update *feature = g_ptr_array_index(m->updates, 0), *child = g_ptr_array_index(m->updates, 1);
	const struct ib_update *ldr = g_ptr_array_index(m->updates, 2);
	cr_expect(feature->selectable && feature->default_on && feature->components->len == 1);
	cr_expect(!child->selectable && child->packages->len == 1);
	cr_expect_str_eq(child->detect_update, "Feature");
	cr_expect_str_eq(child->detect_parent, "Lab-Parent~31bf3856ad364e35~amd64~~10.0.17763.1");
	cr_expect(child->other->len == 1 && strcmp(g_ptr_array_index(child->other, 0), "driver") == 0);
	cr_expect(ldr->other->len == 1);
	ib_mum_free(m);
}

Test(package, any_servicing_stack)
{
	static const char text[] = MUM("<package><installerAssembly name=\"s\" version=\"6.0.0.0\" /></package>");
	static const struct ib_version none;
	g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
	struct ib_mum *m = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_mum_parse(bytes, "update.mum", &m, &err));
	cr_expect_eq(ib_version_compare(&m->installer, &none), 0);
	ib_mum_free(m);
}

/* ---- whole packages ---- */

#define FILES_MANIFEST \
	MANIFEST("<file name=\"a.txt\">" HASH(IDENTITY, "sha256", HELLO256) "</file>" \
		 "<file name=\"gone.txt\">" HASH(IDENTITY, "sha256", HELLO256) "</file>")
#define KEYFORM "amd64_lab-component_31bf3856ad364e35_10.0.17763.1_none_"

static const char root_mum[] = MUM("<package><update name=\"u\"><component>" ID("Lab-Component")
				   "</component></update></package>");

/* The key form of Lab-Component with something behind it; owned by the caller (g_free). */
static char *below(const char *rest)
{
	struct ib_identity id = { .name = "Lab-Component", .version = "10.0.17763.1", .arch = "amd64",
				  .token = "31bf3856ad364e35", .scope = "nonSxS" };
	g_autofree char *key = ib_keyform(&id, IB_KEYFORM_LONG);

	return g_strconcat(key, rest, NULL);
}

/* A cabinet with the usual members and, if given, one more. */
static GBytes *make_cab(const char *content, const struct cab_file *more)
{
	g_autofree char *manifest = below(".manifest"), *payload = below("\\a.txt"), *stray = below("\\stray.txt");
	struct cab_file files[6] = {
		CAB_TEXT("update.mum", root_mum),
		CAB_TEXT("$filehashes$.dat", "ignored"),
		{ payload, content, strlen(content) },
		CAB_TEXT("", "unknown to the manifest"),
		CAB_TEXT("", FILES_MANIFEST),
	};
	g_autofree char *upper = g_ascii_strup(manifest, -1);

	files[3].name = stray;
	files[4].name = upper;
	if (more)
		files[5] = *more;
	return cab_sample(files, more ? 6 : 5);
}

static bool open_bytes(GBytes *bytes, struct ib_package **ret, struct ib_error **err)
{
	char path[] = "/tmp/ib-package-XXXXXX";
	int fd = mkstemp(path);
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	cr_assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
	bool ok = ib_package_open(path, NULL, ret, err);
	unlink(path);
	return ok;
}

static bool note_payload(const struct ib_payload *p, void *data, struct ib_error **err)
{
	GString *seen = data;
	g_autoptr(GBytes) bytes = NULL;

	if (p->stream && !ib_stream_bytes(p->stream, 100, p->file->name, &bytes, err))
		return false;
	g_string_append_printf(seen, "%s:%s:%d ", p->file->name, p->stream ? "here" : "missing", (int)p->size);
	return true;
}

Test(package, bare_cabinet)
{
	g_autoptr(GBytes) cab = make_cab("hello", NULL);
	g_autoptr(GString) seen = g_string_new(NULL);
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	cr_assert(open_bytes(cab, &p, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_eq(ib_package_container(p), IB_PACKAGE_CAB);
	cr_expect_eq(ib_package_file_size(p), g_bytes_get_size(cab));
	cr_expect_eq(ib_package_members(p)->len, 5);
	cr_expect_eq(ib_package_manifests(p)->len, 1);
	cr_expect_eq(ib_package_payload_bytes(p), 5 + strlen("unknown to the manifest"));
	cr_expect_not_null(ib_package_mum(p, "LAB-package~31bf3856ad364e35~amd64~~10.0.17763.1"));
	cr_expect(ib_package_each_payload(p, NULL, note_payload, seen, NULL, &err));
	cr_expect_str_eq(seen->str, "a.txt:here:5 gone.txt:missing:0 ");
	ib_package_free(p);
}

Test(package, changed_payload_is_seen)
{
	g_autoptr(GBytes) cab = make_cab("hellO", NULL);
	g_autoptr(GString) seen = g_string_new(NULL);
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	cr_assert(open_bytes(cab, &p, &err));
	cr_expect_not(ib_package_each_payload(p, NULL, note_payload, seen, NULL, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
	cr_expect(strstr(ib_error_cause(err), "file 'a.txt' of component '" KEYFORM), "%s", ib_error_cause(err));
	ib_package_free(p);
}

Test(package, unsigned_package)
{
	g_autoptr(GBytes) cab = make_cab("hello", NULL);
	ib_auto_anchors anchors = ib_anchors_new(0);
	struct ib_package_trust trust;
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	cr_assert(open_bytes(cab, &p, &err));
	cr_expect_not(ib_package_verify(p, anchors, &trust, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
	cr_expect(strstr(ib_error_cause(err), "unsigned"), "%s", ib_error_cause(err));
	ib_package_free(p);
}

Test(package, compressed_manifests_are_kept)
{
	const struct cab_file dcm = CAB_TEXT("amd64_packed_x_1.0.0.0_none_0.manifest", "DCM\1PA30...");
	g_autoptr(GBytes) cab = make_cab("hello", &dcm);
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	cr_assert(open_bytes(cab, &p, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(ib_package_unread(p)->len, 1);
	cr_expect_str_eq(g_ptr_array_index(ib_package_unread(p), 0), dcm.name);
	GBytes *raw = ib_package_unread_bytes(p, "AMD64_packed_x_1.0.0.0_none_0.manifest");
	cr_expect(raw && g_bytes_get_size(raw) == dcm.size);
	cr_expect_eq(ib_package_manifests(p)->len, 1);
	ib_package_free(p);
}

#define ANSWER(name) \
	"<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><servicing><package action=\"install\">" ID(name) \
	"<source location=\"%configsetroot%\\x.CAB\" /></package></servicing></unattend>"

Test(package, update_file_with_inner_cabinet)
{
	g_autoptr(GBytes) cab = make_cab("hello", NULL);
	gsize len;
	const void *data = g_bytes_get_data(cab, &len);
	const struct cab_file files[] = { CAB_TEXT("WSUSSCAN.cab", "not looked into"), { "x.cab", data, len },
					  CAB_TEXT("x.xml", ANSWER("Lab-Package")), CAB_TEXT("x-pkgProperties.txt", "") };
	const struct cab_file lying[] = { { "x.cab", data, len }, CAB_TEXT("x.xml", ANSWER("Lab-Other")) };
	g_autoptr(GBytes) msu = cab_sample(files, 4), wrong = cab_sample(lying, 2);
	g_autoptr(GString) seen = g_string_new(NULL);
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	cr_assert(open_bytes(msu, &p, &err), "%s", err ? ib_error_cause(err) : "");
	cr_expect_eq(ib_package_container(p), IB_PACKAGE_MSU_CAB);
	const struct ib_package_member *first = g_ptr_array_index(ib_package_members(p), 2);
	cr_expect(ib_package_members(p)->len == 9 && strcmp(first->name, "x.cab\\update.mum") == 0);
	cr_expect(ib_package_each_payload(p, NULL, note_payload, seen, NULL, &err));
	cr_expect_str_eq(seen->str, "a.txt:here:5 gone.txt:missing:0 ");
	ib_package_free(p);
	cr_expect_not(open_bytes(wrong, &p, &err));
	cr_expect(err && strstr(ib_error_cause(err), "names other packages"));
}

Test(package, forms_refused_by_name)
{
	static const char other_mum[] = MUM("<package />");
	static const char id[] = "Lab-Package~31bf3856ad364e35~amd64~~10.0.17763.1.mum";
	const struct {
		struct cab_file file;
		const char *cause;
	} cases[] = {
		{ CAB_TEXT("express.psf.cix.xml", "<Container><Files/></Container>"), "there is no .psf" },
		{ CAB_TEXT("x.psf", ""), "has no index" },
		{ CAB_TEXT("_manifest_.cix.xml", ""), "not an XML file" },
		{ CAB_TEXT("_manifest_.cix.xml", "<Container/>"), "no element 'Files'" },
		{ { id, other_mum, sizeof(other_mum) - 1 }, "two different descriptions" },
		{ CAB_TEXT("update.mum", "<assembly/>"), "twice" },
		{ CAB_TEXT("Other~31bf3856ad364e35~amd64~~1.0.mum", MUM("<package />")), "gives the name" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GBytes) cab = make_cab("hello", &cases[i].file);
		struct ib_package *p = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(open_bytes(cab, &p, &err), "case %zu", i);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
		cr_expect(strstr(ib_error_cause(err), cases[i].cause), "case %zu: %s", i, ib_error_cause(err));
	}
}

Test(package, containers_refused)
{
	g_autoptr(GBytes) one = make_cab("hello", NULL);
	gsize len;
	const void *data = g_bytes_get_data(one, &len);
	const struct cab_file two_files[] = { { "SSU.cab", data, len }, { "LCU.cab", data, len } };
	const struct cab_file none_files[] = { CAB_TEXT("readme.txt", "x") };
	g_autoptr(GBytes) two = cab_sample(two_files, 2), none = cab_sample(none_files, 1);
	g_autoptr(GBytes) wim = g_bytes_new_static("MSWIM\0\0\0", 8), text = g_bytes_new_static("text", 4);
	const struct {
		GBytes *bytes;
		const char *cause;
	} cases[] = { { two, "'SSU.cab' and 'LCU.cab'" }, { none, "no 'update.mum'" }, { wim, "smaller than a header" },
		      { text, "neither" } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_package *p = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(open_bytes(cases[i].bytes, &p, &err), "case %zu", i);
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
		cr_expect(strstr(ib_error_cause(err), cases[i].cause), "case %zu: %s", i, ib_error_cause(err));
	}
}
