#include "imgbuild.h"

#include <string.h>

#include "build/build.h"

const struct option package_options[] = {
	{ "base", 0, "IMAGE[:INDEX]", false, "WIM or ISO that differentials are applied to" },
	{ "output", 'o', "DIR", false, "for extract: the folder to make" },
	{ "partial", 0, NULL, false, "for extract: make it although files are missing" },
	{ "trust", 0, "PEM", true, "root, PEM or DER; absent: nothing is judged" },
	{ NULL },
};

static bool check_words(const struct context *c, struct ib_error **err)
{
	const char *what = args_word(c->args, 0), *out = args_value(c->args, "output");
	bool extract = strcmp(what, "extract") == 0;

	if (!extract && strcmp(what, "list") != 0)
		return ib_throw(err, IB_ERR_USAGE, "'package' takes list or extract, not '%s'", what);
	if (extract && !out)
		return ib_throw(err, IB_ERR_USAGE, "'package extract' needs '-o DIR'");
	if (!extract && (out || args_has(c->args, "partial")))
		return ib_throw(err, IB_ERR_USAGE, "'package list' takes neither '--output' nor '--partial'");
	return true;
}

int cmd_package(struct context *c, struct ib_error **err)
{
	g_autofree char **trust = args_values(c->args, "trust");
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	g_autofree char *json = NULL;
	unsigned missing;

	for (guint i = 1; i < c->args->words->len; i++)
		g_ptr_array_add(files, g_ptr_array_index(c->args->words, i));
	g_ptr_array_add(files, NULL);
	struct ib_payload_request q = {
		.size = sizeof q, .files = (char **)files->pdata, .base = args_value(c->args, "base"),
		.out = args_value(c->args, "output"), .partial = args_has(c->args, "partial"), .trust = trust, .now = c->now,
		.threads = c->threads, .progress = c->progress,
	};
	if (!check_words(c, err) || !ib_package_payload(&q, &json, &missing, err))
		return -1;
	ib_progress_done(c->progress);
	render_document(json, c->json);
	if (!missing || q.partial)
		return 0;
	ib_throw(err, IB_ERR_FAILED, "%u files cannot be made from what is there, so '%s' was not made", missing, q.out);
	ib_hint(err, "they are listed under missing; --base names the image the package is for, --partial leaves them out");
	return -1;
}
