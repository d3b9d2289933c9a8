/* Whether a package applies to the image, and why not, in words. */
#include "servicing/internal.h"

#include <string.h>

#define DISM_NOT_APPLICABLE "0x800f081e"
#define DISM_NEEDS_STACK "0x800f0823"

void ib_applicability_clear(struct ib_applicability_result *r)
{
	g_clear_pointer(&r->reason, g_free);
	g_clear_pointer(&r->hint, g_free);
	g_clear_pointer(&r->dism_code, g_free);
}

enum compare { COMPARE_ANY, COMPARE_EQ, COMPARE_GE, COMPARE_GT, COMPARE_LE, COMPARE_LT };

static enum compare compare_word(const char *word, enum compare absent)
{
	static const char *const words[] = { "any", "EQ", "GE", "GT", "LE", "LT" };

	for (unsigned i = 0; word && i < G_N_ELEMENTS(words); i++)
		if (!g_ascii_strcasecmp(words[i], word))
			return (enum compare)i;
	return absent;
}

/*
 * Part by part, from the left; a part that is strictly on the right side decides for the rest (build 20348
 * satisfies "at least 17763.500" whatever its revision). Absent: the same major, minor and build, any revision.
 */
bool ib_svc_version_matches(const struct ib_parent *parent, const struct ib_version *wanted,
			    const struct ib_version *found)
{
	const enum compare rules[4] = {
		compare_word(parent->distribution_compare, COMPARE_EQ), compare_word(parent->service_compare, COMPARE_EQ),
		compare_word(parent->build_compare, COMPARE_EQ), compare_word(parent->revision_compare, COMPARE_ANY),
	};

	for (unsigned i = 0; i < 4; i++) {
		uint32_t w = wanted->part[i], f = found->part[i];
		switch (rules[i]) {
		case COMPARE_ANY:
			continue;
		case COMPARE_EQ:
			if (f != w)
				return false;
			continue;
		case COMPARE_GE:
		case COMPARE_GT:
			if (f != w)
				return f > w;
			if (rules[i] == COMPARE_GT)
				return false;
			continue;
		case COMPARE_LE:
		case COMPARE_LT:
			if (f != w)
				return f < w;
			if (rules[i] == COMPARE_LT)
				return false;
			continue;
		}
	}
	return true;
}

static bool same(const char *a, const char *b)
{
	return !g_ascii_strcasecmp(a ? a : "", b ? b : "");
}

static const char *culture_of(const char *c)
{
	return !c || !g_ascii_strcasecmp(c, "neutral") || !strcmp(c, "*") ? "" : c;
}

/* Name, token, architecture, language of a package id. */
static bool same_family(const struct ib_identity *id, char *const *parts)
{
	return same(id->name, parts[0]) && same(id->token, parts[1]) && same(id->arch, parts[2]) &&
	       same(culture_of(id->culture), parts[3]);
}

static bool id_meets(const struct ib_parent *parent, const struct ib_identity *wanted, const char *package_id)
{
	g_auto(GStrv) parts = ib_svc_package_parts(package_id);
	struct ib_version found;

	return parts && same_family(wanted, parts) && ib_version_parse(parts[4], &found) &&
	       ib_svc_version_matches(parent, &wanted->number, &found);
}

static bool identity_met(const GPtrArray *installed, const GPtrArray *also, const struct ib_parent *parent,
			 const struct ib_identity *wanted)
{
	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *p = installed->pdata[i];
		if (p->state >= STATE_STAGED && p->state <= STATE_PERMANENT && id_meets(parent, wanted, p->package_id))
			return true;
	}
	for (guint i = 0; also && i < also->len; i++)
		if (id_meets(parent, wanted, ((const struct ib_mum *)also->pdata[i])->package_id))
			return true;
	return false;
}

bool ib_svc_parent_met(const GPtrArray *installed, const GPtrArray *also, const struct ib_parent *parent)
{
	for (guint i = 0; i < parent->identities->len; i++)
		if (identity_met(installed, also, parent, parent->identities->pdata[i]))
			return true;
	return false;
}

