#include "imgbuild.h"

#include <string.h>

#include "build/build.h"

const struct option component_options[] = {
	{ NULL },
};

int cmd_component(struct context *c, struct ib_error **err)
{
	unsigned index;
	g_autofree char *image = args_split_index(args_word(c->args, 1), &index), *text = NULL;

	if (strcmp(args_word(c->args, 0), "draft") != 0) {
		ib_throw(err, IB_ERR_USAGE, "'%s' is nothing that component does", args_word(c->args, 0));
		ib_hint(err, "imgbuild component draft IMAGE NAME");
		return -1;
	}
	if (!ib_component_draft(image, index, args_word(c->args, 2), &text, err))
		return -1;
	render_result(c->json, "manifest", text, g_strchomp(text));
	return 0;
}
