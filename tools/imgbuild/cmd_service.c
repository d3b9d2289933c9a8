#include "imgbuild.h"

#include "build/build.h"

const struct option service_options[] = {
	{ "output", 'o', "FILE", false, "the WIM to make; never the input" },
	{ "add-package", 0, "FILE", true, "install an update (.msu, .cab); needs --trust" },
	{ "add-capability", 0, "NAME", true, "add a feature on demand, its languages too" },
	{ "capability-source", 0, "PATH", true, "folder or cabinet in which it is looked for" },
	{ "payload-source", 0, "FILE", true, "image or package with complete files" },
	{ "trust", 0, "PEM", true, "root the packages' signatures must lead to" },
	{ "remove", 0, "NAME", true, "remove a component: manifest's name or .ini file" },
	{ "technique", 0, "WORD", false, "uninstall (default), empty-winner, surgery" },
	{ "remove-package", 0, "NAME", true, "uninstall a package, by name or id" },
	{ "remove-appx", 0, "NAME", true, "remove a provisioned app, by name or family" },
	{ "enable-feature", 0, "NAME", true, "turn an optional feature on" },
	{ "disable-feature", 0, "NAME", true, "turn an optional feature off" },
	{ "add-driver", 0, "PATH", true, "add a driver (.inf, folder); needs --trust" },
	{ "feature-source", 0, "FILE", true, "package or folder for missing features, payload" },
	{ "remove-payload", 0, "FEATURE", true, "turn a feature off and drop its payload" },
	{ "remove-capability", 0, "NAME", true, "remove a feature on demand, its languages too" },
	{ "cleanup", 0, NULL, false, "drop superseded components from the store" },
	{ "reset-base", 0, NULL, false, "and what updates replaced: they are permanent" },
	{ "put", 0, "SOURCE=PATH", true, "put a file or a folder into the image" },
	{ "reg", 0, "FILE", true, "import a .reg file into the image's hives" },
	{ "date", 0, "YYYY-MM-DD", false, "time of what changes; absent: the image's own" },
	{ NULL },
};

static bool fill(const struct context *c, struct ib_service_options *o, struct ib_error **err)
{
	const char *date = args_value(c->args, "date");

	o->has_date = date != NULL;
	if (date && !ib_date_parse(date, &o->date))
		return ib_throw(err, IB_ERR_USAGE, "option '--date' takes YYYY-MM-DD, not '%s'", date);
	if (!o->out)
		return ib_throw(err, IB_ERR_USAGE, "'service' needs '-o FILE': it never changes its input");
	return true;
}

int cmd_service(struct context *c, struct ib_error **err)
{
	unsigned index;
	g_autofree char *image = args_split_index(args_word(c->args, 0), &index), *json = NULL;
	g_autofree char **packages = args_values(c->args, "add-package"), **trust = args_values(c->args, "trust");
	g_autofree char **removals = args_values(c->args, "remove"), **puts = args_values(c->args, "put");
	g_autofree char **enable = args_values(c->args, "enable-feature"), **regs = args_values(c->args, "reg");
	g_autofree char **disable = args_values(c->args, "disable-feature"), **off = args_values(c->args, "remove-package");
	g_autofree char **payloads = args_values(c->args, "remove-payload"), **stock = args_values(c->args, "feature-source");
	g_autofree char **capabilities = args_values(c->args, "remove-capability");
	g_autofree char **sources = args_values(c->args, "payload-source");
	struct ib_service_options o = {
		.size = sizeof o, .image = image, .index = index, .out = args_value(c->args, "output"), .data_dir = c->data_dir,
		.packages = packages, .payload_sources = sources, .removals = removals, .enable = enable, .disable = disable,
		.puts = puts, .regs = regs, .technique = args_value(c->args, "technique"), .uninstalls = off,
		.payloads = payloads, .sources = stock, .capabilities = capabilities,
		.cleanup = args_has(c->args, "cleanup"), .reset_base = args_has(c->args, "reset-base"), .trust = trust,
		.now = c->now, .threads = c->threads, .progress = c->progress,
	};
	g_autofree char **drivers = args_values(c->args, "add-driver"), **apps = args_values(c->args, "remove-appx");

	g_autofree char **added = args_values(c->args, "add-capability");
	g_autofree char **from = args_values(c->args, "capability-source");

	o.added = added;
	o.capability_sources = from;
	o.drivers = drivers;
	o.apps = apps;
	if (!fill(c, &o, err) || !ib_service_run(&o, &json, err))
		return -1;
	ib_progress_done(c->progress);
	render_document(json, c->json);
	return 0;
}
