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
	return c && (!g_ascii_strcasecmp(c, "neutral") || !strcmp(c, "*")) ? "" : c;
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
			const struct ib_identity *id = p->identities->pdata[k];
			const char *have = present_version(installed, id);
			if (shown < 3)
				g_string_append_printf(wanted, "%s'%s' %s%s%s%s", shown ? " or " : "", id->name, id->version,
						       have ? " (the image has " : "", have ? have : "", have ? ")" : "");
		}
	}
	if (shown > 3)
		g_string_append_printf(wanted, " or one of %u more", shown - 3);
	refuse(ret, DISM_NOT_APPLICABLE,
	       g_strdup_printf("'%s' needs %s, the image is %s %s", mum->package_id, wanted->str, image, s->info.edition),
	       "take the package made for this build and edition");
}

/* The same or a newer version is there already. */
static bool already(const struct ib_mum *mum, const GPtrArray *installed, struct ib_applicability_result *ret)
{
	for (guint i = 0; i < installed->len; i++) {
		const struct ib_installed *p = installed->pdata[i];
		g_auto(GStrv) parts = ib_svc_package_parts(p->package_id);
		struct ib_version v;
		if (!parts || !same_family(&mum->id, parts) || !ib_version_parse(parts[4], &v) ||
		    p->state < STATE_SUPERSEDED || p->state > STATE_PERMANENT)
			continue;
		int d = ib_version_compare(&v, &mum->id.number);
		if (d < 0)
			continue;
		ret->verdict = IB_ALREADY_INSTALLED;
		ret->reason = d ? g_strdup_printf("the image has the newer '%s'", p->package_id)
				: g_strdup_printf("'%s' is in the image already", p->package_id);
		return true;
	}
	return false;
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
	if (already(mum, installed, ret))
		return true;
	if (!ib_svc_parents_met(installed, NULL, mum)) {
		refuse_parents(s, mum, installed, ret);
		return true;
	}
	if (ib_version_compare(&s->info.stack, &mum->installer) < 0) {
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
	ib_throw(err, scratch->verdict == IB_ALREADY_INSTALLED ? IB_ERR_UP_TO_DATE : IB_ERR_NOT_APPLICABLE, "%s",
		 scratch->reason);
	return scratch->hint ? ib_hint(err, "%s", scratch->hint) : false;
}
