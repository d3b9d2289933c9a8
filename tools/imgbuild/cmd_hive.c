#include "imgbuild.h"

#include <stdio.h>
#include <string.h>

#include "build/hives.h"

const struct option hive_options[] = {
	{ "output", 'o', "FILE", false, "export: absent: stdout; import, set: the result" },
	{ "key", 0, "KEY", false, "export: this key and what is below it" },
	{ "encoding", 0, "utf-8|utf-16", false, "export: utf-16 is for regedit; absent: utf-8" },
	{ "type", 0, "TYPE", false, "set: sz, expand, multi, dword, qword, binary ..." },
	{ "data", 0, "DATA", true, "set: text, number or hex bytes; multi: several" },
	{ "root", 0, "KEY", false, "name of the root; absent: told by the hive" },
	{ "accept-dirty-hive", 0, NULL, false, "take a dirty hive as it is without its logs" },
	{ NULL },
};

/* SOURCE_DATE_EPOCH, or 0: the latest time in the hive. Same input, same bytes. */
static bool time_of_change(uint64_t *ret, struct ib_error **err)
{
	const char *text = g_getenv("SOURCE_DATE_EPOCH");
	guint64 seconds;

	*ret = 0;
	if (!text)
		return true;
	if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &seconds, NULL))
		return ib_throw(err, IB_ERR_USAGE, "SOURCE_DATE_EPOCH is no number of seconds: '%s'", text);
	*ret = ib_filetime((int64_t)seconds);
	return true;
}

static bool wrote(struct context *c, const char *out)
{
	g_autofree char *text = g_strconcat("wrote ", out, NULL);

	render_result(c->json, "wrote", out, text);
	return true;
}

static bool save(struct context *c, struct ib_hive_place *p, struct ib_error **err)
{
	const char *out = args_value(c->args, "output");
	uint64_t time;

	if (!time_of_change(&time, err) || !ib_hive_place_save(p, out, time, c->progress, err))
		return false;
	ib_progress_done(c->progress);
	return wrote(c, out);
}

/* Without a byte order mark regedit takes bytes for the machine's code page. */
static bool encode(const char *text, const char *encoding, GBytes **ret, struct ib_error **err)
{
	if (!encoding || strcmp(encoding, "utf-8") == 0) {
		*ret = g_bytes_new(text, strlen(text));
		return true;
	}
	if (strcmp(encoding, "utf-16") != 0)
		return ib_throw(err, IB_ERR_USAGE, "--encoding takes utf-8 or utf-16, not '%s'", encoding);
	g_autofree char *marked = g_strconcat("\xef\xbb\xbf", text, NULL);
	size_t len;
	uint8_t *units = ib_utf8_to_utf16(marked, &len);

	if (!units)
		return ib_throw(err, IB_ERR_INPUT, "the hive holds text that is not UTF-16");
	*ret = g_bytes_new_take(units, len);
	return true;
}

static bool do_export(struct context *c, struct ib_hive_place *p, struct ib_error **err)
{
	const char *out = args_value(c->args, "output");
	g_autofree char *text = NULL;
	g_autoptr(GBytes) bytes = NULL;

	if (c->json && !out)
		return ib_throw(err, IB_ERR_USAGE, "'hive export' prints .reg text; it has no JSON form");
	if (!ib_hive_place_export(p, args_value(c->args, "key"), &text, err) ||
	    !encode(text, args_value(c->args, "encoding"), &bytes, err))
		return false;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);
	if (out)
		return ib_file_write(out, data, len, err) && wrote(c, out);
	fwrite(data, 1, len, stdout);
	return true;
}

static bool do_import(struct context *c, struct ib_hive_place *p, struct ib_error **err)
{
	const char *file = args_word(c->args, 2);
	unsigned other = 0;

	if (!ib_hive_place_import(p, file, &other, err))
		return false;
	if (other)
		ib_log(IB_LOG_WARNING, "hive", "'%s': %u keys belong to other hives, ignoring them", file, other);
	return save(c, p, err);
}

static bool do_get(struct context *c, struct ib_hive_place *p, struct ib_error **err)
{
	g_autofree char *json = NULL;
	g_autofree char *text = NULL;

	if (!ib_hive_place_get(p, args_word(c->args, 2), args_word(c->args, 3), &json, &text, err))
		return false;
	if (text && !c->json)
		printf("%s\n", text);
	else
		render_document(json, c->json);
	return true;
}

