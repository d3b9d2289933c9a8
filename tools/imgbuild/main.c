#include "imgbuild.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const struct command commands[] = {
	{ "build", "PROFILE", 1, 1, "build a customer's image from a profile", build_options, cmd_build },
	{ "plan", "PROFILE", 1, 1, "say what build would do and refuse; write nothing", plan_options, cmd_plan },
	{ "profile", "check|show|keys [PROFILE]", 1, 2, "check a profile, show what is in effect, list all keys", profile_options,
	  cmd_profile },
	{ "inspect", "FILE[:INDEX]", 1, 1, "say what an ISO, WIM, package, manifest, catalog, hive holds", inspect_options,
	  cmd_inspect },
	{ "service", "IMAGE[:INDEX]", 1, 1, "change one image: packages, features, files, registry", service_options,
	  cmd_service },
	{ "component", "draft IMAGE[:INDEX] NAME", 3, 3, "propose a removal manifest for a component of an image", component_options,
	  cmd_component },
	{ "mount", "WIM[:INDEX] DIR", 2, 2, "look into an image as a folder, read-only (FUSE)", mount_options, cmd_mount },
	{ "unmount", "DIR", 1, 1, "undo mount", mount_options, cmd_unmount },
	{ "hive", "export|import|get|set|verify|diff HIVE ...", 2, 4, "read and change a registry hive, also inside an image",
	  hive_options, cmd_hive },
	{ "diff", "A[:INDEX] B[:INDEX]", 2, 2, "say what differs between two images", diff_options, cmd_diff },
	{ "verify", "DIR|ISO|WIM", 1, 1, "check digests, signature, disc and component store", verify_options, cmd_verify },
	{ "keyform", "", 0, 0, "print the names Windows makes from a component's identity", keyform_options, cmd_keyform },
	{ "package", "list|extract FILE...", 2, 1000, "what update packages hold; their complete payload as a folder",
	  package_options, cmd_package },
	{ "delta", "info|apply DELTA", 2, 2, "look at or apply a PA30/PA31 delta or a compressed manifest", delta_options, cmd_delta },
	{ "approve", "DIR", 1, 1, "record a signed decision about a build", approve_options, cmd_approve },
	{ "publish", "DIR", 1, 1, "deliver an approved build to the address in its profile", publish_options, cmd_publish },
	{ "check-delivery", "URL", 1, 1, "verify what lies at a delivery address, as its receiver", check_delivery_options, cmd_check_delivery },
	{ "manual", "man|completion", 1, 1, "print the man page or the bash completion", manual_options, cmd_manual },
	{ NULL },
};

const struct option common_options[] = {
	{ "format", 0, "text|json", false, "form of the result on stdout; absent: text" },
	{ "progress", 0, "auto|tty|plain|json|none", false, "progress on stderr; auto: tty on a terminal" },
	{ "log-level", 0, "error|warning|info|debug", false, "least serious line to log; absent: warning" },
	{ "log-format", 0, "text|json", false, "form of log lines on stderr; absent: text" },
	{ "jobs", 'j', "N", false, "threads; absent: one a processor" },
	{ "help", 'h', NULL, false, "show this help" },
	{ NULL },
};

/*
 * A stream that the caller closed must not become the number of a file we open: what is printed would go into it.
 * Read-only, so that printing to it still fails.
 */
static void keep_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			_exit(IB_ERR_SYSTEM);
}

/* Everything printed must have arrived: an earlier failed write counts too. */
static int end_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "imgbuild: error: cannot write the result to stdout\n");
	return status ? status : IB_ERR_SYSTEM;
}

