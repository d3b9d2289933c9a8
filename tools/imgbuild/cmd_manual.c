#include "imgbuild.h"

#include <string.h>

const struct option manual_options[] = { { NULL } };

int cmd_manual(struct context *c, struct ib_error **err)
{
	const char *what = args_word(c->args, 0);

	if (c->json) {
		ib_throw(err, IB_ERR_USAGE, "'manual' prints text; it has no JSON form");
		return -1;
	}
	if (strcmp(what, "man") == 0)
		help_man();
	else if (strcmp(what, "completion") == 0)
		help_completion();
	else {
		ib_throw(err, IB_ERR_USAGE, "'manual' takes man or completion, not '%s'", what);
		return -1;
	}
	return 0;
}
