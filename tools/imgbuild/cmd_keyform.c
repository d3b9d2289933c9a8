#include "imgbuild.h"

#include <string.h>

#include "package/package.h"

const struct option keyform_options[] = {
	{ "name", 0, "NAME", false, "of the component or package; for value: a file" },
	{ "version", 0, "A.B.C.D", false, "of the component or package" },
	{ "arch", 0, "ARCH", false, "amd64, wow64, x86, msil or another" },
	{ "culture", 0, "CULTURE", false, "language; absent: neutral" },
	{ "token", 0, "HEX", false, "public key token, 16 hex digits" },
	{ "type", 0, "TYPE", false, "win32, dualModeDriver or another" },
	{ "scope", 0, "nonSxS", false, "version scope; most Windows components have it" },
	{ "update", 0, "NAME", false, "for value: update of the package id in --name" },
	{ "form", 0, "long|short|family|package|value", false, "which name; absent: long" },
	{ NULL },
};

static bool neutral(const char *culture)
{
	return !culture || !*culture || g_ascii_strcasecmp(culture, "neutral") == 0 || strcmp(culture, "none") == 0 ||
	       strcmp(culture, "*") == 0;
}

/* A family's name has no version: there it may be left out. */
static bool read_identity(const struct args *a, bool family, struct ib_identity *id, struct ib_error **err)
{
	*id = (struct ib_identity){
		.name = args_value(a, "name"),
		.version = args_value(a, "version"),
		.arch = args_value(a, "arch"),
		.culture = neutral(args_value(a, "culture")) ? NULL : args_value(a, "culture"),
		.token = args_value(a, "token"),
		.type = args_value(a, "type"),
		.scope = args_value(a, "scope"),
	};
	if (family && !id->version)
		id->version = "0.0.0.0";
	if (!id->name || !id->version || !id->arch || !id->token)
		return ib_throw(err, IB_ERR_USAGE, "--name, --version, --arch and --token are needed");
	if (!ib_version_parse(id->version, &id->number))
		return ib_throw(err, IB_ERR_USAGE, "--version takes four numbers with dots, not '%s'", id->version);
	return true;
}

static char *value_name(const struct args *a)
{
	const char *update = args_value(a, "update"), *name = args_value(a, "name");

	return update ? ib_update_value_name(name, update) : ib_file_value_name(name);
}

int cmd_keyform(struct context *c, struct ib_error **err)
{
	static const char *const forms[] = { "long", "short", "family" };
	const char *form = args_value(c->args, "form");
	g_autofree char *text = NULL;
	struct ib_identity id;

	if (form && strcmp(form, "value") == 0) {
		if (!args_value(c->args, "name")) {
			ib_throw(err, IB_ERR_USAGE, "--name is needed");
			return -1;
		}
		text = value_name(c->args);
	} else if (!read_identity(c->args, g_strcmp0(form, "family") == 0, &id, err)) {
		return -1;
	} else if (form && strcmp(form, "package") == 0) {
		text = ib_package_id(&id);
	}
	for (size_t i = 0; !text && i < G_N_ELEMENTS(forms); i++)
		if (strcmp(form ? form : "long", forms[i]) == 0)
			text = ib_keyform(&id, (enum ib_keyform)i);
	if (!text) {
		ib_throw(err, IB_ERR_USAGE, "--form takes long, short, family, package or value, not '%s'", form);
		return -1;
	}
	render_result(c->json, "name", text, text);
	return 0;
}
