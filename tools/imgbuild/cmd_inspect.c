#include "imgbuild.h"

#include <string.h>

#include "build/build.h"

const struct option inspect_options[] = {
	{ "trust", 0, "PEM", true, "root, PEM or DER; absent: nothing is judged" },
	{ NULL },
};

/* FILE:2 means image 2, unless a file of that very name exists. */
static char *split_index(const char *word, unsigned *ret_index)
{
	const char *colon = strrchr(word, ':');
	guint64 n;

	*ret_index = 0;
	if (!colon || g_file_test(word, G_FILE_TEST_EXISTS) ||
	    !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &n, NULL))
		return g_strdup(word);
	*ret_index = (unsigned)n;
	return g_strndup(word, (gsize)(colon - word));
}

int cmd_inspect(struct context *c, struct ib_error **err)
{
	g_autofree char **trust = args_values(c->args, "trust");
	g_autofree char *json = NULL;
	unsigned index;
	g_autofree char *path = split_index(args_word(c->args, 0), &index);

	if (!ib_inspect(path, index, trust, c->now, &json, err))
		return -1;
	render_document(json, c->json);
	return 0;
}