bool ib_svc_parents_met(const GPtrArray *installed, const GPtrArray *also, const struct ib_mum *mum)
{
	for (guint i = 0; i < mum->parents->len; i++)
		if (ib_svc_parent_met(installed, also, mum->parents->pdata[i]))
			return true;
	return mum->parents->len == 0;
}

bool ib_svc_mum_applies(struct ib_store *s, const struct ib_mum *mum, const GPtrArray *also, bool *ret,
			struct ib_error **err)
{
	const GPtrArray *installed;

	if (!ib_store_packages(s, &installed, err))
		return false;
	*ret = ib_svc_parents_met(installed, also, mum);
	return true;
}

static void refuse(struct ib_applicability_result *ret, const char *code, char *reason, const char *hint)
{
	ret->verdict = IB_DOES_NOT_APPLY;
	g_free(ret->reason);
	ret->reason = reason;
	ret->hint = g_strdup(hint);
	ret->dism_code = g_strdup(code);
}

/* The version of a package in the image with the wanted one's name, whatever its build; NULL when there is none. */
static const char *present_version(const GPtrArray *installed, const struct ib_identity *wanted)
{
	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *p = installed->pdata[i];
		g_auto(GStrv) parts = ib_svc_package_parts(p->package_id);
		if (parts && same_family(wanted, parts) && p->state >= STATE_STAGED)
			return strrchr(p->package_id, '~') + 1;
	}
	return NULL;
}

/* The same package of another language or architecture, which is what people mistake for it; NULL when there is none. */
static char *other_kind(const GPtrArray *installed, const struct ib_identity *wanted)
{
	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *p = installed->pdata[i];
		g_auto(GStrv) parts = ib_svc_package_parts(p->package_id);
		if (!parts || p->state < STATE_STAGED || !same(wanted->name, parts[0]) || same_family(wanted, parts))
			continue;
		if (!same(culture_of(wanted->culture), parts[3]))
			return g_strdup_printf("for the language %s", *parts[3] ? parts[3] : "neutral");
		if (!same(wanted->arch, parts[2]))
			return g_strdup_printf("for %s", parts[2]);
	}
	return NULL;
}

/* "'Name' 10.0.17763.1 (the image has 10.0.17134.1)" */
static void append_wanted(GString *out, const GPtrArray *installed, const struct ib_identity *id)
{
	const char *have = present_version(installed, id);
	g_autofree char *other = have ? NULL : other_kind(installed, id);

	g_string_append_printf(out, "'%s' %s", id->name, id->version);
	if (*culture_of(id->culture))
		g_string_append_printf(out, " for the language %s", id->culture);
	if (have || other)
		g_string_append_printf(out, " (the image has %s%s)", have ? have : "it ", have ? "" : other);
}

/* What was looked for and what the image has instead. */
static void refuse_parents(struct ib_store *s, const struct ib_mum *mum, const GPtrArray *installed,
			   struct ib_applicability_result *ret)
{
	g_autofree char *image = ib_version_text(&s->info.version);
	g_autoptr(GString) wanted = g_string_new(NULL);
	unsigned shown = 0;

	for (guint i = 0; i < mum->parents->len; i++) {
		const struct ib_parent *p = mum->parents->pdata[i];
		for (guint k = 0; k < p->identities->len; k++, shown++) {
			if (shown < 3) {
				g_string_append(wanted, shown ? " or " : "");
				append_wanted(wanted, installed, p->identities->pdata[k]);
			}
		}
	}
	if (shown > 3)
		g_string_append_printf(wanted, " or one of %u more", shown - 3);
	refuse(ret, DISM_NOT_APPLICABLE,
	       g_strdup_printf("'%s' needs %s, the image is %s %s", mum->package_id, wanted->str, image, s->info.edition),
	       "take the package made for this build and edition");
}

/*
 * How many parts of an installed package apply by now and are not in the image: a feature that came after its update
 * makes some of the update's parts wanted.
 */
