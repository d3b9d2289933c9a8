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

/* Words in lines of at most 80 columns; all our texts are ASCII. `end` goes before each line break, `indent` after it. */
static void print_wrapped(const char *text, const char *indent, const char *end)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	size_t column = 0, room = 80 - strlen(end);

	for (char **w = words; *w; w++) {
		size_t n = strlen(*w);
		bool fits = column && column + 1 + n <= room;
		if (!fits)
			printf("%s%s%s", column ? end : "", column ? "\n" : "", indent);
		else
			printf(" ");
		printf("%s", *w);
		column = fits ? column + 1 + n : strlen(indent) + n;
	}
	printf("\n");
}

void help_command(const struct command *command)
{
	const char *details = details_text(command->name), *example = details_example(command->name);

	printf("usage: imgbuild %s%s%s [OPTIONS]\n\n%s\n", command->name, *command->arguments ? " " : "",
	       command->arguments, command->summary);
	if (details) {
		printf("\n");
		print_wrapped(details, "", "");
	}
	if (command->options && command->options->name) {
		printf("\noptions:\n");
		print_options(command->options);
	}
	printf("\ncommon options:\n");
	print_options(common_options);
	if (example) {
		printf("\nexample:\n");
		print_wrapped(example, "  ", " \\");
	}
}

/* ---- man page ---- */

/* Text for troff: '-' is a minus sign (people copy it), '\' and a leading dot or quote are text. */
static void man_text(const char *text)
{
	for (const char *c = text; *c; c++) {
		if ((c == text || c[-1] == '\n') && (*c == '.' || *c == '\''))
			printf("\\&");
		if (*c == '-')
			printf("\\-");
		else if (*c == '\\')
			printf("\\e");
		else
			putchar(*c);
	}
}

static void man_options(const struct option *table)
{
	for (; table && table->name; table++) {
		printf(".TP\n");
		if (table->letter)
			printf("\\fB\\-%c\\fR, ", table->letter);
		printf("\\fB\\-\\-");
		man_text(table->name);
		printf("\\fR");
		if (table->argument) {
			printf(" \\fI");
			man_text(table->argument);
			printf("\\fR");
		}
		printf("\n");
		man_text(table->help);
		printf("%s\n", table->repeatable ? "; may be given several times" : "");
	}
}

static void man_command(const struct command *c)
{
	const char *details = details_text(c->name), *example = details_example(c->name);

	printf(".SS imgbuild ");
	man_text(c->name);
	printf("%s", *c->arguments ? " " : "");
	man_text(c->arguments);
	printf("\n");
	man_text(c->summary);
	printf(".\n");
	if (details) {
		printf(".PP\n");
		man_text(details);
		printf("\n");
	}
	man_options(c->options);
	if (example) {
		printf(".PP\nExample:\n.PP\n.RS 4\n.na\n");
		man_text(example);
		printf("\n.ad\n.RE\n");
	}
}

void help_man(void)
{
	printf(".TH IMGBUILD 1 \"\" \"imgbuild %s\" \"User Commands\"\n.SH NAME\nimgbuild \\- make customer\\-specific "
	       "Windows installation images on Linux\n.SH SYNOPSIS\n.B imgbuild\n.I COMMAND\n[\\fIARGUMENTS\\fR] "
	       "[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\nA profile names a base image, update packages, components to remove and "
	       "where to deliver. \\fBimgbuild build\\fR opens the base, installs the packages, removes the components, "
	       "writes a bootable ISO, upgrade metadata and papers, signs the list of digests and, when the approvals are "
	       "there, publishes. It needs no Windows and no root.\n.PP\nThe result of a command goes to standard output; "
	       "errors, log and progress go to standard error. An error names what was being done, the cause, and, where "
	       "there is one, what to do next.\n.SH COMMANDS\n",
	       IB_VERSION);
	for (const struct command *c = commands; c->name; c++)
		man_command(c);
	printf(".SH COMMON OPTIONS\n");
	man_options(common_options);
	printf(".SH EXIT STATUS\n");
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		printf(".TP\n.B %d\n%s\n", statuses[i].status, statuses[i].meaning);
	printf(".SH ENVIRONMENT\n.TP\n.B IMGBUILD_DATA\nFolder that holds manifests/. Absent: share/imgbuild beside the "
	       "folder of the program, else the source tree it was built in.\n.TP\n.B SOURCE_DATE_EPOCH\nSeconds since 1970: "
	       "the time of what hive set and hive import write. Absent: the latest time in the hive. Builds take theirs from the "
	       "profile.\n.SH FILES\n.TP\n.I PROFILE.ini\nWhat to build; "
	       "its keys: imgbuild profile keys.\n.TP\n.I manifests/\nRemoval manifests, products, policies, texts of the "
	       "papers.\n.TP\n.I .work\\-NAME\nA build that is running, or one that died; the next build of the same folder "
	       "removes it.\n.SH SEE ALSO\n.BR openssl\\-cms (1),\n.BR sha256sum (1),\n.BR sftp (1)\n");
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
