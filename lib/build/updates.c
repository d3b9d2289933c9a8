#include "build/internal.h"

#include <string.h>

/*
 * Stage updates: which packages go into which image, in which order.
 *
 * Microsoft's order for media: servicing stack, languages, features on demand, the rest, cumulative update (which must
 * see what it is to update), .NET's cumulative update. The recovery environment gets the servicing stack and the Safe
 * OS update made for it, or the cumulative update when there is none; boot.wim the servicing stack and the cumulative
 * update. Within that, each package says itself where it applies.
 */
enum rank { RANK_STACK, RANK_LANGUAGE, RANK_ON_DEMAND, RANK_OTHER, RANK_SAFE_OS, RANK_CUMULATIVE, RANK_NET, RANKS };

/* The component every servicing stack update brings. */
#define STACK_COMPONENT "microsoft-windows-servicingstack"

/* Which images a rank may go into, and what it is called. */
static const struct {
	const char *word;
	bool into[TARGET_ROLES]; /* install, winre, boot */
} ranks[RANKS] = {
	[RANK_STACK] = { "servicing stack", { true, true, true } },
	[RANK_LANGUAGE] = { "language", { true, true, true } },
	[RANK_ON_DEMAND] = { "feature on demand", { true, false, false } },
	[RANK_OTHER] = { "update", { true, true, true } },
	[RANK_SAFE_OS] = { "Safe OS update", { false, true, false } },
	[RANK_CUMULATIVE] = { "cumulative update", { true, true, true } },
	[RANK_NET] = { ".NET cumulative update", { true, false, false } },
};

/* What names of root packages tell. */
static const struct {
	const char *prefix;
	enum rank rank;
} name_ranks[] = {
	{ "Package_for_RollupFix", RANK_CUMULATIVE },
	{ "Package_for_DotNetRollup", RANK_NET },
	{ "Package_for_SafeOSDU", RANK_SAFE_OS },
};

/* Keys of [updates] that name packages; rank: what all of a key are, RANKS: each is what it says itself. */
static const struct {
	const char *key;
	enum rank rank;
} named_keys[] = {
	{ "servicing-stack", RANKS }, { "on-demand", RANKS }, { "cumulative", RANKS }, { "safe-os", RANK_SAFE_OS },
};

void build_update_free(struct update *u)
{
	ib_package_free(u->package);
	ib_package_trust_clear(&u->trust);
	g_free(u->skipped);
	g_free(u);
}

static enum rank rank_of(const struct ib_package *p)
{
	const GPtrArray *manifests = ib_package_manifests(p);
	const struct ib_mum *root = ib_package_root(p);

	for (guint i = 0; i < manifests->len; i++) {
		const struct ib_manifest *m = g_ptr_array_index(manifests, i);
		if (g_ascii_strcasecmp(m->id.name, STACK_COMPONENT) == 0)
			return RANK_STACK;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(name_ranks); i++)
		if (g_ascii_strncasecmp(root->id.name, name_ranks[i].prefix, strlen(name_ranks[i].prefix)) == 0)
			return name_ranks[i].rank;
	if (root->capability || (root->release_type && g_ascii_strcasecmp(root->release_type, "OnDemand Pack") == 0))
		return RANK_ON_DEMAND;
	if (root->release_type && g_ascii_strcasecmp(root->release_type, "Language Pack") == 0)
		return RANK_LANGUAGE;
	return RANK_OTHER;
}

/* ---- finding ---- */

static bool open_anchors(struct build *b, struct ib_error **err)
{
	char *const *files = ib_ini_list(b->p, "updates", "trust");

	b->anchors = ib_anchors_new(b->epoch);
	for (; *files; files++)
		if (!ib_anchors_add_file(b->anchors, *files, err))
			return ib_while(err, "reading trust anchors, [updates] trust");
	return true;
}

/* package: taken */
static bool add_update(GPtrArray *updates, struct ib_package *package, struct ib_anchors *anchors, struct ib_error **err)
{
	struct update *u = g_new0(struct update, 1);
	const struct ib_mum *root = ib_package_root(package);

	u->package = package;
	g_ptr_array_add(updates, u);
	u->rank = (int)rank_of(package);
	u->kb = root->identifier && *root->identifier ? root->identifier : root->id.name;
	return ib_package_verify(package, anchors, &u->trust, err);
}

