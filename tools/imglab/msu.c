#include "msu.h"

#include "cab.h"
#include "catalog.h"
#include "cix.h"
#include "delta.h"
#include "digest/digest.h"
#include "keyform.h"
#include "xmltext.h"

#include <string.h>


/* Smaller files are not worth two differentials. */
#define COMPLETE_BELOW 4096

/* A cabinet being filled: its members are gathered first, so that they can be listed with their hashes. */
struct packing {
	const struct lab_shipping *how;
	GPtrArray *members; /* struct lab_member, in the arena */
	bool flawed;        /* the one flaw is made */
	struct lab_catalog *catalog; /* of the package being packed */
	GPtrArray *history; /* struct lab_history, or NULL */
};

/* bytes: borrowed */
static void pack(struct packing *p, const char *name, GBytes *bytes)
{
	struct lab_member *m = lab_alloc(p->how->arena, sizeof(*m));

	m->name = name;
	m->bytes = lab_keep(p->how->arena, g_bytes_ref(bytes), (GDestroyNotify)g_bytes_unref);
	g_ptr_array_add(p->members, m);
}

/* The same bytes but one in the middle; a manifest, to stay well-formed XML, with a newline behind; a base without its
 * beginning, so that whatever is copied from it comes from other places. */
static GBytes *spoil(GBytes *bytes, enum lab_flaw flaw)
{
	const gsize cut = 4;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	if (flaw == LAB_FLAW_BASE && len > cut)
		return g_bytes_new_from_bytes(bytes, cut, len - cut);
	uint8_t *copy = g_malloc(len + 1);
	memcpy(copy, data, len);
	copy[len] = '\n';
	if (flaw != LAB_FLAW_MANIFEST)
		copy[len / 2] ^= 0x20;
	return g_bytes_new_take(copy, flaw == LAB_FLAW_MANIFEST ? len + 1 : len);
}

/* The member as it is, or, once for a flaw of this kind, spoiled. @return owned by the caller */
static GBytes *maybe_spoil(struct packing *p, GBytes *bytes, enum lab_flaw kind)
{
	if (p->how->flaw != kind || p->flawed || g_bytes_get_size(bytes) == 0)
		return g_bytes_ref(bytes);
	p->flawed = true;
	return spoil(bytes, kind);
}

/* Calls take() for each payload file of the package, as "<keyform>\\<file>". */
static void each_payload(struct packing *p, const struct lab_package *package,
			 void (*take)(struct packing *p, const struct lab_component *c, const char *key,
				      const struct lab_file *f))
{
	for (guint i = 0; i < package->components->len; i++) {
		const struct lab_component *c = package->components->pdata[i];
		g_autofree char *key = lab_key_long(&c->id);

		for (guint j = 0; j < c->files->len; j++)
			take(p, c, key, c->files->pdata[j]);
	}
}

static void list_payload(struct packing *p, const struct lab_component *c, const char *key, const struct lab_file *f)
{
	gsize len;
	const void *data = g_bytes_get_data(f->bytes, &len);

	lab_catalog_add_file(p->catalog, lab_printf(p->how->arena, "%s\\%s", key, f->name), data, len);
}

/* ---- differentials ---- */

/* A differential as updates carry it, from those already made if it is among them; borrowed. */
static GBytes *differential(struct packing *p, const char *path, GBytes *source, GBytes *target, bool usual)
{
	struct lab_delta d = { .source = source, .target = target, .crc = true, .program = true, .pa31 = p->how->differentials->pa31 };
	GHashTable *kept = usual ? p->how->differentials->made : NULL;
	GBytes *made = kept ? g_hash_table_lookup(kept, path) : NULL;

	if (made)
		return made;
	made = lab_delta_make(&d);
	if (kept)
		g_hash_table_insert(kept, g_strdup(path), made);
	else
		lab_keep(p->how->arena, made, (GDestroyNotify)g_bytes_unref);
	return made;
}

