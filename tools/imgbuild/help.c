#include "imgbuild.h"

#include <stdio.h>
#include <string.h>

/* The exit statuses, for help, man page and docs/exit-status.md. */
static const struct {
	int status;
	const char *meaning;
} statuses[] = {
	{ 0, "done" },
	{ 1, "failed" },
	{ 2, "usage" },
	{ 3, "bad profile or input" },
	{ 4, "verification failed (hash, signature, store)" },
	{ 5, "the system refused (space, permission, network)" },
	{ 6, "a package does not apply (reason given)" },
	{ 7, "approval missing" },
	{ 8, "nothing to do, all up to date" },
	{ 130, "interrupted" },
};

void help_all(void)
{
	printf("imgbuild makes customer-specific Windows installation images on Linux.\n\n"
	       "usage: imgbuild COMMAND [ARGUMENTS] [OPTIONS]\n\ncommands:\n");
	for (const struct command *c = commands; c->name; c++)
		printf("  %-15s %s\n", c->name, c->summary);
	printf("\nimgbuild COMMAND --help says more; imgbuild --version says which this is.\n\nexit status:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		printf("  %-4d %s\n", statuses[i].status, statuses[i].meaning);
}

static void print_options(const struct option *table)
{
	for (; table && table->name; table++) {
		char letter[6] = "    ";
		if (table->letter)
			snprintf(letter, sizeof letter, "-%c, ", table->letter);
		g_autofree char *left = g_strdup_printf("  %s--%s%s%s", letter, table->name, table->argument ? " " : "",
							table->argument ? table->argument : "");
		if (strlen(left) <= 30)
			printf("%-31s %s\n", left, table->help);
		else
			printf("%s\n%-31s %s\n", left, "", table->help);
	}
}

void help_command(const struct command *command)
{
	printf("usage: imgbuild %s%s%s [OPTIONS]\n\n%s\n", command->name, *command->arguments ? " " : "",
	       command->arguments, command->summary);
	if (command->options && command->options->name) {
		printf("\noptions:\n");
		print_options(command->options);
	}
	printf("\ncommon options:\n");
	print_options(common_options);
}

/* ---- man page ---- */

static void man_options(const struct option *table)
{
	for (; table && table->name; table++) {
		printf(".TP\n");
		if (table->letter)
			printf("\\fB\\-%c\\fR, ", table->letter);
		printf("\\fB\\-\\-%s\\fR%s%s%s\n%s%s\n", table->name, table->argument ? " \\fI" : "",
		       table->argument ? table->argument : "", table->argument ? "\\fR" : "", table->help,
		       table->repeatable ? "; may be given several times" : "");
	}
}

void help_man(void)
{
	printf(".TH IMGBUILD 1 \"\" \"imgbuild %s\" \"User Commands\"\n.SH NAME\nimgbuild \\- make customer-specific "
	       "Windows installation images on Linux\n.SH SYNOPSIS\n.B imgbuild\n.I COMMAND\n[\\fIARGUMENTS\\fR] "
	       "[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\nA profile names a base image, update packages, components to remove and "
	       "where to deliver. \\fBimgbuild build\\fR opens the base, installs the packages, removes the components, "
	       "writes a bootable ISO, upgrade metadata and papers, signs the list of digests and, when the approvals are "
	       "there, publishes. It needs no Windows and no root.\n.SH COMMANDS\n",
	       IB_VERSION);
	for (const struct command *c = commands; c->name; c++) {
		printf(".SS imgbuild %s %s\n%s\n", c->name, c->arguments, c->summary);
		man_options(c->options);
	}
	printf(".SH COMMON OPTIONS\n");
	man_options(common_options);
	printf(".SH EXIT STATUS\n");
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		printf(".TP\n.B %d\n%s\n", statuses[i].status, statuses[i].meaning);
	printf(".SH ENVIRONMENT\n.TP\n.B IMGBUILD_DATA\nfolder that holds manifests/; else the installed one\n");
}

/* ---- completion ---- */

static void complete_options(const struct option *table)
{
	for (; table && table->name; table++)
		printf(" --%s", table->name);
}

void help_completion(void)
{
	printf("_imgbuild() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words\n\tif [ \"$COMP_CWORD\" = 1 ]; then\n"
	       "\t\twords='--help --version");
	for (const struct command *c = commands; c->name; c++)
		printf(" %s", c->name);
	printf("'\n\telse\n\t\tcase ${COMP_WORDS[1]} in\n");
	for (const struct command *c = commands; c->name; c++) {
		printf("\t\t%s) words='", c->name);
		complete_options(c->options);
		complete_options(common_options);
		printf("' ;;\n");
	}
	printf("\t\tesac\n\tfi\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	       "complete -o default -F _imgbuild imgbuild\n");
}