bool package_refused(struct ib_error **err)
{
	enum ib_code code = ib_error_code(*err);

	if ((code != IB_ERR_INPUT && code != IB_ERR_VERIFY) || ib_error_hint(*err))
		return false;
	return ib_hint(err, "get the package again from its publisher and compare its SHA-256 with the published one; a package "
			    "that is still refused then must not be used");
}

static struct ib_package_options package_options(const struct update_options *o)
{
	return (struct ib_package_options){ .size = sizeof(struct ib_package_options), .dictionary = o->dictionary,
					    .spool_dir = o->spool_dir, .threads = o->threads, .payload = o->payload,
					    .progress = o->progress };
}

struct ib_package_opening *updates_begin(const char *path, const struct update_options *o)
{
	const struct ib_package_options options = package_options(o);

	return ib_package_open_begin(path, &options);
}

bool updates_open(GPtrArray *updates, const char *path, const struct update_options *o, struct ib_error **err)
{
	return updates_end(updates, path, NULL, o, err);
}

bool updates_end(GPtrArray *updates, const char *path, struct ib_package_opening *opening,
		 const struct update_options *o, struct ib_error **err)
{
	const struct ib_package_options options = package_options(o);
	g_autoptr(GPtrArray) all = NULL;
	bool ok = opening ? ib_package_open_end(opening, o->dictionary, &all, err)
			  : ib_package_open_all(path, &options, &all, err);

	while (ok && all->len)
		ok = add_update(updates, g_ptr_array_steal_index(all, 0), o->anchors, err);
	return ok || package_refused(err) || ib_while(err, "adding package '%s'", path);
}

/* rank: RANKS when the package says itself what it is */
static bool add_package(struct build *b, const char *path, bool named, enum rank rank, struct ib_error **err)
{
	/* Of those that a search finds, most may not be for this image. */
	struct update_options o = { .anchors = b->anchors, .threads = b->o->threads, .payload = b->applies && named,
				    .progress = b->planning };
	struct ib_store *scratch;
	guint first = b->updates->len;

	struct ib_package_opening *opening = b->scratch ? NULL : updates_begin(path, &o);
	/* The manifests of a package are compressed with the dictionary of the systems it is for. */
	if (!base_scratch(b, &scratch, err) || !ib_store_dictionary(scratch, &o.dictionary, err)) {
		ib_package_open_cancel(opening);
		return false;
	}
	if (!updates_end(b->updates, path, opening, &o, err))
		return false;
	for (guint i = first; i < b->updates->len; i++) {
		struct update *u = g_ptr_array_index(b->updates, i);
		u->named = named;
		if (rank != RANKS)
			u->rank = (int)rank;
	}
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool search_folder(struct build *b, const char *dir, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;

	if (!d)
		return ib_throw(err, IB_ERR_INPUT, "[updates] search: cannot open folder '%s'", dir);
	while ((name = g_dir_read_name(d))) {
		const char *dot = strrchr(name, '.');
		if (dot && (g_ascii_strcasecmp(dot, ".msu") == 0 || g_ascii_strcasecmp(dot, ".cab") == 0))
			g_ptr_array_add(names, g_strdup(name));
	}
	g_ptr_array_sort(names, by_text); /* the same order on every file system */
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(dir, g_ptr_array_index(names, i), NULL);
		bool is_cab = g_ascii_strcasecmp(strrchr(path, '.'), ".cab") == 0, plain = false;
		if (is_cab && !ib_setup_update_probe(path, &plain, err))
			return ib_while(err, "looking at '%s'", path);
		if (plain ? !setup_add(b, path, false, err) : !add_package(b, path, false, RANKS, err))
			return false;
	}
	return true;
}

