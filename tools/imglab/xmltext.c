/* XML text of manifests. Attribute lists end with NULL where a name would stand. */
#include "xmltext.h"

struct lab_xml lab_xml_begin(void)
{
	return (struct lab_xml){ .text = g_string_new("<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>") };
}

GBytes *lab_xml_end(struct lab_xml *x)
{
	return g_string_free_to_bytes(g_steal_pointer(&x->text));
}

static void indent(struct lab_xml *x)
{
	g_string_append(x->text, "\r\n");
	for (unsigned i = 0; i < x->depth; i++)
		g_string_append(x->text, "  ");
}

static void append_escaped(GString *s, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': g_string_append(s, "&amp;"); break;
		case '<': g_string_append(s, "&lt;"); break;
		case '>': g_string_append(s, "&gt;"); break;
		case '"': g_string_append(s, "&quot;"); break;
		default: g_string_append_c(s, *text);
		}
	}
}

static void start(struct lab_xml *x, const char *name, va_list args)
{
	const char *key;

	indent(x);
	g_string_append_printf(x->text, "<%s", name);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		if (!value)
			continue;
		g_string_append_printf(x->text, " %s=\"", key);
		append_escaped(x->text, value);
		g_string_append_c(x->text, '"');
	}
}

void lab_xml_open(struct lab_xml *x, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	start(x, name, args);
	va_end(args);
	g_string_append_c(x->text, '>');
	x->depth++;
}

void lab_xml_empty(struct lab_xml *x, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	start(x, name, args);
	va_end(args);
	g_string_append(x->text, " />");
}

void lab_xml_text(struct lab_xml *x, const char *name, const char *text)
{
	indent(x);
	g_string_append_printf(x->text, "<%s>", name);
	append_escaped(x->text, text);
	g_string_append_printf(x->text, "</%s>", name);
}

void lab_xml_close(struct lab_xml *x, const char *name)
{
	x->depth--;
	indent(x);
	g_string_append_printf(x->text, "</%s>", name);
}

void lab_xml_raw(struct lab_xml *x, const char *line)
{
	indent(x);
	g_string_append(x->text, line);
}

void lab_xml_identity(struct lab_xml *x, const struct lab_identity *id)
{
	lab_xml_empty(x, "assemblyIdentity", "name", id->name, "version", id->version, "processorArchitecture",
		      id->arch, "language", id->culture ? id->culture : "neutral", "buildType", "release",
		      "publicKeyToken", id->token, "type", id->type, "versionScope", id->scope, NULL);
}
