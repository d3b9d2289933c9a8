/*
 * The client loop of the update protocol, and its exhaustive run.
 *
 * A server hands out an update when each of its prerequisite clauses has a member the client reported
 * as installed, newest revisions only; the client evaluates rules, asks again until nothing new comes,
 * and hides what is superseded by what is offered at the same time (native), or by what is installed
 * too (optimistic). Both are tried: clients were seen to offer an update whose superseder was installed.
 * Both kinds of server are tried as well: those that leave supersedence to the client, and those that
 * withhold what any update they hold supersedes.
 *
 * What a machine is changes only by installing an image: those machines are the nodes of a graph that
 * is built while it is walked, so that each rule is evaluated once a node.
 */
#include "metadata/internal.h"

#include <string.h>

/* More images than this, and subsets are sampled: singles, pairs, all, all but one. */
#define EXHAUSTIVE_MAX 6u

enum { MODELS = 2, SERVERS = 2 };

/* An update as the server sees it; updates in the order of the export. */
struct entry {
	const struct update *u;
	int image;        /* index of the image whose parent or child this is, or -1 */
	bool parent;
	GPtrArray *clauses; /* GArray of int: entries */
	bool leaf;        /* nothing needs it */
};

/* A machine. */
struct node {
	struct facts *facts;
	enum state *states; /* of each entry */
	struct node **next; /* by image installed; NULL: not visited yet */
};

struct sim {
	GPtrArray *entries;      /* struct entry */
	const GPtrArray *images; /* struct update: parents, lowest first */
	guint *parent_entry;     /* of each image */
	uint64_t *supersedes;    /* of each image: set of images */
	GHashTable *nodes;       /* facts as text -> struct node */
	bool *delivered, *installed; /* scratch, of each entry */
};

static enum state rules_state(const struct update *u, const struct facts *f)
{
	enum truth installed = rule_eval(u->installed, f);
	enum truth superseded = u->is_superseded ? rule_eval(u->is_superseded, f) : RULE_FALSE;
	enum truth installable = u->installable ? rule_eval(u->installable, f) : RULE_TRUE;

	if (installed == RULE_UNKNOWN)
		return STATE_UNKNOWN;
	if (installed == RULE_TRUE)
		return STATE_INSTALLED;
	if (superseded == RULE_UNKNOWN || installable == RULE_UNKNOWN)
		return STATE_UNKNOWN;
	return superseded == RULE_FALSE && installable == RULE_TRUE ? STATE_NEEDED : STATE_NOT_APPLICABLE;
}

/* A bundle is what its one child is. */
enum state update_state(const struct update *u, const struct facts *f)
{
	return rules_state(u->child ? u->child : u, f);
}

/* ---- building ---- */

static void entry_free(struct entry *e)
{
	g_ptr_array_unref(e->clauses);
	g_free(e);
}

static void node_free(struct node *n)
{
	facts_free(n->facts);
	g_free(n->states);
	g_free(n->next);
	g_free(n);
}

static int image_of(const struct sim *s, const struct update *u, bool *ret_parent)
{
	for (guint i = 0; i < s->images->len; i++) {
		const struct update *parent = g_ptr_array_index(s->images, i);
		*ret_parent = parent == u;
		if (parent == u || parent->child == u)
			return (int)i;
	}
	return -1;
}

static void add_entries(struct sim *s, const struct catalog *c, const GPtrArray *ordered)
{
	for (guint i = 0; i < ordered->len; i++) {
		const struct update *u = g_ptr_array_index(ordered, i);
		bool parent = false;
		int image = image_of(s, u, &parent);
		if (image < 0 && u->type != UPDATE_CATEGORY && u->type != UPDATE_DETECTOID)
			continue; /* other software has no part in what is proved here */
		struct entry *e = g_new0(struct entry, 1);
		e->u = u;
		e->image = image;
		e->parent = parent;
		e->leaf = true;
		e->clauses = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
		if (parent)
			s->parent_entry[image] = s->entries->len;
		g_ptr_array_add(s->entries, e);
	}
}

static void link_clauses(struct sim *s, GHashTable *index, struct entry *e)
{
	for (guint i = 0; i < e->u->clauses->len; i++) {
		const GArray *clause = g_ptr_array_index(e->u->clauses, i);
		GArray *members = g_array_new(FALSE, FALSE, sizeof(int));
		for (guint k = 0; k < clause->len; k++) {
			int at = GPOINTER_TO_INT(g_hash_table_lookup(index, reference_at(clause, k)->id)) - 1;
			if (at < 0)
				continue;
			g_array_append_val(members, at);
			((struct entry *)g_ptr_array_index(s->entries, at))->leaf = false;
		}
		g_ptr_array_add(e->clauses, members);
	}
}