/* [updates] capabilities out of capability-sources. */
static bool find_capabilities(struct build *b, struct ib_error **err)
{
	char *const *names = ib_ini_list(b->p, "updates", "capabilities");
	char *const *sources = ib_ini_list(b->p, "updates", "capability-sources");
	struct update_options o = { .anchors = b->anchors, .threads = b->o->threads, .payload = b->applies,
				    .progress = b->planning };
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	struct capability_request r = { .names = names, .sources = sources, .options = &o };

	if (!*names && !*sources)
		return true;
	g_autofree char *place = ib_ini_place(b->p, "updates", *names ? "capabilities" : "capability-sources");
	if (!*names || !*sources) {
		ib_throw(err, IB_ERR_INPUT, "%s: %s", place, *names ? "features on demand are asked for by name, but no place is named "
					    "where their packages are" : "no capability is asked for");
		return ib_hint(err, "capabilities and capability-sources go together");
	}
	if (!base_scratch(b, &r.store, err) || !ib_store_dictionary(r.store, &o.dictionary, err) ||
	    !capabilities_open(b->updates, &r, lines, err))
		return ib_while(err, "%s", place);
	for (guint i = 0; i < lines->len; i++)
		plan_add(b, "updates", 0, "%s", (char *)g_ptr_array_index(lines, i));
	return true;
}

/* Features that are to be turned on and that only their package brings. */
static bool find_on_demand(struct build *b, struct ib_error **err)
{
	struct update_options o = { .anchors = b->anchors, .threads = b->o->threads, .progress = b->planning };
	guint before = b->updates->len;
	struct ib_store *scratch;

	if (!*ib_ini_list(b->p, "features", "source"))
		return true;
	if (!base_scratch(b, &scratch, err) || !ib_store_dictionary(scratch, &o.dictionary, err) ||
	    !updates_on_demand(b->updates, scratch, ib_ini_list(b->p, "features", "enable"),
			       ib_ini_list(b->p, "features", "source"), &o, err))
		return ib_while(err, "looking into [features] source");
	b->on_demand = b->updates->len > before;
	return true;
}

static bool find_packages(struct build *b, struct ib_error **err)
{
	for (size_t k = 0; k < G_N_ELEMENTS(named_keys); k++)
		for (char *const *f = ib_ini_list(b->p, "updates", named_keys[k].key); *f; f++)
			if (!add_package(b, *f, true, named_keys[k].rank, err))
				return false;
	for (char *const *f = ib_ini_list(b->p, "updates", "setup"); *f; f++)
		if (!setup_add(b, *f, true, err))
			return false;
	for (char *const *dir = ib_ini_list(b->p, "updates", "search"); *dir; dir++)
		if (!search_folder(b, *dir, err))
			return false;
	return find_capabilities(b, err) && find_on_demand(b, err);
}

/* Whether a package asks for this very one as its parent. */
static bool asks_for(const struct ib_mum *mum, const struct ib_identity *id)
{
	for (guint i = 0; i < mum->parents->len; i++) {
		const GPtrArray *any = ((const struct ib_parent *)mum->parents->pdata[i])->identities;
		for (guint k = 0; k < any->len; k++) {
			const struct ib_identity *want = any->pdata[k];
			if (g_ascii_strcasecmp(want->name, id->name) == 0 && ib_version_compare(&want->number, &id->number) == 0)
				return true;
		}
	}
	return false;
}

/* A checkpoint is an older version that a newer one of the same name builds on: both are installed. */
static void mark_checkpoints(GPtrArray *updates)
{
	for (guint i = 0; i < updates->len; i++) {
		struct update *older = updates->pdata[i];
		const struct ib_identity *id = &ib_package_root(older->package)->id;
		for (guint k = 0; k < updates->len; k++) {
			const struct ib_mum *newer = ib_package_root(((const struct update *)updates->pdata[k])->package);
			older->checkpoint |= g_ascii_strcasecmp(newer->id.name, id->name) == 0 &&
					     ib_version_compare(&newer->id.number, &id->number) > 0 && asks_for(newer, id);
		}
	}
}

/*
 * By rank, then name; of a name first the checkpoints, from low to high, then the others from high to low: the newest
 * that applies is the one.
 */
static int by_order(const void *pa, const void *pb)
{
	const struct update *a = *(const struct update *const *)pa, *b = *(const struct update *const *)pb;
	const struct ib_identity *ia = &ib_package_root(a->package)->id, *ib = &ib_package_root(b->package)->id;
	int c = a->rank - b->rank;

	if (c == 0)
		c = a->sequence - b->sequence;
	if (c == 0)
		c = g_ascii_strcasecmp(ia->name, ib->name);
	if (c == 0)
		c = b->checkpoint - a->checkpoint;
	if (c)
		return c;
	return a->checkpoint ? ib_version_compare(&ia->number, &ib->number) : ib_version_compare(&ib->number, &ia->number);
}

