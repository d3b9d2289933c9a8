/*
 * SDDL by hand, for shell tests: a line on stdin gives a line on stdout.
 *
 *   tool_wim_sddl parse     text to the descriptor in hex
 *   tool_wim_sddl format    hex to text
 *
 * What is refused gives "! " and the cause.
 */
#include <stdio.h>
#include <string.h>

#include "wim/wim.h"

static void parse(const char *text)
{
	g_autoptr(GBytes) sd = NULL;
	ib_auto_error err = NULL;

	if (!ib_sddl_parse(text, &sd, &err)) {
		printf("! %s\n", ib_error_cause(err));
		return;
	}
	g_autofree char *hex = ib_hex(g_bytes_get_data(sd, NULL), g_bytes_get_size(sd));
	puts(hex);
}

static void format(const char *hex)
{
	g_autoptr(GBytes) sd = ib_unhex(hex, strlen(hex));
	g_autofree char *text = NULL;
	ib_auto_error err = NULL;

	if (!sd)
		puts("! no hex");
	else if (!ib_sddl_format(sd, &text, &err))
		printf("! %s\n", ib_error_cause(err));
	else
		puts(text);
}

int main(int argc, char **argv)
{
	g_autofree char *line = NULL;
	size_t size = 0;

	if (argc != 2 || (strcmp(argv[1], "parse") != 0 && strcmp(argv[1], "format") != 0))
		return 2;
	while (getline(&line, &size, stdin) >= 0) {
		g_strchomp(line);
		if (argv[1][0] == 'p')
			parse(line);
		else
			format(line);
	}
	return 0;
}
