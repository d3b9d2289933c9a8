/* imglab: the command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#include "base.h"
#include "certs.h"
#include "drivers.h"
#include "hostile.h"
#include "keyform.h"
#include "packages.h"
#include "workbench.h"

#define VECTORS_MAX ((uint64_t)16 << 20)

struct options {
	struct lab_world_options world;
	struct lab_delta_request delta;
	const char *source;
	const char *output;
	unsigned given; /* enum use */
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
	"  drivers -o DIR    driver packages for that disc, good and bad ones\n"
	"  hostile -o DIR    update packages that must be refused, one fault each\n"
	"  certs -o DIR      the laboratory's certificates and test keys\n"
	"  selftest FILE     check the names of components against a table (CSV)\n"
	"  delta -o DELTA FILE   a differential that makes FILE, from --source or nothing\n"
	"  dcm -o FILE XML   a compressed manifest; --source is its dictionary\n"
	"  cab -o CAB FILE...    an LZX cabinet\n"
	"\n"
	"Options:\n"
	"  -o, --output DIR  where to write; made when missing\n"
	"      --seed N      another world of the same shape (default 0)\n"
	"      --size SIZE   small: some 2,000 files (default); large: some 90,000\n"
	"      --system NAME which Windows base makes: client-2019 (default), for which\n"
	"                    there are updates; server-2022\n"
	"      --files DIR   also make a component of every PE file below DIR\n"
	"      --dcm         base: most manifests of the store compressed, as in Windows\n"
	"      --dictionary FILE   what they are compressed with, instead of a text of\n"
	"                    the laboratory; goes into wcp.dll\n"
	"      --source FILE what a differential is made against\n"
	"      --pa31        PA31, which names its source, instead of PA30\n"
	"      --crc         with a CRC-32 before it, as in f\\, r\\ and n\\ of updates\n"
	"      --no-hash     name no hash\n"
	"      --program     of programs, transform the source; --flags N says how\n"
	"      --flags N     the transforms it names\n"
	"      --codes HOW   default: the format's own codes; tables: codes made to\n"
	"                    measure; shorter: whichever is shorter (default)\n"
	"  -h, --help        this text\n"
	"      --version     the version\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 a check failed,\n"
	"5 the system refused.\n";

/* ---- options ---- */

enum use {
	OPT_OUTPUT = 1 << 0,
	OPT_SEED = 1 << 1,
	OPT_SIZE = 1 << 2,
	OPT_FILES = 1 << 3,
	OPT_SOURCE = 1 << 4,
	OPT_DCM = 1 << 5,
	OPT_DICTIONARY = 1 << 6,
	OPT_DELTA = 1 << 7, /* those of `delta` alone */
	OPT_SYSTEM = 1 << 8,
};

/* What base and packages have in common. */
#define OPT_WORLD (OPT_SEED | OPT_SIZE | OPT_FILES | OPT_DICTIONARY)

static const struct {
	int letter;
	const char *name;
	enum use use;
} option_names[] = {
	{ 'o', "output", OPT_OUTPUT }, { 's', "seed", OPT_SEED },     { 'z', "size", OPT_SIZE },
	{ 'f', "files", OPT_FILES },   { 'S', "source", OPT_SOURCE }, { '3', "pa31", OPT_DELTA },
	{ 'c', "crc", OPT_DELTA },     { 'P', "program", OPT_DELTA },     { 'H', "no-hash", OPT_DELTA }, { 'F', "flags", OPT_DELTA },
	{ 'y', "system", OPT_SYSTEM },
	{ 'C', "codes", OPT_DELTA },   { 'd', "dcm", OPT_DCM },	      { 'D', "dictionary", OPT_DICTIONARY },
};

static bool parse_number(const char *what, const char *text, uint64_t *ret, struct ib_error **err)
{
	char *end;

	if (*text >= '0' && *text <= '9') {
		bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

		*ret = g_ascii_strtoull(text, &end, hex ? 16 : 10);
		if (!*end)
			return true;
	}
	return ib_throw(err, IB_ERR_USAGE, "'%s' is not %s: a number is needed", text, what);
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

static bool parse_system(const char *text, const struct lab_system **ret, struct ib_error **err)
{
	*ret = lab_system_find(text);
	return *ret || ib_throw(err, IB_ERR_USAGE, "'%s' is no system: client-2019 or server-2022", text);
}

static bool parse_codes(const char *text, enum lab_delta_codes *ret, struct ib_error **err)
{
	static const char *const names[] = { [LAB_DELTA_SHORTER] = "shorter", [LAB_DELTA_DEFAULT] = "default",
					     [LAB_DELTA_TABLES] = "tables" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_equal(text, names[i])) {
			*ret = (enum lab_delta_codes)i;
			return true;
		}
	return ib_throw(err, IB_ERR_USAGE, "'%s' is not a way to give codes: shorter, default or tables", text);
}

/* One option. Help and version end the program here. */
static bool take(int c, struct options *o, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(option_names); i++)
		if (option_names[i].letter == c)
			o->given |= option_names[i].use;
	switch (c) {
	case 'o':
		o->output = optarg;
		return true;
	case 's':
		return parse_number("a seed", optarg, &o->world.seed, err);
	case 'z':
		return parse_size(optarg, &o->world.size, err);
	case 'y':
		return parse_system(optarg, &o->world.system, err);
	case 'f':
		o->world.files_dir = optarg;
		return true;
	case 'd':
		return o->world.dcm = true;
	case 'D':
		o->world.dictionary = optarg;
		return true;
	case 'S':
		o->source = optarg;
		return true;
	case '3':
		return o->delta.delta.pa31 = true;
	case 'c':
		return o->delta.delta.crc = true;
	case 'P':
		return o->delta.delta.program = true;
	case 'H':
		return o->delta.delta.no_hash = true;
	case 'F':
		return parse_number("a set of flags", optarg, &o->delta.delta.flags, err);
	case 'C':
		return parse_codes(optarg, &o->delta.delta.codes, err);
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
		{ "source", required_argument, NULL, 'S' }, { "pa31", no_argument, NULL, '3' },
		{ "crc", no_argument, NULL, 'c' },	    { "program", no_argument, NULL, 'P' },	    { "no-hash", no_argument, NULL, 'H' },
		{ "flags", required_argument, NULL, 'F' },  { "codes", required_argument, NULL, 'C' },
		{ "system", required_argument, NULL, 'y' },
		{ "dcm", no_argument, NULL, 'd' },	    { "dictionary", required_argument, NULL, 'D' },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1)
		if (!take(c, o, err))
			return false;
	return true;
}

