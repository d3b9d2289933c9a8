/* servicing: manifests of the store, plain and compressed, and the dictionary out of the image's servicing stack. */
#include "tests/servicing_sample.h"

#define STACK "Microsoft-Windows-ServicingStack"

static GBytes *words(const char *text)
{
	return g_bytes_new(text, strlen(text));
}

/* What a dictionary holds: the beginning of a manifest. */
static GBytes *dictionary_new(void)
{
	g_autoptr(GBytes) xml = sample_manifest_xml("Dictionary", "1.0.0.0", NULL);

	return g_bytes_ref(xml);
}

/* A stack of a version, with a wcp.dll that holds these bytes (NULL: no wcp.dll). */
static void add_stack(struct sample_store *st, const char *version, GBytes *dictionary)
{
	g_autofree char *keyform = sample_component(st, &(struct sample_component){ .name = STACK, .version = version,
									       .installed = true });
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\wcp.dll", keyform);
	g_autoptr(GBytes) wcp = dictionary ? sample_wcp(dictionary) : NULL;

	if (wcp)
		sample_file(st, path, wcp);
}

Test(servicing_manifests, newest_stack_with_payload_has_the_dictionary)
{
	struct sample_store st = sample_store_begin();
	g_autoptr(GBytes) old = words("old"), new = words("new");
	ib_auto_error err = NULL;
	GBytes *got = NULL;

	add_stack(&st, "10.0.17763.1", old);
	add_stack(&st, "10.0.17763.10000", NULL); /* its payload is gone */
	add_stack(&st, "10.0.17763.9999", new);
	struct ib_store *s = sample_store_end(&st);
	cr_assert(ib_store_dictionary(s, &got, &err));
	cr_assert(got && g_bytes_equal(got, new));
	ib_store_free(s);
	ib_wim_free(st.wim);
}

Test(servicing_manifests, compressed_ones_are_read_and_checked)
{
	struct sample_store st = sample_store_begin();
	g_autoptr(GBytes) dictionary = dictionary_new();
	const struct ib_manifest *m = NULL;
	struct ib_model *model;
	ib_auto_error err = NULL;
	ib_auto_error why = NULL;

	add_stack(&st, "10.0.17763.1", dictionary);
	g_autofree char *good = sample_component(&st, &(struct sample_component){
		.name = "Packed", .version = "10.0.17763.2", .dictionary = dictionary, .installed = true,
		.body = "<registryKeys><registryKey keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\P\"/></registryKeys>" });
	g_autofree char *bad = sample_component(&st, &(struct sample_component){
		.name = "Other", .version = "10.0.17763.2", .dictionary = dictionary, .wrong_hash = true });
	struct ib_store *s = sample_store_end(&st);
	cr_assert(ib_svc_model(s, &model, &err));
	cr_assert(ib_svc_manifest(s, ib_svc_component(model, good), &m, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_str_eq(m->keyform, good);
	cr_assert_eq(m->registry->len, 1);
	cr_assert_not(ib_svc_manifest(s, ib_svc_component(model, bad), &m, &why));
	cr_assert_eq(ib_error_code(why), IB_ERR_VERIFY);
	g_autofree char *text = ib_error_format(why, "test");
	cr_assert_not_null(strstr(text, bad), "%s", text);
	ib_store_free(s);
	ib_wim_free(st.wim);
}

Test(servicing_manifests, without_dictionary_it_is_said_what_is_needed)
{
	struct sample_store st = sample_store_begin();
	g_autoptr(GBytes) dictionary = dictionary_new();
	const struct ib_manifest *m = NULL;
	struct ib_model *model;
	ib_auto_error err = NULL;
	GBytes *got;
	IB_CLEANUP(ib_verify_result_clear) struct ib_verify_result v = { 0 };

	g_autofree char *one = sample_component(&st, &(struct sample_component){ .name = "Packed", .version = "10.0.17763.2",
										  .dictionary = dictionary });
	g_autofree char *two = sample_component(&st, &(struct sample_component){ .name = "Also", .version = "10.0.17763.2",
										  .dictionary = dictionary });
	struct ib_store *s = sample_store_end(&st);
	cr_assert(ib_store_dictionary(s, &got, &err) && !got);
	cr_assert(ib_svc_model(s, &model, &err));
	cr_assert_not(ib_svc_manifest(s, ib_svc_component(model, one), &m, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	g_autofree char *text = ib_error_format(err, "test");
	cr_assert(strstr(text, one) && strstr(text, "wcp.dll"), "%s", text);
	ib_error_clear(&err);
	cr_assert(ib_store_verify(s, NULL, false, &v, NULL, &err));
	unsigned said = 0;
	for (guint i = 0; i < v.findings->len; i++) {
		const struct ib_finding *f = v.findings->pdata[i];
		said += strcmp(f->id, "manifest-unreadable") == 0;
		if (strcmp(f->id, "manifest-unreadable") == 0)
			cr_assert_not_null(strstr(f->text, "2 compressed"), "%s", f->text);
	}
	cr_assert_eq(said, 1);
	ib_store_free(s);
	ib_wim_free(st.wim);
}

struct seen {
	GString *names;
	unsigned stop_at;
};

static bool see(struct ib_component *c, const struct ib_manifest *m, void *data, struct ib_error **err)
{
	struct seen *seen = data;

	cr_assert_str_eq(c->keyform, m->keyform);
	g_string_append_printf(seen->names, "%s,", m->id.name);
	if (seen->stop_at && --seen->stop_at == 0)
		return ib_throw(err, IB_ERR_FAILED, "enough");
	return true;
}

Test(servicing_manifests, many_come_in_order)
{
	struct sample_store st = sample_store_begin();
	g_autoptr(GBytes) dictionary = dictionary_new();
	g_autoptr(GString) want = g_string_new(NULL);
	g_autoptr(GString) got = g_string_new(NULL);
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	struct seen seen = { .names = got };
	struct ib_model *model;
	ib_auto_error err = NULL;
	char *keys[1200];

	add_stack(&st, "10.0.17763.1", dictionary);
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *name = g_strdup_printf("C%u", i);
		keys[i] = sample_component(&st, &(struct sample_component){ .name = name, .version = "10.0.17763.1",
									   .dictionary = i % 3 ? dictionary : NULL });
		g_string_append_printf(want, "%s,", name);
	}
	struct ib_store *s = sample_store_end(&st);
	cr_assert(ib_svc_model(s, &model, &err));
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
		g_ptr_array_add(list, ib_svc_component(model, keys[i]));
	cr_assert(ib_svc_manifests_each(s, list, NULL, see, &seen, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_str_eq(got->str, want->str);
	seen.stop_at = 700;
	cr_assert_not(ib_svc_manifests_each(s, list, NULL, see, &seen, &err));
	cr_assert_eq(ib_error_code(err), IB_ERR_FAILED);
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
		g_free(keys[i]);
	ib_store_free(s);
	ib_wim_free(st.wim);
}
