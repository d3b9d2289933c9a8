/* Documents of our own. Every id is a name-based UUID, every date the caller's. */
#include "metadata/internal.h"

#include <string.h>

/*
 * Categories have one fixed date: a category is the same document in every catalog of its vendor,
 * whatever image brought it there first.
 */
#define CATEGORY_DATE "2020-01-01T00:00:00Z"

/* The name space of our ids: that of domain names (RFC 4122) and a name of our own below it. */
static void name_space(uint8_t ret[16])
{
	static const uint8_t dns[16] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
					 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };

	ib_uuid5(dns, "upgrade-metadata.imgbuild", ret);
}

/* Parts are joined by line feeds, which no part holds. */
static char *make_id(const char *const *parts)
{
	g_autofree char *name = g_strjoinv("\n", (char **)parts);
	uint8_t space[16], id[16];

	name_space(space);
	ib_uuid5(space, name, id);
	return ib_uuid_text(id);
}

static char *vendor_id(const struct author *a, const char *what)
{
	return make_id((const char *const[]){ what, a->image->vendor, NULL });
}

static char *image_id(const struct author *a, const char *what)
{
	g_autofree char *version = version_text(&a->version);

	return make_id((const char *const[]){ what, a->image->vendor, a->image->edition, a->image->arch, a->image->stream,
					      version, NULL });
}

void author_ids(struct author *a)
{
	a->company_id = vendor_id(a, "company");
	a->family_id = vendor_id(a, "family");
	a->product_id = vendor_id(a, "product");
	a->publisher_id = vendor_id(a, "publisher");
	a->parent_id = image_id(a, "parent");
	a->child_id = image_id(a, "child");
}

void author_clear(struct author *a)
{
	g_free(a->line);
	g_free(a->company_id);
	g_free(a->family_id);
	g_free(a->product_id);
	g_free(a->publisher_id);
	g_free(a->parent_id);
	g_free(a->child_id);
	g_clear_pointer(&a->sources, g_ptr_array_unref);
}

/* ---- parts of a document ---- */

static struct ib_xml *begin(const char *id, unsigned revision)
{
	struct ib_xml *doc = ib_xml_new("upd:Update");
	struct ib_xml_node *root = ib_xml_root(doc);
	g_autofree char *number = g_strdup_printf("%u", revision);

	/* consumers compare names with their prefixes as text: exactly these */
	ib_xml_declare(root, "upd", NS_UPD);
	ib_xml_declare(root, "bar", NS_BAR);
	ib_xml_declare(root, "lar", NS_LAR);
	ib_xml_declare(root, "cat", NS_CAT);
	ib_xml_declare(root, "cmd", NS_CMD);
	ib_xml_declare(root, "xsi", NS_XSI);
	struct ib_xml_node *identity = ib_xml_add(root, "upd:UpdateIdentity");
	ib_xml_set(identity, "UpdateID", id);
	ib_xml_set(identity, "RevisionNumber", number);
	return doc;
}

static struct ib_xml_node *add_properties(struct ib_xml *doc, const struct author *a, const char *type,
					  const char *date)
{
	struct ib_xml_node *p = ib_xml_add(ib_xml_root(doc), "upd:Properties");

	ib_xml_set(p, "DefaultPropertiesLanguage", "en");
	ib_xml_set(p, "UpdateType", type);
	ib_xml_set(p, "ExplicitlyDeployable", "false");
	ib_xml_set(p, "AutoSelectOnWebSites", "false");
	ib_xml_set(p, "IsPublic", "false");
	ib_xml_set(p, "PerUser", "false");
	ib_xml_set(p, "PublicationState", "Published");
	ib_xml_set(p, "CreationDate", date);
	ib_xml_set(p, "PublisherID", a->publisher_id);
	return p;
}

