#include "imgbuild.h"

#include <stdio.h>

#include "build/build.h"

#define PROFILE_OPTIONS                                                                       \
	{ "set", 0, "NAME=VALUE", true, "set ${NAME} of the profile; wins over all files" },                    \
	{ "vars", 0, "FILE", false, "INI file whose [vars] set variables" }

const struct option build_options[] = {
	{ "output", 'o', "DIR", false, "folder to make; absent: out/LABEL" },
	PROFILE_OPTIONS,
	{ "publish", 0, NULL, false, "deliver it too, if every role has approved" },
	{ NULL },
};

const struct option plan_options[] = {
	{ "output", 'o', "DIR", false, "folder build would make; its disk must hold it" },
	PROFILE_OPTIONS,
	{ NULL },
};

static struct ib_build_options options_of(const struct context *c, char **sets)
{
	return (struct ib_build_options){
		.size = sizeof(struct ib_build_options),
		.profile = args_word(c->args, 0),
		.out_dir = args_value(c->args, "output"),
		.data_dir = c->data_dir,
		.sets = sets,
		.vars_file = args_value(c->args, "vars"),
		.publish = args_has(c->args, "publish"),
		.threads = c->threads,
		.now = c->now,
		.secret = secret_get,
		.progress = c->progress,
	};
}

static void print_list(const char *title, const GPtrArray *list)
{
	for (guint i = 0; i < list->len; i++)
		printf("%s%s\n", title, (const char *)g_ptr_array_index(list, i));
}

static void print_plan(const struct ib_plan *plan)
{
	g_autofree char *need = ib_size_text(plan->need_bytes), *have = ib_size_text(plan->available_bytes);

	printf("%s -> %s\n", plan->name, plan->out_dir);
	for (guint i = 0; i < plan->items->len; i++) {
		const struct ib_plan_item *item = g_ptr_array_index(plan->items, i);
		printf("  %-10s %s\n", item->stage, item->text);
	}
	printf("  %-10s %s needed, %s available\n", "space", need, have);
	print_list("  warning    ", plan->warnings);
	print_list("  approval   missing: ", plan->missing);
}

int cmd_plan(struct context *c, struct ib_error **err)
{
	g_autofree char **sets = args_values(c->args, "set");
	struct ib_build_options o = options_of(c, sets);
	struct ib_plan *plan = NULL;

	if (!ib_build_plan(&o, &plan, err))
		return -1;
	if (c->json)
		fputs(plan->json, stdout);
	else
		print_plan(plan);
	ib_plan_free(plan);
	return 0;
}

static void print_result(const struct ib_build_result *r)
{
	printf("built %s\n  iso     %s\n  sha256  %s\n", r->out_dir, r->iso, r->iso_sha256);
	print_list("  file    ", r->files);
	print_list("  warning ", r->warnings);
	if (r->published)
		printf("  published to %s\n", r->published);
	else
		printf("  not published\n");
}

int cmd_build(struct context *c, struct ib_error **err)
{
	g_autofree char **sets = args_values(c->args, "set");
	struct ib_build_options o = options_of(c, sets);
	struct ib_build_result *r = NULL;
	int status = 0;

	if (!ib_build_run(&o, &r, err))
		return -1;
	ib_progress_done(c->progress);
	if (c->json)
		fputs(r->json, stdout);
	else
		print_result(r);
	if (o.publish && r->missing->len > 0) {
		g_ptr_array_add(r->missing, NULL);
		g_autofree char *roles = g_strjoinv(", ", (char **)r->missing->pdata);
		ib_throw(err, IB_ERR_APPROVAL, "the folder is complete, but not published: not approved yet by: %s", roles);
		ib_hint(err, "imgbuild approve %s …, then imgbuild publish %s", r->out_dir, r->out_dir);
		status = -1;
	}
	ib_build_result_free(r);
	return status;
}
