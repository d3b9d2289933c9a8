#include "imgbuild.h"

#include <stdio.h>

#include "wim/wim.h"

const struct option mount_options[] = { { NULL } };

/* One member each: text for a path that JSON may not take as it is. */
static void print_done(const struct context *c, const char *word, const char *dir)
{
	if (!c->json) {
		printf("%s %s\n", word, dir);
		return;
	}
	printf("{ \"%s\": \"", word);
	for (const unsigned char *p = (const unsigned char *)dir; *p; p++) {
		if (*p < 0x20 || *p == '"' || *p == '\\')
			printf("\\u%04x", *p);
		else
			putchar(*p);
	}
	printf("\" }\n");
}

int cmd_mount(struct context *c, struct ib_error **err)
{
	unsigned index;
	g_autofree char *image = args_split_index(args_word(c->args, 0), &index);
	const char *dir = args_word(c->args, 1);

	if (!ib_wim_mount(image, index ? index : 1, dir, err)) {
		ib_while(err, "mounting '%s'", image);
		return -1;
	}
	print_done(c, "mounted", dir);
	return 0;
}

int cmd_unmount(struct context *c, struct ib_error **err)
{
	const char *dir = args_word(c->args, 0);

	if (!ib_wim_unmount(dir, err))
		return -1;
	print_done(c, "unmounted", dir);
	return 0;
}