/* The base to pack against: for one file, if so asked, one that is not in the image. */
static GBytes *choose_base(struct packing *p, GBytes *base)
{
	GBytes *chosen = maybe_spoil(p, base, LAB_FLAW_BASE);

	return lab_keep(p->how->arena, chosen, (GDestroyNotify)g_bytes_unref);
}

static void record_history(struct packing *p, const char *path, GBytes *target, const char *source, GBytes *basis)
{
	struct lab_history *h;

	if (!p->history)
		return;
	h = lab_alloc(p->how->arena, sizeof(*h));
	*h = (struct lab_history){ .path = path, .target = target, .source = source, .basis = basis };
	g_ptr_array_add(p->history, h);
}

static void pack_differentials(struct packing *p, const char *key, const struct lab_file *f, GBytes *base)
{
	const char *kinds = base ? "fr" : "n";
	g_autoptr(GBytes) target = maybe_spoil(p, f->bytes, LAB_FLAW_PAYLOAD);
	GBytes *from = base ? choose_base(p, base) : NULL;
	bool usual = from == base && target == f->bytes;

	for (; *kinds; kinds++) {
		const char *path = lab_printf(p->how->arena, "%s\\%c\\%s", key, *kinds, f->name);
		bool back = *kinds == 'r';

		if (back && (p->how->flaw == LAB_FLAW_NO_REVERSE || p->how->differentials->forward_only))
			continue;
		GBytes *record = back ? differential(p, path, target, base, usual) :
					differential(p, path, from, target, usual);
		g_autoptr(GBytes) packed = back ? g_bytes_ref(record) : maybe_spoil(p, record, LAB_FLAW_DELTA);
		pack(p, path, packed);
		if (!back)
			record_history(p, lab_printf(p->how->arena, "%s\\%s", key, f->name), f->bytes, path, base);
	}
}

static void pack_payload(struct packing *p, const struct lab_component *c, const char *key, const struct lab_file *f)
{
	const struct lab_differentials *d = p->how->differentials;

	if (d && g_bytes_get_size(f->bytes) >= COMPLETE_BELOW) {
		pack_differentials(p, key, f, d->base(d->data, c, f->name));
		return;
	}
	g_autoptr(GBytes) bytes = maybe_spoil(p, f->bytes, LAB_FLAW_PAYLOAD);

	pack(p, lab_printf(p->how->arena, "%s\\%s", key, f->name), bytes);
}

/* ---- packages ---- */

static bool sign_members(struct packing *p, const struct lab_package *package, GPtrArray *members, GBytes **ret,
			 struct ib_error **err)
{
	lab_auto_catalog cat = lab_catalog_new(package->id.name);

	for (guint i = 0; i < members->len; i++) {
		const struct lab_member *m = members->pdata[i];
		gsize len;
		const void *data = g_bytes_get_data(m->bytes, &len);

		lab_catalog_add(cat, data, len);
	}
	p->catalog = cat;
	each_payload(p, package, list_payload);
	return lab_catalog_sign(cat, p->how->pki, p->how->signer, p->how->when, ret, err);
}

/* "<stem>.mum" and "<stem>.cat" */
static void pack_pair(struct packing *p, const char *stem, GBytes *mum, GBytes *cat)
{
	pack(p, lab_printf(p->how->arena, "%s.mum", stem), mum);
	if (cat)
		pack(p, lab_printf(p->how->arena, "%s.cat", stem), cat);
}

static void pack_names(struct packing *p, const struct lab_package *package, bool root, GBytes *mum, GBytes *cat)
{
	g_autofree char *id = lab_package_id(&package->id);
	g_autofree char *child = p->how->children == LAB_NAMES_UPPER ? g_ascii_strup(id, -1) : g_ascii_strdown(id, -1);

	if (root)
		pack_pair(p, "update", mum, cat);
	if (p->how->on_demand)
		pack_pair(p, id, mum, cat);
	else if (!root)
		pack_pair(p, child, mum, cat);
}