static bool do_set(struct context *c, struct ib_hive_place *p, struct ib_error **err)
{
	g_autofree char **data = args_values(c->args, "data");
	struct ib_hive_setting s = { .key = args_word(c->args, 2), .value = args_word(c->args, 3),
				     .type = args_value(c->args, "type"), .data = data };

	if (!s.type)
		return ib_throw(err, IB_ERR_USAGE, "'hive set' needs --type, and --data for what to set");
	return ib_hive_place_set(p, &s, err) && save(c, p, err);
}

static bool do_verify(struct context *c, struct ib_hive_place *p, struct ib_error **err)
{
	g_autofree char *json = NULL;

	if (!ib_hive_place_verify(p, &json, err))
		return false;
	render_document(json, c->json);
	return true;
}

static bool open_place(struct context *c, unsigned word, struct ib_hive_place **ret, struct ib_error **err)
{
	struct ib_hive_place_options o = { .root = args_value(c->args, "root"), .threads = c->threads,
					   .accept_dirty = args_has(c->args, "accept-dirty-hive") };

	return ib_hive_place_open(args_word(c->args, word), &o, ret, err);
}

static bool do_diff(struct context *c, struct ib_hive_place *a, struct ib_error **err)
{
	ib_auto_hive_place b = NULL;

	if (!open_place(c, 2, &b, err))
		return false;
	g_autofree char *json = ib_hive_place_diff(a, b);
	render_document(json, c->json);
	return true;
}

/* What each takes besides the hive, and the options that mean something to it. */
static const struct action {
	const char *name, *arguments;
	unsigned least, most; /* words, its own name and the hive included */
	bool writes;
	const char *options; /* --root and --accept-dirty-hive fit all */
	bool (*run)(struct context *c, struct ib_hive_place *p, struct ib_error **err);
} actions[] = {
	{ "export", "HIVE", 2, 2, false, "output key encoding", do_export },
	{ "import", "HIVE FILE.reg", 3, 3, true, "output", do_import },
	{ "get", "HIVE KEY [VALUE]", 3, 4, false, "", do_get },
	{ "set", "HIVE KEY VALUE and --type, --data", 4, 4, true, "output type data", do_set },
	{ "verify", "HIVE", 2, 2, false, "", do_verify },
	{ "diff", "HIVE OTHER", 3, 3, false, "", do_diff },
};

/* An option that another action has: never ignored. */
static bool check_options(const struct args *a, const struct action *action, struct ib_error **err)
{
	static const char *const special[] = { "output", "key", "encoding", "type", "data" };
	g_auto(GStrv) known = g_strsplit(action->options, " ", -1);

	for (size_t i = 0; i < G_N_ELEMENTS(special); i++)
		if (args_has(a, special[i]) && !g_strv_contains((const char *const *)known, special[i]))
			return ib_throw(err, IB_ERR_USAGE, "'hive %s' has no option '--%s'", action->name, special[i]);
	if (action->writes && !args_has(a, "output")) {
		ib_throw(err, IB_ERR_USAGE, "'hive %s' needs -o: where the changed hive goes", action->name);
		return ib_hint(err, "for a hive in an image, -o names a new WIM");
	}
	return true;
}

static const struct action *find_action(const struct args *a, struct ib_error **err)
{
	const char *word = args_word(a, 0);

	for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
		const struct action *action = &actions[i];
		if (strcmp(word, action->name) != 0)
			continue;
		if (a->words->len >= action->least && a->words->len <= action->most)
			return check_options(a, action, err) ? action : NULL;
		unsigned given = a->words->len - 1;
		ib_throw(err, IB_ERR_USAGE, "'hive %s' takes %s, %u word%s given", action->name, action->arguments, given,
			 given == 1 ? " was" : "s were");
		ib_hint(err, "imgbuild hive --help");
		return NULL;
	}
	ib_throw(err, IB_ERR_USAGE, "'hive' has no action '%s'", word);
	ib_hint(err, "export, import, get, set, verify or diff");
	return NULL;
}

int cmd_hive(struct context *c, struct ib_error **err)
{
	const struct action *action = find_action(c->args, err);
	ib_auto_hive_place place = NULL;

	if (!action || !open_place(c, 1, &place, err) || !action->run(c, place, err))
		return -1;
	return 0;
}