static void add_title(struct ib_xml *doc, const char *title, const char *description)
{
	struct ib_xml_node *all = ib_xml_add(ib_xml_root(doc), "upd:LocalizedPropertiesCollection");
	struct ib_xml_node *one = ib_xml_add(all, "upd:LocalizedProperties");

	ib_xml_add_text(one, "upd:Language", "en");
	ib_xml_add_text(one, "upd:Title", title);
	ib_xml_add_text(one, "upd:Description", description);
}

static void add_reference(struct ib_xml_node *parent, const char *id, const char *revision)
{
	struct ib_xml_node *n = ib_xml_add(parent, "upd:UpdateIdentity");

	ib_xml_set(n, "UpdateID", id);
	ib_xml_set(n, "RevisionNumber", revision);
}

static void add_category_clause(struct ib_xml_node *prerequisites, const char *id)
{
	struct ib_xml_node *clause = ib_xml_add(prerequisites, "upd:AtLeastOne");

	ib_xml_set(clause, "IsCategory", "true");
	add_reference(clause, id, NULL);
}

/* What was written is read as any other document is. The document is taken. */
static bool finish(struct ib_xml *doc, const char *id, struct update **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = ib_xml_write(doc, 0);
	g_autofree char *name = g_strconcat(id, ".xml", NULL);
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	ib_xml_free(doc);
	if (!update_read(data, len, name, ret, err))
		return false;
	(*ret)->fresh = true;
	return true;
}

/* ---- categories ---- */

static bool add_category(const struct author *a, const char *id, const char *title, const char *type,
			 const char *parent, GPtrArray *list, struct ib_error **err)
{
	struct ib_xml *doc = begin(id, 1);
	struct ib_xml_node *root = ib_xml_root(doc);
	struct update *u;

	ib_xml_set(add_properties(doc, a, "Category", CATEGORY_DATE), "Handler", NS_CAT);
	add_title(doc, title, title);
	if (parent)
		add_category_clause(ib_xml_add(ib_xml_add(root, "upd:Relationships"), "upd:Prerequisites"), parent);
	ib_xml_add(ib_xml_add(ib_xml_add(root, "upd:ApplicabilityRules"), "upd:IsInstalled"), "lar:True");
	struct ib_xml_node *data = ib_xml_add(root, "upd:HandlerSpecificData");
	ib_xml_set(data, "xsi:type", "cat:Category");
	struct ib_xml_node *information = ib_xml_add(data, "cat:CategoryInformation");
	ib_xml_set(information, "CategoryType", type);
	ib_xml_set(information, "ProhibitsSubcategories", strcmp(type, "Product") == 0 ? "true" : "false");
	ib_xml_set(information, "ProhibitsUpdates", parent || strcmp(type, "Company") != 0 ? "false" : "true");
	ib_xml_set(information, "ExcludedByDefault", "false");
	if (!finish(doc, id, &u, err))
		return false;
	g_ptr_array_add(list, u);
	return true;
}

bool author_categories(const struct author *a, GPtrArray *ret, struct ib_error **err)
{
	const char *vendor = a->image->vendor;
	g_autofree char *family = g_strdup_printf("%s Windows", vendor);
	g_autofree char *product = g_strdup_printf("%s Windows images", vendor);

	return add_category(a, a->company_id, vendor, "Company", NULL, ret, err) &&
	       add_category(a, a->family_id, family, "ProductFamily", a->company_id, ret, err) &&
	       add_category(a, a->product_id, product, "Product", a->family_id, ret, err) &&
	       add_category(a, UPGRADES_ID, "Upgrades", "UpdateClassification", NULL, ret, err);
}

/* ---- the pair ---- */

static const char *description_of(const struct author *a)
{
	return a->image->description && *a->image->description ? a->image->description : a->image->name;
}

