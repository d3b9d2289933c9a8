/* Why a rule is not true, in words that name the fact and what was asked for. */
#include "metadata/internal.h"

#include <string.h>

static const char *words_of(const char *comparison, bool negated)
{
	static const struct { const char *name, *plain, *negated; } words[] = {
		{ "EqualTo", "", "other than " },
		{ "LessThan", "below ", "at least " },
		{ "LessThanOrEqualTo", "at most ", "above " },
		{ "GreaterThanOrEqualTo", "at least ", "below " },
		{ "GreaterThan", "above ", "at most " },
		{ "BeginsWith", "a text that begins with ", "a text that does not begin with " },
		{ "EndsWith", "a text that ends with ", "a text that does not end with " },
		{ "Contains", "a text that holds ", "a text that does not hold " },
	};

	for (size_t i = 0; comparison && i < G_N_ELEMENTS(words); i++)
		if (strcmp(words[i].name, comparison) == 0)
			return negated ? words[i].negated : words[i].plain;
	return negated ? "other than " : "";
}

static char *windows_why(const struct ib_xml_node *rule, const struct facts *f, bool negated)
{
	const char *build = ib_xml_attr(rule, "BuildNumber"), *type = ib_xml_attr(rule, "ProductType");
	guint64 n = 0;

	if (build)
		return g_strdup_printf("the Windows build is %u, %s%s is asked for", f->build,
				       words_of(ib_xml_attr(rule, "Comparison"), negated), build);
	if (type && g_ascii_string_to_unsigned(type, 10, 0, 255, &n, NULL) && n != f->product_type)
		return g_strdup_printf("the product type is %u (%s), %s is asked for", f->product_type,
				       f->product_type == 1 ? "workstation" : "server", type);
	return g_strdup_printf("Windows is version %u.%u, another one is asked for", f->major, f->minor);
}

static char *processor_why(const struct ib_xml_node *rule, const struct facts *f)
{
	const char *text = ib_xml_attr(rule, "Architecture");

	return g_strdup_printf("the processor is %s, %s is asked for", arch_name(f->arch),
			       arch_name(text ? (unsigned)g_ascii_strtoull(text, NULL, 10) : UINT_MAX));
}

static char *registry_why(const struct ib_xml_node *rule, const struct facts *f, bool negated)
{
	const char *subkey = ib_xml_attr(rule, "Subkey"), *value = ib_xml_attr(rule, "Value");
	const char *data = ib_xml_attr(rule, "Data");
	const struct fact_value *v = facts_get(f, subkey ? subkey : "", value ? value : "");
	g_autofree char *have = !v ? g_strdup("missing") : v->is_number ? g_strdup_printf("%u", v->number)
									: g_strdup_printf("'%s'", v->text);

	if (!data)
		return g_strdup_printf("%s!%s is %s, it must %s", subkey, value ? value : "", have,
				       negated ? "be missing" : "be there");
	return g_strdup_printf("%s!%s is %s, %s'%s' is asked for", subkey, value ? value : "", have,
			       words_of(ib_xml_attr(rule, "Comparison"), negated), data);
}

static char *why(const struct ib_xml_node *rule, const struct facts *f, bool negated);

/* The first member that fails, or, where all had to fail, each of them. */
static char *many_why(const struct ib_xml_node *rule, const struct facts *f, bool negated, bool all)
{
	enum truth wrong = negated ? RULE_TRUE : RULE_FALSE;
	GString *s = g_string_new(NULL);

	for (const struct ib_xml_node *n = ib_xml_first(rule, NULL); n; n = ib_xml_next(n, NULL)) {
		if (rule_eval(n, f) != wrong)
			continue;
		g_autofree char *one = why(n, f, negated);
		if (!strstr(s->str, one))
			g_string_append_printf(s, "%s%s", s->len ? "; and " : "", one);
		if (!all)
			break;
	}
	return g_string_free(s, FALSE);
}

/* rule is false (negated: true), that is known; say why. */
static char *why(const struct ib_xml_node *rule, const struct facts *f, bool negated)
{
	const char *name = ib_xml_name(rule);

	if (strcmp(name, "Not") == 0)
		return why(ib_xml_first(rule, NULL), f, !negated);
	if (strcmp(name, "And") == 0 || strcmp(name, "Or") == 0)
		return many_why(rule, f, negated, (strcmp(name, "Or") == 0) != negated);
	if (strcmp(name, "WindowsVersion") == 0)
		return windows_why(rule, f, negated);
	if (strcmp(name, "Processor") == 0)
		return processor_why(rule, f);
	if (strcmp(name, "True") == 0 || strcmp(name, "False") == 0)
		return g_strdup("the rule is constant");
	return registry_why(rule, f, negated);
}

char *rule_why(const struct ib_xml_node *rule, const struct facts *f)
{
	enum truth t = rule_eval(rule, f);

	if (t == RULE_FALSE)
		return why(rule, f, false);
	return g_strdup(t == RULE_TRUE ? "the rule holds" : "the document has a rule that is not known here");
}
