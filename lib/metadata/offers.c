/* The proof: every client, every subset, both client models; and for each client, in words, why. */
#include "metadata/internal.h"

#include <string.h>

#include <json-glib/json-glib.h>

static const char *const assumptions[] = {
	"Proved in a model of the update protocol, not on Windows: what an agent does with feature upgrades was not observed.",
	"Client model 'native': an update is hidden by what is offered at the same time and supersedes it.",
	"Client model 'optimistic': it is also hidden by an installed update that supersedes it.",
	"Each run was made with servers that leave supersedence to the client and with servers that withhold superseded updates.",
	"An installed image writes its own values at the end of Setup, whatever Setup brought along.",
	"The install command attaches the ISO and runs its setup.exe; it was not tried on Windows.",
};

/* One customer's view: standard images and its own. */
struct group {
	const char *customer;  /* NULL: standard images only */
	GPtrArray *images;     /* parents, borrowed, lowest first */
	GPtrArray *clients;
	struct sim *sim;
	struct sim_count count;
};

struct proof {
	const struct catalog *c;
	const struct author *a;
	const GPtrArray *products;
	struct ib_metadata_result *r;
	JsonBuilder *json;
};

static void group_clear(struct group *g)
{
	g_clear_pointer(&g->images, g_ptr_array_unref);
	g_clear_pointer(&g->clients, g_ptr_array_unref);
	sim_free(g->sim);
}

/* ---- groups and clients ---- */

/* Customers of the stream; only the image's own when it has one. Borrowed texts, sorted. */
static GPtrArray *customers_of(const struct proof *p, const GPtrArray *images)
{
	GPtrArray *list = g_ptr_array_new();
	g_autoptr(GTree) seen = g_tree_new((GCompareFunc)strcmp);

	for (guint i = 0; i < images->len; i++) {
		const char *customer = ((struct update *)g_ptr_array_index(images, i))->child->image->customer;
		if (customer && (!p->a->image->customer || strcmp(customer, p->a->image->customer) == 0))
			g_tree_insert(seen, (gpointer)customer, (gpointer)customer);
	}
	for (GTreeNode *n = g_tree_node_first(seen); n; n = g_tree_node_next(n))
		g_ptr_array_add(list, g_tree_node_key(n));
	if (list->len == 0)
		g_ptr_array_add(list, NULL);
	return list;
}

/* A machine that has the highest other image of a kind. */
static void add_machine_on(struct group *g, const char *self, bool custom)
{
	for (guint i = g->images->len; i-- > 0;) {
		const struct update *u = g_ptr_array_index(g->images, i);
		const struct image *image = u->child->image;
		if (strcmp(u->id, self) == 0 || (image->customer != NULL) != custom)
			continue;
		struct client *c = g_new0(struct client, 1);
		g_autofree char *version = version_text(&image->version);
		c->name = g_strdup_printf("machine with '%s' (%s)", u->title, version);
		c->facts = facts_new(image->build, image->arch);
		client_install(c->facts, image);
		g_ptr_array_add(g->clients, c);
		return;
	}
}

static void group_fill(const struct proof *p, struct group *g, const GPtrArray *images)
{
	g->images = g_ptr_array_new();
	for (guint i = 0; i < images->len; i++) {
		struct update *u = g_ptr_array_index(images, i);
		const char *customer = u->child->image->customer;
		if (!customer || g_strcmp0(customer, g->customer) == 0)
			g_ptr_array_add(g->images, u);
	}
	g->clients = clients_make(p->a, p->products);
	add_machine_on(g, p->a->parent_id, false);
	add_machine_on(g, p->a->parent_id, true);
	g->sim = sim_new(p->c, g->images);
}

/* ---- words ---- */

static const char *title_of(const struct group *g, unsigned image)
{
	return ((struct update *)g_ptr_array_index(g->images, image))->title;
}

/* Who hides a needed image: the highest that does. */
static char *hidden_why(const struct group *g, const struct client *c, const struct update *u)
{
	for (guint i = g->images->len; i-- > 0;) {
		const struct update *other = g_ptr_array_index(g->images, i);
		if (!references_have(other->superseded, u->id) || other->expired)
			continue;
		enum state s = update_state(other, c->facts);
		if (s == STATE_NEEDED || s == STATE_INSTALLED)
			return g_strdup_printf("superseded by '%s', which is %s", other->title,
					       s == STATE_NEEDED ? "offered" : "installed");
	}
	return g_strdup("the update server does not hand it out");
}

static char *why_not(const struct group *g, const struct client *c, const struct update *u)
{
	if (u->expired)
		return g_strdup("withdrawn");
	switch (update_state(u, c->facts)) {
	case STATE_INSTALLED:
		return g_strdup("this level of its stream is installed");
	case STATE_NEEDED:
		return hidden_why(g, c, u);
	default:
		return rule_why(u->child->installable, c->facts);
	}
}

