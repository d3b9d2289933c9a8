/* imglab: the command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#include "base.h"
#include "certs.h"
#include "keyform.h"
#include "packages.h"

#define VECTORS_MAX ((uint64_t)16 << 20)

struct options {
	struct lab_world_options world;
	const char *output;
};

static const char usage[] =
	"Usage: imglab COMMAND [OPTION]...\n"
	"Make what is needed to try imgbuild with no Microsoft media. Nothing it makes\n"
	"is or contains a Microsoft file, and nothing it makes runs as Windows. The same\n"
	"options give the same bytes; what shall work together needs one seed.\n"
	"\n"
	"Commands:\n"
	"  base -o DIR       an installation disc, DIR/lab-base.iso, and the trust anchor\n"
	"                    of its catalogs, DIR/lab-root.pem\n"
	"  packages -o DIR   update packages for that disc, good and bad ones\n"
	"  certs -o DIR      the laboratory's certificates and test keys\n"
	"  selftest FILE     check the names of components against a table (CSV)\n"
	"\n"
	"Options:\n"
	"  -o, --output DIR  where to write; made when missing\n"
	"      --seed N      another world of the same shape (default 0)\n"
	"      --size SIZE   small: some 2,000 files (default); large: some 90,000\n"
	"      --files DIR   also make a component of every PE file below DIR\n"
	"  -h, --help        this text\n"
	"      --version     the version\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 a check failed,\n"
	"5 the system refused.\n";

static bool parse_seed(const char *text, uint64_t *ret, struct ib_error **err)
{
	char *end;

	if (*text < '0' || *text > '9')
		return ib_throw(err, IB_ERR_USAGE, "'%s' is not a seed: a number is needed", text);
	*ret = g_ascii_strtoull(text, &end, 10);
	if (*end)
		return ib_throw(err, IB_ERR_USAGE, "'%s' is not a seed: a number is needed", text);
	return true;
}

static bool parse_size(const char *text, enum lab_size *ret, struct ib_error **err)
{
	if (g_str_equal(text, "small"))
		*ret = LAB_SIZE_SMALL;
	else if (g_str_equal(text, "large"))
		*ret = LAB_SIZE_LARGE;
	else
		return ib_throw(err, IB_ERR_USAGE, "'%s' is not a size: small or large", text);
	return true;
}

/* One option. Help and version end the program here. */
static bool take(int c, struct options *o, struct ib_error **err)
{
	switch (c) {
	case 'o':
		o->output = optarg;
		return true;
	case 's':
		return parse_seed(optarg, &o->world.seed, err);
	case 'z':
		return parse_size(optarg, &o->world.size, err);
	case 'f':
		o->world.files_dir = optarg;
		return true;
	case 'h':
		fputs(usage, stdout);
		exit(EXIT_SUCCESS);
	case 'V':
		puts("imglab " IB_VERSION);
		exit(EXIT_SUCCESS);
	default:
		ib_throw(err, IB_ERR_USAGE, "bad option");
		return ib_hint(err, "see imglab --help");
	}
}

static bool parse(int argc, char **argv, struct options *o, struct ib_error **err)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'o' }, { "seed", required_argument, NULL, 's' },
		{ "size", required_argument, NULL, 'z' },   { "files", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1)
		if (!take(c, o, err))
			return false;
	return true;
}

static bool selftest(const char *path, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	unsigned rows, bad;

	if (!ib_file_read(path, VECTORS_MAX, &bytes, err))
		return false;
	g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

	bad = lab_keyform_check(text, &rows);
	if (bad || rows == 0)
		return ib_throw(err, IB_ERR_VERIFY, "%u of %u names differ from '%s'", bad, rows, path);
	printf("%u names agree\n", rows);
	return true;
}

/* Options that a command does not use are refused, not ignored. */
static bool run(const char *command, const struct options *o, int argc, char **argv, struct ib_error **err)
{
	bool is_certs = g_str_equal(command, "certs");

	if (g_str_equal(command, "selftest")) {
		if (argc != 1 || o->output)
			return ib_throw(err, IB_ERR_USAGE, "selftest takes one file");
		return selftest(argv[0], err);
	}
	if (!is_certs && !g_str_equal(command, "base") && !g_str_equal(command, "packages")) {
		ib_throw(err, IB_ERR_USAGE, "'%s' is not a command", command);
		return ib_hint(err, "see imglab --help");
	}
	if (argc > 0)
		return ib_throw(err, IB_ERR_USAGE, "'%s' is one argument too many", argv[0]);
	if (!o->output)
		return ib_throw(err, IB_ERR_USAGE, "an output folder is needed: -o DIR");
	if (is_certs && (o->world.files_dir || o->world.size != LAB_SIZE_SMALL))
		return ib_throw(err, IB_ERR_USAGE, "certs takes no --size and no --files");
	if (is_certs)
		return lab_certs_write(o->world.seed, o->output, err);
	if (g_str_equal(command, "packages"))
		return lab_packages_write(&o->world, o->output, err);
	return lab_base_write(&o->world, o->output, err);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	ib_auto_error err = NULL;
	bool ok = parse(argc, argv, &o, &err);

	if (ok && optind >= argc) {
		ok = ib_throw(&err, IB_ERR_USAGE, "a command is needed");
		ib_hint(&err, "see imglab --help");
	}
	if (ok)
		ok = run(argv[optind], &o, argc - optind - 1, argv + optind + 1, &err);
	if (ok)
		return EXIT_SUCCESS;
	g_autofree char *text = ib_error_format(err, "imglab");

	fputs(text, stderr);
	return (int)ib_error_code(err);
}
