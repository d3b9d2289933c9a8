/* The text of a component's manifest and of a scheduled task. */
#include <string.h>

#include "digest/digest.h"

#include "model.h"
#include "xmltext.h"

#define NS_ASM3 "urn:schemas-microsoft-com:asm.v3"
#define COPYRIGHT "Copyright (c) imgbuild laboratory. Not a Microsoft product."

static void write_descriptor(struct lab_xml *x, const char *name)
{
	if (name)
		lab_xml_empty(x, "securityDescriptor", "name", name, NULL);
}

static void write_dependencies(struct lab_xml *x, const struct lab_component *c)
{
	for (guint i = 0; i < c->dependencies->len; i++) {
		const struct lab_dependency *d = c->dependencies->pdata[i];

		lab_xml_open(x, "dependency", "discoverable", d->discoverable, "resourceType", d->resource_type, NULL);
		lab_xml_open(x, "dependentAssembly", "dependencyType", d->type, NULL);
		lab_xml_identity(x, &d->identity);
		lab_xml_close(x, "dependentAssembly");
		lab_xml_close(x, "dependency");
	}
}

static void write_hash(struct lab_xml *x, GBytes *bytes)
{
	uint8_t hash[IB_SHA256_SIZE];
	size_t len;
	const void *data = g_bytes_get_data(bytes, &len);
	g_autofree char *text = NULL;

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	text = g_base64_encode(hash, sizeof(hash));
	lab_xml_open(x, "asmv2:hash", "xmlns:asmv2", "urn:schemas-microsoft-com:asm.v2", "xmlns:dsig",
		     "http://www.w3.org/2000/09/xmldsig#", NULL);
	lab_xml_open(x, "dsig:Transforms", NULL);
	lab_xml_empty(x, "dsig:Transform", "Algorithm", "urn:schemas-microsoft-com:HashTransforms.Identity", NULL);
	lab_xml_close(x, "dsig:Transforms");
	lab_xml_empty(x, "dsig:DigestMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha256", NULL);
	lab_xml_text(x, "dsig:DigestValue", text);
	lab_xml_close(x, "asmv2:hash");
}

static void write_files(struct lab_xml *x, const struct lab_component *c)
{
	for (guint i = 0; i < c->files->len; i++) {
		const struct lab_file *f = c->files->pdata[i];

		lab_xml_open(x, "file", "name", f->name, "destinationPath", f->destination_path, "destinationName",
			     f->destination_name, "sourceName", f->name, "importPath", "$(build.nttree)\\",
			     "sourcePath", ".\\", "attributes", f->attributes, NULL);
		write_descriptor(x, f->sddl);
		if (f->link)
			lab_xml_empty(x, "link", "destination", f->link, NULL);
		write_hash(x, f->bytes);
		lab_xml_close(x, "file");
	}
}

static void write_directories(struct lab_xml *x, const struct lab_component *c)
{
	if (c->directories->len == 0)
		return;
	lab_xml_open(x, "directories", NULL);
	for (guint i = 0; i < c->directories->len; i++) {
		const struct lab_directory *d = c->directories->pdata[i];

		lab_xml_open(x, "directory", "destinationPath", d->path, "owner", d->owner ? "true" : "false", NULL);
		write_descriptor(x, d->sddl);
		lab_xml_close(x, "directory");
	}
	lab_xml_close(x, "directories");
}

static const char *type_name(uint32_t type, char raw[16])
{
	static const char *const names[] = {
		[LAB_REG_NONE] = "REG_NONE", [LAB_REG_SZ] = "REG_SZ", [LAB_REG_EXPAND_SZ] = "REG_EXPAND_SZ",
		[LAB_REG_BINARY] = "REG_BINARY", [LAB_REG_DWORD] = "REG_DWORD", [LAB_REG_MULTI_SZ] = "REG_MULTI_SZ",
		[LAB_REG_QWORD] = "REG_QWORD",
	};

	if (type < G_N_ELEMENTS(names) && names[type])
		return names[type];
	g_snprintf(raw, 16, "%08X", type);
	return raw;
}