/* Deployments' manifests, then components', as lab_package_members() orders them; only the latter are compressed. */
static void pack_manifests(struct packing *p, const struct lab_package *package, GPtrArray *members)
{
	guint plain = 1;

	for (guint i = 0; i < package->updates->len; i++)
		plain += ((const struct lab_update *)package->updates->pdata[i])->deployment != NULL;
	for (guint i = 1; i < members->len; i++) {
		const struct lab_member *m = members->pdata[i];
		g_autoptr(GBytes) text = maybe_spoil(p, m->bytes, LAB_FLAW_MANIFEST);
		g_autoptr(GBytes) bytes = i < plain || !p->how->dictionary ? g_bytes_ref(text) :
									   lab_dcm_make(p->how->dictionary, text);

		pack(p, m->name, bytes);
	}
}

/* One package: mum and catalog, manifests, payload. Its members' first is the mum (lab_package_members). */
static bool pack_package(struct packing *p, const struct lab_package *package, bool root, struct ib_error **err)
{
	GPtrArray *members = lab_package_members(p->how->arena, package);
	const struct lab_member *mum = members->pdata[0];
	g_autoptr(GBytes) cat = NULL;

	if (p->how->flaw != LAB_FLAW_NO_CATALOG && !sign_members(p, package, members, &cat, err))
		return false;
	pack_names(p, package, root, mum->bytes, cat);
	pack_manifests(p, package, members);
	each_payload(p, package, pack_payload);
	/* Packages of the lab have one level of children, as Microsoft's have. */
	for (guint i = 0; root && i < package->children->len; i++)
		if (!pack_package(p, package->children->pdata[i], false, err))
			return false;
	return true;
}

/* What features on demand carry and no catalog covers: SHA-1 and size of each member. */
static GBytes *file_hashes(GPtrArray *members)
{
	g_autoptr(GString) text = g_string_new("\xef\xbb\xbf[sha1]\r\n\r\n");

	for (guint i = 0; i < members->len; i++) {
		const struct lab_member *m = members->pdata[i];
		uint8_t digest[IB_DIGEST_MAX];
		gsize len;
		const void *data = g_bytes_get_data(m->bytes, &len);

		ib_digest_bytes(IB_DIGEST_SHA1, data, len, digest);
		g_autofree char *hex = ib_hex(digest, IB_SHA1_SIZE);
		g_autofree char *upper = g_ascii_strup(hex, -1);
		g_string_append_printf(text, "%s=%s,%zX\r\n", m->name, upper, len);
	}
	size_t bytes;
	uint8_t *wide = ib_utf8_to_utf16(text->str, &bytes);
	return g_bytes_new_take(wide, bytes);
}

bool lab_package_pack(const struct lab_package *root, const struct lab_shipping *how, GPtrArray **ret, GPtrArray *history,
		      struct ib_error **err)
{
	struct packing p = { .how = how, .members = lab_array(how->arena), .history = history };

	if (!pack_package(&p, root, true, err))
		return ib_while(err, "packing '%s'", root->id.name);
	*ret = p.members;
	return true;
}

bool lab_package_cabinet(const struct lab_package *root, const struct lab_shipping *how, GBytes **ret,
			 struct ib_error **err)
{
	lab_auto_cab cab = lab_cab_new(how->method, how->when);
	GPtrArray *members = NULL;

	if (!lab_package_pack(root, how, &members, NULL, err))
		return false;
	if (how->on_demand) {
		g_autoptr(GBytes) hashes = file_hashes(members);

		lab_cab_add(cab, "$filehashes$.dat", hashes);
	}
	for (guint i = 0; i < members->len; i++) {
		const struct lab_member *m = members->pdata[i];

		lab_cab_add(cab, m->name, m->bytes);
	}
	return lab_cab_build(cab, LAB_SIGNATURE_BYTES, ret, err);
}

static void put_answer(struct lab_xml *x, const struct lab_package *root, const char *cab_name)
{
	g_autofree char *location = g_strdup_printf("%%configsetroot%%\\%.*s.CAB", (int)strlen(cab_name) - 4, cab_name);

	lab_xml_open(x, "package", "action", "install", NULL);
	lab_xml_empty(x, "assemblyIdentity", "name", root->id.name, "version", root->id.version, "language",
		      root->id.culture, "processorArchitecture", root->id.arch, "publicKeyToken", root->id.token, NULL);
	lab_xml_empty(x, "source", "location", location, NULL);
	lab_xml_close(x, "package");
}

