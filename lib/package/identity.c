#include "package/internal.h"

#include <string.h>

/* Most bytes of a field: names on disk have at most 255 units, and interned texts are never freed. */
#define FIELD_MAX 512

/* Characters that no field may hold: fields become parts of file names and registry keys. */
static bool is_field_text(const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || strchr("\\/:?\"<>|", *p))
			return false;
	}
	return strlen(text) <= FIELD_MAX && (!strchr(text, '*') || strcmp(text, "*") == 0);
}

/* One attribute, interned; absent and empty are NULL. */
static bool take(const struct ib_xml_node *node, const char *attr, const char **ret, struct ib_error **err)
{
	const char *text = ib_xml_attr(node, attr);

	*ret = NULL;
	if (!text || !*text)
		return true;
	if (!is_field_text(text))
		return ib_throw(err, IB_ERR_INPUT, "line %u: %s '%.80s' of an assemblyIdentity is not a name",
				ib_xml_line(node), attr, text);
	*ret = g_intern_string(text);
	return true;
}

static bool is_neutral(const char *culture)
{
	return !culture || g_ascii_strcasecmp(culture, "neutral") == 0 || g_ascii_strcasecmp(culture, "none") == 0 ||
	       strcmp(culture, "*") == 0;
}

bool ib_identity_read(const struct ib_xml_node *node, struct ib_identity *ret, struct ib_error **err)
{
	struct ib_identity id = { 0 };

	if (!node)
		return ib_throw(err, IB_ERR_INPUT, "an assemblyIdentity is missing");
	if (!take(node, "name", &id.name, err) || !take(node, "version", &id.version, err) ||
	    !take(node, "processorArchitecture", &id.arch, err) || !take(node, "language", &id.culture, err) ||
	    !take(node, "publicKeyToken", &id.token, err) || !take(node, "type", &id.type, err) ||
	    !take(node, "versionScope", &id.scope, err) || !take(node, "buildType", &id.build_type, err))
		return false;
	if (!id.culture && !take(node, "culture", &id.culture, err)) /* asm.v1's word for it */
		return false;
	if (!id.name)
		return ib_throw(err, IB_ERR_INPUT, "line %u: an assemblyIdentity has no name", ib_xml_line(node));
	if (!id.version || !ib_version_parse(id.version, &id.number))
		return ib_throw(err, IB_ERR_INPUT, "line %u: version '%s' of '%s' is not one to four numbers up to 65535",
				ib_xml_line(node), id.version ? id.version : "", id.name);
	if (is_neutral(id.culture))
		id.culture = NULL;
	*ret = id;
	return true;
}

bool package_identity_is_concrete(const struct ib_identity *id)
{
	const char *const fields[] = { id->name, id->arch, id->token, id->version };

	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (fields[i] && strcmp(fields[i], "*") == 0)
			return false;
	}
	return true;
}

struct ib_identity *package_identity_copy(const struct ib_identity *id)
{
	return g_memdup2(id, sizeof(*id));
}

bool package_identity_add(const struct ib_xml_node *node, GPtrArray *list, struct ib_error **err)
{
	struct ib_identity id;

	if (!ib_identity_read(ib_xml_first(node, "assemblyIdentity"), &id, err))
		return ib_while(err, "reading '%s' in line %u", ib_xml_name(node), ib_xml_line(node));
	g_ptr_array_add(list, package_identity_copy(&id));
	return true;
}
