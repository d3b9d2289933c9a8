/*
 * Memberships (services, svchost groups), firewall rules, tasks; and the names
 * of all elements that nobody handles. What may pass without a name stands in
 * the tables below; all else is named.
 */
#include "package/internal.h"

#include <string.h>

/* ---- memberships ---- */

/* Marks for Windows' own servicing: nothing to do off line. */
static const char *const marks[] = { "BootCritical", "BootRecovery", "SingleInstanceFiles", "ServicingStackComponent",
				     NULL };

/* Memberships whose instances say what is to be done. */
static const char *const kinds[] = { "Service", "SvcHost", "Environment", NULL };

static const char *const service_parts[] = { "serviceTrigger", "failureActions", "securityDescriptor", NULL };

static bool in_list(const char *const *list, const char *text)
{
	for (; *list; list++) {
		if (strcmp(*list, text) == 0)
			return true;
	}
	return false;
}

static bool is_key_name(const char *name)
{
	return name && *name && !strpbrk(name, "\\/");
}

static bool read_service(struct manifest *m, const struct ib_xml_node *node, struct ib_error **err)
{
	struct ib_service *s = g_new0(struct ib_service, 1);

	*s = (struct ib_service){
		.name = ib_xml_attr(node, "name"),
		.display_name = ib_xml_attr(node, "displayName"),
		.description = ib_xml_attr(node, "description"),
		.error_control = ib_xml_attr(node, "errorControl"),
		.start = ib_xml_attr(node, "start"),
		.type = ib_xml_attr(node, "type"),
		.image_path = ib_xml_attr(node, "imagePath"),
		.object_name = ib_xml_attr(node, "objectName"),
		.group = ib_xml_attr(node, "group"),
		.tag = ib_xml_attr(node, "tag"),
		.depend_on_service = ib_xml_attr(node, "dependOnService"),
		.depend_on_group = ib_xml_attr(node, "dependOnGroup"),
		.required_privileges = ib_xml_attr(node, "requiredPrivileges"),
		.sid_type = ib_xml_attr(node, "sidType"),
		.launch_protected = ib_xml_attr(node, "launchProtected"),
		.sddl = package_sddl(m, node),
		.node = node,
	};
	g_ptr_array_add(m->pub.services, s);
	if (!is_key_name(s->name))
		return ib_throw(err, IB_ERR_INPUT, "line %u: '%.80s' is not the name of a service", ib_xml_line(node),
				s->name ? s->name : "");
	const struct ib_xml_node *child = ib_xml_first(node, NULL);
	for (; child; child = ib_xml_next(child, NULL)) {
		if (!in_list(service_parts, ib_xml_name(child)))
			package_other_add(m->pub.other, "%.80s", ib_xml_name(child));
	}
	return true;
}

static bool read_group(struct manifest *m, const struct ib_xml_node *instance, const struct ib_xml_node *node,
		       struct ib_error **err)
{
	const char *group = ib_xml_attr(instance, "subcategory"), *service = ib_xml_attr(node, "serviceName");

	if (!is_key_name(group) || !is_key_name(service))
		return ib_throw(err, IB_ERR_INPUT, "line %u: a serviceGroup needs a group and a service",
				ib_xml_line(node));
	struct ib_svchost_entry *e = g_new0(struct ib_svchost_entry, 1);
	e->group = group;
	e->service = service;
	g_ptr_array_add(m->pub.svchost, e);
	return true;
}

/* A folder for the search path; Windows joins them by ';'. */
static bool read_path(struct manifest *m, const struct ib_xml_node *node, struct ib_error **err)
{
	const char *folder = package_attr(m, node, "name"), *position = ib_xml_attr(node, "position");

	if (!folder || !*folder || strpbrk(folder, ";\"\r\n"))
		return ib_throw(err, IB_ERR_INPUT, "line %u: '%.80s' is no folder for the search path", ib_xml_line(node),
				folder ? folder : "");
	struct ib_search_path *p = g_new0(struct ib_search_path, 1);
	p->folder = folder;
	p->first = position && g_ascii_strcasecmp(position, "first") == 0;
	g_ptr_array_add(m->pub.search_path, p);
	if (position && !p->first && g_ascii_strcasecmp(position, "last") != 0)
		package_other_add(m->pub.other, "path position='%.40s'", position);
	return true;
}

static bool read_instance(struct manifest *m, const char *type, const struct ib_xml_node *instance,
			  struct ib_error **err)
{
	const struct ib_xml_node *child = ib_xml_first(instance, NULL);

	for (; child; child = ib_xml_next(child, NULL)) {
		const char *name = ib_xml_name(child);
		bool ok = true;
		if (strcmp(type, "Service") == 0 && strcmp(name, "serviceData") == 0)
			ok = read_service(m, child, err);
		else if (strcmp(type, "SvcHost") == 0 && strcmp(name, "serviceGroup") == 0)
			ok = read_group(m, instance, child, err);
		else if (strcmp(type, "Environment") == 0 && strcmp(name, "path") == 0)
			ok = read_path(m, child, err);
		else
			package_other_add(m->pub.other, "%.80s", name);
		if (!ok)
			return false;
	}
	return true;
}