/* ---- JSON ---- */

static void put_text(JsonBuilder *b, const char *name, const char *text)
{
	json_builder_set_member_name(b, name);
	if (text)
		json_builder_add_string_value(b, text);
	else
		json_builder_add_null_value(b);
}

static void put_number(JsonBuilder *b, const char *name, uint64_t n)
{
	json_builder_set_member_name(b, name);
	json_builder_add_int_value(b, (gint64)n);
}

static void put_flag(JsonBuilder *b, const char *name, bool yes)
{
	json_builder_set_member_name(b, name);
	json_builder_add_boolean_value(b, yes);
}

static void begin_list(JsonBuilder *b, const char *name)
{
	json_builder_set_member_name(b, name);
	json_builder_begin_array(b);
}

static void put_offered(JsonBuilder *b, const char *name, const struct group *g, uint64_t offered)
{
	begin_list(b, name);
	for (unsigned i = 0; i < g->images->len; i++)
		if (offered >> i & 1)
			json_builder_add_string_value(b, title_of(g, i));
	json_builder_end_array(b);
}

static void put_image(JsonBuilder *b, const struct group *g, const struct client *c, guint i, uint64_t offered)
{
	const struct update *u = g_ptr_array_index(g->images, i);
	bool yes = offered >> i & 1;
	g_autofree char *why = yes ? NULL : why_not(g, c, u);

	json_builder_begin_object(b);
	put_text(b, "update", u->id);
	put_text(b, "title", u->title);
	put_flag(b, "offered", yes);
	if (why)
		put_text(b, "why_not", why);
	json_builder_end_object(b);
}

static gboolean put_value(gpointer key, gpointer value, gpointer user)
{
	const struct fact_value *v = value;

	if (v->is_number)
		put_number(user, v->name, v->number);
	else
		put_text(user, v->name, v->text);
	return FALSE;
}

static void put_facts(JsonBuilder *b, const struct facts *f)
{
	json_builder_set_member_name(b, "facts");
	json_builder_begin_object(b);
	put_number(b, "windows_build", f->build);
	put_text(b, "arch", arch_name(f->arch));
	put_text(b, "product_type", f->product_type == 1 ? "workstation" : "server");
	g_tree_foreach(f->values, put_value, b);
	json_builder_end_object(b);
}