static void add_file(struct ib_xml_node *root, const struct ib_metadata_image *image, const char *date)
{
	struct ib_xml_node *file = ib_xml_add(ib_xml_add(root, "upd:Files"), "upd:File");
	g_autofree char *sha1 = g_base64_encode(image->sha1, sizeof image->sha1);
	g_autofree char *sha256 = g_base64_encode(image->sha256, sizeof image->sha256);
	g_autofree char *size = g_strdup_printf("%" PRIu64, image->file_bytes);

	ib_xml_set(file, "Digest", sha1);
	ib_xml_set(file, "DigestAlgorithm", "SHA1");
	ib_xml_set(file, "FileName", image->file_name);
	ib_xml_set(file, "Size", size);
	ib_xml_set(file, "Modified", date);
	ib_xml_set(ib_xml_add_text(file, "upd:AdditionalDigest", sha256), "Algorithm", "SHA256");
}

/*
 * Attach the ISO and run its Setup. PowerShell is on every machine the rules let through; the file
 * name has no quotes (checked before). Setup restarts the machine by itself only when told so.
 */
static void add_command(struct ib_xml_node *root, const char *file_name)
{
	static const struct { const char *code, *result, *reboot; } codes[] = {
		{ "0", "Succeeded", "true" }, { "3010", "Succeeded", "true" }, { "1641", "Succeeded", "true" },
	};
	struct ib_xml_node *data = ib_xml_add(root, "upd:HandlerSpecificData");
	g_autofree char *arguments = g_strdup_printf(
		"-NoProfile -NonInteractive -ExecutionPolicy Bypass -Command \"$v = Mount-DiskImage -PassThru -ImagePath "
		"(Join-Path (Get-Location) '%s') | Get-Volume; $p = Start-Process -Wait -PassThru "
		"($v.DriveLetter + ':\\setup.exe') '/auto upgrade /quiet /noreboot /eula accept /dynamicupdate disable'; "
		"exit $p.ExitCode\"", file_name);

	ib_xml_set(data, "xsi:type", "cmd:CommandLineInstallation");
	struct ib_xml_node *command = ib_xml_add(data, "cmd:InstallCommand");
	ib_xml_set(command, "Program", "powershell.exe");
	ib_xml_set(command, "Arguments", arguments);
	ib_xml_set(command, "DefaultResult", "Failed");
	ib_xml_set(command, "RebootByDefault", "false");
	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
		struct ib_xml_node *code = ib_xml_add(command, "cmd:ReturnCode");
		ib_xml_set(code, "Code", codes[i].code);
		ib_xml_set(code, "Result", codes[i].result);
		ib_xml_set(code, "Reboot", codes[i].reboot);
	}
}

static bool author_child(const struct author *a, const char *date, struct update **ret, struct ib_error **err)
{
	struct ib_xml *doc = begin(a->child_id, 1);
	struct ib_xml_node *root = ib_xml_root(doc);
	struct ib_xml_node *properties = add_properties(doc, a, "Software", date);
	g_autofree char *size = g_strdup_printf("%" PRIu64, a->image->file_bytes);

	ib_xml_set(properties, "Handler", NS_CMD);
	ib_xml_set(properties, "MaxDownloadSize", size);
	ib_xml_set(properties, "MinDownloadSize", size);
	struct ib_xml_node *behavior = ib_xml_add(properties, "upd:InstallationBehavior");
	ib_xml_set(behavior, "RebootBehavior", "AlwaysRequiresReboot");
	ib_xml_set(behavior, "Impact", "RequiresExclusiveHandling");
	ib_xml_set(behavior, "CanRequestUserInput", "false");
	ib_xml_set(behavior, "RequiresNetworkConnectivity", "false");
	add_title(doc, a->image->name, description_of(a));
	rules_write(ib_xml_add(root, "upd:ApplicabilityRules"), a);
	add_file(root, a->image, date);
	add_command(root, a->image->file_name);
	return finish(doc, a->child_id, ret, err);
}

