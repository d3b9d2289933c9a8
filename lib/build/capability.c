#include "build/internal.h"

#include <string.h>

/*
 * Features on demand by name. Sources are cabinets, or folders of them as Microsoft's discs have them: hundreds, of
 * which the name of the file says for which processor and language they are; what they bring, only the package manifest
 * in them says. Those of a capability go first that it depends on, last its parts for the languages of the image.
 */

/* Capabilities depend on each other: real ones two deep. */
#define MAX_DEPTH 16

struct candidate {
	char *path;
	struct ib_mum *mum;
	bool taken;
};

struct search {
	GPtrArray *updates;    /* struct update *: what is found goes behind */
	struct ib_store *store;
	const struct update_options *o;
	GPtrArray *candidates; /* struct candidate * */
	GPtrArray *languages;  /* char *: of the image, and of packages among the updates */
	GPtrArray *lines;      /* char * */
	int sequence;
};

static void candidate_free(void *p)
{
	struct candidate *c = p;

	ib_mum_free(c->mum);
	g_free(c->path);
	g_free(c);
}

static bool same(const char *a, const char *b)
{
	return g_ascii_strcasecmp(a ? a : "", b ? b : "") == 0;
}

static bool is_neutral(const char *language)
{
	return !language || !*language || same(language, "neutral");
}

static bool has_language(const struct search *s, const char *language)
{
	for (guint i = 0; i < s->languages->len; i++)
		if (same(g_ptr_array_index(s->languages, i), language))
			return true;
	return false;
}

/* ---- the sources ---- */

/* Whether a program for this processor is for the image's systems at all; 32-bit parts of 64-bit ones are. */
static bool arch_fits(const struct search *s, const char *arch)
{
	static const char *const processors[] = { "x86", "amd64", "arm", "arm64" };

	for (size_t i = 0; i < G_N_ELEMENTS(processors); i++)
		if (same(processors[i], arch))
			return same(arch, ib_store_info(s->store)->arch);
	return true;
}

/* "Name~token~arch~language~version.cab" says without a look into it that it is for others. */
static bool name_fits(const struct search *s, const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "~", 6);

	return g_strv_length(parts) != 5 ||
	       (arch_fits(s, parts[2]) && (is_neutral(parts[3]) || has_language(s, parts[3])));
}

static bool add_file(struct search *s, const char *path, struct ib_error **err)
{
	struct ib_mum *mum;

	if (!ib_mum_of_cabinet(path, &mum, err))
		return false;
	if (!mum || !mum->capability || !arch_fits(s, mum->id.arch)) {
		ib_mum_free(mum);
		return true;
	}
	struct candidate *c = g_new0(struct candidate, 1);
	*c = (struct candidate){ .path = g_strdup(path), .mum = mum };
	g_ptr_array_add(s->candidates, c);
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_folder(struct search *s, const char *dir, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;

	if (!d)
		return ib_throw(err, IB_ERR_SYSTEM, "cannot open folder '%s'", dir);
	while ((name = g_dir_read_name(d))) {
		const char *dot = strrchr(name, '.');
		if (dot && same(dot, ".cab") && name_fits(s, name))
			g_ptr_array_add(names, g_strdup(name));
	}
	g_ptr_array_sort(names, by_text); /* the same order on every file system */
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(dir, g_ptr_array_index(names, i), NULL);
		if (!add_file(s, path, err))
			return false;
	}
	return true;
}

static bool open_sources(struct search *s, char *const *sources, struct ib_error **err)
{
	for (; *sources; sources++)
		if (!(g_file_test(*sources, G_FILE_TEST_IS_DIR) ? add_folder(s, *sources, err) : add_file(s, *sources, err)))
			return ib_while(err, "looking for features on demand in '%s'", *sources);
	return true;
}

/* ---- choosing ---- */

/* A part for a language of the image. One that says so by its own language alone is one, too. */
static bool is_satellite(const struct search *s, const struct ib_mum *m)
{
	const char *language = m->satellite_of_language ? m->satellite_of_language : m->id.culture;

	return !is_neutral(m->capability_language) && !is_neutral(language) && has_language(s, language);
}