static void put_client(JsonBuilder *b, const struct group *g, const struct client *c)
{
	const struct sim_setting first = sim_all(g->sim, SIM_NATIVE), second = sim_all(g->sim, SIM_OPTIMISTIC);
	uint64_t native = sim_offered(g->sim, c->facts, &first);
	uint64_t optimistic = sim_offered(g->sim, c->facts, &second);
	g_autoptr(GPtrArray) path = sim_path(g->sim, c->facts, &first);

	json_builder_begin_object(b);
	put_text(b, "client", c->name);
	put_facts(b, c->facts);
	put_offered(b, "offered_native", g, native);
	put_offered(b, "offered_optimistic", g, optimistic);
	begin_list(b, "installs");
	for (guint i = 0; i < path->len; i++)
		json_builder_add_string_value(b, g_ptr_array_index(path, i));
	json_builder_end_array(b);
	begin_list(b, "images");
	for (guint i = g->images->len; i-- > 0;)
		put_image(b, g, c, i, native);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

/* The same relation from the other side: what an operator may decline once the others are approved. */
static void put_superseders(JsonBuilder *b, const GPtrArray *images, const struct update *u)
{
	begin_list(b, "superseded_by");
	for (guint i = 0; i < images->len; i++) {
		const struct update *other = g_ptr_array_index(images, i);
		if (references_have(other->superseded, u->id))
			json_builder_add_string_value(b, other->id);
	}
	json_builder_end_array(b);
}

static void put_document(JsonBuilder *b, const GPtrArray *images, const struct update *u)
{
	g_autofree char *version = version_text(&u->child->image->version);

	json_builder_begin_object(b);
	put_text(b, "update", u->id);
	put_number(b, "revision", u->revision);
	put_text(b, "title", u->title);
	put_text(b, "version", version);
	put_text(b, "stream", u->child->image->stream);
	put_text(b, "customer", u->child->image->customer);
	put_flag(b, "withdrawn", u->expired);
	put_flag(b, "changed_by_this_run", u->fresh);
	begin_list(b, "supersedes");
	for (guint i = 0; i < u->superseded->len; i++)
		json_builder_add_string_value(b, reference_at(u->superseded, i)->id);
	json_builder_end_array(b);
	put_superseders(b, images, u);
	json_builder_end_object(b);
}

static void put_group(JsonBuilder *b, const struct group *g)
{
	json_builder_begin_object(b);
	put_text(b, "customer", g->customer);
	json_builder_set_member_name(b, "proof");
	json_builder_begin_object(b);
	put_number(b, "images", g->count.images);
	put_number(b, "clients", g->count.clients);
	put_flag(b, "all_subsets", g->count.exhaustive);
	put_number(b, "scans", g->count.scans);
	put_number(b, "offers_of_two", g->count.offers_two);
	put_number(b, "loops", g->count.loops);
	json_builder_end_object(b);
	begin_list(b, "clients");
	for (guint i = 0; i < g->clients->len; i++)
		put_client(b, g, g_ptr_array_index(g->clients, i));
	json_builder_end_array(b);
	json_builder_end_object(b);
}

/* ---- the proof ---- */

/* A release the image is for, and whose machines are nevertheless offered nothing, is worth a word. */
static void warn_unreached(const struct proof *p, const struct group *g, const struct client *c)
{
	const struct sim_setting all = sim_all(g->sim, SIM_NATIVE);
	uint64_t offered = sim_offered(g->sim, c->facts, &all);
	const struct update *u = g_ptr_array_index(g->images, 0);

	if (!c->source || offered)
		return;
	for (guint i = 0; i < g->images->len; i++)
		if (strcmp(((struct update *)g_ptr_array_index(g->images, i))->id, p->a->parent_id) == 0)
			u = g_ptr_array_index(g->images, i);
	g_autofree char *why = why_not(g, c, u);
	g_ptr_array_add(p->r->warnings, g_strdup_printf("%s is in upgrade-from, but its machines without vendor values are "
							"offered nothing: %s", c->source->name, why));
}

static bool prove_group(const struct proof *p, struct group *g, struct ib_error **err)
{
	for (guint i = 0; i < g->clients->len; i++) {
		const struct client *c = g_ptr_array_index(g->clients, i);
		sim_run(g->sim, c->facts, &g->count);
		if (g->count.offers_two)
			return ib_throw(err, IB_ERR_VERIFY, "a client is offered two images at once: %s", c->name);
		if (g->count.loops)
			return ib_throw(err, IB_ERR_VERIFY, "a client is offered images without end: %s", c->name);
		warn_unreached(p, g, c);
	}
	p->r->clients += g->count.clients;
	p->r->scans += g->count.scans;
	p->r->offers_two += g->count.offers_two;
	p->r->loops += g->count.loops;
	put_group(p->json, g);
	return true;
}

static bool prove_groups(struct proof *p, const GPtrArray *images, struct ib_error **err)
{
	g_autoptr(GPtrArray) customers = customers_of(p, images);

	begin_list(p->json, "groups");
	for (guint i = 0; i < customers->len; i++) {
		struct group g = { .customer = g_ptr_array_index(customers, i) };
		group_fill(p, &g, images);
		bool ok = prove_group(p, &g, err);
		group_clear(&g);
		if (!ok)
			return ib_while(err, "proving what clients%s%s are offered", customers->pdata[i] ? " of " : "",
					customers->pdata[i] ? (char *)customers->pdata[i] : "");
	}
	json_builder_end_array(p->json);
	if (customers->len > 1)
		g_ptr_array_add(p->r->warnings, g_strdup_printf("the catalog holds images of %u customers: approve each "
								"customer's for its own target group only", customers->len));
	return true;
}

static char *generate(JsonBuilder *b)
{
	g_autoptr(JsonGenerator) generator = json_generator_new();
	JsonNode *root = json_builder_get_root(b);

	json_generator_set_pretty(generator, TRUE);
	json_generator_set_root(generator, root);
	g_autofree char *text = json_generator_to_data(generator, NULL);
	json_node_unref(root);
	return g_strconcat(text, "\n", NULL);
}

bool offers_prove(const struct catalog *c, const struct author *a, const GPtrArray *products,
		  struct ib_metadata_result *r, char **ret_json, struct ib_error **err)
{
	const struct update *self = catalog_find(c, a->parent_id);
	g_autoptr(GPtrArray) images = stream_images(c, self->child->image);
	g_autoptr(JsonBuilder) b = json_builder_new();
	struct proof p = { c, a, products, r, b };

	json_builder_begin_object(b);
	put_text(b, "update", self->id);
	put_text(b, "title", self->title);
	put_text(b, "stream", a->image->stream);
	begin_list(b, "assumptions");
	for (size_t i = 0; i < G_N_ELEMENTS(assumptions); i++)
		json_builder_add_string_value(b, assumptions[i]);
	json_builder_end_array(b);
	begin_list(b, "images");
	for (guint i = 0; i < images->len; i++)
		put_document(b, images, g_ptr_array_index(images, i));
	json_builder_end_array(b);
	if (!prove_groups(&p, images, err))
		return false;
	json_builder_end_object(b);
	*ret_json = generate(b);
	return true;
}