static bool read_membership(struct manifest *m, const struct ib_xml_node *node, struct ib_error **err)
{
	const char *type = ib_xml_attr(ib_xml_first(node, "id"), "typeName");
	const struct ib_xml_node *instance = ib_xml_first(node, "categoryInstance");

	if (type && in_list(marks, type))
		return true;
	if (!type || !in_list(kinds, type)) {
		package_other_add(m->pub.other, "categoryMembership '%.80s'", type ? type : "");
		return true;
	}
	for (; instance; instance = ib_xml_next(instance, "categoryInstance")) {
		if (!read_instance(m, type, instance, err))
			return false;
	}
	return true;
}

bool package_read_memberships(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
{
	const struct ib_xml_node *all = ib_xml_first(root, "memberships");

	for (; all; all = ib_xml_next(all, "memberships")) {
		const struct ib_xml_node *node = ib_xml_first(all, "categoryMembership");
		for (; node; node = ib_xml_next(node, "categoryMembership")) {
			if (!read_membership(m, node, err))
				return false;
		}
	}
	return true;
}

/* ---- the allow-list ---- */

/* Which children of an element are handled; those in `whole` with all that is below them. */
struct level {
	const char *element;
	const char *const *children;
	const char *const *whole;
};

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING ((const char *const[]){ NULL })

static const struct level levels[] = {
	/* Left out on purpose, without effect off line: display texts, build-time tools, the settings store's schema. */
	{ "assembly", LIST("dependency", "file", "directories", "registryKeys", "trustInfo", "taskScheduler", "instrumentation"),
	  LIST("assemblyIdentity", "deployment", "memberships", "firewallRule", "localization", "deconstructionTool",
	       "migration", "configuration", "unattendActions", "description", "noInherit", "noInheritable") },
	{ "dependency", LIST("dependentAssembly"), NOTHING },
	{ "dependentAssembly", NOTHING, LIST("assemblyIdentity") },
	{ "file", NOTHING, LIST("hash", "securityDescriptor", "link", "systemProtection", "signatureInfo") },
	{ "directories", LIST("directory"), NOTHING },
	{ "directory", NOTHING, LIST("securityDescriptor", "systemProtection") },
	{ "registryKeys", LIST("registryKey"), NOTHING },
	{ "registryKey", NOTHING, LIST("registryValue", "overridable", "securityDescriptor", "systemProtection") },
	{ "trustInfo", LIST("security"), NOTHING },
	{ "security", LIST("accessControl"), LIST("requestedPrivileges") },
	{ "accessControl", LIST("securityDescriptorDefinitions"), NOTHING },
	{ "securityDescriptorDefinitions", NOTHING, LIST("securityDescriptorDefinition") },
	{ "taskScheduler", NOTHING, LIST("Task") },
	/* Events themselves lie in the program's resources; the registry knows providers and channels. */
	{ "instrumentation", LIST("events"), NOTHING },
	{ "events", LIST("provider"), LIST("cmi", "messageTable") },
	{ "provider", LIST("channels"), LIST("levels", "tasks", "opcodes", "keywords", "events", "templates", "maps", "filters",
					     "patternMaps", "namedQueries", "traits") },
	{ "channels", LIST("channel"), LIST("importChannel") },
	{ "channel", LIST("logging"), NOTHING },
	{ "logging", NOTHING, LIST("autoBackup", "retention", "maxSize") },
};

static const struct level *level_of(const char *element)
{
	for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
		if (strcmp(levels[i].element, element) == 0)
			return &levels[i];
	}
	return NULL;
}

/* Depth is bounded by lib/xml. level is NULL below elements that are handled or named as a whole. */
static void visit(struct manifest *m, const struct ib_xml_node *node, const struct level *level)
{
	const struct ib_xml_node *child = ib_xml_first(node, NULL);

	for (; child; child = ib_xml_next(child, NULL)) {
		const char *name = ib_xml_name(child);
		bool whole = !level || in_list(level->whole, name);
		bool known = whole || in_list(level->children, name);
		if (strcmp(name, "firewallRule") == 0)
			g_ptr_array_add(m->pub.firewall, (gpointer)child);
		else if (strcmp(name, "Task") == 0 && strcmp(ib_xml_name(node), "taskScheduler") == 0)
			g_ptr_array_add(m->pub.tasks, (gpointer)child);
		else if (!known)
			package_other_add(m->pub.other, "%.80s", name);
		visit(m, child, !whole && known ? level_of(name) : NULL);
	}
}

void package_read_rest(struct manifest *m, const struct ib_xml_node *root)
{
	visit(m, root, level_of("assembly"));
}
