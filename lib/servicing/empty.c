/*
 * Empty winners: for each component the same family at a version above all others, with a manifest that holds nothing
 * but its name, in a package and with a deployment of its own. Windows then has nothing to project; the versions below
 * stay in the store, and what comes later stays below too.
 */
#include "servicing/internal.h"

#include <string.h>

#include "digest/digest.h"
#include "trust/trust.h"
#include "xml/xml.h"

/* What third-party packages of this kind use, and Windows accepts: above any version a build of Windows can have. */
#define EMPTY_VERSION "38655.38527.65535.65535"
#define EMPTY_MAJOR 38655
#define EMPTY_MINOR 38527
#define TOKEN "31bf3856ad364e35"
#define NS "urn:schemas-microsoft-com:asm.v3"

bool ib_svc_is_empty_winner(const struct ib_identity *id)
{
	return id->number.part[0] == EMPTY_MAJOR && id->number.part[1] == EMPTY_MINOR;
}

bool ib_svc_brings_nothing(struct ib_store *s, struct ib_component *c)
{
	ib_auto_error why = NULL;
	const struct ib_manifest *m = NULL;

	if (!ib_svc_is_empty_winner(&c->id) || !ib_svc_manifest(s, c, &m, &why) || !m)
		return false;
	return m->is_empty;
}

/* What is being made. */
struct making {
	struct ib_store *s;
	const char *name;
	struct ib_identity package;
	GPtrArray *manifests; /* struct ib_manifest *: component, deployment, component, deployment … */
	struct ib_mum *mum;
};

/* ---- texts ---- */

static void put_attribute(GString *x, const char *name, const char *value)
{
	g_autofree char *safe = value ? g_markup_escape_text(value, -1) : NULL;

	if (safe)
		g_string_append_printf(x, " %s=\"%s\"", name, safe);
}

static void put_identity(GString *x, const struct ib_identity *id)
{
	g_string_append(x, "<assemblyIdentity");
	put_attribute(x, "name", id->name);
	put_attribute(x, "version", id->version);
	put_attribute(x, "processorArchitecture", id->arch);
	put_attribute(x, "language", id->culture ? id->culture : "neutral");
	put_attribute(x, "publicKeyToken", id->token);
	put_attribute(x, "type", id->type);
	put_attribute(x, "versionScope", id->scope);
	g_string_append(x, " />");
}

static GString *open_assembly(const struct ib_identity *id)
{
	GString *x = g_string_new("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<assembly xmlns=\"" NS
				  "\" manifestVersion=\"1.0\">\r\n  ");

	put_identity(x, id);
	g_string_append(x, "\r\n");
	return x;
}

static GBytes *close_assembly(GString *x)
{
	g_string_append(x, "</assembly>\r\n");
	return g_string_free_to_bytes(x);
}

static bool add_manifest(struct making *m, const struct ib_identity *id, const struct ib_identity *brings,
			 struct ib_error **err)
{
	g_autofree char *form = ib_keyform(id, IB_KEYFORM_LONG);
	g_autofree char *file = g_strconcat(form, ".manifest", NULL);
	struct ib_manifest *manifest = NULL;
	GString *x = open_assembly(id);

	if (brings) {
		g_string_append(x, "  <deployment />\r\n  <dependency discoverable=\"false\"><dependentAssembly dependencyType=\"install\">");
		put_identity(x, brings);
		g_string_append(x, "</dependentAssembly></dependency>\r\n");
	}
	g_autoptr(GBytes) bytes = close_assembly(x);
	if (!ib_manifest_parse(bytes, NULL, file, &manifest, err))
		return false;
	g_ptr_array_add(m->manifests, manifest);
	return true;
}

/* Forty hex digits that depend on removal and family alone. */
static const char *deployment_name(const char *removal, const struct ib_family *f)
{
	g_autofree char *text = g_strconcat("imgbuild removal ", removal, " ", f->keyform, NULL);
	uint8_t hash[IB_DIGEST_MAX];

	ib_digest_bytes(IB_DIGEST_SHA1, text, strlen(text), hash);
	g_autofree char *hex = ib_hex(hash, IB_SHA1_SIZE);
	return g_intern_string(hex);
}

static bool add_pair(struct making *m, const struct ib_component *c, struct ib_error **err)
{
	struct ib_identity empty = c->id;
	struct ib_identity deployment = { .name = deployment_name(m->name, c->family), .version = EMPTY_VERSION,
					  .arch = c->id.arch, .token = c->id.token, .scope = "nonSxS" };

	empty.version = EMPTY_VERSION;
	return ib_version_parse(EMPTY_VERSION, &empty.number) && ib_version_parse(EMPTY_VERSION, &deployment.number) &&
	       add_manifest(m, &empty, NULL, err) && add_manifest(m, &deployment, &empty, err);
}

static bool make_mum(struct making *m, struct ib_error **err)
{
	g_autofree char *id = ib_package_id(&m->package);
	g_autofree char *file = g_strconcat(id, ".mum", NULL);
	GString *x = open_assembly(&m->package);

	g_string_append(x, "  <package");
	put_attribute(x, "identifier", m->name);
	g_string_append(x, " releaseType=\"Feature Pack\">\r\n");
	for (guint i = 1; i < m->manifests->len; i += 2) {
		const struct ib_manifest *d = m->manifests->pdata[i];
		g_string_append_printf(x, "    <update name=\"%s\"><component>", d->id.name);
		put_identity(x, &d->id);
		g_string_append(x, "</component></update>\r\n");
	}
	g_string_append(x, "  </package>\r\n");
	g_autoptr(GBytes) bytes = close_assembly(x);
	return ib_mum_parse(bytes, file, &m->mum, err);
}