static unsigned new_parts(const struct ib_package *p, const GPtrArray *installed)
{
	const GPtrArray *mums = ib_package_mums(p);
	g_autoptr(GHashTable) have = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	unsigned n = 0;

	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *have_one = installed->pdata[i];
		if (have_one->state >= STATE_STAGED)
			g_hash_table_add(have, ib_name_fold(have_one->package_id));
	}
	for (guint i = 0; i < mums->len; i++) {
		const struct ib_mum *mum = mums->pdata[i];
		g_autofree char *folded = ib_name_fold(mum->package_id);
		n += mum != ib_package_root(p) && !g_hash_table_contains(have, folded) && mum->parents->len &&
		     ib_svc_parents_met(installed, NULL, mum);
	}
	return n;
}

/* The same or a newer version is there already. */
static bool already(const struct ib_package *p, const GPtrArray *installed, struct ib_applicability_result *ret)
{
	const struct ib_mum *mum = ib_package_root(p);

	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *have = installed->pdata[i];
		g_auto(GStrv) parts = ib_svc_package_parts(have->package_id);
		struct ib_version v;
		if (!parts || !same_family(&mum->id, parts) || !ib_version_parse(parts[4], &v) ||
		    have->state < STATE_SUPERSEDED || have->state > STATE_PERMANENT)
			continue;
		int d = ib_version_compare(&v, &mum->id.number);
		unsigned more = d == 0 && have->state >= STATE_INSTALL_PENDING ? new_parts(p, installed) : 0;
		if (d < 0)
			continue;
		if (more) {
			ret->reason = g_strdup_printf("%u of its parts are for what came after it", more);
			return false;
		}
		ret->verdict = IB_ALREADY_INSTALLED;
		ret->reason = d ? g_strdup_printf("the image has the newer '%s'", have->package_id)
				: g_strdup_printf("'%s' is in the image already", have->package_id);
		return true;
	}
	return false;
}

bool ib_store_has_capability(struct ib_store *s, const struct ib_needed_capability *want, bool *ret, struct ib_error **err)
{
	const GPtrArray *installed;

	*ret = false;
	if (!ib_store_packages(s, &installed, err))
		return false;
	for (guint i = 0; i < installed->len && !*ret; i++) {
		const struct ib_installed *p = installed->pdata[i];
		const struct ib_mum *mum;
		if (p->state < STATE_INSTALL_PENDING)
			continue;
		if (!ib_svc_mum(s, p->package_id, &mum, err))
			return false;
		const struct ib_capability_name name = { .name = (char *)want->name, .version = (char *)want->version };
		*ret = mum && mum->capability && ib_capability_name_fits(&name, mum->capability, mum->capability_version) &&
		       same(culture_of(mum->capability_language), culture_of(want->language));
	}
	return true;
}

/* A capability depends on others; the first that is missing is the reason. */
static bool check_needs(struct ib_store *s, const struct ib_mum *mum, struct ib_applicability_result *ret,
			struct ib_error **err)
{
	for (guint i = 0; i < mum->needs->len; i++) {
		const struct ib_needed_capability *c = mum->needs->pdata[i];
		bool have;
		if (!ib_store_has_capability(s, c, &have, err))
			return false;
		if (have)
			continue;
		refuse(ret, DISM_NOT_APPLICABLE,
		       g_strdup_printf("'%s' needs the capability '%s' %s%s%s, which the image does not have", mum->package_id,
				       c->name, c->version ? c->version : "", *culture_of(c->language) ? " for the language " : "",
				       culture_of(c->language)),
		       "add the feature on demand that brings it first");
		return true;
	}
	return true;
}

static bool has_text(const GPtrArray *list, const char *text)
{
	for (guint i = 0; i < list->len; i++)
		if (same(list->pdata[i], text))
			return true;
	return false;
}

bool ib_store_languages(struct ib_store *s, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	const GPtrArray *installed;

	if (!ib_store_packages(s, &installed, err))
		return false;
	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *p = installed->pdata[i];
		g_auto(GStrv) parts = ib_svc_package_parts(p->package_id);
		bool pack = p->release_type && same(p->release_type, "Language Pack") && p->state >= STATE_STAGED;
		if (pack && parts && *parts[3] && !has_text(list, parts[3]))
			g_ptr_array_add(list, g_strdup(parts[3]));
	}
	*ret = g_steal_pointer(&list);
	return true;
}

