/* Any bytes as an update document: read, evaluate its rules, revise its relations, write, read again. */
#include "metadata/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate(const struct update *u)
{
	struct facts *f = facts_new(17763, 9);

	facts_set_text(f, WINDOWS_KEY, "EditionID", "EnterpriseG");
	facts_set_text(f, "SOFTWARE\\CMGE\\Image", "Version", "2020.1.2109.21");
	facts_set_number(f, WINDOWS_KEY, "UBR", 1);
	enum truth t = rule_eval(u->installable, f);
	g_autofree char *why = u->installable ? rule_why(u->installable, f) : NULL;
	g_assert_true(!u->installable || *why);
	g_assert_true(t == RULE_TRUE || t == RULE_FALSE || t == RULE_UNKNOWN);
	update_state(u, f);
	if (u->image)
		client_install(f, u->image);
	update_state(u, f);
	facts_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ib_auto_error err = NULL;
	ib_auto_error second = NULL;
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	struct update *u, *again;

	if (!update_read(data, size, "fuzz", &u, &err))
		return 0;
	evaluate(u);
	g_autoptr(GBytes) bytes = update_bytes(u);
	gsize len;
	const void *text = g_bytes_get_data(bytes, &len);
	if (!update_read(text, len, "written", &again, &err))
		g_error("what was written cannot be read: %s", ib_error_cause(err));
	g_assert_cmpstr(u->id, ==, again->id);
	g_assert_cmpuint(u->clauses->len, ==, again->clauses->len);
	update_free(again);
	g_ptr_array_add(ids, (gpointer)UPGRADES_ID);
	struct update *revised = u;
	if (author_supersede(&revised, ids, &second))
		update_free(revised);
	update_free(u);
	return 0;
}