void updates_sort(GPtrArray *updates)
{
	mark_checkpoints(updates);
	g_ptr_array_sort(updates, by_order);
}

/* ---- choosing ---- */

/* The same package in another version. One for another language or processor is another package. */
static bool is_same_package(const struct update *a, const struct update *b)
{
	const struct ib_identity *x = &ib_package_root(a->package)->id, *y = &ib_package_root(b->package)->id;

	return g_ascii_strcasecmp(x->name, y->name) == 0 &&
	       g_ascii_strcasecmp(x->arch ? x->arch : "", y->arch ? y->arch : "") == 0 &&
	       g_ascii_strcasecmp(x->culture ? x->culture : "", y->culture ? y->culture : "") == 0;
}

static bool same_package_chosen(const struct target *t, const struct update *u)
{
	for (guint i = 0; i < t->updates->len; i++) {
		const struct update *other = g_ptr_array_index(t->updates, i);
		if (!other->checkpoint && is_same_package(other, u))
			return true;
	}
	return false;
}

static bool throw_not_applicable(const struct update *u, const struct ib_applicability_result *r, struct ib_error **err)
{
	ib_throw(err, IB_ERR_NOT_APPLICABLE, "%s%s%s%s", r->reason, r->dism_code ? " (DISM: " : "",
		 r->dism_code ? r->dism_code : "", r->dism_code ? ")" : "");
	if (r->hint)
		ib_hint(err, "%s", r->hint);
	g_autofree char *name = g_path_get_basename(ib_package_path(u->package));
	return ib_while(err, "adding package '%s'", name);
}

/* Whether [updates] require names this package. */
static bool is_required(const struct build *b, const struct update *u)
{
	g_autofree char *file = g_path_get_basename(ib_package_path(u->package));
	g_autofree char *lower = g_ascii_strdown(file, -1);

	for (char *const *kb = ib_ini_list(b->p, "updates", "require"); *kb; kb++) {
		g_autofree char *want = g_ascii_strdown(*kb, -1);
		if (g_ascii_strcasecmp(u->kb, *kb) == 0 || strstr(lower, want))
			return true;
	}
	return false;
}

/* Whether a package behind number i may still be chosen, so that it must see what number i does. */
static bool others_follow(const struct build *b, const struct target *t, guint i)
{
	const struct update *u = g_ptr_array_index(b->updates, i);

	for (guint j = i + 1; j < b->updates->len; j++) {
		const struct update *later = g_ptr_array_index(b->updates, j);
		if (ranks[later->rank].into[t->role] && !is_same_package(later, u))
			return true;
	}
	return false;
}

static bool has_rank(const struct target *t, enum rank rank)
{
	for (guint i = 0; i < t->updates->len; i++)
		if (((const struct update *)g_ptr_array_index(t->updates, i))->rank == (int)rank)
			return true;
	return false;
}

/* Whether what kind of update it is leads into this image; what it says itself is asked afterwards. */
static bool goes_into(const struct target *t, const struct update *u)
{
	if (u->rank == RANK_CUMULATIVE && t->role == TARGET_WINRE && has_rank(t, RANK_SAFE_OS))
		return false; /* the Safe OS update is the cumulative update of the recovery environment */
	return ranks[u->rank].into[t->role];
}

char *payload_words(const struct ib_install_summary *sum)
{
	GString *s = g_string_new(NULL);

	if (sum->payload_deltas || sum->payload_elsewhere)
		g_string_append_printf(s, "; %u files come complete, %u by differential", sum->payload_complete,
				       sum->payload_deltas);
	if (sum->payload_elsewhere)
		g_string_append_printf(s, ", %u from the image or from payload-sources", sum->payload_elsewhere);
	return g_string_free(s, FALSE);
}