static bool make_catalog(struct making *m, struct ib_error **err)
{
	g_autoptr(GByteArray) digests = g_byte_array_new();
	uint8_t hash[IB_DIGEST_MAX];
	size_t len;
	const void *data = g_bytes_get_data(m->mum->bytes, &len);

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	g_byte_array_append(digests, hash, IB_SHA256_SIZE);
	for (guint i = 0; i < m->manifests->len; i++)
		g_byte_array_append(digests, ((const struct ib_manifest *)m->manifests->pdata[i])->sha256, IB_SHA256_SIZE);
	return ib_catalog_write(digests->data, digests->len / IB_SHA256_SIZE,
				(int64_t)(m->s->time / 10000000u) - 11644473600ll, &m->mum->catalog, err);
}

/* ---- the plan ---- */

static void free_deployment(void *p)
{
	struct ib_plan_deployment *d = p;

	g_free(d->short_form);
	g_free(d);
}

static void free_component(void *p)
{
	struct ib_plan_component *c = p;

	g_ptr_array_unref(c->deployments);
	g_free(c);
}

static void plan_component(struct ib_plan_install *plan, const struct ib_manifest *m, const char *deployment)
{
	struct ib_plan_component *c = g_new0(struct ib_plan_component, 1);

	c->manifest = m;
	c->install = true;
	c->deployments = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(c->deployments, g_strdup(deployment));
	g_ptr_array_add(plan->components, c);
}

/* One component with its deployment. */
static void plan_pair(const struct making *m, struct ib_plan_install *plan, guint i, struct ib_component *before,
		      const struct ib_plan_package *package)
{
	const struct ib_manifest *empty = m->manifests->pdata[2 * i], *deployment = m->manifests->pdata[2 * i + 1];
	struct ib_plan_deployment *d = g_new0(struct ib_plan_deployment, 1);
	struct ib_plan_winner won = { .now = empty, .before = before }, own = { .now = deployment };

	d->package = package;
	d->update = deployment->id.name;
	d->manifest = deployment;
	d->short_form = ib_keyform(&deployment->id, IB_KEYFORM_SHORT);
	d->install = true;
	g_ptr_array_add(plan->deployments, d);
	plan_component(plan, empty, d->short_form);
	plan_component(plan, deployment, d->short_form);
	g_array_append_val(plan->winners, won);
	g_array_append_val(plan->winners, own);
}

static bool carry_out(struct making *m, const GPtrArray *components, struct ib_error **err)
{
	g_autoptr(GArray) updates = g_array_new(FALSE, FALSE, sizeof(struct ib_plan_update));
	g_autoptr(GPtrArray) packages = g_ptr_array_new();
	g_autoptr(GPtrArray) deployments = g_ptr_array_new_with_free_func(free_deployment);
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(free_component);
	g_autoptr(GArray) winners = g_array_new(FALSE, FALSE, sizeof(struct ib_plan_winner));
	struct ib_plan_package package = { .mum = m->mum, .owner = m->mum->package_id, .state = STATE_INSTALLED,
					   .updates = updates };
	struct ib_plan_install plan = { .packages = packages, .deployments = deployments, .components = rows,
					.winners = winners };
	struct ib_install_summary sum = { 0 };

	g_ptr_array_add(packages, &package);
	for (guint i = 0; i < m->mum->updates->len; i++) {
		struct ib_plan_update u = { .update = m->mum->updates->pdata[i], .state = STATE_INSTALLED };
		g_array_append_val(updates, u);
	}
	for (guint i = 0; i < components->len; i++)
		plan_pair(m, &plan, i, components->pdata[i], &package);
	return ib_svc_install_plan(m->s, &plan, &sum, err);
}

/* Letters, digits, '-' and '.': what a package's name may hold. n: 0 for the first of this name. */
static const char *package_name(const char *removal, unsigned n)
{
	g_autofree char *number = n ? g_strdup_printf("-%u", n + 1) : g_strdup("");
	g_autofree char *name = g_strconcat("imgbuild-Removal-", removal, number, "-Package", NULL);

	for (char *p = name; *p; p++)
		if (!g_ascii_isalnum(*p) && *p != '-' && *p != '.')
			*p = '-';
	return g_intern_string(name);
}

/* A package of the name may be there already, for what an earlier run took out: this one comes beside it. */
static bool choose_name(struct making *m, struct ib_error **err)
{
	for (unsigned n = 0; n < 1000; n++) {
		struct ib_key *key;
		m->package.name = package_name(m->name, n);
		g_autofree char *id = ib_package_id(&m->package);
		if (!ib_svc_package_key(m->s, id, false, &key, err))
			return false;
		if (!key)
			return true;
	}
	return ib_throw(err, IB_ERR_INPUT, "the image has too many packages '%s'", m->package.name);
}

bool ib_svc_empty_winners(struct ib_store *s, const char *name, const GPtrArray *components, char **ret_package_id,
			  struct ib_error **err)
{
	g_autoptr(GPtrArray) manifests = g_ptr_array_new_with_free_func((GDestroyNotify)ib_manifest_free);
	struct making m = { .s = s, .name = name, .manifests = manifests };
	bool ok = true;

	m.package = (struct ib_identity){ .arch = s->arch, .token = TOKEN, .version = "1.0.0.0", .number = { { 1 } } };
	for (guint i = 0; ok && i < components->len; i++)
		ok = add_pair(&m, components->pdata[i], err);
	ok = ok && choose_name(&m, err) && make_mum(&m, err) && make_catalog(&m, err) && carry_out(&m, components, err);
	if (ok)
		*ret_package_id = g_strdup(m.mum->package_id);
	ib_mum_free(m.mum);
	return ok ? true : ib_while(err, "giving '%s' empty winners", name);
}
