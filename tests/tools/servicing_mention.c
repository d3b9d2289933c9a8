/*
 * Whether what each manifest of an image brings is found in its text by ib_svc_mentions_any(), for the thing alone and for
 * each folder or key above it; and how many manifests are spared reading when one thing is asked for.
 *
 *   tool_servicing_mention WIM INDEX
 *
 * Prints "things=N overlooked=N spared=PERCENT" and a line for each that was overlooked; exit status 1 when there is one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "servicing/internal.h"

/* How many other manifests one thing in so many is looked for in. */
#define SAMPLE 37u

struct run {
	struct ib_store *s;
	GPtrArray *texts; /* GBytes * */
	unsigned things, overlooked;
	uint64_t asked, spared;
};

static void must(bool ok, struct ib_error *err)
{
	if (ok)
		return;
	g_autofree char *text = ib_error_format(err, "servicing_mention");
	fputs(text, stderr);
	exit(ib_error_code(err));
}

static struct ib_mentions *look_for(const char *id, bool folder)
{
	g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) folders = g_hash_table_new(g_str_hash, g_str_equal);

	g_hash_table_add(folder ? folders : ids, (gpointer)id);
	return ib_svc_mentions_new(ids, folders);
}

static void expect(struct run *r, const char *id, bool folder, GBytes *text, const char *keyform)
{
	IB_CLEANUP(ib_svc_mentions_clear) struct ib_mentions *m = look_for(id, folder);

	r->things++;
	if (!ib_svc_mentions_any(m, keyform, text)) {
		r->overlooked++;
		printf("overlooked %s of %s\n", id, keyform);
	}
	for (guint i = 0; !folder && r->things % SAMPLE == 0 && i < r->texts->len; i++) {
		r->asked++;
		r->spared += !ib_svc_mentions_any(m, "", r->texts->pdata[i]);
	}
}

/* The thing, and as owner queries ask for folders, everything above it. */
static void expect_all(struct run *r, const struct ib_effect *e, GBytes *text, const char *keyform)
{
	bool reg = e->kind == EFFECT_KEY || e->kind == EFFECT_VALUE;
	bool file = e->kind == EFFECT_FILE || e->kind == EFFECT_DIRECTORY;
	g_autofree char *path = reg || file ? g_strdup(e->path) : NULL;

	expect(r, e->id, false, text, keyform);
	for (char *end = path; end; end = strrchr(path, '\\')) {
		if (end != path)
			*end = '\0';
		g_autofree char *id = ib_svc_effect_id(reg ? EFFECT_KEY : EFFECT_DIRECTORY, e->hive, path, NULL);
		expect(r, id, true, text, keyform);
		if (!strchr(path, '\\'))
			break;
	}
}

static bool gather(struct ib_component *c, const struct ib_manifest *m, void *data, struct ib_error **err)
{
	struct run *r = data;
	GBytes *dictionary, *text;

	if (!ib_store_dictionary(r->s, &dictionary, err) || !ib_manifest_text(m->stored, dictionary, &text, err))
		return false;
	g_ptr_array_add(r->texts, text);
	return true;
}

static bool check(struct ib_component *c, const struct ib_manifest *m, void *data, struct ib_error **err)
{
	struct run *r = data;
	g_autoptr(GPtrArray) effects = NULL;
	g_autoptr(GBytes) text = NULL;
	GBytes *dictionary;

	if (!ib_store_dictionary(r->s, &dictionary, err) || !ib_manifest_text(m->stored, dictionary, &text, err) ||
	    !ib_svc_effects(r->s, m, &effects, err))
		return false;
	for (guint i = 0; i < effects->len; i++)
		expect_all(r, effects->pdata[i], text, c->keyform);
	return true;
}

int main(int argc, char **argv)
{
	struct run r = { .texts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref) };
	struct ib_error *err = NULL;
	struct ib_model *model;
	struct ib_wim *wim;

	if (argc != 3)
		return 2;
	must(ib_wim_open_file(argv[1], NULL, &wim, &err) &&
	     ib_store_open(wim, (unsigned)atoi(argv[2]), 1, &r.s, &err) && ib_svc_model(r.s, &model, &err), err);
	g_autoptr(GPtrArray) winners = ib_svc_winners(model);
	must(ib_svc_manifests_each(r.s, winners, NULL, gather, &r, &err) &&
	     ib_svc_manifests_each(r.s, winners, NULL, check, &r, &err), err);
	printf("things=%u overlooked=%u spared=%.1f\n", r.things, r.overlooked,
	       r.asked ? 100.0 * (double)r.spared / (double)r.asked : 0.0);
	g_ptr_array_unref(r.texts);
	ib_store_free(r.s);
	ib_wim_free(wim);
	return r.overlooked ? 1 : r.things ? 0 : 2;
}