/* The image whose refusal counts: the one a package is made for. */
static bool is_home(const struct target *t, const struct update *u)
{
	return t->role == (u->rank == RANK_SAFE_OS ? TARGET_WINRE : TARGET_INSTALL);
}

static void skip(struct update *u, const char *why)
{
	g_free(u->skipped);
	u->skipped = g_strdup(why);
}

/*
 * An update that applies. It is installed in the scratch store when something builds on it: a later package, or (for
 * the chosen edition) the removals and features. Else what it would do is worked out without its payload.
 */
static bool choose(struct build *b, struct target *t, struct ib_store *scratch, guint i, const char *again,
		   struct ib_error **err)
{
	struct update *u = g_ptr_array_index(b->updates, i);
	struct ib_install_summary sum = { 0 };
	bool needed = t->role == TARGET_INSTALL || others_follow(b, t, i);

	if (!(needed ? ib_store_install(scratch, u->package, &sum, NULL, err)
		     : ib_store_plan(scratch, u->package, &sum, err)))
		return package_refused(err) || ib_while(err, "installing '%s'", ib_package_path(u->package));
	g_autofree char *payload = payload_words(&sum);
	g_ptr_array_add(t->updates, u);
	b->payload_bytes += sum.payload_bytes;
	plan_add(b, "updates", ib_package_payload_bytes(u->package),
		 "install %s (%s, %s) into '%s'%s%s: %u components, %u files new, %u changed, %u removed%s", u->kb,
		 ranks[u->rank].word, ib_package_root(u->package)->package_id, t->name, again ? " again: " : "",
		 again ? again : "", sum.components, sum.files_new, sum.files_changed, sum.files_removed, payload);
	return true;
}

static bool choose_one(struct build *b, struct target *t, struct ib_store *scratch, guint i, struct ib_error **err)
{
	struct update *u = g_ptr_array_index(b->updates, i);
	IB_CLEANUP(ib_applicability_clear) struct ib_applicability_result r = { 0 };

	if (!goes_into(t, u))
		return true;
	if (same_package_chosen(t, u)) {
		skip(u, "a newer one of the same package is installed");
		return true;
	}
	if (!ib_store_applicable(scratch, u->package, &r, err))
		return false;
	if (r.verdict == IB_APPLIES)
		return choose(b, t, scratch, i, r.reason, err);
	if (is_home(t, u) && r.verdict == IB_DOES_NOT_APPLY && (u->named || is_required(b, u)))
		return throw_not_applicable(u, &r, err);
	if (!u->skipped && is_home(t, u))
		skip(u, r.reason);
	return true;
}

static bool choose_all(struct build *b, struct target *t, struct ib_store *scratch, struct ib_error **err)
{
	for (guint i = 0; i < b->updates->len; i++)
		if (!choose_one(b, t, scratch, i, err))
			return ib_while(err, "looking at image '%s'", t->name);
	return true;
}

static bool choose_for_target(struct build *b, struct target *t, struct ib_error **err)
{
	struct ib_wim *wim = NULL;
	struct ib_store *scratch = NULL;

	if (t->role == TARGET_INSTALL) /* the stages after this one plan on it */
		return base_scratch(b, &scratch, err) && choose_all(b, t, scratch, err);
	if (!base_open_wim(b, t->file, NULL, &wim, err))
		return false;
	bool ok = ib_store_open(wim, t->source_index, b->filetime, &scratch, err);
	if (ok) {
		ib_store_set_stock(scratch, b->stock);
		ok = choose_all(b, t, scratch, err);
	}
	ib_store_free(scratch);
	ib_wim_free(wim);
	return ok;
}

static bool check_required(struct build *b, struct ib_error **err)
{
	const struct target *t = install_target(b);

	for (char *const *kb = ib_ini_list(b->p, "updates", "require"); *kb; kb++) {
		bool found = false;
		for (guint i = 0; !found && i < t->updates->len; i++) {
			const struct update *u = g_ptr_array_index(t->updates, i);
			g_autofree char *file = g_path_get_basename(ib_package_path(u->package));
			g_autofree char *lower = g_ascii_strdown(file, -1), *want = g_ascii_strdown(*kb, -1);
			found = g_ascii_strcasecmp(u->kb, *kb) == 0 || strstr(lower, want);
		}
		if (found)
			continue;
		g_autofree char *place = ib_ini_place(b->p, "updates", "require");
		ib_throw(err, IB_ERR_INPUT, "%s: %s is required, but no package that was found brings it", place, *kb);
		return ib_hint(err, "put its .msu into a folder of [updates] search");
	}
	return true;
}

