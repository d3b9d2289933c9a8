#include "imgbuild.h"

#include "build/build.h"

const struct option inspect_options[] = {
	{ "base", 0, "IMAGE[:INDEX]", false, "image whose dictionary manifests need" },
	{ "trust", 0, "PEM", true, "root, PEM or DER; absent: nothing is judged" },
	{ NULL },
};

int cmd_inspect(struct context *c, struct ib_error **err)
{
	g_autofree char **trust = args_values(c->args, "trust");
	g_autofree char *json = NULL;
	unsigned index;
	g_autofree char *path = args_split_index(args_word(c->args, 0), &index);

	if (!ib_inspect(path, index, args_value(c->args, "base"), trust, c->now, &json, err))
		return -1;
	render_document(json, c->json);
	return 0;
}