static void link_entries(struct sim *s)
{
	g_autoptr(GHashTable) index = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < s->entries->len; i++) {
		const struct entry *e = g_ptr_array_index(s->entries, i);
		g_hash_table_insert(index, e->u->id, GINT_TO_POINTER(i + 1));
	}
	for (guint i = 0; i < s->entries->len; i++)
		link_clauses(s, index, g_ptr_array_index(s->entries, i));
	for (guint i = 0; i < s->images->len; i++) {
		const struct update *u = g_ptr_array_index(s->images, i);
		for (guint k = 0; k < s->images->len; k++)
			if (references_have(u->superseded, ((struct update *)g_ptr_array_index(s->images, k))->id))
				s->supersedes[i] |= UINT64_C(1) << k;
	}
}

struct sim *sim_new(const struct catalog *c, const GPtrArray *images)
{
	struct sim *s = g_new0(struct sim, 1);
	g_autoptr(GPtrArray) ordered = NULL;
	ib_auto_error err = NULL;

	g_assert(images->len <= IMAGES_MAX);
	s->images = images;
	s->entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
	s->parent_entry = g_new0(guint, images->len + 1);
	s->supersedes = g_new0(uint64_t, images->len + 1);
	s->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)node_free);
	/* the order matters to nobody but the reader of a trace; a catalog that has none was refused before */
	add_entries(s, c, catalog_order(c, &ordered, &err) ? ordered : c->updates);
	link_entries(s);
	s->delivered = g_new0(bool, s->entries->len + 1);
	s->installed = g_new0(bool, s->entries->len + 1);
	return s;
}

void sim_free(struct sim *s)
{
	if (!s)
		return;
	g_ptr_array_unref(s->entries);
	g_free(s->parent_entry);
	g_free(s->supersedes);
	g_hash_table_unref(s->nodes);
	g_free(s->delivered);
	g_free(s->installed);
	g_free(s);
}

static struct node *node_get(struct sim *s, const struct facts *f)
{
	g_autofree char *text = facts_text(f);
	struct node *n = g_hash_table_lookup(s->nodes, text);

	if (n)
		return n;
	n = g_new0(struct node, 1);
	n->facts = facts_copy(f);
	n->states = g_new0(enum state, s->entries->len + 1);
	n->next = g_new0(struct node *, s->images->len + 1);
	for (guint i = 0; i < s->entries->len; i++)
		n->states[i] = update_state(((struct entry *)g_ptr_array_index(s->entries, i))->u, f);
	g_hash_table_insert(s->nodes, g_steal_pointer(&text), n);
	return n;
}

static struct node *node_install(struct sim *s, struct node *n, unsigned image)
{
	const struct update *u = g_ptr_array_index(s->images, image);

	if (!n->next[image]) {
		struct facts *f = facts_copy(n->facts);
		client_install(f, u->child->image);
		n->next[image] = node_get(s, f);
		facts_free(f);
	}
	return n->next[image];
}

/* ---- one scan ---- */

static bool is_withheld(const struct sim *s, const struct sim_setting *w, int image)
{
	for (unsigned i = 0; w->withholds && i < s->images->len; i++)
		if (w->present >> i & 1 && s->supersedes[i] >> image & 1)
			return true;
	return false;
}

static bool clauses_met(const struct sim *s, const struct entry *e)
{
	for (guint i = 0; i < e->clauses->len; i++) {
		const GArray *clause = g_ptr_array_index(e->clauses, i);
		bool met = false;
		for (guint k = 0; !met && k < clause->len; k++)
			met = s->installed[g_array_index(clause, int, k)];
		if (!met)
			return false;
	}
	return true;
}

/* Rounds until nothing new is handed out: each reports the installed updates that others need. */
static void deliver(struct sim *s, const struct node *n, const struct sim_setting *w)
{
	memset(s->delivered, 0, s->entries->len * sizeof *s->delivered);
	memset(s->installed, 0, s->entries->len * sizeof *s->installed);
	for (bool more = true; more;) {
		more = false;
		for (guint i = 0; i < s->entries->len; i++) {
			const struct entry *e = g_ptr_array_index(s->entries, i);
			if (s->delivered[i] || e->u->expired || (e->image >= 0 && !e->parent))
				continue;
			if (e->image >= 0 && (!(w->present >> e->image & 1) || is_withheld(s, w, e->image)))
				continue;
			if (clauses_met(s, e))
				more = s->delivered[i] = true;
		}
		for (guint i = 0; i < s->entries->len; i++) {
			const struct entry *e = g_ptr_array_index(s->entries, i);
			s->installed[i] = s->delivered[i] && !e->leaf && n->states[i] == STATE_INSTALLED;
		}
	}
}