static bool wants_target(const struct build *b, const struct target *t)
{
	static const char *const words[TARGET_ROLES] = { "install", "winre", "boot" };

	return ib_ini_has(b->p, "updates", "targets", words[t->role]);
}

/* A Safe OS update has one place only: without it, it would vanish without a word. */
static bool check_safe_os(struct build *b, struct ib_error **err)
{
	char *const *files = ib_ini_list(b->p, "updates", "safe-os");

	if (!*files || b->winre.in)
		return true;
	g_autofree char *place = ib_ini_place(b->p, "updates", "safe-os");
	ib_throw(err, IB_ERR_INPUT, "%s: '%s' is for winre.wim, which is not being serviced", place, *files);
	return ib_hint(err, ib_ini_has(b->p, "updates", "targets", "winre") ? "the chosen image holds no winre.wim"
									     : "add winre to [updates] targets");
}

static void plan_skipped(struct build *b)
{
	for (guint i = 0; i < b->updates->len; i++) {
		struct update *u = g_ptr_array_index(b->updates, i);
		bool used = false;
		for (guint t = 0; !used && t < b->targets->len; t++)
			used = g_ptr_array_find(((struct target *)g_ptr_array_index(b->targets, t))->updates, u, NULL);
		if (used)
			g_clear_pointer(&u->skipped, g_free);
		else if (!u->skipped)
			skip(u, "none of the images being serviced takes it");
		if (u->skipped)
			plan_add(b, "updates", 0, "not installed: %s: %s", u->kb, u->skipped);
	}
}

/* [updates] payload-sources, for all stores of this run. */
static bool open_stock(struct build *b, struct ib_error **err)
{
	char *const *files = ib_ini_list(b->p, "updates", "payload-sources");
	struct ib_store *scratch;
	GBytes *dictionary;

	if (!*files || !b->updates->len)
		return true;
	if (!base_scratch(b, &scratch, err) || !ib_store_dictionary(scratch, &dictionary, err) ||
	    !sources_open(files, dictionary, NULL, &b->stock, err))
		return false;
	ib_store_set_stock(scratch, b->stock);
	for (; *files; files++) {
		g_autofree char *name = g_path_get_basename(*files);
		plan_add(b, "updates", 0, "complete files may come from '%s'", name);
	}
	return true;
}

static bool warn_stale(struct build *b, struct ib_error **err)
{
	g_autofree char *text = NULL;
	struct ib_store *scratch;

	if (!b->on_demand)
		return true;
	if (!base_scratch(b, &scratch, err) || !on_demand_stale(scratch, install_target(b)->updates, &text, err))
		return false;
	if (text)
		plan_warn(b, "[features] source: %s", text);
	return true;
}

bool updates_plan(struct build *b, struct ib_error **err)
{
	if (!open_anchors(b, err) || !check_safe_os(b, err) || !find_packages(b, err) || !open_stock(b, err))
		return false;
	updates_sort(b->updates);
	for (guint i = 0; b->updates->len && i < b->targets->len; i++) {
		struct target *t = g_ptr_array_index(b->targets, i);
		if (wants_target(b, t) && !choose_for_target(b, t, err))
			return false;
	}
	plan_skipped(b);
	return warn_stale(b, err) && check_required(b, err);
}

static bool install_all(struct build *b, struct target *t, struct ib_progress *progress, struct ib_error **err)
{
	for (guint i = 0; i < t->updates->len; i++) {
		struct update *u = g_ptr_array_index(t->updates, i);
		struct ib_install_summary sum;
		if (!ib_store_install(t->store, u->package, &sum, progress, err))
			return package_refused(err) || ib_while(err, "installing %s into '%s'", u->kb, t->name);
	}
	return true;
}

bool updates_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	for (guint i = 0; i < b->targets->len; i++)
		if (!install_all(b, g_ptr_array_index(b->targets, i), progress, err))
			return false;
	return true;
}
