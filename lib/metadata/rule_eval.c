/*
 * What a client makes of a rule, and why, in words. A rule this file does not know is "unknown":
 * an update with one is never offered.
 */
#include "metadata/internal.h"

#include <string.h>

/* ---- facts ---- */

static void value_free(struct fact_value *v)
{
	g_free(v->text);
	g_free(v->name);
	g_free(v);
}

static int compare_keys(gconstpointer a, gconstpointer b, gpointer user)
{
	return strcmp(a, b);
}

struct facts *facts_new(unsigned build, unsigned arch)
{
	struct facts *f = g_new0(struct facts, 1);

	f->major = 10;
	f->build = build;
	f->product_type = 1;
	f->arch = arch;
	f->values = g_tree_new_full(compare_keys, NULL, g_free, (GDestroyNotify)value_free);
	return f;
}

void facts_free(struct facts *f)
{
	if (!f)
		return;
	g_tree_unref(f->values);
	g_free(f);
}

static void put(struct facts *f, const char *subkey, const char *value, const char *text, uint32_t number)
{
	struct fact_value *v = g_new0(struct fact_value, 1);

	v->name = g_strdup_printf("%s!%s", subkey, value);
	v->is_number = text == NULL;
	v->number = number;
	v->text = g_strdup(text);
	g_tree_replace(f->values, ib_name_fold(v->name), v);
}

void facts_set_text(struct facts *f, const char *subkey, const char *value, const char *text)
{
	put(f, subkey, value, text, 0);
}

void facts_set_number(struct facts *f, const char *subkey, const char *value, uint32_t number)
{
	put(f, subkey, value, NULL, number);
}

static gboolean copy_value(gpointer key, gpointer value, gpointer user)
{
	const struct fact_value *v = value;
	struct fact_value *twin = g_new0(struct fact_value, 1);

	*twin = *v;
	twin->text = g_strdup(v->text);
	twin->name = g_strdup(v->name);
	g_tree_replace(user, g_strdup(key), twin);
	return FALSE;
}

struct facts *facts_copy(const struct facts *f)
{
	struct facts *copy = facts_new(f->build, f->arch);

	copy->major = f->major;
	copy->minor = f->minor;
	copy->product_type = f->product_type;
	g_tree_foreach(f->values, copy_value, copy->values);
	return copy;
}

const struct fact_value *facts_get(const struct facts *f, const char *subkey, const char *value)
{
	g_autofree char *name = g_strdup_printf("%s!%s", subkey, value);
	g_autofree char *key = ib_name_fold(name);

	return g_tree_lookup(f->values, key);
}

static gboolean append_value(gpointer key, gpointer value, gpointer user)
{
	const struct fact_value *v = value;

	if (v->is_number)
		g_string_append_printf(user, "\n%s=%u", v->name, v->number);
	else
		g_string_append_printf(user, "\n%s='%s'", v->name, v->text);
	return FALSE;
}

char *facts_text(const struct facts *f)
{
	GString *s = g_string_new(NULL);

	g_string_printf(s, "%u.%u.%u type %u arch %u", f->major, f->minor, f->build, f->product_type, f->arch);
	g_tree_foreach(f->values, append_value, s);
	return g_string_free(s, FALSE);
}

/* ---- evaluation ---- */

/* -1 when the word is unknown. */
static int compare_as(const char *comparison, int order)
{
	if (!comparison || strcmp(comparison, "EqualTo") == 0)
		return order == 0;
	if (strcmp(comparison, "LessThan") == 0)
		return order < 0;
	if (strcmp(comparison, "LessThanOrEqualTo") == 0)
		return order <= 0;
	if (strcmp(comparison, "GreaterThanOrEqualTo") == 0)
		return order >= 0;
	if (strcmp(comparison, "GreaterThan") == 0)
		return order > 0;
	return -1;
}

static enum truth truth_of(int yes)
{
	return yes < 0 ? RULE_UNKNOWN : yes ? RULE_TRUE : RULE_FALSE;
}