/* The set of images offered. */
static uint64_t scan(struct sim *s, const struct node *n, const struct sim_setting *w)
{
	uint64_t candidates = 0, hidden = 0;

	deliver(s, n, w);
	for (unsigned i = 0; i < s->images->len; i++) {
		guint at = s->parent_entry[i];
		const struct entry *e = g_ptr_array_index(s->entries, at);
		if (!s->delivered[at])
			continue;
		if (n->states[at] == STATE_NEEDED && e->u->deployable && w->approved >> i & 1) {
			candidates |= UINT64_C(1) << i;
			hidden |= s->supersedes[i];
		}
		if (n->states[at] == STATE_INSTALLED && w->model == SIM_OPTIMISTIC)
			hidden |= s->supersedes[i];
	}
	return candidates & ~hidden;
}

/* Install what is offered until nothing is. An image installed twice on the way is a loop. */
static void follow(struct sim *s, struct node *n, const struct sim_setting *w, struct sim_count *count, GPtrArray *path)
{
	uint64_t done = 0;

	for (;;) {
		uint64_t offered = scan(s, n, w);
		count->scans++;
		if (!offered)
			return;
		if (offered & (offered - 1))
			count->offers_two++;
		unsigned image = (unsigned)__builtin_ctzll(offered);
		if (done >> image & 1) {
			count->loops++;
			return;
		}
		done |= UINT64_C(1) << image;
		if (path)
			g_ptr_array_add(path, g_strdup(((struct update *)g_ptr_array_index(s->images, image))->title));
		n = node_install(s, n, image);
	}
}

/* ---- many scans ---- */

static uint64_t all_of(const struct sim *s)
{
	return s->images->len == 64 ? UINT64_MAX : (UINT64_C(1) << s->images->len) - 1;
}

static void run_models(struct sim *s, struct node *n, uint64_t present, uint64_t approved, struct sim_count *count)
{
	for (int i = 0; i < MODELS * SERVERS; i++) {
		struct sim_setting w = { present, approved, i % MODELS ? SIM_OPTIMISTIC : SIM_NATIVE, i >= MODELS };
		follow(s, n, &w, count, NULL);
	}
}

static void run_all_subsets(struct sim *s, struct node *n, struct sim_count *count)
{
	uint64_t all = all_of(s);

	for (uint64_t present = 1; present <= all; present++)
		for (uint64_t approved = present;; approved = (approved - 1) & present) {
			run_models(s, n, present, approved, count);
			if (!approved)
				break;
		}
}

/* All, all but one, singles and pairs; of the images present and, with all of them there, of those approved. */
static void run_sample(struct sim *s, struct node *n, struct sim_count *count)
{
	uint64_t all = all_of(s);

	run_models(s, n, all, all, count);
	for (unsigned i = 0; i < s->images->len; i++) {
		uint64_t one = UINT64_C(1) << i;
		run_models(s, n, all & ~one, all & ~one, count);
		run_models(s, n, all, all & ~one, count);
		for (unsigned k = i; k < s->images->len; k++) {
			uint64_t pair = one | UINT64_C(1) << k;
			run_models(s, n, pair, pair, count);
			run_models(s, n, pair, one, count);
			run_models(s, n, all, pair, count);
		}
	}
}

void sim_run(struct sim *s, const struct facts *client, struct sim_count *count)
{
	struct node *n = node_get(s, client);

	count->clients++;
	count->images = s->images->len;
	count->exhaustive = s->images->len <= EXHAUSTIVE_MAX;
	if (count->exhaustive)
		run_all_subsets(s, n, count);
	else
		run_sample(s, n, count);
}

struct sim_setting sim_all(const struct sim *s, enum sim_model model)
{
	return (struct sim_setting){ .present = all_of(s), .approved = all_of(s), .model = model };
}

uint64_t sim_offered(struct sim *s, const struct facts *client, const struct sim_setting *w)
{
	return scan(s, node_get(s, client), w);
}

GPtrArray *sim_path(struct sim *s, const struct facts *client, const struct sim_setting *w)
{
	struct sim_count ignored = { 0 };
	GPtrArray *path = g_ptr_array_new_with_free_func(g_free);

	follow(s, node_get(s, client), w, &ignored, path);
	return path;
}
