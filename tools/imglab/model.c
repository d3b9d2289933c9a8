/* The laboratory's model: arena and builders. Its texts are in manifest.c and mum.c. */
#include <string.h>

#include "digest/digest.h"

#include "keyform.h"
#include "model.h"

#define TRUSTED_INSTALLER "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

/* Read and execute for everybody, everything for the installer: what Windows 10 gives its files. */
const char lab_sddl_wrp_file[] =
	"O:" TRUSTED_INSTALLER "G:" TRUSTED_INSTALLER "D:P(A;;FA;;;" TRUSTED_INSTALLER ")"
	"(A;;GRGX;;;BA)(A;;GRGX;;;SY)(A;;GRGX;;;BU)(A;;GRGX;;;S-1-15-2-1)(A;;GRGX;;;S-1-15-2-2)"
	"S:(AU;FASA;0x000D0116;;;WD)";
const char lab_sddl_wrp_key[] =
	"O:" TRUSTED_INSTALLER "G:" TRUSTED_INSTALLER "D:P(A;CI;GA;;;" TRUSTED_INSTALLER ")"
	"(A;CI;GR;;;SY)(A;CI;GR;;;BA)(A;CI;GR;;;BU)(A;CI;GR;;;S-1-15-2-1)(A;CI;GR;;;S-1-15-2-2)"
	"S:(AU;CISAFA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)";

/* ---- arena ---- */

struct kept {
	void *object;
	GDestroyNotify destroy;
};

struct lab_arena {
	GArray *kept; /* struct kept, freed last first */
};

struct lab_arena *lab_arena_new(void)
{
	struct lab_arena *a = g_new0(struct lab_arena, 1);

	a->kept = g_array_new(FALSE, FALSE, sizeof(struct kept));
	return a;
}

void lab_arena_free(struct lab_arena *a)
{
	if (!a)
		return;
	for (guint i = a->kept->len; i-- > 0;) {
		struct kept *k = &g_array_index(a->kept, struct kept, i);

		k->destroy(k->object);
	}
	g_array_free(a->kept, TRUE);
	g_free(a);
}

void *lab_keep(struct lab_arena *a, void *object, GDestroyNotify destroy)
{
	struct kept k = { .object = object, .destroy = destroy };

	g_array_append_val(a->kept, k);
	return object;
}

void *lab_alloc(struct lab_arena *a, size_t size)
{
	return lab_keep(a, g_malloc0(size), g_free);
}

const char *lab_printf(struct lab_arena *a, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = g_strdup_vprintf(fmt, args);
	va_end(args);
	return lab_keep(a, text, g_free);
}

GPtrArray *lab_array(struct lab_arena *a)
{
	return lab_keep(a, g_ptr_array_new(), (GDestroyNotify)g_ptr_array_unref);
}

/* ---- builders ---- */

struct lab_identity lab_component_identity(const char *name, const char *version, const char *arch,
					   const char *culture)
{
	return (struct lab_identity){ .name = name, .version = version, .arch = arch, .culture = culture,
				      .token = LAB_TOKEN, .scope = "nonSxS" };
}

struct lab_identity lab_package_identity(const char *name, const char *version, const char *arch,
					 const char *culture)
{
	return (struct lab_identity){ .name = name, .version = version, .arch = arch, .culture = culture,
				      .token = LAB_TOKEN };
}

struct lab_component *lab_component_new(struct lab_arena *a, struct lab_identity id)
{
	struct lab_component *c = lab_alloc(a, sizeof(*c));

	c->id = id;
	GPtrArray **arrays[] = { &c->dependencies, &c->files, &c->directories, &c->keys, &c->services, &c->svchost,
				 &c->firewall, &c->tasks, &c->events, &c->sddls, &c->extra };
	for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
		*arrays[i] = lab_array(a);
	return c;
}

static void define_sddl(struct lab_arena *a, struct lab_component *c, const char *name, const char *text)
{
	for (guint i = 0; i < c->sddls->len; i++)
		if (g_str_equal(((const struct lab_sddl *)c->sddls->pdata[i])->name, name))
			return;
	struct lab_sddl *s = lab_alloc(a, sizeof(*s));

	*s = (struct lab_sddl){ name, text };
	g_ptr_array_add(c->sddls, s);
}

struct lab_file *lab_add_file(struct lab_arena *a, struct lab_component *c, const char *name,
			      const char *destination_path, GBytes *bytes)
{
	struct lab_file *f = lab_alloc(a, sizeof(*f));

	*f = (struct lab_file){ .name = name, .destination_path = destination_path, .sddl = LAB_WRP_FILE,
				.bytes = lab_keep(a, bytes, (GDestroyNotify)g_bytes_unref) };
	define_sddl(a, c, LAB_WRP_FILE, lab_sddl_wrp_file);
	g_ptr_array_add(c->files, f);
	return f;
}

struct lab_regkey *lab_add_key(struct lab_arena *a, struct lab_component *c, const char *path)
{
	struct lab_regkey *k;