/* An unsigned attribute; ret_bad is set when it is there and no number. */
static bool number_attr(const struct ib_xml_node *rule, const char *name, unsigned *ret, bool *ret_bad)
{
	const char *text = ib_xml_attr(rule, name);
	guint64 n;

	if (!text)
		return false;
	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT32_MAX, &n, NULL)) {
		*ret_bad = true;
		return false;
	}
	*ret = (unsigned)n;
	return true;
}

static int order_of(unsigned have, unsigned want)
{
	return have < want ? -1 : have > want;
}

/*
 * As VerifyVersionInfo: major, minor and service pack decide in turn, the build number for itself,
 * all with the same operator; the product type must be equal.
 */
static enum truth eval_windows(const struct ib_xml_node *rule, const struct facts *f)
{
	const char *comparison = ib_xml_attr(rule, "Comparison");
	bool bad = ib_xml_attr(rule, "SuiteMask") != NULL, any = false;
	unsigned n;
	int order = 0, yes = 1;

	if (number_attr(rule, "MajorVersion", &n, &bad)) {
		order = order_of(f->major, n);
		any = true;
	}
	if (number_attr(rule, "MinorVersion", &n, &bad)) {
		order = order ? order : order_of(f->minor, n);
		any = true;
	}
	if (number_attr(rule, "ServicePackMajor", &n, &bad)) {
		order = order ? order : order_of(0, n);
		any = true;
	}
	if (number_attr(rule, "ServicePackMinor", &n, &bad)) {
		order = order ? order : order_of(0, n);
		any = true;
	}
	if (any)
		yes = compare_as(comparison, order);
	if (yes == 1 && number_attr(rule, "BuildNumber", &n, &bad))
		yes = compare_as(comparison, order_of(f->build, n));
	if (yes == 1 && number_attr(rule, "ProductType", &n, &bad))
		yes = f->product_type == n;
	return bad ? RULE_UNKNOWN : truth_of(yes);
}

static enum truth eval_processor(const struct ib_xml_node *rule, const struct facts *f)
{
	bool bad = ib_xml_attr(rule, "Level") || ib_xml_attr(rule, "Revision");
	unsigned n = 0;

	if (!number_attr(rule, "Architecture", &n, &bad) || bad)
		return RULE_UNKNOWN;
	return truth_of(f->arch == n);
}

/* The value a registry rule is about; ret_known is false for keys we do not model. */
static const struct fact_value *value_of(const struct ib_xml_node *rule, const struct facts *f, bool *ret_known)
{
	const char *key = ib_xml_attr(rule, "Key"), *subkey = ib_xml_attr(rule, "Subkey");
	const char *value = ib_xml_attr(rule, "Value"), *wow = ib_xml_attr(rule, "RegType32");

	*ret_known = g_strcmp0(key, "HKEY_LOCAL_MACHINE") == 0 && subkey &&
		     (!wow || strcmp(wow, "false") == 0 || strcmp(wow, "0") == 0);
	return *ret_known ? facts_get(f, subkey, value ? value : "") : NULL;
}

static enum truth eval_exists(const struct ib_xml_node *rule, const struct fact_value *v)
{
	const char *type = ib_xml_attr(rule, "Type");

	return truth_of(v && (!type || strcmp(type, v->is_number ? "REG_DWORD" : "REG_SZ") == 0));
}

static enum truth eval_text(const struct ib_xml_node *rule, const struct fact_value *v)
{
	const char *comparison = ib_xml_attr(rule, "Comparison"), *data = ib_xml_attr(rule, "Data");

	if (!data || !comparison)
		return RULE_UNKNOWN;
	const char *have = v && !v->is_number ? v->text : NULL;
	if (strcmp(comparison, "EqualTo") == 0)
		return truth_of(have && strcmp(have, data) == 0);
	if (strcmp(comparison, "BeginsWith") == 0)
		return truth_of(have && g_str_has_prefix(have, data));
	if (strcmp(comparison, "EndsWith") == 0)
		return truth_of(have && g_str_has_suffix(have, data));
	if (strcmp(comparison, "Contains") == 0)
		return truth_of(have && strstr(have, data));
	return RULE_UNKNOWN;
}

