#include "imgbuild.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-glib/json-glib.h>

extern volatile sig_atomic_t interrupted;

/* ---- progress ---- */

static struct {
	bool line_open; /* a terminal line that must be cleared */
	char *last_step;
} shown;

static void show_tty(const struct ib_progress_event *e)
{
	fprintf(stderr, "\r\033[K%3.0f %%  %s", e->fraction * 100, e->step);
	shown.line_open = true;
	if (e->finished)
		render_end();
}

/* One line a step: for logs of CI jobs. */
static void show_plain(const struct ib_progress_event *e)
{
	if (e->finished || g_strcmp0(shown.last_step, e->step) == 0)
		return;
	g_free(shown.last_step);
	shown.last_step = g_strdup(e->step);
	fprintf(stderr, "%3.0f %%  %s\n", e->fraction * 100, e->step);
}

static void show_json(const struct ib_progress_event *e)
{
	fprintf(stderr, "{\"event\":\"progress\",\"step\":\"%s\",\"fraction\":%.4f,\"done\":%" PRIu64 ",\"total\":%" PRIu64
			",\"finished\":%s}\n",
		e->step, e->fraction, e->done_bytes, e->total_bytes, e->finished ? "true" : "false");
}

static const struct renderer {
	const char *name;
	void (*show)(const struct ib_progress_event *e);
} renderers[] = { { "tty", show_tty }, { "plain", show_plain }, { "json", show_json }, { "none", NULL } };

static bool on_progress(const struct ib_progress_event *e, void *data)
{
	const struct renderer *r = data;

	if (r->show)
		r->show(e);
	return !interrupted;
}

bool render_progress(const char *how, struct ib_progress **ret, struct ib_error **err)
{
	if (!how || strcmp(how, "auto") == 0)
		how = isatty(STDERR_FILENO) ? "tty" : "none";
	for (size_t i = 0; i < G_N_ELEMENTS(renderers); i++) {
		if (strcmp(renderers[i].name, how) == 0) {
			*ret = ib_progress_new(on_progress, (void *)&renderers[i]);
			return true;
		}
	}
	return ib_throw(err, IB_ERR_USAGE, "there is no progress form '%s'", how);
}

void render_end(void)
{
	if (shown.line_open)
		fputs("\r\033[K", stderr);
	shown.line_open = false;
	g_clear_pointer(&shown.last_step, g_free);
}

/* ---- log ---- */

static const char *const level_names[] = { "error", "warning", "info", "debug" };

static void log_text(enum ib_log_level level, const char *module, const char *text, void *data)
{
	fprintf(stderr, "imgbuild: %s: %s: %s\n", level_names[level], module, text);
}

static void log_json(enum ib_log_level level, const char *module, const char *text, void *data)
{
	g_autoptr(JsonObject) o = json_object_new();
	JsonNode *node = json_node_new(JSON_NODE_OBJECT);

	json_object_set_string_member(o, "event", "log");
	json_object_set_string_member(o, "level", level_names[level]);
	json_object_set_string_member(o, "id", module);
	json_object_set_string_member(o, "text", text);
	json_node_set_object(node, o);
	g_autofree char *line = json_to_string(node, FALSE);
	json_node_free(node);
	fprintf(stderr, "%s\n", line);
}

bool render_log(const char *level, const char *format, struct ib_error **err)
{
	enum ib_log_level wanted = IB_LOG_WARNING;

	for (size_t i = 0; level && i < G_N_ELEMENTS(level_names); i++)
		if (strcmp(level, level_names[i]) == 0)
			wanted = (enum ib_log_level)i;
	ib_log_set(format && strcmp(format, "json") == 0 ? log_json : log_text, wanted, NULL);
	return true;
}

/* ---- documents ---- */

static void print_node(JsonNode *node, const char *name, int depth);

static void print_object(JsonObject *o, int depth)
{
	GList *names = json_object_get_members(o);

	for (GList *l = names; l; l = l->next)
		print_node(json_object_get_member(o, l->data), l->data, depth);
	g_list_free(names);
}

static void print_value(JsonNode *node)
{
	GType type = json_node_get_value_type(node);

	if (JSON_NODE_HOLDS_NULL(node))
		printf("-");
	else if (type == G_TYPE_STRING)
		printf("%s", json_node_get_string(node));
	else if (type == G_TYPE_BOOLEAN)
		printf("%s", json_node_get_boolean(node) ? "yes" : "no");
	else if (type == G_TYPE_DOUBLE)
		printf("%.3f", json_node_get_double(node));
	else
		printf("%" G_GINT64_FORMAT, json_node_get_int(node));
}

static void print_array(JsonArray *array, int depth)
{
	for (guint i = 0; i < json_array_get_length(array); i++) {
		JsonNode *item = json_array_get_element(array, i);
		if (JSON_NODE_HOLDS_OBJECT(item)) {
			printf("%*s-\n", depth * 2, "");
			print_object(json_node_get_object(item), depth + 1);
		} else {
			printf("%*s- ", depth * 2, "");
			print_value(item);
			printf("\n");
		}
	}
}

static void print_node(JsonNode *node, const char *name, int depth)
{
	printf("%*s%s:", depth * 2, "", name);
	if (JSON_NODE_HOLDS_OBJECT(node)) {
		printf("\n");
		print_object(json_node_get_object(node), depth + 1);
	} else if (JSON_NODE_HOLDS_ARRAY(node)) {
		JsonArray *array = json_node_get_array(node);
		printf("%s\n", json_array_get_length(array) ? "" : " none");
		print_array(array, depth + 1);
	} else {
		printf(" ");
		print_value(node);
		printf("\n");
	}
}

void render_document(const char *json, bool as_json)
{
	g_autoptr(JsonParser) parser = as_json ? NULL : json_parser_new();

	if (as_json || !json_parser_load_from_data(parser, json, -1, NULL))
		fputs(json, stdout);
	else
		print_object(json_node_get_object(json_parser_get_root(parser)), 0);
}

void render_object(JsonObject *object, bool as_json)
{
	JsonNode *node = json_node_new(JSON_NODE_OBJECT);

	json_node_set_object(node, object);
	if (as_json) {
		g_autofree char *json = json_to_string(node, TRUE);
		printf("%s\n", json);
	} else {
		print_object(object, 0);
	}
	json_node_free(node);
}

void render_result(bool as_json, const char *name, const char *value, const char *text)
{
	g_autoptr(JsonObject) o = json_object_new();
	JsonNode *node = json_node_new(JSON_NODE_OBJECT);

	json_object_set_string_member(o, name, value);
	json_node_set_object(node, o);
	g_autofree char *json = json_to_string(node, TRUE);
	json_node_free(node);
	printf("%s\n", as_json ? json : text);
}