	for (guint i = 0; i < c->keys->len; i++) {
		k = c->keys->pdata[i];
		if (!g_ascii_strcasecmp(k->path, path))
			return k;
	}
	k = lab_alloc(a, sizeof(*k));
	k->path = path;
	k->sddl = LAB_WRP_KEY;
	k->values = lab_array(a);
	define_sddl(a, c, LAB_WRP_KEY, lab_sddl_wrp_key);
	g_ptr_array_add(c->keys, k);
	return k;
}

void lab_add_value(struct lab_arena *a, struct lab_regkey *key, const char *name, uint32_t type,
		   const char *value)
{
	struct lab_regvalue *v = lab_alloc(a, sizeof(*v));

	*v = (struct lab_regvalue){ .name = name, .type = type, .value = value };
	g_ptr_array_add(key->values, v);
}

void lab_add_dependency(struct lab_arena *a, struct lab_component *c, const struct lab_identity *id)
{
	struct lab_dependency *d = lab_alloc(a, sizeof(*d));

	*d = (struct lab_dependency){ .identity = *id, .discoverable = "yes", .type = "install" };
	g_ptr_array_add(c->dependencies, d);
}

struct lab_package *lab_package_new(struct lab_arena *a, struct lab_identity id, const char *identifier,
				    const char *release_type)
{
	struct lab_package *p = lab_alloc(a, sizeof(*p));

	*p = (struct lab_package){ .id = id, .identifier = identifier, .release_type = release_type,
				   .parents = lab_array(a), .updates = lab_array(a), .components = lab_array(a),
				   .children = lab_array(a) };
	return p;
}

struct lab_parent *lab_add_parent(struct lab_arena *a, struct lab_package *p, struct lab_identity id)
{
	struct lab_parent *parent = lab_alloc(a, sizeof(*parent));
	struct lab_identity *copy = lab_alloc(a, sizeof(*copy));

	*copy = id;
	*parent = (struct lab_parent){ .identities = lab_array(a), .build_compare = "EQ", .revision_compare = "GE",
				       .disposition = "detect", .integrate = "separate" };
	g_ptr_array_add(parent->identities, copy);
	g_ptr_array_add(p->parents, parent);
	return parent;
}

/* Update names are 32 hex digits in most packages; here made from what they join. */
static const char *update_name(struct lab_arena *a, const struct lab_identity *package,
			       const struct lab_identity *inner)
{
	g_autofree char *text = g_strdup_printf("%s %s %s", package->name, inner->name, inner->arch);
	uint8_t hash[IB_SHA256_SIZE];
	char hex[33];

	ib_digest_bytes(IB_DIGEST_SHA256, text, strlen(text), hash);
	for (size_t i = 0; i < 16; i++)
		g_snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return lab_printf(a, "%s", hex);
}

struct lab_update *lab_add_deployment(struct lab_arena *a, struct lab_package *p, const char *name,
				      const struct lab_component *deployment)
{
	struct lab_update *u = lab_alloc(a, sizeof(*u));

	u->name = name ? name : update_name(a, &p->id, &deployment->id);
	u->deployment = deployment;
	g_ptr_array_add(p->updates, u);
	return u;
}

struct lab_update *lab_add_child(struct lab_arena *a, struct lab_package *p, struct lab_package *child)
{
	struct lab_update *u = lab_alloc(a, sizeof(*u));

	u->name = update_name(a, &p->id, &child->id);
	u->child = &child->id;
	u->child_integrate = "hidden";
	g_ptr_array_add(p->updates, u);
	g_ptr_array_add(p->children, child);
	return u;
}

/* ---- members ---- */

static gint compare_members(gconstpointer x, gconstpointer y)
{
	const struct lab_member *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

static struct lab_member *new_member(struct lab_arena *a, char *stem, const char *suffix, GBytes *bytes)
{
	struct lab_member *m = lab_alloc(a, sizeof(*m));

	m->name = lab_keep(a, g_strconcat(stem, suffix, NULL), g_free);
	m->bytes = lab_keep(a, bytes, (GDestroyNotify)g_bytes_unref);
	g_free(stem);
	return m;
}

static void append_sorted(GPtrArray *to, GPtrArray *from)
{
	g_ptr_array_sort(from, compare_members);
	for (guint i = 0; i < from->len; i++)
		g_ptr_array_add(to, from->pdata[i]);
}

GPtrArray *lab_package_members(struct lab_arena *a, const struct lab_package *p)
{
	GPtrArray *all = lab_array(a);
	g_autoptr(GPtrArray) deployments = g_ptr_array_new();
	g_autoptr(GPtrArray) components = g_ptr_array_new();

	g_ptr_array_add(all, new_member(a, lab_package_id(&p->id), ".mum", lab_mum_text(p)));
	for (guint i = 0; i < p->updates->len; i++) {
		const struct lab_update *u = p->updates->pdata[i];

		if (u->deployment)
			g_ptr_array_add(deployments, new_member(a, lab_key_long(&u->deployment->id), ".manifest",
								lab_manifest_text(u->deployment)));
	}
	for (guint i = 0; i < p->components->len; i++) {
		const struct lab_component *c = p->components->pdata[i];

		g_ptr_array_add(components,
				new_member(a, lab_key_long(&c->id), ".manifest", lab_manifest_text(c)));
	}
	append_sorted(all, deployments);
	append_sorted(all, components);
	return all;
}