/* Set by SIGINT and SIGTERM; the progress channel carries it to the work. */
volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	/* The second Ctrl-C ends the program at once: the workspace is cleared by the next build. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static const struct command *find_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int fail(struct ib_error **err)
{
	g_autofree char *text = ib_error_format(*err, "imgbuild");
	int status = (int)ib_error_code(*err);

	render_end();
	fputs(text, stderr);
	ib_error_clear(err);
	return status;
}

static int unknown_command(const char *name)
{
	ib_auto_error err = NULL;
	const char *names[G_N_ELEMENTS(commands)] = { NULL };

	for (size_t i = 0; commands[i].name; i++)
		names[i] = commands[i].name;
	const char *near = ib_nearest(name, names);
	ib_throw(&err, IB_ERR_USAGE, "there is no command '%s'", name);
	if (near)
		ib_hint(&err, "did you mean 'imgbuild %s'?", near);
	else
		ib_hint(&err, "imgbuild --help lists them");
	return fail(&err);
}

/* Where manifests/ lies: $IMGBUILD_DATA, beside the installed program, or the source tree it was built in. */
static char *find_data(void)
{
	const char *given = g_getenv("IMGBUILD_DATA");
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *bin = self ? g_path_get_dirname(self) : g_strdup(".");
	g_autofree char *installed = g_build_filename(bin, "..", "share", "imgbuild", NULL);

	if (given)
		return g_strdup(given);
	return g_strdup(g_file_test(installed, G_FILE_TEST_IS_DIR) ? installed : IB_SOURCE_DIR);
}

static bool one_of(const struct args *a, const char *name, const char *words, const char **ret, struct ib_error **err)
{
	g_auto(GStrv) known = g_strsplit(words, "|", -1);

	*ret = args_value(a, name);
	if (!*ret || g_strv_contains((const char *const *)known, *ret))
		return true;
	return ib_throw(err, IB_ERR_USAGE, "option '--%s' takes %s, not '%s'", name, words, *ret);
}

static bool set_up(struct context *c, struct ib_error **err)
{
	const char *format, *progress, *level, *log_format, *jobs = args_value(c->args, "jobs");
	guint64 n = 0;

	if (!one_of(c->args, "format", "text|json", &format, err) ||
	    !one_of(c->args, "progress", "auto|tty|plain|json|none", &progress, err) ||
	    !one_of(c->args, "log-level", "error|warning|info|debug", &level, err) ||
	    !one_of(c->args, "log-format", "text|json", &log_format, err))
		return false;
	if (jobs && !g_ascii_string_to_unsigned(jobs, 10, 1, 256, &n, NULL))
		return ib_throw(err, IB_ERR_USAGE, "option '--jobs' takes a number from 1 to 256, not '%s'", jobs);
	c->threads = (unsigned)n;
	c->json = format && strcmp(format, "json") == 0;
	c->now = (int64_t)time(NULL);
	c->data_dir = find_data();
	return render_log(level, log_format, err) && render_progress(progress, &c->progress, err);
}

static int run(const struct command *command, int argc, char **argv)
{
	ib_auto_error err = NULL;
	struct args *args = NULL;
	int status = -1;

	if (!args_parse(command, argc, argv, &args, &err))
		return fail(&err);
	struct context c = { .args = args };
	if (args_has(args, "help")) {
		help_command(command);
		status = 0;
	} else if (args->words->len < command->least || args->words->len > command->most) {
		ib_throw(&err, IB_ERR_USAGE, "'%s' takes %s, %u word%s given", command->name,
			 *command->arguments ? command->arguments : "no words", args->words->len,
			 args->words->len == 1 ? " was" : "s were");
		ib_hint(&err, "imgbuild %s --help", command->name);
	} else if (set_up(&c, &err)) {
		status = command->run(&c, &err);
	}
	render_end();
	if (err)
		status = fail(&err);
	ib_progress_free(c.progress);
	g_free(c.data_dir);
	args_free(args);
	return end_output(status);
}

int main(int argc, char **argv)
{
	keep_standard_streams();
	setlocale(LC_CTYPE, "C.UTF-8");
	catch_signals();
	if (argc < 2) {
		fprintf(stderr, "imgbuild: error: which command? imgbuild --help lists them\n");
		return IB_ERR_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		const struct command *c = argc > 2 ? find_command(argv[2]) : NULL;
		if (argc > 2 && !c)
			return unknown_command(argv[2]);
		if (c)
			help_command(c);
		else
			help_all();
		return end_output(0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("imgbuild %s\n", IB_VERSION);
		return end_output(0);
	}
	const struct command *c = find_command(argv[1]);
	return c ? run(c, argc - 2, argv + 2) : unknown_command(argv[1]);
}