/* A capability's part for a language is for images that have the language, and the capability. */
static bool check_satellite(struct ib_store *s, const struct ib_mum *mum, struct ib_applicability_result *ret,
			    struct ib_error **err)
{
	const char *language = mum->satellite_of_language;
	const struct ib_needed_capability whole = { .name = mum->capability, .version = mum->capability_version };
	g_autoptr(GPtrArray) languages = NULL;
	bool have;

	if (!language)
		return true;
	if (!ib_store_languages(s, &languages, err))
		return false;
	if (!has_text(languages, language)) {
		refuse(ret, DISM_NOT_APPLICABLE,
		       g_strdup_printf("'%s' is a part for the language %s, which the image does not have", mum->package_id, language),
		       "add the language pack first, or leave it out");
		return true;
	}
	if (!mum->capability)
		return true;
	if (!ib_store_has_capability(s, &whole, &have, err))
		return false;
	if (!have)
		refuse(ret, DISM_NOT_APPLICABLE,
		       g_strdup_printf("'%s' is the part for the language %s of the capability '%s', which the image does not have",
				       mum->package_id, language, mum->capability),
		       "add the feature on demand itself first");
	return true;
}

static bool arch_fits(const struct ib_store *s, const char *arch)
{
	return !arch || !g_ascii_strcasecmp(arch, s->arch) || !g_ascii_strcasecmp(arch, "msil") ||
	       !g_ascii_strcasecmp(arch, "neutral") ||
	       (g_ascii_strcasecmp(s->arch, "x86") &&
		(!g_ascii_strcasecmp(arch, "wow64") || !g_ascii_strcasecmp(arch, "x86")));
}

bool ib_store_applicable(struct ib_store *s, const struct ib_package *p, struct ib_applicability_result *ret,
			 struct ib_error **err)
{
	const struct ib_mum *mum = ib_package_root(p);
	const GPtrArray *installed;

	*ret = (struct ib_applicability_result){ .verdict = IB_APPLIES };
	if (!ib_store_packages(s, &installed, err))
		return false;
	/* A package for another processor says so itself; 32-bit parts of a 64-bit package are its children. */
	if (!arch_fits(s, mum->id.arch)) {
		refuse(ret, DISM_NOT_APPLICABLE,
		       g_strdup_printf("'%s' is for %s, the image is %s", mum->package_id, mum->id.arch, s->arch),
		       "take the package made for this architecture");
		return true;
	}
	if (already(p, installed, ret))
		return true;
	if (!ib_svc_parents_met(installed, NULL, mum)) {
		refuse_parents(s, mum, installed, ret);
		return true;
	}
	if (!check_needs(s, mum, ret, err) ||
	    (ret->verdict == IB_APPLIES && !check_satellite(s, mum, ret, err)))
		return false;
	if (ret->verdict == IB_APPLIES && ib_version_compare(&s->info.stack, &mum->installer) < 0) {
		g_autofree char *need = ib_version_text(&mum->installer);
		g_autofree char *have = ib_version_text(&s->info.stack);
		refuse(ret, DISM_NEEDS_STACK,
		       g_strdup_printf("'%s' needs servicing stack %s or later, the image has %s", mum->package_id, need, have),
		       "add the servicing stack update first");
	}
	return true;
}

bool ib_svc_check_applies(struct ib_store *s, const struct ib_package *p, struct ib_applicability_result *scratch,
			  struct ib_error **err)
{
	if (!ib_store_applicable(s, p, scratch, err))
		return false;
	if (scratch->verdict == IB_APPLIES)
		return true;
	ib_throw(err, scratch->verdict == IB_ALREADY_INSTALLED ? IB_ERR_UP_TO_DATE : IB_ERR_NOT_APPLICABLE, "%s%s%s%s",
		 scratch->reason, scratch->dism_code ? " (DISM: " : "", scratch->dism_code ? scratch->dism_code : "",
		 scratch->dism_code ? ")" : "");
	return scratch->hint ? ib_hint(err, "%s", scratch->hint) : false;
}
