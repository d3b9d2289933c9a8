#include "imgbuild.h"

#include <stdio.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "profile/profile.h"

const struct option profile_options[] = {
	{ "set", 0, "NAME=VALUE", true, "set ${NAME} of the profile; wins over all files" },
	{ "vars", 0, "FILE", false, "INI file whose [vars] set variables" },
	{ NULL },
};

static void show_text(const struct ib_ini *ini)
{
	g_autoptr(GArray) entries = ib_ini_entries(ini);
	const char *section = "";

	for (guint i = 0; i < entries->len; i++) {
		const struct ib_ini_entry *e = &g_array_index(entries, struct ib_ini_entry, i);
		if (strcmp(section, e->section) != 0)
			printf("%s[%s]\n", *section ? "\n" : "", e->section);
		section = e->section;
		if (e->file)
			printf("# %s:%u\n", e->file, e->line);
		else
			printf("# default\n");
		printf("%s = %s\n", e->name, e->value);
	}
}

static void show_json(const struct ib_ini *ini)
{
	g_autoptr(GArray) entries = ib_ini_entries(ini);
	g_autoptr(JsonObject) root = json_object_new();
	JsonNode *node = json_node_new(JSON_NODE_OBJECT);

	for (guint i = 0; i < entries->len; i++) {
		const struct ib_ini_entry *e = &g_array_index(entries, struct ib_ini_entry, i);
		if (!json_object_has_member(root, e->section))
			json_object_set_object_member(root, e->section, json_object_new());
		json_object_set_string_member(json_object_get_object_member(root, e->section), e->name, e->value);
	}
	json_node_set_object(node, root);
	g_autofree char *text = json_to_string(node, TRUE);
	json_node_free(node);
	printf("%s\n", text);
}

static void print_keys(void)
{
	static const struct {
		const char *title;
		const struct ib_ini_key *keys;
	} schemas[] = {
		{ "Profiles", ib_profile_keys },
		{ "Removal manifests", ib_component_keys },
		{ "Approval policies", ib_policy_keys },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(schemas); i++) {
		g_autofree char *page = ib_profile_reference(schemas[i].keys);
		printf("%s## %s\n\n%s", i ? "\n" : "", schemas[i].title, page);
	}
}

static void print_good(const struct context *c, const char *path)
{
	g_autofree char *text = g_strconcat(path, ": good", NULL);

	render_result(c->json, "good", path, text);
}

int cmd_profile(struct context *c, struct ib_error **err)
{
	const char *verb = args_word(c->args, 0), *path = args_word(c->args, 1);
	g_autofree char **sets = args_values(c->args, "set");
	struct ib_ini_options o = { .sets = sets, .vars_file = args_value(c->args, "vars"), .warn_unused = true };
	struct ib_ini *ini = NULL;

	if (strcmp(verb, "keys") == 0 && c->json) {
		ib_throw(err, IB_ERR_USAGE, "'profile keys' is a page of text; it has no JSON form");
		return -1;
	}
	if (strcmp(verb, "keys") == 0) {
		print_keys();
		return 0;
	}
	if (strcmp(verb, "check") != 0 && strcmp(verb, "show") != 0) {
		ib_throw(err, IB_ERR_USAGE, "'profile' takes check, show or keys, not '%s'", verb);
		return -1;
	}
	if (!path) {
		ib_throw(err, IB_ERR_USAGE, "'profile %s' needs a profile", verb);
		return -1;
	}
	if (!ib_ini_load(path, ib_profile_keys, &o, &ini, err))
		return -1;
	if (strcmp(verb, "check") == 0)
		print_good(c, path);
	else if (c->json)
		show_json(ini);
	else
		show_text(ini);
	ib_ini_free(ini);
	return 0;
}