/* ---- commands ---- */

static bool selftest(const struct options *o, char *const *files, struct ib_error **err)
{
	const char *path = files[0];
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

static bool base(const struct options *o, char *const *none, struct ib_error **err)
{
	return lab_base_write(&o->world, o->output, err);
}

static bool packages(const struct options *o, char *const *none, struct ib_error **err)
{
	return lab_packages_write(&o->world, o->output, err);
}

static bool drivers(const struct options *o, char *const *none, struct ib_error **err)
{
	return lab_drivers_write(o->world.seed, o->output, err);
}

static bool hostile(const struct options *o, char *const *none, struct ib_error **err)
{
	return lab_hostile_write(o->world.seed, o->output, err);
}

static bool certs(const struct options *o, char *const *none, struct ib_error **err)
{
	return lab_certs_write(o->world.seed, o->output, err);
}

static bool delta(const struct options *o, char *const *files, struct ib_error **err)
{
	struct lab_delta_request r = o->delta;

	r.source = o->source;
	r.target = files[0];
	r.output = o->output;
	return lab_workbench_delta(&r, err);
}

static bool dcm(const struct options *o, char *const *files, struct ib_error **err)
{
	if (!o->source)
		return ib_throw(err, IB_ERR_USAGE, "a compressed manifest needs its dictionary: --source FILE");
	return lab_workbench_dcm(o->source, files[0], o->output, err);
}

static bool cab(const struct options *o, char *const *files, struct ib_error **err)
{
	return lab_workbench_cab(files, (int)g_strv_length((char **)files), o->output, err);
}

static const struct command {
	const char *name;
	unsigned options; /* enum use; with OPT_OUTPUT it must be given */
	int files; /* how many it takes; -1: one or more */
	bool (*run)(const struct options *o, char *const *files, struct ib_error **err);
} commands[] = {
	{ "base", OPT_OUTPUT | OPT_WORLD | OPT_DCM | OPT_SYSTEM, 0, base },
	{ "packages", OPT_OUTPUT | OPT_WORLD, 0, packages },
	{ "drivers", OPT_OUTPUT | OPT_SEED, 0, drivers },
	{ "hostile", OPT_OUTPUT | OPT_SEED, 0, hostile },
	{ "certs", OPT_OUTPUT | OPT_SEED, 0, certs },
	{ "selftest", 0, 1, selftest },
	{ "delta", OPT_OUTPUT | OPT_SOURCE | OPT_DELTA, 1, delta },
	{ "dcm", OPT_OUTPUT | OPT_SOURCE, 1, dcm },
	{ "cab", OPT_OUTPUT, -1, cab },
};

/* Options that a command does not use are refused, not ignored. */
static bool check(const struct command *c, const struct options *o, int argc, char **argv, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(option_names); i++)
		if (o->given & option_names[i].use & ~c->options)
			return ib_throw(err, IB_ERR_USAGE, "%s takes no --%s", c->name, option_names[i].name);
	if ((c->files > 0 && argc != 1) || (c->files < 0 && argc < 1))
		return ib_throw(err, IB_ERR_USAGE, "%s takes one file%s", c->name, c->files < 0 ? " or more" : "");
	if (c->files == 0 && argc > 0)
		return ib_throw(err, IB_ERR_USAGE, "'%s' is one argument too many", argv[0]);
	if (c->options & OPT_OUTPUT && !o->output)
		return ib_throw(err, IB_ERR_USAGE, "where to write is needed: -o %s", c->files ? "FILE" : "DIR");
	return true;
}

static bool run(const char *name, const struct options *o, int argc, char **argv, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (g_str_equal(commands[i].name, name))
			return check(&commands[i], o, argc, argv, err) && commands[i].run(o, argv, err);
	ib_throw(err, IB_ERR_USAGE, "'%s' is not a command", name);
	return ib_hint(err, "see imglab --help");
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