static enum truth eval_number(const struct ib_xml_node *rule, const struct fact_value *v)
{
	bool bad = false;
	unsigned n;

	if (!number_attr(rule, "Data", &n, &bad))
		return RULE_UNKNOWN;
	int yes = compare_as(ib_xml_attr(rule, "Comparison"), v ? order_of(v->number, n) : 0);
	return yes < 0 ? RULE_UNKNOWN : truth_of(yes && v && v->is_number);
}

static enum truth eval_version(const struct ib_xml_node *rule, const struct fact_value *v)
{
	struct version have, want;

	if (!version_parse(ib_xml_attr(rule, "Data"), &want))
		return RULE_UNKNOWN;
	bool is = v && !v->is_number && version_parse_loose(v->text, &have);
	int yes = compare_as(ib_xml_attr(rule, "Comparison"), is ? version_compare(&have, &want) : 0);
	return yes < 0 ? RULE_UNKNOWN : truth_of(yes && is);
}

static enum truth eval_base(const struct ib_xml_node *rule, const struct facts *f)
{
	static const struct {
		const char *name;
		enum truth (*eval)(const struct ib_xml_node *, const struct fact_value *);
	} registry[] = {
		{ "RegValueExists", eval_exists }, { "RegSz", eval_text },
		{ "RegDword", eval_number },       { "RegSzToVersion", eval_version },
	};
	const char *name = ib_xml_name(rule);

	if (strcmp(name, "WindowsVersion") == 0)
		return eval_windows(rule, f);
	if (strcmp(name, "Processor") == 0)
		return eval_processor(rule, f);
	for (size_t i = 0; i < G_N_ELEMENTS(registry); i++) {
		if (strcmp(name, registry[i].name) != 0)
			continue;
		bool known;
		const struct fact_value *v = value_of(rule, f, &known);
		return known ? registry[i].eval(rule, v) : RULE_UNKNOWN;
	}
	return RULE_UNKNOWN;
}

/* "and" when `decides` is false, "or" when it is true. One unknown member makes all of it unknown. */
static enum truth eval_many(const struct ib_xml_node *rule, const struct facts *f, enum truth decides)
{
	enum truth result = decides == RULE_TRUE ? RULE_FALSE : RULE_TRUE;
	const struct ib_xml_node *n = ib_xml_first(rule, NULL);

	if (!n)
		return RULE_UNKNOWN;
	for (; n; n = ib_xml_next(n, NULL)) {
		enum truth t = rule_eval(n, f);
		if (t == RULE_UNKNOWN)
			return RULE_UNKNOWN;
		if (t == decides)
			result = decides;
	}
	return result;
}

/* As deep as the document, which lib/xml bounds. */
enum truth rule_eval(const struct ib_xml_node *rule, const struct facts *f)
{
	if (!rule)
		return RULE_UNKNOWN;
	const char *ns = ib_xml_ns(rule), *name = ib_xml_name(rule);
	if (g_strcmp0(ns, NS_BAR) == 0)
		return eval_base(rule, f);
	if (g_strcmp0(ns, NS_LAR) != 0)
		return RULE_UNKNOWN;
	if (strcmp(name, "And") == 0)
		return eval_many(rule, f, RULE_FALSE);
	if (strcmp(name, "Or") == 0)
		return eval_many(rule, f, RULE_TRUE);
	if (strcmp(name, "True") == 0)
		return RULE_TRUE;
	if (strcmp(name, "False") == 0)
		return RULE_FALSE;
	if (strcmp(name, "Not") != 0)
		return RULE_UNKNOWN;
	enum truth t = rule_eval(ib_xml_first(rule, NULL), f);
	return t == RULE_UNKNOWN ? t : t == RULE_TRUE ? RULE_FALSE : RULE_TRUE;
}