/* The same package in another place, of a higher version or earlier. */
static bool is_surpassed(const struct search *s, guint i)
{
	const struct ib_mum *m = ((const struct candidate *)g_ptr_array_index(s->candidates, i))->mum;

	for (guint k = 0; k < s->candidates->len; k++) {
		const struct ib_mum *other = ((const struct candidate *)g_ptr_array_index(s->candidates, k))->mum;
		int d = ib_version_compare(&other->id.number, &m->id.number);
		if (k != i && same(other->id.name, m->id.name) && same(other->id.arch, m->id.arch) &&
		    is_neutral(other->id.culture) == is_neutral(m->id.culture) &&
		    (is_neutral(m->id.culture) || same(other->id.culture, m->id.culture)) && (d > 0 || (d == 0 && k < i)))
			return true;
	}
	return false;
}

/* Whether the image has the package, in this version or a later one. */
static bool is_there(struct search *s, const struct ib_mum *m, bool *ret, struct ib_error **err)
{
	const GPtrArray *packages;
	const char *end = strrchr(m->package_id, '~');

	*ret = false;
	if (!ib_store_packages(s->store, &packages, err))
		return false;
	for (guint i = 0; i < packages->len && !*ret; i++) {
		const struct ib_installed *p = g_ptr_array_index(packages, i);
		size_t len = (size_t)(end + 1 - m->package_id);
		struct ib_version v;
		*ret = p->state >= 0x50 && g_ascii_strncasecmp(p->package_id, m->package_id, len) == 0 &&
		       ib_version_parse(p->package_id + len, &v) && ib_version_compare(&v, &m->id.number) >= 0;
	}
	return true;
}

static bool take(struct search *s, struct candidate *c, bool *ret_there, struct ib_error **err)
{
	guint first = s->updates->len;

	if (!is_there(s, c->mum, ret_there, err))
		return false;
	if (*ret_there)
		return true;
	if (!updates_open(s->updates, c->path, s->o, err))
		return false;
	s->sequence++;
	for (guint i = first; i < s->updates->len; i++) {
		struct update *u = g_ptr_array_index(s->updates, i);
		u->sequence = s->sequence;
		u->named = true;
	}
	return true;
}

static bool resolve(struct search *s, const struct ib_capability_name *want, unsigned depth, struct ib_error **err);

static bool take_needs(struct search *s, const struct ib_mum *m, unsigned depth, struct ib_error **err)
{
	for (guint i = 0; i < m->needs->len; i++) {
		const struct ib_needed_capability *n = g_ptr_array_index(m->needs, i);
		struct ib_capability_name want = { .name = (char *)n->name, .version = (char *)n->version,
						   .language = (char *)(is_neutral(n->language) ? "" : n->language) };
		bool have;
		if (!ib_store_has_capability(s->store, n, &have, err))
			return false;
		if (!have && !resolve(s, &want, depth + 1, err))
			return ib_while(err, "looking for what the capability '%s' needs", m->capability);
	}
	return true;
}

/* The capability itself, or its parts for languages. @param ret_found, ret_there  how many; there: in the image */
static bool take_kind(struct search *s, const struct ib_capability_name *want, bool satellites, unsigned depth,
		      unsigned *ret_found, unsigned *ret_there, struct ib_error **err)
{
	bool said = want->language && *want->language;

	*ret_found = *ret_there = 0;
	for (guint i = 0; i < s->candidates->len; i++) {
		struct candidate *c = g_ptr_array_index(s->candidates, i);
		const struct ib_mum *m = c->mum;
		bool there = false, fits = satellites ? is_satellite(s, m) :
					   said ? same(want->language, m->capability_language) : is_neutral(m->capability_language);
		if (!fits || !ib_capability_name_fits(want, m->capability, m->capability_version) || is_surpassed(s, i))
			continue;
		++*ret_found;
		if (c->taken)
			continue;
		c->taken = true;
		if (!take_needs(s, m, depth, err) || !take(s, c, &there, err))
			return false;
		*ret_there += there;
	}
	return true;
}