static void write_keys(struct lab_xml *x, const struct lab_component *c)
{
	char raw[16];

	if (c->keys->len == 0)
		return;
	lab_xml_open(x, "registryKeys", NULL);
	for (guint i = 0; i < c->keys->len; i++) {
		const struct lab_regkey *k = c->keys->pdata[i];

		lab_xml_open(x, "registryKey", "keyName", k->path, "owner", k->owner ? "true" : NULL, NULL);
		for (guint j = 0; j < k->values->len; j++) {
			const struct lab_regvalue *v = k->values->pdata[j];

			lab_xml_empty(x, "registryValue", "name", v->name, "valueType", type_name(v->type, raw), "value",
				      v->value, "operationHint", v->hint, "mutable", v->is_mutable ? "true" : NULL, NULL);
		}
		write_descriptor(x, k->sddl);
		lab_xml_close(x, "registryKey");
	}
	lab_xml_close(x, "registryKeys");
}

static void write_service(struct lab_xml *x, const struct lab_service *s)
{
	char delay[16];

	lab_xml_open(x, "categoryInstance", "subcategory", s->name, NULL);
	lab_xml_open(x, "serviceData", "name", s->name, "displayName", s->display, "description", s->description,
		     "errorControl", s->error_control, "start", s->start, "type", s->type, "imagePath", s->image_path,
		     "objectName", s->object_name, "group", s->group, "dependOnService", s->depend_on,
		     "requiredPrivileges", s->privileges, "sidType", s->sid_type, NULL);
	if (s->restart_ms) {
		g_snprintf(delay, sizeof(delay), "%u", s->restart_ms);
		lab_xml_open(x, "failureActions", "resetPeriod", "86400", NULL);
		lab_xml_open(x, "actions", NULL);
		lab_xml_empty(x, "action", "delay", delay, "type", "restartService", NULL);
		lab_xml_close(x, "actions");
		lab_xml_close(x, "failureActions");
	}
	lab_xml_close(x, "serviceData");
	lab_xml_close(x, "categoryInstance");
}

static void open_category(struct lab_xml *x, const char *name, const char *type)
{
	lab_xml_open(x, "categoryMembership", NULL);
	lab_xml_empty(x, "id", "name", name, "version", "10.0.17763.1", "publicKeyToken", LAB_TOKEN, "typeName", type,
		      NULL);
}

static void write_memberships(struct lab_xml *x, const struct lab_component *c)
{
	char position[16];

	if (c->services->len + c->svchost->len == 0)
		return;
	lab_xml_open(x, "memberships", NULL);
	if (c->services->len) {
		open_category(x, "Microsoft.Windows.Categories.Services", "Service");
		for (guint i = 0; i < c->services->len; i++)
			write_service(x, c->services->pdata[i]);
		lab_xml_close(x, "categoryMembership");
	}
	for (guint i = 0; i < c->svchost->len; i++) {
		const struct lab_svchost *s = c->svchost->pdata[i];

		open_category(x, "Microsoft.Windows.Categories", "SvcHost");
		lab_xml_open(x, "categoryInstance", "subcategory", s->group, NULL);
		g_snprintf(position, sizeof(position), "%u", s->position);
		lab_xml_empty(x, "serviceGroup", "position", position, "serviceName", s->service, NULL);
		lab_xml_close(x, "categoryInstance");
		lab_xml_close(x, "categoryMembership");
	}
	lab_xml_close(x, "memberships");
}

static void write_firewall(struct lab_xml *x, const struct lab_component *c)
{
	for (guint i = 0; i < c->firewall->len; i++) {
		const struct lab_firewall *f = c->firewall->pdata[i];

		lab_xml_empty(x, "firewallRule", "internalName", f->internal_name, "name", f->name, "desc",
			      f->description, "group", f->group, "action", "Allow", "active", "TRUE", "binary", f->binary,
			      "dir", f->direction, "protocol", f->protocol, "lport", f->local_port, "profile", f->profile,
			      "svc", f->service, NULL);
	}
}

/* The Task element; in a manifest it stands under taskScheduler, in System32\Tasks alone. */
static void write_task(struct lab_xml *x, const struct lab_task *t)
{
	lab_xml_open(x, "Task", "xmlns", "http://schemas.microsoft.com/windows/2004/02/mit/task", "version", "1.2",
		     NULL);
	lab_xml_open(x, "RegistrationInfo", NULL);
	lab_xml_text(x, "Author", t->author);
	lab_xml_text(x, "Description", t->description);
	lab_xml_text(x, "URI", t->uri);
	lab_xml_close(x, "RegistrationInfo");
	lab_xml_open(x, "Triggers", NULL);
	lab_xml_open(x, "CalendarTrigger", NULL);
	lab_xml_text(x, "StartBoundary", t->start);
	lab_xml_open(x, "ScheduleByDay", NULL);
	lab_xml_text(x, "DaysInterval", "1");
	lab_xml_close(x, "ScheduleByDay");
	lab_xml_close(x, "CalendarTrigger");
	lab_xml_close(x, "Triggers");
	lab_xml_open(x, "Principals", NULL);
	lab_xml_open(x, "Principal", "id", "LocalSystem", NULL);
	lab_xml_text(x, "UserId", "S-1-5-18");
	lab_xml_close(x, "Principal");
	lab_xml_close(x, "Principals");
	lab_xml_open(x, "Actions", "Context", "LocalSystem", NULL);
	lab_xml_open(x, "Exec", NULL);
	lab_xml_text(x, "Command", t->command);
	lab_xml_text(x, "Arguments", t->arguments);
	lab_xml_close(x, "Exec");
	lab_xml_close(x, "Actions");
	lab_xml_close(x, "Task");
}