/* The answer file that names the roots to install, in this order. */
static GBytes *answer_file(const struct lab_package *root, const char *cab_name, const struct lab_companion *companion)
{
	struct lab_xml x = lab_xml_begin();

	lab_xml_open(&x, "unattend", "xmlns", "urn:schemas-microsoft-com:unattend", NULL);
	lab_xml_open(&x, "servicing", NULL);
	if (companion)
		put_answer(&x, companion->root, companion->cab_name);
	put_answer(&x, root, cab_name);
	lab_xml_close(&x, "servicing");
	lab_xml_close(&x, "unattend");
	return lab_xml_end(&x);
}

static char *properties(const struct lab_package *root, const struct lab_shipping *how)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(how->when);
	g_autofree char *day = g_date_time_format(utc, "%Y/%m/%d");
	const char *number = g_str_has_prefix(root->identifier, "KB") ? root->identifier + 2 : root->identifier;

	return g_strdup_printf("ApplicabilityInfo=\"Windows 10.0 Client SKUs;\"\r\n"
			       "Applies to=\"Windows 10.0\"\r\n"
			       "Build Date=\"%s\"\r\n"
			       "Company=\"Imglab\"\r\n"
			       "File Version=\"1\"\r\n"
			       "Installation Type=\"FULL\"\r\n"
			       "Installer Engine=\"Component Based Servicing - WUSA.exe\"\r\n"
			       "Installer Version=\"6.0.0.0\"\r\n"
			       "KB Article Number=\"%s\"\r\n"
			       "Language=\"ALL\"\r\n"
			       "Package Type=\"%s\"\r\n"
			       "Processor Architecture=\"%s\"\r\n"
			       "Product Name=\"Windows 10.0\"\r\n"
			       "Support Link=\"http://imglab.invalid/kb/%s\"\r\n",
			       day, number, root->release_type, root->id.arch, number);
}

/* What an update agent would scan; readers of packages pass over it. */
static bool scan_cabinet(const struct lab_shipping *how, GBytes **ret, struct ib_error **err)
{
	lab_auto_cab cab = lab_cab_new(LAB_CAB_MSZIP, how->when);

	lab_cab_add_text(cab, "package.xml",
			 "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<OfflineSyncPackage />\r\n");
	return lab_cab_build(cab, 0, ret, err);
}

bool lab_msu_around(const struct lab_package *root, const char *name, const struct lab_shipping *how, GBytes *cab,
		    const struct lab_companion *companion, GBytes **ret, struct ib_error **err)
{
	lab_auto_cab msu = lab_cab_new(LAB_CAB_STORED, how->when); /* its big member is compressed already */
	const char *mark = how->differentials ? "_PSFX" : "";
	g_autofree char *cab_name = g_strconcat(name, mark, ".cab", NULL);
	g_autofree char *xml_name = g_strconcat(name, mark, ".xml", NULL);
	g_autofree char *txt_name = g_strconcat(name, "-pkgProperties", mark, ".txt", NULL);
	g_autofree char *text = properties(root, how);
	g_autoptr(GBytes) scan = NULL, answer = answer_file(root, cab_name, companion);

	if (!scan_cabinet(how, &scan, err))
		return false;
	lab_cab_add(msu, "WSUSSCAN.cab", scan);
	if (companion)
		lab_cab_add(msu, companion->cab_name, companion->cab);
	lab_cab_add(msu, cab_name, cab);
	lab_cab_add(msu, xml_name, answer);
	lab_cab_add_text(msu, txt_name, text);
	return lab_cab_build(msu, LAB_SIGNATURE_BYTES, ret, err);
}

bool lab_msu(const struct lab_package *root, const char *name, const struct lab_shipping *how, GBytes **ret,
	     struct ib_error **err)
{
	g_autoptr(GBytes) cab = NULL;

	return lab_package_cabinet(root, how, &cab, err) && lab_msu_around(root, name, how, cab, NULL, ret, err);
}