static bool throw_missing(const struct search *s, const struct ib_capability_name *want, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autofree char *called = ib_capability_text(want->name, want->language, want->version);
	g_autofree char *example = NULL;

	for (guint i = 0; i < s->candidates->len; i++) {
		const struct ib_mum *m = ((const struct candidate *)g_ptr_array_index(s->candidates, i))->mum;
		g_ptr_array_add(names, (gpointer)m->capability);
		if (!example && same(m->capability, want->name))
			example = ib_capability_text(m->capability, m->capability_language, m->capability_version);
	}
	unsigned count = names->len;
	g_ptr_array_add(names, NULL);
	const char *near = example ? example : ib_nearest(want->name, (const char *const *)names->pdata);
	ib_throw(err, IB_ERR_INPUT, "no package in the sources brings the capability '%s'",
		 want->language || want->version ? called : want->name);
	if (!near && count)
		near = g_ptr_array_index(names, 0);
	return near ? ib_hint(err, "they bring '%s'%s", near, count > 1 ? ", among others" : "")
		    : ib_hint(err, "they hold no feature on demand for this image");
}

/* Image languages for which nothing was found, where the package says that there are such parts. */
static void say_missing_languages(struct search *s, const struct ib_capability_name *want)
{
	const struct ib_mum *whole = NULL;

	for (guint i = 0; i < s->candidates->len && !whole; i++) {
		const struct ib_mum *m = ((const struct candidate *)g_ptr_array_index(s->candidates, i))->mum;
		if (m->has_satellites && ib_capability_name_fits(want, m->capability, m->capability_version))
			whole = m;
	}
	for (guint l = 0; whole && l < s->languages->len; l++) {
		const char *language = g_ptr_array_index(s->languages, l);
		bool found = false;
		for (guint i = 0; i < s->candidates->len && !found; i++) {
			const struct ib_mum *m = ((const struct candidate *)g_ptr_array_index(s->candidates, i))->mum;
			found = same(m->capability, want->name) && same(m->capability_language, language);
		}
		if (!found)
			g_ptr_array_add(s->lines, g_strdup_printf("capability %s: the sources have no part for the language %s",
								 want->name, language));
	}
}

static bool resolve(struct search *s, const struct ib_capability_name *want, unsigned depth, struct ib_error **err)
{
	bool said = want->language && *want->language;
	unsigned found, there, more = 0, more_there = 0;
	guint before = s->updates->len;

	if (depth > MAX_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "capabilities depend on each other more than %u deep at '%s'", MAX_DEPTH,
				want->name);
	if (!take_kind(s, want, false, depth, &found, &there, err))
		return false;
	if (!found)
		return throw_missing(s, want, err);
	if (!said && !take_kind(s, want, true, depth, &more, &more_there, err))
		return false;
	if (!said)
		say_missing_languages(s, want);
	if (s->updates->len == before && there + more_there)
		g_ptr_array_add(s->lines, g_strdup_printf("capability %s was there", want->name));
	return true;
}

/* Languages of the image, and those that packages among the updates bring. */
static bool find_languages(struct search *s, struct ib_error **err)
{
	if (!ib_store_languages(s->store, &s->languages, err))
		return false;
	for (guint i = 0; i < s->updates->len; i++) {
		const struct update *u = g_ptr_array_index(s->updates, i);
		const struct ib_mum *root = ib_package_root(u->package);
		if (same(root->release_type, "Language Pack") && !is_neutral(root->id.culture) &&
		    !has_language(s, root->id.culture))
			g_ptr_array_add(s->languages, g_strdup(root->id.culture));
	}
	return true;
}

bool capabilities_open(GPtrArray *updates, const struct capability_request *r, GPtrArray *lines, struct ib_error **err)
{
	struct search s = { .updates = updates, .store = r->store, .o = r->options, .lines = lines };
	g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(candidate_free);

	s.candidates = candidates;
	bool ok = find_languages(&s, err) && open_sources(&s, r->sources, err);
	for (char *const *name = r->names; ok && *name; name++) {
		IB_CLEANUP(ib_capability_name_clear) struct ib_capability_name want = { 0 };
		ok = (ib_capability_name_parse(*name, &want, err) && resolve(&s, &want, 0, err)) ||
		     ib_while(err, "adding the capability '%s'", *name);
	}
	g_clear_pointer(&s.languages, g_ptr_array_unref);
	return ok;
}
