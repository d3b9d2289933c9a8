#include "imgbuild.h"

#include <stdio.h>

#include "build/build.h"

const struct option diff_options[] = { { NULL } };

int cmd_diff(struct context *c, struct ib_error **err)
{
	unsigned index_a, index_b;
	g_autofree char *a = args_split_index(args_word(c->args, 0), &index_a);
	g_autofree char *b = args_split_index(args_word(c->args, 1), &index_b);
	g_autofree char *json = NULL, *text = NULL;
	bool same;

	if (!ib_diff_images(a, index_a, b, index_b, &json, &text, &same, err))
		return -1;
	fputs(c->json ? json : text, stdout);
	return 0;
}