static void write_events(struct lab_xml *x, const struct lab_component *c)
{
	if (c->events->len == 0)
		return;
	lab_xml_open(x, "instrumentation", "xmlns:win", "http://manifests.microsoft.com/win/2004/08/windows/events",
		     "xmlns:xs", "http://www.w3.org/2001/XMLSchema", NULL);
	lab_xml_open(x, "events", "xmlns", "http://schemas.microsoft.com/win/2004/08/events", NULL);
	for (guint i = 0; i < c->events->len; i++) {
		const struct lab_event *e = c->events->pdata[i];

		lab_xml_open(x, "provider", "name", e->name, "guid", e->guid, "symbol", "PROVIDER", "resourceFileName",
			     e->resource, "messageFileName", e->resource, NULL);
		if (e->channel) {
			lab_xml_open(x, "channels", NULL);
			lab_xml_empty(x, "channel", "name", e->channel, "chid", "C1", "type", "Operational", "enabled",
				      "true", NULL);
			lab_xml_close(x, "channels");
		}
		lab_xml_close(x, "provider");
	}
	lab_xml_close(x, "events");
	lab_xml_close(x, "instrumentation");
}

static void write_trust(struct lab_xml *x, const struct lab_component *c)
{
	if (c->sddls->len == 0)
		return;
	lab_xml_open(x, "trustInfo", NULL);
	lab_xml_open(x, "security", NULL);
	lab_xml_open(x, "accessControl", NULL);
	lab_xml_open(x, "securityDescriptorDefinitions", NULL);
	for (guint i = 0; i < c->sddls->len; i++) {
		const struct lab_sddl *s = c->sddls->pdata[i];

		lab_xml_empty(x, "securityDescriptorDefinition", "name", s->name, "sddl", s->text, "operationHint",
			      "replace", NULL);
	}
	lab_xml_close(x, "securityDescriptorDefinitions");
	lab_xml_close(x, "accessControl");
	lab_xml_close(x, "security");
	lab_xml_close(x, "trustInfo");
}

GBytes *lab_manifest_text(const struct lab_component *c)
{
	struct lab_xml x = lab_xml_begin();

	lab_xml_open(&x, "assembly", "xmlns", NS_ASM3, "manifestVersion", "1.0", "description", c->description,
		     "copyright", COPYRIGHT, NULL);
	lab_xml_identity(&x, &c->id);
	if (c->deployment)
		lab_xml_empty(&x, "deployment", "xmlns", NS_ASM3, NULL);
	write_dependencies(&x, c);
	write_files(&x, c);
	write_directories(&x, c);
	write_keys(&x, c);
	write_memberships(&x, c);
	write_firewall(&x, c);
	if (c->tasks->len) {
		lab_xml_open(&x, "taskScheduler", NULL);
		for (guint i = 0; i < c->tasks->len; i++)
			write_task(&x, c->tasks->pdata[i]);
		lab_xml_close(&x, "taskScheduler");
	}
	write_events(&x, c);
	for (guint i = 0; i < c->extra->len; i++)
		lab_xml_raw(&x, c->extra->pdata[i]);
	write_trust(&x, c);
	lab_xml_close(&x, "assembly");
	return lab_xml_end(&x);
}

GBytes *lab_task_file(const struct lab_task *t)
{
	struct lab_xml x = { .text = g_string_new("\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-16\"?>") };
	glong units;

	write_task(&x, t);
	g_autoptr(GBytes) utf8 = lab_xml_end(&x);
	size_t len;
	const char *text = g_bytes_get_data(utf8, &len);
	gunichar2 *wide = g_utf8_to_utf16(text, (glong)len, NULL, &units, NULL);

	return g_bytes_new_take(wide, (gsize)units * 2);
}
