#include "imgbuild.h"

#include <stdio.h>
#include <string.h>

#include "build/build.h"

const struct option diff_options[] = {
	{ "html", 0, "FILE", false, "write the differences as a page, too" },
	{ "language", 0, "en|zh-CN", false, "language of the page; absent: en" },
	{ NULL },
};

static bool check_language(const struct ib_diff_options *o, struct ib_error **err)
{
	if (o->language && strcmp(o->language, "en") != 0 && strcmp(o->language, "zh-CN") != 0)
		return ib_throw(err, IB_ERR_USAGE, "option '--language' takes en or zh-CN, not '%s'", o->language);
	if (o->language && !o->html)
		return ib_throw(err, IB_ERR_USAGE, "option '--language' is for the page of '--html FILE'");
	return true;
}

int cmd_diff(struct context *c, struct ib_error **err)
{
	struct ib_diff_options o = { .size = sizeof o, .data_dir = c->data_dir };
	g_autofree char *a = args_split_index(args_word(c->args, 0), &o.index_a);
	g_autofree char *b = args_split_index(args_word(c->args, 1), &o.index_b);
	g_autofree char *json = NULL, *text = NULL;
	bool same;

	o.a = a;
	o.b = b;
	o.html = args_value(c->args, "html");
	o.language = args_value(c->args, "language");
	if (!check_language(&o, err) || !ib_diff_images(&o, &json, &text, &same, err))
		return -1;
	fputs(c->json ? json : text, stdout);
	return 0;
}