static bool author_parent(const struct author *a, const char *date, struct update **ret, struct ib_error **err)
{
	struct ib_xml *doc = begin(a->parent_id, 1);
	struct ib_xml_node *root = ib_xml_root(doc);
	struct ib_xml_node *properties = add_properties(doc, a, "Software", date);

	ib_xml_set(properties, "ExplicitlyDeployable", "true");
	ib_xml_set(properties, "AutoSelectOnWebSites", "true");
	if (a->image->support_url)
		ib_xml_add_text(properties, "upd:SupportUrl", a->image->support_url);
	add_title(doc, a->image->name, description_of(a));
	struct ib_xml_node *relations = ib_xml_add(root, "upd:Relationships");
	struct ib_xml_node *prerequisites = ib_xml_add(relations, "upd:Prerequisites");
	add_category_clause(prerequisites, a->product_id);
	add_category_clause(prerequisites, UPGRADES_ID);
	add_reference(ib_xml_add(ib_xml_add(relations, "upd:BundledUpdates"), "upd:AtLeastOne"), a->child_id, "1");
	return finish(doc, a->parent_id, ret, err);
}

bool author_pair(const struct author *a, GPtrArray *ret, struct ib_error **err)
{
	g_autofree char *date = ib_time_text(a->image->date);
	struct update *u;

	if (!author_child(a, date, &u, err))
		return false;
	g_ptr_array_add(ret, u);
	if (!author_parent(a, date, &u, err))
		return false;
	g_ptr_array_add(ret, u);
	return true;
}

/* ---- relations ---- */

/* A copy of an element of the relations, all of which are in the update's own name space. */
static void add_twin(struct ib_xml_node *parent, const struct ib_xml_node *node)
{
	g_autofree char *name = g_strconcat("upd:", ib_xml_name(node), NULL);
	struct ib_xml_node *twin = ib_xml_add(parent, name);
	const char *attribute, *value;

	for (size_t i = 0; ib_xml_attrs(node, i, &attribute, &value); i++)
		ib_xml_set(twin, attribute, value);
	for (const struct ib_xml_node *n = ib_xml_first(node, NULL); n; n = ib_xml_next(n, NULL))
		add_twin(twin, n);
}

/* SupersededUpdates stands first among the relations: whatever was there follows as a copy. */
static void fresh_relations(struct ib_xml_node *root, const GPtrArray *ids)
{
	struct ib_xml_node *relations = ib_xml_first(root, "Relationships");
	struct ib_xml_node *end = NULL;

	for (struct ib_xml_node *n = ib_xml_first(relations, NULL); n; n = ib_xml_next(n, NULL))
		end = n;
	if (ids->len > 0) {
		struct ib_xml_node *list = ib_xml_add(relations, "upd:SupersededUpdates");
		for (guint i = 0; i < ids->len; i++)
			add_reference(list, g_ptr_array_index(ids, i), NULL);
	}
	for (struct ib_xml_node *n = ib_xml_first(relations, NULL), *next; n; n = next) {
		bool last = n == end;
		next = ib_xml_next(n, NULL);
		if (strcmp(ib_xml_name(n), "SupersededUpdates") != 0)
			add_twin(relations, n);
		ib_xml_remove(n);
		if (last)
			break;
	}
}

bool author_supersede(struct update **u, const GPtrArray *ids, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = update_bytes(*u);
	unsigned revision = (*u)->revision + ((*u)->fresh ? 0 : 1);
	g_autofree char *number = g_strdup_printf("%u", revision);
	struct ib_xml *doc = NULL;
	struct update *changed;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	if (!ib_xml_parse(data, len, (*u)->file, &doc, err))
		return false;
	if (!ib_xml_first(ib_xml_root(doc), "Relationships")) {
		ib_xml_free(doc);
		return ib_throw(err, IB_ERR_INPUT, "'%s' has no relations that could be revised", (*u)->file);
	}
	ib_xml_set(ib_xml_first(ib_xml_root(doc), "UpdateIdentity"), "RevisionNumber", number);
	fresh_relations(ib_xml_root(doc), ids);
	if (!finish(doc, (*u)->id, &changed, err))
		return ib_while(err, "revising the relations of '%s'", (*u)->title);
	*u = changed;
	return true;
}
